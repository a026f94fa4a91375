// SPDX-License-Identifier: MIT
/*
 * KVM reaches a slot through its userspace_addr: the guest's shared memory,
 * and whatever KVM itself reads and writes, such as the page of kvmclock, of
 * private memory too.  A file without a shared side therefore has a
 * reservation of addresses that nothing can touch behind its slots.  Without
 * it, the guest would reach the VMM's memory at that address.
 */
#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "file.h"
#include "lock.h"
#include "map.h"
#include "reservation.h"
#include "window.h"

static int failed(int sys, uint64_t len, struct gmem_error *err)
{
	if (sys == -ENOMEM)
		return gmem__fail_sys(err, GMEM_REASON_ADDRESS_LIMIT, 0, sys,
				      len, 0,
				      "there is no room for 0x%" PRIx64
				      " bytes of addresses, as many as the "
				      "file has",
				      len);
	return gmem__fail_map(err, sys, len, "reserving addresses");
}

int gmem__reservation_get(struct gmem *g, unsigned char **out,
			  struct gmem_error *err)
{
	struct gmem__window w;
	int r;

	gmem__lock(&g->lock);
	*out = g->reservation ? g->reservation->addr : NULL;
	if (*out)
		g->reserved++;
	gmem__unlock(&g->lock);
	if (*out)
		return 0;
	r = gmem__window_reserve(g, g->size, &w);
	if (r < 0)
		return failed(r, g->size, err);
	gmem__lock(&g->lock);
	if (!g->reservation) {
		g->reservation = w.map;
		w.map = NULL;
	}
	g->reserved++;
	*out = g->reservation->addr;
	gmem__unlock(&g->lock);
	gmem__window_close(g, &w); /* where another thread was first */
	return 0;
}

void gmem__reservation_put(struct gmem *g)
{
	struct gmem__window w = { .map = NULL };
	bool unused = gmem__maps_unused(g, NULL) == 0;

	gmem__lock(&g->lock);
	/* It stays until close if a slot that the VMM made leads there. */
	if (--g->reserved == 0 && unused) {
		w.map = g->reservation;
		g->reservation = NULL;
	}
	gmem__unlock(&g->lock);
	gmem__window_close(g, &w);
}
