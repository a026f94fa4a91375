// SPDX-License-Identifier: MIT
/*
 * hello: create guest memory that the host can touch, map it, write into it
 * and read it back.
 */
#include <stdio.h>
#include <string.h>

#include <gmem.h>

#define SIZE (2ULL << 20)
#define OFFSET 4000
#define TEXT "hello, guest memory"

static int failed(const char *what, const struct gmem_error *err)
{
	fputs("hello: ", stderr);
	gmem_print_error(stderr, what, err);
	return 1;
}

int main(void)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED,
	};
	struct gmem_vm *vm = NULL;
	struct gmem *memory;
	void *map;
	char back[sizeof(TEXT)];
	int status = 1;

	if (gmem_vm_open(NULL, &vm, &err) < 0) {
		failed("make a VM", &err);
		goto out;
	}
	if (gmem_create(vm, SIZE, &opts, &memory, &err) < 0) {
		failed("create guest memory", &err);
		goto out;
	}
	if (gmem_mmap(memory, 0, SIZE, NULL, &map, &err) < 0) {
		failed("map it", &err);
		goto out;
	}
	memcpy((char *)map + OFFSET, TEXT, sizeof(TEXT));

	/* gmem_read() needs no mapping and can raise no signal. */
	if (gmem_read(memory, OFFSET, back, sizeof(back), &err) < 0) {
		failed("read it back", &err);
		goto out;
	}
	if (memcmp(back, TEXT, sizeof(TEXT))) {
		fprintf(stderr, "hello: read back something else\n");
		goto out;
	}
	printf("wrote \"%s\" at %d of %llu bytes of guest memory "
	       "and read it back\n",
	       TEXT, OFFSET, SIZE);
	status = 0;
out:
	/* Removes the mapping, the file and the VM, in this order. */
	if (gmem_vm_destroy(vm, &err) < 0)
		status = failed("destroy the VM", &err);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "hello: the output could not be written\n");
		status = 1;
	}
	return status;
}
