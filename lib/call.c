// SPDX-License-Identifier: MIT
/* The system calls with the trace callback around them. */
#include "call.h"
#include "callback.h"
#include "syscalls.h"

static uint64_t start(const struct gmem__ctx *ctx)
{
	return ctx->trace ? ctx->sys->now(ctx->priv) : 0;
}

/* Calls the callback; @t0 is the result of start(). */
static void done(const struct gmem__ctx *ctx, uint64_t t0, const char *call,
		 int64_t result, const uint64_t arg[4])
{
	struct gmem_trace ev = {
		.sz = sizeof(ev),
		.call = call,
		.arg = { arg[0], arg[1], arg[2], arg[3] },
		.result = result,
	};

	if (!ctx->trace)
		return;
	ev.ns = ctx->sys->now(ctx->priv) - t0;
	gmem__call_trace(ctx, &ev);
}

/* The body of a function: makes @call and traces it as @name. */
#define TRACED(type, call, name, ...)                                       \
	do {                                                                \
		uint64_t t0 = start(ctx);                                   \
		type r = ctx->sys->call;                                    \
                                                                            \
		done(ctx, t0, name, r, (const uint64_t[4]){ __VA_ARGS__ }); \
		return r;                                                   \
	} while (0)

int gmem__ioctl(const struct gmem__ctx *ctx, int fd, unsigned long request,
		void *arg)
{
	uint64_t t0 = start(ctx), a[4] = { (uint64_t)fd };
	int r = ctx->sys->ioctl(ctx->priv, fd, request, arg);

	if (!ctx->trace)
		return r;
	gmem__ioctl_args(request, arg, a + 1);
	done(ctx, t0, gmem__ioctl_name(request), r, a);
	return r;
}

int gmem__open(const struct gmem__ctx *ctx, const char *path, int flags)
{
	TRACED(int, open(ctx->priv, path, flags), "openat", (uintptr_t)path,
	       flags);
}

int gmem__close(const struct gmem__ctx *ctx, int fd)
{
	TRACED(int, close(ctx->priv, fd), "close", fd);
}

int gmem__set_cloexec(const struct gmem__ctx *ctx, int fd)
{
	TRACED(int, set_cloexec(ctx->priv, fd), "fcntl", fd);
}

int gmem__fstat(const struct gmem__ctx *ctx, int fd, struct gmem__stat *out)
{
	TRACED(int, fstat(ctx->priv, fd, out), "fstat", fd);
}

int gmem__fstatfs(const struct gmem__ctx *ctx, int fd, uint64_t *magic)
{
	TRACED(int, fstatfs(ctx->priv, fd, magic), "fstatfs", fd);
}

int gmem__mmap(const struct gmem__ctx *ctx, void **addr, uint64_t len, int prot,
	       int flags, int fd, uint64_t offset)
{
	TRACED(int, mmap(ctx->priv, addr, len, prot, flags, fd, offset), "mmap",
	       fd, offset, len, prot);
}

int gmem__munmap(const struct gmem__ctx *ctx, void *addr, uint64_t len)
{
	TRACED(int, munmap(ctx->priv, addr, len), "munmap", (uintptr_t)addr,
	       len);
}

int gmem__madvise(const struct gmem__ctx *ctx, void *addr, uint64_t len,
		  int advice)
{
	TRACED(int, madvise(ctx->priv, addr, len, advice), "madvise",
	       (uintptr_t)addr, len, advice);
}

int gmem__map_again(const struct gmem__ctx *ctx, void *addr, uint64_t len,
		    void **out)
{
	TRACED(int, map_again(ctx->priv, addr, len, out), "mremap",
	       (uintptr_t)addr, len);
}

int gmem__mbind(const struct gmem__ctx *ctx, void *addr, uint64_t len, int mode,
		const unsigned long *nodes, unsigned long maxnode,
		unsigned int flags)
{
	TRACED(int, mbind(ctx->priv, addr, len, mode, nodes, maxnode, flags),
	       "mbind", (uintptr_t)addr, len, mode, flags);
}

int gmem__get_mempolicy(const struct gmem__ctx *ctx, int *mode,
			unsigned long *nodes, unsigned long maxnode, void *addr,
			unsigned long flags)
{
	TRACED(int, get_mempolicy(ctx->priv, mode, nodes, maxnode, addr, flags),
	       "get_mempolicy", (uintptr_t)addr, flags);
}

int gmem__set_mempolicy(const struct gmem__ctx *ctx, int mode,
			const unsigned long *nodes, unsigned long maxnode)
{
	TRACED(int, set_mempolicy(ctx->priv, mode, nodes, maxnode),
	       "set_mempolicy", mode, maxnode);
}

