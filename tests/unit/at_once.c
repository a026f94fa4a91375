// SPDX-License-Identifier: MIT
/*
 * Two threads that are at the same place at the same time: the hook holds each
 * in a system call until the other one is there.  What they share without a
 * lock is found under the thread sanitizer, since nothing else orders them.
 */
#include <pthread.h>

#include "unit.h"

#define REGION1 0x4020ae46
#define REGION2 0x40a0ae49

struct worker {
	struct unit *m;
	struct gmem *g;
	uint32_t slot;
	int r;
	pthread_t thread;
};

static struct {
	pthread_barrier_t both;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool late, done;
} at;

static void *bind(void *arg)
{
	struct worker *w = arg;

	w->r = t_bind(w->g, w->slot, w->slot * GiB, w->slot * MiB, 1 * MiB,
		      NULL, NULL);
	return NULL;
}

static void *unbind(void *arg)
{
	struct worker *w = arg;

	w->r = gmem_unbind(w->m->vm, w->slot, 0, 0, NULL);
	return NULL;
}

static void run(struct unit *m, struct worker w[2], void *(*fn)(void *))
{
	for (uint32_t i = 0; i < 2; i++) {
		w[i] = (struct worker){ .m = m, .g = m->g, .slot = i };
		assert_int_equal(pthread_create(&w[i].thread, NULL, fn, &w[i]),
				 0);
	}
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
	m->hook = NULL;
}

static void start(struct unit *m,
		  void (*hook)(struct unit *, const struct unit_call *, void *))
{
	memset(&at, 0, sizeof(at));
	assert_int_equal(pthread_barrier_init(&at.both, NULL, 2), 0);
	(void)pthread_mutex_init(&at.lock, NULL);
	(void)pthread_cond_init(&at.cond, NULL);
	m->hook = hook;
}

static void in_mmap_and_in_the_ioctl(struct unit *m, const struct unit_call *c,
				     void *arg)
{
	(void)m;
	(void)arg;
	if (!strcmp(c->name, "mmap") || c->request == REGION2)
		(void)pthread_barrier_wait(&at.both);
}

static void of_two_that_map_a_file_one_mapping_stays(void **state)
{
	struct unit *m = *state;
	unsigned int maps = unit_mappings(m);
	struct gmem_slot s[2] = { { .sz = sizeof(s[0]) },
				  { .sz = sizeof(s[1]) } };
	struct worker w[2];

	unit_create(m, 2 * MiB, unit_in_place(m) ? SHARED_FLAGS : 0);
	maps = unit_mappings(m);
	start(m, in_mmap_and_in_the_ioctl);
	run(m, w, bind);
	for (uint32_t i = 0; i < 2; i++) {
		t_code(w[i].r, 0);
		t_ok(gmem_slot_get(m->vm, i, 0, &s[i], &m->err), m->err);
	}
	assert_int_equal(s[1].userspace_addr, s[0].userspace_addr + 1 * MiB);
	assert_int_equal(unit_mappings(m), maps + 1);
}

static void set(bool *what)
{
	(void)pthread_mutex_lock(&at.lock);
	*what = true;
	(void)pthread_cond_broadcast(&at.cond);
	(void)pthread_mutex_unlock(&at.lock);
}

static void wait_for(const bool *what)
{
	(void)pthread_mutex_lock(&at.lock);
	while (!*what)
		(void)pthread_cond_wait(&at.cond, &at.lock);
	(void)pthread_mutex_unlock(&at.lock);
}

static bool is(const bool *what)
{
	bool r;

	(void)pthread_mutex_lock(&at.lock);
	r = *what;
	(void)pthread_mutex_unlock(&at.lock);
	return r;
}

/* Who comes second unmaps its own, and has no slot before the first is gone. */
static void late(struct unit *m, const struct unit_call *c, void *arg)
{
	(void)m;
	(void)arg;
	if (!strcmp(c->name, "mmap")) {
		(void)pthread_barrier_wait(&at.both);
	} else if (!strcmp(c->name, "munmap") && !is(&at.late)) {
		set(&at.late);
		wait_for(&at.done);
	}
}

