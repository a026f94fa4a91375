// SPDX-License-Identifier: MIT
/*
 * What a VM can do: one line a feature.  Everything is asked on the VM's own
 * descriptor, since the device answers for all VM types together, and tried on
 * a scratch file where no capability shows it.  A probe that fails for any
 * other reason than the feature's absence leaves "unknown", never "no".
 */
#include <errno.h>
#include <sys/mman.h>

#include "call.h"
#include "enter.h"
#include "error.h"
#include "feature.h"
#include "hugetlb.h"
#include "macros.h"
#include "nodes.h"
#include "opts.h"
#include "uapi.h"
#include "uapi_proposed.h"
#include "vm.h"
#include "vm_kind.h"

#define MPOL_PREFERRED 1
#define MPOL_F_ADDR 2

#define CAPS 16 /* no fewer than the table names */

struct scratch {
	struct gmem_vm *vm;
	int file;     /* private base pages; fd or -errno */
	int mappable; /* the same with MMAP */
	struct {
		unsigned long cap;
		int answer;
	} said[CAPS]; /* so that each is asked once */
	unsigned int n_said;
};

static struct gmem__feature answer(enum gmem_support support, int said)
{
	return (struct gmem__feature){ (uint8_t)support, said };
}

int gmem__cap(const struct gmem__ctx *ctx, int fd, unsigned long cap)
{
	return gmem__ioctl(ctx, fd, GMEM__KVM_CHECK_EXTENSION, (void *)cap);
}

static int cap_of(struct scratch *s, unsigned long cap)
{
	int r;

	for (unsigned int i = 0; i < s->n_said; i++)
		if (s->said[i].cap == cap)
			return s->said[i].answer;
	r = gmem__cap(&s->vm->ctx, s->vm->fd, cap);
	if (s->n_said < CAPS) {
		s->said[s->n_said].cap = cap;
		s->said[s->n_said++].answer = r;
	}
	return r;
}

/*
 * A capability's answer: any of @mask means yes.  arm64 says -1 to numbers it
 * does not know, which libc makes EPERM.
 */
static struct gmem__feature ask(struct scratch *s, unsigned long cap, int mask)
{
	int r = cap_of(s, cap);

	if (r == -EPERM && s->vm->ctx.arm64)
		return answer(GMEM_NO, r);
	if (r < 0)
		return answer(GMEM_UNKNOWN, r);
	return answer(r & mask ? GMEM_YES : GMEM_NO, r);
}

static struct gmem__feature probe_cap(struct scratch *s, uint64_t cap)
{
	return ask(s, cap, -1);
}

static struct gmem__feature probe_create_flag(struct scratch *s, uint64_t flag)
{
	return ask(s, GMEM__CAP_GUEST_MEMFD_FLAGS, (int)flag);
}

static struct gmem__feature probe_vm_attributes(struct scratch *s, uint64_t arg)
{
	(void)arg;
	return ask(s, GMEM__CAP_MEMORY_ATTRIBUTES,
		   (int)GMEM__ATTRIBUTE_PRIVATE);
}

/* arm64 has the exit for guest_memfd faults without advertising it. */
static struct gmem__feature probe_memory_fault(struct scratch *s, uint64_t cap)
{
	return ask(s, s->vm->ctx.arm64 ? GMEM__CAP_GUEST_MEMFD : cap, -1);
}

static struct gmem__feature probe_map_gpa_range(struct scratch *s, uint64_t cap)
{
	return ask(s, cap, GMEM__HC_MAP_GPA_RANGE_BIT);
}

