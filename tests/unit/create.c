// SPDX-License-Identifier: MIT
/* Making a file: each rule of gmem_create() and what the kernel is asked. */
#include "unit.h"

#define CREATE 0xc040aed4

static int make(struct unit *u, uint64_t size, uint64_t flags,
		struct gmem **out, struct gmem_error *err)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = flags };

	return gmem_create(u->vm, size, &o, out, err);
}

/* Refused before any call, with the output untouched. */
static void refused(struct unit *u, uint64_t size, uint64_t flags, int code,
		    uint32_t why, uint64_t value)
{
	struct gmem_error err;
	struct gmem *out = (struct gmem *)u;

	unit_reset(u);
	t_refused(make(u, size, flags, &out, &err), code, why, err);
	assert_int_equal(err.value, value);
	assert_ptr_equal(out, u);
	t_refused(make(u, size, flags | GMEM_CREATE_CHECK_ONLY, NULL, &err),
		  code, why, err);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(u->n_allocs, 0);
}

/* Made, with exactly @kernel for the flags, and close-on-exec. */
static void made(struct unit *u, uint64_t size, uint64_t flags, uint64_t kernel)
{
	static const uint64_t zero[6];
	struct gmem_error err;
	struct gmem *g = NULL;
	const struct unit_call *c;

	unit_reset(u);
	t_ok(make(u, size, flags | GMEM_CREATE_CHECK_ONLY, &g, &err), err);
	assert_null(g);
	assert_int_equal(u->n_calls, 0);
	t_ok(make(u, size, flags, &g, &err), err);
	c = unit_nth(u, "ioctl", CREATE, 0);
	assert_non_null(c);
	assert_int_equal(c->fd, gmem_vm_fd(u->vm));
	assert_int_equal(c->in.create.size, size);
	assert_int_equal(c->in.create.flags, kernel);
	assert_memory_equal(c->in.create.reserved, zero, sizeof(zero));
	assert_int_equal(gmem_fd(g), c->result);
	assert_true(unit_is_cloexec(gmem_fd(g)));
	assert_int_equal(gmem_size(g), size);
	assert_int_equal(gmem_page_size(g), u->page);
	assert_int_equal(gmem_flags(g), flags);
	t_ok(gmem_close(g, &err), err);
}

static void create_is_one_ioctl_one_fcntl_one_allocation(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	t_ok(make(u, 1 * MiB, SHARED_FLAGS, &g, &err), err);
	assert_int_equal(u->n_calls, 2);
	assert_int_equal(u->calls[0].request, CREATE);
	assert_string_equal(u->calls[1].name, "fcntl");
	assert_int_equal(u->n_allocs, 1);
	unit_reset(u);
	(void)gmem_fd(g);
	(void)gmem_size(g);
	(void)gmem_page_size(g);
	(void)gmem_flags(g);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_close(g, &err), err);
	assert_int_equal(u->n_calls, 1);
	assert_string_equal(u->calls[0].name, "close");
}

static void a_file_that_converts_adds_one_mapping(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	t_ok(gmem_create(u->vm, 1 * MiB, NULL, &g, &err), err);
	assert_int_equal(unit_count(u, "mmap", 0), 1);
	assert_int_equal(u->n_calls, 3);
	t_ok(gmem_close(g, &err), err);
}

static void a_default_vm_makes_mappable_shared_files(void **state)
{
	made(*state, PAGE, SHARED_FLAGS, 3);
	made(*state, (1ULL << 63) - PAGE, SHARED_FLAGS, 3);
}

static void what_surprises_must_be_asked_for_by_name(void **state)
{
	struct unit *u = *state;

	refused(u, PAGE, 0, -EINVAL, GMEM_REASON_NEVER_USED, 0);
	made(u, PAGE, GMEM_CREATE_UNBOUND, 0);
	refused(u, PAGE, GMEM_CREATE_MMAP, -EINVAL, GMEM_REASON_GUEST_ONLY, 1);
	made(u, PAGE, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY, 1);
}

static void what_can_never_work_is_refused(void **state)
{
	struct unit *u = *state;

	refused(u, PAGE, GMEM_CREATE_INIT_SHARED, -EINVAL,
		GMEM_REASON_INIT_SHARED_UNMAPPABLE, 2);
	refused(u, PAGE, GMEM_CREATE_INIT_SHARED | GMEM_CREATE_UNBOUND, -EINVAL,
		GMEM_REASON_INIT_SHARED_UNMAPPABLE, 2 | 1 << 9);
	refused(u, PAGE, SHARED_FLAGS | GMEM_CREATE_GUEST_ONLY, -EINVAL,
		GMEM_REASON_GUEST_ONLY, 3 | 1 << 8);
	refused(u, PAGE, SHARED_FLAGS | 1ULL << 2, -EINVAL,
		GMEM_REASON_FLAG_UNKNOWN, 4);
	refused(u, PAGE, SHARED_FLAGS | 1ULL << 63, -EINVAL,
		GMEM_REASON_FLAG_UNKNOWN, 1ULL << 63);
}

