// SPDX-License-Identifier: MIT
/* Populating, discarding, counting and loading guest memory. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live.h"

#define MiB (1ULL << 20)
#define SIZE (64 * MiB)

static struct gmem *start(struct live *l, uint64_t flags)
{
	live_need(flags & GMEM_CREATE_INIT_SHARED ? "init-shared"
						  : "guest-memfd");
	live_need("residency");
	live_vm(l, GMEM_VM_DEFAULT);
	return live_file(l, SIZE / l->page, flags);
}

static uint64_t resident(struct live *l, uint64_t offset, uint64_t len)
{
	struct gmem_residency r = { .sz = sizeof(r) };

	live_ok(l, gmem_resident(l->g, offset, len, &r, &l->err));
	assert_int_equal(r.flags, 0);
	assert_int_equal(r.bytes / l->page,
			 raw_resident(gmem_fd(l->g), offset, len));
	return r.bytes;
}

static void populate_allocates_the_range_and_nothing_else(void **state)
{
	struct live *l = *state;
	struct gmem *g = start(l, LIVE_SHARED);

	live_ok(l, gmem_populate(g, 8 * MiB, 16 * MiB, NULL, &l->err));
	assert_int_equal(l->err.done, 16 * MiB);
	assert_int_equal(resident(l, 8 * MiB, 16 * MiB), 16 * MiB);
	assert_int_equal(resident(l, 0, SIZE), 16 * MiB);
}

static void a_file_that_can_not_be_mapped_is_populated_too(void **state)
{
	struct live *l = *state;
	struct gmem *g = start(l, GMEM_CREATE_UNBOUND);

	live_ok(l, gmem_populate(g, 0, SIZE, NULL, &l->err));
	assert_int_equal(resident(l, 0, SIZE), SIZE);
}

struct told {
	pthread_t self;
	uint64_t done;
	unsigned int calls;
	int cancel;
};

static int tell(void *arg, uint64_t done, uint64_t total)
{
	struct told *t = arg;

	assert_true(pthread_equal(t->self, pthread_self()));
	assert_true(done > t->done && done <= total);
	assert_int_equal(total, SIZE);
	t->done = done;
	t->calls++;
	__atomic_store_n(&t->cancel, 1, __ATOMIC_RELAXED);
	return 0;
}

static void progress_is_told_in_the_callers_thread(void **state)
{
	struct live *l = *state;
	struct told t = { .self = pthread_self() };
	struct gmem_populate_opts o = {
		.sz = sizeof(o),
		.progress = tell,
		.progress_arg = &t,
		.threads = 2,
	};
	struct gmem *g = start(l, LIVE_SHARED);

	live_ok(l, gmem_populate(g, 0, SIZE, &o, &l->err));
	assert_int_equal(t.done, SIZE);
	assert_int_equal(resident(l, 0, SIZE), SIZE);
}

static void cancel_ends_with_what_is_done(void **state)
{
	struct live *l = *state;
	struct told t = { .self = pthread_self(), .cancel = 1 };
	struct gmem_populate_opts o = {
		.sz = sizeof(o),
		.progress = tell,
		.progress_arg = &t,
		.cancel = &t.cancel,
		.threads = 2,
	};
	struct gmem *g = start(l, LIVE_SHARED);
	uint64_t done;

	t_refused(gmem_populate(g, 0, SIZE, &o, &l->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, l->err);
	assert_int_equal(l->err.done, 0);
	assert_int_equal(resident(l, 0, SIZE), 0);
	t.cancel = 0;
	t_refused(gmem_populate(g, 0, SIZE, &o, &l->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, l->err);
	done = l->err.done; /* resident() has the same error */
	assert_true(done > 0 && done < SIZE);
	assert_int_equal(resident(l, 0, SIZE), done);
}

