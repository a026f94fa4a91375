// SPDX-License-Identifier: MIT
/* What the model's descriptors take, at the ends of what they take. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/magic.h>

#include <gmem_model.h>

#include "unit.h"

#include "hugetlb.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define KEEP FALLOC_FL_KEEP_SIZE
#define PUNCH (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)
#define PAGES 16
#define HUGE (2 * MiB)
#define UNTOUCHED 4711

/* The end of a process's addresses; see slot.c. */
#ifdef __aarch64__
#define USER_END (1ULL << 48)
#else
#define USER_END ((1ULL << 47) - 4096)
#endif

static int file(struct unit *m)
{
	return gmem_fd(unit_create(m, PAGES * m->page, SHARED_FLAGS));
}

static int ioc(struct unit *m, int fd, unsigned long request, void *arg)
{
	return model__sys.ioctl(m->k, fd, request, arg);
}

static int falloc(struct unit *m, int fd, int mode, uint64_t offset,
		  uint64_t len)
{
	return model__sys.fallocate(m->k, fd, mode, offset, len);
}

static int convert(struct unit *m, int fd, uint64_t offset, uint64_t len,
		   uint64_t attributes)
{
	struct gmem__attributes2 a = { .offset = offset,
				       .size = len,
				       .attributes = attributes };

	return ioc(m, fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a);
}

/* ------------------------------------------------------------ allocation -- */

static void the_largest_offset_is_still_one(void **state)
{
	struct unit *m = *state;
	int fd = file(m);

	t_code(falloc(m, fd, KEEP, INT64_MAX, 1), -EFBIG);
	t_code(falloc(m, fd, KEEP, 1, INT64_MAX), -EFBIG);
	t_code(falloc(m, fd, KEEP, INT64_MAX - 1, 1), -EINVAL);
	t_code(falloc(m, fd, KEEP, INT64_MAX, 0), -EINVAL);
	t_code(falloc(m, fd, KEEP, 1ULL << 63, 1), -EINVAL);
	t_code(falloc(m, fd, KEEP, 0, 1ULL << 63), -EINVAL);
}

/* The VFS looks at the mode before it asks what the descriptor is. */
static void a_mode_is_refused_before_the_descriptor(void **state)
{
	static const struct {
		int mode;
		bool known;
	} modes[] = {
		{ 0, true },
		{ KEEP, true },
		{ PUNCH, true },
		{ FALLOC_FL_PUNCH_HOLE, false },
		{ FALLOC_FL_ZERO_RANGE, true },
		{ FALLOC_FL_ZERO_RANGE | KEEP, true },
		{ FALLOC_FL_COLLAPSE_RANGE, true },
		{ FALLOC_FL_COLLAPSE_RANGE | KEEP, false },
		{ FALLOC_FL_INSERT_RANGE, true },
		{ FALLOC_FL_INSERT_RANGE | KEEP, false },
		{ FALLOC_FL_UNSHARE_RANGE, true },
		{ FALLOC_FL_ZERO_RANGE | PUNCH, false },
		{ 1 << 20, false },
	};
	struct unit *m = *state;
	int fd = file(m), vm = gmem_vm_fd(m->vm);

	for (size_t i = 0; i < T_ARRAY_SIZE(modes); i++) {
		int mode = modes[i].mode;
		bool taken = mode == KEEP || mode == PUNCH;

		t_code(falloc(m, vm, mode, 0, m->page),
		       modes[i].known ? -ENODEV : -EOPNOTSUPP);
		t_code(falloc(m, fd, mode, INT64_MAX, 1),
		       modes[i].known ? -EFBIG : -EOPNOTSUPP);
		t_code(falloc(m, fd, mode, 0, m->page),
		       taken ? 0 : -EOPNOTSUPP);
	}
}

static uint64_t resident(struct unit *m, int fd, uint64_t offset, uint64_t len)
{
	uint64_t pages = 99;
	int r = model__sys.cachestat(m->k, fd, offset, len, &pages);

	if (r == -ENOSYS)
		t_skip("cachestat", "no cachestat()");
	t_code(r, 0);
	return pages;
}

