// SPDX-License-Identifier: MIT
/*
 * Limits of memory, on a machine that is made up: files of /proc and /sys whose
 * numbers follow what the model allocates.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <unistd.h>

#include "unit.h"

#include "room.h"

#define MARGIN GMEM__ROOM_MARGIN
#define PLENTY (64 * GiB)
#define LATE (2 * 64 * PAGE) /* two processors, each 64 pages late */

#define CGROUP "/sys/fs/cgroup"
#define FILES 24

struct machine {
	struct unit *u;
	/* settable: of the cgroups /a/b and /a, nodes 0 and 1, and all */
	const char *cgroup; /* the text of /proc/self/cgroup */
	const char *mount;
	uint64_t max[2], current[2], file[2], node[2], all;
	bool one_node;
	uint64_t held;	  /* pages that zone Normal of each node keeps */
	uint64_t lowered; /* with so much made, the limit is that; 0: never */
	bool growing;	  /* each step is used up when it is made */
	_Atomic uint64_t made;
	char names[FILES][128], texts[FILES][1024];
	struct unit_told told[FILES + 1];
	unsigned int n;
};

__attribute__((format(printf, 3, 4))) static void
put(struct machine *m, const char *name, const char *fmt, ...)
{
	char *text = m->texts[m->n];
	va_list ap;

	assert_true(m->n < FILES);
	(void)snprintf(m->names[m->n], sizeof(m->names[0]), "%s", name);
	va_start(ap, fmt);
	assert_true(vsnprintf(text, sizeof(m->texts[0]), fmt, ap) <
		    (int)sizeof(m->texts[0]));
	va_end(ap);
	m->told[m->n] = (struct unit_told){ m->names[m->n], text };
	m->n++;
}

static void put_cgroup(struct machine *m, const char *path, unsigned int i,
		       uint64_t made)
{
	char name[120], max[24] = "max";

	(void)snprintf(name, sizeof(name), "%s%s/cgroup.controllers", m->mount,
		       path);
	put(m, name, "memory pids\n");
	if (m->max[i] != UINT64_MAX)
		(void)snprintf(max, sizeof(max), "%" PRIu64, m->max[i]);
	(void)snprintf(name, sizeof(name), "%s%s/memory.max", m->mount, path);
	put(m, name, "%s\n", max);
	(void)snprintf(name, sizeof(name), "%s%s/memory.current", m->mount,
		       path);
	put(m, name, "%" PRIu64 "\n", m->current[i] + made);
	(void)snprintf(name, sizeof(name), "%s%s/memory.stat", m->mount, path);
	put(m, name,
	    "anon 1\ninactive_anon 9\nactive_anon 9\ninactive_file %" PRIu64
	    "\nactive_file %" PRIu64 "\nslab_reclaimable %" PRIu64 "\n",
	    m->file[i] / 2, m->file[i] / 4, m->file[i] / 4);
}

static void put_meminfo(struct machine *m, const char *name, const char *before,
			uint64_t bytes, uint64_t made)
{
	uint64_t kib = (bytes > made ? bytes - made : 0) / KiB;

	put(m, name,
	    "%sMemTotal: 9 kB\n%sMemFree:   %" PRIu64
	    " kB\n%sActive(anon): 7 kB\n%sActive(file): %" PRIu64
	    " kB\n%sInactive(file): %" PRIu64 " kB\n%sSReclaimable: %" PRIu64
	    " kB\n",
	    before, before, kib - 3 * (kib / 4), before, before, kib / 4,
	    before, kib / 4, before, kib / 4);
}

#define ZONE                                                            \
	"  pages free     9999999\n        low      %" PRIu64           \
	"\n        high     7\n        managed  9999999\n"              \
	"        protection: (0, 0, 0, 9999)\n  pagesets\n    cpu: 0\n" \
	"    cpu: 1\n"

static void put_zones(struct machine *m)
{
	if (m->one_node) {
		put(m, "/proc/zoneinfo",
		    "Node 0, zone   Normal\n  per-node stats\n" ZONE, m->held);
		return;
	}
	put(m, "/proc/zoneinfo",
	    "Node 0, zone   Normal\n  per-node stats\n" ZONE
	    "Node 1, zone   Normal\n  per-node stats\n" ZONE,
	    m->held, m->held);
}

