// SPDX-License-Identifier: MIT
/* Messages, and how gmemctl ends. */
#include <errno.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gmem.h>

#include "report/error.h"
#include "report/json.h"
#include "report/output.h"
#include "report/words.h"

/* Longer than any path. */
#define MESSAGE_TEXT 8192

const char *ctl_name(const struct ctl *ctl, char buf[CMD_NAME_TEXT])
{
	(void)snprintf(buf, CMD_NAME_TEXT, "%s%s%s",
		       ctl->command ? ctl->command : "", ctl->call ? " " : "",
		       ctl->call ? ctl->call : "");
	return buf;
}

bool out_colour(void)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(none && *none) && term &&
	       strcmp(term, "dumb");
}

void put_plain(FILE *to, const char *text)
{
	char word[2] = "", plain[PLAIN_SIZE(1)];

	for (; *text; text++) {
		word[0] = *text;
		fputs(plain_text(word, plain, sizeof(plain)), to);
	}
}

static void put_char(char c)
{
	const char text[2] = { c, '\0' };

	put_plain(stdout, text);
}

void put_wrapped(const char *text, size_t column, const char *margin)
{
	size_t n, depth = 0;
	bool first = true;

	while (*text) {
		for (n = 0; text[n] && (depth || text[n] != ' '); n++)
			depth += (text[n] == '[') - (size_t)(text[n] == ']');
		if (!first && column + 1 + n > OUT_WIDTH) {
			printf("\n%s", margin);
			column = strlen(margin);
		} else if (!first) {
			putchar(' ');
			column++;
		}
		first = false;
		for (size_t i = 0; i < n; i++)
			put_char(text[i]);
		column += n;
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

static int write_error; /* the first of standard output; 0: not known */

void out_flush(void)
{
	if (fflush(stdout) && !write_error)
		write_error = errno;
}

void out_line(const char *text)
{
	if (puts(text) < 0 && !write_error)
		write_error = errno;
}

json_object *json_new(const struct ctl *ctl)
{
	json_object *o = json_object_new_object();
	char schema[64];

	(void)snprintf(schema, sizeof(schema), "gmemctl.%s/1",
		       ctl->command ? ctl->command : "gmemctl");
	json_object_object_add(o, "schema", json_object_new_string(schema));
	return o;
}

void out_json(struct ctl *ctl, json_object *result)
{
	const char *text;

	/* Without memory parts of it are missing, and errno alone tells. */
	errno = 0;
	text = json_object_to_json_string_ext(
		result, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
				JSON_C_TO_STRING_NOSLASHESCAPE);
	json_done(!text || errno == ENOMEM);
	out_line(text);
	json_object_put(result);
	ctl->replied = true;
}

json_object *nodes_json(const uint64_t *bytes)
{
	json_object *list = json_object_new_array(), *o;

	for (unsigned int n = 0; n < NODES; n++) {
		if (!bytes[n])
			continue;
		o = json_object_new_object();
		json_u64(o, "node", n);
		json_u64(o, "bytes", bytes[n]);
		json_object_array_add(list, o);
	}
	return list;
}

static void out_problem(struct ctl *ctl, json_object *problem)
{
	json_object *o;

	if (ctl->replied || !ctl->json) {
		json_object_put(problem);
		return;
	}
	o = json_new(ctl);
	json_object_object_add(o, "error", problem);
	out_json(ctl, o);
}

static void prefix(const struct ctl *ctl)
{
	char name[CMD_NAME_TEXT];

	/* Where both go to one file, in the order in which it was said. */
	out_flush();
	fprintf(stderr, "gmemctl: %s%s", ctl_name(ctl, name),
		ctl->command ? ": " : "");
}

void message(const struct ctl *ctl, const char *fmt, ...)
{
	char text[MESSAGE_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	prefix(ctl);
	put_plain(stderr, text);
	fputc('\n', stderr);
}

/* env(1)'s rule where gmemctl stands in for the program it runs. */
static int status_of(const struct ctl *ctl, int status)
{
	return ctl->wraps ? CTL_RUN : status;
}

int usage_error(struct ctl *ctl, const char *fmt, ...)
{
	char text[512], name[CMD_NAME_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	message(ctl, "%s", text);
	ctl_name(ctl, name);
	fprintf(stderr, "Try 'gmemctl %s%s--help' for more information.\n",
		name, *name ? " " : "");
	out_problem(ctl, json_problem("EINVAL", "usage", text,
				      "see the --help of the command"));
	return status_of(ctl, CTL_USAGE);
}

static int failed(struct ctl *ctl, int errnum, const char *remedy,
		  const char *text)
{
	bool access = errnum == EACCES || errnum == EPERM;

	message(ctl, "%s%s%s", text, *remedy ? "; " : "", remedy);
	out_problem(ctl,
		    json_problem(errno_name(errnum), "system", text, remedy));
	return status_of(ctl, access ? CTL_ACCESS : CTL_FAILED);
}

int system_error(struct ctl *ctl, int errnum, const char *fmt, ...)
{
	char text[512], said[640];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(said, sizeof(said), "%s: %s", text, strerror(errnum));
	return failed(ctl, errnum, errno_remedy(errnum), said);
}

int refused_by(struct ctl *ctl, int errnum, const char *remedy, const char *fmt,
	       ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return failed(ctl, errnum, remedy, text);
}

int exit_of(const struct gmem_error *err)
{
	if (err->reason == GMEM_REASON_DEVICE_ACCESS ||
	    err->reason == GMEM_REASON_ACCESS_DENIED)
		return CTL_ACCESS;
	if (err->reason == GMEM_REASON_NO_DEVICE || err->code == -EOPNOTSUPP)
		return CTL_UNSUPPORTED;
	return CTL_FAILED;
}

int gmem_failed(struct ctl *ctl, const struct gmem_error *err,
		const char *remedy)
{
	struct gmem_error e = *err;
	char text[1024];

	if (remedy)
		e.remedy = remedy;
	error_text(&e, text, sizeof(text));
	message(ctl, "%s", text);
	out_problem(ctl, json_error(&e));
	return status_of(ctl, exit_of(&e));
}

static void (*sigpipe)(int); /* as gmemctl found it */

void out_begin(void)
{
	sigpipe = signal(SIGPIPE, SIG_IGN);
}

void out_give_back(void)
{
	signal(SIGPIPE, sigpipe);
}

int out_finish(struct ctl *ctl, int status)
{
	bool failed;

	out_flush();
	failed = ferror(stdout);
	/* stdio kept no errno, but what failed fails again. */
	if (failed && !write_error && write(STDOUT_FILENO, "\n", 1) < 0)
		write_error = errno;
	if (fclose(stdout) && !failed) {
		failed = true;
		write_error = errno;
	}
	if (!failed)
		return status;
	/* A reader that has seen enough, such as head(1), knows. */
	if (write_error != EPIPE)
		message(ctl, "standard output: %s",
			write_error ? strerror(write_error) : "write error");
	return status_of(ctl, CTL_FAILED);
}
