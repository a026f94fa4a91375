// SPDX-License-Identifier: MIT
/* Why a bind is refused where two rules meet: at the edge of each of them. */
#include <unistd.h>

#include "unit.h"

#define SMM 1 /* the second address space */
#define AT 0x70000000ULL

static int bind_at(struct gmem *g, uint32_t slot, uint64_t gpa, uint64_t offset,
		   const struct gmem_slot *o, struct gmem_error *err)
{
	return t_bind(g, slot, gpa, offset, 64 * KiB, o, err);
}

/* Slot 0 is at 1 GiB with [0, 64 KiB) of the file. */
static void with_a_slot(struct unit *m)
{
	unit_create(m, 128 * KiB, SHARED_FLAGS);
	t_ok(bind_at(m->g, 0, GiB, 0, NULL, &m->err), m->err);
}

/* The reason names what is in the way of [0, 64 KiB) of the file. */
static void beside_a_slot_it_is_the_range_that_is_taken(void **state)
{
	static const uint64_t beside[] = { GiB - 64 * KiB, GiB + 64 * KiB };
	struct unit *m = *state;

	with_a_slot(m);
	for (size_t i = 0; i < T_ARRAY_SIZE(beside); i++) {
		t_refused(bind_at(m->g, 1, beside[i], 0, NULL, &m->err),
			  -EEXIST, GMEM_REASON_RANGE_BOUND, m->err);
		assert_int_equal(m->err.value, 0);
	}
	t_refused(bind_at(m->g, 1, GiB + 64 * KiB - PAGE, 64 * KiB, NULL,
			  &m->err),
		  -EEXIST, GMEM_REASON_GPA_OVERLAP, m->err);
	t_refused(bind_at(m->g, 1, GiB - (64 * KiB - PAGE), 64 * KiB, NULL,
			  &m->err),
		  -EEXIST, GMEM_REASON_GPA_OVERLAP, m->err);
}

/* Neither its number nor its guest address counts there, the range does. */
static void a_slot_of_the_other_address_space_is_another(void **state)
{
	struct gmem_slot o = { .sz = sizeof(o), .address_space = SMM };
	struct unit *m = *state;

	with_a_slot(m);
	t_refused(bind_at(m->g, 0, GiB, 0, &o, &m->err), -EEXIST,
		  GMEM_REASON_RANGE_BOUND, m->err);
	t_refused(bind_at(m->g, 1, GiB, 0, &o, &m->err), -EEXIST,
		  GMEM_REASON_RANGE_BOUND, m->err);
	t_ok(bind_at(m->g, 0, GiB, 64 * KiB, &o, &m->err), m->err);
	o.address_space = SMM + 1;
	t_refused(bind_at(m->g, 1, GiB, 0, &o, &m->err), -EINVAL,
		  GMEM_REASON_ADDRESS_SPACE, m->err);
	assert_int_equal(m->err.limit, SMM + 1);
}

/* Up to 52 bits it is the kernel that refuses, with its own errno. */
static void beyond_52_bits_no_kernel_is_asked(void **state)
{
	struct unit *m = *state;
	uint64_t limit = 1ULL << 52;

	unit_create(m, 128 * KiB, SHARED_FLAGS);
	t_refused(bind_at(m->g, 0, limit - 64 * KiB, 0, NULL, &m->err), -EINVAL,
		  GMEM_REASON_GPA_LIMIT, m->err);
	assert_int_equal(m->err.sys_errno, EINVAL);
	assert_true(m->err.flags & GMEM_ERROR_DIAGNOSED);
	assert_int_equal(m->err.value, limit);
	t_refused(bind_at(m->g, 0, limit - (64 * KiB - PAGE), 0, NULL, &m->err),
		  -EINVAL, GMEM_REASON_GPA_LIMIT, m->err);
	assert_int_equal(m->err.sys_errno, 0);
	assert_int_equal(m->err.value, limit + PAGE);
	assert_int_equal(m->err.limit, limit);
}

/* In place, a file may become shared: what is private now is the cause. */
static void in_place_the_page_is_private_not_the_file(void **state)
{
	struct gmem_slot o = { .sz = sizeof(o), .flags = GMEM_SLOT_HVA };
	struct unit *m = *state;

	unit_create(m, 128 * KiB, GMEM_CREATE_MMAP);
	t_refused(bind_at(m->g, 0, GiB, 0, &o, &m->err), -EACCES,
		  GMEM_REASON_PRIVATE, m->err);
	t_ok(t_share(m->g, 0, 64 * KiB, &m->err), m->err);
	t_ok(bind_at(m->g, 0, GiB, 0, &o, &m->err), m->err);
}

