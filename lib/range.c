// SPDX-License-Identifier: MIT
/* The rules of a range of bytes.  Pure code. */
#include <inttypes.h>

#include "error.h"
#include "range.h"

int gmem__aligned(const char *what, uint64_t value, uint64_t unit,
		  struct gmem_error *err)
{
	if (value % unit == 0)
		return 0;
	return gmem__fail(err, GMEM_REASON_UNALIGNED, value, unit,
			  "%s 0x%" PRIx64 " is not a multiple of 0x%" PRIx64,
			  what, value, unit);
}

static int not_empty(uint64_t len, struct gmem_error *err)
{
	if (len)
		return 0;
	return gmem__fail(err, GMEM_REASON_ZERO_SIZE, 0, 0, "the length is 0");
}

int gmem__length_check(uint64_t len, uint64_t unit, struct gmem_error *err)
{
	int r = not_empty(len, err);

	return r < 0 ? r : gmem__aligned("length", len, unit, err);
}

int gmem__inside(uint64_t offset, uint64_t len, uint64_t size,
		 struct gmem_error *err)
{
	if (offset + len < offset || offset + len > INT64_MAX)
		return gmem__fail(err, GMEM_REASON_OFFSET_OVERFLOW, offset,
				  INT64_MAX,
				  "offset 0x%" PRIx64 " + 0x%" PRIx64
				  " overflows 63 bits",
				  offset, len);
	if (offset + len > size)
		return gmem__fail(err, GMEM_REASON_OUTSIDE_FILE, offset + len,
				  size,
				  "0x%" PRIx64 " + 0x%" PRIx64
				  " ends beyond the file's 0x%" PRIx64 " bytes",
				  offset, len, size);
	return 0;
}

int gmem__units_inside(uint64_t offset, uint64_t len, uint64_t unit,
		       uint64_t size, struct gmem_error *err)
{
	int r = not_empty(len, err);

	if (r == 0)
		r = gmem__aligned("offset", offset, unit, err);
	if (r == 0)
		r = gmem__aligned("length", len, unit, err);
	return r < 0 ? r : gmem__inside(offset, len, size, err);
}
