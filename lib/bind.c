// SPDX-License-Identifier: MIT
/* Binding a range of a file to guest addresses. */
#include <errno.h>

#include "attr.h"
#include "attr_gpa.h"
#include "bind.h"
#include "callback.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "kept.h"
#include "left.h"
#include "lock.h"
#include "map.h"
#include "opts.h"
#include "region.h"
#include "reservation.h"
#include "slot.h"
#include "slot_begin.h"
#include "slot_check.h"
#include "slot_end.h"
#include "slot_kernel.h"
#include "ticket.h"
#include "vm.h"

#define MODES (GMEM_SLOT_FD | GMEM_SLOT_HVA)
#define NEEDS (GMEM_SLOT_DIRTY_LOG | GMEM_SLOT_READONLY)
#define ADDRS (GMEM_SLOT_USERSPACE_ADDR | GMEM_SLOT_OWN_ADDR)
/* Of what a call said of another slot, this says nothing of the new one. */
#define PAST \
	(GMEM_SLOT_NOTED | GMEM_SLOT_STUCK | GMEM_SLOT_LIVE | GMEM__SLOT_LOST)
#define FLAGS                                             \
	(MODES | NEEDS | ADDRS | PAST | GMEM_SLOT_ALIAS | \
	 GMEM_SLOT_LEAVE_SHARED | GMEM_SLOT_TAKE_KEPT | GMEM_SLOT_CHECK_ONLY)

const struct gmem__opts_type gmem__bind_type =
	GMEM__OPTS_TYPE(gmem_slot, GMEM__SLOT_V0, FLAGS);

static int check_only(struct gmem *g, const struct gmem_slot *b,
		      struct gmem_error *err)
{
	struct gmem__slot conflict;
	int r = gmem__bind_width(g->vm, b, err);

	if (r < 0 || (r = gmem__bind_shared(g, b, err)) < 0)
		return r;
	gmem__lock(&g->vm->lock);
	r = gmem__bind_table(g->vm, g, b, &conflict, err);
	gmem__unlock(&g->vm->lock);
	return r < 0 ? gmem__bind_dead(g->vm, &conflict, r, err) : 0;
}

/* What a slot starts as, and how far that was set in the kernel. */
struct start {
	enum gmem__state state;
	bool take; /* over what is kept */
	uint64_t done;
};

/*
 * A slot starts shared in the kernel, or as the one before left it.  A range
 * that starts private is converted before the bind returns; where an earlier
 * slot may have left attributes, "shared" is set explicitly too.
 */
static int first_attributes(struct gmem_vm *vm, const struct gmem_slot *s,
			    struct start *t)
{
	bool private = t->state == GMEM__PRIVATE;
	uint64_t pos = 0, n, done;
	int r = 0;

	if (!gmem__vm_attributes(vm))
		return 0;
	for (; r == 0 &&
	       (pos = gmem__kept_untaken(vm, s, t->take, pos, &n)) < s->len;
	     pos += n) {
		if (!private && vm->owns_fd &&
		    !gmem__left_in(vm, s->gpa + pos, n))
			continue;
		r = gmem__gpa_attributes(vm, s->gpa + pos, n,
					 private ? GMEM_ATTRIBUTE_PRIVATE
						 : GMEM_ATTRIBUTE_SHARED,
					 &done);
		t->done = pos + done;
	}
	return r;
}

enum gmem__state gmem__bind_first(const struct gmem *g, uint64_t flags)
{
	/* HVA mode takes only what is INIT_SHARED. */
	return flags & GMEM_SLOT_LEAVE_SHARED ||
			       g->flags & GMEM_CREATE_INIT_SHARED
		       ? GMEM__SHARED
		       : GMEM__PRIVATE;
}

/* What the slot's pages start as. */
static int start(struct gmem *g, const struct gmem_slot *s, uint64_t flags,
		 struct start *t)
{
	int r;

	/* In place it is the file that starts private or shared. */
	if (gmem__has(g->vm, GMEM_FEATURE_FILE_ATTRIBUTES))
		return flags & GMEM_SLOT_LEAVE_SHARED
			       ? gmem__attr_all_shared(g, s->offset, s->len)
			       : 0;
	t->state = gmem__bind_first(g, flags);
	t->take = flags & GMEM_SLOT_TAKE_KEPT && flags & GMEM_SLOT_FD;
	r = first_attributes(g->vm, s, t);
	if (r == 0)
		gmem__kept_settle(g->vm, s, t->take, t->state);
	return r;
}

/*
 * Deletes a slot whose attributes could not be set.  What is kept stays as it
 * was, also if the slot does.
 */
static int undo(struct gmem_vm *vm, struct gmem__slot *s, const struct start *t,
		int sys, struct gmem_error *err)
{
	struct gmem_slot was = s->s;
	int reset, code, r;

	code = gmem__fail_call(err, sys, "setting the slot's first attributes");
	r = gmem__slot_end(vm, s, false, &reset);
	if (r < 0)
		gmem__stuck_too(err, was.slot, r);
	if (r < 0 && !gmem__kept_meets(vm, &was))
		gmem__slot_record(vm, &was, 0, t->done, t->state);
	if (t->done)
		gmem__kept_restore(vm, was.gpa, t->done);
	return code;
}

