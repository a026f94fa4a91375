// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/error.h"
#include "report/words.h"
#include "target/load.h"

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

int load_all(struct gmem *g, uint64_t offset, uint64_t len, int fd,
	     const struct gmem_load_opts *opts, struct gmem_error *err)
{
	uint64_t size = gmem_size(g);
	/* A range that is wrong is for the library to refuse. */
	bool all = opts->flags & GMEM_LOAD_UNTIL_EOF && offset < size &&
		   len <= size - offset;
	char text[SIZE_TEXT], more;
	int r = all ? check_room(len, fd, err) : 0;

	if (!r)
		r = gmem_load(g, offset, fd, len, opts, err);
	if (r < 0 || !all || err->done < len || read(fd, &more, 1) <= 0)
		return r;
	r = refuse(err, -EINVAL, GMEM_REASON_OUTSIDE_FILE,
		   "the input is longer than the %s of the range",
		   size_text(len, text));
	err->done = len;
	return r;
}
