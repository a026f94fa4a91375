// SPDX-License-Identifier: MIT
/*
 * Random sequences of mapping, unmapping, binding, unbinding, replacing and
 * converting, with calls that fail, against a list kept by hand: what each
 * address shows, that a reservation never has a hole, and what is left.
 */
#include <sys/mman.h>

#include "unit.h"

#define PAGES 8 /* of the file */
#define ROOM 12 /* pages of the reservation */
#define MAPS 12
#define SLOTS 3
#define STEPS 400
#define SEEDS 12

struct view {
	unsigned char *p; /* NULL: none */
	uint64_t page, n;
	bool fixed;
	bool stuck; /* the kernel refuses to delete it: it goes later */
};

struct world {
	struct unit *u;
	struct gmem *g;
	unsigned char *room;
	struct view maps[MAPS], slots[SLOTS];
	bool private[PAGES];
	bool owed[ROOM]; /* told that it was not put back */
	uint64_t seed;
	unsigned int made, refused, failed;
};

static unsigned int pick(struct world *w, unsigned int n)
{
	return (unsigned int)t_any(&w->seed, n);
}

static int seen(struct world *w, const unsigned char *p)
{
	unsigned char b;
	int64_t r = model__sys.vm_read(w->u->k, &b, p, 1);

	return r == 1 ? b : (int)r;
}

static void check_view(struct world *w, const struct view *v)
{
	for (uint64_t i = 0; v->p && i < v->n; i++)
		assert_int_equal(seen(w, v->p + i * w->u->page),
				 w->private[v->page + i]
					 ? -EFAULT
					 : (int)(v->page + i + 1));
}

static bool in_use(const struct world *w, uint64_t at, uint64_t n)
{
	const unsigned char *p = w->room + at * w->u->page;

	for (size_t i = 0; i < MAPS; i++)
		if (w->maps[i].fixed && w->maps[i].p < p + n * w->u->page &&
		    p < w->maps[i].p + w->maps[i].n * w->u->page)
			return true;
	return false;
}

static void check(struct world *w)
{
	unsigned char there[ROOM];

	for (size_t i = 0; i < MAPS; i++)
		check_view(w, &w->maps[i]);
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct view *v = &w->slots[i];
		struct gmem_slot s = { .sz = sizeof(s) };

		if (v->p && gmem_slot_get(w->u->vm, i, 0, &s, NULL) < 0) {
			assert_true(v->stuck);
			v->p = NULL;
		}
		check_view(w, v);
	}
	assert_int_equal(mincore(w->room, ROOM * w->u->page, there), 0);
	for (uint64_t i = 0; i < ROOM; i++)
		if (!w->owed[i] && !in_use(w, i, 1))
			assert_int_equal(seen(w, w->room + i * w->u->page),
					 -EFAULT);
}

/* Now and then the next calls of a kind fail. */
static bool fail_some(struct world *w)
{
	static const char *const names[] = { "mmap", "munmap", "madvise",
					     "ioctl" };

	unit_reset(w->u);
	if (pick(w, 5))
		return false;
	unit_answer(w->u, names[pick(w, 4)], 0, 1 + pick(w, 3), 1 + pick(w, 2),
		    pick(w, 2) ? -ENOMEM : -EPERM);
	return true;
}

static struct view *one_of(struct world *w, struct view *of, unsigned int n,
			   bool used)
{
	struct view *v = &of[pick(w, n)];

	return (v->p != NULL) == used ? v : NULL;
}

static bool all_shared(const struct world *w, uint64_t page, uint64_t n)
{
	for (uint64_t i = page; i < page + n; i++)
		if (w->private[i])
			return false;
	return true;
}

