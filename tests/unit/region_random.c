// SPDX-License-Identifier: MIT
/*
 * A random VMM with a region: it converts, discards, reclaims and binds again,
 * while calls fail, and its guest writes.  All of it against what each page was
 * and had: the record is the kernel's, the guest loses nothing that it has, and
 * once all is reclaimed, nothing is there twice.
 */
#include "side.h"

#include <sys/mman.h>

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define PAGES 64u
#define HALF (PAGES / 2)
#define GPA (2 * GiB)

static uint64_t first_seed = 1;
static unsigned int conversions = 4000; /* a 16th with given sides */

struct page {
	bool private;
	unsigned char value; /* that the guest sees */
	unsigned char stale; /* that the other side may still have, or 0 */
};

struct world {
	struct unit *u;
	struct gmem_region *r;
	struct gmem_region_info info;
	struct side side;
	struct page page[PAGES];
	uint64_t seed;
	unsigned int failed, undone, written;
};

static unsigned int any(struct world *w, unsigned int n)
{
	return (unsigned int)t_any(&w->seed, n);
}

static void bind_half(struct world *w, uint32_t slot)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = slot,
			       .gpa = GPA + slot * HALF * PAGE,
			       .offset = slot * HALF * PAGE,
			       .len = HALF * PAGE };

	t_ok(gmem_region_bind(w->r, &s, &w->u->err), w->u->err);
}

static void begin(struct world *w, struct unit *u, enum side_way way)
{
	*w = (struct world){ .u = u, .seed = first_seed + way };
	w->info.sz = sizeof(w->info);
	u->err.sz = sizeof(u->err);
	side_make(&w->side, way, PAGES * PAGE);
	side_tell(u, &w->side);
	t_ok(gmem_region_create(u->vm, PAGES * PAGE, &w->side.o, &w->r,
				&u->err),
	     u->err);
	t_ok(gmem_region_get(w->r, &w->info, &u->err), u->err);
	side_told(u);
	for (unsigned int i = 0; i < PAGES; i++)
		w->page[i].private = true;
	bind_half(w, 0);
	bind_half(w, 1);
}

static void end(struct world *w)
{
	for (uint32_t i = 0; i < 2; i++)
		t_ok(gmem_region_unbind(w->r, i, 0, 0, &w->u->err), w->u->err);
	t_ok(gmem_region_close(w->r, &w->u->err), w->u->err);
	side_end(&w->side);
}

/* ---------------------------------------------------------------- guest -- */

static unsigned char seen(struct world *w, unsigned int i)
{
	unsigned char b = unit_guest_read(w->u, GPA + i * PAGE);

	if (!w->page[i].private && w->info.shared)
		assert_int_equal(((unsigned char *)w->info.shared)[i * PAGE],
				 b);
	return b;
}

static void look(struct world *w, unsigned int i)
{
	assert_int_equal(seen(w, i), w->page[i].value);
}

static void guest_writes(struct world *w)
{
	unsigned int i = any(w, PAGES);
	unsigned char b = (unsigned char)(1 + w->written++ % 250);

	unit_guest_write(w->u, GPA + i * PAGE, b);
	w->page[i].value = b;
}

/* --------------------------------------------------------------- checks -- */

static bool is_private(struct world *w, unsigned int i)
{
	return unit_private(w->u, w->info.gmem, GPA, i * PAGE);
}

static struct gmem_region_stats stat(struct world *w)
{
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);

	assert_int_equal(gmem_region_stat(w->r, &s, NULL), 0);
	return s;
}

/* By the kernel itself: what is there of the side that a page is not. */
static uint64_t unused(struct world *w)
{
	unsigned char side[PAGES] = { 0 };
	uint64_t n = 0;

	if (!w->info.shared)
		return 0;
	assert_int_equal(mincore(w->info.shared, PAGES * PAGE, side), 0);
	for (unsigned int i = 0; i < PAGES; i++)
		if (w->page[i].private)
			n += side[i] & 1 ? PAGE : 0;
		else
			n += unit_allocated(w->u, gmem_fd(w->info.gmem),
					    i * PAGE, PAGE, -1);
	return n;
}

