// SPDX-License-Identifier: MIT
/*
 * The planner and the checks before a bind: the kernel answers most of what
 * is refused here with one EINVAL, and silently accepts some of it.
 */
#include <errno.h>
#include <inttypes.h>

#include "call.h"
#include "error.h"
#include "file.h"
#include "fixed.h"
#include "macros.h"
#include "map.h"
#include "name.h"
#include "range.h"
#include "slot.h"
#include "slot_check.h"
#include "uapi.h"
#include "vm.h"

#define SLOT_IDS 0x10000 /* bits 15:0 of the kernel's slot field */
#define X86_GPA_BITS 52	 /* the architecture's most */
/* A low address is one that was never set: not guest memory. */
#define USER_ADDR_LEAST 65536

#define NEEDS_HVA (GMEM_SLOT_DIRTY_LOG | GMEM_SLOT_READONLY | GMEM_SLOT_ALIAS)

/* What fd mode does not support, although it was requested. */
static int fd_mode_lacks(const struct gmem *g, uint64_t flags,
			 struct gmem_error *err)
{
	if (flags & GMEM_SLOT_DIRTY_LOG)
		return gmem__fail(err, GMEM_REASON_DIRTY_LOG, flags, 0,
				  "fd mode has no dirty page log");
	if (flags & GMEM_SLOT_READONLY)
		return gmem__fail(err, GMEM_REASON_READONLY, flags, 0,
				  "fd mode has no read-only slots");
	if (flags & GMEM_SLOT_ALIAS)
		return gmem__fail(err, GMEM_REASON_RANGE_BOUND, flags, 0,
				  "fd mode binds a range of the file once");
	if (g->foreign)
		return gmem__fail(err, GMEM_REASON_FOREIGN_VM, 0, 0,
				  "the file belongs to another VM");
	return 0;
}

/* Else the guest would use the file alone, and KVM itself the address. */
static int one_backing(const struct gmem *g, const struct gmem_slot *b,
		       struct gmem_error *err)
{
	const char *why = NULL;

	if (gmem__has(g->vm, GMEM_FEATURE_FILE_ATTRIBUTES))
		why = "this VM converts in place";
	else if (g->flags & GMEM_CREATE_MMAP)
		why = "the file was made with mmap";
	if (!why)
		return 0;
	return gmem__fail(err, GMEM_REASON_TWO_BACKINGS, b->userspace_addr, 0,
			  "userspace address 0x%" PRIx64
			  ": %s, so its guest would see the file only",
			  b->userspace_addr, why);
}

/* A guess would leave memory shared, or give the slot two backings. */
static int conversion_known(const struct gmem_vm *vm, struct gmem_error *err)
{
	static const enum gmem_feature asked[] = {
		GMEM_FEATURE_VM_ATTRIBUTES,
		GMEM_FEATURE_FILE_ATTRIBUTES,
	};

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		const struct gmem__feature *f = &vm->features[asked[i]];
		int sys = f->answer < 0 ? f->answer : -EINVAL;

		if (f->support == GMEM_UNKNOWN)
			return gmem__fail_sys(
				err, GMEM_REASON_KERNEL, 0, sys, asked[i], 0,
				"how this VM converts memory could not be "
				"found out when it was opened: %s",
				gmem__errno_name(sys));
	}
	return 0;
}

static int plan_fd(const struct gmem *g, const struct gmem_slot *b,
		   struct gmem_error *err)
{
	int r = fd_mode_lacks(g, b->flags, err);

	if (r < 0 || (r = conversion_known(g->vm, err)) < 0)
		return r;
	if (g->vm->ctx.arm64 && !(g->flags & GMEM_CREATE_MMAP))
		return gmem__fail(err, GMEM_REASON_NEEDS_MMAP, g->flags, 0,
				  "the file was made without mmap");
	if (!(g->flags & GMEM_CREATE_MMAP) && !gmem__may_convert(g->vm))
		return gmem__fail(err, GMEM_REASON_NEVER_USED, g->flags, 0,
				  "this VM has no private memory, its guest "
				  "would never see the private file");
	return b->flags & GMEM_SLOT_USERSPACE_ADDR ? one_backing(g, b, err) : 0;
}

