// SPDX-License-Identifier: MIT
/* A VM is adopted as what it is, not as what it is said to be. */
#include "unit.h"

#include "vm.h"

/* Which types @vm may be taken for: a bit for each enum gmem_vm_type. */
static uint32_t taken_for(struct gmem_vm *vm)
{
	struct kernel *k = gmem__vm_priv(vm, &model__sys);
	uint32_t mask = 0;

	for (uint32_t type = GMEM_VM_UNSET; type <= GMEM_VM_TDX; type++) {
		struct gmem_vm_opts o = { .sz = sizeof(o), .type = type };
		struct gmem_vm *again = NULL;
		unsigned int holds = k->holds;
		struct gmem_error err = { .sz = sizeof(err) };
		int r = gmem__vm_adopt_on(&model__sys, k, gmem_vm_fd(vm), &o,
					  &again, &err);

		if (r == 0) {
			mask |= 1U << type;
			t_ok(gmem_vm_close(again, &err), err);
			continue;
		}
		t_code(r, -EINVAL);
		t_reason(&err, GMEM_REASON_VM_TYPE_CONTRADICTED);
		assert_int_equal(err.value, type);
		assert_null(again);
		assert_int_equal(k->holds, holds);
	}
	return mask;
}

#define T(type) (1U << (type))
#define ANY T(GMEM_VM_UNSET)
#define ALL_X86 0x3f /* the types of KVM that the host has */

static uint32_t opened(const char *profile, uint32_t type, uint32_t types,
		       uint32_t machine)
{
	struct gmem_vm_opts v = { .sz = sizeof(v), .type = type };
	struct gmem_model_opts m = {
		.sz = sizeof(m), .vm = &v, .vm_types = types, .machine = machine
	};
	struct gmem_vm *vm = NULL;
	struct gmem_error err;
	uint32_t mask;

	t_ok(gmem_model_vm_open(profile, &m, &vm, &err), err);
	mask = taken_for(vm);
	t_ok(gmem_vm_destroy(vm, &err), err);
	return mask;
}

static void a_type_that_the_vm_contradicts_is_refused(void **state)
{
	static const struct {
		uint32_t type, may;
	} rows[] = {
		{ GMEM_VM_DEFAULT, T(GMEM_VM_DEFAULT) | T(GMEM_VM_SEV) },
		{ GMEM_VM_SW_PROTECTED, T(GMEM_VM_SW_PROTECTED) },
		{ GMEM_VM_SEV, T(GMEM_VM_DEFAULT) | T(GMEM_VM_SEV) },
		{ GMEM_VM_SEV_ES, T(GMEM_VM_SEV_ES) },
		{ GMEM_VM_SNP, T(GMEM_VM_SNP) | T(GMEM_VM_TDX) },
		{ GMEM_VM_TDX, T(GMEM_VM_SNP) | T(GMEM_VM_TDX) },
	};

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		assert_int_equal(
			opened("7.3", rows[i].type, ALL_X86, GMEM_MODEL_X86),
			rows[i].may | ANY);
		assert_int_equal(opened("inplace", rows[i].type, ALL_X86,
					GMEM_MODEL_X86),
				 rows[i].may | ANY);
	}
}

static void a_type_that_the_host_lacks_is_refused(void **state)
{
	(void)state;
	assert_int_equal(opened("7.3", GMEM_VM_DEFAULT, 1, GMEM_MODEL_X86),
			 ANY | T(GMEM_VM_DEFAULT));
	assert_int_equal(opened("7.3", GMEM_VM_DEFAULT, 0, GMEM_MODEL_ARM64),
			 ANY | T(GMEM_VM_DEFAULT));
}

/* A filter that lets no question through contradicts nothing. */
static void what_is_not_answered_contradicts_nothing(void **state)
{
	struct gmem_vm_opts v = { .sz = sizeof(v), .type = GMEM_VM_DEFAULT };
	struct gmem_vm *vm = NULL, *again = NULL;
	struct gmem_error err;
	uint64_t n;

	(void)state;
	t_ok(gmem_model_vm_open("7.3", NULL, &vm, &err), err);
	/* The first question is whether it is a VM. */
	for (n = 2; n < 64; n++) {
		int r;

		t_ok(gmem_model_fail(vm, "KVM_CHECK_EXTENSION", n, EPERM, &err),
		     err);
		r = gmem__vm_adopt_on(&model__sys,
				      gmem__vm_priv(vm, &model__sys),
				      gmem_vm_fd(vm), &v, &again, &err);
		t_code(r, 0);
		t_ok(gmem_vm_close(again, &err), err);
		t_ok(gmem_model_fail(vm, NULL, 0, 0, &err), err);
	}
	t_ok(gmem_vm_destroy(vm, &err), err);
}

