// SPDX-License-Identifier: MIT
/* What each feature says on each kind of host, and when nothing is known. */
#include "unit.h"

#include "seam.h"

#define N_FEATURES 18

/* 1 << this: the page size */
static const unsigned int huge[] = { 16, 19, 20, 21, 23, 24,
				     25, 28, 29, 30, 31, 34 };

static uint64_t sizes(const struct unit *u)
{
	struct gmem_error err;
	uint64_t sizes = 1;

	t_ok(gmem_vm_hugetlb_sizes(u->vm, &sizes, &err), err);
	return sizes;
}

static uint32_t says(const struct unit *u, uint32_t feature)
{
	return (uint32_t)t_support(u->vm, feature);
}

/* The features up to RESIDENCY, in the order of the header. */
static void expect(const struct unit *u, const char *want)
{
	static const char letters[] = {
		[GMEM_UNKNOWN] = '?', [GMEM_NO] = 'n', [GMEM_YES] = 'y'
	};
	char got[GMEM_FEATURE_RESIDENCY + 2] = { 0 };

	for (uint32_t i = 0; i <= GMEM_FEATURE_RESIDENCY; i++)
		got[i] = letters[says(u, i)];
	assert_string_equal(got, want);
}

static void reopen(struct unit *u, uint32_t type)
{
	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	u->vm = unit_vm(u, type, NULL, NULL);
}

/*
 * user_memory2, guest_memfd, mmap, init_shared, VM attributes, file
 * attributes, memory-fault, map-gpa-range, pre-fault, mempolicy, residency.
 */
static void a_default_vm_of_618(void **state)
{
	expect(*state, "yyyynnyyyny");
}

static void a_default_vm_of_612_has_no_guest_memfd(void **state)
{
	expect(*state, "ynnnnnyyynn");
}

static void a_private_vm_of_612_has_vm_attributes(void **state)
{
	expect(*state, "yynnynyyyny");
}

static void a_private_vm_of_73_has_mmap_but_not_init_shared(void **state)
{
	expect(*state, "yyynynyyyyy");
}

static void a_private_vm_with_in_place_conversion(void **state)
{
	expect(*state, "yyyynyyyyyy");
}

static void an_arm64_vm_has_the_memory_fault_exit_unadvertised(void **state)
{
	expect(*state, "yyyynnynnny");
}

static void in_place_conversion_is_no_where_the_vm_has_no_private(void **state)
{
	struct unit *u = *state;

	reopen(u, GMEM_VM_DEFAULT);
	assert_int_equal(says(u, GMEM_FEATURE_FILE_ATTRIBUTES), GMEM_NO);
}

static void in_place_conversion_is_tried_not_asked(void **state)
{
	static const uint64_t zero[11];
	struct unit *u = *state;
	const struct unit_call *c;

	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	u->vm = NULL;
	unit_reset(u);
	t_code(gmem__vm_open_on(&unit_sys, u, NULL, &u->vm, NULL), 0);
	c = unit_nth(u, "ioctl", 0xc080aed2, 0);
	assert_non_null(c);
	assert_int_equal(c->in.attr2.size, 0);
	assert_int_equal(c->in.attr2.flags, 0);
	assert_memory_equal(c->in.attr2.reserved, zero, sizeof(zero));
	for (unsigned int i = 0;; i++) {
		c = unit_nth(u, "ioctl", 0xae03, i);
		if (!c)
			break;
		assert_true(c->in.value <= 244);
	}
}

static void the_answers_are_the_vm_fds(void **state)
{
	struct unit *u = *state;

	/* what the device says of all types together */
	unit_cap(u, OBJECT_DEVICE, 244, 7);
	unit_cap(u, OBJECT_VM, 236, 0);
	unit_cap(u, OBJECT_VM, 244, 1);
	reopen(u, GMEM_VM_DEFAULT);
	expect(u, "yyynnnyynny");
}

static void an_obeyed_policy_shows_in_a_second_mapping(void **state)
{
	struct unit *u = *state;

	assert_int_equal(says(u, GMEM_FEATURE_MEMPOLICY), GMEM_NO);
	unit_open(u, "6.19", GMEM_VM_DEFAULT);
	assert_int_equal(says(u, GMEM_FEATURE_MEMPOLICY), GMEM_YES);
}

