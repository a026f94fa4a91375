/* SPDX-License-Identifier: MIT */
/* Huge page sizes and the two unmerged ways to ask for them. */
#ifndef GMEM_LIB_HUGETLB_H
#define GMEM_LIB_HUGETLB_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

/* 64 KiB 512 KiB 1 MiB 2 MiB 8 MiB 16 MiB 32 MiB 256 MiB 512 MiB 1, 2, 16 GiB
 */
#define GMEM__HUGETLB_SIZES                                               \
	(1ULL << 16 | 1ULL << 19 | 1ULL << 20 | 1ULL << 21 | 1ULL << 23 | \
	 1ULL << 24 | 1ULL << 25 | 1ULL << 28 | 1ULL << 29 | 1ULL << 30 | \
	 1ULL << 31 | 1ULL << 34)

/* Whether some processor has huge pages of this size. */
static inline bool gmem__hugetlb_known(uint64_t size)
{
	return size && !(size & (size - 1)) && (size & GMEM__HUGETLB_SIZES);
}

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
