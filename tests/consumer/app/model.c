/* SPDX-License-Identifier: MIT */
/* A program that uses the model, which needs no KVM. */
#include <stdio.h>
#include <string.h>

#include <gmem_model.h>

/* A program can define names that both libraries use internally. */
int gmem__range_check(void);
int model__due(void);

int gmem__range_check(void)
{
	return 0;
}

int model__due(void)
{
	return 0;
}

int main(void)
{
	struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED,
	};
	struct gmem_error err = { .sz = sizeof(err) };
	char text[] = "guest memory", back[sizeof(text)] = "";
	struct gmem_vm *vm = NULL;
	struct gmem *g;
	int r;

	r = gmem_model_vm_open("7.3", NULL, &vm, &err);
	if (r == 0)
		r = gmem_create(vm, 1 << 20, &opts, &g, &err);
	if (r == 0)
		r = gmem_write(g, 4096, text, sizeof(text), &err);
	if (r == 0)
		r = gmem_read(g, 4096, back, sizeof(back), &err);
	if (r < 0)
		(void)fprintf(stderr, "%s\n", err.msg);
	if (gmem_vm_destroy(vm, NULL) < 0)
		return 1;
	return r < 0 || strcmp(text, back) != 0;
}
