// SPDX-License-Identifier: MIT
/* Memory slots: KVM_SET_USER_MEMORY_REGION and its successor. */
#include <errno.h>
#include <stdlib.h>

#include "model.h"
#include "uapi.h"

/* Of this host's processes, whatever the machine: their addresses are real. */
#ifdef __aarch64__
#define USER_END (1ULL << 48)
#else
#define USER_END ((1ULL << 47) - 4096)
#endif

/* Guest addresses below 2^these: KVM's own limit, not the CPU's. */
#define GPA_BITS_X86 48
#define GPA_BITS_SOFTWARE 52

static struct slot *by_number(const struct vm *vm, uint32_t number)
{
	struct gmem__node *n = model__tree_meet(&vm->slots, NULL, number,
						(uint64_t)number + 1);

	return n ? CONTAINER(n, struct slot, number) : NULL;
}

struct slot *model__slot_find(const struct vm *vm, uint32_t id,
			      uint32_t address_space)
{
	bool none = id >> 16 || address_space >> 16;

	return none ? NULL : by_number(vm, address_space << 16 | id);
}

struct slot *model__slot_at(const struct vm *vm, uint64_t gpa)
{
	struct gmem__node *n =
		model__tree_meet(&vm->spaces[0], NULL, gpa, gpa + 1);

	return n ? CONTAINER(n, struct slot, at) : NULL;
}

/* Those of @number's address space. */
static struct gmem__tree *space(struct vm *vm, uint64_t number)
{
	return &vm->spaces[number >> 16];
}

static int check_flags(const struct kernel *k, const struct vm *vm,
		       uint32_t flags, bool second)
{
	uint32_t known = GMEM__MEM_LOG_DIRTY_PAGES;

	if (!second && (flags & ~(known | GMEM__MEM_READONLY)))
		return -EINVAL;
	if (model__has(k, MODEL_MMAP) || model__vm_private(vm))
		known |= GMEM__MEM_GUEST_MEMFD;
	if (flags & GMEM__MEM_GUEST_MEMFD)
		known &= ~GMEM__MEM_LOG_DIRTY_PAGES;
	else if (model__readonly(vm))
		known |= GMEM__MEM_READONLY;
	return flags & ~known ? -EINVAL : 0;
}

/*
 * Of any region, one that deletes a slot too.  What does not fit below USER_END
 * at any address has too many pages.
 */
static int check_numbers(const struct kernel *k, const struct vm *vm,
			 const struct gmem__region2 *r)
{
	uint64_t size = r->region.memory_size;
	uint64_t addr = r->region.userspace_addr, page = k->page_size;

	if ((size | r->region.guest_phys_addr | addr) % page ||
	    addr > USER_END - size)
		return -EINVAL;
	if ((r->region.flags & GMEM__MEM_GUEST_MEMFD) &&
	    (r->guest_memfd_offset % page ||
	     r->guest_memfd_offset + size < r->guest_memfd_offset))
		return -EINVAL;
	if (r->region.slot >> 16 >= model__address_spaces(k, vm) ||
	    (int)(r->region.slot & 0xffff) >=
		    model__cap(k, vm, GMEM__CAP_NR_MEMSLOTS))
		return -EINVAL;
	if (r->region.guest_phys_addr + size < r->region.guest_phys_addr ||
	    size / page > GMEM__SLOT_MAX_PAGES)
		return -EINVAL;
	return 0;
}

static bool overlaps(struct vm *vm, const struct gmem__region2 *r)
{
	const struct gmem__tree *t = space(vm, r->region.slot);
	uint64_t start = r->region.guest_phys_addr;
	uint64_t end = start + r->region.memory_size;
	struct gmem__node *n = NULL;

	while ((n = model__tree_meet(t, n, start, end)) != NULL)
		if (CONTAINER(n, struct slot, at)->number.start !=
		    r->region.slot)
			return true;
	return false;
}

/* Whether the file may be bound to @vm at all; *@out: the file. */
static int check_file(struct kernel *k, struct vm *vm,
		      const struct gmem__region2 *r, struct file **out)
{
	uint64_t offset = r->guest_memfd_offset;
	uint64_t size = r->region.memory_size;
	struct object *o = model__object(k, (int)r->guest_memfd);
	bool all = model__has(k, MODEL_OFFSET_CHECK);
	struct gmem__stat st;
	struct file *f;

	if (!o)
		return gmem__sys_linux.fstat(NULL, (int)r->guest_memfd, &st) < 0
			       ? -EBADF
			       : -EINVAL;
	f = (struct file *)o;
	if (o->type != OBJECT_FILE || f->vm != vm)
		return -EINVAL;
	if (offset > INT64_MAX || (offset + size > f->inode->size &&
				   (all || offset + size <= INT64_MAX)))
		return -EINVAL;
	*out = f;
	return 0;
}

/* Whether that range of it is free. */
static int check_range(const struct kernel *k, const struct gmem__region2 *r,
		       const struct file *f)
{
	uint64_t start = r->guest_memfd_offset;

	if (!f || !model__tree_meet(&f->slots, NULL, start,
				    start + r->region.memory_size))
		return 0;
	return model__has(k, MODEL_RANGE_EEXIST) ? -EEXIST : -EINVAL;
}

