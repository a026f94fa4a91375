// SPDX-License-Identifier: MIT
/* KVM_SET_MEMORY_ATTRIBUTES by guest address. */
#include "case.h"

#define PRIVATE UAPI_ATTRIBUTE_PRIVATE

static int set(struct conform *c, int vm, const struct uapi_attributes *a)
{
	struct uapi_attributes copy = *a;

	return c_ioctl(c, vm, UAPI_KVM_SET_MEMORY_ATTRIBUTES, &copy);
}

static void refusals(struct conform *c)
{
	struct uapi_attributes good = { .size = c->page,
					.attributes = PRIVATE };
	struct uapi_attributes a = good;
	int vm = c_vm(c, 1);

	IS(c_ioctl(c, vm, UAPI_KVM_SET_MEMORY_ATTRIBUTES, BAD_ADDRESS),
	   -EFAULT);
	a.flags = 1;
	IS(set(c, vm, &a), -EINVAL);
	for (unsigned int bit = 0; bit < 64; bit++) {
		a = good;
		a.attributes = 1ULL << bit;
		IS(set(c, vm, &a), 1ULL << bit == PRIVATE ? 0 : -EINVAL);
	}
	a = good;
	a.size = 0;
	IS(set(c, vm, &a), -EINVAL);
	a.size = c->page / 2;
	IS(set(c, vm, &a), -EINVAL);
	a = good;
	a.address = 1;
	IS(set(c, vm, &a), -EINVAL);
	a.address = UINT64_MAX - c->page + 1;
	a.size = 2 * c->page;
	IS(set(c, vm, &a), -EINVAL);
	IS(set(c, vm, &good), 0);
}

static void without_slots(struct conform *c)
{
	int vm = c_vm(c, 1);

	IS(c_attributes(c, vm, 64 * c->page, c->page, PRIVATE), 0);
	IS(c_attributes(c, vm, 64 * c->page, c->page, PRIVATE), 0);
	IS(c_attributes(c, vm, 0, 1024 * c->page, 0), 0);
}

static void default_vm(struct conform *c)
{
	int vm = c_vm(c, 0);

	IS(c_attributes(c, vm, 0, c->page, 0), 0);
	IS(c_attributes(c, vm, 0, c->page, PRIVATE), -EINVAL);
}

static void not_built(struct conform *c)
{
	int vm = c_vm(c, 0);

	if (c->have & NEED_PRIVATE)
		return;
	IS(c_attributes(c, vm, 0, c->page, 0), c->arm64 ? -EINVAL : -ENOTTY);
}

static int set_in_child(struct conform *c, int vm)
{
	return c_attributes(c, vm, 0, c->page, PRIVATE);
}

static void other_process(struct conform *c)
{
	IS(c_child(c, set_in_child, c_vm(c, 1)), -EIO);
}

const struct conform_case attr_cases[] = {
	{ "attributes: EINVAL, EFAULT", "attribute_refusals",
	  NEED_PRIVATE | NEED_BY_GPA, refusals },
	{ "attributes: without slots; trap: gaps", "attributes_without_slots",
	  NEED_PRIVATE | NEED_BY_GPA, without_slots },
	{ "attributes: VM type without private memory",
	  "attributes_of_a_default_vm", NEED_PRIVATE, default_vm },
	{ "attributes: ENOTTY where not built", "attributes_not_built",
	  NEED_GMEM, not_built },
	{ "attributes: EIO in another process", "attributes_in_another_process",
	  NEED_PRIVATE | NEED_BY_GPA, other_process },
	{ 0 },
};
