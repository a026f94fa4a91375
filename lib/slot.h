/* SPDX-License-Identifier: MIT */
/*
 * The table of the slots of a VM.  An entry is MAKING while the kernel is
 * asked, then LIVE; the call that ends it makes it GOING, with a ticket of its
 * range.  If the kernel refuses to delete it, it is STUCK: still in use by KVM,
 * and deleted at the next occasion.
 */
#ifndef GMEM_LIB_SLOT_H
#define GMEM_LIB_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gmem.h>

#include "tree.h"

/* What a call says of where huge pages are lost. */
#define GMEM__SLOT_LOST \
	(GMEM_SLOT_NO_HUGE | GMEM_SLOT_SMALL_START | GMEM_SLOT_SMALL_END)
#define GMEM__SLOT_V0 72 /* struct gmem_slot of the first release */

enum gmem__slot_state {
	GMEM__SLOT_MAKING, /* being bound */
	GMEM__SLOT_LIVE,
	GMEM__SLOT_GOING, /* being deleted or forgotten */
	GMEM__SLOT_STUCK, /* live: the kernel refused to delete it */
	GMEM__SLOT_LEFT,  /* deleted; its guest addresses have attributes */
};

struct gmem__slot_id {
	uint32_t slot, address_space;
};

static inline struct gmem__slot_id gmem__slot_id(const struct gmem_slot *s)
{
	return (struct gmem__slot_id){ s->slot, s->address_space };
}

/* Whether both have the same number in the same address space. */
static inline bool gmem__slot_same_id(const struct gmem_slot *a,
				      const struct gmem_slot *b)
{
	return a->slot == b->slot && a->address_space == b->address_space;
}

/* While in the table, and after that in the VM's .left by guest address. */
struct gmem__slot {
	struct gmem__node by_id;  /* in an address space */
	struct gmem__node by_gpa; /* in an address space */
	/* with .s.gmem: of a file in a mode, or of what is kept for it */
	struct gmem__node by_offset;
	struct gmem__node by_addr; /* of this process, where KVM reaches */
	struct gmem__slot *next_stuck, **prev_stuck; /* NULL: in no list */
	struct gmem__slot *aside; /* while gmem__slot_replace() tries */
	uint64_t serial;	  /* no other slot of the VM ever has it */
	uint64_t pass;		  /* when it was last tried to be deleted */
	struct gmem_slot s;
	uint64_t ino, dev; /* of a noted slot's .fd, to notice its close */
	enum gmem__slot_state state;
	bool reserved; /* .userspace_addr is in its file's reservation */
	/* while gmem_slots_replace() works */
	bool there; /* the kernel has it */
	bool lost;  /* its attributes could not be set again */
};

/* In the VM's .by_offset beside the two modes, by the lowest bits. */
static inline uint64_t gmem__kept_group(const struct gmem *g)
{
	return (uint64_t)(uintptr_t)g | 2;
}

/* The slot that has the node, or NULL; @at is its offsetof(). */
static inline struct gmem__slot *gmem__slot_of(struct gmem__node *n, size_t at)
{
	return n ? (struct gmem__slot *)(void *)((char *)n - at) : NULL;
}

/* Entries of any state but LEFT; with vm->lock held. */
struct gmem__slot *gmem__slot_find(struct gmem_vm *vm, struct gmem__slot_id id);
struct gmem__slot *gmem__slot_by_gpa(struct gmem_vm *vm, uint32_t address_space,
				     uint64_t gpa, uint64_t len);
/* Of @g in that mode, GMEM_SLOT_FD or _HVA: the first in the range of the file.
 */
struct gmem__slot *gmem__slot_by_offset(struct gmem_vm *vm,
					const struct gmem *g, uint64_t mode,
					uint64_t offset, uint64_t len);
/* The first that leads to one of these addresses of the process. */
struct gmem__slot *gmem__slot_by_addr(struct gmem_vm *vm, uint64_t addr,
				      uint64_t len);
/* The kernel no longer has it, although it is still in the table. */
void gmem__slot_deleted(struct gmem_vm *vm, struct gmem__slot *s);
struct gmem__slot *gmem__slot_first(struct gmem_vm *vm);
struct gmem__slot *gmem__slot_next(const struct gmem__slot *s);
/* Whether the guest has it, as far as the caller may rely on it. */
static inline bool gmem__slot_usable(const struct gmem__slot *s)
{
	return s->state == GMEM__SLOT_LIVE || s->state == GMEM__SLOT_STUCK;
}

/* GMEM__SLOT_LOST: where the guest gets no pages as large as those of @g. */
uint64_t gmem__slot_lost(const struct gmem *g, const struct gmem_slot *s);
/* Among the VM's stuck slots, or not; with vm->lock held. */
void gmem__slot_set_stuck(struct gmem_vm *vm, struct gmem__slot *s, bool stuck);
/* Into the table and out of it, with vm->lock held; its file counts it. */
void gmem__slot_put_in(struct gmem_vm *vm, struct gmem__slot *s);
void gmem__slot_take_out(struct gmem_vm *vm, struct gmem__slot *s);

#endif
