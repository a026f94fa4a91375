// SPDX-License-Identifier: MIT
/* The host's huge pages: numbers, no memory. */
#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "model.h"

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

int gmem_model_set_pool(struct gmem_vm *vm, uint64_t page_size, uint64_t pages,
			struct gmem_error *err)
{
	struct kernel *k;
	struct pool *p;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	model__reap_all(k);
	p = huge(k, page_size) ? find(k, page_size, true) : NULL;
	if (!p) {
		r = gmem__fail(err, GMEM_REASON_HUGETLB_SIZE, page_size, 0,
			       "0x%" PRIx64 " is not a huge page size, or one "
			       "too many",
			       page_size);
	} else if (pages < p->used) {
		r = gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, pages, p->used,
			       "%" PRIu64 " pages are in use", p->used);
	} else {
		p->page_size = page_size;
		p->total = pages;
	}
	model__unlock(k);
	return r;
}

int gmem_model_get_pool(struct gmem_vm *vm, uint64_t page_size, uint64_t *pages,
			struct gmem_error *err)
{
	const struct pool *p;
	struct kernel *k;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	model__reap_all(k);
	p = page_size ? find(k, page_size, false) : NULL;
	if (!pages)
		r = gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
			       "pages is NULL");
	else if (p)
		*pages = p->total - p->used;
	else
		r = gmem__fail(err, GMEM_REASON_HUGETLB_SIZE, page_size, 0,
			       "there is no pool of pages of 0x%" PRIx64
			       " bytes",
			       page_size);
	model__unlock(k);
	return r;
}
