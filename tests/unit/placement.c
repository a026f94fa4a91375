// SPDX-License-Identifier: MIT
/* On which node each resident page lies. */
#include <sys/mman.h>

#include "unit.h"

/* What t_placed() says of a whole file. */
static int verify(struct gmem *g, uint32_t mode, uint32_t flags,
		  unsigned long mask, struct gmem_placement *out)
{
	struct gmem_mempolicy p = unit_policy(mode, &mask);
	struct gmem_error err = { .sz = sizeof(err) };
	int r;

	p.flags = flags;
	out->sz = sizeof(*out);
	r = t_placed(g, 0, gmem_size(g), &p, out, &err);
	if (r < 0)
		print_error("%s\n", err.msg);
	return r;
}

struct runs {
	struct {
		uint64_t offset, len;
		int node;
	} run[8];
	unsigned int n;
};

static int note_run(void *arg, uint64_t offset, uint64_t len, int node)
{
	struct runs *r = arg;

	assert_true(r->n < T_ARRAY_SIZE(r->run));
	r->run[r->n].offset = offset;
	r->run[r->n].len = len;
	r->run[r->n++].node = node;
	return 0;
}

static void pages_are_counted_on_their_nodes(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 16 * MiB, SHARED_FLAGS);
	uint64_t bytes[2] = { 5, 5 };
	struct gmem_placement out = { .node_bytes = bytes, .node_count = 2 };

	unit_allocate(u, gmem_fd(g), 0, 4 * MiB, 0);
	unit_allocate(u, gmem_fd(g), 8 * MiB, 64 * KiB, 1);
	t_code(verify(g, GMEM_MPOL_BIND, 0, 3, &out), GMEM_PLACED_WELL);
	assert_int_equal(out.resident, 4 * MiB + 64 * KiB);
	assert_int_equal(out.misplaced, 0);
	assert_int_equal(out.unknown, 0);
	assert_int_equal(bytes[0], 4 * MiB);
	assert_int_equal(bytes[1], 64 * KiB);
	/* a node that has no entry is counted in none */
	bytes[1] = 5;
	out.node_count = 1;
	t_code(verify(g, GMEM_MPOL_BIND, 0, 3, &out), GMEM_PLACED_WELL);
	assert_int_equal(bytes[0], 4 * MiB);
	assert_int_equal(bytes[1], 5);
}

/* Whatever the caller's structure said before the call. */
static void each_look_says_why_anew(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 16 * MiB, SHARED_FLAGS);
	struct gmem_placement out = { .why = GMEM_REASON_RANGE_BUSY };

	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 1);
	t_code(verify(g, GMEM_MPOL_BIND, 0, 1, &out), GMEM_PLACED_ELSEWHERE);
	assert_int_equal(out.why, GMEM_REASON_MISPLACED);
	t_code(verify(g, GMEM_MPOL_BIND, 0, 2, &out), GMEM_PLACED_WELL);
	assert_int_equal(out.why, GMEM_REASON_NONE);
}

static void misplaced_runs_are_told_in_order(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 16 * MiB, SHARED_FLAGS);
	struct runs runs = { .n = 0 };
	struct gmem_placement out = { .misplaced_run = note_run, .arg = &runs };

	u->k->nodes = 4;
	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 1);
	unit_allocate(u, gmem_fd(g), 64 * KiB, 3 * MiB, 2);
	unit_allocate(u, gmem_fd(g), 64 * KiB + 3 * MiB, 2 * PAGE, 3);
	unit_allocate(u, gmem_fd(g), 8 * MiB, PAGE, 3);
	unit_allocate(u, gmem_fd(g), 8 * MiB + PAGE, PAGE, 1);
	unit_allocate(u, gmem_fd(g), 16 * MiB - PAGE, PAGE, 0);
	t_code(verify(g, GMEM_MPOL_BIND, 0, 2, &out), GMEM_PLACED_ELSEWHERE);
	assert_int_equal(out.misplaced, 3 * MiB + 4 * PAGE);
	assert_int_equal(out.resident, 3 * MiB + 64 * KiB + 5 * PAGE);
	assert_int_equal(runs.n, 4);
	assert_int_equal(runs.run[0].offset, 64 * KiB);
	assert_int_equal(runs.run[0].len, 3 * MiB);
	assert_int_equal(runs.run[0].node, 2);
	assert_int_equal(runs.run[1].offset, 64 * KiB + 3 * MiB);
	assert_int_equal(runs.run[1].len, 2 * PAGE);
	assert_int_equal(runs.run[1].node, 3);
	assert_int_equal(runs.run[2].offset, 8 * MiB);
	assert_int_equal(runs.run[2].len, PAGE);
	assert_int_equal(runs.run[3].offset, 16 * MiB - PAGE);
	assert_int_equal(runs.run[3].node, 0);
}

