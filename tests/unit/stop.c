// SPDX-License-Identifier: MIT
/* A callback that does not return 0 stops the call that it was made in. */
#include "unit.h"

struct told {
	uint64_t done, total;
	unsigned int calls, stop_at;
	int answer;
};

static int tell(void *arg, uint64_t done, uint64_t total)
{
	struct told *t = arg;

	t->done = done;
	t->total = total;
	return ++t->calls == t->stop_at ? t->answer : 0;
}

static int tell_run(void *arg, uint64_t offset, uint64_t len, int node)
{
	struct told *t = arg;

	(void)node;
	t->done = offset + len;
	return ++t->calls == t->stop_at ? t->answer : 0;
}

static void a_load_is_stopped(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct told t = { .stop_at = 2, .answer = 1 };
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .progress = tell,
				    .progress_arg = &t };
	static const unsigned char image[9000] = { 1 };
	int fd = unit_input(u, image, sizeof(image), 1000);

	t_refused(gmem_load(g, 0, fd, sizeof(image), &o, &u->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, u->err);
	assert_int_equal(u->err.done, 2000);
	assert_int_equal(unit_count(u, "read", 0), 2);
	/* and continues from there */
	t_ok(gmem_load(g, 2000, fd, sizeof(image) - 2000, &o, &u->err), u->err);
	assert_int_equal(t.done, sizeof(image) - 2000);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_store_is_stopped(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct told t = { .stop_at = 1, .answer = 1 };
	struct gmem_store_opts o = { .sz = sizeof(o),
				     .progress = tell,
				     .progress_arg = &t };
	int fd = unit_memfd(u, "", 0, 0);

	t_ok(gmem_write(g, 0, "text", 4, &u->err), u->err);
	t_ok(gmem_write(g, 512 * KiB, "text", 4, &u->err), u->err);
	t_refused(gmem_store(g, 0, fd, MiB, &o, &u->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, u->err);
	assert_int_equal(t.calls, 1);
	assert_int_equal(u->err.done, t.done);
	assert_true(t.done > 0 && t.done < MiB);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_discard_is_stopped(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, SHARED_FLAGS);
	struct told t = { .stop_at = 3, .answer = -5 };
	struct gmem_discard_opts o = { .sz = sizeof(o),
				       .progress = tell,
				       .progress_arg = &t };

	unit_allocate(u, gmem_fd(g), 0, GiB, 0);
	t_refused(gmem_discard(g, 0, GiB, &o, &u->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, u->err);
	assert_int_equal(u->err.done, 768 * MiB);
	assert_int_equal(t.calls, 3);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, GiB, -1), 256 * MiB);
}

static void a_populate_alone_is_stopped(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, SHARED_FLAGS);
	struct told t = { .stop_at = 1, .answer = 1 };
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.progress = tell,
					.progress_arg = &t };

	t_refused(gmem_populate(g, 0, GiB, &o, &u->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, u->err);
	assert_int_equal(u->err.done, 256 * MiB);
	assert_int_equal(t.calls, 1);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, GiB, -1), 256 * MiB);
}

/* Each worker ends with its step; what none is missing of is done. */
static void a_populate_by_threads_is_stopped(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, GMEM_CREATE_UNBOUND);
	struct told t = { .stop_at = 1, .answer = 1 };
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.progress = tell,
					.progress_arg = &t,
					.threads = 2 };
	uint64_t there;

	t_refused(gmem_populate(g, 0, GiB, &o, &u->err), -ECANCELED,
		  GMEM_REASON_CANCELLED, u->err);
	there = unit_allocated(u, gmem_fd(g), 0, GiB, -1);
	/* One step at least; the other worker may not have begun. */
	assert_true(there >= 128 * MiB);
	assert_true(u->err.done <= there);
	if (u->err.done)
		assert_int_equal(
			unit_allocated(u, gmem_fd(g), 0, u->err.done, -1),
			u->err.done);
}

static int verify(struct gmem *g, struct gmem_placement *out,
		  struct gmem_error *err)
{
	unsigned long node0 = 1;
	const struct gmem_mempolicy p = { .sz = sizeof(p),
					  .mode = GMEM_MPOL_BIND,
					  .nodes = &node0,
					  .max_node = 8 };

	return gmem_verify_placement(g, 0, gmem_size(g), &p, out, err);
}

static void a_look_is_stopped_by_its_progress(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 256 * MiB, SHARED_FLAGS);
	struct told t = { .stop_at = 2, .answer = 1 };
	struct gmem_placement out = { .sz = sizeof(out),
				      .verdict = 77,
				      .progress = tell,
				      .progress_arg = &t };

	unit_allocate(u, gmem_fd(g), 0, 256 * MiB, 0);
	t_refused(verify(g, &out, &u->err), -ECANCELED, GMEM_REASON_CANCELLED,
		  u->err);
	assert_int_equal(t.calls, 2);
	assert_int_equal(u->err.done, 128 * MiB);
	assert_int_equal(t.done, 128 * MiB);
	assert_int_equal(out.verdict, 77);
	assert_int_equal(unit_file_mappings(u), 0);
	/* at the very end too */
	t = (struct told){ .stop_at = 4, .answer = 1 };
	t_refused(verify(g, &out, &u->err), -ECANCELED, GMEM_REASON_CANCELLED,
		  u->err);
	assert_int_equal(u->err.done, 256 * MiB);
}

static void a_look_is_stopped_by_a_run(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 256 * MiB, SHARED_FLAGS);
	struct told t = { .stop_at = 1, .answer = 1 };
	struct gmem_placement out = { .sz = sizeof(out),
				      .verdict = 77,
				      .misplaced_run = tell_run,
				      .arg = &t };

	unit_allocate(u, gmem_fd(g), 64 * KiB, 64 * KiB, 1);
	unit_allocate(u, gmem_fd(g), 128 * MiB, 64 * KiB, 1);
	t_refused(verify(g, &out, &u->err), -ECANCELED, GMEM_REASON_CANCELLED,
		  u->err);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.done, 128 * KiB);
	assert_true(u->err.done >= 128 * KiB);
	assert_true(u->err.done < 256 * MiB);
	assert_int_equal(out.verdict, 77);
	/* the last one of all, which ends with the range */
	t = (struct told){ .stop_at = 2, .answer = 1 };
	t_refused(verify(g, &out, &u->err), -ECANCELED, GMEM_REASON_CANCELLED,
		  u->err);
	assert_int_equal(t.calls, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_load_is_stopped, unit_default),
		TEST(a_store_is_stopped, unit_default),
		TEST(a_discard_is_stopped, unit_default),
		TEST(a_populate_alone_is_stopped, unit_default),
		TEST(a_populate_by_threads_is_stopped, unit_default),
		TEST(a_look_is_stopped_by_its_progress, unit_obeyed),
		TEST(a_look_is_stopped_by_a_run, unit_obeyed),
	};

	return t_main(tests);
}