static void what_is_counted_begins_and_ends_in_pages(void **state)
{
	struct unit *m = *state;
	uint64_t page = m->page;
	int fd = file(m);

	t_code(falloc(m, fd, KEEP, 4 * page, 8 * page), 0);
	assert_int_equal(resident(m, fd, 0, 0), 8);
	assert_int_equal(resident(m, fd, 6 * page, 0), 6);
	assert_int_equal(resident(m, fd, 0, UINT64_MAX), 8);
	assert_int_equal(resident(m, fd, 0, 4 * page), 0);
	assert_int_equal(resident(m, fd, 0, 4 * page + 1), 1);
	assert_int_equal(resident(m, fd, 5 * page - 1, 2), 2);
	assert_int_equal(resident(m, fd, PAGES * page, page), 0);
	/* to where it wraps */
	assert_int_equal(resident(m, fd, 4 * page + 1, UINT64_MAX), 0);
	assert_int_equal(resident(m, fd, 8 * page, -4 * page), 0);
	assert_int_equal(resident(m, fd, 8 * page, -8 * page), 4);
	/* of the others there is nothing to count */
	assert_int_equal(resident(m, gmem_vm_fd(m->vm), 0, 0), 0);
}

static void of_a_huge_page_each_page_counts(void **state)
{
	struct unit *m = *state;
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP,
				      .hugetlb_size = HUGE };
	struct gmem_error err;
	struct gmem *g;
	int fd;

	unit_open_encoding(m, GMEM_HUGETLB_PAGE_ORDER);
	t_ok(gmem_create(m->vm, 3 * HUGE, &o, &g, &err), err);
	fd = gmem_fd(g);
	t_code(falloc(m, fd, KEEP, HUGE + m->page, m->page), 0);
	assert_int_equal(resident(m, fd, 0, UINT64_MAX), HUGE / m->page);
	assert_int_equal(resident(m, fd, HUGE, 3 * m->page + 1), 4);
	assert_int_equal(resident(m, fd, HUGE - m->page, 2 * m->page), 1);
	assert_int_equal(resident(m, fd, 2 * HUGE - m->page, 2 * m->page), 1);
	assert_int_equal(resident(m, fd, 0, HUGE), 0);
}

/* No pool is asked for what is no size. */
static void a_size_is_a_files(void **state)
{
	static const uint32_t encodings[] = { GMEM_HUGETLB_RFC1,
					      GMEM_HUGETLB_PAGE_ORDER };
	struct unit *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(encodings); i++) {
		struct gmem__create c = { .size = 1ULL << 63 };

		unit_open_encoding(m, encodings[i]);
		if (i) {
			c.flags = GMEM__ORDER_HUGETLB;
			*(unsigned char *)c.reserved =
				(unsigned char)(21 - __builtin_ctzll(m->page));
		} else {
			c.flags = GMEM__RFC1_HUGETLB |
				  21ULL << GMEM__RFC1_SIZE_SHIFT;
		}
		t_code(ioc(m, gmem_vm_fd(m->vm), GMEM__KVM_CREATE_GUEST_MEMFD,
			   &c),
		       -EINVAL);
		c.size = INT64_MAX - HUGE + 1;
		t_code(ioc(m, gmem_vm_fd(m->vm), GMEM__KVM_CREATE_GUEST_MEMFD,
			   &c),
		       -ENOMEM);
	}
}

/* -------------------------------------------------------- what they are -- */

static void a_descriptor_tells_what_it_is(void **state)
{
	struct unit *m = *state;
	struct gmem__stat st;
	uint64_t magic = 0;
	int device = unit_device_fd(m), fd = file(m);

	t_code(model__sys.fstat(m->k, fd, &st), 0);
	assert_int_equal(st.size, PAGES * m->page);
	assert_int_equal(st.block, m->page);
	assert_int_equal(st.mode, S_IFREG | 0600);
	t_code(model__sys.fstat(m->k, gmem_vm_fd(m->vm), &st), 0);
	assert_int_equal(st.mode, 0600);
	t_code(model__sys.fstat(m->k, device, &st), 0);
	assert_int_equal(st.mode, S_IFCHR | 0660);
	t_code(model__sys.fstatfs(m->k, device, &magic), 0);
	assert_int_equal(magic, TMPFS_MAGIC);
	t_code(model__sys.fstatfs(m->k, gmem_vm_fd(m->vm), &magic), 0);
	assert_int_equal(magic, GMEM__MAGIC_ANON_INODE);
	t_code(model__sys.fstatfs(m->k, fd, &magic), 0);
	assert_int_equal(magic, GMEM__MAGIC_GUEST_MEMFD);
	t_code(model__sys.close(m->k, device), 0);
}

