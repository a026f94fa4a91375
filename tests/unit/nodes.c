// SPDX-License-Identifier: MIT
/*
 * Which nodes a policy may name, and what becomes of those that it does: the
 * kernel drops the others without a word.
 */
#include <sys/mman.h>

#include "unit.h"

#include "file.h"
#include "nodes.h"

/* Node 2 has no memory, node 3 is another cpuset's, node 4 is not online. */
static void some_are_not_usable(struct unit *u)
{
	u->k->nodes = 4;
	u->k->empty = 4;
	u->k->outside = 8;
}

static int populate(struct gmem *g, const struct gmem_mempolicy *p,
		    struct gmem_error *err)
{
	struct gmem_populate_opts o = { .sz = sizeof(o), .policy = p };

	return gmem_populate(g, 0, MiB, &o, err);
}

static const struct {
	unsigned long mask;
	unsigned int first;
	const char *why;
} unusable[] = {
	{ 1UL << 2, 2, "has no memory" },
	{ 1UL << 3, 3, "is not in the cpuset of this process" },
	{ 1UL << 4, 4, "is not online" },
	{ 1UL << 63, 63, "is not online" },
	/* one that is usable besides is no excuse, the first is named */
	{ 1UL << 0 | 1UL << 63, 63, "is not online" },
	{ 1UL << 0 | 1UL << 2 | 1UL << 3, 2, "has no memory" },
	{ 1UL << 1 | 1UL << 3 | 1UL << 4, 3, "is not in the cpuset" },
};

static void a_node_that_would_be_dropped_is_named_with_its_cause(void **state)
{
	static const uint32_t modes[] = { GMEM_MPOL_PREFERRED, GMEM_MPOL_BIND,
					  GMEM_MPOL_INTERLEAVE,
					  GMEM_MPOL_PREFERRED_MANY,
					  GMEM_MPOL_WEIGHTED_INTERLEAVE };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err = { .sz = sizeof(err) };
	char want[96];

	some_are_not_usable(u);
	unit_reset(u);
	for (size_t i = 0; i < T_ARRAY_SIZE(unusable) * 10; i++) {
		uint32_t mode = modes[i / 2 % T_ARRAY_SIZE(modes)];
		unsigned long mask = unusable[i / 10].mask;
		struct gmem_mempolicy p = unit_policy(mode, &mask);

		p.flags = i % 2 ? GMEM_MPOL_F_STATIC_NODES : 0;
		(void)snprintf(want, sizeof(want), "node %u of policy %s %s",
			       unusable[i / 10].first,
			       gmem_name(GMEM_NAME_MPOL, mode),
			       unusable[i / 10].why);
		t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EINVAL,
			  GMEM_REASON_POLICY_NODES, err);
		assert_int_equal(err.value, unusable[i / 10].first);
		assert_non_null(strstr(err.msg, want));
		assert_non_null(strstr(err.msg, "; this process may use 0-1"));
		t_refused(populate(g, &p, &err), -EINVAL,
			  GMEM_REASON_POLICY_NODES, err);
		assert_int_equal(err.value, unusable[i / 10].first);
		assert_non_null(strstr(err.msg, want));
	}
	assert_int_equal(unit_count(u, "mbind", 0), 0);
	assert_int_equal(unit_count(u, "set_mempolicy", 0), 0);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, -1), 0);
	unit_listed(u, "gmem_set_mempolicy");
}

/* Also on a kernel that ignores the policy of a file, and an unmappable one. */
static void populating_places_only_on_usable_nodes(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, GMEM_CREATE_UNBOUND);
	unsigned long mask = 5;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_INTERLEAVE, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	some_are_not_usable(u);
	t_refused(populate(g, &p, &err), -EINVAL, GMEM_REASON_POLICY_NODES,
		  err);
	assert_int_equal(err.value, 2);
	unit_listed(u, "gmem_populate");
	mask = 3;
	t_ok(populate(g, &p, &err), err);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, 0), MiB / 2);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, 1), MiB / 2);
}

