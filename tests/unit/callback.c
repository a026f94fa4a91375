// SPDX-License-Identifier: MIT
/* A callback may look at anything and change nothing, of no VM. */
#include <unistd.h>

#include <gmem_region.h>

#include "unit.h"

/* Two VMs; a callback of the first tries all calls on the second. */
struct world {
	struct gmem_vm *vm[2];
	struct gmem *g[2];
	int line; /* of the first call that did not end as it should */
	unsigned int tried;
	bool inside;
};

#define EXPECT(call, code)                                                     \
	do {                                                                   \
		struct gmem_error err = { .sz = sizeof(err) };                 \
		int got = (call);                                              \
		bool right = got == (code) &&                                  \
			     (got == 0 || err.reason == GMEM_REASON_DEADLOCK); \
		if (!right && !w->line)                                        \
			w->line = __LINE__;                                    \
		w->tried++;                                                    \
	} while (0)

static void try_all(struct world *w, struct gmem_vm *vm, struct gmem *g)
{
	struct gmem_slot note = { .sz = sizeof(note),
				  .slot = 9,
				  .gpa = 8 * GiB,
				  .len = 1 * MiB,
				  .userspace_addr = 1 * MiB };
	static unsigned char record[4096];
	struct gmem_slot s = { .sz = sizeof(s) };
	size_t len = sizeof(record);
	struct gmem_region *r;
	uint64_t a;

	EXPECT(t_bind(g, 5, 4 * GiB, 0, 1 * MiB, NULL, &err), -EDEADLK);
	EXPECT(gmem_unbind(vm, 0, 0, 0, &err), -EDEADLK);
	EXPECT(gmem_slot_note(vm, &note, &err), -EDEADLK);
	EXPECT(gmem_slot_forget(vm, 1, 0, &err), -EDEADLK);
	/* before what else is wrong */
	EXPECT(gmem_slots_replace(vm, &note, 1, NULL, 0, 0, &err), -EDEADLK);
	note.len = 1;
	EXPECT(gmem_slot_note(vm, &note, &err), -EDEADLK);
	EXPECT(gmem_set_private(g, 0, 64 * KiB, &err), -EDEADLK);
	EXPECT(t_share(g, 0, 64 * KiB, &err), -EDEADLK);
	EXPECT(gmem_attributes_export(g, record, &len, &err), 0);
	EXPECT(gmem_attributes_import(g, record, len, GMEM_IMPORT_UNBACKED,
				      &err),
	       -EDEADLK);
	EXPECT(gmem_region_create(vm, 1 * MiB, NULL, &r, &err), -EDEADLK);
	EXPECT(gmem_munmap(g, NULL, &err), -EDEADLK);
	EXPECT(gmem_close(g, &err), -EDEADLK);
	EXPECT(gmem_vm_close(vm, &err), -EDEADLK);
	EXPECT(gmem_vm_destroy(vm, &err), -EDEADLK);
	EXPECT(gmem_slot_get(vm, 0, 0, &s, &err), 0);
	EXPECT(gmem_get_attributes(g, 0, 64 * KiB, &a, NULL, &err), 0);
}

static void in_callback(struct world *w)
{
	if (w->inside || !w->g[1])
		return;
	w->inside = true;
	try_all(w, w->vm[0], w->g[0]);
	try_all(w, w->vm[1], w->g[1]);
	w->inside = false;
}

static void trace(void *arg, const struct gmem_trace *event)
{
	(void)event;
	in_callback(arg);
}

static int progress(void *arg, uint64_t n, uint64_t total)
{
	(void)n;
	(void)total;
	in_callback(arg);
	return 0;
}

static int misplaced(void *arg, uint64_t offset, uint64_t len, int node)
{
	(void)offset;
	(void)len;
	(void)node;
	in_callback(arg);
	return 0;
}

static int resident(void *arg, uint64_t offset, uint64_t len)
{
	(void)offset;
	(void)len;
	in_callback(arg);
	return 0;
}

