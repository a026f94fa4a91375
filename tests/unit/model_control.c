// SPDX-License-Identifier: MIT
/* What the calls of gmem_model.h take, at the ends of what they take. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gmem_model.h>

#include "unit.h"

#include "uapi.h"
#include "uapi_proposed.h"

#define PAGES 16
#define HUGE (2 * MiB)
#define SIZES 10 /* beside the two of x86-64 */
#define EXIT_REASON 8
#define MEMORY_FAULT 39

/* ---------------------------------------------------------------- pages -- */

static void file(struct unit *m)
{
	(void)unit_create(m, PAGES * m->page, SHARED_FLAGS);
}

static void pin(struct unit *m, uint64_t from, uint64_t end)
{
	struct gmem_error err;

	t_ok(gmem_model_pin(m->vm, gmem_fd(m->g), from * m->page,
			    (end - from) * m->page, &err),
	     err);
}

static int unpin(struct unit *m, uint64_t from, uint64_t end)
{
	m->err = (struct gmem_error){ .sz = sizeof(m->err) };
	return gmem_model_unpin(m->vm, gmem_fd(m->g), from * m->page,
				(end - from) * m->page, &m->err);
}

/* One digit for each page: whether it is pinned, which keeps it shared. */
static void assert_pinned(struct unit *m, const char *want)
{
	char is[PAGES + 1] = { 0 };

	for (uint64_t i = 0; i < PAGES; i++) {
		struct gmem__attributes2 a = { .offset = i * m->page,
					       .size = m->page };
		int r;

		a.attributes = GMEM__ATTRIBUTE_PRIVATE;
		r = model__sys.ioctl(m->k, gmem_fd(m->g),
				     GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a);
		if (r < 0)
			t_code(r, -EAGAIN);
		is[i] = r < 0 ? '1' : '0';
		a.attributes = 0;
		t_code(model__sys.ioctl(m->k, gmem_fd(m->g),
					GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a),
		       0);
	}
	assert_string_equal(is, want);
}

static void each_page_is_pinned_as_often_as_it_was_asked_for(void **state)
{
	struct unit *m = *state;

	file(m);
	pin(m, 2, 10);
	assert_pinned(m, "0011111111000000");
	pin(m, 4, 6);
	t_ok(unpin(m, 2, 10), m->err);
	assert_pinned(m, "0000110000000000");
	pin(m, 3, 8);
	t_code(unpin(m, 4, 5), 0);
	assert_pinned(m, "0001111100000000");
	t_code(unpin(m, 4, 8), 0);
	assert_pinned(m, "0001010000000000");
	/* all of it or nothing */
	t_code(unpin(m, 3, 5), -EINVAL);
	t_reason(&m->err, GMEM_REASON_NOT_MAPPED);
	assert_int_equal(m->err.value, 4 * m->page);
	assert_pinned(m, "0001010000000000");
	t_code(unpin(m, 3, 4), 0);
	t_code(unpin(m, 5, 6), 0);
	assert_pinned(m, "0000000000000000");
}

static void a_memory_error_leaves_an_interrupt_to_come(void **state)
{
	struct unit *m = *state;
	unsigned char byte = 0;
	struct gmem_error err;

	file(m);
	t_ok(gmem_model_interrupt(m->vm, 0, &err), err);
	t_ok(gmem_model_poison(m->vm, gmem_fd(m->g), m->page, 2 * m->page,
			       &err),
	     err);
	assert_int_equal(
		unit_allocated(m, gmem_fd(m->g), 0, PAGES * m->page, -1),
		2 * m->page);
	t_code(gmem_model_access(m->vm, 0, &byte, 1, 0, NULL, 0, &err), -EINTR);
	/* and one that was not asked for does not come */
	t_ok(gmem_model_poison(m->vm, gmem_fd(m->g), 0, m->page, &err), err);
	t_ok(gmem_model_access(m->vm, 0, &byte, 1, 0, NULL, 0, &err), err);
}

