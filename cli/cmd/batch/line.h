/* SPDX-License-Identifier: MIT */
/* The batch's lines and their fields.  Pure code; trusts no byte. */
#ifndef GMEMCTL_BATCH_LINE_H
#define GMEMCTL_BATCH_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A line's bytes and fields. */
#define BATCH_LINE 4096
#define BATCH_FIELDS 32

struct field {
	char *text; /* terminated, escapes resolved */
	size_t len;
	bool quoted;
};

/*
 * Reads a line of any length into @line, without its end; *len is its
 * true length, BATCH_LINE or more if it does not fit.  False at the end.
 */
bool batch_read_line(FILE *f, char line[BATCH_LINE], size_t *len);

/* How many bytes of a file's first line only say that it is UTF-8. */
size_t batch_mark(const char *line, size_t len);

/*
 * Splits the line in place.  Return: the number of fields, or -1 with what is
 * wrong in *problem.
 */
int batch_split(char *line, size_t len, struct field fields[BATCH_FIELDS],
		const char **problem);

#endif
