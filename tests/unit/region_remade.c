// SPDX-License-Identifier: MIT
/*
 * A close that fails may have unmapped what a DUAL region has beside its file:
 * the next call maps what is missing, once, or fails.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "side.h"
#include "unit.h"

#include <gmem_region.h>

#define SHARED GMEM_ATTRIBUTE_SHARED
#define KEEP GMEM_UNBIND_KEEP_ATTRIBUTES
#define GPA (2 * GiB)

static struct gmem_region *make(struct unit *u,
				const struct gmem_region_opts *o)
{
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, MiB, o, &r, &u->err), u->err);
	unit_reset(u);
	return r;
}

/* The @nth thing is not unmapped, and so nothing behind it. */
static void half_close(struct unit *u, struct gmem_region *r, unsigned int nth)
{
	unit_answer(u, "munmap", 0, nth, 1, -ENOMEM);
	t_refused(gmem_region_close(r, &u->err), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  u->err);
	unit_reset(u);
}

static void *shared(struct unit *u, struct gmem_region *r)
{
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);

	t_ok(gmem_region_get(r, &i, &u->err), u->err);
	return i.shared;
}

static uint64_t queued(struct unit *u, struct gmem_region *r)
{
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);

	t_ok(gmem_region_stat(r, &s, &u->err), u->err);
	return s.queued_bytes;
}

static void bind(struct unit *u, struct gmem_region *r)
{
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GPA, .len = MiB };

	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
}

static void defer(struct unit *u, struct gmem_region *r)
{
	struct gmem_convert_opts o = { .sz = sizeof(o),
				       .flags = GMEM_CONVERT_DEFER };
	struct gmem_region_range some = { PAGE, 3 * PAGE };

	t_ok(gmem_region_convert(r, &some, 1, SHARED, &o, NULL, &u->err),
	     u->err);
}

/* ---------------------------------------------------------------- again -- */

static int get(struct gmem_region *r, struct gmem_error *err)
{
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);

	return gmem_region_get(r, &i, err);
}

static int convert(struct gmem_region *r, struct gmem_error *err)
{
	struct gmem_region_range some = { 0, PAGE };

	return gmem_region_convert(r, &some, 1, SHARED, NULL, NULL, err);
}

static int assume(struct gmem_region *r, struct gmem_error *err)
{
	struct gmem_region_range some = { 0, PAGE };

	return gmem_region_assume(r, &some, 1, SHARED, err);
}

static int reset(struct gmem_region *r, struct gmem_error *err)
{
	return gmem_region_reset(r, NULL, err);
}

static int discard(struct gmem_region *r, struct gmem_error *err)
{
	return gmem_region_discard(r, 0, PAGE, NULL, err);
}

static int reclaim(struct gmem_region *r, struct gmem_error *err)
{
	return gmem_region_reclaim(r, 0, PAGE, NULL, NULL, err);
}

static int resident(struct gmem_region *r, struct gmem_error *err)
{
	struct gmem_region_residency c =
		GMEM_INIT(struct gmem_region_residency);

	return gmem_region_resident(r, 0, PAGE, &c, err);
}

static void no_call_works_without_what_cannot_be_mapped(void **state)
{
	static int (*const calls[])(struct gmem_region *,
				    struct gmem_error *) = {
		get, convert, assume, reset, discard, reclaim, resident,
	};
	struct unit *u = *state;
	struct gmem_region *r = make(u, NULL);

	half_close(u, r, 3);
	for (size_t i = 0; i < T_ARRAY_SIZE(calls); i++) {
		for (unsigned int nth = 1; nth <= 2; nth++) {
			unsigned int maps = unit_mappings(u);

			unit_reset(u);
			unit_answer(u, "mmap", 0, nth, 1, -ENOMEM);
			t_refused(calls[i](r, &u->err), -ENOMEM,
				  GMEM_REASON_NO_MEMORY, u->err);
			assert_int_equal(u->err.done, 0);
			assert_int_equal(unit_count(u, "mmap", 0), nth);
			assert_int_equal(unit_count(u, "fallocate", 0), 0);
			assert_int_equal(unit_mappings(u), maps);
		}
	}
	unit_reset(u);
	/* The limit of locked memory is named with how much it was. */
	unit_answer(u, "mmap", 0, 1, 1, -EAGAIN);
	t_refused(get(r, &u->err), -ENOMEM, GMEM_REASON_LOCK_LIMIT, u->err);
	assert_int_equal(u->err.value, MiB);
	unit_reset(u);
	unit_answer(u, "mmap", 0, 2, 1, -EAGAIN);
	t_refused(get(r, &u->err), -ENOMEM, GMEM_REASON_LOCK_LIMIT, u->err);
	assert_int_equal(u->err.value, (MiB / PAGE + 63) / 64 * 8);
	unit_reset(u);
	t_ok(get(r, &u->err), u->err);
}

static void only_what_is_missing_is_mapped(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, NULL);
	unsigned int maps = unit_mappings(u);

	for (unsigned int nth = 1; nth <= 3; nth++) {
		half_close(u, r, nth);
		assert_non_null(shared(u, r));
		assert_int_equal(unit_count(u, "mmap", 0), nth - 1);
		assert_int_equal(unit_mappings(u), maps);
		bind(u, r);
		defer(u, r);
		t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	}
}

