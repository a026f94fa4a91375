// SPDX-License-Identifier: MIT
/* System calls, to this machine's kernel or to the model's. */
#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "case.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* 6.5, the same number everywhere */
#endif

/* Call @number with the arguments that follow. */
#define CALL(c, number, ...) call(c, number, (const uint64_t[6]){ __VA_ARGS__ })

#define INT(value) ((uint64_t)(int64_t)(value))
#define POINTER(value) ((uint64_t)(uintptr_t)(value))

static int64_t call(const struct conform *c, long number, const uint64_t a[6])
{
	long r;

	if (c->model)
		return gmem_model_syscall(c->model, number, a, NULL);
	r = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	return r < 0 ? -errno : r;
}

int c_open(struct conform *c, const char *path)
{
	return (int)CALL(c, SYS_openat, INT(AT_FDCWD), POINTER(path),
			 O_RDWR | O_CLOEXEC);
}

int c_close_fd(struct conform *c, int fd)
{
	return (int)CALL(c, SYS_close, INT(fd));
}

int c_ioctl(struct conform *c, int fd, unsigned long request, void *arg)
{
	return (int)CALL(c, SYS_ioctl, INT(fd), request, POINTER(arg));
}

int c_fstat(struct conform *c, int fd, struct stat *out)
{
	return (int)CALL(c, SYS_fstat, INT(fd), POINTER(out));
}

int c_fstatfs(struct conform *c, int fd, uint64_t *magic)
{
	struct statfs st = { 0 };
	int r = (int)CALL(c, SYS_fstatfs, INT(fd), POINTER(&st));

	*magic = (uint32_t)st.f_type;
	return r;
}

int c_map(struct conform *c, void **addr, uint64_t len, int prot, int flags,
	  int fd, uint64_t offset)
{
	int64_t r = CALL(c, SYS_mmap, 0, len, INT(prot), INT(flags), INT(fd),
			 offset);

	if (r < 0)
		return (int)r;
	*addr = (void *)(uintptr_t)r;
	return 0;
}

int c_munmap(struct conform *c, void *addr, uint64_t len)
{
	return (int)CALL(c, SYS_munmap, POINTER(addr), len);
}

int c_madvise(struct conform *c, void *addr, uint64_t len, int advice)
{
	return (int)CALL(c, SYS_madvise, POINTER(addr), len, INT(advice));
}

int c_mincore(struct conform *c, void *addr, uint64_t len, unsigned char *vec)
{
	return (int)CALL(c, SYS_mincore, POINTER(addr), len, POINTER(vec));
}

int c_mbind(struct conform *c, void *addr, uint64_t len, int mode,
	    const unsigned long *nodes, unsigned long bits, unsigned int flags)
{
	return (int)CALL(c, SYS_mbind, POINTER(addr), len, INT(mode),
			 POINTER(nodes), bits, flags);
}

int c_get_mempolicy(struct conform *c, int *mode, unsigned long *nodes,
		    unsigned long bits, void *addr, unsigned long flags)
{
	return (int)CALL(c, SYS_get_mempolicy, POINTER(mode), POINTER(nodes),
			 bits, POINTER(addr), flags);
}

int c_set_mempolicy(struct conform *c, int mode, const unsigned long *nodes,
		    unsigned long bits)
{
	return (int)CALL(c, SYS_set_mempolicy, INT(mode), POINTER(nodes), bits);
}

int c_node(struct conform *c, void *addr)
{
	int node = -1;
	int64_t r = CALL(c, SYS_move_pages, 0, 1, POINTER(&addr), 0,
			 POINTER(&node));

	return r < 0 ? (int)r : node;
}

int c_fallocate(struct conform *c, int fd, int mode, uint64_t offset,
		uint64_t len)
{
	return (int)CALL(c, SYS_fallocate, INT(fd), INT(mode), offset, len);
}

int c_read(struct conform *c, int fd, void *to, size_t len)
{
	return (int)CALL(c, SYS_read, INT(fd), POINTER(to), len);
}

int c_pread(struct conform *c, int fd, void *to, size_t len, uint64_t offset)
{
	return (int)CALL(c, SYS_pread64, INT(fd), POINTER(to), len, offset);
}

int c_pwrite(struct conform *c, int fd, const void *from, size_t len,
	     uint64_t offset)
{
	return (int)CALL(c, SYS_pwrite64, INT(fd), POINTER(from), len, offset);
}

int64_t c_lseek(struct conform *c, int fd, uint64_t offset, int whence)
{
	return CALL(c, SYS_lseek, INT(fd), offset, INT(whence));
}

int64_t c_resident(struct conform *c, int fd, uint64_t offset, uint64_t len)
{
	const uint64_t range[2] = { offset, len };
	uint64_t counts[5] = { 0 }; /* of which the first are in memory */
	int64_t r = CALL(c, SYS_cachestat, INT(fd), POINTER(range),
			 POINTER(counts));

	return r < 0 ? r : (int64_t)counts[0];
}

/* By a pipe where there is no process_vm_readv(2). */
static int64_t copy_by_pipe(struct conform *c, void *to, const void *from,
			    size_t len)
{
	int ends[2];
	int64_t n;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	n = CALL(c, SYS_write, INT(ends[1]), POINTER(from), len);
	if (n > 0)
		n = c_read(c, ends[0], to, (size_t)n);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return n;
}

static int64_t copy(struct conform *c, long number, const struct iovec *local,
		    const struct iovec *remote)
{
	return CALL(c, number, INT(getpid()), POINTER(local), 1,
		    POINTER(remote), 1);
}

int64_t c_copy_from(struct conform *c, void *to, const void *from, size_t len)
{
	struct iovec l = { to, len }, r = { (void *)(uintptr_t)from, len };
	int64_t n = copy(c, SYS_process_vm_readv, &l, &r);

	return n == -ENOSYS ? copy_by_pipe(c, to, from, len) : n;
}

int64_t c_copy_to(struct conform *c, void *to, const void *from, size_t len)
{
	struct iovec l = { (void *)(uintptr_t)from, len }, r = { to, len };
	int64_t n = copy(c, SYS_process_vm_writev, &l, &r);

	return n == -ENOSYS ? copy_by_pipe(c, to, from, len) : n;
}