static void do_map(struct world *w)
{
	static const uint64_t flags[] = { 0,
					  0,
					  0,
					  GMEM_MMAP_FIXED,
					  GMEM_MMAP_FIXED,
					  GMEM_MMAP_READONLY,
					  GMEM_MMAP_DUMP };
	struct gmem_mmap_opts o = { .sz = sizeof(o),
				    .flags = flags[pick(w, 7)] };
	struct view *v = one_of(w, w->maps, MAPS, false);
	uint64_t page = pick(w, PAGES), n = 1 + pick(w, PAGES - page), at = 0;
	struct gmem_error err = { .sz = sizeof(err) };
	bool may_fail, fixed = o.flags & GMEM_MMAP_FIXED, taken = false;
	void *p = NULL;
	int r;

	if (!v)
		return;
	if (pick(w, 3) == 0)
		page = 0, n = PAGES;
	if (pick(w, 2))
		o.flags |= GMEM_MMAP_ALLOW_PRIVATE;
	if (fixed) {
		at = pick(w, ROOM - (unsigned int)n);
		o.addr = w->room + at * w->u->page;
		taken = in_use(w, at, n);
	}
	may_fail = fail_some(w);
	for (uint64_t i = at; fixed && i < at + n; i++)
		may_fail |= w->owed[i];
	r = gmem_mmap(w->g, page * w->u->page, n * w->u->page, &o, &p, &err);
	if (!(o.flags & GMEM_MMAP_ALLOW_PRIVATE) && !all_shared(w, page, n)) {
		t_code(r, -EACCES);
	} else if (taken) {
		t_code(r, -EBUSY);
	} else if (!may_fail) {
		t_code(r, 0);
	}
	if (r == 0) {
		*v = (struct view){ p, page, n, fixed, false };
		w->made++;
	} else {
		assert_null(p);
		w->refused++;
	}
	for (uint64_t i = at; fixed && i < at + n; i++)
		if (r == 0 || err.flags & GMEM_ERROR_STUCK)
			w->owed[i] = r < 0;
}

static void do_unmap(struct world *w)
{
	struct view *v = one_of(w, w->maps, MAPS, true);
	struct gmem_error err = { .sz = sizeof(err) };
	bool may_fail;

	if (!v)
		return;
	t_code(gmem_munmap(w->g, v->p + 1, &err), -EINVAL);
	may_fail = fail_some(w);
	if (gmem_munmap(w->g, v->p, &err) == 0)
		v->p = NULL, v->fixed = false;
	else
		assert_true(may_fail && err.reason != GMEM_REASON_NOT_MAPPED);
	w->failed += v->p != NULL;
}

static void do_bind(struct world *w)
{
	unsigned int id = pick(w, SLOTS);
	struct view *v = &w->slots[id];
	struct gmem_slot s = {
		.sz = sizeof(s), .slot = id, .gpa = id * GiB, .gmem = w->g
	};
	uint64_t page = pick(w, PAGES), n = 1 + pick(w, PAGES - page);
	struct gmem_error err = { .sz = sizeof(err) };

	if (v->p)
		return;
	s.offset = page * w->u->page;
	s.len = n * w->u->page;
	if (pick(w, 2))
		s.flags = GMEM_SLOT_HVA | GMEM_SLOT_ALIAS;
	(void)fail_some(w);
	if (gmem_bind(&s, &err) == 0)
		*v = (struct view){
			.p = (unsigned char *)(uintptr_t)s.userspace_addr,
			.page = page,
			.n = n
		};
}

static void do_unbind(struct world *w)
{
	struct view *v = one_of(w, w->slots, SLOTS, true);
	struct gmem_error err = { .sz = sizeof(err) };
	bool may_fail;
	int r;

	if (!v)
		return;
	may_fail = fail_some(w);
	r = gmem_unbind(w->u->vm, (uint32_t)(v - w->slots), 0, 0, &err);
	if (r == 0 || err.reason == GMEM_REASON_RESET_PENDING)
		v->p = NULL;
	else
		v->stuck = may_fail;
}

/* Moves a slot to other guest addresses: the memory behind it stays. */
static void do_replace(struct world *w)
{
	struct view *v = one_of(w, w->slots, SLOTS, true);
	struct gmem_slot from = { .sz = sizeof(from) }, to;
	struct gmem_error err;

	if (!v)
		return;
	unit_reset(w->u);
	t_ok(gmem_slot_get(w->u->vm, (uint32_t)(v - w->slots), 0, &from, &err),
	     err);
	if (from.flags & GMEM_SLOT_STUCK)
		return;
	to = from;
	to.gpa = from.gpa ^ 8 * GiB;
	if (from.flags & GMEM_SLOT_HVA)
		to.flags |= GMEM_SLOT_ALIAS;
	err = (struct gmem_error){ .sz = sizeof(err) };
	if (gmem_slots_replace(w->u->vm, &from, 1, &to, 1, 0, &err) == 0)
		assert_ptr_equal((void *)(uintptr_t)to.userspace_addr, v->p);
	else
		t_reason(&err, GMEM_REASON_HVA_PRIVATE);
}

