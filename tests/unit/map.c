// SPDX-License-Identifier: MIT
/* Mappings of the file for the host. */
#include <sys/mman.h>

#include "unit.h"

static int map_as(struct gmem *g, uint64_t offset, uint64_t len, uint64_t flags,
		  void **out, struct gmem_error *err)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o), .flags = flags };

	return gmem_mmap(g, offset, len, &o, out, err);
}

static void a_mapping_shows_the_files_bytes(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	const struct unit_call *c;
	struct gmem_error err;
	void *p = NULL;
	char b[4];

	t_ok(gmem_mmap(g, 64 * KiB, 2 * PAGE, NULL, &p, &err), err);
	c = unit_nth(u, "mmap", 0, 0);
	assert_int_equal(c->fd, gmem_fd(g));
	assert_int_equal(c->arg[1], 2 * PAGE);
	assert_int_equal(c->arg[2], MAP_SHARED);
	assert_int_equal(c->arg[3], 64 * KiB);
	assert_int_equal(u->n_allocs, 1);
	memcpy(p, "abc", 4);
	t_ok(gmem_read(g, 64 * KiB, b, 4, &err), err);
	assert_string_equal(b, "abc");
	t_ok(gmem_munmap(g, p, &err), err);
}

static void each_mapping_stays_out_of_children_and_core_dumps(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;
	void *p = NULL;

	t_ok(gmem_mmap(g, 0, 2 * PAGE, NULL, &p, &err), err);
	assert_int_equal(unit_count(u, "madvise", 0), 2);
	assert_int_equal(unit_nth(u, "madvise", 0, 0)->arg[2], MADV_DONTFORK);
	assert_int_equal(unit_nth(u, "madvise", 0, 1)->arg[2], MADV_DONTDUMP);
	t_ok(gmem_munmap(g, p, &err), err);
}

/* A mapping that cannot be as was asked is removed. */
static void children_and_core_dumps_have_it_on_request(void **state)
{
	static const struct {
		uint64_t flag;
		uint64_t advice;
	} rows[] = {
		{ GMEM_MMAP_FORK, MADV_DOFORK },
		{ GMEM_MMAP_DUMP, MADV_DODUMP },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_mmap_opts o = { .sz = sizeof(o),
					    .flags = rows[i].flag };
		void *p = NULL;

		unit_reset(u);
		t_ok(gmem_mmap(g, 0, 2 * PAGE, &o, &p, &err), err);
		assert_int_equal(unit_count(u, "madvise", 0), 3);
		assert_int_equal(unit_nth(u, "madvise", 0, 2)->arg[2],
				 rows[i].advice);
		t_ok(gmem_munmap(g, p, &err), err);
		p = NULL;
		unit_reset(u);
		unit_answer(u, "madvise", 0, 3, 1, -EINVAL);
		t_refused(gmem_mmap(g, 0, 2 * PAGE, &o, &p, &err), -EINVAL,
			  GMEM_REASON_KERNEL, err);
		assert_null(p);
		assert_int_equal(unit_mappings(u), 1); /* the VM's page */
	}
}

static void munmap_takes_only_what_mmap_gave(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem *other = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;
	void *p = NULL;

	t_ok(gmem_mmap(g, 0, 2 * PAGE, NULL, &p, &err), err);
	unit_reset(u);
	t_refused(gmem_munmap(g, (char *)p + PAGE, &err), -EINVAL,
		  GMEM_REASON_NOT_MAPPED, err);
	t_refused(gmem_munmap(other, p, &err), -EINVAL, GMEM_REASON_NOT_MAPPED,
		  err);
	t_refused(gmem_munmap(g, NULL, &err), -EINVAL, GMEM_REASON_NOT_MAPPED,
		  err);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_munmap(g, p, &err), err);
	assert_int_equal(u->n_calls, 1);
	t_refused(gmem_munmap(g, p, &err), -EINVAL, GMEM_REASON_NOT_MAPPED,
		  err);
}

static void a_failed_munmap_keeps_the_mapping(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;
	void *p = NULL;

	t_ok(gmem_mmap(g, 0, 2 * PAGE, NULL, &p, &err), err);
	unit_answer(u, "munmap", 0, 1, 1, -ENOMEM);
	t_refused(gmem_munmap(g, p, &err), -ENOMEM, GMEM_REASON_NO_MEMORY, err);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_MAPPED, err);
	t_ok(gmem_munmap(g, p, &err), err);
	t_ok(gmem_close(g, &err), err);
}

static void a_file_without_mmap_is_not_mapped(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, GMEM_CREATE_UNBOUND);
	struct gmem_error err;
	void *p = NULL;
	char b[4] = "abc";

	t_refused(gmem_mmap(g, 0, 2 * PAGE, NULL, &p, &err), -EOPNOTSUPP,
		  GMEM_REASON_NOT_MAPPABLE, err);
	t_refused(map_as(g, 0, 2 * PAGE, GMEM_MMAP_ALLOW_PRIVATE, &p, &err),
		  -EOPNOTSUPP, GMEM_REASON_NOT_MAPPABLE, err);
	t_refused(gmem_read(g, 0, b, 4, &err), -EOPNOTSUPP,
		  GMEM_REASON_NOT_MAPPABLE, err);
	t_refused(gmem_write(g, 0, b, 4, &err), -EOPNOTSUPP,
		  GMEM_REASON_NOT_MAPPABLE, err);
	assert_null(p);
	assert_string_equal(b, "abc");
	assert_int_equal(u->n_calls, 0);
}