static void refresh(struct machine *m)
{
	uint64_t made = m->growing ? m->made : 0;

	if (m->lowered && made >= m->lowered)
		m->max[0] = m->lowered;
	m->n = 0;
	put(m, "/proc/self/cgroup", "%s", m->cgroup);
	put_cgroup(m, "/a/b", 0, made);
	put_cgroup(m, "/a", 1, made);
	put_zones(m);
	put_meminfo(m, "/proc/meminfo", "", m->all, made);
	put_meminfo(m, "/sys/devices/system/node/node0/meminfo", "Node 0 ",
		    m->node[0], made);
	put_meminfo(m, "/sys/devices/system/node/node1/meminfo", "Node 1 ",
		    m->node[1], made);
	m->told[m->n].path = NULL;
}

/* Only one thread at a time looks at the files. */
static void hook(struct unit *u, const struct unit_call *c, void *arg)
{
	struct machine *m = u->hook_arg;

	(void)arg;
	if (!strcmp(c->name, "fallocate") || !strcmp(c->name, "pread64"))
		m->made += c->arg[1];
	if (!strcmp(c->name, "openat"))
		refresh(m);
}

static struct machine *machine(struct unit *u)
{
	static struct machine m;

	memset(&m, 0, sizeof(m));
	m.u = u;
	m.cgroup = "1:name=systemd:/x\n0::/a/b\n";
	m.mount = CGROUP;
	m.growing = true;
	m.max[0] = m.max[1] = UINT64_MAX;
	m.node[0] = m.node[1] = m.all = PLENTY;
	u->told = m.told;
	u->magic = GMEM__MAGIC_CGROUP2;
	u->hook = hook;
	u->hook_arg = &m;
	refresh(&m);
	return &m;
}

static int populate(struct unit *u, struct gmem *g,
		    const struct gmem_mempolicy *policy, uint32_t threads,
		    uint64_t *unchecked)
{
	const struct gmem_populate_opts o = { .sz = sizeof(o),
					      .policy = policy,
					      .threads = threads,
					      .unchecked = unchecked };

	u->err.sz = sizeof(u->err);
	return gmem_populate(g, 0, gmem_size(g), &o, &u->err);
}

static uint64_t there(struct unit *u, struct gmem *g)
{
	return unit_allocated(u, gmem_fd(g), 0, gmem_size(g), -1);
}

/* All but the margin of @room was allocated and reported. */
static void stopped_at(struct unit *u, struct gmem *g, int r, uint64_t room,
		       const char *where)
{
	uint64_t done = (room - MARGIN) / (2 * MiB) * (2 * MiB);

	assert_int_equal(r, -ENOMEM);
	assert_int_equal(u->err.reason, GMEM_REASON_NO_ROOM);
	assert_int_equal(u->err.done, done);
	assert_int_equal(there(u, g), done);
	assert_int_equal(u->err.value, room - done);
	assert_int_equal(u->err.limit, MARGIN + 2 * MiB);
	assert_non_null(strstr(u->err.msg, where));
}

static void each_cgroup_up_to_the_root_is_a_limit(void **state)
{
	static const char *const names[] = { "cgroup /a/b ", "cgroup /a " };
	struct unit *u = *state;

	for (unsigned int i = 0; i < 2; i++) {
		struct gmem *g = unit_create(u, 256 * MiB, SHARED_FLAGS);
		struct machine *m = machine(u);
		uint64_t unchecked = 99;

		m->max[i] = 200 * MiB;
		m->current[i] = 100 * MiB;
		stopped_at(u, g, populate(u, g, NULL, 0, &unchecked), 100 * MiB,
			   names[i]);
		assert_int_equal(unchecked, 0);
	}
}

static void page_cache_of_a_cgroup_is_room(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 200 * MiB, SHARED_FLAGS);
	struct machine *m = machine(u);

	m->max[0] = 256 * MiB;
	m->current[0] = 254 * MiB;
	m->file[0] = 247 * MiB;
	t_ok(populate(u, g, NULL, 0, NULL), u->err);
	assert_int_equal(there(u, g), 200 * MiB);
	/* but for what the statistics may be late by */
	g = unit_create(u, 512 * MiB, SHARED_FLAGS);
	m = machine(u);
	m->max[0] = 256 * MiB;
	m->current[0] = 254 * MiB;
	m->file[0] = 247 * MiB;
	stopped_at(u, g, populate(u, g, NULL, 0, NULL), 249 * MiB - LATE,
		   "cgroup /a/b ");
}

