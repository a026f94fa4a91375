// SPDX-License-Identifier: MIT
/*
 * What gmemctl doctor finds on hosts of every kind: kernels of the model, and
 * folders in place of /proc, /sys, /boot and /usr/include.
 */
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <gmem_model.h>
#include <linux/magic.h>

#include "cmd/doctor/doctor.h"
#include "folders.h"
#include "fs_type.h"
#include "report/output.h"
#include "t.h"
#include "target/vm.h"

#define CONFIG "/boot/config-7.3.0-test"
#define NOT "not offered: "
#define CACHESTAT 451

struct world {
	struct kvm kvm;
	struct ctl ctl;
	struct patient p;
	struct finding f;
	bool has[3];		      /* of caps, before the test */
	bool over_boot, over_include; /* there are folders over these */
};

/* What the claims of this process are tried with. */
static const int caps[3] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
			     CAP_IPC_LOCK };
static struct utsname here; /* what uname(2) says */
static struct rlimit limit;

static const char *const folders[] = { "/proc", "/sys", NULL };
/* These are not everywhere. */
static const char *const boot[] = { "/boot", NULL };
static const char *const include[] = { "/usr/include", NULL };

#ifdef __GLIBC__
typedef __rlimit_resource_t resource_t;
#else
typedef int resource_t;
#endif

/* In place of the C library's. */

int uname(struct utsname *out)
{
	*out = here;
	return 0;
}

int getrlimit(resource_t resource, struct rlimit *out)
{
	if (resource != RLIMIT_NOFILE && resource != RLIMIT_MEMLOCK)
		return prlimit(0, resource, NULL, out);
	*out = limit;
	return 0;
}

static int setup(void **state)
{
	struct world *w = folders_world(folders, sizeof(*w));

	*state = w;
	if (!w)
		return 0;
	w->over_boot = folders_mount(boot);
	w->over_include = folders_mount(include);
	for (size_t i = 0; i < T_ARRAY_SIZE(caps); i++)
		w->has[i] = priv_has(caps[i]);
	w->kvm.device = "/dev/none";
	w->ctl.kvm = &w->kvm;
	w->p.ctl = &w->ctl;
	w->p.err = (struct gmem_error){ .sz = sizeof(w->p.err) };
	limit = (struct rlimit){ 1024, 1024 };
	(void)snprintf(here.machine, sizeof(here.machine), "x86_64");
	(void)snprintf(here.release, sizeof(here.release), "7.3.0-test");
	return 0;
}

/* Whether @cap is in force. */
static void have(int cap, cap_flag_value_t value)
{
	cap_t mine = cap_get_proc();

	assert_non_null(mine);
	assert_int_equal(cap_set_flag(mine, CAP_EFFECTIVE, 1, &cap, value), 0);
	assert_int_equal(cap_set_proc(mine), 0);
	cap_free(mine);
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (!w)
		return 0;
	for (size_t i = 0; i < T_ARRAY_SIZE(caps); i++)
		if (w->has[i])
			have(caps[i], CAP_SET);
	(void)gmem_vm_destroy(w->p.vm, NULL);
	if (w->over_include)
		folders_unmount(include);
	if (w->over_boot)
		folders_unmount(boot);
	folders_end(folders, w);
	return 0;
}

static struct world *needs_mounts(void **state)
{
	folders_needed(*state);
	return *state;
}

static struct world *needs_boot(void **state)
{
	struct world *w = needs_mounts(state);

	if (!w->over_boot)
		t_skip("boot", "no folder can be mounted over /boot");
	return w;
}

static struct world *needs_include(void **state)
{
	struct world *w = needs_mounts(state);

	if (!w->over_include)
		t_skip("include", "no folder can be mounted over /usr/include");
	return w;
}

static struct world *needs_root(void **state)
{
	for (size_t i = 0; i < T_ARRAY_SIZE(caps); i++)
		if (!priv_has(caps[i]))
			t_skip("root", "it lacks capability %d", caps[i]);
	return needs_mounts(state);
}

