// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>

#include "call.h"
#include "error.h"
#include "file.h"
#include "touch.h"
#include "window.h"

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

int gmem__touch_failed(int sys, uint64_t at, const char *what,
		       struct gmem_error *err)
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
		return gmem__fail_call(err, sys, what);
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
	return gmem__diagnosed(
		err,
		gmem__touch_failed(sys, at, "touching the guest_memfd", err));
}
