/* SPDX-License-Identifier: MIT */
/* What the benchmarks share. */
#ifndef GMEM_TESTS_BENCH_H
#define GMEM_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>

/* Nanoseconds of the monotonic clock. */
double bench_now(void);

/* The median of @v, which is sorted by it. */
double bench_median(double *v, size_t n);

/* "ok" if @value is at most @target, else "MISSED", which is counted. */
const char *bench_at_most(double value, double target);

/* Prints how many targets were missed. */
void bench_end(void);

#endif
