// SPDX-License-Identifier: MIT
/* fallocate(2): memory for a file and back. */
#include <fcntl.h>

#include "case.h"

#define ATTEMPTS 100 /* to be interrupted in the middle */

#define KEEP FALLOC_FL_KEEP_SIZE
#define PUNCH (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)

static void other_modes(struct conform *c)
{
	static const int modes[] = {
		0,
		FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | KEEP,
		FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_UNSHARE_RANGE,
		FALLOC_FL_UNSHARE_RANGE | KEEP,
		1 << 20,
	};
	int fd = c_file(c);

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		IS(c_fallocate(c, fd, modes[i], 0, c->page), -EOPNOTSUPP);
	PAGES_ARE(fd, 0);
}

static void unaligned(struct conform *c)
{
	int fd = c_file(c);

	IS(c_fallocate(c, fd, KEEP, 1, c->page), -EINVAL);
	IS(c_fallocate(c, fd, KEEP, 0, c->page + 1), -EINVAL);
	IS(c_fallocate(c, fd, PUNCH, c->page / 2, c->page), -EINVAL);
	IS(c_fallocate(c, fd, PUNCH, 0, c->page / 2), -EINVAL);
}

static void bad_length(struct conform *c)
{
	int fd = c_file(c);

	IS(c_fallocate(c, fd, KEEP, 0, 0), -EINVAL);
	IS(c_fallocate(c, fd, PUNCH, 0, 0), -EINVAL);
	IS(c_fallocate(c, fd, KEEP, 0, 1ULL << 63), -EINVAL);
	IS(c_fallocate(c, fd, KEEP, 1ULL << 63, c->page), -EINVAL);
	IS(c_fallocate(c, fd, KEEP, UINT64_MAX - c->page + 1, c->page),
	   -EINVAL);
}

static void too_far(struct conform *c)
{
	int fd = c_file(c);

	IS(c_fallocate(c, fd, KEEP, INT64_MAX - c->page + 1, c->page), -EFBIG);
	IS(c_fallocate(c, fd, PUNCH, INT64_MAX - c->page + 1, 2 * c->page),
	   -EFBIG);
}

static void allocate_beyond_the_end(struct conform *c)
{
	int fd = c_file(c);

	IS(c_fallocate(c, fd, KEEP, 0, (PAGES + 1) * c->page), -EINVAL);
	IS(c_fallocate(c, fd, KEEP, PAGES * c->page, c->page), -EINVAL);
	PAGES_ARE(fd, 0);
	IS(c_fallocate(c, fd, KEEP, 0, PAGES * c->page), 0);
	PAGES_ARE(fd, PAGES);
}

static void punch_beyond_the_end(struct conform *c)
{
	int fd = c_file(c);

	IS(c_fallocate(c, fd, KEEP, 0, 4 * c->page), 0);
	IS(c_fallocate(c, fd, PUNCH, 2 * PAGES * c->page, c->page), 0);
	PAGES_ARE(fd, 4);
	IS(c_fallocate(c, fd, PUNCH, 2 * c->page, 2 * PAGES * c->page), 0);
	PAGES_ARE(fd, 2);
	IS(c_fallocate(c, fd, PUNCH, 0, INT64_MAX - c->page + 1), 0);
	PAGES_ARE(fd, 0);
}

static void allocate_twice(struct conform *c)
{
	int fd = c_file(c);

	IS(c_fallocate(c, fd, KEEP, 0, 4 * c->page), 0);
	IS(c_fallocate(c, fd, KEEP, 2 * c->page, 4 * c->page), 0);
	PAGES_ARE(fd, 6);
}

static void punch_under_a_mapping(struct conform *c)
{
	unsigned char *p;
	int fd = c_file(c);

	IS(c_view(c, fd, &p), 0);
	p[0] = 1;
	p[c->page] = 2;
	IS(c_fallocate(c, fd, PUNCH, 0, c->page), 0);
	IS(p[0], 0);
	IS(p[c->page], 2);
}

