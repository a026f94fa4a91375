/* SPDX-License-Identifier: MIT */
/*
 * What schema.py puts in front of a source file that holds all its mutants.
 * GMEM_MUTANT=FILE:NUMBER chooses the one that is on; GMEM_MUTANT_REACH names
 * a folder in which a file per source has a byte for each mutant that ran.
 *
 * MUTANT_NAME tells these names of one source from those of another that is
 * compiled with it.  The file is mapped, so that what a child or a program that
 * dies has reached is known too.  All by system calls of our own: tests wrap
 * those of libc.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* <unistd.h> declares common words, such as revoke(), which a source may use.
 */
long syscall(long number, ...);

static int MUTANT_NAME(chosen) = -1;
static unsigned char MUTANT_NAME(unseen)[MUTANT_COUNT];
static unsigned char *MUTANT_NAME(reached) = MUTANT_NAME(unseen);

#undef MUTANT
#define MUTANT(n)                                                         \
	(__atomic_store_n(&MUTANT_NAME(reached)[n], 1, __ATOMIC_RELAXED), \
	 MUTANT_NAME(chosen) == (n))

__attribute__((constructor)) static void MUTANT_NAME(start)(void)
{
	const char *name = getenv("GMEM_MUTANT");
	const char *folder = getenv("GMEM_MUTANT_REACH");
	size_t len = strlen(MUTANT_FILE);
	char path[4096];
	char *end = path;
	long fd, map;

	if (name && !strncmp(name, MUTANT_FILE, len) && name[len] == ':')
		MUTANT_NAME(chosen) = atoi(name + len + 1);
	if (!folder || strlen(folder) + len + 2 > sizeof(path))
		return;
	end = stpcpy(stpcpy(end, folder), "/");
	strcpy(end, MUTANT_FILE);
	for (; *end; end++)
		if (*end == '/')
			*end = ':';
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	map = syscall(SYS_mmap, NULL, MUTANT_COUNT, PROT_READ | PROT_WRITE,
		      MAP_SHARED, fd, 0);
	if (map != -1)
		MUTANT_NAME(reached) = (unsigned char *)map;
	syscall(SYS_close, fd);
}
