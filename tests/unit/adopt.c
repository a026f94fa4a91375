// SPDX-License-Identifier: MIT
/* Taking over a descriptor: what it must be, and what may be claimed of it. */
#include <sys/stat.h>

#include "unit.h"

#include "adopt.h"

static int adopt(struct unit *u, struct gmem_vm *vm, int fd, uint64_t flags,
		 struct gmem **out, struct gmem_error *err)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o), .flags = flags };

	return gmem__adopt_on(&unit_sys, u, vm, fd, &o, out, err);
}

static void adopt_learns_size_and_mappability(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;

	for (int own = 0; own < 2; own++) {
		struct gmem *g = NULL;
		int fd;

		unit_open(u, own ? "6.19" : "6.18", GMEM_VM_DEFAULT);
		fd = unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, 3);
		t_ok(adopt(u, u->vm, fd, GMEM_ADOPT_INIT_SHARED, &g, &err),
		     err);
		assert_int_equal(gmem_fd(g), fd);
		assert_int_equal(gmem_size(g), 64 * KiB);
		assert_int_equal(gmem_flags(g), SHARED_FLAGS);
		assert_true(unit_is_cloexec(fd));
		t_ok(gmem_close(g, &err), err);
		assert_false(unit_is_open(fd));
		fd = unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, 0);
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
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), 64 * KiB, 3);
	char in[4] = "abc", out[4] = "";

	t_ok(adopt(u, NULL, fd, GMEM_ADOPT_INIT_SHARED, &g, &err), err);
	t_ok(gmem_write(g, 5, in, 4, &err), err);
	t_ok(gmem_read(g, 5, out, 4, &err), err);
	assert_string_equal(out, "abc");
	unit_reset(u);
	t_refused(t_bind(g, 0, 0, 0, PAGE, NULL, &err), -EINVAL,
		  GMEM_REASON_NOT_A_VM, err);
	t_refused(gmem_set_private(g, 0, PAGE, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	t_refused(gmem_set_shared(g, 0, PAGE, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_close(g, &err), err);
}

static void what_is_no_guest_memfd_stays_the_callers(void **state)
{
	static const char page[64 * KiB];
	struct unit *u = *state;
	int fds[] = { unit_input(u, "", 1, 0),
		      unit_input(u, page, sizeof(page), 0),
		      unit_memfd(u, page, sizeof(page), 0), unit_vm_fd(u, 0),
		      unit_device_fd(u) };
	struct gmem_error err;
	struct gmem *g = NULL;

	for (size_t i = 0; i < T_ARRAY_SIZE(fds); i++) {
		t_refused(adopt(u, u->vm, fds[i], 0, &g, &err), -EINVAL,
			  GMEM_REASON_NOT_GUEST_MEMFD, err);
		assert_int_equal(err.value, fds[i]);
		assert_true(unit_is_open(fds[i]));
		assert_int_equal(unit_count(u, "fcntl", 0), 0);
		assert_int_equal(unit_sys.close(u, fds[i]), 0);
	}
	t_refused(adopt(u, u->vm, fds[0], 0, &g, &err), -EBADF,
		  GMEM_REASON_BAD_FD, err);
	unit_reset(u);
	t_refused(adopt(u, u->vm, -1, 0, &g, &err), -EBADF, GMEM_REASON_BAD_FD,
		  err);
	assert_int_equal(u->n_calls, 0);
	assert_null(g);
}

/* Up to 6.18 the magic is that of every anonymous inode. */
static void an_anonymous_inode_is_no_guest_memfd_by_its_magic(void **state)
{
	const struct gmem__stat stats[] = {
		{ .size = 0, .mode = S_IFREG | 0600 },
		{ .size = 1, .mode = S_IFREG | 0600 },
		{ .size = 5000, .mode = S_IFREG | 0600 },
		{ .size = PAGE, .mode = 0600 },
	};
	struct unit *u = *state;
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), PAGE, 3);
	struct gmem_error err;
	struct gmem *g = NULL;

	for (size_t i = 0; i < T_ARRAY_SIZE(stats); i++) {
		u->stat = &stats[i];
		t_refused(adopt(u, u->vm, fd, 0, &g, &err), -EINVAL,
			  GMEM_REASON_NOT_GUEST_MEMFD, err);
	}
	u->stat = NULL;
	assert_null(g);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_claim_that_cannot_be_true_is_refused(void **state)
{
	struct unit *u = *state;
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), 3 * MiB, 0);
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
	assert_true(unit_is_open(fd));
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void the_page_size_is_the_senders_word(void **state)
{
	struct unit *u = *state;
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), 4 * MiB, 3);
	struct gmem_adopt_opts o = { .sz = sizeof(o), .hugetlb_size = 2 * MiB };
	struct gmem_error err;
	struct gmem *g = NULL;

	t_ok(gmem_adopt(u->vm, fd, &o, &g, &err), err);
	assert_int_equal(gmem_page_size(g), 2 * MiB);
	t_ok(gmem_close(g, &err), err);
}

