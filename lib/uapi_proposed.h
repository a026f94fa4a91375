/* SPDX-License-Identifier: MIT */
/*
 * Interfaces that no released kernel has: posted or queued, not merged.
 *
 * Numbers of unmerged series collide with one another and with mainline, so
 * nothing here is ever used on a kernel's word alone: in-place conversion is
 * tried on a scratch file when a VM is opened, a huge-page encoding is used
 * only when the caller names it.
 */
#ifndef GMEM_LIB_UAPI_PROPOSED_H
#define GMEM_LIB_UAPI_PROPOSED_H

#include "uapi.h"

/*
 * In-place conversion: KVM_SET_MEMORY_ATTRIBUTES2 on the guest_memfd.
 * Queued in the kvm-x86 tree by 2026-09, expected in 7.4.  The capability
 * number is not final: the library tries the ioctl and asks no capability.
 */
#define GMEM__KVM_SET_MEMORY_ATTRIBUTES2 GMEM__IOWR(0xd2, 128)

struct gmem__attributes2 { /* kvm_memory_attributes2 */
	uint64_t offset;
	uint64_t size;
	uint64_t attributes;
	uint64_t flags;	       /* 0 */
	uint64_t error_offset; /* out, written only when the call fails */
	uint64_t reserved[11]; /* 0; checked */
};

_Static_assert(sizeof(struct gmem__attributes2) == 128, "UAPI");
_Static_assert(offsetof(struct gmem__attributes2, error_offset) == 32, "UAPI");
_Static_assert(GMEM__KVM_SET_MEMORY_ATTRIBUTES2 == 0xc080aed2, "UAPI");

/*
 * Huge pages, RFC v1 (2024-09-11): no capability; bit 1 is what mainline
 * later made INIT_SHARED.
 */
#define GMEM__RFC1_HUGETLB (1ULL << 1)
#define GMEM__RFC1_SIZE_SHIFT 26

/*
 * Huge pages, page_order (2026): the first reserved byte of the arguments is
 * the order of the page, in base pages.  Such a kernel takes no order without
 * the flag, where all others ignore that byte: this tells its bit 2 from
 * NO_DIRECT_MAP, which was posted with the same one.
 */
#define GMEM__ORDER_HUGETLB (1ULL << 2)

#endif
