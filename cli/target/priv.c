// SPDX-License-Identifier: MIT
/* Capabilities: which one is missing, and giving up those not needed. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/output.h"
#include "target/priv.h"

/* Makes @keep all the capabilities, and frees it. */
static int keep_only(struct ctl *ctl, cap_t keep)
{
	int status = 0;

	if (!keep || cap_set_proc(keep) < 0)
		status = system_error(ctl, errno, "giving up capabilities");
	cap_free(keep);
	return status;
}

int priv_drop(struct ctl *ctl)
{
	return keep_only(ctl, cap_init());
}

int priv_only(struct ctl *ctl, const int *list, size_t n)
{
	cap_t keep = cap_init();

	for (size_t i = 0; keep && i < n; i++) {
		if (!priv_has(list[i]))
			continue;
		(void)cap_set_flag(keep, CAP_PERMITTED, 1, &list[i], CAP_SET);
		(void)cap_set_flag(keep, CAP_EFFECTIVE, 1, &list[i], CAP_SET);
	}
	return keep_only(ctl, keep);
}

bool priv_has(int cap)
{
	cap_flag_value_t v = CAP_CLEAR;
	cap_t mine = cap_get_proc();

	if (!mine)
		return false;
	if (cap_get_flag(mine, cap, CAP_EFFECTIVE, &v) < 0)
		v = CAP_CLEAR;
	cap_free(mine);
	return v == CAP_SET;
}

const char *priv_lacks_sight(void)
{
	bool trace = priv_has(CAP_SYS_PTRACE);
	bool search = priv_has(CAP_DAC_READ_SEARCH);

	if (!trace && !search)
		return "cap_sys_ptrace or cap_dac_read_search";
	if (!trace)
		return "cap_sys_ptrace";
	return search ? NULL : "cap_dac_read_search";
}

#define ID_TEXT 40

static const char *user(uid_t id, char buf[ID_TEXT])
{
	const struct passwd *pw = getpwuid(id);

	if (pw)
		(void)snprintf(buf, ID_TEXT, "%s", pw->pw_name);
	else
		(void)snprintf(buf, ID_TEXT, "%u", id);
	return buf;
}

static const char *group(gid_t id, char buf[ID_TEXT])
{
	const struct group *gr = getgrgid(id);

	if (gr)
		(void)snprintf(buf, ID_TEXT, "%s", gr->gr_name);
	else
		(void)snprintf(buf, ID_TEXT, "%u", id);
	return buf;
}

static bool in_group(gid_t id)
{
	gid_t mine[NGROUPS_MAX];
	int n = getgroups(NGROUPS_MAX, mine);

	for (int i = 0; i < n; i++)
		if (mine[i] == id)
			return true;
	return getegid() == id;
}

/* The bits of the mode that hold for this process: rwx. */
static unsigned int class_of(const struct stat *st)
{
	if (st->st_uid == geteuid())
		return st->st_mode >> 6 & 7;
	return in_group(st->st_gid) ? st->st_mode >> 3 & 7 : st->st_mode & 7;
}

static bool lets_read_and_write(unsigned int bits)
{
	return (bits & 6) == 6;
}

const char *priv_remedy(const char *path, char buf[PRIV_TEXT])
{
	char owner[ID_TEXT], grp[ID_TEXT], who[ID_TEXT], how[64 + ID_TEXT];
	bool capable = priv_has(CAP_DAC_OVERRIDE);
	unsigned int mode;
	struct stat st;

	*buf = '\0';
	if (stat(path, &st) < 0)
		return buf;
	mode = st.st_mode & 0777;
	(void)group(st.st_gid, grp);
	if (capable || lets_read_and_write(class_of(&st))) {
		(void)snprintf(buf, PRIV_TEXT,
			       "allow it in the device cgroup, the security "
			       "module or a mount with nodev: mode %04o does "
			       "not refuse it%s",
			       mode,
			       capable ? ", since this process has "
					 "cap_dac_override"
				       : "");
		return buf;
	}
	if (st.st_uid != geteuid() && !in_group(st.st_gid) &&
	    lets_read_and_write(mode >> 3 & 7))
		(void)snprintf(how, sizeof(how), "join group %s", grp);
	else
		(void)snprintf(how, sizeof(how),
			       "let a group read and write it (mode 0660), and "
			       "join that");
	(void)snprintf(buf, PRIV_TEXT,
		       "%s: %s has mode %04o, owner %s and group %s, and user "
		       "%s has no cap_dac_override",
		       how, path, mode, user(st.st_uid, owner), grp,
		       user(geteuid(), who));
	return buf;
}
