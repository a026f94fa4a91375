// SPDX-License-Identifier: MIT
/*
 * Serving an exit while something else changes its range: slots that come and
 * go, other conversions, parts that fail.
 */
#include <pthread.h>

#include "unit.h"

#include <gmem_region.h>

#include "file.h"
#include "ticket.h"
#include "vm.h"

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define UNSET GMEM_ATTRIBUTE_UNSET
#define FAULT GMEM_EXIT_MEMORY_FAULT
#define HYPERCALL GMEM_EXIT_MAP_GPA_RANGE
#define ATTRIBUTES(u) (unit_in_place(u) ? 0xc080aed2 : 0x4020aed2)
#define GPA (2 * GiB)

static int bind_at(struct gmem_region *r, uint32_t slot, uint64_t gpa,
		   uint64_t len)
{
	struct gmem_slot s = {
		.sz = sizeof(s), .slot = slot, .gpa = gpa, .len = len
	};

	return gmem_region_bind(r, &s, NULL);
}

static struct gmem_region *make(struct unit *u, uint32_t kind)
{
	struct gmem_region_opts o = { .sz = sizeof(o), .kind = kind };
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	return r;
}

/* 1 MiB at @gpa. */
static struct gmem_region *region(struct unit *u, uint32_t slot, uint64_t gpa)
{
	struct gmem_region *r = make(u, GMEM_REGION_KIND_AUTO);

	t_code(bind_at(r, slot, gpa, MiB), 0);
	unit_reset(u);
	return r;
}

static struct gmem *file(struct gmem_region *r)
{
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);

	t_code(gmem_region_get(r, &i, NULL), 0);
	return i.gmem;
}

static void share(struct gmem_region *r, uint64_t offset)
{
	struct gmem_region_range page = { offset, PAGE };

	t_code(gmem_region_convert(r, &page, 1, SHARED, NULL, NULL, NULL), 0);
}

static uint64_t queued(struct gmem_region *r)
{
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);

	t_code(gmem_region_stat(r, &s, NULL), 0);
	return s.queued_bytes;
}

static void is(struct gmem_region *r, uint64_t offset, uint64_t len,
	       uint64_t want)
{
	uint64_t a, run;

	t_code(gmem_region_attributes(r, offset, len, &a, &run, NULL), 0);
	assert_int_equal(a, want);
	assert_int_equal(run, len);
}

/* An exit, and how it is served. */
struct call {
	struct gmem_exit e;
	struct gmem_guard g;
	struct gmem_answer a;
	struct gmem_serve_opts o;
	int r;
	unsigned int times;
};

static struct call call_of(uint32_t kind, uint64_t gpa, uint64_t len,
			   uint64_t attributes)
{
	return (struct call){
		.e = { .sz = sizeof(struct gmem_exit),
		       .kind = kind,
		       .gpa = gpa,
		       .len = len,
		       .attributes = attributes },
		.g.sz = sizeof(struct gmem_guard),
		.a.sz = sizeof(struct gmem_answer),
		.o.sz = sizeof(struct gmem_serve_opts),
	};
}

static void serve(struct unit *u, struct call *c)
{
	c->a = (struct gmem_answer){ .sz = sizeof(c->a), .kind = 77 };
	c->r = gmem_vm_serve(u->vm, &c->e, &c->g, &c->o, &c->a, &u->err);
	c->times++;
}

static void answers(struct unit *u, struct call *c, uint32_t kind,
		    uint32_t reason)
{
	serve(u, c);
	t_ok_at(c->r, &u->err, "gmem_vm_serve()", __FILE__, __LINE__);
	assert_int_equal(c->a.kind, kind);
	assert_int_equal(c->a.reason, reason);
}

/* Waits for what nobody ends here, unless it is cancelled. */
static const int cancelled = 1;

static void waits(struct unit *u, struct call *c)
{
	c->o.cancel = &cancelled;
	serve(u, c);
	t_code(c->r, -ECANCELED);
	t_reason(&u->err, GMEM_REASON_CANCELLED);
	assert_int_equal(c->a.kind, 77);
	c->o.cancel = NULL;
}

