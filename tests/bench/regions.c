// SPDX-License-Identifier: MIT
/*
 * Regions compared with a converter as VMMs have it by hand, which knows no
 * state: each request of the guest is one ioctl and, where that frees memory,
 * one discard.  The ways take turns within a round, in which all requests make
 * memory shared and then private again; before each half the guest's pages are
 * allocated on the side that it has, untimed.
 *
 *	bench_regions [PROFILE]
 *
 * PROFILE: on the model of a kernel, whose calls cost no more than those of any
 * program; without one, on this machine's KVM.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gmem_model.h>
#include <gmem_region.h>

#include "bench.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define SIZE (32 * MIB)
#define ROUNDS 31
#define REQUESTS 512

enum way {
	HAND,
	NOW,   /* a call of the library a request */
	DEFER, /* the same, and all memory freed at the end */
	ONE,   /* one call for all requests */
	WAYS,
};

static const char *const way_names[WAYS] = { "by hand", "region, now",
					     "region, defer",
					     "region, one call" };

struct workload {
	const char *name;
	struct gmem_region_range requests[REQUESTS];
	size_t n;
};

/* A VM with memory of SIZE bytes, in a slot from guest address 0 on. */
struct subject {
	struct gmem_vm *vm;
	struct gmem_region *r; /* NULL: by hand */
	struct gmem *g;
	unsigned char *shared; /* the memory beside it; NULL: in place */
	unsigned int calls;    /* to the kernel, for conversions */
};

static const char *profile;

static void check(int r, const char *what, const struct gmem_error *err)
{
	if (r >= 0)
		return;
	if (err)
		gmem_print_error(stderr, what, err);
	else
		fprintf(stderr, "bench: %s failed\n", what);
	exit(1);
}

/* --------------------------------------------------------------- set-up -- */

static void count(void *arg, const struct gmem_trace *event)
{
	(void)event;
	++*(unsigned int *)arg;
}

/* Ends the program with 77 where there is no such VM. */
static void open_vm(struct subject *s, bool trace)
{
	struct gmem_error err = { .sz = sizeof(err) };
	const struct gmem_vm_opts opts = {
		.sz = sizeof(opts),
		.type = GMEM_VM_SW_PROTECTED,
		.trace = trace ? count : NULL,
		.trace_arg = &s->calls,
	};
	const struct gmem_model_opts model = { .sz = sizeof(model),
					       .vm = &opts };
	int r = profile ? gmem_model_vm_open(profile, &model, &s->vm, &err)
			: gmem_vm_open(&opts, &s->vm, &err);

	if (r >= 0)
		return;
	gmem_print_error(stderr, "bench: no VM with private memory", &err);
	exit(77);
}

static void make_region(struct subject *s, bool trace)
{
	struct gmem_region_info i = { .sz = sizeof(i) };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_slot slot = { .sz = sizeof(slot), .len = SIZE };

	open_vm(s, trace);
	check(gmem_region_create(s->vm, SIZE, NULL, &s->r, &err), "region",
	      &err);
	check(gmem_region_bind(s->r, &slot, &err), "bind", &err);
	check(gmem_region_get(s->r, &i, &err), "get", &err);
	s->g = i.gmem;
	s->shared = i.shared;
}

/* The same file and slot, without a region. */
static void make_by_hand(struct subject *s, bool in_place)
{
	const struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = in_place ? GMEM_CREATE_MMAP : 0,
	};
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_slot slot = { .sz = sizeof(slot), .len = SIZE };

	open_vm(s, false);
	check(gmem_create(s->vm, SIZE, &opts, &s->g, &err), "create", &err);
	slot.gmem = s->g;
	if (!in_place) {
		s->shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				 -1, 0);
		if (s->shared == MAP_FAILED)
			check(-1, "mmap", NULL);
		slot.flags = GMEM_SLOT_FD | GMEM_SLOT_USERSPACE_ADDR;
		slot.userspace_addr = (uintptr_t)s->shared;
	}
	check(gmem_bind(&slot, &err), "bind", &err);
}

