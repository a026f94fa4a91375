// SPDX-License-Identifier: MIT
/*
 * The nodes on which pages may lie, where not all are: those of a policy that
 * binds, and of the cpuset.  Any other policy falls back to other nodes.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "call.h"
#include "file.h"
#include "lines.h"
#include "lock.h"
#include "room.h"
#include "vm.h"
#include "window.h"

#define MPOL_F_ADDR 2
#define MPOL_F_MEMS_ALLOWED 4
#define MODES 0xff /* without the mode flags */

#define WORDS GMEM__WORDS(GMEM__NODES)

static bool has_view(struct gmem *g)
{
	bool has;

	gmem__lock(&g->lock);
	has = g->view != NULL;
	gmem__unlock(&g->lock);
	return has;
}

/* What the file itself has at @offset, where it can have a policy. */
static int file_policy(const struct gmem__room *r, uint64_t offset, int *mode,
		       unsigned long *nodes)
{
	uint64_t page = r->g->ctx->page_size;
	struct gmem__window w;
	int ret;

	*mode = GMEM_MPOL_DEFAULT;
	if (!(r->g->flags & GMEM_CREATE_MMAP) ||
	    (r->g->vm &&
	     r->g->vm->features[GMEM_FEATURE_MEMPOLICY].support == GMEM_NO))
		return 0;
	if (has_view(r->g))
		ret = gmem__window_open(r->g, offset, page, &w);
	else
		ret = gmem__window_map(r->g, offset - offset % page, page,
				       PROT_NONE, &w);
	if (ret < 0)
		return ret;
	ret = gmem__get_mempolicy(r->g->ctx, mode, nodes, GMEM__NODES + 1,
				  w.addr, MPOL_F_ADDR);
	gmem__window_close(r->g, &w);
	return ret;
}

/* That of the thread which allocates. */
static int task_policy(const struct gmem__room *r, int *mode,
		       unsigned long *nodes)
{
	const struct gmem_mempolicy *p = r->policy;

	if (!p)
		return gmem__get_mempolicy(r->g->ctx, mode, nodes,
					   GMEM__NODES + 1, NULL, 0);
	*mode = (int)(p->mode | p->flags);
	for (uint64_t n = 0; n < p->max_node && n < GMEM__NODES; n++)
		if (p->nodes && gmem__bit(p->nodes, n))
			gmem__bit_set(nodes, n);
	return 0;
}

/* The nodes for @offset; 1 if these are all that have memory, or -errno. */
static int find_nodes(const struct gmem__room *r, uint64_t offset,
		      unsigned long *nodes)
{
	unsigned long allowed[WORDS + 1] = { 0 };
	int mode, all = 1;
	int ret = file_policy(r, offset, &mode, nodes);

	if (ret == 0 && (mode & MODES) == GMEM_MPOL_DEFAULT) {
		memset(nodes, 0, WORDS * sizeof(*nodes));
		ret = task_policy(r, &mode, nodes);
	}
	if (ret == 0)
		ret = gmem__get_mempolicy(r->g->ctx, NULL, allowed,
					  GMEM__NODES + 1, NULL,
					  MPOL_F_MEMS_ALLOWED);
	if (ret < 0)
		return ret;
	/* Their numbers are not those of nodes. */
	if ((mode & MODES) == GMEM_MPOL_BIND &&
	    (mode & (int)GMEM_MPOL_F_RELATIVE_NODES))
		return -EOPNOTSUPP;
	for (unsigned int i = 0; i < WORDS; i++) {
		if ((mode & MODES) != GMEM_MPOL_BIND)
			nodes[i] = ~0UL;
		nodes[i] &= allowed[i];
		all &= (r->zones.memory[i] & ~nodes[i]) == 0;
	}
	return all;
}

/* What node @n has that is free or can be reclaimed. */
static int read_node(const struct gmem__room *r, unsigned int n,
		     uint64_t *bytes)
{
	struct gmem__sum sum = { 0 };
	struct gmem__lines l;
	const char *line;
	int ret;

	ret = gmem__lines_open_node(&l, r->g->ctx, n, "meminfo");
	if (ret < 0)
		return ret;
	while (sum.found < GMEM__MEMINFO_LINES &&
	       (line = gmem__lines_next(&l)) != NULL)
		gmem__meminfo_line(line, &sum);
	gmem__lines_close(&l);
	*bytes = sum.bytes;
	return sum.found == GMEM__MEMINFO_LINES ? 0 : -EINVAL;
}

/* All of @nodes together: the kernel takes what one of them has not. */
static int sum_nodes(const struct gmem__room *r, const unsigned long *nodes,
		     struct gmem__room_nodes *out)
{
	uint64_t bytes = 0, page = r->g->ctx->page_size;
	int ret;

	for (unsigned int n = 0; n < GMEM__NODES; n++) {
		if (!gmem__bit(nodes, n) || !gmem__bit(r->zones.memory, n))
			continue;
		ret = read_node(r, n, &bytes);
		if (ret < 0)
			return ret;
		if (bytes / page > r->zones.held[n])
			out->bytes = gmem__add(out->bytes,
					       bytes - r->zones.held[n] * page);
		if (!out->n++)
			out->first = n;
	}
	return 1;
}

/* Whether more than one node has memory. */
static bool several(const struct gmem__room *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; n < 2 && i < GMEM__NODES; i++)
		n += gmem__bit(r->zones.memory, i);
	return n > 1;
}

int gmem__room_nodes(const struct gmem__room *r, uint64_t offset,
		     struct gmem__room_nodes *out)
{
	unsigned long nodes[WORDS + 1] = { 0 };
	int ret;

	*out = (struct gmem__room_nodes){ 0 };
	if (!several(r))
		return 0;
	ret = find_nodes(r, offset, nodes);
	if (ret == 0)
		return sum_nodes(r, nodes, out);
	/* a kernel without NUMA */
	return ret == 1 || ret == -ENOSYS ? 0 : ret;
}
