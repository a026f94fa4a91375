// SPDX-License-Identifier: MIT
/* Attributes outlive slots: a reset that failed is remembered and retried. */
#include "unit.h"

#include "file.h"
#include "vm.h"

#define REGION2 0x40a0ae49
#define ATTRIBUTES 0x4020aed2

static int unbind_keeping(struct gmem *g, uint32_t slot, struct gmem_error *err)
{
	return gmem_unbind(g->vm, slot, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, err);
}

/* A private file, unbound from @gpa, whose reset failed. */
static struct gmem *failed_reset(struct unit *u, uint64_t gpa)
{
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;
	uint64_t a;

	unit_bind(u, g, 0, gpa);
	unit_answer(u, "ioctl", ATTRIBUTES, 1, 1, -ENOMEM);
	t_refused(gmem_unbind(u->vm, 0, 0, 0, &err), -EIO,
		  GMEM_REASON_RESET_PENDING, err);
	assert_int_equal(err.sys_errno, ENOMEM);
	assert_int_equal(err.value, gpa);
	assert_null(unit_slot(u, 0));
	assert_true(unit_gpa_private(u, gpa));
	t_ok(gmem_get_attributes(g, 0, 1 * MiB, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_UNSET);
	unit_reset(u);
	return g;
}

/* Once the kernel has the slot: what it refuses must change nothing. */
static void the_next_bind_over_the_range_sets_all_of_it(void **state)
{
	struct unit *u = *state;
	struct gmem *g = failed_reset(u, GiB);
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_LEAVE_SHARED };
	const struct unit_call *c;
	struct gmem_error err;

	t_ok(t_bind(g, 0, GiB, 0, 1 * MiB, &o, &err), err);
	assert_int_equal(unit_count(u, "ioctl", 0), 2);
	assert_non_null(unit_nth(u, "ioctl", 0, 0));
	assert_int_equal(unit_nth(u, "ioctl", 0, 0)->request, REGION2);
	c = unit_nth(u, "ioctl", 0, 1);
	assert_int_equal(c->request, ATTRIBUTES);
	assert_int_equal(c->in.attr.address, GiB);
	assert_int_equal(c->in.attr.size, 1 * MiB);
	assert_int_equal(c->in.attr.attributes, 0);
	/* done once, not again */
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	unit_reset(u);
	t_ok(t_bind(g, 0, GiB, 0, 1 * MiB, &o, &err), err);
	assert_int_equal(unit_count(u, "ioctl", 0), 1);
}

/* The other half may be somebody else's slot by now. */
static void only_the_range_of_the_new_slot_is_reset(void **state)
{
	struct unit *u = *state;
	struct gmem *g = failed_reset(u, GiB);
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_LEAVE_SHARED };
	struct gmem_error err;

	t_ok(t_bind(g, 0, GiB + 512 * KiB, 0, 1 * MiB, &o, &err), err);
	assert_int_equal(unit_nth(u, "ioctl", ATTRIBUTES, 0)->in.attr.address,
			 GiB + 512 * KiB);
	assert_false(unit_gpa_private(u, GiB + 512 * KiB));
	assert_true(unit_gpa_private(u, GiB));
	/* which is not forgotten */
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(t_bind(g, 0, GiB, 0, 512 * KiB, &o, &err), err);
	assert_false(unit_gpa_private(u, GiB));
}

static void a_noted_slot_over_the_range_keeps_its_attributes(void **state)
{
	struct unit *u = *state;
	struct gmem *g = failed_reset(u, GiB);
	struct gmem *vmms = unit_create(u, 512 * KiB, 0);
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 5,
			       .gpa = GiB,
			       .len = 512 * KiB,
			       .gmem = vmms,
			       .userspace_addr = 1 * MiB,
			       .flags = GMEM_SLOT_FD };
	struct gmem_error err;

	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_ok(gmem_set_private(vmms, 0, 512 * KiB, &err), err);
	t_ok(t_bind(g, 0, GiB + 512 * KiB, 0, 1 * MiB, NULL, &err), err);
	assert_true(unit_gpa_private(u, GiB));
}

static void a_bind_elsewhere_leaves_it_alone(void **state)
{
	struct unit *u = *state;
	struct gmem *g = failed_reset(u, GiB);
	struct gmem_error err;

	t_ok(t_bind(g, 0, GiB + 1 * MiB, 0, 1 * MiB, NULL, &err), err);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES), 1);
	assert_true(unit_gpa_private(u, GiB));
}

