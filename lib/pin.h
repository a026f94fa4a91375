/* SPDX-License-Identifier: MIT */
/* Threads that run where the memory is. */
#ifndef GMEM_LIB_PIN_H
#define GMEM_LIB_PIN_H

#include "ctx.h"
#include "room_text.h"

#define GMEM__CPUS 8192 /* the most that a kernel can have */

struct gmem__pin {
	const struct gmem__ctx *ctx;
	bool wanted;
	unsigned long cpus[GMEM__WORDS(GMEM__CPUS)];
};

/*
 * The processors of @policy's nodes on which the calling thread may run; none
 * without @policy, or where they cannot be found out.
 */
void gmem__pin_begin(struct gmem__pin *p, const struct gmem__ctx *ctx,
		     const struct gmem_mempolicy *policy);
/* Pins the calling thread to them, if there are any and the kernel allows. */
void gmem__pin_thread(const struct gmem__pin *p);

#endif
