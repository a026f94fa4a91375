// SPDX-License-Identifier: MIT
/*
 * Who watches gmemctl ps while it looks into processes: a child that hangs is
 * killed and begun again, and how it ends is how the command ends.
 */
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "cmd/ps/ps.h"
#include "report/output.h"
#include "t.h"

enum {
	FIRST = 5000001,
	LONG = 100000, /* milliseconds: who may not hang is not killed */
	NEVER = 600,   /* seconds */
};

static struct ctl ctl = { .command = "ps" };

/* What it comes to when the child does @act; the child never returns. */
static int watched(uint32_t budget, void (*act)(struct watch *w))
{
	struct watch *w = NULL;
	int r = watch_fork(&ctl, budget, &w);

	if (r == -1) {
		act(w);
		_exit(99);
	}
	return r;
}

static void ends(struct watch *w)
{
	watch_at(w, FIRST);
	_exit(watch_stuck(w, FIRST) || watch_beyond(w, FIRST) ? 98 : 3);
}

static void its_status_is_that_of_the_command(void **state)
{
	(void)state;
	assert_int_equal(watched(LONG, ends), 3);
}

static void dies(struct watch *w)
{
	(void)w;
	(void)signal(SIGALRM, SIG_DFL);
	(void)raise(SIGALRM);
}

static void a_signal_is_a_failure(void **state)
{
	(void)state;
	assert_int_equal(watched(LONG, dies), CTL_FAILED);
}

/* It hangs at one process, which the next child knows. */
static void hangs_once(struct watch *w)
{
	if (watch_stuck(w, FIRST))
		_exit(watch_stuck(w, FIRST + 1) ? 98 : 7);
	watch_at(w, FIRST);
	(void)sleep(NEVER);
}

static void a_process_that_hangs_is_left_out(void **state)
{
	(void)state;
	assert_int_equal(watched(0, hangs_once), 7);
}

/* Where it may not hang it may take its time. */
static void waits_for_nobody(struct watch *w)
{
	watch_at(w, 0);
	(void)sleep(2);
	_exit(5);
}

static void who_looks_at_nobody_is_not_killed(void **state)
{
	(void)state;
	assert_int_equal(watched(0, waits_for_nobody), 5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_status_is_that_of_the_command),
		cmocka_unit_test(a_signal_is_a_failure),
		cmocka_unit_test(a_process_that_hangs_is_left_out),
		cmocka_unit_test(who_looks_at_nobody_is_not_killed),
	};

	return t_main(tests);
}
