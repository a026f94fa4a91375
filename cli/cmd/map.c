// SPDX-License-Identifier: MIT
/* A picture of one file: what is there, whose it is, on which node. */

#include "report/json.h"
#include "report/output.h"
#include "report/picture.h"
#include "table/command.h"
#include "target/priv.h"
#include "target/target.h"

struct args {
	struct target_args target;
	struct opt_u32 width;
	bool nodes;
};

static struct args args;

static const struct opt opts[] = {
	TARGET_SHARED,
	{ "nodes", NULL, OPT_BOOL, offsetof(struct args, nodes),
	  .help = "also on which NUMA nodes; needs --shared" },
	{ "width", "COLUMNS", OPT_U32, offsetof(struct args, width),
	  .help = "of the picture (the terminal's, or $COLUMNS)" },
	{ .name = NULL },
};

struct map {
	struct ctl *ctl;
	const struct args *args;
	struct target t;
	struct gmem_error err;
};

/* Without a VM it is one for all of the file. */
static const char *state(const struct map *m)
{
	if (m->args->target.shared)
		return "shared";
	return gmem_flags(m->t.g) & GMEM_CREATE_MMAP ? NULL : "private";
}

static int map_json(struct map *m, const struct picture *p)
{
	json_object *runs = json_object_new_array(), *o;

	if (picture_runs(p, runs, &m->err) < 0) {
		json_object_put(runs);
		return gmem_failed(m->ctl, &m->err, NULL);
	}
	o = target_json(m->ctl, &m->args->target, &m->t);
	json_u64(o, "size", gmem_size(m->t.g));
	json_u64(o, "page_size", gmem_page_size(m->t.g));
	json_text(o, "state", p->state,
		  "a descriptor does not tell; say --shared if it is");
	json_object_object_add(o, "runs", runs);
	out_json(m->ctl, o);
	return CTL_OK;
}

/* 0 stands for the terminal's. */
static uint32_t width(const struct args *a)
{
	return a->width.given && !a->width.value ? 1 : a->width.value;
}

static int show(struct map *m)
{
	const struct picture p = {
		.g = m->t.g,
		.offset = m->t.offset,
		.len = m->t.len,
		.state = state(m),
		.nodes = m->args->nodes,
		.width = width(m->args),
	};

	if (m->ctl->json)
		return map_json(m, &p);
	if (picture_print(&p, &m->err) < 0)
		return gmem_failed(m->ctl, &m->err, NULL);
	return CTL_OK;
}

static int run(struct ctl *ctl)
{
	struct map m = { .ctl = ctl,
			 .args = &args,
			 .err = { .sz = sizeof(m.err) } };
	struct gmem_residency in = { .sz = sizeof(in) };
	int status;

	if (args.nodes && !args.target.shared)
		return usage_error(ctl, "--nodes needs --shared: only then "
					"pages can be looked at");
	status = target_open(ctl, &args.target, &m.t);
	if (status)
		return status;
	status = priv_drop(ctl);
	/* The range, before a picture of it is begun. */
	if (!status && gmem_resident(m.t.g, m.t.offset, m.t.len, &in, &m.err))
		status = gmem_failed(ctl, &m.err, NULL);
	if (!status)
		status = show(&m);
	(void)gmem_close(m.t.g, NULL);
	return status;
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
