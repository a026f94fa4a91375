// SPDX-License-Identifier: MIT
/*
 * Words to values, by the parser that the first byte chooses.  An accepted word
 * has the documented form and reads back; a refused one changes nothing.
 */
#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <string.h>

#include <gmem.h>

#include "fuzz.h"
#include "report/words.h"

#define DECIMAL "[0-9]+"
#define HEXADECIMAL "0[xX][0-9a-fA-F]+"

/* Whether all of @s matches the extended regular expression. */
static bool of_form(const char *s, const char *form)
{
	regex_t re;
	int r;

	HOLDS(regcomp(&re, form, REG_EXTENDED | REG_NOSUB) == 0);
	r = regexec(&re, s, 0, NULL, 0);
	regfree(&re);
	return r == 0;
}

/* Returns what is wrong, in words that can follow the string. */
static void explained(const char *problem)
{
	size_t n = strlen(problem);

	HOLDS(!strncmp(problem, "is ", 3) && problem[n - 1] != '.');
}

/* The number that @s, which has the form, starts with, by libc. */
static bool fits(const char *s, int shift, uint64_t *out)
{
	bool hexadecimal = s[0] == '0' && (s[1] | 0x20) == 'x';

	errno = 0;
	*out = strtoull(s, NULL, hexadecimal ? 16 : 10);
	if (errno || *out > UINT64_MAX >> shift)
		return false;
	*out <<= shift;
	return true;
}

static void sizes(const char *s)
{
	static const char units[] = "KMGTPE";
	uint64_t got = 1234567, want = 0, again = 0;
	const char *problem = parse_size(s, &got);
	char text[SIZE_TEXT];
	bool form = of_form(s, "^(" HEXADECIMAL "|" DECIMAL
			       "([kmgtpe]|[KMGTPE](i|iB)?)?)$");
	int shift = 0;

	if (form && !of_form(s, "^" HEXADECIMAL "$")) {
		char unit = s[strspn(s, "0123456789")];

		if (unit)
			shift = (int)(strchr(units, unit & ~0x20) - units + 1) *
				10;
	}
	HOLDS((problem == NULL) == (form && fits(s, shift, &want)));
	if (problem) {
		explained(problem);
		HOLDS(got == 1234567);
		return;
	}
	HOLDS(got == want);
	HOLDS(!parse_size(size_text(got, text), &again) && again == got);
}

static void numbers(const char *s)
{
	uint64_t want = 0;
	uint32_t got = 1234567;
	const char *problem = parse_u32(s, &got);
	bool good = of_form(s, "^(" HEXADECIMAL "|" DECIMAL ")$") &&
		    fits(s, 0, &want) && want <= UINT32_MAX;

	HOLDS((problem == NULL) == good);
	if (problem)
		explained(problem);
	HOLDS(got == (problem ? 1234567 : want));
}

static void names_of_values(const char *s)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t value;

	for (uint32_t kind = 0; kind <= GMEM_NAME_ERROR_FLAG; kind++) {
		value = 1234567;
		if (gmem_value(kind, s, &value, &err) < 0) {
			HOLDS(err.msg[0] == '"');
			HOLDS(value == 1234567);
		} else {
			HOLDS(!strcmp(gmem_name(kind, value), s));
		}
	}
}

static void slots(const char *s)
{
	struct slot_spec got, again, before;
	const char *problem;
	char text[96];

	memset(&before, 0x5a, sizeof(before));
	got = before;
	problem = parse_slot_spec(s, &got);
	if (problem) {
		explained(problem);
		HOLDS(!memcmp(&got, &before, sizeof(got)));
		return;
	}
	(void)snprintf(text, sizeof(text), "%u:0x%llx:%llu:0x%llx", got.slot,
		       (unsigned long long)got.gpa,
		       (unsigned long long)got.offset,
		       (unsigned long long)got.len);
	HOLDS(!parse_slot_spec(text, &again));
	HOLDS(again.slot == got.slot && again.gpa == got.gpa &&
	      again.offset == got.offset && again.len == got.len);
}

