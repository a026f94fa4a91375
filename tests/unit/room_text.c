// SPDX-License-Identifier: MIT
/* What /proc and /sys say, as they say it and as they never should. */
#include "t.h"

#include "room_text.h"

static void a_line_names_a_cgroup_of_either_version(void **state)
{
	static const struct {
		const char *line;
		enum gmem__cgroup is;
	} t[] = {
		{ "0::/", GMEM__CGROUP_V2 },
		{ "0::/a:b", GMEM__CGROUP_V2 },
		{ "0::", GMEM__CGROUP_OTHER },
		{ "0::a", GMEM__CGROUP_OTHER },
		{ "0", GMEM__CGROUP_OTHER },
		{ "0:", GMEM__CGROUP_OTHER },
		{ "::/", GMEM__CGROUP_OTHER },
		{ "", GMEM__CGROUP_OTHER },
		{ "x::/", GMEM__CGROUP_OTHER },
		{ "4:memory:/a", GMEM__CGROUP_V1 },
		{ "4:cpu,memory:/a", GMEM__CGROUP_V1 },
		{ "4:memory,cpu:/a", GMEM__CGROUP_V1 },
		{ "4:memoryx,xmemory:/memory", GMEM__CGROUP_OTHER },
		{ "4:name=memory:/a", GMEM__CGROUP_OTHER },
		{ "4:memory", GMEM__CGROUP_OTHER },
		{ "4:cpuset:/a", GMEM__CGROUP_OTHER },
		{ "4 memory:/a", GMEM__CGROUP_OTHER },
		{ "0 :/", GMEM__CGROUP_OTHER },
		{ ":memory:/a", GMEM__CGROUP_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		const char *path = NULL;

		assert_int_equal(gmem__cgroup_line(t[i].line, &path), t[i].is);
		assert_true(t[i].is != GMEM__CGROUP_V2 ||
			    path == t[i].line + 3);
	}
}

static void a_number_is_the_whole_line(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "-1", "maxx", "1K" };
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++)
		assert_false(gmem__number_line(bad[i], &n));
	assert_true(gmem__number_line("0", &n) && n == 0);
	assert_true(gmem__number_line("4096", &n) && n == 4096);
	assert_true(gmem__number_line("max", &n) && n == UINT64_MAX);
	assert_true(gmem__number_line("18446744073709551614", &n));
	assert_int_equal(n, UINT64_MAX - 1);
	/* beyond 64 bits it is the largest */
	assert_true(gmem__number_line("18446744073709551616", &n));
	assert_int_equal(n, UINT64_MAX);
	assert_true(gmem__number_line("99999999999999999999999", &n));
	assert_int_equal(n, UINT64_MAX);
}

static const char *const stat[] = {
	"file 1000",	      "inactive_file 1",      "active_file 10",
	"inactive_anon 1000", "active_anon 1000",     "unevictable 1000",
	"slab 1000",	      "slab_reclaimable 100", "slab_unreclaimable 1000",
	"active_file",	      "active_file x",
};
static const char *const meminfo[] = {
	"MemTotal:  1000 kB",	  "MemFree:      1 kB",
	"MemAvailable:  1000 kB", "Active:  1000 kB",
	"Active(anon):  1000 kB", "Inactive(anon): 1000 kB",
	"Active(file): 10 kB",	  "Inactive(file): 100 kB",
	"KReclaimable: 1000 kB",  "SReclaimable: 1000 kB",
	"SUnreclaim: 5000 kB",	  "MemFree:",
};

static void sums_have_the_named_lines_only(void **state)
{
	struct gmem__sum sum = { 0 }, node = { 0 };
	char line[64];

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(stat); i++)
		gmem__stat_line(stat[i], &sum);
	assert_int_equal(sum.bytes, 111);
	assert_int_equal(sum.found, GMEM__STAT_LINES);
	sum = (struct gmem__sum){ 0 };
	for (size_t i = 0; i < T_ARRAY_SIZE(meminfo); i++) {
		gmem__meminfo_line(meminfo[i], &sum);
		(void)snprintf(line, sizeof(line), "Node 12 %s", meminfo[i]);
		gmem__meminfo_line(line, &node);
	}
	assert_int_equal(sum.bytes, 1111 * 1024);
	assert_int_equal(sum.found, GMEM__MEMINFO_LINES);
	assert_memory_equal(&sum, &node, sizeof(sum));
	/* they do not wrap */
	gmem__meminfo_line("MemFree: 18014398509481983 kB", &sum);
	gmem__meminfo_line("MemFree: 18446744073709551615 kB", &sum);
	assert_int_equal(sum.bytes, UINT64_MAX);
	/* nor does one of them */
	sum = (struct gmem__sum){ 0 };
	gmem__meminfo_line("MemFree: 18014398509481984 kB", &sum);
	assert_int_equal(sum.bytes, UINT64_MAX / 1024 * 1024);
	/* a node without its number is none */
	sum = (struct gmem__sum){ 0 };
	gmem__meminfo_line("Node MemFree: 7 kB", &sum);
	assert_int_equal(sum.found, 0);
}