/* A probe that needs a scratch file which could not be made. */
static struct gmem__feature no_scratch(struct scratch *s, int said)
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
static struct gmem__feature probe_file_attributes(struct scratch *s,
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
static struct gmem__feature mempolicy_on(struct scratch *s, void *a, void *b)
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

static struct gmem__feature probe_mempolicy(struct scratch *s, uint64_t arg)
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

static struct gmem__feature probe_residency(struct scratch *s, uint64_t arg)
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
static enum gmem_support reads_order(const struct scratch *s)
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
static struct gmem__feature probe_hugetlb(struct scratch *s, uint64_t arg)
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
static struct gmem__feature probe_vm_type(struct scratch *s, uint64_t type)
{
	struct gmem__feature f =
		ask(s, GMEM__CAP_VM_TYPES, 1 << gmem__kvm_type((uint32_t)type));

	if (f.support == GMEM_NO && f.answer <= 0 && type == GMEM_VM_DEFAULT)
		f.support = GMEM_YES;
	return f;
}

/* clang-format off */
#define CAP(nr) "KVM_CHECK_EXTENSION(" #nr ")"
#define HUGE_TRIED_BY "each size tried on a scratch file"

static const struct {
	const char *name, *since, *known_by;
	struct gmem__feature (*probe)(struct scratch *s, uint64_t arg);
	uint64_t arg;
} table[] = {
	[GMEM_FEATURE_USER_MEMORY2] = {
		"user-memory2", "6.8", CAP(231), probe_cap,
		GMEM__CAP_USER_MEMORY2,
	},
	[GMEM_FEATURE_GUEST_MEMFD] = {
		"guest-memfd", "6.8", CAP(234), probe_cap,
		GMEM__CAP_GUEST_MEMFD,
	},
	[GMEM_FEATURE_MMAP] = {
		"mmap", "6.18", CAP(244) " & 1", probe_create_flag,
		GMEM__FLAG_MMAP,
	},
	[GMEM_FEATURE_INIT_SHARED] = {
		"init-shared", "6.18", CAP(244) " & 2", probe_create_flag,
		GMEM__FLAG_INIT_SHARED,
	},
	[GMEM_FEATURE_VM_ATTRIBUTES] = {
		"vm-attributes", "6.8", CAP(233) " & 8", probe_vm_attributes, 0,
	},
	[GMEM_FEATURE_FILE_ATTRIBUTES] = {
		"file-attributes", NULL,
		"the ioctl tried on a scratch file",
		probe_file_attributes, 0,
	},
	[GMEM_FEATURE_MEMORY_FAULT_EXIT] = {
		"memory-fault-exit", "6.8", CAP(232),
		probe_memory_fault, GMEM__CAP_MEMORY_FAULT_INFO,
	},
	[GMEM_FEATURE_MAP_GPA_RANGE_EXIT] = {
		"map-gpa-range-exit", "5.14", CAP(201) " & 4096",
		probe_map_gpa_range, GMEM__CAP_EXIT_HYPERCALL,
	},
	[GMEM_FEATURE_PRE_FAULT] = {
		"pre-fault", "6.11", CAP(236), probe_cap,
		GMEM__CAP_PRE_FAULT_MEMORY,
	},
	[GMEM_FEATURE_MEMPOLICY] = {
		"mempolicy", "6.19",
		"mbind, read by a second mapping",
		probe_mempolicy, 0,
	},
	[GMEM_FEATURE_RESIDENCY] = {
		"residency", "6.8", "cachestat tried on a scratch file",
		probe_residency, 0,
	},
	[GMEM_FEATURE_HUGETLB] = {
		"hugetlb", NULL, CAP(244) " names none",
		probe_hugetlb, 0,
	},
	[GMEM_FEATURE_VM_DEFAULT] = {
		"vm-default", "2.6.20", CAP(235) " & 1", probe_vm_type,
		GMEM_VM_DEFAULT,
	},
	[GMEM_FEATURE_VM_SW_PROTECTED] = {
		"vm-sw-protected", "6.8", CAP(235) " & 2", probe_vm_type,
		GMEM_VM_SW_PROTECTED,
	},
	[GMEM_FEATURE_VM_SEV] = {
		"vm-sev", "6.10", CAP(235) " & 4", probe_vm_type, GMEM_VM_SEV,
	},
	[GMEM_FEATURE_VM_SEV_ES] = {
		"vm-sev-es", "6.10", CAP(235) " & 8", probe_vm_type,
		GMEM_VM_SEV_ES,
	},
	[GMEM_FEATURE_VM_SNP] = {
		"vm-snp", "6.11", CAP(235) " & 16", probe_vm_type, GMEM_VM_SNP,
	},
	[GMEM_FEATURE_VM_TDX] = {
		"vm-tdx", "6.16", CAP(235) " & 32", probe_vm_type, GMEM_VM_TDX,
	},
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(table) <= GMEM__FEATURES_MAX, "room for all");

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

/* A temporary shortage: no scratch file could be made. */
static int shortage(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM ? r : 0;
}

int gmem__probe(struct gmem_vm *vm)
{
	struct gmem__feature *gm = &vm->features[GMEM_FEATURE_GUEST_MEMFD];
	struct scratch s = { .vm = vm, .file = -ENODEV, .mappable = -ENODEV };
	const struct gmem__feature *f;

	vm->flags_cap = cap_of(&s, GMEM__CAP_GUEST_MEMFD_FLAGS);
	if (vm->flags_cap == -EPERM && vm->ctx.arm64)
		vm->flags_cap = 0;
	*gm = probe_cap(&s, GMEM__CAP_GUEST_MEMFD);
	if (gm->support == GMEM_YES)
		s.file = scratch_file(vm, 0);
	else if (gm->support == GMEM_UNKNOWN)
		s.file = gm->answer;
	if (vm->flags_cap < 0)
		s.mappable = vm->flags_cap;
	else if ((uint64_t)vm->flags_cap & GMEM__FLAG_MMAP)
		s.mappable = scratch_file(vm, GMEM__FLAG_MMAP);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		vm->features[i] = table[i].probe(&s, table[i].arg);
	if (s.file >= 0)
		(void)gmem__close(&vm->ctx, s.file);
	if (s.mappable >= 0)
		(void)gmem__close(&vm->ctx, s.mappable);
	/* How memory converts must be known. */
	f = &vm->features[GMEM_FEATURE_FILE_ATTRIBUTES];
	return gm->support == GMEM_YES ? shortage(f->answer) : 0;
}

#define INFO_V0 40

_Static_assert(sizeof(struct gmem_feature_info) == INFO_V0, "ABI");

int gmem_vm_has(const struct gmem_vm *vm, uint32_t feature)
{
	return gmem__vm_enter(vm, NULL) == 0 && feature < ARRAY_SIZE(table) &&
	       gmem__has(vm, feature);
}

int gmem_vm_feature(const struct gmem_vm *vm, uint32_t feature,
		    struct gmem_feature_info *info, struct gmem_error *err)
{
	struct gmem_feature_info i = { .sz = sizeof(i) };
	int r = gmem__vm_enter(vm, err);

	if (r < 0)
		return r;
	r = gmem__out_check(info, INFO_V0, "gmem_feature_info", err);
	if (r < 0)
		return r;
	if (feature >= ARRAY_SIZE(table))
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, feature,
				  ARRAY_SIZE(table),
				  "feature %u is past the last of %zu", feature,
				  ARRAY_SIZE(table));
	i.name = table[feature].name;
	i.since = table[feature].since;
	i.known_by = table[feature].known_by;
	if (vm->ctx.arm64)
		gmem__feature_on_arm64(feature, &i);
	if (feature == GMEM_FEATURE_HUGETLB && vm->encoding)
		i.known_by = HUGE_TRIED_BY;
	i.support = vm->features[feature].support;
	i.answer = vm->features[feature].answer;
	gmem__out_copy(info, &i, sizeof(i));
	return 0;
}

int gmem_vm_hugetlb_sizes(const struct gmem_vm *vm, uint64_t *sizes,
			  struct gmem_error *err)
{
	int r = gmem__vm_enter(vm, err);

	if (r < 0)
		return r;
	if (!sizes)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "sizes is NULL");
	*sizes = vm->hugetlb_sizes;
	return 0;
}
