// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vcpu.h"

#define HC_MAP_GPA_RANGE 12
#define MAP_PRIVATE_PAGES (1 << 4)

/* Each ends with hlt, which is an exit. */
static const unsigned char code[] = {
	0x66, 0x89, 0x05, 0xf4, /* mov %eax, (%di) */
	0x66, 0x8b, 0x05, 0xf4, /* mov (%di), %eax */
	0x0f, 0x01, 0xd9, 0xf4, /* vmmcall */
};
enum {
	STORE = 0,
	LOAD = 4,
	CALL = 8
};

_Static_assert(offsetof(struct kvm_run, hypercall) == 32, "UAPI");
_Static_assert(sizeof(struct vcpu_hypercall) == 72, "UAPI");

void vcpu_copy(unsigned char *ram)
{
	memcpy(ram, code, sizeof(code));
}

static struct kvm_run *run_of(const struct live *l)
{
	return (struct kvm_run *)l->run;
}

static void need_vcpu(struct live *l)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct kvm_sregs sregs;
	void *run;

	if (l->vcpu < 0) {
		l->run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
		l->vcpu = ioctl(gmem_vm_fd(l->vm), KVM_CREATE_VCPU, 0);
		assert_true(l->vcpu >= 0);
		run = mmap(NULL, l->run_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED, l->vcpu, 0);
		assert_true(run != MAP_FAILED);
		l->run = run;
	}
	close(kvm);
	t_code(raw_ioctl(l->vcpu, KVM_GET_SREGS, &sregs), 0);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	t_code(raw_ioctl(l->vcpu, KVM_SET_SREGS, &sregs), 0);
}

int vcpu_continue(struct live *l)
{
	int r = raw_ioctl(l->vcpu, KVM_RUN, NULL);

	if (r < 0)
		return r;
	return run_of(l)->exit_reason == KVM_EXIT_HLT
		       ? 0
		       : (int)run_of(l)->exit_reason;
}

static int start(struct live *l, struct kvm_regs regs)
{
	need_vcpu(l);
	regs.rflags = 2;
	t_code(raw_ioctl(l->vcpu, KVM_SET_REGS, &regs), 0);
	return vcpu_continue(l);
}

static uint64_t rax(const struct live *l)
{
	struct kvm_regs regs;

	t_code(raw_ioctl(l->vcpu, KVM_GET_REGS, &regs), 0);
	return regs.rax;
}

int vcpu_store(struct live *l, uint64_t gpa, uint32_t value)
{
	return start(
		l, (struct kvm_regs){ .rip = STORE, .rdi = gpa, .rax = value });
}

int vcpu_load(struct live *l, uint64_t gpa, uint32_t *value)
{
	int r = start(l, (struct kvm_regs){ .rip = LOAD, .rdi = gpa });

	*value = (uint32_t)rax(l);
	return r;
}

int vcpu_call(struct live *l, uint64_t gpa, uint64_t pages, uint32_t bits)
{
	return start(l, (struct kvm_regs){
				.rip = CALL,
				.rax = HC_MAP_GPA_RANGE,
				.rbx = gpa,
				.rcx = pages,
				.rdx = bits,
			});
}

int vcpu_map_gpa_range(struct live *l, uint64_t gpa, uint64_t pages,
		       bool private)
{
	return vcpu_call(l, gpa, pages, private ? MAP_PRIVATE_PAGES : 0);
}

int32_t vcpu_answer(const struct live *l)
{
	return (int32_t)rax(l);
}

void vcpu_interrupt(struct live *l, bool yes)
{
	run_of(l)->immediate_exit = yes;
}

uint32_t vcpu_exit_reason(const struct live *l)
{
	return run_of(l)->exit_reason;
}

struct vcpu_hypercall *vcpu_hypercall(struct live *l)
{
	return (struct vcpu_hypercall *)(l->run + 32);
}

int vcpu_pre_fault(struct live *l, uint64_t *gpa, uint64_t *size)
{
	uint64_t args[8] = { *gpa, *size };
	int r;

	need_vcpu(l);
	r = raw_ioctl(l->vcpu, GMEM__IOWR(0xd5, 64), args);
	*gpa = args[0];
	*size = args[1];
	return r;
}