/* They stand for nodes, wherever those are. */
static void relative_nodes_need_only_be_numbers(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long many[2048 / 64] = { 1UL << 3 }, got = 0;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, many),
			      out = unit_policy(0, &got);
	struct gmem_error err = { .sz = sizeof(err) };

	some_are_not_usable(u);
	p.flags = GMEM_MPOL_F_RELATIVE_NODES;
	t_ok(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), err);
	t_ok(t_get_mempolicy(g, 0, &out, &err), err);
	assert_int_equal(got, 1UL << 3);
	/* the fourth of two is the second */
	t_ok(gmem_populate(g, 0, MiB, NULL, &err), err);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, 1), MiB);
	many[1024 / 64] = 1;
	p.max_node = 2048;
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	assert_int_equal(err.value, 1024);
	assert_non_null(strstr(err.msg, "is not online"));
}

static const struct {
	const char *lacks;
	unsigned int node;
	const char *why;
} unsaid[] = {
	{ "move_pages", 2, "cannot be used, and why is unknown (ENOSYS)" },
	{ "move_pages", 3, "cannot be used, and why is unknown (ENOSYS)" },
	{ "move_pages", 4, "is not online" },
	{ "set_mempolicy_home_node", 2, "why is unknown (ENOSYS)" },
	{ "set_mempolicy_home_node", 3, "is not in the cpuset" },
	{ "move_pages set_mempolicy_home_node", 4, "unknown (ENOSYS)" },
};

static void a_cause_that_the_kernel_does_not_tell_is_unknown(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err = { .sz = sizeof(err) };

	some_are_not_usable(u);
	for (size_t i = 0; i < T_ARRAY_SIZE(unsaid); i++) {
		unsigned long mask = 1UL << unsaid[i].node;
		struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);

		u->lacks = unsaid[i].lacks;
		t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EINVAL,
			  GMEM_REASON_POLICY_NODES, err);
		assert_non_null(strstr(err.msg, unsaid[i].why));
	}
}

/* A node that came back between the questions. */
static void a_node_that_is_usable_meanwhile_has_no_cause(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 8;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	some_are_not_usable(u);
	unit_reset(u);
	unit_answer(u, "move_pages", 0, 1, 1, 0);
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	assert_non_null(strstr(err.msg, "why is unknown (it changed)"));
	/* of the two answers, the one that says no */
	unit_reset(u);
	unit_answer(u, "move_pages", 0, 1, 1, 0);
	unit_answer(u, "set_mempolicy_home_node", 0, 1, 1, -EPERM);
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	assert_non_null(strstr(err.msg, "why is unknown (EPERM)"));
}

static void a_node_that_no_kernel_can_have_is_not_asked_for(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int sys = -1;

	unit_reset(u);
	assert_int_equal(gmem__node_why(g->ctx, GMEM__NODES, &sys),
			 GMEM__NODE_OFFLINE);
	assert_int_equal(sys, 0);
	assert_int_equal(u->n_calls, 0);
}

static void without_the_usable_nodes_no_policy_is_set(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };

	unit_answer(u, "get_mempolicy", 0, 1, 3, -EPERM);
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EPERM,
		  GMEM_REASON_ACCESS_DENIED, err);
	t_refused(populate(g, &p, &err), -EPERM, GMEM_REASON_ACCESS_DENIED,
		  err);
	assert_int_equal(unit_count(u, "mbind", 0), 0);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
	/* where pages are, another call tells */
	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 0);
	t_code(t_placed(g, 0, MiB, &p, &out, &err), GMEM_PLACED_WELL);
}

/* ---------------------------------------------- the policy of the file -- */

