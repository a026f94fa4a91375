// SPDX-License-Identifier: MIT
/* On which node pages are allocated; needs a machine with two. */
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "live.h"

#define HERE 0 /* the node that the tests run on */
#define THERE 1
#define PAGES 16
#define LARGE (32UL << 20)

/* A file that the host can map, on a VM whose policy feature is known. */
static void start(struct live *l)
{
	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, PAGES, LIVE_SHARED);
}

static bool obeys(const struct live *l)
{
	return gmem_vm_has(l->vm, GMEM_FEATURE_MEMPOLICY);
}

static int node_of(void *page)
{
	int node = -1;

	(void)*(volatile unsigned char *)page;
	assert_int_equal(syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, 0),
			 0);
	return node;
}

static void bind_to(void *at, size_t len, int node)
{
	unsigned long nodes = 1UL << node;

	assert_int_equal(syscall(SYS_mbind, at, len, MPOL_BIND, &nodes,
				 8 * sizeof(nodes), 0),
			 0);
}

/* The thread's own policy; none for a negative @node. */
static void prefer(int node)
{
	unsigned long nodes = node < 0 ? 0 : 1UL << node;

	assert_int_equal(syscall(SYS_set_mempolicy,
				 node < 0 ? MPOL_DEFAULT : MPOL_BIND,
				 node < 0 ? NULL : &nodes, 8 * sizeof(nodes)),
			 0);
}

static void assert_all_on(struct live *l, unsigned char *map, int node)
{
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(node_of(map + i * l->page), node);
}

static void a_touch_obeys_where_the_feature_says_so(void **state)
{
	struct live *l = *state;
	unsigned char *one, *other;

	start(l);
	one = raw_map(l, gmem_fd(l->g), PAGES * l->page, PROT_READ);
	other = raw_map(l, gmem_fd(l->g), PAGES * l->page, PROT_READ);
	bind_to(one, PAGES * l->page, THERE);
	assert_all_on(l, other, obeys(l) ? THERE : HERE);
}

static void fallocate_obeys_where_the_feature_says_so(void **state)
{
	struct live *l = *state;
	unsigned char *map;

	start(l);
	map = raw_map(l, gmem_fd(l->g), PAGES * l->page, PROT_READ);
	bind_to(map, PAGES * l->page, THERE);
	assert_int_equal(fallocate(gmem_fd(l->g), FALLOC_FL_KEEP_SIZE, 0,
				   PAGES * l->page),
			 0);
	assert_all_on(l, map, obeys(l) ? THERE : HERE);
}

static void a_guest_obeys_where_the_feature_says_so(void **state)
{
	struct live *l = *state;
	unsigned char *map, *page;

	start(l);
	live_file(l, LIVE_RAM / l->page, LIVE_SHARED);
	map = raw_map(l, gmem_fd(l->g), LIVE_RAM, PROT_READ);
	bind_to(map, LIVE_RAM, THERE);
	guest_load(l, l->g, 0, "four");
	live_ok(l, t_bind(l->g, 0, 0, 0, LIVE_RAM, NULL, &l->err));
	page = map + guest_result() / l->page * l->page;
	t_code(guest_run(l), 4);
	assert_int_equal(node_of(page), obeys(l) ? THERE : HERE);
}

/* A new mapping ignores the removal of a policy, and the file would keep it. */
static void default_takes_the_policy_of_another_mapping_away(void **state)
{
	const struct gmem_mempolicy none = { .sz = sizeof(none),
					     .mode = GMEM_MPOL_DEFAULT };
	struct live *l = *state;
	unsigned char *map;

	start(l);
	live_need("mempolicy");
	map = raw_map(l, gmem_fd(l->g), PAGES * l->page, PROT_READ);
	bind_to(map, PAGES * l->page, THERE);
	assert_int_equal(node_of(map), THERE);
	live_ok(l, gmem_set_mempolicy(l->g, 0, PAGES * l->page, &none, 0,
				      &l->err));
	assert_int_equal(node_of(map + l->page), HERE);
}

/* A part of a file with a policy, the rest without. */
static void a_policy_is_of_a_range(void **state)
{
	struct live *l = *state;
	unsigned char *map;

	start(l);
	map = raw_map(l, gmem_fd(l->g), PAGES * l->page, PROT_READ);
	bind_to(map + 4 * l->page, l->page, THERE);
	assert_int_equal(node_of(map + 3 * l->page), HERE);
	assert_int_equal(node_of(map + 4 * l->page), obeys(l) ? THERE : HERE);
	assert_int_equal(node_of(map + 5 * l->page), HERE);
}

/* Populating with a policy relies on this on every kernel. */
static void the_threads_policy_counts_without_one(void **state)
{
	struct live *l = *state;
	unsigned char *map;

	start(l);
	map = raw_map(l, gmem_fd(l->g), PAGES * l->page, PROT_READ);
	prefer(THERE);
	assert_int_equal(fallocate(gmem_fd(l->g), FALLOC_FL_KEEP_SIZE, 0,
				   PAGES / 2 * l->page),
			 0);
	prefer(-1);
	assert_int_equal(node_of(map), THERE);
	assert_int_equal(node_of(map + (PAGES / 2 - 1) * l->page), THERE);
	assert_int_equal(node_of(map + PAGES / 2 * l->page), HERE);
}

static void populate_places_pages_of_unmappable_files(void **state)
{
	struct live *l = *state;
	int64_t before[2], grown[2];
	unsigned long nodes = 1UL << THERE;
	struct gmem_mempolicy policy = {
		.sz = sizeof(policy),
		.mode = GMEM_MPOL_BIND,
		.nodes = &nodes,
		.max_node = 8 * sizeof(nodes),
	};
	struct gmem_populate_opts opts = { .sz = sizeof(opts),
					   .policy = &policy };

	live_need("private-memory");
	live_vm(l, GMEM_VM_SW_PROTECTED);
	live_file(l, LARGE / l->page, 0);
	for (int i = 0; i < 2; i++)
		before[i] = live_guest_memory(i);
	t_code(gmem_populate(l->g, 0, LARGE, &opts, &l->err), 0);
	for (int i = 0; i < 2; i++)
		grown[i] = live_guest_memory(i) - before[i];
	/* new pages may wait on a CPU's list, not counted yet */
	assert_true(grown[THERE] > (int64_t)LARGE - (2 << 20));
	assert_true(grown[HERE] < 2 << 20);
}

int main(void)
{
	const struct CMUnitTest policy[] = {
		live_test(a_touch_obeys_where_the_feature_says_so),
		live_test(fallocate_obeys_where_the_feature_says_so),
		live_test(a_guest_obeys_where_the_feature_says_so),
		live_test(default_takes_the_policy_of_another_mapping_away),
		live_test(a_policy_is_of_a_range),
		live_test(the_threads_policy_counts_without_one),
		live_test(populate_places_pages_of_unmappable_files),
	};
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(0, &here);
	if (sched_setaffinity(0, sizeof(here), &here) < 0) {
		perror("sched_setaffinity");
		return 1;
	}
	return t_main(policy);
}
