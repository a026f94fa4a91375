// SPDX-License-Identifier: MIT
/* Bind and unbind: the calls that the kernel gets, their order, and undo. */
#include "unit.h"

#define REGION1 0x4020ae46
#define REGION2 0x40a0ae49
#define ATTRIBUTES 0x4020aed2

static int bind_as(struct gmem *g, uint32_t slot, uint64_t gpa, uint64_t offset,
		   uint64_t len, uint64_t flags, struct gmem_error *err)
{
	struct gmem_slot o = { .sz = sizeof(o), .flags = flags };

	return t_bind(g, slot, gpa, offset, len, &o, err);
}

static long long bound_as(struct gmem *g, uint32_t slot, uint64_t gpa,
			  uint64_t offset, uint64_t len, uint64_t flags)
{
	struct gmem_slot o = { .sz = sizeof(o), .flags = flags };

	return t_bound(g, slot, gpa, offset, len, &o, NULL);
}

static void fd_mode_tells_the_kernel_everything_once(void **state)
{
	static const uint64_t zero[14];
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	const struct unit_call *c, *m;
	struct gmem_error err;

	t_code(t_bound(g, 5, 4 * GiB, 64 * KiB, 128 * KiB, NULL, NULL),
	       GMEM_SLOT_FD);
	assert_int_equal(unit_count(u, "ioctl", 0), 1);
	c = unit_nth(u, "ioctl", REGION2, 0);
	m = unit_nth(u, "mmap", 0, 0);
	assert_non_null(c);
	assert_int_equal(c->fd, gmem_vm_fd(u->vm));
	assert_int_equal(c->in.region.region.slot, 5);
	assert_int_equal(c->in.region.region.flags, 4);
	assert_int_equal(c->in.region.region.guest_phys_addr, 4 * GiB);
	assert_int_equal(c->in.region.region.memory_size, 128 * KiB);
	assert_int_equal(c->in.region.guest_memfd, gmem_fd(g));
	assert_int_equal(c->in.region.guest_memfd_offset, 64 * KiB);
	assert_int_equal(c->in.region.pad1, 0);
	assert_memory_equal(c->in.region.pad2, zero, sizeof(zero));
	/* KVM's own accesses land in the same bytes of the file */
	assert_int_equal(m->fd, gmem_fd(g));
	assert_int_equal(c->in.region.region.userspace_addr,
			 m->arg[0] + 64 * KiB - m->arg[3]);
	t_ok(gmem_unbind(u->vm, 5, 0, 0, &err), err);
}

static void a_file_is_mapped_once_for_all_its_slots(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	for (uint32_t i = 0; i < 16; i++)
		t_ok(t_bind(g, i, i * MiB, i * 64 * KiB, 64 * KiB, NULL, &err),
		     err);
	assert_int_equal(unit_count(u, "mmap", 0), 1);
	assert_int_equal(unit_count(u, "ioctl", REGION2), 16);
	assert_int_equal(u->live_allocs, 2 + 16); /* VM and file */
}

static void the_mapping_is_not_inherited(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	const struct unit_call *m, *a;
	struct gmem_error err;

	t_ok(t_bind(g, 0, 0, 0, 1 * MiB, NULL, &err), err);
	m = unit_nth(u, "mmap", 0, 0);
	a = unit_nth(u, "madvise", 0, 0);
	assert_non_null(a);
	assert_int_equal(a->arg[0], m->arg[0]);
	assert_int_equal(a->arg[1], m->arg[1]);
	assert_int_equal(a->arg[2], 10); /* MADV_DONTFORK */
}

