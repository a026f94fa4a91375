/* SPDX-License-Identifier: MIT */
/* The mappings of a process, as /proc shows them (maps.c). */
#ifndef GMEMCTL_PS_MAPS_H
#define GMEMCTL_PS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* The two forms of a guest_memfd's link, see scan.c. */
#define LINKS 2

/* Which of the links it is; LINKS: none. */
size_t which_link(const char *text);
/* The file system that a file with this link must be on. */
unsigned long link_fs(size_t link);

/* A file of /proc itself: what is mounted over it speaks for others. */
int open_proc(int dir, const char *name, uint64_t flags);

/* A file of /proc/PID, line by line; one is open at a time. */
struct lines {
	FILE *f;
	char *line; /* the last one, without its line break */
	size_t size;
};

/* Return: whether it is open; else errno says why not. */
bool lines_open(struct lines *l, int dir, const char *name);
bool lines_next(struct lines *l);
void lines_close(struct lines *l);

/*
 * "N0=12 N1=3" of a line: adds to @nodes, if it is not NULL, so many times
 * @unit bytes.  Return: of all nodes.
 */
uint64_t add_nodes(const char *line, uint64_t unit, uint64_t *nodes);

/* Field by field: the blank before the next one, or the end. */
const char *next_field(const char *p);

/* What has the name of a guest_memfd. */
struct mapping {
	uint64_t start, end, offset;
	dev_t dev;
	ino_t ino;
	size_t link;
};

/* A line of maps, unless it is of something else. */
bool read_mapping(const char *line, struct mapping *out);

/* Its name in map_files. */
#define MAPPING_NAME 40
void mapping_name(const struct mapping *m, char name[MAPPING_NAME]);

#endif
