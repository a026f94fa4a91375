// SPDX-License-Identifier: MIT
/* One access to guest memory: by a vCPU, or as the model makes it. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "guest.h"

#define CODE_SLOT 400

int guest_make(struct conform *c, int vm, uint64_t code_gpa)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct uapi_region r = { .slot = CODE_SLOT,
				 .guest_phys_addr = code_gpa,
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

/* @flags: GMEM_MODEL_* */
static int access_byte(struct conform *c, int vm, uint64_t gpa,
		       unsigned char *byte, uint32_t flags)
{
	bool write = flags & GMEM_MODEL_WRITE;
	int handle, own, r;

	if (!c->model)
		return flags & GMEM_MODEL_KVM
			       ? guest_kvm_access(c, vm, gpa, byte, write)
			       : guest_access(c, vm, gpa, byte, write);
	/* The case's VM has no handle: it borrows the descriptor of the one. */
	handle = gmem_vm_fd(c->model);
	own = fcntl(handle, F_DUPFD_CLOEXEC, 0);
	if (own < 0 || dup2(vm, handle) < 0)
		return -errno;
	r = gmem_model_access(c->model, gpa, byte, 1, flags, c->run,
			      sizeof(c->run), NULL);
	(void)dup2(own, handle);
	(void)close(own);
	return r == 0 && c_exit_reason(c) != KVM_EXIT_HLT ? -EPROTO : r;
}

int c_load(struct conform *c, int vm, uint64_t gpa, unsigned char *byte)
{
	return access_byte(c, vm, gpa, byte, 0);
}

int c_store(struct conform *c, int vm, uint64_t gpa, unsigned char byte)
{
	return access_byte(c, vm, gpa, &byte, GMEM_MODEL_WRITE);
}

int c_fetch(struct conform *c, int vm, uint64_t gpa, unsigned char *code)
{
	return guest_run(c, vm, gpa, code);
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
