// SPDX-License-Identifier: MIT
/* The handle of a guest_memfd: its life, what it starts as, its getters. */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "call.h"
#include "callback.h"
#include "error.h"
#include "file.h"
#include "fixed.h"
#include "kept.h"
#include "lock.h"
#include "map.h"
#include "region.h"
#include "slot_end.h"
#include "ticket.h"
#include "vm.h"

/* A handle without its descriptor; the record where something can convert. */
int gmem__file_alloc(struct gmem__ctx *ctx, struct gmem_vm *vm, uint64_t size,
		     bool converts, struct gmem **out, struct gmem_error *err)
{
	struct gmem *g = gmem__alloc(ctx, sizeof(*g));
	int r;

	if (!g)
		return gmem__fail_call(err, -ENOMEM, "allocating the handle");
	g->ctx = ctx;
	g->vm = vm;
	g->fd = -1;
	g->size = size;
	g->page_size = ctx->page_size;
	if (converts) {
		g->record_len = gmem__record_bytes(size, ctx->page_size);
		r = g->record_len
			    ? gmem__mmap(ctx, &g->record_mem, g->record_len,
					 PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS |
						 MAP_NORESERVE,
					 -1, 0)
			    : -ENOMEM;
		if (r < 0) {
			r = gmem__fail_map(err, r, g->record_len,
					   "mapping the attribute record");
			gmem__free(ctx, g);
			return r;
		}
		gmem__record_init(&g->record, g->record_mem, size,
				  ctx->page_size);
	}
	(void)pthread_mutex_init(&g->lock, NULL);
	*out = g;
	return 0;
}

/* 0, or -errno and it is as before. */
static int record_end(struct gmem *g)
{
	uint16_t *blocks = g->record.blocks;
	void *mem = g->record_mem;
	int r;

	if (!mem)
		return 0;
	/* A callback, or a forked child, may still look at the handle. */
	g->record.blocks = NULL;
	g->record_mem = NULL;
	r = gmem__munmap(g->ctx, mem, g->record_len);
	if (r < 0) {
		g->record_mem = mem;
		g->record.blocks = blocks;
	}
	return r;
}

void gmem__file_free(struct gmem *g)
{
	const struct gmem__ctx *ctx = g->ctx;

	(void)record_end(g);
	/* The process may have forked while another thread held the lock. */
	if (!gmem__ctx_forked(ctx)) {
		gmem__maps_free(g);
		(void)pthread_mutex_destroy(&g->lock);
	} else if (pthread_mutex_trylock(&g->lock) == 0) {
		gmem__maps_free(g);
	}
	gmem__free(ctx, g->region);
	gmem__free(ctx, g);
}

void gmem__file_link(struct gmem *g)
{
	g->next = g->vm->files;
	g->prev = &g->vm->files;
	if (g->next)
		g->next->prev = &g->next;
	/* The process may fork at any time, and its child walks the list. */
	__atomic_store_n(&g->vm->files, g, __ATOMIC_RELEASE);
	g->linked = true;
}

void gmem__file_unlink(struct gmem *g)
{
	if (!g->vm || !g->linked)
		return;
	gmem__lock(&g->vm->lock);
	*g->prev = g->next;
	if (g->next)
		g->next->prev = g->prev;
	gmem__unlock(&g->vm->lock);
}

/*
 * What each page starts as.  Where attributes are the VM's, by guest address,
 * a file has none before it is bound.
 */
void gmem__file_start(struct gmem *g)
{
	enum gmem__state s = g->flags & GMEM_CREATE_INIT_SHARED ? GMEM__SHARED
								: GMEM__PRIVATE;

	if (!g->record_mem)
		gmem__record_fix(&g->record, g->size, g->ctx->page_size, s);
	else if (gmem__has(g->vm, GMEM_FEATURE_FILE_ATTRIBUTES))
		gmem__record_set(&g->record, 0, g->size, s);
	if (!g->vm || g->linked)
		return;
	gmem__lock(&g->vm->lock);
	gmem__file_link(g);
	gmem__unlock(&g->vm->lock);
}

void gmem__file_use(struct gmem *g)
{
	g->users++;
}

void gmem__file_leave(struct gmem *g)
{
	struct gmem_vm *vm = g->vm;

	gmem__lock(&vm->lock);
	if (--g->users == 0)
		(void)pthread_cond_broadcast(&vm->turn);
	gmem__unlock(&vm->lock);
}