static void kernel(struct world *w, const char *profile, uint32_t machine,
		   uint32_t nodes)
{
	const struct gmem_model_opts o = { .sz = sizeof(o),
					   .machine = machine,
					   .nodes = nodes };
	struct gmem_error err;

	(void)gmem_vm_destroy(w->p.vm, NULL);
	w->p.vm = NULL;
	if (profile)
		t_ok(gmem_model_vm_open(profile, &o, &w->p.vm, &err), err);
}

/* The check @name finds exactly this; @remedy is a part of its remedy. */
static void found(struct world *w, const char *name, enum verdict verdict,
		  const char *text, const char *remedy)
{
	const struct check *c = checks;

	while (c->name && strcmp(c->name, name) != 0)
		c++;
	assert_non_null(c->name);
	memset(&w->f, 0, sizeof(w->f));
	w->f.remedy = "";
	c->run(&w->p, &w->f);
	if (strcmp(w->f.text, text) != 0 || w->f.verdict != verdict)
		fail_msg("%s: %d, \"%s\", wanted \"%s\"", name,
			 (int)w->f.verdict, w->f.text, text);
	assert_non_null(w->f.remedy);
	if (!strstr(w->f.remedy, remedy))
		fail_msg("%s: remedy \"%s\", wanted \"%s\"", name, w->f.remedy,
			 remedy);
	if (verdict == VERDICT_OK)
		assert_string_equal(w->f.text, text);
	else
		assert_string_not_equal(w->f.remedy, "");
}

#define OK(name, text) found(w, name, VERDICT_OK, text, "")
#define WARN(name, text, remedy) found(w, name, VERDICT_WARN, text, remedy)
#define FAIL(name, text, remedy) found(w, name, VERDICT_FAIL, text, remedy)

/* ---------------------------------------------------------------- device -- */

static void the_device(void **state)
{
	struct world *w = needs_mounts(state);

	(void)snprintf(w->p.err.msg, sizeof(w->p.err.msg), "it cannot");
	w->p.err.remedy = "do that";
	FAIL("device", "it cannot", "do that");
	/* why it may not be opened is only asked when that was it */
	write_file("/proc/kvm", "");
	w->kvm.device = "/proc/kvm";
	FAIL("device", "it cannot", "do that");
	w->p.err.reason = GMEM_REASON_DEVICE_ACCESS;
	FAIL("device", "it cannot", "mode 0600 does not refuse it");
	kernel(w, "7.3", GMEM_MODEL_X86, 1);
	OK("device", "/proc/kvm makes VMs");
}

static void files_of_the_default_type(void **state)
{
	struct world *w = needs_mounts(state);

	WARN("guest-memfd", "no VM could be made to find out",
	     "see the check of the device first");
	kernel(w, "6.12", GMEM_MODEL_X86, 1);
	FAIL("guest-memfd", "VMs of the default type have no guest_memfd",
	     "6.18");
	kernel(w, "6.18", GMEM_MODEL_X86, 1);
	OK("guest-memfd", "files are made that guest and host share");
}

static void residency(void **state)
{
	struct world *w = needs_mounts(state);

	WARN("residency", "no VM could be made to find out",
	     "see the check of the device first");
	kernel(w, "6.12", GMEM_MODEL_X86, 1);
	WARN("residency",
	     "whether cachestat works is not known: there is no file to try it "
	     "on",
	     "see the check of guest-memfd first");
	kernel(w, "7.3", GMEM_MODEL_X86, 1);
	OK("residency", "cachestat tells how much is there");
}

static void paging(void **state)
{
	struct world *w = needs_mounts(state);
	const char *name = "two-dimensional-paging";

	WARN(name, "no VM could be made to find out",
	     "see the check of the device first");
	kernel(w, "7.3", GMEM_MODEL_X86_SOFTWARE, 1);
	WARN(name,
	     "KVM without two-dimensional paging: no pre-faulting, and "
	     "emulated accesses go through userspace_addr",
	     "use a host whose KVM has EPT or NPT");
	write_file("/sys/module/kvm_amd/parameters/npt", "1\n");
	OK(name, "guests run on EPT or NPT");
	write_file("/sys/module/kvm_amd/parameters/npt", "0\n");
	write_file("/sys/module/kvm_intel/parameters/ept", "Y\n");
	OK(name, "guests run on EPT or NPT");
	write_file("/sys/module/kvm_intel/parameters/ept", "N\n");
	kernel(w, "7.3", GMEM_MODEL_X86, 1);
	OK(name, "guests run on EPT or NPT");
	(void)snprintf(here.machine, sizeof(here.machine), "aarch64");
	OK(name, "KVM of aarch64 always has it");
}

