// SPDX-License-Identifier: MIT
/* An image from a descriptor into guest memory. */
#include "unit.h"

static unsigned char image[300000];

static const unsigned char *fresh_image(void)
{
	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (unsigned char)(i * 7 >> 3);
	return image;
}

static void holds(struct gmem *g, uint64_t offset, size_t len)
{
	static unsigned char got[sizeof(image)];
	struct gmem_error err;

	t_ok(gmem_read(g, offset, got, len, &err), err);
	assert_memory_equal(got, image, len);
}

/* Pipes and sockets give what they have. */
static void short_reads_add_up_byte_for_byte(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err;
	char b;
	int fd = unit_input(u, fresh_image(), sizeof(image), 7001);

	t_ok(gmem_load(g, 123, fd, sizeof(image), NULL, &err), err);
	assert_int_equal(err.done, sizeof(image));
	assert_int_equal(unit_count(u, "read", 0), 43);
	holds(g, 123, sizeof(image));
	t_ok(gmem_read(g, 122, &b, 1, &err), err);
	assert_int_equal(b, 0);
	t_ok(gmem_read(g, 123 + sizeof(image), &b, 1, &err), err);
	assert_int_equal(b, 0);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void one_read_fills_the_mapping_without_a_copy(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err;
	int fd = unit_input(u, fresh_image(), sizeof(image), 0);

	unit_bind(u, g, 0, 0); /* makes the view */
	t_ok(gmem_load(g, 0, fd, sizeof(image), NULL, &err), err);
	assert_int_equal(u->n_calls, 1);
	assert_string_equal(u->calls[0].name, "read");
	assert_int_equal(u->calls[0].fd, fd);
	assert_int_equal(u->calls[0].arg[1], sizeof(image));
	assert_int_equal(u->n_allocs, 0);
	holds(g, 0, sizeof(image));
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void no_read_asks_for_more_than_256_mib(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, SHARED_FLAGS);
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_UNTIL_EOF };
	struct gmem_error err;
	int fd = unit_input(u, fresh_image(), 100, 0);

	unit_bind(u, g, 0, 0);
	t_ok(gmem_load(g, 0, fd, GiB, &o, &err), err);
	assert_int_equal(err.done, 100);
	assert_int_equal(unit_nth(u, "read", 0, 0)->arg[1], 256 * MiB);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void an_interrupted_read_loses_no_byte(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err;
	int fd = unit_input(u, fresh_image(), sizeof(image), 100000);

	unit_answer(u, "read", 0, 1, 2, -EINTR);
	unit_answer(u, "read", 0, 4, 3, -EINTR);
	t_ok(gmem_load(g, 0, fd, sizeof(image), NULL, &err), err);
	assert_int_equal(err.done, sizeof(image));
	assert_int_equal(unit_count(u, "read", 0), 3 + 5);
	holds(g, 0, sizeof(image));
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void an_input_that_ends_early_is_an_error_unless_asked(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_load_opts o = { .sz = sizeof(o) };
	struct gmem_error err;

	for (o.flags = 0; o.flags <= GMEM_LOAD_UNTIL_EOF; o.flags++) {
		int fd = unit_input(u, fresh_image(), 5000, 4000);

		if (o.flags) {
			t_ok(gmem_load(g, 0, fd, 5001, &o, &err), err);
		} else {
			t_refused(gmem_load(g, 0, fd, 5001, &o, &err), -ENODATA,
				  GMEM_REASON_INPUT_SHORT, err);
			assert_int_equal(err.value, 5000);
			assert_int_equal(err.limit, 5001);
		}
		assert_int_equal(err.done, 5000);
		holds(g, 0, 5000);
		t_ok(gmem_discard(g, 0, MiB, NULL, &err), err);
		assert_int_equal(unit_sys.close(u, fd), 0);
	}
}

static void no_more_is_read_than_asked_for(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err;
	char b;
	int fd = unit_input(u, fresh_image(), 5000, 0);

	t_ok(gmem_load(g, 0, fd, 4000, NULL, &err), err);
	assert_int_equal(err.done, 4000);
	assert_int_equal(unit_sys.read(u, fd, &b, 1), 1);
	assert_int_equal((unsigned char)b, image[4000]);
	unit_reset(u);
	t_ok(gmem_load(g, 0, fd, 0, NULL, &err), err);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void each_errno_of_a_read_has_its_reason(void **state)
{
	static const struct {
		int code, want;
		uint32_t why;
	} rows[] = {
		{ -EIO, -EIO, GMEM_REASON_INPUT },
		{ -EISDIR, -EISDIR, GMEM_REASON_INPUT },
		{ -EAGAIN, -EAGAIN, GMEM_REASON_INPUT },
		{ -EBADF, -EBADF, GMEM_REASON_BAD_FD },
		/* of the descriptor: the memory is there */
		{ -EFAULT, -EFAULT, GMEM_REASON_INPUT },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		int fd = unit_input(u, fresh_image(), sizeof(image), 1000);
		struct gmem_error err;

		unit_reset(u);
		unit_answer(u, "read", 0, 3, 1, rows[i].code);
		t_refused(gmem_load(g, 50, fd, sizeof(image), NULL, &err),
			  rows[i].want, rows[i].why, err);
		assert_int_equal(err.done, 2000);
		assert_int_equal(err.sys_errno, -rows[i].code);
		assert_int_equal(err.value, fd);
		holds(g, 50, 2000);
		assert_int_equal(unit_sys.close(u, fd), 0);
	}
}

static void private_memory_is_refused_before_any_read(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err;
	int fd = unit_input(u, fresh_image(), sizeof(image), 0);

	t_ok(gmem_set_private(g, 64 * KiB, 4096, &err), err);
	unit_reset(u);
	t_refused(gmem_load(g, 100, fd, sizeof(image), NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.value, 64 * KiB);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_load(g, 100, fd, 64 * KiB - 100, NULL, &err), err);
	holds(g, 100, 64 * KiB - 100);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* Another holder of the fd converts behind the library's back. */
static void what_turned_private_meanwhile_ends_it(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem__attributes2 a = { .offset = 64 * KiB,
				       .size = 4096,
				       .attributes = 8 };
	struct gmem_error err;
	int fd = unit_input(u, fresh_image(), sizeof(image), 0);

	assert_int_equal(unit_sys.ioctl(u, gmem_fd(g), 0xc080aed2, &a), 0);
	t_refused(gmem_load(g, 100, fd, sizeof(image), NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.value, 64 * KiB);
	assert_int_equal(err.done, 64 * KiB - 100);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_file_the_host_can_not_touch_takes_no_image(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, GMEM_CREATE_UNBOUND);
	struct gmem_error err;

	t_refused(gmem_load(g, 0, 0, 1, NULL, &err), -EOPNOTSUPP,
		  GMEM_REASON_NOT_MAPPABLE, err);
	g = unit_create(u, MiB, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	t_refused(gmem_load(g, 0, 0, 1, NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(u->n_calls, 0);
}

struct told {
	uint64_t done, total;
	unsigned int calls;
	int cancel;
};

static void tell(void *arg, uint64_t done, uint64_t total)
{
	struct told *t = arg;

	assert_true(done > t->done);
	assert_int_equal(total, t->total);
	t->done = done;
	t->cancel = ++t->calls == 3;
}

static void cancel_ends_it_with_done_exact(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct told t = { .total = 10000 };
	struct gmem_load_opts o = {
		.sz = sizeof(o),
		.progress = tell,
		.progress_arg = &t,
		.cancel = &t.cancel,
	};
	struct gmem_error err;
	int fd = unit_input(u, fresh_image(), sizeof(image), 1000);

	t_refused(gmem_load(g, 0, fd, 10000, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, 3000);
	assert_int_equal(t.done, 3000);
	assert_int_equal(unit_count(u, "read", 0), 3);
	holds(g, 0, 3000);
	/* and continues from there */
	t.total = 7000;
	t.cancel = 0;
	t.done = 0;
	t_ok(gmem_load(g, 3000, fd, 7000, &o, &err), err);
	holds(g, 0, 10000);
	assert_int_equal(t.done, 7000);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void bad_arguments_are_refused_before_any_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_load_opts o = { .sz = sizeof(o), .flags = 2 };
	int closed = unit_input(u, "", 0, 0);
	struct gmem_error err;

	t_refused(gmem_load(NULL, 0, 0, 1, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_load(g, MiB - 1, 0, 2, NULL, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	t_refused(gmem_load(g, 2, 0, UINT64_MAX - 1, NULL, &err), -EINVAL,
		  GMEM_REASON_OFFSET_OVERFLOW, err);
	t_refused(gmem_load(g, 0, 0, 1, &o, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(unit_sys.close(u, closed), 0);
	t_refused(gmem_load(g, 0, closed, 1, NULL, &err), -EBADF,
		  GMEM_REASON_BAD_FD, err);
	assert_int_equal(err.value, closed);
}

static void older_and_newer_opts_are_told_apart(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_load_opts o = { .sz = sizeof(o) };
	union unit_newer n = unit_newer(&o, sizeof(o), 1);
	struct gmem_error err;
	int fd = unit_input(u, fresh_image(), 100, 0);

	t_refused(gmem_load(g, 0, fd, 100, (void *)&n, &err), -E2BIG,
		  GMEM_REASON_OPTS_NEWER, err);
	n = unit_newer(&o, sizeof(o), 0);
	t_ok(gmem_load(g, 0, fd, 100, (void *)&n, &err), err);
	o.sz = 39;
	t_refused(gmem_load(g, 0, fd, 100, &o, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	assert_int_equal(err.limit, 40);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* What was loaded before is, and its mapping is not unmapped twice. */
static void where_the_next_part_cannot_be_mapped_it_ends(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 65 * MiB, SHARED_FLAGS);
	unsigned int maps = unit_mappings(u);
	void *data = calloc(1, 65 * MiB);
	struct gmem_error err;
	int fd;

	assert_non_null(data);
	fd = unit_input(u, data, 65 * MiB, 0);
	free(data);
	unit_reset(u);
	unit_answer(u, "mmap", 0, 2, 1, -ENOMEM);
	t_refused(gmem_load(g, 0, fd, 65 * MiB, NULL, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	assert_int_equal(err.done, 64 * MiB);
	assert_int_equal(unit_mappings(u), maps);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(short_reads_add_up_byte_for_byte, unit_default),
		TEST(one_read_fills_the_mapping_without_a_copy, unit_default),
		TEST(no_read_asks_for_more_than_256_mib, unit_default),
		TEST(an_interrupted_read_loses_no_byte, unit_default),
		TEST(an_input_that_ends_early_is_an_error_unless_asked,
		     unit_default),
		TEST(no_more_is_read_than_asked_for, unit_default),
		TEST(each_errno_of_a_read_has_its_reason, unit_default),
		TEST(private_memory_is_refused_before_any_read, unit_inplace),
		TEST(what_turned_private_meanwhile_ends_it, unit_inplace),
		TEST(a_file_the_host_can_not_touch_takes_no_image,
		     unit_default),
		TEST(cancel_ends_it_with_done_exact, unit_default),
		TEST(bad_arguments_are_refused_before_any_call, unit_default),
		TEST(older_and_newer_opts_are_told_apart, unit_default),
		TEST(where_the_next_part_cannot_be_mapped_it_ends,
		     unit_default),
	};

	return t_main(tests);
}
