// SPDX-License-Identifier: MIT
/* Mapping, each call failing in turn. */
#include "fault.h"

static int map_and_unmap(struct fault *t, struct gmem_error *err)
{
	void *p = t;
	int r = gmem_mmap(t->g, 0, 8192, NULL, &p, err);

	t->touched = r < 0 && p != t;
	if (r < 0)
		return r;
	memset(p, 1, 8192);
	return 0;
}

static void a_mapping_that_fails_is_not_there(void **state)
{
	static const struct scenario s = { .profile = fake_init,
					   .type = GMEM_VM_DEFAULT,
					   .prepare = fault_shared,
					   .run = map_and_unmap,
					   .caller = "gmem_mmap" };

	(void)state;
	fault_run(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_that_fails_is_not_there),
	};

	return t_main(tests);
}
