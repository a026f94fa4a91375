// SPDX-License-Identifier: MIT
/* The host's view of a file: mappings for the caller and for slots. */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "call.h"
#include "callback.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "fixed.h"
#include "lock.h"
#include "map.h"
#include "opts.h"
#include "range.h"
#include "region.h"
#include "slot.h"
#include "vm.h"
#include "window.h"

#define MMAP_OPTS_V0 16
#define MMAP_FLAGS                                                       \
	(GMEM_MMAP_READONLY | GMEM_MMAP_ALLOW_PRIVATE | GMEM_MMAP_FORK | \
	 GMEM_MMAP_DUMP | GMEM_MMAP_FIXED)

_Static_assert(offsetof(struct gmem_mmap_opts, addr) == MMAP_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type =
	GMEM__OPTS_TYPE(gmem_mmap_opts, MMAP_OPTS_V0, MMAP_FLAGS);

int gmem__need_mappable(const struct gmem *g, struct gmem_error *err)
{
	if (g->flags & GMEM_CREATE_MMAP)
		return 0;
	return gmem__fail(err, GMEM_REASON_NOT_MAPPABLE, g->flags,
			  GMEM_CREATE_MMAP, "the file was made without mmap");
}

enum gmem__state gmem__host_state(const struct gmem *g, uint64_t offset,
				  uint64_t len, uint64_t *run)
{
	if (g->record.blocks && gmem__has(g->vm, GMEM_FEATURE_FILE_ATTRIBUTES))
		return gmem__record_run(&g->record, offset, len, run);
	*run = len;
	return g->flags & GMEM_CREATE_INIT_SHARED ? GMEM__SHARED
						  : GMEM__PRIVATE;
}

int gmem__fail_private(uint64_t offset, struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_PRIVATE, offset, 0,
			  "offset 0x%" PRIx64 " is private to the guest",
			  offset);
}

int gmem__need_shared(const struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem_error *err)
{
	uint64_t run, pos = offset, end = offset + len;

	while (pos < end) {
		if (gmem__host_state(g, pos, end - pos, &run) != GMEM__SHARED)
			return gmem__fail_private(pos, err);
		pos += run;
	}
	return 0;
}

int gmem__shared_range_check(const struct gmem *g, uint64_t offset,
			     uint64_t len, struct gmem_error *err)
{
	int r = gmem__inside(offset, len, g->size, err);

	if (r < 0 || (r = gmem__need_mappable(g, err)) < 0)
		return r;
	return gmem__need_shared(g, offset, len, err);
}

/* A mapping of the caller that can be behind slots; g->lock is held. */
static void become_view(struct gmem *g)
{
	struct gmem__map *m;

	for (m = g->maps; m && !m->like_view; m = m->next)
		;
	if (!m)
		return;
	m->in_view = true;
	g->view = m->addr;
}

int gmem__view(struct gmem *g, unsigned char **out, struct gmem_error *err)
{
	struct gmem__map *spare = NULL;
	struct gmem__window w;
	int r;

	gmem__lock(&g->lock);
	if (!g->view)
		become_view(g);
	*out = g->view;
	gmem__unlock(&g->lock);
	if (*out)
		return 0;
	r = gmem__window_map(g, 0, g->size, PROT_READ | PROT_WRITE, &w);
	if (r < 0)
		return gmem__window_failed(r, err);
	gmem__lock(&g->lock);
	if (!g->view) {
		g->view = w.addr;
		spare = w.map;
		w.map = NULL;
	}
	*out = g->view;
	gmem__unlock(&g->lock);
	gmem__free(g->ctx, spare);
	gmem__window_close(g, &w); /* where another thread was first */
	return 0;
}

/* Whether a slot leads to one of these addresses; @out: which, or NULL. */
static bool reached(const struct gmem *g, const void *addr, uint64_t len,
		    struct gmem_slot *out)
{
	const struct gmem__slot *s;

	if (!g->vm || !addr)
		return false;
	gmem__lock(&g->vm->lock);
	s = gmem__slot_by_addr(g->vm, (uintptr_t)addr, len);
	if (s && out)
		*out = s->s;
	gmem__unlock(&g->vm->lock);
	return s;
}

static int unmap(const struct gmem__ctx *ctx, struct gmem__map *m)
{
	if (m->in_view)
		return 0;
	return m->fixed ? gmem__fixed_put_back(ctx, m)
			: gmem__munmap(ctx, m->addr, m->len);
}

static void put_map(struct gmem *g, struct gmem__map **list,
		    struct gmem__map *m)
{
	gmem__lock(&g->lock);
	m->next = *list;
	*list = m;
	gmem__unlock(&g->lock);
}

/*
 * Unmaps what the list has; what cannot be unmapped, or not yet, stays.  Other
 * threads may look at the lists of any file.
 */