static void set(struct gmem *g, uint64_t offset, uint64_t len, uint32_t mode,
		unsigned long mask, uint32_t flags)
{
	struct gmem_mempolicy p = unit_policy(mode, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	p.flags = flags;
	t_ok(gmem_set_mempolicy(g, offset, len, &p, 0, &err), err);
}

static void a_file_with_another_policy_is_not_populated_under_one(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned int maps = unit_mappings(u);
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	/* one page of it is enough */
	set(g, MiB - PAGE, PAGE, GMEM_MPOL_BIND, 1, 0);
	unit_reset(u);
	t_refused(populate(g, &p, &err), -EINVAL, GMEM_REASON_POLICY_OF_FILE,
		  err);
	assert_int_equal(err.value, MiB - PAGE);
	assert_non_null(strstr(err.msg, "policy bind, nodes 0, "));
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
	assert_int_equal(unit_mappings(u), maps);
	unit_listed(u, "gmem_populate");
	/* the rest of the file has none */
	t_ok(gmem_populate(g, 0, MiB - PAGE,
			   &(struct gmem_populate_opts){
				   .sz = sizeof(struct gmem_populate_opts),
				   .policy = &p },
			   &err),
	     err);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, 1), MiB - PAGE);
	/* no policy of the call's own: the file decides, as it says */
	p = (struct gmem_mempolicy){ .sz = sizeof(p) };
	t_ok(populate(g, &p, &err), err);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, 0), PAGE);
}

static const struct {
	uint32_t mode, flags;
	unsigned long mask; /* of the file's */
	uint32_t asked, asked_flags;
	unsigned long asked_mask;
	bool same;
} pairs[] = {
	{ GMEM_MPOL_BIND, 0, 2, GMEM_MPOL_BIND, 0, 2, true },
	{ GMEM_MPOL_BIND, 0, 2, GMEM_MPOL_BIND, 0, 3, false },
	{ GMEM_MPOL_BIND, 0, 3, GMEM_MPOL_BIND, 0, 2, false },
	{ GMEM_MPOL_BIND, 0, 2, GMEM_MPOL_PREFERRED, 0, 2, false },
	{ GMEM_MPOL_BIND, 0, 3, GMEM_MPOL_INTERLEAVE, 0, 3, false },
	{ GMEM_MPOL_PREFERRED, 0, 3, GMEM_MPOL_PREFERRED, 0, 1, true },
	{ GMEM_MPOL_PREFERRED, 0, 1, GMEM_MPOL_PREFERRED, 0, 3, true },
	{ GMEM_MPOL_PREFERRED, 0, 2, GMEM_MPOL_PREFERRED, 0, 3, false },
	{ GMEM_MPOL_PREFERRED, 0, 0, GMEM_MPOL_LOCAL, 0, 0, true },
	{ GMEM_MPOL_LOCAL, 0, 0, GMEM_MPOL_BIND, 0, 1, false },
	{ GMEM_MPOL_LOCAL, 0, 0, GMEM_MPOL_PREFERRED, 0, 0, true },
	{ GMEM_MPOL_LOCAL, 0, 0, GMEM_MPOL_PREFERRED, 0, 1, false },
	{ GMEM_MPOL_BIND, GMEM_MPOL_F_STATIC_NODES, 2, GMEM_MPOL_BIND, 0, 2,
	  true },
	{ GMEM_MPOL_BIND, GMEM_MPOL_F_RELATIVE_NODES, 2, GMEM_MPOL_BIND, 0, 2,
	  false },
	{ GMEM_MPOL_BIND, GMEM_MPOL_F_RELATIVE_NODES, 8, GMEM_MPOL_BIND,
	  GMEM_MPOL_F_RELATIVE_NODES, 8, true },
	{ GMEM_MPOL_BIND, GMEM_MPOL_F_RELATIVE_NODES, 8, GMEM_MPOL_BIND,
	  GMEM_MPOL_F_RELATIVE_NODES, 4, false },
};

static void policies_are_the_same_if_they_place_alike(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err = { .sz = sizeof(err) };

	for (size_t i = 0; i < T_ARRAY_SIZE(pairs); i++) {
		unsigned long mask = pairs[i].asked_mask;
		struct gmem_mempolicy p = unit_policy(pairs[i].asked, &mask);

		p.flags = pairs[i].asked_flags;
		set(g, 0, MiB, pairs[i].mode, pairs[i].mask, pairs[i].flags);
		t_code(populate(g, &p, &err), pairs[i].same ? 0 : -EINVAL);
		t_reason(&err, pairs[i].same ? GMEM_REASON_NONE
					     : GMEM_REASON_POLICY_OF_FILE);
	}
}