static void code_of_guests(void **state)
{
	static const char *const of[][3] = {
		{ "aarch64", "6.17.9", "no known fault of this kernel" },
		{ "aarch64", "6.18", "guests may hang in code of a file" },
		{ "aarch64", "6.19.9", "guests may hang in code of a file" },
		{ "aarch64", "7.0", "not tried if guests hang in code" },
		{ "aarch64", "7.3", "no known fault of this kernel" },
		{ "x86_64", "6.18", "no known fault of this kernel" },
	};
	for (size_t i = 0; i < T_ARRAY_SIZE(of); i++) {
		strcpy(here.machine, of[i][0]);
		strcpy(here.release, of[i][1]);
		found(needs_mounts(state), "guest-code",
		      i && i < 4 ? VERDICT_WARN : VERDICT_OK, of[i][2], "");
	}
}

/* ------------------------------------------------------------ VM types -- */

static void types_of_x86(void **state)
{
	struct world *w = needs_mounts(state);
	struct other *o = &w->p.others[GMEM_VM_SNP];

	(void)snprintf(here.machine, sizeof(here.machine), "aarch64");
	OK("vm-snp", "a type of x86-64, not of aarch64");
	WARN("confidential-vms",
	     "not ready: KVM of aarch64 has no VMs with private guest_memfd",
	     "use x86-64 with SEV-SNP or TDX");
	(void)snprintf(here.machine, sizeof(here.machine), "x86_64");
	WARN("vm-snp", "no VM could be made to find out",
	     "see the check of the device first");
	WARN("confidential-vms", "no VM could be made to find out",
	     "see the check of the device first");
	kernel(w, "7.3", GMEM_MODEL_X86, 1);
	WARN("confidential-vms", "not ready: no VM here has private memory",
	     "see the checks vm-snp and vm-tdx");
	w->p.others[GMEM_VM_SW_PROTECTED].private = true;
	WARN("confidential-vms",
	     "not ready: only VMs of type sw-protected have private memory, "
	     "and nothing encrypts it",
	     "see the checks vm-snp and vm-tdx");
	o->vm = w->p.vm;
	OK("vm-snp", "offered, without private memory: its guest_memfds are "
		     "shared");
	o->private = true;
	OK("vm-snp", "offered, with private memory");
	OK("confidential-vms", "ready: VMs of type snp have private memory");
	o->private = false;
	w->p.others[GMEM_VM_TDX].private = true;
	OK("confidential-vms", "ready: VMs of type tdx have private memory");
}

/* The kernel has the type, and still makes no VM of it. */
static void a_type_that_is_offered_and_fails(void **state)
{
	struct world *w = needs_mounts(state);
	struct other *o = &w->p.others[GMEM_VM_SW_PROTECTED];

	kernel(w, "7.3", GMEM_MODEL_X86, 1);
	o->err = (struct gmem_error){ .sz = sizeof(o->err) };
	(void)snprintf(o->err.msg, sizeof(o->err.msg), "it failed");
	o->err.remedy = "do that";
	WARN("vm-sw-protected", "offered, and it failed", "do that");
}

static void configure(const char *text)
{
	write_file(CONFIG, text);
}

static void cpu(const char *vendor, const char *flags)
{
	char text[200];

	(void)snprintf(text, sizeof(text),
		       "processor\t: 0\nvendor_id\t: %s\nflags\t\t: %s\n",
		       vendor, flags);
	write_file("/proc/cpuinfo", text);
}

