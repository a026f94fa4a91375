// SPDX-License-Identifier: MIT
#include "enter.h"
#include "error.h"
#include "file.h"
#include "opts.h"
#include "range.h"
#include "vm.h"

int gmem__vm_enter(const struct gmem_vm *vm, struct gmem_error *err)
{
	int r = gmem__begin(err);

	if (r < 0)
		return r;
	if (!vm)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "the VM is NULL");
	return gmem__ctx_check(&vm->ctx, err);
}

int gmem__enter(const struct gmem *g, struct gmem_error *err)
{
	int r = gmem__begin(err);

	if (r < 0)
		return r;
	if (!g)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "the file is NULL");
	return gmem__ctx_check(g->ctx, err);
}

int gmem__enter_opts(const struct gmem *g, const struct gmem__opts_type *type,
		     const void *opts, void *o, struct gmem_error *err)
{
	int r = gmem__enter(g, err);

	return r < 0 ? r : gmem__opts_take(type, opts, o, err);
}

int gmem__enter_slot(const struct gmem__opts_type *type,
		     const struct gmem_slot *slot, struct gmem_slot *s,
		     struct gmem_error *err)
{
	int r = gmem__begin(err);

	if (r < 0 ||
	    (r = gmem__out_check(slot, type->min, type->name, err)) < 0)
		return r;
	r = gmem__opts_take(type, slot, s, err);
	return r < 0 ? r : gmem__enter(s->gmem, err);
}

int gmem__range_check(const struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem_error *err)
{
	return gmem__units_inside(offset, len, g->ctx->page_size, g->size, err);
}

int gmem__file_range_check(const struct gmem *g, uint64_t offset, uint64_t len,
			   struct gmem_error *err)
{
	return gmem__units_inside(offset, len, g->page_size, g->size, err);
}

int gmem__need_vm(const struct gmem *g, struct gmem_error *err)
{
	if (g->vm)
		return 0;
	return gmem__fail(err, GMEM_REASON_NOT_A_VM, 0, 0,
			  "the file was adopted without a VM");
}
