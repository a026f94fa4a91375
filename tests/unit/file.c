// SPDX-License-Identifier: MIT
/* The handle: closing it, its getters, and the rules of a range. */
#include "unit.h"

#include "adopt.h"

static void close_waits_for_slots_and_mappings(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;
	void *p = NULL;
	char text[80];

	unit_bind(u, g, 0, 0);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_BOUND, err);
	assert_int_equal(err.value, 1);
	assert_string_equal(err.msg, "the file has 1 slot");
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(t_bind(g, 0, 0, 0, PAGE, NULL, &err), err);
	t_ok(t_bind(g, 1, MiB, PAGE, PAGE, NULL, &err), err);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_BOUND, err);
	assert_string_equal(err.msg, "the file has 2 slots");
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(gmem_unbind(u->vm, 1, 0, 0, &err), err);
	t_ok(gmem_mmap(g, 0, PAGE, NULL, &p, &err), err);
	unit_reset(u);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_MAPPED, err);
	assert_int_equal(err.value, (uintptr_t)p);
	(void)snprintf(text, sizeof(text), "the file is still mapped at %p", p);
	assert_string_equal(err.msg, text);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_munmap(g, p, &err), err);
	t_ok(gmem_close(g, &err), err);
}

/* Of the record's memory; and it can be closed later. */
static void a_close_that_fails_changes_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, 0);
	struct gmem_error err;
	uint64_t a = 0;

	unit_bind(u, g, 0, 0);
	t_ok(t_share(g, 0, PAGE, &err), err);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	unit_bind(u, g, 0, 0);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	unit_reset(u);
	unit_answer(u, "munmap", 0, 1, 1, -ENOMEM);
	t_refused(gmem_close(g, &err), -ENOMEM, GMEM_REASON_NO_MEMORY, err);
	assert_true(unit_is_open(gmem_fd(g)));
	unit_bind(u, g, 0, 0);
	t_ok(t_share(g, 0, PAGE, &err), err);
	t_ok(gmem_get_attributes(g, 0, PAGE, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_SHARED);
	t_ok(gmem_get_attributes(g, PAGE, PAGE, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(gmem_close(g, &err), err);
}

static void without_a_vm_too_a_close_that_fails_changes_nothing(void **state)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	struct unit *u = *state;
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, SHARED_FLAGS);
	unsigned int before = unit_mappings(u);
	struct gmem_error err;
	struct gmem *g = NULL;
	char b = 1;

	t_ok(gmem__adopt_on(&unit_sys, u, NULL, fd, &o, &g, &err), err);
	/* what a copy could not unmap, and then the handle's own page */
	unit_reset(u);
	unit_answer(u, "munmap", 0, 1, 2, -ENOMEM);
	t_ok(gmem_write(g, 0, &b, 1, &err), err);
	for (unsigned int i = 0; i < 2; i++) {
		t_refused(gmem_close(g, &err), -ENOMEM, GMEM_REASON_NO_MEMORY,
			  err);
		assert_int_equal(gmem_fd(g), fd);
		assert_true(unit_is_open(fd));
		unit_reset(u);
		unit_answer(u, "munmap", 0, 2, 1, -ENOMEM);
	}
	unit_reset(u);
	assert_int_equal(gmem_size(g), 64 * KiB);
	t_ok(gmem_close(g, &err), err);
	assert_int_equal(unit_mappings(u), before);
}

/* The trace of the munmap() of the record comes after that. */
static void look(void *arg, const struct gmem_trace *e)
{
	struct gmem **g = arg;
	uint64_t a = 7;

	if (!*g || strcmp(e->call, "munmap") != 0)
		return;
	t_code(gmem_get_attributes(*g, 0, PAGE, &a, NULL, NULL), 0);
	*g = NULL;
}

static void a_callback_may_look_at_a_file_that_is_closed(void **state)
{
	struct unit *u = *state;
	struct gmem *g = NULL, *closed;
	struct gmem_error err;

	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = unit_vm(u, GMEM_VM_SW_PROTECTED, look, &g);
	closed = unit_create(u, 64 * KiB, 0);
	g = closed;
	t_ok(gmem_close(closed, &err), err);
	assert_null(g);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL; /* before @g goes */
}

