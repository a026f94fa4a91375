/* SPDX-License-Identifier: MIT */
/* What the library reports, by its names, and refusals in its form. */
#ifndef GMEMCTL_REPORT_ERROR_H
#define GMEMCTL_REPORT_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include <gmem.h>

/* "EINVAL"; "EOTHER" for a number that Linux gives to no errno */
const char *errno_name(int errnum);

/* The names of those of @flags that have one, a blank before each. */
void print_names(uint32_t kind, uint64_t flags);

/*
 * What to do next, in gmemctl's words: for a reason; and for @err, whose own
 * remedy counts if it is not the library's.
 */
const char *reason_remedy(uint32_t reason);
const char *error_remedy(const struct gmem_error *err);

/* What to do about what the system refused; "" for what the message says. */
const char *errno_remedy(int errnum);

/* What gmem_strerror(3) makes of it, with that remedy. */
void error_text(const struct gmem_error *err, char *buf, size_t size);

/* Fills @err as the library would, for a rule of its own.  Return: @code. */
__attribute__((format(printf, 4, 5))) int
refuse(struct gmem_error *err, int code, uint32_t reason, const char *fmt, ...);

#endif
