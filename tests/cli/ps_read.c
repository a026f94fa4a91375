// SPDX-License-Identifier: MIT
/*
 * What gmemctl ps reads in /proc and /sys/fs/cgroup, which are folders of this
 * test here: users, cgroups, arguments and mappings as a kernel may show them.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/magic.h>

#include "folders.h"
#include "fs_type.h"
#include "ps_begin.h"
#include "t.h"
#include "target/charge/cgroup.h"

#define CGROUP "/sys/fs/cgroup"
#define LATE (-1)

static const char *const folders[] = { "/proc", CGROUP, NULL };

struct world {
	struct scan scan;
	struct mem *m;
	int dir; /* of process 77 */
};

static int setup(void **state)
{
	struct world *w = folders_world(folders, sizeof(*w));

	*state = w;
	if (!w)
		return 0;
	fs_type = CGROUP2_SUPER_MAGIC;
	ps_begin(&w->scan);
	write_file("/proc/77/status", "Name:\tvmm\nUid:\t1\t4000000000\t3\n");
	w->dir = open("/proc/77", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->dir >= 0);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (!w)
		return 0;
	scan_free(&w->scan);
	(void)close(w->dir);
	folders_end(folders, w);
	return 0;
}

static struct world *needs_mounts(void **state)
{
	folders_needed(*state);
	return *state;
}

/* -------------------------------------------------------------- mappings -- */

static void lines_of_maps(void **state)
{
	static const char good[] = "7f00-8000 rw-s 1000 00:0f 1234567 "
				   "   /[kvm-gmem] (deleted)";
	static const char *const bad[] = {
		"7f00-8000 rw-s 1000 00:0f 12  /[kvm-gmem] (deleted)x",
		"7f00-8000 rw-s 1000 00:0f 12  x/[kvm-gmem] (deleted)",
		"7f00-7f00 rw-s 1000 00:0f 12  /[kvm-gmem] (deleted)",
		"7f00 rw-s 1000 00:0f 12  /[kvm-gmem] (deleted)",
		"7f00-8000 rw-s 1000 00:0f 12  /memfd:x (deleted)",
		"",
	};
	char name[MAPPING_NAME];
	struct mapping at;

	(void)state;
	assert_true(read_mapping(good, &at));
	assert_int_equal(at.start, 0x7f00);
	assert_int_equal(at.end, 0x8000);
	assert_int_equal(at.offset, 0x1000);
	assert_int_equal(at.dev, makedev(0, 15));
	assert_int_equal(at.ino, 1234567);
	assert_int_equal(at.link, 1);
	mapping_name(&at, name);
	assert_string_equal(name, "7f00-8000");
	assert_true(
		read_mapping("1-2 rw-s 0 1f:2 1 anon_inode:[kvm-gmem]", &at));
	assert_int_equal(at.link, 0);
	assert_int_equal(at.dev, makedev(31, 2));
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++)
		if (read_mapping(bad[i], &at))
			fail_msg("it takes '%s'", bad[i]);
	assert_int_equal(which_link("anon_inode:[kvm-gmem]"), 0);
	assert_int_equal(which_link("anon_inode:kvm-vm"), LINKS);
}

static void nodes_of_a_line(void **state)
{
	uint64_t nodes[NODES] = { 0 };
	char line[64];

	(void)state;
	assert_int_equal(add_nodes("x N0=2 N10=3", 4, nodes), 20);
	assert_int_equal(nodes[0], 8);
	assert_int_equal(nodes[10], 12);
	assert_int_equal(add_nodes(" N0=19", 1, nodes), 19);
	assert_int_equal(nodes[0], 27);
	assert_int_equal(add_nodes(" N0=1", 1, NULL), 1);
	/* what is no node, or one that there cannot be */
	assert_int_equal(add_nodes("N1=1 N=1 Nx=1 N1 1 N1:1", 1, nodes), 0);
	(void)snprintf(line, sizeof(line), " N%d=1 N%d=1", NODES, NODES - 1);
	assert_int_equal(add_nodes(line, 1, nodes), 1);
	assert_int_equal(nodes[NODES - 1], 1);
	assert_int_equal(nodes[1], 0);
}

