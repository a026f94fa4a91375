// SPDX-License-Identifier: MIT
/* The dirty log of a live slot, by the library and by the VMM. */
#include "unit.h"

static uint64_t flags(struct unit *m, uint32_t slot)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	t_ok(gmem_slot_get(m->vm, slot, 0, &s, &m->err), m->err);
	return s.flags;
}

static void bind_hva(struct unit *m, uint64_t more)
{
	struct gmem_slot o = { .sz = sizeof(o), .flags = GMEM_SLOT_HVA | more };

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	t_ok(t_bind(m->g, 3, GiB, 64 * KiB, 64 * KiB, &o, &m->err), m->err);
	unit_reset(m);
}

/* One call with the same numbers, and nothing else. */
static void it_is_switched_in_one_call(void **state)
{
	static const uint64_t both[] = { 0, GMEM_SLOT_READONLY };
	struct unit *m = *state;
	const struct unit_call *c;

	for (size_t i = 0; i < T_ARRAY_SIZE(both); i++) {
		struct slot was;

		bind_hva(m, both[i]);
		was = *unit_slot(m, 3);
		for (int on = 1; on >= 0; on--) {
			unit_reset(m);
			t_ok(gmem_slot_dirty_log(m->vm, 3, 0, on, &m->err),
			     m->err);
			assert_int_equal(unit_count(m, NULL, 0), 1);
			unit_listed(m, "gmem_slot_dirty_log");
			c = unit_nth(m, "ioctl",
				     GMEM__KVM_SET_USER_MEMORY_REGION, 0);
			assert_non_null(c);
			assert_int_equal(c->in.region.region.guest_phys_addr,
					 GiB);
			assert_int_equal(c->in.region.region.memory_size,
					 64 * KiB);
			assert_int_equal(
				unit_slot(m, 3)->flags,
				was.flags |
					(on ? GMEM__MEM_LOG_DIRTY_PAGES : 0));
			assert_int_equal(unit_slot(m, 3)->userspace_addr,
					 was.userspace_addr);
			assert_int_equal(!!(flags(m, 3) & GMEM_SLOT_DIRTY_LOG),
					 on);
		}
		assert_int_equal(flags(m, 3),
				 GMEM_SLOT_HVA | GMEM_SLOT_OWN_ADDR | both[i]);
		t_ok(gmem_unbind(m->vm, 3, 0, 0, &m->err), m->err);
		t_ok(gmem_close(m->g, &m->err), m->err);
	}
}

static void what_has_none_is_refused(void **state)
{
	struct unit *m = *state;
	struct gmem_slot n = { .sz = sizeof(n),
			       .slot = 4,
			       .gpa = 2 * GiB,
			       .len = 1 * MiB,
			       .userspace_addr = 1 * MiB };

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	unit_bind(m, m->g, 0, GiB);
	t_ok(gmem_slot_note(m->vm, &n, &m->err), m->err);
	unit_reset(m);
	t_refused(gmem_slot_dirty_log(m->vm, 0, 0, 1, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_DIRTY_LOG, m->err);
	t_refused(gmem_slot_dirty_log(m->vm, 4, 0, 1, &m->err), -EINVAL,
		  GMEM_REASON_NOTED_SLOT, m->err);
	t_refused(gmem_slot_dirty_log(m->vm, 5, 0, 1, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	t_refused(gmem_slot_dirty_log(m->vm, 0, 1, 1, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	t_refused(gmem_slot_dirty_log(NULL, 0, 0, 1, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	assert_int_equal(unit_count(m, NULL, 0), 0);
}

static void a_failure_changes_nothing(void **state)
{
	struct unit *m = *state;

	bind_hva(m, 0);
	unit_answer(m, "ioctl", GMEM__KVM_SET_USER_MEMORY_REGION, 1, 1,
		    -ENOMEM);
	t_refused(gmem_slot_dirty_log(m->vm, 3, 0, 1, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_int_equal(flags(m, 3), GMEM_SLOT_HVA | GMEM_SLOT_OWN_ADDR);
	t_ok(gmem_slot_dirty_log(m->vm, 3, 0, 1, &m->err), m->err);
}

/* Nothing but the log may differ, or it is another slot. */
static void the_vmm_notes_its_slot_again(void **state)
{
	struct unit *m = *state;
	struct gmem_slot n = { .sz = sizeof(n),
			       .slot = 4,
			       .gpa = 2 * GiB,
			       .len = 1 * MiB,
			       .userspace_addr = 1 * MiB };
	struct gmem_slot o;

	t_ok(gmem_slot_note(m->vm, &n, &m->err), m->err);
	n.flags = GMEM_SLOT_DIRTY_LOG;
	t_ok(gmem_slot_note(m->vm, &n, &m->err), m->err);
	assert_true(flags(m, 4) & GMEM_SLOT_DIRTY_LOG);
	t_refused(gmem_slot_note(m->vm, &n, &m->err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, m->err);
	n.flags = 0;
	for (int i = 0; i < 4; i++) {
		o = n;
		o.gpa += i == 0 ? 1 * MiB : 0;
		o.len += i == 1 ? 1 * MiB : 0;
		o.userspace_addr += i == 2 ? 1 * MiB : 0;
		o.flags |= i == 3 ? GMEM_SLOT_READONLY : 0;
		t_refused(gmem_slot_note(m->vm, &o, &m->err), -EEXIST,
			  GMEM_REASON_SLOT_IN_USE, m->err);
	}
	t_ok(gmem_slot_note(m->vm, &n, &m->err), m->err);
	assert_false(flags(m, 4) & GMEM_SLOT_DIRTY_LOG);
	t_ok(gmem_slot_forget(m->vm, 4, 0, &m->err), m->err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(it_is_switched_in_one_call, unit_default73),
		TEST(what_has_none_is_refused, unit_default73),
		TEST(a_failure_changes_nothing, unit_default73),
		TEST(the_vmm_notes_its_slot_again, unit_default73),
	};

	return t_main(tests);
}
