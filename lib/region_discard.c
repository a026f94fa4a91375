// SPDX-License-Identifier: MIT
/*
 * Freeing a region's memory: by request, after a conversion, and later what a
 * conversion left.  A page of a DUAL region has two places; of those that it
 * may have memory in beside its own there is a bit.
 */
#include <errno.h>
#include <sys/mman.h>

#include "call.h"
#include "cancel.h"
#include "discard.h"
#include "enter.h"
#include "error.h"
#include "region.h"
#include "ticket.h"
#include "vm.h"

/* ---------------------------------------------------------------- bits -- */

static uint64_t mask(uint64_t first, uint64_t end)
{
	return (UINT64_MAX >> (64 - (end - first))) << first % 64;
}

/* As __builtin_popcountll(), which needs libgcc where the CPU may lack it. */
static uint64_t ones(uint64_t word)
{
	uint64_t n = 0;

	for (; word; word &= word - 1)
		n++;
	return n;
}

/* Makes the bits of the range all @value. */
static void set_queued(struct gmem_region *r, uint64_t offset, uint64_t len,
		       bool value)
{
	uint64_t page = r->g->ctx->page_size, i = offset / page, stop, was;
	uint64_t end = (offset + len) / page, changed = 0;

	for (; i < end; i = stop) {
		uint64_t m, *word = &r->queued[i / 64];

		stop = (i / 64 + 1) * 64 < end ? (i / 64 + 1) * 64 : end;
		m = mask(i, stop);
		if (value)
			was = ~__atomic_fetch_or(word, m, __ATOMIC_RELAXED);
		else if (__atomic_load_n(word, __ATOMIC_RELAXED) & m)
			was = __atomic_fetch_and(word, ~m, __ATOMIC_RELAXED);
		else
			continue;
		changed += ones(was & m);
	}
	changed *= page;
	gmem__region_count(&r->queued_bytes, value ? changed : -changed);
}

/* The first run of pages in [*@pos, @end) with a bit: *@run bytes, or 0. */
static void next_queued(const struct gmem_region *r, uint64_t *pos,
			uint64_t end, uint64_t *run)
{
	uint64_t page = r->g->ctx->page_size, i = *pos / page, last, word;

	for (*run = 0, last = end / page; i < last; i = (i / 64 + 1) * 64) {
		word = __atomic_load_n(&r->queued[i / 64], __ATOMIC_RELAXED) &
		       ~0ULL << i % 64;
		if (!word)
			continue;
		i = i / 64 * 64 + (unsigned int)__builtin_ctzll(word);
		break;
	}
	*pos = i < last ? i * page : end;
	for (; i < last; i++) {
		word = __atomic_load_n(&r->queued[i / 64], __ATOMIC_RELAXED);
		if (!(word >> i % 64 & 1))
			break;
		*run += page;
	}
}

/* ---------------------------------------------------------------- free -- */

/* The place of private pages, or of shared ones; 0 or -errno. */
static int free_side(const struct gmem_region *r, enum gmem__state side,
		     uint64_t offset, uint64_t len)
{
	int ret;

	if (side == GMEM__PRIVATE)
		return gmem__punch(r->g, offset, len);
	do {
		ret = gmem__madvise(r->g->ctx, r->shared + offset, len,
				    MADV_DONTNEED);
	} while (ret == -EINTR || ret == -EAGAIN);
	return ret;
}

static enum gmem__state other(enum gmem__state s)
{
	return s == GMEM__PRIVATE ? GMEM__SHARED : GMEM__PRIVATE;
}

uint64_t gmem__region_free_other(struct gmem_region *r, uint64_t offset,
				 uint64_t len, enum gmem__state state,
				 bool defer)
{
	int ret;

	if (r->kind != GMEM_REGION_DUAL)
		return 0;
	if (!defer) {
		ret = free_side(r, other(state), offset, len);
		if (ret == 0) {
			set_queued(r, offset, len, false);
			return 0;
		}
		gmem__region_count(&r->discard_failed, 1);
	}
	set_queued(r, offset, len, true);
	return len;
}

