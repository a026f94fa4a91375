// SPDX-License-Identifier: MIT
/*
 * Copies through a pipe, where process_vm_readv(2) and its sister are missing:
 * whatever the pipe does, the bytes are right and no descriptor stays open.
 */
#include "unit.h"

#define LEN (208 * KiB)

static unsigned char bytes[LEN], back[LEN];

/* From now on a read() of the pipe gives @most bytes at a time; 0 = all. */
static void begin(struct unit *m, size_t most)
{
	unit_reset(m);
	m->piece = most;
}

static struct gmem *piped(struct unit *m)
{
	m->lacks = "process_vm_readv process_vm_writev";
	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 256);
	return unit_create(m, LEN, SHARED_FLAGS);
}

/* unit_end() sees which. */
static void closed(const struct unit *m, unsigned int pipes)
{
	assert_int_equal(unit_count(m, "pipe2", 0), pipes);
	assert_int_equal(unit_count(m, "close", 0), 2 * pipes);
}

static void reads_back(struct unit *m, size_t len, unsigned int pipes)
{
	memset(back, 0xee, len);
	t_ok(gmem_read(m->g, 0, back, len, &m->err), m->err);
	assert_memory_equal(back, bytes, len);
	closed(m, pipes);
}

static void one_pipe_does_for_a_copy(void **state)
{
	struct unit *m = *state;
	struct gmem *g = piped(m);

	t_ok(gmem_write(g, 0, bytes, LEN, &m->err), m->err);
	closed(m, 1);
	/* each time as much as it holds, and no look whether there is more */
	assert_int_equal(unit_count(m, "write", 0), 4);
	assert_int_equal(unit_count(m, "read", 0), 4);
	begin(m, 0);
	reads_back(m, LEN, 1);
	begin(m, 1000);
	reads_back(m, LEN, 1);
	begin(m, 1);
	reads_back(m, 1, 1);
	begin(m, 1);
	reads_back(m, 10, 1);
}

static void a_signal_is_no_failure(void **state)
{
	struct unit *m = *state;
	struct gmem *g = piped(m);

	t_ok(gmem_write(g, 0, bytes, LEN, &m->err), m->err);
	begin(m, 1000);
	unit_answer(m, "read", 0, 1, 1, -EINTR);
	unit_answer(m, "read", 0, 3, 1, -EINTR);
	unit_answer(m, "write", 0, 1, 1, -EINTR);
	reads_back(m, LEN, 1);
}

/* What is left in it would come first the next time. */
static void a_pipe_that_was_not_emptied_is_not_used_again(void **state)
{
	static const int gives[] = { 0, -EIO };
	struct unit *m = *state;
	struct gmem *g = piped(m);

	t_ok(gmem_write(g, 0, bytes, LEN, &m->err), m->err);
	for (size_t i = 0; i < T_ARRAY_SIZE(gives); i++) {
		begin(m, 1000);
		unit_answer(m, "read", 0, 2, 1, gives[i]);
		reads_back(m, LEN, 2);
	}
}

static void a_pipe_that_fails_ends_the_copy(void **state)
{
	struct unit *m = *state;
	struct gmem *g = piped(m);

	begin(m, 1000);
	unit_answer(m, "write", 0, 2, 1, -ENOMEM);
	t_refused(gmem_write(g, 0, bytes, LEN, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_int_equal(m->err.done, 64 * KiB);
	assert_int_equal(m->err.sys_errno, ENOMEM);
	closed(m, 1);
	begin(m, 1000);
	unit_answer(m, "read", 0, 1, 1, -ENOMEM);
	t_refused(gmem_read(g, 0, back, LEN, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_int_equal(m->err.done, 0);
	closed(m, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_pipe_does_for_a_copy, unit_default73),
		TEST(a_signal_is_no_failure, unit_default73),
		TEST(a_pipe_that_was_not_emptied_is_not_used_again,
		     unit_default73),
		TEST(a_pipe_that_fails_ends_the_copy, unit_default73),
	};

	return t_main(tests);
}