static void open_vm(struct world *w, int i, const char *profile,
		    gmem_trace_fn *fn)
{
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED,
				  .trace = fn,
				  .trace_arg = w };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &v, .nodes = 2 };
	struct gmem_create_opts o = { .sz = sizeof(o) };
	struct gmem_slot note = { .sz = sizeof(note),
				  .slot = 1,
				  .gpa = 16 * GiB,
				  .len = 1 * MiB,
				  .userspace_addr = 1 * MiB };
	struct gmem *g = NULL;
	struct gmem_error err;

	if (!strcmp(profile, "inplace"))
		o.flags = SHARED_FLAGS;
	t_ok(gmem_model_vm_open(profile, &m, &w->vm[i], &err), err);
	t_ok(gmem_create(w->vm[i], 1 * MiB, &o, &g, &err), err);
	t_ok(t_bind(g, 0, GiB, 0, 1 * MiB, NULL, &err), err);
	t_ok(gmem_slot_note(w->vm[i], &note, &err), err);
	w->g[i] = g;
}

static void end(struct world *w)
{
	struct gmem_error err;

	if (w->line)
		fail_msg("line %d did not end as it should", w->line);
	assert_true(w->tried >= 26);
	w->g[1] = NULL; /* no more trying */
	for (int i = 0; i < 2; i++)
		t_ok(gmem_vm_destroy(w->vm[i], &err), err);
}

static void a_trace_callback_changes_nothing_of_any_vm(void **state)
{
	static const char *const profiles[] = { "7.3", "inplace" };
	struct gmem_error err;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world w = { 0 };

		open_vm(&w, 0, profiles[i & 1], trace);
		open_vm(&w, 1, profiles[i >> 1], NULL);
		/* in a change, and in a call that is none */
		t_ok(gmem_set_private(w.g[0], 0, 64 * KiB, &err), err);
		t_ok(gmem_discard(w.g[0], 0, 64 * KiB, NULL, &err), err);
		end(&w);
	}
}

static void progress_and_runs_change_nothing_either(void **state)
{
	unsigned long node0 = 1, node1 = 2;
	struct gmem_mempolicy there = { .sz = sizeof(there),
					.mode = GMEM_MPOL_BIND,
					.nodes = &node1,
					.max_node = 8 };
	struct gmem_mempolicy here = { .sz = sizeof(here),
				       .mode = GMEM_MPOL_BIND,
				       .nodes = &node0,
				       .max_node = 8 };
	struct world w = { 0 };
	struct gmem_populate_opts p = { .sz = sizeof(p),
					.policy = &there,
					.progress = progress,
					.progress_arg = &w,
					.threads = 2 };
	struct gmem_load_opts l = { .sz = sizeof(l),
				    .progress = progress,
				    .progress_arg = &w };
	struct gmem_store_opts st = { .sz = sizeof(st),
				      .progress = progress,
				      .progress_arg = &w };
	struct gmem_placement out = { .sz = sizeof(out),
				      .misplaced_run = misplaced,
				      .arg = &w };
	struct gmem_error err = { .sz = sizeof(err) };
	unsigned int tried;
	int fd[2];

	(void)state;
	open_vm(&w, 0, "inplace", NULL);
	open_vm(&w, 1, "inplace", NULL);
	assert_int_equal(gmem_populate(w.g[0], 0, 1 * MiB, &p, &err), 0);
	tried = w.tried;
	assert_true(tried > 0);
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], "text", 4), 4);
	close(fd[1]);
	t_ok(gmem_load(w.g[0], 0, fd[0], 4, &l, &err), err);
	close(fd[0]);
	assert_true(w.tried > tried);
	tried = w.tried;
	assert_int_equal(pipe(fd), 0);
	t_ok(gmem_store(w.g[0], 0, fd[1], 4, &st, &err), err);
	close(fd[0]);
	close(fd[1]);
	assert_true(w.tried > tried);
	tried = w.tried;
	t_code(t_placed(w.g[0], 0, 1 * MiB, &here, &out, &err),
	       GMEM_PLACED_ELSEWHERE);
	assert_true(w.tried > tried);
	tried = w.tried;
	t_ok(gmem_walk_resident(w.g[0], 0, 1 * MiB, resident, &w, &err), err);
	assert_true(w.tried > tried);
	end(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trace_callback_changes_nothing_of_any_vm),
		cmocka_unit_test(progress_and_runs_change_nothing_either),
	};

	return t_main(tests);
}