/* A type that was not named is the default one. */
static void a_host_without_the_default_type_is_told_by_name(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;

	u->k->types = 0x2;
	t_refused(gmem__vm_open_on(&unit_sys, u, NULL, &u->vm, &err),
		  -EOPNOTSUPP, GMEM_REASON_VM_TYPE_UNSUPPORTED, err);
	assert_non_null(strstr(err.msg, "VM type default; it offers "
					"sw-protected"));
	assert_int_equal(err.sys_errno, 0);
}

/* Types that cannot be asked for are left to the kernel. */
static void where_no_mask_of_types_is_told_the_kernel_decides(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o), .type = GMEM_VM_SNP };
	struct gmem_error err;

	unit_cap(u, OBJECT_DEVICE, 235, -ENOSYS);
	t_refused(gmem__vm_open_on(&unit_sys, u, &o, &u->vm, &err), -EOPNOTSUPP,
		  GMEM_REASON_VM_TYPE_UNSUPPORTED, err);
	assert_int_equal(err.sys_errno, EINVAL);
	assert_int_equal(err.limit, 0);
	assert_null(strstr(err.msg, "offers"));
	t_ok(gmem__vm_open_on(&unit_sys, u, NULL, &u->vm, &err), err);
}

/* Before 6.8, and where a filter forbids to ask. */
static void an_adopted_vm_may_be_of_the_type_that_always_was(void **state)
{
	static const int answers[] = { 0, -ENOSYS };
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o), .type = GMEM_VM_DEFAULT };
	int fd = unit_vm_fd(u, 0);
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(answers); i++) {
		unit_cap(u, OBJECT_VM, 235, answers[i]);
		o.type = GMEM_VM_DEFAULT;
		t_ok(gmem__vm_adopt_on(&unit_sys, u, fd, &o, &u->vm, &err),
		     err);
		t_ok(gmem_vm_close(u->vm, &err), err);
		u->vm = NULL;
	}
	unit_cap(u, OBJECT_VM, 235, 0);
	o.type = GMEM_VM_SEV;
	t_refused(gmem__vm_adopt_on(&unit_sys, u, fd, &o, &u->vm, &err),
		  -EINVAL, GMEM_REASON_VM_TYPE_CONTRADICTED, err);
	assert_non_null(strstr(err.msg, "no such VMs"));
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void arm64_offers_the_default_type_alone(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o), .type = GMEM_VM_SNP };
	struct gmem_error err;

	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	t_refused(gmem__vm_open_on(&unit_sys, u, &o, &u->vm, &err), -EOPNOTSUPP,
		  GMEM_REASON_VM_TYPE_UNSUPPORTED, err);
	assert_int_equal(err.sys_errno, 0);
	assert_int_equal(err.limit, 1);
	/* the most that the kernel can be asked for, which it refuses */
	o = (struct gmem_vm_opts){ .sz = sizeof(o), .ipa_bits = 255 };
	t_refused(gmem__vm_open_on(&unit_sys, u, &o, &u->vm, &err), -EINVAL,
		  GMEM_REASON_IPA_BITS, err);
	assert_int_equal(err.sys_errno, EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_type_that_the_vm_contradicts_is_refused),
		cmocka_unit_test(a_type_that_the_host_lacks_is_refused),
		cmocka_unit_test(what_is_not_answered_contradicts_nothing),
		TEST(a_host_without_the_default_type_is_told_by_name,
		     unit_bare),
		TEST(where_no_mask_of_types_is_told_the_kernel_decides,
		     unit_bare),
		TEST(an_adopted_vm_may_be_of_the_type_that_always_was,
		     unit_bare),
		TEST(arm64_offers_the_default_type_alone, unit_arm64),
	};

	return t_main(tests);
}
