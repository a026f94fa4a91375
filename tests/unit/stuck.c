// SPDX-License-Identifier: MIT
/*
 * Slots that the kernel refuses to delete, and attributes that slots leave
 * behind: nothing is forgotten, and nothing of other slots is touched.
 */
#include <sys/mman.h>

#include "unit.h"

#include "left.h"
#include "seam.h"
#include "slot.h"
#include "tree.h"
#include "uapi.h"
#include "vm.h"

/* What gmem_slot_get() says of a bound slot. */
#define LIVE (GMEM_SLOT_FD | GMEM_SLOT_OWN_ADDR)

#define DELETE "KVM_SET_USER_MEMORY_REGION"
#define ATTRIBUTES "KVM_SET_MEMORY_ATTRIBUTES"
#define REGION GMEM__KVM_SET_USER_MEMORY_REGION

static void will_fail(struct unit *m, const char *call, int code)
{
	t_ok(gmem_model_fail(m->vm, call, 1, code, &m->err), m->err);
}

static uint32_t slot_flags(struct unit *m, uint32_t id)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	t_ok(gmem_slot_get(m->vm, id, 0, &s, &m->err), m->err);
	return s.flags;
}

static void no_slot(struct unit *m, uint32_t id)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	t_refused(gmem_slot_get(m->vm, id, 0, &s, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
}

/* Slot 0 of .g at 1 GiB, which the kernel refuses to delete. */
static void stuck(struct unit *m)
{
	unit_create(m, 1 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
	will_fail(m, DELETE, ENOMEM);
	t_refused(gmem_unbind(m->vm, 0, 0, 0, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_int_equal(slot_flags(m, 0), LIVE | GMEM_SLOT_STUCK);
}

static bool guest_has(struct unit *m, uint64_t gpa)
{
	unsigned char run[256] = { 0 };
	uint32_t reason;
	char c = 1;

	if (gmem_model_access(m->vm, gpa, &c, 1, GMEM_MODEL_WRITE, run,
			      sizeof(run), NULL) < 0)
		return false;
	memcpy(&reason, run + 8, sizeof(reason));
	return reason != 6; /* KVM_EXIT_MMIO */
}

static void a_stuck_slot_is_as_good_as_live(void **state)
{
	struct unit *m = *state;
	uint64_t a;

	stuck(m);
	assert_true(guest_has(m, GiB));
	t_ok(t_share(m->g, 0, m->page, &m->err), m->err);
	t_ok(gmem_get_attributes(m->g, 0, m->page, &a, NULL, &m->err), m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_SHARED);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	no_slot(m, 0);
	assert_false(guest_has(m, GiB));
}

static void a_bind_in_its_place_deletes_it(void **state)
{
	static const struct {
		uint32_t id;
		uint64_t gpa, offset;
	} rows[] = {
		{ 0, 4 * GiB, 512 * KiB }, /* its id */
		{ 1, GiB + 512 * KiB, 512 * KiB },
		{ 1, 4 * GiB, 512 * KiB }, /* its range of the file */
	};
	struct unit *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		stuck(m);
		t_ok(t_bind(m->g, rows[i].id, rows[i].gpa, rows[i].offset,
			    512 * KiB, NULL, &m->err),
		     m->err);
		if (rows[i].id)
			no_slot(m, 0);
		assert_int_equal(slot_flags(m, rows[i].id), LIVE);
		assert_false(guest_has(m, GiB));
		t_ok(gmem_unbind(m->vm, rows[i].id, 0, 0, &m->err), m->err);
		t_ok(gmem_close(m->g, &m->err), m->err);
	}
}

static void as_long_as_it_stays_it_is_in_the_way(void **state)
{
	struct unit *m = *state;

	stuck(m);
	will_fail(m, DELETE, EPERM);
	t_refused(t_bind(m->g, 1, GiB, 0, 1 * MiB, NULL, &m->err), -EBUSY,
		  GMEM_REASON_SLOT_STUCK, m->err);
	assert_int_equal(m->err.value, 0);
	assert_int_equal(slot_flags(m, 0), LIVE | GMEM_SLOT_STUCK);
	will_fail(m, DELETE, EPERM);
	t_refused(gmem_close(m->g, &m->err), -EBUSY, GMEM_REASON_STILL_BOUND,
		  m->err);
	t_ok(gmem_close(m->g, &m->err), m->err);
	no_slot(m, 0);
}

/* One elsewhere is left for whoever wants its place. */
static void a_bind_elsewhere_leaves_it(void **state)
{
	struct unit *m = *state;
	struct gmem *g;

	stuck(m);
	g = m->g;
	unit_create(m, 1 * MiB, 0);
	unit_bind(m, m->g, 1, 4 * GiB);
	assert_int_equal(slot_flags(m, 0), LIVE | GMEM_SLOT_STUCK);
	t_ok(gmem_unbind(m->vm, 1, 0, 0, &m->err), m->err);
	t_ok(gmem_close(m->g, &m->err), m->err);
	assert_int_equal(slot_flags(m, 0), LIVE | GMEM_SLOT_STUCK);
	t_ok(gmem_close(g, &m->err), m->err);
}

/* The next failure, made due by the one before. */
struct chain {
	struct gmem_vm *vm;
	const char *after, *then;
};

static void trace(void *arg, const struct gmem_trace *e)
{
	struct chain *c = arg;

	if (!c->after || e->result >= 0 || strcmp(e->call, c->after) != 0)
		return;
	c->after = NULL;
	(void)gmem_model_fail(c->vm, c->then, 1, ENOMEM, NULL);
}

static void the_undo_of_a_bind_that_fails_is_told_of(void **state)
{
	struct unit *m = *state;
	struct chain c = { .after = ATTRIBUTES, .then = DELETE };

	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	m->vm = c.vm = unit_vm(m, GMEM_VM_SW_PROTECTED, trace, &c);
	unit_create(m, 1 * MiB, 0);
	will_fail(m, ATTRIBUTES, EFAULT);
	/* the first error, and that there was another */
	t_refused(t_bind(m->g, 0, GiB, 0, 1 * MiB, NULL, &m->err), -EFAULT,
		  GMEM_REASON_KERNEL, m->err);
	assert_true(m->err.flags & GMEM_ERROR_STUCK);
	assert_non_null(strstr(m->err.msg, "slot 0"));
	assert_int_equal(slot_flags(m, 0), LIVE | GMEM_SLOT_STUCK);
	t_ok(t_bind(m->g, 0, GiB, 0, 1 * MiB, NULL, &m->err), m->err);
	assert_int_equal(slot_flags(m, 0), LIVE);
	/* Who wants no error has the slot told by gmem_slot_get() alone. */
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	c.after = ATTRIBUTES;
	will_fail(m, ATTRIBUTES, EFAULT);
	t_code(t_bind(m->g, 0, GiB, 0, 1 * MiB, NULL, NULL), -EFAULT);
	assert_int_equal(slot_flags(m, 0), LIVE | GMEM_SLOT_STUCK);
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	m->vm = NULL; /* before @c goes */
}

/* Of two steps the second fails: the first is undone or, if stuck, known. */
static void what_a_failed_bind_had_set_is_undone_or_known(void **state)
{
	struct unit *m = *state;
	uint64_t a, run;

	for (int stays = 0; stays < 2; stays++) {
		unit_create(m, 3 * GiB, 0);
		unit_reset(m);
		unit_answer(m, "ioctl", GMEM__KVM_SET_MEMORY_ATTRIBUTES, 2, 1,
			    -EFAULT);
		if (stays)
			unit_answer(m, "ioctl",
				    GMEM__KVM_SET_USER_MEMORY_REGION, 1, 1,
				    -ENOMEM);
		t_refused(t_bind(m->g, 0, GiB, 0, 3 * GiB, NULL, &m->err),
			  -EFAULT, GMEM_REASON_KERNEL, m->err);
		assert_int_equal(!!(m->err.flags & GMEM_ERROR_STUCK), stays);
		t_ok(gmem_get_attributes(m->g, 0, 3 * GiB, &a, &run, &m->err),
		     m->err);
		assert_int_equal(a, stays ? GMEM_ATTRIBUTE_PRIVATE
					  : GMEM_ATTRIBUTE_UNSET);
		assert_int_equal(run, stays ? GiB : 3 * GiB);
		assert_int_equal(unit_gpa_private(m, GiB), stays);
		if (stays)
			t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		assert_false(unit_gpa_private(m, GiB));
		t_ok(gmem_close(m->g, &m->err), m->err);
	}
}

static void destroy_unmaps_nothing_that_kvm_still_reaches(void **state)
{
	static const uint64_t flags[] = { 0, SHARED_FLAGS };
	struct unit *m = *state;
	unsigned char there;

	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		struct gmem_slot s = { .sz = sizeof(s) };
		void *p;

		m->vm = unit_vm(m, i ? GMEM_VM_DEFAULT : GMEM_VM_SW_PROTECTED,
				NULL, NULL);
		unit_create(m, 1 * MiB, flags[i]);
		unit_bind(m, m->g, 0, GiB);
		t_ok(gmem_slot_get(m->vm, 0, 0, &s, &m->err), m->err);
		will_fail(m, DELETE, EPERM);
		t_refused(gmem_vm_destroy(m->vm, &m->err), -EBUSY,
			  GMEM_REASON_SLOT_STUCK, m->err);
		assert_int_equal(m->err.sys_errno, EPERM);
		m->vm = NULL;
		assert_int_equal(m->err.limit, s.userspace_addr);
		p = (void *)(uintptr_t)s.userspace_addr;
		for (uint64_t at = 0; at < 1 * MiB; at += m->page)
			assert_int_equal(
				mincore((char *)p + at, m->page, &there), 0);
		assert_int_equal(unit_sys.munmap(m, p, 1 * MiB), 0);
	}
}

/* Nor what a slot has that the VMM made on it and never took back. */
static void destroy_unmaps_nothing_under_a_noted_slot(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s), .slot = 7, .gpa = GiB };
	unsigned char there;
	void *p[2];

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	for (int i = 0; i < 2; i++)
		t_ok(gmem_mmap(m->g, 0, 64 * KiB, NULL, &p[i], &m->err),
		     m->err);
	s.gmem = m->g;
	s.len = m->page;
	s.userspace_addr = (uintptr_t)p[1] + 64 * KiB - m->page;
	t_ok(gmem_slot_note(m->vm, &s, &m->err), m->err);
	t_refused(gmem_vm_destroy(m->vm, &m->err), -EBUSY,
		  GMEM_REASON_SLOT_STUCK, m->err);
	m->vm = NULL;
	assert_int_equal(m->err.value, 7);
	assert_int_equal(mincore(p[1], m->page, &there), 0);
	assert_int_equal(unit_sys.munmap(m, p[1], 64 * KiB), 0);
}

