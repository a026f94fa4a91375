// SPDX-License-Identifier: MIT
/* Words to values: what is taken, what is refused, and that nothing else. */
#include <stdbool.h>

#include "report/words.h"
#include "t.h"

#define UNTOUCHED 0x5a5a5a5a5a5a5a5aULL

static void size_is(const char *s, uint64_t want)
{
	uint64_t v = UNTOUCHED;
	const char *problem = parse_size(s, &v);

	if (problem || v != want)
		fail_msg("'%s' gave %llx (%s), expected %llx", s,
			 (unsigned long long)v, problem ? problem : "ok",
			 (unsigned long long)want);
}

static void no_size(const char *s)
{
	uint64_t v = UNTOUCHED;

	if (!parse_size(s, &v))
		fail_msg("'%s' was taken as %llx", s, (unsigned long long)v);
	assert_true(v == UNTOUCHED);
}

static void sizes(void **state)
{
	(void)state;
	size_is("0", 0);
	size_is("4096", 4096);
	size_is("010", 10);
	size_is("0x1000", 0x1000);
	size_is("0XaBcDeF", 0xabcdef);
	size_is("4K", 4096);
	size_is("4k", 4096);
	size_is("4Ki", 4096);
	size_is("4KiB", 4096);
	size_is("2M", 2ULL << 20);
	size_is("1g", 1ULL << 30);
	size_is("1TiB", 1ULL << 40);
	size_is("3P", 3ULL << 50);
	size_is("15E", 15ULL << 60);
	size_is("0E", 0);
	size_is("18446744073709551615", UINT64_MAX);
	size_is("0xffffffffffffffff", UINT64_MAX);
	size_is("18014398509481983K", UINT64_MAX - 1023);
}

static void sizes_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"K",
		" 1",
		"1 ",
		"1 K",
		"+1",
		"-1",
		"1.5K",
		"1e3",
		"1KB",
		"1kib ",
		"1kib",
		"2mi",
		"2miB",
		"1gi",
		"1KIB",
		"1KI",
		"1KiBB",
		"1Kb",
		"1B",
		"1i",
		"1iB",
		"0x",
		"x10",
		"0x1K",
		"0xg",
		"1,000",
		"1_000",
		"16E",
		"99999999999999999999",
		"0x10000000000000000",
		"18446744073709551616",
		"18014398509481984K",
		"1\xc3\xa9",
		"\xd9\xa1",
		"1\n",
		"1Z",
		"1@",
		"1[",
		"1{",
		"1`",
	};

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++)
		no_size(bad[i]);
}

/* Each text of a size reads back as the size. */
static void size_text_round_trip(void **state)
{
	char text[SIZE_TEXT];

	(void)state;
	for (unsigned int i = 0; i < 64; i++) {
		for (uint64_t d = 0; d < 3; d++) {
			uint64_t v = (1ULL << i) + d - 1;

			size_is(size_text(v, text), v);
		}
	}
	assert_string_equal(size_text(0, text), "0");
	assert_string_equal(size_text(1023, text), "1023");
	assert_string_equal(size_text(2ULL << 20, text), "2M");
	assert_string_equal(size_text(4097, text), "4097");
	assert_string_equal(size_text(1ULL << 60, text), "1E");
	assert_string_equal(size_text(UINT64_MAX, text),
			    "18446744073709551615");
}

static void numbers(void **state)
{
	static const char *const bad[] = { "",		 "1K",		"-1",
					   "4294967296", "0x100000000", "1 ",
					   "a" };
	uint32_t v = 7;

	(void)state;
	assert_null(parse_u32("4294967295", &v));
	assert_int_equal(v, UINT32_MAX);
	assert_null(parse_u32("0x10", &v));
	assert_int_equal(v, 16);
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		assert_non_null(parse_u32(bad[i], &v));
		assert_int_equal(v, 16);
	}
}

static void slot_specs(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		"1:2:3",
		"1:2:3:4:5",
		"1:2:3:4:",
		":1:2:3:4",
		"1::3:4",
		"1K:2:3:4",
		"1:2:3:x",
		"1:2:3: 4",
		"4294967296:2:3:4",
		"1:2:3:000000000000000000000000000000000000004",
	};
	struct slot_spec s = { .slot = 9 };

	(void)state;
	assert_null(parse_slot_spec("1:0x2000:3M:4GiB", &s));
	assert_int_equal(s.slot, 1);
	assert_int_equal(s.gpa, 0x2000);
	assert_int_equal(s.offset, 3 << 20);
	assert_int_equal(s.len, 4ULL << 30);
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		if (!parse_slot_spec(bad[i], &s))
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(s.slot, 1);
		assert_int_equal(s.gpa, 0x2000);
	}
}

