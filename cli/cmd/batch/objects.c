// SPDX-License-Identifier: MIT
/* The names and slots of a batch, in trees: many cost what few do, each. */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/batch/batch.h"

static int by_name(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int by_slot(const void *a, const void *b)
{
	const struct bound *x = a, *y = b;

	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* The element is the first member of a node. */
static void *find(const void *key, void *const *tree,
		  int (*by)(const void *a, const void *b))
{
	void *const *node = tfind(key, tree, by);

	return node ? *node : NULL;
}

struct object *find_object(const struct batch *b, const char *name)
{
	struct object key;
	int n = snprintf(key.name, sizeof(key.name), "%s", name);

	if (n < 0 || (size_t)n >= sizeof(key.name))
		return NULL;
	return find(&key, &b->objects, by_name);
}

int keep_object(struct batch *b, const struct op *op)
{
	struct object *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	memcpy(o->name, op->name, sizeof(o->name));
	o->size = op->size;
	o->is_region = op->verb->call == call_region;
	o->g = op->made;
	o->region = op->region;
	o->end = &o->slots;
	if (tsearch(o, &b->objects, by_name))
		return 0;
	free(o);
	return -ENOMEM;
}

int drop_object(struct batch *b, const struct op *op)
{
	(void)tdelete(op->object, &b->objects, by_name);
	free(op->object);
	return 0;
}

int keep_slot(struct batch *b, const struct op *op)
{
	struct bound *s = calloc(1, sizeof(*s));
	struct bound **node;

	if (!s)
		return -ENOMEM;
	s->object = op->object;
	s->slot = op->slot;
	s->noted = !op->mode;
	s->gpa = op->gpa;
	s->offset = op->offset;
	s->len = op->len;
	s->mode = op->mode;
	node = tsearch(s, &b->slots, by_slot);
	if (!node || *node != s) {
		/* In a dry run without the file nobody refuses a second one. */
		free(s);
		return node ? 0 : -ENOMEM;
	}
	if (s->object) {
		s->link = s->object->end;
		*s->link = s;
		s->object->end = &s->next;
	}
	return 0;
}

struct bound *find_slot(const struct batch *b, uint32_t slot)
{
	const struct bound key = { .slot = slot };

	return find(&key, &b->slots, by_slot);
}

int drop_slot(struct batch *b, const struct op *op)
{
	struct bound *s = find_slot(b, op->slot);

	if (!s)
		return 0;
	(void)tdelete(s, &b->slots, by_slot);
	if (s->next)
		s->next->link = s->link;
	else if (s->object)
		s->object->end = s->link;
	if (s->object)
		*s->link = s->next;
	free(s);
	return 0;
}

void free_objects(struct batch *b)
{
	tdestroy(b->slots, free);
	tdestroy(b->objects, free);
	b->slots = b->objects = NULL;
}

json_object *slot_json(uint32_t slot, uint64_t gpa, uint64_t offset,
		       uint64_t len, const char *mode)
{
	json_object *o = json_object_new_object();

	json_u64(o, "slot", slot);
	json_u64(o, "gpa", gpa);
	json_u64(o, "offset", offset);
	json_u64(o, "len", len);
	json_text(o, "mode", mode, "");
	return o;
}
