// SPDX-License-Identifier: MIT
/* What gmemctl says: messages, JSON, exit statuses. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

/* The errnos that KVM, files and processes give; libc has no portable list. */
static const struct {
	int number;
	const char *name;
} errnos[] = {
	{ E2BIG, "E2BIG" },	      { EACCES, "EACCES" },
	{ EAGAIN, "EAGAIN" },	      { EBADF, "EBADF" },
	{ EBUSY, "EBUSY" },	      { ECANCELED, "ECANCELED" },
	{ EDEADLK, "EDEADLK" },	      { EEXIST, "EEXIST" },
	{ EFAULT, "EFAULT" },	      { EINTR, "EINTR" },
	{ EINVAL, "EINVAL" },	      { EIO, "EIO" },
	{ EISDIR, "EISDIR" },	      { ELOOP, "ELOOP" },
	{ EMFILE, "EMFILE" },	      { ENAMETOOLONG, "ENAMETOOLONG" },
	{ ENFILE, "ENFILE" },	      { ENODATA, "ENODATA" },
	{ ENODEV, "ENODEV" },	      { ENOENT, "ENOENT" },
	{ ENOMEM, "ENOMEM" },	      { ENOSPC, "ENOSPC" },
	{ ENOSYS, "ENOSYS" },	      { ENOTDIR, "ENOTDIR" },
	{ ENOTTY, "ENOTTY" },	      { ENXIO, "ENXIO" },
	{ EOPNOTSUPP, "EOPNOTSUPP" }, { EPERM, "EPERM" },
	{ EPIPE, "EPIPE" },	      { ERANGE, "ERANGE" },
	{ ESRCH, "ESRCH" },
};

const char *errno_name(int errnum)
{
	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++)
		if (errnos[i].number == errnum)
			return errnos[i].name;
	return "EOTHER";
}

const char *ctl_name(const struct ctl *ctl, char buf[CMD_NAME_TEXT])
{
	(void)snprintf(buf, CMD_NAME_TEXT, "%s%s%s",
		       ctl->cmd ? ctl->cmd->name : "", ctl->sub ? " " : "",
		       ctl->sub ? ctl->sub->name : "");
	return buf;
}

bool out_colour(void)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(none && *none) && term &&
	       strcmp(term, "dumb");
}

/* --------------------------------------------------------------- JSON -- */

void json_done(int failed)
{
	if (!failed)
		return;
	(void)fputs("gmemctl: out of memory\n", stderr);
	exit(CTL_FAILED);
}

void *json_made(const void *value)
{
	json_done(!value);
	return (void *)(uintptr_t)value;
}

void json_u64(json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

void json_text(json_object *to, const char *key, const char *text,
	       const char *why)
{
	if (text)
		json_object_object_add(to, key, json_object_new_string(text));
	else
		json_null(to, key, why);
}

void json_null(json_object *to, const char *key, const char *why)
{
	char reason[40];

	json_object_object_add(to, key, NULL);
	(void)snprintf(reason, sizeof(reason), "%s_reason", key);
	json_object_object_add(to, reason, json_object_new_string(why));
}

json_object *json_problem(const char *code, const char *reason,
			  const char *text, const char *remedy)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "code", json_object_new_string(code));
	json_object_object_add(o, "reason", json_object_new_string(reason));
	json_object_object_add(o, "message", json_object_new_string(text));
	json_object_object_add(o, "remedy", json_object_new_string(remedy));
	return o;
}

json_object *json_error(const struct gmem_error *err)
{
	json_object *o = json_problem(errno_name(-err->code),
				      gmem_reason_str(err->reason), err->msg,
				      err->remedy);

	json_object_object_add(
		o, "diagnosed",
		json_object_new_boolean(!!(err->flags & GMEM_ERROR_DIAGNOSED)));
	return o;
}

json_object *json_new(const struct ctl *ctl)
{
	json_object *o = json_object_new_object();
	char schema[64];

	(void)snprintf(schema, sizeof(schema), "gmemctl.%s/1",
		       ctl->cmd ? ctl->cmd->name : "gmemctl");
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
	puts(text);
	json_object_put(result);
	ctl->replied = true;
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

/* ----------------------------------------------------------- messages -- */

static void prefix(const struct ctl *ctl)
{
	char name[CMD_NAME_TEXT];

	/* Where both go to one file, in the order in which it was said. */
	(void)fflush(stdout);
	fprintf(stderr, "gmemctl: %s%s", ctl_name(ctl, name),
		ctl->cmd ? ": " : "");
}

void message(const struct ctl *ctl, const char *fmt, ...)
{
	va_list ap;

	prefix(ctl);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* env(1)'s rule where gmemctl stands in for the program it runs. */
static int status_of(const struct ctl *ctl, int status)
{
	const struct cmd *leaf = ctl_leaf(ctl);

	return leaf && leaf->flags & CMD_WRAPS ? CTL_RUN : status;
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

int system_error(struct ctl *ctl, int errnum, const char *fmt, ...)
{
	bool access = errnum == EACCES || errnum == EPERM;
	char text[512], said[640];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(said, sizeof(said), "%s: %s", text, strerror(errnum));
	message(ctl, "%s", said);
	out_problem(ctl, json_problem(errno_name(errnum), "system", said, ""));
	return status_of(ctl, access ? CTL_ACCESS : CTL_FAILED);
}

int refuse(struct gmem_error *err, int code, uint32_t reason, const char *fmt,
	   ...)
{
	va_list ap;

	*err = (struct gmem_error){ .sz = sizeof(*err), .code = code };
	err->reason = reason;
	err->remedy = gmem_reason_remedy(reason);
	va_start(ap, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return code;
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
	(void)gmem_strerror(&e, text, sizeof(text));
	message(ctl, "%s", text);
	out_problem(ctl, json_error(&e));
	return status_of(ctl, exit_of(&e));
}

int out_finish(struct ctl *ctl, int status)
{
	bool failed = ferror(stdout);
	const char *why = "write error"; /* whose errno is long gone */

	if (fflush(stdout) || (fclose(stdout) && !failed)) {
		failed = true;
		why = strerror(errno);
	}
	if (!failed)
		return status;
	message(ctl, "standard output: %s", why);
	return status ? status : status_of(ctl, CTL_FAILED);
}
