/* SPDX-License-Identifier: MIT */
/* A command, as its own file describes it to the program. */
#ifndef GMEMCTL_TABLE_COMMAND_H
#define GMEMCTL_TABLE_COMMAND_H

#include <stddef.h>

#include "table/option.h"

struct ctl;

/* A word of a command's own language, for its help. */
struct cmd_word {
	const char *name, *args, *summary;
};

/* How many operands a command takes: none unless it says so. */
struct cmd_operands {
	int min, max;
	const char *needed; /* what is said if there are others */
};

/* struct cmd.flags */
#define CMD_JSON (1U << 0) /* takes --json */
#define CMD_KVM (1U << 1)  /* makes VMs: takes --device */
/* Runs a program: operands end the options, failures are reported as env(1)
 * does. */
#define CMD_WRAPS (1U << 2)
#define CMD_TRACE (1U << 3)   /* makes them with the library: --verbose */
#define CMD_MODEL (1U << 4)   /* takes --model */
#define CMD_HUGETLB (1U << 5) /* takes --hugetlb-encoding */
#define CMD_ON_A_VM (CMD_JSON | CMD_KVM | CMD_TRACE | CMD_MODEL | CMD_HUGETLB)

struct cmd {
	const char *name;
	const char *args;	     /* behind the name in the usage line */
	const char *summary;	     /* one line, no full stop */
	const char *text;	     /* paragraphs for --help; NULL = none */
	const struct opt *opts;	     /* .name NULL ends it; NULL = none */
	const struct opt *more_opts; /* those it shares with another command */
	void *values;		     /* the struct that they set; NULL = none */
	const struct cmd *const *subs; /* NULL ends it; NULL = none */
	/* Words of its language, NULL past the last; NULL = none. */
	const struct cmd_word *(*word)(size_t index);
	/* Called with the options read and checked.  Return: exit status. */
	int (*run)(struct ctl *ctl);
	struct cmd_operands operands;
	unsigned int flags;
};

#endif
