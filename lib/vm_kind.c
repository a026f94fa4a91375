// SPDX-License-Identifier: MIT
/* What kind a passed descriptor is, and which type of VM. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "call.h"
#include "error.h"
#include "uapi.h"
#include "vm.h"
#include "vm_kind.h"

static int not_a_vm(const struct gmem_vm *vm, const char *what,
		    struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_NOT_A_VM, (uint64_t)vm->fd, 0,
			  "fd %d is %s, not a VM", vm->fd, what);
}

/*
 * A VM is an anonymous inode that cannot be mapped.  A virtual CPU can, and
 * answers capabilities as its VM does, but not while it runs: an ioctl would
 * wait for its lock as long as the guest runs.  So no ioctl is made.
 */
static int refuse_mappable(struct gmem_vm *vm, struct gmem_error *err)
{
	const struct gmem__ctx *ctx = &vm->ctx;
	void *p;
	int r = gmem__mmap(ctx, &p, ctx->page_size, PROT_NONE, MAP_SHARED,
			   vm->fd, 0);

	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return gmem__fail_call(err, r, "mmap of the descriptor");
	r = gmem__munmap(ctx, p, ctx->page_size);
	if (r < 0)
		return gmem__fail_call(err, r, "munmap of the descriptor");
	return not_a_vm(vm, "something that can be mapped, as a virtual CPU",
			err);
}

static int refuse_others(struct gmem_vm *vm, struct gmem_error *err)
{
	struct gmem__stat st = { 0 };
	uint64_t magic = 0;
	int r = gmem__fstat(&vm->ctx, vm->fd, &st);

	if (r < 0)
		return gmem__fail_call(err, r, "fstat of the descriptor");
	/* The device answers capabilities too, a VM would log the rest. */
	if (S_ISCHR(st.mode))
		return not_a_vm(vm, "a device", err);
	r = gmem__fstatfs(&vm->ctx, vm->fd, &magic);
	if (r < 0)
		return gmem__fail_call(err, r, "fstatfs of the descriptor");
	if (magic != GMEM__MAGIC_ANON_INODE)
		return not_a_vm(vm, "a file or a socket", err);
	return refuse_mappable(vm, err);
}

int gmem__vm_verify(struct gmem_vm *vm, struct gmem_error *err)
{
	int r = refuse_others(vm, err);

	if (r < 0)
		return r;
	r = gmem__cap(&vm->ctx, vm->fd, GMEM__CAP_USER_MEMORY);
	if (r > 0)
		return 0;
	if (r == -EIO)
		return gmem__diagnosed(
			err,
			gmem__fail_sys(err, GMEM_REASON_WRONG_PROCESS, 0, r,
				       (uint64_t)vm->fd, 0,
				       "the VM of fd %d belongs to another "
				       "process, or is dead",
				       vm->fd));
	return gmem__fail_sys(err, GMEM_REASON_NOT_A_VM, -EINVAL, r < 0 ? r : 0,
			      (uint64_t)vm->fd, 0, "fd %d is not a KVM VM",
			      vm->fd);
}

static int contradicted(const struct gmem_vm *vm, uint32_t type,
			const char *why, struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_VM_TYPE_CONTRADICTED, type, 0,
			  "the VM of fd %d is not of type %s: %s", vm->fd,
			  gmem_name(GMEM_NAME_VM_TYPE, type), why);
}

static bool has_private_memory(uint32_t type)
{
	return type == GMEM_VM_SW_PROTECTED || type == GMEM_VM_SNP ||
	       type == GMEM_VM_TDX;
}

/* State that the host cannot see, so that it cannot emulate a store either. */
static bool has_protected_state(uint32_t type)
{
	return type == GMEM_VM_SEV_ES || type == GMEM_VM_SNP ||
	       type == GMEM_VM_TDX;
}

int gmem__vm_type_check(struct gmem_vm *vm, uint32_t type,
			struct gmem_error *err)
{
	int types, readonly;

	if (type == GMEM_VM_UNSET)
		return 0;
	if (vm->ctx.arm64)
		return type == GMEM_VM_DEFAULT
			       ? 0
			       : contradicted(vm, type, "arm64 has no types",
					      err);
	types = gmem__cap(&vm->ctx, vm->fd, GMEM__CAP_VM_TYPES);
	if (types == 0)
		types = 1; /* before 6.8 */
	if (types > 0 && !(types & 1 << gmem__kvm_type(type)))
		return contradicted(vm, type, "this host has no such VMs", err);
	if (has_private_memory(type) && !gmem__may_convert(vm))
		return contradicted(vm, type, "it has no private memory", err);
	if (!has_private_memory(type) && gmem__converts(vm))
		return contradicted(vm, type, "it has private memory", err);
	readonly = gmem__cap(&vm->ctx, vm->fd, GMEM__CAP_READONLY_MEM);
	if (has_protected_state(type) && readonly > 0)
		return contradicted(vm, type, "it can have read-only slots",
				    err);
	if (!has_protected_state(type) && readonly == 0)
		return contradicted(vm, type, "it has no read-only slots", err);
	return 0;
}
