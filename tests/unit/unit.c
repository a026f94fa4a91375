// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmem_model.h>

#include "unit.h"

#include "ticket.h"
#include "vm.h"

unsigned int unit_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

/* ------------------------------------------------------------- fixture -- */

void unit_attach(struct unit *u, struct kernel *k)
{
	/* one more for those that are too many */
	u->calls = malloc((UNIT_CALLS + 1) * sizeof(*u->calls));
	assert_non_null(u->calls);
	assert_int_equal(pthread_mutex_init(&u->lock, NULL), 0);
	u->k = k;
	u->page = k->page_size;
	u->fds = unit_fds();
}

void unit_detach(struct unit *u)
{
	(void)pthread_mutex_destroy(&u->lock);
	free(u->calls);
}

static void start(struct unit *u, const char *profile, uint32_t machine)
{
	const struct gmem_model_opts o = { .sz = sizeof(o),
					   .machine = machine,
					   .nodes = 2 };
	const struct profile *p = model__profile_find(profile);

	assert_non_null(p);
	assert_int_equal(model__kernel_new(p, &o, &u->k), 0);
	unit_attach(u, u->k);
}

static void stop(struct unit *u)
{
	unit_detach(u);
	model__lock(u->k);
	u->k->holds--;
	model__unlock(u->k);
	u->k = NULL;
}

bool unit_balanced(struct unit *u)
{
	unsigned int maps = unit_mappings(u), fds = unit_fds() - u->fds;

	if (!fds && !maps && !u->live_allocs && !u->live_threads)
		return true;
	print_error("left behind: %u fds, %u mappings, %u allocations, "
		    "%u threads\n",
		    fds, maps, u->live_allocs, u->live_threads);
	return false;
}

static struct unit *setup(void **state, const char *profile, uint32_t machine)
{
	struct unit *u = calloc(1, sizeof(*u));

	assert_non_null(u);
	start(u, profile, machine);
	*state = u;
	return u;
}

static int with_vm(void **state, const char *profile, uint32_t type)
{
	struct unit *u = setup(state, profile, GMEM_MODEL_X86);

	u->vm = unit_vm(u, type, NULL, NULL);
	return 0;
}

int unit_bare(void **state)
{
	(void)setup(state, "6.18", GMEM_MODEL_X86);
	return 0;
}

int unit_bare73(void **state)
{
	(void)setup(state, "7.3", GMEM_MODEL_X86);
	return 0;
}

int unit_default(void **state)
{
	return with_vm(state, "6.18", GMEM_VM_DEFAULT);
}

int unit_default73(void **state)
{
	return with_vm(state, "7.3", GMEM_VM_DEFAULT);
}

int unit_612(void **state)
{
	return with_vm(state, "6.12", GMEM_VM_DEFAULT);
}

int unit_sw612(void **state)
{
	return with_vm(state, "6.12", GMEM_VM_SW_PROTECTED);
}

int unit_sw(void **state)
{
	return with_vm(state, "7.3", GMEM_VM_SW_PROTECTED);
}

int unit_inplace(void **state)
{
	return with_vm(state, "inplace", GMEM_VM_SW_PROTECTED);
}

int unit_arm64(void **state)
{
	struct unit *u = setup(state, "6.18", GMEM_MODEL_ARM64);

	u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
	return 0;
}

int unit_obeyed(void **state)
{
	return with_vm(state, "6.19", GMEM_VM_DEFAULT);
}

int unit_end(void **state)
{
	struct unit *u = *state;
	int r = gmem_vm_destroy(u->vm, NULL);
	bool clean = unit_balanced(u);

	stop(u);
	free(u);
	return r || !clean ? -1 : 0;
}

void unit_open(struct unit *u, const char *profile, uint32_t type)
{
	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	u->vm = NULL;
	assert_true(unit_balanced(u));
	stop(u);
	start(u, profile, GMEM_MODEL_X86);
	u->vm = unit_vm(u, type, NULL, NULL);
}

void unit_open_encoding(struct unit *u, uint32_t encoding)
{
	static const char *const profiles[] = {
		[GMEM_HUGETLB_MERGED] = "6.12",
		[GMEM_HUGETLB_RFC1] = "hugetlb-rfc1",
		[GMEM_HUGETLB_PAGE_ORDER] = "hugetlb-page-order",
	};

	if (encoding != GMEM_HUGETLB_MERGED)
		unit_need_encodings();
	u->encoding = encoding;
	unit_open(u, profiles[encoding], GMEM_VM_SW_PROTECTED);
}