/* ------------------------------------------------------ what slots leave -- */

static int raw_slot(struct unit *m, uint32_t id, uint64_t gpa, uint64_t len)
{
	struct gmem__region2 r = {
		.region = { .slot = id,
			    .flags = len ? GMEM__MEM_GUEST_MEMFD : 0,
			    .guest_phys_addr = gpa,
			    .memory_size = len,
			    .userspace_addr = 1 * MiB },
		.guest_memfd = (uint32_t)gmem_fd(m->g),
	};

	return model__sys.ioctl(m->k, gmem_vm_fd(m->vm),
				GMEM__KVM_SET_USER_MEMORY_REGION2, &r);
}

static void note(struct unit *m, uint32_t id, uint64_t gpa, uint64_t len)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = id,
			       .gpa = gpa,
			       .len = len,
			       .userspace_addr = 1 * MiB,
			       .gmem = m->g,
			       .flags = GMEM_SLOT_FD };

	t_ok(gmem_slot_note(m->vm, &s, &m->err), m->err);
}

/* The VMM made a slot again without a word; its page is private. */
static void a_refused_bind_touches_no_attributes(void **state)
{
	struct unit *m = *state;
	struct gmem_slot shared = { .sz = sizeof(shared),
				    .flags = GMEM_SLOT_LEAVE_SHARED };
	char c = 'x';

	unit_create(m, 1 * MiB, 0);
	assert_int_equal(raw_slot(m, 5, 0, 1 * MiB), 0);
	note(m, 5, 0, 1 * MiB);
	t_ok(gmem_set_private(m->g, 0, 1 * MiB, &m->err), m->err);
	assert_int_equal(raw_slot(m, 5, 0, 0), 0);
	t_ok(gmem_slot_forget(m->vm, 5, 0, &m->err), m->err);
	assert_int_equal(raw_slot(m, 5, 0, 1 * MiB), 0);
	t_ok(gmem_model_access(m->vm, 0, &c, 1, GMEM_MODEL_WRITE, NULL, 0,
			       &m->err),
	     m->err);
	unit_create(m, 1 * MiB, 0);
	for (int i = 0; i < 2; i++) {
		t_refused(t_bind(m->g, 6, 0, 0, 1 * MiB, i ? NULL : &shared,
				 &m->err),
			  -EEXIST, GMEM_REASON_UNKNOWN_SLOT, m->err);
		/* shared, it would come from the address, where nothing is */
		c = 0;
		t_ok(gmem_model_access(m->vm, 0, &c, 1, 0, NULL, 0, &m->err),
		     m->err);
		assert_int_equal(c, 'x');
	}
}

