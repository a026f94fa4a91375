/* SPDX-License-Identifier: MIT */
/* What is behind slots of a file that has no shared side. */
#ifndef GMEM_LIB_RESERVATION_H
#define GMEM_LIB_RESERVATION_H

#include <gmem.h>

/* One more slot in it; *@out: its first byte. */
int gmem__reservation_get(struct gmem *g, unsigned char **out,
			  struct gmem_error *err);
/* One slot less; with the last one that leads there it is unmapped. */
void gmem__reservation_put(struct gmem *g);

#endif