/* A change of @r that ends when its ticket is returned. */
static struct gmem__ticket other;
static struct gmem__range other_range;

static void another_changes(struct unit *u, struct gmem_region *r)
{
	other_range = (struct gmem__range){ file(r), 0, MiB };
	t_code(gmem__ticket_take(u->vm, &other, &other_range, 1, false, NULL,
				 NULL),
	       0);
}

/* ---------------------------------------------------------------- slots -- */

static int bind_hva(struct unit *u, struct gmem *g)
{
	struct gmem_slot s = { .sz = sizeof(s), .flags = GMEM_SLOT_HVA };

	return t_bind(g, 0, GPA, 0, MiB, &s, &u->err);
}

static void memory_in_HVA_mode_is_shared_already(void **state)
{
	struct unit *u = *state;
	struct call c = call_of(FAULT, GPA, PAGE, SHARED);

	t_ok(bind_hva(u, unit_create(u, MiB, SHARED_FLAGS)), u->err);
	unit_reset(u);
	answers(u, &c, GMEM_ANSWER_RESUME, 0);
	c = call_of(HYPERCALL, GPA, PAGE, SHARED);
	answers(u, &c, GMEM_ANSWER_RESUME, 0);
	c.e.attributes = PRIVATE;
	answers(u, &c, GMEM_ANSWER_REFUSE, GMEM_REASON_NOT_BOUND);
	assert_int_equal(u->n_calls, 0);
}

/* Serves hook_arg, a struct call, in the middle of an ioctl of another. */
static void serve_within(struct unit *u, const struct unit_call *c, void *arg)
{
	struct call *inner = u->hook_arg;

	(void)arg;
	if (strcmp(c->name, "ioctl"))
		return;
	u->hook = NULL;
	serve(u, inner);
	u->hook = serve_within;
}

static void a_slot_that_comes_or_goes_is_busy(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct call c = call_of(HYPERCALL, GPA, PAGE, SHARED);

	u->hook_arg = &c;
	u->hook = serve_within;
	t_ok(bind_hva(u, g), u->err);
	t_code(c.r, 0);
	assert_int_equal(c.times, 1);
	assert_int_equal(c.a.kind, GMEM_ANSWER_RETRY);
	c.a.kind = 77;
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &u->err), u->err);
	t_code(c.r, 0);
	assert_int_equal(c.times, 2);
	assert_int_equal(c.a.kind, GMEM_ANSWER_RETRY);
	u->hook = NULL;
}

/* What the next slot of it shows is not known yet: no fault of the guest's. */
static void a_region_that_comes_is_busy_not_refused(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = make(u, GMEM_REGION_KIND_AUTO);
	struct call c = call_of(HYPERCALL, GPA, PAGE, PRIVATE);

	c.o.flags = GMEM_SERVE_NOWAIT;
	u->hook_arg = &c;
	u->hook = serve_within;
	t_code(bind_at(r, 0, GPA, MiB), 0);
	u->hook = NULL;
	assert_true(c.times > 0);
	t_code(c.r, 0);
	assert_int_equal(c.a.kind, GMEM_ANSWER_RETRY);
}

static void wait_within(struct unit *u, const struct unit_call *c, void *arg)
{
	struct call *inner = u->hook_arg;

	(void)arg;
	if (strcmp(c->name, "ioctl"))
		return;
	u->hook = NULL;
	for (unsigned int i = 0; i < 2; i++) {
		inner->e.kind = i ? FAULT : HYPERCALL;
		waits(u, inner);
	}
}

/* Not to be asked 64 times in vain, while it is being made. */
static void it_waits_for_a_region_that_comes(void **state)
{
	static const uint64_t flags[] = { 0, GMEM_SERVE_DEFER };
	struct unit *u = *state;
	struct gmem_region *r = make(u, GMEM_REGION_KIND_AUTO);

	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		struct call c = call_of(HYPERCALL, GPA, PAGE, SHARED);

		c.o.flags = flags[i];
		u->hook_arg = &c;
		u->hook = wait_within;
		t_code(bind_at(r, 0, GPA, MiB), 0);
		assert_null(u->hook);
		assert_int_equal(c.times, 2);
		answers(u, &c, GMEM_ANSWER_RESUME, 0);
		is(r, 0, PAGE, SHARED);
		t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	}
}

