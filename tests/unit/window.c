// SPDX-License-Identifier: MIT
/* What is mapped for one call: no more than it touches, and never lost. */
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#include "uapi.h"

static void a_copy_maps_only_the_pages_that_it_touches(void **state)
{
	struct unit *m = *state;
	uint64_t at = 5 * GiB + 3;
	struct gmem_error err;
	struct gmem *g;
	char b[2] = "ab";

	g = unit_create(m, 64 * GiB, SHARED_FLAGS);
	unit_reset(m);
	t_ok(gmem_write(g, at, b, 1, &err), err);
	assert_int_equal(unit_count(m, "mmap", 0), 1);
	assert_int_equal(unit_sum(m, "mmap"), m->page);
	t_ok(gmem_read(g, at, b + 1, 1, &err), err);
	assert_int_equal(b[1], 'a');
	assert_int_equal(unit_sum(m, "mmap"), 2 * m->page);
	/* a byte on each side of a page's end */
	t_ok(gmem_read(g, m->page - 1, b, 2, &err), err);
	assert_int_equal(unit_sum(m, "mmap"), 4 * m->page);
	assert_int_equal(unit_file_mappings(m), 0);
	/* What was read and never written is allocated by that. */
	assert_int_equal(unit_allocated(m, gmem_fd(g), 0, 64 * GiB, -1),
			 3 * m->page);
}

static void a_file_beyond_the_address_space_can_be_copied(void **state)
{
	struct unit *m = *state;
	uint64_t size = 1ULL << 48;
	char in[6] = "hello", out[6];
	struct gmem_error err;
	struct gmem *g;

	g = unit_create(m, size, SHARED_FLAGS);
	t_ok(gmem_write(g, size - sizeof(in), in, sizeof(in), &err), err);
	t_ok(gmem_read(g, size - sizeof(in), out, sizeof(out), &err), err);
	assert_string_equal(out, "hello");
	t_ok(gmem_populate(g, size - m->page, m->page, NULL, &err), err);
	assert_int_equal(unit_allocated(m, gmem_fd(g), 0, size, -1), m->page);
}

static void no_call_maps_more_than_64_mib_at_once(void **state)
{
	struct unit *m = *state;
	uint64_t size = 160 * MiB, at = 5;
	struct gmem_placement where = { .sz = sizeof(where) };
	struct gmem_error err = { .sz = sizeof(err) };
	int fd = memfd_create("input", MFD_CLOEXEC);
	unsigned char *buf = malloc(size);
	struct gmem *g;

	assert_non_null(buf);
	g = unit_create(m, size, SHARED_FLAGS);
	for (uint64_t i = 0; i < size; i += m->page / 2)
		buf[i] = (unsigned char)(i / 777);
	unit_reset(m);
	t_ok(gmem_write(g, at, buf, size - at, &err), err);
	assert_int_equal(err.done, size - at);
	assert_int_equal(unit_longest(m, "mmap"), 64 * MiB);
	assert_int_equal(unit_count(m, "mmap", 0), 3);
	assert_int_equal(write(fd, buf, size), size);
	memset(buf, 0, size);
	t_ok(gmem_read(g, at, buf, size - at, &err), err);
	for (uint64_t i = 0; i < size - at; i += m->page / 2)
		assert_int_equal(buf[i], (unsigned char)(i / 777));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	t_ok(gmem_load(g, 0, fd, size, NULL, &err), err);
	assert_int_equal(err.done, size);
	t_ok(gmem_populate(g, 0, size, NULL, &err), err);
	assert_true(gmem_verify_placement(g, 0, size, NULL, &where, &err) >= 0);
	assert_int_equal(where.resident, size);
	assert_int_equal(unit_longest(m, "mmap"), 64 * MiB);
	assert_int_equal(unit_file_mappings(m), 0);
	assert_int_equal(close(fd), 0);
	free(buf);
}

static void a_bound_file_is_not_mapped_again(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	struct gmem *g;
	char b[4] = "abc";

	g = unit_create(m, 4 * MiB, SHARED_FLAGS);
	err = (struct gmem_error){ .sz = sizeof(err) };
	assert_true(gmem_bind(g, 0, 0, 0, 4 * MiB, NULL, &err) >= 0);
	unit_reset(m);
	t_ok(gmem_write(g, 100, b, 4, &err), err);
	t_ok(gmem_read(g, 100, b, 4, &err), err);
	t_ok(gmem_populate(g, 0, 4 * MiB, NULL, &err), err);
	assert_int_equal(unit_count(m, "mmap", 0), 0);
}

