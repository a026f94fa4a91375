// SPDX-License-Identifier: MIT
/*
 * Measures without the library what the kernel does, and compares that with
 * what is expected of the kernel that GMEM_VM_KERNEL names.  Each test prints
 * "fact NAME VALUE", from which docs/kernels.md is made.
 */
#include <fcntl.h>
#include <fnmatch.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "live.h"

#define SW_PROTECTED 1 /* KVM_CREATE_VM */

struct fact {
	const char *name;
	void (*measure)(struct live *l);
	unsigned int cap;
};

static char value[256];

__attribute__((format(printf, 1, 2))) static void is(const char *fmt, ...)
{
	size_t n = strlen(value);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(value + n, sizeof(value) - n, fmt, ap);
	va_end(ap);
}

static const char *errno_name(int r)
{
	return strerrorname_np(-r);
}

static int vm_of(struct live *l, unsigned long type)
{
	return live_keep_fd(l, raw_vm(type));
}

static int file_of(struct live *l, int vm, uint64_t flags)
{
	return live_keep_fd(l, raw_create(vm, 4 * l->page, flags));
}

/* ----------------------------------------------------------- measures -- */

/* What the kernel reports, which has to match its name. */
static void release(struct live *l)
{
	const char *kernel = getenv("GMEM_VM_KERNEL");
	struct utsname u;
	size_t n;

	(void)l;
	assert_int_equal(uname(&u), 0);
	is("%s", u.release);
	kernel += strncmp(kernel, "arm64-", 6) ? 0 : 6;
	n = strspn(kernel, "0123456789.");
	assert_memory_equal(u.release, kernel, n);
	assert_null(memchr("0123456789", u.release[n], 11));
}

static void page(struct live *l)
{
	is("%llu", (unsigned long long)l->page);
}

static void nodes(struct live *l)
{
	int n = 0;
	char path[64];

	(void)l;
	for (;; n++) {
		(void)snprintf(path, sizeof(path),
			       "/sys/devices/system/node/node%d", n);
		if (access(path, F_OK) < 0)
			break;
	}
	is("%d", n);
}

static void answer(int fd, unsigned int cap)
{
	int r = fd < 0 ? fd : raw_cap(fd, cap);

	if (fd < 0)
		is("-");
	else
		is("%d", r > 0 ? r : 0); /* only a positive one is a yes */
}

static void vm_types(struct live *l)
{
	answer(vm_of(l, 0), GMEM__CAP_VM_TYPES);
}

/* /dev/kvm, a default VM, a VM with private memory */
static void capability(struct live *l, unsigned int cap)
{
	answer(live_keep_fd(l, open("/dev/kvm", O_RDWR | O_CLOEXEC)), cap);
	is("/");
	answer(vm_of(l, 0), cap);
	is("/");
	answer(live_has("private-memory") ? vm_of(l, SW_PROTECTED) : -1, cap);
}

/* The create flags that a VM accepts, and those that it can bind. */
static void flags(struct live *l, unsigned long type, bool bind)
{
	int vm, fd, r = 0;

	if (type == SW_PROTECTED && !live_has("private-memory")) {
		is("-");
		return;
	}
	vm = vm_of(l, type);
	for (unsigned int i = 0; i < 8; i++) {
		r = fd = file_of(l, vm, i);
		if (fd >= 0 && bind)
			r = raw_bind(vm, 0, 0, l->page, NULL, fd, 0);
		if (r < 0)
			continue;
		if (bind)
			t_code(raw_delete(vm, 0), 0);
		is("%s%u", *value ? "," : "", i);
	}
	if (!*value)
		is("%s", errno_name(r));
}

static void create(struct live *l)
{
	flags(l, 0, false);
}

static void create_private(struct live *l)
{
	flags(l, SW_PROTECTED, false);
}

static void bind(struct live *l)
{
	flags(l, 0, true);
}

static void bind_private(struct live *l)
{
	flags(l, SW_PROTECTED, true);
}

