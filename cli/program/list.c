// SPDX-License-Identifier: MIT
#include <string.h>

#include "program/list.h"
#include "report/output.h"
#include "report/words.h"

/* Each is in the file, or folder, of its name. */
extern const struct cmd cmd_help, cmd_probe, cmd_why, cmd_run, cmd_ps, cmd_stat,
	cmd_populate, cmd_discard, cmd_load, cmd_store, cmd_policy, cmd_map,
	cmd_doctor, cmd_batch, cmd_conform, cmd_commands;

const struct cmd *const commands[] = {
	&cmd_help,     &cmd_probe,    &cmd_why,	    &cmd_run,	&cmd_ps,
	&cmd_stat,     &cmd_populate, &cmd_discard, &cmd_load,	&cmd_store,
	&cmd_policy,   &cmd_map,      &cmd_doctor,  &cmd_batch, &cmd_conform,
	&cmd_commands, NULL,
};

const struct cmd *find_cmd(const struct cmd *const *list, const char *name)
{
	for (; list && *list; list++)
		if (!strcmp((*list)->name, name))
			return *list;
	return NULL;
}

int unknown_cmd(struct ctl *ctl, const char *what,
		const struct cmd *const *list, const char *name)
{
	struct guess guess = { .word = name, .len = strlen(name) };
	char text[GUESS_TEXT];

	for (; list && *list; list++)
		guess_try(&guess, (*list)->name);
	return usage_error(ctl, "unknown %s '%s'%s", what, name,
			   guess_text(&guess, text));
}
