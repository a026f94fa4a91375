// SPDX-License-Identifier: MIT
/* A range of a file as marks for people. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "op/picture.h"
#include "report/error.h"
#include "report/output.h"
#include "report/residency.h"
#include "report/words.h"

#define ROWS 16
#define LABEL 20 /* "0x" and 16 digits, and a blank at both sides */
#define WIDTH_DEFAULT 80
_Static_assert(PICTURE_WIDTH_MIN == LABEL + 1, "a mark in each row");

/* What the range has twice, page by page where that is needed. */
static int twice(const struct picture *p, uint64_t offset, uint64_t len,
		 struct residency *out, struct gmem_error *err)
{
	uint64_t half = len / gmem_page_size(p->g) / 2 * gmem_page_size(p->g);
	struct residency file, rest;
	int r = picture_sides(p, offset, len, &file, out, err);

	if (r)
		return r;
	if (out->least || out->bytes >= len || !half) {
		out->bytes = file.bytes && out->bytes ? file.bytes : 0;
		return 0;
	}
	if (!file.bytes || !out->bytes || file.bytes >= len) {
		out->bytes = file.bytes ? out->bytes : 0;
		return 0;
	}
	r = twice(p, offset, half, out, err);
	if (!r)
		r = twice(p, offset + half, len - half, &rest, err);
	if (r)
		return r;
	out->bytes += rest.bytes;
	out->least |= rest.least;
	return 0;
}

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
	if (w > PICTURE_WIDTH_MAX)
		w = PICTURE_WIDTH_MAX;
	return w < PICTURE_WIDTH_MIN ? PICTURE_WIDTH_MIN : w;
}

#define NAME "%-18s " /* of a row that has no offset */

/* The rows, which show what the legend has to explain. */
struct drawing {
	const struct picture *p;
	struct gmem_error *err;
	FILE *out;
	uint64_t cell;
	bool holes, unknown; /* '.' and '?' were drawn */
};

static void put_presence_mark(struct drawing *d, const struct residency *in,
			      uint64_t len)
{
	int mark = in->bytes ? ':' : in->least ? '?' : '.';

	if (in->bytes >= len)
		mark = '#';
	d->holes |= mark == '.';
	d->unknown |= mark == '?';
	(void)putc(mark, d->out);
}

/* What the file has. */
static int put_file(struct drawing *d, uint64_t at, uint64_t len)
{
	struct residency in;
	int r = residency(d->p->g, NULL, at, len, &in, d->err);

	if (!r)
		put_presence_mark(d, &in, len);
	return r;
}

static int put_other(struct drawing *d, uint64_t at, uint64_t len)
{
	struct residency file, in;
	int r = picture_sides(d->p, at, len, &file, &in, d->err);

	if (!r)
		put_presence_mark(d, &in, len);
	return r;
}

static int put_twice(struct drawing *d, uint64_t at, uint64_t len)
{
	struct residency in;
	int r = twice(d->p, at, len, &in, d->err);

	if (!r)
		put_presence_mark(d, &in, len);
	return r;
}

/* The first letter of the state, or 'm' for several. */
static int put_state(struct drawing *d, uint64_t at, uint64_t len)
{
	const char *state, *colour;
	uint64_t run;
	char mark;
	int r = picture_state(d->p, at, len, &state, &run, d->err);

	if (r < 0)
		return r;
	mark = *state;
	if (run < len)
		mark = 'm';
	colour = mark == 's' ? "32" : mark == 'p' ? "31" : "33";
	if (out_colour())
		fprintf(d->out, "\033[%sm%c\033[0m", colour, mark);
	else
		(void)putc(mark, d->out);
	return 0;
}

