// SPDX-License-Identifier: MIT
/* The system calls with the trace callback around them. */
#include "call.h"
#include "callback.h"
#include "syscalls.h"

static uint64_t start(const struct gmem__ctx *ctx)
{
	return ctx->trace ? ctx->sys->now(ctx->priv) : 0;
}

/* Tells the callback; @t0 is what start() said. */
static void done(const struct gmem__ctx *ctx, uint64_t t0, const char *call,
		 int64_t result, uint64_t a0, uint64_t a1, uint64_t a2,
		 uint64_t a3)
{
	struct gmem_trace ev = {
		.sz = sizeof(ev),
		.call = call,
		.arg = { a0, a1, a2, a3 },
		.result = result,
	};

	if (!ctx->trace)
		return;
	ev.ns = ctx->sys->now(ctx->priv) - t0;
	gmem__call_trace(ctx, &ev);
}

int gmem__ioctl(const struct gmem__ctx *ctx, int fd, unsigned long request,
		void *arg)
{
	uint64_t t0 = start(ctx), a[3] = { 0 };
	int r = ctx->sys->ioctl(ctx->priv, fd, request, arg);

	if (!ctx->trace)
		return r;
	gmem__ioctl_args(request, arg, a);
	done(ctx, t0, gmem__ioctl_name(request), r, (uint64_t)fd, a[0], a[1],
	     a[2]);
	return r;
}

int gmem__open(const struct gmem__ctx *ctx, const char *path, int flags)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->open(ctx->priv, path, flags);

	done(ctx, t0, "openat", r, (uintptr_t)path, (uint64_t)flags, 0, 0);
	return r;
}

int gmem__close(const struct gmem__ctx *ctx, int fd)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->close(ctx->priv, fd);

	done(ctx, t0, "close", r, (uint64_t)fd, 0, 0, 0);
	return r;
}

int gmem__set_cloexec(const struct gmem__ctx *ctx, int fd)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->set_cloexec(ctx->priv, fd);

	done(ctx, t0, "fcntl", r, (uint64_t)fd, 0, 0, 0);
	return r;
}

int gmem__fstat(const struct gmem__ctx *ctx, int fd, struct gmem__stat *out)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->fstat(ctx->priv, fd, out);

	done(ctx, t0, "fstat", r, (uint64_t)fd, 0, 0, 0);
	return r;
}

int gmem__fstatfs(const struct gmem__ctx *ctx, int fd, uint64_t *magic)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->fstatfs(ctx->priv, fd, magic);

	done(ctx, t0, "fstatfs", r, (uint64_t)fd, 0, 0, 0);
	return r;
}

int gmem__mmap(const struct gmem__ctx *ctx, void **addr, uint64_t len, int prot,
	       int flags, int fd, uint64_t offset)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->mmap(ctx->priv, addr, len, prot, flags, fd, offset);

	done(ctx, t0, "mmap", r, (uint64_t)fd, offset, len, (uint64_t)prot);
	return r;
}

int gmem__munmap(const struct gmem__ctx *ctx, void *addr, uint64_t len)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->munmap(ctx->priv, addr, len);

	done(ctx, t0, "munmap", r, (uintptr_t)addr, len, 0, 0);
	return r;
}

int gmem__madvise(const struct gmem__ctx *ctx, void *addr, uint64_t len,
		  int advice)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->madvise(ctx->priv, addr, len, advice);

	done(ctx, t0, "madvise", r, (uintptr_t)addr, len, (uint64_t)advice, 0);
	return r;
}

int gmem__mbind(const struct gmem__ctx *ctx, void *addr, uint64_t len, int mode,
		const unsigned long *nodes, unsigned long maxnode,
		unsigned int flags)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->mbind(ctx->priv, addr, len, mode, nodes, maxnode,
				flags);

	done(ctx, t0, "mbind", r, (uintptr_t)addr, len, (uint64_t)mode, flags);
	return r;
}

int gmem__get_mempolicy(const struct gmem__ctx *ctx, int *mode,
			unsigned long *nodes, unsigned long maxnode, void *addr,
			unsigned long flags)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->get_mempolicy(ctx->priv, mode, nodes, maxnode, addr,
					flags);

	done(ctx, t0, "get_mempolicy", r, (uintptr_t)addr, flags, 0, 0);
	return r;
}

int gmem__set_mempolicy(const struct gmem__ctx *ctx, int mode,
			const unsigned long *nodes, unsigned long maxnode)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->set_mempolicy(ctx->priv, mode, nodes, maxnode);

	done(ctx, t0, "set_mempolicy", r, (uint64_t)mode, maxnode, 0, 0);
	return r;
}

int gmem__move_pages(const struct gmem__ctx *ctx, size_t n, void **pages,
		     int *node)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->move_pages(ctx->priv, n, pages, node);

	done(ctx, t0, "move_pages", r, n, (uintptr_t)pages[0], 0, 0);
	return r;
}

int gmem__mincore(const struct gmem__ctx *ctx, void *addr, size_t len,
		  unsigned char *vec)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->mincore(ctx->priv, addr, len, vec);

	done(ctx, t0, "mincore", r, (uintptr_t)addr, len, 0, 0);
	return r;
}

int gmem__fallocate(const struct gmem__ctx *ctx, int fd, int mode,
		    uint64_t offset, uint64_t len)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->fallocate(ctx->priv, fd, mode, offset, len);

	done(ctx, t0, "fallocate", r, (uint64_t)fd, (uint64_t)mode, offset,
	     len);
	return r;
}

int gmem__pipe(const struct gmem__ctx *ctx, int fd[2])
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->pipe(ctx->priv, fd);

	done(ctx, t0, "pipe2", r, 0, 0, 0, 0);
	return r;
}

int64_t gmem__write(const struct gmem__ctx *ctx, int fd, const void *from,
		    size_t len)
{
	uint64_t t0 = start(ctx);
	int64_t r = ctx->sys->write(ctx->priv, fd, from, len);

	done(ctx, t0, "write", r, (uint64_t)fd, (uintptr_t)from, len, 0);
	return r;
}

int64_t gmem__read(const struct gmem__ctx *ctx, int fd, void *to, size_t len)
{
	uint64_t t0 = start(ctx);
	int64_t r = ctx->sys->read(ctx->priv, fd, to, len);

	done(ctx, t0, "read", r, (uint64_t)fd, (uintptr_t)to, len, 0);
	return r;
}

int gmem__cachestat(const struct gmem__ctx *ctx, int fd, uint64_t offset,
		    uint64_t len, uint64_t *resident)
{
	uint64_t t0 = start(ctx);
	int r = ctx->sys->cachestat(ctx->priv, fd, offset, len, resident);

	done(ctx, t0, "cachestat", r, (uint64_t)fd, offset, len, 0);
	return r;
}

int64_t gmem__vm_read(const struct gmem__ctx *ctx, void *to, const void *from,
		      size_t len)
{
	uint64_t t0 = start(ctx);
	int64_t r = ctx->sys->vm_read(ctx->priv, to, from, len);

	done(ctx, t0, "process_vm_readv", r, (uintptr_t)from, len, 0, 0);
	return r;
}

int64_t gmem__vm_write(const struct gmem__ctx *ctx, void *to, const void *from,
		       size_t len)
{
	uint64_t t0 = start(ctx);
	int64_t r = ctx->sys->vm_write(ctx->priv, to, from, len);

	done(ctx, t0, "process_vm_writev", r, (uintptr_t)to, len, 0, 0);
	return r;
}
