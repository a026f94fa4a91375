// SPDX-License-Identifier: MIT
/*
 * Attributes that an unbind keeps for their file at its guest addresses: taken
 * over, changed in the hole, ended by whatever else comes there.
 */
#include "unit.h"

#define KEEP GMEM_UNBIND_KEEP_ATTRIBUTES
#define ATTRIBUTES GMEM__KVM_SET_MEMORY_ATTRIBUTES
#define P GMEM_ATTRIBUTE_PRIVATE
#define S GMEM_ATTRIBUTE_SHARED
#define U GMEM_ATTRIBUTE_UNSET

static void convert(struct unit *m, uint64_t offset, uint64_t len, uint64_t a)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };

	t_ok(gmem_set_attributes(m->g, offset, len, a, &o, &m->err), m->err);
}

static int bind_as(struct unit *m, struct gmem *g, uint32_t slot, uint64_t gpa,
		   uint64_t offset, uint64_t len, uint64_t flags)
{
	struct gmem_slot o = { .sz = sizeof(o), .flags = flags };

	return t_bind(g, slot, gpa, offset, len, &o, &m->err);
}

/* 4 MiB at 1 GiB with the second MiB shared, unbound with all of it kept. */
static void keep(struct unit *m)
{
	unit_create(m, 4 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
	convert(m, 1 * MiB, 1 * MiB, S);
	t_ok(gmem_unbind(m->vm, 0, 0, KEEP, &m->err), m->err);
	unit_same(m, m->g, GiB);
	unit_reset(m);
}

static void the_same_slot_takes_it_without_a_call(void **state_)
{
	struct unit *m = *state_;

	keep(m);
	t_ok(bind_as(m, m->g, 0, GiB, 0, 4 * MiB, GMEM_SLOT_TAKE_KEPT), m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), S);
	/* and it is the slot's now */
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	assert_int_equal(unit_state(m, m->g, 0), U);
	assert_false(unit_gpa_private(m, GiB));
}

/* Split in two, and one of both with a part that was never kept. */
static void parts_are_taken_and_the_rest_starts_as_usual(void **state_)
{
	struct unit *m = *state_;
	const struct unit_call *c;

	unit_create(m, 4 * MiB, 0);
	t_ok(bind_as(m, m->g, 0, GiB, 0, 3 * MiB, 0), m->err);
	convert(m, 1 * MiB, 1 * MiB, S);
	t_ok(gmem_unbind(m->vm, 0, 0, KEEP, &m->err), m->err);
	unit_reset(m);
	t_ok(bind_as(m, m->g, 0, GiB, 0, 1 * MiB, GMEM_SLOT_TAKE_KEPT), m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
	t_ok(bind_as(m, m->g, 1, GiB + 1 * MiB, 1 * MiB, 3 * MiB,
		     GMEM_SLOT_TAKE_KEPT),
	     m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 1);
	c = unit_nth(m, "ioctl", ATTRIBUTES, 0);
	assert_int_equal(c->in.attr.address, GiB + 3 * MiB);
	assert_int_equal(c->in.attr.size, 1 * MiB);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), S);
	assert_int_equal(unit_state(m, m->g, 3 * MiB), P);
}

/* Slots that lay side by side leave one range, that one slot takes. */
static void what_touches_is_merged(void **state_)
{
	struct unit *m = *state_;
	unsigned int allocs;

	unit_create(m, 4 * MiB, 0);
	allocs = m->live_allocs;
	for (uint32_t i = 0; i < 4; i++)
		t_ok(bind_as(m, m->g, i, GiB + i * MiB, i * MiB, 1 * MiB, 0),
		     m->err);
	convert(m, 1 * MiB, 1 * MiB, S);
	for (uint32_t i = 0; i < 4; i++)
		t_ok(gmem_unbind(m->vm, i ^ 1, 0, KEEP, &m->err), m->err);
	assert_int_equal(m->live_allocs, allocs + 1);
	unit_reset(m);
	t_ok(bind_as(m, m->g, 0, GiB, 0, 4 * MiB, GMEM_SLOT_TAKE_KEPT), m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
	unit_same(m, m->g, GiB);
}

/* Without the flag, and by another file, which leaves no claim behind. */
static void any_other_slot_there_sets_its_own(void **state_)
{
	struct unit *m = *state_;
	struct gmem *first, *other;

	keep(m);
	t_ok(bind_as(m, m->g, 0, GiB, 0, 4 * MiB, 0), m->err);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), P);
	t_ok(gmem_unbind(m->vm, 0, 0, KEEP, &m->err), m->err);
	first = m->g;
	other = unit_create(m, 1 * MiB, 0);
	t_ok(bind_as(m, other, 0, GiB + 1 * MiB, 0, 1 * MiB,
		     GMEM_SLOT_TAKE_KEPT | GMEM_SLOT_LEAVE_SHARED),
	     m->err);
	unit_same(m, other, GiB + 1 * MiB);
	assert_int_equal(unit_state(m, first, 0), P);
	assert_int_equal(unit_state(m, first, 1 * MiB), U);
	assert_int_equal(unit_state(m, first, 2 * MiB), P);
	assert_true(unit_gpa_private(m, GiB));
	/* what is kept on both sides is still that file's */
	t_ok(gmem_set_attributes(
		     first, 2 * MiB, 2 * MiB, S,
		     &(struct gmem_attributes_opts){
			     .sz = sizeof(struct gmem_attributes_opts),
			     .flags = GMEM_ATTRIBUTES_UNBACKED },
		     &m->err),
	     m->err);
	assert_false(unit_gpa_private(m, GiB + 2 * MiB));
	assert_false(unit_gpa_private(m, GiB + 4 * MiB - m->page));
	assert_true(unit_gpa_private(m, GiB));
}

