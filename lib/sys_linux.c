// SPDX-License-Identifier: MIT
/*
 * The real kernel behind struct gmem_sys: the only file that makes system
 * calls and reads errno.  Where libc may choose between two of them the one
 * that syscalls.c lists is named, so that a filter fits any libc.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "sys.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* 6.5, the same number everywhere */
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* 4.17 */
#endif

struct cachestat_range {
	uint64_t offset;
	uint64_t len;
};

struct cachestat {
	uint64_t cache, dirty, writeback, evicted, recently_evicted;
};

/* Converts libc's convention to -errno. */
static int result(long r)
{
	return r < 0 ? -errno : (int)r;
}

static uint64_t linux_page_size(void *priv)
{
	(void)priv;
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static int linux_is_arm64(void *priv)
{
	(void)priv;
#ifdef __aarch64__
	return 1;
#else
	return 0;
#endif
}

static unsigned int linux_phys_bits(void *priv)
{
	(void)priv;
#ifdef __x86_64__
	unsigned int a, b, c, d;

	if (__get_cpuid(0x80000008, &a, &b, &c, &d))
		return a & 0xff;
#endif
	return 0;
}

static uint32_t linux_euid(void *priv)
{
	(void)priv;
	return geteuid();
}

static int linux_open(void *priv, const char *path, int flags)
{
	(void)priv;
	return result(syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC));
}

static int linux_close(void *priv, int fd)
{
	(void)priv;
	return result(close(fd));
}

static int linux_set_cloexec(void *priv, int fd)
{
	(void)priv;
	return result(fcntl(fd, F_SETFD, FD_CLOEXEC));
}

static int linux_ioctl(void *priv, int fd, unsigned long request, void *arg)
{
	(void)priv;
	/* musl declares the request as int; the kernel takes 32 bits. */
	return result(syscall(SYS_ioctl, fd, request, arg));
}

static int linux_fstat(void *priv, int fd, struct gmem__stat *out)
{
	struct stat st;

	(void)priv;
	if (fstat(fd, &st) < 0)
		return -errno;
	out->size = (uint64_t)st.st_size;
	out->block = (uint64_t)st.st_blksize;
	out->ino = st.st_ino;
	out->dev = st.st_dev;
	out->mode = st.st_mode;
	out->uid = st.st_uid;
	return 0;
}

static int linux_fstatfs(void *priv, int fd, uint64_t *magic)
{
	struct statfs st;

	(void)priv;
	if (fstatfs(fd, &st) < 0)
		return -errno;
	*magic = (uint32_t)st.f_type;
	return 0;
}

static int linux_mmap(void *priv, void **addr, size_t len, int prot, int flags,
		      int fd, uint64_t offset)
{
	bool named = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	void *p =
		mmap(named ? *addr : NULL, len, prot, flags, fd, (off_t)offset);

	(void)priv;
	if (p == MAP_FAILED)
		return -errno;
	*addr = p;
	return 0;
}

static int linux_munmap(void *priv, void *addr, size_t len)
{
	(void)priv;
	return result(munmap(addr, len));
}

/*
 * Of the limit of the process's addresses no call tells.  The kernel puts what
 * it tells a new program near the top, so most addresses are below that; for
 * others a page is mapped there, if it can be, where nothing is.  Not by libc's
 * mmap(), which sanitizers take for theirs.
 */
static int linux_addressable(void *priv, uint64_t addr, uint64_t len)
{
	uint64_t page = linux_page_size(priv), end = addr + len, last;
	long flags = MAP_PRIVATE | MAP_ANONYMOUS, p;

	if (end <= getauxval(AT_RANDOM))
		return 1;
	last = end - page;
	p = syscall(SYS_mmap, last, page, PROT_NONE,
		    flags | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == -1 && errno != ENOMEM)
		return 1; /* something is there */
	if (p == -1) {
		/* Beyond the limit, or is no mapping to be had at all? */
		p = syscall(SYS_mmap, 0, page, PROT_NONE, flags, -1, 0);
		if (p == -1)
			return 1;
		last = 0;
	}
	(void)syscall(SYS_munmap, p, page);
	return last != 0;
}

