// SPDX-License-Identifier: MIT
/* The calls as the cases make them, and what they leave to clean up. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"

#define SIGNAL_AFTER_US 3000

void conform_fail(struct conform *c, const char *call, long long got,
		  long long want)
{
	if (c->failure[0])
		return;
	(void)snprintf(c->failure, sizeof(c->failure),
		       "%s gives %lld, expected %lld", call, got, want);
}

static int keep_fd(struct conform *c, int fd)
{
	if (fd >= 0 && c->n_fds < ARRAY_SIZE(c->fds))
		c->fds[c->n_fds++] = fd;
	return fd;
}

int c_ioctl(struct conform *c, int fd, unsigned long request, void *arg)
{
	return c->sys->ioctl(c->priv, fd, request, arg);
}

int c_cap(struct conform *c, int fd, unsigned long cap)
{
	return c_ioctl(c, fd, GMEM__KVM_CHECK_EXTENSION, (void *)cap);
}

int c_vm(struct conform *c, uint32_t type)
{
	uintptr_t arg = c->arm64 ? 0 : type;
	int fd;

	do {
		fd = c_ioctl(c, c->device, GMEM__KVM_CREATE_VM, (void *)arg);
	} while (fd == -EINTR);
	return keep_fd(c, fd);
}

int c_create(struct conform *c, int vm, uint64_t size, uint64_t flags)
{
	struct gmem__create args = { .size = size, .flags = flags };

	return keep_fd(c, c_ioctl(c, vm, GMEM__KVM_CREATE_GUEST_MEMFD, &args));
}

int c_file(struct conform *c)
{
	return c_create(c, c->vm, PAGES * c->page, c->flags);
}

int c_close(struct conform *c, int fd)
{
	bool found = false;

	for (unsigned int i = 0; i < c->n_fds; i++)
		if (c->fds[i] == fd) {
			c->fds[i] = c->fds[--c->n_fds];
			found = true;
			break;
		}
	return found || fd >= 0 ? c->sys->close(c->priv, fd) : -EBADF;
}

int c_region2(struct conform *c, int vm, struct gmem__region2 *r)
{
	return c_ioctl(c, vm, GMEM__KVM_SET_USER_MEMORY_REGION2, r);
}

int c_bind(struct conform *c, int vm, uint32_t slot, uint64_t gpa, uint64_t len,
	   int fd, uint64_t offset)
{
	struct gmem__region2 r = {
		.region = { .slot = slot,
			    .flags = GMEM__MEM_GUEST_MEMFD,
			    .guest_phys_addr = gpa,
			    .memory_size = len },
		.guest_memfd_offset = offset,
		.guest_memfd = (uint32_t)fd,
	};

	return c_region2(c, vm, &r);
}

int c_delete(struct conform *c, int vm, uint32_t slot)
{
	struct gmem__region r = { .slot = slot };

	return c_ioctl(c, vm, GMEM__KVM_SET_USER_MEMORY_REGION, &r);
}

int c_attributes(struct conform *c, int vm, uint64_t gpa, uint64_t len,
		 uint64_t attributes)
{
	struct gmem__attributes a = { .address = gpa,
				      .size = len,
				      .attributes = attributes };

	return c_ioctl(c, vm, GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a);
}

int c_attributes2(struct conform *c, int fd, uint64_t offset, uint64_t len,
		  uint64_t attributes, uint64_t *error_offset)
{
	struct gmem__attributes2 a = { .offset = offset,
				       .size = len,
				       .attributes = attributes };
	int r = c_ioctl(c, fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a);

	if (error_offset)
		*error_offset = a.error_offset;
	return r;
}

int c_mmap(struct conform *c, void **addr, uint64_t len, int prot, int flags,
	   int fd, uint64_t offset)
{
	int r = c->sys->mmap(c->priv, addr, len, prot, flags, fd, offset);

	if (r == 0 && c->n_maps < ARRAY_SIZE(c->maps)) {
		c->maps[c->n_maps].addr = *addr;
		c->maps[c->n_maps++].len = len;
	}
	return r;
}

int c_view(struct conform *c, int fd, unsigned char **p)
{
	void *addr;
	int r = c_mmap(c, &addr, PAGES * c->page, PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, 0);

	if (r == 0)
		*p = addr;
	return r;
}

void c_unmap(struct conform *c, void *addr)
{
	for (unsigned int i = 0; i < c->n_maps; i++)
		if (c->maps[i].addr == addr) {
			c->maps[i] = c->maps[--c->n_maps];
			return;
		}
}

int64_t c_resident(struct conform *c, int fd, uint64_t offset, uint64_t len)
{
	uint64_t n;
	int r = c->sys->cachestat(c->priv, fd, offset, len, &n);

	return r < 0 ? r : (int64_t)n;
}

static int64_t copy_by_pipe(struct conform *c, void *to, const void *from,
			    size_t len)
{
	int ends[2], r = c->sys->pipe(c->priv, ends);
	int64_t n;

	if (r < 0)
		return r;
	n = c->sys->write(c->priv, ends[1], from, len);
	if (n > 0)
		n = c->sys->read(c->priv, ends[0], to, (size_t)n);
	(void)c->sys->close(c->priv, ends[0]);
	(void)c->sys->close(c->priv, ends[1]);
	return n;
}

int64_t c_read(struct conform *c, void *to, const void *from, size_t len)
{
	int64_t n = c->sys->vm_read(c->priv, to, from, len);

	return n == -ENOSYS ? copy_by_pipe(c, to, from, len) : n;
}

int64_t c_write(struct conform *c, void *to, const void *from, size_t len)
{
	int64_t n = c->sys->vm_write(c->priv, to, from, len);

	return n == -ENOSYS ? copy_by_pipe(c, to, from, len) : n;
}

int c_fallocate(struct conform *c, int fd, int mode, uint64_t offset,
		uint64_t len)
{
	return c->sys->fallocate(c->priv, fd, mode, offset, len);
}

static sigjmp_buf back;
static volatile sig_atomic_t bus_code;
static void *volatile bus_addr;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	bus_code = info->si_code;
	bus_addr = info->si_addr;
	siglongjmp(back, 1);
}

int c_touch(unsigned char *at, bool write)
{
	struct sigaction sa = { .sa_sigaction = on_bus,
				.sa_flags = SA_SIGINFO };
	volatile unsigned char *p = at;
	struct sigaction old;
	int code = 0;

	(void)sigaction(SIGBUS, &sa, &old);
	if (sigsetjmp(back, 1) == 0) {
		if (write)
			*p = *p + 1;
		else
			(void)*p;
	} else {
		code = bus_addr == at ? bus_code : -EFAULT;
	}
	(void)sigaction(SIGBUS, &old, NULL);
	return code;
}

static void on_alarm(int sig)
{
	(void)sig;
}

int c_allocate_interrupted(struct conform *c, int fd, uint64_t len)
{
	struct itimerval soon = { .it_value = { 0, SIGNAL_AFTER_US } }, off;
	struct sigaction sa = { .sa_handler = on_alarm,
				.sa_flags = SA_RESTART };
	int r;

	if (c->model) {
		r = gmem_model_interrupt(c->model, 8 * c->page, NULL);
		return r < 0 ? r : c_fallocate(c, fd, 1, 0, len);
	}
	memset(&off, 0, sizeof(off));
	(void)sigaction(SIGALRM, &sa, NULL);
	(void)setitimer(ITIMER_REAL, &soon, NULL);
	r = c_fallocate(c, fd, 1, 0, len);
	(void)setitimer(ITIMER_REAL, &off, NULL);
	return r;
}

int c_child(struct conform *c, int (*fn)(struct conform *c, int fd), int fd)
{
	int ends[2], r = -ECHILD;
	pid_t pid;

	if (pipe(ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		r = fn(c, fd);
		_exit(write(ends[1], &r, sizeof(r)) != sizeof(r));
	}
	(void)close(ends[1]);
	if (pid < 0 || read(ends[0], &r, sizeof(r)) != sizeof(r))
		r = -ECHILD;
	(void)close(ends[0]);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return r;
}
