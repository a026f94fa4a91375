// SPDX-License-Identifier: MIT
/* Making, adopting and releasing a VM. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "call.h"
#include "callback.h"
#include "error.h"
#include "file.h"
#include "left.h"
#include "opts.h"
#include "seam.h"
#include "slot_end.h"
#include "uapi.h"
#include "vm.h"
#include "vm_kind.h"

#define VM_OPTS_V0 48

_Static_assert(sizeof(struct gmem_vm_opts) == VM_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type =
	GMEM__OPTS_TYPE(gmem_vm_opts, VM_OPTS_V0, 0);

static int opts_take(const struct gmem_vm_opts *opts, struct gmem_vm_opts *o,
		     struct gmem_error *err)
{
	int r = gmem__opts_take(&opts_type, opts, o, err);

	if (r < 0)
		return r;
	if (o->type && !gmem_name(GMEM_NAME_VM_TYPE, o->type))
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, o->type,
				  GMEM_VM_TDX, "VM type %u is unknown",
				  o->type);
	if (!gmem_name(GMEM_NAME_HUGETLB_ENCODING, o->hugetlb_encoding))
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN,
				  o->hugetlb_encoding, GMEM_HUGETLB_PAGE_ORDER,
				  "huge page encoding %u is unknown",
				  o->hugetlb_encoding);
	return 0;
}

static int vm_alloc(const struct gmem_sys *sys, void *priv,
		    const struct gmem_vm_opts *o, struct gmem_vm **out,
		    struct gmem_error *err)
{
	struct gmem_vm *vm = sys->alloc(priv, sizeof(*vm));
	pthread_condattr_t attr;
	int r;

	if (!vm)
		return gmem__fail_call(err, -ENOMEM, "allocating the VM");
	r = gmem__ctx_init(&vm->ctx, sys, priv, o, err);
	if (r < 0) {
		sys->free(priv, vm);
		return r;
	}
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&vm->lock, NULL);
	(void)pthread_cond_init(&vm->turn, &attr);
	(void)pthread_condattr_destroy(&attr);
	vm->encoding = o->hugetlb_encoding;
	*out = vm;
	return 0;
}

static int vm_free(struct gmem_vm *vm)
{
	const struct gmem_sys *sys = vm->ctx.sys;
	void *priv = vm->ctx.priv;
	bool forked = gmem__ctx_forked(&vm->ctx);
	int r;

	if (vm->owns_fd)
		(void)gmem__close(&vm->ctx, vm->fd);
	r = gmem__ctx_fini(&vm->ctx);
	/* In a child these would wait for threads that it does not have. */
	if (!forked) {
		(void)pthread_mutex_destroy(&vm->lock);
		(void)pthread_cond_destroy(&vm->turn);
	}
	sys->free(priv, vm);
	return r;
}

/* What the checks of a bind need and no feature shows. */
static int learn_limits(struct gmem_vm *vm, struct gmem_error *err)
{
	int r = gmem__cap(&vm->ctx, vm->fd, GMEM__CAP_NR_MEMSLOTS);

	vm->slot_limit = r > 0 ? (uint32_t)r : 0;
	r = gmem__cap(&vm->ctx, vm->fd, GMEM__CAP_MULTI_ADDRESS_SPACE);
	vm->address_spaces = r > 1 ? (uint32_t)r : 1;
	r = gmem__cap(&vm->ctx, vm->fd, GMEM__CAP_READONLY_MEM);
	vm->readonly_slots = r > 0;
	r = gmem__probe(vm);
	return r < 0 ? gmem__fail_call(err, r, "trying a file of the VM") : 0;
}

static int open_device(struct gmem_vm *vm, const char *path,
		       struct gmem_error *err)
{
	int fd = gmem__open(&vm->ctx, path, O_RDWR | O_CLOEXEC), r;

	switch (fd) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
	case -ENOTDIR:
		return gmem__fail_sys(err, GMEM_REASON_NO_DEVICE, 0, fd, 0, 0,
				      "there is no KVM device at %s", path);
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return gmem__fail_sys(err, GMEM_REASON_DEVICE_ACCESS, 0, fd, 0,
				      0, "no permission to open %s", path);
	default:
		if (fd < 0)
			return gmem__fail_call(err, fd, path);
	}
	r = gmem__ioctl(&vm->ctx, fd, GMEM__KVM_GET_API_VERSION, NULL);
	if (r == GMEM__KVM_API_VERSION)
		return fd;
	(void)gmem__close(&vm->ctx, fd);
	/* A device that does not know the call is another; not a filter. */
	if (r < 0 && r != -ENOTTY && r != -EINVAL)
		return gmem__fail_call(err, r, "KVM_GET_API_VERSION");
	return gmem__fail_sys(err, GMEM_REASON_NOT_KVM, -EINVAL, r < 0 ? r : 0,
			      r < 0 ? 0 : (uint64_t)r, GMEM__KVM_API_VERSION,
			      "%s is not a KVM device with API version %d",
			      path, GMEM__KVM_API_VERSION);
}

