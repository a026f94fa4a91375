// SPDX-License-Identifier: MIT
/*
 * Which nodes a policy may name, and where the kernel then puts pages.  Two
 * nodes or more have memory; the one after them, if the machine has it, has
 * none.
 */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "live.h"

#define PAGES 16
#define ABSENT 9
#define CGROUP "/tmp/vm-nodes"

#define MPOL_F_MEMS_ALLOWED 4

static unsigned int empty; /* the first node without memory */
static char may_use[64];   /* the others, as errors say it */

static int learn_nodes(void)
{
	unsigned long mask[16] = { 0 };

	if (syscall(SYS_get_mempolicy, NULL, mask, 1024, NULL,
		    MPOL_F_MEMS_ALLOWED) < 0)
		return -1;
	empty = (unsigned int)__builtin_ctzl(~mask[0]);
	(void)snprintf(may_use, sizeof(may_use), "this process may use 0-%u",
		       empty - 1);
	return empty < 2 ? -1 : 0;
}

static struct gmem_mempolicy policy(uint32_t mode, unsigned long *nodes)
{
	return (struct gmem_mempolicy){
		.sz = sizeof(struct gmem_mempolicy),
		.mode = mode,
		.nodes = nodes,
		.max_node = 8 * sizeof(*nodes),
	};
}

static void start(struct live *l)
{
	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, PAGES, LIVE_SHARED);
}

static int populate(struct live *l, const struct gmem_mempolicy *p)
{
	struct gmem_populate_opts o = { .sz = sizeof(o), .policy = p };

	return gmem_populate(l->g, 0, PAGES * l->page, &o, &l->err);
}

static int set(struct live *l, const struct gmem_mempolicy *p)
{
	return gmem_set_mempolicy(l->g, 0, PAGES * l->page, p, 0, &l->err);
}

/* The verdict, for the whole file. */
static int placed(struct live *l, const struct gmem_mempolicy *p)
{
	struct gmem_placement out = { .sz = sizeof(out) };

	return t_placed(l->g, 0, PAGES * l->page, p, &out, &l->err);
}

/* Both ways refuse it, and nothing is allocated. */
static void refused(struct live *l, const struct gmem_mempolicy *p,
		    unsigned int node, const char *why)
{
	t_refused(set(l, p), -EINVAL, GMEM_REASON_POLICY_NODES, l->err);
	assert_int_equal(l->err.value, node);
	assert_non_null(strstr(l->err.msg, why));
	t_refused(populate(l, p), -EINVAL, GMEM_REASON_POLICY_NODES, l->err);
	assert_int_equal(l->err.value, node);
	assert_non_null(strstr(l->err.msg, why));
	if (live_has("residency"))
		assert_int_equal(
			raw_resident(gmem_fd(l->g), 0, PAGES * l->page), 0);
}

static void a_node_that_is_not_online_is_refused(void **state)
{
	unsigned long nodes = 1UL << 1 | 1UL << ABSENT;
	struct gmem_mempolicy p = policy(GMEM_MPOL_INTERLEAVE, &nodes);
	struct live *l = *state;

	start(l);
	refused(l, &p, ABSENT, "is not online");
	assert_non_null(strstr(l->err.msg, may_use));
	p.flags = GMEM_MPOL_F_STATIC_NODES;
	refused(l, &p, ABSENT, "is not online");
}

static void a_node_without_memory_is_refused(void **state)
{
	unsigned long nodes = 1UL << 1 | 1UL << empty | 1UL << ABSENT;
	struct gmem_mempolicy p = policy(GMEM_MPOL_BIND, &nodes);
	struct live *l = *state;

	if (live_guest_memory((int)empty) < 0)
		t_not_applicable("empty-node", "no node is without memory");
	start(l);
	refused(l, &p, empty, "has no memory");
	assert_non_null(strstr(l->err.msg, may_use));
	p.mode = GMEM_MPOL_PREFERRED_MANY;
	refused(l, &p, empty, "has no memory");
}

/* -------------------------------------------------------------- cpuset -- */

static int put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

static void leave_cpuset(void)
{
	(void)put(CGROUP "/cgroup.procs", "0");
	/* A thread that has ended may be in it for a moment still. */
	while (rmdir(CGROUP "/one") < 0 && errno == EBUSY)
		(void)usleep(1000);
	(void)umount2(CGROUP, MNT_DETACH);
	(void)rmdir(CGROUP);
}

static int end_cpuset(void **state)
{
	leave_cpuset();
	return live_teardown(state);
}

/* From now on this process may allocate on node 0 alone. */
static void enter_cpuset(void)
{
	if (mkdir(CGROUP, 0700) < 0 ||
	    mount("none", CGROUP, "cgroup2", 0, NULL) < 0 ||
	    put(CGROUP "/cgroup.subtree_control", "+cpuset") < 0)
		t_not_applicable("cpuset", "the kernel has no cpusets");
	assert_int_equal(mkdir(CGROUP "/one", 0700), 0);
	assert_int_equal(put(CGROUP "/one/cpuset.mems", "0"), 0);
	assert_int_equal(put(CGROUP "/one/cgroup.procs", "0"), 0);
}

