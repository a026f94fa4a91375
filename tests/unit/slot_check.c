// SPDX-License-Identifier: MIT
/* The planner, every refusal before the kernel, and what it refuses itself. */
#include "unit.h"

#define REGION2 0x40a0ae49

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

/* [0, 64 KiB) of @g at @gpa is refused without a call, checked or done. */
static void refused_at(struct unit *u, struct gmem *g, uint32_t slot,
		       uint64_t gpa, uint64_t flags, int code, uint32_t why)
{
	struct gmem_error err;

	unit_reset(u);
	t_refused(bind_as(g, slot, gpa, 0, 64 * KiB,
			  flags | GMEM_SLOT_CHECK_ONLY, &err),
		  code, why, err);
	assert_int_equal(u->n_calls, 0);
	t_refused(bind_as(g, slot, gpa, 0, 64 * KiB, flags, &err), code, why,
		  err);
	assert_int_equal(unit_count(u, "ioctl", 0), 0);
	assert_int_equal(err.sys_errno, 0);
}

static void refused(struct unit *u, struct gmem *g, uint64_t flags, int code,
		    uint32_t why)
{
	refused_at(u, g, 0, 0, flags, code, why);
}

static void numbers_out_of_range_are_refused(void **state)
{
	struct unit *u = *state;
	uint64_t page = u->page;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	uint32_t spaces = model__address_spaces(u->k, NULL);
	struct gmem_slot o = { .sz = sizeof(o), .address_space = spaces };
	struct gmem_error err;

	refused_at(u, g, (uint32_t)model__cap(u->k, NULL, 10), 0, 0, -EINVAL,
		   GMEM_REASON_SLOT_LIMIT);
	/* also where a call said of another that it is KVM's own */
	refused_at(u, g, (uint32_t)model__cap(u->k, NULL, 10), 0,
		   GMEM_SLOT_NOTED, -EINVAL, GMEM_REASON_SLOT_LIMIT);
	refused_at(u, g, UINT32_MAX, 0, 0, -EINVAL, GMEM_REASON_SLOT_LIMIT);
	refused_at(u, g, 0, page / 2, 0, -EINVAL, GMEM_REASON_UNALIGNED);
	refused_at(u, g, 0, -page, 0, -EINVAL, GMEM_REASON_GPA_OVERFLOW);
	refused(u, g, 1ULL << 12, -EINVAL, GMEM_REASON_FLAG_UNKNOWN);
	refused(u, g, GMEM_SLOT_FD | GMEM_SLOT_HVA, -EINVAL,
		GMEM_REASON_VALUE_UNKNOWN);
	t_refused(t_bind(g, 0, 0, 0, 64 * KiB, &o, &err), -EINVAL,
		  GMEM_REASON_ADDRESS_SPACE, err);
	assert_int_equal(err.value, spaces);
	assert_int_equal(err.limit, spaces);
	o = (struct gmem_slot){ .sz = sizeof(o), .reserved = 1 };
	t_refused(t_bind(g, 0, 0, 0, 64 * KiB, &o, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	assert_int_equal(unit_count(u, "ioctl", 0), 0);
}

static void a_slot_holds_two_to_the_31_pages_less_one(void **state)
{
	struct unit *u = *state;
	uint64_t most = 0x7fffffffULL * u->page;
	struct gmem *g = unit_create(u, most + u->page, SHARED_FLAGS);
	struct gmem_error err;

	t_refused(t_bind(g, 0, 0, 0, most + u->page, NULL, &err), -EINVAL,
		  GMEM_REASON_SLOT_TOO_LARGE, err);
	assert_int_equal(err.limit, most);
	assert_int_equal(u->n_calls, 0);
	if (unit_sys.is_arm64(u)) /* wider than its guest */
		t_refused(bind_as(g, 0, 0, 0, most, GMEM_SLOT_CHECK_ONLY, &err),
			  -EINVAL, GMEM_REASON_GPA_LIMIT, err);
	else
		t_ok(bind_as(g, 0, 0, 0, most, GMEM_SLOT_CHECK_ONLY, &err),
		     err);
}

static void a_caller_s_address_is_taken_only_by_name(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_slot o = { .sz = sizeof(o), .userspace_addr = 2 * PAGE };
	struct gmem_error err;

	/* without its flag an address has no meaning, so it is no wish */
	t_refused(t_bind(g, 0, 0, 0, 64 * KiB, &o, &err), -EINVAL,
		  GMEM_REASON_USERSPACE_ADDR, err);
	o.userspace_addr = 128 * KiB;
	o.flags = GMEM_SLOT_USERSPACE_ADDR | GMEM_SLOT_HVA;
	t_refused(t_bind(g, 0, 0, 0, 64 * KiB, &o, &err), -EINVAL,
		  GMEM_REASON_USERSPACE_ADDR, err);
	/* nor has it one where the guest sees the file, shared as well */
	o.flags = GMEM_SLOT_USERSPACE_ADDR;
	t_refused(t_bind(g, 0, 0, 0, 64 * KiB, &o, &err), -EOPNOTSUPP,
		  GMEM_REASON_TWO_BACKINGS, err);
	assert_int_equal(err.value, 128 * KiB);
	assert_int_equal(u->n_calls, 0);
}

static void the_planner_takes_the_mode_that_fits(void **state)
{
	static const struct {
		uint64_t flags;
		int mode;
	} rows[] = {
		{ 0, GMEM_SLOT_FD },
		{ GMEM_SLOT_FD, GMEM_SLOT_FD },
		{ GMEM_SLOT_HVA, GMEM_SLOT_HVA },
		{ GMEM_SLOT_DIRTY_LOG, GMEM_SLOT_HVA },
		{ GMEM_SLOT_READONLY, GMEM_SLOT_HVA },
		{ GMEM_SLOT_ALIAS, GMEM_SLOT_HVA },
		{ GMEM_SLOT_LEAVE_SHARED, GMEM_SLOT_FD },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++)
		t_code(bound_as(g, 0, 0, 0, 64 * KiB,
				rows[i].flags | GMEM_SLOT_CHECK_ONLY),
		       rows[i].mode);
}

static void fd_mode_by_name_cannot_do_what_only_hva_can(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);

	refused(u, g, GMEM_SLOT_FD | GMEM_SLOT_DIRTY_LOG, -EOPNOTSUPP,
		GMEM_REASON_DIRTY_LOG);
	refused(u, g, GMEM_SLOT_FD | GMEM_SLOT_READONLY, -EOPNOTSUPP,
		GMEM_REASON_READONLY);
	refused(u, g, GMEM_SLOT_FD | GMEM_SLOT_ALIAS, -EEXIST,
		GMEM_REASON_RANGE_BOUND);
}

static void a_private_file_has_no_hva_mode(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, 0);

	refused(u, g, GMEM_SLOT_HVA, -EOPNOTSUPP, GMEM_REASON_NOT_MAPPABLE);
	refused(u, g, GMEM_SLOT_DIRTY_LOG, -EOPNOTSUPP,
		GMEM_REASON_NOT_MAPPABLE);
	g = unit_create(u, 64 * KiB, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	refused(u, g, GMEM_SLOT_READONLY, -EOPNOTSUPP, GMEM_REASON_HVA_PRIVATE);
}

static void in_place_hva_mode_wants_the_range_shared(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 128 * KiB, SHARED_FLAGS);
	struct gmem_error err;

	t_ok(gmem_set_private(g, 64 * KiB - PAGE, 2 * PAGE, &err), err);
	refused(u, g, GMEM_SLOT_HVA, -EACCES, GMEM_REASON_PRIVATE);
	t_code(bound_as(g, 0, 0, 64 * KiB + PAGE, 64 * KiB - PAGE,
			GMEM_SLOT_HVA),
	       GMEM_SLOT_HVA);
}

