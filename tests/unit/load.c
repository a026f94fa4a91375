// SPDX-License-Identifier: MIT
/* An image from a descriptor into guest memory. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

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
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_UNCHECKED };
	struct gmem_error err;
	int fd = unit_input(u, fresh_image(), sizeof(image), 0);

	unit_bind(u, g, 0, 0); /* makes the view */
	t_ok(gmem_load(g, 0, fd, sizeof(image), &o, &err), err);
	assert_int_equal(u->n_calls, 2);
	assert_string_equal(u->calls[0].name, "fstat");
	assert_string_equal(u->calls[1].name, "read");
	assert_int_equal(u->calls[1].fd, fd);
	assert_int_equal(u->calls[1].arg[1], sizeof(image));
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
		/* a page can be private for a moment: it is read again */
		unit_answer(u, "read", 0, 3, 16, rows[i].code);
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

	t_ok(gmem_set_private(g, 64 * KiB, PAGE, &err), err);
	unit_reset(u);
	t_refused(gmem_load(g, 100, fd, sizeof(image), NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.value, 64 * KiB);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_load(g, 100, fd, 64 * KiB - 100, NULL, &err), err);
	holds(g, 100, 64 * KiB - 100);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* A memfd of @size with data in two places, far from each other and uneven. */
#define PIC_SIZE (MiB + 77)

static bool in_data(uint64_t at)
{
	return at < 5000 || (at >= 600000 && at < 600100);
}

static unsigned char byte_at(uint64_t at)
{
	return in_data(at) ? (unsigned char)(at % 251 + 1) : 0;
}

static int sparse_file(struct unit *u)
{
	int fd = unit_memfd(u, "", 0, 0);
	unsigned char buf[5000];

	for (uint64_t at = 0; at < sizeof(buf); at++)
		buf[at] = byte_at(at);
	assert_int_equal(pwrite(fd, buf, sizeof(buf), 0), sizeof(buf));
	for (uint64_t at = 0; at < 100; at++)
		buf[at] = byte_at(600000 + at);
	assert_int_equal(pwrite(fd, buf, 100, 600000), 100);
	assert_int_equal(ftruncate(fd, PIC_SIZE), 0);
	return fd;
}

static bool in_data_block(uint64_t at, uint64_t page)
{
	uint64_t block = at / page;

	return block <= 4999 / page || block == 600000 / page;
}

/* Of the input's bytes from @from on that are at [@to, @to + @len). */
static void holes_have_no_pages(struct unit *u, struct gmem *g, uint64_t to,
				uint64_t from, uint64_t len, bool old)
{
	uint64_t page = PAGE;

	for (uint64_t p = 0; p < 2 * MiB; p += page) {
		bool some = false;

		for (uint64_t at = p; at < p + page; at++)
			some = some ||
			       (at < to || at >= to + len
					? old
					: in_data_block(from + at - to, page));
		if (!some)
			assert_int_equal(
				unit_allocated(u, gmem_fd(g), p, page, -1), 0);
	}
}

/* Those bytes are there, and @around is everywhere else. */
static void shows(struct gmem *g, uint64_t to, uint64_t from, uint64_t len,
		  unsigned char around)
{
	static unsigned char got[2 * MiB];
	struct gmem_error err;

	t_ok(gmem_read(g, 0, got, sizeof(got), &err), err);
	for (uint64_t at = 0; at < sizeof(got); at++) {
		unsigned char want = at < to || at >= to + len
					     ? around
					     : byte_at(from + at - to);

		if (got[at] != want)
			fail_msg("%#lx is %#x, not %#x", (unsigned long)at,
				 got[at], want);
	}
}

static void fill(struct gmem *g, unsigned char byte)
{
	static unsigned char all[2 * MiB];
	struct gmem_error err;

	memset(all, byte, sizeof(all));
	t_ok(gmem_write(g, 0, all, sizeof(all), &err), err);
}

