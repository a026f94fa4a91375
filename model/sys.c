// SPDX-License-Identifier: MIT
/*
 * The model behind struct gmem_sys.  Each call takes the kernel's lock, makes a
 * failure that is due happen, and calls the file that has its rules. Calls that
 * do not concern a guest_memfd go to the host's kernel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "model_sys.h"
#include "sys_io.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define PHYS_BITS 48

static uint64_t sys_page_size(void *priv)
{
	return ((struct kernel *)priv)->page_size;
}

static int sys_is_arm64(void *priv)
{
	return ((struct kernel *)priv)->machine == GMEM_MODEL_ARM64;
}

static unsigned int sys_phys_bits(void *priv)
{
	return sys_is_arm64(priv) ? 0 : PHYS_BITS;
}

static uint32_t sys_euid(void *priv)
{
	(void)priv;
	return gmem__sys_linux.euid(NULL);
}

/* The device is there; every other path is the host's. */
static int open_device(struct kernel *k, int flags)
{
	struct object *o;
	int fd, r;

	(void)flags;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	fd = model__body(0, true, &o->twin);
	if (fd < 0) {
		free(o);
		return fd;
	}
	r = model__object_add(k, o, OBJECT_DEVICE, fd);
	if (r < 0) {
		(void)gmem__sys_linux.close(NULL, fd);
		(void)gmem__sys_linux.close(NULL, o->twin);
		free(o);
		return r;
	}
	return fd;
}

/* What the host's kernel says about itself is not true of the model. */
static bool is_told(const char *path)
{
	/* This one is about the process. */
	if (!strcmp(path, "/proc/self/maps"))
		return false;
	return !strncmp(path, "/proc/", 6) || !strncmp(path, "/sys/", 5);
}

static int sys_open(void *priv, const char *path, int flags)
{
	int r = model__sys_enter(priv, "openat");

	if (r == 0) {
		if (!strcmp(path, GMEM_DEVICE))
			r = open_device(priv, flags);
		else if (is_told(path))
			r = -ENOENT;
		else
			r = gmem__sys_linux.open(NULL, path, flags);
	}
	return model__sys_leave(priv, r);
}

/* Also a close that fails has closed. */
static int sys_close(void *priv, int fd)
{
	int due, r;

	/* In a forked child, where the model cannot be asked any more. */
	if (model__torn(priv))
		return gmem__sys_linux.close(NULL, fd);
	due = model__sys_enter(priv, "close");
	r = model__close(priv, fd);
	return model__sys_leave(priv, due ? due : r);
}

static int sys_set_cloexec(void *priv, int fd)
{
	int r = model__sys_enter(priv, "fcntl");

	if (r == 0)
		r = gmem__sys_linux.set_cloexec(NULL, fd);
	return model__sys_leave(priv, r);
}

static const char *ioctl_name(unsigned long request)
{
	switch (request) {
	case GMEM__KVM_GET_API_VERSION:
		return "KVM_GET_API_VERSION";
	case GMEM__KVM_CREATE_VM:
		return "KVM_CREATE_VM";
	case GMEM__KVM_CHECK_EXTENSION:
		return "KVM_CHECK_EXTENSION";
	case GMEM__KVM_SET_USER_MEMORY_REGION:
		return "KVM_SET_USER_MEMORY_REGION";
	case GMEM__KVM_SET_USER_MEMORY_REGION2:
		return "KVM_SET_USER_MEMORY_REGION2";
	case GMEM__KVM_SET_MEMORY_ATTRIBUTES:
		return "KVM_SET_MEMORY_ATTRIBUTES";
	case GMEM__KVM_SET_MEMORY_ATTRIBUTES2:
		return "KVM_SET_MEMORY_ATTRIBUTES2";
	case GMEM__KVM_ENABLE_CAP:
		return "KVM_ENABLE_CAP";
	case GMEM__KVM_CREATE_GUEST_MEMFD:
		return "KVM_CREATE_GUEST_MEMFD";
	default:
		return "ioctl";
	}
}

static int sys_ioctl(void *priv, int fd, unsigned long request, void *arg)
{
	int r = model__sys_enter(priv, ioctl_name(request));

	if (r == 0)
		r = model__ioctl(priv, fd, request, arg);
	return model__sys_leave(priv, r);
}

static int sys_fstat(void *priv, int fd, struct gmem__stat *out)
{
	int r = model__sys_enter(priv, "fstat");

	if (r == 0)
		r = model__fstat(priv, fd, out);
	return model__sys_leave(priv, r);
}

