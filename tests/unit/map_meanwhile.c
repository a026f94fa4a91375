// SPDX-License-Identifier: MIT
/*
 * Another thread binds, maps, unmaps or notes right before a call of
 * gmem_mmap() or in the middle of it.  The two tell each other by stores that
 * order nothing else, so that the thread sanitizer sees whether the library's
 * locks do.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "unit.h"

#define PAGES 16

static struct {
	struct unit *m;
	struct gmem *g;
	unsigned char *room;
	void (*fn)(void);
	pthread_t thread;
	int order; /* atomic: 1 = begin, 2 = done */
	bool told;
} w;

static void *other_thread(void *arg)
{
	(void)arg;
	unit_await(&w.order, 1);
	w.fn();
	unit_tell(&w.order, 2);
	return NULL;
}

static void tell(void)
{
	w.told = true;
	unit_tell(&w.order, 1);
	unit_await(&w.order, 2);
}

static void start(struct unit *m, void (*fn)(void))
{
	w.fn = fn;
	w.order = 0;
	w.told = false;
	assert_int_equal(pthread_create(&w.thread, NULL, other_thread, NULL),
			 0);
	m->err = GMEM_INIT(struct gmem_error);
}

/* The thread ends where the call never came to what is hooked, too. */
static void join(void)
{
	bool told = w.told;

	if (!told)
		tell();
	assert_int_equal(pthread_join(w.thread, NULL), 0);
	if (!told)
		fail_msg("the call makes none of the system calls at which "
			 "another thread was to come");
}

static void setup(struct unit *m)
{
	void *p = mmap(NULL, PAGES * m->page, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(p != MAP_FAILED);
	w.m = m;
	w.room = p;
	w.g = unit_create(m, PAGES * m->page, SHARED_FLAGS);
}

static void end(struct unit *m)
{
	t_ok(gmem_close(w.g, &m->err), m->err);
	assert_int_equal(munmap(w.room, PAGES * m->page), 0);
}

static int map_at(uint64_t page)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o),
				    .flags = GMEM_MMAP_FIXED,
				    .addr = w.room + page * w.m->page };
	void *p;

	return gmem_mmap(w.g, 0, 2 * w.m->page, &o, &p, NULL);
}

static int unmap_at(uint64_t page)
{
	return gmem_munmap(w.g, w.room + page * w.m->page, NULL);
}

static void binds(void)
{
	(void)!t_bind(w.g, 0, GiB, 0, PAGES * w.m->page, NULL, NULL);
}

static void a_view_that_came_meanwhile_is_seen(void **state)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	struct unit *m = *state;
	void *p = NULL;
	int r;

	setup(m);
	start(m, binds);
	tell();
	r = gmem_mmap(w.g, 0, m->page, NULL, &p, NULL);
	join();
	assert_int_equal(r, 0);
	t_ok(gmem_slot_get(m->vm, 0, 0, &s, &m->err), m->err);
	assert_int_equal((uintptr_t)p, s.userspace_addr);
	assert_int_equal(gmem_munmap(w.g, p, NULL), 0);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	end(m);
}

static int unmapped;

static void unmaps(void)
{
	unmapped = unmap_at(0);
}

static void at_madvise(struct unit *m, const struct unit_call *c, void *arg)
{
	(void)m;
	(void)arg;
	if (!w.told && !strcmp(c->name, "madvise"))
		tell();
}

static void nobody_unmaps_what_is_not_mapped_yet(void **state)
{
	struct unit *m = *state;
	int r;

	setup(m);
	start(m, unmaps);
	m->hook = at_madvise;
	r = map_at(0);
	m->hook = NULL;
	join();
	assert_int_equal(r, 0);
	assert_int_equal(unmapped, -EINVAL);
	assert_int_equal(unmap_at(0), 0);
	end(m);
}

static void *mapped;

static void maps(void)
{
	(void)!gmem_mmap(w.g, 0, w.m->page, NULL, &mapped, NULL);
}

static void another_mapping_may_come_meanwhile(void **state)
{
	struct unit *m = *state;
	int r;

	setup(m);
	mapped = NULL;
	start(m, maps);
	tell();
	r = map_at(5);
	join();
	assert_int_equal(r, 0);
	assert_int_equal(gmem_munmap(w.g, mapped, NULL), 0);
	assert_int_equal(unmap_at(5), 0);
	end(m);
}

static void notes(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct gmem_slot s = {
			.sz = sizeof(s),
			.slot = 1 + i,
			.gpa = (1 + i) * GiB,
			.len = w.m->page,
			.userspace_addr = (uintptr_t)w.room + i * 2 * w.m->page,
		};

		(void)!gmem_slot_note(w.m->vm, &s, NULL);
	}
}

/* The mapping worked, and its undo did not: it is put back when it can be. */
static void a_slot_that_came_meanwhile_leads_to_what_is_owed(void **state)
{
	struct unit *m = *state;
	int r;

	setup(m);
	unit_answer(m, "madvise", 0, 1, 1, -EINVAL);
	unit_answer(m, "mmap", 0, 2, 2, -ENOMEM);
	assert_int_equal(map_at(0), -EINVAL);
	unit_reset(m);
	start(m, notes);
	tell();
	r = map_at(1);
	join();
	assert_int_equal(r, -EBUSY);
	for (uint32_t i = 1; i < 3; i++)
		t_ok(gmem_slot_forget(m->vm, i, 0, &m->err), m->err);
	assert_int_equal(map_at(1), 0);
	assert_int_equal(unmap_at(1), 0);
	end(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_view_that_came_meanwhile_is_seen, unit_default),
		TEST(nobody_unmaps_what_is_not_mapped_yet, unit_default),
		TEST(another_mapping_may_come_meanwhile, unit_default),
		TEST(a_slot_that_came_meanwhile_leads_to_what_is_owed,
		     unit_default),
	};

	return t_main(tests);
}
