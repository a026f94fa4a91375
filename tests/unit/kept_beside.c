// SPDX-License-Identifier: MIT
/*
 * What is kept stays so beside slots that fail, that are stuck, or that have
 * no attributes of their own.
 */
#include "unit.h"

#include "left.h"

#define ATTRIBUTES GMEM__KVM_SET_MEMORY_ATTRIBUTES
#define REGION GMEM__KVM_SET_USER_MEMORY_REGION
#define P GMEM_ATTRIBUTE_PRIVATE
#define S GMEM_ATTRIBUTE_SHARED
#define U GMEM_ATTRIBUTE_UNSET

static int bind(struct unit *m, struct gmem *g, uint64_t gpa, uint64_t offset,
		uint64_t len, uint64_t flags)
{
	struct gmem_slot more = { .sz = sizeof(more), .flags = flags };

	m->err = GMEM_INIT(struct gmem_error);
	return t_bind(g, 0, gpa, offset, len, &more, &m->err);
}

static void keep(struct unit *m, struct gmem *g, uint64_t gpa, uint64_t offset,
		 uint64_t to)
{
	t_ok(bind(m, g, gpa, offset, 1 * MiB, 0), m->err);
	if (to == S)
		t_ok(t_share(g, offset, 1 * MiB, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	unit_reset(m);
}

/* The bind fails between what it sets, and its slot stays. */
static void a_stuck_slot_over_it_ends_nothing(void **state_)
{
	struct unit *m = *state_;
	struct gmem *g = unit_create(m, 4 * MiB, 0);

	keep(m, g, GiB + 1 * MiB, 1 * MiB, S);
	unit_answer(m, "ioctl", ATTRIBUTES, 2, 1, -ENOMEM);
	unit_answer(m, "ioctl", REGION, 1, 1, -EPERM);
	t_code(bind(m, g, GiB, 0, 4 * MiB, GMEM_SLOT_TAKE_KEPT), -ENOMEM);
	assert_true(m->err.flags & GMEM_ERROR_STUCK);
	assert_int_equal(unit_state(m, g, 1 * MiB), S);
	unit_reset(m);
	t_ok(gmem_unbind(m->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	assert_int_equal(unit_state(m, g, 0), U);
	assert_int_equal(unit_state(m, g, 1 * MiB), S);
	assert_false(unit_gpa_private(m, GiB));
	/* so there is no more to take than before */
	t_ok(bind(m, g, GiB, 0, 4 * MiB, GMEM_SLOT_TAKE_KEPT), m->err);
	assert_int_equal(unit_state(m, g, 0), P);
	assert_int_equal(unit_state(m, g, 1 * MiB), S);
	unit_same(m, g, GiB);
}

static void each_reset_around_it_counts(void **state_)
{
	struct unit *m = *state_;
	struct gmem *other = unit_create(m, 1 * MiB, 0);
	struct gmem *g = unit_create(m, 4 * MiB, 0);

	keep(m, other, GiB + 1 * MiB, 0, P);
	/* the bind's own, and the first of two resets */
	unit_answer(m, "ioctl", ATTRIBUTES, 1, 2, -ENOMEM);
	t_code(bind(m, g, GiB, 0, 4 * MiB, 0), -ENOMEM);
	assert_non_null(
		gmem__left_at(m->vm, GMEM__LEFT_OWED, GiB, GiB + 1 * MiB));
	assert_int_equal(unit_state(m, other, 0), P);
}

/* From another process, which says that it is shared. */
static struct gmem *adopted(struct unit *m)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	int fd = unit_file_fd(m, gmem_vm_fd(m->vm), 1 * MiB, GMEM_CREATE_MMAP);

	t_ok(gmem_adopt(m->vm, fd, &o, &m->g, &m->err), m->err);
	t_ok(bind(m, m->g, GiB, 0, 1 * MiB, 0), m->err);
	t_ok(gmem_set_private(m->g, 0, 1 * MiB, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	unit_reset(m);
	return m->g;
}

static void hva_mode_takes_none_of_it(void **state_)
{
	struct unit *m = *state_;
	struct gmem *g = adopted(m);

	assert_true(unit_gpa_private(m, GiB));
	t_ok(bind(m, g, GiB, 0, 1 * MiB, GMEM_SLOT_HVA | GMEM_SLOT_TAKE_KEPT),
	     m->err);
	assert_false(unit_gpa_private(m, GiB));
	assert_int_equal(unit_state(m, g, 0), U);
}

static void hva_mode_elsewhere_ends_none_of_it(void **state_)
{
	struct unit *m = *state_;
	struct gmem *g = adopted(m);
	struct gmem_slot to = { .sz = sizeof(to),
				.slot = 1,
				.gmem = g,
				.gpa = 2 * GiB,
				.len = 1 * MiB,
				.flags = GMEM_SLOT_HVA };

	t_ok(gmem_slots_replace(m->vm, NULL, 0, &to, 1, 0, &m->err), m->err);
	assert_int_equal(unit_state(m, g, 0), P);
	unit_reset(m);
	t_ok(bind(m, g, GiB, 0, 1 * MiB, GMEM_SLOT_TAKE_KEPT), m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
	unit_same(m, g, GiB);
}

static void all_that_is_in_the_range_ends_and_no_other(void **state_)
{
	static const uint64_t gpas[] = { 16 * MiB, GiB, GiB + 2 * MiB,
					 GiB + 4 * MiB };
	struct unit *m = *state_;
	struct gmem *kept[4], *g;

	for (size_t i = 0; i < T_ARRAY_SIZE(gpas); i++) {
		kept[i] = unit_create(m, 1 * MiB, 0);
		keep(m, kept[i], gpas[i], 0, P);
	}
	g = unit_create(m, 4 * MiB, 0);
	t_ok(bind(m, g, GiB, 0, 4 * MiB, 0), m->err);
	assert_int_equal(unit_state(m, kept[0], 0), P);
	assert_int_equal(unit_state(m, kept[1], 0), U);
	assert_int_equal(unit_state(m, kept[2], 0), U);
	assert_int_equal(unit_state(m, kept[3], 0), P);
}

/* What comes between two is one with that of its file. */
static void it_is_one_with_what_follows_it(void **state_)
{
	struct unit *m = *state_;
	struct gmem *other = unit_create(m, 1 * MiB, 0);
	struct gmem *g = unit_create(m, 4 * MiB, 0);
	unsigned int allocs = m->live_allocs;

	keep(m, other, GiB, 0, P);
	keep(m, g, GiB + 2 * MiB, 2 * MiB, P);
	keep(m, g, GiB + 1 * MiB, 1 * MiB, S);
	assert_int_equal(m->live_allocs, allocs + 2);
	t_ok(bind(m, g, GiB + 1 * MiB, 1 * MiB, 2 * MiB, GMEM_SLOT_TAKE_KEPT),
	     m->err);
	assert_int_equal(unit_count(m, "ioctl", ATTRIBUTES), 0);
	assert_int_equal(unit_state(m, g, 1 * MiB), S);
	assert_int_equal(unit_state(m, g, 2 * MiB), P);
	assert_int_equal(unit_state(m, other, 0), P);
}

/* Only one of the two slots had memory behind it that can be shared. */
static void each_part_has_what_was_behind_it(void **state_)
{
	struct gmem_slot more = { .sz = sizeof(more),
				  .flags = GMEM_SLOT_USERSPACE_ADDR,
				  .userspace_addr = 64 * MiB };
	struct unit *m = *state_;
	struct gmem *g = unit_create(m, 2 * MiB, 0);

	keep(m, g, GiB, 0, P);
	t_ok(t_bind(g, 0, GiB + 1 * MiB, 1 * MiB, 1 * MiB, &more, &m->err),
	     m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	t_refused(gmem_set_shared(g, 0, 1 * MiB, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_NO_SHARED_SIDE, m->err);
	t_ok(gmem_set_shared(g, 1 * MiB, 1 * MiB, &m->err), m->err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_stuck_slot_over_it_ends_nothing, unit_sw),
		TEST(each_reset_around_it_counts, unit_sw),
		TEST(hva_mode_takes_none_of_it, unit_sw),
		TEST(hva_mode_elsewhere_ends_none_of_it, unit_sw),
		TEST(all_that_is_in_the_range_ends_and_no_other, unit_sw),
		TEST(it_is_one_with_what_follows_it, unit_sw),
		TEST(each_part_has_what_was_behind_it, unit_sw),
	};

	return t_main(tests);
}
