// SPDX-License-Identifier: MIT
/* The lines that are an operation of cli/op, which the commands share. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/batch/batch.h"
#include "report/error.h"

struct work work_of(struct batch *b, const struct op *op)
{
	if (b->result) {
		json_u64(b->result, "offset", op->offset);
		json_u64(b->result, "len", op->len);
	}
	return (struct work){
		.ctl = b->ctl,
		.target = { op->object->g, op->object->region, op->offset,
			    op->len },
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
	w.unchecked = op->flags & GMEM_POPULATE_UNCHECKED;
	return cancelled(b, op_populate(&w, op->threads, &op->policy));
}

int call_discard(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);

	return op_discard(&w);
}

int call_resident(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);

	int r = op_resident(&w);

	return r < 0 || !op->object->region ? r : region_resident(b, op);
}

int call_load(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);
	int fd = -1, r;

	w.cancel = cancel(b);
	w.unchecked = op->flags & GMEM_LOAD_UNCHECKED;
	if (!b->dry)
		fd = open(op->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && !b->dry) {
		r = -errno;
		return refuse(&b->err, r, GMEM_REASON_INPUT, "%s: %s", op->path,
			      strerror(-r));
	}
	r = op_load(&w, fd, NULL, true);
	if (fd >= 0)
		(void)close(fd);
	return cancelled(b, r);
}

static int output_failed(struct batch *b, const struct op *op, int r)
{
	return refuse(&b->err, r, GMEM_REASON_OUTPUT, "%s: %s", op->path,
		      strerror(-r));
}

int call_store(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);
	struct output o;
	int r, closed;

	if (b->dry)
		return op_store(&w, NULL, NULL);
	r = output_open(&o, op->path);
	if (r < 0)
		return output_failed(b, op, r);
	r = op_store(&w, &o, NULL);
	closed = output_close(&o);
	return closed < 0 && !r ? output_failed(b, op, closed) : r;
}

int call_map(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);

	return op_map(&w, NULL, op->flags & BATCH_MAP_NODES, 0);
}

int call_policy(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);

	return op->policy.mode ? op_policy_set(&w, &op->policy, op->flags)
			       : op_policy_get(&w);
}

int call_placement(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);
	uint32_t placed;

	return op_policy_verify(&w, &op->policy, &placed);
}

/* ----------------------------------------------------------------- stat -- */

static const char *bound_mode(const struct bound *s)
{
	if (s->noted)
		return gmem_name(GMEM_NAME_SLOT_FLAG, GMEM_SLOT_NOTED);
	return s->mode;
}

static void slots_text(const struct object *o)
{
	char text[SIZE_TEXT];

	for (const struct bound *s = o->slots; s; s = s->next)
		printf("%s: slot %" PRIu32 " at gpa 0x%" PRIx64
		       ", offset 0x%" PRIx64 ", %s, %s\n",
		       o->name, s->slot, s->gpa, s->offset,
		       size_text(s->len, text), bound_mode(s));
}

static void slots_json(const struct object *o, json_object *to)
{
	json_object *slots = json_object_new_array();

	for (const struct bound *s = o->slots; s; s = s->next)
		json_object_array_add(slots,
				      slot_json(s->slot, s->gpa, s->offset,
						s->len, bound_mode(s)));
	json_object_object_add(to, "slots", slots);
}

int call_stat(struct batch *b, struct op *op)
{
	struct work w = work_of(b, op);
	int r = op_stat(&w);

	if (r >= 0 && op->object->region)
		r = region_stat(b, op);
	if (r < 0)
		return r;
	if (b->result)
		slots_json(op->object, b->result);
	else
		slots_text(op->object);
	return 0;
}
