// SPDX-License-Identifier: MIT
/* Export and import of the record. */
#include "unit.h"

static unsigned char buf[1 << 16];

/* Private at start, with some runs shared. */
static struct gmem *striped(struct unit *u, uint64_t gpa)
{
	struct gmem *g = unit_create(u, 4 * MiB, 0);
	struct gmem_error err;

	unit_bind(u, g, (uint32_t)(gpa / GiB), gpa);
	t_ok(t_share(g, PAGE, 2 * PAGE, &err), err);
	t_ok(t_share(g, 2 * MiB, 1 * MiB, &err), err);
	unit_reset(u);
	return g;
}

static void same(struct gmem *a, struct gmem *b)
{
	for (uint64_t at = 0; at < gmem_size(a); at += PAGE) {
		uint64_t x = 1, y = 2;

		assert_int_equal(
			gmem_get_attributes(a, at, PAGE, &x, NULL, NULL), 0);
		assert_int_equal(
			gmem_get_attributes(b, at, PAGE, &y, NULL, NULL), 0);
		assert_int_equal(x, y);
	}
}

static size_t export(const struct gmem *g)
{
	struct gmem_error err;
	size_t need = 0, len;

	t_ok(gmem_attributes_export(g, NULL, &need, &err), err);
	/* room for all of it, and not a byte more, is enough */
	len = need;
	t_ok(gmem_attributes_export(g, buf, &len, &err), err);
	assert_int_equal(len, need);
	return len;
}

static void import_makes_kernel_and_record_what_was_exported(void **state)
{
	struct unit *u = *state;
	struct gmem *from = striped(u, 0);
	struct gmem *to = unit_create(u, 4 * MiB, 0);
	size_t len = export(from);
	struct gmem_error err;

	assert_int_equal(u->n_calls, 0);
	unit_bind(u, to, 9, 2 * GiB);
	t_ok(gmem_attributes_import(to, buf, len, GMEM_IMPORT_UNBACKED, &err),
	     err);
	same(from, to);
	for (uint64_t at = 0; at < 4 * MiB; at += PAGE)
		assert_int_equal(unit_private(u, to, 2 * GiB, at),
				 unit_private(u, from, 0, at));
}

static void record_only_makes_no_call(void **state)
{
	struct unit *u = *state;
	struct gmem *from = striped(u, 0);
	struct gmem *to = unit_create(u, 4 * MiB, 0);
	size_t len = export(from);
	struct gmem_error err;

	unit_bind(u, to, 9, 2 * GiB);
	t_ok(gmem_attributes_import(to, buf, len, GMEM_IMPORT_RECORD_ONLY,
				    &err),
	     err);
	same(from, to);
	assert_int_equal(err.done, 4 * MiB);
	assert_int_equal(u->n_calls, 0);
}

/* Each page is another run than the one before: no record is larger. */
static void the_largest_record_is_one_too(void **state)
{
	struct unit *u = *state;
	struct gmem *from = unit_create(u, 64 * PAGE, 0);
	struct gmem *to = unit_create(u, 64 * PAGE, 0);
	struct gmem_error err;
	size_t len, one;

	unit_bind(u, from, 0, 0);
	unit_bind(u, to, 9, 2 * GiB);
	one = export(from);
	for (uint64_t i = 1; i < 64; i += 2)
		t_ok(t_share(from, i * PAGE, PAGE, &err), err);
	len = export(from);
	t_ok(gmem_attributes_import(to, buf, len, GMEM_IMPORT_UNBACKED, &err),
	     err);
	same(from, to);
	/* a run a page */
	assert_int_equal((len - one) % 63, 0);
	len += (len - one) / 63;
	t_refused(gmem_attributes_import(to, buf, len, 0, &err), -EINVAL,
		  GMEM_REASON_RECORD_FORMAT, err);
}

