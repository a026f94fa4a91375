// SPDX-License-Identifier: MIT
/*
 * The model on a host that lacks a call or fails one: it does without, or says
 * so.  The linker leads those calls here (--wrap).
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <signal.h>
#include <unistd.h>

#include <gmem_model.h>

#include "unit.h"

#include "uapi.h"
#include "uapi_proposed.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* 6.5, the same number everywhere */
#endif

#define KEEP FALLOC_FL_KEEP_SIZE
#define PUNCH (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)
#define PAGES 16
#define HUGE (2 * MiB)

/* What each fails with, 0 = it does not. */
static struct {
	int copying, cachestat, userfaultfd, key, fallocate, ioctl, memfd;
	unsigned int after; /* so many calls of one of the last that succeed */
} host;

ssize_t __real_process_vm_readv(pid_t pid, const struct iovec *l,
				unsigned long ln, const struct iovec *r,
				unsigned long rn, unsigned long flags);
ssize_t __real_process_vm_writev(pid_t pid, const struct iovec *l,
				 unsigned long ln, const struct iovec *r,
				 unsigned long rn, unsigned long flags);
long __real_syscall(long number, ...);
int __real_pthread_key_create(pthread_key_t *key, void (*end)(void *));
int __real_ioctl(int fd, unsigned long request, void *arg);
int __real_memfd_create(const char *name, unsigned int flags);
int __real_fallocate(int fd, int mode, off_t offset, off_t len);
ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *l,
				unsigned long ln, const struct iovec *r,
				unsigned long rn, unsigned long flags);
ssize_t __wrap_process_vm_writev(pid_t pid, const struct iovec *l,
				 unsigned long ln, const struct iovec *r,
				 unsigned long rn, unsigned long flags);
long __wrap_syscall(long number, ...);
int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *));
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_memfd_create(const char *name, unsigned int flags);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t len);

static void mend(void)
{
	memset(&host, 0, sizeof(host));
}

static int fails(int code)
{
	errno = code;
	return -1;
}

ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *l,
				unsigned long ln, const struct iovec *r,
				unsigned long rn, unsigned long flags)
{
	return host.copying ? fails(host.copying)
			    : __real_process_vm_readv(pid, l, ln, r, rn, flags);
}

ssize_t __wrap_process_vm_writev(pid_t pid, const struct iovec *l,
				 unsigned long ln, const struct iovec *r,
				 unsigned long rn, unsigned long flags)
{
	return host.copying
		       ? fails(host.copying)
		       : __real_process_vm_writev(pid, l, ln, r, rn, flags);
}

long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (size_t i = 0; i < T_ARRAY_SIZE(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_cachestat && host.cachestat)
		return fails(host.cachestat);
	if (number == SYS_userfaultfd && host.userfaultfd)
		return fails(host.userfaultfd);
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *))
{
	return host.key ? host.key : __real_pthread_key_create(key, end);
}

/* Once: the next of them succeeds again. */
static bool is_due(int code)
{
	return code && !host.after--;
}

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	int code = host.ioctl;

	if (!is_due(code))
		return __real_ioctl(fd, request, arg);
	mend();
	return fails(code);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	int code = host.memfd;

	if (!is_due(code))
		return __real_memfd_create(name, flags);
	mend();
	return fails(code);
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t len)
{
	int code = host.fallocate;

	if (!is_due(code))
		return __real_fallocate(fd, mode, offset, len);
	mend();
	return fails(code);
}

/* ----------------------------------------------------------- its memory -- */

static int64_t sys(struct unit *m, long number, uint64_t a, uint64_t b,
		   uint64_t c)
{
	const uint64_t arg[6] = { a, b, c };

	return gmem_model_syscall(m->vm, number, arg, NULL);
}