static void no_file_behind_a_link_is_read(void **state)
{
	struct world *w = needs_mounts(state);
	struct lines l;
	int fd;

	assert_int_equal(symlink("status", "/proc/77/maps"), 0);
	assert_false(lines_open(&l, w->dir, "maps"));
	assert_int_equal(errno, ELOOP);
	assert_false(lines_open(&l, w->dir, "nothing"));
	assert_int_equal(errno, ENOENT);
	/* nor one of another file system that was mounted there */
	assert_int_equal(mkdir("/proc/77/over", 0755), 0);
	assert_int_equal(mount("none", "/proc/77/over", "tmpfs", 0, NULL), 0);
	assert_int_equal(open_proc(w->dir, "over", O_DIRECTORY), -1);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(umount("/proc/77/over"), 0);
	assert_int_equal(open_proc(w->dir, "status", O_DIRECTORY), -1);
	assert_int_equal(errno, ENOTDIR);
	fd = open_proc(w->dir, "status", 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	(void)close(fd);
}

/* ------------------------------------------------------------- processes -- */

static void who_it_is(void **state)
{
	static const char args[] = "vmm\0-m\0004G\0\0";
	struct world *w = needs_mounts(state);
	struct about a = { .no_uid = false };
	char *text = calloc(1, 10000);

	assert_non_null(text);
	write_file("/proc/77/cgroup", "4:cpu:/other\n0::/one/two\n");
	write_bytes("/proc/77/cmdline", args, sizeof(args) - 1);
	read_about(&w->scan, w->dir, &a);
	assert_false(a.no_uid);
	assert_int_equal(a.uid, 4000000000U);
	assert_string_equal(a.cgroup, "/one/two");
	assert_string_equal(a.args, "");
	assert_null(a.payer);
	w->scan.args = true;
	read_about(&w->scan, w->dir, &a);
	assert_string_equal(a.args, "vmm -m 4G");
	/* all of it may be said, up to what there is room for */
	memset(text, 'a', 9999);
	write_bytes("/proc/77/cmdline", text, 9999);
	read_about(&w->scan, w->dir, &a);
	assert_int_equal(strlen(a.args), ARGS_TEXT - 1);
	write_file("/proc/77/cmdline", "");
	read_about(&w->scan, w->dir, &a);
	assert_string_equal(a.args, "");
	free(text);
}

static void who_it_is_cannot_be_read(void **state)
{
	static const char *const bad[] = { "", "Name:\tx\n", "x\nUid:\t1\n",
					   "x\nUid:\t1\tx\n" };
	struct world *w = needs_mounts(state);
	struct about a;

	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		a = (struct about){ .no_uid = false };
		write_file("/proc/77/status", bad[i]);
		read_about(&w->scan, w->dir, &a);
		if (!a.no_uid)
			fail_msg("it takes '%s'", bad[i]);
	}
	a = (struct about){ .no_uid = false };
	assert_int_equal(unlink("/proc/77/status"), 0);
	w->scan.payer = w->scan.args = true;
	read_about(&w->scan, w->dir, &a);
	assert_true(a.no_uid);
	assert_string_equal(a.cgroup, "");
	assert_string_equal(a.args, "");
	assert_null(a.payer);
	assert_null(w->scan.payers);
}

/* ---------------------------------------------------------------- cgroups --
 */

static const struct payer *payer_at(struct world *w, const char *line)
{
	struct about a = { .no_uid = false };

	write_file("/proc/77/cgroup", line);
	w->scan.payer = true;
	read_about(&w->scan, w->dir, &a);
	return a.payer;
}

/* A cgroup of version 2 that has memory, and what its numa_stat says. */
static void pays(const char *name, const char *numa)
{
	char path[100];

	(void)snprintf(path, sizeof(path), CGROUP "/%s/cgroup.procs", name);
	write_file(path, "");
	(void)snprintf(path, sizeof(path), CGROUP "/%s/memory.current", name);
	write_file(path, "0\n");
	(void)snprintf(path, sizeof(path), CGROUP "/%s/memory.numa_stat", name);
	if (numa)
		write_file(path, numa);
}