static void the_same_range_elsewhere_ends_it(void **state_)
{
	struct unit *m = *state_;

	keep(m);
	t_ok(bind_as(m, m->g, 0, 2 * GiB, 1 * MiB, 1 * MiB,
		     GMEM_SLOT_TAKE_KEPT),
	     m->err);
	assert_int_equal(unit_state(m, m->g, 0), P);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), P);
	assert_true(unit_gpa_private(m, 2 * GiB));
	/* nobody's: converting the range does not reach it */
	convert(m, 1 * MiB, 1 * MiB, S);
	assert_false(unit_gpa_private(m, 2 * GiB));
	/* and what is still kept beside it can be taken */
	unit_reset(m);
	t_ok(bind_as(m, m->g, 1, GiB, 0, 1 * MiB, GMEM_SLOT_TAKE_KEPT), m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
	assert_true(unit_gpa_private(m, GiB));
}

/* At address 0, of which nothing lies below, unlike of the file. */
static void at_address_0_only_the_same_range_ends(void **state_)
{
	struct unit *m = *state_;

	unit_create(m, 4 * MiB, 0);
	t_ok(bind_as(m, m->g, 0, 0, 2 * MiB, 2 * MiB, 0), m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	t_ok(bind_as(m, m->g, 0, 2 * GiB, 1 * MiB, 2 * MiB, 0), m->err);
	/* the rest is kept, and no more than that */
	assert_int_equal(unit_state(m, m->g, 3 * MiB), P);
	convert(m, 3 * MiB, 1 * MiB, S);
	assert_false(unit_gpa_private(m, 1 * MiB));
	t_refused(gmem_vm_set_attributes(m->vm, 0, 2 * MiB, 1 * MiB, P, NULL,
					 &m->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, m->err);
	t_refused(
		gmem_vm_set_attributes(m->vm, 0, 0, 1 * MiB, P, NULL, &m->err),
		-EINVAL, GMEM_REASON_NOT_BOUND, m->err);
	t_ok(bind_as(m, m->g, 1, 1 * MiB, 3 * MiB, 1 * MiB,
		     GMEM_SLOT_TAKE_KEPT),
	     m->err);
	assert_int_equal(unit_state(m, m->g, 3 * MiB), S);
}

static void what_is_kept_can_be_converted(void **state_)
{
	struct unit *m = *state_;
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };

	keep(m);
	convert(m, 512 * KiB, 1 * MiB, P);
	unit_same(m, m->g, GiB);
	t_ok(gmem_vm_set_attributes(m->vm, 0, GiB + 3 * MiB, 1 * MiB, S, &o,
				    &m->err),
	     m->err);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), P);
	assert_int_equal(unit_state(m, m->g, 3 * MiB), S);
	t_refused(gmem_vm_set_attributes(m->vm, 0, GiB + 3 * MiB, 2 * MiB, P,
					 &o, &m->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, m->err);
	t_refused(gmem_vm_discard(m->vm, 0, GiB, 1 * MiB, NULL, &m->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, m->err);
	/* half in a slot, half in the hole */
	t_ok(bind_as(m, m->g, 0, GiB, 0, 1 * MiB, GMEM_SLOT_TAKE_KEPT), m->err);
	t_ok(gmem_vm_set_attributes(m->vm, 0, GiB, 4 * MiB, P, &o, &m->err),
	     m->err);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 3 * MiB), P);
}

