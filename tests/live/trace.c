// SPDX-License-Identifier: MIT
/* Which system calls the library makes, by the trace and by seccomp. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live.h"

static void start(struct live *l)
{
	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
}

static void called(const struct live *l, unsigned int index, const char *name,
		   int64_t result)
{
	assert_true(index < l->n_calls);
	assert_string_equal(l->calls[index].name, name);
	assert_int_equal(l->calls[index].result, result);
}

static void create_is_two_calls(void **state)
{
	struct live *l = *state;

	start(l);
	live_file(l, 4, LIVE_SHARED);
	assert_int_equal(l->n_calls, 2);
	called(l, 0, "KVM_CREATE_GUEST_MEMFD", gmem_fd(l->g));
	assert_int_equal(l->calls[0].arg[0], gmem_vm_fd(l->vm));
	assert_int_equal(l->calls[0].arg[1], 4 * l->page);
	assert_int_equal(l->calls[0].arg[2], LIVE_SHARED);
	called(l, 1, "fcntl", 0);
}

static void bind_is_one_call_once_the_file_is_mapped(void **state)
{
	struct live *l = *state;

	start(l);
	live_file(l, 4, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err));
	l->n_calls = 0;
	live_ok(l, t_bind(l->g, 1, l->page, l->page, l->page, NULL, &l->err));
	assert_int_equal(l->n_calls, 1);
	called(l, 0, "KVM_SET_USER_MEMORY_REGION2", 0);
	assert_int_equal(l->calls[0].arg[1], 1);
	assert_int_equal(l->calls[0].arg[2], l->page);
	assert_int_equal(l->calls[0].arg[3], l->page);
}

static void unbind_is_one_call(void **state)
{
	struct live *l = *state;

	start(l);
	live_file(l, 4, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err));
	l->n_calls = 0;
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	assert_int_equal(l->n_calls, 1);
	called(l, 0, "KVM_SET_USER_MEMORY_REGION", 0);
	assert_int_equal(l->calls[0].arg[3], 0);
}

static void copies_are_one_call_once_the_file_is_bound(void **state)
{
	struct live *l = *state;
	char c = 0;

	live_need("process-vm");
	start(l);
	live_file(l, 4, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err));
	l->n_calls = 0;
	live_ok(l, gmem_read(l->g, 0, &c, 1, &l->err));
	live_ok(l, gmem_write(l->g, 0, &c, 1, &l->err));
	assert_int_equal(l->n_calls, 2);
	called(l, 0, "process_vm_readv", 1);
	called(l, 1, "process_vm_writev", 1);
}

static void getters_make_no_call(void **state)
{
	struct live *l = *state;
	struct gmem_feature_info info = { .sz = sizeof(info) };
	struct gmem_slot s = { .sz = sizeof(s) };
	uint64_t attributes, run;

	start(l);
	live_file(l, 4, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err));
	l->n_calls = 0;
	for (uint32_t f = 0; gmem_vm_feature(l->vm, f, &info, NULL) >= 0; f++)
		;
	live_ok(l, gmem_slot_get(l->vm, 0, 0, &s, &l->err));
	live_ok(l, gmem_get_attributes(l->g, 0, l->page, &attributes, &run,
				       &l->err));
	assert_int_equal(gmem_size(l->g), 4 * l->page);
	assert_int_equal(l->n_calls, 0);
}

static void a_failed_call_is_told_with_its_errno(void **state)
{
	struct live *l = *state;
	struct gmem_create_opts opts = { .sz = sizeof(opts),
					 .flags = LIVE_SHARED };
	struct rlimit old, none;
	int r;

	start(l);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = gmem_create(l->vm, l->page, &opts, &l->g, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	t_code(r, -EMFILE);
	called(l, 0, "KVM_CREATE_GUEST_MEMFD", -EMFILE);
}

struct reentry {
	struct gmem_vm *vm;
	struct gmem *g;
	unsigned int calls, failures;
};

static void use_getters(void *arg, const struct gmem_trace *event)
{
	struct reentry *re = arg;
	struct gmem_slot s = { .sz = sizeof(s) };
	uint64_t attributes;

	re->calls++;
	re->failures += event->sz < offsetof(struct gmem_trace, ns);
	if (!re->g)
		return;
	re->failures += !gmem_vm_has(re->vm, 0);
	re->failures += gmem_get_attributes(re->g, 0, gmem_page_size(re->g),
					    &attributes, NULL, NULL) != 0;
	/* it is being bound or unbound: not there yet, or no longer */
	re->failures += gmem_slot_get(re->vm, 0, 0, &s, NULL) != -EINVAL;
}

static void a_callback_may_use_getters(void **state)
{
	struct live *l = *state;
	struct reentry re = { 0 };
	struct gmem_vm_opts opts = { .sz = sizeof(opts),
				     .trace = use_getters,
				     .trace_arg = &re };

	start(l);
	live_ok(l, gmem_vm_open(&opts, &l->vm, &l->err));
	l->vms[l->n_vms++] = re.vm = l->vm;
	re.g = live_file(l, 4, LIVE_SHARED);
	re.calls = 0;
	live_ok(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err));
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	assert_true(re.calls >= 2);
	assert_int_equal(re.failures, 0);
	re.g = NULL;
	live_ok(l, gmem_vm_destroy(l->vm, &l->err));
	live_forget_vm(l, l->vm);
}

/* --------------------------------------------------------- seccomp -- */

