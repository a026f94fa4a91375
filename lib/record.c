// SPDX-License-Identifier: MIT
/*
 * The attribute record.  Three levels say what the pages of a file are: a
 * unit for each block of 256 MiB, a unit for each chunk of 4 MiB, a bit a page.
 * A level is valid only where the one above it is MIXED, and pages that are
 * alike again are stored one level up.  Few runs end in a chunk: one that ends
 * there once is said by the chunk's unit, without the bits.
 */
#include <endian.h>
#include <stdbool.h>

#include "record.h"

#define CHUNK_SHIFT 22
#define BLOCK_SHIFT 29
#define BLOCK_CHUNKS (1U << (BLOCK_SHIFT - CHUNK_SHIFT))

#define PAGE_SIZE_MIN 4096U
#define PAGE_SIZE_MAX (2U << 20)

/* What a unit says beside the enum gmem__state of all that it stands for. */
#define MIXED 3	  /* one level down it differs */
#define PARTIAL 4 /* chunks only: the same, and 0 in .bound is UNSET */
#define SPLIT 16  /* chunks only, and all above: see split() */

/* A scan reads four units at once, whatever type they were stored as. */
typedef uint64_t __attribute__((may_alias)) word_t;

/*
 * Stores go leaf, bound, chunk, block, each released; loads go the other way,
 * each acquired.  So a reader that goes one level down finds the matching or a
 * newer state.
 */
