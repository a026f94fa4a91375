/* SPDX-License-Identifier: MIT */
/* Options and results that may be older or newer than this library. */
#ifndef GMEM_LIB_OPTS_H
#define GMEM_LIB_OPTS_H

#include <stddef.h>
#include <stdint.h>

#include <gmem.h>

/* A struct with a larger .sz was never initialised: .sz holds garbage. */
#define GMEM__STRUCT_MAX 4096

/* What each struct of options has, by which a call takes them. */
struct gmem__opts_type {
	const char *name, *flags_name;
	size_t min; /* bytes of the first release's */
	size_t known;
	size_t flags_at, flags_size;
	uint64_t flags; /* that are known */
};

/* clang-format off */
#define GMEM__OPTS_TYPE(type, v0, known_flags)                    \
	{                                                         \
		.name = #type,                                    \
		.flags_name = #type ".flags",                     \
		.min = (v0),                                      \
		.known = sizeof(struct type),                     \
		.flags_at = offsetof(struct type, flags),         \
		.flags_size = sizeof(((struct type *)0)->flags),  \
		.flags = (known_flags),                           \
	}
/* clang-format on */

/*
 * Into @o, all of it, what the caller wishes: zeroes if @opts is NULL.  Refused
 * are sizes and flags that this library does not know.
 */
int gmem__opts_take(const struct gmem__opts_type *type, const void *opts,
		    void *o, struct gmem_error *err);

/*
 * @opts, whose caller says that it has @sz bytes: 0, or -EINVAL when .sz is
 * below
 * @min, -E2BIG when bytes beyond the @known are not zero.
 */
int gmem__opts_check(const void *opts, size_t min, size_t known,
		     const char *name, struct gmem_error *err);
int gmem__flags_check(uint64_t flags, uint64_t known, const char *name,
		      struct gmem_error *err);
int gmem__reserved(uint64_t value, const char *name, struct gmem_error *err);
/* Copies min(opts->sz, known) bytes over zeroes: the caller's wishes. */
void gmem__opts_copy(void *to, size_t known, const void *opts);
/* A struct that the library fills: min(.sz, known) bytes, the rest zero. */
int gmem__out_check(const void *out, size_t min, const char *name,
		    struct gmem_error *err);
void gmem__out_copy(void *out, const void *from, size_t known);

#endif
