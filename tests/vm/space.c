// SPDX-License-Identifier: MIT
/* How much is allocated, where the kernel has no cachestat(2). */
#include <fcntl.h>
#include <sys/mman.h>

#include "live.h"

#define PAGES 16

static void start(struct live *l, uint32_t type, uint64_t flags)
{
	if (live_has("residency"))
		t_skip("no-cachestat", "this kernel has cachestat(2)");
	live_vm(l, type);
	live_file(l, PAGES, flags);
	assert_int_equal(
		gmem_vm_features(l->vm, GMEM_FEATURE_RESIDENCY, NULL, NULL),
		GMEM_NO);
}

static void what_was_touched_is_a_lower_bound(void **state)
{
	struct gmem_residency r = { .sz = sizeof(r) };
	struct live *l = *state;
	volatile unsigned char *map;

	live_need("init-shared");
	start(l, GMEM_VM_DEFAULT, LIVE_SHARED);
	/* allocated, but only one of them touched */
	assert_int_equal(
		fallocate(gmem_fd(l->g), FALLOC_FL_KEEP_SIZE, 0, 4 * l->page),
		0);
	map = raw_map(l, gmem_fd(l->g), PAGES * l->page, PROT_READ);
	(void)map[l->page];
	live_ok(l, gmem_resident(l->g, 0, PAGES * l->page, &r, &l->err));
	assert_int_equal(r.bytes, l->page);
	assert_int_equal(r.flags, GMEM_RESIDENT_LOWER_BOUND);
}

static void of_an_unmappable_file_nothing_is_known(void **state)
{
	struct gmem_residency r = { .sz = sizeof(r) };
	struct live *l = *state;

	live_need("private-memory");
	start(l, GMEM_VM_SW_PROTECTED, 0);
	t_refused(gmem_resident(l->g, 0, PAGES * l->page, &r, &l->err),
		  -EOPNOTSUPP, GMEM_REASON_RESIDENCY_UNKNOWN, l->err);
}

int main(void)
{
	const struct CMUnitTest space[] = {
		live_test(what_was_touched_is_a_lower_bound),
		live_test(of_an_unmappable_file_nothing_is_known),
	};

	return t_main(space);
}
