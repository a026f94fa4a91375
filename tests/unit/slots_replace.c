// SPDX-License-Identifier: MIT
/* Slots instead of others: what is made, kept, moved, and undone. */
#include "unit.h"

#include "left.h"

#define ATTRIBUTES GMEM__KVM_SET_MEMORY_ATTRIBUTES
#define REGION GMEM__KVM_SET_USER_MEMORY_REGION
#define REGION2 GMEM__KVM_SET_USER_MEMORY_REGION2
#define P GMEM_ATTRIBUTE_PRIVATE
#define S GMEM_ATTRIBUTE_SHARED
#define U GMEM_ATTRIBUTE_UNSET

static struct gmem_slot slot(uint32_t id, struct gmem *g, uint64_t gpa,
			     uint64_t offset, uint64_t len)
{
	return (struct gmem_slot){ .sz = sizeof(struct gmem_slot),
				   .slot = id,
				   .gmem = g,
				   .gpa = gpa,
				   .offset = offset,
				   .len = len };
}

static struct gmem_slot get(struct unit *m, uint32_t id)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	t_ok(gmem_slot_get(m->vm, id, 0, &s, &m->err), m->err);
	return s;
}

/* 4 MiB as slot 0 at 1 GiB, the second MiB shared. */
static void bound(struct unit *m)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };

	unit_create(m, 4 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
	t_ok(gmem_set_attributes(m->g, 1 * MiB, 1 * MiB, S, &o, &m->err),
	     m->err);
	unit_reset(m);
}

static int replace(struct unit *m, struct gmem_slot *from, uint32_t n,
		   struct gmem_slot *to, uint32_t n_to)
{
	return gmem_slots_replace(m->vm, from, n, to, n_to, 0, &m->err);
}

static void a_split_and_a_merge_set_nothing(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot all, two[2];

	bound(m);
	all = get(m, 0);
	two[0] = slot(0, m->g, GiB, 0, 1 * MiB);
	two[1] = slot(1, m->g, GiB + 1 * MiB, 1 * MiB, 3 * MiB);
	t_ok(replace(m, &all, 1, two, 2), m->err);
	unit_listed(m, "gmem_slots_replace");
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
	assert_int_equal(unit_count(m, "ioctl", REGION), 1);
	assert_int_equal(unit_count(m, "ioctl", REGION2), 2);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), S);
	assert_true(two[0].flags & two[1].flags & GMEM_SLOT_LIVE);
	assert_false(all.flags & GMEM_SLOT_LIVE);
	assert_int_equal(get(m, 1).len, 3 * MiB);
	assert_int_equal(unit_slot(m, 1)->at.start, GiB + 1 * MiB);
	/* what one call gave the other takes */
	unit_reset(m);
	all.slot = 7;
	t_ok(replace(m, two, 2, &all, 1), m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
	unit_same(m, m->g, GiB);
	assert_null(unit_slot(m, 0));
	t_ok(gmem_unbind(m->vm, 7, 0, 0, &m->err), m->err);
	assert_int_equal(unit_state(m, m->g, 0), U);
}

/* To addresses that overlap those before: the content goes, and its states. */
static void a_move_takes_the_attributes_along(void **state_)
{
	static const uint64_t to[] = { 2 * GiB, GiB + 1 * MiB, GiB - 2 * MiB };
	struct unit *m = *state_;

	for (size_t i = 0; i < T_ARRAY_SIZE(to); i++) {
		struct gmem_slot s;

		bound(m);
		s = slot(0, m->g, to[i], 0, 4 * MiB);
		t_ok(replace(m, &s, 1, &s, 1), m->err);
		unit_same(m, m->g, to[i]);
		assert_int_equal(unit_state(m, m->g, 0), P);
		assert_int_equal(unit_state(m, m->g, 1 * MiB), S);
		for (uint64_t at = 0; at < 4 * MiB; at += 1 * MiB)
			if (GiB + at < to[i] || GiB + at >= to[i] + 4 * MiB)
				assert_false(unit_gpa_private(m, GiB + at));
		t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		t_ok(gmem_close(m->g, &m->err), m->err);
	}
}

