// SPDX-License-Identifier: MIT
/*
 * Options from the tables.  Not getopt_long(3): that takes prefixes of names,
 * so that a script breaks on the day an option is added.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "program/list.h"
#include "program/opts.h"
#include "report/words.h"

struct where {
	const struct opt *opt;
	void *base;    /* the struct that .at is an offset in */
	char text[40]; /* "--size", for messages */
};

/* By name of @len characters, or by letter where @name is NULL. */
static const struct opt *find(const struct opt *o, const char *name, size_t len,
			      char letter)
{
	for (; o && o->name; o++)
		if (name ? strlen(o->name) == len && !memcmp(o->name, name, len)
			 : o->letter && o->letter == letter)
			return o;
	return NULL;
}

/* The command of whose language @name is a word, and that takes @o. */
static const struct cmd *with_word(const char *name, const struct opt *o)
{
	const struct cmd_word *w;

	for (const struct cmd *const *c = commands; *c; c++)
		for (size_t i = 0; (*c)->word && (w = (*c)->word(i)); i++)
			if (!strcmp(w->name, name) && (*c)->flags & o->need)
				return *c;
	return NULL;
}

/* The usage error for a common option, as @text, that the command lacks. */
static int refused(struct program *p, const struct opt *o, const char *text)
{
	const char *name = program_cmd(p)->name;
	const struct cmd *other =
		o->kind == OPT_MODEL ? with_word(name, o) : NULL;

	if (other)
		return usage_error(&p->ctl,
				   "does not take %s: use the %s command of "
				   "gmemctl %s",
				   text, name, other->name);
	return usage_error(&p->ctl, "does not take %s", text);
}

int opts_check_common(struct program *p)
{
	const struct opt *list[CMD_OPTS_MAX];
	unsigned int taken = 0;
	char text[40];
	size_t n = cmd_opts(program_cmd(p), list);

	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; common_opts[c].name; c++)
			if (list[i] == &common_opts[c])
				taken |= 1U << c;
	for (size_t c = 0; common_opts[c].name; c++)
		if (p->common & ~taken & 1U << c) {
			p->ctl.json = false;
			(void)snprintf(text, sizeof(text), "--%s",
				       common_opts[c].name);
			return refused(p, &common_opts[c], text);
		}
	return 0;
}

static int unknown(struct program *p, const struct cmd *cmd,
		   const struct where *w, const char *name, size_t len)
{
	const struct opt *list[CMD_OPTS_MAX];
	struct guess guess = { .word = w->text, .len = len + 2 };
	char names[CMD_OPTS_MAX][sizeof(w->text)], text[GUESS_TEXT];
	size_t n = cmd_opts(cmd, list);

	for (size_t i = 0; name && i < n; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "--%s",
			       list[i]->name);
		guess_try(&guess, names[i]);
	}
	return usage_error(&p->ctl, "unknown option %s%s", w->text,
			   guess_text(&guess, text));
}

static int look_up(struct program *p, const char *name, size_t len, char letter,
		   struct where *w)
{
	const struct cmd *cmd = program_cmd(p);

	if (name)
		(void)snprintf(w->text, sizeof(w->text), "--%.*s", (int)len,
			       name);
	else
		(void)snprintf(w->text, sizeof(w->text), "-%c", letter);
	if (cmd && cmd->values) {
		w->base = cmd->values;
		w->opt = find(cmd->opts, name, len, letter);
		if (!w->opt)
			w->opt = find(cmd->more_opts, name, len, letter);
		if (w->opt)
			return 0;
	}
	w->base = p;
	w->opt = find(common_opts, name, len, letter);
	if (!w->opt)
		return unknown(p, cmd, w, name, len);
	if (cmd && (w->opt->need & cmd->flags) != w->opt->need)
		return refused(p, w->opt, w->text);
	p->common |= 1U << (w->opt - common_opts);
	return 0;
}