static void a_cgroup_beyond_its_limit_has_no_room(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct machine *m = machine(u);

	m->max[0] = 8 * MiB;
	m->current[0] = 9 * MiB;
	t_refused(populate(u, g, NULL, 0, NULL), -ENOMEM, GMEM_REASON_NO_ROOM,
		  u->err);
	assert_int_equal(u->err.value, 0);
	assert_int_equal(u->err.done, 0);
	assert_int_equal(there(u, g), 0);
}

static void threads_together_keep_the_margin_and_use_the_rest(void **state)
{
	struct unit *u = *state;

	for (uint32_t threads = 2; threads <= 16; threads += 7) {
		struct gmem *g = unit_create(u, 512 * MiB, SHARED_FLAGS);
		struct machine *m = machine(u);

		m->max[1] = 300 * MiB;
		m->current[1] = 30 * MiB;
		stopped_at(u, g, populate(u, g, NULL, threads, NULL), 270 * MiB,
			   "cgroup /a ");
	}
}

static void what_is_there_already_needs_no_room(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * MiB, SHARED_FLAGS);
	struct machine *m = machine(u);

	m->growing = false;
	m->max[0] = 20 * MiB;
	m->current[0] = 19 * MiB;
	unit_allocate(u, gmem_fd(g), 0, 40 * MiB, 0);
	t_refused(populate(u, g, NULL, 0, NULL), -ENOMEM, GMEM_REASON_NO_ROOM,
		  u->err);
	assert_int_equal(u->err.done, 40 * MiB);
	unit_allocate(u, gmem_fd(g), 40 * MiB, 24 * MiB, 0);
	t_ok(populate(u, g, NULL, 0, NULL), u->err);
	/* which the kernel has to tell */
	u->lacks = "cachestat";
	t_refused(populate(u, g, NULL, 0, NULL), -ENOMEM, GMEM_REASON_NO_ROOM,
		  u->err);
	u->lacks = NULL;
}

static void a_limit_that_is_lowered_meanwhile_is_seen(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 256 * MiB, SHARED_FLAGS);
	struct machine *m = machine(u);

	m->max[0] = PLENTY;
	m->lowered = 3 * MARGIN;
	t_refused(populate(u, g, NULL, 0, NULL), -ENOMEM, GMEM_REASON_NO_ROOM,
		  u->err);
	assert_int_equal(u->err.done, 3 * MARGIN);
	assert_int_equal(there(u, g), 3 * MARGIN);
}

static void a_load_stops_in_time(void **state)
{
	const struct gmem_load_opts through = { .sz = sizeof(through),
						.flags = GMEM_LOAD_UNCHECKED };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * MiB, SHARED_FLAGS);
	struct machine *m = machine(u);
	unsigned char *data = malloc(40 * MiB);
	int fd;

	assert_non_null(data);
	memset(data, 0x55, 40 * MiB);
	fd = unit_memfd(u, data, 40 * MiB, 0);
	m->max[0] = 40 * MiB;
	m->current[0] = 3 * MiB;
	t_refused(gmem_load(g, 0, fd, 40 * MiB, NULL, &u->err), -ENOMEM,
		  GMEM_REASON_NO_ROOM, u->err);
	assert_int_equal(u->err.done, 21 * MiB);
	assert_int_equal(there(u, g), 21 * MiB);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 21 * MiB);
	unit_listed(u, "gmem_load");
	m->growing = false;
	m->max[0] = 0;
	t_ok(gmem_load(g, 0, fd, 10 * MiB, &through, &u->err), u->err);
	assert_int_equal(u->err.done, 10 * MiB);
	assert_int_equal(unit_sys.close(u, fd), 0);
	free(data);
}