static void the_nodes_of_version_2(void **state)
{
	struct world *w = needs_mounts(state);
	const struct payer *p, *q;

	write_file(CGROUP "/a/b/cgroup.procs", "");
	write_file(CGROUP "/a/memory.current", "0\n");
	write_file(CGROUP "/a/memory.numa_stat",
		   "anon N0=1\nunevictable_x N0=5\n"
		   "unevictable N0=4096 N3=8192\nunevictable N0=1\n");
	p = payer_at(w, "0::/a/b\n");
	assert_non_null(p);
	assert_string_equal(p->path, "/a");
	assert_string_equal(p->no_nodes.text, "");
	assert_int_equal(p->nodes[0], 4096);
	assert_int_equal(p->nodes[3], 8192);
	/* it is read once, for all processes in it */
	write_file(CGROUP "/a/cgroup.procs", "");
	q = payer_at(w, "0::/a\n");
	assert_ptr_equal(p, q);
	assert_int_equal(p->nodes[0], 4096);
	/* another one has its own */
	pays("c", "unevictable N0=1\n");
	q = payer_at(w, "0::/c\n");
	assert_string_equal(q->path, "/c");
	assert_int_equal(q->nodes[0], 1);
	assert_ptr_equal(payer_at(w, "0::/a\n"), p);
	assert_ptr_equal(w->scan.payers, q);
	assert_ptr_equal(q->next, p);
}

static void the_nodes_of_version_1(void **state)
{
	struct world *w = needs_mounts(state);
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const struct payer *p;

	fs_type = CGROUP_SUPER_MAGIC;
	write_file(CGROUP "/memory/a/cgroup.procs", "");
	write_file(CGROUP "/memory/a/memory.numa_stat",
		   "unevictable=9 N0=9\n"
		   "hierarchical_unevictable=5 N0=2 N1=3\n");
	p = payer_at(w, "5:memory:/a\n0::/b\n");
	assert_non_null(p);
	assert_string_equal(p->path, "/a");
	assert_int_equal(p->nodes[0], 2 * page);
	assert_int_equal(p->nodes[1], 3 * page);
}

static void why_the_nodes_are_not_known(void **state)
{
	struct world *w = needs_mounts(state);
	const struct payer *p = payer_at(w, "0::/gone\n");

	assert_string_equal(p->path, "/gone");
	assert_string_equal(p->no_nodes.text, "its memory cgroup cannot be "
					      "seen in /sys/fs/cgroup");
	assert_false(p->no_nodes.partial);
	pays("a", NULL);
	p = payer_at(w, "0::/a\n");
	assert_string_equal(p->no_nodes.text,
			    "memory.numa_stat of its memory cgroup: No such "
			    "file or directory");
	assert_false(p->no_nodes.partial);
	pays("b", "anon N0=1\n");
	p = payer_at(w, "0::/b\n");
	assert_string_equal(p->no_nodes.text,
			    "memory.numa_stat of its memory cgroup does not "
			    "say what is unevictable");
	assert_false(p->no_nodes.partial);
	assert_null(payer_at(w, "nothing\n"));
}

static void what_is_no_cgroup_is_not_read(void **state)
{
	struct world *w = needs_mounts(state);

	pays("a", "unevictable N0=4096\n");
	fs_type = TMPFS_MAGIC;
	assert_string_equal(payer_at(w, "0::/a\n")->no_nodes.text,
			    "its memory cgroup cannot be seen in "
			    "/sys/fs/cgroup");
}

/* ----------------------------------------------------------------- mapped --
 */

/* What map_files shows of the mapping @name: a file of @size bytes. */
static void map_file(const char *name, off_t size, struct stat *st)
{
	char path[100];

	(void)snprintf(path, sizeof(path), "/proc/77/map_files/%s", name);
	write_file(path, "");
	assert_int_equal(truncate(path, size), 0);
	assert_int_equal(stat(path, st), 0);
}

/* The file with this identity, held by process 77. */
static void mapped_file(struct world *w, const struct stat *st)
{
	struct holder *h;

	w->m = find_file(&w->scan, st->st_dev, st->st_ino);
	assert_non_null(w->m);
	h = find_holder(w->m, 77, "vmm");
	assert_non_null(h);
	h->mapped = 1;
}

static void write_maps(const struct world *w, int pid, const char *rest)
{
	char path[64], text[1024];
	size_t n = 0;

	/* "START-END OFFSET" each */
	for (const char *p = rest; *p; p += strcspn(p, "\n") + 1) {
		unsigned long start, end, offset;

		assert_int_equal(
			sscanf(p, "%lx-%lx %lx", &start, &end, &offset), 3);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "%lx-%lx rw-s %lx %x:%x %" PRIu64
				      " /[kvm-gmem] (deleted)\n",
				      start, end, offset, major(w->m->dev),
				      minor(w->m->dev), (uint64_t)w->m->ino);
	}
	/* and two that only look so */
	n += (size_t)snprintf(text + n, sizeof(text) - n,
			      "a000-b000 rw-s 100000 %x:%x 1 /[kvm-gmem] "
			      "(deleted)\nb000-c000 rw-s 200000 77:77 %" PRIu64
			      " /[kvm-gmem] (deleted)\n",
			      major(w->m->dev), minor(w->m->dev),
			      (uint64_t)w->m->ino);
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	write_file(path, text);
}