/* A file of @size in huge pages that a kernel made which says so. */
static int huge_fd(struct unit *u, uint64_t size, unsigned int log2)
{
	struct gmem__create args = { .size = size, .flags = 4 };
	uint64_t base = u->page;
	int fd;

	*(unsigned char *)args.reserved =
		(unsigned char)(log2 - __builtin_ctzll(base));
	fd = unit_sys.ioctl(u, gmem_vm_fd(u->vm), GMEM__KVM_CREATE_GUEST_MEMFD,
			    &args);
	assert_true(fd >= 0);
	return fd;
}

static void the_page_size_that_a_file_tells_is_verified(void **state)
{
	static const uint64_t wrong[] = { 64 * KiB, 1 * MiB, 1 * GiB };
	struct unit *u = *state;
	struct gmem_adopt_opts o = { .sz = sizeof(o) };
	struct gmem_error err;
	struct gmem *g = NULL;
	int fd;

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	fd = huge_fd(u, 1 * GiB, 21);
	for (size_t i = 0; i < T_ARRAY_SIZE(wrong); i++) {
		o.hugetlb_size = wrong[i];
		t_refused(gmem_adopt(u->vm, fd, &o, &g, &err), -EINVAL,
			  GMEM_REASON_HUGETLB_CONTRADICTED, err);
		assert_int_equal(err.value, wrong[i]);
		assert_int_equal(err.limit, 2 * MiB);
		/* nor without a VM, whose kernel could deny it */
		t_refused(gmem__adopt_on(&unit_sys, u, NULL, fd, &o, &g, &err),
			  -EINVAL, GMEM_REASON_HUGETLB_CONTRADICTED, err);
	}
	assert_null(g);
	assert_true(unit_is_open(fd));
	o.hugetlb_size = 2 * MiB;
	t_ok(gmem_adopt(u->vm, fd, &o, &g, &err), err);
	assert_int_equal(gmem_page_size(g), 2 * MiB);
	t_ok(gmem_close(g, &err), err);
	/* 0: as the file says. */
	fd = huge_fd(u, 4 * MiB, 21);
	t_ok(gmem_adopt(u->vm, fd, NULL, &g, &err), err);
	assert_int_equal(gmem_page_size(g), 2 * MiB);
	t_ok(gmem_close(g, &err), err);
}

/* On a kernel that says it, base pages are known too. */
static void huge_pages_are_not_claimed_of_a_file_that_denies_them(void **state)
{
	struct unit *u = *state;
	struct gmem_adopt_opts o = { .sz = sizeof(o), .hugetlb_size = 2 * MiB };
	struct gmem_error err;
	struct gmem *g = NULL;
	int fd;

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	fd = unit_file_fd(u, gmem_vm_fd(u->vm), 4 * MiB, 0);
	t_refused(gmem_adopt(u->vm, fd, &o, &g, &err), -EINVAL,
		  GMEM_REASON_HUGETLB_CONTRADICTED, err);
	assert_int_equal(err.limit, u->page);
	t_ok(gmem_adopt(u->vm, fd, NULL, &g, &err), err);
	assert_int_equal(gmem_page_size(g), u->page);
	t_ok(gmem_close(g, &err), err);
}

/* What no kernel says is not believed of one. */
static void a_block_size_that_no_page_has_says_nothing(void **state)
{
	static const uint64_t blocks[] = { 0,	    1,		512,
					   3 * MiB, 1ULL << 40, UINT64_MAX };
	struct unit *u = *state;
	struct gmem__stat st = { .size = 4 * MiB, .mode = S_IFREG | 0600 };
	struct gmem_error err;
	struct gmem *g = NULL;
	int fd;

	for (size_t i = 0; i < T_ARRAY_SIZE(blocks); i++) {
		fd = unit_file_fd(u, gmem_vm_fd(u->vm), 4 * MiB, 3);
		st.block = blocks[i];
		u->stat = &st;
		t_ok(gmem_adopt(u->vm, fd, NULL, &g, &err), err);
		u->stat = NULL;
		assert_int_equal(gmem_page_size(g), u->page);
		t_ok(gmem_close(g, &err), err);
	}
}

static void an_adopted_file_of_another_vm_is_diagnosed(void **state)
{
	struct unit *u = *state;
	int other = unit_vm_fd(u, 0);
	int fd = unit_file_fd(u, other, 64 * KiB, 3);
	struct gmem_error err;
	struct gmem *g = NULL;

	assert_int_equal(unit_sys.close(u, other), 0);
	t_ok(adopt(u, u->vm, fd, GMEM_ADOPT_INIT_SHARED, &g, &err), err);
	t_refused(t_bind(g, 0, 0, 0, PAGE, NULL, &err), -EOPNOTSUPP,
		  GMEM_REASON_FOREIGN_VM, err);
	assert_true(err.flags & GMEM_ERROR_DIAGNOSED);
	t_ok(gmem_close(g, &err), err);
}

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
		TEST(the_page_size_that_a_file_tells_is_verified, unit_bare),
		TEST(huge_pages_are_not_claimed_of_a_file_that_denies_them,
		     unit_bare),
		TEST(a_block_size_that_no_page_has_says_nothing, unit_default),
		TEST(an_adopted_file_of_another_vm_is_diagnosed, unit_default),
	};

	return t_main(tests);
}
