// SPDX-License-Identifier: MIT
/*
 * The table of a VM's slots: in order by id, by guest address and by offset in
 * their file, so that no lookup grows with their number.
 */
#include <stddef.h>

#include "file.h"
#include "slot.h"
#include "vm.h"

_Static_assert(sizeof(struct gmem_slot) == GMEM__SLOT_V0, "ABI");

/* fd mode binds a range once, HVA mode any number of times: two groups. */
static uint64_t file_group(const struct gmem *g, bool fd)
{
	return (uint64_t)(uintptr_t)g | fd;
}

struct gmem__slot *gmem__slot_find(struct gmem_vm *vm, struct gmem__slot_id id)
{
	return gmem__slot_of(gmem__tree_overlap(&vm->by_id, id.address_space,
						id.slot, (uint64_t)id.slot + 1),
			     offsetof(struct gmem__slot, by_id));
}

struct gmem__slot *gmem__slot_by_gpa(struct gmem_vm *vm, uint32_t address_space,
				     uint64_t gpa, uint64_t len)
{
	return gmem__slot_of(
		gmem__tree_overlap(&vm->by_gpa, address_space, gpa, gpa + len),
		offsetof(struct gmem__slot, by_gpa));
}

struct gmem__slot *gmem__slot_by_offset(struct gmem_vm *vm,
					const struct gmem *g, uint64_t mode,
					uint64_t offset, uint64_t len)
{
	return gmem__slot_of(
		gmem__tree_overlap(&vm->by_offset,
				   file_group(g, mode == GMEM_SLOT_FD), offset,
				   offset + len),
		offsetof(struct gmem__slot, by_offset));
}

struct gmem__slot *gmem__slot_by_addr(struct gmem_vm *vm, uint64_t addr,
				      uint64_t len)
{
	return gmem__slot_of(
		gmem__tree_overlap(&vm->by_addr, 0, addr, addr + len),
		offsetof(struct gmem__slot, by_addr));
}

void gmem__slot_deleted(struct gmem_vm *vm, struct gmem__slot *s)
{
	gmem__tree_remove(&vm->by_addr, &s->by_addr);
	s->state = GMEM__SLOT_LEFT;
}

struct gmem__slot *gmem__slot_first(struct gmem_vm *vm)
{
	return gmem__slot_of(gmem__tree_first(&vm->by_id),
			     offsetof(struct gmem__slot, by_id));
}

struct gmem__slot *gmem__slot_next(const struct gmem__slot *s)
{
	return gmem__slot_of(gmem__tree_next(&s->by_id),
			     offsetof(struct gmem__slot, by_id));
}

void gmem__slot_put_in(struct gmem_vm *vm, struct gmem__slot *s)
{
	const struct gmem_slot *p = &s->s;

	s->serial = ++vm->serial;
	s->by_id.group = s->by_gpa.group = p->address_space;
	s->by_id.start = p->slot;
	s->by_id.end = (uint64_t)p->slot + 1;
	s->by_gpa.start = p->gpa;
	s->by_gpa.end = p->gpa + p->len;
	gmem__tree_insert(&vm->by_id, &s->by_id);
	gmem__tree_insert(&vm->by_gpa, &s->by_gpa);
	s->by_addr.start = p->userspace_addr;
	s->by_addr.end = p->userspace_addr + p->len;
	gmem__tree_insert(&vm->by_addr, &s->by_addr);
	if (!p->gmem)
		return;
	s->by_offset.group = file_group(p->gmem, p->flags & GMEM_SLOT_FD);
	s->by_offset.start = p->offset;
	s->by_offset.end = p->offset + p->len;
	gmem__tree_insert(&vm->by_offset, &s->by_offset);
	p->gmem->slots++;
}

void gmem__slot_take_out(struct gmem_vm *vm, struct gmem__slot *s)
{
	gmem__tree_remove(&vm->by_id, &s->by_id);
	gmem__tree_remove(&vm->by_gpa, &s->by_gpa);
	if (s->state != GMEM__SLOT_LEFT)
		gmem__tree_remove(&vm->by_addr, &s->by_addr);
	if (!s->s.gmem)
		return;
	gmem__tree_remove(&vm->by_offset, &s->by_offset);
	s->s.gmem->slots--;
}

uint64_t gmem__slot_lost(const struct gmem *g, const struct gmem_slot *s)
{
	uint64_t page, skip, lost = 0, end = s->gpa + s->len;

	if (!g || g->page_size == g->ctx->page_size)
		return 0;
	page = g->page_size;
	skip = (page - s->gpa % page) % page;
	/* No whole page of the file lies at one of the guest. */
	if ((s->gpa - s->offset) % page || skip > s->len ||
	    s->len - skip < page)
		return GMEM_SLOT_NO_HUGE;
	if (skip)
		lost |= GMEM_SLOT_SMALL_START;
	if (end % page)
		lost |= GMEM_SLOT_SMALL_END;
	return lost;
}

void gmem__slot_set_stuck(struct gmem_vm *vm, struct gmem__slot *s, bool stuck)
{
	if (s->prev_stuck) {
		*s->prev_stuck = s->next_stuck;
		if (s->next_stuck)
			s->next_stuck->prev_stuck = s->prev_stuck;
		else
			vm->stuck_end = s->prev_stuck;
		s->prev_stuck = NULL;
	}
	if (!stuck)
		return;
	/* At the end: a walk that tries each again meets the others first. */
	if (!vm->stuck)
		vm->stuck_end = &vm->stuck;
	s->next_stuck = NULL;
	s->prev_stuck = vm->stuck_end;
	*vm->stuck_end = s;
	vm->stuck_end = &s->next_stuck;
	s->state = GMEM__SLOT_STUCK;
	s->s.flags |= GMEM_SLOT_STUCK;
}
