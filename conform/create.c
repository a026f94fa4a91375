// SPDX-License-Identifier: MIT
/* Capabilities, and KVM_CREATE_GUEST_MEMFD. */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "case.h"

static void unknown_ioctls(struct conform *c)
{
	int fd = c_file(c);

	IS(c_ioctl(c, c->device, UAPI_IO(0xfe), NULL), -EINVAL);
	IS(c_ioctl(c, fd, UAPI_IO(0xfe), NULL), -ENOTTY);
	/* On arm64 a protected-mode host warns of it in its log. */
	if (!c->arm64)
		IS(c_ioctl(c, c->vm, UAPI_IO(0xfe), NULL), -ENOTTY);
}

static void guest_memfd_capability(struct conform *c)
{
	int vm = c_vm(c, 0);

	IS(c_cap(c, vm, UAPI_CAP_GUEST_MEMFD) > 0, c->version >= 618);
	IS(c_cap(c, c->device, UAPI_CAP_GUEST_MEMFD) > 0, 1);
	IS(c_cap(c, c->vm, UAPI_CAP_GUEST_MEMFD) > 0, 1);
	IS(c_cap(c, vm, UAPI_CAP_USER_MEMORY2), 1);
}

static void fault_info_capability(struct conform *c)
{
	IS(c_cap(c, c->vm, UAPI_CAP_MEMORY_FAULT_INFO) > 0, !c->arm64);
	IS(c_cap(c, c->device, UAPI_CAP_VM_TYPES) > 0, !c->arm64);
	IS(c_cap(c, c->device, UAPI_CAP_EXIT_HYPERCALL) > 0, !c->arm64);
}

static void flags_capability(struct conform *c)
{
	int vm = c_vm(c, 0);
	uint64_t mask = (uint64_t)c_cap(c, vm, UAPI_CAP_GUEST_MEMFD_FLAGS);

	IS(mask, c->have & NEED_ORDER ? 7 : c->version >= 618 ? 3 : 0);
	IS(c_cap(c, c->device, UAPI_CAP_GUEST_MEMFD_FLAGS), mask);
	for (unsigned int bit = 0; bit < 64; bit++) {
		int fd = c_create(c, vm, c->page, 1ULL << bit);

		/* Huge pages need an order besides. */
		IS(fd < 0 ? fd : 0, mask >> bit & 1 && bit < 2 ? 0 : -EINVAL);
		c_close(c, fd);
	}
}

static void private_vm_flags(struct conform *c)
{
	int vm = c_vm(c, 1);
	int want = c->have & NEED_IN_PLACE ? 3 : c->version >= 618 ? 1 : 0;

	IS(c_cap(c, vm, UAPI_CAP_GUEST_MEMFD_FLAGS),
	   c->have & NEED_ORDER ? want | (int)UAPI_ORDER_HUGETLB : want);
	for (int flags = 0; flags < 4; flags++) {
		int fd = c_create(c, vm, c->page, (uint64_t)flags);

		IS(fd < 0 ? fd : 0, flags & ~want ? -EINVAL : 0);
	}
}

static void attributes_capability(struct conform *c)
{
	int plain = c_vm(c, 0), private = c_vm(c, 1);

	IS(c_cap(c, c->device, UAPI_CAP_MEMORY_ATTRIBUTES),
	   UAPI_ATTRIBUTE_PRIVATE);
	IS(c_cap(c, plain, UAPI_CAP_MEMORY_ATTRIBUTES), 0);
	IS(c_cap(c, private, UAPI_CAP_MEMORY_ATTRIBUTES),
	   UAPI_ATTRIBUTE_PRIVATE);
}

static int ask_in_child(struct conform *c, int fd)
{
	(void)fd;
	return c_cap(c, c->vm, UAPI_CAP_USER_MEMORY2);
}

static int create_in_child(struct conform *c, int fd)
{
	(void)fd;
	return c_create(c, c->vm, c->page, 0);
}

static int bind_in_child(struct conform *c, int fd)
{
	return c_bind(c, c->vm, 0, 0, c->page, fd, 0);
}

static int delete_in_child(struct conform *c, int fd)
{
	(void)fd;
	return c_delete(c, c->vm, 0);
}

