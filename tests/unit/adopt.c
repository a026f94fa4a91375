// SPDX-License-Identifier: MIT
/* Taking over a descriptor: what it must be, and what may be claimed of it. */
#include "unit.h"

#include "adopt.h"

static int adopt(struct unit *u, struct gmem_vm *vm, int fd, uint64_t flags,
		 struct gmem **out, struct gmem_error *err)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o), .flags = flags };

	return gmem__adopt_on(&fake_sys, &u->f, vm, fd, &o, out, err);
}

static void adopt_learns_size_and_mappability(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;

	for (int own = 0; own < 2; own++) {
		struct gmem *g = NULL;
		int fd = fake_fd(&u->f, FAKE_FD_GMEM, 64 * KiB, 3);

		u->f.own_inode = own;
		t_ok(adopt(u, u->vm, fd, GMEM_ADOPT_INIT_SHARED, &g, &err),
		     err);
		assert_int_equal(gmem_fd(g), fd);
		assert_int_equal(gmem_size(g), 64 * KiB);
		assert_int_equal(gmem_flags(g), SHARED_FLAGS);
		assert_true(fake_file(&u->f, fd)->cloexec);
		t_ok(gmem_close(g, &err), err);
		assert_null(fake_file(&u->f, fd));
		fd = fake_fd(&u->f, FAKE_FD_GMEM, 64 * KiB, 0);
		t_ok(adopt(u, u->vm, fd, 0, &g, &err), err);
		assert_int_equal(gmem_flags(g), 0);
		t_ok(gmem_close(g, &err), err);
	}
}

