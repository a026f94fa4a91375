// SPDX-License-Identifier: MIT
/*
 * Another thread notes, forgets or looks up slots before a call that changes
 * slots, at each of its system calls and after it.  The two threads tell each
 * other by stores that order nothing else, so that the thread sanitizer sees
 * whether the library's own locks do.
 */
#include <pthread.h>
#include <sched.h>

#include "unit.h"

#define ATTRIBUTES GMEM__KVM_SET_MEMORY_ATTRIBUTES
#define REGION GMEM__KVM_SET_USER_MEMORY_REGION
#define REGION2 GMEM__KVM_SET_USER_MEMORY_REGION2

#define FIRST 10 /* the numbers of the slots that the call changes */
#define LAST 13
#define ROUNDS 40

enum order {
	NOTHING,
	NOTE,
	FORGET,
	LOOK,
	ANYTHING, /* until the next order */
	END,
};

static struct {
	struct unit *m;
	struct gmem *g, *other;
	pthread_t thread;
	int order, wrong; /* atomic; the line that was wrong, or 0 */
	/* of the first thread */
	bool running;
	unsigned int at, seen;
} w;

/* ----------------------------------------------------- the other thread -- */

#define CHECK(condition)                                     \
	do {                                                 \
		if (!(condition))                            \
			__atomic_store_n(&w.wrong, __LINE__, \
					 __ATOMIC_RELAXED);  \
	} while (0)

/* Below, between and above the others, in each of the library's orders. */
static struct gmem_slot noted(uint32_t i)
{
	static const uint32_t id[] = { 5, 9, 30 };
	static const uint64_t gpa[] = { 16 * MiB, GiB + 512 * MiB, 8 * GiB };

	return (struct gmem_slot){
		.sz = sizeof(struct gmem_slot),
		.slot = id[i],
		.gmem = w.other,
		.gpa = gpa[i],
		.offset = i * MiB,
		.len = 1 * MiB,
		.userspace_addr = (1 + i * 4) * MiB,
		.flags = GMEM_SLOT_FD,
	};
}

static void note(void)
{
	for (uint32_t i = 0; i < 3; i++) {
		struct gmem_slot s = noted(i);

		CHECK(gmem_slot_note(w.m->vm, &s, NULL) == 0);
	}
}

static void forget(void)
{
	for (uint32_t i = 0; i < 3; i++)
		CHECK(gmem_slot_forget(w.m->vm, noted(i).slot, 0, NULL) == 0);
}

static void look(void)
{
	struct gmem_slot ask = { .sz = sizeof(ask),
				 .flags = GMEM_SLOT_CHECK_ONLY };

	for (uint32_t id = FIRST; id <= LAST; id++) {
		struct gmem_slot s = { .sz = sizeof(s) };
		int r = gmem_slot_get(w.m->vm, id, 0, &s, NULL);

		CHECK(r == -EINVAL || (r == 0 && s.slot == id && s.len));
		r = gmem_slot_at(w.m->vm, 0, id % 4 * MiB + GiB, &s, NULL);
		CHECK(r == -EINVAL || (r == 0 && s.len));
		r = t_bind(w.g, id, GiB, 0, 1 * MiB, &ask, NULL);
		CHECK(r == 0 || r == -EEXIST || r == -EBUSY);
	}
}

static enum order ordered(void)
{
	return (enum order)__atomic_load_n(&w.order, __ATOMIC_RELAXED);
}

static void *other_thread(void *arg)
{
	(void)arg;
	for (;;) {
		enum order o = ordered();

		if (o == END)
			return NULL;
		if (o == NOTE || o == ANYTHING)
			note();
		if (o == FORGET || o == ANYTHING)
			forget();
		if (o == LOOK || o == ANYTHING)
			look();
		if (o != ANYTHING)
			__atomic_compare_exchange_n(
				&w.order, &(int){ (int)o }, NOTHING, false,
				__ATOMIC_RELAXED, __ATOMIC_RELAXED);
		if (o == NOTHING)
			(void)sched_yield();
	}
}

static void tell(enum order o)
{
	__atomic_store_n(&w.order, (int)o, __ATOMIC_RELAXED);
	while (o != ANYTHING && o != END && ordered() != NOTHING)
		(void)sched_yield();
}

/* ------------------------------------------------------------ the calls -- */

