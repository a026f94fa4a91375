// SPDX-License-Identifier: MIT
/* Huge page sizes and the two unmerged encodings, as literal numbers. */
#include "unit.h"

#include "feature.h"
#include "hugetlb.h"

/* The create flags in RFC v1; page_order has this order of 4 KiB pages. */
static const struct {
	uint64_t size, rfc1;
	unsigned int order;
} sizes[] = {
	{ 64 * KiB, 0x40000002, 4 },   { 512 * KiB, 0x4c000002, 7 },
	{ 1 * MiB, 0x50000002, 8 },    { 2 * MiB, 0x54000002, 9 },
	{ 8 * MiB, 0x5c000002, 11 },   { 16 * MiB, 0x60000002, 12 },
	{ 32 * MiB, 0x64000002, 13 },  { 256 * MiB, 0x70000002, 16 },
	{ 512 * MiB, 0x74000002, 17 }, { 1 * GiB, 0x78000002, 18 },
	{ 2 * GiB, 0x7c000002, 19 },   { 16 * GiB, 0x88000002, 22 },
};

#define BASE (4 * KiB)

static void only_what_the_encoding_has_is_encoded(void **state)
{
	static const struct {
		uint32_t encoding;
		uint64_t flags, lack;
	} rows[] = {
		{ GMEM_HUGETLB_RFC1, 0, 0 },
		{ GMEM_HUGETLB_RFC1, GMEM_CREATE_UNBOUND, 0 },
		{ GMEM_HUGETLB_RFC1, GMEM_CREATE_MMAP, GMEM_CREATE_MMAP },
		{ GMEM_HUGETLB_RFC1, GMEM_CREATE_INIT_SHARED,
		  GMEM_CREATE_INIT_SHARED },
		{ GMEM_HUGETLB_RFC1, SHARED_FLAGS, SHARED_FLAGS },
		{ GMEM_HUGETLB_PAGE_ORDER, 0, 0 },
		{ GMEM_HUGETLB_PAGE_ORDER, GMEM_CREATE_UNBOUND, 0 },
		{ GMEM_HUGETLB_PAGE_ORDER, GMEM_CREATE_MMAP, 0 },
		{ GMEM_HUGETLB_PAGE_ORDER, SHARED_FLAGS,
		  GMEM_CREATE_INIT_SHARED },
	};
	struct gmem__create args, was;
	uint64_t lack;

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		bool known = GMEM__HUGETLB_BUILT && !rows[i].lack;

		args = was = (struct gmem__create){ .size = 4711 };
		lack = 0;
		t_code(gmem__hugetlb_encode(rows[i].encoding, BASE, 2 * MiB,
					    rows[i].flags, &args, &lack),
		       known ? 0 : -EOPNOTSUPP);
		if (GMEM__HUGETLB_BUILT)
			assert_int_equal(lack, rows[i].lack);
		assert_int_equal(args.size, 4711);
		if (!known)
			assert_memory_equal(&args, &was, sizeof(args));
	}
	args = was;
	t_code(gmem__hugetlb_encode(GMEM_HUGETLB_MERGED, BASE, 2 * MiB, 0,
				    &args, &lack),
	       -EOPNOTSUPP);
	assert_memory_equal(&args, &was, sizeof(args));
}

