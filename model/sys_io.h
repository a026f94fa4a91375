/* SPDX-License-Identifier: MIT */
/* Reading and writing, of descriptors and of this process's own memory. */
#ifndef GMEM_MODEL_SYS_IO_H
#define GMEM_MODEL_SYS_IO_H

#include "model.h"

/* Locked in any case: 0, or -errno of the failure that is due. */
static inline int model__sys_enter(struct kernel *k, const char *call)
{
	model__lock(k);
	return model__due(k, call);
}

static inline int model__sys_leave(struct kernel *k, int r)
{
	model__unlock(k);
	return r;
}

int64_t model__sys_write(void *priv, int fd, const void *from, size_t len);
int64_t model__sys_read(void *priv, int fd, void *to, size_t len);
int64_t model__sys_pwrite(void *priv, int fd, const void *from, size_t len,
			  uint64_t offset);
int64_t model__sys_pread(void *priv, int fd, void *to, size_t len,
			 uint64_t offset);
int64_t model__sys_send(void *priv, int fd, const void *from, size_t len);
int64_t model__sys_lseek(void *priv, int fd, uint64_t offset, int whence);
int64_t model__sys_vm_read(void *priv, void *to, const void *from, size_t len);
int64_t model__sys_vm_write(void *priv, void *to, const void *from, size_t len);

#endif
