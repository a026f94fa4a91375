// SPDX-License-Identifier: MIT
/* Exits that are answered by converting what regions have there. */
#include "unit.h"

#include <gmem_region.h>

#include "file.h"
#include "ticket.h"

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define ATTRIBUTES(u) (unit_in_place(u) ? 0xc080aed2 : 0x4020aed2)

static struct gmem_region *region(struct unit *u, uint64_t size, uint32_t slot,
				  uint64_t gpa)
{
	struct gmem_slot s = {
		.sz = sizeof(s), .slot = slot, .gpa = gpa, .len = size
	};
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, size, NULL, &r, &u->err), u->err);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	unit_reset(u);
	return r;
}

static struct gmem_exit exit_of(uint32_t kind, uint64_t gpa, uint64_t len,
				uint64_t attributes)
{
	return (struct gmem_exit){
		.sz = sizeof(struct gmem_exit),
		.kind = kind,
		.gpa = gpa,
		.len = len,
		.attributes = attributes,
	};
}

static struct gmem_answer serve(struct unit *u, const struct gmem_exit *e,
				struct gmem_guard *g, uint64_t flags)
{
	struct gmem_serve_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem_guard own = GMEM_INIT(struct gmem_guard);
	struct gmem_answer a = GMEM_INIT(struct gmem_answer);

	t_ok(gmem_vm_serve(u->vm, e, g ? g : &own, &o, &a, &u->err), u->err);
	return a;
}

static void is(struct gmem_region *r, uint64_t offset, uint64_t len,
	       uint64_t want)
{
	uint64_t a, run;
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	t_ok(gmem_region_attributes(r, offset, len, &a, &run, &err), err);
	assert_int_equal(a, want);
	assert_int_equal(run, len);
}

static void a_fault_converts_its_page(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 1 * MiB, 0, 2 * GiB);
	struct gmem_exit e = exit_of(GMEM_EXIT_MEMORY_FAULT, 2 * GiB + 2 * PAGE,
				     PAGE, SHARED);
	struct gmem_answer a = serve(u, &e, NULL, 0);

	assert_int_equal(a.kind, GMEM_ANSWER_RESUME);
	is(r, 0, 2 * PAGE, PRIVATE);
	is(r, 2 * PAGE, PAGE, SHARED);
	is(r, 3 * PAGE, 1 * MiB - 3 * PAGE, PRIVATE);
	assert_int_equal(u->err.done, PAGE);
	assert_int_equal(serve(u, &e, NULL, 0).kind, GMEM_ANSWER_RESUME);
	assert_int_equal(u->err.done, PAGE);
	e.attributes = PRIVATE;
	assert_int_equal(serve(u, &e, NULL, 0).kind, GMEM_ANSWER_RESUME);
	is(r, 0, 1 * MiB, PRIVATE);
}

/* Over two regions, and what is no memory. */
static void a_hypercall_is_split_and_checked_before_any_part(void **state)
{
	struct unit *u = *state;
	struct gmem_region *a = region(u, 1 * MiB, 0, 2 * GiB);
	struct gmem_region *b = region(u, 1 * MiB, 1, 2 * GiB + 1 * MiB);
	struct gmem_region *c = region(u, 1 * MiB, 2, 3 * GiB);
	struct gmem_exit e = exit_of(GMEM_EXIT_MAP_GPA_RANGE,
				     2 * GiB + 512 * KiB, 1 * MiB, SHARED);
	struct gmem_answer r = serve(u, &e, NULL, 0);

	assert_int_equal(r.kind, GMEM_ANSWER_RESUME);
	is(a, 0, 512 * KiB, PRIVATE);
	is(a, 512 * KiB, 512 * KiB, SHARED);
	is(b, 0, 512 * KiB, SHARED);
	is(b, 512 * KiB, 512 * KiB, PRIVATE);
	/* Private: not where there is a hole, and then nothing of it is. */
	e.len = 2 * GiB;
	e.attributes = PRIVATE;
	unit_reset(u);
	r = serve(u, &e, NULL, 0);
	assert_int_equal(r.kind, GMEM_ANSWER_REFUSE);
	assert_int_equal(r.reason, GMEM_REASON_NOT_BOUND);
	assert_int_equal(u->n_calls, 0);
	is(a, 512 * KiB, 512 * KiB, SHARED);
	/* Shared: tens of TiB of no memory, and all the regions in them. */
	e.gpa = 0;
	e.len = 64 * TiB;
	e.attributes = SHARED;
	r = serve(u, &e, NULL, 0);
	assert_int_equal(r.kind, GMEM_ANSWER_RESUME);
	is(a, 0, 1 * MiB, SHARED);
	is(b, 0, 1 * MiB, SHARED);
	is(c, 0, 1 * MiB, SHARED);
	assert_int_equal(u->n_allocs, 0);
}