static void close_leaves_it_to_nobody(void **state_)
{
	struct unit *m = *state_;

	keep(m);
	t_ok(gmem_close(m->g, &m->err), m->err);
	unit_create(m, 4 * MiB, 0);
	t_ok(bind_as(m, m->g, 0, GiB, 0, 4 * MiB,
		     GMEM_SLOT_LEAVE_SHARED | GMEM_SLOT_TAKE_KEPT),
	     m->err);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 0), S);
}

static void note(struct unit *m, uint64_t gpa, uint64_t flags)
{
	struct gmem_slot n = { .sz = sizeof(n),
			       .slot = 5,
			       .gpa = gpa,
			       .len = 1 * MiB,
			       .offset = 1 * MiB,
			       .gmem = m->g,
			       .userspace_addr = 1 * MiB,
			       .flags = GMEM_SLOT_FD | flags };

	t_ok(gmem_slot_note(m->vm, &n, &m->err), m->err);
}

static void a_note_takes_it_or_ends_it(void **state_)
{
	struct unit *m = *state_;

	keep(m);
	note(m, GiB + 1 * MiB, GMEM_SLOT_TAKE_KEPT);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), S);
	t_ok(gmem_slot_forget(m->vm, 5, 0, &m->err), m->err);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), U);
	t_ok(bind_as(m, m->g, 0, GiB, 0, 4 * MiB, GMEM_SLOT_TAKE_KEPT), m->err);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), P);
	t_ok(gmem_unbind(m->vm, 0, 0, KEEP, &m->err), m->err);
	note(m, GiB + 1 * MiB, 0);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), U);
	assert_int_equal(unit_state(m, m->g, 2 * MiB), P);
	t_ok(gmem_slot_forget(m->vm, 5, 0, &m->err), m->err);
	note(m, 3 * GiB, GMEM_SLOT_TAKE_KEPT);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), U);
	t_ok(gmem_slot_forget(m->vm, 5, 0, &m->err), m->err);
}

/* Over two kept ranges and a gap, the third call failing. */
static void fail_a_bind(struct unit *m, struct gmem *other, bool stuck)
{
	if (stuck)
		unit_answer(m, "ioctl", GMEM__KVM_SET_USER_MEMORY_REGION, 1, 1,
			    -ENOMEM);
	unit_answer(m, "ioctl", ATTRIBUTES, 2, 1, -ENOMEM);
	t_refused(bind_as(m, other, 0, GiB - 1 * GiB / 2, 0, 2 * GiB, 0),
		  -ENOMEM, GMEM_REASON_NO_MEMORY, m->err);
	assert_int_equal(!!(m->err.flags & GMEM_ERROR_STUCK), stuck);
}

static void a_bind_that_fails_leaves_it(void **state_)
{
	struct unit *m = *state_;
	struct gmem *first;

	for (int stuck = 0; stuck < 2; stuck++) {
		keep(m);
		first = m->g;
		fail_a_bind(m, unit_create(m, 2 * GiB, 0), stuck);
		unit_same(m, first, GiB);
		assert_int_equal(unit_state(m, first, 0), P);
		assert_int_equal(unit_state(m, first, 1 * MiB), S);
		/* and the end of the slot that was stuck */
		if (stuck)
			t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		unit_same(m, first, GiB);
		assert_false(unit_gpa_private(m, GiB - 1 * MiB));
		assert_false(unit_gpa_private(m, GiB + 4 * MiB));
		unit_reset(m);
		t_ok(bind_as(m, first, 0, GiB, 0, 4 * MiB, GMEM_SLOT_TAKE_KEPT),
		     m->err);
		assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
		t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		t_ok(gmem_close(m->g, &m->err), m->err);
		t_ok(gmem_close(first, &m->err), m->err);
	}
}

