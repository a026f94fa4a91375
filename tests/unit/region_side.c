// SPDX-License-Identifier: MIT
/* The shared side that a region maps itself, and what is counted of it. */
#include <gmem_region.h>
#include <sys/mman.h>

#include "unit.h"

#define SHARED GMEM_ATTRIBUTE_SHARED
#define PAGES 5000u /* more than one mincore() is asked for */

static struct gmem_region *make(struct unit *u)
{
	struct gmem_region_opts o = { .sz = sizeof(o) };
	struct gmem_slot s = { .sz = sizeof(s),
			       .gpa = GiB,
			       .len = PAGES * PAGE };
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, PAGES * PAGE, &o, &r, &u->err), u->err);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	return r;
}

static void no_fork_and_no_core_has_it(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u);
	const struct unit_call *c;
	bool fork = true, dump = true;

	for (unsigned int i = 0; (c = unit_nth(u, "madvise", 0, i)); i++) {
		if (c->arg[1] != PAGES * PAGE)
			continue;
		fork &= c->arg[2] != MADV_DONTFORK;
		dump &= c->arg[2] != MADV_DONTDUMP;
	}
	assert_false(fork);
	assert_false(dump);
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
}

/* Else it could be in both. */
static void without_that_there_is_no_region(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = { .sz = sizeof(o),
				      .gmem = unit_create(u, MiB, 0) };
	unsigned int maps = unit_mappings(u), allocs = u->live_allocs;
	struct gmem_region *r = NULL;

	for (unsigned int nth = 1; nth <= 2; nth++) {
		unit_reset(u);
		unit_answer(u, "madvise", 0, nth, 1, -EINVAL);
		t_refused(gmem_region_create(u->vm, MiB, &o, &r, &u->err),
			  -EINVAL, GMEM_REASON_KERNEL, u->err);
		assert_null(r);
		assert_int_equal(unit_mappings(u), maps);
		assert_int_equal(u->live_allocs, allocs);
	}
	unit_reset(u);
	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
}

static void each_of_its_pages_is_counted_once(void **state)
{
	static const unsigned int at[] = { 0, 1, 4095, 4096, PAGES - 1 };
	struct unit *u = *state;
	struct gmem_region_residency c =
		GMEM_INIT(struct gmem_region_residency);
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);
	struct gmem_region *r = make(u);
	struct gmem_region_range all = { 0, PAGES * PAGE };

	t_ok(gmem_region_convert(r, &all, 1, SHARED, NULL, NULL, &u->err),
	     u->err);
	t_ok(gmem_region_get(r, &i, &u->err), u->err);
	/* a page at a time, where the kernel has larger ones at all */
	(void)madvise(i.shared, all.len, MADV_NOHUGEPAGE);
	for (size_t n = 0; n < T_ARRAY_SIZE(at); n++) {
		((unsigned char *)i.shared)[at[n] * PAGE] = 1;
		t_ok(gmem_region_resident(r, 0, all.len, &c, &u->err), u->err);
		assert_int_equal(c.shared_bytes, (n + 1) * PAGE);
	}
	/* up to a page, and from it on */
	t_ok(gmem_region_resident(r, 0, 4096 * PAGE, &c, &u->err), u->err);
	assert_int_equal(c.shared_bytes, 3 * PAGE);
	t_ok(gmem_region_resident(r, 4096 * PAGE, PAGE, &c, &u->err), u->err);
	assert_int_equal(c.shared_bytes, PAGE);
	/* a signal is nothing, anything else ends it */
	unit_reset(u);
	unit_answer(u, "mincore", 0, 1, 2, -EINTR);
	t_ok(gmem_region_resident(r, 0, all.len, &c, &u->err), u->err);
	assert_int_equal(c.shared_bytes, 5 * PAGE);
	unit_reset(u);
	unit_answer(u, "mincore", 0, 2, 1, -EPERM);
	t_refused(gmem_region_resident(r, 0, all.len, &c, &u->err), -EPERM,
		  GMEM_REASON_ACCESS_DENIED, u->err);
	assert_int_equal(c.shared_bytes, 5 * PAGE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(no_fork_and_no_core_has_it, unit_sw),
		TEST(without_that_there_is_no_region, unit_sw),
		TEST(each_of_its_pages_is_counted_once, unit_sw),
	};

	return t_main(tests);
}
