// SPDX-License-Identifier: MIT
/*
 * Shared memory that a program hands in for a DUAL region.  It is verified by
 * what the kernel does to it: only private anonymous memory can be wiped on
 * fork, only shared memory be mapped again.  What else it is mapped from,
 * /proc/self/maps says where it can be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "call.h"
#include "error.h"
#include "lines.h"
#include "range.h"
#include "region.h"
#include "uapi.h"
#include "vm.h"

/* fcntl(2): what neither fallocate(2) nor a mapping may change. */
#define SEALED (0x8 | 0x10) /* F_SEAL_WRITE, F_SEAL_FUTURE_WRITE */

struct given {
	const struct gmem__ctx *ctx;
	struct gmem__side *s;
	uint64_t size;
};

#define REFUSE(err, value, limit, ...) \
	gmem__fail(err, GMEM_REASON_SHARED_MEMORY, value, limit, __VA_ARGS__)

/* ---------------------------------------------------------------- file -- */

static int check_seals(const struct given *g, struct gmem_error *err)
{
	int seals = gmem__seals(g->ctx, g->s->fd);

	if (seals < 0)
		return gmem__fail_call(err, seals, "fcntl(F_GET_SEALS)");
	if (!(seals & SEALED))
		return 0;
	return REFUSE(err, (uint64_t)seals, SEALED,
		      "the file of the shared memory, fd %d, is sealed against "
		      "writing, 0x%x: no page of it could be freed",
		      g->s->fd, (unsigned int)seals);
}

static int check_type(const struct given *g, const struct gmem__stat *st,
		      struct gmem_error *err)
{
	struct gmem__side *s = g->s;
	uint64_t magic = 0;
	int r = gmem__fstatfs(g->ctx, s->fd, &magic);

	if (r < 0)
		return gmem__fail_call(err, r, "fstatfs of the shared memory");
	if (S_ISREG(st->mode) && magic == GMEM__MAGIC_TMPFS) {
		s->type = GMEM_SHARED_SIDE_SHMEM;
		return 0;
	}
	if (S_ISREG(st->mode) && magic == GMEM__MAGIC_HUGETLBFS &&
	    st->block >= g->ctx->page_size && !(st->block & (st->block - 1))) {
		s->type = GMEM_SHARED_SIDE_HUGETLB;
		s->page_size = st->block;
		return 0;
	}
	return REFUSE(err, (uint64_t)s->fd, magic,
		      "fd %d is no memfd and no file of tmpfs or hugetlbfs: "
		      "its file system has the magic 0x%" PRIx64,
		      s->fd, magic);
}

static int check_shared_file(const struct given *g, struct gmem_error *err)
{
	struct gmem__side *s = g->s;
	struct gmem__stat st = { 0 };
	int r = gmem__status_flags(g->ctx, s->fd);

	if (r < 0)
		return gmem__fail_call(err, r, "fcntl of the shared memory");
	if ((r & O_ACCMODE) != O_RDWR)
		return REFUSE(err, (uint64_t)s->fd, (uint64_t)r,
			      "fd %d is not open for reading and writing",
			      s->fd);
	r = gmem__fstat(g->ctx, s->fd, &st);
	if (r < 0)
		return gmem__fail_call(err, r, "fstat of the shared memory");
	s->ino = st.ino;
	s->dev = st.dev;
	r = check_type(g, &st, err);
	if (r < 0 || (r = check_seals(g, err)) < 0)
		return r;
	if (s->offset <= st.size && g->size <= st.size - s->offset)
		return 0;
	return REFUSE(err, st.size, s->offset,
		      "the shared memory needs 0x%" PRIx64
		      " bytes from 0x%" PRIx64 " on, its file has 0x%" PRIx64,
		      g->size, s->offset, st.size);
}

/* -------------------------------------------------------------- memory -- */

/* Whether it is private, anonymous memory, which no fork wipes after that. */
static int is_anonymous(const struct given *g, bool *yes,
			struct gmem_error *err)
{
	void *p = g->s->addr;
	int wipe = gmem__madvise(g->ctx, p, g->size, MADV_WIPEONFORK);
	int keep = gmem__madvise(g->ctx, p, g->size, MADV_KEEPONFORK);

	if (keep == -ENOMEM)
		return REFUSE(err, (uintptr_t)p, g->size,
			      "0x%" PRIx64 " bytes from 0x%" PRIxPTR
			      " on are not all mapped",
			      g->size, (uintptr_t)p);
	*yes = wipe != -EINVAL;
	if (keep < 0 || (wipe < 0 && *yes))
		return gmem__fail_call(err, keep < 0 ? keep : wipe,
				       "madvise(MADV_WIPEONFORK)");
	return 0;
}

