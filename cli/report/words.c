// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "report/words.h"

static const char units[] = "KMGTPE";

/* Locale must not decide what a digit is, so no ctype.h here. */
static int digit(char c, unsigned int base)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (base == 16 && c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (base == 16 && c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The number that *@s starts with; *@s goes to what follows. */
static const char *number(const char **s, unsigned int *base, uint64_t *out)
{
	const char *p = *s;
	uint64_t v = 0;

	*base = 10;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		*base = 16;
		p += 2;
	}
	if (digit(*p, *base) < 0)
		return "is not a number";
	for (; digit(*p, *base) >= 0; p++) {
		uint64_t d = (uint64_t)digit(*p, *base);

		if (v > (UINT64_MAX - d) / *base)
			return "is beyond 2^64 - 1";
		v = v * *base + d;
	}
	*s = p;
	*out = v;
	return NULL;
}

/* 10 for "K", "k", "Ki" and "KiB"; -1 for no unit. */
static int unit_shift(const char *s)
{
	bool capital = *s && !(*s & 0x20);
	char c = (char)(letter(*s) ? *s & ~0x20 : *s);
	const char *u = c ? strchr(units, c) : NULL;

	if (!u || (s[1] &&
		   !(capital && (!strcmp(s + 1, "i") || !strcmp(s + 1, "iB")))))
		return -1;
	return (int)(u - units + 1) * 10;
}

const char *parse_size(const char *s, uint64_t *out)
{
	unsigned int base;
	const char *problem;
	int shift = 0;
	uint64_t v;

	problem = number(&s, &base, &v);
	if (problem)
		return problem;
	if (*s) {
		shift = base == 16 ? -1 : unit_shift(s);
		if (shift < 0)
			return "is not a size such as 4096, 64K, 2M, 1GiB or "
			       "0x1000";
		if (v > UINT64_MAX >> shift)
			return "is beyond 2^64 - 1";
	}
	*out = v << shift;
	return NULL;
}

const char *parse_u32(const char *s, uint32_t *out)
{
	unsigned int base;
	const char *problem;
	uint64_t v;

	problem = number(&s, &base, &v);
	if (problem)
		return problem;
	if (*s)
		return "is not a number";
	if (v > UINT32_MAX)
		return "is beyond 2^32 - 1";
	*out = (uint32_t)v;
	return NULL;
}

const char *parse_slot_spec(const char *s, struct slot_spec *out)
{
	static const char form[] = "is not SLOT:GPA:OFFSET:LEN";
	struct slot_spec v = { .slot = 0 };
	uint64_t *size[] = { &v.gpa, &v.offset, &v.len };
	char word[4][SIZE_TEXT];
	const char *problem;
	size_t n;

	for (size_t i = 0; i < 4; i++) {
		n = strcspn(s, ":");
		if (n >= sizeof(word[i]) || (s[n] == ':') != (i < 3))
			return form;
		memcpy(word[i], s, n);
		word[i][n] = '\0';
		s += n + (s[n] == ':');
	}
	problem = parse_u32(word[0], &v.slot);
	for (size_t i = 0; i < 3 && !problem; i++)
		problem = parse_size(word[i + 1], size[i]);
	if (problem)
		return form;
	*out = v;
	return NULL;
}

const char *parse_name(const char *s)
{
	if (!letter(*s))
		return "is not a name: a letter comes first";
	if (strnlen(s, NAME_MAX_LEN + 1) > NAME_MAX_LEN)
		return "is not a name: longer than 32 characters";
	for (; *s; s++)
		if (!letter(*s) && digit(*s, 10) < 0 && *s != '_' && *s != '-')
			return "is not a name: letters, digits, '_' and '-'";
	return NULL;
}

const char *parse_hex(const char *s, unsigned char *out, size_t *len)
{
	size_t n = strlen(s);

	if (!n || n % 2)
		return "is not hexadecimal: two digits make a byte";
	for (size_t i = 0; i < n; i++)
		if (digit(s[i], 16) < 0)
			return "is not hexadecimal";
	for (size_t i = 0; i < n; i += 2)
		out[i / 2] = (unsigned char)(digit(s[i], 16) << 4 |
					     digit(s[i + 1], 16));
	*len = n / 2;
	return NULL;
}

/* The length of "N" or "N-M" at @s, 0 if there is none. */
static size_t node_range(const char *s)
{
	uint64_t first = 0, last = 0;
	const char *p = s;
	unsigned int base;

	if (number(&p, &base, &first) || base != 10)
		return 0;
	if (*p != '-')
		return (size_t)(p - s);
	p++;
	if (number(&p, &base, &last) || base != 10 || last < first)
		return 0;
	return (size_t)(p - s);
}

const char *parse_nodes(const char *s)
{
	static const char form[] = "is not a set of nodes such as 0, 0-3, "
				   "0,2 or all";
	size_t n;

	s += *s == '!';
	s += *s == '+';
	if (!strcmp(s, "all"))
		return NULL;
	for (;;) {
		n = node_range(s);
		if (!n)
			return form;
		s += n;
		if (!*s)
			return NULL;
		if (*s++ != ',')
			return form;
	}
}

/* ---------------------------------------------------------------- guess -- */

#define GUESS_WORD 40

/* How many characters are to be put, taken, changed or swapped. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t row[3][GUESS_WORD + 1], *old = row[0], *last = row[1];
	size_t *now = row[2], *spare, least;

	for (size_t j = 0; j <= m; j++)
		last[j] = old[j] = j;
	for (size_t i = 1; i <= n; i++) {
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			least = last[j - 1] + (a[i - 1] != b[j - 1]);
			if (last[j] + 1 < least)
				least = last[j] + 1;
			if (now[j - 1] + 1 < least)
				least = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && old[j - 2] + 1 < least)
				least = old[j - 2] + 1;
			now[j] = least;
		}
		spare = old;
		old = last;
		last = now;
		now = spare;
	}
	return last[m];
}

void guess_try(struct guess *g, const char *candidate)
{
	size_t m = strlen(candidate), d;

	if (g->len > GUESS_WORD || m > GUESS_WORD)
		return;
	d = distance(g->word, g->len, candidate, m);
	if (d > (m + 1) / 3 || (g->best && d >= g->distance))
		return;
	g->best = candidate;
	g->distance = d;
}

const char *guess_text(const struct guess *g, char buf[GUESS_TEXT])
{
	*buf = '\0';
	if (g->best)
		(void)snprintf(buf, GUESS_TEXT, "; did you mean %s?", g->best);
	return buf;
}

/* ----------------------------------------------------------------- text -- */

/* What one byte is shown as; @reversible: so that it can be read back. */
static size_t shown(unsigned char c, bool reversible, char word[4])
{
	static const char digits[] = "0123456789abcdef";

	if (c >= ' ' && c <= '~' && (c != '\\' || !reversible)) {
		word[0] = (char)c;
		return 1;
	}
	word[0] = '\\';
	if (c == '\\' || c == '\n') {
		word[1] = c == '\n' ? 'n' : '\\';
		return 2;
	}
	word[1] = 'x';
	word[2] = digits[c >> 4];
	word[3] = digits[c & 15];
	return 4;
}

static const char *show(const char *s, bool reversible, char *buf, size_t size)
{
	char word[4];
	size_t at = 0, n;

	for (; *s; s++) {
		n = shown((unsigned char)*s, reversible, word);
		if (at + n >= size)
			break;
		memcpy(buf + at, word, n);
		at += n;
	}
	buf[at] = '\0';
	return buf;
}

const char *safe_text(const char *s, char *buf, size_t size)
{
	return show(s, true, buf, size);
}

const char *plain_text(const char *s, char *buf, size_t size)
{
	return show(s, false, buf, size);
}

const char *size_text(uint64_t bytes, char buf[SIZE_TEXT])
{
	size_t u = 0;

	while (bytes && bytes % 1024 == 0 && u < sizeof(units) - 1) {
		bytes /= 1024;
		u++;
	}
	if (u)
		(void)snprintf(buf, SIZE_TEXT, "%" PRIu64 "%c", bytes,
			       units[u - 1]);
	else
		(void)snprintf(buf, SIZE_TEXT, "%" PRIu64, bytes);
	return buf;
}

const char *nodes_text(const uint64_t bytes[NODES], char buf[NODES_TEXT])
{
	char size[SIZE_TEXT];
	size_t at = 0;

	*buf = '\0';
	for (unsigned int n = 0; n < NODES && at < NODES_TEXT; n++)
		if (bytes[n])
			at += (size_t)snprintf(buf + at, NODES_TEXT - at,
					       "%s%u:%s", at ? " " : "", n,
					       size_text(bytes[n], size));
	return buf;
}
