// SPDX-License-Identifier: MIT
/*
 * Allocating guest memory before the guest needs it, by several threads and
 * under a policy if asked.
 *
 * fallocate first, which allocates without zeroing or mapping, and then
 * MADV_POPULATE_WRITE where the host may touch the memory: faster than either
 * touching or MADV_POPULATE_WRITE alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "mempolicy.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* 5.14 */
#endif

#define POPULATE_OPTS_V0 56
#define THREADS_MAX 256
#define STEP (256ULL << 20)
#define PIECE_MIN (2ULL << 20)

_Static_assert(sizeof(struct gmem_populate_opts) == POPULATE_OPTS_V0, "ABI");

struct job {
	struct gmem *g;
	const struct gmem_populate_opts *o;
	const struct gmem_mempolicy *policy;
	unsigned char *view; /* NULL: the host may not touch the file */
	uint64_t end, step;
	pthread_mutex_t lock; /* all below */
	pthread_cond_t moved;
	uint64_t next, done;
	unsigned int running;
	bool stop;
	int sys; /* the first failure and where it was */
	uint64_t sys_at;
	const char *what;
};

static void fail(struct job *j, int sys, uint64_t at, const char *what)
{
	(void)pthread_mutex_lock(&j->lock);
	if (!j->sys) {
		j->sys = sys;
		j->sys_at = at;
		j->what = what;
	}
	j->stop = true;
	(void)pthread_mutex_unlock(&j->lock);
}

/* Zeroes and maps what of it the host may touch. */
static int touch(struct job *j, uint64_t offset, uint64_t len)
{
	uint64_t run, end = offset + len;
	int r = 0;

	for (; r == 0 && offset < end; offset += run)
		if (gmem__host_state(j->g, offset, end - offset, &run) ==
		    GMEM__SHARED)
			r = gmem__madvise(j->g->ctx, j->view + offset, run,
					  MADV_POPULATE_WRITE);
	return r;
}

static int make(struct job *j, uint64_t offset, uint64_t len, const char **what)
{
	int r = gmem__fallocate(j->g->ctx, j->g->fd, FALLOC_FL_KEEP_SIZE,
				offset, len);

	*what = "fallocate";
	if (r < 0 || !j->view)
		return r;
	*what = "MADV_POPULATE_WRITE";
	return touch(j, offset, len);
}

/* Every step and piece is a multiple of this, the last one perhaps not. */
static uint64_t least_piece(const struct job *j)
{
	return j->g->page_size > PIECE_MIN ? j->g->page_size : PIECE_MIN;
}

static void add_done(struct job *j, uint64_t n)
{
	(void)pthread_mutex_lock(&j->lock);
	j->done += n;
	(void)pthread_cond_signal(&j->moved);
	(void)pthread_mutex_unlock(&j->lock);
}

static bool cancelled(const struct job *j)
{
	return j->o->cancel && __atomic_load_n(j->o->cancel, __ATOMIC_RELAXED);
}

/* By the caller, or by another worker's failure. */
static bool stopped(struct job *j)
{
	bool stop;

	if (cancelled(j))
		fail(j, -ECANCELED, 0, "populating");
	(void)pthread_mutex_lock(&j->lock);
	stop = j->stop;
	(void)pthread_mutex_unlock(&j->lock);
	return stop;
}

/*
 * One step.  A signal ends fallocate early and a new call walks over all that
 * is there, so under a storm of signals the pieces shrink until one fits
 * between two of them.
 */
static int populate_step(struct job *j, uint64_t offset, uint64_t len)
{
	uint64_t least = least_piece(j), piece = len, pos = 0, n;
	const char *what;
	int r;

	while (pos < len) {
		n = len - pos < piece ? len - pos : piece;
		r = make(j, offset + pos, n, &what);
		if (r == -EINTR || r == -EAGAIN) {
			/* Between steps is soon enough, were it not endless. */
			if (piece == least && stopped(j))
				return r;
			piece = piece / 2 > least ? piece / 2 / least * least
						  : least;
			continue;
		}
		if (r < 0) {
			fail(j, r, offset + pos, what);
			return r;
		}
		pos += n;
		add_done(j, n);
	}
	return 0;
}

/* The next step of nobody's; false when there is none. */
static bool take(struct job *j, uint64_t *offset, uint64_t *len)
{
	bool more;

	if (stopped(j))
		return false;
	(void)pthread_mutex_lock(&j->lock);
	more = j->next < j->end;
	if (more) {
		*offset = j->next;
		*len = j->end - j->next < j->step ? j->end - j->next : j->step;
		j->next += *len;
	}
	(void)pthread_mutex_unlock(&j->lock);
	return more;
}

/* The policy is the worker's own and ends with it, never the caller's. */
static void *worker(void *arg)
{
	const struct gmem_mempolicy *p;
	uint64_t offset, len;
	struct job *j = arg;
	int r = 0;

	p = j->policy;
	if (p) {
		r = gmem__set_mempolicy(j->g->ctx, (int)(p->mode | p->flags),
					p->nodes,
					p->nodes ? p->max_node + 1 : 0);
		if (r < 0)
			fail(j, r, 0, "set_mempolicy");
	}
	while (r == 0 && take(j, &offset, &len))
		r = populate_step(j, offset, len);
	(void)pthread_mutex_lock(&j->lock);
	j->running--;
	(void)pthread_cond_signal(&j->moved);
	(void)pthread_mutex_unlock(&j->lock);
	return NULL;
}

static void progress(const struct job *j, uint64_t done, uint64_t total)
{
	gmem__call_progress(j->o->progress, j->o->progress_arg, done, total);
}

/* In the caller's thread, which needs no policy. */
static void run_alone(struct job *j, uint64_t total)
{
	uint64_t offset, len;

	while (take(j, &offset, &len) && populate_step(j, offset, len) == 0)
		progress(j, j->done, total);
}

