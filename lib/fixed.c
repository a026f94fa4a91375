// SPDX-License-Identifier: MIT
/*
 * Mappings at addresses that the caller has reserved.  He gets them back as
 * a reservation, never as a hole, which the next mapping of another thread's
 * would fall into.  A hole that the kernel leaves when it fails is filled only
 * where nothing else came into it.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "call.h"
#include "error.h"
#include "file.h"
#include "fixed.h"
#include "lock.h"
#include "map.h"
#include "slot.h"
#include "vm.h"
#include "window.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* 4.17 */
#endif

/* A low address is one that was never set. */
#define ADDR_LEAST 65536

bool gmem__addr_usable(const struct gmem__ctx *ctx, uint64_t addr, uint64_t len)
{
	return addr % ctx->page_size == 0 && addr + len >= addr &&
	       ctx->sys->addressable(ctx->priv, addr, len);
}

static int addr_check(const struct gmem *g, uint64_t addr, uint64_t len,
		      struct gmem_error *err)
{
	if (addr >= ADDR_LEAST && gmem__addr_usable(g->ctx, addr, len))
		return 0;
	return gmem__fail(
		err, GMEM_REASON_USERSPACE_ADDR, addr, g->ctx->page_size,
		"0x%" PRIx64 " is not a page-aligned, untagged user "
		"address of 64 KiB or above with room for 0x%" PRIx64 " bytes",
		addr, len);
}

static bool meets(const void *at, uint64_t n, uint64_t addr, uint64_t len)
{
	uint64_t start = (uintptr_t)at;

	return at && start < addr + len && addr < start + n;
}

static bool list_meets(const struct gmem__map *m, uint64_t addr, uint64_t len)
{
	while (m && !meets(m->addr, m->len, addr, len))
		m = m->next;
	return m;
}

/* Whether the library has something of the file's there. */
static bool in_use(struct gmem *g, uint64_t addr, uint64_t len)
{
	bool r;

	gmem__lock(&g->lock);
	r = meets(g->view, g->size, addr, len) ||
	    meets(g->record_mem, g->record_len, addr, len) ||
	    list_meets(g->maps, addr, len) || list_meets(g->left, addr, len) ||
	    list_meets(g->reservation, addr, len);
	gmem__unlock(&g->lock);
	return r;
}

static void enter(struct gmem *g, struct gmem__map *m)
{
	gmem__lock(&g->lock);
	m->next = g->maps;
	g->maps = m;
	gmem__unlock(&g->lock);
}

static void leave(struct gmem *g, struct gmem__map *m)
{
	struct gmem__map **p;

	gmem__lock(&g->lock);
	for (p = &g->maps; *p != m; p = &(*p)->next)
		;
	*p = m->next;
	gmem__unlock(&g->lock);
	gmem__free(g->ctx, m);
}

/* Enters @m unless the library, or KVM, uses these addresses. */
static int claim(struct gmem *g, struct gmem__map *m, struct gmem_error *err)
{
	uint64_t addr = (uintptr_t)m->addr;
	struct gmem__slot *s = NULL;
	uint32_t slot = 0;
	bool taken = false;

	if (g->vm) {
		gmem__lock(&g->vm->lock);
		s = gmem__slot_by_addr(g->vm, addr, m->len);
		slot = s ? s->s.slot : 0;
		for (struct gmem *f = g->vm->files; f && !taken; f = f->next)
			taken = in_use(f, addr, m->len);
	} else {
		taken = in_use(g, addr, m->len);
	}
	if (!s && !taken)
		enter(g, m);
	if (g->vm)
		gmem__unlock(&g->vm->lock);
	if (s)
		return gmem__fail(err, GMEM_REASON_STILL_BOUND, slot, addr,
				  "slot %u leads to a part of 0x%" PRIx64
				  " + 0x%" PRIx64,
				  slot, addr, m->len);
	if (taken)
		return gmem__fail(err, GMEM_REASON_STILL_MAPPED, addr, m->len,
				  "the library has something mapped in "
				  "0x%" PRIx64 " + 0x%" PRIx64,
				  addr, m->len);
	return 0;
}

static int reserve(const struct gmem__ctx *ctx, const struct gmem__map *m,
		   int how)
{
	void *at = m->addr;

	return gmem__mmap(ctx, &at, m->len, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how, -1,
			  0);
}

int gmem__fixed_put_back(const struct gmem__ctx *ctx, struct gmem__map *m)
{
	int r = 0, hole;

	if (m->mapped)
		r = reserve(ctx, m, MAP_FIXED);
	if (m->mapped && r == 0)
		return 0;
	hole = reserve(ctx, m, MAP_FIXED_NOREPLACE);
	if (hole == 0 || (!m->mapped && hole == -EEXIST))
		return 0;
	return m->mapped ? r : hole;
}

void gmem__fixed_ready(struct gmem *g, struct gmem__map *m)
{
	gmem__lock(&g->lock);
	m->busy = false;
	gmem__unlock(&g->lock);
}

int gmem__fixed_end(struct gmem *g, struct gmem__map *m)
{
	int r = gmem__fixed_put_back(g->ctx, m);

	if (r < 0)
		gmem__fixed_ready(g, m);
	else
		leave(g, m);
	return r;
}

void gmem__fixed_drop(struct gmem *g, struct gmem__map *m,
		      struct gmem_error *err)
{
	uint64_t addr = (uintptr_t)m->addr;
	int r;

	m->owed = true;
	r = gmem__fixed_end(g, m);
	if (r < 0)
		gmem__owed_too(err, addr, r);
}

/* It becomes busy. */
static struct gmem__map *owed(struct gmem *g, uint64_t addr, uint64_t len)
{
	struct gmem__map *m;

	if (g->vm)
		gmem__lock(&g->vm->lock);
	gmem__lock(&g->lock);
	for (m = g->maps; m; m = m->next)
		if (m->owed && !m->busy && meets(m->addr, m->len, addr, len) &&
		    !(g->vm &&
		      gmem__slot_by_addr(g->vm, (uintptr_t)m->addr, m->len)))
			break;
	if (m)
		m->busy = true;
	gmem__unlock(&g->lock);
	if (g->vm)
		gmem__unlock(&g->vm->lock);
	return m;
}

void gmem__fixed_retry(struct gmem *g, uint64_t addr, uint64_t len)
{
	struct gmem__map *m;

	while ((m = owed(g, addr, len)) != NULL && gmem__fixed_end(g, m) == 0)
		;
}

int gmem__fixed_map(struct gmem *g, uint64_t offset, uint64_t len, int prot,
		    void *addr, struct gmem__map **out, struct gmem_error *err)
{
	struct gmem__map *m;
	int r = addr_check(g, (uintptr_t)addr, len, err);

	if (r < 0)
		return r;
	m = gmem__alloc(g->ctx, sizeof(*m));
	if (!m)
		return gmem__window_failed(-ENOMEM, err);
	m->addr = addr;
	m->len = len;
	m->fixed = m->busy = true;
	gmem__fixed_retry(g, (uintptr_t)addr, len);
	r = claim(g, m, err);
	if (r < 0) {
		gmem__free(g->ctx, m);
		return r;
	}
	r = gmem__mmap(g->ctx, &addr, len, prot, MAP_SHARED | MAP_FIXED, g->fd,
		       offset);
	m->mapped = r == 0;
	if (r == 0)
		r = gmem__window_guard(g->ctx, m, prot);
	if (r == 0) {
		*out = m;
		return 0;
	}
	r = gmem__window_failed(r, err);
	gmem__fixed_drop(g, m, err);
	return r;
}
