// SPDX-License-Identifier: MIT
/*
 * The remedies for programs in C, each done once: a call that is refused, and
 * the same with what the remedy says, which works.  What gmemctl can ask for
 * is followed by tests/cli/remedy_test.py.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmem_region.h>

#include "unit.h"

#include "vm.h"

#define CREATE GMEM__KVM_CREATE_GUEST_MEMFD
#define REGION2 0x40a0ae49

/* As the caller first made it, and after doing what the remedy says. */
typedef int step(struct unit *u, struct gmem *g, bool followed,
		 struct gmem_error *err);

static int pointer(struct unit *u, struct gmem *g, bool followed,
		   struct gmem_error *err)
{
	void *p = NULL;
	int r = gmem_mmap(g, 0, PAGE, NULL, followed ? &p : NULL, err);

	(void)u;
	if (!r)
		t_ok(gmem_munmap(g, p, err), *err);
	return r;
}

static int size_of_opts(struct unit *u, struct gmem *g, bool followed,
			struct gmem_error *err)
{
	struct gmem_discard_opts o = { .sz = followed ? sizeof(o) : 0 };

	(void)u;
	return gmem_discard(g, 0, PAGE, &o, err);
}

static int newer_opts(struct unit *u, struct gmem *g, bool followed,
		      struct gmem_error *err)
{
	struct {
		struct gmem_discard_opts known;
		uint64_t more;
	} o = { .known = { .sz = sizeof(o) }, .more = followed ? 0 : 1 };

	(void)u;
	return gmem_discard(g, 0, PAGE, &o.known, err);
}

static int known_flags(struct unit *u, struct gmem *g, bool followed,
		       struct gmem_error *err)
{
	struct gmem_populate_opts o = {
		.sz = sizeof(o),
		.flags = followed ? GMEM_POPULATE_UNCHECKED : GMEM_BIT(63),
	};

	(void)u;
	return gmem_populate(g, 0, PAGE, &o, err);
}

static int open_fd(struct unit *u, struct gmem *g, bool followed,
		   struct gmem_error *err)
{
	struct gmem *got = NULL;
	int fd = followed ? unit_file_fd(u, gmem_vm_fd(u->vm), PAGE, 3) : -1;
	int r = gmem_adopt(u->vm, fd, NULL, &got, err);

	(void)g;
	if (!r)
		t_ok(gmem_close(got, err), *err);
	return r;
}

static int attribute(struct unit *u, struct gmem *g, bool followed,
		     struct gmem_error *err)
{
	(void)u;
	return gmem_set_attributes(
		g, 0, PAGE, followed ? GMEM_ATTRIBUTE_SHARED : 77, NULL, err);
}

static int buffer(struct unit *u, struct gmem *g, bool followed,
		  struct gmem_error *err)
{
	char mine[16];

	(void)u;
	return gmem_read(g, 0, followed ? mine : (void *)4096, sizeof(mine),
			 err);
}

static int buffer_size(struct unit *u, struct gmem *g, bool followed,
		       struct gmem_error *err)
{
	unsigned char record[256];
	size_t len = 1;

	(void)u;
	if (followed)
		t_ok(gmem_attributes_export(g, NULL, &len, err), *err);
	return gmem_attributes_export(g, record, &len, err);
}

static int whole_record(struct unit *u, struct gmem *g, bool followed,
			struct gmem_error *err)
{
	unsigned char record[256];
	size_t len = sizeof(record);

	(void)u;
	t_ok(gmem_attributes_export(g, record, &len, err), *err);
	return gmem_attributes_import(g, record, followed ? len : len - 1, 0,
				      err);
}

static int record_of_the_size(struct unit *u, struct gmem *g, bool followed,
			      struct gmem_error *err)
{
	struct gmem *from =
		unit_create(u, followed ? MiB : 2 * MiB, SHARED_FLAGS);
	unsigned char record[256];
	size_t len = sizeof(record);
	int r;

	unit_bind(u, from, 5, GiB);
	t_ok(gmem_attributes_export(from, record, &len, err), *err);
	r = gmem_attributes_import(g, record, len, 0, err);
	assert_int_equal(gmem_unbind(u->vm, 5, 0, 0, NULL), 0);
	return r;
}

static int cancelled(struct unit *u, struct gmem *g, bool followed,
		     struct gmem_error *err)
{
	static const int now = 1;
	struct gmem_discard_opts o = { .sz = sizeof(o),
				       .cancel = followed ? NULL : &now };

	(void)u;
	return gmem_discard(g, err->done, MiB - err->done, &o, err);
}

