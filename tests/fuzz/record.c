// SPDX-License-Identifier: MIT
/*
 * A record from anywhere: what is accepted is what is exported afterwards,
 * what is refused changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include <gmem_model.h>

#include "fuzz.h"

#define SIZE (4ULL << 20)

static size_t export(const struct gmem *g, void *buf, size_t room)
{
	size_t len = room;

	if (gmem_attributes_export(g, buf, &len, NULL) < 0)
		abort();
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &v };
	struct gmem_create_opts o = { .sz = sizeof(o) };
	static char before[65536], after[65536];
	size_t n, k;
	struct gmem_vm *vm;
	struct gmem *g;

	if (size < 1)
		return 0;
	if (gmem_model_vm_open("7.3", &m, &vm, NULL) < 0 ||
	    gmem_create(vm, SIZE, &o, &g, NULL) < 0 ||
	    gmem_bind(g, 0, 0, 0, SIZE, NULL, NULL) < 0 ||
	    gmem_set_shared(g, 0, SIZE / 4, NULL) < 0)
		abort();
	n = export(g, before, sizeof(before));
	if (gmem_attributes_import(g, data + 1, size - 1, data[0] & 1, NULL) <
	    0) {
		k = export(g, after, sizeof(after));
		if (k != n || memcmp(before, after, n) != 0)
			abort();
	} else {
		n = export(g, before, sizeof(before));
		if (gmem_attributes_import(g, before, n, 0, NULL) < 0)
			abort();
		k = export(g, after, sizeof(after));
		if (k != n || memcmp(before, after, n) != 0)
			abort();
	}
	if (gmem_vm_destroy(vm, NULL) < 0)
		abort();
	return 0;
}
