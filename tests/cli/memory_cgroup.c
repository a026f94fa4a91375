// SPDX-License-Identifier: MIT
/*
 * The memory cgroup that pays for a process: which one it is, where it is
 * seen, and what its files say.
 */
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/magic.h>

#include "folders.h"
#include "fs_type.h"
#include "t.h"
#include "target/charge/cgroup.h"

#define CGROUP "/sys/fs/cgroup"

static const char *const folders[] = { "/proc", CGROUP, NULL };
static bool mounted;

static int setup(void **state)
{
	(void)state;
	fs_type = CGROUP2_SUPER_MAGIC;
	mounted = folders_mount(folders);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (mounted)
		folders_unmount(folders);
	return 0;
}

/* What these lines of /proc/PID/cgroup say. */
static struct cgroup *lines(const char *text)
{
	static struct cgroup c;
	char copy[256], *line, *saved = NULL;

	c = (struct cgroup){ .v1 = false };
	(void)snprintf(copy, sizeof(copy), "%s", text);
	for (line = strtok_r(copy, "|", &saved); line;
	     line = strtok_r(NULL, "|", &saved))
		cgroup_line(line, &c);
	return &c;
}

static void who_pays(void **state)
{
	static const struct {
		const char *text, *path;
		bool v1;
	} is[] = {
		{ "0::/a/b", "/a/b", false },
		{ "0::/a\n", "/a", false },
		{ "5:memory:/a", "/a", true },
		{ "5:cpu,memory:/a", "/a", true },
		{ "5:memory,cpu:/a", "/a", true },
		/* version 1 pays where it has the controller */
		{ "0::/a|5:memory:/b", "/b", true },
		{ "5:memory:/b|0::/a", "/b", true },
		{ "5:memory:/b|6:cpu:/a", "/b", true },
		{ "5:cpu:/b|0::/a", "/a", false },
		/* and what only looks so does not */
		{ "5:memoryx:/b|0::/a", "/a", false },
		{ "5:xmemory:/b|0::/a", "/a", false },
		{ "5:cpu:/b", "", false },
		{ "no colon", "", false },
		{ "0:one", "", false },
		{ "0::/a:b", "/a:b", false },
	};

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(is); i++) {
		const struct cgroup *c = lines(is[i].text);

		if (strcmp(c->path, is[i].path) != 0 || c->v1 != is[i].v1)
			fail_msg("'%s': '%s', version %d", is[i].text, c->path,
				 c->v1 ? 1 : 2);
	}
}

/* Where @line's cgroup is seen. */
static struct cgroup *seen(const char *line)
{
	struct cgroup *c = lines(line);

	cgroup_find(c);
	return c;
}

static void where_it_is_mounted(void **state)
{
	const struct cgroup *c;

	(void)state;
	folders_needed(mounted);
	assert_string_equal(seen("0::/a")->dir, "");
	write_file(CGROUP "/unified/a/cgroup.procs", "");
	c = seen("0::/a");
	assert_string_equal(c->dir, CGROUP "/unified/a");
	assert_int_equal(c->root, strlen(CGROUP "/unified"));
	write_file(CGROUP "/a/cgroup.procs", "");
	c = seen("0::/a");
	assert_string_equal(c->dir, CGROUP "/a");
	assert_int_equal(c->root, strlen(CGROUP));
	assert_string_equal(seen("0::/")->dir, "");
	write_file(CGROUP "/cgroup.procs", "");
	assert_string_equal(seen("0::/")->dir, CGROUP);
	/* what is above the root of the namespace, or no path, is not */
	assert_string_equal(seen("0::/..")->dir, "");
	assert_string_equal(seen("0::/../a")->dir, "");
	assert_string_equal(seen("0::a")->dir, "");
	write_file(CGROUP "/..a/cgroup.procs", "");
	assert_string_equal(seen("0::/..a")->dir, CGROUP "/..a");
}

static void version_1_is_elsewhere(void **state)
{
	const struct cgroup *c;

	(void)state;
	folders_needed(mounted);
	write_file(CGROUP "/a/cgroup.procs", "");
	write_file(CGROUP "/memory/a/cgroup.procs", "");
	assert_string_equal(seen("1:memory:/a")->dir, "");
	assert_false(cgroup_v1_mounted());
	fs_type = CGROUP_SUPER_MAGIC;
	assert_true(cgroup_v1_mounted());
	c = seen("1:memory:/a");
	assert_string_equal(c->dir, CGROUP "/memory/a");
	assert_int_equal(c->root, strlen(CGROUP "/memory"));
	assert_string_equal(seen("0::/a")->dir, "");
}

static void of_a_process(void **state)
{
	static struct cgroup c;

	(void)state;
	folders_needed(mounted);
	/* neither a process nor /proc */
	assert_int_equal(cgroup_of(77, &c), ENOENT);
	/* a kernel without cgroups has no such file */
	write_file("/proc/self/stat", "");
	assert_int_equal(cgroup_of(77, &c), 0);
	assert_string_equal(c.path, "");
	write_file("/proc/self/cgroup", "");
	assert_int_equal(cgroup_of(77, &c), ENOENT);
	write_file("/proc/77/cgroup", "3:cpu:/x\n0::/a\n");
	write_file(CGROUP "/a/cgroup.procs", "");
	assert_int_equal(cgroup_of(77, &c), 0);
	assert_string_equal(c.path, "/a");
	assert_string_equal(c.dir, CGROUP "/a");
	assert_int_equal(mkdir("/proc/78", 0755), 0);
	assert_int_equal(mkdir("/proc/78/cgroup", 0755), 0);
	assert_int_equal(cgroup_of(78, &c), EIO);
}

