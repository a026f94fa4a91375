// SPDX-License-Identifier: MIT
/* The bar of a long command: when there is one, and what it says. */
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "printed.h"
#include "report/progress.h"
#include "t.h"

#define MIB (1ULL << 20)

static bool terminal;
static int64_t now; /* milliseconds */

/* In place of the C library's. */

int isatty(int fd)
{
	return fd == STDERR_FILENO && terminal;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	(void)clock;
	*out = (struct timespec){ .tv_sec = now / 1000,
				  .tv_nsec = now % 1000 * 1000000 };
	return 0;
}

static int setup(void **state)
{
	(void)state;
	terminal = true;
	now = 900;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	printed_drop();
	return 0;
}

/* What is said when so much is done at @at. */
static void shows(struct progress *p, int64_t at, uint64_t done, uint64_t total,
		  const char *want)
{
	now = at;
	printed_begin(stderr);
	if (total)
		assert_int_equal(progress_show(p, done, total), 0);
	else
		progress_end(p);
	assert_string_equal(printed(), want);
}

#define NONE "                                        "
#define HALF "####################                    "
#define FULL "########################################"

static void after_a_second_and_then_every_tenth(void **state)
{
	struct progress p;

	(void)state;
	progress_start(&p, "load");
	shows(&p, 1899, 5 * MIB, 10 * MIB, "");
	shows(&p, 1900, 5 * MIB, 10 * MIB, "\rload [" HALF "] 5M of 10M ");
	shows(&p, 1999, 6 * MIB, 10 * MIB, "");
	shows(&p, 2000, 0, 10 * MIB, "\rload [" NONE "] 0 of 10M ");
	/* the text is of whole megabytes, the bar is not */
	shows(&p, 2100, 10 * MIB - 1, 10 * MIB,
	      "\rload [####################################### ] 9M of 10M ");
	shows(&p, 2200, 10 * MIB, 10 * MIB, "\rload [" FULL "] 10M of 10M ");
	/* what is done may be more than was expected */
	shows(&p, 2300, 20 * MIB, 10 * MIB, "\rload [" FULL "] 20M of 10M ");
}

static void it_goes_without_a_trace(void **state)
{
	struct progress p;

	(void)state;
	progress_start(&p, "x");
	shows(&p, 3000, 0, 0, "");
	shows(&p, 3000, 0, MIB, "\rx [" NONE "] 0 of 1M ");
	/* 53 columns were written, and something may be typed there */
	shows(&p, 3000, 0, 0,
	      "\r                                                             "
	      "\r");
	shows(&p, 3000, 0, 0, "");
}

static void only_on_a_terminal(void **state)
{
	struct progress p;

	(void)state;
	terminal = false;
	progress_start(&p, "x");
	shows(&p, 10000, MIB, 2 * MIB, "");
	shows(&p, 10000, 0, 0, "");
}

static void time_goes_by(void **state)
{
	const struct timespec from = { .tv_sec = 10, .tv_nsec = 999000000 };

	(void)state;
	now = 10999;
	assert_int_equal(ms_since(&from), 0);
	now = 11000;
	assert_int_equal(ms_since(&from), 1);
	now = 70999;
	assert_int_equal(ms_since(&from), 60000);
}

static void signals_cancel(void **state)
{
	const int *cancel = cancel_on_signals();

	(void)state;
	assert_int_equal(*cancel, 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(*cancel, 1);
	assert_int_equal(raise(SIGINT), 0);
	assert_int_equal(*cancel, 1);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(after_a_second_and_then_every_tenth),
		TEST(it_goes_without_a_trace),
		TEST(only_on_a_terminal),
		TEST(time_goes_by),
		TEST(signals_cancel),
	};

	return t_main(tests);
}
