// SPDX-License-Identifier: MIT
/* The kernel's create flags under each encoding of huge pages. */
#include <stdbool.h>

#include "hugetlb.h"
#include "t.h"
#include "uapi_proposed.h"

#define MiB (1ULL << 20)
#define SHARED (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

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
		{ GMEM_HUGETLB_RFC1, SHARED, 0 },
		{ GMEM_HUGETLB_RFC2, 0, 1ULL << 2 },
		{ GMEM_HUGETLB_RFC2, GMEM_CREATE_UNBOUND, 1ULL << 2 },
		{ GMEM_HUGETLB_RFC2, SHARED, 1ULL << 2 | 1 },
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_encoding_has_is_encoded),
	};

	return t_main(tests);
}
