// SPDX-License-Identifier: MIT
/* Converting by region: what it costs, what it frees, what a failure leaves. */
#include "unit.h"

#include <gmem_region.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "file.h"
#include "region.h"

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define PAGES 64
#define HALF (PAGES / 2 * PAGE)
#define GPA (2 * GiB)

static uint64_t first_seed = 1; /* or the program's argument */

/* Two slots, so that a run of both takes two ioctls by guest address. */
static struct gmem_region *region(struct unit *u)
{
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GPA, .len = HALF };
	struct gmem_region *r = NULL;

	u->err.sz = sizeof(u->err);
	t_ok(gmem_region_create(u->vm, PAGES * PAGE, NULL, &r, &u->err),
	     u->err);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	s = (struct gmem_slot){ .sz = sizeof(s),
				.slot = 1,
				.gpa = GPA + HALF,
				.offset = HALF,
				.len = HALF };
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	unit_reset(u);
	return r;
}

static unsigned int ioctls(const struct unit *u)
{
	return unit_count(u, "ioctl",
			  unit_in_place(u) ? 0xc080aed2 : 0x4020aed2);
}

static struct gmem *file(struct gmem_region *r)
{
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);

	assert_int_equal(gmem_region_get(r, &i, NULL), 0);
	return i.gmem;
}

static struct gmem_region_stats stat(struct gmem_region *r)
{
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);

	assert_int_equal(gmem_region_stat(r, &s, NULL), 0);
	return s;
}

/* A bit a page: what the kernel has, which is what the record says. */
static uint64_t privates(struct unit *u, struct gmem_region *r)
{
	uint64_t bits = 0, a, count;

	for (unsigned int i = 0; i < PAGES; i++) {
		assert_int_equal(gmem_region_attributes(r, i * PAGE, PAGE, &a,
							NULL, NULL),
				 0);
		assert_int_equal(a == PRIVATE,
				 unit_private(u, file(r), GPA, i * PAGE));
		bits |= (uint64_t)(a == PRIVATE) << i;
	}
	count = (unsigned int)__builtin_popcountll(bits) * PAGE;
	assert_int_equal(stat(r).private_bytes, count);
	assert_int_equal(stat(r).shared_bytes, PAGES * PAGE - count);
	return bits;
}

static int convert(struct unit *u, struct gmem_region *r, uint64_t page,
		   uint64_t n, uint64_t to, uint64_t flags,
		   struct gmem_converted *out)
{
	struct gmem_convert_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem_region_range range = { page * PAGE, n * PAGE };

	return gmem_region_convert(r, &range, 1, to, &o, out, &u->err);
}

/* ---------------------------------------------------------------- cost -- */

static void each_run_costs_one_ioctl_and_one_free(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	struct gmem_region_range many[] = {
		{ 8 * PAGE, PAGE }, { 0, 0 },		{ PAGE, PAGE },
		{ 0, 2 * PAGE },    { 9 * PAGE, PAGE }, { 8 * PAGE, PAGE },
	};
	bool dual = !unit_in_place(u);

	t_ok(gmem_region_convert(r, many, 6, SHARED, NULL, &out, &u->err),
	     u->err);
	assert_int_equal(out.done, 4 * PAGE);
	assert_int_equal(out.runs, 2);
	assert_int_equal(ioctls(u), 2);
	assert_int_equal(unit_count(u, "fallocate", 0), dual ? 2 : 0);
	assert_int_equal(u->n_calls, dual ? 4 : 2);
	assert_int_equal(u->n_allocs, 0);
	assert_int_equal(many[0].offset, 0);
	assert_int_equal(many[0].len, 2 * PAGE);
	assert_int_equal(many[1].offset, 8 * PAGE);
	assert_int_equal(many[2].len + many[3].len + many[5].len, 0);
	assert_int_equal(~privates(u, r), 0x303);
	/* What has the state already costs nothing. */
	unit_reset(u);
	t_ok(gmem_region_convert(r, many, 6, SHARED, NULL, &out, &u->err),
	     u->err);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(out.done, 4 * PAGE);
	assert_int_equal(out.runs, 0);
	t_ok(convert(u, r, 0, PAGES / 2, PRIVATE, 0, &out), u->err);
	assert_int_equal(ioctls(u), 2);
	assert_int_equal(unit_count(u, "madvise", 0), dual ? 2 : 0);
	assert_int_equal(privates(u, r), UINT64_MAX);
	assert_int_equal(stat(r).conversions, 4);
	assert_int_equal(stat(r).to_shared, 4 * PAGE);
	assert_int_equal(stat(r).to_private, 4 * PAGE);
	/* More ranges than a ticket has. */
	for (uint64_t i = 0; i < PAGES; i += 2) {
		struct gmem_region_range few[PAGES / 2];

		for (uint64_t k = 0; k < PAGES / 2; k++)
			few[k] = (struct gmem_region_range){
				(PAGES - 2 - 2 * k) * PAGE, PAGE
			};
		t_ok(gmem_region_convert(r, few, PAGES / 2, SHARED, NULL, NULL,
					 &u->err),
		     u->err);
		assert_int_equal(privates(u, r), 0xaaaaaaaaaaaaaaaa);
	}
}

