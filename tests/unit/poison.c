// SPDX-License-Identifier: MIT
/* A page with a memory error and a private page are different errors. */
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#include "uapi_proposed.h"

#define BAD 5 /* the page that is poisoned */
#define PAGES 16

static struct gmem *poisoned(struct unit *m, const char *profile, uint32_t type)
{
	struct gmem_error err;
	struct gmem *g;

	unit_open(m, profile, type);
	g = unit_create(m, PAGES * m->page, SHARED_FLAGS);
	t_ok(gmem_model_poison(m->vm, gmem_fd(g), BAD * m->page, m->page, &err),
	     err);
	return g;
}

static void told(struct unit *m, int r, const struct gmem_error *err,
		 uint64_t done)
{
	t_code(r, -EHWPOISON);
	t_reason(err, GMEM_REASON_POISONED);
	assert_int_equal(err->code, -EHWPOISON);
	assert_int_equal(err->sys_errno, EHWPOISON);
	assert_int_equal(err->value, BAD * m->page);
	assert_int_equal(err->done, done);
	assert_int_equal(unit_file_mappings(m), 0);
}

/* Data: a hole would free the page. */
static int input(uint64_t len)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	char *data = calloc(1, len);

	assert_int_equal(pwrite(fd, data, len, 0), len);
	free(data);
	return fd;
}

/* Each call that touches, from page 2 on; then from the bad page itself. */
static void touch(struct unit *m, struct gmem *g)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t from = 2 * m->page + 1, len = (PAGES - 3) * m->page;
	unsigned char *buf = calloc(1, PAGES * m->page);
	int fd = input(PAGES * m->page), r;

	assert_non_null(buf);
	r = gmem_read(g, from, buf, len, &err);
	told(m, r, &err, BAD * m->page - from);
	r = gmem_read(g, BAD * m->page + 3, buf, 1, &err);
	t_code(r, -EHWPOISON);
	assert_int_equal(err.done, 0);
	/* a part of that page and a part of the next one, */
	r = gmem_read(g, BAD * m->page + 3, buf, m->page, &err);
	t_code(r, -EHWPOISON);
	/* and where a signal comes while the cause is looked for */
	unit_reset(m);
	unit_answer(m, "madvise", 0, 3, 1, -EINTR);
	r = gmem_read(g, BAD * m->page, buf, 1, &err);
	t_code(r, -EHWPOISON);
	r = gmem_write(g, from, buf, len, &err);
	told(m, r, &err, BAD * m->page - from);
	r = gmem_load(g, from, fd, len, NULL, &err);
	told(m, r, &err, BAD * m->page - from);
	r = gmem_store(g, from, fd, len, NULL, &err);
	told(m, r, &err, BAD * m->page - from);
	r = gmem_populate(g, 2 * m->page, 14 * m->page, NULL, &err);
	told(m, r, &err, (BAD - 2) * m->page);
	/* The pages before and after still work. */
	t_ok(gmem_read(g, 0, buf, BAD * m->page, &err), err);
	t_ok(gmem_write(g, (BAD + 1) * m->page, buf, 10 * m->page, &err), err);
	assert_int_equal(close(fd), 0);
	free(buf);
}

static void each_call_that_touches_it_says_so(void **state)
{
	struct unit *m = *state;

	touch(m, poisoned(m, "7.3", GMEM_VM_DEFAULT));
}

static void also_by_pipe(void **state)
{
	struct unit *m = *state;
	struct gmem *g = poisoned(m, "7.3", GMEM_VM_DEFAULT);
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t from = 2 * m->page + 1;
	static unsigned char buf[1 << 20];
	int r;

	t_ok(gmem_model_fail(m->vm, "process_vm_readv", 1, EPERM, &err), err);
	r = gmem_read(g, from, buf, 10 * m->page, &err);
	told(m, r, &err, BAD * m->page - from);
	t_ok(gmem_model_fail(m->vm, "process_vm_writev", 1, ENOSYS, &err), err);
	r = gmem_write(g, from, buf, 10 * m->page, &err);
	told(m, r, &err, BAD * m->page - from);
}

