// SPDX-License-Identifier: MIT
/*
 * Giving memory back.  Only a hole punched in the file frees it:
 * MADV_DONTNEED on a mapping returns 0, drops page table entries and leaves
 * the data.
 */
#include <errno.h>
#include <fcntl.h>

#include "internal.h"

int gmem_discard(struct gmem *g, uint64_t offset, uint64_t len,
		 struct gmem_error *err)
{
	uint64_t done = 0, n;
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	r = gmem__file_range_check(g, offset, len, err);
	if (r < 0)
		return r;
	while (done < len) {
		n = len - done < GMEM__STEP ? len - done : GMEM__STEP;
		r = gmem__fallocate(g->ctx, g->fd,
				    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				    offset + done, n);
		if (r == -EINTR)
			continue;
		if (r < 0)
			break;
		done += n;
	}
	gmem__set_done(err, done);
	return r < 0 ? gmem__fail_call(err, r, "fallocate(PUNCH_HOLE)") : 0;
}
