// SPDX-License-Identifier: MIT
/* Regions: which kind, whose file, what is behind their slots, their end. */
#include "unit.h"

#include <gmem_region.h>

#include "file.h"

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED

static struct gmem_region_opts opts(uint32_t kind, struct gmem *g)
{
	return (struct gmem_region_opts){
		.sz = sizeof(struct gmem_region_opts),
		.kind = kind,
		.gmem = g,
	};
}

static struct gmem_region *region(struct unit *u)
{
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, 1 * MiB, NULL, &r, &u->err), u->err);
	return r;
}

static struct gmem_slot slot(uint64_t offset, uint64_t len)
{
	return (struct gmem_slot){ .sz = sizeof(struct gmem_slot),
				   .gpa = 2 * GiB + offset,
				   .offset = offset,
				   .len = len };
}

static struct gmem_region_info info(struct unit *u, struct gmem_region *r)
{
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);

	t_ok(gmem_region_get(r, &i, &u->err), u->err);
	return i;
}

/* 0, or the reason of the refusal. */
static uint32_t made(struct unit *u, uint32_t kind, struct gmem *g,
		     uint64_t size)
{
	struct gmem_region_opts o = opts(kind, g);
	struct gmem_region *r = (void *)1;
	int ret;

	u->err.sz = sizeof(u->err);
	ret = gmem_region_create(u->vm, size, &o, &r, &u->err);
	if (ret < 0) {
		assert_ptr_equal(r, (void *)1);
		return u->err.reason;
	}
	t_ok(gmem_region_close(r, &u->err), u->err);
	return 0;
}

static uint32_t auto_takes(struct unit *u)
{
	struct gmem_region *r = region(u);
	uint32_t kind = info(u, r).kind;

	t_ok(gmem_region_close(r, &u->err), u->err);
	return kind;
}

/* ---------------------------------------------------------------- kind -- */

static void dual_where_attributes_are_the_vms(void **state)
{
	struct unit *u = *state;

	assert_int_equal(auto_takes(u), GMEM_REGION_KIND_DUAL);
	assert_int_equal(made(u, GMEM_REGION_KIND_DUAL, NULL, MiB), 0);
	assert_int_equal(made(u, GMEM_REGION_KIND_INPLACE, NULL, MiB),
			 GMEM_REASON_REGION_KIND);
	assert_int_equal(made(u, 4, NULL, MiB), GMEM_REASON_VALUE_UNKNOWN);
}

/* The guest would never see shared memory beside the file. */
static void peer_M17_no_second_backing_in_place(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);

	assert_int_equal(auto_takes(u), GMEM_REGION_KIND_INPLACE);
	assert_int_equal(made(u, GMEM_REGION_KIND_DUAL, NULL, MiB),
			 GMEM_REASON_REGION_KIND);
	assert_int_equal(made(u, GMEM_REGION_KIND_AUTO, g, MiB),
			 GMEM_REASON_REGION_KIND);
	assert_int_equal(made(u, GMEM_REGION_KIND_INPLACE, g, MiB),
			 GMEM_REASON_REGION_KIND);
}

static void shared_by_name_only(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = opts(GMEM_REGION_KIND_SHARED, NULL);
	struct gmem_region_range all = { 0, MiB };
	struct gmem_region *r;
	uint64_t a;

	assert_int_equal(made(u, GMEM_REGION_KIND_AUTO, NULL, MiB),
			 GMEM_REASON_REGION_KIND);
	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	t_ok(gmem_region_attributes(r, 0, MiB, &a, NULL, &u->err), u->err);
	assert_int_equal(a, SHARED);
	t_refused(gmem_region_convert(r, &all, 1, PRIVATE, NULL, NULL, &u->err),
		  -EOPNOTSUPP, GMEM_REASON_REGION_KIND, u->err);
	t_ok(gmem_region_convert(r, &all, 1, SHARED, NULL, NULL, &u->err),
	     u->err);
	assert_int_equal(u->err.done, MiB);
	t_ok(gmem_region_reset(r, NULL, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
}

/* ---------------------------------------------------------------- file -- */

static void a_file_that_is_handed_in_is_checked(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB,
				     unit_in_place(u) ? GMEM_CREATE_MMAP : 0);
	struct gmem_slot s = slot(0, 64 * KiB);
	struct gmem_region_opts o = opts(0, g);
	struct gmem_region *r;

	assert_int_equal(made(u, 0, g, 2 * MiB), GMEM_REASON_REGION_SIZE);
	s.gmem = g;
	t_ok(gmem_bind(&s, &u->err), u->err);
	assert_int_equal(made(u, 0, g, MiB), GMEM_REASON_STILL_BOUND);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &u->err), u->err);
	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	assert_ptr_equal(info(u, r).gmem, g);
	assert_int_equal(made(u, 0, g, MiB), GMEM_REASON_IN_REGION);
	t_ok(gmem_region_close(r, &u->err), u->err);
	/* It is the caller's again. */
	t_ok(gmem_bind(&s, &u->err), u->err);
	t_ok(gmem_set_private(g, 0, PAGE, &u->err), u->err);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &u->err), u->err);
	t_ok(gmem_close(g, &u->err), u->err);
}

