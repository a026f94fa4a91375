// SPDX-License-Identifier: MIT
/*
 * Inspecting a process can wait for its locks, and for a file system that the
 * process itself serves: as long as the process likes, and only a fatal signal
 * ends that.  So a child inspects, and this watches it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/ps/ps.h"
#include "report/output.h"

#define STUCK 8 /* processes that a hang is waited for */
#define POLLS 10
#define PATIENCE_MS 1000 /* and half of the budget */

/* Shared by the child that looks and the parent. */
struct watch {
	pid_t at;	/* whom it looks into; 0: nobody */
	uint32_t steps; /* that it made */
	pid_t stuck[STUCK];
	size_t n;
};

void watch_at(struct watch *w, pid_t pid)
{
	__atomic_store_n(&w->at, pid, __ATOMIC_RELAXED);
	__atomic_add_fetch(&w->steps, 1, __ATOMIC_RELAXED);
}

bool watch_stuck(const struct watch *w, pid_t pid)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->stuck[i] == pid)
			return true;
	return false;
}

bool watch_beyond(const struct watch *w, pid_t pid)
{
	return w->n == STUCK && pid > w->stuck[STUCK - 1];
}

/*
 * Waits until the child ends, which closes @end, or has made no step for so
 * long.  In parts, of which the time that both were stopped is but one.
 */
static bool hangs(const struct watch *w, int end, uint32_t patience)
{
	struct pollfd p = { .fd = end };
	uint32_t before = 0, now;
	int still = 0;

	while (still < POLLS) {
		if (poll(&p, 1, (int)(patience / POLLS)) > 0)
			return false;
		now = __atomic_load_n(&w->steps, __ATOMIC_RELAXED);
		still = now == before && w->at ? still + 1 : 0;
		before = now;
	}
	return true;
}

static int exit_status(struct ctl *ctl, pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return system_error(ctl, errno, "waitpid");
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return system_error(ctl, EINTR, "looking was ended by signal %d",
			    WTERMSIG(status));
}

/* Return: -1 in the child, -2 if it hung, else the exit status. */
static int attempt(struct ctl *ctl, struct watch *w, uint32_t patience)
{
	pid_t child, parent = getpid();
	int end[2], r;

	if (pipe2(end, O_CLOEXEC) < 0)
		return system_error(ctl, errno, "pipe");
	child = fork();
	if (!child) {
		/* Its other end stays open until this process ends. */
		(void)close(end[0]);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(CTL_FAILED);
		return -1;
	}
	r = child < 0 ? system_error(ctl, errno, "fork") : -2;
	(void)close(end[1]);
	if (child < 0)
		goto out;
	if (hangs(w, end[0], patience))
		(void)kill(child, SIGKILL);
	else
		r = exit_status(ctl, child);
out:
	(void)close(end[0]);
	return r;
}

int watch_fork(struct ctl *ctl, uint32_t budget, struct watch **out)
{
	struct watch *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	if (w == MAP_FAILED)
		return system_error(ctl, errno, "mmap");
	*out = w;
	for (;;) {
		r = attempt(ctl, w, PATIENCE_MS + budget / 2);
		if (r != -2)
			return r;
		if (w->n == STUCK)
			return system_error(ctl, ETIME,
					    "looking into process %d, as into "
					    "%d others",
					    (int)w->at, STUCK);
		w->stuck[w->n++] = w->at;
		w->at = 0;
	}
}
