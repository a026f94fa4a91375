/* SPDX-License-Identifier: MIT */
/* The table of gmemctl ps: its columns (columns.c), its rows (table.c). */
#ifndef GMEMCTL_PS_TABLE_H
#define GMEMCTL_PS_TABLE_H

#include <stdio.h>

#include "cmd/ps/ps.h"

/* A file, or one of its holders. */
struct row {
	const struct scan *s;
	const struct mem *m;
	const struct holder *h; /* NULL: all that it has */
	size_t number;		/* in the order of the scan */
	char *key_text;		/* what it is sorted by, if that is no number */
	bool bytes;		/* sizes without units */
	FILE *to;
};

struct column {
	const char *name, *heading;
	void (*put)(const struct row *r);
	/* What it is sorted by; false: not known.  NULL: by its text. */
	bool (*key)(const struct row *r, uint64_t *key);
	bool right; /* numbers: aligned to the right */
};

/* In either case; NULL: there is none. */
const struct column *column_named(const char *name, size_t len);
/* All of them, with commas between. */
void column_names(char *buf, size_t size);

#define TABLE_COLUMNS 20

struct table {
	const struct column *column[TABLE_COLUMNS];
	size_t n;
	const struct column *sort; /* NULL: as they were found */
	bool descending, bytes, no_headings;
	bool holders; /* a row for each holder */
};

bool table_shows(const struct table *t, const char *name);
/* Return: 0 or -ENOMEM. */
int table_print(const struct scan *s, const struct table *t);

#endif