static int create_after(struct unit *u, int code, struct gmem_error *err)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = SHARED_FLAGS };
	struct gmem *g = NULL;
	int r;

	if (code)
		unit_answer(u, "ioctl", CREATE, 1, 1, code);
	r = gmem_create(u->vm, PAGE, &o, &g, err);
	if (!r)
		t_ok(gmem_close(g, err), *err);
	return r;
}

/* Outside of the program: what failed is over. */
#define OVER(name, code)                                               \
	static int name(struct unit *u, struct gmem *g, bool followed, \
			struct gmem_error *err)                        \
	{                                                              \
		(void)g;                                               \
		return create_after(u, followed ? 0 : (code), err);    \
	}
OVER(memory_is_free, -ENOMEM)
OVER(access_is_allowed, -EACCES)
OVER(kvm_is_loaded, -ENOENT)
OVER(the_log_was_read, -EFAULT)

static int no_strict(struct unit *u, struct gmem *g, bool followed,
		     struct gmem_error *err)
{
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);

	unit_allocate(u, gmem_fd(g), 0, 64 * KiB, 1);
	unit_answer(u, "move_pages", 0, 1, 1, -EPERM);
	return gmem_set_mempolicy(g, 0, 64 * KiB, &p,
				  followed ? 0 : GMEM_MEMPOLICY_STRICT, err);
}

static int any_run(void *arg, uint64_t offset, uint64_t len)
{
	(void)arg;
	(void)offset;
	(void)len;
	return 0;
}

static int has_cachestat(struct unit *u, struct gmem *g, bool followed,
			 struct gmem_error *err)
{
	int r;

	(void)g;
	u->lacks = followed ? NULL : "cachestat";
	r = gmem_walk_resident(unit_create(u, MiB, GMEM_CREATE_UNBOUND), 0, MiB,
			       any_run, NULL, err);
	u->lacks = NULL;
	return r;
}

/* A kernel without NUMA does not have one of the calls. */
static int no_policy(struct unit *u, struct gmem *g, bool followed,
		     struct gmem_error *err)
{
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.policy = followed ? NULL : &p };
	int r;

	(void)g;
	u->lacks = "mbind get_mempolicy set_mempolicy move_pages";
	r = gmem_populate(unit_create(u, PAGE, GMEM_CREATE_UNBOUND), 0, PAGE,
			  &o, err);
	u->lacks = NULL;
	return r;
}

static int the_nodes_themselves(struct unit *u, struct gmem *g, bool followed,
				struct gmem_error *err)
{
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	int r;

	(void)g;
	p.flags = followed ? 0 : GMEM_MPOL_F_RELATIVE_NODES;
	g = unit_create(u, MiB, SHARED_FLAGS);
	unit_allocate(u, gmem_fd(g), 0, PAGE, 0);
	unit_reset(u);
	unit_answer(u, "get_mempolicy", 0, 2, 1, -EPERM);
	r = gmem_set_mempolicy(g, 0, MiB, &p, GMEM_MEMPOLICY_STRICT, err);
	unit_reset(u);
	return r;
}

/* Made by the VMM itself. */
static void raw_slot(struct unit *u, uint32_t slot, uint64_t gpa, int fd)
{
	struct gmem__region2 r = {
		.region = { .slot = slot,
			    .flags = 4,
			    .guest_phys_addr = gpa,
			    .memory_size = fd < 0 ? 0 : PAGE },
		.guest_memfd = fd < 0 ? 0 : (uint32_t)fd,
	};

	assert_int_equal(unit_sys.ioctl(u, gmem_vm_fd(u->vm), REGION2, &r), 0);
}

static struct gmem_slot note_of(uint32_t slot, uint64_t gpa, int fd)
{
	return (struct gmem_slot){ .sz = sizeof(struct gmem_slot),
				   .slot = slot,
				   .gpa = gpa,
				   .len = PAGE,
				   .flags = GMEM_SLOT_FD,
				   .userspace_addr = 64 * MiB,
				   .fd = fd };
}

/* The caller reads its own notes, and chooses an address that is free. */
static int noted(struct unit *u, struct gmem *g, bool followed,
		 struct gmem_error *err)
{
	struct gmem *own = unit_create(u, PAGE, SHARED_FLAGS);
	struct gmem_slot s;

