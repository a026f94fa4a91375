/* SPDX-License-Identifier: MIT */
/* How much of a file is allocated. */
#ifndef GMEM_LIB_RESIDENT_H
#define GMEM_LIB_RESIDENT_H

#include <stdint.h>

#include <gmem.h>

/*
 * The first run of resident pages in [*@pos, @end): *@run bytes at *@pos, 0
 * if there is none.  Return: 0, or -errno of cachestat.
 */
int gmem__next_resident(const struct gmem *g, uint64_t *pos, uint64_t end,
			uint64_t *run);

/* It failed with @sys at @pos. */
int gmem__residency_unknown(int sys, uint64_t pos, struct gmem_error *err);

#endif