static void the_size_is_pages_below_two_to_the_63(void **state)
{
	struct unit *u = *state;
	uint64_t page = u->page;

	refused(u, 0, SHARED_FLAGS, -EINVAL, GMEM_REASON_ZERO_SIZE, 0);
	refused(u, page + 1, SHARED_FLAGS, -EINVAL, GMEM_REASON_UNALIGNED,
		page + 1);
	refused(u, page / 2, SHARED_FLAGS, -EINVAL, GMEM_REASON_UNALIGNED,
		page / 2);
	refused(u, 1ULL << 63, SHARED_FLAGS, -EINVAL, GMEM_REASON_SIZE_LIMIT,
		1ULL << 63);
	refused(u, -page, SHARED_FLAGS, -EINVAL, GMEM_REASON_SIZE_LIMIT, -page);
	made(u, page, SHARED_FLAGS, 3);
}

static void a_private_vm_makes_private_files_by_default(void **state)
{
	struct unit *u = *state;

	made(u, PAGE, 0, 0);
	refused(u, PAGE, GMEM_CREATE_MMAP, -EINVAL, GMEM_REASON_GUEST_ONLY, 1);
	refused(u, PAGE, GMEM_CREATE_GUEST_ONLY, -EINVAL,
		GMEM_REASON_GUEST_ONLY, GMEM_CREATE_GUEST_ONLY);
	made(u, PAGE, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY, 1);
	refused(u, PAGE, SHARED_FLAGS, -EOPNOTSUPP,
		GMEM_REASON_FLAG_UNSUPPORTED, 2);
}

/* On arm64 a capability that is not known is EPERM. */
static void who_asks_for_a_missing_flag_is_told_which_there_are(void **state)
{
	static const struct {
		int cap;
		uint64_t missing, limit;
		const char *words;
	} rows[] = {
		{ 1, 2, 1, "(it supports mmap)" },
		{ 2, 1, 2, "(it supports init-shared)" },
		{ 0, 3, 0, "(it supports none)" },
		{ -EPERM, 3, 0, "(it supports none)" },
	};
	struct unit *u = *state;
	size_t n = T_ARRAY_SIZE(rows) - !unit_sys.is_arm64(u);

	for (size_t i = 0; i < n; i++) {
		struct gmem_error err;
		struct gmem *g = NULL;

		assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
		unit_cap(u, OBJECT_VM, 244, rows[i].cap);
		u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
		t_refused(make(u, PAGE, SHARED_FLAGS, &g, &err), -EOPNOTSUPP,
			  GMEM_REASON_FLAG_UNSUPPORTED, err);
		assert_int_equal(err.value, rows[i].missing);
		assert_int_equal(err.limit, rows[i].limit);
		assert_non_null(strstr(err.msg, rows[i].words));
	}
}

static void before_618_there_is_no_mmap(void **state)
{
	struct unit *u = *state;

	made(u, PAGE, 0, 0);
	refused(u, PAGE, SHARED_FLAGS, -EOPNOTSUPP,
		GMEM_REASON_FLAG_UNSUPPORTED, 3);
}

static void in_place_mappable_private_is_useful(void **state)
{
	struct unit *u = *state;

	made(u, PAGE, GMEM_CREATE_MMAP, 1);
	made(u, PAGE, SHARED_FLAGS, 3);
	made(u, PAGE, 0, 0);
}

static void a_vm_that_cannot_bind_makes_no_files(void **state)
{
	refused(*state, PAGE, 0, -EOPNOTSUPP, GMEM_REASON_NO_GUEST_MEMFD, 0);
	refused(*state, PAGE, SHARED_FLAGS, -EOPNOTSUPP,
		GMEM_REASON_NO_GUEST_MEMFD, 0);
}

static void a_missing_ioctl_is_no_guest_memfd_on_either_machine(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	/* the capability could not be asked, so the call is tried */
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	unit_cap(u, OBJECT_VM, 234, -EIO);
	u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
	unit_answer(u, "ioctl", CREATE, 1, UINT32_MAX,
		    unit_sys.is_arm64(u) ? -EINVAL : -ENOTTY);
	t_refused(make(u, 64 * KiB, GMEM_CREATE_UNBOUND, &g, &err), -EOPNOTSUPP,
		  GMEM_REASON_NO_GUEST_MEMFD, err);
	assert_null(g);
}

