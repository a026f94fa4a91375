/* SPDX-License-Identifier: MIT */
/* Freeing memory in steps. */
#ifndef GMEM_LIB_DISCARD_H
#define GMEM_LIB_DISCARD_H

#include <stdint.h>

#include <gmem.h>

/*
 * Frees from *@pos on as much of what comes before @end as takes little time,
 * and moves *@pos behind it.  Both are whole pages of the file.
 */
int gmem__discard_step(const struct gmem *g, uint64_t *pos, uint64_t end,
		       struct gmem_error *err);

#endif
