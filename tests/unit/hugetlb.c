// SPDX-License-Identifier: MIT
/* Huge page sizes and the two unmerged encodings, as literal numbers. */
#include "unit.h"

#include "feature.h"
#include "hugetlb.h"

/* The create flags of a private file without MMAP under each encoding. */
static const struct {
	uint64_t size, rfc1, rfc2;
} sizes[] = {
	{ 64 * KiB, 0x40000002, 0x4000000000000004 },
	{ 512 * KiB, 0x4c000002, 0x4c00000000000004 },
	{ 1 * MiB, 0x50000002, 0x5000000000000004 },
	{ 2 * MiB, 0x54000002, 0x5400000000000004 },
	{ 8 * MiB, 0x5c000002, 0x5c00000000000004 },
	{ 16 * MiB, 0x60000002, 0x6000000000000004 },
	{ 32 * MiB, 0x64000002, 0x6400000000000004 },
	{ 256 * MiB, 0x70000002, 0x7000000000000004 },
	{ 512 * MiB, 0x74000002, 0x7400000000000004 },
	{ 1 * GiB, 0x78000002, 0x7800000000000004 },
	{ 2 * GiB, 0x7c000002, 0x7c00000000000004 },
	{ 16 * GiB, 0x88000002, 0x8800000000000004 },
};

static void only_what_the_encoding_has_is_encoded(void **state)
{
	static const struct {
		uint32_t encoding;
		uint64_t flags, kernel; /* without the size; 0: refused */
	} rows[] = {
		{ GMEM_HUGETLB_RFC1, 0, 1ULL << 1 },
		{ GMEM_HUGETLB_RFC1, GMEM_CREATE_UNBOUND, 1ULL << 1 },
		{ GMEM_HUGETLB_RFC1, GMEM_CREATE_MMAP, 0 },
		{ GMEM_HUGETLB_RFC1, GMEM_CREATE_INIT_SHARED, 0 },
		{ GMEM_HUGETLB_RFC1, SHARED_FLAGS, 0 },
		{ GMEM_HUGETLB_RFC2, 0, 1ULL << 2 },
		{ GMEM_HUGETLB_RFC2, GMEM_CREATE_UNBOUND, 1ULL << 2 },
		{ GMEM_HUGETLB_RFC2, SHARED_FLAGS, 1ULL << 2 | 1 },
		{ GMEM_HUGETLB_RFC2, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY,
		  1ULL << 2 | 1 | 1ULL << 1 },
		{ GMEM_HUGETLB_MERGED, 0, 0 },
	};
	uint64_t first = 0, flags;

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		bool known = GMEM__HUGETLB_BUILT && rows[i].kernel;
		uint64_t size;

		flags = 4711;
		t_code(gmem__hugetlb_flags(rows[i].encoding, 2 * MiB,
					   rows[i].flags, &flags),
		       known ? 0 : -EOPNOTSUPP);
		if (!known) {
			assert_int_equal(flags, 4711);
			continue;
		}
		/* The size is in upper bits that are no flags. */
		size = flags & ~rows[i].kernel;
		assert_int_equal(flags & rows[i].kernel, rows[i].kernel);
		assert_true(size > 7);
		if (first && rows[i].encoding == rows[i - 1].encoding)
			assert_int_equal(size, first);
		first = size;
	}
}

static int make(struct unit *u, uint64_t size, uint64_t huge, uint64_t flags,
		struct gmem **out, struct gmem_error *err)
{
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = flags,
				      .hugetlb_size = huge };

	return gmem_create(u->vm, size, &o, out, err);
}

/* Makes a file of @huge pages; the kernel must have been given @want. */
static void makes(struct unit *u, uint64_t huge, uint64_t flags, uint64_t want)
{
	static const uint64_t zero[6];
	struct gmem_error err;
	struct gmem *g = NULL;
	const struct unit_call *c;

	unit_reset(u);
	u->k->pools[0] = (struct pool){ huge, 2, 0 };
	t_ok(make(u, 2 * huge, huge, flags, &g, &err), err);
	c = unit_nth(u, "ioctl", 0xc040aed4, 0);
	assert_non_null(c);
	assert_int_equal(c->in.create.size, 2 * huge);
	assert_int_equal(c->in.create.flags, want);
	assert_memory_equal(c->in.create.reserved, zero, sizeof(zero));
	assert_int_equal(gmem_page_size(g), huge);
	t_ok(gmem_close(g, &err), err);
}