static void
a_fault_that_nothing_ends_is_fatal_and_counted_by_no_limit(void **state)
{
	struct unit *u = *state;
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_exit e =
		exit_of(GMEM_EXIT_MEMORY_FAULT, 2 * GiB, PAGE, PRIVATE);
	struct gmem_region *r = region(u, 1 * MiB, 0, 2 * GiB);
	struct gmem_region_range other = { 512 * KiB, PAGE };
	struct gmem_answer a;

	/* Something touches its 2 MiB each time: never fatal. */
	for (int i = 0; i < 200; i++) {
		assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
		t_ok(gmem_region_convert(r, &other, 1, i % 2 ? PRIVATE : SHARED,
					 NULL, NULL, &u->err),
		     u->err);
	}
	unit_reset(u);
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
	assert_int_equal(u->n_calls, 0);
	/* The probe: once more in the kernel. */
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
	assert_int_equal(u->n_calls, 1);
	a = serve(u, &e, &g, 0);
	assert_int_equal(a.kind, GMEM_ANSWER_FATAL);
	assert_int_equal(a.reason, GMEM_REASON_NO_PROGRESS);
}

static void what_is_busy_is_to_be_tried_again(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 1 * MiB, 0, 2 * GiB);
	struct gmem_exit e =
		exit_of(GMEM_EXIT_MEMORY_FAULT, 2 * GiB, PAGE, SHARED);
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);
	struct gmem__range range;
	struct gmem__ticket t;

	t_ok(gmem_region_get(r, &i, &u->err), u->err);
	range = (struct gmem__range){ i.gmem, 0, 2 * PAGE };
	assert_int_equal(
		gmem__ticket_take(u->vm, &t, &range, 1, false, NULL, NULL), 0);
	assert_int_equal(serve(u, &e, NULL, GMEM_SERVE_NOWAIT).kind,
			 GMEM_ANSWER_RETRY);
	e.kind = GMEM_EXIT_MAP_GPA_RANGE;
	assert_int_equal(serve(u, &e, NULL, GMEM_SERVE_NOWAIT).kind,
			 GMEM_ANSWER_RETRY);
	gmem__ticket_return(u->vm, &t);
	is(r, 0, 1 * MiB, PRIVATE);
	assert_int_equal(serve(u, &e, NULL, GMEM_SERVE_NOWAIT).kind,
			 GMEM_ANSWER_RESUME);
	is(r, 0, PAGE, SHARED);
}

static void memory_without_a_region_is_not_converted(void **state)
{
	struct unit *u = *state;
	uint64_t flags = unit_in_place(u) ? GMEM_CREATE_MMAP : 0;
	struct gmem *g = unit_create(u, 1 * MiB, flags);
	struct gmem_exit e =
		exit_of(GMEM_EXIT_MEMORY_FAULT, 2 * GiB, PAGE, SHARED);
	struct gmem_answer a;

	unit_bind(u, g, 0, 2 * GiB);
	a = serve(u, &e, NULL, 0);
	assert_int_equal(a.kind, GMEM_ANSWER_FATAL);
	assert_int_equal(a.reason, GMEM_REASON_NO_REGION);
	e.kind = GMEM_EXIT_MAP_GPA_RANGE;
	assert_int_equal(serve(u, &e, NULL, 0).kind, GMEM_ANSWER_REFUSE);
	assert_int_equal(u->n_calls, 0);
}

