/* SPDX-License-Identifier: MIT */
/*
 * A vCPU that makes one access at a time, so that a test can say what the
 * guest does.  x86-64, real mode: addresses below 64 KiB.
 */
#ifndef GMEM_TESTS_VM_VCPU_H
#define GMEM_TESTS_VM_VCPU_H

#include "live.h"

#define VCPU_EXIT_HYPERCALL 3

/* Writes the instructions to @ram, which is at guest address 0. */
void vcpu_copy(unsigned char *ram);

/*
 * Each lets the guest of l->vm do one thing.
 * Return: 0 done, -errno of KVM_RUN, or the exit reason where it stopped.
 */
int vcpu_store(struct live *l, uint64_t gpa, uint32_t value);
int vcpu_load(struct live *l, uint64_t gpa, uint32_t *value);
/* KVM_HC_MAP_GPA_RANGE of @pages of 4 KiB */
int vcpu_map_gpa_range(struct live *l, uint64_t gpa, uint64_t pages,
		       bool private);
/* The same with any third argument. */
int vcpu_call(struct live *l, uint64_t gpa, uint64_t pages, uint32_t bits);
/* Continues after a stop. */
int vcpu_continue(struct live *l);

/* What the guest got from its hypercall. */
int32_t vcpu_answer(const struct live *l);
/* Whether KVM_RUN is to return -EINTR at once. */
void vcpu_interrupt(struct live *l, bool yes);
uint32_t vcpu_exit_reason(const struct live *l);

struct vcpu_hypercall { /* kvm_run.hypercall */
	uint64_t nr;
	uint64_t args[6];
	uint64_t ret;
	uint64_t flags;
};
struct vcpu_hypercall *vcpu_hypercall(struct live *l);

/* KVM_PRE_FAULT_MEMORY of a range, which becomes what is left of it. */
int vcpu_pre_fault(struct live *l, uint64_t *gpa, uint64_t *size);

#endif
