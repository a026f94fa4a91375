// SPDX-License-Identifier: MIT
/* What gmemctl says of errors, and how it breaks lines. */
#include "printed.h"
#include "report/error.h"
#include "report/output.h"
#include "t.h"

static int drop(void **state)
{
	(void)state;
	printed_drop();
	return 0;
}

static void remedies_of_errnos(void **state)
{
	(void)state;
	assert_string_equal(errno_remedy(EMFILE),
			    reason_remedy(GMEM_REASON_FD_LIMIT));
	assert_string_equal(errno_remedy(ENFILE),
			    reason_remedy(GMEM_REASON_FD_LIMIT));
	assert_string_equal(errno_remedy(ENOMEM),
			    reason_remedy(GMEM_REASON_NO_MEMORY));
	assert_string_equal(errno_remedy(EAGAIN),
			    reason_remedy(GMEM_REASON_THREADS));
	assert_string_equal(errno_remedy(ENOENT), "check the name");
	assert_string_equal(errno_remedy(EIO), "");
	assert_string_equal(errno_name(EIO), "EIO");
	assert_string_equal(errno_name(4095), "EOTHER");
}

static void remedies_of_reasons(void **state)
{
	struct gmem_error err = { .sz = sizeof(err) };
	char text[300];

	(void)state;
	/* past the last one there is what the library says of any */
	assert_string_equal(reason_remedy(100000), gmem_reason_remedy(100000));
	(void)refuse(&err, -EINVAL, GMEM_REASON_LOCK_LIMIT, "it is %d", 5);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.msg, "it is 5");
	assert_string_equal(err.remedy, "raise RLIMIT_MEMLOCK (ulimit -l)");
	/* the library's words are replaced, another caller's are not */
	err.remedy = gmem_reason_remedy(GMEM_REASON_LOCK_LIMIT);
	assert_string_equal(error_remedy(&err),
			    "raise RLIMIT_MEMLOCK (ulimit -l)");
	error_text(&err, text, sizeof(text));
	assert_non_null(strstr(text, "raise RLIMIT_MEMLOCK (ulimit -l)"));
	err.remedy = "do that";
	assert_string_equal(error_remedy(&err), "do that");
}

static void statuses(void **state)
{
	struct gmem_error err = { .sz = sizeof(err), .code = -EPERM };

	(void)state;
	assert_int_equal(exit_of(&err), CTL_FAILED);
	err.reason = GMEM_REASON_DEVICE_ACCESS;
	assert_int_equal(exit_of(&err), CTL_ACCESS);
	err.reason = GMEM_REASON_ACCESS_DENIED;
	assert_int_equal(exit_of(&err), CTL_ACCESS);
	err.reason = GMEM_REASON_NO_DEVICE;
	assert_int_equal(exit_of(&err), CTL_UNSUPPORTED);
	err.reason = GMEM_REASON_NONE;
	err.code = -EOPNOTSUPP;
	assert_int_equal(exit_of(&err), CTL_UNSUPPORTED);
}

static void names(uint64_t flags, const char *want)
{
	printed_begin(stdout);
	print_names(GMEM_NAME_CREATE_FLAG, flags);
	assert_string_equal(printed(), want);
}

static void names_of_flags(void **state)
{
	(void)state;
	names(0, "");
	names(GMEM_CREATE_MMAP, " mmap");
	names(GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED | 1ULL << 63,
	      " mmap init-shared");
}

static void wrapped(const char *text, size_t column, const char *want)
{
	printed_begin(stdout);
	put_wrapped(text, column, "  ");
	assert_string_equal(printed(), want);
}

#define TEN "123456789 "
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

static void lines_are_broken(void **state)
{
	(void)state;
	wrapped("a b", 0, "a b\n");
	/* 79 columns fit, 80 do not */
	wrapped(SEVENTY "123456789", 0, SEVENTY "123456789\n");
	wrapped(SEVENTY "1234567890", 0,
		TEN TEN TEN TEN TEN TEN "123456789\n  1234567890\n");
	wrapped(SEVENTY "123456789", 1,
		TEN TEN TEN TEN TEN TEN "123456789\n  123456789\n");
	/* the margin counts */
	wrapped("x " SEVENTY "1234567 890", 0,
		"x " TEN TEN TEN TEN TEN TEN "123456789 1234567\n  890\n");
	/* what is longer than a line is on one of its own */
	wrapped("a " SEVENTY "[" SEVENTY "b]", 70,
		"a\n  " TEN TEN TEN TEN TEN TEN "123456789\n  [" SEVENTY
		"b]\n");
	/* nothing inside of brackets is broken */
	wrapped("[a [b] c] d", 75, "[a [b] c]\n  d\n");
	wrapped("a [b c]", 75, "a\n  [b c]\n");
}

#define TEST(name) cmocka_unit_test_teardown(name, drop)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(remedies_of_errnos),
		cmocka_unit_test(remedies_of_reasons),
		cmocka_unit_test(statuses),
		TEST(names_of_flags),
		TEST(lines_are_broken),
	};

	return t_main(tests);
}
