// SPDX-License-Identifier: MIT
/*
 * Changes by guest address that wait for their turn: of what the slots lead to
 * then, as long as it takes, and without a trace if they give up.
 */
#include <pthread.h>

#include "unit.h"

#include "ticket.h"
#include "vm.h"

#define PIECE (256 * KiB)
#define SLOTS 64 /* more than are handled without memory */
#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED

static uint64_t attributes(struct gmem *g, uint64_t offset)
{
	uint64_t a = 77;

	t_code(gmem_get_attributes(g, offset, PAGE, &a, NULL, NULL), 0);
	return a;
}

static int share(struct unit *m, uint64_t len, uint64_t flags,
		 const int *cancel, struct gmem_error *err)
{
	struct gmem_attributes_opts o = {
		.sz = sizeof(o),
		.flags = flags | GMEM_ATTRIBUTES_UNBACKED,
		.cancel = cancel,
	};

	return gmem_vm_set_attributes(m->vm, 0, GiB, len, SHARED, &o, err);
}

/* A file whose pages are bound in the opposite order, each as a slot. */
static struct gmem *many(struct unit *m)
{
	struct gmem *g = unit_create(m, SLOTS * PAGE, 0);

	for (uint32_t i = 0; i < SLOTS; i++)
		t_ok(t_bind(g, i, GiB + i * PAGE, (SLOTS - 1 - i) * PAGE, PAGE,
			    NULL, &m->err),
		     m->err);
	unit_reset(m);
	return g;
}

/* ------------------------------------------------------- the slots change --
 */

struct change {
	uint32_t n; /* pieces that the new slots lead to */
	struct {
		unsigned int file, from, len; /* in pieces */
	} to[2];
	int r; /* of the conversion that waited */
};

struct waiter {
	struct unit *m;
	const struct change *c;
	struct gmem **files;
	int r;
	struct gmem_error err;
	pthread_t thread;
};

/* One slot becomes others. */
static void *replace(void *arg)
{
	struct waiter *w = arg;
	struct gmem_slot from = { .sz = sizeof(from) }, to[2];
	uint64_t gpa = GiB;

	for (uint32_t i = 0; i < w->c->n; i++) {
		to[i] = (struct gmem_slot){
			.sz = sizeof(to[i]),
			.slot = i,
			.gpa = gpa,
			.len = w->c->to[i].len * PIECE,
			.offset = w->c->to[i].from * PIECE,
			.gmem = w->files[w->c->to[i].file],
		};
		gpa += to[i].len;
	}
	w->r = gmem_slots_replace(w->m->vm, &from, 1, to, w->c->n, 0, &w->err);
	return NULL;
}

static void *convert(void *arg)
{
	struct waiter *w = arg;

	w->r = share(w->m, 2 * PIECE, 0, NULL, &w->err);
	return NULL;
}

static void begin(struct waiter *w, void *(*call)(void *))
{
	w->err.sz = sizeof(w->err);
	assert_int_equal(pthread_create(&w->thread, NULL, call, w), 0);
}

/* The conversion finds the old slot, and has its turn with the new ones. */
static void convert_after(struct unit *m, const struct change *c,
			  struct gmem *files[2])
{
	struct gmem__range all = { files[0], 0, 4 * PIECE };
	struct waiter first = { .m = m, .c = c, .files = files };
	struct waiter last = { .m = m };
	struct gmem__ticket t;
	bool two, three;

	t_code(gmem__ticket_take(m->vm, &t, &all, 1, false, NULL, NULL), 0);
	begin(&first, replace);
	two = unit_turns_are(m->vm, 2, NULL, 0);
	begin(&last, convert);
	three = unit_turns_are(m->vm, 3, NULL, 0);
	gmem__ticket_return(m->vm, &t);
	assert_int_equal(pthread_join(first.thread, NULL), 0);
	assert_int_equal(pthread_join(last.thread, NULL), 0);
	assert_true(two && three);
	t_ok_at(first.r, &first.err, "gmem_slots_replace()", __FILE__,
		__LINE__);
	t_code(last.r, c->r);
	if (c->r == 0)
		return;
	t_reason(&last.err, GMEM_REASON_NOT_BOUND);
	assert_int_equal(last.err.value, GiB + PIECE);
}

static void what_the_slots_lead_to_at_its_turn_is_converted(void **state)
{
	static const struct change t[] = {
		{ 1, { { 0, 0, 2 } }, 0 },
		{ 1, { { 0, 0, 1 } }, -EINVAL },
		{ 1, { { 0, 2, 2 } }, 0 },
		{ 1, { { 1, 0, 2 } }, 0 },
		{ 2, { { 0, 0, 1 }, { 0, 1, 1 } }, 0 },
		{ 2, { { 0, 0, 1 }, { 1, 0, 1 } }, 0 },
		{ 2, { { 1, 1, 1 }, { 0, 1, 1 } }, 0 },
	};
	struct unit *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		struct gmem *f[2] = { unit_create(m, 4 * PIECE, 0),
				      unit_create(m, 4 * PIECE, 0) };
		uint64_t want = t[i].r < 0 ? PRIVATE : SHARED;

		t_ok(t_bind(f[0], 0, GiB, 0, 2 * PIECE, NULL, &m->err), m->err);
		convert_after(m, &t[i], f);
		for (uint32_t k = 0; k < t[i].n; k++) {
			struct gmem *g = f[t[i].to[k].file];
			uint64_t at = t[i].to[k].from * PIECE;

			assert_int_equal(attributes(g, at), want);
			assert_int_equal(attributes(g, at + PIECE - PAGE),
					 want);
			t_ok(gmem_unbind(m->vm, k, 0, 0, &m->err), m->err);
		}
		t_ok(gmem_close(f[0], &m->err), m->err);
		t_ok(gmem_close(f[1], &m->err), m->err);
	}
}

