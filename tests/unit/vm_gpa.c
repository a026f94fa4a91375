// SPDX-License-Identifier: MIT
/* Guest memory by guest address, across slots and files. */
#include <pthread.h>

#include "unit.h"

#include <gmem_region.h>

#define PIECE (256 * KiB)

struct two {
	struct gmem *a, *b;
};

/*
 * Guest memory from 1 GiB on: the second and first piece of one file, then the
 * first of another, in slots 2, 0 and 1.
 */
static struct two layout(struct unit *m, uint64_t flags)
{
	struct two t;

	t.a = unit_create(m, 2 * PIECE, flags);
	t.b = unit_create(m, 2 * PIECE, flags);
	t_ok(t_bind(t.a, 2, GiB, PIECE, PIECE, NULL, &m->err), m->err);
	t_ok(t_bind(t.a, 0, GiB + PIECE, 0, PIECE, NULL, &m->err), m->err);
	t_ok(t_bind(t.b, 1, GiB + 2 * PIECE, 0, PIECE, NULL, &m->err), m->err);
	unit_reset(m);
	return t;
}

static uint64_t attributes(struct unit *m, struct gmem *g, uint64_t offset)
{
	uint64_t a = 1;

	t_ok(gmem_get_attributes(g, offset, m->page, &a, NULL, &m->err),
	     m->err);
	return a;
}

static int share(struct unit *m, uint64_t gpa, uint64_t len, uint64_t flags)
{
	struct gmem_attributes_opts o = {
		.sz = sizeof(o),
		.flags = flags | GMEM_ATTRIBUTES_UNBACKED,
	};

	return gmem_vm_set_attributes(m->vm, 0, gpa, len, GMEM_ATTRIBUTE_SHARED,
				      &o, &m->err);
}

