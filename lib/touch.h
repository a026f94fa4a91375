/* SPDX-License-Identifier: MIT */
/* Touching guest memory, and what it means when the kernel says EFAULT. */
#ifndef GMEM_LIB_TOUCH_H
#define GMEM_LIB_TOUCH_H

#include <stdint.h>

#include <gmem.h>

#include "ctx.h"

#ifndef MADV_POPULATE_READ /* 5.14 */
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

struct gmem__window;

/*
 * How many bytes at @addr MADV_POPULATE_READ or _WRITE takes, found page by
 * page; then *@sys is why it stopped there.
 */
uint64_t gmem__populate_prefix(const struct gmem__ctx *ctx, void *addr,
			       uint64_t len, int advice, int *sys);
/*
 * A system call said EFAULT to touching @len bytes at @at, which is in @w:
 * fills @err and returns what it was, or 0 if all of it can be touched.
 */
int gmem__why_fault(const struct gmem *g, const struct gmem__window *w,
		    uint64_t at, uint64_t len, struct gmem_error *err);
/* The page at @at could not be touched: @what said @sys. */
int gmem__touch_failed(int sys, uint64_t at, const char *what,
		       struct gmem_error *err);

#endif
