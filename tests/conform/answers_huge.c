// SPDX-License-Identifier: MIT
/* The pools of huge pages, and files that take theirs from them. */
#include <sys/mman.h>

#include <linux/falloc.h>

#include "answers.h"
#include "macros.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define MIB (1ULL << 20)
#define SIZE (8 * MIB)

static void left(uint64_t page_size)
{
	uint64_t pages = 0;

	if (gmem_model_get_pool(kernel, page_size, &pages, NULL) == 0)
		tell("pool ", pages);
}

/* Every size: those there are, and what can be added. */
static void pools(void)
{
	head("pools");
	for (uint64_t log2 = 0; log2 < 40; log2++) {
		uint64_t pages = 0;
		int r = gmem_model_get_pool(kernel, 1ULL << log2, &pages, NULL);

		say_n("", log2, r < 0 ? r : (int64_t)pages);
	}
	head("pools that were set");
	for (uint64_t log2 = 10; log2 < 40; log2++)
		say_n("", log2,
		      gmem_model_set_pool(kernel, 1ULL << log2, log2, NULL));
	say("twice", gmem_model_set_pool(kernel, 2 * MIB, 100, NULL));
	say("odd", gmem_model_set_pool(kernel, 3 * MIB, 100, NULL));
	say("none", gmem_model_set_pool(kernel, 0, 100, NULL));
	for (uint64_t log2 = 10; log2 < 40; log2++)
		left(1ULL << log2);
}

static void pages_of(int fd)
{
	uint64_t digits = 0;

	for (uint64_t at = 0; at < SIZE; at += MIB)
		digits = digits << 4 |
			 (resident(fd, at, MIB) * page / MIB & 0xf);
	tell("MiB ", digits);
	tell("of it ", resident(fd, MIB + page, 3 * page));
	tell("across ", resident(fd, 2 * MIB - page, 2 * page));
}

static const struct {
	int mode;
	uint64_t offset, len;
} steps[] = {
	{ FALLOC_FL_KEEP_SIZE, 0, 4096 },
	{ FALLOC_FL_KEEP_SIZE, 3 * MIB, 4096 },
	{ FALLOC_FL_KEEP_SIZE, 5 * MIB, 2 * MIB },
	{ FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, MIB },
	{ FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 2 * MIB },
	{ FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 3 * MIB, 4 * MIB },
	{ FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, MIB, 8 * MIB },
	{ FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 16 * MIB, 8 * MIB },
	{ FALLOC_FL_KEEP_SIZE, 4 * MIB, 4 * MIB },
};

static void steps_on(int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		say_n("step ", i,
		      sys(SYS_fallocate, (uint64_t)fd, (uint64_t)steps[i].mode,
			  steps[i].offset, steps[i].len, 0, 0));
		pages_of(fd);
	}
}

/* Pages of the host's size of it become private and shared. */
static void part_by_part(int fd)
{
	static const uint64_t parts[][2] = {
		{ 0, 4096 },	      { 2 * MIB, 2 * MIB }, { MIB, 2 * MIB },
		{ MIB, 6 * MIB },     { 0, SIZE },	    { 2 * MIB, 4096 },
		{ 4 * MIB, 4 * MIB },
	};

	head("conversion in part");
	(void)gmem_model_pin(kernel, fd, 5 * MIB, page, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (int private = 1; private >= 0; private --) {
			struct gmem__attributes2 a = {
				.offset = parts[i][0],
				.size = parts[i][1],
				.attributes =
					private ? GMEM__ATTRIBUTE_PRIVATE : 0,
			};

			say_n("", i,
			      ioc(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a));
			if (a.error_offset)
				tell("at ", (int64_t)a.error_offset);
		}
	(void)gmem_model_unpin(kernel, fd, 5 * MIB, page, NULL);
	pages_of(fd);
}

void huge_pages(int vm)
{
	static const uint64_t flags[] = {
		GMEM__RFC1_HUGETLB | 21ULL << GMEM__RFC1_SIZE_SHIFT,
		GMEM__ORDER_HUGETLB,
		GMEM__ORDER_HUGETLB | GMEM__FLAG_MMAP,
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd = (int)new_order(vm, SIZE, flags[i],
					flags[i] & 4 ? 9 : 0);
		int64_t addr;

		if (fd < 0)
			continue;
		head("in huge pages of flags");
		tell("", flags[i]);
		left(2 * MIB);
		say("fewer", gmem_model_set_pool(kernel, 2 * MIB, 3, NULL));
		say("exactly", gmem_model_set_pool(kernel, 2 * MIB, 4, NULL));
		say("no more",
		    new_order(vm, 2 * MIB, flags[i], flags[i] & 4 ? 9 : 0));
		say("five", gmem_model_set_pool(kernel, 2 * MIB, 5, NULL));
		steps_on(fd);
		part_by_part(fd);
		steps_on(fd);
		addr = sys(SYS_mmap, 0, SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED, (uint64_t)fd, 0);
		say("mmap", addr < 0 ? addr : 0);
		if (addr > 0)
			(void)sys(SYS_munmap, (uint64_t)addr, SIZE, 0, 0, 0, 0);
		(void)sys(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
		left(2 * MIB);
	}
	pools();
}
