// SPDX-License-Identifier: MIT
/*
 * What the library takes it gives back: memory, addresses and descriptors, at
 * the end of what took them and not later.
 */
#include <unistd.h>

#include "unit.h"
#include "adopt.h"
#include "uapi.h"
#include "vm.h"

/* What is taken and was not given back. */
struct held {
	uint64_t blocks, descriptors, mapped;
};

static struct held held(const struct unit *m)
{
	struct held h = { .blocks = m->live_allocs, .descriptors = unit_fds() };

	for (size_t i = 0; i < UNIT_MAPS; i++)
		h.mapped += m->maps[i].addr ? m->maps[i].len : 0;
	return h;
}

static void holds(const struct unit *m, const struct held *want)
{
	const struct held is = held(m);

	assert_int_equal(is.blocks, want->blocks);
	assert_int_equal(is.descriptors, want->descriptors);
	assert_int_equal(is.mapped, want->mapped);
}

/* These only look, or leave what they do to the kernel. */
static void uses(struct unit *m, struct gmem *g)
{
	struct gmem_placement where = { .sz = sizeof(where) };
	struct gmem_residency there = { .sz = sizeof(there) };
	unsigned long node = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &node);
	struct gmem_populate_opts o = { .sz = sizeof(o), .threads = 3 };
	struct gmem_error err = { .sz = sizeof(err) };
	struct held before = held(m);
	char bytes[64] = { 0 };
	int in[2];

	t_ok(gmem_set_mempolicy(g, 0, 1 * MiB, &p, 0, &err), err);
	holds(m, &before);
	t_ok(gmem_populate(g, 0, 1 * MiB, &o, &err), err);
	holds(m, &before);
	t_ok(t_get_mempolicy(g, 0, &p, &err), err);
	holds(m, &before);
	t_ok(t_placed(g, 0, 1 * MiB, &p, &where, &err), err);
	holds(m, &before);
	t_ok(gmem_resident(g, 0, 1 * MiB, &there, &err), err);
	holds(m, &before);
	t_ok(gmem_write(g, 4096, bytes, sizeof(bytes), &err), err);
	t_ok(gmem_read(g, 4096, bytes, sizeof(bytes), &err), err);
	holds(m, &before);
	assert_int_equal(pipe(in), 0);
	assert_int_equal(write(in[1], bytes, sizeof(bytes)), sizeof(bytes));
	t_ok(gmem_load(g, 0, in[0], sizeof(bytes), NULL, &err), err);
	assert_int_equal(close(in[0]) + close(in[1]), 0);
	holds(m, &before);
	t_ok(gmem_discard(g, 0, 1 * MiB, NULL, &err), err);
	holds(m, &before);
}

static void slots_and_mappings(struct unit *m, struct gmem_vm *vm,
			       struct gmem *g)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 3,
			       .gpa = 8 * GiB,
			       .len = 64 * KiB,
			       .userspace_addr = 8 * GiB };
	struct gmem_error err;
	struct held before;
	void *addr = NULL;

	t_ok(t_bind(g, 0, GiB, 0, 1 * MiB, NULL, &err), err);
	t_ok(gmem_unbind(vm, 0, 0, 0, &err), err);
	before = held(m); /* the view of the file stays for the next bind */
	t_ok(t_bind(g, 0, GiB, 0, 1 * MiB, NULL, &err), err);
	t_refused(t_bind(g, 0, GiB, 0, 1 * MiB, NULL, &err), -EEXIST,
		  GMEM_REASON_SLOT_IN_USE, err);
	assert_int_equal(held(m).blocks, before.blocks + 1);
	t_ok(gmem_unbind(vm, 0, 0, 0, &err), err);
	holds(m, &before);
	t_ok(gmem_slot_note(vm, &s, &err), err);
	t_ok(gmem_slot_forget(vm, 3, 0, &err), err);
	holds(m, &before);
	t_ok(gmem_mmap(g, 0, 64 * KiB, NULL, &addr, &err), err);
	assert_int_equal(held(m).mapped, before.mapped); /* the view serves */
	t_ok(gmem_munmap(g, addr, &err), err);
	holds(m, &before);
}

static void a_life_leaves_nothing(void **state)
{
	struct unit *m = *state;
	struct gmem_vm_opts v = { .sz = sizeof(v) };
	const struct held none = held(m);
	struct gmem_vm *vm = NULL;
	struct gmem_error err;
	struct held open;
	struct gmem *g;

	t_ok(gmem__vm_adopt_on(&unit_sys, m, gmem_vm_fd(m->vm), &v, &vm, &err),
	     err);
	open = held(m);
	assert_int_equal(open.descriptors, none.descriptors);
	g = unit_file(vm, SHARED_FLAGS);
	uses(m, g);
	slots_and_mappings(m, vm, g);
	t_ok(gmem_close(g, &err), err);
	holds(m, &open);
	g = unit_file(vm, GMEM_CREATE_UNBOUND);
	t_ok(gmem_close(g, &err), err);
	holds(m, &open);
	t_ok(gmem_vm_close(vm, &err), err);
	holds(m, &none);
}

/* Alone it has a way to the kernel of its own, which ends with it. */
static void a_file_without_a_vm_leaves_nothing(void **state)
{
	struct gmem_adopt_opts a = { .sz = sizeof(a),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	struct unit *m = *state;
	struct gmem *of = unit_create(m, 1 * MiB, SHARED_FLAGS), *g = NULL;
	struct gmem_error err;
	struct held none;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	none = held(m);
	t_ok(gmem__adopt_on(&unit_sys, m, NULL, dup(gmem_fd(of)), &a, &g, &err),
	     err);
	t_ok(gmem_close(g, &err), err);
	holds(m, &none);
	/* what is none is refused, and stays the caller's */
	t_refused(gmem__adopt_on(&unit_sys, m, NULL, fds[0], &a, &g, &err),
		  -EINVAL, GMEM_REASON_NOT_GUEST_MEMFD, err);
	holds(m, &none);
	assert_int_equal(close(fds[0]) + close(fds[1]), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_life_leaves_nothing, unit_default73),
		TEST(a_life_leaves_nothing, unit_inplace),
		TEST(a_file_without_a_vm_leaves_nothing, unit_default73),
	};

	return t_main(tests);
}
