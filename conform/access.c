// SPDX-License-Identifier: MIT
/* Which memory a guest's access meets, and the exits it makes. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "case.h"

#define GPA 0x100000ULL
#define PRIVATE UAPI_ATTRIBUTE_PRIVATE
#define UNKNOWN 0
#define MMIO 6
#define MEMORY_FAULT 39

static unsigned char *memory(struct conform *c, int byte)
{
	void *p;

	if (c_mmap(c, &p, PAGES * c->page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0)
		return NULL;
	return memset(p, byte, PAGES * c->page);
}

/* @fd in fd mode at GPA, with @other as userspace_addr. */
static int bind_over(struct conform *c, int vm, int fd, void *other)
{
	struct uapi_region2 r = {
		.region = {
			.flags = UAPI_MEM_GUEST_MEMFD,
			.guest_phys_addr = GPA,
			.memory_size = PAGES * c->page,
			.userspace_addr = (uintptr_t)other,
		},
		.guest_memfd = (uint32_t)fd,
	};

	return c_region2(c, vm, &r);
}

/* Ends the case unless the guest reads this byte at GPA. */
#define GUEST_READS(vm, want)                        \
	do {                                         \
		unsigned char read_ = (want) ^ 0xff; \
                                                     \
		IS(c_load(c, vm, GPA, &read_), 0);   \
		IS(read_, want);                     \
	} while (0)

static void from_the_file(struct conform *c)
{
	int vm = c_vm(c, 0);
	int fd = c_create(c, vm, PAGES * c->page, SHARED);
	unsigned char *p, *other = memory(c, 0xee);

	IS(c_view(c, fd, &p), 0);
	p[0] = 0x11;
	IS(bind_over(c, vm, fd, other), 0);
	GUEST_READS(vm, 0x11);
	IS(c_store(c, vm, GPA + c->page, 0x22), 0);
	IS(p[c->page], 0x22);
	IS(other[c->page], 0xee);
	PAGES_ARE(fd, 2);
}

/* On a page that it comes to first by that, and on one that it has written. */
static void code_from_the_file(struct conform *c)
{
	int vm = c_vm(c, 0);
	int fd = c_create(c, vm, PAGES * c->page, SHARED);
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	IS(bind_over(c, vm, fd, p), 0);
	IS(c_fetch(c, vm, GPA, p), 0);
	IS(c_store(c, vm, GPA + c->page, 0x22), 0);
	IS(c_fetch(c, vm, GPA + c->page, p + c->page), 0);
	PAGES_ARE(fd, 2);
}

static void from_userspace_addr(struct conform *c)
{
	int vm = c_vm(c, 0), fd = c_create(c, vm, PAGES * c->page, 0);
	unsigned char *other = memory(c, 0xee);

	IS(bind_over(c, vm, fd, other), 0);
	GUEST_READS(vm, 0xee);
	PAGES_ARE(fd, 0);
}

static void host_cannot_see(struct conform *c)
{
	int vm = c_vm(c, 0);
	int fd = c_create(c, vm, PAGES * c->page, UAPI_FLAG_MMAP);
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	IS(bind_over(c, vm, fd, p), 0);
	IS(c_store(c, vm, GPA, 0x33), 0);
	GUEST_READS(vm, 0x33);
	IS(c_touch(p, false), 2);
}

static void two_backings(struct conform *c)
{
	int vm = c_vm(c, 1), fd = c_create(c, vm, PAGES * c->page, 0);
	unsigned char *other = memory(c, 0xee);

	IS(bind_over(c, vm, fd, other), 0);
	GUEST_READS(vm, 0xee);
	IS(c_attributes(c, vm, GPA, c->page, PRIVATE), 0);
	GUEST_READS(vm, 0);
	IS(c_store(c, vm, GPA, 0x44), 0);
	IS(other[0], 0xee);
	/* nothing is copied or freed */
	IS(c_attributes(c, vm, GPA, c->page, 0), 0);
	GUEST_READS(vm, 0xee);
	PAGES_ARE(fd, 1);
	IS(c_attributes(c, vm, GPA, c->page, PRIVATE), 0);
	GUEST_READS(vm, 0x44);
}

static void shared_from_a_mappable_file(struct conform *c)
{
	int vm = c_vm(c, 1);
	int fd = c_create(c, vm, PAGES * c->page, UAPI_FLAG_MMAP);
	unsigned char *other = memory(c, 0xee);

	IS(bind_over(c, vm, fd, other), 0);
	GUEST_READS(vm, 0);
	PAGES_ARE(fd, 1);
}

