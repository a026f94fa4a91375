// SPDX-License-Identifier: MIT
/*
 * The plan of a conversion against a world of a bit a page: every short file,
 * every step failing, every undo failing; and long ones at random.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"

#include "plan.h"

#define PAGE 4096u
#define LISTENERS 4

/* One bit a page; 1 is private, or held. */
struct world {
	unsigned int pages;
	uint64_t kernel, record;
	struct gmem__plan_listener shape[LISTENERS];
	uint64_t held[LISTENERS], starts[LISTENERS]; /* entries begin */
	uint64_t room[LISTENERS];		     /* entries reserved */
	unsigned int listeners;
	/* which steps fail, counted from 0 */
	uint64_t fail, fail_from, step;
	bool partly; /* attributes change a page before they fail */
	bool failed; /* some step has */
	unsigned int undo_failed, listener_undo_failed;
	unsigned int runs_done, told;
	struct gmem__step before;
	const struct gmem__plan *plan;
	const char *wrong;
};

static uint64_t first_seed = 1; /* or the program's argument */

#define REQUIRE(w, c) ((c) || (w)->wrong ? (void)0 : (void)((w)->wrong = #c))

static uint64_t bits(uint64_t start, uint64_t end)
{
	uint64_t a = start / PAGE, n = end / PAGE - a;

	return n == 0 ? 0 : (UINT64_MAX >> (64 - n)) << a;
}

static enum gmem__state view(const void *arg, uint64_t pos, uint64_t len,
			     uint64_t *run)
{
	const struct world *w = arg;
	uint64_t i = pos / PAGE, end = (pos + len) / PAGE;
	bool private = w->record >> i & 1;

	/* There is nothing behind the file to look at. */
	assert_true(i < end && end <= w->pages);
	while (++i < end && (w->record >> i & 1) == private)
		;
	*run = i * PAGE - pos;
	return private ? GMEM__PRIVATE : GMEM__SHARED;
}

/* What @l holds if all is well: the granules of which all is shared. */
static uint64_t whole_granules(const struct world *w, unsigned int l)
{
	unsigned int n = (unsigned int)(w->shape[l].granule / PAGE);
	uint64_t held = 0;

	for (unsigned int i = 0; i < w->pages; i += n) {
		uint64_t g = bits((uint64_t)i * PAGE, (uint64_t)(i + n) * PAGE);

		if (!(w->kernel & g))
			held |= g;
	}
	return held;
}

static void attach(struct world *w, unsigned int l)
{
	w->held[l] = whole_granules(w, l);
	w->starts[l] = w->held[l] & ~(w->held[l] << 1);
}

static unsigned int count(uint64_t x)
{
	return (unsigned int)__builtin_popcountll(x);
}

static unsigned int grants(const struct world *w, unsigned int l)
{
	return w->shape[l].fixed ? count(w->held[l]) * PAGE /
					   (unsigned int)w->shape[l].granule
				 : count(w->starts[l]);
}

static void do_listener(struct world *w, const struct gmem__step *s)
{
	uint64_t m = bits(s->start, s->end), after = m << 1 & ~m;
	unsigned int l = s->listener;

	REQUIRE(w, s->start % w->shape[l].granule == 0);
	REQUIRE(w, s->end % w->shape[l].granule == 0);
	if (w->shape[l].fixed &&
	    (s->kind == GMEM__STEP_GRANT || !w->shape[l].merge_revoke))
		REQUIRE(w, s->end - s->start == w->shape[l].granule);
	if (s->kind == GMEM__STEP_REVOKE) {
		REQUIRE(w, (w->held[l] & m) == m);
		w->held[l] &= ~m;
		w->starts[l] = (w->starts[l] & ~m) | (after & w->held[l]);
		return;
	}
	REQUIRE(w, (w->kernel & m) == 0);
	REQUIRE(w, w->listener_undo_failed || (w->held[l] & m) == 0);
	w->held[l] |= m;
	w->starts[l] |= m & ~(m << 1);
	if (!w->undo_failed)
		REQUIRE(w, grants(w, l) <= w->room[l]);
}

static void do_attributes(struct world *w, enum gmem__state to, uint64_t m)
{
	if (to == GMEM__PRIVATE) {
		/* No device may reach what becomes private. */
		for (unsigned int l = 0; l < w->listeners; l++)
			REQUIRE(w,
				w->listener_undo_failed || !(w->held[l] & m));
		w->kernel |= m;
	} else {
		w->kernel &= ~m;
	}
}