/* A part that fits does not make good for one before it that does not. */
static void each_part_of_a_large_file_has_to_have_the_policy(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 128 * MiB, SHARED_FLAGS);
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	const struct gmem_populate_opts o = { .sz = sizeof(o), .policy = &p };
	struct gmem_error err = { .sz = sizeof(err) };

	set(g, 64 * MiB - PAGE, PAGE, GMEM_MPOL_BIND, 1, 0);
	t_refused(gmem_populate(g, 0, 128 * MiB, &o, &err), -EINVAL,
		  GMEM_REASON_POLICY_OF_FILE, err);
	assert_int_equal(err.value, 64 * MiB - PAGE);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
}

static void who_has_cancelled_waits_for_no_policy(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	const int cancel = 1;
	const struct gmem_populate_opts o = { .sz = sizeof(o),
					      .policy = &p,
					      .cancel = &cancel };
	struct gmem_error err = { .sz = sizeof(err) };

	unit_reset(u);
	t_refused(gmem_populate(g, 0, MiB, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_non_null(strstr(err.msg, "after 0 bytes"));
	assert_int_equal(err.done, 0);
	assert_int_equal(unit_count(u, "mmap", 0), 0);
}

static void a_kernel_without_policies_of_files_is_not_asked(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	unit_reset(u);
	t_ok(populate(g, &p, &err), err);
	/* except for the nodes */
	assert_int_equal(unit_count(u, "get_mempolicy", 0), 1);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, 1), MiB);
}

static void a_policy_that_can_not_be_read_fails_the_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned int maps = unit_mappings(u);
	unsigned long mask = 2;
	int cancel = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_populate_opts o = { .sz = sizeof(o), .policy = &p };
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };

	unit_answer(u, "get_mempolicy", 0, 3, 1, -ENOMEM);
	t_refused(populate(g, &p, &err), -ENOMEM, GMEM_REASON_NO_MEMORY, err);
	unit_reset(u);
	unit_answer(u, "mmap", 0, 1, 1, -ENOMEM);
	t_refused(populate(g, &p, &err), -ENOMEM, GMEM_REASON_NO_MEMORY, err);
	o.cancel = &cancel;
	t_refused(gmem_populate(g, 0, MiB, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 0);
	unit_reset(u);
	unit_answer(u, "get_mempolicy", 0, 2, 1, -ENOMEM);
	t_refused(t_placed(g, 0, MiB, NULL, &out, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	assert_int_equal(unit_mappings(u), maps);
}

/* -------------------------------------------------------------- verify -- */

static void each_range_is_verified_against_its_own_policy(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 4 * MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };

	set(g, 0, MiB, GMEM_MPOL_BIND, 1, 0);
	set(g, MiB, MiB, GMEM_MPOL_BIND, 2, 0);
	set(g, 3 * MiB, PAGE, GMEM_MPOL_BIND, 2, 0);
	t_ok(gmem_populate(g, 0, 4 * MiB, NULL, &err), err);
	t_code(t_placed(g, 0, 4 * MiB, NULL, &out, &err), GMEM_PLACED_WELL);
	assert_int_equal(out.resident, 4 * MiB);
	/* pages that were there before, in both, and one in the third */
	set(g, 0, MiB, GMEM_MPOL_BIND, 2, 0);
	set(g, MiB, 2 * MiB, GMEM_MPOL_PREFERRED, 3, 0);
	set(g, 3 * MiB, PAGE, GMEM_MPOL_INTERLEAVE, 1, 0);
	t_code(t_placed(g, 0, 4 * MiB, NULL, &out, &err),
	       GMEM_PLACED_ELSEWHERE);
	assert_int_equal(out.misplaced, 2 * MiB + PAGE);
	assert_int_equal(out.unknown, 0);
	t_code(t_placed(g, 2 * MiB, MiB, NULL, &out, &err), GMEM_PLACED_WELL);
}

/* Two policies for the same nodes can mean different ones. */
static void pages_follow_the_mode_and_flags_of_their_policy(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };

	unit_allocate(u, gmem_fd(g), 0, 128 * KiB, 1);
	set(g, 0, 64 * KiB, GMEM_MPOL_BIND, 3, GMEM_MPOL_F_STATIC_NODES);
	set(g, 64 * KiB, 64 * KiB, GMEM_MPOL_PREFERRED, 3,
	    GMEM_MPOL_F_STATIC_NODES);
	t_code(t_placed(g, 0, MiB, NULL, &out, &err), GMEM_PLACED_ELSEWHERE);
	assert_int_equal(out.misplaced, 64 * KiB);
	set(g, 64 * KiB, 64 * KiB, GMEM_MPOL_BIND, 3,
	    GMEM_MPOL_F_RELATIVE_NODES);
	t_code(t_placed(g, 0, MiB, NULL, &out, &err), GMEM_PLACED_UNKNOWN);
	assert_int_equal(out.unknown, 64 * KiB);
}

