// SPDX-License-Identifier: MIT
/* Help, from the table. */
#include <stdio.h>
#include <string.h>

#include "program/help.h"
#include "program/list.h"
#include "program/program.h"

#define HELP_COLUMN 26

/* From @column on, further lines from @indent. */
static void wrap(const char *text, size_t column, size_t indent)
{
	char margin[HELP_COLUMN + 1];

	memset(margin, ' ', indent);
	margin[indent] = '\0';
	put_wrapped(text, column, margin);
}

static void print_opt(const struct opt *o)
{
	char left[64], help[256];
	const char *word;
	size_t n;

	(void)snprintf(left, sizeof(left), "  %c%c%c --%s%s%s%s",
		       o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		       o->letter ? ',' : ' ', o->name,
		       o->without ? "[="
		       : o->arg	  ? " "
				  : "",
		       o->arg ? o->arg : "", o->without ? "]" : "");
	n = (size_t)snprintf(help, sizeof(help), "%s", o->help);
	for (uint32_t i = 0; o->kind == OPT_TEXT && (word = opt_value(o, i));
	     i++)
		n += (size_t)snprintf(help + n, sizeof(help) - n, "%s%s%s",
				      i ? ", " : " (", word,
				      opt_value(o, i + 1) ? "" : ")");
	printf("%-*s", HELP_COLUMN, left);
	if (strlen(left) >= HELP_COLUMN)
		printf("\n%-*s", HELP_COLUMN, "");
	wrap(help, HELP_COLUMN, HELP_COLUMN);
}

static void print_opts(const struct cmd *cmd)
{
	const struct opt *list[CMD_OPTS_MAX];
	size_t n = cmd_opts(cmd, list);

	puts("\nOptions:");
	for (size_t i = 0; i < n; i++)
		print_opt(list[i]);
}

static void print_cmds(const char *title, const struct cmd *const *c)
{
	printf("\n%s:\n", title);
	for (; *c; c++)
		printf("  %-12s  %s\n", (*c)->name, (*c)->summary);
}

static void print_words(const struct cmd *c)
{
	const struct cmd_word *w;

	puts("\nCommands of the batch:");
	for (size_t i = 0; (w = c->word(i)); i++) {
		wrap(w->args, (size_t)printf("  %s ", w->name), 8);
		printf("        %s\n", w->summary);
	}
}

static void print_overview(void)
{
	puts("Usage: gmemctl [OPTIONS] COMMAND [ARGUMENTS]\n"
	     "Look at and try out guest memory files (guest_memfd) of Linux "
	     "KVM.");
	print_cmds("Commands", commands);
	print_opts(NULL);
	putchar('\n');
	wrap("Exit status: 0 done, 1 failed, 2 wrong usage, 3 not supported "
	     "here, 4 a check failed or only a part was done, 5 no "
	     "permission.  More in gmemctl(1).",
	     0, 0);
}

void print_help(const struct cmd *cmd, const struct cmd *sub)
{
	const struct cmd *c = sub ? sub : cmd;
	int n;

	if (!c) {
		print_overview();
		return;
	}
	n = printf("Usage: gmemctl %s%s%s ", cmd->name, sub ? " " : "",
		   sub ? sub->name : "");
	wrap(c->args, (size_t)n, 10);
	printf("%c%s.\n", c->summary[0] & ~0x20, c->summary + 1);
	if (c->text) {
		putchar('\n');
		wrap(c->text, 0, 0);
	}
	if (c->subs)
		print_cmds("Calls", c->subs);
	if (c->word)
		print_words(c);
	print_opts(c);
	printf("\nMore in gmemctl-%s(1).\n", cmd->name);
}

static int run(struct ctl *ctl)
{
	const struct cmd *cmd = NULL, *sub = NULL;
	char **name = ctl->operands;

	if (name[0]) {
		cmd = find_cmd(commands, name[0]);
		if (!cmd)
			return unknown_cmd(ctl, "command", commands, name[0]);
	}
	if (name[0] && name[1] && !cmd->subs)
		return usage_error(ctl, "unexpected operand '%s'", name[1]);
	if (name[0] && name[1]) {
		sub = find_cmd(cmd->subs, name[1]);
		if (!sub)
			return unknown_cmd(ctl, "call", cmd->subs, name[1]);
	}
	print_help(cmd, sub);
	return CTL_OK;
}

const struct cmd cmd_help = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "explain a command",
	.run = run,
	.operands = { 0, 2, NULL },
};
