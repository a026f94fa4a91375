// SPDX-License-Identifier: MIT
/*
 * Every guest_memfd that /proc shows.  A file is what has its device and
 * inode number, whoever holds it and however often.  Nothing here trusts what
 * another process can choose: its name, and the names of its files.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "ps.h"

/* Up to 6.18, and since it has a file system of its own, 6.19. */
static const char *const links[] = {
	"anon_inode:[kvm-gmem]",
	"/[kvm-gmem] (deleted)",
};
#define GUEST_MEMFD_FS 0x474d454d

#define VM_LINK "anon_inode:kvm-vm"

#define LINK_TEXT 64
#define STAT_FLAGS 6 /* fields of stat between the name and the flags */
#define TASK_KTHREAD 0x00200000 /* PF_KTHREAD, of these flags */

/* One process that is being looked at. */
struct process {
	pid_t pid;
	int dir; /* /proc/PID */
	char command[COMMAND_TEXT];
	bool vm, denied, late;
	bool holds; /* a file of ours */
};

static bool is_link(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (!strcmp(text, links[i]))
			return true;
	return false;
}

/* A name in /proc that is a number: it fits. */
static int number(const char *name)
{
	return (int)strtol(name, NULL, 10);
}

static bool late(const struct scan *s)
{
	return ms_since(&s->start) >= s->budget;
}

/* ---------------------------------------------------------------- lists -- */

static struct mem *find_file(struct scan *s, dev_t dev, ino_t ino)
{
	struct mem **at = &s->files, *m;

	for (m = *at; m; at = &m->next, m = *at) {
		if (m->dev == dev && m->ino == ino)
			return m;
		if (m->dev > dev || (m->dev == dev && m->ino > ino))
			break;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->dev = dev;
	m->ino = ino;
	m->end = &m->holders;
	(void)snprintf(m->no_size.text, sizeof(m->no_size.text),
		       "only a mapping is left, and no descriptor to ask");
	m->no_resident = m->no_nodes = m->no_size;
	m->next = *at;
	*at = m;
	return m;
}

static struct holder *find_holder(struct mem *m, struct process *p)
{
	struct holder *h;