static void the_order_is_in_pages_of_the_host(void **state)
{
	struct gmem__create args = { .size = 2 * MiB };
	uint64_t lack;

	(void)state;
	unit_need_encodings();
	for (unsigned int base = 12; base <= 16; base += 2) {
		const unsigned char *b = (const unsigned char *)&args;

		t_code(gmem__hugetlb_encode(GMEM_HUGETLB_PAGE_ORDER,
					    1ULL << base, 2 * MiB, 0, &args,
					    &lack),
		       0);
		assert_int_equal(args.flags, 4);
		assert_int_equal(b[16], 21 - base);
		for (size_t i = 17; i < sizeof(args); i++)
			assert_int_equal(b[i], 0);
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

/* Makes a file of @huge pages; the kernel must have been given the others. */
static void makes(struct unit *u, uint64_t huge, uint64_t flags, uint64_t want,
		  unsigned int order)
{
	unsigned char reserved[48] = { (unsigned char)order };
	struct gmem_error err;
	struct gmem *g = NULL;
	const struct unit_call *c;

	unit_reset(u);
	u->k->pools[0] = (struct pool){ .page_size = huge, .pages = { 2 } };
	t_ok(make(u, 2 * huge, huge, flags, &g, &err), err);
	c = unit_nth(u, "ioctl", 0xc040aed4, 0);
	assert_non_null(c);
	assert_int_equal(c->in.create.size, 2 * huge);
	assert_int_equal(c->in.create.flags, want);
	assert_memory_equal(c->in.create.reserved, reserved, sizeof(reserved));
	assert_int_equal(gmem_page_size(g), huge);
	t_ok(gmem_close(g, &err), err);
}

static void every_size_has_its_number_in_rfc1(void **state)
{
	struct unit *u = *state;

	unit_open_encoding(u, GMEM_HUGETLB_RFC1);
	for (size_t i = 0; i < T_ARRAY_SIZE(sizes); i++)
		if (sizes[i].size > u->page)
			makes(u, sizes[i].size, 0, sizes[i].rfc1, 0);
}

static void every_size_has_its_order(void **state)
{
	struct unit *u = *state;
	unsigned int less;

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	less = (unsigned int)__builtin_ctzll(u->page / BASE);
	for (size_t i = 0; i < T_ARRAY_SIZE(sizes); i++) {
		if (sizes[i].size <= u->page)
			continue;
		makes(u, sizes[i].size, 0, 4, sizes[i].order - less);
		makes(u, sizes[i].size, GMEM_CREATE_MMAP, 5,
		      sizes[i].order - less);
	}
}

static void with_an_order_no_file_starts_shared(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	t_refused(make(u, 2 * MiB, 2 * MiB, SHARED_FLAGS, &g, &err),
		  -EOPNOTSUPP, GMEM_REASON_FLAG_UNSUPPORTED, err);
	assert_int_equal(err.value, GMEM_CREATE_INIT_SHARED);
	assert_non_null(strstr(err.msg, "page-order does not have the flags "
					"init-shared"));
	assert_null(g);
	assert_int_equal(u->n_calls, 0);
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
	u->encoding = GMEM_HUGETLB_PAGE_ORDER;
	/* converts nothing */
	unit_open(u, "hugetlb-page-order", GMEM_VM_DEFAULT);
	t_refused(make(u, 2 * MiB, 2 * MiB, GMEM_CREATE_MMAP, &g, &err),
		  -EINVAL, GMEM_REASON_GUEST_ONLY, err);
	t_refused(make(u, 2 * MiB, 2 * MiB, 0, &g, &err), -EINVAL,
		  GMEM_REASON_NEVER_USED, err);
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

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
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

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
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
		bool rfc1, order;
	} rows[] = {
		{ 0, false, true },	{ 1, true, true },  { 3, true, true },
		{ 4, true, false },	{ 5, true, false }, { 7, true, false },
		{ -EPERM, true, true },
	};

	(void)state;
	unit_need_encodings();
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		int mask = rows[i].mask;

		for (int a = GMEM_UNKNOWN; a <= GMEM_YES; a++) {
			enum gmem_support said = (enum gmem_support)a;

			assert_int_equal(gmem__hugetlb_contradicted(
						 GMEM_HUGETLB_RFC1, mask, said),
					 rows[i].rfc1);
			assert_int_equal(
				gmem__hugetlb_contradicted(
					GMEM_HUGETLB_PAGE_ORDER, mask, said),
				rows[i].order || said != GMEM_YES);
		}
	}
}

/* The calls with an order, and those of them that a kernel could act on. */
static unsigned int orders(const struct unit *u, unsigned int *acted)
{
	const struct unit_call *c;
	unsigned int n = 0;

	*acted = 0;
	for (unsigned int i = 0;
	     (c = unit_nth(u, "ioctl", GMEM__KVM_CREATE_GUEST_MEMFD, i)); i++) {
		n += c->in.create.reserved[0] != 0;
		*acted += (c->in.create.flags & 4) != 0;
		if (c->in.create.reserved[0] && c->in.create.flags == 0)
			assert_int_equal(c->in.create.size, u->page);
	}
	return n;
}

