// SPDX-License-Identifier: MIT
/* Placement and space, each call failing in turn. */
#include <fcntl.h>
#include <unistd.h>

#include "fault.h"

#define OLD ((size_t)256 * KiB)

/* 12 KiB with pages of 4 KiB, on node 1. */
static void two_runs(struct fault *t)
{
	fault_shared(t);
	unit_allocate(&t->u, gmem_fd(t->g), 0, 2 * t->page, 1);
	unit_allocate(&t->u, gmem_fd(t->g), 8 * t->page, t->page, 1);
}

static void run(const struct fault_kernel *const *kernels,
		void (*prepare)(struct fault *t),
		int (*fn)(struct fault *t, struct gmem_error *err),
		uint32_t flags, const char *caller)
{
	struct scenario s = { .kernels = kernels,
			      .type = GMEM_VM_DEFAULT,
			      .prepare = prepare,
			      .run = fn,
			      .flags = flags,
			      .caller = caller,
			      .views = 1,
			      .patient = true };

	fault_run(&s);
}

static int set_strict(struct fault *t, struct gmem_error *err)
{
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	int r = gmem_set_mempolicy(t->g, 0, fault_size(t), &p,
				   GMEM_MEMPOLICY_STRICT, err);

	if (r >= 0)
		assert_int_equal(kernel_policy_nodes(t), 2);
	return r;
}

static void a_policy_that_fails_is_not_set(void **state)
{
	(void)state;
	run(fault_numa, two_runs, set_strict, 0, "gmem_set_mempolicy");
}

static void bound_to_1(struct fault *t)
{
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);

	assert_true(gmem_set_mempolicy(t->g, 0, fault_size(t), &p, 0, NULL) >=
		    0);
}

static void with_a_policy(struct fault *t)
{
	fault_shared(t);
	bound_to_1(t);
}

/* Half way the file has the local policy; it never has another one. */
static int take_back(struct fault *t, struct gmem_error *err)
{
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_DEFAULT, NULL);
	int r = gmem_set_mempolicy(t->g, 0, fault_size(t), &p, 0, err);
	uint64_t nodes = kernel_policy_nodes(t);

	if (r >= 0)
		assert_int_equal(nodes, 0);
	t->touched = nodes != 0 && nodes != 2;
	return r;
}

static void a_policy_that_is_half_gone_can_be_taken_back_again(void **state)
{
	struct scenario s = { .kernels = fault_numa,
			      .type = GMEM_VM_DEFAULT,
			      .prepare = with_a_policy,
			      .run = take_back,
			      .undo = bound_to_1,
			      .flags = FAULT_PARTLY,
			      .caller = "gmem_set_mempolicy" };

	(void)state;
	fault_run(&s);
}

static int get_policy(struct fault *t, struct gmem_error *err)
{
	unsigned long mask = 0x55;
	struct gmem_mempolicy p = unit_policy(77, &mask);
	int r = t_get_mempolicy(t->g, 0, &p, err);

	t->touched = r < 0 && (p.mode != 77 || mask != 0x55);
	return r;
}

static void a_policy_that_can_not_be_read_leaves_all_alone(void **state)
{
	(void)state;
	run(fault_numa, fault_shared, get_policy, 0, "gmem_get_mempolicy");
}

static int verify(struct fault *t, struct gmem_error *err)
{
	struct gmem_placement out = { .sz = sizeof(out), .resident = 77 };
	int r = t_placed(t->g, 0, fault_size(t), NULL, &out, err);

	t->touched = r < 0 && out.resident != 77;
	/* What the kernel did not tell is unknown, and nothing is missed. */
	if (r >= 0) {
		assert_int_equal(out.resident, 3 * t->page);
		assert_int_equal(r == GMEM_PLACED_UNKNOWN, out.unknown != 0);
	}
	assert_int_equal(
		unit_allocated(&t->u, gmem_fd(t->g), 0, gmem_size(t->g), -1),
		3 * t->page);
	return r;
}

