// SPDX-License-Identifier: MIT
/*
 * Replacing slots, each call failing in turn.  Whatever failed and how often:
 * the entries say exactly which slots there are, and the record of each file
 * has the attributes that the kernel has.
 */
#include "fault.h"

#define MOST 4
#define ELSEWHERE (4 * GiB) /* from the file's own addresses */

/* A slot of the plan, in pages; file 1 is the second one. */
struct part {
	uint32_t slot, file;
	uint64_t at, gpa, pages;
	uint64_t flags; /* GMEM_SLOT_* */
	bool elsewhere;
};

/* What is there before, what is kept of it, and what comes instead. */
struct plan {
	struct part old[MOST], kept[MOST], new[MOST];
	uint64_t shared[2][2]; /* pages from, and how many, of the first file */
};

static const struct plan *plan;
static struct gmem *files[2];
static struct gmem_slot from[MOST], to[MOST], kept[MOST];
static uint32_t n_from, n_to, n_kept;
static bool replaced;

static struct gmem_slot slot_of(const struct fault *t, const struct part *p)
{
	return (struct gmem_slot){
		.sz = sizeof(struct gmem_slot),
		.slot = p->slot,
		.gmem = files[p->file],
		.gpa = t->gpa + (p->elsewhere ? ELSEWHERE : 0) +
		       p->gpa * t->page,
		.offset = p->at * t->page,
		.len = p->pages * t->page,
		.flags = p->flags,
	};
}

static uint32_t slots_of(const struct fault *t, const struct part *p,
			 struct gmem_slot *out)
{
	uint32_t n = 0;

	for (; n < MOST && p[n].pages; n++)
		out[n] = slot_of(t, &p[n]);
	return n;
}

static void bind_all(const struct gmem_slot *s, uint32_t n)
{
	struct gmem_error err;

	for (uint32_t i = 0; i < n; i++) {
		struct gmem_slot b = s[i];

		t_ok(gmem_bind(&b, &err), err);
	}
}

static void share(const struct fault *t, struct gmem *g)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(plan->shared); i++)
		if (plan->shared[i][1])
			t_ok(gmem_set_attributes(
				     g, plan->shared[i][0] * t->page,
				     plan->shared[i][1] * t->page,
				     GMEM_ATTRIBUTE_SHARED, &o, &err),
			     err);
}

static void start(struct fault *t, void (*make)(struct fault *t))
{
	struct gmem_error err;

	make(t);
	files[1] = t->g;
	make(t);
	files[0] = t->g;
	n_from = slots_of(t, plan->old, from);
	n_to = slots_of(t, plan->new, to);
	n_kept = slots_of(t, plan->kept, kept);
	bind_all(from, n_from);
	bind_all(kept, n_kept);
	share(t, files[0]);
	for (uint32_t i = 0; i < n_kept; i++)
		t_ok(gmem_unbind(t->u.vm, kept[i].slot, 0,
				 GMEM_UNBIND_KEEP_ATTRIBUTES, &err),
		     err);
	replaced = false;
}

static void private_files(struct fault *t)
{
	start(t, fault_private);
}

static void shared_files(struct fault *t)
{
	start(t, fault_shared);
}

/* From scratch: a call changes .flags, and on success all. */
static void entries(const struct fault *t)
{
	n_from = slots_of(t, plan->old, from);
	n_to = slots_of(t, plan->new, to);
	for (uint32_t i = 0; i < n_from; i++)
		from[i].flags |= GMEM_SLOT_LIVE;
}

static int replace(struct fault *t, struct gmem_error *err)
{
	int r;

	entries(t);
	r = gmem_slots_replace(t->u.vm, from, n_from, to, n_to, 0, err);
	replaced = r >= 0;
	return r;
}

static void put_back(struct fault *t)
{
	struct gmem_slot old[MOST], new[MOST];
	uint32_t n = slots_of(t, plan->old, old);
	uint32_t m = slots_of(t, plan->new, new);
	struct gmem_error err;

	if (!replaced)
		return;
	t_ok(gmem_slots_replace(t->u.vm, new, m, old, n, 0, &err), err);
	replaced = false;
}

