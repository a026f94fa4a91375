// SPDX-License-Identifier: MIT
/*
 * Threads that replace, unbind, note, convert and look up the same slots and
 * ranges at once: each call ends as one of the ways it may, a replacement
 * shows all of its slots or none, and in the end the record is the kernel's.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "unit.h"

#include "file.h"
#include "left.h"
#include "vm.h"

#define ENOUGH 300 /* successes of each thread */
#define IDS 4
#define PIECE (64 * KiB)
#define PIECES 8    /* of the file */
#define PLACES 12   /* of guest addresses */
#define APART (GiB) /* addresses that only the pair has */
#define PAIR 8	    /* its first number */

struct worker {
	struct unit *m;
	uint64_t seed;
	atomic_int line; /* of the first check that failed, or 0 */
	uint32_t reason; /* and why, if a call did */
	atomic_uint done;
	pthread_t thread;
};

static atomic_bool stop;

static void failed(struct worker *w, int line, uint32_t reason)
{
	if (w->line)
		return;
	w->line = line;
	w->reason = reason;
}

#define CHECK(w, condition)                       \
	do {                                      \
		if (!(condition))                 \
			failed((w), __LINE__, 0); \
	} while (0)

static unsigned int any(struct worker *w, unsigned int below)
{
	return (unsigned int)t_any(&w->seed, below);
}

static void ends(struct worker *w, int line, int r,
		 const struct gmem_error *err, const uint32_t *may)
{
	w->done += r >= 0;
	if (r >= 0)
		return;
	for (; *may; may++)
		if (err->reason == *may)
			return;
	failed(w, line, err->reason);
}
#define ENDS(w, r, ...) \
	ends((w), __LINE__, (r), &err, (const uint32_t[]){ __VA_ARGS__, 0 })

/* A slot of one to three pieces, anywhere. */
static struct gmem_slot some(struct worker *w)
{
	uint64_t n = 1 + any(w, 3);

	return (struct gmem_slot){
		.sz = sizeof(struct gmem_slot),
		.slot = any(w, IDS),
		.gmem = w->m->g,
		.gpa = any(w, PLACES) * PIECE,
		.offset = any(w, (unsigned int)(PIECES - n + 1)) * PIECE,
		.len = n * PIECE,
		.flags = any(w, 2) ? GMEM_SLOT_TAKE_KEPT : 0,
	};
}

static void *replace(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_slot from[2] = { some(w), some(w) };
		struct gmem_slot to[2] = { some(w), some(w) };
		struct gmem_error err = { .sz = sizeof(err) };
		uint32_t n = any(w, 3), m = any(w, 3);
		int r = gmem_slots_replace(w->m->vm, from, n, to, m, 0, &err);

		ENDS(w, r, GMEM_REASON_NOT_BOUND, GMEM_REASON_NOTED_SLOT,
		     GMEM_REASON_SLOT_TWICE, GMEM_REASON_SLOT_IN_USE,
		     GMEM_REASON_GPA_OVERLAP, GMEM_REASON_RANGE_BOUND);
		for (uint32_t k = 0; r >= 0 && k < m; k++)
			CHECK(w, to[k].flags & GMEM_SLOT_LIVE &&
					 to[k].userspace_addr);
	}
	return NULL;
}

static void *unbind(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_error err = { .sz = sizeof(err) };

		ENDS(w,
		     gmem_unbind(w->m->vm, any(w, IDS), 0,
				 any(w, 2) ? GMEM_UNBIND_KEEP_ATTRIBUTES : 0,
				 &err),
		     GMEM_REASON_NOT_BOUND, GMEM_REASON_NOTED_SLOT);
	}
	return NULL;
}

static void *bind(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_error err = { .sz = sizeof(err) };
		struct gmem_slot s = some(w);

		ENDS(w, gmem_bind(&s, &err), GMEM_REASON_SLOT_IN_USE,
		     GMEM_REASON_GPA_OVERLAP, GMEM_REASON_RANGE_BOUND);
	}
	return NULL;
}

