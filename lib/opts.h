/* SPDX-License-Identifier: MIT */
/* Options and results that may be older or newer than this library. */
#ifndef GMEM_LIB_OPTS_H
#define GMEM_LIB_OPTS_H

#include <stddef.h>
#include <stdint.h>

#include <gmem.h>

/* A struct with a larger .sz was never initialised: .sz holds garbage. */
#define GMEM__STRUCT_MAX 4096

/*
 * @opts of @sz bytes by its caller's word: 0, or -EINVAL when .sz is below
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
int gmem__aligned(const char *what, uint64_t value, uint64_t unit,
		  struct gmem_error *err);

#endif