static bool kernel_has(struct unit *m, uint32_t id)
{
	struct gmem_model_slot s = { .sz = sizeof(s) };

	return gmem_model_get_slot(m->vm, id, 0, &s, NULL) == 0;
}

/* The program deleted what was stuck, and made its own slot of that number. */
static void a_note_lets_go_of_what_is_stuck_without_a_call(void **state)
{
	struct unit *m = *state;
	struct gmem *was;

	stuck(m);
	was = m->g;
	assert_int_equal(raw_slot(m, 0, 0, 0), 0);
	unit_create(m, 1 * MiB, 0);
	assert_int_equal(raw_slot(m, 0, 2 * GiB, 1 * MiB), 0);
	unit_reset(m);
	note(m, 0, 2 * GiB, 1 * MiB);
	assert_int_equal(
		unit_count(m, "ioctl", GMEM__KVM_SET_USER_MEMORY_REGION), 0);
	assert_true(kernel_has(m, 0));
	assert_int_equal(slot_flags(m, 0), GMEM_SLOT_FD |
						   GMEM_SLOT_USERSPACE_ADDR |
						   GMEM_SLOT_NOTED);
	/* nor is the other file's any more; what its slot left is reset */
	t_ok(gmem_close(was, &m->err), m->err);
	assert_true(gmem__left_in(m->vm, GiB, 1 * MiB));
	t_ok(gmem_slot_forget(m->vm, 0, 0, &m->err), m->err);
}

