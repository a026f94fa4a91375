/* SPDX-License-Identifier: MIT */
/*
 * The arm64 half of minivm: the guest's program and how its vCPU starts.
 * The MMU stays off.  A store to GUEST_DEVICE, which has no memory, is an exit
 * to the host; a NUL there says that the guest is done.  The other addresses of
 * the program are relative to a base, by its program counter.
 */
#ifndef MINIVM_ARM64_H
#define MINIVM_ARM64_H

#define GUEST_CODE 0x10000
#define GUEST_TEXT 0x20000
#define GUEST_RESULT 0x30000
#define GUEST_DEVICE 0x1000000

static const unsigned int guest_code[] = {
	0x10080001, /*    adr  x1, GUEST_TEXT */
	0xd2a02002, /*    mov  x2, #GUEST_DEVICE */
	0x52800003, /*    mov  w3, #0 */
	0x38636820, /* 1: ldrb w0, [x1, x3] */
	0x34000080, /*    cbz  w0, 2f */
	0x39000040, /*    strb w0, [x2] */
	0x11000463, /*    add  w3, w3, #1 */
	0x17fffffc, /*    b    1b */
	0x100fff01, /* 2: adr  x1, GUEST_RESULT */
	0xb9000023, /*    str  w3, [x1] */
	0x3900005f, /*    strb wzr, [x2] */
	0x14000000, /*    b    . */
};

static int vcpu_start(int vm, int vcpu, unsigned long long base)
{
	struct kvm_vcpu_init init;
	unsigned long long pc = base + GUEST_CODE;
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      KVM_REG_ARM_CORE_REG(regs.pc),
		.addr = (unsigned long)&pc,
	};

	if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) < 0 ||
	    ioctl(vcpu, KVM_ARM_VCPU_INIT, &init) < 0)
		return -1;
	return ioctl(vcpu, KVM_SET_ONE_REG, &reg);
}

/* The character that the guest printed, GUEST_DONE or GUEST_LOST. */
static int guest_exit(const struct kvm_run *run)
{
	if (run->exit_reason != KVM_EXIT_MMIO || !run->mmio.is_write ||
	    run->mmio.phys_addr != GUEST_DEVICE)
		return GUEST_LOST;
	return run->mmio.data[0] ? run->mmio.data[0] : GUEST_DONE;
}

#endif