static uint64_t twice(struct world *w)
{
	struct gmem_region_residency there =
		GMEM_INIT(struct gmem_region_residency);

	t_ok(gmem_region_resident(w->r, 0, PAGES * PAGE, &there, &w->u->err),
	     w->u->err);
	assert_int_equal(there.unused_bytes, unused(w));
	return there.unused_bytes;
}

/*
 * A page that did not change has what it had.  One that did is fresh, has in
 * place what it had, or what was left there.
 */
static void settle(struct world *w, unsigned int i, bool private, bool leaves)
{
	struct page *p = &w->page[i];
	struct page was = *p;

	if (private == p->private) {
		/* It may have been the other for a while. */
		return;
	}
	p->private = private;
	p->value = seen(w, i);
	if (w->info.kind == GMEM_REGION_KIND_INPLACE) {
		assert_int_equal(p->value, was.value);
		return;
	}
	assert_true(p->value == 0 || p->value == was.stale);
	p->stale = leaves ? was.value : 0;
}

static void check(struct world *w)
{
	struct gmem_region_stats s = stat(w);
	uint64_t private = 0, a;

	for (unsigned int i = 0; i < PAGES; i++) {
		t_ok(gmem_region_attributes(w->r, i * PAGE, PAGE, &a, NULL,
					    &w->u->err),
		     w->u->err);
		assert_int_equal(a == PRIVATE, w->page[i].private);
		assert_int_equal(is_private(w, i), w->page[i].private);
		private += w->page[i].private ? PAGE : 0;
	}
	assert_int_equal(s.private_bytes, private);
	assert_int_equal(s.shared_bytes, PAGES * PAGE - private);
	assert_int_equal(s.failed, w->failed);
	/* What is there twice is queued. */
	assert_true(twice(w) <= s.queued_bytes);
}

/* ---------------------------------------------------------------- steps -- */

static bool fail_some(struct world *w)
{
	static const int codes[] = { -ENOMEM, -EPERM, -EINTR, -EAGAIN };

	unit_reset(w->u);
	if (any(w, 2))
		return false;
	unit_answer(w->u, NULL, 0, 1 + any(w, 6), 1 + any(w, 3),
		    codes[any(w, 4)]);
	return true;
}

static size_t ranges(struct world *w, struct gmem_region_range *a, bool *in)
{
	size_t n = 1 + any(w, 20);

	for (size_t k = 0; k < n; k++) {
		unsigned int at = any(w, PAGES), len = any(w, PAGES - at);

		len = any(w, 3) ? len % 4 : len;
		a[k] = (struct gmem_region_range){ at * PAGE, len * PAGE };
		for (unsigned int i = at; i < at + len; i++)
			in[i] = true;
	}
	return n;
}

static void convert(struct world *w)
{
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	struct gmem_convert_opts o = { .sz = sizeof(o) };
	bool to = any(w, 2), fails, in[PAGES] = { false };
	uint64_t all = 0, right = 0;
	struct gmem_region_range a[20];
	size_t n = ranges(w, a, in);
	int r;

	o.flags = any(w, 3) ? 0 : GMEM_CONVERT_DEFER;
	fails = fail_some(w);
	r = gmem_region_convert(w->r, a, n, to ? PRIVATE : SHARED, &o, &out,
				&w->u->err);
	assert_int_equal(out.done, w->u->err.done);
	unit_reset(w->u);
	w->failed += r < 0;
	w->undone += r < 0 && out.changed == 0 && out.queued;
	for (unsigned int i = 0; i < PAGES; i++) {
		bool is = is_private(w, i);

		all += in[i] ? PAGE : 0;
		right += in[i] && is == to ? PAGE : 0;
		if (!in[i] || is != to)
			assert_int_equal(is, w->page[i].private);
		settle(w, i, is, fails || o.flags);
	}
	assert_true(r == 0 || fails);
	if (r == 0)
		assert_int_equal(out.done, all);
	assert_true(r == 0 || out.done < all);
	assert_int_equal(r == 0, right == all);
	assert_true(out.done + out.changed <= right);
}

