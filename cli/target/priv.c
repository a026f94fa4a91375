// SPDX-License-Identifier: MIT
/* Capabilities: which one is missing, and giving up those not needed. */
#include <errno.h>
#include <grp.h>
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

const char *priv_explain(const char *path, char buf[PRIV_TEXT])
{
	char owner[ID_TEXT], grp[ID_TEXT], who[ID_TEXT];
	unsigned int mode;
	struct stat st;

	*buf = '\0';
	if (stat(path, &st) < 0)
		return buf;
	mode = st.st_mode & 0777;
	if (priv_has(CAP_DAC_OVERRIDE))
		(void)snprintf(buf, PRIV_TEXT,
			       "not for its mode %04o, since this process has "
			       "cap_dac_override; a device cgroup or a "
			       "security module refused",
			       mode);
	else
		(void)snprintf(
			buf, PRIV_TEXT,
			"%s has mode %04o, owner %s and group %s, and user "
			"%s has no cap_dac_override",
			path, mode, user(st.st_uid, owner),
			group(st.st_gid, grp), user(geteuid(), who));
	return buf;
}
