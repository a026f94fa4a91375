// SPDX-License-Identifier: MIT
/*
 * Threads that convert, serve, discard, reclaim and reset overlapping ranges
 * of a region, while its slots come and go and others read: each call ends as
 * one of the ways it may, and in the end the record is the kernel's.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "unit.h"

#include <gmem_region.h>

#include "vm.h"

#define ENOUGH 200 /* successes of each thread */
#define PIECE (64 * KiB)
#define PIECES 8
#define GPA (2 * GiB)

struct worker {
	struct unit *m;
	struct gmem_region *r;
	uint64_t seed;
	atomic_int line; /* of the first check that failed, or 0 */
	uint32_t reason; /* and why, if a call did */
	atomic_uint done;
	pthread_t thread;
};

static atomic_bool stop;

static unsigned int any(struct worker *w, unsigned int below)
{
	return (unsigned int)t_any(&w->seed, below);
}

static void ends(struct worker *w, int line, int r,
		 const struct gmem_error *err, const uint32_t *may)
{
	w->done += r >= 0;
	if (r >= 0 || w->line)
		return;
	for (; *may; may++)
		if (err->reason == *may)
			return;
	w->reason = err->reason;
	w->line = line;
}
#define ENDS(w, r, ...) \
	ends((w), __LINE__, (r), &err, (const uint32_t[]){ __VA_ARGS__, 0 })

static uint64_t attributes(struct worker *w)
{
	return any(w, 2) ? GMEM_ATTRIBUTE_PRIVATE : GMEM_ATTRIBUTE_SHARED;
}

/* Any pages, up to two pieces. */
static struct gmem_region_range some(struct worker *w)
{
	uint64_t page = w->m->page;
	unsigned int pages = (unsigned int)(PIECE / page);
	uint64_t n = 1 + any(w, 2 * pages);

	return (struct gmem_region_range){
		any(w, (unsigned int)(PIECES * pages - n + 1)) * page,
		n * page,
	};
}

static void *convert(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_region_range range[3] = { some(w), some(w),
						      some(w) };
		struct gmem_convert_opts o = { .sz = sizeof(o) };
		struct gmem_error err = { .sz = sizeof(err) };

		if (any(w, 2))
			o.flags |= GMEM_CONVERT_DEFER;
		if (any(w, 4) == 0)
			o.flags |= GMEM_CONVERT_NOWAIT;
		ENDS(w,
		     gmem_region_convert(w->r, range, 1 + any(w, 3),
					 attributes(w), &o, NULL, &err),
		     GMEM_REASON_NOT_BOUND, GMEM_REASON_RANGE_BUSY);
	}
	return NULL;
}

static void *serve(void *arg)
{
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct worker *w = arg;

	while (!stop) {
		struct gmem_region_range range = some(w);
		struct gmem_answer a = GMEM_INIT(struct gmem_answer);
		struct gmem_serve_opts o = { .sz = sizeof(o) };
		struct gmem_error err = { .sz = sizeof(err) };
		struct gmem_exit e = {
			.sz = sizeof(e),
			.kind = any(w, 2) ? GMEM_EXIT_MEMORY_FAULT
					  : GMEM_EXIT_MAP_GPA_RANGE,
			.gpa = GPA + range.offset,
			.len = range.len,
			.attributes = attributes(w),
		};

		if (any(w, 2))
			o.flags |= GMEM_SERVE_NOWAIT;
		if (any(w, 2))
			o.flags |= GMEM_SERVE_DEFER;
		ENDS(w, gmem_vm_serve(w->m->vm, &e, &g, &o, &a, &err),
		     UINT32_MAX);
		if (a.reason && a.reason != GMEM_REASON_NOT_BOUND &&
		    a.reason != GMEM_REASON_NO_PROGRESS && !w->line) {
			w->reason = a.reason;
			w->line = __LINE__;
		}
	}
	return NULL;
}

static void *discard(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_region_range a = some(w), b = some(w);
		struct gmem_error err = { .sz = sizeof(err) };

		ENDS(w, gmem_region_discard(w->r, a.offset, a.len, NULL, &err),
		     UINT32_MAX);
		ENDS(w,
		     gmem_region_reclaim(w->r, b.offset, b.len, NULL, NULL,
					 &err),
		     UINT32_MAX);
		if (any(w, 8) == 0)
			ENDS(w, gmem_region_reset(w->r, NULL, &err),
			     GMEM_REASON_NOT_BOUND);
	}
	return NULL;
}

/* Each slot has its place, since a host address is the region's. */
static struct gmem_slot slot(uint32_t n)
{
	return (struct gmem_slot){ .sz = sizeof(struct gmem_slot),
				   .slot = n,
				   .gpa = GPA + n * 2 * PIECE,
				   .offset = n * 2 * PIECE,
				   .len = 2 * PIECE };
}