static void forget_stale(struct world *w, unsigned int at, unsigned int n)
{
	for (unsigned int i = at; i < at + n; i++)
		w->page[i].stale = 0;
}

static void reclaim(struct world *w)
{
	unsigned int at = any(w, PAGES), n = 1 + any(w, PAGES - at);
	bool fails = fail_some(w);
	int r = gmem_region_reclaim(w->r, at * PAGE, n * PAGE, NULL, NULL,
				    &w->u->err);

	unit_reset(w->u);
	assert_true(r == 0 || fails);
	if (r == 0)
		forget_stale(w, at, n);
	if (r < 0 || any(w, 2))
		return;
	t_ok(gmem_region_reclaim(w->r, 0, PAGES * PAGE, NULL, NULL, &w->u->err),
	     w->u->err);
	forget_stale(w, 0, PAGES);
	assert_int_equal(stat(w).queued_bytes, 0);
	assert_int_equal(twice(w), 0);
}

static void discard(struct world *w)
{
	unsigned int at = any(w, PAGES), n = 1 + any(w, 4);

	if (at + n > PAGES)
		return;
	t_ok(gmem_region_discard(w->r, at * PAGE, n * PAGE, NULL, &w->u->err),
	     w->u->err);
	forget_stale(w, at, n);
	for (unsigned int i = at; i < at + n; i++)
		w->page[i].value = 0;
}

/* What was private has what it had, also if memory is reclaimed meanwhile. */
static void bind_again(struct world *w)
{
	uint32_t slot = any(w, 2);

	t_ok(gmem_region_unbind(w->r, slot, 0, 0, &w->u->err), w->u->err);
	if (any(w, 2))
		t_ok(gmem_region_reclaim(w->r, 0, PAGES * PAGE, NULL, NULL,
					 &w->u->err),
		     w->u->err);
	bind_half(w, slot);
	for (unsigned int i = slot * HALF; i < (slot + 1) * HALF; i++)
		settle(w, i, is_private(w, i), true);
}

static void reset(struct world *w)
{
	t_ok(gmem_region_reset(w->r, NULL, &w->u->err), w->u->err);
	for (unsigned int i = 0; i < PAGES; i++)
		w->page[i] = (struct page){ .private = true };
	assert_int_equal(stat(w).queued_bytes, 0);
}

static void run(struct unit *u, enum side_way way, unsigned int rounds)
{
	struct world w;

	begin(&w, u, way);
	for (unsigned int i = 0; i < rounds; i++) {
		for (unsigned int k = any(&w, 4); k > 0; k--)
			guest_writes(&w);
		convert(&w);
		if (!any(&w, 4))
			reclaim(&w);
		if (!any(&w, 16))
			discard(&w);
		if (!any(&w, 32))
			bind_again(&w);
		if (!any(&w, 256))
			reset(&w);
		check(&w);
		for (unsigned int k = 0; k < 8; k++)
			look(&w, any(&w, PAGES));
	}
	for (unsigned int k = 0; k < PAGES; k++)
		look(&w, k);
	assert_true(w.failed > rounds / 100);
	if (w.info.kind == GMEM_REGION_KIND_DUAL)
		assert_true(w.undone > 0 || rounds < 200);
	end(&w);
}

static void a_random_vmm_loses_nothing(void **state)
{
	run(*state, SIDE_OWN, conversions);
}

/* Whatever its shared side is. */
static void nor_in_memory_that_it_handed_in(void **state)
{
	for (enum side_way way = SIDE_ANON; way < SIDE_WAYS; way++)
		run(*state, way, conversions / 16);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_random_vmm_loses_nothing, unit_sw),
		TEST(a_random_vmm_loses_nothing, unit_sw612),
		TEST(a_random_vmm_loses_nothing, unit_inplace),
		TEST(nor_in_memory_that_it_handed_in, unit_sw),
		TEST(nor_in_memory_that_it_handed_in, unit_sw612),
	};

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		conversions = (unsigned int)strtoul(argv[2], NULL, 0);
	return t_main(tests);
}