static int stop_at_run(void *arg, uint64_t offset, uint64_t len, int node)
{
	(void)offset;
	(void)len;
	(void)node;
	++*(unsigned int *)arg;
	return 1;
}

static void who_stops_at_a_run_is_told_no_other(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned int runs = 0;
	struct gmem_placement out = { .misplaced_run = stop_at_run,
				      .arg = &runs };

	/* all in one batch */
	for (unsigned int i = 0; i < 6; i++)
		unit_allocate(u, gmem_fd(g), i * PAGE, PAGE, i % 2);
	t_code(verify(g, GMEM_MPOL_BIND, 0, 1, &out), -ECANCELED);
	assert_int_equal(runs, 1);
	/* also at the last run, behind which there is nothing to look at */
	g = unit_create(u, MiB, SHARED_FLAGS);
	unit_allocate(u, gmem_fd(g), MiB - PAGE, PAGE, 1);
	runs = 0;
	t_code(verify(g, GMEM_MPOL_BIND, 0, 1, &out), -ECANCELED);
	assert_int_equal(runs, 1);
}

static int note_progress(void *arg, uint64_t done, uint64_t total)
{
	uint64_t *last = arg;

	assert_true(done >= last[0] && done <= total);
	last[0] = done;
	last[1] = total;
	last[2]++;
	return 0;
}

static void the_end_of_a_look_is_told_once(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);

	for (int full = 0; full < 2; full++) {
		uint64_t last[3] = { 0 };
		struct gmem_placement out = { .progress = note_progress,
					      .progress_arg = last };

		unit_allocate(u, gmem_fd(g), 0, full ? MiB : PAGE, 0);
		t_code(verify(g, GMEM_MPOL_BIND, 0, 1, &out), GMEM_PLACED_WELL);
		assert_int_equal(last[0], MiB);
		assert_int_equal(last[1], MiB);
		assert_int_equal(last[2], 1);
	}
}

static void looking_allocates_nothing_and_leaves_no_mapping(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 16 * MiB, SHARED_FLAGS);
	unsigned int maps = unit_mappings(u), n = 0;
	struct gmem_placement out = { .sz = sizeof(out) };
	const struct unit_call *c;

	unit_allocate(u, gmem_fd(g), 64 * KiB, 64 * KiB, 0);
	unit_allocate(u, gmem_fd(g), 8 * MiB, PAGE, 0);
	t_code(verify(g, GMEM_MPOL_BIND, 0, 1, &out), GMEM_PLACED_WELL);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 16 * MiB, -1),
			 64 * KiB + PAGE);
	assert_int_equal(unit_mappings(u), maps);
	for (; (c = unit_nth(u, "mmap", 0, n)); n++) {
		assert_int_equal(c->arg[3], n ? 8 * MiB : 64 * KiB);
		assert_int_equal(c->arg[1], n ? PAGE : 64 * KiB);
	}
	assert_int_equal(n, 2);
	assert_int_equal(unit_count(u, "munmap", 0), 2);
	for (n = 0; (c = unit_nth(u, "madvise", 0, n)); n++)
		assert_true(c->arg[2] == MADV_POPULATE_READ ||
			    c->arg[2] == MADV_DONTFORK ||
			    c->arg[2] == MADV_DONTDUMP);
	assert_int_equal(u->live_allocs, 2); /* VM and file */
}

