// SPDX-License-Identifier: MIT
/*
 * Copies between host and guest memory that cannot raise a signal: the
 * kernel makes them, so a page that becomes private meanwhile is an EFAULT.
 */
#include <errno.h>
#include <inttypes.h>

#include "call.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "map.h"
#include "range.h"
#include "touch.h"
#include "window.h"

#define PIPE_BYTES 65536

/* One copy under way; the pipe is made when it is needed. */
struct copy {
	const struct gmem__ctx *ctx;
	bool to_guest;
	bool piped;
	int pipe[2];
};

static void pipe_end(struct copy *c)
{
	if (!c->piped)
		return;
	(void)gmem__close(c->ctx, c->pipe[0]);
	(void)gmem__close(c->ctx, c->pipe[1]);
	c->piped = false;
}

/*
 * The way round process_vm_readv(2) where a kernel is built without it or a
 * filter forbids it.  Up to PIPE_BYTES at a time.
 */
static int64_t by_pipe(struct copy *c, unsigned char *to,
		       const unsigned char *from, uint64_t len)
{
	int64_t in, out = 0, n = 0;
	int r;

	if (!c->piped) {
		r = gmem__pipe(c->ctx, c->pipe);
		if (r < 0)
			return r;
		c->piped = true;
	}
	in = gmem__write(c->ctx, c->pipe[1], from,
			 len < PIPE_BYTES ? len : PIPE_BYTES);
	while (out < in) {
		n = gmem__read(c->ctx, c->pipe[0], to + out,
			       (size_t)(in - out));
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		out += n;
	}
	if (in < 0)
		return in;
	if (out < in)
		pipe_end(c); /* drop what is left in it */
	return out ? out : n;
}

/* Not of the memory: a filter may answer with any errno. */
static bool refused(int64_t ret)
{
	return ret < 0 && ret != -EFAULT && ret != -EINTR && ret != -ENOMEM;
}

static int64_t piece(struct copy *c, unsigned char *to,
		     const unsigned char *from, uint64_t len)
{
	int64_t n = -ENOSYS;

	if (!c->piped)
		n = c->to_guest ? gmem__vm_write(c->ctx, to, from, len)
				: gmem__vm_read(c->ctx, to, from, len);
	if (refused(n))
		n = by_pipe(c, to, from, len);
	return n;
}

/* @fault: at the same address for the second time. */
static int copy_failed(const struct gmem *g, const struct gmem__window *w,
		       int sys, uint64_t at, bool fault, struct gmem_error *err)
{
	int r;

	if (sys != -EFAULT)
		return gmem__fail_call(err, sys, "copying");
	r = gmem__why_fault(g, w, at, 1, err);
	if (r < 0 || !fault)
		return r;
	return gmem__diagnosed(
		err, gmem__fail_sys(err, GMEM_REASON_BAD_BUFFER, 0, sys, at, 0,
				    "the page at offset 0x%" PRIx64
				    " can be touched, so it is buf that "
				    "cannot",
				    at));
}

/* All of a window, from or to @buf; *@done grows by what was copied. */
static int copy_window(struct copy *c, const struct gmem *g,
		       const struct gmem__window *w, unsigned char *buf,
		       uint64_t *done, struct gmem_error *err)
{
	uint64_t n = 0, fault = UINT64_MAX, len, rest;
	int64_t ret;
	int r = 0;

	while (r == 0 && n < w->len) {
		len = w->len - n;
		/* A pipe moves nothing of what it cannot move whole. */
		rest = g->page_size - (w->offset + n) % g->page_size;
		if (n == fault && len > rest)
			len = rest;
		if (c->to_guest)
			ret = piece(c, w->addr + n, buf + n, len);
		else
			ret = piece(c, buf + n, w->addr + n, len);
		if (ret > 0) {
			n += (uint64_t)ret;
		} else if (ret != -EINTR) {
			r = copy_failed(g, w, ret ? (int)ret : -EFAULT,
					w->offset + n, n == fault, err);
			fault = n;
		}
	}
	*done += n;
	return r;
}

static int copy_all(struct copy *c, struct gmem *g, uint64_t offset,
		    unsigned char *buf, uint64_t len, struct gmem_error *err)
{
	uint64_t run, done = 0;
	struct gmem__window w;
	int r = 0;

	while (r == 0 && done < len) {
		if (gmem__host_state(g, offset + done, len - done, &run) !=
		    GMEM__SHARED) {
			r = gmem__fail_private(offset + done, err);
			break;
		}
		r = gmem__window_open(g, offset + done, run, &w);
		if (r < 0) {
			r = gmem__window_failed(r, err);
			break;
		}
		r = copy_window(c, g, &w, buf + done, &done, err);
		gmem__window_close(g, &w);
	}
	pipe_end(c);
	gmem__set_done(err, done);
	return r;
}

static int copy(struct gmem *g, uint64_t offset, unsigned char *buf, size_t len,
		bool to_guest, struct gmem_error *err)
{
	struct copy c = { .to_guest = to_guest };
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	if (!buf && len)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "buf is NULL");
	r = gmem__inside(offset, len, g->size, err);
	if (r < 0 || (r = gmem__need_mappable(g, err)) < 0)
		return r;
	c.ctx = g->ctx;
	return copy_all(&c, g, offset, buf, len, err);
}

int gmem_read(struct gmem *g, uint64_t offset, void *buf, size_t len,
	      struct gmem_error *err)
{
	return copy(g, offset, buf, len, false, err);
}

int gmem_write(struct gmem *g, uint64_t offset, const void *buf, size_t len,
	       struct gmem_error *err)
{
	/* The guest's memory there is unchanged. */
	return copy(g, offset, (unsigned char *)(uintptr_t)buf, len, true, err);
}
