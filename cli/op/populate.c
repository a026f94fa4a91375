// SPDX-License-Identifier: MIT
#include "op/op.h"
#include "report/progress.h"

int op_populate(struct work *w, uint32_t threads,
		const struct policy_args *policy)
{
	const struct target *t = &w->target;
	struct progress bar;
	uint64_t limits = 0;
	struct gmem_populate_opts how = {
		.sz = sizeof(how),
		.flags = w->unchecked ? GMEM_POPULATE_UNCHECKED : 0,
		.progress = progress_show,
		.progress_arg = &bar,
		.cancel = w->cancel,
		.threads = threads,
		.unchecked = &limits,
	};
	struct gmem_mempolicy p;
	struct bitmask *mask = NULL;
	int r = 0;

	if (policy->mode) {
		r = policy_make(w->ctl, policy, &p, &mask, w->err);
		how.policy = &p;
	}
	progress_start(&bar, "populate");
	if (!r)
		r = gmem_populate(t->g, t->offset, t->len, &how, w->err);
	progress_end(&bar);
	policy_free(mask);
	limits_json(w, limits);
	return work_end(w, r);
}
