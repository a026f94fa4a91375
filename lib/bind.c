// SPDX-License-Identifier: MIT
/* Binding a range of a file to guest addresses. */
#include <errno.h>

#include "attr.h"
#include "attr_gpa.h"
#include "callback.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "left.h"
#include "lock.h"
#include "map.h"
#include "opts.h"
#include "reservation.h"
#include "slot.h"
#include "slot_begin.h"
#include "slot_check.h"
#include "slot_end.h"
#include "slot_kernel.h"
#include "ticket.h"
#include "vm.h"

#define BIND_OPTS_V0 32

#define BIND_FLAGS                                                       \
	(GMEM_BIND_FD | GMEM_BIND_HVA | GMEM_BIND_DIRTY_LOG |            \
	 GMEM_BIND_READONLY | GMEM_BIND_ALIAS | GMEM_BIND_LEAVE_SHARED | \
	 GMEM_BIND_USERSPACE_ADDR | GMEM_BIND_CHECK_ONLY)

_Static_assert(sizeof(struct gmem_bind_opts) == BIND_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type =
	GMEM__OPTS_TYPE(gmem_bind_opts, BIND_OPTS_V0, BIND_FLAGS);

static int bind_check_only(struct gmem *g, const struct gmem__bind *b,
			   struct gmem_error *err)
{
	struct gmem__slot conflict;
	int r = gmem__bind_shared(g, b, err);

	if (r < 0)
		return r;
	gmem__lock(&g->vm->lock);
	r = gmem__bind_table(g->vm, g, b, &conflict, err);
	gmem__unlock(&g->vm->lock);
	if (r < 0)
		return gmem__bind_dead(g->vm, &conflict, r, err);
	return (int)b->mode;
}

/*
 * A slot starts shared in the kernel, or as the one before left it.  A range
 * that starts private is converted before the bind returns; where an earlier
 * slot may have left attributes, "shared" is set explicitly too.
 */
static int first_attributes(struct gmem_vm *vm, const struct gmem_slot *s,
			    bool private)
{
	uint64_t done = s->len;
	int r = 0;

	if (gmem__vm_attributes(vm) &&
	    (private || !vm->owns_fd || gmem__left_in(vm, s->gpa, s->len)))
		r = gmem__gpa_attributes(vm, s->gpa, s->len,
					 private ? GMEM_ATTRIBUTE_PRIVATE
						 : GMEM_ATTRIBUTE_SHARED,
					 &done);
	gmem__slot_record(vm, s, 0, done,
			  private ? GMEM__PRIVATE : GMEM__SHARED);
	if (r == 0)
		gmem__left_forget(vm, s->gpa, s->len);
	return r;
}

/* What the slot's pages start as. */
static int start(struct gmem *g, const struct gmem_slot *s, uint64_t flags)
{
	bool shared = flags & GMEM_BIND_LEAVE_SHARED;

	/* By address, what HVA mode takes is INIT_SHARED. */
	if (!gmem__has(g->vm, GMEM_FEATURE_FILE_ATTRIBUTES))
		return first_attributes(
			g->vm, s,
			!shared && !(g->flags & GMEM_CREATE_INIT_SHARED));
	/* In place it is the file that starts private or shared. */
	return shared ? gmem__attr_all_shared(g, s->offset, s->len) : 0;
}

/* Deletes a slot whose attributes could not be set. */
static int undo(struct gmem_vm *vm, struct gmem__slot *s, int sys,
		struct gmem_error *err)
{
	uint32_t slot = s->s.slot;
	int reset, code, r;

	code = gmem__fail_call(err, sys, "setting the slot's first attributes");
	r = gmem__slot_end(vm, s, false, &reset);
	if (r < 0)
		gmem__stuck_too(err, slot, r);
	return code;
}

/* The system calls of a bind; @s is in the table and MAKING. */
static int bind_kernel(struct gmem *g, struct gmem__slot *s,
		       const struct gmem__bind *b, struct gmem_error *err)
{
	int r = gmem__slot_create(g->vm, &s->s, g->fd);

	if (r < 0) {
		r = gmem__bind_diagnose(g, b, r, err);
		gmem__slot_gone(g->vm, s, GMEM__LEFT_NONE);
		return r;
	}
	r = start(g, &s->s, b->flags);
	if (r < 0)
		return undo(g->vm, s, r, err);
	gmem__lock(&g->vm->lock);
	s->state = GMEM__SLOT_LIVE;
	gmem__unlock(&g->vm->lock);
	return 0;
}

static void slot_fill(struct gmem__slot *s, struct gmem *g,
		      const struct gmem__bind *b)
{
	s->state = GMEM__SLOT_MAKING;
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

/*
 * The addresses behind the slot: the caller's, the file's mapping, or for a
 * file that the host cannot map its reservation, and then *@reserved.
 */
static int behind(struct gmem *g, struct gmem__bind *b, bool *reserved,
		  struct gmem_error *err)
{
	unsigned char *base;
	int r;

	if (b->flags & GMEM_BIND_USERSPACE_ADDR)
		return 0;
	if (g->flags & GMEM_CREATE_MMAP)
		r = gmem__view(g, &base, err);
	else
		r = gmem__reservation_get(g, &base, err);
	if (r < 0)
		return r;
	*reserved = !(g->flags & GMEM_CREATE_MMAP);
	b->userspace_addr = (uintptr_t)base + b->offset;
	return 0;
}

/* In its turn; afterwards the table owns *@s, which is NULL. */
static int bind_in_turn(struct gmem *g, struct gmem__slot **s,
			const struct gmem__bind *b, struct gmem_error *err)
{
	struct gmem__range range = { g, b->offset, b->offset + b->len };
	struct gmem__ticket ticket;
	struct gmem__slot *mine = *s;
	int r = gmem__ticket_take(g->vm, &ticket, &range, 1, false, NULL, err);

	if (r < 0)
		return r;
	r = gmem__bind_shared(g, b, err);
	if (r == 0)
		r = gmem__slot_insert(g->vm, mine, b, err);
	if (r == 0) {
		*s = NULL;
		r = bind_kernel(g, mine, b, err);
	}
	gmem__ticket_return(g->vm, &ticket);
	return r;
}

static int bind(struct gmem *g, struct gmem__bind *b, struct gmem_error *err)
{
	struct gmem__slot *s;
	bool reserved = false;
	int r = gmem__not_in_callback(err);

	if (r < 0)
		return r;
	gmem__slots_retry(g->vm, g, b);
	r = behind(g, b, &reserved, err);
	if (r < 0)
		return r;
	s = gmem__alloc(g->ctx, sizeof(*s));
	if (s) {
		slot_fill(s, g, b);
		s->reserved = reserved;
		r = bind_in_turn(g, &s, b, err);
		if (!s)
			return r < 0 ? r : (int)b->mode;
		gmem__free(g->ctx, s);
	} else {
		r = gmem__fail_call(err, -ENOMEM, "allocating the slot");
	}
	if (reserved)
		gmem__reservation_put(g);
	return r;
}

int gmem_bind(struct gmem *g, uint32_t slot, uint64_t gpa, uint64_t offset,
	      uint64_t len, const struct gmem_bind_opts *opts,
	      struct gmem_error *err)
{
	struct gmem_bind_opts o;
	struct gmem__bind b;
	int r = gmem__enter_opts(g, &opts_type, opts, &o, err);

	if (r < 0 || (r = gmem__need_vm(g, err)) < 0 ||
	    (r = gmem__reserved(o.reserved, "gmem_bind_opts", err)) < 0)
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
	if (r < 0 || (r = gmem__bind_plan(g, &b, err)) < 0 ||
	    (r = gmem__bind_args(g->vm, &b, err)) < 0)
		return r;
	if (o.flags & GMEM_BIND_CHECK_ONLY)
		return bind_check_only(g, &b, err);
	return bind(g, &b, err);
}
