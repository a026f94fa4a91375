// SPDX-License-Identifier: MIT
/* The checks: each looks at one thing and says what it means for guests. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd/doctor/doctor.h"
#include "report/error.h"
#include "report/words.h"
#include "table/array.h"
#include "target/charge/cgroup.h"
#include "target/vm.h"

void say(struct finding *f, enum verdict v, const char *remedy, const char *fmt,
	 ...)
{
	va_list ap;

	f->verdict = v;
	f->remedy = remedy;
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

bool read_line(const char *path, char *buf, int size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(buf, size, f);

	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	if (f)
		(void)fclose(f);
	return ok;
}

static bool read_number(const char *path, uint64_t *out)
{
	char line[64];

	if (!read_line(path, line, sizeof(line)))
		return false;
	*out = strtoull(line, NULL, 10);
	return line[0] >= '0' && line[0] <= '9';
}

bool read_key(const char *path, const char *key, char *buf, int size)
{
	FILE *f = fopen(path, "re");
	size_t n = strlen(key);
	bool found = false;

	while (f && !found && fgets(buf, size, f))
		found = !strncmp(buf, key, n);
	if (f)
		(void)fclose(f);
	if (found) {
		buf[strcspn(buf, "\n")] = '\0';
		memmove(buf, buf + n, strlen(buf + n) + 1);
	}
	return found;
}

int support_of(const struct patient *p, uint32_t number,
	       struct gmem_feature_info *info)
{
	*info = (struct gmem_feature_info){ .sz = sizeof(*info) };
	if (!p->vm || gmem_vm_feature(p->vm, number, info, NULL) < 0)
		return GMEM_UNKNOWN;
	return (int)info->support;
}

const char no_vm[] = "no VM could be made to find out";
const char device_first[] = "see the check of the device first";
static const char file_first[] = "see the check of guest-memfd first";
const char see_probe[] = "see what the kernel said in gmemctl probe";

/* -------------------------------------------------------- device, rights -- */

static void check_device(const struct patient *p, struct finding *f)
{
	const char *path = vm_device(p->ctl);

	if (p->vm) {
		say(f, VERDICT_OK, "", "%s makes VMs", path);
		return;
	}
	say(f, VERDICT_FAIL, error_remedy(&p->err), "%s", p->err.msg);
	if (p->err.reason == GMEM_REASON_DEVICE_ACCESS &&
	    *priv_remedy(path, f->buf))
		f->remedy = f->buf;
}

static void check_guest_memfd(const struct patient *p, struct finding *f)
{
	struct gmem_feature_info info;
	int fd = support_of(p, GMEM_FEATURE_GUEST_MEMFD, &info);
	int shared = support_of(p, GMEM_FEATURE_INIT_SHARED, &info);

	if (!p->vm)
		say(f, VERDICT_WARN, device_first, "%s", no_vm);
	else if (fd != GMEM_YES)
		say(f, VERDICT_FAIL, reason_remedy(GMEM_REASON_NO_GUEST_MEMFD),
		    "VMs of the default type have no guest_memfd");
	else if (shared != GMEM_YES)
		say(f, VERDICT_WARN,
		    reason_remedy(GMEM_REASON_FLAG_UNSUPPORTED),
		    "there is guest_memfd, but no file that the host can "
		    "touch");
	else
		say(f, VERDICT_OK, "",
		    "files are made that guest and host share");
}

/* --------------------------------------------------------------- limits -- */

#define MAP_COUNT_USUAL 65530

static void check_map_count(const struct patient *p, struct finding *f)
{
	uint64_t n;

	(void)p;
	if (!read_number("/proc/sys/vm/max_map_count", &n))
		say(f, VERDICT_WARN, "mount /proc with its sys directory",
		    "vm.max_map_count cannot be read");
	else if (n < MAP_COUNT_USUAL)
		say(f, VERDICT_WARN, "sysctl vm.max_map_count=65530 or more",
		    "vm.max_map_count is %" PRIu64 ": many slots in HVA mode "
		    "do not fit",
		    n);
	else
		say(f, VERDICT_OK, "", "vm.max_map_count is %" PRIu64, n);
}

