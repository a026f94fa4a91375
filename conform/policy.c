// SPDX-License-Identifier: MIT
/* NUMA policies of a mapping and of a file. */
#include <fcntl.h>
#include <sys/mman.h>

#include "case.h"

#define RW (PROT_READ | PROT_WRITE)
#define BITS 1024
#define WORDS (BITS / (8 * sizeof(unsigned long)))

enum {
	DEFAULT,
	PREFERRED,
	BIND,
	INTERLEAVE,
	LOCAL,
	NUMA_BALANCING = 1 << 13,
	STATIC_NODES = 1 << 15
};

enum {
	STRICT = 1,
	MOVE = 2
};

static int bind(struct conform *c, void *p, uint64_t len, int mode,
		unsigned long node, unsigned int flags)
{
	unsigned long nodes[WORDS] = { node };

	return c_mbind(c, p, len, mode, nodes, BITS, flags);
}

/* The mode of the policy at @p, or -errno; *@nodes: its first word. */
static int policy(struct conform *c, void *p, unsigned long *nodes)
{
	unsigned long mask[WORDS] = { 0 };
	int mode = -1;
	int r = c_get_mempolicy(c, &mode, mask, BITS, p, 2);

	if (nodes)
		*nodes = mask[0];
	return r < 0 ? r : mode;
}

static int file(struct conform *c, uint64_t flags)
{
	return c_create(c, c_vm(c, 0), PAGES * c->page, flags);
}

static void echoed(struct conform *c)
{
	unsigned long nodes;
	unsigned char *p;

	IS(c_view(c, file(c, SHARED), &p), 0);
	IS(policy(c, p, NULL), DEFAULT);
	IS(bind(c, p, 4 * c->page, BIND, 1, 0), 0);
	IS(policy(c, p, &nodes), BIND);
	IS(nodes, 1);
	IS(policy(c, p + 3 * c->page, NULL), BIND);
	IS(policy(c, p + 4 * c->page, NULL), DEFAULT);
	IS(bind(c, p, 2 * c->page, DEFAULT, 0, 0), 0);
	IS(policy(c, p, NULL), DEFAULT);
	IS(policy(c, p + 2 * c->page, NULL), BIND);
}

/* Which nodes a policy shows that names one that no machine here has. */
static void nodes_that_are_missing(struct conform *c)
{
	unsigned long nodes, missing = 1UL << 31, balanced;
	unsigned char *p;

	IS(c_view(c, file(c, SHARED), &p), 0);
	/* the kernel may be built for fewer nodes, and refuses what is beyond
	 */
	while (missing > 4 && bind(c, p, c->page, BIND, missing | 1, 0) < 0)
		missing >>= 1;
	balanced = missing | 1;
	IS(bind(c, p, c->page, BIND, missing | 1, 0), 0);
	IS(policy(c, p, &nodes), BIND);
	IS(nodes, 1);
	IS(bind(c, p, c->page, BIND | STATIC_NODES, missing | 1, 0), 0);
	IS(policy(c, p, &nodes), BIND | STATIC_NODES);
	IS(nodes, missing | 1);
	if (c->version >= 700)
		balanced = 1;
	IS(bind(c, p, c->page, BIND | NUMA_BALANCING, missing | 1, 0), 0);
	IS(policy(c, p, &nodes), BIND | NUMA_BALANCING);
	IS(nodes, balanced);
}

static void in_the_file(struct conform *c)
{
	int fd = file(c, SHARED), kept = c->version >= 619 ? PREFERRED : 0;
	unsigned char *p, *q;

	IS(c_view(c, fd, &p), 0);
	IS(c_view(c, fd, &q), 0);
	IS(bind(c, p, c->page, PREFERRED, 1, 0), 0);
	IS(policy(c, q, NULL), kept);
	IS(policy(c, q + c->page, NULL), DEFAULT);
	IS(c_unmap(c, p), 0);
	IS(c_view(c, fd, &p), 0);
	IS(policy(c, p, NULL), kept);
}

/* What a mapping has already, or has not, changes nothing in the file. */
static void no_news(struct conform *c)
{
	int fd = file(c, SHARED);
	unsigned char *p, *q;

	IS(c_view(c, fd, &p), 0);
	IS(c_view(c, fd, &q), 0);
	IS(bind(c, p, c->page, BIND, 1, 0), 0);
	IS(bind(c, q, c->page, DEFAULT, 0, 0), 0);
	IS(policy(c, p, NULL), BIND);
	IS(bind(c, p, c->page, DEFAULT, 0, 0), 0);
	IS(policy(c, p, NULL), DEFAULT);
}

static void through_an_untouchable_mapping(struct conform *c)
{
	unsigned char *p, *q;
	int fd = file(c, UAPI_FLAG_MMAP);

	IS(c_view(c, fd, &p), 0);
	IS(c_view(c, fd, &q), 0);
	IS(bind(c, p, c->page, BIND, 1, 0), 0);
	IS(policy(c, p, NULL), BIND);
	IS(policy(c, q, NULL), c->version >= 619 ? BIND : DEFAULT);
}

static void bad_policies(struct conform *c)
{
	unsigned char *p;

	IS(c_view(c, file(c, SHARED), &p), 0);
	IS(bind(c, p, c->page, 99, 1, 0), -EINVAL);
	IS(bind(c, p, c->page, -1, 1, 0), -EINVAL);
	IS(bind(c, p, c->page, BIND, 0, 0), -EINVAL);
	IS(bind(c, p, c->page, BIND, 1UL << 40, 0), -EINVAL);
	IS(bind(c, p, c->page, DEFAULT, 1, 0), -EINVAL);
	IS(bind(c, p, c->page, LOCAL, 1, 0), -EINVAL);
	IS(bind(c, p, c->page, BIND, 1, 1U << 3), -EINVAL);
	IS(bind(c, p + 1, c->page, BIND, 1, 0), -EINVAL);
	IS(bind(c, p, 0, BIND, 1, 0), 0);
	IS(policy(c, p, NULL), DEFAULT);
}

