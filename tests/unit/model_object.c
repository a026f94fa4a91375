// SPDX-License-Identifier: MIT
/*
 * How long what a descriptor of the model stands for lives: until the last
 * descriptor and mapping of it is gone, whether or not the model saw it.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmem_model.h>

#include "t.h"
#include "model.h"
#include "model_sys.h"

#include "hugetlb.h"
#include "seam.h"
#include "uapi.h"

#define PAGES 16
#define GPA (1ULL << 20)
#define SHARED (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)
#define HUGE (2ULL << 20)

struct world {
	struct gmem_vm *vm, *second;
	struct gmem *g;
	struct gmem_error err;
	uint64_t page;
};

/* As on a host without /proc; the linker leads the calls here (--wrap). */
static bool no_proc;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	if (!no_proc || strncmp(path, "/proc/", 6) != 0)
		return __real_open(path, flags, 0);
	errno = ENOENT;
	return -1;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->err.sz = sizeof(w->err);
	w->page = (uint64_t)sysconf(_SC_PAGESIZE);
	no_proc = false;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	int r = gmem_vm_destroy(w->second, NULL);

	r |= gmem_vm_destroy(w->vm, NULL);
	free(w);
	return r;
}

#define object_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static int vm_ioctl(const struct world *w, int fd, unsigned long request,
		    void *arg)
{
	return model__sys.ioctl(gmem__vm_priv(w->vm, &model__sys), fd, request,
				arg);
}

/* A slot that the library knows nothing of, so that it lets the file go. */
static void bound(struct world *w)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = SHARED };
	struct gmem__region2 r = {
		.region = { .flags = GMEM__MEM_GUEST_MEMFD,
			    .guest_phys_addr = GPA,
			    .memory_size = PAGES * w->page },
	};

	t_ok(gmem_model_vm_open("7.3", NULL, &w->vm, &w->err), w->err);
	t_ok(gmem_create(w->vm, PAGES * w->page, &o, &w->g, &w->err), w->err);
	r.guest_memfd = (uint32_t)gmem_fd(w->g);
	t_code(vm_ioctl(w, gmem_vm_fd(w->vm), GMEM__KVM_SET_USER_MEMORY_REGION2,
			&r),
	       0);
}

static int guest(struct world *w, unsigned char *byte, uint32_t flags)
{
	return gmem_model_access(w->vm, GPA, byte, 1, flags, NULL, 0, &w->err);
}

static void store(struct world *w)
{
	unsigned char byte = 0x5a;

	t_ok(guest(w, &byte, GMEM_MODEL_WRITE), w->err);
}

static void assert_lives(struct world *w)
{
	unsigned char byte = 0;

	t_ok(guest(w, &byte, 0), w->err);
	assert_int_equal(byte, 0x5a);
}

static void assert_gone(struct world *w)
{
	unsigned char byte = 0;

	t_code(guest(w, &byte, 0), -EFAULT);
}