/* ----------------------------------------------------------- conversion -- */

static int64_t raw(struct subject *s, long number, uint64_t a, uint64_t b,
		   uint64_t c, uint64_t d)
{
	const uint64_t arg[6] = { a, b, c, d };

	s->calls++;
	if (profile)
		return gmem_model_syscall(s->vm, number, arg, NULL);
	return syscall(number, a, b, c, d);
}

static void by_hand(struct subject *s, const struct gmem_region_range *at,
		    bool private)
{
	struct gmem__attributes by_gpa = {
		.address = at->offset,
		.size = at->len,
		.attributes = private ? GMEM__ATTRIBUTE_PRIVATE : 0,
	};
	struct gmem__attributes2 by_offset = {
		.offset = at->offset,
		.size = at->len,
		.attributes = by_gpa.attributes,
	};
	int64_t r;

	if (!s->shared) {
		r = raw(s, SYS_ioctl, (uint64_t)gmem_fd(s->g),
			GMEM__KVM_SET_MEMORY_ATTRIBUTES2, (uintptr_t)&by_offset,
			0);
		check((int)r, "KVM_SET_MEMORY_ATTRIBUTES2", NULL);
		return;
	}
	r = raw(s, SYS_ioctl, (uint64_t)gmem_vm_fd(s->vm),
		GMEM__KVM_SET_MEMORY_ATTRIBUTES, (uintptr_t)&by_gpa, 0);
	check((int)r, "KVM_SET_MEMORY_ATTRIBUTES", NULL);
	if (private)
		r = raw(s, SYS_madvise, (uintptr_t)s->shared + at->offset,
			at->len, MADV_DONTNEED, 0);
	else
		r = raw(s, SYS_fallocate, (uint64_t)gmem_fd(s->g),
			FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at->offset,
			at->len);
	check((int)r, "freeing the other side", NULL);
}

static void by_region(struct subject *s, enum way way, const struct workload *w,
		      bool private)
{
	const struct gmem_convert_opts opts = {
		.sz = sizeof(opts),
		.flags = way == DEFER ? GMEM_CONVERT_DEFER : 0,
	};
	uint64_t to = private ? GMEM_ATTRIBUTE_PRIVATE : GMEM_ATTRIBUTE_SHARED;
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_region_range ranges[REQUESTS];
	size_t each = way == ONE ? w->n : 1;

	for (size_t i = 0; i < w->n; i++)
		ranges[i] = w->requests[i];
	for (size_t i = 0; i < w->n; i += each)
		check(gmem_region_convert(s->r, ranges + i, each, to, &opts,
					  NULL, &err),
		      "convert", &err);
	if (way == DEFER)
		check(gmem_region_reclaim(s->r, 0, SIZE, NULL, NULL, &err),
		      "reclaim", &err);
}

static void convert(struct subject *s, enum way way, const struct workload *w,
		    bool private)
{
	if (way != HAND) {
		by_region(s, way, w, private);
		return;
	}
	for (size_t i = 0; i < w->n; i++)
		by_hand(s, &w->requests[i], private);
}

/* What the guest would have touched, without mapping it for the host. */
static void touch(struct subject *s, const struct workload *w, bool private)
{
	const struct gmem_region_range *at;
	unsigned int calls = s->calls;

	for (size_t i = 0; i < w->n; i++) {
		at = &w->requests[i];
		if (private || !s->shared)
			check((int)raw(
				      s, SYS_fallocate, (uint64_t)gmem_fd(s->g),
				      FALLOC_FL_KEEP_SIZE, at->offset, at->len),
			      "fallocate", NULL);
		else
			for (uint64_t p = 0; p < at->len; p += 4 * KIB)
				s->shared[at->offset + p] = 1;
	}
	s->calls = calls;
}

