// SPDX-License-Identifier: MIT
/*
 * Ways to populate, count and free guest memory, compared on a real KVM.  They
 * take turns within a round.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <gmem.h>

#include "bench.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define MiB (1ULL << 20)
#define SIZE (256 * MiB)
#define ROUNDS 9
#define FLAGS (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

static struct gmem_vm *vm;
static struct gmem_error err = { .sz = sizeof(err) };

static void die(const char *what)
{
	char text[512];

	(void)gmem_strerror(&err, text, sizeof(text));
	fprintf(stderr, "bench: %s: %s\n", what, text);
	exit(1);
}

/* A file of its own for each measurement, mapped and empty. */
static struct gmem *fresh(uint64_t size, char **map)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = FLAGS };
	struct gmem *g;
	void *p;

	if (gmem_create(vm, size, &o, &g, &err) < 0 ||
	    gmem_mmap(g, 0, size, NULL, &p, &err) < 0)
		die("a file");
	*map = p;
	return g;
}

static void drop(struct gmem *g, char *map)
{
	if (gmem_munmap(g, map, &err) < 0 || gmem_close(g, &err) < 0)
		die("closing");
}

static int allocate(struct gmem *g)
{
	return fallocate(gmem_fd(g), FALLOC_FL_KEEP_SIZE, 0, (off_t)SIZE);
}

static int by_library(struct gmem *g, char *map)
{
	(void)map;
	return gmem_populate(g, 0, SIZE, NULL, &err);
}

static int by_touch(struct gmem *g, char *map)
{
	for (uint64_t i = 0; i < SIZE; i += gmem_page_size(g))
		*(volatile char *)(map + i) = 0;
	return 0;
}

static int by_populate(struct gmem *g, char *map)
{
	(void)g;
	return madvise(map, SIZE, MADV_POPULATE_WRITE);
}

static int by_both(struct gmem *g, char *map)
{
	return allocate(g) || madvise(map, SIZE, MADV_POPULATE_WRITE);
}

static const struct {
	const char *name;
	int (*run)(struct gmem *g, char *map);
} ways[] = {
	{ "gmem_populate", by_library },
	{ "touch each page", by_touch },
	{ "MADV_POPULATE_WRITE", by_populate },
	{ "fallocate, POPULATE_WRITE", by_both },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* The file is bound, as a VMM's is, so the library has a mapping too. */
static void populate(void)
{
	double ms[WAYS][ROUNDS], best = 0, own = 0;
	struct gmem *g;
	char *map;

	for (size_t i = 0; i < ROUNDS; i++)
		for (size_t n = 0; n < WAYS; n++) {
			size_t w = (n + i) % WAYS;
			struct gmem_slot s = {
				.sz = sizeof(s),
				.len = SIZE,
			};
			double t;

			s.gmem = g = fresh(SIZE, &map);
			if (gmem_bind(&s, &err) < 0)
				die("a slot");
			t = bench_now();
			if (ways[w].run(g, map) < 0)
				die(ways[w].name);
			ms[w][i] = (bench_now() - t) / 1e6;
			if (gmem_unbind(vm, 0, 0, 0, &err) < 0)
				die("the slot");
			drop(g, map);
		}
	printf("populate 256 MiB, shared\n");
	for (size_t w = 0; w < WAYS; w++) {
		double m = bench_median(ms[w], ROUNDS);

		printf("  %-28s %8.1f ms\n", ways[w].name, m);
		if (w == 0)
			own = m;
		else if (best == 0 || m < best)
			best = m;
	}
	printf("  to the best of the others    %8.2f    (<= 1.05: %s)\n",
	       own / best, bench_at_most(own / best, 1.05));
}

static void count(void *arg, const struct gmem_trace *event)
{
	(void)event;
	++*(unsigned int *)arg;
}

static unsigned int traced;

/* Time and calls to count 1 TiB with this much of it allocated. */
static void residency(uint64_t resident, const char *what)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = FLAGS };
	struct gmem_residency r = { .sz = sizeof(r) };
	double ms[ROUNDS], t;
	unsigned int calls = 0;
	struct gmem *g;

	if (gmem_create(vm, 1ULL << 40, &o, &g, &err) < 0 ||
	    (resident && gmem_populate(g, 0, resident, NULL, &err) < 0))
		die("a file of 1 TiB");
	for (size_t i = 0; i < ROUNDS; i++) {
		traced = 0;
		t = bench_now();
		if (gmem_resident(g, 0, 1ULL << 40, &r, &err) < 0)
			die("gmem_resident");
		ms[i] = (bench_now() - t) / 1e6;
		calls = traced;
	}
	printf("  %-28s %8.3f ms %6u calls\n", what, bench_median(ms, ROUNDS),
	       calls);
	if (gmem_close(g, &err) < 0)
		die("closing");
}

