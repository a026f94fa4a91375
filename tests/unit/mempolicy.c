// SPDX-License-Identifier: MIT
/* The NUMA policy of a file: kept by the file, or refused. */
#include <sys/mman.h>

#include "unit.h"

#include "adopt.h"

static void a_policy_is_set_on_the_file_and_shown(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 2, got = 0;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask),
			      out = unit_policy(GMEM_MPOL_LOCAL, &got);
	unsigned int maps = unit_mappings(u);
	struct gmem_error err = { .sz = sizeof(err) };

	p.flags = GMEM_MPOL_F_STATIC_NODES;
	err = (struct gmem_error){ .sz = sizeof(err) };
	t_code(gmem_set_mempolicy(g, 64 * KiB, 64 * KiB, &p, 0, &err), 0);
	assert_int_equal(u->n_calls, 5); /* one asks for the nodes */
	assert_int_equal(unit_nth(u, "madvise", 0, 0)->arg[2], 10);
	assert_int_equal(unit_nth(u, "mmap", 0, 0)->arg[1], 64 * KiB);
	assert_int_equal(unit_nth(u, "mmap", 0, 0)->arg[3], 64 * KiB);
	assert_int_equal(unit_nth(u, "mbind", 0, 0)->arg[1], 64 * KiB);
	assert_int_equal(unit_nth(u, "mbind", 0, 0)->arg[2], 0x8002);
	assert_int_equal(unit_nth(u, "mbind", 0, 0)->arg[3], 0);
	t_ok(t_get_mempolicy(g, 128 * KiB - PAGE, &out, &err), err);
	assert_int_equal(out.mode, GMEM_MPOL_BIND);
	assert_int_equal(out.flags, GMEM_MPOL_F_STATIC_NODES);
	assert_int_equal(got, 2);
	t_ok(t_get_mempolicy(g, 128 * KiB, &out, &err), err);
	assert_int_equal(out.mode, GMEM_MPOL_DEFAULT);
	assert_int_equal(out.flags, 0);
	assert_int_equal(got, 0);
	assert_int_equal(unit_mappings(u), maps);
	assert_int_equal(u->live_allocs, 2); /* VM and file */
}

static void the_default_policy_takes_a_policy_back(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 2, got = 0;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask),
			      none = { .sz = sizeof(none) },
			      out = unit_policy(GMEM_MPOL_LOCAL, &got);
	struct gmem_error err = { .sz = sizeof(err) };

	t_code(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), 0);
	/* What the kernel refuses leaves the policy as it was. */
	unit_answer(u, "mbind", 0, 1, 1, -EINVAL);
	t_refused(gmem_set_mempolicy(g, 0, MiB, &none, 0, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	t_ok(t_get_mempolicy(g, 0, &out, &err), err);
	assert_int_equal(out.mode, GMEM_MPOL_BIND);
	assert_int_equal(got, 2);
	unit_reset(u);
	t_code(gmem_set_mempolicy(g, 0, MiB, &none, 0, &err), 0);
	t_ok(t_get_mempolicy(g, 0, &out, &err), err);
	assert_int_equal(out.mode, GMEM_MPOL_DEFAULT);
	assert_int_equal(got, 0);
	/* Between the two it is the local one. */
	t_code(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), 0);
	unit_answer(u, "mbind", 0, 3, 1, -ENOMEM);
	t_refused(gmem_set_mempolicy(g, 0, MiB, &none, 0, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	t_ok(t_get_mempolicy(g, 0, &out, &err), err);
	assert_int_equal(out.mode, GMEM_MPOL_LOCAL);
}

static void a_kernel_that_would_ignore_it_is_named(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EOPNOTSUPP,
		  GMEM_REASON_POLICY_IGNORED, err);
	/* The nodes were looked at. */
	assert_int_equal(u->n_calls, 1);
	assert_int_equal(unit_count(u, "get_mempolicy", 0), 1);
}

/* Nobody probed for it: its file system tells. */
static void a_file_without_a_vm_tells_by_its_magic(void **state)
{
	struct unit *u = *state;
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem *g = NULL;

	for (int own = 0; own < 2; own++) {
		int fd;

		unit_open(u, own ? "6.19" : "6.18", GMEM_VM_DEFAULT);
		fd = unit_file_fd(u, gmem_vm_fd(u->vm), MiB, 3);
		t_ok(gmem__adopt_on(&unit_sys, u, NULL, fd, NULL, &g, &err),
		     err);
		unit_reset(u);
		if (own)
			t_code(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), 0);
		else
			t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err),
				  -EOPNOTSUPP, GMEM_REASON_POLICY_IGNORED, err);
		assert_int_equal(unit_count(u, "fstatfs", 0), 1);
		unit_answer(u, "fstatfs", 0, 1, 1, -ENOMEM);
		t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, err);
		t_ok(gmem_close(g, &err), err);
	}
}

