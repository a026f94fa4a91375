// SPDX-License-Identifier: MIT
/* Placement and space, each call failing in turn. */
#include "fault.h"

/* A kernel that keeps policies, with two nodes. */
static void numa(struct fake *f)
{
	fake_init(f);
	f->policy_obeyed = true;
	f->own_inode = true;
	f->nodes = 3;
}

/* As if mincore() were all there is. */
static void no_cachestat(struct fake *f)
{
	numa(f);
	f->no_cachestat = true;
}

static void two_runs(struct fault *t)
{
	fault_shared(t);
	fake_allocate(&t->u.f, gmem_fd(t->g), 0, 8192, 1);
	fake_allocate(&t->u.f, gmem_fd(t->g), 32768, 4096, 1);
}

static void without_mmap(struct fault *t)
{
	t->g = unit_create(&t->u, 64 * KiB, GMEM_CREATE_UNBOUND);
}

static void run(void (*profile)(struct fake *f),
		void (*prepare)(struct fault *t),
		int (*fn)(struct fault *t, struct gmem_error *err),
		const char *caller)
{
	struct scenario s = { .profile = profile,
			      .type = GMEM_VM_DEFAULT,
			      .prepare = prepare,
			      .run = fn,
			      .caller = caller,
			      .views = 1 };

	fault_run(&s);
}

static int set_strict(struct fault *t, struct gmem_error *err)
{
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct fake_policy *kept = &fake_file(&t->u.f, gmem_fd(t->g))->policy;
	int r = gmem_set_mempolicy(t->g, 0, 64 * KiB, &p, GMEM_MEMPOLICY_STRICT,
				   err);

	t->touched = r < 0 && kept->mode;
	if (r >= 0)
		assert_int_equal(kept->nodes, 2);
	/* What it could not look at has no errno of its own to tell. */
	if (r == -EOPNOTSUPP && err->reason == GMEM_REASON_PLACEMENT_UNKNOWN) {
		assert_int_equal(err->sys_errno, 0);
		fake_reset(&t->u.f);
		return set_strict(t, err);
	}
	return r;
}

static void a_policy_that_fails_is_not_set(void **state)
{
	(void)state;
	run(numa, two_runs, set_strict, "gmem_set_mempolicy");
}

static int get_policy(struct fault *t, struct gmem_error *err)
{
	unsigned long mask = 0x55;
	struct gmem_mempolicy p = unit_policy(77, &mask);
	int r = gmem_get_mempolicy(t->g, 0, &p, err);

	t->touched = r < 0 && (p.mode != 77 || mask != 0x55);
	return r;
}

static void a_policy_that_can_not_be_read_leaves_all_alone(void **state)
{
	(void)state;
	run(numa, fault_shared, get_policy, "gmem_get_mempolicy");
}

static int verify(struct fault *t, struct gmem_error *err)
{
	struct gmem_placement out = { .sz = sizeof(out), .resident = 77 };
	int r = gmem_verify_placement(t->g, 0, 64 * KiB, NULL, &out, err);

	t->touched = r < 0 && out.resident != 77;
	/* What the kernel did not tell is unknown, and nothing is missed. */
	if (r >= 0) {
		assert_int_equal(out.resident, 12288);
		assert_int_equal(r == GMEM_UNKNOWN, out.unknown != 0);
	}
	assert_int_equal(
		fake_allocated(&t->u.f, gmem_fd(t->g), 0, 64 * KiB, -1), 12288);
	return r;
}

static void a_look_that_fails_allocates_and_leaves_nothing(void **state)
{
	(void)state;
	run(numa, two_runs, verify, "gmem_verify_placement");
}

/* A kernel that says EAGAIN for ever is asked for ever: this one relents. */
static void relent(struct fake *f)
{
	for (size_t i = 0; i < FAKE_FAULTS; i++)
		if (f->faults[i].code == -EAGAIN &&
		    f->faults[i].times == UINT32_MAX)
			f->faults[i].times = 50;
}

static int populate_with(struct fault *t, const struct gmem_mempolicy *policy,
			 uint32_t threads, struct gmem_error *err)
{
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.policy = policy,
					.threads = threads };
	uint64_t there;
	int r;

	relent(&t->u.f);
	r = gmem_populate(t->g, 0, 64 * KiB, &o, err);
	there = fake_allocated(&t->u.f, gmem_fd(t->g), 0, 64 * KiB, -1);
	assert_true(err->done <= there);
	if (r >= 0)
		assert_int_equal(there, 64 * KiB);
	assert_int_equal(t->u.f.live_threads, 0);
	return r;
}

