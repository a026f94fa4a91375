// SPDX-License-Identifier: MIT
/*
 * What lets a process open the KVM device that it may not: whatever the
 * device's owner, group and mode, and whoever the process is.
 */
#include <grp.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t.h"
#include "target/priv.h"

/* No such user or group has a name. */
#define USER 4000000001U
#define GROUP 4000000002U
#define OTHER 4000000003U

static struct stat device;
static bool there;
static uid_t user;
static gid_t group, more;

/* In place of the C library's. */

int stat(const char *path, struct stat *out)
{
	(void)path;
	*out = device;
	return there ? 0 : -1;
}

uid_t geteuid(void)
{
	return user;
}

gid_t getegid(void)
{
	return group;
}

int getgroups(int size, gid_t *list)
{
	if (size < 2)
		return -1;
	list[0] = OTHER;
	list[1] = more;
	return 2;
}

/* Whether mode bits count for it. */
static void override(bool yes)
{
	const cap_value_t cap = CAP_DAC_OVERRIDE;
	cap_t mine = cap_get_proc();

	assert_non_null(mine);
	assert_int_equal(cap_set_flag(mine, CAP_EFFECTIVE, 1, &cap,
				      yes ? CAP_SET : CAP_CLEAR),
			 0);
	if (cap_set_proc(mine) < 0)
		t_skip("root", "it cannot have cap_dac_override");
	cap_free(mine);
}

static int setup(void **state)
{
	(void)state;
	there = true;
	device = (struct stat){ .st_uid = USER, .st_gid = GROUP };
	user = OTHER;
	group = OTHER;
	more = OTHER;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return 0;
}

static void says(mode_t mode, const char *want)
{
	char buf[PRIV_TEXT];

	device.st_mode = S_IFCHR | mode;
	assert_ptr_equal(priv_remedy("/dev/kvm", buf), buf);
	if (strcmp(buf, want) != 0)
		fail_msg("%04o: '%s', wanted '%s'", (unsigned int)mode, buf,
			 want);
}

#define IS(mode, who)                                                       \
	"/dev/kvm has mode " mode                                           \
	", owner 4000000001 and group 4000000002, and user " who " has no " \
	"cap_dac_override"
#define JOIN "join group 4000000002: "
#define LET "let a group read and write it (mode 0660), and join that: "
#define ELSEWHERE(mode)                                                  \
	"allow it in the device cgroup, the security module or a mount " \
	"with nodev: mode " mode " does not refuse it"

static void one_of_the_others(void **state)
{
	(void)state;
	override(false);
	says(0660, JOIN IS("0660", "4000000003"));
	says(0664, JOIN IS("0664", "4000000003"));
	says(0760, JOIN IS("0760", "4000000003"));
	says(0640, LET IS("0640", "4000000003"));
	says(0620, LET IS("0620", "4000000003"));
	says(0600, LET IS("0600", "4000000003"));
	says(0000, LET IS("0000", "4000000003"));
	says(0006, ELSEWHERE("0006"));
	says(0666, ELSEWHERE("0666"));
	says(0007, ELSEWHERE("0007"));
	says(0002, LET IS("0002", "4000000003"));
}

/* Only the bits of the owner count for it. */
static void the_owner(void **state)
{
	(void)state;
	override(false);
	user = USER;
	says(0600, ELSEWHERE("0600"));
	says(0700, ELSEWHERE("0700"));
	says(0466, LET IS("0466", "4000000001"));
	says(0266, LET IS("0266", "4000000001"));
	says(0066, LET IS("0066", "4000000001"));
	user = 0;
	device.st_uid = 0;
	device.st_gid = 0;
	says(0000, "let a group read and write it (mode 0660), and join that: "
		   "/dev/kvm has mode 0000, owner root and group root, and "
		   "user root has no cap_dac_override");
}

static void one_of_the_group(void **state)
{
	(void)state;
	override(false);
	group = GROUP;
	says(0060, ELSEWHERE("0060"));
	says(0606, LET IS("0606", "4000000003"));
	says(0646, LET IS("0646", "4000000003"));
	group = OTHER;
	more = GROUP;
	says(0070, ELSEWHERE("0070"));
	says(0626, LET IS("0626", "4000000003"));
}

static void who_may_open_all(void **state)
{
	(void)state;
	override(true);
	says(0000, ELSEWHERE("0000") ", since this process has "
				     "cap_dac_override");
	says(01777, ELSEWHERE("0777") ", since this process has "
				      "cap_dac_override");
	there = false;
	says(0600, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_of_the_others),
		TEST(the_owner),
		TEST(one_of_the_group),
		TEST(who_may_open_all),
	};

	return t_main(tests);
}