/* Slots that the VMM says it made, and takes back. */
static void *note(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_error err = { .sz = sizeof(err) };
		struct gmem_slot s = some(w);

		s.flags = any(w, 2) ? GMEM_SLOT_FD : 0;
		s.userspace_addr = 1 * MiB;
		if (!s.flags)
			s.gmem = NULL;
		ENDS(w, gmem_slot_note(w->m->vm, &s, &err),
		     GMEM_REASON_SLOT_IN_USE, GMEM_REASON_GPA_OVERLAP,
		     GMEM_REASON_RANGE_BOUND);
		ENDS(w, gmem_slot_forget(w->m->vm, any(w, IDS), 0, &err),
		     GMEM_REASON_NOT_BOUND, GMEM_REASON_STILL_BOUND);
	}
	return NULL;
}

static void *convert(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_attributes_opts o = {
			.sz = sizeof(o),
			.flags = GMEM_ATTRIBUTES_UNBACKED,
		};
		struct gmem_error err = { .sz = sizeof(err) };
		uint64_t n = 1 + any(w, 2),
			 to = any(w, 2) ? GMEM_ATTRIBUTE_PRIVATE
					: GMEM_ATTRIBUTE_SHARED;
		int r;

		if (any(w, 2))
			r = gmem_vm_set_attributes(w->m->vm, 0,
						   any(w, PLACES) * PIECE,
						   n * PIECE, to, &o, &err);
		else
			r = gmem_set_attributes(w->m->g,
						any(w, PIECES - 1) * PIECE,
						n * PIECE, to, &o, &err);
		ENDS(w, r, GMEM_REASON_NOT_BOUND);
	}
	return NULL;
}

/* What an address leads to is one slot, whole. */
static void *look(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_slot s = { .sz = sizeof(s) };
		struct gmem_location at = { .sz = sizeof(at) };
		uint64_t gpa = any(w, PLACES * 4) * PIECE / 4;
		int r = gmem_slot_at(w->m->vm, 0, gpa, &s, NULL);

		CHECK(w, r == 0 || r == -EINVAL);
		CHECK(w, r < 0 || (gpa - s.gpa < s.len && s.userspace_addr &&
				   s.len <= 3 * PIECE));
		r = gmem_vm_at(w->m->vm, 0, gpa, &at, NULL);
		CHECK(w, r == 0 || r == -EINVAL);
		CHECK(w, r < 0 || at.gmem == w->m->g || !at.gmem);
		CHECK(w, r < 0 || (at.run && at.run <= 3 * PIECE));
		w->done += r >= 0;
	}
	return NULL;
}

/* Alone with its two slots: they change places forever, both or none. */
static void *turn(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; !stop; i++) {
		struct gmem_error err = { .sz = sizeof(err) };
		struct gmem_slot s[2];

		for (uint32_t k = 0; k < 2; k++)
			s[k] = (struct gmem_slot){
				.sz = sizeof(s[k]),
				.slot = PAIR + k,
				.gmem = w->m->g,
				.gpa = APART + (k ^ (i & 1)) * PIECE,
				.offset = (PIECES + k) * PIECE,
				.len = PIECE,
			};
		ENDS(w,
		     gmem_slots_replace(w->m->vm, s, i ? 2 : 0, s, 2, 0, &err),
		     UINT32_MAX);
	}
	return NULL;
}

/* The pair is a conversion's too, and stays bound under it. */
static void *convert_pair(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		struct gmem_attributes_opts o = {
			.sz = sizeof(o),
			.flags = GMEM_ATTRIBUTES_UNBACKED,
		};
		struct gmem_error err = { .sz = sizeof(err) };
		struct gmem_slot s = { .sz = sizeof(s) };

		if (gmem_slot_get(w->m->vm, PAIR, 0, &s, NULL) < 0)
			continue;
		ENDS(w,
		     gmem_set_attributes(w->m->g, (PIECES + any(w, 2)) * PIECE,
					 PIECE,
					 any(w, 2) ? GMEM_ATTRIBUTE_PRIVATE
						   : GMEM_ATTRIBUTE_SHARED,
					 &o, &err),
		     UINT32_MAX);
	}
	return NULL;
}

