/* SPDX-License-Identifier: MIT */
/* The handle of a guest_memfd, for the two calls that make one. */
#ifndef GMEM_LIB_FILE_H
#define GMEM_LIB_FILE_H

#include "internal.h"

/* A handle without its descriptor; with a record if it @converts. */
int gmem__file_alloc(struct gmem__ctx *ctx, struct gmem_vm *vm, uint64_t size,
		     bool converts, struct gmem **out, struct gmem_error *err);
void gmem__file_free(struct gmem *g);
/* The VM's list of files; linking with its lock held. */
void gmem__file_link(struct gmem *g);
void gmem__file_unlink(struct gmem *g);
/* .fd and .flags are set: the first state of its pages, the VM's list. */
void gmem__file_start(struct gmem *g);
/*
 * Removes the handle's mappings; on failure it is as before, and what could
 * not be removed is tried again by the next call.
 */
int gmem__file_unmap(struct gmem *g, struct gmem_error *err);
/* Closes and frees a handle that was unmapped and is in no list any more. */
void gmem__file_release(struct gmem *g);

#endif
