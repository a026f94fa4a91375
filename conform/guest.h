/* SPDX-License-Identifier: MIT */
/* The vCPU of each architecture, which c->guest is once it was used. */
#ifndef CONFORM_GUEST_H
#define CONFORM_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conform;
struct kvm_run;

struct guest {
	int vm, vcpu;
	struct kvm_run *run;
	unsigned char *code; /* a page of its own; NULL: it did not start */
	size_t run_size;
};

/* Makes c->guest, with its page of code at @code_gpa: 0 or -errno. */
int guest_make(struct conform *c, int vm, uint64_t code_gpa);

/*
 * A byte from or to @gpa of @vm: 0, -errno of KVM_RUN, or -EPROTO where there
 * is no memory.  The exit is in c->run.
 */
int guest_access(struct conform *c, int vm, uint64_t gpa, unsigned char *byte,
		 bool write);
/*
 * Puts a program at @code, which is @gpa to the guest, and runs it there: 0 if
 * it came to its end, -EPROTO if not; -ENOSYS but on arm64.
 */
int guest_run(struct conform *c, int vm, uint64_t gpa, unsigned char *code);
/* An access by KVM itself, for the guest; -ENOSYS where it makes no such. */
int guest_kvm_access(struct conform *c, int vm, uint64_t gpa,
		     unsigned char *byte, bool write);

#endif