static void other_exits_change_nothing(void **state)
{
	static const struct {
		uint32_t kind, reason, answer, why;
	} rows[] = {
		{ GMEM_EXIT_NONE, 0, GMEM_ANSWER_RESUME, 0 },
		{ GMEM_EXIT_OTHER, 0, GMEM_ANSWER_RESUME, 0 },
		{ GMEM_EXIT_MALFORMED, GMEM_REASON_UNALIGNED,
		  GMEM_ANSWER_REFUSE, GMEM_REASON_UNALIGNED },
		{ GMEM_EXIT_POISON, 0, GMEM_ANSWER_FATAL,
		  GMEM_REASON_POISONED },
		{ GMEM_EXIT_UNREACHABLE, 0, GMEM_ANSWER_FATAL,
		  GMEM_REASON_UNREACHABLE },
	};
	struct unit *u = *state;
	struct gmem_region *r = region(u, 1 * MiB, 0, 2 * GiB);

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_exit e =
			exit_of(rows[i].kind, 2 * GiB, PAGE, SHARED);
		struct gmem_answer a;

		e.reason = rows[i].reason;
		a = serve(u, &e, NULL, 0);
		assert_int_equal(a.kind, rows[i].answer);
		assert_int_equal(a.reason, rows[i].why);
	}
	assert_int_equal(u->n_calls, 0);
	is(r, 0, 1 * MiB, PRIVATE);
}

static void a_failure_of_the_host_is_no_answer(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 1 * MiB, 0, 2 * GiB);
	struct gmem_exit e =
		exit_of(GMEM_EXIT_MAP_GPA_RANGE, 2 * GiB, PAGE, SHARED);
	struct gmem_answer a = { .sz = sizeof(a), .kind = 77 };
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);

	unit_answer(u, "ioctl", ATTRIBUTES(u), 1, 1, -ENOMEM);
	t_refused(gmem_vm_serve(u->vm, &e, &g, NULL, &a, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	assert_int_equal(a.kind, 77);
	is(r, 0, 1 * MiB, PRIVATE);
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
	is(r, 0, PAGE, SHARED);
}

/* The end of a range that no unit of conversion has, after a whole region. */
static void what_is_no_unit_is_refused_before_any_part(void **state)
{
	struct unit *u = *state;
	struct gmem_region *a = region(u, 1 * MiB, 0, 2 * GiB);
	struct gmem_region *b = region(u, 1 * MiB, 1, 2 * GiB + 1 * MiB);
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_exit e = exit_of(GMEM_EXIT_MAP_GPA_RANGE, 2 * GiB,
				     1 * MiB + 2048, SHARED);
	struct gmem_answer r = serve(u, &e, NULL, 0);

	assert_int_equal(r.kind, GMEM_ANSWER_REFUSE);
	assert_int_equal(r.reason, GMEM_REASON_UNALIGNED);
	e.kind = GMEM_EXIT_MEMORY_FAULT;
	r = serve(u, &e, NULL, 0);
	assert_int_equal(r.kind, GMEM_ANSWER_FATAL);
	assert_int_equal(r.reason, GMEM_REASON_UNALIGNED);
	e.gpa += 4095;
	e.len = 1;
	assert_int_equal(serve(u, &e, NULL, 0).kind, GMEM_ANSWER_FATAL);
	assert_int_equal(u->n_calls, 0);
	is(a, 0, 1 * MiB, PRIVATE);
	is(b, 0, 1 * MiB, PRIVATE);
	/* Which it is already: nothing to do, until it repeats. */
	e.attributes = PRIVATE;
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
	e.len = 3 * u->page;
	e.gpa = 2 * GiB;
	e.attributes = SHARED;
	assert_int_equal(serve(u, &e, NULL, 0).kind, GMEM_ANSWER_RESUME);
	is(a, 0, 3 * u->page, SHARED);
}

/* How long a page in use is waited for, by the recorder's clock. */
static uint64_t waited(struct unit *u, uint32_t kind)
{
	struct gmem_exit e = exit_of(kind, 2 * GiB, PAGE, SHARED);
	uint64_t start = u->clock;

	unit_answer(u, "ioctl", ATTRIBUTES(u), 1, UINT32_MAX, -EAGAIN);
	assert_int_equal(serve(u, &e, NULL, 0).kind, GMEM_ANSWER_RETRY);
	unit_reset(u);
	return u->clock - start;
}

/* A guest that keeps its page in use holds no thread of the VMM for long. */
static void a_page_in_use_is_tried_a_bounded_time(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 1 * MiB, 0, 2 * GiB);

	assert_in_range(waited(u, GMEM_EXIT_MEMORY_FAULT), 1, 20000000);
	assert_in_range(waited(u, GMEM_EXIT_MAP_GPA_RANGE), 100000000,
			2000000000);
	is(r, 0, 1 * MiB, PRIVATE);
}