/* A hole, and what a slot left for its file behind it. */
static void what_a_slot_left_for_its_file_is_converted(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 0, GPA);
	struct call c = call_of(HYPERCALL, GPA - MiB, 3 * MiB, SHARED);

	t_ok(gmem_region_unbind(r, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &u->err),
	     u->err);
	answers(u, &c, GMEM_ANSWER_RESUME, 0);
	assert_int_equal(u->err.done, 3 * MiB);
	is(r, 0, MiB, SHARED);
	c = call_of(FAULT, GPA + PAGE, PAGE, PRIVATE);
	answers(u, &c, GMEM_ANSWER_RESUME, 0);
	is(r, 0, PAGE, SHARED);
	is(r, PAGE, PAGE, PRIVATE);
	c = call_of(HYPERCALL, GPA - MiB, 3 * MiB, PRIVATE);
	answers(u, &c, GMEM_ANSWER_REFUSE, GMEM_REASON_NOT_BOUND);
	is(r, 0, PAGE, SHARED);
}

/* Until the next fault is one to probe. */
static void arm(struct unit *u, struct call *c)
{
	answers(u, c, GMEM_ANSWER_RESUME, 0);
	unit_reset(u);
}

/* It may be why the guest faulted again. */
static void a_slot_that_was_replaced_is_progress(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 0, GPA);
	struct call c = call_of(FAULT, GPA, PAGE, PRIVATE);

	for (unsigned int i = 0; i < 3; i++) {
		arm(u, &c);
		t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
		t_code(bind_at(r, 0, GPA, MiB), 0);
		unit_reset(u);
		answers(u, &c, GMEM_ANSWER_RESUME, 0);
		assert_int_equal(u->n_calls, 0);
	}
	answers(u, &c, GMEM_ANSWER_RESUME, 0);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES(u)), 1);
	answers(u, &c, GMEM_ANSWER_FATAL, GMEM_REASON_NO_PROGRESS);
}

/* -------------------------------------------------------- other changes -- */

/* Only with NOWAIT: two that look at each other would never get anywhere. */
static void a_change_of_what_is_as_wanted_is_seen_with_NOWAIT(void **state)
{
	static const struct {
		uint64_t flags;
		uint32_t answer;
	} t[] = {
		{ 0, GMEM_ANSWER_RESUME },
		{ GMEM_SERVE_DEFER, GMEM_ANSWER_RESUME },
		{ GMEM_SERVE_NOWAIT, GMEM_ANSWER_RETRY },
		{ GMEM_SERVE_NOWAIT | GMEM_SERVE_DEFER, GMEM_ANSWER_RETRY },
	};
	struct unit *u = *state;
	struct gmem_region *r = region(u, 0, GPA);

	another_changes(u, r);
	for (size_t i = 0; i < 2 * T_ARRAY_SIZE(t); i++) {
		struct call c =
			call_of(i % 2 ? FAULT : HYPERCALL, GPA, PAGE, PRIVATE);

		c.o.flags = t[i / 2].flags;
		c.o.cancel = &cancelled;
		answers(u, &c, t[i / 2].answer, 0);
	}
	assert_int_equal(u->n_calls, 0);
	gmem__ticket_return(u->vm, &other);
}

