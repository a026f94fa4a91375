// SPDX-License-Identifier: MIT
/* The kernel's own calls. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "side.h"

#define PICK(table, b) ((table)[(b) % ARRAY_SIZE(table)])

static int vm_of(const struct side *s, uint8_t b)
{
	return b % 8 == 7 ? s->other_vm : s->vm;
}

static void op_create(struct side *s, const uint8_t *a, struct result *r)
{
	const uint64_t p = s->page;
	const uint64_t good[] = { PAGES * p, PAGES * p, 64 * p, p };
	const uint64_t odd[] = { 0, p / 2, p + 1, 1ULL << 63, -p };
	struct gmem__create args = {
		.size = a[0] < 216 ? PICK(good, a[0]) : PICK(odd, a[0]),
		.flags = pick_flags(s, a[1]),
	};
	int *f = &s->files[a[2] % FILES];

	if (*f >= 0)
		(void)s->sys->close(s->priv, *f);
	*f = -1;
	if (a[3] % 8 == 7)
		memset(args.reserved, a[4], sizeof(args.reserved));
	r->ret = s->sys->ioctl(s->priv, vm_of(s, a[5]),
			       GMEM__KVM_CREATE_GUEST_MEMFD,
			       a[6] % 32 == 31 ? (void *)8 : (void *)&args);
	if (r->ret >= 0) {
		*f = (int)r->ret;
		r->ret = 0;
	}
}

static void op_close(struct side *s, const uint8_t *a, struct result *r)
{
	int *f = &s->files[a[0] % FILES];

	if (*f < 0 || a[1] % 4) {
		r->ret = SKIPPED;
		return;
	}
	r->ret = s->sys->close(s->priv, *f);
	*f = -1;
}

static void op_dup(struct side *s, const uint8_t *a, struct result *r)
{
	int *f = &s->files[a[0] % FILES], from = pick_fd(s, a[1]);

	if (*f >= 0 || from < 0) {
		r->ret = SKIPPED;
		return;
	}
	*f = fcntl(from, F_DUPFD, 0);
	r->ret = *f < 0 ? -errno : 0;
}

static void op_extension(struct side *s, const uint8_t *a, struct result *r)
{
	static const unsigned long caps[] = {
		3,   81,  105, 201, 231, 232, 233,
		234, 235, 236, 244, 10,	 118, 9999
	};
	int fds[] = { s->vm, s->device, s->other_vm, pick_fd(s, a[1]) };
	unsigned long cap = PICK(caps, a[0]);

	if ((s->limits.slots && cap == GMEM__CAP_NR_MEMSLOTS) ||
	    (s->limits.spaces && cap == GMEM__CAP_MULTI_ADDRESS_SPACE)) {
		r->ret = SKIPPED;
		return;
	}
	r->ret = s->sys->ioctl(s->priv, PICK(fds, a[2]),
			       GMEM__KVM_CHECK_EXTENSION, (void *)cap);
}

/*
 * For @len bytes, no more than the mapping has: what follows it depends on the
 * process, and arm64 refuses the vDSO's data, which may be there.
 */
static uint64_t address(struct side *s, uint8_t b, uint64_t len)
{
	const struct side_map *m = pick_map(s, b);

	switch (b % 8) {
	case 5:
		return 0;
	case 6:
		return -s->page;
	case 7:
		return 1;
	default:
		return m && len <= m->len ? (uintptr_t)m->addr : 0;
	}
}

/* The number of the mapping that begins at @addr; 0: there is none. */
static uint64_t number_at(const struct side *s, uint64_t addr)
{
	for (int i = 0; i < MAPS; i++)
		if (s->maps[i].addr && (uintptr_t)s->maps[i].addr == addr)
			return s->maps[i].number;
	return 0;
}

static bool is_mapped(const struct side *s, uint64_t number)
{
	for (int i = 0; i < MAPS; i++)
		if (s->maps[i].addr && s->maps[i].number == number)
			return true;
	return false;
}

/* The number of the mapping that a slot leads to; 0: to none. */
static uint64_t *behind(struct side *s, int vm, uint32_t slot)
{
	unsigned int i = 0;

	while (raw_slots[i] != slot)
		i++;
	return &s->behind[vm == s->other_vm][i];
}

/*
 * Whether a slot keeps its address only by chance: a later mapping may be where
 * one was that is gone, and on the other side it may not.
 */