/* Until the next fault of @e is one to probe. */
static void arm(struct unit *u, const struct gmem_exit *e, struct gmem_guard *g)
{
	assert_int_equal(serve(u, e, g, 0).kind, GMEM_ANSWER_RESUME);
	unit_reset(u);
}

/* It says nothing about whether the fault comes again. */
static void a_probe_that_the_host_fails_is_not_fatal(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 1 * MiB, 0, 2 * GiB);
	struct gmem_answer a = { .sz = sizeof(a), .kind = 77 };
	struct gmem_guard g = GMEM_INIT(struct gmem_guard), was;
	struct gmem_exit e =
		exit_of(GMEM_EXIT_MEMORY_FAULT, 2 * GiB, PAGE, PRIVATE);

	arm(u, &e, &g);
	unit_answer(u, "ioctl", ATTRIBUTES(u), 1, UINT32_MAX, -EAGAIN);
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RETRY);
	unit_reset(u);
	unit_answer(u, "ioctl", ATTRIBUTES(u), 1, 1, -ENOMEM);
	was = g;
	t_refused(gmem_vm_serve(u->vm, &e, &g, NULL, &a, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	assert_int_equal(a.kind, 77);
	assert_memory_equal(&g, &was, sizeof(g));
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_FATAL);
	is(r, 0, 1 * MiB, PRIVATE);
}

static struct gmem__ticket other;
static struct gmem__range other_range;

/* Another change, of the second region, while the first one is probed. */
static void change(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)c;
	(void)arg;
	u->hook = NULL;
	assert_int_equal(gmem__ticket_take(u->vm, &other, &other_range, 1,
					   false, NULL, NULL),
			 0);
}

static void a_probe_waits_for_nobody_with_NOWAIT(void **state)
{
	struct unit *u = *state;
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_exit e =
		exit_of(GMEM_EXIT_MEMORY_FAULT, 2 * GiB + 1 * MiB - u->page,
			2 * u->page, PRIVATE);

	region(u, 1 * MiB, 0, 2 * GiB);
	t_ok(gmem_region_get(region(u, 1 * MiB, 1, 2 * GiB + 1 * MiB), &i,
			     &u->err),
	     u->err);
	other_range = (struct gmem__range){ i.gmem, 0, 1 * MiB };
	arm(u, &e, &g);
	u->hook = change;
	assert_int_equal(serve(u, &e, &g, GMEM_SERVE_NOWAIT).kind,
			 GMEM_ANSWER_RETRY);
	assert_null(u->hook);
	gmem__ticket_return(u->vm, &other);
}

static int share(struct gmem_region *r, uint64_t offset, uint64_t flags)
{
	struct gmem_convert_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem_region_range page = { offset, PAGE };

	return gmem_region_convert(r, &page, 1, SHARED, &o, NULL, NULL);
}

/* Within the same 2 MiB, or what is recorded there; elsewhere it is not. */
static void a_change_nearby_is_progress(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 16 * MiB, 0, 2 * GiB);
	struct gmem_region_range page = { 11 * MiB + PAGE, PAGE };
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_exit e = exit_of(GMEM_EXIT_MEMORY_FAULT, 2 * GiB + 10 * MiB,
				     PAGE, PRIVATE);

	arm(u, &e, &g);
	assert_int_equal(share(r, 11 * MiB, 0), 0);
	unit_reset(u);
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_region_assume(r, &page, 1, SHARED, &u->err), u->err);
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(share(r, 14 * MiB, 0), 0);
	unit_reset(u);
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES(u)), 1);
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_FATAL);
}

