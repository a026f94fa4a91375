// SPDX-License-Identifier: MIT
/*
 * How each feature is found out.  Everything is asked on the VM's own
 * descriptor, since the device answers for all VM types together, and tried on
 * a scratch file where no capability shows it.  A probe that fails for any
 * other reason than the feature's absence leaves "unknown", never "no".
 */
#include <errno.h>
#include <sys/mman.h>

#include "call.h"
#include "hugetlb.h"
#include "nodes.h"
#include "probe.h"
#include "uapi.h"
#include "uapi_proposed.h"
#include "vm.h"
#include "vm_kind.h"

#define MPOL_PREFERRED 1
#define MPOL_F_ADDR 2

static struct gmem__feature answer(enum gmem_support support, int said)
{
	return (struct gmem__feature){ (uint8_t)support, said };
}

int gmem__cap(const struct gmem__ctx *ctx, int fd, unsigned long cap)
{
	return gmem__ioctl(ctx, fd, GMEM__KVM_CHECK_EXTENSION, (void *)cap);
}

static int cap_of(struct gmem__scratch *s, unsigned long cap)
{
	int r;

	for (unsigned int i = 0; i < s->n_said; i++)
		if (s->said[i].cap == cap)
			return s->said[i].answer;
	r = gmem__cap(&s->vm->ctx, s->vm->fd, cap);
	if (s->n_said < GMEM__CAPS) {
		s->said[s->n_said].cap = cap;
		s->said[s->n_said++].answer = r;
	}
	return r;
}

/*
 * A capability's answer: any of @mask means yes.  arm64 says -1 to numbers it
 * does not know, which libc makes EPERM.
 */
static struct gmem__feature ask(struct gmem__scratch *s, unsigned long cap,
				int mask)
{
	int r = cap_of(s, cap);

	if (r == -EPERM && s->vm->ctx.arm64)
		return answer(GMEM_NO, r);
	if (r < 0)
		return answer(GMEM_UNKNOWN, r);
	return answer(r & mask ? GMEM_YES : GMEM_NO, r);
}

struct gmem__feature gmem__probe_cap(struct gmem__scratch *s, uint64_t cap)
{
	return ask(s, cap, -1);
}

struct gmem__feature gmem__probe_create_flag(struct gmem__scratch *s,
					     uint64_t flag)
{
	return ask(s, GMEM__CAP_GUEST_MEMFD_FLAGS, (int)flag);
}

struct gmem__feature gmem__probe_vm_attributes(struct gmem__scratch *s,
					       uint64_t arg)
{
	(void)arg;
	return ask(s, GMEM__CAP_MEMORY_ATTRIBUTES,
		   (int)GMEM__ATTRIBUTE_PRIVATE);
}

/* arm64 has the exit for guest_memfd faults without advertising it. */
struct gmem__feature gmem__probe_memory_fault(struct gmem__scratch *s,
					      uint64_t cap)
{
	return ask(s, s->vm->ctx.arm64 ? GMEM__CAP_GUEST_MEMFD : cap, -1);
}

struct gmem__feature gmem__probe_map_gpa_range(struct gmem__scratch *s,
					       uint64_t cap)
{
	return ask(s, cap, GMEM__HC_MAP_GPA_RANGE_BIT);
}

/* A probe that needs a scratch file which could not be made. */
static struct gmem__feature no_scratch(struct gmem__scratch *s, int said)
{
	enum gmem_support gm =
		s->vm->features[GMEM_FEATURE_GUEST_MEMFD].support;
	bool absent = gm == GMEM_NO || said == -ENODEV;

	return answer(absent ? GMEM_NO : GMEM_UNKNOWN, said);
}

/*
 * A size of 0 is refused by every kernel that has the ioctl; then the state
 * that the file is in already is set once more, which changes nothing and
 * works only where the VM has private memory.
 */
struct gmem__feature gmem__probe_file_attributes(struct gmem__scratch *s,
						 uint64_t arg)
{
	struct gmem__attributes2 a = { .attributes = GMEM__ATTRIBUTE_PRIVATE };
	const struct gmem__ctx *ctx = &s->vm->ctx;
	int r;

	(void)arg;
	if (s->file < 0)
		return no_scratch(s, s->file);
	r = gmem__ioctl(ctx, s->file, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a);
	if (r == -ENOTTY)
		return answer(GMEM_NO, r);
	if (r != -EINVAL)
		return answer(GMEM_UNKNOWN, r);
	a.size = ctx->page_size;
	r = gmem__ioctl(ctx, s->file, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a);
	if (r == -EINVAL)
		return answer(GMEM_NO, r);
	return answer(r < 0 ? GMEM_UNKNOWN : GMEM_YES, r);
}

