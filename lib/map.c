// SPDX-License-Identifier: MIT
/* The host's view of a file: mappings for the caller and for slots. */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "internal.h"

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

int gmem__map_failed(int sys, uint64_t len, const char *what,
		     struct gmem_error *err)
{
	if (sys == -EAGAIN)
		return gmem__fail_sys(err, GMEM_REASON_LOCK_LIMIT, -ENOMEM, sys,
				      len, 0,
				      "%s: 0x%" PRIx64 " bytes are more than "
				      "RLIMIT_MEMLOCK leaves, and "
				      "mlockall(MCL_FUTURE) counts them",
				      what, len);
	if (sys == -ENOMEM)
		return gmem__fail_sys(err, GMEM_REASON_ADDRESS_LIMIT, 0, sys,
				      len, 0,
				      "%s: there is no room for 0x%" PRIx64
				      " bytes of addresses",
				      what, len);
	return gmem__fail_call(err, sys, what);
}

/*
 * Guest memory does not go into forked children, where KVM's accesses through
 * it would not be seen, nor into core dumps.
 */
static int map(const struct gmem *g, void **addr, uint64_t offset, uint64_t len,
	       int prot, struct gmem_error *err)
{
	void *p;
	int r = gmem__mmap(g->ctx, &p, len, prot, MAP_SHARED, g->fd, offset);

	if (r < 0)
		return gmem__map_failed(r, len, "mmap of the guest_memfd", err);
	r = gmem__madvise(g->ctx, p, len, MADV_DONTFORK);
	if (r == 0)
		r = gmem__madvise(g->ctx, p, len, MADV_DONTDUMP);
	if (r < 0) {
		(void)gmem__munmap(g->ctx, p, len);
		return gmem__fail_call(err, r, "madvise of the mapping");
	}
	*addr = p;
	return 0;
}

int gmem__view(struct gmem *g, unsigned char **out, struct gmem_error *err)
{
	void *p;
	int r;

	(void)pthread_mutex_lock(&g->lock);
	*out = g->view;
	(void)pthread_mutex_unlock(&g->lock);
	if (*out)
		return 0;
	r = map(g, &p, 0, g->size, PROT_READ | PROT_WRITE, err);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&g->lock);
	if (!g->view) {
		g->view = p;
		p = NULL;
	}
	*out = g->view;
	(void)pthread_mutex_unlock(&g->lock);
	if (p) /* another thread was first */
		(void)gmem__munmap(g->ctx, p, g->size);
	return 0;
}

/* Not in a forked child: the mappings did not come along. */
void gmem__unmap_all(struct gmem *g)
{
	bool mapped = !gmem__ctx_forked(g->ctx);
	struct gmem__map *m;

	while ((m = g->maps) != NULL) {
		g->maps = m->next;
		if (mapped)
			(void)gmem__munmap(g->ctx, m->addr, m->len);
		gmem__free(g->ctx, m);
	}
	if (mapped && !g->leak && g->view)
		(void)gmem__munmap(g->ctx, g->view, g->size);
	if (mapped && !g->leak && g->reservation)
		(void)gmem__munmap(g->ctx, g->reservation, g->size);
	g->view = g->reservation = NULL;
}

int gmem_mmap(struct gmem *g, uint64_t offset, uint64_t len,
	      const struct gmem_mmap_opts *opts, void **out,
	      struct gmem_error *err)
{
	struct gmem_mmap_opts o;
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
	m = gmem__alloc(g->ctx, sizeof(*m));
	if (!m)
		return gmem__fail_call(err, -ENOMEM, "allocating the mapping");
	if (o.flags & GMEM_MMAP_READONLY)
		prot = PROT_READ;
	r = map(g, &m->addr, offset, len, prot, err);
	if (r < 0) {
		gmem__free(g->ctx, m);
		return r;
	}
	m->len = len;
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
