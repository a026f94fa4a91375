// SPDX-License-Identifier: MIT
/*
 * Readers beside a writer, one step at a time: the record is compiled once
 * more here with its loads and stores open to the test, which looks at pages
 * after each store of a writer, and lets writers run, whole or by half, before
 * the loads of a reader.  Threads would meet too rarely where it matters.
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
#define gmem__wire_bytes stepped_wire_bytes
#define gmem__wire_most stepped_wire_most
#define gmem__wire_write stepped_wire_write
#define gmem__wire_check stepped_wire_check
#define gmem__wire_run stepped_wire_run
/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "../../lib/record.c"
#include "../../lib/record_wire.c"
/* NOLINTEND(bugprone-suspicious-include) */

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define PAGE (512ULL << 10)
#define SIZE (GIB + 5 * MIB)
#define PAGES (SIZE / PAGE)

/* The chunk that most changes hit: the last of the first block. */
#define CHUNK (GIB - 4 * MIB)
#define CHUNK_PAGES (4 * MIB / PAGE)

struct fixture {
	struct gmem__record r;
	unsigned char *mem, *half, *whole;
	size_t len;
	unsigned char state[PAGES];
	unsigned char had[PAGES]; /* a bit a state, since begin() */
	unsigned char wire[40 + 8 * PAGES];
	uint64_t seed;
};

static struct fixture *writing;	 /* look after each store */
static struct fixture *reading;	 /* write before a load */
static unsigned int load_number; /* of that load; 0 = before each */
static unsigned int loads;
static struct fixture *halving;	 /* keep what is there after a store */
static unsigned int stores_left; /* until that one */
static unsigned int looks;

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->len = stepped_bytes(SIZE, PAGE);
	f->mem = aligned_alloc(64, 3 * f->len);
	if (!f->mem) {
		free(f);
		return -1;
	}
	memset(f->mem, 0, f->len);
	f->half = f->mem + f->len;
	f->whole = f->half + f->len;
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
	halving = NULL;
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
	bool all = true;

	assert_true(had(f, page, s));
	s = stepped_run(&f->r, page * PAGE, len, &run);
	assert_true(run >= PAGE && run <= len && run % PAGE == 0);
	for (uint64_t i = page; i < page + run / PAGE; i++)
		all &= had(f, i, s);
	assert_true(all);
}

static void after_store(void)
{
	struct fixture *f = halving;

	if (f && stores_left && --stores_left == 0)
		memcpy(f->half, f->mem, f->len);
	f = writing;
	if (!f)
		return;
	writing = NULL; /* the lookups below do not store */
	look(f, CHUNK / PAGE + rnd(f, CHUNK_PAGES));
	look(f, rnd(f, PAGES));
	looks++;
	writing = f;
}

/* Of a change only the first stores. */
static void change_by_half(struct fixture *f)
{
	halving = f;
	stores_left = 1 + (unsigned int)rnd(f, 8);
	change(f);
	halving = NULL;
	memcpy(f->whole, f->mem, f->len);
	if (!stores_left)
		memcpy(f->mem, f->half, f->len);
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
	if (load_number)
		change_by_half(f);
	reading = f;
}

static void after_each_store_a_page_is_as_it_was_or_as_it_will_be(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 3000; i++) {
		begin(f);
		writing = f;
		change(f);
		writing = NULL;
		begin(f); /* and now only as it will be */
		look(f, CHUNK / PAGE + rnd(f, CHUNK_PAGES));
	}
	assert_true(looks > 3000);
}

static void a_lookup_beside_half_a_change_is_no_older(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 20000; i++) {
		load_number = 1 + (unsigned int)rnd(f, 8);
		begin(f);
		loads = 0;
		reading = f;
		look(f, CHUNK / PAGE + rnd(f, CHUNK_PAGES));
		reading = NULL;
		if (loads >= load_number)
			memcpy(f->mem, f->whole, f->len);
	}
}

static void a_lookup_with_changes_before_each_load_is_no_older(void **state)
{
	struct fixture *f = *state;

	load_number = 0;
	for (unsigned int i = 0; i < 10000; i++) {
		begin(f);
		loads = 0;
		reading = f;
		look(f, i % 4 ? CHUNK / PAGE + rnd(f, CHUNK_PAGES)
			      : rnd(f, PAGES));
		reading = NULL;
		assert_true(loads >= 2);
	}
}

/* Two runs that were seen apart may have become one before the next is. */
static void an_export_with_changes_before_each_load_is_well_formed(void **state)
{
	struct fixture *f = *state;
	struct gmem__wire_info info;
	size_t len;

	load_number = 0;
	for (unsigned int i = 0; i < 3000; i++) {
		change(f);
		reading = f;
		len = stepped_wire_write(&f->r, f->wire, sizeof(f->wire));
		reading = NULL;
		assert_int_not_equal(len, 0);
		assert_int_equal(stepped_wire_check(f->wire, len, &info), 0);
	}
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest record_order[] = {
		test(after_each_store_a_page_is_as_it_was_or_as_it_will_be),
		test(a_lookup_beside_half_a_change_is_no_older),
		test(a_lookup_with_changes_before_each_load_is_no_older),
		test(an_export_with_changes_before_each_load_is_well_formed),
	};

	return t_main(record_order);
}
