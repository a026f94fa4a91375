// SPDX-License-Identifier: MIT
/*
 * The kvm_run of real exits: gmem_exit_decode() reads them as the test expects,
 * and a line of tests/unit/exit_recorded.txt is printed for each.
 */
#include <linux/kvm.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmem_exit.h>

#ifdef __x86_64__
#include "vcpu.h"
#else
#include "live.h"
#endif

#define RECORDED 104 /* bytes of kvm_run, to the end of a hypercall */
#define RAM (16 * l->page)
#define PAGE (8 * l->page)

#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif

/* @r is what KVM_RUN has returned, as -errno. */
static struct gmem_exit decode(struct live *l, const char *what, int r,
			       uint32_t kind, uint64_t gpa, uint64_t len,
			       uint64_t attributes)
{
	const char *kernel = getenv("GMEM_VM_KERNEL");
	struct gmem_exit e = { .sz = sizeof(e) };

	printf("# recorded: %s %s %d %d %u 0x%llx 0x%llx %llu ",
	       kernel ? kernel : "-", what, r < 0 ? -1 : r, r < 0 ? -r : 0,
	       kind, (unsigned long long)gpa, (unsigned long long)len,
	       (unsigned long long)attributes);
	for (unsigned int i = 0; i < RECORDED; i++)
		printf("%02x", l->run[i]);
	printf("\n");
	live_ok(l, gmem_exit_decode(r < 0 ? -1 : r, r < 0 ? -r : 0, l->run,
				    l->run_size, &e, &l->err));
	assert_int_equal(e.kind, kind);
	assert_int_equal(e.gpa, gpa);
	assert_int_equal(e.len, len);
	assert_int_equal(e.attributes, attributes);
	return e;
}

/* A file at @gpa that is closed: the slot stays, and has no memory. */
static void lost_file(struct live *l, uint64_t gpa, uint64_t len,
		      uint64_t flags)
{
	int vm = gmem_vm_fd(l->vm), fd = raw_create(vm, len, flags);
	unsigned char *other = live_memory(l, len, 0);

	assert_true(fd >= 0);
	t_code(raw_bind(vm, 1, gpa, len, other, fd, 0), 0);
	close(fd);
}

#ifdef __x86_64__
static unsigned char *start(struct live *l, uint32_t type)
{
	unsigned char *ram;

	live_vm(l, type);
	ram = live_memory(l, RAM, 0);
	vcpu_copy(ram);
	t_code(raw_plain(gmem_vm_fd(l->vm), 0, 0, PAGE, ram), 0);
	return ram;
}

static void answer(struct live *l, const struct gmem_exit *e, uint32_t kind,
		   int32_t want)
{
	live_ok(l, gmem_exit_answer(l->run, l->run_size, e, kind, &l->err));
	t_code(vcpu_continue(l), 0);
	assert_int_equal(vcpu_answer(l), want);
}

static void hypercalls_are_read_and_answered(void **state)
{
	struct live *l = *state;
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_EXIT_HYPERCALL,
		.args = { GMEM__HC_MAP_GPA_RANGE_BIT },
	};
	struct gmem_exit e;
	uint32_t word;
	int r;

	start(l, GMEM_VM_DEFAULT);
	t_code(raw_ioctl(gmem_vm_fd(l->vm), KVM_ENABLE_CAP, &cap), 0);
	r = vcpu_call(l, 0x123000, 7, 1 << 4);
	e = decode(l, "to-private", r < 0 ? r : 0, GMEM_EXIT_MAP_GPA_RANGE,
		   0x123000, 7 * 4096, GMEM_ATTRIBUTE_PRIVATE);
	answer(l, &e, GMEM_ANSWER_RETRY, EAGAIN);
	r = vcpu_call(l, 0, 1, 0);
	e = decode(l, "to-shared", r < 0 ? r : 0, GMEM_EXIT_MAP_GPA_RANGE, 0,
		   4096, GMEM_ATTRIBUTE_SHARED);
	answer(l, &e, GMEM_ANSWER_RESUME, 0);
	r = vcpu_call(l, 0x200000, 512, 1);
	e = decode(l, "to-shared-2m", r < 0 ? r : 0, GMEM_EXIT_MAP_GPA_RANGE,
		   0x200000, 2 << 20, GMEM_ATTRIBUTE_SHARED);
	answer(l, &e, GMEM_ANSWER_REFUSE, EINVAL);
	r = vcpu_call(l, 0x200000, 512, 1 << 5 | 1 << 4);
	e = decode(l, "reserved-bit", r < 0 ? r : 0, GMEM_EXIT_MALFORMED, 0, 0,
		   0);
	assert_int_equal(e.reason, GMEM_REASON_FLAG_UNKNOWN);
	answer(l, &e, GMEM_ANSWER_RESUME, EINVAL);
	t_code(vcpu_load(l, 0x1000, &word), 0);
	decode(l, "halt", 0, GMEM_EXIT_OTHER, 0, 0, 0);
}

static void a_private_fault_is_stale_after_eintr(void **state)
{
	struct live *l = *state;
	unsigned char *ram;
	int vm;

	live_need("two-backings");
	ram = start(l, GMEM_VM_SW_PROTECTED);
	vm = gmem_vm_fd(l->vm);
	t_code(raw_plain(vm, 1, PAGE, PAGE, ram + PAGE), 0);
	t_code(raw_attributes(vm, PAGE, l->page, GMEM__ATTRIBUTE_PRIVATE), 0);
	decode(l, "private", vcpu_store(l, PAGE + 8, 1), GMEM_EXIT_MEMORY_FAULT,
	       PAGE, l->page, GMEM_ATTRIBUTE_PRIVATE);
	vcpu_interrupt(l, true);
	decode(l, "stale", vcpu_continue(l), GMEM_EXIT_NONE, 0, 0, 0);
	vcpu_interrupt(l, false);
	t_code(raw_attributes(vm, PAGE, l->page, 0), 0);
	assert_int_equal(mprotect(ram + PAGE, l->page, PROT_NONE), 0);
	decode(l, "unreachable", vcpu_continue(l), GMEM_EXIT_UNREACHABLE, 0, 0,
	       0);
}

