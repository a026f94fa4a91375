// SPDX-License-Identifier: MIT
/* What a VM can do: one line a feature. */
#include <errno.h>

#include "enter.h"
#include "error.h"
#include "feature.h"
#include "macros.h"
#include "opts.h"
#include "probe.h"
#include "uapi.h"
#include "vm.h"

/* clang-format off */
#define CAP(nr) "KVM_CHECK_EXTENSION(" #nr ")"
#define HUGE_TRIED_BY "each size tried on a scratch file"

static const struct {
	const char *name, *since, *known_by;
	struct gmem__feature (*probe)(struct gmem__scratch *s, uint64_t arg);
	uint64_t arg;
} table[] = {
	[GMEM_FEATURE_USER_MEMORY2] = {
		"user-memory2", "6.8", CAP(231), gmem__probe_cap,
		GMEM__CAP_USER_MEMORY2,
	},
	[GMEM_FEATURE_GUEST_MEMFD] = {
		"guest-memfd", "6.8", CAP(234), gmem__probe_cap,
		GMEM__CAP_GUEST_MEMFD,
	},
	[GMEM_FEATURE_MMAP] = {
		"mmap", "6.18", CAP(244) " & 1", gmem__probe_create_flag,
		GMEM__FLAG_MMAP,
	},
	[GMEM_FEATURE_INIT_SHARED] = {
		"init-shared", "6.18", CAP(244) " & 2", gmem__probe_create_flag,
		GMEM__FLAG_INIT_SHARED,
	},
	[GMEM_FEATURE_VM_ATTRIBUTES] = {
		"vm-attributes", "6.8", CAP(233) " & 8", gmem__probe_vm_attributes, 0,
	},
	[GMEM_FEATURE_FILE_ATTRIBUTES] = {
		"file-attributes", NULL,
		"the ioctl tried on a scratch file",
		gmem__probe_file_attributes, 0,
	},
	[GMEM_FEATURE_MEMORY_FAULT_EXIT] = {
		"memory-fault-exit", "6.8", CAP(232),
		gmem__probe_memory_fault, GMEM__CAP_MEMORY_FAULT_INFO,
	},
	[GMEM_FEATURE_MAP_GPA_RANGE_EXIT] = {
		"map-gpa-range-exit", "5.14", CAP(201) " & 4096",
		gmem__probe_map_gpa_range, GMEM__CAP_EXIT_HYPERCALL,
	},
	[GMEM_FEATURE_PRE_FAULT] = {
		"pre-fault", "6.11", CAP(236), gmem__probe_cap,
		GMEM__CAP_PRE_FAULT_MEMORY,
	},
	[GMEM_FEATURE_MEMPOLICY] = {
		"mempolicy", "6.19",
		"mbind, read by a second mapping",
		gmem__probe_mempolicy, 0,
	},
	[GMEM_FEATURE_RESIDENCY] = {
		"residency", "6.8", "cachestat tried on a scratch file",
		gmem__probe_residency, 0,
	},
	[GMEM_FEATURE_HUGETLB] = {
		"hugetlb", NULL, CAP(244) " names none",
		gmem__probe_hugetlb, 0,
	},
	[GMEM_FEATURE_VM_DEFAULT] = {
		"vm-default", "2.6.20", CAP(235) " & 1", gmem__probe_vm_type,
		GMEM_VM_DEFAULT,
	},
	[GMEM_FEATURE_VM_SW_PROTECTED] = {
		"vm-sw-protected", "6.8", CAP(235) " & 2", gmem__probe_vm_type,
		GMEM_VM_SW_PROTECTED,
	},
	[GMEM_FEATURE_VM_SEV] = {
		"vm-sev", "6.10", CAP(235) " & 4", gmem__probe_vm_type, GMEM_VM_SEV,
	},
	[GMEM_FEATURE_VM_SEV_ES] = {
		"vm-sev-es", "6.10", CAP(235) " & 8", gmem__probe_vm_type,
		GMEM_VM_SEV_ES,
	},
	[GMEM_FEATURE_VM_SNP] = {
		"vm-snp", "6.11", CAP(235) " & 16", gmem__probe_vm_type, GMEM_VM_SNP,
	},
	[GMEM_FEATURE_VM_TDX] = {
		"vm-tdx", "6.16", CAP(235) " & 32", gmem__probe_vm_type, GMEM_VM_TDX,
	},
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(table) <= GMEM__FEATURES_MAX, "room for all");

/* A temporary shortage: no scratch file could be made. */
static int shortage(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM ? r : 0;
}

int gmem__probe(struct gmem_vm *vm)
{
	const struct gmem__feature *f = vm->features;
	struct gmem__scratch s;

	gmem__scratch_open(&s, vm);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		vm->features[i] = table[i].probe(&s, table[i].arg);
	gmem__scratch_close(&s);
	if (f[GMEM_FEATURE_GUEST_MEMFD].support != GMEM_YES)
		return 0;
	/* How memory converts must be known. */
	return shortage(f[GMEM_FEATURE_FILE_ATTRIBUTES].answer);
}

#define INFO_V0 40

_Static_assert(sizeof(struct gmem_feature_info) == INFO_V0, "ABI");

int gmem_vm_has(const struct gmem_vm *vm, uint32_t feature)
{
	return gmem__vm_enter(vm, NULL) == 0 && feature < ARRAY_SIZE(table) &&
	       gmem__has(vm, feature);
}

int gmem_vm_feature(const struct gmem_vm *vm, uint32_t feature,
		    struct gmem_feature_info *info, struct gmem_error *err)
{
	struct gmem_feature_info i = { .sz = sizeof(i) };
	int r = gmem__vm_enter(vm, err);

	if (r < 0)
		return r;
	r = gmem__out_check(info, INFO_V0, "gmem_feature_info", err);
	if (r < 0)
		return r;
	if (feature >= ARRAY_SIZE(table))
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, feature,
				  ARRAY_SIZE(table),
				  "feature %u is past the last of %zu", feature,
				  ARRAY_SIZE(table));
	i.name = table[feature].name;
	i.since = table[feature].since;
	i.known_by = table[feature].known_by;
	if (vm->ctx.arm64)
		gmem__feature_on_arm64(feature, &i);
	if (feature == GMEM_FEATURE_HUGETLB && vm->encoding)
		i.known_by = HUGE_TRIED_BY;
	i.support = vm->features[feature].support;
	i.answer = vm->features[feature].answer;
	gmem__out_copy(info, &i, sizeof(i));
	return 0;
}

int gmem_vm_hugetlb_sizes(const struct gmem_vm *vm, uint64_t *sizes,
			  struct gmem_error *err)
{
	int r = gmem__vm_enter(vm, err);

	if (r < 0)
		return r;
	if (!sizes)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "sizes is NULL");
	*sizes = vm->hugetlb_sizes;
	return 0;
}
