// SPDX-License-Identifier: MIT
/* What could not be found out of a VM is not taken for "no". */
#include <errno.h>

#include "unit.h"

#include "seam.h"
#include "vm.h"

#define AT 0x70000000ULL

static int adopt(struct gmem_vm *vm, struct gmem_vm **again,
		 struct gmem_error *err)
{
	struct gmem_vm_opts o = { .sz = sizeof(o) };

	*err = (struct gmem_error){ .sz = sizeof(*err) };
	*again = NULL;
	return gmem__vm_adopt_on(&model__sys, gmem__vm_priv(vm, &model__sys),
				 gmem_vm_fd(vm), &o, again, err);
}

static void a_vm_is_not_adopted_while_something_is_short(void **state)
{
	static const int shortages[] = { EMFILE, ENFILE, ENOMEM };
	struct unit *m = *state;
	unsigned int holds = m->k->holds;
	struct gmem_vm *again;
	struct gmem_error err;

	for (size_t i = 0; i < sizeof(shortages) / sizeof(int); i++) {
		t_ok(gmem_model_fail(m->vm, "KVM_CREATE_GUEST_MEMFD", 1,
				     shortages[i], &err),
		     err);
		t_code(adopt(m->vm, &again, &err), -shortages[i]);
		t_reason(&err, shortages[i] == ENOMEM ? GMEM_REASON_NO_MEMORY
						      : GMEM_REASON_FD_LIMIT);
		assert_int_equal(err.sys_errno, shortages[i]);
		assert_null(again);
		assert_int_equal(m->k->holds, holds);
	}
	t_ok(gmem_model_fail(m->vm, NULL, 0, 0, &err), err);
	t_ok(adopt(m->vm, &again, &err), err);
	t_ok(gmem_vm_close(again, &err), err);
}

/* A bind in fd mode, of whatever kind, by a VM that was probed in vain. */
static void refused(struct gmem_vm *vm, int sys)
{
	static const uint64_t flags[] = {
		0,
		GMEM_SLOT_FD,
		GMEM_SLOT_LEAVE_SHARED,
		GMEM_SLOT_USERSPACE_ADDR,
	};
	struct gmem_create_opts c = { .sz = sizeof(c) };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem *g = NULL;

	t_ok(gmem_create(vm, 1 * MiB, &c, &g, &err), err);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		bool addr = flags[i] == GMEM_SLOT_USERSPACE_ADDR;
		struct gmem_slot b = {
			.sz = sizeof(b),
			.flags = flags[i],
			.userspace_addr = addr ? AT : 0,
		};
		int r = t_bind(g, 0, GiB, 0, 1 * MiB, &b, &err);

		t_code(r, -sys);
		t_reason(&err, GMEM_REASON_KERNEL);
		assert_int_equal(err.sys_errno, sys);
	}
	t_ok(gmem_close(g, &err), err);
}

static void what_is_unknown_is_not_bound(void **state)
{
	struct unit *m = *state;
	struct gmem_vm *again;
	struct gmem_error err;
	unsigned int unknown = 0;

	t_ok(gmem_model_fail(m->vm, "KVM_CREATE_GUEST_MEMFD", 1, EPERM, &err),
	     err);
	t_ok(adopt(m->vm, &again, &err), err);
	t_ok(gmem_model_fail(m->vm, NULL, 0, 0, &err), err);
	t_code(t_support(again, GMEM_FEATURE_FILE_ATTRIBUTES), GMEM_UNKNOWN);
	refused(again, EPERM);
	t_ok(gmem_vm_close(again, &err), err);
	/* Each capability in turn: one of them is the VM's attributes. */
	for (uint64_t n = 2; n < 40; n++) {
		t_ok(gmem_model_fail(m->vm, "KVM_CHECK_EXTENSION", n, EPERM,
				     &err),
		     err);
		t_ok(adopt(m->vm, &again, &err), err);
		t_ok(gmem_model_fail(m->vm, NULL, 0, 0, &err), err);
		if (t_support(again, GMEM_FEATURE_VM_ATTRIBUTES) ==
		    GMEM_UNKNOWN) {
			unknown++;
			refused(again, EPERM);
		}
		t_ok(gmem_vm_close(again, &err), err);
	}
	assert_int_equal(unknown, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_vm_is_not_adopted_while_something_is_short,
		     unit_inplace),
		TEST(what_is_unknown_is_not_bound, unit_inplace),
		TEST(what_is_unknown_is_not_bound, unit_sw),
	};

	return t_main(tests);
}
