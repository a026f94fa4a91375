// SPDX-License-Identifier: MIT
/* A picture of one file: what is there, whose it is, on which node. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "target.h"

#define ROWS 16
#define LABEL 20 /* "0x" and 16 digits, and a blank at both sides */
#define WIDTH_DEFAULT 80
#define WIDTH_MIN (LABEL + 1)
#define WIDTH_MAX 4096

struct args {
	struct target_args target;
	struct opt_u32 width;
	bool nodes;
};

const struct opt map_opts[] = {
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
	json_object *runs;
	json_object *last; /* of .runs, and what it holds */
	uint64_t last_offset, last_len;
	int last_node;
	bool last_resident;
	struct gmem_error err;
};

/* ---------------------------------------------------------------- state -- */

/* Without a VM it is one for all of the file. */
static const char *state(const struct map *m)
{
	if (m->args->target.shared)
		return "shared";
	return gmem_flags(m->t.g) & GMEM_CREATE_MMAP ? NULL : "private";
}

/* ----------------------------------------------------------------- runs -- */

#define NO_NODE (-1)

/* Goes behind the last run, or makes it longer. */
static void add_run(struct map *m, uint64_t offset, uint64_t len, bool resident,
		    int node)
{
	if (m->last && m->last_resident == resident && m->last_node == node &&
	    m->last_offset + m->last_len == offset) {
		m->last_len += len;
		json_u64(m->last, "len", m->last_len);
		return;
	}
	m->last = json_object_new_object();
	m->last_offset = offset;
	m->last_len = len;
	m->last_resident = resident;
	m->last_node = node;
	json_u64(m->last, "offset", offset);
	json_u64(m->last, "len", len);
	json_object_object_add(m->last, "resident",
			       json_object_new_boolean(resident));
	if (node >= 0)
		json_u64(m->last, "node", (uint64_t)node);
	else
		json_null(m->last, "node",
			  resident ? "not asked for, or not to be told"
				   : "no memory");
	json_object_array_add(m->runs, m->last);
}

/* Halves the range until it is all there or all hole. */
static int find_runs(struct map *m, uint64_t offset, uint64_t len)
{
	struct gmem_residency in = { .sz = sizeof(in) };
	uint64_t page = gmem_page_size(m->t.g), half;
	int r = gmem_resident(m->t.g, offset, len, &in, &m->err);

	if (r < 0)
		return r;
	if (in.bytes == 0 || in.bytes == len) {
		add_run(m, offset, len, in.bytes, NO_NODE);
		return 0;
	}
	half = len / page / 2 * page;
	r = find_runs(m, offset, half);
	return r ? r : find_runs(m, offset + half, len - half);
}

static void node_run(void *arg, uint64_t offset, uint64_t len, int node)
{
	struct map *m = arg;
	uint64_t end = m->last ? m->last_offset + m->last_len : m->t.offset;

	if (offset > end)
		add_run(m, end, offset - end, false, NO_NODE);
	add_run(m, offset, len, true, node);
}

/* No page is on the last node there can be: all of them are told. */
static int find_nodes(struct map *m)
{
	static unsigned long nowhere[4096 / sizeof(long)];
	const size_t words = ARRAY_SIZE(nowhere);
	const struct gmem_mempolicy p = {
		.sz = sizeof(p),
		.mode = GMEM_MPOL_BIND,
		.nodes = nowhere,
		.max_node = words * 8 * sizeof(long),
	};
	struct gmem_placement out = {
		.sz = sizeof(out),
		.misplaced_run = node_run,
		.arg = m,
	};
	uint64_t end;
	int r;

	nowhere[words - 1] = 1UL << (8 * sizeof(long) - 1);
	r = gmem_verify_placement(m->t.g, m->t.offset, m->t.len, &p, &out,
				  &m->err);
	if (r < 0)
		return r;
	end = m->last ? m->last_offset + m->last_len : m->t.offset;
	if (end < m->t.offset + m->t.len)
		add_run(m, end, m->t.offset + m->t.len - end, false, NO_NODE);
	return out.unknown ? 1 : 0;
}

static int map_json(struct map *m)
{
	json_object *o;
	int r = 1;

	m->runs = json_object_new_array();
	if (m->args->nodes)
		r = find_nodes(m);
	if (r == 1) { /* not asked for, or not known of all */
		json_object_put(m->runs);
		m->runs = json_object_new_array();
		m->last = NULL;
		r = find_runs(m, m->t.offset, m->t.len);
	}
	if (r < 0) {
		json_object_put(m->runs);
		return gmem_failed(m->ctl, &m->err, NULL);
	}
	o = target_json(m->ctl, &m->args->target, &m->t);
	json_u64(o, "size", gmem_size(m->t.g));
	json_u64(o, "page_size", gmem_page_size(m->t.g));
	json_text(o, "state", state(m),
		  "a descriptor does not tell; say --shared if it is");
	json_object_object_add(o, "runs", m->runs);
	out_json(m->ctl, o);
	return CTL_OK;
}

