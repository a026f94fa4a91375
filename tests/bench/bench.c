// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"

static unsigned int targets, missed;

double bench_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

const char *bench_at_most(double value, double target)
{
	/* What is printed has two decimals. */
	bool ok = value < target + 0.005;

	targets++;
	missed += !ok;
	return ok ? "ok" : "MISSED";
}

void bench_end(void)
{
	printf("\n%u of %u targets met\n", targets - missed, targets);
}
