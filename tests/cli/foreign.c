// SPDX-License-Identifier: MIT
/*
 * A program that knows nothing of libgmem and holds guest_memfds, made with
 * the raw ioctls.  It says what it holds, a line "PID FD INODE SIZE RESIDENT"
 * each (FD -1: only a mapping), then "ready", and waits for its input to end.
 *
 *	foreign three	files of the flags 0, 1 and 3
 *	foreign pair	one file, in two processes
 *	foreign half	the same, and the second is not dumpable
 *	foreign mapping	one file, of which only mappings are left
 *	foreign hidden	one file, in a process that is not dumpable
 *	foreign named	one file, in a process with a name full of traps
 *	foreign many	one file, with a hundred descriptors
 *	foreign path	one file, and before it a descriptor that is O_PATH
 *	foreign false	a mapping of another file that has the name of one
 *	foreign open	a descriptor of such a file
 *	foreign stuck	nothing, in a process that nobody can look into
 *	foreign idle	nothing
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/falloc.h>

#include "stuck.h"

#define CREATE_VM 0xae01
#define CREATE_GUEST_MEMFD 0xc040aed4UL

struct create {
	uint64_t size, flags, reserved[6];
};

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define MMAP 1
#define INIT_SHARED 2
#define MAPPING_READS 3

static int die(const char *what)
{
	perror(what);
	exit(1);
}

static int new_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, CREATE_VM, 0);

	if (vm < 0)
		die("KVM_CREATE_VM");
	(void)close(kvm);
	return vm;
}

static void say(int fd, int shown, uint64_t resident)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		die("fstat");
	printf("%d %d %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", (int)getpid(),
	       shown, (uint64_t)st.st_ino, (uint64_t)st.st_size, resident);
}

/* A file of @pages; every @step-th is allocated, and none is touched. */
static int new_file(int vm, uint64_t flags, uint64_t pages, uint64_t step,
		    uint64_t *resident)
{
	struct create c = { .size = pages * PAGE, .flags = flags };
	int fd = ioctl(vm, CREATE_GUEST_MEMFD, &c);

	if (fd < 0)
		die("KVM_CREATE_GUEST_MEMFD");
	*resident = 0;
	for (uint64_t i = 0; i < pages; i += step) {
		if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)(i * PAGE),
			      (off_t)PAGE) < 0)
			die("fallocate");
		*resident += PAGE;
	}
	return fd;
}

static void three(int vm)
{
	static const uint64_t flags[] = { 0, MMAP, MMAP | INIT_SHARED };
	uint64_t resident;

	for (unsigned int i = 0; i < 3; i++) {
		int fd = new_file(vm, flags[i], 1000 + i, 7 + i, &resident);

		say(fd, fd, resident);
	}
}

static pid_t second; /* of a pair: not what this one was started with */

static void pair(int vm, int dumpable)
{
	uint64_t resident;
	int fd = new_file(vm, 3, 256, 3, &resident), ready[2];
	char c;

	if (pipe(ready) < 0)
		die("pipe");
	say(fd, fd, resident);
	(void)fflush(stdout);
	second = fork();
	if (!second) {
		(void)close(vm); /* which it could not use anyhow */
		if (prctl(PR_SET_DUMPABLE, dumpable) < 0)
			die("PR_SET_DUMPABLE");
		say(fd, fd, resident);
		(void)fflush(stdout);
		(void)close(ready[0]);
		(void)close(ready[1]);
		while (read(STDIN_FILENO, &c, 1) > 0)
			;
		_exit(0);
	}
	(void)close(ready[1]);
	while (read(ready[0], &c, 1) > 0)
		;
	(void)close(ready[0]);
}

static void mapping(int vm)
{
	uint64_t resident;
	int fd = new_file(vm, 3, 64, 2, &resident);
	volatile char *at = mmap(NULL, 16 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	/* The same pages once more, of which fewer are read. */
	volatile char *again =
		mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED || again == MAP_FAILED)
		die("mmap");
	for (int i = 0; i < MAPPING_READS; i++)
		(void)at[2 * i * PAGE];
	(void)again[0];
	say(fd, -1, resident);
	(void)close(fd);
	(void)close(vm);
}

static void one(int vm)
{
	uint64_t resident;
	int fd = new_file(vm, 3, 128, 5, &resident);

	say(fd, fd, resident);
}

static void many(int vm)
{
	uint64_t resident;
	int fd = new_file(vm, 3, 128, 5, &resident);

	for (int i = 1; i < 100; i++)
		if (dup(fd) < 0)
			die("dup");
	say(fd, fd, resident);
}

static void path(int vm)
{
	uint64_t resident;
	int fd = new_file(vm, 3, 128, 5, &resident), moved = dup(fd), o_path;
	char name[40];

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	o_path = open(name, O_PATH);
	if (moved < 0 || o_path < 0 || dup2(o_path, fd) < 0)
		die("O_PATH");
	(void)close(o_path);
	say(moved, moved, resident);
}

/* Where nobody else can see it, under the name of a guest_memfd. */
static void false_file(bool mapped)
{
	char dir[256], file[320];
	int fd;

	(void)snprintf(dir, sizeof(dir), "%s/foreign.%d",
		       getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
		       (int)getpid());
	if (mkdir(dir, 0700) < 0)
		die(dir);
	if (mount("none", dir, "tmpfs", 0, NULL) < 0) {
		(void)rmdir(dir);
		die("tmpfs");
	}
	(void)snprintf(file, sizeof(file), "%s/[kvm-gmem]", dir);
	fd = open(file, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, 16 * PAGE) < 0)
		die(file);
	if (mapped &&
	    mmap(NULL, 16 * PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		die("mmap");
	if (unlink(file) < 0 || umount2(dir, MNT_DETACH) < 0)
		die("umount");
	(void)rmdir(dir);
	say(fd, mapped ? -1 : fd, 0);
	if (mapped)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	const char *role = argc == 2 ? argv[1] : "";
	int vm = -1;
	char c;

	if (!strcmp(role, "stuck"))
		stuck();
	if (!strcmp(role, "false") || !strcmp(role, "open"))
		false_file(!strcmp(role, "false"));
	else if (strcmp(role, "idle"))
		vm = new_vm();
	if (!strcmp(role, "three"))
		three(vm);
	else if (!strcmp(role, "pair") || !strcmp(role, "half"))
		pair(vm, !strcmp(role, "pair"));
	else if (!strcmp(role, "mapping"))
		mapping(vm);
	else if (!strcmp(role, "many"))
		many(vm);
	else if (!strcmp(role, "path"))
		path(vm);
	else if (vm >= 0)
		one(vm);
	if (!strcmp(role, "hidden") && prctl(PR_SET_DUMPABLE, 0) < 0)
		die("PR_SET_DUMPABLE");
	if (!strcmp(role, "named") &&
	    prctl(PR_SET_NAME, "a,b\n) R\033[31m\\\xff") < 0)
		die("PR_SET_NAME");
	puts("ready");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	if (second > 0 && waitpid(second, NULL, 0) < 0)
		die("waitpid");
	return 0;
}
