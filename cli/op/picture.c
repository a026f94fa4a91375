// SPDX-License-Identifier: MIT
/* A range of a file as marks for people, or as runs for programs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report/json.h"
#include "report/output.h"
#include "op/picture.h"
#include "report/residency.h"
#include "report/words.h"
#include "table/array.h"

#define ROWS 16
#define LABEL 20 /* "0x" and 16 digits, and a blank at both sides */
#define WIDTH_DEFAULT 80
#define WIDTH_MIN (LABEL + 1)
#define WIDTH_MAX 4096

/* ---------------------------------------------------------------- state -- */

/* Of the range from its beginning on; *@run: up to where it goes. */
static int state_at(const struct picture *p, uint64_t offset, uint64_t len,
		    const char **state, uint64_t *run, struct gmem_error *err)
{
	uint64_t attributes;
	int r;

	*state = p->state;
	*run = len;
	if (!p->recorded)
		return 0;
	r = gmem_get_attributes(p->g, offset, len, &attributes, run, err);
	if (r >= 0)
		*state = gmem_name(GMEM_NAME_ATTRIBUTE, attributes);
	return r;
}

/* ----------------------------------------------------------------- runs -- */

#define NO_NODE (-1)

enum presence {
	HOLE,
	THERE,
	MAY_BE_THERE,
};

struct runs {
	const struct picture *p;
	struct gmem_error *err;
	json_object *list;
	json_object *last; /* of .list, and what it holds */
	uint64_t last_offset, last_len;
	int last_node;
	enum presence last_presence;
	uint64_t start;	   /* of the part that is being looked at ... */
	const char *state; /* ... and whose it is */
};

/* Goes behind the last run, or makes it longer. */
static void add_run(struct runs *m, uint64_t offset, uint64_t len,
		    enum presence presence, int node)
{
	if (m->last && m->last_offset >= m->start &&
	    m->last_presence == presence && m->last_node == node &&
	    m->last_offset + m->last_len == offset) {
		m->last_len += len;
		json_u64(m->last, "len", m->last_len);
		return;
	}
	m->last = json_object_new_object();
	m->last_offset = offset;
	m->last_len = len;
	m->last_presence = presence;
	m->last_node = node;
	json_u64(m->last, "offset", offset);
	json_u64(m->last, "len", len);
	if (m->p->recorded)
		json_text(m->last, "state", m->state, "");
	if (presence == MAY_BE_THERE)
		json_null(m->last, "resident",
			  "without cachestat only a lower bound is known");
	else
		json_boolean(m->last, "resident", presence == THERE);
	if (node >= 0)
		json_u64(m->last, "node", (uint64_t)node);
	else
		json_null(m->last, "node",
			  presence == HOLE ? "no memory"
					   : "not asked for, or not known");
	json_object_array_add(m->list, m->last);
}

/* Halves the range until it is all there or all hole. */
static int find_runs(struct runs *m, uint64_t offset, uint64_t len)
{
	struct residency in;
	uint64_t page = gmem_page_size(m->p->g), half;
	int r = residency(m->p->g, offset, len, &in, m->err);

	if (r < 0)
		return r;
	half = len / page / 2 * page;
	if (in.bytes == 0 || in.bytes == len || !half) {
		add_run(m, offset, len,
			in.bytes   ? THERE
			: in.least ? MAY_BE_THERE
				   : HOLE,
			NO_NODE);
		return 0;
	}
	r = find_runs(m, offset, half);
	return r ? r : find_runs(m, offset + half, len - half);
}

/* Where what was found ends, or the part begins. */
static uint64_t found_end(const struct runs *m)
{
	uint64_t end = m->last ? m->last_offset + m->last_len : 0;

	return end > m->start ? end : m->start;
}

static int node_run(void *arg, uint64_t offset, uint64_t len, int node)
{
	struct runs *m = arg;
	uint64_t end = found_end(m);

	if (offset > end)
		add_run(m, end, offset - end, HOLE, NO_NODE);
	add_run(m, offset, len, THERE, node);
	return 0;
}

/*
 * No page is on the last possible node: all nodes are reported.
 * Return: 1 if some are unknown, and nothing then counts.
 */