static void a_look_that_fails_allocates_and_leaves_nothing(void **state)
{
	(void)state;
	run(fault_numa, two_runs, verify, 0, "gmem_verify_placement");
}

static int populate_with(struct fault *t, const struct gmem_mempolicy *policy,
			 uint32_t threads, struct gmem_error *err)
{
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.policy = policy,
					.threads = threads };
	uint64_t there;
	int r;

	r = gmem_populate(t->g, 0, fault_size(t), &o, err);
	there = unit_allocated(&t->u, gmem_fd(t->g), 0, gmem_size(t->g), -1);
	assert_true(err->done <= there);
	if (r >= 0)
		assert_int_equal(there, fault_size(t));
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
	run(fault_numa, fault_shared, populate, FAULT_PARTLY, "gmem_populate");
	run(fault_numa, fault_unmappable, populate, FAULT_PARTLY,
	    "gmem_populate");
}

static void workers_that_fail_are_gone_and_can_be_tried_again(void **state)
{
	(void)state;
	run(fault_numa, fault_shared, populate_placed, FAULT_PARTLY,
	    "gmem_populate");
	run(fault_numa, fault_shared, populate_by_two, FAULT_PARTLY,
	    "gmem_populate");
}

static int discard(struct fault *t, struct gmem_error *err)
{
	return gmem_discard(t->g, 0, fault_size(t), NULL, err);
}

static void a_discard_that_fails_can_be_tried_again(void **state)
{
	(void)state;
	run(fault_numa, two_runs, discard, 0, "gmem_discard");
}

static int resident(struct fault *t, struct gmem_error *err)
{
	struct gmem_residency out = { .sz = sizeof(out), .bytes = 77 };
	int r = gmem_resident(t->g, 0, fault_size(t), &out, err);

	t->touched = r < 0 && out.bytes != 77;
	if (r == 0 && !(out.flags & GMEM_RESIDENT_LOWER_BOUND))
		assert_int_equal(out.bytes, 3 * t->page);
	return r;
}

static void a_count_that_fails_says_nothing(void **state)
{
	(void)state;
	run(fault_numa, two_runs, resident, 0, "gmem_resident");
}

static int add_run(void *arg, uint64_t offset, uint64_t len)
{
	struct fault *t = arg;

	(void)offset;
	t->len += len;
	return 0;
}

static int walk(struct fault *t, struct gmem_error *err)
{
	int r;

	t->len = 0;
	r = gmem_walk_resident(t->g, 0, fault_size(t), add_run, t, err);
	assert_true(err->done == fault_size(t) || r < 0);
	assert_true(t->len == 3 * t->page || r < 0);
	return r;
}

static void a_walk_that_fails_changes_nothing(void **state)
{
	(void)state;
	run(fault_numa, two_runs, walk, FAULT_PROGRESS, "gmem_walk_resident");
}

/* Its first call fails always, so that is the errno it may report too. */
static void a_lower_bound_that_fails_leaves_no_mapping(void **state)
{
	static const struct scenario s = { .kernels = fault_no_cachestat,
					   .type = GMEM_VM_DEFAULT,
					   .prepare = two_runs,
					   .run = resident,
					   .instead = ENOSYS,
					   .caller = "gmem_resident" };

	(void)state;
	fault_run(&s);
}

static void with_input(struct fault *t)
{
	fault_shared(t);
	t->fd = unit_input(&t->u, t->buf, sizeof(t->buf), 1500);
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
	run(fault_numa, with_input, load, FAULT_PARTLY, "gmem_load");
}

/* A page, a hole and a few bytes, into memory that was used. */
#define SPARSE(t) (6 * (t)->page + 10)

static void with_sparse_file(struct fault *t)
{
	fault_shared(t);
	memset(t->buf, 0x55, sizeof(t->buf));
	unit_allocate(&t->u, gmem_fd(t->g), 0, fault_size(t), 0);
	t->fd = unit_memfd(&t->u, t->buf, sizeof(t->buf), 0);
	assert_int_equal(pwrite(t->fd, t->buf, 10, (off_t)(6 * t->page)), 10);
}

