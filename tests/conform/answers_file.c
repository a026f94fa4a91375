// SPDX-License-Identifier: MIT
/* What is answered to calls on a file and on its mappings. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/falloc.h>

#include "answers.h"
#include "macros.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define GET_ADDR 2 /* MPOL_F_ADDR */

/* A digit for each page. */
static void each_resident(int fd)
{
	uint64_t digits = 0;

	for (uint64_t i = 0; i < FILE_PAGES; i++)
		digits = digits << 4 | resident(fd, i * page, page);
	tell("resident ", digits);
}

static const uint64_t parts[][2] = {
	/* in pages; a part of one in the upper half */
	{ 0, 1 },	   { 2, 2 },  { 0, FILE_PAGES }, { 0, FILE_PAGES + 1 },
	{ FILE_PAGES, 1 }, { 1, 0 },  { 1ULL << 32, 1 }, { 0, 1ULL << 32 },
	{ -1, 2 },	   { 1, -1 },
};

static uint64_t bytes(uint64_t pages)
{
	return pages >> 32 == 1 ? 1 : pages * page;
}

static void by_file(int fd)
{
	struct gmem__attributes2 a;

	for (uint64_t attributes = 0; attributes < 17;
	     attributes += attributes < 2 ? 1 : attributes)
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
			a = (struct gmem__attributes2){
				.offset = bytes(parts[i][0]),
				.size = bytes(parts[i][1]),
				.attributes = attributes,
				.error_offset = 7,
			};
			say_n("", i,
			      ioc(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a));
			if (a.error_offset != 7)
				tell("at", (int64_t)a.error_offset);
		}
	a = (struct gmem__attributes2){ .size = page, .flags = 1 };
	say("flags", ioc(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a));
	a = (struct gmem__attributes2){ .size = page, .reserved[10] = 1 };
	say("reserved", ioc(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a));
	a = (struct gmem__attributes2){ .size = page, .reserved[0] = 1 };
	say("reserved", ioc(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a));
	say("NULL", ioc(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, NULL));
}

static void by_vm(int vm)
{
	struct gmem__attributes a;

	for (uint64_t attributes = 0; attributes < 17;
	     attributes += attributes < 2 ? 1 : attributes)
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
			a = (struct gmem__attributes){
				.address = bytes(parts[i][0]),
				.size = bytes(parts[i][1]),
				.attributes = attributes,
			};
			say_n("", i,
			      ioc(vm, GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a));
		}
	a = (struct gmem__attributes){ .size = page, .flags = 1 };
	say("flags", ioc(vm, GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a));
	say("NULL", ioc(vm, GMEM__KVM_SET_MEMORY_ATTRIBUTES, NULL));
}

/* It ends as it began: private where the file is, and all of it shared where
 * it converts.
 */
void conversions(int vm, int fd)
{
	struct gmem__attributes2 all = { .size = FILE_PAGES * page };

	head("attributes of the VM");
	by_vm(vm);
	head("attributes of the file");
	by_file(fd);
	(void)sys(SYS_fallocate, (uint64_t)fd, FALLOC_FL_KEEP_SIZE, page,
		  3 * page, 0, 0);
	all.attributes = GMEM__ATTRIBUTE_PRIVATE;
	(void)ioc(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &all);
	head("resident once private");
	each_resident(fd);
	all.attributes = 0;
	(void)ioc(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &all);
	head("resident once shared");
	each_resident(fd);
}

/* ----------------------------------------------------------------- policy --
 */

static const int modes[] = { 0,	     1,	     2,	     3,	     4,
			     5,	     6,	     7,	     -1,     0x2002,
			     0x2003, 0x4002, 0x8002, 0xc002, 0x4003,
			     0x8001, 0x8004, 0x2005, 0x8000, 0x10002 };

/* What get_mempolicy(2) says. */
static void told(const char *what, uint64_t n, uint64_t addr,
		 unsigned long flags)
{
	unsigned long nodes[16] = { 0 };
	char name[40], text[80];
	int mode = -1;
	int64_t r = sys(SYS_get_mempolicy, (uintptr_t)&mode, (uintptr_t)nodes,
			1024, addr, flags, 0);

	if (r < 0) {
		say_n(what, n, r);
		return;
	}
	(void)snprintf(name, sizeof(name), "%s%llx", what,
		       (unsigned long long)n);
	(void)snprintf(text, sizeof(text), "%x:%lx", (unsigned int)mode,
		       nodes[0]);
	answer(name, text);
}