/* Of huge pages the kernel does not say. */
static int is_shared(const struct given *g, struct gmem_error *err)
{
	uint64_t page = g->ctx->page_size;
	void *p = NULL;
	int r;

	if (g->s->type == GMEM_SHARED_SIDE_HUGETLB)
		return 0;
	r = gmem__map_again(g->ctx, g->s->addr, page, &p);
	if (r == 0)
		(void)gmem__munmap(g->ctx, p, page);
	else if (r == -EINVAL || r == -EFAULT)
		return REFUSE(err, (uintptr_t)g->s->addr, g->size,
			      "the memory at 0x%" PRIxPTR
			      " is mapped from a file with MAP_PRIVATE, or "
			      "from a device, or has huge pages and no fd",
			      (uintptr_t)g->s->addr);
	else if (r < 0)
		return gmem__fail_call(err, r, "mremap of the shared memory");
	return 0;
}

/* A mapping of this process: a line of /proc/self/maps. */
struct line {
	uint64_t start, end, offset, major, minor, ino;
	char how[5]; /* "rw-s" */
};

static int check_line(const struct given *g, const struct line *l, uint64_t pos,
		      struct gmem_error *err)
{
	const struct gmem__side *s = g->s;
	bool shared = s->type != GMEM_SHARED_SIDE_ANON;
	uint64_t offset = s->offset + (pos - (uintptr_t)s->addr);

	if (l->how[0] != 'r' || l->how[1] != 'w' ||
	    (l->how[3] == 's') != shared)
		return REFUSE(err, pos, 0,
			      "the memory at 0x%" PRIx64 " is mapped %s, not "
			      "rw-%c",
			      pos, l->how, shared ? 's' : 'p');
	/* The kernel's own file systems, shmem is one, are on no device. */
	if (s->fd < 0 && (shared ? l->major == 0 : l->ino == 0))
		return 0;
	if (s->fd < 0 && shared)
		return REFUSE(err, pos, l->major,
			      "the memory at 0x%" PRIx64
			      " is of a file on device %" PRIu64 ":%" PRIu64
			      ", not of a memfd or of tmpfs",
			      pos, l->major, l->minor);
	if (s->fd >= 0 && l->ino == s->ino &&
	    makedev((unsigned int)l->major, (unsigned int)l->minor) == s->dev &&
	    l->offset + (pos - l->start) == offset)
		return 0;
	return REFUSE(err, pos, offset,
		      "the memory at 0x%" PRIx64
		      " is not what fd %d has at offset 0x%" PRIx64,
		      pos, s->fd, offset);
}

/* The number at *@p and @end behind it, both of which are skipped. */
static bool number(const char **p, unsigned int base, char end, uint64_t *out)
{
	static const char digits[] = "0123456789abcdef";
	const char *from = *p, *digit;

	for (*out = 0; **p && (digit = strchr(digits, **p)) != NULL &&
		       digit < digits + base;
	     (*p)++) {
		if (*out > (UINT64_MAX - 15) / base)
			return false;
		*out = *out * base + (uint64_t)(digit - digits);
	}
	return *p > from && *(*p)++ == end;
}

static bool parse(const char *text, struct line *l)
{
	if (!number(&text, 16, '-', &l->start) ||
	    !number(&text, 16, ' ', &l->end) || strnlen(text, 5) < 5 ||
	    text[4] != ' ')
		return false;
	memcpy(l->how, text, 4);
	l->how[4] = '\0';
	text += 5;
	return number(&text, 16, ' ', &l->offset) &&
	       number(&text, 16, ':', &l->major) &&
	       number(&text, 16, ' ', &l->minor) &&
	       number(&text, 10, ' ', &l->ino);
}

/* Goes through the mappings behind the memory, which are in order. */
static int check_maps(const struct given *g, struct gmem_error *err)
{
	uint64_t pos = (uintptr_t)g->s->addr, end = pos + g->size;
	struct gmem__lines lines;
	const char *text;
	struct line l;
	int r = 0;

	g->s->unverified = true;
	if (gmem__lines_open(&lines, g->ctx, "/proc/self/maps") < 0)
		return 0;
	while (r == 0 && pos < end &&
	       (text = gmem__lines_next(&lines)) != NULL) {
		if (!parse(text, &l))
			break;
		if (l.end <= pos || l.start > pos)
			continue;
		r = check_line(g, &l, pos, err);
		pos = l.end;
	}
	gmem__lines_close(&lines);
	g->s->unverified = pos < end;
	return r;
}

