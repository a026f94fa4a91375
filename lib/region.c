// SPDX-License-Identifier: MIT
/* A region's life: which kind it is, its file, its slots, its counters. */
#include <errno.h>
#include <inttypes.h>

#include "call.h"
#include "callback.h"
#include "enter.h"
#include "error.h"
#include "lock.h"
#include "map.h"
#include "name.h"
#include "opts.h"
#include "region.h"
#include "slot_end.h"
#include "ticket.h"
#include "uapi.h"
#include "vm.h"

#define OPTS_V0 56
#define INFO_V0 88
#define STAT_V0 72

_Static_assert(sizeof(struct gmem_region_opts) == OPTS_V0, "ABI");
_Static_assert(sizeof(struct gmem_region_info) == INFO_V0, "ABI");
_Static_assert(sizeof(struct gmem_region_stats) == STAT_V0, "ABI");

static const struct gmem__opts_type opts_type =
	GMEM__OPTS_TYPE(gmem_region_opts, OPTS_V0,
			GMEM_REGION_NO_HYPERCALL | GMEM_REGION_SHARED_FD);

int gmem__region_enter(const struct gmem_region *r, struct gmem_error *err)
{
	int ret = gmem__begin(err);

	if (ret < 0)
		return ret;
	if (!r)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "the region is NULL");
	return gmem__ctx_check(r->g->ctx, err);
}

/* ---------------------------------------------------------------- kind -- */

static int no_kind(uint32_t kind, struct gmem_error *err, const char *why)
{
	return gmem__fail(err, GMEM_REASON_REGION_KIND, kind, 0,
			  "a region of kind %s %s",
			  gmem_name(GMEM_NAME_REGION_KIND, kind), why);
}

/* The kind that is taken, into *@kind. */
static int choose(const struct gmem_vm *vm, const struct gmem_region_opts *o,
		  uint32_t *kind, struct gmem_error *err)
{
	bool in_place = gmem__has(vm, GMEM_FEATURE_FILE_ATTRIBUTES);
	bool by_gpa = gmem__has(vm, GMEM_FEATURE_VM_ATTRIBUTES);
	bool mappable = !o->gmem || o->gmem->flags & GMEM_CREATE_MMAP;

	*kind = o->kind;
	if (*kind == GMEM_REGION_KIND_AUTO && !in_place && !by_gpa)
		return gmem__fail(err, GMEM_REASON_REGION_KIND, *kind, 0,
				  "this VM neither converts in place nor has "
				  "private memory: only a region of kind %s "
				  "works",
				  gmem_name(GMEM_NAME_REGION_KIND,
					    GMEM_REGION_KIND_SHARED));
	if (*kind == GMEM_REGION_KIND_AUTO)
		*kind = in_place ? GMEM_REGION_KIND_INPLACE
				 : GMEM_REGION_KIND_DUAL;
	switch (*kind) {
	case GMEM_REGION_KIND_INPLACE:
		if (!in_place)
			return no_kind(*kind, err,
				       "needs a VM whose files convert");
		if (!mappable)
			return no_kind(*kind, err,
				       "needs a file that the host can map");
		return 0;
	case GMEM_REGION_KIND_DUAL:
		if (in_place)
			return no_kind(*kind, err,
				       "would hide its shared pages from a "
				       "guest of this VM, which converts in "
				       "place");
		if (!by_gpa)
			return no_kind(*kind, err,
				       "needs a VM with private memory");
		if (o->gmem && mappable)
			return no_kind(*kind, err,
				       "needs a file that the host cannot map");
		return 0;
	case GMEM_REGION_KIND_SHARED:
		if (o->gmem && !(o->gmem->flags & GMEM_CREATE_INIT_SHARED))
			return no_kind(*kind, err,
				       "needs a file that starts shared");
		return 0;
	default:
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, *kind,
				  GMEM_REGION_KIND_SHARED,
				  "region kind %u is unknown", *kind);
	}
}

/* -------------------------------------------------------------- create -- */

/* The file is the region's from here on, if nothing else has it. */
static int attach(struct gmem *g, struct gmem_region *r, struct gmem_error *err)
{
	struct gmem__range all = { g, 0, g->size };
	struct gmem__ticket t;
	int ret = gmem__ticket_take(g->vm, &t, &all, 1, false, NULL, err);

	if (ret < 0)
		return ret;
	gmem__lock(&g->vm->lock);
	if (g->slots)
		ret = gmem__fail(err, GMEM_REASON_STILL_BOUND, g->slots, 0,
				 "the file has %u slot%s already", g->slots,
				 g->slots > 1 ? "s" : "");
	else
		ret = gmem__region_none(g, err);
	if (ret == 0)
		ret = gmem__region_given_once(g, &r->side, err);
	if (ret == 0)
		__atomic_store_n(&g->region, r, __ATOMIC_RELEASE);
	gmem__unlock(&g->vm->lock);
	gmem__ticket_return(g->vm, &t);
	return ret;
}