/* Nothing is let go of if the note is refused for another slot's sake. */
static void a_refused_note_keeps_what_is_stuck(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s),
			       .gpa = 2 * GiB,
			       .len = 1 * MiB,
			       .userspace_addr = 1 * MiB };

	stuck(m);
	unit_create(m, 1 * MiB, 0);
	unit_bind(m, m->g, 1, 2 * GiB);
	t_refused(gmem_slot_note(m->vm, &s, &m->err), -EEXIST,
		  GMEM_REASON_GPA_OVERLAP, m->err);
	assert_int_equal(slot_flags(m, 0), LIVE | GMEM_SLOT_STUCK);
	assert_true(kernel_has(m, 0));
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	assert_false(kernel_has(m, 0));
}

/* Of a slot without a handle, too, nobody knows what was set through it. */
static void what_a_forgotten_slot_left_is_overwritten(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s),
			       .gpa = GiB,
			       .len = 1 * MiB,
			       .userspace_addr = 1 * MiB,
			       .flags = GMEM_SLOT_FD };
	struct gmem_slot shared = { .sz = sizeof(shared),
				    .flags = GMEM_SLOT_LEAVE_SHARED };

	unit_create(m, 1 * MiB, 0);
	assert_int_equal(raw_slot(m, 0, GiB, 1 * MiB), 0);
	s.fd = gmem_fd(m->g);
	t_ok(gmem_slot_note(m->vm, &s, &m->err), m->err);
	assert_int_equal(raw_slot(m, 0, 0, 0), 0);
	t_ok(gmem_slot_forget(m->vm, 0, 0, &m->err), m->err);
	unit_reset(m);
	t_ok(t_bind(m->g, 0, GiB, 0, 1 * MiB, &shared, &m->err), m->err);
	assert_int_equal(
		unit_count(m, "ioctl", GMEM__KVM_SET_MEMORY_ATTRIBUTES), 1);
}