static void a_location_says_what_is_there(void **state)
{
	struct unit *m = *state;
	struct two t = layout(m, 0);
	struct gmem_location at = { .sz = sizeof(at) };
	struct gmem_slot s = { .sz = sizeof(s) };

	t_ok(t_share(t.a, PIECE + 2 * PAGE, 2 * PAGE, &m->err), m->err);
	unit_reset(m);
	t_ok(gmem_vm_at(m->vm, 0, GiB + 5000, &at, &m->err), m->err);
	assert_ptr_equal(at.gmem, t.a);
	assert_int_equal(at.offset, PIECE + 5000);
	assert_int_equal(at.slot, 2);
	assert_int_equal(at.attributes, GMEM_ATTRIBUTE_PRIVATE);
	assert_int_equal(at.run, 2 * PAGE - 5000);
	t_ok(gmem_slot_get(m->vm, 2, 0, &s, &m->err), m->err);
	assert_int_equal(at.userspace_addr, s.userspace_addr + 5000);
	t_ok(gmem_vm_at(m->vm, 0, GiB + 2 * PAGE, &at, &m->err), m->err);
	assert_int_equal(at.attributes, GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(at.run, 2 * PAGE);
	/* the run ends with its slot */
	t_ok(gmem_vm_at(m->vm, 0, GiB + 4 * PAGE, &at, &m->err), m->err);
	assert_int_equal(at.run, PIECE - 4 * PAGE);
	at.slot = 77;
	t_refused(gmem_vm_at(m->vm, 0, GiB + 3 * PIECE, &at, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	assert_int_equal(m->err.value, GiB + 3 * PIECE);
	t_refused(gmem_vm_at(m->vm, 0, GiB - 1, &at, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	t_refused(gmem_vm_at(m->vm, 0, GiB, NULL, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	t_refused(gmem_vm_at(NULL, 0, GiB, &at, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	assert_int_equal(at.slot, 77);
	assert_int_equal(m->n_calls, 0);
}

/* Of a slot whose file is not known here, nothing but where it is. */
static void a_noted_slot_has_a_location(void **state)
{
	struct unit *m = *state;
	struct gmem_discard_opts flags = { .sz = sizeof(flags), .flags = ~0U };
	struct gmem_location at = { .sz = sizeof(at) };
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 5,
			       .gpa = GiB,
			       .len = MiB,
			       .userspace_addr = 8 * GiB };
	struct gmem_region *r = NULL;

	t_ok(gmem_slot_note(m->vm, &s, &m->err), m->err);
	t_ok(gmem_vm_at(m->vm, 0, GiB + PAGE, &at, &m->err), m->err);
	assert_null(at.gmem);
	assert_int_equal(at.userspace_addr, 8 * GiB + PAGE);
	assert_int_equal(at.attributes, GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(at.run, MiB - PAGE);
	t_refused(share(m, GiB, MiB, 0), -EINVAL, GMEM_REASON_NOT_BOUND,
		  m->err);
	t_refused(gmem_vm_discard(m->vm, 0, GiB, MiB, NULL, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	t_refused(gmem_vm_discard(m->vm, 0, GiB, MiB, &flags, &m->err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, m->err);
	t_refused(gmem_vm_discard(NULL, 0, GiB, MiB, NULL, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	t_refused(gmem_vm_set_attributes(NULL, 0, GiB, MiB, 0, NULL, &m->err),
		  -EINVAL, GMEM_REASON_NULL_ARGUMENT, m->err);
	t_ok(gmem_slot_forget(m->vm, 5, 0, &m->err), m->err);
	s.flags = GMEM_SLOT_FD;
	s.fd = -1;
	t_ok(gmem_slot_note(m->vm, &s, &m->err), m->err);
	t_ok(gmem_vm_at(m->vm, 0, GiB, &at, &m->err), m->err);
	assert_int_equal(at.attributes, GMEM_ATTRIBUTE_UNSET);
	t_refused(gmem_region_at(m->vm, 0, GiB, &r, &at, &m->err), -EINVAL,
		  GMEM_REASON_NO_REGION, m->err);
	assert_null(r);
}

static void a_conversion_crosses_slots_and_files(void **state)
{
	struct unit *m = *state;
	struct two t = layout(m, 0);

	t_ok(share(m, GiB + PIECE - PAGE, PIECE + 2 * PAGE, 0), m->err);
	assert_int_equal(m->err.done, PIECE + 2 * PAGE);
	assert_int_equal(attributes(m, t.a, 2 * PIECE - (2 * PAGE)),
			 GMEM_ATTRIBUTE_PRIVATE);
	assert_int_equal(attributes(m, t.a, 2 * PIECE - PAGE),
			 GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(attributes(m, t.a, 0), GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(attributes(m, t.a, PIECE - PAGE),
			 GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(attributes(m, t.b, 0), GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(attributes(m, t.b, PAGE), GMEM_ATTRIBUTE_PRIVATE);
	assert_int_equal(unit_count(m, "ioctl", 0), 3);
}

static void nothing_changes_unless_all_can(void **state)
{
	struct unit *m = *state;
	struct two t = layout(m, 0);

	t_refused(share(m, GiB, 3 * PIECE + PAGE, 0), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	assert_int_equal(m->err.value, GiB + 3 * PIECE);
	/* backed by nothing that can be shared, the last as well */
	t_refused(gmem_vm_set_attributes(m->vm, 0, GiB, 3 * PIECE,
					 GMEM_ATTRIBUTE_SHARED, NULL, &m->err),
		  -EOPNOTSUPP, GMEM_REASON_NO_SHARED_SIDE, m->err);
	t_refused(gmem_vm_set_attributes(m->vm, 0, GiB, 3 * PIECE, 1, NULL,
					 &m->err),
		  -EINVAL, GMEM_REASON_ATTRIBUTE_UNKNOWN, m->err);
	t_refused(share(m, GiB + 1, PIECE, 0), -EINVAL, GMEM_REASON_UNALIGNED,
		  m->err);
	assert_int_equal(m->err.value, GiB + 1);
	t_refused(share(m, GiB, 5000, 0), -EINVAL, GMEM_REASON_UNALIGNED,
		  m->err);
	t_refused(share(m, GiB, 0, 0), -EINVAL, GMEM_REASON_ZERO_SIZE, m->err);
	t_refused(share(m, GiB, -GiB, 0), -EINVAL, GMEM_REASON_GPA_OVERFLOW,
		  m->err);
	t_refused(share(m, GiB, PIECE, 1 << 2), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, m->err);
	assert_int_equal(unit_count(m, "ioctl", 0), 0);
	assert_int_equal(attributes(m, t.a, PIECE), GMEM_ATTRIBUTE_PRIVATE);
}

/* The first has a shared side, the last does not. */
static void the_last_slot_is_checked_before_the_first_changes(void **state)
{
	struct unit *m = *state;
	struct gmem_slot beside = { .sz = sizeof(beside),
				    .flags = GMEM_SLOT_USERSPACE_ADDR,
				    .userspace_addr = 8 * GiB };
	struct gmem *g = unit_create(m, 2 * PIECE, 0);

	t_ok(t_bind(g, 0, GiB, 0, PIECE, &beside, &m->err), m->err);
	t_ok(t_bind(g, 1, GiB + PIECE, PIECE, PIECE, NULL, &m->err), m->err);
	unit_reset(m);
	t_refused(gmem_vm_set_attributes(m->vm, 0, GiB, 2 * PIECE,
					 GMEM_ATTRIBUTE_SHARED, NULL, &m->err),
		  -EOPNOTSUPP, GMEM_REASON_NO_SHARED_SIDE, m->err);
	assert_int_equal(unit_count(m, "ioctl", 0), 0);
	assert_int_equal(attributes(m, g, 0), GMEM_ATTRIBUTE_PRIVATE);
}

/* The first has none. */
static void no_other_flag_makes_memory_shared_that_has_no_place(void **state)
{
	static const uint64_t flags[] = {
		0,
		GMEM_ATTRIBUTES_NOWAIT,
		GMEM_ATTRIBUTES_CHECK_ONLY,
		GMEM_ATTRIBUTES_NOWAIT | GMEM_ATTRIBUTES_CHECK_ONLY,
	};
	struct unit *m = *state;
	struct gmem_attributes_opts o = { .sz = sizeof(o) };
	struct gmem_slot beside = { .sz = sizeof(beside),
				    .flags = GMEM_SLOT_USERSPACE_ADDR,
				    .userspace_addr = 8 * GiB };
	struct gmem *g = unit_create(m, 2 * PIECE, 0);

	t_ok(t_bind(g, 0, GiB, 0, PIECE, NULL, &m->err), m->err);
	t_ok(t_bind(g, 1, GiB + PIECE, PIECE, PIECE, &beside, &m->err), m->err);
	unit_reset(m);
	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		o.flags = flags[i];
		t_refused(gmem_vm_set_attributes(m->vm, 0, GiB, 2 * PIECE,
						 GMEM_ATTRIBUTE_SHARED, &o,
						 &m->err),
			  -EOPNOTSUPP, GMEM_REASON_NO_SHARED_SIDE, m->err);
	}
	assert_int_equal(m->n_calls, 0);
	assert_int_equal(attributes(m, g, PIECE), GMEM_ATTRIBUTE_PRIVATE);
}

/* Of a file of huge pages, before or behind one of others. */
static void nothing_happens_to_a_part_of_a_huge_page(void **state)
{
	struct unit *m = *state;
	struct gmem_adopt_opts a = { .sz = sizeof(a), .hugetlb_size = 2 * MiB };
	struct gmem *g = unit_create(m, 2 * MiB, 0), *huge = NULL;
	int fd = unit_file_fd(m, gmem_vm_fd(m->vm), 2 * MiB, 0);

	t_ok(gmem_adopt(m->vm, fd, &a, &huge, &m->err), m->err);
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t gpa = GiB + 2 * MiB - m->page;

		t_ok(t_bind(i ? g : huge, 0, GiB, 0, 2 * MiB, NULL, &m->err),
		     m->err);
		t_ok(t_bind(i ? huge : g, 1, GiB + 2 * MiB, 0, 2 * MiB, NULL,
			    &m->err),
		     m->err);
		unit_reset(m);
		t_refused(share(m, gpa, 2 * m->page, 0), -EINVAL,
			  GMEM_REASON_UNALIGNED, m->err);
		assert_int_equal(m->err.limit, 2 * MiB);
		t_refused(gmem_vm_discard(m->vm, 0, gpa, 2 * m->page, NULL,
					  &m->err),
			  -EINVAL, GMEM_REASON_UNALIGNED, m->err);
		assert_int_equal(m->err.limit, 2 * MiB);
		assert_int_equal(m->n_calls, 0);
		assert_int_equal(attributes(m, g, 0), GMEM_ATTRIBUTE_PRIVATE);
		t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		t_ok(gmem_unbind(m->vm, 1, 0, 0, &m->err), m->err);
	}
}

static void check_only_checks_all_and_changes_nothing(void **state)
{
	struct unit *m = *state;
	struct two t = layout(m, 0);

	t_ok(share(m, GiB, 3 * PIECE, GMEM_ATTRIBUTES_CHECK_ONLY), m->err);
	t_refused(share(m, GiB, 4 * PIECE, GMEM_ATTRIBUTES_CHECK_ONLY), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	assert_int_equal(unit_count(m, "ioctl", 0), 0);
	assert_int_equal(attributes(m, t.a, PIECE), GMEM_ATTRIBUTE_PRIVATE);
}

static void a_failure_says_how_far_it_got(void **state)
{
	struct unit *m = *state;
	struct two t = layout(m, 0);

	unit_answer(m, "ioctl", GMEM__KVM_SET_MEMORY_ATTRIBUTES, 2, 1, -ENOMEM);
	t_refused(share(m, GiB, 3 * PIECE, 0), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	assert_int_equal(m->err.done, PIECE);
	assert_int_equal(attributes(m, t.a, PIECE), GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(attributes(m, t.a, 0), GMEM_ATTRIBUTE_PRIVATE);
	assert_int_equal(attributes(m, t.b, 0), GMEM_ATTRIBUTE_PRIVATE);
}

/* More slots than are handled without memory; without it nothing changes. */
static void many_slots_are_one_conversion(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 64 * m->page, 0);

	for (uint32_t i = 0; i < 64; i++)
		t_ok(t_bind(g, i, GiB + i * m->page, (63 - i) * m->page,
			    m->page, NULL, &m->err),
		     m->err);
	unit_reset(m);
	m->fail_alloc = 1;
	t_refused(share(m, GiB, 64 * m->page, 0), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	m->fail_alloc = 0;
	assert_int_equal(unit_count(m, "ioctl", 0), 0);
	t_ok(share(m, GiB, 16 * m->page, 0), m->err);
	assert_int_equal(m->n_allocs, 1);
	t_ok(share(m, GiB, 64 * m->page, 0), m->err);
	assert_int_equal(m->n_allocs, 2);
	for (uint32_t i = 0; i < 64; i++)
		assert_false(unit_gpa_private(m, GiB + i * m->page));
	assert_int_equal(attributes(m, g, 0), GMEM_ATTRIBUTE_SHARED);
}

/*
 * Threads move a slot between two halves of a file and convert what is at its
 * guest address: each conversion is of one half, whole.
 */
struct mover {
	struct unit *m;
	struct gmem *g;
	int r, stop;
};

static void *move(void *arg)
{
	struct mover *v = arg;

	for (unsigned int i = 0; i < 300 && !v->r; i++) {
		v->r = gmem_unbind(v->m->vm, 0, 0, 0, NULL);
		if (!v->r)
			v->r = t_bind(v->g, 0, GiB, i % 2 * PIECE, PIECE, NULL,
				      NULL);
	}
	__atomic_store_n(&v->stop, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void what_is_bound_at_its_turn_is_converted(void **state)
{
	struct unit *m = *state;
	struct mover v = { .m = m, .g = unit_create(m, 2 * PIECE, 0) };
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_location at = { .sz = sizeof(at) };
	pthread_t thread;
	int r;

	t_ok(t_bind(v.g, 0, GiB, 0, PIECE, NULL, &m->err), m->err);
	assert_int_equal(pthread_create(&thread, NULL, move, &v), 0);
	while (!__atomic_load_n(&v.stop, __ATOMIC_ACQUIRE)) {
		r = gmem_vm_set_attributes(m->vm, 0, GiB, PIECE,
					   GMEM_ATTRIBUTE_SHARED, &o, &err);
		if (r < 0) {
			t_code(r, -EINVAL);
			t_reason(&err, GMEM_REASON_NOT_BOUND);
		}
		if (gmem_vm_at(m->vm, 0, GiB, &at, NULL) == 0)
			assert_int_equal(at.run, PIECE);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	t_code(v.r, 0);
	unit_same(m, v.g, GiB - PIECE);
}

static void a_discard_crosses_slots_and_files(void **state)
{
	struct unit *m = *state;
	struct two t = layout(m, SHARED_FLAGS);
	struct gmem_residency is = { .sz = sizeof(is) };

	t_ok(gmem_populate(t.a, 0, 2 * PIECE, NULL, &m->err), m->err);
	t_ok(gmem_populate(t.b, 0, 2 * PIECE, NULL, &m->err), m->err);
	unit_reset(m);
	t_ok(gmem_vm_discard(m->vm, 0, GiB + PAGE, 2 * PIECE, NULL, &m->err),
	     m->err);
	assert_int_equal(unit_count(m, "fallocate", 0), 3);
	assert_int_equal(unit_sum(m, "fallocate"), 2 * PIECE);
	t_ok(gmem_resident(t.a, 0, 2 * PIECE, &is, &m->err), m->err);
	assert_int_equal(is.bytes, PAGE);
	t_ok(gmem_resident(t.b, 0, 2 * PIECE, &is, &m->err), m->err);
	assert_int_equal(is.bytes, 2 * PIECE - PAGE);
	t_refused(gmem_vm_discard(m->vm, 0, GiB, 4 * PIECE, NULL, &m->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, m->err);
	t_refused(gmem_vm_discard(NULL, 0, GiB, PIECE, NULL, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	t_refused(gmem_vm_discard(m->vm, 0, GiB, 0, NULL, &m->err), -EINVAL,
		  GMEM_REASON_ZERO_SIZE, m->err);
	unit_answer(m, "fallocate", 0, 2, 1, -EPERM);
	t_refused(gmem_vm_discard(m->vm, 0, GiB, 3 * PIECE, NULL, &m->err),
		  -EPERM, GMEM_REASON_ACCESS_DENIED, m->err);
	assert_int_equal(m->err.done, PIECE);
}

static int hear(void *arg, uint64_t done, uint64_t total)
{
	uint64_t *heard = arg;

	assert_int_equal(total, 3 * PIECE);
	assert_true(done > *heard);
	*heard = done;
	return done >= 2 * PIECE;
}

static void its_progress_is_of_the_whole_and_can_stop_it(void **state)
{
	struct unit *m = *state;
	uint64_t heard = 0;
	struct gmem_discard_opts o = { .sz = sizeof(o),
				       .progress = hear,
				       .progress_arg = &heard };

	layout(m, SHARED_FLAGS);
	t_refused(gmem_vm_discard(m->vm, 0, GiB, 3 * PIECE, &o, &m->err),
		  -ECANCELED, GMEM_REASON_CANCELLED, m->err);
	assert_int_equal(heard, 2 * PIECE);
	assert_int_equal(m->err.done, 2 * PIECE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_location_says_what_is_there, unit_sw),
		TEST(a_noted_slot_has_a_location, unit_sw),
		TEST(a_conversion_crosses_slots_and_files, unit_sw),
		TEST(nothing_changes_unless_all_can, unit_sw),
		TEST(the_last_slot_is_checked_before_the_first_changes,
		     unit_sw),
		TEST(no_other_flag_makes_memory_shared_that_has_no_place,
		     unit_sw),
		TEST(nothing_happens_to_a_part_of_a_huge_page, unit_sw),
		TEST(check_only_checks_all_and_changes_nothing, unit_sw),
		TEST(a_failure_says_how_far_it_got, unit_sw),
		TEST(many_slots_are_one_conversion, unit_sw),
		TEST(what_is_bound_at_its_turn_is_converted, unit_sw),
		TEST(a_discard_crosses_slots_and_files, unit_default),
		TEST(its_progress_is_of_the_whole_and_can_stop_it,
		     unit_default),
	};

	return t_main(tests);
}