/* Others look through the regions of the VM, for memory of theirs. */
static void detach(struct gmem *g, struct gmem_region *r)
{
	gmem__lock(&g->vm->lock);
	__atomic_store_n(&g->region, NULL, __ATOMIC_RELEASE);
	gmem__unlock(&g->vm->lock);
	gmem__free(g->ctx, r);
}

static int check_file(const struct gmem_vm *vm, uint64_t size,
		      const struct gmem *g, struct gmem_error *err)
{
	int r = gmem__ctx_check(g->ctx, err);

	if (r < 0)
		return r;
	if (g->vm != vm || g->foreign)
		return gmem__fail(err, GMEM_REASON_FOREIGN_VM, 0, 0,
				  "the file belongs to another VM");
	if (g->size != size)
		return gmem__fail(err, GMEM_REASON_REGION_SIZE, size, g->size,
				  "the region has 0x%" PRIx64
				  " bytes, its file 0x%" PRIx64,
				  size, g->size);
	return gmem__region_none(g, err);
}

/* Without it the guest's requests to convert are never seen. */
static int enable_hypercall(const struct gmem_region *r, struct gmem_error *err)
{
	const struct gmem_vm *vm = r->g->vm;
	struct gmem__enable_cap c = {
		.cap = GMEM__CAP_EXIT_HYPERCALL,
		.args = { GMEM__HC_MAP_GPA_RANGE_BIT },
	};
	int ret;

	if (!r->hypercall)
		return 0;
	do {
		ret = gmem__ioctl(&vm->ctx, vm->fd, GMEM__KVM_ENABLE_CAP, &c);
	} while (ret == -EINTR);
	return ret < 0 ? gmem__fail_call(err, ret,
					 "enabling KVM_CAP_EXIT_HYPERCALL")
		       : 0;
}

static int make_file(struct gmem_vm *vm, uint64_t size, uint32_t kind,
		     struct gmem **out, struct gmem_error *err)
{
	struct gmem_create_opts o = { .sz = sizeof(o) };

	if (kind == GMEM_REGION_KIND_INPLACE)
		o.flags = GMEM_CREATE_MMAP;
	if (kind == GMEM_REGION_KIND_SHARED)
		o.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED;
	return gmem_create(vm, size, &o, out, err);
}

/* Into @r what they ask for. */
static int check_opts(const struct gmem_vm *vm, uint64_t size,
		      const struct gmem_region_opts *o, struct gmem_region *r,
		      struct gmem_error *err)
{
	bool given = o->shared || o->flags & GMEM_REGION_SHARED_FD;
	int ret = 0;

	if (o->gmem)
		ret = check_file(vm, size, o->gmem, err);
	if (ret < 0 || (ret = choose(vm, o, &r->kind, err)) < 0)
		return ret;
	if (given && r->kind != GMEM_REGION_KIND_DUAL)
		return no_kind(r->kind, err, "has no memory beside its file");
	return gmem__region_given(vm, o, size, &r->side, err);
}

int gmem_region_create(struct gmem_vm *vm, uint64_t size,
		       const struct gmem_region_opts *opts,
		       struct gmem_region **out, struct gmem_error *err)
{
	struct gmem_region *r, region = { .g = NULL };
	struct gmem_region_opts o;
	struct gmem__quiet q;
	unsigned char *shared;
	struct gmem *g;
	int ret = gmem__vm_enter(vm, err);

	if (ret < 0 || (ret = gmem__opts_take(&opts_type, opts, &o, err)) < 0)
		return ret;
	if (!out)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "out is NULL");
	ret = gmem__not_in_callback(err);
	if (ret < 0 || (ret = check_opts(vm, size, &o, &region, err)) < 0)
		return ret;
	g = o.gmem;
	region.owns_file = !g;
	region.user = o.user;
	region.hypercall = region.kind != GMEM_REGION_KIND_SHARED &&
			   gmem__has(vm, GMEM_FEATURE_MAP_GPA_RANGE_EXIT) &&
			   !(o.flags & GMEM_REGION_NO_HYPERCALL);
	if (!g && (ret = make_file(vm, size, region.kind, &g, err)) < 0)
		return ret;
	region.g = g;
	r = gmem__alloc(&vm->ctx, sizeof(*r));
	if (r) {
		*r = region;
		ret = attach(g, r, err);
	} else {
		ret = gmem__fail_call(err, -ENOMEM, "allocating the region");
	}
	if (ret < 0)
		goto err_free;
	ret = gmem__region_shared(g, &shared, err);
	if (ret == 0)
		ret = enable_hypercall(r, err);
	if (ret < 0)
		goto err_unmap;
	*out = r;
	return 0;