/* The first node this process may use, as a set; 0 or -errno. */
static int first_node(const struct gmem__ctx *ctx, struct gmem__nodes *out)
{
	struct gmem__nodes usable;
	int r = gmem__nodes_usable(ctx, &usable);
	uint64_t first;

	if (r < 0)
		return r;
	first = gmem__nodes_next(&usable, 0);
	if (first == GMEM__NODES)
		return -ENODATA;
	gmem__nodes_add(out, first);
	return 0;
}

/*
 * Linux 6.18 accepts mbind(2) on a mapping and keeps the policy there, where no
 * allocation uses it; from 6.19 on the file has it and every mapping shows it.
 * So the probe sets it on one mapping and reads it through another.
 */
static struct gmem__feature mempolicy_on(struct gmem__scratch *s, void *a,
					 void *b)
{
	const struct gmem__ctx *ctx = &s->vm->ctx;
	struct gmem__nodes nodes = { { 0 } };
	int mode, r = first_node(ctx, &nodes);

	if (r == -ENOSYS)
		return answer(GMEM_NO, r);
	if (r < 0)
		return answer(GMEM_UNKNOWN, r);
	r = gmem__mbind(ctx, a, ctx->page_size, MPOL_PREFERRED, nodes.bits,
			GMEM__NODES, 0);
	if (r < 0)
		return answer(r == -ENOSYS ? GMEM_NO : GMEM_UNKNOWN, r);
	r = gmem__get_mempolicy(ctx, &mode, nodes.bits, GMEM__NODES, b,
				MPOL_F_ADDR);
	if (r < 0)
		return answer(GMEM_UNKNOWN, r);
	return answer(mode == MPOL_PREFERRED ? GMEM_YES : GMEM_NO, mode);
}

struct gmem__feature gmem__probe_mempolicy(struct gmem__scratch *s,
					   uint64_t arg)
{
	const struct gmem__ctx *ctx = &s->vm->ctx;
	struct gmem__feature f;
	void *a, *b;
	int r;

	(void)arg;
	if (s->mappable < 0)
		return no_scratch(s, s->mappable);
	r = gmem__mmap(ctx, &a, ctx->page_size, PROT_NONE, MAP_SHARED,
		       s->mappable, 0);
	if (r < 0)
		return answer(GMEM_UNKNOWN, r);
	r = gmem__mmap(ctx, &b, ctx->page_size, PROT_NONE, MAP_SHARED,
		       s->mappable, 0);
	if (r < 0) {
		f = answer(GMEM_UNKNOWN, r);
	} else {
		f = mempolicy_on(s, a, b);
		(void)gmem__munmap(ctx, b, ctx->page_size);
	}
	(void)gmem__munmap(ctx, a, ctx->page_size);
	return f;
}

struct gmem__feature gmem__probe_residency(struct gmem__scratch *s,
					   uint64_t arg)
{
	uint64_t resident;
	int r;

	(void)arg;
	if (s->file < 0)
		return no_scratch(s, s->file);
	r = gmem__cachestat(&s->vm->ctx, s->file, 0, s->vm->ctx.page_size,
			    &resident);
	if (r == -ENOSYS)
		return answer(GMEM_NO, r);
	return answer(r < 0 ? GMEM_UNKNOWN : GMEM_YES, r);
}

/* One size under the named encoding, on a scratch file. */
static struct gmem__feature try_hugetlb(struct gmem_vm *vm, uint64_t size)
{
	struct gmem__create args = { .size = size };
	uint64_t lack;
	int r;

	if (size <= vm->ctx.page_size ||
	    gmem__hugetlb_encode(vm->encoding, vm->ctx.page_size, size, 0,
				 &args, &lack) < 0)
		return answer(GMEM_NO, vm->flags_cap);
	r = gmem__ioctl(&vm->ctx, vm->fd, GMEM__KVM_CREATE_GUEST_MEMFD, &args);
	if (r == -EINVAL)
		return answer(GMEM_NO, r);
	if (r < 0)
		return answer(GMEM_UNKNOWN, r);
	(void)gmem__set_cloexec(&vm->ctx, r);
	(void)gmem__close(&vm->ctx, r);
	return answer(GMEM_YES, 0);
}

/*
 * Only a kernel that reads the order of a page refuses one without the flag
 * for huge pages.  A file of a base page was made before, so nothing else is
 * in the way; on no kernel does the question touch a pool of huge pages.
 */
