// SPDX-License-Identifier: MIT
/* Copies between host and guest memory: exact, and without a signal. */
#include "unit.h"

static void copies_are_byte_exact(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;
	unsigned char in[9000], out[9000];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)(i * 7 + 1);
	t_ok(gmem_write(g, 4093, in, sizeof(in), &err), err);
	assert_int_equal(err.done, sizeof(in));
	t_ok(gmem_read(g, 4093, out, sizeof(out), &err), err);
	assert_int_equal(err.done, sizeof(out));
	assert_memory_equal(in, out, sizeof(in));
	t_ok(gmem_read(g, 4092, out, 1, &err), err);
	assert_int_equal(out[0], 0);
	t_ok(gmem_read(g, 4093 + sizeof(in), out, 1, &err), err);
	assert_int_equal(out[0], 0);
}

static void a_copy_of_a_bound_file_is_one_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;
	char b[4];

	unit_bind(u, g, 0, 0);
	t_ok(gmem_read(g, 5, b, 4, &err), err);
	assert_int_equal(u->n_calls, 1);
	assert_string_equal(u->calls[0].name, "process_vm_readv");
	t_ok(gmem_write(g, 5, b, 4, &err), err);
	assert_int_equal(u->n_calls, 2);
	assert_string_equal(u->calls[1].name, "process_vm_writev");
	assert_int_equal(u->n_allocs, 0);
}