static void *bind(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_error err = { .sz = sizeof(err) };
		struct gmem_slot s = slot(any(w, PIECES / 2)), to[2];
		struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);

		if (any(w, 2))
			s.flags |= GMEM_SLOT_TAKE_KEPT;
		ENDS(w, gmem_region_bind(w->r, &s, &err),
		     GMEM_REASON_SLOT_IN_USE, GMEM_REASON_GPA_OVERLAP,
		     GMEM_REASON_RANGE_BOUND);
		s = slot(any(w, PIECES / 2));
		if (any(w, 3) == 0)
			ENDS(w,
			     gmem_region_unbind(
				     w->r, s.slot, 0,
				     any(w, 2) ? GMEM_UNBIND_KEEP_ATTRIBUTES
					       : 0,
				     &err),
			     GMEM_REASON_NOT_BOUND);
		/* Split in place. */
		ENDS(w, gmem_region_get(w->r, &i, &err), UINT32_MAX);
		to[0] = slot(1);
		to[0].gmem = i.gmem;
		to[1] = to[0];
		to[0].len = PIECE;
		to[1].slot = 9;
		to[1].gpa += PIECE;
		to[1].offset += PIECE;
		to[1].len = PIECE;
		for (int n = 0; n < 2 && i.shared; n++) {
			to[n].flags = GMEM_SLOT_FD;
			to[n].userspace_addr =
				(uintptr_t)i.shared + to[n].offset;
		}
		s = slot(1);
		s.gmem = i.gmem;
		if (gmem_slots_replace(w->m->vm, &s, 1, to, 2, 0, &err) == 0) {
			(void)!gmem_region_unbind(w->r, 9, 0, 0, NULL);
			(void)!gmem_region_unbind(w->r, 1, 0, 0, NULL);
		}
	}
	return NULL;
}

static void *look(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_region_residency there = { .sz = sizeof(there) };
		struct gmem_region_stats s = { .sz = sizeof(s) };
		struct gmem_region_range a = some(w);
		struct gmem_location at = { .sz = sizeof(at) };
		struct gmem_error err = { .sz = sizeof(err) };
		struct gmem_region *r = w->r;
		uint64_t attr, run = 0;

		ENDS(w, gmem_region_stat(w->r, &s, &err), UINT32_MAX);
		ENDS(w,
		     gmem_region_resident(w->r, a.offset, a.len, &there, &err),
		     UINT32_MAX);
		ENDS(w,
		     gmem_region_attributes(w->r, a.offset, a.len, &attr, &run,
					    &err),
		     UINT32_MAX);
		if (!run || run > a.len)
			w->line = __LINE__;
		ENDS(w,
		     gmem_region_at(w->m->vm, 0, GPA + a.offset, &r, &at, &err),
		     GMEM_REASON_NOT_BOUND);
		if (r != w->r)
			w->line = __LINE__;
	}
	return NULL;
}

static void ends_right(struct unit *m, struct gmem_region *r)
{
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);
	uint64_t a;

	for (uint32_t n = 0; n < PIECES / 2; n++) {
		struct gmem_slot now = slot(n);

		(void)!gmem_region_bind(r, &now, NULL);
	}
	t_ok(gmem_region_reclaim(r, 0, PIECES * PIECE, NULL, NULL, &m->err),
	     m->err);
	t_ok(gmem_region_stat(r, &s, &m->err), m->err);
	assert_int_equal(s.queued_bytes, 0);
	assert_int_equal(s.private_bytes + s.shared_bytes, PIECES * PIECE);
	for (uint64_t n = 0; n < PIECES * PIECE; n += m->page) {
		t_ok(gmem_region_attributes(r, n, m->page, &a, NULL, &m->err),
		     m->err);
		assert_int_equal(a == GMEM_ATTRIBUTE_PRIVATE,
				 unit_private(m, m->g, GPA, n));
	}
	assert_null(m->vm->first_ticket);
	for (uint32_t n = 0; n < PIECES / 2; n++)
		t_ok(gmem_region_unbind(r, n, 0, 0, &m->err), m->err);
	t_ok(gmem_region_close(r, &m->err), m->err);
}

static void all_calls_of_a_region_at_once(void **state)
{
	static void *(*const jobs[])(void *) = {
		convert, convert, serve, serve, discard, bind, look,
	};
	struct worker w[T_ARRAY_SIZE(jobs)];
	struct gmem_region_info info = GMEM_INIT(struct gmem_region_info);
	struct unit *m = *state;
	struct gmem_region *r;

	t_ok(gmem_region_create(m->vm, PIECES * PIECE, NULL, &r, &m->err),
	     m->err);
	t_ok(gmem_region_get(r, &info, &m->err), m->err);
	m->g = info.gmem;
	stop = false;
	for (size_t i = 0; i < T_ARRAY_SIZE(jobs); i++) {
		memset(&w[i], 0, sizeof(w[i]));
		w[i].m = m;
		w[i].r = r;
		w[i].seed = i;
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, jobs[i], &w[i]), 0);
	}
	for (size_t i = 0; i < T_ARRAY_SIZE(jobs); i++)
		while (w[i].done < ENOUGH && !w[i].line)
			(void)usleep(1000);
	stop = true;
	for (size_t i = 0; i < T_ARRAY_SIZE(jobs); i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(jobs); i++)
		if (w[i].line)
			fail_msg("worker %zu: line %d, %s", i, (int)w[i].line,
				 gmem_reason_str(w[i].reason));
	ends_right(m, r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(all_calls_of_a_region_at_once, unit_sw),
		TEST(all_calls_of_a_region_at_once, unit_inplace),
	};

	return t_main(tests);
}
