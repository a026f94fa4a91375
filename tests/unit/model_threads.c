// SPDX-License-Identifier: MIT
/*
 * Threads that convert, map, populate, discard and look up on one file of the
 * model at once.  What nobody changes never looks different, what one thread
 * changes is as it left it, and in the end the record is what the model has.
 */
#include <sched.h>
#include <unistd.h>

#include "t.h"
#include "model.h"
#include "model_sys.h"

#include "seam.h"

/* Pages, in two blocks of the record; what nobody changes lies across them. */
#define PAGES 1024
#define STILL 500
#define OWN 524
#define OWN_LEN 76
#define REST 600

#define GPA (1ULL << 32)
#define ROUNDS 20 /* of work, */
#define RUNS 20	  /* each with a look at what came of it */

/* The contents of what nobody changes, where the host sees it. */
static const char magic[] = "still";

struct world {
	struct gmem_vm *vm;
	struct gmem *g;
	uint64_t page;
	uint64_t start; /* the attribute that all pages begin with */
	bool mappable;
};

struct worker {
	struct world *w;
	unsigned int seed;
	int line; /* of the first check that failed, or 0 */
	pthread_t thread;
};

#define CHECK(k, condition)                   \
	do {                                  \
		if (!(condition)) {           \
			(k)->line = __LINE__; \
			return NULL;          \
		}                             \
	} while (0)

static unsigned int any(struct worker *k, unsigned int below)
{
	k->seed = k->seed * 1103515245 + 12345;
	return (k->seed >> 8) % below;
}

static uint64_t any_attribute(struct worker *k)
{
	return any(k, 2) ? GMEM_ATTRIBUTE_PRIVATE : GMEM_ATTRIBUTE_SHARED;
}

/* Two of these: over each other's pages. */
static void *convert(void *arg)
{
	struct worker *k = arg;
	const struct world *w = k->w;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t at = any(k, STILL), n = 1 + any(k, STILL - at);
		int r = t_attributes(w->g, at * w->page, n * w->page,
				     any_attribute(k), NULL);

		CHECK(k, r == 0);
	}
	return NULL;
}

static void *look(void *arg)
{
	struct worker *k = arg;
	const struct world *w = k->w;

	for (int i = 0; i < 10 * ROUNDS; i++) {
		uint64_t at = any(k, PAGES), end = PAGES, a, run = 0;
		int r = gmem_get_attributes(w->g, at * w->page,
					    (end - at) * w->page, &a, &run,
					    NULL);

		CHECK(k, r == 0 && run >= w->page && run % w->page == 0);
		CHECK(k, a == GMEM_ATTRIBUTE_PRIVATE ||
				 a == GMEM_ATTRIBUTE_SHARED);
		if (at >= STILL && at < OWN)
			CHECK(k, a == w->start && run >= (OWN - at) * w->page);
		else if (at >= REST)
			CHECK(k, a == w->start && run == (end - at) * w->page);
	}
	return NULL;
}

static bool all_of(const struct world *w, uint64_t at, uint64_t len,
		   uint64_t attribute)
{
	uint64_t a, run;

	return gmem_get_attributes(w->g, at, len, &a, &run, NULL) == 0 &&
	       a == attribute && run == len;
}

/* Alone on its pages: each call leaves what it says. */
static void *own(void *arg)
{
	struct worker *k = arg;
	const struct world *w = k->w;
	uint64_t at = OWN * w->page, len = OWN_LEN * w->page;
	unsigned char byte;
	void *p;

	for (int i = 0; i < ROUNDS; i++) {
		CHECK(k, t_share(w->g, at, len, NULL) == 0);
		CHECK(k, all_of(w, at, len, GMEM_ATTRIBUTE_SHARED));
		if (w->mappable) {
			byte = (unsigned char)i;
			CHECK(k,
			      !gmem_write(w->g, at + len - 1, &byte, 1, NULL));
			CHECK(k, !gmem_mmap(w->g, at, len, NULL, &p, NULL));
			CHECK(k, ((unsigned char *)p)[len - 1] == byte);
			CHECK(k, !gmem_munmap(w->g, p, NULL));
			byte = 0;
			CHECK(k,
			      !gmem_read(w->g, at + len - 1, &byte, 1, NULL));
			CHECK(k, byte == (unsigned char)i);
		}
		CHECK(k, gmem_set_private(w->g, at, len, NULL) == 0);
		CHECK(k, all_of(w, at, len, GMEM_ATTRIBUTE_PRIVATE));
		if (w->mappable)
			CHECK(k,
			      gmem_read(w->g, at, &byte, 1, NULL) == -EACCES);
	}
	return NULL;
}