struct gmem_vm *unit_vm(struct unit *u, uint32_t type, gmem_trace_fn *trace,
			void *arg)
{
	const struct gmem_vm_opts o = { .sz = sizeof(o),
					.type = type,
					.hugetlb_encoding = u->encoding,
					.trace = trace,
					.trace_arg = arg };
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	t_ok(gmem__vm_open_on(&unit_sys, u, &o, &vm, &err), err);
	unit_reset(u);
	return vm;
}

static struct gmem *create(struct gmem_vm *vm, uint64_t size, uint64_t flags)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem *g = NULL;
	struct gmem_error err;

	t_ok(gmem_create(vm, size, &o, &g, &err), err);
	return g;
}

struct gmem *unit_create(struct unit *u, uint64_t size, uint64_t flags)
{
	u->g = NULL;
	u->g = create(u->vm, size, flags);
	unit_reset(u);
	return u->g;
}

struct gmem *unit_file(struct gmem_vm *vm, uint64_t flags)
{
	return create(vm, 1 * MiB, flags);
}

uint64_t unit_state(struct unit *u, struct gmem *g, uint64_t offset)
{
	uint64_t a;

	t_ok(gmem_get_attributes(g, offset, u->page, &a, NULL, &u->err),
	     u->err);
	return a;
}

void unit_bind(struct unit *u, struct gmem *g, uint32_t slot, uint64_t gpa)
{
	struct gmem_error err;

	t_ok(t_bind(g, slot, gpa, 0, gmem_size(g), NULL, &err), err);
	unit_reset(u);
}

/* --------------------------------------------------------- descriptors -- */

int unit_device_fd(struct unit *u)
{
	int fd = model__sys.open(u->k, "/dev/kvm", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

int unit_vm_fd(struct unit *u, unsigned long type)
{
	int device = unit_device_fd(u);
	int fd = model__sys.ioctl(u->k, device, GMEM__KVM_CREATE_VM,
				  (void *)type);

	assert_true(fd >= 0);
	assert_int_equal(model__sys.close(u->k, device), 0);
	return fd;
}

int unit_file_fd(struct unit *u, int vm, uint64_t size, uint64_t flags)
{
	struct gmem__create c = { .size = size, .flags = flags };
	int fd = model__sys.ioctl(u->k, vm, GMEM__KVM_CREATE_GUEST_MEMFD, &c);

	assert_true(fd >= 0);
	return fd;
}

int unit_input(struct unit *u, const void *data, size_t len, size_t piece)
{
	int fd[2];

	u->piece = piece;
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_true(fcntl(fd[1], F_SETPIPE_SZ, MiB) >= (int)len);
	assert_int_equal(write(fd[1], data, len), len);
	assert_int_equal(close(fd[1]), 0);
	return fd[0];
}

int unit_memfd(struct unit *u, const void *data, size_t len, size_t piece)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	u->piece = piece;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, 0), len);
	return fd;
}

bool unit_is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

bool unit_is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) > 0;
}

/* ------------------------------------------------------ other threads -- */

#define LOOKS 10000000

unsigned int unit_turns(struct gmem_vm *vm, const struct gmem *g,
			uint64_t offset)
{
	const struct gmem__ticket *t;
	unsigned int n = 0;

	(void)pthread_mutex_lock(&vm->lock);
	for (t = vm->first_ticket; t; t = t->next) {
		bool meets = !g;

		for (unsigned int i = 0; i < t->n && !meets; i++)
			meets = t->r[i].object == g &&
				t->r[i].start <= offset && offset < t->r[i].end;
		n += meets;
	}
	(void)pthread_mutex_unlock(&vm->lock);
	return n;
}

bool unit_turns_are(struct gmem_vm *vm, unsigned int n, const struct gmem *g,
		    uint64_t offset)
{
	for (unsigned int i = 0; i < LOOKS; i++) {
		if (unit_turns(vm, g, offset) == n)
			return true;
		(void)sched_yield();
	}
	return false;
}

void unit_tell(int *flag, int value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELAXED);
}

void unit_await(const int *flag, int value)
{
	while (__atomic_load_n(flag, __ATOMIC_RELAXED) != value)
		(void)sched_yield();
}

/* ---------------------------------------------------------- the kernel -- */

static struct inode *inode(struct unit *u, int fd)
{
	const struct file *f = (struct file *)model__object(u->k, fd);

