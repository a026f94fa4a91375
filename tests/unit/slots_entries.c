// SPDX-License-Identifier: MIT
/* What gmem_slots_replace() reads of its entries, and writes to them. */
#include "unit.h"

#define REGION GMEM__KVM_SET_USER_MEMORY_REGION
#define REGION2 GMEM__KVM_SET_USER_MEMORY_REGION2

/* 2 MiB of a new file as slot 0 at 1 GiB, the second 2 as slot 1 behind it. */
static void two_as(struct unit *m, struct gmem_slot *s, uint64_t flags)
{
	unit_create(m, 4 * MiB, SHARED_FLAGS);
	for (uint32_t i = 0; i < 2; i++) {
		s[i] = (struct gmem_slot){ .sz = sizeof(s[i]),
					   .slot = i,
					   .gmem = m->g,
					   .gpa = GiB + i * 2 * MiB,
					   .offset = i * 2 * MiB,
					   .len = 2 * MiB,
					   .flags = flags };
		t_ok(gmem_bind(&s[i], &m->err), m->err);
	}
	unit_reset(m);
}

static void two(struct unit *m, struct gmem_slot *s)
{
	two_as(m, s, 0);
}

static int replace(struct unit *m, struct gmem_slot *from, uint32_t n,
		   struct gmem_slot *to, uint32_t n_to)
{
	m->err = GMEM_INIT(struct gmem_error);
	return gmem_slots_replace(m->vm, from, n, to, n_to, 0, &m->err);
}

static struct gmem_slot get(struct unit *m, uint32_t id)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	t_ok(gmem_slot_get(m->vm, id, 0, &s, &m->err), m->err);
	return s;
}

/* As gmem_slot_get() says it, but for LIVE, which that does not say. */
static void says(struct unit *m, const struct gmem_slot *s)
{
	struct gmem_slot is = get(m, s->slot);

	is.flags |= GMEM_SLOT_LIVE;
	assert_memory_equal(s, &is, sizeof(is));
}

static void one_array_says_what_was_made(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot s[2];

	two(m, s);
	s[0].gpa = 4 * GiB;
	s[1].flags = GMEM_SLOT_HVA | GMEM_SLOT_READONLY;
	s[1].userspace_addr = 0;
	t_ok(replace(m, s, 2, s, 2), m->err);
	for (int i = 0; i < 2; i++)
		says(m, &s[i]);
	assert_int_equal(get(m, 0).gpa, 4 * GiB);
	assert_true(get(m, 1).flags & GMEM_SLOT_READONLY);
}

/* One slot becomes two: the entry of both, and one behind it. */
static void in_arrays_that_overlap_the_new_slot_counts(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot s[3];

	two(m, &s[1]);
	s[0] = s[1];
	s[1].slot = 7;
	s[1].gpa += 1 * MiB;
	s[1].offset += 1 * MiB;
	s[1].len = s[0].len = 1 * MiB;
	t_ok(replace(m, s, 1, s, 2), m->err);
	says(m, &s[0]);
	says(m, &s[1]);
	/* and two become one, which has the number of the second */
	s[2] = s[1];
	s[2].slot = 1;
	s[2].gpa = 8 * GiB;
	s[2].offset = 2 * MiB;
	t_ok(replace(m, &s[1], 2, &s[2], 1), m->err);
	assert_false(s[1].flags & GMEM_SLOT_LIVE);
	says(m, &s[2]);
	assert_null(unit_slot(m, 7));
}

/* The old slots are back, or the new one cannot be deleted. */
static void after_a_failure_one_array_tells_of_the_new_slots(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot s[2];

	two(m, s);
	s[0].gpa = 4 * GiB;
	s[1].gpa = 5 * GiB;
	unit_answer(m, "ioctl", REGION2, 2, 1, -ENOMEM);
	t_refused(replace(m, s, 2, s, 2), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	assert_false(m->err.flags & GMEM_ERROR_STUCK);
	assert_false((s[0].flags | s[1].flags) & GMEM_SLOT_LIVE);
	assert_int_equal(get(m, 0).gpa, GiB);
	assert_int_equal(get(m, 1).gpa, GiB + 2 * MiB);
	assert_int_equal(s[0].gpa, 4 * GiB);
	unit_reset(m);
	unit_answer(m, "ioctl", REGION2, 2, 1, -ENOMEM);
	unit_answer(m, "ioctl", REGION, 3, 1, -EPERM);
	t_refused(replace(m, s, 2, s, 2), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	assert_true(m->err.flags & GMEM_ERROR_STUCK);
	assert_true(s[0].flags & GMEM_SLOT_LIVE);
	assert_false(s[1].flags & GMEM_SLOT_LIVE);
}

/* The kernel has the new slot 0, at 4 GiB, so only the old slot 1 is back. */
static void stuck(struct unit *m, struct gmem_slot *old, uint64_t flags)
{
	bool hva = flags & GMEM_SLOT_HVA;
	struct gmem_slot to[2];

	two_as(m, old, flags);
	memcpy(to, old, sizeof(to));
	to[0].gpa = 4 * GiB;
	to[1].gpa = 5 * GiB;
	/* after two that are deleted, the second that is made */
	unit_answer(m, "ioctl", hva ? REGION : REGION2, hva ? 4 : 2, 1,
		    -ENOMEM);
	unit_answer(m, "ioctl", REGION, hva ? 5 : 3, 1, -EPERM);
	t_refused(replace(m, old, 2, to, 2), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	assert_true(m->err.flags & GMEM_ERROR_STUCK);
	assert_non_null(strstr(m->err.msg, "slot 0 could not be deleted again, "
					   "EPERM, and slot 0 could not be "
					   "made again, EEXIST"));
	assert_true(get(m, 0).flags & GMEM_SLOT_STUCK);
	assert_int_equal(get(m, 0).gpa, 4 * GiB);
	unit_reset(m);
}

enum way {
	UNBIND,
	BIND,
	CLOSE,
	WAYS
};

/* The record is as the kernel is, and each way out of it leads there. */
static void what_cannot_be_undone_has_a_way_out(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot s[2], is = { .sz = sizeof(is) };
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	/* In HVA mode making the old slot would move the new one. */
	for (unsigned int n = 0; n < 2 * WAYS; n++) {
		enum way way = n % WAYS;

		stuck(m, s, n < WAYS ? GMEM_SLOT_FD : GMEM_SLOT_HVA);
		assert_int_equal(unit_slot(m, 0)->at.start, 4 * GiB);
		for (uint32_t i = 0; i < 2; i++)
			assert_int_equal(!unit_slot(m, i),
					 gmem_slot_get(m->vm, i, 0, &is, &err) <
						 0);
		if (way == UNBIND)
			t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		if (way != CLOSE)
			t_ok(gmem_bind(&s[0], &m->err), m->err);
		for (uint32_t i = way == CLOSE; i < 2; i++) {
			assert_int_equal(unit_slot(m, i)->at.start, s[i].gpa);
			assert_false(get(m, i).flags & GMEM_SLOT_STUCK);
			t_ok(gmem_unbind(m->vm, i, 0, 0, &m->err), m->err);
		}
		t_ok(gmem_close(m->g, &m->err), m->err);
		assert_null(unit_slot(m, 0));
		assert_null(unit_slot(m, 1));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_array_says_what_was_made, unit_default73),
		TEST(in_arrays_that_overlap_the_new_slot_counts,
		     unit_default73),
		TEST(after_a_failure_one_array_tells_of_the_new_slots,
		     unit_default73),
		TEST(what_cannot_be_undone_has_a_way_out, unit_default73),
	};

	return t_main(tests);
}
