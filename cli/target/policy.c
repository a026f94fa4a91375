// SPDX-License-Identifier: MIT
/* NUMA policies in words. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gmem_numa.h>
#include <numaif.h>

#include "report/error.h"
#include "report/output.h"
#include "report/words.h"
#include "target/policy.h"
#include "target/vm.h"

/* What libnuma finds wrong it would print itself: this is ours to say. */
void numa_warn(int num, char *fmt, ...)
{
	(void)num;
	(void)fmt;
}

const char *policy_problem(const struct policy_args *a)
{
	if (a->nodes && !a->mode)
		return "needs a policy: add --policy MODE";
	return a->nodes ? parse_nodes(a->nodes) : NULL;
}

#define WORD_BITS (8 * sizeof(unsigned long))

static bool in(const unsigned long *nodes, unsigned int n)
{
	return n < NODES && nodes[n / WORD_BITS] >> n % WORD_BITS & 1;
}

/* The nodes that a policy may name: the model's, or those of this process. */
static int usable_nodes(bool model, unsigned long *bits, struct gmem_error *err)
{
	*bits = (1UL << MODEL_NODES) - 1;
	if (model ||
	    get_mempolicy(NULL, bits, NODES, NULL, MPOL_F_MEMS_ALLOWED) == 0)
		return 0;
	if (errno == ENOSYS)
		return refuse(err, -EOPNOTSUPP, GMEM_REASON_NUMA_UNSUPPORTED,
			      "this kernel is built without NUMA");
	return refuse(err, -errno, GMEM_REASON_ACCESS_DENIED,
		      "which nodes this process may use is not known: "
		      "get_mempolicy, %s",
		      errno_name(errno));
}

/* How @s is read: "!" all but these, "+" counted in those that are usable. */
struct node_set {
	const char *s;
	bool invert, relative, all;
	unsigned long usable[NODES / WORD_BITS];
};

static int set_node(const struct node_set *n, unsigned long node,
		    struct bitmask *mask, struct gmem_error *err)
{
	unsigned long left = node;
	unsigned int i = 0;

	for (; n->relative && i < NODES; i++)
		if (in(n->usable, i) && left-- == 0)
			break;
	if (n->relative && i < NODES)
		node = i;
	else if (n->relative || node >= NODES)
		return refuse(err, -EINVAL, GMEM_REASON_POLICY_NODES,
			      n->relative ? "'%.80s': this process may use "
					    "fewer nodes than %lu"
					  : "'%.80s': no kernel has node %lu",
			      n->s, n->relative ? node + 1 : node);
	numa_bitmask_setbit(mask, (unsigned int)node);
	return 0;
}

/* Which of them can be used is the library's to say. */
static int set_nodes(const struct node_set *n, const char *s,
		     struct bitmask *mask, struct gmem_error *err)
{
	unsigned long node, last;
	char *end;
	int r = 0;

	for (; !n->all && *s; s = end + (*end == ',')) {
		node = strtoul(s, &end, 10);
		last = *end == '-' ? strtoul(end + 1, &end, 10) : node;
		for (; r == 0 && node <= last; node++)
			r = set_node(n, node, mask, err);
		if (r < 0)
			return r;
	}
	for (unsigned int i = 0; i < NODES; i++) {
		if (n->all && in(n->usable, i))
			numa_bitmask_setbit(mask, i);
		if (!n->invert)
			continue;
		if (in(n->usable, i) && !numa_bitmask_isbitset(mask, i))
			numa_bitmask_setbit(mask, i);
		else
			numa_bitmask_clearbit(mask, i);
	}
	return 0;
}

static int read_nodes(const char *s, bool model, struct bitmask *mask,
		      struct gmem_error *err)
{
	struct node_set n = { .s = s, .invert = *s == '!' };
	int r = 0;

	s += n.invert;
	n.relative = *s == '+';
	s += n.relative;
	n.all = strcmp(s, "all") == 0;
	if (n.all || n.invert || n.relative)
		r = usable_nodes(model, n.usable, err);
	return r < 0 ? r : set_nodes(&n, s, mask, err);
}

int policy_make(const struct ctl *ctl, const struct policy_args *a,
		struct gmem_mempolicy *out, struct bitmask **mask,
		struct gmem_error *err)
{
	bool model = model_name(ctl) && !ctl->kvm->model.stands_in;
	uint64_t mode = GMEM_MPOL_DEFAULT;
	int r;

	*mask = NULL;
	if (a->nodes) {
		*mask = numa_bitmask_alloc(NODES);
		r = read_nodes(a->nodes, model, *mask, err);
		if (r < 0)
			return r;
	}
	(void)!gmem_value(GMEM_NAME_MPOL, a->mode, &mode, NULL);
	gmem_mempolicy_from_bitmask(out, (uint32_t)mode, *mask);
	out->flags = (uint32_t)a->flags;
	return 0;
}

void policy_free(struct bitmask *mask)
{
	if (mask)
		numa_bitmask_free(mask);
}

/* ---------------------------------------------------------------- words -- */

const char *policy_name(uint32_t mode)
{
	const char *name = gmem_name(GMEM_NAME_MPOL, mode);

	return name ? name : "unknown";
}

int policy_get(struct gmem *g, uint64_t offset, struct gmem_mempolicy *out,
	       char nodes[NODES_TEXT], struct gmem_error *err)
{
	unsigned long bits[NODES / WORD_BITS] = { 0 };
	unsigned int last;
	size_t at = 0;
	int r;

	*out = (struct gmem_mempolicy){
		.sz = sizeof(*out),
	};
	r = gmem_get_mempolicy(g, offset, out, bits, NODES, err);
	out->nodes = NULL;
	*nodes = '\0';
	for (unsigned int n = 0; n < NODES && at < NODES_TEXT; n = last + 1) {
		last = n;
		if (!in(bits, n))
			continue;
		while (in(bits, last + 1))
			last++;
		at += (size_t)snprintf(nodes + at, NODES_TEXT - at,
				       last > n ? "%s%u-%u" : "%s%u",
				       at ? "," : "", n, last);
	}
	return r;
}
