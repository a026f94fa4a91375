// SPDX-License-Identifier: MIT
/*
 * A program with a guest_memfd.  The VM must stay here, since only the
 * process that made it can use it; the file works in any.
 *
 * The program keeps the rights that gmemctl was started with: it is forked
 * before gmemctl gives its own up.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmem.h>

#include "report/output.h"
#include "report/words.h"
#include "table/array.h"
#include "table/command.h"
#include "target/priv.h"
#include "target/vm.h"

struct args {
	struct opt_size size;
	struct opt_size hugetlb;
	bool shared, die_with_parent;
	const char *vm_type;
};

static struct args args;

static const struct opt opts[] = {
	{ "size", "SIZE", OPT_SIZE, offsetof(struct args, size),
	  .required = true, .help = "bytes of the guest_memfd" },
	{ "hugetlb", "SIZE", OPT_SIZE, offsetof(struct args, hugetlb),
	  .help = "in huge pages of this size" },
	{ "shared", NULL, OPT_BOOL, offsetof(struct args, shared),
	  .help = "CMD may map and access it (else it is private)" },
	{ "die-with-parent", NULL, OPT_BOOL,
	  offsetof(struct args, die_with_parent),
	  .help = "kill CMD when gmemctl ends, even by SIGKILL" },
	{ "vm-type", "TYPE", OPT_TEXT, offsetof(struct args, vm_type),
	  .names = GMEM_NAME_VM_TYPE,
	  .help = "the type of the VM; arm64 has default alone" },
	{ .name = NULL },
};

/* Those forwarded to the program; a terminal sends the rest to both. */
static const int forwarded[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
static const int ignored[] = { SIGINT, SIGQUIT };

/* What the program must find as gmemctl did. */
struct signals {
	sigset_t mask;
	struct sigaction ignored[ARRAY_SIZE(ignored)];
	struct sigaction child;
};

static void signals_take(struct signals *old, sigset_t *wait)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction by_default = { .sa_handler = SIG_DFL };

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		sigaction(ignored[i], &ignore, &old->ignored[i]);
	sigaction(SIGCHLD, &by_default, &old->child);
	sigemptyset(wait);
	sigaddset(wait, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(wait, forwarded[i]);
	sigprocmask(SIG_BLOCK, wait, &old->mask);
}

static void signals_give_back(const struct signals *old)
{
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		sigaction(ignored[i], &old->ignored[i], NULL);
	sigaction(SIGCHLD, &old->child, NULL);
	out_give_back();
	sigprocmask(SIG_SETMASK, &old->mask, NULL);
}

/* SIGKILL ends gmemctl without a word to the child, unless it asks for one. */
static void die_with(const struct ctl *ctl, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
		message(ctl, "--die-with-parent: %s", strerror(errno));
		_exit(CTL_RUN);
	}
	/* It may have ended before that. */
	if (getppid() != parent)
		_exit(CTL_RUN);
}

/* In the child: becomes the program, or says why not. */
__attribute__((noreturn)) static void become(const struct ctl *ctl,
					     const struct signals *old, int fd,
					     uint64_t size, char **argv)
{
	char number[24];
	int errnum;

	(void)snprintf(number, sizeof(number), "%d", fd);
	setenv("GMEM_FD", number, 1);
	(void)snprintf(number, sizeof(number), "%" PRIu64, size);
	setenv("GMEM_FD_SIZE", number, 1);
	fcntl(fd, F_SETFD, 0);
	signals_give_back(old);
	execvp(argv[0], argv);
	errnum = errno;
	message(ctl, "%s: %s", argv[0], strerror(errnum));
	_exit(errnum == ENOENT ? CTL_RUN_NOT_FOUND : CTL_RUN_NOT_EXECUTABLE);
}

/* Forwards signals until @child has ended.  Return: its exit status. */
static int wait_for(pid_t child, const sigset_t *signals)
{
	int status = 0, sig;

	for (;;) {
		sig = sigwaitinfo(signals, NULL);
		if (sig > 0 && sig != SIGCHLD)
			kill(child, sig);
		else if (sig == SIGCHLD &&
			 waitpid(child, &status, WNOHANG) == child)
			break;
	}
	if (WIFSIGNALED(status))
		return CTL_RUN_SIGNAL + WTERMSIG(status);
	return WEXITSTATUS(status);
}

static int run_with(struct ctl *ctl, struct gmem *file, char **argv)
{
	uint64_t size = gmem_size(file);
	int fd = gmem_fd(file);
	pid_t child, parent = getpid();
	struct signals old;
	sigset_t signals;

	signals_take(&old, &signals);
	child = fork();
	if (child < 0)
		return system_error(ctl, errno, "fork");
	if (!child && args.die_with_parent)
		die_with(ctl, parent);
	if (!child)
		become(ctl, &old, fd, size, argv);
	/* CMD runs already: only report that gmemctl kept its rights. */
	(void)priv_drop(ctl);
	return wait_for(child, &signals);
}

static int run(struct ctl *ctl)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_create_opts create = { .sz = sizeof(create) };
	struct gmem_vm *vm = NULL;
	struct gmem *file = NULL;
	const char *remedy;
	int status;

	create.flags = args.shared ? FILE_SHARED : 0;
	create.hugetlb_size = args.hugetlb.value;
	status = vm_start(ctl, args.vm_type, &vm);
	if (status)
		return status;
	if (gmem_create(vm, args.size.value, &create, &file, &err) < 0) {
		remedy = err.reason == GMEM_REASON_NEVER_USED
				 ? "pass --shared, or --vm-type with a type "
				   "that has private memory, on x86-64"
				 : NULL;
		status = gmem_failed(ctl, &err, remedy);
	} else {
		status = run_with(ctl, file, ctl->operands);
	}
	(void)gmem_vm_destroy(vm, NULL);
	return status;
}

const struct cmd cmd_run = {
	.name = "run",
	.args = "--size SIZE [OPTIONS] [--] CMD [ARG...]",
	.summary = "run a program with a guest_memfd",
	.text = "CMD inherits the guest_memfd as file descriptor $GMEM_FD of "
		"$GMEM_FD_SIZE bytes; the VM stays with gmemctl until CMD "
		"ends.  Exit status: CMD's, 128+N if signal N ended it, 125 "
		"if gmemctl failed, 126 if CMD could not be run, 127 if not "
		"found.",
	.opts = opts,
	.values = &args,
	.run = run,
	.operands = { 1, INT_MAX, "a program is needed" },
	.flags = CMD_KVM | CMD_HUGETLB | CMD_TRACE | CMD_WRAPS,
};
