// SPDX-License-Identifier: MIT
/* Options and results of older and newer callers. */
#include "unit.h"

#include "opts.h"
#include "seam.h"

/* Room for a caller of a later version: the known part and a tail. */
union any {
	size_t sz;
	unsigned char b[256];
};

struct call {
	const char *name;
	size_t v0;  /* the first release's size; frozen */
	size_t now; /* what this library knows */
	/* A call with @o that does nothing more than look at it. */
	int (*run)(struct unit *u, struct gmem *g, void *o,
		   struct gmem_error *err);
};

static int run_open(struct unit *u, struct gmem *g, void *o,
		    struct gmem_error *err)
{
	struct gmem_vm *vm = NULL;
	int r = gmem__vm_open_on(&unit_sys, u, o, &vm, err);

	(void)g;
	assert_true(r == 0 || !vm);
	return r ? r : gmem_vm_close(vm, err);
}

static int run_create(struct unit *u, struct gmem *g, void *o,
		      struct gmem_error *err)
{
	struct gmem_create_opts *c = o;

	(void)g;
	c->flags = SHARED_FLAGS | GMEM_CREATE_CHECK_ONLY;
	return gmem_create(u->vm, PAGE, o, NULL, err);
}

static int run_adopt(struct unit *u, struct gmem *g, void *o,
		     struct gmem_error *err)
{
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), PAGE, 3);
	struct gmem *out = NULL;
	int r = gmem_adopt(u->vm, fd, o, &out, err);

	(void)g;
	assert_true(r == 0 || !out);
	if (r)
		assert_int_equal(unit_sys.close(u, fd), 0);
	unit_reset(u);
	return r ? r : gmem_close(out, err);
}

static int run_bind(struct unit *u, struct gmem *g, void *o,
		    struct gmem_error *err)
{
	struct gmem_slot *b = o;

	(void)u;
	b->gmem = g;
	b->len = PAGE;
	b->flags = GMEM_SLOT_CHECK_ONLY;
	return gmem_bind(b, err);
}

static int run_set(struct unit *u, struct gmem *g, void *o,
		   struct gmem_error *err)
{
	(void)u;
	return gmem_set_attributes(g, 0, PAGE, GMEM_ATTRIBUTE_SHARED, o, err);
}

static int run_mmap(struct unit *u, struct gmem *g, void *o,
		    struct gmem_error *err)
{
	void *p = NULL;
	int r = gmem_mmap(g, 0, PAGE, o, &p, err);

	(void)u;
	assert_true(r == 0 || !p);
	return r ? r : gmem_munmap(g, p, err);
}

static int run_note(struct unit *u, struct gmem *g, void *o,
		    struct gmem_error *err)
{
	struct gmem_slot *s = o;
	int r;

	(void)g;
	s->slot = 8;
	s->len = PAGE;
	r = gmem_slot_note(u->vm, o, err);
	return r ? r : gmem_slot_forget(u->vm, 8, 0, err);
}

static const struct call calls[] = {
	{ "gmem_vm_opts", 48, 48, run_open },
	{ "gmem_create_opts", 24, 24, run_create },
	{ "gmem_adopt_opts", 24, 24, run_adopt },
	{ "gmem_slot", 72, 72, run_bind },
	{ "gmem_attributes_opts", 24, 24, run_set },
	{ "gmem_mmap_opts", 16, 24, run_mmap },
	{ "gmem_slot", 72, 72, run_note },
};

static int with(struct unit *u, struct gmem *g, const struct call *c, size_t sz,
		int tail, struct gmem_error *err)
{
	union any o = { .sz = sz };

	if (tail >= 0)
		o.b[tail] = 1;
	unit_reset(u);
	return c->run(u, g, &o, err);
}

static void opts_of_the_first_release_are_enough(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGE, SHARED_FLAGS);
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(calls); i++)
		t_ok(with(u, g, &calls[i], calls[i].v0, -1, &err), err);
}

static void opts_without_their_size_are_refused(void **state)
{
	static const size_t beside[] = { 0, 1, 8, SIZE_MAX };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGE, SHARED_FLAGS);
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];

		for (size_t k = 0; k < T_ARRAY_SIZE(beside); k++) {
			t_refused(with(u, g, c, beside[k], -1, &err), -EINVAL,
				  GMEM_REASON_OPTS_SIZE, err);
			assert_int_equal(err.value, beside[k]);
			assert_int_equal(err.limit, c->v0);
			assert_non_null(strstr(err.msg, c->name));
		}
		t_refused(with(u, g, c, c->v0 - 1, -1, &err), -EINVAL,
			  GMEM_REASON_OPTS_SIZE, err);
		assert_int_equal(u->n_calls, 0);
	}
}