static int populate(struct fault *t, struct gmem_error *err)
{
	return populate_with(t, NULL, 0, err);
}

static int populate_placed(struct fault *t, struct gmem_error *err)
{
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);

	return populate_with(t, &p, 1, err);
}

static int populate_by_two(struct fault *t, struct gmem_error *err)
{
	return populate_with(t, NULL, 2, err);
}

static void a_populate_that_fails_can_be_tried_again(void **state)
{
	(void)state;
	run(numa, fault_shared, populate, "gmem_populate");
	run(numa, without_mmap, populate, "gmem_populate");
}

static void workers_that_fail_are_gone_and_can_be_tried_again(void **state)
{
	(void)state;
	run(numa, fault_shared, populate_placed, "gmem_populate");
	run(numa, fault_shared, populate_by_two, "gmem_populate");
}

static int discard(struct fault *t, struct gmem_error *err)
{
	return gmem_discard(t->g, 0, 64 * KiB, err);
}

static void a_discard_that_fails_can_be_tried_again(void **state)
{
	(void)state;
	run(numa, two_runs, discard, "gmem_discard");
}

static int resident(struct fault *t, struct gmem_error *err)
{
	struct gmem_residency out = { .sz = sizeof(out), .bytes = 77 };
	int r = gmem_resident(t->g, 0, 64 * KiB, &out, err);

	t->touched = r < 0 && out.bytes != 77;
	if (r == 0 && !(out.flags & GMEM_RESIDENT_LOWER_BOUND))
		assert_int_equal(out.bytes, 12288);
	return r;
}

static void a_count_that_fails_says_nothing(void **state)
{
	(void)state;
	run(numa, two_runs, resident, "gmem_resident");
}

/* Its first call fails always, so that is the errno it may report too. */
static void a_lower_bound_that_fails_leaves_no_mapping(void **state)
{
	static const enum fake_kind kinds[] = { FAKE_FSTAT, FAKE_MMAP,
						FAKE_MINCORE };
	(void)state;

	for (size_t i = 0; i < T_ARRAY_SIZE(kinds); i++) {
		struct fault *t = calloc(1, sizeof(*t));
		struct gmem_error err = { .sz = sizeof(err) };
		unsigned int maps;

		assert_non_null(t);
		no_cachestat(&t->u.f);
		t->u.vm = fake_vm(&t->u.f, GMEM_VM_DEFAULT);
		two_runs(t);
		maps = fake_mappings(&t->u.f);
		fake_fail(&t->u.f, kinds[i], 0, 1, 1, -ENOMEM);
		t_code(resident(t, &err), -EOPNOTSUPP);
		t_reason(&err, GMEM_REASON_RESIDENCY_UNKNOWN);
		assert_false(t->touched);
		assert_int_equal(fake_mappings(&t->u.f), maps);
		unit_listed(&t->u.f, "gmem_resident");
		t_code(resident(t, &err), 0);
		t_ok(gmem_vm_destroy(t->u.vm, &err), err);
		assert_true(fake_balanced(&t->u.f));
		fake_fini(&t->u.f);
		free(t);
	}
}

static void with_input(struct fault *t)
{
	fault_shared(t);
	t->fd = fake_input(&t->u.f, t->buf, sizeof(t->buf), 1500);
}

static int load(struct fault *t, struct gmem_error *err)
{
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_UNTIL_EOF };
	int r = gmem_load(t->g, 5, t->fd, sizeof(t->buf), &o, err);

	if (r == 0 && !t->len)
		assert_int_equal(err->done, sizeof(t->buf));
	t->len += err->done;
	return r;
}

static void a_load_that_fails_can_go_on(void **state)
{
	(void)state;
	run(numa, with_input, load, "gmem_load");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_that_fails_is_not_set),
		cmocka_unit_test(
			a_policy_that_can_not_be_read_leaves_all_alone),
		cmocka_unit_test(
			a_look_that_fails_allocates_and_leaves_nothing),
		cmocka_unit_test(a_populate_that_fails_can_be_tried_again),
		cmocka_unit_test(
			workers_that_fail_are_gone_and_can_be_tried_again),
		cmocka_unit_test(a_discard_that_fails_can_be_tried_again),
		cmocka_unit_test(a_count_that_fails_says_nothing),
		cmocka_unit_test(a_lower_bound_that_fails_leaves_no_mapping),
		cmocka_unit_test(a_load_that_fails_can_go_on),
	};

	return t_main(tests);
}
