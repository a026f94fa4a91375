/* SPDX-License-Identifier: MIT */
/*
 * The commands on one file: --fd N of this process or of --pid P, a range of
 * it, and work that shows its progress and can be interrupted.
 */
#ifndef GMEMCTL_TARGET_H
#define GMEMCTL_TARGET_H

#include <time.h>

#include "cmd.h"

/* The first member of the struct args of such a command, see target_opts. */
struct target_args {
	struct opt_u32 pid, fd;
	struct opt_size offset, len;
	bool shared; /* with TARGET_SHARED */
};

#define TARGET_SHARED                                                     \
	{                                                                 \
		"shared", NULL, OPT_BOOL,                                 \
			offsetof(struct target_args, shared),             \
			.help = "it was made shared, which a descriptor " \
				"does not tell"                           \
	}

struct target {
	struct gmem *g;
	uint64_t offset, len; /* --offset and --len, or the whole file */
};

/*
 * Takes over a copy of the descriptor; the caller then gives up its rights.
 * Return: 0, or the exit status.
 */
int target_open(struct ctl *ctl, const struct target_args *a,
		struct target *out);
/*
 * A copy of descriptor @fd of process @pid.  Return: the copy, or -errno with
 * in @why what refused it.
 */
#define TARGET_WHY 200
int target_copy(pid_t pid, int fd, char why[TARGET_WHY]);
/* The command's object with the members that name the target. */
json_object *target_json(const struct ctl *ctl, const struct target_args *a,
			 const struct target *t);

/* A bar on standard error, if that is a terminal and it takes a second. */
struct progress {
	const char *what;
	struct timespec start, last;
	bool terminal;
	int width; /* of the bar that is shown; 0 = none */
};

void progress_start(struct progress *p, const char *what);
void progress_show(void *arg, uint64_t done, uint64_t total);
void progress_end(struct progress *p);

/* From here on SIGINT and SIGTERM make it non-zero instead of ending us. */
const int *cancel_on_signals(void);

/* Milliseconds since @from. */
int64_t ms_since(const struct timespec *from);

/* target/load.c */
/*
 * gmem_load() of all of @fd, which must fit: if @opts say UNTIL_EOF, input
 * beyond @len is an error too.
 */
int load_all(struct gmem *g, uint64_t offset, uint64_t len, int fd,
	     const struct gmem_load_opts *opts, struct gmem_error *err);

/* report/picture.c */
struct picture {
	struct gmem *g;
	uint64_t offset, len;
	bool recorded;	   /* what is private and what shared is known ... */
	const char *state; /* ... or the same in all of it; NULL: not known */
	bool nodes;	   /* also show where it lies */
	uint32_t width;	   /* columns; 0: those of the terminal */
};

/* Both: 0, or -errno in @err. */
int picture_print(const struct picture *p, struct gmem_error *err);
/* Adds an object for each run to @list. */
int picture_runs(const struct picture *p, json_object *list,
		 struct gmem_error *err);
/* "private", "shared", "unset" */
const char *state_name(uint64_t attributes);

/* ---------------------------------------------------------------- NUMA -- */

/* target/policy.c */
struct bitmask;

/* A policy in words, and what it becomes. */
struct policy_args {
	const char *mode, *nodes; /* NULL = not given */
	uint64_t flags;		  /* GMEM_MPOL_F_* */
};

/*
 * *@mask holds the nodes until policy_free().  Fills @err on failure.
 * Return: 0 or -errno.
 */
int policy_make(const struct ctl *ctl, const struct policy_args *a,
		struct gmem_mempolicy *out, struct bitmask **mask,
		struct gmem_error *err);
void policy_free(struct bitmask *mask);
/* What is wrong with the words, for a usage error; NULL if nothing. */
const char *policy_problem(const struct policy_args *a);
/* The file's own policy; the nodes as in "0,2-3", "" for none. */
int policy_get(struct gmem *g, uint64_t offset, struct gmem_mempolicy *out,
	       char nodes[NODES_TEXT], struct gmem_error *err);

#endif
