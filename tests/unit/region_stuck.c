// SPDX-License-Identifier: MIT
/*
 * A region's slots that the kernel refuses to delete: they convert, they keep
 * the region, and nothing is unmapped that the kernel may still reach.
 */
#include <sys/mman.h>

#include "unit.h"

#include <gmem_model.h>
#include <gmem_region.h>

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define PAGES 64u
#define HALF (PAGES / 2 * PAGE)
#define GPA (2 * GiB)
#define DELETE "KVM_SET_USER_MEMORY_REGION"
#define ATTRIBUTES "KVM_SET_MEMORY_ATTRIBUTES"

static struct gmem_slot half(uint32_t slot)
{
	return (struct gmem_slot){ .sz = sizeof(struct gmem_slot),
				   .slot = slot,
				   .gpa = GPA + slot * HALF,
				   .offset = slot * HALF,
				   .len = HALF };
}

static struct gmem_region_info info(struct gmem_region *r)
{
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);

	assert_int_equal(gmem_region_get(r, &i, NULL), 0);
	return i;
}

static struct gmem_region *made(struct unit *u)
{
	struct gmem_region *r = NULL;

	u->err.sz = sizeof(u->err);
	t_ok(gmem_region_create(u->vm, PAGES * PAGE, NULL, &r, &u->err),
	     u->err);
	return r;
}

static struct gmem_region *bound(struct unit *u)
{
	struct gmem_region *r = made(u);

	for (uint32_t i = 0; i < 2; i++) {
		struct gmem_slot s = half(i);

		t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	}
	unit_reset(u);
	return r;
}

static uint32_t flags_of(struct unit *u, uint32_t slot)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	t_ok(gmem_slot_get(u->vm, slot, 0, &s, &u->err), u->err);
	return s.flags;
}

static void refuse_delete(struct unit *u, unsigned int times, int code)
{
	t_ok(gmem_model_fail(u->vm, DELETE, times, code, &u->err), u->err);
}

static struct gmem_region *stuck(struct unit *u)
{
	struct gmem_region *r = bound(u);

