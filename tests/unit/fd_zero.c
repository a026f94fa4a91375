// SPDX-License-Identifier: MIT
/*
 * 0 is a descriptor like any other: each that the library gets is 0 once, as
 * in a program that closed its standard input.
 */
#include <fcntl.h>
#include <gmem_region.h>
#include <sys/mman.h>
#include <unistd.h>

#include "side.h"
#include "unit.h"
#include "feature.h"
#include "vm.h"

static struct {
	unsigned int n;	   /* descriptors that calls gave */
	unsigned int zero; /* this one, from 1 on, is 0 */
} made;

/* Before a call that gives a descriptor: 0 is free for one only. */
static void make_room(void)
{
	if (++made.n == made.zero)
		(void)close(0);
	else if (fcntl(0, F_GETFD) < 0)
		assert_int_equal(open("/dev/null", O_RDONLY), 0);
}

static void before(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	(void)arg;
	if (c->request == GMEM__KVM_CREATE_GUEST_MEMFD ||
	    !strcmp(c->name, "pipe2"))
		make_room();
}

static void copies(struct gmem *g)
{
	struct gmem_error err;
	char byte = 42;

	t_ok(gmem_write(g, 0, &byte, 1, &err), err);
	byte = 0;
	t_ok(gmem_read(g, 0, &byte, 1, &err), err);
	assert_int_equal(byte, 42);
}

/* A slot that the VMM notes with descriptor @fd dies with that one's file. */
static void notes(struct gmem_vm *vm, struct gmem *g, int fd)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = 3,
			       .gpa = 8 * GiB,
			       .len = 64 * KiB,
			       .userspace_addr = 8 * GiB,
			       .flags = GMEM_SLOT_FD,
			       .fd = fd };
	struct gmem_error err;

	t_ok(gmem_slot_note(vm, &s, &err), err);
	t_refused(t_bind(g, 4, 8 * GiB, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_GPA_OVERLAP, err);
	(void)close(fd);
	t_refused(t_bind(g, 4, 8 * GiB, 0, 64 * KiB, NULL, &err), -EEXIST,
		  GMEM_REASON_DEAD_SLOT, err);
	t_ok(gmem_slot_forget(vm, 3, 0, &err), err);
}