static int bind(uint64_t flags)
{
	struct gmem_slot more = { .sz = sizeof(more), .flags = flags };

	return t_bind(w.g, FIRST, GiB, 0, 4 * MiB, &more, &w.m->err);
}

static int unbind(uint64_t flags)
{
	return gmem_unbind(w.m->vm, FIRST, 0, flags, &w.m->err);
}

static void refuse(unsigned long request, unsigned int nth, int code)
{
	unit_answer(w.m, "ioctl", request, nth, 1, code);
}

/* What unit_reset() resets is the other thread's too. */
static void forget_answers(void)
{
	assert_int_equal(pthread_mutex_lock(&w.m->lock), 0);
	memset(w.m->answers, 0, sizeof(w.m->answers));
	w.m->n_calls = 0;
	assert_int_equal(pthread_mutex_unlock(&w.m->lock), 0);
}

static void bound(void)
{
	t_ok(bind(0), w.m->err);
	if (!unit_in_place(w.m))
		t_ok(t_share(w.g, 1 * MiB, 1 * MiB, &w.m->err), w.m->err);
}

static void keep(struct gmem *g, uint64_t at, uint64_t offset)
{
	t_ok(t_bind(g, FIRST, GiB + at, offset, 1 * MiB, NULL, &w.m->err),
	     w.m->err);
	t_ok(unbind(GMEM_UNBIND_KEEP_ATTRIBUTES), w.m->err);
}

static void kept(void)
{
	keep(w.g, 0, 0);
	keep(w.g, 2 * MiB, 2 * MiB);
}

static void kept_for_both(void)
{
	keep(w.other, 0, 3 * MiB);
	keep(w.g, 2 * MiB, 2 * MiB);
}

static int binds(void)
{
	return bind(0);
}

static int binds_and_takes(void)
{
	return bind(GMEM_SLOT_TAKE_KEPT);
}

static int asks(void)
{
	return bind(GMEM_SLOT_CHECK_ONLY);
}

static int fails_to_bind(void)
{
	int r;

	refuse(unit_in_place(w.m) ? REGION2 : ATTRIBUTES, 1, -ENOMEM);
	r = bind(0);
	return r == -ENOMEM ? 0 : 1;
}

static int binds_nearly(void)
{
	int r;

	refuse(unit_in_place(w.m) ? REGION2 : ATTRIBUTES,
	       unit_in_place(w.m) ? 1 : 2, -ENOMEM);
	r = bind(GMEM_SLOT_TAKE_KEPT);
	return r == -ENOMEM ? 0 : r;
}

/* And cannot restore what was kept. */
static int fails_to_undo(void)
{
	unit_answer(w.m, "ioctl", ATTRIBUTES, 2, 9, -ENOMEM);
	return bind(GMEM_SLOT_TAKE_KEPT) == -ENOMEM ? 0 : 1;
}

static int unbinds(void)
{
	return unbind(0);
}

static int unbinds_and_keeps(void)
{
	return unbind(GMEM_UNBIND_KEEP_ATTRIBUTES);
}

static int is_stuck(void)
{
	refuse(REGION, 1, -EPERM);
	return unbind(0) == -EPERM ? 0 : 1;
}

static void stuck(void)
{
	bound();
	assert_int_equal(is_stuck(), 0);
}

static int replaces(struct gmem_slot *from, uint32_t n)
{
	struct gmem_slot to[3] = { { .len = 0 } };

	for (uint32_t i = 0; i < T_ARRAY_SIZE(to); i++)
		to[i] = (struct gmem_slot){
			.sz = sizeof(to[i]),
			.slot = FIRST + i,
			.gmem = w.g,
			.gpa = (1 + i) * GiB,
			.offset = i * MiB,
			.len = 1 * MiB,
		};
	return gmem_slots_replace(w.m->vm, from, n, to, 3, 0, &w.m->err);
}

static int splits(void)
{
	struct gmem_slot from = { .sz = sizeof(from), .slot = FIRST };

	return replaces(&from, 1);
}

static int adds(void)
{
	return replaces(NULL, 0);
}

static int fails_to_split(void)
{
	bool in_place = unit_in_place(w.m);

	refuse(in_place ? REGION2 : ATTRIBUTES, in_place ? 2 : 3, -ENOMEM);
	return splits() == -ENOMEM ? 0 : 1;
}

