// SPDX-License-Identifier: MIT
/* Opening, adopting and destroying a VM, each call failing in turn. */
#include "fault.h"

static int open_vm(struct fault *t, struct gmem_error *err)
{
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = GMEM_VM_SW_PROTECTED };
	struct gmem_vm *sentinel = (struct gmem_vm *)t, *vm = sentinel;
	int r = gmem__vm_open_on(&fake_sys, &t->u.f, &o, &vm, err);

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
	static const struct scenario s = { .profile = fake_init_inplace,
					   .run = open_vm,
					   .undo = close_vm,
					   .caller = "gmem_vm_open" };

	(void)state;
	fault_run(&s);
}

static void vm_fd(struct fault *t)
{
	t->fd = fake_fd(&t->u.f, FAKE_FD_VM, 0, 0);
	fake_file(&t->u.f, t->fd)->vm_type = 1;
}

static int adopt_vm(struct fault *t, struct gmem_error *err)
{
	struct gmem_vm *sentinel = (struct gmem_vm *)t, *vm = sentinel;
	int r = gmem__vm_adopt_on(&fake_sys, &t->u.f, t->fd, NULL, &vm, err);

	t->touched = r < 0 && vm != sentinel;
	if (r == 0)
		t->u.vm = vm;
	return r;
}

static void adopt_undoes_what_it_did_and_keeps_the_fd(void **state)
{
	static const struct scenario s = { .profile = fake_init_inplace,
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
	struct gmem_error err;
	void *p = NULL;

	fault_bound(t);
	t->g = unit_create(&t->u, 64 * KiB,
			   GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	unit_bind(&t->u, t->g, 1, 2 * GiB);
	t_ok(gmem_mmap(t->g, 0, 4096,
		       &(struct gmem_mmap_opts){
			       .sz = sizeof(struct gmem_mmap_opts),
			       .flags = GMEM_MMAP_ALLOW_PRIVATE },
		       &p, &err),
	     err);
}

static int destroy_vm(struct fault *t, struct gmem_error *err)
{
	int r = gmem_vm_destroy(t->u.vm, err);

	t->u.vm = NULL;
	t->g = NULL;
	assert_true(fake_balanced(&t->u.f));
	return r;
}

/* After a failure nothing is as before: the tree is gone then too. */
static void destroy_leaves_nothing_whatever_fails(void **state)
{
	static const int codes[] = { EINVAL, ENOMEM, EIO, EPERM, EBADF };
	(void)state;

	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++)
		for (unsigned int k = 1, n = 1; k <= n; k++) {
			struct fault *t = calloc(1, sizeof(*t));
			struct gmem_error err = { .sz = sizeof(err) };
			int r;

			assert_non_null(t);
			fault_sw(&t->u.f);
			t->u.vm = fake_vm(&t->u.f, GMEM_VM_SW_PROTECTED);
			tree(t);
			fake_reset(&t->u.f);
			fake_fail(&t->u.f, FAKE_ANY, 0, k, 1, -codes[i]);
			r = destroy_vm(t, &err);
			n = fake_count(&t->u.f, FAKE_ANY, 0);
			unit_listed(&t->u.f, "gmem_vm_destroy");
			assert_int_equal(err.code, r);
			if (r < 0)
				assert_int_equal(err.sys_errno, codes[i]);
			assert_true(n >= 5); /* 2 slots, 2 files, the VM */
			fake_fini(&t->u.f);
			free(t);
		}
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
