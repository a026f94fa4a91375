// SPDX-License-Identifier: MIT
/* The KVM part of the scripted kernel: its checks in the kernel's order. */
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"
#include "fake_kvm.h"

#include "seam.h"

#define PRIVATE_TYPES (1 << 1 | 1 << 4 | 1 << 5)
#define SMALL 4096ULL /* attributes are kept per 4 KiB */

static int unknown_ioctl(const struct fake *f, enum fake_fd_type type)
{
	if (type == FAKE_FD_DEVICE || (type == FAKE_FD_VM && f->arm64))
		return -EINVAL;
	return -ENOTTY;
}

static int create_vm(struct fake *f, uintptr_t arg)
{
	int types = f->cap_sys[235], fd;

	if (types == 0)
		types = 1; /* before 6.8 */
	if (f->arm64 ? arg & ~0xffUL || (arg && (arg < 32 || arg > 48))
		     : arg > 30 || types < 0 || !(types >> arg & 1))
		return -EINVAL;
	fd = fake_new_fd(f, FAKE_FD_VM);
	if (fd < 0)
		return fd;
	fake_file(f, fd)->vm_type = f->arm64 ? 0 : (int)arg;
	fake_file(f, fd)->cloexec = true;
	return fd;
}

static uint64_t huge_of(const struct fake *f, uint64_t flags)
{
	if (f->encoding == GMEM_HUGETLB_RFC1 && flags & 1ULL << 1)
		return 1ULL << (flags >> 26 & 0x3f);
	if (f->encoding == GMEM_HUGETLB_RFC2 && flags & 1ULL << 2)
		return 1ULL << (flags >> 58);
	return 0;
}

/* Whether a file made with @flags starts private. */
static bool starts_private(const struct fake *f, uint64_t flags)
{
	if (f->encoding == GMEM_HUGETLB_RFC2 && huge_of(f, flags))
		return !(flags & 1) || flags & 2;
	return !(flags & GMEM__FLAG_INIT_SHARED);
}

static int create_file(struct fake *f, const struct gmem__create *c,
		       int vm_type)
{
	struct fake_fd *file;
	int fd;

	if (f->no_guest_memfd)
		return unknown_ioctl(f, FAKE_FD_VM);
	if (c->flags & ~f->create_flags)
		return -EINVAL;
	if ((int64_t)c->size <= 0 || c->size % f->page_size)
		return -EINVAL;
	if (huge_of(f, c->flags) && c->size % huge_of(f, c->flags))
		return -EINVAL;
	fd = fake_new_fd(f, FAKE_FD_GMEM);
	if (fd < 0)
		return fd;
	file = fake_file(f, fd);
	file->size = c->size;
	file->flags = c->flags;
	file->vm_type = vm_type;
	file->huge = huge_of(f, c->flags);
	file->real = memfd_create("fake", MFD_CLOEXEC);
	(void)!ftruncate(file->real, (off_t)c->size);
	if (f->inplace) {
		file->private = malloc(c->size / SMALL);
		assert_non_null(file->private);
		memset(file->private, starts_private(f, c->flags),
		       c->size / SMALL);
	}
	return fd;
}

static struct fake_slot *find_slot(struct fake *f, uint32_t id)
{
	for (size_t i = 0; i < FAKE_SLOTS; i++)
		if (f->slots[i].used && f->slots[i].r.region.slot == id)
			return &f->slots[i];
	return NULL;
}

