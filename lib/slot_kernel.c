// SPDX-License-Identifier: MIT
/* The ioctls that make and end a memory slot. */
#include <errno.h>

#include "call.h"
#include "slot_kernel.h"
#include "uapi.h"
#include "vm.h"

static uint32_t kernel_slot(const struct gmem_slot *s)
{
	return s->slot | s->address_space << 16;
}

int gmem__slot_create(struct gmem_vm *vm, const struct gmem_slot *s, int fd)
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

int gmem__slot_delete(struct gmem_vm *vm, const struct gmem_slot *s)
{
	struct gmem__region r = { .slot = kernel_slot(s) };
	int ret = gmem__ioctl(&vm->ctx, vm->fd,
			      GMEM__KVM_SET_USER_MEMORY_REGION, &r);

	return ret == -EIO ? 0 : ret;
}