#define LINE "1000 default file=/[kvm-gmem] N0="
#define ONE_PAGE LINE "1 kernelpagesize_kB=4\n"
#define NO_PAGE LINE "0 kernelpagesize_kB=4\n"
#define NO_SIZE LINE "1\n"

/* A file of one byte that process 77 maps, and its line of numa_maps. */
static void one_mapping(struct world *w, const char *numa)
{
	struct stat st;

	map_file("1000-3000", 1, &st);
	mapped_file(w, &st);
	write_maps(w, 77, "1000-3000 0\n");
	write_file("/proc/77/numa_maps", numa);
}

static void size_and_pages_of_a_mapping(void **state)
{
	struct world *w = needs_mounts(state);
	struct stat st;

	map_file("1000-2000", 12345, &st);
	mapped_file(w, &st);
	write_maps(w, 77, "1000-2000 0\n3000-5000 1000\n");
	write_file("/proc/77/numa_maps",
		   "00001000 default file=/[kvm-gmem]\\040(deleted) N0=1 "
		   "kernelpagesize_kB=4\n"
		   "00003000 default file=/[kvm-gmem]\\040(deleted) N1=2 "
		   "kernelpagesize_kB=4\n"
		   "00003000 default file=/[kvm-gmem]\\040(deleted) N1=9 "
		   "kernelpagesize_kB=4\n"
		   "0000a000 default file=/[kvm-gmem]\\040(deleted) N2=1 "
		   "kernelpagesize_kB=4\n"
		   "0000b000 default file=/[kvm-gmem]\\040(deleted) N2=1 "
		   "kernelpagesize_kB=4\n");
	ask_mappings(&w->scan, w->m);
	assert_string_equal(w->m->no_size.text, "");
	assert_true(w->m->size_by_mapping);
	assert_int_equal(w->m->size, 12345);
	assert_true(w->m->only_mapped);
	assert_string_equal(w->m->no_resident.text, "");
	assert_true(w->m->lower_bound && w->m->resident_by_mapping);
	assert_int_equal(w->m->resident, 3 * 4096);
	assert_string_equal(w->m->no_nodes.text, "");
	assert_true(w->m->nodes_by_mapping);
	assert_int_equal(w->m->nodes[0], 4096);
	assert_int_equal(w->m->nodes[1], 8192);
	assert_int_equal(w->m->nodes[2], 0);
}

static void no_page_counts_twice(void **state)
{
	struct world *w = needs_mounts(state);
	struct stat st;

	map_file("1000-3000", 1, &st);
	mapped_file(w, &st);
	find_holder(w->m, 78, "vmm")->mapped = 1;
	/* 0-2000 twice, of which the second has more; beside it 2000-3000 */
	write_maps(w, 77, "1000-3000 0\n4000-5000 2000\n6000-7000 3000\n");
	write_maps(w, 78, "1000-3000 0\n");
	write_file("/proc/77/numa_maps",
		   "1000 default file=/[kvm-gmem] N0=1 kernelpagesize_kB=4\n"
		   "4000 default file=/[kvm-gmem] N0=1 kernelpagesize_kB=4\n"
		   "6000 default file=/memfd:x N0=7 kernelpagesize_kB=4\n");
	write_file("/proc/78/numa_maps",
		   "1000 default file=/[kvm-gmem] N0=2 kernelpagesize_kB=4\n");
	ask_mappings(&w->scan, w->m);
	assert_int_equal(w->m->resident, 3 * 4096);
	assert_int_equal(w->m->nodes[0], 3 * 4096);
}

static void holders_without_a_mapping_are_not_asked(void **state)
{
	struct world *w = needs_mounts(state);

	one_mapping(w, ONE_PAGE);
	w->m->holders->mapped = 0;
	ask_mappings(&w->scan, w->m);
	assert_string_equal(w->m->no_size.text,
			    "only a mapping is left, which tells no more");
	assert_string_equal(w->m->no_resident.text,
			    "only a mapping is left, and its numa_maps cannot "
			    "be read");
	assert_string_equal(w->m->no_nodes.text, w->m->no_resident.text);
	assert_false(w->m->no_size.partial || w->m->no_resident.partial);
}

