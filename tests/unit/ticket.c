// SPDX-License-Identifier: MIT
/*
 * Changes of a range take their turns in the order they came.  The test holds
 * a ticket itself where a change would be in the kernel, so that nothing here
 * depends on how long anything takes.
 */
#include <inttypes.h>
#include <pthread.h>

#include "unit.h"

#include "file.h"
#include "slot.h"
#include "ticket.h"
#include "vm.h"

/* A call in a thread of its own. */
struct call {
	struct gmem *g;
	uint64_t offset, len;
	const int *cancel;
	int r, done;
	struct gmem_error err;
	pthread_t thread;
};

/* If they never come, what the calls return tells; no thread is left alone. */
static void until_there_are(struct gmem_vm *vm, unsigned int n)
{
	(void)unit_turns_are(vm, n, NULL, 0);
}

static void *unbind(void *arg)
{
	struct call *c = arg;

	c->r = gmem_unbind(c->g->vm, 0, 0, 0, &c->err);
	__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *convert(void *arg)
{
	struct call *c = arg;
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED,
					  .cancel = c->cancel };

	c->r = gmem_set_attributes(c->g, c->offset, c->len,
				   GMEM_ATTRIBUTE_SHARED, &o, &c->err);
	__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* By guest address: what is behind it may be another by its turn. */
static void *convert_gpa(void *arg)
{
	struct call *c = arg;
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };

	c->r = gmem_vm_set_attributes(c->g->vm, 0, c->offset, c->len,
				      GMEM_ATTRIBUTE_SHARED, &o, &c->err);
	return NULL;
}