	if (!followed) {
		raw_slot(u, 20, 20 * GiB, gmem_fd(own));
		return t_bind(own, 21, 20 * GiB, 0, PAGE, NULL, err);
	}
	s = note_of(20, 20 * GiB, -1);
	t_ok(gmem_slot_note(u->vm, &s, err), *err);
	(void)g;
	return t_bind(own, 21, 21 * GiB, 0, PAGE, NULL, err);
}

static int forgotten(struct unit *u, struct gmem *g, bool followed,
		     struct gmem_error *err)
{
	struct gmem *own = unit_create(u, PAGE, SHARED_FLAGS);
	int fd;

	(void)g;
	if (followed) {
		raw_slot(u, 30, 30 * GiB, -1);
		t_ok(gmem_slot_forget(u->vm, 30, 0, err), *err);
	} else {
		struct gmem_slot s;

		fd = unit_file_fd(u, gmem_vm_fd(u->vm), PAGE, 3);
		raw_slot(u, 30, 30 * GiB, fd);
		s = note_of(30, 30 * GiB, fd);
		t_ok(gmem_slot_note(u->vm, &s, err), *err);
		assert_int_equal(unit_sys.close(u, fd), 0);
	}
	return t_bind(own, 30, 30 * GiB, 0, PAGE, NULL, err);
}

static int another_vm(struct unit *u, struct gmem *g, bool followed,
		      struct gmem_error *err)
{
	struct gmem_vm *dead = u->vm;
	int r;

	(void)g;
	if (!followed)
		return create_after(u, -EIO, err);
	u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
	r = create_after(u, 0, err);
	t_ok(gmem_vm_destroy(u->vm, err), *err);
	u->vm = dead;
	return r;
}

static int unlocked(struct unit *u, struct gmem *g, bool followed,
		    struct gmem_error *err)
{
	void *p = NULL;
	int r;

	g = unit_create(u, PAGE, SHARED_FLAGS);
	unit_reset(u);
	if (!followed)
		unit_answer(u, "mmap", 0, 1, 1, -EAGAIN);
	r = gmem_mmap(g, 0, PAGE, NULL, &p, err);
	if (!r)
		t_ok(gmem_munmap(g, p, err), *err);
	return r;
}

static int ipa_bits(struct unit *u, struct gmem *g, bool followed,
		    struct gmem_error *err)
{
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .ipa_bits = followed ? 0 : 255 };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &o };
	struct gmem_vm *vm = NULL;
	int r = gmem_model_vm_open("7.3", &m, &vm, err);

	(void)u;
	(void)g;
	if (!r)
		t_ok(gmem_vm_close(vm, err), *err);
	return r;
}

static int region_of(struct unit *u, uint64_t size, uint32_t kind,
		     struct gmem *g, struct gmem_error *err)
{
	struct gmem_region_opts o = { .sz = sizeof(o),
				      .kind = kind,
				      .gmem = g };
	struct gmem_region *r = NULL;
	int ret = gmem_region_create(u->vm, size, &o, &r, err);

	if (!ret)
		t_ok(gmem_region_close(r, err), *err);
	return ret;
}

static int kind(struct unit *u, struct gmem *g, bool followed,
		struct gmem_error *err)
{
	(void)g;
	return region_of(u, MiB,
			 followed ? GMEM_REGION_KIND_SHARED
				  : GMEM_REGION_KIND_INPLACE,
			 NULL, err);
}

static int region_size(struct unit *u, struct gmem *g, bool followed,
		       struct gmem_error *err)
{
	struct gmem *own = unit_create(u, MiB, GMEM_CREATE_MMAP);

	(void)g;
	return region_of(u, followed ? MiB : 2 * MiB, GMEM_REGION_KIND_AUTO,
			 own, err);
}

static int one_backing(struct unit *u, struct gmem *g, bool followed,
		       struct gmem_error *err)
{
	struct gmem_slot s = {
		.sz = sizeof(s),
		.gmem = unit_create(u, MiB, GMEM_CREATE_MMAP),
		.slot = 7,
		.gpa = 8 * GiB,
		.len = MiB,
		.flags = followed ? 0 : GMEM_SLOT_USERSPACE_ADDR,
		.userspace_addr = followed ? 0 : MiB,
	};

	(void)g;
	return gmem_bind(&s, err);
}

static int by_the_vm(struct unit *u, struct gmem *g, bool followed,
		     struct gmem_error *err)
{
	struct gmem_location at = { .sz = sizeof(at) };
	struct gmem_region *r = NULL;

	(void)g;
	if (followed)
		return gmem_vm_set_attributes(u->vm, 0, 8 * GiB, PAGE,
					      GMEM_ATTRIBUTE_SHARED, NULL, err);
	return gmem_region_at(u->vm, 0, 8 * GiB, &r, &at, err);
}

