// SPDX-License-Identifier: MIT
/* The real run of the lines about memory and where it is. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/batch/batch.h"
#include "report/error.h"
#include "report/picture.h"

struct work work_of(struct batch *b, const struct op *op)
{
	if (b->result) {
		json_u64(b->result, "offset", op->offset);
		json_u64(b->result, "len", op->len);
	}
	return (struct work){
		.ctl = b->ctl,
		.target = { op->object->g, op->offset, op->len },
		.name = op->name,
		.own = true,
		.done = op->verb->done,
		.json = b->result,
		.err = &b->err,
	};
}

/*
 * What a dry run gives for .cancel: such a call checks all it is given and
 * takes no memory.
 */
static const int *cancel(const struct batch *b)
{
	static const int now = 1;

	return b->dry ? &now : NULL;
}

/* That a dry run cancelled the call is its success. */
static int cancelled(const struct batch *b, int r)
{
	return b->dry && r == -ECANCELED ? 0 : r;
}

int call_populate(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);

	w.cancel = cancel(b);
	return cancelled(b, op_populate(&w, op->threads, &op->policy));
}

int call_discard(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);

	return op_discard(&w);
}

int call_resident(struct batch *b, struct op *op)
{
	const struct work w = work_of(b, op);
	struct gmem_residency in = { .sz = sizeof(in) };
	char size[SIZE_TEXT], len[SIZE_TEXT];
	bool least;
	int r = gmem_resident(op->object->g, op->offset, op->len, &in, &b->err);

	if (r < 0)
		return r;
	least = in.flags & GMEM_RESIDENT_LOWER_BOUND;
	if (w.json) {
		json_u64(w.json, "resident", in.bytes);
		json_boolean(w.json, "lower_bound", least);
	} else {
		printf("%s: 0x%" PRIx64 " %s, resident %s%s\n", op->name,
		       op->offset, size_text(op->len, len),
		       size_text(in.bytes, size), least ? " or more" : "");
	}
	return 0;
}

int call_load(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);
	int fd = -1, r;

	w.cancel = cancel(b);
	if (!b->dry)
		fd = open(op->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && !b->dry) {
		r = -errno;
		return refuse(&b->err, r, GMEM_REASON_INPUT, "%s: %s", op->path,
			      strerror(-r));
	}
	r = op_load(&w, fd, true);
	if (fd >= 0)
		(void)close(fd);
	return cancelled(b, r);
}

int call_map(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);

	return op_map(&w, NULL, op->flags & BATCH_MAP_NODES, 0);
}

/* ------------------------------------------------------------ placement -- */

static int set_policy(struct batch *b, struct op *op)
{
	struct gmem_mempolicy policy;
	struct bitmask *mask;
	int r = policy_make(b->ctl, &op->policy, &policy, &mask, &b->err);

	if (!r)
		r = gmem_set_mempolicy(op->object->g, op->offset, op->len,
				       &policy, op->flags, &b->err);
	policy_free(mask);
	return r < 0 ? r : 0;
}

int call_policy(struct batch *b, struct op *op)
{
	struct gmem_mempolicy policy;
	char nodes[NODES_TEXT];
	int r;

	if (op->policy.mode)
		return set_policy(b, op);
	r = policy_get(op->object->g, op->offset, &policy, nodes, &b->err);
	if (r < 0)
		return r;
	if (b->result) {
		json_text(b->result, "mode", policy_name(policy.mode), "");
		json_text(b->result, "nodes", *nodes ? nodes : NULL,
			  "this policy has none");
	} else {
		printf("%s: 0x%" PRIx64 " policy %s%s%s\n", op->name,
		       op->offset, policy_name(policy.mode), *nodes ? " " : "",
		       nodes);
	}
	return 0;
}

int call_placement(struct batch *b, struct op *op)
{
	static uint64_t bytes[NODES];
	struct gmem_placement p = {
		.sz = sizeof(p),
		.node_bytes = bytes,
		.node_count = NODES,
	};
	char nodes[NODES_TEXT], size[SIZE_TEXT];
	struct bitmask *mask = NULL;
	struct gmem_mempolicy policy;
	int r = 0;

	if (op->policy.mode)
		r = policy_make(b->ctl, &op->policy, &policy, &mask, &b->err);
	if (!r)
		r = gmem_verify_placement(op->object->g, op->offset, op->len,
					  op->policy.mode ? &policy : NULL, &p,
					  &b->err);
	policy_free(mask);
	if (r < 0)
		return r;
	if (b->result) {
		json_text(b->result, "placed",
			  gmem_name(GMEM_NAME_SUPPORT, (uint64_t)r), "");
		json_u64(b->result, "resident", p.resident);
		json_u64(b->result, "misplaced", p.misplaced);
		json_u64(b->result, "unknown", p.unknown);
		json_object_object_add(b->result, "node_bytes",
				       nodes_json(bytes));
	} else {
		printf("%s: 0x%" PRIx64 " resident %s, nodes %s, placed %s\n",
		       op->name, op->offset, size_text(p.resident, size),
		       *nodes_text(bytes, nodes) ? nodes : "none",
		       gmem_name(GMEM_NAME_SUPPORT, (uint64_t)r));
	}
	return 0;
}