static void a_lost_file_faults_as_private(void **state)
{
	struct live *l = *state;
	uint64_t wanted = GMEM_ATTRIBUTE_PRIVATE;

	live_need("private-memory");
	start(l, GMEM_VM_SW_PROTECTED);
	lost_file(l, PAGE, PAGE, 0);
	/* in place the state of a page is the file's, and lost with it */
	if (raw_attributes(gmem_vm_fd(l->vm), PAGE, PAGE,
			   GMEM__ATTRIBUTE_PRIVATE) < 0)
		wanted = GMEM_ATTRIBUTE_SHARED;
	decode(l, "lost-private", vcpu_store(l, PAGE + l->page + 4, 1),
	       GMEM_EXIT_MEMORY_FAULT, PAGE + l->page, l->page, wanted);
}

static void a_lost_file_faults(void **state)
{
	struct live *l = *state;

	live_need("init-shared");
	start(l, GMEM_VM_DEFAULT);
	lost_file(l, PAGE, PAGE, LIVE_SHARED);
	decode(l, "lost-shared", vcpu_store(l, PAGE + l->page + 4, 1),
	       GMEM_EXIT_MEMORY_FAULT, PAGE + l->page, l->page, 0);
}

static int touch(struct live *l, uint64_t gpa)
{
	return vcpu_store(l, gpa, 1);
}
#else
static void start(struct live *l, uint32_t type)
{
	live_vm(l, type);
}

static void need_vcpu(struct live *l)
{
	struct kvm_vcpu_init init;

	if (l->vcpu >= 0)
		return;
	(void)guest_pre_fault(l, 0); /* makes it, whatever it returns */
	t_code(raw_ioctl(gmem_vm_fd(l->vm), KVM_ARM_PREFERRED_TARGET, &init),
	       0);
	t_code(raw_ioctl(l->vcpu, KVM_ARM_VCPU_INIT, &init), 0);
}

/* The fetch of an instruction at @gpa. */
static int touch(struct live *l, uint64_t gpa)
{
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      KVM_REG_ARM_CORE_REG(regs.pc),
		.addr = (uintptr_t)&gpa,
	};

	need_vcpu(l);
	t_code(raw_ioctl(l->vcpu, KVM_SET_ONE_REG, &reg), 0);
	return raw_ioctl(l->vcpu, KVM_RUN, NULL);
}

/* KVM may report the address in units of 4 KiB, whatever a page is. */
static void a_lost_file_faults(void **state)
{
	struct live *l = *state;
	uint64_t at = 2 * l->page;

	live_need("init-shared");
	start(l, GMEM_VM_DEFAULT);
	lost_file(l, 0, LIVE_RAM, LIVE_SHARED);
	decode(l, "lost-shared", touch(l, at), GMEM_EXIT_MEMORY_FAULT, at,
	       l->page, 0);
	decode(l, "lost-shared-inside", touch(l, at + l->page / 2 + 4),
	       GMEM_EXIT_MEMORY_FAULT, at, l->page, 0);
	((struct kvm_run *)l->run)->immediate_exit = 1;
	decode(l, "stale", touch(l, at), GMEM_EXIT_NONE, 0, 0, 0);
}

static void memory_that_is_gone_is_unreachable(void **state)
{
	struct live *l = *state;
	unsigned char *ram;

	start(l, GMEM_VM_DEFAULT);
	ram = live_memory(l, LIVE_RAM, 0);
	assert_int_equal(mprotect(ram, LIVE_RAM, PROT_NONE), 0);
	t_code(raw_plain(gmem_vm_fd(l->vm), 0, 0, LIVE_RAM, ram), 0);
	decode(l, "unreachable", touch(l, 4 * l->page), GMEM_EXIT_UNREACHABLE,
	       0, 0, 0);
}
#endif

static void ignore(int sig)
{
	(void)sig;
}

static void a_memory_error_is_poison(void **state)
{
	struct live *l = *state;
	unsigned char *map;
	uint64_t len = 16 * l->page;
	int fd, vm;

	live_need("init-shared");
	start(l, GMEM_VM_DEFAULT);
	vm = gmem_vm_fd(l->vm);
	fd = live_keep_fd(l, raw_create(vm, len, LIVE_SHARED));
	map = raw_map(l, fd, len, PROT_READ | PROT_WRITE);
	t_code(raw_bind(vm, 1, PAGE, len, map, fd, 0), 0);
	map[l->page] = 1;
	(void)signal(SIGBUS, ignore);
	if (madvise(map + l->page, l->page, MADV_HWPOISON) < 0 &&
	    errno != EBUSY)
		t_skip("memory-failure", "MADV_HWPOISON: %s", strerror(errno));
	decode(l, "poison", touch(l, PAGE + l->page), GMEM_EXIT_POISON,
	       PAGE + l->page, l->page, 0);
}

int main(void)
{
	const struct CMUnitTest vm_decode[] = {
#ifdef __x86_64__
		live_test(hypercalls_are_read_and_answered),
		live_test(a_private_fault_is_stale_after_eintr),
		live_test(a_lost_file_faults_as_private),
#else
		live_test(memory_that_is_gone_is_unreachable),
#endif
		live_test(a_lost_file_faults),
		live_test(a_memory_error_is_poison),
	};

	return t_main(vm_decode);
}