static int find_nodes(struct runs *m, uint64_t offset, uint64_t len)
{
	static unsigned long nowhere[4096 / sizeof(long)];
	const size_t words = ARRAY_SIZE(nowhere);
	const struct gmem_mempolicy policy = {
		.sz = sizeof(policy),
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
	r = gmem_verify_placement(m->p->g, offset, len, &policy, &out, m->err);
	if (r < 0 && m->err->reason == GMEM_REASON_RESIDENCY_UNKNOWN)
		return 1;
	end = found_end(m);
	if (r >= 0 && end < offset + len)
		add_run(m, end, offset + len - end, HOLE, NO_NODE);
	return r < 0 ? r : !!out.unknown;
}

/* The part of the range that has one state. */
static int part_runs(struct runs *m, uint64_t offset, uint64_t len)
{
	size_t before = json_object_array_length(m->list), now;
	int r = 1;

	m->start = offset;
	if (m->p->nodes)
		r = find_nodes(m, offset, len);
	if (r != 1)
		return r;
	/* Not asked for, or not known of all. */
	now = json_object_array_length(m->list);
	if (now > before)
		(void)json_object_array_del_idx(m->list, before, now - before);
	m->last = NULL;
	return find_runs(m, offset, len);
}

int picture_runs(const struct picture *p, json_object *list,
		 struct gmem_error *err)
{
	struct runs m = { .p = p, .err = err, .list = list };
	uint64_t at = p->offset, end = at + p->len, run;
	int r = 0;

	for (; r >= 0 && at < end; at += run) {
		r = state_at(p, at, end - at, &m.state, &run, err);
		if (r >= 0)
			r = part_runs(&m, at, run);
	}
	return r < 0 ? r : 0;
}

/* -------------------------------------------------------------- picture -- */

static uint32_t columns(const struct picture *p)
{
	const char *variable = getenv("COLUMNS");
	uint32_t w = WIDTH_DEFAULT, v;
	struct winsize size;

	if (p->width)
		w = p->width;
	else if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		w = size.ws_col;
	else if (variable && !parse_u32(variable, &v))
		w = v;
	if (w > WIDTH_MAX)
		w = WIDTH_MAX;
	return w < WIDTH_MIN ? WIDTH_MIN : w;
}

#define NAME "%-18s " /* of a row that has no offset */

static int row_of_pages(const struct picture *p, uint64_t at, uint64_t end,
			uint64_t cell, struct gmem_error *err)
{
	struct residency in;
	uint64_t len;
	int r = 0;

	printf("0x%016" PRIx64 " ", at);
	for (; !r && at < end; at += len) {
		len = end - at < cell ? end - at : cell;
		r = residency(p->g, at, len, &in, err);
		if (!r)
			putchar(in.bytes == len ? '#'
				: in.bytes	? ':'
				: in.least	? '?'
						: '.');
	}
	putchar('\n');
	return r;
}

/* The first letter of the state, or 'm' for several. */
static void put_state(int mark, bool coloured)
{
	const char *colour = mark == 's' ? "32" : mark == 'p' ? "31" : "33";

	if (coloured)
		printf("\033[%sm%c\033[0m", colour, mark);
	else
		putchar(mark);
}

static int row_of_states(const struct picture *p, uint64_t at, uint64_t end,
			 uint64_t cell, struct gmem_error *err)
{
	bool coloured = out_colour();
	const char *state;
	uint64_t len, run;
	int r = 0;

	printf(NAME, "state");
	for (; r >= 0 && at < end; at += len) {
		len = end - at < cell ? end - at : cell;
		r = state_at(p, at, len, &state, &run, err);
		if (r >= 0)
			put_state(run < len ? 'm' : *state, coloured);
	}
	putchar('\n');
	return r < 0 ? r : 0;
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

static int row_of_nodes(const struct picture *p, uint64_t at, uint64_t end,
			uint64_t cell, struct gmem_error *err)
{
	static uint64_t bytes[NODES];
	struct gmem_placement placed = {
		.sz = sizeof(placed),
		.node_bytes = bytes,
		.node_count = NODES,
	};
	static char marks[WIDTH_MAX];
	size_t n = 0, last = 0;
	uint64_t len;
	int r = 0;

	for (; at < end; at += len) {
		len = end - at < cell ? end - at : cell;
		r = gmem_verify_placement(p->g, at, len, NULL, &placed, err);
		if (r < 0 && err->reason == GMEM_REASON_RESIDENCY_UNKNOWN) {
			placed.unknown = len;
			r = 0;
		}
		if (r < 0)
			break;
		marks[n++] = node_mark(&placed);
		if (marks[n - 1] != ' ')
			last = n;
	}
	printf(last ? NAME "%.*s\n" : "%s\n", "node", (int)last, marks);
	return r < 0 ? r : 0;
}

static void legend(const struct picture *p, uint64_t cell)
{
	const char *state = "";
	char text[SIZE_TEXT];

	if (!p->recorded)
		state = p->state ? p->state
				 : "private or shared (not told by a "
				   "descriptor)";
	printf("%s per mark%s%s: %s\n", size_text(cell, text),
	       *state ? ", " : "", state,
	       p->least ? "'?' not known, ':' in part or more, '#' all resident"
			: "'.' hole, ':' in part, '#' all resident");
	if (p->recorded)
		puts("state: 'p' private, 's' shared, 'u' unset, 'm' several");
	if (p->nodes)
		puts("node: '+' several, '*' one beyond 9, '?' not known");
}

int picture_print(const struct picture *p, struct gmem_error *err)
{
	uint64_t per_row = columns(p) - LABEL, row;
	uint64_t cell = gmem_page_size(p->g);
	uint64_t at = p->offset, end = at + p->len;
	int r = 0;

	while (p->len / cell > per_row * ROWS)
		cell *= 2;
	legend(p, cell);
	for (; !r && at < end; at += row) {
		row = per_row * cell < end - at ? per_row * cell : end - at;
		r = row_of_pages(p, at, at + row, cell, err);
		if (!r && p->recorded)
			r = row_of_states(p, at, at + row, cell, err);
		if (!r && p->nodes)
			r = row_of_nodes(p, at, at + row, cell, err);
	}
	return r < 0 ? r : 0;
}
