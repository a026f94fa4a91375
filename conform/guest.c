// SPDX-License-Identifier: MIT
/*
 * One access to guest memory: by a real-mode vCPU of two instructions, or as
 * the model makes it.  What KVM does for the guest is there an instruction
 * that moves a byte between memory and a port.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "case.h"

#define EXIT_IO 2
#define EXIT_HLT 5
#define EXIT_MMIO 6

static uint32_t exit_of(const unsigned char *run)
{
	uint32_t v;

	memcpy(&v, run + 8, sizeof(v));
	return v;
}

static uint64_t word_of(const unsigned char *run, size_t at)
{
	uint64_t v;

	memcpy(&v, run + at, sizeof(v));
	return v;
}

#ifdef __x86_64__
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define CODE_GPA 0x1000
#define CODE_SLOT 400
#define PORT 0x10	  /* of no device that KVM has */
#define IO_DATA_OFFSET 40 /* in struct kvm_run */
#define MMIO_DATA 40

struct guest {
	int vm, vcpu;
	unsigned char *run, *code;
	size_t run_size;
};

static int real_start(struct conform *c, int vm)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct uapi_region r = { .slot = CODE_SLOT,
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
	return c_ioctl(c, vm, UAPI_KVM_SET_USER_MEMORY_REGION, &r);
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

/* Has the vCPU run @code, with ds and es at @gpa; 0 or -errno. */
static int start(struct conform *c, int vm, uint64_t gpa, const char *code,
		 unsigned char byte)
{
	struct kvm_regs regs = {
		.rip = CODE_GPA, .rflags = 2, .rax = byte, .rdx = PORT
	};
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
	memcpy(g->code, code, strlen(code));
	if (ioctl(g->vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.ds.base = gpa;
	sregs.es.base = gpa;
	if (ioctl(g->vcpu, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(g->vcpu, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

/* 0 or -errno of KVM_RUN; the exit is left in struct kvm_run. */
static int run(const struct guest *g)
{
	int r;

	do {
		r = ioctl(g->vcpu, KVM_RUN, 0) < 0 ? -errno : 0;
	} while (r == -EINTR);
	return r;
}

static int real_access(struct conform *c, int vm, uint64_t gpa,
		       unsigned char *byte, bool write)
{
	/* mov [bx], al or mov al, [bx]; hlt */
	int r = start(c, vm, gpa, write ? "\x88\x07\xf4" : "\x8a\x07\xf4",
		      *byte);
	struct kvm_regs regs;

	if (r < 0)
		return r;
	r = run(c->guest);
	memcpy(c->run, c->guest->run, sizeof(c->run));
	if (r < 0 || c_exit_reason(c) != EXIT_HLT)
		return r < 0 ? r : -EPROTO;
	if (ioctl(c->guest->vcpu, KVM_GET_REGS, &regs) < 0)
		return -errno;
	*byte = (unsigned char)regs.rax;
	return 0;
}

/*
 * The byte goes through the port; where KVM exits for a device instead of
 * accessing memory, that exit is the result, and the device returns zeroes.
 */
static int real_kvm_access(struct conform *c, int vm, uint64_t gpa,
			   unsigned char *byte, bool write)
{
	/* insb or outsb; hlt */
	int r = start(c, vm, gpa, write ? "\x6c\xf4" : "\x6e\xf4", 0);
	unsigned char *port;
	bool device = false;
	struct guest *g;

	for (int exits = 0; r == 0 && exits < 8; exits++) {
		g = c->guest;
		r = run(g);
		if (!device)
			memcpy(c->run, g->run, sizeof(c->run));
		if (r < 0 || exit_of(g->run) == EXIT_HLT)
			break;
		if (exit_of(g->run) == EXIT_MMIO) {
			device = true;
			memset(g->run + MMIO_DATA, 0, 8);
			continue;
		}
		if (exit_of(g->run) != EXIT_IO)
			return -EPROTO;
		port = g->run + word_of(g->run, IO_DATA_OFFSET);
		if (write)
			*port = *byte;
		else
			*byte = *port;
	}
	return r < 0 ? r : device ? -EPROTO : 0;
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

static int real_kvm_access(struct conform *c, int vm, uint64_t gpa,
			   unsigned char *byte, bool write)
{
	return real_access(c, vm, gpa, byte, write);
}
#endif

/* @flags: GMEM_MODEL_* */
static int access_byte(struct conform *c, int vm, uint64_t gpa,
		       unsigned char *byte, uint32_t flags)
{
	bool write = flags & GMEM_MODEL_WRITE;
	int handle, own, r;

	if (!c->model)
		return flags & GMEM_MODEL_KVM
			       ? real_kvm_access(c, vm, gpa, byte, write)
			       : real_access(c, vm, gpa, byte, write);
	/* The case's VM has no handle: it borrows the descriptor of the one. */
	handle = gmem_vm_fd(c->model);
	own = fcntl(handle, F_DUPFD_CLOEXEC, 0);
	if (own < 0 || dup2(vm, handle) < 0)
		return -errno;
	r = gmem_model_access(c->model, gpa, byte, 1, flags, c->run,
			      sizeof(c->run), NULL);
	(void)dup2(own, handle);
	(void)close(own);
	return r == 0 && c_exit_reason(c) != EXIT_HLT ? -EPROTO : r;
}

int c_load(struct conform *c, int vm, uint64_t gpa, unsigned char *byte)
{
	return access_byte(c, vm, gpa, byte, 0);
}

int c_store(struct conform *c, int vm, uint64_t gpa, unsigned char byte)
{
	return access_byte(c, vm, gpa, &byte, GMEM_MODEL_WRITE);
}

int c_kvm_load(struct conform *c, int vm, uint64_t gpa, unsigned char *byte)
{
	return access_byte(c, vm, gpa, byte, GMEM_MODEL_KVM);
}

int c_kvm_store(struct conform *c, int vm, uint64_t gpa, unsigned char byte)
{
	return access_byte(c, vm, gpa, &byte,
			   GMEM_MODEL_KVM | GMEM_MODEL_WRITE);
}

uint32_t c_exit_reason(const struct conform *c)
{
	return exit_of(c->run);
}

uint64_t c_exit_word(const struct conform *c, unsigned int at)
{
	return word_of(c->run, at);
}