static void who_asks_for_it_by_name_goes_on(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * MiB, SHARED_FLAGS);
	struct machine *m = machine(u);
	uint64_t unchecked = 0;
	const struct gmem_populate_opts o = { .sz = sizeof(o),
					      .flags = GMEM_POPULATE_UNCHECKED,
					      .unchecked = &unchecked };

	m->max[0] = 1;
	t_ok(gmem_populate(g, 0, 64 * MiB, &o, &u->err), u->err);
	assert_int_equal(unchecked, GMEM_ROOM_CGROUP | GMEM_ROOM_NODES |
					    GMEM_ROOM_MACHINE);
	assert_int_equal(unit_count(u, "openat", 0), 0);
}

/* Nodes in the order of their numbers, each as the policy's only one. */
static void a_policy_that_binds_limits_to_its_nodes(void **state)
{
	struct unit *u = *state;

	for (unsigned int n = 0; n < 2; n++) {
		static const char *const names[] = { "node 0 has",
						     "node 1 has" };
		unsigned long mask = 1UL << n;
		struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
		struct gmem *g = unit_create(u, 128 * MiB, 0);
		struct machine *m = machine(u);

		m->node[n] = 90 * MiB;
		m->held = 10 * MiB / PAGE;
		stopped_at(u, g, populate(u, g, &p, 3, NULL), 80 * MiB,
			   names[n]);
		/* any other one falls back, and so does one with both */
		p.mode = GMEM_MPOL_PREFERRED;
		m->made = 0;
		t_ok(populate(u, g, &p, 0, NULL), u->err);
		p.mode = GMEM_MPOL_BIND;
		mask = 3;
		g = unit_create(u, 128 * MiB, 0);
		m->made = 0;
		t_ok(populate(u, g, &p, 0, NULL), u->err);
	}
}

static void the_nodes_of_a_policy_are_added_up(void **state)
{
	unsigned long mask = 3;
	struct unit *u = *state;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem *g = unit_create(u, 128 * MiB, 0);
	struct machine *m = machine(u);
	uint64_t unchecked = 99;

	m->all = 80 * MiB;
	stopped_at(u, g, populate(u, g, &p, 0, &unchecked), 80 * MiB,
		   "this machine");
	assert_int_equal(unchecked, 0);
}

/* It comes before that of the thread. */
static void the_policy_of_the_file_counts(void **state)
{
	unsigned long mask = 2;
	struct unit *u = *state;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);

	for (int bound = 0; bound < 2; bound++) {
		struct gmem *g = unit_create(u, 128 * MiB, SHARED_FLAGS);
		struct machine *m = machine(u);

		t_ok(gmem_set_mempolicy(g, 0, 128 * MiB, &p, 0, &u->err),
		     u->err);
		if (bound)
			unit_bind(u, g, 0, 0);
		m->node[1] = 60 * MiB;
		stopped_at(u, g, populate(u, g, NULL, 0, NULL), 60 * MiB,
			   "node 1 ");
		m->made = 0;
		t_refused(populate(u, g, &p, 0, NULL), -ENOMEM,
			  GMEM_REASON_NO_ROOM, u->err);
	}
}

static void the_policy_of_the_thread_counts(void **state)
{
	unsigned long mask = 2;
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 128 * MiB, 0);
	struct machine *m = machine(u);

	m->node[1] = 60 * MiB;
	assert_int_equal(
		unit_sys.set_mempolicy(u, GMEM_MPOL_BIND, &mask, 64 + 1), 0);
	stopped_at(u, g, populate(u, g, NULL, 0, NULL), 60 * MiB, "node 1 ");
	assert_int_equal(unit_sys.set_mempolicy(u, 0, NULL, 0), 0);
}

static void what_nodes_have_is_not_known_of_relative_ones(void **state)
{
	unsigned long mask = 2;
	struct unit *u = *state;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem *g = unit_create(u, 32 * MiB, 0);
	struct machine *m = machine(u);
	uint64_t unchecked = 0;

	p.flags = GMEM_MPOL_F_RELATIVE_NODES;
	m->node[1] = 0;
	t_ok(populate(u, g, &p, 0, &unchecked), u->err);
	assert_int_equal(unchecked, GMEM_ROOM_NODES);
}

static void the_machine_is_a_limit_less_its_watermarks(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 128 * MiB, SHARED_FLAGS);
	struct machine *m = machine(u);

	m->all = 100 * MiB;
	m->held = 5 * MiB / PAGE; /* on each of two */
	stopped_at(u, g, populate(u, g, NULL, 0, NULL), 90 * MiB,
		   "this machine");
}