static void a_kernel_without_numa_obeys_no_policy(void **state)
{
	static const char *const calls[] = { "mbind", "get_mempolicy" };
	struct unit *u = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(calls); i++) {
		assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
		unit_answer(u, calls[i], 0, 1, 1, -ENOSYS);
		u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
		assert_int_equal(says(u, GMEM_FEATURE_MEMPOLICY), GMEM_NO);
	}
}

/* It needs one that can be mapped: no, or unknown, as that is. */
static void without_a_file_to_try_it_on_there_is_no_policy(void **state)
{
	struct unit *u = *state;

	/* without MMAP, and where that cannot be asked */
	unit_cap(u, OBJECT_VM, 244, GMEM__FLAG_INIT_SHARED);
	reopen(u, GMEM_VM_DEFAULT);
	assert_int_equal(says(u, GMEM_FEATURE_MEMPOLICY), GMEM_NO);
	unit_cap(u, OBJECT_VM, 244, -EPERM);
	reopen(u, GMEM_VM_DEFAULT);
	assert_int_equal(says(u, GMEM_FEATURE_MEMPOLICY), GMEM_UNKNOWN);
	unit_cap(u, OBJECT_VM, 234, 0);
	reopen(u, GMEM_VM_DEFAULT);
	assert_int_equal(says(u, GMEM_FEATURE_MEMPOLICY), GMEM_NO);
}

static void answers(struct unit *u, uint32_t feature, uint32_t support,
		    int answer)
{
	struct gmem_feature_info info = { .sz = sizeof(info) };
	struct gmem_error err;

	t_ok(gmem_vm_feature(u->vm, feature, &info, &err), err);
	assert_int_equal(info.support, support);
	assert_int_equal(info.answer, answer);
}

static void without_guest_memfd_nothing_was_tried(void **state)
{
	struct unit *u = *state;

	answers(u, GMEM_FEATURE_FILE_ATTRIBUTES, GMEM_NO, -ENODEV);
	answers(u, GMEM_FEATURE_RESIDENCY, GMEM_NO, -ENODEV);
	answers(u, GMEM_FEATURE_MEMPOLICY, GMEM_NO, -ENODEV);
}

static void where_no_node_is_allowed_no_policy_is_tried(void **state)
{
	struct unit *u = *state;

	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	unit_answer(u, "get_mempolicy", 0, 1, 1, 0);
	u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
	answers(u, GMEM_FEATURE_MEMPOLICY, GMEM_UNKNOWN, -ENODATA);
}

/* The shortage is that of the file that is tried, which it was not. */
static void a_vm_opens_where_guest_memfd_is_unknown(void **state)
{
	struct unit *u = *state;

	unit_cap(u, OBJECT_VM, 234, -ENOMEM);
	reopen(u, GMEM_VM_DEFAULT);
	answers(u, GMEM_FEATURE_GUEST_MEMFD, GMEM_UNKNOWN, -ENOMEM);
	answers(u, GMEM_FEATURE_FILE_ATTRIBUTES, GMEM_UNKNOWN, -ENOMEM);
}

static void a_kernel_without_cachestat_has_no_exact_residency(void **state)
{
	struct unit *u = *state;

	u->lacks = "cachestat";
	reopen(u, GMEM_VM_DEFAULT);
	assert_int_equal(says(u, GMEM_FEATURE_RESIDENCY), GMEM_NO);
}

static void a_capability_that_cannot_be_asked_is_unknown(void **state)
{
	static const struct {
		uint32_t feature;
		int cap;
	} rows[] = {
		{ GMEM_FEATURE_USER_MEMORY2, 231 },
		{ GMEM_FEATURE_GUEST_MEMFD, 234 },
		{ GMEM_FEATURE_MMAP, 244 },
		{ GMEM_FEATURE_INIT_SHARED, 244 },
		{ GMEM_FEATURE_VM_ATTRIBUTES, 233 },
		{ GMEM_FEATURE_FILE_ATTRIBUTES, 234 },
		{ GMEM_FEATURE_MEMORY_FAULT_EXIT, 232 },
		{ GMEM_FEATURE_MAP_GPA_RANGE_EXIT, 201 },
		{ GMEM_FEATURE_PRE_FAULT, 236 },
		{ GMEM_FEATURE_MEMPOLICY, 244 },
		{ GMEM_FEATURE_RESIDENCY, 234 },
		{ GMEM_FEATURE_HUGETLB, 244 },
		{ GMEM_FEATURE_VM_DEFAULT, 235 },
		{ GMEM_FEATURE_VM_SEV, 235 },
	};
	struct unit *u = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		u->n_caps = 0;
		unit_cap(u, OBJECT_VM, rows[i].cap, -EPERM);
		reopen(u, GMEM_VM_DEFAULT);
		if (says(u, rows[i].feature) != GMEM_UNKNOWN)
			fail_msg("feature %u is %u", rows[i].feature,
				 says(u, rows[i].feature));
	}
}