static void without_process_vm_readv_a_pipe_copies(void **state)
{
	static const int codes[] = { ENOSYS, EPERM };
	struct unit *m = *state;
	unsigned int fds = unit_fds();

	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		uint64_t create[8] = { PAGES * m->page, 3 };
		uint64_t vm = (uint64_t)gmem_vm_fd(m->vm);
		struct stat st = { 0 };
		int64_t fd, null;

		host.copying = codes[i];
		fd = sys(m, SYS_ioctl, vm, GMEM__KVM_CREATE_GUEST_MEMFD,
			 (uintptr_t)create);
		assert_true(fd >= 0);
		t_code(sys(m, SYS_fstat, (uint64_t)fd, (uintptr_t)&st, 0), 0);
		assert_int_equal(st.st_size, PAGES * m->page);
		null = sys(m, SYS_openat, (uint64_t)AT_FDCWD,
			   (uintptr_t) "/dev/null", O_WRONLY);
		assert_true(null >= 0);
		assert_int_equal(write((int)null, "x", 1), 1);
		t_code(sys(m, SYS_fstat, (uint64_t)fd, 16, 0), -EFAULT);
		t_code(sys(m, SYS_ioctl, vm, GMEM__KVM_CREATE_GUEST_MEMFD, 16),
		       -EFAULT);
		t_code(sys(m, SYS_close, (uint64_t)null, 0, 0), 0);
		t_code(sys(m, SYS_close, (uint64_t)fd, 0, 0), 0);
		assert_int_equal(unit_fds(), fds);
	}
	/* nor does it say anything else */
	host.copying = EIO;
	t_code(sys(m, SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t) "/dev/null",
		   O_RDONLY),
	       -EFAULT);
	mend();
}

/* --------------------------------------------------------------- kernels -- */

static void a_kernel_that_can_not_be_carried_leaves_nothing(void **state)
{
	struct unit *m = *state;
	unsigned int fds = unit_fds();
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	host.key = EAGAIN;
	t_refused(gmem_model_vm_open("inplace", NULL, &vm, &err), -EAGAIN,
		  GMEM_REASON_KERNEL, err);
	t_refused(gmem_model_vm_open("7.3", NULL, &vm, &err), -EAGAIN,
		  GMEM_REASON_KERNEL, err);
	mend();
	host.userfaultfd = EPERM;
	t_refused(gmem_model_vm_open("inplace", NULL, &vm, &err), -EPERM,
		  GMEM_REASON_KERNEL, err);
	assert_int_equal(err.sys_errno, EPERM);
	assert_non_null(strstr(err.msg, "profile inplace, errno 1"));
	/* only that profile needs it */
	t_ok(gmem_model_vm_open("7.3", NULL, &vm, &err), err);
	t_ok(gmem_vm_destroy(vm, &err), err);
	mend();
	assert_int_equal(unit_fds(), fds);
	(void)m;
}

/* A process has 1024 keys. */
static void a_kernel_that_is_gone_leaves_no_key(void **state)
{
	struct gmem_error err;

	(void)state;
	for (int i = 0; i < 1100; i++) {
		struct gmem_vm *vm = NULL;

		t_ok(gmem_model_vm_open("7.3", NULL, &vm, &err), err);
		t_ok(gmem_vm_destroy(vm, &err), err);
	}
}

/* ------------------------------------------------------------- counting -- */

static int file(struct unit *m)
{
	return gmem_fd(unit_create(m, PAGES * m->page, SHARED_FLAGS));
}

static uint64_t count(struct unit *m, int fd, uint64_t from, uint64_t pages)
{
	struct inode *i = ((struct file *)model__object(m->k, fd))->inode;
	uint64_t n = 99;

	t_code(model__inode_resident(i, from * m->page, pages * m->page, &n),
	       0);
	return n;
}

static int falloc(struct unit *m, int fd, int mode, uint64_t page, uint64_t n)
{
	return model__sys.fallocate(m->k, fd, mode, page * m->page,
				    n * m->page);
}

