// SPDX-License-Identifier: MIT
/*
 * Loaded before gmemctl (LD_PRELOAD): its kernel looks as if it had private
 * memory and, if HUGETLB says page-order or rfc1, huge pages by that encoding.
 * Each file that it is asked for is written to the file HUGETLB_CALLS, as
 * "SIZE FLAGS ORDER" in hexadecimal digits; what this kernel does not know is
 * then taken away, and the file is made of base pages.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hooked.h"

#define CHECK_EXTENSION 0xae03UL
#define CREATE_GUEST_MEMFD 0xc040aed4UL
#define CAP_MEMORY_ATTRIBUTES 233
#define CAP_GUEST_MEMFD_FLAGS 244
#define ORDER_HUGETLB (1ULL << 2)

struct create {
	uint64_t size, flags;
	unsigned char order, rest[47];
};

static bool is(const char *encoding)
{
	const char *name = getenv("HUGETLB");

	return name && !strcmp(name, encoding);
}

static void note(const struct create *c)
{
	const char *path = getenv("HUGETLB_CALLS");
	FILE *f = path ? fopen(path, "ae") : NULL;

	if (!f)
		return;
	fprintf(f, "%llx %llx %x\n", (unsigned long long)c->size,
		(unsigned long long)c->flags, c->order);
	fclose(f);
}

static long create(long fd, const struct create *from)
{
	struct create c = *from;

	note(&c);
	if (is("page-order") && c.order && !(c.flags & ORDER_HUGETLB)) {
		errno = EINVAL;
		return -1;
	}
	if (is("page-order"))
		c.flags &= ~ORDER_HUGETLB;
	else if (is("rfc1"))
		c.flags = 0;
	c.order = 0;
	return hooked_pass(&(struct hooked){
		SYS_ioctl,
		{ (unsigned long)fd, CREATE_GUEST_MEMFD, (unsigned long)&c } });
}

static long answer(const struct hooked *call)
{
	const unsigned long *a = call->a;
	const bool ioctl = call->number == SYS_ioctl;
	long r;

	if (ioctl && a[1] == CREATE_GUEST_MEMFD)
		return create((long)a[0], (const struct create *)a[2]);
	r = hooked_pass(call);
	if (!ioctl || a[1] != CHECK_EXTENSION || r < 0)
		return r;
	if (a[2] == CAP_MEMORY_ATTRIBUTES)
		return 8;
	if (a[2] == CAP_GUEST_MEMFD_FLAGS)
		return is("rfc1") ? 0 : is("page-order") ? r | 4 : r;
	return r;
}

__attribute__((constructor)) static void start(void)
{
	hooked_syscall = answer;
}
