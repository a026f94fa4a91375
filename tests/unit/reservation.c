// SPDX-License-Identifier: MIT
/*
 * What is behind the slots of a file that has no shared side: addresses that
 * nobody can touch, and so a refusal to share.
 */
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "unit.h"

#include "file.h"

static struct gmem_slot slot_of(struct unit *m, uint32_t id)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	t_ok(gmem_slot_get(m->vm, id, 0, &s, &m->err), m->err);
	return s;
}

static bool mapped(struct unit *m, uint64_t addr)
{
	unsigned char there;

	return mincore((void *)(uintptr_t)addr, m->page, &there) == 0;
}

/* As KVM's copy would: it fails, whatever the page. */
static bool touchable(uint64_t addr)
{
	char c;

	return gmem__sys_linux.vm_read(NULL, &c, (void *)(uintptr_t)addr, 1) >
	       0;
}

static void bind(struct unit *m, uint32_t id, uint64_t offset, uint64_t len)
{
	t_ok(t_bind(m->g, id, GiB + offset, offset, len, NULL, &m->err),
	     m->err);
}

static void nobody_can_touch_what_is_behind_a_private_file(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s;

	unit_create(m, 1 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
	s = slot_of(m, 0);
	assert_true(s.userspace_addr >= 64 * KiB);
	for (uint64_t at = 0; at < s.len; at += m->page) {
		assert_true(mapped(m, s.userspace_addr + at));
		assert_false(touchable(s.userspace_addr + at));
	}
}

static void one_reservation_lasts_from_the_first_slot_to_the_last(void **state)
{
	struct unit *m = *state;
	struct gmem_slot a, b;
	uint64_t base;

	unit_create(m, 1 * MiB, 0);
	bind(m, 0, 256 * KiB, 256 * KiB);
	a = slot_of(m, 0);
	base = a.userspace_addr - 256 * KiB;
	/* of the whole file, although only a part is bound */
	assert_true(mapped(m, base));
	assert_true(mapped(m, base + 1 * MiB - m->page));
	bind(m, 1, 512 * KiB, 512 * KiB);
	b = slot_of(m, 1);
	assert_int_equal(b.userspace_addr, base + 512 * KiB);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	assert_true(mapped(m, a.userspace_addr));
	bind(m, 0, 0, 64 * KiB);
	assert_int_equal(slot_of(m, 0).userspace_addr, base);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 1, 0, 0, &m->err), m->err);
	for (uint64_t at = 0; at < 1 * MiB; at += m->page)
		assert_false(mapped(m, base + at));
}

