// SPDX-License-Identifier: MIT
/* gmem_guard_step(): which fault is one too many. */
#include <stdbool.h>

#include "exit.h"
#include "t.h"

#define PAGE 4096

static struct gmem_exit fault(uint64_t gpa, uint64_t attributes)
{
	return (struct gmem_exit){
		.sz = sizeof(struct gmem_exit),
		.kind = GMEM_EXIT_MEMORY_FAULT,
		.gpa = gpa,
		.len = PAGE,
		.attributes = attributes,
	};
}

static uint32_t step(struct gmem_guard *g, const struct gmem_exit *e,
		     uint64_t sequence, uint32_t flags, uint32_t probe)
{
	struct gmem_seen s = {
		.sz = sizeof(s),
		.sequence = sequence,
		.flags = flags,
		.probe = probe,
	};
	struct gmem_answer a = { .sz = sizeof(a) };
	struct gmem_error err;

	t_ok(gmem_guard_step(g, e, &s, &a, &err), err);
	assert_int_equal(a.reason, a.kind == GMEM_ANSWER_FATAL
					   ? GMEM_REASON_NO_PROGRESS
					   : GMEM_REASON_NONE);
	return a.kind;
}

static void a_fault_that_nothing_ends_is_fatal(void **state)
{
	struct gmem_guard g = { .sz = sizeof(g) };
	struct gmem_exit e = fault(0x5000, GMEM_ATTRIBUTE_PRIVATE);

	(void)state;
	assert_int_equal(step(&g, &e, 7, GMEM_SEEN_WANTED, 0),
			 GMEM_ANSWER_RESUME);
	assert_int_equal(g.repeats, 0);
	assert_int_equal(step(&g, &e, 7, GMEM_SEEN_WANTED, 0),
			 GMEM_ANSWER_PROBE);
	assert_int_equal(step(&g, &e, 7, GMEM_SEEN_WANTED, GMEM_PROBE_NOTHING),
			 GMEM_ANSWER_FATAL);
	assert_int_equal(g.repeats, 1);
}

static void a_probe_whose_effect_is_unseen_gets_one_more_fault(void **state)
{
	struct gmem_guard g = { .sz = sizeof(g) };
	struct gmem_exit e = fault(0, 0);

	(void)state;
	assert_int_equal(step(&g, &e, 0, GMEM_SEEN_WANTED, 0),
			 GMEM_ANSWER_RESUME);
	assert_int_equal(step(&g, &e, 0, GMEM_SEEN_WANTED, 0),
			 GMEM_ANSWER_PROBE);
	assert_int_equal(step(&g, &e, 0, GMEM_SEEN_WANTED, GMEM_PROBE_UNSEEN),
			 GMEM_ANSWER_RESUME);
	assert_int_equal(step(&g, &e, 0, GMEM_SEEN_WANTED, 0),
			 GMEM_ANSWER_FATAL);
	assert_int_equal(g.repeats, 2);
}

/* What one exit of a vCPU finds. */
struct event {
	bool other, wanted, busy, changed;
	uint32_t probe; /* what a probe would say */
};

/* The rule, of the events up to the last one of @n. */
static bool fatal(const struct event *v, unsigned int n)
{
	unsigned int i = n - 1;

	for (; i > 0; i--) {
		const struct event *was = &v[i - 1], *is = &v[i];

		if (was->other != is->other || was->busy || is->busy ||
		    !was->wanted || !is->wanted || is->changed)
			return false;
		/* an earlier probe that did something starts all again */
		if (i == n - 1 && is->probe == GMEM_PROBE_NOTHING)
			return true;
		if (i < n - 1 && is->probe == GMEM_PROBE_UNSEEN)
			return true;
		if (i == n - 1 && n > 2)
			continue;
		return false;
	}
	return false;
}

static struct event event(unsigned int bits)
{
	return (struct event){
		.other = bits & 1,
		.wanted = bits & 2,
		.busy = bits & 4,
		.changed = bits & 8,
		.probe = GMEM_PROBE_CHANGED + bits / 16,
	};
}

