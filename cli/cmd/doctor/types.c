// SPDX-License-Identifier: MIT
/*
 * Is this host ready for confidential VMs?  Each type of VM with private or
 * encrypted memory, and where KVM does not offer it, why: the kernel's age and
 * configuration, the CPU, its firmware, a parameter of the module.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/doctor/doctor.h"
#include "report/error.h"
#include "table/array.h"

/* What a type needs.  NULL: nothing of that kind. */
struct needs {
	uint32_t type, feature;
	const char *name;   /* of the technique */
	const char *vendor; /* of the CPU, as /proc/cpuinfo has it */
	const char *flag;   /* there, too: CPU and firmware have it */
	const char *module, *parameter;
	const char *config;
};

#define AMD "AuthenticAMD"
#define INTEL "GenuineIntel"
#define SEV_CONFIG "CONFIG_KVM_AMD_SEV"

static const struct needs sw_protected = {
	GMEM_VM_SW_PROTECTED,
	GMEM_FEATURE_VM_SW_PROTECTED,
	"it",
	.config = "CONFIG_KVM_SW_PROTECTED_VM",
};
static const struct needs sev = {
	GMEM_VM_SEV, GMEM_FEATURE_VM_SEV, "SEV", AMD,
	"sev",	     "kvm_amd",		  "sev", SEV_CONFIG,
};
static const struct needs sev_es = {
	GMEM_VM_SEV_ES, GMEM_FEATURE_VM_SEV_ES,
	"SEV-ES",	AMD,
	"sev_es",	"kvm_amd",
	"sev_es",	SEV_CONFIG,
};
static const struct needs snp = {
	GMEM_VM_SNP, GMEM_FEATURE_VM_SNP, "SEV-SNP", AMD,
	"sev_snp",   "kvm_amd",		  "sev_snp", SEV_CONFIG,
};
static const struct needs tdx = {
	GMEM_VM_TDX,	     GMEM_FEATURE_VM_TDX, "TDX", INTEL,
	"tdx_host_platform", "kvm_intel",	  "tdx", "CONFIG_KVM_INTEL_TDX",
};

static bool here_is_x86(char machine[sizeof(((struct utsname *)0)->machine)])
{
	struct utsname u;

	if (uname(&u) < 0)
		*u.machine = '\0';
	memcpy(machine, u.machine, sizeof(u.machine));
	return !strcmp(machine, "x86_64");
}

/* ----------------------------------------------------------- the kernel -- */

unsigned long version_of(const char *release)
{
	char *end;
	unsigned long major = strtoul(release, &end, 10);

	return major * 1000 + (*end == '.' ? strtoul(end + 1, NULL, 10) : 0);
}

static bool older_than(const char *since)
{
	struct utsname u;

	return since && !uname(&u) && version_of(u.release) < version_of(since);
}

/* Whether the configuration in @f, which it closes, has @option. */
static enum gmem_support find_option(FILE *f, const char *option)
{
	enum gmem_support found = GMEM_UNKNOWN;
	size_t n = strlen(option);
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (found == GMEM_UNKNOWN && !strncmp(line, "CONFIG_", 7))
			found = GMEM_NO;
		if (!strncmp(line, option, n) && line[n] == '=' &&
		    line[n + 1] != 'n')
			found = GMEM_YES;
	}
	if (f)
		(void)fclose(f);
	return found;
}

/* What the kernel tells itself, packed. */
static enum gmem_support in_config_gz(const char *option)
{
	char name[] = "gzip", how[] = "-dc", path[] = "/proc/config.gz";
	char *argv[] = { name, how, path, NULL }, *env[] = { NULL };
	enum gmem_support found = GMEM_UNKNOWN;
	posix_spawn_file_actions_t to;
	int fd[2], r;
	pid_t pid;
	FILE *f;

