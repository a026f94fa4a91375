// SPDX-License-Identifier: MIT
#include "op/op.h"
#include "report/progress.h"

int op_discard(struct work *w)
{
	const struct target *t = &w->target;
	struct progress bar;
	const struct gmem_discard_opts how = {
		.sz = sizeof(how),
		.progress = progress_show,
		.progress_arg = &bar,
		.cancel = w->cancel,
	};
	int r;

	progress_start(&bar, "discard");
	r = t->region ? gmem_region_discard(t->region, t->offset, t->len, &how,
					    w->err)
		      : gmem_discard(t->g, t->offset, t->len, &how, w->err);
	progress_end(&bar);
	return work_end(w, r);
}
