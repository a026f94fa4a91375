// SPDX-License-Identifier: MIT
/* Allocating ahead: in steps, by threads, under a policy. */
#include <sys/mman.h>

#include "unit.h"

#include "seam.h"

#define KEEP_SIZE 1

static uint64_t allocated(struct unit *u, struct gmem *g)
{
	return unit_allocated(u, gmem_fd(g), 0, gmem_size(g), -1);
}

static unsigned int writes(const struct unit *u)
{
	unsigned int n = 0;
	const struct unit_call *c;

	for (unsigned int i = 0; (c = unit_nth(u, "madvise", 0, i)); i++)
		n += c->arg[2] == MADV_POPULATE_WRITE;
	return n;
}

static void a_gib_is_four_steps_of_two_calls(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * GiB, SHARED_FLAGS);
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.flags = GMEM_POPULATE_UNCHECKED };
	struct gmem_error err;

	unit_bind(u, g, 0, 0); /* makes the view */
	unit_reset(u);
	t_ok(gmem_populate(g, 512 * MiB, GiB, &o, &err), err);
	assert_int_equal(err.done, GiB);
	assert_int_equal(u->n_calls, 8);
	assert_int_equal(u->n_allocs, 0);
	for (unsigned int i = 0; i < 4; i++) {
		const struct unit_call *a = &u->calls[2 * i], *t = a + 1;

		assert_string_equal(a->name, "fallocate");
		assert_int_equal(a->fd, gmem_fd(g));
		assert_int_equal(a->arg[1], 256 * MiB);
		assert_int_equal(a->arg[2], KEEP_SIZE);
		assert_int_equal(a->arg[3], 512 * MiB + i * 256 * MiB);
		assert_string_equal(t->name, "madvise");
		assert_int_equal(t->arg[1], 256 * MiB);
		assert_int_equal(t->arg[2], MADV_POPULATE_WRITE);
	}
	assert_int_equal(allocated(u, g), GiB);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 512 * MiB, GiB, -1),
			 GiB);
}

static void what_the_host_may_not_touch_is_only_allocated(void **state)
{
	static const uint64_t flags[] = {
		GMEM_CREATE_UNBOUND,
		GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY,
	};
	struct unit *u = *state;
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.flags = GMEM_POPULATE_UNCHECKED };
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		struct gmem *g = unit_create(u, MiB, flags[i]);

		t_ok(gmem_populate(g, 0, MiB, &o, &err), err);
		assert_int_equal(u->n_calls, 1);
		assert_string_equal(u->calls[0].name, "fallocate");
		assert_int_equal(allocated(u, g), MiB);
	}
}

static void private_pages_between_shared_ones_are_only_allocated(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err;

	t_ok(gmem_set_private(g, 64 * KiB, 64 * KiB, &err), err);
	unit_reset(u);
	t_ok(gmem_populate(g, 0, MiB, NULL, &err), err);
	assert_int_equal(err.done, MiB);
	assert_int_equal(writes(u), 2);
	assert_int_equal(allocated(u, g), MiB);
}

static void shared_pages_behind_private_ones_are_touched_too(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err;

	t_ok(gmem_set_private(g, 0, 64 * KiB, &err), err);
	unit_reset(u);
	t_ok(gmem_populate(g, 0, 128 * KiB, NULL, &err), err);
	assert_int_equal(writes(u), 1);
	unit_reset(u);
	t_ok(gmem_populate(g, 0, 64 * KiB, NULL, &err), err);
	assert_int_equal(writes(u), 0);
	assert_int_equal(unit_count(u, "fallocate", 0), 1);
}

/* Another holder of the fd converts behind the library's back. */
static void what_turned_private_meanwhile_is_named(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 512 * MiB, SHARED_FLAGS);
	struct gmem__attributes2 a = { .offset = 256 * MiB,
				       .size = PAGE,
				       .attributes = 8 };
	struct gmem_error err;

	assert_int_equal(unit_sys.ioctl(u, gmem_fd(g), 0xc080aed2, &a), 0);
	t_refused(gmem_populate(g, 0, 512 * MiB, NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.done, 256 * MiB);
	assert_int_equal(err.value, 256 * MiB);
	assert_int_equal(err.sys_errno, EFAULT);
}

/* A signal after so many bytes of each fallocate(). */
static void storm(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)arg;
	if (!strcmp(c->name, "fallocate"))
		(void)gmem_model_interrupt(
			u->vm, *(const uint64_t *)u->hook_arg, NULL);
}

