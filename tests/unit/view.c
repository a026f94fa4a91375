// SPDX-License-Identifier: MIT
/* One mapping of the file, for its slots and for the caller. */
#include <sys/mman.h>

#include "unit.h"

#define PAGES 16

static unsigned char *behind(struct unit *u, uint32_t slot)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	struct gmem_error err;

	t_ok(gmem_slot_get(u->vm, slot, 0, &s, &err), err);
	return (unsigned char *)(uintptr_t)s.userspace_addr;
}

static unsigned char *map_as(struct unit *u, uint64_t page, uint64_t n,
			     uint64_t flags, void *addr)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o),
				    .flags = flags,
				    .addr = addr };
	struct gmem_error err;
	void *p = NULL;

	t_ok(gmem_mmap(u->g, page * u->page, n * u->page, &o, &p, &err), err);
	return p;
}

static unsigned char *map(struct unit *u, uint64_t page, uint64_t n)
{
	return map_as(u, page, n, 0, NULL);
}

static void unmap(struct unit *u, unsigned char *p)
{
	struct gmem_error err;

	t_ok(gmem_munmap(u->g, p, &err), err);
}

static bool mapped(const void *p)
{
	unsigned char there;

	return mincore((void *)(uintptr_t)p, 1, &there) == 0;
}

static struct gmem *file(struct unit *u)
{
	return unit_create(u, PAGES * u->page, SHARED_FLAGS);
}

static void what_is_behind_slots_is_the_callers_mapping_too(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);
	struct gmem_error err;
	unsigned char *p, *q;

	t_ok(t_bind(g, 0, 0, 4 * u->page, 2 * u->page, NULL, &err), err);
	unit_reset(u);
	p = map(u, 5, 3); /* more than the slot has */
	q = map_as(u, 0, PAGES, GMEM_MMAP_ALLOW_PRIVATE, NULL);
	assert_int_equal(u->n_calls, 0);
	assert_ptr_equal(p, behind(u, 0) + u->page);
	assert_ptr_equal(q, behind(u, 0) - 4 * u->page);
	assert_int_equal(unit_file_mappings(u), 1);
	p[0] = 7;
	assert_int_equal(q[5 * u->page], 7);
	/* although a slot leads there */
	unmap(u, p);
	unmap(u, q);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(behind(u, 0)[u->page], 7);
	t_refused(gmem_munmap(g, p, &err), -EINVAL, GMEM_REASON_NOT_MAPPED,
		  err);
}

static void what_it_does_not_have_is_mapped_apart(void **state)
{
	static const uint64_t flags[] = { GMEM_MMAP_READONLY, GMEM_MMAP_FORK,
					  GMEM_MMAP_DUMP, GMEM_MMAP_FIXED };
	struct unit *u = *state;
	struct gmem *g = file(u);
	unsigned char *p, *view;
	void *addr = mmap(NULL, u->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	unit_bind(u, g, 0, 0);
	view = behind(u, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		p = map_as(u, 0, 1, flags[i],
			   flags[i] & GMEM_MMAP_FIXED ? addr : NULL);
		assert_true(p + u->page <= view || view + PAGES * u->page <= p);
		assert_int_equal(unit_file_mappings(u), 2);
		unmap(u, p);
		assert_int_equal(unit_file_mappings(u), 1);
	}
	assert_int_equal(munmap(addr, u->page), 0);
}

static void the_callers_mapping_becomes_what_is_behind_slots(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);
	struct gmem_error err;
	unsigned char *p = map(u, 0, PAGES);

	unit_bind(u, g, 0, 0);
	assert_ptr_equal(behind(u, 0), p);
	assert_int_equal(unit_file_mappings(u), 1);
	unmap(u, p);
	assert_int_equal(u->n_calls, 0);
	p[0] = 1;
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(gmem_close(g, &err), err);
	assert_false(mapped(p));
}

