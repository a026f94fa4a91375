// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "report/json.h"
#include "report/residency.h"
#include "report/words.h"

static int both_sides(struct gmem_region *region, uint64_t offset, uint64_t len,
		      struct gmem_residency *in, struct gmem_error *err)
{
	struct gmem_region_residency both = { .sz = sizeof(both) };
	int r = gmem_region_resident(region, offset, len, &both, err);

	in->bytes = both.private_bytes + both.shared_bytes + both.unused_bytes;
	in->flags = both.flags;
	return r;
}

int residency(struct gmem *g, struct gmem_region *region, uint64_t offset,
	      uint64_t len, struct residency *out, struct gmem_error *err)
{
	struct gmem_residency in = { .sz = sizeof(in) };
	struct gmem_error mine = { .sz = sizeof(mine) };
	int r;

	err = err ? err : &mine;
	r = region ? both_sides(region, offset, len, &in, err)
		   : gmem_resident(g, offset, len, &in, err);
	*out = (struct residency){ .bytes = in.bytes };
	if (r < 0 && err->reason != GMEM_REASON_RESIDENCY_UNKNOWN)
		return r;
	if (r < 0) {
		out->bytes = 0;
		out->least = true;
		(void)snprintf(out->why, sizeof(out->why), "%s", err->msg);
		/* Nobody failed. */
		*err = (struct gmem_error){ .sz = sizeof(*err),
					    .done = err->done };
		return 0;
	}
	out->least = in.flags & GMEM_RESIDENT_LOWER_BOUND;
	return 0;
}

void residency_json(json_object *to, const struct residency *r)
{
	if (*r->why) {
		json_null(to, "resident", r->why);
		json_null(to, "lower_bound", r->why);
		return;
	}
	json_u64(to, "resident", r->bytes);
	json_boolean(to, "lower_bound", r->least);
}

const char *residency_text(const struct residency *r, char buf[RESIDENCY_TEXT])
{
	char size[SIZE_TEXT];

	if (*r->why)
		(void)snprintf(buf, RESIDENCY_TEXT, "not known: %s", r->why);
	else
		(void)snprintf(buf, RESIDENCY_TEXT, "%s%s",
			       size_text(r->bytes, size),
			       r->least ? " or more" : "");
	return buf;
}
