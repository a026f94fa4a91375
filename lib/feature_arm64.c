// SPDX-License-Identifier: MIT
/* How the features differ on arm64: the first kernel, and how it is known. */
#include <stddef.h>

#include "feature.h"
#include "macros.h"

static const struct {
	uint32_t feature;
	const char *since;    /* NULL: no kernel has it there */
	const char *known_by; /* NULL: as elsewhere */
} rows[] = {
	{ GMEM_FEATURE_GUEST_MEMFD, "6.18", NULL },
	{ GMEM_FEATURE_VM_ATTRIBUTES, NULL, NULL },
	{ GMEM_FEATURE_MEMORY_FAULT_EXIT, "6.18", "KVM_CHECK_EXTENSION(234)" },
	{ GMEM_FEATURE_MAP_GPA_RANGE_EXIT, NULL, NULL },
	{ GMEM_FEATURE_PRE_FAULT, NULL, NULL },
	{ GMEM_FEATURE_RESIDENCY, "6.18", NULL },
	{ GMEM_FEATURE_VM_DEFAULT, "3.11", "the only type on arm64" },
	{ GMEM_FEATURE_VM_SW_PROTECTED, NULL, NULL },
	{ GMEM_FEATURE_VM_SEV, NULL, NULL },
	{ GMEM_FEATURE_VM_SEV_ES, NULL, NULL },
	{ GMEM_FEATURE_VM_SNP, NULL, NULL },
	{ GMEM_FEATURE_VM_TDX, NULL, NULL },
};

void gmem__feature_on_arm64(uint32_t feature, struct gmem_feature_info *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].feature != feature)
			continue;
		info->since = rows[i].since;
		if (rows[i].known_by)
			info->known_by = rows[i].known_by;
	}
}