void gmem__file_quiesce(struct gmem *g, struct gmem__quiet *q)
{
	struct gmem_vm *vm = g->vm;

	if (!vm)
		return;
	/* Who uses it may wait for a turn, so this comes first. */
	gmem__lock(&vm->lock);
	g->quiesced = true;
	while (g->users)
		vm->ctx.sys->cond_wait(vm->ctx.priv, &vm->turn, &vm->lock, 0);
	gmem__unlock(&vm->lock);
	q->all = (struct gmem__range){ g, 0, g->size };
	(void)gmem__ticket_take(vm, &q->ticket, &q->all, 1, false, NULL, NULL);
}

void gmem__file_resume(struct gmem *g, const struct gmem__quiet *q)
{
	struct gmem_vm *vm = g->vm;

	if (!vm)
		return;
	gmem__lock(&vm->lock);
	g->quiesced = false;
	gmem__unlock(&vm->lock);
	gmem__ticket_return(vm, &q->ticket);
}

int gmem__file_unmap(struct gmem *g, struct gmem_error *err)
{
	int r = gmem__unmap_all(g);

	if (r == 0)
		r = gmem__region_unmap(g);
	if (r == 0)
		r = record_end(g);
	if (r == 0 && g->ctx == &g->own_ctx)
		r = gmem__ctx_fini(g->ctx);
	return r < 0 ? gmem__fail_call(err, r, "unmapping the file") : 0;
}

void gmem__file_release(struct gmem *g)
{
	(void)gmem__close(g->ctx, g->fd);
	gmem__file_free(g);
}

static int check_unused(const struct gmem *g, struct gmem_error *err)
{
	if (g->slots)
		return gmem__fail(err, GMEM_REASON_STILL_BOUND, g->slots, 0,
				  "the file has %u slot%s", g->slots,
				  g->slots > 1 ? "s" : "");
	if (g->maps)
		return gmem__fail(err, GMEM_REASON_STILL_MAPPED,
				  (uintptr_t)g->maps->addr, 0,
				  "the file is still mapped at 0x%" PRIxPTR,
				  (uintptr_t)g->maps->addr);
	return 0;
}

static int close_alone(struct gmem *g, struct gmem_error *err)
{
	int r = gmem__file_unmap(g, err);

	if (r == 0 && g->vm)
		gmem__kept_close(g);
	if (r == 0)
		gmem__file_unlink(g);
	return r;
}

/* First what can fail, so that the handle is then unchanged. */
int gmem__file_close(struct gmem *g, struct gmem_error *err)
{
	struct gmem__quiet q;
	int r;

	if (g->vm)
		gmem__slots_retry(g->vm, g, NULL);
	gmem__fixed_retry(g, 0, UINT64_MAX);
	if (g->vm)
		gmem__lock(&g->vm->lock);
	r = check_unused(g, err);
	if (g->vm)
		gmem__unlock(&g->vm->lock);
	if (r == 0)
		r = gmem__maps_unused(g, err);
	if (r < 0)
		return r;
	gmem__file_quiesce(g, &q);
	r = close_alone(g, err);
	gmem__file_resume(g, &q);
	if (r == 0)
		gmem__file_release(g);
	return r;
}

int gmem_close(struct gmem *g, struct gmem_error *err)
{
	int r = gmem__begin(err);

	if (r < 0 || !g)
		return r;
	r = gmem__ctx_check(g->ctx, err);
	if (r < 0 || (r = gmem__not_in_callback(err)) < 0 ||
	    (r = gmem__region_none(g, err)) < 0)
		return r;
	return gmem__file_close(g, err);
}

/* Whether @g can be used: not NULL, and of this process. */
static bool mine(const struct gmem *g)
{
	return g && !gmem__ctx_forked(g->ctx);
}

int gmem_fd(const struct gmem *g)
{
	if (!g)
		return -EINVAL;
	return gmem__ctx_forked(g->ctx) ? -EIO : g->fd;
}

uint64_t gmem_size(const struct gmem *g)
{
	return mine(g) ? g->size : 0;
}

uint64_t gmem_page_size(const struct gmem *g)
{
	return mine(g) ? g->page_size : 0;
}

uint64_t gmem_flags(const struct gmem *g)
{
	return mine(g) ? g->flags : 0;
}
