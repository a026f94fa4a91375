// SPDX-License-Identifier: MIT
/* The commands.  Everything said about them elsewhere is read from here. */
#include "cmd.h"

#define TARGET_ARGS "--fd N [--pid PID] "
#define ON_A_VM (CMD_JSON | CMD_KVM | CMD_TRACE | CMD_MODEL)
#define PARTIAL "Exit status: 4 if only a part was done."

static const struct cmd why_cmds[] = {
	{ .name = "create",
	  .args = "--size SIZE [OPTIONS]",
	  .summary = "would gmem_create(3) make this file",
	  .more_opts = why_file_opts,
	  .run = cmd_why_create,
	  .flags = ON_A_VM },
	{ .name = "bind",
	  .args = "--slot N --gpa ADDRESS [--offset OFFSET] [--len LEN] "
		  "[OPTIONS]",
	  .summary = "would gmem_bind(3) make this memory slot",
	  .text = "The file is made for the question, and so are the slots "
		  "of --with, in their order.  --len is by default all "
		  "behind --offset, and --size just enough for the slot; "
		  "one of the two must be given.",
	  .opts = why_bind_opts,
	  .more_opts = why_file_opts,
	  .run = cmd_why_bind,
	  .flags = ON_A_VM },
	{ .name = "attributes",
	  .args = "--to private|shared [--offset OFFSET] [--len LEN] "
		  "[OPTIONS]",
	  .summary = "would gmem_set_attributes(3) convert this range",
	  .text = "The file is made for the question, and so are the slots "
		  "of --with, in their order: without one no guest has the "
		  "memory.  --len is by default all behind --offset, and "
		  "--size just enough for the range; one of the two must be "
		  "given.",
	  .opts = why_attributes_opts,
	  .more_opts = why_file_opts,
	  .run = cmd_why_attributes,
	  .flags = ON_A_VM },
	{ .name = NULL },
};

