// SPDX-License-Identifier: MIT
/* Freeing a region's memory: what a call reports, and what stays queued. */
#include <gmem_region.h>

#include "unit.h"

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define PAGES 64u

static struct gmem_region *make(struct unit *u, uint64_t size)
{
	struct gmem_region_opts o = { .sz = sizeof(o) };
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GiB, .len = size };
	struct gmem_region *r = NULL;

	u->err.sz = sizeof(u->err);
	t_ok(gmem_region_create(u->vm, size, &o, &r, &u->err), u->err);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	return r;
}

static void end(struct unit *u, struct gmem_region *r)
{
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
}

static void convert(struct unit *u, struct gmem_region *r, uint64_t offset,
		    uint64_t len, uint64_t to)
{
	struct gmem_convert_opts o = { .sz = sizeof(o),
				       .flags = GMEM_CONVERT_DEFER };
	struct gmem_region_range range = { offset, len };

	t_ok(gmem_region_convert(r, &range, 1, to, &o, NULL, &u->err), u->err);
}

static uint64_t queued(struct unit *u, struct gmem_region *r)
{
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);

	t_ok(gmem_region_stat(r, &s, &u->err), u->err);
	return s.queued_bytes;
}

/* How far each call got, and how far it could get. */
struct progress {
	uint64_t done[8], total;
	unsigned int n, stop; /* the call that stops it; 0 = none */
};

static int progress(void *arg, uint64_t done, uint64_t total)
{
	struct progress *p = arg;

	assert_true(p->n < T_ARRAY_SIZE(p->done));
	assert_true(p->n == 0 || p->total == total);
	p->total = total;
	p->done[p->n++] = done;
	return p->n == p->stop;
}

static void what_is_discarded_is_queued_no_more(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, PAGES * PAGE);

	convert(u, r, 0, PAGES * PAGE, SHARED);
	assert_int_equal(queued(u, r), PAGES * PAGE);
	t_ok(gmem_region_discard(r, 16 * PAGE, 16 * PAGE, NULL, &u->err),
	     u->err);
	assert_int_equal(u->err.done, 16 * PAGE);
	assert_int_equal(queued(u, r), (PAGES - 16) * PAGE);
	t_ok(gmem_region_reset(r, NULL, &u->err), u->err);
	assert_int_equal(u->err.done, PAGES * PAGE);
	assert_int_equal(queued(u, r), 0);
	end(u, r);
}

/* In steps of 1 GiB, each of which may be the last. */
static void a_reclaim_tells_how_far_it_got(void **state)
{
	const uint64_t size = 5 * GiB / 2, from = GiB / 4;
	struct unit *u = *state;
	struct gmem_region *r = make(u, size);
	struct progress p = { .n = 0 };
	struct gmem_discard_opts o = { .sz = sizeof(o),
				       .progress = progress,
				       .progress_arg = &p };
	int cancel = 0;
	uint64_t freed;

	convert(u, r, 0, size, SHARED);
	t_ok(gmem_region_reclaim(r, from, size - from, &o, &freed, &u->err),
	     u->err);
	assert_int_equal(u->err.done, size - from);
	assert_int_equal(freed, size - from);
	assert_int_equal(queued(u, r), from);
	assert_int_equal(p.n, 3);
	assert_int_equal(p.done[0], GiB);
	assert_int_equal(p.done[1], 2 * GiB);
	assert_int_equal(p.done[2], size - from);
	assert_int_equal(p.total, size - from);
	/* the callback stops it, after what it got */
	convert(u, r, 0, size, PRIVATE);
	p = (struct progress){ .stop = 2 };
	t_refused(gmem_region_reclaim(r, 0, size, &o, &freed, &u->err),
		  -ECANCELED, GMEM_REASON_CANCELLED, u->err);
	assert_int_equal(u->err.done, 2 * GiB);
	assert_int_equal(freed, 2 * GiB);
	assert_int_equal(queued(u, r), size - 2 * GiB);
	/* and what is asked to stop before it begins frees nothing */
	cancel = 1;
	o.cancel = &cancel;
	t_refused(gmem_region_reclaim(r, 0, size, &o, &freed, &u->err),
		  -ECANCELED, GMEM_REASON_CANCELLED, u->err);
	assert_int_equal(u->err.done, 0);
	assert_int_equal(freed, 0);
	assert_int_equal(queued(u, r), size - 2 * GiB);
	end(u, r);
}

