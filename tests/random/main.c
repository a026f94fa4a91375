// SPDX-License-Identifier: MIT
/*
 * random [--profile PROFILE] [SEQUENCES [FIRST-SEED]]
 *
 * The same random calls on the real kernel and on the model of it, one after
 * the other; results, memory, contents and policies must agree.  A seed makes
 * a sequence: a failing one is reduced to the calls that are needed and
 * printed.  77 if there is no usable /dev/kvm, or no profile for this kernel.
 *
 * With PROFILE, of which there need be no kernel, a second model of it stands
 * in for the kernel, new for each sequence: what a sequence leaves in the first
 * is a difference, and so are huge pages that do not come back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "host.h"
#include "side.h"

#define LENGTH_MIN 16
#define LENGTH_SPREAD 48 /* mean 40 with what is skipped */
#define LENGTH_MAX (LENGTH_MIN + LENGTH_SPREAD)

/* This many seeds in a row have the same VM type: VMs take time to make. */
#define SEEDS_OF_A_TYPE 25

struct pair {
	struct side model, real;
	const struct host *host;
	uint32_t type; /* of the VMs */
};

struct tally {
	uint64_t calls[64], good[64], sequences;
};

static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static unsigned int generate(uint64_t seed, struct op *ops)
{
	/* something to work on */
	static const char *const first[] = { "create",	    "mmap",
					     "gmem_create", "gmem_mmap",
					     "set_region2", "gmem_bind" };
	uint64_t state = seed;
	unsigned int n =
		LENGTH_MIN + (unsigned int)(next(&state) % (LENGTH_SPREAD + 1));

	for (unsigned int i = 0; i < n; i++) {
		ops[i].kind = i < ARRAY_SIZE(first)
				      ? (uint8_t)op_find(first[i])
				      : (uint8_t)op_kind(next(&state));
		for (unsigned int b = 0; b < OP_BYTES; b++)
			ops[i].a[b] = (uint8_t)next(&state);
	}
	return n;
}

static int open_pair(struct pair *p)
{
	struct gmem_vm_opts vm = { .sz = sizeof(vm),
				   .type = p->type,
				   .hugetlb_encoding = p->host->encoding };
	struct gmem_model_opts o = p->host->opts;
	const char *why = "";

	o.vm = &vm;
	if (side_open(&p->real, p->host->named ? p->host->profile : NULL, &o,
		      &why) < 0) {
		printf("# the real kernel: %s\n", why);
		return -1;
	}
	if (side_open(&p->model, p->host->profile, &o, &why) < 0) {
		printf("# the model of it: %s\n", why);
		side_close(&p->real);
		return -1;
	}
	p->model.limits = p->real.limits = p->host->limits;
	return 0;
}

static void close_pair(struct pair *p)
{
	side_close(&p->model);
	side_close(&p->real);
}

static void print_op(const struct op *op, const struct result *m,
		     const struct result *k)
{
	printf("#   %-22s", op_type(op->kind)->name);
	for (int i = 0; i < OP_BYTES; i++)
		printf(" %02x", op->a[i]);
	printf(" model %lld kernel %lld", (long long)m->ret, (long long)k->ret);
	for (int i = 0; i < 4; i++)
		if (m->x[i] || k->x[i])
			printf(" [%llx %llx]", (unsigned long long)m->x[i],
			       (unsigned long long)k->x[i]);
	printf("\n");
}

static void count(struct tally *t, const struct op *op, const struct result *r)
{
	if (!t || r->ret == SKIPPED)
		return;
	t->calls[op->kind]++;
	t->good[op->kind] += r->ret >= 0;
}

/* -1: no difference; else the index of the call that shows one. */
static int compare(struct pair *p, const struct op *ops, unsigned int n,
		   struct tally *t, bool print)
{
	struct result m, k;

	for (unsigned int i = 0; i < n; i++) {
		side_run(&p->model, &ops[i], &m);
		side_run(&p->real, &ops[i], &k);
		count(t, &ops[i], &m);
		if (print && m.ret != SKIPPED)
			print_op(&ops[i], &m, &k);
		if (memcmp(&m, &k, sizeof(m)) != 0 ||
		    side_digest(&p->model) != side_digest(&p->real))
			return (int)i;
	}
	return side_contents(&p->model) == side_contents(&p->real) ? -1
								   : (int)n;
}

/* The same on two new kernels. */
static int compare_afresh(struct pair *p, const struct op *ops, unsigned int n,
			  bool print)
{
	int at;

	if (open_pair(p) < 0)
		return -1;
	at = compare(p, ops, n, NULL, print);
	close_pair(p);
	return at;
}