/* The first listener gets a run first and loses it last. */
static void check_order(struct world *w, const struct gmem__step *s)
{
	unsigned int before = w->before.listener;
	const struct gmem__plan_listener *l = &w->shape[s->listener];

	/* What one call can revoke, one call revokes. */
	if (w->step && s->kind == GMEM__STEP_REVOKE &&
	    w->before.kind == s->kind && before == s->listener)
		REQUIRE(w, (l->fixed && !l->merge_revoke) ||
				   s->start != w->before.end);

	if (w->step && s->kind == w->before.kind && s->undo == w->before.undo) {
		REQUIRE(w,
			s->kind != GMEM__STEP_REVOKE || s->listener <= before);
		REQUIRE(w, (s->kind != GMEM__STEP_GRANT &&
			    s->kind != GMEM__STEP_TOLD) ||
				   s->listener >= before || w->runs_done);
	}
	w->before = *s;
}

/* By page: the ranges. */
static uint64_t range_bits(const struct gmem__plan *p)
{
	uint64_t m = 0;

	for (size_t i = 0; i < p->ranges; i++)
		m |= bits(p->range[i].offset, gmem__range_end(&p->range[i]));
	return m;
}

/* How many more grants @l can have: as many as room has to be made for. */
static uint64_t most_grants(const struct world *w, unsigned int l)
{
	bool to_private = w->plan->to == GMEM__PRIVATE;
	uint64_t ranges = range_bits(w->plan), after = w->record & ~ranges;
	uint64_t differ = (to_private ? ~w->record : w->record) & ranges;
	unsigned int n = (unsigned int)(w->shape[l].granule / PAGE), more = 0;

	/* Each run may split what is held, or join nothing. */
	if (!w->shape[l].fixed) {
		more = count(differ & ~(differ << 1));
		return more + (to_private && more);
	}
	for (unsigned int i = 0; !to_private && i < w->pages; i += n) {
		uint64_t g = bits((uint64_t)i * PAGE, (uint64_t)(i + n) * PAGE);

		more += (w->record & g) && !(after & g);
	}
	return more;
}

static void do_step(struct world *w, const struct gmem__step *s)
{
	uint64_t m = bits(s->start, s->end);

	switch (s->kind) {
	case GMEM__STEP_RESERVE:
		REQUIRE(w, s->entries == most_grants(w, s->listener));
		REQUIRE(w, s->start == 0 && s->end == 0);
		w->room[s->listener] = grants(w, s->listener) + s->entries;
		break;
	case GMEM__STEP_REVOKE:
	case GMEM__STEP_GRANT:
		do_listener(w, s);
		break;
	case GMEM__STEP_ATTRIBUTES:
		do_attributes(w, s->state, m);
		break;
	case GMEM__STEP_RECORD:
		w->record = s->state == GMEM__PRIVATE ? w->record | m
						      : w->record & ~m;
		REQUIRE(w, ((w->record ^ w->kernel) & m) == 0);
		break;
	case GMEM__STEP_DISCARD:
		/* Never what the guest still has. */
		REQUIRE(w,
			(w->kernel & m) == (s->state == GMEM__PRIVATE ? m : 0));
		w->runs_done++;
		break;
	case GMEM__STEP_TOLD:
		w->told++;
		break;
	}
}

static bool fails(const struct world *w)
{
	return (w->step < 64 && (w->fail >> w->step & 1)) ||
	       w->step >= w->fail_from;
}

static void fail_step(struct world *w, const struct gmem__step *s,
		      uint64_t *done)
{
	w->failed = true;
	if (s->undo) {
		w->undo_failed++;
		w->listener_undo_failed += s->kind != GMEM__STEP_ATTRIBUTES;
	}
	*done = 0;
	if (s->kind == GMEM__STEP_ATTRIBUTES && w->partly &&
	    s->end - s->start > PAGE) {
		do_attributes(w, s->state, bits(s->start, s->start + PAGE));
		*done = PAGE;
	}
}

static void run(struct world *w, struct gmem__plan *p)
{
	struct gmem__step s;
	uint64_t done;
	int r;

	w->plan = p;
	for (w->step = 0; gmem__plan_next(p, &s); w->step++) {
		REQUIRE(w, w->step < 10000);
		if (w->wrong)
			return;
		r = 0;
		done = s.end - s.start;
		check_order(w, &s);
		if (s.kind <= GMEM__STEP_ATTRIBUTES && fails(w)) {
			r = s.undo ? -ENOMEM : -EBUSY;
			fail_step(w, &s, &done);
		} else {
			do_step(w, &s);
		}
		gmem__plan_result(p, r, done);
	}
}