static void only_the_region_changes_its_file(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_slot s = slot(0, 64 * KiB);
	struct gmem *g = info(u, r).gmem;
	unsigned char record[256];
	size_t len = sizeof(record);

	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	t_ok(gmem_attributes_export(g, record, &len, &u->err), u->err);
	unit_reset(u);
	t_refused(gmem_set_shared(g, 0, PAGE, &u->err), -EBUSY,
		  GMEM_REASON_IN_REGION, u->err);
	t_refused(gmem_vm_set_attributes(u->vm, 0, 2 * GiB, PAGE, SHARED, NULL,
					 &u->err),
		  -EBUSY, GMEM_REASON_IN_REGION, u->err);
	t_refused(gmem_attributes_import(g, record, len, 0, &u->err), -EBUSY,
		  GMEM_REASON_IN_REGION, u->err);
	t_refused(gmem_close(g, &u->err), -EBUSY, GMEM_REASON_IN_REGION,
		  u->err);
	t_refused(gmem_discard(g, 0, PAGE, NULL, &u->err), -EBUSY,
		  GMEM_REASON_IN_REGION, u->err);
	assert_int_equal(u->n_calls, 0);
	t_refused(gmem_region_close(r, &u->err), -EBUSY,
		  GMEM_REASON_STILL_BOUND, u->err);
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
	t_ok(gmem_region_close(NULL, &u->err), u->err);
}

static void it_keeps_what_the_program_gave_it(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = opts(0, NULL);
	struct gmem_region *r = region(u);

	assert_null(info(u, r).user);
	t_ok(gmem_region_close(r, &u->err), u->err);
	o.user = &o;
	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	assert_ptr_equal(info(u, r).user, &o);
	t_ok(gmem_region_close(r, &u->err), u->err);
}

/* --------------------------------------------------------------- slots -- */

