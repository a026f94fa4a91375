// SPDX-License-Identifier: MIT
/* The batch command: its lines, and the names and slots it keeps. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/batch/batch.h"
#include "report/error.h"
#include "report/output.h"
#include "target/priv.h"
#include "target/vm.h"

struct args {
	const char *vm_type;
	bool dry_run;
};

static struct args args;

static const struct opt opts[] = {
	{ "vm-type", "TYPE", OPT_TEXT, offsetof(struct args, vm_type),
	  .names = GMEM_NAME_VM_TYPE, .help = "the type of the VM" },
	{ "dry-run", NULL, OPT_BOOL, offsetof(struct args, dry_run),
	  .help = "check the lines, names and ranges; make nothing" },
	{ .name = NULL },
};

/* ---------------------------------------------------------------- lists -- */

struct object *find_object(const struct batch *b, const char *name)
{
	struct object *o = b->objects;

	while (o && strcmp(o->name, name))
		o = o->next;
	return o;
}

struct bound *find_slot(const struct batch *b, uint32_t slot)
{
	struct bound *s = b->slots;

	while (s && s->slot != slot)
		s = s->next;
	return s;
}

int keep_object(struct batch *b, const struct op *op)
{
	struct object *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	memcpy(o->name, op->name, sizeof(o->name));
	o->size = op->size;
	o->page = op->hugetlb ? op->hugetlb : b->page;
	o->g = op->made;
	o->next = b->objects;
	b->objects = o;
	return 0;
}

int drop_object(struct batch *b, const struct op *op)
{
	struct object **at = &b->objects;

	while (*at != op->object)
		at = &(*at)->next;
	*at = op->object->next;
	free(op->object);
	return 0;
}

int keep_slot(struct batch *b, const struct op *op)
{
	struct bound *s = calloc(1, sizeof(*s)), **end = &b->slots;

	if (!s)
		return -ENOMEM;
	s->object = op->object;
	s->slot = op->slot;
	s->gpa = op->gpa;
	s->offset = op->offset;
	s->len = op->len;
	s->mode = op->mode;
	while (*end)
		end = &(*end)->next;
	*end = s;
	return 0;
}

int keep_note(struct batch *b, const struct op *op)
{
	int r = keep_slot(b, op);

	if (!r)
		find_slot(b, op->slot)->noted = true;
	return r;
}

int drop_slot(struct batch *b, const struct op *op)
{
	struct bound **at = &b->slots, *s;

	while (*at && (*at)->slot != op->slot)
		at = &(*at)->next;
	s = *at;
	if (s) {
		*at = s->next;
		free(s);
	}
	return 0;
}

static void free_lists(struct batch *b)
{
	while (b->slots) {
		struct bound *s = b->slots;

		b->slots = s->next;
		free(s);
	}
	while (b->objects) {
		struct object *o = b->objects;

		b->objects = o->next;
		free(o);
	}
}

/* ---------------------------------------------------------------- lines -- */

/* What ends a batch; .status is the exit status, 0 while nothing did. */
struct end {
	int status;
	json_object *error; /* with --json */
};

static void end_at(struct batch *b, struct end *end, int status,
		   const char *text, json_object *error)
{
	message(b->ctl, "%s:%lu: %s", b->file, b->line, text);
	end->status = status;
	if (b->ctl->json) {
		json_u64(error, "line", b->line);
		end->error = error;
	} else {
		json_object_put(error);
	}
}

static void end_syntax(struct batch *b, struct end *end, const char *problem)
{
	end_at(b, end, CTL_USAGE, problem,
	       json_problem("EINVAL", "usage", problem,
			    "see gmemctl batch --help"));
}

static void end_refused(struct batch *b, struct end *end, const char *what)
{
	char text[1024];
	size_t n = (size_t)snprintf(text, sizeof(text), "%s: ", what);

	(void)gmem_strerror(&b->err, text + n, sizeof(text) - n);
	end_at(b, end, exit_of(&b->err), text, json_error(&b->err));
}

static int no_memory(struct batch *b)
{
	return refuse(&b->err, -ENOMEM, GMEM_REASON_NO_MEMORY, "out of memory");
}

