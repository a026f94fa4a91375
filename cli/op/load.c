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
static int check_room(uint64_t len, int fd, const uint64_t *from,
		      struct gmem_error *err)
{
	off_t at = from ? (off_t)*from : lseek(fd, 0, SEEK_CUR);
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

/* Whether @fd has a byte more than the @len from *@from on. */
static bool has_more(int fd, const uint64_t *from, uint64_t len)
{
	char more;

	if (from)
		return pread(fd, &more, 1, (off_t)(*from + len)) > 0;
	return read(fd, &more, 1) > 0;
}

/* All of the input, as far as it can be seen: the library takes what fits. */
static int load_all(const struct target *t, int fd, const uint64_t *from,
		    const struct gmem_load_opts *how, struct gmem_error *err)
{
	uint64_t size = gmem_size(t->g);
	/* A range that is wrong is for the library to refuse. */
	bool right = t->offset < size && t->len <= size - t->offset;
	char text[SIZE_TEXT];
	int r = right ? check_room(t->len, fd, from, err) : 0;

	if (!r)
		r = gmem_load(t->g, t->offset, fd, t->len, how, err);
	if (r < 0 || err->done < t->len || !has_more(fd, from, t->len))
		return r;
	r = refuse(err, -EINVAL, GMEM_REASON_OUTSIDE_FILE,
		   "the input is longer than the %s of the range",
		   size_text(t->len, text));
	err->done = t->len;
	return r;
}

int op_load(struct work *w, int fd, const uint64_t *from, bool all)
{
	const struct target *t = &w->target;
	struct progress bar;
	uint64_t limits = 0;
	const struct gmem_load_opts how = {
		.sz = sizeof(how),
		.flags = (all ? GMEM_LOAD_UNTIL_EOF : 0) |
			 (from ? GMEM_LOAD_INPUT_OFFSET : 0) |
			 (w->unchecked ? GMEM_LOAD_UNCHECKED : 0),
		.progress = progress_show,
		.progress_arg = &bar,
		.cancel = w->cancel,
		.input_offset = from ? *from : 0,
		.unchecked = &limits,
	};
	int r;

	progress_start(&bar, "load");
	if (all)
		r = load_all(t, fd, from, &how, w->err);
	else
		r = gmem_load(t->g, t->offset, fd, t->len, &how, w->err);
	progress_end(&bar);
	limits_json(w, limits);
	return work_end(w, r);
}
