/* SPDX-License-Identifier: MIT */
/* The caller's descriptor that guest memory is read from or written to. */
#ifndef GMEM_LIB_FD_H
#define GMEM_LIB_FD_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

#include "ctx.h"

/* So many faults in a row, and no bad page to be found, are a failure. */
#define GMEM__FAULTS 16

struct gmem__fd {
	const struct gmem__ctx *ctx;
	int fd;
	bool output;	   /* it is written, otherwise read */
	bool socket;	   /* a stream, too */
	bool regular;	   /* a file, as long as what is written to it */
	bool offsets;	   /* it is used by them, otherwise as a stream */
	uint64_t start;	   /* the offset of the first byte */
	uint64_t position; /* the file position before the call */
	uint64_t size;	   /* of a regular file, before the call */
};

/*
 * Finds out what f->fd, with f->ctx and f->output, is.  It begins at *@at,
 * which a stream refuses, or, if that is NULL, at its file position.
 */
int gmem__fd_begin(struct gmem__fd *f, const uint64_t *at,
		   struct gmem_error *err);
/* Moves the file position of one with offsets to @position; 0 or -errno. */
int gmem__fd_seek(const struct gmem__fd *f, uint64_t position);
/* It cannot be read or written. */
int gmem__fd_failed(const struct gmem__fd *f, int sys, struct gmem_error *err);

#endif
