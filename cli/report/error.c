// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "report/error.h"
#include "table/array.h"

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
