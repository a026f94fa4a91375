// SPDX-License-Identifier: MIT
#include <errno.h>

#include "attr_gpa.h"
#include "call.h"
#include "file.h"
#include "lock.h"
#include "region.h"
#include "uapi.h"
#include "vm.h"

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

int gmem__gpa_reset(struct gmem_vm *vm, uint64_t gpa, uint64_t len)
{
	int r = gmem__gpa_attributes(vm, gpa, len, GMEM_ATTRIBUTE_SHARED, NULL);

	return r == -EIO ? 0 : r;
}

void gmem__slot_record(struct gmem_vm *vm, const struct gmem_slot *s,
		       uint64_t at, uint64_t len, enum gmem__state state)
{
	struct gmem *g = s->gmem;

	if (!g || !g->record.blocks || !gmem__by_gpa(vm, s))
		return;
	gmem__lock(&g->lock);
	gmem__region_slot_state(g, s->offset + at, len, state);
	gmem__record_set(&g->record, s->offset + at, len, state);
	gmem__unlock(&g->lock);
}
