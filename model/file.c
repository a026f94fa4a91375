// SPDX-License-Identifier: MIT
/* A guest_memfd as one VM sees it: making one, and the calls on it. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "macros.h"
#include "model.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define SIZE_MASK 0x3fULL

/* With HUGETLB in @flags, 6 bits name the page; no other flag is known. */
static int flags_rfc1(const struct kernel *k, uint64_t flags,
		      struct inode_how *how)
{
	uint64_t log2 = flags >> GMEM__RFC1_SIZE_SHIFT;

	how->init_private = true;
	if (!(flags & GMEM__RFC1_HUGETLB))
		return flags ? -EINVAL : 0;
	if (flags & ~(GMEM__RFC1_HUGETLB | SIZE_MASK << GMEM__RFC1_SIZE_SHIFT))
		return -EINVAL;
	/* no other bit is left */
	how->page_size = 1ULL << log2;
	return how->page_size > k->page_size ? 0 : -EINVAL;
}

/* The first reserved byte of the arguments; other kernels ignore it. */
static int page_order(const struct kernel *k, const struct gmem__create *args,
		      struct inode_how *how)
{
	unsigned int order = *(const unsigned char *)args->reserved;
	unsigned int base = (unsigned int)__builtin_ctzll(k->page_size);

	if (!(args->flags & GMEM__ORDER_HUGETLB))
		return order ? -EINVAL : 0;
	if (args->flags & GMEM__FLAG_INIT_SHARED)
		return -EINVAL;
	if (order == 0 || base + order >= 63)
		return -EINVAL;
	how->page_size = k->page_size << order;
	return 0;
}

static int flags_merged(const struct kernel *k, const struct vm *vm,
			const struct gmem__create *args, struct inode_how *how)
{
	uint64_t flags = args->flags;

	if (flags & ~model__vm_flags(k, vm))
		return -EINVAL;
	how->mappable = flags & GMEM__FLAG_MMAP;
	how->init_private = !(flags & GMEM__FLAG_INIT_SHARED);
	how->converts = model__has(k, MODEL_IN_PLACE) && model__vm_private(vm);
	return model__has(k, MODEL_PAGE_ORDER) ? page_order(k, args, how) : 0;
}

static int create_checks(const struct kernel *k, const struct vm *vm,
			 const struct gmem__create *args, struct inode_how *how)
{
	int r;

	*how = (struct inode_how){ .size = args->size,
				   .page_size = k->page_size };
	if (model__has(k, MODEL_RFC1))
		r = flags_rfc1(k, args->flags, how);
	else
		r = flags_merged(k, vm, args, how);
	if (r < 0)
		return r;
	if (how->size == 0 || how->size > INT64_MAX ||
	    how->size % how->page_size)
		return -EINVAL;
	return 0;
}

int model__file_create(struct kernel *k, struct vm *vm, const void *arg)
{
	struct gmem__create args;
	struct inode_how how;
	struct file *f;
	int fd, r = model__copy_in(&args, arg, sizeof(args));

	if (r == 0)
		r = create_checks(k, vm, &args, &how);
	if (r < 0)
		return r;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	r = model__inode_new(k, &how, &f->inode, &fd);
	if (r < 0)
		goto err_file;
	f->vm = vm;
	f->o.twin = f->inode->shared;
	vm->o.users++;
	r = model__object_add(k, &f->o, OBJECT_FILE, fd);
	if (r < 0)
		goto err_inode;
	return fd;
err_inode:
	vm->o.users--;
	(void)close(fd);
	model__inode_free(f->inode);
err_file:
	free(f);
	return r;
}

void model__file_free(struct kernel *k, struct file *f)
{
	/* The slots stay, with nothing behind them. */
	model__slots_lose_file(f);
	model__inode_free(f->inode);
	model__object_put(k, &f->vm->o);
	free(f);
}

static int set_attributes2(struct file *f, void *arg)
{
	uint64_t page = f->inode->k->page_size, reserved = 0;
	struct gmem__attributes2 a;
	int r = model__copy_in(&a, arg, sizeof(a));

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(a.reserved); i++)
		reserved |= a.reserved[i];
	if (a.flags || reserved || (a.attributes & ~GMEM__ATTRIBUTE_PRIVATE))
		return -EINVAL;
	if (!f->inode->converts || a.size == 0 || a.offset + a.size < a.size ||
	    (a.offset | a.size) % page || a.offset + a.size > f->inode->size)
		return -EINVAL;
	r = model__inode_convert(f->inode, a.offset, a.size, a.attributes,
				 &a.error_offset);
	if (r == 0)
		return 0;
	/* How far it came, written only on failure. */
	arg = (char *)arg + offsetof(struct gmem__attributes2, error_offset);
	return model__copy_out(arg, &a.error_offset, sizeof(a.error_offset)) < 0
		       ? -EFAULT
		       : r;
}

