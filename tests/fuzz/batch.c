// SPDX-License-Identifier: MIT
/*
 * A batch, as a dry run and on the model, side by side.  Both parse each line
 * alike, a refused line leaves the lists unchanged, and the library refuses
 * what the dry run refuses.
 */
#include <string.h>
#include <unistd.h>

#include <gmem_model.h>

#include "cmd/batch/batch.h"
#include "fuzz.h"
#include "report/output.h"
#include "target/vm.h"

/* The memory that a line may ask of this machine. */
#define PAGES_MAX (4ULL << 20)
#define RANGE_MAX (1ULL << 30)

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

/* A hash of the lists. */
static uint64_t lists(const struct batch *b)
{
	uint64_t h = 1;

	for (const struct object *o = b->objects; o; o = o->next)
		h = (h ^ o->size ^ (uint64_t)o->name[0]) * 0x100000001b3ULL;
	for (const struct bound *s = b->slots; s; s = s->next)
		h = (h ^ s->slot ^ s->gpa ^ s->len) * 0x100000001b3ULL;
	return h;
}

/* What the checks guarantee. */
static void lists_sound(const struct batch *b)
{
	for (const struct object *o = b->objects; o; o = o->next) {
		HOLDS(find_object(b, o->name) == o);
		HOLDS(!parse_name(o->name));
		HOLDS(o->size && o->page && o->size % o->page == 0);
	}
	for (const struct bound *s = b->slots; s; s = s->next) {
		HOLDS(find_slot(b, s->slot) == s);
		HOLDS(s->len && s->gpa % b->page == 0 &&
		      s->gpa + s->len >= s->gpa);
		if (s->object)
			HOLDS(s->len <= s->object->size &&
			      s->offset <= s->object->size - s->len);
		for (const struct bound *t = s->next; t; t = t->next)
			HOLDS(s->gpa + s->len <= t->gpa ||
			      t->gpa + t->len <= s->gpa);
	}
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

static int do_real(struct run *r)
{
	int code;

	r->b.result = json_object_new_object();
	code = r->op.verb->call(&r->b, &r->op);
	json_object_put(r->b.result);
	r->b.result = NULL;
	return code;
}

static void keep(struct run *r)
{
	if (r->op.verb->commit)
		HOLDS(r->op.verb->commit(&r->b, &r->op) == 0);
}

/* Whether both continue. */
static bool one_line(struct run *dry, struct run *real, const char *line,
		     size_t len)
{
	uint64_t before = lists(&dry->b);
	int a = understand(dry, line, len), b = 0, code;

	if (real->b.vm) {
		b = understand(real, line, len);
		HOLDS(a == b && !strcmp(dry->problem, real->problem));
	}
	if (a <= 0)
		return a == 0;
	code = dry->op.verb->check ? dry->op.verb->check(&dry->b, &dry->op) : 0;
	HOLDS(lists(&dry->b) == before);
	HOLDS(code == 0 ||
	      (code < 0 && dry->b.err.code == code && dry->b.err.msg[0]));
	if (code == 0) {
		keep(dry);
		lists_sound(&dry->b);
	}
	if (real->b.vm && harmless(&real->op)) {
		b = do_real(real);
		HOLDS(code == 0 || b < 0);
		if (b >= 0)
			keep(real);
		return b >= 0;
	}
	if (real->b.vm) {
		/* From here on they have done different things. */
		(void)gmem_vm_destroy(real->b.vm, NULL);
		real->b.vm = NULL;
	}
	return code == 0;
}

static void free_lists(struct batch *b)
{
	struct op op = { .object = NULL };

	while (b->slots) {
		op.slot = b->slots->slot;
		(void)drop_slot(b, &op);
	}
	while (b->objects) {
		op.object = b->objects;
		(void)drop_object(b, &op);
	}
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
		.page = (uint64_t)sysconf(_SC_PAGESIZE),
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
	real.b.vm = vm_of(model);
	while (batch_read_line(f, line, &len)) {
		HOLDS(at + len <= size);
		HOLDS(!memcmp(line, data + at,
			      len < BATCH_LINE ? len : BATCH_LINE));
		at += len + 1;
		if (!one_line(&dry, &real, line, len))
			break;
	}
	(void)fclose(f);
	free_lists(&dry.b);
	free_lists(&real.b);
	HOLDS(gmem_vm_destroy(real.b.vm, NULL) == 0);
	return 0;
}