static void do_convert(struct world *w)
{
	uint64_t page = pick(w, PAGES);
	struct gmem_error err = { .sz = sizeof(err) };
	int r;

	if (!unit_in_place(w->u))
		return;
	(void)fail_some(w);
	r = w->private[page]
		    ? gmem_set_shared(w->g, page * w->u->page, w->u->page, &err)
		    : gmem_set_private(w->g, page * w->u->page, w->u->page,
				       &err);
	if (r == 0) {
		unsigned char b = (unsigned char)(page + 1);

		w->private[page] = !w->private[page];
		unit_reset(w->u);
		if (!w->private[page])
			t_ok(gmem_write(w->g, page * w->u->page, &b, 1, &err),
			     err);
	}
}

static void do_close(struct world *w)
{
	struct gmem_error err = { .sz = sizeof(err) };
	bool used = false;

	for (size_t i = 0; i < MAPS; i++)
		used |= w->maps[i].p != NULL;
	for (size_t i = 0; i < SLOTS; i++)
		used |= w->slots[i].p && !w->slots[i].stuck;
	unit_reset(w->u);
	if (used)
		t_refused(gmem_close(w->g, &err), -EBUSY, err.reason, err);
}

static void end(struct world *w)
{
	struct gmem_error err;

	unit_reset(w->u);
	for (size_t i = 0; i < MAPS; i++)
		if (w->maps[i].p)
			t_ok(gmem_munmap(w->g, w->maps[i].p, &err), err);
	memset(w->maps, 0, sizeof(w->maps));
	for (uint32_t i = 0; i < SLOTS; i++)
		if (w->slots[i].p && !w->slots[i].stuck)
			t_ok(gmem_unbind(w->u->vm, i, 0, 0, &err), err);
	memset(w->slots, 0, sizeof(w->slots));
	t_ok(gmem_close(w->g, &err), err);
	memset(w->owed, 0, sizeof(w->owed));
	check(w);
	assert_int_equal(unit_file_mappings(w->u), 0);
}

static void walk(struct world *w)
{
	static void (*const ops[])(struct world * w) = {
		do_map,	 do_map,    do_map,	do_map,	    do_unmap, do_unmap,
		do_bind, do_unbind, do_replace, do_convert, do_close
	};

	w->g = unit_create(w->u, PAGES * w->u->page, SHARED_FLAGS);
	memset(w->private, 0, sizeof(w->private));
	for (unsigned int i = 0; i < PAGES; i++) {
		unsigned char b = (unsigned char)(i + 1);
		struct gmem_error err;

		t_ok(gmem_write(w->g, i * w->u->page, &b, 1, &err), err);
	}
	for (unsigned int i = 0; i < STEPS; i++) {
		ops[pick(w, T_ARRAY_SIZE(ops))](w);
		unit_reset(w->u);
		check(w);
	}
	end(w);
}

static void each_address_shows_what_was_asked_for(void **state)
{
	struct world w = { .u = *state };

	w.room = mmap(NULL, ROOM * w.u->page, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(w.room != MAP_FAILED);
	for (unsigned int i = 0; i < SEEDS; i++) {
		w.seed = i * 7919 + 1;
		walk(&w);
	}
	print_message("%u mapped, %u refused, %u could not be unmapped\n",
		      w.made, w.refused, w.failed);
	assert_true(w.made && w.refused && w.failed);
	assert_int_equal(munmap(w.room, ROOM * w.u->page), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_address_shows_what_was_asked_for, unit_default73),
		TEST(each_address_shows_what_was_asked_for, unit_inplace),
	};

	return t_main(tests);
}