static int unseen(const struct world *w)
{
	int fd = fcntl(gmem_fd(w->g), F_DUPFD_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static void a_file_lives_as_long_as_a_duplicate(void **state)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	struct world *w = *state;
	unsigned char byte = 0;
	struct gmem *again;
	int fd;

	bound(w);
	store(w);
	fd = unseen(w);
	t_ok(gmem_close(w->g, &w->err), w->err);
	assert_lives(w);
	t_ok(gmem_adopt(w->vm, fd, &o, &again, &w->err), w->err);
	t_ok(gmem_read(again, 0, &byte, 1, &w->err), w->err);
	assert_int_equal(byte, 0x5a);
	t_ok(gmem_close(again, &w->err), w->err);
	assert_gone(w);
}

static void a_duplicate_may_be_closed_unseen(void **state)
{
	struct world *w = *state;
	int fd;

	bound(w);
	store(w);
	fd = unseen(w);
	t_ok(gmem_close(w->g, &w->err), w->err);
	assert_int_equal(close(fd), 0);
	assert_gone(w);
}

static void a_file_lives_as_long_as_a_mapping(void **state)
{
	struct world *w = *state;
	void *p;

	bound(w);
	store(w);
	p = mmap(NULL, w->page, PROT_READ, MAP_SHARED, gmem_fd(w->g), 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	t_ok(gmem_close(w->g, &w->err), w->err);
	assert_lives(w);
	assert_int_equal(munmap(p, w->page), 0);
	assert_gone(w);
}

static void a_file_lives_as_long_as_a_child_has_it(void **state)
{
	struct world *w = *state;
	int ends[2], status;
	char byte;
	pid_t pid;

	bound(w);
	store(w);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	assert_true(pid > 0);
	t_ok(gmem_close(w->g, &w->err), w->err);
	assert_lives(w);
	(void)close(ends[0]);
	(void)close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_gone(w);
}

static void a_vm_lives_as_long_as_a_duplicate(void **state)
{
	struct gmem_model_opts o = { .sz = sizeof(o) };
	struct world *w = *state;
	int fd;

	bound(w);
	o.beside = w->vm;
	t_ok(gmem_model_vm_open("7.3", &o, &w->second, &w->err), w->err);
	fd = fcntl(gmem_vm_fd(w->second), F_DUPFD_CLOEXEC, 0);
	t_ok(gmem_vm_destroy(w->second, &w->err), w->err);
	w->second = NULL;
	t_code(vm_ioctl(w, fd, GMEM__KVM_CHECK_EXTENSION,
			(void *)GMEM__CAP_USER_MEMORY),
	       1);
	assert_int_equal(
		model__sys.close(gmem__vm_priv(w->vm, &model__sys), fd), 0);
}

/* Of three, the one in the middle: the others' numbers stay known. */
static void closing_one_leaves_the_others(void **state)
{
	struct world *w = *state;
	int fd[3];

	bound(w);
	store(w);
	for (int i = 0; i < 3; i++) {
		fd[i] = unseen(w);
		t_ok(gmem_model_pin(w->vm, fd[i], 0, w->page, &w->err), w->err);
	}
	t_ok(gmem_close(w->g, &w->err), w->err);
	assert_int_equal(close(fd[1]), 0);
	t_refused(gmem_model_pin(w->vm, fd[1], 0, w->page, &w->err), -EINVAL,
		  GMEM_REASON_NOT_GUEST_MEMFD, w->err);
	t_ok(gmem_model_unpin(w->vm, fd[0], 0, w->page, &w->err), w->err);
	assert_int_equal(close(fd[0]), 0);
	assert_lives(w);
	assert_int_equal(close(fd[2]), 0);
	assert_gone(w);
}

static void without_proc_the_descriptors_seen_count(void **state)
{
	struct world *w = *state;
	int seen;

	no_proc = true;
	bound(w);
	store(w);
	seen = unseen(w);
	t_ok(gmem_model_pin(w->vm, seen, 0, w->page, &w->err), w->err);
	t_ok(gmem_close(w->g, &w->err), w->err);
	assert_lives(w);
	assert_int_equal(close(seen), 0);
	assert_gone(w);
}

static void without_proc_mappings_count(void **state)
{
	struct world *w = *state;
	struct kernel *k;
	void *p;

	no_proc = true;
	bound(w);
	store(w);
	k = gmem__vm_priv(w->vm, &model__sys);
	t_code(model__sys.mmap(k, &p, w->page, PROT_READ, MAP_SHARED,
			       gmem_fd(w->g), 0),
	       0);
	t_ok(gmem_close(w->g, &w->err), w->err);
	assert_lives(w);
	t_code(model__sys.munmap(k, p, w->page), 0);
	assert_gone(w);
}

/* The pool is full; the last duplicate of what fills it goes unseen. */
static void a_pool_gets_back_what_was_closed_unseen(void **state)
{
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED,
				  .hugetlb_encoding = GMEM_HUGETLB_PAGE_ORDER };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &v };
	struct gmem_create_opts o = { .sz = sizeof(o), .hugetlb_size = HUGE };
	struct world *w = *state;
	struct gmem *more;
	uint64_t n;
	int fd;

	if (!GMEM__HUGETLB_BUILT)
		t_not_applicable("hugetlb-encodings",
				 "built with GMEM_PROPOSED_UAPI=OFF");
	t_ok(gmem_model_vm_open("hugetlb-page-order", &m, &w->vm, &w->err),
	     w->err);
	t_ok(gmem_model_set_pool(w->vm, HUGE, 1, &w->err), w->err);
	t_ok(gmem_create(w->vm, HUGE, &o, &w->g, &w->err), w->err);
	fd = unseen(w);
	t_ok(gmem_close(w->g, &w->err), w->err);
	t_ok(gmem_model_get_pool(w->vm, HUGE, &n, &w->err), w->err);
	assert_int_equal(n, 0);
	assert_int_equal(close(fd), 0);
	t_ok(gmem_create(w->vm, HUGE, &o, &more, &w->err), w->err);
	fd = fcntl(gmem_fd(more), F_DUPFD_CLOEXEC, 0);
	t_ok(gmem_close(more, &w->err), w->err);
	assert_int_equal(close(fd), 0);
	t_ok(gmem_model_get_pool(w->vm, HUGE, &n, &w->err), w->err);
	assert_int_equal(n, 1);
}

/* Each file that is made looks whether another one has gone. */
static void what_nobody_asks_for_does_not_pile_up(void **state)
{
	enum {
		MANY = 200
	};
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = SHARED };
	struct world *w = *state;
	const struct object *at = NULL;
	unsigned int n = 0;
	struct kernel *k;

	bound(w);
	k = gmem__vm_priv(w->vm, &model__sys);
	for (int i = 0; i < MANY; i++) {
		struct gmem *g;
		int fd;

		t_ok(gmem_create(w->vm, w->page, &o, &g, &w->err), w->err);
		fd = fcntl(gmem_fd(g), F_DUPFD_CLOEXEC, 0);
		t_ok(gmem_close(g, &w->err), w->err);
		assert_int_equal(close(fd), 0);
	}
	while ((at = model__object_next(k, at)) != NULL)
		n++;
	assert_true(n < 10);
}

