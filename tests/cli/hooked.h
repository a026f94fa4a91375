/* SPDX-License-Identifier: MIT */
/*
 * syscall(2), by which gmemctl and the library make their calls, in place of
 * the C library's: a test or a preload answers some of them.
 */
#ifndef GMEM_TESTS_CLI_HOOKED_H
#define GMEM_TESTS_CLI_HOOKED_H

struct hooked {
	long number;
	unsigned long a[6];
};

/* The C library's. */
long hooked_pass(const struct hooked *call);

/* Makes or answers the call, as syscall(2) does; NULL: all are passed. */
extern long (*hooked_syscall)(const struct hooked *call);

#endif
