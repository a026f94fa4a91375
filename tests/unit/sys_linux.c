// SPDX-License-Identifier: MIT
/* The real system calls, as far as they need neither KVM nor a right. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "t.h"

#include "sys.h"

static const struct gmem_sys *const sys = &gmem__sys_linux;

static bool cloexec(int fd)
{
	return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static void it_tells_what_the_host_is(void **state)
{
	struct utsname u;
	unsigned int bits = sys->phys_bits(NULL);

	(void)state;
	assert_int_equal(uname(&u), 0);
	assert_int_equal(sys->is_arm64(NULL), !strcmp(u.machine, "aarch64"));
	assert_int_equal(sys->page_size(NULL), sysconf(_SC_PAGESIZE));
	assert_int_equal(sys->euid(NULL), geteuid());
	assert_true(bits == 0 || (bits >= 32 && bits <= 64));
}

/* Also with a signal each 200 us. */
static void a_sleep_lasts_whatever_signals_come(void **state)
{
	sigset_t none;
	uint64_t until;

	(void)state;
	(void)sigemptyset(&none);
	t_storm(200);
	/* One comes before the sleep begins, however late it is. */
	while (!t_storm_signals())
		(void)sigsuspend(&none);
	until = sys->now(NULL) + 20000000;
	sys->sleep_until(NULL, until);
	t_storm_end();
	assert_true(sys->now(NULL) >= until);
	sys->sleep_until(NULL, until); /* it is over */
}

/* Whatever the caller's variable has in it is no wish. */
static void memory_lies_where_the_kernel_likes_unless_fixed(void **state)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *area = NULL, *p, *middle;

	(void)state;
	t_code(sys->mmap(NULL, &area, 64 * page, PROT_NONE, flags, -1, 0), 0);
	t_code(sys->munmap(NULL, area, 64 * page), 0);
	/* It fills a hole from one of its ends. */
	p = middle = (char *)area + 32 * page;
	t_code(sys->mmap(NULL, &p, page, PROT_NONE, flags, -1, 0), 0);
	assert_ptr_not_equal(p, middle);
	t_code(sys->munmap(NULL, p, page), 0);
}

static void a_failure_is_minus_errno(void **state)
{
	struct gmem__stat st;
	uint64_t magic;
	_Alignas(2) char byte = 0; /* behind it is no page */
	void *p;

	(void)state;
	t_code(sys->open(NULL, "/nonexistent", O_RDONLY), -ENOENT);
	t_code(sys->close(NULL, -1), -EBADF);
	t_code(sys->set_cloexec(NULL, -1), -EBADF);
	t_code(sys->ioctl(NULL, -1, 0xae00, NULL), -EBADF);
	t_code(sys->fstat(NULL, -1, &st), -EBADF);
	t_code(sys->fstatfs(NULL, -1, &magic), -EBADF);
	t_code(sys->mmap(NULL, &p, 0, PROT_READ, MAP_SHARED, -1, 0), -EBADF);
	t_code(sys->munmap(NULL, &byte, 1), -EINVAL);
	t_code(sys->madvise(NULL, NULL, 4096, 9999), -EINVAL);
	t_code(sys->mincore(NULL, &byte + 1, 1, NULL), -EINVAL);
	t_code(sys->fallocate(NULL, -1, 0, 0, 1), -EBADF);
	t_code(sys->read(NULL, -1, &byte, 1), -EBADF);
	t_code(sys->write(NULL, -1, &byte, 1), -EBADF);
	t_code((int)sys->pread(NULL, -1, &byte, 1, 0), -EBADF);
	t_code((int)sys->pwrite(NULL, -1, &byte, 1, 0), -EBADF);
	t_code((int)sys->send(NULL, -1, &byte, 1), -EBADF);
	t_code((int)sys->lseek(NULL, -1, 0, SEEK_CUR), -EBADF);
	t_code(sys->status_flags(NULL, -1), -EBADF);
	t_code(sys->seals(NULL, -1), -EBADF);
	t_code(sys->map_again(NULL, &byte + 1, 4096, &p), -EINVAL);
	t_code(sys->vm_read(NULL, &byte, NULL, 1), -EFAULT);
	t_code(sys->vm_write(NULL, NULL, &byte, 1), -EFAULT);
}

/* ENOSYS: a kernel without NUMA. */
static void a_policy_that_is_none_is_refused(void **state)
{
	int r;

	(void)state;
	r = sys->set_mempolicy(NULL, 4711, NULL, 0);
	assert_true(r == -EINVAL || r == -ENOSYS);
	r = sys->mbind(NULL, NULL, 4096, 4711, NULL, 0, 0);
	assert_true(r == -EINVAL || r == -ENOSYS);
	r = sys->get_mempolicy(NULL, NULL, NULL, 0, NULL, 4711);
	assert_true(r == -EINVAL || r == -ENOSYS);
}

