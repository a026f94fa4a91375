/* SPDX-License-Identifier: MIT */
/* Mappings at addresses that the caller has reserved. */
#ifndef GMEM_LIB_FIXED_H
#define GMEM_LIB_FIXED_H

#include <stdint.h>

#include <gmem.h>

struct gmem__map;

/* Whether the process can have something there. */
bool gmem__addr_usable(const struct gmem__ctx *ctx, uint64_t addr,
		       uint64_t len);
/*
 * Maps [@offset, @offset + @len) at @addr, for the caller alone: *@out is busy
 * until gmem__fixed_ready() or _drop().
 */
int gmem__fixed_map(struct gmem *g, uint64_t offset, uint64_t len, int prot,
		    void *addr, struct gmem__map **out, struct gmem_error *err);
void gmem__fixed_ready(struct gmem *g, struct gmem__map *m);
/* Puts the reservation back; if that fails, it is owed, and @err says so. */
void gmem__fixed_drop(struct gmem *g, struct gmem__map *m,
		      struct gmem_error *err);
/* The same of a busy mapping; 0, or -errno and it is as it was. */
int gmem__fixed_end(struct gmem *g, struct gmem__map *m);
/* The system calls of that alone: 0 or -errno. */
int gmem__fixed_put_back(const struct gmem__ctx *ctx, struct gmem__map *m);
/* Tries again with what is owed of that range. */
void gmem__fixed_retry(struct gmem *g, uint64_t addr, uint64_t len);

#endif
