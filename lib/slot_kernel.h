/* SPDX-License-Identifier: MIT */
/* The ioctls that make and end a memory slot. */
#ifndef GMEM_LIB_SLOT_KERNEL_H
#define GMEM_LIB_SLOT_KERNEL_H

#include <gmem.h>

/* Makes the slot in the kernel; @fd is its file in fd mode. */
int gmem__slot_create(struct gmem_vm *vm, const struct gmem_slot *s, int fd);
/* A dead VM runs no guest any more: its slots count as deleted. */
int gmem__slot_delete(struct gmem_vm *vm, const struct gmem_slot *s);

#endif
