// SPDX-License-Identifier: MIT
/* The list for seccomp filters: complete, exact, and without doubles. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#include <gmem_region.h>

#include "seam.h"
#include "syscalls.h"
#include "vm.h"

/* Makes a call that may fail, and compares its system calls with the list. */
#define did(u, name, call)            \
	do {                          \
		unit_reset(u);        \
		(void)!(call);        \
		unit_listed(u, name); \
	} while (0)

static void the_numbers_are_the_kernels(void **state)
{
	static const struct {
		const char *request;
		uint64_t number;
	} rows[] = {
		{ "KVM_GET_API_VERSION", 0xae00 },
		{ "KVM_CREATE_VM", 0xae01 },
		{ "KVM_CHECK_EXTENSION", 0xae03 },
		{ "KVM_ENABLE_CAP", 0x4068aea3 },
		{ "KVM_SET_USER_MEMORY_REGION", 0x4020ae46 },
		{ "KVM_SET_USER_MEMORY_REGION2", 0x40a0ae49 },
		{ "KVM_SET_MEMORY_ATTRIBUTES", 0x4020aed2 },
		{ "KVM_CREATE_GUEST_MEMFD", 0xc040aed4 },
		{ "KVM_SET_MEMORY_ATTRIBUTES2", 0xc080aed2 },
	};
	struct gmem_syscall s = { .sz = sizeof(s) };
	size_t found = 0, ioctls = 0;

	(void)state;
	assert_string_equal(gmem__ioctl_name(0xae00), "KVM_GET_API_VERSION");
	assert_string_equal(gmem__ioctl_name(0xaeff), "ioctl");
	for (uint32_t i = 0; gmem_syscall_info(i, &s, NULL) == 0; i++) {
		bool is_ioctl = !strcmp(s.name, "ioctl");

		assert_int_equal(is_ioctl, s.request != NULL);
		assert_int_equal(is_ioctl, s.number != 0);
		ioctls += is_ioctl;
		for (size_t k = 0; is_ioctl && k < T_ARRAY_SIZE(rows); k++)
			found += !strcmp(rows[k].request, s.request) &&
				 rows[k].number == s.number;
	}
	assert_int_equal(found, T_ARRAY_SIZE(rows));
	assert_int_equal(ioctls, T_ARRAY_SIZE(rows));
}

static void no_entry_is_there_twice(void **state)
{
	struct gmem_syscall s = { .sz = sizeof(s) }, o = { .sz = sizeof(o) };

	(void)state;
	for (uint32_t i = 0; gmem_syscall_info(i, &s, NULL) == 0; i++)
		for (uint32_t k = 0; k < i; k++) {
			assert_int_equal(gmem_syscall_info(k, &o, NULL), 0);
			assert_false(!strcmp(s.name, o.name) &&
				     s.number == o.number);
		}
}

