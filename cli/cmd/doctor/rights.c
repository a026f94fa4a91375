// SPDX-License-Identifier: MIT
/* What this process may do: each claim is tried, in a child where it may kill.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/doctor/doctor.h"
#include "report/error.h"
#include "table/array.h"
#include "target/target.h"

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

bool has_proc(void)
{
	return !access("/proc/self/stat", F_OK);
}

/* -------------------------------------------------------- other processes --
 */

void check_rights(const struct patient *p, struct finding *f)
{
	const char *lacks = priv_lacks_sight();
	char text[8];

	(void)p;
	if (!has_proc())
		say(f, VERDICT_WARN, "mount /proc",
		    "there is no /proc: gmemctl ps sees no process");
	else if (lacks)
		say(f, VERDICT_WARN,
		    "run gmemctl ps with cap_sys_ptrace and "
		    "cap_dac_read_search to see all of the machine",
		    "no %s: gmemctl ps sees only processes of this user",
		    lacks);
	else if (readlink("/proc/1/exe", text, sizeof(text)) < 0)
		say(f, VERDICT_WARN,
		    "run gmemctl ps outside of the user namespace, the "
		    "container or the security module that confines it",
		    "process 1 cannot be looked into even with "
		    "cap_sys_ptrace: gmemctl ps does not see every process");
	else
		say(f, VERDICT_OK, "",
		    "cap_sys_ptrace, cap_dac_read_search: gmemctl ps sees the "
		    "processes of all users");
}

/* Its capabilities do not count for processes outside. */
static bool in_user_namespace(void)
{
	unsigned long inside, outside, n;
	char line[64], *end;

	if (!read_line("/proc/self/uid_map", line, sizeof(line)))
		return false;
	inside = strtoul(line, &end, 10);
	outside = strtoul(end, &end, 10);
	n = strtoul(end, NULL, 10);
	return inside || outside || n != UINT32_MAX;
}

void check_copies(const struct patient *p, struct finding *f)
{
	char why[TARGET_WHY];
	unsigned int scope = yama_scope();
	int fd = target_copy(getpid(), STDERR_FILENO, why);

	(void)p;
	if (fd >= 0)
		(void)close(fd);
	if (fd < 0)
		say(f, VERDICT_WARN, "allow pidfd_open and pidfd_getfd",
		    "pidfd_getfd fails with %s even on this process: --pid "
		    "fails, and gmemctl ps counts no pages",
		    errno_name(-fd));
	else if (scope > 2)
		say(f, VERDICT_WARN,
		    "boot with another kernel.yama.ptrace_scope: this one "
		    "cannot be lowered",
		    "kernel.yama.ptrace_scope is %u: --pid fails, and gmemctl "
		    "ps counts no pages",
		    scope);
	else if (scope && !priv_has(CAP_SYS_PTRACE))
		say(f, VERDICT_WARN,
		    "run gmemctl with cap_sys_ptrace, or set "
		    "kernel.yama.ptrace_scope to 0",
		    "kernel.yama.ptrace_scope is %u: without cap_sys_ptrace "
		    "--pid fails, and gmemctl ps counts no pages",
		    scope);
	else if (in_user_namespace())
		say(f, VERDICT_WARN,
		    "run gmemctl outside of it for other processes",
		    "this is a user namespace: --pid works only on processes "
		    "in it");
	else
		say(f, VERDICT_OK, "", "--pid works on processes of %s",
		    priv_has(CAP_SYS_PTRACE) ? "all users" : "this user");
}

/* --------------------------------------------------------------- seccomp -- */

/* System calls that filters refuse, with arguments that change nothing. */
static const struct {
	const char *name;
	long number, args[6];
} tried[] = {
	{ "mbind", SYS_mbind, { 0 } },
	{ "get_mempolicy", SYS_get_mempolicy, { 0 } },
	{ "set_mempolicy", SYS_set_mempolicy, { -1 } },
	{ "set_mempolicy_home_node", SYS_set_mempolicy_home_node, { 0 } },
	{ "move_pages", SYS_move_pages, { 0 } },
	{ "sched_setaffinity", SYS_sched_setaffinity, { 0 } },
	{ "cachestat", SYS_cachestat, { -1 } },
	{ "mincore", SYS_mincore, { 0 } },
	{ "fallocate", SYS_fallocate, { -1 } },
	{ "process_vm_readv", SYS_process_vm_readv, { 0 } },
	{ "process_vm_writev", SYS_process_vm_writev, { 0 } },
};

/* Whether a filter refuses it, in a process that this may end. */
static bool is_refused(size_t i)
{
	const long *a = tried[i].args;
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (!pid) {
		long first = a[0];

		if (!strncmp(tried[i].name, "process_vm", 10))
			first = getpid();
		errno = 0;
		(void)syscall(tried[i].number, first, a[1], a[2], a[3], a[4],
			      a[5]);
		_exit(errno == EPERM || errno == EACCES || errno == ENOSYS);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status != 0;
}

/* prctl(2) needs no /proc.  0: not confined, 1 and 2: strict, a filter. */
static int mode_of(void)
{
	char mode[64];

	if (read_key("/proc/self/status", "Seccomp:", mode, sizeof(mode)))
		return (int)strtol(mode, NULL, 10);
	return has_proc() ? -1 : prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
}

void check_seccomp(const struct patient *p, struct finding *f)
{
	char names[200] = "";
	int mode = mode_of();
	size_t n = 0;

	(void)p;
	if (mode < 0) {
		say(f, VERDICT_OK, "", "this kernel has no seccomp");
		return;
	}
	if (!mode) {
		say(f, VERDICT_OK, "", "this process is not confined");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tried); i++)
		if (is_refused(i))
			n += (size_t)snprintf(names + n, sizeof(names) - n,
					      "%s%s", n ? ", " : "",
					      tried[i].name);
	say(f, VERDICT_WARN, "allow what gmemctl probe --format seccomp lists",
	    n ? "a filter confines this process, and refuses or lacks %s"
	      : "a filter confines this process, and refuses nothing that was "
		"tried%s",
	    names);
}