	if (access(path, R_OK) < 0 || pipe2(fd, O_CLOEXEC) < 0)
		return GMEM_UNKNOWN;
	(void)posix_spawn_file_actions_init(&to);
	(void)posix_spawn_file_actions_adddup2(&to, fd[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_addopen(&to, STDERR_FILENO, "/dev/null",
					       O_WRONLY, 0);
	r = posix_spawn(&pid, "/bin/gzip", &to, NULL, argv, env);
	(void)posix_spawn_file_actions_destroy(&to);
	(void)close(fd[1]);
	f = r == 0 ? fdopen(fd[0], "r") : NULL;
	if (f)
		found = find_option(f, option);
	else
		(void)close(fd[0]);
	while (r == 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return found;
}

/* As the distribution, or the kernel itself, tells it. */
static enum gmem_support configured(const char *option)
{
	enum gmem_support found;
	struct utsname u;
	char path[128];

	if (uname(&u) < 0)
		return GMEM_UNKNOWN;
	(void)snprintf(path, sizeof(path), "/boot/config-%s", u.release);
	found = find_option(fopen(path, "re"), option);
	if (found)
		return found;
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/config", u.release);
	found = find_option(fopen(path, "re"), option);
	if (found)
		return found;
	return in_config_gz(option);
}

/* -------------------------------------------------------------- the CPU -- */

#define CPU_TEXT 8192

/* The value that /proc/cpuinfo has for @key; "": none. */
static const char *cpu(const char *key, char buf[CPU_TEXT])
{
	char *value;

	if (!read_key("/proc/cpuinfo", key, buf, CPU_TEXT))
		return "";
	value = strchr(buf, ':');
	return value ? value + 1 + (value[1] == ' ') : "";
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; *list; list += strspn(list, " ")) {
		size_t len = strcspn(list, " ");

		if (len == n && !memcmp(list, word, n))
			return true;
		list += len;
	}
	return false;
}

/* ---------------------------------------------------------------- causes -- */

/* What the module says of the parameter; '\0': it is not loaded. */
static char parameter(const char *module, const char *name)
{
	char path[128], line[8];

	(void)snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s",
		       module, name);
	if (!read_line(path, line, sizeof(line)))
		return '\0';
	return *line;
}

__attribute__((format(printf, 2, 3))) static void remedy(struct finding *f,
							 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(f->buf, sizeof(f->buf), fmt, ap);
	va_end(ap);
	f->remedy = f->buf;
}

#define NOT_OFFERED "not offered: "

/* The CPU, its firmware and the module.  False: they speak for it. */
static bool not_by_the_machine(const struct needs *n, struct finding *f)
{
	static char buf[CPU_TEXT];
	const char *flags = cpu("flags", buf);
	char value;

	if (!*flags) {
		say(f, VERDICT_WARN, "mount /proc",
		    NOT_OFFERED "why is unknown: /proc/cpuinfo does not tell "
				"what the CPU has");
		return true;
	}
	if (!has_word(flags, n->flag)) {
		say(f, VERDICT_WARN, "",
		    NOT_OFFERED "/proc/cpuinfo has no %s; whether the CPU "
				"lacks %s or the firmware keeps it off is "
				"unknown",
		    n->flag, n->name);
		remedy(f,
		       "switch %s on in the firmware setup, if the CPU has it",
		       n->name);
		return true;
	}
	value = parameter(n->module, n->parameter);
	if (!value) {
		say(f, VERDICT_WARN, "",
		    NOT_OFFERED "the CPU has %s, and KVM runs without the "
				"module %s, or one that knows no parameter %s",
		    n->name, n->module, n->parameter);
		remedy(f, "load %s with %s=1, of a kernel that has %s",
		       n->module, n->parameter, n->config);
		return true;
	}
	if (value != 'Y' && value != '1') {
		say(f, VERDICT_WARN, "",
		    NOT_OFFERED "the CPU has %s, and %s.%s is %c; whether it "
				"was switched off or the firmware is not set "
				"up for it is unknown",
		    n->name, n->module, n->parameter, value);
		remedy(f,
		       "load %s with %s=1; if that stays %c, set up the "
		       "firmware: the kernel log says what is missing",
		       n->module, n->parameter, value);
		return true;
	}
	return false;
}

/* The same for the type that no CPU has to have. */
static bool not_by_paging(const struct patient *p, struct finding *f)
{
	struct gmem_feature_info info;

	if (support_of(p, GMEM_FEATURE_PRE_FAULT, &info) == GMEM_NO) {
		say(f, VERDICT_WARN, "see the check of two-dimensional-paging",
		    NOT_OFFERED "KVM has no two-dimensional paging here");
		return true;
	}
	if (parameter("kvm", "tdp_mmu") == 'N') {
		say(f, VERDICT_WARN, "load kvm with tdp_mmu=1",
		    NOT_OFFERED "kvm.tdp_mmu is N");
		return true;
	}
	return false;
}

static void why_not(const struct patient *p, const struct needs *n,
		    const char *since, struct finding *f)
{
	static char buf[CPU_TEXT];
	const char *vendor = cpu("vendor_id", buf);
	enum gmem_support built = configured(n->config);

	if (older_than(since)) {
		say(f, VERDICT_WARN, "", NOT_OFFERED "Linux %s is the first",
		    since);
		remedy(f, "use Linux %s or newer", since);
	} else if (n->vendor && *vendor && strcmp(vendor, n->vendor) != 0) {
		say(f, VERDICT_WARN, "",
		    NOT_OFFERED "the CPU is %s, and %s needs %s", vendor,
		    n->name, n->vendor);
		remedy(f, "use a host whose CPU has %s", n->name);
	} else if (built == GMEM_NO) {
		say(f, VERDICT_WARN, "",
		    NOT_OFFERED "this kernel was built without %s", n->config);
		remedy(f, "use a kernel with %s=y", n->config);
	} else if (n->flag ? !not_by_the_machine(n, f) : !not_by_paging(p, f)) {
		say(f, VERDICT_WARN, "see what the kernel log says of KVM",
		    NOT_OFFERED "why is unknown%s%s",
		    built == GMEM_YES ? ""
				      : ": the kernel's configuration cannot "
					"be read for ",
		    built == GMEM_YES ? "" : n->config);
	}
}

/* A VM of that type was made, or why none was. */
static void check_type(const struct patient *p, const struct needs *n,
		       struct finding *f)
{
	struct gmem_feature_info info = { .sz = sizeof(info) };
	const struct other *o = &p->others[n->type];
	char machine[sizeof(((struct utsname *)0)->machine)];

