/* SPDX-License-Identifier: MIT */
/*
 * The rules of a range of bytes, for the library and the model.  Each check
 * returns 0, or -EINVAL with the rule in @err.
 */
#ifndef GMEM_LIB_RANGE_H
#define GMEM_LIB_RANGE_H

#include <gmem.h>

/* @what, such as "offset", is a multiple of @unit. */
int gmem__aligned(const char *what, uint64_t value, uint64_t unit,
		  struct gmem_error *err);
/* A length is not 0 and a multiple of @unit. */
int gmem__length_check(uint64_t len, uint64_t unit, struct gmem_error *err);
/* [@offset, @offset + @len) ends within @size bytes; @len may be 0. */
int gmem__inside(uint64_t offset, uint64_t len, uint64_t size,
		 struct gmem_error *err);
/* All of these: whole units, not empty, within @size bytes. */
int gmem__units_inside(uint64_t offset, uint64_t len, uint64_t unit,
		       uint64_t size, struct gmem_error *err);

#endif
