// SPDX-License-Identifier: MIT
/* What a test does to a model kernel: guest accesses, pins, signals. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "access.h"
#include "error.h"
#include "model_sys.h"
#include "opts.h"
#include "range.h"
#include "seam.h"

#define SLOT_V0 56

_Static_assert(sizeof(struct gmem_model_slot) == SLOT_V0, "ABI");

#define ACCESS_FLAGS (GMEM_MODEL_WRITE | GMEM_MODEL_PRIVATE | GMEM_MODEL_KVM)

int model__enter(const struct gmem_vm *vm, struct kernel **k, struct vm **v,
		 struct gmem_error *err)
{
	int r = gmem__begin(err);

	if (r < 0)
		return r;
	if (!vm)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "the VM is NULL");
	*k = gmem__vm_priv(vm, &model__sys);
	if (!*k)
		return gmem__fail(err, GMEM_REASON_NOT_A_VM, 0, 0,
				  "the VM is not one of the model");
	model__lock(*k);
	*v = (struct vm *)model__object(*k, gmem_vm_fd(vm));
	if (*v && (*v)->o.type == OBJECT_VM)
		return 0;
	model__unlock(*k);
	if (gmem_vm_fd(vm) == -EIO)
		return gmem__fail(err, GMEM_REASON_WRONG_PROCESS, 0, 0,
				  "the VM belongs to the process that made "
				  "it, this is a forked child");
	return gmem__fail(err, GMEM_REASON_BAD_FD, (uint64_t)gmem_vm_fd(vm), 0,
			  "fd %d of the VM was closed", gmem_vm_fd(vm));
}

int gmem_model_access(struct gmem_vm *vm, uint64_t gpa, void *buf, size_t len,
		      uint32_t flags, void *run, size_t run_size,
		      struct gmem_error *err)
{
	struct access a = {
		.gpa = gpa,
		.buf = buf,
		.left = len,
		.write = flags & GMEM_MODEL_WRITE,
		.private = flags & GMEM_MODEL_PRIVATE,
		.kvm = flags & GMEM_MODEL_KVM,
		.run = run,
		.run_size = run_size,
	};
	int r = model__enter(vm, &a.k, &a.vm, err);

	if (r < 0)
		return r;
	r = gmem__flags_check(flags, ACCESS_FLAGS, "flags", err);
	if (r < 0)
		goto out;
	if ((flags & GMEM_MODEL_KVM) && (flags & GMEM_MODEL_PRIVATE))
		r = gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, flags,
			       GMEM_MODEL_PRIVATE,
			       "flags 0x%x: KVM's own accesses are neither "
			       "private nor shared",
			       flags);
	else if (!buf)
		r = gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
			       "buf is NULL");
	else if (gpa + len < gpa)
		r = gmem__fail(err, GMEM_REASON_GPA_OVERFLOW, gpa, len,
			       "gpa 0x%" PRIx64 " + 0x%zx wraps", gpa, len);
	if (r == 0) {
		r = model__access(&a);
		if (r < 0)
			(void)gmem__fail_sys(err, GMEM_REASON_KERNEL, 0, r,
					     a.gpa, 0,
					     "KVM_RUN fails at gpa 0x%" PRIx64
					     " with errno %d",
					     a.gpa, -r);
		if (err)
			err->done = len - a.left;
	}
out:
	model__unlock(a.k);
	return r;
}

/* One more or less use of each page of the range, or of none. */
static int pin(struct inode *i, uint64_t offset, uint64_t end, bool more,
	       struct gmem_error *err)
{
	struct ranges pins = { 0 };
	uint64_t pos, stop, n;
	int r;

	for (pos = offset; !more && pos < end; pos = stop)
		if (!model__ranges_get(&i->pins, pos, &stop))
			return gmem__fail(err, GMEM_REASON_NOT_MAPPED, pos, 0,
					  "offset 0x%" PRIx64 " is not pinned",
					  pos);
	r = model__ranges_copy(&pins, &i->pins);
	for (pos = offset; r == 0 && pos < end; pos = stop) {
		n = model__ranges_get(&pins, pos, &stop);
		if (stop > end)
			stop = end;
		r = model__ranges_set(&pins, pos, stop, more ? n + 1 : n - 1);
	}
	if (r < 0) {
		model__ranges_free(&pins);
		return gmem__fail_sys(err, GMEM_REASON_NO_MEMORY, 0, r, 0, 0,
				      "no memory for the pin");
	}
	model__ranges_free(&i->pins);
	i->pins = pins;
	return 0;
}

