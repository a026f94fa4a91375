/* SPDX-License-Identifier: MIT */
/* Whether a caller's range is one of the file's. */
#ifndef GMEM_LIB_RANGE_H
#define GMEM_LIB_RANGE_H

#include <stdint.h>

#include <gmem.h>

/* [@offset, @offset + @len) is page aligned, not empty, inside the file. */
int gmem__range_check(const struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem_error *err);
/* The same in the file's own pages, which may be huge. */
int gmem__file_range_check(const struct gmem *g, uint64_t offset, uint64_t len,
			   struct gmem_error *err);
/* Of bytes: no alignment, @len may be 0. */
int gmem__byte_range_check(const struct gmem *g, uint64_t offset, uint64_t len,
			   struct gmem_error *err);

#endif