static const struct {
	const char *name;
	int nr;
} numbers[] = {
	{ "openat", SYS_openat },
	{ "ioctl", SYS_ioctl },
	{ "fcntl", SYS_fcntl },
	{ "fstat", SYS_fstat },
	{ "newfstatat", SYS_newfstatat },
	{ "fstatfs", SYS_fstatfs },
	{ "mmap", SYS_mmap },
	{ "munmap", SYS_munmap },
	{ "madvise", SYS_madvise },
	{ "mbind", SYS_mbind },
	{ "get_mempolicy", SYS_get_mempolicy },
	{ "process_vm_readv", SYS_process_vm_readv },
	{ "process_vm_writev", SYS_process_vm_writev },
	{ "getpid", SYS_getpid },
	{ "pipe2", SYS_pipe2 },
	{ "read", SYS_read },
	{ "write", SYS_write },
	{ "close", SYS_close },
	{ "futex", SYS_futex },
	{ "clock_nanosleep", SYS_clock_nanosleep },
	{ "clock_gettime", SYS_clock_gettime },
	{ "cachestat", 451 },
};

/* -1 for a call that none of the calls below needs. */
static int number_of(const char *name)
{
	for (size_t i = 0; i < T_ARRAY_SIZE(numbers); i++)
		if (!strcmp(numbers[i].name, name))
			return numbers[i].nr;
	return -1;
}

#define LOAD(member)                       \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
		 offsetof(struct seccomp_data, member))
#define SKIP_UNLESS(value, skip) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, skip)
#define ALLOW_IF(value) \
	SKIP_UNLESS(value, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* Allows what gmem_syscall_info() lists, and to exit; kills for the rest. */
static void make_filter(struct sock_filter *f, size_t room, size_t *n)
{
	struct gmem_syscall s = { .sz = sizeof(s) };
	/* the address sanitizer needs this to exit */
	const struct sock_filter leave[] = {
		LOAD(nr),
		ALLOW_IF(SYS_exit_group),
		ALLOW_IF(SYS_write),
		ALLOW_IF(SYS_sigaltstack),
	};
	const struct sock_filter kill[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};

	memcpy(f, leave, sizeof(leave));
	*n = T_ARRAY_SIZE(leave);
	for (uint32_t i = 0; !gmem_syscall_info(i, &s, NULL); i++) {
		int nr = number_of(s.name);
		const struct sock_filter plain[] = {
			LOAD(nr),
			ALLOW_IF(nr),
		};
		const struct sock_filter request[] = {
			LOAD(nr),
			SKIP_UNLESS(nr, 3),
			LOAD(args[1]),
			ALLOW_IF(s.number),
		};

		assert_true(*n + T_ARRAY_SIZE(request) < room);
		if (nr >= 0 && !s.request) {
			memcpy(f + *n, plain, sizeof(plain));
			*n += T_ARRAY_SIZE(plain);
		} else if (nr >= 0) {
			memcpy(f + *n, request, sizeof(request));
			*n += T_ARRAY_SIZE(request);
		}
	}
	memcpy(f + *n, kill, sizeof(kill));
	++*n;
}

/* Every call once, from opening to destroying. */
static int use_everything(struct live *l)
{
	struct gmem_create_opts shared = { .sz = sizeof(shared),
					   .flags = LIVE_SHARED };
	struct gmem_slot hva = { .sz = sizeof(hva), .flags = GMEM_SLOT_HVA };
	struct gmem_vm *vm;
	struct gmem *g, *h;
	char c = 1;
	void *p;

	CHILD(!gmem_vm_open(NULL, &vm, NULL));
	CHILD(!gmem_create(vm, 4 * l->page, &shared, &g, NULL));
	CHILD(t_bind(g, 0, 0, 0, l->page, NULL, NULL) == 0);
	CHILD(t_bind(g, 1, l->page, l->page, l->page, &hva, NULL) == 0);
	CHILD(t_bind(g, 2, 0, 0, l->page, NULL, NULL) == -EEXIST);
	CHILD(!t_share(g, 0, l->page, NULL));
	CHILD(!gmem_write(g, 0, &c, 1, NULL));
	CHILD(!gmem_read(g, 0, &c, 1, NULL));
	CHILD(!gmem_mmap(g, 0, l->page, NULL, &p, NULL));
	CHILD(!gmem_munmap(g, p, NULL));
	CHILD(!gmem_unbind(vm, 0, 0, 0, NULL));
	CHILD(!gmem_adopt(NULL, l->fds[0], NULL, &h, NULL));
	CHILD(!gmem_close(h, NULL));
	CHILD(!gmem_vm_destroy(vm, NULL));
	return 0;
}

static int use_everything_filtered(struct live *l)
{
	struct sock_filter f[256];
	struct sock_fprog prog = { .filter = f };
	size_t n;

	make_filter(f, T_ARRAY_SIZE(f), &n);
	prog.len = n;
	/* libc then needs no more memory from the kernel */
	free(malloc(100000));
	CHILD(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHILD(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
	return use_everything(l);
}

static void calls_stay_within_the_list_for_filters(void **state)
{
	struct live *l = *state;
	volatile int *done;
	int status;
	pid_t pid;

	live_need("seccomp");
	start(l);
	done = live_keep_map(l,
			     mmap(NULL, l->page, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0),
			     l->page);
	live_keep_fd(l, raw_create(gmem_vm_fd(l->vm), l->page, LIVE_SHARED));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		*done = !use_everything_filtered(l);
		/* not on the list: shows that the filter works */
		syscall(SYS_getppid);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(*done);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
	const struct CMUnitTest trace[] = {
		live_test(create_is_two_calls),
		live_test(bind_is_one_call_once_the_file_is_mapped),
		live_test(unbind_is_one_call),
		live_test(copies_are_one_call_once_the_file_is_bound),
		live_test(getters_make_no_call),
		live_test(a_failed_call_is_told_with_its_errno),
		live_test(a_callback_may_use_getters),
		live_test(calls_stay_within_the_list_for_filters),
	};

	return t_main(trace);
}
