// SPDX-License-Identifier: MIT
/* Slots as they are returned and accepted, by number and by guest address. */
#include "unit.h"

static struct gmem_slot get(struct unit *m, uint32_t slot)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	t_ok(gmem_slot_get(m->vm, slot, 0, &s, &m->err), m->err);
	return s;
}

/* Slot @id at (@id + 1) GiB with its own piece of @m->g. */
static void with_slots(struct unit *m, uint32_t n)
{
	unit_create(m, 1 * MiB, SHARED_FLAGS);
	for (uint32_t i = n; i-- > 0;)
		t_ok(t_bind(m->g, i, (i + 1) * GiB, i * 64 * KiB, 64 * KiB,
			    NULL, &m->err),
		     m->err);
	unit_reset(m);
}

static void bind_returns_what_get_returns(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GiB, .len = 64 * KiB };
	struct gmem_slot is;

	s.gmem = unit_create(m, 1 * MiB, SHARED_FLAGS);
	t_ok(gmem_bind(&s, &m->err), m->err);
	is = get(m, 0);
	assert_memory_equal(&s, &is, sizeof(s));
	assert_int_equal(s.flags, GMEM_SLOT_FD | GMEM_SLOT_OWN_ADDR);
	assert_int_equal(s.fd, gmem_fd(m->g));
}

static void a_refused_bind_leaves_the_slot_untouched(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GiB, .len = 5000 };
	struct gmem_slot was;

	s.gmem = unit_create(m, 1 * MiB, SHARED_FLAGS);
	was = s;
	t_refused(gmem_bind(&s, &m->err), -EINVAL, GMEM_REASON_UNALIGNED,
		  m->err);
	assert_memory_equal(&s, &was, sizeof(s));
	t_refused(gmem_bind(NULL, &m->err), -EINVAL, GMEM_REASON_NULL_ARGUMENT,
		  m->err);
}

/* Also where the address behind it is another one by then. */
static void what_get_returned_can_be_bound_again(void **state)
{
	static const uint64_t flags[] = { 0, GMEM_SLOT_DIRTY_LOG,
					  GMEM_SLOT_READONLY };
	struct unit *m = *state;
	struct gmem_slot was, is;

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		struct gmem_slot o = { .sz = sizeof(o), .flags = flags[i] };

		t_ok(t_bind(m->g, 4, GiB, 64 * KiB, 64 * KiB, &o, &m->err),
		     m->err);
		was = get(m, 4);
		t_ok(gmem_unbind(m->vm, 4, 0, 0, &m->err), m->err);
		is = was;
		t_ok(gmem_bind(&is, &m->err), m->err);
		is = get(m, 4);
		assert_int_equal(is.flags, was.flags);
		assert_int_equal(is.gpa, was.gpa);
		assert_int_equal(is.offset, was.offset);
		assert_int_equal(is.len, was.len);
		t_ok(gmem_unbind(m->vm, 4, 0, 0, &m->err), m->err);
	}
}

