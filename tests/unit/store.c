// SPDX-License-Identifier: MIT
/* Guest memory into a descriptor. */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define SIZE (2 * MiB)
#define FILE_SIZE (3 * MiB)
/* Data is in the pages before FIRST_END, and in the one at FAR. */
#define FIRST_END ((4999 / PAGE + 1) * PAGE)
#define FAR (600000 / PAGE * PAGE)
#define DATA (FIRST_END + PAGE)

static bool in_data(uint64_t at)
{
	return at < 5000 || (at >= 600000 && at < 600100);
}

static unsigned char byte_at(uint64_t at)
{
	return in_data(at) ? (unsigned char)(at % 251 + 1) : 0;
}

/* A file of SIZE of which the pages of data are allocated. */
static struct gmem *memory(struct unit *u)
{
	struct gmem *g = unit_create(u, SIZE, SHARED_FLAGS);
	unsigned char buf[5000];
	struct gmem_error err;

	for (uint64_t at = 0; at < sizeof(buf); at++)
		buf[at] = byte_at(at);
	t_ok(gmem_write(g, 0, buf, sizeof(buf), &err), err);
	for (uint64_t at = 0; at < 100; at++)
		buf[at] = byte_at(600000 + at);
	t_ok(gmem_write(g, 600000, buf, 100, &err), err);
	unit_reset(u);
	return g;
}

static uint64_t allocated(struct unit *u, struct gmem *g)
{
	return unit_allocated(u, gmem_fd(g), 0, SIZE, -1);
}

static int empty_file(struct unit *u)
{
	return unit_memfd(u, "", 0, 0);
}

/* FILE_SIZE bytes of 0xaa. */
static int used_file(struct unit *u)
{
	static unsigned char old[FILE_SIZE];

	memset(old, 0xaa, sizeof(old));
	return unit_memfd(u, old, sizeof(old), 0);
}

/* @len bytes of the memory from @from on are at @to; @around is elsewhere. */
static void shows(int fd, uint64_t to, uint64_t from, uint64_t len,
		  unsigned char around)
{
	static unsigned char got[FILE_SIZE];
	uint64_t size = around ? FILE_SIZE : to + len;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_int_equal(pread(fd, got, sizeof(got), 0), size);
	for (uint64_t at = 0; at < size; at++) {
		unsigned char want = at < to || at >= to + len
					     ? around
					     : byte_at(from + at - to);

		if (got[at] != want)
			fail_msg("%#lx is %#x, not %#x", (unsigned long)at,
				 got[at], want);
	}
}

/* Into a new file and over old contents, to even and to odd places. */
static void the_output_is_the_memory_and_nothing_is_allocated(void **state)
{
	static const uint64_t to[] = { 0, 4096, 123, 40000 };
	const struct {
		uint64_t from, len;
	} what[] = {
		{ 0, SIZE },	     { 0, 20000 },	{ 2 * PAGE, 100 },
		{ 5000, 500000 },    { 590000, 20000 }, { 600000, 5000 },
		{ 600050, MiB + 1 }, { SIZE - 1, 1 },
	};
	struct gmem_store_opts o = { .sz = sizeof(o),
				     .flags = GMEM_STORE_OUTPUT_OFFSET };
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(to); i++)
		for (size_t n = 0; n < T_ARRAY_SIZE(what); n++)
			for (int old = 0; old <= 1; old++) {
				int fd = old ? used_file(u) : empty_file(u);

				o.output_offset = to[i];
				t_ok(gmem_store(g, what[n].from, fd,
						what[n].len, &o, &err),
				     err);
				assert_int_equal(err.done, what[n].len);
				shows(fd, to[i], what[n].from, what[n].len,
				      old ? 0xaa : 0);
				assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
				assert_int_equal(unit_sys.close(u, fd), 0);
			}
	assert_int_equal(allocated(u, g), DATA);
}

static void is_hole(int fd, uint64_t at, uint64_t end)
{
	assert_int_equal(lseek(fd, (off_t)at, SEEK_HOLE), at);
	assert_int_equal(lseek(fd, (off_t)at, SEEK_DATA), end);
}