/* Steps 2 to 6 of the kernel's checks. */
static int region_form(const struct fake *f, const struct gmem__region2 *r)
{
	const struct gmem__region *v1 = &r->region;
	uint64_t any =
		v1->guest_phys_addr | v1->memory_size | v1->userspace_addr;
	bool fd = v1->flags & GMEM__MEM_GUEST_MEMFD;

	if ((v1->slot & 0xffff) >= (uint32_t)f->cap_vm[10] || v1->flags & ~7U ||
	    (fd && f->cap_vm[234] <= 0) || (fd && v1->flags & 3) ||
	    (v1->flags & GMEM__MEM_READONLY && f->cap_vm[81] <= 0))
		return -EINVAL;
	if (any % f->page_size || v1->userspace_addr >> 47 ||
	    (fd && r->guest_memfd_offset % f->page_size))
		return -EINVAL;
	if (v1->slot >> 16 && v1->slot >> 16 >= (uint32_t)f->cap_vm[118])
		return -EINVAL;
	if (v1->guest_phys_addr + v1->memory_size < v1->guest_phys_addr ||
	    v1->memory_size / f->page_size > 0x7fffffff)
		return -EINVAL;
	return 0;
}

/* Steps 11 to 13: what is behind the slot. */
static int region_file(struct fake *f, const struct gmem__region2 *r)
{
	uint64_t start = r->guest_memfd_offset;
	uint64_t end = start + r->region.memory_size;
	const struct fake_fd *file = fake_file(f, (int)r->guest_memfd);

	if (!file)
		return -EBADF;
	if (file->type != FAKE_FD_GMEM || file->foreign)
		return -EINVAL;
	if (end > file->size && !(f->offset_overflow && end >> 63))
		return -EINVAL;
	for (size_t i = 0; i < FAKE_SLOTS; i++) {
		const struct fake_slot *s = &f->slots[i];
		uint64_t at = s->r.guest_memfd_offset;

		if (s->used && s->ino == file->ino && at < end &&
		    start < at + s->r.region.memory_size)
			return f->eexist ? -EEXIST : -EINVAL;
	}
	if (f->arm64 && !(file->flags & GMEM__FLAG_MMAP))
		return -EINVAL;
	return 0;
}

static int set_region(struct fake *f, const struct gmem__region2 *r)
{
	const struct gmem__region *v1 = &r->region;
	struct fake_slot *s = find_slot(f, v1->slot);
	bool fd = v1->flags & GMEM__MEM_GUEST_MEMFD;
	int code = region_form(f, r);

	if (code)
		return code;
	if (!v1->memory_size) {
		if (s)
			memset(s, 0, sizeof(*s));
		return s ? 0 : -EINVAL;
	}
	if (s)
		return -EINVAL; /* no test here changes one */
	for (size_t i = 0; i < FAKE_SLOTS; i++) {
		const struct gmem__region *o = &f->slots[i].r.region;

		if (!f->slots[i].used)
			s = &f->slots[i];
		else if (o->slot >> 16 == v1->slot >> 16 &&
			 o->guest_phys_addr <
				 v1->guest_phys_addr + v1->memory_size &&
			 v1->guest_phys_addr <
				 o->guest_phys_addr + o->memory_size)
			return -EEXIST;
	}
	if (!s)
		return -ENOMEM;
	code = fd ? region_file(f, r) : 0;
	if (code)
		return code;
	if (v1->guest_phys_addr + v1->memory_size > f->gpa_end)
		return f->arm64 ? -EFAULT : -EINVAL;
	*s = (struct fake_slot){ *r, true, 0 };
	if (fd)
		s->ino = fake_file(f, (int)r->guest_memfd)->ino;
	return 0;
}

static void paint(unsigned char *pages, uint64_t start, uint64_t len,
		  uint64_t attributes)
{
	memset(pages + start / SMALL, attributes != 0, len / SMALL);
}

static int set_attributes(struct fake *f, const struct gmem__attributes *a)
{
	if (f->cap_sys[233] <= 0)
		return unknown_ioctl(f, FAKE_FD_VM);
	if (a->flags || a->attributes & ~(uint64_t)f->cap_vm[233] || !a->size ||
	    a->address + a->size < a->address ||
	    (a->address | a->size) % f->page_size)
		return -EINVAL;
	assert_true(a->address + a->size <= FAKE_GPA_END);
	if (!f->gpa_private)
		f->gpa_private = calloc(1, FAKE_GPA_END / SMALL);
	assert_non_null(f->gpa_private);
	paint(f->gpa_private, a->address, a->size, a->attributes);
	return 0;
}