static unsigned int left(struct unit *m)
{
	const struct gmem__node *n;
	unsigned int count = 0;

	for (n = gmem__tree_first(&m->vm->left); n; n = gmem__tree_next(n))
		count++;
	return count;
}

static void noting_and_forgetting_leaves_one_range(void **state)
{
	struct unit *m = *state;

	unit_create(m, 1 * MiB, 0);
	for (unsigned int i = 0; i < 1000; i++) {
		note(m, 3, (i % 4) * 256 * KiB, 256 * KiB);
		t_ok(gmem_slot_forget(m->vm, 3, 0, &m->err), m->err);
		assert_int_equal(left(m), 1);
	}
	/* a slot over all of it takes it over */
	note(m, 3, 0, 1 * MiB);
	assert_int_equal(left(m), 0);
	t_ok(gmem_slot_forget(m->vm, 3, 0, &m->err), m->err);
	t_ok(t_bind(m->g, 0, 0, 0, 1 * MiB, NULL, &m->err), m->err);
	assert_int_equal(left(m), 0);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	assert_int_equal(left(m), 0);
}

static void what_is_left_of_a_range_stays_in_mind(void **state)
{
	static const struct {
		uint64_t gpa, len;
		unsigned int left;
	} rows[] = {
		{ 0, 256 * KiB, 1 },	     /* its head, */
		{ 768 * KiB, 256 * KiB, 1 }, /* its tail, */
		{ 400 * KiB, 64 * KiB, 2 },  /* its middle, */
		{ 256 * KiB, 512 * KiB, 0 }, /* and all the rest */
	};
	struct unit *m = *state;

	unit_create(m, 1 * MiB, 0);
	unit_bind(m, m->g, 0, 0);
	t_ok(gmem_unbind(m->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	assert_int_equal(left(m), 1);
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		t_ok(t_bind(m->g, 0, rows[i].gpa, 0, rows[i].len, NULL,
			    &m->err),
		     m->err);
		assert_int_equal(left(m), rows[i].left);
		t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		assert_int_equal(left(m), rows[i].left);
	}
}

/* While it is deleted at last, nothing else changes its range. */
static void converts(struct unit *m, const struct unit_call *c, void *arg)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_NOWAIT };
	struct gmem_error err;

	(void)arg;
	if (c->request != GMEM__KVM_SET_USER_MEMORY_REGION)
		return;
	m->hook = NULL;
	t_refused(gmem_set_attributes(m->g, 0, m->page, GMEM_ATTRIBUTE_PRIVATE,
				      &o, &err),
		  -EAGAIN, GMEM_REASON_RANGE_BUSY, err);
}

