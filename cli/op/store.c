// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "op/op.h"
#include "report/error.h"
#include "report/progress.h"

int output_open(struct output *o, const char *path)
{
	const int how = O_WRONLY | O_CLOEXEC;

	*o = (struct output){ .path = path };
	/* RLIMIT_FSIZE is an error, of which it is said how far it came. */
	(void)signal(SIGXFSZ, SIG_IGN);
	/* What a guest has in its memory is for the owner alone. */
	o->fd = open(path, how | O_CREAT | O_EXCL, 0600);
	o->created = o->fd >= 0;
	if (o->fd < 0 && errno == EEXIST)
		o->fd = open(path, how);
	/* A link to what is not there yet. */
	if (o->fd < 0 && errno == ENOENT)
		o->fd = open(path, how | O_CREAT, 0600);
	return o->fd < 0 ? -errno : 0;
}

int output_close(struct output *o)
{
	int r = close(o->fd) < 0 ? -errno : 0;

	if (o->created && !o->used)
		(void)unlink(o->path);
	return r;
}

static int written(const struct output *o, int sys, struct gmem_error *err)
{
	return sys < 0 ? refuse(err, sys, GMEM_REASON_OUTPUT, "%s: %s", o->path,
				strerror(-sys))
		       : 0;
}

/* All that can be known before: the file is still what it was. */
static int check_range(const struct work *w)
{
	static const int now = 1;
	const struct gmem_store_opts how = {
		.sz = sizeof(how),
		.cancel = &now,
	};
	const struct target *t = &w->target;
	int r = gmem_store(t->g, t->offset, -1, t->len, &how, w->err);

	return r == -ECANCELED ? 0 : r;
}

/* A file that is written from its beginning ends where the range does. */
static int empty(struct output *o, const uint64_t *at, struct gmem_error *err)
{
	struct stat st;

	o->used = true;
	if (!o->path || at || fstat(o->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return written(o, ftruncate(o->fd, 0) < 0 ? -errno : 0, err);
}

int op_store(struct work *w, struct output *o, const uint64_t *at)
{
	const struct target *t = &w->target;
	struct progress bar;
	const struct gmem_store_opts how = {
		.sz = sizeof(how),
		.flags = at ? GMEM_STORE_OUTPUT_OFFSET : 0,
		.progress = progress_show,
		.progress_arg = &bar,
		.cancel = w->cancel,
		.output_offset = at ? *at : 0,
	};
	int r = check_range(w);

	if (!r && o)
		r = empty(o, at, w->err);
	if (r || !o)
		return r;
	progress_start(&bar, "store");
	r = gmem_store(t->g, t->offset, o->fd, t->len, &how, w->err);
	progress_end(&bar);
	/* Refused, or nothing of it fit: there is no file then either. */
	if (r < 0 && !w->err->done)
		o->used = false;
	/* Nothing else goes where the memory goes. */
	return o->path ? work_end(w, r) : r;
}