static void it_waits_for_its_turn_without_NOWAIT(void **state)
{
	static const uint64_t flags[] = { 0, GMEM_SERVE_DEFER };
	struct unit *u = *state;
	struct gmem_region *r = region(u, 0, GPA);

	another_changes(u, r);
	for (size_t i = 0; i < 2 * T_ARRAY_SIZE(flags); i++) {
		struct call c =
			call_of(i % 2 ? FAULT : HYPERCALL, GPA, PAGE, SHARED);

		c.o.flags = flags[i / 2];
		waits(u, &c);
		/* A probe as well. */
		c = call_of(FAULT, GPA, PAGE, PRIVATE);
		c.o.flags = flags[i / 2];
		arm(u, &c);
		waits(u, &c);
	}
	assert_int_equal(u->n_calls, 0);
	gmem__ticket_return(u->vm, &other);
	is(r, 0, MiB, PRIVATE);
}

struct server {
	struct unit *u;
	struct call c;
};

static void *serve_apart(void *arg)
{
	struct server *s = arg;

	s->c.r = gmem_vm_serve(s->u->vm, &s->c.e, &s->c.g, &s->c.o, &s->c.a,
			       NULL);
	return NULL;
}

/* The guest does not have to ask again. */
static void what_it_has_waited_for_it_converts(void **state)
{
	static const uint64_t flags[] = { 0, GMEM_SERVE_DEFER };
	struct unit *u = *state;
	struct gmem_region *r = region(u, 0, GPA);
	pthread_t thread;

	for (size_t i = 0; i < 2 * T_ARRAY_SIZE(flags); i++) {
		struct server s = { u, call_of(FAULT, GPA, PAGE, PRIVATE) };

		s.c.o.flags = flags[i / 2];
		/* A page that is shared still, or a probe. */
		if (i % 2)
			arm(u, &s.c);
		else
			share(r, 0);
		another_changes(u, r);
		assert_int_equal(pthread_create(&thread, NULL, serve_apart, &s),
				 0);
		(void)unit_turns_are(u->vm, 2, NULL, 0);
		gmem__ticket_return(u->vm, &other);
		assert_int_equal(pthread_join(thread, NULL), 0);
		t_code(s.c.r, 0);
		assert_int_equal(s.c.a.kind, GMEM_ANSWER_RESUME);
		is(r, 0, MiB, PRIVATE);
	}
}

/* A slot becomes another and the rest of it a second one. */
struct move {
	unsigned int region;
	uint64_t offset, len; /* of the first one */
};

struct mover {
	struct unit *u;
	struct gmem *g;
	const struct move *to;
	int r;
};

static void *move(void *arg)
{
	struct mover *m = arg;
	struct gmem_slot from = { .sz = sizeof(from) }, to[2];

	to[0] = to[1] = (struct gmem_slot){
		.sz = sizeof(from),
		.gmem = m->g,
		.gpa = GPA,
		.offset = m->to->offset,
		.len = m->to->len,
	};
	to[1].slot = 1;
	to[1].gpa += to[0].len;
	to[1].offset = MiB / 2;
	to[1].len = MiB / 4;
	m->r = gmem_slots_replace(m->u->vm, &from, 1, to, 2, 0, NULL);
	return NULL;
}

/* Two pages at GPA, after a call that moves what is there. */
static void serve_after(struct unit *u, struct gmem_region *r, struct mover *m,
			struct server *s)
{
	pthread_t mover, thread;
	bool two, three;

