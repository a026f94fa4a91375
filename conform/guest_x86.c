// SPDX-License-Identifier: MIT
/*
 * A real-mode vCPU of two instructions.  What KVM does for the guest is there
 * an instruction that moves a byte between memory and a port.
 */
#ifdef __x86_64__
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "case.h"
#include "guest.h"

#define CODE_GPA 0x1000
#define PORT 0x10 /* of no device that KVM has */

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
		r = guest_make(c, vm, CODE_GPA);
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

int guest_access(struct conform *c, int vm, uint64_t gpa, unsigned char *byte,
		 bool write)
{
	/* mov [bx], al or mov al, [bx]; hlt */
	int r = start(c, vm, gpa, write ? "\x88\x07\xf4" : "\x8a\x07\xf4",
		      *byte);
	struct kvm_regs regs;

	if (r < 0)
		return r;
	r = run(c->guest);
	memcpy(c->run, c->guest->run, sizeof(c->run));
	if (r < 0 || c_exit_reason(c) != KVM_EXIT_HLT)
		return r < 0 ? r : -EPROTO;
	if (ioctl(c->guest->vcpu, KVM_GET_REGS, &regs) < 0)
		return -errno;
	*byte = (unsigned char)regs.rax;
	return 0;
}

int guest_run(struct conform *c, int vm, uint64_t gpa, unsigned char *code)
{
	(void)c;
	(void)vm;
	(void)gpa;
	(void)code;
	return -ENOSYS;
}

/*
 * The byte goes through the port; where KVM exits for a device instead of
 * accessing memory, that exit is the result, and the device returns zeroes.
 */
int guest_kvm_access(struct conform *c, int vm, uint64_t gpa,
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
		if (r < 0 || g->run->exit_reason == KVM_EXIT_HLT)
			break;
		if (g->run->exit_reason == KVM_EXIT_MMIO) {
			device = true;
			memset(g->run->mmio.data, 0, 8);
			continue;
		}
		if (g->run->exit_reason != KVM_EXIT_IO)
			return -EPROTO;
		port = (unsigned char *)g->run + g->run->io.data_offset;
		if (write)
			*port = *byte;
		else
			*byte = *port;
	}
	return r < 0 ? r : device ? -EPROTO : 0;
}
#endif