static int pin_pages(struct inode *i, uint64_t offset, uint64_t end,
		     struct gmem_error *err)
{
	return pin(i, offset, end, true, err);
}

static int unpin_pages(struct inode *i, uint64_t offset, uint64_t end,
		       struct gmem_error *err)
{
	return pin(i, offset, end, false, err);
}

/* As the kernel does to a page that it finds broken: it must be there. */
static int poison_pages(struct inode *i, uint64_t offset, uint64_t end,
			struct gmem_error *err)
{
	bool interrupt = i->k->interrupt;
	int r;

	i->k->interrupt = false;
	r = model__inode_allocate(i, offset, end - offset);
	i->k->interrupt = interrupt;
	if (r == 0)
		r = model__ranges_set(&i->poison, offset, end, 1);
	return r < 0 ? gmem__fail_sys(err, GMEM_REASON_NO_MEMORY, 0, r, 0, 0,
				      "no memory for the pages")
		     : 0;
}

/* Does @act to pages of a file, checked. */
static int act_on(struct gmem_vm *vm, int fd, uint64_t offset, uint64_t len,
		  int (*act)(struct inode *i, uint64_t offset, uint64_t end,
			     struct gmem_error *err),
		  struct gmem_error *err)
{
	struct object *o;
	struct kernel *k;
	struct inode *i;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	o = model__object(k, fd);
	if (!o || o->type != OBJECT_FILE) {
		r = gmem__fail(err, GMEM_REASON_NOT_GUEST_MEMFD, (uint64_t)fd,
			       0, "fd %d is no guest_memfd of the model", fd);
		goto out;
	}
	i = ((struct file *)o)->inode;
	r = gmem__units_inside(offset, len, k->page_size, i->size, err);
	if (r == 0)
		r = act(i, offset, offset + len, err);
out:
	model__unlock(k);
	return r;
}

int gmem_model_pin(struct gmem_vm *vm, int fd, uint64_t offset, uint64_t len,
		   struct gmem_error *err)
{
	return act_on(vm, fd, offset, len, pin_pages, err);
}

int gmem_model_unpin(struct gmem_vm *vm, int fd, uint64_t offset, uint64_t len,
		     struct gmem_error *err)
{
	return act_on(vm, fd, offset, len, unpin_pages, err);
}

int gmem_model_poison(struct gmem_vm *vm, int fd, uint64_t offset, uint64_t len,
		      struct gmem_error *err)
{
	return act_on(vm, fd, offset, len, poison_pages, err);
}

int gmem_model_get_slot(struct gmem_vm *vm, uint32_t slot,
			uint32_t address_space, struct gmem_model_slot *out,
			struct gmem_error *err)
{
	struct gmem_model_slot o = { .sz = sizeof(o) };
	const struct slot *s;
	struct kernel *k;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	r = gmem__out_check(out, SLOT_V0, "gmem_model_slot", err);
	if (r < 0)
		goto out;
	s = model__slot_find(v, slot, address_space);
	if (!s) {
		r = gmem__fail(err, GMEM_REASON_NOT_BOUND, slot, address_space,
			       "the kernel has no slot %u in address space %u",
			       slot, address_space);
		goto out;
	}
	if (s->file)
		model__reap(k, &s->file->o);
	o.gpa = s->at.start;
	o.len = s->at.end - s->at.start;
	o.userspace_addr = s->userspace_addr;
	o.offset = s->in.start;
	o.ino = s->file ? s->file->o.inode.start : 0;
	o.flags = s->flags & ~MODEL_SLOT_FILE_ONLY;
	gmem__out_copy(out, &o, sizeof(o));
out:
	model__unlock(k);
	return r;
}

int gmem_model_interrupt(struct gmem_vm *vm, uint64_t after,
			 struct gmem_error *err)
{
	struct kernel *k;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	k->interrupt = true;
	k->interrupt_after = after;
	model__unlock(k);
	return 0;
}

int gmem_model_kill(struct gmem_vm *vm, struct gmem_error *err)
{
	struct kernel *k;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	v->dead = true;
	model__unlock(k);
	return 0;
}