/* KVM would read and write the slot through a mapping that faults. */
static int plan_hva(const struct gmem *g, const struct gmem_slot *b,
		    struct gmem_error *err)
{
	int r = gmem__need_mappable(g, err);

	if (r < 0)
		return r;
	if (!gmem__has(g->vm, GMEM_FEATURE_FILE_ATTRIBUTES) &&
	    !(g->flags & GMEM_CREATE_INIT_SHARED))
		return gmem__fail(err, GMEM_REASON_HVA_PRIVATE, g->flags,
				  GMEM_CREATE_INIT_SHARED,
				  "HVA mode needs memory that is shared, and "
				  "this file was made without init-shared");
	if (b->flags & GMEM_SLOT_USERSPACE_ADDR)
		return gmem__fail(err, GMEM_REASON_USERSPACE_ADDR,
				  b->userspace_addr, 0,
				  "HVA mode uses the library's own mapping of "
				  "the file, not 0x%" PRIx64,
				  b->userspace_addr);
	if ((b->flags & GMEM_SLOT_READONLY) && !g->vm->readonly_slots)
		return gmem__fail(err, GMEM_REASON_READONLY_UNSUPPORTED,
				  b->flags, 0,
				  "this VM has no read-only slots");
	return 0;
}

int gmem__bind_shared(const struct gmem *g, const struct gmem_slot *b,
		      struct gmem_error *err)
{
	if (!(b->flags & GMEM_SLOT_HVA))
		return 0;
	return gmem__need_shared(g, b->offset, b->len, err);
}

int gmem__bind_plan(const struct gmem *g, struct gmem_slot *b,
		    struct gmem_error *err)
{
	uint64_t named = b->flags & (GMEM_SLOT_FD | GMEM_SLOT_HVA);

	if (named == (GMEM_SLOT_FD | GMEM_SLOT_HVA))
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, b->flags, 0,
				  "fd mode and HVA mode exclude each other");
	if (!named)
		named = (b->flags & NEEDS_HVA) || g->foreign ? GMEM_SLOT_HVA
							     : GMEM_SLOT_FD;
	b->flags |= named;
	return named == GMEM_SLOT_FD ? plan_fd(g, b, err) : plan_hva(g, b, err);
}

static int check_ids(const struct gmem_vm *vm, const struct gmem_slot *b,
		     struct gmem_error *err)
{
	/* KVM's own, which the VMM may note, follow those that it can make. */
	uint32_t limit = vm->slot_limit && !(b->flags & GMEM_SLOT_NOTED)
				 ? vm->slot_limit
				 : SLOT_IDS;

	if (b->slot >= limit)
		return gmem__fail(err, GMEM_REASON_SLOT_LIMIT, b->slot, limit,
				  "slot %u is not below the VM's %u slots",
				  b->slot, limit);
	if (b->address_space >= vm->address_spaces)
		return gmem__fail(err, GMEM_REASON_ADDRESS_SPACE,
				  b->address_space, vm->address_spaces,
				  "address space %u is not below the VM's %u "
				  "address spaces",
				  b->address_space, vm->address_spaces);
	return 0;
}

static int check_gpa(const struct gmem_vm *vm, const struct gmem_slot *b,
		     struct gmem_error *err)
{
	uint64_t end = b->gpa + b->len;
	uint64_t most = GMEM__SLOT_MAX_PAGES * vm->ctx.page_size;
	int r = gmem__aligned("gpa", b->gpa, vm->ctx.page_size, err);

	if (r < 0)
		return r;
	if (end < b->gpa)
		return gmem__fail(err, GMEM_REASON_GPA_OVERFLOW, b->gpa, b->len,
				  "gpa 0x%" PRIx64 " + 0x%" PRIx64
				  " overflows 64 bits",
				  b->gpa, b->len);
	if (b->len > most)
		return gmem__fail(err, GMEM_REASON_SLOT_TOO_LARGE, b->len, most,
				  "the slot has 0x%" PRIx64 " bytes, more than "
				  "the 0x%" PRIx64 " that one can have",
				  b->len, most);
	if (!vm->ctx.arm64 && end > 1ULL << X86_GPA_BITS)
		return gmem__fail(
			err, GMEM_REASON_GPA_LIMIT, end, 1ULL << X86_GPA_BITS,
			"gpa 0x%" PRIx64 " + 0x%" PRIx64 " is beyond %d bits",
			b->gpa, b->len, X86_GPA_BITS);
	return 0;
}

