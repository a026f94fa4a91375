// SPDX-License-Identifier: MIT
/*
 * Sets of NUMA nodes, and those that this process may allocate on.  Only the
 * kernel is asked, by system calls, since /proc and /sys need not be mounted.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "macros.h"
#include "nodes.h"

#define MPOL_F_MEMS_ALLOWED 4

uint64_t gmem__nodes_next(const struct gmem__nodes *s, uint64_t from)
{
	while (from < GMEM__NODES && !gmem__nodes_have(s, from))
		from++;
	return from;
}

const char *gmem__nodes_text(const struct gmem__nodes *s,
			     char text[GMEM__NODES_TEXT])
{
	uint64_t first = gmem__nodes_next(s, 0), last;
	size_t at = 0;

	(void)snprintf(text, GMEM__NODES_TEXT, "none");
	for (; first < GMEM__NODES; first = gmem__nodes_next(s, last + 1)) {
		for (last = first; gmem__nodes_have(s, last + 1);)
			last++;
		if (at + sizeof(",1022-1023,...") > GMEM__NODES_TEXT) {
			(void)snprintf(text + at, GMEM__NODES_TEXT - at,
				       ",...");
			break;
		}
		at += (size_t)snprintf(text + at, GMEM__NODES_TEXT - at,
				       last > first ? "%s%" PRIu64 "-%" PRIu64
						    : "%s%" PRIu64,
				       at ? "," : "", first, last);
	}
	return text;
}

int gmem__nodes_usable(const struct gmem__ctx *ctx, struct gmem__nodes *out)
{
	int r;

	memset(out, 0, sizeof(*out));
	r = gmem__get_mempolicy(ctx, NULL, out->bits, GMEM__NODES, NULL,
				MPOL_F_MEMS_ALLOWED);
	return r < 0 ? r : 0;
}

/*
 * Both calls look at the node first, and what they are given to work on is
 * nothing: no page is at address 0, and a home node of no bytes is no change.
 */
enum gmem__node_why gmem__node_why(const struct gmem__ctx *ctx, uint64_t node,
				   int *sys)
{
	int to = (int)node, where, move, home;
	void *nowhere = NULL;

	*sys = 0;
	if (node >= GMEM__NODES)
		return GMEM__NODE_OFFLINE;
	move = gmem__move_pages(ctx, 1, &nowhere, &to, &where);
	if (move == -EACCES)
		return GMEM__NODE_CPUSET;
	home = gmem__set_home_node(ctx, NULL, 0, node);
	if (home == -EINVAL)
		return GMEM__NODE_OFFLINE;
	if (home >= 0 && move == -ENODEV)
		return GMEM__NODE_EMPTY;
	*sys = move < 0 && move != -ENODEV ? move : home;
	return GMEM__NODE_UNKNOWN;
}
