// SPDX-License-Identifier: MIT
/*
 * Options from anywhere: each call takes its struct from the input, as long
 * as the input says it is.  What is refused must leave nothing behind.
 */
#include <stdlib.h>
#include <string.h>

#include <gmem_model.h>

#include "fuzz.h"

#define CALLS 8
#define PAGE 65536ULL /* a multiple of every host's */

/* The input after the first two bytes, as a struct that starts with .sz. */
static void *opts_of(const uint8_t *data, size_t size, size_t claimed)
{
	size_t room = claimed > size ? claimed : size;
	char *p = calloc(1, room + sizeof(size_t));

	if (!p)
		abort();
	memcpy(p + sizeof(size_t), data, size);
	memcpy(p, &claimed, sizeof(claimed));
	return p;
}

static int try_one(struct gmem_vm *vm, struct gmem *g, unsigned int which,
		   void *opts, struct gmem_error *err)
{
	struct gmem *made = NULL;
	void *p = NULL;
	int r;

	switch (which % CALLS) {
	case 0:
		r = gmem_create(vm, 4 * PAGE, opts, &made, err);
		return made && gmem_close(made, NULL) < 0 ? 1 : r;
	case 1:
		r = gmem_bind(g, 1, 0, 0, PAGE, opts, err);
		return r > 0 && gmem_unbind(g, 1, NULL, NULL) < 0 ? r : 0;
	case 2:
		return gmem_unbind(g, 0, opts, err);
	case 3:
		r = gmem_mmap(g, 0, PAGE, opts, &p, err);
		return p && gmem_munmap(g, p, NULL) < 0 ? 1 : r;
	case 4:
		return gmem_vm_features(vm, 1, opts, err);
	case 5:
		return gmem_syscall_info(1, opts, err);
	case 6:
		return gmem_adopt(vm, gmem_vm_fd(vm), opts, &made, err);
	default:
		return gmem_slot_get(vm, 0, 0, opts, err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP |
					       GMEM_CREATE_INIT_SHARED };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_vm *vm;
	struct gmem *g;
	void *opts;
	int r;

	if (size < 3)
		return 0;
	if (gmem_model_vm_open("7.3", NULL, &vm, NULL) < 0 ||
	    gmem_create(vm, 4 * PAGE, &o, &g, NULL) < 0)
		abort();
	opts = opts_of(data + 3, size - 3, data[1] | (size_t)data[2] << 8);
	r = try_one(vm, g, data[0], opts, &err);
	/* A refusal says which rule it was. */
	if (r < 0 && (err.code != r || err.reason == 0 || !err.msg[0]))
		abort();
	free(opts);
	if (gmem_vm_destroy(vm, NULL) < 0)
		abort();
	return 0;
}