static void another_file_gives_no_size(void **state)
{
	struct world *w = needs_mounts(state);
	struct stat st;

	map_file("1000-3000", 1, &st);
	st.st_ino++;
	mapped_file(w, &st);
	write_maps(w, 77, "1000-3000 0\n");
	ask_mappings(&w->scan, w->m);
	assert_string_equal(w->m->no_size.text,
			    "only a mapping is left, which tells no more");
	assert_false(w->m->size_by_mapping);
	/* without numa_maps, since this kernel has none */
	assert_string_equal(w->m->no_resident.text,
			    "only a mapping is left, and this kernel has no "
			    "numa_maps");
	assert_false(w->m->no_resident.partial);
	assert_string_equal(w->m->no_nodes.text, w->m->no_resident.text);
}

static void pages_that_nobody_touched(void **state)
{
	struct world *w = needs_mounts(state);

	one_mapping(w, NO_SIZE);
	ask_mappings(&w->scan, w->m);
	assert_string_equal(w->m->no_resident.text, "");
	assert_int_equal(w->m->resident, 0);
	assert_true(w->m->lower_bound);
	assert_null(w->m->nodes);
	assert_string_equal(w->m->no_nodes.text,
			    "no process has touched it through the mappings "
			    "that are left");
	assert_false(w->m->no_nodes.partial);
}

/* A descriptor told its size; the mapping tells what that could not. */
static void beside_a_descriptor(void **state)
{
	struct world *w = needs_mounts(state);

	one_mapping(w, NO_PAGE);
	w->m->no_size.text[0] = '\0';
	w->m->size = 5;
	unknown(&w->m->no_resident, false, "why not");
	unknown(&w->m->no_nodes, false, "why not");
	ask_mappings(&w->scan, w->m);
	assert_false(w->m->only_mapped);
	assert_int_equal(w->m->size, 5);
	assert_false(w->m->size_by_mapping);
	/* nothing was touched, so no number is known */
	assert_string_equal(w->m->no_resident.text, "why not");
	assert_string_equal(w->m->no_nodes.text, "why not");
	write_file("/proc/77/numa_maps", ONE_PAGE);
	ask_mappings(&w->scan, w->m);
	assert_int_equal(w->m->resident, 4096);
	assert_true(w->m->resident_by_mapping && w->m->nodes_by_mapping);
	/* what is known stays */
	w->m->resident = 8192;
	free(w->m->nodes);
	w->m->nodes = calloc(NODES, sizeof(*w->m->nodes));
	assert_non_null(w->m->nodes);
	w->m->nodes_by_mapping = false;
	ask_mappings(&w->scan, w->m);
	assert_int_equal(w->m->resident, 8192);
	assert_int_equal(w->m->nodes[0], 0);
	assert_false(w->m->nodes_by_mapping);
}

static void without_time(void **state)
{
	struct world *w = needs_mounts(state);

	one_mapping(w, ONE_PAGE);
	w->scan.budget = LATE;
	ask_mappings(&w->scan, w->m);
	assert_string_equal(w->m->no_size.text, "the time of --budget is over");
	assert_true(w->m->no_size.partial);
	assert_string_equal(w->m->no_resident.text, w->m->no_size.text);
	assert_string_equal(w->m->no_nodes.text, w->m->no_size.text);
	assert_null(w->m->nodes);
}

static void no_descriptor_stays_open(void **state)
{
	struct world *w = needs_mounts(state);
	const int before = open_fds();

	one_mapping(w, ONE_PAGE);
	pays("a", "unevictable N0=1\n");
	ask_mappings(&w->scan, w->m);
	assert_non_null(payer_at(w, "0::/a\n"));
	assert_int_equal(open_fds(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_maps),
		cmocka_unit_test(nodes_of_a_line),
		TEST(no_file_behind_a_link_is_read),
		TEST(who_it_is),
		TEST(who_it_is_cannot_be_read),
		TEST(the_nodes_of_version_2),
		TEST(the_nodes_of_version_1),
		TEST(why_the_nodes_are_not_known),
		TEST(what_is_no_cgroup_is_not_read),
		TEST(size_and_pages_of_a_mapping),
		TEST(no_page_counts_twice),
		TEST(holders_without_a_mapping_are_not_asked),
		TEST(another_file_gives_no_size),
		TEST(pages_that_nobody_touched),
		TEST(beside_a_descriptor),
		TEST(without_time),
		TEST(no_descriptor_stays_open),
	};

	return t_main(tests);
}
