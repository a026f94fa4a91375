// SPDX-License-Identifier: MIT
/*
 * Two calls wait for a conversion, one behind the other, and the first changes
 * the slot that the second one names.
 */
#include <pthread.h>

#include "unit.h"

#include "ticket.h"
#include "vm.h"

#define ATTRIBUTES GMEM__KVM_SET_MEMORY_ATTRIBUTES
#define REGION GMEM__KVM_SET_USER_MEMORY_REGION

struct call {
	int (*fn)(struct gmem_error *err);
	struct gmem_error err;
	int r;
	pthread_t thread;
};

static struct {
	struct unit *m;
	struct gmem *g, *other, *third;
	struct call call[2];
	bool started;
	/* when the second call deletes a slot */
	bool deleted, held_old, held_now;
} w;

static void *run(void *arg)
{
	struct call *c = arg;

	c->r = c->fn(&c->err);
	return NULL;
}

static void start_both(void)
{
	w.started = true;
	for (unsigned int i = 0; i < 2; i++) {
		w.call[i].err = GMEM_INIT(struct gmem_error);
		assert_int_equal(pthread_create(&w.call[i].thread, NULL, run,
						&w.call[i]),
				 0);
		assert_true(unit_turns_are(w.m->vm, 2 + i, w.g, 0));
	}
}

/* The conversion is in the kernel until both wait. */
static void hook(struct unit *m, const struct unit_call *c, void *arg)
{
	(void)m;
	(void)arg;
	if (c->request == ATTRIBUTES && !w.started)
		start_both();
	if (c->request != REGION ||
	    !pthread_equal(pthread_self(), w.call[1].thread) || w.deleted)
		return;
	w.deleted = true;
	w.held_old = unit_turns(w.m->vm, w.g, 0);
	w.held_now = unit_turns(w.m->vm, w.other, 0);
}

static void both(struct unit *m, int (*first)(struct gmem_error *err),
		 int (*second)(struct gmem_error *err))
{
	w.call[0].fn = first;
	w.call[1].fn = second;
	m->hook = hook;
	t_ok(t_share(w.g, 0, 1 * MiB, &m->err), m->err);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(w.call[i].thread, NULL), 0);
	m->hook = NULL;
	assert_null(m->vm->first_ticket);
}

/* Slot 0 is the first file's, slot 1 the other one's. */
static void bound(struct unit *m)
{
	memset(&w, 0, sizeof(w));
	w.m = m;
	w.third = unit_create(m, 1 * MiB, 0);
	w.other = unit_create(m, 1 * MiB, 0);
	w.g = unit_create(m, 1 * MiB, 0);
	unit_bind(m, w.g, 0, GiB);
}

static int replace(uint32_t n, struct gmem *g, uint64_t gpa,
		   struct gmem_error *err)
{
	struct gmem_slot from[2] = { { .sz = sizeof(from[0]), .slot = n - 1 },
				     { .sz = sizeof(from[1]), .slot = 0 } };
	struct gmem_slot to = {
		.sz = sizeof(to), .gmem = g, .gpa = gpa, .len = 1 * MiB
	};

	return gmem_slots_replace(w.m->vm, from, n, &to, 1, 0, err);
}

static int by_the_other(struct gmem_error *err)
{
	return replace(1, w.other, 2 * GiB, err);
}

static int by_the_third(struct gmem_error *err)
{
	return replace(1, w.third, 4 * GiB, err);
}

static int both_by_the_third(struct gmem_error *err)
{
	return replace(2, w.third, 4 * GiB, err);
}

static int by_one_in_the_way(struct gmem_error *err)
{
	return replace(1, w.third, 3 * GiB, err);
}

static int unbinds(struct gmem_error *err)
{
	return gmem_unbind(w.m->vm, 0, 0, 0, err);
}

/* Over what is kept, which is being converted. */
static int notes(struct gmem_error *err)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .gmem = w.g,
			       .gpa = GiB,
			       .len = 1 * MiB,
			       .flags = GMEM_SLOT_FD | GMEM_SLOT_TAKE_KEPT,
			       .userspace_addr = 64 * MiB };

	return gmem_slot_note(w.m->vm, &s, err);
}

