// SPDX-License-Identifier: MIT
/*
 * Of what is kept a part ends: where another slot comes it is that slot's, and
 * where its range of the file goes elsewhere it is nobody's.  What is beside it
 * is kept still, or without memory nobody's too.
 */
#include "unit.h"

#include "kept.h"
#include "left.h"
#include "slot.h"
#include "vm.h"

#define MIBS 8
#define FIRST 1 /* MiB of the file that are kept */
#define END 5

/* The kind of each MiB from @base on: none, owed, unknown or kept. */
static const char *left(struct unit *m, const struct gmem *g, uint64_t base)
{
	static const char kinds[] = ".o?K";
	static char text[MIBS + 1];

	for (uint64_t i = 0; i < MIBS; i++) {
		uint64_t gpa = base + i * MiB;
		struct gmem__place p = { .gpa = 0 };
		const struct gmem__slot *s;

		text[i] = kinds[GMEM__LEFT_NONE];
		for (enum gmem__left k = GMEM__LEFT_OWED; k <= GMEM__LEFT_KEPT;
		     k++) {
			s = gmem__left_at(m->vm, k, gpa, gpa + MiB);
			if (!s)
				continue;
			/* of one kind, and all of the MiB */
			assert_int_equal(text[i], kinds[GMEM__LEFT_NONE]);
			text[i] = kinds[k];
			assert_true(s->s.gpa <= gpa &&
				    gpa + MiB <= s->s.gpa + s->s.len);
			if (k != GMEM__LEFT_KEPT)
				continue;
			assert_ptr_equal(s->s.gmem, g);
			assert_int_equal(s->s.gpa - s->s.offset, base);
			assert_true(gmem__place_of(m->vm, g, i * MiB, &p));
			assert_int_equal(p.gpa, gpa);
			assert_int_equal(p.len, s->s.gpa + s->s.len - gpa);
		}
	}
	return text;
}

/* And the state in the record: private, shared or unset. */
static const char *states(struct unit *m, const struct gmem *g)
{
	static char text[MIBS + 1];
	uint64_t a, run;

	for (uint64_t i = 0; i < MIBS; i++) {
		t_ok(gmem_get_attributes(g, i * MiB, MiB, &a, &run, &m->err),
		     m->err);
		assert_int_equal(run, MiB);
		text[i] = a == GMEM_ATTRIBUTE_PRIVATE  ? 'P'
			  : a == GMEM_ATTRIBUTE_SHARED ? 'S'
						       : '-';
	}
	return text;
}

struct part {
	unsigned int start, end; /* MiB */
	const char *left, *states;
	unsigned int fail; /* the allocation that fails, or 0 */
};

/* @g has all that it keeps at @base. */
static struct gmem *keep(struct unit *m, uint64_t base)
{
	struct gmem *g = unit_create(m, MIBS * MiB, 0);

	t_ok(t_bind(g, 9, base + FIRST * MiB, FIRST * MiB, (END - FIRST) * MiB,
		    NULL, &m->err),
	     m->err);
	t_ok(gmem_unbind(m->vm, 9, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	assert_string_equal(left(m, g, base), ".KKKK...");
	assert_string_equal(states(m, g), "-PPPP---");
	return g;
}

static void bind(struct unit *m, struct gmem *g, uint64_t gpa,
		 const struct part *p)
{
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_LEAVE_SHARED };

	m->fail_alloc = p->fail;
	t_ok(t_bind(g, 0, gpa + p->start * MiB, p->start * MiB,
		    (p->end - p->start) * MiB, &o, &m->err),
	     m->err);
	/* it did fail */
	assert_int_equal(m->fail_alloc, 0);
}

static void a_range_that_goes_elsewhere(void **state)
{
	static const struct part parts[] = {
		{ 0, 1, ".KKKK...", "SPPPP---", 0 },
		{ 5, 8, ".KKKK...", "-PPPPSSS", 0 },
		{ 0, 2, ".?KKK...", "SSPPP---", 0 },
		{ 1, 2, ".?KKK...", "-SPPP---", 0 },
		{ 2, 4, ".K??K...", "-PSSP---", 0 },
		{ 4, 5, ".KKK?...", "-PPPS---", 0 },
		{ 3, 8, ".KK??...", "-PPSSSSS", 0 },
		{ 1, 5, ".????...", "-SSSS---", 0 },
		{ 0, 8, ".????...", "SSSSSSSS", 0 },
		/* the reservation, the slot, the part and a second rest */
		{ 1, 2, ".????...", "-S------", 3 },
		{ 4, 5, ".????...", "----S---", 3 },
		{ 2, 4, ".????...", "--SS----", 3 },
		{ 2, 4, ".????...", "--SS----", 4 },
	};
	struct unit *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(parts); i++) {
		uint64_t base = (i + 1) * 16 * GiB;
		unsigned int allocs = m->live_allocs;
		struct gmem *g = keep(m, base);

		bind(m, g, base + 8 * GiB, &parts[i]);
		assert_string_equal(left(m, g, base), parts[i].left);
		assert_string_equal(states(m, g), parts[i].states);
		t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		t_ok(gmem_close(g, &m->err), m->err);
		/* nobody's, and of the memory no more than one piece a run */
		assert_null(strchr(left(m, NULL, base), 'K'));
		assert_true(m->live_allocs <= allocs + 3);
	}
}

static void another_file_comes_there(void **state)
{
	static const struct part parts[] = {
		{ 0, 1, ".KKKK...", "-PPPP---", 0 },
		{ 5, 8, ".KKKK...", "-PPPP---", 0 },
		{ 0, 2, "..KKK...", "--PPP---", 0 },
		{ 1, 2, "..KKK...", "--PPP---", 0 },
		{ 2, 4, ".K..K...", "-P--P---", 0 },
		{ 4, 5, ".KKK....", "-PPP----", 0 },
		{ 3, 8, ".KK.....", "-PP-----", 0 },
		{ 1, 5, "........", "--------", 0 },
		{ 0, 8, "........", "--------", 0 },
		{ 2, 4, ".?..?...", "--------", 3 },
	};
	struct unit *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(parts); i++) {
		uint64_t base = (i + 1) * 16 * GiB;
		struct gmem *g = keep(m, base);
		struct gmem *other = unit_create(m, MIBS * MiB, 0);

		bind(m, other, base, &parts[i]);
		assert_string_equal(left(m, g, base), parts[i].left);
		assert_string_equal(states(m, g), parts[i].states);
		assert_int_equal(states(m, other)[parts[i].start], 'S');
		assert_false(unit_gpa_private(m, base + parts[i].start * MiB));
		t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		assert_string_equal(left(m, g, base), parts[i].left);
		t_ok(gmem_close(g, &m->err), m->err);
		t_ok(gmem_close(other, &m->err), m->err);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_range_that_goes_elsewhere, unit_sw),
		TEST(another_file_comes_there, unit_sw),
	};

	return t_main(tests);
}
