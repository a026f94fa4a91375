// SPDX-License-Identifier: MIT
/*
 * Counting what is allocated where the kernel has no cachestat(2); and a page
 * with a memory error, only in this test, since the machine loses that page.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "live.h"

#define PAGES 16

static void start(struct live *l, uint32_t type, uint64_t flags)
{
	if (live_has("residency"))
		t_skip("no-cachestat", "this kernel has cachestat(2)");
	live_vm(l, type);
	live_file(l, PAGES, flags);
	assert_int_equal(t_support(l->vm, GMEM_FEATURE_RESIDENCY), GMEM_NO);
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

#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif

#define BAD 5

static void ignore(int sig)
{
	(void)sig;
}

/* A touch raises SIGBUS, a system call gives EFAULT. */
static void a_memory_error_is_not_taken_for_a_private_page(void **state)
{
	struct live *l = *state;
	struct gmem_populate_opts o = { .sz = sizeof(o) };
	unsigned char *map, *buf;

	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, PAGES, LIVE_SHARED);
	map = raw_map(l, gmem_fd(l->g), PAGES * l->page,
		      PROT_READ | PROT_WRITE);
	buf = live_memory(l, PAGES * l->page, 0);
	map[BAD * l->page] = 1;
	/* Processes that map it get SIGBUS.  EBUSY: it has the error. */
	(void)signal(SIGBUS, ignore);
	if (madvise(map + BAD * l->page, l->page, MADV_HWPOISON) < 0 &&
	    errno != EBUSY)
		t_skip("memory-failure", "MADV_HWPOISON: %s", strerror(errno));
	t_refused(gmem_read(l->g, 0, buf, PAGES * l->page, &l->err), -EHWPOISON,
		  GMEM_REASON_POISONED, l->err);
	assert_int_equal(l->err.value, BAD * l->page);
	assert_int_equal(l->err.done, BAD * l->page);
	t_refused(gmem_write(l->g, l->page, buf, PAGES * l->page / 2, &l->err),
		  -EHWPOISON, GMEM_REASON_POISONED, l->err);
	assert_int_equal(l->err.done, (BAD - 1) * l->page);
	t_refused(gmem_populate(l->g, 0, PAGES * l->page, &o, &l->err),
		  -EHWPOISON, GMEM_REASON_POISONED, l->err);
	assert_int_equal(l->err.done, BAD * l->page);
	/* A freed page is not used again; the next touch gets another one. */
	live_ok(l, gmem_discard(l->g, BAD * l->page, l->page, NULL, &l->err));
	live_ok(l, gmem_read(l->g, 0, buf, PAGES * l->page, &l->err));
	assert_int_equal(buf[BAD * l->page], 0);
}

int main(void)
{
	const struct CMUnitTest space[] = {
		live_test(what_was_touched_is_a_lower_bound),
		live_test(of_an_unmappable_file_nothing_is_known),
		live_test(a_memory_error_is_not_taken_for_a_private_page),
	};

	return t_main(space);
}
