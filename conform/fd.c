// SPDX-License-Identifier: MIT
/* Operations on the file descriptor. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "case.h"

static int err(long r)
{
	return r < 0 ? -errno : (int)r;
}

static void no_read(struct conform *c)
{
	char byte;

	IS(c_read(c, c_file(c), &byte, 1), -EINVAL);
}

static void no_write(struct conform *c)
{
	IS(err(write(c_file(c), "x", 1)), -EINVAL);
}

static void no_position(struct conform *c)
{
	int fd = c_file(c);
	char byte;

	IS(c_pread(c, fd, &byte, 1, 0), -ESPIPE);
	IS(c_pwrite(c, fd, "x", 1, 0), -ESPIPE);
	IS(c_lseek(c, fd, 0, SEEK_END), -ESPIPE);
	IS(c_lseek(c, fd, 0, SEEK_DATA), -ESPIPE);
}

static void no_copying(struct conform *c)
{
	int a = c_file(c), b = c_file(c);

	IS(err(sendfile(b, a, NULL, c->page)), -EINVAL);
	IS(err(copy_file_range(a, NULL, b, NULL, c->page, 0)), -EINVAL);
}

static void no_attributes(struct conform *c)
{
	int fd = c_file(c);

	IS(err(ftruncate(fd, (off_t)c->page)), -EINVAL);
	IS(err(ftruncate(fd, (off_t)(PAGES * c->page))), -EINVAL);
	IS(err(ftruncate(fd, (off_t)(2 * PAGES * c->page))), -EINVAL);
	IS(err(fchmod(fd, 0644)), -EINVAL);
	IS(err(futimens(fd, NULL)), -EINVAL);
}

static void no_sync(struct conform *c)
{
	int fd = c_file(c);

	IS(err(fsync(fd)), -EINVAL);
	IS(err(fdatasync(fd)), -EINVAL);
}

static void size_and_mode(struct conform *c)
{
	struct stat st;

	IS(c_fstat(c, c_file(c), &st), 0);
	IS(st.st_size, PAGES * c->page);
	IS(st.st_mode, S_IFREG | 0600);
	IS(st.st_nlink, 1);
	IS(st.st_blksize, c->page);
}

static void no_block_count(struct conform *c)
{
	int fd = c_file(c);
	struct stat st;

	IS(c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE, 0, 4 * c->page), 0);
	IS(err(fstat(fd, &st)), 0);
	IS(st.st_blocks, 0);
	IS(st.st_blksize, c->page);
}

static void inode_of_its_own(struct conform *c)
{
	struct stat a, b;

	IS(c_fstat(c, c_file(c), &a), 0);
	IS(c_fstat(c, c_file(c), &b), 0);
	IS(a.st_ino == b.st_ino, 0);
}

static void magic(struct conform *c)
{
	uint64_t m;

	IS(c_fstatfs(c, c_file(c), &m), 0);
	IS(m,
	   c->version >= 619 ? UAPI_MAGIC_GUEST_MEMFD : UAPI_MAGIC_ANON_INODE);
}

static void resident_exact(struct conform *c)
{
	int fd = c_file(c);

	PAGES_ARE(fd, 0);
	IS(c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE, 2 * c->page, 3 * c->page),
	   0);
	IS(c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE, 9 * c->page, c->page), 0);
	PAGES_ARE(fd, 4);
	IS(c_resident(c, fd, 0, 2 * c->page), 0);
	IS(c_resident(c, fd, 2 * c->page, c->page), 1);
	IS(c_resident(c, fd, 4 * c->page, 6 * c->page), 2);
	IS(c_resident(c, fd, 2 * PAGES * c->page, c->page), 0);
}

/* No line of fdinfo tells flags, VM or bindings. */
static bool fdinfo_is_plain(int fd)
{
	static const char *const keys[] = { "pos:", "flags:", "mnt_id:",
					    "ino:" };
	char path[64], line[128];
	bool plain;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	plain = f;
	while (plain && fgets(line, sizeof(line), f)) {
		plain = false;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			plain |= !strncmp(line, keys[i], strlen(keys[i]));
	}
	if (f)
		(void)fclose(f);
	return plain;
}

