// SPDX-License-Identifier: MIT
/* Copying, each call failing in turn. */
#include "fault.h"

static int read_it(struct fault *t, struct gmem_error *err)
{
	int r;

	memset(t->buf, 0xaa, sizeof(t->buf));
	r = gmem_read(t->g, 100, t->buf, sizeof(t->buf), err);
	if (r == 0) {
		assert_int_equal(err->done, sizeof(t->buf));
		assert_int_equal(t->buf[sizeof(t->buf) - 1], 0);
	}
	return r;
}

static int write_it(struct fault *t, struct gmem_error *err)
{
	return gmem_write(t->g, 100, t->buf, sizeof(t->buf), err);
}

static void copy(const struct fault_kernel *const *kernels,
		 int (*fn)(struct fault *t, struct gmem_error *err),
		 const char *caller)
{
	struct scenario s = { .kernels = kernels,
			      .type = GMEM_VM_DEFAULT,
			      .prepare = fault_shared,
			      .run = fn,
			      .flags = FAULT_PARTLY,
			      .caller = caller,
			      .views = 1 };

	fault_run(&s);
}

static void a_failed_read_can_be_tried_again(void **state)
{
	(void)state;
	copy(fault_default, read_it, "gmem_read");
}

static void a_failed_read_by_pipe_can_be_tried_again(void **state)
{
	(void)state;
	copy(fault_piped, read_it, "gmem_read");
}

static void a_failed_write_can_be_tried_again(void **state)
{
	(void)state;
	copy(fault_default, write_it, "gmem_write");
}

static void a_failed_write_by_pipe_can_be_tried_again(void **state)
{
	(void)state;
	copy(fault_piped, write_it, "gmem_write");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_read_can_be_tried_again),
		cmocka_unit_test(a_failed_read_by_pipe_can_be_tried_again),
		cmocka_unit_test(a_failed_write_can_be_tried_again),
		cmocka_unit_test(a_failed_write_by_pipe_can_be_tried_again),
	};

	return t_main(tests);
}
