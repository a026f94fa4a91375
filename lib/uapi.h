/* SPDX-License-Identifier: MIT */
/*
 * The merged KVM interface for guest_memfd, as our own definitions.
 *
 * Distribution headers are usually older than the running kernel, and newer
 * ones must not clash with ours: hence the GMEM__ names.  Each item carries
 * the first kernel release that has it.  What is not merged is in
 * uapi_proposed.h.
 */
#ifndef GMEM_LIB_UAPI_H
#define GMEM_LIB_UAPI_H

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX < UINT64_MAX
#error "libgmem needs a 64-bit system: the kernel has guest_memfd on no other"
#endif

/* ioctl numbers: direction, size, type and number as in asm-generic. */
#define GMEM__IO(nr) (0xae00UL | (nr))
#define GMEM__IOW(nr, size) \
	(1UL << 30 | (unsigned long)(size) << 16 | 0xae00UL | (nr))
#define GMEM__IOWR(nr, size) \
	(3UL << 30 | (unsigned long)(size) << 16 | 0xae00UL | (nr))

#define GMEM__KVM_GET_API_VERSION GMEM__IO(0x00)
#define GMEM__KVM_CREATE_VM GMEM__IO(0x01)
#define GMEM__KVM_CHECK_EXTENSION GMEM__IO(0x03)
#define GMEM__KVM_SET_USER_MEMORY_REGION GMEM__IOW(0x46, 32)
#define GMEM__KVM_SET_USER_MEMORY_REGION2 GMEM__IOW(0x49, 160) /* 6.8 */
#define GMEM__KVM_ENABLE_CAP GMEM__IOW(0xa3, 104)
#define GMEM__KVM_SET_MEMORY_ATTRIBUTES GMEM__IOW(0xd2, 32) /* 6.8 */
#define GMEM__KVM_CREATE_GUEST_MEMFD GMEM__IOWR(0xd4, 64)   /* 6.8 */

#define GMEM__KVM_API_VERSION 12

/* Capabilities of KVM_CHECK_EXTENSION. */
#define GMEM__CAP_USER_MEMORY 3
#define GMEM__CAP_NR_MEMSLOTS 10
#define GMEM__CAP_READONLY_MEM 81
#define GMEM__CAP_CHECK_EXTENSION_VM 105
#define GMEM__CAP_MULTI_ADDRESS_SPACE 118
#define GMEM__CAP_EXIT_HYPERCALL 201	/* 5.14 */
#define GMEM__CAP_USER_MEMORY2 231	/* 6.8 */
#define GMEM__CAP_MEMORY_FAULT_INFO 232 /* 6.8 */
#define GMEM__CAP_MEMORY_ATTRIBUTES 233 /* 6.8 */
#define GMEM__CAP_GUEST_MEMFD 234	/* 6.8 */
#define GMEM__CAP_VM_TYPES 235		/* 6.8, x86-64 only */
#define GMEM__CAP_PRE_FAULT_MEMORY 236	/* 6.11 */
#define GMEM__CAP_GUEST_MEMFD_FLAGS 244 /* 6.18 */

/* The bit of KVM_CAP_EXIT_HYPERCALL that stands for KVM_HC_MAP_GPA_RANGE. */
#define GMEM__HC_MAP_GPA_RANGE_BIT (1 << 12)

/* kvm_run.exit_reason. */
#define GMEM__EXIT_UNKNOWN 0
#define GMEM__EXIT_HYPERCALL 3
#define GMEM__EXIT_MEMORY_FAULT 39 /* 6.8 */

/* kvm_run.hypercall.nr on x86, and the third argument of that call. */
#define GMEM__HC_MAP_GPA_RANGE 12
#define GMEM__MAP_GPA_PAGE_SIZE 0xfULL /* a hint */
#define GMEM__MAP_GPA_PRIVATE (1ULL << 4)
#define GMEM__MAP_GPA_UNIT 4096 /* bytes that 1 of the second stands for */

struct gmem__enable_cap {
	uint32_t cap;
	uint32_t flags;
	uint64_t args[4];
	uint8_t pad[64];
};
_Static_assert(sizeof(struct gmem__enable_cap) == 104, "UAPI");

/* kvm_run.memory_fault.flags. */
#define GMEM__MEMORY_FAULT_PRIVATE (1ULL << 3)

/* KVM_CREATE_VM on arm64: the argument is the IPA size in bits, or 0. */
#define GMEM__ARM_IPA_BITS_MAX 0xff
#define GMEM__ARM_IPA_BITS 40 /* of 0 */

