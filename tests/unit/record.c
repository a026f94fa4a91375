// SPDX-License-Identifier: MIT
/* The attribute record, against a byte a page that is filled naively. */
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record.h"
#include "t.h"

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define TIB (1ULL << 40)

/* What the units of the record stand for. */
#define CHUNK (4 * MIB)
#define BLOCK (512 * MIB)

struct fixture {
	struct gmem__record r;
	void *mem;
	size_t len;
	unsigned char *model; /* a byte a page, NULL without one */
	uint64_t page_size;
	uint64_t seed;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static void release(struct fixture *f)
{
	if (f->mem)
		(void)munmap(f->mem, f->len);
	free(f->model);
	memset(f, 0, sizeof(*f));
}

static int teardown(void **state)
{
	release(*state);
	free(*state);
	return 0;
}

/* A fresh record; the mapping in pages, so that what is resident is exact. */
static void fresh(struct fixture *f, uint64_t size, uint64_t page_size)
{
	release(f);
	f->page_size = page_size;
	f->len = gmem__record_bytes(size, page_size);
	assert_int_not_equal(f->len, 0);
	f->mem = mmap(NULL, f->len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (f->mem == MAP_FAILED) {
		f->mem = NULL;
		fail_msg("cannot map %zu bytes", f->len);
	}
	(void)madvise(f->mem, f->len, MADV_NOHUGEPAGE);
	gmem__record_init(&f->r, f->mem, size, page_size);
}

static void fresh_with_model(struct fixture *f, uint64_t size,
			     uint64_t page_size)
{
	fresh(f, size, page_size);
	f->model = calloc(size / page_size, 1);
	assert_non_null(f->model);
}

static uint64_t resident(const struct fixture *f)
{
	long page = sysconf(_SC_PAGESIZE);
	size_t n = (f->len + (size_t)page - 1) / (size_t)page, sum = 0;
	unsigned char *vec = malloc(n);

	assert_non_null(vec);
	assert_int_equal(mincore(f->mem, f->len, vec), 0);
	for (size_t i = 0; i < n; i++)
		sum += vec[i] & 1;
	free(vec);
	return sum * (uint64_t)page;
}

static uint64_t rnd(uint64_t *seed, uint64_t below)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*seed >> 20) % below;
}

static void set(struct fixture *f, uint64_t offset, uint64_t len,
		enum gmem__state state)
{
	gmem__record_set(&f->r, offset, len, state);
	if (f->model)
		memset(f->model + offset / f->page_size, state,
		       len / f->page_size);
}

#define assert_run(f, offset, len, state, run) \
	assert_run_at(f, offset, len, state, run, __FILE__, __LINE__)
static void assert_run_at(const struct fixture *f, uint64_t offset,
			  uint64_t len, enum gmem__state want, uint64_t run,
			  const char *file, int line)
{
	uint64_t got = 0;
	enum gmem__state s = gmem__record_run(&f->r, offset, len, &got);

	if (s == want && got == run && gmem__record_get(&f->r, offset) == want)
		return;
	print_error("at 0x%llx for 0x%llx: %d for 0x%llx, get says %d; "
		    "expected %d for 0x%llx\n",
		    (unsigned long long)offset, (unsigned long long)len, s,
		    (unsigned long long)got, gmem__record_get(&f->r, offset),
		    want, (unsigned long long)run);
	_fail(file, line);
}

/* The same from the model. */
static void assert_as_model(const struct fixture *f, uint64_t offset,
			    uint64_t len)
{
	uint64_t page = offset / f->page_size;
	uint64_t end = page + len / f->page_size, n = page;

	while (n < end && f->model[n] == f->model[page])
		n++;
	assert_run(f, offset, len, (enum gmem__state)f->model[page],
		   (n - page) * f->page_size);
}

/* All of it, in maximal runs. */
static void assert_all_as_model(const struct fixture *f)
{
	uint64_t n;

	for (uint64_t pos = 0; pos < f->r.size; pos += n) {
		(void)gmem__record_run(&f->r, pos, f->r.size - pos, &n);
		assert_as_model(f, pos, f->r.size - pos);
	}
}