static void private_memory_is_mapped_only_by_name(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;
	void *p = NULL;

	t_ok(gmem_set_private(g, 64 * KiB, PAGE, &err), err);
	unit_reset(u);
	t_refused(gmem_mmap(g, 0, 1 * MiB, NULL, &p, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.value, 64 * KiB);
	t_refused(gmem_mmap(g, 64 * KiB, PAGE, NULL, &p, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	t_refused(gmem_mmap(g, 64 * KiB - PAGE, 2 * PAGE, NULL, &p, &err),
		  -EACCES, GMEM_REASON_PRIVATE, err);
	assert_null(p);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(u->n_allocs, 0);
	t_ok(map_as(g, 0, 1 * MiB, GMEM_MMAP_ALLOW_PRIVATE, &p, &err), err);
	t_ok(gmem_munmap(g, p, &err), err);
	t_ok(gmem_mmap(g, 64 * KiB + PAGE, 64 * KiB, NULL, &p, &err), err);
	t_ok(gmem_munmap(g, p, &err), err);
}

static void a_guest_only_file_is_private_to_the_host(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB,
				     GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	struct gmem_error err;
	void *p = NULL;
	char b[4];

	t_refused(gmem_mmap(g, 0, 2 * PAGE, NULL, &p, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	t_refused(gmem_read(g, 0, b, 4, &err), -EACCES, GMEM_REASON_PRIVATE,
		  err);
	assert_int_equal(unit_count(u, "process_vm_readv", 0), 0);
}

/*
 * Up to 7.3 the guest's attributes and the host's reach are two things: what
 * the guest shares of a private file, the host can touch no more than before.
 */
static void a_vm_attribute_does_not_open_a_private_file(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB,
				     GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	struct gmem_error err;
	void *p = NULL;
	char b[4];

	unit_bind(u, g, 0, 0);
	t_ok(gmem_set_shared(g, 0, 1 * MiB, &err), err);
	t_refused(gmem_mmap(g, 0, 2 * PAGE, NULL, &p, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	t_refused(gmem_read(g, 0, b, 4, &err), -EACCES, GMEM_REASON_PRIVATE,
		  err);
}

static void a_read_only_mapping_is_asked_for_as_such(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;
	char line[256];
	void *p = NULL;
	FILE *maps;
	bool found = false;

	t_ok(map_as(g, 0, 2 * PAGE, GMEM_MMAP_READONLY, &p, &err), err);
	maps = fopen("/proc/self/maps", "r");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strtoull(line, NULL, 16) == (uintptr_t)p)
			found = strstr(line, " r--s ") != NULL;
	(void)fclose(maps);
	assert_true(found);
	t_ok(gmem_munmap(g, p, &err), err);
	t_refused(map_as(g, 0, 2 * PAGE, 32, &p, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	t_refused(gmem_mmap(g, 0, 2 * PAGE, NULL, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
}

static void each_errno_of_mmap_has_its_reason(void **state)
{
	static const struct {
		int code, want;
		uint32_t why;
	} rows[] = {
		{ -ENOMEM, -ENOMEM, GMEM_REASON_NO_MEMORY },
		{ -EPERM, -EPERM, GMEM_REASON_ACCESS_DENIED },
		{ -EACCES, -EACCES, GMEM_REASON_ACCESS_DENIED },
		/* mlockall(2) and RLIMIT_MEMLOCK: not a matter of trying */
		{ -EAGAIN, -ENOMEM, GMEM_REASON_LOCK_LIMIT },
		{ -ENODEV, -ENODEV, GMEM_REASON_KERNEL },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_error err;
		void *p = NULL;

		unit_reset(u);
		unit_answer(u, "mmap", 0, 1, 1, rows[i].code);
		t_refused(gmem_mmap(g, 0, PAGE, NULL, &p, &err), rows[i].want,
			  rows[i].why, err);
		assert_int_equal(err.sys_errno, -rows[i].code);
		assert_null(p);
		assert_int_equal(u->live_allocs, 2); /* VM and file */
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_mapping_shows_the_files_bytes, unit_default),
		TEST(children_and_core_dumps_have_it_on_request, unit_default),
		TEST(each_mapping_stays_out_of_children_and_core_dumps,
		     unit_default),
		TEST(munmap_takes_only_what_mmap_gave, unit_default),
		TEST(a_failed_munmap_keeps_the_mapping, unit_default),
		TEST(a_file_without_mmap_is_not_mapped, unit_default),
		TEST(private_memory_is_mapped_only_by_name, unit_inplace),
		TEST(a_guest_only_file_is_private_to_the_host, unit_default),
		TEST(a_vm_attribute_does_not_open_a_private_file, unit_sw),
		TEST(a_read_only_mapping_is_asked_for_as_such, unit_default),
		TEST(each_errno_of_mmap_has_its_reason, unit_default),
	};

	return t_main(tests);
}