static void link_text(struct conform *c)
{
	int fd = c_file(c);
	char path[64], text[64] = "";
	const char *want = c->version >= 619 ? "/[kvm-gmem] (deleted)"
					     : "anon_inode:[kvm-gmem]";

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	IS(readlink(path, text, sizeof(text) - 1) > 0, 1);
	IS(strcmp(text, want), 0);
	IS(fdinfo_is_plain(fd), true);
}

static void no_second_open(struct conform *c)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", c_file(c));
	IS(err(open(path, O_RDWR | O_CLOEXEC)), -ENXIO);
}

static void duplicate_is_the_same(struct conform *c)
{
	int fd = c_file(c), copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int overlap = c->version >= 702 ? -EEXIST : -EINVAL;

	IS(copy >= 0, 1);
	c->fds[c->n_fds++] = copy;
	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), 0);
	IS(c_bind(c, c->vm, 1, c->page, c->page, copy, 0), overlap);
	IS(c_close(c, fd), 0);
	/* still bound, still there */
	IS(c_bind(c, c->vm, 1, c->page, c->page, copy, 0), overlap);
	IS(c_bind(c, c->vm, 1, c->page, c->page, copy, c->page), 0);
}

static void no_seals(struct conform *c)
{
	int fd = c_file(c);

	IS(err(fcntl(fd, F_GET_SEALS)), -EINVAL);
	IS(err(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)), -EINVAL);
}

static void locks(struct conform *c)
{
	IS(err(flock(c_file(c), LOCK_EX | LOCK_NB)), 0);
}

static void no_polling(struct conform *c)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = c_file(c), ep = epoll_create1(EPOLL_CLOEXEC), r;

	r = err(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	(void)close(ep);
	IS(r, -EPERM);
}

static void advice_ignored(struct conform *c)
{
	int fd = c_file(c);

	IS(c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE, 0, 4 * c->page), 0);
	IS(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	IS(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED), 0);
	PAGES_ARE(fd, 4);
}

static void no_readahead(struct conform *c)
{
	IS(err(readahead(c_file(c), 0, c->page)), -EINVAL);
}

static void no_xattrs(struct conform *c)
{
	int fd = c_file(c);
	char v[8];

	IS(err(fgetxattr(fd, "user.x", v, sizeof(v))), -EOPNOTSUPP);
	IS(err(fsetxattr(fd, "user.x", "1", 1, 0)), -EOPNOTSUPP);
}

const struct conform_case fd_cases[] = {
	{ "fd: read", "no_read", NEED_GMEM, no_read },
	{ "fd: write", "no_write", NEED_GMEM, no_write },
	{ "fd: pread, pwrite, lseek", "no_position", NEED_GMEM, no_position },
	{ "fd: sendfile, copy_file_range", "no_copying", NEED_GMEM,
	  no_copying },
	{ "fd: ftruncate, fchmod, futimens; create: the size is fixed",
	  "no_attributes", NEED_GMEM, no_attributes },
	{ "fd: fsync", "no_sync", NEED_GMEM, no_sync },
	{ "fd: fstat", "size_and_mode", NEED_GMEM, size_and_mode },
	{ "fd: st_blocks; trap: st_blocks", "no_block_count", NEED_MMAP,
	  no_block_count },
	{ "fd: distinct inode", "inode_of_its_own", NEED_GMEM,
	  inode_of_its_own },
	{ "fd: fstatfs", "magic", NEED_GMEM, magic },
	{ "fd: cachestat", "resident_exact", NEED_GMEM | NEED_RESIDENCY,
	  resident_exact },
	{ "fd: readlink, fdinfo", "link_text", NEED_GMEM, link_text },
	{ "fd: reopen", "no_second_open", NEED_GMEM, no_second_open },
	{ "fd: dup", "duplicate_is_the_same", NEED_GMEM,
	  duplicate_is_the_same },
	{ "fd: seals", "no_seals", NEED_GMEM, no_seals },
	{ "fd: flock", "locks", NEED_GMEM, locks },
	{ "fd: epoll", "no_polling", NEED_GMEM, no_polling },
	{ "fd: posix_fadvise; trap: posix_fadvise", "advice_ignored",
	  NEED_GMEM | NEED_RESIDENCY, advice_ignored },
	{ "fd: readahead", "no_readahead", NEED_GMEM, no_readahead },
	{ "fd: xattr", "no_xattrs", NEED_GMEM, no_xattrs },
	{ 0 },
};
