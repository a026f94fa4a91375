/* SPDX-License-Identifier: MIT */
/* What the library reports, by its names, and refusals in its form. */
#ifndef GMEMCTL_REPORT_ERROR_H
#define GMEMCTL_REPORT_ERROR_H

#include <stdint.h>

#include <gmem.h>

/* "EINVAL"; "EOTHER" for a number that Linux gives to no errno */
const char *errno_name(int errnum);

/* The names of those of @flags that have one, a blank before each. */
void print_names(uint32_t kind, uint64_t flags);

/* Fills @err as the library would, for a rule of its own.  Return: @code. */
__attribute__((format(printf, 4, 5))) int
refuse(struct gmem_error *err, int code, uint32_t reason, const char *fmt, ...);

#endif