	assert_true(f && f->o.type == OBJECT_FILE);
	return f->inode;
}

/* That of u->vm, or, where the library has none, the first; or NULL. */
static struct vm *vm(struct unit *u)
{
	struct object *o = NULL;

	if (u->vm)
		return (struct vm *)model__object(u->k, gmem_vm_fd(u->vm));
	while ((o = model__object_next(u->k, o)) != NULL)
		if (o->type == OBJECT_VM)
			break;
	return (struct vm *)o;
}

bool unit_in_place(const struct unit *u)
{
	return model__has(u->k, MODEL_IN_PLACE);
}

const struct slot *unit_slot(struct unit *u, uint32_t id)
{
	const struct vm *v = vm(u);

	return v ? model__slot_find(v, id & 0xffff, id >> 16) : NULL;
}

bool unit_gpa_private(struct unit *u, uint64_t gpa)
{
	return model__ranges_get(&vm(u)->attributes, gpa, NULL);
}

void unit_guest_write(struct unit *u, uint64_t gpa, unsigned char byte)
{
	t_ok(gmem_model_access(u->vm, gpa, &byte, 1, GMEM_MODEL_WRITE, NULL, 0,
			       &u->err),
	     u->err);
}

unsigned char unit_guest_read(struct unit *u, uint64_t gpa)
{
	unsigned char byte = 0xff;

	t_ok(gmem_model_access(u->vm, gpa, &byte, 1, 0, NULL, 0, &u->err),
	     u->err);
	return byte;
}

bool unit_private(struct unit *u, struct gmem *g, uint64_t gpa, uint64_t offset)
{
	uint64_t end;

	if (!unit_in_place(u))
		return unit_gpa_private(u, gpa + offset);
	return model__inode_private(inode(u, gmem_fd(g)), offset, &end);
}

void unit_same(struct unit *u, struct gmem *g, uint64_t gpa)
{
	for (uint64_t at = 0; at < gmem_size(g); at += u->page) {
		bool kernel = unit_private(u, g, gpa, at);
		struct gmem_error err;
		uint64_t a;

		t_ok(gmem_get_attributes(g, at, u->page, &a, NULL, &err), err);
		if ((a == GMEM_ATTRIBUTE_PRIVATE) != kernel)
			fail_msg("offset %#llx: record %#llx, kernel %d",
				 (unsigned long long)at, (unsigned long long)a,
				 kernel);
	}
}

void unit_allocate(struct unit *u, int fd, uint64_t offset, uint64_t len,
		   int node)
{
	struct inode *i = inode(u, fd);

	if (!len)
		return;
	assert_int_equal(model__inode_allocate(i, offset, len), 0);
	assert_int_equal(model__ranges_set(&i->nodes, offset, offset + len,
					   (uint64_t)node + 1),
			 0);
}

uint64_t unit_allocated(struct unit *u, int fd, uint64_t offset, uint64_t len,
			int node)
{
	struct inode *i = inode(u, fd);
	uint64_t pages, sum = 0, next;

	for (uint64_t at = offset; at < offset + len; at = next) {
		uint64_t on = model__ranges_get(&i->nodes, at, &next);

		if (next > offset + len)
			next = offset + len;
		if (node >= 0 && on != (uint64_t)node + 1)
			continue;
		assert_int_equal(
			model__inode_resident(i, at, next - at, &pages), 0);
		sum += pages * u->page;
	}
	return sum;
}

unsigned int unit_file_mappings(const struct unit *u)
{
	unsigned int n = 0;

	for (const struct gmem__node *p = gmem__tree_first(&u->k->maps); p;
	     p = gmem__tree_next(p))
		n++;
	return n;
}

/* ------------------------------------------------------------ the rest -- */

struct gmem_mempolicy unit_policy(uint32_t mode, unsigned long *mask)
{
	return (struct gmem_mempolicy){ .sz = sizeof(struct gmem_mempolicy),
					.mode = mode,
					.nodes = mask,
					.max_node = 64 };
}

union unit_newer unit_newer(const void *from, size_t sz, unsigned char tail)
{
	union unit_newer n = { .b = { 0 } };

	memcpy(n.b, from, sz);
	n.b[sz] = tail;
	n.sz = sz + 8;
	return n;
}

void unit_need_encodings(void)
{
#ifdef GMEM_WITHOUT_PROPOSED_UAPI
	t_not_applicable("hugetlb-encodings",
			 "built with GMEM_PROPOSED_UAPI=OFF");
#endif
}
