// SPDX-License-Identifier: MIT
/*
 * Every guest_memfd that /proc shows.  A file is what has its device and
 * inode number, whoever holds it and however often.  Nothing here trusts what
 * another process can choose: its name, and the names of its files.  All
 * guest_memfds of a kernel have the device of one file system, which no other
 * can have meanwhile.  It is known of anonymous inodes, and else learnt from
 * the first file of which that file system itself can be asked.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "cmd/ps/ps.h"
#include "report/progress.h"
#include "report/words.h"
#include "target/priv.h"

#define VM_LINK "anon_inode:kvm-vm"

#define LINK_TEXT 64
#define STAT_FLAGS 6 /* fields of stat between the name and the flags */
#define TASK_KTHREAD 0x00200000 /* PF_KTHREAD, of these flags */

/* One process that is being looked at. */
struct process {
	pid_t pid;
	int dir; /* /proc/PID */
	char command[COMMAND_TEXT];
	int64_t until; /* milliseconds of the scan */
	bool vm, denied, late;
	bool name_only; /* see HIDDEN_NAME_ONLY */
	bool holds;	/* a file of ours */
	struct about about;
};

/* A name in /proc that is a number: it fits. */
static int number(const char *name)
{
	return (int)strtol(name, NULL, 10);
}

bool scan_late(const struct scan *s)
{
	return ms_since(&s->start) >= s->budget;
}

/* Asked at each step; no process gets more than half of the time left. */
static bool late_for(const struct scan *s, const struct process *p)
{
	watch_at(s->watch, p->pid);
	return ms_since(&s->start) >= p->until;
}

static bool ended(void)
{
	return errno == ENOENT || errno == ESRCH;
}

static bool out_of_resources(void)
{
	return errno == ENOMEM || errno == EMFILE || errno == ENFILE;
}

/* The start of a small file of the process; "" and errno without one. */
static void read_small(const struct process *p, const char *name, char *buf,
		       size_t size)
{
	int fd = open_proc(p->dir, name, 0), saved;
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	saved = errno;
	buf[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		(void)close(fd);
	errno = saved;
}

static void read_command(struct process *p)
{
	char raw[32];
	size_t n;

	read_small(p, "comm", raw, sizeof(raw));
	n = strlen(raw);
	if (n && raw[n - 1] == '\n')
		raw[n - 1] = '\0';
	(void)safe_text(raw, p->command, sizeof(p->command));
}

/* Threads of the kernel have no files, and ended processes no more. */
static bool holds_nothing(const struct process *p)
{
	char stat[256];
	const char *at;

	read_small(p, "stat", stat, sizeof(stat));
	at = strrchr(stat, ')'); /* the name may hold anything */
	if (!at)
		return ended();
	at++;
	if (!strncmp(at, " Z", 2))
		return true;
	for (int i = 0; i < STAT_FLAGS; i++)
		at = next_field(at);
	return strtoul(at, NULL, 10) & TASK_KTHREAD;
}

/* The text of the link, if it is short enough to be one we know. */
static bool read_link(int dir, const char *name, char text[LINK_TEXT])
{
	ssize_t n = readlinkat(dir, name, text, LINK_TEXT);

	if (n < 0)
		return false;
	text[n < LINK_TEXT ? n : 0] = '\0';
	return true;
}

/*
 * Whether it is a guest_memfd, by its file system and not its name.  A file
 * system that a user made may not answer, so no file system is asked without
 * need.  O_PATH: no guest_memfd can be opened, and opening other files may wait
 * or have effects.  Return: 1, 0, or -1 if it is unknown.
 */
static int inspect(struct scan *s, int dir, const char *name, size_t link,
		   struct statx *st, dev_t *dev)
{
	int fd = openat(dir, name, O_PATH | O_CLOEXEC), r = 0;
	struct statfs fs;

	if (fd < 0)
		return -1;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_SIZE | STATX_INO, st) < 0)
		goto out;
	*dev = makedev(st->stx_dev_major, st->stx_dev_minor);
	/* Of anonymous inodes, the only one that is regular and has a size. */
	if (!S_ISREG(st->stx_mode) || !st->stx_size)
		goto out;
	if (!s->dev[link] && !fstatfs(fd, &fs) &&
	    (unsigned long)fs.f_type == link_fs(link))
		s->dev[link] = *dev;
	r = *dev == s->dev[link];
