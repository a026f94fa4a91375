// SPDX-License-Identifier: MIT
/*
 * Huge page sizes and the two unmerged ways to ask for them.
 *
 * No released kernel takes any.  The encodings collide with mainline's flags
 * (bit 1 of RFC v1 is INIT_SHARED today), so one is used only when the caller
 * names it and the kernel's own flag mask does not speak against it: the
 * wrong guess would publish a guest's memory to the host.
 */
#include <errno.h>

#include "hugetlb.h"
#include "uapi.h"
#include "uapi_proposed.h"

static unsigned int log2_of(uint64_t size)
{
	return (unsigned int)__builtin_ctzll(size);
}

#ifdef GMEM_WITHOUT_PROPOSED_UAPI
int gmem__hugetlb_flags(uint32_t encoding, uint64_t size, uint64_t flags,
			uint64_t *kernel_flags)
{
	(void)encoding;
	(void)size;
	(void)flags;
	(void)kernel_flags;
	(void)log2_of;
	return -EOPNOTSUPP;
}

bool gmem__hugetlb_contradicted(uint32_t encoding, int flags_cap)
{
	(void)encoding;
	(void)flags_cap;
	return true;
}
#else
/*
 * The kernel's create flags for @size under @encoding.  RFC v1 has no MMAP;
 * in RFC v2 a mappable file starts shared unless INIT_PRIVATE says otherwise.
 */
int gmem__hugetlb_flags(uint32_t encoding, uint64_t size, uint64_t flags,
			uint64_t *kernel_flags)
{
	uint64_t shift = log2_of(size);

	switch (encoding) {
	case GMEM_HUGETLB_RFC1:
		if (flags & (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED))
			return -EOPNOTSUPP;
		*kernel_flags =
			GMEM__RFC1_HUGETLB | shift << GMEM__RFC1_SIZE_SHIFT;
		return 0;
	case GMEM_HUGETLB_RFC2:
		*kernel_flags =
			GMEM__RFC2_HUGETLB | shift << GMEM__RFC2_SIZE_SHIFT;
		if (flags & GMEM_CREATE_MMAP)
			*kernel_flags |= GMEM__RFC2_SUPPORT_SHARED;
		if ((flags & GMEM_CREATE_MMAP) &&
		    !(flags & GMEM_CREATE_INIT_SHARED))
			*kernel_flags |= GMEM__RFC2_INIT_PRIVATE;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/*
 * A kernel that enumerates its flags (6.18 and later) is mainline, where bit
 * 1 is INIT_SHARED; RFC v1 never enumerated any.  An unknown mask (-errno) is
 * no permission.
 */
bool gmem__hugetlb_contradicted(uint32_t encoding, int flags_cap)
{
	if (flags_cap == 0)
		return false;
	if (flags_cap < 0 || encoding != GMEM_HUGETLB_RFC2)
		return true;
	return !((uint64_t)flags_cap & GMEM__RFC2_HUGETLB) ||
	       ((uint64_t)flags_cap & GMEM__FLAG_INIT_SHARED);
}
#endif