static void why_a_type_is_missing(void **state)
{
	struct world *w = needs_boot(state);
	const char *path = "/sys/module/kvm_amd/parameters/sev_snp";

	kernel(w, "7.3", GMEM_MODEL_X86, 1);
	configure("CONFIG_KVM_AMD_SEV=y\n");
	cpu("GenuineIntel", "fpu sev_snp");
	WARN("vm-snp",
	     NOT "the CPU is GenuineIntel, and SEV-SNP needs AuthenticAMD",
	     "use a host whose CPU has SEV-SNP");
	cpu("AuthenticAMD", "fpu sev_snpx xsev_snp");
	WARN("vm-snp",
	     NOT "/proc/cpuinfo has no sev_snp; whether the CPU lacks SEV-SNP "
		 "or the firmware keeps it off is unknown",
	     "switch SEV-SNP on in the firmware setup, if the CPU has it");
	cpu("AuthenticAMD", "fpu  sev_snp");
	WARN("vm-snp",
	     NOT "the CPU has SEV-SNP, and KVM runs without the module "
		 "kvm_amd, or one that knows no parameter sev_snp",
	     "load kvm_amd with sev_snp=1, of a kernel that has "
	     "CONFIG_KVM_AMD_SEV");
	write_file(path, "0\n");
	WARN("vm-snp",
	     NOT "the CPU has SEV-SNP, and kvm_amd.sev_snp is 0; whether it "
		 "was switched off or the firmware is not set up for it is "
		 "unknown",
	     "load kvm_amd with sev_snp=1; if that stays 0, set up the "
	     "firmware: the kernel log says what is missing");
	write_file(path, "1\n");
	WARN("vm-snp", NOT "why is unknown",
	     "see what the kernel log says of KVM");
	write_file(path, "Y\n");
	WARN("vm-snp", NOT "why is unknown",
	     "see what the kernel log says of KVM");
	configure("");
	WARN("vm-snp",
	     NOT "why is unknown: the kernel's configuration cannot be read "
		 "for CONFIG_KVM_AMD_SEV",
	     "see what the kernel log says of KVM");
	assert_int_equal(unlink("/proc/cpuinfo"), 0);
	WARN("vm-snp",
	     NOT "why is unknown: /proc/cpuinfo does not tell what the CPU has",
	     "mount /proc");
}

static void a_kernel_built_without_it(void **state)
{
	static const char *const without[] = {
		"CONFIG_OTHER=y\n",
		"CONFIG_KVM_AMD_SEV=n\n",
		"# CONFIG_KVM_AMD_SEV is not set\nCONFIG_KVM=y\n",
		"CONFIG_KVM_AMD_SEVX=y\n",
		"CONFIG_KVM=m\nCONFIG_KVM_AMD_SEV=n\n",
	};
	struct world *w = needs_boot(state);

	kernel(w, "7.3", GMEM_MODEL_X86, 1);
	for (size_t i = 0; i < T_ARRAY_SIZE(without); i++) {
		configure(without[i]);
		WARN("vm-sev",
		     NOT "this kernel was built without CONFIG_KVM_AMD_SEV",
		     "use a kernel with CONFIG_KVM_AMD_SEV=y");
	}
	/* the first line is not the only one, and what follows counts too */
	cpu("AuthenticAMD", "sev sev_es");
	write_file("/sys/module/kvm_amd/parameters/sev", "Y\n");
	write_file("/sys/module/kvm_amd/parameters/sev_es", "N\n");
	configure("# x\nCONFIG_KVM_AMD_SEV=y\nCONFIG_OTHER=y\n");
	WARN("vm-sev", NOT "why is unknown", "kernel log");
	WARN("vm-sev-es",
	     NOT "the CPU has SEV-ES, and kvm_amd.sev_es is N; whether it was "
		 "switched off or the firmware is not set up for it is "
		 "unknown",
	     "load kvm_amd with sev_es=1");
	configure("CONFIG_KVM_INTEL_TDX=y\n");
	WARN("vm-tdx",
	     NOT "the CPU is AuthenticAMD, and TDX needs GenuineIntel",
	     "has TDX");
	cpu("GenuineIntel", "vmx");
	WARN("vm-tdx",
	     NOT "/proc/cpuinfo has no tdx_host_platform; whether the CPU "
		 "lacks TDX or the firmware keeps it off is unknown",
	     "switch TDX on");
}