static void what_cannot_be_unmapped_is_tried_again(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	struct gmem *g;
	char b[4];

	g = unit_create(m, 4 * MiB, SHARED_FLAGS);
	t_ok(gmem_model_fail(m->vm, "munmap", 1, ENOMEM, &err), err);
	t_ok(gmem_read(g, 0, b, 4, &err), err);
	assert_int_equal(unit_file_mappings(m), 1);
	/* and again it cannot, but the next one is not in its way */
	t_ok(gmem_model_fail(m->vm, "munmap", 1, ENOMEM, &err), err);
	t_ok(gmem_read(g, 0, b, 4, &err), err);
	assert_int_equal(unit_file_mappings(m), 1);
	t_ok(gmem_read(g, 0, b, 4, &err), err);
	assert_int_equal(unit_file_mappings(m), 0);
}

/* Mapped are a window that was left, the view, and the record. */
static struct gmem *with_mappings(struct unit *m)
{
	struct gmem_error err;
	struct gmem *g;
	char b[4];

	g = unit_create(m, 4 * MiB, SHARED_FLAGS);
	t_ok(gmem_model_fail(m->vm, "munmap", 1, ENOMEM, &err), err);
	t_ok(gmem_read(g, 0, b, 4, &err), err);
	err = (struct gmem_error){ .sz = sizeof(err) };
	/* which removes that window again, if it can */
	t_ok(gmem_model_fail(m->vm, "munmap", 1, ENOMEM, &err), err);
	assert_true(gmem_bind(g, 0, 0, 0, 4 * MiB, NULL, &err) >= 0);
	t_ok(gmem_unbind(g, 0, NULL, &err), err);
	return g;
}

static void close_keeps_the_file_until_its_mappings_are_gone(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	char b[4] = "abc";
	unsigned int n;

	unit_open(m, "inplace", GMEM_VM_SW_PROTECTED);
	for (n = 1;; n++) {
		struct gmem *g = with_mappings(m);
		uint64_t a;
		int r;

		t_ok(gmem_model_fail(m->vm, "munmap", n, EPERM, &err), err);
		err = (struct gmem_error){ .sz = sizeof(err) };
		r = gmem_close(g, &err);
		if (r == 0)
			break;
		t_code(r, -EPERM);
		t_reason(&err, GMEM_REASON_ACCESS_DENIED);
		t_ok(gmem_set_private(g, 0, m->page, &err), err);
		t_ok(gmem_get_attributes(g, 0, m->page, &a, NULL, &err), err);
		assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
		t_ok(gmem_write(g, m->page, b, 4, &err), err);
		t_ok(gmem_close(g, &err), err);
		assert_int_equal(unit_file_mappings(m), 0);
	}
	assert_int_equal(n, 4); /* there were three */
	t_ok(gmem_model_fail(m->vm, NULL, 0, 0, &err), err);
}

static void unmap_rest(const struct unit *m)
{
	const struct gmem__node *n;

	while ((n = gmem__tree_first(&m->k->maps)) != NULL)
		assert_int_equal(model__sys.munmap(m->k,
						   (void *)(uintptr_t)n->start,
						   n->end - n->start),
				 0);
}

static void destroy_tells_of_a_mapping_that_stays(void **state)
{
	struct unit *m = *state, keep = { .page = m->page };
	struct gmem_model_opts o = { .sz = sizeof(o) };
	struct gmem_error err;

	for (unsigned int n = 1; n <= 3; n++) {
		int r;

		o.beside = m->vm;
		t_ok(gmem_model_vm_open("7.3", &o, &keep.vm, &err), err);
		keep.k = m->k;
		(void)with_mappings(&keep);
		t_ok(gmem_model_fail(m->vm, "munmap", n, EPERM, &err), err);
		err = (struct gmem_error){ .sz = sizeof(err) };
		r = gmem_vm_destroy(keep.vm, &err);
		t_code(r, -EPERM);
		t_reason(&err, GMEM_REASON_ACCESS_DENIED);
		/* The first is a file's, the last the VM's own page. */
		assert_int_equal(unit_file_mappings(m), n < 3);
		unmap_rest(m);
	}
}

static void a_vm_is_closed_when_its_page_is_gone(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	struct gmem *g;

	t_ok(gmem_model_fail(m->vm, "munmap", 1, EPERM, &err), err);
	t_refused(gmem_vm_close(m->vm, &err), -EPERM, GMEM_REASON_ACCESS_DENIED,
		  err);
	g = unit_create(m, 4 * MiB, SHARED_FLAGS);
	t_ok(gmem_close(g, &err), err);
	t_ok(gmem_vm_close(m->vm, &err), err);
	m->vm = NULL;
}