static int unmap_list(struct gmem *g, struct gmem__map **list)
{
	struct gmem__map *m, *next, *rest = NULL;
	int first = 0, r;

	gmem__lock(&g->lock);
	m = *list;
	*list = NULL;
	gmem__unlock(&g->lock);
	for (; m; m = next) {
		next = m->next;
		r = 0;
		if (m->in_view || !reached(g, m->addr, m->len, NULL)) {
			r = unmap(g->ctx, m);
			if (r == 0) {
				gmem__free(g->ctx, m);
				continue;
			}
		}
		first = first ? first : r;
		m->next = rest;
		rest = m;
	}
	while ((m = rest) != NULL) {
		rest = m->next;
		put_map(g, list, m);
	}
	return first;
}

int gmem__unmap_all(struct gmem *g)
{
	int first = unmap_list(g, &g->left), r;

	r = unmap_list(g, &g->maps);
	first = first ? first : r;
	r = unmap_list(g, &g->reservation);
	first = first ? first : r;
	if (g->view && !reached(g, g->view, g->size, NULL)) {
		r = gmem__munmap(g->ctx, g->view, g->size);
		gmem__lock(&g->lock);
		if (r == 0)
			g->view = NULL;
		gmem__unlock(&g->lock);
		first = first ? first : r;
	}
	return first;
}

/* All other slots were deleted, or the failure was reported before. */
static int check_forgotten(const struct gmem *g, const void *addr, uint64_t len,
			   struct gmem_error *err)
{
	struct gmem_slot s;

	if (!reached(g, addr, len, &s))
		return 0;
	return gmem__fail(err, GMEM_REASON_SLOT_STUCK, s.slot, s.userspace_addr,
			  "slot %u, which the VMM made, was not forgotten: its "
			  "memory stays mapped at 0x%" PRIx64,
			  s.slot, s.userspace_addr);
}

int gmem__maps_noted(const struct gmem *g, struct gmem_error *err)
{
	const struct gmem_region *region = gmem__region_of(g);
	const struct gmem__map *m = g->reservation;
	int r = check_forgotten(g, g->view, g->size, err);

	if (r == 0 && region && !region->side.addr)
		r = check_forgotten(g, region->shared, g->size, err);
	if (r == 0 && m)
		r = check_forgotten(g, m->addr, m->len, err);
	for (m = g->maps; m && r == 0; m = m->next)
		r = check_forgotten(g, m->addr, m->len, err);
	return r;
}

/* What a slot leads to stays: KVM would write into whatever comes there. */
static int unused(const struct gmem *g, const void *addr, uint64_t len,
		  struct gmem_error *err)
{
	struct gmem_slot s;

	if (!reached(g, addr, len, &s))
		return 0;
	return gmem__fail(err, GMEM_REASON_STILL_BOUND, s.slot,
			  s.userspace_addr,
			  "slot %u leads to 0x%" PRIx64 ", which is mapped "
			  "for this file",
			  s.slot, s.userspace_addr);
}

int gmem__shared_unused(const struct gmem *g, struct gmem_error *err)
{
	const struct gmem_region *r = gmem__region_of(g);

	/* What was handed in stays. */
	return r && !r->side.addr ? unused(g, r->shared, g->size, err) : 0;
}

int gmem__maps_unused(const struct gmem *g, struct gmem_error *err)
{
	const struct gmem__map *m = g->reservation;
	int r = unused(g, g->view, g->size, err);

	if (r == 0)
		r = gmem__shared_unused(g, err);
	return r == 0 && m ? unused(g, m->addr, m->len, err) : r;
}

static void free_list(struct gmem *g, struct gmem__map **list)
{
	struct gmem__map *m;

	while ((m = *list) != NULL) {
		*list = m->next;
		gmem__free(g->ctx, m);
	}
}

void gmem__maps_free(struct gmem *g)
{
	free_list(g, &g->left);
	free_list(g, &g->maps);
	free_list(g, &g->reservation);
}

/* What the caller wants of what no mapping of the library's has. */
static int expose(const struct gmem__ctx *ctx, const struct gmem__map *m,
		  uint64_t flags)
{
	int r = 0;

	if (flags & GMEM_MMAP_FORK)
		r = gmem__madvise(ctx, m->addr, m->len, MADV_DOFORK);
	if (r == 0 && flags & GMEM_MMAP_DUMP)
		r = gmem__madvise(ctx, m->addr, m->len, MADV_DODUMP);
	return r;
}

static int map_fixed(struct gmem *g, uint64_t offset, uint64_t len, int prot,
		     const struct gmem_mmap_opts *o, struct gmem_error *err)
{
	struct gmem__map *m;
	int r = gmem__fixed_map(g, offset, len, prot, o->addr, &m, err);

	if (r < 0)
		return r;
	r = expose(g->ctx, m, o->flags);
	if (r == 0) {
		gmem__fixed_ready(g, m);
		return 0;
	}
	r = gmem__fail_call(err, r, "madvise");
	gmem__fixed_drop(g, m, err);
	return r;
}

/* One set of page tables for the slots and for the caller. */
static int map_in_view(struct gmem *g, uint64_t offset, uint64_t len,
		       struct gmem_mmap_opts *o, struct gmem_error *err)
{
	struct gmem__map *m = gmem__alloc(g->ctx, sizeof(*m));

