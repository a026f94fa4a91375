// SPDX-License-Identifier: MIT
#include <string.h>

#include "call.h"
#include "lines.h"
#include "pin.h"
#include "policy.h"

#define WORDS GMEM__WORDS(GMEM__CPUS)

/* Adds the processors of node @n. */
static bool add_node(struct gmem__pin *p, unsigned int n)
{
	struct gmem__lines l;
	const char *line;
	bool known;

	if (gmem__lines_open_node(&l, p->ctx, n, "cpulist") < 0)
		return false;
	line = gmem__lines_next(&l);
	known = line && gmem__cpu_line(line, p->cpus, GMEM__CPUS);
	gmem__lines_close(&l);
	return known;
}

void gmem__pin_begin(struct gmem__pin *p, const struct gmem__ctx *ctx,
		     const struct gmem_mempolicy *policy)
{
	unsigned long allowed[WORDS] = { 0 };
	bool known = true;

	memset(p, 0, sizeof(*p));
	p->ctx = ctx;
	/* The numbers of relative nodes are not those of nodes. */
	if (!policy || !policy->nodes ||
	    (policy->flags & GMEM_MPOL_F_RELATIVE_NODES))
		return;
	for (unsigned int n = 0; known && n < GMEM__NODES; n++)
		if (gmem__node_in(policy, n))
			known = add_node(p, n);
	if (!known)
		return;
	/* Where it fails, none is known to be allowed. */
	(void)gmem__get_affinity(ctx, allowed, sizeof(allowed));
	for (unsigned int i = 0; i < WORDS; i++) {
		p->cpus[i] &= allowed[i];
		p->wanted |= p->cpus[i] != 0;
	}
}

void gmem__pin_thread(const struct gmem__pin *p)
{
	if (p->wanted)
		(void)gmem__set_affinity(p->ctx, p->cpus, sizeof(p->cpus));
}