#define EVENTS 48
#define DEPTH 4

/* Every sequence: @n events have been, @g and @sequence are after them. */
static uint64_t sequences(struct event *v, unsigned int n, struct gmem_guard g,
			  uint64_t sequence)
{
	const struct gmem_guard before = g;
	uint64_t count = 0;

	if (n == DEPTH)
		return 1;
	for (unsigned int bits = 0; bits < EVENTS; bits++) {
		struct event *is = &v[n];
		struct gmem_seen s = { .sz = sizeof(s) };
		struct gmem_exit e;
		uint32_t kind;

		*is = event(bits);
		g = before;
		e = fault(is->other ? PAGE : 0, GMEM_ATTRIBUTE_PRIVATE);
		s.sequence = sequence + is->changed;
		s.flags = (is->wanted ? GMEM_SEEN_WANTED : 0) |
			  (is->busy ? GMEM_SEEN_BUSY : 0);
		kind = gmem__guard_step(&g, &e, &s).kind;
		if (kind == GMEM_ANSWER_PROBE) {
			s.probe = is->probe;
			kind = gmem__guard_step(&g, &e, &s).kind;
			assert_int_not_equal(kind, GMEM_ANSWER_PROBE);
		}
		assert_int_equal(kind == GMEM_ANSWER_FATAL, fatal(v, n + 1));
		assert_int_equal(kind == GMEM_ANSWER_RETRY, is->busy);
		if (kind != GMEM_ANSWER_FATAL)
			count += sequences(v, n + 1, g, s.sequence);
	}
	return count;
}

static void every_sequence_of_faults_follows_the_rule(void **state)
{
	struct event v[DEPTH];

	(void)state;
	assert_true(sequences(v, 0, (struct gmem_guard){ .sz = sizeof(v) }, 0) >
		    5000000);
}

/* Two vCPUs want one page, one private, one shared: each step of @schedule. */
static unsigned int contend(uint32_t schedule, unsigned int steps)
{
	struct gmem_guard g[2] = { { .sz = sizeof(g[0]) },
				   { .sz = sizeof(g[0]) } };
	bool faulted[2] = { false, false };
	unsigned int page = 0, faults = 0; /* the state that vCPU 0 wants */
	uint64_t sequence = 0;

	for (unsigned int i = 0; i < steps; i++, schedule >>= 2) {
		unsigned int who = schedule & 1;
		struct gmem_exit e =
			fault(0x5000, who ? GMEM_ATTRIBUTE_PRIVATE : 0);
		struct gmem_seen s = { .sz = sizeof(s) };

		if (!(schedule & 2)) { /* it runs, if it does not wait */
			faulted[who] = faulted[who] || page != who;
			continue;
		}
		if (!faulted[who])
			continue;
		s.sequence = sequence;
		s.flags = page == who ? GMEM_SEEN_WANTED : 0;
		assert_int_equal(gmem__guard_step(&g[who], &e, &s).kind,
				 GMEM_ANSWER_RESUME);
		if (page != who) {
			page = who;
			sequence++;
		}
		faulted[who] = false;
		faults++;
	}
	return faults;
}

static void two_vcpus_that_convert_one_page_both_ways_go_on(void **state)
{
	unsigned int most = 0, faults;

	(void)state;
	for (uint32_t schedule = 0; schedule < 1U << 20; schedule++) {
		faults = contend(schedule, 10);
		if (faults > most)
			most = faults;
	}
	assert_int_equal(most, 5);
	/* run, serve, run, serve, ... for as long as there is a schedule */
	assert_true(contend(0xbbbb1111, 16) > 0);
}