/* ------------------------------------------------------------ what is right */

static bool wrong(const char *what, uint64_t a, uint64_t b)
{
	print_error("%s: %#llx, %#llx\n", what, (unsigned long long)a,
		    (unsigned long long)b);
	return false;
}

static bool is(const struct slot *k, const struct gmem_slot *s)
{
	uint32_t log = s->flags & GMEM_SLOT_DIRTY_LOG ? 1 : 0;

	return k && k->at.start == s->gpa && k->at.end == s->gpa + s->len &&
	       (!k->file || k->in.start == s->offset) && (k->flags & 1) == log;
}

/* Each entry against the kernel; then no slot is there that none names. */
static bool slots_right(struct fault *t)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	uint32_t listed = 0, there = 0;

	for (uint32_t i = 0; i < n_from + n_to; i++) {
		const struct gmem_slot *e =
			i < n_from ? &from[i] : &to[i - n_from];
		bool live = e->flags & GMEM_SLOT_LIVE;

		if (live != is(unit_slot(&t->u, e->slot), e))
			return wrong("entry, live", i, live);
		listed += live;
	}
	for (uint32_t id = 0; id < 8; id++) {
		const struct slot *k = unit_slot(&t->u, id);

		if ((gmem_slot_get(t->u.vm, id, 0, &s, NULL) == 0) != !!k)
			return wrong("the table, slot", id, !!k);
		if (k && !is(k, &s))
			return wrong("another place of slot", id, s.gpa);
		there += k != NULL;
	}
	return there == listed || wrong("slots, listed", there, listed);
}

static bool has(const struct gmem_slot *s, const struct gmem *g, uint64_t at,
		uint64_t *gpa)
{
	if (s->gmem != g || at - s->offset >= s->len)
		return false;
	*gpa = s->gpa + (at - s->offset);
	return true;
}

/* Where the attributes of an offset are; *@live: a slot that works has it. */
static bool place(struct fault *t, const struct gmem *g, uint64_t at,
		  uint64_t *gpa, bool *live)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	*live = true;
	for (uint32_t id = 0; id < 8; id++)
		if (gmem_slot_get(t->u.vm, id, 0, &s, NULL) == 0 &&
		    !(s.flags & GMEM_SLOT_STUCK) && has(&s, g, at, gpa))
			return true;
	*live = false;
	for (uint32_t i = 0; i < n_from; i++)
		if (has(&from[i], g, at, gpa))
			return true;
	for (uint32_t i = 0; i < n_kept; i++)
		if (has(&kept[i], g, at, gpa))
			return true;
	return false;
}

static bool page_right(struct fault *t, struct gmem *g, uint64_t at)
{
	uint64_t a = 0, gpa = 0;
	bool live, placed = place(t, g, at, &gpa, &live);

	if (gmem_get_attributes(g, at, t->page, &a, NULL, NULL) < 0)
		return wrong("no attributes", at, 0);
	if (a == GMEM_ATTRIBUTE_UNSET)
		return !live || wrong("live, and unset", at, gpa);
	if (!placed && !unit_in_place(&t->u))
		return wrong("nowhere, and known", at, a);
	return (a == GMEM_ATTRIBUTE_PRIVATE) ==
		       unit_private(&t->u, g, gpa - at, at) ||
	       wrong("another attribute", at, a);
}

static bool right(struct fault *t)
{
	if (!slots_right(t))
		return false;
	if (!gmem_vm_has(t->u.vm, GMEM_FEATURE_VM_ATTRIBUTES) &&
	    !gmem_vm_has(t->u.vm, GMEM_FEATURE_FILE_ATTRIBUTES))
		return true;
	for (size_t i = 0; i < T_ARRAY_SIZE(files); i++)
		for (uint64_t at = 0; at < fault_size(t); at += t->page)
			if (!page_right(t, files[i], at))
				return false;
	return true;
}

