// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "error.h"
#include "fd.h"
#include "name.h"

static const char *name(const struct gmem__fd *f)
{
	return f->output ? "output" : "input";
}

/* Then each write goes to the end, whatever the offset; or nobody knows. */
static bool appends(const struct gmem__fd *f, int *sys)
{
	int flags = gmem__status_flags(f->ctx, f->fd);

	if (flags < 0)
		*sys = flags;
	return flags < 0 || (flags & O_APPEND);
}

/* Whether it is used by offsets; *@sys: the -errno that says no. */
static bool has_offsets(struct gmem__fd *f, uint32_t mode, int *sys)
{
	int64_t position;

	/* Other devices may take an offset and ignore it. */
	if (!S_ISREG(mode) && !S_ISBLK(mode))
		return false;
	position = gmem__lseek(f->ctx, f->fd, 0, SEEK_CUR);
	if (position < 0) {
		*sys = (int)position;
		return false;
	}
	f->position = (uint64_t)position;
	return !f->output || !appends(f, sys);
}

int gmem__fd_begin(struct gmem__fd *f, const uint64_t *at,
		   struct gmem_error *err)
{
	struct gmem__stat st = { 0 };
	int sys = gmem__fstat(f->ctx, f->fd, &st);

	/* Without fstat(2) it is taken for a stream, which may still fail. */
	f->socket = S_ISSOCK(st.mode);
	f->regular = S_ISREG(st.mode);
	f->offsets = has_offsets(f, st.mode, &sys);
	f->size = st.size;
	f->start = at ? *at : f->position;
	if (!at || f->offsets)
		return 0;
	if (sys == -EBADF)
		return gmem__fd_failed(f, sys, err);
	return gmem__fail_sys(err, GMEM_REASON_NO_POSITION, -ESPIPE, sys,
			      (uint64_t)f->fd, 0,
			      "the %s has no offsets: it is a pipe, a socket "
			      "or a device%s",
			      name(f), f->output ? ", or appends" : "");
}

int gmem__fd_seek(const struct gmem__fd *f, uint64_t position)
{
	int64_t r;

	if (!f->offsets)
		return 0;
	r = gmem__lseek(f->ctx, f->fd, position, SEEK_SET);
	return r < 0 ? (int)r : 0;
}

int gmem__fd_failed(const struct gmem__fd *f, int sys, struct gmem_error *err)
{
	if (sys == -EBADF)
		return gmem__fail_sys(err, GMEM_REASON_BAD_FD, 0, sys,
				      (uint64_t)f->fd, 0, "the %s cannot be %s",
				      name(f), f->output ? "written" : "read");
	return gmem__fail_sys(
		err, f->output ? GMEM_REASON_OUTPUT : GMEM_REASON_INPUT, 0, sys,
		(uint64_t)f->fd, 0, "%s the %s failed with %s",
		f->output ? "writing" : "reading", name(f),
		gmem__errno_name(sys));
}
