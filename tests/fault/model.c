// SPDX-License-Identifier: MIT
/* The model's own calls, each call and allocation failing in turn. */
#include <gmem_model.h>

#include "fault.h"

static void run(const struct fault_kernel *const *kernels,
		void (*prepare)(struct fault *t),
		int (*fn)(struct fault *t, struct gmem_error *err),
		void (*undo)(struct fault *t), uint32_t flags,
		const char *caller)
{
	struct scenario s = { .kernels = kernels,
			      .type = GMEM_VM_SW_PROTECTED,
			      .prepare = prepare,
			      .run = fn,
			      .undo = undo,
			      .flags = flags,
			      .caller = caller };

	fault_run(&s);
}

/* In a kernel of its own, which goes with a failure left; then beside. */
static int open_vm(struct fault *t, struct gmem_error *err)
{
	struct gmem_model_opts o = { .sz = sizeof(o), .beside = t->keeper };
	struct gmem_vm *sentinel = (struct gmem_vm *)t, *vm = sentinel;
	int r = gmem_model_vm_open(t->k->profile, NULL, &vm, err);

	if (r == 0) {
		(void)gmem_model_fail(vm, "none", 1, EIO, NULL);
		assert_int_equal(gmem_vm_destroy(vm, NULL), 0);
		vm = sentinel;
		r = gmem_model_vm_open(t->k->profile, &o, &vm, err);
	}
	t->touched = r < 0 && vm != sentinel;
	if (r == 0)
		assert_int_equal(gmem_vm_destroy(vm, NULL), 0);
	return r;
}

static void a_kernel_that_can_not_be_made_is_not_there(void **state)
{
	(void)state;
	run(fault_model, NULL, open_vm, NULL, 0, "gmem_model_vm_open");
}

/* Three runs of pages that are pinned differently. */
static void pinned(struct fault *t)
{
	struct gmem_error err;

	fault_shared(t);
	t_ok(gmem_model_pin(t->u.vm, gmem_fd(t->g), 4 * t->page, 4 * t->page,
			    &err),
	     err);
}

/* These allocate, and have no other reason to fail. */
static int told(int r, const struct gmem_error *err)
{
	t_reason(err, r < 0 ? GMEM_REASON_NO_MEMORY : GMEM_REASON_NONE);
	return r;
}

static int pin(struct fault *t, struct gmem_error *err)
{
	return told(gmem_model_pin(t->u.vm, gmem_fd(t->g), 2 * t->page,
				   8 * t->page, err),
		    err);
}

static int unpin(struct fault *t, struct gmem_error *err)
{
	return gmem_model_unpin(t->u.vm, gmem_fd(t->g), 2 * t->page,
				8 * t->page, err);
}

static void must_unpin(struct fault *t)
{
	struct gmem_error err;

	t_ok(unpin(t, &err), err);
}

static void pinned_more(struct fault *t)
{
	struct gmem_error err;

	pinned(t);
	t_ok(pin(t, &err), err);
}

static void pins_are_made_and_given_back_whole(void **state)
{
	(void)state;
	run(fault_model, pinned, pin, must_unpin, 0, "gmem_model_pin");
	run(fault_model, pinned_more, unpin, NULL, 0, "gmem_model_unpin");
}

static int poison(struct fault *t, struct gmem_error *err)
{
	return told(gmem_model_poison(t->u.vm, gmem_fd(t->g), 2 * t->page,
				      8 * t->page, err),
		    err);
}

static void a_memory_error_that_can_not_be_noted_is_told(void **state)
{
	(void)state;
	run(fault_model, fault_shared, poison, NULL, FAULT_PARTLY,
	    "gmem_model_poison");
}

/* A huge page that the host wrote to, which the kernel has not looked at. */
static void touched(struct fault *t)
{
	struct gmem_error err;

	fault_shared(t);
	t_ok(gmem_write(t->g, 0, t->buf, 1, &err), err);
}

static int ask_node(struct fault *t, struct gmem_error *err)
{
	uint64_t pages = 4711;
	int r = told(
		gmem_model_get_node_pool(t->u.vm, t->k->huge, 0, &pages, err),
		err);

	assert_int_equal(pages, r < 0 ? 4711 : 63);
	return r;
}

static void a_page_that_can_not_be_placed_is_told(void **state)
{
	(void)state;
	unit_need_encodings();
	run(fault_in_place + 1, touched, ask_node, NULL, FAULT_PARTLY,
	    "gmem_model_get_node_pool");
}

/* Stored over two pages, of which none is there yet. */
static int store(struct fault *t, struct gmem_error *err)
{
	return gmem_model_access(t->u.vm, t->gpa + t->page - 2, t->buf, 4,
				 GMEM_MODEL_WRITE, NULL, 0, err);
}

static void a_guest_access_that_fails_can_be_made_again(void **state)
{
	(void)state;
	run(fault_model, fault_bound, store, NULL, FAULT_PARTLY,
	    "gmem_model_access");
}

static int add_failure(struct fault *t, struct gmem_error *err)
{
	return told(gmem_model_fail(t->u.vm, "openat", 1, EIO, err), err);
}

static void need_no_failure(struct fault *t)
{
	struct gmem_error err;

	t_ok(gmem_model_fail(t->u.vm, NULL, 0, 0, &err), err);
}

static void a_failure_that_can_not_be_noted_is_told(void **state)
{
	(void)state;
	run(fault_model, NULL, add_failure, need_no_failure, 0,
	    "gmem_model_fail");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_that_can_not_be_made_is_not_there),
		cmocka_unit_test(pins_are_made_and_given_back_whole),
		cmocka_unit_test(a_memory_error_that_can_not_be_noted_is_told),
		cmocka_unit_test(a_page_that_can_not_be_placed_is_told),
		cmocka_unit_test(a_guest_access_that_fails_can_be_made_again),
		cmocka_unit_test(a_failure_that_can_not_be_noted_is_told),
	};

	return t_main(tests);
}
