/* SPDX-License-Identifier: MIT */
/*
 * Everything the library asks of the system goes through this table: the
 * real kernel is sys_linux.c, the model a guest_memfd kernel in user space;
 * tests put a recorder in front of the model.
 *
 * Each call returns >= 0 or -errno and leaves errno alone for the library;
 * nothing above this table reads errno.
 */
#ifndef GMEM_LIB_SYS_H
#define GMEM_LIB_SYS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct gmem__stat {
	uint64_t size;
	uint64_t ino;
	uint64_t dev;
	uint64_t block; /* st_blksize */
	uint32_t mode;	/* st_mode */
	uint32_t uid;
};

struct gmem_sys {
	uint64_t (*page_size)(void *priv);
	int (*is_arm64)(void *priv);
	unsigned int (*phys_bits)(void *priv); /* of the CPU; 0 = unknown */
	uint32_t (*euid)(void *priv);
	int (*open)(void *priv, const char *path, int flags);
	int (*close)(void *priv, int fd);
	int (*set_cloexec)(void *priv, int fd);
	int (*ioctl)(void *priv, int fd, unsigned long request, void *arg);
	int (*fstat)(void *priv, int fd, struct gmem__stat *out);
	int (*fstatfs)(void *priv, int fd, uint64_t *magic);
	/* With MAP_FIXED or MAP_FIXED_NOREPLACE at *@addr. */
	int (*mmap)(void *priv, void **addr, size_t len, int prot, int flags,
		    int fd, uint64_t offset);
	int (*munmap)(void *priv, void *addr, size_t len);
	/* Whether [@addr, @addr + @len) are addresses of this process. */
	int (*addressable)(void *priv, uint64_t addr, uint64_t len);
	int (*madvise)(void *priv, void *addr, size_t len, int advice);
	/* A second mapping of shared memory, into *@out; @addr keeps its own.
	 */
	int (*map_again)(void *priv, void *addr, size_t len, void **out);
	int (*mbind)(void *priv, void *addr, size_t len, int mode,
		     const unsigned long *nodes, unsigned long maxnode,
		     unsigned int flags);
	int (*get_mempolicy)(void *priv, int *mode, unsigned long *nodes,
			     unsigned long maxnode, void *addr,
			     unsigned long flags);
	int (*set_mempolicy)(void *priv, int mode, const unsigned long *nodes,
			     unsigned long maxnode); /* of this thread */
	/* The processors on which this thread may run: a bit each. */
	int (*get_affinity)(void *priv, unsigned long *cpus, size_t bytes);
	int (*set_affinity)(void *priv, const unsigned long *cpus,
			    size_t bytes);
	/* To the nodes @to; NULL: only asks where they are. */
	int (*move_pages)(void *priv, size_t n, void **pages, const int *to,
			  int *node);
	int (*set_home_node)(void *priv, void *addr, size_t len,
			     unsigned long node);
	int (*mincore)(void *priv, void *addr, size_t len, unsigned char *vec);
	int (*fallocate)(void *priv, int fd, int mode, uint64_t offset,
			 uint64_t len);
	int (*pipe)(void *priv, int fd[2]); /* close-on-exec, non-blocking */
	int64_t (*write)(void *priv, int fd, const void *from, size_t len);
	int64_t (*read)(void *priv, int fd, void *to, size_t len);
	int64_t (*pwrite)(void *priv, int fd, const void *from, size_t len,
			  uint64_t offset);
	int64_t (*pread)(void *priv, int fd, void *to, size_t len,
			 uint64_t offset);
	/* To a socket, without SIGPIPE. */
	int64_t (*send)(void *priv, int fd, const void *from, size_t len);
	int64_t (*lseek)(void *priv, int fd, uint64_t offset, int whence);
	int (*status_flags)(void *priv, int fd); /* O_APPEND and others */
	int (*seals)(void *priv, int fd);	 /* F_SEAL_* */
	int (*cachestat)(void *priv, int fd, uint64_t offset, uint64_t len,
			 uint64_t *resident);
	int64_t (*vm_read)(void *priv, void *to, const void *from, size_t len);
	int64_t (*vm_write)(void *priv, void *to, const void *from, size_t len);
	/* A thread with all signals blocked. */
	int (*thread_start)(void *priv, pthread_t *t, void *(*fn)(void *),
			    void *arg);
	void (*thread_join)(void *priv, pthread_t t);
	/* Waits for @c, with @m held, at most @ns; 0: without limit. */
	void (*cond_wait)(void *priv, pthread_cond_t *c, pthread_mutex_t *m,
			  uint64_t ns);
	uint64_t (*now)(void *priv); /* ns, monotonic */
	/* Until now() is @ns at least, whatever signals come. */
	void (*sleep_until)(void *priv, uint64_t ns);
	void *(*alloc)(void *priv, size_t len); /* zeroed; NULL = none */
	void (*free)(void *priv, void *p);
};

extern const struct gmem_sys gmem__sys_linux;

#endif
