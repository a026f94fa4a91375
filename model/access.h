/* SPDX-License-Identifier: MIT */
/* A guest access under way. */
#ifndef GMEM_MODEL_ACCESS_H
#define GMEM_MODEL_ACCESS_H

#include "model.h"

struct access {
	struct kernel *k;
	struct vm *vm;
	uint64_t gpa;
	unsigned char *buf;
	size_t left;
	bool write, private;
	bool kvm;	    /* KVM's own, not the guest's */
	bool stopped;	    /* an exit other than a fault */
	unsigned char *run; /* struct kvm_run, or NULL */
	size_t run_size;
};

/* 0 or -errno of KVM_RUN; .left says how far it came. */
int model__access(struct access *a);

#endif