static void only_some_descriptors_have_a_position(void **state)
{
	struct unit *m = *state;
	int device = unit_device_fd(m), vm = gmem_vm_fd(m->vm), fd = file(m);
	char byte = 0;

	t_code(model__sys.lseek(m->k, fd, 5, SEEK_SET), -ESPIPE);
	t_code(model__sys.lseek(m->k, vm, 5, SEEK_SET), 0);
	t_code(model__sys.lseek(m->k, device, 5, SEEK_SET), 0);
	t_code(model__sys.pread(m->k, fd, &byte, 1, 0), -ESPIPE);
	t_code(model__sys.pread(m->k, vm, &byte, 1, 0), -ESPIPE);
	t_code(model__sys.pread(m->k, device, &byte, 1, 0), -EINVAL);
	t_code(model__sys.pwrite(m->k, fd, &byte, 1, 0), -ESPIPE);
	t_code(model__sys.pwrite(m->k, vm, &byte, 1, 0), -ESPIPE);
	t_code(model__sys.pwrite(m->k, device, &byte, 1, 0), -EINVAL);
	t_code(model__sys.close(m->k, device), 0);
}

static void nothing_can_be_read_from_anywhere(void **state)
{
	struct unit *m = *state;
	char *nowhere = (char *)16;
	int ends[2];

	t_code(model__sys.pipe(m->k, ends), 0);
	t_code(model__sys.write(m->k, ends[1], nowhere, 0), 0);
	t_code(model__sys.write(m->k, ends[1], nowhere, 1), -EFAULT);
	t_code(model__sys.write(m->k, ends[1], "x", 1), 1);
	t_code(model__sys.read(m->k, ends[0], nowhere, 0), 0);
	t_code(model__sys.close(m->k, ends[0]), 0);
	t_code(model__sys.close(m->k, ends[1]), 0);
}

static void only_files_are_mapped(void **state)
{
	struct unit *m = *state;
	int device = unit_device_fd(m), vm = gmem_vm_fd(m->vm), fd = file(m);
	const struct {
		int fd, prot;
		uint64_t offset;
		int code;
	} rows[] = {
		{ device, PROT_READ, 0, -ENODEV },
		{ device, PROT_READ | PROT_EXEC, 0, -ENODEV },
		{ vm, PROT_READ, 0, -ENODEV },
		{ vm, PROT_READ | PROT_EXEC, 0, -EPERM },
		{ fd, PROT_READ | PROT_EXEC, 0, -EPERM },
		/* only of a regular file are the larger offsets refused */
		{ vm, PROT_READ, 1ULL << 63, -ENODEV },
		{ vm, PROT_READ, -3 * m->page, -ENODEV },
		{ vm, PROT_READ, -2 * m->page, -EOVERFLOW },
		{ fd, PROT_READ, 1ULL << 63, -EOVERFLOW },
	};

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		void *p = NULL;

		t_code(model__sys.mmap(m->k, &p, 2 * m->page, rows[i].prot,
				       MAP_SHARED, rows[i].fd, rows[i].offset),
		       rows[i].code);
	}
	t_code(model__sys.close(m->k, device), 0);
}

static void a_file_keeps_its_size(void **state)
{
	struct unit *m = *state;
	int fd = file(m);

	assert_int_equal(ftruncate(fd, (off_t)(2 * PAGES * m->page)), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, (off_t)m->page), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
}

static void only_shared_mappings_are_made(void **state)
{
	struct unit *m = *state;
	int fd = file(m), flags = MAP_PRIVATE | MAP_NORESERVE;
	void *p = NULL, *q;

	t_code(model__sys.mmap(m->k, &p, m->page, PROT_READ, flags, fd, 0),
	       -EINVAL);
	t_code(model__sys.mmap(m->k, &p, m->page, PROT_READ | PROT_WRITE,
			       MAP_SHARED, fd, 0),
	       0);
	*(char *)p = 42;
	/* a refusal takes nothing away, also where it would have */
	q = p;
	t_code(model__sys.mmap(m->k, &q, m->page, PROT_READ, flags | MAP_FIXED,
			       fd, 0),
	       -EINVAL);
	assert_int_equal(unit_file_mappings(m), 1);
	assert_int_equal(*(char *)p, 42);
	t_code(model__sys.munmap(m->k, p, m->page), 0);
}