static void under_signals_the_pieces_shrink_until_one_fits(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 512 * MiB, GMEM_CREATE_UNBOUND);
	const struct unit_call *c;
	struct gmem_error err;
	uint64_t last = 256 * MiB;

	u->hook = storm;
	u->hook_arg = &(uint64_t){ 8 * MiB };
	t_ok(gmem_populate(g, 0, 256 * MiB, NULL, &err), err);
	assert_int_equal(err.done, 256 * MiB);
	assert_int_equal(allocated(u, g), 256 * MiB);
	for (unsigned int i = 0; (c = unit_nth(u, "fallocate", 0, i)); i++) {
		assert_true(c->arg[1] <= last);
		last = c->arg[1];
	}
	assert_int_equal(last, 8 * MiB);
	/* 256, 128, 64, 32 and 16 MiB in vain, then 32 of 8 MiB */
	assert_int_equal(unit_count(u, "fallocate", 0), 37);
}

static void no_piece_is_smaller_than_2_mib(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 32 * MiB, GMEM_CREATE_UNBOUND);
	const struct unit_call *c;
	struct gmem_error err;

	unit_answer(u, "fallocate", 0, 1, 20, -EINTR);
	t_ok(gmem_populate(g, 0, 32 * MiB, NULL, &err), err);
	assert_int_equal(allocated(u, g), 32 * MiB);
	for (unsigned int i = 5; (c = unit_nth(u, "fallocate", 0, i)); i++)
		assert_int_equal(c->arg[1], 2 * MiB);
	assert_int_equal(unit_count(u, "fallocate", 0), 20 + 16);
}

static void a_piece_is_never_less_than_a_huge_page(void **state)
{
	struct unit *u = *state;
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_UNBOUND,
				      .hugetlb_size = GiB };
	const struct unit_call *c;
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	t_ok(gmem_create(u->vm, 4 * GiB, &o, &g, &err), err);
	unit_reset(u);
	/* no machine of a test has so much memory */
	unit_answer(u, "fallocate", 0, 1, 4, -EINTR);
	unit_answer(u, "fallocate", 0, 5, UINT32_MAX, 0);
	t_ok(gmem_populate(g, 0, 4 * GiB, NULL, &err), err);
	for (unsigned int i = 0; (c = unit_nth(u, "fallocate", 0, i)); i++) {
		assert_int_equal(c->arg[1], GiB);
		assert_int_equal(c->arg[3], i < 4 ? 0 : (i - 4) * GiB);
	}
	assert_int_equal(unit_count(u, "fallocate", 0), 8);
}

static void again_is_tried_again(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 4 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	unit_answer(u, "fallocate", 0, 1, 1, -EAGAIN);
	unit_answer(u, "madvise", 0, 3, 1, -EAGAIN);
	t_ok(gmem_populate(g, 0, 4 * MiB, NULL, &err), err);
	assert_int_equal(err.done, 4 * MiB);
	assert_int_equal(allocated(u, g), 4 * MiB);
}

static void each_failure_ends_it_with_what_is_done(void **state)
{
	static const struct {
		const char *call;
		int code;
		uint32_t why;
	} rows[] = {
		{ "fallocate", -ENOMEM, GMEM_REASON_NO_MEMORY },
		{ "fallocate", -ENOSPC, GMEM_REASON_KERNEL },
		{ "madvise", -ENOMEM, GMEM_REASON_NO_MEMORY },
		{ "madvise", -EINVAL, GMEM_REASON_KERNEL },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, SHARED_FLAGS);
	struct gmem_error err;

	unit_bind(u, g, 0, 0); /* makes the view */
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		unit_reset(u);
		unit_answer(u, rows[i].call, 0, 3, 1, rows[i].code);
		t_refused(gmem_populate(g, 0, GiB, NULL, &err), rows[i].code,
			  rows[i].why, err);
		assert_int_equal(err.done, 512 * MiB);
		assert_int_equal(err.sys_errno, -rows[i].code);
		assert_int_equal(unit_count(u, rows[i].call, 0), 3);
	}
}

