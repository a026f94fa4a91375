/* SPDX-License-Identifier: MIT */
/* Shared memory that a test hands in for a region, in each way that it can. */
#ifndef GMEM_TESTS_UNIT_SIDE_H
#define GMEM_TESTS_UNIT_SIDE_H

#include <gmem_region.h>

#include "unit.h"

#define SIDE_BEFORE SIDE_HUGE /* in the file */
#define SIDE_HUGE (16 * PAGE) /* pages that a memfd is said to have */

enum side_way {
	SIDE_OWN, /* nothing is handed in */
	SIDE_ANON,
	SIDE_SHARED_ANON,
	SIDE_MEMFD,
	SIDE_MEMFD_NO_FD,
	SIDE_FD_ALONE,
	SIDE_HUGETLB,
	SIDE_WAYS
};

struct side {
	enum side_way way;
	int fd;
	unsigned char *mem; /* NULL: the region maps it */
	uint64_t size;
	struct gmem_region_opts o;
	struct gmem__stat st;
};

int side_memfd(uint64_t size);
/* @size bytes, where one of its huge pages would begin. */
void *side_map(uint64_t size, int flags, int fd, uint64_t offset);
/* Makes memory of @size bytes, and options for gmem_region_create(). */
void side_make(struct side *s, enum side_way way, uint64_t size);
/* From here to side_told() the file of SIDE_HUGETLB is one of huge pages. */
void side_tell(struct unit *u, struct side *s);
void side_told(struct unit *u);
/* Unmaps and closes it. */
void side_end(struct side *s);

#endif