static void an_interrupt_comes_between_two_pages(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	int fd;

	file(m);
	fd = gmem_fd(m->g);
	t_ok(gmem_model_interrupt(m->vm, 3 * m->page + 1, &err), err);
	t_code(model__sys.fallocate(m->k, fd, FALLOC_FL_KEEP_SIZE, 0,
				    2 * m->page),
	       0);
	t_code(model__sys.fallocate(m->k, fd, FALLOC_FL_KEEP_SIZE, 4 * m->page,
				    4 * m->page),
	       -EINTR);
	assert_int_equal(unit_allocated(m, fd, 0, 4 * m->page, -1),
			 2 * m->page);
	assert_int_equal(unit_allocated(m, fd, 4 * m->page, m->page, -1),
			 m->page);
	assert_int_equal(unit_allocated(m, fd, 5 * m->page, 4 * m->page, -1),
			 0);
	t_code(model__sys.fallocate(m->k, fd, FALLOC_FL_KEEP_SIZE, 4 * m->page,
				    4 * m->page),
	       0);
}

static void only_files_have_pages(void **state)
{
	struct unit *m = *state;
	const int none[] = { gmem_vm_fd(m->vm), unit_device_fd(m), -1 };
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(none); i++) {
		t_refused(gmem_model_pin(m->vm, none[i], 0, m->page, &err),
			  -EINVAL, GMEM_REASON_NOT_GUEST_MEMFD, err);
		t_refused(gmem_model_poison(m->vm, none[i], 0, m->page, &err),
			  -EINVAL, GMEM_REASON_NOT_GUEST_MEMFD, err);
	}
	t_code(model__sys.close(m->k, none[1]), 0);
}

static void a_vm_whose_number_is_a_files_now_was_closed(void **state)
{
	struct unit *m = *state;
	int fd = gmem_vm_fd(m->vm), kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct gmem_error err;

	file(m);
	assert_true(kept >= 0);
	assert_int_equal(dup3(gmem_fd(m->g), fd, O_CLOEXEC), fd);
	t_refused(gmem_model_kill(m->vm, &err), -EBADF, GMEM_REASON_BAD_FD,
		  err);
	assert_int_equal(err.value, fd);
	assert_int_equal(dup3(kept, fd, O_CLOEXEC), fd);
	assert_int_equal(close(kept), 0);
}

/* ---------------------------------------------------------------- guest -- */

static void only_two_errnos_come_with_a_memory_fault(void **state)
{
	static const int codes[] = { EFAULT, EHWPOISON, EIO, ENOMEM, EINTR };
	struct unit *m = *state;
	struct gmem_error err = { .sz = sizeof(err) };

	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		uint64_t run[32] = { 0 }, gpa = 3 * m->page + 5;
		unsigned char byte = 0;

		t_ok(gmem_model_fail(m->vm, "KVM_RUN", 1, codes[i], &err), err);
		t_refused(gmem_model_access(m->vm, gpa, &byte, 1,
					    GMEM_MODEL_PRIVATE, run,
					    sizeof(run), &err),
			  -codes[i], GMEM_REASON_KERNEL, err);
		assert_int_equal(err.sys_errno, codes[i]);
		assert_int_equal(err.value, gpa);
		assert_int_equal(err.done, 0);
		assert_int_equal(run[EXIT_REASON / 8],
				 i < 2 ? MEMORY_FAULT : 0);
		assert_int_equal(run[4], i < 2 ? GMEM__ATTRIBUTE_PRIVATE : 0);
		assert_int_equal(run[5], i < 2 ? 3 * m->page : 0);
		assert_int_equal(run[6], i < 2 ? m->page : 0);
	}
}

/* What does not fit is left out. */
static void an_exit_is_told_as_far_as_there_is_room(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	char word[] = "word";

	for (size_t room = 0; room <= 64; room += 4) {
		unsigned char run[64];

		memset(run, 0xee, sizeof(run));
		t_ok(gmem_model_access(m->vm, 0, word, 4, GMEM_MODEL_WRITE, run,
				       room, &err),
		     err);
		assert_int_equal(run[EXIT_REASON], room >= 12 ? 6 : 0xee);
		assert_int_equal(run[39], room >= 40 ? 0 : 0xee);
		assert_int_equal(run[40], room >= 48 ? 'w' : 0xee);
		assert_int_equal(run[48], room >= 52 ? 4 : 0xee);
		assert_int_equal(run[52], room >= 56 ? 1 : 0xee);
	}
}

/* ------------------------------------------------------------- failures -- */