/* Whatever their numbers; and what they leave is reset as by an unbind. */
static void close_deletes_all_that_are_stuck(void **state)
{
	struct unit *m = *state;

	unit_create(m, 2 * MiB, 0);
	t_ok(t_bind(m->g, 5, GiB, 0, 1 * MiB, NULL, &m->err), m->err);
	t_ok(t_bind(m->g, 6, 4 * GiB, 1 * MiB, 1 * MiB, NULL, &m->err), m->err);
	will_fail(m, DELETE, ENOMEM);
	t_refused(gmem_unbind(m->vm, 5, 0, 0, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	will_fail(m, DELETE, ENOMEM);
	t_refused(gmem_unbind(m->vm, 6, 0, 0, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_true(unit_gpa_private(m, GiB));
	assert_true(unit_gpa_private(m, 4 * GiB));
	/* by a bind at the address of one, */
	m->hook = converts;
	t_ok(t_bind(m->g, 7, GiB, 0, 1 * MiB, NULL, &m->err), m->err);
	assert_null(m->hook);
	no_slot(m, 5);
	t_ok(gmem_unbind(m->vm, 7, 0, 0, &m->err), m->err);
	/* and by the file's end */
	t_ok(gmem_close(m->g, &m->err), m->err);
	assert_false(unit_gpa_private(m, GiB));
	assert_false(unit_gpa_private(m, 4 * GiB));
}

static void gets_stuck(struct unit *m, uint32_t id)
{
	will_fail(m, DELETE, ENOMEM);
	t_refused(gmem_unbind(m->vm, id, 0, 0, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
}

/* Three of them; the kernel refuses the first again, and deletes the others. */
static void each_is_tried_once_by_each_close(void **state)
{
	struct unit *m = *state;

	unit_create(m, 4 * MiB, 0);
	for (uint32_t i = 0; i < 3; i++) {
		t_ok(t_bind(m->g, i, GiB + i * MiB, i * MiB, 1 * MiB, NULL,
			    &m->err),
		     m->err);
		gets_stuck(m, i);
	}
	for (uint32_t n = 3; n > 1; n--) {
		unit_reset(m);
		will_fail(m, DELETE, ENOMEM);
		t_refused(gmem_close(m->g, &m->err), -EBUSY,
			  GMEM_REASON_STILL_BOUND, m->err);
		assert_int_equal(unit_count(m, "ioctl", REGION),
				 n == 3 ? 3 : 1);
	}
	t_ok(gmem_close(m->g, &m->err), m->err);
}

/* Which comes after the last one went is found, and so is one before it. */
static void one_that_gets_stuck_after_another_went_is_found(void **state)
{
	struct unit *m = *state;

	unit_create(m, 4 * MiB, 0);
	for (uint32_t i = 0; i < 3; i++)
		t_ok(t_bind(m->g, i, GiB + i * MiB, i * MiB, 1 * MiB, NULL,
			    &m->err),
		     m->err);
	gets_stuck(m, 0);
	gets_stuck(m, 1);
	t_ok(gmem_unbind(m->vm, 1, 0, 0, &m->err), m->err);
	gets_stuck(m, 2);
	t_ok(gmem_close(m->g, &m->err), m->err);
	assert_null(m->vm->stuck);
	assert_false(unit_gpa_private(m, GiB + 2 * MiB));
}

/* The VMM deleted both, and has made one over the addresses of both. */
static void a_note_in_the_place_of_two_lets_go_of_both(void **state)
{
	struct unit *m = *state;
	bool private = t_support(m->vm, GMEM_FEATURE_VM_ATTRIBUTES) == GMEM_YES;
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 7,
			       .gpa = GiB,
			       .len = 2 * MiB,
			       .userspace_addr = 1 * MiB };
	uint64_t a, run;

	unit_create(m, 3 * MiB, private ? 0 : SHARED_FLAGS);
	for (uint32_t i = 0; i < 3; i++)
		t_ok(t_bind(m->g, i, GiB + i * MiB, i * MiB, 1 * MiB, NULL,
			    &m->err),
		     m->err);
	for (uint32_t i = 0; i < 2; i++) {
		will_fail(m, DELETE, ENOMEM);
		t_refused(gmem_unbind(m->vm, i, 0, 0, &m->err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, m->err);
		assert_int_equal(raw_slot(m, i, 0, 0), 0);
	}
	t_ok(gmem_slot_note(m->vm, &s, &m->err), m->err);
	no_slot(m, 0);
	no_slot(m, 1);
	if (private) {
		t_ok(gmem_get_attributes(m->g, 0, 3 * MiB, &a, &run, &m->err),
		     m->err);
		assert_int_equal(a, GMEM_ATTRIBUTE_UNSET);
		assert_int_equal(run, 2 * MiB);
	}
	t_ok(gmem_unbind(m->vm, 2, 0, 0, &m->err), m->err);
	t_ok(gmem_close(m->g, &m->err), m->err);
	t_ok(gmem_slot_forget(m->vm, 7, 0, &m->err), m->err);
}

/* In the middle of a conversion through a stuck slot. */
static void replace_it(struct unit *m, const struct unit_call *c, void *arg)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 5,
			       .gpa = 8 * GiB,
			       .len = 1 * MiB,
			       .userspace_addr = 1 * MiB };
	int *steps = m->hook_arg;

	(void)arg;
	if (c->request == GMEM__KVM_SET_MEMORY_ATTRIBUTES && ++*steps == 2)
		t_code(gmem_slot_note(m->vm, &s, NULL), 0);
}

static void a_conversion_ends_where_a_note_took_its_slot(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	uint64_t a;
	int steps = 0;

	unit_create(m, 4 * GiB, 0);
	unit_bind(m, m->g, 0, 8 * GiB);
	will_fail(m, DELETE, ENOMEM);
	t_refused(gmem_unbind(m->vm, 0, 0, 0, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	m->hook_arg = &steps;
	m->hook = replace_it;
	t_refused(t_share(m->g, 0, 4 * GiB, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	m->hook = NULL;
	assert_int_equal(err.done, 2 * GiB);
	for (uint64_t at = 0; at < 4; at++) {
		t_ok(gmem_get_attributes(m->g, at * GiB, PAGE, &a, NULL, &err),
		     err);
		assert_int_equal(a, GMEM_ATTRIBUTE_UNSET);
	}
	t_ok(gmem_close(m->g, &err), err);
}

static void also_in_the_address_space_of_smm(void **state)
{
	struct unit *m = *state;

	unit_create(m, 2 * MiB, SHARED_FLAGS);
	for (uint32_t as = 0; as < 2; as++) {
		struct gmem_slot o = { .sz = sizeof(o), .address_space = as };

		t_ok(t_bind(m->g, 6, GiB, as * MiB, 1 * MiB, &o, &m->err),
		     m->err);
		will_fail(m, DELETE, ENOMEM);
		t_refused(gmem_unbind(m->vm, 6, as, 0, &m->err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, m->err);
	}
	t_ok(gmem_close(m->g, &m->err), m->err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_conversion_ends_where_a_note_took_its_slot, unit_sw),
		TEST(a_stuck_slot_is_as_good_as_live, unit_sw),
		TEST(a_bind_in_its_place_deletes_it, unit_sw),
		TEST(as_long_as_it_stays_it_is_in_the_way, unit_sw),
		TEST(a_bind_elsewhere_leaves_it, unit_sw),
		TEST(the_undo_of_a_bind_that_fails_is_told_of, unit_sw),
		TEST(what_a_failed_bind_had_set_is_undone_or_known, unit_sw),
		TEST(destroy_unmaps_nothing_that_kvm_still_reaches, unit_sw),
		TEST(destroy_unmaps_nothing_under_a_noted_slot, unit_default73),
		TEST(a_refused_bind_touches_no_attributes, unit_sw),
		TEST(a_note_lets_go_of_what_is_stuck_without_a_call, unit_sw),
		TEST(a_refused_note_keeps_what_is_stuck, unit_sw),
		TEST(what_a_forgotten_slot_left_is_overwritten, unit_sw),
		TEST(noting_and_forgetting_leaves_one_range, unit_sw),
		TEST(what_is_left_of_a_range_stays_in_mind, unit_sw),
		TEST(close_deletes_all_that_are_stuck, unit_sw),
		TEST(each_is_tried_once_by_each_close, unit_sw),
		TEST(one_that_gets_stuck_after_another_went_is_found, unit_sw),
		TEST(a_note_in_the_place_of_two_lets_go_of_both, unit_sw),
		TEST(a_note_in_the_place_of_two_lets_go_of_both, unit_default),
		TEST(also_in_the_address_space_of_smm, unit_default),
	};

	return t_main(tests);
}
