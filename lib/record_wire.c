// SPDX-License-Identifier: MIT
/*
 * The exported form of a record.  All numbers are little endian, nothing is
 * aligned:
 *
 *	offset	bytes
 *	0	8	"gmemattr"
 *	8	4	version, 1
 *	12	4	0
 *	16	8	page size, bytes
 *	24	8	size of the file, bytes
 *	32	8	number of runs
 *	40	8 each	runs: bits 63-2 pages, bits 1-0 enum gmem__state
 *
 * The runs cover the file in order and no two neighbours are alike, so that
 * a record has one exported form only.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "record.h"

#define MAGIC "gmemattr"
#define MAGIC_BYTES 8
#define VERSION 1

#define AT_VERSION 8
#define AT_ZERO 12
#define AT_PAGE_SIZE 16
#define AT_SIZE 24
#define AT_RUNS 32
#define HEADER_BYTES 40
#define RUN_BYTES 8

#define STATE_BITS 2
#define STATE_MASK ((1U << STATE_BITS) - 1)

static uint32_t get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static void put32(unsigned char *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(unsigned char *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

uint64_t gmem__wire_bytes(const struct gmem__record *r)
{
	uint64_t bytes = HEADER_BYTES, n;

	for (uint64_t pos = 0; pos < r->size; pos += n) {
		(void)gmem__record_run(r, pos, r->size - pos, &n);
		bytes += RUN_BYTES;
	}
	return bytes;
}

uint64_t gmem__wire_most(const struct gmem__record *r)
{
	return HEADER_BYTES + RUN_BYTES * (r->size >> r->page_shift);
}

size_t gmem__wire_write(const struct gmem__record *r, void *buf, size_t len)
{
	unsigned char *p = buf;
	size_t used = HEADER_BYTES;
	uint64_t pages = 0, n;
	unsigned int state, last = ~0U;

	if (len < HEADER_BYTES)
		return 0;
	for (uint64_t pos = 0; pos < r->size; pos += n) {
		state = gmem__record_run(r, pos, r->size - pos, &n);
		/* A writer may have made two runs one since they were seen. */
		if (state != last) {
			if (len - used < RUN_BYTES)
				return 0;
			used += RUN_BYTES;
			pages = 0;
			last = state;
		}
		pages += n >> r->page_shift;
		put64(p + used - RUN_BYTES, pages << STATE_BITS | state);
	}
	memcpy(p, MAGIC, MAGIC_BYTES);
	put32(p + AT_VERSION, VERSION);
	put32(p + AT_ZERO, 0);
	put64(p + AT_PAGE_SIZE, 1ULL << r->page_shift);
	put64(p + AT_SIZE, r->size);
	put64(p + AT_RUNS, (used - HEADER_BYTES) / RUN_BYTES);
	return used;
}

/* The runs: each of some pages and a known state, unlike the one before. */
static int check_runs(const unsigned char *p, uint64_t runs, uint64_t pages)
{
	unsigned int state, last = ~0U;
	uint64_t v;

	for (; runs; runs--, p += RUN_BYTES) {
		v = get64(p);
		state = v & STATE_MASK;
		v >>= STATE_BITS;
		if (state > GMEM__PRIVATE || state == last || !v || v > pages)
			return -EINVAL;
		last = state;
		pages -= v;
	}
	return pages ? -EINVAL : 0;
}

int gmem__wire_check(const void *buf, size_t len, struct gmem__wire_info *info)
{
	const unsigned char *p = buf;

	*info = (struct gmem__wire_info){ 0 };
	if (len < HEADER_BYTES || memcmp(p, MAGIC, MAGIC_BYTES) != 0)
		return -EINVAL;
	if (get32(p + AT_VERSION) != VERSION || get32(p + AT_ZERO) != 0)
		return -EINVAL;
	info->page_size = get64(p + AT_PAGE_SIZE);
	info->size = get64(p + AT_SIZE);
	info->runs = get64(p + AT_RUNS);
	if (!gmem__record_bytes(info->size, info->page_size))
		return -EINVAL;
	len -= HEADER_BYTES;
	if (len % RUN_BYTES || len / RUN_BYTES != info->runs)
		return -EINVAL;
	return check_runs(p + HEADER_BYTES, info->runs,
			  info->size / info->page_size);
}

void gmem__wire_run(const void *buf, uint64_t index, uint64_t *len,
		    enum gmem__state *state)
{
	const unsigned char *p = buf;
	uint64_t v = get64(p + HEADER_BYTES + index * RUN_BYTES);

	*len = (v >> STATE_BITS) * get64(p + AT_PAGE_SIZE);
	*state = (enum gmem__state)(v & STATE_MASK);
}
