// SPDX-License-Identifier: MIT
/* Mapping, each call failing in turn. */
#include <sys/mman.h>

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

/* Of the program; 4 pages, of which the two in the middle are used. */
static char *reserved(const struct fault *t)
{
	static char *base;
	unsigned char there[4];
	char b;

	if (!base)
		base = mmap(NULL, 4 * t->page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(base != MAP_FAILED);
	/* What came before has put it back, whatever failed. */
	assert_int_equal(mincore(base, 4 * t->page, there), 0);
	for (unsigned int i = 0; i < 4; i++)
		t_code(gmem__sys_linux.vm_read(NULL, &b, base + i * t->page, 1),
		       -EFAULT);
	return base + t->page;
}

static int map_fixed(struct fault *t, struct gmem_error *err)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o),
				    .flags = GMEM_MMAP_FIXED | GMEM_MMAP_FORK |
					     GMEM_MMAP_DUMP,
				    .addr = t->mapped };
	void *p = t;
	int r = gmem_mmap(t->g, 0, 2 * t->page, &o, &p, err);

	t->touched = r < 0 && p != t;
	if (r == 0)
		memset(t->mapped, 1, 2 * t->page);
	return r;
}

static void prepare_fixed(struct fault *t)
{
	fault_shared(t);
	t->mapped = reserved(t);
}

static void prepare_unmap(struct fault *t)
{
	struct gmem_error err;

	prepare_fixed(t);
	t_ok(map_fixed(t, &err), err);
}

static int unmap(struct fault *t, struct gmem_error *err)
{
	return gmem_munmap(t->g, t->mapped, err);
}

static void fixed_on(const struct fault_kernel *const *kernels, uint32_t type)
{
	struct scenario map = { .kernels = kernels,
				.type = type,
				.prepare = prepare_fixed,
				.run = map_fixed,
				.caller = "gmem_mmap" };
	struct scenario end = { .kernels = kernels,
				.type = type,
				.prepare = prepare_unmap,
				.run = unmap,
				.caller = "gmem_munmap" };

	fault_run(&map);
	fault_run(&end);
}

static void a_reservation_is_never_left_with_a_hole(void **state)
{
	(void)state;
	fixed_on(fault_default, GMEM_VM_DEFAULT);
	fixed_on(fault_model, GMEM_VM_SW_PROTECTED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_that_fails_is_not_there),
		cmocka_unit_test(a_reservation_is_never_left_with_a_hole),
	};

	return t_main(tests);
}
