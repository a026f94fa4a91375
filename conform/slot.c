// SPDX-License-Identifier: MIT
/* KVM_SET_USER_MEMORY_REGION2: what it refuses, and in which order. */
#include <string.h>

#include "case.h"

#define GMEM UAPI_MEM_GUEST_MEMFD

/* One page of @fd as slot 0 at 0, to be changed before it is set. */
static struct uapi_region2 region(struct conform *c, int fd)
{
	return (struct uapi_region2){
		.region = { .flags = GMEM, .memory_size = c->page },
		.guest_memfd = (uint32_t)fd,
	};
}

static int overlap(const struct conform *c)
{
	return c->version >= 702 ? -EEXIST : -EINVAL;
}

static void bad_pointer(struct conform *c)
{
	IS(c_ioctl(c, c->vm, UAPI_KVM_SET_USER_MEMORY_REGION2, BAD_ADDRESS),
	   -EFAULT);
}

static void old_ioctl(struct conform *c)
{
	struct uapi_region r = { .flags = GMEM, .memory_size = c->page };

	IS(c_ioctl(c, c->vm, UAPI_KVM_SET_USER_MEMORY_REGION, &r), -EINVAL);
	r.flags = 0;
	IS(c_ioctl(c, c->vm, UAPI_KVM_SET_USER_MEMORY_REGION, &r), 0);
}

static void slot_number(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));
	int slots = c_cap(c, c->vm, UAPI_CAP_NR_MEMSLOTS);

	r.region.slot = (uint32_t)slots;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.region.slot = 0xffff;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.region.slot = (uint32_t)slots - 1;
	IS(c_region2(c, c->vm, &r), 0);
}

static void bad_flags(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));

	for (unsigned int bit = 3; bit < 32; bit++) {
		r.region.flags = GMEM | 1U << bit;
		IS(c_region2(c, c->vm, &r), -EINVAL);
	}
	r.region.flags = GMEM | UAPI_MEM_LOG_DIRTY_PAGES;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.region.flags = GMEM | UAPI_MEM_READONLY;
	IS(c_region2(c, c->vm, &r), -EINVAL);
}

static void unaligned(struct conform *c)
{
	struct uapi_region2 good = region(c, c_file(c)), r = good;

	r.region.memory_size = c->page + 1;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r = good;
	r.region.guest_phys_addr = c->page / 2;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r = good;
	r.region.userspace_addr = 1;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r = good;
	r.guest_memfd_offset = c->page / 2;
	IS(c_region2(c, c->vm, &r), -EINVAL);
}

static void userspace_addr(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));

	r.region.userspace_addr = UINT64_MAX - c->page + 1;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.region.userspace_addr = 1ULL << 63;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.region.userspace_addr = 0;
	IS(c_region2(c, c->vm, &r), 0);
}

static void offset_wraps(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));

	r.region.memory_size = 2 * c->page;
	r.guest_memfd_offset = UINT64_MAX - c->page + 1;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	/* of a delete as well */
	r = region(c, c_file(c));
	IS(c_region2(c, c->vm, &r), 0);
	r.region.memory_size = 0;
	r.guest_memfd_offset = 1;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.guest_memfd_offset = 0;
	IS(c_region2(c, c->vm, &r), 0);
}

static void address_space(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));
	int n = c_cap(c, c->vm, UAPI_CAP_MULTI_ADDRESS_SPACE);

	r.region.slot = (uint32_t)(n > 1 ? n : 1) << 16;
	IS(c_region2(c, c->vm, &r), -EINVAL);
}

static void private_vm_address_space(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));

	IS(c_cap(c, c_vm(c, 1), UAPI_CAP_MULTI_ADDRESS_SPACE) <= 1, 1);
	r.region.slot = 1U << 16;
	r.guest_memfd = (uint32_t)c_create(c, c_vm(c, 1), c->page, 0);
	IS(c_region2(c, c->fds[c->n_fds - 2], &r), -EINVAL);
}

static void gpa_wraps(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));

	r.region.memory_size = 2 * c->page;
	r.region.guest_phys_addr = UINT64_MAX - c->page + 1;
	IS(c_region2(c, c->vm, &r), -EINVAL);
}

