// SPDX-License-Identifier: MIT
/* A model kernel, how long it lives, and its way to user memory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "model.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1 /* 5.11 */
#endif

#define COOKIE 0x6d6f64656cULL

/* SIGBUS for the touch of a page that is not there: no rights needed. */
static int open_uffd(void)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_MISSING_SHMEM,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	int r;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

static int map_cookie(struct kernel *k)
{
	void *p = mmap(NULL, k->page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	(void)madvise(p, k->page_size, MADV_WIPEONFORK);
	*(uint64_t *)p = COOKIE;
	k->cookie = p;
	return 0;
}

static uint32_t usual_types(uint32_t machine)
{
	return machine == GMEM_MODEL_X86 ? 0x3 : 0x1;
}

int model__kernel_new(const struct profile *profile,
		      const struct gmem_model_opts *opts, struct kernel **out)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->profile = profile;
	k->machine = opts->machine;
	k->types = opts->vm_types ? opts->vm_types : usual_types(opts->machine);
	k->nodes = opts->nodes ? opts->nodes : 1;
	k->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	k->uffd = -1;
	model__pools_fill(k);
	r = map_cookie(k);
	if (r < 0)
		goto err_free;
	if (model__has(k, MODEL_IN_PLACE)) {
		r = open_uffd();
		if (r < 0)
			goto err_cookie;
		k->uffd = r;
	}
	r = -pthread_key_create(&k->task_policy, free);
	if (r < 0)
		goto err_uffd;
	(void)pthread_mutex_init(&k->lock, NULL);
	(void)pthread_mutex_init(&k->child_lock, NULL);
	k->holds = 1;
	*out = k;
	return 0;
err_uffd:
	if (k->uffd >= 0)
		(void)close(k->uffd);
err_cookie:
	(void)munmap((void *)(uintptr_t)k->cookie, k->page_size);
err_free:
	free(k);
	return r;
}

static void kernel_free(struct kernel *k)
{
	free(pthread_getspecific(k->task_policy));
	(void)pthread_key_delete(k->task_policy);
	(void)pthread_mutex_destroy(&k->lock);
	(void)pthread_mutex_destroy(&k->child_lock);
	if (k->uffd >= 0)
		(void)close(k->uffd);
	(void)munmap((void *)(uintptr_t)k->cookie, k->page_size);
	model__ranges_free(&k->vma_policy);
	model__objects_free(k);
	model__failures_free(k);
	free(k);
}

/* Another thread may have had the lock when a child was made. */
void model__lock(struct kernel *k)
{
	if (model__forked(k)) {
		(void)pthread_mutex_lock(&k->child_lock);
		return;
	}
	(void)pthread_mutex_lock(&k->lock);
	k->busy = true;
}

void model__unlock(struct kernel *k)
{
	bool last = k->holds == 0;

	if (model__forked(k)) {
		(void)pthread_mutex_unlock(&k->child_lock);
	} else {
		k->busy = false;
		(void)pthread_mutex_unlock(&k->lock);
	}
	if (last)
		kernel_free(k);
}

bool model__torn(const struct kernel *k)
{
	return model__forked(k) && k->busy;
}

bool model__forked(const struct kernel *k)
{
	return *k->cookie == 0;
}

/* As process_vm_readv(2), which a kernel may lack or a filter forbid. */
static int64_t copy_by_pipe(void *to, const void *from, size_t len)
{
	int fd[2], r = gmem__sys_linux.pipe(NULL, fd);
	int64_t n;

	if (r < 0)
		return r;
	n = gmem__sys_linux.write(NULL, fd[1], from, len);
	if (n > 0)
		n = gmem__sys_linux.read(NULL, fd[0], to, (size_t)n);
	(void)close(fd[0]);
	(void)close(fd[1]);
	return n;
}

static int copied(int64_t n, void *to, const void *from, size_t len)
{
	if (n == -ENOSYS || n == -EPERM)
		n = copy_by_pipe(to, from, len);
	return n == (int64_t)len ? 0 : -EFAULT;
}

int model__copy_in(void *to, const void *from, size_t len)
{
	return copied(gmem__sys_linux.vm_read(NULL, to, from, len), to, from,
		      len);
}

int model__copy_out(void *to, const void *from, size_t len)
{
	return copied(gmem__sys_linux.vm_write(NULL, to, from, len), to, from,
		      len);
}
