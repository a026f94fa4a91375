// SPDX-License-Identifier: MIT
/* From bytes to fields; nothing here knows a command. */
#include <string.h>

#include "cmd/batch/line.h"

bool batch_read_line(FILE *f, char line[BATCH_LINE], size_t *len)
{
	size_t n = 0;
	int c;

	while ((c = getc(f)) != EOF && c != '\n') {
		if (n < BATCH_LINE)
			line[n] = (char)c;
		n++;
	}
	*len = n;
	/* As DOS ends its lines. */
	if (n && n <= BATCH_LINE && line[n - 1] == '\r')
		--*len;
	return c != EOF || n;
}

size_t batch_mark(const char *line, size_t len)
{
	static const char mark[] = { '\xef', '\xbb', '\xbf' };

	if (len < sizeof(mark) || memcmp(line, mark, sizeof(mark)) != 0)
		return 0;
	return sizeof(mark);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/*
 * Takes the quoted text that begins behind *@p, which goes behind the closing
 * quote; escapes only ever shorten it.
 */
static const char *quoted(char **p, const char *end, struct field *f)
{
	char *to = f->text = *p;

	for (; *p < end && **p != '"'; (*p)++) {
		if (**p != '\\') {
			*to++ = **p;
			continue;
		}
		if (++*p == end)
			break;
		switch (**p) {
		case '\\':
		case '"':
			*to++ = **p;
			break;
		case 'n':
			*to++ = '\n';
			break;
		case 't':
			*to++ = '\t';
			break;
		default:
			return "unknown escape: only \\\\ \\\" \\n \\t";
		}
	}
	if (*p == end)
		return "a quote is not closed";
	(*p)++;
	if (*p < end && !blank(**p))
		return "no blank behind a quoted text";
	f->len = (size_t)(to - f->text);
	f->quoted = true;
	return NULL;
}

static const char *plain(char **p, const char *end, struct field *f)
{
	f->text = *p;
	f->quoted = false;
	for (; *p < end && !blank(**p); (*p)++)
		if (**p == '"')
			return "a quote inside a word";
	f->len = (size_t)(*p - f->text);
	return NULL;
}

int batch_split(char *line, size_t len, struct field fields[BATCH_FIELDS],
		const char **problem)
{
	const char *end = line + len;
	char *p = line;
	int n = 0;

	*problem = NULL;
	if (len >= BATCH_LINE)
		*problem = "longer than 4095 bytes";
	for (size_t i = 0; i < len && !*problem; i++)
		if (!line[i])
			*problem = "a zero byte, as text in UTF-16 has: write "
				   "it in UTF-8";
		else if (control(line[i]) && line[i] != '\t')
			*problem = "a control character; write hex:... for "
				   "such bytes";
	while (!*problem) {
		while (p < end && blank(*p))
			p++;
		if (p == end || *p == '#')
			break;
		if (n == BATCH_FIELDS) {
			*problem = "more than 32 words";
		} else if (*p == '"') {
			p++;
			*problem = quoted(&p, end, &fields[n++]);
		} else {
			*problem = plain(&p, end, &fields[n++]);
		}
	}
	if (*problem)
		return -1;
	/* Only now: the byte behind a field may start the next one. */
	for (int i = 0; i < n; i++)
		fields[i].text[fields[i].len] = '\0';
	return n;
}
