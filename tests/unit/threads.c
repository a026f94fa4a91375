// SPDX-License-Identifier: MIT
/*
 * Several threads on one handle: disjoint conversions in parallel, overlapping
 * ones one after the other, lookups and copies at any time.  No test depends
 * on how long anything takes; waits are bounded so that a deadlock fails.
 */
#include <sched.h>
#include <time.h>

#include "unit.h"

#include "file.h"
#include "seam.h"

#define ATTRIBUTES 0x4020aed2
#define ATTRIBUTES2 0xc080aed2
#define REGION1 0x4020ae46

#define THREADS 4
#define ROUNDS 400

/* What the threads and the hook share. */
struct meet {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned int inside; /* in an ioctl at once, now and at most */
	unsigned int most;
	bool overlapped;
	struct {
		uint64_t start, end;
		pthread_t who;
	} now[THREADS + 1];
	bool done;
	pthread_t helper;
	struct gmem *g;
};

static void meet_init(struct meet *m)
{
	memset(m, 0, sizeof(*m));
	(void)pthread_mutex_init(&m->lock, NULL);
	(void)pthread_cond_init(&m->cond, NULL);
}

/* Waits for @what under the lock, at most so many seconds. */
static void wait_for(struct meet *m, unsigned int seconds,
		     bool (*what)(const struct meet *m))
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	while (!what(m) && !pthread_cond_timedwait(&m->cond, &m->lock, &until))
		;
}

static bool two_inside(const struct meet *m)
{
	return m->most >= 2;
}

static bool is_done(const struct meet *m)
{
	return m->done;
}

struct job {
	struct unit *u;
	struct gmem *g, *other;
	uint64_t offset, len, gpa;
	uint32_t slot;
	unsigned int seed;
	int result;
	uint32_t reason;
};

static void run(struct job *jobs, unsigned int n, void *(*fn)(void *))
{
	pthread_t t[8];

	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(pthread_create(&t[i], NULL, fn, &jobs[i]), 0);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
}

/* ------------------------------------------------------------- disjoint -- */

/* Each conversion waits in the kernel until there is a second one. */
static void gather(struct unit *u, const struct unit_call *c, void *arg)
{
	struct meet *m = u->hook_arg;

	(void)arg;
	if (c->request != ATTRIBUTES && c->request != ATTRIBUTES2)
		return;
	(void)pthread_mutex_lock(&m->lock);
	if (++m->inside > m->most)
		m->most = m->inside;
	(void)pthread_cond_broadcast(&m->cond);
	wait_for(m, 120, two_inside);
	m->inside--;
	(void)pthread_mutex_unlock(&m->lock);
}

static void *share(void *arg)
{
	struct job *j = arg;

	j->result = t_share(j->g, j->offset, j->len, NULL);
	return NULL;
}

static void disjoint_conversions_are_in_the_kernel_at_once(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * MiB, 0);
	struct job jobs[2] = { { .g = g, .len = 1 * MiB },
			       { .g = g, .offset = 1 * MiB, .len = 1 * MiB } };
	struct meet m;

	meet_init(&m);
	unit_bind(u, g, 0, 0);
	u->hook = gather;
	u->hook_arg = &m;
	run(jobs, 2, share);
	u->hook = NULL;
	assert_int_equal(m.most, 2);
	assert_int_equal(jobs[0].result, 0);
	assert_int_equal(jobs[1].result, 0);
	unit_same(u, g, 0);
}

/* ---------------------------------------------------------- overlapping -- */

static void enter(struct unit *u, const struct unit_call *c, void *arg)
{
	struct meet *m = u->hook_arg;
	const struct gmem__attributes *a = arg;
	size_t i = 0;

	if (c->request != ATTRIBUTES && c->request != ATTRIBUTES2)
		return;
	(void)pthread_mutex_lock(&m->lock);
	for (size_t k = 0; k < T_ARRAY_SIZE(m->now); k++)
		m->overlapped |= m->now[k].end &&
				 m->now[k].start < a->address + a->size &&
				 a->address < m->now[k].end;
	while (m->now[i].end)
		i++;
	m->now[i].start = a->address;
	m->now[i].end = a->address + a->size;
	m->now[i].who = pthread_self();
	(void)pthread_mutex_unlock(&m->lock);
	/* long enough for another one to come in, if it is let in */
	(void)nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}

