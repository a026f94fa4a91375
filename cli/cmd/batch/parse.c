// SPDX-License-Identifier: MIT
/* The batch's language: from fields to a struct op. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/batch/batch.h"
#include "table/array.h"

struct parser {
	const struct batch *b;
	const struct field *field, *end;
	struct op *op;
	char *problem;
};

int batch_bad(char problem[BATCH_PROBLEM], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(problem, BATCH_PROBLEM, fmt, ap);
	va_end(ap);
	return -1;
}

int batch_too_few(const struct op *op, char problem[BATCH_PROBLEM])
{
	const struct cmd_word *w = &op->verb->word;

	return batch_bad(problem, "too few words: %s %s", w->name, w->args);
}

static int size(struct parser *p, const char *text, uint64_t *out)
{
	const char *problem = parse_size(text, out);

	return problem ? batch_bad(p->problem, "'%s' %s", text, problem) : 0;
}

static int new_name(struct parser *p, const char *text)
{
	const char *problem = parse_name(text);

	if (problem)
		return batch_bad(p->problem, "'%s' %s", text, problem);
	if (find_object(p->b, text))
		return batch_bad(p->problem,
				 "'%s' exists already: close it first", text);
	memcpy(p->op->name, text, strlen(text) + 1);
	return 0;
}

static int object(struct parser *p, const char *text)
{
	p->op->object = find_object(p->b, text);
	if (!p->op->object)
		return batch_bad(p->problem,
				 "there is no '%s': create it first", text);
	/* Of a region, it is the file that is handed in. */
	if (!*p->op->name)
		memcpy(p->op->name, p->op->object->name, sizeof(p->op->name));
	return 0;
}

static int slot(struct parser *p, const char *text)
{
	const char *problem = parse_u32(text, &p->op->slot);

	return problem ? batch_bad(p->problem, "slot '%s' %s", text, problem)
		       : 0;
}

static int read_len(struct parser *p, const char *text)
{
	int r = size(p, text, &p->op->len);

	if (!r && p->op->len > BATCH_READ)
		r = batch_bad(p->problem,
			      "'%s' is more than one read shows (1M)", text);
	return r;
}

/* The field itself, since bytes may be in quotes or behind "hex:". */
static int data(struct parser *p, const char *text)
{
	const struct field *f = p->field - 1;
	const char *problem;

	p->op->data = f->text;
	p->op->len = f->len;
	if (f->quoted)
		return 0;
	if (strncmp(text, "hex:", 4))
		return batch_bad(p->problem,
				 "'%s' is neither \"TEXT\" nor hex:DIGITS",
				 text);
	problem = parse_hex(text + 4, (unsigned char *)f->text, &p->op->len);
	return problem ? batch_bad(p->problem, "'%s' %s", text, problem) : 0;
}

static int file_name(struct parser *p, const char *text)
{
	p->op->path = text;
	return *text ? 0
		     : batch_bad(p->problem, "the name of the file is empty");
}

/* Up to the end of the object, and one byte too many beyond it. */
static int input(struct parser *p, const char *text)
{
	const struct op *op = p->op;
	uint64_t size = op->object->size;

	p->op->len = op->offset < size ? size - op->offset : 1;
	return file_name(p, text);
}

static int whole_object(struct parser *p, const char *text)
{
	int r = object(p, text);

	if (!r)
		p->op->len = p->op->object->size;
	return r;
}

static int region(struct parser *p, const char *text)
{
	int r = whole_object(p, text);

	if (!r && !p->op->object->is_region)
		r = batch_bad(p->problem, BATCH_NO_REGION, text);
	return r;
}

static int new_size(struct parser *p, const char *text)
{
	return size(p, text, &p->op->size);
}

static int gpa(struct parser *p, const char *text)
{
	return size(p, text, &p->op->gpa);
}

static int offset(struct parser *p, const char *text)
{
	return size(p, text, &p->op->offset);
}

static int len(struct parser *p, const char *text)
{
	return size(p, text, &p->op->len);
}

static const struct {
	int (*take)(struct parser *p, const char *text);
	bool quoted; /* it may be */
} params[PARAMS] = {
	[PARAM_NEW_NAME] = { .take = new_name },
	[PARAM_OBJECT] = { .take = whole_object },
	[PARAM_REGION] = { .take = region },
	[PARAM_SLOT] = { .take = slot },
	[PARAM_GPA] = { .take = gpa },
	[PARAM_SIZE] = { .take = new_size },
	[PARAM_OFFSET] = { .take = offset },
	[PARAM_LEN] = { .take = len },
	[PARAM_READ_LEN] = { .take = read_len },
	[PARAM_DATA] = { .take = data, .quoted = true },
	[PARAM_INPUT] = { .take = input, .quoted = true },
	[PARAM_OUTPUT] = { .take = file_name, .quoted = true },
};

