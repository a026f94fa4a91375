// SPDX-License-Identifier: MIT
/* The exported form of a record: what is written, and what is refused. */
#include <stdbool.h>

#include "record.h"
#include "t.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define HEADER 40

struct fixture {
	struct gmem__record r, copy;
	void *mem, *copy_mem;
	unsigned char *buf, *again;
	size_t len;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static void release(struct fixture *f)
{
	free(f->mem);
	free(f->copy_mem);
	free(f->buf);
	free(f->again);
	memset(f, 0, sizeof(*f));
}

static int teardown(void **state)
{
	release(*state);
	free(*state);
	return 0;
}

static void *record(struct gmem__record *r, uint64_t size, uint64_t page_size)
{
	size_t len = gmem__record_bytes(size, page_size);
	void *mem = aligned_alloc(64, len);

	assert_non_null(mem);
	memset(mem, 0, len);
	gmem__record_init(r, mem, size, page_size);
	return mem;
}

static void fresh(struct fixture *f, uint64_t size, uint64_t page_size)
{
	release(f);
	f->mem = record(&f->r, size, page_size);
}

/* Exports the record into f->buf. */
static void export(struct fixture *f)
{
	free(f->buf);
	f->len = gmem__wire_bytes(&f->r);
	f->buf = malloc(f->len);
	assert_non_null(f->buf);
	assert_int_equal(gmem__wire_write(&f->r, f->buf, f->len), f->len);
}

/* A file of 4 KiB pages with runs of each state; in f->buf, too. */
static void sample(struct fixture *f)
{
	fresh(f, 4 * MIB, 4096);
	gmem__record_set(&f->r, 0, 3 * MIB, GMEM__PRIVATE);
	gmem__record_set(&f->r, MIB, 8192, GMEM__SHARED);
	export(f);
}

static void put64(unsigned char *p, uint64_t v)
{
	for (int i = 0; i < 8; i++, v >>= 8)
		p[i] = (unsigned char)v;
}

static uint64_t run(uint64_t pages, unsigned int state)
{
	return pages << 2 | state;
}

/* Makes f->buf a header of @pages pages of 4 KiB and the runs given. */
static void build(struct fixture *f, uint64_t pages, const uint64_t *runs,
		  size_t n)
{
	sample(f);
	f->buf = realloc(f->buf, HEADER + 8 * n);
	assert_non_null(f->buf);
	f->len = HEADER + 8 * n;
	put64(f->buf + 24, pages * 4096);
	put64(f->buf + 32, n);
	for (size_t i = 0; i < n; i++)
		put64(f->buf + HEADER + 8 * i, runs[i]);
}

static int check(const struct fixture *f)
{
	struct gmem__wire_info info;

	return gmem__wire_check(f->buf, f->len, &info);
}

#define check_runs(f, pages, ...)                               \
	(build((f), (pages), (const uint64_t[]){ __VA_ARGS__ }, \
	       sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8),  \
	 check(f))

/*
 * f->buf, which passed the check, makes a record whose export is f->buf
 * again.
 */
static bool round_trips(struct fixture *f)
{
	struct gmem__wire_info info;
	enum gmem__state s;
	uint64_t pos = 0, n;
	bool same;

	if (gmem__wire_check(f->buf, f->len, &info))
		return false;
	free(f->copy_mem);
	f->copy_mem = record(&f->copy, info.size, info.page_size);
	for (uint64_t i = 0; i < info.runs; i++, pos += n) {
		gmem__wire_run(f->buf, i, &n, &s);
		gmem__record_set(&f->copy, pos, n, s);
	}
	f->again = malloc(f->len);
	assert_non_null(f->again);
	same = pos == info.size && gmem__wire_bytes(&f->copy) == f->len &&
	       gmem__wire_write(&f->copy, f->again, f->len) == f->len &&
	       !memcmp(f->buf, f->again, f->len);
	free(f->again);
	f->again = NULL;
	return same;
}

/* --------------------------------------------------------------- rules -- */

static void the_layout_is_the_documented_one(void **state)
{
	static const unsigned char want[] = {
		'g',  'm',  'e',  'm', 'a', 't', 't', 'r', /* magic */
		1,    0,    0,	  0,   0,   0,	 0,   0,   /* version, 0 */
		0,    0x10, 0,	  0,   0,   0,	 0,   0,   /* page size */
		0,    0,    0x40, 0,   0,   0,	 0,   0,   /* file size */
		4,    0,    0,	  0,   0,   0,	 0,   0,   /* runs */
		0x02, 0x04, 0,	  0,   0,   0,	 0,   0,   /* 0x100 private */
		0x09, 0,    0,	  0,   0,   0,	 0,   0,   /* 2 shared */
		0xfa, 0x07, 0,	  0,   0,   0,	 0,   0,   /* 0x1fe private */
		0x00, 0x04, 0,	  0,   0,   0,	 0,   0,   /* 0x100 unset */
	};
	struct fixture *f = *state;

	sample(f);
	assert_int_equal(f->len, sizeof(want));
	assert_memory_equal(f->buf, want, sizeof(want));
}

static void the_check_tells_size_page_size_and_runs(void **state)
{
	struct fixture *f = *state;
	struct gmem__wire_info info;

	sample(f);
	assert_int_equal(gmem__wire_check(f->buf, f->len, &info), 0);
	assert_int_equal(info.size, 4 * MIB);
	assert_int_equal(info.page_size, 4096);
	assert_int_equal(info.runs, 4);
	/* Also where the runs are refused, for the message. */
	f->buf[HEADER] ^= 4;
	assert_int_equal(gmem__wire_check(f->buf, f->len, &info), -EINVAL);
	assert_int_equal(info.size, 4 * MIB);
	assert_int_equal(gmem__wire_check(f->buf, 7, &info), -EINVAL);
	assert_int_equal(info.size, 0);
}

static void the_runs_are_those_of_the_record(void **state)
{
	static const struct {
		uint64_t len;
		enum gmem__state state;
	} want[] = {
		{ MIB, GMEM__PRIVATE },
		{ 8192, GMEM__SHARED },
		{ 2 * MIB - 8192, GMEM__PRIVATE },
		{ MIB, GMEM__UNSET },
	};
	struct fixture *f = *state;
	enum gmem__state s;
	uint64_t len;

	sample(f);
	for (size_t i = 0; i < T_ARRAY_SIZE(want); i++) {
		gmem__wire_run(f->buf, i, &len, &s);
		assert_int_equal(len, want[i].len);
		assert_int_equal(s, want[i].state);
	}
}

static void a_buffer_that_is_too_small_is_refused(void **state)
{
	struct fixture *f = *state;

	sample(f);
	for (size_t len = 0; len < f->len; len++) {
		f->again = malloc(len ? len : 1);
		assert_non_null(f->again);
		assert_int_equal(gmem__wire_write(&f->r, f->again, len), 0);
		free(f->again);
		f->again = NULL;
	}
}

static void no_more_than_needed_is_written(void **state)
{
	struct fixture *f = *state;

	sample(f);
	f->again = malloc(f->len + 8);
	assert_non_null(f->again);
	memset(f->again, 0xa5, f->len + 8);
	assert_int_equal(gmem__wire_write(&f->r, f->again, f->len + 8), f->len);
	assert_memory_equal(f->again, f->buf, f->len);
	for (int i = 0; i < 8; i++)
		assert_int_equal(f->again[f->len + (size_t)i], 0xa5);
}

static void a_fixed_record_is_one_run(void **state)
{
	struct fixture *f = *state;
	enum gmem__state s;
	uint64_t len;

	release(f);
	gmem__record_fix(&f->r, 1ULL << 40, 4096, GMEM__SHARED);
	export(f);
	assert_int_equal(f->len, HEADER + 8);
	assert_int_equal(check(f), 0);
	gmem__wire_run(f->buf, 0, &len, &s);
	assert_int_equal(len, 1ULL << 40);
	assert_int_equal(s, GMEM__SHARED);
}

static void the_largest_file_is_one_run(void **state)
{
	struct fixture *f = *state;
	uint64_t size = INT64_MAX & ~4095ULL, len;
	enum gmem__state s;

	release(f);
	gmem__record_fix(&f->r, size, 4096, GMEM__PRIVATE);
	export(f);
	assert_int_equal(check(f), 0);
	gmem__wire_run(f->buf, 0, &len, &s);
	assert_int_equal(len, size);
}

static void every_truncation_is_refused(void **state)
{
	struct fixture *f = *state;
	unsigned char *cut;
	size_t whole;

	sample(f);
	whole = f->len;
	cut = f->buf;
	for (f->len = 0; f->len < whole; f->len++) {
		/* Of its own size, so that a sanitizer sees what is read. */
		f->buf = malloc(f->len ? f->len : 1);
		assert_non_null(f->buf);
		memcpy(f->buf, cut, f->len);
		t_code(check(f), -EINVAL);
		free(f->buf);
	}
	f->buf = cut;
}

static void trailing_bytes_are_refused(void **state)
{
	struct fixture *f = *state;

	sample(f);
	f->buf = realloc(f->buf, f->len + 16);
	assert_non_null(f->buf);
	memset(f->buf + f->len, 0, 16);
	for (size_t n = 1; n <= 16; n++) {
		f->len++;
		t_code(check(f), -EINVAL);
	}
}

static void a_corrupt_byte_is_refused_or_means_another_record(void **state)
{
	struct fixture *f = *state;
	unsigned int accepted = 0;
	unsigned char good;

	sample(f);
	for (size_t i = 0; i < f->len; i++) {
		good = f->buf[i];
		for (unsigned int flip = 1; flip < 256; flip++) {
			f->buf[i] = (unsigned char)(good ^ flip);
			if (check(f))
				continue;
			accepted++;
			assert_true(i >= HEADER);
			assert_true(round_trips(f));
		}
		f->buf[i] = good;
	}
	/* First, second, last run: the one state that no neighbour has. */
	assert_int_equal(accepted, 3);
}

static void a_header_that_is_not_ours_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
	} bad[] = {
		{ 0, 0 },	       /* magic */
		{ 8, 0 },	       /* version 0 */
		{ 8, 2 },	       /* version 2 */
		{ 8, 1 | 1ULL << 32 }, /* the reserved field */
		{ 16, 0 },	       /* page size */
		{ 16, 2048 },
		{ 16, 12288 },
		{ 16, 8192 }, /* does not fit the runs */
		{ 16, 4 * MIB },
		{ 16, 1ULL << 63 },
		{ 24, 0 }, /* file size */
		{ 24, 4 * MIB + 1 },
		{ 24, 4 * MIB + 4096 },
		{ 24, 4 * MIB - 4096 },
		{ 24, 1ULL << 63 },
		{ 24, UINT64_MAX },
		{ 32, 0 }, /* runs */
		{ 32, 3 },
		{ 32, 5 },
		{ 32, 4 + (1ULL << 61) }, /* times 8 it wraps to 4 */
		{ 32, UINT64_MAX },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		sample(f);
		assert_int_equal(check(f), 0);
		put64(f->buf + bad[i].at, bad[i].value);
		t_code(check(f), -EINVAL);
	}
}

