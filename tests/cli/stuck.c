// SPDX-License-Identifier: MIT
/*
 * A process that executes a program closes its files, and keeps whoever wants
 * to look into its memory waiting meanwhile.  Here one of these files is of a
 * file system that never answers that it may be closed.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fuse.h>

#include "stuck.h"

#define PATIENCE 300 /* seconds; any look takes far less */

_Noreturn static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void answer(int fuse, uint64_t unique, const void *what, size_t len)
{
	struct {
		struct fuse_out_header head;
		char body[256];
	} out = {
		.head.len = (uint32_t)(sizeof(out.head) + len),
		.head.unique = unique,
		.head.error = what ? 0 : -38, /* ENOSYS */
	};

	if (what)
		memcpy(out.body, what, len);
	if (write(fuse, &out, out.head.len) < 0)
		die("answer");
}

/* One file, whatever its name is. */
static void serve(int fuse)
{
	static const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_write = 4096,
	};
	static const struct fuse_entry_out entry = {
		.nodeid = 2,
		.attr = { .ino = 2, .mode = S_IFREG | 0600, .nlink = 1 },
	};
	static const struct fuse_open_out open = { .fh = 1 };
	static char in[65536];

	for (;;) {
		const struct fuse_in_header *head = (const void *)in;

		if (read(fuse, in, sizeof(in)) < 0)
			die("read");
		switch (head->opcode) {
		case FUSE_INIT:
			answer(fuse, head->unique, &init, sizeof(init));
			break;
		case FUSE_LOOKUP:
			answer(fuse, head->unique, &entry, sizeof(entry));
			break;
		case FUSE_OPEN:
			answer(fuse, head->unique, &open, sizeof(open));
			break;
		case FUSE_FLUSH:
			return;
		default:
			answer(fuse, head->unique, NULL, 0);
		}
	}
}

/*
 * Ends when the test does, or by itself: whoever would end a test that hangs
 * reads /proc first, and hangs there too.
 */
_Noreturn static void server(int fuse)
{
	char c;

	(void)alarm(PATIENCE);
	serve(fuse);
	puts("ready");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	_exit(0);
}

_Noreturn void stuck(void)
{
	char dir[256], options[128], file[320];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC), fd;

	(void)snprintf(dir, sizeof(dir), "%s/stuck.%d",
		       getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
		       (int)getpid());
	(void)snprintf(options, sizeof(options),
		       "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (fuse < 0 || mkdir(dir, 0700) < 0)
		die("fuse");
	if (mount("stuck", dir, "fuse", 0, options) < 0) {
		(void)rmdir(dir);
		die("mount");
	}
	if (!fork())
		server(fuse);
	(void)snprintf(file, sizeof(file), "%s/file", dir);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(file);
	(void)umount2(dir, MNT_DETACH);
	(void)rmdir(dir);
	(void)close(fuse);
	execl("/bin/true", "true", (char *)NULL);
	die("exec");
}
