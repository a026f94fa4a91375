// SPDX-License-Identifier: MIT
/*
 * What a trace contains of each system call: gmem_trace(3)'s list of arguments,
 * 0 where there are fewer, the result and the time.
 */
#include <stdbool.h>

#include "call.h"
#include "ctx.h"
#include "t.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define FD 7
#define ADDR ((void *)0x70000)
#define CALL_NS 100
#define TOOK 1000

struct told {
	struct gmem_trace ev;
	unsigned int n;
	uint64_t clock;
	int result; /* of each call */
};

static uint64_t now(void *priv)
{
	struct told *t = priv;

	t->clock += CALL_NS;
	return t->clock;
}

static int answer(void *priv)
{
	struct told *t = priv;

	t->clock += TOOK;
	return t->result;
}

/* Each of the table's calls, whatever its arguments, gives one answer. */
#define ANSWERS(name, type, ...)                  \
	static type name(void *priv, __VA_ARGS__) \
	{                                         \
		return answer(priv);              \
	}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
ANSWERS(sys_open, int, const char *p, int f)
ANSWERS(sys_fd, int, int fd)
ANSWERS(sys_ioctl, int, int fd, unsigned long r, void *a)
ANSWERS(sys_fstat, int, int fd, struct gmem__stat *o)
ANSWERS(sys_fstatfs, int, int fd, uint64_t *m)
ANSWERS(sys_mmap, int, void **a, size_t l, int p, int f, int fd, uint64_t o)
ANSWERS(sys_munmap, int, void *a, size_t l)
ANSWERS(sys_madvise, int, void *a, size_t l, int v)
ANSWERS(sys_map_again, int, void *a, size_t l, void **o)
ANSWERS(sys_mbind, int, void *a, size_t l, int m, const unsigned long *n,
	unsigned long x, unsigned int f)
ANSWERS(sys_get_mempolicy, int, int *m, unsigned long *n, unsigned long x,
	void *a, unsigned long f)
ANSWERS(sys_set_mempolicy, int, int m, const unsigned long *n, unsigned long x)
ANSWERS(sys_move_pages, int, size_t n, void **p, const int *t, int *s)
ANSWERS(sys_set_home_node, int, void *a, size_t l, unsigned long n)
ANSWERS(sys_mincore, int, void *a, size_t l, unsigned char *v)
ANSWERS(sys_fallocate, int, int fd, int m, uint64_t o, uint64_t l)
ANSWERS(sys_pipe, int, int fd[2])
ANSWERS(sys_write, int64_t, int fd, const void *p, size_t l)
ANSWERS(sys_read, int64_t, int fd, void *p, size_t l)
ANSWERS(sys_pwrite, int64_t, int fd, const void *p, size_t l, uint64_t o)
ANSWERS(sys_pread, int64_t, int fd, void *p, size_t l, uint64_t o)
ANSWERS(sys_lseek, int64_t, int fd, uint64_t o, int w)
ANSWERS(sys_cachestat, int, int fd, uint64_t o, uint64_t l, uint64_t *r)
ANSWERS(sys_vm, int64_t, void *t, const void *f, size_t l)
#pragma GCC diagnostic pop

static const struct gmem_sys answering = {
	.open = sys_open,
	.close = sys_fd,
	.set_cloexec = sys_fd,
	.ioctl = sys_ioctl,
	.fstat = sys_fstat,
	.fstatfs = sys_fstatfs,
	.mmap = sys_mmap,
	.munmap = sys_munmap,
	.madvise = sys_madvise,
	.map_again = sys_map_again,
	.mbind = sys_mbind,
	.get_mempolicy = sys_get_mempolicy,
	.set_mempolicy = sys_set_mempolicy,
	.move_pages = sys_move_pages,
	.set_home_node = sys_set_home_node,
	.mincore = sys_mincore,
	.fallocate = sys_fallocate,
	.pipe = sys_pipe,
	.write = sys_write,
	.read = sys_read,
	.pwrite = sys_pwrite,
	.pread = sys_pread,
	.send = sys_write,
	.lseek = sys_lseek,
	.status_flags = sys_fd,
	.seals = sys_fd,
	.cachestat = sys_cachestat,
	.vm_read = sys_vm,
	.vm_write = sys_vm,
	.now = now,
};