static void a_run_of_no_pages_is_refused(void **state)
{
	struct fixture *f = *state;

	t_code(check_runs(f, 4, run(2, 1), run(2, 2)), 0);
	t_code(check_runs(f, 4, run(4, 1), run(0, 2)), -EINVAL);
	t_code(check_runs(f, 4, run(0, 1), run(4, 2)), -EINVAL);
	t_code(check_runs(f, 4, run(2, 1), run(0, 2), run(2, 1)), -EINVAL);
}

static void neighbours_of_one_state_are_refused(void **state)
{
	struct fixture *f = *state;

	t_code(check_runs(f, 4, run(2, 1), run(2, 1)), -EINVAL);
	t_code(check_runs(f, 4, run(2, 0), run(2, 0)), -EINVAL);
	t_code(check_runs(f, 6, run(2, 1), run(2, 2), run(2, 2)), -EINVAL);
}

static void an_unknown_state_is_refused(void **state)
{
	struct fixture *f = *state;

	t_code(check_runs(f, 4, run(4, 2)), 0);
	t_code(check_runs(f, 4, run(4, 3)), -EINVAL);
	t_code(check_runs(f, 4, run(2, 1), run(2, 3)), -EINVAL);
}

static void runs_that_do_not_add_up_to_the_file_are_refused(void **state)
{
	struct fixture *f = *state;

	t_code(check_runs(f, 4, run(3, 1)), -EINVAL);
	t_code(check_runs(f, 4, run(5, 1)), -EINVAL);
	t_code(check_runs(f, 4, run(2, 1), run(3, 2)), -EINVAL);
	/* Pages of which the sum wraps, and the sum in bytes. */
	t_code(check_runs(f, 4, run(1ULL << 61, 1), run(1ULL << 61, 2)),
	       -EINVAL);
	t_code(check_runs(f, 4, run((1ULL << 62) - 1, 1), run(5, 2)), -EINVAL);
	t_code(check_runs(f, 4, run((1ULL << 52) + 4, 1)), -EINVAL);
	t_code(check_runs(f, 4, run((1ULL << 62) - 1, 1),
			  run((1ULL << 62) - 1, 2), run((1ULL << 62) - 1, 1),
			  run((1ULL << 62) - 1, 2), run(8, 1)),
	       -EINVAL);
}