/* All but the byte that ends a file that was shorter. */
static void holes_stay_holes(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;

	for (int old = 0; old <= 1; old++) {
		int fd = old ? used_file(u) : empty_file(u);

		t_ok(gmem_store(g, 0, fd, SIZE, NULL, &err), err);
		is_hole(fd, FIRST_END, FAR);
		is_hole(fd, FAR + PAGE, old ? SIZE : SIZE - PAGE);
		assert_int_equal(unit_sys.close(u, fd), 0);
	}
}

static void a_hole_is_not_read(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * TiB, SHARED_FLAGS);
	int fd = empty_file(u);
	struct gmem_error err;

	t_ok(gmem_write(g, 0, "text", 4, &err), err);
	unit_reset(u);
	t_ok(gmem_store(g, 0, fd, 64 * TiB, NULL, &err), err);
	assert_int_equal(err.done, 64 * TiB);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 64 * TiB);
	assert_int_equal(lseek(fd, 0, SEEK_END), 64 * TiB);
	assert_int_equal(unit_count(u, "pwrite64", 0), 2);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 64 * TiB, -1), PAGE);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void what_was_stored_can_be_loaded(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u), *h = unit_create(u, SIZE, SHARED_FLAGS);
	static unsigned char got[SIZE];
	int fd = empty_file(u);
	struct gmem_error err;

	t_ok(gmem_store(g, 0, fd, SIZE, NULL, &err), err);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	t_ok(gmem_load(h, 0, fd, SIZE, NULL, &err), err);
	/* the last one is the file's end */
	assert_int_equal(allocated(u, h), DATA + PAGE);
	t_ok(gmem_read(h, 0, got, SIZE, &err), err);
	for (uint64_t at = 0; at < SIZE; at++)
		if (got[at] != byte_at(at))
			fail_msg("%#lx differs", (unsigned long)at);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* Reads from @fd what is expected of it. */
static void arrives(int fd, uint64_t from, uint64_t len)
{
	static unsigned char got[MiB];
	uint64_t n = 0;

	while (n < len) {
		ssize_t r = read(fd, got + n, len - n);

		assert_true(r > 0);
		n += (uint64_t)r;
	}
	for (uint64_t at = 0; at < len; at++)
		if (got[at] != byte_at(from + at))
			fail_msg("%#lx differs", (unsigned long)at);
}

static void a_pipe_gets_the_holes_as_zeroes(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_true(fcntl(fd[1], F_SETPIPE_SZ, MiB) >= (int)MiB);
	t_ok(gmem_store(g, 3, fd[1], 700000, NULL, &err), err);
	assert_int_equal(err.done, 700000);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
	assert_int_equal(unit_count(u, "lseek", 0), 0);
	arrives(fd[0], 3, 700000);
	assert_int_equal(allocated(u, g), DATA);
	assert_int_equal(unit_sys.close(u, fd[0]), 0);
	assert_int_equal(unit_sys.close(u, fd[1]), 0);
}

/* It is sent: write(2) would raise SIGPIPE. */
static void a_socket_that_is_closed_is_an_error_and_no_signal(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd),
			 0);
	t_ok(gmem_store(g, 100, fd[1], 20000, NULL, &err), err);
	arrives(fd[0], 100, 20000);
	assert_int_equal(unit_count(u, "write", 0), 0);
	assert_int_equal(unit_sys.close(u, fd[0]), 0);
	t_refused(gmem_store(g, 100, fd[1], 20000, NULL, &err), -EPIPE,
		  GMEM_REASON_OUTPUT, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(err.value, fd[1]);
	assert_int_equal(unit_sys.close(u, fd[1]), 0);
}

static void a_pipe_that_is_closed_is_an_error_without_the_signal(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(unit_sys.close(u, fd[0]), 0);
	t_refused(gmem_store(g, 0, fd[1], 100, NULL, &err), -EPIPE,
		  GMEM_REASON_OUTPUT, err);
	assert_int_equal(unit_sys.close(u, fd[1]), 0);
	assert_true(signal(SIGPIPE, before) == SIG_IGN);
}

