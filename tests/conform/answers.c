// SPDX-License-Identifier: MIT
/*
 * What the model answers to calls of every kind, right and wrong ones: each
 * profile on each machine, with VMs of each type.  The random calls and the
 * cases of conform verify such answers against kernels; here they are all in
 * one text, so that none changes unnoticed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/falloc.h>

#include <gmem_model.h>

#include "answers.h"
#include "macros.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define TYPES 0x1b /* bit n: KVM's type n; those that are easy to have */

struct gmem_vm *kernel;
uint64_t page;

int64_t sys(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
	    uint64_t e, uint64_t f)
{
	const uint64_t arg[6] = { a, b, c, d, e, f };

	return gmem_model_syscall(kernel, number, arg, NULL);
}

int64_t ioc(int fd, unsigned long request, const void *arg)
{
	return sys(SYS_ioctl, (uint64_t)fd, request, (uintptr_t)arg, 0, 0, 0);
}

static const char *name_of(int64_t r)
{
	static const struct {
		int code;
		const char *name;
	} names[] = {
#define NAME(e) { e, #e }
		NAME(EACCES),	  NAME(EAGAIN), NAME(EBADF),  NAME(EEXIST),
		NAME(EFAULT),	  NAME(EFBIG),	NAME(EINTR),  NAME(EINVAL),
		NAME(EIO),	  NAME(EMFILE), NAME(ENODEV), NAME(ENOENT),
		NAME(ENOMEM),	  NAME(ENOSYS), NAME(ENOTTY), NAME(ENXIO),
		NAME(EPERM),	  NAME(ESPIPE), NAME(ERANGE), NAME(EHWPOISON),
		NAME(EOPNOTSUPP),
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (r == -names[i].code)
			return names[i].name;
	return r < 0 ? "another error" : "ok";
}

/* Answers that follow each other and are the same are told together. */
static struct {
	char first[40], last[40], text[128];
	unsigned int n;
} same;

static void flush_answers(void)
{
	if (same.n == 1)
		printf(" %s=%s", same.first, same.text);
	else if (same.n)
		printf(" %s..%s=%s", same.first, same.last, same.text);
	same.n = 0;
}

void answer(const char *what, const char *text)
{
	if (!same.n || strcmp(same.text, text) != 0) {
		flush_answers();
		(void)snprintf(same.first, sizeof(same.first), "%s", what);
		(void)snprintf(same.text, sizeof(same.text), "%s", text);
	}
	(void)snprintf(same.last, sizeof(same.last), "%s", what);
	same.n++;
}

void say(const char *what, int64_t r)
{
	char number[24];

	(void)snprintf(number, sizeof(number), "%lld", (long long)r);
	answer(what, r > 0 ? number : name_of(r));
}

void say_n(const char *what, uint64_t n, int64_t r)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "%s%llx", what,
		       (unsigned long long)n);
	say(text, r);
}

void tell(const char *what, uint64_t n)
{
	flush_answers();
	printf(" %s%llx", what, (unsigned long long)n);
}

void head(const char *what)
{
	flush_answers();
	printf("\n%s:", what);
}

uint64_t resident(int fd, uint64_t offset, uint64_t len)
{
	const uint64_t range[2] = { offset, len };
	uint64_t cached[5] = { 99 };

	(void)sys(SYS_cachestat, (uint64_t)fd, (uintptr_t)range,
		  (uintptr_t)cached, 0, 0, 0);
	return cached[0];
}

