// SPDX-License-Identifier: MIT
/*
 * Loaded before a program (LD_PRELOAD), runs it many times and makes one of
 * its allocations or system calls fail: FAULT_WHAT is "alloc" or "call",
 * FAULT_ERRNO with what.  Each number that comes through FAULT_SOCKET, a
 * descriptor, says which one fails in the next run: a child that continues to
 * main().  Its status goes back, and how many there were.  So the program is
 * loaded and linked once.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_ulong *seen; /* by the run, in memory shared with the server */
static uint64_t nth;
static bool allocations, calls;
static int error;

struct answer {
	uint64_t status; /* of waitpid(2) */
	uint64_t seen;
};

/* glibc's own, which need no dlsym() that might allocate. */
void *__libc_malloc(size_t len);
void *__libc_calloc(size_t n, size_t len);
void *__libc_realloc(void *p, size_t len);

/* Comes back in the children only, each of them a run. */
static void serve(int fd)
{
	while (read(fd, &nth, sizeof(nth)) == sizeof(nth)) {
		struct answer answer;
		int status;
		pid_t pid;

		*seen = 0;
		pid = fork();
		if (!pid) {
			(void)close(fd);
			return;
		}
		if (waitpid(pid, &status, 0) != pid)
			break;
		answer = (struct answer){ (unsigned int)status, *seen };
		if (write(fd, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

__attribute__((constructor)) static void begin(void)
{
	const char *fd = getenv("FAULT_SOCKET");
	void *shared;

	if (!fd)
		return;
	shared = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		_exit(1);
	seen = shared;
	serve(atoi(fd));
	error = atoi(getenv("FAULT_ERRNO"));
	allocations = !strcmp(getenv("FAULT_WHAT"), "alloc");
	calls = !allocations;
}

__attribute__((destructor)) static void end(void)
{
	allocations = calls = false;
}

static bool fails(bool kind)
{
	if (!kind || atomic_fetch_add(seen, 1) + 1 != nth)
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
