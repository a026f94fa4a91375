// SPDX-License-Identifier: MIT
/* coco-vmm: the guest on KVM, a program in real mode. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "coco.h"

#ifdef __x86_64__
/*
 * %edi is the number of the vCPU, %esi the state of a generator, %ebp counts.
 * A step takes a page, has it converted by hypercall (KVM replaces vmmcall by
 * vmcall where the processor needs that), stores to it, and at times gives it
 * to the balloon.  %eax is 0 at the end if all was as expected.
 */
/* clang-format off */
__asm__(".pushsection .rodata\n"
	".code16\n"
	".globl coco_guest, coco_guest_verify, coco_guest_end\n"
	"coco_guest:\n"
	"1:	imull	$1664525, %esi, %esi\n"
	"	addl	$1013904223, %esi\n"
	"	movl	%esi, %ebx\n"
	"	shrl	$24, %ebx\n"
	"	cmpl	$16, %ebx\n"
	"	jb	1b\n"
	"	testl	$2, %ebx\n"		/* common */
	"	jnz	2f\n"
	"	movl	%ebx, %eax\n"
	"	xorl	%edi, %eax\n"
	"	testl	$1, %eax\n"		/* the other's */
	"	jnz	1b\n"
	"2:	movl	%ebx, %eax\n"
	"	shll	$8, %eax\n"
	"	movw	%ax, %ds\n"
	"	shll	$12, %ebx\n"
	"	movl	$1, %ecx\n"
	"	movl	%esi, %edx\n"
	"	shrl	$8, %edx\n"
	"	andl	$0x10, %edx\n"
	"	movl	$12, %eax\n"
	"	vmmcall\n"
	"	testl	%eax, %eax\n"
	"	jnz	9f\n"
	"	testl	$0x2000, %ebx\n"
	"	jnz	3f\n"
	"	movl	%esi, 0\n"
	"	cmpl	%esi, 0\n"
	"	jne	9f\n"
	"	testl	$0xf000, %esi\n"
	"	jnz	3f\n"
	"	movl	%ebx, %eax\n"
	"	outl	%eax, $0x21\n"
	"	cmpl	$0, 0\n"
	"	jne	9f\n"
	"3:	movl	0, %eax\n"
	"	decl	%ebp\n"
	"	jnz	1b\n"
	"	xorl	%eax, %eax\n"
	"	hlt\n"
	"9:	movl	$1, %eax\n"
	"	hlt\n"
	"coco_guest_verify:\n"
	"	movl	$0x1000, %ebx\n"	/* the segment of page 16 */
	"4:	movw	%bx, %ds\n"
	"	movl	0, %eax\n"
	"	movl	%eax, 0\n"
	"	outl	%eax, $0x22\n"
	"	addl	$0x100, %ebx\n"
	"	cmpl	$0x10000, %ebx\n"
	"	jb	4b\n"
	"	xorl	%eax, %eax\n"
	"	hlt\n"
	"coco_guest_end:\n"
	".code64\n"
	".popsection\n");
/* clang-format on */
extern const unsigned char coco_guest[], coco_guest_verify[], coco_guest_end[];

static int kvm_open(struct vcpu *v)
{
	int kvm = open(GMEM_DEVICE, O_RDWR | O_CLOEXEC);
	void *run;

	if (kvm < 0)
		return sys_failed(GMEM_DEVICE);
	v->run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	close(kvm);
	v->fd = ioctl(gmem_vm_fd(v->m->vm), KVM_CREATE_VCPU, v->id);
	if (v->run_size < 0 || v->fd < 0)
		return sys_failed("make a vCPU");
	run = mmap(NULL, v->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd,
		   0);
	if (run == MAP_FAILED)
		return sys_failed("map a vCPU");
	v->run = run;
	return 0;
}

static int kvm_start(struct vcpu *v)
{
	struct kvm_regs regs = {
		.rip = v->verify ? coco_guest_verify - coco_guest : 0,
		.rflags = 2,
		.rdi = v->id,
		.rsi = v->seed,
		.rbp = v->m->steps,
	};
	struct kvm_sregs sregs;

	if (ioctl(v->fd, KVM_GET_SREGS, &sregs) < 0)
		return sys_failed("start a vCPU");
	sregs.cs.base = sregs.ds.base = 0;
	sregs.cs.selector = sregs.ds.selector = 0;
	if (ioctl(v->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(v->fd, KVM_SET_REGS, &regs) < 0)
		return sys_failed("start a vCPU");
	return 0;
}

static int kvm_run(struct vcpu *v)
{
	struct kvm_regs regs;

	if (ioctl(v->fd, KVM_RUN, 0) < 0)
		return -1;
	if (v->run->exit_reason != KVM_EXIT_HLT)
		return 0;
	/* Its own verdict: a page was not as it had left it. */
	if (ioctl(v->fd, KVM_GET_REGS, &regs) < 0)
		return -1;
	errno = EILSEQ;
	return (uint32_t)regs.rax ? -1 : 0;
}

static void kvm_close(struct vcpu *v)
{
	if (v->run)
		munmap(v->run, v->run_size);
	if (v->fd >= 0)
		close(v->fd);
}

const struct guest guest_kvm = {
	.open = kvm_open,
	.start = kvm_start,
	.run = kvm_run,
	.close = kvm_close,
	.program = coco_guest,
	.program_end = coco_guest_end,
};

#else /* no VM type with private memory can run here */

static int kvm_none(struct vcpu *v)
{
	(void)v;
	errno = ENOSYS;
	return sys_failed("make a vCPU");
}

static void kvm_close(struct vcpu *v)
{
	(void)v;
}

const struct guest guest_kvm = {
	.open = kvm_none,
	.start = kvm_none,
	.run = kvm_none,
	.close = kvm_close,
};
#endif