static void a_bad_range_is_refused_before_any_changes(void **state)
{
	const struct {
		uint64_t offset, len;
		uint32_t reason;
	} rows[] = {
		{ 1, PAGE, GMEM_REASON_UNALIGNED },
		{ 0, PAGE + 1, GMEM_REASON_UNALIGNED },
		{ PAGES * PAGE, PAGE, GMEM_REASON_OUTSIDE_FILE },
		{ PAGE, PAGES * PAGE, GMEM_REASON_OUTSIDE_FILE },
		{ UINT64_MAX - (PAGE - 1), 2 * PAGE,
		  GMEM_REASON_OFFSET_OVERFLOW },
	};
	struct unit *u = *state;
	struct gmem_region *r = region(u);

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_region_range two[] = {
			{ 0, PAGE }, { rows[i].offset, rows[i].len }
		};

		t_refused(gmem_region_convert(r, two, 2, SHARED, NULL, NULL,
					      &u->err),
			  -EINVAL, rows[i].reason, u->err);
	}
	t_refused(gmem_region_convert(r, NULL, 1, SHARED, NULL, NULL, &u->err),
		  -EINVAL, GMEM_REASON_NULL_ARGUMENT, u->err);
	t_refused(convert(u, r, 0, 1, 7, 0, NULL), -EINVAL,
		  GMEM_REASON_ATTRIBUTE_UNKNOWN, u->err);
	t_ok(gmem_region_convert(r, NULL, 0, SHARED, NULL, NULL, &u->err),
	     u->err);
	t_ok(convert(u, r, 0, PAGES, SHARED, GMEM_CONVERT_CHECK_ONLY, NULL),
	     u->err);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(privates(u, r), UINT64_MAX);
	/* Where the kernel has no slot for attributes that are the VM's. */
	if (unit_in_place(u))
		return;
	t_ok(gmem_region_unbind(r, 1, 0, 0, &u->err), u->err);
	unit_reset(u);
	t_refused(convert(u, r, 0, PAGES, SHARED, 0, NULL), -EINVAL,
		  GMEM_REASON_NOT_BOUND, u->err);
	assert_int_equal(u->n_calls, 0);
}

/* ------------------------------------------------------------- failures -- */