struct busy {
	struct gmem *g;
	struct gmem_error *err;
	int r;
};

/* While the kernel converts the same range. */
static void convert_too(struct unit *u, const struct unit_call *c, void *arg)
{
	struct busy *b = u->hook_arg;
	struct gmem_attributes_opts now = { .sz = sizeof(now),
					    .flags = GMEM_ATTRIBUTES_NOWAIT };

	(void)arg;
	if (strcmp(c->name, "ioctl") != 0)
		return;
	u->hook = NULL;
	b->r = gmem_set_attributes(b->g, 0, PAGE, GMEM_ATTRIBUTE_SHARED, &now,
				   b->err);
}

static int no_longer_busy(struct unit *u, struct gmem *g, bool followed,
			  struct gmem_error *err)
{
	struct gmem_error other = { .sz = sizeof(other) };
	struct busy b = { .err = err };

	(void)g;
	b.g = unit_create(u, MiB, GMEM_CREATE_MMAP);
	unit_bind(u, b.g, 9, 16 * GiB);
	if (followed) {
		b.r = gmem_set_shared(b.g, 0, PAGE, err);
	} else {
		u->hook = convert_too;
		u->hook_arg = &b;
		t_ok(gmem_set_shared(b.g, 0, PAGE, &other), other);
	}
	assert_int_equal(gmem_unbind(u->vm, 9, 0, 0, NULL), 0);
	return b.r;
}

static int a_vm(struct unit *u, struct gmem *g, bool followed,
		struct gmem_error *err)
{
	int fd = followed ? unit_vm_fd(u, 0) : unit_device_fd(u);
	struct gmem_vm *vm = NULL;
	int r = gmem__vm_adopt_on(&unit_sys, u, fd, NULL, &vm, err);

	(void)g;
	if (!r)
		t_ok(gmem_vm_close(vm, err), *err);
	assert_int_equal(unit_sys.close(u, fd), 0);
	return r;
}

/* What the trace callback closes. */
struct inside {
	struct gmem *g;
	struct gmem_error *err;
	int r;
};

static void close_inside(void *arg, const struct gmem_trace *event)
{
	struct inside *in = arg;

	(void)event;
	if (!in->g)
		return;
	in->r = gmem_close(in->g, in->err);
	in->g = NULL;
}

static int after_the_callback(struct unit *u, struct gmem *g, bool followed,
			      struct gmem_error *err)
{
	struct gmem_error other = { .sz = sizeof(other) };
	struct inside in = { .err = err };
	struct gmem_vm *vm = unit_vm(u, GMEM_VM_DEFAULT, close_inside, &in);
	struct gmem *made = unit_file(vm, SHARED_FLAGS);

	in.g = followed ? NULL : made;
	t_ok(gmem_discard(made, 0, PAGE, NULL, &other), other);
	if (followed)
		in.r = gmem_close(made, err);
	(void)g;
	t_ok(gmem_vm_destroy(vm, &other), other);
	return in.r;
}

/* In a child: the VM of its parent, which it only destroys, or its own. */
static int in_child(struct unit *u, bool own, struct gmem_error *err)
{
	struct gmem_error other = { .sz = sizeof(other) };
	struct gmem_vm *inherited = u->vm;
	int r;

	if (own && gmem_model_vm_open("7.3", NULL, &u->vm, err) < 0)
		return -ECHILD;
	r = create_after(u, 0, err);
	if (own && gmem_vm_destroy(u->vm, &other) < 0)
		return -ECHILD;
	unit_forked(u);
	if (gmem_vm_destroy(inherited, &other) < 0)
		return -ECHILD;
	return r;
}

static int own_process(struct unit *u, struct gmem *g, bool followed,
		       struct gmem_error *err)
{
	struct {
		struct gmem_error err;
		int r;
	} *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0, r;
	pid_t pid;

