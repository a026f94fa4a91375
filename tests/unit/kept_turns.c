// SPDX-License-Identifier: MIT
/*
 * A call that brings a slot has its turn with all that it may end: what is kept
 * where the slot will be, and of its range of the file.
 */
#include <pthread.h>

#include "unit.h"

#include "kept.h"
#include "lock.h"
#include "slot.h"
#include "slot_begin.h"
#include "ticket.h"
#include "vm.h"

#define CREATE GMEM__KVM_SET_USER_MEMORY_REGION2

static bool held(struct unit *m, const struct gmem *g, uint64_t offset)
{
	return unit_turns(m->vm, g, offset) > 0;
}

/* Leaves [@offset, @offset + 1 MiB) of @g kept at @gpa. */
static void keep(struct unit *m, struct gmem *g, uint64_t gpa, uint64_t offset)
{
	t_ok(t_bind(g, 9, gpa, offset, 1 * MiB, NULL, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 9, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
}

#define LOOKS 24

/* The pages that it looks at while KVM makes the slot. */
struct looks {
	struct {
		const struct gmem *g;
		uint64_t offset;
		bool held, found;
	} at[LOOKS];
	unsigned int n, creates;
};

static void expect(struct looks *l, const struct gmem *g, uint64_t offset,
		   bool yes)
{
	assert_true(l->n < LOOKS);
	l->at[l->n].g = g;
	l->at[l->n].offset = offset;
	l->at[l->n++].held = yes;
}

static void look(struct unit *m, const struct unit_call *c, void *arg)
{
	struct looks *l = m->hook_arg;

	(void)arg;
	if (c->request != CREATE)
		return;
	__atomic_store_n(&l->creates, l->creates + 1, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < l->n; i++)
		l->at[i].found = held(m, l->at[i].g, l->at[i].offset);
}

static void bind_and_look(struct unit *m, struct gmem *g, uint64_t gpa,
			  uint64_t offset, uint64_t len, struct looks *l)
{
	m->hook = look;
	m->hook_arg = l;
	t_ok(t_bind(g, 0, gpa, offset, len, NULL, &m->err), m->err);
	m->hook = NULL;
	assert_int_equal(l->creates, 1);
	for (unsigned int i = 0; i < l->n; i++) {
		assert_int_equal(l->at[i].found, l->at[i].held);
		/* and nothing afterwards */
		assert_false(held(m, l->at[i].g, l->at[i].offset));
	}
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
}

static void all_that_is_kept_there_is_held(void **state)
{
	struct unit *m = *state;
	struct gmem *other = unit_create(m, 4 * MiB, 0);
	struct gmem *g = unit_create(m, 4 * MiB, 0);
	struct looks l = { .n = 0 };

	/* below, in the range and beyond it, of which it meets a part */
	keep(m, other, 1 * GiB, 0);
	keep(m, other, 1 * GiB + 2 * MiB, 3 * MiB);
	keep(m, other, 1 * GiB + 5 * MiB, 2 * MiB);
	expect(&l, g, 0, false);
	expect(&l, g, 1 * MiB, true);
	expect(&l, g, 4 * MiB - 1, true);
	expect(&l, other, 0, false);
	expect(&l, other, 1 * MiB - 1, false);
	expect(&l, other, 1 * MiB, false);
	expect(&l, other, 2 * MiB, true);
	expect(&l, other, 3 * MiB, true);
	expect(&l, other, 4 * MiB - 1, true);
	/* up to the middle of the last */
	bind_and_look(m, g, 1 * GiB + 5 * MiB / 2, 1 * MiB, 3 * MiB, &l);
}

static void what_only_touches_is_not_held(void **state)
{
	struct unit *m = *state;
	struct gmem *other = unit_create(m, 4 * MiB, 0);
	struct gmem *g = unit_create(m, 4 * MiB, 0);
	struct looks l = { .n = 0 };

	keep(m, other, 1 * GiB, 0);
	keep(m, other, 1 * GiB + 3 * MiB, 2 * MiB);
	keep(m, g, 2 * GiB, 0);
	keep(m, g, 3 * GiB, 3 * MiB);
	expect(&l, other, 0, false);
	expect(&l, other, 2 * MiB, false);
	expect(&l, g, 0, false);
	expect(&l, g, 3 * MiB, false);
	expect(&l, g, 1 * MiB, true);
	expect(&l, g, 3 * MiB - 1, true);
	bind_and_look(m, g, 1 * GiB + 1 * MiB, 1 * MiB, 2 * MiB, &l);
}

static void what_the_range_has_elsewhere_is_held(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 8 * MiB, 0);
	struct looks l = { .n = 0 };

	keep(m, g, 2 * GiB, 0);
	keep(m, g, 3 * GiB, 1 * MiB);
	keep(m, g, 4 * GiB, 4 * MiB);
	keep(m, g, 5 * GiB, 6 * MiB);
	expect(&l, g, 0, false);
	expect(&l, g, 1 * MiB, true);
	expect(&l, g, 2 * MiB, true);
	/* all of an entry, since without memory more than a part ends */
	expect(&l, g, 5 * MiB - 1, true);
	expect(&l, g, 5 * MiB, false);
	expect(&l, g, 6 * MiB, false);
	bind_and_look(m, g, 1 * GiB, 3 * MiB / 2, 3 * MiB, &l);
}

/* More than the call has room for on its stack. */
static void however_many_there_are(void **state)
{
	struct unit *m = *state;
	struct gmem *other = unit_create(m, 32 * MiB, 0);
	struct gmem *g = unit_create(m, 32 * MiB, 0);
	unsigned int allocs;

	for (unsigned int n = 6; n < 11; n++) {
		struct looks l = { .n = 0 };

		for (unsigned int i = 0; i < n; i++) {
			keep(m, other, GiB + 2 * i * MiB, 2 * i * MiB);
			expect(&l, other, 2 * i * MiB, true);
			expect(&l, other, (2 * i + 1) * MiB, false);
		}
		expect(&l, g, 0, true);
		allocs = m->live_allocs;
		bind_and_look(m, g, GiB, 0, 32 * MiB, &l);
		/* they have ended */
		assert_int_equal(m->live_allocs, allocs - n);
	}
}

static void without_memory_for_the_list_it_is_refused(void **state)
{
	struct unit *m = *state;
	struct gmem *other = unit_create(m, 32 * MiB, 0);
	struct gmem *g = unit_create(m, 32 * MiB, 0);
	uint64_t a;

	for (unsigned int i = 0; i < 9; i++)
		keep(m, other, GiB + 2 * i * MiB, 2 * i * MiB);
	unit_reset(m);
	m->fail_alloc = 3; /* the reservation, the slot, and this */
	t_refused(t_bind(g, 0, GiB, 0, 32 * MiB, NULL, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_int_equal(unit_count(m, "ioctl", CREATE), 0);
	assert_false(held(m, g, 0));
	assert_false(held(m, other, 0));
	t_ok(gmem_get_attributes(other, 16 * MiB, m->page, &a, NULL, &m->err),
	     m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
}

/* ------------------------------------------- it changes while one waits -- */

struct bind {
	struct unit *m;
	struct gmem *g;
	bool replace; /* none, by it */
	int r;
};

static void *bind(void *arg)
{
	struct bind *b = arg;
	struct gmem_error err = { .sz = sizeof(err) };

	if (b->replace) {
		struct gmem_slot s = { .sz = sizeof(s),
				       .gmem = b->g,
				       .gpa = GiB,
				       .len = 8 * MiB };

		b->r = gmem_slots_replace(b->m->vm, NULL, 0, &s, 1, 0, &err);
	} else {
		b->r = t_bind(b->g, 0, GiB, 0, 8 * MiB, NULL, &err);
	}
	return NULL;
}

struct change {
	bool late;	 /* of a third file, or of the second */
	uint64_t at, of; /* the address above 1 GiB, and the offset */
};

/* @other has 1 MiB kept at 1 GiB + 1 MiB. */
static void change(struct unit *m, const struct change *c, bool replace)
{
	struct gmem *g = unit_create(m, 8 * MiB, 0);
	struct gmem *other = unit_create(m, 8 * MiB, 0);
	struct gmem *late = unit_create(m, 8 * MiB, 0);
	struct gmem *of = c->late ? late : other;
	struct gmem__range r = { other, 1 * MiB, 2 * MiB };
	struct bind b = { m, g, replace, 1 };
	struct looks l = { .n = 0 };
	struct gmem__range last = { of, c->of, c->of + 1 * MiB };
	struct gmem__ticket first, second;
	pthread_t thread;

	keep(m, other, GiB + 1 * MiB, 1 * MiB);
	t_ok(t_bind(of, 5, GiB + c->at, c->of, 1 * MiB, NULL, &m->err), m->err);
	assert_int_equal(
		gmem__ticket_take(m->vm, &first, &r, 1, false, NULL, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, bind, &b), 0);
	assert_true(unit_turns_are(m->vm, 1, g, 0));
	t_ok(gmem_unbind(m->vm, 5, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	expect(&l, g, 0, true);
	expect(&l, other, 1 * MiB, true);
	expect(&l, of, c->of, true);
	assert_int_equal(
		gmem__ticket_take(m->vm, &second, &last, 1, false, NULL, NULL),
		0);
	m->hook_arg = &l;
	m->hook = look;
	gmem__ticket_return(m->vm, &first);
	/* what came meanwhile is another's still */
	assert_true(unit_turns_are(m->vm, 2, of, c->of));
	assert_int_equal(__atomic_load_n(&l.creates, __ATOMIC_ACQUIRE), 0);
	gmem__ticket_return(m->vm, &second);
	assert_int_equal(pthread_join(thread, NULL), 0);
	m->hook = NULL;
	t_code(b.r, 0);
	for (unsigned int i = 0; i < l.n; i++) {
		assert_true(l.at[i].found);
		assert_false(held(m, l.at[i].g, l.at[i].offset));
	}
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	t_ok(gmem_close(late, &m->err), m->err);
	t_ok(gmem_close(other, &m->err), m->err);
	t_ok(gmem_close(g, &m->err), m->err);
}

static void what_is_kept_meanwhile_is_held_too(void **state)
{
	static const struct change changes[] = {
		{ true, 6 * MiB, 2 * MiB },  /* one more */
		{ false, 2 * MiB, 2 * MiB }, /* one grows, at its end */
		{ false, 0, 0 },	     /* and at its start */
	};

	for (size_t i = 0; i < T_ARRAY_SIZE(changes); i++)
		for (int replace = 0; replace < 2; replace++)
			change(*state, &changes[i], replace);
}

/* Not even between the turn and the table. */
static void a_slot_does_not_come_over_what_is_not_held(void **state)
{
	struct unit *m = *state;
	struct gmem *other = unit_create(m, 1 * MiB, 0);
	struct gmem *g = unit_create(m, 1 * MiB, 0);
	struct gmem__slot s = { .state = GMEM__SLOT_MAKING };
	struct gmem__hold h;

	s.s = (struct gmem_slot){ .sz = sizeof(s.s),
				  .gmem = g,
				  .gpa = GiB,
				  .len = 1 * MiB,
				  .flags = GMEM_SLOT_FD };
	t_ok(t_bind(other, 5, GiB, 0, 1 * MiB, NULL, &m->err), m->err);
	t_code(gmem__hold_take(m->vm, &h, &s.s, 1, NULL, 0, &m->err), 0);
	t_ok(gmem_unbind(m->vm, 5, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	t_code(gmem__slot_insert(m->vm, &s, &s.s, &h, &m->err), 1);
	t_code(gmem__slot_replace(m->vm, &s, &s.s, &h, &m->err), 1);
	gmem__hold_return(m->vm, &h);
	t_refused(gmem_slot_get(
			  m->vm, 0, 0,
			  &(struct gmem_slot){ .sz = sizeof(struct gmem_slot) },
			  &m->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, m->err);
	t_code(gmem__hold_take(m->vm, &h, &s.s, 1, NULL, 0, &m->err), 0);
	assert_true(held(m, other, 0));
	gmem__lock(&m->vm->lock);
	assert_true(gmem__hold_is_all(m->vm, &h));
	gmem__unlock(&m->vm->lock);
	gmem__hold_return(m->vm, &h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(all_that_is_kept_there_is_held, unit_sw),
		TEST(what_only_touches_is_not_held, unit_sw),
		TEST(what_the_range_has_elsewhere_is_held, unit_sw),
		TEST(however_many_there_are, unit_sw),
		TEST(without_memory_for_the_list_it_is_refused, unit_sw),
		TEST(what_is_kept_meanwhile_is_held_too, unit_sw),
		TEST(a_slot_does_not_come_over_what_is_not_held, unit_sw),
	};

	return t_main(tests);
}