static void punch_keeps_the_binding(struct conform *c)
{
	int fd = c_file(c);

	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), 0);
	IS(c_fallocate(c, fd, PUNCH, 0, c->page), 0);
	IS(c_bind(c, c->vm, 1, c->page, c->page, fd, 0),
	   c->version >= 702 ? -EEXIST : -EINVAL);
}

static void punch_keeps_it_shared(struct conform *c)
{
	unsigned char *p;
	int fd = c_create(c, c_vm(c, 0), PAGES * c->page, SHARED);

	IS(c_view(c, fd, &p), 0);
	IS(c_fallocate(c, fd, PUNCH, 0, PAGES * c->page), 0);
	IS(c_touch(p, true), 0);
	fd = c_create(c, c_vm(c, 0), PAGES * c->page, UAPI_FLAG_MMAP);
	IS(c_view(c, fd, &p), 0);
	IS(c_fallocate(c, fd, KEEP, 0, c->page), 0);
	IS(c_fallocate(c, fd, PUNCH, 0, c->page), 0);
	IS(c_touch(p, true), 2);
}

static void interrupted(struct conform *c)
{
	uint64_t len = 4ULL << 30;
	int fd = c_create(c, c->vm, len, c->flags);
	int64_t n = 0;

	/* A signal that waits already ends it before the first page. */
	for (int i = 0; n == 0 && i < ATTEMPTS; i++) {
		IS(c_allocate_interrupted(c, fd, len), -EINTR);
		n = c_resident(c, fd, 0, 0);
	}
	IS(n > 0 && n < (int64_t)(len / c->page), 1);
	IS(c_fallocate(c, fd, PUNCH, 0, len), 0);
}

static void not_in_page_tables(struct conform *c)
{
	unsigned char *p, vec[PAGES];
	int fd = c_file(c);

	IS(c_view(c, fd, &p), 0);
	IS(c_fallocate(c, fd, KEEP, 0, PAGES * c->page), 0);
	IS(c_mincore(c, p, PAGES * c->page, vec), 0);
	for (size_t i = 0; i < PAGES; i++)
		IS(vec[i] & 1, 0);
}

static void on_other_descriptors(struct conform *c)
{
	IS(c_fallocate(c, c->device, KEEP, 0, c->page) < 0, 1);
	IS(c_fallocate(c, c->vm, KEEP, 0, c->page), -ENODEV);
	IS(c_fallocate(c, -1, KEEP, 0, c->page), -EBADF);
}

const struct conform_case space_cases[] = {
	{ "fallocate: EOPNOTSUPP for other modes", "other_modes", NEED_GMEM,
	  other_modes },
	{ "fallocate: EINVAL alignment", "unaligned", NEED_GMEM, unaligned },
	{ "fallocate: EINVAL length, offset", "bad_length", NEED_GMEM,
	  bad_length },
	{ "fallocate: EFBIG beyond the VFS's limit", "too_far", NEED_GMEM,
	  too_far },
	{ "fallocate: EINVAL beyond the end", "allocate_beyond_the_end",
	  NEED_GMEM, allocate_beyond_the_end },
	{ "fallocate: punching beyond the end; trap: punch",
	  "punch_beyond_the_end", NEED_GMEM | NEED_RESIDENCY,
	  punch_beyond_the_end },
	{ "fallocate: allocating", "allocate_twice", NEED_GMEM | NEED_RESIDENCY,
	  allocate_twice },
	{ "fallocate: punching under a mapping", "punch_under_a_mapping",
	  NEED_MMAP, punch_under_a_mapping },
	{ "fallocate: punching keeps bindings", "punch_keeps_the_binding",
	  NEED_GMEM, punch_keeps_the_binding },
	{ "fallocate: punching keeps attributes", "punch_keeps_it_shared",
	  NEED_MMAP, punch_keeps_it_shared },
	{ "fallocate: EINTR; trap: EINTR", "interrupted",
	  NEED_GMEM | NEED_RESIDENCY, interrupted },
	{ "fallocate: fills no page tables", "not_in_page_tables", NEED_MMAP,
	  not_in_page_tables },
	{ "fallocate: on other descriptors", "on_other_descriptors", NEED_GMEM,
	  on_other_descriptors },
	{ 0 },
};