static struct gmem_region *probed;
static uint64_t at;
static int got;

static void share_within(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)c;
	(void)arg;
	u->hook = NULL;
	got = share(probed, at, GMEM_CONVERT_NOWAIT);
}

static void nobody_converts_what_is_probed(void **state)
{
	struct unit *u = *state;
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_exit e =
		exit_of(GMEM_EXIT_MEMORY_FAULT, 2 * GiB, PAGE, PRIVATE);

	probed = region(u, 1 * MiB, 0, 2 * GiB);
	at = 0;
	arm(u, &e, &g);
	u->hook = share_within;
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
	assert_null(u->hook);
	assert_int_equal(got, -EAGAIN);
	is(probed, 0, 1 * MiB, PRIVATE);
}

/* A page of the second part, while the first one is probed. */
static void a_probe_sets_what_is_recorded_then(void **state)
{
	struct unit *u = *state;
	const uint64_t gpa = 2 * GiB + 1 * MiB;
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_exit e =
		exit_of(GMEM_EXIT_MEMORY_FAULT, gpa - PAGE, 4 * PAGE, PRIVATE);

	region(u, 1 * MiB, 0, 2 * GiB);
	probed = region(u, 1 * MiB, 1, gpa);
	at = PAGE;
	arm(u, &e, &g);
	u->hook = share_within;
	assert_int_equal(serve(u, &e, &g, 0).kind, GMEM_ANSWER_RESUME);
	assert_int_equal(got, 0);
	/* Of the three one was not probed, but is converted. */
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES(u)), 5);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(
			unit_nth(u, "ioctl", ATTRIBUTES(u), i)->in.attr.size,
			PAGE);
	is(probed, 0, 1 * MiB, PRIVATE);
}

static struct gmem_region *second;

/* Another thread takes the second region away while the first converts. */
static void take_away(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	(void)arg;
	if (strcmp(c->name, "ioctl"))
		return;
	u->hook = NULL;
	t_ok(gmem_region_unbind(second, 1, 0, 0, &err), err);
}

static void memory_that_goes_meanwhile_is_the_guests_fault(void **state)
{
	static const struct {
		uint32_t kind, answer;
	} t[] = {
		{ GMEM_EXIT_MAP_GPA_RANGE, GMEM_ANSWER_REFUSE },
		{ GMEM_EXIT_MEMORY_FAULT, GMEM_ANSWER_FATAL },
	};
	struct unit *u = *state;
	struct gmem_region *first = region(u, 1 * MiB, 0, 2 * GiB);
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 1,
			       .gpa = 2 * GiB + 1 * MiB,
			       .len = 1 * MiB };

	second = region(u, 1 * MiB, 1, s.gpa);
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		struct gmem_exit e = exit_of(t[i].kind, 2 * GiB + 512 * KiB,
					     1 * MiB, SHARED);
		struct gmem_answer a = serve(u, &e, NULL, 0);

		assert_int_equal(a.kind, GMEM_ANSWER_RESUME);
		e.attributes = PRIVATE;
		u->hook = take_away;
		a = serve(u, &e, NULL, 0);
		assert_null(u->hook);
		assert_int_equal(a.kind, t[i].answer);
		assert_int_equal(a.reason, GMEM_REASON_NOT_BOUND);
		is(first, 0, 1 * MiB, PRIVATE);
		t_ok(gmem_region_bind(second, &s, &u->err), u->err);
	}
}

struct within {
	struct gmem_vm *vm;
	unsigned int calls, refused;
};

/* Of a page that is as wanted already, so that there is nothing to take. */
static void serve_within(void *arg, const struct gmem_trace *event)
{
	struct gmem_exit e =
		exit_of(GMEM_EXIT_MEMORY_FAULT, 2 * GiB, PAGE, PRIVATE);
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_answer a = GMEM_INIT(struct gmem_answer);
	struct within *w = arg;

	(void)event;
	if (!w->vm)
		return;
	w->calls++;
	w->refused += gmem_vm_serve(w->vm, &e, &g, NULL, &a, NULL) == -EDEADLK;
}