	if (!m)
		return gmem__window_failed(-ENOMEM, err);
	gmem__lock(&g->lock);
	o->addr = g->view + offset;
	gmem__unlock(&g->lock);
	*m = (struct gmem__map){ .addr = o->addr, .len = len, .in_view = true };
	put_map(g, &g->maps, m);
	return 0;
}

/* With nothing that the view does not have. */
static bool is_plain(const struct gmem_mmap_opts *o)
{
	return !(o->flags & ~GMEM_MMAP_ALLOW_PRIVATE);
}

static bool has_view(struct gmem *g)
{
	bool r;

	gmem__lock(&g->lock);
	r = g->view;
	gmem__unlock(&g->lock);
	return r;
}

static int map_anywhere(struct gmem *g, uint64_t offset, uint64_t len, int prot,
			struct gmem_mmap_opts *o, struct gmem_error *err)
{
	struct gmem__window w;
	int r = gmem__window_map(g, offset, len, prot, &w);

	if (r < 0)
		return gmem__window_failed(r, err);
	r = expose(g->ctx, w.map, o->flags);
	if (r < 0) {
		gmem__window_close(g, &w);
		return gmem__fail_call(err, r, "madvise");
	}
	w.map->like_view = is_plain(o) && len == g->size;
	put_map(g, &g->maps, w.map);
	o->addr = w.addr;
	return 0;
}

static int check(const struct gmem *g, uint64_t offset, uint64_t len,
		 const struct gmem_mmap_opts *o, struct gmem_error *err)
{
	int r = gmem__range_check(g, offset, len, err);

	if (r < 0 || (r = gmem__need_mappable(g, err)) < 0)
		return r;
	if (o->addr && !(o->flags & GMEM_MMAP_FIXED))
		return gmem__fail(err, GMEM_REASON_USERSPACE_ADDR,
				  (uintptr_t)o->addr, 0,
				  "address %p without the flag fixed", o->addr);
	return o->flags & GMEM_MMAP_ALLOW_PRIVATE
		       ? 0
		       : gmem__need_shared(g, offset, len, err);
}

int gmem_mmap(struct gmem *g, uint64_t offset, uint64_t len,
	      const struct gmem_mmap_opts *opts, void **out,
	      struct gmem_error *err)
{
	struct gmem_mmap_opts o;
	int r = gmem__enter_opts(g, &opts_type, opts, &o, err);
	int prot = PROT_READ | PROT_WRITE;

	if (r < 0)
		return r;
	if (!out)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "out is NULL");
	r = check(g, offset, len, &o, err);
	if (r < 0)
		return r;
	if (o.flags & GMEM_MMAP_READONLY)
		prot = PROT_READ;
	if (o.flags & GMEM_MMAP_FIXED)
		r = map_fixed(g, offset, len, prot, &o, err);
	else if (is_plain(&o) && has_view(g))
		r = map_in_view(g, offset, len, &o, err);
	else
		r = map_anywhere(g, offset, len, prot, &o, err);
	if (r == 0)
		*out = o.addr;
	return r;
}

/* A fixed one stays in the list, busy: nobody else gets its addresses. */
static struct gmem__map *take_map(struct gmem *g, const void *addr)
{
	struct gmem__map **p, *m;

	gmem__lock(&g->lock);
	for (p = &g->maps; (m = *p) != NULL; p = &m->next)
		if (m->addr == addr && !m->busy)
			break;
	if (m && m->fixed)
		m->busy = true;
	else if (m)
		*p = m->next;
	gmem__unlock(&g->lock);
	return m;
}

static void give_back(struct gmem *g, struct gmem__map *m)
{
	if (m->fixed)
		gmem__fixed_ready(g, m);
	else
		put_map(g, &g->maps, m);
}

int gmem_munmap(struct gmem *g, void *addr, struct gmem_error *err)
{
	struct gmem__map *m;
	uint64_t len;
	int r = gmem__enter(g, err);

	if (r < 0 || (r = gmem__not_in_callback(err)) < 0)
		return r;
	m = take_map(g, addr);
	if (!m)
		return gmem__fail(err, GMEM_REASON_NOT_MAPPED, (uintptr_t)addr,
				  0, "%p is not a mapping of this file", addr);
	if (m->in_view) {
		gmem__free(g->ctx, m);
		return 0;
	}
	r = unused(g, m->addr, m->len, err);
	if (r < 0) {
		give_back(g, m);
		return r;
	}
	len = m->len;
	if (m->fixed) {
		r = gmem__fixed_end(g, m);
		return r < 0 ? gmem__fail_map(err, r, len,
					      "reserving the addresses again")
			     : 0;
	}
	r = gmem__munmap(g->ctx, m->addr, m->len);
	if (r == 0) {
		gmem__free(g->ctx, m);
		return 0;
	}
	/* Splitting a merged area can exceed vm.max_map_count. */
	give_back(g, m);
	return gmem__fail_call(err, r, "munmap");
}
