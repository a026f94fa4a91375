// SPDX-License-Identifier: MIT
/*
 * A page of a DUAL region has two places.  Of those pages that may have memory
 * in the one that is not theirs there is a bit, for gmem_region_reclaim().
 */
#include "region.h"

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

void gmem__region_queue_set(struct gmem_region *r, uint64_t offset,
			    uint64_t len, bool value)
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

uint64_t gmem__region_queue_first(const struct gmem_region *r, uint64_t pos,
				  uint64_t end)
{
	uint64_t page = r->g->ctx->page_size, i = pos / page, word;

	for (; i < end / page; i = (i / 64 + 1) * 64) {
		word = __atomic_load_n(&r->queued[i / 64], __ATOMIC_RELAXED) &
		       ~0ULL << i % 64;
		if (!word)
			continue;
		i = i / 64 * 64 + (unsigned int)__builtin_ctzll(word);
		break;
	}
	return i < end / page ? i * page : end;
}

uint64_t gmem__region_queue_run(const struct gmem_region *r, uint64_t pos,
				uint64_t end)
{
	uint64_t page = r->g->ctx->page_size, i = pos / page, word;

	for (; i < end / page; i++) {
		word = __atomic_load_n(&r->queued[i / 64], __ATOMIC_RELAXED);
		if (!(word >> i % 64 & 1))
			break;
	}
	return i * page - pos;
}

void gmem__region_slot_state(struct gmem *g, uint64_t offset, uint64_t len,
			     enum gmem__state state)
{
	struct gmem_region *r = gmem__region_of(g);
	uint64_t end = offset + len, run;
	enum gmem__state was;

	if (!r || !r->queued)
		return;
	for (; offset < end; offset += run) {
		was = gmem__record_run(&g->record, offset, end - offset, &run);
		if ((was == GMEM__SHARED) != (state == GMEM__SHARED))
			gmem__region_queue_set(r, offset, run, true);
	}
}
