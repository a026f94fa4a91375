/* SPDX-License-Identifier: MIT */
/* The lines of a file of /proc or /sys. */
#ifndef GMEM_LIB_LINES_H
#define GMEM_LIB_LINES_H

#include "ctx.h"

struct gmem__lines {
	const struct gmem__ctx *ctx;
	int fd;
	int sys; /* the -errno that ended it, or 0 */
	size_t at, end;
	char buf[4352]; /* a path and a little more */
};

/* 0, or -errno of openat; then nothing has to be closed. */
int gmem__lines_open(struct gmem__lines *l, const struct gmem__ctx *ctx,
		     const char *path);
/* The same of the file @name that the machine has for NUMA node @n. */
int gmem__lines_open_node(struct gmem__lines *l, const struct gmem__ctx *ctx,
			  unsigned int n, const char *name);
/* The next line, until the next call; NULL at the end.  A longer one ends it.
 */
const char *gmem__lines_next(struct gmem__lines *l);
void gmem__lines_close(struct gmem__lines *l);

#endif
