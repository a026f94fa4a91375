// SPDX-License-Identifier: MIT
/* How a file starts that was taken over, and what it is known by. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static int adopt(struct unit *m, int fd, uint64_t flags, struct gmem **out,
		 struct gmem_error *err)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o), .flags = flags };

	return gmem_adopt(m->vm, fd, &o, out, err);
}

/* A descriptor of a file that no handle of .vm has. */
static int stray(struct unit *m, uint64_t flags)
{
	return unit_file_fd(m, gmem_vm_fd(m->vm), 1 * MiB, flags);
}

static uint64_t attributes(struct gmem *g)
{
	uint64_t attributes = UINT64_MAX;
	struct gmem_error err;

	t_ok(gmem_get_attributes(g, 0, gmem_size(g), &attributes, NULL, &err),
	     err);
	return attributes;
}

static void in_place_it_starts_as_was_claimed_and_converts(void **state)
{
	static const uint64_t claims[] = {
		0,
		GMEM_ADOPT_INIT_SHARED,
		GMEM_ADOPT_FOREIGN,
		GMEM_ADOPT_FOREIGN | GMEM_ADOPT_INIT_SHARED,
	};
	struct unit *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(claims); i++) {
		bool shared = claims[i] & GMEM_ADOPT_INIT_SHARED;
		int fd = stray(m, shared ? SHARED_FLAGS : GMEM_CREATE_MMAP);
		struct gmem *g = NULL;

		t_ok(adopt(m, fd, claims[i], &g, &m->err), m->err);
		assert_int_equal(gmem_flags(g),
				 shared ? SHARED_FLAGS : GMEM_CREATE_MMAP);
		assert_int_equal(attributes(g),
				 shared ? GMEM_ATTRIBUTE_SHARED
					: GMEM_ATTRIBUTE_PRIVATE);
		t_ok(gmem_set_shared(g, 0, 64 * KiB, &m->err), m->err);
		t_ok(gmem_set_private(g, 0, 64 * KiB, &m->err), m->err);
		t_ok(gmem_close(g, &m->err), m->err);
	}
}

/* Its attributes are those of addresses of the other VM. */
static void by_address_a_foreign_file_does_not_convert(void **state)
{
	struct unit *m = *state;
	struct gmem *g = NULL;
	int fd = stray(m, 0);

	t_ok(adopt(m, fd, GMEM_ADOPT_FOREIGN, &g, &m->err), m->err);
	assert_int_equal(gmem_flags(g), 0);
	t_refused(gmem_set_shared(g, 0, 64 * KiB, &m->err), -EOPNOTSUPP,
		  GMEM_REASON_NO_PRIVATE_MEMORY, m->err);
	t_ok(gmem_close(g, &m->err), m->err);
	fd = stray(m, 0);
	t_ok(adopt(m, fd, 0, &g, &m->err), m->err);
	t_ok(gmem_bind(g, 0, GiB, 0, 1 * MiB, NULL, &m->err), m->err);
	assert_int_equal(attributes(g), GMEM_ATTRIBUTE_PRIVATE);
}

static void a_claim_of_what_cannot_be_mapped_is_refused(void **state)
{
	struct unit *m = *state;
	struct gmem *g = NULL;
	int fd = stray(m, 0);

	t_refused(adopt(m, fd, GMEM_ADOPT_INIT_SHARED, &g, &m->err), -EINVAL,
		  GMEM_REASON_INIT_SHARED_UNMAPPABLE, m->err);
	assert_null(g);
	/* it is the caller's again, and can be taken as it is */
	t_ok(adopt(m, fd, 0, &g, &m->err), m->err);
	assert_int_equal(gmem_fd(g), fd);
}

/* By whatever descriptor, and however the handle came by its own. */
static void a_file_has_one_handle(void **state)
{
	struct unit *m = *state;
	struct gmem *made = unit_create(m, 1 * MiB, SHARED_FLAGS);
	struct gmem *last = unit_create(m, 1 * MiB, SHARED_FLAGS);
	struct gmem *taken = NULL, *again = NULL;
	int own = stray(m, SHARED_FLAGS), other = stray(m, SHARED_FLAGS);

	t_ok(adopt(m, own, GMEM_ADOPT_INIT_SHARED, &taken, &m->err), m->err);
	for (int i = 0; i < 3; i++) {
		const struct gmem *g = i == 0 ? made : i == 1 ? last : taken;
		int fds[] = { gmem_fd(g), dup(gmem_fd(g)) };

		for (size_t k = 0; k < T_ARRAY_SIZE(fds); k++) {
			t_refused(adopt(m, fds[k], GMEM_ADOPT_INIT_SHARED,
					&again, &m->err),
				  -EEXIST, GMEM_REASON_ALREADY_OWNED, m->err);
			assert_null(again);
			assert_int_equal(m->err.value, fds[k]);
			assert_int_equal(m->err.limit, gmem_fd(g));
			assert_true(fcntl(fds[k], F_GETFD) >= 0);
		}
		assert_int_equal(close(fds[1]), 0);
	}
	/* another file is another, and a number that was given back is free */
	t_ok(adopt(m, other, GMEM_ADOPT_INIT_SHARED, &again, &m->err), m->err);
	t_ok(gmem_close(again, &m->err), m->err);
	own = dup(gmem_fd(taken));
	t_ok(gmem_close(taken, &m->err), m->err);
	t_ok(adopt(m, own, GMEM_ADOPT_INIT_SHARED, &again, &m->err), m->err);
	assert_int_equal(gmem_fd(again), own);
}

/* As if a kernel had files of 2^63 bytes. */
static void a_file_too_large_for_a_record_is_refused(void **state)
{
	static const struct gmem__stat s = {
		.size = 1ULL << 63, .mode = S_IFREG | 0600, .ino = 5, .dev = 1
	};
	struct unit *m = *state;
	struct gmem *g = NULL;
	int fd = stray(m, 0);

	m->stat = &s;
	t_refused(adopt(m, fd, 0, &g, &m->err), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	m->stat = NULL;
	assert_null(g);
	assert_int_equal(unit_sys.close(m, fd), 0);
}

static void a_size_of_huge_pages_is_held_to_the_file(void **state)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_INIT_SHARED,
				     .hugetlb_size = 2 * MiB };
	struct unit *m = *state;
	struct gmem *g = NULL;
	int fd = stray(m, SHARED_FLAGS);

	t_refused(gmem_adopt(m->vm, fd, &o, &g, &m->err), -EINVAL,
		  GMEM_REASON_UNALIGNED, m->err);
	o.hugetlb_size = 3 * MiB;
	t_refused(gmem_adopt(m->vm, fd, &o, &g, &m->err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, m->err);
	o.hugetlb_size = 2 * MiB;
	t_refused(gmem_adopt(m->vm, 0, &o, &g, &m->err), -EINVAL,
		  GMEM_REASON_NOT_GUEST_MEMFD, m->err);
	assert_null(g);
	assert_int_equal(unit_sys.close(m, fd), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(in_place_it_starts_as_was_claimed_and_converts,
		     unit_inplace),
		TEST(by_address_a_foreign_file_does_not_convert, unit_sw),
		TEST(a_claim_of_what_cannot_be_mapped_is_refused, unit_sw),
		TEST(a_file_has_one_handle, unit_default73),
		TEST(a_file_has_one_handle, unit_inplace),
		TEST(a_file_too_large_for_a_record_is_refused, unit_sw),
		TEST(a_size_of_huge_pages_is_held_to_the_file, unit_default73),
	};

	return t_main(tests);
}