/* Its tail, too, is the file's, and what is left of it when a page goes. */
static void a_mapping_over_another_splits_it(void **state)
{
	struct unit *m = *state;
	int fd = file(m);
	void *p = NULL, *q;

	t_code(model__sys.mmap(m->k, &p, 8 * m->page, PROT_READ, MAP_SHARED, fd,
			       0),
	       0);
	q = (char *)p + 2 * m->page;
	t_code(model__sys.mmap(m->k, &q, 2 * m->page, PROT_READ,
			       MAP_SHARED | MAP_FIXED, fd, 10 * m->page),
	       0);
	assert_int_equal(unit_file_mappings(m), 3);
	for (uint64_t i = 0; i < 8; i++) {
		const struct mapping *at =
			model__map_at(m->k, (uintptr_t)p + i * m->page + 1);

		assert_non_null(at);
		assert_int_equal(at->in.start, i < 2   ? 0
					       : i < 4 ? 10 * m->page
						       : 4 * m->page);
	}
	/* whole pages go */
	t_code(model__sys.munmap(m->k, p, m->page + 1), 0);
	assert_null(model__map_at(m->k, (uintptr_t)p + m->page));
	assert_int_equal(unit_file_mappings(m), 2);
	t_code(model__sys.munmap(m->k, p, 8 * m->page), 0);
	assert_int_equal(unit_file_mappings(m), 0);
}

/* All that the host may touch, and no private page. */
static void a_mapping_is_populated_behind_its_guard(void **state)
{
	static const int flags[] = { MAP_POPULATE, MAP_LOCKED };
	static const int prots[] = { PROT_READ, PROT_READ | PROT_WRITE };
	struct unit *m = *state;
	int fd = file(m);

	t_code(convert(m, fd, 3 * m->page, m->page, GMEM__ATTRIBUTE_PRIVATE),
	       0);
	for (unsigned int i = 0; i < 4; i++) {
		void *p = NULL;

		t_code(model__sys.mmap(m->k, &p, 3 * m->page, prots[i / 2],
				       MAP_SHARED | flags[i % 2], fd, 0),
		       0);
		assert_int_equal(unit_allocated(m, fd, 0, PAGES * m->page, -1),
				 3 * m->page);
		t_code(model__sys.munmap(m->k, p, 3 * m->page), 0);
		t_code(falloc(m, fd, PUNCH, 0, PAGES * m->page), 0);
		t_code(model__sys.mmap(m->k, &p, PAGES * m->page, prots[i / 2],
				       MAP_SHARED | flags[i % 2], fd, 0),
		       0);
		assert_int_equal(
			unit_allocated(m, fd, 3 * m->page, m->page, -1), 0);
		t_code(model__sys.munmap(m->k, p, PAGES * m->page), 0);
		t_code(falloc(m, fd, PUNCH, 0, PAGES * m->page), 0);
	}
}

static void what_a_guest_reads_is_in_the_cache(void **state)
{
	struct unit *m = *state;
	int fd = file(m);
	unsigned char in[2] = { 9, 9 };
	void *p = NULL;

	unit_bind(m, m->g, 0, 8 * GiB);
	t_code(model__sys.mmap(m->k, &p, 2 * m->page, PROT_READ, MAP_SHARED, fd,
			       0),
	       0);
	assert_int_equal(unit_guest_read(m, 8 * GiB), 0);
	t_code(model__sys.mincore(m->k, p, 2 * m->page, in), 0);
	assert_int_equal(in[0], 1);
	assert_int_equal(in[1], 0);
	t_code(model__sys.munmap(m->k, p, 2 * m->page), 0);
}

/* ----------------------------------------------------------- conversion -- */