static void preferred_is_the_first_node_alone(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 3;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_PREFERRED, &mask);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };

	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 1);
	unit_allocate(u, gmem_fd(g), 64 * KiB, PAGE, 0);
	t_code(t_placed(g, 0, MiB, &p, &out, &err), GMEM_PLACED_ELSEWHERE);
	assert_int_equal(out.misplaced, 64 * KiB);
	p.mode = GMEM_MPOL_PREFERRED_MANY;
	t_code(t_placed(g, 0, MiB, &p, &out, &err), GMEM_PLACED_WELL);
}

/* Of a policy that is given; of the file's, only who set it knows. */
static void relative_nodes_are_counted_in_the_cpuset(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 2; /* the second: node 3 */
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };

	u->k->nodes = 5;
	u->k->empty = 2;
	u->k->outside = 4 | 16;
	p.flags = GMEM_MPOL_F_RELATIVE_NODES;
	t_ok(gmem_set_mempolicy(g, 0, 64 * KiB, &p, 0, &err), err);
	t_ok(gmem_populate(g, 0, 64 * KiB, NULL, &err), err);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, 3), 64 * KiB);
	t_code(t_placed(g, 0, MiB, &p, &out, &err), GMEM_PLACED_WELL);
	mask = 5; /* the third is the first again: node 0 */
	t_code(t_placed(g, 0, MiB, &p, &out, &err), GMEM_PLACED_ELSEWHERE);
	assert_int_equal(out.misplaced, 64 * KiB);
	t_code(t_placed(g, 0, MiB, NULL, &out, &err), GMEM_PLACED_UNKNOWN);
	assert_int_equal(out.unknown, 64 * KiB);
	assert_int_equal(out.why, GMEM_REASON_RELATIVE_NODES);
	unit_reset(u);
	unit_answer(u, "get_mempolicy", 0, 1, 1, -EPERM);
	t_code(t_placed(g, 0, MiB, &p, &out, &err), GMEM_PLACED_UNKNOWN);
	assert_int_equal(out.why, GMEM_REASON_RELATIVE_NODES);
}

/* Who verifies may be in another cpuset than who allocated. */
static void verifying_takes_any_node(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long many[32768 / 64] = { 8 };
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, many);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };

	u->k->nodes = 4;
	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 3);
	some_are_not_usable(u);
	t_code(t_placed(g, 0, MiB, &p, &out, &err), GMEM_PLACED_WELL);
	many[0] = 1 << 2 | 1 << 5;
	t_code(t_placed(g, 0, MiB, &p, &out, &err), GMEM_PLACED_ELSEWHERE);
	/* also one that no kernel can have */
	many[0] = 0;
	many[32767 / 64] = 1UL << 63;
	p.max_node = 32768;
	t_code(t_placed(g, 0, MiB, &p, &out, &err), GMEM_PLACED_ELSEWHERE);
	assert_int_equal(out.misplaced, 64 * KiB);
}