/* Not by the library, whose calls are counted. */
static void peek(struct fault *t, uint64_t offset, void *to, size_t len)
{
	const struct file *f =
		(struct file *)model__object(t->u.k, gmem_fd(t->g));

	assert_int_equal(model__inode_copy(f->inode, offset, to, len, false),
			 0);
}

/* The whole again, whatever part of it was loaded before. */
static int load_sparse(struct fault *t, struct gmem_error *err)
{
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_INPUT_OFFSET };
	unsigned char got[16];
	int r = gmem_load(t->g, 5, t->fd, SPARSE(t), &o, err);

	assert_true(err->done <= SPARSE(t));
	if (r < 0)
		return r;
	assert_int_equal(err->done, SPARSE(t));
	peek(t, 6 * t->page, got, sizeof(got));
	for (size_t i = 0; i < sizeof(got); i++)
		assert_int_equal(got[i], i < 5 || i >= 15 ? 0 : 0x55);
	return r;
}

static void a_load_of_a_hole_that_fails_can_be_tried_again(void **state)
{
	(void)state;
	run(fault_numa, with_sparse_file, load_sparse, FAULT_PARTLY,
	    "gmem_load");
}

/* Two runs of pages in the memory; contents that must go in the file. */
static void with_output(struct fault *t)
{
	static unsigned char old[OLD];

	two_runs(t);
	memset(old, 1, sizeof(old));
	t->fd = unit_memfd(&t->u, old, sizeof(old), 0);
}

static int store_to(struct fault *t, int fd, uint64_t flags,
		    struct gmem_error *err)
{
	struct gmem_store_opts o = { .sz = sizeof(o), .flags = flags };
	uint64_t len = fault_size(t) - 5;
	int r = gmem_store(t->g, 5, fd, len, &o, err);

	assert_true(err->done <= len);
	assert_true(r < 0 || err->done == len);
	return r;
}

/* The whole again, whatever part of it was stored before. */
static int store(struct fault *t, struct gmem_error *err)
{
	int r = store_to(t, t->fd, GMEM_STORE_OUTPUT_OFFSET, err);
	size_t len = (size_t)fault_size(t) - 5;
	unsigned char got[OLD];

	if (r < 0)
		return r;
	assert_true(len <= sizeof(got));
	assert_int_equal(pread(t->fd, got, len, 0), len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(got[i], 0);
	return r;
}

static void a_store_that_fails_can_be_tried_again(void **state)
{
	(void)state;
	run(fault_numa, with_output, store, FAULT_PARTLY, "gmem_store");
}

static void with_null(struct fault *t)
{
	two_runs(t);
	t->fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static int store_stream(struct fault *t, struct gmem_error *err)
{
	return store_to(t, t->fd, 0, err);
}

static void a_stream_that_fails_leaves_all_alone(void **state)
{
	(void)state;
	run(fault_numa, with_null, store_stream, FAULT_PARTLY, "gmem_store");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_that_fails_is_not_set),
		cmocka_unit_test(
			a_policy_that_is_half_gone_can_be_taken_back_again),
		cmocka_unit_test(
			a_policy_that_can_not_be_read_leaves_all_alone),
		cmocka_unit_test(
			a_look_that_fails_allocates_and_leaves_nothing),
		cmocka_unit_test(a_populate_that_fails_can_be_tried_again),
		cmocka_unit_test(
			workers_that_fail_are_gone_and_can_be_tried_again),
		cmocka_unit_test(a_discard_that_fails_can_be_tried_again),
		cmocka_unit_test(a_count_that_fails_says_nothing),
		cmocka_unit_test(a_walk_that_fails_changes_nothing),
		cmocka_unit_test(a_lower_bound_that_fails_leaves_no_mapping),
		cmocka_unit_test(a_load_that_fails_can_go_on),
		cmocka_unit_test(
			a_load_of_a_hole_that_fails_can_be_tried_again),
		cmocka_unit_test(a_store_that_fails_can_be_tried_again),
		cmocka_unit_test(a_stream_that_fails_leaves_all_alone),
	};

	return t_main(tests);
}