/* The pages of run @n; *@before: those of the ranges before it. */
static uint64_t nth_run(const struct world *w, uint64_t differ, uint64_t ranges,
			unsigned int n, uint64_t *before)
{
	unsigned int i = 0;

	*before = 0;
	for (; i < w->pages; i++) {
		uint64_t m = 0;

		if (!(differ >> i & 1)) {
			*before |= ranges & UINT64_C(1) << i;
			continue;
		}
		for (; i < w->pages && (differ >> i & 1); i++)
			m |= UINT64_C(1) << i;
		i--;
		if (n-- == 0)
			return m;
		*before |= m;
	}
	return 0;
}

/* What has to be true whatever failed. */
static void check(struct world *w, const struct gmem__plan *p, uint64_t was)
{
	uint64_t ranges = range_bits(p), before, run;
	uint64_t to = p->to == GMEM__PRIVATE ? UINT64_MAX : 0;
	uint64_t differ = (was ^ to) & ranges;

	run = nth_run(w, differ, ranges, w->runs_done, &before);
	REQUIRE(w, w->record == w->kernel);
	REQUIRE(w, (p->error != 0) == w->failed);
	REQUIRE(w, p->error == 0 || p->error == -EBUSY);
	REQUIRE(w, p->poisoned == (w->listener_undo_failed != 0));
	REQUIRE(w, w->told == w->runs_done * w->listeners);
	/* Outside the ranges and behind a failure all is as it was. */
	REQUIRE(w, ((w->kernel ^ was) & ~(before | run)) == 0);
	REQUIRE(w, ((w->kernel ^ to) & before) == 0);
	if (w->step > w->listeners)
		REQUIRE(w, p->done == (uint64_t)count(before) * PAGE);
	REQUIRE(w,
		p->changed == (uint64_t)count((w->kernel ^ was) & run) * PAGE);
	if (!w->undo_failed)
		REQUIRE(w, p->changed == 0);
	if (!w->failed)
		REQUIRE(w, run == 0);
	if (p->poisoned)
		return;
	for (unsigned int l = 0; l < w->listeners; l++)
		REQUIRE(w, w->held[l] == whole_granules(w, l));
}

static uint64_t try(const struct world *start, const struct gmem__plan *plan,
		    uint64_t fail, uint64_t fail_from)
{
	struct gmem__plan p = *plan;
	struct world w = *start;

	w.fail = fail;
	w.fail_from = fail_from;
	p.arg = &w;
	p.listener = w.shape;
	p.listeners = w.listeners;
	for (unsigned int l = 0; l < w.listeners; l++)
		attach(&w, l);
	run(&w, &p);
	check(&w, &p, start->kernel);
	if (w.wrong)
		fail_msg("%s: %u pages 0x%llx, to %d, %u listeners, chunk "
			 "0x%llx, fail 0x%llx from %lld, partly %d",
			 w.wrong, w.pages, (unsigned long long)start->kernel,
			 (int)p.to, w.listeners, (unsigned long long)p.chunk,
			 (unsigned long long)fail, (long long)fail_from,
			 w.partly);
	return w.step;
}

/* Every step, every step and all after it, and pairs of steps. */
static void try_all(struct world *w, const struct gmem__plan *p, bool pairs)
{
	uint64_t steps = try(w, p, 0, UINT64_MAX);

	for (int partly = 0; partly < 2; partly++) {
		w->partly = partly;
		for (uint64_t i = 0; i < steps && i < 64; i++) {
			uint64_t bit = UINT64_C(1) << i, n;

			n = try(w, p, bit, UINT64_MAX);
			try(w, p, 0, i);
			for (uint64_t j = i + 1; pairs && j < n && j < 64; j++)
				try(w, p, bit | UINT64_C(1) << j, UINT64_MAX);
		}
	}
}

static const struct gmem__plan_listener shapes[] = {
	{ PAGE, false, false },	    { PAGE, true, false },
	{ PAGE, true, true },	    { 2 * PAGE, false, false },
	{ 2 * PAGE, true, true },   { 4 * PAGE, true, false },
	{ 4 * PAGE, false, false },
};
#define SHAPES (sizeof(shapes) / sizeof(*shapes))

