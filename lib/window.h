/* SPDX-License-Identifier: MIT */
/*
 * Parts of a file that are mapped for as long as one call looks at them, and
 * the only owner of what such a mapping leaves behind.
 */
#ifndef GMEM_LIB_WINDOW_H
#define GMEM_LIB_WINDOW_H

#include <stdint.h>

#include "ctx.h"

/* The most that is mapped at once: under mlockall(2) it is all allocated. */
#define GMEM__WINDOW (64ULL << 20)

struct gmem__window {
	unsigned char *addr; /* of .offset in the file */
	uint64_t offset, len;
	struct gmem__map *map; /* NULL: it is part of the file's view */
};

/*
 * The first bytes, at least one, of [@offset, @offset + @len) to be touched
 * at @w->addr: in the file's view if there is one, else mapped.
 */
int gmem__window_open(struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem__window *w);
/*
 * For bytes that follow each other: @w stays as it is if @offset is in it, and
 * is closed and opened again if not.  Its .len is 0 at first.
 */
int gmem__window_next(struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem__window *w);
/* Pages, in a mapping of its own with @prot; all of @len. */
int gmem__window_map(struct gmem *g, uint64_t offset, uint64_t len, int prot,
		     struct gmem__window *w);
/* Addresses that nobody can touch, in the same way. */
int gmem__window_reserve(struct gmem *g, uint64_t len, struct gmem__window *w);
/*
 * Keeps @m from forked children, where KVM's accesses through it would not be
 * seen, and from core dumps: 0 or -errno.
 */
int gmem__window_guard(const struct gmem__ctx *ctx, const struct gmem__map *m,
		       int prot);
/* What cannot be unmapped is kept and tried again by the next call. */
void gmem__window_close(struct gmem *g, struct gmem__window *w);
/* mmap(2) refused a window. */
int gmem__window_failed(int sys, struct gmem_error *err);

#endif
