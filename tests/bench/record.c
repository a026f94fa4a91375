// SPDX-License-Identifier: MIT
/*
 * The attribute record of a file of 1 TiB compared with a flat bitmap and
 * sorted runs: random lookups, and how far the same state extends in a range.
 *
 * Each position depends on the result before it, as an exit is handled before
 * the next one comes.  The subjects take turns within a round; a ratio is the
 * median of the ratios of the rounds, with the cost of the bare loop
 * subtracted from both.  Each subject has several copies, since the physical
 * pages that it gets make a difference of some percent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "other.h"

#include "macros.h"

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define SIZE (1ULL << 40)
#define PAGE (1ULL << PAGE_SHIFT)

#define ROUNDS 60
#define COPIES 4
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct memory {
	void *p;
	size_t len;
};

struct subject {
	size_t runs;
	uint64_t *starts;
	struct gmem__record record;
	struct flat flat;
	struct sorted sorted;
	struct memory record_mem, flat_mem, sorted_mem;
};

enum way {
	BARE, /* the loop alone */
	RECORD,
	FLAT,
	SORTED,
	WAYS,
};

static uint64_t random_state = 1;
static volatile uint64_t sink;

static uint64_t next(uint64_t salt)
{
	random_state = random_state * 6364136223846793005ULL +
		       1442695040888963407ULL + salt;
	return random_state;
}

/* A page of the file. */
static uint64_t position(uint64_t salt)
{
	return next(salt) >> 24 & ~(PAGE - 1);
}

/* In base pages for all, whatever the system's default is. */
static void *map(struct memory *m, size_t len)
{
	m->len = len;
	m->p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->p == MAP_FAILED) {
		perror("bench: mmap");
		exit(1);
	}
	(void)madvise(m->p, len, MADV_NOHUGEPAGE);
	return m->p;
}

static double resident_mib(const struct memory *m)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), sum = 0;
	size_t n = (m->len + page - 1) / page;
	unsigned char *vec = malloc(n);

	if (!vec || mincore(m->p, m->len, vec)) {
		perror("bench: mincore");
		exit(1);
	}
	for (size_t i = 0; i < n; i++)
		sum += vec[i] & 1;
	free(vec);
	return (double)(sum * page) / (double)MIB;
}

/* ------------------------------------------------------------- subjects -- */

