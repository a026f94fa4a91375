/* SPDX-License-Identifier: MIT */
/* The handle of a VM. */
#ifndef GMEM_LIB_VM_H
#define GMEM_LIB_VM_H

#include <pthread.h>

#include "ctx.h"
#include "feature.h"
#include "tree.h"

/* VM ioctls and long walks go in steps of this many bytes. */
#define GMEM__STEP (1ULL << 30)

struct gmem_vm {
	struct gmem__ctx ctx;
	int fd;
	bool owns_fd;
	unsigned int ipa_bits;	/* as made here on arm64; 0 = not known */
	uint32_t encoding;	/* enum gmem_hugetlb_encoding */
	uint8_t reads_order;	/* enum gmem_support; asked if it matters */
	uint64_t hugetlb_sizes; /* that work: a bit each */
	int flags_cap;		/* KVM_CAP_GUEST_MEMFD_FLAGS: mask or -errno */
	uint32_t slot_limit;	/* ids below this; 0 = unknown */
	uint32_t address_spaces;
	bool readonly_slots;
	struct gmem__feature features[GMEM__FEATURES_MAX];
	pthread_mutex_t lock; /* all below; never held across the kernel */
	pthread_cond_t turn;  /* a ticket was given back */
	struct gmem__ticket *first_ticket; /* in the order they came */
	struct gmem__tree by_id, by_gpa, by_offset, by_addr; /* the slots */
	/* Slots that left attributes behind; those kept are by offset too. */
	struct gmem__tree left;
	struct gmem__slot *stuck;      /* slots the kernel refused to delete */
	struct gmem__slot **stuck_end; /* of that list, if it has any */
	uint64_t serial, pass;
	struct gmem *files;
};

static inline bool gmem__has(const struct gmem_vm *vm, enum gmem_feature f)
{
	return vm->features[f].support == GMEM_YES;
}

/* Whether guest pages can be private: by either of the two interfaces. */
static inline bool gmem__converts(const struct gmem_vm *vm)
{
	return gmem__has(vm, GMEM_FEATURE_VM_ATTRIBUTES) ||
	       gmem__has(vm, GMEM_FEATURE_FILE_ATTRIBUTES);
}

/* The same, counting what could not be found out as possible. */
static inline bool gmem__may_convert(const struct gmem_vm *vm)
{
	return vm->features[GMEM_FEATURE_VM_ATTRIBUTES].support != GMEM_NO ||
	       vm->features[GMEM_FEATURE_FILE_ATTRIBUTES].support != GMEM_NO;
}

int gmem__vm_adopt_on(const struct gmem_sys *sys, void *priv, int fd,
		      const struct gmem_vm_opts *opts, struct gmem_vm **out,
		      struct gmem_error *err);

#endif
