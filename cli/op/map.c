// SPDX-License-Identifier: MIT
#include "op/op.h"
#include "report/json.h"
#include "op/picture.h"
#include "report/residency.h"

static int map_json(const struct work *w, const struct picture *p)
{
	json_object *runs = json_object_new_array();

	json_u64(w->json, "size", gmem_size(p->g));
	json_u64(w->json, "page_size", gmem_page_size(p->g));
	json_text(w->json, "state", p->state,
		  p->recorded ? "each run has one"
			      : "a descriptor does not tell; say --shared if "
				"it is");
	json_object_object_add(w->json, "runs", runs);
	return picture_runs(p, runs, w->err);
}

int op_map(struct work *w, const char *state, bool nodes, uint32_t width)
{
	const struct target *t = &w->target;
	struct picture p = {
		.g = t->g,
		.offset = t->offset,
		.len = t->len,
		.recorded = w->own,
		.state = state,
		.nodes = nodes,
		.width = width,
	};
	struct gmem_region_info info = { .sz = sizeof(info) };
	struct residency in;
	/* The range, before a picture of it is begun. */
	int r = residency(t->g, t->region, t->offset, t->len, &in, w->err);

	if (r >= 0 && t->region)
		r = gmem_region_get(t->region, &info, w->err);
	if (r < 0)
		return r;
	p.dual = info.shared ? t->region : NULL;
	return w->json ? map_json(w, &p) : picture_print(&p, w->err);
}