/* The trace comes after the ioctl, in the thread that made it. */
static void leave(void *arg, const struct gmem_trace *ev)
{
	struct meet *m = arg;

	if (strncmp(ev->call, "KVM_SET_MEMORY_ATTRIBUTES", 25) != 0)
		return;
	(void)pthread_mutex_lock(&m->lock);
	for (size_t k = 0; k < T_ARRAY_SIZE(m->now); k++)
		if (m->now[k].end &&
		    pthread_equal(m->now[k].who, pthread_self()))
			m->now[k].end = 0;
	(void)pthread_mutex_unlock(&m->lock);
}

static void *convert_at_random(void *arg)
{
	struct job *j = arg;
	unsigned int s = j->seed;

	for (unsigned int i = 0; i < ROUNDS && !j->result; i++) {
		uint64_t pages = gmem_size(j->g) / PAGE, at, n;

		s = s * 1103515245 + 12345;
		at = (s >> 8) % pages;
		s = s * 1103515245 + 12345;
		n = 1 + (s >> 8) % (pages - at);
		j->result = t_attributes(j->g, at * PAGE, n * PAGE,
					 s >> 30 & 1 ? GMEM_ATTRIBUTE_PRIVATE
						     : GMEM_ATTRIBUTE_SHARED,
					 NULL);
	}
	return NULL;
}

static void *look_and_copy(void *arg)
{
	struct job *j = arg;
	struct gmem_error err = { .sz = sizeof(err) };
	char b[64];

	for (unsigned int i = 0; i < ROUNDS && !j->result; i++) {
		uint64_t at = i * PAGE % gmem_size(j->g), a = 1, n = 0;
		int r = gmem_get_attributes(j->g, at, PAGE, &a, &n, NULL);

		if (r || n != PAGE ||
		    (a != GMEM_ATTRIBUTE_PRIVATE && a != GMEM_ATTRIBUTE_SHARED))
			j->result = 1;
		if (!(gmem_flags(j->g) & GMEM_CREATE_MMAP))
			continue;
		r = gmem_read(j->g, at, b, sizeof(b), &err);
		if (r && (r != -EACCES || err.reason != GMEM_REASON_PRIVATE))
			j->result = 2;
	}
	return NULL;
}

static void *mixed(void *arg)
{
	struct job *j = arg;

	return j->seed ? convert_at_random(arg) : look_and_copy(arg);
}

static void
overlapping_conversions_are_never_in_the_kernel_at_once(void **state)
{
	struct unit *u = *state;
	struct meet m;
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = GMEM_VM_SW_PROTECTED,
				  .trace = leave,
				  .trace_arg = &m };
	struct job jobs[THREADS] = { 0 };
	struct gmem_error err;
	struct gmem *g;

	meet_init(&m);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	t_ok(gmem__vm_open_on(&unit_sys, u, &o, &u->vm, &err), err);
	g = unit_create(u, 256 * KiB, unit_in_place(u) ? GMEM_CREATE_MMAP : 0);
	unit_bind(u, g, 0, 0);
	u->hook = enter;
	u->hook_arg = &m;
	for (unsigned int i = 0; i < THREADS; i++)
		jobs[i] = (struct job){ .u = u, .g = g, .seed = i };
	run(jobs, THREADS, mixed);
	u->hook = NULL;
	assert_false(m.overlapped);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(jobs[i].result, 0);
	unit_same(u, g, 0);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL; /* before @m goes */
}

/* ----------------------------------------------------- unbind and bind -- */

static void *unbind(void *arg)
{
	struct job *j = arg;

	j->result = gmem_unbind(j->g->vm, j->slot, 0, 0, NULL);
	return NULL;
}