static void discard_frees_and_reads_as_zero(void **state)
{
	struct live *l = *state;
	struct gmem *g = start(l, LIVE_SHARED);
	char c = 1;

	live_ok(l, gmem_write(g, 5 * MiB, &c, 1, &l->err));
	live_ok(l, gmem_populate(g, 0, SIZE, NULL, &l->err));
	live_ok(l, gmem_discard(g, 4 * MiB, 4 * MiB, NULL, &l->err));
	assert_int_equal(l->err.done, 4 * MiB);
	assert_int_equal(resident(l, 0, SIZE), SIZE - 4 * MiB);
	live_ok(l, gmem_read(g, 5 * MiB, &c, 1, &l->err));
	assert_int_equal(c, 0);
}

static void space_beyond_the_file_is_refused(void **state)
{
	struct live *l = *state;
	struct gmem_residency r = { .sz = sizeof(r) };
	struct gmem *g = start(l, LIVE_SHARED);

	live_refused(l, gmem_populate(g, SIZE, MiB, NULL, &l->err), -EINVAL,
		     GMEM_REASON_OUTSIDE_FILE);
	/* the kernel silently punches beyond the end */
	live_refused(l, gmem_discard(g, SIZE, MiB, NULL, &l->err), -EINVAL,
		     GMEM_REASON_OUTSIDE_FILE);
	live_refused(l, gmem_discard(g, 1, MiB, NULL, &l->err), -EINVAL,
		     GMEM_REASON_UNALIGNED);
	live_refused(l, gmem_resident(g, 0, 0, &r, &l->err), -EINVAL,
		     GMEM_REASON_ZERO_SIZE);
	live_refused(l, gmem_load(g, SIZE - 1, 0, 2, NULL, &l->err), -EINVAL,
		     GMEM_REASON_OUTSIDE_FILE);
}

static void residency_counts_what_was_never_touched(void **state)
{
	struct live *l = *state;
	struct gmem *g = start(l, GMEM_CREATE_UNBOUND);
	uint64_t pages = SIZE / l->page, n = 0;

	for (uint64_t i = 0; i < pages; i += 1 + i / 3, n++)
		assert_int_equal(fallocate(gmem_fd(g), FALLOC_FL_KEEP_SIZE,
					   (off_t)(i * l->page),
					   (off_t)l->page),
				 0);
	assert_int_equal(resident(l, 0, SIZE), n * l->page);
	assert_int_equal(resident(l, SIZE / 2, l->page),
			 raw_resident(gmem_fd(g), SIZE / 2, l->page) * l->page);
}

static void residency_of_a_huge_hole_takes_few_calls(void **state)
{
	struct live *l = *state;
	struct gmem_residency r = { .sz = sizeof(r) };
	unsigned int before;
	struct gmem *g;

	start(l, GMEM_CREATE_UNBOUND);
	g = live_file(l, INT64_MAX / l->page, GMEM_CREATE_UNBOUND);
	before = l->n_calls;
	live_ok(l, gmem_resident(g, 0, gmem_size(g), &r, &l->err));
	assert_int_equal(r.bytes, 0);
	assert_true(l->n_calls - before < 64);
}

static int sum_run(void *arg, uint64_t offset, uint64_t len)
{
	uint64_t *sum = arg;

	sum[0] += len;
	sum[1] = offset + len;
	return 0;
}

static void a_walk_tells_the_resident_runs(void **state)
{
	struct live *l = *state;
	uint64_t sum[2] = { 0 };
	struct gmem *g = start(l, GMEM_CREATE_UNBOUND);

	live_ok(l, gmem_populate(g, MiB, 2 * MiB, NULL, &l->err));
	live_ok(l, gmem_populate(g, 8 * MiB, l->page, NULL, &l->err));
	live_ok(l, gmem_walk_resident(g, 0, SIZE, sum_run, sum, &l->err));
	assert_int_equal(sum[0], 2 * MiB + l->page);
	assert_int_equal(sum[1], 8 * MiB + l->page);
	assert_int_equal(l->err.done, SIZE);
	assert_int_equal(resident(l, 0, SIZE), 2 * MiB + l->page);
}