/* The machine's own limits. */
static int check_machine(const struct kernel *k, const struct vm *vm,
			 const struct gmem__region2 *r, const struct file *f)
{
	uint64_t end = r->region.guest_phys_addr + r->region.memory_size;

	switch (k->machine) {
	case GMEM_MODEL_ARM64:
		if (end > 1ULL << vm->ipa_bits)
			return -EFAULT;
		return f && !f->inode->mappable ? -EINVAL : 0;
	case GMEM_MODEL_X86_SOFTWARE:
		return end > 1ULL << GPA_BITS_SOFTWARE ? -EINVAL : 0;
	default:
		return end > 1ULL << GPA_BITS_X86 ? -EINVAL : 0;
	}
}

static uint64_t length(const struct slot *s)
{
	return s->at.end - s->at.start;
}

static int slot_delete(struct vm *vm, struct slot *old)
{
	if (!old)
		return -EINVAL;
	gmem__tree_remove(&vm->slots, &old->number);
	gmem__tree_remove(space(vm, old->number.start), &old->at);
	if (old->file)
		gmem__tree_remove(&old->file->slots, &old->in);
	free(old);
	return 0;
}

/* An ordinary slot may move and change its dirty log, nothing else. */
static int slot_change(const struct kernel *k, struct vm *vm, struct slot *old,
		       const struct gmem__region2 *r)
{
	uint32_t fixed = GMEM__MEM_READONLY | GMEM__MEM_GUEST_MEMFD;
	int e;

	if ((r->region.flags & GMEM__MEM_GUEST_MEMFD) ||
	    r->region.userspace_addr != old->userspace_addr ||
	    r->region.memory_size != length(old) ||
	    ((r->region.flags ^ old->flags) & fixed))
		return -EINVAL;
	if (r->region.guest_phys_addr != old->at.start) {
		uint64_t gpa = r->region.guest_phys_addr, len = length(old);

		if (overlaps(vm, r))
			return -EEXIST;
		e = check_machine(k, vm, r, NULL);
		if (e < 0)
			return e;
		gmem__tree_remove(space(vm, old->number.start), &old->at);
		model__tree_add(space(vm, old->number.start), &old->at, gpa,
				gpa + len);
	}
	old->flags = r->region.flags;
	return 0;
}

static void slot_enter(struct vm *vm, struct slot *s,
		       const struct gmem__region2 *r, struct file *f)
{
	uint64_t len = r->region.memory_size, gpa = r->region.guest_phys_addr;
	uint64_t offset = r->guest_memfd_offset;
	uint32_t number = r->region.slot;

	model__tree_add(&vm->slots, &s->number, number, (uint64_t)number + 1);
	model__tree_add(space(vm, number), &s->at, gpa, gpa + len);
	s->file = f;
	if (f)
		model__tree_add(&f->slots, &s->in, offset, offset + len);
}

static int slot_create(struct kernel *k, struct vm *vm,
		       const struct gmem__region2 *r)
{
	bool limit_first = model__has(k, MODEL_LIMIT_FIRST);
	struct file *f = NULL;
	struct slot *s;
	int e = 0;

	if (overlaps(vm, r))
		return -EEXIST;
	if (r->region.flags & GMEM__MEM_GUEST_MEMFD)
		e = check_file(k, vm, r, &f);
	if (e == 0 && !limit_first)
		e = check_range(k, r, f);
	if (e == 0)
		e = check_machine(k, vm, r, f);
	if (e == 0 && limit_first)
		e = check_range(k, r, f);
	if (e < 0)
		return e;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->flags = r->region.flags;
	s->userspace_addr = r->region.userspace_addr;
	/* Remembered: the file may be gone when the guest comes. */
	if (f && (f->inode->mappable || model__has(k, MODEL_IN_PLACE)))
		s->flags |= MODEL_SLOT_FILE_ONLY;
	slot_enter(vm, s, r, f);
	return 0;
}

int model__slot_set(struct kernel *k, struct vm *vm, const void *arg,
		    bool second)
{
	struct gmem__region2 r = { .guest_memfd = UINT32_MAX };
	struct slot *old;
	int e;

	e = model__copy_in(&r, arg, second ? sizeof(r) : sizeof(r.region));
	if (e == 0)
		e = check_flags(k, vm, r.region.flags, second);
	if (e == 0)
		e = check_numbers(k, vm, &r);
	if (e < 0)
		return e;
	old = by_number(vm, r.region.slot);
	if (r.region.memory_size == 0)
		return slot_delete(vm, old);
	return old ? slot_change(k, vm, old, &r) : slot_create(k, vm, &r);
}

void model__slots_lose_file(struct file *f)
{
	struct gmem__node *n = gmem__tree_first(&f->slots);

	for (; n; n = gmem__tree_next(n))
		CONTAINER(n, struct slot, in)->file = NULL;
}

void model__slots_free(struct vm *vm)
{
	struct gmem__node *n;

	while ((n = vm->slots.root) != NULL) {
		gmem__tree_remove(&vm->slots, n);
		free(CONTAINER(n, struct slot, number));
	}
}
