// SPDX-License-Identifier: MIT
/* What a child can do: nothing after fork(2), everything with CLONE_VM. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live.h"

#define PAGES 4

/* The getters return no descriptor in a child. */
static int vm_fd, file_fd;

static void start(struct live *l)
{
	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, PAGES, LIVE_SHARED);
	live_ok(l, gmem_write(l->g, 0, "parent", 6, &l->err));
	vm_fd = gmem_vm_fd(l->vm);
	file_fd = gmem_fd(l->g);
	l->n_calls = 0;
}

/* The file itself belongs to no process. */
static int use_the_file_in_child(struct live *l)
{
	char *p = mmap(NULL, PAGES * l->page, PROT_READ | PROT_WRITE,
		       MAP_SHARED, file_fd, 0);

	CHILD(p != MAP_FAILED);
	CHILD(!memcmp(p, "parent", 6));
	memcpy(p, "child!", 6);
	memcpy(p + l->page, "child!", 6);
	CHILD(!fallocate(file_fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
			 l->page, l->page));
	return 0;
}

static void the_kernel_lets_a_child_change_the_file(void **state)
{
	struct live *l = *state;
	char back[6], zero[6] = { 0 };

	start(l);
	live_child(l, use_the_file_in_child);
	live_ok(l, gmem_read(l->g, 0, back, 6, &l->err));
	assert_memory_equal(back, "child!", 6);
	live_ok(l, gmem_read(l->g, l->page, back, 6, &l->err));
	assert_memory_equal(back, zero, 6);
}

#define WRONG(call)                                             \
	do {                                                    \
		struct gmem_error err = { .sz = sizeof(err) };  \
		CHILD((call) == -EIO);                          \
		CHILD(err.reason == GMEM_REASON_WRONG_PROCESS); \
	} while (0)

static int library_calls_in_child(struct live *l)
{
	uint64_t page = l->page, attributes, run;
	struct gmem_slot s = { .sz = sizeof(s), .slot = 7, .fd = -1 };
	unsigned char record[512];
	size_t len = sizeof(record);
	struct gmem *g = NULL;
	struct gmem_vm *vm = l->vm;
	void *p = NULL;

	s.gpa = 64 * page;
	s.len = page;
	CHILD(gmem_vm_fd(vm) == -EIO && gmem_fd(l->g) == -EIO);
	CHILD(!gmem_size(l->g) && !gmem_page_size(l->g) && !gmem_flags(l->g));
	WRONG(gmem_vm_feature(vm, 0, NULL, &err));
	WRONG(gmem_create(vm, page, NULL, &g, &err));
	WRONG(gmem_adopt(vm, 0, NULL, &g, &err));
	WRONG(t_bind(l->g, 0, 0, 0, page, NULL, &err));
	WRONG(gmem_unbind(l->vm, 0, 0, 0, &err));
	WRONG(gmem_slot_note(vm, &s, &err));
	WRONG(gmem_slot_forget(vm, 0, 0, &err));
	WRONG(gmem_slot_get(vm, 0, 0, &s, &err));
	WRONG(gmem_set_private(l->g, 0, page, &err));
	WRONG(gmem_set_shared(l->g, 0, page, &err));
	WRONG(gmem_set_attributes(l->g, 0, page, 0, NULL, &err));
	WRONG(gmem_get_attributes(l->g, 0, page, &attributes, &run, &err));
	WRONG(gmem_attributes_export(l->g, record, &len, &err));
	WRONG(gmem_attributes_import(l->g, record, len, 0, &err));
	WRONG(gmem_mmap(l->g, 0, page, NULL, &p, &err));
	WRONG(gmem_munmap(l->g, p, &err));
	WRONG(gmem_read(l->g, 0, record, 1, &err));
	WRONG(gmem_write(l->g, 0, record, 1, &err));
	WRONG(gmem_close(l->g, &err));
	WRONG(gmem_vm_close(vm, &err));
	CHILD(l->n_calls == 0);
	CHILD(!g && !p);
	return 0;
}

static void a_forked_child_is_refused_without_a_system_call(void **state)
{
	struct live *l = *state;

	start(l);
	live_child(l, library_calls_in_child);
}

static int look_for_mappings(struct live *l)
{
	(void)l;
	CHILD(live_maps_of(file_fd) == 0);
	return 0;
}