static void names(void **state)
{
	static const char *const bad[] = {
		"",	     "1a",
		"_a",	     "-a",
		"a b",	     "a.b",
		"a/b",	     "\xc3\xa9",
		"a\xc3\xa9", "abcdefghijklmnopqrstuvwxyzabcdefg",
	};

	(void)state;
	assert_null(parse_name("a"));
	assert_null(parse_name("Z9_-z"));
	assert_null(parse_name("abcdefghijklmnopqrstuvwxyzabcdef"));
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++)
		if (!parse_name(bad[i]))
			fail_msg("'%s' was taken", bad[i]);
}

static void hex(void **state)
{
	static const char *const bad[] = { "",	 "1",  "123", "0g",
					   "zz", "0x", " 12", "12 " };
	unsigned char out[8] = { 1, 2 };
	char same[] = "00fF10";
	size_t len = 99;

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		if (!parse_hex(bad[i], out, &len))
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(len, 99);
		assert_int_equal(out[0], 1);
	}
	assert_null(parse_hex("00fF10", out, &len));
	assert_int_equal(len, 3);
	assert_memory_equal(out, "\x00\xff\x10", 3);
	assert_null(parse_hex(same, (unsigned char *)same, &len));
	assert_memory_equal(same, "\x00\xff\x10", 3);
}

/* Each character is taken where it has a meaning, and nowhere else. */
static void every_character(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
			  digits[] = "0123456789", high[] = "abcdefABCDEF",
			  units[] = "KMGTPEkmgtpe";
	unsigned char out[2];
	char text[5] = "";
	uint64_t v;
	size_t len;

	(void)state;
	for (int c = 1; c < 256; c++) {
		bool is_letter = strchr(letters, c),
		     is_digit = strchr(digits, c);
		bool is_hex = is_digit || strchr(high, c);

		text[0] = (char)c;
		text[1] = '\0';
		assert_int_equal(!parse_name(text), is_letter);
		assert_int_equal(!parse_size(text, &v), is_digit);
		text[0] = 'a';
		text[1] = (char)c;
		text[2] = '\0';
		assert_int_equal(!parse_name(text),
				 is_letter || is_digit || c == '_' || c == '-');
		text[0] = '1';
		assert_int_equal(!parse_size(text, &v),
				 is_digit || strchr(units, c));
		text[0] = '0';
		assert_int_equal(!parse_hex(text, out, &len), is_hex);
		assert_int_equal(!parse_nodes(text), is_digit);
		if (is_hex)
			assert_int_equal(out[0], strtoul(text, NULL, 16));
		text[1] = 'x';
		text[2] = (char)c;
		text[3] = '\0';
		assert_int_equal(!parse_size(text, &v), is_hex);
	}
}

static void node_sets(void **state)
{
	static const char *const good[] = {
		"0", "0-3", "0,2", "0-1,4,6-7", "all", "!0", "+0-1", "!+0",
	};
	static const char *const bad[] = {
		"",	     " ",     "0 ",
		" 0",	     "0,",    ",0",
		"0-",	     "-1",    "3-1",
		"0--1",	     "a",     "0x1",
		"all,",	     "+",     "!",
		"++0",	     "file:", "0a",
		"netdev:lo", "0-1-2", "99999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(good); i++)
		if (parse_nodes(good[i]))
			fail_msg("'%s' was refused", good[i]);
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++)
		if (!parse_nodes(bad[i]))
			fail_msg("'%s' was taken", bad[i]);
}

/* Only what a terminal shows as it is comes through, and never beyond. */
static void safe_texts(void **state)
{
	char buf[8];

	(void)state;
	assert_string_equal(safe_text("", buf, sizeof(buf)), "");
	assert_string_equal(safe_text("a b~", buf, sizeof(buf)), "a b~");
	assert_string_equal(safe_text("\n\\", buf, sizeof(buf)), "\\n\\\\");
	assert_string_equal(safe_text("\033[", buf, sizeof(buf)), "\\x1b[");
	assert_string_equal(safe_text("\x7f", buf, sizeof(buf)), "\\x7f");
	assert_string_equal(safe_text("\xff", buf, sizeof(buf)), "\\xff");
	assert_string_equal(safe_text("1234567", buf, sizeof(buf)), "1234567");
	assert_string_equal(safe_text("12345678", buf, sizeof(buf)), "1234567");
	assert_string_equal(safe_text("1234\t", buf, sizeof(buf)), "1234");
}

static void guess_is(const char *word, const char *text)
{
	static const char *const words[] = { "probe", "ps", "populate", "map" };
	struct guess g = { .word = word, .len = strlen(word) };
	char buf[GUESS_TEXT];

	for (size_t i = 0; i < T_ARRAY_SIZE(words); i++)
		guess_try(&g, words[i]);
	assert_string_equal(guess_text(&g, buf), text);
}