static int take(struct parser *p, enum param what)
{
	const struct field *f = p->field++;

	if (f == p->end)
		return batch_too_few(p->op, p->problem);
	if (f->quoted && !params[what].quoted)
		return batch_bad(p->problem, "\"%s\" may not be quoted",
				 f->text);
	return params[what].take(p, f->text);
}

static int hugetlb(struct parser *p, const char *text)
{
	return size(p, text, &p->op->hugetlb);
}

static int addr(struct parser *p, const char *text)
{
	return size(p, text, &p->op->addr);
}

static int kind(struct parser *p, const char *text)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t value;

	if (gmem_value(GMEM_NAME_REGION_KIND, text, &value, &err) < 0)
		return batch_bad(p->problem, "%s", err.msg);
	p->op->kind = (uint32_t)value;
	return 0;
}

static int policy_mode(struct parser *p, const char *text)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t mode;

	p->op->policy.mode = text;
	if (gmem_value(GMEM_NAME_MPOL, text, &mode, &err) < 0)
		return batch_bad(p->problem, "%s", err.msg);
	return 0;
}

static int nodes(struct parser *p, const char *text)
{
	const char *problem = parse_nodes(text);

	p->op->policy.nodes = text;
	return problem ? batch_bad(p->problem, "'%s' %s", text, problem) : 0;
}

static int threads(struct parser *p, const char *text)
{
	const char *problem = parse_u32(text, &p->op->threads);

	if (problem)
		return batch_bad(p->problem, "'%s' %s", text, problem);
	if (!p->op->threads || p->op->threads > POPULATE_THREADS)
		return batch_bad(p->problem, "threads='%s' is not from 1 to %d",
				 text, POPULATE_THREADS);
	return 0;
}

static const struct {
	const char *word;
	int (*take)(struct parser *p, const char *text);
} values[] = {
	{ "hugetlb=", hugetlb },    { "offset=", offset },
	{ "file=", object },	    { "threads=", threads },
	{ "policy=", policy_mode }, { "set=", policy_mode },
	{ "nodes=", nodes },	    { "addr=", addr },
	{ "kind=", kind },
};

/* A word behind the arguments that have a place: "mmap", "hugetlb=2M". */
static int word(struct parser *p)
{
	const struct field *f = p->field++;
	const struct verb *verb = p->op->verb;
	const struct batch_word *w = verb->words;
	const char *value = f->text;
	uint64_t flag;
	size_t n;

	if (!f->quoted && verb->names &&
	    gmem_value(verb->names, f->text, &flag, NULL) == 0 &&
	    flag & verb->flags) {
		p->op->flags |= flag;
		return 0;
	}
	for (; w && w->word; w++) {
		n = strlen(w->word);
		if (w->word[n - 1] == '=' ? !strncmp(w->word, f->text, n)
					  : !strcmp(w->word, f->text))
			break;
	}
	if (!w || !w->word || f->quoted)
		return batch_bad(p->problem, "unknown word '%s': %s %s",
				 f->text, verb->word.name, verb->word.args);
	p->op->flags |= w->flags;
	value += strcspn(value, "=") + 1;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (!strcmp(w->word, values[i].word))
			return values[i].take(p, value);
	return 0;
}

static int no_verb(struct parser *p, const struct field *f)
{
	struct guess guess = { .word = f->text, .len = f->len };
	char text[GUESS_TEXT];

	for (size_t i = 0; batch_word(i); i++)
		guess_try(&guess, batch_word(i)->name);
	return batch_bad(
		p->problem,
		"unknown command '%s': gmemctl batch --help lists them%s",
		f->text, guess_text(&guess, text));
}

/* Whether the optional arguments are there: they start with a number. */
static bool has_range(const struct parser *p)
{
	return p->field < p->end && p->field->text[0] >= '0' &&
	       p->field->text[0] <= '9';
}

int batch_parse(const struct batch *b, const struct field *fields, int n,
		struct op *op, char problem[BATCH_PROBLEM])
{
	struct parser p = { b, fields, fields + n, op, problem };
	const enum param *t;
	int r = 0;

	*op = (struct op){ .verb = find_verb(fields[0].text) };
	if (!op->verb || fields[0].quoted)
		return no_verb(&p, &fields[0]);
	if (op->verb->parse)
		return op->verb->parse(b, fields + 1, n - 1, op, problem);
	p.field++;
	for (t = op->verb->takes; *t != PARAM_END && !r; t++) {
		if (*t != PARAM_OPTIONAL)
			r = take(&p, *t);
		else if (!has_range(&p))
			break;
	}
	while (!r && p.field < p.end)
		r = word(&p);
	if (!r && op->policy.nodes && !op->policy.mode)
		r = batch_bad(p.problem, "nodes= needs a policy: %s %s",
			      op->verb->word.name, op->verb->word.args);
	return r;
}
