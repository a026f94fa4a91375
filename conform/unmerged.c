// SPDX-License-Identifier: MIT
/* What no released kernel has: conversion in place, huge pages. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "case.h"

#define PRIVATE UAPI_ATTRIBUTE_PRIVATE
#define HUGE (2ULL << 20)

static void absent(struct conform *c)
{
	int fd = c_file(c);

	if (c->have & NEED_IN_PLACE)
		return;
	IS(c_attributes2(c, fd, 0, c->page, PRIVATE, NULL), -ENOTTY);
}

/* One that starts shared, on a VM with private memory. */
static int file(struct conform *c)
{
	return c_create(c, c_vm(c, 1), PAGES * c->page, SHARED);
}

static void refusals(struct conform *c)
{
	struct uapi_attributes2 good = { .size = c->page,
					 .attributes = PRIVATE };
	struct uapi_attributes2 a = good;
	unsigned long nr = UAPI_KVM_SET_MEMORY_ATTRIBUTES2;
	int fd = file(c);

	IS(c_ioctl(c, fd, nr, BAD_ADDRESS), -EFAULT);
	a.flags = 1;
	IS(c_ioctl(c, fd, nr, &a), -EINVAL);
	a = good;
	a.reserved[10] = 1;
	IS(c_ioctl(c, fd, nr, &a), -EINVAL);
	a = good;
	a.attributes = 1;
	IS(c_ioctl(c, fd, nr, &a), -EINVAL);
	IS(c_attributes2(c, fd, 0, 0, PRIVATE, NULL), -EINVAL);
	IS(c_attributes2(c, fd, 1, c->page, PRIVATE, NULL), -EINVAL);
	IS(c_attributes2(c, fd, 0, c->page / 2, PRIVATE, NULL), -EINVAL);
	IS(c_attributes2(c, fd, c->page, PAGES * c->page, PRIVATE, NULL),
	   -EINVAL);
	IS(c_attributes2(c, fd, UINT64_MAX - c->page + 1, 2 * c->page, PRIVATE,
			 NULL),
	   -EINVAL);
	IS(c_ioctl(c, fd, nr, &good), 0);
}

static void default_vm(struct conform *c)
{
	int fd = c_create(c, c_vm(c, 0), c->page, 0);

	IS(c_attributes2(c, fd, 0, c->page, PRIVATE, NULL), -EINVAL);
	IS(c_attributes2(c, fd, 0, c->page, 0, NULL), -EINVAL);
}

static void vm_ioctl_is_off(struct conform *c)
{
	int vm = c_vm(c, 1);

	IS(c_cap(c, c->device, UAPI_CAP_MEMORY_ATTRIBUTES), 0);
	IS(c_cap(c, vm, UAPI_CAP_MEMORY_ATTRIBUTES), 0);
	IS(c_attributes(c, vm, 0, c->page, PRIVATE), -EINVAL);
}

static void page_by_page(struct conform *c)
{
	int fd = file(c);
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	p[0] = 1;
	p[c->page] = 2;
	p[2 * c->page] = 3;
	IS(c_attributes2(c, fd, c->page, c->page, PRIVATE, NULL), 0);
	IS(c_touch(p, false), 0);
	IS(c_touch(p + c->page, false), 2);
	IS(c_touch(p + c->page, true), 2);
	IS(c_touch(p + 2 * c->page, true), 0);
	IS(c_resident(c, fd, 0, 0), 3);
	IS(c_attributes2(c, fd, 0, PAGES * c->page, 0, NULL), 0);
	IS(c_touch(p + c->page, true), 0);
	IS(p[0], 1);
}

static void later_mappings(struct conform *c)
{
	int fd = file(c);
	unsigned char *p;

	IS(c_attributes2(c, fd, 0, 2 * c->page, PRIVATE, NULL), 0);
	IS(c_view(c, fd, &p), 0);
	IS(c_touch(p + c->page, false), 2);
	IS(c_touch(p + 2 * c->page, false), 0);
	IS(c_copy_from(c, &(char){ 0 }, p, 1), -EFAULT);
}

static void starts_as_flags_say(struct conform *c)
{
	int vm = c_vm(c, 1);
	int fd = c_create(c, vm, PAGES * c->page, UAPI_FLAG_MMAP);
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	IS(c_touch(p, false), 2);
	IS(c_attributes2(c, fd, 0, c->page, 0, NULL), 0);
	IS(c_touch(p, false), 0);
	IS(c_touch(p + c->page, false), 2);
}

