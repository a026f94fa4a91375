// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>

#include "report/error.h"

const char *errno_name(int errnum)
{
	const char *name = gmem_name(GMEM_NAME_ERRNO, (uint64_t)errnum);

	return name ? name : "EOTHER";
}

void print_names(uint32_t kind, uint64_t flags)
{
	const char *name;
	uint64_t flag;

	for (uint32_t i = 0; (name = gmem_name_at(kind, i, &flag)); i++)
		if (flags & flag)
			printf(" %s", name);
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