static enum gmem_support reads_order(const struct gmem__scratch *s)
{
	struct gmem_vm *vm = s->vm;
	struct gmem__create args;
	int r;

	if (s->file < 0)
		return GMEM_UNKNOWN;
	gmem__hugetlb_question(vm->ctx.page_size, &args);
	r = gmem__ioctl(&vm->ctx, vm->fd, GMEM__KVM_CREATE_GUEST_MEMFD, &args);
	if (r < 0)
		return r == -EINVAL ? GMEM_YES : GMEM_UNKNOWN;
	(void)gmem__set_cloexec(&vm->ctx, r);
	(void)gmem__close(&vm->ctx, r);
	return GMEM_NO;
}

/* Without a named encoding: "no" as long as the kernel names no new flag. */
struct gmem__feature gmem__probe_hugetlb(struct gmem__scratch *s, uint64_t arg)
{
	struct gmem_vm *vm = s->vm;
	struct gmem__feature all, one;
	int mask = vm->flags_cap;

	(void)arg;
	if (vm->features[GMEM_FEATURE_GUEST_MEMFD].support == GMEM_NO)
		return answer(GMEM_NO, mask);
	if (vm->encoding == GMEM_HUGETLB_MERGED)
		return answer(mask < 0 || mask > 3 ? GMEM_UNKNOWN : GMEM_NO,
			      mask);
	all = answer(GMEM_NO, mask);
	if (GMEM__HUGETLB_BUILT && vm->encoding == GMEM__HUGETLB_ASKED)
		vm->reads_order = reads_order(s);
	if (gmem__hugetlb_contradicted(vm->encoding, mask, vm->reads_order))
		return all;
	for (uint64_t sizes = GMEM__HUGETLB_SIZES; sizes; sizes &= sizes - 1) {
		one = try_hugetlb(vm, sizes & -sizes);
		if (one.support == GMEM_YES)
			vm->hugetlb_sizes |= sizes & -sizes;
		/* Any that works outweighs one that is not known, that a no. */
		if (all.support != GMEM_YES && one.support != GMEM_NO)
			all = one;
	}
	return all;
}

/* Before the capability (6.8), and off x86-64, there is one type. */
struct gmem__feature gmem__probe_vm_type(struct gmem__scratch *s, uint64_t type)
{
	struct gmem__feature f =
		ask(s, GMEM__CAP_VM_TYPES, 1 << gmem__kvm_type((uint32_t)type));

	if (f.support == GMEM_NO && f.answer <= 0 && type == GMEM_VM_DEFAULT)
		f.support = GMEM_YES;
	return f;
}

static int scratch_file(struct gmem_vm *vm, uint64_t flags)
{
	struct gmem__create args = {
		.size = vm->ctx.page_size,
		.flags = flags,
	};
	int fd, r;

	fd = gmem__ioctl(&vm->ctx, vm->fd, GMEM__KVM_CREATE_GUEST_MEMFD, &args);
	if (fd < 0)
		return fd;
	r = gmem__set_cloexec(&vm->ctx, fd);
	if (r < 0) {
		(void)gmem__close(&vm->ctx, fd);
		return r;
	}
	return fd;
}

void gmem__scratch_open(struct gmem__scratch *s, struct gmem_vm *vm)
{
	struct gmem__feature *gm = &vm->features[GMEM_FEATURE_GUEST_MEMFD];

	*s = (struct gmem__scratch){
		.vm = vm,
		.file = -ENODEV,
		.mappable = -ENODEV,
	};
	vm->flags_cap = cap_of(s, GMEM__CAP_GUEST_MEMFD_FLAGS);
	if (vm->flags_cap == -EPERM && vm->ctx.arm64)
		vm->flags_cap = 0;
	*gm = gmem__probe_cap(s, GMEM__CAP_GUEST_MEMFD);
	if (gm->support == GMEM_YES)
		s->file = scratch_file(vm, 0);
	else if (gm->support == GMEM_UNKNOWN)
		s->file = gm->answer;
	if (vm->flags_cap < 0)
		s->mappable = vm->flags_cap;
	else if ((uint64_t)vm->flags_cap & GMEM__FLAG_MMAP)
		s->mappable = scratch_file(vm, GMEM__FLAG_MMAP);
}

void gmem__scratch_close(struct gmem__scratch *s)
{
	if (s->file >= 0)
		(void)gmem__close(&s->vm->ctx, s->file);
	if (s->mappable >= 0)
		(void)gmem__close(&s->vm->ctx, s->mappable);
}
