// SPDX-License-Identifier: MIT
/*
 * Random sequences of slot and attribute calls against three tables that are
 * kept here by hand: the slots, the attributes by guest address and those by
 * offset in a file.  In a third of the sequences single system calls fail.
 * With an argument: that seed alone, or as many from there on as a second says.
 */
#include <stdlib.h>

#include "unit.h"

#define SLOTS 6
#define FILES 2
#define PAGES 12 /* of a file */
#define SPACE 40 /* pages of guest addresses, from 1 GiB on */
#define SEEDS 60
#define STEPS 120

enum {
	U,
	S,
	P
};

struct ref_slot {
	bool used, noted, hva;
	int file, offset, gpa, len; /* in pages */
};

struct ref {
	struct ref_slot slot[SLOTS];
	int attr[SPACE];	/* what the kernel has there */
	int rec[FILES][PAGES];	/* what the file's record says */
	int kept[FILES][PAGES]; /* where, or -1 */
};

static struct unit *u;
static struct gmem *file[FILES];
static struct ref now;
static bool in_place;
static uint64_t rng, first = 1, seeds;

static int roll(int n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (int)((rng >> 11) % (uint64_t)n);
}

static uint64_t gpa_of(int page)
{
	return GiB + (uint64_t)page * u->page;
}

static void make(int f)
{
	file[f] = unit_create(u, PAGES * u->page,
			      in_place && f ? SHARED_FLAGS : 0);
	for (int i = 0; i < PAGES; i++) {
		now.rec[f][i] = !in_place ? U : f ? S : P;
		now.kept[f][i] = -1;
	}
}

/* ------------------------------------------------------ the reference -- */

static int start_of(bool shared)
{
	return shared ? S : P;
}

/* Whether @s can be there beside the slots that are. */
static bool fits(const struct ref *r, int id, const struct ref_slot *s)
{
	for (int i = 0; i < SLOTS; i++) {
		const struct ref_slot *o = &r->slot[i];

		if (!o->used)
			continue;
		if (i == id ||
		    (o->gpa < s->gpa + s->len && s->gpa < o->gpa + o->len))
			return false;
		if (!s->hva && !o->hva && o->file == s->file &&
		    o->offset < s->offset + s->len &&
		    s->offset < o->offset + o->len)
			return false;
	}
	for (int i = 0; in_place && s->hva && i < s->len; i++)
		if (r->rec[s->file][s->offset + i] != S)
			return false;
	return true;
}

/* @s has the page; @state: what it is, or -1: what it was kept as. */
static void page_comes(struct ref *r, const struct ref_slot *s, int i,
		       int state, bool set)
{
	if (in_place)
		return;
	for (int f = 0; f < FILES; f++)
		for (int o = 0; o < PAGES; o++)
			if (r->kept[f][o] == s->gpa + i) {
				r->kept[f][o] = -1;
				if (state >= 0 || f != s->file ||
				    o != s->offset + i)
					r->rec[f][o] = U;
			}
	r->kept[s->file][s->offset + i] = -1;
	if (state < 0)
		return;
	r->rec[s->file][s->offset + i] = state;
	if (set)
		r->attr[s->gpa + i] = state;
}

static bool is_kept(const struct ref *r, const struct ref_slot *s, int i)
{
	return r->kept[s->file][s->offset + i] == s->gpa + i;
}

static void page_goes(struct ref *r, const struct ref_slot *s, int i, bool keep)
{
	if (in_place)
		return;
	if (keep) {
		r->kept[s->file][s->offset + i] = s->gpa + i;
		return;
	}
	r->rec[s->file][s->offset + i] = U;
	r->attr[s->gpa + i] = S;
}

/* Where the attributes of a page are, or -1. */
static int place(const struct ref *r, int f, int offset)
{
	for (int i = 0; i < SLOTS; i++) {
		const struct ref_slot *s = &r->slot[i];

		if (s->used && !s->hva && s->file == f && offset >= s->offset &&
		    offset < s->offset + s->len)
			return s->gpa + (offset - s->offset);
	}
	return r->kept[f][offset];
}