/* A descriptor, which is not told, only that there is one. */
static int64_t closed(int64_t fd)
{
	return fd < 0 ? fd : sys(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
}

/* ----------------------------------------------------------------- device --
 */

static void capabilities(int fd)
{
	for (uint64_t cap = 0; cap < 260; cap++) {
		int64_t r = ioc(fd, GMEM__KVM_CHECK_EXTENSION,
				(void *)(uintptr_t)cap);

		if (r)
			say_n("", cap, r);
	}
}

static void of_the_device(int device)
{
	head("device");
	say("version", ioc(device, GMEM__KVM_GET_API_VERSION, NULL));
	say("argument", ioc(device, GMEM__KVM_GET_API_VERSION, (void *)1));
	say("unknown", ioc(device, GMEM__IO(0x77), NULL));
	say("file", ioc(device, GMEM__KVM_CREATE_GUEST_MEMFD, NULL));
	head("types");
	for (uint64_t type = 0; type < 70; type++)
		say_n("", type,
		      closed(ioc(device, GMEM__KVM_CREATE_VM,
				 (void *)(uintptr_t)type)));
	say_n("", 1ULL << 32,
	      closed(ioc(device, GMEM__KVM_CREATE_VM, (void *)(1ULL << 32))));
	head("capabilities of the device");
	capabilities(device);
}

/* ------------------------------------------------------------------ files --
 */

int64_t new_order(int vm, uint64_t size, uint64_t flags, unsigned int order)
{
	struct gmem__create c = { .size = size, .flags = flags };

	*(unsigned char *)c.reserved = (unsigned char)order;
	return ioc(vm, GMEM__KVM_CREATE_GUEST_MEMFD, &c);
}

int64_t new_file(int vm, uint64_t size, uint64_t flags)
{
	return new_order(vm, size, flags, 0);
}

static void creation(int vm)
{
	const uint64_t sizes[] = {
		0,	    1,		page - 1,  page,
		page + 1,   3 * page,	INT64_MAX, INT64_MAX - page + 1,
		1ULL << 63, UINT64_MAX, -page,	   2ULL << 20,
		1ULL << 30, 3ULL << 20,
	};
	const uint64_t huge[] = {
		GMEM__RFC1_HUGETLB,
		GMEM__RFC1_HUGETLB | 12ULL << GMEM__RFC1_SIZE_SHIFT,
		GMEM__RFC1_HUGETLB | 13ULL << GMEM__RFC1_SIZE_SHIFT,
		GMEM__RFC1_HUGETLB | 21ULL << GMEM__RFC1_SIZE_SHIFT,
		GMEM__RFC1_HUGETLB | 30ULL << GMEM__RFC1_SIZE_SHIFT,
		GMEM__RFC1_HUGETLB | 62ULL << GMEM__RFC1_SIZE_SHIFT,
		GMEM__RFC1_HUGETLB | 63ULL << GMEM__RFC1_SIZE_SHIFT,
		GMEM__RFC1_HUGETLB | 21ULL << GMEM__RFC1_SIZE_SHIFT | 1,
		21ULL << GMEM__RFC1_SIZE_SHIFT,
		GMEM__ORDER_HUGETLB,
	};
	const unsigned int orders[] = { 1, 8, 9, 18, 50, 51, 52, 255 };

	head("flags");
	for (uint64_t flags = 0; flags < 9; flags++)
		say_n("", flags, closed(new_file(vm, page, flags)));
	for (uint64_t bit = 4; bit < 64; bit++)
		say_n("1<<", bit, closed(new_file(vm, page, 1ULL << bit)));
	head("sizes");
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		say_n("", sizes[i], closed(new_file(vm, sizes[i], 0)));
		say_n("mmap ", sizes[i], closed(new_file(vm, sizes[i], 1)));
	}
	head("huge pages");
	for (size_t i = 0; i < ARRAY_SIZE(huge); i++) {
		say_n("2M ", huge[i],
		      closed(new_file(vm, 2ULL << 20, huge[i])));
		say_n("3M ", huge[i],
		      closed(new_file(vm, 3ULL << 20, huge[i])));
		say_n("8G ", huge[i],
		      closed(new_file(vm, 8ULL << 30, huge[i])));
	}
	head("order");
	for (uint64_t flags = 0; flags < 9; flags++)
		for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
			say_n("2M ", flags << 8 | orders[i],
			      closed(new_order(vm, 2ULL << 20, flags,
					       orders[i])));
			say_n("1G ", flags << 8 | orders[i],
			      closed(new_order(vm, 1ULL << 30, flags,
					       orders[i])));
		}
	head("no arguments");
	say("NULL", ioc(vm, GMEM__KVM_CREATE_GUEST_MEMFD, NULL));
	say("unknown", ioc(vm, GMEM__IO(0x77), NULL));
	say("of a file", ioc(vm, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, NULL));
	say("of the device", ioc(vm, GMEM__KVM_CREATE_VM, NULL));
	say("of none", ioc(0, GMEM__KVM_CREATE_VM, NULL));
	say("closed", ioc(-1, GMEM__KVM_CREATE_VM, NULL));
}

static void kind(const char *what, int fd)
{
	struct statfs fs = { 0 };
	struct stat st = { 0 };

	say(what, sys(SYS_fstat, (uint64_t)fd, (uintptr_t)&st, 0, 0, 0, 0));
	tell("mode ", st.st_mode);
	say("statfs",
	    sys(SYS_fstatfs, (uint64_t)fd, (uintptr_t)&fs, 0, 0, 0, 0));
	if (S_ISREG(st.st_mode) || !(st.st_mode & S_IFMT)) {
		tell("magic ", (uint64_t)fs.f_type);
		tell("size", st.st_size);
	}
}

