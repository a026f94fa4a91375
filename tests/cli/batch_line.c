// SPDX-License-Identifier: MIT
/* The batch's lines and fields: limits, quotes, and no byte beyond. */
#include "cmd/batch/line.h"
#include "t.h"

static FILE *file_of(const char *text, size_t len)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	rewind(f);
	return f;
}

static void lines(void **state)
{
	static const char text[] = "one\n\n\0two\nlast";
	FILE *f = file_of(text, sizeof(text) - 1);
	char line[BATCH_LINE];
	size_t len;

	(void)state;
	assert_true(batch_read_line(f, line, &len));
	assert_int_equal(len, 3);
	assert_memory_equal(line, "one", 3);
	assert_true(batch_read_line(f, line, &len));
	assert_int_equal(len, 0);
	assert_true(batch_read_line(f, line, &len));
	assert_int_equal(len, 4);
	assert_memory_equal(line, "\0two", 4);
	assert_true(batch_read_line(f, line, &len));
	assert_int_equal(len, 4);
	assert_false(batch_read_line(f, line, &len));
	(void)fclose(f);
}

/* One, at the end, is DOS's; any other is a control character like another. */
static void carriage_returns(void **state)
{
	FILE *f = file_of("one\r\n\r\na\rb\r\r\nlast\r", 18);
	static const char *const want[] = { "one", "", "a\rb\r", "last" };
	char line[BATCH_LINE];
	size_t len;

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(want); i++) {
		assert_true(batch_read_line(f, line, &len));
		assert_int_equal(len, strlen(want[i]));
		assert_memory_equal(line, want[i], len);
	}
	assert_false(batch_read_line(f, line, &len));
	(void)fclose(f);
}

static void marks(void **state)
{
	(void)state;
	assert_int_equal(batch_mark("\xef\xbb\xbf", 3), 3);
	assert_int_equal(batch_mark("\xef\xbb\xbf#", 4), 3);
	assert_int_equal(batch_mark("\xef\xbb\xbf", 2), 0);
	assert_int_equal(batch_mark("\xef\xbb\xbe", 3), 0);
	assert_int_equal(batch_mark("", 0), 0);
}

/* A line that does not fit has a larger length; the next one is whole. */
static void long_lines(void **state)
{
	static char text[3 * BATCH_LINE];
	char line[BATCH_LINE];
	size_t len;
	FILE *f;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[BATCH_LINE - 1] = '\n';
	text[sizeof(text) - 3] = '\n';
	f = file_of(text, sizeof(text));
	assert_true(batch_read_line(f, line, &len));
	assert_int_equal(len, BATCH_LINE - 1);
	assert_true(batch_read_line(f, line, &len));
	assert_int_equal(len, 2 * BATCH_LINE - 3);
	assert_true(batch_read_line(f, line, &len));
	assert_int_equal(len, 2);
	assert_false(batch_read_line(f, line, &len));
	(void)fclose(f);
}

/*
 * Splits a copy that ends where the line does, or at its one spare byte, so
 * that a sanitizer sees every step beyond.
 */
static int split(const char *text, size_t len, struct field *fields,
		 const char **problem, char **copy)
{
	*copy = malloc(len + 1);
	assert_non_null(*copy);
	memcpy(*copy, text, len);
	return batch_split(*copy, len, fields, problem);
}

static void fields_are(const char *text, size_t n, const char *const *want)
{
	struct field f[BATCH_FIELDS];
	const char *problem;
	char *copy;
	int got = split(text, strlen(text), f, &problem, &copy);

	if (got != (int)n)
		fail_msg("'%s': %d fields (%s), expected %zu", text, got,
			 problem ? problem : "ok", n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(f[i].text, want[i] + 1);
		assert_int_equal(f[i].len, strlen(want[i] + 1));
		assert_int_equal(f[i].quoted, want[i][0] == '"');
	}
	free(copy);
}

/* Of what is expected, the first character says quoted (") or plain (.). */
#define FIELDS_ARE(text, ...)                                            \
	fields_are((text),                                               \
		   T_ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })), \
		   (const char *const[]){ __VA_ARGS__ })

static void fields(void **state)
{
	(void)state;
	fields_are("", 0, NULL);
	fields_are(" \t ", 0, NULL);
	fields_are("# all of it \" is comment", 0, NULL);
	FIELDS_ARE("a", ".a");
	FIELDS_ARE("\ta  b\tc ", ".a", ".b", ".c");
	FIELDS_ARE("a #b", ".a");
	FIELDS_ARE("a#b", ".a#b");
	FIELDS_ARE("\"\"", "\"");
	FIELDS_ARE("\"a b\" c", "\"a b", ".c");
	FIELDS_ARE("\"#\"", "\"#");
	FIELDS_ARE("\"\\\\ \\\" \\n \\t\"", "\"\\ \" \n \t");
	FIELDS_ARE("x \"\\\"\" y", ".x", "\"\"", ".y");
	FIELDS_ARE("\xff\xc3\xa9", ".\xff\xc3\xa9");
}

static void no_fields(const char *text, size_t len)
{
	struct field f[BATCH_FIELDS];
	const char *problem;
	char *copy;

	if (split(text, len, f, &problem, &copy) >= 0)
		fail_msg("'%s' was taken", text);
	assert_non_null(problem);
	free(copy);
}

static void fields_refused(void **state)
{
	static const char *const bad[] = {
		"\"",	  "a \"b",  "\"\\", "\"\\\"",	  "\"\\x\"",
		"\"a\"b", "a\"b\"", "a\"",  "\"a\"\"b\"", "\"a\"#",
		"\r",	  "a\x01",  "\x7f", "\"\x1b\"",	  "# \x01",
	};

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++)
		no_fields(bad[i], strlen(bad[i]));
	no_fields("a\0b", 3);
}

static void limits(void **state)
{
	static const char words[] = "a a a a a a a a a a a a a a a a "
				    "a a a a a a a a a a a a a a a a a";
	static char text[BATCH_LINE];
	struct field f[BATCH_FIELDS];
	const char *problem;
	char *copy;

	(void)state;
	no_fields(words, strlen(words));
	assert_int_equal(split(words, strlen(words) - 2, f, &problem, &copy),
			 BATCH_FIELDS);
	free(copy);
	memset(text, 'x', sizeof(text));
	no_fields(text, BATCH_LINE);
	assert_int_equal(split(text, BATCH_LINE - 1, f, &problem, &copy), 1);
	assert_int_equal(f[0].len, BATCH_LINE - 1);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(carriage_returns),
		cmocka_unit_test(marks),
		cmocka_unit_test(fields),
		cmocka_unit_test(fields_refused),
		cmocka_unit_test(limits),
	};

	return t_main(tests);
}