static void after_a_punch(struct conform *c)
{
	int vm = c_vm(c, 0);
	int fd = c_create(c, vm, PAGES * c->page, SHARED);
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	IS(bind_over(c, vm, fd, p), 0);
	IS(c_store(c, vm, GPA, 0x55), 0);
	IS(c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0,
		       c->page),
	   0);
	GUEST_READS(vm, 0);
}

static void closed_file(struct conform *c)
{
	int vm = c_vm(c, 0);
	int fd = c_create(c, vm, PAGES * c->page, SHARED);
	unsigned char byte, *other = memory(c, 0xee);

	IS(bind_over(c, vm, fd, other), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(c_close(c, fd), 0);
	IS(c_load(c, vm, GPA + c->page + 5, &byte), -EFAULT);
	IS(c_exit_reason(c), MEMORY_FAULT);
	IS(c_exit_word(c, 32), 0);
	IS(c_exit_word(c, 40), GPA + c->page);
	IS(c_exit_word(c, 48), c->page);
	IS(c_load(c, vm, GPA + c->page + 5, &byte), -EFAULT);
	IS(c_delete(c, vm, 0), 0);
}

static void private_without_a_file(struct conform *c)
{
	struct uapi_region2 r = {
		.region = { .guest_phys_addr = GPA,
			    .memory_size = c->page,
			    .userspace_addr = (uintptr_t)memory(c, 0xee) },
		.guest_memfd = UINT32_MAX,
	};
	unsigned char byte;
	int vm = c_vm(c, 1);

	IS(c_region2(c, vm, &r), 0);
	IS(c_attributes(c, vm, GPA, c->page, PRIVATE), 0);
	IS(c_load(c, vm, GPA, &byte), -EFAULT);
	IS(c_exit_reason(c), MEMORY_FAULT);
	IS(c_exit_word(c, 32), PRIVATE);
	IS(c_exit_word(c, 40), GPA);
	IS(c_exit_word(c, 48), c->page);
	IS(c_attributes(c, vm, GPA, c->page, 0), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
}

static void attributes_outlive_the_slot(struct conform *c)
{
	int vm = c_vm(c, 1), fd = c_create(c, vm, PAGES * c->page, 0);
	unsigned char *other = memory(c, 0xee);

	IS(bind_over(c, vm, fd, other), 0);
	IS(c_attributes(c, vm, GPA, c->page, PRIVATE), 0);
	IS(c_delete(c, vm, 0), 0);
	IS(bind_over(c, vm, fd, other), 0);
	GUEST_READS(vm, 0);
}

static void bad_userspace_addr(struct conform *c)
{
	int vm = c_vm(c, 1), fd = c_create(c, vm, PAGES * c->page, 0);
	unsigned char byte;

	/* no exit: there is nothing that the VMM could convert */
	IS(bind_over(c, vm, fd, NULL), 0);
	IS(c_load(c, vm, GPA, &byte), -EFAULT);
	IS(c_exit_reason(c), UNKNOWN);
}

static void kvm_by_address(struct conform *c)
{
	int vm = c_vm(c, 0);
	int fd = c_create(c, vm, PAGES * c->page, SHARED);
	unsigned char *p, byte = 0, *other = memory(c, 0xee);

	IS(c_view(c, fd, &p), 0);
	p[0] = 0x11;
	p[c->page] = 0x11;
	IS(bind_over(c, vm, fd, other), 0);
	IS(c_kvm_load(c, vm, GPA, &byte), 0);
	IS(byte, 0xee);
	IS(c_kvm_store(c, vm, GPA + c->page, 0x22), 0);
	IS(other[c->page], 0x22);
	IS(p[c->page], 0x11);
}

static void kvm_on_private(struct conform *c)
{
	int vm = c_vm(c, 1), fd = c_create(c, vm, PAGES * c->page, 0);
	unsigned char byte = 0, *other = memory(c, 0xee);

	/* in place it begins as such */
	if (c->have & NEED_BY_GPA)
		IS(c_attributes(c, vm, GPA, PAGES * c->page, PRIVATE), 0);
	IS(bind_over(c, vm, fd, other), 0);
	IS(c_kvm_load(c, vm, GPA, &byte), 0);
	IS(byte, 0xee);
	IS(c_kvm_store(c, vm, GPA, 0x33), 0);
	IS(other[0], 0x33);
	PAGES_ARE(fd, 0);
}

static void kvm_finds_no_memory(struct conform *c)
{
	int fd = c_file(c);
	unsigned char byte = 0xff;
	void *none;

	IS(c_mmap(c, &none, PAGES * c->page, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	   0);
	IS(bind_over(c, c->vm, fd, none), 0);
	IS(c_kvm_store(c, c->vm, GPA + 5, 0x44), -EPROTO);
	IS(c_exit_reason(c), MMIO);
	IS(c_exit_word(c, 32), GPA + 5);
	IS(c_kvm_load(c, c->vm, GPA + c->page + 7, &byte), -EPROTO);
	IS(c_exit_reason(c), MMIO);
	IS(c_exit_word(c, 32), GPA + c->page + 7);
	PAGES_ARE(fd, 0);
}

#define LOW (16UL << 20) /* an address of this process, low enough */

static void kvm_at_address_zero(struct conform *c)
{
	struct uapi_region2 r = {
		.region = { .flags = UAPI_MEM_GUEST_MEMFD,
			    .guest_phys_addr = GPA,
			    .memory_size = LOW + c->page },
	};
	unsigned char byte = 0, written;
	volatile unsigned char *own;
	int loaded, stored;

	r.guest_memfd = (uint32_t)c_create(c, c->vm, LOW + c->page, c->flags);
	IS(c_region2(c, c->vm, &r), 0);
	own = mmap((void *)LOW, c->page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	IS((uintptr_t)own, LOW);
	own[0] = 0x55;
	loaded = c_kvm_load(c, c->vm, GPA + LOW, &byte);
	stored = c_kvm_store(c, c->vm, GPA + LOW, 0x66);
	written = own[0];
	(void)munmap((void *)LOW, c->page);
	IS(loaded, 0);
	IS(byte, 0x55);
	IS(stored, 0);
	IS(written, 0x66);
}

const struct conform_case access_cases[] = {
	{ "guest: MMAP and INIT_SHARED run from the file", "from_the_file",
	  NEED_MMAP | NEED_PAGING, from_the_file },
	{ "guest: arm64 gets instructions from the file; "
	  "trap: code on a page that was written",
	  "code_from_the_file", NEED_MMAP | NEED_VCPU | NEED_ARM64,
	  code_from_the_file },
	{ "guest: flags 0 run from userspace_addr; trap: flags 0",
	  "from_userspace_addr",
	  NEED_MMAP | NEED_PAGING | NEED_X86 | NEED_MERGED,
	  from_userspace_addr },
	{ "guest: MMAP alone; trap: MMAP without INIT_SHARED",
	  "host_cannot_see", NEED_MMAP | NEED_PAGING, host_cannot_see },
	{ "guest: private from the file, shared from userspace_addr; "
	  "attributes: conversion",
	  "two_backings", NEED_PRIVATE | NEED_BY_GPA | NEED_PAGING,
	  two_backings },
	{ "guest: MMAP on a private VM; trap: MMAP on a private VM",
	  "shared_from_a_mappable_file",
	  NEED_MMAP | NEED_PRIVATE | NEED_BY_GPA | NEED_PAGING,
	  shared_from_a_mappable_file },
	{ "fallocate: punching under the guest", "after_a_punch",
	  NEED_MMAP | NEED_PAGING, after_a_punch },
	{ "slot: its file was closed; exit: no page to be had; trap: EFAULT",
	  "closed_file", NEED_MMAP | NEED_PAGING, closed_file },
	{ "exit: private without a guest_memfd", "private_without_a_file",
	  NEED_PRIVATE | NEED_BY_GPA | NEED_PAGING, private_without_a_file },
	{ "attributes: outlive slots", "attributes_outlive_the_slot",
	  NEED_PRIVATE | NEED_BY_GPA | NEED_PAGING,
	  attributes_outlive_the_slot },
	{ "exit: bad userspace_addr", "bad_userspace_addr",
	  NEED_PRIVATE | NEED_BY_GPA | NEED_PAGING, bad_userspace_addr },
	{ "guest: KVM's own accesses; trap: KVM's own accesses",
	  "kvm_by_address", NEED_MMAP | NEED_X86, kvm_by_address },
	{ "guest: KVM's own accesses to private memory; "
	  "trap: KVM's own accesses",
	  "kvm_on_private", NEED_PRIVATE | NEED_X86, kvm_on_private },
	{ "exit: KVM's own access finds no memory", "kvm_finds_no_memory",
	  NEED_GMEM | NEED_X86, kvm_finds_no_memory },
	{ "guest: KVM's own accesses; trap: userspace_addr 0",
	  "kvm_at_address_zero", NEED_GMEM | NEED_X86, kvm_at_address_zero },
	{ 0 },
};