static void a_thread_can_be_pinned_where_it_may_run(void **state)
{
	unsigned long cpus[1024 / sizeof(unsigned long)] = { 0 }, none = 0;

	(void)state;
	assert_true(sys->get_affinity(NULL, cpus, sizeof(cpus)) > 0);
	t_code(sys->set_affinity(NULL, cpus, sizeof(cpus)), 0);
	t_code(sys->set_affinity(NULL, &none, sizeof(none)), -EINVAL);
	t_code(sys->get_affinity(NULL, cpus, 1), -EINVAL);
}

static void what_is_opened_closes_on_exec(void **state)
{
	int fd = sys->open(NULL, "/dev/null", O_RDWR), ends[2];

	(void)state;
	assert_true(fd >= 0);
	assert_true(cloexec(fd));
	t_code(sys->ioctl(NULL, fd, 0xae00, NULL), -ENOTTY);
	assert_int_equal(fcntl(fd, F_SETFD, 0), 0);
	t_code(sys->set_cloexec(NULL, fd), 0);
	assert_true(cloexec(fd));
	t_code(sys->close(NULL, fd), 0);

	t_code(sys->pipe(NULL, ends), 0);
	assert_true(cloexec(ends[0]) && cloexec(ends[1]));
	t_code(sys->close(NULL, ends[0]), 0);
	t_code(sys->close(NULL, ends[1]), 0);
}

static void a_pipe_never_blocks(void **state)
{
	char buf[4] = "";
	int ends[2];

	(void)state;
	t_code(sys->pipe(NULL, ends), 0);
	t_code(sys->read(NULL, ends[0], buf, sizeof(buf)), -EAGAIN);
	t_code(sys->write(NULL, ends[1], "abc", 3), 3);
	t_code(sys->read(NULL, ends[0], buf, sizeof(buf)), 3);
	assert_string_equal(buf, "abc");
	t_code(sys->close(NULL, ends[0]), 0);
	t_code(sys->close(NULL, ends[1]), 0);
}

