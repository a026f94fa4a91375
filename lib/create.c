// SPDX-License-Identifier: MIT
/* Making a guest_memfd: refuses what cannot work before the kernel is asked. */
#include <errno.h>
#include <inttypes.h>

#include "call.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "hugetlb.h"
#include "name.h"
#include "opts.h"
#include "range.h"
#include "uapi.h"
#include "vm.h"

#define CREATE_OPTS_V0 24

#define CREATE_FLAGS                                                           \
	(GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED | GMEM_CREATE_GUEST_ONLY | \
	 GMEM_CREATE_UNBOUND | GMEM_CREATE_CHECK_ONLY)

_Static_assert(sizeof(struct gmem_create_opts) == CREATE_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type =
	GMEM__OPTS_TYPE(gmem_create_opts, CREATE_OPTS_V0, CREATE_FLAGS);
/* What the kernel takes is passed through bit by bit. */
_Static_assert(GMEM_CREATE_MMAP == GMEM__FLAG_MMAP, "UAPI");
_Static_assert(GMEM_CREATE_INIT_SHARED == GMEM__FLAG_INIT_SHARED, "UAPI");

static int check_size(const struct gmem_vm *vm, uint64_t size,
		      uint64_t hugetlb_size, struct gmem_error *err)
{
	if (hugetlb_size && (!gmem__hugetlb_known(hugetlb_size) ||
			     hugetlb_size <= vm->ctx.page_size))
		return gmem__fail(err, GMEM_REASON_HUGETLB_SIZE, hugetlb_size,
				  0, "0x%" PRIx64 " is not a huge page size",
				  hugetlb_size);
	if (size == 0)
		return gmem__fail(err, GMEM_REASON_ZERO_SIZE, 0, 0,
				  "the size is 0");
	if (size > INT64_MAX)
		return gmem__fail(err, GMEM_REASON_SIZE_LIMIT, size, INT64_MAX,
				  "size 0x%" PRIx64 " is above 0x%" PRIx64,
				  size, (uint64_t)INT64_MAX);
	return gmem__aligned("size", size,
			     hugetlb_size ? hugetlb_size : vm->ctx.page_size,
			     err);
}

/* Combinations that are useless on every kernel, or surprising. */
static int check_use(const struct gmem_vm *vm, uint64_t flags,
		     struct gmem_error *err)
{
	bool mmap = flags & GMEM_CREATE_MMAP;
	bool shared = flags & GMEM_CREATE_INIT_SHARED;
	bool guest_only = flags & GMEM_CREATE_GUEST_ONLY;
	bool in_place = gmem__has(vm, GMEM_FEATURE_FILE_ATTRIBUTES);

	if (shared && !mmap)
		return gmem__fail(err, GMEM_REASON_INIT_SHARED_UNMAPPABLE,
				  flags, 0,
				  "init-shared without mmap is memory that "
				  "neither host nor guest can reach");
	if (guest_only && (shared || !mmap))
		return gmem__fail(err, GMEM_REASON_GUEST_ONLY, flags, 0,
				  "guest-only goes with mmap and without "
				  "init-shared");
	if (mmap && !shared && !guest_only && !in_place)
		return gmem__fail(err, GMEM_REASON_GUEST_ONLY, flags, 0,
				  "mmap without init-shared: the guest would "
				  "use the file for all its memory, and each "
				  "access by the host would raise SIGBUS");
	if (!mmap && !gmem__may_convert(vm) && !(flags & GMEM_CREATE_UNBOUND))
		return gmem__fail(err, GMEM_REASON_NEVER_USED, flags, 0,
				  "this VM has no private memory, so its guest "
				  "would never see a private file");
	return 0;
}

/* Flags of the kernel that this VM does not have. */
static int check_support(const struct gmem_vm *vm, uint64_t flags,
			 struct gmem_error *err)
{
	uint64_t missing = 0, have = vm->flags_cap > 0 ? vm->flags_cap : 0;
	char lacks[GMEM__FLAGS_TEXT], has[GMEM__FLAGS_TEXT];

	if (vm->features[GMEM_FEATURE_GUEST_MEMFD].support == GMEM_NO)
		return gmem__fail(err, GMEM_REASON_NO_GUEST_MEMFD, 0, 0,
				  "this kernel has no guest_memfd for a VM of "
				  "this type");
	if (vm->features[GMEM_FEATURE_MMAP].support == GMEM_NO)
		missing |= GMEM_CREATE_MMAP;
	if (vm->features[GMEM_FEATURE_INIT_SHARED].support == GMEM_NO)
		missing |= GMEM_CREATE_INIT_SHARED;
	missing &= flags;
	if (!missing)
		return 0;
	return gmem__fail(
		err, GMEM_REASON_FLAG_UNSUPPORTED, missing, have,
		"this VM does not support the flags %s (it supports %s)",
		gmem__flags_text(GMEM_NAME_CREATE_FLAG, missing, lacks),
		gmem__flags_text(GMEM_NAME_CREATE_FLAG, have, has));
}

static int contradicted(const struct gmem_vm *vm, struct gmem_error *err)
{
	const char *name = gmem_name(GMEM_NAME_HUGETLB_ENCODING, vm->encoding);
	int mask = vm->flags_cap;

	if (vm->encoding == GMEM__HUGETLB_ASKED && vm->reads_order == GMEM_NO)
		return gmem__fail(err, GMEM_REASON_ENCODING_CONTRADICTED,
				  vm->encoding, (uint64_t)mask,
				  "this kernel ignores the order of a page, so "
				  "its huge pages are not those of encoding %s",
				  name);
	return gmem__fail(err, GMEM_REASON_ENCODING_CONTRADICTED, vm->encoding,
			  (uint64_t)mask,
			  "the kernel's own flags, 0x%x, contradict huge page "
			  "encoding %s",
			  (unsigned int)mask, name);
}

/* How huge pages are asked for, or why there are none. */
static int check_hugetlb(const struct gmem_vm *vm, uint64_t hugetlb_size,
			 uint64_t flags, struct gmem__create *args,
			 struct gmem_error *err)
{
	const char *name = gmem_name(GMEM_NAME_HUGETLB_ENCODING, vm->encoding);
	char text[GMEM__FLAGS_TEXT];
	uint64_t lack;

	if (vm->encoding == GMEM_HUGETLB_MERGED)
		return gmem__fail(err, GMEM_REASON_HUGETLB_UNSUPPORTED,
				  hugetlb_size, 0,
				  "pages of 0x%" PRIx64
				  " bytes: no released kernel has huge pages "
				  "in guest_memfd",
				  hugetlb_size);
	if (!GMEM__HUGETLB_BUILT)
		return gmem__fail(err, GMEM_REASON_HUGETLB_UNSUPPORTED,
				  hugetlb_size, 0,
				  "huge page encoding %s was left out of this "
				  "build of libgmem",
				  name);
	if (gmem__hugetlb_contradicted(vm->encoding, vm->flags_cap,
				       vm->reads_order))
		return contradicted(vm, err);
	if (gmem__hugetlb_encode(vm->encoding, vm->ctx.page_size, hugetlb_size,
				 flags, args, &lack) < 0)
		return gmem__fail(
			err, GMEM_REASON_FLAG_UNSUPPORTED, lack, 0,
			"huge page encoding %s does not have the flags %s",
			name,
			gmem__flags_text(GMEM_NAME_CREATE_FLAG, lack, text));
	return 0;
}

static int create_checks(const struct gmem_vm *vm, uint64_t size,
			 const struct gmem_create_opts *o,
			 struct gmem__create *args, struct gmem_error *err)
{
	int r = check_size(vm, size, o->hugetlb_size, err);

	if (r < 0)
		return r;
	*args = (struct gmem__create){ .size = size };
	if (o->hugetlb_size) {
		r = check_hugetlb(vm, o->hugetlb_size, o->flags, args, err);
		return r < 0 ? r : check_use(vm, o->flags, err);
	}
	r = check_support(vm, o->flags, err);
	if (r < 0)
		return r;
	args->flags = o->flags & (GMEM__FLAG_MMAP | GMEM__FLAG_INIT_SHARED);
	return check_use(vm, o->flags, err);
}

static int create_failed(const struct gmem_vm *vm, int sys,
			 const struct gmem__create *args, uint64_t hugetlb_size,
			 struct gmem_error *err)
{
	uint64_t size = args->size;
	char flags[GMEM__FLAGS_TEXT];
	int r;

	/* arm64 says EINVAL to an ioctl that it does not know. */
	if (sys == -ENOTTY || (sys == -EINVAL && vm->ctx.arm64 && !args->flags))
		return gmem__fail_sys(err, GMEM_REASON_NO_GUEST_MEMFD,
				      -EOPNOTSUPP, sys, 0, 0,
				      "this kernel has no guest_memfd");
	if (sys == -ENOENT)
		return gmem__fail_sys(err, GMEM_REASON_KVM_UNLOADING, 0, sys, 0,
				      0, "the kvm module is being unloaded");
	if (sys == -ENOMEM && hugetlb_size)
		return gmem__diagnosed(
			err, gmem__fail_sys(err, GMEM_REASON_NO_MEMORY, 0, sys,
					    size / hugetlb_size, hugetlb_size,
					    "no memory for %" PRIu64
					    " huge pages of 0x%" PRIx64
					    " bytes: the pool may have fewer",
					    size / hugetlb_size, hugetlb_size));
	if (sys != -EINVAL)
		return gmem__fail_call(err, sys, "KVM_CREATE_GUEST_MEMFD");
	if (hugetlb_size)
		r = gmem__fail_sys(err, GMEM_REASON_HUGETLB_UNSUPPORTED,
				   -EOPNOTSUPP, sys, hugetlb_size, 0,
				   "the kernel refuses pages of 0x%" PRIx64
				   " bytes",
				   hugetlb_size);
	else
		r = gmem__fail_sys(
			err, GMEM_REASON_FLAG_UNSUPPORTED, -EOPNOTSUPP, sys,
			args->flags, 0,
			"the kernel refuses the flags %s for this VM",
			gmem__flags_text(GMEM_NAME_CREATE_FLAG, args->flags,
					 flags));
	return gmem__diagnosed(err, r);
}

/* KVM leaves the descriptor inheritable and has no flag to prevent that. */
static int create_fd(const struct gmem_vm *vm, struct gmem__create *args,
		     uint64_t hugetlb_size, struct gmem_error *err)
{
	int fd, r;

	fd = gmem__ioctl(&vm->ctx, vm->fd, GMEM__KVM_CREATE_GUEST_MEMFD, args);
	if (fd < 0)
		return create_failed(vm, fd, args, hugetlb_size, err);
	r = gmem__set_cloexec(&vm->ctx, fd);
	if (r < 0) {
		(void)gmem__close(&vm->ctx, fd);
		return gmem__fail_call(err, r, "fcntl(F_SETFD)");
	}
	return fd;
}

int gmem_create(struct gmem_vm *vm, uint64_t size,
		const struct gmem_create_opts *opts, struct gmem **out,
		struct gmem_error *err)
{
	struct gmem__create args;
	struct gmem_create_opts o;
	struct gmem *g;
	int r = gmem__vm_enter(vm, err);

	if (r < 0)
		return r;
	r = gmem__opts_take(&opts_type, opts, &o, err);
	if (r < 0)
		return r;
	r = create_checks(vm, size, &o, &args, err);
	if (r < 0 || (o.flags & GMEM_CREATE_CHECK_ONLY))
		return r;
	if (!out)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "out is NULL");
	r = gmem__file_alloc(&vm->ctx, vm, size, gmem__converts(vm), &g, err);
	if (r < 0)
		return r;
	r = create_fd(vm, &args, o.hugetlb_size, err);
	if (r < 0) {
		gmem__file_free(g);
		return r;
	}
	g->fd = r;
	g->flags = o.flags;
	if (o.hugetlb_size)
		g->page_size = o.hugetlb_size;
	gmem__file_start(g);
	*out = g;
	return 0;
}