/* Starts an unbind from within a conversion; the deletion must come after. */
static void unbind_meanwhile(struct unit *u, const struct unit_call *c,
			     void *arg)
{
	struct meet *m = u->hook_arg;
	static struct job j;

	(void)arg;
	(void)pthread_mutex_lock(&m->lock);
	if (c->request == REGION1) {
		m->overlapped |= m->inside;
	} else if (c->request == ATTRIBUTES && !m->most) {
		m->most = 1;
		m->inside = 1;
		j = (struct job){ .g = m->g };
		m->done = !pthread_create(&m->helper, NULL, unbind, &j);
		(void)pthread_mutex_unlock(&m->lock);
		for (int i = 0; i < 1000; i++)
			(void)sched_yield();
		(void)pthread_mutex_lock(&m->lock);
		m->inside = 0;
	}
	(void)pthread_mutex_unlock(&m->lock);
}

static void unbind_waits_for_conversions_in_its_slot(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;
	struct meet m;
	uint64_t a;

	meet_init(&m);
	m.g = g;
	unit_bind(u, g, 0, 0);
	u->hook = unbind_meanwhile;
	u->hook_arg = &m;
	t_ok(t_share(g, 0, 1 * MiB, &err), err);
	assert_true(m.done);
	assert_int_equal(pthread_join(m.helper, NULL), 0);
	u->hook = NULL;
	assert_false(m.overlapped);
	assert_null(unit_slot(u, 0));
	t_ok(gmem_get_attributes(g, 0, 1 * MiB, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_UNSET);
}

/* ---- a slot that moved in the file while its unbind was waiting -- */

static struct job late;

static void *unbind_late(void *arg)
{
	struct meet *m = arg;

	(void)unbind(&late);
	(void)pthread_mutex_lock(&m->lock);
	m->done = true;
	(void)pthread_cond_broadcast(&m->cond);
	(void)pthread_mutex_unlock(&m->lock);
	return NULL;
}

enum {
	CONVERTS_FIRST,
	MOVES,
	CONVERTS_AGAIN
};

static void phase(struct meet *m, unsigned int now)
{
	(void)pthread_mutex_lock(&m->lock);
	m->most = now;
	(void)pthread_mutex_unlock(&m->lock);
}

/*
 * The first conversion starts an unbind, which has to wait for it.  No slot
 * may go during the second one, which gives that unbind time.
 */
static void unbind_between(struct unit *u, const struct unit_call *c, void *arg)
{
	struct meet *m = u->hook_arg;
	bool mine = pthread_equal(m->now[0].who, pthread_self());

	(void)arg;
	(void)pthread_mutex_lock(&m->lock);
	if (c->request == REGION1) {
		m->overlapped |= m->inside;
	} else if (c->request == ATTRIBUTES && mine && m->most != MOVES) {
		m->inside = m->most == CONVERTS_AGAIN;
		if (!m->inside)
			(void)pthread_create(&m->helper, NULL, unbind_late, m);
		(void)pthread_mutex_unlock(&m->lock);
		for (int i = 0; i < 1000; i++)
			(void)sched_yield();
		(void)pthread_mutex_lock(&m->lock);
		if (m->inside)
			wait_for(m, 1, is_done); /* or it waits for this one */
		m->inside = 0;
	}
	(void)pthread_mutex_unlock(&m->lock);
}

static void an_unbind_takes_no_slot_that_came_meanwhile(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * MiB, 0);
	struct gmem_error err;

	for (int i = 0; i < 10; i++) {
		struct meet m;
		int r;

		meet_init(&m);
		m.now[0].who = pthread_self();
		late = (struct job){ .g = g };
		t_ok(t_bind(g, 0, 0, 0, 1 * MiB, NULL, &err), err);
		u->hook = unbind_between;
		u->hook_arg = &m;
		t_ok(t_share(g, 0, 1 * MiB, &err), err);
		phase(&m, MOVES);
		r = gmem_unbind(u->vm, 0, 0, 0, NULL);
		assert_true(r == 0 || r == -EINVAL);
		t_ok(t_bind(g, 0, 0, 1 * MiB, 1 * MiB, NULL, &err), err);
		phase(&m, CONVERTS_AGAIN);
		t_ok(t_share(g, 1 * MiB, 1 * MiB, &err), err);
		assert_int_equal(pthread_join(m.helper, NULL), 0);
		u->hook = NULL;
		assert_false(m.overlapped);
		/* it is still there unless its own unbind came late */
		assert_int_equal(gmem_unbind(u->vm, 0, 0, 0, NULL),
				 r == 0 && late.result == 0 ? -EINVAL : 0);
	}
}

