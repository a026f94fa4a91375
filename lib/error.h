/* SPDX-License-Identifier: MIT */
/* What a call says of its failure. */
#ifndef GMEM_LIB_ERROR_H
#define GMEM_LIB_ERROR_H

#include <gmem.h>

#include "macros.h"

/*
 * Clears @err, what a newer caller has beyond this library's struct too;
 * -EINVAL if its .sz was never set.
 */
GMEM__SEAM int gmem__begin(struct gmem_error *err);
/* Fills @err and returns -errno of @reason, so that callers return it. */
GMEM__SEAM __attribute__((format(printf, 5, 6))) int
gmem__fail(struct gmem_error *err, enum gmem_reason reason, uint64_t value,
	   uint64_t limit, const char *fmt, ...);
/* The same for @sys, the -errno of a system call; @code 0 returns that. */
GMEM__SEAM __attribute__((format(printf, 7, 8))) int
gmem__fail_sys(struct gmem_error *err, enum gmem_reason reason, int code,
	       int sys, uint64_t value, uint64_t limit, const char *fmt, ...);
/* Marks the reason of gmem__fail*() as worked out after the kernel refused. */
int gmem__diagnosed(struct gmem_error *err, int code);
void gmem__set_done(struct gmem_error *err, uint64_t done);
/* mmap(2) was refused: what mlockall(2) counts has a reason of its own. */
int gmem__fail_map(struct gmem_error *err, int sys, uint64_t len,
		   const char *what);
/* Adds that the slot of the failed call could not be deleted either. */
void gmem__stuck_too(struct gmem_error *err, uint32_t slot, int sys);
/* The same of a slot that was deleted and could not be made again. */
void gmem__unmade_too(struct gmem_error *err, uint32_t slot, int sys);
/* The same of addresses that could not be reserved again. */
void gmem__owed_too(struct gmem_error *err, uint64_t addr, int sys);
/* The caller wished to stop, and @done bytes were done. */
int gmem__fail_cancelled(uint64_t done, struct gmem_error *err);
/* A failed system call that no rule explains: memory, fds, rights, dead VM. */
int gmem__fail_call(struct gmem_error *err, int sys, const char *what);

/* reason.c */
int gmem__reason_code(uint32_t reason);

#endif