/* A pipe that a thread fills in odd pieces. */
struct source {
	int fd[2];
	uint64_t len;
};

static void *pour(void *arg)
{
	struct source *s = arg;
	unsigned char buf[1021];
	uint64_t n, pos = 0;
	ssize_t w;

	while (pos < s->len) {
		n = s->len - pos < sizeof(buf) ? s->len - pos : sizeof(buf);
		for (uint64_t i = 0; i < n; i++)
			buf[i] = (unsigned char)((pos + i) * 7 >> 3);
		w = write(s->fd[1], buf, n);
		if (w < 0 && errno != EINTR)
			break;
		pos += w > 0 ? (uint64_t)w : 0;
	}
	(void)close(s->fd[1]);
	return NULL;
}

static int load_poured(struct live *l, uint64_t len, uint64_t ask,
		       uint64_t flags)
{
	struct gmem_load_opts o = { .sz = sizeof(o), .flags = flags };
	struct source s = { .len = len };
	pthread_t t;
	int r;

	assert_int_equal(pipe2(s.fd, O_CLOEXEC), 0);
	live_keep_fd(l, s.fd[0]);
	assert_int_equal(pthread_create(&t, NULL, pour, &s), 0);
	l->err = (struct gmem_error){ .sz = sizeof(l->err) };
	r = gmem_load(l->g, 123, s.fd[0], ask, &o, &l->err);
	assert_int_equal(pthread_join(t, NULL), 0);
	return r;
}

static void check_poured(struct live *l, uint64_t len)
{
	unsigned char buf[4096];
	uint64_t n;

	for (uint64_t pos = 0; pos < len; pos += n) {
		n = len - pos < sizeof(buf) ? len - pos : sizeof(buf);
		live_ok(l, gmem_read(l->g, 123 + pos, buf, n, &l->err));
		for (uint64_t i = 0; i < n; i++)
			assert_int_equal(buf[i],
					 (unsigned char)((pos + i) * 7 >> 3));
	}
}

static void a_pipe_is_loaded_byte_for_byte(void **state)
{
	struct live *l = *state;

	start(l, LIVE_SHARED);
	t_code(load_poured(l, 3 * MiB + 5, 3 * MiB + 5, 0), 0);
	assert_int_equal(l->err.done, 3 * MiB + 5);
	check_poured(l, 3 * MiB + 5);
}

static void input_that_ends_early_is_an_error_unless_asked(void **state)
{
	struct live *l = *state;

	start(l, LIVE_SHARED);
	t_code(load_poured(l, 1000, 2000, 0), -ENODATA);
	t_reason(&l->err, GMEM_REASON_INPUT_SHORT);
	assert_int_equal(l->err.done, 1000);
	t_code(load_poured(l, 1000, 2000, GMEM_LOAD_UNTIL_EOF), 0);
	assert_int_equal(l->err.done, 1000);
	check_poured(l, 1000);
}

/* Into memory that was used: in the middle whole pages, and parts at the ends.
 */
