/* SPDX-License-Identifier: MIT */
/* Huge page sizes and the two unmerged ways to ask for them. */
#ifndef GMEM_LIB_HUGETLB_H
#define GMEM_LIB_HUGETLB_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

#include "uapi.h"

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

/*
 * Adds to @args, which has the size of the file, how @encoding asks for
 * @flags (GMEM_CREATE_*) and pages of @size.  -EOPNOTSUPP: *@lack says which
 * of the flags it does not have.
 */
int gmem__hugetlb_encode(uint32_t encoding, uint64_t base_page, uint64_t size,
			 uint64_t flags, struct gmem__create *args,
			 uint64_t *lack);
/* The encoding that has its own question (GMEM__ORDER_HUGETLB). */
#define GMEM__HUGETLB_ASKED GMEM_HUGETLB_PAGE_ORDER
/* A file of one base page that only a kernel without page_order makes. */
void gmem__hugetlb_question(uint64_t base_page, struct gmem__create *args);
/* Whether this build has the unmerged encodings. */
#ifdef GMEM_WITHOUT_PROPOSED_UAPI
#define GMEM__HUGETLB_BUILT false
#else
#define GMEM__HUGETLB_BUILT true
#endif
/*
 * Whether the kernel's own flag mask, or its answer to the question, rules
 * the encoding out.
 */
bool gmem__hugetlb_contradicted(uint32_t encoding, int flags_cap,
				enum gmem_support answer);

#endif
