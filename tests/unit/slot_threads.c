// SPDX-License-Identifier: MIT
/*
 * Threads that note, forget, bind, unbind, convert and look up the same slots
 * at once: each call ends as one of the ways it may, the table is never seen
 * half changed, and in the end nothing is left.
 */
#include <pthread.h>

#include "unit.h"

#include "file.h"
#include "vm.h"

#define ROUNDS 3000
#define IDS 3

struct worker {
	struct unit *m;
	uint64_t seed;
	int line; /* of the first check that failed, or 0 */
	pthread_t thread;
};

#define CHECK(w, condition)                     \
	do {                                    \
		if (!(condition) && !(w)->line) \
			(w)->line = __LINE__;   \
	} while (0)

static unsigned int any(struct worker *w, unsigned int below)
{
	return (unsigned int)t_any(&w->seed, below);
}

static bool one_of(int r, const int *codes)
{
	for (; *codes; codes++)
		if (r == *codes)
			return true;
	return r >= 0;
}

static void *forget(void *arg)
{
	static const int may[] = { -EINVAL, -EBUSY, 0 };
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++)
		CHECK(w,
		      one_of(gmem_slot_forget(w->m->vm, any(w, IDS), 0, NULL),
			     may));
	return NULL;
}

static void *note(void *arg)
{
	static const int may[] = { -EEXIST, -EBUSY, 0 };
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct gmem_slot s = { .sz = sizeof(s),
				       .slot = any(w, IDS),
				       .gpa = any(w, 4) * 256 * KiB,
				       .len = 256 * KiB,
				       .userspace_addr = 1 * MiB };

		if (any(w, 2)) {
			s.flags = GMEM_SLOT_FD;
			s.gmem = w->m->g;
			s.offset = any(w, 4) * 256 * KiB;
		}
		CHECK(w, one_of(gmem_slot_note(w->m->vm, &s, NULL), may));
	}
	return NULL;
}

static void *bind(void *arg)
{
	static const int may[] = { -EEXIST, -EBUSY, -EINVAL, 0 };
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t id = any(w, IDS);
		uint64_t at = any(w, 4) * 256 * KiB;

		CHECK(w,
		      one_of(t_bind(w->m->g, id, at, at, 256 * KiB, NULL, NULL),
			     may));
		CHECK(w, one_of(gmem_unbind(w->m->vm, id, 0, 0, NULL), may));
	}
	return NULL;
}

static void *ask(void *arg)
{
	static const int may[] = { -EEXIST, -EBUSY, -EINVAL, 0 };
	struct gmem_slot o = { .sz = sizeof(o), .flags = GMEM_SLOT_CHECK_ONLY };
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t at = any(w, 4) * 256 * KiB;

		CHECK(w, one_of(t_bind(w->m->g, any(w, IDS), at, at, 256 * KiB,
				       &o, NULL),
				may));
	}
	return NULL;
}

static void *make(void *arg)
{
	struct gmem_create_opts o = { .sz = sizeof(o) };
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS / 10; i++) {
		struct gmem *g = NULL;

		CHECK(w, gmem_create(w->m->vm, 64 * KiB, &o, &g, NULL) == 0);
		CHECK(w, gmem_close(g, NULL) == 0);
	}
	return NULL;
}

/* Those that others make and close meanwhile are looked at. */
static void *adopt(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS / 10; i++) {
		struct gmem__create c = { .size = 64 * KiB };
		struct gmem *g = NULL;
		int fd = unit_sys.ioctl(w->m, gmem_vm_fd(w->m->vm),
					GMEM__KVM_CREATE_GUEST_MEMFD, &c);

		CHECK(w, gmem_adopt(w->m->vm, fd, NULL, &g, NULL) == 0);
		CHECK(w, gmem_close(g, NULL) == 0);
	}
	return NULL;
}

static void *convert(void *arg)
{
	static const int may[] = { -EINVAL, 0 };
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++)
		CHECK(w, one_of(t_attributes(w->m->g, any(w, 8) * 128 * KiB,
					     128 * KiB,
					     any(w, 2) ? GMEM_ATTRIBUTE_PRIVATE
						       : GMEM_ATTRIBUTE_SHARED,
					     NULL),
				may));
	return NULL;
}

static void *look(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct gmem_slot s = { .sz = sizeof(s) };
		uint32_t id = any(w, IDS);
		int r = gmem_slot_get(w->m->vm, id, 0, &s, NULL);

		CHECK(w, r == 0 || r == -EINVAL);
		CHECK(w, r < 0 || (s.slot == id && s.len == 256 * KiB &&
				   s.userspace_addr));
	}
	return NULL;
}

static void slots_are_never_half_changed(void **state)
{
	static void *(*const jobs[])(void *) = {
		forget,	 forget, note, note, bind, bind,
		convert, look,	 ask,  make, make, adopt,
	};
	struct unit *m = *state;
	struct worker w[T_ARRAY_SIZE(jobs)];

	unit_create(m, 1 * MiB, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(jobs); i++) {
		w[i] = (struct worker){ .m = m, .seed = i };
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, jobs[i], &w[i]), 0);
	}
	for (size_t i = 0; i < T_ARRAY_SIZE(jobs); i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(jobs); i++)
		if (w[i].line)
			fail_msg("worker %zu: line %d", i, w[i].line);
	for (uint32_t id = 0; id < IDS; id++)
		if (gmem_slot_forget(m->vm, id, 0, NULL) == -EBUSY)
			t_ok(gmem_unbind(m->vm, id, 0, 0, &m->err), m->err);
	assert_null(m->vm->by_id.root);
	assert_null(m->vm->by_gpa.root);
	assert_null(m->vm->by_offset.root);
	assert_null(m->vm->first_ticket);
	assert_int_equal(m->g->slots, 0);
	assert_null(m->g->reservation);
	t_ok(gmem_close(m->g, &m->err), m->err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(slots_are_never_half_changed, unit_sw),
		TEST(slots_are_never_half_changed, unit_inplace),
	};

	return t_main(tests);
}
