// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "lines.h"

int gmem__lines_open(struct gmem__lines *l, const struct gmem__ctx *ctx,
		     const char *path)
{
	l->ctx = ctx;
	l->sys = 0;
	l->at = l->end = 0;
	l->fd = gmem__open(ctx, path, O_RDONLY | O_CLOEXEC);
	return l->fd < 0 ? l->fd : 0;
}

int gmem__lines_open_node(struct gmem__lines *l, const struct gmem__ctx *ctx,
			  unsigned int n, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/%s",
		       n, name);
	return gmem__lines_open(l, ctx, path);
}

/* Moves what is left to the front and reads behind it; false at the end. */
static bool more(struct gmem__lines *l)
{
	int64_t n;

	memmove(l->buf, l->buf + l->at, l->end - l->at);
	l->end -= l->at;
	l->at = 0;
	if (l->end == sizeof(l->buf)) {
		l->sys = -EOVERFLOW;
		return false;
	}
	do {
		n = gmem__read(l->ctx, l->fd, l->buf + l->end,
			       sizeof(l->buf) - l->end);
	} while (n == -EINTR);
	if (n < 0)
		l->sys = (int)n;
	if (n <= 0)
		return false;
	l->end += (size_t)n;
	return true;
}

const char *gmem__lines_next(struct gmem__lines *l)
{
	char *line, *end;

	for (;;) {
		line = l->buf + l->at;
		end = memchr(line, '\n', l->end - l->at);
		if (end)
			break;
		if (!more(l))
			return NULL;
	}
	*end = '\0';
	l->at = (size_t)(end - l->buf) + 1;
	return line;
}

void gmem__lines_close(struct gmem__lines *l)
{
	(void)gmem__close(l->ctx, l->fd);
}