static void private_pages_are_still_called_private(void **state)
{
	struct unit *m = *state;
	struct gmem *g = poisoned(m, "inplace", GMEM_VM_SW_PROTECTED);
	struct gmem__attributes2 a = { .offset = 3 * m->page,
				       .size = m->page,
				       .attributes = 8 };
	static unsigned char buf[1 << 20];
	struct gmem_error err;

	/* Another holder of the descriptor converts a page before it. */
	assert_int_equal(model__sys.ioctl(m->k, gmem_fd(g),
					  GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a),
			 0);
	t_refused(gmem_read(g, 0, buf, 10 * m->page, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.value, 3 * m->page);
	assert_int_equal(err.done, 3 * m->page);
	t_refused(gmem_populate(g, 0, PAGES * m->page, NULL, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	assert_int_equal(err.value, 3 * m->page);
	assert_int_equal(err.done, 3 * m->page);
}

/* Neither the page nor whether it is shared is to blame. */
static void a_buffer_that_is_none_is_called_that(void **state)
{
	struct unit *m = *state;
	struct gmem *g = poisoned(m, "7.3", GMEM_VM_DEFAULT);
	unsigned char *buf = mmap(NULL, 2 * m->page, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct gmem_error err;

	assert_true(buf != MAP_FAILED);
	assert_int_equal(mprotect(buf + m->page, m->page, PROT_NONE), 0);
	t_refused(gmem_read(g, 0, buf, 2 * m->page, &err), -EFAULT,
		  GMEM_REASON_BAD_BUFFER, err);
	assert_int_equal(err.sys_errno, EFAULT);
	assert_int_equal(err.done, m->page);
	t_refused(gmem_write(g, 0, buf + m->page, m->page, &err), -EFAULT,
		  GMEM_REASON_BAD_BUFFER, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(munmap(buf, 2 * m->page), 0);
}

static void without_an_answer_it_is_taken_for_private(void **state)
{
	static const int codes[] = { EPERM, ENOSYS, EINVAL };
	struct unit *m = *state;
	struct gmem *g = poisoned(m, "7.3", GMEM_VM_DEFAULT);
	struct gmem_error err;
	char b;

	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		/* the third: two are of the mapping */
		t_ok(gmem_model_fail(m->vm, "madvise", 3, codes[i], &err), err);
		t_refused(gmem_read(g, BAD * m->page, &b, 1, &err), -EACCES,
			  GMEM_REASON_PRIVATE, err);
		assert_true(err.flags & GMEM_ERROR_DIAGNOSED);
	}
	t_ok(gmem_model_fail(m->vm, "madvise", 3, ENOMEM, &err), err);
	t_refused(gmem_read(g, BAD * m->page, &b, 1, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
}

static void where_it_lies_is_unknown_and_no_other_page(void **state)
{
	struct unit *m = *state;
	struct gmem *g = poisoned(m, "7.3", GMEM_VM_DEFAULT);
	struct gmem_placement where = { .sz = sizeof(where) };
	struct gmem_error err = { .sz = sizeof(err) };
	unsigned long nodes[16] = { 3 };
	struct gmem_mempolicy p = { .sz = sizeof(p),
				    .mode = GMEM_MPOL_BIND,
				    .nodes = nodes,
				    .max_node = 1024 };
	static unsigned char buf[1 << 20];

	t_ok(gmem_write(g, 0, buf, BAD * m->page, &err), err);
	t_ok(gmem_write(g, (BAD + 1) * m->page, buf, 2 * m->page, &err), err);
	t_code(t_placed(g, 0, PAGES * m->page, &p, &where, &err),
	       GMEM_PLACED_UNKNOWN);
	assert_int_equal(where.resident, (BAD + 3) * m->page);
	assert_int_equal(where.unknown, m->page);
}

static void discarded_it_is_a_new_page(void **state)
{
	struct unit *m = *state;
	struct gmem *g = poisoned(m, "7.3", GMEM_VM_DEFAULT);
	struct gmem_error err;
	char b = 1;

	t_ok(gmem_discard(g, BAD * m->page, m->page, NULL, &err), err);
	t_ok(gmem_read(g, BAD * m->page, &b, 1, &err), err);
	assert_int_equal(b, 0);
}

static void the_guests_access_is_a_fault_of_that_kind(void **state)
{
	struct unit *m = *state;
	struct gmem *g = poisoned(m, "7.3", GMEM_VM_DEFAULT);
	struct gmem_error err = { .sz = sizeof(err) };
	unsigned char run[256] = { 0 };
	uint32_t reason;
	char b;

	assert_true(t_bind(g, 0, 0, 0, PAGES * m->page, NULL, &err) >= 0);
	t_code(gmem_model_access(m->vm, BAD * m->page, &b, 1, 0, run,
				 sizeof(run), &err),
	       -EHWPOISON);
	memcpy(&reason, run + 8, sizeof(reason));
	assert_int_equal(reason, 39); /* KVM_EXIT_MEMORY_FAULT */
}

/* A read(2) that fails as a whole: the first bad page is to blame. */
static void the_page_is_named_where_the_call_names_none(void **state)
{
	struct unit *m = *state;
	struct gmem *g = poisoned(m, "7.3", GMEM_VM_DEFAULT);
	struct gmem_error err = { .sz = sizeof(err) };
	int fd = input(PAGES * m->page), r;

	unit_answer(m, "pread64", 0, 1, 1, -EFAULT);
	r = gmem_load(g, 2 * m->page, fd, 13 * m->page, NULL, &err);
	told(m, r, &err, 0);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_call_that_touches_it_says_so, unit_bare73),
		TEST(also_by_pipe, unit_bare73),
		TEST(private_pages_are_still_called_private, unit_bare73),
		TEST(a_buffer_that_is_none_is_called_that, unit_bare73),
		TEST(without_an_answer_it_is_taken_for_private, unit_bare73),
		TEST(where_it_lies_is_unknown_and_no_other_page, unit_bare73),
		TEST(discarded_it_is_a_new_page, unit_bare73),
		TEST(the_guests_access_is_a_fault_of_that_kind, unit_bare73),
		TEST(the_page_is_named_where_the_call_names_none, unit_bare73),
	};

	return t_main(tests);
}