static void as_long_as_it_fails_nothing_is_bound_there(void **state)
{
	struct unit *u = *state;
	struct gmem *g = failed_reset(u, GiB);
	struct gmem_slot s = { .sz = sizeof(s) };
	struct gmem_error err;

	for (int i = 0; i < 3; i++) {
		unit_reset(u);
		unit_answer(u, "ioctl", ATTRIBUTES, 1, 2, -ENOMEM);
		t_refused(t_bind(g, 0, GiB, 0, 1 * MiB, NULL, &err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, err);
		assert_int_equal(err.sys_errno, ENOMEM);
		assert_null(unit_slot(u, 0));
		assert_true(unit_gpa_private(u, GiB));
		t_refused(gmem_slot_get(u->vm, 0, 0, &s, &err), -EINVAL,
			  GMEM_REASON_NOT_BOUND, err);
	}
	t_ok(t_bind(g, 0, GiB, 0, 1 * MiB, NULL, &err), err);
}

static void kept_attributes_do_not_leak_into_the_next_slot(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_LEAVE_SHARED };
	struct gmem_error err;

	unit_bind(u, g, 0, GiB);
	t_ok(unbind_keeping(g, 0, &err), err);
	assert_int_equal(unit_count(u, "ioctl", 0), 1);
	assert_true(unit_gpa_private(u, GiB));
	t_ok(t_bind(g, 0, GiB, 0, 1 * MiB, &o, &err), err);
	assert_false(unit_gpa_private(u, GiB));
}

static void a_file_may_go_before_its_reset_is_done(void **state)
{
	struct unit *u = *state;
	struct gmem *g = failed_reset(u, GiB);
	struct gmem_error err;

	t_ok(gmem_close(g, &err), err);
	g = unit_create(u, 1 * MiB, 0);
	t_ok(t_bind(g, 7, GiB, 0, 1 * MiB, NULL, &err), err);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES), 1);
	t_ok(gmem_unbind(u->vm, 7, 0, 0, &err), err);
	assert_false(unit_gpa_private(u, GiB));
}

static void an_interrupted_reset_is_taken_again(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;

	unit_bind(u, g, 0, GiB);
	unit_answer(u, "ioctl", ATTRIBUTES, 1, 3, -EINTR);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	assert_false(unit_gpa_private(u, GiB));
}

static void an_adopted_vm_is_left_as_it_was_found(void **state)
{
	struct unit *u = *state;
	int fd = unit_vm_fd(u, 1);
	struct gmem_error err;
	struct gmem *g;

	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	t_ok(gmem__vm_adopt_on(&unit_sys, u, fd, NULL, &u->vm, &err), err);
	g = unit_create(u, 1 * MiB, 0);
	unit_bind(u, g, 0, GiB);
	assert_true(unit_gpa_private(u, GiB));
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	assert_null(unit_slot(u, 0));
	assert_false(unit_gpa_private(u, GiB));
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void an_adopted_vm_without_attributes_is_told_none(void **state)
{
	struct unit *u = *state;
	int fd = unit_vm_fd(u, 0);
	struct gmem_error err;
	struct gmem *g;

	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	t_ok(gmem__vm_adopt_on(&unit_sys, u, fd, NULL, &u->vm, &err), err);
	g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	unit_bind(u, g, 0, GiB);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	assert_int_equal(unit_count(u, "ioctl", 0), 1);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_reset_that_fails_in_destroy_is_reported(void **state)
{
	struct unit *u = *state;
	int fd = unit_vm_fd(u, 1);
	struct gmem_error err;
	struct gmem *g;

	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	for (int dead = 0; dead < 2; dead++) {
		t_ok(gmem__vm_adopt_on(&unit_sys, u, fd, NULL, &u->vm, &err),
		     err);
		g = unit_create(u, 1 * MiB, 0);
		unit_bind(u, g, 0, GiB);
		unit_answer(u, "ioctl", ATTRIBUTES, 1, 1,
			    dead ? -EIO : -ENOMEM);
		if (dead)
			t_ok(gmem_vm_destroy(u->vm, &err), err);
		else
			t_refused(gmem_vm_destroy(u->vm, &err), -ENOMEM,
				  GMEM_REASON_NO_MEMORY, err);
		u->vm = NULL;
	}
	assert_int_equal(unit_sys.close(u, fd), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_next_bind_over_the_range_sets_all_of_it, unit_sw),
		TEST(only_the_range_of_the_new_slot_is_reset, unit_sw),
		TEST(a_noted_slot_over_the_range_keeps_its_attributes, unit_sw),
		TEST(a_bind_elsewhere_leaves_it_alone, unit_sw),
		TEST(as_long_as_it_fails_nothing_is_bound_there, unit_sw),
		TEST(kept_attributes_do_not_leak_into_the_next_slot, unit_sw),
		TEST(a_file_may_go_before_its_reset_is_done, unit_sw),
		TEST(an_interrupted_reset_is_taken_again, unit_sw),
		TEST(an_adopted_vm_is_left_as_it_was_found, unit_sw),
		TEST(an_adopted_vm_without_attributes_is_told_none, unit_sw),
		TEST(a_reset_that_fails_in_destroy_is_reported, unit_sw),
	};

	return t_main(tests);
}
