// SPDX-License-Identifier: MIT
/* What the example says that the host sees: that it may not is an answer. */
#include "t.h"

static int convert_main(int argc, char **argv);
#define main convert_main
#include "../../examples/convert.c"
#undef main

static struct machine m = { .vcpu = -1 };

static int make(void **state)
{
	struct gmem_error err = { .sz = sizeof(err) };

	(void)state;
	m.page = (uint64_t)sysconf(_SC_PAGESIZE);
	if (guest_vm("inplace", &m.vm, &err) < 0)
		return -1;
	return make_ram(&m);
}

static int destroy(void **state)
{
	(void)state;
	return gmem_vm_destroy(m.vm, NULL);
}

static void a_private_page_is_told(void **state)
{
	(void)state;
	assert_int_equal(print_host_view(&m, m.page), 0);
}

static void a_shared_page_is_told(void **state)
{
	(void)state;
	assert_int_equal(print_host_view(&m, 0), 0);
}

static void a_dead_vm_is_a_failure(void **state)
{
	(void)state;
	assert_int_equal(
		gmem_model_fail_from(m.vm, "process_vm_readv", 1, EIO, NULL),
		0);
	/* nor by a pipe, which the library tries then */
	assert_int_equal(gmem_model_fail_from(m.vm, "pipe2", 1, EIO, NULL), 0);
	assert_int_equal(print_host_view(&m, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_private_page_is_told, make,
						destroy),
		cmocka_unit_test_setup_teardown(a_shared_page_is_told, make,
						destroy),
		cmocka_unit_test_setup_teardown(a_dead_vm_is_a_failure, make,
						destroy),
	};

	(void)convert_main;
	return t_main(tests);
}