static void pages_are_asked_for_in_batches(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 16 * MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out) };

	unit_allocate(u, gmem_fd(g), 0, 16 * MiB, 0);
	t_code(verify(g, GMEM_MPOL_BIND, 0, 1, &out), GMEM_PLACED_WELL);
	assert_int_equal(unit_count(u, "mmap", 0), 1);
	assert_int_equal(unit_count(u, "move_pages", 0), 16 * MiB / PAGE / 512);
	assert_int_equal(
		unit_nth(u, "move_pages", 0, 16 * MiB / PAGE / 512 - 1)->arg[1],
		512);
}

static const struct {
	uint32_t mode, flags;
	unsigned long mask;
	int here, nothing; /* verdicts with a page on node 1, and without */
} rows[] = {
	{ GMEM_MPOL_DEFAULT, 0, 0, GMEM_PLACED_WELL, GMEM_PLACED_WELL },
	{ GMEM_MPOL_LOCAL, 0, 0, GMEM_PLACED_WELL, GMEM_PLACED_WELL },
	{ GMEM_MPOL_PREFERRED, 0, 0, GMEM_PLACED_WELL, GMEM_PLACED_WELL },
	{ GMEM_MPOL_PREFERRED, 0, 1, GMEM_PLACED_ELSEWHERE, GMEM_PLACED_WELL },
	{ GMEM_MPOL_PREFERRED, 0, 2, GMEM_PLACED_WELL, GMEM_PLACED_WELL },
	{ GMEM_MPOL_BIND, 0, 1, GMEM_PLACED_ELSEWHERE, GMEM_PLACED_WELL },
	{ GMEM_MPOL_BIND, 0, 2, GMEM_PLACED_WELL, GMEM_PLACED_WELL },
	{ GMEM_MPOL_BIND, GMEM_MPOL_F_STATIC_NODES, 1, GMEM_PLACED_ELSEWHERE,
	  GMEM_PLACED_WELL },
	{ GMEM_MPOL_INTERLEAVE, 0, 3, GMEM_PLACED_WELL, GMEM_PLACED_WELL },
	{ GMEM_MPOL_PREFERRED_MANY, 0, 1, GMEM_PLACED_ELSEWHERE,
	  GMEM_PLACED_WELL },
	{ GMEM_MPOL_BIND, GMEM_MPOL_F_RELATIVE_NODES, 1, GMEM_PLACED_ELSEWHERE,
	  GMEM_PLACED_WELL },
	{ GMEM_MPOL_BIND, GMEM_MPOL_F_RELATIVE_NODES, 2, GMEM_PLACED_WELL,
	  GMEM_PLACED_WELL },
};

static void each_policy_has_its_verdict(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		unit_reset(u);
		t_ok(gmem_discard(g, 0, MiB, NULL, &err), err);
		t_code(verify(g, rows[i].mode, rows[i].flags, rows[i].mask,
			      &out),
		       rows[i].nothing);
		assert_int_equal(out.resident, 0);
		unit_allocate(u, gmem_fd(g), 0, PAGE, 1);
		t_code(verify(g, rows[i].mode, rows[i].flags, rows[i].mask,
			      &out),
		       rows[i].here);
		assert_int_equal(out.resident, PAGE);
		assert_int_equal(out.misplaced,
				 rows[i].here == GMEM_PLACED_ELSEWHERE ? PAGE
								       : 0);
	}
}

