// SPDX-License-Identifier: MIT
/* What a guest's access meets, and the exit that it makes. */
#include <errno.h>
#include <string.h>

#include "access.h"
#include "uapi.h"

#define TYPE_SW_PROTECTED 1

#define EXIT_UNKNOWN 0
#define EXIT_HLT 5
#define EXIT_MMIO 6
#define EXIT_MEMORY_FAULT 39

#define EXIT_FLAG_PRIVATE (1ULL << 3)

static void put(const struct access *a, size_t at, const void *from, size_t len)
{
	if (a->run && at + len <= a->run_size)
		memcpy(a->run + at, from, len);
}

static void put_reason(const struct access *a, uint32_t reason)
{
	put(a, 8, &reason, sizeof(reason));
}

static int memory_fault(const struct access *a, bool private, int code)
{
	uint64_t page = a->k->page_size;
	uint64_t v[3] = { private ? EXIT_FLAG_PRIVATE : 0,
			  a->gpa - a->gpa % page, page };

	put_reason(a, EXIT_MEMORY_FAULT);
	put(a, 32, v, sizeof(v));
	return code;
}

/* The rest is for the VMM: KVM_RUN returns 0. */
static int mmio(struct access *a)
{
	uint32_t len = a->left < 8 ? (uint32_t)a->left : 8;
	unsigned char data[8] = { 0 };
	uint8_t write = a->write;

	if (write)
		memcpy(data, a->buf, len);
	put_reason(a, EXIT_MMIO);
	put(a, 32, &a->gpa, sizeof(a->gpa));
	put(a, 40, data, sizeof(data));
	put(a, 48, &len, sizeof(len));
	put(a, 52, &write, sizeof(write));
	a->stopped = true;
	return 0;
}

/* Where in its file. */
static uint64_t offset_of(const struct access *a, const struct slot *s)
{
	return s->in.start + (a->gpa - s->at.start);
}

static bool is_private(const struct access *a, const struct slot *s)
{
	uint64_t end;

	if (!model__vm_private(a->vm))
		return false;
	if (!model__has(a->k, MODEL_IN_PLACE))
		return model__ranges_get(&a->vm->attributes, a->gpa, NULL);
	return s && s->file &&
	       model__inode_private(s->file->inode, offset_of(a, s), &end);
}

/* Through the VMM's address space, as its own accesses would go. */
static int by_address(const struct access *a, const struct slot *s, size_t n)
{
	void *at =
		(void *)(uintptr_t)(s->userspace_addr + (a->gpa - s->at.start));

	return a->write ? model__copy_out(at, a->buf, n)
			: model__copy_in(a->buf, at, n);
}

/* A failure is the VMM's mistake, no exit that asks it for anything. */
static int guest_by_address(const struct access *a, const struct slot *s,
			    size_t n)
{
	int r = by_address(a, s, n);

	if (r < 0)
		put_reason(a, EXIT_UNKNOWN);
	return r;
}

/*
 * KVM goes by the slot's address alone: it asks neither what is private nor
 * what is in the file.  Where it finds no memory it takes that for a device.
 */
static int kvm_page(struct access *a, size_t n)
{
	const struct slot *s = model__slot_at(a->vm, a->gpa);

	if (!s || (a->write && (s->flags & GMEM__MEM_READONLY)) ||
	    by_address(a, s, n) < 0)
		return mmio(a);
	return 0;
}

/* One page at most. */
static int access_page(struct access *a, size_t n)
{
	struct slot *s = model__slot_at(a->vm, a->gpa);
	bool private, wants = a->private;
	bool has_file = s && (s->flags & GMEM__MEM_GUEST_MEMFD);

	if (s && s->file)
		model__reap(a->k, &s->file->o);
	private = is_private(a, s);
	/* A software-protected guest has no say in it. */
	if (!model__vm_private(a->vm) || a->vm->type == TYPE_SW_PROTECTED)
		wants = private;
	if (wants != private || (wants && !has_file))
		return memory_fault(a, wants, -EFAULT);
	if (!s || (a->write && (s->flags & GMEM__MEM_READONLY)))
		return mmio(a);
	if (!private && !(s->flags & MODEL_SLOT_FILE_ONLY))
		return guest_by_address(a, s, n);
	if (!s->file)
		return memory_fault(a, wants, -EFAULT);
	if (!model__inode_sound(s->file->inode, offset_of(a, s), n))
		return memory_fault(a, wants, -EHWPOISON);
	return model__inode_copy(s->file->inode, offset_of(a, s), a->buf, n,
				 a->write);
}

int model__access(struct access *a)
{
	uint64_t page = a->k->page_size;
	int r = model__due(a->k, "KVM_RUN");

	/* Only these two come with the exit's particulars. */
	if (r == -EFAULT || r == -EHWPOISON)
		return memory_fault(a, a->private, r);
	if (r < 0)
		return r;
	if (a->vm->dead)
		return -EIO;
	if (a->k->interrupt) {
		a->k->interrupt = false;
		return -EINTR;
	}
	while (a->left) {
		size_t n = page - a->gpa % page;

		if (n > a->left)
			n = a->left;
		r = a->kvm ? kvm_page(a, n) : access_page(a, n);
		if (r < 0 || a->stopped)
			return r;
		a->gpa += n;
		a->buf += n;
		a->left -= n;
	}
	put_reason(a, EXIT_HLT);
	return 0;
}
