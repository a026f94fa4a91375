// SPDX-License-Identifier: MIT
/*
 * Who closes a file or a region cannot know of the calls that found it by guest
 * address, through what a slot left for it: the close waits for them.
 */
#include <pthread.h>

#include "unit.h"

#include <gmem_region.h>

#include "file.h"
#include "lock.h"
#include "vm.h"

#define ATTRIBUTES GMEM__KVM_SET_MEMORY_ATTRIBUTES
#define ROUNDS 50

static const struct gmem_attributes_opts unbacked = {
	.sz = sizeof(unbacked),
	.flags = GMEM_ATTRIBUTES_UNBACKED,
};

static const struct gmem_attributes_opts check_only = {
	.sz = sizeof(check_only),
	.flags = GMEM_ATTRIBUTES_UNBACKED | GMEM_ATTRIBUTES_CHECK_ONLY,
};

/* A file or a region of 1 MiB, and another thread that closes it. */
struct closing {
	struct unit *m;
	struct gmem *g;
	struct gmem_region *region; /* NULL: the file is closed */
	bool waits;
	int r; /* 1: not yet */
	pthread_t thread;
};

static void *close_it(void *arg)
{
	struct closing *c = arg;
	int r = c->region ? gmem_region_close(c->region, NULL)
			  : gmem_close(c->g, NULL);

	__atomic_store_n(&c->r, r, __ATOMIC_RELEASE);
	return NULL;
}

static void begin(struct closing *c)
{
	c->r = 1;
	assert_int_equal(pthread_create(&c->thread, NULL, close_it, c), 0);
}

static bool closed(const struct closing *c)
{
	return __atomic_load_n(&c->r, __ATOMIC_ACQUIRE) != 1;
}

/* It had the time to end, if it waits for nobody. */
static bool waits(const struct closing *c)
{
	for (int i = 0; i < 1000; i++)
		(void)sched_yield();
	return !closed(c);
}

static bool quiesced(struct closing *c)
{
	bool is;

	gmem__lock(&c->m->vm->lock);
	is = c->g->quiesced;
	gmem__unlock(&c->m->vm->lock);
	return is;
}

/* It has begun to wait, or is through without that. */
static void wait_for_close(struct closing *c)
{
	while (!closed(c) && !quiesced(c))
		(void)sched_yield();
}

static void ends(struct closing *c)
{
	assert_int_equal(pthread_join(c->thread, NULL), 0);
	t_code(c->r, 0);
}

static void make(struct unit *m, struct gmem *g, struct closing *c)
{
	struct gmem_region_opts o = {
		.sz = sizeof(o),
		.kind = GMEM_REGION_KIND_DUAL,
		.gmem = g,
	};
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);

	*c = (struct closing){ .m = m };
	t_ok(gmem_region_create(m->vm, MiB, &o, &c->region, &m->err), m->err);
	t_code(gmem_region_get(c->region, &i, NULL), 0);
	c->g = i.gmem;
}

