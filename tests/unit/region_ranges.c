// SPDX-License-Identifier: MIT
/*
 * Ranges of a region: none changes unless all can, nothing follows one that
 * failed, no other call gets in between, and no bit of the queue is missed.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "unit.h"

#include <gmem_region.h>

#include "file.h"
#include "region.h"
#include "ticket.h"
#include "vm.h"

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define UNSET GMEM_ATTRIBUTE_UNSET
#define ATTRIBUTES(u) (unit_in_place(u) ? 0xc080aed2 : 0x4020aed2)
#define PAGES 64
#define SIZE (PAGES * PAGE)
#define HALF (SIZE / 2)
#define GPA (2 * GiB)

static struct gmem_region *make(struct unit *u, uint64_t size)
{
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, size, NULL, &r, &u->err), u->err);
	return r;
}

static void bind(struct unit *u, struct gmem_region *r, uint32_t slot,
		 uint64_t offset, uint64_t len)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = slot,
			       .gpa = GPA + offset,
			       .offset = offset,
			       .len = len };

	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	unit_reset(u);
}

static struct gmem_region *region(struct unit *u, uint64_t size)
{
	struct gmem_region *r = make(u, size);

	bind(u, r, 0, 0, size);
	return r;
}

static int convert(struct gmem_region *r, uint64_t page, uint64_t n,
		   uint64_t to, uint64_t flags, struct gmem_error *err)
{
	struct gmem_convert_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem_region_range range = { page * PAGE, n * PAGE };

	return gmem_region_convert(r, &range, 1, to, &o, NULL, err);
}

static uint64_t attributes(struct gmem_region *r, uint64_t page)
{
	uint64_t a;

	t_code(gmem_region_attributes(r, page * PAGE, PAGE, &a, NULL, NULL), 0);
	return a;
}

static struct gmem_region_stats stat(struct gmem_region *r)
{
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);

	t_code(gmem_region_stat(r, &s, NULL), 0);
	return s;
}

/* ----------------------------------------------------------------- all -- */

static void the_first_bad_range_is_refused(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, SIZE);
	struct gmem_region_range two[] = { { 1, PAGE }, { 2 * PAGE, PAGE } };

	t_refused(gmem_region_convert(r, two, 2, SHARED, NULL, NULL, &u->err),
		  -EINVAL, GMEM_REASON_UNALIGNED, u->err);
	t_refused(gmem_region_assume(r, two, 2, SHARED, &u->err), -EINVAL,
		  GMEM_REASON_UNALIGNED, u->err);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(attributes(r, 2), PRIVATE);
}

/* The first half of the region has none. */
static void what_has_no_slot_keeps_the_rest_as_it_is(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, SIZE);
	struct gmem_convert_opts only = { .sz = sizeof(only),
					  .flags = GMEM_CONVERT_CHECK_ONLY };
	struct gmem_region_range two[] = { { 0, PAGE }, { HALF, PAGE } };

	bind(u, r, 0, HALF, HALF);
	t_refused(gmem_region_convert(r, two, 2, SHARED, &only, NULL, &u->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, u->err);
	assert_int_equal(stat(r).failed, 0);
	t_refused(gmem_region_convert(r, two, 2, SHARED, NULL, NULL, &u->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, u->err);
	assert_int_equal(stat(r).failed, 1);
	t_refused(gmem_region_assume(r, two, 2, SHARED, &u->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, u->err);
	assert_int_equal(u->err.done, 0);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(attributes(r, 0), UNSET);
	assert_int_equal(attributes(r, PAGES / 2), PRIVATE);
	assert_int_equal(stat(r).queued_bytes, 0);
}

static void only_DEFER_queues(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, SIZE);

	t_ok(convert(r, 0, 4, SHARED, GMEM_CONVERT_NOWAIT, &u->err), u->err);
	assert_int_equal(stat(r).queued_bytes, 0);
	assert_int_equal(unit_count(u, "fallocate", 0), 1);
}

/* ------------------------------------------------------------- failures -- */

static void what_sets_back_does_not_replace_the_error(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, SIZE);

	bind(u, r, 0, 0, HALF);
	bind(u, r, 1, HALF, HALF);
	unit_answer(u, "ioctl", ATTRIBUTES(u), 2, 1, -ENOMEM);
	unit_answer(u, "ioctl", ATTRIBUTES(u), 3, 1, -EPERM);
	t_refused(convert(r, 0, PAGES, SHARED, 0, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES(u)), 3);
}