/* Whether the model's pages of the @unit at @start are alike. */
static bool alike(const struct fixture *f, uint64_t start, uint64_t unit)
{
	uint64_t first = start / f->page_size;
	uint64_t left = f->r.size - start;
	uint64_t n = (left < unit ? left : unit) / f->page_size;

	return n == 1 || !memcmp(f->model + first, f->model + first + 1, n - 1);
}

/* What the chunk at @start has to say in its unit, or 0: it takes the bits. */
static unsigned int unit_of(const struct fixture *f, uint64_t start)
{
	const unsigned char *m = f->model + start / f->page_size;
	uint64_t left = f->r.size - start, at = 1, n;

	n = (left < CHUNK ? left : CHUNK) / f->page_size;
	while (at < n && m[at] == m[0])
		at++;
	if (at == n)
		return m[0];
	if (n > at + 1 && memcmp(m + at, m + at + 1, n - at - 1) != 0)
		return 0;
	return (unsigned int)at << 4 | (unsigned int)m[at] << 2 | m[0];
}

/* What is alike, or differs once, is said by one unit, as high up as can be. */
static void assert_collapsed(const struct fixture *f)
{
	unsigned int unit;
	uint64_t i;

	for (uint64_t b = 0; b < f->r.size; b += BLOCK) {
		if (alike(f, b, BLOCK)) {
			assert_int_equal(f->r.blocks[b / BLOCK],
					 f->model[b / f->page_size]);
			continue;
		}
		for (i = b; i < f->r.size && i < b + BLOCK; i += CHUNK) {
			unit = unit_of(f, i);
			if (unit || alike(f, i, CHUNK))
				assert_int_equal(f->r.summary[i / CHUNK], unit);
			else
				assert_in_range(f->r.summary[i / CHUNK], 3, 4);
		}
	}
}

/* --------------------------------------------------------------- rules -- */

static void a_size_that_is_no_number_of_pages_is_refused(void **state)
{
	(void)state;
	assert_int_equal(gmem__record_bytes(0, 4096), 0);
	assert_int_equal(gmem__record_bytes(4095, 4096), 0);
	assert_int_equal(gmem__record_bytes(4097, 4096), 0);
	assert_int_equal(gmem__record_bytes(20 * KIB, 16 * KIB), 0);
	assert_int_not_equal(gmem__record_bytes(4096, 4096), 0);
}

static void a_page_size_outside_4k_to_2m_is_refused(void **state)
{
	(void)state;
	assert_int_equal(gmem__record_bytes(GIB, 0), 0);
	assert_int_equal(gmem__record_bytes(GIB, 1), 0);
	assert_int_equal(gmem__record_bytes(GIB, 2 * KIB), 0);
	assert_int_equal(gmem__record_bytes(GIB, 4 * MIB), 0);
	assert_int_equal(gmem__record_bytes(12 * GIB, 12 * KIB), 0);
	assert_int_equal(gmem__record_bytes(GIB, 1ULL << 63), 0);
	for (uint64_t page = 4 * KIB; page <= 2 * MIB; page *= 2)
		assert_int_not_equal(gmem__record_bytes(GIB, page), 0);
}

static void the_largest_file_is_representable(void **state)
{
	uint64_t max = INT64_MAX & ~4095ULL;

	(void)state;
	assert_int_equal(gmem__record_bytes(1ULL << 63, 4096), 0);
	assert_int_equal(gmem__record_bytes(UINT64_MAX & ~4095ULL, 4096), 0);
	/* Two bits a page, two bytes for each 4 MiB and each 512 MiB. */
	assert_int_equal(gmem__record_bytes(max, 4096),
			 (1ULL << 35) + (1ULL << 42) + (2ULL << 48));
}

static void a_tib_takes_65_mib_of_address_space(void **state)
{
	(void)state;
	assert_true(gmem__record_bytes(TIB, 4 * KIB) <= 65 * MIB);
	assert_true(gmem__record_bytes(TIB, 64 * KIB) <= 5 * MIB);
}

static void fresh_memory_is_unset_everywhere(void **state)
{
	struct fixture *f = *state;

	fresh(f, TIB, 4096);
	assert_run(f, 0, TIB, GMEM__UNSET, TIB);
	assert_run(f, TIB - 4096, 4096, GMEM__UNSET, 4096);
}

