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

#include "case.h"

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

int c_cap(struct conform *c, int fd, unsigned long cap)
{
	return c_ioctl(c, fd, UAPI_KVM_CHECK_EXTENSION, (void *)cap);
}

int c_vm(struct conform *c, uint32_t type)
{
	uintptr_t arg = c->arm64 ? 0 : type;
	int fd;

	do {
		fd = c_ioctl(c, c->device, UAPI_KVM_CREATE_VM, (void *)arg);
	} while (fd == -EINTR);
	return keep_fd(c, fd);
}

int c_create(struct conform *c, int vm, uint64_t size, uint64_t flags)
{
	return c_create_order(c, vm, size, flags, 0);
}

int c_create_order(struct conform *c, int vm, uint64_t size, uint64_t flags,
		   unsigned int order)
{
	struct uapi_create args = { .size = size, .flags = flags };

	*(unsigned char *)args.reserved = (unsigned char)order;
	return keep_fd(c, c_ioctl(c, vm, UAPI_KVM_CREATE_GUEST_MEMFD, &args));
}

int c_file(struct conform *c)
{
	return c_create(c, c->vm, PAGES * c->page, c->flags);
}

int c_close(struct conform *c, int fd)
{
	for (unsigned int i = 0; i < c->n_fds; i++)
		if (c->fds[i] == fd) {
			c->fds[i] = c->fds[--c->n_fds];
			break;
		}
	return c_close_fd(c, fd);
}

int c_region2(struct conform *c, int vm, struct uapi_region2 *r)
{
	return c_ioctl(c, vm, UAPI_KVM_SET_USER_MEMORY_REGION2, r);
}

int c_bind(struct conform *c, int vm, uint32_t slot, uint64_t gpa, uint64_t len,
	   int fd, uint64_t offset)
{
	struct uapi_region2 r = {
		.region = { .slot = slot,
			    .flags = UAPI_MEM_GUEST_MEMFD,
			    .guest_phys_addr = gpa,
			    .memory_size = len },
		.guest_memfd_offset = offset,
		.guest_memfd = (uint32_t)fd,
	};

	return c_region2(c, vm, &r);
}

int c_delete(struct conform *c, int vm, uint32_t slot)
{
	struct uapi_region r = { .slot = slot };

	return c_ioctl(c, vm, UAPI_KVM_SET_USER_MEMORY_REGION, &r);
}

int c_attributes(struct conform *c, int vm, uint64_t gpa, uint64_t len,
		 uint64_t attributes)
{
	struct uapi_attributes a = { .address = gpa,
				     .size = len,
				     .attributes = attributes };

	return c_ioctl(c, vm, UAPI_KVM_SET_MEMORY_ATTRIBUTES, &a);
}

int c_attributes2(struct conform *c, int fd, uint64_t offset, uint64_t len,
		  uint64_t attributes, uint64_t *error_offset)
{
	struct uapi_attributes2 a = { .offset = offset,
				      .size = len,
				      .attributes = attributes };
	int r = c_ioctl(c, fd, UAPI_KVM_SET_MEMORY_ATTRIBUTES2, &a);

	if (error_offset)
		*error_offset = a.error_offset;
	return r;
}

int c_mmap(struct conform *c, void **addr, uint64_t len, int prot, int flags,
	   int fd, uint64_t offset)
{
	int r = c_map(c, addr, len, prot, flags, fd, offset);

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

int c_unmap(struct conform *c, void *addr)
{
	uint64_t len;

	for (unsigned int i = 0; i < c->n_maps; i++)
		if (c->maps[i].addr == addr) {
			len = c->maps[i].len;
			c->maps[i] = c->maps[--c->n_maps];
			return c_munmap(c, addr, len);
		}
	return -ENOENT;
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

void c_alarm(struct c_alarm *was, uint32_t after_us, uint32_t every_us)
{
	struct itimerval timer = { { 0, every_us }, { 0, after_us } };
	struct sigaction sa = { .sa_handler = on_alarm,
				.sa_flags = SA_RESTART };
	const struct itimerval none = { 0 };
	sigset_t alarms;

	(void)setitimer(ITIMER_REAL, &none, &was->timer);
	/* The caller may have blocked it. */
	(void)sigemptyset(&alarms);
	(void)sigaddset(&alarms, SIGALRM);
	(void)sigaction(SIGALRM, &sa, &was->action);
	(void)pthread_sigmask(SIG_UNBLOCK, &alarms, &was->mask);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

void c_alarm_end(const struct c_alarm *was)
{
	const struct itimerval none = { 0 };

	(void)setitimer(ITIMER_REAL, &none, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &was->mask, NULL);
	(void)sigaction(SIGALRM, &was->action, NULL);
	(void)setitimer(ITIMER_REAL, &was->timer, NULL);
}

int c_allocate_interrupted(struct conform *c, int fd, uint64_t len)
{
	struct c_alarm was;
	int r;

	if (c->model) {
		r = gmem_model_interrupt(c->model, 8 * c->page, NULL);
		return r < 0 ? r : c_fallocate(c, fd, 1, 0, len);
	}
	/* The first may come before the call begins. */
	c_alarm(&was, SIGNAL_AFTER_US, SIGNAL_AFTER_US);
	r = c_fallocate(c, fd, 1, 0, len);
	c_alarm_end(&was);
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
