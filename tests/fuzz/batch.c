// SPDX-License-Identifier: MIT
/*
 * A batch, as a dry run and for real, each on a model of its own.  Both parse
 * each line alike and refuse the same lines, and a refused line leaves the
 * names and slots unchanged.
 */
#include <search.h>
#include <string.h>

#include <gmem_model.h>

#include "cmd/batch/batch.h"
#include "fuzz.h"
#include "report/output.h"
#include "target/vm.h"

/* The memory and addresses that a line may ask of this machine. */
#define PAGES_MAX (4ULL << 20)
#define RANGE_MAX (1ULL << 30)
/* Of all files and regions, whose records and memory are mapped. */
#define FILES_MAX (1ULL << 50)
#define REGIONS_MAX (1ULL << 44)

/* One of the two. */
struct run {
	struct batch b;
	struct op op;
	char line[BATCH_LINE + 1];
	char problem[BATCH_PROBLEM];
	struct field fields[BATCH_FIELDS];
	const char *split; /* what is wrong with the words */
	int n;
};

static void add_object(const void *node, VISIT which, void *sum)
{
	const struct object *o = *(struct object *const *)node;
	uint64_t *h = sum;

	if (which == preorder || which == leaf)
		*h = (*h ^ o->size ^ (uint64_t)o->name[0]) * 0x100000001b3ULL;
}

static void add_slot(const void *node, VISIT which, void *sum)
{
	const struct bound *s = *(struct bound *const *)node;
	uint64_t *h = sum;

	if (which == preorder || which == leaf)
		*h = (*h ^ s->slot ^ s->gpa ^ s->len) * 0x100000001b3ULL;
}

/* A hash of the names and slots. */
static uint64_t lists(const struct batch *b)
{
	uint64_t h = 1;

	twalk_r(b->objects, add_object, &h);
	twalk_r(b->slots, add_slot, &h);
	return h;
}

static void object_sound(const void *node, VISIT which, void *arg)
{
	const struct object *o = *(struct object *const *)node;
	const struct batch *b = arg;

	(void)which;
	HOLDS(find_object(b, o->name) == o);
	HOLDS(!parse_name(o->name));
	HOLDS(o->g && o->size == gmem_size(o->g));
	for (const struct bound *s = o->slots; s; s = s->next) {
		HOLDS(*s->link == s && s->object == o);
		HOLDS(s->next || o->end == &s->next);
	}
}

/* The library has each where the batch has it. */
static void slot_sound(const void *node, VISIT which, void *arg)
{
	const struct bound *s = *(struct bound *const *)node;
	struct gmem_slot is = { .sz = sizeof(is) };
	const struct batch *b = arg;

	(void)which;
	HOLDS(find_slot(b, s->slot) == s);
	HOLDS(gmem_slot_get(b->vm, s->slot, 0, &is, NULL) == 0);
	HOLDS(is.gpa == s->gpa && is.len == s->len);
	HOLDS(is.gmem == (s->object ? s->object->g : NULL));
	HOLDS(!(is.flags & GMEM_SLOT_NOTED) == !s->noted);
}

static void lists_sound(struct batch *b)
{
	twalk_r(b->objects, object_sound, b);
	twalk_r(b->slots, slot_sound, b);
}

/* Each inside the line, one behind the other. */
static void words_sound(const struct run *r, size_t len)
{
	const char *from = r->line;

	HOLDS(r->n >= -1 && r->n <= BATCH_FIELDS);
	HOLDS((r->n < 0) == (r->split != NULL));
	for (int i = 0; i < r->n; i++) {
		const struct field *f = &r->fields[i];

		HOLDS(f->text >= from && f->text + f->len <= r->line + len);
		HOLDS(f->text[f->len] == '\0');
		if (!f->quoted)
			HOLDS(f->len && strlen(f->text) == f->len &&
			      !strpbrk(f->text, " \t\"\n"));
		from = f->text + f->len;
	}
}

/* From the line to r->op.  Return: -1 refused, 0 nothing to do, 1. */
static int understand(struct run *r, const char *line, size_t len)
{
	uint64_t before = lists(&r->b);
	int code;

	memset(r->line, 0x5a, sizeof(r->line));
	memcpy(r->line, line, len < BATCH_LINE ? len : BATCH_LINE);
	r->problem[0] = '\0';
	r->n = batch_split(r->line, len, r->fields, &r->split);
	words_sound(r, len);
	if (r->n <= 0)
		return r->n;
	memset(r->problem, 0x5a, sizeof(r->problem));
	code = batch_parse(&r->b, r->fields, r->n, &r->op, r->problem);
	HOLDS(lists(&r->b) == before);
	if (code < 0) {
		HOLDS(memchr(r->problem, '\0', sizeof(r->problem)));
		HOLDS(r->problem[0]);
		return -1;
	}
	HOLDS(r->op.verb && (!r->op.object || *r->op.name));
	return 1;
}