static void a_fixed_record_is_one_state_without_memory(void **state)
{
	struct fixture *f = *state;

	gmem__record_fix(&f->r, TIB, 4096, GMEM__SHARED);
	assert_run(f, 0, TIB, GMEM__SHARED, TIB);
	assert_run(f, TIB - 4096, 4096, GMEM__SHARED, 4096);
	gmem__record_fix(&f->r, TIB, 4096, GMEM__PRIVATE);
	assert_run(f, 3 * GIB, 12 * KIB, GMEM__PRIVATE, 12 * KIB);
}

static void set_changes_its_range_and_no_more(void **state)
{
	struct fixture *f = *state;

	fresh(f, 4 * GIB, 4096);
	set(f, GIB - 4096, 8192, GMEM__PRIVATE);
	assert_run(f, 0, 4 * GIB, GMEM__UNSET, GIB - 4096);
	assert_run(f, GIB - 4096, 3 * GIB, GMEM__PRIVATE, 8192);
	assert_run(f, GIB + 4096, 3 * GIB - 4096, GMEM__UNSET, 3 * GIB - 4096);
	set(f, GIB, 4096, GMEM__SHARED);
	assert_run(f, GIB - 4096, 3 * GIB, GMEM__PRIVATE, 4096);
	assert_run(f, GIB, 3 * GIB, GMEM__SHARED, 4096);
	set(f, GIB - 4096, 8192, GMEM__UNSET);
	assert_run(f, 0, 4 * GIB, GMEM__UNSET, 4 * GIB);
}

static void a_run_ends_at_the_length_asked_for(void **state)
{
	struct fixture *f = *state;

	fresh(f, 4 * GIB, 4096);
	set(f, 0, 4 * GIB, GMEM__PRIVATE);
	set(f, 2 * GIB + 2 * MIB, 4096, GMEM__SHARED);
	for (uint64_t len = 4096; len <= 2 * GIB; len *= 2)
		assert_run(f, 4096, len, GMEM__PRIVATE, len);
	assert_run(f, 2 * GIB, 2 * MIB, GMEM__PRIVATE, 2 * MIB);
	assert_run(f, 2 * GIB, 3 * MIB, GMEM__PRIVATE, 2 * MIB);
	assert_run(f, 2 * GIB + 2 * MIB, 4096, GMEM__SHARED, 4096);
	assert_run(f, 2 * GIB + 2 * MIB + 4096, GIB, GMEM__PRIVATE, GIB);
}

static void a_run_crosses_every_level(void **state)
{
	struct fixture *f = *state;
	uint64_t start = 3 * GIB - 2 * MIB - 4096;
	uint64_t len = 5 * GIB + 6 * MIB + 12 * KIB;

	fresh(f, 16 * GIB, 4096);
	set(f, 0, 16 * GIB, GMEM__PRIVATE);
	set(f, start, len, GMEM__SHARED);
	assert_run(f, 0, 16 * GIB, GMEM__PRIVATE, start);
	assert_run(f, start, 13 * GIB, GMEM__SHARED, len);
	assert_run(f, start + len, 4 * GIB, GMEM__PRIVATE, 4 * GIB);
}

static void an_unset_run_ends_where_a_mixed_chunk_begins(void **state)
{
	struct fixture *f = *state;

	fresh(f, 8 * MIB, 4096);
	set(f, 4 * MIB, 2 * MIB, GMEM__SHARED);
	set(f, 5 * MIB, 4096, GMEM__PRIVATE);
	assert_run(f, 0, 8 * MIB, GMEM__UNSET, 4 * MIB);
	assert_run(f, 4 * MIB - 4096, 8192, GMEM__UNSET, 4096);
}

static void what_is_set_page_by_page_becomes_one_run(void **state)
{
	struct fixture *f = *state;
	const uint64_t size = GIB + 6 * MIB + 12 * KIB;

	/* 11 is prime to the number of pages: each is visited once. */
	fresh_with_model(f, size, 4096);
	for (uint64_t i = 0; i < size / 4096; i++)
		set(f, i * 11 % (size / 4096) * 4096, 4096, GMEM__SHARED);
	assert_run(f, 0, size, GMEM__SHARED, size);
	assert_collapsed(f);
}