/* The calls that make a page of a sw-protected VM private. */
static void converts(struct live *l)
{
	int vm, fd;

	if (!live_has("private-memory")) {
		is("-");
		return;
	}
	vm = vm_of(l, SW_PROTECTED);
	fd = file_of(l, vm, 0);
	t_code(raw_bind(vm, 0, 0, l->page, NULL, fd, 0), 0);
	if (raw_attributes(vm, 0, l->page, GMEM__ATTRIBUTE_PRIVATE) == 0)
		is("by guest address");
	if (raw_file_attributes(fd, 0, l->page, GMEM__ATTRIBUTE_PRIVATE) == 0)
		is("%sin place", *value ? " and " : "");
}

/* Where the host sees the memory that a guest shares. */
static void shared_side(struct live *l)
{
	int vm, fd;
	void *map;

	if (!live_has("private-memory")) {
		is("-");
		return;
	}
	vm = vm_of(l, SW_PROTECTED);
	fd = live_keep_fd(l, raw_create(vm, 4 * l->page, GMEM__FLAG_MMAP));
	if (fd < 0) {
		is("elsewhere");
		return;
	}
	map = raw_map(l, fd, l->page, PROT_READ | PROT_WRITE);
	assert_true(live_touch(map));
	(void)raw_file_attributes(fd, 0, l->page, 0);
	is("%s", live_touch(map) ? "elsewhere" : "the file");
}

/* A VM and a file of the type that can bind one; the flags are any. */
static bool bindable(struct live *l, int *vm, int *fd)
{
	if (live_has("init-shared")) {
		*vm = vm_of(l, 0);
		*fd = file_of(l, *vm, LIVE_SHARED);
	} else if (live_has("private-memory")) {
		*vm = vm_of(l, SW_PROTECTED);
		*fd = file_of(l, *vm, 0);
	} else {
		is("-");
		return false;
	}
	assert_true(*fd >= 0);
	return true;
}

static void bound_twice(struct live *l)
{
	int vm, fd;

	if (!bindable(l, &vm, &fd))
		return;
	t_code(raw_bind(vm, 0, 0, l->page, NULL, fd, 0), 0);
	is("%s",
	   errno_name(raw_bind(vm, 1, 8 * l->page, l->page, NULL, fd, 0)));
}

static void offset_overflow(struct live *l)
{
	int vm, fd, r;

	if (!bindable(l, &vm, &fd))
		return;
	r = raw_bind(vm, 0, 0, 16 * l->page, NULL, fd, INT64_MAX - l->page + 1);
	is("%s", r < 0 ? errno_name(r) : "accepted");
}

static void link_text(struct live *l)
{
	char path[64], text[64] = { 0 };
	int vm, fd;

	if (!bindable(l, &vm, &fd))
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_true(readlink(path, text, sizeof(text) - 1) > 0);
	is("%s", text);
}

static void magic(struct live *l)
{
	struct statfs fs;
	int vm, fd;

	if (!bindable(l, &vm, &fd))
		return;
	assert_int_equal(fstatfs(fd, &fs), 0);
	is("0x%08lx", (unsigned long)fs.f_type);
}

static void residency(struct live *l)
{
	int vm, fd;

	if (!bindable(l, &vm, &fd))
		return;
	assert_int_equal(
		fallocate(fd, FALLOC_FL_KEEP_SIZE, l->page, 2 * l->page), 0);
	if (raw_resident(fd, 0, l->page) == -ENOSYS) {
		is("no cachestat");
		return;
	}
	t_code(raw_resident(fd, 0, 4 * l->page), 2);
	t_code(raw_resident(fd, 0, l->page), 0);
	t_code(raw_resident(fd, l->page, l->page), 1);
	is("exact");
}

/* MPOL_BIND to the second node, on the first one's CPU. */
static void policy(struct live *l)
{
	unsigned long second = 2;
	cpu_set_t cpus;
	int fd, node = -1;
	void *map;

	if (!live_has("init-shared")) {
		is("-");
		return;
	}
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	fd = file_of(l, vm_of(l, 0), LIVE_SHARED);
	map = raw_map(l, fd, l->page, PROT_READ | PROT_WRITE);
	assert_int_equal(syscall(SYS_mbind, map, l->page, 2, &second, 64, 0),
			 0);
	*(volatile char *)map = 1;
	assert_int_equal(syscall(SYS_move_pages, 0, 1UL, &map, NULL, &node, 0),
			 0);
	is("%s", node == 1 ? "obeyed" : "ignored");
}

