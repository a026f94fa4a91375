/* SPDX-License-Identifier: MIT */
/* Until gmem.h has them: this file goes, with its #includes, on merging. */
#ifndef GMEM_TESTS_VM_PENDING_H
#define GMEM_TESTS_VM_PENDING_H

#define GMEM_REASON_TWO_BACKINGS 80
#define GMEM_REASON_HVA_BOUND 81
#define GMEM_REASON_NO_SHARED_SIDE 98
#define GMEM_ATTRIBUTES_UNBACKED (1ULL << 1)

#endif
