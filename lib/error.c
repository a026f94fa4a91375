// SPDX-License-Identifier: MIT
/* Filling struct gmem_error; the words for each reason are in reason.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cancel.h"
#include "error.h"
#include "name.h"
#include "opts.h"

/* The size of the first release, which is always accepted. */
#define ERROR_V0 312

_Static_assert(sizeof(struct gmem_error) == ERROR_V0, "ABI");
_Static_assert(offsetof(struct gmem_error, msg) == 56, "ABI");

static bool sized(const struct gmem_error *err)
{
	return err->sz >= ERROR_V0 && err->sz <= GMEM__STRUCT_MAX;
}

int gmem__begin(struct gmem_error *err)
{
	if (!err)
		return 0;
	if (!sized(err))
		return -EINVAL; /* no room to say so */
	/* Each call comes here: of the message its end is enough. */
	memset((char *)err + sizeof(err->sz), 0,
	       offsetof(struct gmem_error, msg) - sizeof(err->sz));
	err->msg[0] = '\0';
	err->remedy = "";
	if (err->sz > sizeof(*err))
		memset((char *)err + sizeof(*err), 0, err->sz - sizeof(*err));
	return 0;
}

__attribute__((format(printf, 7, 0))) static int
fill(struct gmem_error *err, enum gmem_reason reason, int code, int sys,
     uint64_t value, uint64_t limit, const char *fmt, va_list ap)
{
	if (!err)
		return code;
	err->code = code;
	err->reason = reason;
	err->sys_errno = -sys;
	err->value = value;
	err->limit = limit;
	err->remedy = gmem_reason_remedy(reason);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	return code;
}

int gmem__fail(struct gmem_error *err, enum gmem_reason reason, uint64_t value,
	       uint64_t limit, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fill(err, reason, gmem__reason_code(reason), 0, value, limit, fmt,
		 ap);
	va_end(ap);
	return r;
}

int gmem__fail_sys(struct gmem_error *err, enum gmem_reason reason, int code,
		   int sys, uint64_t value, uint64_t limit, const char *fmt,
		   ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fill(err, reason, code ? code : sys, sys, value, limit, fmt, ap);
	va_end(ap);
	return r;
}

int gmem__diagnosed(struct gmem_error *err, int code)
{
	if (err)
		err->flags |= GMEM_ERROR_DIAGNOSED;
	return code;
}

/* Behind the first failure, which stays the one that is reported. */
__attribute__((format(printf, 2, 3))) static void
stuck_too(struct gmem_error *err, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (!err)
		return;
	err->flags |= GMEM_ERROR_STUCK;
	n = strlen(err->msg);
	va_start(ap, fmt);
	(void)vsnprintf(err->msg + n, sizeof(err->msg) - n, fmt, ap);
	va_end(ap);
}

void gmem__stuck_too(struct gmem_error *err, uint32_t slot, int sys)
{
	stuck_too(err, ", and slot %u could not be deleted again, %s", slot,
		  gmem__errno_name(sys));
}

void gmem__unmade_too(struct gmem_error *err, uint32_t slot, int sys)
{
	stuck_too(err, ", and slot %u could not be made again, %s", slot,
		  gmem__errno_name(sys));
}

void gmem__owed_too(struct gmem_error *err, uint64_t addr, int sys)
{
	stuck_too(err, ", and 0x%" PRIx64 " could not be reserved again, %s",
		  addr, gmem__errno_name(sys));
}

void gmem__set_done(struct gmem_error *err, uint64_t done)
{
	if (err)
		err->done = done;
}

int gmem__fail_call(struct gmem_error *err, int sys, const char *what)
{
	enum gmem_reason reason;

	switch (sys) {
	case -EMFILE:
	case -ENFILE:
		reason = GMEM_REASON_FD_LIMIT;
		break;
	case -ENOMEM:
		reason = GMEM_REASON_NO_MEMORY;
		break;
	case -EACCES:
	case -EPERM:
		reason = GMEM_REASON_ACCESS_DENIED;
		break;
	case -EBADF:
		reason = GMEM_REASON_BAD_FD;
		break;
	case -EIO:
		/* The cookie says it is our process, so it is the VM. */
		reason = GMEM_REASON_VM_DEAD;
		break;
	default:
		reason = GMEM_REASON_KERNEL;
		break;
	}
	return gmem__diagnosed(
		err, gmem__fail_sys(err, reason, 0, sys, (uint64_t)-sys, 0,
				    "%s failed with errno %d (%s)", what, -sys,
				    gmem__errno_name(sys)));
}

int gmem__fail_cancelled(uint64_t done, struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_CANCELLED, done, 0,
			  "cancelled after %" PRIu64 " bytes", done);
}

int gmem__fail_map(struct gmem_error *err, int sys, uint64_t len,
		   const char *what)
{
	if (sys != -EAGAIN)
		return gmem__fail_call(err, sys, what);
	return gmem__fail_sys(err, GMEM_REASON_LOCK_LIMIT, -ENOMEM, sys, len, 0,
			      "%s: 0x%" PRIx64 " bytes are more than "
			      "RLIMIT_MEMLOCK leaves, and mlockall(MCL_FUTURE) "
			      "counts them",
			      what, len);
}

int gmem_strerror(const struct gmem_error *err, char *buf, size_t len)
{
	if (!err || !sized(err))
		return snprintf(buf, len, "no error information");
	if (err->code >= 0)
		return snprintf(buf, len, "success");
	return snprintf(buf, len, "%s [%s]%s%s", err->msg,
			gmem_reason_str(err->reason), *err->remedy ? "; " : "",
			err->remedy);
}

const char *gmem_version(void)
{
	return GMEM_VERSION;
}
