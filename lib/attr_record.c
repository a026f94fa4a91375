// SPDX-License-Identifier: MIT
/* Exporting and importing a file's record: live update, snapshots. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "attr.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "opts.h"
#include "region.h"
#include "ticket.h"

int gmem_attributes_export(const struct gmem *g, void *buf, size_t *len,
			   struct gmem_error *err)
{
	uint64_t need;
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	if (!len)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "len is NULL");
	/* A writer may add runs between counting and writing. */
	for (;;) {
		need = gmem__wire_bytes(&g->record);
		if (!buf) {
			*len = need;
			return 0;
		}
		if (*len < need)
			return gmem__fail(err, GMEM_REASON_BUFFER_SIZE, *len,
					  need,
					  "the buffer has %zu bytes, and "
					  "the record needs %" PRIu64,
					  *len, need);
		need = gmem__wire_write(&g->record, buf, *len);
		if (need) {
			*len = need;
			return 0;
		}
	}
}

static int not_a_record(size_t len, struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_RECORD_FORMAT, len, 0,
			  "the %zu bytes are not an exported record", len);
}

static int check_wire(const struct gmem *g, const void *buf, size_t len,
		      struct gmem__wire_info *info, struct gmem_error *err)
{
	if (gmem__wire_check(buf, len, info) < 0)
		return not_a_record(len, err);
	if (info->size != g->size || info->page_size != g->ctx->page_size)
		return gmem__fail(
			err, GMEM_REASON_RECORD_MISMATCH, info->size, g->size,
			"the record is of 0x%" PRIx64
			" bytes in pages of 0x%" PRIx64
			", the file of 0x%" PRIx64 " in pages of 0x%" PRIx64,
			info->size, info->page_size, g->size,
			g->ctx->page_size);
	return 0;
}

/* Whether each run can be set, before any is. */
static int check_runs(struct gmem *g, const void *buf, uint64_t runs,
		      bool unbacked, struct gmem_error *err)
{
	uint64_t pos = 0, n;
	enum gmem__state s;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < runs; i++, pos += n) {
		gmem__wire_run(buf, i, &n, &s);
		if (s == GMEM__UNSET)
			continue;
		/* Huge pages are converted whole, as by gmem_set_attributes. */
		r = gmem__file_range_check(g, pos, n, err);
		if (r == 0)
			r = gmem__attr_check(g, pos, n, s, unbacked, err);
	}
	return r;
}

static int set_runs(struct gmem *g, const void *buf, uint64_t runs,
		    bool record_only, struct gmem_error *err)
{
	uint64_t pos = 0, n, done;
	enum gmem__state s;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < runs; i++, pos += done) {
		gmem__wire_run(buf, i, &n, &s);
		done = n;
		if (s == GMEM__UNSET)
			continue;
		if (record_only)
			gmem__attr_record(g, pos, n, s);
		else
			r = gmem__attr_convert(g, pos, n, s, NULL, &done, err);
	}
	gmem__set_done(err, pos);
	return r;
}

/* The record in @buf, which nobody but this call can change. */
static int import(struct gmem *g, const void *buf, size_t len, uint64_t flags,
		  struct gmem_error *err)
{
	struct gmem__wire_info info = { 0 };
	struct gmem__range range = { g, 0, g->size };
	struct gmem__ticket ticket;
	bool record_only = flags & GMEM_IMPORT_RECORD_ONLY;
	/* Attributes that the kernel has already need no shared side. */
	bool unbacked = record_only || (flags & GMEM_IMPORT_UNBACKED);
	int r = check_wire(g, buf, len, &info, err);

	if (r < 0 || (!record_only && (r = gmem__region_none(g, err)) < 0))
		return r;
	if (!g->record.blocks) {
		r = check_runs(g, buf, info.runs, unbacked, err);
		gmem__set_done(err, r < 0 ? 0 : g->size);
		return r;
	}
	r = gmem__ticket_take(g->vm, &ticket, &range, 1, false, NULL, err);
	if (r < 0)
		return r;
	r = check_runs(g, buf, info.runs, unbacked, err);
	if (r == 0)
		r = set_runs(g, buf, info.runs, record_only, err);
	gmem__ticket_return(g->vm, &ticket);
	return r;
}

int gmem_attributes_import(struct gmem *g, const void *buf, size_t len,
			   uint64_t flags, struct gmem_error *err)
{
	void *copy;
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	r = gmem__flags_check(flags,
			      GMEM_IMPORT_RECORD_ONLY | GMEM_IMPORT_UNBACKED,
			      "flags", err);
	if (r < 0)
		return r;
	if (!buf)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "buf is NULL");
	if (len > gmem__wire_most(&g->record))
		return not_a_record(len, err);
	/* Others may share the buffer, and change it after it was checked. */
	copy = gmem__alloc(g->ctx, len + 1);
	if (!copy)
		return gmem__fail_call(err, -ENOMEM, "copying the record");
	memcpy(copy, buf, len);
	r = import(g, copy, len, flags, err);
	gmem__free(g->ctx, copy);
	return r;
}
