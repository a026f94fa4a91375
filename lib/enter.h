/* SPDX-License-Identifier: MIT */
/* How each call begins: its handle, its options, its range. */
#ifndef GMEM_LIB_ENTER_H
#define GMEM_LIB_ENTER_H

#include <stdint.h>

#include <gmem.h>

struct gmem__opts_type;

/* Clears @err, refuses NULL and a handle of another process's. */
int gmem__vm_enter(const struct gmem_vm *vm, struct gmem_error *err);
int gmem__enter(const struct gmem *g, struct gmem_error *err);
/* The same, and then takes the options. */
int gmem__enter_opts(const struct gmem *g, const struct gmem__opts_type *type,
		     const void *opts, void *o, struct gmem_error *err);
/* Takes a slot of a file's, which gives the handle. */
int gmem__enter_slot(const struct gmem__opts_type *type,
		     const struct gmem_slot *slot, struct gmem_slot *s,
		     struct gmem_error *err);
/* [@offset, @offset + @len) is page aligned, not empty, inside the file. */
int gmem__range_check(const struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem_error *err);
/* The same in the file's own pages, which may be huge. */
int gmem__file_range_check(const struct gmem *g, uint64_t offset, uint64_t len,
			   struct gmem_error *err);
/* A file that was adopted without a VM has no slots. */
int gmem__need_vm(const struct gmem *g, struct gmem_error *err);

#endif