/* ---------------------------------------------------------- comparison -- */

static int record_of(int f, int offset)
{
	uint64_t a;

	t_ok(gmem_get_attributes(file[f], (uint64_t)offset * u->page, u->page,
				 &a, NULL, &u->err),
	     u->err);
	return a == GMEM_ATTRIBUTE_PRIVATE  ? P
	       : a == GMEM_ATTRIBUTE_SHARED ? S
					    : U;
}

static void compare_slot(int id)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	const struct ref_slot *o = &now.slot[id];
	const struct slot *k = unit_slot(u, (uint32_t)id);
	bool known = gmem_slot_get(u->vm, (uint32_t)id, 0, &s, &u->err) == 0;

	assert_int_equal(known, o->used);
	assert_int_equal(k != NULL, o->used && !o->noted);
	if (!known)
		return;
	assert_int_equal(s.gpa, gpa_of(o->gpa));
	assert_int_equal(s.len, (uint64_t)o->len * u->page);
	assert_int_equal(s.offset, (uint64_t)o->offset * u->page);
	assert_ptr_equal(s.gmem, file[o->file]);
	assert_int_equal(!!(s.flags & GMEM_SLOT_HVA), o->hva);
	assert_int_equal(!!(s.flags & GMEM_SLOT_NOTED), o->noted);
	if (k)
		assert_int_equal(k->at.start, s.gpa);
}

static void compare(void)
{
	for (int id = 0; id < SLOTS; id++)
		compare_slot(id);
	for (int i = 0; !in_place && i < SPACE; i++)
		assert_int_equal(unit_gpa_private(u, gpa_of(i)),
				 now.attr[i] == P);
	for (int f = 0; f < FILES; f++)
		for (int i = 0; i < PAGES; i++) {
			assert_int_equal(record_of(f, i), now.rec[f][i]);
			if (in_place)
				assert_int_equal(
					unit_private(u, file[f], 0,
						     (uint64_t)i * u->page),
					now.rec[f][i] == P);
		}
}

/* What nobody claims may have any attributes after a failure. */
static void resync_unclaimed(void)
{
	bool claimed[SPACE] = { false };

	for (int f = 0; f < FILES; f++)
		for (int i = 0; i < PAGES; i++)
			if (now.rec[f][i] != U && place(&now, f, i) >= 0)
				claimed[place(&now, f, i)] = true;
	for (int i = 0; !in_place && i < SPACE; i++)
		if (!claimed[i])
			now.attr[i] = unit_gpa_private(u, gpa_of(i)) ? P : S;
}

/*
 * After a failed undo: what the library says there is, with nothing stuck.
 * What it claims still has to be true.
 */
static void resync(void)
{
	struct ref was = now;

	for (int id = 0; id < SLOTS; id++) {
		struct gmem_slot s = { .sz = sizeof(s) };
		struct ref_slot *o = &now.slot[id];

		if (gmem_slot_get(u->vm, (uint32_t)id, 0, &s, &u->err) == 0 &&
		    s.flags & GMEM_SLOT_STUCK) {
			t_ok(gmem_unbind(u->vm, (uint32_t)id, 0, 0, &u->err),
			     u->err);
			o->used = false;
		} else if (u->err.code < 0) {
			o->used = false;
		}
	}
	for (int f = 0; f < FILES; f++)
		for (int i = 0; i < PAGES; i++) {
			now.rec[f][i] = record_of(f, i);
			now.kept[f][i] = -1;
			if (!in_place && now.rec[f][i] != U &&
			    place(&now, f, i) < 0)
				now.kept[f][i] = place(&was, f, i);
		}
	resync_unclaimed();
	for (int f = 0; !in_place && f < FILES; f++)
		for (int i = 0; i < PAGES; i++)
			if (now.rec[f][i] != U)
				now.attr[place(&now, f, i)] = now.rec[f][i];
	unit_reset(u);
}

/* --------------------------------------------------------------- calls -- */

static struct ref_slot random_slot(bool noted)
{
	struct ref_slot s = { .used = true,
			      .noted = noted,
			      .file = roll(FILES) };

