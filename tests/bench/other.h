/* SPDX-License-Identifier: MIT */
/*
 * Other ways to keep a record: a flat bitmap, as VMMs have it, and a sorted
 * array of runs.  Both know only private and shared.
 */
#ifndef GMEM_TESTS_BENCH_OTHER_H
#define GMEM_TESTS_BENCH_OTHER_H

#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define PAGE_SHIFT 12

struct flat {
	uint64_t *words; /* a bit a page: 1 = private */
};

struct sorted {
	struct {
		uint64_t start;
		uint64_t state;
	} * runs; /* and one that starts at the end of the file */
	size_t n;
};

enum gmem__state flat_get(const struct flat *f, uint64_t offset);
enum gmem__state flat_run(const struct flat *f, uint64_t offset, uint64_t len,
			  uint64_t *run);
enum gmem__state sorted_get(const struct sorted *s, uint64_t offset);
enum gmem__state sorted_run(const struct sorted *s, uint64_t offset,
			    uint64_t len, uint64_t *run);

#endif