static struct gmem__plan plan(const struct world *w, enum gmem__state to,
			      const struct gmem_region_range *r, unsigned int n,
			      uint64_t chunk)
{
	return (struct gmem__plan){
		.view = view,
		.size = (uint64_t)w->pages * PAGE,
		.range = r,
		.ranges = n,
		.to = to,
		.chunk = chunk,
	};
}

static void both_ways(struct world *w, const struct gmem_region_range *r,
		      unsigned int n, uint64_t chunk, bool pairs)
{
	struct gmem__plan p = plan(w, GMEM__PRIVATE, r, n, chunk);

	try_all(w, &p, pairs);
	p.to = GMEM__SHARED;
	try_all(w, &p, pairs);
}

/* Every pattern of @pages and every range of it, with these listeners. */
static void every_pattern(struct world *w, unsigned int pages, bool pairs)
{
	w->pages = pages;
	for (w->kernel = 0; w->kernel < UINT64_C(1) << pages; w->kernel++) {
		w->record = w->kernel;
		for (unsigned int a = 0; a < pages; a++) {
			for (unsigned int b = a + 1; b <= pages; b++) {
				struct gmem_region_range r = { a * PAGE,
							       (b - a) * PAGE };

				both_ways(w, &r, 1, PAGE, pairs);
				both_ways(w, &r, 1, 2 * PAGE, false);
			}
		}
	}
}

static void every_file_without_listeners(void **state)
{
	struct world w = { .listeners = 0 };

	(void)state;
	every_pattern(&w, 8, true);
}

static void every_file_with_a_listener(void **state)
{
	struct world w = { .listeners = 1 };

	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		w.shape[0] = shapes[i];
		every_pattern(&w, 4, true);
	}
}

/* The whole file of eight pages, so that there are several runs. */
static void every_file_with_listeners(void **state)
{
	struct gmem_region_range r = { 0, 8 * PAGE };
	struct world w = { .pages = 8 };
	static const unsigned char pick[][3] = {
		{ 0, 1, 3 },
		{ 2, 5, 0 },
		{ 4, 6, 1 },
		{ 3, 3, 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pick) / sizeof(*pick); i++) {
		for (unsigned int l = 0; l < 3; l++)
			w.shape[l] = shapes[pick[i][l]];
		for (w.listeners = 1; w.listeners <= 3; w.listeners++)
			for (w.kernel = 0; w.kernel < 256; w.kernel++) {
				w.record = w.kernel;
				both_ways(&w, &r, 1, 2 * PAGE, false);
			}
	}
}

/* Runs of about @mean pages, so that a pattern is not all noise. */
static uint64_t any_pattern(uint64_t *seed, unsigned int pages)
{
	uint64_t m = 0, mean = 1 + t_any(seed, 12);
	bool on = t_any(seed, 2);

	for (unsigned int i = 0; i < pages; i++) {
		m |= (uint64_t)on << i;
		if (t_any(seed, mean) == 0)
			on = !on;
	}
	return m;
}

static size_t any_ranges(uint64_t *seed, unsigned int pages,
			 struct gmem_region_range *r)
{
	unsigned int n = 1 + (unsigned int)t_any(seed, 5);

	for (unsigned int i = 0; i < n; i++) {
		r[i].offset = t_any(seed, pages) * PAGE;
		r[i].len = (1 + t_any(seed, pages - r[i].offset / PAGE)) * PAGE;
	}
	return gmem__plan_sort(r, n);
}

static void a_hundred_thousand_at_random(void **state)
{
	uint64_t seed = first_seed;

	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		struct world w = { .pages = 4 * (1 + t_any(&seed, 15)) };
		struct gmem_region_range r[5];
		struct gmem__plan p;
		unsigned int n;
		uint64_t steps;

		w.kernel = w.record = any_pattern(&seed, w.pages);
		w.listeners = (unsigned int)t_any(&seed, LISTENERS + 1);
		w.partly = t_any(&seed, 2);
		for (unsigned int l = 0; l < w.listeners; l++)
			w.shape[l] = shapes[t_any(&seed, SHAPES)];
		n = any_ranges(&seed, w.pages, r);
		p = plan(&w, t_any(&seed, 2) ? GMEM__PRIVATE : GMEM__SHARED, r,
			 n, (1 + t_any(&seed, 8)) * PAGE);
		steps = try(&w, &p, 0, UINT64_MAX);
		if (steps == 0)
			continue;
		try(&w, &p, 0, t_any(&seed, steps));
		try(&w, &p, UINT64_C(1) << t_any(&seed, 64), UINT64_MAX);
		try(&w, &p, t_any(&seed, UINT64_MAX) << t_any(&seed, 32),
		    UINT64_MAX);
	}
}