/*
 * The caller's own.  The kernel only checks that it is an address of a process,
 * and uses whatever is there as guest memory.
 */
static int check_userspace_addr(const struct gmem_vm *vm,
				const struct gmem_slot *b,
				struct gmem_error *err)
{
	const struct gmem__ctx *ctx = &vm->ctx;
	uint64_t addr = b->userspace_addr;

	if (!(b->flags & GMEM_SLOT_USERSPACE_ADDR)) {
		if (!addr || b->flags & GMEM_SLOT_OWN_ADDR)
			return 0;
		return gmem__fail(err, GMEM_REASON_USERSPACE_ADDR, addr, 0,
				  "userspace address 0x%" PRIx64
				  " without the flag userspace-addr",
				  addr);
	}
	if (b->flags & GMEM_SLOT_FD && addr < USER_ADDR_LEAST)
		return gmem__fail(err, GMEM_REASON_USERSPACE_ADDR, addr,
				  USER_ADDR_LEAST,
				  "userspace address 0x%" PRIx64
				  " is below 0x%x: KVM would take what the VMM "
				  "has there for guest memory",
				  addr, (unsigned int)USER_ADDR_LEAST);
	if (gmem__addr_usable(ctx, addr, b->len))
		return 0;
	return gmem__fail(err, GMEM_REASON_USERSPACE_ADDR, addr, ctx->page_size,
			  "userspace address 0x%" PRIx64
			  " is not a page-aligned, untagged user address "
			  "with room for 0x%" PRIx64 " bytes",
			  addr, b->len);
}

int gmem__bind_args(const struct gmem_vm *vm, const struct gmem_slot *b,
		    struct gmem_error *err)
{
	int r = check_ids(vm, b, err);

	if (r < 0)
		return r;
	r = check_gpa(vm, b, err);
	if (r < 0)
		return r;
	return check_userspace_addr(vm, b, err);
}

/*
 * How wide guest addresses are; 0: not known.  On x86-64 the width is that of
 * the CPU with two-dimensional paging, as pre-faulting needs it.
 */
static unsigned int gpa_bits(const struct gmem_vm *vm)
{
	if (vm->ctx.arm64)
		return vm->ipa_bits;
	if (!gmem_vm_has(vm, GMEM_FEATURE_PRE_FAULT))
		return 0;
	return vm->ctx.sys->phys_bits(vm->ctx.priv);
}

int gmem__bind_width(const struct gmem_vm *vm, const struct gmem_slot *b,
		     struct gmem_error *err)
{
	unsigned int bits = gpa_bits(vm);

	if (!bits || !((b->gpa + b->len - 1) >> bits))
		return 0;
	return gmem__fail(err, GMEM_REASON_GPA_LIMIT, b->gpa + b->len,
			  1ULL << bits,
			  "gpa 0x%" PRIx64 " + 0x%" PRIx64
			  " is beyond the guest's addresses, of %u bits",
			  b->gpa, b->len, bits);
}

struct gmem__slot *gmem__bind_conflict(struct gmem_vm *vm, const struct gmem *g,
				       const struct gmem_slot *b)
{
	struct gmem__slot *s = gmem__slot_find(vm, gmem__slot_id(b));

	if (!s)
		s = gmem__slot_by_gpa(vm, b->address_space, b->gpa, b->len);
	if (!s && b->flags & GMEM_SLOT_FD)
		s = gmem__slot_by_offset(vm, g, GMEM_SLOT_FD, b->offset,
					 b->len);
	return s;
}