static void a_file_that_can_not_be_mapped_has_no_policy(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, GMEM_CREATE_UNBOUND);
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EOPNOTSUPP,
		  GMEM_REASON_POLICY_UNMAPPABLE, err);
	t_refused(t_get_mempolicy(g, 0, &p, &err), -EOPNOTSUPP,
		  GMEM_REASON_POLICY_UNMAPPABLE, err);
	t_refused(t_get_mempolicy(NULL, 0, &p, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_int_equal(p.mode, GMEM_MPOL_BIND);
	assert_int_equal(mask, 1);
	/* The nodes were looked at. */
	assert_int_equal(u->n_calls, 1);
	assert_int_equal(unit_count(u, "get_mempolicy", 0), 1);
}

static void a_kernel_without_numa_is_named(void **state)
{
	struct unit *u = *state;
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem *g;

	u->lacks = "mbind get_mempolicy set_mempolicy move_pages";
	u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
	g = unit_create(u, MiB, SHARED_FLAGS);
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EOPNOTSUPP,
		  GMEM_REASON_NUMA_UNSUPPORTED, err);
	assert_int_equal(err.sys_errno, ENOSYS);
	t_refused(t_get_mempolicy(g, 0, &p, &err), -EOPNOTSUPP,
		  GMEM_REASON_NUMA_UNSUPPORTED, err);
	assert_int_equal(err.sys_errno, ENOSYS);
	assert_int_equal(p.mode, GMEM_MPOL_BIND);
	/* also of a policy that names no node */
	p = (struct gmem_mempolicy){ .sz = sizeof(p), .mode = GMEM_MPOL_LOCAL };
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EOPNOTSUPP,
		  GMEM_REASON_NUMA_UNSUPPORTED, err);
	assert_int_equal(err.sys_errno, ENOSYS);
}

struct row {
	uint32_t mode, flags;
	unsigned long mask;
	uint32_t why; /* 0 = taken */
};