static bool by_chance(struct side *s, int vm, const struct gmem__region *r)
{
	uint64_t now = number_at(s, r->userspace_addr);
	uint64_t was = *behind(s, vm, r->slot);

	return was && now && was != now && !is_mapped(s, was);
}

static void note_slot(struct side *s, int vm, const struct gmem__region *r,
		      int64_t ret)
{
	if (ret == 0)
		*behind(s, vm, r->slot) =
			r->memory_size ? number_at(s, r->userspace_addr) : 0;
}

static void op_bind(struct side *s, const uint8_t *a, struct result *r)
{
	static const uint32_t flags[] = { 4, 4, 4, 4, 4, 4, 4,	4,
					  5, 6, 0, 1, 2, 3, 12, 1U << 16 };
	static const unsigned int slots[] = { 0,	 1, 2, 3,
					      0,	 1, 2, 3,
					      AFTER_X86, 1, 2, SECOND_SPACE };
	const unsigned int slot = PICK(slots, a[0]);
	struct gmem__region2 m = {
		.region = { .slot = raw_slots[slot],
			    .flags = PICK(flags, a[1]),
			    .guest_phys_addr = pick_gpa(s, a[2]),
			    .memory_size = pick_len(s, a[3]),
			    .userspace_addr =
				    address(s, a[4], pick_len(s, a[3])) },
		.guest_memfd_offset = pick_offset(s, a[5]),
		.guest_memfd = (uint32_t)pick_fd(s, a[6]),
	};
	const int vm = vm_of(s, a[9]);

	if (s->limits.offset_overflow && m.guest_memfd_offset <= INT64_MAX &&
	    m.guest_memfd_offset + m.region.memory_size > INT64_MAX) {
		r->ret = SKIPPED;
		return;
	}
	if ((s->limits.slots && slot == AFTER_X86) ||
	    (s->limits.spaces && slot == SECOND_SPACE) ||
	    by_chance(s, vm, &m.region)) {
		r->ret = SKIPPED;
		return;
	}
	if (a[7] % 8 == 7)
		memset(m.pad2, a[8], sizeof(m.pad2));
	r->ret = s->sys->ioctl(s->priv, vm, GMEM__KVM_SET_USER_MEMORY_REGION2,
			       &m);
	note_slot(s, vm, &m.region, r->ret);
}

static void op_bind1(struct side *s, const uint8_t *a, struct result *r)
{
	static const uint32_t flags[] = { 0, 0, 0, 0, 1, 2, 3, 4, 8 };
	struct gmem__region m = { .slot = raw_slots[a[0] % LOW_SLOTS],
				  .flags = PICK(flags, a[1]),
				  .guest_phys_addr = pick_gpa(s, a[2]),
				  .memory_size = pick_len(s, a[3]),
				  .userspace_addr =
					  address(s, a[4], pick_len(s, a[3])) };
	const int vm = vm_of(s, a[5]);

	if (by_chance(s, vm, &m)) {
		r->ret = SKIPPED;
		return;
	}
	r->ret = s->sys->ioctl(s->priv, vm, GMEM__KVM_SET_USER_MEMORY_REGION,
			       &m);
	note_slot(s, vm, &m, r->ret);
}

static void op_delete(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem__region2 m = {
		.region = { .slot = raw_slots[a[0] % LOW_SLOTS] },
		.guest_memfd = UINT32_MAX,
	};
	const int vm = vm_of(s, a[5]);

	if (a[1] % 4 == 3)
		m.region.flags = a[2] % 16;
	if (a[3] % 16 == 15)
		m.guest_memfd_offset = pick_offset(s, a[4]);
	r->ret = s->sys->ioctl(s->priv, vm, GMEM__KVM_SET_USER_MEMORY_REGION2,
			       &m);
	note_slot(s, vm, &m.region, r->ret);
}

/*
 * The kernel accepts attributes for a range of any length and stores them page
 * by page, which no signal ends: 2^52 pages hang the machine.  It refuses a
 * range that wraps before that.
 */
static bool walks_too_far(const struct side *s, uint64_t start, uint64_t len)
{
	return s->limits.walk && len > s->limits.walk && start + len >= start;
}