static struct job rivals[2];

/* Starts two unbinds of one slot from within a conversion there. */
static void two_unbinds_meanwhile(struct unit *u, const struct unit_call *c,
				  void *arg)
{
	pthread_t *t = u->hook_arg;

	(void)arg;
	if (c->request != ATTRIBUTES || rivals[0].seed)
		return;
	rivals[0].seed = 1;
	for (int i = 0; i < 2; i++)
		(void)pthread_create(&t[i], NULL, unbind, &rivals[i]);
	for (int i = 0; i < 1000; i++)
		(void)sched_yield();
}

static void of_two_unbinds_of_one_slot_one_wins(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;
	pthread_t t[2];

	unit_bind(u, g, 0, 0);
	rivals[0] = rivals[1] = (struct job){ .g = g };
	u->hook = two_unbinds_meanwhile;
	u->hook_arg = t;
	t_ok(t_share(g, 0, PAGE, &err), err);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	u->hook = NULL;
	assert_int_equal(rivals[0].result + rivals[1].result, -EINVAL);
	assert_int_equal(rivals[0].result * rivals[1].result, 0);
	/* the loser left nothing busy */
	t_ok(t_bind(g, 0, 0, 0, 1 * MiB, NULL, &err), err);
}

static void *bind_it(void *arg)
{
	struct job *j = arg;
	struct gmem_error err = { .sz = sizeof(err) };

	j->result =
		t_bind(j->g, j->slot, j->gpa, j->offset, j->len, NULL, &err);
	j->reason = err.reason;
	return NULL;
}

static void of_two_binds_of_one_slot_one_wins(void **state)
{
	struct unit *u = *state;
	struct gmem *a = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem *b = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;

	for (unsigned int i = 0; i < 100; i++) {
		struct job jobs[2] = { { .g = a, .len = 64 * KiB },
				       { .g = b, .len = 64 * KiB } };
		int won;

		run(jobs, 2, bind_it);
		won = jobs[0].result == 0 ? 0 : 1;
		assert_int_equal(jobs[won].result, 0);
		assert_int_equal(jobs[!won].result, -EEXIST);
		assert_int_equal(jobs[!won].reason, GMEM_REASON_SLOT_IN_USE);
		t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	}
}

/* ---- a reset that a bind retries, and a second bind under the same one -- */

static struct job second;

static void *bind_second(void *arg)
{
	struct meet *m = arg;

	(void)bind_it(&second);
	(void)pthread_mutex_lock(&m->lock);
	m->done = true;
	(void)pthread_cond_broadcast(&m->cond);
	(void)pthread_mutex_unlock(&m->lock);
	return NULL;
}

/* In the middle of the retried reset another thread binds below it. */
static void bind_meanwhile(struct unit *u, const struct unit_call *c, void *arg)
{
	struct meet *m = u->hook_arg;

	(void)arg;
	(void)pthread_mutex_lock(&m->lock);
	if (c->request == ATTRIBUTES && !m->most) {
		m->most = 1;
		(void)pthread_create(&m->helper, NULL, bind_second, m);
		wait_for(m, 1, is_done); /* right when it does not come */
	}
	(void)pthread_mutex_unlock(&m->lock);
}