static int set_attributes2(struct fake *f, struct fake_fd *file,
			   struct gmem__attributes2 *a)
{
	uint64_t end = a->offset + a->size, unit = file->huge;
	bool same = true;

	if (!f->inplace)
		return -ENOTTY;
	for (size_t i = 0; i < ARRAY_SIZE(a->reserved); i++)
		same &= !a->reserved[i];
	if (!same || a->flags || !(1 << file->vm_type & PRIVATE_TYPES) ||
	    a->attributes & ~8ULL || !a->size || end < a->offset ||
	    end > file->size || (a->offset | a->size) % f->page_size)
		return -EINVAL;
	for (uint64_t at = a->offset; at < end; at += SMALL)
		same &= file->private[at / SMALL] == (a->attributes != 0);
	if (same)
		return 0;
	if (a->attributes && f->pinned >= a->offset && f->pinned < end &&
	    f->pinned_for) {
		f->pinned_for--;
		a->error_offset = unit ? f->pinned / unit * unit : f->pinned;
		if (unit && a->error_offset > a->offset)
			paint(file->private, a->offset,
			      a->error_offset - a->offset, 1);
		return -EAGAIN;
	}
	paint(file->private, a->offset, a->size, a->attributes);
	return 0;
}

static int check_extension(const struct fake *f, enum fake_fd_type type,
			   uintptr_t cap)
{
	if (cap >= FAKE_CAPS)
		return 0;
	return type == FAKE_FD_VM ? f->cap_vm[cap] : f->cap_sys[cap];
}

static int device_ioctl(struct fake *f, unsigned long request, void *arg)
{
	switch (request) {
	case GMEM__KVM_GET_API_VERSION:
		return f->api_version;
	case GMEM__KVM_CREATE_VM:
		return create_vm(f, (uintptr_t)arg);
	case GMEM__KVM_CHECK_EXTENSION:
		return check_extension(f, FAKE_FD_DEVICE, (uintptr_t)arg);
	default:
		return unknown_ioctl(f, FAKE_FD_DEVICE);
	}
}

static int vm_ioctl(struct fake *f, const struct fake_fd *file,
		    unsigned long request, void *arg)
{
	struct gmem__region2 r = { .guest_memfd = UINT32_MAX };

	if (f->dead)
		return -EIO;
	switch (request) {
	case GMEM__KVM_CHECK_EXTENSION:
		return check_extension(f, FAKE_FD_VM, (uintptr_t)arg);
	case GMEM__KVM_SET_USER_MEMORY_REGION:
		memcpy(&r.region, arg, sizeof(r.region));
		return r.region.flags & ~3U ? -EINVAL : set_region(f, &r);
	case GMEM__KVM_SET_USER_MEMORY_REGION2:
		if (f->cap_vm[231] <= 0)
			return unknown_ioctl(f, FAKE_FD_VM);
		return set_region(f, arg);
	case GMEM__KVM_SET_MEMORY_ATTRIBUTES:
		return set_attributes(f, arg);
	case GMEM__KVM_CREATE_GUEST_MEMFD:
		return create_file(f, arg, file->vm_type);
	default:
		return unknown_ioctl(f, FAKE_FD_VM);
	}
}

int fake_kvm(struct fake *f, int fd, unsigned long request, void *arg)
{
	struct fake_fd *file = fake_file(f, fd);

	if (!file)
		return -EBADF;
	switch (file->type) {
	case FAKE_FD_DEVICE:
		return device_ioctl(f, request, arg);
	case FAKE_FD_VM:
		return vm_ioctl(f, file, request, arg);
	case FAKE_FD_GMEM:
		return request == GMEM__KVM_SET_MEMORY_ATTRIBUTES2
			       ? set_attributes2(f, file, arg)
			       : -ENOTTY;
	default:
		return -ENOTTY;
	}
}