/* The message says which of the calls that populate makes it was. */
static void the_call_that_failed_is_named(void **state)
{
	static const struct {
		const char *call;
		uint64_t nth;
		const char *name;
	} rows[] = {
		{ "fallocate", 1, "fallocate" },
		{ "mmap", 1, "mapping the guest_memfd" },
	};
	struct unit *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem *g = unit_create(m, 1 * MiB, SHARED_FLAGS);

		t_ok(gmem_model_fail(m->vm, rows[i].call, rows[i].nth, ENOMEM,
				     &m->err),
		     m->err);
		t_refused(gmem_populate(g, 0, 1 * MiB, NULL, &m->err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, m->err);
		assert_non_null(strstr(m->err.msg, rows[i].name));
		assert_int_equal(m->err.done, 0);
		t_ok(gmem_close(g, &m->err), m->err);
	}
}

struct told {
	pthread_t self;
	uint64_t done, total, cancel_at;
	unsigned int calls;
	int cancel;
};

static int tell(void *arg, uint64_t done, uint64_t total)
{
	struct told *t = arg;

	assert_true(pthread_equal(t->self, pthread_self()));
	assert_true(done > t->done && done <= total);
	assert_int_equal(total, t->total);
	t->done = done;
	t->calls++;
	if (t->cancel_at && done >= t->cancel_at)
		__atomic_store_n(&t->cancel, 1, __ATOMIC_RELAXED);
	return 0;
}

static struct gmem_populate_opts watched(struct told *t, uint32_t threads)
{
	t->self = pthread_self();
	return (struct gmem_populate_opts){
		.sz = sizeof(struct gmem_populate_opts),
		.progress = tell,
		.progress_arg = t,
		.cancel = &t->cancel,
		.threads = threads,
	};
}

