// SPDX-License-Identifier: MIT
/* NUMA policies, and the nodes where pages really are. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "live.h"

#define MiB (1ULL << 20)
#define SIZE (16 * MiB)
#define NODES 1024
#define NODE_BITS (8 * sizeof(unsigned long))

#define MPOL_F_MEMS_ALLOWED 4

/* The last node that this process may use, and the number of nodes. */
static unsigned int last_node(unsigned int *count)
{
	unsigned long mask[NODES / NODE_BITS] = { 0 };
	unsigned int last = 0;

	assert_int_equal(syscall(SYS_get_mempolicy, NULL, mask, NODES, NULL,
				 MPOL_F_MEMS_ALLOWED),
			 0);
	*count = 0;
	for (unsigned int i = 0; i < NODES; i++)
		if (mask[i / NODE_BITS] >> i % NODE_BITS & 1) {
			last = i;
			++*count;
		}
	return last;
}

struct policy {
	unsigned long mask[NODES / NODE_BITS];
	struct gmem_mempolicy p;
};

static const struct gmem_mempolicy *on_node(struct policy *p, uint32_t mode,
					    unsigned int node)
{
	memset(p, 0, sizeof(*p));
	p->mask[node / NODE_BITS] = 1UL << node % NODE_BITS;
	p->p = (struct gmem_mempolicy){
		.sz = sizeof(p->p),
		.mode = mode,
		.nodes = p->mask,
		.max_node = NODES,
	};
	return &p->p;
}

static struct gmem *start(struct live *l, uint64_t flags)
{
	live_need("numa");
	live_need("residency");
	live_need(flags & GMEM_CREATE_INIT_SHARED ? "init-shared"
						  : "guest-memfd");
	live_vm(l, GMEM_VM_DEFAULT);
	return live_file(l, SIZE / l->page, flags);
}

static bool obeyed(struct live *l)
{
	return gmem_vm_has(l->vm, GMEM_FEATURE_MEMPOLICY);
}

static void a_policy_is_kept_by_the_file_or_refused(void **state)
{
	struct live *l = *state;
	struct gmem *g = start(l, LIVE_SHARED);
	unsigned int count, node = last_node(&count);
	struct policy p, got;

	on_node(&p, GMEM_MPOL_BIND, node);
	if (!obeyed(l)) {
		/* The nodes are looked at first, which takes a call. */
		t_refused(gmem_set_mempolicy(g, 0, SIZE, &p.p, 0, &l->err),
			  -EOPNOTSUPP, GMEM_REASON_POLICY_IGNORED, l->err);
	} else {
		t_code(gmem_set_mempolicy(g, MiB, MiB, &p.p, 0, &l->err), 0);
		on_node(&got, 0, 0);
		live_ok(l, t_get_mempolicy(g, MiB, &got.p, &l->err));
		assert_int_equal(got.p.mode, GMEM_MPOL_BIND);
		assert_memory_equal(got.mask, p.mask, sizeof(got.mask));
	}
	on_node(&got, GMEM_MPOL_BIND, 0);
	live_ok(l, t_get_mempolicy(g, 4 * MiB, &got.p, &l->err));
	assert_int_equal(got.p.mode, GMEM_MPOL_DEFAULT);
}

static void a_file_that_can_not_be_mapped_takes_no_policy(void **state)
{
	struct live *l = *state;
	struct gmem *g = start(l, GMEM_CREATE_UNBOUND);
	struct policy p;

	t_refused(gmem_set_mempolicy(g, 0, SIZE, on_node(&p, GMEM_MPOL_BIND, 0),
				     0, &l->err),
		  -EOPNOTSUPP, GMEM_REASON_POLICY_UNMAPPABLE, l->err);
}

