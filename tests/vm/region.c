// SPDX-License-Identifier: MIT
/*
 * A region under a guest that runs: what the guest reads, and not the library,
 * says which memory it has, and no page is in memory twice.
 */
#include "guest.h"

#include <gmem_region.h>

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define PAGES 64
#define SIZE (PAGES * l->page)
#define GPA (16UL << 20)
#define CONVERSIONS 300

struct world {
	struct guest guest;
	struct gmem_region *r;
	struct gmem_region_info info;
	bool private[PAGES];
	uint32_t value[PAGES];
	uint32_t seed;
};

static struct world w;

static uint32_t any(uint32_t below)
{
	w.seed = w.seed * 1103515245 + 12345;
	return (w.seed >> 8) % below;
}

/* In two slots, of which neither begins where the region does in memory. */
static void start(struct live *l)
{
	const struct gmem_slot half = {
		.sz = sizeof(half),
		.gpa = GPA,
		.len = SIZE / 2,
	};
	struct gmem_slot s;

	w = (struct world){ .seed = 1, .info.sz = sizeof(w.info) };
	guest_start(&w.guest, l);
	live_ok(l, gmem_region_create(l->vm, SIZE, NULL, &w.r, &l->err));
	live_ok(l, gmem_region_get(w.r, &w.info, &l->err));
	assert_int_equal(w.info.kind, live_has("in-place")
					      ? GMEM_REGION_KIND_INPLACE
					      : GMEM_REGION_KIND_DUAL);
	for (uint32_t i = 0; i < 2; i++) {
		s = half;
		s.slot = i;
		s.gpa += i * SIZE / 2;
		s.offset = i * SIZE / 2;
		live_ok(l, gmem_region_bind(w.r, &s, &l->err));
	}
	for (unsigned int i = 0; i < PAGES; i++)
		w.private[i] = true;
}

static void convert(struct live *l, unsigned int page, unsigned int n,
		    bool private, uint64_t flags)
{
	struct gmem_region_range range = { page * l->page, n * l->page };
	struct gmem_convert_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem_converted out = { .sz = sizeof(out) };

	live_ok(l,
		gmem_region_convert(w.r, &range, 1, private ? PRIVATE : SHARED,
				    &o, &out, &l->err));
	assert_int_equal(out.done, n * l->page);
	for (unsigned int i = page; i < page + n; i++) {
		/* In place it is the same page; elsewhere another, new one. */
		if (w.private[i] != private && !live_has("in-place"))
			w.value[i] = 0;
		w.private[i] = private;
	}
}

static void guest_has(struct live *l, unsigned int page)
{
	uint32_t value = ~0U;

	t_code(guest_read(&w.guest, GPA + page * l->page, &value), 0);
	assert_int_equal(value, w.value[page]);
}

static void writes(struct live *l, unsigned int page, uint32_t value)
{
	t_code(guest_write(&w.guest, GPA + page * l->page, value), 0);
	w.value[page] = value;
}

static void host_writes(struct live *l, unsigned int page, uint32_t value)
{
	uint64_t at = page * l->page;

	if (w.info.shared)
		memcpy((unsigned char *)w.info.shared + at, &value,
		       sizeof(value));
	else
		live_ok(l, gmem_write(w.info.gmem, at, &value, sizeof(value),
				      &l->err));
	w.value[page] = value;
}

static void host_has(struct live *l, unsigned int page)
{
	uint64_t at = page * l->page;
	uint32_t value = ~0U;

	if (w.info.shared)
		memcpy(&value, (unsigned char *)w.info.shared + at,
		       sizeof(value));
	else
		live_ok(l, gmem_read(w.info.gmem, at, &value, sizeof(value),
				     &l->err));
	assert_int_equal(value, w.value[page]);
}

/* All pages of both sides were touched; none has memory on the other. */
static void nothing_is_twice(struct live *l)
{
	struct gmem_region_residency there = { .sz = sizeof(there) };
	uint64_t private = 0;

	for (unsigned int i = 0; i < PAGES; i++)
	private += w.private[i] ? l->page : 0;
	live_ok(l, gmem_region_resident(w.r, 0, SIZE, &there, &l->err));
	assert_int_equal(there.unused_bytes, 0);
	assert_int_equal(there.private_bytes, private);
	assert_int_equal(there.shared_bytes, SIZE - private);
}

