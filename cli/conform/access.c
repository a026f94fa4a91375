// SPDX-License-Identifier: MIT
/* Which memory a guest's access meets, and the exits it makes. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "conform.h"

#define GPA 0x100000ULL
#define PRIVATE GMEM__ATTRIBUTE_PRIVATE
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
	struct gmem__region2 r = {
		.region = {
			.flags = GMEM__MEM_GUEST_MEMFD,
			.guest_phys_addr = GPA,
			.memory_size = PAGES * c->page,
			.userspace_addr = (uintptr_t)other,
		},
		.guest_memfd = (uint32_t)fd,
	};

	return c_region2(c, vm, &r);
}

static void from_the_file(struct conform *c)
{
	int vm = c_vm(c, 0);
	int fd = c_create(c, vm, PAGES * c->page, SHARED);
	unsigned char *p, byte = 0, *other = memory(c, 0xee);

	IS(c_view(c, fd, &p), 0);
	p[0] = 0x11;
	IS(bind_over(c, vm, fd, other), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(byte, 0x11);
	IS(c_store(c, vm, GPA + c->page, 0x22), 0);
	IS(p[c->page], 0x22);
	IS(other[c->page], 0xee);
	IS(c_resident(c, fd, 0, 0), 2);
}

static void from_userspace_addr(struct conform *c)
{
	int vm = c_vm(c, 0), fd = c_create(c, vm, PAGES * c->page, 0);
	unsigned char byte = 0, *other = memory(c, 0xee);

	IS(bind_over(c, vm, fd, other), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(byte, 0xee);
	IS(c_resident(c, fd, 0, 0), 0);
}

static void host_cannot_see(struct conform *c)
{
	int vm = c_vm(c, 0);
	int fd = c_create(c, vm, PAGES * c->page, GMEM__FLAG_MMAP);
	unsigned char *p, byte = 0;

	IS(c_view(c, fd, &p), 0);
	IS(bind_over(c, vm, fd, p), 0);
	IS(c_store(c, vm, GPA, 0x33), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(byte, 0x33);
	IS(c_touch(p, false), 2);
}

static void two_backings(struct conform *c)
{
	int vm = c_vm(c, 1), fd = c_create(c, vm, PAGES * c->page, 0);
	unsigned char byte = 0, *other = memory(c, 0xee);

	IS(bind_over(c, vm, fd, other), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(byte, 0xee);
	IS(c_attributes(c, vm, GPA, c->page, PRIVATE), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(byte, 0);
	IS(c_store(c, vm, GPA, 0x44), 0);
	IS(other[0], 0xee);
	/* nothing is copied or freed */
	IS(c_attributes(c, vm, GPA, c->page, 0), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(byte, 0xee);
	IS(c_resident(c, fd, 0, 0), 1);
	IS(c_attributes(c, vm, GPA, c->page, PRIVATE), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(byte, 0x44);
}

static void shared_from_a_mappable_file(struct conform *c)
{
	int vm = c_vm(c, 1);
	int fd = c_create(c, vm, PAGES * c->page, GMEM__FLAG_MMAP);
	unsigned char byte = 0xff, *other = memory(c, 0xee);

	IS(bind_over(c, vm, fd, other), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(byte, 0);
	IS(c_resident(c, fd, 0, 0), 1);
}

static void after_a_punch(struct conform *c)
{
	int vm = c_vm(c, 0);
	int fd = c_create(c, vm, PAGES * c->page, SHARED);
	unsigned char byte = 0xff, *p;

	IS(c_view(c, fd, &p), 0);
	IS(bind_over(c, vm, fd, p), 0);
	IS(c_store(c, vm, GPA, 0x55), 0);
	IS(c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0,
		       c->page),
	   0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(byte, 0);
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
	struct gmem__region2 r = {
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
	unsigned char byte, *other = memory(c, 0xee);

	IS(bind_over(c, vm, fd, other), 0);
	IS(c_attributes(c, vm, GPA, c->page, PRIVATE), 0);
	IS(c_delete(c, vm, 0), 0);
	IS(bind_over(c, vm, fd, other), 0);
	IS(c_load(c, vm, GPA, &byte), 0);
	IS(byte, 0);
}

static void bad_userspace_addr(struct conform *c)
{
	int vm = c_vm(c, 1), fd = c_create(c, vm, PAGES * c->page, 0);
	unsigned char byte;

	IS(bind_over(c, vm, fd, NULL), 0);
	IS(c_load(c, vm, GPA, &byte), -EFAULT);
	IS(c_exit_reason(c), MEMORY_FAULT);
	IS(c_exit_word(c, 32), 0);
}

const struct conform_case access_cases[] = {
	{ "8.2 MMAP, INIT_SHARED", "from_the_file", NEED_MMAP | NEED_PAGING,
	  from_the_file },
	{ "8.2 flags 0 on a default VM; 10 flags=0", "from_userspace_addr",
	  NEED_MMAP | NEED_PAGING | NEED_X86 | NEED_MERGED,
	  from_userspace_addr },
	{ "8.2 MMAP; 10 MMAP without INIT_SHARED", "host_cannot_see",
	  NEED_MMAP | NEED_PAGING, host_cannot_see },
	{ "8.2 flags 0; 8.4 conversion", "two_backings",
	  NEED_PRIVATE | NEED_BY_GPA | NEED_PAGING, two_backings },
	{ "8.2 MMAP, private VM; 10 MMAP on a CoCo VM",
	  "shared_from_a_mappable_file",
	  NEED_MMAP | NEED_PRIVATE | NEED_BY_GPA | NEED_PAGING,
	  shared_from_a_mappable_file },
	{ "7 punch under the guest", "after_a_punch", NEED_MMAP | NEED_PAGING,
	  after_a_punch },
	{ "8.3 dead slot; 8.5 lookup failed; 10 EFAULT", "closed_file",
	  NEED_MMAP | NEED_PAGING, closed_file },
	{ "8.5 private without a guest_memfd", "private_without_a_file",
	  NEED_PRIVATE | NEED_BY_GPA | NEED_PAGING, private_without_a_file },
	{ "8.4 independent of memslots", "attributes_outlive_the_slot",
	  NEED_PRIVATE | NEED_BY_GPA | NEED_PAGING,
	  attributes_outlive_the_slot },
	{ "8.5 bad userspace_addr", "bad_userspace_addr",
	  NEED_PRIVATE | NEED_BY_GPA | NEED_PAGING, bad_userspace_addr },
	{ 0 },
};
