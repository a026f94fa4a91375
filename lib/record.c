// SPDX-License-Identifier: MIT
/*
 * The attribute record.  Three levels say what the pages of a file are: a
 * byte for each block of 1 GiB, a byte for each chunk of 2 MiB, a bit a page.
 * A level is valid only where the one above it is MIXED, and pages that are
 * alike again are stored one level up.
 */
#include <endian.h>
#include <stdbool.h>

#include "record.h"

#define CHUNK_SHIFT 21
#define BLOCK_SHIFT 30
#define BLOCK_CHUNKS (1U << (BLOCK_SHIFT - CHUNK_SHIFT))

#define PAGE_SIZE_MIN 4096U
#define PAGE_SIZE_MAX (1U << CHUNK_SHIFT)

/* What a byte says beside the enum gmem__state of all that it stands for. */
#define MIXED 3	  /* one level down it differs */
#define PARTIAL 4 /* chunks only: the same, and 0 in .bound is UNSET */

/* A scan reads eight bytes at once, whatever type they were stored as. */
typedef uint64_t __attribute__((may_alias)) word_t;

/*
 * Stores go leaf, bound, chunk, block, each released; loads go the other way,
 * each acquired.  So a reader that goes one level down finds the matching or a
 * newer state.
 */
static unsigned int load_byte(const unsigned char *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store_byte(unsigned char *p, unsigned int value)
{
	__atomic_store_n(p, (unsigned char)value, __ATOMIC_RELEASE);
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

	l.summary = round_up(units(size, BLOCK_SHIFT), 64);
	l.leaf = l.summary + units(size, BLOCK_SHIFT) * BLOCK_CHUNKS;
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
	r->blocks = p;
	r->summary = p + l.summary;
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

static inline enum gmem__state page_state(const struct gmem__record *r,
					  unsigned int byte, uint64_t page)
{
	uint64_t i = page / 64, bit = page % 64;

	if (byte == PARTIAL && !(load_word(r->bound + i) >> bit & 1))
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
 * The first page in [@page, @end) that is not @state, or @end.  @byte: MIXED
 * or PARTIAL, of the chunk that holds them all.
 */
static uint64_t scan_pages(const struct gmem__record *r, unsigned int byte,
			   uint64_t page, uint64_t end, enum gmem__state state)
{
	if (byte == MIXED && state != GMEM__UNSET)
		return scan_bits(r->leaf, page, end, state == GMEM__PRIVATE);
	/* Where slots begin and end: rare. */
	while (page < end && page_state(r, byte, page) == state)
		page++;
	return page;
}

/*
 * The first index in [@i, @end) whose byte is not @value, or @end.  Reads
 * whole words, so up to eight bytes more, which are the record's too.
 */
static uint64_t scan_bytes(const unsigned char *bytes, uint64_t i, uint64_t end,
			   unsigned int value)
{
	const word_t *words = (const word_t *)(const void *)bytes;
	uint64_t want = value * 0x0101010101010101ULL, w = i / 8, other;

	other = __atomic_load_n(words + w, __ATOMIC_RELAXED) ^ want;
	other = le64toh(other) & ~0ULL << i % 8 * 8;
	while (!other) {
		if (++w * 8 >= end)
			return end;
		other = __atomic_load_n(words + w, __ATOMIC_RELAXED) ^ want;
		other = le64toh(other);
	}
	return min(w * 8 + (unsigned int)__builtin_ctzll(other) / 8, end);
}

/* The byte for @pos, which stands for 1 << *@shift bytes. */
static inline unsigned int look_up(const struct gmem__record *r, uint64_t pos,
				   unsigned int *shift)
{
	unsigned int byte = load_byte(r->blocks + (pos >> BLOCK_SHIFT));

	*shift = BLOCK_SHIFT;
	if (byte != MIXED)
		return byte;
	/* Needed next more often than not, and the last to come. */
	__builtin_prefetch(&r->leaf[(pos >> r->page_shift) / 64]);
	*shift = CHUNK_SHIFT;
	return load_byte(r->summary + (pos >> CHUNK_SHIFT));
}

/* The first position in [@pos, @end) that is not @state, or @end. */
static uint64_t scan(const struct gmem__record *r, uint64_t pos, uint64_t end,
		     enum gmem__state state)
{
	unsigned int byte, shift;
	uint64_t i, stop;

	for (; pos < end; pos = stop) {
		byte = look_up(r, pos, &shift);
		if (byte >= MIXED) {
			stop = min(end, ((pos >> shift) + 1) << shift);
			pos = scan_pages(r, byte, pos >> r->page_shift,
					 units(stop, r->page_shift), state)
			      << r->page_shift;
			if (pos < stop)
				return pos;
			continue;
		}
		if (byte != state)
			return pos;
		/* From the next one on: this one may have changed by now. */
		i = (pos >> shift) + 1;
		if (shift == BLOCK_SHIFT) {
			stop = scan_bytes(r->blocks, i, units(end, shift),
					  byte);
		} else {
			stop = (pos | ((1ULL << BLOCK_SHIFT) - 1)) + 1;
			stop = scan_bytes(r->summary, i,
					  units(min(stop, end), shift), byte);
		}
		stop <<= shift;
	}
	return min(pos, end);
}

enum gmem__state gmem__record_get(const struct gmem__record *r, uint64_t offset)
{
	unsigned int shift, byte;

	if (!r->blocks)
		return r->fixed;
	byte = look_up(r, offset, &shift);
	if (byte < MIXED)
		return (enum gmem__state)byte;
	return page_state(r, byte, offset >> r->page_shift);
}

enum gmem__state gmem__record_run(const struct gmem__record *r, uint64_t offset,
				  uint64_t len, uint64_t *run)
{
	uint64_t end = offset + len;
	unsigned int shift, byte;
	enum gmem__state state;

	if (!r->blocks) {
		*run = len;
		return r->fixed;
	}
	byte = look_up(r, offset, &shift);
	state = (enum gmem__state)byte;
	if (byte < MIXED && offset >> shift == (end - 1) >> shift) {
		*run = len;
		return state;
	}
	if (byte >= MIXED)
		state = page_state(r, byte, offset >> r->page_shift);
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

/* Makes all chunks of the block @byte, also those past the end of the file. */
static void fill_block(struct gmem__record *r, uint64_t block,
		       unsigned int byte)
{
	word_t *words = (word_t *)(void *)(r->summary + block * BLOCK_CHUNKS);

	for (unsigned int i = 0; i < BLOCK_CHUNKS / 8; i++)
		__atomic_store_n(words + i, byte * 0x0101010101010101ULL,
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
 * Sets some pages of a chunk that says @old.  Return: what it can say now.
 * Bits that no page needs stay as they are: a reader that saw an older byte
 * may still look at them.
 */
static unsigned int set_pages(struct gmem__record *r, uint64_t start,
			      uint64_t end, enum gmem__state state,
			      unsigned int old)
{
	uint64_t chunk = start >> CHUNK_SHIFT << CHUNK_SHIFT;
	uint64_t first = chunk >> r->page_shift;
	uint64_t last =
		min(chunk + (1ULL << CHUNK_SHIFT), r->size) >> r->page_shift;
	bool private = state == GMEM__PRIVATE, bound = state != GMEM__UNSET;
	bool partial = !bound || old == GMEM__UNSET || old == PARTIAL;

	if (old == GMEM__SHARED || old == GMEM__PRIVATE)
		put_bits(r->leaf, first, last, old == GMEM__PRIVATE);
	if (partial && old != PARTIAL)
		put_bits(r->bound, first, last, old != GMEM__UNSET);

	start >>= r->page_shift;
	end >>= r->page_shift;
	if (bound)
		put_bits(r->leaf, start, end, private);
	if (partial) {
		put_bits(r->bound, start, end, bound);
		if (scan_bits(r->bound, first, last, bound) < last)
			return PARTIAL;
	}
	if (bound && scan_bits(r->leaf, first, last, private) < last)
		return MIXED;
	return state;
}

/* Sets [@start, @end), inside one chunk. */
static void set_chunk(struct gmem__record *r, uint64_t start, uint64_t end,
		      enum gmem__state state)
{
	unsigned char *byte = r->summary + (start >> CHUNK_SHIFT);
	unsigned int old = load_byte(byte), now = state;

	if (old == state)
		return;
	if (!whole(r, start, end, CHUNK_SHIFT))
		now = set_pages(r, start, end, state, old);
	store_byte(byte, now);
}

/* Sets [@start, @end), inside one block. */
static void set_block(struct gmem__record *r, uint64_t start, uint64_t end,
		      enum gmem__state state)
{
	uint64_t block = start >> BLOCK_SHIFT;
	uint64_t first = block * BLOCK_CHUNKS, last, stop;
	unsigned int old = load_byte(r->blocks + block);

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
		if (scan_bytes(r->summary, first, last, state) < last) {
			store_byte(r->blocks + block, MIXED);
			return;
		}
	}
	store_byte(r->blocks + block, state);
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