/* Of what is kept, only as far as the bind had got: the second call failed. */
static void a_bind_that_fails_restores_what_it_had_changed(void **state_)
{
	struct unit *m = *state_;
	const uint64_t at = GiB + 3 * MiB / 2, end = at + GiB;
	const struct unit_call *c;
	struct gmem *first, *second;

	second = unit_create(m, 4 * MiB, 0);
	t_ok(bind_as(m, second, 1, end - 2 * MiB, 0, 4 * MiB, 0), m->err);
	convert(m, 0, 1 * MiB, S);
	t_ok(gmem_unbind(m->vm, 1, 0, KEEP, &m->err), m->err);
	keep(m);
	first = m->g;
	unit_create(m, 2 * GiB, 0);
	unit_answer(m, "ioctl", ATTRIBUTES, 2, 1, -ENOMEM);
	t_refused(bind_as(m, m->g, 0, at, 0, 2 * GiB, 0), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	unit_same(m, first, GiB);
	unit_same(m, second, end - 2 * MiB);
	assert_int_equal(unit_state(m, first, 1 * MiB), S);
	assert_int_equal(unit_state(m, second, 0), S);
	assert_int_equal(unit_state(m, second, 1 * MiB), P);
	/* made private what was: of the first from its middle on */
	for (unsigned int i = 2, made = 0;; i++) {
		c = unit_nth(m, "ioctl", ATTRIBUTES, i);
		if (!c) {
			assert_int_equal(made, 2);
			break;
		}
		if (c->in.attr.attributes != P)
			continue;
		assert_int_equal(c->in.attr.address,
				 made ? end - 1 * MiB : GiB + 2 * MiB);
		assert_int_equal(c->in.attr.size, made ? 1 * MiB : 2 * MiB);
		made++;
	}
}

/* 6 MiB at 1 GiB: no attribute can be set, and then the slot not be deleted. */
static void bind_stuck(struct unit *m)
{
	unit_reset(m);
	unit_answer(m, "ioctl", ATTRIBUTES, 1, 1, -ENOMEM);
	unit_answer(m, "ioctl", GMEM__KVM_SET_USER_MEMORY_REGION, 1, 1,
		    -ENOMEM);
	t_refused(bind_as(m, m->g, 0, GiB, 0, 6 * MiB, 0), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_true(m->err.flags & GMEM_ERROR_STUCK);
	unit_reset(m);
}

/* The slot stays beside what is kept in its middle, which it does not have. */
static void a_slot_that_is_stuck_leaves_what_is_kept(void **state_)
{
	struct unit *m = *state_;

	unit_create(m, 6 * MiB, 0);
	t_ok(bind_as(m, m->g, 1, GiB + 2 * MiB, 2 * MiB, 2 * MiB, 0), m->err);
	t_ok(gmem_unbind(m->vm, 1, 0, KEEP, &m->err), m->err);
	bind_stuck(m);
	convert(m, 0, 6 * MiB, S);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 3);
	unit_same(m, m->g, GiB);
	convert(m, 3 * MiB, 2 * MiB, P);
	unit_same(m, m->g, GiB);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	assert_int_equal(unit_state(m, m->g, 0), U);
	assert_int_equal(unit_state(m, m->g, 2 * MiB - m->page), U);
	assert_int_equal(unit_state(m, m->g, 2 * MiB), S);
	assert_int_equal(unit_state(m, m->g, 3 * MiB), P);
	assert_int_equal(unit_state(m, m->g, 4 * MiB), U);
	assert_int_equal(unit_state(m, m->g, 6 * MiB - m->page), U);
	assert_false(unit_gpa_private(m, GiB + 4 * MiB));
	assert_true(unit_gpa_private(m, GiB + 3 * MiB));
}

/* Two pieces are not taken: after the first has failed, the second waits. */
static void a_piece_that_fails_is_the_last(void **state_)
{
	struct unit *m = *state_;

	unit_create(m, 6 * MiB, 0);
	t_ok(bind_as(m, m->g, 1, GiB + 2 * MiB, 2 * MiB, 2 * MiB, 0), m->err);
	t_ok(gmem_unbind(m->vm, 1, 0, KEEP, &m->err), m->err);
	unit_reset(m);
	unit_answer(m, "ioctl", ATTRIBUTES, 1, 1, -ENOMEM);
	t_refused(bind_as(m, m->g, 0, GiB, 0, 6 * MiB, GMEM_SLOT_TAKE_KEPT),
		  -ENOMEM, GMEM_REASON_NO_MEMORY, m->err);
	for (unsigned int i = 1; i < unit_count(m, "ioctl", ATTRIBUTES); i++)
		assert_int_not_equal(
			unit_nth(m, "ioctl", ATTRIBUTES, i)->in.attr.attributes,
			P);
	assert_int_equal(unit_state(m, m->g, 0), U);
	assert_int_equal(unit_state(m, m->g, 4 * MiB), U);
	unit_same(m, m->g, GiB);
}

/* Its guest addresses are kept for another file: there it has no attributes. */
static void nor_what_another_file_keeps_there(void **state_)
{
	struct unit *m = *state_;
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };
	struct gmem *first = unit_create(m, 6 * MiB, 0);

	t_ok(bind_as(m, first, 1, GiB + 2 * MiB, 2 * MiB, 2 * MiB, 0), m->err);
	t_ok(gmem_unbind(m->vm, 1, 0, KEEP, &m->err), m->err);
	unit_create(m, 6 * MiB, 0);
	bind_stuck(m);
	convert(m, 0, 2 * MiB, P);
	convert(m, 4 * MiB, 2 * MiB, P);
	t_refused(gmem_set_attributes(m->g, 0, 6 * MiB, S, &o, &m->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, m->err);
	assert_int_equal(m->err.value, 2 * MiB);
	assert_int_equal(unit_state(m, m->g, 2 * MiB - m->page), P);
	assert_int_equal(unit_state(m, m->g, 4 * MiB), P);
	assert_int_equal(unit_state(m, first, 2 * MiB), P);
	for (uint64_t at = 0; at < 6 * MiB; at += MiB)
		assert_true(unit_gpa_private(m, GiB + at));
}

/* Whatever fails: the file is unchanged, and so is what it has there. */
static void a_close_that_fails_leaves_it(void **state_)
{
	struct unit *m = *state_;
	unsigned int nth;
	int r = -1;

	for (nth = 1; r < 0; nth++) {
		struct gmem_error err = { .sz = sizeof(err) };

		keep(m);
		unit_answer(m, "munmap", 0, nth, 1, -ENOMEM);
		r = gmem_close(m->g, &err);
		unit_reset(m);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(unit_state(m, m->g, 0), P);
		unit_same(m, m->g, GiB);
		t_ok(gmem_close(m->g, &m->err), m->err);
	}
	assert_true(nth > 1);
}

/* What could not be restored is claimed by nobody. */
static void what_cannot_be_restored_is_unset(void **state_)
{
	struct unit *m = *state_;
	struct gmem *first;

	keep(m);
	first = m->g;
	unit_create(m, 2 * GiB, 0);
	unit_answer(m, "ioctl", ATTRIBUTES, 2, 8, -ENOMEM);
	t_refused(bind_as(m, m->g, 0, GiB / 2, 0, 2 * GiB, 0), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_int_equal(unit_state(m, first, 0), U);
	unit_reset(m);
	t_ok(bind_as(m, first, 0, GiB, 0, 4 * MiB,
		     GMEM_SLOT_TAKE_KEPT | GMEM_SLOT_LEAVE_SHARED),
	     m->err);
	unit_same(m, first, GiB);
	assert_int_equal(unit_state(m, first, 0), S);
}

/* A range that cannot be split for lack of memory is nobody's at all. */
static void without_memory_it_is_nobodys(void **state_)
{
	struct unit *m = *state_;
	struct gmem *first;

	keep(m);
	first = m->g;
	unit_create(m, 1 * MiB, 0);
	m->fail_alloc = 3; /* the reservation, the slot, and this */
	t_ok(bind_as(m, m->g, 0, GiB + 1 * MiB, 0, 1 * MiB, 0), m->err);
	for (uint64_t at = 0; at < 4 * MiB; at += 1 * MiB)
		assert_int_equal(unit_state(m, first, at), U);
	unit_same(m, m->g, GiB + 1 * MiB);
	t_ok(bind_as(m, first, 1, GiB, 0, 1 * MiB,
		     GMEM_SLOT_TAKE_KEPT | GMEM_SLOT_LEAVE_SHARED),
	     m->err);
	assert_false(unit_gpa_private(m, GiB));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_same_slot_takes_it_without_a_call, unit_sw),
		TEST(parts_are_taken_and_the_rest_starts_as_usual, unit_sw),
		TEST(what_touches_is_merged, unit_sw),
		TEST(any_other_slot_there_sets_its_own, unit_sw),
		TEST(the_same_range_elsewhere_ends_it, unit_sw),
		TEST(at_address_0_only_the_same_range_ends, unit_sw),
		TEST(what_is_kept_can_be_converted, unit_sw),
		TEST(close_leaves_it_to_nobody, unit_sw),
		TEST(a_note_takes_it_or_ends_it, unit_sw),
		TEST(a_bind_that_fails_leaves_it, unit_sw),
		TEST(a_bind_that_fails_restores_what_it_had_changed, unit_sw),
		TEST(a_slot_that_is_stuck_leaves_what_is_kept, unit_sw),
		TEST(nor_what_another_file_keeps_there, unit_sw),
		TEST(a_piece_that_fails_is_the_last, unit_sw),
		TEST(a_close_that_fails_leaves_it, unit_sw),
		TEST(what_cannot_be_restored_is_unset, unit_sw),
		TEST(without_memory_it_is_nobodys, unit_sw),
	};

	return t_main(tests);
}
