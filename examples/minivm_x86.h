/* SPDX-License-Identifier: MIT */
/*
 * The x86-64 half of minivm: the guest's program and how its vCPU starts.
 * The vCPU stays in real mode; the port needs no device behind it.  All
 * addresses of the program are relative to a base, that of its segments.
 */
#ifndef MINIVM_X86_H
#define MINIVM_X86_H

#define GUEST_CODE 0x1000
#define GUEST_TEXT 0x2000
#define GUEST_RESULT 0x3000
#define GUEST_PORT 0x3f8

static const unsigned char guest_code[] = {
	0xbe, 0x00, 0x20,	      /*    mov $GUEST_TEXT, %si */
	0xba, 0xf8, 0x03,	      /*    mov $GUEST_PORT, %dx */
	0x66, 0x31, 0xc9,	      /*    xor %ecx, %ecx */
	0xac,			      /* 1: lodsb */
	0x84, 0xc0,		      /*    test %al, %al */
	0x74, 0x05,		      /*    jz 2f */
	0xee,			      /*    out %al, (%dx) */
	0x66, 0x41,		      /*    inc %ecx */
	0xeb, 0xf6,		      /*    jmp 1b */
	0x66, 0x89, 0x0e, 0x00, 0x30, /* 2: mov %ecx, GUEST_RESULT */
	0xf4,			      /*    hlt */
};

static int vcpu_start(int vm, int vcpu, unsigned long long base)
{
	struct kvm_regs regs = { .rip = GUEST_CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	(void)vm;
	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -1;
	sregs.cs.base = base;
	sregs.cs.selector = 0;
	sregs.ds.base = base;
	sregs.ds.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0)
		return -1;
	return ioctl(vcpu, KVM_SET_REGS, &regs);
}

/* The character that the guest printed, GUEST_DONE or GUEST_LOST. */
static int guest_exit(const struct kvm_run *run)
{
	if (run->exit_reason == KVM_EXIT_HLT)
		return GUEST_DONE;
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != GUEST_PORT)
		return GUEST_LOST;
	return ((const unsigned char *)run)[run->io.data_offset];
}

#endif