static void opens(const char *line, const char *name, const char *where)
{
	char is[CGROUP_PATH];
	FILE *f = cgroup_open(seen(line), name, is);

	assert_non_null(f);
	(void)fclose(f);
	assert_string_equal(is, where);
}

static void the_nearest_one_that_pays(void **state)
{
	char where[CGROUP_PATH];

	(void)state;
	folders_needed(mounted);
	write_file(CGROUP "/a/b/c/cgroup.procs", "");
	write_file(CGROUP "/memory.numa_stat", "");
	opens("0::/a/b/c", "memory.numa_stat", "/");
	write_file(CGROUP "/a/memory.current", "");
	assert_null(cgroup_open(seen("0::/a/b/c"), "memory.numa_stat", where));
	assert_int_equal(errno, ENOENT);
	assert_string_equal(where, "/a");
	write_file(CGROUP "/a/memory.numa_stat", "");
	opens("0::/a/b/c", "memory.numa_stat", "/a");
	write_file(CGROUP "/a/b/c/memory.current", "");
	write_file(CGROUP "/a/b/c/memory.numa_stat", "");
	opens("0::/a/b/c", "memory.numa_stat", "/a/b/c");
}

static void a_file_of_another_fs_type(void **state)
{
	char where[CGROUP_PATH];
	struct cgroup *c;

	(void)state;
	folders_needed(mounted);
	write_file(CGROUP "/a/cgroup.procs", "");
	write_file(CGROUP "/a/memory.current", "");
	c = seen("0::/a");
	fs_type = TMPFS_MAGIC;
	assert_null(cgroup_open(c, "memory.current", where));
	assert_int_equal(errno, ENODEV);
}

static bool same(const char *a, const char *b)
{
	static struct cgroup first;

	first = *seen(a);
	return cgroup_same(&first, seen(b));
}

static void whether_two_pay_in_one_place(void **state)
{
	(void)state;
	folders_needed(mounted);
	/* of what is not seen, the names tell */
	assert_true(same("0::/x", "0::/x"));
	assert_false(same("0::/x", "0::/y"));
	write_file(CGROUP "/a/b/cgroup.procs", "");
	write_file(CGROUP "/a/c/cgroup.procs", "");
	write_file(CGROUP "/a/memory.current", "");
	assert_true(same("0::/a/b", "0::/a/c"));
	assert_false(same("0::/a/b", "0::/x"));
	assert_false(same("0::/x", "0::/a/b"));
	write_file(CGROUP "/a/c/memory.current", "");
	assert_false(same("0::/a/b", "0::/a/c"));
	/* nor do two versions pay together */
	assert_false(same("0::/a/b", "1:memory:/a/b"));
	assert_false(same("1:memory:/a/b", "0::/a/b"));
	assert_true(same("1:memory:/a", "1:memory:/a"));
	assert_false(same("1:memory:/a", "1:memory:/a/b"));
}

static void what_one_above_it_says(void **state)
{
	char where[CGROUP_PATH];

	(void)state;
	folders_needed(mounted);
	assert_false(cgroup_says(seen("0::/a/b"), "cgroup.freeze", 1, where));
	write_file(CGROUP "/a/b/cgroup.procs", "");
	assert_false(cgroup_says(seen("0::/a/b"), "cgroup.freeze", 1, where));
	write_file(CGROUP "/cgroup.freeze", "1\n");
	assert_true(cgroup_says(seen("0::/a/b"), "cgroup.freeze", 1, where));
	assert_string_equal(where, "/");
	write_file(CGROUP "/a/cgroup.freeze", "1\n");
	write_file(CGROUP "/a/b/cgroup.freeze", "0\n");
	assert_true(cgroup_says(seen("0::/a/b"), "cgroup.freeze", 1, where));
	assert_string_equal(where, "/a");
	write_file(CGROUP "/a/b/cgroup.freeze", "1\n");
	assert_true(cgroup_says(seen("0::/a/b"), "cgroup.freeze", 1, where));
	assert_string_equal(where, "/a/b");
	assert_false(cgroup_says(seen("0::/a/b"), "cgroup.freeze", 10, where));
	write_file(CGROUP "/a/b/cgroup.freeze", "10\n");
	assert_true(cgroup_says(seen("0::/a/b"), "cgroup.freeze", 10, where));
	write_file(CGROUP "/a/b/cgroup.freeze", "");
	assert_true(cgroup_says(seen("0::/a/b"), "cgroup.freeze", 1, where));
	assert_string_equal(where, "/a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_pays),
		TEST(where_it_is_mounted),
		TEST(version_1_is_elsewhere),
		TEST(of_a_process),
		TEST(the_nearest_one_that_pays),
		TEST(a_file_of_another_fs_type),
		TEST(whether_two_pay_in_one_place),
		TEST(what_one_above_it_says),
	};

	return t_main(tests);
}
