// SPDX-License-Identifier: MIT
/*
 * Ranges that are being changed.  Disjoint changes of one file run in
 * parallel, overlapping ones wait for each other, and no lock is held while
 * the kernel or a callback runs.
 */
#include <errno.h>
#include <inttypes.h>

#include "internal.h"

static bool overlapped(const struct gmem_vm *vm, const struct gmem__busy *b)
{
	const struct gmem__busy *o;

	for (o = vm->busy; o; o = o->next)
		if (o->object == b->object && o->start < b->end &&
		    b->start < o->end)
			return true;
	return false;
}

/*
 * Whether this thread is in a callback of a change.  Any other range is
 * refused too: two callbacks could wait for each other's.
 */
static bool nested(const struct gmem_vm *vm, pthread_t self)
{
	const struct gmem__busy *o;

	for (o = vm->busy; o; o = o->next)
		if (pthread_equal(o->owner, self))
			return true;
	return false;
}

int gmem__busy_begin(struct gmem_vm *vm, struct gmem__busy *b,
		     const void *object, uint64_t start, uint64_t end,
		     struct gmem_error *err)
{
	int r = 0;

	b->object = object;
	b->start = start;
	b->end = end;
	b->owner = pthread_self();
	(void)pthread_mutex_lock(&vm->lock);
	if (nested(vm, b->owner)) {
		r = gmem__fail(err, GMEM_REASON_DEADLOCK, start, 0,
			       "a callback of a change may not change offset "
			       "0x%" PRIx64,
			       start);
	} else {
		while (overlapped(vm, b))
			(void)pthread_cond_wait(&vm->idle, &vm->lock);
		b->next = vm->busy;
		vm->busy = b;
	}
	(void)pthread_mutex_unlock(&vm->lock);
	return r;
}

void gmem__busy_end(struct gmem_vm *vm, struct gmem__busy *b)
{
	struct gmem__busy **p;

	(void)pthread_mutex_lock(&vm->lock);
	for (p = &vm->busy; *p != b; p = &(*p)->next)
		;
	*p = b->next;
	(void)pthread_cond_broadcast(&vm->idle);
	(void)pthread_mutex_unlock(&vm->lock);
}