/* ------------------------------------------------------------------- end -- */

static void same(struct unit *m, uint32_t id)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	const struct slot *k = unit_slot(m, id);
	uint64_t a = 0;

	if (gmem_slot_get(m->vm, id, 0, &s, NULL) < 0 ||
	    s.flags & GMEM_SLOT_NOTED) {
		assert_null(k);
		return;
	}
	assert_non_null(k);
	assert_int_equal(k->at.start, s.gpa);
	assert_int_equal(k->at.end, s.gpa + s.len);
	assert_int_equal(k->in.start, s.offset);
	for (uint64_t n = 0; n < s.len; n += m->page) {
		t_ok(gmem_get_attributes(m->g, s.offset + n, m->page, &a, NULL,
					 &m->err),
		     m->err);
		assert_int_equal(
			a == GMEM_ATTRIBUTE_PRIVATE,
			unit_private(m, m->g, s.gpa - s.offset, s.offset + n));
		assert_int_not_equal(a, GMEM_ATTRIBUTE_UNSET);
	}
}

static void nothing_is_left(struct unit *m, bool noted)
{
	for (uint32_t id = 0; id < PAIR + 2; id++)
		same(m, id);
	for (uint32_t id = 0; id < PAIR + 2; id++)
		if (gmem_slot_forget(m->vm, id, 0, NULL) < 0)
			(void)!gmem_unbind(m->vm, id, 0, 0, NULL);
	assert_null(m->vm->by_id.root);
	assert_null(m->vm->by_gpa.root);
	assert_null(m->vm->first_ticket);
	assert_int_equal(m->g->slots, 0);
	assert_null(m->g->reservation);
	for (uint64_t gpa = 0; !noted && gpa < 2 * PLACES * PIECE;
	     gpa += m->page)
		if (unit_gpa_private(m, gpa))
			assert_true(gmem__left_in(m->vm, gpa, m->page));
	t_ok(gmem_close(m->g, &m->err), m->err);
}

static void run(struct unit *m, void *(*const *jobs)(void *), size_t n,
		bool noted)
{
	struct worker w[16];

	assert_true(n <= T_ARRAY_SIZE(w));
	unit_create(m, 16 * PIECE, 0);
	stop = false;
	for (size_t i = 0; i < n; i++) {
		memset(&w[i], 0, sizeof(w[i]));
		w[i].m = m;
		w[i].seed = i;
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, jobs[i], &w[i]), 0);
	}
	for (size_t i = 0; i < n; i++)
		while (w[i].done < ENOUGH && !w[i].line)
			(void)usleep(1000);
	stop = true;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
	for (size_t i = 0; i < n; i++)
		if (w[i].line)
			fail_msg("worker %zu: line %d, %s", i, (int)w[i].line,
				 gmem_reason_str(w[i].reason));
	nothing_is_left(m, noted);
}

static void replaced_slots_are_never_half_there(void **state)
{
	static void *(*const jobs[])(void *) = {
		replace, replace, unbind, bind, note,	      convert,
		convert, turn,	  look,	  look, convert_pair,
	};

	run(*state, jobs, T_ARRAY_SIZE(jobs), true);
}

static void what_replacing_leaves_is_known(void **state)
{
	static void *(*const jobs[])(void *) = {
		replace, replace, replace, unbind,	 bind,
		convert, turn,	  look,	   convert_pair,
	};

	run(*state, jobs, T_ARRAY_SIZE(jobs), false);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(replaced_slots_are_never_half_there, unit_sw),
		TEST(replaced_slots_are_never_half_there, unit_inplace),
		TEST(what_replacing_leaves_is_known, unit_sw),
		TEST(what_replacing_leaves_is_known, unit_inplace),
	};

	return t_main(tests);
}