static void note(void *arg, const struct gmem_trace *ev)
{
	struct told *t = arg;

	t->ev = *ev;
	t->n++;
}

/* @made, a call, is traced as @name with these arguments and its result. */
#define told(t, made, name, ...)                                    \
	do {                                                        \
		const uint64_t arg[4] = { __VA_ARGS__ };            \
                                                                    \
		(t)->n = 0;                                         \
		assert_int_equal((made), (t)->result);              \
		assert_int_equal((t)->n, 1);                        \
		assert_int_equal((t)->ev.sz, sizeof((t)->ev));      \
		assert_string_equal((t)->ev.call, (name));          \
		assert_memory_equal((t)->ev.arg, arg, sizeof(arg)); \
		assert_int_equal((t)->ev.result, (t)->result);      \
		assert_int_equal((t)->ev.ns, TOOK + CALL_NS);       \
	} while (0)

static void files(struct told *t, const struct gmem__ctx *ctx)
{
	const char *path = "/dev/kvm";
	struct gmem__stat st;
	uint64_t out;
	int fds[2];

	told(t, gmem__open(ctx, path, 2), "openat", (uintptr_t)path, 2);
	told(t, gmem__close(ctx, FD), "close", FD);
	told(t, gmem__set_cloexec(ctx, FD), "fcntl", FD);
	told(t, gmem__fstat(ctx, FD, &st), "fstat", FD);
	told(t, gmem__fstatfs(ctx, FD, &out), "fstatfs", FD);
	told(t, gmem__fallocate(ctx, FD, 3, 4096, 8192), "fallocate", FD, 3,
	     4096, 8192);
	told(t, gmem__cachestat(ctx, FD, 4096, 8192, &out), "cachestat", FD,
	     4096, 8192);
	told(t, gmem__pipe(ctx, fds), "pipe2", 0);
	told(t, gmem__write(ctx, FD, ADDR, 5), "write", FD, (uintptr_t)ADDR, 5);
	told(t, gmem__read(ctx, FD, ADDR, 5), "read", FD, (uintptr_t)ADDR, 5);
	told(t, gmem__pwrite(ctx, FD, ADDR, 5, 9), "pwrite64", FD,
	     (uintptr_t)ADDR, 5, 9);
	told(t, gmem__pread(ctx, FD, ADDR, 5, 9), "pread64", FD,
	     (uintptr_t)ADDR, 5, 9);
	told(t, gmem__send(ctx, FD, ADDR, 5), "sendto", FD, (uintptr_t)ADDR, 5);
	told(t, gmem__lseek(ctx, FD, 9, 4), "lseek", FD, 9, 4);
	told(t, gmem__status_flags(ctx, FD), "fcntl", FD);
	told(t, gmem__seals(ctx, FD), "fcntl", FD);
}