static void a_callback_cannot_serve(void **state)
{
	struct unit *u = *state;
	struct within w = { 0 };
	struct gmem_vm *vm = unit_vm(u, GMEM_VM_SW_PROTECTED, serve_within, &w);
	struct gmem_slot s = { .sz = sizeof(s),
			       .gpa = 2 * GiB,
			       .len = 1 * MiB };
	struct gmem_region_range range = { 512 * KiB, PAGE };
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(vm, 1 * MiB, NULL, &r, &u->err), u->err);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	w.vm = vm;
	t_ok(gmem_region_convert(r, &range, 1, SHARED, NULL, NULL, &u->err),
	     u->err);
	w.vm = NULL;
	assert_true(w.calls > 0);
	assert_int_equal(w.refused, w.calls);
	t_ok(gmem_vm_destroy(vm, &u->err), u->err);
}

static void a_bad_call_touches_neither_guard_nor_answer(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 1 * MiB, 0, 2 * GiB);
	struct gmem_exit e =
		exit_of(GMEM_EXIT_MEMORY_FAULT, 2 * GiB, PAGE, SHARED);
	struct gmem_answer a = { .sz = sizeof(a), .kind = 77 };
	struct gmem_guard g = { .sz = sizeof(g), .repeats = 78 };
	struct gmem_serve_opts o = { .sz = sizeof(o), .reserved = 1 };

	t_refused(gmem_vm_serve(NULL, &e, &g, NULL, &a, &u->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, u->err);
	t_refused(gmem_vm_serve(u->vm, NULL, &g, NULL, &a, &u->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, u->err);
	t_refused(gmem_vm_serve(u->vm, &e, NULL, NULL, &a, &u->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, u->err);
	t_refused(gmem_vm_serve(u->vm, &e, &g, NULL, NULL, &u->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, u->err);
	t_refused(gmem_vm_serve(u->vm, &e, &g, &o, &a, &u->err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, u->err);
	e.len = 0;
	t_refused(gmem_vm_serve(u->vm, &e, &g, NULL, &a, &u->err), -EINVAL,
		  GMEM_REASON_GPA_OVERFLOW, u->err);
	e.gpa = UINT64_MAX - 4095;
	e.len = 2 * PAGE;
	t_refused(gmem_vm_serve(u->vm, &e, &g, NULL, &a, &u->err), -EINVAL,
		  GMEM_REASON_GPA_OVERFLOW, u->err);
	e.attributes = 4;
	t_refused(gmem_vm_serve(u->vm, &e, &g, NULL, &a, &u->err), -EINVAL,
		  GMEM_REASON_ATTRIBUTE_UNKNOWN, u->err);
	e.kind = GMEM_EXIT_UNREACHABLE + 1;
	t_refused(gmem_vm_serve(u->vm, &e, &g, NULL, &a, &u->err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, u->err);
	assert_int_equal(a.kind, 77);
	assert_int_equal(g.repeats, 78);
	is(r, 0, 1 * MiB, PRIVATE);
}

#define BOTH(name) TEST(name, unit_sw), TEST(name, unit_inplace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_fault_converts_its_page),
		BOTH(a_hypercall_is_split_and_checked_before_any_part),
		BOTH(a_fault_that_nothing_ends_is_fatal_and_counted_by_no_limit),
		BOTH(what_is_busy_is_to_be_tried_again),
		BOTH(memory_without_a_region_is_not_converted),
		BOTH(other_exits_change_nothing),
		BOTH(a_failure_of_the_host_is_no_answer),
		BOTH(what_is_no_unit_is_refused_before_any_part),
		BOTH(a_page_in_use_is_tried_a_bounded_time),
		BOTH(a_probe_that_the_host_fails_is_not_fatal),
		BOTH(a_probe_waits_for_nobody_with_NOWAIT),
		BOTH(a_change_nearby_is_progress),
		BOTH(nobody_converts_what_is_probed),
		TEST(a_probe_sets_what_is_recorded_then, unit_sw),
		BOTH(memory_that_goes_meanwhile_is_the_guests_fault),
		BOTH(a_callback_cannot_serve),
		BOTH(a_bad_call_touches_neither_guard_nor_answer),
	};

	return t_main(tests);
}
