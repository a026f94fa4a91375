// SPDX-License-Identifier: MIT
/* How a process reaches the kernel, and how it notices that it has forked. */
#include <sys/mman.h>

#include "call.h"
#include "ctx.h"
#include "error.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18 /* 4.14 */
#endif

#define COOKIE 0x676d656d2d6c6962ULL

int gmem__ctx_init(struct gmem__ctx *ctx, const struct gmem_sys *sys,
		   void *priv, const struct gmem_vm_opts *opts,
		   struct gmem_error *err)
{
	void *page;
	int r;

	ctx->sys = sys;
	ctx->priv = priv;
	ctx->trace = opts ? opts->trace : NULL;
	ctx->trace_arg = opts ? opts->trace_arg : NULL;
	ctx->page_size = sys->page_size(priv);
	ctx->arm64 = sys->is_arm64(priv);
	r = gmem__mmap(ctx, &page, ctx->page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r < 0)
		return gmem__fail_map(err, r, ctx->page_size,
				      "mapping the fork cookie");
	r = gmem__madvise(ctx, page, ctx->page_size, MADV_WIPEONFORK);
	if (r < 0) {
		(void)gmem__munmap(ctx, page, ctx->page_size);
		return gmem__fail_call(err, r, "MADV_WIPEONFORK");
	}
	*(uint64_t *)page = COOKIE;
	ctx->cookie = page;
	return 0;
}

/* A callback of this call may still use the handle. */
int gmem__ctx_fini(struct gmem__ctx *ctx)
{
	static const uint64_t gone;
	const volatile uint64_t *page = ctx->cookie;
	int r;

	if (page == &gone)
		return 0;
	ctx->cookie = &gone;
	r = gmem__munmap(ctx, (void *)(uintptr_t)page, ctx->page_size);
	if (r < 0)
		ctx->cookie = page;
	return r;
}

int gmem__ctx_check(const struct gmem__ctx *ctx, struct gmem_error *err)
{
	if (!gmem__ctx_forked(ctx))
		return 0;
	return gmem__fail(err, GMEM_REASON_WRONG_PROCESS, 0, 0,
			  "the handle belongs to the process that made it, "
			  "and this is a forked child");
}
