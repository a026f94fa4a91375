// SPDX-License-Identifier: MIT
/* struct gmem_error: its sizes, what is in it, and the words for it. */
#include "unit.h"

#include "error.h"
#include "name.h"
#include "seam.h"
#include "vm.h"

#define V0 312 /* the first release's size; frozen */

/* A caller compiled with a later header, to the largest there can be and on. */
union newer_error {
	struct gmem_error e;
	unsigned char b[8192];
};

static void the_first_size_is_frozen(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct gmem_error), V0);
	assert_int_equal(offsetof(struct gmem_error, code), 8);
	assert_int_equal(offsetof(struct gmem_error, reason), 12);
	assert_int_equal(offsetof(struct gmem_error, remedy), 48);
	assert_int_equal(offsetof(struct gmem_error, msg), 56);
}

static void a_larger_error_is_cleared_to_its_end(void **state)
{
	static const size_t sizes[] = { V0 + 1, V0 + 8, 4095, 4096 };
	struct unit *u = *state;
	union newer_error n;

	for (size_t i = 0; i < T_ARRAY_SIZE(sizes); i++) {
		memset(&n, 0xaa, sizeof(n));
		n.e.sz = sizes[i];
		t_code(gmem_create(u->vm, 1, NULL, NULL, &n.e), -EINVAL);
		assert_int_equal(n.e.code, -EINVAL);
		assert_int_equal(n.e.sz, sizes[i]);
		for (size_t k = V0; k < sizeof(n.b); k++)
			assert_int_equal(n.b[k], k < sizes[i] ? 0 : 0xaa);
		memset(&n.b[V0], 0xaa, sizes[i] - V0);
		t_code(gmem_vm_close(NULL, &n.e), 0);
		assert_int_equal(n.e.code, 0);
		assert_int_equal(n.b[V0], 0);
		assert_int_equal(n.b[sizes[i] - 1], 0);
	}
}

static void success_clears_what_an_earlier_failure_left(void **state)
{
	struct unit *u = *state;
	struct gmem_feature_info info = { .sz = sizeof(info) };
	struct gmem_error err = { .sz = sizeof(err) };

	t_code(gmem_vm_feature(u->vm, 1000, &info, &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	t_code(gmem_vm_feature(u->vm, 0, &info, &err), 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(err.reason, GMEM_REASON_NONE);
	assert_int_equal(err.value, 0);
	assert_string_equal(err.msg, "");
	assert_string_equal(err.remedy, "");
}

/* Every call with an error whose .sz was never set, or is too small. */
static void unsized(struct unit *u, struct gmem *g, size_t sz)
{
	union newer_error err, was;
	struct gmem_vm *vm = NULL;
	struct gmem *out = NULL;
	struct gmem_slot slot = { .sz = sizeof(slot) };
	struct gmem_syscall sc = { .sz = sizeof(sc) };
	uint64_t a = 7;
	size_t len = 0;
	void *p = NULL;
	char b;

	memset(&err, 0x5a, sizeof(err));
	err.e.sz = sz;
	was = err;
	t_code(gmem__vm_open_on(&unit_sys, u, NULL, &vm, &err.e), -EINVAL);
	t_code(gmem__vm_adopt_on(&unit_sys, u, gmem_vm_fd(u->vm), NULL, &vm,
				 &err.e),
	       -EINVAL);
	t_code(gmem_vm_close(u->vm, &err.e), -EINVAL);
	t_code(gmem_vm_feature(u->vm, 0, NULL, &err.e), -EINVAL);
	t_code(gmem_syscall_info(0, &sc, &err.e), -EINVAL);
	t_code(gmem_create(u->vm, PAGE, NULL, &out, &err.e), -EINVAL);
	t_code(gmem_adopt(u->vm, gmem_fd(g), NULL, &out, &err.e), -EINVAL);
	t_code(gmem_close(g, &err.e), -EINVAL);
	t_code(t_bind(g, 0, 0, 0, PAGE, NULL, &err.e), -EINVAL);
	t_code(gmem_unbind(u->vm, 0, 0, 0, &err.e), -EINVAL);
	t_code(gmem_slot_note(u->vm, &slot, &err.e), -EINVAL);
	t_code(gmem_slot_forget(u->vm, 0, 0, &err.e), -EINVAL);
	t_code(gmem_slot_get(u->vm, 0, 0, &slot, &err.e), -EINVAL);
	t_code(gmem_set_attributes(g, 0, PAGE, 0, NULL, &err.e), -EINVAL);
	t_code(gmem_set_private(g, 0, PAGE, &err.e), -EINVAL);
	t_code(gmem_set_shared(g, 0, PAGE, &err.e), -EINVAL);
	t_code(gmem_get_attributes(g, 0, PAGE, &a, NULL, &err.e), -EINVAL);
	t_code(gmem_attributes_export(g, NULL, &len, &err.e), -EINVAL);
	t_code(gmem_attributes_import(g, &b, 1, 0, &err.e), -EINVAL);
	t_code(gmem_mmap(g, 0, PAGE, NULL, &p, &err.e), -EINVAL);
	t_code(gmem_munmap(g, &b, &err.e), -EINVAL);
	t_code(gmem_read(g, 0, &b, 1, &err.e), -EINVAL);
	t_code(gmem_write(g, 0, &b, 1, &err.e), -EINVAL);
	assert_null(vm);
	assert_null(out);
	assert_null(p);
	assert_int_equal(a, 7);
	assert_memory_equal(&err, &was, sizeof(err));
}

static void an_error_without_its_size_is_refused_and_unwritten(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = unit_create(u, PAGE, SHARED_FLAGS);

	unsized(u, g, 0);
	unsized(u, g, V0 - 1);
	unsized(u, g, 4097);
	unsized(u, g, SIZE_MAX);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_close(g, &err), err);
}

static void each_errno_of_the_kernel_has_its_reason(void **state)
{
	static const struct {
		int sys;
		uint32_t reason;
	} rows[] = {
		{ -EMFILE, GMEM_REASON_FD_LIMIT },
		{ -ENFILE, GMEM_REASON_FD_LIMIT },
		{ -ENOMEM, GMEM_REASON_NO_MEMORY },
		{ -EACCES, GMEM_REASON_ACCESS_DENIED },
		{ -EPERM, GMEM_REASON_ACCESS_DENIED },
		{ -EBADF, GMEM_REASON_BAD_FD },
		{ -EIO, GMEM_REASON_VM_DEAD },
		{ -EFAULT, GMEM_REASON_KERNEL },
		{ -ENXIO, GMEM_REASON_KERNEL },
	};

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_error err = { .sz = sizeof(err) };

		t_code(gmem__fail_call(&err, rows[i].sys, "it"), rows[i].sys);
		t_reason(&err, rows[i].reason);
		assert_int_equal(err.code, rows[i].sys);
		assert_int_equal(err.sys_errno, -rows[i].sys);
		assert_int_equal(err.flags, GMEM_ERROR_DIAGNOSED);
		t_code(gmem__fail_call(NULL, rows[i].sys, "it"), rows[i].sys);
	}
}

static void the_message_names_the_call_and_the_errno(void **state)
{
	struct gmem_error err = { .sz = sizeof(err) };

	(void)state;
	(void)gmem__fail_call(&err, -EMFILE, "KVM_CREATE_VM");
	assert_non_null(strstr(err.msg, "KVM_CREATE_VM"));
	assert_non_null(strstr(err.msg, "EMFILE"));
	assert_string_equal(gmem__errno_name(-EINVAL), "EINVAL");
	assert_int_not_equal(gmem__errno_name(-4095)[0], 'E');
}

static void each_reason_has_a_name_of_its_own_and_a_remedy(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < 200; i++) {
		const char *name = gmem_reason_str(i);

		if (!strcmp(name, "unknown")) {
			assert_string_equal(gmem_reason_remedy(i), "");
			continue;
		}
		assert_true(gmem_reason_remedy(i)[0]);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"),
				 strlen(name));
		for (uint32_t k = 1; k < i; k++)
			assert_string_not_equal(name, gmem_reason_str(k));
	}
	assert_string_equal(gmem_reason_str(GMEM_REASON_NONE), "none");
	assert_string_equal(gmem_reason_str(UINT32_MAX), "unknown");
	assert_string_equal(gmem_reason_remedy(UINT32_MAX), "");
}