static void lines(struct gmem__zones *z, const char *text)
{
	char line[128];
	const char *end;

	for (; (end = strchr(text, '\n')) != NULL; text = end + 1) {
		(void)snprintf(line, sizeof(line), "%.*s", (int)(end - text),
			       text);
		gmem__zone_line(z, line);
	}
	gmem__zone_end(z);
}

/* clang-format off */
#define ZONE(node, name, free, low, managed, protection)        \
	"Node " #node ", zone " name "\n"                       \
	"  pages free     " #free "\n        boost    5\n"      \
	"        min      3\n        low      " #low "\n"       \
	"        high     9000\n        managed  " #managed "\n" \
	"        cma      9000\n        protection: " protection "\n"

static const char zoneinfo[] =
	"no zone yet\n        low      77\n"
	ZONE(0, "     DMA", 90, 1, 50, "(0, 10, 200, 900)")
	ZONE(0, "   DMA32", 90, 2, 5000, "(0, 0, 30, 900)")
	ZONE(0, "  Normal", 90, 4, 5000, "(0, 0, 0, 900)")
	"      nr_free_cma  1000\n"
	ZONE(0, " Movable", 90, 7, 5000, "(0, 0, 0, 0)")
	"      nr_free_pages 90\n      nr_zone_inactive_anon 9\n"
	"      nr_zone_inactive_file 10000\n"
	"      nr_zone_active_file 20000\n"
	ZONE(1, "  Normal", 90, 8, 5000, "(0, 0, 0, 900)")
	"  pagesets\n    cpu: 0\n              count: 9\n    cpu: 5\n"
	"    cpu: 2\n"
	ZONE(3, "  Normal", 0, 0, 0, "(0, 0, 0, 0)");
/* clang-format on */

/* Each zone keeps its watermark, and what higher requests must not take. */
static void zones_hold_back_what_is_not_for_guests(void **state)
{
	struct gmem__zones *z = calloc(1, sizeof(*z));

	(void)state;
	assert_non_null(z);
	lines(z, zoneinfo);
	/* the first zone has no more than it manages */
	assert_int_equal(z->held[0], 50 + (2 + 30) + (4 + 1000) + (90 + 30000));
	assert_int_equal(z->held[1], 8);
	assert_int_equal(z->held[3], 0);
	assert_int_equal(z->memory[0], 3);
	assert_int_equal(z->cpus, 6);
	free(z);
}

/* What one zone has is not the next one's, and its end counts it once. */
static void each_zone_is_for_itself_and_counts_once(void **state)
{
	struct gmem__zones *z = calloc(1, sizeof(*z));

	(void)state;
	assert_non_null(z);
	lines(z, ZONE(0, "  Normal", 90, 4, 5000,
		      "(0, 7, 0, 900)") "      nr_free_cma  1000\n"
					"      nr_zone_inactive_file 10000\n"
					"Node 1, zone   Normal\n  pages free   "
					"  80\n"
					"        managed  5000\n"
					"Node 2, zone   Device\n  pages free   "
					"  70\n"
					"        low      3\n        managed  "
					"5000\n");
	assert_int_equal(z->held[0], 4 + 1000);
	assert_int_equal(z->held[1], 0);
	assert_int_equal(z->held[2], 70);
	assert_int_equal(z->memory[0], 7);
	gmem__zone_end(z);
	assert_int_equal(z->held[2], 70);
	free(z);
}

/* Numbers of nodes, of zones and in lists that no kernel has. */
static void what_no_kernel_says_stays_within_bounds(void **state)
{
	struct gmem__zones *z = calloc(1, sizeof(*z));
	char line[64];

	(void)state;
	assert_non_null(z);
	gmem__zone_line(z, "Node 1024, zone Normal");
	gmem__zone_line(z, "managed 5");
	gmem__zone_line(z, "low 5");
	gmem__zone_end(z);
	gmem__zone_line(z, "Node 18446744073709551615, zone Normal");
	gmem__zone_end(z);
	for (unsigned int i = 0; i < 1024; i++)
		assert_int_equal(z->held[i], 0);
	for (unsigned int i = 0; i < 40; i++) {
		(void)snprintf(line, sizeof(line), "Node 7, zone Z%u", i);
		gmem__zone_line(z, line);
		gmem__zone_line(z, "managed 1000");
		gmem__zone_line(z, "low 1");
		gmem__zone_line(z, "protection: (1,1,1,1,1,1,1,1,1,1,1,1,1)");
		gmem__zone_line(z, "protection: (");
		gmem__zone_line(z, "protection: ");
		gmem__zone_line(z, "cpu: 18446744073709551615");
	}
	gmem__zone_end(z);
	assert_int_equal(z->held[7], GMEM__ZONES);
	assert_int_equal(z->cpus, 0);
	free(z);
}