/* Removes each call that the difference does not need. */
static unsigned int shrink(struct pair *p, struct op *ops, unsigned int n)
{
	struct op fewer[LENGTH_MAX];

	for (unsigned int i = n; i-- > 0;) {
		memcpy(fewer, ops, i * sizeof(*ops));
		memcpy(fewer + i, ops + i + 1, (n - i - 1) * sizeof(*ops));
		if (compare_afresh(p, fewer, n - 1, false) < 0)
			continue;
		memcpy(ops, fewer, --n * sizeof(*ops));
	}
	return n;
}

static void explain(struct pair *p, uint64_t seed, struct op *ops,
		    unsigned int n, int at)
{
	printf("# seed %llu differs at call %d; random %s%s 1 %llu repeats "
	       "it\n",
	       (unsigned long long)seed, at, p->host->named ? "--profile " : "",
	       p->host->named ? p->host->profile : "",
	       (unsigned long long)seed);
	if (compare_afresh(p, ops, n, false) < 0) {
		printf("# not by itself: it takes what came before\n");
		return;
	}
	n = shrink(p, ops, n);
	printf("# cut down to %u calls, the last shows it or, if they agree, "
	       "memory, contents or policies:\n",
	       n);
	(void)compare_afresh(p, ops, n, true);
}

/* Printed, not asserted: how many succeed depends on the kernel and seeds. */
static void histogram(const struct tally *t)
{
	uint64_t calls = 0, good = 0;

	for (unsigned int i = 0; i < op_count(); i++) {
		printf("# %-22s %9llu calls, %3llu %% succeed\n",
		       op_type(i)->name, (unsigned long long)t->calls[i],
		       (unsigned long long)(t->calls[i] ? 100 * t->good[i] /
								  t->calls[i]
							: 0));
		calls += t->calls[i];
		good += t->good[i];
	}
	if (calls)
		printf("# %llu sequences, %.1f calls each, %.1f %% succeed\n",
		       (unsigned long long)t->sequences,
		       (double)calls / (double)t->sequences,
		       100.0 * (double)good / (double)calls);
}

static uint32_t type_of(const struct host *h, uint64_t seed)
{
	return h->types[seed / SEEDS_OF_A_TYPE % h->n_types];
}

/* Another model in place of the kernel; false if there is none. */
static bool renew(struct pair *p)
{
	struct gmem_vm_opts vm = { .sz = sizeof(vm),
				   .type = p->type,
				   .hugetlb_encoding = p->host->encoding };
	struct gmem_model_opts o = p->host->opts;
	const char *why = "";

	side_close(&p->real);
	o.vm = &vm;
	if (side_open(&p->real, p->host->profile, &o, &why) < 0) {
		printf("# another model: %s\n", why);
		side_close(&p->model);
		return false;
	}
	p->real.limits = p->host->limits;
	return true;
}

/* @n sequences from @seed on; false at the first that differs. */
static bool run(const struct host *h, uint64_t n, uint64_t seed,
		struct tally *t)
{
	struct pair p = { .host = h };
	struct op ops[LENGTH_MAX];
	bool open = false, good = true;

	for (; n && good; n--, seed++) {
		unsigned int len = generate(seed, ops);
		int at;

		if (open && p.type != type_of(h, seed)) {
			close_pair(&p);
			open = false;
		}
		p.type = type_of(h, seed);
		if (!open && open_pair(&p) < 0)
			return false;
		at = compare(&p, ops, len, t, false);
		t->sequences++;
		good = at < 0;
		/* What a sequence could not undo is freed with the VMs. */
		open = side_reset(&p.model) && good;
		open = side_reset(&p.real) && open;
		if (open && !side_has_all_back(&p.model)) {
			printf("# seed %llu keeps huge pages\n",
			       (unsigned long long)seed);
			good = false;
		}
		if (!open)
			close_pair(&p);
		else if (h->named && !renew(&p))
			return false;
		if (!good)
			explain(&p, seed, ops, len, at);
	}
	if (open)
		close_pair(&p);
	return good;
}

int main(int argc, char **argv)
{
	static struct tally t;
	const char *why = "", *profile = NULL;
	uint64_t n, seed;
	struct host h;
	bool good;

	if (argc > 2 && !strcmp(argv[1], "--profile")) {
		profile = argv[2];
		argc -= 2;
		argv += 2;
	}
	n = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	if (profile && host_named(&h, profile, &why) < 0) {
		printf("1..1\nnot ok 1 - profile %s: %s\n", profile, why);
		return 1;
	}
	if (!profile && host_learn(&h, &why) < 0) {
		printf("1..0 # SKIP %s\n", why);
		return 77;
	}
#ifdef GMEM_WITHOUT_PROPOSED_UAPI
	if (h.encoding) {
		printf("1..0 # SKIP built with GMEM_PROPOSED_UAPI=OFF\n");
		return 77;
	}
#endif
	host_print(&h);
	good = run(&h, n, seed, &t) && t.sequences;
	histogram(&t);
	printf("1..1\n%sok 1 - model %s and %s agree\n", good ? "" : "not ",
	       h.profile, h.named ? "a new one" : "the kernel");
	return !good;
}