out:
	(void)close(fd);
	return r;
}

static int see_fd(struct scan *s, struct process *p, int dir, const char *name,
		  size_t link)
{
	struct statx st;
	struct holder *h;
	struct mem *m;
	dev_t dev;
	int r;

	r = inspect(s, dir, name, link, &st, &dev);
	if (r < 0 && out_of_resources())
		return -errno;
	if (r != 1)
		return 0;
	m = find_file(s, dev, st.stx_ino);
	h = m ? find_holder(m, p->pid, p->command) : NULL;
	if (!h)
		return -ENOMEM;
	p->holds = true;
	m->size = st.stx_size;
	m->no_size.text[0] = '\0';
	if (h->fds < HOLDER_FDS)
		h->fd[h->fds] = number(name);
	h->fds++;
	return 0;
}

static int scan_fds(struct scan *s, struct process *p)
{
	int fd = open_proc(p->dir, "fd", O_DIRECTORY), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char text[LINK_TEXT];
	struct dirent *e;
	size_t link;

	if (!d) {
		p->denied = !ended();
		return out_of_resources() ? -errno : 0;
	}
	while (!r && !p->denied && !p->late && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		p->late = late_for(s, p);
		if (!read_link(dirfd(d), e->d_name, text)) {
			p->denied = errno == EACCES || errno == EPERM;
			continue;
		}
		p->vm |= !strcmp(text, VM_LINK);
		link = which_link(text);
		if (link < LINKS)
			r = see_fd(s, p, dirfd(d), e->d_name, link);
	}
	(void)closedir(d);
	return r;
}

/* Learns, if it can, from a mapping which device guest_memfds have. */
static void learn(struct scan *s, struct process *p, const struct mapping *at)
{
	int dir = open_proc(p->dir, "map_files", O_DIRECTORY);
	char name[MAPPING_NAME];
	struct statx st;
	dev_t dev;

	mapping_name(at, name);
	if (dir < 0 || inspect(s, dir, name, at->link, &st, &dev) < 0)
		p->name_only = true;
	if (dir >= 0)
		(void)close(dir);
}

static int see_mapping(struct scan *s, struct process *p, const char *line)
{
	struct mapping at;
	struct holder *h;
	struct mem *m;

	if (!read_mapping(line, &at))
		return 0;
	if (!s->dev[at.link])
		learn(s, p, &at);
	if (!s->dev[at.link] || at.dev != s->dev[at.link])
		return 0;
	m = find_file(s, at.dev, at.ino);
	h = m ? find_holder(m, p->pid, p->command) : NULL;
	if (!h)
		return -ENOMEM;
	p->holds = true;
	h->mapped += at.end - at.start;
	return 0;
}

static int scan_maps(struct scan *s, struct process *p)
{
	struct lines l;
	int r = 0;

	if (!lines_open(&l, p->dir, "maps")) {
		p->denied = !ended();
		return out_of_resources() ? -errno : 0;
	}
	while (!r && !p->late && lines_next(&l)) {
		p->late = late_for(s, p);
		r = see_mapping(s, p, l.line);
	}
	lines_close(&l);
	return r;
}

/* What is known of the process as a whole goes to each of its files. */
static void tell_holders(struct scan *s, const struct process *p)
{
	for (struct mem *m = s->files; m; m = m->next)
		for (struct holder *h = m->holders; h; h = h->next)
			if (h->pid == p->pid) {
				h->vm = p->vm;
				h->about = p->about;
				h->unmapped = p->denied || p->late;
			}
}