static int sys_fstatfs(void *priv, int fd, uint64_t *magic)
{
	int r = model__sys_enter(priv, "fstatfs");

	if (r == 0)
		r = model__fstatfs(priv, fd, magic);
	return model__sys_leave(priv, r);
}

static int sys_mmap(void *priv, void **addr, size_t len, int prot, int flags,
		    int fd, uint64_t offset)
{
	int r = model__sys_enter(priv, "mmap");

	if (r == 0)
		r = model__mmap(priv, addr, len, prot, flags, fd, offset);
	return model__sys_leave(priv, r);
}

static int sys_munmap(void *priv, void *addr, size_t len)
{
	int r;

	if (model__torn(priv))
		return gmem__sys_linux.munmap(NULL, addr, len);
	r = model__sys_enter(priv, "munmap");
	if (r == 0)
		r = model__munmap(priv, addr, len);
	return model__sys_leave(priv, r);
}

static int sys_addressable(void *priv, uint64_t addr, uint64_t len)
{
	(void)priv;
	return gmem__sys_linux.addressable(NULL, addr, len);
}

static int sys_madvise(void *priv, void *addr, size_t len, int advice)
{
	int r = model__sys_enter(priv, "madvise");

	if (r == 0)
		r = model__madvise(priv, addr, len, advice);
	return model__sys_leave(priv, r);
}

static int sys_map_again(void *priv, void *addr, size_t len, void **out)
{
	int r = model__sys_leave(priv, model__sys_enter(priv, "mremap"));

	return r < 0 ? r : gmem__sys_linux.map_again(NULL, addr, len, out);
}

static int sys_mbind(void *priv, void *addr, size_t len, int mode,
		     const unsigned long *nodes, unsigned long maxnode,
		     unsigned int flags)
{
	int r = model__sys_enter(priv, "mbind");

	if (r == 0)
		r = model__mbind(priv, addr, len, mode, nodes, maxnode, flags);
	return model__sys_leave(priv, r);
}

static int sys_get_mempolicy(void *priv, int *mode, unsigned long *nodes,
			     unsigned long maxnode, void *addr,
			     unsigned long flags)
{
	int r = model__sys_enter(priv, "get_mempolicy");

	if (r == 0)
		r = model__get_mempolicy(priv, mode, nodes, maxnode, addr,
					 flags);
	return model__sys_leave(priv, r);
}

static int sys_set_mempolicy(void *priv, int mode, const unsigned long *nodes,
			     unsigned long maxnode)
{
	int r = model__sys_enter(priv, "set_mempolicy");

	if (r == 0)
		r = model__set_mempolicy(priv, mode, nodes, maxnode);
	return model__sys_leave(priv, r);
}

static int sys_get_affinity(void *priv, unsigned long *cpus, size_t bytes)
{
	int r = model__sys_leave(priv,
				 model__sys_enter(priv, "sched_getaffinity"));

	return r < 0 ? r : gmem__sys_linux.get_affinity(NULL, cpus, bytes);
}

static int sys_set_affinity(void *priv, const unsigned long *cpus, size_t bytes)
{
	int r = model__sys_leave(priv,
				 model__sys_enter(priv, "sched_setaffinity"));

	return r < 0 ? r : gmem__sys_linux.set_affinity(NULL, cpus, bytes);
}

static int sys_move_pages(void *priv, size_t n, void **pages, const int *to,
			  int *node)
{
	int r = model__sys_enter(priv, "move_pages");

	if (r == 0)
		r = model__move_pages(priv, n, pages, to, node);
	return model__sys_leave(priv, r);
}

static int sys_set_home_node(void *priv, void *addr, size_t len,
			     unsigned long node)
{
	int r = model__sys_enter(priv, "set_mempolicy_home_node");

	if (r == 0)
		r = model__set_home_node(priv, addr, len, node);
	return model__sys_leave(priv, r);
}

static int sys_mincore(void *priv, void *addr, size_t len, unsigned char *vec)
{
	int r = model__sys_enter(priv, "mincore");

	if (r == 0)
		r = model__mincore(priv, addr, len, vec);
	return model__sys_leave(priv, r);
}

static int sys_fallocate(void *priv, int fd, int mode, uint64_t offset,
			 uint64_t len)
{
	int r = model__sys_enter(priv, "fallocate");

	if (r == 0)
		r = model__fallocate(priv, fd, mode, offset, len);
	return model__sys_leave(priv, r);
}

