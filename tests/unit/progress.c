// SPDX-License-Identifier: MIT
/* Long calls report progress and end when they are cancelled. */
#include <unistd.h>

#include "unit.h"

#define SIZE (256 * MiB)

struct heard {
	uint64_t done, total;
	unsigned int n;
	int cancel;		/* what the call looks at */
	unsigned int cancel_at; /* set with this callback; 0: never */
};

static int hear(void *arg, uint64_t done, uint64_t total)
{
	struct heard *h = arg;

	if (h->n)
		assert_true(done > h->done || done == total);
	assert_true(done <= total);
	h->done = done;
	h->total = total;
	if (++h->n == h->cancel_at)
		__atomic_store_n(&h->cancel, 1, __ATOMIC_RELAXED);
	return 0;
}

static int verify(struct gmem *g, struct heard *h, struct gmem_error *err)
{
	struct gmem_placement p = { .sz = sizeof(p),
				    .progress = hear,
				    .progress_arg = h,
				    .cancel = &h->cancel };

	return t_placed(g, 0, SIZE, NULL, &p, err);
}

static int populate(struct gmem *g, struct heard *h, struct gmem_error *err)
{
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.progress = hear,
					.progress_arg = h,
					.cancel = &h->cancel };

	return gmem_populate(g, 0, SIZE, &o, err);
}

static int discard(struct gmem *g, struct heard *h, struct gmem_error *err)
{
	struct gmem_discard_opts o = { .sz = sizeof(o),
				       .progress = hear,
				       .progress_arg = h,
				       .cancel = &h->cancel };

	return gmem_discard(g, 0, SIZE, &o, err);
}

/* Each call reports its whole range, and stops where it is cancelled. */
static void tells(int (*call)(struct gmem *, struct heard *,
			      struct gmem_error *),
		  struct gmem *g, unsigned int least)
{
	struct heard h = { .cancel_at = 0 };
	struct gmem_error err;

	t_ok(call(g, &h, &err), err);
	assert_true(h.n >= least);
	assert_int_equal(h.done, SIZE);
	assert_int_equal(h.total, SIZE);
	assert_int_equal(err.done, SIZE);
	h = (struct heard){ .cancel = 1 };
	t_refused(call(g, &h, &err), -ECANCELED, GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, 0);
}

/* Populating and discarding take a longer step than this file is. */
static void stops(int (*call)(struct gmem *, struct heard *,
			      struct gmem_error *),
		  struct gmem *g)
{
	struct heard h = { .cancel_at = 1 };
	struct gmem_error err;

	t_refused(call(g, &h, &err), -ECANCELED, GMEM_REASON_CANCELLED, err);
	assert_true(h.done < SIZE);
	assert_int_equal(err.done, h.done);
}

static void a_range_is_told_to_its_end(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, SIZE, SHARED_FLAGS);

	/* nothing is there: no more than the end */
	tells(verify, g, 1);
	tells(populate, g, 1);
	tells(verify, g, 2);
	stops(verify, g);
	tells(discard, g, 1);
}

/* The message says which of the calls that populate makes it was. */
static void the_call_that_failed_is_named(void **state)
{
	static const struct {
		const char *call;
		uint64_t nth;
		const char *name;
	} rows[] = {
		{ "fallocate", 1, "fallocate" },
		{ "mmap", 1, "mapping the guest_memfd" },
	};
	struct unit *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem *g = unit_create(m, 1 * MiB, SHARED_FLAGS);

		t_ok(gmem_model_fail(m->vm, rows[i].call, rows[i].nth, ENOMEM,
				     &m->err),
		     m->err);
		t_refused(gmem_populate(g, 0, 1 * MiB, NULL, &m->err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, m->err);
		assert_non_null(strstr(m->err.msg, rows[i].name));
		assert_int_equal(m->err.done, 0);
		t_ok(gmem_close(g, &m->err), m->err);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_call_that_failed_is_named, unit_default73),
		TEST(a_range_is_told_to_its_end, unit_default73),
	};

	return t_main(tests);
}
