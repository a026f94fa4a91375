// SPDX-License-Identifier: MIT
#include "seam.h"
#include "vm.h"

void *gmem__vm_priv(const struct gmem_vm *vm, const struct gmem_sys *sys)
{
	return vm->ctx.sys == sys ? vm->ctx.priv : NULL;
}

const struct gmem_sys *gmem__vm_sys(const struct gmem_vm *vm, void **priv)
{
	*priv = vm->ctx.priv;
	return vm->ctx.sys;
}

int gmem__vm_swap_fd(struct gmem_vm *vm, int fd)
{
	int own = vm->fd;

	vm->fd = fd;
	return own;
}