/* One of a VM's lives; gives back what the VM was found to have. */
static void live(struct unit *m, int *found)
{
	struct gmem_adopt_opts a = { .sz = sizeof(a),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	struct gmem_vm_opts v = { .sz = sizeof(v) };
	struct gmem *g, *other, *adopted = NULL;
	struct gmem_vm *vm = NULL;
	struct gmem_error err;
	int fd;

	t_ok(gmem__vm_adopt_on(&unit_sys, m, gmem_vm_fd(m->vm), &v, &vm, &err),
	     err);
	for (uint32_t i = 1; i < GMEM__FEATURES_MAX; i++)
		found[i] = t_support(vm, i);
	g = unit_file(vm, SHARED_FLAGS);
	t_ok(t_bind(g, 0, GiB, 0, 1 * MiB, NULL, &err), err);
	copies(g);
	other = unit_file(vm, SHARED_FLAGS);
	fd = dup(gmem_fd(other));
	t_ok(gmem_close(other, &err), err);
	notes(vm, g, fd);
	/* its number again: one that the library did not make */
	m->hook = NULL;
	other = unit_file(m->vm, SHARED_FLAGS);
	m->hook = before;
	fd = gmem_fd(other);
	if (made.n + 1 == made.zero) {
		made.n++;
		assert_int_equal(dup2(fd, 0), 0);
		fd = 0;
	} else {
		fd = dup(fd);
	}
	t_ok(gmem_adopt(vm, fd, &a, &adopted, &err), err);
	assert_int_equal(gmem_fd(adopted), fd);
	copies(adopted);
	t_ok(gmem_close(adopted, &err), err);
	t_ok(gmem_close(other, &err), err);
	t_ok(gmem_unbind(vm, 0, 0, 0, &err), err);
	t_ok(gmem_close(g, &err), err);
	t_ok(gmem_vm_close(vm, &err), err);
}

static void each_descriptor_may_be_0(void **state)
{
	struct unit *m = *state;
	int usual[GMEM__FEATURES_MAX] = { 0 },
	    found[GMEM__FEATURES_MAX] = { 0 };
	unsigned int all, open = m->k->n_fds;

	m->lacks = "process_vm_readv process_vm_writev";
	m->hook = before;
	made.n = made.zero = 0;
	live(m, usual);
	all = made.n + 1;
	assert_true(all > 4);
	for (unsigned int zero = 1; zero <= all; zero++) {
		made.n = 0;
		made.zero = zero;
		live(m, found);
		assert_memory_equal(found, usual, sizeof(usual));
		assert_int_equal(m->k->n_fds, open);
	}
}

static void before_open(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	(void)arg;
	if (c->request == GMEM__KVM_CREATE_VM || !strcmp(c->name, "openat"))
		make_room();
}

static void a_vm_and_its_device_may_be_0(void **state)
{
	struct unit *m = *state;
	struct gmem_error err;
	int fd;

	for (made.zero = 1; made.zero <= 2; made.zero++) {
		made.n = 0;
		m->hook = before_open;
		t_ok(gmem__vm_open_on(&unit_sys, m, NULL, &m->vm, &err), err);
		m->hook = NULL;
		assert_int_equal(made.n, 2);
		if (made.zero == 2)
			assert_int_equal(gmem_vm_fd(m->vm), 0);
		t_ok(gmem_vm_close(m->vm, &err), err);
		m->vm = NULL;
	}
	assert_int_equal(open("/dev/null", O_RDONLY), 0);
	fd = unit_vm_fd(m, 0);
	assert_int_equal(dup2(fd, 0), 0);
	t_ok(gmem__vm_adopt_on(&unit_sys, m, 0, NULL, &m->vm, &err), err);
	t_ok(gmem_vm_close(m->vm, &err), err);
	m->vm = NULL;
	assert_int_equal(unit_sys.close(m, fd), 0);
	assert_int_equal(unit_sys.close(m, 0), 0);
	assert_int_equal(open("/dev/null", O_RDONLY), 0);
}

/* Also one of those that a VM is tried for huge pages with. */
static void probe(struct unit *m, int *found)
{
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .hugetlb_encoding = GMEM_HUGETLB_PAGE_ORDER };
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	unit_reset(m);
	t_ok(gmem__vm_adopt_on(&unit_sys, m, gmem_vm_fd(m->vm), &o, &vm, &err),
	     err);
	for (uint32_t i = 1; i < GMEM__FEATURES_MAX; i++)
		found[i] = t_support(vm, i);
	/* a program that another thread starts does not inherit it */
	found[0] = (int)unit_count(m, "fcntl", 0);
	t_ok(gmem_vm_close(vm, &err), err);
}

static void each_file_that_is_tried_may_be_0(void **state)
{
	struct unit *m = *state;
	int usual[GMEM__FEATURES_MAX] = { 0 },
	    found[GMEM__FEATURES_MAX] = { 0 };
	unsigned int all, open;

	unit_open_encoding(m, GMEM_HUGETLB_PAGE_ORDER);
	open = m->k->n_fds;
	m->hook = before;
	made.n = made.zero = 0;
	probe(m, usual);
	all = made.n;
	assert_true(all > 12);
	for (unsigned int zero = 1; zero <= all; zero++) {
		made.n = 0;
		made.zero = zero;
		probe(m, found);
		assert_memory_equal(found, usual, sizeof(usual));
		assert_int_equal(m->k->n_fds, open);
	}
	make_room(); /* 0 is open again */
}

