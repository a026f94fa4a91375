// SPDX-License-Identifier: MIT
/*
 * The pages of a file.
 *
 * Shared pages lie in the memfd that the host maps.  Private ones lie in a
 * second one, so that a touch by the host finds no page: the mapped memfd is
 * empty where the whole file is private for good, and guarded page by page
 * where it converts (convert.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "macros.h"
#include "model.h"

#define CHUNK (16ULL << 20) /* an interrupted fallocate(2) undoes itself */

/* The memfds: *@out is the descriptor for the caller. */
static int open_stores(struct inode *i, bool private, bool converts, int *out)
{
	uint64_t size = private && !converts ? 0 : i->size;
	int fd = model__body(size, false, &i->shared), r;

	if (fd < 0)
		return fd;
	if (private || converts) {
		i->private = r = model__memfd(i->size, true);
		if (r < 0) {
			(void)close(fd);
			return r;
		}
	}
	*out = fd;
	return 0;
}

int model__inode_new(struct kernel *k, const struct inode_how *how,
		     struct inode **out, int *fd)
{
	struct inode *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return -ENOMEM;
	*i = (struct inode){
		.k = k,
		.size = how->size,
		.page_size = how->page_size,
		.mappable = how->mappable,
		.converts = how->converts,
		.shared = -1,
		.private = -1,
	};
	r = model__pool_reserve(k, i);
	if (r == 0 && how->init_private)
		r = model__ranges_set(&i->attributes, 0, i->size, 1);
	if (r == 0)
		r = open_stores(i, how->init_private, how->converts, fd);
	if (r < 0) {
		model__inode_free(i);
		return r;
	}
	*out = i;
	return 0;
}

void model__inode_free(struct inode *i)
{
	model__pool_return(i);
	if (i->shared >= 0)
		(void)close(i->shared);
	if (i->private >= 0)
		(void)close(i->private);
	model__ranges_free(&i->attributes);
	model__ranges_free(&i->policy);
	model__ranges_free(&i->nodes);
	model__ranges_free(&i->pins);
	model__ranges_free(&i->poison);
	free(i);
}

bool model__inode_private(const struct inode *i, uint64_t at, uint64_t *end)
{
	return model__ranges_get(&i->attributes, at, end);
}

int model__inode_store(const struct inode *i, uint64_t at, uint64_t *end)
{
	bool private = model__inode_private(i, at, end);

	if (*end > i->size)
		*end = i->size;
	return private ? i->private : i->shared;
}

static int store_fallocate(int fd, int mode, uint64_t offset, uint64_t len)
{
	int r = gmem__sys_linux.fallocate(NULL, fd, mode, offset, len);

	return r == -ENOSPC ? -ENOMEM : r;
}

/* Widens to whole pages of the file. */
static void whole_pages(const struct inode *i, uint64_t *start, uint64_t *end)
{
	*start -= *start % i->page_size;
	*end += (i->page_size - *end % i->page_size) % i->page_size;
}

static uint64_t next_page(const struct inode *i, uint64_t pos)
{
	return pos - pos % i->page_size + i->page_size;
}

/*
 * Allocates what is not there yet.  A memfd zeroes a page that it is asked
 * for twice, which mincore(2) would show.
 */
static int fill(const struct inode *i, int fd, uint64_t pos, uint64_t end)
{
	uint64_t pages, middle, page = i->k->page_size;
	int r = model__store_resident(i, fd, pos, end - pos, &pages);

	if (r < 0 || pages == (end - pos) / page)
		return r;
	if (pages == 0)
		return store_fallocate(fd, FALLOC_FL_KEEP_SIZE, pos, end - pos);
	middle = pos + (end - pos) / page / 2 * page;
	r = fill(i, fd, pos, middle);
	return r < 0 ? r : fill(i, fd, middle, end);
}

/* With @zero as a guest's fault does it, which asks twice. */
static int allocate(struct inode *i, uint64_t pos, uint64_t end, bool zero)
{
	int r = 0;

	whole_pages(i, &pos, &end);
	while (r == 0 && pos < end) {
		uint64_t stop;
		int fd = model__inode_store(i, pos, &stop);

		if (stop > end)
			stop = end;
		if (stop - pos > CHUNK)
			stop = pos + CHUNK;
		if (i->pool) {
			r = model__node_room(i, pos - pos % i->page_size);
			if (stop > next_page(i, pos))
				stop = next_page(i, pos);
		}
		if (r == 0)
			r = fill(i, fd, pos, stop);
		if (r == 0 && zero)
			r = store_fallocate(fd, FALLOC_FL_KEEP_SIZE, pos,
					    stop - pos);
		if (r == 0)
			r = model__assign_nodes(i, pos, stop - pos);
		pos = stop;
	}
	return r;
}

int model__inode_allocate(struct inode *i, uint64_t offset, uint64_t len)
{
	struct kernel *k = i->k;
	uint64_t n = len;
	int r;

	if (k->interrupt) {
		n = k->interrupt_after - k->interrupt_after % i->page_size;
		if (n > len)
			n = len;
		k->interrupt_after -= n;
	}
	r = allocate(i, offset, offset + n, false);
	if (r == 0 && n < len) {
		k->interrupt = false;
		return -EINTR;
	}
	return r;
}

