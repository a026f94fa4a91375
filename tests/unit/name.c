// SPDX-License-Identifier: MIT
/* The names of numbers; that none is missing is tests/meta/names.py's. */
#include <stdbool.h>

#include "t.h"

#define KINDS (GMEM_NAME_REGION_FLAG + 1)

static void every_errno_of_libc_has_its_name(void **state)
{
	int found = 0;

	(void)state;
	for (int i = 1; i < 4096; i++) {
		const char *want = strerrorname_np(i);
		const char *name = gmem_name(GMEM_NAME_ERRNO, (uint64_t)i);

		if (want)
			assert_string_equal(name, want);
		else
			assert_null(name);
		found += !!want;
	}
	assert_in_range(found, 131, 4095);
}

static void a_name_and_its_value_lead_to_each_other(void **state)
{
	struct gmem_error err;
	uint64_t value, back;
	const char *name;
	uint32_t i;

	(void)state;
	for (uint32_t kind = 0; kind < KINDS; kind++) {
		for (i = 0; (name = gmem_name_at(kind, i, &value)); i++) {
			assert_ptr_equal(gmem_name(kind, value), name);
			back = ~value;
			t_ok(gmem_value(kind, name, &back, &err), err);
			assert_int_equal(back, value);
		}
		assert_true(i > 0);
	}
}

static void no_name_and_no_value_is_there_twice(void **state)
{
	uint64_t value, other;
	const char *name;

	(void)state;
	for (uint32_t kind = 0; kind < KINDS; kind++)
		for (uint32_t i = 0; (name = gmem_name_at(kind, i, &value));
		     i++)
			for (uint32_t k = 0; k < i; k++) {
				assert_string_not_equal(
					name, gmem_name_at(kind, k, &other));
				assert_int_not_equal(value, other);
			}
}

static void the_names_are_those_of_the_header(void **state)
{
	static const struct {
		uint32_t kind;
		const char *name;
		uint64_t value;
	} rows[] = {
		{ GMEM_NAME_VM_TYPE, "default", GMEM_VM_DEFAULT },
		{ GMEM_NAME_VM_TYPE, "sw-protected", GMEM_VM_SW_PROTECTED },
		{ GMEM_NAME_VM_TYPE, "sev", GMEM_VM_SEV },
		{ GMEM_NAME_VM_TYPE, "sev-es", GMEM_VM_SEV_ES },
		{ GMEM_NAME_VM_TYPE, "snp", GMEM_VM_SNP },
		{ GMEM_NAME_VM_TYPE, "tdx", GMEM_VM_TDX },
		{ GMEM_NAME_MPOL, "default", GMEM_MPOL_DEFAULT },
		{ GMEM_NAME_MPOL, "weighted-interleave",
		  GMEM_MPOL_WEIGHTED_INTERLEAVE },
		{ GMEM_NAME_CREATE_FLAG, "init-shared",
		  GMEM_CREATE_INIT_SHARED },
		{ GMEM_NAME_SLOT_FLAG, "hva", GMEM_SLOT_HVA },
		{ GMEM_NAME_ATTRIBUTE, "private", GMEM_ATTRIBUTE_PRIVATE },
		{ GMEM_NAME_SUPPORT, "unknown", GMEM_UNKNOWN },
	};
	struct gmem_error err;
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		value = ~rows[i].value;
		t_ok(gmem_value(rows[i].kind, rows[i].name, &value, &err), err);
		assert_int_equal(value, rows[i].value);
	}
}

static void the_end_of_a_list_leaves_the_value_alone(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_string_equal(gmem_name_at(GMEM_NAME_PLACED, 1, NULL), "well");
	assert_null(gmem_name_at(GMEM_NAME_PLACED, 3, &value));
	assert_null(gmem_name_at(GMEM_NAME_PLACED, UINT32_MAX, &value));
	assert_null(gmem_name_at(KINDS, 0, &value));
	assert_null(gmem_name_at(UINT32_MAX, 0, &value));
	assert_int_equal(value, 7);
}