/* Whatever the last run is, and also where nothing is to be set. */
static void all_of_a_record_is_done(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 4 * MiB, 0);
	struct gmem_error err;
	size_t len;

	t_ok(t_bind(g, 0, 0, 0, 3 * MiB, NULL, &err), err);
	t_ok(t_share(g, PAGE, 2 * PAGE, &err), err);
	len = export(g);
	t_ok(gmem_attributes_import(g, buf, len, GMEM_IMPORT_RECORD_ONLY, &err),
	     err);
	assert_int_equal(err.done, 4 * MiB);
	t_ok(gmem_attributes_import(g, buf, len, GMEM_IMPORT_UNBACKED, &err),
	     err);
	assert_int_equal(err.done, 4 * MiB);
}

/* Another change of the file comes before it or after it. */
static void meanwhile(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_NOWAIT };
	struct gmem_error err = { .sz = sizeof(err) };

	(void)arg;
	if (c->request != GMEM__KVM_SET_MEMORY_ATTRIBUTES)
		return;
	++*(unsigned int *)u->hook_arg;
	t_refused(gmem_set_attributes(u->g, 4 * MiB - PAGE, PAGE,
				      GMEM_ATTRIBUTE_PRIVATE, &o, &err),
		  -EAGAIN, GMEM_REASON_RANGE_BUSY, err);
}

static void an_import_has_the_file_to_itself(void **state)
{
	struct unit *u = *state;
	struct gmem *g = striped(u, 0);
	size_t len = export(g);
	unsigned int met = 0;
	struct gmem_error err;

	u->hook = meanwhile;
	u->hook_arg = &met;
	t_ok(gmem_attributes_import(g, buf, len, GMEM_IMPORT_UNBACKED, &err),
	     err);
	u->hook = NULL;
	assert_int_equal(met, 5);
}

