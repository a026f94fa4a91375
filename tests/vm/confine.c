// SPDX-License-Identifier: MIT
/*
 * confine [OPTION...] -- PROGRAM [ARG...]: runs PROGRAM confined, as what
 * confines programs in earnest does it.
 *
 *	--filter NAME	a seccomp filter: see below
 *	--docker-caps	the capabilities that docker leaves to root
 *	--user ID	as this user and group
 *	--userns	as root of a user namespace of its own
 *	--hide DIR	nothing is in DIR
 *	--limit NAME=N	RLIMIT_NAME: as, nproc, nofile or memlock
 *
 * The filters refuse what the named ones refuse of the calls that libgmem,
 * gmemctl and the libraries that they use make.
 */
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <gmem.h>

#include "confine_needs.h"

#define MOST 512
#define CACHESTAT 451
#define SET_HOME_NODE 450
#define CLONE3 435
#define PIDFD_GETFD 438

struct rule {
	int nr, error;
};

/* What CAP_SYS_NICE and CAP_SYS_PTRACE would allow there. */
#define CONTAINER                                                        \
	{ SYS_mbind, EPERM }, { SYS_get_mempolicy, EPERM },              \
		{ SYS_set_mempolicy, EPERM }, { SET_HOME_NODE, EPERM },  \
		{ SYS_move_pages, EPERM }, { SYS_migrate_pages, EPERM }, \
		{ PIDFD_GETFD, EPERM }, { SYS_userfaultfd, EPERM },      \
		{ SYS_unshare, EPERM }, { SYS_setns, EPERM },            \
		{ SYS_mount, EPERM },                                    \
	{                                                                \
		SYS_kcmp, EPERM                                          \
	}

static const struct rule docker[] = { CONTAINER,
				      { CLONE3, ENOSYS },
				      { -1, 0 } };
/* As of before 2024, which does not know cachestat. */
static const struct rule docker_old[] = {
	CONTAINER, { CLONE3, ENOSYS }, { CACHESTAT, EPERM }, { -1, 0 }
};
static const struct rule podman[] = { CONTAINER,
				      { CACHESTAT, ENOSYS },
				      { SYS_process_vm_readv, EPERM },
				      { SYS_process_vm_writev, EPERM },
				      { SYS_ptrace, EPERM },
				      { -1, 0 } };
/* @system-service of systemd 252, with SystemCallErrorNumber=EPERM */
static const struct rule systemd[] = { { CACHESTAT, EPERM },
				       { SYS_mincore, EPERM },
				       { PIDFD_GETFD, EPERM },
				       { -1, 0 } };
/* and without @resources and @privileged */
static const struct rule systemd_less[] = { { CACHESTAT, EPERM },
					    { SYS_mincore, EPERM },
					    { PIDFD_GETFD, EPERM },
					    { SYS_mbind, EPERM },
					    { SYS_set_mempolicy, EPERM },
					    { SET_HOME_NODE, EPERM },
					    { SYS_move_pages, EPERM },
					    { SYS_migrate_pages, EPERM },
					    { SYS_sched_setaffinity, EPERM },
					    { -1, 0 } };
/* Other filters answer so. */
static const struct rule other_errno[] = { { SYS_mbind, EACCES },
					   { SYS_get_mempolicy, EACCES },
					   { SYS_set_mempolicy, EACCES },
					   { SET_HOME_NODE, EACCES },
					   { SYS_move_pages, EACCES },
					   { CACHESTAT, EACCES },
					   { SYS_mincore, EACCES },
					   { SYS_process_vm_readv, EACCES },
					   { SYS_process_vm_writev, EACCES },
					   { PIDFD_GETFD, EACCES },
					   { SYS_sched_setaffinity, EACCES },
					   { -1, 0 } };

static const struct {
	const char *name;
	const struct rule *rules;
} filters[] = {
	{ "docker", docker },
	{ "docker-old", docker_old },
	{ "podman", podman },
	{ "systemd", systemd },
	{ "systemd-less", systemd_less },
	{ "eacces", other_errno },
};

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt,
								...)
{
	int errnum = errno;
	va_list ap;

	va_start(ap, fmt);
	fputs("confine: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(errnum));
	exit(99);
}

/* -------------------------------------------------------------- filters -- */

static struct sock_filter code[MOST];
static unsigned short length;

static void add(uint16_t op, uint32_t k, uint8_t yes, uint8_t no)
{
	if (length == MOST)
		die("the filter is too long");
	code[length++] = (struct sock_filter){ op, yes, no, k };
}

static void end(uint32_t otherwise)
{
	struct sock_fprog program = { length, code };

	add(BPF_RET | BPF_K, otherwise, 0, 0);
	program.len = length;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		die("seccomp");
}

static void load(size_t offset)
{
	add(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void deny(const struct rule *rules)
{
	load(offsetof(struct seccomp_data, nr));
	for (; rules->nr >= 0; rules++) {
		add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rules->nr, 0, 1);
		add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)rules->error,
		    0, 0);
	}
	end(SECCOMP_RET_ALLOW);
}

