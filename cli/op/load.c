// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "op/op.h"
#include "report/error.h"
#include "report/progress.h"
#include "report/words.h"

/* Input that is known to be too long before it is read. */
static int check_room(uint64_t len, int fd, struct gmem_error *err)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	char have[SIZE_TEXT], room[SIZE_TEXT];
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || at < 0 ||
	    st.st_size <= at || (uint64_t)(st.st_size - at) <= len)
		return 0;
	return refuse(err, -EINVAL, GMEM_REASON_OUTSIDE_FILE,
		      "the input has %s, and the range only %s",
		      size_text((uint64_t)(st.st_size - at), have),
		      size_text(len, room));
}

/* All of the input, as far as it can be seen: the library takes what fits. */
static int load_all(const struct target *t, int fd,
		    const struct gmem_load_opts *how, struct gmem_error *err)
{
	uint64_t size = gmem_size(t->g);
	/* A range that is wrong is for the library to refuse. */
	bool right = t->offset < size && t->len <= size - t->offset;
	char text[SIZE_TEXT], more;
	int r = right ? check_room(t->len, fd, err) : 0;

	if (!r)
		r = gmem_load(t->g, t->offset, fd, t->len, how, err);
	if (r < 0 || err->done < t->len || read(fd, &more, 1) <= 0)
		return r;
	r = refuse(err, -EINVAL, GMEM_REASON_OUTSIDE_FILE,
		   "the input is longer than the %s of the range",
		   size_text(t->len, text));
	err->done = t->len;
	return r;
}

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
	if (all)
		r = load_all(t, fd, &how, w->err);
	else
		r = gmem_load(t->g, t->offset, fd, t->len, &how, w->err);
	progress_end(&bar);
	return work_end(w, r);
}