static int bad_value(struct ctl *ctl, const struct where *w, const char *value,
		     const char *problem)
{
	return usage_error(ctl, "%s: '%s' %s", w->text, value, problem);
}

static int beyond(struct ctl *ctl, const struct where *w, const char *value)
{
	return usage_error(ctl, "%s: '%s' is not from %" PRIu32 " to %" PRIu32,
			   w->text, value, w->opt->min, w->opt->max);
}

static int bad_choice(struct ctl *ctl, const struct where *w, const char *value)
{
	char list[128] = "is not one of";
	const char *word;
	size_t n = strlen(list);

	for (uint32_t i = 0; (word = opt_value(w->opt, i)) && n < sizeof(list);
	     i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s %s",
				      i ? "," : "", word);
	return bad_value(ctl, w, value, list);
}

static int set_text(struct ctl *ctl, const struct where *w, const char *value)
{
	const char *word;
	uint32_t i = 0;

	while ((word = opt_value(w->opt, i)) && strcmp(word, value))
		i++;
	if (!word && i)
		return bad_choice(ctl, w, value);
	*(const char **)((char *)w->base + w->opt->at) = value;
	return 0;
}

static int set_list(struct ctl *ctl, const struct where *w, const char *value)
{
	struct opt_list *list = (void *)((char *)w->base + w->opt->at);

	if (list->n == OPT_LIST_MAX)
		return usage_error(ctl, "%s: more than %d of them", w->text,
				   OPT_LIST_MAX);
	list->value[list->n++] = value;
	return 0;
}

/* 0, the exit status of a refusal, or OPTS_*. */
static int set(struct ctl *ctl, const struct where *w, const char *value)
{
	void *at = (char *)w->base + w->opt->at;
	const char *problem = NULL;
	struct opt_size *size = at;
	struct opt_u32 *u32 = at;

	switch (w->opt->kind) {
	case OPT_HELP:
		return OPTS_HELP;
	case OPT_VERSION:
		return OPTS_VERSION;
	case OPT_BOOL:
		*(bool *)at = true;
		return 0;
	case OPT_BITS:
		*(uint64_t *)at |= w->opt->bits;
		return 0;
	case OPT_SIZE:
		problem = parse_size(value, &size->value);
		size->given = true;
		break;
	case OPT_U32:
		problem = parse_u32(value, &u32->value);
		if (!problem && (u32->value < w->opt->min ||
				 (w->opt->max && u32->value > w->opt->max)))
			return beyond(ctl, w, value);
		u32->given = true;
		break;
	case OPT_TEXT:
		return set_text(ctl, w, value);
	case OPT_LIST:
		return set_list(ctl, w, value);
	case OPT_MODEL:
		return model_parse(ctl, value, at);
	}
	return problem ? bad_value(ctl, w, value, problem) : 0;
}

/* The value of an option that is the next word; NULL: *r is the status. */
static const char *next_word(struct ctl *ctl, const struct where *w, int argc,
			     char **argv, int *i, int *r)
{
	if (*i + 1 < argc)
		return argv[++*i];
	*r = usage_error(ctl, "%s needs a value: %s", w->text, w->opt->arg);
	return NULL;
}

/* argv[*i] is "--NAME", "--NAME=VALUE" or "--NAME" with its value next. */
static int long_option(struct program *p, int argc, char **argv, int *i)
{
	const char *name = argv[*i] + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	struct where w;
	int r;

	r = look_up(p, name, len, '\0', &w);
	if (r)
		return r;
	if (!w.opt->arg && value)
		return usage_error(&p->ctl, "%s takes no value", w.text);
	if (!w.opt->arg)
		return set(&p->ctl, &w, "");
	if (!value)
		value = w.opt->without
				? w.opt->without
				: next_word(&p->ctl, &w, argc, argv, i, &r);
	return value ? set(&p->ctl, &w, value) : r;
}