static void a_close_that_failed_is_completed_by_the_next(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, NULL);

	half_close(u, r, 2);
	half_close(u, r, 1); /* the first is gone, the second still there */
	t_ok(gmem_region_close(r, &u->err), u->err);
}

/* What is mapped again has no memory to free; the caller's may have any. */
static void nothing_is_queued_twice(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, NULL);
	struct side s;

	bind(u, r);
	defer(u, r);
	t_ok(gmem_region_unbind(r, 0, 0, KEEP, &u->err), u->err);
	assert_true(queued(u, r) > 0);
	half_close(u, r, 3);
	assert_int_equal(queued(u, r), 0);
	assert_non_null(shared(u, r));
	assert_int_equal(queued(u, r), 0);
	t_ok(gmem_region_close(r, &u->err), u->err);

	side_make(&s, SIDE_ANON, MiB);
	r = make(u, &s.o);
	assert_int_equal(queued(u, r), MiB);
	half_close(u, r, 2);
	assert_ptr_equal(shared(u, r), s.mem);
	assert_int_equal(queued(u, r), MiB);
	bind(u, r);
	defer(u, r);
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
	side_end(&s);
}

/* -------------------------------------------------------------- at once -- */

static unsigned int left; /* calls of mmap() until another thread comes */
static void *inner;

static void map_within(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)arg;
	if (strcmp(c->name, "mmap") || left == 0 || --left)
		return;
	inner = shared(u, u->hook_arg);
}

static void of_two_that_map_it_one_unmaps_its_own(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, NULL);
	unsigned int maps = unit_mappings(u);
	void *outer;

	for (unsigned int nth = 1; nth <= 2; nth++) {
		half_close(u, r, 3);
		left = nth;
		u->hook_arg = r;
		u->hook = map_within;
		outer = shared(u, r);
		assert_ptr_equal(outer, inner);
		u->hook = NULL;
		assert_int_equal(unit_mappings(u), maps);
		bind(u, r);
		defer(u, r);
		assert_int_equal(queued(u, r), 3 * PAGE);
		t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	}
}

struct worker {
	struct unit *u;
	struct gmem_region *r;
	pthread_barrier_t *begin;
	void *is;
	int ret;
	pthread_t thread;
};

static void *look(void *arg)
{
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);
	struct worker *w = arg;

	(void)pthread_barrier_wait(w->begin);
	w->ret = gmem_region_get(w->r, &i, NULL);
	w->is = i.shared;
	return NULL;
}

static void threads_that_map_it_get_the_same(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, NULL);
	pthread_barrier_t begin;
	struct worker w[3];

	assert_int_equal(pthread_barrier_init(&begin, NULL, 3), 0);
	for (unsigned int round = 0; round < 20; round++) {
		half_close(u, r, 3);
		for (size_t i = 0; i < T_ARRAY_SIZE(w); i++) {
			w[i] = (struct worker){ .u = u,
						.r = r,
						.begin = &begin };
			assert_int_equal(
				pthread_create(&w[i].thread, NULL, look, &w[i]),
				0);
		}
		for (size_t i = 0; i < T_ARRAY_SIZE(w); i++) {
			assert_int_equal(pthread_join(w[i].thread, NULL), 0);
			t_code(w[i].ret, 0);
			assert_ptr_equal(w[i].is, w[0].is);
		}
	}
	(void)pthread_barrier_destroy(&begin);
}

static int at_munmap, noted;

static void hold(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)arg;
	if (strcmp(c->name, "munmap"))
		return;
	u->hook = NULL;
	unit_tell(&at_munmap, 1);
	unit_await(&noted, 1);
}

static void *note(void *arg)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 1,
			       .gpa = 4 * GiB,
			       .len = MiB,
			       .userspace_addr = 8 * GiB };
	struct worker *w = arg;

	unit_await(&at_munmap, 1);
	w->ret = gmem_slot_note(w->u->vm, &s, NULL);
	unit_tell(&noted, 1);
	return NULL;
}

/* Whether one leads to its memory has been looked up. */
static void it_is_closed_while_other_slots_come(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, NULL);
	struct worker w = { .u = u };

	unit_tell(&at_munmap, 0);
	unit_tell(&noted, 0);
	u->hook = hold;
	assert_int_equal(pthread_create(&w.thread, NULL, note, &w), 0);
	t_ok(gmem_region_close(r, &u->err), u->err);
	assert_null(u->hook);
	assert_int_equal(pthread_join(w.thread, NULL), 0);
	t_code(w.ret, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(no_call_works_without_what_cannot_be_mapped, unit_sw),
		TEST(only_what_is_missing_is_mapped, unit_sw),
		TEST(a_close_that_failed_is_completed_by_the_next, unit_sw),
		TEST(nothing_is_queued_twice, unit_sw),
		TEST(of_two_that_map_it_one_unmaps_its_own, unit_sw),
		TEST(threads_that_map_it_get_the_same, unit_sw),
		TEST(it_is_closed_while_other_slots_come, unit_sw),
	};

	return t_main(tests);
}