static void without_its_mapping_nothing_is_bound(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	unit_answer(u, "mmap", 0, 1, 1, -ENOMEM);
	t_refused(t_bind(g, 0, 0, 0, 1 * MiB, NULL, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	assert_int_equal(unit_count(u, "ioctl", 0), 0);
	assert_int_equal(u->live_allocs, 2); /* VM and file */
}

static void a_private_file_is_bound_private(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	const struct unit_call *c;
	struct gmem_error err;
	uint64_t a, run;

	t_code(t_bound(g, 0, GiB, 256 * KiB, 512 * KiB, NULL, NULL),
	       GMEM_SLOT_FD);
	/* after the reservation's mmap() and madvise() */
	assert_int_equal(u->n_calls, 4);
	assert_int_equal(u->calls[2].request, REGION2);
	c = &u->calls[3];
	assert_int_equal(c->request, ATTRIBUTES);
	assert_int_equal(c->in.attr.address, GiB);
	assert_int_equal(c->in.attr.size, 512 * KiB);
	assert_int_equal(c->in.attr.attributes, 8);
	assert_int_equal(c->in.attr.flags, 0);
	/* the record: unset, private, unset */
	t_ok(gmem_get_attributes(g, 0, 1 * MiB, &a, &run, &err), err);
	assert_true(a == GMEM_ATTRIBUTE_UNSET && run == 256 * KiB);
	t_ok(gmem_get_attributes(g, run, 768 * KiB, &a, &run, &err), err);
	assert_true(a == GMEM_ATTRIBUTE_PRIVATE && run == 512 * KiB);
	t_ok(gmem_get_attributes(g, 768 * KiB, 256 * KiB, &a, &run, &err), err);
	assert_true(a == GMEM_ATTRIBUTE_UNSET && run == 256 * KiB);
}

static void leave_shared_sets_no_attributes(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;
	uint64_t a;

	t_ok(bind_as(g, 0, 0, 0, 1 * MiB, GMEM_SLOT_LEAVE_SHARED, &err), err);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES), 0);
	t_ok(gmem_get_attributes(g, 0, 1 * MiB, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_SHARED);
}

static void a_failed_private_start_takes_the_slot_back(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_slot s = { .sz = sizeof(s) };
	struct gmem_error err;
	uint64_t a;

	unit_answer(u, "ioctl", ATTRIBUTES, 1, 1, -ENOMEM);
	t_refused(t_bind(g, 0, 0, 0, 1 * MiB, NULL, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	assert_int_equal(err.sys_errno, ENOMEM);
	assert_null(unit_slot(u, 0));
	t_refused(gmem_slot_get(u->vm, 0, 0, &s, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	t_ok(gmem_get_attributes(g, 0, 1 * MiB, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_UNSET);
	t_ok(t_bind(g, 0, 0, 0, 1 * MiB, NULL, &err), err);
	assert_true(unit_gpa_private(u, 0));
}

static void private_starts_go_in_steps_of_a_gib(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 5 * GiB / 2, 0);
	struct gmem_error err;

	t_ok(t_bind(g, 0, 0, 0, 5 * GiB / 2, NULL, &err), err);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES), 3);
	for (unsigned int i = 0; i < 3; i++) {
		const struct unit_call *c = unit_nth(u, "ioctl", ATTRIBUTES, i);

		assert_int_equal(c->in.attr.address, i * GiB);
		assert_int_equal(c->in.attr.size, i < 2 ? GiB : GiB / 2);
	}
}

static void in_place_binding_leaves_the_attributes_alone(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, GMEM_CREATE_MMAP);
	struct gmem_error err;
	uint64_t a;

	t_ok(t_share(g, 0, 64 * KiB, &err), err);
	unit_reset(u);
	t_ok(t_bind(g, 0, 0, 0, 1 * MiB, NULL, &err), err);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	assert_int_equal(unit_count(u, "ioctl", 0), 2);
	t_ok(gmem_get_attributes(g, 0, 64 * KiB, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_SHARED);
}

static void unbind_deletes_then_resets(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;
	uint64_t a;

	unit_bind(u, g, 3, GiB);
	assert_true(unit_gpa_private(u, GiB));
	t_ok(gmem_unbind(u->vm, 3, 0, 0, &err), err);
	/* and then the reservation is unmapped */
	assert_int_equal(u->n_calls, 3);
	assert_string_equal(u->calls[2].name, "munmap");
	assert_int_equal(u->calls[0].in.region.region.slot, 3);
	assert_int_equal(u->calls[0].in.region.region.memory_size, 0);
	assert_int_equal(u->calls[1].request, ATTRIBUTES);
	assert_int_equal(u->calls[1].in.attr.address, GiB);
	assert_int_equal(u->calls[1].in.attr.size, 1 * MiB);
	assert_int_equal(u->calls[1].in.attr.attributes, 0);
	assert_false(unit_gpa_private(u, GiB));
	t_ok(gmem_get_attributes(g, 0, 1 * MiB, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_UNSET);
	t_ok(t_bind(g, 3, GiB, 0, 1 * MiB, NULL, &err), err);
}

static void on_a_vm_without_attributes_unbind_is_one_ioctl(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	unit_bind(u, g, 3, GiB);
	t_ok(gmem_unbind(u->vm, 3, 0, 0, &err), err);
	assert_int_equal(u->n_calls, 1);
	assert_int_equal(u->n_allocs, 0);
}

static void a_slot_that_cannot_be_deleted_stays_bound(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_slot s = { .sz = sizeof(s) };
	struct gmem_error err;
	uint64_t a;

	unit_bind(u, g, 0, 0);
	unit_answer(u, "ioctl", REGION1, 1, 1, -EPERM);
	t_refused(gmem_unbind(u->vm, 0, 0, 0, &err), -EPERM,
		  GMEM_REASON_ACCESS_DENIED, err);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES), 0);
	t_ok(gmem_get_attributes(g, 0, 1 * MiB, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
	t_ok(gmem_slot_get(u->vm, 0, 0, &s, &err), err);
	assert_int_equal(s.flags,
			 GMEM_SLOT_FD | GMEM_SLOT_OWN_ADDR | GMEM_SLOT_STUCK);
	/* tried again by what comes next */
	unit_answer(u, "ioctl", REGION1, 1, 1, -EPERM);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_BOUND, err);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(gmem_close(g, &err), err);
}

static void unbind_wants_a_slot_that_exists(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	unit_bind(u, g, 0, 0);
	t_refused(gmem_unbind(u->vm, 1, 0, 0, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	assert_int_equal(err.value, 1);
	t_refused(gmem_unbind(u->vm, 0, 1, 0, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	t_refused(gmem_unbind(u->vm, 0, 0, 2, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	assert_int_equal(u->n_calls, 0);
}

static void hva_mode_is_an_ordinary_slot_on_the_mapping(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	const struct unit_call *c, *m;
	struct gmem_error err;

	t_code(bound_as(g, 2, GiB, 64 * KiB, 64 * KiB,
			GMEM_SLOT_DIRTY_LOG | GMEM_SLOT_READONLY),
	       GMEM_SLOT_HVA);
	assert_int_equal(unit_count(u, "ioctl", 0), 1);
	c = unit_nth(u, "ioctl", 0, 0);
	m = unit_nth(u, "mmap", 0, 0);
	assert_int_equal(c->in.region.region.slot, 2);
	assert_int_equal(c->in.region.region.flags, 3);
	assert_int_equal(c->in.region.region.guest_phys_addr, GiB);
	assert_int_equal(c->in.region.region.memory_size, 64 * KiB);
	assert_int_equal(c->in.region.region.userspace_addr,
			 m->arg[0] + 64 * KiB);
	t_ok(gmem_unbind(u->vm, 2, 0, 0, &err), err);
}

static void the_smm_address_space_is_in_the_upper_half_of_the_id(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_slot o = { .sz = sizeof(o), .address_space = 1 };
	struct gmem_slot s = { .sz = sizeof(s) };
	struct gmem_error err;

	t_ok(t_bind(g, 7, 0, 0, 64 * KiB, NULL, &err), err);
	/* the same gpa and slot id, another space, another range */
	t_ok(t_bind(g, 7, 0, 64 * KiB, 64 * KiB, &o, &err), err);
	assert_non_null(unit_slot(u, 7));
	assert_non_null(unit_slot(u, 0x10007));
	t_ok(gmem_slot_get(u->vm, 7, 1, &s, &err), err);
	assert_int_equal(s.offset, 64 * KiB);
	assert_int_equal(s.address_space, 1);
	t_ok(gmem_unbind(u->vm, 7, 1, 0, &err), err);
	assert_non_null(unit_slot(u, 7));
	assert_null(unit_slot(u, 0x10007));
}

static void check_only_says_the_mode_and_makes_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	t_code(bound_as(g, 0, 0, 0, 1 * MiB, GMEM_SLOT_CHECK_ONLY),
	       GMEM_SLOT_FD);
	t_code(bound_as(g, 0, 0, 0, 1 * MiB,
			GMEM_SLOT_CHECK_ONLY | GMEM_SLOT_DIRTY_LOG),
	       GMEM_SLOT_HVA);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(u->n_allocs, 0);
	t_ok(t_bind(g, 0, 0, 0, 1 * MiB, NULL, &err), err);
	unit_reset(u);
	t_refused(bind_as(g, 0, GiB, 0, 1 * MiB, GMEM_SLOT_CHECK_ONLY, &err),
		  -EEXIST, GMEM_REASON_SLOT_IN_USE, err);
	assert_int_equal(u->n_calls, 0);
}

/* The address of a slot that was is no address of one that may be. */
static void check_only_gives_no_address(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_slot s = { .sz = sizeof(s) };
	struct gmem_error err;

	t_ok(t_bind(g, 9, GiB, 0, 1 * MiB, NULL, &err), err);
	t_ok(gmem_slot_get(u->vm, 9, 0, &s, &err), err);
	assert_int_not_equal(s.userspace_addr, 0);
	t_ok(gmem_unbind(u->vm, 9, 0, 0, &err), err);
	s.flags |= GMEM_SLOT_CHECK_ONLY;
	t_ok(gmem_bind(&s, &err), err);
	assert_int_equal(s.userspace_addr, 0);
}

static void slot_get_tells_what_bind_did(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_slot s = { .sz = sizeof(s) };
	struct gmem_error err;

	t_ok(t_bind(g, 9, GiB, 64 * KiB, 128 * KiB, NULL, &err), err);
	unit_reset(u);
	t_ok(gmem_slot_get(u->vm, 9, 0, &s, &err), err);
	assert_int_equal(s.slot, 9);
	assert_int_equal(s.gpa, GiB);
	assert_int_equal(s.offset, 64 * KiB);
	assert_int_equal(s.len, 128 * KiB);
	assert_ptr_equal(s.gmem, g);
	assert_int_equal(s.flags, GMEM_SLOT_FD | GMEM_SLOT_OWN_ADDR);
	assert_int_equal(s.fd, gmem_fd(g));
	assert_int_equal(s.userspace_addr, unit_slot(u, 9)->userspace_addr);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(u->n_allocs, 0);
}

static void a_dead_vms_slots_count_as_deleted(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;

	unit_bind(u, g, 0, 0);
	t_ok(gmem_model_kill(u->vm, &err), err);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(gmem_close(g, &err), err);
	t_ok(gmem_vm_close(u->vm, &err), err);
	u->vm = NULL;
}

/* While the kernel is asked, nobody can rely on the slot. */
static void asks_for_it(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem_slot s = { .sz = sizeof(s), .slot = 77 };
	unsigned int *asked = u->hook_arg;
	struct gmem_error err;

	(void)arg;
	if (c->request != REGION1 && c->request != REGION2)
		return;
	t_refused(gmem_slot_get(u->vm, 0, 0, &s, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	assert_int_equal(s.slot, 77);
	t_refused(gmem_unbind(u->vm, 0, 0, 0, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	++*asked;
}

static void a_slot_that_comes_or_goes_is_not_known(void **state)
{
	struct unit *u = *state;
	unsigned int asked = 0;

	unit_create(u, 1 * MiB, SHARED_FLAGS);
	u->hook = asks_for_it;
	u->hook_arg = &asked;
	t_ok(t_bind(u->g, 0, GiB, 0, 1 * MiB, NULL, &u->err), u->err);
	assert_int_equal(asked, 1);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &u->err), u->err);
	assert_int_equal(asked, 2);
	u->hook = NULL;
}

static void an_unbind_leaves_the_next_slot_s_attributes(void **state)
{
	struct unit *u = *state;
	uint64_t a, run;

	unit_create(u, 2 * MiB, 0);
	t_ok(t_bind(u->g, 0, GiB, 0, 1 * MiB, NULL, &u->err), u->err);
	t_ok(t_bind(u->g, 1, 4 * GiB, 1 * MiB, 1 * MiB, NULL, &u->err), u->err);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &u->err), u->err);
	t_ok(gmem_get_attributes(u->g, 0, 2 * MiB, &a, &run, &u->err), u->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_UNSET);
	assert_int_equal(run, 1 * MiB);
}

/* No slot is left whose guest addresses it could be reset for. */
static void destroy_resets_nothing_of_a_vm_that_it_ends(void **state)
{
	struct unit *u = *state;

	unit_create(u, 1 * MiB, 0);
	unit_bind(u, u->g, 0, GiB);
	t_ok(gmem_vm_destroy(u->vm, &u->err), u->err);
	u->vm = NULL;
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(fd_mode_tells_the_kernel_everything_once, unit_default),
		TEST(a_file_is_mapped_once_for_all_its_slots, unit_default),
		TEST(the_mapping_is_not_inherited, unit_default),
		TEST(without_its_mapping_nothing_is_bound, unit_default),
		TEST(a_private_file_is_bound_private, unit_sw),
		TEST(a_private_file_is_bound_private, unit_sw612),
		TEST(leave_shared_sets_no_attributes, unit_sw),
		TEST(a_failed_private_start_takes_the_slot_back, unit_sw),
		TEST(private_starts_go_in_steps_of_a_gib, unit_sw),
		TEST(in_place_binding_leaves_the_attributes_alone,
		     unit_inplace),
		TEST(unbind_deletes_then_resets, unit_sw),
		TEST(on_a_vm_without_attributes_unbind_is_one_ioctl,
		     unit_default),
		TEST(a_slot_that_cannot_be_deleted_stays_bound, unit_sw),
		TEST(unbind_wants_a_slot_that_exists, unit_default),
		TEST(hva_mode_is_an_ordinary_slot_on_the_mapping, unit_default),
		TEST(the_smm_address_space_is_in_the_upper_half_of_the_id,
		     unit_default),
		TEST(check_only_says_the_mode_and_makes_nothing, unit_default),
		TEST(check_only_gives_no_address, unit_default),
		TEST(slot_get_tells_what_bind_did, unit_default),
		TEST(a_dead_vms_slots_count_as_deleted, unit_sw),
		TEST(a_slot_that_comes_or_goes_is_not_known, unit_default),
		TEST(an_unbind_leaves_the_next_slot_s_attributes, unit_sw),
		TEST(destroy_resets_nothing_of_a_vm_that_it_ends, unit_sw),
	};

	return t_main(tests);
}