static void policies_that_name_no_possible_node_are_refused(void **state)
{
	struct live *l = *state;
	struct gmem_populate_opts o = { .sz = sizeof(o) };
	struct gmem *g = start(l, LIVE_SHARED);
	struct policy p;

	o.policy = on_node(&p, GMEM_MPOL_LOCAL, 0);
	live_refused(l, gmem_populate(g, 0, SIZE, &o, &l->err), -EINVAL,
		     GMEM_REASON_POLICY_NODES);
	p.p.mode = GMEM_MPOL_BIND;
	p.mask[0] = 0;
	live_refused(l, gmem_populate(g, 0, SIZE, &o, &l->err), -EINVAL,
		     GMEM_REASON_POLICY_NODES);
	on_node(&p, GMEM_MPOL_BIND, NODES - 1);
	t_refused(gmem_populate(g, 0, SIZE, &o, &l->err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, l->err);
	assert_int_equal(raw_resident(gmem_fd(g), 0, SIZE), 0);
}

/* Works on every kernel; the thread that asks keeps its own policy. */
static void populate_places_what_it_makes(void **state)
{
	struct live *l = *state;
	struct gmem_populate_opts o = { .sz = sizeof(o), .threads = 2 };
	struct gmem_placement at = { .sz = sizeof(at) };
	struct gmem *g = start(l, LIVE_SHARED);
	unsigned int count, node = last_node(&count);
	uint64_t bytes[NODES];
	struct policy p;
	int mode = -1;

	o.policy = on_node(&p, GMEM_MPOL_BIND, node);
	t_code(gmem_populate(g, 0, SIZE, &o, &l->err), 0);
	at.node_bytes = bytes;
	at.node_count = NODES;
	t_code(t_placed(g, 0, SIZE, &p.p, &at, &l->err), GMEM_PLACED_WELL);
	assert_int_equal(at.resident, SIZE);
	assert_int_equal(at.misplaced, 0);
	assert_int_equal(bytes[node], SIZE);
	assert_int_equal(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0),
			 0);
	assert_int_equal(mode, GMEM_MPOL_DEFAULT);
}

static void a_set_policy_places_what_is_allocated_later(void **state)
{
	struct live *l = *state;
	struct gmem_placement at = { .sz = sizeof(at) };
	struct gmem *g = start(l, LIVE_SHARED);
	unsigned int count, node = last_node(&count);
	struct policy p;
	char c = 1;

	live_need("mempolicy");
	on_node(&p, GMEM_MPOL_BIND, node);
	t_code(gmem_set_mempolicy(g, 0, SIZE, &p.p, 0, &l->err), 0);
	live_ok(l, gmem_write(g, 3 * MiB, &c, 1, &l->err));
	assert_int_equal(fallocate(gmem_fd(g), FALLOC_FL_KEEP_SIZE,
				   (off_t)(8 * MiB), (off_t)MiB),
			 0);
	t_code(t_placed(g, 0, SIZE, NULL, &at, &l->err), GMEM_PLACED_WELL);
	assert_int_equal(at.resident, MiB + l->page);
}

struct runs {
	uint64_t offset[4], len[4];
	unsigned int n;
};

static int note_run(void *arg, uint64_t offset, uint64_t len, int node)
{
	struct runs *r = arg;

	(void)node;
	if (r->n < T_ARRAY_SIZE(r->offset)) {
		r->offset[r->n] = offset;
		r->len[r->n] = len;
	}
	r->n++;
	return 0;
}

/* The policy to verify need not exist: a node without memory suffices. */
static void misplaced_runs_are_told_and_nothing_is_allocated(void **state)
{
	struct live *l = *state;
	struct runs runs = { .n = 0 };
	struct gmem_placement at = {
		.sz = sizeof(at),
		.misplaced_run = note_run,
		.arg = &runs,
	};
	struct gmem *g = start(l, LIVE_SHARED);
	struct policy p;

	on_node(&p, GMEM_MPOL_BIND, NODES - 1);
	assert_int_equal(fallocate(gmem_fd(g), FALLOC_FL_KEEP_SIZE, (off_t)MiB,
				   (off_t)(2 * l->page)),
			 0);
	assert_int_equal(fallocate(gmem_fd(g), FALLOC_FL_KEEP_SIZE,
				   (off_t)(9 * MiB), (off_t)l->page),
			 0);
	t_code(t_placed(g, 0, SIZE, &p.p, &at, &l->err), GMEM_PLACED_ELSEWHERE);
	assert_int_equal(at.resident, 3 * l->page);
	assert_int_equal(at.misplaced, 3 * l->page);
	assert_int_equal(at.unknown, 0);
	assert_int_equal(runs.n, 2);
	assert_int_equal(runs.offset[0], MiB);
	assert_int_equal(runs.len[0], 2 * l->page);
	assert_int_equal(runs.offset[1], 9 * MiB);
	assert_int_equal(runs.len[1], l->page);
	assert_int_equal(raw_resident(gmem_fd(g), 0, SIZE), 3);
}