static void a_reset_ends_with_the_run_that_failed(void **state)
{
	struct unit *u = *state;
	const int cancel = 1;
	struct gmem_discard_opts stops = { .sz = sizeof(stops),
					   .cancel = &cancel };
	struct gmem_region *r = region(u, SIZE);

	t_ok(convert(r, 3, 1, SHARED, 0, &u->err), u->err);
	t_ok(convert(r, 9, 1, SHARED, 0, &u->err), u->err);
	unit_reset(u);
	unit_answer(u, "ioctl", ATTRIBUTES(u), 1, 1, -ENOMEM);
	t_refused(gmem_region_reset(r, NULL, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	assert_int_equal(u->n_calls, 1);
	assert_int_equal(attributes(r, 3), SHARED);
	assert_int_equal(attributes(r, 9), SHARED);
	assert_int_equal(stat(r).failed, 1);
	/* Cancelled before it began: after 0 bytes, not at one of them. */
	t_refused(gmem_region_reset(r, &stops, &u->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, u->err);
	assert_int_equal(u->err.value, 0);
	assert_int_equal(stat(r).failed, 2);
	assert_int_equal(u->n_calls, 1);
	unit_reset(u);
	t_ok(gmem_region_reset(r, NULL, &u->err), u->err);
	assert_int_equal(stat(r).private_bytes, SIZE);
	assert_int_equal(stat(r).failed, 2);
}

/* ----------------------------------------------------------- in between -- */

static struct gmem_region *busy;
static unsigned int refused, asked;

/* Another thread would convert each second page, from @first on. */
static void ask(unsigned int first)
{
	for (unsigned int i = first; i < PAGES; i += 2) {
		asked++;
		refused += convert(busy, i, 1, PRIVATE, GMEM_CONVERT_NOWAIT,
				   NULL) == -EAGAIN;
	}
}

static void ask_odd(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)c;
	(void)arg;
	u->hook = NULL;
	ask(1);
}

static void ask_all(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)c;
	(void)arg;
	u->hook = NULL;
	ask(0);
	ask(1);
}

/* As many as a change keeps apart. */
static void what_lies_between_16_ranges_is_not_busy(void **state)
{
	struct gmem_region_range many[16];
	struct unit *u = *state;

	busy = region(u, SIZE);
	for (unsigned int n = 1; n <= T_ARRAY_SIZE(many); n++) {
		for (unsigned int i = 0; i < n; i++)
			many[i] = (struct gmem_region_range){ 4 * i * PAGE,
							      PAGE };
		refused = 0;
		u->hook = ask_odd;
		t_ok(gmem_region_convert(busy, many, n, SHARED, NULL, NULL,
					 &u->err),
		     u->err);
		assert_null(u->hook);
		assert_int_equal(refused, 0);
		t_ok(gmem_region_reset(busy, NULL, &u->err), u->err);
	}
}

static void all_of_it_is_busy_while_it_is_reset(void **state)
{
	struct unit *u = *state;

	busy = region(u, SIZE);
	t_ok(convert(busy, 3, 1, SHARED, 0, &u->err), u->err);
	refused = asked = 0;
	u->hook = ask_all;
	t_ok(gmem_region_reset(busy, NULL, &u->err), u->err);
	assert_null(u->hook);
	assert_int_equal(asked, PAGES);
	assert_int_equal(refused, PAGES);
}

struct worker {
	struct gmem_region *r;
	int ret;
};

static void *assume(void *arg)
{
	struct gmem_region_range some = { 0, PAGE };
	struct worker *w = arg;

	w->ret = gmem_region_assume(w->r, &some, 1, SHARED, NULL);
	return NULL;
}

static void what_is_assumed_waits_for_its_turn(void **state)
{
	struct unit *u = *state;
	struct worker w = { .r = region(u, SIZE), .ret = 1 };
	struct gmem__range range = { w.r->g, 0, SIZE };
	struct gmem__ticket t;
	pthread_t thread;
	bool waits;

	t_code(gmem__ticket_take(u->vm, &t, &range, 1, false, NULL, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, assume, &w), 0);
	waits = unit_turns_are(u->vm, 2, NULL, 0);
	gmem__ticket_return(u->vm, &t);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(waits);
	t_code(w.ret, 0);
	assert_int_equal(attributes(w.r, 0), SHARED);
}

/* ---------------------------------------------------------------- queue -- */

/* Bits are in words of 64: at their ends none is one too many or missed. */
static void each_page_that_is_queued_is_found(void **state)
{
	static const struct {
		uint64_t page, n;
	} t[] = {
		{ 0, 1 },   { 62, 1 },	 { 63, 1 },   { 64, 1 },
		{ 64, 63 }, { 60, 67 },	 { 127, 1 },  { 128, 63 },
		{ 126, 2 }, { 4032, 1 }, { 4097, 1 }, { 4150, 9 },
	};
	struct unit *u = *state;
	struct gmem_region *r = region(u, 4224 * PAGE);
	uint64_t freed;

	for (size_t i = 0; i < 2 * T_ARRAY_SIZE(t); i++) {
		uint64_t page = t[i / 2].page, n = t[i / 2].n;

		t_ok(convert(r, page, n, SHARED, GMEM_CONVERT_DEFER, &u->err),
		     u->err);
		assert_int_equal(stat(r).queued_bytes, n * PAGE);
		/* From there on, or from the start. */
		if (i % 2)
			t_ok(gmem_region_reclaim(r, 0, 4224 * PAGE, NULL,
						 &freed, &u->err),
			     u->err);
		else
			t_ok(gmem_region_reclaim(r, page * PAGE, n * PAGE, NULL,
						 &freed, &u->err),
			     u->err);
		assert_int_equal(freed, n * PAGE);
		assert_int_equal(stat(r).queued_bytes, 0);
		t_ok(convert(r, page, n, PRIVATE, 0, &u->err), u->err);
	}
}

/* A page of bits, behind which nothing can be read. */
static void nothing_behind_the_queue_is_looked_at(void **state)
{
	struct unit *u = *state;
	const uint64_t size = 8 * u->page * PAGE;
	struct gmem_region *r = region(u, size);
	uint64_t *queued = r->queued, freed = 7;
	char *guarded = mmap(NULL, 2 * u->page, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(guarded, MAP_FAILED);
	assert_int_equal(mprotect(guarded + u->page, u->page, PROT_NONE), 0);
	r->queued = (void *)guarded;
	t_ok(gmem_region_reclaim(r, 0, size, NULL, &freed, &u->err), u->err);
	r->queued = queued;
	assert_int_equal(freed, 0);
	assert_int_equal(munmap(guarded, 2 * u->page), 0);
}

static int hear(void *arg, uint64_t done, uint64_t total)
{
	unsigned int *heard = arg;

	(void)done;
	(void)total;
	++*heard;
	return 1;
}

static void no_progress_is_told_of_a_reclaim_that_failed(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, SIZE);
	unsigned int heard = 0;
	struct gmem_discard_opts o = { .sz = sizeof(o),
				       .progress = hear,
				       .progress_arg = &heard };

	t_ok(convert(r, 0, 4, SHARED, GMEM_CONVERT_DEFER, &u->err), u->err);
	unit_answer(u, "fallocate", 0, 1, 1, -ENOMEM);
	t_refused(gmem_region_reclaim(r, 0, SIZE, &o, NULL, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	assert_int_equal(heard, 0);
	t_refused(gmem_region_reclaim(r, 0, SIZE, &o, NULL, &u->err),
		  -ECANCELED, GMEM_REASON_CANCELLED, u->err);
	assert_int_equal(heard, 1);
}

static void in_place_all_is_reclaimed_already(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, SIZE);
	uint64_t freed = 7;

	t_ok(gmem_region_reclaim(r, PAGE, HALF, NULL, &freed, &u->err), u->err);
	assert_int_equal(u->err.done, HALF);
	assert_int_equal(freed, 0);
	assert_int_equal(u->n_calls, 0);
}

/* ------------------------------------------------------------- resident -- */

static void what_is_a_lower_bound_is_marked(void **state)
{
	struct unit *u = *state;
	struct gmem_region_residency c =
		GMEM_INIT(struct gmem_region_residency);
	struct gmem_residency file = GMEM_INIT(struct gmem_residency);
	struct gmem_region *r = region(u, SIZE);

	u->lacks = "cachestat";
	t_ok(gmem_resident(r->g, 0, SIZE, &file, &u->err), u->err);
	t_ok(gmem_region_resident(r, 0, SIZE, &c, &u->err), u->err);
	assert_true(file.flags != 0);
	assert_int_equal(c.flags, file.flags);
}

static void a_run_that_cannot_be_counted_ends_it(void **state)
{
	struct unit *u = *state;
	struct gmem_region_residency c = { .sz = sizeof(c),
					   .private_bytes = 77 };
	struct gmem_region *r = region(u, SIZE);

	t_ok(convert(r, 8, 8, SHARED, 0, &u->err), u->err);
	unit_reset(u);
	unit_answer(u, "mincore", 0, 1, 1, -EPERM);
	t_refused(gmem_region_resident(r, 0, SIZE, &c, &u->err), -EPERM,
		  GMEM_REASON_ACCESS_DENIED, u->err);
	assert_int_equal(unit_count(u, "mincore", 0), 1);
	assert_int_equal(c.private_bytes, 77);
}

/* Of the part before it nothing is counted once more. */
static void the_last_part_is_counted_to_its_end(void **state)
{
	struct unit *u = *state;
	const uint64_t size = (4096 + 8) * PAGE;
	struct gmem_region_residency c =
		GMEM_INIT(struct gmem_region_residency);
	struct gmem_region *r = region(u, size);

	t_ok(convert(r, 0, size / PAGE, SHARED, 0, &u->err), u->err);
	memset(r->shared, 1, size);
	t_ok(gmem_region_resident(r, 0, size, &c, &u->err), u->err);
	assert_int_equal(c.shared_bytes, size);
	t_ok(gmem_region_resident(r, 0, size - PAGE, &c, &u->err), u->err);
	assert_int_equal(c.shared_bytes, size - PAGE);
}

#define BOTH(name) TEST(name, unit_sw), TEST(name, unit_inplace)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		BOTH(the_first_bad_range_is_refused),
		TEST(what_has_no_slot_keeps_the_rest_as_it_is, unit_sw),
		TEST(only_DEFER_queues, unit_sw),
		TEST(what_sets_back_does_not_replace_the_error, unit_sw),
		BOTH(a_reset_ends_with_the_run_that_failed),
		BOTH(what_lies_between_16_ranges_is_not_busy),
		BOTH(all_of_it_is_busy_while_it_is_reset),
		BOTH(what_is_assumed_waits_for_its_turn),
		TEST(each_page_that_is_queued_is_found, unit_sw),
		TEST(nothing_behind_the_queue_is_looked_at, unit_sw),
		TEST(no_progress_is_told_of_a_reclaim_that_failed, unit_sw),
		TEST(in_place_all_is_reclaimed_already, unit_inplace),
		TEST(what_is_a_lower_bound_is_marked, unit_inplace),
		TEST(a_run_that_cannot_be_counted_ends_it, unit_sw),
		TEST(the_last_part_is_counted_to_its_end, unit_sw),
	};

	return t_main(tests);
}