	s.len = 1 + roll(PAGES / 2);
	s.offset = roll(PAGES - s.len + 1);
	/* often where the same range was */
	s.gpa = roll(2) ? s.offset + roll(2) * PAGES : roll(SPACE - s.len + 1);
	s.hva = in_place && s.file && !noted && roll(3) == 0;
	return s;
}

static struct gmem_slot public_slot(int id, const struct ref_slot *s,
				    uint64_t flags)
{
	return (struct gmem_slot){ .sz = sizeof(struct gmem_slot),
				   .slot = (uint32_t)id,
				   .gmem = file[s->file],
				   .gpa = gpa_of(s->gpa),
				   .offset = (uint64_t)s->offset * u->page,
				   .len = (uint64_t)s->len * u->page,
				   .flags = flags | (s->hva ? GMEM_SLOT_HVA
							    : GMEM_SLOT_FD) };
}

/* What a call that works, or is refused by a rule, leaves. */
static void finish(int r, bool allowed, const struct ref *then)
{
	if (r == 0) {
		assert_true(allowed);
		now = *then;
	} else if (u->err.flags & GMEM_ERROR_STUCK) {
		resync();
	} else {
		if (allowed && u->err.sys_errno != ENOMEM)
			fail_msg("%s", u->err.msg);
		resync_unclaimed();
	}
}

static void do_bind(void)
{
	int id = roll(SLOTS);
	struct ref_slot s = random_slot(false);
	bool take = roll(2), shared = !in_place && roll(4) == 0;
	struct gmem_slot b =
		public_slot(id, &s,
			    (take ? GMEM_SLOT_TAKE_KEPT : 0) |
				    (shared ? GMEM_SLOT_LEAVE_SHARED : 0));
	struct ref then = now;

	for (int i = 0; i < s.len; i++)
		page_comes(&then, &s, i,
			   take && is_kept(&now, &s, i) ? -1 : start_of(shared),
			   true);
	then.slot[id] = s;
	finish(gmem_bind(&b, &u->err), fits(&now, id, &s), &then);
}

static void do_note(void)
{
	int id = roll(SLOTS);
	struct ref_slot s = random_slot(true);
	bool take = roll(2);
	struct gmem_slot b =
		public_slot(id, &s, take ? GMEM_SLOT_TAKE_KEPT : 0);
	struct ref then = now;

	b.userspace_addr = 16 * MiB;
	for (int i = 0; i < s.len; i++)
		page_comes(&then, &s, i, take && is_kept(&now, &s, i) ? -1 : U,
			   false);
	then.slot[id] = s;
	finish(gmem_slot_note(u->vm, &b, &u->err), fits(&now, id, &s), &then);
}

static void do_unbind(void)
{
	int id = roll(SLOTS), r;
	struct ref_slot *s = &now.slot[id];
	bool keep = roll(2), allowed = s->used && !s->noted;
	struct ref then = now;

	for (int i = 0; allowed && !s->hva && i < s->len; i++)
		page_goes(&then, s, i, keep);
	then.slot[id].used = false;
	r = gmem_unbind(u->vm, (uint32_t)id, 0,
			keep ? GMEM_UNBIND_KEEP_ATTRIBUTES : 0, &u->err);
	if (r < 0 && u->err.reason == GMEM_REASON_RESET_PENDING) {
		now = then;
		resync_unclaimed();
	} else if (r < 0 && allowed) {
		/* it is stuck, and goes the second time */
		unit_reset(u);
		r = gmem_unbind(u->vm, (uint32_t)id, 0,
				keep ? GMEM_UNBIND_KEEP_ATTRIBUTES : 0,
				&u->err);
		assert_int_equal(r, 0);
		now = then;
	} else {
		finish(r, allowed, &then);
	}
}

static void do_forget(void)
{
	int id = roll(SLOTS);
	struct ref_slot *s = &now.slot[id];
	bool allowed = s->used && s->noted;
	struct ref then = now;

	for (int i = 0; !in_place && allowed && i < s->len; i++)
		then.rec[s->file][s->offset + i] = U;
	then.slot[id].used = false;
	finish(gmem_slot_forget(u->vm, (uint32_t)id, 0, &u->err), allowed,
	       &then);
}