/* By a part of its length: what is restored is under the old slot. */
static int fails_to_move(void)
{
	struct gmem_slot s = {
		.sz = sizeof(s),
		.slot = FIRST,
		.gmem = w.g,
		.gpa = GiB + 1 * MiB,
		.len = 4 * MiB,
	};

	refuse(ATTRIBUTES, 3, -ENOMEM);
	return gmem_slots_replace(w.m->vm, &s, 1, &s, 1, 0, &w.m->err) ==
			       -ENOMEM
		       ? 0
		       : 1;
}

static int makes_stuck(void)
{
	refuse(REGION2, 2, -ENOMEM);
	refuse(REGION, 1, -EPERM);
	return replaces(NULL, 0) == -ENOMEM ? 0 : 1;
}

static int makes_one_stuck(void)
{
	struct gmem_slot s = {
		.sz = sizeof(s),
		.slot = FIRST,
		.gmem = w.g,
		.gpa = GiB,
		.len = 1 * MiB,
	};
	int r;

	refuse(ATTRIBUTES, 1, -ENOMEM);
	refuse(REGION, 1, -EPERM);
	r = gmem_slots_replace(w.m->vm, NULL, 0, &s, 1, 0, &w.m->err);
	return r == -ENOMEM ? 0 : 1;
}

static struct gmem_slot mine(void)
{
	return (struct gmem_slot){
		.sz = sizeof(struct gmem_slot),
		.slot = FIRST,
		.gpa = 4 * GiB,
		.len = 1 * MiB,
		.userspace_addr = 64 * MiB,
	};
}

static int notes(void)
{
	struct gmem_slot s = mine();

	return gmem_slot_note(w.m->vm, &s, &w.m->err);
}

static void noted_before(void)
{
	t_ok(notes(), w.m->err);
}

static int notes_the_log(void)
{
	struct gmem_slot s = mine();

	s.flags = GMEM_SLOT_DIRTY_LOG;
	return gmem_slot_note(w.m->vm, &s, &w.m->err);
}

static int forgets(void)
{
	return gmem_slot_forget(w.m->vm, FIRST, 0, &w.m->err);
}

static void bound_by_hva(void)
{
	t_ok(bind(GMEM_SLOT_HVA), w.m->err);
}

static int switches_the_log(void)
{
	return gmem_slot_dirty_log(w.m->vm, FIRST, 0, 1, &w.m->err);
}

static int gets(void)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	return gmem_slot_get(w.m->vm, FIRST, 0, &s, &w.m->err);
}

static int finds(void)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	return gmem_slot_at(w.m->vm, 0, GiB, &s, &w.m->err);
}

static int finds_the_next(void)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	return gmem_slot_next(w.m->vm, 0, 1 * MiB, &s, &w.m->err);
}

static void nothing(void)
{
}

/* Without anything bound or kept of the first file. */
static void clean_up(void)
{
	forget_answers();
	for (uint32_t id = FIRST; id <= LAST; id++)
		if (gmem_slot_forget(w.m->vm, id, 0, NULL) < 0)
			(void)!gmem_unbind(w.m->vm, id, 0, 0, NULL);
	t_ok(bind(0), w.m->err);
	t_ok(unbind(0), w.m->err);
	forget_answers();
}

/* ------------------------------------------------------------- the tests -- */

static void at_each_call(struct unit *m, const struct unit_call *c, void *arg)
{
	(void)c;
	(void)arg;
	if (++w.seen == w.at)
		tell(*(enum order *)m->hook_arg);
}

/* Whether the call had as many system calls, or as many and an end. */
static bool once(void (*before)(void), int (*call)(void), enum order o,
		 unsigned int at)
{
	before();
	if (o == FORGET)
		tell(NOTE);
	forget_answers();
	w.at = at;
	w.seen = 0;
	w.m->hook_arg = &o;
	w.m->hook = at_each_call;
	if (at == 0)
		tell(o);
	if (call() != 0)
		fail_msg("%s", w.m->err.msg);
	w.m->hook = NULL;
	if (at > w.seen)
		tell(o);
	if (o == NOTE)
		tell(FORGET);
	clean_up();
	assert_int_equal(__atomic_load_n(&w.wrong, __ATOMIC_RELAXED), 0);
	return at <= w.seen;
}