static const struct row rows[] = {
	{ GMEM_MPOL_DEFAULT, 0, 0, 0 },
	{ GMEM_MPOL_DEFAULT, 0, 1, GMEM_REASON_POLICY_NODES },
	{ GMEM_MPOL_LOCAL, 0, 0, 0 },
	{ GMEM_MPOL_LOCAL, 0, 2, GMEM_REASON_POLICY_NODES },
	{ GMEM_MPOL_PREFERRED, 0, 0, 0 },
	{ GMEM_MPOL_PREFERRED, 0, 2, 0 },
	{ GMEM_MPOL_BIND, 0, 0, GMEM_REASON_POLICY_NODES },
	{ GMEM_MPOL_BIND, 0, 3, 0 },
	{ GMEM_MPOL_BIND, GMEM_MPOL_F_NUMA_BALANCING, 3,
	  GMEM_REASON_POLICY_BALANCING },
	{ GMEM_MPOL_INTERLEAVE, GMEM_MPOL_F_NUMA_BALANCING, 3,
	  GMEM_REASON_POLICY_BALANCING },
	{ GMEM_MPOL_DEFAULT, GMEM_MPOL_F_NUMA_BALANCING, 0,
	  GMEM_REASON_POLICY_BALANCING },
	{ GMEM_MPOL_DEFAULT, GMEM_MPOL_F_STATIC_NODES, 0,
	  GMEM_REASON_POLICY_NODES },
	{ GMEM_MPOL_LOCAL, GMEM_MPOL_F_RELATIVE_NODES, 0,
	  GMEM_REASON_POLICY_NODES },
	{ GMEM_MPOL_PREFERRED, GMEM_MPOL_F_STATIC_NODES, 0,
	  GMEM_REASON_POLICY_NODES },
	{ GMEM_MPOL_INTERLEAVE, 0, 0, GMEM_REASON_POLICY_NODES },
	{ GMEM_MPOL_INTERLEAVE, GMEM_MPOL_F_RELATIVE_NODES, 3, 0 },
	{ GMEM_MPOL_PREFERRED_MANY, 0, 0, GMEM_REASON_POLICY_NODES },
	{ GMEM_MPOL_PREFERRED_MANY, GMEM_MPOL_F_STATIC_NODES, 1, 0 },
	{ GMEM_MPOL_WEIGHTED_INTERLEAVE, 0, 0, GMEM_REASON_POLICY_NODES },
	{ GMEM_MPOL_WEIGHTED_INTERLEAVE, 0, 3, 0 },
	{ 7, 0, 1, GMEM_REASON_VALUE_UNKNOWN },
	{ GMEM_MPOL_BIND, 1, 1, GMEM_REASON_FLAG_UNKNOWN },
	{ GMEM_MPOL_BIND, 1U << 16, 1, GMEM_REASON_FLAG_UNKNOWN },
	{ GMEM_MPOL_BIND, GMEM_MPOL_F_STATIC_NODES | GMEM_MPOL_F_RELATIVE_NODES,
	  1, GMEM_REASON_VALUE_UNKNOWN },
};

static void each_mode_takes_the_nodes_it_needs_and_no_others(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err = { .sz = sizeof(err) };

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		unsigned long mask = rows[i].mask;
		struct gmem_mempolicy p = unit_policy(rows[i].mode, &mask);

		p.flags = rows[i].flags;
		unit_reset(u);
		if (!rows[i].why) {
			err = (struct gmem_error){ .sz = sizeof(err) };
			t_code(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), 0);
			continue;
		}
		t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EINVAL,
			  rows[i].why, err);
		assert_int_equal(u->n_calls, 0);
	}
}

static void bits_beyond_max_node_do_not_count(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 1UL << 40;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	p.max_node = 40;
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	assert_int_equal(u->n_calls, 0);
}

static void nodes_that_the_kernel_refuses_are_the_policys_fault(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	unsigned int maps = unit_mappings(u);
	struct gmem_error err = { .sz = sizeof(err) };

	unit_answer(u, "mbind", 0, 1, 1, -EINVAL);
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	assert_non_null(strstr(err.msg, "policy mode bind, flags none,"));
	assert_int_equal(err.sys_errno, EINVAL);
	assert_int_equal(err.flags & GMEM_ERROR_DIAGNOSED,
			 GMEM_ERROR_DIAGNOSED);
	assert_int_equal(unit_mappings(u), maps);
}

static void more_nodes_than_the_kernel_reads_are_refused(void **state)
{
	static unsigned long mask[32769 / 64 + 1];
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, mask);
	struct gmem_error err = { .sz = sizeof(err) };

	mask[0] = 1;
	p.max_node = 32769;
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	assert_int_equal(err.value, 32769);
	assert_int_equal(err.limit, 32768);
	t_refused(t_get_mempolicy(g, 0, &p, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	assert_int_equal(err.value, 32769);
	assert_int_equal(err.limit, 32768);
	assert_int_equal(u->n_calls, 0);
	p.max_node = 32768;
	t_code(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), 0);
	t_ok(t_get_mempolicy(g, 0, &p, &err), err);
}