static void a_hole_is_reset_and_what_is_new_starts(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from = slot(0, NULL, 0, 0, 0), to[2];
	struct gmem *other;

	bound(m);
	other = m->g;
	unit_create(m, 1 * MiB, 0);
	to[0] = slot(0, other, GiB, 0, 2 * MiB);
	to[1] = slot(1, m->g, GiB + 3 * MiB, 0, 1 * MiB);
	to[1].flags = GMEM_SLOT_LEAVE_SHARED;
	t_ok(replace(m, &from, 1, to, 2), m->err);
	assert_int_equal(unit_state(m, other, 0), P);
	assert_int_equal(unit_state(m, other, 1 * MiB), S);
	assert_int_equal(unit_state(m, other, 2 * MiB), U);
	assert_int_equal(unit_state(m, m->g, 0), S);
	assert_true(unit_gpa_private(m, GiB));
	assert_false(unit_gpa_private(m, GiB + 2 * MiB));
	assert_false(unit_gpa_private(m, GiB + 3 * MiB));
	/* and the whole again: the rest starts private */
	from = slot(0, other, GiB, 0, 3 * MiB);
	t_ok(replace(m, to, 1, &from, 1), m->err);
	assert_int_equal(unit_state(m, other, 1 * MiB), S);
	assert_int_equal(unit_state(m, other, 2 * MiB), P);
	assert_true(unit_gpa_private(m, GiB + 2 * MiB));
}

static void the_mode_changes_and_back(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot s, is;

	unit_create(m, 4 * MiB, SHARED_FLAGS);
	unit_bind(m, m->g, 0, GiB);
	s = slot(0, m->g, GiB, 0, 4 * MiB);
	s.flags = GMEM_SLOT_DIRTY_LOG;
	t_ok(replace(m, &s, 1, &s, 1), m->err);
	is = get(m, 0);
	assert_int_equal(is.flags, GMEM_SLOT_HVA | GMEM_SLOT_DIRTY_LOG |
					   GMEM_SLOT_OWN_ADDR);
	s = slot(0, m->g, GiB, 0, 4 * MiB);
	t_ok(replace(m, &s, 1, &s, 1), m->err);
	assert_int_equal(get(m, 0).flags, GMEM_SLOT_FD | GMEM_SLOT_OWN_ADDR);
}

static void in_place_hva_needs_it_shared(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot s;

	unit_create(m, 4 * MiB, SHARED_FLAGS);
	unit_bind(m, m->g, 0, GiB);
	t_ok(gmem_set_private(m->g, 1 * MiB, 1 * MiB, &m->err), m->err);
	unit_reset(m);
	s = slot(0, m->g, GiB, 0, 4 * MiB);
	s.flags = GMEM_SLOT_HVA;
	t_refused(replace(m, &s, 1, &s, 1), -EACCES, GMEM_REASON_PRIVATE,
		  m->err);
	assert_int_equal(unit_count(m, "ioctl", 0), 0);
	s.offset = 2 * MiB;
	s.len = 2 * MiB;
	t_ok(replace(m, &s, 1, &s, 1), m->err);
	assert_int_equal(get(m, 0).len, 2 * MiB);
	s.flags |= GMEM_SLOT_LEAVE_SHARED;
	t_refused(replace(m, &s, 1, &s, 1), -EINVAL, GMEM_REASON_VALUE_UNKNOWN,
		  m->err);
}