static void cancel_ends_it_with_done_exact(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, SHARED_FLAGS);
	struct told t = { .total = GiB, .cancel_at = 512 * MiB };
	struct gmem_populate_opts o = watched(&t, 0);
	struct gmem_error err;

	t_refused(gmem_populate(g, 0, GiB, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, 512 * MiB);
	assert_int_equal(t.calls, 2);
	assert_int_equal(allocated(u, g), 512 * MiB);
	unit_reset(u);
	t_refused(gmem_populate(g, 0, GiB, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
}

static void cancel_after_calls(void *arg, const struct gmem_trace *event)
{
	struct told *t = arg;

	if (!strcmp(event->call, "fallocate") && ++t->calls == 100)
		__atomic_store_n(&t->cancel, 1, __ATOMIC_RELAXED);
}

/* Not even the least piece fits between two signals. */
static void cancel_ends_what_a_storm_would_make_endless(void **state)
{
	struct unit *u = *state;
	struct told t = { .cancel = 0 };
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .trace = cancel_after_calls,
				  .trace_arg = &t };
	struct gmem_populate_opts o = { .sz = sizeof(o), .cancel = &t.cancel };
	struct gmem_error err;
	struct gmem *g;

	t_ok(gmem__vm_open_on(&unit_sys, u, &v, &u->vm, &err), err);
	g = unit_create(u, GiB, SHARED_FLAGS);
	u->hook = storm;
	u->hook_arg = &u->page;
	t_refused(gmem_populate(g, 0, GiB, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(t.calls, 100);
	u->hook = NULL;
	/* before @t, which the trace writes to, goes */
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
}

static void progress_comes_in_the_callers_thread_up_to_all(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 512 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	for (uint32_t threads = 1; threads <= 4; threads++) {
		struct told t = { .total = 512 * MiB };
		struct gmem_populate_opts o = watched(&t, threads);

		unit_reset(u);
		t_ok(gmem_discard(g, 0, 512 * MiB, NULL, &err), err);
		t_ok(gmem_populate(g, 0, 512 * MiB, &o, &err), err);
		assert_int_equal(err.done, 512 * MiB);
		assert_int_equal(t.done, 512 * MiB);
		assert_int_equal(allocated(u, g), 512 * MiB);
		assert_int_equal(unit_count(u, "clone3", 0),
				 threads > 1 ? threads : 0);
		assert_int_equal(u->live_threads, 0);
	}
}

static void cancel_stops_the_workers_with_done_exact(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, GMEM_CREATE_UNBOUND);
	struct told t = { .total = GiB, .cancel = 1 };
	struct gmem_populate_opts o = watched(&t, 3);
	struct gmem_error err;

	t_refused(gmem_populate(g, 0, GiB, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
	assert_int_equal(t.calls, 0);
	assert_int_equal(u->live_threads, 0);
}

static void the_first_failure_of_a_worker_stops_all(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, GMEM_CREATE_UNBOUND);
	struct gmem_populate_opts o = { .sz = sizeof(o), .threads = 3 };
	struct gmem_error err;

	unit_answer(u, "fallocate", 0, 2, UINT32_MAX, -ENOMEM);
	t_refused(gmem_populate(g, 0, GiB, &o, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	/* Of the steps that were made, those with none missing before. */
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, err.done, -1),
			 err.done);
	assert_int_equal(unit_allocated(u, gmem_fd(g), err.done, PAGE, -1), 0);
	assert_true(unit_count(u, "fallocate", 0) <= 4);
	assert_int_equal(u->live_threads, 0);
}

static void fewer_threads_than_asked_do_it_too(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, GMEM_CREATE_UNBOUND);
	struct gmem_populate_opts o = { .sz = sizeof(o), .threads = 3 };
	struct gmem_error err;

	unit_answer(u, "clone3", 0, 2, UINT32_MAX, -EAGAIN);
	t_ok(gmem_populate(g, 0, GiB, &o, &err), err);
	assert_int_equal(err.done, GiB);
	assert_int_equal(allocated(u, g), GiB);
}

static void without_any_thread_nothing_is_done(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, GMEM_CREATE_UNBOUND);
	struct gmem_populate_opts o = { .sz = sizeof(o), .threads = 2 };
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err;

	unit_answer(u, "clone3", 0, 1, UINT32_MAX, -EAGAIN);
	t_refused(gmem_populate(g, 0, GiB, &o, &err), -EAGAIN,
		  GMEM_REASON_THREADS, err);
	assert_int_equal(err.value, 2);
	assert_int_equal(err.sys_errno, EAGAIN);
	o.threads = 0;
	o.policy = &p;
	t_refused(gmem_populate(g, 0, GiB, &o, &err), -EAGAIN,
		  GMEM_REASON_THREADS, err);
	assert_int_equal(err.value, 1);
	assert_int_equal(err.done, 0);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
	assert_int_equal(allocated(u, g), 0);
}

static void a_policy_is_the_workers_and_never_the_callers(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * MiB, SHARED_FLAGS);
	struct gmem_populate_opts o = { .sz = sizeof(o) };
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	const struct unit_call *c;
	struct gmem_error err;

	u->k->nodes = 2;
	o.policy = &p;
	for (o.threads = 0; o.threads <= 3; o.threads++) {
		unit_reset(u);
		t_ok(gmem_discard(g, 0, 64 * MiB, NULL, &err), err);
		t_code(gmem_populate(g, 0, 64 * MiB, &o, &err), 0);
		assert_int_equal(err.done, 64 * MiB);
		assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 64 * MiB, 1),
				 64 * MiB);
		assert_int_equal(unit_count(u, "set_mempolicy", 0),
				 o.threads ? o.threads : 1);
		for (unsigned int i = 0;
		     (c = unit_nth(u, "set_mempolicy", 0, i)); i++) {
			assert_int_equal(c->arg[2], GMEM_MPOL_BIND);
			assert_false(pthread_equal(c->thread, pthread_self()));
		}
	}
	/* and this thread's allocations go where they went before */
	t_ok(gmem_discard(g, 0, 64 * MiB, NULL, &err), err);
	t_ok(gmem_populate(g, 0, 64 * MiB, NULL, &err), err);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 64 * MiB, 0),
			 64 * MiB);
	assert_int_equal(unit_count(u, "mbind", 0), 0);
}

static void a_policy_that_no_worker_can_take_is_reported(void **state)
{
	static const struct {
		int code, want;
		uint32_t why;
	} rows[] = {
		{ -EINVAL, -EINVAL, GMEM_REASON_POLICY_NODES },
		{ -ENOSYS, -EOPNOTSUPP, GMEM_REASON_NUMA_UNSUPPORTED },
		{ -ENOMEM, -ENOMEM, GMEM_REASON_NO_MEMORY },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, SHARED_FLAGS);
	struct gmem_populate_opts o = { .sz = sizeof(o), .threads = 2 };
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_error err;

	o.policy = &p;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		unit_reset(u);
		unit_answer(u, "set_mempolicy", 0, 1, UINT32_MAX, rows[i].code);
		t_refused(gmem_populate(g, 0, GiB, &o, &err), rows[i].want,
			  rows[i].why, err);
		assert_int_equal(err.sys_errno, -rows[i].code);
		assert_int_equal(err.done, 0);
		assert_int_equal(allocated(u, g), 0);
	}
	mask = 0;
	unit_reset(u);
	t_refused(gmem_populate(g, 0, GiB, &o, &err), -EINVAL,
		  GMEM_REASON_POLICY_NODES, err);
	assert_int_equal(u->n_calls, 0);
}