static void newer_opts_that_ask_for_nothing_new_are_taken(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGE, SHARED_FLAGS);
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(calls); i++)
		t_ok(with(u, g, &calls[i], 256, -1, &err), err);
}

static void newer_opts_that_ask_for_more_are_e2big(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGE, SHARED_FLAGS);
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];

		t_refused(with(u, g, c, 256, (int)c->now, &err), -E2BIG,
			  GMEM_REASON_OPTS_NEWER, err);
		assert_int_equal(err.value, c->now);
		t_refused(with(u, g, c, 256, 255, &err), -E2BIG,
			  GMEM_REASON_OPTS_NEWER, err);
		assert_int_equal(err.value, 255);
		assert_int_equal(u->n_calls, 0);
		/* beyond .sz the caller's memory is none of our business */
		t_ok(with(u, g, c, 128, 128, &err), err);
	}
}

static void unknown_flags_are_refused_by_every_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGE, SHARED_FLAGS);
	struct gmem_attributes_opts a = { .sz = sizeof(a), .flags = 4 };
	struct gmem_error err;
	char b[8];

	t_refused(gmem_set_attributes(g, 0, PAGE, 0, &a, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	assert_int_equal(err.value, 4);
	t_refused(gmem_unbind(u->vm, 0, 0, 2, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	t_refused(gmem_attributes_import(g, b, sizeof(b), 4, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	assert_int_equal(u->n_calls, 0);
}

/* An older caller of a library that learnt more since. */
static void what_an_older_caller_does_not_know_is_zero(void **state)
{
	uint64_t in[3] = { 16, 7, UINT64_MAX }, out[3] = { 9, 9, 9 };

	(void)state;
	assert_int_equal(gmem__opts_check(in, 16, 24, "it", NULL), 0);
	gmem__opts_copy(out, sizeof(out), in);
	assert_int_equal(out[0], 16);
	assert_int_equal(out[1], 7);
	assert_int_equal(out[2], 0);
	gmem__opts_copy(out, sizeof(out), NULL);
	assert_int_equal(out[1], 0);
}

static void results_are_written_as_far_as_both_know(void **state)
{
	struct unit *u = *state;
	union {
		struct gmem_feature_info i;
		unsigned char b[96];
	} v;
	struct gmem_error err;

	memset(&v, 0xff, sizeof(v));
	v.i.sz = 64;
	t_ok(gmem_vm_feature(u->vm, 0, &v.i, &err), err);
	assert_int_equal(v.i.sz, 64);
	assert_string_equal(v.i.name, "user-memory2");
	for (size_t i = sizeof(v.i); i < 64; i++)
		assert_int_equal(v.b[i], 0);
	for (size_t i = 64; i < sizeof(v); i++)
		assert_int_equal(v.b[i], 0xff);
}

static void results_without_their_size_are_refused(void **state)
{
	struct unit *u = *state;
	struct gmem_feature_info i = { .sz = 0 };
	struct gmem_syscall s = { .sz = 39 };
	struct gmem_slot slot = { .sz = 71 };
	struct gmem_error err;

	t_refused(gmem_vm_feature(u->vm, 0, &i, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	t_refused(gmem_syscall_info(0, &s, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	t_refused(gmem_slot_get(u->vm, 0, 0, &slot, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	assert_null(i.name);
	assert_null(s.name);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(opts_of_the_first_release_are_enough, unit_default),
		TEST(opts_without_their_size_are_refused, unit_default),
		TEST(newer_opts_that_ask_for_nothing_new_are_taken,
		     unit_default),
		TEST(newer_opts_that_ask_for_more_are_e2big, unit_default),
		TEST(unknown_flags_are_refused_by_every_call, unit_default),
		TEST(what_an_older_caller_does_not_know_is_zero, unit_default),
		TEST(results_are_written_as_far_as_both_know, unit_default),
		TEST(results_without_their_size_are_refused, unit_default),
	};

	return t_main(tests);
}