static enum gmem__state state_of(size_t run)
{
	return run % 2 ? GMEM__SHARED : GMEM__PRIVATE;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Runs of private and shared in turn, which start at random pages. */
static void pick_runs(struct subject *s, size_t runs)
{
	s->starts = malloc((runs + 2) * sizeof(*s->starts));
	if (!s->starts) {
		perror("bench: malloc");
		exit(1);
	}
	s->starts[0] = 0;
	for (size_t i = 1; i < runs; i++)
		s->starts[i] = position(0);
	qsort(s->starts, runs, sizeof(*s->starts), compare);
	/* Of two that start on one page, one is left. */
	s->runs = 1;
	for (size_t i = 1; i < runs; i++)
		if (s->starts[i] != s->starts[s->runs - 1])
			s->starts[s->runs++] = s->starts[i];
	s->starts[s->runs] = SIZE;
}

static void fill_flat(struct flat *f, uint64_t start, uint64_t end)
{
	uint64_t page = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;

	for (; page < last; page++) {
		if (page % 64 == 0 && last - page >= 64) {
			f->words[page / 64] = ~0ULL;
			page += 63;
		} else {
			f->words[page / 64] |= 1ULL << page % 64;
		}
	}
}

/* One after the other, so that each has the memory layout of a single one. */
static void build(struct subject *s, size_t runs)
{
	size_t len = gmem__record_bytes(SIZE, PAGE);

	pick_runs(s, runs);

	gmem__record_init(&s->record, map(&s->record_mem, len), SIZE, PAGE);
	gmem__record_set(&s->record, 0, SIZE, GMEM__PRIVATE);
	for (size_t i = 1; i < s->runs; i += 2)
		gmem__record_set(&s->record, s->starts[i],
				 s->starts[i + 1] - s->starts[i], GMEM__SHARED);

	len = SIZE / PAGE / 8;
	s->flat.words = map(&s->flat_mem, len);
	memset(s->flat.words, 0, len);
	for (size_t i = 0; i < s->runs; i += 2)
		fill_flat(&s->flat, s->starts[i], s->starts[i + 1]);

	len = (s->runs + 1) * sizeof(*s->sorted.runs);
	s->sorted.runs = map(&s->sorted_mem, len);
	s->sorted.n = s->runs;
	for (size_t i = 0; i <= s->runs; i++) {
		s->sorted.runs[i].start = s->starts[i];
		s->sorted.runs[i].state = state_of(i);
	}
}

static void release(struct subject *s)
{
	free(s->starts);
	(void)munmap(s->record_mem.p, s->record_mem.len);
	(void)munmap(s->flat_mem.p, s->flat_mem.len);
	(void)munmap(s->sorted_mem.p, s->sorted_mem.len);
}

/* All subjects must give the same answers for a fair comparison. */
static void check(const struct subject *s, uint64_t len)
{
	uint64_t offset, a, b, c;
	enum gmem__state x, y, z;

	for (int i = 0; i < 10000; i++) {
		offset = position(0) % (SIZE - len + PAGE);
		x = gmem__record_run(&s->record, offset, len, &a);
		y = flat_run(&s->flat, offset, len, &b);
		z = sorted_run(&s->sorted, offset, len, &c);
		if (x == y && y == z && a == b && b == c &&
		    gmem__record_get(&s->record, offset) == x)
			continue;
		fprintf(stderr, "bench: the ways differ at 0x%llx\n",
			(unsigned long long)offset);
		exit(1);
	}
}

/* ------------------------------------------------------------- measures -- */

/* Nanoseconds a lookup. */
static double lookups(const struct subject *s, enum way way, unsigned int n)
{
	uint64_t d = 0;
	double t = bench_now();

	for (unsigned int i = 0; i < n; i++) {
		uint64_t offset = position(d);

		switch (way) {
		case RECORD:
			d = gmem__record_get(&s->record, offset);
			break;
		case FLAT:
			d = flat_get(&s->flat, offset);
			break;
		case SORTED:
			d = sorted_get(&s->sorted, offset);
			break;
		default:
			d = offset >> 63;
			break;
		}
	}
	sink = d;
	return (bench_now() - t) / n;
}

/* Nanoseconds a range query of @len bytes. */
static double ranges(const struct subject *s, enum way way, unsigned int n,
		     uint64_t len)
{
	uint64_t d = 0, run = 0;
	double t = bench_now();

	for (unsigned int i = 0; i < n; i++) {
		uint64_t offset = position(d);

		if (offset > SIZE - len)
			offset = SIZE - len;
		switch (way) {
		case RECORD:
			d = gmem__record_run(&s->record, offset, len, &run);
			break;
		case FLAT:
			d = flat_run(&s->flat, offset, len, &run);
			break;
		case SORTED:
			d = sorted_run(&s->sorted, offset, len, &run);
			break;
		default:
			run = offset >> 63;
			break;
		}
		d += run;
	}
	sink = d;
	return (bench_now() - t) / n;
}

struct result {
	double ns[WAYS];
	double to_flat, to_sorted;
};

/* @len: of the range, 0 for a lookup. */
static struct result measure(const struct subject *copies, uint64_t len)
{
	static double ns[WAYS][ROUNDS], to_flat[ROUNDS], to_sorted[ROUNDS];
	unsigned int n = len > 64 * MIB ? 4000 : 20000;
	struct result r;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		const struct subject *s = &copies[i % COPIES];

		for (unsigned int w = 0; w < WAYS; w++) {
			enum way way = (enum way)((w + i / COPIES) % WAYS);

			ns[way][i] = len ? ranges(s, way, n, len)
					 : lookups(s, way, n);
		}
		for (unsigned int w = RECORD; w < WAYS; w++)
			ns[w][i] -= ns[BARE][i];
		to_flat[i] = ns[RECORD][i] / ns[FLAT][i];
		to_sorted[i] = ns[RECORD][i] / ns[SORTED][i];
	}
	for (unsigned int w = 0; w < WAYS; w++)
		r.ns[w] = bench_median(ns[w], ROUNDS);
	r.to_flat = bench_median(to_flat, ROUNDS);
	r.to_sorted = bench_median(to_sorted, ROUNDS);
	return r;
}

