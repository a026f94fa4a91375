/* SPDX-License-Identifier: MIT */
/*
 * The attribute record: what each page of a file is, since the kernel has no
 * call to ask.  Pure code: no system calls, no allocation; the caller provides
 * its memory, of which only the written parts become resident.
 *
 * Two bytes stand for each 512 MiB.  Where its pages differ, two bytes stand
 * for each 4 MiB, and say also that the pages differ once, and where.  Where
 * they differ more often, a bit a page says private or shared; where some have
 * no slot, a second bit a page says which.  All of it is indexed directly.  A
 * writer stores the lowest level first, each with release order, so lookups
 * take no lock: beside a writer they see each page as it was or as it will be.
 * Writers exclude one another.
 */
#ifndef GMEM_LIB_RECORD_H
#define GMEM_LIB_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum gmem__state {
	GMEM__UNSET = 0, /* fresh memory is zero: no slot, no state */
	GMEM__SHARED = 1,
	GMEM__PRIVATE = 2,
};

struct gmem__record {
	uint16_t *blocks;  /* one for each 512 MiB; NULL: all is .fixed */
	uint16_t *summary; /* one for each 4 MiB */
	uint64_t *leaf;	   /* a bit a page: 1 = private */
	uint64_t *bound;   /* a bit a page: 1 = the leaf bit counts */
	uint64_t size;	   /* bytes of the file */
	unsigned int page_shift;
	enum gmem__state fixed; /* the state of all, without .blocks */
	uint64_t bytes[3];	/* of each state; atomic */
};

/* Bytes of memory a record of @size needs; 0 if that is not representable. */
size_t gmem__record_bytes(uint64_t size, uint64_t page_size);

/* @mem: gmem__record_bytes() of zeroed memory, aligned to 64 bytes. */
void gmem__record_init(struct gmem__record *r, void *mem, uint64_t size,
		       uint64_t page_size);

/* A record without memory, of a file whose pages all stay @state. */
void gmem__record_fix(struct gmem__record *r, uint64_t size, uint64_t page_size,
		      enum gmem__state state);

/* Sets [@offset, @offset + @len): page aligned, inside the file. */
void gmem__record_set(struct gmem__record *r, uint64_t offset, uint64_t len,
		      enum gmem__state state);

/* The state of the page at @offset, which is inside the file. */
enum gmem__state gmem__record_get(const struct gmem__record *r,
				  uint64_t offset);

/* How many bytes have @state; without a lock. */
static inline uint64_t gmem__record_count(const struct gmem__record *r,
					  enum gmem__state state)
{
	if (!r->blocks)
		return r->fixed == state ? r->size : 0;
	return __atomic_load_n(&r->bytes[state], __ATOMIC_RELAXED);
}

/*
 * The state at @offset and in *@run how many of the @len bytes from there on
 * have it.  Looks at nothing beyond @offset + @len.
 */
enum gmem__state gmem__record_run(const struct gmem__record *r, uint64_t offset,
				  uint64_t len, uint64_t *run);

/*
 * The exported form: a header and runs, little endian, see
 * gmem_attributes_export(3).
 */
struct gmem__wire_info {
	uint64_t size;
	uint64_t page_size;
	uint64_t runs;
};

/* Bytes needed to write @r. */
uint64_t gmem__wire_bytes(const struct gmem__record *r);

/* More bytes than a record of this size can need: a run a page. */
uint64_t gmem__wire_most(const struct gmem__record *r);

/* Writes @r into @buf.  Return: bytes used, 0 if @len is too small. */
size_t gmem__wire_write(const struct gmem__record *r, void *buf, size_t len);

/*
 * Checks all of @buf, trusting nothing in it.  Return: 0 or -EINVAL, with
 * *@info filled as far as it could be read.
 */
int gmem__wire_check(const void *buf, size_t len, struct gmem__wire_info *info);

/*
 * The @index-th run of a buffer that gmem__wire_check() passed.  Runs are in
 * order, without gaps, and cover the file.
 */
void gmem__wire_run(const void *buf, uint64_t index, uint64_t *len,
		    enum gmem__state *state);

#endif
