/* SPDX-License-Identifier: MIT */
#ifndef TESTS_CLI_STUCK_H
#define TESTS_CLI_STUCK_H

/*
 * Makes this process one into whose memory nobody can look, until its standard
 * input ends.  Does not return.
 */
_Noreturn void stuck(void);

#endif
