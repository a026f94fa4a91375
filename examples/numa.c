// SPDX-License-Identifier: MIT
/*
 * numa: allocate guest memory on one node and verify that it is there.
 *
 * From Linux 6.19 on the file keeps the policy, for whoever allocates the
 * pages.  Linux 6.18 accepts it and ignores it, which libgmem refuses with
 * policy-ignored; then the pages can be allocated now, under the policy.
 */
#include <stdio.h>

#include <gmem.h>
#include <gmem_numa.h>

#define SIZE (64ULL << 20)

static int failed(const char *what, const struct gmem_error *err)
{
	fputs("numa: ", stderr);
	gmem_print_error(stderr, what, err);
	return 1;
}

/* Says in *@how by which way; 0 or -errno. */
static int place(struct gmem *memory, const struct gmem_mempolicy *policy,
		 const char **how, struct gmem_error *err)
{
	struct gmem_populate_opts opts = {
		.sz = sizeof(opts),
		.policy = policy,
	};
	int r = gmem_set_mempolicy(memory, 0, SIZE, policy, 0, err);

	*how = "populating under the policy";
	if (r < 0 && (err->reason == GMEM_REASON_POLICY_IGNORED ||
		      err->reason == GMEM_REASON_POLICY_UNMAPPABLE))
		return gmem_populate(memory, 0, SIZE, &opts, err);
	*how = "the file's policy";
	if (r < 0)
		return r;
	/* The file has the policy: pages can be allocated at any time. */
	opts.policy = NULL;
	return gmem_populate(memory, 0, SIZE, &opts, err);
}

int main(void)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED,
	};
	struct gmem_mempolicy policy = { .sz = sizeof(policy) };
	struct gmem_placement found = { .sz = sizeof(found) };
	struct bitmask *allowed, *nodes;
	struct gmem_vm *vm = NULL;
	struct gmem *memory;
	const char *how;
	unsigned int node;
	int status = 1;

	if (numa_available() < 0) {
		fprintf(stderr, "numa: this kernel is built without NUMA\n");
		return 1;
	}
	/* The last one with memory that the cpuset allows: others are refused.
	 */
	allowed = numa_get_mems_allowed();
	for (node = (unsigned int)numa_max_node();
	     node && !numa_bitmask_isbitset(allowed, node);)
		node--;
	numa_free_nodemask(allowed);
	nodes = numa_allocate_nodemask();
	numa_bitmask_setbit(nodes, node);
	gmem_mempolicy_from_bitmask(&policy, GMEM_MPOL_BIND, nodes);
	if (gmem_vm_open(NULL, &vm, &err) < 0 ||
	    gmem_create(vm, SIZE, &opts, &memory, &err) < 0) {
		failed("create guest memory", &err);
		goto out;
	}
	if (place(memory, &policy, &how, &err) < 0) {
		failed("place it", &err);
		goto out;
	}
	if (gmem_verify_placement(memory, 0, SIZE, &policy, &found, &err) < 0) {
		failed("verify the placement", &err);
		goto out;
	}
	printf("%llu of %llu bytes are on node %u, placed by %s\n",
	       (unsigned long long)(found.resident - found.misplaced), SIZE,
	       node, how);
	status = found.verdict == GMEM_PLACED_WELL ? 0 : 1;
out:
	if (gmem_vm_destroy(vm, &err) < 0)
		status = failed("destroy the VM", &err);
	numa_free_nodemask(nodes);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "numa: the output could not be written\n");
		status = 1;
	}
	return status;
}
