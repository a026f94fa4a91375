// SPDX-License-Identifier: MIT
/*
 * gmem_slots_replace() with each of its system calls failing in turn: slots,
 * attributes and records are as before, and the undo sets no address that the
 * call had not set.
 */
#include "unit.h"

#define ATTRIBUTES GMEM__KVM_SET_MEMORY_ATTRIBUTES
#define TO_SHARED GMEM_ATTRIBUTE_SHARED

#define BASE (GiB - 4 * MiB)
#define PLACES 32 /* MiB from there on */
#define PARTS 8	  /* MiB of a file */
#define FILES 2
#define SLOTS 4

/* Each MiB, and each slot. */
struct picture {
	bool private[PLACES];
	uint64_t state[FILES][PARTS];
	struct gmem_slot slot[SLOTS];
	uint64_t start[SLOTS], end[SLOTS]; /* in the kernel */
};

static struct gmem *file[FILES];

static struct gmem_slot slot(uint32_t id, int f, uint64_t gpa, uint64_t offset,
			     uint64_t len)
{
	return (struct gmem_slot){ .sz = sizeof(struct gmem_slot),
				   .slot = id,
				   .gmem = file[f],
				   .gpa = gpa,
				   .offset = offset,
				   .len = len };
}

static void picture(struct unit *m, struct picture *p)
{
	memset(p, 0, sizeof(*p));
	for (uint64_t i = 0; i < PLACES; i++)
		p->private[i] = unit_gpa_private(m, BASE + i * MiB);
	for (int f = 0; f < FILES; f++)
		for (uint64_t i = 0; i < PARTS; i++)
			t_ok(gmem_get_attributes(file[f], i * MiB, MiB,
						 &p->state[f][i], NULL,
						 &m->err),
			     m->err);
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct slot *k = unit_slot(m, i);

		p->slot[i].sz = sizeof(p->slot[i]);
		(void)!gmem_slot_get(m->vm, i, 0, &p->slot[i], NULL);
		p->start[i] = k ? k->at.start : 0;
		p->end[i] = k ? k->at.end : 0;
	}
}

static void same(struct unit *m, const struct picture *was)
{
	struct picture is;

	picture(m, &is);
	assert_memory_equal(is.private, was->private, sizeof(is.private));
	assert_memory_equal(is.state, was->state, sizeof(is.state));
	assert_memory_equal(is.slot, was->slot, sizeof(is.slot));
	assert_memory_equal(is.start, was->start, sizeof(is.start));
	assert_memory_equal(is.end, was->end, sizeof(is.end));
}

/* After the call that failed only what was set before it is set. */
static void nothing_else_is_set(const struct unit *m)
{
	bool set[PLACES] = { false }, failed = false;
	const struct unit_call *c;

	for (unsigned int i = 0;
	     (c = unit_nth(m, "ioctl", ATTRIBUTES, i)) != NULL; i++) {
		uint64_t at = (c->in.attr.address - BASE) / MiB;
		uint64_t end = at + c->in.attr.size / MiB;

		assert_in_range(end, 1, PLACES);
		for (; c->result == 0 && at < end; at++) {
			assert_true(set[at] || !failed);
			set[at] = true;
		}
		failed = failed || c->result < 0;
	}
}

static int replace(struct unit *m, struct gmem_slot *from, uint32_t n,
		   struct gmem_slot *to, uint32_t n_to)
{
	m->err = GMEM_INIT(struct gmem_error);
	return gmem_slots_replace(m->vm, from, n, to, n_to, 0, &m->err);
}

/* In the end it works; at least @least calls could fail before. */
static void each_failure(struct unit *m, struct gmem_slot *from, uint32_t n,
			 struct gmem_slot *to, uint32_t n_to,
			 unsigned int least)
{
	struct picture was;
	unsigned int k;

	picture(m, &was);
	for (k = 1;; k++) {
		int r;

		unit_reset(m);
		unit_answer(m, "ioctl", 0, k, 1, -ENOMEM);
		r = replace(m, from, n, to, n_to);
		if (r == 0)
			break;
		t_code(r, -ENOMEM);
		assert_false(m->err.flags & GMEM_ERROR_STUCK);
		nothing_else_is_set(m);
		same(m, &was);
	}
	assert_true(k > least);
	unit_reset(m);
}

static void convert(struct unit *m, int f, uint64_t offset, uint64_t len,
		    uint64_t to)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };

	t_ok(gmem_set_attributes(file[f], offset, len, to, &o, &m->err),
	     m->err);
}

static void bind(struct unit *m, struct gmem_slot s)
{
	t_ok(gmem_bind(&s, &m->err), m->err);
}

static void files(struct unit *m)
{
	for (int f = 0; f < FILES; f++)
		file[f] = unit_create(m, PARTS * MiB, 0);
}

/* 4 MiB as slot 0 at 1 GiB, the second MiB shared. */
static void bound(struct unit *m)
{
	files(m);
	bind(m, slot(0, 0, GiB, 0, 4 * MiB));
	convert(m, 0, 1 * MiB, 1 * MiB, TO_SHARED);
}

static void keep(struct unit *m, struct gmem_slot s)
{
	bind(m, s);
	convert(m, s.gmem == file[1], s.offset, 1 * MiB, TO_SHARED);
	t_ok(gmem_unbind(m->vm, s.slot, 0, GMEM_UNBIND_KEEP_ATTRIBUTES,
			 &m->err),
	     m->err);
}

