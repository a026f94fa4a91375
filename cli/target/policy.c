// SPDX-License-Identifier: MIT
/* NUMA policies in words: libnuma reads the sets of nodes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gmem_numa.h>

#include "report/error.h"
#include "report/output.h"
#include "report/words.h"
#include "target/policy.h"
#include "target/vm.h"

#define ALL_MODEL_NODES "0-1"

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

/* The model's nodes are not this host's, of which libnuma knows. */
static struct bitmask *model_nodes(const char *s)
{
	struct bitmask *mask = numa_bitmask_alloc(MODEL_NODES);
	bool invert = *s == '!';
	unsigned long n, last;
	char *end;

	s += invert;
	s += *s == '+';
	if (!strcmp(s, "all"))
		s = ALL_MODEL_NODES;
	for (; *s; s = end + (*end == ',')) {
		n = strtoul(s, &end, 10);
		last = *end == '-' ? strtoul(end + 1, &end, 10) : n;
		if (last >= MODEL_NODES) {
			numa_bitmask_free(mask);
			return NULL;
		}
		while (n <= last)
			numa_bitmask_setbit(mask, (unsigned int)n++);
	}
	for (unsigned int i = 0; invert && i < MODEL_NODES; i++) {
		if (numa_bitmask_isbitset(mask, i))
			numa_bitmask_clearbit(mask, i);
		else
			numa_bitmask_setbit(mask, i);
	}
	return mask;
}

int policy_make(const struct ctl *ctl, const struct policy_args *a,
		struct gmem_mempolicy *out, struct bitmask **mask,
		struct gmem_error *err)
{
	bool model = model_name(ctl) && !ctl->kvm->model.stands_in;
	uint64_t mode = GMEM_MPOL_DEFAULT;

	*mask = NULL;
	if (a->nodes) {
		if (!model && numa_available() < 0)
			return refuse(err, -EOPNOTSUPP,
				      GMEM_REASON_NUMA_UNSUPPORTED,
				      "this kernel is built without NUMA");
		*mask = model ? model_nodes(a->nodes)
			      : numa_parse_nodestring(a->nodes);
		if (!*mask)
			return refuse(err, -EINVAL, GMEM_REASON_POLICY_NODES,
				      "'%.80s' names a node that this host or "
				      "process does not have (it has 0 to %d)",
				      a->nodes,
				      model ? MODEL_NODES - 1
					    : numa_max_node());
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

#define WORD_BITS (8 * sizeof(unsigned long))

static bool in(const unsigned long *nodes, unsigned int n)
{
	return n < NODES && nodes[n / WORD_BITS] >> n % WORD_BITS & 1;
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
		.nodes = bits,
		.max_node = NODES,
	};
	r = gmem_get_mempolicy(g, offset, out, err);
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