static void every_size_has_its_number_in_rfc1(void **state)
{
	struct unit *u = *state;

	unit_open_encoding(u, GMEM_HUGETLB_RFC1);
	for (size_t i = 0; i < T_ARRAY_SIZE(sizes); i++)
		makes(u, sizes[i].size, 0, sizes[i].rfc1);
}

static void every_size_has_its_number_in_rfc2(void **state)
{
	struct unit *u = *state;

	unit_open_encoding(u, GMEM_HUGETLB_RFC2);
	for (size_t i = 0; i < T_ARRAY_SIZE(sizes); i++)
		makes(u, sizes[i].size, 0, sizes[i].rfc2);
}

static void a_mappable_rfc2_file_is_told_to_start_private(void **state)
{
	struct unit *u = *state;

	unit_open_encoding(u, GMEM_HUGETLB_RFC2);
	for (size_t i = 0; i < T_ARRAY_SIZE(sizes); i++)
		makes(u, sizes[i].size,
		      GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY,
		      sizes[i].rfc2 | 3);
}

static void a_shared_rfc2_file_has_no_init_private(void **state)
{
	struct unit *u = *state;

	unit_open_encoding(u, GMEM_HUGETLB_RFC2);
	for (size_t i = 0; i < T_ARRAY_SIZE(sizes); i++)
		makes(u, sizes[i].size, SHARED_FLAGS, sizes[i].rfc2 | 1);
}

static void rfc1_has_no_mappable_files(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_open_encoding(u, GMEM_HUGETLB_RFC1);
	t_refused(make(u, 2 * MiB, 2 * MiB, SHARED_FLAGS, &g, &err),
		  -EOPNOTSUPP, GMEM_REASON_FLAG_UNSUPPORTED, err);
	assert_null(g);
	assert_int_equal(u->n_calls, 0);
}

static void huge_pages_do_not_excuse_useless_flags(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_need_encodings();
	u->encoding = GMEM_HUGETLB_RFC2;
	unit_open(u, "6.12", GMEM_VM_SW_PROTECTED); /* converts nothing */
	t_refused(make(u, 2 * MiB, 2 * MiB, GMEM_CREATE_MMAP, &g, &err),
		  -EINVAL, GMEM_REASON_GUEST_ONLY, err);
	t_refused(make(u, 2 * MiB, 2 * MiB, GMEM_CREATE_INIT_SHARED, &g, &err),
		  -EINVAL, GMEM_REASON_INIT_SHARED_UNMAPPABLE, err);
	assert_null(g);
	assert_int_equal(u->n_calls, 0);
}

static void a_size_outside_the_list_is_refused(void **state)
{
	static const uint64_t bad[] = { 1,	     4 * KiB,	16 * KiB,
					128 * KiB,   3 * MiB,	4 * MiB,
					64 * MiB,    4 * GiB,	32 * GiB,
					2 * MiB + 1, 1ULL << 63 };
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_open_encoding(u, GMEM_HUGETLB_RFC2);
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		t_refused(make(u, 64 * GiB, bad[i], 0, &g, &err), -EINVAL,
			  GMEM_REASON_HUGETLB_SIZE, err);
		assert_int_equal(err.value, bad[i]);
		assert_false(gmem__hugetlb_known(bad[i]));
	}
	assert_null(g);
	assert_int_equal(u->n_calls, 0);
}