static void past_the_last_entry_is_refused(void **state)
{
	struct gmem_syscall s = { .sz = sizeof(s) };
	struct gmem_error err;
	uint32_t n = 0;

	(void)state;
	while (gmem_syscall_info(n, &s, NULL) == 0)
		n++;
	t_refused(gmem_syscall_info(n, &s, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	assert_int_equal(err.limit, n);
	t_refused(gmem_syscall_info(UINT32_MAX, &s, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	t_refused(gmem_syscall_info(0, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
}

/* An ordinary life of a file, each call compared with the list. */
static void live(struct unit *u, uint64_t flags)
{
	struct gmem_create_opts c = { .sz = sizeof(c), .flags = flags };
	struct gmem_slot hva = { .sz = sizeof(hva), .flags = GMEM_SLOT_HVA };
	static char buf[4096];
	struct gmem *g = NULL, *h = NULL;
	size_t len = sizeof(buf);
	void *p = NULL;

	did(u, "gmem_create", gmem_create(u->vm, 1 * MiB, &c, &g, NULL));
	assert_non_null(g);
	did(u, "gmem_bind", t_bind(g, 0, 0, 0, 512 * KiB, NULL, NULL));
	did(u, "gmem_bind", t_bind(g, 1, GiB, 0, 4096, &hva, NULL));
	did(u, "gmem_set_shared", t_share(g, 0, 8192, NULL));
	/* somebody else has a page of it for a moment */
	unit_reset(u);
	unit_answer(u, "ioctl", GMEM__KVM_SET_MEMORY_ATTRIBUTES2, 1, 1,
		    -EAGAIN);
	(void)!gmem_set_private(g, 0, 8192, NULL);
	unit_listed(u, "gmem_set_private");
	did(u, "gmem_set_attributes",
	    gmem_set_attributes(g, 0, 4096, GMEM_ATTRIBUTE_SHARED, NULL, NULL));
	did(u, "gmem_attributes_export",
	    gmem_attributes_export(g, buf, &len, NULL));
	assert_int_equal(u->n_calls, 0);
	did(u, "gmem_attributes_import",
	    gmem_attributes_import(g, buf, len, 0, NULL));
	did(u, "gmem_write", gmem_write(g, 0, buf, 8, NULL));
	did(u, "gmem_read", gmem_read(g, 0, buf, 8, NULL));
	did(u, "gmem_mmap", gmem_mmap(g, 0, 4096, NULL, &p, NULL));
	if (p)
		did(u, "gmem_munmap", gmem_munmap(g, p, NULL));
	did(u, "gmem_unbind", gmem_unbind(u->vm, 0, 0, 0, NULL));
	did(u, "gmem_unbind", gmem_unbind(u->vm, 1, 0, 0, NULL));
	did(u, "gmem_close", gmem_close(g, NULL));
	did(u, "gmem_create", gmem_create(u->vm, 1 * MiB, &c, &h, NULL));
	did(u, "gmem_read", gmem_read(h, 0, buf, 8, NULL));
	did(u, "gmem_close", gmem_close(h, NULL));
	did(u, "gmem_create", gmem_create(u->vm, 1 * MiB, &c, &h, NULL));
	did(u, "gmem_write", gmem_write(h, 0, buf, 8, NULL));
}

static int ignore_run(void *arg, uint64_t offset, uint64_t len)
{
	(void)arg;
	(void)offset;
	(void)len;
	return 0;
}

static void store_streams(struct unit *u, struct gmem *g)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd),
			 0);
	did(u, "gmem_store", gmem_store(g, 0, fd[1], 100, NULL, NULL));
	assert_int_equal(unit_sys.close(u, fd[0]), 0);
	assert_int_equal(unit_sys.close(u, fd[1]), 0);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	did(u, "gmem_store", gmem_store(g, 0, fd[1], 100, NULL, NULL));
	assert_int_equal(unit_sys.close(u, fd[0]), 0);
	assert_int_equal(unit_sys.close(u, fd[1]), 0);
}

/* Placement and space, by the straight way and by those round it. */
static void fill(struct unit *u, uint64_t flags)
{
	struct gmem_create_opts c = { .sz = sizeof(c), .flags = flags };
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_placement where = { .sz = sizeof(where) };
	struct gmem_populate_opts o = { .sz = sizeof(o), .policy = &p };
	struct gmem_residency res = { .sz = sizeof(res) };
	struct gmem *g = NULL;
	int fd;

	did(u, "gmem_create", gmem_create(u->vm, MiB, &c, &g, NULL));
	assert_non_null(g);
	did(u, "gmem_set_mempolicy",
	    gmem_set_mempolicy(g, 0, MiB, &p, GMEM_MEMPOLICY_STRICT, NULL));
	did(u, "gmem_get_mempolicy", t_get_mempolicy(g, 0, &p, NULL));
	mask = 1;
	p.mode = GMEM_MPOL_BIND;
	did(u, "gmem_populate", gmem_populate(g, 0, MiB / 2, &o, NULL));
	assert_true(unit_count(u, "set_mempolicy", 0) > 0);
	did(u, "gmem_verify_placement",
	    t_placed(g, 0, MiB, NULL, &where, NULL));
	did(u, "gmem_set_mempolicy",
	    gmem_set_mempolicy(g, 0, MiB, &p, GMEM_MEMPOLICY_STRICT, NULL));
	did(u, "gmem_resident", gmem_resident(g, 0, MiB, &res, NULL));
	did(u, "gmem_walk_resident",
	    gmem_walk_resident(g, 0, MiB, ignore_run, NULL, NULL));
	u->lacks = "cachestat";
	did(u, "gmem_resident", gmem_resident(g, 0, MiB, &res, NULL));
	u->lacks = NULL;
	did(u, "gmem_discard", gmem_discard(g, 0, MiB, NULL, NULL));
	did(u, "gmem_close", gmem_close(g, NULL));
	did(u, "gmem_create", gmem_create(u->vm, MiB, &c, &g, NULL));
	fd = unit_input(u, "abc", 3, 2);
	did(u, "gmem_load", gmem_load(g, 0, fd, 3, NULL, NULL));
	assert_int_equal(unit_sys.close(u, fd), 0);
	fd = unit_memfd(u, "abc", 3, 2);
	assert_int_equal(ftruncate(fd, 64 * KiB), 0);
	did(u, "gmem_populate", gmem_populate(g, 0, MiB, NULL, NULL));
	did(u, "gmem_load", gmem_load(g, 0, fd, 64 * KiB, NULL, NULL));
	did(u, "gmem_store", gmem_store(g, 0, fd, 64 * KiB, NULL, NULL));
	store_streams(u, g);
	did(u, "gmem_populate", gmem_populate(g, 0, MiB, NULL, NULL));
	did(u, "gmem_close", gmem_close(g, NULL));
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* A file and a slot that were made elsewhere. */
static void take_over(struct unit *u, uint64_t flags)
{
	struct gmem_slot s = { .sz = sizeof(s), .len = 4096, .slot = 5 };
	struct gmem *g = NULL;
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, flags);

	did(u, "gmem_adopt", gmem_adopt(u->vm, fd, NULL, &g, NULL));
	s.flags = GMEM_SLOT_FD;
	s.fd = unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, flags);
	did(u, "gmem_slot_note", gmem_slot_note(u->vm, &s, NULL));
	assert_int_equal(unit_sys.close(u, s.fd), 0);
	did(u, "gmem_bind", t_bind(g, 5, 0, 0, 4096, NULL, NULL));
	did(u, "gmem_slot_forget", gmem_slot_forget(u->vm, 5, 0, NULL));
	did(u, "gmem_bind", t_bind(g, 5, 0, 0, 4096, NULL, NULL));
}

/* All of a region that converts, by turns and with what was put off. */
static void convert_region(struct unit *u)
{
	struct gmem_region_range all = { 0, MiB };
	struct gmem_convert_opts o = { .sz = sizeof(o),
				       .flags = GMEM_CONVERT_DEFER };
	struct gmem_region_info info = { .sz = sizeof(info) };
	struct gmem_region_stats stat = { .sz = sizeof(stat) };
	struct gmem_region_residency res = { .sz = sizeof(res) };
	struct gmem_slot s = {
		.sz = sizeof(s), .slot = 9, .gpa = GiB, .len = MiB
	};
	struct gmem_region *r = NULL;

	did(u, "gmem_region_create",
	    gmem_region_create(u->vm, MiB, NULL, &r, NULL));
	assert_non_null(r);
	did(u, "gmem_region_get", gmem_region_get(r, &info, NULL));
	did(u, "gmem_region_bind", gmem_region_bind(r, &s, NULL));
	did(u, "gmem_region_convert",
	    gmem_region_convert(r, &all, 1, GMEM_ATTRIBUTE_SHARED, NULL, NULL,
				NULL));
	assert_true(u->n_calls > 0);
	did(u, "gmem_region_resident",
	    gmem_region_resident(r, 0, MiB, &res, NULL));
	did(u, "gmem_region_convert",
	    gmem_region_convert(r, &all, 1, GMEM_ATTRIBUTE_PRIVATE, &o, NULL,
				NULL));
	did(u, "gmem_region_stat", gmem_region_stat(r, &stat, NULL));
	did(u, "gmem_region_reclaim",
	    gmem_region_reclaim(r, 0, MiB, NULL, NULL, NULL));
	did(u, "gmem_region_discard",
	    gmem_region_discard(r, 0, MiB, NULL, NULL));
	did(u, "gmem_region_convert",
	    gmem_region_convert(r, &all, 1, GMEM_ATTRIBUTE_SHARED, NULL, NULL,
				NULL));
	did(u, "gmem_region_reset", gmem_region_reset(r, NULL, NULL));
	did(u, "gmem_region_unbind", gmem_region_unbind(r, 9, 0, 0, NULL));
	did(u, "gmem_region_close", gmem_region_close(r, NULL));
}

static void each_call_makes_only_what_is_listed_for_it(void **state)
{
	struct unit *u = *state;
	/* with private memory where the kernel of the fixture has it */
	bool sw = model__vm_private(
		(struct vm *)model__object(u->k, gmem_vm_fd(u->vm)));
	uint64_t flags = sw && !unit_in_place(u) ? 0 : SHARED_FLAGS;
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = sw ? GMEM_VM_SW_PROTECTED
					     : GMEM_VM_DEFAULT };
	int fd;

	did(u, "gmem_vm_destroy", gmem_vm_destroy(u->vm, NULL));
	u->vm = NULL;
	did(u, "gmem_vm_open",
	    gmem__vm_open_on(&unit_sys, u, &o, &u->vm, NULL));
	did(u, "gmem_vm_close", gmem_vm_close(u->vm, NULL));
	u->vm = NULL;
	fd = unit_vm_fd(u, sw);
	did(u, "gmem_vm_adopt",
	    gmem__vm_adopt_on(&unit_sys, u, fd, &o, &u->vm, NULL));
	assert_non_null(u->vm);
	live(u, flags);
	fill(u, flags);
	take_over(u, flags);
	if (sw)
		convert_region(u);
	did(u, "gmem_vm_destroy", gmem_vm_destroy(u->vm, NULL));
	u->vm = NULL;
	assert_int_equal(unit_sys.close(u, fd), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_numbers_are_the_kernels),
		cmocka_unit_test(no_entry_is_there_twice),
		cmocka_unit_test(past_the_last_entry_is_refused),
		TEST(each_call_makes_only_what_is_listed_for_it, unit_default),
		TEST(each_call_makes_only_what_is_listed_for_it, unit_sw612),
		TEST(each_call_makes_only_what_is_listed_for_it, unit_sw),
		TEST(each_call_makes_only_what_is_listed_for_it, unit_inplace),
		TEST(each_call_makes_only_what_is_listed_for_it, unit_arm64),
	};

	return t_main(tests);
}
