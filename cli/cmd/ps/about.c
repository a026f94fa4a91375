// SPDX-License-Identifier: MIT
/* Who a process is: its user, its cgroup and its arguments. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ps/ps.h"
#include "report/words.h"
#include "target/charge/cgroup.h"

/* More than a status has before its users, and than one cgroup has lines. */
#define SMALL_FILE 8192

/* The start of a file of the process, as a string.  Return: its length. */
static size_t read_start(int dir, const char *name, char *buf, size_t size)
{
	int fd = open_proc(dir, name, 0);
	ssize_t n = 1;
	size_t len = 0;

	while (fd >= 0 && n > 0 && len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		(void)close(fd);
	buf[len] = '\0';
	return len;
}

/* The effective one: the second on its line.  A name has no line break. */
static bool read_uid(int dir, uid_t *out)
{
	char text[SMALL_FILE], *at, *end;
	unsigned long uid;

	(void)read_start(dir, "status", text, sizeof(text));
	at = strstr(text, "\nUid:");
	if (!at)
		return false;
	(void)strtoul(at + 5, &at, 10);
	uid = strtoul(at, &end, 10);
	*out = (uid_t)uid;
	return end != at;
}

static void read_cgroup(struct scan *s, int dir, struct about *out)
{
	static struct cgroup c;
	char text[SMALL_FILE], *line, *next, *saved = NULL;

	c = (struct cgroup){ .v1 = false };

	(void)read_start(dir, "cgroup", text, sizeof(text));
	for (next = text; (line = strtok_r(next, "\n", &saved)); next = NULL)
		cgroup_line(line, &c);
	(void)safe_text(c.path, out->cgroup, CGROUP_TEXT);
	if (s->payer && *c.path)
		out->payer = payer_of(s, &c);
}

/* The process can write there what it likes. */
static void read_args(int dir, char out[ARGS_TEXT])
{
	char text[ARGS_TEXT];
	size_t n = read_start(dir, "cmdline", text, sizeof(text));

	while (n && !text[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	(void)safe_text(text, out, ARGS_TEXT);
}

void read_about(struct scan *s, int dir, struct about *out)
{
	out->no_uid = !read_uid(dir, &out->uid);
	read_cgroup(s, dir, out);
	if (s->args)
		read_args(dir, out->args);
}