	if (!here_is_x86(machine)) {
		say(f, VERDICT_OK, "", "a type of x86-64, not of %s", machine);
	} else if (!p->vm) {
		say(f, VERDICT_WARN, device_first, "%s", no_vm);
	} else if (o->vm) {
		say(f, VERDICT_OK, "", "offered, %s",
		    o->private ? "with private memory"
			       : "without private memory: its guest_memfds are "
				 "shared");
	} else if (gmem_vm_feature(p->vm, n->feature, &info, NULL) < 0 ||
		   info.support == GMEM_UNKNOWN) {
		say(f, VERDICT_WARN, see_probe,
		    "whether it is offered is "
		    "unknown");
	} else if (info.support == GMEM_YES) {
		say(f, VERDICT_WARN, error_remedy(&o->err), "offered, and %s",
		    o->err.msg);
	} else {
		why_not(p, n, info.since, f);
	}
}

void check_sw_protected(const struct patient *p, struct finding *f)
{
	check_type(p, &sw_protected, f);
}

void check_sev(const struct patient *p, struct finding *f)
{
	check_type(p, &sev, f);
}

void check_sev_es(const struct patient *p, struct finding *f)
{
	check_type(p, &sev_es, f);
}

void check_snp(const struct patient *p, struct finding *f)
{
	check_type(p, &snp, f);
}

void check_tdx(const struct patient *p, struct finding *f)
{
	check_type(p, &tdx, f);
}

/* The summary. */
void check_confidential(const struct patient *p, struct finding *f)
{
	static const uint32_t real[] = { GMEM_VM_SNP, GMEM_VM_TDX };
	char machine[sizeof(((struct utsname *)0)->machine)];

	if (!here_is_x86(machine)) {
		say(f, VERDICT_WARN, "use x86-64 with SEV-SNP or TDX",
		    "not ready: KVM of %s has no VMs with private guest_memfd",
		    machine);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(real); i++)
		if (p->others[real[i]].private) {
			say(f, VERDICT_OK, "",
			    "ready: VMs of type %s have private memory",
			    gmem_name(GMEM_NAME_VM_TYPE, real[i]));
			return;
		}
	if (!p->vm)
		say(f, VERDICT_WARN, device_first, "%s", no_vm);
	else
		say(f, VERDICT_WARN, "see the checks vm-snp and vm-tdx",
		    "not ready: %s",
		    p->others[GMEM_VM_SW_PROTECTED].private
			    ? "only VMs of type sw-protected have private "
			      "memory, and nothing encrypts it"
			    : "no VM here has private memory");
}