static void what_is_no_such_value_has_no_name(void **state)
{
	static const struct {
		uint32_t kind;
		uint64_t value;
	} rows[] = {
		{ GMEM_NAME_ERRNO, 0 },
		{ GMEM_NAME_ERRNO, (uint64_t)-EINVAL },
		{ GMEM_NAME_VM_TYPE, GMEM_VM_UNSET },
		{ GMEM_NAME_VM_TYPE, GMEM_VM_TDX + 1 },
		{ GMEM_NAME_CREATE_FLAG, 0 },
		{ GMEM_NAME_CREATE_FLAG,
		  GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED },
		{ GMEM_NAME_SLOT_FLAG, 0 },
		{ GMEM_NAME_ATTRIBUTE, 1 },
		{ KINDS, 0 },
		{ UINT32_MAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++)
		assert_null(gmem_name(rows[i].kind, rows[i].value));
}

static void a_word_that_is_no_name_is_refused(void **state)
{
	static const struct {
		uint32_t kind;
		const char *name;
	} rows[] = {
		{ GMEM_NAME_VM_TYPE, "" },
		{ GMEM_NAME_VM_TYPE, "SNP" },
		{ GMEM_NAME_VM_TYPE, "sev-" },
		{ GMEM_NAME_VM_TYPE, "all" },
		{ GMEM_NAME_VM_TYPE, "sn" },
		{ GMEM_NAME_MPOL, "" },
		{ GMEM_NAME_MPOL, "Bind" },
		{ GMEM_NAME_VM_TYPE, "mmap" },
		{ GMEM_NAME_ERRNO, "EWOULDBLOCK" },
		{ GMEM_NAME_ERRNO, "einval" },
		{ KINDS, "mmap" },
		{ UINT32_MAX, "mmap" },
	};
	struct gmem_error err;
	uint64_t value = 7;

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++)
		t_refused(gmem_value(rows[i].kind, rows[i].name, &value, &err),
			  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
	t_refused(gmem_value(GMEM_NAME_VM_TYPE, NULL, &value, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_non_null(strstr(err.msg, "name is NULL"));
	t_refused(gmem_value(GMEM_NAME_VM_TYPE, "snp", NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_non_null(strstr(err.msg, "value is NULL"));
	err.sz = 1; /* no room to say why */
	assert_int_equal(gmem_value(GMEM_NAME_VM_TYPE, "snp", &value, &err),
			 -EINVAL);
	assert_int_equal(value, 7);
}

/* Whole: a name that the message has no room for would not be found there. */
static void the_message_lists_the_names_of_the_kind(void **state)
{
	struct gmem_error err;
	const char *name;
	uint64_t value;

	(void)state;
	for (uint32_t kind = GMEM_NAME_VM_TYPE; kind < KINDS; kind++) {
		t_refused(gmem_value(kind, "a-word-that-is-as-long-as-it-gets",
				     &value, &err),
			  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
		for (uint32_t i = 0; (name = gmem_name_at(kind, i, NULL)); i++)
			assert_non_null(strstr(err.msg, name));
		assert_true(strlen(err.msg) < sizeof(err.msg) - 1);
	}
	t_refused(gmem_value(GMEM_NAME_ERRNO, "EFOO", &value, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	assert_string_equal(err.msg, "\"EFOO\" is not the name of an errno");
	t_refused(gmem_value(GMEM_NAME_HUGETLB_ENCODING, "rfc3", &value, &err),
		  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
	assert_string_equal(err.msg, "\"rfc3\" is not the name of a huge page "
				     "encoding: merged, rfc1, page-order");
}

/* As it is said: "an mmap flag". */
static void the_article_fits_the_kind(void **state)
{
	static const char before[] = "is not the name of a";
	struct gmem_error err;
	const char *article;
	uint64_t value;
	bool vowel;

	(void)state;
	for (uint32_t kind = 0; kind < KINDS; kind++) {
		t_refused(gmem_value(kind, "x", &value, &err), -EINVAL,
			  GMEM_REASON_VALUE_UNKNOWN, err);
		article = strstr(err.msg, before);
		assert_non_null(article);
		article += strlen(before);
		vowel = !strncmp(article, "n ", 2);
		article += vowel ? 2 : 1;
		assert_int_equal(vowel, strchr("aeiou", *article) ||
						!strncmp(article, "mmap", 4));
	}
}

int main(void)
{
	const struct CMUnitTest name[] = {
		cmocka_unit_test(every_errno_of_libc_has_its_name),
		cmocka_unit_test(a_name_and_its_value_lead_to_each_other),
		cmocka_unit_test(no_name_and_no_value_is_there_twice),
		cmocka_unit_test(the_names_are_those_of_the_header),
		cmocka_unit_test(the_end_of_a_list_leaves_the_value_alone),
		cmocka_unit_test(what_is_no_such_value_has_no_name),
		cmocka_unit_test(a_word_that_is_no_name_is_refused),
		cmocka_unit_test(the_message_lists_the_names_of_the_kind),
		cmocka_unit_test(the_article_fits_the_kind),
	};

	return t_main(name);
}
