// SPDX-License-Identifier: MIT
/* What the calls of gmem_model.h refuse. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmem_model.h>

#include "unit.h"

#include "uapi.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* 6.5, the same number everywhere */
#endif

#define HUGE (2ULL << 20)

struct world {
	struct gmem_vm *vm, *other; /* the other is none of the model's */
	struct gmem_sys sys;	    /* of that one */
	uint64_t page;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->page = (uint64_t)sysconf(_SC_PAGESIZE);
	*state = w;
	if (gmem_model_vm_open("7.3", NULL, &w->vm, NULL) < 0)
		return -1;
	/* the same calls, but not the same table */
	w->sys = model__sys;
	return gmem__vm_open_on(&w->sys, gmem__vm_priv(w->vm, &model__sys),
				NULL, &w->other, NULL);
}

static int teardown(void **state)
{
	struct world *w = *state;
	int r = gmem_vm_destroy(w->other, NULL);

	r |= gmem_vm_destroy(w->vm, NULL);
	free(w);
	return r;
}

#define CALLS 13

/* Each call that acts on a VM of the model. */
static int call(unsigned int which, struct gmem_vm *vm, uint64_t page,
		struct gmem_error *err)
{
	struct gmem_model_slot s = { .sz = sizeof(s) };
	uint64_t pages = 4711;
	char byte = 0;

	switch (which) {
	case 0:
		return gmem_model_access(vm, 0, &byte, 1, 0, NULL, 0, err);
	case 1:
		return gmem_model_pin(vm, -1, 0, page, err);
	case 2:
		return gmem_model_unpin(vm, -1, 0, page, err);
	case 3:
		return gmem_model_fail(vm, NULL, 1, EIO, err);
	case 4:
		return gmem_model_fail_from(vm, NULL, 0, 0, err);
	case 5:
		return gmem_model_interrupt(vm, 0, err);
	case 6:
		return gmem_model_kill(vm, err);
	case 7:
		return gmem_model_set_pool(vm, HUGE, 1, err);
	case 8:
		return gmem_model_poison(vm, -1, 0, page, err);
	case 9:
		return gmem_model_get_slot(vm, 0, 0, &s, err);
	case 10:
		return gmem_model_set_node_pool(vm, HUGE, 0, 1, err);
	case 11:
		return gmem_model_get_node_pool(vm, HUGE, 0, &pages, err);
	default:
		return gmem_model_get_pool(vm, HUGE, &pages, err);
	}
}

static void they_need_a_vm_of_the_model(void **state)
{
	struct world *w = *state;
	struct gmem_error err;

	for (unsigned int i = 0; i < CALLS; i++) {
		t_refused(call(i, NULL, w->page, &err), -EINVAL,
			  GMEM_REASON_NULL_ARGUMENT, err);
		t_refused(call(i, w->other, w->page, &err), -EINVAL,
			  GMEM_REASON_NOT_A_VM, err);
	}
}

/* The number of the first that a forked child is not refused, or CALLS. */
static int refused_in_child(const struct world *w)
{
	struct gmem_error err = { .sz = sizeof(err) };
	unsigned int i = 0;

	while (i < CALLS && call(i, w->vm, w->page, &err) == -EIO &&
	       err.reason == GMEM_REASON_WRONG_PROCESS)
		i++;
	return (int)i;
}

static void they_refuse_a_forked_child(void **state)
{
	struct world *w = *state;
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(refused_in_child(w));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), CALLS);
}

static void they_need_an_error_that_was_set_up(void **state)
{
	struct gmem_model_profile p = { .sz = sizeof(p) };
	struct gmem_error bad = { .sz = 1 };
	const uint64_t none[6] = { UINT64_MAX };
	struct gmem_vm *vm = NULL;
	struct world *w = *state;

	for (unsigned int i = 0; i < CALLS; i++)
		t_code(call(i, w->vm, w->page, &bad), -EINVAL);
	t_code(gmem_model_syscall(w->vm, SYS_close, none, &bad), -EINVAL);
	t_code(gmem_model_profile_info(0, &p, &bad), -EINVAL);
	assert_null(p.name);
	t_code(gmem_model_vm_open("7.3", NULL, &vm, &bad), -EINVAL);
	assert_null(vm);
}

