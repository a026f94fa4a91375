// SPDX-License-Identifier: MIT
/*
 * Making and closing a region: what it takes, what it waits for, and what
 * others do to its file and its VM meanwhile.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "side.h"
#include "unit.h"

#include <gmem_region.h>

#include "file.h"
#include "ticket.h"
#include "vm.h"

#define GPA (2 * GiB)
#define PATIENCE 1000000 /* looks, then it continues */
#define CAP_HYPERCALL 201

static struct gmem_region_opts opts_of(struct gmem *g)
{
	return (struct gmem_region_opts){
		.sz = sizeof(struct gmem_region_opts),
		.gmem = g,
	};
}

static struct gmem_region_info info(struct gmem_region *r)
{
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);

	t_code(gmem_region_get(r, &i, NULL), 0);
	return i;
}

/* ------------------------------------------------------------ what it takes */

static void a_file_that_backs_no_guest_suits_a_dual_region(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, GMEM_CREATE_UNBOUND);
	struct gmem_region_opts o = opts_of(g);
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	assert_int_equal(info(r).kind, GMEM_REGION_KIND_DUAL);
	t_ok(gmem_region_close(r, &u->err), u->err);
}

static void a_foreign_file_makes_no_region(void **state)
{
	struct unit *u = *state;
	struct gmem_adopt_opts a = { .sz = sizeof(a),
				     .flags = GMEM_ADOPT_FOREIGN };
	struct gmem_region_opts o = opts_of(NULL);
	struct gmem_region *r = NULL;
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), MiB,
			      unit_in_place(u) ? GMEM_CREATE_MMAP : 0);

	t_ok(gmem_adopt(u->vm, fd, &a, &o.gmem, &u->err), u->err);
	t_refused(gmem_region_create(u->vm, MiB, &o, &r, &u->err), -EOPNOTSUPP,
		  GMEM_REASON_FOREIGN_VM, u->err);
	assert_null(r);
}

static void in_place_no_memory_is_taken(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = opts_of(NULL);
	struct gmem_region *r = NULL;

	o.shared = (void *)(8 * GiB);
	t_refused(gmem_region_create(u->vm, MiB, &o, &r, &u->err), -EOPNOTSUPP,
		  GMEM_REASON_REGION_KIND, u->err);
	assert_int_equal(u->n_calls, 0);
}

/* Of the flags only one says so; and a VM may lack it. */
static void its_hypercalls_come_as_exits_unless_it_says(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = opts_of(NULL);
	struct gmem_region *r = NULL;
	struct gmem_vm *vm;
	struct side s;

	side_make(&s, SIDE_FD_ALONE, MiB);
	t_ok(gmem_region_create(u->vm, MiB, &s.o, &r, &u->err), u->err);
	assert_true(info(r).flags & GMEM_REGION_HYPERCALL);
	t_ok(gmem_region_close(r, &u->err), u->err);
	side_end(&s);
	unit_cap(u, OBJECT_VM, CAP_HYPERCALL, 0);
	vm = unit_vm(u, GMEM_VM_SW_PROTECTED, NULL, NULL);
	t_ok(gmem_region_create(vm, MiB, &o, &r, &u->err), u->err);
	assert_false(info(r).flags & GMEM_REGION_HYPERCALL);
	assert_int_equal(unit_count(u, "ioctl", GMEM__KVM_ENABLE_CAP), 0);
	t_ok(gmem_vm_destroy(vm, &u->err), u->err);
}

/* Later there may be no room. */
static void its_memory_is_mapped_when_it_is_made(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, MiB, NULL, &r, &u->err), u->err);
	unit_reset(u);
	assert_non_null(info(r).shared);
	assert_int_equal(u->n_calls, 0);
}

static void only_behind_a_dual_slot_is_its_memory(void **state)
{
	struct unit *u = *state;
	struct gmem_slot s = { .sz = sizeof(s),
			       .flags = GMEM_SLOT_FD,
			       .fd = -1,
			       .gpa = GPA,
			       .len = MiB,
			       .userspace_addr = 8 * GiB };
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, MiB, NULL, &r, &u->err), u->err);
	if (unit_in_place(u)) {
		t_ok(gmem_region_note(r, &s, &u->err), u->err);
		return;
	}
	t_refused(gmem_region_note(r, &s, &u->err), -EINVAL,
		  GMEM_REASON_REGION_MEMORY, u->err);
	/* Nor in the other mode, at the right address. */
	s.flags = GMEM_SLOT_HVA;
	s.userspace_addr = (uintptr_t)info(r).shared;
	t_refused(gmem_region_note(r, &s, &u->err), -EINVAL,
		  GMEM_REASON_REGION_MEMORY, u->err);
}

/* ------------------------------------------------------------ in between -- */

/* Another thread makes a region of the same file. */
static struct gmem_region *first;

static void make_first(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem_region_opts o = opts_of(u->hook_arg);
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	(void)arg;
	if (strcmp(c->name, "fstat"))
		return;
	u->hook = NULL;
	t_ok(gmem_region_create(u->vm, MiB, &o, &first, &err), err);
}