/* Where there is no choice of nodes, all of them are the machine. */
static void without_other_nodes_the_machine_is_the_limit(void **state)
{
	struct unit *u = *state;

	for (int numa = 0; numa < 2; numa++) {
		struct gmem *g = unit_create(u, 128 * MiB, SHARED_FLAGS);
		struct machine *m = machine(u);
		uint64_t unchecked = 99;

		m->one_node = numa;
		u->lacks = numa ? NULL : "get_mempolicy";
		m->node[0] = 1;
		m->all = 90 * MiB;
		stopped_at(u, g, populate(u, g, NULL, 0, &unchecked), 90 * MiB,
			   "this machine");
		assert_int_equal(unchecked, 0);
		assert_null(strstr(u->err.msg, "node"));
	}
	u->lacks = NULL;
}

/* Each of these cannot be known, and the rest is still looked at. */
static void what_cannot_be_known_is_said_and_not_checked(void **state)
{
	static const struct {
		const char *cgroup, *mount;
	} t[] = {
		{ "4:cpu,memory:/x\n0::/a/b\n", CGROUP }, /* version 1 */
		{ "0::/a/b\n", "/elsewhere" },
		{ "0::/gone (deleted)\n", CGROUP },
		{ "0::/../a/b\n", CGROUP }, /* above the namespace */
		{ "", CGROUP },
		{ "0::/a/b", CGROUP }, /* cut short */
		{ "0:x\n::\nx\n", CGROUP },
	};
	struct unit *u = *state;
	uint64_t unchecked;

	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		struct gmem *g = unit_create(u, 64 * MiB, SHARED_FLAGS);
		struct machine *m = machine(u);

		m->cgroup = t[i].cgroup;
		m->mount = t[i].mount;
		m->max[0] = 1;
		m->all = 50 * MiB;
		unchecked = 99;
		stopped_at(u, g, populate(u, g, NULL, 0, &unchecked), 50 * MiB,
			   "this machine");
		assert_int_equal(unchecked, GMEM_ROOM_CGROUP);
	}
}

/* The version 1 has the other controllers. */
static void version_2_beside_the_other_is_found(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * MiB, SHARED_FLAGS);
	struct machine *m = machine(u);
	uint64_t unchecked = 99;

	m->cgroup = "3:cpu,cpuacct:/x\n2:memoryx:/y\n0::/a/b\n";
	m->mount = CGROUP "/unified";
	m->max[1] = 30 * MiB;
	stopped_at(u, g, populate(u, g, NULL, 0, &unchecked), 30 * MiB, "/a ");
	assert_int_equal(unchecked, 0);
}

/* So there are others above it, which only the result can tell. */
static void a_root_with_a_limit_is_that_of_a_namespace(void **state)
{
	static const struct unit_told told[] = {
		{ "/proc/self/cgroup", "0::/\n" },
		{ CGROUP "/cgroup.controllers", "memory\n" },
		{ CGROUP "/memory.max", "33554432\n" },
		{ CGROUP "/memory.current", "33554432\n" },
		{ CGROUP "/memory.stat",
		  "inactive_file 0\nactive_file 0\nslab_reclaimable 0\n" },
		{ NULL, NULL },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * MiB, SHARED_FLAGS);
	uint64_t unchecked = 0;

	u->told = told;
	u->magic = GMEM__MAGIC_CGROUP2;
	t_refused(populate(u, g, NULL, 0, &unchecked), -ENOMEM,
		  GMEM_REASON_NO_ROOM, u->err);
	assert_non_null(strstr(u->err.msg, "cgroup / "));
	assert_int_equal(unchecked, GMEM_ROOM_CGROUP | GMEM_ROOM_NODES |
					    GMEM_ROOM_MACHINE);
}

