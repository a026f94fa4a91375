// SPDX-License-Identifier: MIT
/*
 * Readers beside a writer, one step at a time: the record is compiled once
 * more here with its loads and stores open to the test, which looks at pages
 * after each store of a writer, and lets a writer run before each load of a
 * reader.  Threads would meet in the few windows that matter too rarely.
 */
#include <stdbool.h>

#include "t.h"

static void before_load(void);
static void after_store(void);

#define __atomic_load_n(p, order) (before_load(), *(p))
#define __atomic_store_n(p, value, order) (*(p) = (value), after_store())
#define gmem__record_bytes stepped_bytes
#define gmem__record_init stepped_init
#define gmem__record_fix stepped_fix
#define gmem__record_set stepped_set
#define gmem__record_get stepped_get
#define gmem__record_run stepped_run
#include "../../lib/record.c"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define PAGE (64ULL << 10)
#define SIZE (GIB + 5 * MIB)
#define PAGES (SIZE / PAGE)

/* The chunk that most changes hit: the last of the first block. */
#define CHUNK (GIB - 2 * MIB)
#define CHUNK_PAGES (2 * MIB / PAGE)

struct fixture {
	struct gmem__record r;
	void *mem;
	unsigned char state[PAGES];
	unsigned char had[PAGES]; /* a bit a state, since seen() began */
	uint64_t seed;
};

static struct fixture *writing;	 /* look after each store */
static struct fixture *reading;	 /* write before each load */
static unsigned int load_number; /* of the load to write before; 0 = each */
static unsigned int loads;
static unsigned int looks;

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t len = stepped_bytes(SIZE, PAGE);

	if (!f)
		return -1;
	f->mem = aligned_alloc(64, len);
	if (!f->mem) {
		free(f);
		return -1;
	}
	memset(f->mem, 0, len);
	stepped_init(&f->r, f->mem, SIZE, PAGE);
	f->seed = 1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	writing = NULL;
	reading = NULL;
	free(f->mem);
	free(f);
	return 0;
}

static uint64_t rnd(struct fixture *f, uint64_t below)
{
	f->seed = f->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (f->seed >> 20) % below;
}

/* Forgets what pages were, except for just now. */
static void begin(struct fixture *f)
{
	for (size_t i = 0; i < PAGES; i++)
		f->had[i] = (unsigned char)(1U << f->state[i]);
}

/* A range of a few pages of the chunk, or one that holds all of it. */
static void change(struct fixture *f)
{
	static const struct {
		uint64_t start, end;
	} larger[] = {
		{ CHUNK, GIB },	 { 0, GIB },
		{ 0, SIZE },	 { CHUNK - 4 * MIB, GIB },
		{ CHUNK, SIZE }, { 0, CHUNK },
		{ GIB, SIZE },
	};
	uint64_t i = rnd(f, 3 * T_ARRAY_SIZE(larger)), start, end;
	enum gmem__state s = (enum gmem__state)rnd(f, 3);

	if (i < T_ARRAY_SIZE(larger)) {
		start = larger[i].start / PAGE;
		end = larger[i].end / PAGE;
	} else {
		start = CHUNK / PAGE + rnd(f, CHUNK_PAGES);
		end = start + 1 + rnd(f, 4);
	}
	/* Said first: looked at while it changes, a page is either. */
	for (i = start; i < end; i++) {
		f->state[i] = (unsigned char)s;
		f->had[i] |= (unsigned char)(1U << s);
	}
	stepped_set(&f->r, start * PAGE, (end - start) * PAGE, s);
}

static bool had(const struct fixture *f, uint64_t page, enum gmem__state s)
{
	return f->had[page] >> s & 1;
}

/* A lookup at @page and a run from there, beside which others may write. */
static void look(struct fixture *f, uint64_t page)
{
	uint64_t len = SIZE - page * PAGE, run = 0;
	enum gmem__state s = stepped_get(&f->r, page * PAGE);

	assert_true(had(f, page, s));
	s = stepped_run(&f->r, page * PAGE, len, &run);
	assert_true(run >= PAGE && run <= len && run % PAGE == 0);
	for (uint64_t i = page; i < page + run / PAGE; i++)
		assert_true(had(f, i, s));
}

static void after_store(void)
{
	struct fixture *f = writing;

	if (!f)
		return;
	writing = NULL; /* the lookups below do not store */
	look(f, CHUNK / PAGE + rnd(f, CHUNK_PAGES));
	look(f, rnd(f, PAGES));
	looks++;
	writing = f;
}

static void before_load(void)
{
	struct fixture *f = reading;

	if (!f)
		return;
	loads++;
	if (load_number && loads != load_number)
		return;
	reading = NULL; /* a writer loads, too */
	for (uint64_t n = rnd(f, 3); n; n--)
		change(f);
	reading = f;
}

static void after_each_store_a_page_is_as_it_was_or_as_it_will_be(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 20000; i++) {
		begin(f);
		writing = f;
		change(f);
		writing = NULL;
		begin(f); /* and now only as it will be */
		look(f, CHUNK / PAGE + rnd(f, CHUNK_PAGES));
	}
	assert_true(looks > 20000);
}

static void written_before_one_load_a_lookup_is_no_older(void **state)
{
	struct fixture *f = *state;
	uint64_t page;

	for (unsigned int i = 0; i < 10000; i++) {
		page = CHUNK / PAGE + rnd(f, CHUNK_PAGES);
		load_number = 1;
		do {
			begin(f);
			loads = 0;
			reading = f;
			look(f, page);
			reading = NULL;
		} while (loads >= load_number++ && load_number < 12);
	}
}

static void written_before_each_load_a_lookup_is_no_older(void **state)
{
	struct fixture *f = *state;

	load_number = 0;
	for (unsigned int i = 0; i < 30000; i++) {
		begin(f);
		loads = 0;
		reading = f;
		look(f, i % 4 ? CHUNK / PAGE + rnd(f, CHUNK_PAGES)
			      : rnd(f, PAGES));
		reading = NULL;
		assert_true(loads >= 2);
	}
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest record_order[] = {
		test(after_each_store_a_page_is_as_it_was_or_as_it_will_be),
		test(written_before_one_load_a_lookup_is_no_older),
		test(written_before_each_load_a_lookup_is_no_older),
	};

	return t_main(record_order);
}
