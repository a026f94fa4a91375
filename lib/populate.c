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
#include <sys/mman.h>

#include "call.h"
#include "callback.h"
#include "cancel.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "lock.h"
#include "map.h"
#include "name.h"
#include "opts.h"
#include "pin.h"
#include "policy.h"
#include "room.h"
#include "touch.h"
#include "window.h"

#define POPULATE_OPTS_V0 64
#define THREADS_MAX 256
#define STEP (256ULL << 20)
#define PIECE_MIN (2ULL << 20)

_Static_assert(sizeof(struct gmem_populate_opts) == POPULATE_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type = GMEM__OPTS_TYPE(
	gmem_populate_opts, POPULATE_OPTS_V0, GMEM_POPULATE_UNCHECKED);

/* A worker takes one step after the other; all before its .pos is complete. */
struct worker {
	struct job *j;
	pthread_t thread;
	uint64_t pos; /* NOWHERE between two steps; with the lock */
};

#define NOWHERE UINT64_MAX

enum act {
	STOP, /* as the caller wishes */
	SET_POLICY,
	FIND_ROOM,
	ALLOCATE,
	MAP,
	TOUCH,
};

struct job {
	struct gmem *g;
	const struct gmem_populate_opts *o;
	const struct gmem_mempolicy *policy;
	struct worker *workers;
	struct worker alone; /* in the caller's thread */
	unsigned int n_workers;
	bool touch; /* the host may, what is shared */
	uint64_t start, end, step;
	struct gmem__room room; /* who has set .looking */
	struct gmem__pin pin;
	pthread_mutex_t lock; /* all below */
	pthread_cond_t moved; /* for the caller */
	pthread_cond_t turn;  /* for workers */
	bool looking;
	uint64_t pending;    /* taken and not yet allocated */
	uint64_t next, done; /* .done: in any order */
	unsigned int running;
	bool stop;
	int sys; /* the first failure, where it was and of which act */
	uint64_t sys_at;
	enum act act;
};

static void fail_locked(struct job *j, int sys, uint64_t at, enum act act)
{
	if (!j->sys) {
		j->sys = sys;
		j->sys_at = at;
		j->act = act;
	}
	j->stop = true;
	(void)pthread_cond_broadcast(&j->turn);
}

static void fail(struct job *j, int sys, uint64_t at, enum act act)
{
	gmem__lock(&j->lock);
	fail_locked(j, sys, at, act);
	gmem__unlock(&j->lock);
}

/* Steps are taken in order, so nothing is missing before the first of these. */
static uint64_t complete(const struct job *j)
{
	uint64_t end = j->next;

	for (unsigned int i = 0; i < j->n_workers; i++)
		if (j->workers[i].pos < end)
			end = j->workers[i].pos;
	return end - j->start;
}

/* One window of it, or more if there is a view.  *@n bytes were touched. */
static int touch_window(struct job *j, uint64_t offset, uint64_t len,
			uint64_t *n, enum act *act)
{
	struct gmem__window w;
	int r = gmem__window_open(j->g, offset, len, &w);

	*n = 0;
	if (r < 0) {
		*act = MAP;
		return r;
	}
	*n = gmem__populate_prefix(j->g->ctx, w.addr, w.len,
				   MADV_POPULATE_WRITE, &r);
	gmem__window_close(j->g, &w);
	return r;
}

/* Zeroes and maps what of it the host may touch.  *@done bytes were. */
static int touch(struct job *j, uint64_t offset, uint64_t len, uint64_t *done,
		 enum act *act)
{
	uint64_t n;
	int r = 0;

	for (*done = 0; r == 0 && *done < len; *done += n)
		if (gmem__host_state(j->g, offset + *done, len - *done, &n) ==
		    GMEM__SHARED)
			r = touch_window(j, offset + *done, n, &n, act);
	return r;
}

/* *@done bytes were made, also on failure. */
static int make(struct job *j, uint64_t offset, uint64_t len, uint64_t *done,
		enum act *act)
{
	int r = gmem__fallocate(j->g->ctx, j->g->fd, FALLOC_FL_KEEP_SIZE,
				offset, len);

	*act = ALLOCATE;
	*done = r < 0 ? 0 : len;
	if (r < 0 || !j->touch)
		return r;
	*act = TOUCH;
	return touch(j, offset, len, done, act);
}

/* Every step and piece is a multiple of this, the last one perhaps not. */
static uint64_t least_piece(const struct job *j)
{
	return j->g->page_size > PIECE_MIN ? j->g->page_size : PIECE_MIN;
}

static void count_done(struct worker *k, uint64_t n)
{
	struct job *j = k->j;

	gmem__lock(&j->lock);
	j->done += n;
	j->pending -= n;
	k->pos += n;
	(void)pthread_cond_signal(&j->moved);
	(void)pthread_cond_broadcast(&j->turn);
	gmem__unlock(&j->lock);
}

static bool cancelled(const struct job *j)
{
	return gmem__cancelled(j->o->cancel);
}

/* By the caller, or by another worker's failure. */
static bool stopped(struct job *j)
{
	bool stop;

	if (cancelled(j))
		fail(j, -ECANCELED, 0, STOP);
	gmem__lock(&j->lock);
	stop = j->stop;
	gmem__unlock(&j->lock);
	return stop;
}

/*
 * One step.  A signal ends fallocate early and a new call walks over all that
 * is there, so under a storm of signals the pieces shrink until one fits
 * between two of them.
 */
static int populate_step(struct worker *k, uint64_t offset, uint64_t len)
{
	uint64_t least = least_piece(k->j), piece = len, pos = 0, n, done;
	enum act act;
	bool again;
	int r;

	while (pos < len) {
		n = len - pos < piece ? len - pos : piece;
		r = make(k->j, offset + pos, n, &done, &act);
		/* A mapping that would be locked beyond its limit stays so. */
		again = (r == -EINTR || r == -EAGAIN) && act != MAP;
		if (again) /* fallocate takes whole pages of the file */
			done = done / least * least;
		pos += done;
		count_done(k, done);
		if (again) {
			/* The step could be endless, so check in it too. */
			if (stopped(k->j))
				return r;
			piece = piece / 2 > least ? piece / 2 / least * least
						  : least;
		} else if (r < 0) {
			fail(k->j, r, offset + pos, act);
			return r;
		}
	}
	return 0;
}

/*
 * How much of the next step there is room for, looked for without the lock.
 * What others have taken may be allocated or not, so all of it counts.
 */
static uint64_t find_room(struct job *j, uint64_t *pending)
{
	uint64_t at = j->next, len = j->end - at;

	*pending = j->pending;
	j->looking = true;
	gmem__unlock(&j->lock);
	len = gmem__room_for(&j->room, at, len < j->step ? len : j->step,
			     least_piece(j), *pending);
	gmem__lock(&j->lock);
	j->looking = false;
	(void)pthread_cond_broadcast(&j->turn);
	return len;
}

/*
 * take_step() with the lock.  Short of room it waits for what others allocate,
 * and fails if they do not.
 */
static bool take_locked(struct worker *k, uint64_t *offset, uint64_t *len)
{
	struct job *j = k->j;
	uint64_t pending;

	k->pos = NOWHERE;
	while (!j->stop && j->next < j->end) {
		if (j->looking) {
			(void)pthread_cond_wait(&j->turn, &j->lock);
			continue;
		}
		*len = find_room(j, &pending);
		if (*len) {
			k->pos = *offset = j->next;
			j->next += *len;
			j->pending += *len;
			return true;
		}
		if (!pending) {
			fail_locked(j, -ENOMEM, j->next, FIND_ROOM);
			break;
		}
		while (!j->stop && j->pending == pending)
			(void)pthread_cond_wait(&j->turn, &j->lock);
	}
	return false;
}

/* The next step that no worker has; false if there is none. */
static bool take_step(struct worker *k, uint64_t *offset, uint64_t *len)
{
	struct job *j = k->j;
	bool more;

	(void)stopped(j);
	gmem__lock(&j->lock);
	more = take_locked(k, offset, len);
	gmem__unlock(&j->lock);
	return more;
}

/* The policy is the worker's own and ends with it, never the caller's. */
static void *work(void *arg)
{
	struct worker *k = arg;
	uint64_t offset, len;
	struct job *j = k->j;
	const struct gmem_mempolicy *p = j->policy;
	int r = 0;

	gmem__pin_thread(&j->pin);
	if (p) {
		r = gmem__set_mempolicy(j->g->ctx, (int)(p->mode | p->flags),
					p->nodes,
					p->nodes ? p->max_node + 1 : 0);
		if (r < 0)
			fail(j, r, 0, SET_POLICY);
	}
	while (r == 0 && take_step(k, &offset, &len))
		r = populate_step(k, offset, len);
	gmem__lock(&j->lock);
	j->running--;
	(void)pthread_cond_signal(&j->moved);
	gmem__unlock(&j->lock);
	return NULL;
}

static void progress(struct job *j, uint64_t done, uint64_t total)
{
	if (!gmem__call_progress(j->o->progress, j->o->progress_arg, done,
				 total))
		fail(j, -ECANCELED, 0, STOP);
}

/* In the caller's thread, which needs no policy. */
static void run_alone(struct job *j, uint64_t total)
{
	uint64_t offset, len;

	while (take_step(j->workers, &offset, &len) &&
	       populate_step(j->workers, offset, len) == 0)
		progress(j, j->done, total);
}

/* Waits for the workers and reports their progress without the lock. */
static void watch(struct job *j, uint64_t total)
{
	uint64_t told = 0, done;

	gmem__lock(&j->lock);
	while (j->running || j->done != told) {
		done = j->done;
		if (done == told) {
			(void)pthread_cond_wait(&j->moved, &j->lock);
			continue;
		}
		told = done;
		gmem__unlock(&j->lock);
		progress(j, done, total);
		gmem__lock(&j->lock);
	}
	gmem__unlock(&j->lock);
}

/* As many workers as can be started; a policy needs one at least. */
static int run_workers(struct job *j, uint64_t total)
{
	const struct gmem__ctx *ctx = j->g->ctx;
	unsigned int n;
	int r = 0;

	for (n = 0; n < j->n_workers; n++) {
		gmem__lock(&j->lock);
		j->running++;
		gmem__unlock(&j->lock);
		r = ctx->sys->thread_start(ctx->priv, &j->workers[n].thread,
					   work, &j->workers[n]);
		if (r == 0)
			continue;
		gmem__lock(&j->lock);
		j->running--;
		gmem__unlock(&j->lock);
		break;
	}
	if (n)
		watch(j, total);
	for (unsigned int i = 0; i < n; i++)
		ctx->sys->thread_join(ctx->priv, j->workers[i].thread);
	return n ? 0 : r;
}

static int job_failed(const struct job *j, struct gmem_error *err)
{
	switch (j->act) {
	case STOP:
		return gmem__fail_cancelled(complete(j), err);
	case SET_POLICY:
		return gmem__policy_failed(j->sys, j->policy, "set_mempolicy",
					   err);
	case FIND_ROOM:
		return gmem__room_failed(&j->room, least_piece(j), err);
	case ALLOCATE:
		return gmem__fail_call(err, j->sys, "fallocate");
	case MAP:
		return gmem__window_failed(j->sys, err);
	default:
		return gmem__touch_failed(j->sys, j->sys_at,
					  "MADV_POPULATE_WRITE", err);
	}
}

static int run_by_workers(struct job *j, uint64_t total, struct gmem_error *err)
{
	int r;

	j->workers = gmem__alloc(j->g->ctx, j->n_workers * sizeof(*j->workers));
	if (!j->workers)
		return gmem__fail_call(err, -ENOMEM, "allocating the threads");
	for (unsigned int i = 0; i < j->n_workers; i++)
		j->workers[i] = (struct worker){ .j = j, .pos = NOWHERE };
	r = run_workers(j, total);
	if (r < 0)
		r = gmem__fail_sys(err, GMEM_REASON_THREADS, 0, r, j->n_workers,
				   0, "no thread could be started, %s",
				   gmem__errno_name(r));
	else if (j->sys)
		r = job_failed(j, err);
	gmem__set_done(err, complete(j));
	gmem__free(j->g->ctx, j->workers);
	return r;
}

static int run(struct job *j, unsigned int threads, uint64_t total,
	       struct gmem_error *err)
{
	bool workers = threads > 1 || j->policy;
	uint64_t step = STEP, least = least_piece(j);

	/* Small enough that the last worker is not alone for long. */
	if (workers && total / (threads * 4ULL) < step)
		step = total / (threads * 4ULL);
	j->step = step > least ? step / least * least : least;
	j->n_workers = threads;
	if (workers)
		return run_by_workers(j, total, err);
	j->alone = (struct worker){ .j = j, .pos = NOWHERE };
	j->workers = &j->alone;
	run_alone(j, total);
	gmem__set_done(err, complete(j));
	return j->sys ? job_failed(j, err) : 0;
}

static int check_opts(const struct gmem_populate_opts *o,
		      struct gmem_error *err)
{
	int r = gmem__reserved(o->reserved, "gmem_populate_opts", err);

	if (r < 0)
		return r;
	if (o->threads > THREADS_MAX)
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, o->threads,
				  THREADS_MAX, "%u threads are more than %d",
				  o->threads, THREADS_MAX);
	return 0;
}