/* Waits for the workers and tells of their progress without the lock. */
static void watch(struct job *j, uint64_t total)
{
	uint64_t told = 0, done;

	(void)pthread_mutex_lock(&j->lock);
	while (j->running || j->done != told) {
		done = j->done;
		if (done == told) {
			(void)pthread_cond_wait(&j->moved, &j->lock);
			continue;
		}
		told = done;
		(void)pthread_mutex_unlock(&j->lock);
		progress(j, done, total);
		(void)pthread_mutex_lock(&j->lock);
	}
	(void)pthread_mutex_unlock(&j->lock);
}

/* As many workers as can be had; a policy needs one at least. */
static int run_workers(struct job *j, pthread_t *t, unsigned int threads,
		       uint64_t total)
{
	const struct gmem__ctx *ctx = j->g->ctx;
	unsigned int n;
	int r = 0;

	for (n = 0; n < threads; n++) {
		(void)pthread_mutex_lock(&j->lock);
		j->running++;
		(void)pthread_mutex_unlock(&j->lock);
		r = ctx->sys->thread_start(ctx->priv, &t[n], worker, j);
		if (r == 0)
			continue;
		(void)pthread_mutex_lock(&j->lock);
		j->running--;
		(void)pthread_mutex_unlock(&j->lock);
		break;
	}
	if (n)
		watch(j, total);
	for (unsigned int i = 0; i < n; i++)
		ctx->sys->thread_join(ctx->priv, t[i]);
	return n ? 0 : r;
}

static int job_failed(const struct job *j, struct gmem_error *err)
{
	if (j->sys == -ECANCELED)
		return gmem__fail(err, GMEM_REASON_CANCELLED, j->done, 0,
				  "cancelled after %" PRIu64 " bytes", j->done);
	if (!strcmp(j->what, "set_mempolicy"))
		return gmem__policy_failed(j->sys, j->policy, j->what, err);
	if (j->sys == -EFAULT)
		return gmem__fail_sys(
			err, GMEM_REASON_PRIVATE, -EACCES, j->sys, j->sys_at, 0,
			"offset 0x%" PRIx64 " turned private meanwhile",
			j->sys_at);
	return gmem__fail_call(err, j->sys, j->what);
}

static int run(struct job *j, unsigned int threads, uint64_t total,
	       struct gmem_error *err)
{
	bool workers = threads > 1 || j->policy;
	uint64_t step = STEP, least = least_piece(j);
	pthread_t *t;
	int r = 0;

	/* Small enough that the last worker is not alone for long. */
	if (workers && total / (threads * 4ULL) < step)
		step = total / (threads * 4ULL);
	j->step = step > least ? step / least * least : least;
	if (workers) {
		t = gmem__alloc(j->g->ctx, threads * sizeof(*t));
		if (!t)
			return gmem__fail_call(err, -ENOMEM,
					       "allocating the threads");
		r = run_workers(j, t, threads, total);
		gmem__free(j->g->ctx, t);
		if (r < 0)
			return gmem__fail_sys(err, GMEM_REASON_THREADS, 0, r,
					      threads, 0,
					      "no thread could be started, "
					      "%s",
					      gmem__errno_name(r));
	} else {
		run_alone(j, total);
	}
	gmem__set_done(err, j->done);
	return j->sys ? job_failed(j, err) : 0;
}

static int take_opts(const struct gmem_populate_opts *opts,
		     struct gmem_populate_opts *o, struct gmem_error *err)
{
	int r = gmem__opts_check(opts, POPULATE_OPTS_V0, sizeof(*o),
				 "gmem_populate_opts", err);

	if (r < 0)
		return r;
	gmem__opts_copy(o, sizeof(*o), opts);
	r = gmem__flags_check(o->flags, 0, "gmem_populate_opts.flags", err);
	if (r < 0)
		return r;
	r = gmem__reserved(o->reserved, "gmem_populate_opts", err);
	if (r < 0)
		return r;
	if (o->threads > THREADS_MAX)
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, o->threads,
				  THREADS_MAX, "%u threads, the most is %d",
				  o->threads, THREADS_MAX);
	return 0;
}

/* Whether the host may touch some of it. */
static bool touchable(const struct gmem *g, uint64_t offset, uint64_t len)
{
	uint64_t run;

	if (!(g->flags & GMEM_CREATE_MMAP))
		return false;
	return gmem__host_state(g, offset, len, &run) == GMEM__SHARED ||
	       run < len;
}

int gmem_populate(struct gmem *g, uint64_t offset, uint64_t len,
		  const struct gmem_populate_opts *opts, struct gmem_error *err)
{
	struct gmem_populate_opts o;
	struct gmem_mempolicy p;
	struct job j = { .g = g, .o = &o };
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	r = take_opts(opts, &o, err);
	if (r < 0)
		return r;
	if (o.policy) {
		r = gmem__policy_check(o.policy, &p, err);
		if (r < 0)
			return r;
		j.policy = &p;
	}
	r = gmem__file_range_check(g, offset, len, err);
	if (r < 0)
		return r;
	if (touchable(g, offset, len)) {
		r = gmem__view(g, &j.view, err);
		if (r < 0)
			return r;
	}
	j.next = offset;
	j.end = offset + len;
	(void)pthread_mutex_init(&j.lock, NULL);
	(void)pthread_cond_init(&j.moved, NULL);
	r = run(&j, o.threads ? o.threads : 1, len, err);
	(void)pthread_cond_destroy(&j.moved);
	(void)pthread_mutex_destroy(&j.lock);
	if (r < 0)
		return r;
	return o.policy ? GMEM_PLACED_BY_POPULATE : 0;
}