static void a_hole_of_a_file_frees_memory(void **state)
{
	struct live *l = *state;
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_INPUT_OFFSET,
				    .input_offset = 16 };
	struct gmem *g = start(l, LIVE_SHARED);
	int fd = memfd_create("sparse", MFD_CLOEXEC);
	unsigned char c[3];

	live_keep_fd(l, fd);
	assert_int_equal(pwrite(fd, "head", 4, 16), 4);
	assert_int_equal(pwrite(fd, "tail", 4, 8 * MiB + 100), 4);
	memset(live_keep_map(
		       l, raw_map(l, gmem_fd(g), SIZE, PROT_READ | PROT_WRITE),
		       SIZE),
	       0xaa, SIZE);
	live_ok(l, gmem_load(g, 123, fd, 8 * MiB + 88, &o, &l->err));
	assert_int_equal(l->err.done, 8 * MiB + 88);
	/* the pages of 123 and of 123 + 8 MiB + 84, and all behind them */
	assert_true(resident(l, 0, SIZE) <= SIZE - 8 * MiB + 2 * l->page);
	assert_int_equal(resident(l, MiB, 4 * MiB), 0);
	live_ok(l, gmem_read(g, 122, c, 3, &l->err));
	assert_memory_equal(c, "\xaahe", 3);
	live_ok(l, gmem_read(g, 4 * MiB, c, 3, &l->err));
	assert_memory_equal(c, "\0\0\0", 3);
	live_ok(l, gmem_read(g, 123 + 8 * MiB + 83, c, 3, &l->err));
	assert_memory_equal(c, "\0ta", 3);
	live_ok(l, gmem_read(g, 123 + 8 * MiB + 87, c, 2, &l->err));
	assert_memory_equal(c, "l\xaa", 2);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
}

/* To a file on tmpfs and back, and old contents that must go. */
static void what_was_stored_is_loaded_with_its_holes(void **state)
{
	struct live *l = *state;
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_INPUT_OFFSET };
	struct gmem *g = start(l, LIVE_SHARED), *h;
	int fd = memfd_create("stored", MFD_CLOEXEC);
	unsigned char c[3], old[64];
	uint64_t there;

	memset(old, 0xaa, sizeof(old));
	live_keep_fd(l, fd);
	for (off_t at = 0; at < (off_t)(8 * MiB); at += sizeof(old))
		assert_int_equal(pwrite(fd, old, sizeof(old), at), sizeof(old));
	live_ok(l, gmem_write(g, 5 * MiB - 1, "abc", 3, &l->err));
	live_ok(l, gmem_populate(g, 32 * MiB, MiB, NULL, &l->err));
	there = resident(l, 0, SIZE);
	live_ok(l, gmem_store(g, 0, fd, SIZE, NULL, &l->err));
	assert_int_equal(l->err.done, SIZE);
	assert_int_equal(resident(l, 0, SIZE), there);
	assert_int_equal(lseek(fd, 0, SEEK_END), SIZE);
	assert_int_equal(lseek(fd, 0, SEEK_DATA), 5 * MiB - l->page);
	assert_int_equal(lseek(fd, 33 * MiB, SEEK_DATA), SIZE - l->page);
	h = live_file(l, SIZE / l->page, LIVE_SHARED);
	live_ok(l, gmem_load(h, 0, fd, SIZE, &o, &l->err));
	assert_int_equal(resident(l, 0, SIZE), there + l->page);
	live_ok(l, gmem_read(h, 5 * MiB - 1, c, 3, &l->err));
	assert_memory_equal(c, "abc", 3);
	live_ok(l, gmem_read(h, MiB, c, 1, &l->err));
	assert_int_equal(c[0], 0);
}

struct drain {
	int fd;
	uint64_t n, wrong;
};

static void *drain(void *arg)
{
	struct drain *d = arg;
	unsigned char buf[4099];
	ssize_t r;

	while ((r = read(d->fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < r; i++, d->n++)
			d->wrong += buf[i] != (d->n == 5 * MiB ? 'x' : 0);
	return NULL;
}

static void store_poured(struct live *l, const int fd[2])
{
	struct drain d = { .fd = fd[0] };
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, drain, &d), 0);
	live_ok(l, gmem_store(l->g, 123, fd[1], 8 * MiB, NULL, &l->err));
	assert_int_equal(close(fd[1]), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(close(fd[0]), 0);
	assert_int_equal(d.n, 8 * MiB);
	assert_int_equal(d.wrong, 0);
}

static void a_pipe_and_a_socket_get_holes_as_zeroes(void **state)
{
	struct live *l = *state;
	struct gmem *g = start(l, LIVE_SHARED);
	int fd[2];

	live_ok(l, gmem_write(g, 5 * MiB + 123, "x", 1, &l->err));
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	store_poured(l, fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd),
			 0);
	store_poured(l, fd);
	assert_int_equal(resident(l, 0, SIZE), l->page);
	/* without a signal */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd),
			 0);
	assert_int_equal(close(fd[0]), 0);
	live_keep_fd(l, fd[1]);
	t_refused(gmem_store(g, 0, fd[1], 1, NULL, &l->err), -EPIPE,
		  GMEM_REASON_OUTPUT, l->err);
}