static void random_records_round_trip(void **state)
{
	static const uint64_t page_sizes[] = { 4096, 16384, 65536, 2 * MIB };
	struct fixture *f = *state;
	uint64_t page, pages, start, end, seed = 1;

	for (unsigned int i = 0; i < 200; i++) {
		page = page_sizes[i % T_ARRAY_SIZE(page_sizes)];
		pages = 1 + (i * 37 + 5) % 2000;
		fresh(f, pages * page, page);
		for (unsigned int n = 0; n < i; n++) {
			seed = seed * 6364136223846793005ULL + 1;
			start = (seed >> 20) % pages;
			end = start + 1 + (seed >> 40) % (pages - start);
			gmem__record_set(&f->r, start * page,
					 (end - start) * page,
					 (enum gmem__state)((seed >> 60) % 3));
		}
		export(f);
		assert_true(round_trips(f));
	}
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest record_wire[] = {
		test(the_layout_is_the_documented_one),
		test(the_check_tells_size_page_size_and_runs),
		test(the_runs_are_those_of_the_record),
		test(a_buffer_that_is_too_small_is_refused),
		test(no_more_than_needed_is_written),
		test(a_fixed_record_is_one_run),
		test(the_largest_file_is_one_run),
		test(every_truncation_is_refused),
		test(trailing_bytes_are_refused),
		test(a_corrupt_byte_is_refused_or_means_another_record),
		test(a_header_that_is_not_ours_is_refused),
		test(a_run_of_no_pages_is_refused),
		test(neighbours_of_one_state_are_refused),
		test(an_unknown_state_is_refused),
		test(runs_that_do_not_add_up_to_the_file_are_refused),
		test(random_records_round_trip),
	};

	return t_main(record_wire);
}