/* The reservation went with the last slot: its old address is nobody's. */
static void an_old_address_of_the_librarys_is_not_used_again(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GiB, .len = 64 * KiB };

	s.gmem = unit_create(m, 1 * MiB, 0);
	t_ok(gmem_bind(&s, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	s.userspace_addr = 4096;
	t_ok(gmem_bind(&s, &m->err), m->err);
	assert_true(s.userspace_addr > 4096);
	assert_int_equal(get(m, 0).userspace_addr, s.userspace_addr);
}

static void what_get_returned_can_be_noted(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GiB, .len = 64 * KiB };
	struct gmem_slot is;

	s.gmem = unit_create(m, 1 * MiB, SHARED_FLAGS);
	t_ok(gmem_bind(&s, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	t_ok(gmem_slot_note(m->vm, &s, &m->err), m->err);
	is = get(m, 0);
	assert_int_equal(is.flags, GMEM_SLOT_FD | GMEM_SLOT_USERSPACE_ADDR |
					   GMEM_SLOT_NOTED);
	t_ok(gmem_slot_forget(m->vm, 0, 0, &m->err), m->err);
	t_ok(gmem_slot_note(m->vm, &is, &m->err), m->err);
	t_ok(gmem_slot_forget(m->vm, 0, 0, &m->err), m->err);
}

static void a_slot_is_found_by_each_of_its_addresses(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s) };

	with_slots(m, 3);
	t_ok(gmem_slot_at(m->vm, 0, 2 * GiB, &s, &m->err), m->err);
	assert_int_equal(s.slot, 1);
	t_ok(gmem_slot_at(m->vm, 0, 2 * GiB + 64 * KiB - 1, &s, &m->err),
	     m->err);
	assert_int_equal(s.slot, 1);
	s.slot = 77;
	t_refused(gmem_slot_at(m->vm, 0, 2 * GiB + 64 * KiB, &s, &m->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, m->err);
	assert_int_equal(m->err.value, 2 * GiB + 64 * KiB);
	t_refused(gmem_slot_at(m->vm, 0, 2 * GiB - 1, &s, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	t_refused(gmem_slot_at(m->vm, 0, UINT64_MAX, &s, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	t_refused(gmem_slot_at(m->vm, 1, 2 * GiB, &s, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	assert_int_equal(s.slot, 77);
	assert_int_equal(m->n_calls, 0);
}

static void a_walk_meets_slots_that_touch(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s) };
	uint32_t n = 0;

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	for (uint32_t i = 0; i < 4; i++)
		t_ok(t_bind(m->g, i, i * m->page, i * m->page, m->page, NULL,
			    &m->err),
		     m->err);
	for (uint64_t gpa = 0; gmem_slot_next(m->vm, 0, gpa, &s, &m->err) == 0;
	     gpa = s.gpa + s.len)
		assert_int_equal(s.slot, n++);
	assert_int_equal(n, 4);
}

static void a_walk_meets_each_slot_once_in_order(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s) };
	uint32_t n = 0;

	with_slots(m, 5);
	for (uint64_t gpa = 0; gmem_slot_next(m->vm, 0, gpa, &s, &m->err) == 0;
	     gpa = s.gpa + s.len) {
		assert_int_equal(s.slot, n++);
		assert_ptr_equal(s.gmem, m->g);
	}
	t_reason(&m->err, GMEM_REASON_NOT_BOUND);
	assert_int_equal(n, 5);
	t_ok(gmem_slot_next(m->vm, 0, GiB + 4096, &s, &m->err), m->err);
	assert_int_equal(s.slot, 0);
	t_refused(gmem_slot_next(m->vm, 0, 0, NULL, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	t_refused(gmem_slot_next(m->vm, 7, 0, &s, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	assert_int_equal(m->n_calls, 0);
}

/* At the deletion of slot 0, which is neither there nor gone. */
static void look(struct unit *m, const struct unit_call *c, void *arg)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	(void)arg;
	if (c->request != GMEM__KVM_SET_USER_MEMORY_REGION)
		return;
	t_code(gmem_slot_get(m->vm, 0, 0, &s, NULL), -EINVAL);
	t_code(gmem_slot_at(m->vm, 0, GiB, &s, NULL), -EINVAL);
	t_code(gmem_slot_next(m->vm, 0, 0, &s, NULL), 0);
	assert_int_equal(s.slot, 1);
}

static void a_slot_that_is_going_is_not_told_of(void **state)
{
	struct unit *m = *state;

	with_slots(m, 2);
	m->hook = look;
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	m->hook = NULL;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(bind_returns_what_get_returns, unit_default),
		TEST(a_refused_bind_leaves_the_slot_untouched, unit_default),
		TEST(what_get_returned_can_be_bound_again, unit_default),
		TEST(an_old_address_of_the_librarys_is_not_used_again, unit_sw),
		TEST(what_get_returned_can_be_noted, unit_default),
		TEST(a_slot_is_found_by_each_of_its_addresses, unit_default),
		TEST(a_walk_meets_each_slot_once_in_order, unit_default),
		TEST(a_walk_meets_slots_that_touch, unit_default),
		TEST(a_slot_that_is_going_is_not_told_of, unit_default),
	};

	return t_main(tests);
}