static void a_kernel_that_is_too_old(void **state)
{
	struct world *w = needs_boot(state);

	kernel(w, "6.12", GMEM_MODEL_X86, 1);
	configure("CONFIG_KVM_AMD_SEV=y\n");
	cpu("GenuineIntel", "fpu");
	(void)snprintf(here.release, sizeof(here.release), "6.15.255");
	WARN("vm-tdx", NOT "Linux 6.16 is the first",
	     "use Linux 6.16 or newer");
	(void)snprintf(here.release, sizeof(here.release), "5.99-x");
	WARN("vm-tdx", NOT "Linux 6.16 is the first",
	     "use Linux 6.16 or newer");
	for (size_t i = 0; i < 3; i++) {
		static const char *const releases[] = { "6.16", "6.17.1",
							"7.0-rc1" };

		(void)snprintf(here.release, sizeof(here.release), "%s",
			       releases[i]);
		WARN("vm-tdx",
		     NOT "/proc/cpuinfo has no tdx_host_platform; whether the "
			 "CPU lacks TDX or the firmware keeps it off is "
			 "unknown",
		     "switch TDX on");
	}
}

/* What no distribution tells, the kernel may, packed. */
static void a_configuration_that_is_packed(void **state)
{
	/* CONFIG_KVM_AMD_SEV=y */
	static const unsigned char with[] = {
		0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
		0x03, 0x73, 0xf6, 0xf7, 0x73, 0xf3, 0x74, 0x8f, 0xf7,
		0x0e, 0xf3, 0x8d, 0x77, 0xf4, 0x75, 0x89, 0x0f, 0x76,
		0x0d, 0xb3, 0xad, 0xe4, 0x02, 0x00, 0x4b, 0xe2, 0x01,
		0xdd, 0x15, 0x00, 0x00, 0x00
	};
	/* CONFIG_KVM=y */
	static const unsigned char without[] = {
		0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
		0x03, 0x73, 0xf6, 0xf7, 0x73, 0xf3, 0x74, 0x8f, 0xf7,
		0x0e, 0xf3, 0xb5, 0xad, 0xe4, 0x02, 0x00, 0xd8, 0x2c,
		0x83, 0x57, 0x0d, 0x00, 0x00, 0x00
	};
	struct world *w = needs_boot(state);

	kernel(w, "7.3", GMEM_MODEL_X86, 1);
	cpu("AuthenticAMD", "sev");
	write_file("/sys/module/kvm_amd/parameters/sev", "Y\n");
	write_bytes("/proc/config.gz", with, sizeof(with));
	WARN("vm-sev", NOT "why is unknown", "kernel log");
	write_bytes("/proc/config.gz", without, sizeof(without));
	WARN("vm-sev", NOT "this kernel was built without CONFIG_KVM_AMD_SEV",
	     "use a kernel with CONFIG_KVM_AMD_SEV=y");
	write_file("/proc/config.gz", "not packed");
	WARN("vm-sev",
	     NOT "why is unknown: the kernel's configuration cannot be read "
		 "for CONFIG_KVM_AMD_SEV",
	     "kernel log");
	/* that of the distribution comes first */
	write_bytes("/proc/config.gz", with, sizeof(with));
	configure("CONFIG_KVM=y\n");
	WARN("vm-sev", NOT "this kernel was built without CONFIG_KVM_AMD_SEV",
	     "use a kernel with CONFIG_KVM_AMD_SEV=y");
}

static void software_protected(void **state)
{
	struct world *w = needs_boot(state);
	const char *tdp = "/sys/module/kvm/parameters/tdp_mmu";

	kernel(w, "7.3", GMEM_MODEL_X86_SOFTWARE, 1);
	configure("CONFIG_KVM=y\n");
	WARN("vm-sw-protected",
	     NOT "this kernel was built without CONFIG_KVM_SW_PROTECTED_VM",
	     "use a kernel with CONFIG_KVM_SW_PROTECTED_VM=y");
	configure("CONFIG_KVM_SW_PROTECTED_VM=y\n");
	write_file(tdp, "N\n");
	WARN("vm-sw-protected", NOT "KVM has no two-dimensional paging here",
	     "see the check of two-dimensional-paging");
}

