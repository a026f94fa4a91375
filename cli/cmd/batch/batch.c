// SPDX-License-Identifier: MIT
/* The batch command: its lines, one after the other, for real or as a check. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

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
	  .names = GMEM_NAME_VM_TYPE,
	  .help = "the type of the VM; arm64 has default alone" },
	{ "dry-run", NULL, OPT_BOOL, offsetof(struct args, dry_run),
	  .help = "try the lines on a model of this machine's kernel; make "
		  "nothing" },
	{ .name = NULL },
};

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

/* The command may have done a part of its work, which is then shown too. */
static void end_part(struct batch *b, struct end *end, const struct op *op,
		     const char *text, json_object *error)
{
	const struct work w = work_of(b, op);
	char part[WORK_TEXT];

	if (b->dry)
		json_u64(error, "done", 0);
	else
		work_json(&w, error);
	if (b->dry || !work_part(&w)) {
		end_at(b, end, exit_of(&b->err), text, error);
		return;
	}
	end_at(b, end, CTL_CHECK, text, error);
	message(b->ctl, "%s:%lu: %s", b->file, b->line, work_text(&w, part));
}

static void end_refused(struct batch *b, struct end *end, const struct op *op)
{
	json_object *error = json_error(&b->err);
	char text[1024];
	size_t n = (size_t)snprintf(text, sizeof(text),
				    "%s: ", op->verb->word.name);

	error_text(&b->err, text + n, sizeof(text) - n);
	if (op->verb->done)
		end_part(b, end, op, text, error);
	else
		end_at(b, end, exit_of(&b->err), text, error);
}

static int no_memory(struct batch *b)
{
	return refuse(&b->err, -ENOMEM, GMEM_REASON_NO_MEMORY, "out of memory");
}

static int do_op(struct batch *b, struct op *op)
{
	int r;

	op->unchecked = b->dry ? op->verb->unchecked : NULL;
	r = dry_without(b, op) ? 0 : op->verb->call(b, op);
	if (!r && op->verb->commit && op->verb->commit(b, op) < 0)
		r = no_memory(b);
	return r;
}

/* What JSON says of each line; the command adds what it shows. */
static json_object *result_of(const struct batch *b, const struct op *op)
{
	json_object *o = json_object_new_object();

	json_u64(o, "line", b->line);
	json_text(o, "command", op->verb->word.name, "");
	json_text(o, "object", *op->name ? op->name : NULL, "acts on a slot");
	return o;
}

/* A line that succeeded. */
static void end_line(const struct batch *b, const struct op *op, char *line,
		     size_t len, json_object *results, json_object *result)
{
	if (!results && b->dry)
		dry_tell(line, len, op->unchecked);
	if (!results)
		return;
	if (op->unchecked)
		json_text(result, "unchecked", op->unchecked, "");
	json_object_array_add(results, result);
}

static void do_line(struct batch *b, char *line, size_t len,
		    json_object *results, struct end *end)
{
	struct field fields[BATCH_FIELDS];
	char text[BATCH_PROBLEM], again[BATCH_LINE];
	const char *problem;
	json_object *result;
	struct op op;
	int n, r;

	memcpy(again, line, len < BATCH_LINE ? len : 0);
	n = batch_split(line, len, fields, &problem);
	if (n < 0)
		end_syntax(b, end, problem);
	if (n <= 0)
		return;
	if (batch_parse(b, fields, n, &op, text) < 0) {
		end_syntax(b, end, text);
		return;
	}
	result = results ? result_of(b, &op) : NULL;
	/* What a command shows in a dry run is the model's: it goes away. */
	b->result = b->dry ? json_object_new_object() : result;
	r = do_op(b, &op);
	if (b->dry)
		json_object_put(b->result);
	b->result = NULL;
	if (r < 0) {
		json_object_put(result);
		if (b->dry)
			dry_explain(&b->err);
		end_refused(b, end, &op);
	} else {
		end_line(b, &op, again, len, results, result);
	}
}

/* All lines of @f, up to the first error. */
static int do_lines(struct batch *b, FILE *f)
{
	json_object *o = NULL, *results = NULL;
	struct end end = { .status = 0 };
	char line[BATCH_LINE];
	size_t len, skip;

	if (b->ctl->json) {
		o = json_new(b->ctl);
		results = json_object_new_array();
	} else {
		if (b->dry)
			puts("# dry run: nothing is made");
		model_note(b->ctl);
	}
	while (!end.status && batch_read_line(f, line, &len)) {
		b->line++;
		skip = b->line == 1 ? batch_mark(line, len) : 0;
		do_line(b, line + skip, len - skip, results, &end);
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
		json_boolean(o, "dry_run", b->dry);
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
		.dry = args.dry_run,
		.err = { .sz = sizeof(b.err) },
	};
	FILE *f = stdin;
	int status;

	b.file = ctl->operands[0];
	if (strcmp(b.file, "-"))
		f = fopen(b.file, "re");
	if (!f)
		return system_error(ctl, errno, "%s", b.file);
	if (b.dry)
		dry_begin(ctl);
	status = vm_start(ctl, args.vm_type, &b.vm);
	if (!status)
		status = priv_drop(ctl);
	if (!status)
		status = do_lines(&b, f);
	free_objects(&b);
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
