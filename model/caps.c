// SPDX-License-Identifier: MIT
/* What KVM_CHECK_EXTENSION answers, on the device and on a VM. */
#include "model.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define TYPE_SW_PROTECTED 1
#define TYPE_SEV_ES 3
#define TYPE_SNP 4
#define TYPE_TDX 5

bool model__vm_private(const struct vm *vm)
{
	return vm->type == TYPE_SW_PROTECTED || vm->type == TYPE_SNP ||
	       vm->type == TYPE_TDX;
}

bool model__private_built(const struct kernel *k)
{
	return k->types &
	       (1U << TYPE_SW_PROTECTED | 1U << TYPE_SNP | 1U << TYPE_TDX);
}

/* Whether that kernel has guest_memfd for @vm, or for any VM. */
static bool has_guest_memfd(const struct kernel *k, const struct vm *vm)
{
	if (model__has(k, MODEL_MMAP))
		return true;
	return model__private_built(k) && (!vm || model__vm_private(vm));
}

uint64_t model__vm_flags(const struct kernel *k, const struct vm *vm)
{
	if (!model__has(k, MODEL_MMAP))
		return 0;
	if (vm && model__vm_private(vm) && !model__has(k, MODEL_IN_PLACE))
		return GMEM__FLAG_MMAP;
	return GMEM__FLAG_MMAP | GMEM__FLAG_INIT_SHARED |
	       (model__has(k, MODEL_PAGE_ORDER) ? GMEM__ORDER_HUGETLB : 0);
}

uint32_t model__address_spaces(const struct kernel *k, const struct vm *vm)
{
	if (k->machine != GMEM_MODEL_X86)
		return 1;
	return vm && model__vm_private(vm) ? 1 : 2;
}

bool model__readonly(const struct vm *vm)
{
	return !vm || vm->type < TYPE_SEV_ES;
}

static int attributes(const struct kernel *k, const struct vm *vm)
{
	if (model__has(k, MODEL_IN_PLACE) || !model__private_built(k))
		return 0;
	return !vm || model__vm_private(vm) ? (int)GMEM__ATTRIBUTE_PRIVATE : 0;
}

int model__cap(const struct kernel *k, const struct vm *vm, unsigned long cap)
{
	bool arm64 = k->machine == GMEM_MODEL_ARM64;

	switch (cap) {
	case GMEM__CAP_USER_MEMORY:
	case GMEM__CAP_CHECK_EXTENSION_VM:
	case GMEM__CAP_USER_MEMORY2:
		return 1;
	case GMEM__CAP_NR_MEMSLOTS:
		return arm64 ? MODEL_SLOTS_ARM64 : MODEL_SLOTS_X86;
	case GMEM__CAP_READONLY_MEM:
		return model__readonly(vm);
	case GMEM__CAP_MULTI_ADDRESS_SPACE:
		return k->machine == GMEM_MODEL_X86
			       ? (int)model__address_spaces(k, vm)
			       : 0;
	case GMEM__CAP_EXIT_HYPERCALL:
		return arm64 ? 0 : GMEM__HC_MAP_GPA_RANGE_BIT;
	case GMEM__CAP_MEMORY_FAULT_INFO:
		return !arm64;
	case GMEM__CAP_MEMORY_ATTRIBUTES:
		return attributes(k, vm);
	case GMEM__CAP_GUEST_MEMFD:
		return has_guest_memfd(k, vm);
	case GMEM__CAP_VM_TYPES:
		return arm64 ? 0 : (int)k->types;
	case GMEM__CAP_PRE_FAULT_MEMORY:
		return k->machine == GMEM_MODEL_X86;
	case GMEM__CAP_GUEST_MEMFD_FLAGS:
		return (int)model__vm_flags(k, vm);
	default:
		return 0;
	}
}
