// SPDX-License-Identifier: MIT
/* Loads and stores where they begin and end, and between two calls. */
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define WINDOW (64 * MiB)
#define FAULTS 16 /* in a row that are a failure */

static unsigned char data[3000];

/* A file whose pages from @at on, but not before, have data. */
static struct gmem *memory(struct unit *u, uint64_t at)
{
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);

	memset(data, 'x', sizeof(data));
	t_ok(gmem_write(g, at, data, sizeof(data), &u->err), u->err);
	unit_reset(u);
	return g;
}

static uint64_t size_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_size;
}

/* All faults but one, twice: the byte between two rows parts them. */
static void faults(struct unit *u, const char *call)
{
	unit_reset(u);
	unit_answer(u, call, 0, 1, FAULTS - 1, -EFAULT);
	unit_answer(u, call, 0, FAULTS + 1, FAULTS - 1, -EFAULT);
	u->piece = 1000;
}

static void only_faults_in_a_row_end_a_store(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u, 0);
	int fd = unit_memfd(u, "", 0, 0);

	faults(u, "pwrite64");
	t_ok(gmem_store(g, 0, fd, sizeof(data), NULL, &u->err), u->err);
	assert_int_equal(unit_count(u, "pwrite64", 0), 3 + 2 * (FAULTS - 1));
	assert_int_equal(size_of(fd), sizeof(data));
	u->piece = 0;
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void only_faults_in_a_row_end_a_load(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int fd = unit_memfd(u, data, sizeof(data), 0);

	faults(u, "pread64");
	t_ok(gmem_load(g, 0, fd, sizeof(data), NULL, &u->err), u->err);
	assert_int_equal(unit_count(u, "pread64", 0), 3 + 2 * (FAULTS - 1));
	u->piece = 0;
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* So the size says what was stored, also if nothing of the rest was. */
static void a_hole_before_a_failure_is_in_the_file(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u, PAGE);
	int fd = unit_memfd(u, "", 0, 0);

	unit_answer(u, "pwrite64", 0, 1, 1, 0);
	t_refused(gmem_store(g, 0, fd, 2 * PAGE, NULL, &u->err), -EIO,
		  GMEM_REASON_OUTPUT, u->err);
	assert_int_equal(u->err.done, PAGE);
	assert_int_equal(size_of(fd), PAGE);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_byte_at_the_end_stays_what_it_is(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u, 0);
	int fd = unit_memfd(u, "", 0, 0);
	char got[2];

	t_ok(gmem_store(g, 0, fd, 1, NULL, &u->err), u->err);
	assert_int_equal(pread(fd, got, 2, 0), 1);
	assert_int_equal(got[0], 'x');
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* What a write did not take is written up to where the mapping ends. */
static void a_write_ends_where_its_mapping_does(void **state)
{
	const uint64_t took = 8 * MiB;
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * WINDOW, SHARED_FLAGS);
	int fd = unit_memfd(u, "", 0, 0);
	const struct unit_call *c;
	unsigned int i;

	u->lacks = "cachestat"; /* so that all is data */
	unit_answer(u, "pwrite64", 0, 1, UINT32_MAX, (int)took);
	t_ok(gmem_store(g, 0, fd, 2 * WINDOW, NULL, &u->err), u->err);
	for (i = 0; (c = unit_nth(u, "pwrite64", 0, i)); i++)
		assert_int_equal(c->arg[1], WINDOW - i * took % WINDOW);
	assert_int_equal(i, 2 * WINDOW / took);
	u->lacks = NULL;
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void no_hole_is_punched_behind_the_end(void **state)
{
	static unsigned char old[64 * KiB];
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int fd = unit_memfd(u, old, sizeof(old), 0);

	t_ok(gmem_store(g, 0, fd, MiB, NULL, &u->err), u->err);
	assert_int_equal(unit_sum(u, "fallocate"), sizeof(old));
	assert_int_equal(size_of(fd), MiB);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_store_of_nothing_leaves_the_file_alone(void **state)
{
	const struct gmem_store_opts o = { .sz = sizeof(o),
					   .flags = GMEM_STORE_OUTPUT_OFFSET,
					   .output_offset = MiB };
	struct unit *u = *state;
	struct gmem *g = memory(u, 0);
	int fd = unit_memfd(u, "", 0, 0);

	unit_answer(u, "pwrite64", 0, 1, 1, -ENOSPC);
	t_refused(gmem_store(g, 0, fd, 100, &o, &u->err), -ENOSPC,
		  GMEM_REASON_OUTPUT, u->err);
	assert_int_equal(u->err.done, 0);
	assert_int_equal(size_of(fd), 0);
	assert_int_equal(unit_count(u, "pwrite64", 0), 1);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void of_two_failures_of_a_store_the_first_is_told(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u, 0);
	int fd = unit_memfd(u, "", 0, 0);

	unit_answer(u, "pwrite64", 0, 1, 1, -ENOSPC);
	unit_answer(u, "lseek", 0, 2, 1, -EIO);
	t_refused(gmem_store(g, 0, fd, 100, NULL, &u->err), -ENOSPC,
		  GMEM_REASON_OUTPUT, u->err);
	assert_int_equal(u->err.sys_errno, ENOSPC);
	assert_int_equal(unit_count(u, "lseek", 0), 2);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* A file may grow or change while it is looked at: only a read tells. */
static void an_input_is_read_whatever_lseek_says_of_its_end(void **state)
{
	static const int answers[][2] = {
		{ -ENXIO, 0 }, /* there is no data, and this is the end */
		{ 0, 0 },      /* there is, and a hole begins there */
	};
	struct unit *u = *state;
	unsigned char got[100];

	memset(data, 'x', sizeof(data));
	for (size_t i = 0; i < T_ARRAY_SIZE(answers); i++) {
		struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
		int fd = unit_memfd(u, data, 100, 0);

		unit_reset(u);
		unit_answer(u, "lseek", 0, 2, 1, answers[i][0]);
		unit_answer(u, "lseek", 0, 3, 1, answers[i][1]);
		t_ok(gmem_load(g, 0, fd, 100, NULL, &u->err), u->err);
		t_ok(gmem_read(g, 0, got, 100, &u->err), u->err);
		assert_memory_equal(got, data, 100);
		assert_int_equal(unit_sys.close(u, fd), 0);
	}
}

static void a_hole_of_one_page_frees_that_page(void **state)
{
	struct unit *u = *state;
	struct gmem *g = memory(u, 0);
	int fd = unit_memfd(u, "", 0, 0);

	assert_int_equal(pwrite(fd, data, 100, (off_t)PAGE), 100);
	t_ok(gmem_load(g, 0, fd, PAGE + 100, NULL, &u->err), u->err);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, PAGE, -1), 0);
	assert_int_equal(unit_allocated(u, gmem_fd(g), PAGE, PAGE, -1), PAGE);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void an_offset_is_beyond_the_end_of_a_file_only(void **state)
{
	const struct gmem_load_opts o = { .sz = sizeof(o),
					  .flags = GMEM_LOAD_INPUT_OFFSET,
					  .input_offset = 2000 };
	const struct gmem_load_opts beyond = { .sz = sizeof(o),
					       .flags = GMEM_LOAD_INPUT_OFFSET,
					       .input_offset = 4000 };
	const struct gmem__stat device = { .mode = S_IFBLK };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int fd = unit_memfd(u, data, sizeof(data), 0);

	/* of a device fstat tells no size */
	u->stat = &device;
	t_ok(gmem_load(g, 0, fd, 1000, &o, &u->err), u->err);
	u->stat = NULL;
	/* the position is the caller's: there is nothing to read there */
	assert_int_equal(lseek(fd, 4000, SEEK_SET), 4000);
	t_refused(gmem_load(g, 0, fd, 1, NULL, &u->err), -ENODATA,
		  GMEM_REASON_INPUT_SHORT, u->err);
	/* and what has no position has no end */
	unit_reset(u);
	unit_answer(u, "lseek", 0, 1, 1, -ESPIPE);
	t_refused(gmem_load(g, 0, fd, 1, &beyond, &u->err), -ESPIPE,
		  GMEM_REASON_NO_POSITION, u->err);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

int main(void)
{
	const struct CMUnitTest transfers[] = {
		TEST(only_faults_in_a_row_end_a_store, unit_default),
		TEST(only_faults_in_a_row_end_a_load, unit_default),
		TEST(a_hole_before_a_failure_is_in_the_file, unit_default),
		TEST(a_byte_at_the_end_stays_what_it_is, unit_default),
		TEST(a_write_ends_where_its_mapping_does, unit_default),
		TEST(no_hole_is_punched_behind_the_end, unit_default),
		TEST(a_store_of_nothing_leaves_the_file_alone, unit_default),
		TEST(of_two_failures_of_a_store_the_first_is_told,
		     unit_default),
		TEST(an_input_is_read_whatever_lseek_says_of_its_end,
		     unit_default),
		TEST(a_hole_of_one_page_frees_that_page, unit_default),
		TEST(an_offset_is_beyond_the_end_of_a_file_only, unit_default),
	};

	return t_main(transfers);
}
