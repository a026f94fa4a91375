// SPDX-License-Identifier: MIT
/*
 * Loaded before a program (LD_PRELOAD), makes one of its allocations or
 * system calls fail: FAULT_WHAT is "alloc" or "call", FAULT_NTH which one,
 * FAULT_ERRNO with what.  How many there were is written to FAULT_REPORT, a
 * descriptor.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_ulong seen, nth;
static bool allocations, calls;
static int error;

/* glibc's own, which need no dlsym() that might allocate. */
void *__libc_malloc(size_t len);
void *__libc_calloc(size_t n, size_t len);
void *__libc_realloc(void *p, size_t len);

__attribute__((constructor)) static void begin(void)
{
	const char *what = getenv("FAULT_WHAT");

	if (!what)
		return;
	nth = strtoul(getenv("FAULT_NTH"), NULL, 10);
	error = atoi(getenv("FAULT_ERRNO"));
	allocations = !strcmp(what, "alloc");
	calls = !allocations;
}

__attribute__((destructor)) static void end(void)
{
	const char *fd = getenv("FAULT_REPORT");

	allocations = calls = false;
	if (fd)
		(void)dprintf(atoi(fd), "%lu\n", (unsigned long)seen);
}

static bool fails(bool kind)
{
	if (!kind || atomic_fetch_add(&seen, 1) + 1 != nth)
		return false;
	errno = error;
	return true;
}

void *malloc(size_t len)
{
	return fails(allocations) ? NULL : __libc_malloc(len);
}

void *calloc(size_t n, size_t len)
{
	return fails(allocations) ? NULL : __libc_calloc(n, len);
}

void *realloc(void *p, size_t len)
{
	return fails(allocations) ? NULL : __libc_realloc(p, len);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return fails(calls) ? MAP_FAILED
			    : NEXT(mmap)(at, len, prot, flags, fd, offset);
}

int madvise(void *at, size_t len, int advice)
{
	return fails(calls) ? -1 : NEXT(madvise)(at, len, advice);
}

int memfd_create(const char *name, unsigned int flags)
{
	return fails(calls) ? -1 : NEXT(memfd_create)(name, flags);
}

int ftruncate(int fd, off_t len)
{
	return fails(calls) ? -1 : NEXT(ftruncate)(fd, len);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	return fails(calls) ? -1 : NEXT(fallocate)(fd, mode, offset, len);
}

ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
	return fails(calls) ? -1 : NEXT(pread)(fd, buf, len, offset);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	return fails(calls) ? -1 : NEXT(pwrite)(fd, buf, len, offset);
}

/* The rest take arguments of any number, none of them wider than a long. */
#define ARGUMENTS(last, a, n)                      \
	do {                                       \
		va_list ap;                        \
		va_start(ap, last);                \
		for (int i = 0; i < (n); i++)      \
			(a)[i] = va_arg(ap, long); \
		va_end(ap);                        \
	} while (0)

int fcntl(int fd, int command, ...)
{
	long a[1];

	ARGUMENTS(command, a, 1);
	/* Nothing but EBADF keeps it from telling the flags. */
	return fails(calls && command != F_GETFD)
		       ? -1
		       : NEXT(fcntl)(fd, command, a[0]);
}

int ioctl(int fd, unsigned long request, ...)
{
	long a[1];

	ARGUMENTS(request, a, 1);
	return fails(calls) ? -1 : NEXT(ioctl)(fd, request, a[0]);
}

long syscall(long number, ...)
{
	long a[6];

	ARGUMENTS(number, a, 6);
	return fails(calls) ? -1
			    : NEXT(syscall)(number, a[0], a[1], a[2], a[3],
					    a[4], a[5]);
}