static void the_size_is_a_multiple_of_the_huge_page(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_open_encoding(u, GMEM_HUGETLB_RFC2);
	t_refused(make(u, 3 * MiB, 2 * MiB, 0, &g, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	assert_int_equal(err.value, 3 * MiB);
	assert_int_equal(err.limit, 2 * MiB);
	assert_null(g);
	assert_int_equal(u->n_calls, 0);
}

static void without_a_named_encoding_there_are_no_huge_pages(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_open_encoding(u, GMEM_HUGETLB_MERGED);
	for (size_t i = 0; i < T_ARRAY_SIZE(sizes); i++)
		t_refused(make(u, sizes[i].size, sizes[i].size, 0, &g, &err),
			  -EOPNOTSUPP, GMEM_REASON_HUGETLB_UNSUPPORTED, err);
	assert_null(g);
	assert_int_equal(u->n_calls, 0);
}

static void an_encoding_that_the_flag_mask_denies_is_not_used(void **state)
{
	static const struct {
		int mask; /* of capability 244, or -errno */
		bool rfc1, rfc2;
	} rows[] = {
		{ 0, false, false },	{ 1, true, true },  { 3, true, true },
		{ 4, true, false },	{ 5, true, false }, { 7, true, true },
		{ -EPERM, true, true },
	};

	(void)state;
	unit_need_encodings();
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		assert_int_equal(gmem__hugetlb_contradicted(GMEM_HUGETLB_RFC1,
							    rows[i].mask),
				 rows[i].rfc1);
		assert_int_equal(gmem__hugetlb_contradicted(GMEM_HUGETLB_RFC2,
							    rows[i].mask),
				 rows[i].rfc2);
	}
}

#ifdef GMEM_WITHOUT_PROPOSED_UAPI
static void built_without_them_every_encoding_is_denied(void **state)
{
	(void)state;
	assert_true(gmem__hugetlb_contradicted(GMEM_HUGETLB_RFC1, 0));
	assert_true(gmem__hugetlb_contradicted(GMEM_HUGETLB_RFC2, 0));
}

static void built_without_them_create_says_so(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	u->encoding = GMEM_HUGETLB_RFC1;
	unit_open(u, "6.12", GMEM_VM_SW_PROTECTED);
	t_refused(make(u, 2 * MiB, 2 * MiB, 0, &g, &err), -EOPNOTSUPP,
		  GMEM_REASON_HUGETLB_UNSUPPORTED, err);
	assert_non_null(strstr(err.msg, "left out of this build"));
	assert_null(g);
	assert_int_equal(u->n_calls, 0);
}
#endif

static void create_refuses_a_contradicted_encoding(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_need_encodings();
	u->encoding = GMEM_HUGETLB_RFC1;
	unit_open(u, "7.3", GMEM_VM_SW_PROTECTED);
	t_refused(make(u, 2 * MiB, 2 * MiB, 0, &g, &err), -EOPNOTSUPP,
		  GMEM_REASON_ENCODING_CONTRADICTED, err);
	assert_null(g);
	assert_int_equal(u->n_calls, 0);
}

/* Its flags mean something else to this kernel. */
static void nor_is_a_contradicted_encoding_tried(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .hugetlb_encoding = GMEM_HUGETLB_RFC1 };
	const struct unit_call *c;
	struct gmem_error err;
	unsigned int n = 0;

	unit_need_encodings();
	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	unit_reset(u);
	t_ok(gmem__vm_open_on(&unit_sys, u, &o, &u->vm, &err), err);
	while ((c = unit_nth(u, "ioctl", GMEM__KVM_CREATE_GUEST_MEMFD, n++)))
		assert_int_equal(c->in.create.flags & ~GMEM__FLAG_MMAP, 0);
	assert_true(n > 1);
}

static void a_kernel_without_the_series_is_found_out(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_need_encodings();
	u->encoding = GMEM_HUGETLB_RFC2;
	/* a plain 6.12 has the same capabilities */
	unit_open(u, "6.12", GMEM_VM_SW_PROTECTED);
	t_refused(make(u, 2 * MiB, 2 * MiB, 0, &g, &err), -EOPNOTSUPP,
		  GMEM_REASON_HUGETLB_UNSUPPORTED, err);
	assert_true(err.flags & GMEM_ERROR_DIAGNOSED);
	assert_int_equal(err.sys_errno, EINVAL);
	assert_null(g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#ifdef GMEM_WITHOUT_PROPOSED_UAPI
		TEST(built_without_them_every_encoding_is_denied, unit_bare),
		TEST(built_without_them_create_says_so, unit_bare),
#endif
		cmocka_unit_test(only_what_the_encoding_has_is_encoded),
		TEST(every_size_has_its_number_in_rfc1, unit_bare),
		TEST(every_size_has_its_number_in_rfc2, unit_bare),
		TEST(a_mappable_rfc2_file_is_told_to_start_private, unit_bare),
		TEST(a_shared_rfc2_file_has_no_init_private, unit_bare),
		TEST(rfc1_has_no_mappable_files, unit_bare),
		TEST(huge_pages_do_not_excuse_useless_flags, unit_bare),
		TEST(a_size_outside_the_list_is_refused, unit_bare),
		TEST(the_size_is_a_multiple_of_the_huge_page, unit_bare),
		TEST(without_a_named_encoding_there_are_no_huge_pages,
		     unit_bare),
		TEST(an_encoding_that_the_flag_mask_denies_is_not_used,
		     unit_bare),
		TEST(create_refuses_a_contradicted_encoding, unit_bare),
		TEST(nor_is_a_contradicted_encoding_tried, unit_sw),
		TEST(a_kernel_without_the_series_is_found_out, unit_bare),
	};

	return t_main(tests);
}