static void a_vm_without_read_only_slots_says_so(void **state)
{
	struct unit *u = *state;
	struct gmem *g;

	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	unit_cap(u, OBJECT_VM, 81, 0);
	u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
	g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	refused(u, g, GMEM_SLOT_READONLY, -EOPNOTSUPP,
		GMEM_REASON_READONLY_UNSUPPORTED);
}

static void a_file_that_the_guest_would_never_see_is_not_bound(void **state)
{
	struct unit *u = *state;

	refused(u, unit_create(u, 64 * KiB, GMEM_CREATE_UNBOUND), 0, -EINVAL,
		GMEM_REASON_NEVER_USED);
}

static void arm64_binds_mappable_files_only(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, GMEM_CREATE_UNBOUND);

	refused(u, g, 0, -EOPNOTSUPP, GMEM_REASON_NEEDS_MMAP);
}

static void a_foreign_file_goes_by_hva(void **state)
{
	struct unit *u = *state;
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_FOREIGN |
					      GMEM_ADOPT_INIT_SHARED };
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, 3);
	struct gmem_error err;
	struct gmem *g = NULL;

	t_ok(gmem_adopt(u->vm, fd, &o, &g, &err), err);
	refused(u, g, GMEM_SLOT_FD, -EOPNOTSUPP, GMEM_REASON_FOREIGN_VM);
	t_code(t_bound(g, 0, 0, 0, 64 * KiB, NULL, NULL), GMEM_SLOT_HVA);
}

