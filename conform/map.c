// SPDX-License-Identifier: MIT
/* mmap(2), and what the host may do with the mapping. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <fcntl.h>

#include "case.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define RW (PROT_READ | PROT_WRITE)

static int map(struct conform *c, int fd, int prot, int flags)
{
	void *p;

	return c_mmap(c, &p, PAGES * c->page, prot, flags, fd, 0);
}

/* One for the host, without anything the guest has. */
static int shared_file(struct conform *c)
{
	return c_create(c, c_vm(c, 0), PAGES * c->page, SHARED);
}

static int private_file(struct conform *c)
{
	return c_create(c, c_vm(c, 0), PAGES * c->page, UAPI_FLAG_MMAP);
}

static void without_mmap(struct conform *c)
{
	int vm = c_vm(c, 0);

	IS(map(c, c_create(c, vm, PAGES * c->page, 0), RW, MAP_SHARED),
	   -ENODEV);
	IS(map(c, c_create(c, vm, PAGES * c->page, UAPI_FLAG_INIT_SHARED), RW,
	       MAP_SHARED),
	   -ENODEV);
}

static void before_6_18_mmap(struct conform *c)
{
	IS(map(c, c_file(c), RW, MAP_SHARED), -ENODEV);
}

static void map_private(struct conform *c)
{
	IS(map(c, shared_file(c), RW, MAP_PRIVATE), -EINVAL);
	IS(map(c, shared_file(c), PROT_READ, MAP_PRIVATE), -EINVAL);
}

static void map_shared(struct conform *c)
{
	int fd = shared_file(c);

	IS(map(c, fd, PROT_NONE, MAP_SHARED), 0);
	IS(map(c, fd, PROT_READ, MAP_SHARED), 0);
	IS(map(c, fd, RW, MAP_SHARED), 0);
	IS(map(c, fd, RW, MAP_SHARED_VALIDATE), 0);
}

static void no_exec(struct conform *c)
{
	int fd = shared_file(c);

	IS(map(c, fd, PROT_READ | PROT_EXEC, MAP_SHARED), -EPERM);
	IS(map(c, fd, PROT_READ | PROT_EXEC, MAP_PRIVATE), -EPERM);
}

static void no_exec_later(struct conform *c)
{
	unsigned char *p;

	IS(c_view(c, shared_file(c), &p), 0);
	IS(mprotect(p, c->page, PROT_READ | PROT_EXEC) < 0 ? -errno : 0,
	   -EACCES);
}

static void map_hugetlb(struct conform *c)
{
	IS(map(c, shared_file(c), RW, MAP_SHARED | MAP_HUGETLB), -EINVAL);
}

static void map_sync(struct conform *c)
{
	IS(map(c, shared_file(c), RW, MAP_SHARED_VALIDATE | MAP_SYNC),
	   -EOPNOTSUPP);
}

static void beyond_the_end(struct conform *c)
{
	int fd = shared_file(c);
	void *p, *q;

	IS(c_mmap(c, &p, 2 * PAGES * c->page, RW, MAP_SHARED, fd, 0), 0);
	IS(c_mmap(c, &q, c->page, RW, MAP_SHARED, fd, 2 * PAGES * c->page), 0);
	IS(c_touch((unsigned char *)p + (PAGES - 1) * c->page, true), 0);
	IS(c_touch((unsigned char *)p + PAGES * c->page, true), 2);
	IS(c_touch(q, false), 2);
}

static void populate(struct conform *c)
{
	int fd = shared_file(c);

	IS(map(c, fd, RW, MAP_SHARED | MAP_POPULATE), 0);
	PAGES_ARE(fd, PAGES);
	fd = private_file(c);
	IS(map(c, fd, RW, MAP_SHARED | MAP_POPULATE), 0);
	PAGES_ARE(fd, 0);
}

static void private_touch(struct conform *c)
{
	unsigned char *p;

	IS(c_view(c, private_file(c), &p), 0);
	IS(c_touch(p + c->page + 7, false), 2);
	IS(c_touch(p + c->page + 7, true), 2);
}