static int zero(const struct inode *i, uint64_t pos, uint64_t end)
{
	static const char zeroes[4096];

	while (pos < end) {
		uint64_t stop;
		int fd = model__inode_store(i, pos, &stop);
		size_t n =
			end - pos < sizeof(zeroes) ? end - pos : sizeof(zeroes);

		if (pwrite(fd, zeroes, n, (off_t)pos) < 0)
			return -errno;
		pos += n;
	}
	return 0;
}

/* Part of a huge page is not freed: it is zeroed if it is there. */
static int punch_part(struct inode *i, uint64_t pos, uint64_t end)
{
	uint64_t pages;
	int r;

	if (pos >= end)
		return 0;
	r = model__inode_resident(i, pos, end - pos, &pages);
	return r < 0 || pages == 0 ? r : zero(i, pos, end);
}

static int punch(struct inode *i, uint64_t pos, uint64_t end)
{
	int mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, r;

	if (pos >= end)
		return 0;
	/* First what may lack memory, since contents do not come back. */
	r = model__ranges_reserve(&i->nodes);
	if (r == 0)
		r = model__ranges_reserve(&i->poison);
	if (r < 0)
		return r;
	model__pool_unplace(i, pos, end);
	(void)model__ranges_set(&i->nodes, pos, end, 0);
	/* the next page there is another one */
	(void)model__ranges_set(&i->poison, pos, end, 0);
	r = store_fallocate(i->shared, mode, pos, end - pos);
	if (r == 0 && i->private >= 0)
		r = store_fallocate(i->private, mode, pos, end - pos);
	return r;
}

int model__inode_punch(struct inode *i, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len, last = end - end % i->page_size;
	uint64_t first =
		offset + (i->page_size - offset % i->page_size) % i->page_size;
	int r;

	if (first > last)
		return punch_part(i, offset, end);
	r = punch_part(i, offset, first);
	if (r == 0)
		r = punch(i, first, last);
	return r < 0 ? r : punch_part(i, last, end);
}

uint64_t model__inode_sound(const struct inode *i, uint64_t at, uint64_t len)
{
	uint64_t end;

	if (model__ranges_get(&i->poison, at, &end))
		return 0;
	return end - at < len ? end - at : len;
}

int model__inode_copy(struct inode *i, uint64_t offset, void *buf, size_t len,
		      bool write)
{
	int fd, r = allocate(i, offset, offset + len, true);
	uint64_t end;
	ssize_t n;

	if (r < 0)
		return r;
	fd = model__inode_store(i, offset, &end);
	n = write ? pwrite(fd, buf, len, (off_t)offset)
		  : pread(fd, buf, len, (off_t)offset);
	return n == (ssize_t)len ? 0 : -EIO;
}

/* Where cachestat(2) is missing: the pages that were touched. */
static uint64_t count_data(int fd, uint64_t pos, uint64_t end, uint64_t page)
{
	uint64_t n = 0, data, hole;

	/* where there is no more it is -1, the largest there is */
	while ((data = (uint64_t)lseek(fd, (off_t)pos, SEEK_DATA)) < end) {
		hole = (uint64_t)lseek(fd, (off_t)data, SEEK_HOLE);
		pos = hole < end ? hole : end;
		n += (pos - data + page - 1) / page;
	}
	return n;
}

int model__store_resident(const struct inode *i, int fd, uint64_t offset,
			  uint64_t len, uint64_t *pages)
{
	int r;

	*pages = 0;
	if (fd < 0)
		return 0;
	r = gmem__sys_linux.cachestat(NULL, fd, offset, len, pages);
	if (r == -ENOSYS) {
		*pages = count_data(fd, offset, offset + len, i->k->page_size);
		r = 0;
	}
	return r;
}

static int both_resident(const struct inode *i, uint64_t offset, uint64_t len,
			 uint64_t *pages)
{
	uint64_t shared, private;
	int r = model__store_resident(i, i->shared, offset, len, &shared);

	if (r < 0)
		return r;
	r = model__store_resident(i, i->private, offset, len, &private);
	*pages = shared + private;
	return r;
}

int model__inode_resident(struct inode *i, uint64_t offset, uint64_t len,
			  uint64_t *pages)
{
	uint64_t pos = offset - offset % i->page_size, end = offset + len, n;
	int r;

	if (i->page_size == i->k->page_size)
		return both_resident(i, offset, len, pages);
	/* A huge page is there whole or not at all. */
	for (*pages = 0; pos < end; pos += i->page_size) {
		uint64_t from = pos > offset ? pos : offset;
		uint64_t to =
			pos + i->page_size < end ? pos + i->page_size : end;

		r = both_resident(i, pos, i->page_size, &n);
		if (r < 0)
			return r;
		if (n)
			*pages += (to - from) / i->k->page_size;
	}
	return 0;
}

uint64_t model__inode_data(const struct inode *i, uint64_t at)
{
	int stores[] = { i->shared, i->private };
	uint64_t first = i->size;
	off_t data;

	for (size_t n = 0; n < ARRAY_SIZE(stores); n++) {
		if (stores[n] < 0)
			continue;
		data = lseek(stores[n], (off_t)at, SEEK_DATA);
		if (data >= 0 && (uint64_t)data < first)
			first = (uint64_t)data;
	}
	return first;
}
