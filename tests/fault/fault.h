/* SPDX-License-Identifier: MIT */
/*
 * Runs a scenario once to count its system calls and allocations, then again
 * for each of them with that one failing, and after each failure checks that
 *
 * - the error is the first one, with a reason, and *out is untouched;
 * - descriptors, mappings and memory are as before;
 * - the record and the slot table say what the kernel has;
 * - the same thing works when tried again, and destroying the VM leaves
 *   nothing behind;
 * - each system call is listed for seccomp filters.
 */
#ifndef GMEM_TESTS_FAULT_H
#define GMEM_TESTS_FAULT_H

#include "unit.h"

/* What a scenario works on. */
struct fault {
	struct unit u;
	struct gmem *g;
	uint64_t gpa; /* where @g is bound, if it is */
	int fd;	      /* made by the test, borrowed or given away */
	bool touched; /* run() saw its *out change on failure */
	size_t len;
	unsigned char buf[4096];
};

struct scenario {
	void (*profile)(struct fake *f);
	/* Makes what run() needs; never fails. */
	void (*prepare)(struct fault *t);
	/* The call under test. */
	int (*run)(struct fault *t, struct gmem_error *err);
	/* Back to what prepare() left, after run() worked; NULL = nothing. */
	void (*undo)(struct fault *t);
	/* What must work after run() failed; NULL = run() itself. */
	int (*again)(struct fault *t, struct gmem_error *err);
	const char *caller; /* in gmem_syscall_info() */
	uint32_t type;	    /* of the VM; prepare() makes it if 0 */
	unsigned int views; /* mappings that a file may keep for later */
};

/* Every single failure, and from the k-th call on all of them. */
void fault_run(const struct scenario *s);

/* Profiles as one function each. */
void fault_sw(struct fake *f);

/* The file of most scenarios: 64 KiB, private; or shared. */
void fault_private(struct fault *t);
void fault_shared(struct fault *t);
/* The private one bound as slot 0 at 1 GiB. */
void fault_bound(struct fault *t);

#endif
