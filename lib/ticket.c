// SPDX-License-Identifier: MIT
/*
 * Changes of a range, first come first served.  A change takes a ticket with
 * all its ranges and waits for the earlier ones that overlap, running or
 * waiting themselves; disjoint ones run in parallel.  No lock is held while
 * the kernel or a callback runs.
 */
#include <inttypes.h>

#include "callback.h"
#include "cancel.h"
#include "error.h"
#include "lock.h"
#include "ticket.h"
#include "vm.h"

/* A store to *cancel wakes nobody. */
#define CANCEL_POLL_NS (10ULL * 1000 * 1000)

static bool overlap(const struct gmem__ticket *a, const struct gmem__ticket *b)
{
	for (unsigned int i = 0; i < a->n; i++)
		for (unsigned int j = 0; j < b->n; j++)
			if (a->r[i].object == b->r[j].object &&
			    a->r[i].start < b->r[j].end &&
			    b->r[j].start < a->r[i].end)
				return true;
	return false;
}

static bool must_wait(const struct gmem_vm *vm, const struct gmem__ticket *t)
{
	const struct gmem__ticket *o;

	for (o = vm->first_ticket; o != t; o = o->next)
		if (overlap(o, t))
			return true;
	return false;
}

bool gmem__ticket_overlaps(const struct gmem_vm *vm,
			   const struct gmem__range *r)
{
	const struct gmem__ticket mine = { .r = r, .n = 1 }, *o;

	for (o = vm->first_ticket; o; o = o->next)
		if (overlap(o, &mine))
			return true;
	return false;
}

static void enqueue(struct gmem_vm *vm, struct gmem__ticket *t)
{
	struct gmem__ticket **p;

	/* As many as there are threads. */
	for (p = &vm->first_ticket; *p; p = &(*p)->next)
		;
	t->next = NULL;
	*p = t;
}

static void dequeue(struct gmem_vm *vm, const struct gmem__ticket *t)
{
	struct gmem__ticket **p;

	for (p = &vm->first_ticket; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	(void)pthread_cond_broadcast(&vm->turn);
}

static int wait_turn(struct gmem_vm *vm, const struct gmem__ticket *t,
		     bool nowait, const int *cancel, struct gmem_error *err)
{
	const struct gmem__ctx *ctx = &vm->ctx;

	while (must_wait(vm, t)) {
		if (nowait)
			return gmem__fail(err, GMEM_REASON_RANGE_BUSY,
					  t->r[0].start, 0,
					  "another change overlaps offset "
					  "0x%" PRIx64,
					  t->r[0].start);
		if (gmem__cancelled(cancel))
			return gmem__fail(err, GMEM_REASON_CANCELLED, 0, 0,
					  "cancelled while waiting for another "
					  "change of offset 0x%" PRIx64,
					  t->r[0].start);
		ctx->sys->cond_wait(ctx->priv, &vm->turn, &vm->lock,
				    cancel ? CANCEL_POLL_NS : 0);
	}
	return 0;
}

int gmem__ticket_take(struct gmem_vm *vm, struct gmem__ticket *t,
		      const struct gmem__range *r, unsigned int n, bool nowait,
		      const int *cancel, struct gmem_error *err)
{
	int ret = gmem__not_in_callback(err);

	if (ret < 0)
		return ret;
	t->r = r;
	t->n = n;
	gmem__lock(&vm->lock);
	enqueue(vm, t);
	ret = wait_turn(vm, t, nowait, cancel, err);
	if (ret < 0)
		dequeue(vm, t);
	gmem__unlock(&vm->lock);
	return ret;
}

void gmem__ticket_return(struct gmem_vm *vm, const struct gmem__ticket *t)
{
	gmem__lock(&vm->lock);
	dequeue(vm, t);
	gmem__unlock(&vm->lock);
}
