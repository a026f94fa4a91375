/* SPDX-License-Identifier: MIT */
/* What kind a passed descriptor is, and which type of VM. */
#ifndef GMEM_LIB_VM_KIND_H
#define GMEM_LIB_VM_KIND_H

#include <stdint.h>

#include <gmem.h>

/* What KVM_CREATE_VM and the bits of KVM_CAP_VM_TYPES call @type. */
static inline uint32_t gmem__kvm_type(uint32_t type)
{
	return type == GMEM_VM_UNSET ? 0 : type - GMEM_VM_DEFAULT;
}

/* Whether @vm->fd is a VM of this process; nothing waits for a vCPU. */
int gmem__vm_verify(struct gmem_vm *vm, struct gmem_error *err);
/* Refuses a type that contradicts the answers of the VM. */
int gmem__vm_type_check(struct gmem_vm *vm, uint32_t type,
			struct gmem_error *err);

#endif