	(void)g;
	assert_true(said != MAP_FAILED);
	said->err.sz = sizeof(said->err);
	pid = fork();
	if (!pid) {
		said->r = in_child(u, followed, &said->err);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	*err = said->err;
	r = said->r;
	munmap(said, sizeof(*said));
	return r;
}

struct row {
	uint32_t reason;
	const char *part; /* of the remedy */
	step *step;
};

/* 7.3, without private memory */
static const struct row rows[] = {
	{ GMEM_REASON_NULL_ARGUMENT, "pass a valid pointer", pointer },
	{ GMEM_REASON_OPTS_SIZE, "set .sz to sizeof()", size_of_opts },
	{ GMEM_REASON_OPTS_NEWER, "leave the new members zero", newer_opts },
	{ GMEM_REASON_FLAG_UNKNOWN, "only the flags that gmem.h defines",
	  known_flags },
	{ GMEM_REASON_BAD_FD, "pass an open file descriptor", open_fd },
	{ GMEM_REASON_ATTRIBUTE_UNKNOWN, "or GMEM_ATTRIBUTE_SHARED",
	  attribute },
	{ GMEM_REASON_BAD_BUFFER, "pass memory of this process", buffer },
	{ GMEM_REASON_BUFFER_SIZE, "ask for the size with a NULL buffer",
	  buffer_size },
	{ GMEM_REASON_RECORD_FORMAT, "pass all that", whole_record },
	{ GMEM_REASON_RECORD_MISMATCH, "a file of the same size",
	  record_of_the_size },
	{ GMEM_REASON_CANCELLED, "continue after err->done", cancelled },
	{ GMEM_REASON_NO_MEMORY, "free memory", memory_is_free },
	{ GMEM_REASON_ACCESS_DENIED, "allow it", access_is_allowed },
	{ GMEM_REASON_KVM_UNLOADING, "wait until the kvm module",
	  kvm_is_loaded },
	{ GMEM_REASON_KERNEL, "the kernel log", the_log_was_read },
	{ GMEM_REASON_PLACEMENT_UNKNOWN, "leave GMEM_MEMPOLICY_STRICT out",
	  no_strict },
	{ GMEM_REASON_RESIDENCY_UNKNOWN, "use a kernel with cachestat(2)",
	  has_cachestat },
	{ GMEM_REASON_NUMA_UNSUPPORTED, "or no policy", no_policy },
	{ GMEM_REASON_RELATIVE_NODES, "names the nodes themselves",
	  the_nodes_themselves },
	{ GMEM_REASON_UNKNOWN_SLOT, "note the VMM's own slots", noted },
	{ GMEM_REASON_DEAD_SLOT, "delete that slot (memory_size 0)",
	  forgotten },
	{ GMEM_REASON_VM_DEAD, "destroy it", another_vm },
	{ GMEM_REASON_LOCK_LIMIT, "raise RLIMIT_MEMLOCK", unlocked },
	{ GMEM_REASON_IPA_BITS, "leave ipa_bits 0", ipa_bits },
	{ GMEM_REASON_REGION_KIND, "only kind shared works", kind },
	{ GMEM_REASON_NOT_A_VM, "that KVM_CREATE_VM returned", a_vm },
	{ GMEM_REASON_DEADLOCK, "after the callback has returned",
	  after_the_callback },
	{ GMEM_REASON_WRONG_PROCESS, "in the process that uses it",
	  own_process },
};
static const struct row in_place[] = {
	{ GMEM_REASON_TWO_BACKINGS, "leave GMEM_SLOT_USERSPACE_ADDR out",
	  one_backing },
	/* of the slot that is bound now */
	{ GMEM_REASON_NO_REGION, "gmem_vm_set_attributes()", by_the_vm },
	{ GMEM_REASON_RANGE_BUSY, "try again", no_longer_busy },
	{ GMEM_REASON_REGION_SIZE, "as large as the file", region_size },
};

static void follow(struct unit *u, struct gmem *g, const struct row *row)
{
	const char *name = gmem_reason_str(row->reason);
	struct gmem_error err = { .sz = sizeof(err) };

	if (row->step(u, g, false, &err) >= 0)
		fail_msg("%s: nothing is refused", name);
	if (err.reason != row->reason)
		fail_msg("%s, not %s: %s", gmem_reason_str(err.reason), name,
			 err.msg);
	if (!strstr(err.remedy, row->part))
		fail_msg("%s: '%s' does not say '%s'", name, err.remedy,
			 row->part);
	if (row->step(u, g, true, &err) < 0)
		fail_msg("%s leads to %s: %s", name,
			 gmem_reason_str(err.reason), err.msg);
}

static void what_the_remedy_says_works(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);

	unit_bind(u, g, 0, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++)
		follow(u, g, &rows[i]);
}

static void what_the_remedy_says_works_in_place(void **state)
{
	for (size_t i = 0; i < T_ARRAY_SIZE(in_place); i++)
		follow(*state, NULL, &in_place[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_the_remedy_says_works, unit_default73),
		TEST(what_the_remedy_says_works_in_place, unit_inplace),
	};

	return t_main(tests);
}