static void other_process(struct conform *c)
{
	int fd = c_file(c);

	IS(c_child(c, ask_in_child, 0), -EIO);
	IS(c_child(c, create_in_child, 0), -EIO);
	IS(c_child(c, bind_in_child, fd), -EIO);
	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), 0);
	IS(c_child(c, delete_in_child, 0), -EIO);
}

static int allocate_in_child(struct conform *c, int fd)
{
	int r = c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE, 0, 2 * c->page);

	if (r < 0)
		return r;
	return c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0,
			   c->page);
}

static void file_in_other_process(struct conform *c)
{
	int fd = c_file(c);

	IS(c_child(c, allocate_in_child, fd), 0);
	PAGES_ARE(fd, 1);
}

static void bad_pointer(struct conform *c)
{
	IS(c_ioctl(c, c->vm, UAPI_KVM_CREATE_GUEST_MEMFD, BAD_ADDRESS),
	   -EFAULT);
}

static void size_zero(struct conform *c)
{
	IS(c_create(c, c->vm, 0, c->flags), -EINVAL);
}

static void size_negative(struct conform *c)
{
	IS(c_create(c, c->vm, 1ULL << 63, c->flags), -EINVAL);
	IS(c_create(c, c->vm, UINT64_MAX - c->page + 1, c->flags), -EINVAL);
}

static void size_unaligned(struct conform *c)
{
	IS(c_create(c, c->vm, c->page - 1, c->flags), -EINVAL);
	IS(c_create(c, c->vm, c->page + 1, c->flags), -EINVAL);
	IS(c_create(c, c->vm, c->page / 2, c->flags), -EINVAL);
}

static void size_largest(struct conform *c)
{
	uint64_t size = (1ULL << 63) - c->page;
	struct stat st;
	int fd = c_create(c, c->vm, size, c->flags);

	IS(fd >= 0, 1);
	IS(c_fstat(c, fd, &st), 0);
	IS((uint64_t)st.st_size == size, 1);
	PAGES_ARE(fd, 0);
}

static void on_the_device(struct conform *c)
{
	struct uapi_create args = { .size = c->page };

	IS(c_ioctl(c, c->device, UAPI_KVM_CREATE_GUEST_MEMFD, &args), -EINVAL);
}

static void reserved_ignored(struct conform *c)
{
	struct uapi_create args = { .size = c->page, .flags = c->flags };
	int fd;

	memset(args.reserved, 0xa5, sizeof(args.reserved));
	if (c->have & NEED_ORDER) /* that one is read */
		*(unsigned char *)args.reserved = 0;
	fd = c_ioctl(c, c->vm, UAPI_KVM_CREATE_GUEST_MEMFD, &args);
	IS(fd >= 0, 1);
	c_close(c, fd);
}

static void nothing_written_back(struct conform *c)
{
	struct uapi_create args = { .size = c->page, .flags = c->flags };
	int fd = c_ioctl(c, c->vm, UAPI_KVM_CREATE_GUEST_MEMFD, &args);

	IS(fd >= 0, 1);
	c_close(c, fd);
	IS(args.size, c->page);
	IS(args.flags, c->flags);
}

static void never_close_on_exec(struct conform *c)
{
	int fd = c_file(c);

	IS(fcntl(fd, F_GETFD), 0);
	IS(fcntl(c->vm, F_GETFD), FD_CLOEXEC);
}

static void table_full(struct conform *c)
{
	struct rlimit old, low;
	int last, r;

	IS(getrlimit(RLIMIT_NOFILE, &old), 0);
	last = fcntl(c->vm, F_DUPFD, 0);
	IS(last >= 0, 1);
	low = old;
	low.rlim_cur = (rlim_t)last;
	c_close(c, last);
	IS(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = c_create(c, c->vm, c->page, c->flags);
	(void)setrlimit(RLIMIT_NOFILE, &old);
	IS(r, -EMFILE);
}

static void file_size_limit_ignored(struct conform *c)
{
	struct rlimit old, low;
	int fd;

	IS(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = c->page;
	IS(setrlimit(RLIMIT_FSIZE, &low), 0);
	fd = c_create(c, c->vm, PAGES * c->page, c->flags);
	(void)setrlimit(RLIMIT_FSIZE, &old);
	IS(fd < 0 ? fd : 0, 0);
}

static void file_outlives_the_vm_fd(struct conform *c)
{
	unsigned char *p;
	int vm = c_vm(c, 0), fd = c_create(c, vm, PAGES * c->page, SHARED);

	IS(c_close(c, vm), 0);
	IS(c_view(c, fd, &p), 0);
	p[c->page] = 0x5a;
	IS(c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE, 4 * c->page, c->page), 0);
	PAGES_ARE(fd, 2);
	IS(p[c->page], 0x5a);
}

static void starts_zeroed(struct conform *c)
{
	unsigned char *p;
	int fd = c_file(c);

	IS(c_view(c, fd, &p), 0);
	IS(c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE, 0, c->page), 0);
	for (uint64_t i = 0; i < 2 * c->page; i++)
		IS(p[i], 0);
}