/* Whatever file has whatever text, it is no limit, no crash and no loop. */
static void a_file_that_makes_no_sense_is_not_believed(void **state)
{
	static const char *const bad[] = { "", "x\n", "-1\n", "12 3\n", "12" };
	struct unit *u = *state;

	for (size_t file = 1; file < 4; file++)
		for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
			const struct unit_told told[] = {
				{ "/proc/self/cgroup", "0::/a\n" },
				{ CGROUP "/a/memory.max",
				  file == 1 ? bad[i] : "1\n" },
				{ CGROUP "/a/memory.current",
				  file == 2 ? bad[i] : "1\n" },
				{ CGROUP "/a/memory.stat",
				  file == 3 ? bad[i] : "1\n" },
				{ CGROUP "/a/cgroup.controllers", "" },
				{ NULL, NULL },
			};
			struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
			uint64_t unchecked = 0;

			u->told = told;
			u->magic = GMEM__MAGIC_CGROUP2;
			t_ok(populate(u, g, NULL, 0, &unchecked), u->err);
			assert_true(unchecked & GMEM_ROOM_CGROUP);
			u->told = NULL;
		}
}

/* Anyone in a namespace of mounts of his own can have these files there. */
static void a_limit_on_another_file_system_is_not_believed(void **state)
{
	/* cgroups; that of a memfd; one that cannot be asked for */
	static const struct {
		uint64_t fs;
		int code;
	} rows[] = { { GMEM__MAGIC_CGROUP2, 0 },
		     { 0, 0 },
		     { GMEM__MAGIC_CGROUP2, -EPERM } };
	struct unit *u = *state;
	struct machine *m = machine(u);

	m->max[0] = m->max[1] = 1;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
		uint64_t unchecked = 0;

		unit_reset(u);
		u->magic = rows[i].fs;
		if (rows[i].code)
			unit_answer(u, "fstatfs", 0, 1, 2, rows[i].code);
		t_code(populate(u, g, NULL, 0, &unchecked), i ? 0 : -ENOMEM);
		assert_int_equal(unchecked, i ? GMEM_ROOM_CGROUP : 0);
	}
}

#define ZONES(low, managed)                                                \
	"Node 0, zone   Normal\n  pages free     9999999\n        low    " \
	" " low "\n        high     7\n        managed  " managed          \
	"\n        protection: (0, 0, 0, 9999)\n  pagesets\n    cpu: 0\n"

static void a_limit_that_cannot_be_read_is_not_checked(void **state)
{
	static char endless[8192];
	const struct {
		uint64_t unchecked;
		struct unit_told told[6];
	} rows[] = {
		/* a line that does not end */
		{ GMEM_ROOM_CGROUP, { { "/proc/self/cgroup", endless } } },
		/* of a full cgroup it is not known what can be reclaimed */
		{ GMEM_ROOM_CGROUP,
		  { { "/proc/self/cgroup", "0::/a\n" },
		    { CGROUP "/a/cgroup.controllers", "memory\n" },
		    { CGROUP "/a/memory.max", "1\n" },
		    { CGROUP "/a/memory.current", "1\n" } } },
		{ GMEM_ROOM_NODES | GMEM_ROOM_MACHINE,
		  { { "/proc/zoneinfo", "" } } },
		{ GMEM_ROOM_MACHINE,
		  { { "/proc/zoneinfo", ZONES("7", "9999999") } } },
		{ GMEM_ROOM_MACHINE,
		  { { "/proc/zoneinfo", ZONES("7", "9999999") },
		    { "/proc/meminfo", "MemFree: 9 kB\n" } } },
	};
	struct unit *u = *state;

	memset(endless, 'x', sizeof(endless) - 1);
	u->magic = GMEM__MAGIC_CGROUP2;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
		uint64_t unchecked = 0;

		u->told = rows[i].told;
		t_ok(populate(u, g, NULL, 0, &unchecked), u->err);
		assert_int_equal(unchecked & rows[i].unchecked,
				 rows[i].unchecked);
		assert_int_equal(there(u, g), MiB);
	}
}