static void a_cause_that_is_known_comes_without_an_errno(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int sys;

	some_are_not_usable(u);
	for (unsigned int n = 2; n < 5; n++) {
		sys = -EPERM;
		assert_int_not_equal(gmem__node_why(g->ctx, n, &sys),
				     GMEM__NODE_UNKNOWN);
		assert_int_equal(sys, 0);
	}
}

/* ---------------------------------------------------------------- sets -- */

static void a_set_is_told_in_ranges(void **state)
{
	char text[GMEM__NODES_TEXT];
	struct gmem__nodes s = { { 0 } };

	(void)state;
	assert_string_equal(gmem__nodes_text(&s, text), "none");
	gmem__nodes_add(&s, 1023);
	assert_string_equal(gmem__nodes_text(&s, text), "1023");
	for (unsigned int n = 0; n < 3; n++)
		gmem__nodes_add(&s, n);
	gmem__nodes_add(&s, 64);
	assert_string_equal(gmem__nodes_text(&s, text), "0-2,64,1023");
	assert_int_equal(gmem__nodes_next(&s, 65), 1023);
	assert_int_equal(gmem__nodes_next(&s, 1024), GMEM__NODES);
	for (unsigned int n = 0; n < GMEM__NODES; n += 2)
		gmem__nodes_add(&s, n);
	assert_string_equal(gmem__nodes_text(&s, text) + 43, "32,34,36,...");
	memset(&s, 0xff, sizeof(s));
	assert_string_equal(gmem__nodes_text(&s, text), "0-1023");
	/* Another range where it and the end just fit, and not otherwise. */
	memset(&s, 0, sizeof(s));
	for (unsigned int n = 0; n < GMEM__NODES; n += n == 6 ? 4 : 2)
		gmem__nodes_add(&s, n);
	assert_string_equal(gmem__nodes_text(&s, text) + 47, "36,38,...");
	memset(&s, 0, sizeof(s));
	for (unsigned int n = 0; n < GMEM__NODES; n += n == 4 ? 6 : 2)
		gmem__nodes_add(&s, n);
	assert_string_equal(gmem__nodes_text(&s, text) + 48, "38,...");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_node_that_would_be_dropped_is_named_with_its_cause,
		     unit_obeyed),
		TEST(populating_places_only_on_usable_nodes, unit_default),
		TEST(relative_nodes_need_only_be_numbers, unit_obeyed),
		TEST(a_cause_that_the_kernel_does_not_tell_is_unknown,
		     unit_obeyed),
		TEST(a_node_that_is_usable_meanwhile_has_no_cause, unit_obeyed),
		TEST(without_the_usable_nodes_no_policy_is_set, unit_obeyed),
		TEST(a_file_with_another_policy_is_not_populated_under_one,
		     unit_obeyed),
		TEST(policies_are_the_same_if_they_place_alike, unit_obeyed),
		TEST(each_part_of_a_large_file_has_to_have_the_policy,
		     unit_obeyed),
		TEST(who_has_cancelled_waits_for_no_policy, unit_obeyed),
		TEST(pages_follow_the_mode_and_flags_of_their_policy,
		     unit_obeyed),
		TEST(a_node_that_no_kernel_can_have_is_not_asked_for,
		     unit_obeyed),
		TEST(a_kernel_without_policies_of_files_is_not_asked,
		     unit_default),
		TEST(a_policy_that_can_not_be_read_fails_the_call, unit_obeyed),
		TEST(each_range_is_verified_against_its_own_policy,
		     unit_obeyed),
		TEST(preferred_is_the_first_node_alone, unit_obeyed),
		TEST(relative_nodes_are_counted_in_the_cpuset, unit_obeyed),
		TEST(verifying_takes_any_node, unit_obeyed),
		TEST(a_cause_that_is_known_comes_without_an_errno, unit_obeyed),
		cmocka_unit_test(a_set_is_told_in_ranges),
	};

	return t_main(tests);
}