/* Into fresh memory and over old contents, to even and to odd places. */
static void a_hole_frees_pages_and_zeroes_parts_of_pages(void **state)
{
	static const uint64_t to[] = { 0, 4096, 123, 4095, 40000 };
	static const struct {
		uint64_t from, len;
	} what[] = {
		{ 0, PIC_SIZE },
		{ 0, 20000 },
		{ 5000, 500000 },
		{ 8192, 100 },
		{ 590000, 20000 },
		{ 600000, 5000 },
		{ 600050, PIC_SIZE - 600050 },
	};
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_INPUT_OFFSET };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * MiB, SHARED_FLAGS);
	int fd = sparse_file(u);
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(to); i++)
		for (size_t n = 0; n < T_ARRAY_SIZE(what); n++)
			for (unsigned int old = 0; old <= 0xaa; old += 0xaa) {
				t_ok(gmem_discard(g, 0, 2 * MiB, NULL, &err),
				     err);
				if (old)
					fill(g, (unsigned char)old);
				o.input_offset = what[n].from;
				t_ok(gmem_load(g, to[i], fd, what[n].len, &o,
					       &err),
				     err);
				assert_int_equal(err.done, what[n].len);
				holes_have_no_pages(u, g, to[i], what[n].from,
						    what[n].len, old);
				shows(g, to[i], what[n].from, what[n].len,
				      (unsigned char)old);
			}
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_hole_is_neither_read_nor_freed_where_nothing_is(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * TiB, SHARED_FLAGS);
	struct gmem_error err;
	int fd = unit_memfd(u, "text", 4, 0);

	assert_int_equal(ftruncate(fd, (off_t)(64 * TiB)), 0);
	t_ok(gmem_load(g, 0, fd, 64 * TiB, NULL, &err), err);
	assert_int_equal(err.done, 64 * TiB);
	assert_int_equal(unit_count(u, "pread64", 0), 1);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
	/* the rest is what it takes to see that nothing is there */
	assert_true(u->n_calls - unit_count(u, "cachestat", 0) < 20);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 64 * TiB, -1), PAGE);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* All of it is read then, as from a pipe. */
static void each_lseek_may_fail_but_the_last(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * MiB, SHARED_FLAGS);
	int fd = sparse_file(u);
	struct gmem_error err;
	unsigned int n;

	t_ok(gmem_load(g, 0, fd, PIC_SIZE, NULL, &err), err);
	n = unit_count(u, "lseek", 0);
	assert_true(n > 5);
	for (unsigned int i = 1; i <= n; i++) {
		fill(g, 0xaa);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		unit_reset(u);
		unit_answer(u, "lseek", 0, i, 1, -EINVAL);
		if (i == n) {
			t_refused(gmem_load(g, 123, fd, PIC_SIZE, NULL, &err),
				  -EINVAL, GMEM_REASON_INPUT, err);
		} else {
			t_ok(gmem_load(g, 123, fd, PIC_SIZE, NULL, &err), err);
			assert_int_equal(lseek(fd, 0, SEEK_CUR), PIC_SIZE);
		}
		assert_int_equal(err.done, PIC_SIZE);
		unit_reset(u);
		shows(g, 123, 0, PIC_SIZE, 0xaa);
	}
	/* the end may be unknown too */
	unit_answer(u, "lseek", 0, 2, 99, -EINVAL);
	t_refused(gmem_load(g, 0, fd, PIC_SIZE, NULL, &err), -ENODATA,
		  GMEM_REASON_INPUT_SHORT, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void without_fstat_an_input_is_a_stream(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * MiB, SHARED_FLAGS);
	int fd = sparse_file(u);
	struct gmem_error err;

	fill(g, 0);
	unit_reset(u);
	unit_answer(u, "fstat", 0, 1, 1, -EPERM);
	t_ok(gmem_load(g, 0, fd, PIC_SIZE, NULL, &err), err);
	assert_int_equal(unit_count(u, "read", 0), 1);
	assert_int_equal(unit_count(u, "lseek", 0), 0);
	shows(g, 0, 0, PIC_SIZE, 0);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void without_cachestat_a_hole_frees_all_the_same(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * MiB, SHARED_FLAGS);
	int fd = sparse_file(u);
	struct gmem_error err;

	fill(g, 0xaa);
	u->lacks = "cachestat";
	t_ok(gmem_load(g, 123, fd, PIC_SIZE, NULL, &err), err);
	u->lacks = NULL;
	holes_have_no_pages(u, g, 123, 0, PIC_SIZE, true);
	shows(g, 123, 0, PIC_SIZE, 0xaa);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_hole_that_can_not_be_freed_ends_it_there(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * MiB, SHARED_FLAGS);
	int fd = sparse_file(u);
	uint64_t data = (4999 / PAGE + 1) * PAGE;
	struct gmem_error err;

	fill(g, 0xaa);
	unit_answer(u, "fallocate", 0, 1, 1, -EINTR);
	unit_answer(u, "fallocate", 0, 2, 1, -EPERM);
	t_refused(gmem_load(g, 0, fd, PIC_SIZE, NULL, &err), -EPERM,
		  GMEM_REASON_ACCESS_DENIED, err);
	assert_int_equal(err.done, data);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), data);
	/* and continues from there */
	t_ok(gmem_load(g, data, fd, PIC_SIZE - data, NULL, &err), err);
	holes_have_no_pages(u, g, 0, 0, PIC_SIZE, true);
	shows(g, 0, 0, PIC_SIZE, 0xaa);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* A guest that converts meanwhile. */
