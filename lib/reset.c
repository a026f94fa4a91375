// SPDX-License-Identifier: MIT
/*
 * Attributes by guest address.  They belong to the VM and outlive the slots,
 * so the next slot at an address would inherit what the last one left.
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

static bool inside(const struct gmem_slot *s, uint64_t gpa, uint64_t len)
{
	return s->gpa >= gpa && s->gpa + s->len <= gpa + len;
}

/* Whether a deleted slot left attributes in the range. */
static bool pending(struct gmem_vm *vm, uint64_t gpa, uint64_t len)
{
	const struct gmem__slot *s;

	(void)pthread_mutex_lock(&vm->lock);
	for (s = vm->slots; s; s = s->next)
		if (s->deleted && s->s.gpa < gpa + len &&
		    gpa < s->s.gpa + s->s.len)
			break;
	(void)pthread_mutex_unlock(&vm->lock);
	return s;
}

/* Forgets what was left in the range and nowhere else. */
static void settled(struct gmem_vm *vm, uint64_t gpa, uint64_t len)
{
	struct gmem__slot **p, *s;

	(void)pthread_mutex_lock(&vm->lock);
	for (p = &vm->slots; (s = *p) != NULL;) {
		if (s->deleted && inside(&s->s, gpa, len)) {
			*p = s->next;
			gmem__free(&vm->ctx, s);
		} else {
			p = &s->next;
		}
	}
	(void)pthread_mutex_unlock(&vm->lock);
}

/* Only the range of the new slot is touched: the rest may be others' now. */
int gmem__reset_pending(struct gmem_vm *vm, uint64_t gpa, uint64_t len,
			struct gmem_error *err)
{
	int r;

	if (!pending(vm, gpa, len))
		return 0;
	r = gmem__gpa_attributes(vm, gpa, len, GMEM_ATTRIBUTE_SHARED, NULL);
	if (r < 0)
		return gmem__fail_sys(err, GMEM_REASON_RESET_PENDING, -EIO, r,
				      gpa, len,
				      "the attributes that a slot left at gpa "
				      "0x%" PRIx64 " + 0x%" PRIx64
				      " still can not be reset: %s",
				      gpa, len, gmem__errno_name(r));
	settled(vm, gpa, len);
	return 0;
}