/* Nanoseconds that the conversions of one round take. */
static double one_round(struct subject *s, enum way way,
			const struct workload *w)
{
	double t, sum;

	touch(s, w, true);
	s->calls = 0;
	t = bench_now();
	convert(s, way, w, false);
	sum = bench_now() - t;
	touch(s, w, false);
	t = bench_now();
	convert(s, way, w, true);
	return sum + bench_now() - t;
}

/* ------------------------------------------------------------- measures -- */

static void add(struct workload *w, uint64_t offset, uint64_t len)
{
	w->requests[w->n++] = (struct gmem_region_range){ offset, len };
}

static void make_workloads(struct workload w[3])
{
	static const uint64_t sizes[] = { 4 * KIB, 4 * KIB, 64 * KIB, 2 * MIB };
	uint64_t random = 1;

	w[0].name = "512 x 4 KiB";
	for (uint64_t i = 0; i < REQUESTS; i++)
		add(&w[0], i * 4 * KIB, 4 * KIB);
	w[1].name = "16 x 2 MiB";
	for (uint64_t at = 0; at < SIZE; at += 2 * MIB)
		add(&w[1], at, 2 * MIB);
	/* Some overlap, as a guest asks again for what it has. */
	w[2].name = "64 mixed";
	for (unsigned int i = 0; i < 64; i++) {
		uint64_t len = sizes[i % 4];

		random = random * 6364136223846793005ULL + 1442695040888963407;
		add(&w[2], (random >> 33) % (SIZE / len) * len, len);
	}
}

static void report(const struct workload *w, struct subject subjects[WAYS],
		   struct subject traced[WAYS])
{
	static double t[WAYS][ROUNDS], ratio[WAYS][ROUNDS];
	unsigned int calls[WAYS];

	for (int i = 0; i < WAYS; i++) {
		(void)one_round(i == HAND ? &subjects[i] : &traced[i],
				(enum way)i, w);
		calls[i] = i == HAND ? subjects[i].calls : traced[i].calls;
	}
	for (int i = 0; i < ROUNDS; i++) {
		for (int j = 0; j < WAYS; j++) {
			int way = (i + j) % WAYS;

			t[way][i] = one_round(&subjects[way], (enum way)way, w);
		}
		for (int way = 0; way < WAYS; way++)
			ratio[way][i] = t[way][i] / t[HAND][i];
	}
	for (int i = 0; i < WAYS; i++)
		printf("%-12s %-17s %8u %10.1f %7.2f  calls <= by hand %s\n",
		       w->name, way_names[i], calls[i],
		       bench_median(t[i], ROUNDS) / 1000,
		       bench_median(ratio[i], ROUNDS),
		       bench_at_most(calls[i], calls[HAND]));
}

int main(int argc, char **argv)
{
	struct subject subjects[WAYS] = { 0 }, traced[WAYS] = { 0 };
	static struct workload w[3];

	profile = argc > 1 ? argv[1] : NULL;
	make_workloads(w);
	for (int i = WAYS - 1; i > HAND; i--) {
		make_region(&subjects[i], false);
		make_region(&traced[i], true);
	}
	make_by_hand(&subjects[HAND], !subjects[NOW].shared);
	printf("conversions of a region against one ioctl%s a request, %s%s, "
	       "%s;\nto shared and back: medians of %d rounds\n\n"
	       "%-12s %-17s %8s %10s %7s\n",
	       subjects[NOW].shared ? " and one discard" : "",
	       profile ? "model " : "this kernel", profile ? profile : "",
	       subjects[NOW].shared ? "dual" : "in place", ROUNDS, "requests",
	       "", "calls", "us", "ratio");
	for (size_t i = 0; i < 3; i++)
		report(&w[i], subjects, traced);
	for (int i = 0; i < WAYS; i++) {
		(void)gmem_vm_destroy(subjects[i].vm, NULL);
		(void)gmem_vm_destroy(traced[i].vm, NULL);
	}
	bench_end();
	return 0;
}