static void a_retried_reset_does_not_undo_another_bind(void **state)
{
	struct unit *u = *state;
	struct gmem *old = unit_create(u, 2 * MiB, 0);
	struct gmem *a = unit_create(u, 1 * MiB, 0);
	struct gmem *b = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;
	struct meet m;

	meet_init(&m);
	unit_bind(u, old, 0, 0);
	unit_answer(u, "ioctl", ATTRIBUTES, 1, 1, -ENOMEM);
	t_refused(gmem_unbind(u->vm, 0, 0, 0, &err), -EIO,
		  GMEM_REASON_RESET_PENDING, err);
	second = (struct job){
		.g = b, .slot = 2, .gpa = 1 * MiB, .len = 1 * MiB
	};
	u->hook = bind_meanwhile;
	u->hook_arg = &m;
	t_ok(t_bind(a, 1, 0, 0, 1 * MiB, NULL, &err), err);
	assert_int_equal(m.most, 1);
	assert_int_equal(pthread_join(m.helper, NULL), 0);
	u->hook = NULL;
	assert_int_equal(second.result, 0);
	unit_same(u, a, 0);
	unit_same(u, b, 1 * MiB);
}

/* ----------------------------------------------------------- the rest -- */

static void *read_first(void *arg)
{
	struct job *j = arg;
	char b[8];

	j->result = gmem_read(j->g, 0, b, sizeof(b), NULL);
	return NULL;
}

static void first_copies_in_two_threads_leave_no_mapping(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;

	for (unsigned int i = 0; i < 50; i++) {
		struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
		struct job jobs[THREADS];
		unsigned int maps = 0;

		for (unsigned int k = 0; k < THREADS; k++)
			jobs[k] = (struct job){ .g = g };
		run(jobs, THREADS, read_first);
		for (unsigned int k = 0; k < THREADS; k++)
			assert_int_equal(jobs[k].result, 0);
		for (unsigned int k = 0; k < UNIT_MAPS; k++)
			maps += u->maps[k].addr && u->maps[k].fd == gmem_fd(g);
		assert_int_equal(maps, 0);
		t_ok(gmem_close(g, &err), err);
	}
}

static void *make_map_close(void *arg)
{
	struct job *j = arg;
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = SHARED_FLAGS };

	for (unsigned int i = 0; i < 100 && !j->result; i++) {
		struct gmem *g = NULL;
		void *p = NULL;
		int r = gmem_create(j->u->vm, 64 * KiB, &o, &g, NULL);

		if (!r)
			r = t_bind(g, j->slot, j->slot * MiB, 0, 64 * KiB, NULL,
				   NULL);
		if (!r)
			r = gmem_mmap(g, 0, PAGE, NULL, &p, NULL);
		if (!r)
			r = gmem_munmap(g, p, NULL);
		if (!r)
			r = gmem_unbind(g->vm, j->slot, 0, 0, NULL);
		j->result = r ? r : gmem_close(g, NULL);
	}
	return NULL;
}

static void files_come_and_go_in_all_threads(void **state)
{
	struct unit *u = *state;
	struct job jobs[THREADS];
	struct gmem_error err;

	for (unsigned int i = 0; i < THREADS; i++)
		jobs[i] = (struct job){ .u = u, .slot = i };
	run(jobs, THREADS, make_map_close);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(jobs[i].result, 0);
	t_ok(gmem_vm_close(u->vm, &err), err);
	u->vm = NULL;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(disjoint_conversions_are_in_the_kernel_at_once, unit_sw),
		TEST(disjoint_conversions_are_in_the_kernel_at_once,
		     unit_inplace),
		TEST(overlapping_conversions_are_never_in_the_kernel_at_once,
		     unit_sw),
		TEST(overlapping_conversions_are_never_in_the_kernel_at_once,
		     unit_inplace),
		TEST(unbind_waits_for_conversions_in_its_slot, unit_sw),
		TEST(an_unbind_takes_no_slot_that_came_meanwhile, unit_sw),
		TEST(of_two_unbinds_of_one_slot_one_wins, unit_sw),
		TEST(of_two_binds_of_one_slot_one_wins, unit_default),
		TEST(a_retried_reset_does_not_undo_another_bind, unit_sw),
		TEST(first_copies_in_two_threads_leave_no_mapping,
		     unit_default),
		TEST(files_come_and_go_in_all_threads, unit_default),
	};

	return t_main(tests);
}
