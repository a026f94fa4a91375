// SPDX-License-Identifier: MIT
/*
 * An image into guest memory.  The kernel copies straight into the mapping,
 * so memory that turns private meanwhile is an error and not a signal.
 */
#include <errno.h>
#include <inttypes.h>

#include "internal.h"

#define LOAD_OPTS_V0 40
#define STEP (256ULL << 20)

_Static_assert(sizeof(struct gmem_load_opts) == LOAD_OPTS_V0, "ABI");

/* No alignment is asked of a copy, only room and a file that is shared. */
static int check_range(const struct gmem *g, uint64_t offset, uint64_t len,
		       struct gmem_error *err)
{
	uint64_t run, pos;
	int r = gmem__copy_check(g, offset, len, err);

	if (r < 0)
		return r;
	for (pos = offset; pos < offset + len; pos += run)
		if (gmem__host_state(g, pos, offset + len - pos, &run) !=
		    GMEM__SHARED)
			return gmem__fail_private(pos, err);
	return 0;
}

static int read_failed(int sys, int fd, uint64_t at, struct gmem_error *err)
{
	if (sys == -EBADF)
		return gmem__fail_sys(err, GMEM_REASON_BAD_FD, 0, sys,
				      (uint64_t)fd, 0, "fd %d can not be read",
				      fd);
	if (sys == -EFAULT)
		return gmem__fail_sys(err, GMEM_REASON_PRIVATE, -EACCES, sys,
				      at, 0,
				      "offset 0x%" PRIx64 " turned private "
				      "meanwhile",
				      at);
	return gmem__fail_sys(err, GMEM_REASON_INPUT, 0, sys, (uint64_t)fd, 0,
			      "reading fd %d failed with %s", fd,
			      gmem__errno_name(sys));
}

static int load(struct gmem *g, uint64_t offset, unsigned char *to, int fd,
		uint64_t len, const struct gmem_load_opts *o, uint64_t *done,
		struct gmem_error *err)
{
	int64_t n;

	for (*done = 0; *done < len; *done += (uint64_t)n) {
		if (o->cancel && __atomic_load_n(o->cancel, __ATOMIC_RELAXED))
			return gmem__fail(err, GMEM_REASON_CANCELLED, *done, 0,
					  "cancelled after %" PRIu64 " bytes",
					  *done);
		n = gmem__read(g->ctx, fd, to + *done,
			       len - *done < STEP ? len - *done : STEP);
		if (n == -EINTR) {
			n = 0;
			continue;
		}
		if (n < 0)
			return read_failed((int)n, fd, offset + *done, err);
		if (n == 0)
			break;
		gmem__call_progress(o->progress, o->progress_arg,
				    *done + (uint64_t)n, len);
	}
	if (*done == len || (o->flags & GMEM_LOAD_UNTIL_EOF))
		return 0;
	return gmem__fail(err, GMEM_REASON_INPUT_SHORT, *done, len,
			  "fd %d ended after %" PRIu64 " of %" PRIu64 " bytes",
			  fd, *done, len);
}

int gmem_load(struct gmem *g, uint64_t offset, int fd, uint64_t len,
	      const struct gmem_load_opts *opts, struct gmem_error *err)
{
	struct gmem_load_opts o;
	unsigned char *view;
	uint64_t done;
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	r = gmem__opts_check(opts, LOAD_OPTS_V0, sizeof(o), "gmem_load_opts",
			     err);
	if (r < 0)
		return r;
	gmem__opts_copy(&o, sizeof(o), opts);
	r = gmem__flags_check(o.flags, GMEM_LOAD_UNTIL_EOF,
			      "gmem_load_opts.flags", err);
	if (r < 0)
		return r;
	r = check_range(g, offset, len, err);
	if (r < 0 || len == 0)
		return r;
	r = gmem__view(g, &view, err);
	if (r < 0)
		return r;
	r = load(g, offset, view + offset, fd, len, &o, &done, err);
	gmem__set_done(err, done);
	return r;
}