/* Of four runs the third cannot be freed: the first two are. */
static void a_reclaim_that_fails_keeps_the_rest_queued(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, PAGES * PAGE);
	uint64_t freed;

	for (unsigned int way = 0; way < 2; way++) {
		bool private = way == 0;

		convert(u, r, 0, PAGES * PAGE, private ? SHARED : PRIVATE);
		t_ok(gmem_region_reclaim(r, 0, PAGES * PAGE, NULL, NULL,
					 &u->err),
		     u->err);
		/* every other 8 pages */
		for (uint64_t i = 0; i < PAGES; i += 16)
			convert(u, r, i * PAGE, 8 * PAGE,
				private ? PRIVATE : SHARED);
		assert_int_equal(queued(u, r), 32 * PAGE);
		unit_reset(u);
		unit_answer(u, private ? "madvise" : "fallocate", 0, 3, 1,
			    -EPERM);
		t_refused(gmem_region_reclaim(r, 0, PAGES * PAGE, NULL, &freed,
					      &u->err),
			  -EPERM, GMEM_REASON_ACCESS_DENIED, u->err);
		assert_non_null(
			strstr(u->err.msg, private ? "madvise(MADV_DONTNEED)"
						   : "fallocate(PUNCH_HOLE)"));
		assert_int_equal(u->err.done, 32 * PAGE);
		assert_int_equal(freed, 16 * PAGE);
		assert_int_equal(queued(u, r), 16 * PAGE);
		/* interrupted, it continues */
		unit_reset(u);
		unit_answer(u, private ? "madvise" : "fallocate", 0, 1, 3,
			    -EINTR);
		t_ok(gmem_region_reclaim(r, 0, PAGES * PAGE, NULL, &freed,
					 &u->err),
		     u->err);
		assert_int_equal(freed, 16 * PAGE);
		assert_int_equal(queued(u, r), 0);
	}
	end(u, r);
}

/* It is tried once, and whoever reclaims tries again. */
static void what_a_conversion_cannot_free_is_queued(void **state)
{
	struct unit *u = *state;
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	struct gmem_region_range range = { 0, 16 * PAGE };
	struct gmem_region *r = make(u, PAGES * PAGE);

	unit_reset(u);
	unit_answer(u, "fallocate", 0, 1, 1, -EPERM);
	t_ok(gmem_region_convert(r, &range, 1, SHARED, NULL, &out, &u->err),
	     u->err);
	assert_int_equal(out.queued, 16 * PAGE);
	t_ok(gmem_region_stat(r, &s, &u->err), u->err);
	assert_int_equal(s.queued_bytes, 16 * PAGE);
	assert_int_equal(s.discard_failed, 1);
	range = (struct gmem_region_range){ 0, 8 * PAGE };
	t_ok(gmem_region_convert(r, &range, 1, PRIVATE, NULL, &out, &u->err),
	     u->err);
	assert_int_equal(out.queued, 0);
	assert_int_equal(queued(u, r), 8 * PAGE);
	end(u, r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_discarded_is_queued_no_more, unit_sw),
		TEST(a_reclaim_tells_how_far_it_got, unit_sw),
		TEST(a_reclaim_that_fails_keeps_the_rest_queued, unit_sw),
		TEST(what_a_conversion_cannot_free_is_queued, unit_sw),
	};

	return t_main(tests);
}