static int create_raw(const struct world *w)
{
	struct gmem__create c = { .size = w->page };
	int fd = vm_ioctl(w, gmem_vm_fd(w->vm), GMEM__KVM_CREATE_GUEST_MEMFD,
			  &c);

	assert_true(fd >= 0);
	return fd;
}

/* Closed unseen, and the next file gets its number. */
static void a_number_used_again_is_another_file(void **state)
{
	struct world *w = *state;
	struct kernel *k;
	uint64_t ino;
	size_t n;
	int fd;

	bound(w);
	k = gmem__vm_priv(w->vm, &model__sys);
	fd = create_raw(w);
	n = k->n_fds;
	for (int i = 0; i < 4; i++) {
		ino = model__object(k, fd)->inode.start;
		assert_int_equal(close(fd), 0);
		assert_int_equal(create_raw(w), fd);
		assert_int_equal(k->n_fds, n);
		assert_null(model__tree_meet(&k->objects, NULL, ino, ino + 1));
		assert_int_not_equal(model__object(k, fd)->inode.start, ino);
	}
	t_code(model__sys.close(k, fd), 0);
	assert_null(model__object(k, fd));
}

/* Its addresses are free for another file's. */
static void what_was_unmapped_unseen_is_forgotten(void **state)
{
	struct world *w = *state;
	struct mapping *m;
	struct kernel *k;
	void *p, *q;

	bound(w);
	k = gmem__vm_priv(w->vm, &model__sys);
	t_code(model__sys.mmap(k, &p, 4 * w->page, PROT_READ, MAP_SHARED,
			       gmem_fd(w->g), 0),
	       0);
	assert_int_equal(munmap(p, 4 * w->page), 0);
	q = p;
	t_code(model__sys.mmap(k, &q, 2 * w->page, PROT_READ,
			       MAP_SHARED | MAP_FIXED_NOREPLACE, gmem_fd(w->g),
			       8 * w->page),
	       0);
	assert_ptr_equal(q, p);
	m = model__map_at(k, (uintptr_t)q);
	assert_non_null(m);
	assert_ptr_equal((void *)(uintptr_t)m->at.start, q);
	assert_int_equal(m->in.start, 8 * w->page);
	t_code(model__sys.munmap(k, q, 2 * w->page), 0);
	assert_null(model__map_at(k, (uintptr_t)q));
	/* and the rest, which nobody ever told the model of */
	t_code(model__sys.munmap(k, p, 4 * w->page), 0);
}

/* Where a kernel says EFAULT, so does the model. */
static void a_bad_pointer_is_efault(void **state)
{
	static const uint64_t bad[] = { 0, 0xdead0000 };
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP |
					       GMEM_CREATE_INIT_SHARED };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_vm *vm = NULL;
	struct gmem *g = NULL;

	(void)state;
	t_ok(gmem_model_vm_open("7.3", NULL, &vm, &err), err);
	t_ok(gmem_create(vm, 65536, &o, &g, &err), err);
	for (size_t b = 0; b < T_ARRAY_SIZE(bad); b++) {
		const uint64_t at = bad[b], fd = (uint64_t)gmem_fd(g);
		const struct {
			long number;
			uint64_t arg[6];
		} rows[] = {
			{ SYS_openat, { (uint64_t)-100, at } },
			{ SYS_fstat, { fd, at } },
			{ SYS_fstatfs, { fd, at } },
			{ 451 /* cachestat */, { fd, at, at } },
			{ SYS_process_vm_readv, { 0, at, 1, at, 1 } },
			{ SYS_process_vm_writev, { 0, at, 1, at, 1 } },
		};

		for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++)
			t_code(gmem_model_syscall(vm, rows[i].number,
						  rows[i].arg, NULL),
			       -EFAULT);
	}
	t_ok(gmem_vm_destroy(vm, &err), err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_pointer_is_efault),
		object_test(a_file_lives_as_long_as_a_duplicate),
		object_test(a_duplicate_may_be_closed_unseen),
		object_test(a_file_lives_as_long_as_a_mapping),
		object_test(a_file_lives_as_long_as_a_child_has_it),
		object_test(a_vm_lives_as_long_as_a_duplicate),
		object_test(closing_one_leaves_the_others),
		object_test(without_proc_the_descriptors_seen_count),
		object_test(without_proc_mappings_count),
		object_test(a_pool_gets_back_what_was_closed_unseen),
		object_test(what_nobody_asks_for_does_not_pile_up),
		object_test(a_number_used_again_is_another_file),
		object_test(what_was_unmapped_unseen_is_forgotten),
	};

	return t_main(tests);
}
