// SPDX-License-Identifier: MIT
/*
 * A vCPU of two instructions, with its MMU off: the access, and a store of what
 * it has to an address without memory, which exits.  Both programs are there
 * before the vCPU runs, so that no cache has an older one.
 */
#ifdef __aarch64__
#include <linux/kvm.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "case.h"
#include "guest.h"

#define CODE_GPA 0x10000
#define DEVICE 0x40000000

static const uint32_t programs[2][2] = {
	{ 0x39400020, 0x39000040 }, /* ldrb w0, [x1]; strb w0, [x2] */
	{ 0x39000020, 0x39000040 }, /* strb w0, [x1]; strb w0, [x2] */
};

static int init(const struct guest *g)
{
	struct kvm_vcpu_init how;

	if (ioctl(g->vm, KVM_ARM_PREFERRED_TARGET, &how) < 0 ||
	    ioctl(g->vcpu, KVM_ARM_VCPU_INIT, &how) < 0)
		return -errno;
	return 0;
}

static int start(struct conform *c, int vm)
{
	int r = guest_make(c, vm, CODE_GPA);

	if (r < 0)
		return r;
	memcpy(c->guest->code, programs, sizeof(programs));
	return init(c->guest);
}

static int set(const struct guest *g, size_t offset, uint64_t value)
{
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      offset / sizeof(uint32_t),
		.addr = (uintptr_t)&value,
	};

	return ioctl(g->vcpu, KVM_SET_ONE_REG, &reg) < 0 ? -errno : 0;
}

#define SET(g, name, value) set(g, offsetof(struct kvm_regs, name), value)

/* Completes what an exit left to do, which moves the program counter. */
static void finish(const struct guest *g)
{
	g->run->immediate_exit = 1;
	(void)ioctl(g->vcpu, KVM_RUN, 0);
	g->run->immediate_exit = 0;
}

int guest_access(struct conform *c, int vm, uint64_t gpa, unsigned char *byte,
		 bool write)
{
	int r = c->guest ? 0 : start(c, vm);
	const struct kvm_run *run;
	const struct guest *g;
	bool came = false;

	if (r < 0)
		return r;
	g = c->guest;
	if (!g->code) /* an earlier access could not start it */
		return -EBADF;
	if ((r = SET(g, regs.regs[0], *byte)) < 0 ||
	    (r = SET(g, regs.regs[1], gpa)) < 0 ||
	    (r = SET(g, regs.regs[2], DEVICE)) < 0 ||
	    (r = SET(g, regs.pc,
		     CODE_GPA + (write ? sizeof(programs[0]) : 0))) < 0)
		return r;
	do {
		r = ioctl(g->vcpu, KVM_RUN, 0) < 0 ? -errno : 0;
	} while (r == -EINTR);
	run = g->run;
	memcpy(c->run, run, sizeof(c->run));
	if (r < 0)
		return r;
	if (run->exit_reason == KVM_EXIT_MMIO) {
		came = run->mmio.is_write && run->mmio.phys_addr == DEVICE;
		*byte = came ? run->mmio.data[0] : *byte;
		finish(g);
	}
	return came ? 0 : -EPROTO;
}

int guest_kvm_access(struct conform *c, int vm, uint64_t gpa,
		     unsigned char *byte, bool write)
{
	(void)c;
	(void)vm;
	(void)gpa;
	(void)byte;
	(void)write;
	return -ENOSYS;
}
#endif
