/* SPDX-License-Identifier: MIT */
/* The file that a command works on: --fd N of this process or of --pid P. */
#ifndef GMEMCTL_TARGET_TARGET_H
#define GMEMCTL_TARGET_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <gmem_region.h>

#include "table/option.h"

struct ctl;
struct json_object;

/* The first member of the values of such a command. */
struct target_args {
	struct opt_u32 pid, fd;
	struct opt_size offset, len;
	bool shared;	/* with TARGET_SHARED */
	bool charge_me; /* with TARGET_CHARGE */
	bool unchecked; /* with TARGET_UNCHECKED */
	int process;	/* .pid, as a descriptor; 0: not opened yet */
};

extern const struct opt target_opts[];
#define TARGET_SHARED                                                  \
	{                                                              \
		"shared", NULL, OPT_BOOL,                              \
			offsetof(struct target_args, shared),          \
			.help = "the file was made shared, which its " \
				"descriptor does not show"             \
	}
#define TARGET_CHARGE                                                     \
	{                                                                 \
		"charge-me", NULL, OPT_BOOL,                              \
			offsetof(struct target_args, charge_me),          \
			.help = "with --pid: the memory is charged to "   \
				"gmemctl's cgroup, not the process's own" \
	}
#define TARGET_UNCHECKED                                               \
	{                                                              \
		"unchecked", NULL, OPT_BOOL,                           \
			offsetof(struct target_args, unchecked),       \
			.help = "allocate past limits of memory; the " \
				"kernel may then kill a process"       \
	}
/* In the usage line. */
#define TARGET_USAGE "--fd N [--pid PID] "

struct target {
	struct gmem *g;
	struct gmem_region *region; /* that has .g, in a batch; NULL: none */
	uint64_t offset, len;	    /* --offset and --len, or the whole file */
};

/*
 * Takes over a copy of the descriptor; the caller then gives up its rights.
 * Return: 0, or the exit status.
 */
int target_open(struct ctl *ctl, struct target_args *a, struct target *out);
/* Opens .pid, so that it stays the same process.  Return: the exit status. */
int target_process(struct ctl *ctl, struct target_args *a);
/*
 * A copy of descriptor @fd of process @pid.  Return: the copy, or -errno with
 * in @why what refused it.
 */
#define TARGET_WHY 240
int target_copy(pid_t pid, int fd, char why[TARGET_WHY]);
/* kernel.yama.ptrace_scope; 0 without it. */
unsigned int yama_scope(void);
/* The command's object with the members that name the target. */
struct json_object *target_json(const struct ctl *ctl,
				const struct target_args *a,
				const struct target *t);

#endif