static void names(const char *s)
{
	const char *problem = parse_name(s);

	HOLDS((problem == NULL) == of_form(s, "^[A-Za-z][-_A-Za-z0-9]{0,31}$"));
	if (problem)
		explained(problem);
}

static void bytes(char *s)
{
	size_t n = strlen(s), len = 1234567, again = 0;
	unsigned char *out = malloc(n / 2 + 1);
	const char *problem;

	HOLDS(out);
	memset(out, 0x5a, n / 2 + 1);
	problem = parse_hex(s, out, &len);
	HOLDS((problem == NULL) ==
	      (n && n % 2 == 0 && of_form(s, "^[0-9a-fA-F]*$")));
	if (problem) {
		explained(problem);
		HOLDS(len == 1234567 && out[0] == 0x5a);
	} else {
		HOLDS(len == n / 2 && out[n / 2] == 0x5a);
		for (size_t i = 0; i < len; i++) {
			char two[3] = { s[2 * i], s[2 * i + 1], '\0' };

			HOLDS(out[i] == strtoul(two, NULL, 16));
		}
		HOLDS(!parse_hex(s, (unsigned char *)s, &again));
		HOLDS(again == len && !memcmp(s, out, len));
	}
	free(out);
}

/* Whether each range of a set that has the form is valid. */
static bool ranges(const char *s)
{
	uint64_t first = 0, last;

	s += strspn(s, "!+");
	if (!strcmp(s, "all"))
		return true;
	for (;; s++) {
		if (!fits(s, 0, &first))
			return false;
		s += strspn(s, "0123456789");
		if (*s == '-') {
			if (!fits(++s, 0, &last) || last < first)
				return false;
			s += strspn(s, "0123456789");
		}
		if (!*s)
			return true;
	}
}

static void nodes(const char *s)
{
	const char *problem = parse_nodes(s);

	HOLDS((problem == NULL) ==
	      (of_form(s, "^!?\\+?(all|" DECIMAL "(-" DECIMAL ")?(," DECIMAL
			  "(-" DECIMAL ")?)*)$") &&
	       ranges(s)));
	if (problem)
		explained(problem);
}

/* Printable, never longer than the buffer, and reads back unchanged. */
static void text(const char *s)
{
	size_t n = strlen(s), room = n % 2 ? 4 * n + 1 : n / 2 + 1, i = 0;
	char *buf = malloc(room);

	HOLDS(buf && safe_text(s, buf, room) == buf && strlen(buf) < room);
	for (const char *p = buf; *p; i++) {
		unsigned char c = (unsigned char)*p++;

		HOLDS(c >= ' ' && c <= '~');
		if (c == '\\' && *p == 'x') {
			char two[3] = { p[1], p[2], '\0' };

			c = (unsigned char)strtoul(two, NULL, 16);
			p += 3;
		} else if (c == '\\') {
			c = *p++ == 'n' ? '\n' : '\\';
		}
		HOLDS(i < n && c == (unsigned char)s[i]);
	}
	HOLDS(i == n || room < 4 * n + 1);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s;

	if (size < 1)
		return 0;
	/* In memory of its own, so that a read beyond the end is noticed. */
	s = malloc(size);
	HOLDS(s);
	memcpy(s, data + 1, size - 1);
	s[size - 1] = '\0';
	switch (data[0] % 8) {
	case 0:
		sizes(s);
		break;
	case 1:
		numbers(s);
		break;
	case 2:
		names_of_values(s);
		break;
	case 3:
		slots(s);
		break;
	case 4:
		names(s);
		break;
	case 5:
		bytes(s);
		break;
	case 6:
		nodes(s);
		break;
	default:
		text(s);
	}
	free(s);
	return 0;
}
