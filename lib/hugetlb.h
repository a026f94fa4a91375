/* SPDX-License-Identifier: MIT */
/* Huge page sizes and the two unmerged ways to ask for them. */
#ifndef GMEM_LIB_HUGETLB_H
#define GMEM_LIB_HUGETLB_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

int gmem__hugetlb_flags(uint32_t encoding, uint64_t size, uint64_t flags,
			uint64_t *kernel_flags);
/* Whether this build has the unmerged encodings. */
#ifdef GMEM_WITHOUT_PROPOSED_UAPI
#define GMEM__HUGETLB_BUILT false
#else
#define GMEM__HUGETLB_BUILT true
#endif
/* Whether the kernel's own flag mask rules the encoding out. */
bool gmem__hugetlb_contradicted(uint32_t encoding, int flags_cap);

#endif