/* ------------------------------------------------------ against the table */

static void a_slot_is_never_changed(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 128 * KiB, SHARED_FLAGS);
	struct gmem_error err;

	t_ok(t_bind(g, 0, 0, 0, 64 * KiB, NULL, &err), err);
	refused(u, g, 0, -EEXIST, GMEM_REASON_SLOT_IN_USE);
	refused_at(u, g, 0, GiB, 0, -EEXIST, GMEM_REASON_SLOT_IN_USE);
	refused_at(u, g, 0, GiB, GMEM_SLOT_HVA, -EEXIST,
		   GMEM_REASON_SLOT_IN_USE);
}

static void gpa_overlap_is_found_from_both_sides(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem *o = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;

	t_ok(t_bind(o, 0, 1 * MiB, 0, 64 * KiB, NULL, &err), err);
	refused_at(u, g, 1, 1 * MiB, 0, -EEXIST, GMEM_REASON_GPA_OVERLAP);
	refused_at(u, g, 1, 1 * MiB - PAGE, 0, -EEXIST,
		   GMEM_REASON_GPA_OVERLAP);
	refused_at(u, g, 1, 1 * MiB + 64 * KiB - PAGE, 0, -EEXIST,
		   GMEM_REASON_GPA_OVERLAP);
	refused_at(u, g, 1, 1 * MiB, GMEM_SLOT_HVA, -EEXIST,
		   GMEM_REASON_GPA_OVERLAP);
	t_ok(t_bind(g, 1, 1 * MiB + 64 * KiB, 0, 64 * KiB, NULL, &err), err);
	t_ok(gmem_unbind(u->vm, 1, 0, 0, &err), err);
	t_ok(t_bind(g, 1, 1 * MiB - 64 * KiB, 0, 64 * KiB, NULL, &err), err);
}

static void a_range_of_a_file_is_bound_once(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 128 * KiB, SHARED_FLAGS);
	struct gmem_error err;

	t_ok(t_bind(g, 0, 0, 64 * KiB - PAGE, 2 * PAGE, NULL, &err), err);
	refused_at(u, g, 1, GiB, 0, -EEXIST, GMEM_REASON_RANGE_BOUND);
	t_ok(t_bind(g, 1, GiB, 0, 64 * KiB - PAGE, NULL, &err), err);
	t_ok(t_bind(g, 2, 2 * GiB, 64 * KiB + PAGE, 64 * KiB - PAGE, NULL,
		    &err),
	     err);
	/* an alias is an ordinary slot */
	t_code(bound_as(g, 3, 3 * GiB, 0, 128 * KiB, GMEM_SLOT_ALIAS),
	       GMEM_SLOT_HVA);
}