/* Opens with one call failing; returns whether there was such a call. */
static bool open_failing(struct unit *u, unsigned int nth, int code)
{
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = GMEM_VM_SW_PROTECTED };
	bool met;

	unit_reset(u);
	unit_answer(u, NULL, 0, nth, 1, code);
	(void)!gmem__vm_open_on(&unit_sys, u, &o, &u->vm, NULL);
	met = unit_count(u, NULL, 0) >= nth;
	unit_reset(u);
	return met;
}

static void a_failed_probe_is_never_a_no(void **state)
{
	static const int codes[] = { -EMFILE, -EPERM, -ENOMEM, -EIO };
	struct unit *u = *state;
	uint32_t good[N_FEATURES];
	unsigned int unknown = 0;

	for (uint32_t i = 0; i < N_FEATURES; i++)
		good[i] = says(u, i);
	for (size_t c = 0; c < T_ARRAY_SIZE(codes); c++) {
		bool met = true;

		for (unsigned int k = 1; met; k++) {
			assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
			u->vm = NULL;
			met = open_failing(u, k, codes[c]);
			for (uint32_t i = 0; u->vm && i < N_FEATURES; i++) {
				if (says(u, i) == good[i])
					continue;
				unknown++;
				if (says(u, i) != GMEM_UNKNOWN)
					fail_msg("call %u failed with %d: "
						 "feature %u is %u",
						 k, codes[c], i, says(u, i));
			}
		}
	}
	assert_true(unknown > N_FEATURES);
}

static void unknown_tells_the_errno(void **state)
{
	struct gmem_feature_info info = { .sz = sizeof(info) };
	struct unit *u = *state;
	struct gmem_error err;

	unit_cap(u, OBJECT_VM, 236, -EPERM);
	reopen(u, GMEM_VM_DEFAULT);
	t_ok(gmem_vm_feature(u->vm, GMEM_FEATURE_PRE_FAULT, &info, &err), err);
	assert_int_equal(info.support, GMEM_UNKNOWN);
	assert_int_equal(info.answer, -EPERM);
}

static void arm64_says_minus_one_to_what_it_does_not_know(void **state)
{
	struct unit *u = *state;

	unit_cap(u, OBJECT_VM, 233, -EPERM);
	unit_cap(u, OBJECT_VM, 236, -EPERM);
	unit_cap(u, OBJECT_VM, 244, -EPERM);
	reopen(u, GMEM_VM_DEFAULT);
	assert_int_equal(says(u, GMEM_FEATURE_VM_ATTRIBUTES), GMEM_NO);
	assert_int_equal(says(u, GMEM_FEATURE_PRE_FAULT), GMEM_NO);
	assert_int_equal(says(u, GMEM_FEATURE_MMAP), GMEM_NO);
	assert_int_equal(says(u, GMEM_FEATURE_HUGETLB), GMEM_NO);
}

