// SPDX-License-Identifier: MIT
/* Pages that go or move while the library looks for them. */
#include <errno.h>
#include <linux/falloc.h>

#include "unit.h"

#include "vm.h"

struct other {
	struct unit *m;
	bool frees; /* the first page, when it was seen */
};

static void trace(void *arg, const struct gmem_trace *e)
{
	struct other *o = arg;

	if (!o->frees || strcmp(e->call, "cachestat") != 0)
		return;
	o->frees = false;
	assert_int_equal(
		model__sys.fallocate(o->m->k, gmem_fd(o->m->g),
				     FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				     0, o->m->page),
		0);
}

static void start(struct unit *m, struct other *o, uint64_t size)
{
	o->m = m;
	m->vm = unit_vm(m, GMEM_VM_DEFAULT, trace, o);
	unit_create(m, size, SHARED_FLAGS);
}

static void end(struct unit *m)
{
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	m->vm = NULL; /* before its trace_arg goes */
}

static void what_comes_after_is_still_looked_at(void **state)
{
	struct unit *m = *state;
	struct other o = { .frees = false };
	unsigned long first = 1, second = 2;
	struct gmem_mempolicy p = { .sz = sizeof(p),
				    .mode = GMEM_MPOL_BIND,
				    .nodes = &second,
				    .max_node = 8 };
	struct gmem_placement got = { .sz = sizeof(got) };

	start(m, &o, 8 * MiB);
	t_ok(gmem_set_mempolicy(m->g, 0, 8 * MiB, &p, 0, &m->err), m->err);
	t_ok(gmem_populate(m->g, 0, 8 * MiB, NULL, &m->err), m->err);
	p.nodes = &first;
	o.frees = true;
	assert_int_equal(t_placed(m->g, 0, 8 * MiB, &p, &got, &m->err),
			 GMEM_PLACED_ELSEWHERE);
	assert_false(o.frees);
	assert_int_equal(got.misplaced, 8 * MiB - m->page);
	end(m);
}

static int count(void *arg, uint64_t done, uint64_t total)
{
	unsigned int *steps = arg;

	(void)done;
	(void)total;
	++*steps;
	return 0;
}

/* One system call for all of it could not be cancelled. */
static void a_discard_still_goes_in_steps(void **state)
{
	struct unit *m = *state;
	struct other o = { .frees = false };
	unsigned int steps = 0;
	struct gmem_discard_opts d = { .sz = sizeof(d),
				       .progress = count,
				       .progress_arg = &steps };

	start(m, &o, 1 * GiB);
	for (uint64_t at = 0; at < 1 * GiB; at += 256 * MiB)
		t_ok(gmem_populate(m->g, at, 70 * MiB, NULL, &m->err), m->err);
	o.frees = true;
	t_ok(gmem_discard(m->g, 0, 1 * GiB, &d, &m->err), m->err);
	assert_false(o.frees);
	assert_true(steps > 1);
	assert_int_equal(unit_allocated(m, gmem_fd(m->g), 0, 1 * GiB, -1), 0);
	end(m);
}

static unsigned int moving;
static bool forbidden; /* the next time */

/* As the kernel answers for a page that it is moving. */
static int move_pages(void *priv, size_t n, void **pages, const int *to,
		      int *node)
{
	int r = unit_sys.move_pages(priv, n, pages, to, node);

	if (forbidden && !moving)
		return -EPERM;
	if (r == 0 && moving && moving--)
		node[moving % 2 ? n / 2 : 0] = -ENOENT;
	return r;
}

static void a_page_that_moves_is_asked_for_again(void **state)
{
	struct unit *m = *state;
	unsigned long nodes = 3;
	struct gmem_mempolicy p = { .sz = sizeof(p),
				    .mode = GMEM_MPOL_BIND,
				    .nodes = &nodes,
				    .max_node = 8 };
	struct gmem_placement got = { .sz = sizeof(got) };
	struct gmem_sys sys = unit_sys;

	unit_open(m, "7.3", GMEM_VM_DEFAULT);
	unit_create(m, 1 * MiB, SHARED_FLAGS);
	t_ok(gmem_populate(m->g, 0, 1 * MiB, NULL, &m->err), m->err);
	sys.move_pages = move_pages;
	m->vm->ctx.sys = &sys;
	for (moving = 1; moving < 4; moving++) {
		unsigned int times = moving;
		int r = t_placed(m->g, 0, 1 * MiB, &p, &got, &m->err);

		t_code(r, times < 3 ? GMEM_PLACED_WELL : GMEM_PLACED_UNKNOWN);
		assert_int_equal(got.unknown, times < 3 ? 0 : m->page);
		assert_int_equal(moving, 0);
		moving = times;
	}
	/* what is known of the others by then is not the answer to this */
	moving = 1;
	forbidden = true;
	t_code(t_placed(m->g, 0, 1 * MiB, &p, &got, &m->err),
	       GMEM_PLACED_UNKNOWN);
	forbidden = false;
	assert_int_equal(got.unknown, 1 * MiB);
	m->vm->ctx.sys = &unit_sys;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_comes_after_is_still_looked_at, unit_bare73),
		TEST(a_discard_still_goes_in_steps, unit_bare73),
		TEST(a_page_that_moves_is_asked_for_again, unit_bare73),
	};

	return t_main(tests);
}