/* Whether a call met pages that another thread made private. */
static bool private(int r, const struct gmem_error *err)
{
	return r == -EACCES && err->reason == GMEM_REASON_PRIVATE;
}

/* Contents come and go, attributes stay; mapped is what is shared. */
static void *fill(void *arg)
{
	struct worker *k = arg;
	const struct world *w = k->w;
	char b[sizeof(magic)];

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t at = any(k, STILL), n = 1 + any(k, STILL - at);
		struct gmem_error err = { .sz = sizeof(err) };
		void *p = NULL;
		int r;

		at *= w->page;
		n *= w->page;
		r = gmem_populate(w->g, at, n, NULL, &err);
		CHECK(k, r == 0 || (w->mappable && private(r, &err)));
		CHECK(k, gmem_discard(w->g, at, n, NULL, NULL) == 0);
		if (!w->mappable)
			continue;
		r = gmem_mmap(w->g, at, n, NULL, &p, &err);
		CHECK(k, r == 0 || private(r, &err));
		CHECK(k, r < 0 || gmem_munmap(w->g, p, NULL) == 0);
		CHECK(k, !gmem_read(w->g, STILL * w->page, b, sizeof(b), NULL));
		CHECK(k, !memcmp(b, magic, sizeof(b)));
	}
	return NULL;
}

static bool model_private(const struct world *w, uint64_t at)
{
	struct kernel *k = gmem__vm_priv(w->vm, &model__sys);
	struct file *f = (struct file *)model__object(k, gmem_fd(w->g));
	uint64_t end;

	return model__has(k, MODEL_IN_PLACE)
		       ? model__inode_private(f->inode, at, &end)
		       : model__ranges_get(&f->vm->attributes, GPA + at, NULL);
}

/* Between the kernel's change and the record of it, and elsewhere. */
static void let_others(void *arg, const struct gmem_trace *event)
{
	(void)arg;
	(void)event;
	(void)sched_yield();
}

static void open_world(struct world *w, const char *profile)
{
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .trace = let_others,
				  .type = GMEM_VM_SW_PROTECTED };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &v };
	struct gmem_create_opts c = { .sz = sizeof(c) };
	struct gmem_error err;

	w->mappable = !strcmp(profile, "inplace");
	w->start = w->mappable ? GMEM_ATTRIBUTE_SHARED : GMEM_ATTRIBUTE_PRIVATE;
	if (w->mappable)
		c.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED;
	t_ok(gmem_model_vm_open(profile, &m, &w->vm, &err), err);
	w->page = (uint64_t)sysconf(_SC_PAGESIZE);
	t_ok(gmem_create(w->vm, PAGES * w->page, &c, &w->g, &err), err);
	t_ok(t_bind(w->g, 0, GPA, 0, PAGES * w->page, NULL, &err), err);
	if (w->mappable)
		t_ok(gmem_write(w->g, STILL * w->page, magic, sizeof(magic),
				&err),
		     err);
}

static void work(struct world *w, unsigned int seed)
{
	static void *(*const jobs[])(void *) = { convert, convert, look, own,
						 fill };
	struct worker k[T_ARRAY_SIZE(jobs)];

	for (size_t i = 0; i < T_ARRAY_SIZE(jobs); i++) {
		k[i] = (struct worker){ .w = w, .seed = seed * 8 + i };
		assert_int_equal(
			pthread_create(&k[i].thread, NULL, jobs[i], &k[i]), 0);
	}
	for (size_t i = 0; i < T_ARRAY_SIZE(jobs); i++)
		assert_int_equal(pthread_join(k[i].thread, NULL), 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(jobs); i++)
		if (k[i].line)
			fail_msg("worker %zu: line %d", i, k[i].line);
}

static void run(const char *profile)
{
	struct gmem_error err;
	struct world w = { 0 };

	open_world(&w, profile);
	for (unsigned int i = 0; i < RUNS; i++) {
		work(&w, i);
		for (uint64_t at = 0; at < gmem_size(w.g); at += w.page)
			assert_true(all_of(&w, at, w.page,
					   model_private(&w, at)
						   ? GMEM_ATTRIBUTE_PRIVATE
						   : GMEM_ATTRIBUTE_SHARED));
	}
	t_ok(gmem_vm_destroy(w.vm, &err), err);
}

static void attributes_of_the_vm_follow_every_thread(void **state)
{
	(void)state;
	run("6.12");
	run("7.3");
}

static void attributes_of_the_file_follow_every_thread(void **state)
{
	(void)state;
	run("inplace");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_of_the_vm_follow_every_thread),
		cmocka_unit_test(attributes_of_the_file_follow_every_thread),
	};

	return t_main(tests);
}
