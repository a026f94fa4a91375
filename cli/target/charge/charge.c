// SPDX-License-Identifier: MIT
/*
 * A process of its own, not a thread: the kernel charges the owner of the
 * address space.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmem.h>

#include "report/error.h"
#include "report/output.h"
#include "target/charge/cgroup.h"
#include "target/charge/charge.h"
#include "target/priv.h"
#include "target/target.h"

#define OR_SELF "or add --charge-me, and the cgroup of gmemctl pays"

static int put(const char *path, const char *text)
{
	ssize_t n = (ssize_t)strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0 || write(fd, text, (size_t)n) != n)
		r = errno;
	if (fd >= 0)
		(void)close(fd);
	return r;
}

static int not_entered(struct ctl *ctl, const struct cgroup *c, pid_t pid,
		       int errnum)
{
	return refused_by(ctl, errnum,
			  errnum == EACCES || errnum == EPERM
				  ? "run gmemctl as root, " OR_SELF
				  : "enter that cgroup by hand, " OR_SELF,
			  "memory cgroup %.200s of process %d cannot be "
			  "entered: %s",
			  c->path, (int)pid, strerror(errnum));
}

/* Why its cgroup is not to be entered; 0: it may be. */
static int check(struct ctl *ctl, const struct cgroup *c, pid_t pid, bool same)
{
	char where[CGROUP_PATH];

	if (cgroup_says(c, "cgroup.freeze", 1, where))
		return refused_by(ctl, EBUSY, "thaw it first, " OR_SELF,
				  "cgroup %.200s of process %d is frozen, and "
				  "so would be who enters it",
				  where, (int)pid);
	if (cgroup_says(c, "memory.oom.group", 1, where))
		return refused_by(
			ctl, EBUSY,
			"set memory.oom.group to 0 for that time, " OR_SELF,
			"memory.oom.group of %.200s is 1: short of "
			"memory, the kernel would kill process %d as "
			"well",
			where, (int)pid);
	if (same || (*c->dir && !c->v1))
		return 0;
	if (!*c->path)
		return refused_by(ctl, EOPNOTSUPP,
				  "enter its cgroup by hand, " OR_SELF,
				  "/proc/%d/cgroup does not say which memory "
				  "cgroup pays for process %d",
				  (int)pid, (int)pid);
	return refused_by(ctl, EOPNOTSUPP,
			  "enter that cgroup by hand, " OR_SELF,
			  c->v1 ? "memory cgroup %.200s of process %d is of "
				  "version 1, which gmemctl does not enter"
				: "memory cgroup %.200s of process %d is not "
				  "below /sys/fs/cgroup",
			  c->path, (int)pid);
}

/* In the forked process: its memory is that of the target from here on. */
static int enter(struct ctl *ctl, const struct cgroup *c, pid_t pid, bool same)
{
	char path[CGROUP_PATH + 16];
	int r;

	/* Whoever is killed for want of memory there, it is not the VMM. */
	r = put("/proc/self/oom_score_adj", "1000");
	if (r)
		return refused_by(ctl, r, "make /proc writable, " OR_SELF,
				  "/proc/self/oom_score_adj: %s", strerror(r));
	if (same)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", c->dir);
	r = put(path, "0");
	return r ? not_entered(ctl, c, pid, r) : 0;
}

static pid_t worker;

static void pass_on(int sig)
{
	(void)kill(worker, sig);
}

/*
 * No signal is lost before each of the two can take it.  Whoever started
 * gmemctl may have ignored SIGCHLD, and then nobody could be waited for.
 */
static void fork_worker(void)
{
	const struct sigaction act = { .sa_handler = pass_on };
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t both, old;

	(void)sigemptyset(&both);
	(void)sigaddset(&both, SIGINT);
	(void)sigaddset(&both, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &both, &old);
	(void)sigaction(SIGCHLD, &by_default, NULL);
	worker = fork();
	if (worker > 0) {
		(void)sigaction(SIGINT, &act, NULL);
		(void)sigaction(SIGTERM, &act, NULL);
	}
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
}

/* The exit status of the forked process, which has said what there is. */
static int wait_for(struct ctl *ctl, const struct cgroup *c)
{
	struct gmem_error err = { .sz = sizeof(err) };
	int status;

	(void)priv_drop(ctl);
	while (waitpid(worker, &status, 0) < 0)
		if (errno != EINTR)
			return system_error(ctl, errno, "wait");
	if (WIFEXITED(status)) {
		ctl->replied = true;
		return WEXITSTATUS(status);
	}
	if (WTERMSIG(status) != SIGKILL)
		return system_error(ctl, EINTR,
				    "signal %d ended what allocated",
				    WTERMSIG(status));
	(void)refuse(&err, -ENOMEM, GMEM_REASON_NO_ROOM,
		     "what allocated in memory cgroup %.100s was killed, as "
		     "the kernel does where memory runs out",
		     *c->path ? c->path : "/");
	(void)gmem_failed(ctl, &err, NULL);
	return CTL_CHECK;
}

bool charge_target(struct ctl *ctl, struct target_args *a, int *status)
{
	static struct cgroup mine, its;
	pid_t self = getpid(), pid = (pid_t)a->pid.value;
	bool same;
	int r;

	*status = target_process(ctl, a);
	if (*status)
		return false;
	r = cgroup_of(pid, &its);
	if (!r)
		r = cgroup_of(self, &mine);
	if (r) {
		*status = refused_by(ctl, r, "make /proc readable, " OR_SELF,
				     "which memory cgroup pays for process %d "
				     "is not known: /proc/%d/cgroup: %s",
				     (int)pid, (int)pid, strerror(r));
		return false;
	}
	same = cgroup_same(&mine, &its);
	*status = check(ctl, &its, pid, same);
	if (*status)
		return false;
	out_flush();
	fork_worker();
	if (worker < 0) {
		*status = system_error(ctl, errno, "fork");
		return false;
	}
	if (worker) {
		*status = wait_for(ctl, &its);
		return false;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (getppid() != self)
		return false;
	*status = enter(ctl, &its, pid, same);
	return *status == 0;
}