static void a_pipe_that_is_full_and_does_not_block_ends_it(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(fcntl(fd[1], F_SETPIPE_SZ, 64 * KiB), 64 * KiB);
	t_refused(gmem_store(g, 0, fd[1], MiB, NULL, &err), -EAGAIN,
		  GMEM_REASON_OUTPUT, err);
	assert_true(err.done >= 48 * KiB && err.done <= 64 * KiB);
	arrives(fd[0], 0, err.done);
	assert_int_equal(unit_sys.close(u, fd[0]), 0);
	assert_int_equal(unit_sys.close(u, fd[1]), 0);
}

/* Each write goes to its end, so a hole left out would shift the rest. */
static void a_file_that_appends_is_a_stream(void **state)
{
	struct gmem_store_opts o = { .sz = sizeof(o),
				     .flags = GMEM_STORE_OUTPUT_OFFSET };
	struct unit *u = *state;
	struct gmem *g = memory(u);
	int fd = unit_memfd(u, "abc", 3, 0);
	struct gmem_error err;
	static unsigned char got[700003];

	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	t_ok(gmem_store(g, 0, fd, 700000, NULL, &err), err);
	assert_int_equal(pread(fd, got, sizeof(got), 0), sizeof(got));
	assert_memory_equal(got, "abc", 3);
	for (uint64_t at = 0; at < 700000; at++)
		if (got[3 + at] != byte_at(at))
			fail_msg("%#lx differs", (unsigned long)at);
	t_refused(gmem_store(g, 0, fd, 10, &o, &err), -ESPIPE,
		  GMEM_REASON_NO_POSITION, err);
	assert_int_equal(lseek(fd, 0, SEEK_END), 700003);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void what_is_not_known_of_a_file_makes_it_a_stream(void **state)
{
	static const char *const calls[] = { "fstat", "fcntl", "lseek" };
	struct gmem_store_opts o = { .sz = sizeof(o),
				     .flags = GMEM_STORE_OUTPUT_OFFSET };
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(calls); i++) {
		int fd = used_file(u);

		unit_reset(u);
		unit_answer(u, calls[i], 0, 1, 1, -EPERM);
		assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
		t_ok(gmem_store(g, 0, fd, MiB, NULL, &err), err);
		assert_int_equal(unit_count(u, "fallocate", 0), 0);
		shows(fd, 7, 0, MiB, 0xaa);
		assert_int_equal(lseek(fd, 0, SEEK_CUR), MiB + 7);
		unit_reset(u);
		unit_answer(u, calls[i], 0, 1, 1, -EPERM);
		t_refused(gmem_store(g, 0, fd, MiB, &o, &err), -ESPIPE,
			  GMEM_REASON_NO_POSITION, err);
		assert_int_equal(err.sys_errno, EPERM);
		assert_int_equal(unit_sys.close(u, fd), 0);
	}
}

static void what_has_no_offsets_takes_none(void **state)
{
	struct gmem_store_opts o = { .sz = sizeof(o),
				     .flags = GMEM_STORE_OUTPUT_OFFSET };
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;
	int fd[4];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	fd[2] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	fd[3] = unit_file_fd(u, gmem_vm_fd(u->vm), MiB, SHARED_FLAGS);
	for (size_t i = 0; i < T_ARRAY_SIZE(fd); i++) {
		t_refused(gmem_store(g, 0, fd[i], 4, &o, &err), -ESPIPE,
			  GMEM_REASON_NO_POSITION, err);
		assert_int_equal(err.value, fd[i]);
	}
	assert_int_equal(unit_count(u, "write", 0), 0);
	assert_int_equal(unit_count(u, "pwrite64", 0), 0);
	/* a guest_memfd takes no write either */
	t_refused(gmem_store(g, 0, fd[3], 4, NULL, &err), -EINVAL,
		  GMEM_REASON_OUTPUT, err);
	for (size_t i = 0; i < T_ARRAY_SIZE(fd); i++)
		assert_int_equal(unit_sys.close(u, fd[i]), 0);
}

