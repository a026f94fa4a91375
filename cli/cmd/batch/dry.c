// SPDX-License-Identifier: MIT
/* The dry run: a model instead of this machine's kernel. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cmd/batch/batch.h"
#include "report/output.h"
#include "table/array.h"
#include "target/vm.h"

/* Of the guest addresses of the model's x86-64; a CPU has 36 to 52 bits. */
#define MODEL_END (1ULL << 48)

/* The model takes more of these than a kernel does. */
static const int limits[] = { RLIMIT_NOFILE, RLIMIT_FSIZE };

void dry_begin(struct ctl *ctl)
{
	static struct kvm kvm;
	struct rlimit l;

	kvm = *ctl->kvm;
	kvm.device = NULL;
	ctl->kvm = &kvm;
	if (!model_name(ctl))
		model_nearest(&kvm.model);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (getrlimit(limits[i], &l) < 0)
			continue;
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(limits[i], &l);
	}
}

/* As it can be written in a batch; what cannot be, as \xNN. */
static void tell_quoted(const struct field *f)
{
	putchar('"');
	for (size_t i = 0; i < f->len; i++) {
		unsigned char c = (unsigned char)f->text[i];

		if (c == '\n')
			printf("\\n");
		else if (c == '\t')
			printf("\\t");
		else if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c >= ' ' && c < 0x7f)
			putchar(c);
		else
			printf("\\x%02x", c);
	}
	putchar('"');
}

void dry_tell(char *line, size_t len, const char *unchecked)
{
	struct field fields[BATCH_FIELDS];
	char text[4 * BATCH_LINE];
	const char *problem;
	int n = batch_split(line, len, fields, &problem);

	printf("would");
	for (int i = 0; i < n; i++) {
		putchar(' ');
		if (fields[i].quoted)
			tell_quoted(&fields[i]);
		else
			printf("%s",
			       safe_text(fields[i].text, text, sizeof(text)));
	}
	if (unchecked)
		printf("  # not checked: %s", unchecked);
	putchar('\n');
}

void dry_explain(struct gmem_error *err)
{
	size_t n = strlen(err->msg);

	if (err->reason == GMEM_REASON_GPA_LIMIT && err->limit == MODEL_END)
		(void)snprintf(err->msg + n, sizeof(err->msg) - n,
			       "; the model ends at 48 bits, a host may have "
			       "more or fewer");
}

bool dry_short_of(const struct gmem_error *err, struct op *op)
{
	if (err->reason == GMEM_REASON_FD_LIMIT)
		op->unchecked = "the model takes up to three descriptors for a "
				"file, and RLIMIT_NOFILE is reached";
	else if (err->sys_errno == EFBIG)
		op->unchecked = "RLIMIT_FSIZE limits the files of the model";
	else
		return false;
	return true;
}

bool dry_without(const struct batch *b, struct op *op)
{
	static const char missing[] = "the model could not make the file";
	const struct object *o = op->object;
	const struct bound *s;

	if (op->verb->call == call_replace && replace_without(b, op)) {
		op->unchecked = missing;
		return true;
	}
	if (op->verb->call == call_forget) {
		s = find_slot(b, op->slot);
		o = s ? s->object : NULL;
	}
	if (!o || o->g)
		return false;
	/* The library would say so, of a file that the model had made. */
	if (op->verb->call == call_close && o->slots)
		return false;
	op->unchecked = missing;
	return true;
}