static void a_node_outside_of_the_cpuset_is_refused(void **state)
{
	unsigned long nodes = 3;
	struct gmem_mempolicy p = policy(GMEM_MPOL_INTERLEAVE, &nodes);
	struct live *l = *state;

	enter_cpuset();
	start(l);
	refused(l, &p, 1,
		"is not in the cpuset of this process; this process "
		"may use 0");
	p.flags = GMEM_MPOL_F_STATIC_NODES;
	refused(l, &p, 1, "is not in the cpuset");
	nodes = 1UL << ABSENT;
	refused(l, &p, ABSENT, "is not online");
	nodes = 1;
	live_ok(l, populate(l, &p));
}

/* The second of one node is the first again. */
static void relative_nodes_are_counted_in_the_cpuset(void **state)
{
	unsigned long nodes = 2;
	struct gmem_mempolicy p = policy(GMEM_MPOL_BIND, &nodes);
	struct live *l = *state;

	enter_cpuset();
	start(l);
	p.flags = GMEM_MPOL_F_RELATIVE_NODES;
	live_ok(l, populate(l, &p));
	if (!live_has("residency"))
		return;
	t_code(placed(l, &p), GMEM_PLACED_WELL);
	/* node 1 may be verified against, by who cannot allocate there */
	p.flags = 0;
	t_code(placed(l, &p), GMEM_PLACED_ELSEWHERE);
}

/* --------------------------------------------------------------- verify -- */

static void preferred_takes_the_first_node_alone(void **state)
{
	unsigned long nodes = 3;
	struct gmem_mempolicy p = policy(GMEM_MPOL_PREFERRED, &nodes);
	struct live *l = *state;

	live_need("residency");
	start(l);
	live_ok(l, populate(l, &p));
	t_code(placed(l, &p), GMEM_PLACED_WELL);
	nodes = 1;
	t_code(placed(l, &p), GMEM_PLACED_WELL);
	nodes = 2;
	t_code(placed(l, &p), GMEM_PLACED_ELSEWHERE);
	live_ok(l, gmem_discard(l->g, 0, PAGES * l->page, NULL, &l->err));
	live_ok(l, populate(l, &p));
	nodes = 3;
	t_code(placed(l, &p), GMEM_PLACED_ELSEWHERE);
}

static void each_range_is_verified_against_its_own_policy(void **state)
{
	unsigned long nodes = 1;
	struct gmem_mempolicy p = policy(GMEM_MPOL_BIND, &nodes);
	struct live *l = *state;

	live_need("mempolicy");
	live_need("residency");
	start(l);
	live_ok(l, set(l, &p));
	nodes = 2;
	live_ok(l,
		gmem_set_mempolicy(l->g, 4 * l->page, l->page, &p, 0, &l->err));
	live_ok(l, populate(l, NULL));
	t_code(placed(l, NULL), GMEM_PLACED_WELL);
	t_code(placed(l, &p), GMEM_PLACED_ELSEWHERE);
	live_ok(l,
		gmem_set_mempolicy(l->g, 5 * l->page, l->page, &p, 0, &l->err));
	t_code(placed(l, NULL), GMEM_PLACED_ELSEWHERE);
}

static void the_policy_of_the_file_decides(void **state)
{
	unsigned long nodes = 1;
	struct gmem_mempolicy p = policy(GMEM_MPOL_BIND, &nodes);
	struct live *l = *state;

	live_need("mempolicy");
	start(l);
	live_ok(l,
		gmem_set_mempolicy(l->g, 7 * l->page, l->page, &p, 0, &l->err));
	live_ok(l, populate(l, &p));
	nodes = 2;
	t_refused(populate(l, &p), -EINVAL, GMEM_REASON_POLICY_OF_FILE, l->err);
	assert_int_equal(l->err.value, 7 * l->page);
}

#define cpuset_test(fn) \
	cmocka_unit_test_setup_teardown(fn, live_setup, end_cpuset)

int main(void)
{
	const struct CMUnitTest nodes[] = {
		live_test(a_node_that_is_not_online_is_refused),
		live_test(a_node_without_memory_is_refused),
		cpuset_test(a_node_outside_of_the_cpuset_is_refused),
		cpuset_test(relative_nodes_are_counted_in_the_cpuset),
		live_test(preferred_takes_the_first_node_alone),
		live_test(each_range_is_verified_against_its_own_policy),
		live_test(the_policy_of_the_file_decides),
	};

	if (learn_nodes() < 0) {
		fprintf(stderr, "vm_nodes: the machine needs two nodes\n");
		return 1;
	}
	return t_main(nodes);
}