/* A slot is deleted and made again: many equal faults, on a private page. */
static void a_gap_between_slots_is_not_fatal(void **state)
{
	struct gmem_guard g = { .sz = sizeof(g) };
	struct gmem_exit e = fault(0x5000, GMEM_ATTRIBUTE_PRIVATE);
	uint64_t sequence = 4;

	(void)state;
	for (unsigned int gap = 0; gap < 3; gap++) {
		assert_int_equal(step(&g, &e, sequence, GMEM_SEEN_WANTED, 0),
				 GMEM_ANSWER_RESUME);
		sequence++;
		for (unsigned int i = 0; i < 147; i++)
			assert_int_equal(step(&g, &e, sequence,
					      GMEM_SEEN_WANTED | GMEM_SEEN_BUSY,
					      i % 4),
					 GMEM_ANSWER_RETRY);
		sequence++;
	}
	/* and where a caller notes its own slots: by the number alone */
	for (unsigned int i = 0; i < 147; i++)
		assert_int_equal(step(&g, &e, ++sequence, GMEM_SEEN_WANTED, 0),
				 GMEM_ANSWER_RESUME);
	assert_int_equal(g.repeats, 146);
}

/* A signal, I/O and hypercalls between two faults answer none of them. */
static void other_exits_leave_the_guard_as_it_is(void **state)
{
	struct gmem_guard g = { .sz = sizeof(g) }, before;
	struct gmem_exit e = fault(0x5000, 0), other = e;
	struct gmem_seen s = { .sz = sizeof(s), .sequence = 9 };
	struct gmem_answer a = { .sz = sizeof(a) };
	struct gmem_error err;

	(void)state;
	assert_int_equal(step(&g, &e, 9, GMEM_SEEN_WANTED, 0),
			 GMEM_ANSWER_RESUME);
	before = g;
	for (uint32_t kind = 0; kind <= GMEM_EXIT_UNREACHABLE; kind++) {
		if (kind == GMEM_EXIT_MEMORY_FAULT)
			continue;
		other.kind = kind;
		t_ok(gmem_guard_step(&g, &other, &s, &a, &err), err);
		assert_memory_equal(&g, &before, sizeof(g));
	}
	assert_int_equal(step(&g, &e, 9, GMEM_SEEN_WANTED, 0),
			 GMEM_ANSWER_PROBE);
}

static void each_kind_of_exit_has_its_answer(void **state)
{
	static const struct {
		uint32_t kind, why, flags, answer, reason;
	} want[] = {
		{ GMEM_EXIT_NONE, 0, 0, GMEM_ANSWER_RESUME, 0 },
		{ GMEM_EXIT_OTHER, 0, 0, GMEM_ANSWER_RESUME, 0 },
		{ GMEM_EXIT_OTHER, GMEM_REASON_FLAG_UNKNOWN, 0,
		  GMEM_ANSWER_FATAL, GMEM_REASON_FLAG_UNKNOWN },
		{ GMEM_EXIT_MAP_GPA_RANGE, 0, 0, GMEM_ANSWER_RESUME, 0 },
		{ GMEM_EXIT_MAP_GPA_RANGE, 0, GMEM_SEEN_WANTED,
		  GMEM_ANSWER_RESUME, 0 },
		{ GMEM_EXIT_MAP_GPA_RANGE, 0, GMEM_SEEN_BUSY, GMEM_ANSWER_RETRY,
		  0 },
		{ GMEM_EXIT_MALFORMED, GMEM_REASON_ZERO_SIZE, GMEM_SEEN_BUSY,
		  GMEM_ANSWER_REFUSE, GMEM_REASON_ZERO_SIZE },
		{ GMEM_EXIT_POISON, 0, GMEM_SEEN_BUSY, GMEM_ANSWER_FATAL,
		  GMEM_REASON_POISONED },
		{ GMEM_EXIT_UNREACHABLE, 0, GMEM_SEEN_BUSY, GMEM_ANSWER_FATAL,
		  GMEM_REASON_UNREACHABLE },
	};
	struct gmem_error err;

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(want); i++) {
		struct gmem_guard g = { .sz = sizeof(g) };
		struct gmem_exit e = {
			.sz = sizeof(e),
			.kind = want[i].kind,
			.reason = want[i].why,
		};
		struct gmem_seen s = { .sz = sizeof(s),
				       .flags = want[i].flags };
		struct gmem_answer a = { .sz = sizeof(a) };

		t_ok(gmem_guard_step(&g, &e, &s, &a, &err), err);
		assert_int_equal(a.kind, want[i].answer);
		assert_int_equal(a.reason, want[i].reason);
	}
}