/* Written to: a page that is only allocated is no data to lseek(2). */
static void without_cachestat_what_was_written_counts(void **state)
{
	struct unit *m = *state;
	int fd = file(m);
	void *p = NULL;
	uint64_t n;

	t_code(model__sys.mmap(m->k, &p, PAGES * m->page,
			       PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
	       0);
	((char *)p)[0] = 1;
	host.cachestat = ENOSYS;
	assert_int_equal(count(m, fd, 0, PAGES), 1);
	mend();
	t_code(falloc(m, fd, PUNCH, 0, 1), 0);
	((char *)p)[2 * m->page] = 1;
	((char *)p)[3 * m->page] = 1;
	((char *)p)[7 * m->page] = 1;
	host.cachestat = ENOSYS;
	assert_int_equal(count(m, fd, 0, PAGES), 3);
	assert_int_equal(count(m, fd, 0, 2), 0);
	assert_int_equal(count(m, fd, 0, 3), 1);
	assert_int_equal(count(m, fd, 3, 4), 1);
	assert_int_equal(count(m, fd, 4, 3), 0);
	assert_int_equal(count(m, fd, 4, 4), 1);
	assert_int_equal(count(m, fd, 7, 1), 1);
	assert_int_equal(count(m, fd, 8, PAGES - 8), 0);
	t_code(model__sys.cachestat(m->k, fd, 0, 0, &n), -ENOSYS);
	mend();
	t_code(model__sys.munmap(m->k, p, PAGES * m->page), 0);
}

static void a_look_that_fails_fails_the_call(void **state)
{
	struct unit *m = *state;
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP,
				      .hugetlb_size = HUGE };
	struct gmem_error err;
	struct gmem *g;
	uint64_t n = 4711;
	int fd;

	unit_open_encoding(m, GMEM_HUGETLB_PAGE_ORDER);
	t_ok(gmem_create(m->vm, 2 * HUGE, &o, &g, &err), err);
	fd = gmem_fd(g);
	t_code(falloc(m, fd, KEEP, 0, 1), 0);
	host.cachestat = EIO;
	t_code(falloc(m, fd, KEEP, 0, 1), -EIO);
	t_code(falloc(m, fd, PUNCH, 0, 1), -EIO);
	t_code(falloc(m, fd, PUNCH, 1, 2 * HUGE / m->page - 2), -EIO);
	t_code(model__sys.cachestat(m->k, fd, 0, 0, &n), -EIO);
	assert_int_equal(n, 4711);
	mend();
	assert_int_equal(count(m, fd, 0, 2 * HUGE / m->page), HUGE / m->page);
}

/* ----------------------------------------------------------- conversion -- */

static int convert(struct unit *m, int fd, uint64_t page, uint64_t n,
		   uint64_t attributes, uint64_t *at)
{
	struct gmem__attributes2 a = { .offset = page * m->page,
				       .size = n * m->page,
				       .error_offset = 4711,
				       .attributes = attributes };
	int r = model__sys.ioctl(m->k, fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2,
				 &a);

	*at = a.error_offset;
	return r;
}

/* A full host is a lack of memory; what moved already is moved back. */
static void a_host_without_room_is_out_of_memory(void **state)
{
	struct unit *m = *state;
	int fd = file(m);
	uint64_t at, end;
	const struct inode *i = ((struct file *)model__object(m->k, fd))->inode;

	host.fallocate = ENOSPC;
	t_code(falloc(m, fd, KEEP, 0, PAGES), -ENOMEM);
	host.fallocate = EINTR;
	t_code(falloc(m, fd, KEEP, 0, PAGES), -EINTR);
	host.cachestat = EIO;
	t_code(falloc(m, fd, KEEP, 0, PAGES), -EIO);
	mend();
	assert_int_equal(count(m, fd, 0, PAGES), 0);
	t_code(falloc(m, fd, KEEP, 0, 1), 0);
	t_code(falloc(m, fd, KEEP, 4, 1), 0);
	for (unsigned int n = 0; n < 2; n++) {
		host.fallocate = EINTR;
		host.after = n;
		t_code(convert(m, fd, 0, PAGES, GMEM__ATTRIBUTE_PRIVATE, &at),
		       -EINTR);
		assert_int_equal(at, 0);
		mend();
		assert_false(model__inode_private(i, 0, &end));
		assert_int_equal(end, UINT64_MAX);
	}
	t_code(convert(m, fd, 0, PAGES, GMEM__ATTRIBUTE_PRIVATE, &at), 0);
	assert_int_equal(at, 4711);
	assert_int_equal(count(m, fd, 0, PAGES), 2);
}