/* Whatever number of pages zones keep, less than nothing is not left. */
static void what_zones_keep_has_no_end(void **state)
{
	/* the most, and so many that their bytes are 0 in 64 bits */
	static const char *const zones[] = {
		ZONES("9223372036854775807", "9223372036854775807"),
		ZONES("4503599627370496", "9223372036854775807"),
	};
	struct unit *u = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(zones); i++) {
		const struct unit_told told[] = {
			{ "/proc/zoneinfo", zones[i] },
			{ "/proc/meminfo",
			  "MemFree: 99999999 kB\nActive(file): 0 kB\n"
			  "Inactive(file): 0 kB\nSReclaimable: 0 kB\n" },
			{ NULL, NULL },
		};
		struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);

		u->told = told;
		t_refused(populate(u, g, NULL, 0, NULL), -ENOMEM,
			  GMEM_REASON_NO_ROOM, u->err);
		assert_non_null(strstr(u->err.msg, "this machine"));
		assert_int_equal(u->err.value, 0);
		u->told = NULL;
	}
}

static void names_of_cgroups_are_shown_safely(void **state)
{
	static const struct unit_told told[] = {
		{ "/proc/self/cgroup", "0::/\033[2J\302\233~x\177\n" },
		{ CGROUP "/\033[2J\302\233~x\177/cgroup.controllers",
		  "memory\n" },
		{ CGROUP "/\033[2J\302\233~x\177/memory.max", "1\n" },
		{ CGROUP "/\033[2J\302\233~x\177/memory.current", "1\n" },
		{ CGROUP "/\033[2J\302\233~x\177/memory.stat",
		  "inactive_file 0\nactive_file 0\nslab_reclaimable 0\n" },
		{ NULL, NULL },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);

	u->told = told;
	u->magic = GMEM__MAGIC_CGROUP2;
	t_refused(populate(u, g, NULL, 0, NULL), -ENOMEM, GMEM_REASON_NO_ROOM,
		  u->err);
	assert_non_null(strstr(u->err.msg, "cgroup /?[2J??~x? has"));
}

/* Files are read in pieces too, and what is read is listed. */
static void a_look_is_a_few_calls_that_are_listed(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MARGIN, SHARED_FLAGS);
	struct machine *m = machine(u);

	m->max[0] = GiB;
	u->piece = 7;
	t_ok(populate(u, g, NULL, 0, NULL), u->err);
	u->piece = 0;
	unit_reset(u);
	t_ok(populate(u, g, NULL, 0, NULL), u->err);
	/* zones; cgroup, mount, 3 limits, 1 use; machine */
	assert_int_equal(unit_count(u, "openat", 0), 8);
	assert_int_equal(unit_count(u, "close", 0), 7);
	unit_listed(u, "gmem_populate");
}

int main(void)
{
	const struct CMUnitTest room[] = {
		TEST(each_cgroup_up_to_the_root_is_a_limit, unit_default),
		TEST(page_cache_of_a_cgroup_is_room, unit_default),
		TEST(a_cgroup_beyond_its_limit_has_no_room, unit_default),
		TEST(threads_together_keep_the_margin_and_use_the_rest,
		     unit_default),
		TEST(what_is_there_already_needs_no_room, unit_default),
		TEST(a_limit_that_is_lowered_meanwhile_is_seen, unit_default),
		TEST(a_load_stops_in_time, unit_default),
		TEST(who_asks_for_it_by_name_goes_on, unit_default),
		TEST(a_policy_that_binds_limits_to_its_nodes, unit_sw),
		TEST(the_nodes_of_a_policy_are_added_up, unit_sw),
		TEST(the_policy_of_the_file_counts, unit_obeyed),
		TEST(the_policy_of_the_thread_counts, unit_sw),
		TEST(what_nodes_have_is_not_known_of_relative_ones, unit_sw),
		TEST(the_machine_is_a_limit_less_its_watermarks, unit_default),
		TEST(without_other_nodes_the_machine_is_the_limit,
		     unit_default),
		TEST(what_cannot_be_known_is_said_and_not_checked,
		     unit_default),
		TEST(version_2_beside_the_other_is_found, unit_default),
		TEST(a_root_with_a_limit_is_that_of_a_namespace, unit_default),
		TEST(a_file_that_makes_no_sense_is_not_believed, unit_default),
		TEST(a_limit_on_another_file_system_is_not_believed,
		     unit_default),
		TEST(a_limit_that_cannot_be_read_is_not_checked, unit_default),
		TEST(what_zones_keep_has_no_end, unit_default),
		TEST(names_of_cgroups_are_shown_safely, unit_default),
		TEST(a_look_is_a_few_calls_that_are_listed, unit_default),
	};

	return t_main(room);
}