/* userspace_addr has another program than the file. */
static void guest_ram(struct live *l)
{
	int printed;

	if (!live_has("init-shared")) {
		is("-");
		return;
	}
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, 2 * LIVE_RAM / l->page, LIVE_SHARED);
	guest_load(l, l->g, 0, "elsewhere");
	guest_load(l, l->g, LIVE_RAM, "file");
	live_ok(l, t_bind(l->g, 0, 0, LIVE_RAM, LIVE_RAM, NULL, &l->err));
	guest_copy(live_decoy(l, LIVE_RAM, 0xee), "poison");
	printed = guest_run(l);
	is("%s", printed == 4	? "guest_memfd"
		 : printed == 6 ? "userspace_addr"
				: "neither");
}

static void unknown_ioctl(struct live *l)
{
	is("%s", errno_name(raw_ioctl(vm_of(l, 0), GMEM__IO(0xff), NULL)));
}

/* ------------------------------------------------------- expectations -- */

static const struct fact facts[] = {
	{ "release", release, 0 },
	{ "page", page, 0 },
	{ "nodes", nodes, 0 },
	{ "vm-types", vm_types, 0 },
	{ "user-memory2", NULL, GMEM__CAP_USER_MEMORY2 },
	{ "memory-fault-info", NULL, GMEM__CAP_MEMORY_FAULT_INFO },
	{ "memory-attributes", NULL, GMEM__CAP_MEMORY_ATTRIBUTES },
	{ "guest-memfd", NULL, GMEM__CAP_GUEST_MEMFD },
	{ "pre-fault", NULL, GMEM__CAP_PRE_FAULT_MEMORY },
	{ "guest-memfd-flags", NULL, GMEM__CAP_GUEST_MEMFD_FLAGS },
	{ "create", create, 0 },
	{ "create-private", create_private, 0 },
	{ "bind", bind, 0 },
	{ "bind-private", bind_private, 0 },
	{ "converts", converts, 0 },
	{ "shared-side", shared_side, 0 },
	{ "bound-twice", bound_twice, 0 },
	{ "offset-overflow", offset_overflow, 0 },
	{ "link", link_text, 0 },
	{ "magic", magic, 0 },
	{ "residency", residency, 0 },
	{ "policy", policy, 0 },
	{ "guest-ram", guest_ram, 0 },
	{ "unknown-ioctl", unknown_ioctl, 0 },
};

#define ABSENT "6.12 6.17 arm64-6.12" /* no guest_memfd at all */
/* The same kernel, told not to convert in place, is like one that cannot. */
#define OFF "7.3-inplace-off"
#define PRIVATE "*-private " OFF
#define OLD "6.12-private *6.18* *6.19* 7.0 7.1"