/* ---------------------------------------------------------------- limits -- */

static void limits(void **state)
{
	struct world *w = needs_root(state);

	OK("files", "RLIMIT_NOFILE is 1024: each file and VM takes one");
	limit.rlim_cur = 1023;
	WARN("files", "RLIMIT_NOFILE is 1023: each file and VM takes one", "");
	OK("memlock", "memory may be locked without limit");
	limit.rlim_cur = RLIM_INFINITY;
	OK("memlock", "memory may be locked without limit");
	WARN("map-count", "vm.max_map_count cannot be read",
	     "mount /proc with its sys directory");
	write_file("/proc/sys/vm/max_map_count", "65530\n");
	OK("map-count", "vm.max_map_count is 65530");
	write_file("/proc/sys/vm/max_map_count", "65529\n");
	WARN("map-count",
	     "vm.max_map_count is 65529: many slots in HVA mode do not fit",
	     "sysctl vm.max_map_count=65530 or more");
}

#define FREE "no memory cgroup limits this process"
#define LIMITED                                                             \
	"a memory cgroup limits this process, and its guest_memfds count, " \
	"to "
#define UNKNOWN "whether a memory cgroup limits this process is not known: "

static void memory_cgroups(void **state)
{
	struct world *w = needs_mounts(state);
	const char *name = "memory-cgroup", *raise = "raise the limit", *file;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)getpid());
	WARN(name, UNKNOWN "/proc/self/cgroup cannot be read", "mount /proc");
	write_file("/proc/self/stat", "");
	OK(name, FREE); /* a kernel without cgroups */
	write_file("/proc/self/cgroup", "");
	WARN(name, UNKNOWN "/proc/self/cgroup cannot be read", "mount /proc");
	write_file(path, "");
	OK(name, FREE);
	write_file(path, "0::/a/b\n");
	WARN(name, UNKNOWN "its cgroup cannot be read", "mount /proc");
	fs_type = CGROUP2_SUPER_MAGIC;
	write_file("/sys/fs/cgroup/a/b/cgroup.procs", "");
	OK(name, FREE);
	write_file("/proc/meminfo", "Other: 1 kB\nMemTotal:  1000 kB\n");
	file = "/sys/fs/cgroup/a/memory.max";
	write_file(file, "1024000\n");
	OK(name, FREE);
	write_file(file, "1023999\n");
	WARN(name, LIMITED "1023999", raise);
	write_file("/sys/fs/cgroup/a/b/memory.max", "8192\n");
	WARN(name, LIMITED "8K", raise);
	write_file("/sys/fs/cgroup/memory.max", "4096\n");
	WARN(name, LIMITED "4K", raise);
	write_file(path, "3:memory:/a\n");
	WARN(name, UNKNOWN "its cgroup cannot be read", "mount /proc");
	fs_type = CGROUP_SUPER_MAGIC;
	write_file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "8192\n");
	WARN(name, LIMITED "8K", raise);
	write_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n");
	WARN(name, LIMITED "4K", raise);
}

/* -------------------------------------------------------- memory, nodes -- */

static void huge_pages(void **state)
{
	struct world *w = needs_mounts(state);
	const char *pool = "/sys/kernel/mm/hugepages/hugepages-64kB/"
			   "nr_hugepages";

	WARN("huge-pages", "how many huge pages are set aside is not known",
	     "mount /sys");
	write_file(pool, "7\n");
	OK("huge-pages", "7 huge pages are set aside");
	kernel(w, "6.12", GMEM_MODEL_X86, 1);
	OK("huge-pages", "7 huge pages are set aside");
	kernel(w, "7.3", GMEM_MODEL_X86, 1);
	WARN("huge-pages",
	     "7 huge pages are set aside, and guest_memfd of this kernel takes "
	     "none of them",
	     "keep the pools only for what is not a guest_memfd");
	write_file(pool, "0\n");
	OK("huge-pages", "0 huge pages are set aside; guest_memfd of this "
			 "kernel takes base pages");
}