/* What stands in no list is no part of one. */
static void only_a_list_is_a_protection(void **state)
{
	struct gmem__zones *z = calloc(1, sizeof(*z));

	(void)state;
	assert_non_null(z);
	gmem__zone_line(z, "Node 0, zone Normal");
	gmem__zone_line(z, "protection: 1234, 5)");
	gmem__zone_line(z, "protection: 0(78, 9)");
	assert_int_equal(z->zone[0].protection[0], 0);
	gmem__zone_line(z, "protection: (12, 5)");
	assert_int_equal(z->zone[0].protection[0], 12);
	assert_int_equal(z->zone[0].protection[1], 5);
	/* which ends where one is missing, or what parts two */
	gmem__zone_line(z, "protection: (, 6)");
	gmem__zone_line(z, "protection: (12 7)");
	assert_int_equal(z->zone[0].protection[0], 12);
	assert_int_equal(z->zone[0].protection[1], 5);
	free(z);
}

static void a_line_without_its_number_is_nothing(void **state)
{
	static const char *const lines[] = {
		"Node x, zone Normal",
		"Node , zone DMA",
		"Node 0, stats",
		"Node 0",
		"cpu: x",
		"cpu: ",
		"cpu: 4294967295",
	};
	struct gmem__zones *z = calloc(1, sizeof(*z));

	(void)state;
	assert_non_null(z);
	for (size_t i = 0; i < T_ARRAY_SIZE(lines); i++) {
		gmem__zone_line(z, lines[i]);
		assert_int_equal(z->n, 0);
		assert_int_equal(z->cpus, 0);
	}
	free(z);
}

static void a_line_without_its_number_changes_nothing(void **state)
{
	static const char *const lines[] = {
		"cpu: x",
		"cpu: ",
		"pages free x",
		"low x",
		"low ",
		"nr_free_cma -1",
		"managed x",
		"nr_zone_inactive_file x",
		"nr_zone_active_file ",
	};
	struct gmem__zones *z = calloc(1, sizeof(*z));
	struct gmem__zone was;

	(void)state;
	assert_non_null(z);
	gmem__zone_line(z, "cpu: 3");
	gmem__zone_line(z, "Node 9, zone Normal");
	gmem__zone_line(z, "low 5");
	gmem__zone_line(z, "nr_free_cma 6");
	gmem__zone_line(z, "nr_zone_active_file 7");
	gmem__zone_line(z, "pages free 8");
	gmem__zone_line(z, "managed 1000");
	was = z->zone[0];
	for (size_t i = 0; i < T_ARRAY_SIZE(lines); i++) {
		gmem__zone_line(z, lines[i]);
		assert_memory_equal(&z->zone[0], &was, sizeof(was));
		assert_int_equal(z->cpus, 4);
	}
	free(z);
}

static void a_list_of_processors_is_a_set(void **state)
{
	static const struct {
		const char *line;
		bool good;
		unsigned long set;
	} t[] = {
		{ "", true, 0 },
		{ "0", true, 1 },
		{ "0-3,8", true, 0x10f },
		{ "5-3", true, 0 },
		{ "63", true, 1UL << 63 },
		{ "62-70,64,18446744073709551615", true, 3UL << 62 },
		{ "60-18446744073709551615", true, 0xfUL << 60 },
		{ "0-", false, 0 },
		{ "-", false, 0 },
		{ "0 1", false, 1 },
		{ "x", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		unsigned long set[2] = { 0, 0x55 };

		assert_int_equal(gmem__cpu_line(t[i].line, set, 64), t[i].good);
		assert_int_equal(set[0], t[i].set);
		assert_int_equal(set[1], 0x55);
	}
}

int main(void)
{
	const struct CMUnitTest text[] = {
		cmocka_unit_test(a_line_names_a_cgroup_of_either_version),
		cmocka_unit_test(a_number_is_the_whole_line),
		cmocka_unit_test(sums_have_the_named_lines_only),
		cmocka_unit_test(zones_hold_back_what_is_not_for_guests),
		cmocka_unit_test(each_zone_is_for_itself_and_counts_once),
		cmocka_unit_test(what_no_kernel_says_stays_within_bounds),
		cmocka_unit_test(only_a_list_is_a_protection),
		cmocka_unit_test(a_line_without_its_number_is_nothing),
		cmocka_unit_test(a_line_without_its_number_changes_nothing),
		cmocka_unit_test(a_list_of_processors_is_a_set),
	};

	return t_main(text);
}