static void input_that_can_not_be_read_is_named(void **state)
{
	struct live *l = *state;
	struct gmem *g = start(l, LIVE_SHARED);
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	live_keep_fd(l, dir);
	t_refused(gmem_load(g, 0, dir, 1, NULL, &l->err), -EISDIR,
		  GMEM_REASON_INPUT, l->err);
	t_refused(gmem_load(g, 0, -1, 1, NULL, &l->err), -EBADF,
		  GMEM_REASON_BAD_FD, l->err);
}

static void private_memory_is_neither_loaded_nor_stored(void **state)
{
	struct live *l = *state;
	struct gmem *g;

	live_need("mmap");
	live_vm(l, GMEM_VM_DEFAULT);
	g = live_file(l, 8, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	live_refused(l, gmem_load(g, 0, 0, 1, NULL, &l->err), -EACCES,
		     GMEM_REASON_PRIVATE);
	live_refused(l, gmem_store(g, 0, 1, 1, NULL, &l->err), -EACCES,
		     GMEM_REASON_PRIVATE);
}

static int calm(void **state)
{
	t_storm_end();
	return live_teardown(state);
}

/* A timer every millisecond, and no SA_RESTART. */
static void a_storm_of_signals_leaves_no_gap(void **state)
{
	struct live *l = *state;
	struct gmem *g;
	uint64_t size = 1024 * MiB;
	struct gmem_populate_opts o = { .sz = sizeof(o), .threads = 1 };

	start(l, LIVE_SHARED);
	g = live_file(l, size / l->page, LIVE_SHARED);
	t_storm(1000);
	live_ok(l, gmem_populate(g, 0, size, &o, &l->err));
	assert_int_equal(l->err.done, size);
	assert_int_equal(resident(l, 0, size), size);
	live_ok(l, gmem_discard(g, 0, size, NULL, &l->err));
	o.threads = 2;
	live_ok(l, gmem_populate(g, 0, size, &o, &l->err));
	assert_int_equal(resident(l, 0, size), size);
	t_code(load_poured(l, 20 * MiB, 20 * MiB, 0), 0);
	check_poured(l, 20 * MiB);
	assert_true(t_storm_signals() > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		live_test(populate_allocates_the_range_and_nothing_else),
		live_test(a_file_that_can_not_be_mapped_is_populated_too),
		live_test(progress_is_told_in_the_callers_thread),
		live_test(cancel_ends_with_what_is_done),
		live_test(discard_frees_and_reads_as_zero),
		live_test(space_beyond_the_file_is_refused),
		live_test(residency_counts_what_was_never_touched),
		live_test(residency_of_a_huge_hole_takes_few_calls),
		live_test(a_walk_tells_the_resident_runs),
		live_test(a_pipe_is_loaded_byte_for_byte),
		live_test(input_that_ends_early_is_an_error_unless_asked),
		live_test(a_hole_of_a_file_frees_memory),
		live_test(what_was_stored_is_loaded_with_its_holes),
		live_test(a_pipe_and_a_socket_get_holes_as_zeroes),
		live_test(input_that_can_not_be_read_is_named),
		live_test(private_memory_is_neither_loaded_nor_stored),
		cmocka_unit_test_setup_teardown(
			a_storm_of_signals_leaves_no_gap, live_setup, calm),
	};

	return t_main(tests);
}