/* kvm_create_guest_memfd.flags; 6.18. */
#define GMEM__FLAG_MMAP (1ULL << 0)
#define GMEM__FLAG_INIT_SHARED (1ULL << 1)

/* kvm_userspace_memory_region2.flags. */
#define GMEM__MEM_LOG_DIRTY_PAGES (1U << 0)
#define GMEM__MEM_READONLY (1U << 1)
#define GMEM__MEM_GUEST_MEMFD (1U << 2)

/* kvm_memory_attributes.attributes. */
#define GMEM__ATTRIBUTE_PRIVATE (1ULL << 3)

/* fstatfs(2) f_type: own file system since 6.19, before that anon_inodefs. */
#define GMEM__MAGIC_GUEST_MEMFD 0x474d454d
#define GMEM__MAGIC_TMPFS 0x01021994
#define GMEM__MAGIC_HUGETLBFS 0x958458f6
#define GMEM__MAGIC_ANON_INODE 0x09041934

/* Of cgroups, version 2. */
#define GMEM__MAGIC_CGROUP2 0x63677270

/* A slot holds at most 2^31 - 1 pages. */
#define GMEM__SLOT_MAX_PAGES 0x7fffffffULL

struct gmem__region {  /* kvm_userspace_memory_region */
	uint32_t slot; /* bits 15:0 id, 31:16 address space */
	uint32_t flags;
	uint64_t guest_phys_addr;
	uint64_t memory_size; /* bytes; 0 deletes the slot */
	uint64_t userspace_addr;
};

struct gmem__region2 { /* kvm_userspace_memory_region2 */
	struct gmem__region region;
	uint64_t guest_memfd_offset;
	uint32_t guest_memfd; /* (uint32_t)-1 = none */
	uint32_t pad1;	      /* the kernel does not check these: */
	uint64_t pad2[14];    /* always zero, later kernels will read them */
};

struct gmem__attributes { /* kvm_memory_attributes */
	uint64_t address;
	uint64_t size;
	uint64_t attributes;
	uint64_t flags; /* 0 */
};

struct gmem__create { /* kvm_create_guest_memfd */
	uint64_t size;
	uint64_t flags;
	uint64_t reserved[6]; /* not checked either: always zero */
};

/* Where kvm_run has its exit_reason, and what follows from it. */
#define GMEM__RUN_EXIT_REASON 8
#define GMEM__RUN_EXIT 32
#define GMEM__RUN_EXIT_S390 48

struct gmem__memory_fault { /* kvm_run.memory_fault */
	uint64_t flags;
	uint64_t gpa;
	uint64_t size;
};

struct gmem__hypercall { /* kvm_run.hypercall */
	uint64_t nr;
	uint64_t args[6];
	uint64_t ret; /* in: what the guest gets */
	uint64_t flags;
};

_Static_assert(sizeof(struct gmem__memory_fault) == 24, "UAPI");
_Static_assert(sizeof(struct gmem__hypercall) == 72, "UAPI");
_Static_assert(offsetof(struct gmem__hypercall, ret) == 56, "UAPI");
_Static_assert(sizeof(struct gmem__region) == 32, "UAPI");
_Static_assert(offsetof(struct gmem__region, userspace_addr) == 24, "UAPI");
_Static_assert(sizeof(struct gmem__region2) == 160, "UAPI");
_Static_assert(offsetof(struct gmem__region2, guest_memfd_offset) == 32,
	       "UAPI");
_Static_assert(offsetof(struct gmem__region2, guest_memfd) == 40, "UAPI");
_Static_assert(offsetof(struct gmem__region2, pad2) == 48, "UAPI");
_Static_assert(sizeof(struct gmem__attributes) == 32, "UAPI");
_Static_assert(sizeof(struct gmem__create) == 64, "UAPI");
_Static_assert(offsetof(struct gmem__create, reserved) == 16, "UAPI");
_Static_assert(GMEM__KVM_SET_USER_MEMORY_REGION == 0x4020ae46, "UAPI");
_Static_assert(GMEM__KVM_SET_USER_MEMORY_REGION2 == 0x40a0ae49, "UAPI");
_Static_assert(GMEM__KVM_ENABLE_CAP == 0x4068aea3, "UAPI");
_Static_assert(GMEM__KVM_SET_MEMORY_ATTRIBUTES == 0x4020aed2, "UAPI");
_Static_assert(GMEM__KVM_CREATE_GUEST_MEMFD == 0xc040aed4, "UAPI");

#endif