/* argv[*i] is "-jv", "-oVALUE" or "-o" with its value next. */
static int short_options(struct program *p, int argc, char **argv, int *i)
{
	const char *letter = argv[*i] + 1, *value;
	struct where w;
	int r = 0;

	for (; *letter && !r; letter++) {
		r = look_up(p, NULL, 0, *letter, &w);
		if (r)
			break;
		if (w.opt->arg) {
			value = letter[1] ? letter + 1
					  : next_word(&p->ctl, &w, argc, argv,
						      i, &r);
			return value ? set(&p->ctl, &w, value) : r;
		}
		r = set(&p->ctl, &w, "");
	}
	return r;
}

/* ----------------------------------------------------- what is required -- */

static bool is_given(const struct opt *o, const void *values)
{
	const void *at = (const char *)values + o->at;

	switch (o->kind) {
	case OPT_SIZE:
		return ((const struct opt_size *)at)->given;
	case OPT_U32:
		return ((const struct opt_u32 *)at)->given;
	case OPT_TEXT:
		return *(const char *const *)at;
	case OPT_LIST:
		return ((const struct opt_list *)at)->n;
	default:
		return true;
	}
}

/* Refuses a command without the options that it requires. */
static int check_required(struct program *p, const struct cmd *cmd)
{
	const struct opt *list[CMD_OPTS_MAX];
	size_t n = cmd_opts(cmd, list), at = 0;
	bool missing = false, several = false;
	char names[128];

	for (size_t i = 0; i < n && at < sizeof(names); i++) {
		if (!list[i]->required)
			continue;
		missing |= !is_given(list[i], cmd->values);
		several = at;
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s--%s",
				       several ? " and " : "", list[i]->name);
	}
	if (!missing)
		return 0;
	return usage_error(&p->ctl, "%s %s needed", names,
			   several ? "are" : "is");
}

static int check_operands(struct program *p, const struct cmd *cmd, int n,
			  char **argv)
{
	const struct cmd_operands *o = &cmd->operands;

	if (n >= o->min && n <= o->max)
		return 0;
	if (o->needed)
		return usage_error(&p->ctl, "%s", o->needed);
	return usage_error(&p->ctl, "unexpected operand '%s'", argv[o->max]);
}

/* 0, the exit status of a refusal, or OPTS_*. */
static int check(struct program *p, int n, char **argv)
{
	const struct cmd *cmd = program_cmd(p);
	bool runs = cmd && !cmd->subs;
	int r = 0;

	if (p->kvm.model.help && (!n || runs))
		return OPTS_MODELS;
	if (*p->kvm.model.name && p->kvm.device)
		return usage_error(&p->ctl,
				   "--model and --device exclude each other");
	if (runs)
		r = check_operands(p, cmd, n, argv);
	return r || !runs ? r : check_required(p, cmd);
}

int opts_parse(struct program *p, int argc, char **argv)
{
	const struct cmd *cmd = program_cmd(p);
	bool stop = !cmd || cmd->subs || cmd->flags & CMD_WRAPS;
	int i, n = 0, r = 0;

	for (i = 0; i < argc && !r; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (argv[i][0] != '-' || !argv[i][1]) {
			if (stop)
				break;
			argv[n++] = argv[i];
		} else if (argv[i][1] == '-') {
			r = long_option(p, argc, argv, &i);
		} else {
			r = short_options(p, argc, argv, &i);
		}
	}
	while (!r && i < argc)
		argv[n++] = argv[i++];
	/* Nothing behind it is read, but this decides how it is printed. */
	for (i--; r == OPTS_VERSION && i < argc; i++)
		p->ctl.json |= !strcmp(argv[i], "--json") ||
			       !strcmp(argv[i], "-j") ||
			       !strcmp(argv[i], "-Vj");
	if (!r)
		r = check(p, n, argv);
	if (r > 0) {
		p->status = r;
		r = OPTS_REFUSED;
	}
	return r ? r : n;
}