	another_changes(u, r);
	assert_int_equal(pthread_create(&mover, NULL, move, m), 0);
	two = unit_turns_are(u->vm, 2, NULL, 0);
	assert_int_equal(pthread_create(&thread, NULL, serve_apart, s), 0);
	three = unit_turns_are(u->vm, 3, NULL, 0);
	gmem__ticket_return(u->vm, &other);
	assert_int_equal(pthread_join(mover, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(two && three);
	t_code(m->r, 0);
	t_code(s->c.r, 0);
}

static void it_converts_what_its_address_leads_to_at_its_turn(void **state)
{
	static const struct move moves[] = {
		{ 0, 3 * MiB / 4, MiB / 4 },
		{ 0, 0, 0 }, /* a page */
		{ 1, 0, MiB / 4 },
	};
	static const uint32_t kinds[] = { HYPERCALL, FAULT };
	struct unit *u = *state;

	for (size_t i = 0; i < 2 * T_ARRAY_SIZE(moves); i++) {
		struct gmem_region *r[2] = { region(u, 0, GPA),
					     make(u, GMEM_REGION_KIND_AUTO) };
		struct server s = { u, call_of(kinds[i % 2], GPA, 2 * PAGE,
					       SHARED) };
		struct move to = moves[i / 2];
		struct mover m = { u, file(r[to.region]), &to, 77 };
		uint32_t first = i % 2 ? GMEM_ANSWER_RETRY : GMEM_ANSWER_RESUME;

		to.len = to.len ? to.len : PAGE;
		serve_after(u, r[0], &m, &s);
		/* A fault comes again. */
		assert_int_equal(s.c.a.kind, first);
		answers(u, &s.c, GMEM_ANSWER_RESUME, 0);
		is(r[to.region], to.offset, PAGE, SHARED);
		is(r[to.region], to.len == PAGE ? MiB / 2 : to.offset + PAGE,
		   PAGE, SHARED);
		if (i / 2)
			is(r[0], PAGE, PAGE,
			   unit_in_place(u) ? PRIVATE : UNSET);
		else
			is(r[0], 0, PAGE, unit_in_place(u) ? PRIVATE : UNSET);
		for (uint32_t n = 0; n < 2; n++)
			t_ok(gmem_unbind(u->vm, n, 0, 0, &u->err), u->err);
	}
}

static struct gmem_region *second;
static int stop;

/* A change of the second part begins while the first one is converted. */
static void change_second(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)arg;
	if (strcmp(c->name, "ioctl"))
		return;
	u->hook = NULL;
	another_changes(u, second);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
}

static void with_NOWAIT_no_part_waits(void **state)
{
	struct unit *u = *state;
	struct gmem_region *first = region(u, 0, GPA);
	struct call c = call_of(HYPERCALL, GPA, 2 * MiB, SHARED);

	second = region(u, 1, GPA + MiB);
	stop = 0;
	c.o.cancel = &stop; /* so that it ends if it waits */
	c.o.flags = GMEM_SERVE_NOWAIT;
	u->hook = change_second;
	answers(u, &c, GMEM_ANSWER_RETRY, 0);
	assert_null(u->hook);
	gmem__ticket_return(u->vm, &other);
	assert_int_equal(u->err.done, MiB);
	is(first, 0, MiB, SHARED);
	is(second, 0, MiB, PRIVATE);
}

/* The guest's other processors convert pages of the same 2 MiB. */
static void convert_within(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)arg;
	(void)c;
	u->hook = NULL;
	share(second, 512 * KiB);
}

static void a_conversion_during_a_probe_is_progress(void **state)
{
	struct unit *u = *state;
	struct call c = call_of(FAULT, GPA, PAGE, PRIVATE);

	second = region(u, 0, GPA);
	arm(u, &c);
	u->hook = convert_within;
	answers(u, &c, GMEM_ANSWER_RESUME, 0);
	assert_null(u->hook);
	unit_reset(u);
	/* So this is the first one to probe, and the next one is fatal. */
	answers(u, &c, GMEM_ANSWER_RESUME, 0);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES(u)), 1);
	answers(u, &c, GMEM_ANSWER_FATAL, GMEM_REASON_NO_PROGRESS);
}

static void take_away(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)arg;
	(void)c;
	u->hook = NULL;
	t_code(gmem_region_unbind(second, 1, 0, 0, NULL), 0);
}

/* That is why it is fatal, not that the probe had no effect. */
static void a_slot_that_goes_during_a_probe_is_named(void **state)
{
	struct unit *u = *state;
	struct call c = call_of(FAULT, GPA + MiB - PAGE, 2 * PAGE, PRIVATE);

	region(u, 0, GPA);
	second = region(u, 1, GPA + MiB);
	arm(u, &c);
	u->hook = take_away;
	answers(u, &c, GMEM_ANSWER_FATAL, GMEM_REASON_NOT_BOUND);
	assert_null(u->hook);
	answers(u, &c, GMEM_ANSWER_FATAL, GMEM_REASON_NOT_BOUND);
}

