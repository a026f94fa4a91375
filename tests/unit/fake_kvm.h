/* SPDX-License-Identifier: MIT */
/* Between the parts of the scripted kernel. */
#ifndef GMEM_TESTS_FAKE_KVM_H
#define GMEM_TESTS_FAKE_KVM_H

#include "fake.h"

/* Notes a call and says whether it is to fail; the lock is held. */
int fake_enter(struct fake *f, enum fake_kind kind, int fd,
	       unsigned long request, struct fake_call **out);
/* Opens a call that has a descriptor; the lock is held on return. */
int fake_begin(struct fake *f, enum fake_kind kind, int fd,
	       struct fake_call **c);
int fake_end(struct fake *f, struct fake_call *c, int r);
struct fake_map *fake_map_at(struct fake *f, const void *addr);
int fake_new_fd(struct fake *f, enum fake_fd_type type);
/* The ioctls; the lock is held. */
int fake_kvm(struct fake *f, int fd, unsigned long request, void *arg);

/* fake_space.c: allocated pages and their nodes; the lock is held. */
int fake_populate(struct fake *f, struct fake_map *m, const char *addr,
		  size_t len, bool write);
int fake_mbind(void *priv, void *addr, size_t len, int mode,
	       const unsigned long *nodes, unsigned long maxnode,
	       unsigned int flags);
int fake_get_mempolicy(void *priv, int *mode, unsigned long *nodes,
		       unsigned long maxnode, void *addr, unsigned long flags);
int fake_set_mempolicy(void *priv, int mode, const unsigned long *nodes,
		       unsigned long maxnode);
int fake_move_pages(void *priv, size_t n, void **pages, int *node);
int fake_mincore(void *priv, void *addr, size_t len, unsigned char *vec);
int fake_fallocate(void *priv, int fd, int mode, uint64_t offset, uint64_t len);
int fake_cachestat(void *priv, int fd, uint64_t offset, uint64_t len,
		   uint64_t *resident);
int fake_thread_start(void *priv, pthread_t *t, void *(*fn)(void *), void *arg);
void fake_thread_join(void *priv, pthread_t t);

#endif