/* Nothing changes, and no request is made. */
static void what_a_bind_refuses_is_refused(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from = slot(0, NULL, 0, 0, 0), to[2], n;
	struct gmem_slot was;

	bound(m);
	was = get(m, 0);
	n = slot(5, NULL, 8 * GiB, 0, 1 * MiB);
	n.userspace_addr = 1 * MiB;
	t_ok(gmem_slot_note(m->vm, &n, &m->err), m->err);
	unit_reset(m);
	to[0] = slot(0, m->g, GiB, 0, 1 * MiB);
	to[1] = slot(0, m->g, 2 * GiB, 1 * MiB, 1 * MiB);
	t_refused(replace(m, &from, 1, to, 2), -EEXIST, GMEM_REASON_SLOT_IN_USE,
		  m->err);
	to[1] = slot(1, m->g, GiB, 1 * MiB, 1 * MiB);
	t_refused(replace(m, &from, 1, to, 2), -EEXIST, GMEM_REASON_GPA_OVERLAP,
		  m->err);
	to[1] = slot(1, m->g, 2 * GiB, 0, 1 * MiB);
	t_refused(replace(m, &from, 1, to, 2), -EEXIST, GMEM_REASON_RANGE_BOUND,
		  m->err);
	to[1] = slot(1, m->g, 8 * GiB, 1 * MiB, 1 * MiB);
	t_refused(replace(m, &from, 1, to, 2), -EEXIST, GMEM_REASON_GPA_OVERLAP,
		  m->err);
	to[1] = slot(1, m->g, 2 * GiB, 4 * MiB, 1 * MiB);
	t_refused(replace(m, &from, 1, to, 2), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, m->err);
	to[1] = slot(1, m->g, 2 * GiB, 1 * MiB, 1 * MiB);
	to[1].flags = GMEM_SLOT_CHECK_ONLY;
	t_refused(replace(m, &from, 1, to, 2), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, m->err);
	to[1].flags = 0;
	to[1].sz = sizeof(to[1]) + 8;
	t_refused(replace(m, &from, 1, to, 2), -EINVAL, GMEM_REASON_OPTS_SIZE,
		  m->err);
	t_refused(replace(m, &n, 1, to, 1), -EINVAL, GMEM_REASON_NOTED_SLOT,
		  m->err);
	from.slot = 9;
	t_refused(replace(m, &from, 1, to, 1), -EINVAL, GMEM_REASON_NOT_BOUND,
		  m->err);
	/* one slot twice */
	to[1] = to[0];
	t_refused(replace(m, to, 2, to, 1), -EINVAL, GMEM_REASON_SLOT_TWICE,
		  m->err);
	t_refused(gmem_slots_replace(m->vm, to, 1, to, 1, 1, &m->err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, m->err);
	assert_int_equal(unit_count(m, "ioctl", 0), 0);
	from = get(m, 0);
	assert_memory_equal(&from, &was, sizeof(was));
	unit_same(m, m->g, GiB);
}

/* One to the side and one moved: delete, two made, then attributes. */
static void plan(struct unit *m, struct gmem_slot *to)
{
	to[0] = slot(0, m->g, GiB, 0, 2 * MiB);
	to[1] = slot(1, m->g, 2 * GiB, 2 * MiB, 2 * MiB);
}

static void as_before(struct unit *m)
{
	struct gmem_slot s = get(m, 0);

	assert_int_equal(s.gpa, GiB);
	assert_int_equal(s.len, 4 * MiB);
	assert_int_equal(unit_slot(m, 0)->at.end, GiB + 4 * MiB);
	assert_null(unit_slot(m, 1));
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 0), P);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), S);
	assert_int_equal(unit_state(m, m->g, 3 * MiB), P);
	assert_false(unit_gpa_private(m, 2 * GiB));
}

static void a_failure_is_undone(void **state_)
{
	static const struct {
		unsigned long request;
		unsigned int nth;
	} fails[] = { { REGION, 1 },
		      { REGION2, 1 },
		      { REGION2, 2 },
		      { ATTRIBUTES, 1 },
		      { ATTRIBUTES, 2 } };
	struct unit *m = *state_;
	struct gmem_slot from = slot(0, NULL, 0, 0, 0), to[2];

	bound(m);
	for (size_t i = 0; i < T_ARRAY_SIZE(fails); i++) {
		plan(m, to);
		unit_answer(m, "ioctl", fails[i].request, fails[i].nth, 1,
			    -ENOMEM);
		t_refused(replace(m, &from, 1, to, 2), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, m->err);
		assert_false(m->err.flags & GMEM_ERROR_STUCK);
		assert_true(from.flags & GMEM_SLOT_LIVE);
		assert_false((to[0].flags | to[1].flags) & GMEM_SLOT_LIVE);
		as_before(m);
		unit_reset(m);
	}
	t_ok(replace(m, &from, 1, to, 2), m->err);
	assert_true(unit_gpa_private(m, 2 * GiB));
	assert_false(unit_gpa_private(m, GiB + 2 * MiB));
}

