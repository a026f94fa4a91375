/* SPDX-License-Identifier: MIT */
#ifndef GMEMCTL_TARGET_LOAD_H
#define GMEMCTL_TARGET_LOAD_H

#include <stdint.h>

#include <gmem.h>

/*
 * gmem_load() of all of @fd, which must fit: if @opts say UNTIL_EOF, input
 * beyond @len is an error too.
 */
int load_all(struct gmem *g, uint64_t offset, uint64_t len, int fd,
	     const struct gmem_load_opts *opts, struct gmem_error *err);

#endif
