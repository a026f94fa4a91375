// SPDX-License-Identifier: MIT
/* Files of /proc, and the mappings in some of them. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/magic.h>
#include <linux/openat2.h>

#include "cmd/ps/maps.h"
#include "cmd/ps/ps.h"

/* Up to 6.18, and since it has a file system of its own, 6.19. */
static const struct {
	const char *text;
	unsigned long fs;
} links[LINKS] = {
	{ "anon_inode:[kvm-gmem]", ANON_INODE_FS_MAGIC },
	{ "/[kvm-gmem] (deleted)", 0x474d454d },
};

size_t which_link(const char *text)
{
	size_t i = 0;

	while (i < LINKS && strcmp(text, links[i].text) != 0)
		i++;
	return i;
}

unsigned long link_fs(size_t link)
{
	return links[link].fs;
}

int open_proc(int dir, const char *name, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_RDONLY | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

bool lines_open(struct lines *l, int dir, const char *name)
{
	/* The kernel gives a page at once; stdio would ask for 1 KiB. */
	static char buffer[16384];
	int fd = open_proc(dir, name, 0);

	*l = (struct lines){ .f = fd < 0 ? NULL : fdopen(fd, "r") };
	if (!l->f)
		return false;
	(void)setvbuf(l->f, buffer, _IOFBF, sizeof(buffer));
	return true;
}

bool lines_next(struct lines *l)
{
	if (getline(&l->line, &l->size, l->f) <= 0)
		return false;
	l->line[strcspn(l->line, "\n")] = '\0';
	return true;
}

void lines_close(struct lines *l)
{
	free(l->line);
	(void)fclose(l->f);
}

const char *next_field(const char *p)
{
	p += strspn(p, " ");
	return p + strcspn(p, " ");
}

uint64_t add_nodes(const char *line, uint64_t unit, uint64_t *nodes)
{
	uint64_t bytes, all = 0;
	unsigned long node;
	char *end;

	for (const char *at = line; (at = strstr(at, " N")) != NULL; at++) {
		node = strtoul(at + 2, &end, 10);
		if (end == at + 2 || *end != '=' || node >= NODES)
			continue;
		bytes = strtoull(end + 1, NULL, 10) * unit;
		if (nodes)
			nodes[node] += bytes;
		all += bytes;
	}
	return all;
}

/* Nearly all lines are of something else, and need no numbers. */
static bool may_be_ours(const char *line)
{
	bool found = false;

	for (size_t i = 0; i < LINKS && !found; i++)
		found = strstr(line, links[i].text) != NULL;
	return found;
}

/* "START-END rwxs OFFSET MAJOR:MINOR INODE  NAME" */
bool read_mapping(const char *line, struct mapping *out)
{
	unsigned long maj, min;
	char *at;

	if (!may_be_ours(line))
		return false;
	out->start = strtoull(line, &at, 16);
	out->end = *at == '-' ? strtoull(at + 1, &at, 16) : out->start;
	out->offset = strtoull(next_field(at), &at, 16);
	maj = strtoul(at, &at, 16);
	min = *at == ':' ? strtoul(at + 1, &at, 16) : 0;
	out->dev = makedev((unsigned int)maj, (unsigned int)min);
	out->ino = strtoull(at, &at, 10);
	out->link = which_link(at + strspn(at, " "));
	return out->link < LINKS && out->end > out->start;
}

void mapping_name(const struct mapping *m, char name[MAPPING_NAME])
{
	(void)snprintf(name, MAPPING_NAME, "%" PRIx64 "-%" PRIx64, m->start,
		       m->end);
}
