// SPDX-License-Identifier: MIT
/*
 * Four threads that convert overlapping ranges of a region, discard, reclaim
 * and look, and a call that waits for another one.
 */
#include <pthread.h>

#include "unit.h"

#include <gmem_model.h>
#include <gmem_region.h>

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define PAGES 64u
#define SIZE (PAGES * PAGE)
#define GPA (2 * GiB)
#define THREADS 4
#define ROUNDS 2000

struct worker {
	struct unit *u;
	struct gmem_region *r;
	uint64_t seed;
	uint64_t runs, failed;
	int line; /* of the first check that failed, or 0 */
	pthread_t thread;
};

#define CHECK(w, condition)                     \
	do {                                    \
		if (!(condition) && !(w)->line) \
			(w)->line = __LINE__;   \
	} while (0)

static unsigned int any(struct worker *w, unsigned int below)
{
	return (unsigned int)t_any(&w->seed, below);
}

static struct gmem_region *region(struct unit *u)
{
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GPA, .len = SIZE };
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, SIZE, NULL, &r, &u->err), u->err);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	unit_reset(u);
	return r;
}

static struct gmem_region_stats stat(struct gmem_region *r)
{
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);

	assert_int_equal(gmem_region_stat(r, &s, NULL), 0);
	return s;
}

/* ------------------------------------------------------------- at random -- */

static void convert(struct worker *w)
{
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_convert_opts o = { .sz = sizeof(o) };
	struct gmem_region_range a[3];
	bool private = any(w, 2);
	int r;

	if (!any(w, 4))
		o.flags |= GMEM_CONVERT_DEFER;
	if (!any(w, 4))
		o.flags |= GMEM_CONVERT_NOWAIT;
	for (size_t i = 0; i < T_ARRAY_SIZE(a); i++) {
		unsigned int at = any(w, PAGES);

		a[i].offset = at * PAGE;
		a[i].len = any(w, PAGES - at) * PAGE;
	}
	r = gmem_region_convert(w->r, a, 3, private ? PRIVATE : SHARED, &o,
				&out, &err);
	w->runs += out.runs;
	w->failed += r < 0;
	CHECK(w, r == 0 || (o.flags & GMEM_CONVERT_NOWAIT && r == -EAGAIN &&
			    err.reason == GMEM_REASON_RANGE_BUSY &&
			    out.done == 0));
}

static void look(struct worker *w)
{
	struct gmem_region_residency there =
		GMEM_INIT(struct gmem_region_residency);
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);
	uint64_t a, run, at = any(w, PAGES) * PAGE;

	CHECK(w,
	      gmem_region_attributes(w->r, at, SIZE - at, &a, &run, NULL) == 0);
	CHECK(w, run >= PAGE && run <= SIZE - at);
	CHECK(w, gmem_region_stat(w->r, &s, NULL) == 0);
	CHECK(w, gmem_region_resident(w->r, at, SIZE - at, &there, NULL) == 0);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int at = any(w, PAGES);

		convert(w);
		switch (any(w, 8)) {
		case 0:
			CHECK(w, gmem_region_reclaim(w->r, at * PAGE,
						     SIZE - at * PAGE, NULL,
						     NULL, NULL) == 0);
			break;
		case 1:
			CHECK(w, gmem_region_discard(w->r, at * PAGE, PAGE,
						     NULL, NULL) == 0);
			break;
		case 2:
			look(w);
			break;
		default:
			break;
		}
	}
	return NULL;
}

static void four_threads_leave_record_and_counters_right(void **state)
{
	struct gmem_region_residency there =
		GMEM_INIT(struct gmem_region_residency);
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct worker w[THREADS] = { { 0 } };
	uint64_t runs = 0, failed = 0, private = 0, a;
	struct gmem_region_info info = GMEM_INIT(struct gmem_region_info);
	struct gmem_region_stats s;

	t_ok(gmem_region_get(r, &info, &u->err), u->err);
	for (unsigned int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .u = u, .r = r, .seed = i + 1 };
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
		assert_int_equal(w[i].line, 0);
		runs += w[i].runs;
		failed += w[i].failed;
	}
	for (uint64_t i = 0; i < SIZE; i += PAGE) {
		t_ok(gmem_region_attributes(r, i, PAGE, &a, NULL, &u->err),
		     u->err);
		assert_int_equal(a == PRIVATE,
				 unit_private(u, info.gmem, GPA, i));
		private += a == PRIVATE ? PAGE : 0;
	}
	s = stat(r);
	assert_int_equal(s.private_bytes, private);
	assert_int_equal(s.shared_bytes, SIZE - private);
	assert_int_equal(s.conversions, runs);
	assert_int_equal(s.failed, failed);
	/* All began private. */
	assert_int_equal(s.to_shared - s.to_private, SIZE - private);
	t_ok(gmem_region_reclaim(r, 0, SIZE, NULL, NULL, &u->err), u->err);
	assert_int_equal(stat(r).queued_bytes, 0);
	t_ok(gmem_region_resident(r, 0, SIZE, &there, &u->err), u->err);
	assert_int_equal(there.unused_bytes, 0);
}

/* --------------------------------------------------------------- waiting -- */