static void a_buffer_that_is_too_small_is_left_alone(void **state)
{
	struct unit *u = *state;
	struct gmem *g = striped(u, 0);
	size_t need = export(g), len = need - 1;
	struct gmem_error err;

	memset(buf, 0xaa, sizeof(buf));
	t_refused(gmem_attributes_export(g, buf, &len, &err), -ENOSPC,
		  GMEM_REASON_BUFFER_SIZE, err);
	assert_int_equal(err.value, need - 1);
	assert_int_equal(err.limit, need);
	assert_int_equal(len, need - 1);
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xaa);
	t_refused(gmem_attributes_export(g, buf, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
}

static void what_is_no_record_changes_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = striped(u, 0), *h = striped(u, 8 * GiB);
	size_t len = export(g);
	struct gmem_error err;

	for (size_t cut = 0; cut < len; cut++)
		t_refused(gmem_attributes_import(h, buf, cut, 0, &err), -EINVAL,
			  GMEM_REASON_RECORD_FORMAT, err);
	buf[0] ^= 1;
	t_refused(
		gmem_attributes_import(h, buf, len, GMEM_IMPORT_UNBACKED, &err),
		-EINVAL, GMEM_REASON_RECORD_FORMAT, err);
	t_refused(gmem_attributes_import(h, NULL, len, 0, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_int_equal(u->n_calls, 0);
	same(g, h);
}

static void a_record_of_another_file_is_refused(void **state)
{
	struct unit *u = *state;
	struct gmem *g = striped(u, 0);
	struct gmem *other = unit_create(u, 4 * MiB, 0);
	struct gmem *small = unit_create(u, 2 * MiB, 0);
	size_t len = export(g);
	struct gmem_error err;

	unit_bind(u, small, 9, 2 * GiB);
	t_refused(gmem_attributes_import(small, buf, len, GMEM_IMPORT_UNBACKED,
					 &err),
		  -EINVAL, GMEM_REASON_RECORD_MISMATCH, err);
	assert_int_equal(err.value, 4 * MiB);
	assert_int_equal(err.limit, 2 * MiB);
	/* as large, of half as many pages */
	unit_bind(u, other, 10, 4 * GiB);
	len = export(other);
	assert_int_equal(buf[40 + 1], 4 * MiB / PAGE << 2 >> 8);
	buf[16 + 1] = 2 * PAGE >> 8;
	buf[40 + 1] = 2 * MiB / PAGE << 2 >> 8;
	t_refused(gmem_attributes_import(other, buf, len, GMEM_IMPORT_UNBACKED,
					 &err),
		  -EINVAL, GMEM_REASON_RECORD_MISMATCH, err);
	assert_int_equal(u->n_calls, 0);
}

static void an_import_over_an_unbound_range_changes_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = striped(u, 0);
	struct gmem *half = unit_create(u, 4 * MiB, 0);
	size_t len = export(g);
	struct gmem_error err;
	uint64_t a, run;

	t_ok(t_bind(half, 9, 2 * GiB, 0, 3 * MiB, NULL, &err), err);
	unit_reset(u);
	t_refused(gmem_attributes_import(half, buf, len, GMEM_IMPORT_UNBACKED,
					 &err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, err);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_get_attributes(half, 0, 4 * MiB, &a, &run, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
	assert_int_equal(run, 3 * MiB);
}

static void an_import_that_fails_says_how_far_it_came(void **state)
{
	struct unit *u = *state;
	struct gmem *from = striped(u, 0);
	struct gmem *to = unit_create(u, 4 * MiB, 0);
	size_t len = export(from);
	struct gmem_error err;
	uint64_t a;

	unit_bind(u, to, 9, 2 * GiB);
	/* the runs: P 4K, S 8K, P up to 2M, S 1M, P 1M */
	unit_answer(u, "ioctl", 0, 4, 1, -ENOMEM);
	t_refused(gmem_attributes_import(to, buf, len, GMEM_IMPORT_UNBACKED,
					 &err),
		  -ENOMEM, GMEM_REASON_NO_MEMORY, err);
	assert_int_equal(err.done, 2 * MiB);
	t_ok(gmem_get_attributes(to, PAGE, PAGE, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_SHARED);
	t_ok(gmem_get_attributes(to, 2 * MiB, PAGE, &a, NULL, &err), err);
	assert_int_equal(a, GMEM_ATTRIBUTE_PRIVATE);
	t_ok(gmem_attributes_import(to, buf, len, GMEM_IMPORT_UNBACKED, &err),
	     err);
	same(from, to);
}

/* Where a run fails, all before it is done, and of it what was. */
static void what_is_done_ends_where_it_failed(void **state)
{
	struct unit *m = *state;
	struct gmem *from = unit_create(m, MiB, SHARED_FLAGS);
	struct gmem *to = unit_create(m, MiB, SHARED_FLAGS);
	size_t len;

	t_ok(gmem_set_private(from, 64 * KiB, 64 * KiB, &m->err), m->err);
	t_ok(gmem_set_private(from, 256 * KiB, 64 * KiB, &m->err), m->err);
	len = export(from);
	for (uint64_t nth = 1; nth <= 5; nth++) {
		static const uint64_t done[] = { 0, 64 * KiB, 128 * KiB,
						 256 * KiB, 320 * KiB };

		t_ok(gmem_model_fail(m->vm, "KVM_SET_MEMORY_ATTRIBUTES2", nth,
				     ENOMEM, &m->err),
		     m->err);
		t_refused(gmem_attributes_import(to, buf, len, 0, &m->err),
			  -ENOMEM, GMEM_REASON_NO_MEMORY, m->err);
		assert_int_equal(m->err.done, done[nth - 1]);
		/* the same without anybody to tell */
		t_ok(gmem_model_fail(m->vm, "KVM_SET_MEMORY_ATTRIBUTES2", nth,
				     ENOMEM, &m->err),
		     m->err);
		t_code(gmem_attributes_import(to, buf, len, 0, NULL), -ENOMEM);
	}
	t_ok(gmem_attributes_import(to, buf, len, 0, &m->err), m->err);
	assert_int_equal(m->err.done, MiB);
}

static void a_file_that_never_converts_exports_what_it_is(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 4 * MiB, SHARED_FLAGS);
	struct gmem *h = unit_create(u, 4 * MiB, GMEM_CREATE_UNBOUND);
	size_t len = export(g);
	struct gmem_error err;

	t_ok(gmem_attributes_import(g, buf, len, GMEM_IMPORT_UNBACKED, &err),
	     err);
	assert_int_equal(err.done, 4 * MiB);
	t_refused(
		gmem_attributes_import(h, buf, len, GMEM_IMPORT_UNBACKED, &err),
		-EOPNOTSUPP, GMEM_REASON_NO_PRIVATE_MEMORY, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(u->n_calls, 0);
}

/* What gmem_set_attributes() refuses, an import refuses before any change. */
static void a_part_of_a_huge_page_is_refused(void **state)
{
	struct unit *u = *state;
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .hugetlb_size = 2 * MiB };
	struct gmem *g = NULL;
	struct gmem_error err;
	size_t len;

	unit_open_encoding(u, GMEM_HUGETLB_RFC1);
	len = export(striped(u, 0));
	t_ok(gmem_create(u->vm, 4 * MiB, &o, &g, &err), err);
	unit_bind(u, g, 5, 8 * GiB);
	t_refused(
		gmem_attributes_import(g, buf, len, GMEM_IMPORT_UNBACKED, &err),
		-EINVAL, GMEM_REASON_UNALIGNED, err);
	assert_int_equal(err.value, PAGE);
	assert_int_equal(err.limit, 2 * MiB);
	t_refused(gmem_attributes_import(g, buf, len, GMEM_IMPORT_RECORD_ONLY,
					 &err),
		  -EINVAL, GMEM_REASON_UNALIGNED, err);
	assert_int_equal(unit_count(u, "ioctl", 0), 0);
}

/* At the first call, what the caller shares with another process changes. */
static void scribble(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	(void)arg;
	if (!strcmp(c->name, "ioctl"))
		memset(buf, 0xff, sizeof(buf));
}

static void a_buffer_that_changes_meanwhile_changes_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *from = striped(u, 0);
	struct gmem *to = unit_create(u, 4 * MiB, 0);
	size_t len = export(from);
	struct gmem_error err;

	unit_bind(u, to, 9, 2 * GiB);
	u->hook = scribble;
	t_ok(gmem_attributes_import(to, buf, len, GMEM_IMPORT_UNBACKED, &err),
	     err);
	u->hook = NULL;
	same(from, to);
	assert_int_equal(buf[0], 0xff);
}

/* Without memory for the copy, or with more than any record has, too. */
static void what_cannot_be_copied_is_refused(void **state)
{
	struct unit *u = *state;
	struct gmem *g = striped(u, 0);
	size_t len = export(g);
	struct gmem_error err;

	u->fail_alloc = 1;
	t_refused(gmem_attributes_import(g, buf, len, 0, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	u->fail_alloc = 0;
	t_refused(gmem_attributes_import(g, buf, 40 + 8 * 1024 + 1, 0, &err),
		  -EINVAL, GMEM_REASON_RECORD_FORMAT, err);
	t_refused(gmem_attributes_import(g, buf, SIZE_MAX, 0, &err), -EINVAL,
		  GMEM_REASON_RECORD_FORMAT, err);
	assert_int_equal(unit_count(u, "ioctl", 0), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(import_makes_kernel_and_record_what_was_exported, unit_sw),
		TEST(import_makes_kernel_and_record_what_was_exported,
		     unit_inplace),
		TEST(record_only_makes_no_call, unit_sw),
		TEST(a_buffer_that_changes_meanwhile_changes_nothing, unit_sw),
		TEST(what_cannot_be_copied_is_refused, unit_sw),
		TEST(a_part_of_a_huge_page_is_refused, unit_bare),
		TEST(the_largest_record_is_one_too, unit_sw),
		TEST(all_of_a_record_is_done, unit_sw),
		TEST(an_import_has_the_file_to_itself, unit_sw),
		TEST(a_buffer_that_is_too_small_is_left_alone, unit_sw),
		TEST(what_is_no_record_changes_nothing, unit_sw),
		TEST(a_record_of_another_file_is_refused, unit_sw),
		TEST(an_import_over_an_unbound_range_changes_nothing, unit_sw),
		TEST(an_import_that_fails_says_how_far_it_came, unit_sw),
		TEST(what_is_done_ends_where_it_failed, unit_inplace),
		TEST(a_file_that_never_converts_exports_what_it_is,
		     unit_default),
	};

	return t_main(tests);
}