static void strict_refuses_a_range_with_pages_elsewhere(void **state)
{
	struct live *l = *state;
	struct gmem *g = start(l, LIVE_SHARED);
	struct policy p, got;
	char c = 1;

	live_need("mempolicy");
	on_node(&p, GMEM_MPOL_BIND, 0);
	live_ok(l, gmem_set_mempolicy(g, 0, SIZE, &p.p, 0, &l->err));
	live_ok(l, gmem_write(g, 0, &c, 1, &l->err));
	on_node(&p, GMEM_MPOL_BIND, 1);
	t_refused(gmem_set_mempolicy(g, 0, SIZE, &p.p, GMEM_MEMPOLICY_STRICT,
				     &l->err),
		  -EIO, GMEM_REASON_MISPLACED, l->err);
	on_node(&got, GMEM_MPOL_BIND, 0);
	live_ok(l, t_get_mempolicy(g, 0, &got.p, &l->err));
	assert_int_equal(got.p.mode, GMEM_MPOL_BIND);
	assert_int_equal(got.p.nodes[0], 1);
}

static void placement_of_what_the_host_can_not_see_is_unknown(void **state)
{
	struct live *l = *state;
	struct gmem_placement at = { .sz = sizeof(at) };
	struct gmem *g = start(l, GMEM_CREATE_UNBOUND);
	struct policy p;

	live_ok(l, gmem_populate(g, 0, MiB, NULL, &l->err));
	on_node(&p, GMEM_MPOL_BIND, 0);
	t_code(t_placed(g, 0, SIZE, &p.p, &at, &l->err), GMEM_PLACED_UNKNOWN);
	assert_int_equal(at.resident, MiB);
	assert_int_equal(at.unknown, MiB);
	t_code(t_placed(g, 0, SIZE, NULL, &at, &l->err), GMEM_PLACED_UNKNOWN);
}

/* A file without a VM was never probed: its file system shows it. */
static void a_file_without_a_vm_has_the_same_answers(void **state)
{
	struct live *l = *state;
	struct gmem_adopt_opts o = {
		.sz = sizeof(o),
		.flags = GMEM_ADOPT_INIT_SHARED,
	};
	struct gmem *alone = NULL, *g = start(l, LIVE_SHARED);
	struct policy p;
	int r;

	live_ok(l, gmem_adopt(NULL, dup(gmem_fd(g)), &o, &alone, &l->err));
	on_node(&p, GMEM_MPOL_BIND, 0);
	l->err = (struct gmem_error){ .sz = sizeof(l->err) };
	r = gmem_set_mempolicy(alone, 0, SIZE, &p.p, 0, &l->err);
	t_code(gmem_close(alone, NULL), 0);
	if (obeyed(l)) {
		t_code(r, 0);
	} else {
		t_code(r, -EOPNOTSUPP);
		t_reason(&l->err, GMEM_REASON_POLICY_IGNORED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		live_test(a_policy_is_kept_by_the_file_or_refused),
		live_test(a_file_that_can_not_be_mapped_takes_no_policy),
		live_test(policies_that_name_no_possible_node_are_refused),
		live_test(populate_places_what_it_makes),
		live_test(a_set_policy_places_what_is_allocated_later),
		live_test(misplaced_runs_are_told_and_nothing_is_allocated),
		live_test(strict_refuses_a_range_with_pages_elsewhere),
		live_test(placement_of_what_the_host_can_not_see_is_unknown),
		live_test(a_file_without_a_vm_has_the_same_answers),
	};

	return t_main(tests);
}