/* A child has neither the slots' mappings nor those of gmem_mmap(). */
static void mappings_do_not_go_into_a_child(void **state)
{
	struct gmem_mmap_opts own = { .sz = sizeof(own),
				      .flags = GMEM_MMAP_READONLY };
	struct live *l = *state;
	void *p;

	start(l);
	live_ok(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err));
	live_ok(l, gmem_mmap(l->g, 0, l->page, &own, &p, &l->err));
	assert_int_equal(live_maps_of(gmem_fd(l->g)), 2);
	live_child(l, look_for_mappings);
}

static int destroy_in_child(struct live *l)
{
	CHILD(!gmem_vm_destroy(l->vm, NULL));
	CHILD(fcntl(vm_fd, F_GETFD) < 0);
	CHILD(fcntl(file_fd, F_GETFD) < 0);
	return 0;
}

static void destroy_in_a_child_leaves_the_parent_alone(void **state)
{
	struct live *l = *state;
	char back[6];
	void *p;

	start(l);
	live_ok(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err));
	live_ok(l, gmem_mmap(l->g, 0, l->page, NULL, &p, &l->err));
	live_child(l, destroy_in_child);
	assert_memory_equal(p, "parent", 6);
	live_ok(l, gmem_read(l->g, 0, back, 6, &l->err));
	assert_memory_equal(back, "parent", 6);
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	live_ok(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err));
}

/* As vfork(2) and posix_spawn(3) do: the same memory, so the same process. */
static int in_shared_memory(void *arg)
{
	struct live *l = arg;
	char back[6];
	struct gmem *g;

	CHILD(!gmem_read(l->g, 0, back, 6, NULL));
	CHILD(!memcmp(back, "parent", 6));
	CHILD(t_bind(l->g, 0, 0, 0, l->page, NULL, NULL) == 0);
	CHILD(!gmem_unbind(l->vm, 0, 0, 0, NULL));
	CHILD(!gmem_create(l->vm, l->page,
			   &(struct gmem_create_opts){
				   .sz = sizeof(struct gmem_create_opts),
				   .flags = LIVE_SHARED },
			   &g, NULL));
	CHILD(!gmem_close(g, NULL));
	return 0;
}

static void a_child_that_shares_memory_may_use_the_handles(void **state)
{
	struct live *l = *state;
	unsigned char *stack;
	int status;
	pid_t pid;

	start(l);
	stack = live_memory(l, 256 << 10, 0);
	pid = clone(in_shared_memory, stack + (256 << 10),
		    CLONE_VM | CLONE_VFORK | SIGCHLD, l);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int use_adopted_in_child(struct live *l)
{
	char c;

	WRONG(gmem_read(l->g, 0, &c, 1, &err));
	WRONG(gmem_close(l->g, &err));
	CHILD(l->n_calls == 0);
	return 0;
}

static void a_file_without_a_vm_knows_its_process_too(void **state)
{
	struct live *l = *state;
	struct gmem_adopt_opts opts = { .sz = sizeof(opts),
					.flags = GMEM_ADOPT_INIT_SHARED };
	char back[6];
	int fd;

	start(l);
	fd = fcntl(gmem_fd(l->g), F_DUPFD_CLOEXEC, 0);
	live_ok(l, gmem_adopt(NULL, fd, &opts, &l->g, &l->err));
	live_child(l, use_adopted_in_child);
	live_ok(l, gmem_read(l->g, 0, back, 6, &l->err));
	assert_memory_equal(back, "parent", 6);
	live_ok(l, gmem_close(l->g, &l->err));
}

/* A VM fd of another process does not work here. */
static int adopt_in_child(struct live *l)
{
	struct gmem_vm *vm = NULL;

	(void)l;
	WRONG(gmem_vm_adopt(vm_fd, NULL, &vm, &err));
	CHILD(!vm);
	return 0;
}

static void adopt_knows_another_processs_vm(void **state)
{
	struct live *l = *state;

	start(l);
	live_child(l, adopt_in_child);
}

int main(void)
{
	const struct CMUnitTest fork[] = {
		live_test(the_kernel_lets_a_child_change_the_file),
		live_test(a_forked_child_is_refused_without_a_system_call),
		live_test(mappings_do_not_go_into_a_child),
		live_test(destroy_in_a_child_leaves_the_parent_alone),
		live_test(a_child_that_shares_memory_may_use_the_handles),
		live_test(a_file_without_a_vm_knows_its_process_too),
		live_test(adopt_knows_another_processs_vm),
	};

	return t_main(fork);
}