	refuse_delete(u, 1, ENOMEM);
	t_refused(gmem_region_unbind(r, 0, 0, 0, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	assert_true(flags_of(u, 0) & GMEM_SLOT_STUCK);
	return r;
}

static int convert(struct unit *u, struct gmem_region *r, uint64_t to)
{
	struct gmem_region_range all = { 0, PAGES * PAGE };

	return gmem_region_convert(r, &all, 1, to, NULL, NULL, &u->err);
}

static void writes(struct unit *u, unsigned char b)
{
	for (uint64_t i = 0; i < PAGES; i++)
		unit_guest_write(u, GPA + i * PAGE, b);
}

static bool is(struct unit *u, struct gmem_region *r, uint64_t state)
{
	uint64_t a, run;

	t_ok(gmem_region_attributes(r, 0, PAGES * PAGE, &a, &run, &u->err),
	     u->err);
	for (uint64_t i = 0; i < PAGES; i++)
		if (unit_private(u, info(r).gmem, GPA, i * PAGE) !=
		    (state == PRIVATE))
			return false;
	return a == state && run == PAGES * PAGE;
}

static bool mapped(const void *p, uint64_t len)
{
	unsigned char there[PAGES];

	return mincore((void *)(uintptr_t)p, len, there) == 0;
}

/* The guest has it, so it is converted as before, and freed. */
static void a_stuck_slot_converts_as_before(void **state)
{
	struct unit *u = *state;
	struct gmem_region_residency there =
		GMEM_INIT(struct gmem_region_residency);
	struct gmem_region *r = stuck(u);

	for (unsigned char i = 1; i < 4; i++) {
		writes(u, i);
		t_ok(convert(u, r, i % 2 ? SHARED : PRIVATE), u->err);
		assert_true(is(u, r, i % 2 ? SHARED : PRIVATE));
		assert_true(flags_of(u, 0) & GMEM_SLOT_STUCK);
	}
	t_ok(gmem_region_reclaim(r, 0, PAGES * PAGE, NULL, NULL, &u->err),
	     u->err);
	t_ok(gmem_region_resident(r, 0, PAGES * PAGE, &there, &u->err), u->err);
	assert_int_equal(there.unused_bytes, 0);
	t_ok(gmem_region_reset(r, NULL, &u->err), u->err);
	assert_true(is(u, r, PRIVATE));
	t_ok(gmem_region_discard(r, 0, PAGES * PAGE, NULL, &u->err), u->err);
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	t_ok(gmem_region_unbind(r, 1, 0, 0, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
}

static void a_region_is_not_closed_while_a_slot_is_stuck(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = stuck(u);

	t_ok(gmem_region_unbind(r, 1, 0, 0, &u->err), u->err);
	for (int i = 0; i < 2; i++) {
		refuse_delete(u, 1, EPERM);
		t_refused(gmem_region_close(r, &u->err), -EBUSY,
			  GMEM_REASON_STILL_BOUND, u->err);
		assert_true(flags_of(u, 0) & GMEM_SLOT_STUCK);
		if (info(r).shared)
			assert_true(mapped(info(r).shared, PAGES * PAGE));
	}
	t_ok(gmem_region_close(r, &u->err), u->err);
}

/* A bind there is of the region itself, and deletes it first. */
static void a_bind_in_the_place_of_a_stuck_slot(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = stuck(u);
	struct gmem_slot s = half(0);

	t_ok(convert(u, r, SHARED), u->err);
	refuse_delete(u, 1, EPERM);
	t_refused(gmem_region_bind(r, &s, &u->err), -EBUSY,
		  GMEM_REASON_SLOT_STUCK, u->err);
	assert_true(is(u, r, SHARED));
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	assert_false(flags_of(u, 0) & GMEM_SLOT_STUCK);
	t_ok(convert(u, r, PRIVATE), u->err);
	writes(u, 1);
}

struct chain {
	struct gmem_vm *vm;
	unsigned int times;
};

/* Deleting fails after the attributes did, and then again. */
static void trace(void *arg, const struct gmem_trace *e)
{
	struct chain *c = arg;

	if (!c->times || e->result >= 0 ||
	    (strcmp(e->call, ATTRIBUTES) != 0 && strcmp(e->call, DELETE) != 0))
		return;
	c->times--;
	(void)gmem_model_fail(c->vm, DELETE, 1, ENOMEM, NULL);
}

/* What the undo of a bind cannot delete is the region's. */
static void an_undo_that_fails_twice_keeps_the_region(void **state)
{
	struct unit *u = *state;
	struct chain c = { .times = 2 };
	struct gmem_slot s = half(0);
	struct gmem_region *r;

	t_ok(gmem_vm_destroy(u->vm, &u->err), u->err);
	u->vm = c.vm = unit_vm(u, GMEM_VM_SW_PROTECTED, trace, &c);
	r = made(u);
	t_ok(gmem_model_fail(u->vm, ATTRIBUTES, 1, EFAULT, &u->err), u->err);
	t_refused(gmem_region_bind(r, &s, &u->err), -EFAULT, GMEM_REASON_KERNEL,
		  u->err);
	assert_true(u->err.flags & GMEM_ERROR_STUCK);
	assert_true(flags_of(u, 0) & GMEM_SLOT_STUCK);
	t_refused(gmem_region_close(r, &u->err), -EBUSY,
		  GMEM_REASON_STILL_BOUND, u->err);
	assert_true(mapped(info(r).shared, PAGES * PAGE));
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	assert_false(flags_of(u, 0) & GMEM_SLOT_STUCK);
	t_ok(gmem_vm_destroy(u->vm, &u->err), u->err);
	u->vm = NULL; /* before @c goes */
}

static void destroyed(struct unit *u, const struct gmem_region_info *i,
		      uint32_t slot)
{
	t_refused(gmem_vm_destroy(u->vm, &u->err), -EBUSY,
		  GMEM_REASON_SLOT_STUCK, u->err);
	u->vm = NULL;
	assert_int_equal(u->err.value, slot);
	assert_true(mapped(i->shared, i->size));
	/* With the bits behind it, of what is queued. */
	assert_int_equal(unit_sys.munmap(u, i->shared, i->size), 0);
}

static void destroy_unmaps_nothing_that_kvm_still_reaches(void **state)
{
	struct unit *u = *state;
	struct gmem_region_info i = info(bound(u));

	refuse_delete(u, 1, EPERM);
	destroyed(u, &i, 0);
}

/* Nor what is under a slot that the VMM made and never took back. */
static void destroy_unmaps_nothing_under_a_noted_slot(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = made(u);
	struct gmem_region_info i = info(r);
	struct gmem_slot s = half(1);

	s.flags = GMEM_SLOT_FD;
	s.userspace_addr = (uintptr_t)i.shared + HALF;
	t_ok(gmem_region_note(r, &s, &u->err), u->err);
	destroyed(u, &i, 1);
}

/* A second slot of the VMM's shows the same memory elsewhere. */
static void a_region_is_not_closed_under_an_alias(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = { .sz = sizeof(o) };

	for (int i = 0; i < 2; i++) {
		struct gmem_slot s = {
			.sz = sizeof(s), .slot = 7, .gpa = 8 * GiB, .len = PAGE
		};
		struct gmem_region *r = NULL;

		o.gmem = i ? unit_create(u, PAGES * PAGE, 0) : NULL;
		t_ok(gmem_region_create(u->vm, PAGES * PAGE, &o, &r, &u->err),
		     u->err);
		s.userspace_addr = (uintptr_t)info(r).shared;
		t_ok(gmem_slot_note(u->vm, &s, &u->err), u->err);
		t_refused(gmem_region_close(r, &u->err), -EBUSY,
			  GMEM_REASON_STILL_BOUND, u->err);
		assert_int_equal(u->err.value, 7);
		assert_int_equal(u->err.limit, s.userspace_addr);
		assert_ptr_equal(info(r).shared, s.userspace_addr);
		t_ok(gmem_slot_forget(u->vm, 7, 0, &u->err), u->err);
		t_ok(gmem_region_close(r, &u->err), u->err);
	}
}

/* The file of the caller keeps its mappings; the region's own is in use. */
static void only_its_own_file_has_to_be_unmapped(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = { .sz = sizeof(o) };
	struct gmem_region *r = made(u);
	void *p = NULL;

	t_ok(convert(u, r, SHARED), u->err);
	t_ok(gmem_mmap(info(r).gmem, 0, PAGE, NULL, &p, &u->err), u->err);
	t_refused(gmem_region_close(r, &u->err), -EBUSY,
		  GMEM_REASON_STILL_MAPPED, u->err);
	t_ok(gmem_munmap(info(r).gmem, p, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
	o.gmem = unit_create(u, PAGES * PAGE, GMEM_CREATE_MMAP);
	t_ok(gmem_region_create(u->vm, PAGES * PAGE, &o, &r, &u->err), u->err);
	t_ok(convert(u, r, SHARED), u->err);
	t_ok(gmem_mmap(o.gmem, 0, PAGE, NULL, &p, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
	assert_true(mapped(p, PAGE));
	t_refused(gmem_close(o.gmem, &u->err), -EBUSY, GMEM_REASON_STILL_MAPPED,
		  u->err);
	t_ok(gmem_munmap(o.gmem, p, &u->err), u->err);
}

#define BOTH(name) TEST(name, unit_sw), TEST(name, unit_inplace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_stuck_slot_converts_as_before),
		BOTH(a_region_is_not_closed_while_a_slot_is_stuck),
		BOTH(a_bind_in_the_place_of_a_stuck_slot),
		TEST(an_undo_that_fails_twice_keeps_the_region, unit_sw),
		TEST(destroy_unmaps_nothing_that_kvm_still_reaches, unit_sw),
		TEST(destroy_unmaps_nothing_under_a_noted_slot, unit_sw),
		TEST(a_region_is_not_closed_under_an_alias, unit_sw),
		TEST(only_its_own_file_has_to_be_unmapped, unit_inplace),
	};

	return t_main(tests);
}
