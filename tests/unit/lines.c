// SPDX-License-Identifier: MIT
/* The lines of a file of /proc or /sys, however the kernel cuts them. */
#include <fcntl.h>

#include "unit.h"

#include "lines.h"
#include "vm.h"

#define PATH "/proc/self/maps"
/* A line and its end fill the buffer. */
#define LONGEST (sizeof(((struct gmem__lines *)NULL)->buf) - 1)

static void opened(struct unit *m, struct gmem__lines *l, const char *text)
{
	static struct unit_told told[2];

	told[0] = (struct unit_told){ PATH, text };
	m->told = told;
	unit_reset(m);
	memset(l, 0xa5, sizeof(*l));
	assert_int_equal(gmem__lines_open(l, &m->vm->ctx, PATH), 0);
	m->told = NULL;
	assert_int_equal(unit_nth(m, "openat", 0, 0)->arg[2],
			 O_RDONLY | O_CLOEXEC);
}

static void ends(struct gmem__lines *l, int sys)
{
	assert_null(gmem__lines_next(l));
	assert_int_equal(l->sys, sys);
	gmem__lines_close(l);
	assert_false(unit_is_open(l->fd));
}

static void each_line_comes_once(void **state)
{
	static const char *const lines[] = { "first", "", "the third one",
					     "4" };
	struct unit *m = *state;
	struct gmem__lines l;

	/* 0: all at once */
	for (size_t piece = 0; piece < 25; piece++) {
		m->piece = piece;
		opened(m, &l, "first\n\nthe third one\n4\n");
		for (size_t i = 0; i < T_ARRAY_SIZE(lines); i++)
			assert_string_equal(gmem__lines_next(&l), lines[i]);
		ends(&l, 0);
	}
	m->piece = 0;
}

static void what_does_not_end_is_no_line(void **state)
{
	struct unit *m = *state;
	struct gmem__lines l;

	opened(m, &l, "first\nsec");
	assert_string_equal(gmem__lines_next(&l), "first");
	ends(&l, 0);
	opened(m, &l, "");
	ends(&l, 0);
}

/* Of a longer one no part is taken for a line. */
static void a_line_that_is_too_long_ends_it(void **state)
{
	static char text[3 * (LONGEST + 2)];
	struct unit *m = *state;
	struct gmem__lines l;

	for (size_t len = LONGEST - 1; len < LONGEST + 2; len++) {
		(void)snprintf(text, sizeof(text), "short\n%0*d\n%0*d\n",
			       (int)len, 0, (int)len, 1);
		for (size_t piece = 0; piece < 4096; piece += 1365) {
			m->piece = piece;
			opened(m, &l, text);
			assert_string_equal(gmem__lines_next(&l), "short");
			for (int i = 0; i < 2 && len <= LONGEST; i++) {
				const char *line = gmem__lines_next(&l);

				assert_non_null(line);
				assert_int_equal(strlen(line), len);
				assert_int_equal(line[len - 1], '0' + i);
			}
			ends(&l, len <= LONGEST ? 0 : -EOVERFLOW);
		}
	}
	m->piece = 0;
}

static void a_read_that_fails_ends_it(void **state)
{
	struct unit *m = *state;
	struct gmem__lines l;

	m->piece = 6;
	opened(m, &l, "first\nsecond\n");
	unit_reset(m);
	unit_answer(m, "read", 0, 2, 1, -EINTR);
	unit_answer(m, "read", 0, 4, 1, -EIO);
	assert_string_equal(gmem__lines_next(&l), "first");
	ends(&l, -EIO);
	assert_int_equal(unit_count(m, "read", 0), 4);
	m->piece = 0;
}

static void what_cannot_be_opened_says_so(void **state)
{
	struct unit *m = *state;
	struct gmem__lines l;

	unit_answer(m, "openat", 0, 1, 1, -EACCES);
	assert_int_equal(gmem__lines_open(&l, &m->vm->ctx, PATH), -EACCES);
}

static void a_node_has_its_own_files(void **state)
{
	static const struct unit_told told[] = {
		{ "/sys/devices/system/node/node17/meminfo", "Node 17\n" },
		{ NULL, NULL }
	};
	struct unit *m = *state;
	struct gmem__lines l;

	m->told = told;
	assert_int_equal(gmem__lines_open_node(&l, &m->vm->ctx, 17, "meminfo"),
			 0);
	m->told = NULL;
	assert_string_equal(gmem__lines_next(&l), "Node 17");
	ends(&l, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_line_comes_once, unit_default),
		TEST(what_does_not_end_is_no_line, unit_default),
		TEST(a_line_that_is_too_long_ends_it, unit_default),
		TEST(a_read_that_fails_ends_it, unit_default),
		TEST(what_cannot_be_opened_says_so, unit_default),
		TEST(a_node_has_its_own_files, unit_default),
	};

	return t_main(tests);
}