/* A buffer's length at a time: one that fails is not the last. */
static void a_move_ends_where_it_fails(void **state)
{
	struct unit *m = *state;
	uint64_t size = 256 * KiB, at;
	int fd = gmem_fd(unit_create(m, size, SHARED_FLAGS));

	t_code(falloc(m, fd, KEEP, 0, size / m->page), 0);
	for (unsigned int n = 0; n < 4; n++) {
		host.fallocate = EINTR;
		host.after = n;
		t_code(convert(m, fd, 0, size / m->page,
			       GMEM__ATTRIBUTE_PRIVATE, &at),
		       -EINTR);
		mend();
	}
	assert_int_equal(count(m, fd, 0, size / m->page), size / m->page);
}

/* The first run fails, and the second would not. */
static void a_conversion_fails_with_the_first_run_that_does(void **state)
{
	struct unit *m = *state;
	int fd = file(m);
	uint64_t at, end;
	const struct inode *i = ((struct file *)model__object(m->k, fd))->inode;

	t_code(falloc(m, fd, KEEP, 0, PAGES), 0);
	t_code(convert(m, fd, 4, 1, GMEM__ATTRIBUTE_PRIVATE, &at), 0);
	host.fallocate = EINTR;
	t_code(convert(m, fd, 0, PAGES, GMEM__ATTRIBUTE_PRIVATE, &at), -EINTR);
	assert_false(model__inode_private(i, 0, &end));
	assert_int_equal(end, 4 * m->page);
	assert_int_equal(count(m, fd, 0, PAGES), PAGES);
}

static void a_mapping_that_can_not_be_guarded_is_none(void **state)
{
	struct unit *m = *state;
	int fd = file(m);
	void *p = NULL, *q = NULL;
	uint64_t at, end;
	const struct inode *i = ((struct file *)model__object(m->k, fd))->inode;

	t_code(convert(m, fd, 2, 1, GMEM__ATTRIBUTE_PRIVATE, &at), 0);
	t_code(convert(m, fd, 4, 1, GMEM__ATTRIBUTE_PRIVATE, &at), 0);
	for (unsigned int n = 0; n < 2; n++) {
		host.ioctl = ENOMEM;
		host.after = n;
		t_code(model__sys.mmap(m->k, &p, PAGES * m->page, PROT_READ,
				       MAP_SHARED, fd, 0),
		       -ENOMEM);
		assert_int_equal(unit_file_mappings(m), 0);
	}
	t_code(model__sys.mmap(m->k, &p, PAGES * m->page, PROT_READ, MAP_SHARED,
			       fd, 0),
	       0);
	t_code(model__sys.mmap(m->k, &q, PAGES * m->page, PROT_READ, MAP_SHARED,
			       fd, 0),
	       0);
	/* of two mappings either may fail */
	for (unsigned int n = 0; n < 2; n++) {
		host.ioctl = ENOMEM;
		host.after = n;
		t_code(convert(m, fd, 8, 1, GMEM__ATTRIBUTE_PRIVATE, &at),
		       -ENOMEM);
		assert_int_equal(at, 8 * m->page);
		assert_false(model__inode_private(i, 8 * m->page, &end));
	}
	t_code(model__sys.munmap(m->k, p, PAGES * m->page), 0);
	t_code(model__sys.munmap(m->k, q, PAGES * m->page), 0);
}

static void a_file_that_can_not_be_made_leaves_nothing(void **state)
{
	struct unit *m = *state;
	struct gmem__create c = { .size = PAGES * m->page, .flags = 3 };
	unsigned int fds = unit_fds();
	struct rlimit was, limit;
	int r;

	for (unsigned int n = 0; n < 2; n++) {
		host.memfd = EMFILE;
		host.after = n;
		t_code(model__sys.ioctl(m->k, gmem_vm_fd(m->vm),
					GMEM__KVM_CREATE_GUEST_MEMFD, &c),
		       -EMFILE);
		assert_int_equal(unit_fds(), fds);
	}
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = was;
	limit.rlim_cur = m->page;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	r = model__sys.ioctl(m->k, gmem_vm_fd(m->vm),
			     GMEM__KVM_CREATE_GUEST_MEMFD, &c);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	t_code(r, -EFBIG);
	assert_int_equal(unit_fds(), fds);
}