static uint64_t state(struct unit *m, int f, uint64_t offset)
{
	return unit_state(m, file[f], offset);
}

/* What is left behind is two parts, and both are private. */
static void what_was_reset_on_both_sides_is_set_again(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from, to;

	bound(m);
	from = slot(0, 0, 0, 0, 0);
	to = slot(1, 0, GiB + 1 * MiB, 1 * MiB, 1 * MiB);
	each_failure(m, &from, 1, &to, 1, 4);
	assert_false(unit_gpa_private(m, GiB));
	assert_false(unit_gpa_private(m, GiB + 2 * MiB));
}

static void a_move_to_where_it_overlaps_is_undone(void **state_)
{
	static const uint64_t gpas[] = { GiB + 1 * MiB, GiB - 2 * MiB,
					 GiB - 3 * MiB, GiB + 3 * MiB,
					 GiB + 4 * MiB };
	struct unit *m = *state_;

	for (size_t i = 0; i < T_ARRAY_SIZE(gpas); i++) {
		struct gmem_slot from, to;

		bound(m);
		/* whose attributes are not those beyond the first one */
		bind(m, slot(2, 0, GiB + 16 * MiB, 4 * MiB, 4 * MiB));
		from = slot(0, 0, 0, 0, 0);
		to = slot(0, 0, gpas[i], 0, 4 * MiB);
		each_failure(m, &from, 1, &to, 1, 5);
		t_ok(gmem_unbind(m->vm, 2, 0, 0, &m->err), m->err);
		unit_same(m, file[0], gpas[i]);
		t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		for (int f = 0; f < FILES; f++)
			t_ok(gmem_close(file[f], &m->err), m->err);
	}
}

/* A new slot with a part that starts, one that moves and one that starts. */
static void a_slot_of_several_pieces_is_undone(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from, to[2];

	files(m);
	bind(m, slot(0, 0, GiB + 2 * MiB, 2 * MiB, 2 * MiB));
	convert(m, 0, 2 * MiB, 1 * MiB, TO_SHARED);
	from = slot(0, 0, 0, 0, 0);
	to[0] = slot(0, 0, GiB + 1 * MiB, 0, 8 * MiB);
	to[1] = slot(1, 1, GiB + 9 * MiB, 0, 2 * MiB);
	each_failure(m, &from, 1, to, 2, 7);
	unit_same(m, file[0], GiB + 1 * MiB);
	assert_int_equal(state(m, 0, 2 * MiB), TO_SHARED);
	assert_int_equal(state(m, 0, 4 * MiB), GMEM_ATTRIBUTE_PRIVATE);
}

static void two_slots_that_change_places_change_back(void **state_)
{
	struct unit *m = *state_;
	struct gmem_slot from[2], to[2];

	bound(m);
	bind(m, slot(1, 1, GiB + 4 * MiB, 2 * MiB, 4 * MiB));
	convert(m, 1, 3 * MiB, 2 * MiB, TO_SHARED);
	from[0] = slot(0, 0, 0, 0, 0);
	from[1] = slot(1, 0, 0, 0, 0);
	to[0] = slot(0, 0, GiB + 4 * MiB, 0, 4 * MiB);
	to[1] = slot(1, 1, GiB, 2 * MiB, 4 * MiB);
	each_failure(m, from, 2, to, 2, 9);
	assert_int_equal(state(m, 1, 3 * MiB), TO_SHARED);
	unit_same(m, file[0], GiB + 4 * MiB);
}

/* Of another file, and of the same one at the same place and at another. */
static void what_was_kept_is_kept_again(void **state_)
{
	static const uint64_t flags[] = { 0, GMEM_SLOT_TAKE_KEPT };
	struct unit *m = *state_;

	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		struct gmem_slot from, to[2];

		bound(m);
		keep(m, slot(1, 1, GiB + 8 * MiB, 0, 2 * MiB));
		keep(m, slot(1, 0, GiB + 11 * MiB, 5 * MiB, 2 * MiB));
		from = slot(0, 0, 0, 0, 0);
		to[0] = slot(0, 0, GiB + 6 * MiB, 0, 8 * MiB);
		to[1] = slot(1, 1, GiB + 14 * MiB, 0, 4 * MiB);
		to[0].flags = to[1].flags = flags[i];
		each_failure(m, &from, 1, to, 2, 6);
		unit_same(m, file[0], GiB + 6 * MiB);
		assert_int_equal(state(m, 0, 5 * MiB),
				 flags[i] ? TO_SHARED : GMEM_ATTRIBUTE_PRIVATE);
		assert_int_equal(state(m, 1, 0), GMEM_ATTRIBUTE_PRIVATE);
		for (uint32_t k = 0; k < 2; k++)
			t_ok(gmem_unbind(m->vm, k, 0, 0, &m->err), m->err);
		for (int f = 0; f < FILES; f++)
			t_ok(gmem_close(file[f], &m->err), m->err);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_was_reset_on_both_sides_is_set_again, unit_sw),
		TEST(a_move_to_where_it_overlaps_is_undone, unit_sw),
		TEST(a_slot_of_several_pieces_is_undone, unit_sw),
		TEST(two_slots_that_change_places_change_back, unit_sw),
		TEST(what_was_kept_is_kept_again, unit_sw),
	};

	return t_main(tests);
}
