/* SPDX-License-Identifier: MIT */
/* Copies between host and guest memory. */
#ifndef GMEM_LIB_COPY_H
#define GMEM_LIB_COPY_H

#include <stdint.h>

#include <gmem.h>

/* A byte range of a mappable file: no alignment, @len may be 0. */
int gmem__copy_check(const struct gmem *g, uint64_t offset, uint64_t len,
		     struct gmem_error *err);

#endif
