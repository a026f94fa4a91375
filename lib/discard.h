/* SPDX-License-Identifier: MIT */
/* Freeing memory of files, in one call that may be of several. */
#ifndef GMEM_LIB_DISCARD_H
#define GMEM_LIB_DISCARD_H

#include <stdint.h>

#include <gmem.h>

struct gmem__opts_type;
extern const struct gmem__opts_type gmem__discard_opts;

struct gmem__discard {
	struct gmem_discard_opts o;
	uint64_t done, total; /* of the whole call */
};

/* Frees whole pages of @g, and adds them to @d->done. */
int gmem__discard(const struct gmem *g, uint64_t offset, uint64_t len,
		  struct gmem__discard *d, struct gmem_error *err);

#endif