static void no_op(struct conform *c)
{
	int fd = c_create(c, c_vm(c, 1), c->page, 0);

	IS(c_attributes2(c, fd, 0, c->page, PRIVATE, NULL), 0);
}

/* The model's own call, or a pipe that holds the page until it is closed. */
static int pin(struct conform *c, int fd, uint64_t offset, void *page,
	       int pipes[2])
{
	struct iovec part = { page, c->page };

	pipes[0] = pipes[1] = -1;
	if (c->model)
		return gmem_model_pin(c->model, fd, offset, c->page, NULL);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	return vmsplice(pipes[1], &part, 1, 0) == (ssize_t)c->page ? 0 : -errno;
}

static int unpin(struct conform *c, int fd, uint64_t offset, int pipes[2])
{
	if (c->model)
		return gmem_model_unpin(c->model, fd, offset, c->page, NULL);
	(void)close(pipes[0]);
	return close(pipes[1]);
}

static void in_use(struct conform *c)
{
	uint64_t at = 0, third = 3 * c->page;
	int fd = file(c), pipes[2];
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	IS(pin(c, fd, third, p + third, pipes), 0);
	IS(c_attributes2(c, fd, 0, 8 * c->page, PRIVATE, &at), -EAGAIN);
	IS(at, third);
	IS(c_touch(p, true), 0);
	IS(c_attributes2(c, fd, 0, 8 * c->page, 0, NULL), 0);
	IS(unpin(c, fd, third, pipes), 0);
	IS(c_attributes2(c, fd, 0, 8 * c->page, PRIVATE, NULL), 0);
	IS(c_touch(p, true), 2);
}

static void punch_keeps_it_private(struct conform *c)
{
	int fd = file(c);
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	p[0] = 1;
	IS(c_attributes2(c, fd, 0, c->page, PRIVATE, NULL), 0);
	IS(c_resident(c, fd, 0, 0), 1);
	IS(c_fallocate(c, fd, 3, 0, c->page), 0);
	IS(c_resident(c, fd, 0, 0), 0);
	IS(c_touch(p, false), 2);
	IS(c_fallocate(c, fd, 1, 0, c->page), 0);
	IS(c_resident(c, fd, 0, 0), 1);
	IS(c_touch(p, false), 2);
}

/* The number of the order in base pages. */
static unsigned int order_of(const struct conform *c, unsigned int log2)
{
	return log2 - (unsigned int)__builtin_ctzll(c->page);
}

/* A file of pages of 2^@log2 bytes, in the way that this kernel has. */
static int create_huge(struct conform *c, int vm, uint64_t size,
		       unsigned int log2, uint64_t flags)
{
	if (c->have & NEED_ORDER)
		return c_create_order(c, vm, size, flags | UAPI_ORDER_HUGETLB,
				      order_of(c, log2));
	return c_create(c, vm, size,
			flags | UAPI_RFC1_HUGETLB |
				(uint64_t)log2 << UAPI_RFC1_SIZE_SHIFT);
}

static uint64_t free_pages(const struct conform *c)
{
	uint64_t n = 0;

	(void)gmem_model_get_pool(c->model, HUGE, &n, NULL);
	return n;
}

static void reservation(struct conform *c)
{
	int vm = c_vm(c, 1), fd;
	uint64_t before;

	if (!c->model)
		return;
	before = free_pages(c);
	fd = create_huge(c, vm, 4 * HUGE, 21, 0);
	IS(fd >= 0, 1);
	IS(free_pages(c), before - 4);
	IS(create_huge(c, vm, before * HUGE, 21, 0), -ENOMEM);
	IS(free_pages(c), before - 4);
	IS(c_fallocate(c, fd, 1, 0, HUGE), 0);
	IS(free_pages(c), before - 4);
	IS(c_close(c, fd), 0);
	IS(free_pages(c), before);
}

static void huge_sizes(struct conform *c)
{
	unsigned int base = (unsigned int)__builtin_ctzll(c->page);
	int vm = c_vm(c, 1);

	IS(create_huge(c, vm, HUGE + c->page, 21, 0), -EINVAL);
	IS(create_huge(c, vm, HUGE / 2, 21, 0), -EINVAL);
	IS(create_huge(c, vm, HUGE, 22, 0), -EINVAL);
	IS(create_huge(c, vm, HUGE, base, 0), -EINVAL);
	IS(create_huge(c, vm, HUGE, 0, 0), -EINVAL);
	IS(create_huge(c, vm, HUGE, 21, 1ULL << 40), -EINVAL);
}

