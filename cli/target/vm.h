/* SPDX-License-Identifier: MIT */
/* The VMs that commands make. */
#ifndef GMEMCTL_TARGET_VM_H
#define GMEMCTL_TARGET_VM_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

#include "target/model.h"

struct ctl;

/* What they are made on: the values of common options. */
struct kvm {
	const char *device;	      /* --device */
	struct model model;	      /* --model */
	const char *hugetlb_encoding; /* --hugetlb-encoding, or NULL */
	bool verbose;		      /* --verbose */
};

/* The path of the KVM device. */
const char *vm_device(const struct ctl *ctl);
/* The type that --vm-type names; NULL: the default. */
uint32_t vm_type_of(const char *name);
/* Makes a VM of @type; fills @err on failure. */
int vm_open(const struct ctl *ctl, uint32_t type, struct gmem_vm **out,
	    struct gmem_error *err);
/* The same for a command with one VM.  Return: 0, or the exit status. */
int vm_start(struct ctl *ctl, const char *type_name, struct gmem_vm **out);
/* Ends a command whose vm_open() failed: says which right is missing. */
int vm_failed(struct ctl *ctl, const struct gmem_error *err);
/* "fd" or "hva": the mode of a slot that was made. */
const char *slot_mode(const struct gmem_slot *slot);

#endif
