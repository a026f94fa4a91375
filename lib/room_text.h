/* SPDX-License-Identifier: MIT */
/*
 * What files of /proc and /sys say about memory, line by line.  Pure; nothing
 * of the text is trusted.
 */
#ifndef GMEM_LIB_ROOM_TEXT_H
#define GMEM_LIB_ROOM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GMEM__NODES 1024 /* the most that a kernel can have */
#define GMEM__LONG_BITS (8 * sizeof(unsigned long))
#define GMEM__WORDS(bits) (((bits) + GMEM__LONG_BITS - 1) / GMEM__LONG_BITS)

static inline void gmem__bit_set(unsigned long *set, uint64_t bit)
{
	set[bit / GMEM__LONG_BITS] |= 1UL << bit % GMEM__LONG_BITS;
}

static inline bool gmem__bit(const unsigned long *set, uint64_t bit)
{
	return set[bit / GMEM__LONG_BITS] >> bit % GMEM__LONG_BITS & 1;
}

/* What does not fit is UINT64_MAX. */
static inline uint64_t gmem__add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* A line of /proc/self/cgroup. */
enum gmem__cgroup {
	GMEM__CGROUP_OTHER,
	GMEM__CGROUP_V1, /* of the memory controller */
	GMEM__CGROUP_V2, /* with its path in *@path */
};

enum gmem__cgroup gmem__cgroup_line(const char *line, const char **path);

/* The only line of memory.max and the like; "max" is UINT64_MAX. */
bool gmem__number_line(const char *line, uint64_t *out);

/* What lines with some names add up to, and how many had one of them. */
struct gmem__sum {
	uint64_t bytes;
	unsigned int found;
};

/* memory.stat: three lines of what the kernel can reclaim. */
#define GMEM__STAT_LINES 3
void gmem__stat_line(const char *line, struct gmem__sum *sum);
/* meminfo, a node's or all: four of what is free or can be reclaimed. */
#define GMEM__MEMINFO_LINES 4
void gmem__meminfo_line(const char *line, struct gmem__sum *sum);

#define GMEM__ZONES 8 /* the most that a node has */

struct gmem__zone {
	uint64_t free, file, cma, low, managed;
	uint64_t protection[GMEM__ZONES];
	bool movable; /* not for guest memory */
};

/*
 * /proc/zoneinfo: the pages of each node that are free or can be reclaimed and
 * still are not for guest memory: what each zone keeps for more urgent needs,
 * and zones and areas of movable pages.
 */
struct gmem__zones {
	uint64_t held[GMEM__NODES];
	unsigned long memory[GMEM__WORDS(GMEM__NODES)]; /* nodes with some */
	uint64_t cpus;
	/* of the node that is being read */
	bool any;
	uint64_t node;
	unsigned int n, normal;
	struct gmem__zone zone[GMEM__ZONES];
};

void gmem__zone_line(struct gmem__zones *z, const char *line);
void gmem__zone_end(struct gmem__zones *z);

/* A node's cpulist, "0-3,8"; numbers of @bits and more are left out. */
bool gmem__cpu_line(const char *line, unsigned long *set, uint64_t bits);

#endif
