// SPDX-License-Identifier: MIT
#include "op/op.h"
#include "report/progress.h"
#include "target/load.h"

int op_load(struct work *w, int fd, bool all)
{
	const struct target *t = &w->target;
	struct progress bar;
	const struct gmem_load_opts how = {
		.sz = sizeof(how),
		.flags = all ? GMEM_LOAD_UNTIL_EOF : 0,
		.progress = progress_show,
		.progress_arg = &bar,
		.cancel = w->cancel,
	};
	int r;

	progress_start(&bar, "load");
	r = load_all(t->g, t->offset, t->len, fd, &how, w->err);
	progress_end(&bar);
	return work_end(w, r);
}