static void private_by_system_call(struct conform *c)
{
	unsigned char *p, byte = 1;

	IS(c_view(c, private_file(c), &p), 0);
	IS(c_copy_from(c, &byte, p, 1), -EFAULT);
	IS(c_copy_to(c, p, &byte, 1), -EFAULT);
	IS(c_madvise(c, p, c->page, MADV_POPULATE_READ), -EFAULT);
	IS(c_madvise(c, p, c->page, MADV_POPULATE_WRITE), -EFAULT);
	/* the sanitizers make mlock() a call that does nothing */
	IS(syscall(SYS_mlock, p, c->page) < 0 ? -errno : 0, -ENOMEM);
}

static void reading_allocates(struct conform *c)
{
	int fd = shared_file(c);
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	IS(c_touch(p, false), 0);
	PAGES_ARE(fd, 1);
}

static void coherent(struct conform *c)
{
	int fd = shared_file(c);
	unsigned char *p, *q, byte = 0;

	IS(c_view(c, fd, &p), 0);
	IS(c_view(c, fd, &q), 0);
	p[5] = 0x77;
	IS(q[5], 0x77);
	IS(c_copy_from(c, &byte, p + 5, 1), 1);
	IS(byte, 0x77);
	IS(c_madvise(c, p, c->page, MADV_DONTNEED), 0);
	IS(p[5], 0x77);
	PAGES_ARE(fd, 1);
	IS(c_unmap(c, q), 0);
	IS(p[5], 0x77);
}

static void good_advice(struct conform *c)
{
	int fd = shared_file(c);
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	IS(c_madvise(c, p, 4 * c->page, MADV_POPULATE_WRITE), 0);
	IS(c_madvise(c, p, 8 * c->page, MADV_POPULATE_READ), 0);
	PAGES_ARE(fd, 8);
	IS(c_madvise(c, p, PAGES * c->page, MADV_DONTFORK), 0);
	IS(c_madvise(c, p, PAGES * c->page, MADV_DONTDUMP), 0);
	IS(c_madvise(c, p, PAGES * c->page, MADV_DODUMP), 0);
	p[0] = 1;
	IS(c_madvise(c, p, 2 * c->page, MADV_REMOVE), 0);
	PAGES_ARE(fd, 6);
	IS(p[0], 0);
}

