// SPDX-License-Identifier: MIT
/*
 * Options and results that may be older or newer than this library.  Pure
 * code.  Every such struct starts with size_t sz and has no holes, so that a
 * caller's padding can never look like a request.
 */
#include <inttypes.h>
#include <string.h>

#include "error.h"
#include "opts.h"

static size_t size_of(const void *opts)
{
	size_t sz;

	memcpy(&sz, opts, sizeof(sz));
	return sz;
}

static int size_check(size_t sz, size_t min, const char *name,
		      struct gmem_error *err)
{
	if (sz >= min && sz <= GMEM__STRUCT_MAX)
		return 0;
	return gmem__fail(err, GMEM_REASON_OPTS_SIZE, sz, min,
			  "%s.sz is %zu, and must be sizeof(struct %s), "
			  "at least %zu",
			  name, sz, name, min);
}

int gmem__opts_check(const void *opts, size_t min, size_t known,
		     const char *name, struct gmem_error *err)
{
	const unsigned char *p = opts;
	size_t sz;
	int r;

	if (!opts)
		return 0;
	sz = size_of(opts);
	r = size_check(sz, min, name, err);
	if (r < 0)
		return r;
	for (size_t i = known; i < sz; i++)
		if (p[i])
			return gmem__fail(err, GMEM_REASON_OPTS_NEWER, i, known,
					  "%s asks for something at byte %zu; "
					  "libgmem " GMEM_VERSION
					  " knows %zu bytes of it",
					  name, i, known);
	return 0;
}

void gmem__opts_copy(void *to, size_t known, const void *opts)
{
	size_t sz;

	memset(to, 0, known);
	if (!opts)
		return;
	sz = size_of(opts);
	memcpy(to, opts, sz < known ? sz : known);
}

int gmem__flags_check(uint64_t flags, uint64_t known, const char *name,
		      struct gmem_error *err)
{
	uint64_t unknown = flags & ~known;

	if (!unknown)
		return 0;
	return gmem__fail(err, GMEM_REASON_FLAG_UNKNOWN, unknown, known,
			  "%s has unknown bits 0x%" PRIx64
			  ", known are 0x%" PRIx64,
			  name, unknown, known);
}

static uint64_t flags_of(const struct gmem__opts_type *type, const void *o)
{
	const char *at = (const char *)o + type->flags_at;
	uint32_t narrow;
	uint64_t wide;

	memcpy(&narrow, at, sizeof(narrow));
	if (type->flags_size == sizeof(narrow))
		return narrow;
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

int gmem__opts_take(const struct gmem__opts_type *type, const void *opts,
		    void *o, struct gmem_error *err)
{
	int r = gmem__opts_check(opts, type->min, type->known, type->name, err);

	if (r < 0)
		return r;
	gmem__opts_copy(o, type->known, opts);
	return gmem__flags_check(flags_of(type, o), type->flags,
				 type->flags_name, err);
}

int gmem__reserved(uint64_t value, const char *name, struct gmem_error *err)
{
	if (value == 0)
		return 0;
	return gmem__fail(err, GMEM_REASON_FLAG_UNKNOWN, value, 0,
			  "%s.reserved is 0x%" PRIx64 ", and must be 0", name,
			  value);
}

int gmem__out_check(const void *out, size_t min, const char *name,
		    struct gmem_error *err)
{
	if (!out)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "%s is NULL", name);
	return size_check(size_of(out), min, name, err);
}

void gmem__out_copy(void *out, const void *from, size_t known)
{
	size_t sz = size_of(out), n = sz < known ? sz : known;

	memcpy((char *)out + sizeof(sz), (const char *)from + sizeof(sz),
	       n - sizeof(sz));
	memset((char *)out + n, 0, sz - n);
}
