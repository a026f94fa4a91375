// SPDX-License-Identifier: MIT
/* A picture of one file: what is there, whose it is, on which node. */
#include "cmd/on_file.h"
#include "op/picture.h"
#include "report/output.h"
#include "table/command.h"

struct args {
	struct target_args target;
	struct opt_u32 width;
	bool nodes;
};

static struct args args;

static const struct opt opts[] = {
	TARGET_SHARED,
	{ "nodes", NULL, OPT_BOOL, offsetof(struct args, nodes),
	  .help = "also show the NUMA nodes; needs --shared" },
	{ "width", "COLUMNS", OPT_U32, offsetof(struct args, width),
	  .min = PICTURE_WIDTH_MIN, .max = PICTURE_WIDTH_MAX,
	  .help = "width of the picture (the terminal's, or $COLUMNS)" },
	{ .name = NULL },
};

/* Without a VM it is one for all of the file. */
static const char *state(const struct work *w)
{
	if (args.target.shared)
		return "shared";
	return gmem_flags(w->target.g) & GMEM_CREATE_MMAP ? NULL : "private";
}

static int map(struct work *w)
{
	return op_map(w, state(w), args.nodes, args.width.value);
}

static int run(struct ctl *ctl)
{
	if (args.nodes && !args.target.shared)
		return usage_error(ctl, "--nodes needs --shared: only then "
					"pages can be looked at");
	return on_file(ctl, &args.target, NULL, map);
}

const struct cmd cmd_map = {
	.name = "map",
	.args = TARGET_USAGE "[OPTIONS]",
	.summary = "show a picture of what is private, shared and resident",
	.opts = opts,
	.more_opts = target_opts,
	.values = &args,
	.run = run,
	.flags = CMD_JSON,
};