static void vm_types_are_the_bits_of_capability_235(void **state)
{
	static const uint32_t types[] = {
		GMEM_FEATURE_VM_DEFAULT, GMEM_FEATURE_VM_SW_PROTECTED,
		GMEM_FEATURE_VM_SEV,	 GMEM_FEATURE_VM_SEV_ES,
		GMEM_FEATURE_VM_SNP,	 GMEM_FEATURE_VM_TDX,
	};
	struct unit *u = *state;

	for (size_t bit = 0; bit < T_ARRAY_SIZE(types); bit++) {
		unit_cap(u, OBJECT_VM, 235, 1 | 1 << bit);
		reopen(u, GMEM_VM_DEFAULT);
		for (size_t i = 0; i < T_ARRAY_SIZE(types); i++)
			assert_int_equal(says(u, types[i]),
					 !i || i == bit ? GMEM_YES : GMEM_NO);
	}
	unit_cap(u, OBJECT_VM, 235, 0); /* before 6.8 */
	reopen(u, GMEM_VM_DEFAULT);
	assert_int_equal(says(u, GMEM_FEATURE_VM_DEFAULT), GMEM_YES);
	assert_int_equal(says(u, GMEM_FEATURE_VM_SW_PROTECTED), GMEM_NO);
	unit_cap(u, OBJECT_VM, 235, 2); /* others, and not that one */
	reopen(u, GMEM_VM_DEFAULT);
	assert_int_equal(says(u, GMEM_FEATURE_VM_DEFAULT), GMEM_NO);
	assert_int_equal(says(u, GMEM_FEATURE_VM_SW_PROTECTED), GMEM_YES);
}

static void how_it_is_known_names_the_probe(void **state)
{
	struct unit *u = *state;
	struct gmem_feature_info a = { .sz = sizeof(a) }, b = a;

	unit_need_encodings();
	assert_int_equal(gmem_vm_feature(u->vm, GMEM_FEATURE_MMAP, &a, NULL),
			 0);
	assert_int_equal(a.support, GMEM_YES);
	assert_string_equal(a.known_by, "KVM_CHECK_EXTENSION(244) & 1");
	assert_true(gmem_vm_feature(u->vm, GMEM_FEATURE_HUGETLB, &a, NULL) >=
		    0);
	u->encoding = GMEM_HUGETLB_PAGE_ORDER;
	reopen(u, GMEM_VM_DEFAULT);
	assert_true(gmem_vm_feature(u->vm, GMEM_FEATURE_HUGETLB, &b, NULL) >=
		    0);
	assert_string_not_equal(a.known_by, b.known_by);
	assert_int_equal(gmem_vm_feature(u->vm, GMEM_FEATURE_MMAP, &b, NULL),
			 0);
	assert_int_equal(b.support, GMEM_YES);
	assert_string_equal(b.known_by, "KVM_CHECK_EXTENSION(244) & 1");
}

static void huge_pages_are_no_without_a_named_encoding(void **state)
{
	struct unit *u = *state;

	assert_int_equal(says(u, GMEM_FEATURE_HUGETLB), GMEM_NO);
	/* a flag of a kernel yet to come */
	unit_cap(u, OBJECT_VM, 244, 7);
	reopen(u, GMEM_VM_DEFAULT);
	assert_int_equal(says(u, GMEM_FEATURE_HUGETLB), GMEM_UNKNOWN);
	assert_int_equal(sizes(u), 0);
}

static void a_named_encoding_is_tried_size_by_size(void **state)
{
	struct unit *u = *state;

	unit_need_encodings();
	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	memset(u->k->pools, 0, sizeof(u->k->pools));
	reopen(u, GMEM_VM_SW_PROTECTED);
	assert_int_equal(says(u, GMEM_FEATURE_HUGETLB), GMEM_NO);
	for (size_t i = 0; i < T_ARRAY_SIZE(huge); i++) {
		u->k->pools[0] = (struct pool){ .page_size = 1ULL << huge[i],
						.pages = { 1 } };
		reopen(u, GMEM_VM_SW_PROTECTED);
		assert_int_equal(says(u, GMEM_FEATURE_HUGETLB), GMEM_YES);
		assert_int_equal(sizes(u), 1ULL << huge[i]);
	}
	u->k->pools[1] = (struct pool){ .page_size = 2 * MiB, .pages = { 1 } };
	reopen(u, GMEM_VM_SW_PROTECTED);
	assert_int_equal(sizes(u), 2 * MiB | 16 * GiB);
}