static int put_row(struct drawing *d, uint64_t at, uint64_t end,
		   int (*put)(struct drawing *d, uint64_t at, uint64_t len))
{
	uint64_t len;
	int r = 0;

	for (; r >= 0 && at < end; at += len) {
		len = end - at < d->cell ? end - at : d->cell;
		r = put(d, at, len);
	}
	(void)putc('\n', d->out);
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

static int put_nodes(struct drawing *d, uint64_t at, uint64_t end)
{
	static uint64_t bytes[NODES];
	struct gmem_placement placed = {
		.sz = sizeof(placed),
		.node_bytes = bytes,
		.node_count = NODES,
	};
	static char marks[PICTURE_WIDTH_MAX];
	size_t n = 0, last = 0;
	uint64_t len;
	int r = 0;

	for (; at < end; at += len) {
		len = end - at < d->cell ? end - at : d->cell;
		r = gmem_verify_placement(d->p->g, at, len, NULL, &placed,
					  d->err);
		if (r < 0 && d->err->reason == GMEM_REASON_RESIDENCY_UNKNOWN) {
			placed.unknown = len;
			r = 0;
		}
		if (r < 0)
			break;
		marks[n++] = node_mark(&placed);
		if (marks[n - 1] != ' ')
			last = n;
	}
	fprintf(d->out, last ? NAME "%.*s\n" : "%s\n", "node", (int)last,
		marks);
	return r < 0 ? r : 0;
}

/* Of the marks that were drawn. */
static const char *marks_text(const struct drawing *d)
{
	if (!d->unknown)
		return "'.' hole, ':' in part, '#' all resident";
	return d->holes
		       ? "'.' hole, '?' not known, ':' in part or more, "
			 "'#' all resident"
		       : "'?' not known, ':' in part or more, '#' all resident";
}

static void legend(const struct drawing *d)
{
	const struct picture *p = d->p;
	const char *state = "";
	char text[SIZE_TEXT];

	if (!p->recorded)
		state = p->state ? p->state
				 : "private or shared (not told by a "
				   "descriptor)";
	printf("%s per mark%s%s: %s\n", size_text(d->cell, text),
	       *state ? ", " : "", state, marks_text(d));
	if (p->dual)
		puts("shared side: the memory of shared pages; twice: on both "
		     "sides");
	if (p->recorded)
		puts("state: 'p' private, 's' shared, 'u' unset, 'm' several");
	if (p->nodes)
		puts("node: '+' several, '*' one beyond 9, '?' not known");
}

/* The marks of a row, and what is below them. */
static int put_rows(struct drawing *d, uint64_t at, uint64_t end)
{
	const struct picture *p = d->p;
	int r;

	fprintf(d->out, "0x%016" PRIx64 " ", at);
	r = put_row(d, at, end, put_file);
	if (!r && p->dual) {
		fprintf(d->out, NAME, "shared side");
		r = put_row(d, at, end, put_other);
	}
	if (!r && p->dual) {
		fprintf(d->out, NAME, "twice");
		r = put_row(d, at, end, put_twice);
	}
	if (!r && p->recorded) {
		fprintf(d->out, NAME, "state");
		r = put_row(d, at, end, put_state);
	}
	if (!r && p->nodes)
		r = put_nodes(d, at, end);
	return r;
}

static int draw(struct drawing *d)
{
	const struct picture *p = d->p;
	uint64_t per_row = columns(p) - LABEL, row;
	uint64_t at = p->offset, end = at + p->len;
	int r = 0;

	d->cell = gmem_page_size(p->g);
	while (p->len / d->cell > per_row * ROWS)
		d->cell *= 2;
	for (; !r && at < end; at += row) {
		row = per_row * d->cell < end - at ? per_row * d->cell
						   : end - at;
		r = put_rows(d, at, at + row);
	}
	return r;
}

int picture_print(const struct picture *p, struct gmem_error *err)
{
	char *rows = NULL;
	size_t len;
	bool cut;
	struct drawing d = {
		.p = p,
		.err = err,
		.out = open_memstream(&rows, &len),
	};
	int r = 0;

	if (d.out) {
		r = draw(&d);
		/* Closing it may fail for want of memory, and not say so. */
		cut = ferror(d.out);
		if (fclose(d.out) || cut || !rows)
			r = -ENOMEM;
	}
	if (!d.out || r == -ENOMEM)
		r = refuse(err, -ENOMEM, GMEM_REASON_NO_MEMORY,
			   "out of memory");
	if (!r) {
		legend(&d);
		fputs(rows, stdout);
	}
	free(rows);
	return r;
}
