// SPDX-License-Identifier: MIT
/* How much an import of attributes says it did, and what it is held to. */
#include "unit.h"

#define SIZE (1 * MiB)

/* The record of a file: @m's own, in a buffer of the test's. */
static void *record_of(struct unit *m, struct gmem *g, size_t *len)
{
	void *buf;

	*len = 0;
	t_ok(gmem_attributes_export(g, NULL, len, &m->err), m->err);
	buf = malloc(*len);
	assert_non_null(buf);
	/* room for all of it, and not a byte more, is enough */
	t_ok(gmem_attributes_export(g, buf, len, &m->err), m->err);
	return buf;
}

static void too_little_room_is_told_in_bytes(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, SIZE, SHARED_FLAGS);
	size_t len, need;
	void *buf = record_of(m, g, &need);

	len = need - 1;
	t_refused(gmem_attributes_export(g, buf, &len, &m->err), -ENOSPC,
		  GMEM_REASON_BUFFER_SIZE, m->err);
	assert_int_equal(m->err.limit, need);
	free(buf);
}

/* A file that cannot convert is as it is: all is done, or nothing. */
static void of_a_fixed_file_all_is_done_or_nothing(void **state)
{
	struct unit *m = *state;
	struct gmem *shared = unit_create(m, SIZE, SHARED_FLAGS);
	struct gmem *private = unit_create(m, SIZE, GMEM_CREATE_UNBOUND);
	size_t len;
	void *buf = record_of(m, shared, &len);

	t_ok(gmem_attributes_import(shared, buf, len, 0, &m->err), m->err);
	assert_int_equal(m->err.done, SIZE);
	t_refused(gmem_attributes_import(private, buf, len, 0, &m->err),
		  -EOPNOTSUPP, GMEM_REASON_NO_PRIVATE_MEMORY, m->err);
	assert_int_equal(m->err.done, 0);
	free(buf);
}

/* Where a run fails, all before it is done, and of it what was. */
static void what_is_done_ends_where_it_failed(void **state)
{
	struct unit *m = *state;
	struct gmem *from = unit_create(m, SIZE, SHARED_FLAGS);
	struct gmem *to = unit_create(m, SIZE, SHARED_FLAGS);
	size_t len;
	void *buf;

	t_ok(gmem_set_private(from, 64 * KiB, 64 * KiB, &m->err), m->err);
	t_ok(gmem_set_private(from, 256 * KiB, 64 * KiB, &m->err), m->err);
	buf = record_of(m, from, &len);
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
	assert_int_equal(m->err.done, SIZE);
	free(buf);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(too_little_room_is_told_in_bytes, unit_inplace),
		TEST(of_a_fixed_file_all_is_done_or_nothing, unit_default73),
		TEST(what_is_done_ends_where_it_failed, unit_inplace),
	};

	return t_main(tests);
}