/* The first conversion is held in its first call until the test says so. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool there, go;
} held;

static void hold(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)arg;
	(void)c;
	u->hook = NULL;
	(void)pthread_mutex_lock(&held.lock);
	held.there = true;
	(void)pthread_cond_broadcast(&held.cond);
	while (!held.go)
		(void)pthread_cond_wait(&held.cond, &held.lock);
	(void)pthread_mutex_unlock(&held.lock);
}

static void *first(void *arg)
{
	struct gmem_region_range a = { 0, 8 * PAGE };
	struct worker *w = arg;

	CHECK(w,
	      gmem_region_convert(w->r, &a, 1, SHARED, NULL, NULL, NULL) == 0);
	return NULL;
}

static void release(void)
{
	(void)pthread_mutex_lock(&held.lock);
	held.go = true;
	(void)pthread_cond_broadcast(&held.cond);
	(void)pthread_mutex_unlock(&held.lock);
}

static void each_is_cancelled(struct unit *u, struct gmem_region *r,
			      struct gmem_region_range *busy)
{
	const int cancel = 1;
	struct gmem_convert_opts o = { .sz = sizeof(o), .cancel = &cancel };
	struct gmem_discard_opts stops = { .sz = sizeof(stops),
					   .cancel = &cancel };
	uint64_t freed = 7;

	t_refused(gmem_region_convert(r, busy, 1, SHARED, &o, NULL, &u->err),
		  -ECANCELED, GMEM_REASON_CANCELLED, u->err);
	t_refused(gmem_region_discard(r, 0, SIZE, &stops, &u->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, u->err);
	t_refused(gmem_region_reset(r, &stops, &u->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, u->err);
	if (unit_in_place(u))
		return;
	t_refused(gmem_region_reclaim(r, 0, SIZE, &stops, &freed, &u->err),
		  -ECANCELED, GMEM_REASON_CANCELLED, u->err);
	assert_int_equal(freed, 0);
}

static void what_waits_may_say_no_or_be_cancelled(void **state)
{
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct worker w = { .u = u, .r = r };
	struct gmem_convert_opts o = { .sz = sizeof(o) };
	struct gmem_region_range busy = { 7 * PAGE, PAGE };
	struct gmem_region_range other = { 8 * PAGE, PAGE };
	const int cancel = 1;
	uint64_t a;

	held.there = held.go = false;
	u->hook = hold;
	assert_int_equal(pthread_create(&w.thread, NULL, first, &w), 0);
	(void)pthread_mutex_lock(&held.lock);
	while (!held.there)
		(void)pthread_cond_wait(&held.cond, &held.lock);
	(void)pthread_mutex_unlock(&held.lock);

	o.flags = GMEM_CONVERT_NOWAIT;
	t_refused(gmem_region_convert(r, &busy, 1, SHARED, &o, &out, &u->err),
		  -EAGAIN, GMEM_REASON_RANGE_BUSY, u->err);
	assert_int_equal(out.done, 0);
	/* Disjoint ones run in parallel. */
	t_ok(gmem_region_convert(r, &other, 1, SHARED, &o, &out, &u->err),
	     u->err);
	assert_int_equal(out.done, PAGE);
	each_is_cancelled(u, r, &busy);
	/* What is only checked takes no turn. */
	o = (struct gmem_convert_opts){ .sz = sizeof(o),
					.flags = GMEM_CONVERT_CHECK_ONLY };
	t_ok(gmem_region_convert(r, &busy, 1, SHARED, &o, &out, &u->err),
	     u->err);
	/* Nobody sees what the kernel has not said yet. */
	t_ok(gmem_region_attributes(r, 0, PAGE, &a, NULL, &u->err), u->err);
	assert_int_equal(a, PRIVATE);

	release();
	assert_int_equal(pthread_join(w.thread, NULL), 0);
	assert_int_equal(w.line, 0);
	assert_int_equal(stat(r).shared_bytes, 9 * PAGE);
	/* Set before it begins: nothing changes. */
	unit_reset(u);
	busy = (struct gmem_region_range){ 0, SIZE };
	o = (struct gmem_convert_opts){ .sz = sizeof(o), .cancel = &cancel };
	t_refused(gmem_region_convert(r, &busy, 1, PRIVATE, &o, &out, &u->err),
		  -ECANCELED, GMEM_REASON_CANCELLED, u->err);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(out.done, 0);
	assert_int_equal(stat(r).shared_bytes, 9 * PAGE);
}

/* Cancelled in the middle of a run: what it did is set back. */
static int stop;

static void second_step(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	(void)arg;
	if (!strcmp(c->name, "ioctl"))
		__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
}

static void a_run_that_is_cancelled_is_set_back(void **state)
{
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	struct unit *u = *state;
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GPA, .len = 3 * GiB };
	struct gmem_convert_opts o = { .sz = sizeof(o), .cancel = &stop };
	struct gmem_region_range all = { 0, 3 * GiB };
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, 3 * GiB, NULL, &r, &u->err), u->err);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	unit_reset(u);
	stop = 0;
	u->hook = second_step;
	t_refused(gmem_region_convert(r, &all, 1, SHARED, &o, &out, &u->err),
		  -ECANCELED, GMEM_REASON_CANCELLED, u->err);
	u->hook = NULL;
	/* One step of 1 GiB, and back. */
	assert_int_equal(unit_count(u, "ioctl", 0), 2);
	assert_int_equal(out.done, 0);
	assert_int_equal(out.changed, 0);
	assert_int_equal(out.queued, unit_in_place(u) ? 0 : GiB);
	assert_int_equal(stat(r).private_bytes, 3 * GiB);
}

#define BOTH(name) TEST(name, unit_sw), TEST(name, unit_inplace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(four_threads_leave_record_and_counters_right),
		BOTH(what_waits_may_say_no_or_be_cancelled),
		BOTH(a_run_that_is_cancelled_is_set_back),
	};

	assert_int_equal(pthread_mutex_init(&held.lock, NULL), 0);
	assert_int_equal(pthread_cond_init(&held.cond, NULL), 0);
	return t_main(tests);
}