static void a_fault_is_another_by_address_length_or_state(void **state)
{
	struct gmem_exit e = fault(0x5000, 0), others[3];

	(void)state;
	others[0] = fault(0x6000, 0);
	others[1] = fault(0x5000, GMEM_ATTRIBUTE_PRIVATE);
	others[2] = e;
	others[2].len = 2 * PAGE;
	for (size_t i = 0; i < T_ARRAY_SIZE(others); i++) {
		struct gmem_guard g = { .sz = sizeof(g) };

		for (unsigned int n = 0; n < 4; n++) {
			assert_int_equal(step(&g, &e, 1, GMEM_SEEN_WANTED, 0),
					 GMEM_ANSWER_RESUME);
			assert_int_equal(
				step(&g, &others[i], 1, GMEM_SEEN_WANTED, 0),
				GMEM_ANSWER_RESUME);
			assert_int_equal(g.repeats, 0);
		}
	}
}

static void wrong_arguments_are_refused(void **state)
{
	struct gmem_guard g = { .sz = sizeof(g) }, before = g;
	struct gmem_exit e = fault(0x5000, 0);
	struct gmem_seen s = { .sz = sizeof(s) };
	struct gmem_answer a = { .sz = sizeof(a), .kind = 77 };
	struct gmem_error err, bad = { .sz = 1 };

	(void)state;
	t_code(gmem_guard_step(&g, &e, &s, &a, &bad), -EINVAL);
	t_refused(gmem_guard_step(NULL, &e, &s, &a, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_guard_step(&g, NULL, &s, &a, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_guard_step(&g, &e, NULL, &a, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_guard_step(&g, &e, &s, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	e.kind = GMEM_EXIT_UNREACHABLE + 1;
	t_refused(gmem_guard_step(&g, &e, &s, &a, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	e = fault(0x5000, 0);
	s.probe = GMEM_PROBE_UNSEEN + 1;
	t_refused(gmem_guard_step(&g, &e, &s, &a, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	/* the flags are looked at first */
	s.flags = 1U << 2;
	t_refused(gmem_guard_step(&g, &e, &s, &a, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	s.probe = 0;
	t_refused(gmem_guard_step(&g, &e, &s, &a, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	s.flags = 0;
	s.sz = 8;
	t_refused(gmem_guard_step(&g, &e, &s, &a, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	s.sz = sizeof(s);
	a.sz = 0;
	t_refused(gmem_guard_step(&g, &e, &s, &a, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	a.sz = sizeof(a);
	assert_memory_equal(&g, &before, sizeof(g));
	assert_int_equal(a.kind, 77);
	g.sz = 0;
	t_refused(gmem_guard_step(&g, &e, &s, &a, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
}

int main(void)
{
	const struct CMUnitTest guard[] = {
		cmocka_unit_test(a_fault_that_nothing_ends_is_fatal),
		cmocka_unit_test(
			a_probe_whose_effect_is_unseen_gets_one_more_fault),
		cmocka_unit_test(every_sequence_of_faults_follows_the_rule),
		cmocka_unit_test(
			two_vcpus_that_convert_one_page_both_ways_go_on),
		cmocka_unit_test(a_gap_between_slots_is_not_fatal),
		cmocka_unit_test(other_exits_leave_the_guard_as_it_is),
		cmocka_unit_test(each_kind_of_exit_has_its_answer),
		cmocka_unit_test(a_fault_is_another_by_address_length_or_state),
		cmocka_unit_test(wrong_arguments_are_refused),
	};

	return t_main(guard);
}