static void adopt_works_without_a_vm(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;
	int fd = fake_fd(&u->f, FAKE_FD_GMEM, 64 * KiB, 3);
	char in[4] = "abc", out[4] = "";

	t_ok(adopt(u, NULL, fd, GMEM_ADOPT_INIT_SHARED, &g, &err), err);
	t_ok(gmem_write(g, 5, in, 4, &err), err);
	t_ok(gmem_read(g, 5, out, 4, &err), err);
	assert_string_equal(out, "abc");
	fake_reset(&u->f);
	t_refused(gmem_bind(g, 0, 0, 0, 4096, NULL, &err), -EINVAL,
		  GMEM_REASON_NOT_A_VM, err);
	t_refused(gmem_set_private(g, 0, 4096, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	t_refused(gmem_set_shared(g, 0, 4096, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	assert_int_equal(u->f.n_calls, 0);
	t_ok(gmem_close(g, &err), err);
}

static void what_is_no_guest_memfd_stays_the_callers(void **state)
{
	struct unit *u = *state;
	int fds[] = { fake_fd(&u->f, FAKE_FD_OTHER, 4096, 0),
		      fake_fd(&u->f, FAKE_FD_VM, 0, 0),
		      fake_fd(&u->f, FAKE_FD_DEVICE, 0, 0) };
	struct gmem_error err;
	struct gmem *g = NULL;

	for (size_t i = 0; i < T_ARRAY_SIZE(fds); i++) {
		t_refused(adopt(u, u->vm, fds[i], 0, &g, &err), -EINVAL,
			  GMEM_REASON_NOT_GUEST_MEMFD, err);
		assert_int_equal(err.value, fds[i]);
		assert_non_null(fake_file(&u->f, fds[i]));
		assert_false(fake_file(&u->f, fds[i])->cloexec);
		assert_int_equal(fake_sys.close(&u->f, fds[i]), 0);
	}
	t_refused(adopt(u, u->vm, fds[0], 0, &g, &err), -EBADF,
		  GMEM_REASON_BAD_FD, err);
	fake_reset(&u->f);
	t_refused(adopt(u, u->vm, -1, 0, &g, &err), -EBADF, GMEM_REASON_BAD_FD,
		  err);
	assert_int_equal(u->f.n_calls, 0);
	assert_null(g);
}

/* Up to 6.18 the magic is that of every anonymous inode. */
static void an_anonymous_inode_is_no_guest_memfd_by_its_magic(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 5000 };
	struct unit *u = *state;
	int fd = fake_fd(&u->f, FAKE_FD_GMEM, 4096, 3);
	struct gmem_error err;
	struct gmem *g = NULL;

	for (size_t i = 0; i < T_ARRAY_SIZE(sizes); i++) {
		fake_file(&u->f, fd)->size = sizes[i];
		t_refused(adopt(u, u->vm, fd, 0, &g, &err), -EINVAL,
			  GMEM_REASON_NOT_GUEST_MEMFD, err);
	}
	assert_null(g);
	assert_int_equal(fake_sys.close(&u->f, fd), 0);
}

static void a_claim_that_cannot_be_true_is_refused(void **state)
{
	struct unit *u = *state;
	int fd = fake_fd(&u->f, FAKE_FD_GMEM, 3 * MiB, 0);
	struct gmem_adopt_opts o = { .sz = sizeof(o) };
	struct gmem_error err;
	struct gmem *g = NULL;

	t_refused(adopt(u, u->vm, fd, GMEM_ADOPT_INIT_SHARED, &g, &err),
		  -EINVAL, GMEM_REASON_INIT_SHARED_UNMAPPABLE, err);
	o.hugetlb_size = 3 * MiB;
	t_refused(gmem_adopt(u->vm, fd, &o, &g, &err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, err);
	o.hugetlb_size = 2 * MiB;
	t_refused(gmem_adopt(u->vm, fd, &o, &g, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	t_refused(adopt(u, u->vm, fd, 1 << 5, &g, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	t_refused(adopt(u, u->vm, fd, 0, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_null(g);
	assert_non_null(fake_file(&u->f, fd));
	assert_int_equal(fake_sys.close(&u->f, fd), 0);
}

static void the_page_size_is_the_senders_word(void **state)
{
	struct unit *u = *state;
	int fd = fake_fd(&u->f, FAKE_FD_GMEM, 4 * MiB, 3);
	struct gmem_adopt_opts o = { .sz = sizeof(o), .hugetlb_size = 2 * MiB };
	struct gmem_error err;
	struct gmem *g = NULL;

	t_ok(gmem_adopt(u->vm, fd, &o, &g, &err), err);
	assert_int_equal(gmem_page_size(g), 2 * MiB);
	t_ok(gmem_close(g, &err), err);
}

static void an_adopted_file_of_another_vm_is_diagnosed(void **state)
{
	struct unit *u = *state;
	int fd = fake_fd(&u->f, FAKE_FD_GMEM, 64 * KiB, 3);
	struct gmem_error err;
	struct gmem *g = NULL;

	fake_file(&u->f, fd)->foreign = true;
	t_ok(adopt(u, u->vm, fd, GMEM_ADOPT_INIT_SHARED, &g, &err), err);
	t_refused(gmem_bind(g, 0, 0, 0, 4096, NULL, &err), -EOPNOTSUPP,
		  GMEM_REASON_FOREIGN_VM, err);
	assert_true(err.flags & GMEM_ERROR_DIAGNOSED);
	t_ok(gmem_close(g, &err), err);
}

#define TEST(name, how) cmocka_unit_test_setup_teardown(name, how, unit_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(adopt_learns_size_and_mappability, unit_default),
		TEST(adopt_works_without_a_vm, unit_default),
		TEST(what_is_no_guest_memfd_stays_the_callers, unit_default),
		TEST(an_anonymous_inode_is_no_guest_memfd_by_its_magic,
		     unit_default),
		TEST(a_claim_that_cannot_be_true_is_refused, unit_default),
		TEST(the_page_size_is_the_senders_word, unit_default),
		TEST(an_adopted_file_of_another_vm_is_diagnosed, unit_default),
	};

	return t_main(tests);
}