static void asked(uint64_t addr)
{
	static const unsigned long flags[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 10 };
	static unsigned long nodes[514];
	int mode;

	head("get_mempolicy");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		for (int at = 0; at < 2; at++)
			told(at ? "addr " : "", flags[i], at ? addr : 0,
			     flags[i]);
	say("few",
	    sys(SYS_get_mempolicy, 0, (uintptr_t)nodes, 3, addr, GET_ADDR, 0));
	say("enough",
	    sys(SYS_get_mempolicy, 0, (uintptr_t)nodes, 4, addr, GET_ADDR, 0));
	say("no mask",
	    sys(SYS_get_mempolicy, (uintptr_t)&mode, 0, 0, addr, GET_ADDR, 0));
	say("many", sys(SYS_get_mempolicy, 0, (uintptr_t)nodes, 32769, addr,
			GET_ADDR, 0));
	say("bad mode", sys(SYS_get_mempolicy, 1, 0, 0, addr, GET_ADDR, 0));
	say("bad mask", sys(SYS_get_mempolicy, 0, 1, 64, addr, GET_ADDR, 0));
}

static void masks(uint64_t addr)
{
	static const unsigned long most[] = { 0,    1,	   2,	  3,	4,
					      5,    64,	   65,	  1024, 1025,
					      1026, 32768, 32769, 32770 };
	static unsigned long nodes[514];

	head("nodes of mbind");
	nodes[0] = 0xe;
	for (size_t i = 0; i < ARRAY_SIZE(most); i++)
		say_n("", most[i],
		      sys(SYS_mbind, addr, page, 2, (uintptr_t)nodes, most[i],
			  0));
	for (size_t i = 1; i < 512; i += 15) {
		nodes[i] = 1;
		say_n("word ", i,
		      sys(SYS_mbind, addr, page, 2, (uintptr_t)nodes, 32769,
			  0));
		nodes[i] = 0;
	}
	say("bad", sys(SYS_mbind, addr, page, 2, 1, 64, 0));
	say("NULL", sys(SYS_mbind, addr, page, 2, 0, 64, 0));
}

static void policies(uint64_t addr)
{
	static const unsigned long sets[] = { 0, 1, 6, 0x10, 0x13, 0x30 };
	static const unsigned long flags[] = { 1, 2, 3, 4, 5, 8 };
	unsigned long one = 2;

	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		head("mbind");
		tell("mode ", (uint64_t)modes[m]);
		for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
			say_n("nodes ", sets[i],
			      sys(SYS_mbind, addr, 2 * page, (uint64_t)modes[m],
				  (uintptr_t)&sets[i], 65, 0));
			told("got ", sets[i], addr + page, GET_ADDR);
			(void)sys(SYS_mbind, addr, 2 * page, 0, 0, 0, 0);
		}
	}
	head("task");
	for (size_t m = 0; m < ARRAY_SIZE(modes); m++)
		for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
			say_n("", (uint64_t)modes[m] << 8 | sets[i],
			      sys(SYS_set_mempolicy, (uint64_t)modes[m],
				  (uintptr_t)&sets[i], 65, 0, 0, 0));
	asked(addr);
	(void)sys(SYS_set_mempolicy, 3, (uintptr_t)(unsigned long[1]){ 6 }, 65,
		  0, 0, 0);
	asked(addr);
	(void)sys(SYS_set_mempolicy, 0, 0, 0, 0, 0, 0);
	masks(addr);
	head("ranges of mbind");
	for (uint64_t n = 0; n < 4 * page; n += page / 2)
		say_n("", n,
		      sys(SYS_mbind, addr, n, 2, (uintptr_t)&one, 65, 0));
	say("odd", sys(SYS_mbind, addr + 1, page, 2, (uintptr_t)&one, 65, 0));
	say("wraps", sys(SYS_mbind, addr, -addr, 2, (uintptr_t)&one, 65, 0));
	say("wraps",
	    sys(SYS_mbind, addr, UINT64_MAX - page, 2, (uintptr_t)&one, 65, 0));
	for (uint64_t i = 0; i < FILE_PAGES; i++)
		told("page ", i, addr + i * page, GET_ADDR);
	head("flags of mbind");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		say_n("", flags[i],
		      sys(SYS_mbind, addr, FILE_PAGES * page, 2,
			  (uintptr_t)&one, 65, flags[i]));
		say_n("default ", flags[i],
		      sys(SYS_mbind, addr, FILE_PAGES * page, 0, 0, 0,
			  flags[i]));
	}
}

/* --------------------------------------------------------------- mappings --
 */

static void in_core(uint64_t addr)
{
	unsigned char vec[FILE_PAGES] = { 0 };
	uint64_t digits = 0;

	say("mincore",
	    sys(SYS_mincore, addr, FILE_PAGES * page, (uintptr_t)vec, 0, 0, 0));
	for (int i = 0; i < FILE_PAGES; i++)
		digits = digits << 4 | vec[i];
	tell("core ", digits);
}

