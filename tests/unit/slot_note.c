// SPDX-License-Identifier: MIT
/* Slots that the VMM makes itself: noted, checked against, never touched. */
#include "unit.h"

#include "vm.h"

#define REGION2 0x40a0ae49

static struct gmem_slot at(uint32_t slot, uint64_t gpa, uint64_t len)
{
	return (struct gmem_slot){ .sz = sizeof(struct gmem_slot),
				   .slot = slot,
				   .gpa = gpa,
				   .len = len,
				   .userspace_addr = 64 * MiB,
				   .fd = -1 };
}

/* The VMM's own bind of a whole file. */
static struct gmem_slot bind_raw(struct unit *u, struct gmem *g, uint32_t slot,
				 uint64_t gpa)
{
	struct gmem_slot s = at(slot, gpa, gmem_size(g));
	struct gmem__region2 r = {
		.region = { .slot = slot,
			    .flags = 4,
			    .guest_phys_addr = gpa,
			    .memory_size = gmem_size(g) },
		.guest_memfd = (uint32_t)gmem_fd(g),
	};

	assert_int_equal(unit_sys.ioctl(u, gmem_vm_fd(u->vm), REGION2, &r), 0);
	unit_reset(u);
	s.flags = GMEM_SLOT_FD;
	s.gmem = g;
	return s;
}

static void a_note_makes_no_kvm_call_and_is_checked_against(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_slot s = at(3, GiB, 1 * MiB);
	struct gmem_error err;

	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	assert_int_equal(u->n_calls, 0);
	t_refused(t_bind(g, 3, 0, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, err);
	t_refused(t_bind(g, 4, GiB, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_GPA_OVERLAP, err);
	assert_int_equal(unit_count(u, "ioctl", 0), 0);
	t_ok(gmem_slot_forget(u->vm, 3, 0, &err), err);
	t_ok(t_bind(g, 3, GiB, 0, 64 * KiB, NULL, &err), err);
}

/* The library has no record of it. */
static void a_foreign_file_can_be_noted_and_forgotten(void **state)
{
	struct unit *u = *state;
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_FOREIGN };
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, 0);
	struct gmem_slot s = at(3, GiB, 64 * KiB);
	struct gmem_error err;

	t_ok(gmem_adopt(u->vm, fd, &o, &s.gmem, &err), err);
	s.flags = GMEM_SLOT_FD;
	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_ok(gmem_slot_forget(u->vm, 3, 0, &err), err);
	t_ok(gmem_close(s.gmem, &err), err);
}

static void slot_get_gives_a_note_back(void **state)
{
	struct unit *u = *state;
	struct gmem_slot s = at(3, GiB, 1 * MiB), out = { .sz = sizeof(out) };
	struct gmem_error err;

	s.flags = GMEM_SLOT_READONLY | GMEM_SLOT_DIRTY_LOG;
	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_ok(gmem_slot_get(u->vm, 3, 0, &out, &err), err);
	s.flags |= GMEM_SLOT_HVA | GMEM_SLOT_USERSPACE_ADDR | GMEM_SLOT_NOTED;
	assert_memory_equal(&s, &out, sizeof(s));
}

/* KVM makes slots of its own behind those that a VMM can make. */
static void kvms_own_slots_can_be_noted(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_slot s = at(32764, 0xfee00000, PAGE);
	struct gmem_error err;

	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_refused(t_bind(g, 3, 0xfee00000, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_GPA_OVERLAP, err);
	t_refused(t_bind(g, 32765, GiB, 0, 64 * KiB, NULL, &err), -EINVAL,
		  GMEM_REASON_SLOT_LIMIT, err);
}

static void a_noted_slot_is_the_vmms_to_delete(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_slot s = bind_raw(u, g, 3, GiB);
	struct gmem_error err;

	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_refused(gmem_unbind(u->vm, 3, 0, 0, &err), -EINVAL,
		  GMEM_REASON_NOTED_SLOT, err);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_BOUND, err);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_slot_forget(u->vm, 3, 0, &err), err);
	t_ok(gmem_close(g, &err), err);
}

static void destroy_leaves_noted_slots_alone(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_slot s = bind_raw(u, g, 3, GiB);
	struct gmem_error err;

	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	assert_int_equal(unit_count(u, "ioctl", 0), 0);
}