static void memory(struct told *t, const struct gmem__ctx *ctx)
{
	uint64_t at = (uintptr_t)ADDR;
	unsigned long nodes = 1;
	unsigned char vec[1];
	void *pages[] = { ADDR };
	void *addr = NULL;
	int one;

	told(t, gmem__mmap(ctx, &addr, 8192, 3, 1, FD, 4096), "mmap", FD, 4096,
	     8192, 3);
	told(t, gmem__munmap(ctx, ADDR, 8192), "munmap", at, 8192);
	told(t, gmem__madvise(ctx, ADDR, 8192, 9), "madvise", at, 8192, 9);
	told(t, gmem__map_again(ctx, ADDR, 4096, &addr), "mremap", at, 4096);
	told(t, gmem__mincore(ctx, ADDR, 4096, vec), "mincore", at, 4096);
	told(t, gmem__mbind(ctx, ADDR, 8192, 2, &nodes, 64, 1), "mbind", at,
	     8192, 2, 1);
	told(t, gmem__get_mempolicy(ctx, &one, &nodes, 64, ADDR, 2),
	     "get_mempolicy", at, 2);
	told(t, gmem__set_mempolicy(ctx, 2, &nodes, 64), "set_mempolicy", 2,
	     64);
	told(t, gmem__move_pages(ctx, 1, pages, NULL, &one), "move_pages", 1,
	     at);
	told(t, gmem__set_home_node(ctx, ADDR, 4096, 3),
	     "set_mempolicy_home_node", at, 4096, 3);
	told(t, gmem__vm_read(ctx, &one, ADDR, 4), "process_vm_readv", at, 4);
	told(t, gmem__vm_write(ctx, ADDR, &one, 4), "process_vm_writev", at, 4);
}

static void requests(struct told *t, const struct gmem__ctx *ctx)
{
	struct gmem__create c = { .size = 8192, .flags = 3 };
	struct gmem__region2 r = { .region = { .slot = 5,
					       .flags = 4,
					       .guest_phys_addr = 4096,
					       .memory_size = 8192 } };
	struct gmem__attributes a = { .address = 4096,
				      .size = 8192,
				      .attributes = 8 };
	struct gmem__attributes2 b = { .offset = 4096,
				       .size = 8192,
				       .attributes = 8 };

	told(t, gmem__ioctl(ctx, FD, GMEM__KVM_CREATE_GUEST_MEMFD, &c),
	     "KVM_CREATE_GUEST_MEMFD", FD, 8192, 3);
	told(t, gmem__ioctl(ctx, FD, GMEM__KVM_SET_USER_MEMORY_REGION, &r),
	     "KVM_SET_USER_MEMORY_REGION", FD, 5, 4096, 8192);
	told(t, gmem__ioctl(ctx, FD, GMEM__KVM_SET_USER_MEMORY_REGION2, &r),
	     "KVM_SET_USER_MEMORY_REGION2", FD, 5, 4096, 8192);
	told(t, gmem__ioctl(ctx, FD, GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a),
	     "KVM_SET_MEMORY_ATTRIBUTES", FD, 4096, 8192, 8);
	told(t, gmem__ioctl(ctx, FD, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &b),
	     "KVM_SET_MEMORY_ATTRIBUTES2", FD, 4096, 8192, 8);
	told(t, gmem__ioctl(ctx, FD, GMEM__KVM_CHECK_EXTENSION, ADDR),
	     "KVM_CHECK_EXTENSION", FD, (uintptr_t)ADDR);
}

static void each_call_is_told_with_its_arguments(void **state)
{
	static const int results[] = { 0, 3, -EPERM };
	struct told t = { .n = 0 };
	const struct gmem__ctx ctx = {
		.sys = &answering, .priv = &t, .trace = note, .trace_arg = &t
	};

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(results); i++) {
		t.result = results[i];
		files(&t, &ctx);
		memory(&t, &ctx);
		requests(&t, &ctx);
	}
}

/* Not even the clock is read. */
static void without_a_callback_nothing_is_told(void **state)
{
	struct told t = { .result = 3 };
	const struct gmem__ctx ctx = { .sys = &answering, .priv = &t };

	(void)state;
	assert_int_equal(gmem__close(&ctx, FD), 3);
	assert_int_equal(gmem__ioctl(&ctx, FD, GMEM__KVM_CHECK_EXTENSION, NULL),
			 3);
	assert_int_equal(t.clock, 2 * TOOK);
	assert_int_equal(t.n, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_is_told_with_its_arguments),
		cmocka_unit_test(without_a_callback_nothing_is_told),
	};

	return t_main(tests);
}