static void page_order(struct conform *c)
{
	unsigned int order = order_of(c, 21);
	uint64_t huge = UAPI_ORDER_HUGETLB;
	int vm = c_vm(c, 1), fd;
	struct stat st;

	IS(c_create_order(c, vm, HUGE, 0, order), -EINVAL);
	IS(c_create_order(c, vm, HUGE, UAPI_FLAG_MMAP, order), -EINVAL);
	IS(c_create_order(c, vm, HUGE, huge, 0), -EINVAL);
	IS(c_create_order(c, vm, HUGE, huge, 255), -EINVAL);
	IS(c_create_order(c, vm, HUGE, huge | SHARED, order), -EINVAL);
	fd = c_create_order(c, vm, HUGE, huge, order);
	IS(fd >= 0, 1);
	IS(c_fstat(c, fd, &st), 0);
	IS(st.st_blksize, HUGE);
	IS(c_create_order(c, vm, HUGE, huge | UAPI_FLAG_MMAP, order) >= 0, 1);
}

static void whole_huge_pages(struct conform *c)
{
	int fd = create_huge(c, c_vm(c, 1), 4 * HUGE, 21, 0);
	int64_t n = (int64_t)(HUGE / c->page);

	IS(c_fallocate(c, fd, 1, HUGE, c->page), 0);
	IS(c_resident(c, fd, 0, 0), n);
	IS(c_resident(c, fd, HUGE, 3 * c->page), 3);
	IS(c_fallocate(c, fd, 3, HUGE + c->page, HUGE), 0);
	IS(c_resident(c, fd, 0, 0), n);
	IS(c_fallocate(c, fd, 3, 0, 3 * HUGE), 0);
	IS(c_resident(c, fd, 0, 0), 0);
}

static void prefix_stays_converted(struct conform *c)
{
	int fd = create_huge(c, c_vm(c, 1), 4 * HUGE, 21, UAPI_FLAG_MMAP);
	uint64_t at = 0;
	unsigned char *p;
	void *map;

	if (!c->model)
		return;
	IS(c_mmap(c, &map, 4 * HUGE, 3, 1, fd, 0), 0);
	p = map;
	IS(c_touch(p, false), 2);
	IS(c_attributes2(c, fd, 0, 4 * HUGE, 0, NULL), 0);
	p[0] = 1;
	IS(gmem_model_pin(c->model, fd, 2 * HUGE + c->page, c->page, NULL), 0);
	IS(c_attributes2(c, fd, 0, 4 * HUGE, PRIVATE, &at), -EAGAIN);
	IS(at, 2 * HUGE + c->page);
	IS(c_touch(p + HUGE, false), 2);
	IS(c_touch(p + 2 * HUGE, false), 0);
	IS(c_attributes2(c, fd, 0, 2 * HUGE, 0, NULL), 0);
	IS(p[0], 1);
}

const struct conform_case unmerged_cases[] = {
	{ "in place: ENOTTY where there is none", "in_place_absent", NEED_GMEM,
	  absent },
	{ "in place: its errors", "in_place_refusals", NEED_IN_PLACE,
	  refusals },
	{ "in place: VM without private memory", "in_place_default_vm",
	  NEED_IN_PLACE, default_vm },
	{ "in place: the VM's ioctl is off; trap: the VM's ioctl is off",
	  "vm_ioctl_is_off", NEED_IN_PLACE, vm_ioctl_is_off },
	{ "in place: the host touches private pages", "page_by_page",
	  NEED_IN_PLACE, page_by_page },
	{ "in place: the host touches them in later mappings", "later_mappings",
	  NEED_IN_PLACE, later_mappings },
	{ "in place: initial state", "starts_as_flags_say", NEED_IN_PLACE,
	  starts_as_flags_say },
	{ "in place: converting to what it is", "in_place_no_op", NEED_IN_PLACE,
	  no_op },
	{ "in place: EAGAIN; trap: EAGAIN", "in_use", NEED_IN_PLACE, in_use },
	{ "in place: punching keeps attributes", "punch_keeps_it_private",
	  NEED_IN_PLACE, punch_keeps_it_private },
	{ "huge pages: reservation", "reservation", NEED_HUGE, reservation },
	{ "huge pages: sizes", "huge_sizes", NEED_HUGE, huge_sizes },
	{ "huge pages: discarded whole", "whole_huge_pages", NEED_HUGE,
	  whole_huge_pages },
	{ "huge pages: a prefix stays converted", "prefix_stays_converted",
	  NEED_HUGE | NEED_IN_PLACE, prefix_stays_converted },
	{ "huge pages: by the order of a page", "page_order", NEED_ORDER,
	  page_order },
	{ 0 },
};
