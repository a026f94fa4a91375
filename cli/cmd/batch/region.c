// SPDX-License-Identifier: MIT
/* The lines about regions, and what the others say more of one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/batch/batch.h"
#include "report/error.h"
#include "report/progress.h"

/* --------------------------------------------------------------- region -- */

static const char *kind_name(const struct gmem_region_info *i)
{
	return gmem_name(GMEM_NAME_REGION_KIND, i->kind);
}

static const char *side_name(const struct gmem_region_info *i)
{
	return gmem_name(GMEM_NAME_SHARED_SIDE, i->shared_side);
}

static void info_json(const struct gmem_region_info *i, json_object *to)
{
	json_text(to, "kind", kind_name(i), "");
	json_text(to, "shared_side", side_name(i), "");
	json_boolean(to, "hypercall", i->flags & GMEM_REGION_HYPERCALL);
}

int call_region(struct batch *b, struct op *op)
{
	const struct gmem_region_opts opts = {
		.sz = sizeof(opts),
		.flags = op->flags,
		.gmem = op->object ? op->object->g : NULL,
		.kind = op->kind,
	};
	struct gmem_region_info i = { .sz = sizeof(i) };
	int r = gmem_region_create(b->vm, op->size, &opts, &op->region,
				   &b->err);

	/* In a dry run then nothing is left to check of it. */
	if (r < 0)
		return b->dry && dry_short_of(&b->err, op) ? 0 : r;
	r = gmem_region_get(op->region, &i, &b->err);
	if (r < 0)
		return r;
	op->made = i.gmem;
	if (b->result)
		info_json(&i, b->result);
	return 0;
}

/* -------------------------------------------------------------- convert -- */

static bool range_of(const char *text, struct gmem_region_range *out)
{
	char offset[32];
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (!n || n >= sizeof(offset))
		return false;
	memcpy(offset, text, n);
	offset[n] = '\0';
	return !parse_size(offset, &out->offset) &&
	       !parse_size(colon + 1, &out->len);
}

int parse_convert(const struct batch *b, const struct field *f, int n,
		  struct op *op, char problem[BATCH_PROBLEM])
{
	for (int i = 0; i < n; i++)
		if (f[i].quoted)
			return batch_bad(problem, "\"%s\" may not be quoted",
					 f[i].text);
	if (n < 3)
		return batch_too_few(op, problem);
	op->object = find_object(b, f[0].text);
	if (!op->object)
		return batch_bad(problem,
				 "there is no '%s': make it with region",
				 f[0].text);
	if (!op->object->is_region)
		return batch_bad(problem, BATCH_NO_REGION, f[0].text);
	memcpy(op->name, op->object->name, sizeof(op->name));
	if (gmem_value(GMEM_NAME_ATTRIBUTE, f[1].text, &op->attributes, NULL) <
		    0 ||
	    (op->attributes != GMEM_ATTRIBUTE_PRIVATE &&
	     op->attributes != GMEM_ATTRIBUTE_SHARED))
		return batch_bad(problem, "'%s' is neither private nor shared",
				 f[1].text);
	for (int i = 2; i < n; i++) {
		if (!strcmp(f[i].text, "defer"))
			op->flags |= GMEM_CONVERT_DEFER;
		else if (!range_of(f[i].text, &op->ranges[op->n_ranges++]))
			return batch_bad(problem, "'%s' is not OFFSET:LEN",
					 f[i].text);
	}
	return op->n_ranges ? 0 : batch_too_few(op, problem);
}

static void show_converted(const struct batch *b, const struct op *op,
			   const struct gmem_converted *c)
{
	char done[SIZE_TEXT], queued[SIZE_TEXT];

	if (b->result) {
		json_u64(b->result, "done", c->done);
		json_u64(b->result, "changed", c->changed);
		json_u64(b->result, "conversions", c->runs);
		json_u64(b->result, "queued", c->queued);
		return;
	}
	printf("%s: %s %s, runs converted: %" PRIu64, op->name,
	       size_text(c->done, done),
	       gmem_name(GMEM_NAME_ATTRIBUTE, op->attributes), c->runs);
	if (c->queued)
		printf(", queued: %s", size_text(c->queued, queued));
	putchar('\n');
}

int call_convert(struct batch *b, struct op *op)
{
	const struct gmem_convert_opts opts = {
		.sz = sizeof(opts),
		.flags = op->flags,
	};
	struct gmem_converted c = { .sz = sizeof(c) };
	int r = gmem_region_convert(op->object->region, op->ranges,
				    op->n_ranges, op->attributes, &opts, &c,
				    &b->err);

	if (r < 0)
		b->err.done = c.done;
	else if (!b->dry)
		show_converted(b, op, &c);
	return r;
}

/* ----------------------------------------------------------------- life -- */

int call_reclaim(struct batch *b, struct op *op)
{
	struct progress bar;
	const struct gmem_discard_opts how = {
		.sz = sizeof(how),
		.progress = progress_show,
		.progress_arg = &bar,
	};
	char text[SIZE_TEXT];
	uint64_t freed;
	int r;

	progress_start(&bar, op->verb->word.name);
	r = gmem_region_reclaim(op->object->region, op->offset, op->len, &how,
				&freed, &b->err);
	progress_end(&bar);
	if (r < 0)
		return r;
	if (b->result)
		json_u64(b->result, "freed", freed);
	else
		printf("%s: freed %s\n", op->name, size_text(freed, text));
	return 0;
}