static void its_region_is_found_by_guest_address(void **state)
{
	struct gmem_location at = GMEM_INIT(struct gmem_location);
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB,
				     unit_in_place(u) ? GMEM_CREATE_MMAP : 0);
	struct gmem_region *r = region(u), *found = NULL;
	struct gmem_slot s = slot(64 * KiB, 64 * KiB);
	const uint64_t gpa = s.gpa;

	unit_bind(u, g, 3, 4 * GiB);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	unit_reset(u);
	t_ok(gmem_region_at(u->vm, 0, gpa + PAGE + 1, &found, &at, &u->err),
	     u->err);
	assert_ptr_equal(found, r);
	assert_int_equal(at.offset, 64 * KiB + PAGE + 1);
	assert_int_equal(at.run, 64 * KiB - (PAGE + 1));
	assert_int_equal(at.attributes, PRIVATE);
	found = NULL;
	t_ok(gmem_region_at(u->vm, 0, gpa, &found, NULL, &u->err), u->err);
	assert_ptr_equal(found, r);
	found = NULL;
	at.offset = 7;
	t_refused(gmem_region_at(u->vm, 0, gpa - 1, &found, &at, &u->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, u->err);
	t_refused(gmem_region_at(u->vm, 1, gpa, &found, &at, &u->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, u->err);
	t_refused(gmem_region_at(u->vm, 0, 4 * GiB, &found, &at, &u->err),
		  -EINVAL, GMEM_REASON_NO_REGION, u->err);
	assert_int_equal(u->err.value, 4 * GiB);
	t_refused(gmem_region_at(u->vm, 0, gpa, NULL, &at, &u->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, u->err);
	t_refused(gmem_region_at(NULL, 0, gpa, &found, &at, &u->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, u->err);
	at.sz = 8;
	t_refused(gmem_region_at(u->vm, 0, gpa, &found, &at, &u->err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, u->err);
	assert_null(found);
	assert_int_equal(at.offset, 7);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(u->n_allocs, 0);
}

static void the_shared_side_is_behind_the_slots(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_region_info i = info(u, r);
	struct gmem_slot s = slot(64 * KiB, 64 * KiB), n, to[2];
	uintptr_t base = (uintptr_t)i.shared;

	assert_int_equal(i.shared_side, GMEM_SHARED_SIDE_ANON);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	assert_int_equal(s.userspace_addr, base + 64 * KiB);
	/* A new layout has it too. */
	to[0] = to[1] = s;
	to[0].len = to[1].len = 32 * KiB;
	to[0].flags = to[1].flags = 0;
	to[0].userspace_addr = to[1].userspace_addr = 0;
	to[1].slot = 1;
	to[1].gpa += 32 * KiB;
	to[1].offset += 32 * KiB;
	t_ok(gmem_slots_replace(u->vm, &s, 1, to, 2, 0, &u->err), u->err);
	assert_int_equal(to[1].userspace_addr, base + 96 * KiB);
	/* No other memory. */
	n = slot(128 * KiB, 64 * KiB);
	n.slot = 2;
	n.flags = GMEM_SLOT_USERSPACE_ADDR | GMEM_SLOT_FD;
	n.userspace_addr = base + 64 * KiB;
	t_refused(gmem_region_bind(r, &n, &u->err), -EINVAL,
		  GMEM_REASON_REGION_MEMORY, u->err);
	t_refused(gmem_region_note(r, &n, &u->err), -EINVAL,
		  GMEM_REASON_REGION_MEMORY, u->err);
	n.userspace_addr = base + 128 * KiB;
	t_ok(gmem_region_note(r, &n, &u->err), u->err);
	t_ok(gmem_region_unbind(r, 2, 0, 0, &u->err), u->err);
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	t_ok(gmem_region_unbind(r, 1, 0, 0, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
}

static void a_slot_of_another_file_is_not_its_own(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem *g = unit_create(u, 1 * MiB,
				     unit_in_place(u) ? GMEM_CREATE_MMAP : 0);

	unit_bind(u, g, 3, 0);
	t_refused(gmem_region_unbind(r, 3, 0, 0, &u->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, u->err);
	t_refused(gmem_region_unbind(r, 4, 0, 0, &u->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, u->err);
	assert_int_equal(u->n_calls, 0);
}

/* ------------------------------------------------------------- failures -- */

static void a_failed_create_leaves_nothing(void **state)
{
	struct unit *u = *state;
	unsigned int fds = unit_fds(), maps = unit_mappings(u);
	struct gmem_region *r = NULL;

	u->err.sz = sizeof(u->err);
	for (unsigned int nth = 1;; nth++) {
		int ret;

		assert_true(nth < 100);
		unit_reset(u);
		unit_answer(u, NULL, 0, nth, 1, -ENOMEM);
		ret = gmem_region_create(u->vm, MiB, NULL, &r, &u->err);
		unit_reset(u);
		if (ret == 0)
			break;
		assert_null(r);
		assert_int_equal(unit_fds(), fds);
		assert_int_equal(unit_mappings(u), maps);
	}
	t_ok(gmem_region_close(r, &u->err), u->err);
}

/* What the process cannot unmap is tried again; it works until then. */
static void a_close_that_fails_changes_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u);
	struct gmem_slot s = slot(0, 64 * KiB);
	struct gmem_region_range range = { 0, PAGE };

	u->err.sz = sizeof(u->err);
	for (unsigned int nth = 1;; nth++) {
		int ret;

		assert_true(nth < 100);
		unit_reset(u);
		unit_answer(u, "munmap", 0, nth, 1, -ENOMEM);
		ret = gmem_region_close(r, &u->err);
		unit_reset(u);
		if (ret == 0)
			break;
		assert_int_equal(ret, -ENOMEM);
		s = slot(0, 64 * KiB);
		t_ok(gmem_region_bind(r, &s, &u->err), u->err);
		t_ok(gmem_region_convert(r, &range, 1, SHARED, NULL, NULL,
					 &u->err),
		     u->err);
		t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	}
}

static void peer_M18_the_exits_of_hypercalls_are_enabled(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = opts(0, NULL);
	struct gmem_region *r;

	unit_reset(u);
	r = region(u);
	assert_int_equal(unit_count(u, "ioctl", 0x4068aea3), 1);
	assert_int_equal(info(u, r).flags, GMEM_REGION_HYPERCALL);
	t_ok(gmem_region_close(r, &u->err), u->err);
	unit_reset(u);
	o.flags = GMEM_REGION_NO_HYPERCALL;
	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	assert_int_equal(unit_count(u, "ioctl", 0x4068aea3), 0);
	assert_int_equal(info(u, r).flags, 0);
	t_ok(gmem_region_close(r, &u->err), u->err);
}

#define BOTH(name) TEST(name, unit_sw), TEST(name, unit_inplace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dual_where_attributes_are_the_vms, unit_sw),
		TEST(dual_where_attributes_are_the_vms, unit_sw612),
		TEST(peer_M17_no_second_backing_in_place, unit_inplace),
		TEST(shared_by_name_only, unit_default73),
		BOTH(a_file_that_is_handed_in_is_checked),
		BOTH(only_the_region_changes_its_file),
		BOTH(it_keeps_what_the_program_gave_it),
		BOTH(its_region_is_found_by_guest_address),
		TEST(the_shared_side_is_behind_the_slots, unit_sw),
		BOTH(a_slot_of_another_file_is_not_its_own),
		BOTH(a_failed_create_leaves_nothing),
		BOTH(a_close_that_fails_changes_nothing),
		BOTH(peer_M18_the_exits_of_hypercalls_are_enabled),
	};

	return t_main(tests);
}
