/* SPDX-License-Identifier: MIT */
/*
 * The guest of convert: a vCPU in real mode, or one of libgmem-model.  In a
 * sw-protected VM an access uses the current state of the page, so it never
 * faults to ask for another: the vCPU asks by hypercall first.  The model's
 * guest is one of an SNP VM, and faults.
 */
#ifndef CONVERT_VCPU_H
#define CONVERT_VCPU_H

#ifdef __x86_64__
#include <fcntl.h>
#include <sys/ioctl.h>

#define GUEST_STORE 0
#define GUEST_LOAD 12

/* KVM replaces vmmcall by vmcall where the processor needs that. */
static const unsigned char guest_code[] = {
	0x0f, 0x01, 0xd9, /*    vmmcall: the answer is in %eax */
	0x66, 0x85, 0xc0, /*    test %eax, %eax */
	0x75, 0x03,	  /*    jnz 1f */
	0x66, 0x89, 0x35, /*    mov %esi, (%di) */
	0xf4,		  /* 1: hlt */
	/* and the same with mov (%di), %esi */
	0x0f, 0x01, 0xd9, 0x66, 0x85, 0xc0, 0x75, 0x03, 0x66, 0x8b, 0x35, 0xf4
};

static int vcpu_start(struct machine *m)
{
	int kvm = open(GMEM_DEVICE, O_RDWR | O_CLOEXEC), vm, size, r = -1;
	struct kvm_sregs sregs;
	void *run;

	if (kvm < 0)
		return -1;
	vm = gmem_vm_fd(m->vm);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0 || (m->vcpu = ioctl(vm, KVM_CREATE_VCPU, 0)) < 0 ||
	    ioctl(m->vcpu, KVM_GET_SREGS, &sregs) < 0)
		goto out;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(m->vcpu, KVM_SET_SREGS, &sregs) < 0)
		goto out;
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	if (run == MAP_FAILED)
		goto out;
	m->run = run;
	m->run_size = size;
	r = 0;
out:
	(void)close(kvm);
	return r;
}

static int vcpu_run(struct machine *m, struct access *a)
{
	struct kvm_regs regs = {
		.rip = a->write ? GUEST_STORE : GUEST_LOAD,
		.rflags = 2,
		.rsi = a->value,
		.rdi = a->gpa,
		.rax = HC_MAP_GPA_RANGE,
		.rbx = a->gpa - a->gpa % m->page,
		.rcx = 1, /* page of 4 KiB */
		.rdx = a->private ? HC_PRIVATE : 0,
	};

	if (!a->begun && ioctl(m->vcpu, KVM_SET_REGS, &regs) < 0)
		return -errno;
	a->begun = true;
	if (ioctl(m->vcpu, KVM_RUN, 0) < 0 ||
	    ioctl(m->vcpu, KVM_GET_REGS, &regs) < 0)
		return -errno;
	a->value = (uint32_t)regs.rsi;
	return 0;
}

#else /* no VM type with private memory can run here */
static const unsigned char guest_code[1];

static int vcpu_start(struct machine *m)
{
	(void)m;
	errno = ENOSYS;
	return -1;
}

static int vcpu_run(struct machine *m, struct access *a)
{
	(void)m;
	(void)a;
	return -ENOSYS;
}
#endif

#define SNP 4 /* KVM's number of that VM type */

static int guest_vm(const char *profile, struct gmem_vm **vm,
		    struct gmem_error *err)
{
	struct gmem_vm_opts opts = {
		.sz = sizeof(opts),
		.type = profile ? GMEM_VM_SNP : GMEM_VM_SW_PROTECTED,
	};
	struct gmem_model_opts model = {
		.sz = sizeof(model),
		.vm = &opts,
		.vm_types = 1U << SNP,
	};

	return profile ? gmem_model_vm_open(profile, &model, vm, err)
		       : gmem_vm_open(&opts, vm, err);
}

static int guest_start(struct machine *m, bool model)
{
	static struct kvm_run of_model;

	if (model) {
		m->run = &of_model;
		m->run_size = sizeof(of_model);
		return 0;
	}
	if (vcpu_start(m) == 0)
		return 0;
	perror("convert: make a vCPU");
	return -1;
}

static void guest_stop(struct machine *m)
{
	if (m->vcpu < 0)
		return;
	if (m->run)
		munmap(m->run, m->run_size);
	close(m->vcpu);
}

/* Starts @a, or continues it.  Return: 0 or -errno, as KVM_RUN. */
static int guest_run(struct machine *m, struct access *a)
{
	uint32_t flags = (a->write ? GMEM_MODEL_WRITE : 0) |
			 (a->private ? GMEM_MODEL_PRIVATE : 0);

	if (m->vcpu >= 0)
		return vcpu_run(m, a);
	return gmem_model_access(m->vm, a->gpa, &a->value, sizeof(a->value),
				 flags, m->run, m->run_size, NULL);
}

/* A page in use, as by DMA, cannot become private in place. */
static int guest_pin(struct machine *m, uint64_t gpa, struct gmem_error *err)
{
	if (m->vcpu >= 0 || m->shared)
		return 0;
	return gmem_model_pin(m->vm, gmem_fd(m->file), gpa, m->page, err);
}

/* A real one ends by itself. */
static void guest_let_go(struct machine *m, uint64_t gpa)
{
	if (m->vcpu >= 0)
		usleep(10000);
	else
		(void)gmem_model_unpin(m->vm, gmem_fd(m->file), gpa, m->page,
				       NULL);
}

#endif