static void advice(int fd, uint64_t addr)
{
	/* Those that do not depend on how the host's kernel was built. */
	static const int kinds[] = { MADV_REMOVE, MADV_FREE,	 25,	     22,
				     23,	  MADV_DONTNEED, MADV_NORMAL };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		head("madvise");
		say_n("", (uint64_t)kinds[i],
		      sys(SYS_madvise, addr + page, 2 * page,
			  (uint64_t)kinds[i], 0, 0, 0));
		say("odd", sys(SYS_madvise, addr + 1, page, (uint64_t)kinds[i],
			       0, 0, 0));
		say("bytes", sys(SYS_madvise, addr + 4 * page, 1,
				 (uint64_t)kinds[i], 0, 0, 0));
		in_core(addr);
		each_resident(fd);
	}
}

/* Of no mapping, or none of the model's: that is asked of the host. */
static void elsewhere(void)
{
	char *own = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uint64_t at = (uintptr_t)own;
	int fd = memfd_create("of the host", MFD_CLOEXEC);
	struct stat st;

	head("of the host");
	(void)munmap(own + page, page);
	for (uint64_t i = 0; i < 2; i++) {
		say("cold",
		    sys(SYS_madvise, at + i * page, page, MADV_COLD, 0, 0, 0));
		say("free",
		    sys(SYS_madvise, at + i * page, page, MADV_FREE, 0, 0, 0));
		say("read", sys(SYS_madvise, at + i * page, page, 22, 0, 0, 0));
	}
	(void)munmap(own, page);
	(void)pwrite(fd, "12", 2, 0);
	tell("pages ", resident(fd, 0, 0));
	say("fstat", sys(SYS_fstat, (uint64_t)fd, (uintptr_t)&st, 0, 0, 0, 0));
	tell("size ", (uint64_t)st.st_size);
	say("write", sys(SYS_write, (uint64_t)fd, (uintptr_t) "4", 1, 0, 0, 0));
	say("fallocate",
	    sys(SYS_fallocate, (uint64_t)fd, 0, 0, 3 * page, 0, 0));
	say("ioctl", ioc(fd, GMEM__KVM_CHECK_EXTENSION, NULL));
	say("close", sys(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0));
	say("closed", sys(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0));
	say("fstat", sys(SYS_fstat, (uint64_t)fd, (uintptr_t)&st, 0, 0, 0, 0));
	say("ioctl", ioc(fd, GMEM__KVM_CHECK_EXTENSION, NULL));
	say("fallocate", sys(SYS_fallocate, (uint64_t)fd, 0, 0, page, 0, 0));
}

static void placed(uint64_t addr)
{
	void *pages[FILE_PAGES];
	int node[FILE_PAGES];

	for (uint64_t i = 0; i < FILE_PAGES; i++) {
		pages[i] = (void *)(uintptr_t)(addr + i * page);
		node[i] = -99;
	}
	head("nodes of the pages");
	say("", sys(SYS_move_pages, 0, FILE_PAGES, (uintptr_t)pages, 0,
		    (uintptr_t)node, 0));
	for (int i = 0; i < FILE_PAGES; i++)
		tell("", node[i]);
}

/* By the host, unseen: they have no node until one is asked for. */
static void touched_by_the_host(int fd, uint64_t addr)
{
	const unsigned long spread = 0xe;

	for (uint64_t pages = 1; pages < 1 << FILE_PAGES;
	     pages = pages * 2 + 9) {
		(void)sys(SYS_fallocate, (uint64_t)fd,
			  FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0,
			  FILE_PAGES * page, 0, 0);
		(void)sys(SYS_mbind, addr, FILE_PAGES * page, 3,
			  (uintptr_t)&spread, 65, 0);
		for (uint64_t i = 0; i < FILE_PAGES; i++)
			if (pages >> i & 1)
				(void)madvise((char *)(uintptr_t)addr +
						      i * page,
					      page, 23);
		(void)sys(SYS_mbind, addr, FILE_PAGES * page, 0, 0, 0, 0);
		placed(addr);
	}
	head("of the task");
	(void)sys(SYS_set_mempolicy, 2, (uintptr_t)&spread, 65, 0, 0, 0);
	(void)sys(SYS_fallocate, (uint64_t)fd,
		  FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0,
		  FILE_PAGES * page, 0, 0);
	(void)madvise((char *)(uintptr_t)addr + page, page, 23);
	(void)sys(SYS_set_mempolicy, 0, 0, 0, 0, 0, 0);
	(void)madvise((char *)(uintptr_t)addr + 3 * page, page, 23);
	placed(addr);
}

