// SPDX-License-Identifier: MIT
/* Linked with both archives: a VM of the model, and a file in it. */
#include <stdio.h>

#include <gmem.h>
#include <gmem_model.h>

int main(void)
{
	struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED,
	};
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_vm *vm = NULL;
	struct gmem *ram;
	int r;

	r = gmem_model_vm_open("7.3", NULL, &vm, &err);
	if (r == 0)
		r = gmem_create(vm, 2 << 20, &opts, &ram, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.msg);
	gmem_vm_destroy(vm, NULL);
	return r < 0;
}
