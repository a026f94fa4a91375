// SPDX-License-Identifier: MIT
/*
 * Conversion in place: pages change the memfd, and userfaultfd(2) makes the
 * host's touch of a private page the SIGBUS that a guest_memfd gives.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "model.h"

#define BUFFER 65536

/* Guards [@start, @end) of the file in @m, or lifts the guard. */
static int guard(const struct kernel *k, const struct mapping *m,
		 uint64_t start, uint64_t end, bool private)
{
	uint64_t first = m->in.start, last = m->in.end;
	struct uffdio_register r = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	if (start < first)
		start = first;
	if (end > last)
		end = last;
	if (start >= end)
		return 0;
	r.range.start = m->at.start + (start - m->in.start);
	r.range.len = end - start;
	if (private ? ioctl(k->uffd, UFFDIO_REGISTER, &r)
		    : ioctl(k->uffd, UFFDIO_UNREGISTER, &r.range))
		return -errno;
	return 0;
}

int model__map_guard(struct kernel *k, const struct mapping *m)
{
	const struct inode *i = m->file->inode;
	uint64_t pos = m->in.start,
		 end = m->in.start + (m->at.end - m->at.start), stop;
	int r = 0;

	if (!i->converts)
		return 0;
	for (; r == 0 && pos < end; pos = stop)
		if (model__inode_private(i, pos, &stop))
			r = guard(k, m, pos, stop, true);
	return r;
}

/* Every mapping of @i as its attributes say, in that range. */
static int guard_all(struct inode *i, uint64_t offset, uint64_t end)
{
	struct gmem__node *n = NULL;
	uint64_t pos, stop;
	int r = 0;

	while ((n = model__tree_meet(&i->maps, n, offset, end)) != NULL) {
		const struct mapping *m = CONTAINER(n, struct mapping, in);

		for (pos = offset; r == 0 && pos < end; pos = stop) {
			bool private = model__inode_private(i, pos, &stop);

			if (stop > end)
				stop = end;
			r = guard(i->k, m, pos, stop, private);
		}
	}
	return r;
}

/* Copied, then given back, a buffer at a time. */
static int move_present(int from, int to, uint64_t pos, uint64_t end)
{
	int mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, r = 0;
	char buf[BUFFER];

	while (r == 0 && pos < end) {
		size_t n = end - pos < sizeof(buf) ? end - pos : sizeof(buf);

		if (pread(from, buf, n, (off_t)pos) != (ssize_t)n ||
		    pwrite(to, buf, n, (off_t)pos) != (ssize_t)n)
			return -ENOMEM;
		r = gmem__sys_linux.fallocate(NULL, from, mode, pos, n);
		pos += n;
	}
	return r;
}

/* Moves what is there of [@pos, @end) into the memfd of @private. */
static int move(struct inode *i, uint64_t pos, uint64_t end, bool private)
{
	int from = private ? i->shared : i->private;
	int to = private ? i->private : i->shared;
	uint64_t pages, middle, page = i->k->page_size;
	int r = model__store_resident(i, from, pos, end - pos, &pages);

	if (r < 0 || pages == 0)
		return r;
	if (pages == (end - pos) / page)
		return move_present(from, to, pos, end);
	middle = pos + (end - pos) / page / 2 * page;
	r = move(i, pos, middle, private);
	return r < 0 ? r : move(i, middle, end, private);
}

/* Moves the runs that were not @private according to @old into @now. */
static int move_changed(struct inode *i, const struct ranges *old, uint64_t pos,
			uint64_t end, bool private, bool now)
{
	uint64_t stop;
	int r = 0;

	for (; r == 0 && pos < end; pos = stop) {
		bool was = model__ranges_get(old, pos, &stop);

		if (stop > end)
			stop = end;
		if (was != private)
			r = move(i, pos, stop, now);
	}
	return r;
}

static bool is_already(const struct inode *i, uint64_t offset, uint64_t end,
		       bool private)
{
	uint64_t stop;

	return model__inode_private(i, offset, &stop) == private && stop >= end;
}

static int pinned(const struct inode *i, uint64_t offset, uint64_t end,
		  uint64_t *at)
{
	uint64_t pos, stop;

	for (pos = offset; pos < end; pos = stop)
		if (model__ranges_get(&i->pins, pos, &stop)) {
			*at = pos;
			return -EAGAIN;
		}
	return 0;
}

/* All of the range or nothing of it. */
static int convert(struct inode *i, uint64_t offset, uint64_t end, bool private,
		   uint64_t *at)
{
	struct ranges old;
	int r;

	*at = offset;
	if (is_already(i, offset, end, private))
		return 0;
	r = private ? pinned(i, offset, end, at) : 0;
	if (r == 0)
		r = model__ranges_copy(&old, &i->attributes);
	if (r < 0)
		return r;
	r = model__ranges_set(&i->attributes, offset, end, private);
	/* What becomes private is guarded first, what becomes shared last. */
	if (r == 0 && private)
		r = guard_all(i, offset, end);
	if (r == 0)
		r = move_changed(i, &old, offset, end, private, private);
	if (r == 0 && !private)
		r = guard_all(i, offset, end);
	if (r == 0) {
		model__ranges_free(&old);
		return 0;
	}
	/* Back again, which needs no more than what was just freed. */
	(void)move_changed(i, &old, offset, end, private, !private);
	model__ranges_free(&i->attributes);
	i->attributes = old;
	(void)guard_all(i, offset, end);
	return r;
}

int model__inode_convert(struct inode *i, uint64_t offset, uint64_t len,
			 bool private, uint64_t *at)
{
	uint64_t end = offset + len, stop;
	int r = 0;

	if (i->page_size == i->k->page_size)
		return convert(i, offset, end, private, at);
	for (; r == 0 && offset < end; offset = stop) {
		stop = offset - offset % i->page_size + i->page_size;
		if (stop > end)
			stop = end;
		r = convert(i, offset, stop, private, at);
	}
	return r;
}
