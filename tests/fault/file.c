// SPDX-License-Identifier: MIT
/* Making, adopting and closing a file, each call failing in turn. */
#include "fault.h"

#include "adopt.h"

static int create(struct fault *t, struct gmem_error *err)
{
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .hugetlb_size = t->k->huge };
	struct gmem *sentinel = (struct gmem *)t, *g = sentinel;
	int r = gmem_create(t->u.vm, fault_size(t), &o, &g, err);

	t->touched = r < 0 && g != sentinel;
	if (r == 0)
		t->g = g;
	return r;
}

static void close_it(struct fault *t)
{
	struct gmem_error err;

	t_ok(gmem_close(t->g, &err), err);
	t->g = NULL;
}

static void create_on(const struct fault_kernel *const *kernels)
{
	struct scenario s = { .kernels = kernels,
			      .type = GMEM_VM_SW_PROTECTED,
			      .run = create,
			      .undo = close_it,
			      .caller = "gmem_create" };

	fault_run(&s);
}

static void create_undoes_what_it_did(void **state)
{
	(void)state;
	create_on(fault_by_gpa);
}

static void in_place_create_undoes_what_it_did(void **state)
{
	(void)state;
	create_on(fault_in_place);
}

static void file_fd(struct fault *t)
{
	t->fd = unit_file_fd(&t->u, gmem_vm_fd(t->u.vm), fault_size(t), 0);
}

static void file_fd_alone(struct fault *t)
{
	int vm = unit_vm_fd(&t->u, 1);

	t->fd = unit_file_fd(&t->u, vm, fault_size(t), 0);
	assert_int_equal(unit_sys.close(&t->u, vm), 0);
}

/* On failure the descriptor stays the caller's, which closes it. */
static int adopt(struct fault *t, struct gmem_error *err)
{
	struct gmem *sentinel = (struct gmem *)t, *g = sentinel;
	int r = gmem__adopt_on(&unit_sys, &t->u, t->u.vm, t->fd, NULL, &g, err);

	t->touched = r < 0 && g != sentinel;
	if (r < 0)
		return r;
	t->g = g;
	t->fd = -1;
	return 0;
}

static void adopt_leaves_the_fd_to_the_caller(void **state)
{
	static const struct scenario s = { .kernels = fault_by_gpa,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = file_fd,
					   .run = adopt,
					   .caller = "gmem_adopt" };

	(void)state;
	fault_run(&s);
}

static void adopt_without_a_vm_leaves_the_fd_to_the_caller(void **state)
{
	static const struct scenario s = { .kernels = fault_by_gpa,
					   .prepare = file_fd_alone,
					   .run = adopt,
					   .caller = "gmem_adopt" };

	(void)state;
	fault_run(&s);
}

static int close_file(struct fault *t, struct gmem_error *err)
{
	int r = gmem_close(t->g, err);

	t->g = NULL;
	return r;
}

static void a_failed_close_closes(void **state)
{
	static const struct scenario s = { .kernels = fault_by_gpa,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = fault_private,
					   .run = close_file,
					   .flags = FAULT_GONE,
					   .caller = "gmem_close" };

	(void)state;
	fault_run(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_undoes_what_it_did),
		cmocka_unit_test(in_place_create_undoes_what_it_did),
		cmocka_unit_test(adopt_leaves_the_fd_to_the_caller),
		cmocka_unit_test(
			adopt_without_a_vm_leaves_the_fd_to_the_caller),
		cmocka_unit_test(a_failed_close_closes),
	};

	return t_main(tests);
}
