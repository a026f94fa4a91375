// SPDX-License-Identifier: MIT
/* Files of huge pages, and the pools that they come from. */
#include <string.h>

#include "side.h"

#define PICK(table, b) ((table)[(b) % ARRAY_SIZE(table)])

static const uint64_t huge_sizes[] = { 2ULL << 20, 1ULL << 30 };

#define HUGE_NODES 2 /* no profile is run with more */

void side_pools(struct side *s, uint64_t free[2])
{
	for (size_t i = 0; i < ARRAY_SIZE(huge_sizes); i++)
		if (gmem_model_get_pool(s->lib_vm, huge_sizes[i], &free[i],
					NULL) < 0)
			free[i] = UINT64_MAX;
}

/* What is free in each pool, and without memory on each of its nodes. */
uint64_t side_digest_pools(struct side *s)
{
	uint64_t h = 0, n, free[2];

	side_pools(s, free);
	for (size_t i = 0; i < ARRAY_SIZE(huge_sizes); i++) {
		h = side_hash(h, free[i]);
		for (uint32_t node = 0; node < HUGE_NODES; node++) {
			int r = gmem_model_get_node_pool(
				s->lib_vm, huge_sizes[i], node, &n, NULL);

			h = side_hash(h, r < 0 ? (uint64_t)r : n);
		}
	}
	return h;
}

bool side_has_all_back(struct side *s)
{
	uint64_t free[2];

	if (!s->encoding)
		return true;
	side_pools(s, free);
	return free[0] == s->huge[0] && free[1] == s->huge[1];
}

/*
 * By either encoding, right and wrong: one is the kernel's.  No size is one of
 * pages of 1 GiB, since memory for a page takes long there.
 */
static void op_raw(struct side *s, const uint8_t *a, struct result *r)
{
	static const uint64_t sizes[] = { 2ULL << 20,	 4ULL << 20,
					  6ULL << 20,	 1022ULL << 20,
					  3ULL << 20,	 64ULL << 20,
					  5122ULL << 20, 1000ULL << 20 };
	static const uint64_t rfc1[] = { 0x54000002, 0x78000002, 0x54000000,
					 0x50000002, 2,		 0x54000003 };
	static const uint64_t flags[] = { 4, 5, 4, 5, 6, 7, 0, 12 };
	const unsigned char order =
		(unsigned char)(21 - __builtin_ctzll(s->page));
	const unsigned char orders[] = { order, order, order + 9, 0, 1, 63 };
	struct gmem__create args = { .size = PICK(sizes, a[0]) };
	int *f = &s->files[a[2] % FILES];

	if (!s->encoding || *f >= 0) {
		r->ret = SKIPPED;
		return;
	}
	if ((s->encoding == GMEM_HUGETLB_RFC1) != (a[3] % 16 == 15)) {
		args.flags = PICK(rfc1, a[1] % 8 < 5 ? 0 : a[4]);
	} else {
		args.flags = PICK(flags, a[1]);
		memset(args.reserved, PICK(orders, a[4]), 1);
	}
	r->ret = s->sys->ioctl(s->priv, s->vm, GMEM__KVM_CREATE_GUEST_MEMFD,
			       &args);
	if (r->ret >= 0) {
		*f = (int)r->ret;
		r->ret = 0;
	}
}

static void op_lib(struct side *s, const uint8_t *a, struct result *r)
{
	static const uint64_t pages[] = { 1, 2, 3, 2, 1, 600 };
	struct gmem_create_opts o = {
		.sz = sizeof(o),
		.flags = a[1] % 2 ? GMEM_CREATE_MMAP : 0,
		.hugetlb_size = 2ULL << 20,
	};
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem **g = &s->lib_files[a[2] % LIB_FILES];
	uint64_t size = PICK(pages, a[0]) * o.hugetlb_size;

	if (!s->encoding || *g) {
		r->ret = SKIPPED;
		return;
	}
	r->ret = gmem_create(s->lib_vm, size, &o, g, &err);
	r->x[0] = err.reason;
	r->x[1] = err.value;
}

const struct op_type huge_ops[] = {
	{ "create_huge", 4, op_raw },
	{ "gmem_create_huge", 4, op_lib },
	{ NULL, 0, NULL },
};