	p->holds = true;
	for (h = m->holders; h; h = h->next)
		if (h->pid == p->pid)
			return h;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->pid = p->pid;
	memcpy(h->command, p->command, sizeof(h->command));
	*m->end = h;
	m->end = &h->next;
	return h;
}

static int add_fd(struct holder *h, int fd)
{
	int *more = realloc(h->fd, (h->fds + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	h->fd = more;
	h->fd[h->fds++] = fd;
	return 0;
}

static int add_late(struct scan *s, pid_t pid)
{
	pid_t *more = realloc(s->late, (s->late_n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->late = more;
	s->late[s->late_n++] = pid;
	return 0;
}

static int add_hidden(struct scan *s, const struct process *p)
{
	struct hidden *h = calloc(1, sizeof(*h));
	const char *lacks = priv_lacks_sight();

	if (!h)
		return -ENOMEM;
	h->pid = p->pid;
	memcpy(h->command, p->command, sizeof(h->command));
	if (lacks)
		(void)snprintf(h->why, sizeof(h->why),
			       "no %s: it is another user's or not dumpable",
			       lacks);
	else
		(void)snprintf(h->why, sizeof(h->why),
			       "its files are kept even from cap_sys_ptrace");
	*s->hidden_end = h;
	s->hidden_end = &h->next;
	return 0;
}

void scan_free(struct scan *s)
{
	while (s->files) {
		struct mem *m = s->files;

		s->files = m->next;
		while (m->holders) {
			struct holder *h = m->holders;

			m->holders = h->next;
			free(h->fd);
			free(h);
		}
		free(m->nodes);
		free(m);
	}
	while (s->hidden) {
		struct hidden *h = s->hidden;

		s->hidden = h->next;
		free(h);
	}
	free(s->late);
}

/* ------------------------------------------------------- one process -- */

/* The start of a small file of the process; "" if it cannot be read. */
static void read_small(const struct process *p, const char *name, char *buf,
		       size_t size)
{
	int fd = openat(p->dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		(void)close(fd);
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

/* Field by field: the blank before the next one, or the end. */
static const char *next_field(const char *p)
{
	p += strspn(p, " ");
	return p + strcspn(p, " ");
}

/* Threads of the kernel have no files, and ended processes no more. */
static bool holds_nothing(const struct process *p)
{
	char stat[256];
	const char *at;

	read_small(p, "stat", stat, sizeof(stat));
	at = strrchr(stat, ')'); /* the name may hold anything */
	if (!at)
		return true;
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
 * A file of any name can be made and deleted: the file system decides.
 * O_PATH, since no guest_memfd can be opened.  0 = it is none, or gone.
 */
static int inspect(int dir, const char *name, struct stat *st)
{
	int fd = openat(dir, name, O_PATH | O_CLOEXEC), r = 0;
	struct statfs fs;

	if (fd < 0)
		return 0;
	if (!fstat(fd, st) && !fstatfs(fd, &fs) && S_ISREG(st->st_mode))
		r = (unsigned long)fs.f_type == GUEST_MEMFD_FS ||
		    (unsigned long)fs.f_type == ANON_INODE_FS_MAGIC;
	(void)close(fd);
	return r;
}

static int see_fd(struct scan *s, struct process *p, int dir, const char *name)
{
	struct stat st;
	struct holder *h;
	struct mem *m;

	if (!inspect(dir, name, &st))
		return 0;
	m = find_file(s, st.st_dev, st.st_ino);
	if (!m)
		return -ENOMEM;
	m->size = (uint64_t)st.st_size;
	m->no_size.text[0] = '\0';
	h = find_holder(m, p);
	return h ? add_fd(h, number(name)) : -ENOMEM;
}

static int scan_fds(struct scan *s, struct process *p)
{
	char text[LINK_TEXT];
	struct dirent *e;
	int r = 0;
	int fd = openat(p->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		p->denied = errno == EACCES || errno == EPERM;
		return errno == ENOMEM || errno == EMFILE || errno == ENFILE
			       ? -errno
			       : 0;
	}
	while (!r && !p->denied && !p->late && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		p->late = late(s);
		if (!read_link(dirfd(d), e->d_name, text))
			p->denied = errno == EACCES || errno == EPERM;
		else if (!strcmp(text, VM_LINK))
			p->vm = true;
		else if (is_link(text))
			r = see_fd(s, p, dirfd(d), e->d_name);
	}
	(void)closedir(d);
	return r;
}

/* One line of maps: "START-END rwxs OFFSET MAJOR:MINOR INODE  NAME". */
static int see_mapping(struct scan *s, struct process *p, char *line)
{
	uint64_t start, end, ino;
	unsigned long maj, min;
	struct holder *h;
	struct mem *m;
	char *at;

	line[strcspn(line, "\n")] = '\0';
	start = strtoull(line, &at, 16);
	end = *at == '-' ? strtoull(at + 1, &at, 16) : start;
	maj = strtoul(next_field(next_field(at)), &at, 16);
	min = *at == ':' ? strtoul(at + 1, &at, 16) : 0;
	ino = strtoull(at, &at, 10);
	/* Both file systems have no device behind them. */
	if (maj || !is_link(at + strspn(at, " ")))
		return 0;
	m = find_file(s, makedev((unsigned int)maj, (unsigned int)min), ino);
	h = m ? find_holder(m, p) : NULL;
	if (!h)
		return -ENOMEM;
	h->mapped += end - start;
	return 0;
}

static int scan_maps(struct scan *s, struct process *p)
{
	int fd = openat(p->dir, "maps", O_RDONLY | O_CLOEXEC), r = 0;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;

	if (!f) {
		p->denied = errno == EACCES || errno == EPERM;
		return errno == ENOMEM || errno == EMFILE || errno == ENFILE
			       ? -errno
			       : 0;
	}
	while (!r && !p->late && getline(&line, &size, f) > 0) {
		p->late = late(s);
		r = see_mapping(s, p, line);
	}
	free(line);
	(void)fclose(f);
	return r;
}

/* What is known of the process as a whole goes to each of its files. */
static void tell_holders(struct scan *s, const struct process *p)
{
	for (struct mem *m = s->files; m; m = m->next)
		for (struct holder *h = m->holders; h; h = h->next)
			if (h->pid == p->pid) {
				h->vm = p->vm;
				h->unmapped = p->denied || p->late;
			}
}

static int scan_process(struct scan *s, int proc, const char *name)
{
	struct process p = { .pid = number(name) };
	int r;

	p.dir = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p.dir < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : -errno;
	s->processes++;
	read_command(&p);
	r = scan_fds(s, &p);
	if (!r && !p.denied && !p.late)
		r = scan_maps(s, &p);
	if (p.holds)
		tell_holders(s, &p);
	if (!r && p.denied && !holds_nothing(&p))
		r = add_hidden(s, &p);
	if (!r && p.late)
		r = add_late(s, p.pid);
	(void)close(p.dir);
	return r;
}

int scan_processes(struct scan *s)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int r = 0;

	if (!d)
		return -errno;
	/* Every PID namespace has a process 1; see hidepid of proc(5). */
	s->proc_hides = faccessat(dirfd(d), "1", F_OK, 0) < 0;
	s->hidden_end = &s->hidden;
	while (!r && (e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		if (late(s))
			r = add_late(s, number(e->d_name));
		else
			r = scan_process(s, dirfd(d), e->d_name);
	}
	(void)closedir(d);
	return r;
}