/* -------------------------------------------------------------- picture -- */

static uint32_t width(const struct args *a)
{
	const char *columns = getenv("COLUMNS");
	uint32_t w = WIDTH_DEFAULT, v;
	struct winsize size;

	if (a->width.given)
		w = a->width.value;
	else if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		w = size.ws_col;
	else if (columns && !parse_u32(columns, &v))
		w = v;
	if (w > WIDTH_MAX)
		w = WIDTH_MAX;
	return w < WIDTH_MIN ? WIDTH_MIN : w;
}

/* Hole, part and all of a cell, by state. */
static const char *marks(const char *of)
{
	if (!of)
		return ".uU";
	return strcmp(of, "shared") ? ".pP" : ".sS";
}

static void put_mark(const char *of, char mark)
{
	const char *colour = !of ? "33" : strcmp(of, "shared") ? "31" : "32";

	if (out_colour() && mark != '.')
		printf("\033[%sm%c\033[0m", colour, mark);
	else
		putchar(mark);
}

/* '0' to '9', '+' for several, '*' for one beyond, '?' where not known. */
static char node_mark(const struct gmem_placement *p)
{
	static const char digits[] = "0123456789";
	char mark = ' ';

	if (p->unknown)
		return '?';
	for (unsigned int n = 0; n < NODES; n++) {
		if (!p->node_bytes[n])
			continue;
		if (mark != ' ')
			return '+';
		mark = '*';
		if (n < strlen(digits))
			mark = digits[n];
	}
	return mark;
}

static int row_of_pages(struct map *m, uint64_t at, uint64_t end, uint64_t cell)
{
	struct gmem_residency in = { .sz = sizeof(in) };
	const char *of = state(m), *mark = marks(of);
	uint64_t len;
	int r = 0;

	printf("0x%016" PRIx64 " ", at);
	for (; !r && at < end; at += len) {
		len = end - at < cell ? end - at : cell;
		r = gmem_resident(m->t.g, at, len, &in, &m->err);
		if (!r)
			put_mark(of, mark[in.bytes == len ? 2 : !!in.bytes]);
	}
	putchar('\n');
	return r;
}

static int row_of_nodes(struct map *m, uint64_t at, uint64_t end, uint64_t cell)
{
	static uint64_t bytes[NODES];
	struct gmem_placement p = {
		.sz = sizeof(p),
		.node_bytes = bytes,
		.node_count = NODES,
	};
	uint64_t len;
	int r = 0;

	printf("%-18s ", "node");
	for (; r >= 0 && at < end; at += len) {
		len = end - at < cell ? end - at : cell;
		r = gmem_verify_placement(m->t.g, at, len, NULL, &p, &m->err);
		if (r >= 0)
			putchar(node_mark(&p));
	}
	putchar('\n');
	return r < 0 ? r : 0;
}

static void legend(const struct map *m, uint64_t cell)
{
	const char *of = state(m), *mark = marks(of);
	char text[SIZE_TEXT];

	printf("%s per mark, %s: '.' hole, '%c' in part, '%c' all resident\n",
	       size_text(cell, text),
	       of ? of : "private or shared (not told by a descriptor)",
	       mark[1], mark[2]);
	if (m->args->nodes)
		puts("node: '+' several, '*' one beyond 9, '?' not known");
}

static int map_text(struct map *m)
{
	uint64_t per_row = width(m->args) - LABEL, row;
	uint64_t cell = gmem_page_size(m->t.g);
	uint64_t at = m->t.offset, end = at + m->t.len;
	int r = 0;

	while (m->t.len / cell > per_row * ROWS)
		cell *= 2;
	legend(m, cell);
	for (; !r && at < end; at += row) {
		row = per_row * cell < end - at ? per_row * cell : end - at;
		r = row_of_pages(m, at, at + row, cell);
		if (!r && m->args->nodes)
			r = row_of_nodes(m, at, at + row, cell);
	}
	return r < 0 ? gmem_failed(m->ctl, &m->err, NULL) : CTL_OK;
}

int cmd_map(struct ctl *ctl, int argc, char **argv)
{
	struct args a = { .nodes = false };
	struct map m = { .ctl = ctl,
			 .args = &a,
			 .err = { .sz = sizeof(m.err) } };
	struct gmem_residency in = { .sz = sizeof(in) };
	int status;

	if (opts_parse(ctl, argc, argv, &a) < 0)
		return ctl->status;
	if (a.nodes && !a.target.shared)
		return usage_error(ctl, "--nodes needs --shared: only then "
					"pages can be looked at");
	status = target_open(ctl, &a.target, &m.t);
	if (status)
		return status;
	status = priv_drop(ctl);
	/* The range, before a picture of it is begun. */
	if (!status && gmem_resident(m.t.g, m.t.offset, m.t.len, &in, &m.err))
		status = gmem_failed(ctl, &m.err, NULL);
	if (!status)
		status = ctl->json ? map_json(&m) : map_text(&m);
	(void)gmem_close(m.t.g, NULL);
	return status;
}