static uint64_t state(struct gmem *g)
{
	uint64_t a;

	t_ok(gmem_get_attributes(g, 0, 1 * MiB, &a, NULL, &w.m->err), w.m->err);
	return a;
}

static void a_slot_that_came_meanwhile_is_replaced_in_its_turn(void **state_)
{
	struct unit *m = *state_;

	bound(m);
	both(m, by_the_other, by_the_third);
	assert_int_equal(w.call[0].r, 0);
	assert_int_equal(w.call[1].r, 0);
	/* with a turn of the range that it has now */
	assert_true(w.deleted);
	assert_true(w.held_now);
	assert_false(w.held_old);
	assert_int_equal(unit_slot(m, 0)->at.start, 4 * GiB);
	assert_int_equal(state(w.g), GMEM_ATTRIBUTE_UNSET);
	assert_int_equal(state(w.other), GMEM_ATTRIBUTE_UNSET);
	assert_int_equal(state(w.third), GMEM_ATTRIBUTE_PRIVATE);
	assert_false(unit_gpa_private(m, 2 * GiB));
	assert_true(unit_gpa_private(m, 4 * GiB));
}

static void without_one_that_went_meanwhile_all_stay(void **state_)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	struct unit *m = *state_;

	bound(m);
	unit_bind(m, w.other, 1, 3 * GiB);
	both(m, unbinds, both_by_the_third);
	assert_int_equal(w.call[0].r, 0);
	t_code(w.call[1].r, -EINVAL);
	t_reason(&w.call[1].err, GMEM_REASON_NOT_BOUND);
	assert_false(w.deleted);
	t_ok(gmem_slot_get(m->vm, 1, 0, &s, &m->err), m->err);
	unit_same(m, w.other, 3 * GiB);
	t_ok(gmem_unbind(m->vm, 1, 0, 0, &m->err), m->err);
	assert_null(unit_slot(m, 1));
}

/* The slot is still the one that the unbind was asked for. */
static void a_refused_replacement_leaves_an_unbind_its_slot(void **state_)
{
	struct unit *m = *state_;

	bound(m);
	unit_bind(m, w.other, 1, 3 * GiB);
	both(m, by_one_in_the_way, unbinds);
	t_code(w.call[0].r, -EEXIST);
	t_reason(&w.call[0].err, GMEM_REASON_GPA_OVERLAP);
	assert_int_equal(w.call[1].r, 0);
	assert_null(unit_slot(m, 0));
}

static void a_slot_that_is_stuck_meanwhile_stays_so(void **state_)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	struct unit *m = *state_;

	bound(m);
	unit_answer(m, "ioctl", REGION, 1, 1, -EPERM);
	both(m, unbinds, by_the_third);
	t_code(w.call[0].r, -EPERM);
	t_code(w.call[1].r, -EBUSY);
	t_reason(&w.call[1].err, GMEM_REASON_SLOT_STUCK);
	assert_false(w.deleted);
	t_refused(by_the_third(&m->err), -EBUSY, GMEM_REASON_SLOT_STUCK,
		  m->err);
	t_ok(gmem_slot_get(m->vm, 0, 0, &s, &m->err), m->err);
	assert_true(s.flags & GMEM_SLOT_STUCK);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
}

static void a_note_waits_for_its_range_too(void **state_)
{
	struct unit *m = *state_;

	bound(m);
	t_ok(gmem_unbind(m->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	both(m, notes, notes);
	assert_int_equal(w.call[0].r, 0);
	t_code(w.call[1].r, -EEXIST);
	assert_int_equal(state(w.g), GMEM_ATTRIBUTE_SHARED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_slot_that_came_meanwhile_is_replaced_in_its_turn,
		     unit_sw),
		TEST(without_one_that_went_meanwhile_all_stay, unit_sw),
		TEST(a_refused_replacement_leaves_an_unbind_its_slot, unit_sw),
		TEST(a_slot_that_is_stuck_meanwhile_stays_so, unit_sw),
		TEST(a_note_waits_for_its_range_too, unit_sw),
	};

	return t_main(tests);
}