/* The next slot at any of the addresses inherits nothing. */
static bool nothing_left(struct fault *t)
{
	static const uint64_t at[] = { 0, ELSEWHERE };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .hugetlb_size = t->k->huge };
	uint64_t len = 3 * fault_size(t);
	struct gmem_slot s;
	int r;

	if (unit_in_place(&t->u) ||
	    !gmem_vm_has(t->u.vm, GMEM_FEATURE_VM_ATTRIBUTES))
		return true;
	for (size_t i = 0; i < T_ARRAY_SIZE(at); i++) {
		s = (struct gmem_slot){
			.sz = sizeof(s),
			.len = len,
			.gpa = t->gpa - fault_size(t) + at[i],
			.flags = GMEM_SLOT_LEAVE_SHARED,
		};
		r = gmem_create(t->u.vm, len, &o, &s.gmem, &err);
		r = r < 0 ? r : gmem_bind(&s, &err);
		if (r < 0)
			return wrong(err.msg, i, 0);
		for (uint64_t n = 0; n < len; n += t->page)
			if (unit_gpa_private(&t->u, s.gpa + n))
				return wrong("left", s.gpa, n);
		r = gmem_unbind(t->u.vm, 0, 0, 0, &err);
		r = r < 0 ? r : gmem_close(s.gmem, &err);
		if (r < 0)
			return wrong(err.msg, i, 1);
	}
	return true;
}

/* Slot by slot, as if nobody knew what had happened. */
static bool end(struct fault *t)
{
	struct gmem_error err = { .sz = sizeof(err) };
	int r = 0;

	for (uint32_t id = 0; r >= 0 && id < 8; id++)
		if (unit_slot(&t->u, id))
			r = gmem_unbind(t->u.vm, id, 0, 0, &err);
	for (size_t i = 0; r >= 0 && i < T_ARRAY_SIZE(files); i++)
		r = gmem_close(files[i], &err);
	if (r < 0)
		return wrong(err.msg, 0, 0);
	t->g = NULL;
	for (uint32_t id = 0; id < 8; id++)
		if (unit_slot(&t->u, id))
			return wrong("still there", id, 0);
	return nothing_left(t);
}

static int again(struct fault *t, struct gmem_error *err)
{
	int r = replace(t, err);

	return r < 0 || right(t) ? r : -ERANGE;
}

/* ------------------------------------------------------------------- plans */

static void run(const struct fault_kernel *const *kernels, uint32_t type,
		const struct plan *p)
{
	struct scenario s = {
		.kernels = kernels,
		.type = type,
		.prepare =
			type == GMEM_VM_DEFAULT ? shared_files : private_files,
		.run = replace,
		.undo = p->kept[0].pages ? NULL : put_back,
		.again = again,
		.right = right,
		.end = end,
		.views = 2,
		.flags = FAULT_DEAD,
		.caller = "gmem_slots_replace",
	};

	plan = p;
	fault_run(&s);
}

static void run_private(const struct plan *p)
{
	run(fault_by_gpa, GMEM_VM_SW_PROTECTED, p);
	run(fault_in_place, GMEM_VM_SW_PROTECTED, p);
}

static void a_split_whose_second_half_moves_is_undone(void **state)
{
	static const struct plan p = {
		.old = { { .pages = 16 } },
		.new = { { .pages = 8 },
			 { .slot = 1,
			   .at = 8,
			   .pages = 8,
			   .elsewhere = true } },
		.shared = { { 4, 2 }, { 10, 2 } },
	};

	(void)state;
	run_private(&p);
}

static void a_merge_from_elsewhere_is_undone(void **state)
{
	static const struct plan p = {
		.old = { { .pages = 8 },
			 { .slot = 1,
			   .at = 8,
			   .pages = 8,
			   .elsewhere = true } },
		.new = { { .slot = 2, .pages = 16 } },
		.shared = { { 2, 1 }, { 9, 5 } },
	};

	(void)state;
	run_private(&p);
}