const struct cmd commands[] = {
	{ .name = "help",
	  .args = "[COMMAND]",
	  .summary = "explain a command",
	  .run = cmd_help,
	  .flags = CMD_OPERANDS },
	{ .name = "probe",
	  .args = "[OPTIONS]",
	  .summary = "what this host's KVM offers to guest memory",
	  .text = "Each feature is tried or asked of a VM made for it: yes, "
		  "no, or unknown.",
	  .opts = probe_opts,
	  .run = cmd_probe,
	  .flags = ON_A_VM },
	{ .name = "why",
	  .args = "CALL [OPTIONS]",
	  .summary = "which rule a call would break, before it is made",
	  .text = "The answer comes from a VM of the type asked about.  "
		  "Exit status: 0 the call would be accepted, 4 it breaks a "
		  "rule, 3 this host does not support it.",
	  .subs = why_cmds,
	  .flags = ON_A_VM },
	{ .name = "run",
	  .args = "--size SIZE [OPTIONS] [--] CMD [ARG...]",
	  .summary = "run a program that is handed a guest_memfd",
	  .text = "CMD inherits the guest_memfd as file descriptor $GMEM_FD "
		  "of $GMEM_FD_SIZE bytes; the VM stays with gmemctl until "
		  "CMD ends.  Exit status: CMD's, 128+N if signal N ended "
		  "it, 125 if gmemctl failed, 126 if CMD could not be run, "
		  "127 if not found.",
	  .opts = run_opts,
	  .run = cmd_run,
	  .flags = CMD_KVM | CMD_TRACE | CMD_WRAPS | CMD_OPERANDS },
	{ .name = "ps",
	  .args = "[OPTIONS]",
	  .summary = "every guest_memfd on this machine that can be seen",
	  .text = "Residency is asked of the kernel through a copy of a "
		  "holder's descriptor.  '-' stands for what cannot be known; "
		  "why is said on standard error.  Exit status: 4 if there "
		  "may be more than is shown.",
	  .opts = ps_opts,
	  .run = cmd_ps,
	  .flags = CMD_JSON },
	{ .name = "stat",
	  .args = TARGET_ARGS "[OPTIONS]",
	  .summary = "size and residency of a guest_memfd",
	  .more_opts = target_opts,
	  .run = cmd_stat,
	  .flags = CMD_JSON },
	{ .name = "populate",
	  .args = TARGET_ARGS "[OPTIONS]",
	  .summary = "allocate a file's memory before a guest needs it",
	  .text = "SIGINT ends it early; what was done is said.  " PARTIAL,
	  .opts = populate_opts,
	  .more_opts = target_opts,
	  .run = cmd_populate,
	  .flags = CMD_JSON },
	{ .name = "discard",
	  .args = TARGET_ARGS "[OPTIONS]",
	  .summary = "free a file's memory, which then reads as zero",
	  .opts = discard_opts,
	  .more_opts = target_opts,
	  .run = cmd_discard,
	  .flags = CMD_JSON },
	{ .name = "load",
	  .args = TARGET_ARGS "[OPTIONS] FILE|-",
	  .summary = "read an image or a pipe into guest memory",
	  .text = "Without --len the input may end before the file does.  "
		  "SIGINT ends it early; what was done is said.  " PARTIAL,
	  .opts = load_opts,
	  .more_opts = target_opts,
	  .run = cmd_load,
	  .flags = CMD_JSON | CMD_OPERANDS },
	{ .name = "policy",
	  .args = TARGET_ARGS "[--get] [--set MODE] [--verify] [OPTIONS]",
	  .summary = "show, set or verify a file's NUMA policy",
	  .text = "--verify looks at pages only with --shared.  Exit status "
		  "of --verify: 0 all lie as the policy says, 4 some do not, "
		  "or it could not be found out.",
	  .opts = policy_opts,
	  .more_opts = target_opts,
	  .run = cmd_policy,
	  .flags = CMD_JSON },
	{ .name = "map",
	  .args = TARGET_ARGS "[OPTIONS]",
	  .summary = "a picture of what is private, shared and resident",
	  .opts = map_opts,
	  .more_opts = target_opts,
	  .run = cmd_map,
	  .flags = CMD_JSON },
	{ .name = "doctor",
	  .args = "[OPTIONS]",
	  .summary = "is this host fit for guest memory, and what to do",
	  .text = "Exit status: 4 if a check failed; a warning is not a "
		  "failure.",
	  .opts = doctor_opts,
	  .run = cmd_doctor,
	  .flags = CMD_JSON | CMD_KVM | CMD_TRACE },
	{ .name = "batch",
	  .args = "[OPTIONS] FILE|-",
	  .summary = "run many commands against one VM",
	  .text = "A line is a command and its arguments, or empty; '#' "
		  "starts a comment.  Sizes, offsets and addresses are like "
		  "4096, 64K, 2M, 1GiB, 0x1000.  The first error ends the "
		  "batch; everything made is released at the end.",
	  .opts = batch_opts,
	  .word = batch_word,
	  .run = cmd_batch,
	  .flags = ON_A_VM | CMD_OPERANDS },
	{ .name = "conform",
	  .args = "[OPTIONS] [CASE...]",
	  .summary = "does this kernel's guest_memfd behave as documented",
	  .text = "Prints a line of TAP for each case.  CASE is a name of "
		  "--list, or how the words in brackets begin.  Exit status: "
		  "4 if the kernel behaves otherwise in one of them.",
	  .opts = conform_opts,
	  .run = cmd_conform,
	  .flags = CMD_JSON | CMD_KVM | CMD_OPERANDS | CMD_MODEL },
	{ .name = "commands",
	  .args = "[OPTIONS]",
	  .summary = "list the commands, with --json also all their options",
	  .run = cmd_commands,
	  .flags = CMD_JSON },
	{ .name = NULL },
};