static void a_short_last_chunk_and_block_collapse(void **state)
{
	struct fixture *f = *state;

	fresh_with_model(f, GIB + 3 * MIB, 4096);
	set(f, 0, GIB + 3 * MIB, GMEM__PRIVATE);
	set(f, GIB + 2 * MIB, 4096, GMEM__SHARED);
	assert_all_as_model(f);
	set(f, GIB + 2 * MIB, MIB, GMEM__SHARED);
	assert_collapsed(f);
	assert_all_as_model(f);
	set(f, GIB, 2 * MIB, GMEM__SHARED);
	assert_int_equal(f->r.blocks[GIB / BLOCK], GMEM__SHARED);
	assert_all_as_model(f);
}

static void a_file_of_one_page_works(void **state)
{
	struct fixture *f = *state;

	fresh(f, 64 * KIB, 64 * KIB);
	assert_run(f, 0, 64 * KIB, GMEM__UNSET, 64 * KIB);
	set(f, 0, 64 * KIB, GMEM__PRIVATE);
	assert_run(f, 0, 64 * KIB, GMEM__PRIVATE, 64 * KIB);
	assert_int_equal(f->r.blocks[0], GMEM__PRIVATE);
}

/* A range as programs ask for them: a few pages, aligned, or anything. */
static void pick(struct fixture *f, uint64_t *offset, uint64_t *len)
{
	static const uint64_t units[] = { 2 * MIB, GIB };
	uint64_t pages = f->r.size / f->page_size, unit, start, end;

	switch (rnd(&f->seed, 4)) {
	case 0:
		start = rnd(&f->seed, pages);
		end = start + 1 + rnd(&f->seed, 3);
		break;
	case 1:
		start = rnd(&f->seed, pages);
		end = start + 1 + rnd(&f->seed, 3 * MIB / f->page_size + 1);
		break;
	case 2:
		unit = units[rnd(&f->seed, 2)] / f->page_size;
		start = rnd(&f->seed, pages) / unit * unit;
		end = start + (1 + rnd(&f->seed, 2)) * unit;
		break;
	default:
		start = rnd(&f->seed, pages);
		end = start + 1 + rnd(&f->seed, pages);
		break;
	}
	if (end > pages)
		end = pages;
	*offset = start * f->page_size;
	*len = (end - start) * f->page_size;
}

static void random_sets(struct fixture *f, uint64_t size, uint64_t page_size,
			uint64_t seed, unsigned int steps)
{
	uint64_t offset, len;

	fresh_with_model(f, size, page_size);
	f->seed = seed;
	for (unsigned int i = 1; i <= steps; i++) {
		/* Long runs of one state now and then, or nothing merges. */
		pick(f, &offset, &len);
		set(f, offset, len,
		    (enum gmem__state)(i / 16 % 2 ? rnd(&f->seed, 3)
						  : 1 + rnd(&f->seed, 2)));
		for (int q = 0; q < 4; q++) {
			pick(f, &offset, &len);
			assert_as_model(f, offset, len);
		}
		if (i % 64 == 0) {
			assert_all_as_model(f);
			assert_collapsed(f);
		}
	}
}

static void random_sets_equal_a_byte_a_page_in_4k_pages(void **state)
{
	random_sets(*state, 2 * GIB + 6 * MIB + 12 * KIB, 4 * KIB, 1, 768);
	random_sets(*state, 2 * MIB + 4 * KIB, 4 * KIB, 2, 2048);
	random_sets(*state, 508 * KIB, 4 * KIB, 3, 1024);
}

static void random_sets_equal_a_byte_a_page_in_16k_pages(void **state)
{
	random_sets(*state, 3 * GIB + 10 * MIB + 48 * KIB, 16 * KIB, 4, 1024);
	random_sets(*state, 6 * MIB + 16 * KIB, 16 * KIB, 5, 2048);
}

static void random_sets_equal_a_byte_a_page_in_64k_pages(void **state)
{
	/* Two chunks share a word of bits. */
	random_sets(*state, 5 * GIB + 2 * MIB + 192 * KIB, 64 * KIB, 6, 1024);
	random_sets(*state, 10 * MIB + 64 * KIB, 64 * KIB, 7, 2048);
}

