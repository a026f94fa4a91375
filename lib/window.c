// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/mman.h>

#include "call.h"
#include "error.h"
#include "file.h"
#include "lock.h"
#include "map.h"
#include "window.h"

static void keep(struct gmem *g, struct gmem__map *m)
{
	gmem__lock(&g->lock);
	m->next = g->left;
	g->left = m;
	gmem__unlock(&g->lock);
}

/* Unmaps and frees @m, or keeps it. */
static void drop(struct gmem *g, struct gmem__map *m)
{
	if (gmem__munmap(g->ctx, m->addr, m->len) < 0)
		keep(g, m);
	else
		gmem__free(g->ctx, m);
}

/* Tries again with what was kept. */
static void drop_left(struct gmem *g)
{
	struct gmem__map *m, *next;

	gmem__lock(&g->lock);
	m = g->left;
	g->left = NULL;
	gmem__unlock(&g->lock);
	for (; m; m = next) {
		next = m->next;
		drop(g, m);
	}
}

int gmem__window_guard(const struct gmem__ctx *ctx, const struct gmem__map *m,
		       int prot)
{
	int r = gmem__madvise(ctx, m->addr, m->len, MADV_DONTFORK);

	if (r == 0 && prot != PROT_NONE)
		r = gmem__madvise(ctx, m->addr, m->len, MADV_DONTDUMP);
	return r;
}

/* The memory to remember the mapping by comes first: removing needs none. */
static int map(struct gmem *g, int fd, int flags, uint64_t offset, uint64_t len,
	       int prot, struct gmem__window *w)
{
	struct gmem__map *m;
	int r;

	drop_left(g);
	m = gmem__alloc(g->ctx, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->len = len;
	r = gmem__mmap(g->ctx, &m->addr, len, prot, flags, fd, offset);
	if (r < 0) {
		gmem__free(g->ctx, m);
		return r;
	}
	r = gmem__window_guard(g->ctx, m, prot);
	if (r < 0) {
		drop(g, m);
		return r;
	}
	*w = (struct gmem__window){
		.addr = m->addr, .offset = offset, .len = len, .map = m
	};
	return 0;
}

int gmem__window_map(struct gmem *g, uint64_t offset, uint64_t len, int prot,
		     struct gmem__window *w)
{
	return map(g, g->fd, MAP_SHARED, offset, len, prot, w);
}

int gmem__window_reserve(struct gmem *g, uint64_t len, struct gmem__window *w)
{
	return map(g, -1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, 0, len,
		   PROT_NONE, w);
}

int gmem__window_open(struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem__window *w)
{
	uint64_t page = g->ctx->page_size, skip = offset % page, end;
	unsigned char *view;
	int r;

	gmem__lock(&g->lock);
	view = g->view;
	gmem__unlock(&g->lock);
	if (view) {
		*w = (struct gmem__window){ .addr = view + offset,
					    .offset = offset,
					    .len = len };
		return 0;
	}
	if (len > GMEM__WINDOW - skip)
		len = GMEM__WINDOW - skip;
	end = offset + len;
	end += (page - end % page) % page;
	r = gmem__window_map(g, offset - skip, end - (offset - skip),
			     PROT_READ | PROT_WRITE, w);
	if (r < 0)
		return r;
	w->addr += skip;
	w->offset = offset;
	w->len = len;
	return 0;
}

int gmem__window_next(struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem__window *w)
{
	if (offset - w->offset < w->len)
		return 0;
	gmem__window_close(g, w);
	return gmem__window_open(g, offset, len, w);
}

void gmem__window_close(struct gmem *g, struct gmem__window *w)
{
	if (w->map)
		drop(g, w->map);
	w->map = NULL;
}

int gmem__window_failed(int sys, struct gmem_error *err)
{
	return gmem__fail_map(err, sys, GMEM__WINDOW,
			      "mapping the guest_memfd");
}
