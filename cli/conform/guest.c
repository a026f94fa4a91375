// SPDX-License-Identifier: MIT
/*
 * One guest access: by a real-mode vCPU of two instructions, or as the model
 * makes it.
 */
#include <string.h>

#include "conform.h"

#define EXIT_HLT 5

#ifdef __x86_64__
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CODE_GPA 0x1000
#define CODE_SLOT 400

struct guest {
	int vm, vcpu;
	unsigned char *run, *code;
	size_t run_size;
};

static int real_start(struct conform *c, int vm)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct gmem__region r = { .slot = CODE_SLOT,
				  .guest_phys_addr = CODE_GPA,
				  .memory_size = c->page };
	void *p;

	if (!g)
		return -ENOMEM;
	c->guest = g;
	g->vm = vm;
	g->vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	g->run_size = (size_t)ioctl(c->device, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (g->vcpu < 0)
		return -errno;
	p = mmap(NULL, g->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu,
		 0);
	if (p == MAP_FAILED)
		return -errno;
	g->run = p;
	p = mmap(NULL, c->page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	g->code = p;
	r.userspace_addr = (uintptr_t)p;
	return c_ioctl(c, vm, GMEM__KVM_SET_USER_MEMORY_REGION, &r);
}

void c_guest_end(struct conform *c)
{
	struct guest *g = c->guest;

	if (!g)
		return;
	(void)c_delete(c, g->vm, CODE_SLOT);
	if (g->run)
		(void)munmap(g->run, g->run_size);
	if (g->code)
		(void)munmap(g->code, c->page);
	if (g->vcpu >= 0)
		(void)close(g->vcpu);
	free(g);
	c->guest = NULL;
}

/* mov al, [bx] or mov [bx], al; hlt: ds reaches @gpa. */
static int real_access(struct conform *c, int vm, uint64_t gpa,
		       unsigned char *byte, bool write)
{
	struct kvm_regs regs = { .rip = CODE_GPA, .rflags = 2, .rax = *byte };
	struct kvm_sregs sregs;
	struct guest *g;
	int r = 0;

	if (!c->guest)
		r = real_start(c, vm);
	if (r < 0)
		return r;
	g = c->guest;
	if (!g->code) /* an earlier access could not start it */
		return -EBADF;
	memcpy(g->code, write ? "\x88\x07\xf4" : "\x8a\x07\xf4", 3);
	if (ioctl(g->vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.ds.base = gpa;
	if (ioctl(g->vcpu, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(g->vcpu, KVM_SET_REGS, &regs) < 0)
		return -errno;
	do {
		r = ioctl(g->vcpu, KVM_RUN, 0) < 0 ? -errno : 0;
	} while (r == -EINTR);
	memcpy(c->run, g->run, sizeof(c->run));
	if (r < 0 || c_exit_reason(c) != EXIT_HLT)
		return r < 0 ? r : -EPROTO;
	if (ioctl(g->vcpu, KVM_GET_REGS, &regs) < 0)
		return -errno;
	*byte = (unsigned char)regs.rax;
	return 0;
}
#else
void c_guest_end(struct conform *c)
{
	(void)c;
}

static int real_access(struct conform *c, int vm, uint64_t gpa,
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

static int access_byte(struct conform *c, int vm, uint64_t gpa,
		       unsigned char *byte, bool write)
{
	uint32_t flags = write ? GMEM_MODEL_WRITE : 0;
	int own, r;

	if (!c->model)
		return real_access(c, vm, gpa, byte, write);
	/* The case's VM was made without the library: borrow its handle. */
	own = gmem__vm_swap_fd(c->model, vm);
	r = gmem_model_access(c->model, gpa, byte, 1, flags, c->run,
			      sizeof(c->run), NULL);
	(void)gmem__vm_swap_fd(c->model, own);
	return r == 0 && c_exit_reason(c) != EXIT_HLT ? -EPROTO : r;
}

int c_load(struct conform *c, int vm, uint64_t gpa, unsigned char *byte)
{
	return access_byte(c, vm, gpa, byte, false);
}

int c_store(struct conform *c, int vm, uint64_t gpa, unsigned char byte)
{
	return access_byte(c, vm, gpa, &byte, true);
}

uint32_t c_exit_reason(const struct conform *c)
{
	uint32_t v;

	memcpy(&v, c->run + 8, sizeof(v));
	return v;
}

uint64_t c_exit_word(const struct conform *c, unsigned int at)
{
	uint64_t v;

	memcpy(&v, c->run + at, sizeof(v));
	return v;
}