/* The part that was converted, if it may be. */
static void converted(int r, bool allowed, const int (*page)[2], int n, int to)
{
	uint64_t done = r == 0 ? (uint64_t)n : u->err.done / u->page;

	assert_true(r < 0 || allowed);
	if (r < 0 && allowed && u->err.sys_errno != ENOMEM)
		fail_msg("%s", u->err.msg);
	for (uint64_t i = 0; allowed && i < done; i++) {
		now.rec[page[i][0]][page[i][1]] = to;
		if (!in_place)
			now.attr[place(&now, page[i][0], page[i][1])] = to;
	}
}

static bool may_convert(int f, int offset, int to)
{
	if (!in_place)
		return place(&now, f, offset) >= 0;
	for (int i = 0; to == P && i < SLOTS; i++) {
		const struct ref_slot *s = &now.slot[i];

		if (s->used && s->hva && s->file == f && offset >= s->offset &&
		    offset < s->offset + s->len)
			return false;
	}
	return true;
}

static void do_convert(void)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };
	int f = roll(FILES), n = 1 + roll(PAGES / 2), page[PAGES][2];
	int offset = roll(PAGES - n + 1), to = roll(2) ? S : P;
	bool allowed = true;

	for (int i = 0; i < n; i++) {
		page[i][0] = f;
		page[i][1] = offset + i;
		allowed = allowed && may_convert(f, offset + i, to);
	}
	converted(gmem_set_attributes(file[f], (uint64_t)offset * u->page,
				      (uint64_t)n * u->page,
				      to == P ? GMEM_ATTRIBUTE_PRIVATE
					      : GMEM_ATTRIBUTE_SHARED,
				      &o, &u->err),
		  allowed, page, n, to);
}

/* What is at a guest address: a slot's, else what is kept. */
static bool at_gpa(int gpa, int page[2])
{
	for (int i = 0; i < SLOTS; i++) {
		const struct ref_slot *s = &now.slot[i];

		if (s->used && gpa >= s->gpa && gpa < s->gpa + s->len) {
			page[0] = s->file;
			page[1] = s->offset + (gpa - s->gpa);
			return true;
		}
	}
	for (int f = 0; f < FILES; f++)
		for (int o = 0; o < PAGES; o++)
			if (now.kept[f][o] == gpa) {
				page[0] = f;
				page[1] = o;
				return true;
			}
	return false;
}

static void do_convert_gpa(void)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };
	int n = 1 + roll(PAGES / 2), gpa = roll(SPACE - n + 1);
	int to = roll(2) ? S : P, page[PAGES][2];
	bool allowed = true;

	for (int i = 0; allowed && i < n; i++)
		allowed = at_gpa(gpa + i, page[i]) &&
			  may_convert(page[i][0], page[i][1], to);
	converted(gmem_vm_set_attributes(u->vm, 0, gpa_of(gpa),
					 (uint64_t)n * u->page,
					 to == P ? GMEM_ATTRIBUTE_PRIVATE
						 : GMEM_ATTRIBUTE_SHARED,
					 &o, &u->err),
		  allowed, page, n, to);
}

static void do_close(void)
{
	int f = roll(FILES), r;
	bool bound = false;

	for (int i = 0; i < SLOTS; i++)
		bound = bound || (now.slot[i].used && now.slot[i].file == f);
	r = gmem_close(file[f], &u->err);
	assert_int_equal(r == 0, !bound);
	unit_reset(u);
	if (r == 0)
		make(f);
}

struct plan {
	struct gmem_slot from[SLOTS], to[SLOTS];
	struct ref_slot s[SLOTS];
	int id[SLOTS];
	uint32_t n, m;
};

/* Takes some slots out of @then, with their attributes. */
static bool plan_from(struct plan *p, struct ref *then)
{
	bool allowed = true;

	for (int id = 0; id < SLOTS; id++) {
		struct ref_slot *s = &then->slot[id];

		if (!s->used || roll(2) || (s->noted && roll(8)))
			continue;
		allowed = allowed && !s->noted;
		p->from[p->n++] = public_slot(id, s, 0);
		for (int i = 0; !s->hva && i < s->len; i++)
			page_goes(then, s, i, false);
		s->used = false;
	}
	return allowed;
}