static void a_vm_whose_descriptor_was_closed_is_told(void **state)
{
	struct world *w = *state;
	struct gmem_error err;
	int fd = gmem_vm_fd(w->vm), kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	assert_true(kept >= 0);
	assert_int_equal(close(fd), 0);
	for (unsigned int i = 0; i < CALLS; i++)
		t_refused(call(i, w->vm, w->page, &err), -EBADF,
			  GMEM_REASON_BAD_FD, err);
	/* for who closes the VM afterwards */
	assert_int_equal(dup3(kept, fd, O_CLOEXEC), fd);
	assert_int_equal(close(kept), 0);
}

static void beside_is_a_vm_of_the_model(void **state)
{
	struct world *w = *state;
	struct gmem_model_opts o = { .sz = sizeof(o), .beside = w->other };
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	t_refused(gmem_model_vm_open("7.3", &o, &vm, &err), -EINVAL,
		  GMEM_REASON_NOT_A_VM, err);
	assert_null(vm);
}

static void a_failure_has_a_call_and_an_errno(void **state)
{
	struct world *w = *state;
	struct gmem_error err;
	char name[300];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	t_refused(gmem_model_fail(w->vm, name, 1, EIO, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	t_refused(gmem_model_fail(w->vm, "mmap", 1, 0, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	t_refused(gmem_model_fail(w->vm, "mmap", 1, -EIO, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	t_ok(gmem_model_fail(w->vm, "mmap", 0, 0, &err), err);
}

static void a_dead_vm_runs_no_guest(void **state)
{
	struct world *w = *state;
	struct gmem_error err;
	char byte = 0;

	t_ok(gmem_model_kill(w->vm, &err), err);
	t_code(gmem_model_access(w->vm, 0, &byte, 1, 0, NULL, 0, &err), -EIO);
}

static void a_store_where_nothing_is_leaves_with_its_bytes(void **state)
{
	enum {
		EXIT_REASON = 8,
		PHYS_ADDR = 32,
		DATA = 40,
		LEN = 48,
		IS_WRITE = 52
	};
	struct world *w = *state;
	unsigned char run[256] = { 0 };
	struct gmem_error err;
	char word[] = "stored";

	t_ok(gmem_model_access(w->vm, 0x1000, word, sizeof(word),
			       GMEM_MODEL_WRITE, run, sizeof(run), &err),
	     err);
	assert_int_equal(run[EXIT_REASON], 6); /* KVM_EXIT_MMIO */
	assert_int_equal(run[PHYS_ADDR + 1], 0x10);
	assert_memory_equal(run + DATA, word, sizeof(word));
	assert_int_equal(run[LEN], sizeof(word));
	assert_int_equal(run[IS_WRITE], 1);
}

static void a_pool_is_asked_with_room_for_the_answer(void **state)
{
	struct world *w = *state;
	struct gmem_error err;

	t_ok(gmem_model_set_pool(w->vm, HUGE, 3, &err), err);
	t_refused(gmem_model_get_pool(w->vm, HUGE, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_model_get_node_pool(w->vm, HUGE, 0, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
}

/* A kernel of three nodes that has huge pages. */
static void open_nodes(struct world *w)
{
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED,
				  .hugetlb_encoding = GMEM_HUGETLB_PAGE_ORDER };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &v, .nodes = 3 };
	struct gmem_error err;

	unit_need_encodings();
	t_ok(gmem_vm_destroy(w->vm, &err), err);
	w->vm = NULL;
	t_ok(gmem_model_vm_open("hugetlb-page-order", &m, &w->vm, &err), err);
}

static struct gmem *huge_file(struct world *w, uint64_t pages, uint32_t mode,
			      unsigned long nodes)
{
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP,
				      .hugetlb_size = HUGE };
	struct gmem_mempolicy p = {
		.sz = sizeof(p), .mode = mode, .nodes = &nodes, .max_node = 4
	};
	struct gmem_error err;
	struct gmem *g;

	t_ok(gmem_create(w->vm, pages * HUGE, &o, &g, &err), err);
	if (mode != GMEM_MPOL_DEFAULT)
		t_ok(gmem_set_mempolicy(g, 0, pages * HUGE, &p, 0, &err), err);
	return g;
}

/* The pages without memory on each of the nodes, a decimal digit each. */
static unsigned int left(struct world *w)
{
	struct gmem_error err;
	unsigned int all = 0;
	uint64_t n;

	for (uint32_t i = 0; i < 3; i++) {
		t_ok(gmem_model_get_node_pool(w->vm, HUGE, i, &n, &err), err);
		all = 10 * all + (unsigned int)n;
	}
	return all;
}

static void set_nodes(struct world *w, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t pages[] = { a, b, c };
	struct gmem_error err;

	for (uint32_t i = 0; i < 3; i++)
		t_ok(gmem_model_set_node_pool(w->vm, HUGE, i, pages[i], &err),
		     err);
}

static void the_nodes_share_a_pool_evenly(void **state)
{
	struct world *w = *state;
	struct gmem_error err;
	struct gmem *g;
	uint64_t n;

	open_nodes(w);
	t_ok(gmem_model_set_pool(w->vm, HUGE, 8, &err), err);
	assert_int_equal(left(w), 332);
	set_nodes(w, 2, 0, 5);
	t_ok(gmem_model_get_pool(w->vm, HUGE, &n, &err), err);
	assert_int_equal(n, 7);
	g = huge_file(w, 2, GMEM_MPOL_BIND, 4);
	t_ok(gmem_populate(g, 0, 2 * HUGE, NULL, &err), err);
	assert_int_equal(left(w), 203);
	/* those with memory stay where they are */
	t_ok(gmem_model_set_pool(w->vm, HUGE, 5, &err), err);
	assert_int_equal(left(w), 111);
	t_ok(gmem_close(g, &err), err);
	assert_int_equal(left(w), 113);
}

static void a_pool_is_set_on_a_node_that_there_is(void **state)
{
	struct world *w = *state;
	struct gmem_error err;
	struct gmem *g;

	open_nodes(w);
	set_nodes(w, 1, 1, 1);
	t_refused(gmem_model_set_node_pool(w->vm, HUGE, 3, 1, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	assert_int_equal(err.value, 3);
	t_refused(gmem_model_set_node_pool(w->vm, 12345, 0, 1, &err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, err);
	t_refused(gmem_model_set_node_pool(w->vm, HUGE, 0, UINT64_MAX, &err),
		  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
	t_refused(gmem_model_get_node_pool(w->vm, HUGE, 3, &(uint64_t){ 0 },
					   &err),
		  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
	t_refused(gmem_model_get_node_pool(w->vm, 12345, 0, &(uint64_t){ 0 },
					   &err),
		  -EINVAL, GMEM_REASON_HUGETLB_SIZE, err);
	/* reserved, without memory: no node in particular has them */
	g = huge_file(w, 2, GMEM_MPOL_BIND, 2);
	set_nodes(w, 0, 2, 0);
	t_refused(gmem_model_set_node_pool(w->vm, HUGE, 1, 1, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	set_nodes(w, 2, 2, 0);
	t_ok(gmem_populate(g, 0, HUGE, NULL, &err), err);
	/* with memory: this one has */
	t_refused(gmem_model_set_node_pool(w->vm, HUGE, 1, 0, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	assert_int_equal(left(w), 210);
	t_ok(gmem_close(g, &err), err);
	assert_int_equal(left(w), 220);
}

/* What is reserved may lie on a node that the file does not take. */
static void a_bound_file_gets_no_page_of_another_node(void **state)
{
	struct world *w = *state;
	struct gmem_error err;
	struct gmem *g;

	open_nodes(w);
	set_nodes(w, 4, 1, 0);
	g = huge_file(w, 2, GMEM_MPOL_BIND, 2);
	t_refused(gmem_populate(g, 0, 2 * HUGE, NULL, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	/* the kernel keeps what it allocated before */
	assert_int_equal(left(w), 400);
	/* what has memory already needs none */
	t_ok(gmem_populate(g, 0, HUGE, NULL, &err), err);
	t_ok(gmem_discard(g, 0, HUGE, NULL, &err), err);
	assert_int_equal(left(w), 410);
	t_ok(gmem_populate(g, HUGE, HUGE, NULL, &err), err);
	assert_int_equal(left(w), 400);
	set_nodes(w, 4, 2, 0);
	t_ok(gmem_populate(g, 0, HUGE, NULL, &err), err);
	assert_int_equal(left(w), 400);
	t_ok(gmem_close(g, &err), err);
	assert_int_equal(left(w), 420);
}

static void a_policy_that_prefers_goes_on_where_there_are_pages(void **state)
{
	static const uint32_t modes[] = { GMEM_MPOL_PREFERRED,
					  GMEM_MPOL_PREFERRED_MANY,
					  GMEM_MPOL_DEFAULT };
	struct world *w = *state;
	struct gmem_error err;
	struct gmem *g;

	open_nodes(w);
	for (size_t i = 0; i < T_ARRAY_SIZE(modes); i++) {
		set_nodes(w, 1, 0, 2);
		g = huge_file(w, 3, modes[i], 1);
		t_ok(gmem_populate(g, 0, HUGE, NULL, &err), err);
		assert_int_equal(left(w), 2);
		t_ok(gmem_populate(g, 0, 3 * HUGE, NULL, &err), err);
		assert_int_equal(left(w), 0);
		t_ok(gmem_close(g, &err), err);
		assert_int_equal(left(w), 102);
	}
}

static void nodes_in_turn_leave_out_what_has_no_page(void **state)
{
	struct world *w = *state;
	struct gmem_error err;
	struct gmem *g;

	open_nodes(w);
	set_nodes(w, 3, 1, 3);
	g = huge_file(w, 6, GMEM_MPOL_INTERLEAVE, 7);
	t_ok(gmem_populate(g, 0, 3 * HUGE, NULL, &err), err);
	assert_int_equal(left(w), 202);
	t_ok(gmem_populate(g, 0, 6 * HUGE, NULL, &err), err);
	assert_in_range(left(w), 1, 100);
	t_ok(gmem_close(g, &err), err);
	assert_int_equal(left(w), 313);
}

static int64_t sys(struct world *w, long number, uint64_t a, uint64_t b,
		   uint64_t c, uint64_t d)
{
	const uint64_t arg[6] = { a, b, c, d };

	return gmem_model_syscall(w->vm, number, arg, NULL);
}

static void a_system_call_needs_a_kernel_of_the_model(void **state)
{
	struct world *w = *state;
	const uint64_t arg[6] = { 0 };
	struct gmem_error err;

	t_refused(gmem_model_syscall(NULL, SYS_close, arg, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_string_equal(err.msg, "the VM is NULL");
	t_refused(gmem_model_syscall(w->vm, SYS_close, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_string_equal(err.msg, "arg is NULL");
	t_refused(gmem_model_syscall(w->other, SYS_close, arg, &err), -EINVAL,
		  GMEM_REASON_NOT_A_VM, err);
}

static void a_system_call_fails_as_the_kernel_says(void **state)
{
	struct world *w = *state;
	uint64_t create[8] = { w->page + 1 };
	const uint64_t arg[6] = { (uint64_t)gmem_vm_fd(w->vm),
				  GMEM__KVM_CREATE_GUEST_MEMFD,
				  (uintptr_t)create };
	struct gmem_error err;

	t_refused(gmem_model_syscall(w->vm, SYS_ioctl, arg, &err), -EINVAL,
		  GMEM_REASON_KERNEL, err);
	t_refused(gmem_model_syscall(w->vm, SYS_getpid, arg, &err), -ENOSYS,
		  GMEM_REASON_KERNEL, err);
	t_code(sys(w, SYS_move_pages, 1, 0, 0, 0), -ENOSYS);
	t_code(sys(w, SYS_process_vm_readv, 0, 0, 0, 0), -ENOSYS);
	t_code(sys(w, SYS_process_vm_writev, 0, 0, 0, 0), -ENOSYS);
	t_code(sys(w, SYS_fstatfs, UINT64_MAX, 0, 0, 0), -EBADF);
	t_code(sys(w, SYS_cachestat, UINT64_MAX, (uintptr_t)create,
		   (uintptr_t)create, 0),
	       -EBADF);
}

/* Nothing but exits for conversions by hypercall can be enabled. */
static void a_capability_that_is_not_there_cannot_be_enabled(void **state)
{
	struct world *w = *state;
	struct gmem__enable_cap c = { .cap = GMEM__CAP_EXIT_HYPERCALL,
				      .args = { 1 << 12 } };
	uint64_t vm = (uint64_t)gmem_vm_fd(w->vm);

	t_code(sys(w, SYS_ioctl, vm, GMEM__KVM_ENABLE_CAP, (uintptr_t)&c, 0),
	       0);
	c.args[0] |= 1;
	t_code(sys(w, SYS_ioctl, vm, GMEM__KVM_ENABLE_CAP, (uintptr_t)&c, 0),
	       -EINVAL);
	c.cap++;
	t_code(sys(w, SYS_ioctl, vm, GMEM__KVM_ENABLE_CAP, (uintptr_t)&c, 0),
	       -EINVAL);
	t_code(sys(w, SYS_ioctl, vm, GMEM__KVM_ENABLE_CAP, 0, 0), -EFAULT);
}

static void a_path_that_does_not_end_is_too_long(void **state)
{
	struct world *w = *state;
	char *path = malloc(8192);

	assert_non_null(path);
	memset(path, 'x', 8192);
	t_code(sys(w, SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)path, O_RDONLY,
		   0),
	       -ENAMETOOLONG);
	free(path);
}

/* A file from KVM_CREATE_GUEST_MEMFD to close(2), without the library. */
static void system_calls_do_as_the_kernel(void **state)
{
	struct world *w = *state;
	uint64_t create[8] = { 4 * w->page, 3 };
	uint64_t range[2] = { 0 }, cached[5] = { 0 };
	unsigned char *p, byte = 0;
	struct stat st;
	int64_t fd, r;

	fd = sys(w, SYS_ioctl, (uint64_t)gmem_vm_fd(w->vm),
		 GMEM__KVM_CREATE_GUEST_MEMFD, (uintptr_t)create, 0);
	assert_true(fd >= 0);
	t_code(sys(w, SYS_fstat, (uint64_t)fd, (uintptr_t)&st, 0, 0), 0);
	assert_int_equal(st.st_size, 4 * w->page);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	t_code(sys(w, SYS_read, (uint64_t)fd, (uintptr_t)&byte, 1, 0), -EINVAL);
	t_code(sys(w, SYS_write, (uint64_t)fd, (uintptr_t)&byte, 1, 0),
	       -EINVAL);
	t_code(sys(w, SYS_fallocate, (uint64_t)fd, FALLOC_FL_KEEP_SIZE, 0,
		   2 * w->page),
	       0);
	t_code(sys(w, SYS_cachestat, (uint64_t)fd, (uintptr_t)range,
		   (uintptr_t)cached, 0),
	       0);
	assert_int_equal(cached[0], 2);
	r = gmem_model_syscall(w->vm, SYS_mmap,
			       (const uint64_t[6]){ 0, w->page,
						    PROT_READ | PROT_WRITE,
						    MAP_SHARED, (uint64_t)fd },
			       NULL);
	assert_true(r > 0);
	p = (unsigned char *)(uintptr_t)r;
	p[0] = 7;
	t_code(gmem_model_syscall(
		       w->vm, SYS_mmap,
		       (const uint64_t[6]){ (uint64_t)r, w->page, PROT_READ,
					    MAP_SHARED | MAP_FIXED_NOREPLACE,
					    (uint64_t)fd },
		       NULL),
	       -EEXIST);
	t_code(gmem_model_syscall(w->vm, SYS_mmap,
				  (const uint64_t[6]){ (uint64_t)r, w->page,
						       PROT_READ | PROT_WRITE,
						       MAP_SHARED | MAP_FIXED,
						       (uint64_t)fd, w->page },
				  NULL),
	       r);
	assert_int_equal(p[0], 0);
	p[0] = 7;
	t_code(sys(w, SYS_munmap, (uint64_t)r, w->page, 0, 0), 0);
	t_code(sys(w, SYS_close, (uint64_t)fd, 0, 0, 0), 0);
}

/* By close(2), as the caller of an adoption that was refused may do. */
static void a_descriptor_that_nobody_told_of_keeps_no_file(void **state)
{
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED,
				  .hugetlb_encoding = GMEM_HUGETLB_PAGE_ORDER };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &v };
	struct gmem_create_opts o = { .sz = sizeof(o), .hugetlb_size = HUGE };
	struct world *w = *state;
	struct gmem_error err;
	struct gmem *g;
	uint64_t n;
	int fd;

	unit_need_encodings();
	t_ok(gmem_vm_destroy(w->vm, &err), err);
	w->vm = NULL;
	t_ok(gmem_model_vm_open("hugetlb-page-order", &m, &w->vm, &err), err);
	t_ok(gmem_model_set_pool(w->vm, HUGE, 1, &err), err);
	t_ok(gmem_create(w->vm, HUGE, &o, &g, &err), err);
	fd = fcntl(gmem_fd(g), F_DUPFD_CLOEXEC, 0);
	t_ok(gmem_model_pin(w->vm, fd, 0, HUGE, &err), err);
	t_ok(gmem_model_unpin(w->vm, fd, 0, HUGE, &err), err);
	t_ok(gmem_close(g, &err), err);
	t_refused(gmem_model_set_pool(w->vm, HUGE, 0, &err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, err);
	assert_int_equal(close(fd), 0);
	t_ok(gmem_model_set_pool(w->vm, HUGE, 0, &err), err);
	t_ok(gmem_model_get_pool(w->vm, HUGE, &n, &err), err);
	assert_int_equal(n, 0);
}

/* Those that the model has for itself do not reach other programs. */
static void only_the_file_is_not_close_on_exec(void **state)
{
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &v };
	uint64_t create[8] = { 0 };
	struct world *w = *state;
	bool mine[256];
	int64_t fd;

	t_code(gmem_vm_destroy(w->vm, NULL), 0);
	w->vm = NULL;
	for (int i = 0; i < 256; i++)
		mine[i] = fcntl(i, F_GETFD) < 0;
	t_code(gmem_model_vm_open("inplace", &m, &w->vm, NULL), 0);
	create[0] = 4 * w->page;
	fd = sys(w, SYS_ioctl, (uint64_t)gmem_vm_fd(w->vm),
		 GMEM__KVM_CREATE_GUEST_MEMFD, (uintptr_t)create, 0);
	assert_true(fd >= 0);
	for (int i = 0; i < 256; i++) {
		int flags = mine[i] ? fcntl(i, F_GETFD) : -1;

		if (flags >= 0 && i != fd)
			assert_int_equal(flags & FD_CLOEXEC, FD_CLOEXEC);
	}
	assert_int_equal(fcntl((int)fd, F_GETFD), 0);
	t_code(sys(w, SYS_close, (uint64_t)fd, 0, 0, 0), 0);
}

/* The host's limit of file sizes, which a memfd knows. */
static void a_file_as_large_as_the_limit_can_be_made(void **state)
{
	struct rlimit was, limit;
	struct world *w = *state;
	uint64_t create[8] = { 0 };
	int64_t made, refused;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = was;
	limit.rlim_cur = 64 * w->page;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	create[0] = 64 * w->page;
	create[1] = 3;
	made = sys(w, SYS_ioctl, (uint64_t)gmem_vm_fd(w->vm),
		   GMEM__KVM_CREATE_GUEST_MEMFD, (uintptr_t)create, 0);
	create[0] += w->page;
	refused = sys(w, SYS_ioctl, (uint64_t)gmem_vm_fd(w->vm),
		      GMEM__KVM_CREATE_GUEST_MEMFD, (uintptr_t)create, 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_true(made >= 0);
	assert_int_equal(refused, -EFBIG);
	t_code(sys(w, SYS_close, (uint64_t)made, 0, 0, 0), 0);
}

#define control_test(name) \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		control_test(they_need_a_vm_of_the_model),
		control_test(they_refuse_a_forked_child),
		control_test(they_need_an_error_that_was_set_up),
		control_test(a_vm_whose_descriptor_was_closed_is_told),
		control_test(beside_is_a_vm_of_the_model),
		control_test(a_failure_has_a_call_and_an_errno),
		control_test(a_dead_vm_runs_no_guest),
		control_test(a_store_where_nothing_is_leaves_with_its_bytes),
		control_test(a_pool_is_asked_with_room_for_the_answer),
		control_test(the_nodes_share_a_pool_evenly),
		control_test(a_pool_is_set_on_a_node_that_there_is),
		control_test(a_bound_file_gets_no_page_of_another_node),
		control_test(
			a_policy_that_prefers_goes_on_where_there_are_pages),
		control_test(nodes_in_turn_leave_out_what_has_no_page),
		control_test(a_system_call_needs_a_kernel_of_the_model),
		control_test(a_system_call_fails_as_the_kernel_says),
		control_test(a_capability_that_is_not_there_cannot_be_enabled),
		control_test(a_path_that_does_not_end_is_too_long),
		control_test(system_calls_do_as_the_kernel),
		control_test(a_descriptor_that_nobody_told_of_keeps_no_file),
		control_test(only_the_file_is_not_close_on_exec),
		control_test(a_file_as_large_as_the_limit_can_be_made),
	};

	return t_main(tests);
}
