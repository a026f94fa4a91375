/* SPDX-License-Identifier: MIT */
/* Freeing memory, in steps and over several files. */
#ifndef GMEM_LIB_DISCARD_H
#define GMEM_LIB_DISCARD_H

#include <stdint.h>

#include <gmem.h>

/* One call for all of the range: 0 or -errno. */
int gmem__punch(const struct gmem *g, uint64_t offset, uint64_t len);
/*
 * Frees from *@pos on as much of what comes before @end as takes little time,
 * and moves *@pos behind it.  Both are whole pages of the file.
 */
int gmem__discard_step(const struct gmem *g, uint64_t *pos, uint64_t end,
		       struct gmem_error *err);

struct gmem__opts_type;
extern const struct gmem__opts_type gmem__discard_opts;

struct gmem__discard {
	struct gmem_discard_opts o;
	uint64_t done, total; /* of the whole call */
};

/* Frees whole pages of @g, of a region both sides; adds them to @d->done. */
int gmem__discard(const struct gmem *g, uint64_t offset, uint64_t len,
		  struct gmem__discard *d, struct gmem_error *err);

#endif