static void a_bind_that_fails_leaves_none(void **state)
{
	struct unit *m = *state;

	unit_create(m, 1 * MiB, 0);
	t_ok(gmem_model_fail(m->vm, "KVM_SET_USER_MEMORY_REGION2", 1, ENOMEM,
			     &m->err),
	     m->err);
	t_refused(t_bind(m->g, 0, GiB, 0, 1 * MiB, NULL, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_null(m->g->reservation);
	assert_int_equal(m->g->reserved, 0);
}

static void a_file_that_the_host_maps_has_none(void **state)
{
	struct unit *m = *state;

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	unit_bind(m, m->g, 0, GiB);
	assert_null(m->g->reservation);
	assert_true(touchable(slot_of(m, 0).userspace_addr));
}

static void no_room_for_it_has_a_reason(void **state)
{
	static const struct {
		int code;
		uint32_t why;
	} rows[] = {
		{ ENOMEM, GMEM_REASON_ADDRESS_LIMIT },
		{ EAGAIN, GMEM_REASON_LOCK_LIMIT },
	};
	struct gmem_slot s = { .sz = sizeof(s) };
	struct unit *m = *state;

	unit_create(m, 1 * MiB, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		t_ok(gmem_model_fail(m->vm, "mmap", 1, rows[i].code, &m->err),
		     m->err);
		t_refused(t_bind(m->g, 0, GiB, 0, 1 * MiB, NULL, &m->err),
			  -ENOMEM, rows[i].why, m->err);
		assert_int_equal(m->err.sys_errno, rows[i].code);
		assert_int_equal(m->err.value, 1 * MiB);
		t_refused(gmem_slot_get(m->vm, 0, 0, &s, &m->err), -EINVAL,
			  GMEM_REASON_NOT_BOUND, m->err);
	}
}

/* The real limit, of this process. */
static void rlimit_as_refuses_it(void **state)
{
	struct unit *m = *state;
	struct rlimit old, low;
	int r;

	unit_create(m, 1ULL << 40, 0);
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	low = old;
	low.rlim_cur = 1ULL << 39;
	if (setrlimit(RLIMIT_AS, &low) < 0)
		t_skip("rlimit", "RLIMIT_AS cannot be lowered");
	m->err.sz = sizeof(m->err);
	r = t_bind(m->g, 0, GiB, 0, 64 * KiB, NULL, &m->err);
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	t_code(r, -ENOMEM);
	t_reason(&m->err, GMEM_REASON_ADDRESS_LIMIT);
	bind(m, 0, 0, 64 * KiB);
}

/* ------------------------------------------------------------- sharing -- */

static void sharing_what_nothing_is_behind_is_refused(void **state)
{
	struct unit *m = *state;
	struct gmem_attributes_opts check = {
		.sz = sizeof(check),
		.flags = GMEM_ATTRIBUTES_CHECK_ONLY,
	};
	uint64_t a;

	unit_create(m, 1 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
	t_refused(gmem_set_shared(m->g, m->page, m->page, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_NO_SHARED_SIDE, m->err);
	assert_int_equal(m->err.value, m->page);
	t_refused(gmem_set_attributes(m->g, 0, m->page, GMEM_ATTRIBUTE_SHARED,
				      &check, &m->err),
		  -EOPNOTSUPP, GMEM_REASON_NO_SHARED_SIDE, m->err);
	t_ok(gmem_get_attributes(m->g, m->page, m->page, &a, NULL, &m->err),
	     m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
	t_ok(t_share(m->g, m->page, m->page, &m->err), m->err);
	t_ok(gmem_get_attributes(m->g, m->page, m->page, &a, NULL, &m->err),
	     m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_SHARED);
}

/* Of a range over two slots nothing changes if one has nothing behind it. */
static void all_of_a_range_is_looked_at_first(void **state)
{
	struct unit *m = *state;
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_USERSPACE_ADDR };
	uint64_t a, run;
	void *p = mmap(NULL, 512 * KiB, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	unit_create(m, 1 * MiB, 0);
	o.userspace_addr = (uintptr_t)p;
	t_ok(t_bind(m->g, 0, GiB, 0, 512 * KiB, &o, &m->err), m->err);
	bind(m, 1, 512 * KiB, 512 * KiB);
	t_refused(gmem_set_shared(m->g, 0, 1 * MiB, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_NO_SHARED_SIDE, m->err);
	assert_int_equal(m->err.value, 512 * KiB);
	t_ok(gmem_get_attributes(m->g, 0, 1 * MiB, &a, &run, &m->err), m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
	assert_int_equal(run, 1 * MiB);
	t_ok(gmem_set_shared(m->g, 0, 512 * KiB, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	(void)munmap(p, 512 * KiB);
}

static void an_import_shares_no_more_than_a_conversion(void **state)
{
	struct unit *m = *state;
	static unsigned char record[4096];
	size_t len = sizeof(record);
	uint64_t a;

	unit_create(m, 1 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
	t_ok(t_share(m->g, 0, m->page, &m->err), m->err);
	t_ok(gmem_attributes_export(m->g, record, &len, &m->err), m->err);
	t_ok(gmem_set_private(m->g, 0, m->page, &m->err), m->err);
	t_refused(gmem_attributes_import(m->g, record, len, 0, &m->err),
		  -EOPNOTSUPP, GMEM_REASON_NO_SHARED_SIDE, m->err);
	t_ok(gmem_attributes_import(m->g, record, len, GMEM_IMPORT_UNBACKED,
				    &m->err),
	     m->err);
	t_ok(gmem_get_attributes(m->g, 0, m->page, &a, NULL, &m->err), m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_SHARED);
}

/* --------------------------------------------------- addresses by name -- */

static void an_address_that_is_none_is_refused(void **state)
{
	static const uint64_t bad[] = { 64 * KiB + 1, 68 * KiB + 1,
					1ULL << 63,   0xffff800000000000,
					-4096ULL,     1ULL << 60 };
	struct unit *m = *state;
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_USERSPACE_ADDR };
	struct gmem_slot s = { .sz = sizeof(s) };

	unit_create(m, 1 * MiB, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		o.userspace_addr = bad[i];
		t_refused(t_bind(m->g, 0, 0, 0, 64 * KiB, &o, &m->err), -EINVAL,
			  GMEM_REASON_USERSPACE_ADDR, m->err);
		assert_int_equal(m->err.value, bad[i]);
	}
	o.userspace_addr = 128 * KiB;
	t_ok(t_bind(m->g, 0, 0, 0, 64 * KiB, &o, &m->err), m->err);
	t_ok(gmem_slot_get(m->vm, 0, 0, &s, &m->err), m->err);
	assert_int_equal(s.userspace_addr, 128 * KiB);
	assert_null(m->g->reservation);
}

/* KVM uses the address where the guest uses the file alone. */
static void a_file_that_is_mapped_has_no_second_backing(void **state)
{
	struct unit *m = *state;
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_USERSPACE_ADDR,
			       .userspace_addr = 1 * MiB };

	unit_create(m, 1 * MiB, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	t_refused(t_bind(m->g, 0, GiB, 0, 1 * MiB, &o, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_TWO_BACKINGS, m->err);
	assert_int_equal(m->err.value, 1 * MiB);
	assert_null(m->g->view);
}

static void a_low_address_is_never_guest_memory(void **state)
{
	struct unit *m = *state;
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_USERSPACE_ADDR };
	struct gmem_slot note = { .sz = sizeof(note),
				  .slot = 1,
				  .gpa = 4 * GiB,
				  .len = 64 * KiB,
				  .flags = GMEM_SLOT_FD };

	unit_create(m, 1 * MiB, 0);
	note.gmem = m->g;
	for (uint64_t low = 0; low < 64 * KiB; low += m->page) {
		o.userspace_addr = note.userspace_addr = low;
		t_refused(t_bind(m->g, 0, GiB, 0, 64 * KiB, &o, &m->err),
			  -EINVAL, GMEM_REASON_USERSPACE_ADDR, m->err);
		t_refused(gmem_slot_note(m->vm, &note, &m->err), -EINVAL,
			  GMEM_REASON_USERSPACE_ADDR, m->err);
		assert_int_equal(m->err.value, low);
	}
	note.userspace_addr = 64 * KiB;
	t_ok(gmem_slot_note(m->vm, &note, &m->err), m->err);
}

static void an_address_beyond_the_process_is_no_unknown_slot(void **state)
{
	static const uint64_t bad[] = { 1ULL << 47, 1ULL << 52, 1ULL << 56,
					1ULL << 63, UINT64_MAX - 65535 };
	struct unit *m = *state;
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_USERSPACE_ADDR };
	struct gmem_slot note = {
		.sz = sizeof(note), .slot = 1, .gpa = 4 * GiB, .len = 64 * KiB
	};

	unit_create(m, 1 * MiB, 0);
	/* more addresses than 47 bits: what is beyond them is refused */
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		if (gmem__sys_linux.addressable(NULL, bad[i], 64 * KiB))
			continue;
		o.userspace_addr = note.userspace_addr = bad[i];
		t_refused(t_bind(m->g, 0, GiB, 0, 64 * KiB, &o, &m->err),
			  -EINVAL, GMEM_REASON_USERSPACE_ADDR, m->err);
		t_refused(gmem_slot_note(m->vm, &note, &m->err), -EINVAL,
			  GMEM_REASON_USERSPACE_ADDR, m->err);
	}
	assert_false(gmem__sys_linux.addressable(NULL, 1ULL << 60, 65536));
	assert_true(gmem__sys_linux.addressable(NULL, (uintptr_t)&m, 1));
}

/* ------------------------------------------------------------ in place -- */

static void in_place_a_second_backing_is_refused(void **state)
{
	struct unit *m = *state;
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_USERSPACE_ADDR,
			       .userspace_addr = 1 * MiB };
	static const uint64_t flags[] = { 0, GMEM_CREATE_MMAP, SHARED_FLAGS };

	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		unit_create(m, 1 * MiB, flags[i]);
		t_refused(t_bind(m->g, 0, GiB, 0, 1 * MiB, &o, &m->err),
			  -EOPNOTSUPP, GMEM_REASON_TWO_BACKINGS, m->err);
		assert_int_equal(m->err.value, 1 * MiB);
		t_ok(gmem_close(m->g, &m->err), m->err);
	}
}

static void set_private(struct unit *m, int r, uint64_t offset)
{
	if (r == 0)
		t_ok(gmem_set_private(m->g, offset, m->page, &m->err), m->err);
	else
		t_refused(gmem_set_private(m->g, offset, m->page, &m->err), r,
			  GMEM_REASON_HVA_BOUND, m->err);
}

static void what_an_hva_slot_has_stays_shared(void **state)
{
	struct unit *m = *state;
	struct gmem_slot o = { .sz = sizeof(o), .flags = GMEM_SLOT_HVA };

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	t_ok(t_bind(m->g, 0, GiB, 64 * KiB, 64 * KiB, &o, &m->err), m->err);
	set_private(m, -EBUSY, 64 * KiB);
	set_private(m, -EBUSY, 128 * KiB - m->page);
	set_private(m, 0, 64 * KiB - m->page);
	set_private(m, 0, 128 * KiB);
	/* and the other way round */
	t_refused(t_bind(m->g, 1, 2 * GiB, 128 * KiB, 64 * KiB, &o, &m->err),
		  -EACCES, GMEM_REASON_PRIVATE, m->err);
	assert_int_equal(m->err.value, 128 * KiB);
	/* an alias keeps it shared when the first is gone */
	t_ok(t_bind(m->g, 1, 2 * GiB, 64 * KiB, 32 * KiB, &o, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	set_private(m, -EBUSY, 64 * KiB);
	set_private(m, 0, 96 * KiB);
	t_ok(gmem_unbind(m->vm, 1, 0, 0, &m->err), m->err);
	set_private(m, 0, 64 * KiB);
}

static void leave_shared(struct unit *m, uint64_t flags)
{
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_LEAVE_SHARED };
	uint64_t a, run;

	unit_create(m, 1 * MiB, flags);
	t_ok(t_share(m->g, 128 * KiB, m->page, &m->err), m->err);
	t_ok(t_bind(m->g, 0, GiB, 64 * KiB, 512 * KiB, &o, &m->err), m->err);
	t_ok(gmem_get_attributes(m->g, 64 * KiB, 1 * MiB - 64 * KiB, &a, &run,
				 &m->err),
	     m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(run, 512 * KiB);
	t_ok(gmem_get_attributes(m->g, 0, 64 * KiB, &a, &run, &m->err), m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	t_ok(gmem_close(m->g, &m->err), m->err);
}

static void in_place_leave_shared_is_done_by_the_file(void **state)
{
	leave_shared(*state, 0);
	leave_shared(*state, GMEM_CREATE_MMAP);
}

/* All or nothing: what was shared before and what was private stay so. */
static void leave_shared_that_fails_changes_nothing(void **state)
{
	struct unit *m = *state;
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_LEAVE_SHARED };
	struct gmem_slot s = { .sz = sizeof(s) };
	uint64_t a, want;

	unit_create(m, 1 * MiB, GMEM_CREATE_MMAP);
	t_ok(t_share(m->g, 2 * m->page, m->page, &m->err), m->err);
	t_ok(t_share(m->g, 5 * m->page, m->page, &m->err), m->err);
	for (uint64_t nth = 1; nth <= 3; nth++) {
		t_ok(gmem_model_fail(m->vm, "KVM_SET_MEMORY_ATTRIBUTES2", nth,
				     ENOMEM, &m->err),
		     m->err);
		t_refused(t_bind(m->g, 0, GiB, 0, 1 * MiB, &o, &m->err),
			  -ENOMEM, GMEM_REASON_NO_MEMORY, m->err);
		for (uint64_t i = 0; i < 8; i++) {
			t_ok(gmem_get_attributes(m->g, i * m->page, m->page, &a,
						 NULL, &m->err),
			     m->err);
			want = i == 2 || i == 5 ? GMEM_ATTRIBUTE_SHARED
						: GMEM_ATTRIBUTE_PRIVATE;
			assert_int_equal(a, want);
		}
		t_refused(gmem_slot_get(m->vm, 0, 0, &s, &m->err), -EINVAL,
			  GMEM_REASON_NOT_BOUND, m->err);
	}
	t_ok(t_bind(m->g, 0, GiB, 0, 1 * MiB, &o, &m->err), m->err);
}

/* Nor can the undo be done: the record says what the kernel has. */
static void leave_shared_that_stays_is_recorded(void **state)
{
	struct unit *m = *state;
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_LEAVE_SHARED };
	uint64_t a, run;

	unit_create(m, 3 * GiB, GMEM_CREATE_MMAP);
	t_ok(gmem_model_fail_from(m->vm, "KVM_SET_MEMORY_ATTRIBUTES2", 2,
				  ENOMEM, &m->err),
	     m->err);
	t_refused(t_bind(m->g, 0, GiB, 0, 3 * GiB, &o, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	t_ok(gmem_model_fail(m->vm, NULL, 0, 0, &m->err), m->err);
	t_ok(gmem_get_attributes(m->g, 0, 3 * GiB, &a, &run, &m->err), m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(run, 1 * GiB);
	t_ok(gmem_set_private(m->g, 0, 3 * GiB, &m->err), m->err);
	/* and of what is larger than one call, a step each */
	unit_reset(m);
	t_ok(t_bind(m->g, 0, GiB, 0, 3 * GiB, &o, &m->err), m->err);
	assert_int_equal(
		unit_count(m, "ioctl", GMEM__KVM_SET_MEMORY_ATTRIBUTES2), 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(nobody_can_touch_what_is_behind_a_private_file, unit_sw),
		TEST(nobody_can_touch_what_is_behind_a_private_file,
		     unit_inplace),
		TEST(one_reservation_lasts_from_the_first_slot_to_the_last,
		     unit_sw),
		TEST(one_reservation_lasts_from_the_first_slot_to_the_last,
		     unit_inplace),
		TEST(a_bind_that_fails_leaves_none, unit_sw),
		TEST(a_file_that_the_host_maps_has_none, unit_default73),
		TEST(a_file_that_the_host_maps_has_none, unit_inplace),
		TEST(no_room_for_it_has_a_reason, unit_sw),
		TEST(rlimit_as_refuses_it, unit_sw),
		TEST(sharing_what_nothing_is_behind_is_refused, unit_sw),
		TEST(sharing_what_nothing_is_behind_is_refused, unit_inplace),
		TEST(all_of_a_range_is_looked_at_first, unit_sw),
		TEST(an_import_shares_no_more_than_a_conversion, unit_sw),
		TEST(an_import_shares_no_more_than_a_conversion, unit_inplace),
		TEST(an_address_that_is_none_is_refused, unit_sw),
		TEST(a_file_that_is_mapped_has_no_second_backing, unit_sw),
		TEST(a_low_address_is_never_guest_memory, unit_sw),
		TEST(an_address_beyond_the_process_is_no_unknown_slot, unit_sw),
		TEST(in_place_a_second_backing_is_refused, unit_inplace),
		TEST(what_an_hva_slot_has_stays_shared, unit_inplace),
		TEST(in_place_leave_shared_is_done_by_the_file, unit_inplace),
		TEST(leave_shared_that_stays_is_recorded, unit_inplace),
		TEST(leave_shared_that_fails_changes_nothing, unit_inplace),
	};

	return t_main(tests);
}