static unsigned int load_unit(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store_unit(uint16_t *p, unsigned int value)
{
	__atomic_store_n(p, (uint16_t)value, __ATOMIC_RELEASE);
}

static uint64_t load_word(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t units(uint64_t len, unsigned int shift)
{
	return (len + (1ULL << shift) - 1) >> shift;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

/* Where the parts begin in the memory handed in; the end is in .bytes. */
struct layout {
	uint64_t summary, leaf, bound, bytes;
};

static struct layout layout(uint64_t size, unsigned int page_shift)
{
	uint64_t bits = round_up(units(size, page_shift), 512) / 8;
	struct layout l;

	l.summary = round_up(units(size, BLOCK_SHIFT) * 2, 64);
	l.leaf = l.summary + units(size, BLOCK_SHIFT) * BLOCK_CHUNKS * 2;
	l.bound = l.leaf + bits;
	l.bytes = l.bound + bits;
	return l;
}

size_t gmem__record_bytes(uint64_t size, uint64_t page_size)
{
	if (page_size < PAGE_SIZE_MIN || page_size > PAGE_SIZE_MAX ||
	    page_size & (page_size - 1))
		return 0;
	if (!size || size > INT64_MAX || size & (page_size - 1))
		return 0;
	return layout(size, (unsigned int)__builtin_ctzll(page_size)).bytes;
}

void gmem__record_init(struct gmem__record *r, void *mem, uint64_t size,
		       uint64_t page_size)
{
	unsigned char *p = mem;
	struct layout l;

	r->size = size;
	r->bytes[GMEM__UNSET] = size;
	r->page_shift = (unsigned int)__builtin_ctzll(page_size);
	l = layout(size, r->page_shift);
	r->blocks = (uint16_t *)(void *)p;
	r->summary = (uint16_t *)(void *)(p + l.summary);
	r->leaf = (uint64_t *)(void *)(p + l.leaf);
	r->bound = (uint64_t *)(void *)(p + l.bound);
}

void gmem__record_fix(struct gmem__record *r, uint64_t size, uint64_t page_size,
		      enum gmem__state state)
{
	*r = (struct gmem__record){
		.size = size,
		.page_shift = (unsigned int)__builtin_ctzll(page_size),
		.fixed = state,
	};
}

/* ------------------------------------------------------------- reading -- */

/* Of a chunk whose first @at pages, but not all, are @state, the rest @then. */
static unsigned int split(uint64_t at, unsigned int state, unsigned int then)
{
	return (unsigned int)at << 4 | then << 2 | state;
}

static unsigned int split_at(unsigned int unit)
{
	return unit >> 4;
}

/* The pages of a chunk, except the last one of the file. */
static uint64_t chunk_pages(const struct gmem__record *r)
{
	return 1ULL << (CHUNK_SHIFT - r->page_shift);
}

/* @unit: MIXED, PARTIAL or split, of the chunk of @page. */
static inline enum gmem__state page_state(const struct gmem__record *r,
					  unsigned int unit, uint64_t page)
{
	uint64_t i = page / 64, bit = page % 64;

	if (unit >= SPLIT) {
		page &= chunk_pages(r) - 1;
		return (enum gmem__state)(
			(page < split_at(unit) ? unit : unit >> 2) & 3);
	}
	if (unit == PARTIAL && !(load_word(r->bound + i) >> bit & 1))
		return GMEM__UNSET;
	return GMEM__SHARED + (load_word(r->leaf + i) >> bit & 1);
}

/* The first bit in [@i, @end) that is not @value, or @end. */
static uint64_t scan_bits(const uint64_t *words, uint64_t i, uint64_t end,
			  bool value)
{
	uint64_t want = value ? ~0ULL : 0, w = i / 64, other;

	other = (load_word(words + w) ^ want) & ~0ULL << i % 64;
	while (!other) {
		if (++w * 64 >= end)
			return end;
		other = load_word(words + w) ^ want;
	}
	return min(w * 64 + (unsigned int)__builtin_ctzll(other), end);
}

/*
 * The first page in [@page, @end) that is not @state, or @end.  @unit: MIXED,
 * PARTIAL or split, of the chunk that holds them all.
 */
static uint64_t scan_pages(const struct gmem__record *r, unsigned int unit,
			   uint64_t page, uint64_t end, enum gmem__state state)
{
	uint64_t at;

	if (unit == MIXED && state != GMEM__UNSET)
		return scan_bits(r->leaf, page, end, state == GMEM__PRIVATE);
	if (unit >= SPLIT) {
		if (page_state(r, unit, page) != state)
			return page;
		at = (page & ~(chunk_pages(r) - 1)) + split_at(unit);
		return page < at ? min(at, end) : end;
	}
	/* Where slots begin and end: rare. */
	while (page < end && page_state(r, unit, page) == state)
		page++;
	return page;
}

/*
 * The first index in [@i, @end) whose unit is not @value, or @end.  Reads
 * whole words, so up to three units more, which are the record's too.
 */
static uint64_t scan_units(const uint16_t *units, uint64_t i, uint64_t end,
			   unsigned int value)
{
	const word_t *words = (const word_t *)(const void *)units;
	uint64_t want = value * 0x0001000100010001ULL, w = i / 4, other;

	/* Few of them are as many the next time: no branch is mispredicted. */
	if (end <= i + 4) {
		while (i < end && load_unit(units + i) == value)
			i++;
		return i;
	}
	other = __atomic_load_n(words + w, __ATOMIC_RELAXED) ^ want;
	other = le64toh(other) & ~0ULL << i % 4 * 16;
	while (!other) {
		if (++w * 4 >= end)
			return end;
		other = __atomic_load_n(words + w, __ATOMIC_RELAXED) ^ want;
		other = le64toh(other);
	}
	return min(w * 4 + (unsigned int)__builtin_ctzll(other) / 16, end);
}

/* The unit for @pos, which stands for 1 << *@shift bytes. */
static inline unsigned int look_up(const struct gmem__record *r, uint64_t pos,
				   unsigned int *shift)
{
	unsigned int unit = load_unit(r->blocks + (pos >> BLOCK_SHIFT));

	*shift = BLOCK_SHIFT;
	if (unit != MIXED)
		return unit;
	*shift = CHUNK_SHIFT;
	return load_unit(r->summary + (pos >> CHUNK_SHIFT));
}

/* The first position in [@pos, @end) that is not @state, or @end. */
static uint64_t scan(const struct gmem__record *r, uint64_t pos, uint64_t end,
		     enum gmem__state state)
{
	unsigned int unit, shift;
	uint64_t stop;

	for (; pos < end; pos = stop) {
		unit = look_up(r, pos, &shift);
		if (unit >= MIXED) {
			stop = min(end, ((pos >> shift) + 1) << shift);
			pos = scan_pages(r, unit, pos >> r->page_shift,
					 units(stop, r->page_shift), state)
			      << r->page_shift;
			if (pos < stop)
				return pos;
			continue;
		}
		if (unit != state)
			return pos;
		stop = end;
		if (shift == CHUNK_SHIFT)
			stop = min(end, ((pos >> BLOCK_SHIFT) + 1)
						<< BLOCK_SHIFT);
		/* From the next one on: this one may have changed by now. */
		stop = scan_units(shift == CHUNK_SHIFT ? r->summary : r->blocks,
				  (pos >> shift) + 1, units(stop, shift), unit)
		       << shift;
	}
	return min(pos, end);
}

enum gmem__state gmem__record_get(const struct gmem__record *r, uint64_t offset)
{
	unsigned int shift, unit;

	if (!r->blocks)
		return r->fixed;
	unit = look_up(r, offset, &shift);
	if (unit < MIXED)
		return (enum gmem__state)unit;
	return page_state(r, unit, offset >> r->page_shift);
}

enum gmem__state gmem__record_run(const struct gmem__record *r, uint64_t offset,
				  uint64_t len, uint64_t *run)
{
	uint64_t end = offset + len;
	unsigned int shift, unit;
	enum gmem__state state;

	if (!r->blocks) {
		*run = len;
		return r->fixed;
	}
	unit = look_up(r, offset, &shift);
	state = (enum gmem__state)unit;
	if (unit < MIXED && offset >> shift == (end - 1) >> shift) {
		*run = len;
		return state;
	}
	if (unit >= MIXED)
		state = page_state(r, unit, offset >> r->page_shift);
	end = scan(r, offset, end, state);
	/* It changed meanwhile: the page itself is still a valid answer. */
	if (end <= offset)
		end = min(offset + (1ULL << r->page_shift), offset + len);
	*run = end - offset;
	return state;
}

/* ------------------------------------------------------------- writing -- */

/* Makes the bits [@i, @end) all @value. */
static void put_bits(uint64_t *words, uint64_t i, uint64_t end, bool value)
{
	uint64_t stop, mask, word;

	for (; i < end; i = stop) {
		stop = min(end, (i / 64 + 1) * 64);
		mask = ~0ULL >> (64 - (stop - i)) << i % 64;
		word = __atomic_load_n(words + i / 64, __ATOMIC_RELAXED);
		word = value ? word | mask : word & ~mask;
		__atomic_store_n(words + i / 64, word, __ATOMIC_RELEASE);
	}
}

/* Makes all chunks of the block @unit, also those past the end of the file. */
static void fill_block(struct gmem__record *r, uint64_t block,
		       unsigned int unit)
{
	word_t *words = (word_t *)(void *)(r->summary + block * BLOCK_CHUNKS);

	for (unsigned int i = 0; i < BLOCK_CHUNKS / 4; i++)
		__atomic_store_n(words + i, unit * 0x0001000100010001ULL,
				 __ATOMIC_RELEASE);
}

/* Whether [@start, @end) is all there is of a unit of 1 << @shift bytes. */
static bool whole(const struct gmem__record *r, uint64_t start, uint64_t end,
		  unsigned int shift)
{
	uint64_t unit = 1ULL << shift;

	return !(start & (unit - 1)) && (!(end & (unit - 1)) || end == r->size);
}

/*
 * What a chunk of @pages that says @old, a state or a split, says with the
 * pages [@start, @end) made @state; MIXED where that takes the bits.
 */
static unsigned int with_pages(unsigned int old, uint64_t pages, uint64_t start,
			       uint64_t end, unsigned int state)
{
	uint64_t at = old >= SPLIT ? split_at(old) : pages;
	unsigned int then = old >= SPLIT ? old >> 2 & 3 : 0;
	/* Where each part ends, and what it is; some are empty. */
	const struct {
		uint64_t end;
		unsigned int is;
	} parts[] = {
		{ min(start, at), old & 3 },
		{ start, then },
		{ end, state },
		{ at, old & 3 },
		{ pages, then },
	};
	uint64_t from = 0, to = 0;
	unsigned int is[2] = { 0 }, n = 0;

	for (unsigned int i = 0; i < 5; i++) {
		if (parts[i].end <= to)
			continue;
		if (n == 0 || is[n - 1] != parts[i].is) {
			if (n == 2)
				return MIXED;
			from = to;
			is[n++] = parts[i].is;
		}
		to = parts[i].end;
	}
	return n == 1 ? is[0] : split(from, is[0], is[1]);
}

/* The bits of the pages [@start, @end); @partial: those of .bound, too. */
static void put_state(struct gmem__record *r, uint64_t start, uint64_t end,
		      unsigned int state, bool partial)
{
	if (state != GMEM__UNSET)
		put_bits(r->leaf, start, end, state == GMEM__PRIVATE);
	if (partial)
		put_bits(r->bound, start, end, state != GMEM__UNSET);
}

/* What the chunk of the pages [@first, @last) can say, whose bits are @unit. */
static unsigned int joined(const struct gmem__record *r, uint64_t first,
			   uint64_t last, unsigned int unit)
{
	enum gmem__state state = page_state(r, unit, first), then;
	uint64_t at = scan_pages(r, unit, first, last, state);

	if (at == last)
		return state;
	then = page_state(r, unit, at);
	if (scan_pages(r, unit, at, last, then) == last)
		return split(at - first, state, then);
	return unit;
}

/*
 * Sets some pages of a chunk that says @old.  Return: what it can say now.
 * Bits that no page needs stay as they are: a reader that saw an older unit
 * may still look at them.
 */
static unsigned int set_pages(struct gmem__record *r, uint64_t start,
			      uint64_t end, enum gmem__state state,
			      unsigned int old)
{
	uint64_t chunk = start >> CHUNK_SHIFT << CHUNK_SHIFT;
	uint64_t first = chunk >> r->page_shift, at;
	uint64_t last =
		min(chunk + (1ULL << CHUNK_SHIFT), r->size) >> r->page_shift;
	bool partial = state == GMEM__UNSET || old == PARTIAL;
	unsigned int was = old & 3, then = old >> 2 & 3, now;

	start >>= r->page_shift;
	end >>= r->page_shift;
	if (old == MIXED && partial)
		put_bits(r->bound, first, last, true);
	if (old != MIXED && old != PARTIAL) {
		now = with_pages(old, last - first, start - first, end - first,
				 state);
		if (now != MIXED)
			return now;
		at = old >= SPLIT ? first + split_at(old) : last;
		partial |= !was || (at < last && !then);
		put_state(r, first, at, was, partial);
		put_state(r, at, last, then, partial);
	}
	put_state(r, start, end, state, partial);
	now = partial && scan_bits(r->bound, first, last, true) < last ? PARTIAL
								       : MIXED;
	return joined(r, first, last, now);
}

/* Sets [@start, @end), inside one chunk. */
static void set_chunk(struct gmem__record *r, uint64_t start, uint64_t end,
		      enum gmem__state state)
{
	uint16_t *unit = r->summary + (start >> CHUNK_SHIFT);
	unsigned int old = load_unit(unit), now = state;

	if (old == state)
		return;
	if (!whole(r, start, end, CHUNK_SHIFT))
		now = set_pages(r, start, end, state, old);
	store_unit(unit, now);
}

/* Sets [@start, @end), inside one block. */
static void set_block(struct gmem__record *r, uint64_t start, uint64_t end,
		      enum gmem__state state)
{
	uint64_t block = start >> BLOCK_SHIFT;
	uint64_t first = block * BLOCK_CHUNKS, last, stop;
	unsigned int old = load_unit(r->blocks + block);

	if (old == state)
		return;
	if (!whole(r, start, end, BLOCK_SHIFT)) {
		if (old != MIXED)
			fill_block(r, block, old);
		for (; start < end; start = stop) {
			stop = (start >> CHUNK_SHIFT) + 1;
			stop = min(stop << CHUNK_SHIFT, end);
			set_chunk(r, start, stop, state);
		}
		last = min(first + BLOCK_CHUNKS, units(r->size, CHUNK_SHIFT));
		if (scan_units(r->summary, first, last, state) < last) {
			store_unit(r->blocks + block, MIXED);
			return;
		}
	}
	store_unit(r->blocks + block, state);
}

static void add_bytes(struct gmem__record *r, enum gmem__state state,
		      uint64_t n)
{
	/* Writers exclude one another. */
	__atomic_store_n(&r->bytes[state], r->bytes[state] + n,
			 __ATOMIC_RELAXED);
}

void gmem__record_set(struct gmem__record *r, uint64_t offset, uint64_t len,
		      enum gmem__state state)
{
	uint64_t end = offset + len, stop, run;

	for (uint64_t pos = offset; pos < end; pos += run) {
		enum gmem__state was =
			gmem__record_run(r, pos, end - pos, &run);

		add_bytes(r, was, -run);
	}
	add_bytes(r, state, len);
	for (; offset < end; offset = stop) {
		stop = min(((offset >> BLOCK_SHIFT) + 1) << BLOCK_SHIFT, end);
		set_block(r, offset, stop, state);
	}
}