static void caps(struct fake *f, int cap, int sys, int vm)
{
	f->cap_sys[cap] = sys;
	f->cap_vm[cap] = vm;
}

void fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	f->page_size = 4096;
	f->api_version = 12;
	f->create_flags = 3;
	f->gpa_end = 1ULL << 46;
	f->phys_bits = 46;
	f->pinned = FAKE_NOWHERE;
	f->nodes = 1;
	(void)pthread_mutex_init(&f->lock, NULL);
	caps(f, 3, 1, 1);
	caps(f, 10, 32764, 32764);
	caps(f, 81, 1, 1);
	caps(f, 105, 1, 1);
	caps(f, 118, 1, 1);
	caps(f, 201, 4096, 4096);
	caps(f, 231, 1, 1);
	caps(f, 232, 1, 1);
	caps(f, 234, 1, 1);
	caps(f, 235, 1, 1);
	caps(f, 244, 3, 3);
}

void fake_init_612(struct fake *f)
{
	fake_init(f);
	f->create_flags = 0;
	f->offset_overflow = true;
	caps(f, 233, 8, 0);
	caps(f, 234, 1, 0);
	caps(f, 235, 3, 3);
	caps(f, 236, 1, 1);
	caps(f, 244, 0, 0);
}

void fake_init_sw(struct fake *f, bool v73)
{
	fake_init_612(f);
	caps(f, 233, 8, 8);
	caps(f, 234, 1, 1);
	if (!v73)
		return;
	caps(f, 244, 3, 1);
	f->create_flags = GMEM__FLAG_MMAP;
	f->offset_overflow = false;
	f->eexist = true;
	f->own_inode = true;
	f->policy_obeyed = true;
}

void fake_init_inplace(struct fake *f)
{
	fake_init_sw(f, true);
	caps(f, 233, 0, 0);
	caps(f, 244, 3, 3);
	f->create_flags = 3;
	f->inplace = true;
}

void fake_init_arm64(struct fake *f)
{
	fake_init(f);
	f->arm64 = true;
	f->page_size = 16384;
	f->gpa_end = 1ULL << 40;
	f->phys_bits = 0;
	caps(f, 10, 32767, 32767);
	caps(f, 118, 0, 0);
	caps(f, 201, 0, 0);
	caps(f, 232, 0, 0);
	caps(f, 235, 0, 0);
}

int fake_fd(struct fake *f, enum fake_fd_type type, uint64_t size,
	    uint64_t flags)
{
	struct gmem__create c = { .size = size, .flags = flags };
	uint64_t known = f->create_flags;
	int fd;

	if (type != FAKE_FD_GMEM)
		return fake_new_fd(f, type);
	f->create_flags = flags;
	fd = create_file(f, &c, 0);
	f->create_flags = known;
	assert_true(fd >= 0);
	return fd;
}

const struct fake_slot *fake_slot(struct fake *f, uint32_t id)
{
	return find_slot(f, id);
}

bool fake_gpa_private(struct fake *f, uint64_t gpa)
{
	return f->gpa_private && f->gpa_private[gpa / SMALL];
}

bool fake_file_private(struct fake *f, int fd, uint64_t offset)
{
	const struct fake_fd *file = fake_file(f, fd);

	if (file->private)
		return file->private[offset / SMALL];
	return starts_private(f, file->flags);
}

struct gmem_vm *fake_vm(struct fake *f, uint32_t type)
{
	struct gmem_vm_opts opts = { .sz = sizeof(opts), .type = type };
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	opts.hugetlb_encoding = f->encoding;
	t_ok(gmem__vm_open_on(&fake_sys, f, &opts, &vm, &err), err);
	fake_reset(f);
	return vm;
}