/* The file of the shared memory that a region is handed. */
static void that_of_shared_memory_may_be_0(void **state)
{
	struct unit *m = *state;
	struct gmem_region_opts o = { .sz = sizeof(o),
				      .flags = GMEM_REGION_SHARED_FD };
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GiB, .len = MiB };
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);
	struct gmem_region_stats c = GMEM_INIT(struct gmem_region_stats);
	struct gmem_region_range all = { 0, MiB };
	struct gmem_region *r = NULL, *other = NULL;
	unsigned char byte = 0;

	(void)close(0);
	assert_int_equal(memfd_create("shared", MFD_CLOEXEC), 0);
	assert_int_equal(ftruncate(0, 2 * MiB), 0);
	t_ok(gmem_region_create(m->vm, MiB, &o, &r, &m->err), m->err);
	t_ok(gmem_region_get(r, &i, &m->err), m->err);
	assert_int_equal(i.shared_fd, 0);
	/* what it has is not known: all may have to be freed */
	t_ok(gmem_region_stat(r, &c, &m->err), m->err);
	assert_int_equal(c.queued_bytes, MiB);
	t_refused(gmem_region_create(m->vm, MiB, &o, &other, &m->err), -EINVAL,
		  GMEM_REASON_SHARED_MEMORY, m->err);
	t_ok(gmem_region_bind(r, &s, &m->err), m->err);
	t_ok(gmem_region_convert(r, &all, 1, GMEM_ATTRIBUTE_SHARED, NULL, NULL,
				 &m->err),
	     m->err);
	*(unsigned char *)i.shared = 7;
	assert_int_equal(pread(0, &byte, 1, 0), 1);
	assert_int_equal(byte, 7);
	unit_reset(m);
	t_ok(gmem_region_discard(r, 0, MiB, NULL, &m->err), m->err);
	assert_int_equal(unit_nth(m, "fallocate", 0, 1)->fd, 0);
	assert_int_equal(pread(0, &byte, 1, 0), 1);
	assert_int_equal(byte, 0);
	unit_reset(m);
	unit_answer(m, "fallocate", 0, 2, 1, -EPERM);
	t_refused(gmem_region_discard(r, 0, MiB, NULL, &m->err), -EPERM,
		  GMEM_REASON_ACCESS_DENIED, m->err);
	assert_non_null(strstr(m->err.msg, "of the shared memory"));
	t_ok(gmem_region_unbind(r, 0, 0, 0, &m->err), m->err);
	t_ok(gmem_region_close(r, &m->err), m->err);
	(void)close(0);
	made.n = made.zero = 0;
	make_room(); /* 0 is open again */
}

/* With its address, it is that file's. */
static void memory_of_file_0_is_compared_with_it(void **state)
{
	struct unit *m = *state;
	struct gmem_region_opts o = { .sz = sizeof(o),
				      .flags = GMEM_REGION_SHARED_FD };
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);
	struct gmem_region *r = NULL;
	struct side s = { .way = SIDE_HUGETLB, .fd = 0 };

	(void)close(0);
	assert_int_equal(memfd_create("shared", MFD_CLOEXEC), 0);
	assert_int_equal(ftruncate(0, 2 * MiB), 0);
	o.shared = side_map(MiB, MAP_SHARED, 0, 0);
	side_tell(m, &s);
	t_ok(gmem_region_create(m->vm, MiB, &o, &r, &m->err), m->err);
	side_told(m);
	t_ok(gmem_region_get(r, &i, &m->err), m->err);
	assert_int_equal(i.shared_side, GMEM_SHARED_SIDE_HUGETLB);
	t_ok(gmem_region_close(r, &m->err), m->err);
	assert_int_equal(munmap(o.shared, MiB), 0);
	o.shared = mmap(NULL, MiB, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0);
	o.shared = mmap(NULL, MiB, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0);
	assert_ptr_not_equal(o.shared, MAP_FAILED);
	t_ok(gmem_region_create(m->vm, MiB, &o, &r, &m->err), m->err);
	t_ok(gmem_region_close(r, &m->err), m->err);
	o.shared_offset = MiB;
	t_refused(gmem_region_create(m->vm, MiB, &o, &r, &m->err), -EINVAL,
		  GMEM_REASON_SHARED_MEMORY, m->err);
	assert_int_equal(munmap(o.shared, MiB), 0);
	o.shared = mmap(NULL, MiB, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(o.shared, MAP_FAILED);
	t_refused(gmem_region_create(m->vm, MiB, &o, &r, &m->err), -EINVAL,
		  GMEM_REASON_SHARED_MEMORY, m->err);
	assert_non_null(strstr(m->err.msg, "is private, and not that of fd 0"));
	assert_int_equal(munmap(o.shared, MiB), 0);
	(void)close(0);
	made.n = made.zero = 0;
	make_room(); /* 0 is open again */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_descriptor_may_be_0, unit_default73),
		TEST(each_descriptor_may_be_0, unit_inplace),
		TEST(a_vm_and_its_device_may_be_0, unit_bare),
		TEST(that_of_shared_memory_may_be_0, unit_sw),
		TEST(memory_of_file_0_is_compared_with_it, unit_sw),
		TEST(each_file_that_is_tried_may_be_0, unit_bare),
	};

	return t_main(tests);
}
