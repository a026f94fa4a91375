// SPDX-License-Identifier: MIT
/*
 * Attributes by guest address.  They belong to the VM and outlive the slots,
 * so the next slot at an address would inherit what the last one left: what
 * could not be reset, or was not to be, is kept in mind here.
 */
#include <errno.h>
#include <inttypes.h>

#include "slot.h"

int gmem__gpa_attributes(struct gmem_vm *vm, uint64_t gpa, uint64_t len,
			 uint64_t attributes, uint64_t *done)
{
	uint64_t pos = 0;
	int r = 0;

	while (pos < len) {
		struct gmem__attributes a = {
			.address = gpa + pos,
			.size = len - pos < GMEM__STEP ? len - pos : GMEM__STEP,
			.attributes = attributes,
		};

		r = gmem__ioctl(&vm->ctx, vm->fd,
				GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a);
		if (r == -EINTR)
			continue;
		if (r < 0)
			break;
		pos += a.size;
	}
	if (done)
		*done = pos;
	return r;
}

void gmem__slot_record(struct gmem_vm *vm, const struct gmem_slot *s,
		       uint64_t at, uint64_t len, enum gmem__state state)
{
	struct gmem *g = s->gmem;

	if (!g || !g->record.blocks || !gmem__by_gpa(vm, s) || len == 0)
		return;
	(void)pthread_mutex_lock(&g->lock);
	gmem__record_set(&g->record, s->offset + at, len, state);
	(void)pthread_mutex_unlock(&g->lock);
}

static struct gmem__slot *slot_of(struct gmem__node *n)
{
	return (struct gmem__slot *)(void *)((char *)n -
					     offsetof(struct gmem__slot,
						      by_gpa));
}

static struct gmem__slot *left_at(const struct gmem_vm *vm, uint64_t start,
				  uint64_t end)
{
	struct gmem__node *n = gmem__tree_overlap(&vm->left, 0, start, end);

	return n ? slot_of(n) : NULL;
}

static void left_put(struct gmem_vm *vm, struct gmem__slot *s, uint64_t start,
		     uint64_t end)
{
	s->by_gpa.group = 0;
	s->by_gpa.start = start;
	s->by_gpa.end = end;
	gmem__tree_insert(&vm->left, &s->by_gpa);
}

static void left_drop(struct gmem_vm *vm, struct gmem__slot *s)
{
	gmem__tree_remove(&vm->left, &s->by_gpa);
	gmem__free(&vm->ctx, s);
}

/* Ranges that touch become one, so that their number stays small. */
void gmem__left_add(struct gmem_vm *vm, struct gmem__slot *s)
{
	uint64_t start = s->s.gpa, end = start + s->s.len;
	struct gmem__slot *o;

	while ((o = left_at(vm, start - (start > 0), end + 1)) != NULL) {
		if (o->by_gpa.start < start)
			start = o->by_gpa.start;
		if (o->by_gpa.end > end)
			end = o->by_gpa.end;
		left_drop(vm, o);
	}
	s->state = GMEM__SLOT_LEFT;
	left_put(vm, s, start, end);
}

bool gmem__left_in(struct gmem_vm *vm, uint64_t gpa, uint64_t len)
{
	bool left;

	(void)pthread_mutex_lock(&vm->lock);
	left = left_at(vm, gpa, gpa + len) != NULL;
	(void)pthread_mutex_unlock(&vm->lock);
	return left;
}

/*
 * A range in the middle of a larger one stays in mind: two rests would take
 * memory, and one reset too many does no harm.
 */
void gmem__left_settled(struct gmem_vm *vm, uint64_t gpa, uint64_t len)
{
	uint64_t end = gpa + len, start, stop;
	struct gmem__slot *s;

	(void)pthread_mutex_lock(&vm->lock);
	while ((s = left_at(vm, gpa, end)) != NULL) {
		start = s->by_gpa.start;
		stop = s->by_gpa.end;
		if (start >= gpa && stop <= end) {
			left_drop(vm, s);
			continue;
		}
		if (start < gpa && stop > end)
			break;
		gmem__tree_remove(&vm->left, &s->by_gpa);
		if (start < gpa)
			left_put(vm, s, start, gpa);
		else
			left_put(vm, s, end, stop);
	}
	(void)pthread_mutex_unlock(&vm->lock);
}

void gmem__left_free(struct gmem_vm *vm)
{
	struct gmem__node *n;

	while ((n = gmem__tree_first(&vm->left)) != NULL)
		left_drop(vm, slot_of(n));
}