static void strerror_is_message_reason_and_remedy(void **state)
{
	struct gmem_error err = { .sz = sizeof(err) };
	char buf[512], small[8];
	int n;

	(void)state;
	(void)gmem__fail(&err, GMEM_REASON_UNALIGNED, 5, PAGE, "size %d", 5);
	n = gmem_strerror(&err, buf, sizeof(buf));
	assert_int_equal(n, strlen(buf));
	assert_memory_equal(buf, "size 5 [unaligned]; ", 20);
	assert_string_equal(buf + 20,
			    gmem_reason_remedy(GMEM_REASON_UNALIGNED));
	assert_int_equal(gmem_strerror(&err, small, sizeof(small)), n);
	assert_string_equal(small, "size 5 ");
	assert_int_equal(gmem_strerror(&err, NULL, 0), n);
}

static void strerror_of_no_error_says_so(void **state)
{
	struct gmem_error err = { .sz = sizeof(err), .remedy = "" };
	char buf[64];

	(void)state;
	assert_true(gmem_strerror(&err, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "success");
	assert_true(gmem_strerror(NULL, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "no error information");
	err.sz = 8;
	err.code = -EINVAL;
	assert_true(gmem_strerror(&err, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "no error information");
}

static void a_long_message_is_cut_and_terminated(void **state)
{
	struct gmem_error err = { .sz = sizeof(err) };

	(void)state;
	(void)gmem__fail(&err, GMEM_REASON_UNALIGNED, 0, 0, "%0400d", 1);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void the_version_is_that_of_the_header(void **state)
{
	(void)state;
	assert_string_equal(gmem_version(), GMEM_VERSION);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_first_size_is_frozen, unit_default),
		TEST(a_larger_error_is_cleared_to_its_end, unit_default),
		TEST(success_clears_what_an_earlier_failure_left, unit_default),
		TEST(an_error_without_its_size_is_refused_and_unwritten,
		     unit_default),
		TEST(each_errno_of_the_kernel_has_its_reason, unit_default),
		TEST(the_message_names_the_call_and_the_errno, unit_default),
		TEST(each_reason_has_a_name_of_its_own_and_a_remedy,
		     unit_default),
		TEST(strerror_is_message_reason_and_remedy, unit_default),
		TEST(strerror_of_no_error_says_so, unit_default),
		TEST(a_long_message_is_cut_and_terminated, unit_default),
		TEST(the_version_is_that_of_the_header, unit_default),
	};

	return t_main(tests);
}