/* The largest one that is taken costs KVM gigabytes of bookkeeping. */
static void slot_too_large(struct conform *c)
{
	uint64_t size = (UAPI_SLOT_MAX_PAGES + 1) * c->page;
	struct uapi_region2 r = region(c, c_create(c, c->vm, size, c->flags));

	r.region.memory_size = size;
	IS(c_region2(c, c->vm, &r), -EINVAL);
}

static void delete_missing(struct conform *c)
{
	IS(c_delete(c, c->vm, 3), -EINVAL);
}

static void immutable(struct conform *c)
{
	int fd = c_file(c);
	struct uapi_region2 good = region(c, fd), r = good;

	IS(c_region2(c, c->vm, &r), 0);
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.region.guest_phys_addr = 8 * c->page;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r = good;
	r.region.memory_size = 2 * c->page;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r = good;
	r.region.flags = 0;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.region.flags = UAPI_MEM_LOG_DIRTY_PAGES;
	IS(c_region2(c, c->vm, &r), -EINVAL);
}

static void ordinary_slots(struct conform *c)
{
	struct uapi_region2 r = {
		.region = { .memory_size = 2 * c->page,
			    .userspace_addr = 16 * c->page },
		.guest_memfd = UINT32_MAX,
	};
	int fd = c_file(c);

	IS(c_region2(c, c->vm, &r), 0);
	IS(c_region2(c, c->vm, &r), 0);
	r.region.guest_phys_addr = 4 * c->page;
	IS(c_region2(c, c->vm, &r), 0);
	r.region.flags = UAPI_MEM_LOG_DIRTY_PAGES;
	IS(c_region2(c, c->vm, &r), 0);
	r.region.flags = UAPI_MEM_READONLY;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.region.flags = 0;
	r.region.memory_size = c->page;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.region.memory_size = 2 * c->page;
	r.region.userspace_addr = 0;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	/* nor does one become a guest_memfd's */
	IS(c_bind(c, c->vm, 0, 4 * c->page, 2 * c->page, fd, 0), -EINVAL);
	IS(c_bind(c, c->vm, 1, 0, 2 * c->page, fd, 0), 0);
	r.region.userspace_addr = 16 * c->page;
	r.region.guest_phys_addr = c->page;
	IS(c_region2(c, c->vm, &r), -EEXIST);
}

static void gpa_overlap(struct conform *c)
{
	int fd = c_file(c);

	IS(c_bind(c, c->vm, 0, 0, 4 * c->page, fd, 0), 0);
	IS(c_bind(c, c->vm, 1, 3 * c->page, c->page, fd, 8 * c->page), -EEXIST);
	/* wins over the file's own overlap, and over a bad descriptor */
	IS(c_bind(c, c->vm, 1, 0, c->page, fd, 0), -EEXIST);
	IS(c_bind(c, c->vm, 1, 0, c->page, -1, 0), -EEXIST);
	IS(c_bind(c, c->vm, 1, 4 * c->page, c->page, fd, 8 * c->page), 0);
}

static void descriptor(struct conform *c)
{
	int other = c_vm(c, c->type);
	int fd = c_create(c, other, c->page, c->flags);

	IS(c_bind(c, c->vm, 0, 0, c->page, -1, 0), -EBADF);
	IS(c_bind(c, c->vm, 0, 0, c->page, c->device, 0), -EINVAL);
	IS(c_bind(c, c->vm, 0, 0, c->page, c->vm, 0), -EINVAL);
	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), -EINVAL);
	IS(c_bind(c, other, 0, 0, c->page, fd, 0), 0);
}

static void outside_the_file(struct conform *c)
{
	int fd = c_file(c);

	IS(c_bind(c, c->vm, 0, 0, (PAGES + 1) * c->page, fd, 0), -EINVAL);
	IS(c_bind(c, c->vm, 0, 0, c->page, fd, PAGES * c->page), -EINVAL);
	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 1ULL << 63), -EINVAL);
	IS(c_bind(c, c->vm, 0, 0, c->page, fd, (PAGES - 1) * c->page), 0);
}