static void *bind(void *arg)
{
	struct call *c = arg;

	c->r = t_bind(c->g, 1, 8 * GiB, c->offset, c->len, NULL, &c->err);
	__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *import(void *arg)
{
	struct call *c = arg;
	unsigned char buf[64];
	size_t len = sizeof(buf);

	c->r = gmem_attributes_export(c->g, buf, &len, &c->err);
	if (c->r == 0)
		c->r = gmem_attributes_import(c->g, buf, len,
					      GMEM_IMPORT_UNBACKED, &c->err);
	__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void start(struct unit *m, struct call *c, void *(*fn)(void *),
		  uint64_t offset, uint64_t len)
{
	c->g = m->g;
	c->offset = offset;
	c->len = len;
	c->err.sz = sizeof(c->err);
	c->r = 1;
	assert_int_equal(pthread_create(&c->thread, NULL, fn, c), 0);
}

static void finish(struct call *c, int r)
{
	assert_int_equal(pthread_join(c->thread, NULL), 0);
	t_code(c->r, r);
}

static bool done(const struct call *c)
{
	return __atomic_load_n(&c->done, __ATOMIC_ACQUIRE);
}

static void take(struct unit *m, struct gmem__ticket *t, struct gmem__range *r,
		 uint64_t offset, uint64_t len)
{
	*r = (struct gmem__range){ m->g, offset, offset + len };
	assert_int_equal(gmem__ticket_take(m->vm, t, r, 1, false, NULL, NULL),
			 0);
}

static void bound(struct unit *m)
{
	unit_create(m, 1 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
}

static void names_offset(const struct gmem_error *err, uint64_t offset)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "offset %#" PRIx64, offset);
	assert_non_null(strstr(err->msg, text));
}

/* What came after the unbind finds no slot any more. */
static void no_change_passes_one_that_waits(void **state)
{
	struct unit *m = *state;
	struct gmem__ticket first;
	struct gmem__range r;
	struct call u = { 0 }, late[4] = { 0 };

	bound(m);
	take(m, &first, &r, 0, m->page);
	start(m, &u, unbind, 0, 0);
	until_there_are(m->vm, 2);
	/* they overlap the waiting unbind, not what runs */
	for (unsigned int i = 0; i < 4; i++) {
		start(m, &late[i], convert, (i + 1) * m->page, m->page);
		until_there_are(m->vm, 3 + i);
	}
	assert_false(done(&u));
	gmem__ticket_return(m->vm, &first);
	finish(&u, 0);
	for (unsigned int i = 0; i < 4; i++) {
		finish(&late[i], -EINVAL);
		t_reason(&late[i].err, GMEM_REASON_NOT_BOUND);
	}
	assert_int_equal(unit_turns(m->vm, NULL, 0), 0);
}

static void a_bind_and_an_import_wait_for_their_turn(void **state)
{
	struct unit *m = *state;
	struct gmem__ticket first;
	struct gmem__range r;

	for (int i = 0; i < 2; i++) {
		struct call c = { 0 };

		unit_create(m, 1 * MiB, 0);
		if (i)
			unit_bind(m, m->g, 0, GiB);
		take(m, &first, &r, 8 * m->page, m->page);
		start(m, &c, i ? import : bind, 0, 16 * m->page);
		until_there_are(m->vm, 2);
		assert_false(done(&c));
		gmem__ticket_return(m->vm, &first);
		finish(&c, 0);
	}
}

/* As if it had been unbound, and another bound, by those that came before. */
static void an_unbind_takes_no_slot_that_came_meanwhile(void **state)
{
	struct unit *m = *state;
	struct gmem__ticket first;
	struct gmem__range r;
	struct call u = { 0 };

	bound(m);
	take(m, &first, &r, 0, m->page);
	start(m, &u, unbind, 0, 0);
	until_there_are(m->vm, 2);
	(void)pthread_mutex_lock(&m->vm->lock);
	gmem__slot_find(m->vm, (struct gmem__slot_id){ 0 })->serial =
		++m->vm->serial;
	(void)pthread_mutex_unlock(&m->vm->lock);
	gmem__ticket_return(m->vm, &first);
	finish(&u, -EINVAL);
	t_reason(&u.err, GMEM_REASON_NOT_BOUND);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
}

/* As if those that came before had put another part of the file there. */
static void a_guest_address_is_looked_up_again_at_its_turn(void **state)
{
	struct unit *m = *state;
	struct gmem__ticket first;
	struct gmem__range r;
	struct call c = { 0 };
	uint64_t a;

	unit_create(m, 1 * MiB, GMEM_CREATE_MMAP);
	t_ok(t_bind(m->g, 0, GiB, 0, 64 * KiB, NULL, &m->err), m->err);
	take(m, &first, &r, 0, m->page);
	start(m, &c, convert_gpa, GiB, 64 * KiB);
	until_there_are(m->vm, 2);
	(void)pthread_mutex_lock(&m->vm->lock);
	gmem__slot_find(m->vm, (struct gmem__slot_id){ 0 })->s.offset =
		512 * KiB;
	(void)pthread_mutex_unlock(&m->vm->lock);
	gmem__ticket_return(m->vm, &first);
	finish(&c, 0);
	t_ok(gmem_get_attributes(m->g, 0, 64 * KiB, &a, NULL, &m->err), m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
	t_ok(gmem_get_attributes(m->g, 512 * KiB, 64 * KiB, &a, NULL, &m->err),
	     m->err);
	assert_int_equal(a, GMEM_ATTRIBUTE_SHARED);
}

static void what_overlaps_nothing_does_not_wait(void **state)
{
	struct unit *m = *state;
	struct gmem__ticket first;
	struct gmem__range r;

	bound(m);
	take(m, &first, &r, 4 * m->page, m->page);
	t_ok(t_share(m->g, 0, 4 * m->page, &m->err), m->err);
	t_ok(t_share(m->g, 5 * m->page, m->page, &m->err), m->err);
	gmem__ticket_return(m->vm, &first);
}

/* All ranges of a call count, and none is had before all are. */
static void one_ticket_has_all_ranges_of_a_call(void **state)
{
	struct unit *m = *state;
	struct gmem__range two[2];
	struct gmem__ticket t;

	bound(m);
	two[0] = (struct gmem__range){ m->g, 0, m->page };
	two[1] = (struct gmem__range){ m->g, 8 * m->page, 9 * m->page };
	assert_int_equal(
		gmem__ticket_take(m->vm, &t, two, 2, false, NULL, NULL), 0);
	for (int i = 0; i < 2; i++) {
		struct gmem_attributes_opts o = {
			.sz = sizeof(o),
			.flags = GMEM_ATTRIBUTES_NOWAIT,
		};

		t_refused(gmem_set_attributes(m->g, two[i].start, m->page,
					      GMEM_ATTRIBUTE_PRIVATE, &o,
					      &m->err),
			  -EAGAIN, GMEM_REASON_RANGE_BUSY, m->err);
		assert_int_equal(m->err.value, two[i].start);
		assert_int_equal(m->err.done, 0);
	}
	t_ok(t_share(m->g, m->page, 7 * m->page, &m->err), m->err);
	gmem__ticket_return(m->vm, &t);
}

static void nowait_passes_no_waiting_change_either(void **state)
{
	struct unit *m = *state;
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_NOWAIT };
	struct gmem__ticket first;
	struct gmem__range r;
	struct call u = { 0 };

	bound(m);
	take(m, &first, &r, 0, m->page);
	start(m, &u, unbind, 0, 0);
	until_there_are(m->vm, 2);
	t_refused(gmem_set_attributes(m->g, 8 * m->page, m->page,
				      GMEM_ATTRIBUTE_PRIVATE, &o, &m->err),
		  -EAGAIN, GMEM_REASON_RANGE_BUSY, m->err);
	assert_int_equal(m->err.value, 8 * m->page);
	names_offset(&m->err, 8 * m->page);
	assert_int_equal(unit_turns(m->vm, NULL, 0), 2);
	gmem__ticket_return(m->vm, &first);
	finish(&u, 0);
}

/* And those behind it continue without it. */
static void a_change_can_be_cancelled_while_it_waits(void **state)
{
	struct unit *m = *state;
	struct gmem__ticket first;
	struct gmem__range r;
	struct call c = { 0 }, behind = { 0 };
	int cancel = 0;

	bound(m);
	take(m, &first, &r, m->page, m->page);
	c.cancel = &cancel;
	start(m, &c, convert, m->page, 2 * m->page);
	until_there_are(m->vm, 2);
	start(m, &behind, convert, 2 * m->page, m->page);
	until_there_are(m->vm, 3);
	__atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
	finish(&c, -ECANCELED);
	t_reason(&c.err, GMEM_REASON_CANCELLED);
	assert_int_equal(c.err.value, 0);
	names_offset(&c.err, m->page);
	assert_int_equal(c.err.done, 0);
	finish(&behind, 0);
	assert_int_equal(unit_turns(m->vm, NULL, 0), 1);
	gmem__ticket_return(m->vm, &first);
}

/* ------------------------------------------------- what a ticket is of -- */

/* Other ranges that are next to it in memory, and the same of another file. */
static void a_ticket_is_of_its_ranges_alone(void **state)
{
	struct unit *m = *state;
	struct gmem *other = unit_create(m, 1 * MiB, 0);
	struct gmem__range held[2], want[2];
	struct gmem__ticket h, w;

	bound(m);
	held[0] = (struct gmem__range){ m->g, 0, m->page };
	held[1] = want[0] = (struct gmem__range){ m->g, m->page, 2 * m->page };
	want[1] = held[0];
	assert_int_equal(
		gmem__ticket_take(m->vm, &h, held, 1, false, NULL, NULL), 0);
	assert_int_equal(
		gmem__ticket_take(m->vm, &w, want, 1, true, NULL, NULL), 0);
	gmem__ticket_return(m->vm, &w);
	want[0] = (struct gmem__range){ other, 0, m->page };
	assert_int_equal(
		gmem__ticket_take(m->vm, &w, want, 1, true, NULL, NULL), 0);
	gmem__ticket_return(m->vm, &w);
	gmem__ticket_return(m->vm, &h);
}

static void an_unbind_waits_for_changes_of_its_slot_alone(void **state)
{
	struct unit *m = *state;
	struct gmem__ticket beside;
	struct gmem__range r;

	unit_create(m, 2 * MiB, 0);
	t_ok(t_bind(m->g, 0, GiB, 0, 1 * MiB, NULL, &m->err), m->err);
	take(m, &beside, &r, 1 * MiB, m->page);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	gmem__ticket_return(m->vm, &beside);
}

/* ------------------------------------ a stuck slot that the VMM replaced -- */

/* Slot 0 with the first half of .g, which the kernel does not delete. */
static void stuck(struct unit *m)
{
	unit_create(m, 2 * MiB, 0);
	t_ok(t_bind(m->g, 0, GiB, 0, 1 * MiB, NULL, &m->err), m->err);
	unit_answer(m, "ioctl", GMEM__KVM_SET_USER_MEMORY_REGION, 1, 1,
		    -ENOMEM);
	t_refused(gmem_unbind(m->vm, 0, 0, 0, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
}

/* The VMM deletes it, and makes one of its own elsewhere. */
static void replace(struct unit *m)
{
	struct gmem__region r = { .slot = 0 };
	struct gmem_slot s = { .sz = sizeof(s),
			       .gpa = 4 * GiB,
			       .len = 1 * MiB,
			       .userspace_addr = 1 * MiB };

	assert_int_equal(model__sys.ioctl(m->k, gmem_vm_fd(m->vm),
					  GMEM__KVM_SET_USER_MEMORY_REGION, &r),
			 0);
	t_ok(gmem_slot_note(m->vm, &s, &m->err), m->err);
}

static void an_unbind_leaves_a_slot_that_was_bound_meanwhile(void **state)
{
	struct unit *m = *state;
	struct gmem_slot s = { .sz = sizeof(s) };
	struct gmem__ticket first;
	struct gmem__range r;
	struct call u = { 0 };

	stuck(m);
	take(m, &first, &r, 0, m->page);
	start(m, &u, unbind, 0, 0);
	until_there_are(m->vm, 2);
	replace(m);
	t_ok(gmem_slot_forget(m->vm, 0, 0, &m->err), m->err);
	t_ok(t_bind(m->g, 0, 8 * GiB, 1 * MiB, 1 * MiB, NULL, &m->err), m->err);
	gmem__ticket_return(m->vm, &first);
	finish(&u, -EINVAL);
	t_reason(&u.err, GMEM_REASON_NOT_BOUND);
	t_ok(gmem_slot_get(m->vm, 0, 0, &s, &m->err), m->err);
	assert_int_equal(s.offset, 1 * MiB);
}

static void *close_it(void *arg)
{
	struct call *c = arg;

	c->r = gmem_close(c->g, &c->err);
	return NULL;
}

/* Close wants to delete it once more, and waits for its turn. */
static void a_retry_deletes_no_slot_that_came_meanwhile(void **state)
{
	struct unit *m = *state;

	for (int forget = 0; forget < 2; forget++) {
		struct gmem__ticket first;
		struct gmem__range r;
		struct call c = { 0 };

		stuck(m);
		take(m, &first, &r, 0, m->page);
		start(m, &c, close_it, 0, 0);
		until_there_are(m->vm, 2);
		replace(m);
		if (forget)
			t_ok(gmem_slot_forget(m->vm, 0, 0, &m->err), m->err);
		unit_reset(m);
		gmem__ticket_return(m->vm, &first);
		finish(&c, 0);
		assert_int_equal(unit_count(m, "ioctl",
					    GMEM__KVM_SET_USER_MEMORY_REGION),
				 0);
		if (!forget)
			t_ok(gmem_slot_forget(m->vm, 0, 0, &m->err), m->err);
		assert_int_equal(unit_turns(m->vm, NULL, 0), 0);
	}
}

static void by_guest_address_it_need_not_wait_either(void **state)
{
	struct unit *m = *state;
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED |
						   GMEM_ATTRIBUTES_NOWAIT };
	struct gmem__ticket first;
	struct gmem__range r;
	struct gmem_slot s = { .sz = sizeof(s) };

	bound(m);
	t_ok(gmem_slot_get(m->vm, 0, 0, &s, &m->err), m->err);
	take(m, &first, &r, 0, m->page);
	t_refused(gmem_vm_set_attributes(m->vm, 0, s.gpa, m->page,
					 GMEM_ATTRIBUTE_SHARED, &o, &m->err),
		  -EAGAIN, GMEM_REASON_RANGE_BUSY, m->err);
	gmem__ticket_return(m->vm, &first);
	t_ok(gmem_vm_set_attributes(m->vm, 0, s.gpa, m->page,
				    GMEM_ATTRIBUTE_SHARED, &o, &m->err),
	     m->err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(by_guest_address_it_need_not_wait_either, unit_sw),
		TEST(no_change_passes_one_that_waits, unit_sw),
		TEST(a_bind_and_an_import_wait_for_their_turn, unit_sw),
		TEST(an_unbind_takes_no_slot_that_came_meanwhile, unit_sw),
		TEST(a_guest_address_is_looked_up_again_at_its_turn,
		     unit_inplace),
		TEST(what_overlaps_nothing_does_not_wait, unit_sw),
		TEST(what_overlaps_nothing_does_not_wait, unit_inplace),
		TEST(one_ticket_has_all_ranges_of_a_call, unit_sw),
		TEST(one_ticket_has_all_ranges_of_a_call, unit_inplace),
		TEST(nowait_passes_no_waiting_change_either, unit_sw),
		TEST(a_change_can_be_cancelled_while_it_waits, unit_sw),
		TEST(a_change_can_be_cancelled_while_it_waits, unit_inplace),
		TEST(a_ticket_is_of_its_ranges_alone, unit_sw),
		TEST(an_unbind_waits_for_changes_of_its_slot_alone, unit_sw),
		TEST(an_unbind_leaves_a_slot_that_was_bound_meanwhile, unit_sw),
		TEST(a_retry_deletes_no_slot_that_came_meanwhile, unit_sw),
	};

	return t_main(tests);
}