static int access_page(struct unit *m)
{
	unsigned char byte = 0;

	return gmem_model_access(m->vm, 0, &byte, 1, 0, NULL, 0, NULL);
}

static void a_failure_has_a_name_and_an_errno_that_exist(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	char name[41];

	memset(name, 'x', sizeof(name));
	name[40] = '\0';
	t_refused(gmem_model_fail(m->vm, name, 1, EIO, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	assert_int_equal(err.value, 40);
	name[39] = '\0';
	t_ok(gmem_model_fail(m->vm, name, 1, EIO, &err), err);
	t_ok(gmem_model_fail(m->vm, "KVM_RUN", 1, 4095, &err), err);
	t_refused(gmem_model_fail(m->vm, "KVM_RUN", 1, 4096, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	assert_int_equal(err.value, 4096);
	assert_int_equal(err.limit, 4095);
	t_code(access_page(m), -4095);
	t_code(access_page(m), 0);
	t_ok(gmem_model_fail(m->vm, "K", 1, EIO, &err), err);
	t_code(access_page(m), 0);
	t_ok(gmem_model_fail(m->vm, "K", 0, 0, &err), err);
	/* of one that is taken back none is asked for */
	t_ok(gmem_model_fail(m->vm, name, 0, -1, &err), err);
	assert_null(m->k->failures);
}

static void failures_that_are_due_together_happen_once(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;

	t_ok(gmem_model_fail_from(m->vm, "KVM_RUN", 3, EIO, &err), err);
	t_ok(gmem_model_fail(m->vm, "openat", 1, EPERM, &err), err);
	t_ok(gmem_model_fail(m->vm, "KVM_RUN", 4, ENOMEM, &err), err);
	t_ok(gmem_model_fail(m->vm, "KVM_RUN", 2, EAGAIN, &err), err);
	t_code(access_page(m), 0);
	t_code(access_page(m), -EAGAIN);
	for (int i = 0; i < 4; i++)
		t_code(access_page(m), -EIO);
	t_ok(gmem_model_fail(m->vm, "KVM_RUN", 0, 0, &err), err);
	t_code(access_page(m), 0);
	t_code(model__sys.open(m->k, "/dev/null", O_RDONLY), -EPERM);
	assert_null(m->k->failures);
}

/* -------------------------------------------------------------- kernels -- */

static void open_with(struct unit *m, const char *profile,
		      struct gmem_model_opts o)
{
	struct gmem_error err;

	o.sz = sizeof(o);
	assert_int_equal(gmem_vm_destroy(m->vm, NULL), 0);
	m->vm = NULL;
	t_ok(gmem_model_vm_open(profile, &o, &m->vm, &err), err);
}

static int64_t cap(const struct unit *m, int fd, uintptr_t which)
{
	const uint64_t arg[6] = { (uint64_t)fd, GMEM__KVM_CHECK_EXTENSION,
				  which };

	return gmem_model_syscall(m->vm, SYS_ioctl, arg, NULL);
}

static void a_kernel_has_up_to_32_nodes(void **state)
{
	struct gmem_model_opts o = { .sz = sizeof(o), .nodes = 33 };
	struct unit *m = *state;
	struct gmem_vm *none = NULL;
	struct gmem_error err;
	uint64_t pages;

	open_with(m, "7.3", (struct gmem_model_opts){ .nodes = 32 });
	t_ok(gmem_model_get_node_pool(m->vm, HUGE, 31, &pages, &err), err);
	assert_int_equal(pages, 512 / 32);
	t_refused(gmem_model_vm_open("7.3", &o, &none, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	assert_int_equal(err.value, 33);
	assert_int_equal(err.limit, 32);
}

static void only_x86_64_with_paging_has_types(void **state)
{
	struct gmem_model_opts o = { .sz = sizeof(o) };
	struct gmem_vm *none = NULL;
	struct unit *m = *state;
	struct gmem_error err;

	for (o.machine = GMEM_MODEL_X86_SOFTWARE; o.machine <= GMEM_MODEL_ARM64;
	     o.machine++) {
		o.vm_types = 2;
		t_refused(gmem_model_vm_open("7.3", &o, &none, &err),
			  -EOPNOTSUPP, GMEM_REASON_VM_TYPE_UNSUPPORTED, err);
		o.vm_types = 1;
		open_with(m, "7.3", o);
	}
}

static void a_kernel_that_is_there_stays_as_it_is(void **state)
{
	struct gmem_model_opts o = { .sz = sizeof(o) };
	struct gmem_vm *none = NULL;
	struct unit *m = *state;
	struct gmem_error err;

	open_with(m, "7.3", o);
	o.beside = m->vm;
	o.machine = GMEM_MODEL_ARM64;
	t_refused(gmem_model_vm_open("7.3", &o, &none, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	o.machine = 0;
	o.vm_types = 1;
	t_refused(gmem_model_vm_open("7.3", &o, &none, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
}

/* Neither on the device, nor on the VM, nor by trying. */
static void a_kernel_built_without_private_memory_has_none(void **state)
{
	struct gmem_model_opts o = { .vm_types = 1 };
	struct gmem__create c = { .size = 64 * KiB };
	struct gmem__attributes a = { .size = 64 * KiB };
	struct unit *m = *state;
	int unknown = -ENOTTY;

	for (int arm64 = 0; arm64 < 2; arm64++) {
		int vm, device;
		uint64_t arg[6] = { 0, GMEM__KVM_CREATE_GUEST_MEMFD,
				    (uintptr_t)&c };

		open_with(m, "6.12", o);
		vm = gmem_vm_fd(m->vm);
		device = (int)gmem_model_syscall(
			m->vm, SYS_openat,
			(const uint64_t[6]){ (uint64_t)AT_FDCWD,
					     (uintptr_t) "/dev/kvm", O_RDWR },
			NULL);
		assert_true(device >= 0);
		arg[0] = (uint64_t)vm;
		t_code(gmem_model_syscall(m->vm, SYS_ioctl, arg, NULL),
		       unknown);
		arg[1] = GMEM__KVM_SET_MEMORY_ATTRIBUTES;
		arg[2] = (uintptr_t)&a;
		t_code(gmem_model_syscall(m->vm, SYS_ioctl, arg, NULL),
		       unknown);
		for (int i = 0; i < 2; i++) {
			int fd = i ? vm : device;

			t_code(cap(m, fd, GMEM__CAP_GUEST_MEMFD), 0);
			t_code(cap(m, fd, GMEM__CAP_MEMORY_ATTRIBUTES), 0);
			t_code(cap(m, fd, GMEM__CAP_GUEST_MEMFD_FLAGS), 0);
			t_code(cap(m, fd, GMEM__CAP_MULTI_ADDRESS_SPACE),
			       arm64 ? 0 : 2);
		}
		arg[0] = (uint64_t)device;
		t_code(gmem_model_syscall(m->vm, SYS_close, arg, NULL), 0);
		o.machine = GMEM_MODEL_ARM64;
		unknown = -EINVAL;
	}
}

static void a_profile_says_what_it_was_verified_against(void **state)
{
	struct gmem_model_profile p = { .sz = sizeof(p) };
	unsigned int verified = 0;

	(void)state;
	for (uint32_t i = 0; !gmem_model_profile_info(i, &p, NULL); i++) {
		/* of a series that was posted there is no kernel to ask */
		if (p.hugetlb_encoding) {
			assert_null(p.verified);
			continue;
		}
		assert_non_null(p.verified);
		assert_non_null(strstr(p.verified, p.name));
		verified++;
	}
	assert_int_equal(verified, 6);
}

/* ---------------------------------------------------------------- pools -- */

static uint64_t free_pages(struct unit *m, uint64_t size)
{
	uint64_t pages = 0;
	struct gmem_error err;

	t_ok(gmem_model_get_pool(m->vm, size, &pages, &err), err);
	return pages;
}

static void there_is_a_pool_of_each_size_that_is_huge(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	uint64_t pages;

	open_with(m, "7.3", (struct gmem_model_opts){ .nodes = 2 });
	assert_int_equal(free_pages(m, HUGE), 512);
	assert_int_equal(free_pages(m, GiB), 4);
	for (uint64_t i = 0; i < SIZES; i++)
		t_ok(gmem_model_set_pool(m->vm, (16 * GiB) >> (i + i / 4), i,
					 &err),
		     err);
	for (uint64_t i = 0; i < SIZES; i++)
		assert_int_equal(free_pages(m, (16 * GiB) >> (i + i / 4)),
				 (16 * GiB) >> (i + i / 4) == GiB ? 3 : i);
	t_refused(gmem_model_set_pool(m->vm, 32 * GiB, 1, &err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, err);
	t_refused(gmem_model_set_pool(m->vm, m->page, 1, &err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, err);
	t_refused(gmem_model_set_pool(m->vm, 3 * HUGE, 1, &err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, err);
	t_refused(gmem_model_get_pool(m->vm, 0, &pages, &err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, err);
	t_refused(gmem_model_get_pool(m->vm, 32 * GiB, &pages, &err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, err);
}

static void arm64_has_pools_of_its_own(void **state)
{
	struct unit *m = *state;

	open_with(m, "7.3",
		  (struct gmem_model_opts){ .machine = GMEM_MODEL_ARM64,
					    .nodes = 3 });
	assert_int_equal(free_pages(m, 64 * KiB), 1024);
	assert_int_equal(free_pages(m, HUGE), 512);
	assert_int_equal(free_pages(m, 32 * MiB), 16);
	assert_int_equal(free_pages(m, GiB), 4);
}

static uint64_t on_node(struct unit *m, uint32_t node)
{
	uint64_t pages = 0;
	struct gmem_error err;

	t_ok(gmem_model_get_node_pool(m->vm, HUGE, node, &pages, &err), err);
	return pages;
}

static void a_node_without_memory_has_no_pool(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	uint64_t pages;

	m->k->nodes = 4;
	m->k->empty = 2;
	t_ok(gmem_model_set_pool(m->vm, HUGE, 8, &err), err);
	assert_int_equal(on_node(m, 0), 3);
	assert_int_equal(on_node(m, 2), 3);
	assert_int_equal(on_node(m, 3), 2);
	for (uint32_t node = 1; node < 5; node += 3) {
		t_refused(gmem_model_set_node_pool(m->vm, HUGE, node, 1, &err),
			  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
		assert_int_equal(err.value, node);
		t_refused(gmem_model_get_node_pool(m->vm, HUGE, node, &pages,
						   &err),
			  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
	}
	t_ok(gmem_model_set_node_pool(m->vm, HUGE, 2, UINT64_MAX - 5, &err),
	     err);
	assert_int_equal(free_pages(m, HUGE), UINT64_MAX);
	t_refused(
		gmem_model_set_node_pool(m->vm, HUGE, 2, UINT64_MAX - 4, &err),
		-EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
	assert_int_equal(err.limit, 5);
	t_refused(gmem_model_set_node_pool(m->vm, 12345, 0, 1, &err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, err);
	/* a size of which there is none yet */
	t_ok(gmem_model_set_node_pool(m->vm, 4 * MiB, 3, 7, &err), err);
	assert_int_equal(free_pages(m, 4 * MiB), 7);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_page_is_pinned_as_often_as_it_was_asked_for,
		     unit_inplace),
		TEST(a_memory_error_leaves_an_interrupt_to_come,
		     unit_default73),
		TEST(an_interrupt_comes_between_two_pages, unit_default73),
		TEST(only_files_have_pages, unit_default73),
		TEST(a_vm_whose_number_is_a_files_now_was_closed,
		     unit_default73),
		TEST(only_two_errnos_come_with_a_memory_fault, unit_sw),
		TEST(an_exit_is_told_as_far_as_there_is_room, unit_default73),
		TEST(a_failure_has_a_name_and_an_errno_that_exist,
		     unit_default73),
		TEST(failures_that_are_due_together_happen_once,
		     unit_default73),
		TEST(a_kernel_has_up_to_32_nodes, unit_bare),
		TEST(only_x86_64_with_paging_has_types, unit_bare),
		TEST(a_kernel_that_is_there_stays_as_it_is, unit_bare),
		TEST(a_kernel_built_without_private_memory_has_none, unit_bare),
		TEST(a_profile_says_what_it_was_verified_against, unit_bare),
		TEST(there_is_a_pool_of_each_size_that_is_huge, unit_bare),
		TEST(arm64_has_pools_of_its_own, unit_bare),
		TEST(a_node_without_memory_has_no_pool, unit_default73),
	};

	return t_main(tests);
}