static void what_is_reserved_is_zero(void **state)
{
	struct unit *m = *state;
	struct gmem__attributes2 a = { .size = m->page,
				       .error_offset = UNTOUCHED };
	int fd = file(m);

	for (size_t i = 0; i < T_ARRAY_SIZE(a.reserved); i++) {
		a.reserved[i] = 1;
		t_code(ioc(m, fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a),
		       -EINVAL);
		a.reserved[i] = 0;
	}
	a.flags = 1;
	t_code(ioc(m, fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a), -EINVAL);
	a.flags = 0;
	a.attributes = GMEM__ATTRIBUTE_PRIVATE;
	t_code(ioc(m, fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a), 0);
	assert_int_equal(a.error_offset, UNTOUCHED);
}

static void where_it_failed_is_written_if_it_can_be(void **state)
{
	struct unit *m = *state;
	int fd = file(m);
	struct gmem__attributes2 *a =
		mmap(NULL, m->page, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct gmem_error err;

	assert_ptr_not_equal(a, MAP_FAILED);
	*a = (struct gmem__attributes2){ .offset = m->page,
					 .size = 4 * m->page,
					 .error_offset = UNTOUCHED,
					 .attributes =
						 GMEM__ATTRIBUTE_PRIVATE };
	t_ok(gmem_model_pin(m->vm, fd, 3 * m->page, m->page, &err), err);
	assert_int_equal(mprotect(a, m->page, PROT_READ), 0);
	t_code(ioc(m, fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, a), -EFAULT);
	assert_int_equal(mprotect(a, m->page, PROT_READ | PROT_WRITE), 0);
	t_code(ioc(m, fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, a), -EAGAIN);
	assert_int_equal(a->error_offset, 3 * m->page);
	assert_int_equal(munmap(a, m->page), 0);
}

static void a_pin_beside_the_range_does_not_matter(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	int fd = file(m);

	t_ok(gmem_model_pin(m->vm, fd, 5 * m->page, m->page, &err), err);
	t_code(convert(m, fd, 3 * m->page, 2 * m->page,
		       GMEM__ATTRIBUTE_PRIVATE),
	       0);
	t_code(convert(m, fd, 6 * m->page, m->page, GMEM__ATTRIBUTE_PRIVATE),
	       0);
	/* nor one of what is private already */
	t_ok(gmem_model_pin(m->vm, fd, 3 * m->page, m->page, &err), err);
	t_code(convert(m, fd, 3 * m->page, 2 * m->page,
		       GMEM__ATTRIBUTE_PRIVATE),
	       0);
	t_code(convert(m, fd, 3 * m->page, 3 * m->page,
		       GMEM__ATTRIBUTE_PRIVATE),
	       -EAGAIN);
}

/* Its attributes, a run after the other: where each ends, and what it is. */
static void assert_runs(struct unit *m, int fd, const uint64_t *ends, size_t n)
{
	const struct inode *i = ((struct file *)model__object(m->k, fd))->inode;
	uint64_t pos = 0, stop;

	for (size_t j = 0; j < n; j++, pos = stop) {
		assert_int_equal(model__inode_private(i, pos, &stop), j & 1);
		if (stop > i->size)
			stop = i->size;
		assert_int_equal(stop, ends[j]);
	}
}

static void a_part_of_a_huge_page_converts_alone(void **state)
{
	struct unit *m = *state;
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP,
				      .hugetlb_size = HUGE };
	const uint64_t ends[] = { MiB, 3 * MiB, 4 * MiB, 5 * MiB, 8 * MiB };
	struct gmem_error err;
	struct gmem *g;

	unit_open_encoding(m, GMEM_HUGETLB_PAGE_ORDER);
	t_ok(gmem_create(m->vm, 4 * HUGE, &o, &g, &err), err);
	t_code(convert(m, gmem_fd(g), 0, 4 * HUGE, 0), 0);
	t_code(convert(m, gmem_fd(g), MiB, 2 * MiB, GMEM__ATTRIBUTE_PRIVATE),
	       0);
	t_code(convert(m, gmem_fd(g), 4 * MiB, MiB, GMEM__ATTRIBUTE_PRIVATE),
	       0);
	assert_runs(m, gmem_fd(g), ends, T_ARRAY_SIZE(ends));
}