static int sys_pipe(void *priv, int fd[2])
{
	int r = model__sys_enter(priv, "pipe2");

	if (r == 0)
		r = gmem__sys_linux.pipe(NULL, fd);
	return model__sys_leave(priv, r);
}

static int sys_status_flags(void *priv, int fd)
{
	int r = model__sys_leave(priv, model__sys_enter(priv, "fcntl"));

	return r < 0 ? r : gmem__sys_linux.status_flags(NULL, fd);
}

static int sys_seals(void *priv, int fd)
{
	int r = model__sys_leave(priv, model__sys_enter(priv, "fcntl"));

	return r < 0 ? r : gmem__sys_linux.seals(NULL, fd);
}

static int sys_cachestat(void *priv, int fd, uint64_t offset, uint64_t len,
			 uint64_t *resident)
{
	int r = model__sys_enter(priv, "cachestat");

	if (r == 0)
		r = model__cachestat(priv, fd, offset, len, resident);
	return model__sys_leave(priv, r);
}

static int sys_thread_start(void *priv, pthread_t *t, void *(*fn)(void *),
			    void *arg)
{
	int r = model__sys_leave(priv,
				 model__sys_enter(priv, "pthread_create"));

	return r < 0 ? r : gmem__sys_linux.thread_start(NULL, t, fn, arg);
}

static void sys_thread_join(void *priv, pthread_t t)
{
	(void)priv;
	gmem__sys_linux.thread_join(NULL, t);
}

static void sys_cond_wait(void *priv, pthread_cond_t *c, pthread_mutex_t *m,
			  uint64_t ns)
{
	(void)priv;
	gmem__sys_linux.cond_wait(NULL, c, m, ns);
}

static uint64_t sys_now(void *priv)
{
	(void)priv;
	return gmem__sys_linux.now(NULL);
}

static void sys_sleep_until(void *priv, uint64_t ns)
{
	(void)priv;
	gmem__sys_linux.sleep_until(NULL, ns);
}

/* Handles keep their kernel: it goes with the last of them. */
static void *sys_alloc(void *priv, size_t len)
{
	struct kernel *k = priv;
	int r = model__sys_enter(k, "alloc");
	void *p = r == 0 ? gmem__sys_linux.alloc(NULL, len) : NULL;

	k->holds += p != NULL;
	(void)model__sys_leave(k, 0);
	return p;
}

static void sys_free(void *priv, void *p)
{
	struct kernel *k = priv;

	if (!p)
		return;
	gmem__sys_linux.free(NULL, p);
	if (model__torn(k))
		return;
	model__lock(k);
	k->holds--;
	model__unlock(k);
}

const struct gmem_sys model__sys = {
	.page_size = sys_page_size,
	.is_arm64 = sys_is_arm64,
	.phys_bits = sys_phys_bits,
	.euid = sys_euid,
	.open = sys_open,
	.close = sys_close,
	.set_cloexec = sys_set_cloexec,
	.ioctl = sys_ioctl,
	.fstat = sys_fstat,
	.fstatfs = sys_fstatfs,
	.mmap = sys_mmap,
	.munmap = sys_munmap,
	.addressable = sys_addressable,
	.madvise = sys_madvise,
	.map_again = sys_map_again,
	.mbind = sys_mbind,
	.get_mempolicy = sys_get_mempolicy,
	.set_mempolicy = sys_set_mempolicy,
	.get_affinity = sys_get_affinity,
	.set_affinity = sys_set_affinity,
	.move_pages = sys_move_pages,
	.set_home_node = sys_set_home_node,
	.mincore = sys_mincore,
	.fallocate = sys_fallocate,
	.pipe = sys_pipe,
	.write = model__sys_write,
	.read = model__sys_read,
	.pwrite = model__sys_pwrite,
	.pread = model__sys_pread,
	.send = model__sys_send,
	.lseek = model__sys_lseek,
	.status_flags = sys_status_flags,
	.seals = sys_seals,
	.cachestat = sys_cachestat,
	.vm_read = model__sys_vm_read,
	.vm_write = model__sys_vm_write,
	.thread_start = sys_thread_start,
	.thread_join = sys_thread_join,
	.cond_wait = sys_cond_wait,
	.now = sys_now,
	.sleep_until = sys_sleep_until,
	.alloc = sys_alloc,
	.free = sys_free,
};

#define CALLS 43

_Static_assert(sizeof(struct gmem_sys) == CALLS * sizeof(void (*)(void)),
	       "each call of the seam needs one here");