static void guest_and_host_see_what_a_page_is(void **state)
{
	struct live *l = *state;

	start(l);
	for (unsigned int i = 0; i < PAGES; i++)
		writes(l, i, 0x1000 + i);
	/* Over the border of the slots. */
	convert(l, PAGES / 2 - 2, 4, false, 0);
	for (unsigned int i = 0; i < PAGES; i++)
		guest_has(l, i);
	for (unsigned int i = PAGES / 2 - 2; i < PAGES / 2 + 2; i++) {
		host_writes(l, i, 0x2000 + i);
		guest_has(l, i);
		writes(l, i, 0x3000 + i);
		host_has(l, i);
	}
	/* Back: what the host wrote last is not what the guest has. */
	convert(l, PAGES / 2 - 1, 2, true, 0);
	for (unsigned int i = 0; i < PAGES; i++)
		guest_has(l, i);
	convert(l, 0, PAGES, false, 0);
	for (unsigned int i = 0; i < PAGES; i++) {
		guest_has(l, i);
		host_has(l, i);
	}
}

/* A slot that is made again shows the private memory that there was. */
static void a_slot_that_comes_back_has_its_memory(void **state)
{
	struct live *l = *state;
	struct gmem_slot s = {
		.sz = sizeof(s),
		.gpa = GPA,
		.len = SIZE / 2,
	};

	start(l);
	if (live_has("in-place"))
		t_not_applicable("two-backings", "in place nothing is freed");
	convert(l, 0, 8, false, GMEM_CONVERT_DEFER);
	writes(l, 0, 1);
	convert(l, 0, 8, true, GMEM_CONVERT_DEFER);
	writes(l, 0, 2);
	writes(l, 8, 3);
	live_ok(l, gmem_region_unbind(w.r, 0, 0, 0, &l->err));
	live_ok(l, gmem_region_reclaim(w.r, 0, SIZE, NULL, NULL, &l->err));
	live_ok(l, gmem_region_bind(w.r, &s, &l->err));
	guest_has(l, 0);
	guest_has(l, 8);
	live_ok(l, gmem_region_reclaim(w.r, 0, SIZE, NULL, NULL, &l->err));
	guest_has(l, 0);
}

static void a_balloon_and_a_reboot_give_zeros(void **state)
{
	struct live *l = *state;

	start(l);
	convert(l, 4, 8, false, 0);
	for (unsigned int i = 0; i < PAGES; i++)
		writes(l, i, 0x1000 + i);
	live_ok(l, gmem_region_discard(w.r, 2 * l->page, 4 * l->page, NULL,
				       &l->err));
	memset(&w.value[2], 0, 4 * sizeof(w.value[0]));
	for (unsigned int i = 0; i < PAGES; i++)
		guest_has(l, i);
	live_ok(l, gmem_region_reset(w.r, NULL, &l->err));
	memset(w.value, 0, sizeof(w.value));
	for (unsigned int i = 0; i < PAGES; i++) {
		w.private[i] = true;
		guest_has(l, i);
	}
}

static void random_conversions(struct live *l)
{
	for (unsigned int i = 0; i < CONVERSIONS; i++) {
		unsigned int at = any(PAGES), n = 1 + any(PAGES - at);

		convert(l, at, n, any(2), 0);
		at = any(PAGES);
		writes(l, at, 1 + i);
		at = any(PAGES);
		if (!w.private[at])
			host_writes(l, at, 0x10000 + i);
		for (unsigned int k = 0; k < 4; k++)
			guest_has(l, any(PAGES));
	}
	for (unsigned int i = 0; i < PAGES; i++)
		guest_has(l, i);
}

static void the_guest_has_what_was_converted(void **state)
{
	struct live *l = *state;

	start(l);
	random_conversions(l);
}

static void no_page_is_in_memory_twice(void **state)
{
	struct live *l = *state;

	live_need("residency");
	start(l);
	for (unsigned int i = 0; i < PAGES; i++)
		writes(l, i, i);
	nothing_is_twice(l);
	random_conversions(l);
	for (unsigned int i = 0; i < PAGES; i++)
		writes(l, i, i);
	nothing_is_twice(l);
	convert(l, 0, PAGES, false, GMEM_CONVERT_DEFER);
	convert(l, 0, PAGES / 2, true, GMEM_CONVERT_DEFER);
	for (unsigned int i = 0; i < PAGES; i++)
		writes(l, i, i);
	live_ok(l, gmem_region_reclaim(w.r, 0, SIZE, NULL, NULL, &l->err));
	nothing_is_twice(l);
}

int main(void)
{
	const struct CMUnitTest regions[] = {
		live_test(guest_and_host_see_what_a_page_is),
		live_test(a_slot_that_comes_back_has_its_memory),
		live_test(a_balloon_and_a_reboot_give_zeros),
		live_test(the_guest_has_what_was_converted),
		live_test(no_page_is_in_memory_twice),
	};

	return t_main(regions);
}