/* @types: bit n is KVM's type n. */
static int refuse_type(uint32_t type, int sys, int types,
		       struct gmem_error *err)
{
	char offered[64] = "";
	const char *name;
	uint64_t value;
	size_t n = 0;

	for (uint32_t i = 0;
	     (name = gmem_name_at(GMEM_NAME_VM_TYPE, i, &value)); i++)
		if (types & 1 << gmem__kvm_type((uint32_t)value))
			n += (size_t)snprintf(offered + n, sizeof(offered) - n,
					      "%s%s", n ? ", " : "", name);
	name = gmem_name(GMEM_NAME_VM_TYPE, type ? type : GMEM_VM_DEFAULT);
	return gmem__fail_sys(err, GMEM_REASON_VM_TYPE_UNSUPPORTED, -EOPNOTSUPP,
			      sys, type, (uint64_t)types,
			      "this host has no VM type %s%s%s", name,
			      n ? "; it offers " : "", offered);
}

/* The argument of KVM_CREATE_VM: a type on x86-64, an IPA size on arm64. */
static int create_arg(struct gmem_vm *vm, int device,
		      const struct gmem_vm_opts *o, unsigned long *arg,
		      struct gmem_error *err)
{
	uint32_t index = gmem__kvm_type(o->type);
	uint32_t ipa_bits = o->ipa_bits;
	int types;

	if (vm->ctx.arm64) {
		if (ipa_bits > GMEM__ARM_IPA_BITS_MAX)
			return gmem__fail(err, GMEM_REASON_IPA_BITS, ipa_bits,
					  GMEM__ARM_IPA_BITS_MAX,
					  "ipa_bits %u is above %d", ipa_bits,
					  GMEM__ARM_IPA_BITS_MAX);
		if (index)
			return refuse_type(o->type, 0, 1, err);
		*arg = ipa_bits;
		return 0;
	}
	if (ipa_bits)
		return gmem__fail(err, GMEM_REASON_IPA_BITS, ipa_bits, 0,
				  "ipa_bits %u on a host that is not arm64",
				  ipa_bits);
	types = gmem__cap(&vm->ctx, device, GMEM__CAP_VM_TYPES);
	if (types == 0)
		types = 1; /* before 6.8 */
	if (types > 0 && !(types & 1 << index))
		return refuse_type(o->type, 0, types, err);
	*arg = index;
	return 0;
}

static int create_vm(struct gmem_vm *vm, int device,
		     const struct gmem_vm_opts *o, struct gmem_error *err)
{
	unsigned long arg = 0;
	int r = create_arg(vm, device, o, &arg, err);

	if (r < 0)
		return r;
	do {
		r = gmem__ioctl(&vm->ctx, device, GMEM__KVM_CREATE_VM,
				(void *)arg);
	} while (r == -EINTR);
	if (r == -EINVAL && vm->ctx.arm64)
		return gmem__diagnosed(
			err, gmem__fail_sys(err, GMEM_REASON_IPA_BITS, 0, r,
					    o->ipa_bits, 0,
					    "this host refuses ipa_bits %u",
					    o->ipa_bits));
	if (r == -EINVAL)
		return gmem__diagnosed(err, refuse_type(o->type, r, 0, err));
	if (r < 0)
		return gmem__fail_call(err, r, "KVM_CREATE_VM");
	vm->fd = r;
	vm->owns_fd = true;
	if (vm->ctx.arm64)
		vm->ipa_bits = o->ipa_bits ? o->ipa_bits : GMEM__ARM_IPA_BITS;
	return 0;
}

int gmem__vm_open_on(const struct gmem_sys *sys, void *priv,
		     const struct gmem_vm_opts *opts, struct gmem_vm **out,
		     struct gmem_error *err)
{
	struct gmem_vm_opts o;
	struct gmem_vm *vm;
	int device, r = gmem__begin(err);

	if (r < 0)
		return r;
	if (!out)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "out is NULL");
	r = opts_take(opts, &o, err);
	if (r < 0)
		return r;
	r = vm_alloc(sys, priv, &o, &vm, err);
	if (r < 0)
		return r;
	device = open_device(vm, o.device ? o.device : GMEM_DEVICE, err);
	if (device < 0) {
		r = device;
		goto err_free;
	}
	r = create_vm(vm, device, &o, err);
	(void)gmem__close(&vm->ctx, device);
	if (r < 0)
		goto err_free;
	r = learn_limits(vm, err);
	if (r < 0)
		goto err_free;
	*out = vm;
	return 0;