static void allow(uint32_t nr)
{
	add(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
	add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/*
 * What gmem_syscall_info() lists, and what every program with libc needs.
 * Anything else kills.
 */
static void allow_listed(void)
{
	struct gmem_syscall s = { .sz = sizeof(s) };

	load(offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(program_needs) / sizeof(*program_needs);
	     i++)
		allow((uint32_t)program_needs[i]);
	for (uint32_t i = 0; gmem_syscall_info(i, &s, NULL) == 0; i++)
		if (!s.request)
			allow(number_of(s.name));
	add(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0);
	add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	load(offsetof(struct seccomp_data, args[1]));
	for (size_t i = 0; i < sizeof(vcpu_needs) / sizeof(*vcpu_needs); i++)
		allow(vcpu_needs[i]);
	for (uint32_t i = 0; gmem_syscall_info(i, &s, NULL) == 0; i++)
		if (s.request)
			allow((uint32_t)s.number);
	end(SECCOMP_RET_KILL_PROCESS);
}

static void filter(const char *name)
{
	if (!strcmp(name, "listed")) {
		allow_listed();
		return;
	}
	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++)
		if (!strcmp(name, filters[i].name)) {
			deny(filters[i].rules);
			return;
		}
	errno = EINVAL;
	die("--filter %s", name);
}

/* --------------------------------------------------------------- others -- */

static void docker_caps(void)
{
	static const int keep[] = {
		CAP_CHOWN,
		CAP_DAC_OVERRIDE,
		CAP_FSETID,
		CAP_FOWNER,
		CAP_MKNOD,
		CAP_NET_RAW,
		CAP_SETGID,
		CAP_SETUID,
		CAP_SETFCAP,
		CAP_SETPCAP,
		CAP_KILL,
		CAP_SYS_CHROOT,
		CAP_NET_BIND_SERVICE,
		CAP_AUDIT_WRITE,
	};
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct caps[2] = { { 0 } };

	for (size_t i = 0; i < sizeof(keep) / sizeof(*keep); i++)
		caps[0].permitted |= 1U << keep[i];
	caps[0].effective = caps[0].permitted;
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap > 31 || !(caps[0].permitted & 1U << cap))
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (syscall(SYS_capset, &head, caps) < 0)
		die("capabilities");
}

static void user(const char *id)
{
	unsigned int n = (unsigned int)strtoul(id, NULL, 10);

	if (setgroups(0, NULL) < 0 || setgid(n) < 0 || setuid(n) < 0)
		die("--user %s", id);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f))
		die("%s", path);
}

static void userns(void)
{
	char text[64];
	unsigned int uid = getuid(), gid = getgid();

	if (unshare(CLONE_NEWUSER) < 0)
		die("user namespace");
	(void)snprintf(text, sizeof(text), "0 %u 1\n", uid);
	put("/proc/self/uid_map", text);
	put("/proc/self/setgroups", "deny");
	(void)snprintf(text, sizeof(text), "0 %u 1\n", gid);
	put("/proc/self/gid_map", text);
}

static void hide(const char *dir)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", dir, "tmpfs", MS_RDONLY, NULL) < 0)
		die("--hide %s", dir);
}

static void limit(const char *text)
{
	static const struct {
		const char *name;
		int resource;
	} limits[] = { { "as=", RLIMIT_AS },
		       { "nproc=", RLIMIT_NPROC },
		       { "nofile=", RLIMIT_NOFILE },
		       { "memlock=", RLIMIT_MEMLOCK } };

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		size_t n = strlen(limits[i].name);
		struct rlimit r;

		if (strncmp(text, limits[i].name, n) != 0)
			continue;
		r.rlim_cur = r.rlim_max = strtoull(text + n, NULL, 0);
		if (setrlimit(limits[i].resource, &r) < 0)
			die("--limit %s", text);
		return;
	}
	errno = EINVAL;
	die("--limit %s", text);
}

int main(int argc, char **argv)
{
	const char *last = NULL;
	int i = 1;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--docker-caps")) {
			docker_caps();
			continue;
		}
		if (!strcmp(argv[i], "--userns")) {
			userns();
			continue;
		}
		if (!strcmp(argv[i], "--filter"))
			last = value; /* it may refuse what is to come */
		else if (!strcmp(argv[i], "--user"))
			user(value);
		else if (!strcmp(argv[i], "--hide"))
			hide(value);
		else if (!strcmp(argv[i], "--limit"))
			limit(value);
		else
			break;
		i++;
	}
	if (i + 1 >= argc || strcmp(argv[i], "--") != 0) {
		fprintf(stderr, "usage: confine [OPTION...] -- PROGRAM\n");
		return 99;
	}
	if (last)
		filter(last);
	execvp(argv[i + 1], argv + i + 1);
	die("%s", argv[i + 1]);
}