int call_reset(struct batch *b, struct op *op)
{
	struct progress bar;
	const struct gmem_discard_opts how = {
		.sz = sizeof(how),
		.progress = progress_show,
		.progress_arg = &bar,
	};
	int r;

	progress_start(&bar, op->verb->word.name);
	r = gmem_region_reset(op->object->region, &how, &b->err);
	progress_end(&bar);
	return r;
}

/* ------------------------------------------------------------ host view -- */

int region_memory(struct batch *b, const struct op *op, void **out)
{
	struct gmem_region *region = op->object->region;
	struct gmem_region_info i = { .sz = sizeof(i) };
	uint64_t attributes, run, page, at = op->offset, end = at + op->len;
	int r = region ? gmem_region_get(region, &i, &b->err) : 0;

	*out = NULL;
	if (r < 0 || !i.shared)
		return r;
	if (op->offset > i.size || op->len > i.size - op->offset)
		return refuse(&b->err, -EINVAL, GMEM_REASON_OUTSIDE_FILE,
			      "0x%" PRIx64 " bytes at 0x%" PRIx64
			      " end beyond the region, 0x%" PRIx64 " bytes",
			      op->len, op->offset, i.size);
	for (at -= at % i.page_size; at < end; at += run) {
		page = (end - at + i.page_size - 1) / i.page_size;
		r = gmem_region_attributes(region, at, page * i.page_size,
					   &attributes, &run, &b->err);
		if (r < 0)
			return r;
		if (attributes != GMEM_ATTRIBUTE_SHARED)
			return refuse(
				&b->err, -EACCES, GMEM_REASON_PRIVATE,
				"offset 0x%" PRIx64 " is %s", at,
				gmem_name(GMEM_NAME_ATTRIBUTE, attributes));
	}
	*out = (unsigned char *)i.shared + op->offset;
	return 0;
}

/* ----------------------------------------------------------------- stat -- */

static void sides_json(const struct gmem_region_residency *in, json_object *to)
{
	json_object *o = json_object_new_object();

	json_u64(o, "private", in->private_bytes);
	json_u64(o, "shared", in->shared_bytes);
	json_u64(o, "unused", in->unused_bytes);
	json_object_object_add(to, "resident_sides", o);
}

static void sides_text(const char *name, const struct gmem_region_residency *in)
{
	char private_text[SIZE_TEXT], shared[SIZE_TEXT], unused[SIZE_TEXT];

	printf("%s: of it      private %s, shared %s, not in use %s\n", name,
	       size_text(in->private_bytes, private_text),
	       size_text(in->shared_bytes, shared),
	       size_text(in->unused_bytes, unused));
}

int region_resident(struct batch *b, const struct op *op)
{
	struct gmem_region_residency in = { .sz = sizeof(in) };
	int r = gmem_region_resident(op->object->region, op->offset, op->len,
				     &in, &b->err);

	if (r < 0 && b->err.reason != GMEM_REASON_RESIDENCY_UNKNOWN)
		return r;
	if (r < 0) {
		/* Which was said already. */
		b->err = (struct gmem_error){ .sz = sizeof(b->err) };
		if (b->result)
			json_null(b->result, "resident_sides",
				  "which pages are allocated is unknown");
	} else if (b->result) {
		sides_json(&in, b->result);
	} else {
		sides_text(op->name, &in);
	}
	return 0;
}

static void stat_json(const struct gmem_region_stats *s, json_object *to)
{
	json_object *o = json_object_new_object();

	json_u64(o, "private", s->private_bytes);
	json_u64(o, "shared", s->shared_bytes);
	json_u64(o, "queued", s->queued_bytes);
	json_u64(o, "to_private", s->to_private);
	json_u64(o, "to_shared", s->to_shared);
	json_u64(o, "conversions", s->conversions);
	json_u64(o, "failed", s->failed);
	json_u64(o, "discard_failed", s->discard_failed);
	json_object_object_add(to, "counters", o);
}

static void row(const char *name, const char *what)
{
	printf("%s: %-10s ", name, what);
}

static void stat_text(const char *name, const struct gmem_region_info *i,
		      const struct gmem_region_stats *s)
{
	char a[SIZE_TEXT], c[SIZE_TEXT];

	row(name, "kind");
	puts(kind_name(i));
	row(name, "private");
	printf("%s, shared %s\n", size_text(s->private_bytes, a),
	       size_text(s->shared_bytes, c));
	row(name, "converted");
	printf("%s to private, %s to shared, runs: %" PRIu64 "\n",
	       size_text(s->to_private, a), size_text(s->to_shared, c),
	       s->conversions);
	row(name, "queued");
	puts(size_text(s->queued_bytes, a));
	if (s->failed || s->discard_failed) {
		row(name, "failed");
		printf("%" PRIu64 " calls, and %" PRIu64 " to free memory\n",
		       s->failed, s->discard_failed);
	}
}

int region_stat(struct batch *b, const struct op *op)
{
	struct gmem_region_stats s = { .sz = sizeof(s) };
	struct gmem_region_info i = { .sz = sizeof(i) };
	int r = region_resident(b, op);

	if (r == 0)
		r = gmem_region_get(op->object->region, &i, &b->err);
	if (r == 0)
		r = gmem_region_stat(op->object->region, &s, &b->err);
	if (r < 0)
		return r;
	if (b->result) {
		info_json(&i, b->result);
		stat_json(&s, b->result);
	} else {
		stat_text(op->name, &i, &s);
	}
	return 0;
}