static void a_copy_stays_inside_the_file(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;
	char b[8];

	t_refused(gmem_read(g, 64 * KiB - 7, b, 8, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	assert_int_equal(err.value, 64 * KiB + 1);
	assert_int_equal(err.limit, 64 * KiB);
	t_refused(gmem_write(g, UINT64_MAX - 3, b, 8, &err), -EINVAL,
		  GMEM_REASON_OFFSET_OVERFLOW, err);
	t_refused(gmem_write(g, INT64_MAX, b, 1, &err), -EINVAL,
		  GMEM_REASON_OFFSET_OVERFLOW, err);
	t_refused(gmem_write(g, INT64_MAX, b, 0, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	t_refused(gmem_read(g, 0, NULL, 8, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_read(g, 64 * KiB, NULL, 0, &err), err);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_read(g, 64 * KiB - 8, b, 8, &err), err);
}

static void what_the_record_calls_private_is_not_touched(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;
	static char b[49152];

	t_ok(gmem_set_private(g, 2 * PAGE, PAGE, &err), err);
	unit_reset(u);
	t_refused(gmem_read(g, 2 * PAGE, b, 4, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(unit_count(u, "process_vm_readv", 0), 0);
	t_refused(gmem_write(g, 100, b, sizeof(b), &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.done, 2 * PAGE - 100);
	assert_int_equal(err.value, 2 * PAGE);
}

/* Another holder of the fd converts behind the library's back. */
static void what_the_kernel_calls_private_ends_the_copy(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem__attributes2 a = { .offset = 2 * PAGE,
				       .size = PAGE,
				       .attributes = 8 };
	struct gmem_error err;
	static char b[49152];

	assert_int_equal(unit_sys.ioctl(u, gmem_fd(g), 0xc080aed2, &a), 0);
	t_refused(gmem_read(g, 4000, b, sizeof(b), &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.done, 2 * PAGE - 4000);
	assert_int_equal(err.value, 2 * PAGE);
	assert_int_equal(err.sys_errno, EFAULT);
}

static void an_interrupted_copy_goes_on(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;
	char b[4];

	unit_answer(u, "process_vm_readv", 0, 1, 2, -EINTR);
	t_ok(gmem_read(g, 0, b, 4, &err), err);
	assert_int_equal(unit_count(u, "process_vm_readv", 0), 3);
}

static void each_errno_of_a_copy_has_its_reason(void **state)
{
	static const struct {
		int code, want;
		uint32_t why;
		unsigned int times;
	} rows[] = {
		/* the page is there, also at the second time */
		{ -EFAULT, -EFAULT, GMEM_REASON_BAD_BUFFER, 2 },
		{ -ENOMEM, -ENOMEM, GMEM_REASON_NO_MEMORY, 1 },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	char b[4] = "abc";

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_error err;

		unit_reset(u);
		unit_answer(u, "process_vm_writev", 0, 1, rows[i].times,
			    rows[i].code);
		t_refused(gmem_write(g, 0, b, 4, &err), rows[i].want,
			  rows[i].why, err);
		assert_int_equal(err.sys_errno, -rows[i].code);
		assert_int_equal(err.done, 0);
	}
}

/* The page may have been on its way from one state to the other. */
static void a_fault_counts_the_second_time(void **state)
{
	static const int codes[] = { -EFAULT, 0 };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;
	char b[4] = "abc";

	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		unit_reset(u);
		unit_answer(u, "process_vm_writev", 0, 1, 1, codes[i]);
		t_ok(gmem_write(g, 0, b, 4, &err), err);
		assert_int_equal(err.done, 4);
		unit_reset(u);
		unit_answer(u, "process_vm_writev", 0, 1, 2, codes[i]);
		t_refused(gmem_write(g, 0, b, 4, &err), -EFAULT,
			  GMEM_REASON_BAD_BUFFER, err);
		assert_int_equal(err.sys_errno, EFAULT);
	}
}

/* Another holder of the fd makes the page private before the second try. */
static void make_private(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem__attributes2 a = { .size = PAGE, .attributes = 8 };

	(void)arg;
	if (strcmp(c->name, "process_vm_writev") != 0 ||
	    unit_count(u, c->name, 0) != 1)
		return;
	u->hook = NULL;
	assert_int_equal(unit_sys.ioctl(u, gmem_fd(u->g), 0xc080aed2, &a), 0);
}

static void the_second_fault_has_a_reason_of_its_own(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;
	char b[4] = "abc";

	unit_answer(u, "process_vm_writev", 0, 1, 1, -EFAULT);
	u->hook = make_private;
	t_refused(gmem_write(g, 0, b, 4, &err), -EACCES, GMEM_REASON_PRIVATE,
		  err);
	assert_null(u->hook);
}

/* Where process_vm_readv() is filtered away, or the kernel has none. */
static void without_the_call_a_pipe_does_it(void **state)
{
	static const int codes[] = { -EPERM, -ENOSYS, -EACCES, -EINVAL,
				     -EOPNOTSUPP };
	static unsigned char in[200000], out[200000];
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)(i * 7 + 1);
	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		memset(out, 0, sizeof(out));
		unit_reset(u);
		unit_answer(u, "process_vm_readv", 0, 1, UINT32_MAX, codes[i]);
		unit_answer(u, "process_vm_writev", 0, 1, UINT32_MAX, codes[i]);
		t_ok(gmem_write(g, 4093, in, sizeof(in), &err), err);
		assert_int_equal(err.done, sizeof(in));
		t_ok(gmem_read(g, 4093, out, sizeof(out), &err), err);
		assert_int_equal(err.done, sizeof(out));
		assert_memory_equal(in, out, sizeof(in));
		assert_int_equal(unit_count(u, "pipe2", 0), 2);
		assert_int_equal(unit_count(u, "close", 0), 4);
	}
}

static void by_pipe_too_private_memory_ends_the_copy(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem__attributes2 a = { .offset = 2 * PAGE,
				       .size = PAGE,
				       .attributes = 8 };
	struct gmem_error err;
	static char b[49152], was[49152];

	assert_int_equal(unit_sys.ioctl(u, gmem_fd(g), 0xc080aed2, &a), 0);
	memset(b, 0x5a, sizeof(b));
	memset(was, 0x5a, sizeof(was));
	unit_answer(u, "process_vm_readv", 0, 1, UINT32_MAX, -EPERM);
	unit_answer(u, "process_vm_writev", 0, 1, UINT32_MAX, -EPERM);
	t_refused(gmem_write(g, 4000, b, sizeof(b), &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.done, 2 * PAGE - 4000);
	assert_int_equal(err.value, 2 * PAGE);
	memset(b, 0, sizeof(b));
	t_refused(gmem_read(g, 4000, b, sizeof(b), &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.done, 2 * PAGE - 4000);
	assert_memory_equal(b, was, 2 * PAGE - 4000);
	assert_int_equal(b[2 * PAGE - 4000], 0);
}

static void without_a_pipe_the_reason_is_the_pipes(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;
	char b[4];

	unit_answer(u, "process_vm_readv", 0, 1, 1, -EPERM);
	unit_answer(u, "pipe2", 0, 1, 1, -EMFILE);
	t_refused(gmem_read(g, 0, b, 4, &err), -EMFILE, GMEM_REASON_FD_LIMIT,
		  err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(copies_are_byte_exact, unit_default),
		TEST(a_copy_of_a_bound_file_is_one_call, unit_default),
		TEST(a_copy_stays_inside_the_file, unit_default),
		TEST(what_the_record_calls_private_is_not_touched,
		     unit_inplace),
		TEST(what_the_kernel_calls_private_ends_the_copy, unit_inplace),
		TEST(an_interrupted_copy_goes_on, unit_default),
		TEST(each_errno_of_a_copy_has_its_reason, unit_default),
		TEST(a_fault_counts_the_second_time, unit_default),
		TEST(the_second_fault_has_a_reason_of_its_own, unit_inplace),
		TEST(without_the_call_a_pipe_does_it, unit_default),
		TEST(by_pipe_too_private_memory_ends_the_copy, unit_inplace),
		TEST(without_a_pipe_the_reason_is_the_pipes, unit_default),
	};

	return t_main(tests);
}