static void op_attributes(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem__attributes m = { .address = pick_gpa(s, a[0]),
				      .size = pick_len(s, a[1]),
				      .attributes = a[2] % 2 ? 8 : 0 };

	if (walks_too_far(s, m.address, m.size)) {
		r->ret = SKIPPED;
		return;
	}
	r->ret = s->sys->ioctl(s->priv, vm_of(s, a[3]),
			       GMEM__KVM_SET_MEMORY_ATTRIBUTES, &m);
}

static void op_attributes2(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem__attributes2 m = { .offset = pick_offset(s, a[0]),
				       .size = pick_len(s, a[1]),
				       .attributes = a[2] % 2 ? 8 : 0,
				       .error_offset = a[7] };

	if (a[4] % 16 == 15)
		m.flags = 1ULL << a[5] % 64;
	if (a[4] % 16 == 14)
		m.reserved[a[5] % ARRAY_SIZE(m.reserved)] = a[6];
	if (a[4] % 16 == 13)
		m.attributes |= 1ULL << a[5] % 64;
	r->ret = s->sys->ioctl(s->priv, pick_fd(s, a[3]),
			       GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &m);
	r->x[0] = m.error_offset;
}

static void op_garbage(struct side *s, const uint8_t *a, struct result *r)
{
	int fds[] = { s->vm, s->device, pick_fd(s, a[1]), -1 };

	/* 0xf0 and above: numbers that KVM has not given out */
	r->ret = s->sys->ioctl(s->priv, PICK(fds, a[2]),
			       GMEM__IO(0xf0 + a[0] % 16), NULL);
}

static void op_mmap(struct side *s, const uint8_t *a, struct result *r)
{
	static const int prots[] = { 3, 3, 3, 3, 1, 3, 3, 0, 2 };
	static const int flags[] = { MAP_SHARED, MAP_SHARED,
				     MAP_SHARED | MAP_POPULATE,
				     MAP_SHARED_VALIDATE,
				     MAP_SHARED | MAP_NORESERVE };
	static const int odd[] = { MAP_PRIVATE, MAP_SHARED | MAP_HUGETLB,
				   MAP_SHARED_VALIDATE | MAP_SYNC, 0 };
	struct side_map *m = &s->maps[a[0] % MAPS];
	void *p;

	if (m->addr)
		(void)s->sys->munmap(s->priv, m->addr, m->len);
	m->addr = NULL;
	m->len = pick_len(s, a[1]);
	r->ret = s->sys->mmap(s->priv, &p, m->len,
			      a[2] < 232 ? PICK(prots, a[2]) : 4 | a[2] % 4,
			      a[3] < 216 ? PICK(flags, a[3]) : PICK(odd, a[3]),
			      pick_fd(s, a[4]), pick_offset(s, a[5]));
	if (r->ret == 0) {
		m->addr = p;
		m->number = ++s->mapped;
	}
}

static void op_munmap(struct side *s, const uint8_t *a, struct result *r)
{
	struct side_map *m = pick_map(s, a[0]);
	uint64_t part;

	if (!m || a[1] % 2) {
		r->ret = SKIPPED;
		return;
	}
	part = a[2] % 2 ? s->page : m->len;
	if (a[3] % 16 == 15) {
		r->ret = s->sys->munmap(s->priv, m->addr + 1, part);
		return;
	}
	if (part >= m->len) {
		r->ret = s->sys->munmap(s->priv, m->addr, m->len);
		m->addr = NULL;
	} else if (a[3] % 2) {
		r->ret = s->sys->munmap(s->priv, m->addr, part);
		m->addr += part;
		m->len -= part;
		m->number = ++s->mapped;
	} else {
		uint64_t keep = (m->len - 1) / s->page * s->page;

		r->ret = s->sys->munmap(s->priv, m->addr + keep, m->len - keep);
		m->len = keep;
	}
}

/* A part of a mapping: its address, and a length inside of it. */
static unsigned char *part_of(struct side *s, uint8_t map, uint8_t from,
			      uint8_t len, uint64_t *n)
{
	struct side_map *m = pick_map(s, map);
	uint64_t pages, first;

	if (!m)
		return NULL;
	pages = (m->len + s->page - 1) / s->page;
	first = from % pages;
	*n = (1 + len % (pages - first)) * s->page;
	return m->addr + first * s->page;
}

