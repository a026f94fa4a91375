// SPDX-License-Identifier: MIT
/* The device and the VM: making one, and the ioctls on both. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "model.h"
#include "uapi.h"

#define IPA_BITS_DEFAULT 40
#define IPA_BITS_MIN 32
#define IPA_BITS_MAX 48

static int unknown(const struct kernel *k)
{
	return k->machine == GMEM_MODEL_ARM64 ? -EINVAL : -ENOTTY;
}

static int vm_kind(const struct kernel *k, unsigned long arg, struct vm *vm)
{
	if (k->machine != GMEM_MODEL_ARM64) {
		if (arg >= 32 || !(k->types >> arg & 1))
			return -EINVAL;
		vm->type = (uint32_t)arg;
		return 0;
	}
	if (arg && (arg < IPA_BITS_MIN || arg > IPA_BITS_MAX))
		return -EINVAL;
	vm->ipa_bits = arg ? (unsigned int)arg : IPA_BITS_DEFAULT;
	return 0;
}

static int vm_create(struct kernel *k, unsigned long arg)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int fd, r;

	if (!vm)
		return -ENOMEM;
	r = vm_kind(k, arg, vm);
	if (r < 0)
		goto err_free;
	fd = r = model__body(0, true, &vm->o.twin);
	if (r < 0)
		goto err_free;
	r = model__object_add(k, &vm->o, OBJECT_VM, fd);
	if (r < 0)
		goto err_fd;
	return fd;
err_fd:
	(void)close(fd);
	(void)close(vm->o.twin);
err_free:
	free(vm);
	return r;
}

void model__vm_free(struct vm *vm)
{
	model__slots_free(vm);
	model__ranges_free(&vm->attributes);
	(void)close(vm->o.twin);
	free(vm);
}

static int device_ioctl(struct kernel *k, unsigned long request, void *arg)
{
	switch (request) {
	case GMEM__KVM_GET_API_VERSION:
		return arg ? -EINVAL : GMEM__KVM_API_VERSION;
	case GMEM__KVM_CREATE_VM:
		return vm_create(k, (uintptr_t)arg);
	case GMEM__KVM_CHECK_EXTENSION:
		return model__cap(k, NULL, (uintptr_t)arg);
	default:
		return -EINVAL;
	}
}

/* By guest address; the state outlives the slots. */
static int set_attributes(struct kernel *k, struct vm *vm, const void *arg)
{
	uint64_t known = 0;
	struct gmem__attributes a;
	int r = model__copy_in(&a, arg, sizeof(a));

	if (r < 0)
		return r;
	if (model__vm_private(vm) && !model__has(k, MODEL_IN_PLACE))
		known = GMEM__ATTRIBUTE_PRIVATE;
	if (a.flags || (a.attributes & ~known) || a.size == 0 ||
	    a.address + a.size < a.address ||
	    (a.address | a.size) % k->page_size)
		return -EINVAL;
	return model__ranges_set(&vm->attributes, a.address, a.address + a.size,
				 a.attributes);
}

/* The one capability that is enabled here: exits for hypercalls. */
static int enable_cap(const struct kernel *k, const void *arg)
{
	struct gmem__enable_cap c;
	int r = model__copy_in(&c, arg, sizeof(c));

	if (r < 0)
		return r;
	if (c.cap != GMEM__CAP_EXIT_HYPERCALL || c.flags ||
	    k->machine == GMEM_MODEL_ARM64 ||
	    c.args[0] & ~(uint64_t)GMEM__HC_MAP_GPA_RANGE_BIT)
		return -EINVAL;
	return 0;
}

static int vm_ioctl(struct kernel *k, struct vm *vm, unsigned long request,
		    void *arg)
{
	if (vm->dead || model__forked(k))
		return -EIO;
	switch (request) {
	case GMEM__KVM_CHECK_EXTENSION:
		return model__cap(k, vm, (uintptr_t)arg);
	case GMEM__KVM_ENABLE_CAP:
		return enable_cap(k, arg);
	case GMEM__KVM_CREATE_GUEST_MEMFD:
		if (!model__has(k, MODEL_MMAP) && !model__private_built(k))
			return unknown(k);
		return model__file_create(k, vm, arg);
	case GMEM__KVM_SET_USER_MEMORY_REGION:
		return model__slot_set(k, vm, arg, false);
	case GMEM__KVM_SET_USER_MEMORY_REGION2:
		return model__slot_set(k, vm, arg, true);
	case GMEM__KVM_SET_MEMORY_ATTRIBUTES:
		if (!model__private_built(k))
			return unknown(k);
		return set_attributes(k, vm, arg);
	default:
		return unknown(k);
	}
}

int model__ioctl(struct kernel *k, int fd, unsigned long request, void *arg)
{
	struct object *o = model__object(k, fd);
	struct gmem__stat st;
	int r;

	if (!o) {
		r = gmem__sys_linux.fstat(NULL, fd, &st);
		return r < 0 ? r : -ENOTTY;
	}
	switch (o->type) {
	case OBJECT_DEVICE:
		return device_ioctl(k, request, arg);
	case OBJECT_VM:
		return vm_ioctl(k, (struct vm *)o, request, arg);
	default:
		return model__file_ioctl(k, (struct file *)o, request, arg);
	}
}