/* Its slots are not looked at as what is behind them. */
static void what_is_kept_is_converted_before_a_slot_too(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 2 * PIECE, 0);

	t_ok(t_bind(g, 0, GiB, 0, PIECE, NULL, &m->err), m->err);
	t_ok(t_bind(g, 1, GiB + PIECE, PIECE, PIECE, NULL, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	t_ok(share(m, 2 * PIECE, 0, NULL, &m->err), m->err);
	assert_int_equal(attributes(g, 0), SHARED);
	assert_int_equal(attributes(g, PIECE), SHARED);
	assert_int_equal(m->err.done, 2 * PIECE);
	/* Its memory is nobody's to discard. */
	t_refused(gmem_vm_discard(m->vm, 0, GiB, PIECE, NULL, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
}

/* ---------------------------------------------------------------- giving up */

/* The fixture finds what stays allocated. */
static void who_gives_up_leaves_nothing(void **state)
{
	struct unit *m = *state;
	const int cancel = 1;
	struct gmem_discard_opts o = { .sz = sizeof(o), .cancel = &cancel };
	struct gmem *g = many(m);
	struct gmem__range page = { g, 7 * PAGE, 8 * PAGE };
	struct gmem__ticket t;

	t_code(gmem__ticket_take(m->vm, &t, &page, 1, false, NULL, NULL), 0);
	t_refused(share(m, SLOTS * PAGE, GMEM_ATTRIBUTES_NOWAIT, NULL, &m->err),
		  -EAGAIN, GMEM_REASON_RANGE_BUSY, m->err);
	t_refused(share(m, SLOTS * PAGE, 0, &cancel, &m->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, m->err);
	t_refused(gmem_vm_discard(m->vm, 0, GiB, SLOTS * PAGE, &o, &m->err),
		  -ECANCELED, GMEM_REASON_CANCELLED, m->err);
	gmem__ticket_return(m->vm, &t);
	assert_int_equal(m->n_calls, 0);
	assert_int_equal(attributes(g, 0), PRIVATE);
}

static void many_slots_are_discarded_and_nothing_is_left(void **state)
{
	struct unit *m = *state;
	struct gmem_residency is = { .sz = sizeof(is) };
	struct gmem *g = many(m);

	unit_allocate(m, gmem_fd(g), 0, SLOTS * PAGE, 0);
	t_ok(share(m, SLOTS * PAGE, GMEM_ATTRIBUTES_CHECK_ONLY, NULL, &m->err),
	     m->err);
	t_ok(gmem_vm_discard(m->vm, 0, GiB, SLOTS * PAGE, NULL, &m->err),
	     m->err);
	assert_int_equal(unit_count(m, "fallocate", 0), SLOTS);
	t_ok(gmem_resident(g, 0, SLOTS * PAGE, &is, &m->err), m->err);
	assert_int_equal(is.bytes, 0);
}

/* What is not known to the end has no list. */
static void a_hole_behind_many_slots_needs_no_memory(void **state)
{
	struct unit *m = *state;

	many(m);
	t_refused(share(m, (SLOTS + 1) * PAGE, 0, NULL, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	assert_int_equal(m->err.value, GiB + SLOTS * PAGE);
	assert_int_equal(m->n_allocs, 0);
}

/* --------------------------------------------------------------- at once -- */

struct worker {
	struct unit *m;
	bool discards;
	int r;
	pthread_t thread;
};

/* Each looks at the list of those before it. */
static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < 100 && w->r == 0; i++)
		w->r = w->discards ? gmem_vm_discard(w->m->vm, 0, GiB,
						     SLOTS * PAGE, NULL, NULL)
				   : share(w->m, SLOTS * PAGE, 0, NULL, NULL);
	return NULL;
}

static void lists_of_many_slots_are_seen_by_others(void **state)
{
	struct worker w[4] = { 0 };
	struct unit *m = *state;
	struct gmem *g = many(m);

	for (size_t i = 0; i < T_ARRAY_SIZE(w); i++) {
		w[i] = (struct worker){ .m = m, .discards = i % 2 };
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (size_t i = 0; i < T_ARRAY_SIZE(w); i++) {
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
		t_code(w[i].r, 0);
	}
	assert_int_equal(attributes(g, 0), SHARED);
	assert_null(m->vm->first_ticket);
}

static struct {
	unsigned int ioctls;
	int go;
} last;

static void hold_last(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	(void)arg;
	if (strcmp(c->name, "ioctl") || ++last.ioctls != SLOTS)
		return;
	unit_await(&last.go, 1);
}

/* Who waits has looked at the list of the one before. */
static void a_list_is_there_until_its_turn_ends(void **state)
{
	struct unit *m = *state;
	struct worker w[2] = { { .m = m }, { .m = m, .discards = true } };
	bool two;

	many(m);
	last.ioctls = 0;
	last.go = 0;
	m->hook = hold_last;
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
		two = unit_turns_are(m->vm, i + 1, NULL, 0);
	}
	unit_tell(&last.go, 1);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
		t_code(w[i].r, 0);
	}
	m->hook = NULL;
	assert_true(two);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_the_slots_lead_to_at_its_turn_is_converted, unit_sw),
		TEST(what_is_kept_is_converted_before_a_slot_too, unit_sw),
		TEST(who_gives_up_leaves_nothing, unit_sw),
		TEST(many_slots_are_discarded_and_nothing_is_left, unit_sw),
		TEST(a_hole_behind_many_slots_needs_no_memory, unit_sw),
		TEST(lists_of_many_slots_are_seen_by_others, unit_sw),
		TEST(a_list_is_there_until_its_turn_ends, unit_sw),
	};

	return t_main(tests);
}