static int look_into(struct scan *s, struct process *p)
{
	int64_t now = ms_since(&s->start);
	int r;

	p->until = now + (s->budget - now + 1) / 2;
	watch_at(s->watch, p->pid);
	read_command(p);
	if (watch_stuck(s->watch, p->pid))
		return add_hidden(s, p->pid, p->command, HIDDEN_STUCK);
	r = scan_fds(s, p);
	if (!r && !p->denied && !p->late)
		r = scan_maps(s, p);
	if (p->holds) {
		watch_at(s->watch, p->pid);
		read_about(s, p->dir, &p->about);
		tell_holders(s, p);
	}
	if (!r && p->denied && !holds_nothing(p))
		r = add_hidden(s, p->pid, p->command, HIDDEN_DENIED);
	else if (!r && p->name_only)
		r = add_hidden(s, p->pid, p->command, HIDDEN_NAME_ONLY);
	if (!r && p->late)
		r = add_late(s, p->pid);
	return r;
}

static int scan_process(struct scan *s, int proc, const char *name)
{
	struct process p = { .pid = number(name) };
	int r;

	p.dir = open_proc(proc, name, O_DIRECTORY);
	if (p.dir < 0 && (ended() || out_of_resources()))
		return ended() ? 0 : -errno;
	s->processes++;
	s->pid_seen |= p.pid == s->pid;
	if (p.dir < 0)
		return add_hidden(s, p.pid, "", HIDDEN_DENIED);
	r = look_into(s, &p);
	(void)close(p.dir);
	return r;
}

static int scan_all(struct scan *s, DIR *d)
{
	struct dirent *e;
	int r = 0;

	/* Every PID namespace has a process 1; see hidepid of proc(5). */
	s->proc_hides =
		faccessat(dirfd(d), "1", F_OK, 0) < 0 && errno == ENOENT;
	while (!r && (e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		/* What we have inherited does not outlive us. */
		if (number(e->d_name) == getppid() ||
		    number(e->d_name) == getpid())
			continue;
		if (scan_late(s) || watch_beyond(s->watch, number(e->d_name)))
			r = add_late(s, number(e->d_name));
		else
			r = scan_process(s, dirfd(d), e->d_name);
	}
	return r;
}

static bool any_name_only(const struct scan *s)
{
	const struct hidden *h = s->hidden;

	while (h && h->why != HIDDEN_NAME_ONLY)
		h = h->next;
	return h;
}

/* The device of all anonymous inodes; 0: unknown. */
static dev_t anon_inodes(void)
{
	struct stat st = { .st_dev = 0 };
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0)
		return 0;
	(void)fstat(fd, &st);
	(void)close(fd);
	return st.st_dev;
}

/* While the rights are there. */
static void why_denied(struct scan *s)
{
	const char *lacks = priv_lacks_sight();

	if (lacks)
		(void)snprintf(s->denied, sizeof(s->denied),
			       "no %s: it is another user's, has "
			       "more capabilities or is not dumpable",
			       lacks);
	else
		(void)snprintf(s->denied, sizeof(s->denied),
			       "its files are kept even from cap_sys_ptrace");
}

int scan_processes(struct scan *s)
{
	DIR *d = opendir("/proc");
	struct statfs fs;
	int r = 0;

	if (!d)
		return -errno;
	if (fstatfs(dirfd(d), &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC) {
		(void)closedir(d);
		return -ENODEV;
	}
	s->hidden_end = &s->hidden;
	why_denied(s);
	s->dev[0] = anon_inodes();
	r = scan_all(s, d);
	/* What was learnt from a later process holds for all. */
	if (!r && s->dev[1] && any_name_only(s)) {
		scan_free(s);
		rewinddir(d);
		r = scan_all(s, d);
	}
	watch_at(s->watch, 0);
	(void)closedir(d);
	return r;
}