static void a_run_is_converted_whole_or_not_at_all(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	struct gmem_region_range two[] = { { 0, 2 * PAGE },
					   { HALF - PAGE, 2 * PAGE } };

	/* The second ioctl of the second run, which is in two slots. */
	unit_answer(u, "ioctl", 0x4020aed2, 3, 1, -ENOMEM);
	t_refused(gmem_region_convert(r, two, 2, SHARED, NULL, &out, &u->err),
		  -ENOMEM, GMEM_REASON_NO_MEMORY, u->err);
	assert_int_equal(out.done, 2 * PAGE);
	assert_int_equal(out.changed, 0);
	assert_int_equal(u->err.done, 2 * PAGE);
	assert_int_equal(~privates(u, r), 0x3);
	assert_int_equal(unit_count(u, "fallocate", 0), 1);
	/* Setting back fails too: the record has what the kernel has. */
	unit_reset(u);
	unit_answer(u, "ioctl", 0x4020aed2, 2, 2, -ENOMEM);
	t_refused(convert(u, r, PAGES / 2 - 1, 2, SHARED, 0, &out), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	unit_reset(u);
	assert_int_equal(out.done, 0);
	assert_int_equal(out.changed, PAGE);
	assert_int_equal(~privates(u, r), 0x3 | 1ULL << (PAGES / 2 - 1));
	assert_int_equal(stat(r).failed, 2);
}

static void what_cannot_be_freed_is_queued(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	uint64_t freed;

	unit_answer(u, "fallocate", 0, 1, 1, -ENOMEM);
	t_ok(convert(u, r, 4, 4, SHARED, 0, &out), u->err);
	assert_int_equal(out.queued, 4 * PAGE);
	assert_int_equal(stat(r).queued_bytes, 4 * PAGE);
	assert_int_equal(stat(r).discard_failed, 1);
	/* Nothing of it: the caller asks for that. */
	t_ok(convert(u, r, 16, 48, SHARED, GMEM_CONVERT_DEFER, &out), u->err);
	assert_int_equal(out.queued, 48 * PAGE);
	assert_int_equal(unit_count(u, "fallocate", 0), 1);
	/* Back again: then it is the other side that has to be freed. */
	t_ok(convert(u, r, 6, 4, PRIVATE, GMEM_CONVERT_DEFER, &out), u->err);
	assert_int_equal(out.queued, 2 * PAGE);
	assert_int_equal(stat(r).queued_bytes, 52 * PAGE);
	unit_reset(u);
	unit_answer(u, "fallocate", 0, 2, 1, -ENOMEM);
	t_refused(
		gmem_region_reclaim(r, 0, PAGES * PAGE, NULL, &freed, &u->err),
		-ENOMEM, GMEM_REASON_NO_MEMORY, u->err);
	assert_int_equal(freed, 4 * PAGE);
	assert_int_equal(stat(r).queued_bytes, 48 * PAGE);
	t_ok(gmem_region_reclaim(r, 0, PAGES * PAGE, NULL, &freed, &u->err),
	     u->err);
	assert_int_equal(freed, 48 * PAGE);
	assert_int_equal(stat(r).queued_bytes, 0);
	assert_int_equal(unit_count(u, "madvise", 0), 1);
	assert_int_equal(unit_nth(u, "madvise", 0, 0)->arg[1], 2 * PAGE);
	unit_reset(u);
	t_ok(gmem_region_reclaim(r, 0, PAGES * PAGE, NULL, &freed, &u->err),
	     u->err);
	assert_int_equal(u->n_calls, 0);
}

/* ---------------------------------------------------------------- life -- */

/* By guest address, as by offset; and in steps. */
static void both_sides_are_freed_at_once(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_region_residency there = { .sz = sizeof(there) };
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);
	struct gmem_discard_opts o = { .sz = sizeof(o) };
	static int never;
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	int fd = gmem_fd(file(r));

	t_ok(gmem_region_get(r, &i, &u->err), u->err);
	t_ok(convert(u, r, 8, 8, SHARED, 0, &out), u->err);
	for (int by = 0; by < 4; by++) {
		unit_allocate(u, fd, 0, PAGES * PAGE, 0);
		memset(i.shared, 1, PAGES * PAGE);
		o.cancel = by & 1 ? &never : NULL;
		unit_reset(u);
		if (by & 2)
			t_ok(gmem_vm_discard(u->vm, 0, GPA + 4 * PAGE, 8 * PAGE,
					     &o, &u->err),
			     u->err);
		else
			t_ok(gmem_region_discard(r, 4 * PAGE, 8 * PAGE, &o,
						 &u->err),
			     u->err);
		assert_int_equal(u->err.done, 8 * PAGE);
		assert_int_equal(unit_count(u, "madvise", 0), 1);
		assert_int_equal(unit_count(u, "fallocate", 0), 1);
		t_ok(gmem_region_resident(r, 4 * PAGE, 8 * PAGE, &there,
					  &u->err),
		     u->err);
		assert_int_equal(there.private_bytes + there.shared_bytes +
					 there.unused_bytes,
				 0);
		t_ok(gmem_region_resident(r, 0, PAGES * PAGE, &there, &u->err),
		     u->err);
		assert_int_equal(there.private_bytes + there.shared_bytes,
				 (PAGES - 8) * PAGE);
		assert_int_equal(there.unused_bytes, (PAGES - 8) * PAGE);
	}
	assert_int_equal(~privates(u, r), 0xff00);
}

/* How much is freed is another number than how far it came. */
static void reclaim_tells_how_much_it_freed(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	uint64_t freed = 7;

	t_refused(gmem_region_reclaim(r, 0, 1, NULL, &freed, &u->err), -EINVAL,
		  GMEM_REASON_UNALIGNED, u->err);
	assert_int_equal(freed, 7);
	t_ok(convert(u, r, 2, 4, SHARED, GMEM_CONVERT_DEFER, &out), u->err);
	t_ok(convert(u, r, 16, 4, SHARED, GMEM_CONVERT_DEFER, &out), u->err);
	unit_answer(u, "fallocate", 0, 2, 1, -ENOMEM);
	t_refused(
		gmem_region_reclaim(r, 0, PAGES * PAGE, NULL, &freed, &u->err),
		-ENOMEM, GMEM_REASON_NO_MEMORY, u->err);
	assert_int_equal(freed, 4 * PAGE);
	assert_int_equal(u->err.done, 16 * PAGE);
	unit_reset(u);
	t_ok(gmem_region_reclaim(r, 0, PAGES * PAGE, NULL, &freed, &u->err),
	     u->err);
	assert_int_equal(freed, 4 * PAGE);
	assert_int_equal(u->err.done, PAGES * PAGE);
}