static void the_getters_of_null_say_so(void **state)
{
	(void)state;
	t_code(gmem_fd(NULL), -EINVAL);
	assert_int_equal(gmem_size(NULL), 0);
	assert_int_equal(gmem_page_size(NULL), 0);
	assert_int_equal(gmem_flags(NULL), 0);
}

/* Every call that takes a range, with one that breaks a rule. */
static void range(struct unit *u, struct gmem *g, uint64_t offset, uint64_t len,
		  uint32_t why, uint64_t value)
{
	struct gmem_error err;
	uint64_t a = 7, run = 7;
	void *p = NULL;

	unit_reset(u);
	t_refused(t_bind(g, 0, 0, offset, len, NULL, &err), -EINVAL, why, err);
	assert_int_equal(err.value, value);
	t_refused(gmem_set_private(g, offset, len, &err), -EINVAL, why, err);
	t_refused(gmem_set_shared(g, offset, len, &err), -EINVAL, why, err);
	t_refused(gmem_get_attributes(g, offset, len, &a, &run, &err), -EINVAL,
		  why, err);
	t_refused(gmem_mmap(g, offset, len, NULL, &p, &err), -EINVAL, why, err);
	assert_int_equal(err.value, value);
	assert_int_equal(a, 7);
	assert_int_equal(run, 7);
	assert_null(p);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(u->n_allocs, 0);
}

static void a_range_is_pages_inside_the_file(void **state)
{
	struct unit *u = *state;
	uint64_t page = u->page, most = INT64_MAX - page + 1;
	struct gmem *g = unit_create(u, 4 * page, SHARED_FLAGS);
	struct gmem_error err;

	range(u, g, 0, 0, GMEM_REASON_ZERO_SIZE, 0);
	range(u, g, 1, page, GMEM_REASON_UNALIGNED, 1);
	range(u, g, 0, page + 1, GMEM_REASON_UNALIGNED, page + 1);
	range(u, g, 0, 5 * page, GMEM_REASON_OUTSIDE_FILE, 5 * page);
	range(u, g, 4 * page, page, GMEM_REASON_OUTSIDE_FILE, 5 * page);
	range(u, g, -page, page, GMEM_REASON_OFFSET_OVERFLOW, -page);
	range(u, g, -page, 2 * page, GMEM_REASON_OFFSET_OVERFLOW, -page);
	/* kernels up to 7.1 accept this one */
	range(u, g, most, page, GMEM_REASON_OFFSET_OVERFLOW, most);
	t_ok(gmem_close(g, &err), err);
}

static void the_file_calls_need_a_file(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	uint64_t a;
	size_t len = 0;
	void *p;
	char b;

	t_refused(t_bind(NULL, 0, 0, 0, PAGE, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_unbind(NULL, 0, 0, 0, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_set_private(NULL, 0, PAGE, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_get_attributes(NULL, 0, PAGE, &a, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_attributes_export(NULL, NULL, &len, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_attributes_import(NULL, &b, 1, 0, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_mmap(NULL, 0, PAGE, NULL, &p, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_munmap(NULL, &b, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_read(NULL, 0, &b, 1, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_write(NULL, 0, &b, 1, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_int_equal(u->n_calls, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(close_waits_for_slots_and_mappings, unit_default),
		TEST(a_close_that_fails_changes_nothing, unit_sw),
		TEST(without_a_vm_too_a_close_that_fails_changes_nothing,
		     unit_default),
		TEST(a_callback_may_look_at_a_file_that_is_closed, unit_sw),
		TEST(the_getters_of_null_say_so, unit_default),
		TEST(a_range_is_pages_inside_the_file, unit_default),
		TEST(a_range_is_pages_inside_the_file, unit_arm64),
		TEST(the_file_calls_need_a_file, unit_default),
	};

	return t_main(tests);
}
