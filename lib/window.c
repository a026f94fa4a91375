// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "call.h"
#include "error.h"
#include "file.h"
#include "lock.h"
#include "map.h"
#include "window.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* 5.14 */
#endif

static void keep(struct gmem *g, struct gmem__map *m)
{
	gmem__lock(&g->lock);
	m->next = g->left;
	g->left = m;
	gmem__unlock(&g->lock);
}

/* Unmaps and frees @m, or keeps it. */
static int drop(struct gmem *g, struct gmem__map *m)
{
	int r = gmem__munmap(g->ctx, m->addr, m->len);

	if (r < 0)
		keep(g, m);
	else
		gmem__free(g->ctx, m);
	return r;
}

int gmem__windows_end(struct gmem *g)
{
	struct gmem__map *m, *next;
	int first = 0, r;

	gmem__lock(&g->lock);
	m = g->left;
	g->left = NULL;
	gmem__unlock(&g->lock);
	for (; m; m = next) {
		next = m->next;
		r = drop(g, m);
		if (first == 0)
			first = r;
	}
	return first;
}

/*
 * Not for a forked child, where KVM's accesses through it would not be seen,
 * nor for a core dump.
 */
static int guard(const struct gmem__ctx *ctx, const struct gmem__map *m,
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

	(void)gmem__windows_end(g);
	m = gmem__alloc(g->ctx, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->len = len;
	r = gmem__mmap(g->ctx, &m->addr, len, prot, flags, fd, offset);
	if (r < 0) {
		gmem__free(g->ctx, m);
		return r;
	}
	r = guard(g->ctx, m, prot);
	if (r < 0) {
		(void)drop(g, m);
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

void gmem__window_close(struct gmem *g, struct gmem__window *w)
{
	if (w->map)
		(void)drop(g, w->map);
	w->map = NULL;
}

int gmem__window_failed(int sys, struct gmem_error *err)
{
	return gmem__fail_map(err, sys, GMEM__WINDOW,
			      "mapping the guest_memfd");
}

uint64_t gmem__populate_prefix(const struct gmem__ctx *ctx, void *addr,
			       uint64_t len, int advice, int *sys)
{
	uint64_t good = 0, bad = len, mid;
	char *p = addr;
	int r = gmem__madvise(ctx, p, len, advice);

	*sys = r;
	if (r == 0)
		return len;
	/* Which page it was only matters where a page is to blame. */
	while ((r == -EFAULT || r == -EHWPOISON || r == 0) &&
	       bad - good > ctx->page_size) {
		mid = good + (bad - good) / ctx->page_size / 2 * ctx->page_size;
		r = gmem__madvise(ctx, p + good, mid - good, advice);
		if (r == 0) {
			good = mid;
		} else {
			bad = mid;
			*sys = r;
		}
	}
	return good;
}

int gmem__touch_failed(int sys, uint64_t at, struct gmem_error *err)
{
	switch (sys) {
	case -EHWPOISON:
		return gmem__fail_sys(err, GMEM_REASON_POISONED, 0, sys, at, 0,
				      "the page at offset 0x%" PRIx64
				      " has a memory error",
				      at);
	case -EFAULT:
		return gmem__fail_sys(
			err, GMEM_REASON_PRIVATE, -EACCES, sys, at, 0,
			"offset 0x%" PRIx64 " turned private meanwhile", at);
	default:
		return gmem__fail_call(err, sys, "touching the guest_memfd");
	}
}

/* By asking for the page itself: only madvise(2) tells the causes apart. */
int gmem__why_fault(const struct gmem *g, const struct gmem__window *w,
		    uint64_t at, uint64_t len, struct gmem_error *err)
{
	uint64_t page = g->ctx->page_size, first = at - at % page, n, good;
	int sys;

	n = at + len - first;
	n += (page - n % page) % page;
	do {
		good = gmem__populate_prefix(
			g->ctx, w->addr + (int64_t)(first - w->offset), n,
			MADV_POPULATE_READ, &sys);
	} while (sys == -EINTR);
	if (sys == 0)
		return 0;
	if (good)
		at = first + good;
	/* Whatever kept it from telling, a private page is what remains. */
	if (sys != -EHWPOISON && sys != -ENOMEM)
		sys = -EFAULT;
	return gmem__diagnosed(err, gmem__touch_failed(sys, at, err));
}
