// SPDX-License-Identifier: MIT
/*
 * A vCPU of two instructions, with its MMU off: the access, and a store of what
 * it has to an address without memory, which exits.  An exception does the same
 * store to another.  All of it is there before the vCPU runs, so that no cache
 * has something older; but guest_run() writes later.
 */
#ifdef __aarch64__
#include <limits.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "case.h"
#include "guest.h"

#define CODE_GPA 0x10000
#define DEVICE 0x40000000
#define VECTORS 0x800 /* behind the programs; one is all of them */
#define VECTORS_SIZE 0x800
/* A guest that gets no instruction stays in KVM_RUN. */
#define TICK_US 100000
#define TICKS 30

static const uint32_t programs[2][2] = {
	{ 0x39400020, 0x39000040 }, /* ldrb w0, [x1]; strb w0, [x2] */
	{ 0x39000020, 0x39000040 }, /* strb w0, [x1]; strb w0, [x2] */
};
static const uint32_t exception = 0x39000440; /* strb w0, [x2, #1] */

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
	for (size_t i = 0; i < VECTORS_SIZE; i += sizeof(exception))
		memcpy(c->guest->code + VECTORS + i, &exception,
		       sizeof(exception));
	return init(c->guest);
}

static int set(const struct guest *g, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return ioctl(g->vcpu, KVM_SET_ONE_REG, &reg) < 0 ? -errno : 0;
}

#define VBAR_EL1 ARM64_SYS_REG(3, 0, 12, 0, 0)
#define PSTATE 0x3c5 /* EL1, no interrupts */
#define SET(g, name, value)                                             \
	set(g,                                                          \
	    KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |       \
		    offsetof(struct kvm_regs, name) / sizeof(uint32_t), \
	    value)

/* Completes what an exit left to do, which moves the program counter. */
static void finish(const struct guest *g)
{
	g->run->immediate_exit = 1;
	(void)ioctl(g->vcpu, KVM_RUN, 0);
	g->run->immediate_exit = 0;
}

/* Runs the program at @pc: 0 if it came to its end before so many signals. */
static int run_at(struct conform *c, uint64_t pc, uint64_t gpa,
		  unsigned char *byte, unsigned int signals)
{
	const struct guest *g = c->guest;
	const struct kvm_run *run = g->run;
	bool came = false;
	int r;

	if ((r = SET(g, regs.regs[0], *byte)) < 0 ||
	    (r = SET(g, regs.regs[1], gpa)) < 0 ||
	    (r = SET(g, regs.regs[2], DEVICE)) < 0 ||
	    (r = SET(g, regs.pstate, PSTATE)) < 0 ||
	    (r = set(g, VBAR_EL1, CODE_GPA + VECTORS)) < 0 ||
	    (r = SET(g, regs.pc, pc)) < 0)
		return r;
	do {
		r = ioctl(g->vcpu, KVM_RUN, 0) < 0 ? -errno : 0;
	} while (r == -EINTR && signals--);
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

static int started(struct conform *c, int vm)
{
	int r = c->guest ? 0 : start(c, vm);

	/* an earlier access could not start it */
	return r < 0 ? r : c->guest->code ? 0 : -EBADF;
}

int guest_access(struct conform *c, int vm, uint64_t gpa, unsigned char *byte,
		 bool write)
{
	int r = started(c, vm);

	return r < 0 ? r
		     : run_at(c, CODE_GPA + (write ? sizeof(programs[0]) : 0),
			      gpa, byte, UINT_MAX);
}

int guest_run(struct conform *c, int vm, uint64_t gpa, unsigned char *code)
{
	unsigned char byte = 1;
	struct c_alarm was;
	int r = started(c, vm);

	if (r < 0)
		return r;
	memcpy(code, programs[1], sizeof(programs[1]));
	c_alarm(&was, TICK_US, TICK_US);
	r = run_at(c, gpa, gpa + sizeof(programs[1]), &byte, TICKS);
	c_alarm_end(&was);
	return r == -EINTR ? -EPROTO : r;
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