/* -------------------------------------------------------------- reports -- */

/* @flat: the ratio to it that is aimed at.  Few runs: that to sorted ones. */
static void report(size_t runs, const char *query, const struct result *r,
		   double flat)
{
	printf("%8zu  %-8s %8.1f %8.1f %8.1f  %6.2f %6.2f", runs, query,
	       r->ns[RECORD], r->ns[FLAT], r->ns[SORTED], r->to_flat,
	       r->to_sorted);
	printf("  flat <= %.2f %s", flat, bench_at_most(r->to_flat, flat));
	if (runs && runs <= 1024)
		printf(", sorted <= 2.00 %s", bench_at_most(r->to_sorted, 2));
}

static void bench_lookup(const struct subject *copies, size_t runs)
{
	struct result r = measure(copies, 0);

	report(runs, "lookup", &r, runs > 65536 ? 1.25 : 1);
	if (!runs)
		printf(", <= 2 ns %s", bench_at_most(r.ns[RECORD], 2));
	putchar('\n');
}

static void bench_ranges(const struct subject *copies, size_t runs)
{
	static const struct {
		uint64_t len;
		const char *name;
	} queries[] = {
		{ 64 * KIB, "64 KiB" },
		{ 2 * MIB, "2 MiB" },
		{ 64 * MIB, "64 MiB" },
		{ GIB, "1 GiB" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		struct result r;

		check(copies, queries[i].len);
		r = measure(copies, queries[i].len);
		report(runs, queries[i].name, &r, runs > 65536 ? 1.1 : 1);
		putchar('\n');
	}
}

static void bench_resident(const struct subject *s, size_t runs)
{
	double mib = resident_mib(&s->record_mem);
	double limit = runs ? 34 : 1;

	printf("%8zu  %-8s %8.1f %8.1f %8.1f  %6s %6s  <= %.0f MiB %s\n", runs,
	       "MiB", mib, resident_mib(&s->flat_mem),
	       resident_mib(&s->sorted_mem), "", "", limit,
	       bench_at_most(mib, limit));
}

/* A shared page in each 2 MiB: nothing is uniform. */
static void bench_fully_mixed(void)
{
	size_t len = gmem__record_bytes(SIZE, PAGE);
	struct gmem__record r;
	struct memory m;
	double mib;

	gmem__record_init(&r, map(&m, len), SIZE, PAGE);
	gmem__record_set(&r, 0, SIZE, GMEM__PRIVATE);
	for (uint64_t i = 0; i < SIZE; i += 2 * MIB)
		gmem__record_set(&r, i, PAGE, GMEM__SHARED);
	mib = resident_mib(&m);
	printf("%8s  %-8s %8.1f %8s %8s  %6s %6s  <= 34 MiB %s\n", "all", "MiB",
	       mib, "", "", "", "", bench_at_most(mib, 34));
	(void)munmap(m.p, m.len);
}

int main(void)
{
	static const size_t runs[] = { 0, 16, 1024, 65536, 1 << 20 };

	printf("attribute record of 1 TiB, 4 KiB pages; ns a call: medians "
	       "of %d rounds\n\n"
	       "%8s  %-8s %8s %8s %8s  %13s  target\n"
	       "%8s  %-8s %8s %8s %8s  %6s %6s\n",
	       ROUNDS, "runs", "query", "record", "flat", "sorted", "ratio to",
	       "", "", "", "", "", "flat", "sorted");
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		struct subject copies[COPIES];

		/* No mixed runs: the file is one. */
		for (size_t n = 0; n < COPIES; n++)
			build(&copies[n], runs[i] ? runs[i] : 1);
		bench_lookup(copies, runs[i]);
		bench_ranges(copies, runs[i]);
		bench_resident(&copies[0], runs[i]);
		for (size_t n = 0; n < COPIES; n++)
			release(&copies[n]);
	}
	bench_fully_mixed();
	bench_end();
	return 0;
}