/*
 * All is queued, and the guest has made one page private: of the queue, whose
 * second page is out of reach here, nothing beyond that page is looked at.
 * Otherwise a guest that changes every page makes it quadratic.
 */
static void reclaim_looks_at_as_much_as_it_frees(void **state)
{
	struct unit *u = *state;
	const uint64_t size = 2 * 8 * u->page * PAGE;
	struct gmem_slot s = { .sz = sizeof(s), .len = size };
	struct gmem_region *r = NULL;
	uint64_t *queued, freed;
	void *guarded;

	t_ok(gmem_region_create(u->vm, size, NULL, &r, &u->err), u->err);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	t_ok(convert(u, r, 0, size / PAGE, SHARED, GMEM_CONVERT_DEFER, NULL),
	     u->err);
	t_ok(convert(u, r, 0, 1, PRIVATE, GMEM_CONVERT_DEFER, NULL), u->err);
	guarded = mmap(NULL, 2 * u->page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(guarded, MAP_FAILED);
	queued = r->queued;
	memcpy(guarded, queued, u->page);
	assert_int_equal(
		mprotect((char *)guarded + u->page, u->page, PROT_NONE), 0);
	r->queued = guarded;
	unit_answer(u, "madvise", 0, 1, 1, -ENOMEM);
	t_refused(gmem_region_reclaim(r, 0, size, NULL, &freed, &u->err),
		  -ENOMEM, GMEM_REASON_NO_MEMORY, u->err);
	r->queued = queued;
	assert_int_equal(munmap(guarded, 2 * u->page), 0);
	t_ok(gmem_region_reclaim(r, 0, size, NULL, &freed, &u->err), u->err);
	assert_int_equal(freed, size);
}

/* Also what lies directly behind it stays. */
static void reclaim_frees_what_it_is_given(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	uint64_t freed;

	t_ok(convert(u, r, 0, PAGES, SHARED, GMEM_CONVERT_DEFER, NULL), u->err);
	for (unsigned int n = 1; n <= 3; n++) {
		t_ok(gmem_region_reclaim(r, n * n * PAGE, n * PAGE, NULL,
					 &freed, &u->err),
		     u->err);
		assert_int_equal(freed, n * PAGE);
	}
	assert_int_equal(stat(r).queued_bytes, (PAGES - 6) * PAGE);
	assert_int_equal(unit_sum(u, "fallocate"), 6 * PAGE);
}

static struct gmem_region *busy;
static unsigned int refused;

/* Another thread would convert each of these pages, while all are changing. */
static void ask_for_each(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem_convert_opts o = { .sz = sizeof(o),
				       .flags = GMEM_CONVERT_NOWAIT };
	struct gmem_region_range range = { 0, PAGE };

	(void)c;
	(void)arg;
	u->hook = NULL;
	for (; range.offset < PAGES * PAGE; range.offset += 2 * PAGE)
		refused += gmem_region_convert(busy, &range, 1, PRIVATE, &o,
					       NULL, NULL) == -EAGAIN;
}

/* Whatever the number of ranges is, each is kept from others. */
static void all_of_many_ranges_are_busy(void **state)
{
	struct unit *u = *state;
	struct gmem_region_range many[PAGES / 2 + 1];

	busy = region(u);
	for (unsigned int n = 1; n <= PAGES / 2; n++) {
		for (unsigned int i = 0; i < n; i++)
			many[i] = (struct gmem_region_range){ i * 2 * PAGE,
							      PAGE };
		many[n] = (struct gmem_region_range){ 0 };
		refused = 0;
		u->hook = ask_for_each;
		t_ok(gmem_region_convert(busy, many, n + 1, SHARED, NULL, NULL,
					 &u->err),
		     u->err);
		assert_null(u->hook);
		assert_int_equal(refused, n);
		t_ok(gmem_region_reset(busy, NULL, &u->err), u->err);
	}
}

static void a_reset_is_a_new_machine(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_region_residency there =
		GMEM_INIT(struct gmem_region_residency);

	t_ok(convert(u, r, 3, 40, SHARED, GMEM_CONVERT_DEFER, NULL), u->err);
	t_ok(gmem_region_reset(r, NULL, &u->err), u->err);
	assert_int_equal(privates(u, r), UINT64_MAX);
	assert_int_equal(stat(r).queued_bytes, 0);
	t_ok(gmem_region_resident(r, 0, PAGES * PAGE, &there, &u->err), u->err);
	assert_int_equal(there.private_bytes + there.shared_bytes +
				 there.unused_bytes,
			 0);
	unit_answer(u, "fallocate", 0, 1, 1, -ENOMEM);
	t_refused(gmem_region_discard(r, 0, PAGE, NULL, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
}

static void what_the_kernel_has_is_only_recorded(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_region_range a[] = { { 2 * PAGE, PAGE }, { PAGE, PAGE } };
	uint64_t is, run;

	t_ok(gmem_region_assume(r, a, 2, SHARED, &u->err), u->err);
	assert_int_equal(u->err.done, 2 * PAGE);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(a[0].offset, PAGE);
	assert_int_equal(a[0].len, 2 * PAGE);
	/* Whatever the other side has is there still. */
	assert_int_equal(stat(r).queued_bytes, unit_in_place(u) ? 0 : 2 * PAGE);
	t_ok(gmem_region_attributes(r, PAGE, 4 * PAGE, &is, &run, &u->err),
	     u->err);
	assert_int_equal(is, SHARED);
	assert_int_equal(run, 2 * PAGE);
}

/* -------------------------------------------------------------- random -- */

/* Some call fails, or none; what the result says is what there is. */
static void the_record_is_the_kernels_whatever_fails(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	uint64_t seed = first_seed, was = UINT64_MAX, is, want, n;
	unsigned int failed = 0;

	for (int i = 0; i < 10000; i++) {
		struct gmem_region_range a[3];
		uint64_t to = t_any(&seed, 2) ? PRIVATE : SHARED, all = 0;
		struct gmem_convert_opts o = {
			.sz = sizeof(o),
			.flags = t_any(&seed, 3) ? 0 : GMEM_CONVERT_DEFER,
		};
		size_t ranges = 1 + t_any(&seed, 3);
		int ret;

		for (size_t k = 0; k < ranges; k++) {
			uint64_t at = t_any(&seed, PAGES);

			n = 1 + t_any(&seed, PAGES - at);
			a[k] = (struct gmem_region_range){ at * PAGE,
							   n * PAGE };
			all |= (n == 64 ? UINT64_MAX : (1ULL << n) - 1) << at;
		}
		want = to == PRIVATE ? was | all : was & ~all;
		unit_reset(u);
		if (t_any(&seed, 2))
			unit_answer(u, NULL, 0,
				    1 + (unsigned int)t_any(&seed, 6),
				    1 + (unsigned int)t_any(&seed, 3), -ENOMEM);
		ret = gmem_region_convert(r, a, ranges, to, &o, &out, &u->err);
		unit_reset(u);
		is = privates(u, r);
		/* Outside of the ranges nothing, inside at most what is wanted.
		 */
		assert_int_equal((is ^ was) & ~all, 0);
		assert_int_equal((is ^ want) & ~(was ^ want), 0);
		n = (unsigned int)__builtin_popcountll(is ^ want);
		if (ret == 0) {
			assert_int_equal(n, 0);
			assert_int_equal(out.done,
					 __builtin_popcountll(all) * PAGE);
		} else {
			failed++;
			assert_true(n > 0);
			assert_true(out.done <
				    (unsigned int)__builtin_popcountll(all) *
					    PAGE);
		}
		was = is;
		t_ok(gmem_region_reclaim(r, 0, PAGES * PAGE, NULL, NULL,
					 &u->err),
		     u->err);
		assert_int_equal(stat(r).queued_bytes, 0);
	}
	assert_true(failed > 100);
	assert_int_equal(stat(r).failed, failed);
}

#define BOTH(name) TEST(name, unit_sw), TEST(name, unit_inplace)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BOTH(each_run_costs_one_ioctl_and_one_free),
		BOTH(a_bad_range_is_refused_before_any_changes),
		TEST(a_run_is_converted_whole_or_not_at_all, unit_sw),
		TEST(what_cannot_be_freed_is_queued, unit_sw),
		TEST(both_sides_are_freed_at_once, unit_sw),
		TEST(reclaim_tells_how_much_it_freed, unit_sw),
		TEST(reclaim_looks_at_as_much_as_it_frees, unit_sw),
		TEST(reclaim_frees_what_it_is_given, unit_sw),
		BOTH(all_of_many_ranges_are_busy),
		BOTH(a_reset_is_a_new_machine),
		BOTH(what_the_kernel_has_is_only_recorded),
		BOTH(the_record_is_the_kernels_whatever_fails),
	};

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	return t_main(tests);
}