int gmem__get_affinity(const struct gmem__ctx *ctx, unsigned long *cpus,
		       size_t bytes)
{
	TRACED(int, get_affinity(ctx->priv, cpus, bytes), "sched_getaffinity",
	       bytes);
}

int gmem__set_affinity(const struct gmem__ctx *ctx, const unsigned long *cpus,
		       size_t bytes)
{
	TRACED(int, set_affinity(ctx->priv, cpus, bytes), "sched_setaffinity",
	       bytes);
}

int gmem__move_pages(const struct gmem__ctx *ctx, size_t n, void **pages,
		     const int *to, int *node)
{
	TRACED(int, move_pages(ctx->priv, n, pages, to, node), "move_pages", n,
	       (uintptr_t)pages[0]);
}

int gmem__set_home_node(const struct gmem__ctx *ctx, void *addr, uint64_t len,
			unsigned long node)
{
	TRACED(int, set_home_node(ctx->priv, addr, len, node),
	       "set_mempolicy_home_node", (uintptr_t)addr, len, node);
}

int gmem__mincore(const struct gmem__ctx *ctx, void *addr, size_t len,
		  unsigned char *vec)
{
	TRACED(int, mincore(ctx->priv, addr, len, vec), "mincore",
	       (uintptr_t)addr, len);
}

int gmem__fallocate(const struct gmem__ctx *ctx, int fd, int mode,
		    uint64_t offset, uint64_t len)
{
	TRACED(int, fallocate(ctx->priv, fd, mode, offset, len), "fallocate",
	       fd, mode, offset, len);
}

int gmem__pipe(const struct gmem__ctx *ctx, int fd[2])
{
	TRACED(int, pipe(ctx->priv, fd), "pipe2", 0);
}

int64_t gmem__write(const struct gmem__ctx *ctx, int fd, const void *from,
		    size_t len)
{
	TRACED(int64_t, write(ctx->priv, fd, from, len), "write", fd,
	       (uintptr_t)from, len);
}

int64_t gmem__read(const struct gmem__ctx *ctx, int fd, void *to, size_t len)
{
	TRACED(int64_t, read(ctx->priv, fd, to, len), "read", fd, (uintptr_t)to,
	       len);
}

int64_t gmem__pwrite(const struct gmem__ctx *ctx, int fd, const void *from,
		     size_t len, uint64_t offset)
{
	TRACED(int64_t, pwrite(ctx->priv, fd, from, len, offset), "pwrite64",
	       fd, (uintptr_t)from, len, offset);
}

int64_t gmem__pread(const struct gmem__ctx *ctx, int fd, void *to, size_t len,
		    uint64_t offset)
{
	TRACED(int64_t, pread(ctx->priv, fd, to, len, offset), "pread64", fd,
	       (uintptr_t)to, len, offset);
}

int64_t gmem__send(const struct gmem__ctx *ctx, int fd, const void *from,
		   size_t len)
{
	TRACED(int64_t, send(ctx->priv, fd, from, len), "sendto", fd,
	       (uintptr_t)from, len);
}

int64_t gmem__lseek(const struct gmem__ctx *ctx, int fd, uint64_t offset,
		    int whence)
{
	TRACED(int64_t, lseek(ctx->priv, fd, offset, whence), "lseek", fd,
	       offset, whence);
}

int gmem__status_flags(const struct gmem__ctx *ctx, int fd)
{
	TRACED(int, status_flags(ctx->priv, fd), "fcntl", fd);
}

int gmem__seals(const struct gmem__ctx *ctx, int fd)
{
	TRACED(int, seals(ctx->priv, fd), "fcntl", fd);
}

int gmem__cachestat(const struct gmem__ctx *ctx, int fd, uint64_t offset,
		    uint64_t len, uint64_t *resident)
{
	TRACED(int, cachestat(ctx->priv, fd, offset, len, resident),
	       "cachestat", fd, offset, len);
}

int64_t gmem__vm_read(const struct gmem__ctx *ctx, void *to, const void *from,
		      size_t len)
{
	TRACED(int64_t, vm_read(ctx->priv, to, from, len), "process_vm_readv",
	       (uintptr_t)from, len);
}

int64_t gmem__vm_write(const struct gmem__ctx *ctx, void *to, const void *from,
		       size_t len)
{
	TRACED(int64_t, vm_write(ctx->priv, to, from, len), "process_vm_writev",
	       (uintptr_t)to, len);
}