/* Accepted up to 7.0; stable releases may have the fix of 7.2. */
static void offset_overflow(struct conform *c)
{
	int r = c_bind(c, c->vm, 0, 0, PAGES * c->page, c_file(c),
		       (1ULL << 63) - c->page);
	bool mended = c->version >= 701 || (r != 0 && !c->model);

	IS(r, mended ? -EINVAL : 0);
}

static void range_bound_twice(struct conform *c)
{
	int fd = c_file(c);

	IS(c_bind(c, c->vm, 0, 0, 4 * c->page, fd, 0), 0);
	IS(c_bind(c, c->vm, 1, 16 * c->page, c->page, fd, 3 * c->page),
	   overlap(c));
	IS(c_bind(c, c->vm, 1, 16 * c->page, c->page, fd, 4 * c->page), 0);
	IS(c_delete(c, c->vm, 0), 0);
	IS(c_bind(c, c->vm, 0, 0, 4 * c->page, fd, 0), 0);
}

static void other_address_space(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));

	if (c_cap(c, c->vm, UAPI_CAP_MULTI_ADDRESS_SPACE) < 2)
		return;
	IS(c_region2(c, c->vm, &r), 0);
	r.region.slot = 1U << 16;
	IS(c_region2(c, c->vm, &r), overlap(c));
	r.guest_memfd_offset = c->page;
	IS(c_region2(c, c->vm, &r), 0);
}

static void gpa_limit(struct conform *c)
{
	int fd = c_file(c);

	if (c->arm64) {
		IS(c_bind(c, c->vm, 0, 1ULL << 40, c->page, fd, 0), -EFAULT);
		return;
	}
	IS(c_bind(c, c->vm, 0, 1ULL << 52, c->page, fd, 0), -EINVAL);
}

static void limit_before_range(struct conform *c)
{
	int fd = c_file(c), limit = c->arm64 ? -EFAULT : -EINVAL;
	uint64_t beyond = c->arm64 ? 1ULL << 40 : 1ULL << 52;

	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), 0);
	IS(c_bind(c, c->vm, 1, beyond, c->page, fd, 0),
	   c->version >= 703 ? limit : overlap(c));
}

static void arm64_needs_mmap(struct conform *c)
{
	int fd = c_create(c, c->vm, c->page, 0);

	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), -EINVAL);
}

static void never_used_but_bound(struct conform *c)
{
	int vm = c_vm(c, 0);

	IS(c_bind(c, vm, 0, 0, c->page, c_create(c, vm, c->page, 0), 0), 0);
	IS(c_bind(c, vm, 1, c->page, c->page,
		  c_create(c, vm, c->page, UAPI_FLAG_INIT_SHARED), 0),
	   0);
}

static void many_slots(struct conform *c)
{
	uint64_t n = 512;
	int fd = c_create(c, c->vm, n * c->page, c->flags);

	for (uint64_t i = 0; i < n; i++)
		IS(c_bind(c, c->vm, (uint32_t)i, i * c->page, c->page, fd,
			  (n - 1 - i) * c->page),
		   0);
}

static void delete_flags(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));

	IS(c_region2(c, c->vm, &r), 0);
	r.region.memory_size = 0;
	r.guest_memfd = UINT32_MAX;
	r.region.flags = GMEM | UAPI_MEM_LOG_DIRTY_PAGES;
	IS(c_region2(c, c->vm, &r), -EINVAL);
	r.region.flags = GMEM;
	IS(c_region2(c, c->vm, &r), 0);
}

static void delete_keeps_the_data(struct conform *c)
{
	unsigned char *p;
	int fd = c_file(c);

	IS(c_view(c, fd, &p), 0);
	p[0] = 9;
	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), 0);
	IS(c_delete(c, c->vm, 0), 0);
	IS(p[0], 9);
	PAGES_ARE(fd, 1);
}

static void dead_slot(struct conform *c)
{
	int fd = c_file(c);

	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), 0);
	IS(c_close(c, fd), 0);
	fd = c_file(c);
	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), -EINVAL);
	IS(c_bind(c, c->vm, 1, 0, c->page, fd, 0), -EEXIST);
	IS(c_delete(c, c->vm, 0), 0);
	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), 0);
}

