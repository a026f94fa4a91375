// SPDX-License-Identifier: MIT
/* What a bind makes of its options, in the library's table and the kernel's. */
#include "unit.h"
#include "uapi.h"
#include "vm.h"

#define ATTRIBUTES "KVM_SET_MEMORY_ATTRIBUTES"

static void bind_with(struct unit *m, uint32_t slot, uint64_t flags)
{
	struct gmem_bind_opts o = { .sz = sizeof(o), .flags = flags };

	t_ok(gmem_bind(m->g, slot, (slot + 1) * GiB, 0, gmem_size(m->g), &o,
		       &m->err),
	     m->err);
}

static void a_slot_has_the_flags_that_were_asked_for(void **state)
{
	static const struct {
		uint64_t flags, slot;
		uint32_t kernel;
	} rows[] = {
		{ GMEM_BIND_HVA, 0, 0 },
		{ GMEM_BIND_HVA | GMEM_BIND_ALIAS, 0, 0 },
		{ GMEM_BIND_DIRTY_LOG, GMEM_SLOT_DIRTY_LOG,
		  GMEM__MEM_LOG_DIRTY_PAGES },
		{ GMEM_BIND_READONLY, GMEM_SLOT_READONLY, GMEM__MEM_READONLY },
		{ GMEM_BIND_FD, GMEM_SLOT_FD, GMEM__MEM_GUEST_MEMFD },
	};
	struct unit *m = *state;

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	for (uint32_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_model_slot k = { .sz = sizeof(k) };
		struct gmem_slot s = { .sz = sizeof(s) };
		bool fd = rows[i].slot & GMEM_SLOT_FD;

		bind_with(m, i, rows[i].flags);
		t_ok(gmem_slot_get(m->vm, i, 0, &s, &m->err), m->err);
		assert_int_equal(s.flags, rows[i].slot);
		assert_int_equal(s.fd, fd ? gmem_fd(m->g) : -1);
		t_ok(gmem_model_get_slot(m->vm, i, 0, &k, &m->err), m->err);
		assert_int_equal(k.flags, rows[i].kernel);
	}
}

static uint64_t attributes(struct unit *m)
{
	uint64_t attributes = UINT64_MAX, run;

	t_ok(gmem_get_attributes(m->g, 0, gmem_size(m->g), &attributes, &run,
				 &m->err),
	     m->err);
	assert_int_equal(run, gmem_size(m->g));
	return attributes;
}

/* MMAP says who may touch it, not how it starts. */
static void a_file_without_init_shared_starts_private(void **state)
{
	static const uint64_t flags[] = {
		0,
		GMEM_CREATE_UNBOUND,
		GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY,
	};
	struct unit *m = *state;

	for (uint32_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		unit_create(m, 1 * MiB, flags[i]);
		bind_with(m, i, 0);
		assert_int_equal(attributes(m), GMEM_ATTRIBUTE_PRIVATE);
		t_ok(gmem_unbind(m->g, i, NULL, &m->err), m->err);
		bind_with(m, i, GMEM_BIND_LEAVE_SHARED);
		assert_int_equal(attributes(m), GMEM_ATTRIBUTE_SHARED);
	}
}