static void op_madvise(struct side *s, const uint8_t *a, struct result *r)
{
	static const int advice[] = { MADV_DONTNEED,
				      MADV_REMOVE,
				      22,
				      23,
				      22,
				      23,
				      MADV_FREE,
				      25,
				      MADV_HUGEPAGE,
				      MADV_NOHUGEPAGE,
				      MADV_MERGEABLE,
				      MADV_COLD,
				      MADV_PAGEOUT,
				      MADV_DONTFORK,
				      MADV_DONTDUMP,
				      MADV_DODUMP,
				      MADV_WILLNEED,
				      9999 };
	uint64_t n = 0;
	unsigned char *p = part_of(s, a[0], a[1], a[2], &n);

	r->ret = SKIPPED;
	if (p)
		r->ret = s->sys->madvise(s->priv, p + (a[4] % 32 == 31), n,
					 PICK(advice, a[3]));
}

static void op_touch(struct side *s, const uint8_t *a, struct result *r)
{
	uint64_t n = 0;
	unsigned char *p = part_of(s, a[0], a[1], 0, &n);

	r->ret = SKIPPED;
	if (p)
		r->ret = side_touch(p + a[2], a[3] % 2 ? a[4] : -1);
}

static void op_vm_read(struct side *s, const uint8_t *a, struct result *r)
{
	unsigned char buf[3 * 4096] = { 0 };
	uint64_t n = 0;
	unsigned char *p = part_of(s, a[0], a[1], a[2], &n);

	r->ret = SKIPPED;
	if (!p)
		return;
	n = n > sizeof(buf) ? sizeof(buf) : n;
	r->ret = s->sys->vm_read(s->priv, buf, p, n);
	for (uint64_t i = 0; i < n; i += 64)
		r->x[0] = side_hash(r->x[0], buf[i]);
}

static void op_vm_write(struct side *s, const uint8_t *a, struct result *r)
{
	unsigned char buf[3 * 4096];
	uint64_t n = 0;
	unsigned char *p = part_of(s, a[0], a[1], a[2], &n);

	memset(buf, a[3], sizeof(buf));
	r->ret = SKIPPED;
	if (p)
		r->ret = s->sys->vm_write(s->priv, p, buf,
					  n > sizeof(buf) ? sizeof(buf) : n);
}

static void op_fallocate(struct side *s, const uint8_t *a, struct result *r)
{
	static const int modes[] = { 1, 1,  1,	1, 3,  3,  3,  0,
				     2, 16, 17, 8, 32, 64, 65, 1 << 20 };

	r->ret = s->sys->fallocate(s->priv, pick_fd(s, a[0]), PICK(modes, a[1]),
				   pick_offset(s, a[2]), pick_len(s, a[3]));
}

static void op_cachestat(struct side *s, const uint8_t *a, struct result *r)
{
	r->ret = s->sys->cachestat(s->priv, pick_fd(s, a[0]),
				   pick_offset(s, a[1]), pick_len(s, a[2]),
				   &r->x[0]);
	if (r->ret < 0)
		r->x[0] = 0;
}

static void op_fstat(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem__stat st = { 0 };

	r->ret = s->sys->fstat(s->priv, pick_fd(s, a[0]), &st);
	if (r->ret == 0) {
		r->x[0] = st.size;
		r->x[1] = st.mode;
	}
	if (s->sys->fstatfs(s->priv, pick_fd(s, a[0]), &r->x[2]) < 0)
		r->x[2] = 0;
}

static void op_read(struct side *s, const uint8_t *a, struct result *r)
{
	char byte;

	r->ret = s->sys->read(s->priv, pick_fd(s, a[0]), &byte, 1);
}

static void op_mincore(struct side *s, const uint8_t *a, struct result *r)
{
	unsigned char vec[256] = { 0 };
	uint64_t n = 0;
	unsigned char *p = part_of(s, a[0], a[1], a[2], &n);

	r->ret = SKIPPED;
	if (!p || n / s->page > sizeof(vec) || s->limits.residency)
		return;
	r->ret = s->sys->mincore(s->priv, p + (a[3] % 32 == 31), n, vec);
	for (uint64_t i = 0; r->ret == 0 && i < n / s->page; i++)
		r->x[0] = side_hash(r->x[0], vec[i] & 1);
}

static int pick_mode(uint8_t b)
{
	static const int modes[] = {
		0, 1, 2,  3,	       4,	    5,		 2,	      1,
		6, 7, -1, 2 | 1 << 15, 3 | 1 << 14, 2 | 3 << 14, 2 | 1 << 13, 3
	};

	return PICK(modes, b);
}