static void ranges_are_sorted_and_joined(void **state)
{
	struct gmem_region_range r[] = {
		{ 9, 3 }, { 1, 1 }, { 2, 1 },	{ 5, 4 },
		{ 6, 1 }, { 1, 1 }, { 20, 10 }, { 14, 2 },
	};

	(void)state;
	assert_int_equal(gmem__plan_sort(r, 8), 4);
	assert_int_equal(r[0].offset, 1);
	assert_int_equal(r[0].len, 2);
	assert_int_equal(r[1].offset, 5);
	assert_int_equal(r[1].len, 7);
	assert_int_equal(r[2].offset, 14);
	assert_int_equal(r[3].len, 10);
	assert_int_equal(gmem__plan_sort(r, 0), 0);
}

/* Each order of up to seven ranges, and many of many at random. */
static void each_order_is_sorted(void **state)
{
	struct gmem_region_range r[200];
	uint64_t seed = first_seed;

	(void)state;
	for (unsigned int n = 1; n <= 7; n++) {
		unsigned int orders = 1;

		for (unsigned int i = 2; i <= n; i++)
			orders *= i;
		for (unsigned int o = 0; o < orders; o++) {
			unsigned int rest = o;

			/* Each next one goes where the order says. */
			for (unsigned int i = 0; i < n; i++) {
				unsigned int at = rest % (i + 1);

				rest /= i + 1;
				memmove(&r[at + 1], &r[at],
					(i - at) * sizeof(*r));
				r[at] = (struct gmem_region_range){ 2 * i, 1 };
			}
			assert_int_equal(gmem__plan_sort(r, n), n);
			for (unsigned int i = 0; i < n; i++)
				assert_int_equal(r[i].offset, 2 * i);
		}
	}
	for (unsigned int i = 0; i < 1000; i++) {
		size_t n = 1 + t_any(&seed, T_ARRAY_SIZE(r)), kept;

		for (size_t j = 0; j < n; j++)
			r[j] = (struct gmem_region_range){
				t_any(&seed, 1000), 1 + t_any(&seed, 3)
			};
		kept = gmem__plan_sort(r, n);
		for (size_t j = 1; j < kept; j++)
			assert_true(gmem__range_end(&r[j - 1]) < r[j].offset);
	}
}

/* What is as wanted costs no step but the listeners' room. */
static void no_op_runs_cost_nothing(void **state)
{
	struct gmem_region_range r = { 0, 8 * PAGE };
	struct world w = { .pages = 8, .kernel = 0xff, .record = 0xff };
	struct gmem__plan p = plan(&w, GMEM__PRIVATE, &r, 1, PAGE);

	(void)state;
	assert_int_equal(try(&w, &p, 0, UINT64_MAX), 0);
	/* One run: attributes, record, discard. */
	w.kernel = w.record = 0xc3;
	p.chunk = 8 * PAGE;
	assert_int_equal(try(&w, &p, 0, UINT64_MAX), 3);
}

/* The granule of the only range ends behind it. */
static void nothing_behind_the_last_range_is_read(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct world w = { .pages = 8,
			   .listeners = 1,
			   .shape = { { 4 * PAGE, true, false } } };
	struct gmem_region_range *r;
	char *two;

	(void)state;
	two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(two, MAP_FAILED);
	assert_int_equal(mprotect(two + page, page, PROT_NONE), 0);
	r = (struct gmem_region_range *)(void *)(two + page) - 1;
	for (unsigned int first = 0; first < 8; first++)
		for (w.kernel = 0; w.kernel < 256; w.kernel++) {
			w.record = w.kernel;
			*r = (struct gmem_region_range){ first * PAGE, PAGE };
			both_ways(&w, r, 1, PAGE, false);
		}
	assert_int_equal(munmap(two, 2 * page), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_sorted_and_joined),
		cmocka_unit_test(each_order_is_sorted),
		cmocka_unit_test(no_op_runs_cost_nothing),
		cmocka_unit_test(nothing_behind_the_last_range_is_read),
		cmocka_unit_test(every_file_without_listeners),
		cmocka_unit_test(every_file_with_a_listener),
		cmocka_unit_test(every_file_with_listeners),
		cmocka_unit_test(a_hundred_thousand_at_random),
	};

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	return t_main(tests);
}