static void but_only_one_of_all_of_it_that_is_plain(void **state)
{
	static const struct {
		uint64_t page, n, flags;
	} rows[] = {
		{ 0, PAGES - 1, 0 },
		{ 1, PAGES - 1, 0 },
		{ 0, PAGES, GMEM_MMAP_READONLY },
		{ 0, PAGES, GMEM_MMAP_FORK },
		{ 0, PAGES, GMEM_MMAP_DUMP },
		{ 0, PAGES, GMEM_MMAP_FIXED },
	};
	struct unit *u = *state;
	void *addr = mmap(NULL, PAGES * u->page, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem *g = file(u);
		bool fixed = rows[i].flags & GMEM_MMAP_FIXED;
		unsigned char *p = map_as(u, rows[i].page, rows[i].n,
					  rows[i].flags, fixed ? addr : NULL);
		struct gmem_error err;

		unit_bind(u, g, 0, 0);
		assert_int_equal(unit_file_mappings(u), 2);
		assert_true(behind(u, 0) != p);
		unmap(u, p);
		assert_int_equal(unit_file_mappings(u), 1);
		t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
		t_ok(gmem_close(g, &err), err);
	}
	assert_int_equal(munmap(addr, PAGES * u->page), 0);
}

/* One that was unmapped before the bind is none. */
static void nor_one_that_is_gone(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);

	unmap(u, map(u, 0, PAGES));
	unit_bind(u, g, 0, 0);
	assert_true(mapped(behind(u, 0)));
	assert_int_equal(unit_file_mappings(u), 1);
}

static void each_of_the_same_range_is_unmapped_once(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);
	struct gmem_error err;
	unsigned char *p;

	unit_bind(u, g, 0, 0);
	p = map(u, 2, 1);
	assert_ptr_equal(map(u, 2, 4), p);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	unmap(u, p);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_MAPPED, err);
	unmap(u, p);
	t_refused(gmem_munmap(g, p, &err), -EINVAL, GMEM_REASON_NOT_MAPPED,
		  err);
	t_ok(gmem_close(g, &err), err);
	assert_false(mapped(p));
}

/* Whatever becomes of the slots, what the caller has mapped stays. */
static void it_outlives_the_slots(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);
	struct gmem_slot from = { .sz = sizeof(from) };
	struct gmem_slot to[2] = {
		{ .sz = sizeof(*to), .slot = 1, .gmem = g },
		{ .sz = sizeof(*to), .slot = 2, .gmem = g }
	};
	struct gmem_error err;
	unsigned char *p;

	unit_bind(u, g, 0, 0);
	p = map(u, 0, PAGES);
	p[3 * u->page] = 3;
	to[0].len = 4 * u->page;
	to[1].offset = to[1].gpa = 8 * u->page;
	to[1].len = 8 * u->page;
	t_ok(gmem_slots_replace(u->vm, &from, 1, to, 2, 0, &err), err);
	assert_ptr_equal(behind(u, 1), p);
	assert_ptr_equal(behind(u, 2), p + 8 * u->page);
	t_ok(gmem_slots_replace(u->vm, to, 2, NULL, 0, 0, &err), err);
	assert_int_equal(p[3 * u->page], 3);
	unit_bind(u, g, 5, GiB);
	assert_ptr_equal(behind(u, 5), p);
	t_ok(gmem_unbind(u->vm, 5, 0, 0, &err), err);
	p[0] = 9;
	unmap(u, p);
	t_ok(gmem_close(g, &err), err);
	assert_false(mapped(p));
}

