// SPDX-License-Identifier: MIT
/*
 * The host's huge pages: numbers, no memory.  A file reserves its pages in all
 * nodes together; which node each comes from shows when it gets memory.
 */
#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "macros.h"
#include "model.h"
#include "policy.h"

static uint64_t total(const struct pool *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < MODEL_NODES; i++)
		n += p->pages[i];
	return n;
}

/* That size's pool; with @make one that is not in use if there is none. */
static struct pool *find(struct kernel *k, uint64_t page_size, bool make)
{
	struct pool *unused = NULL;

	for (size_t i = 0; i < MODEL_POOLS; i++) {
		if (k->pools[i].page_size == page_size)
			return &k->pools[i];
		if (!unused && k->pools[i].page_size == 0)
			unused = &k->pools[i];
	}
	return make ? unused : NULL;
}

static bool huge(const struct kernel *k, uint64_t page_size)
{
	return page_size > k->page_size && page_size <= 16ULL << 30 &&
	       (page_size & (page_size - 1)) == 0;
}

/* What has memory stays where it is; the nodes share the rest evenly. */
static void spread(const struct kernel *k, struct pool *p, uint64_t pages)
{
	uint64_t nodes = ((1ULL << k->nodes) - 1) & ~(uint64_t)k->empty;
	uint64_t left = (uint64_t)__builtin_popcountll(nodes), share;

	for (size_t i = 0; i < MODEL_NODES; i++)
		pages -= p->placed[i];
	for (size_t i = 0; i < MODEL_NODES; i++) {
		p->pages[i] = p->placed[i];
		if (!(nodes >> i & 1))
			continue;
		share = pages / left + (pages % left != 0);
		p->pages[i] += share;
		pages -= share;
		left--;
	}
}

void model__pools_fill(struct kernel *k)
{
	static const struct {
		uint64_t page_size, x86, arm64;
	} sizes[] = {
		{ 64ULL << 10, 0, 1024 },
		{ 2ULL << 20, 512, 512 },
		{ 32ULL << 20, 0, 16 },
		{ 1ULL << 30, 4, 4 },
	};
	struct pool *p = k->pools;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t pages = k->machine == GMEM_MODEL_ARM64 ? sizes[i].arm64
								: sizes[i].x86;

		if (!pages)
			continue;
		p->page_size = sizes[i].page_size;
		spread(k, p++, pages);
	}
}

static bool short_of(const struct pool *p, uint64_t pages)
{
	return pages > total(p) || p->used > total(p) - pages;
}

int model__pool_reserve(struct kernel *k, struct inode *i)
{
	uint64_t pages = i->size / i->page_size;
	struct pool *p;

	if (i->page_size == k->page_size)
		return 0;
	p = find(k, i->page_size, false);
	if (!p)
		return -EINVAL;
	if (short_of(p, pages))
		model__reap_all(k);
	if (short_of(p, pages))
		return -ENOMEM;
	p->used += pages;
	i->pool = p;
	return 0;
}

void model__pool_return(struct inode *i)
{
	if (!i->pool)
		return;
	model__pool_unplace(i, 0, i->size);
	i->pool->used -= i->size / i->page_size;
}

uint64_t model__pool_free(const struct pool *p, uint64_t nodes)
{
	for (size_t i = 0; i < MODEL_NODES; i++)
		if (p->placed[i] >= p->pages[i])
			nodes &= ~(1ULL << i);
	return nodes;
}

void model__pool_unplace(struct inode *i, uint64_t start, uint64_t end)
{
	uint64_t stop, node;

	for (; i->pool && start < end; start = stop) {
		node = model__ranges_get(&i->nodes, start, &stop);
		if (stop > end)
			stop = end;
		if (node)
			i->pool->placed[node - 1] -=
				(stop - start) / i->page_size;
	}
}

/* The pool to set, or -errno. */
static int to_set(struct kernel *k, uint64_t page_size, struct pool **out,
		  struct gmem_error *err)
{
	model__reap_all(k);
	*out = huge(k, page_size) ? find(k, page_size, true) : NULL;
	if (*out)
		return 0;
	return gmem__fail(err, GMEM_REASON_HUGETLB_SIZE, page_size, 0,
			  "0x%" PRIx64 " is not a huge page size, or one too "
			  "many",
			  page_size);
}