static void a_page_that_adopt_tried_has_an_owner(void **state)
{
	struct unit *m = *state;
	struct gmem__create how = { .size = 4 * MiB, .flags = SHARED_FLAGS };
	struct gmem *g = NULL;
	struct gmem_error err;
	int fd;

	fd = model__sys.ioctl(m->k, gmem_vm_fd(m->vm),
			      GMEM__KVM_CREATE_GUEST_MEMFD, &how);
	assert_true(fd >= 0);
	t_ok(gmem_model_fail(m->vm, "munmap", 1, EPERM, &err), err);
	t_ok(gmem_adopt(m->vm, fd, NULL, &g, &err), err);
	assert_int_equal(unit_file_mappings(m), 1);
	t_ok(gmem_close(g, &err), err);
	assert_int_equal(unit_file_mappings(m), 0);
}

/* And all of them when it can be. */
static void each_that_cannot_be_unmapped_is_tried_again(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 4 * MiB, SHARED_FLAGS);
	struct gmem_error err;
	char b[4];

	unit_answer(m, "munmap", 0, 1, 3, -ENOMEM);
	t_ok(gmem_read(g, 0, b, 4, &err), err);
	/* that one still, and the next one */
	t_ok(gmem_read(g, 0, b, 4, &err), err);
	assert_int_equal(unit_file_mappings(m), 2);
	t_ok(gmem_read(g, 0, b, 4, &err), err);
	assert_int_equal(unit_file_mappings(m), 0);
}

/* One file that the caller has mapped, and one with a reservation. */
static void destroy_tells_of_each_mapping_that_stays(void **state)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o),
				    .flags = GMEM_MMAP_ALLOW_PRIVATE };
	struct unit *m = *state;
	unsigned int n;
	void *p = NULL;
	int r = -1;

	for (n = 1; r < 0; n++) {
		m->vm = unit_vm(m, GMEM_VM_SW_PROTECTED, NULL, NULL);
		unit_create(m, 1 * MiB, 0);
		unit_bind(m, m->g, 0, GiB);
		unit_create(m, 1 * MiB,
			    GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
		t_ok(gmem_mmap(m->g, 0, 64 * KiB, &o, &p, &m->err), m->err);
		unit_reset(m);
		unit_answer(m, "munmap", 0, n, 1, -EPERM);
		m->err = (struct gmem_error){ .sz = sizeof(m->err) };
		r = gmem_vm_destroy(m->vm, &m->err);
		m->vm = NULL;
		unit_reset(m);
		if (r < 0) {
			t_code(r, -EPERM);
			t_reason(&m->err, GMEM_REASON_ACCESS_DENIED);
		}
		for (size_t i = 0; i < UNIT_MAPS; i++)
			if (m->maps[i].addr)
				assert_int_equal(
					unit_sys.munmap(m, m->maps[i].addr,
							m->maps[i].len),
					0);
		assert_int_equal(m->live_allocs, 0);
	}
	/* these two, the records of both, and the VM's own page */
	assert_int_equal(n, 7);
}

/* A child, or a core dump, would have what the rule keeps from them. */
static void a_mapping_that_cannot_be_kept_apart_is_none(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 4 * MiB, SHARED_FLAGS);
	unsigned int maps = unit_mappings(m);
	void *p = NULL;

	for (unsigned int nth = 1; nth <= 2; nth++) {
		unit_reset(m);
		unit_answer(m, "madvise", 0, nth, 1, -EINVAL);
		t_code(gmem_mmap(g, 0, 64 * KiB, NULL, &p, NULL), -EINVAL);
		assert_null(p);
		assert_int_equal(unit_mappings(m), maps);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_copy_maps_only_the_pages_that_it_touches,
		     unit_default73),
		TEST(a_file_beyond_the_address_space_can_be_copied,
		     unit_default73),
		TEST(no_call_maps_more_than_64_mib_at_once, unit_default73),
		TEST(a_bound_file_is_not_mapped_again, unit_default73),
		TEST(what_cannot_be_unmapped_is_tried_again, unit_default73),
		TEST(close_keeps_the_file_until_its_mappings_are_gone,
		     unit_bare73),
		TEST(destroy_tells_of_a_mapping_that_stays, unit_default73),
		TEST(a_vm_is_closed_when_its_page_is_gone, unit_default73),
		TEST(a_page_that_adopt_tried_has_an_owner, unit_default73),
		TEST(each_that_cannot_be_unmapped_is_tried_again,
		     unit_default73),
		TEST(destroy_tells_of_each_mapping_that_stays, unit_bare73),
		TEST(a_mapping_that_cannot_be_kept_apart_is_none,
		     unit_default73),
	};

	return t_main(tests);
}
