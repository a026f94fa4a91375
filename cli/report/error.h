/* SPDX-License-Identifier: MIT */
/* What the library reports, and refusals of gmemctl's own in its form. */
#ifndef GMEMCTL_REPORT_ERROR_H
#define GMEMCTL_REPORT_ERROR_H

#include <stdint.h>

#include <gmem.h>

/* "EINVAL" */
const char *errno_name(int errnum);

/* Fills @err as the library would, for a rule of its own.  Return: @code. */
__attribute__((format(printf, 4, 5))) int
refuse(struct gmem_error *err, int code, uint32_t reason, const char *fmt, ...);

#endif