/* ---------------------------------------------------------------- parts -- */

static void a_range_that_is_in_part_as_wanted_is_converted(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 0, GPA);
	struct call c = call_of(FAULT, GPA, 3 * PAGE, SHARED);

	share(r, 0);
	answers(u, &c, GMEM_ANSWER_RESUME, 0);
	assert_int_equal(u->err.done, 3 * PAGE);
	is(r, 0, 3 * PAGE, SHARED);
}

static void a_region_that_stays_shared_refuses_for_all_parts(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 0, GPA);
	struct gmem_region *stays = make(u, GMEM_REGION_KIND_SHARED);
	struct call c = call_of(HYPERCALL, GPA, MiB, SHARED);

	t_code(bind_at(stays, 1, GPA + MiB, MiB), 0);
	answers(u, &c, GMEM_ANSWER_RESUME, 0);
	unit_reset(u);
	c = call_of(HYPERCALL, GPA, 2 * MiB, PRIVATE);
	answers(u, &c, GMEM_ANSWER_REFUSE, GMEM_REASON_REGION_KIND);
	c.e.kind = FAULT;
	answers(u, &c, GMEM_ANSWER_FATAL, GMEM_REASON_REGION_KIND);
	assert_int_equal(u->n_calls, 0);
	is(r, 0, MiB, SHARED);
}

static void nothing_follows_a_part_that_failed(void **state)
{
	struct unit *u = *state;
	struct gmem_region *first = region(u, 0, GPA);
	struct gmem_region *last = region(u, 1, GPA + MiB);
	struct call c = call_of(HYPERCALL, GPA, 2 * MiB, SHARED);

	unit_answer(u, "ioctl", ATTRIBUTES(u), 1, 1, -ENOMEM);
	serve(u, &c);
	t_code(c.r, -ENOMEM);
	assert_int_equal(u->err.done, 0);
	assert_int_equal(unit_count(u, "ioctl", 0), 1);
	is(first, 0, MiB, PRIVATE);
	is(last, 0, MiB, PRIVATE);
	/* Nor a part of a probe. */
	c = call_of(FAULT, GPA, 2 * MiB, PRIVATE);
	arm(u, &c);
	unit_answer(u, "ioctl", ATTRIBUTES(u), 1, 1, -ENOMEM);
	serve(u, &c);
	t_code(c.r, -ENOMEM);
	assert_int_equal(unit_count(u, "ioctl", 0), 1);
}

/* Neither is asked again, nor what the probe changed looked at. */
static void what_the_kernel_refuses_is_the_guests_fault(void **state)
{
	struct unit *u = *state;
	struct call c = call_of(HYPERCALL, GPA, PAGE, SHARED);

	region(u, 0, GPA);
	unit_answer(u, "ioctl", ATTRIBUTES(u), 1, 1, -EINVAL);
	answers(u, &c, GMEM_ANSWER_REFUSE, GMEM_REASON_NO_PRIVATE_MEMORY);
	assert_int_equal(unit_count(u, "ioctl", 0), 1);
	unit_reset(u);
	c = call_of(FAULT, GPA, PAGE, PRIVATE);
	arm(u, &c);
	unit_answer(u, "ioctl", ATTRIBUTES(u), 1, 1, -EINVAL);
	answers(u, &c, GMEM_ANSWER_FATAL, GMEM_REASON_NO_PROGRESS);
	assert_int_equal(unit_count(u, "ioctl", 0), 1);
}

/* -------------------------------------------------------------- options -- */

static void only_DEFER_leaves_memory_for_reclaim(void **state)
{
	static const struct {
		uint64_t flags, queued;
	} t[] = {
		{ GMEM_SERVE_NOWAIT, 0 },
		{ GMEM_SERVE_DEFER, 1 },
		{ GMEM_SERVE_NOWAIT | GMEM_SERVE_DEFER, 2 },
	};
	struct unit *u = *state;
	struct gmem_region *r = region(u, 0, GPA);

	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		struct call c = call_of(FAULT, GPA + i * PAGE, PAGE, SHARED);

		c.o.flags = t[i].flags;
		unit_reset(u);
		answers(u, &c, GMEM_ANSWER_RESUME, 0);
		assert_int_equal(queued(r), t[i].queued * PAGE);
		assert_int_equal(unit_count(u, "fallocate", 0), !t[i].queued);
	}
	is(r, 0, 3 * PAGE, SHARED);
}

