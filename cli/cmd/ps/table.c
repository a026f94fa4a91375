// SPDX-License-Identifier: MIT
/* The rows of the table: which there are, their order, and printing them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ps/table.h"

struct rows {
	struct row *row;
	size_t n;
};

bool table_shows(const struct table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->column[i]->name, name))
			return true;
	return false;
}

/* The text of one cell, to be freed; NULL: no memory. */
static char *cell_text(const struct column *column, const struct row *row)
{
	struct row r = *row;
	char *text = NULL;
	size_t size;

	r.to = open_memstream(&text, &size);
	if (!r.to)
		return NULL;
	column->put(&r);
	if (fclose(r.to)) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---------------------------------------------------------------- order -- */

static int by_number(const struct row *a, const struct row *b)
{
	return a->number < b->number ? -1 : a->number > b->number;
}

/* What is not known is last, in either direction. */
static int compare(const void *x, const void *y, void *arg)
{
	const struct row *a = x, *b = y;
	const struct table *t = arg;
	uint64_t ka = 0, kb = 0;
	bool known_a = true, known_b = true;
	int r = 0;

	if (t->sort->key) {
		known_a = t->sort->key(a, &ka);
		known_b = t->sort->key(b, &kb);
		if (known_a && known_b)
			r = ka < kb ? -1 : ka > kb;
	} else {
		r = strcmp(a->key_text, b->key_text);
	}
	if (known_a != known_b)
		return known_a ? -1 : 1;
	if (r)
		return t->descending ? -r : r;
	return by_number(a, b);
}

static int sort(struct rows *rows, const struct table *t)
{
	for (size_t i = 0; i < rows->n && !t->sort->key; i++) {
		rows->row[i].key_text = cell_text(t->sort, &rows->row[i]);
		if (!rows->row[i].key_text)
			return -ENOMEM;
	}
	if (rows->n)
		qsort_r(rows->row, rows->n, sizeof(*rows->row), compare,
			(void *)t);
	return 0;
}

/* ----------------------------------------------------------------- rows -- */

static int add(struct rows *rows, const struct scan *s, const struct mem *m,
	       const struct holder *h, bool bytes)
{
	struct row *more = realloc(rows->row, (rows->n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	rows->row = more;
	more[rows->n] = (struct row){
		.s = s,
		.m = m,
		.h = h,
		.number = rows->n,
		.bytes = bytes,
	};
	rows->n++;
	return 0;
}

static int add_file(struct rows *rows, const struct scan *s,
		    const struct table *t, const struct mem *m)
{
	int r = 0;

	if (!file_listed(s, m))
		return 0;
	if (!t->holders)
		return add(rows, s, m, NULL, t->bytes);
	for (const struct holder *h = m->holders; h && !r; h = h->next)
		if (!s->pid || h->pid == s->pid)
			r = add(rows, s, m, h, t->bytes);
	return r;
}

static void print_cell(const struct table *t, size_t i, const char *text,
		       size_t width)
{
	if (t->column[i]->right)
		printf("%*s", (int)width, text);
	else if (i + 1 < t->n)
		printf("%-*s", (int)width, text);
	else
		fputs(text, stdout);
	putchar(i + 1 < t->n ? ' ' : '\n');
}

/* Two passes: the first for the widths. */
static int print(const struct rows *rows, const struct table *t)
{
	size_t width[TABLE_COLUMNS] = { 0 }, n;
	char *text;

	for (size_t i = 0; i < t->n && !t->no_headings; i++)
		width[i] = strlen(t->column[i]->heading);
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < t->n && pass && !t->no_headings; i++)
			print_cell(t, i, t->column[i]->heading, width[i]);
		for (size_t k = 0; k < rows->n * t->n; k++) {
			size_t i = k % t->n;

			text = cell_text(t->column[i], &rows->row[k / t->n]);
			if (!text)
				return -ENOMEM;
			n = strlen(text);
			if (pass)
				print_cell(t, i, text, width[i]);
			else if (n > width[i])
				width[i] = n;
			free(text);
		}
	}
	return 0;
}

int table_print(const struct scan *s, const struct table *t)
{
	struct rows rows = { .row = NULL };
	int r = 0;

	for (const struct mem *m = s->files; m && !r; m = m->next)
		r = add_file(&rows, s, t, m);
	if (!r && t->sort)
		r = sort(&rows, t);
	if (!r)
		r = print(&rows, t);
	for (size_t i = 0; i < rows.n; i++)
		free(rows.row[i].key_text);
	free(rows.row);
	return r;
}