static void room_for_too_few_nodes_is_refused(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 5;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	u->k->nodes = 32;
	p.max_node = 8;
	t_refused(t_get_mempolicy(g, 0, &p, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	assert_int_equal(err.value, 8);
	assert_int_equal(p.mode, GMEM_MPOL_BIND);
	assert_int_equal(mask, 5);
	p.nodes = NULL;
	p.max_node = 0;
	t_ok(t_get_mempolicy(g, 0, &p, &err), err);
	assert_int_equal(p.mode, GMEM_MPOL_DEFAULT);
	assert_null(p.nodes);
	assert_int_equal(p.max_node, 0);
}

static void bad_arguments_are_refused_before_any_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	t_refused(gmem_set_mempolicy(NULL, 0, MiB, &p, 0, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_set_mempolicy(g, 0, MiB, NULL, 0, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_get_mempolicy(g, 0, NULL, NULL, 0, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 2, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	t_refused(gmem_set_mempolicy(g, 0, 0, &p, 0, &err), -EINVAL,
		  GMEM_REASON_ZERO_SIZE, err);
	t_refused(gmem_set_mempolicy(g, 1, PAGE, &p, 0, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	t_refused(gmem_set_mempolicy(g, PAGE, MiB, &p, 0, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	t_refused(t_get_mempolicy(g, MiB, &p, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	assert_int_equal(u->n_calls, 0);
}

static void older_and_newer_policies_are_told_apart(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	union unit_newer n = unit_newer(&p, sizeof(p), 0);
	struct gmem_error err = { .sz = sizeof(err) };

	t_code(gmem_set_mempolicy(g, 0, MiB, (void *)&n, 0, &err), 0);
	n = unit_newer(&p, sizeof(p), 1);
	t_refused(gmem_set_mempolicy(g, 0, MiB, (void *)&n, 0, &err), -E2BIG,
		  GMEM_REASON_OPTS_NEWER, err);
	t_ok(t_get_mempolicy(g, 0, (void *)&n, &err), err);
	assert_int_equal(n.b[sizeof(p)], 0);
	p.sz = 0;
	t_refused(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	t_refused(t_get_mempolicy(g, 0, &p, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
}

static int set_strict(struct gmem *g, uint32_t mode, unsigned long mask,
		      struct gmem_error *err)
{
	struct gmem_mempolicy p = unit_policy(mode, mask ? &mask : NULL);

	return gmem_set_mempolicy(g, 0, MiB, &p, GMEM_MEMPOLICY_STRICT, err);
}

static void strict_refuses_what_lies_elsewhere_and_sets_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 0;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_DEFAULT, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 1);
	unit_allocate(u, gmem_fd(g), 128 * KiB, 2 * PAGE, 0);
	t_refused(set_strict(g, GMEM_MPOL_BIND, 2, &err), -EIO,
		  GMEM_REASON_MISPLACED, err);
	assert_int_equal(err.value, 2 * PAGE);
	assert_int_equal(err.limit, 64 * KiB + 2 * PAGE);
	assert_int_equal(unit_count(u, "mbind", 0), 0);
	t_code(set_strict(g, GMEM_MPOL_BIND, 3, &err), 0);
	t_code(set_strict(g, GMEM_MPOL_DEFAULT, 0, &err), 0);
	t_code(set_strict(g, GMEM_MPOL_PREFERRED, 0, &err), 0);
	t_ok(gmem_discard(g, 128 * KiB, 2 * PAGE, NULL, &err), err);
	t_code(set_strict(g, GMEM_MPOL_BIND, 2, &err), 0);
	t_ok(t_get_mempolicy(g, 0, &p, &err), err);
	assert_int_equal(p.mode, GMEM_MPOL_BIND);
	assert_int_equal(mask, 2);
}

static void strict_refuses_what_it_can_not_look_at(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 1);
	unit_answer(u, "move_pages", 0, 1, 1, -EPERM);
	t_refused(set_strict(g, GMEM_MPOL_BIND, 2, &err), -EOPNOTSUPP,
		  GMEM_REASON_PLACEMENT_UNKNOWN, err);
	assert_int_equal(err.value, 64 * KiB);
	assert_int_equal(err.limit, 64 * KiB);
	unit_reset(u);
	unit_answer(u, "get_mempolicy", 0, 2, 1, -EPERM);
	p.flags = GMEM_MPOL_F_RELATIVE_NODES;
	t_refused(
		gmem_set_mempolicy(g, 0, MiB, &p, GMEM_MEMPOLICY_STRICT, &err),
		-EOPNOTSUPP, GMEM_REASON_RELATIVE_NODES, err);
	assert_int_equal(unit_count(u, "mbind", 0), 0);
	unit_reset(u);
	u->lacks = "cachestat";
	t_refused(set_strict(g, GMEM_MPOL_BIND, 2, &err), -EOPNOTSUPP,
		  GMEM_REASON_RESIDENCY_UNKNOWN, err);
	assert_int_equal(err.sys_errno, ENOSYS);
	assert_int_equal(unit_count(u, "mbind", 0), 0);
}

static void a_policy_asks_for_no_page_to_be_moved_or_checked(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_mempolicy p = { .sz = sizeof(p) };
	const struct unit_call *c;
	struct gmem_error err = { .sz = sizeof(err) };
	unsigned int n;

	unit_reset(u);
	t_code(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), 0);
	for (n = 0; (c = unit_nth(u, "mbind", 0, n)); n++)
		assert_int_equal(c->arg[3], 0);
	assert_int_equal(n, 3);
}

/* By what the file itself tells, whichever way the question failed. */
static void where_it_could_not_be_tried_the_file_tells(void **state)
{
	static const int codes[] = { -EPERM, -ENOSYS };
	struct unit *u = *state;
	struct gmem_mempolicy p = { .sz = sizeof(p), .mode = GMEM_MPOL_LOCAL };
	struct gmem_error err = { .sz = sizeof(err) };

	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		t_ok(gmem_vm_destroy(u->vm, &err), err);
		unit_reset(u);
		unit_answer(u, "ioctl", GMEM__KVM_CREATE_GUEST_MEMFD, 1, 2,
			    codes[i]);
		u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
		t_code(t_support(u->vm, GMEM_FEATURE_MEMPOLICY), GMEM_UNKNOWN);
		unit_create(u, MiB, SHARED_FLAGS);
		t_code(gmem_set_mempolicy(u->g, 0, MiB, &p, 0, &err), 0);
	}
}

static void room_for_one_node_is_room_for_node_0(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err = { .sz = sizeof(err) };

	u->k->nodes = 1;
	t_code(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), 0);
	mask = 0;
	p.max_node = 1;
	t_ok(t_get_mempolicy(g, 0, &p, &err), err);
	assert_int_equal(mask, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_policy_is_set_on_the_file_and_shown, unit_obeyed),
		TEST(the_default_policy_takes_a_policy_back, unit_obeyed),
		TEST(a_kernel_that_would_ignore_it_is_named, unit_default),
		TEST(a_file_without_a_vm_tells_by_its_magic, unit_bare),
		TEST(a_file_that_can_not_be_mapped_has_no_policy, unit_obeyed),
		TEST(a_kernel_without_numa_is_named, unit_bare),
		TEST(each_mode_takes_the_nodes_it_needs_and_no_others,
		     unit_obeyed),
		TEST(bits_beyond_max_node_do_not_count, unit_obeyed),
		TEST(nodes_that_the_kernel_refuses_are_the_policys_fault,
		     unit_obeyed),
		TEST(more_nodes_than_the_kernel_reads_are_refused, unit_obeyed),
		TEST(room_for_too_few_nodes_is_refused, unit_obeyed),
		TEST(bad_arguments_are_refused_before_any_call, unit_obeyed),
		TEST(older_and_newer_policies_are_told_apart, unit_obeyed),
		TEST(strict_refuses_what_lies_elsewhere_and_sets_nothing,
		     unit_obeyed),
		TEST(strict_refuses_what_it_can_not_look_at, unit_obeyed),
		TEST(a_policy_asks_for_no_page_to_be_moved_or_checked,
		     unit_obeyed),
		TEST(where_it_could_not_be_tried_the_file_tells, unit_obeyed),
		TEST(room_for_one_node_is_room_for_node_0, unit_obeyed),
	};

	return t_main(tests);
}