/* Only what is near, and the nearest. */
static void guesses(void **state)
{
	char longer[100];

	(void)state;
	guess_is("prob", "; did you mean probe?");
	guess_is("probes", "; did you mean probe?");
	guess_is("rpobe", "; did you mean probe?");
	guess_is("poplate", "; did you mean populate?");
	guess_is("nap", "; did you mean map?");
	guess_is("p", "; did you mean ps?");
	guess_is("", "");
	guess_is("stat", "");
	guess_is("pxyz", "");
	memset(longer, 'p', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	guess_is(longer, "");
}

static void distance_is(const char *word, const char *candidate, size_t want)
{
	struct guess g = { .word = word, .len = strlen(word) };

	guess_try(&g, candidate);
	if (want == SIZE_MAX && !g.best)
		return;
	if (!g.best || g.distance != want)
		fail_msg("from %s to %s: %zu", word, candidate,
			 g.best ? g.distance : SIZE_MAX);
}

/* What is put, taken, changed or swapped counts once, wherever it is. */
static void distances(void **state)
{
	const char *long_word = "abcdefghijabcdefghijabcdefghijabcdefghij";

	(void)state;
	distance_is("abcdef", "abcdef", 0);
	distance_is("xabcdef", "abcdef", 1);
	distance_is("abcdefx", "abcdef", 1);
	distance_is("bcdef", "abcdef", 1);
	distance_is("abcde", "abcdef", 1);
	distance_is("abxdef", "abcdef", 1);
	distance_is("bacdef", "abcdef", 1);
	distance_is("abcdfe", "abcdef", 1);
	distance_is("abdcef", "abcdef", 1);
	distance_is("bacdfe", "abcdef", 2);
	distance_is("badcef", "abcdef", 2);
	distance_is("xabcdey", "abcdef", 2);
	distance_is("cabdef", "abcdef", 2);
	distance_is("", "ab", SIZE_MAX);
	/* one in three may differ */
	distance_is("aXc", "abc", 1);
	distance_is("axx", "abc", SIZE_MAX);
	distance_is("xycdef", "abcdef", 2);
	distance_is("xyzdef", "abcdef", SIZE_MAX);
	distance_is("xycde", "abcde", 2);
	distance_is("xycd", "abcd", SIZE_MAX);
	distance_is("abcdefghijabcdefghijabcdefghijabcdefghi", long_word, 1);
	distance_is(long_word, long_word, 0);
	distance_is("abcdefghijabcdefghijabcdefghijabcdefghijk", long_word,
		    SIZE_MAX);
	distance_is(long_word, "abcdefghijabcdefghijabcdefghijabcdefghijk",
		    SIZE_MAX);
}

/* Of two that are as near, the first; of others the nearest. */
static void the_nearest_stays(void **state)
{
	struct guess g = { .word = "abcdef", .len = 6 };

	(void)state;
	guess_try(&g, "Xbcdef");
	guess_try(&g, "aXcdef");
	assert_string_equal(g.best, "Xbcdef");
	guess_try(&g, "abcdef");
	assert_string_equal(g.best, "abcdef");
	guess_try(&g, "abcdeX");
	assert_string_equal(g.best, "abcdef");
}

static void nodes_with_memory(void **state)
{
	static uint64_t bytes[NODES];
	char buf[NODES_TEXT];

	(void)state;
	assert_string_equal(nodes_text(bytes, buf), "");
	bytes[0] = 4096;
	assert_string_equal(nodes_text(bytes, buf), "0:4K");
	bytes[NODES - 1] = 1;
	bytes[1] = 2ULL << 20;
	assert_string_equal(nodes_text(bytes, buf), "0:4K 1:2M 1023:1");
	for (size_t i = 0; i < NODES; i++)
		bytes[i] = 1;
	(void)nodes_text(bytes, buf);
	assert_int_equal(strlen(buf), NODES_TEXT - 1);
	assert_memory_equal(buf, "0:1 1:1 2:1 3:1 ", 16);
}

/* A sentence, of which the backslashes are its own. */
static void plain_texts(void **state)
{
	char buf[16];

	(void)state;
	assert_string_equal(plain_text("a \\n", buf, sizeof(buf)), "a \\n");
	assert_string_equal(plain_text("\n\033", buf, sizeof(buf)), "\\n\\x1b");
	assert_string_equal(plain_text("\xc3\xa9", buf, sizeof(buf)),
			    "\\xc3\\xa9");
	assert_string_equal(plain_text("\xc2\x9b", buf, 8), "\\xc2");
	assert_string_equal(plain_text("\xff", buf, PLAIN_SIZE(1)), "\\xff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(sizes_refused),
		cmocka_unit_test(size_text_round_trip),
		cmocka_unit_test(numbers),
		cmocka_unit_test(slot_specs),
		cmocka_unit_test(names),
		cmocka_unit_test(hex),
		cmocka_unit_test(every_character),
		cmocka_unit_test(node_sets),
		cmocka_unit_test(safe_texts),
		cmocka_unit_test(plain_texts),
		cmocka_unit_test(guesses),
		cmocka_unit_test(distances),
		cmocka_unit_test(the_nearest_stays),
		cmocka_unit_test(nodes_with_memory),
	};

	return t_main(tests);
}