static void present_pages_stay(struct conform *c)
{
	unsigned char *p;
	int node;

	IS(c_view(c, file(c, SHARED), &p), 0);
	p[0] = 7;
	node = c_node(c, p);
	IS(node >= 0, 1);
	IS(bind(c, p, c->page, BIND, 1UL << node, STRICT), 0);
	IS(bind(c, p, c->page, BIND, 1UL << node, MOVE), 0);
	IS(p[0], 7);
}

static void misplaced_pages_stay(struct conform *c)
{
	int fd = file(c, SHARED), node;
	unsigned char *p, *other;

	IS(c_view(c, fd, &p), 0);
	p[0] = 7;
	node = c_node(c, p);
	IS(node == 0 || node == 1, 1);
	IS(bind(c, p, c->page, BIND, 2UL >> node, STRICT), -EIO);
	IS(bind(c, p, c->page, BIND, 2UL >> node, MOVE), 0);
	IS(bind(c, p, c->page, BIND, 2UL >> node, STRICT | MOVE), -EIO);
	/* What a second mapping has is not even tried. */
	IS(c_view(c, fd, &other), 0);
	other[0] = 7;
	IS(bind(c, p, c->page, BIND, 2UL >> node, STRICT | MOVE), 0);
	IS(bind(c, p, c->page, BIND, 2UL >> node, STRICT), -EIO);
	IS(c_node(c, p), node);
	IS(p[0], 7);
}

static int task(struct conform *c, int mode, unsigned long node)
{
	unsigned long nodes[WORDS] = { node };

	return c_set_mempolicy(c, mode, nodes, BITS);
}

static int task_mode(struct conform *c)
{
	int mode = -1;
	int r = c_get_mempolicy(c, &mode, NULL, 0, NULL, 0);

	return r < 0 ? r : mode;
}

static void of_the_task(struct conform *c)
{
	int r;

	IS(task_mode(c), DEFAULT);
	IS(task(c, BIND, 1), 0);
	r = task_mode(c);
	IS(task(c, DEFAULT, 0), 0);
	IS(r, BIND);
	IS(task(c, BIND, 0), -EINVAL);
	IS(task(c, 99, 1), -EINVAL);
	IS(task_mode(c), DEFAULT);
}

static void not_there(struct conform *c)
{
	unsigned char *p;

	IS(c_view(c, file(c, SHARED), &p), 0);
	IS(c_node(c, p), -ENOENT);
	p[0] = 1;
	IS(c_node(c, p) >= 0, 1);
}

static void obeyed(struct conform *c)
{
	int fd = file(c, SHARED);
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	IS(bind(c, p, 2 * c->page, BIND, 2, 0), 0);
	IS(c_touch(p, true), 0);
	IS(c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE, c->page, c->page), 0);
	IS(c_touch(p + c->page, true), 0);
	/* An ignored policy leaves them wherever this thread is. */
	if (c->version < 619)
		return;
	IS(c_node(c, p), 1);
	IS(c_node(c, p + c->page), 1);
	IS(bind(c, p, c->page, BIND, 1, 1), -EIO);
	IS(c_node(c, p), 1);
}

static void task_policy_of_fallocate(struct conform *c)
{
	int fd = file(c, SHARED), r;
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	IS(task(c, BIND, 2), 0);
	r = c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE, 0, 2 * c->page);
	IS(task(c, DEFAULT, 0), 0);
	IS(r, 0);
	IS(c_touch(p, true), 0);
	IS(c_node(c, p), 1);
}

const struct conform_case policy_cases[] = {
	{ "policy: mbind is echoed by its mapping", "echoed",
	  NEED_MMAP | NEED_NUMA, echoed },
	{ "policy: a missing node is dropped, or shown with some flags",
	  "nodes_that_are_missing", NEED_MMAP | NEED_NUMA,
	  nodes_that_are_missing },
	{ "policy: ignored, or kept by the file; trap: ignored on 6.18; trap: "
	  "obeyed from 6.19",
	  "in_the_file", NEED_MMAP | NEED_NUMA, in_the_file },
	{ "policy: what is no news to the mapping", "no_news",
	  NEED_MMAP | NEED_NUMA, no_news },
	{ "policy: needs MMAP, not INIT_SHARED",
	  "through_an_untouchable_mapping", NEED_MMAP | NEED_NUMA,
	  through_an_untouchable_mapping },
	{ "policy: errors", "bad_policies", NEED_MMAP | NEED_NUMA,
	  bad_policies },
	{ "policy: pages that are there already", "present_pages_stay",
	  NEED_MMAP | NEED_NUMA, present_pages_stay },
	{ "policy: misplaced pages stay; arm64: STRICT", "misplaced_pages_stay",
	  NEED_MMAP | NEED_NUMA | NEED_NODES, misplaced_pages_stay },
	{ "policy: the task's own", "of_the_task", NEED_NUMA, of_the_task },
	{ "policy: a page that is not there", "not_there",
	  NEED_MMAP | NEED_NUMA, not_there },
	{ "policy: obeyed, page by page; arm64: STRICT", "obeyed",
	  NEED_MMAP | NEED_NUMA | NEED_NODES, obeyed },
	{ "policy: fallocate under the task's", "task_policy_of_fallocate",
	  NEED_MMAP | NEED_NUMA | NEED_NODES, task_policy_of_fallocate },
	{ 0 },
};