static void each_errno_of_a_write_has_its_reason(void **state)
{
	static const struct {
		int code, want;
		uint32_t why;
	} rows[] = {
		{ -EIO, -EIO, GMEM_REASON_OUTPUT },
		{ -ENOSPC, -ENOSPC, GMEM_REASON_OUTPUT },
		{ -EFBIG, -EFBIG, GMEM_REASON_OUTPUT },
		{ -EBADF, -EBADF, GMEM_REASON_BAD_FD },
		/* of the descriptor: the memory is there */
		{ -EFAULT, -EFAULT, GMEM_REASON_OUTPUT },
		/* nothing taken and no reason */
		{ 0, -EIO, GMEM_REASON_OUTPUT },
	};
	struct unit *u = *state;
	struct gmem *g = memory(u);

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		int fd = unit_memfd(u, "", 0, 1000);
		struct gmem_error err;

		unit_reset(u);
		/* a page can be private for a moment: it is written again */
		unit_answer(u, "pwrite64", 0, 3, 16, rows[i].code);
		t_refused(gmem_store(g, 50, fd, 20000, NULL, &err),
			  rows[i].want, rows[i].why, err);
		assert_int_equal(err.done, 2000);
		assert_int_equal(err.sys_errno, -rows[i].want);
		assert_int_equal(err.value, fd);
		assert_int_equal(lseek(fd, 0, SEEK_CUR), 2000);
		shows(fd, 0, 50, 2000, 0);
		assert_int_equal(unit_sys.close(u, fd), 0);
	}
}

/* The same of the zeroes that it writes itself. */
static void a_hole_that_can_not_be_written_ends_it_there(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	uint64_t done = FIRST_END + 4096;
	struct gmem_error err;
	int fd = used_file(u);

	u->piece = FIRST_END / 2 + 1;
	unit_answer(u, "fallocate", 0, 1, 1, -EOPNOTSUPP);
	unit_answer(u, "pwrite64", 0, 4, 1, -EINTR);
	unit_answer(u, "pwrite64", 0, 5, 1, -ENOSPC);
	t_refused(gmem_store(g, 0, fd, SIZE, NULL, &err), -ENOSPC,
		  GMEM_REASON_OUTPUT, err);
	/* the data in two pieces, and once 4096 of the hole */
	assert_int_equal(err.done, done);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), done);
	shows(fd, 0, 0, done, 0xaa);
	/* and continues from there */
	u->piece = 0;
	t_ok(gmem_store(g, done, fd, SIZE - done, NULL, &err), err);
	shows(fd, 0, 0, SIZE, 0xaa);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void where_no_hole_can_be_punched_zeroes_are_written(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;
	int fd = used_file(u);

	unit_answer(u, "fallocate", 0, 1, 2, -EINTR);
	unit_answer(u, "fallocate", 0, 3, 1, -EOPNOTSUPP);
	t_ok(gmem_store(g, 0, fd, SIZE, NULL, &err), err);
	shows(fd, 0, 0, SIZE, 0xaa);
	/* it is not asked again */
	assert_int_equal(unit_count(u, "fallocate", 0), 3);
	assert_int_equal(allocated(u, g), DATA);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void an_interrupted_write_loses_no_byte(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	int fd = unit_memfd(u, "", 0, 1234);
	struct gmem_error err;

	unit_answer(u, "pwrite64", 0, 1, 2, -EINTR);
	unit_answer(u, "pwrite64", 0, 5, 3, -EINTR);
	t_ok(gmem_store(g, 0, fd, SIZE, NULL, &err), err);
	shows(fd, 0, 0, SIZE, 0);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* The byte that ends the file, and what is done if it cannot be written. */
static void an_end_that_can_not_be_written_is_told(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;

	for (int i = 0; i < 2; i++) {
		int fd = empty_file(u);

		unit_reset(u);
		unit_answer(u, "pwrite64", 0, 3, 2, -EINTR);
		unit_answer(u, "pwrite64", 0, 5, 1, i ? 0 : -ENOSPC);
		t_refused(gmem_store(g, 0, fd, SIZE, NULL, &err),
			  i ? -EIO : -ENOSPC, GMEM_REASON_OUTPUT, err);
		assert_int_equal(err.done, FAR + PAGE);
		assert_int_equal(lseek(fd, 0, SEEK_END), FAR + PAGE);
		assert_int_equal(unit_sys.close(u, fd), 0);
	}
	/* nothing but a hole */
	for (int i = 0; i < 2; i++) {
		int fd = unit_memfd(u, "abc", 3, 0);

		assert_int_equal(lseek(fd, i ? 3 : 100, SEEK_SET), i ? 3 : 100);
		unit_reset(u);
		unit_answer(u, "pwrite64", 0, 1, 1, -ENOSPC);
		t_refused(gmem_store(g, MiB, fd, PAGE, NULL, &err), -ENOSPC,
			  GMEM_REASON_OUTPUT, err);
		assert_int_equal(err.done, 0);
		assert_int_equal(lseek(fd, 0, SEEK_CUR), i ? 3 : 100);
		assert_int_equal(lseek(fd, 0, SEEK_END), 3);
		assert_int_equal(unit_sys.close(u, fd), 0);
	}
}

static void the_position_is_behind_what_was_stored(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	int fd = used_file(u);
	struct gmem_error err;

	assert_int_equal(lseek(fd, 1000, SEEK_SET), 1000);
	t_ok(gmem_store(g, 0, fd, 3000, NULL, &err), err);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 4000);
	t_ok(gmem_store(g, 3000, fd, MiB, NULL, &err), err);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), MiB + 4000);
	shows(fd, 1000, 0, MiB + 3000, 0xaa);
	/* where it cannot be put there, that is an error */
	unit_reset(u);
	unit_answer(u, "lseek", 0, 2, 1, -EPERM);
	t_refused(gmem_store(g, 0, fd, 3000, NULL, &err), -EPERM,
		  GMEM_REASON_OUTPUT, err);
	assert_int_equal(err.done, 3000);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* Each of them ends where it does: a hole is never cut off. */
