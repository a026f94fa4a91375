// SPDX-License-Identifier: MIT
/* What a case that takes signals leaves of the process's own timer. */
#include <signal.h>
#include <sys/time.h>

#include "case.h"
#include "t.h"

static volatile sig_atomic_t mine;

static void on_mine(int sig)
{
	(void)sig;
	mine++;
}

static void take_signals(void)
{
	struct c_alarm was;
	sigset_t mask;

	c_alarm(&was, 1000, 1000);
	(void)sigemptyset(&mask);
	(void)sigsuspend(&mask);
	c_alarm_end(&was);
}

static void the_timer_of_the_process_runs_on(void **state)
{
	const struct itimerval hour = { { 60, 0 }, { 3600, 0 } };
	const struct itimerval none = { { 0, 0 }, { 0, 0 } };
	const struct sigaction act = { .sa_handler = on_mine };
	struct itimerval timer;
	struct sigaction now;
	sigset_t alarms, mask;

	(void)state;
	(void)sigemptyset(&alarms);
	(void)sigaddset(&alarms, SIGALRM);
	assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &hour, NULL), 0);
	for (int blocked = 0; blocked < 2; blocked++) {
		assert_int_equal(sigprocmask(blocked ? SIG_BLOCK : SIG_UNBLOCK,
					     &alarms, NULL),
				 0);
		take_signals();
		assert_int_equal(getitimer(ITIMER_REAL, &timer), 0);
		assert_true(timer.it_value.tv_sec > 1800);
		assert_int_equal(timer.it_interval.tv_sec, 60);
		assert_int_equal(sigaction(SIGALRM, NULL, &now), 0);
		assert_ptr_equal(now.sa_handler, on_mine);
		assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
		assert_int_equal(sigismember(&mask, SIGALRM), blocked);
	}
	assert_int_equal(mine, 0);
	assert_int_equal(setitimer(ITIMER_REAL, &none, NULL), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_timer_of_the_process_runs_on),
	};

	return t_main(tests);
}
