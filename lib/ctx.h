/* SPDX-License-Identifier: MIT */
/*
 * How this process reaches the kernel: shared by a VM and its files, or a
 * file's own where there is no VM.
 */
#ifndef GMEM_LIB_CTX_H
#define GMEM_LIB_CTX_H

#include <stdbool.h>

#include <gmem.h>

#include "sys.h"

struct gmem__ctx {
	const struct gmem_sys *sys;
	void *priv;
	gmem_trace_fn *trace;
	void *trace_arg;
	uint64_t page_size;
	const volatile uint64_t *cookie; /* wiped in a forked child */
	bool arm64;
};

int gmem__ctx_init(struct gmem__ctx *ctx, const struct gmem_sys *sys,
		   void *priv, const struct gmem_vm_opts *opts,
		   struct gmem_error *err);
/* 0, also when done already; or -errno and @ctx is as before. */
int gmem__ctx_fini(struct gmem__ctx *ctx);
/* 0, or -EIO with WRONG_PROCESS in a forked child. */
int gmem__ctx_check(const struct gmem__ctx *ctx, struct gmem_error *err);
static inline bool gmem__ctx_forked(const struct gmem__ctx *ctx)
{
	return *ctx->cookie == 0;
}

static inline void *gmem__alloc(const struct gmem__ctx *ctx, size_t len)
{
	return ctx->sys->alloc(ctx->priv, len);
}

static inline void gmem__free(const struct gmem__ctx *ctx, void *p)
{
	ctx->sys->free(ctx->priv, p);
}

#endif
