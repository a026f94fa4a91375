// SPDX-License-Identifier: MIT
/* The line that replaces slots: its own words, the call, and what it keeps. */
#include <stdio.h>
#include <string.h>

#include "cmd/batch/batch.h"
#include "report/output.h"
#include "target/vm.h"

#define FORM "NAME:SLOT:GPA:OFFSET:LEN[:FLAG...]"

static const char *new_flag(const char *word, struct gmem_slot *to)
{
	uint64_t flag;

	if (gmem_value(GMEM_NAME_SLOT_FLAG, word, &flag, NULL) < 0 ||
	    !(flag & BATCH_SLOT_FLAGS))
		return "ends with a word that is no flag of bind";
	to->flags |= flag;
	return NULL;
}

/* Cuts @text, a copy, at its colons. */
static const char *new_slot(const struct batch *b, char *text,
			    struct gmem_slot *to, struct object **of)
{
	const char *problem = NULL, *name = text, *spec;
	struct slot_spec s;
	char *rest = strchr(text, ':');

	if (!rest)
		return "is not " FORM;
	*rest++ = '\0';
	spec = rest;
	for (int i = 0; rest && i < 4; i++) {
		rest = strchr(rest, ':');
		rest = rest ? rest + 1 : NULL;
	}
	if (rest)
		rest[-1] = '\0';
	if (parse_slot_spec(spec, &s))
		return "is not " FORM;
	*of = find_object(b, name);
	if (!*of)
		return "names no file: create it first";
	*to = (struct gmem_slot){
		.sz = sizeof(*to),
		.slot = s.slot,
		.gpa = s.gpa,
		.len = s.len,
		.offset = s.offset,
		.gmem = (*of)->g,
	};
	for (char *next; rest && !problem; rest = next) {
		next = strchr(rest, ':');
		if (next)
			*next++ = '\0';
		problem = new_flag(rest, to);
	}
	return problem;
}

int parse_replace(const struct batch *b, const struct field *f, int n,
		  struct op *op, char problem[BATCH_PROBLEM])
{
	struct replacement *w = &op->replace;
	const char *why;
	bool with = false;
	char text[BATCH_LINE];

	for (int i = 0; i < n; i++) {
		if (f[i].quoted)
			return batch_bad(problem, "'%s' may not be quoted",
					 f[i].text);
		if (!with && !strcmp(f[i].text, "with")) {
			with = true;
		} else if (!with) {
			why = parse_u32(f[i].text, &w->from[w->n_from].slot);
			if (why)
				return batch_bad(problem, "'%s' %s", f[i].text,
						 why);
			w->from[w->n_from++].sz = sizeof(w->from[0]);
		} else {
			(void)snprintf(text, sizeof(text), "%s", f[i].text);
			why = new_slot(b, text, &w->to[w->n_to],
				       &w->of[w->n_to]);
			if (why)
				return batch_bad(problem, "'%s' %s", f[i].text,
						 why);
			w->n_to++;
		}
	}
	if (with)
		return 0;
	return batch_too_few(op, problem);
}

static void show(const struct replacement *w, json_object *to)
{
	json_object *slots = json_object_new_array(), *slot;

	for (uint32_t i = 0; i < w->n_to; i++) {
		slot = slot_json(w->to[i].slot, w->to[i].gpa, w->to[i].offset,
				 w->to[i].len, slot_mode(&w->to[i]));
		json_text(slot, "object", w->of[i]->name, "");
		json_object_array_add(slots, slot);
	}
	json_object_object_add(to, "slots", slots);
}

int call_replace(struct batch *b, struct op *op)
{
	struct replacement *w = &op->replace;
	int r = gmem_slots_replace(b->vm, w->from, w->n_from, w->to, w->n_to, 0,
				   &b->err);

	if (r == 0 && b->result)
		show(w, b->result);
	return r;
}

bool replace_without(const struct batch *b, const struct op *op)
{
	const struct replacement *w = &op->replace;
	const struct bound *s;

	for (uint32_t i = 0; i < w->n_to; i++)
		if (!w->of[i]->g)
			return true;
	for (uint32_t i = 0; i < w->n_from; i++) {
		s = find_slot(b, w->from[i].slot);
		if (s && s->object && !s->object->g)
			return true;
	}
	return false;
}

int keep_replaced(struct batch *b, const struct op *op)
{
	const struct replacement *w = &op->replace;
	struct op one = { .verb = op->verb };
	int r = 0;

	for (uint32_t i = 0; i < w->n_from; i++) {
		one.slot = w->from[i].slot;
		(void)drop_slot(b, &one);
	}
	for (uint32_t i = 0; i < w->n_to && !r; i++) {
		one.object = w->of[i];
		one.slot = w->to[i].slot;
		one.gpa = w->to[i].gpa;
		one.offset = w->to[i].offset;
		one.len = w->to[i].len;
		one.mode = slot_mode(&w->to[i]);
		/* In a dry run without the file nobody has chosen one. */
		if (!one.mode)
			one.mode = gmem_name(GMEM_NAME_SLOT_FLAG, GMEM_SLOT_FD);
		r = keep_slot(b, &one);
	}
	return r;
}