/* Whether a slot that goes has the page. */
static bool carried(const struct plan *p, int f, int offset)
{
	for (uint32_t i = 0; i < p->n; i++) {
		const struct ref_slot *s = &now.slot[p->from[i].slot];

		if (!s->hva && s->file == f && offset >= s->offset &&
		    offset < s->offset + s->len)
			return true;
	}
	return false;
}

static void do_replace(void)
{
	struct plan p = { .n = 0 };
	struct ref then = now;
	bool take = roll(2), allowed = plan_from(&p, &then);
	int most = 1 + roll(4);

	for (; (int)p.m < most; p.m++) {
		struct ref_slot s = random_slot(false);
		int id = roll(SLOTS);

		allowed = allowed && fits(&then, id, &s);
		then.slot[id] = s;
		p.s[p.m] = s;
		p.to[p.m] = public_slot(id, &s, take ? GMEM_SLOT_TAKE_KEPT : 0);
	}
	for (uint32_t k = 0; allowed && k < p.m; k++)
		for (int i = 0; i < p.s[k].len; i++) {
			const struct ref_slot *s = &p.s[k];
			int o = s->offset + i;
			int state = carried(&p, s->file, o)
					    ? now.rec[s->file][o]
				    : take && is_kept(&now, s, i) ? -1
								  : P;

			page_comes(&then, s, i, state, true);
		}
	finish(gmem_slots_replace(u->vm, p.from, p.n, p.to, p.m, 0, &u->err),
	       allowed, &then);
}

/* ------------------------------------------------------------ sequences -- */

static void clean_up(void)
{
	unit_reset(u);
	for (int id = 0; id < SLOTS; id++) {
		struct ref_slot *s = &now.slot[id];

		if (s->used && s->noted)
			t_ok(gmem_slot_forget(u->vm, (uint32_t)id, 0, &u->err),
			     u->err);
		else if (s->used)
			t_ok(gmem_unbind(u->vm, (uint32_t)id, 0, 0, &u->err),
			     u->err);
		s->used = false;
	}
	for (int f = 0; f < FILES; f++)
		t_ok(gmem_close(file[f], &u->err), u->err);
}

static void sequence(uint64_t seed)
{
	static void (*const calls[])(void) = {
		do_bind,    do_bind,	do_note,    do_unbind,	    do_unbind,
		do_forget,  do_convert, do_convert, do_convert_gpa, do_replace,
		do_replace, do_replace, do_close,
	};
	bool failing = seed % 3 == 0;

	rng = seed * 0x9e3779b97f4a7c15ULL + 1;
	for (int f = 0; f < FILES; f++)
		make(f);
	for (int i = 0; i < SPACE; i++)
		now.attr[i] = unit_gpa_private(u, gpa_of(i)) ? P : S;
	for (int i = 0; i < STEPS; i++) {
		u->err = GMEM_INIT(struct gmem_error);
		unit_reset(u);
		if (failing && roll(3) == 0)
			unit_answer(u, "ioctl", 0, 1 + (unsigned int)roll(6),
				    1 + (unsigned int)roll(2), -ENOMEM);
		calls[roll((int)T_ARRAY_SIZE(calls))]();
		unit_reset(u);
		compare();
	}
	clean_up();
}

static void all_sequences(void **state)
{
	u = *state;
	in_place = unit_in_place(u);
	memset(&now, 0, sizeof(now));
	for (uint64_t seed = first; seed < first + seeds; seed++) {
		print_message("seed %llu\n", (unsigned long long)seed);
		sequence(seed);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		{ "by_address", all_sequences, unit_sw, unit_end, NULL },
		{ "in_place", all_sequences, unit_inplace, unit_end, NULL },
	};

	if (argc > 1)
		first = strtoull(argv[1], NULL, 0);
	seeds = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? 1 : SEEDS;
	return t_main(tests);
}