static void two_stores_into_one_file_do_not_disturb_each_other(void **state)
{
	struct gmem_store_opts o = { .sz = sizeof(o),
				     .flags = GMEM_STORE_OUTPUT_OFFSET,
				     .output_offset = MiB };
	struct unit *u = *state;
	struct gmem *g = memory(u);
	int fd = empty_file(u);
	struct gmem_error err;

	t_ok(gmem_store(g, MiB, fd, MiB, &o, &err), err);
	o.output_offset = 0;
	t_ok(gmem_store(g, 0, fd, MiB, &o, &err), err);
	shows(fd, 0, 0, SIZE, 0);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* It has no end that could be moved. */
static void a_block_device_gets_its_holes_punched(void **state)
{
	const struct gmem__stat block = { .mode = S_IFBLK | 0600 };
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;
	int fd = used_file(u);

	u->stat = &block;
	t_ok(gmem_store(g, 0, fd, SIZE, NULL, &err), err);
	u->stat = NULL;
	shows(fd, 0, 0, SIZE, 0xaa);
	assert_int_equal(unit_count(u, "fallocate", 0), 2);
	assert_int_equal(unit_count(u, "pwrite64", 0), 2);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void without_cachestat_all_is_read(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;
	int fd = used_file(u);

	u->lacks = "cachestat";
	t_ok(gmem_store(g, 0, fd, SIZE, NULL, &err), err);
	assert_int_equal(unit_count(u, "cachestat", 0), 1);
	u->lacks = NULL;
	shows(fd, 0, 0, SIZE, 0xaa);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
	assert_int_equal(allocated(u, g), SIZE);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void private_memory_is_refused_before_any_write(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;
	int fd = empty_file(u);

	t_ok(gmem_set_private(g, 64 * KiB, PAGE, &err), err);
	unit_reset(u);
	t_refused(gmem_store(g, 100, fd, 100000, NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.value, 64 * KiB);
	assert_int_equal(err.done, 0);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_store(g, 100, fd, 64 * KiB - 100, NULL, &err), err);
	shows(fd, 0, 100, 64 * KiB - 100, 0);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* Another holder of the fd converts behind the library's back. */
static void what_turned_private_meanwhile_ends_it(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem__attributes2 a = { .offset = PAGE,
				       .size = PAGE,
				       .attributes = 8 };
	struct gmem_error err;
	int fd = empty_file(u);

	u->lacks = "cachestat";
	assert_int_equal(unit_sys.ioctl(u, gmem_fd(g), 0xc080aed2, &a), 0);
	t_refused(gmem_store(g, 100, fd, 20000, NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.value, PAGE);
	assert_int_equal(err.done, PAGE - 100);
	shows(fd, 0, 100, PAGE - 100, 0);
	u->lacks = NULL;
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* A guest that converts meanwhile what it never used. */
static void turn_private(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem_error err;

	(void)arg;
	if (strcmp(c->name, "pwrite64") != 0)
		return;
	u->hook = NULL;
	t_ok(gmem_set_private(u->g, 64 * KiB, PAGE, &err), err);
}

static void a_hole_that_turned_private_ends_it_too(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct gmem_error err;
	int fd = empty_file(u);

	unit_bind(u, g, 0, 0);
	u->hook = turn_private;
	t_refused(gmem_store(g, 0, fd, SIZE, NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.done, 64 * KiB);
	assert_int_equal(err.value, 64 * KiB);
	shows(fd, 0, 0, 64 * KiB, 0);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_file_the_host_can_not_touch_is_not_stored(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, GMEM_CREATE_UNBOUND);
	struct gmem_error err;

	t_refused(gmem_store(g, 0, 1, 1, NULL, &err), -EOPNOTSUPP,
		  GMEM_REASON_NOT_MAPPABLE, err);
	g = unit_create(u, MiB, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	t_refused(gmem_store(g, 0, 1, 1, NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(u->n_calls, 0);
}

struct told {
	uint64_t done, total;
	unsigned int calls, stop_at;
	int cancel;
};

static int tell(void *arg, uint64_t done, uint64_t total)
{
	struct told *t = arg;

	assert_true(done > t->done);
	assert_int_equal(total, t->total);
	t->done = done;
	t->cancel = ++t->calls == t->stop_at;
	return 0;
}

static void cancel_ends_it_with_done_exact(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u);
	struct told t = { .total = SIZE };
	struct gmem_store_opts o = {
		.sz = sizeof(o),
		.progress = tell,
		.progress_arg = &t,
		.cancel = &t.cancel,
	};
	const uint64_t piece = FIRST_END - 1;
	const uint64_t done[] = { piece, FIRST_END, FAR,
				  FAR + (PAGE < piece ? PAGE : piece) };
	struct gmem_error err;

	for (unsigned int i = 0; i < T_ARRAY_SIZE(done); i++) {
		int fd = unit_memfd(u, "", 0, piece);

		t = (struct told){ .total = SIZE, .stop_at = i + 1 };
		t_refused(gmem_store(g, 0, fd, SIZE, &o, &err), -ECANCELED,
			  GMEM_REASON_CANCELLED, err);
		assert_int_equal(err.done, done[i]);
		assert_int_equal(t.done, done[i]);
		shows(fd, 0, 0, done[i], 0);
		/* and continues from there */
		t = (struct told){ .total = SIZE - done[i] };
		t_ok(gmem_store(g, done[i], fd, SIZE - done[i], &o, &err), err);
		assert_int_equal(t.done, SIZE - done[i]);
		shows(fd, 0, 0, SIZE, 0);
		assert_int_equal(unit_sys.close(u, fd), 0);
	}
}

static void no_write_has_more_than_256_mib(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, SHARED_FLAGS);
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct gmem_error err;

	unit_bind(u, g, 0, 0);
	u->lacks = "cachestat";
	t_ok(gmem_store(g, 0, fd, GiB, NULL, &err), err);
	u->lacks = NULL;
	assert_int_equal(unit_count(u, "write", 0), 4);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void bad_arguments_are_refused_before_any_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_store_opts o = { .sz = sizeof(o), .flags = 2 };
	int fd = empty_file(u);
	struct gmem_error err;

	t_refused(gmem_store(NULL, 0, 0, 1, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_store(g, MiB - 1, 0, 2, NULL, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	t_refused(gmem_store(g, 2, 0, UINT64_MAX - 1, NULL, &err), -EINVAL,
		  GMEM_REASON_OFFSET_OVERFLOW, err);
	t_refused(gmem_store(g, 0, 0, 1, &o, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	t_ok(gmem_store(g, 0, -1, 0, NULL, &err), err);
	assert_int_equal(u->n_calls, 0);
	o.flags = GMEM_STORE_OUTPUT_OFFSET;
	o.output_offset = INT64_MAX;
	t_refused(gmem_store(g, 0, fd, 1, &o, &err), -EINVAL,
		  GMEM_REASON_OFFSET_OVERFLOW, err);
	assert_int_equal(unit_count(u, "pwrite64", 0), 0);
	assert_int_equal(unit_sys.close(u, fd), 0);
	t_refused(gmem_store(g, 0, fd, 1, NULL, &err), -EBADF,
		  GMEM_REASON_BAD_FD, err);
	assert_int_equal(err.value, fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	t_refused(gmem_store(g, 0, fd, 1, NULL, &err), -EBADF,
		  GMEM_REASON_BAD_FD, err);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void older_and_newer_opts_are_told_apart(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_store_opts o = { .sz = sizeof(o) };
	union unit_newer n = unit_newer(&o, sizeof(o), 1);
	struct gmem_error err;
	int fd = empty_file(u);

	t_refused(gmem_store(g, 0, fd, 100, (void *)&n, &err), -E2BIG,
		  GMEM_REASON_OPTS_NEWER, err);
	n = unit_newer(&o, sizeof(o), 0);
	t_ok(gmem_store(g, 0, fd, 100, (void *)&n, &err), err);
	o.sz = 47;
	t_refused(gmem_store(g, 0, fd, 100, &o, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	assert_int_equal(err.limit, 48);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_output_is_the_memory_and_nothing_is_allocated,
		     unit_default),
		TEST(holes_stay_holes, unit_default),
		TEST(a_hole_is_not_read, unit_default),
		TEST(what_was_stored_can_be_loaded, unit_default),
		TEST(a_pipe_gets_the_holes_as_zeroes, unit_default),
		TEST(a_socket_that_is_closed_is_an_error_and_no_signal,
		     unit_default),
		TEST(a_pipe_that_is_closed_is_an_error_without_the_signal,
		     unit_default),
		TEST(a_pipe_that_is_full_and_does_not_block_ends_it,
		     unit_default),
		TEST(a_file_that_appends_is_a_stream, unit_default),
		TEST(what_is_not_known_of_a_file_makes_it_a_stream,
		     unit_default),
		TEST(what_has_no_offsets_takes_none, unit_default),
		TEST(each_errno_of_a_write_has_its_reason, unit_default),
		TEST(a_hole_that_can_not_be_written_ends_it_there,
		     unit_default),
		TEST(where_no_hole_can_be_punched_zeroes_are_written,
		     unit_default),
		TEST(an_interrupted_write_loses_no_byte, unit_default),
		TEST(an_end_that_can_not_be_written_is_told, unit_default),
		TEST(the_position_is_behind_what_was_stored, unit_default),
		TEST(two_stores_into_one_file_do_not_disturb_each_other,
		     unit_default),
		TEST(a_block_device_gets_its_holes_punched, unit_default),
		TEST(without_cachestat_all_is_read, unit_default),
		TEST(private_memory_is_refused_before_any_write, unit_inplace),
		TEST(what_turned_private_meanwhile_ends_it, unit_inplace),
		TEST(a_hole_that_turned_private_ends_it_too, unit_inplace),
		TEST(a_file_the_host_can_not_touch_is_not_stored, unit_default),
		TEST(cancel_ends_it_with_done_exact, unit_default),
		TEST(no_write_has_more_than_256_mib, unit_default),
		TEST(bad_arguments_are_refused_before_any_call, unit_default),
		TEST(older_and_newer_opts_are_told_apart, unit_default),
	};

	return t_main(tests);
}
