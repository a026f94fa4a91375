// SPDX-License-Identifier: MIT
/* Opening, adopting and destroying a VM, each call failing in turn. */
#include <sys/mman.h>

#include "fault.h"

#include "seam.h"
#include "vm.h"

static int open_vm(struct fault *t, struct gmem_error *err)
{
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = GMEM_VM_SW_PROTECTED };
	struct gmem_vm *sentinel = (struct gmem_vm *)t, *vm = sentinel;
	int r = gmem__vm_open_on(&unit_sys, &t->u, &o, &vm, err);

	t->touched = r < 0 && vm != sentinel;
	if (r == 0)
		t->u.vm = vm;
	return r;
}

static void close_vm(struct fault *t)
{
	struct gmem_error err;

	t_ok(gmem_vm_close(t->u.vm, &err), err);
	t->u.vm = NULL;
}

static void open_undoes_what_it_did(void **state)
{
	static const struct scenario s = { .kernels = fault_in_place,
					   .run = open_vm,
					   .undo = close_vm,
					   .caller = "gmem_vm_open" };

	(void)state;
	fault_run(&s);
}

static void vm_fd(struct fault *t)
{
	t->fd = unit_vm_fd(&t->u, 1);
}

static int adopt_vm(struct fault *t, struct gmem_error *err)
{
	struct gmem_vm *sentinel = (struct gmem_vm *)t, *vm = sentinel;
	int r = gmem__vm_adopt_on(&unit_sys, &t->u, t->fd, NULL, &vm, err);

	t->touched = r < 0 && vm != sentinel;
	if (r == 0)
		t->u.vm = vm;
	return r;
}

static void adopt_undoes_what_it_did_and_keeps_the_fd(void **state)
{
	static const struct scenario s = { .kernels = fault_in_place,
					   .prepare = vm_fd,
					   .run = adopt_vm,
					   .undo = close_vm,
					   .caller = "gmem_vm_adopt" };

	(void)state;
	fault_run(&s);
}

/* A tree with everything in it. */
static void tree(struct fault *t)
{
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP |
					       GMEM_CREATE_GUEST_ONLY };
	struct gmem_mmap_opts m = { .sz = sizeof(m),
				    .flags = GMEM_MMAP_ALLOW_PRIVATE };
	struct gmem_error err;
	struct gmem *g = NULL;
	void *p = NULL;

	fault_bound(t);
	if (!gmem_vm_has(t->u.vm, GMEM_FEATURE_MMAP))
		return;
	t_ok(gmem_create(t->u.vm, fault_size(t), &o, &g, &err), err);
	t->g = g;
	fault_bind(t, 1, 2 * GiB);
	t_ok(gmem_mmap(g, 0, t->page, &m, &p, &err), err);
	t->mapped = p;
}

/*
 * After a failure nothing is as before: the tree is gone then too.  But what
 * KVM still uses stays mapped, and is the test's to unmap: what is behind the
 * slots first, which may include what the caller had mapped.
 */
static int destroy_vm(struct fault *t, struct gmem_error *err)
{
	uint64_t size = t->g ? gmem_size(t->g) : 0;
	struct gmem_slot s = { .sz = sizeof(s) };
	void *behind[3] = { NULL, NULL, t->mapped };
	unsigned char there;
	int r;

	for (uint32_t i = 0; i < 2; i++)
		if (gmem_slot_get(t->u.vm, i, 0, &s, NULL) == 0)
			behind[i] = (void *)(uintptr_t)s.userspace_addr;
	r = gmem_vm_destroy(t->u.vm, err);
	for (uint32_t i = 0; i < 3; i++)
		if (r < 0 && err->reason == GMEM_REASON_SLOT_STUCK &&
		    behind[i] && mincore(behind[i], t->page, &there) == 0)
			(void)unit_sys.munmap(&t->u, behind[i],
					      i < 2 ? size : t->page);
	t->u.vm = NULL;
	t->g = NULL;
	return r;
}

static void destroy_leaves_nothing_whatever_fails(void **state)
{
	static const struct scenario s = { .kernels = fault_by_gpa,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = tree,
					   .run = destroy_vm,
					   .flags = FAULT_GONE,
					   .caller = "gmem_vm_destroy" };

	(void)state;
	fault_run(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_undoes_what_it_did),
		cmocka_unit_test(adopt_undoes_what_it_did_and_keeps_the_fd),
		cmocka_unit_test(destroy_leaves_nothing_whatever_fails),
	};

	return t_main(tests);
}