static void random_sets_equal_a_byte_a_page_in_larger_pages(void **state)
{
	random_sets(*state, 3 * GIB + 5 * MIB, MIB, 8, 1024);
	random_sets(*state, 3 * GIB + 6 * MIB, 2 * MIB, 9, 1024);
}

/* ---------------------------------------------------------------- size -- */

static void a_uniform_tib_has_at_most_1_mib_resident(void **state)
{
	struct fixture *f = *state;

	fresh(f, TIB, 4096);
	set(f, 0, TIB, GMEM__PRIVATE);
	assert_run(f, 0, TIB, GMEM__PRIVATE, TIB);
	assert_true(resident(f) <= MIB);
	/* Also when it became so in pieces of 2 MiB, every other first. */
	for (uint64_t odd = 0; odd < 2; odd++)
		for (uint64_t i = odd * 2 * MIB; i < TIB; i += 4 * MIB)
			set(f, i, 2 * MIB, GMEM__SHARED);
	assert_run(f, 0, TIB, GMEM__SHARED, TIB);
	assert_true(resident(f) <= MIB);
}

static void a_file_set_whole_has_only_its_blocks_resident(void **state)
{
	struct fixture *f = *state;

	fresh(f, GIB + 3 * MIB, 4096);
	set(f, 0, GIB + 3 * MIB, GMEM__PRIVATE);
	assert_int_equal(resident(f), sysconf(_SC_PAGESIZE));
}

static void a_fully_mixed_tib_has_at_most_34_mib_resident(void **state)
{
	struct fixture *f = *state;

	fresh(f, TIB, 4096);
	set(f, 0, TIB, GMEM__PRIVATE);
	for (uint64_t i = 0; i < TIB; i += 2 * MIB)
		set(f, i, 4096, GMEM__SHARED);
	assert_run(f, TIB - 2 * MIB, 2 * MIB, GMEM__SHARED, 4096);
	assert_true(resident(f) <= 34 * MIB);
}

static void runs_that_end_once_in_4_mib_take_no_bits(void **state)
{
	struct fixture *f = *state;

	fresh(f, TIB, 4096);
	set(f, 0, TIB, GMEM__PRIVATE);
	for (uint64_t i = 0; i < 512; i++)
		set(f, i * 2 * GIB + 12 * KIB, GIB - 28 * KIB, GMEM__SHARED);
	assert_run(f, 12 * KIB, TIB, GMEM__SHARED, GIB - 28 * KIB);
	assert_true(resident(f) <= MIB);
	/* Pages of a run are converted one by one, from either end. */
	for (uint64_t i = 0; i < 1024; i++) {
		set(f, GIB + i * 4096, 4096, GMEM__SHARED);
		set(f, 2 * GIB - (i + 1) * 4096, 4096, GMEM__SHARED);
	}
	assert_run(f, GIB, TIB - GIB, GMEM__SHARED, 4 * MIB);
	assert_true(resident(f) <= MIB);
}

static void
blocks_that_are_set_whole_have_only_their_units_resident(void **state)
{
	struct fixture *f = *state;

	/* the units of all blocks, of which the last is short, are a page */
	fresh(f, TIB - 4096, 4096);
	set(f, GIB, GIB, GMEM__PRIVATE);
	assert_int_equal(resident(f), sysconf(_SC_PAGESIZE));
	set(f, TIB - GIB, GIB - 4096, GMEM__SHARED);
	assert_int_equal(resident(f), sysconf(_SC_PAGESIZE));
	assert_run(f, GIB, TIB - GIB - 4096, GMEM__PRIVATE, GIB);
}

static void what_is_set_to_what_it_is_takes_no_bits(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	fresh(f, TIB, 4096);
	set(f, 0, TIB, GMEM__PRIVATE);
	set(f, GIB, 12 * KIB, GMEM__SHARED);
	before = resident(f);
	set(f, GIB, 4 * KIB, GMEM__SHARED);
	set(f, GIB + 16 * KIB, 4 * KIB, GMEM__PRIVATE);
	assert_int_equal(resident(f), before);
	assert_run(f, GIB, GIB, GMEM__SHARED, 12 * KIB);
}