/* The pool to ask, whose answer goes to @pages, or -errno. */
static int to_get(struct kernel *k, uint64_t page_size, const uint64_t *pages,
		  struct pool **out, struct gmem_error *err)
{
	model__reap_all(k);
	*out = pages && page_size ? find(k, page_size, false) : NULL;
	if (*out)
		return 0;
	if (!pages)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "pages is NULL");
	return gmem__fail(err, GMEM_REASON_HUGETLB_SIZE, page_size, 0,
			  "there is no pool of pages of 0x%" PRIx64 " bytes",
			  page_size);
}

static int in_use(uint64_t pages, uint64_t used, struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, pages, used,
			  "%" PRIu64 " pages are in use", used);
}

static int check_node(const struct kernel *k, uint32_t node,
		      struct gmem_error *err)
{
	if (node < k->nodes && !(k->empty >> node & 1))
		return 0;
	return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, node, k->nodes,
			  "node %u is none of the %u nodes, or has no memory",
			  node, k->nodes);
}

int gmem_model_set_pool(struct gmem_vm *vm, uint64_t page_size, uint64_t pages,
			struct gmem_error *err)
{
	struct kernel *k;
	struct pool *p;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	r = to_set(k, page_size, &p, err);
	if (!p)
		goto out;
	if (pages < p->used) {
		r = in_use(pages, p->used, err);
	} else {
		p->page_size = page_size;
		spread(k, p, pages);
	}
out:
	model__unlock(k);
	return r;
}

int gmem_model_set_node_pool(struct gmem_vm *vm, uint64_t page_size,
			     uint32_t node, uint64_t pages,
			     struct gmem_error *err)
{
	struct kernel *k;
	uint64_t others;
	struct pool *p;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	r = to_set(k, page_size, &p, err);
	if (!p)
		goto out;
	r = check_node(k, node, err);
	if (r < 0)
		goto out;
	others = total(p) - p->pages[node];
	if (pages < p->placed[node])
		r = in_use(pages, p->placed[node], err);
	else if (pages > UINT64_MAX - others)
		r = gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, pages, others,
			       "%" PRIu64 " pages and the %" PRIu64
			       " of other nodes are too many to count",
			       pages, others);
	else if (others + pages < p->used)
		r = in_use(others + pages, p->used, err);
	if (r == 0) {
		p->page_size = page_size;
		p->pages[node] = pages;
	}
out:
	model__unlock(k);
	return r;
}

int gmem_model_get_pool(struct gmem_vm *vm, uint64_t page_size, uint64_t *pages,
			struct gmem_error *err)
{
	struct kernel *k;
	struct pool *p;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	r = to_get(k, page_size, pages, &p, err);
	if (p)
		*pages = total(p) - p->used;
	model__unlock(k);
	return r;
}

/* What the host touched has a node from now on. */
static int place_all(struct kernel *k)
{
	struct object *o = NULL;
	int r = 0;

	while (r == 0 && (o = model__object_next(k, o)) != NULL) {
		struct inode *i = o->type == OBJECT_FILE
					  ? ((struct file *)o)->inode
					  : NULL;

		if (i && i->pool)
			r = model__assign_nodes(i, 0, i->size);
	}
	return r;
}

int gmem_model_get_node_pool(struct gmem_vm *vm, uint64_t page_size,
			     uint32_t node, uint64_t *pages,
			     struct gmem_error *err)
{
	struct kernel *k;
	struct pool *p;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	r = to_get(k, page_size, pages, &p, err);
	if (!p)
		goto out;
	r = check_node(k, node, err);
	if (r < 0)
		goto out;
	r = place_all(k);
	if (r < 0)
		r = gmem__fail_sys(err, GMEM_REASON_NO_MEMORY, 0, r, 0, 0,
				   "no memory to count the pages");
	else
		*pages = p->placed[node] < p->pages[node]
				 ? p->pages[node] - p->placed[node]
				 : 0;
out:
	model__unlock(k);
	return r;
}
