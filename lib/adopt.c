// SPDX-License-Identifier: MIT
/* Taking over a guest_memfd that something else made. */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "adopt.h"
#include "call.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "hugetlb.h"
#include "lock.h"
#include "map.h"
#include "opts.h"
#include "range.h"
#include "uapi.h"
#include "vm.h"
#include "window.h"

#define ADOPT_OPTS_V0 24
#define ADOPT_FLAGS (GMEM_ADOPT_INIT_SHARED | GMEM_ADOPT_FOREIGN)

_Static_assert(sizeof(struct gmem_adopt_opts) == ADOPT_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type =
	GMEM__OPTS_TYPE(gmem_adopt_opts, ADOPT_OPTS_V0, ADOPT_FLAGS);

int gmem__is_guest_memfd(const struct gmem__ctx *ctx, int fd,
			 struct gmem__stat *st, struct gmem_error *err)
{
	uint64_t magic = 0;
	int r = gmem__fstat(ctx, fd, st);

	if (r >= 0)
		r = gmem__fstatfs(ctx, fd, &magic);
	if (r < 0)
		return gmem__fail_call(err, r, "fstat of the descriptor");
	/*
	 * 6.19 gave it a file system of its own.  Before that it shares the
	 * magic of all anonymous inodes, of which it is the only regular
	 * file with a size.
	 */
	if (magic == GMEM__MAGIC_GUEST_MEMFD ||
	    (magic == GMEM__MAGIC_ANON_INODE && S_ISREG(st->mode) &&
	     st->size > 0 && st->size % ctx->page_size == 0))
		return 0;
	return gmem__fail(err, GMEM_REASON_NOT_GUEST_MEMFD, (uint64_t)fd, magic,
			  "fd %d is not a guest_memfd (file system magic "
			  "0x%" PRIx64 ", mode 0%o)",
			  fd, magic, (unsigned int)st->mode);
}

/*
 * Whether it was made with MMAP, the one flag that can be found out.  By the
 * handle, so that a page that cannot be unmapped again has an owner.
 */
static int find_flags(struct gmem *g, uint64_t flags, struct gmem_error *err)
{
	struct gmem__window w;
	int r = gmem__window_map(g, 0, g->ctx->page_size, PROT_NONE, &w);

	if (r == 0) {
		gmem__window_close(g, &w);
		g->flags = GMEM_CREATE_MMAP;
	} else if (r != -ENODEV) {
		return gmem__window_failed(r, err);
	} else if (flags & GMEM_ADOPT_INIT_SHARED) {
		return gmem__fail(err, GMEM_REASON_INIT_SHARED_UNMAPPABLE,
				  flags, 0,
				  "the file cannot be mapped, so it is not "
				  "shared, as was claimed");
	}
	if (flags & GMEM_ADOPT_INIT_SHARED)
		g->flags |= GMEM_CREATE_INIT_SHARED;
	return 0;
}

/* The VM's handle of this file, or NULL; with vm->lock held.
 * *@ask: one whose file was never asked for its identity.
 */
static const struct gmem *owner(struct gmem_vm *vm, int fd,
				const struct gmem__stat *st, struct gmem **ask)
{
	struct gmem *g;

	*ask = NULL;
	for (g = vm->files; g; g = g->next) {
		if (g->fd == fd || (g->ino == st->ino && g->dev == st->dev))
			return g;
		if (!g->identified)
			*ask = g;
	}
	return NULL;
}

/* Asked once a file, without the lock, while which the handle may go. */
static void identify(struct gmem_vm *vm, const struct gmem *who, int fd)
{
	struct gmem__stat st = { 0 };
	int r = gmem__fstat(&vm->ctx, fd, &st);
	struct gmem *g;

	gmem__lock(&vm->lock);
	for (g = vm->files; g && g != who; g = g->next)
		;
	if (g && g->fd == fd) {
		g->identified = true;
		g->ino = r < 0 ? 0 : st.ino;
		g->dev = r < 0 ? 0 : st.dev;
	}
	gmem__unlock(&vm->lock);
}

/*
 * Into the VM's list, unless the file is there: two handles of one file would
 * be two records, and close each other's descriptor.
 */
static int link_once(struct gmem *g, const struct gmem__stat *st,
		     struct gmem_error *err)
{
	struct gmem_vm *vm = g->vm;
	const struct gmem *other;
	struct gmem *ask;
	int own, fd = g->fd;

	g->identified = true;
	g->ino = st->ino;
	g->dev = st->dev;
	do {
		gmem__lock(&vm->lock);
		other = owner(vm, fd, st, &ask);
		own = other ? other->fd : ask ? ask->fd : -1;
		if (own < 0)
			gmem__file_link(g);
		gmem__unlock(&vm->lock);
		if (!other && ask)
			identify(vm, ask, own);
	} while (!other && ask);
	if (!other)
		return 0;
	return gmem__fail(
		err, GMEM_REASON_ALREADY_OWNED, (uint64_t)fd, (uint64_t)own,
		"the file of fd %d has a handle already, with fd %d", fd, own);
}

/*
 * The page size: what st_blksize says where it is that of a huge page; else
 * what the caller says, which a kernel that does say would contradict.
 */
static int find_page_size(const struct gmem__ctx *ctx, const struct gmem_vm *vm,
			  int fd, const struct gmem__stat *st,
			  uint64_t *page_size, struct gmem_error *err)
{
	bool huge =
		st->block > ctx->page_size && gmem__hugetlb_known(st->block);
	uint64_t has = huge ? st->block : ctx->page_size;
	bool known = huge || (vm && vm->reads_order == GMEM_YES);

	if (!*page_size || !known || *page_size == has) {
		if (!*page_size)
			*page_size = has;
		return gmem__aligned("size", st->size, *page_size, err);
	}
	return gmem__fail(err, GMEM_REASON_HUGETLB_CONTRADICTED, *page_size,
			  has,
			  "the file of fd %d has pages of 0x%" PRIx64
			  " bytes, not of 0x%" PRIx64,
			  fd, has, *page_size);
}

static int adopt_checks(const struct gmem__ctx *ctx, const struct gmem_vm *vm,
			int fd, struct gmem_adopt_opts *o,
			struct gmem__stat *st, struct gmem_error *err)
{
	int r;

	if (o->hugetlb_size && (!gmem__hugetlb_known(o->hugetlb_size) ||
				o->hugetlb_size <= ctx->page_size))
		return gmem__fail(err, GMEM_REASON_HUGETLB_SIZE,
				  o->hugetlb_size, 0,
				  "0x%" PRIx64 " is not a huge page size",
				  o->hugetlb_size);
	r = gmem__is_guest_memfd(ctx, fd, st, err);
	return r < 0 ? r
		     : find_page_size(ctx, vm, fd, st, &o->hugetlb_size, err);
}

static int adopt(struct gmem__ctx *ctx, struct gmem_vm *vm, int fd,
		 struct gmem_adopt_opts *o, struct gmem **out,
		 struct gmem_error *err)
{
	bool foreign = o->flags & GMEM_ADOPT_FOREIGN, converts = false;
	struct gmem__stat st;
	struct gmem *g;
	int r = adopt_checks(ctx, vm, fd, o, &st, err);

	if (r < 0)
		return r;
	/* The attributes of a foreign file are not ours to set by gpa. */
	if (vm)
		converts = foreign ? gmem__has(vm, GMEM_FEATURE_FILE_ATTRIBUTES)
				   : gmem__converts(vm);
	r = gmem__file_alloc(ctx, vm, st.size, converts, &g, err);
	if (r < 0)
		return r;
	g->fd = fd;
	r = vm ? link_once(g, &st, err) : 0;
	if (r == 0)
		r = find_flags(g, o->flags, err);
	if (r == 0) {
		r = gmem__set_cloexec(ctx, fd);
		if (r < 0)
			(void)gmem__fail_call(err, r, "fcntl(F_SETFD)");
	}
	if (r < 0) {
		gmem__file_unlink(g);
		(void)gmem__unmap_all(g);
		gmem__file_free(g);
		return r;
	}
	g->adopted = true;
	g->foreign = foreign;
	g->page_size = o->hugetlb_size;
	gmem__file_start(g);
	*out = g;
	return 0;
}

/* A file without a VM brings its own way to the kernel. */
static int adopt_alone(const struct gmem_sys *sys, void *priv, int fd,
		       struct gmem_adopt_opts *o, struct gmem **out,
		       struct gmem_error *err)
{
	struct gmem__ctx ctx;
	struct gmem *g;
	int r = gmem__ctx_init(&ctx, sys, priv, NULL, err);

	if (r < 0)
		return r;
	r = adopt(&ctx, NULL, fd, o, &g, err);
	if (r < 0) {
		(void)gmem__ctx_fini(&ctx);
		return r;
	}
	g->own_ctx = ctx;
	g->ctx = &g->own_ctx;
	*out = g;
	return 0;
}

int gmem__adopt_on(const struct gmem_sys *sys, void *priv, struct gmem_vm *vm,
		   int fd, const struct gmem_adopt_opts *opts,
		   struct gmem **out, struct gmem_error *err)
{
	struct gmem_adopt_opts o;
	int r = vm ? gmem__vm_enter(vm, err) : gmem__begin(err);

	if (r < 0)
		return r;
	if (!out)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "out is NULL");
	if (fd < 0)
		return gmem__fail(err, GMEM_REASON_BAD_FD, (uint64_t)fd, 0,
				  "fd is %d, which is no descriptor", fd);
	r = gmem__opts_take(&opts_type, opts, &o, err);
	if (r < 0)
		return r;
	if (!vm)
		return adopt_alone(sys, priv, fd, &o, out, err);
	return adopt(&vm->ctx, vm, fd, &o, out, err);
}

int gmem_adopt(struct gmem_vm *vm, int fd, const struct gmem_adopt_opts *opts,
	       struct gmem **out, struct gmem_error *err)
{
	return gmem__adopt_on(&gmem__sys_linux, NULL, vm, fd, opts, out, err);
}
