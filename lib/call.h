/* SPDX-License-Identifier: MIT */
/* The system calls, traced.  Each returns >= 0 or -errno. */
#ifndef GMEM_LIB_CALL_H
#define GMEM_LIB_CALL_H

#include "ctx.h"

int gmem__ioctl(const struct gmem__ctx *ctx, int fd, unsigned long request,
		void *arg);
int gmem__open(const struct gmem__ctx *ctx, const char *path, int flags);
int gmem__close(const struct gmem__ctx *ctx, int fd);
int gmem__set_cloexec(const struct gmem__ctx *ctx, int fd);
int gmem__fstat(const struct gmem__ctx *ctx, int fd, struct gmem__stat *out);
int gmem__fstatfs(const struct gmem__ctx *ctx, int fd, uint64_t *magic);
int gmem__mmap(const struct gmem__ctx *ctx, void **addr, uint64_t len, int prot,
	       int flags, int fd, uint64_t offset);
int gmem__munmap(const struct gmem__ctx *ctx, void *addr, uint64_t len);
int gmem__madvise(const struct gmem__ctx *ctx, void *addr, uint64_t len,
		  int advice);
/* A second mapping of shared memory: mremap(2) with an old size of 0. */
int gmem__map_again(const struct gmem__ctx *ctx, void *addr, uint64_t len,
		    void **out);
int gmem__mbind(const struct gmem__ctx *ctx, void *addr, uint64_t len, int mode,
		const unsigned long *nodes, unsigned long maxnode,
		unsigned int flags);
int gmem__get_mempolicy(const struct gmem__ctx *ctx, int *mode,
			unsigned long *nodes, unsigned long maxnode, void *addr,
			unsigned long flags);
int gmem__set_mempolicy(const struct gmem__ctx *ctx, int mode,
			const unsigned long *nodes, unsigned long maxnode);
int gmem__get_affinity(const struct gmem__ctx *ctx, unsigned long *cpus,
		       size_t bytes);
int gmem__set_affinity(const struct gmem__ctx *ctx, const unsigned long *cpus,
		       size_t bytes);
/* To the nodes @to; NULL: only asks where they are. */
int gmem__move_pages(const struct gmem__ctx *ctx, size_t n, void **pages,
		     const int *to, int *node);
int gmem__set_home_node(const struct gmem__ctx *ctx, void *addr, uint64_t len,
			unsigned long node);
int gmem__mincore(const struct gmem__ctx *ctx, void *addr, size_t len,
		  unsigned char *vec);
int gmem__fallocate(const struct gmem__ctx *ctx, int fd, int mode,
		    uint64_t offset, uint64_t len);
int gmem__pipe(const struct gmem__ctx *ctx, int fd[2]);
int64_t gmem__write(const struct gmem__ctx *ctx, int fd, const void *from,
		    size_t len);
int64_t gmem__read(const struct gmem__ctx *ctx, int fd, void *to, size_t len);
int64_t gmem__pwrite(const struct gmem__ctx *ctx, int fd, const void *from,
		     size_t len, uint64_t offset);
int64_t gmem__pread(const struct gmem__ctx *ctx, int fd, void *to, size_t len,
		    uint64_t offset);
int64_t gmem__send(const struct gmem__ctx *ctx, int fd, const void *from,
		   size_t len);
int64_t gmem__lseek(const struct gmem__ctx *ctx, int fd, uint64_t offset,
		    int whence);
int gmem__status_flags(const struct gmem__ctx *ctx, int fd);
int gmem__seals(const struct gmem__ctx *ctx, int fd);
int gmem__cachestat(const struct gmem__ctx *ctx, int fd, uint64_t offset,
		    uint64_t len, uint64_t *resident);
int64_t gmem__vm_read(const struct gmem__ctx *ctx, void *to, const void *from,
		      size_t len);
int64_t gmem__vm_write(const struct gmem__ctx *ctx, void *to, const void *from,
		       size_t len);

#endif
