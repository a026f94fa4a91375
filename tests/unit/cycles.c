// SPDX-License-Identifier: MIT
/*
 * What comes and goes leaves nothing: descriptors, mappings and allocations
 * after some cycles are as many as after many more.  "unit_cycles N" makes N.
 */
#include <stdio.h>

#include "unit.h"

#include "slot.h"
#include "tree.h"
#include "vm.h"

#define SOME 1000

static unsigned long many = 10000;

struct counts {
	unsigned int fds, maps, holds;
};

static unsigned int lines(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned int n = 0;
	int c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	(void)fclose(f);
	return n;
}

static struct counts count(struct unit *m)
{
	return (struct counts){ .fds = unit_fds(),
				.maps = lines("/proc/self/maps"),
				.holds = m->k->holds };
}

static void same(struct unit *m, const struct counts *was)
{
	struct counts is = count(m);

	assert_int_equal(is.fds, was->fds);
	assert_int_equal(is.holds, was->holds);
	/* the heap may have grown into another one or two */
	assert_in_range(is.maps, was->maps > 2 ? was->maps - 2 : 0,
			was->maps + 2);
}

static void cycle(struct unit *m)
{
	unit_create(m, 4 * m->page, 0);
	unit_bind(m, m->g, 0, GiB);
	t_ok(t_share(m->g, m->page, m->page, &m->err), m->err);
	t_ok(gmem_set_private(m->g, 0, 4 * m->page, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	t_ok(gmem_close(m->g, &m->err), m->err);
}

static void a_file_that_comes_and_goes_leaves_nothing(void **state)
{
	struct unit *m = *state;
	struct counts was;
	unsigned long i;

	for (i = 0; i < SOME; i++)
		cycle(m);
	was = count(m);
	for (; i < many; i++)
		cycle(m);
	same(m, &was);
}

static void a_slot_that_is_noted_and_forgotten_leaves_nothing(void **state)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 3,
			       .gpa = GiB,
			       .userspace_addr = 1 * MiB,
			       .flags = GMEM_SLOT_FD };
	struct unit *m = *state;
	struct counts was = { 0 };

	unit_create(m, 64 * KiB, 0);
	s.gmem = m->g;
	m->err.sz = sizeof(m->err);
	s.len = 64 * KiB;
	for (unsigned long i = 0; i < 1000000; i++) {
		if (gmem_slot_note(m->vm, &s, &m->err) < 0 ||
		    gmem_slot_forget(m->vm, 3, 0, &m->err) < 0)
			fail_msg("cycle %lu: %s", i, m->err.msg);
		if (i == SOME)
			was = count(m);
	}
	same(m, &was);
	assert_null(gmem__tree_next(gmem__tree_first(&m->vm->left)));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_file_that_comes_and_goes_leaves_nothing, unit_sw),
		TEST(a_file_that_comes_and_goes_leaves_nothing, unit_inplace),
		TEST(a_slot_that_is_noted_and_forgotten_leaves_nothing,
		     unit_sw),
	};

	if (argc > 1)
		many = strtoul(argv[1], NULL, 0);
	return t_main(tests);
}