/* A hypercall is tried as often as a fault with NOWAIT, else much longer. */
static void only_NOWAIT_tries_a_hypercall_once(void **state)
{
	static const struct {
		uint32_t kind;
		uint64_t flags;
		bool once;
	} t[] = {
		{ FAULT, 0, true },
		{ FAULT, GMEM_SERVE_DEFER, true },
		{ HYPERCALL, GMEM_SERVE_NOWAIT, true },
		{ HYPERCALL, GMEM_SERVE_NOWAIT | GMEM_SERVE_DEFER, true },
		{ HYPERCALL, 0, false },
		{ HYPERCALL, GMEM_SERVE_DEFER, false },
	};
	struct unit *u = *state;
	unsigned int once = 0, n;

	region(u, 0, GPA);
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		struct call c = call_of(t[i].kind, GPA, PAGE, SHARED);

		c.o.flags = t[i].flags;
		unit_reset(u);
		unit_answer(u, "ioctl", ATTRIBUTES(u), 1, UINT32_MAX, -EAGAIN);
		answers(u, &c, GMEM_ANSWER_RETRY, 0);
		n = unit_count(u, "ioctl", ATTRIBUTES(u));
		if (i == 0)
			once = n;
		assert_int_equal(n, t[i].once ? once : 64 * once);
	}
	unit_reset(u);
}

static void bad_options_are_refused(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = region(u, 0, GPA);
	struct call c = call_of(FAULT, GPA, PAGE, SHARED);

	c.o.flags = 1 << 2;
	serve(u, &c);
	t_code(c.r, -EINVAL);
	t_reason(&u->err, GMEM_REASON_FLAG_UNKNOWN);
	c.o.flags = 0;
	c.o.sz = 8;
	serve(u, &c);
	t_code(c.r, -EINVAL);
	t_reason(&u->err, GMEM_REASON_OPTS_SIZE);
	assert_int_equal(c.a.kind, 77);
	assert_int_equal(u->n_calls, 0);
	is(r, 0, MiB, PRIVATE);
}

#define BOTH(name) TEST(name, unit_sw), TEST(name, unit_inplace)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(memory_in_HVA_mode_is_shared_already, unit_default),
		TEST(a_slot_that_comes_or_goes_is_busy, unit_default),
		BOTH(a_region_that_comes_is_busy_not_refused),
		TEST(it_waits_for_a_region_that_comes, unit_sw),
		TEST(what_a_slot_left_for_its_file_is_converted, unit_sw),
		BOTH(a_slot_that_was_replaced_is_progress),
		BOTH(a_change_of_what_is_as_wanted_is_seen_with_NOWAIT),
		BOTH(it_waits_for_its_turn_without_NOWAIT),
		BOTH(what_it_has_waited_for_it_converts),
		BOTH(it_converts_what_its_address_leads_to_at_its_turn),
		BOTH(with_NOWAIT_no_part_waits),
		BOTH(a_conversion_during_a_probe_is_progress),
		BOTH(a_slot_that_goes_during_a_probe_is_named),
		BOTH(a_range_that_is_in_part_as_wanted_is_converted),
		TEST(a_region_that_stays_shared_refuses_for_all_parts,
		     unit_inplace),
		BOTH(nothing_follows_a_part_that_failed),
		BOTH(what_the_kernel_refuses_is_the_guests_fault),
		TEST(only_DEFER_leaves_memory_for_reclaim, unit_sw),
		BOTH(only_NOWAIT_tries_a_hypercall_once),
		BOTH(bad_options_are_refused),
	};

	return t_main(tests);
}
