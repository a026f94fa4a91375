// SPDX-License-Identifier: MIT
#include "seam.h"
#include "vm.h"

void *gmem__vm_priv(const struct gmem_vm *vm, const struct gmem_sys *sys)
{
	return vm->ctx.sys == sys ? vm->ctx.priv : NULL;
}