static void turn_private(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem_error err;

	(void)arg;
	if (strcmp(c->name, "lseek") != 0 || c->arg[2] != SEEK_HOLE)
		return;
	u->hook = NULL;
	t_ok(gmem_set_private(u->g, 64 * KiB, PAGE, &err), err);
}

static void a_hole_does_not_free_what_turned_private(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * MiB, SHARED_FLAGS);
	int fd = sparse_file(u);
	struct gmem_error err;

	unit_bind(u, g, 0, 0);
	unit_allocate(u, gmem_fd(g), 64 * KiB - PAGE, 2 * PAGE, 0);
	u->hook = turn_private;
	t_refused(gmem_load(g, 0, fd, PIC_SIZE, NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.done, 64 * KiB);
	assert_int_equal(err.value, 64 * KiB);
	assert_int_equal(
		unit_allocated(u, gmem_fd(g), 64 * KiB - PAGE, PAGE, -1), 0);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 64 * KiB, PAGE, -1),
			 PAGE);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void the_position_is_behind_what_was_loaded(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int fd = unit_memfd(u, fresh_image(), sizeof(image), 7001);
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_UNTIL_EOF };
	struct gmem_error err;

	assert_int_equal(lseek(fd, 1000, SEEK_SET), 1000);
	t_ok(gmem_load(g, 1000, fd, 100000, NULL, &err), err);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 101000);
	t_ok(gmem_load(g, 101000, fd, MiB - 101000, &o, &err), err);
	assert_int_equal(err.done, sizeof(image) - 101000);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), sizeof(image));
	t_ok(gmem_write(g, 0, image, 1000, &err), err);
	holds(g, 0, sizeof(image));
	/* 7001 at a time, and the end twice */
	assert_int_equal(unit_count(u, "pread64", 0), 15 + 29 + 1);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void an_input_offset_leaves_the_position_alone(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int fd = unit_memfd(u, fresh_image(), sizeof(image), 0);
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_INPUT_OFFSET,
				    .input_offset = 70000 };
	struct gmem_error err;

	assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
	t_ok(gmem_load(g, 70000, fd, 200000, &o, &err), err);
	o.input_offset = 0;
	t_ok(gmem_load(g, 0, fd, 70000, &o, &err), err);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 5);
	holds(g, 0, 270000);
	/* without the flag the member is not looked at */
	o.flags = 0;
	o.input_offset = 3;
	t_ok(gmem_load(g, 5, fd, 100, &o, &err), err);
	holds(g, 0, 270000);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void an_input_offset_beyond_the_end_is_refused(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int fd = unit_memfd(u, fresh_image(), sizeof(image), 0);
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_INPUT_OFFSET |
					     GMEM_LOAD_UNTIL_EOF,
				    .input_offset = sizeof(image) + 1 };
	struct gmem_error err;

	t_refused(gmem_load(g, 0, fd, 10, &o, &err), -EINVAL,
		  GMEM_REASON_BEYOND_INPUT, err);
	assert_int_equal(err.value, sizeof(image) + 1);
	assert_int_equal(err.limit, sizeof(image));
	o.input_offset = UINT64_MAX;
	t_refused(gmem_load(g, 0, fd, 10, &o, &err), -EINVAL,
		  GMEM_REASON_BEYOND_INPUT, err);
	assert_int_equal(unit_count(u, "pread64", 0), 0);
	/* there is nothing, but it is no mistake */
	o.input_offset = sizeof(image);
	t_ok(gmem_load(g, 0, fd, 10, &o, &err), err);
	assert_int_equal(err.done, 0);
	o.flags = GMEM_LOAD_INPUT_OFFSET;
	t_refused(gmem_load(g, 0, fd, 10, &o, &err), -ENODATA,
		  GMEM_REASON_INPUT_SHORT, err);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void what_has_no_offsets_takes_none(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_INPUT_OFFSET };
	struct gmem_error err;
	int fd[5];

	fd[0] = unit_input(u, "text", 4, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd + 1), 0);
	fd[3] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	fd[4] = unit_file_fd(u, gmem_vm_fd(u->vm), MiB, SHARED_FLAGS);
	for (size_t i = 0; i < T_ARRAY_SIZE(fd); i++) {
		t_refused(gmem_load(g, 0, fd[i], 4, &o, &err), -ESPIPE,
			  GMEM_REASON_NO_POSITION, err);
		assert_int_equal(err.value, fd[i]);
		assert_int_equal(unit_sys.close(u, fd[i]), 0);
	}
	assert_int_equal(unit_count(u, "read", 0), 0);
	assert_int_equal(unit_count(u, "pread64", 0), 0);
	t_refused(gmem_load(g, 0, fd[0], 4, &o, &err), -EBADF,
		  GMEM_REASON_BAD_FD, err);
}