/* Reads no files of this machine, and limits the memory that is used. */
static bool harmless(const struct op *op)
{
	if (op->path || op->threads > 4 || op->policy.mode)
		return false;
	return op->len <=
	       (op->verb->call == call_populate ? PAGES_MAX : RANGE_MAX);
}

static int carry_out(struct run *r)
{
	uint64_t before = lists(&r->b);
	int code;

	r->b.result = json_object_new_object();
	code = r->op.verb->call(&r->b, &r->op);
	json_object_put(r->b.result);
	r->b.result = NULL;
	HOLDS(lists(&r->b) == before);
	HOLDS(code == 0 ||
	      (code < 0 && r->b.err.code == code && r->b.err.msg[0]));
	if (code == 0 && r->op.verb->commit)
		HOLDS(r->op.verb->commit(&r->b, &r->op) == 0);
	lists_sound(&r->b);
	return code;
}

struct sizes {
	uint64_t files, regions;
};

static void add_sizes(const void *node, VISIT which, void *sum)
{
	const struct object *o = *(struct object *const *)node;
	struct sizes *s = sum;

	if (which != preorder && which != leaf)
		return;
	s->files += o->size;
	if (o->is_region)
		s->regions += o->size;
}

/*
 * Whether both runs have the addresses for what they have made and the line
 * makes: which of them finds no room is no rule of either.
 */
static bool fits(const struct run *r)
{
	struct sizes s = { 0, 0 };

	twalk_r(r->b.objects, add_sizes, &s);
	if (r->op.size > FILES_MAX - s.files)
		return false;
	return r->op.verb->call != call_region ||
	       r->op.size <= REGIONS_MAX - s.regions;
}

/* What a dry run does otherwise, and with what memory. */
static bool harmless_dry(const struct run *r)
{
	const struct op *op = &r->op;

	return fits(r) && op->threads <= 4 &&
	       (op->verb->call == call_populate || op->path ||
		op->len <= RANGE_MAX);
}

/* Whether both continue. */
static bool one_line(struct run *dry, struct run *real, const char *line,
		     size_t len)
{
	int a = understand(dry, line, len), b = 0;

	if (real->b.vm) {
		b = understand(real, line, len);
		HOLDS(a == b && !strcmp(dry->problem, real->problem));
	}
	if (a <= 0 || !harmless_dry(dry))
		return a == 0;
	a = carry_out(dry);
	if (real->b.vm && harmless(&real->op)) {
		b = carry_out(real);
		HOLDS(a == b);
		HOLDS(a == 0 || dry->b.err.reason == real->b.err.reason);
	} else if (real->b.vm) {
		/* From here on they have done different things. */
		(void)gmem_vm_destroy(real->b.vm, NULL);
		real->b.vm = NULL;
	}
	return a == 0;
}

/* By the first byte: files for the host, for the guest alone, for both. */
static struct gmem_vm *vm_of(uint8_t which)
{
	struct gmem_vm_opts v = { .sz = sizeof(v) };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &v };
	struct gmem_vm *vm;

	v.type = which % 3 == 1 ? GMEM_VM_SW_PROTECTED : GMEM_VM_DEFAULT;
	HOLDS(gmem_model_vm_open(which % 3 == 2 ? "inplace" : "7.3", &m, &vm,
				 NULL) == 0);
	return vm;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run dry, real;
	static char line[BATCH_LINE];
	struct kvm kvm = { .verbose = false };
	struct ctl ctl = { .kvm = &kvm, .json = true };
	struct batch b = {
		.ctl = &ctl,
		.err = { .sz = sizeof(b.err) },
	};
	size_t len, at = 0;
	uint8_t model;
	FILE *f;

	if (size < 2)
		return 0;
	model = data++[0];
	size--;
	f = fmemopen((void *)(uintptr_t)data, size, "r");
	HOLDS(f);
	dry.b = real.b = b;
	dry.b.dry = true;
	dry.b.vm = vm_of(model);
	real.b.vm = vm_of(model);
	while (batch_read_line(f, line, &len)) {
		HOLDS(at + len <= size);
		HOLDS(!memcmp(line, data + at,
			      len < BATCH_LINE ? len : BATCH_LINE));
		at += len;
		/* Only what ends the line is not a part of it. */
		at += at < size && data[at] == '\r';
		HOLDS(at == size || data[at] == '\n');
		at++;
		if (!one_line(&dry, &real, line, len))
			break;
	}
	(void)fclose(f);
	free_objects(&dry.b);
	free_objects(&real.b);
	HOLDS(gmem_vm_destroy(dry.b.vm, NULL) == 0);
	HOLDS(gmem_vm_destroy(real.b.vm, NULL) == 0);
	return 0;
}
