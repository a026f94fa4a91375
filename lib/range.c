// SPDX-License-Identifier: MIT
#include <inttypes.h>

#include "error.h"
#include "file.h"
#include "opts.h"
#include "range.h"

int gmem__range_check(const struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem_error *err)
{
	int r;

	if (len == 0)
		return gmem__fail(err, GMEM_REASON_ZERO_SIZE, 0, 0,
				  "the length is 0");
	r = gmem__aligned("offset", offset, g->ctx->page_size, err);
	if (r < 0)
		return r;
	r = gmem__aligned("length", len, g->ctx->page_size, err);
	if (r < 0)
		return r;
	if (offset + len < offset || offset + len > INT64_MAX)
		return gmem__fail(err, GMEM_REASON_OFFSET_OVERFLOW, offset,
				  INT64_MAX,
				  "offset 0x%" PRIx64 " + 0x%" PRIx64
				  " overflows 63 bits",
				  offset, len);
	if (offset + len > g->size)
		return gmem__fail(err, GMEM_REASON_OUTSIDE_FILE, offset + len,
				  g->size,
				  "0x%" PRIx64 " + 0x%" PRIx64
				  " ends beyond the file's 0x%" PRIx64 " bytes",
				  offset, len, g->size);
	return 0;
}

int gmem__file_range_check(const struct gmem *g, uint64_t offset, uint64_t len,
			   struct gmem_error *err)
{
	int r = gmem__range_check(g, offset, len, err);

	if (r < 0)
		return r;
	r = gmem__aligned("offset", offset, g->page_size, err);
	return r < 0 ? r : gmem__aligned("length", len, g->page_size, err);
}

int gmem__byte_range_check(const struct gmem *g, uint64_t offset, uint64_t len,
			   struct gmem_error *err)
{
	if (offset + len < offset)
		return gmem__fail(err, GMEM_REASON_OFFSET_OVERFLOW, offset, len,
				  "offset 0x%" PRIx64 " + 0x%" PRIx64 " wraps",
				  offset, len);
	if (offset + len > g->size)
		return gmem__fail(err, GMEM_REASON_OUTSIDE_FILE, offset + len,
				  g->size,
				  "0x%" PRIx64 " + 0x%" PRIx64
				  " ends beyond the file's 0x%" PRIx64 " bytes",
				  offset, len, g->size);
	return 0;
}