static void numa(void **state)
{
	struct world *w = needs_mounts(state);
	const char *online = "/sys/devices/system/node/online";

	WARN("numa", "how many NUMA nodes there are is not known",
	     "mount /sys");
	assert_int_equal(mkdir("/sys/kernel", 0755), 0);
	assert_int_equal(mkdir("/sys/kernel/mm", 0755), 0);
	OK("numa", "one NUMA node: nothing to place");
	write_file(online, "0\n");
	OK("numa", "one NUMA node: nothing to place");
	write_file(online, "0-1\n");
	WARN("numa",
	     "NUMA nodes 0-1; whether files keep a policy is not known: there "
	     "is no mappable file to try it on",
	     "see the check of the device first");
	kernel(w, "6.12", GMEM_MODEL_X86, 2);
	WARN("numa",
	     "NUMA nodes 0-1; whether files keep a policy is not known: there "
	     "is no mappable file to try it on",
	     "see the check of guest-memfd first");
	kernel(w, "6.18", GMEM_MODEL_X86, 2);
	WARN("numa", "NUMA nodes 0-1, and a policy is accepted and ignored",
	     "6.19");
	kernel(w, "6.19", GMEM_MODEL_X86, 2);
	OK("numa", "NUMA nodes 0-1, and files keep a policy");
	write_file(online, "0,2\n");
	OK("numa", "NUMA nodes 0,2, and files keep a policy");
}

/* ----------------------------------------------------------- this process --
 */

static void rights(void **state)
{
	struct world *w = needs_root(state);

	WARN("rights", "there is no /proc: gmemctl ps sees no process",
	     "mount /proc");
	write_file("/proc/self/stat", "1");
	WARN("rights",
	     "process 1 cannot be looked into even with cap_sys_ptrace: "
	     "gmemctl ps does not see every process",
	     "run gmemctl ps outside of the user namespace");
	assert_int_equal(mkdir("/proc/1", 0755), 0);
	assert_int_equal(symlink("x", "/proc/1/exe"), 0);
	OK("rights", "cap_sys_ptrace, cap_dac_read_search: gmemctl ps sees the "
		     "processes of all users");
}

static void without_capabilities(void **state)
{
	struct world *w = needs_root(state);
	const char *yama = "/proc/sys/kernel/yama/ptrace_scope";

	write_file("/proc/self/stat", "1");
	have(CAP_DAC_READ_SEARCH, CAP_CLEAR);
	WARN("rights",
	     "no cap_dac_read_search: gmemctl ps sees only processes of this "
	     "user",
	     "run gmemctl ps with cap_sys_ptrace and cap_dac_read_search");
	have(CAP_SYS_PTRACE, CAP_CLEAR);
	WARN("rights",
	     "no cap_sys_ptrace or cap_dac_read_search: gmemctl ps sees only "
	     "processes of this user",
	     "run gmemctl ps with cap_sys_ptrace and cap_dac_read_search");
	have(CAP_DAC_READ_SEARCH, CAP_SET);
	WARN("rights",
	     "no cap_sys_ptrace: gmemctl ps sees only processes of this user",
	     "run gmemctl ps with cap_sys_ptrace and cap_dac_read_search");
	OK("copies", "--pid works on processes of this user");
	write_file(yama, "0\n");
	OK("copies", "--pid works on processes of this user");
	write_file(yama, "1\n");
	WARN("copies",
	     "kernel.yama.ptrace_scope is 1: without cap_sys_ptrace --pid "
	     "fails, and gmemctl ps counts no pages",
	     "run gmemctl with cap_sys_ptrace");
	have(CAP_SYS_PTRACE, CAP_SET);
	write_file(yama, "2\n");
	OK("copies", "--pid works on processes of all users");
	have(CAP_IPC_LOCK, CAP_CLEAR);
	limit.rlim_cur = 65536;
	WARN("memlock",
	     "RLIMIT_MEMLOCK is 64K: guest_memfd is not counted, but memory "
	     "that devices pin (VFIO) is",
	     "raise ulimit -l");
	limit.rlim_cur = RLIM_INFINITY;
	OK("memlock", "memory may be locked without limit");
	have(CAP_IPC_LOCK, CAP_SET);
}