static int check_memory(const struct given *g, struct gmem_error *err)
{
	struct gmem__side *s = g->s;
	bool anonymous = false;
	int r = is_anonymous(g, &anonymous, err);

	if (r < 0)
		return r;
	if (anonymous && s->fd >= 0)
		return REFUSE(err, (uintptr_t)s->addr, (uint64_t)s->fd,
			      "the memory at 0x%" PRIxPTR
			      " is private, and not that of fd %d",
			      (uintptr_t)s->addr, s->fd);
	if (!anonymous) {
		r = is_shared(g, err);
		if (r < 0)
			return r;
		if (s->fd < 0)
			s->type = GMEM_SHARED_SIDE_SHMEM;
	}
	r = check_maps(g, err);
	if (r < 0 || !s->unverified || s->type != GMEM_SHARED_SIDE_HUGETLB)
		return r;
	return REFUSE(err, (uintptr_t)s->addr, (uint64_t)s->fd,
		      "whether the huge pages at 0x%" PRIxPTR
		      " are shared cannot be found out without "
		      "/proc/self/maps; hand in fd %d without an address",
		      (uintptr_t)s->addr, s->fd);
}

/* --------------------------------------------------------------- given -- */

static int check_place(const struct given *g, struct gmem_error *err)
{
	uint64_t addr = (uintptr_t)g->s->addr, page = g->s->page_size;
	int r = gmem__aligned("shared", addr, page, err);

	if (r == 0)
		r = gmem__aligned("shared_offset", g->s->offset, page, err);
	if (r == 0)
		r = gmem__aligned("size", g->size, page, err);
	if (r < 0 ||
	    (addr + g->size >= addr && g->s->offset <= INT64_MAX - g->size))
		return r;
	return REFUSE(err, addr, g->s->offset,
		      "the shared memory at 0x%" PRIx64 " or its offset, "
		      "0x%" PRIx64 ", and 0x%" PRIx64 " bytes overflow",
		      addr, g->s->offset, g->size);
}

int gmem__region_given(const struct gmem_vm *vm,
		       const struct gmem_region_opts *o, uint64_t size,
		       struct gmem__side *s, struct gmem_error *err)
{
	struct given g = { .ctx = &vm->ctx, .s = s, .size = size };
	bool file = o->flags & GMEM_REGION_SHARED_FD;
	int r;

	*s = (struct gmem__side){
		.type = GMEM_SHARED_SIDE_ANON,
		.fd = file ? o->shared_fd : -1,
		.offset = o->shared_offset,
		.addr = o->shared,
		.page_size = vm->ctx.page_size,
	};
	if (!file && (o->shared_fd || o->shared_offset))
		return REFUSE(err, (uint64_t)o->shared_fd, o->shared_offset,
			      "a descriptor, %d, or an offset, 0x%" PRIx64
			      ", is given without the flag %s",
			      o->shared_fd, o->shared_offset,
			      gmem_name(GMEM_NAME_REGION_FLAG,
					GMEM_REGION_SHARED_FD));
	if (!file && !o->shared)
		return 0;
	r = check_place(&g, err);
	if (r == 0 && file)
		r = check_shared_file(&g, err);
	if (r == 0 && s->page_size != vm->ctx.page_size)
		r = check_place(&g, err);
	return r == 0 && s->addr ? check_memory(&g, err) : r;
}

static bool ranges_overlap(uint64_t a, uint64_t a_len, uint64_t b,
			   uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

int gmem__region_given_once(const struct gmem *g, const struct gmem__side *s,
			    struct gmem_error *err)
{
	const struct gmem *o;

	for (o = g->vm->files; o; o = o->next) {
		const struct gmem_region *r = gmem__region_of(o);
		const unsigned char *mem;
		bool same = false;

		if (!r || o == g)
			continue;
		/* One that is being made has not mapped its own yet. */
		mem = r->side.addr
			      ? r->side.addr
			      : __atomic_load_n(&r->shared, __ATOMIC_RELAXED);
		if (s->addr && mem)
			same = ranges_overlap((uintptr_t)s->addr, g->size,
					      (uintptr_t)mem, o->size);
		if (s->fd >= 0 && r->side.fd >= 0 && s->ino == r->side.ino &&
		    s->dev == r->side.dev)
			same |= ranges_overlap(s->offset, g->size,
					       r->side.offset, o->size);
		if (same)
			return REFUSE(err, (uintptr_t)s->addr, s->offset,
				      "another region of this VM has some of "
				      "the shared memory, which it would free");
	}
	return 0;
}