static int64_t vector(long number, struct iovec *l, uint64_t n, struct iovec *r,
		      uint64_t m)
{
	return sys(number, 0, (uintptr_t)l, n, (uintptr_t)r, m, 0);
}

/* process_vm_readv(2) and its like, of pages that are there. */
static void copies(uint64_t addr)
{
	static const long calls[] = { SYS_process_vm_readv,
				      SYS_process_vm_writev };
	char buf[64] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct iovec l = { buf, 8 }, r = { (void *)(uintptr_t)addr, 8 };

		head("copies");
		say("one", vector(calls[i], &l, 1, &r, 1));
		say("none", vector(calls[i], &l, 0, &r, 1));
		say("two", vector(calls[i], &l, 1, &r, 2));
		r.iov_len = 9;
		say("other", vector(calls[i], &l, 1, &r, 1));
		r = (struct iovec){ NULL, 8 };
		say("NULL", vector(calls[i], &l, 1, &r, 1));
	}
}

static int64_t map_page(int fd, uint64_t len, uint64_t prot, uint64_t flags,
			uint64_t offset)
{
	int64_t r = sys(SYS_mmap, 0, len, prot, flags, (uint64_t)fd, offset);

	if (r > 0)
		(void)sys(SYS_munmap, (uint64_t)r, len, 0, 0, 0, 0);
	return r > 0 ? 0 : r;
}

static void ways_to_map(int fd)
{
	static const uint64_t flags[] = { MAP_SHARED, MAP_PRIVATE,
					  MAP_SHARED_VALIDATE,
					  MAP_SHARED | MAP_POPULATE, 0 };

	head("mmap");
	for (uint64_t prot = 0; prot < 8; prot++)
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
			say_n("", prot << 32 | flags[i],
			      map_page(fd, page, prot, flags[i], 0));
	say("none", map_page(fd, 0, 1, MAP_SHARED, 0));
	say("odd", map_page(fd, page, 1, MAP_SHARED, 1));
	say("behind", map_page(fd, page, 1, MAP_SHARED, FILE_PAGES * page));
	say("far", map_page(fd, page, 1, MAP_SHARED, 1ULL << 63));
	say("large", map_page(fd, 2 * FILE_PAGES * page, 1, MAP_SHARED, 0));
}

static void holes(uint64_t addr)
{
	head("with a hole");
	say("munmap", sys(SYS_munmap, addr + 3 * page, 1, 0, 0, 0, 0));
	say("odd", sys(SYS_munmap, addr + 1, page, 0, 0, 0, 0));
	say("none", sys(SYS_munmap, addr, 0, 0, 0, 0, 0));
	for (uint64_t i = 0; i < FILE_PAGES; i++)
		told("page ", i, addr + i * page, GET_ADDR);
	say("mincore",
	    sys(SYS_mincore, addr, FILE_PAGES * page,
		(uintptr_t)(unsigned char[FILE_PAGES]){ 0 }, 0, 0, 0));
	say("mbind", sys(SYS_mbind, addr, FILE_PAGES * page, 4, 0, 0, 0));
	say("default", sys(SYS_mbind, addr, FILE_PAGES * page, 0, 0, 0, 0));
	say("remove",
	    sys(SYS_madvise, addr + 4 * page, 2 * page, MADV_REMOVE, 0, 0, 0));
}

void mappings(int fd)
{
	const uint64_t len = FILE_PAGES * page;
	const unsigned long spread = 0xa;
	int64_t addr;

	ways_to_map(fd);
	elsewhere();
	addr = sys(SYS_mmap, 0, len, PROT_READ | PROT_WRITE, MAP_SHARED,
		   (uint64_t)fd, 0);
	if (addr < 0)
		return;
	(void)sys(SYS_fallocate, (uint64_t)fd,
		  FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, len, 0, 0);
	(void)sys(SYS_mbind, (uint64_t)addr, len / 2, 3, (uintptr_t)&spread, 65,
		  0);
	(void)sys(SYS_fallocate, (uint64_t)fd, FALLOC_FL_KEEP_SIZE, 0,
		  len - page, 0, 0);
	head("untouched");
	in_core((uint64_t)addr);
	placed((uint64_t)addr);
	(void)sys(SYS_madvise, (uint64_t)addr, len - page, 22, 0, 0, 0);
	head("touched");
	in_core((uint64_t)addr);
	placed((uint64_t)addr);
	(void)sys(SYS_mbind, (uint64_t)addr, len, 0, 0, 0, 0);
	touched_by_the_host(fd, (uint64_t)addr);
	copies((uint64_t)addr);
	advice(fd, (uint64_t)addr);
	policies((uint64_t)addr);
	holes((uint64_t)addr);
	(void)sys(SYS_munmap, (uint64_t)addr, len, 0, 0, 0, 0);
}