/* The kernel lets a default VM have them, one of TDX not. */
static void without_read_only_slots_others_are_bound(void **state)
{
	struct gmem_slot o = { .sz = sizeof(o), .flags = GMEM_SLOT_HVA };
	struct unit *m = *state;
	struct gmem_vm_opts v = { .sz = sizeof(v), .type = GMEM_VM_TDX };
	struct gmem_model_opts how = { .sz = sizeof(how),
				       .vm = &v,
				       .vm_types = 1U | 1U << 5 };

	t_ok(gmem_model_vm_open("inplace", &how, &m->vm, &m->err), m->err);
	unit_create(m, 128 * KiB, GMEM_CREATE_MMAP);
	t_ok(t_share(m->g, 0, 128 * KiB, &m->err), m->err);
	t_ok(bind_at(m->g, 0, GiB, 0, &o, &m->err), m->err);
	o.flags |= GMEM_SLOT_READONLY;
	t_refused(bind_at(m->g, 1, 2 * GiB, 64 * KiB, &o, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_READONLY_UNSUPPORTED, m->err);
}

/* A flag of the file's that has nothing to do with mapping it. */
static void what_cannot_be_mapped_may_have_another_address(void **state)
{
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_USERSPACE_ADDR,
			       .userspace_addr = AT };
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 128 * KiB, GMEM_CREATE_UNBOUND);

	t_ok(bind_at(g, 0, GiB, 0, &o, &m->err), m->err);
}

/* ------------------------------------------- what the kernel's errno means */

static void refuse(struct unit *m, int error)
{
	t_ok(gmem_model_fail(m->vm, "KVM_SET_USER_MEMORY_REGION2", 1, error,
			     &m->err),
	     m->err);
}

static void einval_is_the_address_where_it_is_too_high(void **state)
{
	struct unit *m = *state;
	unsigned int bits = unit_sys.phys_bits(m);
	uint64_t end = 1ULL << bits;

	unit_create(m, 128 * KiB, SHARED_FLAGS);
	/* the last that fits is not too high */
	refuse(m, EINVAL);
	t_refused(bind_at(m->g, 0, end - 64 * KiB, 0, NULL, &m->err), -EINVAL,
		  GMEM_REASON_KERNEL, m->err);
	refuse(m, EINVAL);
	t_refused(bind_at(m->g, 0, end - (64 * KiB - PAGE), 0, NULL, &m->err),
		  -EINVAL, GMEM_REASON_GPA_LIMIT, m->err);
	assert_int_equal(m->err.limit, end);
	/* another errno says another thing there */
	refuse(m, ENOMEM);
	t_refused(bind_at(m->g, 0, end, 0, NULL, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	refuse(m, EFAULT);
	t_refused(bind_at(m->g, 0, GiB, 0, NULL, &m->err), -EINVAL,
		  GMEM_REASON_GPA_LIMIT, m->err);
}

static void einval_of_an_adopted_file_is_of_fd_mode(void **state)
{
	struct gmem_adopt_opts a = { .sz = sizeof(a),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	struct gmem_slot o = { .sz = sizeof(o), .flags = GMEM_SLOT_HVA };
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 128 * KiB, SHARED_FLAGS), *own = NULL;
	int fd = dup(gmem_fd(g));

	t_ok(gmem_close(g, &m->err), m->err);
	t_ok(gmem_adopt(m->vm, fd, &a, &own, &m->err), m->err);
	refuse(m, EINVAL);
	t_refused(bind_at(own, 0, GiB, 0, NULL, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_FOREIGN_VM, m->err);
	refuse(m, EPERM);
	t_refused(bind_at(own, 0, GiB, 0, NULL, &m->err), -EPERM,
		  GMEM_REASON_ACCESS_DENIED, m->err);
	t_ok(gmem_model_fail(m->vm, "KVM_SET_USER_MEMORY_REGION", 1, EINVAL,
			     &m->err),
	     m->err);
	t_refused(bind_at(own, 0, GiB, 0, &o, &m->err), -EINVAL,
		  GMEM_REASON_KERNEL, m->err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(beside_a_slot_it_is_the_range_that_is_taken,
		     unit_default73),
		TEST(a_slot_of_the_other_address_space_is_another,
		     unit_default73),
		TEST(beyond_52_bits_no_kernel_is_asked, unit_default73),
		TEST(in_place_the_page_is_private_not_the_file, unit_inplace),
		TEST(without_read_only_slots_others_are_bound, unit_bare73),
		TEST(what_cannot_be_mapped_may_have_another_address, unit_sw),
		TEST(einval_is_the_address_where_it_is_too_high,
		     unit_default73),
		TEST(einval_of_an_adopted_file_is_of_fd_mode, unit_default73),
	};

	return t_main(tests);
}