/* What a guest writes to a private page no descriptor shows. */
static void private_bytes_are_in_no_descriptor(void **state)
{
	static const char *const profiles[] = { "6.12", "7.3", "inplace",
						"hugetlb-rfc1" };
	struct unit *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(profiles); i++) {
		unsigned char byte = 42;
		struct gmem *g;

		unit_open(m, profiles[i], GMEM_VM_SW_PROTECTED);
		g = unit_create(m, PAGES * m->page, 0);
		unit_bind(m, g, 0, 8 * GiB);
		unit_guest_write(m, 8 * GiB, byte);
		assert_int_equal(unit_guest_read(m, 8 * GiB), 42);
		byte = 0;
		(void)pread(gmem_fd(g), &byte, 1, 0);
		assert_int_equal(byte, 0);
	}
}

/* ------------------------------------------------------------ the VM's -- */

static void nothing_else_can_be_enabled(void **state)
{
	struct unit *m = *state;
	struct gmem__enable_cap c = { .cap = GMEM__CAP_EXIT_HYPERCALL,
				      .flags = 1 };

	t_code(ioc(m, gmem_vm_fd(m->vm), GMEM__KVM_ENABLE_CAP, &c), -EINVAL);
	c.flags = 0;
	t_code(ioc(m, gmem_vm_fd(m->vm), GMEM__KVM_ENABLE_CAP, &c),
	       m->k->machine == GMEM_MODEL_ARM64 ? -EINVAL : 0);
	c.cap--;
	t_code(ioc(m, gmem_vm_fd(m->vm), GMEM__KVM_ENABLE_CAP, &c), -EINVAL);
}

static void a_slot_may_end_where_the_addresses_end(void **state)
{
	struct unit *m = *state;
	struct gmem__region r = { .slot = 1,
				  .guest_phys_addr = 8 * GiB,
				  .memory_size = 16 * KiB * 4,
				  .userspace_addr = USER_END - 64 * KiB };
	int vm = gmem_vm_fd(m->vm);

	r.userspace_addr += m->page;
	t_code(ioc(m, vm, GMEM__KVM_SET_USER_MEMORY_REGION, &r), -EINVAL);
	r.userspace_addr -= m->page;
	if (USER_END % m->page)
		r.userspace_addr -= r.userspace_addr % m->page;
	t_code(ioc(m, vm, GMEM__KVM_SET_USER_MEMORY_REGION, &r), 0);
	r.slot = 2;
	r.guest_phys_addr = 0;
	r.userspace_addr = 0;
	r.memory_size = 1ULL << 63;
	t_code(ioc(m, vm, GMEM__KVM_SET_USER_MEMORY_REGION, &r), -EINVAL);
	r.slot = 1;
	r.memory_size = 0;
	t_code(ioc(m, vm, GMEM__KVM_SET_USER_MEMORY_REGION, &r), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_largest_offset_is_still_one, unit_default73),
		TEST(a_mode_is_refused_before_the_descriptor, unit_default73),
		TEST(what_is_counted_begins_and_ends_in_pages, unit_default73),
		TEST(of_a_huge_page_each_page_counts, unit_bare),
		TEST(a_size_is_a_files, unit_bare),
		TEST(a_descriptor_tells_what_it_is, unit_default73),
		TEST(only_some_descriptors_have_a_position, unit_default73),
		TEST(nothing_can_be_read_from_anywhere, unit_default73),
		TEST(only_files_are_mapped, unit_default73),
		TEST(a_file_keeps_its_size, unit_default73),
		TEST(only_shared_mappings_are_made, unit_default73),
		TEST(a_mapping_over_another_splits_it, unit_default73),
		TEST(a_mapping_is_populated_behind_its_guard, unit_inplace),
		TEST(what_a_guest_reads_is_in_the_cache, unit_default73),
		TEST(what_is_reserved_is_zero, unit_inplace),
		TEST(where_it_failed_is_written_if_it_can_be, unit_inplace),
		TEST(a_pin_beside_the_range_does_not_matter, unit_inplace),
		TEST(a_part_of_a_huge_page_converts_alone, unit_bare),
		TEST(private_bytes_are_in_no_descriptor, unit_bare),
		TEST(nothing_else_can_be_enabled, unit_default73),
		TEST(nothing_else_can_be_enabled, unit_arm64),
		TEST(a_slot_may_end_where_the_addresses_end, unit_default73),
	};

	return t_main(tests);
}
