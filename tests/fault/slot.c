// SPDX-License-Identifier: MIT
/* Binding, noting and unbinding, each call failing in turn. */
#include "fault.h"

static int bind_it(struct fault *t, struct gmem_error *err)
{
	return t_bind(t->g, 0, t->gpa, 0, gmem_size(t->g), NULL, err);
}

static int unbind_it(struct fault *t, struct gmem_error *err)
{
	return gmem_unbind(t->u.vm, 0, 0, 0, err);
}

static void must_unbind(struct fault *t)
{
	struct gmem_error err;

	t_ok(unbind_it(t, &err), err);
}

static void bind_on(const struct fault_kernel *const *kernels, uint32_t type,
		    void (*prepare)(struct fault *t), unsigned int views,
		    int (*run)(struct fault *t, struct gmem_error *err))
{
	struct scenario s = { .kernels = kernels,
			      .type = type,
			      .prepare = prepare,
			      .run = run,
			      .undo = must_unbind,
			      .views = views,
			      .caller = "gmem_bind" };

	fault_run(&s);
}

static void a_private_bind_undoes_what_it_did(void **state)
{
	(void)state;
	bind_on(fault_by_gpa, GMEM_VM_SW_PROTECTED, fault_private, 0, bind_it);
}

static void a_shared_bind_undoes_what_it_did(void **state)
{
	(void)state;
	bind_on(fault_default, GMEM_VM_DEFAULT, fault_shared, 1, bind_it);
}

static void a_bind_of_an_in_place_file_undoes_what_it_did(void **state)
{
	(void)state;
	bind_on(fault_in_place, GMEM_VM_SW_PROTECTED, fault_shared, 1, bind_it);
}

static int bind_hva(struct fault *t, struct gmem_error *err)
{
	struct gmem_slot o = { .sz = sizeof(o), .flags = GMEM_SLOT_HVA };

	return t_bind(t->g, 0, t->gpa, 0, gmem_size(t->g), &o, err);
}

static void an_hva_bind_undoes_what_it_did(void **state)
{
	(void)state;
	bind_on(fault_default, GMEM_VM_DEFAULT, fault_shared, 1, bind_hva);
}

/* A slot was here whose attributes are still to be reset. */
static void pending(struct fault *t)
{
	struct gmem_error err;

	fault_bound(t);
	kernel_fail_attributes(t, ENOMEM);
	t_refused(unbind_it(t, &err), -EIO, GMEM_REASON_RESET_PENDING, err);
}

static int bind_pending(struct fault *t, struct gmem_error *err)
{
	int r = bind_it(t, err);

	if (r >= 0)
		assert_true(unit_private(&t->u, t->g, t->gpa, 0));
	return r;
}

static void unbind_all(struct fault *t)
{
	must_unbind(t);
	assert_false(unit_private(&t->u, t->g, t->gpa, 0));
}

static void a_bind_over_a_pending_reset_loses_nothing(void **state)
{
	static const struct scenario s = { .kernels = fault_by_gpa,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = pending,
					   .run = bind_pending,
					   .undo = unbind_all,
					   .flags = FAULT_FREES,
					   .caller = "gmem_bind" };

	(void)state;
	fault_run(&s);
}

/* Bound or unbound, the next bind works and finds nothing old. */
static int bind_again(struct fault *t, struct gmem_error *err)
{
	if (unit_slot(&t->u, 0)) {
		int r = unbind_it(t, err);

		if (r < 0)
			return r;
	}
	return bind_it(t, err);
}

static void unbind_on(const struct fault_kernel *const *kernels)
{
	struct scenario s = { .kernels = kernels,
			      .type = GMEM_VM_SW_PROTECTED,
			      .prepare = fault_bound,
			      .run = unbind_it,
			      .again = bind_again,
			      .flags = FAULT_PARTLY | FAULT_FREES,
			      .caller = "gmem_unbind" };

	fault_run(&s);
}

static void an_unbind_that_fails_can_be_finished(void **state)
{
	(void)state;
	unbind_on(fault_by_gpa);
	unbind_on(fault_in_place);
}

static void note_fd(struct fault *t)
{
	t->fd = unit_file_fd(&t->u, gmem_vm_fd(t->u.vm), fault_size(t), 3);
}

static int note(struct fault *t, struct gmem_error *err)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 9,
			       .gpa = 4 * GiB,
			       .len = fault_size(t),
			       .userspace_addr = 1 * MiB,
			       .flags = GMEM_SLOT_FD,
			       .fd = t->fd };

	return gmem_slot_note(t->u.vm, &s, err);
}

static void a_note_that_fails_is_not_there(void **state)
{
	static const struct scenario s = { .kernels = fault_default,
					   .type = GMEM_VM_DEFAULT,
					   .prepare = note_fd,
					   .run = note,
					   .caller = "gmem_slot_note" };

	(void)state;
	fault_run(&s);
}

static void keep(struct fault *t)
{
	struct gmem_error err;

	t_ok(gmem_unbind(t->u.vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &err),
	     err);
}

static void kept(struct fault *t)
{
	fault_bound(t);
	keep(t);
}

static int bind_kept(struct fault *t, struct gmem_error *err)
{
	struct gmem_slot o = { .sz = sizeof(o), .flags = GMEM_SLOT_TAKE_KEPT };

	return t_bind(t->g, 0, t->gpa, 0, gmem_size(t->g), &o, err);
}

static void a_bind_that_fails_leaves_what_is_kept(void **state)
{
	struct scenario s = { .kernels = fault_by_gpa,
			      .type = GMEM_VM_SW_PROTECTED,
			      .prepare = kept,
			      .undo = keep,
			      .caller = "gmem_bind" };

	(void)state;
	s.run = bind_kept;
	fault_run(&s);
	s.run = bind_it;
	fault_run(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_private_bind_undoes_what_it_did),
		cmocka_unit_test(a_shared_bind_undoes_what_it_did),
		cmocka_unit_test(a_bind_of_an_in_place_file_undoes_what_it_did),
		cmocka_unit_test(an_hva_bind_undoes_what_it_did),
		cmocka_unit_test(a_bind_over_a_pending_reset_loses_nothing),
		cmocka_unit_test(an_unbind_that_fails_can_be_finished),
		cmocka_unit_test(a_note_that_fails_is_not_there),
		cmocka_unit_test(a_bind_that_fails_leaves_what_is_kept),
	};

	return t_main(tests);
}