/* The system calls of a bind; @s is in the table and MAKING. */
static int bind_kernel(struct gmem *g, struct gmem__slot *s,
		       const struct gmem_slot *b, struct gmem_error *err)
{
	struct start t = { .done = 0 };
	int r = gmem__slot_create(g->vm, &s->s, g->fd);

	if (r < 0) {
		r = gmem__bind_diagnose(g, b, r, err);
		gmem__slot_gone(g->vm, s, GMEM__LEFT_NONE);
		return r;
	}
	r = start(g, &s->s, b->flags, &t);
	if (r < 0)
		return undo(g->vm, s, &t, r, err);
	gmem__lock(&g->vm->lock);
	s->state = GMEM__SLOT_LIVE;
	gmem__unlock(&g->vm->lock);
	return 0;
}

void gmem__bind_made(struct gmem_slot *b, const struct gmem *g)
{
	b->sz = sizeof(*b);
	b->flags &= MODES | NEEDS | ADDRS;
	b->flags |= gmem__slot_lost(g, b);
	b->fd = b->flags & GMEM_SLOT_FD ? g->fd : -1;
}

int gmem__bind_behind(struct gmem *g, struct gmem_slot *b, bool *reserved,
		      struct gmem_error *err)
{
	unsigned char *base;
	int r;

	if (b->flags & GMEM_SLOT_USERSPACE_ADDR)
		return gmem__region_slot_check(g, b, err);
	r = gmem__region_shared(g, &base, err);
	if (r < 0)
		return r;
	if (base)
		goto found;
	if (g->flags & GMEM_CREATE_MMAP)
		r = gmem__view(g, &base, err);
	else
		r = gmem__reservation_get(g, &base, err);
	if (r < 0)
		return r;
	*reserved = !(g->flags & GMEM_CREATE_MMAP);
found:
	b->userspace_addr = (uintptr_t)base + b->offset;
	b->flags |= GMEM_SLOT_OWN_ADDR;
	return 0;
}

/* In its turn; afterwards the table owns *@s, which is NULL. */
static int bind_in_turn(struct gmem *g, struct gmem__slot **s,
			const struct gmem_slot *b, struct gmem_error *err)
{
	struct gmem__slot *mine = *s;
	struct gmem__hold hold;
	int r;

	do {
		r = gmem__hold_take(g->vm, &hold, b, 1, NULL, 0, err);
		if (r < 0)
			return r;
		r = gmem__bind_shared(g, b, err);
		if (r == 0)
			r = gmem__slot_insert(g->vm, mine, b, &hold, err);
		if (r == 0) {
			*s = NULL;
			r = bind_kernel(g, mine, b, err);
		}
		gmem__hold_return(g->vm, &hold);
	} while (r > 0);
	return r;
}

static int bind(struct gmem *g, struct gmem_slot *b, struct gmem_error *err)
{
	struct gmem__slot *s;
	bool reserved = false;
	int r = gmem__not_in_callback(err);

	if (r < 0)
		return r;
	gmem__slots_retry(g->vm, g, b);
	r = gmem__bind_behind(g, b, &reserved, err);
	if (r < 0)
		return r;
	s = gmem__alloc(g->ctx, sizeof(*s));
	if (s) {
		s->state = GMEM__SLOT_MAKING;
		s->reserved = reserved;
		s->s = *b;
		gmem__bind_made(&s->s, g);
		r = bind_in_turn(g, &s, b, err);
		if (!s)
			return r;
		gmem__free(g->ctx, s);
	} else {
		r = gmem__fail_call(err, -ENOMEM, "allocating the slot");
	}
	if (reserved)
		gmem__reservation_put(g);
	return r;
}

int gmem__bind_checks(struct gmem_slot *b, struct gmem_error *err)
{
	struct gmem *g = b->gmem;
	int r = gmem__need_vm(g, err);

	if (r < 0 || (r = gmem__reserved(b->reserved, "gmem_slot", err)) < 0)
		return r;
	b->flags &= ~PAST;
	r = gmem__range_check(g, b->offset, b->len, err);
	if (r < 0 || (r = gmem__bind_plan(g, b, err)) < 0 ||
	    (r = gmem__bind_args(g->vm, b, err)) < 0)
		return r;
	if (!(b->flags & GMEM_SLOT_USERSPACE_ADDR))
		b->userspace_addr = 0;
	return 0;
}

int gmem_bind(struct gmem_slot *slot, struct gmem_error *err)
{
	struct gmem_slot b;
	int r = gmem__enter_slot(&gmem__bind_type, slot, &b, err);

	if (r < 0 || (r = gmem__bind_checks(&b, err)) < 0)
		return r;
	if (b.flags & GMEM_SLOT_CHECK_ONLY)
		r = check_only(b.gmem, &b, err);
	else
		r = bind(b.gmem, &b, err);
	if (r < 0)
		return r;
	gmem__bind_made(&b, b.gmem);
	gmem__out_copy(slot, &b, sizeof(b));
	return 0;
}
