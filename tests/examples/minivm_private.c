// SPDX-License-Identifier: MIT
/* minivm notices by itself where a page lost its state. */
#include <stdlib.h>
#include <sys/wait.h>

#include "t.h"

static void passes(const char *profile)
{
	char command[512];
	int status;

	snprintf(command, sizeof(command), "'%s' --private=%s >/dev/null",
		 MINIVM, profile);
	status = system(command);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status))
		fail_msg("%s ended with %d", command, WEXITSTATUS(status));
}

static void each_page_keeps_its_state_before_mmap(void **state)
{
	(void)state;
	passes("6.12");
}

static void each_page_keeps_its_state_beside_the_file(void **state)
{
	(void)state;
	passes("7.3");
}

static void each_page_keeps_its_state_in_place(void **state)
{
	(void)state;
	passes("inplace");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_page_keeps_its_state_before_mmap),
		cmocka_unit_test(each_page_keeps_its_state_beside_the_file),
		cmocka_unit_test(each_page_keeps_its_state_in_place),
	};

	if (sysconf(_SC_PAGESIZE) != 4096) {
		print_message("skipped: its guest has pages of 4 KiB\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
