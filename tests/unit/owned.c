// SPDX-License-Identifier: MIT
/* A file has one handle in a VM: two would be two records of one kernel. */
#include <fcntl.h>
#include <unistd.h>

#include "unit.h"

static void refused(struct unit *m, int fd)
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
	struct unit *m = *state;
	struct gmem *other;
	int copy;

	other = unit_create(m, 64 * KiB, SHARED_FLAGS);
	unit_create(m, 64 * KiB, SHARED_FLAGS);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_file_is_not_adopted_beside_its_own_handle,
		     unit_default73),
		TEST(a_file_is_not_adopted_beside_its_own_handle, unit_inplace),
	};

	return t_main(tests);
}