err_unmap:
	/* An exit may have found it through what the file has kept. */
	gmem__file_quiesce(g, &q);
	(void)gmem__region_unmap(g);
	detach(g, r);
	gmem__file_resume(g, &q);
	r = NULL;
err_free:
	gmem__free(&vm->ctx, r);
	if (region.owns_file)
		(void)gmem_close(g, NULL);
	return ret;
}

/* --------------------------------------------------------------- close -- */

static int check_unbound(const struct gmem *g, struct gmem_error *err)
{
	unsigned int slots;

	gmem__slots_retry(g->vm, g, NULL);
	gmem__lock(&g->vm->lock);
	slots = g->slots;
	gmem__unlock(&g->vm->lock);
	if (!slots)
		return 0;
	return gmem__fail(err, GMEM_REASON_STILL_BOUND, slots, 0,
			  "the region has %u slot%s", slots,
			  slots > 1 ? "s" : "");
}

int gmem_region_close(struct gmem_region *r, struct gmem_error *err)
{
	int ret = gmem__begin(err);
	struct gmem__quiet q;
	struct gmem *g;

	if (ret < 0 || !r)
		return ret;
	g = r->g;
	ret = gmem__ctx_check(g->ctx, err);
	if (ret < 0 || (ret = gmem__not_in_callback(err)) < 0 ||
	    (ret = check_unbound(g, err)) < 0)
		return ret;
	/* Then the file is as before, or gone and the region with it. */
	if (r->owns_file)
		return gmem__file_close(g, err);
	ret = gmem__shared_unused(g, err);
	if (ret < 0)
		return ret;
	gmem__file_quiesce(g, &q);
	ret = gmem__region_unmap(g);
	if (ret == 0)
		detach(g, r);
	gmem__file_resume(g, &q);
	return ret < 0 ? gmem__fail_call(err, ret, "unmapping the region") : 0;
}

/* ------------------------------------------------------------- getters -- */

int gmem_region_get(const struct gmem_region *r, struct gmem_region_info *out,
		    struct gmem_error *err)
{
	struct gmem_region_info i = { .sz = sizeof(i) };
	unsigned char *mem;
	int ret = gmem__region_enter(r, err);

	if (ret < 0 ||
	    (ret = gmem__out_check(out, INFO_V0, "gmem_region_info", err)) < 0)
		return ret;
	ret = gmem__region_shared(r->g, &mem, err);
	if (ret < 0)
		return ret;
	i.gmem = r->g;
	i.user = r->user;
	i.shared = mem;
	i.shared_fd = r->side.fd;
	i.shared_offset = r->side.offset;
	i.size = r->g->size;
	i.page_size = r->g->page_size;
	i.kind = r->kind;
	i.flags = r->hypercall ? GMEM_REGION_HYPERCALL : 0;
	if (r->side.unverified)
		i.flags |= GMEM_REGION_UNVERIFIED;
	if (r->kind == GMEM_REGION_KIND_DUAL) {
		i.shared_side = r->side.type;
		i.shared_page_size = r->side.page_size;
	}
	gmem__out_copy(out, &i, sizeof(i));
	return 0;
}

int gmem_region_stat(const struct gmem_region *r, struct gmem_region_stats *out,
		     struct gmem_error *err)
{
	struct gmem_region_stats s = { .sz = sizeof(s) };
	int ret = gmem__region_enter(r, err);

	if (ret < 0 ||
	    (ret = gmem__out_check(out, STAT_V0, "gmem_region_stats", err)) < 0)
		return ret;
	s.private_bytes = gmem__record_count(&r->g->record, GMEM__PRIVATE);
	s.shared_bytes = gmem__record_count(&r->g->record, GMEM__SHARED);
	s.queued_bytes = gmem__region_counted(&r->queued_bytes);
	s.to_private = gmem__region_counted(&r->to_private);
	s.to_shared = gmem__region_counted(&r->to_shared);
	s.conversions = gmem__region_counted(&r->conversions);
	s.failed = gmem__region_counted(&r->failed);
	s.discard_failed = gmem__region_counted(&r->discard_failed);
	gmem__out_copy(out, &s, sizeof(s));
	return 0;
}
