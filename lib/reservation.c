// SPDX-License-Identifier: MIT
/*
 * KVM reaches a slot through its userspace_addr: the guest's shared memory,
 * and whatever KVM itself reads and writes, such as the page of kvmclock, of
 * private memory too.  A file without a shared side therefore has a
 * reservation of addresses that nothing can touch behind its slots.  Without
 * one it would be the VMM's memory at that address.
 */
#include <errno.h>
#include <sys/mman.h>

#include "internal.h"

static int reserve(const struct gmem *g, void **out, struct gmem_error *err)
{
	int r = gmem__mmap(g->ctx, out, g->size, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (r < 0)
		return gmem__map_failed(r, g->size, "reserving addresses", err);
	r = gmem__madvise(g->ctx, *out, g->size, MADV_DONTFORK);
	if (r == 0)
		return 0;
	(void)gmem__munmap(g->ctx, *out, g->size);
	return gmem__fail_call(err, r, "madvise of the reservation");
}

int gmem__reservation_get(struct gmem *g, unsigned char **out,
			  struct gmem_error *err)
{
	void *p;
	int r;

	(void)pthread_mutex_lock(&g->lock);
	*out = g->reservation;
	if (*out)
		g->reserved++;
	(void)pthread_mutex_unlock(&g->lock);
	if (*out)
		return 0;
	r = reserve(g, &p, err);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&g->lock);
	if (!g->reservation) {
		g->reservation = p;
		p = NULL;
	}
	g->reserved++;
	*out = g->reservation;
	(void)pthread_mutex_unlock(&g->lock);
	if (p) /* another thread was first */
		(void)gmem__munmap(g->ctx, p, g->size);
	return 0;
}

void gmem__reservation_put(struct gmem *g)
{
	unsigned char *p = NULL;

	(void)pthread_mutex_lock(&g->lock);
	if (--g->reserved == 0) {
		p = g->reservation;
		g->reservation = NULL;
	}
	(void)pthread_mutex_unlock(&g->lock);
	if (!p || gmem__munmap(g->ctx, p, g->size) == 0)
		return;
	/* Kept for the next slot, unless that has made another meanwhile. */
	(void)pthread_mutex_lock(&g->lock);
	if (!g->reservation) {
		g->reservation = p;
		p = NULL;
	}
	(void)pthread_mutex_unlock(&g->lock);
	if (p)
		(void)gmem__munmap(g->ctx, p, g->size);
}
