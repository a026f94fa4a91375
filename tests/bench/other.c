// SPDX-License-Identifier: MIT
#include "other.h"

enum gmem__state flat_get(const struct flat *f, uint64_t offset)
{
	uint64_t page = offset >> PAGE_SHIFT;

	return GMEM__SHARED + (f->words[page / 64] >> page % 64 & 1);
}

/* Bounded: some VMMs scan the rest of memory here. */
enum gmem__state flat_run(const struct flat *f, uint64_t offset, uint64_t len,
			  uint64_t *run)
{
	uint64_t page = offset >> PAGE_SHIFT, i = page / 64;
	uint64_t end = (offset + len) >> PAGE_SHIFT;
	uint64_t bit = f->words[i] >> page % 64 & 1, want = -bit, other;

	other = (f->words[i] ^ want) & ~0ULL << page % 64;
	while (!other) {
		if (++i * 64 >= end) {
			*run = len;
			return GMEM__SHARED + bit;
		}
		other = f->words[i] ^ want;
	}
	i = i * 64 + (unsigned int)__builtin_ctzll(other);
	*run = ((i < end ? i : end) - page) << PAGE_SHIFT;
	return GMEM__SHARED + bit;
}

/* The last run that starts at or before @offset; without branches. */
static size_t find(const struct sorted *s, uint64_t offset)
{
	size_t low = 0, half;

	for (size_t n = s->n; n > 1; n -= half) {
		half = n / 2;
		low = s->runs[low + half].start <= offset ? low + half : low;
	}
	return low;
}

enum gmem__state sorted_get(const struct sorted *s, uint64_t offset)
{
	return (enum gmem__state)s->runs[find(s, offset)].state;
}

enum gmem__state sorted_run(const struct sorted *s, uint64_t offset,
			    uint64_t len, uint64_t *run)
{
	size_t i = find(s, offset);
	uint64_t n = s->runs[i + 1].start - offset;

	*run = n < len ? n : len;
	return (enum gmem__state)s->runs[i].state;
}
