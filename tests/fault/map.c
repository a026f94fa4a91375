// SPDX-License-Identifier: MIT
/* Mapping, each call failing in turn. */
#include "fault.h"

static int map_it(struct fault *t, struct gmem_error *err)
{
	void *p = t;
	int r = gmem_mmap(t->g, 0, 2 * t->page, NULL, &p, err);

	t->touched = r < 0 && p != t;
	if (r < 0)
		return r;
	memset(p, 1, 2 * t->page);
	return 0;
}

static void map_on(const struct fault_kernel *const *kernels, uint32_t type)
{
	struct scenario s = { .kernels = kernels,
			      .type = type,
			      .prepare = fault_shared,
			      .run = map_it,
			      .caller = "gmem_mmap" };

	fault_run(&s);
}

static void a_mapping_that_fails_is_not_there(void **state)
{
	(void)state;
	map_on(fault_default, GMEM_VM_DEFAULT);
	map_on(fault_in_place, GMEM_VM_SW_PROTECTED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_that_fails_is_not_there),
	};

	return t_main(tests);
}
