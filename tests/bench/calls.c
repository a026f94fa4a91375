// SPDX-License-Identifier: MIT
/*
 * Calls of the library compared with the raw system calls that a careful
 * program would make, on a real KVM.  Both sides take turns within a round; the
 * ratio is the median of the ratios of the rounds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmem.h>

#include "bench.h"
#include "uapi.h"

#define SIZE (2ULL << 20)
#define ROUNDS 201
#define FLAGS (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

struct bench {
	struct gmem_vm *vm;
	struct gmem *g;	     /* bound and unbound, again and again */
	int vm_fd, fd;	     /* the same by hand */
	void *addr;	     /* a mapping of fd */
	unsigned int traced; /* system calls of the library */
	unsigned int raw;    /* and of this program */
};

static volatile uint64_t sink;

static void die(const char *what, const struct gmem_error *err)
{
	char text[512];

	if (err)
		(void)gmem_strerror(err, text, sizeof(text));
	fprintf(stderr, "bench: %s: %s\n", what, err ? text : "failed");
	exit(1);
}

static void check(int r, const char *what, const struct gmem_error *err)
{
	if (r < 0)
		die(what, err);
}

static void count(void *arg, const struct gmem_trace *event)
{
	(void)event;
	++*(unsigned int *)arg;
}

/* ---------------------------------------------------------------- pairs -- */

static void typed_create(struct bench *b)
{
	const struct gmem_create_opts opts = { .sz = sizeof(opts),
					       .flags = FLAGS };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem *g;

	check(gmem_create(b->vm, SIZE, &opts, &g, &err), "gmem_create", &err);
	check(gmem_close(g, &err), "gmem_close", &err);
}

static int raw_file(struct bench *b)
{
	struct gmem__create args = {
		.size = SIZE,
		.flags = GMEM__FLAG_MMAP | GMEM__FLAG_INIT_SHARED,
	};
	int fd = ioctl(b->vm_fd, GMEM__KVM_CREATE_GUEST_MEMFD, &args);

	check(fd, "KVM_CREATE_GUEST_MEMFD", NULL);
	check(fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl", NULL);
	b->raw += 2;
	return fd;
}

static void raw_create(struct bench *b)
{
	check(close(raw_file(b)), "close", NULL);
	b->raw++;
}

static void typed_bind(struct bench *b)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_slot s = {
		.sz = sizeof(s),
		.slot = 1,
		.len = SIZE,
		.gmem = b->g,
	};

	check(gmem_bind(&s, &err), "gmem_bind", &err);
	check(gmem_unbind(b->vm, 1, 0, 0, &err), "gmem_unbind", &err);
}

static void raw_bind(struct bench *b)
{
	struct gmem__region2 args = {
		.region = {
			.slot = 1,
			.flags = GMEM__MEM_GUEST_MEMFD,
			.memory_size = SIZE,
			.userspace_addr = (uintptr_t)b->addr,
		},
		.guest_memfd = (uint32_t)b->fd,
	};

	check(ioctl(b->vm_fd, GMEM__KVM_SET_USER_MEMORY_REGION2, &args),
	      "KVM_SET_USER_MEMORY_REGION2", NULL);
	args.region.memory_size = 0;
	check(ioctl(b->vm_fd, GMEM__KVM_SET_USER_MEMORY_REGION2, &args),
	      "KVM_SET_USER_MEMORY_REGION2", NULL);
	b->raw += 2;
}

static void typed_get(struct bench *b)
{
	uint64_t attributes, run;

	check(gmem_get_attributes(b->g, 4096, SIZE - 4096, &attributes, &run,
				  NULL),
	      "gmem_get_attributes", NULL);
	sink = attributes + run;
}

/* -------------------------------------------------------------- measures -- */

static double per_call(struct bench *b, void (*call)(struct bench *b),
		       unsigned int n)
{
	double t = bench_now();

	for (unsigned int i = 0; i < n; i++)
		call(b);
	return (bench_now() - t) / n;
}

/* System calls of the library in one @call, by its own trace. */
static unsigned int traced(struct bench *b, void (*call)(struct bench *b))
{
	b->traced = 0;
	call(b);
	return b->traced;
}

static void compare(const char *name, struct bench *quiet,
		    struct bench *tracing, void (*typed)(struct bench *b),
		    void (*raw)(struct bench *b))
{
	static double t[ROUNDS], r[ROUNDS], ratio[ROUNDS];
	unsigned int calls = traced(tracing, typed), raw_calls;

	quiet->raw = 0;
	raw(quiet);
	raw_calls = quiet->raw;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (i % 2) {
			t[i] = per_call(quiet, typed, 50);
			r[i] = per_call(quiet, raw, 50);
		} else {
			r[i] = per_call(quiet, raw, 50);
			t[i] = per_call(quiet, typed, 50);
		}
		ratio[i] = t[i] / r[i];
	}
	printf("%-20s %9.0f %9.0f", name, bench_median(t, ROUNDS),
	       bench_median(r, ROUNDS));
	ratio[0] = bench_median(ratio, ROUNDS);
	printf(" %6.2f <= 1.05 %-6s %7u %4u = %s\n", ratio[0],
	       bench_at_most(ratio[0], 1.05), calls, raw_calls,
	       bench_at_most(calls > raw_calls ? calls - raw_calls
					       : raw_calls - calls,
			     0));
}

static void lookup(struct bench *quiet, struct bench *tracing)
{
	static double t[ROUNDS];

	for (unsigned int i = 0; i < ROUNDS; i++)
		t[i] = per_call(quiet, typed_get, 10000);
	(void)traced(tracing, typed_get);
	printf("%-20s %9.1f %9s %22s %7u %4u = %s\n", "get_attributes",
	       bench_median(t, ROUNDS), "", "", tracing->traced, 0,
	       bench_at_most(tracing->traced, 0));
}

static void set_up(struct bench *b, bool trace)
{
	const struct gmem_vm_opts opts = {
		.sz = sizeof(opts),
		.trace = trace ? count : NULL,
		.trace_arg = &b->traced,
	};
	const struct gmem_create_opts create = { .sz = sizeof(create),
						 .flags = FLAGS };
	struct gmem_error err = { .sz = sizeof(err) };

	check(gmem_vm_open(&opts, &b->vm, &err), "gmem_vm_open", &err);
	b->vm_fd = gmem_vm_fd(b->vm);
	check(gmem_create(b->vm, SIZE, &create, &b->g, &err), "gmem_create",
	      &err);
	b->fd = raw_file(b);
	b->addr =
		mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	if (b->addr == MAP_FAILED)
		die("mmap", NULL);
	/* The library maps the file when it is first bound. */
	typed_bind(b);
}

static void tear_down(struct bench *b)
{
	(void)munmap(b->addr, SIZE);
	(void)close(b->fd);
	(void)gmem_vm_destroy(b->vm, NULL);
}

int main(void)
{
	struct bench quiet = { 0 }, tracing = { 0 };

	set_up(&quiet, false);
	set_up(&tracing, true);
	printf("typed calls against raw system calls; ns: medians of %d "
	       "rounds\n\n%-20s %9s %9s %6s %-14s %s\n",
	       ROUNDS, "", "typed", "raw", "ratio", "", "system calls");
	compare("create, close", &quiet, &tracing, typed_create, raw_create);
	compare("bind, unbind", &quiet, &tracing, typed_bind, raw_bind);
	lookup(&quiet, &tracing);
	tear_down(&quiet);
	tear_down(&tracing);
	bench_end();
	return 0;
}