static void check_memlock(const struct patient *p, struct finding *f)
{
	char text[SIZE_TEXT];
	struct rlimit r;

	(void)p;
	if (getrlimit(RLIMIT_MEMLOCK, &r) < 0)
		r.rlim_cur = 0;
	if (r.rlim_cur == RLIM_INFINITY || priv_has(CAP_IPC_LOCK))
		say(f, VERDICT_OK, "", "memory may be locked without limit");
	else
		say(f, VERDICT_WARN,
		    "for such devices raise ulimit -l (RLIMIT_MEMLOCK)",
		    "RLIMIT_MEMLOCK is %s: guest_memfd is not counted, but "
		    "memory that devices pin (VFIO) is",
		    size_text(r.rlim_cur, text));
}

#define FILES_USUAL 1024

static void check_files(const struct patient *p, struct finding *f)
{
	struct rlimit r;

	(void)p;
	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		r.rlim_cur = 0;
	say(f, r.rlim_cur < FILES_USUAL ? VERDICT_WARN : VERDICT_OK,
	    reason_remedy(GMEM_REASON_FD_LIMIT),
	    "RLIMIT_NOFILE is %" PRIu64 ": each file and VM takes one",
	    (uint64_t)r.rlim_cur);
}

/* The smallest limit of the cgroup at @path below @root and those above it. */
static uint64_t cgroup_limit(const char *root, char *path, const char *file)
{
	char name[CGROUP_PATH + 64];
	uint64_t least = UINT64_MAX, n;
	char *slash;

	for (;;) {
		(void)snprintf(name, sizeof(name), "%s%s/%s", root, path, file);
		if (read_number(name, &n) && n < least)
			least = n;
		slash = strrchr(path, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* Of version 1; one that cannot be seen has none. */
static uint64_t v1_limit(char *path)
{
	return cgroup_limit("/sys/fs/cgroup/memory", path,
			    "memory.limit_in_bytes");
}

static uint64_t v2_limit(struct cgroup *c)
{
	char path[CGROUP_PATH], root[32];

	(void)snprintf(path, sizeof(path), "%s", c->dir + c->root);
	(void)snprintf(root, sizeof(root), "%.*s", (int)c->root, c->dir);
	return cgroup_limit(root, path, "memory.max");
}

static void check_memory_cgroup(const struct patient *p, struct finding *f)
{
	char text[SIZE_TEXT], total[64];
	uint64_t limit, all = UINT64_MAX;
	static struct cgroup mine;
	int r = cgroup_of(getpid(), &mine);

	(void)p;
	if (r ||
	    (*mine.path && (mine.v1 ? !cgroup_v1_mounted() : !*mine.dir))) {
		say(f, VERDICT_WARN,
		    "mount /proc, and the cgroups at /sys/fs/cgroup",
		    "whether a memory cgroup limits this process is not "
		    "known: %s cannot be read",
		    r ? "/proc/self/cgroup" : "its cgroup");
		return;
	}
	limit = mine.v1	    ? v1_limit(mine.path)
		: *mine.dir ? v2_limit(&mine)
			    : UINT64_MAX;
	if (read_key("/proc/meminfo", "MemTotal:", total, sizeof(total)))
		all = strtoull(total, NULL, 10) * 1024;
	if (limit >= all)
		say(f, VERDICT_OK, "", "no memory cgroup limits this process");
	else
		say(f, VERDICT_WARN,
		    "raise the limit of the memory cgroup to what the guests "
		    "take",
		    "a memory cgroup limits this process, and its guest_memfds "
		    "count, to %s",
		    size_text(limit, text));
}

/* --------------------------------------------------------- memory, nodes -- */

static const char no_sys[] = "mount /sys";

static bool has_sys(void)
{
	return !access("/sys/kernel/mm", F_OK);
}

static void check_hugepages(const struct patient *p, struct finding *f)
{
	static const char *const sizes[] = { "2048kB", "1048576kB", "64kB",
					     "32768kB" };
	struct gmem_feature_info info;
	int fd = support_of(p, GMEM_FEATURE_GUEST_MEMFD, &info);
	uint64_t n, pages = 0;
	char path[96];
	bool taken = false;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		(void)snprintf(path, sizeof(path),
			       "/sys/kernel/mm/hugepages/hugepages-%s/"
			       "nr_hugepages",
			       sizes[i]);
		if (read_number(path, &n))
			pages += n;
	}
	taken = support_of(p, GMEM_FEATURE_HUGETLB, &info) == GMEM_YES;
	if (!has_sys())
		say(f, VERDICT_WARN, no_sys,
		    "how many huge pages are set "
		    "aside is not known");
	else if (pages && !taken && fd == GMEM_YES)
		say(f, VERDICT_WARN,
		    "keep the pools only for what is not a guest_memfd",
		    "%" PRIu64 " huge pages are set aside, and guest_memfd of "
		    "this kernel takes none of them",
		    pages);
	else
		say(f, VERDICT_OK, "", "%" PRIu64 " huge pages are set aside%s",
		    pages,
		    fd != GMEM_YES ? ""
		    : taken ? "; a guest gets them where gpa and offset lie "
			      "alike in a page, and not in parts of one"
			    : "; guest_memfd of this kernel takes base "
			      "pages");
}

static void check_numa(const struct patient *p, struct finding *f)
{
	char online[128] = "";
	struct gmem_feature_info info;
	int mmap = support_of(p, GMEM_FEATURE_MMAP, &info);
	int policy = support_of(p, GMEM_FEATURE_MEMPOLICY, &info);

	(void)read_line("/sys/devices/system/node/online", online,
			sizeof(online));
	if (!*online && !has_sys())
		say(f, VERDICT_WARN, no_sys,
		    "how many NUMA nodes there are is not known");
	else if (!strpbrk(online, ",-"))
		say(f, VERDICT_OK, "", "one NUMA node: nothing to place");
	else if (policy == GMEM_YES)
		say(f, VERDICT_OK, "", "NUMA nodes %s, and files keep a policy",
		    online);
	else if (mmap == GMEM_YES && policy == GMEM_NO)
		say(f, VERDICT_WARN, reason_remedy(GMEM_REASON_POLICY_IGNORED),
		    "NUMA nodes %s, and a policy is accepted and ignored",
		    online);
	else
		say(f, VERDICT_WARN,
		    !p->vm	       ? device_first
		    : mmap == GMEM_YES ? see_probe
				       : file_first,
		    "NUMA nodes %s; whether files keep a policy is not "
		    "known%s",
		    online,
		    mmap == GMEM_YES ? ""
				     : ": there is no mappable file to try it "
				       "on");
}

static void check_residency(const struct patient *p, struct finding *f)
{
	struct gmem_feature_info info;
	int fd = support_of(p, GMEM_FEATURE_GUEST_MEMFD, &info);
	int r = support_of(p, GMEM_FEATURE_RESIDENCY, &info);

	if (!p->vm)
		say(f, VERDICT_WARN, device_first, "%s", no_vm);
	else if (r == GMEM_YES)
		say(f, VERDICT_OK, "", "cachestat tells how much is there");
	else if (fd != GMEM_YES || r == GMEM_UNKNOWN)
		say(f, VERDICT_WARN, fd == GMEM_YES ? see_probe : file_first,
		    "whether cachestat works is not known%s",
		    fd == GMEM_YES ? "" : ": there is no file to try it on");
	else
		say(f, VERDICT_WARN,
		    reason_remedy(GMEM_REASON_RESIDENCY_UNKNOWN),
		    "no cachestat: only a lower bound of what is allocated "
		    "is known");
}

/* --------------------------------------------------------------- kernel -- */

static bool module_says(const char *path)
{
	char line[8];

	return read_line(path, line, sizeof(line)) &&
	       (line[0] == 'Y' || line[0] == '1');
}

/*
 * Pre-faulting is there on x86-64 if and only if KVM has two-dimensional
 * paging, from 6.11 on; the modules of Intel and AMD also tell.
 */
static void check_paging(const struct patient *p, struct finding *f)
{
	bool hardware = module_says("/sys/module/kvm_intel/parameters/ept") ||
			module_says("/sys/module/kvm_amd/parameters/npt");
	struct gmem_feature_info info;
	int r = support_of(p, GMEM_FEATURE_PRE_FAULT, &info);
	struct utsname u;

	uname(&u);
	if (strcmp(u.machine, "x86_64"))
		say(f, VERDICT_OK, "", "KVM of %s always has it", u.machine);
	else if (hardware || r == GMEM_YES)
		say(f, VERDICT_OK, "", "guests run on EPT or NPT");
	else if (r == GMEM_NO)
		say(f, VERDICT_WARN,
		    "use a host whose KVM has EPT or NPT (kvm_intel.ept=1, "
		    "kvm_amd.npt=1); else bind with userspace_addr at a "
		    "mapping of the same range, as libgmem does",
		    "KVM without two-dimensional paging: no pre-faulting, and "
		    "emulated accesses go through userspace_addr");
	else
		say(f, VERDICT_WARN, device_first, "%s", no_vm);
}

/* What no capability tells: a fault of kernels, by machine and release. */
static void check_guest_code(const struct patient *p, struct finding *f)
{
	unsigned long version;
	struct utsname u;

	(void)p;
	uname(&u);
	version = version_of(u.release);
	if (strcmp(u.machine, "aarch64") || version < 6018 || version >= 7003)
		say(f, VERDICT_OK, "", "no known fault of this kernel");
	else if (version <= 6019)
		say(f, VERDICT_WARN,
		    "put the guest's code into a slot without a guest_memfd, "
		    "or use Linux 7.3",
		    "guests may hang in code of a file");
	else
		say(f, VERDICT_WARN,
		    "run gmemctl conform code_from_the_file, or use Linux 7.3",
		    "not tried if guests hang in code");
}

#define VERSION_H "/usr/include/linux/version.h"

static void check_headers(const struct patient *p, struct finding *f)
{
	unsigned long major, minor, code;
	char line[64], *rest;
	struct utsname u;

	(void)p;
	uname(&u);
	major = strtoul(u.release, &rest, 10);
	minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
	if (!read_key(VERSION_H, "#define LINUX_VERSION_CODE ", line,
		      sizeof(line))) {
		say(f, VERDICT_OK, "",
		    "no kernel headers here; libgmem needs none (Linux %s)",
		    u.release);
		return;
	}
	code = strtoul(line, NULL, 10);
	if (code >> 8 >= (major << 8 | minor))
		say(f, VERDICT_OK, "", "headers of %lu.%lu for Linux %s",
		    code >> 16, code >> 8 & 255, u.release);
	else
		say(f, VERDICT_WARN,
		    "build with libgmem, which has its own, or install the "
		    "headers of this kernel",
		    "headers of %lu.%lu are older than Linux %s: linux/kvm.h "
		    "lacks what the kernel offers",
		    code >> 16, code >> 8 & 255, u.release);
}

const struct check checks[] = {
	{ "device", check_device },
	{ "guest-memfd", check_guest_memfd },
	{ "two-dimensional-paging", check_paging },
	{ "guest-code", check_guest_code },
	{ "confidential-vms", check_confidential },
	{ "vm-sw-protected", check_sw_protected },
	{ "vm-sev", check_sev },
	{ "vm-sev-es", check_sev_es },
	{ "vm-snp", check_snp },
	{ "vm-tdx", check_tdx },
	{ "residency", check_residency },
	{ "rights", check_rights },
	{ "copies", check_copies },
	{ "seccomp", check_seccomp },
	{ "map-count", check_map_count },
	{ "memlock", check_memlock },
	{ "files", check_files },
	{ "memory-cgroup", check_memory_cgroup },
	{ "huge-pages", check_hugepages },
	{ "numa", check_numa },
	{ "headers", check_headers },
	{ .name = NULL },
};