/* Opens it again, with the calls of that kept. */
static void open_kept(struct unit *u, uint32_t encoding)
{
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = GMEM_VM_SW_PROTECTED,
				  .hugetlb_encoding = encoding };
	struct gmem_error err;

	t_ok(gmem__vm_open_on(&unit_sys, u, &o, &u->vm, &err), err);
}

/* A kernel with NO_DIRECT_MAP: the same bit in its mask, other pages. */
static void
another_flag_with_the_bit_of_page_order_is_told_from_it(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;
	unsigned int acted;

	unit_need_encodings();
	unit_open(u, "7.3", GMEM_VM_SW_PROTECTED);
	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	unit_reset(u);
	unit_cap(u, OBJECT_VM, 244, 7);
	open_kept(u, GMEM_HUGETLB_PAGE_ORDER);
	assert_int_equal(t_support(u->vm, GMEM_FEATURE_HUGETLB), GMEM_NO);
	assert_int_equal(orders(u, &acted), 1);
	assert_int_equal(acted, 0);
	unit_reset(u);
	t_refused(make(u, 2 * MiB, 2 * MiB, 0, &g, &err), -EOPNOTSUPP,
		  GMEM_REASON_ENCODING_CONTRADICTED, err);
	assert_non_null(strstr(err.msg, "ignores the order of a page"));
	assert_null(g);
	assert_int_equal(u->n_calls, 0);
}

static void an_order_that_could_not_be_asked_for_is_not_used(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;
	unsigned int acted;

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	unit_reset(u);
	/* behind the two scratch files */
	unit_answer(u, "ioctl", GMEM__KVM_CREATE_GUEST_MEMFD, 3, 1, -ENFILE);
	open_kept(u, GMEM_HUGETLB_PAGE_ORDER);
	assert_int_equal(orders(u, &acted), 1);
	assert_int_equal(acted, 0);
	t_refused(make(u, 2 * MiB, 2 * MiB, 0, &g, &err), -EOPNOTSUPP,
		  GMEM_REASON_ENCODING_CONTRADICTED, err);
	assert_null(g);
}

/* No VM is asked what it need not know. */
static void without_page_order_named_no_order_is_tried(void **state)
{
	struct unit *u = *state;
	unsigned int acted;

	for (uint32_t e = GMEM_HUGETLB_MERGED; e <= GMEM_HUGETLB_RFC1; e++) {
		assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
		unit_reset(u);
		open_kept(u, e);
		assert_true(u->n_calls > 0);
		assert_int_equal(orders(u, &acted), 0);
		assert_int_equal(acted, 0);
	}
}

#ifdef GMEM_WITHOUT_PROPOSED_UAPI
static void built_without_them_every_encoding_is_denied(void **state)
{
	(void)state;
	assert_true(gmem__hugetlb_contradicted(GMEM_HUGETLB_RFC1, 0, GMEM_YES));
	assert_true(gmem__hugetlb_contradicted(GMEM_HUGETLB_PAGE_ORDER, 7,
					       GMEM_YES));
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
	u->encoding = GMEM_HUGETLB_RFC1;
	/* a plain 6.12 has the same capabilities */
	unit_open(u, "6.12", GMEM_VM_SW_PROTECTED);
	t_refused(make(u, 2 * MiB, 2 * MiB, 0, &g, &err), -EOPNOTSUPP,
		  GMEM_REASON_HUGETLB_UNSUPPORTED, err);
	assert_true(err.flags & GMEM_ERROR_DIAGNOSED);
	assert_int_equal(err.sys_errno, EINVAL);
	assert_null(g);
}