/* -------------------------------------------- what only the kernel knows */

/* EINVAL has other causes too, and stays what it is. */
static void only_eexist_tells_of_an_unknown_slot(void **state)
{
	static const int codes[] = { -EINVAL, -EEXIST };
	static const uint32_t reasons[] = { GMEM_REASON_KERNEL,
					    GMEM_REASON_UNKNOWN_SLOT };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);

	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		struct gmem_slot s = { .sz = sizeof(s) };
		struct gmem_error err;

		unit_reset(u);
		unit_answer(u, "ioctl", REGION2, 1, 1, codes[i]);
		t_refused(t_bind(g, 0, 0, 0, 64 * KiB, NULL, &err), codes[i],
			  reasons[i], err);
		assert_int_equal(err.sys_errno, -codes[i]);
		assert_true(strstr(err.msg, "slot"));
		t_refused(gmem_slot_get(u->vm, 0, 0, &s, &err), -EINVAL,
			  GMEM_REASON_NOT_BOUND, err);
	}
}

/* The VMM binds a range itself, and then the library is asked to. */
static void a_bind_behind_the_library_s_back(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	bool eexist = model__has(u->k, MODEL_RANGE_EEXIST);
	struct gmem__region2 r = {
		.region = { .slot = 8,
			    .flags = 4,
			    .guest_phys_addr = GiB,
			    .memory_size = 64 * KiB },
		.guest_memfd = (uint32_t)gmem_fd(g),
	};
	struct gmem_error err;

	assert_int_equal(unit_sys.ioctl(u, gmem_vm_fd(u->vm), REGION2, &r), 0);
	t_refused(t_bind(g, 0, 0, 0, 64 * KiB, NULL, &err),
		  eexist ? -EEXIST : -EINVAL,
		  eexist ? GMEM_REASON_UNKNOWN_SLOT : GMEM_REASON_KERNEL, err);
	t_refused(t_bind(g, 0, GiB, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_UNKNOWN_SLOT, err);
}

static void a_gpa_beyond_the_guest_is_one_reason_on_every_machine(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	bool arm64 = unit_sys.is_arm64(u);
	uint64_t limit = 1ULL << (arm64 ? 40 : unit_sys.phys_bits(u));
	struct gmem_slot check = { .sz = sizeof(check),
				   .flags = GMEM_SLOT_CHECK_ONLY };
	struct gmem_error err;

	t_refused(t_bind(g, 0, limit, 0, 64 * KiB, NULL, &err), -EINVAL,
		  GMEM_REASON_GPA_LIMIT, err);
	assert_int_equal(err.sys_errno, arm64 ? EFAULT : EINVAL);
	assert_int_equal(err.limit, arm64 ? 0 : limit);
	assert_true(err.flags & GMEM_ERROR_DIAGNOSED);
	if (arm64 || gmem_vm_has(u->vm, GMEM_FEATURE_PRE_FAULT)) {
		t_refused(t_bind(g, 0, limit, 0, 64 * KiB, &check, &err),
			  -EINVAL, GMEM_REASON_GPA_LIMIT, err);
		assert_int_equal(err.limit, limit);
		t_refused(t_bind(g, 0, limit - PAGE, 0, 64 * KiB, &check, &err),
			  -EINVAL, GMEM_REASON_GPA_LIMIT, err);
	}
	t_ok(t_bind(g, 0, limit - 64 * KiB, 0, 64 * KiB, &check, &err), err);
	t_ok(t_bind(g, 0, limit - 64 * KiB, 0, 64 * KiB, NULL, &err), err);
}

static void beyond_52_bits_x86_is_refused_at_once(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);

	refused_at(u, g, 0, 1ULL << 52, 0, -EINVAL, GMEM_REASON_GPA_LIMIT);
	refused_at(u, g, 0, (1ULL << 52) - PAGE, 0, -EINVAL,
		   GMEM_REASON_GPA_LIMIT);
}

