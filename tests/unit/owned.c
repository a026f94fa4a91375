// SPDX-License-Identifier: MIT
/* A file has one handle in a VM: two would be two records of one kernel. */
#include <fcntl.h>
#include <unistd.h>

#include "on_model.h"

static void refused(struct on_model *m, int fd)
{
	struct gmem *again = NULL;

	t_refused(gmem_adopt(m->vm, fd, NULL, &again, &m->err), -EEXIST,
		  GMEM_REASON_ALREADY_OWNED, m->err);
	assert_null(again);
	assert_int_equal(m->err.value, fd);
	assert_true(fcntl(fd, F_GETFD) >= 0);
}

static void a_file_is_not_adopted_beside_its_own_handle(void **state)
{
	struct on_model *m = *state;
	struct gmem *other;
	int copy;

	other = on_model_file(m, 64 * KiB, SHARED_FLAGS);
	on_model_file(m, 64 * KiB, SHARED_FLAGS);
	refused(m, gmem_fd(other));
	refused(m, gmem_fd(m->g));
	/* another number for the same file */
	copy = dup(gmem_fd(other));
	assert_true(copy >= 0);
	refused(m, copy);
	assert_int_equal(m->err.limit, gmem_fd(other));
	t_ok(gmem_close(other, &m->err), m->err);
	/* with the handle gone it may be */
	t_ok(gmem_adopt(m->vm, copy, NULL, &other, &m->err), m->err);
	assert_int_equal(gmem_fd(other), copy);
}

#define TEST(name, how) \
	cmocka_unit_test_setup_teardown(name, how, on_model_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_file_is_not_adopted_beside_its_own_handle,
		     on_model_default),
		TEST(a_file_is_not_adopted_beside_its_own_handle,
		     on_model_in_place),
	};

	return t_main(tests);
}
