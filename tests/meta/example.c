// SPDX-License-Identifier: MIT
/*
 * What the programs of the manual are run with: VMs of the model, in the kernel
 * GMEM_EXAMPLE_PROFILE and of the type GMEM_EXAMPLE_TYPE where a program names
 * none.  Memory that is shared although its VM is confidential ends them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <gmem_model.h>

int example_vm_open(const struct gmem_vm_opts *opts, struct gmem_vm **out,
		    struct gmem_error *err);
int example_create(struct gmem_vm *vm, uint64_t size,
		   const struct gmem_create_opts *opts, struct gmem **out,
		   struct gmem_error *err);
int example_bind(struct gmem_slot *slot, struct gmem_error *err);
int example_ioctl(int fd, unsigned long request, ...);

static struct gmem_vm *vm_open;
static uint64_t vm_type;

int example_vm_open(const struct gmem_vm_opts *opts, struct gmem_vm **out,
		    struct gmem_error *err)
{
	struct gmem_vm_opts vm = GMEM_INIT(struct gmem_vm_opts);
	const char *profile = getenv("GMEM_EXAMPLE_PROFILE");
	/* All that the kernel can have; tdx came with 6.16. */
	struct gmem_model_opts model = {
		.sz = sizeof(model),
		.vm = &vm,
		.vm_types = strcmp(profile, "6.12") == 0 ? 0x1f : 0x3f,
	};
	int r;

	if (opts)
		vm = *opts;
	if (vm.type == GMEM_VM_UNSET) {
		r = gmem_value(GMEM_NAME_VM_TYPE, getenv("GMEM_EXAMPLE_TYPE"),
			       &vm_type, err);
		if (r < 0)
			return r;
		vm.type = (uint32_t)vm_type;
	}
	vm_type = vm.type;
	r = gmem_model_vm_open(profile, &model, out, err);
	if (r == 0)
		vm_open = *out;
	return r;
}

/* Of a file as it is made and as it is bound, before a program shares it. */
static void must_be_closed(const struct gmem *g)
{
	uint64_t size = gmem_size(g), at, attributes, run;

	if (vm_type != GMEM_VM_SW_PROTECTED && vm_type != GMEM_VM_SNP &&
	    vm_type != GMEM_VM_TDX)
		return;
	for (at = 0; at < size; at += run)
		if (gmem_get_attributes(g, at, size - at, &attributes, &run,
					NULL) < 0 ||
		    attributes == GMEM_ATTRIBUTE_SHARED) {
			printf("OPEN: confidential memory is shared\n");
			exit(99);
		}
}

int example_create(struct gmem_vm *vm, uint64_t size,
		   const struct gmem_create_opts *opts, struct gmem **out,
		   struct gmem_error *err)
{
	int r = gmem_create(vm, size, opts, out, err);

	if (r == 0 && out)
		must_be_closed(*out);
	return r;
}

int example_bind(struct gmem_slot *slot, struct gmem_error *err)
{
	int r = gmem_bind(slot, err);

	if (r == 0 && slot->gmem)
		must_be_closed(slot->gmem);
	return r;
}

int example_ioctl(int fd, unsigned long request, ...)
{
	uint64_t arg[6] = { (uint64_t)fd, request };
	va_list ap;

	va_start(ap, request);
	arg[2] = (uintptr_t)va_arg(ap, void *);
	va_end(ap);
	return gmem_model_syscall(vm_open, SYS_ioctl, arg, NULL) < 0 ? -1 : 0;
}