static void other_errnos_of_bind_have_their_reason(void **state)
{
	static const struct {
		int code;
		uint32_t why;
	} rows[] = {
		{ -ENOMEM, GMEM_REASON_NO_MEMORY },
		{ -EIO, GMEM_REASON_VM_DEAD },
		{ -EPERM, GMEM_REASON_ACCESS_DENIED },
		{ -ENOSYS, GMEM_REASON_KERNEL },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_error err;

		unit_reset(u);
		unit_answer(u, "ioctl", REGION2, 1, 1, rows[i].code);
		t_refused(t_bind(g, 0, 0, 0, 64 * KiB, NULL, &err),
			  rows[i].code, rows[i].why, err);
	}
}

/* As many as a VM was made with: the kernel knows. */
static void beyond_52_bits_arm64_asks_the_kernel(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;

	t_refused(t_bind(g, 0, 1ULL << 52, 0, 64 * KiB, NULL, &err), -EINVAL,
		  GMEM_REASON_GPA_LIMIT, err);
	assert_int_equal(err.sys_errno, EFAULT);
}

/* A kernel that accepts what none should: its calls are not understood. */
static void
where_a_probe_succeeds_that_should_not_nothing_is_bound(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;

	t_ok(gmem_vm_destroy(u->vm, &err), err);
	unit_answer(u, "ioctl", GMEM__KVM_SET_MEMORY_ATTRIBUTES2, 1, 1, 0);
	u->vm = unit_vm(u, GMEM_VM_SW_PROTECTED, NULL, NULL);
	unit_create(u, 64 * KiB, 0);
	t_refused(t_bind(u->g, 0, 0, 0, 64 * KiB, NULL, &err), -EINVAL,
		  GMEM_REASON_KERNEL, err);
	assert_int_equal(err.sys_errno, EINVAL);
	assert_int_equal(unit_count(u, "ioctl", REGION2), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(numbers_out_of_range_are_refused, unit_default),
		TEST(numbers_out_of_range_are_refused, unit_arm64),
		TEST(a_slot_holds_two_to_the_31_pages_less_one, unit_default),
		TEST(a_slot_holds_two_to_the_31_pages_less_one, unit_arm64),
		TEST(a_caller_s_address_is_taken_only_by_name, unit_default),
		TEST(the_planner_takes_the_mode_that_fits, unit_default),
		TEST(fd_mode_by_name_cannot_do_what_only_hva_can, unit_default),
		TEST(a_private_file_has_no_hva_mode, unit_sw),
		TEST(in_place_hva_mode_wants_the_range_shared, unit_inplace),
		TEST(a_vm_without_read_only_slots_says_so, unit_default),
		TEST(a_file_that_the_guest_would_never_see_is_not_bound,
		     unit_default),
		TEST(arm64_binds_mappable_files_only, unit_arm64),
		TEST(a_foreign_file_goes_by_hva, unit_default),
		TEST(a_slot_is_never_changed, unit_default),
		TEST(gpa_overlap_is_found_from_both_sides, unit_default),
		TEST(a_range_of_a_file_is_bound_once, unit_default),
		TEST(only_eexist_tells_of_an_unknown_slot, unit_default),
		TEST(only_eexist_tells_of_an_unknown_slot, unit_arm64),
		TEST(a_bind_behind_the_library_s_back, unit_default),
		TEST(a_bind_behind_the_library_s_back, unit_default73),
		TEST(a_gpa_beyond_the_guest_is_one_reason_on_every_machine,
		     unit_default),
		TEST(a_gpa_beyond_the_guest_is_one_reason_on_every_machine,
		     unit_arm64),
		TEST(beyond_52_bits_x86_is_refused_at_once, unit_default),
		TEST(other_errnos_of_bind_have_their_reason, unit_default),
		TEST(beyond_52_bits_arm64_asks_the_kernel, unit_arm64),
		TEST(where_a_probe_succeeds_that_should_not_nothing_is_bound,
		     unit_sw),
	};

	return t_main(tests);
}
