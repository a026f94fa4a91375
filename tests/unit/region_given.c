// SPDX-License-Identifier: MIT
/*
 * What is verified of shared memory that a program hands in: by what calls on
 * it return, and by the lines that /proc has of it.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "side.h"
#include "unit.h"

#include <gmem_region.h>

#define MAPS "/proc/self/maps"

struct given {
	unsigned char *mem;
	int fd;
	struct stat st;
	struct gmem_region_opts o;
};

/* 2 MiB of a memfd, of which a region is to have the second. */
static void hand_in(struct given *g)
{
	g->fd = memfd_create("given", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(g->fd >= 0);
	assert_int_equal(ftruncate(g->fd, 2 * MiB), 0);
	assert_int_equal(fstat(g->fd, &g->st), 0);
	g->mem = mmap(NULL, 2 * MiB, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd,
		      0);
	assert_ptr_not_equal(g->mem, MAP_FAILED);
	g->o = (struct gmem_region_opts){ .sz = sizeof(g->o),
					  .flags = GMEM_REGION_SHARED_FD,
					  .shared = g->mem + MiB,
					  .shared_fd = g->fd,
					  .shared_offset = MiB };
}

static void take_back(struct given *g)
{
	assert_int_equal(munmap(g->mem, 2 * MiB), 0);
	assert_int_equal(close(g->fd), 0);
}

static void refused(struct unit *u, const struct gmem_region_opts *o,
		    uint64_t size, uint32_t why, const char *says)
{
	struct gmem_region *r = NULL;

	t_refused(gmem_region_create(u->vm, size, o, &r, &u->err), -EINVAL, why,
		  u->err);
	if (!strstr(u->err.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", u->err.msg, says);
	assert_null(r);
}

/* Return: whether all of it was compared. */
static bool taken(struct unit *u, const struct gmem_region_opts *o)
{
	struct gmem_region_info info = GMEM_INIT(struct gmem_region_info);
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, MiB, o, &r, &u->err), u->err);
	t_ok(gmem_region_get(r, &info, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
	return !(info.flags & GMEM_REGION_UNVERIFIED);
}

/* ---------------------------------------------------------------- place -- */

static void where_it_lies_is_checked(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o;
	struct given g;

	hand_in(&g);
	o = g.o;
	o.shared = g.mem + MiB + PAGE / 2;
	refused(u, &o, MiB, GMEM_REASON_UNALIGNED, "shared");
	o = g.o;
	o.shared_offset += PAGE / 2;
	refused(u, &o, MiB, GMEM_REASON_UNALIGNED, "shared_offset");
	o = g.o;
	o.shared = (void *)(uintptr_t)-MiB;
	refused(u, &o, 2 * MiB, GMEM_REASON_SHARED_MEMORY, "overflow");
	o.shared = (void *)((uintptr_t)-MiB + PAGE / 2);
	refused(u, &o, 2 * MiB, GMEM_REASON_UNALIGNED, "shared");
	o = g.o;
	o.shared_offset = INT64_MAX - MiB + 1;
	refused(u, &o, 2 * MiB, GMEM_REASON_SHARED_MEMORY, "overflow");
	/* up to the end of the file, and a page beyond it */
	o = g.o;
	o.shared = NULL;
	(void)taken(u, &o);
	o.shared_offset += PAGE;
	refused(u, &o, MiB, GMEM_REASON_SHARED_MEMORY, "its file has");
	o.shared_offset = 2 * MiB + PAGE;
	refused(u, &o, MiB, GMEM_REASON_SHARED_MEMORY, "its file has");
	take_back(&g);
}

static void a_descriptor_needs_its_flag(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o;
	struct given g;

	hand_in(&g);
	o = (struct gmem_region_opts){ .sz = sizeof(o), .shared_fd = g.fd };
	refused(u, &o, MiB, GMEM_REASON_SHARED_MEMORY, "without the flag");
	o = (struct gmem_region_opts){ .sz = sizeof(o), .shared_offset = MiB };
	refused(u, &o, MiB, GMEM_REASON_SHARED_MEMORY, "without the flag");
	take_back(&g);
}

/* ----------------------------------------------------------------- file -- */

static void what_is_no_file_of_memory_is_refused(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = { .sz = sizeof(o),
				      .flags = GMEM_REGION_SHARED_FD };
	struct given g;
	char path[64];
	int fds[2];

	hand_in(&g);
	assert_int_equal(pipe(fds), 0);
	o.shared_fd = fds[1];
	refused(u, &o, MiB, GMEM_REASON_SHARED_MEMORY, "not open for");
	o.shared_fd = fds[0]; /* has no flag at all */
	refused(u, &o, MiB, GMEM_REASON_SHARED_MEMORY, "not open for");
	assert_int_equal(close(fds[0]) + close(fds[1]), 0);
	o.shared_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	refused(u, &o, MiB, GMEM_REASON_SHARED_MEMORY, "is no memfd");
	assert_int_equal(close(o.shared_fd), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", g.fd);
	o.shared_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(o.shared_fd >= 0);
	refused(u, &o, MiB, GMEM_REASON_SHARED_MEMORY, "not open for");
	assert_int_equal(close(o.shared_fd), 0);
	take_back(&g);
}

/* A file system of huge pages says how large they are. */
static void a_huge_page_is_a_power_of_2(void **state)
{
	static const uint64_t blocks[] = { 0, 512, 3 * 64 * KiB };
	struct unit *u = *state;
	struct gmem__stat st = { .size = 2 * MiB, .mode = S_IFREG | 0600 };
	struct given g;

	hand_in(&g);
	g.o.shared = NULL;
	u->magic = GMEM__MAGIC_HUGETLBFS;
	for (size_t i = 0; i < T_ARRAY_SIZE(blocks); i++) {
		st.block = blocks[i];
		u->stat = &st;
		refused(u, &g.o, MiB, GMEM_REASON_SHARED_MEMORY, "is no memfd");
	}
	/* pages of the size of a region that is not a multiple of theirs */
	st.block = 4 * MiB;
	st.size = 16 * MiB;
	g.o.shared_offset = 4 * MiB;
	refused(u, &g.o, MiB, GMEM_REASON_UNALIGNED, "size");
	g.o.shared_offset = MiB;
	refused(u, &g.o, 4 * MiB, GMEM_REASON_UNALIGNED, "shared_offset");
	/* and what is wrong beside that is said */
	g.o.shared_offset = 16 * MiB;
	refused(u, &g.o, 4 * MiB, GMEM_REASON_SHARED_MEMORY, "its file has");
	g.o.shared_offset = 0;
	st.mode = S_IFDIR;
	refused(u, &g.o, 4 * MiB, GMEM_REASON_SHARED_MEMORY, "is no memfd");
	/* a file of a disk has blocks as well */
	st.mode = S_IFREG | 0600;
	st.block = PAGE;
	u->magic = 0xef53;
	refused(u, &g.o, MiB, GMEM_REASON_SHARED_MEMORY, "is no memfd");
	u->stat = NULL;
	u->magic = 0;
	take_back(&g);
}

static void what_cannot_be_written_is_refused(void **state)
{
	static const int seals[] = { 0x8, 0x10 }; /* WRITE, FUTURE_WRITE */
	struct unit *u = *state;
	struct given g;

	for (size_t i = 0; i < T_ARRAY_SIZE(seals); i++) {
		hand_in(&g);
		assert_int_equal(munmap(g.mem, 2 * MiB), 0);
		g.o.shared = NULL;
		assert_int_equal(fcntl(g.fd, 1033 /* F_ADD_SEALS */, seals[i]),
				 0);
		refused(u, &g.o, MiB, GMEM_REASON_SHARED_MEMORY, "is sealed");
		assert_int_equal(close(g.fd), 0);
	}
}

/* --------------------------------------------------------------- memory -- */

/* Any other answer than those that say what it is ends the call with it. */
static void a_call_that_fails_otherwise_is_reported(void **state)
{
	static const struct {
		const char *call, *says;
		unsigned int nth;
	} t[] = {
		{ "madvise", "madvise(MADV_WIPEONFORK)", 1 },
		{ "madvise", "madvise(MADV_WIPEONFORK)", 2 },
		{ "fstat", "fstat of the shared memory", 1 },
		{ "fstatfs", "fstatfs of the shared memory", 1 },
		{ "fcntl", "fcntl of the shared memory", 1 },
		{ "fcntl", "fcntl(F_GET_SEALS)", 2 },
		{ "mremap", "mremap of the shared memory", 1 },
	};
	struct unit *u = *state;
	struct gmem_region *r = NULL;
	struct given g;

	hand_in(&g);
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		unit_reset(u);
		unit_answer(u, t[i].call, 0, t[i].nth, 1, -EPERM);
		t_refused(gmem_region_create(u->vm, MiB, &g.o, &r, &u->err),
			  -EPERM, GMEM_REASON_ACCESS_DENIED, u->err);
		if (!strstr(u->err.msg, t[i].says))
			fail_msg("\"%s\"", u->err.msg);
	}
	take_back(&g);
}

static void what_is_not_all_mapped_is_refused(void **state)
{
	struct unit *u = *state;
	struct given g;

	hand_in(&g);
	assert_int_equal(munmap(g.mem + 3 * MiB / 2, PAGE), 0);
	refused(u, &g.o, MiB, GMEM_REASON_SHARED_MEMORY, "are not all mapped");
	take_back(&g);
}

static bool told(struct unit *u, const struct gmem_region_opts *o,
		 const char *text, const char *says);

/* Where no line of /proc says it, the kernel does. */
static void a_private_mapping_of_a_file_is_refused(void **state)
{
	static const char says[] = "mapped from a file with MAP_PRIVATE";
	struct unit *u = *state;
	struct gmem_region_opts o = { .sz = sizeof(o) };
	struct given g;

	hand_in(&g);
	o.shared =
		mmap(NULL, MiB, PROT_READ | PROT_WRITE, MAP_PRIVATE, g.fd, 0);
	assert_ptr_not_equal(o.shared, MAP_FAILED);
	(void)told(u, &o, "", says);
	/* and of a device */
	unit_answer(u, "mremap", 0, 1, 1, -EFAULT);
	(void)told(u, &g.o, "", says);
	assert_int_equal(munmap(o.shared, MiB), 0);
	take_back(&g);
}

/* Success leaves no error of a call whose answer is 0. */
static void memory_that_suits_leaves_no_error(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts anon = { .sz = sizeof(anon) };
	struct given g;

	hand_in(&g);
	anon.shared = mmap(NULL, MiB, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(anon.shared, MAP_FAILED);
	/* Nothing is made after that which would clear it. */
	anon.gmem = g.o.gmem = unit_create(u, MiB, 0);
	(void)taken(u, &anon);
	(void)taken(u, &g.o);
	assert_int_equal(munmap(anon.shared, MiB), 0);
	take_back(&g);
}

static struct gmem_region *made(struct unit *u,
				const struct gmem_region_opts *o)
{
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, MiB, o, &r, &u->err), u->err);
	return r;
}

/* The same offset, and of the other device the same number. */
static void another_file_is_other_memory(void **state)
{
	struct unit *u = *state;
	struct gmem__stat st;
	struct given g[3];

	for (size_t i = 0; i < T_ARRAY_SIZE(g); i++) {
		hand_in(&g[i]);
		g[i].o.shared = NULL;
	}
	(void)made(u, &g[0].o);
	(void)made(u, &g[1].o);
	st = (struct gmem__stat){ .size = 2 * MiB,
				  .ino = g[0].st.st_ino,
				  .dev = g[0].st.st_dev + 1,
				  .mode = S_IFREG | 0600 };
	u->stat = &st;
	(void)made(u, &g[2].o);
	st.dev--;
	refused(u, &g[2].o, MiB, GMEM_REASON_SHARED_MEMORY, "another region");
	u->stat = NULL;
	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	u->vm = NULL;
	for (size_t i = 0; i < T_ARRAY_SIZE(g); i++)
		take_back(&g[i]);
}

/* ---------------------------------------------------------------- lines -- */

static bool told(struct unit *u, const struct gmem_region_opts *o,
		 const char *text, const char *says)
{
	const struct unit_told files[] = { { MAPS, text }, { NULL, NULL } };
	bool compared = false;

	u->told = files;
	if (says)
		refused(u, o, MiB, GMEM_REASON_SHARED_MEMORY, says);
	else
		compared = taken(u, o);
	u->told = NULL;
	return compared;
}

/* Adds the line of [@start, @end) to @text. */
static void add_line(char text[512], unsigned long long start,
		     unsigned long long end, const char *rest)
{
	size_t n = strlen(text);

	(void)snprintf(text + n, 512 - n, "%llx-%llx %s\n", start, end, rest);
}

/* Without a descriptor: shared memory of no device. */
static void a_line_says_how_it_is_mapped(void **state)
{
	static const struct {
		const char *rest, *says; /* NULL: it is compared */
	} t[] = {
		{ "rw-s 00000000 00:01 77 /x", NULL },
		{ "rwxs 00000000 00:01 77 /x", NULL },
		{ "rw-s 00000000 00:ff 77 /x", NULL },
		{ "r--s 00000000 00:01 77 /x", "is mapped r--s, not rw-s" },
		{ "-w-s 00000000 00:01 77 /x", "is mapped -w-s, not rw-s" },
		{ "rw-p 00000000 00:01 77 /x", "is mapped rw-p, not rw-s" },
		{ "rw-s 00000000 08:01 77 /x", "of a file on device 8:1" },
	};
	struct unit *u = *state;
	struct gmem_region_opts o = { .sz = sizeof(o) };
	unsigned long long at;

	o.shared = mmap(NULL, MiB, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(o.shared, MAP_FAILED);
	at = (uintptr_t)o.shared;
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		char text[512] = "";

		add_line(text, at, at + MiB, t[i].rest);
		assert_int_equal(told(u, &o, text, t[i].says), !t[i].says);
	}
	assert_int_equal(munmap(o.shared, MiB), 0);
}

/* What follows it is no part of it. */
static void a_line_that_cannot_be_read_compares_nothing(void **state)
{
	static const char *const t[] = {
		"rw\ns 00000000 00:01 77 /x",
		"rw-\n 00000000 00:01 77 /x",
		"rw-s 00000000:00:01 77 /x",
		"rw-s 00000000 00:01 77777777777777777777777 /x",
	};
	static const char ours[] = "rw-s 00000000 00:01 77 /x";
	struct unit *u = *state;
	struct gmem_region_opts o = { .sz = sizeof(o) };
	unsigned long long at;
	char text[512] = "";

	o.shared = mmap(NULL, MiB, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(o.shared, MAP_FAILED);
	at = (uintptr_t)o.shared;
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		text[0] = '\0';
		add_line(text, at, at + MiB, t[i]);
		assert_false(told(u, &o, text, NULL));
	}
	/* The largest address is one. */
	text[0] = '\0';
	add_line(text, UINT64_MAX - 4095, UINT64_MAX, "---p 0 00:00 0 ");
	add_line(text, at, at + MiB, ours);
	assert_true(told(u, &o, text, NULL));
	assert_int_equal(munmap(o.shared, MiB), 0);
}

static void every_part_of_it_has_a_line(void **state)
{
	static const char other[] = "r--p 0 08:01 5 /other";
	static const char ours[] = "rw-s 0 00:01 77 /x";
	static const struct {
		int start, mid, next, end; /* pages off */
		bool all;
	} t[] = {
		{ 0, 0, 0, 0, true },	{ -1, 0, 0, 1, true },
		{ 1, 0, 0, 0, false },	{ 0, 0, 1, 0, false },
		{ 0, 0, 0, -1, false }, { 0, -1, 0, 0, false },
	};
	struct unit *u = *state;
	struct gmem_region_opts o = { .sz = sizeof(o) };
	unsigned long long at, page = PAGE;

	o.shared = mmap(NULL, MiB, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(o.shared, MAP_FAILED);
	at = (uintptr_t)o.shared;
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		unsigned long long start;
		char text[512] = "";

		start = t[i].start < 0 ? at - page
				       : at + page * (t[i].start > 0);
		add_line(text, 0x1000, start < at ? start : at, other);
		add_line(text, start, at + MiB / 2 - page * (t[i].mid < 0),
			 ours);
		add_line(text, at + MiB / 2 + page * (t[i].next > 0),
			 t[i].end < 0 ? at + MiB - page
				      : at + MiB + page * (t[i].end > 0),
			 ours);
		add_line(text, at + MiB + page, at + 2 * MiB, other);
		assert_int_equal(told(u, &o, text, NULL), t[i].all);
	}
	assert_int_equal(munmap(o.shared, MiB), 0);
}

/* With a descriptor it is that file's, from that offset on. */
static void a_line_says_which_file_it_is(void **state)
{
	static const struct {
		unsigned int ino, major, minor, pages;
		bool same;
	} t[] = {
		{ 0, 0, 0, 0, true },  { 1, 0, 0, 0, false },
		{ 0, 1, 0, 0, false }, { 0, 0, 1, 0, false },
		{ 0, 0, 0, 1, false },
	};
	struct unit *u = *state;
	struct given g;

	hand_in(&g);
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		unsigned long long at = (uintptr_t)g.mem;
		char text[512] = "", rest[128];

		(void)snprintf(rest, sizeof(rest),
			       "rw-s %08llx %02x:%02x %llu /x",
			       t[i].pages * (unsigned long long)PAGE,
			       major(g.st.st_dev) + t[i].major,
			       minor(g.st.st_dev) + t[i].minor,
			       (unsigned long long)g.st.st_ino + t[i].ino);
		add_line(text, at, at + 2 * MiB, rest);
		assert_int_equal(told(u, &g.o, text,
				      t[i].same ? NULL : "is not what fd"),
				 t[i].same);
	}
	take_back(&g);
}

/* A half that is wrong is said, not that the other has no line. */
static void of_huge_pages_the_wrong_half_is_told(void **state)
{
	struct unit *u = *state;
	unsigned long long at;
	char text[512] = "";
	struct side s;

	side_make(&s, SIDE_HUGETLB, MiB);
	side_tell(u, &s);
	at = (uintptr_t)s.mem;
	add_line(text, at, at + MiB / 2, "rw-s 00000000 00:01 1 /x");
	(void)told(u, &s.o, text, "is not what fd");
	(void)told(u, &s.o, "", "cannot be found out");
	side_told(u);
	side_end(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(where_it_lies_is_checked, unit_sw),
		TEST(a_descriptor_needs_its_flag, unit_sw),
		TEST(what_is_no_file_of_memory_is_refused, unit_sw),
		TEST(a_huge_page_is_a_power_of_2, unit_sw),
		TEST(what_cannot_be_written_is_refused, unit_sw),
		TEST(a_call_that_fails_otherwise_is_reported, unit_sw),
		TEST(what_is_not_all_mapped_is_refused, unit_sw),
		TEST(a_line_says_how_it_is_mapped, unit_sw),
		TEST(every_part_of_it_has_a_line, unit_sw),
		TEST(a_line_says_which_file_it_is, unit_sw),
		TEST(a_private_mapping_of_a_file_is_refused, unit_sw),
		TEST(memory_that_suits_leaves_no_error, unit_sw),
		TEST(another_file_is_other_memory, unit_sw),
		TEST(a_line_that_cannot_be_read_compares_nothing, unit_sw),
		TEST(of_huge_pages_the_wrong_half_is_told, unit_sw),
	};

	return t_main(tests);
}