static void of_two_regions_of_a_file_the_first_has_it(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, 0);
	struct gmem_region *r = NULL;
	struct side s;

	side_make(&s, SIDE_FD_ALONE, MiB);
	s.o.gmem = g;
	u->hook_arg = g;
	u->hook = make_first;
	t_refused(gmem_region_create(u->vm, MiB, &s.o, &r, &u->err), -EBUSY,
		  GMEM_REASON_IN_REGION, u->err);
	assert_null(u->hook);
	assert_null(r);
	t_ok(gmem_region_close(first, &u->err), u->err);
	t_ok(gmem_close(g, &u->err), u->err);
	side_end(&s);
}

struct within {
	struct gmem_region_opts o;
	struct gmem_region *r;
	struct unit *u;
	unsigned int calls, refused;
	bool now;
};

static void try_within(void *arg, const struct gmem_trace *event)
{
	struct within *w = arg;
	struct gmem_region *other = NULL;
	unsigned int n, allocs;

	(void)event;
	if (!w->now)
		return;
	w->now = false;
	n = w->u->n_calls;
	allocs = w->u->n_allocs;
	w->calls += 2;
	w->refused += gmem_region_create(w->o.gmem->vm, MiB, &w->o, &other,
					 NULL) == -EDEADLK;
	w->refused += gmem_region_close(w->r, NULL) == -EDEADLK;
	/* And nothing was done for it. */
	assert_int_equal(w->u->n_calls, n);
	assert_int_equal(w->u->n_allocs, allocs);
}

static void no_callback_makes_or_closes_a_region(void **state)
{
	struct unit *u = *state;
	struct within w = { .u = u };
	struct gmem_vm *vm = unit_vm(u, GMEM_VM_SW_PROTECTED, try_within, &w);
	struct gmem_region_opts o;
	struct side s;

	side_make(&s, SIDE_ANON, MiB);
	o = opts_of(unit_file(vm, 0));
	t_ok(gmem_region_create(vm, MiB, &o, &w.r, &u->err), u->err);
	w.o = s.o;
	w.o.gmem = unit_file(vm, 0);
	w.now = true;
	t_ok(gmem_discard(w.o.gmem, 0, PAGE, NULL, &u->err), u->err);
	assert_int_equal(w.calls, 2);
	assert_int_equal(w.refused, 2);
	/* It is there still, and closed once. */
	assert_non_null(info(w.r).shared);
	t_ok(gmem_region_close(w.r, &u->err), u->err);
	t_ok(gmem_vm_destroy(vm, &u->err), u->err);
	side_end(&s);
}

static void an_error_of_another_size_closes_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem_error bad = { .sz = 1 };
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, MiB, NULL, &r, &u->err), u->err);
	unit_reset(u);
	t_code(gmem_region_close(r, &bad), -EINVAL);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_region_close(r, &u->err), u->err);
}

/* -------------------------------------------------------------- threads -- */

struct worker {
	struct unit *u;
	struct gmem_region_opts o;
	struct gmem_region *r;
	int ret, ended;
	pthread_t thread;
};

static void *create(void *arg)
{
	struct worker *w = arg;

	w->ret = gmem_region_create(w->u->vm, MiB, &w->o, &w->r, NULL);
	__atomic_store_n(&w->ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Such as a conversion that began before. */
static void it_waits_for_a_change_of_its_file(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, 0);
	struct worker w = { .u = u, .o = opts_of(g), .ret = 1 };
	struct gmem__range range = { g, PAGE, 2 * PAGE };
	struct gmem__ticket t;
	unsigned int i;
	bool waits = false;

	t_code(gmem__ticket_take(u->vm, &t, &range, 1, false, NULL, NULL), 0);
	assert_int_equal(pthread_create(&w.thread, NULL, create, &w), 0);
	for (i = 0; i < PATIENCE && !(waits && i > 1000); i++) {
		(void)sched_yield();
		waits = waits || unit_turns(u->vm, NULL, 0) > 1;
		if (__atomic_load_n(&w.ended, __ATOMIC_ACQUIRE))
			break;
	}
	assert_int_equal(__atomic_load_n(&w.ended, __ATOMIC_ACQUIRE), 0);
	gmem__ticket_return(u->vm, &t);
	assert_int_equal(pthread_join(w.thread, NULL), 0);
	t_code(w.ret, 0);
	t_ok(gmem_region_close(w.r, &u->err), u->err);
}

static void *make_and_close(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < 500 && w->ret == 0; i++) {
		w->ret = gmem_region_create(w->u->vm, MiB, &w->o, &w->r, NULL);
		if (w->ret == 0)
			w->ret = gmem_region_close(w->r, NULL);
	}
	return NULL;
}

static void *make_and_close_files(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < 500 && w->ret == 0; i++) {
		struct gmem *g = NULL;

		w->ret = gmem_create(w->u->vm, MiB, NULL, &g, NULL);
		if (w->ret == 0)
			w->ret = gmem_close(g, NULL);
	}
	return NULL;
}