/* 0 is a descriptor like any other, also where the model keeps it. */
static void the_models_own_descriptor_may_be_0(void **state)
{
	int kept = fcntl(0, F_DUPFD_CLOEXEC, 3);
	struct gmem__create c = { .size = 64 * KiB, .flags = 3 };
	struct gmem_vm *vm = NULL;
	struct unit *m = *state;
	struct gmem_error err;
	size_t n;

	(void)close(0);
	host.key = EAGAIN;
	t_refused(gmem_model_vm_open("inplace", NULL, &vm, &err), -EAGAIN,
		  GMEM_REASON_KERNEL, err);
	mend();
	assert_true(fcntl(0, F_GETFD) < 0);
	t_ok(gmem_model_vm_open("inplace", NULL, &vm, &err), err);
	assert_true(fcntl(0, F_GETFD) >= 0);
	t_ok(gmem_vm_destroy(vm, &err), err);
	assert_true(fcntl(0, F_GETFD) < 0);
	t_code(model__sys.ioctl(m->k, gmem_vm_fd(m->vm),
				GMEM__KVM_CREATE_GUEST_MEMFD, &c),
	       0);
	n = m->k->n_fds;
	assert_non_null(model__object(m->k, 0));
	assert_int_equal(m->k->n_fds, n);
	t_code(model__sys.close(m->k, 0), 0);
	assert_int_equal(m->k->n_fds, n - 1);
	if (kept >= 0) {
		assert_int_equal(dup2(kept, 0), 0);
		assert_int_equal(close(kept), 0);
	}
}

static void an_interface_that_is_refused_is_closed(void **state)
{
	unsigned int fds = unit_fds();
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	(void)state;
	host.ioctl = EINVAL;
	t_refused(gmem_model_vm_open("inplace", NULL, &vm, &err), -EINVAL,
		  GMEM_REASON_KERNEL, err);
	mend();
	assert_int_equal(unit_fds(), fds);
}

/* ----------------------------------------------------------------- guest -- */

static void a_store_that_the_host_refuses_is_an_error(void **state)
{
	struct unit *m = *state;
	struct rlimit was, limit;
	struct gmem_error err = { .sz = sizeof(err) };
	char byte = 1;
	int r;

	unit_bind(m, unit_create(m, PAGES * m->page, 0), 0, 8 * GiB);
	assert_ptr_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = was;
	limit.rlim_cur = m->page;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	r = gmem_model_access(m->vm, 8 * GiB + m->page, &byte, 1,
			      GMEM_MODEL_WRITE, NULL, 0, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_ptr_not_equal(signal(SIGXFSZ, SIG_DFL), SIG_ERR);
	t_code(r, -EIO);
	t_reason(&err, GMEM_REASON_KERNEL);
	assert_int_equal(err.value, 8 * GiB + m->page);
	host.fallocate = EINTR;
	t_code(gmem_model_access(m->vm, 8 * GiB, &byte, 1, GMEM_MODEL_WRITE,
				 NULL, 0, &err),
	       -EINTR);
	mend();
	assert_int_equal(unit_guest_read(m, 8 * GiB), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(without_process_vm_readv_a_pipe_copies, unit_default73),
		TEST(a_kernel_that_can_not_be_carried_leaves_nothing,
		     unit_bare),
		TEST(a_kernel_that_is_gone_leaves_no_key, unit_bare),
		TEST(without_cachestat_what_was_written_counts, unit_default73),
		TEST(a_look_that_fails_fails_the_call, unit_bare),
		TEST(a_host_without_room_is_out_of_memory, unit_inplace),
		TEST(a_move_ends_where_it_fails, unit_inplace),
		TEST(a_conversion_fails_with_the_first_run_that_does,
		     unit_inplace),
		TEST(a_mapping_that_can_not_be_guarded_is_none, unit_inplace),
		TEST(a_file_that_can_not_be_made_leaves_nothing, unit_inplace),
		TEST(the_models_own_descriptor_may_be_0, unit_inplace),
		TEST(an_interface_that_is_refused_is_closed, unit_bare),
		TEST(a_store_that_the_host_refuses_is_an_error, unit_sw),
	};

	return t_main(tests);
}
