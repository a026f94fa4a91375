// SPDX-License-Identifier: MIT
/* The slots of a VM: the table, and the ioctls that make and end one. */
#include <errno.h>
#include <inttypes.h>

#include "slot.h"

struct gmem__slot *gmem__slot_find(struct gmem_vm *vm, uint32_t slot,
				   uint32_t address_space)
{
	struct gmem__slot *s;

	for (s = vm->slots; s; s = s->next)
		if (!s->deleted && s->s.slot == slot &&
		    s->s.address_space == address_space)
			return s;
	return NULL;
}

struct gmem__slot *gmem__slot_at(struct gmem_vm *vm, const struct gmem *g,
				 uint64_t offset)
{
	struct gmem__slot *s;

	for (s = vm->slots; s; s = s->next)
		if (!s->deleted && !s->busy && s->s.gmem == g &&
		    (s->s.flags & GMEM_SLOT_FD) && offset >= s->s.offset &&
		    offset - s->s.offset < s->s.len)
			return s;
	return NULL;
}

static uint32_t kernel_slot(const struct gmem_slot *s)
{
	return s->slot | s->address_space << 16;
}

int gmem__region_set(struct gmem_vm *vm, const struct gmem_slot *s, int fd)
{
	struct gmem__region2 r = {
		.region = {
			.slot = kernel_slot(s),
			.guest_phys_addr = s->gpa,
			.memory_size = s->len,
			.userspace_addr = s->userspace_addr,
		},
		.guest_memfd = (uint32_t)fd,
		.guest_memfd_offset = s->offset,
	};

	if (s->flags & GMEM_SLOT_FD) {
		r.region.flags = GMEM__MEM_GUEST_MEMFD;
		return gmem__ioctl(&vm->ctx, vm->fd,
				   GMEM__KVM_SET_USER_MEMORY_REGION2, &r);
	}
	if (s->flags & GMEM_SLOT_READONLY)
		r.region.flags |= GMEM__MEM_READONLY;
	if (s->flags & GMEM_SLOT_DIRTY_LOG)
		r.region.flags |= GMEM__MEM_LOG_DIRTY_PAGES;
	return gmem__ioctl(&vm->ctx, vm->fd, GMEM__KVM_SET_USER_MEMORY_REGION,
			   &r.region);
}

int gmem__region_delete(struct gmem_vm *vm, const struct gmem_slot *s)
{
	struct gmem__region r = { .slot = kernel_slot(s) };
	int ret = gmem__ioctl(&vm->ctx, vm->fd,
			      GMEM__KVM_SET_USER_MEMORY_REGION, &r);

	return ret == -EIO ? 0 : ret;
}

bool gmem__by_gpa(const struct gmem_vm *vm, const struct gmem_slot *s)
{
	return (s->flags & GMEM_SLOT_FD) &&
	       gmem__has(vm, GMEM_FEATURE_VM_ATTRIBUTES) &&
	       !gmem__has(vm, GMEM_FEATURE_FILE_ATTRIBUTES);
}

void gmem__slot_record(struct gmem_vm *vm, const struct gmem_slot *s,
		       enum gmem__state state)
{
	struct gmem *g = s->gmem;

	if (!g || !g->record.blocks || !gmem__by_gpa(vm, s))
		return;
	(void)pthread_mutex_lock(&g->lock);
	gmem__record_set(&g->record, s->offset, s->len, state);
	(void)pthread_mutex_unlock(&g->lock);
}

void gmem__slot_remove(struct gmem_vm *vm, struct gmem__slot *s)
{
	struct gmem__slot **p;

	(void)pthread_mutex_lock(&vm->lock);
	for (p = &vm->slots; *p != s; p = &(*p)->next)
		;
	*p = s->next;
	if (s->s.gmem)
		s->s.gmem->slots--;
	(void)pthread_mutex_unlock(&vm->lock);
	gmem__free(&vm->ctx, s);
}

void gmem__slot_pending(struct gmem_vm *vm, struct gmem__slot *s)
{
	(void)pthread_mutex_lock(&vm->lock);
	s->deleted = true;
	if (s->s.gmem)
		s->s.gmem->slots--;
	s->s.gmem = NULL;
	(void)pthread_mutex_unlock(&vm->lock);
}

int gmem__slot_insert(struct gmem_vm *vm, struct gmem__slot *s,
		      const struct gmem__bind *b, struct gmem_error *err)
{
	struct gmem__slot conflict;
	int r;

	(void)pthread_mutex_lock(&vm->lock);
	r = gmem__bind_table(vm, s->s.gmem, b, &conflict, err);
	if (r == 0) {
		s->next = vm->slots;
		vm->slots = s;
		if (s->s.gmem)
			s->s.gmem->slots++;
	}
	(void)pthread_mutex_unlock(&vm->lock);
	return r < 0 ? gmem__bind_dead(vm, &conflict, r, err) : 0;
}

int gmem__need_vm(const struct gmem *g, struct gmem_error *err)
{
	if (g->vm)
		return 0;
	return gmem__fail(err, GMEM_REASON_NOT_A_VM, 0, 0,
			  "the file was adopted without a VM");
}

int gmem__slots_delete(struct gmem_vm *vm, struct gmem_error *err)
{
	struct gmem__slot *s;
	int first = 0, r;

	for (s = vm->slots; s; s = s->next) {
		if (s->deleted || (s->s.flags & GMEM_SLOT_NOTED))
			continue;
		r = gmem__region_delete(vm, &s->s);
		if (r == 0 && gmem__by_gpa(vm, &s->s) && !vm->owns_fd) {
			r = gmem__gpa_attributes(vm, s->s.gpa, s->s.len,
						 GMEM_ATTRIBUTE_SHARED, NULL);
			if (r == -EIO)
				r = 0;
		}
		if (r < 0 && first == 0)
			first = gmem__fail_call(err, r, "deleting a slot");
	}
	return first;
}

void gmem__slots_free(struct gmem_vm *vm)
{
	struct gmem__slot *s;

	while ((s = vm->slots) != NULL) {
		vm->slots = s->next;
		gmem__free(&vm->ctx, s);
	}
}