/* Each looks at the files and the memory of the others. */
static void threads_make_and_close_regions(void **state)
{
	struct unit *u = *state;
	struct worker w[3] = { 0 };
	struct side s[2];

	for (size_t i = 0; i < 3; i++) {
		w[i].u = u;
		if (i == 2)
			break;
		side_make(&s[i], SIDE_ANON, MiB);
		w[i].o = s[i].o;
		w[i].o.gmem = unit_create(u, MiB, 0);
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&w[i].thread, NULL,
						i < 2 ? make_and_close
						      : make_and_close_files,
						&w[i]),
				 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
		t_code(w[i].ret, 0);
	}
	for (size_t i = 0; i < 2; i++)
		side_end(&s[i]);
}

static int closing, looked, closed;

/* One unmaps a region, the other one maps what it has just made. */
static void meet(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	(void)arg;
	if (!strcmp(c->name, "munmap")) {
		unit_tell(&closing, 1);
		unit_await(&looked, 1);
	} else if (!strcmp(c->name, "mmap")) {
		unit_tell(&looked, 1);
		unit_await(&closed, 1);
	}
}

static void *create_when_closing(void *arg)
{
	unit_await(&closing, 1);
	return create(arg);
}

/* Its memory has been compared with that of the one that is closed. */
static void a_region_is_made_while_another_is_closed(void **state)
{
	struct unit *u = *state;
	struct worker w = { .u = u, .ret = 1 };
	struct gmem_region *r = NULL;
	struct side s[2];

	for (size_t i = 0; i < 2; i++) {
		side_make(&s[i], SIDE_ANON, MiB);
		s[i].o.gmem = unit_create(u, MiB, 0);
	}
	t_ok(gmem_region_create(u->vm, MiB, &s[0].o, &r, &u->err), u->err);
	w.o = s[1].o;
	u->hook = meet;
	assert_int_equal(
		pthread_create(&w.thread, NULL, create_when_closing, &w), 0);
	t_ok(gmem_region_close(r, &u->err), u->err);
	unit_tell(&closed, 1);
	assert_int_equal(pthread_join(w.thread, NULL), 0);
	u->hook = NULL;
	t_code(w.ret, 0);
	t_ok(gmem_region_close(w.r, &u->err), u->err);
	for (size_t i = 0; i < 2; i++)
		side_end(&s[i]);
}

#define SLOTS 64

static void *unbind(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 1; i < SLOTS && w->ret == 0; i++)
		w->ret = gmem_unbind(w->u->vm, i, 0, 0, NULL);
	__atomic_store_n(&w->ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* By number, by another thread; the last one stays. */
static void no_region_is_closed_while_its_slots_go(void **state)
{
	struct unit *u = *state;
	struct worker w = { .u = u };

	t_ok(gmem_region_create(u->vm, SLOTS * PAGE, NULL, &w.r, &u->err),
	     u->err);
	for (unsigned int round = 0; round < 20; round++) {
		for (uint32_t i = round ? 1 : 0; i < SLOTS; i++) {
			struct gmem_slot s = { .sz = sizeof(s),
					       .slot = i,
					       .gpa = GPA + i * PAGE,
					       .offset = i * PAGE,
					       .len = PAGE };

			t_ok(gmem_region_bind(w.r, &s, &u->err), u->err);
		}
		w.ended = 0;
		assert_int_equal(pthread_create(&w.thread, NULL, unbind, &w),
				 0);
		do {
			t_refused(gmem_region_close(w.r, &u->err), -EBUSY,
				  GMEM_REASON_STILL_BOUND, u->err);
		} while (!__atomic_load_n(&w.ended, __ATOMIC_ACQUIRE));
		assert_int_equal(pthread_join(w.thread, NULL), 0);
		t_code(w.ret, 0);
	}
}

#define BOTH(name) TEST(name, unit_sw), TEST(name, unit_inplace)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_file_that_backs_no_guest_suits_a_dual_region, unit_sw),
		BOTH(a_foreign_file_makes_no_region),
		TEST(in_place_no_memory_is_taken, unit_inplace),
		TEST(its_hypercalls_come_as_exits_unless_it_says, unit_sw),
		TEST(its_memory_is_mapped_when_it_is_made, unit_sw),
		BOTH(only_behind_a_dual_slot_is_its_memory),
		TEST(of_two_regions_of_a_file_the_first_has_it, unit_sw),
		TEST(no_callback_makes_or_closes_a_region, unit_sw),
		BOTH(an_error_of_another_size_closes_nothing),
		TEST(it_waits_for_a_change_of_its_file, unit_sw),
		TEST(threads_make_and_close_regions, unit_sw),
		TEST(a_region_is_made_while_another_is_closed, unit_sw),
		TEST(no_region_is_closed_while_its_slots_go, unit_sw),
	};

	return t_main(tests);
}