static void a_move_over_its_own_addresses_is_undone(void **state)
{
	static const struct plan up = {
		.old = { { .pages = 16 } },
		.new = { { .gpa = 4, .pages = 16 } },
		.shared = { { 1, 2 }, { 7, 4 } },
	};
	static const struct plan turned = {
		.old = { { .pages = 8 },
			 { .slot = 1, .at = 8, .gpa = 8, .pages = 8 } },
		.new = { { .slot = 1, .gpa = 8, .pages = 8 },
			 { .at = 8, .pages = 8 } },
		.shared = { { 1, 3 }, { 14, 2 } },
	};

	(void)state;
	run_private(&up);
	run_private(&turned);
}

static void a_hole_with_another_file_in_it_is_undone(void **state)
{
	static const struct plan p = {
		.old = { { .pages = 16 } },
		.new = { { .pages = 4 },
			 { .slot = 1, .file = 1, .gpa = 5, .pages = 3 },
			 { .slot = 2, .at = 8, .gpa = 9, .pages = 8 } },
		.shared = { { 3, 3 }, { 12, 1 } },
	};

	(void)state;
	run_private(&p);
}

/* What is kept where the new slot comes, and what is kept of its file. */
static void what_is_kept_survives_what_is_undone(void **state)
{
	static const struct plan taken = {
		.old = { { .pages = 8 } },
		.kept = { { .slot = 1, .at = 8, .gpa = 8, .pages = 8 } },
		.new = { { .pages = 16, .flags = GMEM_SLOT_TAKE_KEPT } },
		.shared = { { 2, 1 }, { 10, 3 } },
	};
	static const struct plan ended = {
		.old = { { .pages = 8 } },
		.kept = { { .slot = 1, .at = 8, .gpa = 8, .pages = 8 } },
		.new = { { .pages = 12, .gpa = 2 } },
		.shared = { { 2, 1 }, { 10, 3 } },
	};
	static const struct plan covered = {
		.old = { { .pages = 8 } },
		.kept = { { .slot = 1, .at = 8, .gpa = 8, .pages = 8 } },
		.new = { { .pages = 4 },
			 { .slot = 1, .file = 1, .gpa = 10, .pages = 2 } },
		.shared = { { 2, 1 }, { 10, 3 } },
	};

	(void)state;
	run(fault_by_gpa, GMEM_VM_SW_PROTECTED, &taken);
	run(fault_by_gpa, GMEM_VM_SW_PROTECTED, &ended);
	run(fault_by_gpa, GMEM_VM_SW_PROTECTED, &covered);
}

static void a_change_of_mode_is_undone(void **state)
{
	static const struct plan p = {
		.old = { { .pages = 8 },
			 { .slot = 1, .at = 8, .gpa = 8, .pages = 8 } },
		.new = { { .pages = 12, .flags = GMEM_SLOT_DIRTY_LOG },
			 { .slot = 1, .at = 12, .gpa = 12, .pages = 4 } },
	};

	(void)state;
	run(fault_default, GMEM_VM_DEFAULT, &p);
}

static void what_only_comes_or_only_goes_is_undone(void **state)
{
	static const struct plan comes = {
		.new = { { .pages = 4 },
			 { .slot = 1, .at = 4, .gpa = 8, .pages = 4 } },
	};
	static const struct plan goes = {
		.old = { { .pages = 4 },
			 { .slot = 1, .at = 8, .gpa = 8, .pages = 8 } },
		.shared = { { 2, 1 }, { 10, 3 } },
	};

	(void)state;
	run_private(&comes);
	run_private(&goes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_split_whose_second_half_moves_is_undone),
		cmocka_unit_test(a_merge_from_elsewhere_is_undone),
		cmocka_unit_test(a_move_over_its_own_addresses_is_undone),
		cmocka_unit_test(a_hole_with_another_file_in_it_is_undone),
		cmocka_unit_test(what_is_kept_survives_what_is_undone),
		cmocka_unit_test(a_change_of_mode_is_undone),
		cmocka_unit_test(what_only_comes_or_only_goes_is_undone),
	};

	return t_main(tests);
}