static void without_a_policy_it_is_held_against_the_files_own(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };

	unit_allocate(u, gmem_fd(g), 0, PAGE, 0);
	t_code(t_placed(g, 0, MiB, NULL, &out, &err), GMEM_PLACED_WELL);
	for (int i = 0; i < 2; i++) {
		p.flags = i ? GMEM_MPOL_F_STATIC_NODES : 0;
		t_code(gmem_set_mempolicy(g, 0, MiB, &p, 0, &err), 0);
		t_code(t_placed(g, 0, MiB, NULL, &out, &err),
		       GMEM_PLACED_ELSEWHERE);
		assert_int_equal(out.misplaced, PAGE);
		t_ok(gmem_discard(g, 0, MiB, NULL, &err), err);
		t_ok(gmem_populate(g, 0, MiB, NULL, &err), err);
		t_code(t_placed(g, 0, MiB, NULL, &out, &err), GMEM_PLACED_WELL);
		assert_int_equal(out.resident, MiB);
		t_ok(gmem_discard(g, 0, MiB, NULL, &err), err);
		unit_allocate(u, gmem_fd(g), 0, PAGE, 0);
	}
}

static void only_relative_nodes_need_those_of_the_process(void **state)
{
	static const uint32_t flags[] = { 0, GMEM_MPOL_F_STATIC_NODES,
					  GMEM_MPOL_F_RELATIVE_NODES };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out) };

	for (unsigned int i = 0; i < 3; i++) {
		unit_reset(u);
		t_code(verify(g, GMEM_MPOL_BIND, flags[i], 1, &out),
		       GMEM_PLACED_WELL);
		assert_int_equal(unit_count(u, "get_mempolicy", 0), i == 2);
	}
}

/* Such a kernel shows one of a mapping, and pages do not follow it. */
static void a_policy_that_is_not_kept_is_not_asked_for(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };

	unit_allocate(u, gmem_fd(g), 0, MiB, 1);
	unit_reset(u);
	t_code(t_placed(g, 0, MiB, NULL, &out, &err), GMEM_PLACED_WELL);
	assert_int_equal(unit_count(u, "get_mempolicy", 0), 0);
}

static void what_can_not_be_mapped_is_unknown(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, GMEM_CREATE_UNBOUND);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };

	t_code(t_placed(g, 0, MiB, NULL, &out, &err), GMEM_PLACED_WELL);
	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 0);
	t_code(t_placed(g, 0, MiB, NULL, &out, &err), GMEM_PLACED_UNKNOWN);
	assert_int_equal(out.resident, 64 * KiB);
	assert_int_equal(out.unknown, 64 * KiB);
	t_code(verify(g, GMEM_MPOL_BIND, 0, 1, &out), GMEM_PLACED_UNKNOWN);
	assert_int_equal(out.unknown, 64 * KiB);
	assert_int_equal(out.why, GMEM_REASON_NOT_MAPPABLE);
	assert_int_equal(unit_count(u, "mmap", 0), 0);
}

static void private_pages_are_unknown_and_not_looked_at(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err;

	t_ok(gmem_set_private(g, 64 * KiB, 64 * KiB, &err), err);
	unit_allocate(u, gmem_fd(g), 0, 256 * KiB, 0);
	unit_reset(u);
	t_code(verify(g, GMEM_MPOL_BIND, 0, 1, &out), GMEM_PLACED_UNKNOWN);
	assert_int_equal(out.resident, 256 * KiB);
	assert_int_equal(out.unknown, 64 * KiB);
	assert_int_equal(unit_count(u, "mmap", 0), 2);
	assert_int_equal(unit_nth(u, "mmap", 0, 1)->arg[3], 128 * KiB);
	/* a misplaced page is one, whatever is unknown besides */
	u->k->nodes = 2;
	t_code(verify(g, GMEM_MPOL_BIND, 0, 2, &out), GMEM_PLACED_ELSEWHERE);
	assert_int_equal(out.misplaced, 192 * KiB);
	assert_int_equal(out.unknown, 64 * KiB);
}