static int refuse_taken(const struct gmem_slot *b, const struct gmem_slot *s,
			struct gmem_error *err)
{
	if (s->flags & GMEM_SLOT_STUCK)
		return gmem__fail(err, GMEM_REASON_SLOT_STUCK, s->slot, s->gpa,
				  "slot %u at gpa 0x%" PRIx64
				  " is in the way, and the kernel refuses to "
				  "delete it",
				  s->slot, s->gpa);
	if (gmem__slot_same_id(s, b))
		return gmem__fail(err, GMEM_REASON_SLOT_IN_USE, b->slot, 0,
				  "slot %u is at gpa 0x%" PRIx64 " already",
				  b->slot, s->gpa);
	if (s->address_space == b->address_space && s->gpa < b->gpa + b->len &&
	    b->gpa < s->gpa + s->len)
		return gmem__fail(err, GMEM_REASON_GPA_OVERLAP, b->gpa, s->gpa,
				  "gpa 0x%" PRIx64 " + 0x%" PRIx64
				  " overlaps slot %u at 0x%" PRIx64
				  " + 0x%" PRIx64,
				  b->gpa, b->len, s->slot, s->gpa, s->len);
	return gmem__fail(err, GMEM_REASON_RANGE_BOUND, b->offset, s->offset,
			  "offset 0x%" PRIx64 " + 0x%" PRIx64
			  " is bound by slot %u at 0x%" PRIx64 " + 0x%" PRIx64,
			  b->offset, b->len, s->slot, s->offset, s->len);
}

int gmem__bind_table(struct gmem_vm *vm, const struct gmem *g,
		     const struct gmem_slot *b, struct gmem__slot *conflict,
		     struct gmem_error *err)
{
	const struct gmem__slot *s = gmem__bind_conflict(vm, g, b);

	if (!s)
		return 0;
	*conflict = *s;
	return refuse_taken(b, &s->s, err);
}

int gmem__bind_dead(struct gmem_vm *vm, const struct gmem__slot *conflict,
		    int code, struct gmem_error *err)
{
	struct gmem__stat st = { 0 };

	if (conflict->s.gmem || conflict->s.fd < 0)
		return code;
	if (gmem__fstat(&vm->ctx, conflict->s.fd, &st) == 0 &&
	    st.ino == conflict->ino && st.dev == conflict->dev)
		return code;
	return gmem__fail(err, GMEM_REASON_DEAD_SLOT, conflict->s.slot, 0,
			  "slot %u is in the way and dead: its guest_memfd "
			  "was closed",
			  conflict->s.slot);
}

int gmem__bind_diagnose(const struct gmem *g, const struct gmem_slot *b,
			int sys, struct gmem_error *err)
{
	const struct gmem__ctx *ctx = g->ctx;
	unsigned int bits = ctx->sys->phys_bits(ctx->priv);
	int r;

	if (sys == -EEXIST) {
		r = gmem__fail_sys(err, GMEM_REASON_UNKNOWN_SLOT, -EEXIST, sys,
				   b->gpa, b->len,
				   "a slot that was not noted with libgmem has "
				   "gpa 0x%" PRIx64 " or that range of the "
				   "file",
				   b->gpa);
	} else if (sys == -EFAULT ||
		   (sys == -EINVAL && bits && (b->gpa + b->len - 1) >> bits)) {
		r = gmem__fail_sys(err, GMEM_REASON_GPA_LIMIT, -EINVAL, sys,
				   b->gpa + b->len, bits ? 1ULL << bits : 0,
				   "gpa 0x%" PRIx64 " + 0x%" PRIx64
				   " is beyond the guest's addresses",
				   b->gpa, b->len);
	} else if (sys == -EINVAL && g->adopted && b->flags & GMEM_SLOT_FD) {
		r = gmem__fail_sys(err, GMEM_REASON_FOREIGN_VM, -EOPNOTSUPP,
				   sys, (uint64_t)g->fd, 0,
				   "the adopted fd %d seems to be a file of "
				   "another VM",
				   g->fd);
	} else if (sys == -EINVAL) {
		/* Up to 7.1 a range that is bound already is no EEXIST. */
		return gmem__fail_sys(err, GMEM_REASON_KERNEL, 0, sys, b->slot,
				      b->gpa,
				      "the kernel refuses slot %u at gpa "
				      "0x%" PRIx64 ", EINVAL: perhaps "
				      "a slot that was not noted has this id "
				      "or that range of the file",
				      b->slot, b->gpa);
	} else {
		return gmem__fail_call(err, sys, "binding the slot");
	}
	return gmem__diagnosed(err, r);
}
