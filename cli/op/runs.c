// SPDX-License-Identifier: MIT
/* A range of a file as runs for programs, and what they are made of. */
#include <stdio.h>

#include "op/picture.h"
#include "report/json.h"
#include "report/residency.h"
#include "table/array.h"

int picture_state(const struct picture *p, uint64_t offset, uint64_t len,
		  const char **state, uint64_t *run, struct gmem_error *err)
{
	uint64_t attributes;
	int r;

	*state = p->state;
	*run = len;
	if (!p->recorded)
		return 0;
	r = gmem_get_attributes(p->g, offset, len, &attributes, run, err);
	if (r >= 0)
		*state = gmem_name(GMEM_NAME_ATTRIBUTE, attributes);
	return r;
}

int picture_sides(const struct picture *p, uint64_t offset, uint64_t len,
		  struct residency *file, struct residency *other,
		  struct gmem_error *err)
{
	int r = residency(p->g, NULL, offset, len, file, err);

	*other = (struct residency){ .bytes = 0 };
	if (!r && p->dual)
		r = residency(p->g, p->dual, offset, len, other, err);
	if (r || !p->dual)
		return r;
	/* It may have changed between the two. */
	other->bytes -= other->bytes < file->bytes ? other->bytes : file->bytes;
	other->least |= file->least;
	return 0;
}

#define NO_NODE (-1)

enum presence {
	HOLE,
	THERE,
	MAY_BE_THERE,
};

static enum presence presence_of(const struct residency *in)
{
	if (in->bytes)
		return THERE;
	return in->least ? MAY_BE_THERE : HOLE;
}

struct runs {
	const struct picture *p;
	struct gmem_error *err;
	json_object *list;
	json_object *last; /* of .list, and what it holds */
	uint64_t last_offset, last_len;
	int last_node;
	enum presence last_presence, last_other;
	uint64_t start;	   /* of the part that is being looked at ... */
	const char *state; /* ... and whose it is */
};

static void put_presence(json_object *run, const char *key,
			 enum presence presence)
{
	if (presence == MAY_BE_THERE)
		json_null(run, key,
			  "without cachestat only a lower bound is known");
	else
		json_boolean(run, key, presence == THERE);
}

/* Goes behind the last run, or makes it longer. */
static void add_run(struct runs *m, uint64_t offset, uint64_t len,
		    enum presence presence, enum presence other, int node)
{
	if (m->last && m->last_offset >= m->start &&
	    m->last_presence == presence && m->last_other == other &&
	    m->last_node == node && m->last_offset + m->last_len == offset) {
		m->last_len += len;
		json_u64(m->last, "len", m->last_len);
		return;
	}
	m->last = json_object_new_object();
	m->last_offset = offset;
	m->last_len = len;
	m->last_presence = presence;
	m->last_other = other;
	m->last_node = node;
	json_u64(m->last, "offset", offset);
	json_u64(m->last, "len", len);
	if (m->p->recorded)
		json_text(m->last, "state", m->state, "");
	put_presence(m->last, "resident", presence);
	if (m->p->dual)
		put_presence(m->last, "shared_resident", other);
	if (node >= 0)
		json_u64(m->last, "node", (uint64_t)node);
	else
		json_null(m->last, "node",
			  presence == HOLE && other == HOLE
				  ? "no memory"
				  : "not asked for, or not known");
	json_object_array_add(m->list, m->last);
}

/* Halves the range until it is all there or all hole, on each side. */
static int find_runs(struct runs *m, uint64_t offset, uint64_t len)
{
	struct residency in, other;
	uint64_t page = gmem_page_size(m->p->g), half;
	int r = picture_sides(m->p, offset, len, &in, &other, m->err);

	if (r < 0)
		return r;
	half = len / page / 2 * page;
	if (!half || ((in.bytes == 0 || in.bytes == len) &&
		      (other.bytes == 0 || other.bytes == len))) {
		add_run(m, offset, len, presence_of(&in), presence_of(&other),
			NO_NODE);
		return 0;
	}
	r = find_runs(m, offset, half);
	return r ? r : find_runs(m, offset + half, len - half);
}

/* Where what was found ends, or the part begins. */
static uint64_t found_end(const struct runs *m)
{
	uint64_t end = m->last ? m->last_offset + m->last_len : 0;

	return end > m->start ? end : m->start;
}

static int node_run(void *arg, uint64_t offset, uint64_t len, int node)
{
	struct runs *m = arg;
	uint64_t end = found_end(m);

	if (offset > end)
		add_run(m, end, offset - end, HOLE, HOLE, NO_NODE);
	add_run(m, offset, len, THERE, HOLE, node);
	return 0;
}

/*
 * No page is on the last possible node: all nodes are reported.
 * Return: 1 if some are unknown, and nothing then counts.
 */
static int find_nodes(struct runs *m, uint64_t offset, uint64_t len)
{
	static unsigned long nowhere[4096 / sizeof(long)];
	const size_t words = ARRAY_SIZE(nowhere);
	const struct gmem_mempolicy policy = {
		.sz = sizeof(policy),
		.mode = GMEM_MPOL_BIND,
		.nodes = nowhere,
		.max_node = words * 8 * sizeof(long),
	};
	struct gmem_placement out = {
		.sz = sizeof(out),
		.misplaced_run = node_run,
		.arg = m,
	};
	uint64_t end;
	int r;

	nowhere[words - 1] = 1UL << (8 * sizeof(long) - 1);
	r = gmem_verify_placement(m->p->g, offset, len, &policy, &out, m->err);
	if (r < 0 && m->err->reason == GMEM_REASON_RESIDENCY_UNKNOWN)
		return 1;
	end = found_end(m);
	if (r >= 0 && end < offset + len)
		add_run(m, end, offset + len - end, HOLE, HOLE, NO_NODE);
	return r < 0 ? r : !!out.unknown;
}

/* The part of the range that has one state. */
static int part_runs(struct runs *m, uint64_t offset, uint64_t len)
{
	size_t before = json_object_array_length(m->list), now;
	int r = 1;

	m->start = offset;
	/* Private memory is on nodes that nothing tells. */
	if (m->p->nodes && !m->p->dual)
		r = find_nodes(m, offset, len);
	if (r != 1)
		return r;
	/* Not asked for, or not known of all. */
	now = json_object_array_length(m->list);
	if (now > before)
		(void)json_object_array_del_idx(m->list, before, now - before);
	m->last = NULL;
	return find_runs(m, offset, len);
}

int picture_runs(const struct picture *p, json_object *list,
		 struct gmem_error *err)
{
	struct runs m = { .p = p, .err = err, .list = list };
	uint64_t at = p->offset, end = at + p->len, run;
	int r = 0;

	for (; r >= 0 && at < end; at += run) {
		r = picture_state(p, at, end - at, &m.state, &run, err);
		if (r >= 0)
			r = part_runs(&m, at, run);
	}
	return r < 0 ? r : 0;
}