/* What works outweighs it. */
static void a_size_that_could_not_be_tried_is_unknown(void **state)
{
	struct unit *u = *state;

	unit_need_encodings();
	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	memset(u->k->pools, 0, sizeof(u->k->pools));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
		/* the third of them: 1 MiB */
		unit_answer(u, "ioctl", 0xc040aed4, 6, 1, -EMFILE);
		u->vm = unit_vm(u, GMEM_VM_SW_PROTECTED, NULL, NULL);
		assert_int_equal(says(u, GMEM_FEATURE_HUGETLB),
				 i ? GMEM_YES : GMEM_UNKNOWN);
		assert_int_equal(sizes(u), i ? 2 * MiB : 0);
		u->k->pools[0] =
			(struct pool){ .page_size = 2 * MiB, .pages = { 1 } };
	}
}

/* Of the three values only one is yes. */
static void has_is_1_for_what_works_and_for_nothing_else(void **state)
{
	struct unit *u = *state;

	for (uint32_t i = 0; i < N_FEATURES; i++)
		assert_int_equal(gmem_vm_has(u->vm, i), says(u, i) == GMEM_YES);
	assert_int_equal(gmem_vm_has(u->vm, N_FEATURES), 0);
	assert_int_equal(gmem_vm_has(u->vm, UINT32_MAX), 0);
	assert_int_equal(gmem_vm_has(NULL, 0), 0);
	unit_cap(u, OBJECT_VM, 244, 7);
	reopen(u, GMEM_VM_DEFAULT);
	assert_int_equal(gmem_vm_has(u->vm, GMEM_FEATURE_HUGETLB), 0);
}

static void opening_leaves_one_fd_one_page_one_allocation(void **state)
{
	struct unit *u = *state;

	assert_int_equal(u->k->n_fds, 1);
	assert_int_equal(unit_mappings(u), 1);
	assert_int_equal(u->live_allocs, 1);
}

/* On the device's descriptor and on the VM's. */
static void each_capability_is_asked_once(void **state)
{
	struct unit *u = *state;
	unsigned int asked = 0;

	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	unit_reset(u);
	t_ok(gmem__vm_open_on(&unit_sys, u, NULL, &u->vm, &u->err), u->err);
	for (unsigned int i = 0; i < u->n_calls; i++) {
		const struct unit_call *c = &u->calls[i];

		if (c->request != GMEM__KVM_CHECK_EXTENSION)
			continue;
		asked++;
		for (unsigned int k = 0; k < i; k++)
			assert_false(u->calls[k].request == c->request &&
				     u->calls[k].fd == c->fd &&
				     u->calls[k].in.value == c->in.value);
	}
	assert_true(asked > 8);
}

static void asking_makes_no_call(void **state)
{
	struct unit *u = *state;
	struct gmem_feature_info info = { .sz = sizeof(info) };
	struct gmem_error err;

	for (uint32_t i = 0; i < N_FEATURES; i++) {
		t_ok(gmem_vm_feature(u->vm, i, &info, &err), err);
		assert_non_null(info.name);
		assert_non_null(info.known_by);
		for (uint32_t k = 0; k < i; k++) {
			struct gmem_feature_info o = { .sz = sizeof(o) };

			t_ok(gmem_vm_feature(u->vm, k, &o, &err), err);
			assert_string_not_equal(o.name, info.name);
		}
	}
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(u->n_allocs, 0);
}

static void only_unreleased_features_have_no_first_kernel(void **state)
{
	struct unit *u = *state;
	struct gmem_feature_info info = { .sz = sizeof(info) };

	for (uint32_t i = 0; i < N_FEATURES; i++) {
		bool none = i == GMEM_FEATURE_FILE_ATTRIBUTES ||
			    i == GMEM_FEATURE_HUGETLB;

		assert_int_equal(gmem_vm_feature(u->vm, i, &info, NULL), 0);
		assert_int_equal(info.since == NULL, none);
	}
}