static void what_the_kernel_does_not_tell_is_unknown(void **state)
{
	const struct {
		const char *call;
		int code;
		unsigned int nth;
		uint64_t unknown;
		uint32_t why;
	} faults[] = {
		{ "move_pages", -EPERM, 2, 512 * PAGE,
		  GMEM_REASON_ACCESS_DENIED },
		{ "move_pages", -EACCES, 2, 512 * PAGE,
		  GMEM_REASON_ACCESS_DENIED },
		{ "move_pages", -ENOSYS, 2, 512 * PAGE,
		  GMEM_REASON_PLACEMENT_UNKNOWN },
		/* after the two of the mapping; private meanwhile */
		{ "madvise", -EFAULT, 4, 512 * PAGE,
		  GMEM_REASON_PLACEMENT_UNKNOWN },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1024 * PAGE, SHARED_FLAGS);
	unsigned int maps = unit_mappings(u);
	struct gmem_placement out = { .sz = sizeof(out) };

	unit_allocate(u, gmem_fd(g), 0, 1024 * PAGE, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(faults); i++) {
		unit_reset(u);
		unit_answer(u, faults[i].call, 0, faults[i].nth, 1,
			    faults[i].code);
		t_code(verify(g, GMEM_MPOL_BIND, 0, 1, &out),
		       GMEM_PLACED_UNKNOWN);
		assert_int_equal(out.resident, 1024 * PAGE);
		assert_int_equal(out.unknown, faults[i].unknown);
		assert_int_equal(out.why, faults[i].why);
		assert_int_equal(unit_mappings(u), maps);
	}
}

static void without_cachestat_nothing_is_said_nor_changed(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out), .resident = 7 };
	struct gmem_error err;

	u->lacks = "cachestat";
	t_refused(t_placed(g, 0, MiB, NULL, &out, &err), -EOPNOTSUPP,
		  GMEM_REASON_RESIDENCY_UNKNOWN, err);
	assert_int_equal(err.sys_errno, ENOSYS);
	assert_int_equal(out.resident, 7);
}

