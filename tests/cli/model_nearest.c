// SPDX-License-Identifier: MIT
/* Which profile stands in for the kernel of a machine, in a dry run. */
#include <sys/utsname.h>

#include "t.h"
#include "target/model.h"

static const char *release, *machine; /* NULL: uname(2) fails */

/* In place of the C library's. */
int uname(struct utsname *out)
{
	if (!release)
		return -1;
	*out = (struct utsname){ .sysname = "Linux" };
	(void)snprintf(out->release, sizeof(out->release), "%s", release);
	(void)snprintf(out->machine, sizeof(out->machine), "%s", machine);
	return 0;
}

static void nearest(const char *to, const char *profile, uint32_t m,
		    const char *name)
{
	struct model out;

	release = to;
	memset(&out, 0xff, sizeof(out));
	model_nearest(&out);
	if (strcmp(out.profile, profile) != 0 || strcmp(out.name, name) != 0)
		fail_msg("of %s: %s, %s", to ? to : "none", out.profile,
			 out.name);
	assert_int_equal(out.machine, m);
	assert_true(out.stands_in);
	assert_false(out.help);
}

static void the_newest_that_is_no_newer(void **state)
{
	(void)state;
	machine = "x86_64";
	nearest("6.12.107", "6.12", GMEM_MODEL_X86, "6.12");
	nearest("6.17.255-x", "6.12", GMEM_MODEL_X86, "6.12");
	nearest("6.18", "6.18", GMEM_MODEL_X86, "6.18");
	nearest("6.18.44-generic", "6.18", GMEM_MODEL_X86, "6.18");
	nearest("6.19-rc1", "6.19", GMEM_MODEL_X86, "6.19");
	nearest("6.99", "6.19", GMEM_MODEL_X86, "6.19");
	nearest("6.100", "6.19", GMEM_MODEL_X86, "6.19");
	nearest("6.4294967295", "6.19", GMEM_MODEL_X86, "6.19");
	nearest("7.1", "6.19", GMEM_MODEL_X86, "6.19");
	nearest("7.2.13", "7.2", GMEM_MODEL_X86, "7.2");
	nearest("7.3", "7.3", GMEM_MODEL_X86, "7.3");
	nearest("10.0", "7.3", GMEM_MODEL_X86, "7.3");
}

/* Older ones, and what is no version, get the oldest. */
static void there_is_always_one(void **state)
{
	(void)state;
	machine = "x86_64";
	nearest("6.1.0-49", "6.12", GMEM_MODEL_X86, "6.12");
	nearest("5.10", "6.12", GMEM_MODEL_X86, "6.12");
	nearest("x", "6.12", GMEM_MODEL_X86, "6.12");
	nearest("7-x", "6.19", GMEM_MODEL_X86, "6.19");
	nearest(NULL, "6.12", GMEM_MODEL_X86, "6.12");
}

static void the_machine_is_that_of_the_kernel(void **state)
{
	(void)state;
	machine = "aarch64";
	nearest("7.3", "7.3", GMEM_MODEL_ARM64, "7.3,arm64");
	machine = "riscv64";
	nearest("7.3", "7.3", GMEM_MODEL_X86, "7.3");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_that_is_no_newer),
		cmocka_unit_test(there_is_always_one),
		cmocka_unit_test(the_machine_is_that_of_the_kernel),
	};

	return t_main(tests);
}