/* Another holder of the fd converts behind the library's back. */
static void what_turned_private_meanwhile_ends_it(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem__attributes2 a = { .offset = 64 * KiB,
				       .size = PAGE,
				       .attributes = 8 };
	struct gmem_error err;
	int fd = unit_memfd(u, fresh_image(), sizeof(image), 0);

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

static int tell(void *arg, uint64_t done, uint64_t total)
{
	struct told *t = arg;

	assert_true(done > t->done);
	assert_int_equal(total, t->total);
	t->done = done;
	t->cancel = ++t->calls == 3;
	return 0;
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

static void cancel_ends_it_in_a_hole(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, SHARED_FLAGS);
	struct told t = { .total = GiB };
	struct gmem_load_opts o = {
		.sz = sizeof(o),
		.progress = tell,
		.progress_arg = &t,
		.cancel = &t.cancel,
	};
	struct gmem_error err;
	int fd = unit_memfd(u, "", 0, 0);

	assert_int_equal(ftruncate(fd, (off_t)(GiB)), 0);
	unit_allocate(u, gmem_fd(g), 0, GiB, 0);
	t_refused(gmem_load(g, 0, fd, GiB, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, 768 * MiB);
	assert_int_equal(t.done, 768 * MiB);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, GiB, -1),
			 GiB - 768 * MiB);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 768 * MiB);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void bad_arguments_are_refused_before_any_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_load_opts o = { .sz = sizeof(o), .flags = 8 };
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
	o.sz = 55;
	t_refused(gmem_load(g, 0, fd, 100, &o, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	assert_int_equal(err.limit, 56);
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
	fd = unit_memfd(u, data, 65 * MiB, 0);
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
		TEST(a_hole_frees_pages_and_zeroes_parts_of_pages,
		     unit_default),
		TEST(a_hole_is_neither_read_nor_freed_where_nothing_is,
		     unit_default),
		TEST(each_lseek_may_fail_but_the_last, unit_default),
		TEST(without_fstat_an_input_is_a_stream, unit_default),
		TEST(without_cachestat_a_hole_frees_all_the_same, unit_default),
		TEST(a_hole_that_can_not_be_freed_ends_it_there, unit_default),
		TEST(a_hole_does_not_free_what_turned_private, unit_inplace),
		TEST(the_position_is_behind_what_was_loaded, unit_default),
		TEST(an_input_offset_leaves_the_position_alone, unit_default),
		TEST(an_input_offset_beyond_the_end_is_refused, unit_default),
		TEST(what_has_no_offsets_takes_none, unit_default),
		TEST(cancel_ends_it_with_done_exact, unit_default),
		TEST(cancel_ends_it_in_a_hole, unit_default),
		TEST(bad_arguments_are_refused_before_any_call, unit_default),
		TEST(older_and_newer_opts_are_told_apart, unit_default),
		TEST(where_the_next_part_cannot_be_mapped_it_ends,
		     unit_default),
	};

	return t_main(tests);
}