static void bad_arguments_are_refused_before_any_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out) };
	unsigned long mask = 0;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err;

	t_refused(t_placed(NULL, 0, MiB, NULL, &out, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(t_placed(g, 0, MiB, NULL, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(t_placed(g, 0, 0, NULL, &out, &err), -EINVAL,
		  GMEM_REASON_ZERO_SIZE, err);
	t_refused(t_placed(g, 8, PAGE, NULL, &out, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	t_refused(t_placed(g, PAGE, MiB, NULL, &out, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	t_refused(t_placed(g, 0, MiB, &p, &out, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	out.sz = 95;
	t_refused(t_placed(g, 0, MiB, NULL, &out, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	assert_int_equal(err.limit, 96);
	assert_int_equal(u->n_calls, 0);
}

static void what_a_newer_caller_has_beyond_is_zero(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out) };
	union unit_newer n = unit_newer(&out, sizeof(out), 1);
	struct gmem_error err = { .sz = sizeof(err) };

	unit_allocate(u, gmem_fd(g), 0, 2 * PAGE, 0);
	t_code(t_placed(g, 0, MiB, NULL, (void *)&n, &err), GMEM_PLACED_WELL);
	assert_int_equal(n.b[sizeof(out)], 0);
	memcpy(&out, &n, sizeof(out));
	assert_int_equal(out.sz, sizeof(out) + 8);
	assert_int_equal(out.resident, 2 * PAGE);
}

static void a_number_of_nodes_without_room_for_them_is_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_placement out = { .node_count = 2 };

	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 1);
	t_code(verify(g, GMEM_MPOL_BIND, 0, 3, &out), GMEM_PLACED_WELL);
	assert_int_equal(out.resident, 64 * KiB);
}

/* Shared, but without a mapping nobody can look. */
static void shared_pages_of_an_unmappable_file_are_unknown(void **state)
{
	static const uint64_t flags[] = { 0, GMEM_CREATE_UNBOUND };
	struct unit *u = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		struct gmem *g = unit_create(u, MiB, flags[i]);
		struct gmem_placement out = { .sz = sizeof(out) };
		struct gmem_error err;

		t_ok(t_share(g, 0, MiB, &err), err);
		t_ok(gmem_populate(g, 0, MiB, NULL, &err), err);
		unit_reset(u);
		t_code(verify(g, GMEM_MPOL_BIND, 0, 1, &out),
		       GMEM_PLACED_UNKNOWN);
		assert_int_equal(out.unknown, MiB);
		assert_int_equal(unit_count(u, "mmap", 0), 0);
	}
}

static void cancel_after(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)arg;
	if (!strcmp(c->name, "move_pages"))
		*(int *)u->hook_arg = 1;
}

/* And not only where the next mapping would begin. */
static void a_cancel_ends_the_look_between_two_batches(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 16 * MiB, SHARED_FLAGS);
	int cancel = 0;
	struct gmem_placement out = { .sz = sizeof(out), .cancel = &cancel };
	struct gmem_error err = { .sz = sizeof(err) };
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);

	unit_allocate(u, gmem_fd(g), 0, 16 * MiB, 0);
	u->hook = cancel_after;
	u->hook_arg = &cancel;
	t_code(t_placed(g, 0, 16 * MiB, &p, &out, &err), -ECANCELED);
	u->hook = NULL;
	assert_int_equal(err.done, 512 * u->page);
	assert_int_equal(unit_count(u, "move_pages", 0), 1);
}

static void a_failed_search_for_pages_is_no_answer(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err;
	unsigned int nth;

	unit_allocate(u, gmem_fd(g), 256 * KiB, 64 * KiB, 0);
	for (nth = 1;; nth++) {
		unit_reset(u);
		unit_answer(u, "cachestat", 0, nth, 1, -EPERM);
		err = (struct gmem_error){ .sz = sizeof(err) };
		if (t_placed(g, 0, MiB, NULL, &out, &err) >= 0)
			break;
		t_reason(&err, GMEM_REASON_RESIDENCY_UNKNOWN);
	}
	/* when none of those that it made had failed */
	assert_int_equal(nth, unit_count(u, "cachestat", 0) + 1);
	assert_true(nth > 4);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(pages_are_counted_on_their_nodes, unit_obeyed),
		TEST(each_look_says_why_anew, unit_obeyed),
		TEST(misplaced_runs_are_told_in_order, unit_obeyed),
		TEST(who_stops_at_a_run_is_told_no_other, unit_default),
		TEST(the_end_of_a_look_is_told_once, unit_default),
		TEST(a_policy_that_is_not_kept_is_not_asked_for, unit_default),
		TEST(looking_allocates_nothing_and_leaves_no_mapping,
		     unit_obeyed),
		TEST(pages_are_asked_for_in_batches, unit_obeyed),
		TEST(each_policy_has_its_verdict, unit_obeyed),
		TEST(only_relative_nodes_need_those_of_the_process,
		     unit_obeyed),
		TEST(without_a_policy_it_is_held_against_the_files_own,
		     unit_obeyed),
		TEST(what_can_not_be_mapped_is_unknown, unit_obeyed),
		TEST(private_pages_are_unknown_and_not_looked_at, unit_inplace),
		TEST(what_the_kernel_does_not_tell_is_unknown, unit_obeyed),
		TEST(without_cachestat_nothing_is_said_nor_changed,
		     unit_obeyed),
		TEST(bad_arguments_are_refused_before_any_call, unit_obeyed),
		TEST(what_a_newer_caller_has_beyond_is_zero, unit_obeyed),
		TEST(a_number_of_nodes_without_room_for_them_is_nothing,
		     unit_obeyed),
		TEST(shared_pages_of_an_unmappable_file_are_unknown,
		     unit_inplace),
		TEST(a_cancel_ends_the_look_between_two_batches, unit_obeyed),
		TEST(a_failed_search_for_pages_is_no_answer, unit_obeyed),
	};

	return t_main(tests);
}