/* On arm64, where no flag was given, there is no such call. */
static void a_flag_that_only_the_kernel_refuses_is_diagnosed(void **state)
{
	static const uint64_t flags[] = { SHARED_FLAGS, GMEM_CREATE_UNBOUND };
	struct unit *u = *state;
	size_t n = unit_sys.is_arm64(u) ? 1 : 2;
	struct gmem_error err;
	struct gmem *g = NULL;

	for (size_t i = 0; i < n; i++) {
		unit_reset(u);
		unit_answer(u, "ioctl", CREATE, 1, 1, -EINVAL);
		t_refused(make(u, PAGE, flags[i], &g, &err), -EOPNOTSUPP,
			  GMEM_REASON_FLAG_UNSUPPORTED, err);
		assert_int_equal(err.sys_errno, EINVAL);
		assert_true(err.flags & GMEM_ERROR_DIAGNOSED);
		if (flags[i] == SHARED_FLAGS)
			assert_string_equal(err.msg,
					    "the kernel refuses the flags mmap "
					    "init-shared for this VM");
		assert_null(g);
	}
}

static void each_errno_of_create_has_its_reason(void **state)
{
	static const struct {
		int code;
		uint32_t why;
	} rows[] = {
		{ -EMFILE, GMEM_REASON_FD_LIMIT },
		{ -ENFILE, GMEM_REASON_FD_LIMIT },
		{ -ENOMEM, GMEM_REASON_NO_MEMORY },
		{ -ENOENT, GMEM_REASON_KVM_UNLOADING },
		{ -EACCES, GMEM_REASON_ACCESS_DENIED },
		{ -EIO, GMEM_REASON_VM_DEAD },
		{ -EFAULT, GMEM_REASON_KERNEL },
	};
	static const uint64_t flags[] = { SHARED_FLAGS, GMEM_CREATE_UNBOUND };
	struct unit *u = *state;

	for (size_t i = 0; i < 2 * T_ARRAY_SIZE(rows); i++) {
		int code = rows[i / 2].code;
		struct gmem_error err;
		struct gmem *g = NULL;

		unit_reset(u);
		unit_answer(u, "ioctl", CREATE, 1, 1, code);
		t_refused(make(u, PAGE, flags[i % 2], &g, &err), code,
			  rows[i / 2].why, err);
		assert_int_equal(err.sys_errno, -code);
		assert_null(g);
		assert_int_equal(u->live_allocs, 1); /* the VM */
	}
}

static void a_file_that_stays_inheritable_is_not_handed_out(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_answer(u, "fcntl", 0, 1, 1, -EPERM);
	t_refused(make(u, PAGE, SHARED_FLAGS, &g, &err), -EPERM,
		  GMEM_REASON_ACCESS_DENIED, err);
	assert_null(g);
	assert_int_equal(unit_count(u, "close", 0), 1);
}

static void create_needs_its_pointers(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	t_refused(make(u, PAGE, SHARED_FLAGS, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_create(NULL, PAGE, NULL, &g, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_int_equal(u->n_calls, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(create_is_one_ioctl_one_fcntl_one_allocation,
		     unit_default),
		TEST(a_file_that_converts_adds_one_mapping, unit_sw),
		TEST(a_default_vm_makes_mappable_shared_files, unit_default),
		TEST(what_surprises_must_be_asked_for_by_name, unit_default),
		TEST(what_can_never_work_is_refused, unit_default),
		TEST(the_size_is_pages_below_two_to_the_63, unit_default),
		TEST(the_size_is_pages_below_two_to_the_63, unit_arm64),
		TEST(a_private_vm_makes_private_files_by_default, unit_sw),
		TEST(before_618_there_is_no_mmap, unit_sw612),
		TEST(in_place_mappable_private_is_useful, unit_inplace),
		TEST(a_vm_that_cannot_bind_makes_no_files, unit_612),
		TEST(a_missing_ioctl_is_no_guest_memfd_on_either_machine,
		     unit_default),
		TEST(a_missing_ioctl_is_no_guest_memfd_on_either_machine,
		     unit_arm64),
		TEST(a_flag_that_only_the_kernel_refuses_is_diagnosed,
		     unit_default),
		TEST(a_flag_that_only_the_kernel_refuses_is_diagnosed,
		     unit_arm64),
		TEST(who_asks_for_a_missing_flag_is_told_which_there_are,
		     unit_default),
		TEST(who_asks_for_a_missing_flag_is_told_which_there_are,
		     unit_arm64),
		TEST(each_errno_of_create_has_its_reason, unit_default),
		TEST(each_errno_of_create_has_its_reason, unit_arm64),
		TEST(a_file_that_stays_inheritable_is_not_handed_out,
		     unit_default),
		TEST(create_needs_its_pointers, unit_default),
	};

	return t_main(tests);
}