int gmem_populate(struct gmem *g, uint64_t offset, uint64_t len,
		  const struct gmem_populate_opts *opts, struct gmem_error *err)
{
	struct gmem_populate_opts o;
	struct gmem_mempolicy p;
	struct job j = { .g = g, .o = &o };
	int r = gmem__enter_opts(g, &opts_type, opts, &o, err);

	if (r < 0 || (r = check_opts(&o, err)) < 0)
		return r;
	r = gmem__file_range_check(g, offset, len, err);
	if (r < 0)
		return r;
	if (o.policy) {
		j.policy = &p;
		r = gmem__policy_check(o.policy, &p, err);
		if (r == 0)
			r = gmem__policy_usable(g->ctx, &p, err);
		if (r == 0)
			r = gmem__policy_of_file(g, offset, len, &p, o.cancel,
						 err);
		if (r < 0)
			return r;
	}
	j.touch = g->flags & GMEM_CREATE_MMAP;
	j.start = j.next = offset;
	j.end = offset + len;
	(void)pthread_mutex_init(&j.lock, NULL);
	(void)pthread_cond_init(&j.moved, NULL);
	(void)pthread_cond_init(&j.turn, NULL);
	gmem__room_begin(&j.room, g, j.policy,
			 o.flags & GMEM_POPULATE_UNCHECKED);
	gmem__pin_begin(&j.pin, g->ctx, j.policy);
	r = run(&j, o.threads ? o.threads : 1, len, err);
	if (o.unchecked)
		*o.unchecked = j.room.unchecked;
	(void)pthread_cond_destroy(&j.turn);
	(void)pthread_cond_destroy(&j.moved);
	(void)pthread_mutex_destroy(&j.lock);
	return r;
}