static void *bind_and_unbind(void *arg)
{
	struct worker *w = arg;

	(void)bind(w);
	if (is(&at.done))
		return NULL;
	wait_for(&at.late);
	if (w->r >= 0)
		(void)unbind(w);
	set(&at.done);
	return NULL;
}

static void a_reservation_waits_for_a_bind_that_will_use_it(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s) };
	struct worker w[2];
	uint32_t slot;
	bool there = false;

	unit_create(m, 2 * MiB, 0);
	start(m, late);
	run(m, w, bind_and_unbind);
	t_code(w[0].r, 0);
	t_code(w[1].r, 0);
	slot = gmem_slot_get(m->vm, 0, 0, &s, NULL) < 0;
	t_ok(gmem_slot_get(m->vm, slot, 0, &s, &m->err), m->err);
	for (size_t i = 0; i < UNIT_MAPS; i++)
		there |= m->maps[i].addr && m->maps[i].len == 2 * MiB &&
			 (uintptr_t)m->maps[i].addr + slot * MiB ==
				 s.userspace_addr;
	assert_true(there);
}

static void in_the_deletion(struct unit *m, const struct unit_call *c,
			    void *arg)
{
	(void)m;
	(void)arg;
	if (c->request == REGION1)
		(void)pthread_barrier_wait(&at.both);
}

/* Its slot is put among those that stay while the other one's is not there. */
static void of_two_unbinds_one_can_fail(void **state)
{
	struct unit *m = *state;
	struct worker w[2];

	unit_create(m, 2 * MiB, 0);
	for (uint32_t i = 0; i < 2; i++) {
		w[0] = (struct worker){ .g = m->g, .slot = i };
		(void)bind(w);
	}
	unit_answer(m, "ioctl", REGION1, 1, 1, -ENOMEM);
	start(m, in_the_deletion);
	run(m, w, unbind);
	assert_int_equal(w[0].r + w[1].r, -ENOMEM);
	t_ok(gmem_close(m->g, &m->err), m->err);
}

/* ------------------------------------- one after the other, and no order -- */

/* Without a lock: only that it was earlier. */
static int first_is_done;

static void *read_byte(void *arg)
{
	struct worker *w = arg;
	char c;

	if (w->slot == 1)
		unit_await(&first_is_done, 1);
	w->r = gmem_read(w->g, 0, &c, 1, NULL);
	unit_tell(&first_is_done, 1);
	return NULL;
}

static void *bind_or_read(void *arg)
{
	struct worker *w = arg;

	if (w->slot == 1)
		return read_byte(w);
	(void)bind(w);
	unit_tell(&first_is_done, 1);
	return NULL;
}

static void a_copy_uses_the_mapping_of_a_bind_in_another_thread(void **state)
{
	struct unit *m = *state;
	struct worker w[2];

	unit_create(m, 2 * MiB, SHARED_FLAGS);
	unit_reset(m);
	first_is_done = 0;
	run(m, w, bind_or_read);
	t_code(w[0].r, 0);
	t_code(w[1].r, 0);
	assert_int_equal(unit_count(m, "mmap", 0), 1);
}

static void what_one_thread_could_not_unmap_the_next_one_does(void **state)
{
	struct unit *m = *state;
	unsigned int maps;
	struct worker w[2];

	unit_create(m, 2 * MiB, SHARED_FLAGS);
	maps = unit_mappings(m);
	unit_reset(m);
	unit_answer(m, "munmap", 0, 1, 1, -ENOMEM);
	first_is_done = 0;
	run(m, w, read_byte);
	t_code(w[0].r, 0);
	t_code(w[1].r, 0);
	assert_int_equal(unit_mappings(m), maps);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(of_two_that_map_a_file_one_mapping_stays, unit_sw),
		TEST(of_two_that_map_a_file_one_mapping_stays, unit_inplace),
		TEST(a_reservation_waits_for_a_bind_that_will_use_it, unit_sw),
		TEST(of_two_unbinds_one_can_fail, unit_sw),
		TEST(a_copy_uses_the_mapping_of_a_bind_in_another_thread,
		     unit_default),
		TEST(what_one_thread_could_not_unmap_the_next_one_does,
		     unit_default),
	};

	return t_main(tests);
}
