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

/* Conversion as posted with huge pages in 2025: ioctls of type 0xaf. */
#define RFC2_IOWR(nr) (3UL << 30 | 64UL << 16 | 0xaf00UL | (nr))
#define RFC2_CONVERT_SHARED RFC2_IOWR(0x41)
#define RFC2_CONVERT_PRIVATE RFC2_IOWR(0x42)

struct rfc2_convert {
	uint64_t offset;
	uint64_t size;
	uint64_t error_offset;
	uint64_t reserved[5];
};

_Static_assert(sizeof(struct rfc2_convert) == 64, "UAPI");

#define SIZE_MASK 0x3fULL

/* With @hugetlb in @flags, 6 bits at @shift name the page; others are 0. */
static int huge_size(const struct kernel *k, uint64_t flags, uint64_t hugetlb,
		     unsigned int shift, uint64_t *page_size)
{
	uint64_t log2 = flags >> shift & SIZE_MASK;

	if (!(flags & hugetlb))
		return flags ? -EINVAL : 0;
	if (flags & ~(hugetlb | SIZE_MASK << shift) || log2 >= 63)
		return -EINVAL;
	*page_size = 1ULL << log2;
	return *page_size > k->page_size ? 0 : -EINVAL;
}

static int flags_rfc1(const struct kernel *k, uint64_t flags,
		      struct inode_how *how)
{
	how->init_private = true;
	return huge_size(k, flags, GMEM__RFC1_HUGETLB, GMEM__RFC1_SIZE_SHIFT,
			 &how->page_size);
}

static int flags_rfc2(const struct kernel *k, const struct vm *vm,
		      uint64_t flags, struct inode_how *how)
{
	uint64_t known = GMEM__RFC2_SUPPORT_SHARED;

	how->mappable = flags & GMEM__RFC2_SUPPORT_SHARED;
	how->init_private = !how->mappable || (flags & GMEM__RFC2_INIT_PRIVATE);
	how->converts = model__vm_private(vm);
	if (how->mappable)
		known |= GMEM__RFC2_INIT_PRIVATE;
	return huge_size(k, flags & ~known, GMEM__RFC2_HUGETLB,
			 GMEM__RFC2_SIZE_SHIFT, &how->page_size);
}

static int flags_merged(const struct kernel *k, const struct vm *vm,
			uint64_t flags, struct inode_how *how)
{
	if (flags & ~model__vm_flags(k, vm))
		return -EINVAL;
	how->mappable = flags & GMEM__FLAG_MMAP;
	how->init_private = !(flags & GMEM__FLAG_INIT_SHARED);
	how->converts = model__has(k, MODEL_IN_PLACE) && model__vm_private(vm);
	return 0;
}

static int create_checks(const struct kernel *k, const struct vm *vm,
			 const struct gmem__create *args, struct inode_how *how)
{
	int r;

	*how = (struct inode_how){ .size = args->size,
				   .page_size = k->page_size };
	if (model__has(k, MODEL_RFC1))
		r = flags_rfc1(k, args->flags, how);
	else if (model__has(k, MODEL_RFC2))
		r = flags_rfc2(k, vm, args->flags, how);
	else
		r = flags_merged(k, vm, args->flags, how);
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

/*
 * What both ways to convert have in common; a failure on the way tells the
 * caller in *@error_offset, which is its own, how far it came.
 */
static int convert(struct file *f, uint64_t offset, uint64_t size, bool private,
		   void *error_offset)
{
	uint64_t page = f->inode->k->page_size, at = offset;
	int r;

	if (!f->inode->converts || size == 0 || offset + size < offset ||
	    (offset | size) % page || offset + size > f->inode->size)
		return -EINVAL;
	r = model__inode_convert(f->inode, offset, size, private, &at);
	if (r == 0 || r == -EINVAL)
		return r;
	return model__copy_out(error_offset, &at, sizeof(at)) < 0 ? -EFAULT : r;
}

static int set_attributes2(struct file *f, void *arg)
{
	struct gmem__attributes2 a;
	uint64_t reserved = 0;
	int r = model__copy_in(&a, arg, sizeof(a));

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(a.reserved); i++)
		reserved |= a.reserved[i];
	if (a.flags || reserved || (a.attributes & ~GMEM__ATTRIBUTE_PRIVATE))
		return -EINVAL;
	return convert(
		f, a.offset, a.size, a.attributes,
		(char *)arg + offsetof(struct gmem__attributes2, error_offset));
}

static int rfc2_convert(struct file *f, void *arg, bool private)
{
	struct rfc2_convert a;
	uint64_t reserved = 0;
	int r = model__copy_in(&a, arg, sizeof(a));

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(a.reserved); i++)
		reserved |= a.reserved[i];
	if (reserved)
		return -EINVAL;
	return convert(f, a.offset, a.size, private,
		       (char *)arg +
			       offsetof(struct rfc2_convert, error_offset));
}

int model__file_ioctl(struct kernel *k, struct file *f, unsigned long request,
		      void *arg)
{
	if (request == GMEM__KVM_SET_MEMORY_ATTRIBUTES2 &&
	    model__has(k, MODEL_IN_PLACE))
		return set_attributes2(f, arg);
	if (model__has(k, MODEL_RFC2) &&
	    (request == RFC2_CONVERT_SHARED || request == RFC2_CONVERT_PRIVATE))
		return rfc2_convert(f, arg, request == RFC2_CONVERT_PRIVATE);
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
	if (!(mode & FALLOC_FL_KEEP_SIZE) ||
	    (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)))
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
	/* A range that wraps is one that ends where it wrapped to. */
	last = len == 0 ? i->size : offset + len;
	if (last > i->size)
		last = i->size;
	last += (k->page_size - last % k->page_size) % k->page_size;
	*resident = 0;
	return first >= last ? 0
			     : model__inode_resident(i, first, last - first,
						     resident);
}

int model__fstat(struct kernel *k, int fd, struct gmem__stat *out)
{
	struct object *o = model__object(k, fd);
	int r = gmem__sys_linux.fstat(NULL, fd, out);

	if (r < 0 || !o)
		return r;
	switch (o->type) {
	case OBJECT_FILE:
		out->size = ((struct file *)o)->inode->size;
		out->mode = S_IFREG | 0600;
		break;
	case OBJECT_VM: /* the mode of an anonymous inode: no type */
		out->mode = 0600;
		break;
	case OBJECT_DEVICE:
		out->mode = S_IFCHR | 0660;
		break;
	}
	return 0;
}

int model__fstatfs(struct kernel *k, int fd, uint64_t *magic)
{
	struct object *o = model__object(k, fd);
	int r = gmem__sys_linux.fstatfs(NULL, fd, magic);

	if (r < 0 || !o || o->type == OBJECT_DEVICE)
		return r;
	*magic = GMEM__MAGIC_ANON_INODE;
	if (o->type == OBJECT_FILE && model__has(k, MODEL_OWN_INODE))
		*magic = GMEM__MAGIC_GUEST_MEMFD;
	return 0;
}
