// SPDX-License-Identifier: MIT
/* Binding, noting and unbinding, each call failing in turn. */
#include "fault.h"

static int bind_it(struct fault *t, struct gmem_error *err)
{
	return gmem_bind(t->g, 0, t->gpa, 0, gmem_size(t->g), NULL, err);
}

static int unbind_it(struct fault *t, struct gmem_error *err)
{
	return gmem_unbind(t->g, 0, NULL, err);
}

static void must_unbind(struct fault *t)
{
	struct gmem_error err;

	t_ok(unbind_it(t, &err), err);
}

static void a_private_bind_undoes_what_it_did(void **state)
{
	static const struct scenario s = { .profile = fault_sw,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = fault_private,
					   .run = bind_it,
					   .undo = must_unbind,
					   .caller = "gmem_bind" };

	(void)state;
	fault_run(&s);
}

static void a_shared_bind_undoes_what_it_did(void **state)
{
	static const struct scenario s = { .profile = fake_init,
					   .type = GMEM_VM_DEFAULT,
					   .prepare = fault_shared,
					   .run = bind_it,
					   .undo = must_unbind,
					   .caller = "gmem_bind",
					   .views = 1 };

	(void)state;
	fault_run(&s);
}

static int bind_hva(struct fault *t, struct gmem_error *err)
{
	struct gmem_bind_opts o = { .sz = sizeof(o), .flags = GMEM_BIND_HVA };

	return gmem_bind(t->g, 0, t->gpa, 0, gmem_size(t->g), &o, err);
}

static void an_hva_bind_undoes_what_it_did(void **state)
{
	static const struct scenario s = { .profile = fake_init,
					   .type = GMEM_VM_DEFAULT,
					   .prepare = fault_shared,
					   .run = bind_hva,
					   .undo = must_unbind,
					   .caller = "gmem_bind",
					   .views = 1 };

	(void)state;
	fault_run(&s);
}

/* A slot was here whose attributes are still to be reset. */
static void pending(struct fault *t)
{
	struct gmem_error err;

	fault_bound(t);
	fake_fail(&t->u.f, FAKE_IOCTL, 0x4020aed2, 1, 1, -ENOMEM);
	t_refused(unbind_it(t, &err), -EIO, GMEM_REASON_RESET_PENDING, err);
}

/* The pending reset's memory goes with its success, before the failure. */
static int bind_pending(struct fault *t, struct gmem_error *err)
{
	int r = bind_it(t, err);

	if (r < 0 && !fake_gpa_private(&t->u.f, t->gpa))
		assert_true(t->u.f.live_allocs <= 3);
	return r;
}

static void a_bind_over_a_pending_reset_loses_nothing(void **state)
{
	(void)state;
	for (int code = 1; code < 40; code++)
		for (unsigned int k = 1, n = 1; k <= n; k++) {
			struct fault *t = calloc(1, sizeof(*t));
			struct gmem_error err = { .sz = sizeof(err) };

			assert_non_null(t);
			fault_sw(&t->u.f);
			t->u.vm = fake_vm(&t->u.f, GMEM_VM_SW_PROTECTED);
			pending(t);
			fake_reset(&t->u.f);
			fake_fail(&t->u.f, FAKE_ANY, 0, k, 1, -code);
			(void)!bind_pending(t, &err);
			n = fake_count(&t->u.f, FAKE_ANY, 0);
			if (err.code) {
				assert_int_equal(err.sys_errno, code);
				assert_null(fake_slot(&t->u.f, 0));
				fake_reset(&t->u.f);
				t_ok(bind_it(t, &err), err);
			}
			assert_true(fake_gpa_private(&t->u.f, t->gpa));
			t_ok(unbind_it(t, &err), err);
			assert_false(fake_gpa_private(&t->u.f, t->gpa));
			t_ok(gmem_vm_destroy(t->u.vm, &err), err);
			assert_true(fake_balanced(&t->u.f));
			fake_fini(&t->u.f);
			free(t);
		}
}

/* Bound or unbound, the next bind works and finds nothing old. */
static int bind_again(struct fault *t, struct gmem_error *err)
{
	if (fake_slot(&t->u.f, 0)) {
		int r = unbind_it(t, err);

		if (r < 0)
			return r;
	}
	return bind_it(t, err);
}

static void an_unbind_that_fails_can_be_finished(void **state)
{
	static const struct scenario s = { .profile = fault_sw,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = fault_bound,
					   .run = unbind_it,
					   .again = bind_again,
					   .caller = "gmem_unbind" };

	(void)state;
	fault_run(&s);
}

static void note_fd(struct fault *t)
{
	t->fd = fake_fd(&t->u.f, FAKE_FD_GMEM, 64 * KiB, 3);
}

static int note(struct fault *t, struct gmem_error *err)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 9,
			       .gpa = 4 * GiB,
			       .len = 64 * KiB,
			       .flags = GMEM_SLOT_FD,
			       .fd = t->fd };

	return gmem_slot_note(t->u.vm, &s, err);
}

static void a_note_that_fails_is_not_there(void **state)
{
	static const struct scenario s = { .profile = fake_init,
					   .type = GMEM_VM_DEFAULT,
					   .prepare = note_fd,
					   .run = note,
					   .caller = "gmem_slot_note" };

	(void)state;
	fault_run(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_private_bind_undoes_what_it_did),
		cmocka_unit_test(a_shared_bind_undoes_what_it_did),
		cmocka_unit_test(an_hva_bind_undoes_what_it_did),
		cmocka_unit_test(a_bind_over_a_pending_reset_loses_nothing),
		cmocka_unit_test(an_unbind_that_fails_can_be_finished),
		cmocka_unit_test(a_note_that_fails_is_not_there),
	};

	return t_main(tests);
}
