// SPDX-License-Identifier: MIT
/* The library's calls. */
#include <fcntl.h>
#include <string.h>

#include "side.h"

#define PICK(table, b) ((table)[(b) % ARRAY_SIZE(table)])

/* What both kernels must agree on beside the code. */
static void keep_error(const struct gmem_error *err, int64_t code,
		       struct result *r)
{
	r->ret = code;
	r->x[0] = err->reason;
	r->x[1] = (uint64_t)err->sys_errno | (uint64_t)err->flags << 32;
	r->x[2] = err->done;
}

static const unsigned long node_0 = 1;
static const struct gmem_mempolicy on_node_0 = {
	.sz = sizeof(on_node_0),
	.mode = GMEM_MPOL_BIND,
	.nodes = &node_0,
	.max_node = 2,
};

static struct gmem *pick_file(struct side *s, uint8_t b)
{
	for (int i = 0; i < LIB_FILES; i++) {
		struct gmem *g = s->lib_files[(b + i) % LIB_FILES];

		if (g)
			return g;
	}
	return NULL;
}

#define FILE_OR_SKIP(g, b)                \
	struct gmem *g = pick_file(s, b); \
	if (!g) {                         \
		r->ret = SKIPPED;         \
		return;                   \
	}

static void op_features(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_feature_info info = { .sz = sizeof(info) };
	int code = gmem_vm_feature(s->lib_vm, a[0] % 40, &info, &err);

	keep_error(&err, code, r);
	r->x[3] = side_hash((uint64_t)info.answer, info.support);
}

static void op_create(struct side *s, const uint8_t *a, struct result *r)
{
	const uint64_t p = s->page,
		       sizes[] = { PAGES * p, PAGES * p, 64 * p,     PAGES * p,
				   0,	      p / 2,	 1ULL << 63, p };
	const uint64_t f = s->flags;
	const uint64_t flags[] = { f,	    f, f, f, 0x200,	0x101,
				   0x10003, 0, 1, 2, 1ULL << 40 };
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = PICK(flags, a[1]) };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem **g = &s->lib_files[a[2] % LIB_FILES];

	if (*g) {
		r->ret = SKIPPED;
		return;
	}
	if (a[3] % 16 == 15)
		o.hugetlb_size = 1ULL << (a[4] % 40);
	keep_error(&err, gmem_create(s->lib_vm, PICK(sizes, a[0]), &o, g, &err),
		   r);
}

static void op_adopt(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o), .flags = a[1] % 4 };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem **g = &s->lib_files[a[2] % LIB_FILES];
	int from = pick_fd(s, a[0]), fd;

	if (*g || from < 0) {
		r->ret = SKIPPED;
		return;
	}
	fd = fcntl(from, F_DUPFD_CLOEXEC, 0);
	keep_error(&err, gmem_adopt(s->lib_vm, fd, &o, g, &err), r);
	if (r->ret < 0)
		(void)s->sys->close(s->priv, fd);
}

static void op_close(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem **g = &s->lib_files[a[0] % LIB_FILES];

	if (!*g || a[1] % 2) {
		r->ret = SKIPPED;
		return;
	}
	keep_error(&err, gmem_close(*g, &err), r);
	if (r->ret == 0)
		*g = NULL;
}

static void op_bind(struct side *s, const uint8_t *a, struct result *r)
{
	static const uint32_t slots[] = { 0, 1, 2, 0, 1, 2, 40000, -15 };
	static const uint64_t flags[] = { 0,	  0,	  0,	   0,
					  0,	  1,	  2,	   1 << 2,
					  1 << 3, 1 << 4, 1 << 16, 1 << 20 };
	struct gmem_error err = { .sz = sizeof(err) };
	FILE_OR_SKIP(g, a[0])
	struct gmem_slot slot = {
		.sz = sizeof(slot),
		.slot = LIB_SLOT + PICK(slots, a[1]),
		.address_space = a[6] % 16 == 15,
		.gpa = pick_gpa(s, a[2]),
		.len = pick_len(s, a[5]),
		.offset = pick_offset(s, a[3]),
		.gmem = g,
		.flags = PICK(flags, a[4]),
	};

	if (s->limits.spaces && slot.address_space) {
		r->ret = SKIPPED;
		return;
	}
	keep_error(&err, gmem_bind(&slot, &err), r);
}

static void op_unbind(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	FILE_OR_SKIP(g, a[0])

	keep_error(&err,
		   gmem_unbind(s->lib_vm, LIB_SLOT + a[1] % 4, 0, 0, &err), r);
}

static void op_set_attributes(struct side *s, const uint8_t *a,
			      struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t offset = pick_offset(s, a[1]), len = pick_len(s, a[2]);
	FILE_OR_SKIP(g, a[0])

	struct gmem_attributes_opts o = {
		.sz = sizeof(o),
		.flags = a[3] & 4 ? GMEM_ATTRIBUTES_UNBACKED : 0,
	};

	keep_error(&err,
		   gmem_set_attributes(g, offset, len,
				       a[3] % 2 ? GMEM_ATTRIBUTE_PRIVATE
						: GMEM_ATTRIBUTE_SHARED,
				       &o, &err),
		   r);
}

static void op_get_attributes(struct side *s, const uint8_t *a,
			      struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t attributes = 0, run = 0;
	FILE_OR_SKIP(g, a[0])

	keep_error(&err,
		   gmem_get_attributes(g, pick_offset(s, a[1]),
				       pick_len(s, a[2]), &attributes, &run,
				       &err),
		   r);
	r->x[3] = side_hash(attributes, run);
}