/* Leaves all of it kept at 1 GiB, private. */
static void keep(struct closing *c)
{
	struct gmem_slot s = {
		.sz = sizeof(s), .slot = 9, .gpa = GiB, .len = MiB
	};
	struct unit *m = c->m;

	if (c->region)
		t_ok(gmem_region_bind(c->region, &s, &m->err), m->err);
	else
		t_ok(t_bind(c->g, 9, GiB, 0, MiB, NULL, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 9, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
}

static int share(struct unit *m, const struct gmem_attributes_opts *o)
{
	return gmem_vm_set_attributes(m->vm, 0, GiB, MiB, GMEM_ATTRIBUTE_SHARED,
				      o, &m->err);
}

static struct gmem_exit wants(uint64_t attributes)
{
	return (struct gmem_exit){ .sz = sizeof(struct gmem_exit),
				   .kind = GMEM_EXIT_MEMORY_FAULT,
				   .gpa = GiB,
				   .len = PAGE,
				   .attributes = attributes };
}

/* What the guest gets that wants a page of it to have @attributes. */
static uint32_t serve(struct unit *m, uint64_t attributes, uint32_t *reason)
{
	struct gmem_exit e = wants(attributes);
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_answer a = GMEM_INIT(struct gmem_answer);

	t_ok(gmem_vm_serve(m->vm, &e, &g, NULL, &a, &m->err), m->err);
	*reason = a.reason;
	return a.kind;
}

/* ------------------------------------------------- while it is converted -- */

static void close_meanwhile(struct unit *m, const struct unit_call *call,
			    void *arg)
{
	struct closing *c = m->hook_arg;

	(void)arg;
	if (call->request != ATTRIBUTES)
		return;
	m->hook = NULL;
	begin(c);
	wait_for_close(c);
	c->waits = waits(c);
}

static void a_file_is_closed_after_a_change_of_what_it_has_kept(void **state)
{
	struct unit *m = *state;
	struct closing c = { .m = m, .g = unit_create(m, MiB, 0) };

	keep(&c);
	m->hook_arg = &c;
	m->hook = close_meanwhile;
	t_ok(share(m, &unbacked), m->err);
	ends(&c);
	assert_true(c.waits);
	t_refused(share(m, &unbacked), -EINVAL, GMEM_REASON_NOT_BOUND, m->err);
}

static void a_region_is_closed_after_an_exit_that_is_served(void **state)
{
	struct unit *m = *state;
	struct closing c;
	uint32_t reason;

	make(m, NULL, &c);
	keep(&c);
	m->hook_arg = &c;
	m->hook = close_meanwhile;
	assert_int_equal(serve(m, GMEM_ATTRIBUTE_SHARED, &reason),
			 GMEM_ANSWER_RESUME);
	ends(&c);
	assert_true(c.waits);
	assert_int_equal(serve(m, GMEM_ATTRIBUTE_PRIVATE, &reason),
			 GMEM_ANSWER_FATAL);
	assert_int_equal(reason, GMEM_REASON_NOT_BOUND);
}

/* Who binds another file there writes which of the pages have memory. */
static void a_region_is_closed_after_a_bind_over_what_it_has_kept(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, MiB, 0), *other;
	struct closing c;

	make(m, g, &c);
	keep(&c);
	other = unit_create(m, MiB, 0);
	m->hook_arg = &c;
	m->hook = close_meanwhile;
	t_ok(t_bind(other, 9, GiB, 0, MiB, NULL, &m->err), m->err);
	ends(&c);
	assert_true(c.waits);
	t_ok(gmem_close(g, &m->err), m->err);
}

/* ------------------------------------------------------ while it is used -- */

static void use(struct closing *c)
{
	gmem__lock(&c->m->vm->lock);
	gmem__file_use(c->g);
	gmem__unlock(&c->m->vm->lock);
}

static void a_file_is_closed_after_the_last_that_uses_it(void **state)
{
	struct unit *m = *state;
	struct closing c = { .m = m, .g = unit_create(m, MiB, 0) };
	bool first, second;

	use(&c);
	use(&c);
	begin(&c);
	first = waits(&c);
	gmem__file_leave(c.g);
	second = waits(&c);
	gmem__file_leave(c.g);
	ends(&c);
	assert_true(first);
	assert_true(second);
}

/* The file stays, and what is kept for it: the region must not be found. */
static void no_exit_finds_a_region_that_is_being_closed(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, MiB, 0);
	struct closing c;
	uint32_t answer, reason;

	make(m, g, &c);
	keep(&c);
	use(&c);
	begin(&c);
	wait_for_close(&c);
	answer = serve(m, GMEM_ATTRIBUTE_SHARED, &reason);
	c.waits = waits(&c);
	gmem__file_leave(g);
	ends(&c);
	assert_true(c.waits);
	assert_int_equal(answer, GMEM_ANSWER_FATAL);
	assert_int_equal(reason, GMEM_REASON_NO_REGION);
	assert_false(quiesced(&c));
	t_ok(share(m, &unbacked), m->err);
	t_ok(gmem_close(g, &m->err), m->err);
}

