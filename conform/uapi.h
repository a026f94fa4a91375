/* SPDX-License-Identifier: MIT */
/*
 * What the cases say to KVM, as their own definitions: the second opinion
 * must not be read out of the first, lib/uapi.h.
 */
#ifndef GMEM_CONFORM_UAPI_H
#define GMEM_CONFORM_UAPI_H

#include <stddef.h>
#include <stdint.h>

/* ioctl numbers: direction, size, type and number as in asm-generic. */
#define UAPI_IO(nr) (0xae00UL | (nr))
#define UAPI_IOW(nr, size) \
	(1UL << 30 | (unsigned long)(size) << 16 | 0xae00UL | (nr))
#define UAPI_IOWR(nr, size) \
	(3UL << 30 | (unsigned long)(size) << 16 | 0xae00UL | (nr))

#define UAPI_KVM_CREATE_VM UAPI_IO(0x01)
#define UAPI_KVM_CHECK_EXTENSION UAPI_IO(0x03)
#define UAPI_KVM_SET_USER_MEMORY_REGION UAPI_IOW(0x46, 32)
#define UAPI_KVM_SET_USER_MEMORY_REGION2 UAPI_IOW(0x49, 160)
#define UAPI_KVM_SET_MEMORY_ATTRIBUTES UAPI_IOW(0xd2, 32)
#define UAPI_KVM_CREATE_GUEST_MEMFD UAPI_IOWR(0xd4, 64)

#define UAPI_CAP_NR_MEMSLOTS 10
#define UAPI_CAP_MULTI_ADDRESS_SPACE 118
#define UAPI_CAP_EXIT_HYPERCALL 201
#define UAPI_CAP_USER_MEMORY2 231
#define UAPI_CAP_MEMORY_FAULT_INFO 232
#define UAPI_CAP_MEMORY_ATTRIBUTES 233
#define UAPI_CAP_GUEST_MEMFD 234
#define UAPI_CAP_VM_TYPES 235
#define UAPI_CAP_PRE_FAULT_MEMORY 236
#define UAPI_CAP_GUEST_MEMFD_FLAGS 244

/* Flags of a guest_memfd; 6.18. */
#define UAPI_FLAG_MMAP (1ULL << 0)
#define UAPI_FLAG_INIT_SHARED (1ULL << 1)

/* Flags of a slot. */
#define UAPI_MEM_LOG_DIRTY_PAGES (1U << 0)
#define UAPI_MEM_READONLY (1U << 1)
#define UAPI_MEM_GUEST_MEMFD (1U << 2)

#define UAPI_ATTRIBUTE_PRIVATE (1ULL << 3)

/* fstatfs(2): since 6.19, and before. */
#define UAPI_MAGIC_GUEST_MEMFD 0x474d454d
#define UAPI_MAGIC_ANON_INODE 0x09041934

#define UAPI_SLOT_MAX_PAGES 0x7fffffffULL

struct uapi_region {   /* kvm_userspace_memory_region */
	uint32_t slot; /* bits 15:0 id, 31:16 address space */
	uint32_t flags;
	uint64_t guest_phys_addr;
	uint64_t memory_size; /* bytes; 0 deletes the slot */
	uint64_t userspace_addr;
};

struct uapi_region2 { /* kvm_userspace_memory_region2 */
	struct uapi_region region;
	uint64_t guest_memfd_offset;
	uint32_t guest_memfd;
	uint32_t pad1;
	uint64_t pad2[14];
};

struct uapi_attributes { /* kvm_memory_attributes */
	uint64_t address;
	uint64_t size;
	uint64_t attributes;
	uint64_t flags;
};

struct uapi_create { /* kvm_create_guest_memfd */
	uint64_t size;
	uint64_t flags;
	uint64_t reserved[6];
};

/* ------------------------------------------------------- not merged -- */

#define UAPI_KVM_SET_MEMORY_ATTRIBUTES2 UAPI_IOWR(0xd2, 128)

struct uapi_attributes2 { /* kvm_memory_attributes2 */
	uint64_t offset;
	uint64_t size;
	uint64_t attributes;
	uint64_t flags;
	uint64_t error_offset; /* out, written only when the call fails */
	uint64_t reserved[11];
};

/* Huge pages, RFC v1 and RFC v2: flags of a guest_memfd. */
#define UAPI_RFC1_HUGETLB (1ULL << 1)
#define UAPI_RFC1_SIZE_SHIFT 26
/* Of 2026: the order of the page is the first reserved byte. */
#define UAPI_ORDER_HUGETLB (1ULL << 2)

_Static_assert(sizeof(struct uapi_region) == 32, "UAPI");
_Static_assert(sizeof(struct uapi_region2) == 160, "UAPI");
_Static_assert(offsetof(struct uapi_region2, guest_memfd) == 40, "UAPI");
_Static_assert(sizeof(struct uapi_attributes) == 32, "UAPI");
_Static_assert(sizeof(struct uapi_create) == 64, "UAPI");
_Static_assert(sizeof(struct uapi_attributes2) == 128, "UAPI");
_Static_assert(offsetof(struct uapi_attributes2, error_offset) == 32, "UAPI");

#endif