static const char *call_of(enum gmem__state side)
{
	return side == GMEM__PRIVATE ? "fallocate(PUNCH_HOLE)"
				     : "madvise(MADV_DONTNEED)";
}

int gmem__region_discard(struct gmem_region *r, uint64_t offset, uint64_t len,
			 struct gmem_error *err)
{
	int ret = free_side(r, GMEM__PRIVATE, offset, len);

	if (ret < 0)
		return gmem__fail_call(err, ret, call_of(GMEM__PRIVATE));
	if (r->kind != GMEM_REGION_DUAL)
		return 0;
	ret = free_side(r, GMEM__SHARED, offset, len);
	if (ret < 0)
		return gmem__fail_call(err, ret, call_of(GMEM__SHARED));
	set_queued(r, offset, len, false);
	return 0;
}

int gmem_region_discard(struct gmem_region *r, uint64_t offset, uint64_t len,
			struct gmem_error *err)
{
	struct gmem__range range;
	struct gmem__ticket t;
	unsigned char *mem;
	int ret = gmem__region_enter(r, err);

	if (ret < 0 ||
	    (ret = gmem__file_range_check(r->g, offset, len, err)) < 0 ||
	    (ret = gmem__region_shared(r->g, &mem, err)) < 0)
		return ret;
	range = (struct gmem__range){ r->g, offset, offset + len };
	ret = gmem__ticket_take(r->g->vm, &t, &range, 1, false, NULL, err);
	if (ret < 0)
		return ret;
	ret = gmem__region_discard(r, offset, len, err);
	gmem__ticket_return(r->g->vm, &t);
	gmem__set_done(err, ret < 0 ? 0 : len);
	return ret;
}

/* ------------------------------------------------------------- reclaim -- */

/* What is queued of the range, run by run of the record. */
static int reclaim(struct gmem_region *r, uint64_t pos, uint64_t end,
		   uint64_t *done, struct gmem_error *err)
{
	uint64_t run, same;
	int ret = 0;

	for (; ret == 0; pos += run) {
		enum gmem__state s;

		next_queued(r, &pos, end, &run);
		if (!run)
			return 0;
		s = gmem__record_run(&r->g->record, pos, run, &same);
		run = same;
		/* Without a slot a page has no state, and neither side a use.
		 */
		if (s == GMEM__UNSET)
			ret = free_side(r, GMEM__SHARED, pos, run);
		if (ret == 0)
			ret = free_side(r, other(s), pos, run);
		if (ret < 0)
			return gmem__fail_call(err, ret, call_of(other(s)));
		set_queued(r, pos, run, false);
		*done += run;
	}
	return ret;
}

int gmem_region_reclaim(struct gmem_region *r, uint64_t offset, uint64_t len,
			const int *cancel, struct gmem_error *err)
{
	uint64_t pos = offset, end = offset + len, done = 0;
	struct gmem__range range;
	struct gmem__ticket t;
	unsigned char *mem;
	int ret = gmem__region_enter(r, err);

	if (ret < 0 ||
	    (ret = gmem__file_range_check(r->g, offset, len, err)) < 0 ||
	    (ret = gmem__region_shared(r->g, &mem, err)) < 0 || !mem)
		return ret;
	/* In steps, so that conversions come in between. */
	for (; ret == 0 && pos < end; pos = range.end) {
		range = (struct gmem__range){ r->g, pos, end };
		if (end - pos > GMEM__STEP)
			range.end = pos + GMEM__STEP;
		ret = gmem__cancel_check(cancel, done, err);
		if (ret == 0)
			ret = gmem__ticket_take(r->g->vm, &t, &range, 1, false,
						cancel, err);
		if (ret < 0)
			break;
		ret = reclaim(r, pos, range.end, &done, err);
		gmem__ticket_return(r->g->vm, &t);
	}
	gmem__set_done(err, done);
	return ret;
}
