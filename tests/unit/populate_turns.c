// SPDX-License-Identifier: MIT
/* Threads that populate: who looks for room, who waits, and who wakes whom. */
#include <sched.h>

#include "unit.h"

#include "room.h"

#define MARGIN GMEM__ROOM_MARGIN
#define SIZE (64 * MiB)
#define STEP (8 * MiB) /* of two threads */
#define CGROUPS "/sys/fs/cgroup"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned int looks, steps, started, told; /* of reports */
	unsigned int looks_then; /* while the first step was under way */
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER,
	   .moved = PTHREAD_COND_INITIALIZER };

/* Adds one to @n, of .seen. */
static void count(unsigned int *n)
{
	(void)pthread_mutex_lock(&seen.lock);
	++*n;
	(void)pthread_cond_broadcast(&seen.moved);
	(void)pthread_mutex_unlock(&seen.lock);
}

static void wait_for(const unsigned int *n, unsigned int least)
{
	(void)pthread_mutex_lock(&seen.lock);
	while (*n < least)
		(void)pthread_cond_wait(&seen.moved, &seen.lock);
	(void)pthread_mutex_unlock(&seen.lock);
}

static unsigned int now(const unsigned int *n)
{
	unsigned int is;

	(void)pthread_mutex_lock(&seen.lock);
	is = *n;
	(void)pthread_mutex_unlock(&seen.lock);
	return is;
}

/* Others get every chance to do what they should not. */
static void let_others_run(void)
{
	for (int i = 0; i < 1000; i++)
		(void)sched_yield();
}

static bool looks(const struct unit_call *c, const void *arg)
{
	return !strcmp(c->name, "openat") && !strcmp(arg, "/proc/self/cgroup");
}

static int report(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	assert_true(done <= total);
	count(&seen.told);
	return 0;
}

/* By two threads, in a cgroup of which @room bytes are free. */
static int populate(struct unit *u, uint64_t room,
		    void (*hook)(struct unit *, const struct unit_call *,
				 void *))
{
	static char max[24];
	static const struct unit_told told[] = {
		{ "/proc/self/cgroup", "0::/a\n" },
		{ CGROUPS "/a/cgroup.controllers", "memory\n" },
		{ CGROUPS "/a/memory.max", max },
		{ CGROUPS "/a/memory.current", "0\n" },
		{ CGROUPS "/a/memory.stat",
		  "inactive_file 0\nactive_file 0\nslab_reclaimable 0\n" },
		{ NULL, NULL },
	};
	const struct gmem_populate_opts o = { .sz = sizeof(o),
					      .threads = 2,
					      .progress = report };
	struct gmem *g = u->g;
	int r;

	(void)snprintf(max, sizeof(max), "%llu\n", (unsigned long long)room);
	seen.looks = seen.steps = seen.started = seen.told = 0;
	seen.looks_then = 0;
	u->told = told;
	u->magic = GMEM__MAGIC_CGROUP2;
	u->hook = hook;
	u->err.sz = sizeof(u->err);
	r = gmem_populate(g, 0, SIZE, &o, &u->err);
	u->hook = NULL;
	u->told = NULL;
	assert_int_equal(u->live_threads, 0);
	return r;
}

static uint64_t there(struct unit *u)
{
	return unit_allocated(u, gmem_fd(u->g), 0, SIZE, -1);
}

/* The second look lasts until the first step has been reported. */
static void look_long(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	if (!looks(c, arg))
		return;
	count(&seen.looks);
	if (now(&seen.looks) == 2)
		wait_for(&seen.told, 1);
}

static void a_look_for_room_holds_up_no_other_thread(void **state)
{
	struct unit *u = *state;

	unit_create(u, SIZE, GMEM_CREATE_UNBOUND);
	t_ok(populate(u, GiB, look_long), u->err);
	assert_int_equal(there(u), SIZE);
}

/* The first look lasts until the other thread waits for its end. */
static void look_first(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	if (!strcmp(c->name, "clone3")) {
		count(&seen.started);
	} else if (!strcmp(c->name, "fallocate")) {
		count(&seen.steps);
		wait_for(&seen.steps, 2);
	} else if (looks(c, arg)) {
		wait_for(&seen.started, 2);
		let_others_run();
	}
}

static void who_waits_for_a_look_looks_next(void **state)
{
	struct unit *u = *state;

	unit_create(u, SIZE, GMEM_CREATE_UNBOUND);
	t_ok(populate(u, GiB, look_first), u->err);
	assert_int_equal(there(u), SIZE);
}

/* The first step lasts until the other thread found no room besides it. */
static void step_long(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	if (looks(c, arg))
		count(&seen.looks);
	if (strcmp(c->name, "fallocate") != 0)
		return;
	count(&seen.steps);
	if (now(&seen.steps) > 1)
		return;
	wait_for(&seen.looks, 2);
	let_others_run();
	(void)pthread_mutex_lock(&seen.lock);
	seen.looks_then = seen.looks;
	(void)pthread_mutex_unlock(&seen.lock);
}

static void short_of_room_a_thread_waits_for_the_other(void **state)
{
	struct unit *u = *state;

	unit_create(u, SIZE, GMEM_CREATE_UNBOUND);
	t_ok(populate(u, MARGIN + STEP, step_long), u->err);
	assert_int_equal(there(u), SIZE);
	assert_int_equal(seen.looks_then, 2);
}

static void who_waits_for_room_sees_the_other_fail(void **state)
{
	struct unit *u = *state;

	unit_create(u, SIZE, GMEM_CREATE_UNBOUND);
	unit_answer(u, "fallocate", 0, 1, 1, -ENOSPC);
	t_refused(populate(u, MARGIN + STEP, step_long), -ENOSPC,
		  GMEM_REASON_KERNEL, u->err);
	assert_int_equal(u->err.done, 0);
	assert_int_equal(seen.looks_then, 2);
	assert_int_equal(seen.steps, 1);
}

int main(void)
{
	const struct CMUnitTest turns[] = {
		TEST(a_look_for_room_holds_up_no_other_thread, unit_default),
		TEST(who_waits_for_a_look_looks_next, unit_default),
		TEST(short_of_room_a_thread_waits_for_the_other, unit_default),
		TEST(who_waits_for_room_sees_the_other_fail, unit_default),
	};

	return t_main(turns);
}