static void a_noted_range_of_a_file_is_bound(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_slot s = bind_raw(u, g, 3, GiB);
	struct gmem_error err;

	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_refused(t_bind(g, 4, 0, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_RANGE_BOUND, err);
	assert_int_equal(unit_count(u, "ioctl", 0), 0);
}

static void attributes_are_set_through_a_noted_slot(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, 0);
	struct gmem_slot s = bind_raw(u, g, 3, GiB);
	struct gmem_error err;
	uint64_t a;

	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_set_private(g, PAGE, PAGE, &err), err);
	assert_true(unit_gpa_private(u, GiB + PAGE));
	t_ok(gmem_get_attributes(g, PAGE, PAGE, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
	t_ok(gmem_slot_forget(u->vm, 3, 0, &err), err);
	t_ok(gmem_get_attributes(g, PAGE, PAGE, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_UNSET);
	t_refused(gmem_set_private(g, PAGE, PAGE, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
}

static void a_slot_whose_file_was_closed_is_called_dead(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_slot s = at(3, GiB, 64 * KiB);
	struct gmem_error err;

	s.flags = GMEM_SLOT_FD;
	s.fd = unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, 3);
	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_refused(t_bind(g, 3, 0, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, err);
	t_refused(t_bind(g, 4, GiB, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_GPA_OVERLAP, err);
	assert_int_equal(unit_sys.close(u, s.fd), 0);
	t_refused(t_bind(g, 3, 0, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_DEAD_SLOT, err);
	t_refused(t_bind(g, 4, GiB, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_DEAD_SLOT, err);
	/* another file under the same number is not the same file */
	assert_int_equal(unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, 3), s.fd);
	t_refused(t_bind(g, 4, GiB, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_DEAD_SLOT, err);
	assert_int_equal(unit_sys.close(u, s.fd), 0);
	assert_int_equal(unit_count(u, "ioctl", 0), 0);
}

/* A note that no kernel could have made is refused, and nothing is noted. */
static void note_refused(struct unit *u, struct gmem_slot s, int code,
			 uint32_t why)
{
	struct gmem_slot out = { .sz = sizeof(out) };
	struct gmem_error err;

	unit_reset(u);
	t_refused(gmem_slot_note(u->vm, &s, &err), code, why, err);
	t_refused(gmem_slot_get(u->vm, s.slot, s.address_space, &out, &err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, err);
	assert_int_equal(out.len, 0);
	assert_int_equal(u->live_allocs, 1 + (s.gmem != NULL));
}

static void a_note_follows_the_rules_of_a_bind(void **state)
{
	struct unit *u = *state;
	struct gmem_slot s = at(3, GiB, 1 * MiB);

	s.slot = 65536;
	note_refused(u, s, -EINVAL, GMEM_REASON_SLOT_LIMIT);
	s = at(3, GiB, 1 * MiB);
	s.address_space = model__address_spaces(u->k, NULL);
	note_refused(u, s, -EINVAL, GMEM_REASON_ADDRESS_SPACE);
	note_refused(u, at(3, GiB, 0), -EINVAL, GMEM_REASON_ZERO_SIZE);
	note_refused(u, at(3, GiB, 5000), -EINVAL, GMEM_REASON_UNALIGNED);
	note_refused(u, at(3, 5000, PAGE), -EINVAL, GMEM_REASON_UNALIGNED);
	note_refused(u, at(3, -PAGE, 2 * PAGE), -EINVAL,
		     GMEM_REASON_GPA_OVERFLOW);
	s = at(3, GiB, 1 * MiB);
	s.flags = GMEM_SLOT_CHECK_ONLY;
	note_refused(u, s, -EINVAL, GMEM_REASON_FLAG_UNKNOWN);
	s.flags = GMEM_SLOT_FD | GMEM_SLOT_HVA;
	note_refused(u, s, -EINVAL, GMEM_REASON_VALUE_UNKNOWN);
	s.flags = 0;
	s.reserved = 1;
	note_refused(u, s, -EINVAL, GMEM_REASON_FLAG_UNKNOWN);
	s.reserved = 0;
	s.flags = GMEM_SLOT_FD | GMEM_SLOT_DIRTY_LOG;
	note_refused(u, s, -EOPNOTSUPP, GMEM_REASON_DIRTY_LOG);
	s.flags = GMEM_SLOT_FD | GMEM_SLOT_READONLY;
	note_refused(u, s, -EOPNOTSUPP, GMEM_REASON_READONLY);
	s = at(3, GiB, 1 * MiB);
	s.userspace_addr = 1;
	note_refused(u, s, -EINVAL, GMEM_REASON_USERSPACE_ADDR);
	s = at(3, GiB, 1 * MiB);
	s.flags = GMEM_SLOT_FD;
	s.fd = 999;
	note_refused(u, s, -EBADF, GMEM_REASON_BAD_FD);
	s.fd = gmem_vm_fd(u->vm);
	note_refused(u, s, -EINVAL, GMEM_REASON_NOT_GUEST_MEMFD);
}

static void a_noted_file_is_of_this_vm_and_holds_the_range(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_slot s = at(3, GiB, 1 * MiB);
	struct gmem_vm *other;
	struct gmem_error err;

	s.flags = GMEM_SLOT_FD;
	s.gmem = g;
	s.offset = PAGE;
	note_refused(u, s, -EINVAL, GMEM_REASON_OUTSIDE_FILE);
	other = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
	s.offset = 0;
	t_refused(gmem_slot_note(other, &s, &err), -EOPNOTSUPP,
		  GMEM_REASON_FOREIGN_VM, err);
	t_ok(gmem_vm_close(other, &err), err);
}

static void notes_do_not_overlap(void **state)
{
	struct unit *u = *state;
	struct gmem_slot s = at(3, GiB, 1 * MiB);
	struct gmem_error err;

	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_refused(gmem_slot_note(u->vm, &s, &err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, err);
	s.slot = 4;
	t_refused(gmem_slot_note(u->vm, &s, &err), -EEXIST,
		  GMEM_REASON_GPA_OVERLAP, err);
}

static void forget_wants_a_note(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_slot s = { .sz = sizeof(s), .slot = 77 };
	struct gmem_error err;

	t_refused(gmem_slot_forget(u->vm, 3, 0, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	unit_bind(u, g, 0, 0);
	t_refused(gmem_slot_forget(u->vm, 0, 0, &err), -EBUSY,
		  GMEM_REASON_STILL_BOUND, err);
	t_refused(gmem_slot_get(u->vm, 3, 0, &s, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	assert_int_equal(s.slot, 77);
	t_refused(gmem_slot_get(u->vm, 0, 0, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_slot_note(u->vm, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_int_equal(u->n_calls, 0);
}

static void a_noted_slot_of_a_file_has_that_one_s_descriptor(void **state)
{
	static const struct {
		uint32_t flags;
		bool fd;
	} rows[] = {
		{ GMEM_SLOT_FD, true },
		{ 0, false },
		{ GMEM_SLOT_READONLY, false },
		{ GMEM_SLOT_DIRTY_LOG, false },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_slot s = at(3, GiB, 64 * KiB), out = s;
		struct gmem_error err;

		s.flags = rows[i].flags;
		s.gmem = g;
		s.fd = 77;
		t_ok(gmem_slot_note(u->vm, &s, &err), err);
		t_ok(gmem_slot_get(u->vm, 3, 0, &out, &err), err);
		assert_int_equal(out.fd, rows[i].fd ? gmem_fd(g) : -1);
		t_ok(gmem_slot_forget(u->vm, 3, 0, &err), err);
	}
}

/* A VMM may have the guest's memory there, and its kernel made the slot. */
static void a_slot_without_a_guest_memfd_may_have_a_low_address(void **state)
{
	static const uint32_t flags[] = { 0, GMEM_SLOT_READONLY,
					  GMEM_SLOT_DIRTY_LOG };
	struct unit *u = *state;

	for (uint32_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		struct gmem_slot s = at(i, (1 + i) * GiB, 64 * KiB);
		struct gmem_error err;

		s.flags = flags[i];
		s.userspace_addr = PAGE;
		t_ok(gmem_slot_note(u->vm, &s, &err), err);
	}
}

/* Nothing is known of its file, so it cannot be known to be closed. */
static void a_slot_of_a_file_that_is_not_named_is_not_called_dead(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_slot s = at(3, GiB, 64 * KiB);
	struct gmem_error err;

	s.flags = GMEM_SLOT_FD;
	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_refused(t_bind(g, 3, 0, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, err);
	t_refused(gmem_slot_note(u->vm, &s, &err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, err);
}

static void the_same_inode_on_another_device_is_another_file(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_slot s = at(3, GiB, 64 * KiB);
	struct gmem__stat st;
	struct gmem_error err;

	s.flags = GMEM_SLOT_FD;
	s.fd = unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, 3);
	assert_int_equal(unit_sys.fstat(u, s.fd, &st), 0);
	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	u->stat = &st;
	t_refused(t_bind(g, 3, 0, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, err);
	st.dev++;
	t_refused(t_bind(g, 3, 0, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_DEAD_SLOT, err);
	u->stat = NULL;
	assert_int_equal(unit_sys.close(u, s.fd), 0);
}

/* Nor does the record of what comes behind the slot change. */
static void what_is_forgotten_is_no_more_than_the_slot(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * MiB, 0);
	struct gmem_slot s = at(3, GiB, 1 * MiB);
	struct gmem_error err;
	uint64_t a, run;

	s.flags = GMEM_SLOT_FD;
	s.gmem = g;
	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	t_ok(t_bind(g, 4, 4 * GiB, 1 * MiB, 1 * MiB, NULL, &err), err);
	t_ok(gmem_slot_forget(u->vm, 3, 0, &err), err);
	t_ok(gmem_get_attributes(g, 0, 2 * MiB, &a, &run, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_UNSET);
	assert_int_equal(run, 1 * MiB);
}

/* In a VM of the VMM's own, whose slot stays. */
static void destroy_leaves_a_noted_slot_s_attributes(void **state)
{
	struct unit *u = *state;
	struct gmem_vm *vm = NULL;
	struct gmem_create_opts o = { .sz = sizeof(o) };
	struct gmem_slot s;
	struct gmem *g = NULL;
	struct gmem_error err;

	t_ok(gmem__vm_adopt_on(&unit_sys, u, gmem_vm_fd(u->vm), NULL, &vm,
			       &err),
	     err);
	t_ok(gmem_create(vm, 64 * KiB, &o, &g, &err), err);
	s = bind_raw(u, g, 3, GiB);
	t_ok(gmem_slot_note(vm, &s, &err), err);
	t_ok(gmem_set_private(g, 0, 64 * KiB, &err), err);
	t_ok(gmem_vm_destroy(vm, &err), err);
	assert_true(unit_gpa_private(u, GiB));
}

/* What a call said of another slot says nothing of this one. */
static void a_note_has_no_flags_of_the_past(void **state)
{
	static const uint64_t modes[] = { GMEM_SLOT_FD, GMEM_SLOT_HVA };
	struct unit *u = *state;
	struct gmem_error err;

	for (uint32_t i = 0; i < T_ARRAY_SIZE(modes); i++) {
		struct gmem_slot s = at(i, GiB + i * MiB, 1 * MiB), is;

		s.gmem = i ? NULL : unit_create(u, 1 * MiB, 0);
		s.flags = modes[i] | GMEM_SLOT_OWN_ADDR | GMEM_SLOT_STUCK |
			  GMEM_SLOT_LIVE | GMEM_SLOT_TAKE_KEPT |
			  GMEM_SLOT_NO_HUGE | GMEM_SLOT_SMALL_START |
			  GMEM_SLOT_SMALL_END;
		t_ok(gmem_slot_note(u->vm, &s, &err), err);
		is = GMEM_INIT(struct gmem_slot);
		t_ok(gmem_slot_get(u->vm, i, 0, &is, &err), err);
		assert_int_equal(is.flags, modes[i] | GMEM_SLOT_USERSPACE_ADDR |
						   GMEM_SLOT_NOTED);
	}
}

/* With another log, and another range or file, it is another slot. */
static void only_the_log_can_be_noted_again(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * MiB, SHARED_FLAGS);
	struct gmem *other = unit_create(u, 2 * MiB, SHARED_FLAGS);
	struct gmem_slot s = at(3, GiB, 1 * MiB), again;
	struct gmem_error err;

	s.gmem = g;
	t_ok(gmem_slot_note(u->vm, &s, &err), err);
	s.flags = GMEM_SLOT_DIRTY_LOG;
	again = s;
	again.offset = 1 * MiB;
	t_refused(gmem_slot_note(u->vm, &again, &err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, err);
	again = s;
	again.gmem = other;
	t_refused(gmem_slot_note(u->vm, &again, &err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, err);
	again.gmem = NULL;
	t_refused(gmem_slot_note(u->vm, &again, &err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, err);
	t_ok(gmem_slot_note(u->vm, &s, &err), err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_note_makes_no_kvm_call_and_is_checked_against,
		     unit_default),
		TEST(kvms_own_slots_can_be_noted, unit_default),
		TEST(a_foreign_file_can_be_noted_and_forgotten, unit_sw),
		TEST(slot_get_gives_a_note_back, unit_default),
		TEST(a_noted_slot_is_the_vmms_to_delete, unit_default),
		TEST(destroy_leaves_noted_slots_alone, unit_default),
		TEST(a_noted_range_of_a_file_is_bound, unit_default),
		TEST(attributes_are_set_through_a_noted_slot, unit_sw),
		TEST(a_slot_whose_file_was_closed_is_called_dead, unit_default),
		TEST(a_note_follows_the_rules_of_a_bind, unit_default),
		TEST(a_noted_file_is_of_this_vm_and_holds_the_range,
		     unit_default),
		TEST(notes_do_not_overlap, unit_default),
		TEST(forget_wants_a_note, unit_default),
		TEST(a_noted_slot_of_a_file_has_that_one_s_descriptor,
		     unit_default),
		TEST(a_slot_without_a_guest_memfd_may_have_a_low_address,
		     unit_default),
		TEST(a_slot_of_a_file_that_is_not_named_is_not_called_dead,
		     unit_default),
		TEST(the_same_inode_on_another_device_is_another_file,
		     unit_default),
		TEST(what_is_forgotten_is_no_more_than_the_slot, unit_sw),
		TEST(destroy_leaves_a_noted_slot_s_attributes, unit_sw),
		TEST(a_note_has_no_flags_of_the_past, unit_sw),
		TEST(only_the_log_can_be_noted_again, unit_default),
	};

	return t_main(tests);
}
