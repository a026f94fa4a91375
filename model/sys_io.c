// SPDX-License-Identifier: MIT
/*
 * Reading and writing: the host does it, after the model has looked at the
 * buffer and at the descriptor.
 */
#include <errno.h>

#include "model.h"
#include "sys.h"
#include "sys_io.h"
#include "seam.h"

/*
 * Whether @call may touch its buffer at all; then *@len is as much of it as
 * comes before a page with a memory error.
 */
static int buffer(struct kernel *k, const char *call, const void *addr,
		  size_t *len)
{
	size_t sound;
	int r = model__sys_enter(k, call);

	if (r == 0 && *len) {
		sound = model__sound(k, addr, *len);
		r = sound ? 0 : -EFAULT;
		*len = sound;
	}
	return model__sys_leave(k, r);
}

/* The descriptor is not the model's: none of its kinds reads or writes. */
static int not_ours(struct kernel *k, int fd)
{
	int r;

	model__lock(k);
	r = model__object(k, fd) ? -EINVAL : 0;
	return model__sys_leave(k, r);
}

/* The same at an offset, which only the device knows. */
static int not_ours_at(struct kernel *k, int fd)
{
	const struct object *o;
	int r = 0;

	model__lock(k);
	o = model__object(k, fd);
	if (o)
		r = o->type == OBJECT_DEVICE ? -EINVAL : -ESPIPE;
	return model__sys_leave(k, r);
}

/* Outside the lock: a pipe may have to wait. */
int64_t model__sys_write(void *priv, int fd, const void *from, size_t len)
{
	int r = buffer(priv, "write", from, &len);

	if (r == 0)
		r = not_ours(priv, fd);
	return r < 0 ? r : gmem__sys_linux.write(NULL, fd, from, len);
}

int64_t model__sys_read(void *priv, int fd, void *to, size_t len)
{
	int r = buffer(priv, "read", to, &len);

	if (r == 0)
		r = not_ours(priv, fd);
	return r < 0 ? r : gmem__sys_linux.read(NULL, fd, to, len);
}

int64_t model__sys_pwrite(void *priv, int fd, const void *from, size_t len,
			  uint64_t offset)
{
	int r = buffer(priv, "pwrite64", from, &len);

	if (r == 0)
		r = not_ours_at(priv, fd);
	return r < 0 ? r : gmem__sys_linux.pwrite(NULL, fd, from, len, offset);
}

int64_t model__sys_pread(void *priv, int fd, void *to, size_t len,
			 uint64_t offset)
{
	int r = buffer(priv, "pread64", to, &len);

	if (r == 0)
		r = not_ours_at(priv, fd);
	return r < 0 ? r : gmem__sys_linux.pread(NULL, fd, to, len, offset);
}

/* To the host a descriptor of the model is no socket either. */
int64_t model__sys_send(void *priv, int fd, const void *from, size_t len)
{
	int r = buffer(priv, "sendto", from, &len);

	return r < 0 ? r : gmem__sys_linux.send(NULL, fd, from, len);
}

/* A guest_memfd has no position; that of the others never moves. */
int64_t model__sys_lseek(void *priv, int fd, uint64_t offset, int whence)
{
	const struct object *o;
	int r = model__sys_enter(priv, "lseek");
	bool ours = false;

	if (r == 0) {
		o = model__object(priv, fd);
		ours = o != NULL;
		if (o && o->type == OBJECT_FILE)
			r = -ESPIPE;
	}
	r = model__sys_leave(priv, r);
	return r < 0 || ours ? r
			     : gmem__sys_linux.lseek(NULL, fd, offset, whence);
}

/* Outside the lock: the host handles what the guards do not stop. */
int64_t model__sys_vm_read(void *priv, void *to, const void *from, size_t len)
{
	int r = buffer(priv, "process_vm_readv", from, &len);

	return r < 0 ? r : gmem__sys_linux.vm_read(NULL, to, from, len);
}

int64_t model__sys_vm_write(void *priv, void *to, const void *from, size_t len)
{
	int r = buffer(priv, "process_vm_writev", to, &len);

	return r < 0 ? r : gmem__sys_linux.vm_write(NULL, to, from, len);
}