err_free:
	(void)vm_free(vm);
	return r;
}

int gmem__vm_adopt_on(const struct gmem_sys *sys, void *priv, int fd,
		      const struct gmem_vm_opts *opts, struct gmem_vm **out,
		      struct gmem_error *err)
{
	struct gmem_vm_opts o;
	struct gmem_vm *vm;
	int r = gmem__begin(err);

	if (r < 0)
		return r;
	if (!out)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "out is NULL");
	if (fd < 0)
		return gmem__fail(err, GMEM_REASON_BAD_FD, (uint64_t)fd, 0,
				  "fd is %d, which is no descriptor", fd);
	r = opts_take(opts, &o, err);
	if (r < 0)
		return r;
	if (o.device || o.ipa_bits)
		return gmem__fail(
			err, GMEM_REASON_VALUE_UNKNOWN, o.ipa_bits, 0,
			"device and ipa_bits are only for a VM that is "
			"made here");
	r = vm_alloc(sys, priv, &o, &vm, err);
	if (r < 0)
		return r;
	vm->fd = fd;
	r = gmem__vm_verify(vm, err);
	if (r == 0)
		r = learn_limits(vm, err);
	if (r == 0)
		r = gmem__vm_type_check(vm, o.type, err);
	if (r < 0) {
		(void)vm_free(vm);
		return r;
	}
	*out = vm;
	return 0;
}

int gmem_vm_open(const struct gmem_vm_opts *opts, struct gmem_vm **out,
		 struct gmem_error *err)
{
	return gmem__vm_open_on(&gmem__sys_linux, NULL, opts, out, err);
}

int gmem_vm_adopt(int fd, const struct gmem_vm_opts *opts, struct gmem_vm **out,
		  struct gmem_error *err)
{
	return gmem__vm_adopt_on(&gmem__sys_linux, NULL, fd, opts, out, err);
}

static unsigned int count_files(const struct gmem_vm *vm)
{
	unsigned int n = 0;

	for (const struct gmem *g = vm->files; g; g = g->next)
		n++;
	return n;
}

int gmem_vm_close(struct gmem_vm *vm, struct gmem_error *err)
{
	int r = gmem__begin(err);
	unsigned int files;

	if (r < 0 || !vm)
		return r;
	r = gmem__ctx_check(&vm->ctx, err);
	if (r < 0 || (r = gmem__not_in_callback(err)) < 0)
		return r;
	files = count_files(vm);
	if (files)
		return gmem__fail(err, GMEM_REASON_HAS_FILES, files, 0,
				  "the VM still has %u file%s", files,
				  files > 1 ? "s" : "");
	r = gmem__left_reset(vm, err);
	if (r < 0)
		return r;
	r = gmem__ctx_fini(&vm->ctx);
	if (r < 0)
		return gmem__fail_call(err, r, "unmapping the VM's page");
	gmem__slots_free(vm);
	(void)vm_free(vm);
	return 0;
}

/*
 * Another thread may have been anywhere when the process was copied.  What it
 * was at with the lock held is left alone; the files are linked so that their
 * list can be walked at any time.
 */
static int release_in_child(struct gmem_vm *vm, struct gmem_error *err)
{
	struct gmem *g, *next;
	int r;

	if (pthread_mutex_trylock(&vm->lock) == 0)
		gmem__slots_free(vm);
	for (g = vm->files; g; g = next) {
		next = g->next;
		gmem__file_release(g);
	}
	r = vm_free(vm);
	return r < 0 ? gmem__fail_call(err, r, "unmapping the VM's page") : 0;
}

int gmem_vm_destroy(struct gmem_vm *vm, struct gmem_error *err)
{
	int r = gmem__begin(err), again;
	struct gmem *g;

	if (r < 0 || !vm || (r = gmem__not_in_callback(err)) < 0)
		return r;
	if (gmem__ctx_forked(&vm->ctx))
		return release_in_child(vm, err);
	/* Slots first: KVM must not reach memory that is being unmapped. */
	r = gmem__slots_delete(vm, err);
	for (g = vm->files; g; g = g->next) {
		again = gmem__file_unmap(g, r < 0 ? NULL : err);
		r = r < 0 ? r : again;
	}
	gmem__slots_free(vm);
	while ((g = vm->files) != NULL) {
		vm->files = g->next;
		gmem__file_release(g);
	}
	again = vm_free(vm);
	if (r == 0 && again < 0)
		r = gmem__fail_call(err, again, "unmapping the VM's page");
	return r;
}

int gmem_vm_fd(const struct gmem_vm *vm)
{
	if (!vm)
		return -EINVAL;
	return gmem__ctx_forked(&vm->ctx) ? -EIO : vm->fd;
}