static void a_region_whose_close_failed_is_found_again(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, MiB, 0);
	struct closing c;
	uint32_t reason;

	make(m, g, &c);
	keep(&c);
	unit_reset(m);
	unit_answer(m, "munmap", 0, 1, 1, -ENOMEM);
	t_refused(gmem_region_close(c.region, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	assert_int_equal(serve(m, GMEM_ATTRIBUTE_SHARED, &reason),
			 GMEM_ANSWER_RESUME);
	t_ok(gmem_region_close(c.region, &m->err), m->err);
	t_ok(gmem_close(g, &m->err), m->err);
}

static void a_close_that_failed_leaves_what_is_kept(void **state)
{
	struct unit *m = *state;
	struct closing c;
	uint32_t reason;

	/* the shared side, which pages have memory, and the record */
	for (unsigned int nth = 1; nth <= 3; nth++) {
		make(m, NULL, &c);
		keep(&c);
		unit_reset(m);
		unit_answer(m, "munmap", 0, nth, 1, -ENOMEM);
		t_refused(gmem_region_close(c.region, &m->err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, m->err);
		assert_int_equal(serve(m, GMEM_ATTRIBUTE_PRIVATE, &reason),
				 GMEM_ANSWER_RESUME);
		t_ok(gmem_region_close(c.region, &m->err), m->err);
	}
}

static void no_check_finds_a_file_that_is_being_closed(void **state)
{
	struct unit *m = *state;
	struct closing c = { .m = m, .g = unit_create(m, MiB, 0) };
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	int r;

	keep(&c);
	t_ok(share(m, &check_only), m->err);
	use(&c);
	begin(&c);
	wait_for_close(&c);
	r = gmem_vm_set_attributes(m->vm, 0, GiB, MiB, GMEM_ATTRIBUTE_SHARED,
				   &check_only, &err);
	c.waits = waits(&c);
	gmem__file_leave(c.g);
	ends(&c);
	assert_true(c.waits);
	t_code(r, -EINVAL);
	t_reason(&err, GMEM_REASON_NOT_BOUND);
}

/* ------------------------------------------ a region that is not made -- */

struct unmade {
	struct unit *m;
	pthread_t thread;
	bool begun, in, ended, waits;
	int r;
};

static void *serve_it(void *arg)
{
	struct gmem_exit e = wants(GMEM_ATTRIBUTE_PRIVATE);
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_answer a = GMEM_INIT(struct gmem_answer);
	struct unmade *u = arg;

	u->r = gmem_vm_serve(u->m->vm, &e, &g, NULL, &a, NULL);
	return NULL;
}

/* An exit is served when the creation is about to fail, until it waits. */
static void serve_meanwhile(struct unit *m, const struct unit_call *call,
			    void *arg)
{
	struct unmade *u = m->hook_arg;
	struct closing c = { .m = m, .g = m->g, .r = 1 };

	(void)arg;
	if (call->request == GMEM__KVM_ENABLE_CAP && !u->begun) {
		u->begun = true;
		assert_int_equal(pthread_create(&u->thread, NULL, serve_it, u),
				 0);
		while (!__atomic_load_n(&u->in, __ATOMIC_ACQUIRE))
			(void)sched_yield();
	} else if (call->request == ATTRIBUTES) {
		__atomic_store_n(&u->in, true, __ATOMIC_RELEASE);
		while (!quiesced(&c) &&
		       !__atomic_load_n(&u->ended, __ATOMIC_ACQUIRE))
			(void)sched_yield();
		u->waits = quiesced(&c);
	}
}

static void a_region_that_is_not_made_is_freed_after_its_exits(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, MiB, 0);
	struct gmem_region_opts o = {
		.sz = sizeof(o),
		.kind = GMEM_REGION_KIND_DUAL,
		.gmem = g,
	};
	struct closing c = { .m = m, .g = g };
	struct unmade u = { .m = m };
	int r;

	keep(&c);
	t_ok(share(m, &unbacked), m->err);
	unit_reset(m);
	unit_answer(m, "ioctl", GMEM__KVM_ENABLE_CAP, 1, 1, -EPERM);
	m->hook_arg = &u;
	m->hook = serve_meanwhile;
	r = gmem_region_create(m->vm, MiB, &o, &c.region, &m->err);
	__atomic_store_n(&u.ended, true, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(u.thread, NULL), 0);
	m->hook = NULL;
	t_code(r, -EPERM);
	t_reason(&m->err, GMEM_REASON_ACCESS_DENIED);
	t_code(u.r, 0);
	assert_true(u.waits);
	t_ok(gmem_close(g, &m->err), m->err);
}

/* --------------------------------------------------------------- threads -- */

struct asking {
	struct unit *m;
	int r; /* the first that is neither an answer nor a refusal */
	pthread_t thread;
};

static void *ask(void *arg)
{
	struct gmem_exit e = wants(GMEM_ATTRIBUTE_PRIVATE);
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_answer a = GMEM_INIT(struct gmem_answer);
	struct asking *k = arg;

	for (int i = 0; k->r == 0 && i < ROUNDS; i++) {
		k->r = gmem_vm_set_attributes(k->m->vm, 0, GiB, MiB,
					      GMEM_ATTRIBUTE_SHARED,
					      &check_only, NULL);
		if (k->r == -EINVAL || k->r == -EBUSY)
			k->r = 0;
		if (k->r == 0)
			k->r = gmem_vm_serve(k->m->vm, &e, &g, NULL, &a, NULL);
	}
	return NULL;
}

/* It is the sanitizers that see a handle which is used when it is freed. */
static void what_is_kept_is_asked_for_while_it_is_closed(void **state)
{
	struct unit *m = *state;
	struct closing c = { .m = m };
	struct asking k = { .m = m };

	assert_int_equal(pthread_create(&k.thread, NULL, ask, &k), 0);
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2)
			make(m, NULL, &c);
		else
			c = (struct closing){ .m = m,
					      .g = unit_create(m, MiB, 0) };
		keep(&c);
		(void)sched_yield();
		close_it(&c);
		t_code(c.r, 0);
	}
	assert_int_equal(pthread_join(k.thread, NULL), 0);
	t_code(k.r, 0);
}