static void user_namespaces(void **state)
{
	struct world *w = needs_root(state);
	static const char *const inside[] = {
		"1 0 4294967295\n",
		"0 1 4294967295\n",
		"0 0 4294967294\n",
	};

	OK("copies", "--pid works on processes of all users");
	write_file("/proc/self/uid_map", "         0          0 4294967295\n");
	OK("copies", "--pid works on processes of all users");
	for (size_t i = 0; i < T_ARRAY_SIZE(inside); i++) {
		write_file("/proc/self/uid_map", inside[i]);
		WARN("copies",
		     "this is a user namespace: --pid works only on processes "
		     "in it",
		     "run gmemctl outside of it for other processes");
	}
	write_file("/proc/sys/kernel/yama/ptrace_scope", "3\n");
	WARN("copies",
	     "kernel.yama.ptrace_scope is 3: --pid fails, and gmemctl ps "
	     "counts no pages",
	     "boot with another kernel.yama.ptrace_scope");
}

static void seccomp(void **state)
{
	struct world *w = needs_mounts(state);
	const char *confined =
		"a filter confines this process, and refuses nothing that was "
		"tried";

	write_file("/proc/self/stat", "1");
	write_file("/proc/self/status", "Name:\tx\nSeccomp:\t0\n");
	OK("seccomp", "this process is not confined");
	write_file("/proc/self/status", "Name:\tx\n");
	OK("seccomp", "this kernel has no seccomp");
	if (syscall(CACHESTAT, -1, NULL, NULL, 0) < 0 && errno == ENOSYS)
		t_skip("cachestat", "this kernel lacks what is tried");
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0)
		t_skip("seccomp", "a filter confines this process");
	write_file("/proc/self/status", "Seccomp:\t10\n");
	WARN("seccomp", confined, "allow what gmemctl probe --format seccomp");
	write_file("/proc/self/status", "Seccomp:\t1\n");
	WARN("seccomp", confined, "allow what gmemctl probe --format seccomp");
}

static void headers(void **state)
{
	struct world *w = needs_include(state);
	const char *file = "/usr/include/linux/version.h";

	OK("headers",
	   "no kernel headers here; libgmem needs none (Linux 7.3.0-test)");
	write_file(file, "#define X 1\n#define LINUX_VERSION_CODE 459520\n");
	OK("headers", "headers of 7.3 for Linux 7.3.0-test");
	write_file(file, "#define LINUX_VERSION_CODE 459775\n");
	OK("headers", "headers of 7.3 for Linux 7.3.0-test");
	write_file(file, "#define LINUX_VERSION_CODE 524288\n");
	OK("headers", "headers of 8.0 for Linux 7.3.0-test");
	write_file(file, "#define LINUX_VERSION_CODE 459519\n");
	WARN("headers",
	     "headers of 7.2 are older than Linux 7.3.0-test: linux/kvm.h "
	     "lacks what the kernel offers",
	     "build with libgmem");
	(void)snprintf(here.release, sizeof(here.release), "7");
	OK("headers", "headers of 7.2 for Linux 7");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_device),
		TEST(files_of_the_default_type),
		TEST(residency),
		TEST(paging),
		TEST(code_of_guests),
		TEST(types_of_x86),
		TEST(a_type_that_is_offered_and_fails),
		TEST(why_a_type_is_missing),
		TEST(a_kernel_built_without_it),
		TEST(a_kernel_that_is_too_old),
		TEST(a_configuration_that_is_packed),
		TEST(software_protected),
		TEST(without_capabilities),
		TEST(limits),
		TEST(memory_cgroups),
		TEST(huge_pages),
		TEST(numa),
		TEST(rights),
		TEST(user_namespaces),
		TEST(seccomp),
		TEST(headers),
	};

	return t_main(tests);
}
