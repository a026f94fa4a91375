// SPDX-License-Identifier: MIT
/* Which kernels there are, as data. */
#include <string.h>

#include "macros.h"
#include "model.h"

#define TYPES(last) ((2U << (last)) - 1)
#define RULES_6_18 MODEL_MMAP
#define RULES_6_19 (RULES_6_18 | MODEL_OWN_INODE)
#define RULES_7_2                                               \
	(RULES_6_19 | MODEL_RANGE_EEXIST | MODEL_OFFSET_CHECK | \
	 MODEL_MASK_ONLINE)
#define RULES_7_3 (RULES_7_2 | MODEL_LIMIT_FIRST)

static const struct profile profiles[] = {
	{ "6.12", "6.12.107 built with private memory",
	  "private files on VMs with private memory", 612, 0, TYPES(4) },
	{ "6.18",
	  "6.18.44 without two-dimensional paging; 6.18.15 on x86-64 and arm64",
	  "mmap, init-shared, every VM type; policies are ignored", 618,
	  RULES_6_18, TYPES(5) },
	{ "6.19", "6.19.14 on x86-64 and arm64",
	  "its own inodes; policies are obeyed", 619, RULES_6_19, TYPES(5) },
	{ "7.2", "7.2.13 on x86-64", "EEXIST for a range bound twice", 702,
	  RULES_7_2, TYPES(5) },
	{ "7.3", "7.3.4 on x86-64, also built with private memory, and arm64",
	  "a limit of the machine wins over a range bound twice", 703,
	  RULES_7_3, TYPES(5) },
	{ "inplace", "7.3-inplace, 7.3.4 with the queued conversion",
	  "7.3 with KVM_SET_MEMORY_ATTRIBUTES2 as queued in 2026", 704,
	  RULES_7_3 | MODEL_IN_PLACE, TYPES(5) },
	{ "hugetlb-rfc1", NULL, "6.12 with huge pages as posted 2024-09-11",
	  612, MODEL_RFC1, TYPES(4) },
	{ "hugetlb-page-order", NULL,
	  "inplace with huge pages by page_order, of a tree of 2026", 704,
	  RULES_7_3 | MODEL_IN_PLACE | MODEL_PAGE_ORDER, TYPES(5) },
};

const struct profile *model__profile_at(uint32_t index)
{
	return index < ARRAY_SIZE(profiles) ? &profiles[index] : NULL;
}

const struct profile *model__profile_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++)
		if (!strcmp(profiles[i].name, name))
			return &profiles[i];
	return NULL;
}