/* What a slot says of where the guest gets smaller pages. */
static void a_slot_says_where_it_loses_huge_pages(void **state)
{
	static const struct {
		uint64_t gpa, offset, len, lost;
	} rows[] = {
		{ 0, 0, 8 * MiB, 0 },
		{ 6 * MiB, 2 * MiB, 2 * MiB, 0 },
		{ 64 * KiB, 0, 8 * MiB, GMEM_SLOT_NO_HUGE },
		{ 1 * MiB, 0, 4 * MiB, GMEM_SLOT_NO_HUGE },
		{ 0, 64 * KiB, 4 * MiB, GMEM_SLOT_NO_HUGE },
		{ 64 * KiB, 64 * KiB, 4 * MiB - 64 * KiB,
		  GMEM_SLOT_SMALL_START },
		{ 3 * MiB, 1 * MiB, 3 * MiB, GMEM_SLOT_SMALL_START },
		{ 0, 0, 2 * MiB + 64 * KiB, GMEM_SLOT_SMALL_END },
		{ 1 * MiB, 1 * MiB, 4 * MiB,
		  GMEM_SLOT_SMALL_START | GMEM_SLOT_SMALL_END },
		{ 0, 0, 1 * MiB, GMEM_SLOT_NO_HUGE },
		{ 1 * MiB, 1 * MiB, 2 * MiB, GMEM_SLOT_NO_HUGE },
		{ 64 * KiB, 64 * KiB, 64 * KiB, GMEM_SLOT_NO_HUGE },
	};
	struct unit *u = *state;
	struct gmem_slot s, got = { .sz = sizeof(got) };
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	t_ok(make(u, 8 * MiB, 2 * MiB, 0, &g, &err), err);
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		s = (struct gmem_slot){ .sz = sizeof(s),
					.gpa = rows[i].gpa,
					.offset = rows[i].offset,
					.len = rows[i].len,
					.gmem = g,
					.flags = GMEM_SLOT_CHECK_ONLY };
		t_ok(gmem_bind(&s, &err), err);
		assert_int_equal(s.flags & (7 << 17), rows[i].lost);
		s.userspace_addr = 0;
		t_ok(gmem_bind(&s, &err), err); /* takes what it said */
		assert_int_equal(s.flags & (7 << 17), rows[i].lost);
		t_ok(gmem_slot_get(u->vm, 0, 0, &got, &err), err);
		assert_int_equal(got.flags & (7 << 17), rows[i].lost);
		t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
		s.userspace_addr = 1 << 20;
		s.flags &= ~(UINT64_C(7) << 17);
		t_ok(gmem_slot_note(u->vm, &s, &err), err);
		t_ok(gmem_slot_get(u->vm, 0, 0, &got, &err), err);
		assert_int_equal(got.flags & (7 << 17), rows[i].lost);
		t_ok(gmem_slot_forget(u->vm, 0, 0, &err), err);
		t_ok(gmem_slot_note(u->vm, &got, &err), err);
		t_ok(gmem_slot_forget(u->vm, 0, 0, &err), err);
	}
	t_ok(gmem_close(g, &err), err);
}

static void of_base_pages_nothing_is_lost(void **state)
{
	struct unit *u = *state;
	struct gmem_slot s = { .sz = sizeof(s),
			       .gpa = u->page,
			       .len = u->page };
	struct gmem_error err;

	t_ok(gmem_create(u->vm, 2 * u->page, NULL, &s.gmem, &err), err);
	t_ok(gmem_bind(&s, &err), err);
	assert_int_equal(s.flags & (7 << 17), 0);
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
		cmocka_unit_test(the_order_is_in_pages_of_the_host),
		TEST(every_size_has_its_order, unit_bare),
		TEST(with_an_order_no_file_starts_shared, unit_bare),
		TEST(another_flag_with_the_bit_of_page_order_is_told_from_it,
		     unit_bare),
		TEST(an_order_that_could_not_be_asked_for_is_not_used,
		     unit_bare),
		TEST(without_page_order_named_no_order_is_tried, unit_sw),
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
		TEST(a_slot_says_where_it_loses_huge_pages, unit_bare),
		TEST(of_base_pages_nothing_is_lost, unit_sw),
	};

	return t_main(tests);
}
