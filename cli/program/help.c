// SPDX-License-Identifier: MIT
/* Help, from the table. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

#define WIDTH 79
#define HELP_COLUMN 26

const struct cmd *find_cmd(const struct cmd *in, const char *name)
{
	for (; in && in->name; in++)
		if (!strcmp(in->name, name))
			return in;
	return NULL;
}

size_t cmd_opts(const struct cmd *leaf, const struct opt *list[CMD_OPTS_MAX])
{
	unsigned int flags = leaf ? leaf->flags : ~0U;
	const struct opt *o;
	size_t n = 0;

	for (o = leaf ? leaf->opts : NULL; o && o->name; o++)
		list[n++] = o;
	for (o = leaf ? leaf->more_opts : NULL; o && o->name; o++)
		list[n++] = o;
	for (o = common_opts; o->name; o++)
		if ((o->need & flags) == o->need)
			list[n++] = o;
	return n;
}

/*
 * Prints words up to column WIDTH, on from @column, further lines from
 * @indent; breaks at no blank inside brackets.
 */
static void wrap(const char *text, size_t column, size_t indent)
{
	size_t n, depth = 0;
	bool first = true;

	while (*text) {
		for (n = 0; text[n] && (depth || text[n] != ' '); n++)
			depth += (text[n] == '[') - (size_t)(text[n] == ']');
		if (!first && column + 1 + n > WIDTH) {
			printf("\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			putchar(' ');
			column++;
		}
		first = false;
		printf("%.*s", (int)n, text);
		column += n;
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

static void print_opt(const struct opt *o)
{
	char left[64], help[256];
	size_t n;

	(void)snprintf(left, sizeof(left), "  %c%c%c --%s%s%s%s",
		       o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		       o->letter ? ',' : ' ', o->name,
		       o->without ? "[="
		       : o->arg	  ? " "
				  : "",
		       o->arg ? o->arg : "", o->without ? "]" : "");
	n = (size_t)snprintf(help, sizeof(help), "%s", o->help);
	for (size_t i = 0; o->values && o->values[i]; i++)
		n += (size_t)snprintf(help + n, sizeof(help) - n, "%s%s%s",
				      i ? ", " : " (", o->values[i],
				      o->values[i + 1] ? "" : ")");
	printf("%-*s", HELP_COLUMN, left);
	if (strlen(left) >= HELP_COLUMN)
		printf("\n%-*s", HELP_COLUMN, "");
	wrap(help, HELP_COLUMN, HELP_COLUMN);
}

static void print_opts(const struct cmd *leaf)
{
	const struct opt *list[CMD_OPTS_MAX];
	size_t n = cmd_opts(leaf, list);

	puts("\nOptions:");
	for (size_t i = 0; i < n; i++)
		print_opt(list[i]);
}

static void print_cmds(const char *title, const struct cmd *c)
{
	printf("\n%s:\n", title);
	for (; c->name; c++)
		printf("  %-12s  %s\n", c->name, c->summary);
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

void print_help(const struct ctl *ctl)
{
	const struct cmd *leaf = ctl_leaf(ctl);
	char name[CMD_NAME_TEXT];
	int n;

	if (!leaf) {
		print_overview();
		return;
	}
	n = printf("Usage: gmemctl %s ", ctl_name(ctl, name));
	wrap(leaf->args, (size_t)n, 10);
	printf("%c%s.\n", leaf->summary[0] & ~0x20, leaf->summary + 1);
	if (leaf->text) {
		putchar('\n');
		wrap(leaf->text, 0, 0);
	}
	if (leaf->subs)
		print_cmds("Calls", leaf->subs);
	if (leaf->word)
		print_words(leaf);
	print_opts(leaf);
	printf("\nMore in gmemctl-%s(1).\n", ctl->cmd->name);
}

int cmd_help(struct ctl *ctl, int argc, char **argv)
{
	struct ctl of = { .json = false };
	int n = opts_parse(ctl, argc, argv, NULL);

	if (n < 0)
		return ctl->status;
	if (n > 0) {
		of.cmd = find_cmd(commands, argv[0]);
		if (!of.cmd)
			return usage_error(ctl, "unknown command '%s'",
					   argv[0]);
	}
	if (n > 2)
		return usage_error(ctl, "unexpected operand '%s'", argv[2]);
	if (n > 1) {
		of.sub = find_cmd(of.cmd->subs, argv[1]);
		if (!of.sub)
			return usage_error(ctl, "unknown command '%s %s'",
					   argv[0], argv[1]);
	}
	print_help(&of);
	return CTL_OK;
}
