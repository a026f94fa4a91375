// SPDX-License-Identifier: MIT
/* Where the threads of a populate run. */
#include <sched.h>

#include "unit.h"

#include "file.h"
#include "lines.h"
#include "room_text.h"

#define NODE "/sys/devices/system/node/node"

static int populate(struct unit *u, const struct gmem_mempolicy *p,
		    uint32_t threads)
{
	const struct gmem_populate_opts o = { .sz = sizeof(o),
					      .flags = GMEM_POPULATE_UNCHECKED,
					      .policy = p,
					      .threads = threads };
	struct gmem *g = unit_create(u, 16 * MiB, 0);

	u->err.sz = sizeof(u->err);
	return gmem_populate(g, 0, 16 * MiB, &o, &u->err);
}

/* The processors of this thread, in the first word. */
static uint64_t allowed(void)
{
	unsigned long set[GMEM__WORDS(8192)] = { 0 };

	assert_true(gmem__sys_linux.get_affinity(NULL, set, sizeof(set)) > 0);
	return set[0];
}

static uint64_t lowest(uint64_t set)
{
	return set & -set;
}

static void threads_run_on_the_nodes_of_the_policy(void **state)
{
	struct unit *u = *state;
	unsigned int cpu = (unsigned int)__builtin_ctzll(allowed());
	char one[16];
	const struct unit_told told[] = {
		{ NODE "0/cpulist", "0-4095\n" },
		{ NODE "1/cpulist", one },
		{ NODE "2/cpulist", "\n" },
		{ NULL, NULL },
	};
	const struct {
		unsigned long nodes;
		uint64_t cpus;
		uint32_t flags;
	} t[] = {
		{ 1, allowed(), 0 },
		{ 2, lowest(allowed()), 0 },
		{ 3, allowed(), 0 },
		{ 2, lowest(allowed()), GMEM_MPOL_F_STATIC_NODES },
	};
	const struct unit_call *c;
	uint64_t before = allowed();

	(void)snprintf(one, sizeof(one), "%u,8000\n", cpu);
	u->told = told;
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		unsigned long mask = t[i].nodes;
		struct gmem_mempolicy p =
			unit_policy(GMEM_MPOL_INTERLEAVE, &mask);

		p.flags = t[i].flags;
		t_ok(populate(u, &p, 3), u->err);
		assert_int_equal(unit_count(u, "sched_setaffinity", 0), 3);
		for (unsigned int n = 0; n < 3; n++) {
			c = unit_nth(u, "sched_setaffinity", 0, n);
			assert_int_equal(c->result, 0);
			assert_int_equal(c->arg[2], t[i].cpus);
			assert_false(pthread_equal(c->thread, pthread_self()));
		}
		unit_listed(u, "gmem_populate");
		assert_int_equal(allowed(), before);
	}
	u->told = NULL;
}

/* Of these, threads run wherever the caller may. */
static void threads_run_anywhere_where_nothing_says_where(void **state)
{
	static const char *const nowhere[] = {
		"\n",	       /* none */
		"8000-8190\n", /* not of this thread */
		"0-\n",	       "0-63,x\n", "",
	};
	struct unit_told told[] = { { NODE "0/cpulist", NULL },
				    { NULL, NULL } };
	static const struct unit_told first_only[] = {
		{ NODE "0/cpulist", "0-4095\n" },
		{ NULL, NULL },
	};
	static const struct unit_told second_only[] = {
		{ NODE "1/cpulist", "0-4095\n" },
		{ NULL, NULL },
	};
	struct unit *u = *state;
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);

	u->told = told;
	for (size_t i = 0; i < T_ARRAY_SIZE(nowhere); i++) {
		told[0].text = nowhere[i];
		t_ok(populate(u, &p, 2), u->err);
		assert_int_equal(unit_count(u, "sched_setaffinity", 0), 0);
	}
	mask = 3; /* of one of the two it is not known */
	for (int i = 0; i < 2; i++) {
		u->told = i ? second_only : first_only;
		t_ok(populate(u, &p, 2), u->err);
		assert_int_equal(unit_count(u, "sched_setaffinity", 0), 0);
	}
	mask = 1;
	u->told = first_only;
	p.flags = GMEM_MPOL_F_RELATIVE_NODES;
	t_ok(populate(u, &p, 2), u->err);
	assert_int_equal(unit_count(u, "sched_setaffinity", 0), 0);
	p.flags = 0;
	t_ok(populate(u, NULL, 2), u->err);
	assert_int_equal(unit_count(u, "openat", 0), 0);
	p.mode = GMEM_MPOL_LOCAL;
	p.nodes = NULL;
	t_ok(populate(u, &p, 2), u->err);
	assert_int_equal(unit_count(u, "openat", 0), 0);
	assert_int_equal(unit_count(u, "sched_getaffinity", 0), 0);
}

static void a_refusal_to_pin_is_no_failure(void **state)
{
	static const struct unit_told told[] = {
		{ NODE "0/cpulist", "0-63\n" },
		{ NULL, NULL },
	};
	struct unit *u = *state;
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem *g = unit_create(u, 16 * MiB, 0);
	const struct gmem_populate_opts o = { .sz = sizeof(o), .policy = &p };

	u->told = told;
	unit_answer(u, "sched_setaffinity", 0, 1, 1, -EPERM);
	t_ok(gmem_populate(g, 0, MiB, &o, &u->err), u->err);
	unit_answer(u, "sched_getaffinity", 0, 1, 1, -EPERM);
	t_ok(gmem_populate(g, 0, MiB, &o, &u->err), u->err);
	assert_int_equal(unit_count(u, "sched_setaffinity", 0), 1);
}

/* Whatever an earlier file left in the buffer. */
static void a_file_is_read_from_its_own_first_line(void **state)
{
	static const struct unit_told told[] = {
		{ NODE "0/cpulist", "0-3\n" },
		{ NULL, NULL },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, 0);
	struct gmem__lines l = { .end = 3, .buf = "ab\n" };

	u->told = told;
	assert_int_equal(gmem__lines_open(&l, g->ctx, told[0].path), 0);
	assert_string_equal(gmem__lines_next(&l), "0-3");
	assert_null(gmem__lines_next(&l));
	gmem__lines_close(&l);
	u->told = NULL;
}

int main(void)
{
	const struct CMUnitTest pin[] = {
		TEST(threads_run_on_the_nodes_of_the_policy, unit_sw),
		TEST(threads_run_anywhere_where_nothing_says_where, unit_sw),
		TEST(a_refusal_to_pin_is_no_failure, unit_sw),
		TEST(a_file_is_read_from_its_own_first_line, unit_sw),
	};

	return t_main(pin);
}