/* Beyond 4 GiB too. */
static void offsets_are_the_files(void **state)
{
	const uint64_t at = 5ULL << 32;
	int fd = memfd_create("offsets", MFD_CLOEXEC);
	char buf[4] = "";

	(void)state;
	assert_true(fd >= 0);
	t_code((int)sys->pwrite(NULL, fd, "abc", 3, at), 3);
	t_code((int)sys->pread(NULL, fd, buf, sizeof(buf), at), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(sys->lseek(NULL, fd, 0, SEEK_CUR), 0);
	assert_int_equal(sys->lseek(NULL, fd, 0, SEEK_DATA), at);
	assert_int_equal(sys->lseek(NULL, fd, 0, SEEK_END), at + 3);
	assert_int_equal(sys->status_flags(NULL, fd) & O_APPEND, 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	assert_int_equal(sys->status_flags(NULL, fd) & O_APPEND, O_APPEND);
	t_code(sys->close(NULL, fd), 0);
}

static volatile sig_atomic_t pipes;

static void count_pipe(int sig)
{
	(void)sig;
	pipes++;
}

static void a_socket_that_is_closed_is_an_error_and_no_signal(void **state)
{
	void (*before)(int) = signal(SIGPIPE, count_pipe);
	char byte = 7;
	int ends[2];

	(void)state;
	pipes = 0;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	t_code((int)sys->send(NULL, ends[0], "x", 1), 1);
	t_code((int)sys->read(NULL, ends[1], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	t_code(sys->close(NULL, ends[1]), 0);
	t_code((int)sys->send(NULL, ends[0], "x", 1), -EPIPE);
	t_code(sys->close(NULL, ends[0]), 0);
	assert_int_equal(pipes, 0);
	assert_true(signal(SIGPIPE, before) == count_pipe);
}

static void *mask_of(void *arg)
{
	(void)pthread_sigmask(SIG_SETMASK, NULL, arg);
	return NULL;
}

static void a_thread_takes_no_signal_of_the_callers(void **state)
{
	sigset_t before, in_thread, after;
	pthread_t t;

	(void)state;
	(void)sigemptyset(&in_thread);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &before);
	t_code(sys->thread_start(NULL, &t, mask_of, &in_thread), 0);
	sys->thread_join(NULL, t);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int sig = 1; sig < 32; sig++) {
		bool never = sig == SIGKILL || sig == SIGSTOP;

		assert_int_equal(sigismember(&in_thread, sig), !never);
		assert_int_equal(sigismember(&after, sig),
				 sigismember(&before, sig));
	}
}

static void no_device_is_taken_for_kvm(void **state)
{
	struct gmem_vm_opts o = { .sz = sizeof(o), .device = "/dev/null" };
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	(void)state;
	t_refused(gmem_vm_open(&o, &vm, &err), -EINVAL, GMEM_REASON_NOT_KVM,
		  err);
	o.device = "/nonexistent";
	t_refused(gmem_vm_open(&o, &vm, &err), -ENOENT, GMEM_REASON_NO_DEVICE,
		  err);
	assert_null(vm);
}

static void no_file_is_taken_for_a_vm(void **state)
{
	int fd = sys->open(NULL, "/dev/null", O_RDWR);
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	(void)state;
	t_refused(gmem_vm_adopt(-1, NULL, &vm, &err), -EBADF,
		  GMEM_REASON_BAD_FD, err);
	t_refused(gmem_vm_adopt(fd, NULL, &vm, &err), -EINVAL,
		  GMEM_REASON_NOT_A_VM, err);
	assert_null(vm);
	t_code(sys->close(NULL, fd), 0);
}

/* Of addresses above those that programs get, it asks the kernel. */
static void what_is_mapped_is_addressable(void **state)
{
	struct rlimit was, none = { 0 };
	uint64_t page = sys->page_size(NULL), name = getauxval(AT_EXECFN);
	int beyond, unknown;

	(void)state;
	assert_true(name > getauxval(AT_RANDOM));
	assert_int_equal(sys->addressable(NULL, name - name % page, page), 1);
	/* Without room for a mapping nothing is known, so nothing refused. */
	assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
	none.rlim_max = was.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	unknown = sys->addressable(NULL, 1ULL << 60, page);
	assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
	beyond = sys->addressable(NULL, 1ULL << 60, page);
	assert_int_equal(unknown, 1);
	assert_int_equal(beyond, 0);
}

static void a_question_for_an_address_leaves_no_mapping(void **state)
{
	uint64_t page = sys->page_size(NULL), addr = getauxval(AT_EXECFN);
	unsigned char there;

	(void)state;
	/* the first page above the stack and what is next to it */
	addr -= addr % page;
	while (mincore((void *)(uintptr_t)addr, page, &there) == 0)
		addr += page;
	errno = EIO;
	(void)sys->addressable(NULL, addr, page);
	assert_int_equal(mincore((void *)(uintptr_t)addr, page, &there), -1);
	assert_int_equal(errno, ENOMEM);
}

/* As in a program whose filter forbids to sleep. */
static void sleep_forbidden(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_nanosleep, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { T_ARRAY_SIZE(rules), rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		_exit(77);
	(void)alarm(120);
	sys->sleep_until(NULL, UINT64_MAX / 2);
	_exit(0);
}

static void a_sleep_that_is_forbidden_is_none(void **state)
{
	pid_t pid = fork();
	int status = 0;

	(void)state;
	if (!pid)
		sleep_forbidden();
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		t_skip("seccomp", "no filter can be installed");
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* By the clock that the others go by, until then and no longer. */
static void a_wait_ends_without_a_signal(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_condattr_t attr;
	pthread_cond_t cond;
	uint64_t until;

	(void)state;
	assert_int_equal(pthread_condattr_init(&attr), 0);
	assert_int_equal(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), 0);
	assert_int_equal(pthread_cond_init(&cond, &attr), 0);
	assert_int_equal(pthread_mutex_lock(&lock), 0);
	until = sys->now(NULL) + 20000000;
	sys->cond_wait(NULL, &cond, &lock, 20000000);
	assert_true(sys->now(NULL) >= until);
	assert_int_equal(pthread_mutex_unlock(&lock), 0);
	assert_int_equal(pthread_cond_destroy(&cond), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_tells_what_the_host_is),
		cmocka_unit_test(a_sleep_lasts_whatever_signals_come),
		cmocka_unit_test(
			memory_lies_where_the_kernel_likes_unless_fixed),
		cmocka_unit_test(a_failure_is_minus_errno),
		cmocka_unit_test(a_policy_that_is_none_is_refused),
		cmocka_unit_test(a_thread_can_be_pinned_where_it_may_run),
		cmocka_unit_test(what_is_opened_closes_on_exec),
		cmocka_unit_test(a_pipe_never_blocks),
		cmocka_unit_test(offsets_are_the_files),
		cmocka_unit_test(
			a_socket_that_is_closed_is_an_error_and_no_signal),
		cmocka_unit_test(a_thread_takes_no_signal_of_the_callers),
		cmocka_unit_test(no_device_is_taken_for_kvm),
		cmocka_unit_test(no_file_is_taken_for_a_vm),
		cmocka_unit_test(what_is_mapped_is_addressable),
		cmocka_unit_test(a_question_for_an_address_leaves_no_mapping),
		cmocka_unit_test(a_sleep_that_is_forbidden_is_none),
		cmocka_unit_test(a_wait_ends_without_a_signal),
	};

	return t_main(tests);
}