static int linux_madvise(void *priv, void *addr, size_t len, int advice)
{
	(void)priv;
	return result(madvise(addr, len, advice));
}

static int linux_map_again(void *priv, void *addr, size_t len, void **out)
{
	void *p = mremap(addr, 0, len, MREMAP_MAYMOVE);

	(void)priv;
	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

static int linux_mbind(void *priv, void *addr, size_t len, int mode,
		       const unsigned long *nodes, unsigned long maxnode,
		       unsigned int flags)
{
	(void)priv;
	return result(
		syscall(SYS_mbind, addr, len, mode, nodes, maxnode, flags));
}

static int linux_get_mempolicy(void *priv, int *mode, unsigned long *nodes,
			       unsigned long maxnode, void *addr,
			       unsigned long flags)
{
	(void)priv;
	return result(
		syscall(SYS_get_mempolicy, mode, nodes, maxnode, addr, flags));
}

static int linux_set_mempolicy(void *priv, int mode, const unsigned long *nodes,
			       unsigned long maxnode)
{
	(void)priv;
	return result(syscall(SYS_set_mempolicy, mode, nodes, maxnode));
}

static int linux_get_affinity(void *priv, unsigned long *cpus, size_t bytes)
{
	(void)priv;
	return result(syscall(SYS_sched_getaffinity, 0, bytes, cpus));
}

static int linux_set_affinity(void *priv, const unsigned long *cpus,
			      size_t bytes)
{
	(void)priv;
	return result(syscall(SYS_sched_setaffinity, 0, bytes, cpus));
}

static int linux_move_pages(void *priv, size_t n, void **pages, const int *to,
			    int *node)
{
	(void)priv;
	return result(syscall(SYS_move_pages, 0, n, pages, to, node, 0));
}

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

static int linux_set_home_node(void *priv, void *addr, size_t len,
			       unsigned long node)
{
	(void)priv;
	return result(
		syscall(SYS_set_mempolicy_home_node, addr, len, node, 0UL));
}

static int linux_mincore(void *priv, void *addr, size_t len, unsigned char *vec)
{
	(void)priv;
	return result(mincore(addr, len, vec));
}

static int linux_fallocate(void *priv, int fd, int mode, uint64_t offset,
			   uint64_t len)
{
	(void)priv;
	return result(fallocate(fd, mode, (off_t)offset, (off_t)len));
}

static int linux_pipe(void *priv, int fd[2])
{
	(void)priv;
	return result(pipe2(fd, O_CLOEXEC | O_NONBLOCK));
}

static int64_t linux_write(void *priv, int fd, const void *from, size_t len)
{
	ssize_t n = write(fd, from, len);

	(void)priv;
	return n < 0 ? -errno : n;
}

static int64_t linux_read(void *priv, int fd, void *to, size_t len)
{
	ssize_t n = read(fd, to, len);

	(void)priv;
	return n < 0 ? -errno : n;
}

static int64_t linux_pwrite(void *priv, int fd, const void *from, size_t len,
			    uint64_t offset)
{
	long n = syscall(SYS_pwrite64, fd, from, len, offset);

	(void)priv;
	return n < 0 ? -errno : n;
}

static int64_t linux_pread(void *priv, int fd, void *to, size_t len,
			   uint64_t offset)
{
	long n = syscall(SYS_pread64, fd, to, len, offset);

	(void)priv;
	return n < 0 ? -errno : n;
}

static int64_t linux_send(void *priv, int fd, const void *from, size_t len)
{
	ssize_t n = send(fd, from, len, MSG_NOSIGNAL);

	(void)priv;
	return n < 0 ? -errno : n;
}

static int64_t linux_lseek(void *priv, int fd, uint64_t offset, int whence)
{
	off_t at = lseek(fd, (off_t)offset, whence);

	(void)priv;
	return at < 0 ? -errno : at;
}

static int linux_status_flags(void *priv, int fd)
{
	(void)priv;
	return result(fcntl(fd, F_GETFL));
}

static int linux_seals(void *priv, int fd)
{
	(void)priv;
	return result(fcntl(fd, F_GET_SEALS));
}

static int linux_cachestat(void *priv, int fd, uint64_t offset, uint64_t len,
			   uint64_t *resident)
{
	struct cachestat_range range = { offset, len };
	struct cachestat st;

	(void)priv;
	if (syscall(SYS_cachestat, fd, &range, &st, 0) < 0)
		return -errno;
	*resident = st.cache;
	return 0;
}

static int64_t linux_vm_read(void *priv, void *to, const void *from, size_t len)
{
	struct iovec l = { to, len }, r = { (void *)(uintptr_t)from, len };
	ssize_t n = process_vm_readv(getpid(), &l, 1, &r, 1, 0);

	(void)priv;
	return n < 0 ? -errno : n;
}

static int64_t linux_vm_write(void *priv, void *to, const void *from,
			      size_t len)
{
	struct iovec l = { (void *)(uintptr_t)from, len }, r = { to, len };
	ssize_t n = process_vm_writev(getpid(), &l, 1, &r, 1, 0);

	(void)priv;
	return n < 0 ? -errno : n;
}

/* The VMM's signal handlers are not for threads it does not know of. */
static int linux_thread_start(void *priv, pthread_t *t, void *(*fn)(void *),
			      void *arg)
{
	sigset_t all, old;
	int r;

	(void)priv;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(t, NULL, fn, arg);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

static void linux_thread_join(void *priv, pthread_t t)
{
	(void)priv;
	(void)pthread_join(t, NULL);
}

static uint64_t linux_now(void *priv)
{
	struct timespec ts;

	(void)priv;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void linux_cond_wait(void *priv, pthread_cond_t *c, pthread_mutex_t *m,
			    uint64_t ns)
{
	struct timespec ts;
	uint64_t end;

	if (!ns) {
		(void)pthread_cond_wait(c, m);
		return;
	}
	end = linux_now(priv) + ns;
	ts.tv_sec = (time_t)(end / 1000000000);
	ts.tv_nsec = (long)(end % 1000000000);
	(void)pthread_cond_timedwait(c, m, &ts);
}

/* Without the call, which a filter may forbid, it does not wait at all. */
static void linux_sleep_until(void *priv, uint64_t ns)
{
	struct timespec ts = { (time_t)(ns / 1000000000),
			       (long)(ns % 1000000000) };

	(void)priv;
	while (syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts,
		       NULL) < 0 &&
	       errno == EINTR)
		;
}

static void *linux_alloc(void *priv, size_t len)
{
	(void)priv;
	return calloc(1, len);
}

static void linux_free(void *priv, void *p)
{
	(void)priv;
	free(p);
}

const struct gmem_sys gmem__sys_linux = {
	.page_size = linux_page_size,
	.is_arm64 = linux_is_arm64,
	.phys_bits = linux_phys_bits,
	.euid = linux_euid,
	.open = linux_open,
	.close = linux_close,
	.set_cloexec = linux_set_cloexec,
	.ioctl = linux_ioctl,
	.fstat = linux_fstat,
	.fstatfs = linux_fstatfs,
	.mmap = linux_mmap,
	.munmap = linux_munmap,
	.addressable = linux_addressable,
	.madvise = linux_madvise,
	.map_again = linux_map_again,
	.mbind = linux_mbind,
	.get_mempolicy = linux_get_mempolicy,
	.set_mempolicy = linux_set_mempolicy,
	.get_affinity = linux_get_affinity,
	.set_affinity = linux_set_affinity,
	.move_pages = linux_move_pages,
	.set_home_node = linux_set_home_node,
	.mincore = linux_mincore,
	.fallocate = linux_fallocate,
	.pipe = linux_pipe,
	.write = linux_write,
	.read = linux_read,
	.pwrite = linux_pwrite,
	.pread = linux_pread,
	.send = linux_send,
	.lseek = linux_lseek,
	.status_flags = linux_status_flags,
	.seals = linux_seals,
	.cachestat = linux_cachestat,
	.vm_read = linux_vm_read,
	.vm_write = linux_vm_write,
	.thread_start = linux_thread_start,
	.thread_join = linux_thread_join,
	.cond_wait = linux_cond_wait,
	.now = linux_now,
	.sleep_until = linux_sleep_until,
	.alloc = linux_alloc,
	.free = linux_free,
};