int model__file_ioctl(struct kernel *k, struct file *f, unsigned long request,
		      void *arg)
{
	if (request == GMEM__KVM_SET_MEMORY_ATTRIBUTES2 &&
	    model__has(k, MODEL_IN_PLACE))
		return set_attributes2(f, arg);
	return -ENOTTY;
}

/* Whether the VFS knows the mode; a file system may still refuse it. */
static bool known_mode(int mode)
{
	bool keep = mode & FALLOC_FL_KEEP_SIZE;

	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_UNSHARE_RANGE:
		return true;
	case FALLOC_FL_PUNCH_HOLE:
		return keep;
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		return !keep;
	default:
		return false;
	}
}

/* What the VFS refuses before a file system is asked, in its order. */
static int fallocate_vfs(const struct object *o, int mode, uint64_t offset,
			 uint64_t len)
{
	if (offset > INT64_MAX || len == 0 || len > INT64_MAX)
		return -EINVAL;
	if (!known_mode(mode))
		return -EOPNOTSUPP;
	if (o->type != OBJECT_FILE)
		return -ENODEV;
	return offset + len > INT64_MAX ? -EFBIG : 0;
}

int model__fallocate(struct kernel *k, int fd, int mode, uint64_t offset,
		     uint64_t len)
{
	struct object *o = model__object(k, fd);
	struct inode *i;
	int r;

	if (!o)
		return gmem__sys_linux.fallocate(NULL, fd, mode, offset, len);
	r = fallocate_vfs(o, mode, offset, len);
	if (r < 0)
		return r;
	if (mode != FALLOC_FL_KEEP_SIZE &&
	    mode != (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if ((offset | len) % k->page_size)
		return -EINVAL;
	i = ((struct file *)o)->inode;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return model__inode_punch(i, offset, len);
	if (offset + len > i->size)
		return -EINVAL;
	return model__inode_allocate(i, offset, len);
}

int model__cachestat(struct kernel *k, int fd, uint64_t offset, uint64_t len,
		     uint64_t *resident)
{
	struct object *o = model__object(k, fd);
	struct inode *i;
	uint64_t first, last;
	int r;

	/* The real one says what this host does not have. */
	r = gmem__sys_linux.cachestat(NULL, fd, offset, len, resident);
	if (r < 0 || !o || o->type != OBJECT_FILE)
		return r;
	i = ((struct file *)o)->inode;
	first = offset - offset % k->page_size;
	/* A range that wraps ends where it wrapped to; at 0 it has no end. */
	last = len == 0 ? 0 : offset + len;
	if (last - 1 >= i->size)
		last = i->size;
	last += (k->page_size - last % k->page_size) % k->page_size;
	return first >= last ? 0
			     : model__inode_resident(i, first, last - first,
						     resident);
}

int model__fstat(struct kernel *k, int fd, struct gmem__stat *out)
{
	struct object *o = model__object(k, fd);
	int r = gmem__sys_linux.fstat(NULL, fd, out);

	if (!o)
		return r;
	switch (o->type) {
	case OBJECT_FILE:
		out->size = ((struct file *)o)->inode->size;
		out->block = model__has(k, MODEL_PAGE_ORDER)
				     ? ((struct file *)o)->inode->page_size
				     : k->page_size;
		out->mode = S_IFREG | 0600;
		break;
	case OBJECT_VM: /* the mode of an anonymous inode: no type */
		out->mode = 0600;
		break;
	case OBJECT_DEVICE:
		out->mode = S_IFCHR | 0660;
		break;
	}
	return r;
}

int model__fstatfs(struct kernel *k, int fd, uint64_t *magic)
{
	struct object *o = model__object(k, fd);
	int r = gmem__sys_linux.fstatfs(NULL, fd, magic);

	if (!o || o->type == OBJECT_DEVICE)
		return r;
	*magic = GMEM__MAGIC_ANON_INODE;
	if (o->type == OBJECT_FILE && model__has(k, MODEL_OWN_INODE))
		*magic = GMEM__MAGIC_GUEST_MEMFD;
	return r;
}
