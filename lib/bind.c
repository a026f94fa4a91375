// SPDX-License-Identifier: MIT
/* Putting a range of a file behind guest addresses. */
#include <errno.h>
#include <inttypes.h>

#include "slot.h"

#define BIND_OPTS_V0 32

#define BIND_FLAGS                                                       \
	(GMEM_BIND_FD | GMEM_BIND_HVA | GMEM_BIND_DIRTY_LOG |            \
	 GMEM_BIND_READONLY | GMEM_BIND_ALIAS | GMEM_BIND_LEAVE_SHARED | \
	 GMEM_BIND_USERSPACE_ADDR | GMEM_BIND_CHECK_ONLY)

_Static_assert(sizeof(struct gmem_bind_opts) == BIND_OPTS_V0, "ABI");

static int bind_check_only(struct gmem *g, const struct gmem__bind *b,
			   struct gmem_error *err)
{
	struct gmem__slot conflict;
	int r;

	(void)pthread_mutex_lock(&g->vm->lock);
	r = gmem__bind_table(g->vm, g, b, &conflict, err);
	(void)pthread_mutex_unlock(&g->vm->lock);
	if (r < 0)
		return gmem__bind_dead(g->vm, &conflict, r, err);
	return (int)b->mode;
}

/*
 * A slot starts shared in the kernel.  What starts private is made so before
 * the bind returns; in an adopted VM, where others may have left attributes
 * at these addresses, "shared" is said aloud too.
 */
static int first_attributes(struct gmem *g, const struct gmem_slot *s,
			    uint64_t flags, enum gmem__state *state)
{
	struct gmem_vm *vm = g->vm;
	bool private = !(g->flags & GMEM_CREATE_INIT_SHARED) &&
		       !(flags & GMEM_BIND_LEAVE_SHARED);

	*state = private ? GMEM__PRIVATE : GMEM__SHARED;
	if (!gmem__by_gpa(vm, s) || (!private && vm->owns_fd))
		return 0;
	return gmem__gpa_attributes(
		vm, s->gpa, s->len,
		private ? GMEM_ATTRIBUTE_PRIVATE : GMEM_ATTRIBUTE_SHARED, NULL);
}

/* Takes a slot back whose attributes could not be set. */
static void bind_undo(struct gmem_vm *vm, struct gmem__slot *s)
{
	/* Nothing but a dead VM keeps a slot that exists from going. */
	(void)gmem__region_delete(vm, &s->s);
	if (gmem__gpa_attributes(vm, s->s.gpa, s->s.len, GMEM_ATTRIBUTE_SHARED,
				 NULL) == 0)
		gmem__slot_remove(vm, s);
	else
		gmem__slot_pending(vm, s);
}

/* The system calls of a bind; @s is in the table and busy. */
static int bind_kernel(struct gmem *g, struct gmem__slot *s,
		       const struct gmem__bind *b, struct gmem_error *err)
{
	enum gmem__state state;
	int r;

	r = gmem__reset_pending(g->vm, b->gpa, b->len, err);
	if (r == 0) {
		r = gmem__region_set(g->vm, &s->s, g->fd);
		if (r < 0)
			r = gmem__bind_diagnose(g, b, r, err);
	}
	if (r < 0) {
		gmem__slot_remove(g->vm, s);
		return r;
	}
	r = first_attributes(g, &s->s, b->flags, &state);
	if (r < 0) {
		bind_undo(g->vm, s);
		return gmem__fail_call(err, r,
				       "setting the slot's first attributes");
	}
	gmem__slot_record(g->vm, &s->s, state);
	(void)pthread_mutex_lock(&g->vm->lock);
	s->busy = false;
	(void)pthread_mutex_unlock(&g->vm->lock);
	return 0;
}

static void slot_fill(struct gmem__slot *s, struct gmem *g,
		      const struct gmem__bind *b)
{
	s->busy = true;
	s->s = (struct gmem_slot){
		.sz = sizeof(s->s),
		.slot = b->slot,
		.address_space = b->address_space,
		.gpa = b->gpa,
		.len = b->len,
		.offset = b->offset,
		.userspace_addr = b->userspace_addr,
		.gmem = g,
		.fd = -1,
	};
	if (b->mode == GMEM_BIND_FD) {
		s->s.flags |= GMEM_SLOT_FD;
		s->s.fd = g->fd;
		return;
	}
	if (b->flags & GMEM_BIND_READONLY)
		s->s.flags |= GMEM_SLOT_READONLY;
	if (b->flags & GMEM_BIND_DIRTY_LOG)
		s->s.flags |= GMEM_SLOT_DIRTY_LOG;
}

static int bind(struct gmem *g, struct gmem__bind *b, struct gmem_error *err)
{
	struct gmem__busy busy;
	struct gmem__slot *s;
	unsigned char *view;
	int r;

	/* KVM's own accesses go through userspace_addr, not the file. */
	if ((g->flags & GMEM_CREATE_MMAP) &&
	    !(b->flags & GMEM_BIND_USERSPACE_ADDR)) {
		r = gmem__view(g, &view, err);
		if (r < 0)
			return r;
		b->userspace_addr = (uintptr_t)view + b->offset;
	}
	s = gmem__alloc(g->ctx, sizeof(*s));
	if (!s)
		return gmem__fail_call(err, -ENOMEM, "allocating the slot");
	slot_fill(s, g, b);
	r = gmem__busy_begin(g->vm, &busy, g, b->offset, b->offset + b->len,
			     err);
	if (r < 0) {
		gmem__free(g->ctx, s);
		return r;
	}
	r = gmem__slot_insert(g->vm, s, b, err);
	if (r < 0)
		gmem__free(g->ctx, s);
	else
		r = bind_kernel(g, s, b, err);
	gmem__busy_end(g->vm, &busy);
	return r < 0 ? r : (int)b->mode;
}

int gmem_bind(struct gmem *g, uint32_t slot, uint64_t gpa, uint64_t offset,
	      uint64_t len, const struct gmem_bind_opts *opts,
	      struct gmem_error *err)
{
	struct gmem_bind_opts o;
	struct gmem__bind b;
	int r = gmem__enter(g, err);

	if (r < 0 || (r = gmem__need_vm(g, err)) < 0)
		return r;
	r = gmem__opts_check(opts, BIND_OPTS_V0, sizeof(o), "gmem_bind_opts",
			     err);
	if (r < 0)
		return r;
	gmem__opts_copy(&o, sizeof(o), opts);
	r = gmem__flags_check(o.flags, BIND_FLAGS, "gmem_bind_opts.flags", err);
	if (r < 0 || (r = gmem__reserved(o.reserved, "gmem_bind_opts", err)))
		return r;
	b = (struct gmem__bind){
		.slot = slot,
		.address_space = o.address_space,
		.gpa = gpa,
		.offset = offset,
		.len = len,
		.flags = o.flags,
		.userspace_addr = o.userspace_addr,
	};
	r = gmem__range_check(g, offset, len, err);
	if (r < 0 || (r = gmem__bind_args(g->vm, &b, err)) < 0 ||
	    (r = gmem__bind_plan(g, &b, err)) < 0)
		return r;
	if (o.flags & GMEM_BIND_CHECK_ONLY)
		return bind_check_only(g, &b, err);
	return bind(g, &b, err);
}