/* No date of x86-64, and no capability that said no, stands for a yes. */
static void arm64_has_dates_and_answers_of_its_own(void **state)
{
	static const char *const since[] = {
		[GMEM_FEATURE_USER_MEMORY2] = "6.8",
		[GMEM_FEATURE_GUEST_MEMFD] = "6.18",
		[GMEM_FEATURE_MMAP] = "6.18",
		[GMEM_FEATURE_INIT_SHARED] = "6.18",
		[GMEM_FEATURE_MEMORY_FAULT_EXIT] = "6.18",
		[GMEM_FEATURE_MEMPOLICY] = "6.19",
		[GMEM_FEATURE_RESIDENCY] = "6.18",
		[GMEM_FEATURE_VM_DEFAULT] = "3.11",
		[GMEM_FEATURE_VM_TDX] = NULL,
	};
	struct unit *u = *state;
	struct gmem_feature_info info = { .sz = sizeof(info) };

	for (uint32_t i = 0; i < N_FEATURES; i++) {
		assert_int_equal(gmem_vm_feature(u->vm, i, &info, NULL), 0);
		assert_int_equal(!info.since, !since[i]);
		if (since[i])
			assert_string_equal(info.since, since[i]);
		else
			assert_int_not_equal(info.support, GMEM_YES);
		if (info.support == GMEM_YES && info.answer == 0)
			assert_null(strstr(info.known_by, "CHECK_EXTENSION"));
	}
	assert_int_equal(
		gmem_vm_feature(u->vm, GMEM_FEATURE_VM_DEFAULT, &info, NULL),
		0);
	assert_string_equal(info.known_by, "the only type on arm64");
}

static void a_feature_past_the_last_is_refused(void **state)
{
	struct unit *u = *state;
	struct gmem_feature_info info = { .sz = sizeof(info) };
	struct gmem_error err;
	uint64_t sizes;

	t_refused(gmem_vm_feature(u->vm, N_FEATURES, &info, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	assert_int_equal(err.value, N_FEATURES);
	t_refused(gmem_vm_feature(NULL, 0, &info, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_vm_feature(u->vm, 0, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_vm_hugetlb_sizes(u->vm, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_vm_hugetlb_sizes(NULL, &sizes, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_default_vm_of_618, unit_default),
		TEST(a_default_vm_of_612_has_no_guest_memfd, unit_612),
		TEST(a_private_vm_of_612_has_vm_attributes, unit_sw612),
		TEST(a_private_vm_of_73_has_mmap_but_not_init_shared, unit_sw),
		TEST(a_private_vm_with_in_place_conversion, unit_inplace),
		TEST(an_arm64_vm_has_the_memory_fault_exit_unadvertised,
		     unit_arm64),
		TEST(in_place_conversion_is_no_where_the_vm_has_no_private,
		     unit_inplace),
		TEST(in_place_conversion_is_tried_not_asked, unit_inplace),
		TEST(the_answers_are_the_vm_fds, unit_default),
		TEST(an_obeyed_policy_shows_in_a_second_mapping, unit_default),
		TEST(a_kernel_without_numa_obeys_no_policy, unit_default),
		TEST(without_a_file_to_try_it_on_there_is_no_policy,
		     unit_obeyed),
		TEST(without_guest_memfd_nothing_was_tried, unit_612),
		TEST(where_no_node_is_allowed_no_policy_is_tried, unit_obeyed),
		TEST(a_vm_opens_where_guest_memfd_is_unknown, unit_default),
		TEST(a_kernel_without_cachestat_has_no_exact_residency,
		     unit_default),
		TEST(a_capability_that_cannot_be_asked_is_unknown,
		     unit_default),
		TEST(a_failed_probe_is_never_a_no, unit_inplace),
		TEST(unknown_tells_the_errno, unit_default),
		TEST(arm64_says_minus_one_to_what_it_does_not_know, unit_arm64),
		TEST(vm_types_are_the_bits_of_capability_235, unit_default),
		TEST(how_it_is_known_names_the_probe, unit_default),
		TEST(huge_pages_are_no_without_a_named_encoding, unit_default),
		TEST(a_named_encoding_is_tried_size_by_size, unit_sw612),
		TEST(a_size_that_could_not_be_tried_is_unknown, unit_sw612),
		TEST(has_is_1_for_what_works_and_for_nothing_else,
		     unit_default),
		TEST(opening_leaves_one_fd_one_page_one_allocation, unit_sw),
		TEST(each_capability_is_asked_once, unit_default),
		TEST(asking_makes_no_call, unit_default),
		TEST(only_unreleased_features_have_no_first_kernel,
		     unit_default),
		TEST(arm64_has_dates_and_answers_of_its_own, unit_arm64),
		TEST(a_feature_past_the_last_is_refused, unit_default),
	};

	return t_main(tests);
}
