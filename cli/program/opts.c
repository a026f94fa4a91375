// SPDX-License-Identifier: MIT
/*
 * Options from the tables.  Not getopt_long(3): that takes prefixes of names,
 * so that a script breaks on the day an option is added.
 */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

const struct opt common_opts[] = {
	{ "help", NULL, OPT_HELP, 0, .letter = 'h',
	  .help = "print this and exit" },
	{ "version", NULL, OPT_VERSION, 0, .letter = 'V',
	  .help = "print the version and exit" },
	{ "json", NULL, OPT_BOOL, offsetof(struct ctl, json), .letter = 'j',
	  .need = CMD_JSON, .help = "print one JSON object" },
	{ "device", "PATH", OPT_TEXT, offsetof(struct ctl, device),
	  .need = CMD_KVM, .help = "the KVM device (/dev/kvm)" },
	{ "model", "PROFILE", OPT_MODEL, offsetof(struct ctl, model),
	  .without = MODEL_DEFAULT, .need = CMD_MODEL,
	  .help = "a model of that kernel (" MODEL_DEFAULT ") in the place of "
		  "this machine's; help: list them" },
	{ "verbose", NULL, OPT_BOOL, offsetof(struct ctl, verbose),
	  .letter = 'v', .need = CMD_TRACE,
	  .help = "tell of each system call on standard error" },
	{ .name = NULL },
};

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

int opt_refused(struct ctl *ctl, const struct opt *o, const char *text)
{
	const struct cmd_word *w;

	for (size_t i = 0; o->kind == OPT_MODEL && (w = batch_word(i)); i++)
		if (!strcmp(w->name, ctl_leaf(ctl)->name))
			return usage_error(ctl,
					   "does not take %s: use the %s "
					   "command of gmemctl batch",
					   text, w->name);
	return usage_error(ctl, "does not take %s", text);
}

static int look_up(struct ctl *ctl, const char *name, size_t len, char letter,
		   void *args, struct where *w)
{
	const struct cmd *leaf = ctl_leaf(ctl);

	if (name)
		(void)snprintf(w->text, sizeof(w->text), "--%.*s", (int)len,
			       name);
	else
		(void)snprintf(w->text, sizeof(w->text), "-%c", letter);
	w->base = args;
	w->opt = find(leaf ? leaf->opts : NULL, name, len, letter);
	if (!w->opt)
		w->opt = find(leaf ? leaf->more_opts : NULL, name, len, letter);
	if (w->opt)
		return 0;
	w->base = ctl;
	w->opt = find(common_opts, name, len, letter);
	if (!w->opt)
		return usage_error(ctl, "unknown option %s", w->text);
	if (leaf && (w->opt->need & leaf->flags) != w->opt->need)
		return opt_refused(ctl, w->opt, w->text);
	ctl->common |= 1U << (w->opt - common_opts);
	return 0;
}

static int bad_value(struct ctl *ctl, const struct where *w, const char *value,
		     const char *problem)
{
	return usage_error(ctl, "%s: '%s' %s", w->text, value, problem);
}

static int bad_choice(struct ctl *ctl, const struct where *w, const char *value)
{
	char list[128] = "is not one of";
	size_t n = strlen(list);

	for (size_t i = 0; w->opt->values[i] && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s %s",
				      i ? "," : "", w->opt->values[i]);
	return bad_value(ctl, w, value, list);
}

static int set_text(struct ctl *ctl, const struct where *w, const char *value)
{
	const char *const *v = w->opt->values;

	while (v && *v && strcmp(*v, value))
		v++;
	if (v && !*v)
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

/* 0, or the exit status that ends the command, or -1 when it ends well. */
static int set(struct ctl *ctl, const struct where *w, const char *value)
{
	void *at = (char *)w->base + w->opt->at;
	const char *problem = NULL;
	struct opt_size *size = at;
	struct opt_u32 *u32 = at;

	switch (w->opt->kind) {
	case OPT_HELP:
		print_help(ctl);
		return -1;
	case OPT_VERSION:
		printf("gmemctl %s\n", gmem_version());
		return -1;
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
static int long_option(struct ctl *ctl, int argc, char **argv, int *i,
		       void *args)
{
	const char *name = argv[*i] + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	struct where w;
	int r;

	r = look_up(ctl, name, len, '\0', args, &w);
	if (r)
		return r;
	if (!w.opt->arg && value)
		return usage_error(ctl, "%s takes no value", w.text);
	if (!w.opt->arg)
		return set(ctl, &w, "");
	if (!value)
		value = w.opt->without ? w.opt->without
				       : next_word(ctl, &w, argc, argv, i, &r);
	return value ? set(ctl, &w, value) : r;
}

/* argv[*i] is "-jv", "-oVALUE" or "-o" with its value next. */
static int short_options(struct ctl *ctl, int argc, char **argv, int *i,
			 void *args)
{
	const char *letter = argv[*i] + 1, *value;
	struct where w;
	int r = 0;

	for (; *letter && !r; letter++) {
		r = look_up(ctl, NULL, 0, *letter, args, &w);
		if (r)
			break;
		if (w.opt->arg) {
			value = letter[1]
					? letter + 1
					: next_word(ctl, &w, argc, argv, i, &r);
			return value ? set(ctl, &w, value) : r;
		}
		r = set(ctl, &w, "");
	}
	return r;
}

int opts_parse(struct ctl *ctl, int argc, char **argv, void *args)
{
	const struct cmd *leaf = ctl_leaf(ctl);
	bool stop = !leaf || leaf->subs || leaf->flags & CMD_WRAPS;
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
			r = long_option(ctl, argc, argv, &i, args);
		} else {
			r = short_options(ctl, argc, argv, &i, args);
		}
	}
	while (!r && i < argc)
		argv[n++] = argv[i++];
	if (!r && ctl->model.help && (!n || (leaf && !leaf->subs))) {
		model_help(ctl);
		r = -1;
	}
	if (!r && *ctl->model.name && ctl->device)
		r = usage_error(ctl, "--model and --device exclude each other");
	if (r) {
		ctl->status = r < 0 ? CTL_OK : r;
		return -1;
	}
	if (n && leaf && !leaf->subs && !(leaf->flags & CMD_OPERANDS)) {
		ctl->status =
			usage_error(ctl, "unexpected operand '%s'", argv[0]);
		return -1;
	}
	return n;
}