/* Freeing the same memory in pieces of @piece bytes. */
static void punch(uint64_t piece, const char *what)
{
	double ms[ROUNDS], t;
	struct gmem *g;
	char *map;

	for (size_t i = 0; i < ROUNDS; i++) {
		g = fresh(SIZE, &map);
		if (gmem_populate(g, 0, SIZE, NULL, &err) < 0)
			die("gmem_populate");
		t = bench_now();
		for (uint64_t at = 0; at < SIZE; at += piece)
			if (gmem_discard(g, at, piece, NULL, &err) < 0)
				die("gmem_discard");
		ms[i] = (bench_now() - t) / 1e6;
		drop(g, map);
	}
	printf("  %-28s %8.1f ms %6llu calls\n", what, bench_median(ms, ROUNDS),
	       (unsigned long long)(SIZE / piece));
}

/* Every other page of 64 MiB is allocated, as a balloon leaves memory. */
static void look(void)
{
	struct gmem_placement where = { .sz = sizeof(where) };
	double ms[ROUNDS], t;
	struct gmem *g;
	char *map;

	g = fresh(SIZE, &map);
	for (uint64_t at = 0; at < 64 * MiB; at += 2 * gmem_page_size(g))
		if (gmem_populate(g, at, gmem_page_size(g), NULL, &err) < 0)
			die("gmem_populate");
	for (size_t i = 0; i < ROUNDS; i++) {
		traced = 0;
		t = bench_now();
		if (t_placed(g, 0, SIZE, NULL, &where, &err) < 0)
			die("gmem_verify_placement");
		ms[i] = (bench_now() - t) / 1e6;
	}
	printf("  %-28s %8.1f ms %6u calls, %.1f a page\n", "verify",
	       bench_median(ms, ROUNDS), traced,
	       traced * (double)gmem_page_size(g) / (double)where.resident);
	drop(g, map);
}

/* Nothing is allocated. */
static void punch_sparse(uint64_t size, const char *what)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = FLAGS };
	double us[ROUNDS], t;
	struct gmem *g;

	if (gmem_create(vm, size, &o, &g, &err) < 0)
		die("a sparse file");
	for (size_t i = 0; i < ROUNDS; i++) {
		traced = 0;
		t = bench_now();
		if (gmem_discard(g, 0, size, NULL, &err) < 0)
			die("gmem_discard");
		us[i] = (bench_now() - t) / 1e3;
	}
	printf("  %-28s %8.1f us %6u calls\n", what, bench_median(us, ROUNDS),
	       traced);
	if (gmem_close(g, &err) < 0)
		die("closing");
}

int main(void)
{
	struct gmem_vm_opts o = {
		.sz = sizeof(o),
		.trace = count,
		.trace_arg = &traced,
	};

	if (gmem_vm_open(&o, &vm, &err) < 0)
		die("a VM");
	populate();
	printf("residency of 1 TiB\n");
	residency(0, "empty");
	residency(64 * MiB, "64 MiB of it there");
	residency(512 * MiB, "512 MiB of it there");
	printf("discard 256 MiB\n");
	punch(4096 * 16, "64 KiB at a time");
	punch(2 * MiB, "2 MiB at a time");
	punch(SIZE, "at once");
	printf("discard of an empty file\n");
	punch_sparse(1ULL << 40, "1 TiB");
	punch_sparse(1ULL << 46, "64 TiB");
	printf("placement of 8192 pages with holes between\n");
	look();
	if (gmem_vm_destroy(vm, &err) < 0)
		die("destroying the VM");
	bench_end();
	return 0;
}