static void padding_ignored(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));

	r.pad1 = 0xa5a5a5a5;
	memset(r.pad2, 0xa5, sizeof(r.pad2));
	IS(c_region2(c, c->vm, &r), 0);
}

static void address_not_compared(struct conform *c)
{
	struct uapi_region2 r = region(c, c_file(c));

	r.region.userspace_addr = 32 * c->page;
	IS(c_region2(c, c->vm, &r), 0);
}

const struct conform_case slot_cases[] = {
	{ "slot: EFAULT", "region_bad_pointer", NEED_GMEM, bad_pointer },
	{ "slot: flags of the first ioctl", "old_ioctl", NEED_GMEM, old_ioctl },
	{ "slot: EINVAL slot number", "slot_number", NEED_GMEM, slot_number },
	{ "slot: EINVAL flags; trap: dirty logging", "bad_flags", NEED_GMEM,
	  bad_flags },
	{ "slot: EINVAL alignment", "region_unaligned", NEED_GMEM, unaligned },
	{ "slot: EINVAL userspace_addr", "userspace_addr", NEED_GMEM,
	  userspace_addr },
	{ "slot: EINVAL offset wraps, also when deleting", "offset_wraps",
	  NEED_GMEM, offset_wraps },
	{ "slot: EINVAL address space", "address_space", NEED_GMEM,
	  address_space },
	{ "VM type: address spaces", "private_vm_address_space", NEED_PRIVATE,
	  private_vm_address_space },
	{ "slot: EINVAL address wraps", "gpa_wraps", NEED_GMEM, gpa_wraps },
	{ "slot: EINVAL pages per slot", "slot_too_large", NEED_GMEM,
	  slot_too_large },
	{ "slot: EINVAL deleting none", "delete_missing", NEED_GMEM,
	  delete_missing },
	{ "slot: a guest_memfd slot never changes", "immutable", NEED_GMEM,
	  immutable },
	{ "slot: ordinary ones change", "ordinary_slots", NEED_GMEM,
	  ordinary_slots },
	{ "slot: EEXIST addresses overlap", "gpa_overlap", NEED_GMEM,
	  gpa_overlap },
	{ "slot: EBADF, EINVAL descriptor", "descriptor", NEED_GMEM,
	  descriptor },
	{ "slot: EINVAL outside the file", "outside_the_file", NEED_GMEM,
	  outside_the_file },
	{ "slot: offset overflow up to 7.1; trap: overflow", "offset_overflow",
	  NEED_GMEM, offset_overflow },
	{ "slot: range bound twice; trap: its errno", "range_bound_twice",
	  NEED_GMEM, range_bound_twice },
	{ "slot: range bound across address spaces", "other_address_space",
	  NEED_GMEM | NEED_X86, other_address_space },
	{ "slot: EINVAL beyond the guest's addresses", "gpa_limit", NEED_GMEM,
	  gpa_limit },
	{ "slot: limit or range bound twice, by version", "limit_before_range",
	  NEED_GMEM, limit_before_range },
	{ "slot: EINVAL arm64 without MMAP", "arm64_needs_mmap",
	  NEED_MMAP | NEED_ARM64, arm64_needs_mmap },
	{ "guest: bound, yet never used; trap: flags 0", "never_used_but_bound",
	  NEED_MMAP | NEED_X86, never_used_but_bound },
	{ "slot: any number of slots", "many_slots", NEED_GMEM, many_slots },
	{ "slot: deleting with flags", "delete_flags", NEED_GMEM,
	  delete_flags },
	{ "slot: deleting keeps the contents", "delete_keeps_the_data",
	  NEED_MMAP, delete_keeps_the_data },
	{ "slot: its file was closed; trap: closing the last reference",
	  "dead_slot", NEED_GMEM, dead_slot },
	{ "slot: padding is ignored; trap: reserved fields", "padding_ignored",
	  NEED_GMEM, padding_ignored },
	{ "guest: userspace_addr is not compared; trap: userspace_addr",
	  "address_not_compared", NEED_GMEM, address_not_compared },
	{ 0 },
};
