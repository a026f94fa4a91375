/* SPDX-License-Identifier: MIT */
/* Where pages are. */
#ifndef GMEM_LIB_PLACEMENT_H
#define GMEM_LIB_PLACEMENT_H

#include <stdint.h>

#include <gmem.h>

/* Refuses a range with a resident page outside @p, or perhaps outside. */
int gmem__placed(struct gmem *g, uint64_t offset, uint64_t len,
		 const struct gmem_mempolicy *p, struct gmem_error *err);

#endif