/* The first line with the fact and a matching pattern counts. */
static const struct {
	const char *fact, *kernels, *value;
} expected[] = {
	{ "release", "*", "*" },
	{ "page", "*-16k", "16384" },
	{ "page", "*", "4096" },
	{ "nodes", "*", "2" },
	{ "vm-types", "arm64-*", "0" },
	{ "vm-types", "*-private *-inplace*", "3" },
	{ "vm-types", "*", "1" },
	{ "user-memory2", "*-private *-inplace*", "1/1/1" },
	{ "user-memory2", "*", "1/1/-" },
	{ "memory-fault-info", "arm64-*", "0/0/-" },
	{ "memory-fault-info", "*-private *-inplace*", "1/1/1" },
	{ "memory-fault-info", "*", "1/1/-" },
	{ "memory-attributes", "*-inplace", "0/0/0" },
	{ "memory-attributes", PRIVATE, "8/0/8" },
	{ "memory-attributes", "*", "0/0/-" },
	{ "guest-memfd", ABSENT, "0/0/-" },
	{ "guest-memfd", "6.12-private", "1/0/1" },
	{ "guest-memfd", "*-private *-inplace*", "1/1/1" },
	{ "guest-memfd", "*", "1/1/-" },
	{ "pre-fault", "arm64-*", "0/0/-" },
	{ "pre-fault", "*-private *-inplace*", "1/1/1" },
	{ "pre-fault", "*", "1/1/-" },
	{ "guest-memfd-flags", ABSENT, "0/0/-" },
	{ "guest-memfd-flags", "6.12-private", "0/0/0" },
	{ "guest-memfd-flags", "*-inplace", "3/3/3" },
	{ "guest-memfd-flags", PRIVATE, "3/3/1" },
	{ "guest-memfd-flags", "*", "3/3/-" },
	{ "create", "arm64-6.12", "EINVAL" },
	{ "create", ABSENT, "ENOTTY" },
	{ "create", "6.12-private", "0" },
	{ "create", "*", "0,1,2,3" },
	{ "create-private", "6.12-private", "0" },
	{ "create-private", "*-inplace", "0,1,2,3" },
	{ "create-private", PRIVATE, "0,1" },
	{ "create-private", "*", "-" },
	{ "bind", "arm64-6.12 6.12-private", "EINVAL" },
	{ "bind", ABSENT, "ENOTTY" },
	{ "bind", "arm64-*", "1,3" },
	{ "bind", "*", "0,1,2,3" },
	{ "bind-private", "6.12-private", "0" },
	{ "bind-private", "*-inplace", "0,1,2,3" },
	{ "bind-private", PRIVATE, "0,1" },
	{ "bind-private", "*", "-" },
	{ "converts", "*-inplace", "in place" },
	{ "converts", PRIVATE, "by guest address" },
	{ "converts", "*", "-" },
	{ "shared-side", "*-inplace", "the file" },
	{ "shared-side", PRIVATE, "elsewhere" },
	{ "shared-side", "*", "-" },
	{ "bound-twice", ABSENT, "-" },
	{ "bound-twice", OLD, "EINVAL" },
	{ "bound-twice", "*", "EEXIST" },
	{ "offset-overflow", ABSENT, "-" },
	{ "offset-overflow", OLD, "*" }, /* stable kernels get the fix */
	{ "offset-overflow", "*", "EINVAL" },
	{ "link", ABSENT, "-" },
	{ "link", "6.12-private *6.18*", "anon_inode:\\[kvm-gmem]" },
	{ "link", "*", "/\\[kvm-gmem] (deleted)" },
	{ "magic", ABSENT, "-" },
	{ "magic", "6.12-private *6.18*", "0x09041934" },
	{ "magic", "*", "0x474d454d" },
	{ "residency", ABSENT, "-" },
	{ "residency", "*-private", "*" }, /* as it was built */
	{ "residency", "*", "exact" },
	{ "policy", ABSENT " 6.12-private", "-" },
	{ "policy", "*6.18*", "ignored" },
	{ "policy", "*", "obeyed" },
	{ "guest-ram", ABSENT " 6.12-private", "-" },
	{ "guest-ram", "*", "guest_memfd" },
	{ "unknown-ioctl", "arm64-*", "EINVAL" },
	{ "unknown-ioctl", "*", "ENOTTY" },
};

static const char *expectation(const char *fact, const char *kernel)
{
	char kernels[64], *save, *word;

	for (size_t i = 0; i < T_ARRAY_SIZE(expected); i++) {
		if (strcmp(expected[i].fact, fact))
			continue;
		(void)snprintf(kernels, sizeof(kernels), "%s",
			       expected[i].kernels);
		for (word = strtok_r(kernels, " ", &save); word;
		     word = strtok_r(NULL, " ", &save))
			if (!fnmatch(word, kernel, 0))
				return expected[i].value;
	}
	return "nothing: there is no line for it";
}

static void check(void **state)
{
	const struct fact *fact = *state;
	const char *kernel = getenv("GMEM_VM_KERNEL"), *want;
	struct live *l;

	assert_non_null(kernel);
	value[0] = '\0';
	assert_int_equal(live_setup((void **)&l), 0);
	if (fact->measure)
		fact->measure(l);
	else
		capability(l, fact->cap);
	print_message("fact %s %s\n", fact->name, value);
	live_teardown((void **)&l);
	want = expectation(fact->name, kernel);
	if (fnmatch(want, value, 0))
		fail_msg("%s is %s, expected %s", fact->name, value, want);
}

int main(void)
{
	struct CMUnitTest tests[T_ARRAY_SIZE(facts)];

	for (size_t i = 0; i < T_ARRAY_SIZE(facts); i++)
		tests[i] = (struct CMUnitTest){ facts[i].name, check, NULL,
						NULL, (void *)&facts[i] };
	return t_run("facts", tests, T_ARRAY_SIZE(tests));
}