static void op_mmap(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o), .flags = a[3] % 4 };
	struct gmem_error err = { .sz = sizeof(err) };
	int i = a[4] % LIB_MAPS;
	void *p;
	FILE_OR_SKIP(g, a[0])

	if (s->lib_maps[i].addr) {
		r->ret = SKIPPED;
		return;
	}
	s->lib_maps[i].len = pick_len(s, a[2]);
	keep_error(&err,
		   gmem_mmap(g, pick_offset(s, a[1]), s->lib_maps[i].len, &o,
			     &p, &err),
		   r);
	if (r->ret < 0)
		return;
	s->lib_maps[i].g = g;
	s->lib_maps[i].addr = p;
}

static void op_munmap(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	int i = a[0] % LIB_MAPS;

	if (!s->lib_maps[i].addr) {
		r->ret = SKIPPED;
		return;
	}
	if (a[1] % 8 == 7) {
		keep_error(&err,
			   gmem_munmap(s->lib_maps[i].g,
				       s->lib_maps[i].addr + 1, &err),
			   r);
		return;
	}
	keep_error(&err,
		   gmem_munmap(s->lib_maps[i].g, s->lib_maps[i].addr, &err), r);
	s->lib_maps[i].addr = NULL;
}

static void op_read(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	unsigned char buf[3 * 4096] = { 0 };
	FILE_OR_SKIP(g, a[0])

	keep_error(&err,
		   gmem_read(g, pick_offset(s, a[1]) + a[2], buf,
			     (size_t)a[3] * 48, &err),
		   r);
	for (size_t i = 0; i < sizeof(buf); i += 16)
		r->x[3] = side_hash(r->x[3], buf[i]);
}

static void op_write(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	unsigned char buf[3 * 4096];
	FILE_OR_SKIP(g, a[0])

	memset(buf, a[4], sizeof(buf));
	keep_error(&err,
		   gmem_write(g, pick_offset(s, a[1]) + a[2], buf,
			      (size_t)a[3] * 48, &err),
		   r);
}

static void op_populate(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.threads = a[3] % 8 == 7 ? 2 : 0 };
	struct gmem_error err = { .sz = sizeof(err) };
	FILE_OR_SKIP(g, a[0])

	if (a[4] % 8 == 7)
		o.policy = &on_node_0;
	keep_error(&err,
		   gmem_populate(g, pick_offset(s, a[1]), pick_len(s, a[2]), &o,
				 &err),
		   r);
}

static void op_discard(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	FILE_OR_SKIP(g, a[0])

	keep_error(&err,
		   gmem_discard(g, pick_offset(s, a[1]), pick_len(s, a[2]),
				NULL, &err),
		   r);
}

static void op_resident(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_residency out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };
	FILE_OR_SKIP(g, a[0])

	keep_error(&err,
		   gmem_resident(g, pick_offset(s, a[1]), pick_len(s, a[2]),
				 &out, &err),
		   r);
	r->x[3] = out.flags;
	if (!s->limits.residency)
		r->x[3] += out.bytes;
}

static int hash_run(void *arg, uint64_t offset, uint64_t len)
{
	uint64_t *hash = arg;

	*hash = side_hash(side_hash(*hash, offset), len);
	return 0;
}

static void op_walk(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t hash = 0;
	FILE_OR_SKIP(g, a[0])

	if (s->limits.residency) {
		r->ret = SKIPPED;
		return;
	}
	keep_error(&err,
		   gmem_walk_resident(g, pick_offset(s, a[1]),
				      pick_len(s, a[2]), hash_run, &hash, &err),
		   r);
	r->x[3] = hash;
}

static void op_set_mempolicy(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_error err = { .sz = sizeof(err) };
	unsigned long nodes = a[4] % 4;
	struct gmem_mempolicy p = { .sz = sizeof(p),
				    .mode = a[3] % 8,
				    .nodes = &nodes,
				    .max_node = 8 };
	FILE_OR_SKIP(g, a[0])

	keep_error(&err,
		   gmem_set_mempolicy(g, pick_offset(s, a[1]),
				      pick_len(s, a[2]), &p, a[5] % 2, &err),
		   r);
	if (r->ret >= 0)
		side_policy(s, (int)p.mode, nodes);
}

static void op_verify(struct side *s, const uint8_t *a, struct result *r)
{
	struct gmem_placement out = { .sz = sizeof(out) };
	struct gmem_error err = { .sz = sizeof(err) };
	FILE_OR_SKIP(g, a[0])

	if (s->spread) {
		r->ret = SKIPPED;
		return;
	}
	keep_error(&err,
		   gmem_verify_placement(
			   g, pick_offset(s, a[1]), pick_len(s, a[2]),
			   a[3] % 2 ? &on_node_0 : NULL, &out, &err),
		   r);
	r->x[3] = side_hash(
		out.resident,
		side_hash(out.misplaced, side_hash(out.unknown, out.verdict)));
}

const struct op_type lib_ops[] = {
	{ "gmem_vm_feature", 1, op_features },
	{ "gmem_create", 8, op_create },
	{ "gmem_adopt", 2, op_adopt },
	{ "gmem_close", 3, op_close },
	{ "gmem_bind", 6, op_bind },
	{ "gmem_unbind", 4, op_unbind },
	{ "gmem_set_attributes", 2, op_set_attributes },
	{ "gmem_get_attributes", 2, op_get_attributes },
	{ "gmem_mmap", 4, op_mmap },
	{ "gmem_munmap", 3, op_munmap },
	{ "gmem_read", 4, op_read },
	{ "gmem_write", 4, op_write },
	{ "gmem_populate", 3, op_populate },
	{ "gmem_discard", 4, op_discard },
	{ "gmem_resident", 3, op_resident },
	{ "gmem_walk_resident", 2, op_walk },
	{ "gmem_set_mempolicy", 2, op_set_mempolicy },
	{ "gmem_verify_placement", 2, op_verify },
	{ NULL, 0, NULL },
};
