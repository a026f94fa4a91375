// SPDX-License-Identifier: MIT
/* Copying, each call failing in turn. */
#include "fault.h"

/* Without process_vm_readv() the copies go through a pipe. */
static void piped(struct fake *f)
{
	fake_init(f);
	f->no_vm_copy = true;
}

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

static void copy(void (*profile)(struct fake *f),
		 int (*fn)(struct fault *t, struct gmem_error *err),
		 const char *caller)
{
	struct scenario s = { .profile = profile,
			      .type = GMEM_VM_DEFAULT,
			      .prepare = fault_shared,
			      .run = fn,
			      .caller = caller,
			      .views = 1 };

	fault_run(&s);
}

static void a_failed_read_can_be_tried_again(void **state)
{
	(void)state;
	copy(fake_init, read_it, "gmem_read");
}

static void a_failed_read_by_pipe_can_be_tried_again(void **state)
{
	(void)state;
	copy(piped, read_it, "gmem_read");
}

static void a_failed_write_can_be_tried_again(void **state)
{
	(void)state;
	copy(fake_init, write_it, "gmem_write");
}

static void a_failed_write_by_pipe_can_be_tried_again(void **state)
{
	(void)state;
	copy(piped, write_it, "gmem_write");
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