/* The memory does not go with the caller's mapping. */
static void nor_does_a_slot_of_another_file_lose_it(void **state)
{
	struct unit *u = *state;
	struct gmem_slot s = { .sz = sizeof(s),
			       .flags = GMEM_SLOT_USERSPACE_ADDR };
	struct gmem *g = unit_create(u, PAGES * u->page,
				     GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	struct gmem_error err;
	unsigned char *p;

	unit_bind(u, g, 0, 0);
	p = map_as(u, 0, PAGES, GMEM_MMAP_ALLOW_PRIVATE, NULL);
	assert_ptr_equal(p, behind(u, 0));
	unit_create(u, PAGES * u->page, 0);
	s.userspace_addr = (uintptr_t)p;
	t_ok(t_bind(u->g, 1, GiB, 0, PAGES * u->page, &s, &err), err);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(gmem_munmap(g, p, &err), err);
	assert_true(mapped(p));
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_BOUND, err);
	assert_int_equal(err.value, 1);
	t_ok(gmem_unbind(u->vm, 1, 0, 0, &err), err);
	t_ok(gmem_close(g, &err), err);
	assert_false(mapped(p));
}

static void the_end_of_the_vm_unmaps_it_once(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);
	struct gmem_error err;
	unsigned char *p = map(u, 0, PAGES);

	unit_bind(u, g, 0, 0);
	assert_ptr_equal(map(u, 1, 1), p + u->page);
	unit_reset(u);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	/* the view, and the VM's page */
	assert_int_equal(unit_count(u, "munmap", 0), 2);
	assert_false(mapped(p));
}

static void what_a_slot_that_stays_leads_to_stays_mapped(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);
	struct gmem_error err;
	unsigned char *p;

	unit_bind(u, g, 4, 0);
	p = map(u, 0, 2);
	unit_answer(u, "ioctl", GMEM__KVM_SET_USER_MEMORY_REGION, 1, 1,
		    -ENOMEM);
	t_refused(gmem_vm_destroy(u->vm, &err), -EBUSY, GMEM_REASON_SLOT_STUCK,
		  err);
	u->vm = NULL;
	assert_true(mapped(p));
	assert_int_equal(unit_sys.munmap(u, p, PAGES * u->page), 0);
}

static void without_memory_nothing_is_mapped(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);
	struct gmem_error err;
	void *p = NULL;

	unit_bind(u, g, 0, 0);
	u->fail_alloc = 1;
	t_refused(gmem_mmap(g, 0, u->page, NULL, &p, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	assert_null(p);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(gmem_close(g, &err), err);
}

static void a_private_page_of_it_is_guarded(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);
	struct gmem_error err;
	unsigned char *p, b;
	void *none = NULL;

	unit_bind(u, g, 0, 0);
	p = map(u, 0, 4);
	memset(p, 1, 4 * u->page);
	t_ok(gmem_set_private(g, 2 * u->page, u->page, &err), err);
	for (unsigned int i = 0; i < 4; i++)
		t_code(model__sys.vm_read(u->k, &b, p + i * u->page, 1),
		       i == 2 ? -EFAULT : 1);
	t_refused(gmem_mmap(g, 0, 4 * u->page, NULL, &none, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.value, 2 * u->page);
	assert_null(none);
	assert_ptr_equal(map(u, 0, 2), p);
	assert_ptr_equal(map_as(u, 2, 1, GMEM_MMAP_ALLOW_PRIVATE, NULL),
			 p + 2 * u->page);
	t_code(model__sys.vm_read(u->k, &b, p + 2 * u->page, 1), -EFAULT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_behind_slots_is_the_callers_mapping_too,
		     unit_default),
		TEST(what_it_does_not_have_is_mapped_apart, unit_default),
		TEST(the_callers_mapping_becomes_what_is_behind_slots,
		     unit_default),
		TEST(but_only_one_of_all_of_it_that_is_plain, unit_default),
		TEST(nor_one_that_is_gone, unit_default),
		TEST(each_of_the_same_range_is_unmapped_once, unit_default),
		TEST(it_outlives_the_slots, unit_default73),
		TEST(nor_does_a_slot_of_another_file_lose_it, unit_sw),
		TEST(the_end_of_the_vm_unmaps_it_once, unit_default),
		TEST(what_a_slot_that_stays_leads_to_stays_mapped,
		     unit_default),
		TEST(without_memory_nothing_is_mapped, unit_default),
		TEST(a_private_page_of_it_is_guarded, unit_inplace),
	};

	return t_main(tests);
}