struct owner {
	struct gmem_vm *vm;
	uint32_t slot;
	int r; /* the first failure of what nothing stands in the way of */
	pthread_t thread;
};

/* A file, or a region on it, that is kept where the other owner binds. */
static int own_once(struct owner *o, bool in_region)
{
	struct gmem_region_opts opts = { .sz = sizeof(opts),
					 .kind = GMEM_REGION_KIND_DUAL };
	struct gmem_region *region = NULL;
	struct gmem_slot s = {
		.sz = sizeof(s), .slot = o->slot, .gpa = GiB, .len = MiB
	};
	int r = gmem_create(o->vm, MiB, NULL, &s.gmem, NULL);

	opts.gmem = s.gmem;
	if (r == 0 && in_region)
		r = gmem_region_create(o->vm, MiB, &opts, &region, NULL);
	if (r < 0)
		return r;
	if ((region ? gmem_region_bind(region, &s, NULL)
		    : gmem_bind(&s, NULL)) == 0)
		r = gmem_unbind(o->vm, o->slot, 0, GMEM_UNBIND_KEEP_ATTRIBUTES,
				NULL);
	if (r == 0)
		r = gmem_region_close(region, NULL);
	return r < 0 ? r : gmem_close(s.gmem, NULL);
}

static void *own(void *arg)
{
	struct owner *o = arg;

	for (int i = 0; o->r == 0 && i < 4 * ROUNDS; i++)
		o->r = own_once(o, i % 2);
	return NULL;
}

static void files_that_bind_over_each_other_are_closed(void **state)
{
	struct unit *m = *state;
	struct owner o[2] = { { .vm = m->vm, .slot = 1 },
			      { .vm = m->vm, .slot = 2 } };

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&o[i].thread, NULL, own, &o[i]),
				 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(o[i].thread, NULL), 0);
		t_code(o[i].r, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_file_is_closed_after_a_change_of_what_it_has_kept,
		     unit_sw),
		TEST(a_region_is_closed_after_an_exit_that_is_served, unit_sw),
		TEST(a_region_is_closed_after_a_bind_over_what_it_has_kept,
		     unit_sw),
		TEST(a_file_is_closed_after_the_last_that_uses_it, unit_sw),
		TEST(no_exit_finds_a_region_that_is_being_closed, unit_sw),
		TEST(a_region_whose_close_failed_is_found_again, unit_sw),
		TEST(a_close_that_failed_leaves_what_is_kept, unit_sw),
		TEST(no_check_finds_a_file_that_is_being_closed, unit_sw),
		TEST(a_region_that_is_not_made_is_freed_after_its_exits,
		     unit_sw),
		TEST(what_is_kept_is_asked_for_while_it_is_closed, unit_sw),
		TEST(files_that_bind_over_each_other_are_closed, unit_sw),
	};

	return t_main(tests);
}