static void idle_advice(struct conform *c)
{
	static const int advice[] = { MADV_MERGEABLE, MADV_HUGEPAGE,
				      MADV_NOHUGEPAGE, MADV_COLD,
				      MADV_PAGEOUT };
	int fd = shared_file(c), want;
	unsigned char *p;
	void *plain;

	IS(c_view(c, fd, &p), 0);
	IS(c_mmap(c, &plain, c->page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	   0);
	p[0] = 1;
	for (size_t i = 0; i < ARRAY_SIZE(advice); i++) {
		/* EINVAL for any memory if the kernel was built without it */
		want = c_madvise(c, plain, c->page, advice[i]);
		IS(want == 0 || want == -EINVAL, 1);
		IS(c_madvise(c, p, PAGES * c->page, advice[i]), want);
	}
	PAGES_ARE(fd, 1);
	IS(p[0], 1);
}

static void bad_advice(struct conform *c)
{
	unsigned char *p;

	IS(c_view(c, shared_file(c), &p), 0);
	IS(c_madvise(c, p, c->page, MADV_FREE), -EINVAL);
	IS(c_madvise(c, p, PAGES * c->page, MADV_COLLAPSE), -EINVAL);
}

static void no_msync(struct conform *c)
{
	unsigned char *p;

	IS(c_view(c, shared_file(c), &p), 0);
	IS(msync(p, c->page, MS_SYNC) < 0 ? -errno : 0, -EINVAL);
}

static void mincore_sees_touched(struct conform *c)
{
	unsigned char *p, vec[PAGES];
	int fd = shared_file(c);

	IS(c_view(c, fd, &p), 0);
	IS(c_fallocate(c, fd, FALLOC_FL_KEEP_SIZE, 0, 2 * c->page), 0);
	p[c->page] = 1;
	IS(c_mincore(c, p, PAGES * c->page, vec), 0);
	IS(vec[0] & 1, 0);
	IS(vec[1] & 1, 1);
	IS(vec[2] & 1, 0);
}

static int read_in_child(struct conform *c, int fd)
{
	return *(unsigned char *)c->maps[c->n_maps - 1].addr + (fd & 0);
}

static void inherited(struct conform *c)
{
	unsigned char *p;

	IS(c_view(c, shared_file(c), &p), 0);
	p[0] = 99;
	IS(c_child(c, read_in_child, 0), 99);
}

static void mapping_keeps_the_file(struct conform *c)
{
	int fd = c_file(c);
	unsigned char *p;

	IS(c_view(c, fd, &p), 0);
	p[0] = 3;
	IS(c_bind(c, c->vm, 0, 0, c->page, fd, 0), 0);
	IS(c_close(c, fd), 0);
	IS(p[0], 3);
	p[c->page] = 4;
	IS(p[c->page], 4);
}

static void two_files(struct conform *c)
{
	unsigned char *p, *q;

	IS(c_view(c, shared_file(c), &p), 0);
	IS(c_view(c, shared_file(c), &q), 0);
	p[0] = 1;
	IS(q[0], 0);
}

const struct conform_case map_cases[] = {
	{ "mmap: without MMAP", "without_mmap", NEED_MMAP, without_mmap },
	{ "mmap: ENODEV up to 6.17", "before_6_18_mmap",
	  NEED_GMEM | NEED_OLD | NEED_MERGED, before_6_18_mmap },
	{ "mmap: MAP_PRIVATE", "map_private", NEED_MMAP, map_private },
	{ "mmap: MAP_SHARED", "map_shared", NEED_MMAP, map_shared },
	{ "mmap: PROT_EXEC at mmap", "no_exec", NEED_MMAP, no_exec },
	{ "mmap: PROT_EXEC at mprotect", "no_exec_later", NEED_MMAP,
	  no_exec_later },
	{ "mmap: MAP_HUGETLB", "map_hugetlb", NEED_MMAP, map_hugetlb },
	{ "mmap: MAP_SYNC", "map_sync", NEED_MMAP, map_sync },
	{ "mmap: beyond the end of the file", "beyond_the_end", NEED_MMAP,
	  beyond_the_end },
	{ "mmap: MAP_POPULATE; trap: MMAP without INIT_SHARED", "populate",
	  NEED_MMAP | NEED_RESIDENCY, populate },
	{ "mmap: private pages, SIGBUS; trap: MMAP without INIT_SHARED",
	  "private_touch", NEED_MMAP, private_touch },
	{ "mmap: private pages, system calls", "private_by_system_call",
	  NEED_MMAP, private_by_system_call },
	{ "mmap: read faults allocate", "reading_allocates",
	  NEED_MMAP | NEED_RESIDENCY, reading_allocates },
	{ "mmap: coherence, MADV_DONTNEED", "coherent", NEED_MMAP, coherent },
	{ "mmap: MADV_POPULATE, REMOVE, DONTFORK", "good_advice", NEED_MMAP,
	  good_advice },
	{ "mmap: advice without effect; trap: madvise", "idle_advice",
	  NEED_MMAP, idle_advice },
	{ "mmap: MADV_FREE, COLLAPSE fail", "bad_advice", NEED_MMAP,
	  bad_advice },
	{ "mmap: msync fails", "no_msync", NEED_MMAP, no_msync },
	{ "mmap: mincore; trap: mincore", "mincore_sees_touched", NEED_MMAP,
	  mincore_sees_touched },
	{ "mmap: fork", "inherited", NEED_MMAP, inherited },
	{ "slot: a mapping is a reference", "mapping_keeps_the_file", NEED_MMAP,
	  mapping_keeps_the_file },
	{ "create: any number of files", "two_files", NEED_MMAP, two_files },
	{ 0 },
};
