// SPDX-License-Identifier: MIT
/* The host's view of a file: mappings for the caller and for slots. */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "window.h"

#define MMAP_OPTS_V0 16
#define MMAP_FLAGS (GMEM_MMAP_READONLY | GMEM_MMAP_ALLOW_PRIVATE)

_Static_assert(sizeof(struct gmem_mmap_opts) == MMAP_OPTS_V0, "ABI");

int gmem__need_mappable(const struct gmem *g, struct gmem_error *err)
{
	if (g->flags & GMEM_CREATE_MMAP)
		return 0;
	return gmem__fail(err, GMEM_REASON_NOT_MAPPABLE, g->flags,
			  GMEM_CREATE_MMAP,
			  "the file was made without GMEM_CREATE_MMAP");
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

int gmem__view(struct gmem *g, unsigned char **out, struct gmem_error *err)
{
	struct gmem__map *spare = NULL;
	struct gmem__window w;
	int r;

	(void)pthread_mutex_lock(&g->lock);
	*out = g->view;
	(void)pthread_mutex_unlock(&g->lock);
	if (*out)
		return 0;
	r = gmem__window_map(g, 0, g->size, PROT_READ | PROT_WRITE, &w);
	if (r < 0)
		return gmem__window_failed(r, err);
	(void)pthread_mutex_lock(&g->lock);
	if (!g->view) {
		g->view = w.addr;
		spare = w.map;
		w.map = NULL;
	}
	*out = g->view;
	(void)pthread_mutex_unlock(&g->lock);
	gmem__free(g->ctx, spare);
	gmem__window_close(g, &w); /* where another thread was first */
	return 0;
}

/* Unmaps what the list has; what cannot be unmapped stays in it. */
static int unmap_list(struct gmem *g, struct gmem__map **list)
{
	struct gmem__map *m;
	int first = 0, r;

	while ((m = *list) != NULL) {
		r = gmem__munmap(g->ctx, m->addr, m->len);
		if (r < 0) {
			first = first ? first : r;
			list = &m->next;
			continue;
		}
		*list = m->next;
		gmem__free(g->ctx, m);
	}
	return first;
}

int gmem__unmap_all(struct gmem *g)
{
	int first, r;

	/* A forked child has none of them: they did not come along. */
	if (gmem__ctx_forked(g->ctx)) {
		gmem__maps_free(g);
		return 0;
	}
	first = unmap_list(g, &g->left);
	if (g->leak)
		return first;
	r = unmap_list(g, &g->maps);
	first = first ? first : r;
	r = unmap_list(g, &g->reservation);
	first = first ? first : r;
	if (g->view) {
		r = gmem__munmap(g->ctx, g->view, g->size);
		if (r == 0)
			g->view = NULL;
		first = first ? first : r;
	}
	return first;
}

bool gmem__maps_meet(struct gmem *g, uint64_t addr, uint64_t len)
{
	const struct gmem__map *m;
	uint64_t at = (uintptr_t)g->view;
	bool meet = g->view && at < addr + len && addr < at + g->size;

	(void)pthread_mutex_lock(&g->lock);
	for (m = g->maps; m && !meet; m = m->next) {
		at = (uintptr_t)m->addr;
		meet = at < addr + len && addr < at + m->len;
	}
	(void)pthread_mutex_unlock(&g->lock);
	return meet;
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
	g->view = NULL;
}

int gmem_mmap(struct gmem *g, uint64_t offset, uint64_t len,
	      const struct gmem_mmap_opts *opts, void **out,
	      struct gmem_error *err)
{
	struct gmem_mmap_opts o;
	struct gmem__window w;
	struct gmem__map *m;
	int r = gmem__enter(g, err), prot = PROT_READ | PROT_WRITE;

	if (r < 0)
		return r;
	if (!out)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "out is NULL");
	r = gmem__opts_check(opts, MMAP_OPTS_V0, sizeof(o), "gmem_mmap_opts",
			     err);
	if (r < 0)
		return r;
	gmem__opts_copy(&o, sizeof(o), opts);
	r = gmem__flags_check(o.flags, MMAP_FLAGS, "gmem_mmap_opts.flags", err);
	if (r < 0)
		return r;
	r = gmem__range_check(g, offset, len, err);
	if (r < 0)
		return r;
	r = gmem__need_mappable(g, err);
	if (r == 0 && !(o.flags & GMEM_MMAP_ALLOW_PRIVATE))
		r = gmem__need_shared(g, offset, len, err);
	if (r < 0)
		return r;
	if (o.flags & GMEM_MMAP_READONLY)
		prot = PROT_READ;
	r = gmem__window_map(g, offset, len, prot, &w);
	if (r < 0)
		return gmem__window_failed(r, err);
	m = w.map;
	(void)pthread_mutex_lock(&g->lock);
	m->next = g->maps;
	g->maps = m;
	(void)pthread_mutex_unlock(&g->lock);
	*out = m->addr;
	return 0;
}

int gmem_munmap(struct gmem *g, void *addr, struct gmem_error *err)
{
	struct gmem__map **p, *m = NULL;
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&g->lock);
	for (p = &g->maps; *p; p = &(*p)->next)
		if ((*p)->addr == addr) {
			m = *p;
			*p = m->next;
			break;
		}
	(void)pthread_mutex_unlock(&g->lock);
	if (!m)
		return gmem__fail(err, GMEM_REASON_NOT_MAPPED, (uintptr_t)addr,
				  0, "%p is not a mapping of this file", addr);
	r = gmem__munmap(g->ctx, m->addr, m->len);
	if (r == 0) {
		gmem__free(g->ctx, m);
		return 0;
	}
	/* Splitting a merged area can exceed vm.max_map_count. */
	(void)pthread_mutex_lock(&g->lock);
	m->next = g->maps;
	g->maps = m;
	(void)pthread_mutex_unlock(&g->lock);
	return gmem__fail_call(err, r, "munmap");
}