static int do_op(struct batch *b, struct op *op)
{
	int r = 0;

	if (b->vm)
		r = op->verb->call(b, op);
	else if (op->verb->check)
		r = op->verb->check(b, op);
	if (!r && op->verb->commit && op->verb->commit(b, op) < 0)
		r = no_memory(b);
	return r;
}

static void do_line(struct batch *b, char *line, size_t len,
		    json_object *results, struct end *end)
{
	struct field fields[BATCH_FIELDS];
	char text[BATCH_PROBLEM];
	const char *problem;
	struct op op = { .verb = NULL };
	int n, r;

	n = batch_split(line, len, fields, &problem);
	if (n < 0)
		end_syntax(b, end, problem);
	if (n <= 0)
		return;
	if (batch_parse(b, fields, n, &op, text) < 0) {
		end_syntax(b, end, text);
		return;
	}
	if (results) {
		b->result = json_object_new_object();
		json_u64(b->result, "line", b->line);
		json_text(b->result, "command", op.verb->word.name, "");
		json_text(b->result, "object", *op.name ? op.name : NULL,
			  "acts on a slot");
	}
	r = do_op(b, &op);
	if (r < 0) {
		end_refused(b, end, op.verb->word.name);
		json_object_put(b->result);
	} else if (results) {
		json_object_array_add(results, b->result);
	}
	b->result = NULL;
}

/* All lines of @f, up to the first error. */
static int do_lines(struct batch *b, FILE *f)
{
	json_object *o = NULL, *results = NULL;
	struct end end = { .status = 0 };
	char line[BATCH_LINE];
	size_t len;

	if (b->ctl->json) {
		o = json_new(b->ctl);
		results = json_object_new_array();
	} else if (b->vm) {
		model_note(b->ctl);
	}
	while (!end.status && batch_read_line(f, line, &len)) {
		b->line++;
		do_line(b, line, len, results, &end);
	}
	if (!end.status && ferror(f)) {
		int errnum = errno;

		end_at(b, &end, CTL_FAILED, strerror(errnum),
		       json_problem(errno_name(errnum), "system",
				    strerror(errnum), ""));
	}
	if (o) {
		json_text(o, "file", b->file, "");
		json_text(
			o, "vm_type",
			gmem_name(GMEM_NAME_VM_TYPE, vm_type_of(args.vm_type)),
			"");
		model_json(b->ctl, o);
		json_object_object_add(o, "dry_run",
				       json_object_new_boolean(!b->vm));
		json_object_object_add(o, "results", results);
		if (end.error)
			json_object_object_add(o, "error", end.error);
		out_json(b->ctl, o);
	}
	return end.status;
}

static int run(struct ctl *ctl)
{
	struct batch b = {
		.ctl = ctl,
		.page = (uint64_t)sysconf(_SC_PAGESIZE),
		.err = { .sz = sizeof(b.err) },
	};
	FILE *f = stdin;
	int status = 0;

	b.file = ctl->operands[0];
	if (strcmp(b.file, "-"))
		f = fopen(b.file, "re");
	if (!f)
		return system_error(ctl, errno, "%s", b.file);
	if (!args.dry_run)
		status = vm_start(ctl, args.vm_type, &b.vm);
	if (!status && !args.dry_run)
		status = priv_drop(ctl);
	if (!status)
		status = do_lines(&b, f);
	free_lists(&b);
	(void)gmem_vm_destroy(b.vm, NULL);
	if (f != stdin)
		(void)fclose(f);
	return status;
}

const struct cmd cmd_batch = {
	.name = "batch",
	.args = "[OPTIONS] FILE|-",
	.summary = "run many commands against one VM",
	.text = "A line is a command and its arguments, or empty; '#' starts "
		"a comment.  Sizes, offsets and addresses are like 4096, 64K, "
		"2M, 1GiB, 0x1000.  The first error ends the batch; "
		"everything made is released at the end.",
	.opts = opts,
	.values = &args,
	.word = batch_word,
	.run = run,
	.operands = { 1, 1, "one file is needed, or - for standard input" },
	.flags = CMD_ON_A_VM,
};