static void bad_arguments_are_refused_before_any_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_populate_opts o = { .sz = sizeof(o) };
	struct gmem_error err;

	t_refused(gmem_populate(NULL, 0, MiB, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_populate(g, 0, 0, NULL, &err), -EINVAL,
		  GMEM_REASON_ZERO_SIZE, err);
	t_refused(gmem_populate(g, 1, PAGE, NULL, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	t_refused(gmem_populate(g, PAGE, MiB, NULL, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	o.flags = 2;
	t_refused(gmem_populate(g, 0, MiB, &o, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	o.flags = 0;
	o.reserved = 1;
	t_refused(gmem_populate(g, 0, MiB, &o, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	o.reserved = 0;
	o.threads = 257;
	t_refused(gmem_populate(g, 0, MiB, &o, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	assert_int_equal(err.value, 257);
	assert_int_equal(err.limit, 256);
	assert_int_equal(u->n_calls, 0);
	o.threads = 256;
	t_ok(gmem_populate(g, 0, MiB, &o, &err), err);
}

static void older_and_newer_opts_are_told_apart(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_populate_opts o = { .sz = sizeof(o) };
	union unit_newer n = unit_newer(&o, sizeof(o), 0);
	struct gmem_error err;

	t_ok(gmem_populate(g, 0, MiB, (void *)&n, &err), err);
	n = unit_newer(&o, sizeof(o), 1);
	t_refused(gmem_populate(g, 0, MiB, (void *)&n, &err), -E2BIG,
		  GMEM_REASON_OPTS_NEWER, err);
	o.sz = 63;
	t_refused(gmem_populate(g, 0, MiB, &o, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	assert_int_equal(err.limit, 64);
}

/* The rest of a file that is no whole number of the least pieces, too. */
static void a_piece_that_was_interrupted_is_made_smaller(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 3 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	unit_answer(u, "fallocate", 0, 1, 1, -EINTR);
	t_ok(gmem_populate(g, 0, 3 * MiB, NULL, &err), err);
	assert_int_equal(unit_nth(u, "fallocate", 0, 1)->arg[1], 2 * MiB);
	assert_int_equal(allocated(u, g), 3 * MiB);
}

/* Pages that were touched before a signal came are touched once more. */
static void pieces_begin_where_the_least_ones_do(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 8 * MiB, SHARED_FLAGS);
	const struct unit_call *c;
	struct gmem_error err;
	unsigned int i;

	t_ok(gmem_set_private(g, 64 * KiB, 64 * KiB, &err), err);
	unit_reset(u);
	/* of the second run, after the two calls of its mapping */
	unit_answer(u, "madvise", 0, 6, 1, -EINTR);
	t_ok(gmem_populate(g, 0, 8 * MiB, NULL, &err), err);
	for (i = 0; (c = unit_nth(u, "fallocate", 0, i)); i++)
		assert_int_equal(c->arg[3] % (2 * MiB), 0);
	assert_true(i > 2);
	assert_int_equal(allocated(u, g), 8 * MiB);
}

static void what_cannot_be_mapped_is_only_allocated(void **state)
{
	static const uint64_t flags[] = { 0, GMEM_CREATE_UNBOUND };
	struct unit *u = *state;
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.flags = GMEM_POPULATE_UNCHECKED };
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		struct gmem *g = unit_create(u, MiB, flags[i]);

		t_ok(t_share(g, 0, MiB, &err), err);
		unit_reset(u);
		t_ok(gmem_populate(g, 0, MiB, &o, &err), err);
		assert_int_equal(u->n_calls, 1);
		assert_int_equal(allocated(u, g), MiB);
	}
}

/* The limit of locked memory stays what it is, however often it is tried. */
static void a_mapping_that_would_be_locked_is_tried_once(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err;

	unit_answer(u, "mmap", 0, 1, UINT32_MAX, -EAGAIN);
	t_refused(gmem_populate(g, 0, MiB, NULL, &err), -ENOMEM,
		  GMEM_REASON_LOCK_LIMIT, err);
	assert_int_equal(unit_count(u, "mmap", 0), 1);
}

static void without_memory_for_the_threads_nothing_is_done(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.flags = GMEM_POPULATE_UNCHECKED,
					.threads = 2 };
	struct gmem_error err;

	u->fail_alloc = 1;
	t_refused(gmem_populate(g, 0, MiB, &o, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	assert_int_equal(err.sys_errno, ENOMEM);
	assert_int_equal(u->n_calls, 0);
}

/* At most 256 MiB, and as many as make four a thread. */
static void threads_take_steps_of_at_most_256_mib(void **state)
{
	static const struct {
		uint64_t len, step;
	} rows[] = {
		{ 1792 * MiB, 224 * MiB },
		{ 2 * GiB, 256 * MiB },
		{ 4 * GiB, 256 * MiB },
	};
	struct unit *u = *state;
	struct gmem_populate_opts o = { .sz = sizeof(o), .threads = 2 };
	struct gmem *g = unit_create(u, 4 * GiB, GMEM_CREATE_UNBOUND);
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		unit_reset(u);
		/* no memory is taken for it */
		unit_answer(u, "fallocate", 0, 1, UINT32_MAX, 0);
		t_ok(gmem_populate(g, 0, rows[i].len, &o, &err), err);
		assert_int_equal(unit_longest(u, "fallocate"), rows[i].step);
	}
}

static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned int steps;
	bool told;
} during = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false };

/* The third step waits for the report of the first or the second. */
static void waits(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	(void)arg;
	if (strcmp(c->name, "fallocate") != 0)
		return;
	(void)pthread_mutex_lock(&during.lock);
	if (++during.steps >= 3)
		while (!during.told)
			(void)pthread_cond_wait(&during.cond, &during.lock);
	(void)pthread_mutex_unlock(&during.lock);
}

static int tells(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	assert_true(done > 0 && done <= total);
	(void)pthread_mutex_lock(&during.lock);
	during.told = true;
	(void)pthread_cond_broadcast(&during.cond);
	(void)pthread_mutex_unlock(&during.lock);
	return 0;
}

static void progress_comes_while_the_workers_run(void **state)
{
	struct unit *u = *state;
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.threads = 2,
					.progress = tells };
	struct gmem *g = unit_create(u, 64 * MiB, GMEM_CREATE_UNBOUND);
	struct gmem_error err;

	u->hook = waits;
	t_ok(gmem_populate(g, 0, 64 * MiB, &o, &err), err);
	u->hook = NULL;
	assert_true(during.told);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_gib_is_four_steps_of_two_calls, unit_default),
		TEST(what_the_host_may_not_touch_is_only_allocated,
		     unit_default),
		TEST(private_pages_between_shared_ones_are_only_allocated,
		     unit_inplace),
		TEST(shared_pages_behind_private_ones_are_touched_too,
		     unit_inplace),
		TEST(what_turned_private_meanwhile_is_named, unit_inplace),
		TEST(under_signals_the_pieces_shrink_until_one_fits,
		     unit_default),
		TEST(no_piece_is_smaller_than_2_mib, unit_default),
		TEST(a_piece_is_never_less_than_a_huge_page, unit_bare),
		TEST(again_is_tried_again, unit_default),
		TEST(each_failure_ends_it_with_what_is_done, unit_default),
		TEST(the_call_that_failed_is_named, unit_default73),
		TEST(cancel_ends_it_with_done_exact, unit_default),
		TEST(cancel_ends_what_a_storm_would_make_endless, unit_bare),
		TEST(progress_comes_in_the_callers_thread_up_to_all,
		     unit_default),
		TEST(cancel_stops_the_workers_with_done_exact, unit_default),
		TEST(the_first_failure_of_a_worker_stops_all, unit_default),
		TEST(fewer_threads_than_asked_do_it_too, unit_default),
		TEST(without_any_thread_nothing_is_done, unit_default),
		TEST(a_policy_is_the_workers_and_never_the_callers,
		     unit_default),
		TEST(a_policy_that_no_worker_can_take_is_reported,
		     unit_default),
		TEST(bad_arguments_are_refused_before_any_call, unit_default),
		TEST(older_and_newer_opts_are_told_apart, unit_default),
		TEST(a_piece_that_was_interrupted_is_made_smaller,
		     unit_default),
		TEST(a_mapping_that_would_be_locked_is_tried_once,
		     unit_default),
		TEST(without_memory_for_the_threads_nothing_is_done,
		     unit_default),
		TEST(threads_take_steps_of_at_most_256_mib, unit_default),
		TEST(progress_comes_while_the_workers_run, unit_default),
		TEST(pieces_begin_where_the_least_ones_do, unit_inplace),
		TEST(what_cannot_be_mapped_is_only_allocated, unit_inplace),
	};

	return t_main(tests);
}
