// SPDX-License-Identifier: MIT
/* One file that others made. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "report/error.h"
#include "report/json.h"
#include "report/output.h"
#include "target/priv.h"
#include "target/target.h"

#define AT(member) offsetof(struct target_args, member)

const struct opt target_opts[] = {
	{ "fd", "N", OPT_U32, AT(fd), .required = true,
	  .help = "the descriptor, inherited as from gmemctl run" },
	{ "pid", "PID", OPT_U32, AT(pid),
	  .help = "the descriptor is that of this process" },
	{ "offset", "OFFSET", OPT_SIZE, AT(offset),
	  .help = "where the range begins (0)" },
	{ "len", "LEN", OPT_SIZE, AT(len),
	  .help = "bytes of the range (up to the end of the file)" },
	{ .name = NULL },
};

unsigned int yama_scope(void)
{
	char text[16] = "";
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");

	if (f && !fgets(text, sizeof(text), f))
		*text = '\0';
	if (f)
		(void)fclose(f);
	return (unsigned int)strtoul(text, NULL, 10);
}

static void why_refused(pid_t pid, int fd, char why[TARGET_WHY])
{
	bool trace = priv_has(CAP_SYS_PTRACE);
	unsigned int scope = yama_scope();
	char yama[80] = "";

	if (scope > 2 || (scope && !trace))
		(void)snprintf(yama, sizeof(yama),
			       "kernel.yama.ptrace_scope is %u%s", scope,
			       scope > 2 ? "" : ", so ");
	(void)snprintf(why, TARGET_WHY,
		       "descriptor %d of process %d may not be copied: %s%s",
		       fd, (int)pid, yama,
		       scope > 2 ? ""
		       : trace	 ? "refused even to cap_sys_ptrace, by a "
				   "security module, a seccomp filter or a "
				   "user namespace"
				 : "this needs cap_sys_ptrace");
}

/* Takes descriptor @fd of the process that @pidfd stands for. */
static int copy_of(int pidfd, pid_t pid, int fd, char why[TARGET_WHY])
{
	long r = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	if (r < 0)
		r = -errno;
	if (r == -EPERM || r == -EACCES)
		why_refused(pid, fd, why);
	else if (r < 0)
		(void)snprintf(why, TARGET_WHY, "descriptor %d of process %d",
			       fd, (int)pid);
	return (int)r;
}

static int open_process(pid_t pid, char why[TARGET_WHY])
{
	long r = syscall(SYS_pidfd_open, pid, 0);

	if (r >= 0)
		return (int)r;
	r = -errno;
	(void)snprintf(why, TARGET_WHY, "process %d", (int)pid);
	return (int)r;
}

int target_copy(pid_t pid, int fd, char why[TARGET_WHY])
{
	int r, pidfd = open_process(pid, why);

	if (pidfd < 0)
		return pidfd;
	r = copy_of(pidfd, pid, fd, why);
	(void)close(pidfd);
	return r;
}

int target_process(struct ctl *ctl, struct target_args *a)
{
	char why[TARGET_WHY];
	int r;

	if (a->process)
		return 0;
	if (a->pid.value > INT32_MAX)
		return usage_error(ctl, "--pid is beyond 2^31 - 1");
	r = open_process((pid_t)a->pid.value, why);
	if (r < 0)
		return system_error(ctl, -r, "%s", why);
	a->process = r;
	return 0;
}

static const char copy_remedy[] =
	"see the check copies of gmemctl doctor, or run gmemctl with "
	"cap_sys_ptrace where the process runs";

/* Return: the copy, or -1 with the exit status. */
static int copy(struct ctl *ctl, struct target_args *a, int *status)
{
	char why[TARGET_WHY];
	int fd;

	if (a->fd.value > INT32_MAX) {
		*status = usage_error(ctl, "--fd is beyond 2^31 - 1");
		return -1;
	}
	if (a->pid.given) {
		*status = target_process(ctl, a);
		if (*status)
			return -1;
		fd = copy_of(a->process, (pid_t)a->pid.value, (int)a->fd.value,
			     why);
		if (fd == -EPERM || fd == -EACCES)
			*status = refused_by(ctl, -fd, copy_remedy, "%s", why);
		else if (fd < 0)
			*status = system_error(ctl, -fd, "%s", why);
		return fd;
	}
	fd = fcntl((int)a->fd.value, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0)
		*status =
			system_error(ctl, errno, "--fd %" PRIu32, a->fd.value);
	return fd;
}

static int adopt(int fd, bool shared, struct gmem **out, struct gmem_error *err)
{
	const struct gmem_adopt_opts opts = {
		.sz = sizeof(opts),
		.flags = shared ? GMEM_ADOPT_INIT_SHARED : 0,
	};

	return gmem_adopt(NULL, fd, &opts, out, err);
}

int target_open(struct ctl *ctl, struct target_args *a, struct target *out)
{
	struct gmem_error err = { .sz = sizeof(err) };
	char of[32] = "";
	uint64_t size;
	int fd, status;

	fd = copy(ctl, a, &status);
	if (fd < 0)
		return status;
	if (adopt(fd, a->shared, &out->g, &err) < 0) {
		(void)close(fd);
		if (err.reason == GMEM_REASON_INIT_SHARED_UNMAPPABLE)
			return gmem_failed(ctl, &err,
					   "leave --shared out: it is private");
		if (err.reason != GMEM_REASON_NOT_GUEST_MEMFD)
			return gmem_failed(ctl, &err, NULL);
		/* The library would name the copy. */
		if (a->pid.given)
			(void)snprintf(of, sizeof(of), " of process %" PRIu32,
				       a->pid.value);
		(void)refuse(&err, err.code, err.reason,
			     "fd %" PRIu32 "%s is not a guest_memfd",
			     a->fd.value, of);
		return gmem_failed(ctl, &err, NULL);
	}
	size = gmem_size(out->g);
	out->offset = a->offset.value;
	out->len = a->len.value;
	if (!a->len.given)
		out->len = out->offset < size ? size - out->offset : 0;
	return 0;
}

json_object *target_json(const struct ctl *ctl, const struct target_args *a,
			 const struct target *t)
{
	json_object *o = json_new(ctl);

	if (a->pid.given)
		json_u64(o, "pid", a->pid.value);
	else
		json_null(o, "pid", "an inherited descriptor");
	json_u64(o, "fd", a->fd.value);
	json_u64(o, "offset", t->offset);
	json_u64(o, "len", t->len);
	return o;
}