static void combinations_not_checked(struct conform *c)
{
	int vm = c_vm(c, 0);

	for (uint64_t flags = 0; flags < 4; flags++)
		IS(c_create(c, vm, c->page, flags) >= 0, 1);
}

static void before_6_18_default_vm(struct conform *c)
{
	int vm = c_vm(c, 0), fd = c_create(c, vm, c->page, 0);

	IS(fd >= 0, 1);
	IS(c_create(c, vm, c->page, 1), -EINVAL);
	IS(c_bind(c, vm, 0, 0, c->page, fd, 0), -EINVAL);
}

const struct conform_case create_cases[] = {
	{ "capability: unknown ioctl", "unknown_ioctls", NEED_GMEM,
	  unknown_ioctls },
	{ "capability: GUEST_MEMFD", "guest_memfd_capability", NEED_GMEM,
	  guest_memfd_capability },
	{ "capability: MEMORY_FAULT_INFO", "fault_info_capability", 0,
	  fault_info_capability },
	{ "capability: GUEST_MEMFD_FLAGS; create: EINVAL unknown flag",
	  "flags_capability", NEED_GMEM | NEED_MERGED, flags_capability },
	{ "VM type: flags that each accepts", "private_vm_flags",
	  NEED_PRIVATE | NEED_MERGED, private_vm_flags },
	{ "capability: MEMORY_ATTRIBUTES", "attributes_capability",
	  NEED_PRIVATE | NEED_BY_GPA, attributes_capability },
	{ "capability: EIO in another process; create: EIO in another process; "
	  "trap: a VM after fork",
	  "other_process", NEED_GMEM, other_process },
	{ "fd: works in any process; fallocate: in any process",
	  "file_in_other_process", NEED_GMEM, file_in_other_process },
	{ "create: EFAULT", "bad_pointer", NEED_GMEM, bad_pointer },
	{ "create: EINVAL size 0", "size_zero", NEED_GMEM, size_zero },
	{ "create: EINVAL size negative", "size_negative", NEED_GMEM,
	  size_negative },
	{ "create: EINVAL size unaligned", "size_unaligned", NEED_GMEM,
	  size_unaligned },
	{ "create: any size, nothing reserved", "size_largest", NEED_GMEM,
	  size_largest },
	{ "create: EINVAL on /dev/kvm", "on_the_device", NEED_GMEM,
	  on_the_device },
	{ "create: reserved fields are ignored; trap: reserved fields",
	  "reserved_ignored", NEED_GMEM, reserved_ignored },
	{ "create: nothing is written back", "nothing_written_back", NEED_GMEM,
	  nothing_written_back },
	{ "create: the fd is not close-on-exec; trap: no close-on-exec",
	  "never_close_on_exec", NEED_GMEM, never_close_on_exec },
	{ "create: EMFILE", "table_full", NEED_GMEM, table_full },
	{ "create: RLIMIT_FSIZE is ignored", "file_size_limit_ignored",
	  NEED_GMEM, file_size_limit_ignored },
	{ "create: a file holds its VM; trap: closing the VM fd",
	  "file_outlives_the_vm_fd", NEED_MMAP, file_outlives_the_vm_fd },
	{ "create: pages are zero", "starts_zeroed", NEED_MMAP, starts_zeroed },
	{ "create: combinations of flags; trap: INIT_SHARED without MMAP",
	  "combinations_not_checked", NEED_MMAP, combinations_not_checked },
	{ "create: up to 6.17 on a default VM; trap: up to 6.17 only binding "
	  "fails",
	  "before_6_18_default_vm", NEED_OLD | NEED_PRIVATE | NEED_MERGED,
	  before_6_18_default_vm },
	{ 0 },
};
