// SPDX-License-Identifier: MIT
/*
 * Huge page sizes and the two unmerged ways to ask for them.
 *
 * No released kernel takes any.  The encodings collide with other flags (bit
 * 1 of RFC v1 is INIT_SHARED today, bit 2 of page_order was posted as
 * NO_DIRECT_MAP too), so one is used only when the caller names it and the
 * kernel's own answers do not speak against it: the wrong guess would publish
 * a guest's memory to the host, or make base pages.
 */
#include <errno.h>

#include "hugetlb.h"
#include "uapi_proposed.h"

static void set_order(struct gmem__create *args, uint64_t order)
{
	*(unsigned char *)args->reserved = (unsigned char)order;
}

void gmem__hugetlb_question(uint64_t base_page, struct gmem__create *args)
{
	*args = (struct gmem__create){ .size = base_page };
	set_order(args, 1);
}

#ifdef GMEM_WITHOUT_PROPOSED_UAPI
int gmem__hugetlb_encode(uint32_t encoding, uint64_t base_page, uint64_t size,
			 uint64_t flags, struct gmem__create *args,
			 uint64_t *lack)
{
	(void)encoding;
	(void)base_page;
	(void)size;
	(void)args;
	*lack = flags;
	return -EOPNOTSUPP;
}

bool gmem__hugetlb_contradicted(uint32_t encoding, int flags_cap,
				enum gmem_support answer)
{
	(void)encoding;
	(void)flags_cap;
	(void)answer;
	return true;
}
#else
static uint64_t log2_of(uint64_t size)
{
	return (uint64_t)__builtin_ctzll(size);
}

int gmem__hugetlb_encode(uint32_t encoding, uint64_t base_page, uint64_t size,
			 uint64_t flags, struct gmem__create *args,
			 uint64_t *lack)
{
	switch (encoding) {
	case GMEM_HUGETLB_RFC1:
		*lack = flags & (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED);
		if (*lack)
			return -EOPNOTSUPP;
		args->flags = GMEM__RFC1_HUGETLB |
			      log2_of(size) << GMEM__RFC1_SIZE_SHIFT;
		return 0;
	case GMEM_HUGETLB_PAGE_ORDER:
		/* Its files start private. */
		*lack = flags & GMEM_CREATE_INIT_SHARED;
		if (*lack)
			return -EOPNOTSUPP;
		args->flags = GMEM__ORDER_HUGETLB | (flags & GMEM__FLAG_MMAP);
		set_order(args, log2_of(size) - log2_of(base_page));
		return 0;
	default:
		*lack = flags;
		return -EOPNOTSUPP;
	}
}

/*
 * A kernel that enumerates its flags (6.18 and later) is mainline, where bit
 * 1 is INIT_SHARED; RFC v1 never enumerated any.  The other one does, and
 * reads the order of the page.  What is not known is no permission.
 */
bool gmem__hugetlb_contradicted(uint32_t encoding, int flags_cap,
				enum gmem_support answer)
{
	if (encoding == GMEM_HUGETLB_RFC1)
		return flags_cap != 0;
	return flags_cap < 0 || answer != GMEM_YES ||
	       !((uint64_t)flags_cap & GMEM__ORDER_HUGETLB);
}
#endif
