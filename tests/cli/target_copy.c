// SPDX-License-Identifier: MIT
/*
 * Why no descriptor of another process can be copied, whatever the kernel
 * answers and /proc says of Yama.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "folders.h"
#include "hooked.h"
#include "t.h"
#include "target/target.h"

#define YAMA "/proc/sys/kernel/yama/ptrace_scope"
#define MAY_NOT "descriptor 5 of process 77 may not be copied: "

static const char *const folders[] = { "/proc", NULL };
static bool mounted;
static int open_errno, copy_errno; /* 0: it succeeds */
static int process, copied;	   /* the descriptors that it then gives */

static long answer(const struct hooked *call)
{
	const bool opens = call->number == SYS_pidfd_open;
	int fails = opens ? open_errno : copy_errno;
	int *fd = opens ? &process : &copied;

	if (!opens && call->number != SYS_pidfd_getfd)
		return hooked_pass(call);
	if (!fails)
		*fd = open("/", O_RDONLY | O_CLOEXEC);
	errno = fails;
	return fails ? -1 : *fd;
}

static int setup(void **state)
{
	(void)state;
	open_errno = copy_errno = 0;
	hooked_syscall = answer;
	mounted = folders_mount(folders);
	return 0;
}

static void trace(bool yes)
{
	const cap_value_t cap = CAP_SYS_PTRACE;
	cap_t mine = cap_get_proc();
	int r;

	assert_non_null(mine);
	r = cap_set_flag(mine, CAP_EFFECTIVE, 1, &cap,
			 yes ? CAP_SET : CAP_CLEAR) ||
	    cap_set_proc(mine);
	cap_free(mine);
	if (r)
		t_skip("root", "it cannot have cap_sys_ptrace");
}

static int teardown(void **state)
{
	(void)state;
	if (mounted)
		folders_unmount(folders);
	return 0;
}

static void refused(int errnum, const char *want)
{
	char why[TARGET_WHY] = "";

	copy_errno = errnum;
	assert_int_equal(target_copy(77, 5, why), -errnum);
	assert_string_equal(why, want);
	/* the process is not held on to */
	assert_int_equal(fcntl(process, F_GETFD), -1);
}

static void a_copy(void **state)
{
	char why[TARGET_WHY];
	int fd;

	(void)state;
	fd = target_copy(77, 5, why);
	assert_int_equal(fd, copied);
	assert_int_equal(fcntl(process, F_GETFD), -1);
	(void)close(copied);
}

static void no_process(void **state)
{
	char why[TARGET_WHY] = "";

	(void)state;
	open_errno = ESRCH;
	assert_int_equal(target_copy(77, 5, why), -ESRCH);
	assert_string_equal(why, "process 77");
}

static void no_descriptor(void **state)
{
	(void)state;
	refused(EBADF, "descriptor 5 of process 77");
}

static void refused_even_to_root(void **state)
{
	static const char any[] =
		MAY_NOT "refused even to cap_sys_ptrace, by a security module, "
			"a seccomp filter or a user namespace";

	(void)state;
	folders_needed(mounted);
	trace(true);
	refused(EPERM, any);
	refused(EACCES, any);
	write_file(YAMA, "2\n");
	refused(EPERM, any);
	write_file(YAMA, "3\n");
	refused(EPERM, MAY_NOT "kernel.yama.ptrace_scope is 3");
	assert_int_equal(yama_scope(), 3);
	write_file(YAMA, "10\n");
	assert_int_equal(yama_scope(), 10);
	write_file(YAMA, "");
	assert_int_equal(yama_scope(), 0);
}

static void refused_without_a_capability(void **state)
{
	(void)state;
	folders_needed(mounted);
	trace(false);
	refused(EPERM, MAY_NOT "this needs cap_sys_ptrace");
	write_file(YAMA, "0\n");
	refused(EPERM, MAY_NOT "this needs cap_sys_ptrace");
	write_file(YAMA, "1\n");
	refused(EPERM, MAY_NOT "kernel.yama.ptrace_scope is 1, so this needs "
			       "cap_sys_ptrace");
	write_file(YAMA, "2\n");
	refused(EPERM, MAY_NOT "kernel.yama.ptrace_scope is 2, so this needs "
			       "cap_sys_ptrace");
	write_file(YAMA, "3\n");
	refused(EPERM, MAY_NOT "kernel.yama.ptrace_scope is 3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_copy),
		TEST(no_process),
		TEST(no_descriptor),
		TEST(refused_even_to_root),
		TEST(refused_without_a_capability),
	};

	return t_main(tests);
}
