// SPDX-License-Identifier: MIT
/* The table for programs: checks, manuals and completion must agree with it. */
#include <stdio.h>

#include <gmem.h>

#include "program/list.h"
#include "program/program.h"
#include "report/json.h"

static json_object *json_opt(const struct opt *o)
{
	json_object *to = json_object_new_object(), *values = NULL;
	char letter[] = { '-', o->letter, '\0' }, name[40];
	const char *word;

	(void)snprintf(name, sizeof(name), "--%s", o->name);
	json_object_object_add(to, "name", json_object_new_string(name));
	json_text(to, "short", o->letter ? letter : NULL, "has none");
	json_text(to, "argument", o->arg, "takes none");
	json_boolean(to, "argument_optional", !!o->without);
	json_boolean(to, "required", o->required);
	if (opt_value(o, 0))
		values = json_object_new_array();
	for (uint32_t i = 0; values && (word = opt_value(o, i)); i++)
		json_object_array_add(values, json_object_new_string(word));
	json_object_object_add(to, "values", values);
	if (!values)
		json_object_object_add(
			to, "values_reason",
			json_object_new_string("takes no fixed words"));
	json_object_object_add(to, "help", json_object_new_string(o->help));
	return to;
}

static json_object *json_opts(const struct cmd *cmd)
{
	json_object *to = json_object_new_array();
	const struct opt *list[CMD_OPTS_MAX];
	size_t n = cmd_opts(cmd, list);

	for (size_t i = 0; i < n; i++)
		json_object_array_add(to, json_opt(list[i]));
	return to;
}

static json_object *json_words(const struct cmd *c)
{
	json_object *to = json_object_new_array(), *o;
	const struct cmd_word *w;

	for (size_t i = 0; c->word && (w = c->word(i)); i++) {
		o = json_object_new_object();
		json_text(o, "name", w->name, "");
		json_text(o, "arguments", w->args, "");
		json_text(o, "summary", w->summary, "");
		json_object_array_add(to, o);
	}
	return to;
}

static json_object *json_cmds(const struct cmd *const *list)
{
	json_object *to = json_object_new_array(), *o;

	for (; list && *list; list++) {
		const struct cmd *c = *list;

		o = json_object_new_object();
		json_text(o, "name", c->name, "");
		json_text(o, "arguments", c->args, "");
		json_text(o, "summary", c->summary, "");
		json_object_object_add(o, "options", json_opts(c));
		json_object_object_add(o, "commands", json_cmds(c->subs));
		json_object_object_add(o, "words", json_words(c));
		json_object_array_add(to, o);
	}
	return to;
}

static int run(struct ctl *ctl)
{
	const struct cmd *const *c, *const *s;
	json_object *o;

	if (ctl->json) {
		o = json_new(ctl);
		json_text(o, "version", gmem_version(), "");
		json_object_object_add(o, "options", json_opts(NULL));
		json_object_object_add(o, "commands", json_cmds(commands));
		out_json(ctl, o);
		return CTL_OK;
	}
	for (c = commands; *c; c++) {
		if ((*c)->run)
			puts((*c)->name);
		for (s = (*c)->subs; s && *s; s++)
			printf("%s %s\n", (*c)->name, (*s)->name);
	}
	return CTL_OK;
}

const struct cmd cmd_commands = {
	.name = "commands",
	.args = "[OPTIONS]",
	.summary = "list the commands, with --json also all their options",
	.run = run,
	.flags = CMD_JSON,
};