static void at_each(void (*before)(void), int (*call)(void))
{
	unsigned int at;

	for (enum order o = NOTE; o <= LOOK; o++)
		for (at = 0; once(before, call, o, at); at++)
			;
	for (int i = 0; i < ROUNDS; i++) {
		before();
		forget_answers();
		tell(ANYTHING);
		if (call() != 0)
			fail_msg("%s", w.m->err.msg);
		tell(NOTHING);
		clean_up();
	}
	assert_int_equal(__atomic_load_n(&w.wrong, __ATOMIC_RELAXED), 0);
}

static void start(struct unit *m, uint64_t flags)
{
	memset(&w, 0, sizeof(w));
	w.m = m;
	m->err = GMEM_INIT(struct gmem_error);
	w.other = unit_create(m, 4 * MiB, flags);
	w.g = unit_create(m, 4 * MiB, flags);
	assert_int_equal(pthread_create(&w.thread, NULL, other_thread, NULL),
			 0);
	w.running = true;
}

static void joined(void)
{
	tell(END);
	assert_int_equal(pthread_join(w.thread, NULL), 0);
	w.running = false;
}

static void closed(void)
{
	joined();
	t_ok(gmem_close(w.g, &w.m->err), w.m->err);
	t_ok(gmem_close(w.other, &w.m->err), w.m->err);
}

/* Also where the test has failed. */
static int stop(void **state)
{
	if (w.running)
		joined();
	return unit_end(state);
}

static void binding_meets_other_slots_under_the_lock(void **state)
{
	start(*state, 0);
	at_each(nothing, binds);
	at_each(kept, binds);
	at_each(kept, binds_and_takes);
	at_each(nothing, asks);
	at_each(stuck, binds);
	closed();
}

static void a_failing_bind_meets_other_slots_under_the_lock(void **state)
{
	start(*state, 0);
	at_each(nothing, fails_to_bind);
	at_each(kept, fails_to_bind);
	at_each(kept, binds_nearly);
	at_each(kept_for_both, fails_to_undo);
	closed();
}

static void unbinding_meets_other_slots_under_the_lock(void **state)
{
	start(*state, 0);
	at_each(bound, unbinds);
	at_each(bound, unbinds_and_keeps);
	at_each(bound, is_stuck);
	at_each(stuck, unbinds);
	closed();
}

static void replacing_meets_other_slots_under_the_lock(void **state)
{
	start(*state, 0);
	at_each(bound, splits);
	at_each(kept, adds);
	at_each(bound, fails_to_split);
	at_each(nothing, makes_stuck);
	closed();
}

static void undoing_meets_other_slots_under_the_lock(void **state)
{
	start(*state, 0);
	at_each(bound, fails_to_move);
	at_each(nothing, makes_one_stuck);
	closed();
}

static void noting_meets_other_slots_under_the_lock(void **state)
{
	start(*state, 0);
	at_each(nothing, notes);
	at_each(noted_before, notes_the_log);
	at_each(noted_before, forgets);
	closed();
}

static void looking_meets_other_slots_under_the_lock(void **state)
{
	start(*state, 0);
	at_each(bound, gets);
	at_each(bound, finds);
	at_each(bound, finds_the_next);
	closed();
}

static void a_log_is_switched_under_the_lock(void **state)
{
	start(*state, SHARED_FLAGS);
	at_each(bound_by_hva, switches_the_log);
	closed();
}

#define CASE(name, how) cmocka_unit_test_setup_teardown(name, how, stop)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(binding_meets_other_slots_under_the_lock, unit_sw),
		CASE(binding_meets_other_slots_under_the_lock, unit_inplace),
		CASE(a_failing_bind_meets_other_slots_under_the_lock, unit_sw),
		CASE(unbinding_meets_other_slots_under_the_lock, unit_sw),
		CASE(unbinding_meets_other_slots_under_the_lock, unit_inplace),
		CASE(replacing_meets_other_slots_under_the_lock, unit_sw),
		CASE(replacing_meets_other_slots_under_the_lock, unit_inplace),
		CASE(undoing_meets_other_slots_under_the_lock, unit_sw),
		CASE(noting_meets_other_slots_under_the_lock, unit_sw),
		CASE(noting_meets_other_slots_under_the_lock, unit_inplace),
		CASE(looking_meets_other_slots_under_the_lock, unit_sw),
		CASE(a_log_is_switched_under_the_lock, unit_default73),
	};

	return t_main(tests);
}