/* A failure at the first attributes leaves nothing, and says no more. */
static void an_undone_bind_is_no_stuck_slot(void **state)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	struct unit *m = *state;

	unit_create(m, 1 * MiB, 0);
	t_ok(gmem_model_fail(m->vm, ATTRIBUTES, 1, ENOMEM, &m->err), m->err);
	t_refused(gmem_bind(m->g, 0, GiB, 0, 1 * MiB, NULL, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_false(m->err.flags & GMEM_ERROR_STUCK);
	assert_null(strstr(m->err.msg, "could not be deleted"));
	t_refused(gmem_slot_get(m->vm, 0, 0, &s, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
}

/* A file of a VM that cannot convert is as it is: done at once, or not. */
static void done_is_all_where_nothing_is_to_do(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 1 * MiB, SHARED_FLAGS);

	t_ok(gmem_set_shared(g, 0, 64 * KiB, &m->err), m->err);
	assert_int_equal(m->err.done, 64 * KiB);
	t_refused(gmem_set_private(g, 0, 64 * KiB, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_NO_PRIVATE_MEMORY, m->err);
	assert_int_equal(m->err.done, 0);
	assert_non_null(strstr(m->err.msg, "stays shared"));
	g = unit_create(m, 1 * MiB, GMEM_CREATE_UNBOUND);
	t_refused(gmem_set_shared(g, 0, 64 * KiB, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_NO_PRIVATE_MEMORY, m->err);
	assert_non_null(strstr(m->err.msg, "stays private"));
}

/* To ask is to do nothing: neither done nor changed. */
static void asked_only_nothing_is_done(void **state)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_CHECK_ONLY |
						   GMEM_ATTRIBUTES_UNBACKED };
	struct unit *m = *state;

	unit_create(m, 1 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
	t_ok(gmem_set_attributes(m->g, 0, 64 * KiB, GMEM_ATTRIBUTE_SHARED, &o,
				 &m->err),
	     m->err);
	assert_int_equal(m->err.done, 0);
	assert_int_equal(attributes(m), GMEM_ATTRIBUTE_PRIVATE);
}

/* In place, a slot in HVA mode is named that keeps the memory shared. */
static void the_slot_that_keeps_memory_shared_is_named(void **state)
{
	struct unit *m = *state;

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	bind_with(m, 5, GMEM_BIND_HVA);
	t_refused(gmem_set_private(m->g, 0, 64 * KiB, &m->err), -EBUSY,
		  GMEM_REASON_HVA_BOUND, m->err);
	assert_int_equal(m->err.limit, 5);
	assert_non_null(strstr(m->err.msg, "slot 5"));
}

/* A flag that is no MMAP does not make it mappable. */
static void what_the_host_cannot_map_has_no_shared_side(void **state)
{
	struct unit *m = *state;

	unit_create(m, 1 * MiB, GMEM_CREATE_UNBOUND);
	unit_bind(m, m->g, 0, GiB);
	t_refused(gmem_set_shared(m->g, 0, 64 * KiB, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_NO_SHARED_SIDE, m->err);
}

/* The caller's memory is one. */
static void with_an_address_of_the_callers_there_is_a_shared_side(void **state)
{
	struct gmem_bind_opts o = { .sz = sizeof(o),
				    .flags = GMEM_BIND_USERSPACE_ADDR,
				    .userspace_addr = 0x70000000 };
	struct unit *m = *state;

	unit_create(m, 1 * MiB, 0);
	t_ok(gmem_bind(m->g, 0, GiB, 0, 1 * MiB, &o, &m->err), m->err);
	t_ok(gmem_set_shared(m->g, 0, 64 * KiB, &m->err), m->err);
}

/* Whatever flags the kernel could have known it by. */
static void a_file_that_was_taken_over_as_shared_starts_shared(void **state)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	struct unit *m = *state;
	int fd = unit_file_fd(m, gmem_vm_fd(m->vm), 1 * MiB, GMEM_CREATE_MMAP);

	t_ok(gmem_adopt(m->vm, fd, &o, &m->g, &m->err), m->err);
	bind_with(m, 0, 0);
	assert_int_equal(attributes(m), GMEM_ATTRIBUTE_SHARED);
	assert_false(unit_gpa_private(m, GiB));
}

/* Adopts .vm once more, and gives back the first handle. */
static struct gmem_vm *adopted_once_more(struct unit *m)
{
	struct gmem_vm_opts o = { .sz = sizeof(o) };
	struct gmem_vm *owner = m->vm;

	t_ok(gmem__vm_adopt_on(&unit_sys, m, gmem_vm_fd(owner), &o, &m->vm,
			       &m->err),
	     m->err);
	return owner;
}

static void end_both(struct unit *m, struct gmem_vm *owner)
{
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	m->vm = owner;
}

/* Its VMM may have had a slot there that was private. */
static void in_an_adopted_vm_shared_is_set_as_well(void **state)
{
	struct gmem__attributes a = { .address = GiB,
				      .size = 1 * MiB,
				      .attributes = GMEM_ATTRIBUTE_PRIVATE };
	struct unit *m = *state;
	struct gmem_vm *owner = adopted_once_more(m);

	assert_int_equal(unit_sys.ioctl(m, gmem_vm_fd(owner),
					GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a),
			 0);
	unit_create(m, 1 * MiB, 0);
	bind_with(m, 0, GMEM_BIND_LEAVE_SHARED);
	assert_false(unit_gpa_private(m, GiB));
	end_both(m, owner);
}

static void where_a_vm_has_no_attributes_none_are_set(void **state)
{
	struct unit *m = *state;
	struct gmem_vm *owner = adopted_once_more(m);

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	bind_with(m, 0, 0);
	assert_int_equal(
		unit_count(m, "ioctl", GMEM__KVM_SET_MEMORY_ATTRIBUTES), 0);
	end_both(m, owner);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_slot_has_the_flags_that_were_asked_for, unit_default73),
		TEST(a_file_without_init_shared_starts_private, unit_sw),
		TEST(an_undone_bind_is_no_stuck_slot, unit_sw),
		TEST(done_is_all_where_nothing_is_to_do, unit_default73),
		TEST(asked_only_nothing_is_done, unit_sw),
		TEST(the_slot_that_keeps_memory_shared_is_named, unit_inplace),
		TEST(what_the_host_cannot_map_has_no_shared_side, unit_inplace),
		TEST(what_the_host_cannot_map_has_no_shared_side, unit_sw),
		TEST(with_an_address_of_the_callers_there_is_a_shared_side,
		     unit_sw),
		TEST(a_file_that_was_taken_over_as_shared_starts_shared,
		     unit_sw),
		TEST(in_an_adopted_vm_shared_is_set_as_well, unit_sw),
		TEST(where_a_vm_has_no_attributes_none_are_set, unit_default73),
	};

	return t_main(tests);
}