/* A second bit a page is for those that have no slot. */
static void pages_that_all_have_a_state_take_one_bit_each(void **state)
{
	struct fixture *f = *state;

	fresh(f, 64 * GIB, 4096);
	set(f, 0, 64 * GIB, GMEM__PRIVATE);
	/* in the middle of a chunk, and once more in a mixed one */
	for (uint64_t i = 0; i < 64 * GIB; i += CHUNK)
		set(f, i + MIB, 4096, GMEM__SHARED);
	assert_in_range(resident(f), 2 * MIB, 3 * MIB);
	for (uint64_t i = 0; i < 64 * GIB; i += CHUNK)
		set(f, i + 2 * MIB, 4096, GMEM__SHARED);
	assert_in_range(resident(f), 2 * MIB, 3 * MIB);
	assert_run(f, GIB + 2 * MIB, MIB, GMEM__SHARED, 4096);
}

static void a_look_at_all_blocks_reads_only_their_units(void **state)
{
	struct fixture *f = *state;

	fresh(f, TIB, 4096);
	assert_run(f, 0, TIB, GMEM__UNSET, TIB);
	assert_int_equal(resident(f), sysconf(_SC_PAGESIZE));
}

static void each_byte_is_counted_once(void **state)
{
	struct fixture *f = *state;

	fresh(f, GIB, 4096);
	assert_int_equal(gmem__record_count(&f->r, GMEM__UNSET), GIB);
	set(f, 4096, 64 * MIB, GMEM__SHARED);
	set(f, MIB, 8 * KIB, GMEM__PRIVATE);
	assert_int_equal(gmem__record_count(&f->r, GMEM__UNSET),
			 GIB - 64 * MIB);
	assert_int_equal(gmem__record_count(&f->r, GMEM__SHARED),
			 64 * MIB - 8 * KIB);
	assert_int_equal(gmem__record_count(&f->r, GMEM__PRIVATE), 8 * KIB);
}

static void lookups_make_no_more_resident_than_they_read(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	fresh(f, TIB, 4096);
	set(f, 0, TIB, GMEM__PRIVATE);
	before = resident(f);
	for (uint64_t i = 0; i < TIB; i += 64 * MIB)
		assert_run(f, i, 64 * MIB, GMEM__PRIVATE, 64 * MIB);
	assert_int_equal(resident(f), before);
}

/* ------------------------------------------------------------- threads -- */

/*
 * One page is watched.  Which two states it may have just now, equal while
 * nobody sets it, is published before and after each change of it; between
 * those, its neighbours change, and how its chunk and block are recorded.
 */
#define WATCHED (GIB - 2 * MIB + 40960)
#define PHASES 60000

struct watch {
	struct fixture *f;
	pthread_barrier_t start;
	uint64_t allowed; /* count << 4 | old << 2 | new */
	int stop;
	int wrong;
};

static bool allows(uint64_t allowed, enum gmem__state s)
{
	return s == (allowed >> 2 & 3) || s == (allowed & 3);
}

/* The watched page, and a run anywhere that need only be a run. */
static bool reads_right(struct watch *w, uint64_t *seed)
{
	const struct gmem__record *r = &w->f->r;
	uint64_t before = __atomic_load_n(&w->allowed, __ATOMIC_ACQUIRE);
	uint64_t offset, run = 0, run2 = 0;
	enum gmem__state s = gmem__record_get(r, WATCHED), s2;

	s2 = gmem__record_run(r, WATCHED, GIB, &run);
	if (__atomic_load_n(&w->allowed, __ATOMIC_ACQUIRE) == before &&
	    (!allows(before, s) || !allows(before, s2)))
		return false;
	offset = rnd(seed, r->size / 4096) * 4096;
	(void)gmem__record_run(r, offset, r->size - offset, &run2);
	return run && run % 4096 == 0 && run <= GIB && run2 &&
	       run2 % 4096 == 0 && run2 <= r->size - offset;
}

static void *reader(void *arg)
{
	struct watch *w = arg;
	uint64_t seed = (uintptr_t)&w;

	(void)pthread_barrier_wait(&w->start);
	do {
		if (!reads_right(w, &seed))
			__atomic_store_n(&w->wrong, 1, __ATOMIC_RELAXED);
	} while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED));
	return NULL;
}