/* What is not there any more is kept, and can be bound again. */
static void a_slot_that_cannot_come_back_is_kept(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from = slot(0, NULL, 0, 0, 0), to[2];

	bound(m);
	plan(m, to);
	unit_answer(m, "ioctl", REGION2, 2, 2, -ENOMEM);
	t_refused(replace(m, &from, 1, to, 2), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	assert_true(m->err.flags & GMEM_ERROR_STUCK);
	assert_false((from.flags | to[0].flags | to[1].flags) & GMEM_SLOT_LIVE);
	assert_null(unit_slot(m, 0));
	unit_same(m, m->g, GiB);
	unit_reset(m);
	from = slot(0, m->g, GiB, 0, 4 * MiB);
	from.flags = GMEM_SLOT_TAKE_KEPT;
	t_ok(gmem_bind(&from, &m->err), m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
	as_before(m);
}

static void a_new_slot_that_stays_is_stuck(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from = slot(0, NULL, 0, 0, 0), to[2];

	bound(m);
	plan(m, to);
	unit_answer(m, "ioctl", REGION, 2, 1, -EPERM);
	unit_answer(m, "ioctl", ATTRIBUTES, 2, 1, -ENOMEM);
	t_refused(replace(m, &from, 1, to, 2), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	assert_true(m->err.flags & GMEM_ERROR_STUCK);
	assert_false((from.flags | to[0].flags) & GMEM_SLOT_LIVE);
	assert_true(to[1].flags & GMEM_SLOT_LIVE);
	assert_true(get(m, 1).flags & GMEM_SLOT_STUCK);
	t_ok(gmem_unbind(m->vm, 1, 0, 0, &m->err), m->err);
	unit_reset(m);
	from = slot(0, m->g, GiB, 0, 4 * MiB);
	from.flags = GMEM_SLOT_TAKE_KEPT;
	t_ok(gmem_bind(&from, &m->err), m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
	as_before(m);
}

/* Where attributes cannot be set again nothing is claimed. */
static void what_is_lost_is_unset_and_reset(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from = slot(0, NULL, 0, 0, 0), to;

	bound(m);
	to = slot(0, m->g, GiB + 1 * MiB, 0, 4 * MiB);
	unit_answer(m, "ioctl", ATTRIBUTES, 2, 9, -ENOMEM);
	t_refused(replace(m, &from, 1, &to, 1), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	assert_true(m->err.flags & GMEM_ERROR_STUCK);
	assert_false((from.flags | to.flags) & GMEM_SLOT_LIVE);
	assert_non_null(strstr(m->err.msg, "slot 0 could not be made again, "
					   "EIO"));
	for (uint64_t at = 0; at < 4 * MiB; at += 1 * MiB)
		assert_int_equal(unit_state(m, m->g, at), U);
	unit_reset(m);
	from = slot(0, m->g, GiB, 0, 4 * MiB);
	from.flags = GMEM_SLOT_TAKE_KEPT | GMEM_SLOT_LEAVE_SHARED;
	t_ok(gmem_bind(&from, &m->err), m->err);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 0), S);
}

static void what_is_kept_can_be_taken_too(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from = slot(0, NULL, 0, 0, 0), to;

	bound(m);
	to = slot(1, m->g, 3 * GiB, 0, 1 * MiB);
	t_ok(gmem_unbind(m->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	t_ok(gmem_bind(&to, &m->err), m->err);
	from = slot(1, NULL, 0, 0, 0);
	to = slot(1, m->g, GiB, 0, 4 * MiB);
	to.flags = GMEM_SLOT_TAKE_KEPT;
	unit_reset(m);
	t_ok(replace(m, &from, 1, &to, 1), m->err);
	/* only the first MiB is set at its new address, and reset at the old */
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 2);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), S);
	assert_false(unit_gpa_private(m, 3 * GiB));
}

static void it_may_only_add_or_only_remove(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot s;

	unit_create(m, 4 * MiB, 0);
	s = slot(3, m->g, GiB, 0, 4 * MiB);
	t_ok(replace(m, NULL, 0, &s, 1), m->err);
	unit_same(m, m->g, GiB);
	assert_int_equal(unit_state(m, m->g, 0), P);
	t_ok(replace(m, &s, 1, NULL, 0), m->err);
	assert_int_equal(unit_state(m, m->g, 0), U);
	assert_false(unit_gpa_private(m, GiB));
	t_ok(gmem_close(m->g, &m->err), m->err);
}

/* Each allocation in turn; then nothing has changed. */
static void without_memory_nothing_changes(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot old = slot(0, NULL, 0, 0, 0), to[10];
	unsigned int n;
	int r = -ENOMEM;

	bound(m);
	for (uint32_t i = 0; i < T_ARRAY_SIZE(to); i++)
		to[i] = slot(i, m->g, 2 * GiB + i * PAGE, i * PAGE, PAGE);
	for (n = 1; r < 0; n++) {
		m->fail_alloc = n;
		r = replace(m, &old, 1, to, T_ARRAY_SIZE(to));
		m->fail_alloc = 0;
		if (r == 0)
			break;
		t_code(r, -ENOMEM);
		t_reason(&m->err, GMEM_REASON_NO_MEMORY);
		assert_int_equal(unit_count(m, "ioctl", 0), 0);
		as_before(m);
		unit_reset(m);
	}
	assert_true(n > 10);
}

static void what_cannot_be_replaced_is_refused(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot old = slot(0, NULL, 0, 0, 0), to[2];
	struct gmem_vm *other;

	bound(m);
	plan(m, to);
	t_refused(replace(m, &old, 70000, to, 2), -EINVAL,
		  GMEM_REASON_SIZE_LIMIT, m->err);
	t_refused(gmem_slots_replace(NULL, &old, 1, to, 2, 0, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	other = m->vm;
	m->vm = unit_vm(m, GMEM_VM_SW_PROTECTED, NULL, NULL);
	t_refused(replace(m, NULL, 0, to, 1), -EOPNOTSUPP,
		  GMEM_REASON_FOREIGN_VM, m->err);
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	m->vm = other;
	/* nobody asks why */
	unit_answer(m, "ioctl", REGION2, 1, 2, -ENOMEM);
	t_code(gmem_slots_replace(m->vm, &old, 1, to, 2, 0, NULL), -ENOMEM);
}

static void a_stuck_slot_is_not_replaced(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot old = slot(0, NULL, 0, 0, 0), to[2];

	bound(m);
	plan(m, to);
	unit_answer(m, "ioctl", REGION, 1, 1, -ENOMEM);
	t_refused(gmem_unbind(m->vm, 0, 0, 0, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	t_refused(replace(m, &old, 1, to, 2), -EBUSY, GMEM_REASON_SLOT_STUCK,
		  m->err);
	assert_false(get(m, 0).flags & GMEM_SLOT_LIVE);
}

/* 4 MiB kept at 1 GiB, the last 2 of them shared. */
static void kept(struct unit *m)
{
	struct gmem_slot s;

	unit_create(m, 4 * MiB, 0);
	s = slot(0, m->g, GiB + 2 * MiB, 2 * MiB, 2 * MiB);
	t_ok(gmem_bind(&s, &m->err), m->err);
	t_ok(t_share(m->g, 2 * MiB, 2 * MiB, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	unit_reset(m);
}

static void what_is_before_what_is_kept_starts(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot to;

	kept(m);
	to = slot(0, m->g, GiB, 0, 4 * MiB);
	to.flags = GMEM_SLOT_TAKE_KEPT;
	t_ok(replace(m, NULL, 0, &to, 1), m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 1);
	assert_int_equal(unit_state(m, m->g, 1 * MiB), P);
	assert_int_equal(unit_state(m, m->g, 2 * MiB), S);
	unit_same(m, m->g, GiB);
	/* and what was kept is the slot's, which ends it */
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	assert_int_equal(unit_state(m, m->g, 2 * MiB), U);
}

static void only_take_kept_takes_what_is_kept(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot to;

	kept(m);
	to = slot(0, m->g, GiB + 2 * MiB, 2 * MiB, 2 * MiB);
	to.flags = GMEM_SLOT_FD;
	t_ok(replace(m, NULL, 0, &to, 1), m->err);
	assert_int_equal(unit_state(m, m->g, 2 * MiB), P);
	unit_same(m, m->g, GiB);
}

static void what_was_left_there_ends_too(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot to;

	unit_create(m, 4 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
	unit_answer(m, "ioctl", ATTRIBUTES, 1, 1, -ENOMEM);
	t_refused(gmem_unbind(m->vm, 0, 0, 0, &m->err), -EIO,
		  GMEM_REASON_RESET_PENDING, m->err);
	assert_true(gmem__left_in(m->vm, GiB, 4 * MiB));
	to = slot(0, m->g, GiB, 0, 4 * MiB);
	t_ok(replace(m, NULL, 0, &to, 1), m->err);
	assert_false(gmem__left_in(m->vm, GiB, 4 * MiB));
}

/* As it may come from another process, with what that says of it. */
static struct gmem *adopted(struct unit *m, uint64_t len, uint64_t claims)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o), .flags = claims };
	int fd = unit_file_fd(m, gmem_vm_fd(m->vm), len, GMEM_CREATE_MMAP);

	t_ok(gmem_adopt(m->vm, fd, &o, &m->g, &m->err), m->err);
	return m->g;
}

static void each_file_starts_as_its_flags_say(void **state_)
{
	struct unit *m = *state_;
	struct gmem *g[3];

	g[0] = unit_create(m, 1 * MiB, 0);
	g[1] = adopted(m, 1 * MiB, 0);
	g[2] = adopted(m, 1 * MiB, GMEM_ADOPT_INIT_SHARED);
	for (uint32_t i = 0; i < T_ARRAY_SIZE(g); i++) {
		struct gmem_slot to = slot(i, g[i], GiB + i * MiB, 0, 1 * MiB);

		t_ok(replace(m, NULL, 0, &to, 1), m->err);
		assert_int_equal(unit_state(m, g[i], 0), i == 2 ? S : P);
		unit_same(m, g[i], to.gpa);
	}
}

/* HVA mode has no attributes to move: what is there is set once. */
static void hva_mode_instead_of_fd_mode_and_back(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot s;

	adopted(m, 4 * MiB, GMEM_ADOPT_INIT_SHARED);
	unit_bind(m, m->g, 0, GiB);
	s = slot(0, m->g, GiB, 0, 4 * MiB);
	s.flags = GMEM_SLOT_HVA;
	t_ok(replace(m, &s, 1, &s, 1), m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 1);
	assert_false(unit_gpa_private(m, GiB));
	s = slot(0, m->g, GiB, 0, 4 * MiB);
	s.flags = GMEM_SLOT_FD;
	t_ok(replace(m, &s, 1, &s, 1), m->err);
	assert_int_equal(unit_state(m, m->g, 0), S);
	unit_same(m, m->g, GiB);
}

/* The range is bound twice; the attributes there are the other slot's. */
static void an_old_slot_in_hva_mode_restores_nothing(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from = slot(1, NULL, 0, 0, 0), to, two[2];
	struct gmem *shared;

	shared = adopted(m, 1 * MiB, GMEM_ADOPT_INIT_SHARED);
	unit_bind(m, shared, 0, GiB);
	to = slot(1, shared, 2 * GiB, 0, 1 * MiB);
	to.flags = GMEM_SLOT_HVA;
	t_ok(gmem_bind(&to, &m->err), m->err);
	t_ok(gmem_set_private(shared, 0, 1 * MiB, &m->err), m->err);
	unit_create(m, 4 * MiB, 0);
	two[0] = slot(1, m->g, 2 * GiB, 0, 1 * MiB);
	two[1] = slot(2, m->g, 2 * GiB + 1 * MiB, 1 * MiB, 3 * MiB);
	unit_reset(m);
	unit_answer(m, "ioctl", ATTRIBUTES, 2, 1, -ENOMEM);
	t_refused(replace(m, &from, 1, two, 2), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	assert_false(unit_gpa_private(m, 2 * GiB));
	assert_int_equal(get(m, 1).flags & GMEM_SLOT_HVA, GMEM_SLOT_HVA);
	t_ok(replace(m, &from, 1, two, 2), m->err);
	unit_same(m, m->g, 2 * GiB);
}

/* The table has what a bind would have put there. */
static void it_is_entered_as_it_was_made(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot to, is;

	unit_create(m, 4 * MiB, 0);
	to = slot(0, m->g, GiB, 0, 4 * MiB);
	to.flags = GMEM_SLOT_TAKE_KEPT | GMEM_SLOT_STUCK;
	to.fd = 77;
	t_ok(replace(m, NULL, 0, &to, 1), m->err);
	is = get(m, 0);
	assert_int_equal(is.flags, GMEM_SLOT_FD | GMEM_SLOT_OWN_ADDR);
	assert_int_equal(is.fd, gmem_fd(m->g));
	assert_int_equal(to.flags,
			 GMEM_SLOT_FD | GMEM_SLOT_OWN_ADDR | GMEM_SLOT_LIVE);
	assert_int_equal(to.fd, gmem_fd(m->g));
}

static void the_caller_learns_which_slots_are_there(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from = slot(0, NULL, 0, 0, 0), to[2];

	bound(m);
	plan(m, to);
	to[0].flags = to[1].flags = GMEM_SLOT_LIVE;
	unit_answer(m, "ioctl", REGION2, 1, 1, -ENOMEM);
	t_code(replace(m, &from, 1, to, 2), -ENOMEM);
	assert_int_equal(from.flags, GMEM_SLOT_LIVE);
	assert_int_equal(to[0].flags | to[1].flags, 0);
	unit_reset(m);
	t_ok(replace(m, &from, 1, to, 2), m->err);
	assert_int_equal(from.flags, 0);
	assert_true(to[0].flags & to[1].flags & GMEM_SLOT_LIVE);
}

/* Neither the old address nor the new one is as anybody says. */
static void where_a_new_slot_was_is_still_to_be_reset(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from = slot(0, NULL, 0, 0, 0), to;

	bound(m);
	to = slot(0, m->g, 2 * GiB, 0, 4 * MiB);
	unit_answer(m, "ioctl", ATTRIBUTES, 2, 9, -ENOMEM);
	t_refused(replace(m, &from, 1, &to, 1), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	assert_true(unit_gpa_private(m, 2 * GiB));
	assert_true(gmem__left_in(m->vm, 2 * GiB, 1 * MiB));
	unit_reset(m);
	unit_create(m, 1 * MiB, 0);
	to = slot(5, m->g, 2 * GiB, 0, 1 * MiB);
	to.flags = GMEM_SLOT_LEAVE_SHARED;
	t_ok(gmem_bind(&to, &m->err), m->err);
	assert_false(unit_gpa_private(m, 2 * GiB));
}

static void each_of_the_new_slots_is_checked(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from = slot(0, NULL, 0, 0, 0), to[2];

	bound(m);
	plan(m, to);
	to[0].flags = 1ULL << 62;
	t_refused(replace(m, &from, 1, to, 2), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, m->err);
	to[0].flags = 0;
	to[0].gmem = NULL;
	t_refused(replace(m, &from, 1, to, 2), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	plan(m, to);
	to[0].len = m->page + 1;
	t_refused(replace(m, &from, 1, to, 2), -EINVAL, GMEM_REASON_UNALIGNED,
		  m->err);
	assert_int_equal(unit_count(m, NULL, 0), 0);
	as_before(m);
}

static void addresses(struct unit *m, uint64_t flags)
{
	unsigned int none = unit_mappings(m);
	struct gmem *a = unit_create(m, 1 * MiB, flags);
	struct gmem *b = unit_create(m, 1 * MiB, flags);
	struct gmem_slot to[2] = { slot(0, a, GiB, 0, 1 * MiB),
				   slot(1, b, 2 * GiB, 0, 1 * MiB) };
	unsigned int maps = unit_mappings(m);

	for (unsigned int nth = 1; nth <= 2; nth++) {
		unit_reset(m);
		unit_answer(m, "mmap", 0, nth, 1, -EAGAIN);
		t_refused(replace(m, NULL, 0, to, 2), -ENOMEM,
			  GMEM_REASON_LOCK_LIMIT, m->err);
		assert_int_equal(unit_count(m, "ioctl", 0), 0);
		assert_true(flags || unit_mappings(m) == maps);
		/* the next time the view of the first one is there */
		if (flags)
			break;
	}
	unit_reset(m);
	t_ok(replace(m, NULL, 0, to, 2), m->err);
	t_ok(replace(m, to, 2, NULL, 0), m->err);
	assert_true(flags || unit_mappings(m) == maps);
	t_ok(gmem_close(a, &m->err), m->err);
	t_ok(gmem_close(b, &m->err), m->err);
	assert_int_equal(unit_mappings(m), none);
}

static void without_addresses_for_one_none_is_made(void **state_)
{
	addresses(*state_, 0);
}

static void without_a_view_of_one_none_is_made(void **state_)
{
	addresses(*state_, SHARED_FLAGS);
}

/* What is refused for its guest address gives back what is behind it. */
static void a_refusal_leaves_no_reservation(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot to;
	unsigned int maps;

	bound(m);
	unit_create(m, 1 * MiB, 0);
	maps = unit_mappings(m);
	to = slot(1, m->g, GiB, 0, 1 * MiB);
	t_refused(replace(m, NULL, 0, &to, 1), -EEXIST, GMEM_REASON_GPA_OVERLAP,
		  m->err);
	assert_int_equal(unit_mappings(m), maps);
}

static void an_array_has_at_most_as_many_as_there_are(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot *many = calloc(65537, sizeof(*many));

	assert_non_null(many);
	bound(m);
	for (uint32_t i = 0; i < 65537; i++)
		many[i] = slot(i, NULL, 0, 0, 0);
	m->err = GMEM_INIT(struct gmem_error);
	(void)!replace(m, many, 65536, NULL, 0);
	assert_int_equal(m->err.reason, GMEM_REASON_NOT_BOUND);
	(void)!replace(m, many, 65537, NULL, 0);
	assert_int_equal(m->err.reason, GMEM_REASON_SIZE_LIMIT);
	free(many);
	t_refused(replace(m, NULL, 70000, NULL, 0), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_split_and_a_merge_set_nothing, unit_sw),
		TEST(a_move_takes_the_attributes_along, unit_sw),
		TEST(a_hole_is_reset_and_what_is_new_starts, unit_sw),
		TEST(the_mode_changes_and_back, unit_default73),
		TEST(in_place_hva_needs_it_shared, unit_inplace),
		TEST(what_a_bind_refuses_is_refused, unit_sw),
		TEST(a_failure_is_undone, unit_sw),
		TEST(a_slot_that_cannot_come_back_is_kept, unit_sw),
		TEST(a_new_slot_that_stays_is_stuck, unit_sw),
		TEST(what_is_lost_is_unset_and_reset, unit_sw),
		TEST(what_is_kept_can_be_taken_too, unit_sw),
		TEST(it_may_only_add_or_only_remove, unit_sw),
		TEST(without_memory_nothing_changes, unit_sw),
		TEST(what_cannot_be_replaced_is_refused, unit_sw),
		TEST(a_stuck_slot_is_not_replaced, unit_sw),
		TEST(what_is_before_what_is_kept_starts, unit_sw),
		TEST(only_take_kept_takes_what_is_kept, unit_sw),
		TEST(what_was_left_there_ends_too, unit_sw),
		TEST(each_file_starts_as_its_flags_say, unit_sw),
		TEST(hva_mode_instead_of_fd_mode_and_back, unit_sw),
		TEST(an_old_slot_in_hva_mode_restores_nothing, unit_sw),
		TEST(it_is_entered_as_it_was_made, unit_sw),
		TEST(the_caller_learns_which_slots_are_there, unit_sw),
		TEST(where_a_new_slot_was_is_still_to_be_reset, unit_sw),
		TEST(each_of_the_new_slots_is_checked, unit_sw),
		TEST(without_addresses_for_one_none_is_made, unit_sw),
		TEST(without_a_view_of_one_none_is_made, unit_default73),
		TEST(a_refusal_leaves_no_reservation, unit_sw),
		TEST(an_array_has_at_most_as_many_as_there_are, unit_sw),
	};

	return t_main(tests);
}