static unsigned long pick_nodes(uint8_t b)
{
	static const unsigned long nodes[] = { 1, 1, 1, 1, 1, 0, 2, 3 };

	return PICK(nodes, b);
}

static void op_mbind(struct side *s, const uint8_t *a, struct result *r)
{
	static const unsigned long max[] = { 1024, 1024, 1024, 2, 1, 0, 65 };
	unsigned long nodes[16] = { pick_nodes(a[4]) };
	unsigned int flags = a[6] % 8 == 7 ? a[8] % 16 : 0;
	uint64_t n = 0;
	unsigned char *p = part_of(s, a[0], a[1], a[2], &n);

	r->ret = SKIPPED;
	if (!p)
		return;
	if (s->spread)
		flags &= ~1U; /* strict: checks where pages are */
	if (s->limits.move_all)
		flags &= ~MOVE_ALL;
	r->ret = s->sys->mbind(s->priv, p + (a[7] % 32 == 31), n,
			       pick_mode(a[3]), nodes, PICK(max, a[5]), flags);
	if (r->ret == 0)
		side_policy(s, pick_mode(a[3]), nodes[0]);
}

static void op_get_mempolicy(struct side *s, const uint8_t *a, struct result *r)
{
	static const unsigned long flags[] = { 2, 2, 2, 0, 4, 6, 1, 8, 3 };
	unsigned long nodes[16] = { 0 }, f = PICK(flags, a[2]);
	uint64_t n = 0;
	unsigned char *p = part_of(s, a[0], a[1], 0, &n);
	int mode = -1;

	r->ret = SKIPPED;
	if (!p || (s->spread && (f & 1)))
		return;
	if (f != 2 && f != 3 && a[3] % 8)
		p = NULL;
	/* As below: a page that is mapped has a node, readable or not. */
	if (p && (f & 1))
		(void)side_touch(p, -1);
	r->ret = s->sys->get_mempolicy(s->priv, &mode, nodes, 1024, p, f);
	r->x[0] = (uint64_t)mode;
	r->x[1] = nodes[0];
}

static void op_set_mempolicy(struct side *s, const uint8_t *a, struct result *r)
{
	unsigned long nodes[16] = { pick_nodes(a[1]) };

	r->ret = s->sys->set_mempolicy(s->priv, pick_mode(a[0]), nodes, 1024);
	if (r->ret == 0)
		side_policy(s, pick_mode(a[0]), nodes[0]);
}

static void op_move_pages(struct side *s, const uint8_t *a, struct result *r)
{
	uint64_t n = 0;
	unsigned char *p = part_of(s, a[0], a[1], 0, &n);
	void *pages[2];
	int node[2] = { -1, -1 };

	r->ret = SKIPPED;
	if (!p)
		return;
	/* A memfd also maps what is around a page that is read. */
	(void)side_touch(p, -1);
	pages[0] = p;
	pages[1] = p + 7;
	r->ret = s->sys->move_pages(s->priv, 2, pages, NULL, node);
	r->x[0] = s->spread ? node[0] >= 0 : (uint64_t)node[0];
	r->x[1] = s->spread ? node[1] >= 0 : (uint64_t)node[1];
}

const struct op_type raw_ops[] = {
	{ "create", 10, op_create },
	{ "close", 4, op_close },
	{ "dup", 2, op_dup },
	{ "check_extension", 1, op_extension },
	{ "set_region2", 10, op_bind },
	{ "set_region", 4, op_bind1 },
	{ "delete", 6, op_delete },
	{ "attributes", 1, op_attributes },
	{ "attributes2", 3, op_attributes2 },
	{ "unknown_ioctl", 1, op_garbage },
	{ "mmap", 10, op_mmap },
	{ "munmap", 4, op_munmap },
	{ "madvise", 6, op_madvise },
	{ "touch", 8, op_touch },
	{ "vm_read", 3, op_vm_read },
	{ "vm_write", 3, op_vm_write },
	{ "fallocate", 12, op_fallocate },
	{ "cachestat", 4, op_cachestat },
	{ "fstat", 2, op_fstat },
	{ "read", 1, op_read },
	{ "mincore", 3, op_mincore },
	{ "mbind", 6, op_mbind },
	{ "get_mempolicy", 4, op_get_mempolicy },
	{ "set_mempolicy", 2, op_set_mempolicy },
	{ "move_pages", 2, op_move_pages },
	{ NULL, 0, NULL },
};