static void allow(struct watch *w, enum gmem__state old, enum gmem__state new)
{
	uint64_t count = (w->allowed >> 4) + 1;

	__atomic_store_n(&w->allowed, count << 4 | (uint64_t)old << 2 | new,
			 __ATOMIC_SEQ_CST);
}

/* Sets the watched page alone or with its chunk, its block or all. */
static void set_watched(struct watch *w, enum gmem__state *now)
{
	static const uint64_t units[] = { 4096, CHUNK, BLOCK, 2 * GIB };
	uint64_t unit = units[rnd(&w->f->seed, T_ARRAY_SIZE(units))];
	enum gmem__state old = *now;

	*now = (enum gmem__state)rnd(&w->f->seed, 3);
	allow(w, old, *now);
	gmem__record_set(&w->f->r, WATCHED & ~(unit - 1), unit, *now);
	allow(w, *now, *now);
}

/* Sets pages after the watched one, of its chunk or of others. */
static void set_others(struct watch *w)
{
	uint64_t *seed = &w->f->seed;
	uint64_t start = WATCHED + 4096 * (1 + rnd(seed, 64));
	uint64_t len = 4096 * (1 + rnd(seed, rnd(seed, 4) ? 64 : 2048));

	gmem__record_set(&w->f->r, start, len, (enum gmem__state)rnd(seed, 3));
}

static void a_reader_sees_each_page_as_it_was_or_as_it_will_be(void **state)
{
	struct fixture *f = *state;
	struct watch w = { .f = f };
	enum gmem__state now = GMEM__UNSET;
	pthread_t threads[2];

	fresh(f, 2 * GIB, 4096);
	(void)pthread_barrier_init(&w.start, NULL, 1 + T_ARRAY_SIZE(threads));
	for (size_t i = 0; i < T_ARRAY_SIZE(threads); i++)
		if (pthread_create(&threads[i], NULL, reader, &w))
			abort(); /* the others would wait forever */
	(void)pthread_barrier_wait(&w.start);
	for (unsigned int i = 0; i < PHASES; i++) {
		set_watched(&w, &now);
		for (unsigned int n = 0; n < 4; n++)
			set_others(&w);
	}
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELAXED);
	for (size_t i = 0; i < T_ARRAY_SIZE(threads); i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_barrier_destroy(&w.start);
	assert_int_equal(w.wrong, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest record[] = {
		test(a_size_that_is_no_number_of_pages_is_refused),
		test(a_page_size_outside_4k_to_2m_is_refused),
		test(the_largest_file_is_representable),
		test(a_tib_takes_65_mib_of_address_space),
		test(fresh_memory_is_unset_everywhere),
		test(a_fixed_record_is_one_state_without_memory),
		test(set_changes_its_range_and_no_more),
		test(a_run_ends_at_the_length_asked_for),
		test(a_run_crosses_every_level),
		test(an_unset_run_ends_where_a_mixed_chunk_begins),
		test(what_is_set_page_by_page_becomes_one_run),
		test(a_short_last_chunk_and_block_collapse),
		test(a_file_of_one_page_works),
		test(random_sets_equal_a_byte_a_page_in_4k_pages),
		test(random_sets_equal_a_byte_a_page_in_16k_pages),
		test(random_sets_equal_a_byte_a_page_in_64k_pages),
		test(random_sets_equal_a_byte_a_page_in_larger_pages),
		test(a_uniform_tib_has_at_most_1_mib_resident),
		test(a_file_set_whole_has_only_its_blocks_resident),
		test(a_fully_mixed_tib_has_at_most_34_mib_resident),
		test(runs_that_end_once_in_4_mib_take_no_bits),
		test(blocks_that_are_set_whole_have_only_their_units_resident),
		test(what_is_set_to_what_it_is_takes_no_bits),
		test(pages_that_all_have_a_state_take_one_bit_each),
		test(a_look_at_all_blocks_reads_only_their_units),
		test(each_byte_is_counted_once),
		test(lookups_make_no_more_resident_than_they_read),
		test(a_reader_sees_each_page_as_it_was_or_as_it_will_be),
	};

	return t_main(record);
}
