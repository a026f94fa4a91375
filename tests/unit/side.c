// SPDX-License-Identifier: MIT
#include "side.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int side_memfd(uint64_t size)
{
	int fd = memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

void *side_map(uint64_t size, int flags, int fd, uint64_t offset)
{
	unsigned char *room = mmap(NULL, size + SIDE_HUGE, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *p = room + (SIDE_HUGE - (uintptr_t)room % SIDE_HUGE);

	assert_true(room != MAP_FAILED);
	assert_int_equal(munmap(room, (size_t)(p - room)), 0);
	if (room + SIDE_HUGE > p)
		assert_int_equal(
			munmap(p + size, (size_t)(room + SIDE_HUGE - p)), 0);
	flags |= MAP_FIXED;
	assert_ptr_equal(mmap(p, size, PROT_READ | PROT_WRITE,
			      fd < 0 ? flags | MAP_ANONYMOUS : flags, fd,
			      (off_t)offset),
			 p);
	return p;
}

void side_make(struct side *s, enum side_way way, uint64_t size)
{
	*s = (struct side){
		.way = way, .fd = -1, .size = size, .o.sz = sizeof(s->o)
	};
	if (way >= SIDE_MEMFD)
		s->fd = side_memfd(SIDE_BEFORE + size);
	if (way == SIDE_ANON)
		s->mem = side_map(size, MAP_PRIVATE, -1, 0);
	else if (way == SIDE_SHARED_ANON)
		s->mem = side_map(size, MAP_SHARED, -1, 0);
	else if (way >= SIDE_MEMFD && way != SIDE_FD_ALONE)
		s->mem = side_map(size, MAP_SHARED, s->fd, SIDE_BEFORE);
	s->o.shared = s->mem;
	if (way >= SIDE_MEMFD && way != SIDE_MEMFD_NO_FD) {
		s->o.flags |= GMEM_REGION_SHARED_FD;
		s->o.shared_fd = s->fd;
		s->o.shared_offset = SIDE_BEFORE;
	}
}

void side_tell(struct unit *u, struct side *s)
{
	struct stat st;

	if (s->way != SIDE_HUGETLB)
		return;
	assert_int_equal(fstat(s->fd, &st), 0);
	s->st = (struct gmem__stat){ .size = (uint64_t)st.st_size,
				     .ino = st.st_ino,
				     .dev = st.st_dev,
				     .block = SIDE_HUGE,
				     .mode = st.st_mode };
	u->stat = &s->st;
	u->magic = GMEM__MAGIC_HUGETLBFS;
}

void side_told(struct unit *u)
{
	u->stat = NULL;
	u->magic = 0;
}

void side_end(struct side *s)
{
	if (s->mem)
		assert_int_equal(munmap(s->mem, s->size), 0);
	if (s->fd >= 0)
		assert_int_equal(close(s->fd), 0);
}