static void allocation(int fd)
{
	static const int modes[] = {
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_INSERT_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_UNSHARE_RANGE,
		FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE,
		1 << 20,
	};
	const uint64_t ranges[][2] = {
		{ 0, page },
		{ 0, 0 },
		{ 1, page },
		{ page, 1 },
		{ 0, FILE_PAGES * page },
		{ page, FILE_PAGES * page },
		{ FILE_PAGES * page, page },
		{ 1ULL << 63, page },
		{ -page, page },
		{ 0, 1ULL << 63 },
		{ page, -page },
		{ INT64_MAX - page + 1, page },
		{ INT64_MAX - page + 1, 2 * page },
		{ 3 * page, 2 * page },
	};
	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		uint64_t pages = 0;

		head("fallocate");
		tell("mode ", (uint64_t)modes[m]);
		for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
			say_n("", i,
			      sys(SYS_fallocate, (uint64_t)fd,
				  (uint64_t)modes[m], ranges[i][0],
				  ranges[i][1], 0, 0));
			pages += resident(fd, 0, 0) << 4 * i;
		}
		tell("pages ", pages);
	}
	(void)sys(SYS_fallocate, (uint64_t)fd, FALLOC_FL_KEEP_SIZE, 2 * page,
		  3 * page, 0, 0);
	head("cachestat");
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		tell("", resident(fd, ranges[i][0], ranges[i][1]));
}

static void reading(int fd)
{
	char byte = 0;

	say("read", sys(SYS_read, (uint64_t)fd, (uintptr_t)&byte, 1, 0, 0, 0));
	say("write",
	    sys(SYS_write, (uint64_t)fd, (uintptr_t)&byte, 1, 0, 0, 0));
	say("ioctl", ioc(fd, GMEM__KVM_CHECK_EXTENSION, NULL));
}

static void files(int vm)
{
	for (uint64_t flags = 0; flags < 4; flags++) {
		int fd = (int)new_file(vm, FILE_PAGES * page, flags);

		if (fd < 0)
			continue;
		head("file of flags");
		tell("", flags);
		kind("file", fd);
		reading(fd);
		allocation(fd);
		conversions(vm, fd);
		mappings(fd);
		(void)closed(fd);
	}
}

/* ------------------------------------------------------------------- main --
 */

static void of_a_vm(uint32_t type, int device)
{
	int vm = gmem_vm_fd(kernel);

	head("\nA VM of type");
	tell("", type);
	head("kinds");
	kind("device", device);
	kind("VM", vm);
	head("capabilities");
	capabilities(vm);
	creation(vm);
	files(vm);
	slots(vm);
	guests(vm);
	huge_pages(vm);
}

static int of_a_kernel(const char *profile, uint32_t machine)
{
	struct gmem_vm_opts v = { .sz = sizeof(v) };
	struct gmem_model_opts o = {
		.sz = sizeof(o), .vm = &v, .machine = machine, .nodes = 4
	};

	head(profile);
	tell("machine ", machine);
	if (machine == GMEM_MODEL_X86)
		o.vm_types = TYPES;
	for (v.type = GMEM_VM_DEFAULT; v.type <= GMEM_VM_TDX; v.type++) {
		int device;

		if (gmem_model_vm_open(profile, &o, &kernel, NULL) < 0)
			continue;
		device = (int)sys(SYS_openat, (uint64_t)AT_FDCWD,
				  (uintptr_t) "/dev/kvm", O_RDWR | O_CLOEXEC, 0,
				  0, 0);
		if (v.type == GMEM_VM_DEFAULT)
			of_the_device(device);
		of_a_vm(v.type, device);
		(void)closed(device);
		if (gmem_vm_destroy(kernel, NULL) < 0)
			return 1;
	}
	return 0;
}

/* Of the host: without these the model's answers are others. */
static const char *lacking(void)
{
	const struct gmem_model_opts o = { .sz = sizeof(o) };
	struct gmem_vm *vm;

	if (syscall(SYS_cachestat, -1, NULL, NULL, 0) < 0 && errno == ENOSYS)
		return "cachestat(2)";
	if (syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0) < 0)
		return "get_mempolicy(2)";
	if (gmem_model_vm_open("inplace", &o, &vm, NULL) < 0)
		return "userfaultfd(2)";
	return gmem_vm_close(vm, NULL) < 0 ? "close(2)" : NULL;
}

int main(void)
{
	struct gmem_model_profile p = { .sz = sizeof(p) };
	const char *what = lacking();
	int r = 0;

	if (what) {
		printf("skipped: this host lacks %s\n", what);
		return 77;
	}
	page = (uint64_t)sysconf(_SC_PAGESIZE);
	for (uint32_t i = 0; !gmem_model_profile_info(i, &p, NULL); i++)
		for (uint32_t m = 0; m <= GMEM_MODEL_ARM64; m++)
			r |= of_a_kernel(p.name, m);
	head("end");
	return r;
}
