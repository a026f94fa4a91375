// SPDX-License-Identifier: MIT
/*
 * Mapping, unmapping and binding in several threads at once: no address is
 * taken twice, and nobody's mapping goes with another's.
 */
#include <sched.h>
#include <sys/mman.h>

#include "unit.h"

#define THREADS 4
#define ROUNDS 150
#define ROOM 6 /* pages */

struct job {
	struct unit *u;
	struct gmem *g, *other;
	unsigned char *room;
	unsigned int id, got, wrong;
};

static void run(struct job *jobs, void *(*fn)(void *))
{
	pthread_t t[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		jobs[i].id = i;
		assert_int_equal(pthread_create(&t[i], NULL, fn, &jobs[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(jobs[i].wrong, 0);
}

/* The byte that the kernel finds there, or -errno: no signal. */
static int seen(struct job *j, const unsigned char *p)
{
	unsigned char b;
	int64_t r = model__sys.vm_read(j->u->k, &b, p, 1);

	return r == 1 ? b : (int)r;
}

/* A page of one of two files, which has the thread's number. */
static void *take_room(void *arg)
{
	struct job *j = arg;
	struct gmem_mmap_opts o = { .sz = sizeof(o), .flags = GMEM_MMAP_FIXED };
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t page = j->u->page;
	unsigned int s = j->id;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct gmem *g = s & 1 ? j->g : j->other;
		void *p = NULL;
		int r;

		s = s * 1103515245 + 12345;
		o.addr = j->room + (s >> 16) % ROOM * page;
		r = gmem_mmap(g, j->id * page, page, &o, &p, &err);
		if (r < 0) {
			j->wrong += r != -EBUSY ||
				    err.reason != GMEM_REASON_STILL_MAPPED;
			continue;
		}
		j->got++;
		j->wrong += seen(j, p) != (int)(j->id + 1);
		(void)sched_yield();
		j->wrong += seen(j, p) != (int)(j->id + 1);
		j->wrong += gmem_munmap(g, p, &err) != 0;
	}
	return NULL;
}

static void number(struct unit *u, struct gmem *g)
{
	for (unsigned int i = 0; i < gmem_size(g) / u->page; i++) {
		unsigned char b = (unsigned char)(i + 1);
		struct gmem_error err;

		t_ok(gmem_write(g, i * u->page, &b, 1, &err), err);
	}
}

static void no_address_is_taken_twice(void **state)
{
	struct unit *u = *state;
	struct gmem *other = unit_create(u, 8 * u->page, SHARED_FLAGS);
	struct gmem *g = unit_create(u, 8 * u->page, SHARED_FLAGS);
	unsigned char *room = mmap(NULL, ROOM * u->page, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char there[ROOM];
	struct job jobs[THREADS];
	unsigned int got = 0;
	struct gmem_error err;

	number(u, g);
	number(u, other);
	for (unsigned int i = 0; i < THREADS; i++)
		jobs[i] = (struct job){
			.u = u, .g = g, .other = other, .room = room
		};
	run(jobs, take_room);
	for (unsigned int i = 0; i < THREADS; i++)
		got += jobs[i].got;
	assert_true(got >= THREADS); /* some were refused, not all */
	assert_int_equal(mincore(room, ROOM * u->page, there), 0);
	for (unsigned int i = 0; i < ROOM; i++)
		assert_int_equal(seen(&jobs[0], room + i * u->page), -EFAULT);
	t_ok(gmem_close(g, &err), err);
	t_ok(gmem_close(other, &err), err);
	assert_int_equal(munmap(room, ROOM * u->page), 0);
}

/* Each binds a page of its own, and maps pages of all of them. */
static void *map_and_bind(void *arg)
{
	struct job *j = arg;
	uint64_t page = j->u->page, at;
	struct gmem_error err = { .sz = sizeof(err) };
	unsigned int s = j->id;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		void *p = NULL, *q = NULL;
		bool bind;

		s = s * 1103515245 + 12345;
		at = (s >> 16) % 8;
		bind = s >> 24 & 1;
		if (bind)
			j->wrong += t_bind(j->g, j->id, j->id * page,
					   j->id * page, page, NULL, &err) != 0;
		j->wrong += gmem_mmap(j->g, at * page, page, NULL, &p, &err);
		j->wrong += gmem_mmap(j->g, 0, 8 * page, NULL, &q, &err);
		if (j->wrong)
			break;
		if (bind)
			j->wrong += gmem_unbind(j->u->vm, j->id, 0, 0, &err);
		j->wrong += seen(j, p) != (int)at + 1;
		j->wrong += gmem_munmap(j->g, p, &err) != 0;
		j->wrong +=
			seen(j, (unsigned char *)q + at * page) != (int)at + 1;
		j->wrong += gmem_munmap(j->g, q, &err) != 0;
	}
	return NULL;
}

static void nobodys_mapping_goes_with_anothers(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;

	/* each time it is a race for the first bind */
	for (unsigned int i = 0; i < 4; i++) {
		struct gmem *g = unit_create(u, 8 * u->page, SHARED_FLAGS);
		struct job jobs[THREADS];

		number(u, g);
		for (unsigned int k = 0; k < THREADS; k++)
			jobs[k] = (struct job){ .u = u, .g = g };
		run(jobs, map_and_bind);
		t_ok(gmem_close(g, &err), err);
		assert_int_equal(unit_file_mappings(u), 0);
	}
}

/* Files come and go while others look for addresses that are in use. */
static void *come_and_go(void *arg)
{
	struct job *j = arg;
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = SHARED_FLAGS };
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t page = j->u->page;
	struct gmem *g;
	void *p;

	if (j->id & 1)
		return take_room(arg);
	for (unsigned int i = 0; i < ROUNDS / 2; i++) {
		if (gmem_create(j->u->vm, 8 * page, &o, &g, &err) < 0) {
			j->wrong++;
			break;
		}
		j->wrong += t_bind(g, j->id, j->id * page, 0, page, NULL,
				   &err) != 0;
		j->wrong += gmem_mmap(g, 0, page, NULL, &p, &err) != 0;
		j->wrong += gmem_munmap(g, p, &err) != 0;
		j->wrong += gmem_unbind(j->u->vm, j->id, 0, 0, &err) != 0;
		j->wrong += gmem_close(g, &err) != 0;
	}
	return NULL;
}

static void files_come_and_go_meanwhile(void **state)
{
	struct unit *u = *state;
	struct gmem *other = unit_create(u, 8 * u->page, SHARED_FLAGS);
	struct gmem *g = unit_create(u, 8 * u->page, SHARED_FLAGS);
	unsigned char *room = mmap(NULL, ROOM * u->page, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct job jobs[THREADS];

	number(u, g);
	number(u, other);
	for (unsigned int i = 0; i < THREADS; i++)
		jobs[i] = (struct job){
			.u = u, .g = g, .other = other, .room = room
		};
	run(jobs, come_and_go);
	assert_int_equal(munmap(room, ROOM * u->page), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(no_address_is_taken_twice, unit_default),
		TEST(nobodys_mapping_goes_with_anothers, unit_default),
		TEST(files_come_and_go_meanwhile, unit_default),
	};

	return t_main(tests);
}
