// SPDX-License-Identifier: MIT
/*
 * Which limits of memory count, and to the byte: files of /proc and /sys that a
 * test makes up one by one.  How numbers follow what is allocated: room.c.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>

#include "unit.h"

#include "adopt.h"
#include "room.h"

#define MARGIN GMEM__ROOM_MARGIN
#define CGROUPS "/sys/fs/cgroup"
#define STAT CGROUPS "/a/memory.stat"
#define NODES "/sys/devices/system/node"
#define PLENTY (64 * GiB)
#define FILES 16
#define PAGES 10 /* that a test loads, of 64 KiB at most */
#define TEXT 16384

/* A node with as many pages above its watermark as it has, or with none. */
#define ZONE(node, managed)                                         \
	"Node " #node ", zone   Normal\n  pages free     9999999\n" \
	"        low      256\n        managed  " #managed "\n"     \
	"        protection: (0, 0, 0, 0)\n  pagesets\n    cpu: 0\n"
#define LOW 256 /* pages */

static struct {
	struct unit_told told[FILES + 1];
	char text[FILES][TEXT];
} files;

/* A line that is longer than any file has. */
static char endless[8192];

/* File @path, a literal, has this text; NULL: there is none. */
__attribute__((format(printf, 2, 3))) static void tell(const char *path,
						       const char *fmt, ...)
{
	size_t i = 0;
	va_list ap;

	while (files.told[i].path && strcmp(files.told[i].path, path))
		i++;
	assert_true(i < FILES);
	files.told[i] = (struct unit_told){ path, files.text[i] };
	va_start(ap, fmt);
	assert_in_range(vsnprintf(files.text[i], TEXT, fmt, ap), 0, TEXT - 1);
	va_end(ap);
}

/* There is no such file. */
static void lose(const char *path)
{
	for (size_t i = 0; files.told[i].path; i++)
		if (!strcmp(files.told[i].path, path))
			files.told[i].path = "";
}

static void tell_stat(uint64_t bytes, const char *more)
{
	tell(STAT,
	     "inactive_file %" PRIu64 "\nactive_file 0\nslab_reclaimable 0\n%s",
	     bytes, more);
}

static void tell_memory(const char *path, const char *node, uint64_t bytes,
			const char *more)
{
	tell(path,
	     "%sMemFree: %" PRIu64 " kB\n%sActive(file): 0 kB\n"
	     "%sInactive(file): 0 kB\n%sSReclaimable: 0 kB\n%s",
	     node, (uint64_t)(bytes / KiB), node, node, node, more);
}

static void tell_node(unsigned int node, uint64_t bytes)
{
	static const char *const paths[] = { NODES "/node0/meminfo",
					     NODES "/node1/meminfo" };
	char before[24];

	(void)snprintf(before, sizeof(before), "Node %u ", node);
	tell_memory(paths[node], before, bytes, "");
}

/* One node, a cgroup without a limit, and plenty of memory. */
static void machine(struct unit *u)
{
	memset(files.told, 0, sizeof(files.told));
	memset(endless, 'x', sizeof(endless) - 1);
	tell("/proc/self/cgroup", "0::/a\n");
	tell(CGROUPS "/a/cgroup.controllers", "memory\n");
	tell(CGROUPS "/a/memory.max", "max\n");
	tell(CGROUPS "/a/memory.current", "0\n");
	tell_stat(0, "");
	tell("/proc/zoneinfo", ZONE(0, 9999999));
	tell_memory("/proc/meminfo", "", PLENTY, "");
	tell_node(0, PLENTY);
	tell_node(1, PLENTY);
	u->told = files.told;
	u->magic = GMEM__MAGIC_CGROUP2;
}

/* This process may use the first two. */
static void three_nodes(struct unit *u)
{
	machine(u);
	tell("/proc/zoneinfo",
	     ZONE(0, 9999999) ZONE(1, 9999999) ZONE(2, 9999999));
}

static void cgroup(uint64_t max, uint64_t current)
{
	tell(CGROUPS "/a/memory.max", "%" PRIu64 "\n", max);
	tell(CGROUPS "/a/memory.current", "%" PRIu64 "\n", current);
}

static int populate(struct unit *u, struct gmem *g,
		    const struct gmem_mempolicy *p, uint64_t *unchecked)
{
	const struct gmem_populate_opts o = { .sz = sizeof(o),
					      .policy = p,
					      .unchecked = unchecked };

	unit_reset(u);
	u->err.sz = sizeof(u->err);
	return gmem_populate(g, 0, gmem_size(g), &o, &u->err);
}

/* There is no room under @p: @where has @bytes. */
static void full(struct unit *u, const struct gmem_mempolicy *p,
		 const char *where, uint64_t bytes)
{
	struct gmem *g = unit_create(u, 4 * MiB, SHARED_FLAGS);

	t_refused(populate(u, g, p, NULL), -ENOMEM, GMEM_REASON_NO_ROOM,
		  u->err);
	assert_int_equal(u->err.value, bytes);
	assert_non_null(strstr(u->err.msg, where));
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
}

/* There is, as far as the result says. */
static uint64_t enough(struct unit *u, const struct gmem_mempolicy *p)
{
	struct gmem *g = unit_create(u, 4 * MiB, SHARED_FLAGS);
	uint64_t unchecked = 99;

	t_ok(populate(u, g, p, &unchecked), u->err);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 4 * MiB, -1),
			 4 * MiB);
	return unchecked;
}

static void of_equal_limits_the_closest_is_named(void **state)
{
	struct unit *u = *state;

	machine(u);
	cgroup(8 * MiB, 8 * MiB);
	tell_memory("/proc/meminfo", "", LOW * PAGE, "");
	full(u, NULL, "memory cgroup /a has", 0);
}

static void zones_that_break_off_are_no_limit(void **state)
{
	struct unit *u = *state;

	machine(u);
	tell("/proc/zoneinfo", ZONE(0, 9999999) "%s", endless);
	tell_memory("/proc/meminfo", "", 0, "");
	assert_int_equal(enough(u, NULL), GMEM_ROOM_NODES | GMEM_ROOM_MACHINE);
}

/* They were reserved when the file was made. */
static void huge_pages_need_no_room(void **state)
{
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_UNBOUND,
				      .hugetlb_size = GiB };
	struct unit *u = *state;
	uint64_t unchecked = 99;
	struct gmem *g = NULL;

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	machine(u);
	cgroup(1, 1);
	t_ok(gmem_create(u->vm, GiB, &o, &g, &u->err), u->err);
	unit_reset(u);
	unit_answer(u, "fallocate", 0, 1, 1, 0);
	u->err.sz = sizeof(u->err);
	t_ok(gmem_populate(g, 0, GiB,
			   &(struct gmem_populate_opts){
				   .sz = sizeof(struct gmem_populate_opts),
				   .unchecked = &unchecked },
			   &u->err),
	     u->err);
	assert_int_equal(unchecked, 0);
	assert_int_equal(unit_count(u, "openat", 0), 0);
}

static void a_cgroup_that_tells_a_part_is_no_limit(void **state)
{
	static const char *const parts[] = {
		CGROUPS "/a/memory.current",
		CGROUPS "/a/memory.stat",
	};
	struct unit *u = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(parts); i++) {
		machine(u);
		cgroup(1, 1);
		lose(parts[i]);
		assert_int_equal(enough(u, NULL), GMEM_ROOM_CGROUP);
	}
	machine(u);
	cgroup(1, 1);
	tell("/proc/self/cgroup", "0::/a\n%s", endless);
	assert_int_equal(enough(u, NULL), GMEM_ROOM_CGROUP);
}

/* What stands behind what is looked for costs no call. */
static void a_file_is_read_no_further_than_needed(void **state)
{
	struct unit *u = *state;
	unsigned int reads = 0;
	char lines[8192];

	for (size_t i = 0; i < sizeof(lines); i++)
		lines[i] = i % 4 == 3 ? '\n' : 'x';
	lines[sizeof(lines) - 1] = '\0';
	for (unsigned int more = 0; more < 4; more++) {
		three_nodes(u);
		cgroup(GiB, GiB);
		tell_stat(GiB, more == 1 ? lines : "");
		tell_memory("/proc/meminfo", "", PLENTY,
			    more == 2 ? lines : "");
		tell_memory(NODES "/node0/meminfo", "Node 0 ", PLENTY,
			    more == 3 ? lines : "");
		assert_int_equal(enough(u, NULL), 0);
		if (!more)
			reads = unit_count(u, "read", 0);
		assert_int_equal(unit_count(u, "read", 0), reads);
	}
}

/* The root of a namespace is known to have room for two margins and more. */
static void a_limit_counts_to_the_byte(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * MiB, SHARED_FLAGS);

	machine(u);
	tell("/proc/self/cgroup", "0::/\n");
	tell(CGROUPS "/cgroup.controllers", "memory\n");
	tell(CGROUPS "/memory.max", "%" PRIu64 "\n",
	     (uint64_t)(MARGIN + 32 * MiB));
	tell(CGROUPS "/memory.current", "1\n");
	lose("/proc/zoneinfo");
	t_ok(populate(u, g, NULL, NULL), u->err);
	assert_int_equal(unit_nth(u, "fallocate", 0, 0)->arg[1], 30 * MiB);
}

/* They are slow to read. */
static void statistics_are_read_where_it_is_short_without_them(void **state)
{
	struct unit *u = *state;
	unsigned int opened;

	machine(u);
	cgroup(2 * MARGIN, 0);
	assert_int_equal(enough(u, NULL), 0);
	opened = unit_count(u, "openat", 0);
	cgroup(2 * MARGIN - 1, 0);
	assert_int_equal(enough(u, NULL), 0);
	assert_int_equal(unit_count(u, "openat", 0), opened + 1);
}

static void no_more_than_a_cgroup_uses_can_be_reclaimed(void **state)
{
	struct unit *u = *state;

	machine(u);
	cgroup(8 * MiB, 4 * MiB);
	tell_stat(GiB, "");
	full(u, NULL, "memory cgroup /a has", 8 * MiB);
}

static void only_dots_of_a_parent_lead_out_of_a_namespace(void **state)
{
	struct unit *u = *state;

	machine(u);
	tell("/proc/self/cgroup", "0::/../a\n");
	tell(CGROUPS "/../a/cgroup.controllers", "memory\n");
	tell(CGROUPS "/../a/memory.max", "1\n");
	tell(CGROUPS "/../a/memory.current", "1\n");
	tell(CGROUPS "/../a/memory.stat",
	     "inactive_file 0\nactive_file 0\nslab_reclaimable 0\n");
	assert_int_equal(enough(u, NULL), GMEM_ROOM_CGROUP);
	machine(u);
	tell("/proc/self/cgroup", "0::/.a\n");
	tell(CGROUPS "/.a/cgroup.controllers", "memory\n");
	tell(CGROUPS "/.a/memory.max", "1\n");
	tell(CGROUPS "/.a/memory.current", "1\n");
	tell(CGROUPS "/.a/memory.stat",
	     "inactive_file 0\nactive_file 0\nslab_reclaimable 0\n");
	full(u, NULL, "memory cgroup /.a has", 0);
}

static void what_is_there_further_on_is_no_room(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 8 * MiB, SHARED_FLAGS);

	machine(u);
	cgroup(1, 1);
	unit_allocate(u, gmem_fd(g), 4 * MiB, 4 * MiB, 0);
	t_refused(populate(u, g, NULL, NULL), -ENOMEM, GMEM_REASON_NO_ROOM,
		  u->err);
	assert_int_equal(u->err.done, 0);
	assert_int_equal(unit_count(u, "fallocate", 0), 0);
}

/* A part of a page needs no whole one, and a byte needs room too. */
static void a_load_has_the_bytes_that_there_is_room_for(void **state)
{
	static const unsigned char data[100] = "x";
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int fd = unit_memfd(u, data, sizeof(data), 0);

	machine(u);
	cgroup(MARGIN, 0);
	t_refused(gmem_load(g, 0, fd, 1, NULL, &u->err), -ENOMEM,
		  GMEM_REASON_NO_ROOM, u->err);
	cgroup(MARGIN + 99, 0);
	t_refused(gmem_load(g, 0, fd, 100, NULL, &u->err), -ENOMEM,
		  GMEM_REASON_NO_ROOM, u->err);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, -1), 0);
	cgroup(MARGIN + 100, 0);
	t_ok(gmem_load(g, 0, fd, 100, NULL, &u->err), u->err);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* All the room there is has been used from now on. */
static void uses_it_up(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	(void)arg;
	if (!strcmp(c->name, "pread64"))
		cgroup(MARGIN + 8 * PAGE, 8 * PAGE);
}

static void a_load_within_a_page_counts_all_of_the_page(void **state)
{
	static const unsigned char data[PAGES * 65536] = "x";
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int fd = unit_memfd(u, data, 10 * PAGE, 0);

	machine(u);
	cgroup(MARGIN + 8 * PAGE, 0);
	u->hook = uses_it_up;
	t_refused(gmem_load(g, 100, fd, 9 * PAGE, NULL, &u->err), -ENOMEM,
		  GMEM_REASON_NO_ROOM, u->err);
	u->hook = NULL;
	assert_int_equal(u->err.done, 8 * PAGE - 100);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, -1), 8 * PAGE);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

/* A process that locks what it maps allocates all of that at once. */
static void a_load_maps_no_more_than_there_is_room_for(void **state)
{
	static const unsigned char data[PAGES * 65536] = "x";
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int fd = unit_memfd(u, data, 8 * PAGE, 0);

	machine(u);
	cgroup(MARGIN + 2 * PAGE, 0);
	t_ok(gmem_load(g, 0, fd, 8 * PAGE, NULL, &u->err), u->err);
	assert_int_equal(unit_longest(u, "mmap"), 2 * PAGE);
	assert_int_equal(unit_longest(u, "pread64"), 2 * PAGE);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void a_load_says_what_it_could_not_check(void **state)
{
	uint64_t unchecked = 99;
	const struct gmem_load_opts o = { .sz = sizeof(o),
					  .flags = GMEM_LOAD_INPUT_OFFSET,
					  .unchecked = &unchecked };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	int fd = unit_memfd(u, "x", 1, 0);

	machine(u);
	t_ok(gmem_load(g, 0, fd, 1, &o, &u->err), u->err);
	assert_int_equal(unchecked, 0);
	lose("/proc/meminfo");
	t_ok(gmem_load(g, 0, fd, 1, &o, &u->err), u->err);
	assert_int_equal(unchecked, GMEM_ROOM_MACHINE);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void nodes_of_the_cpuset_are_added_up_and_named(void **state)
{
	struct unit *u = *state;

	three_nodes(u);
	tell_node(0, 10 * MiB + LOW * PAGE);
	tell_node(1, 5 * MiB + LOW * PAGE);
	full(u, NULL, "node 0 with 1 more has", 15 * MiB);
}

static void a_node_without_memory_is_not_looked_at(void **state)
{
	unsigned long mask = 3;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct unit *u = *state;

	machine(u);
	tell("/proc/zoneinfo", ZONE(0, 9999999) ZONE(1, 0) ZONE(2, 9999999));
	tell_node(0, 10 * MiB + LOW * PAGE);
	full(u, &p, "node 0 has", 10 * MiB);
}

static void a_node_has_what_is_above_its_watermark(void **state)
{
	unsigned long mask = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct unit *u = *state;

	three_nodes(u);
	tell_node(0, LOW * PAGE + KiB);
	full(u, &p, "node 0 has", 0);
	tell_node(0, LOW * PAGE + PAGE + KiB);
	full(u, &p, "node 0 has", PAGE + KiB);
}

/* As where a sandbox forbids the call. */
static void a_single_node_is_known_without_policies(void **state)
{
	static const int denied[] = { 0, GMEM_ROOM_NODES };
	struct unit *u = *state;
	struct gmem *g;
	uint64_t unchecked;

	for (int several = 0; several < 2; several++) {
		const struct gmem_populate_opts o = { .sz = sizeof(o),
						      .unchecked = &unchecked };

		g = unit_create(u, 4 * MiB, SHARED_FLAGS);
		if (several)
			three_nodes(u);
		else
			machine(u);
		unit_reset(u);
		unit_answer(u, "get_mempolicy", 0, 1, 99, -EPERM);
		t_ok(gmem_populate(g, 0, 4 * MiB, &o, &u->err), u->err);
		assert_int_equal(unchecked, denied[several]);
	}
}

/* Whichever of the three questions has no answer. */
static void nodes_that_cannot_be_asked_for_are_no_limit(void **state)
{
	struct unit *u = *state;
	uint64_t unchecked;

	for (unsigned int nth = 1; nth < 5; nth++) {
		const struct gmem_populate_opts o = { .sz = sizeof(o),
						      .unchecked = &unchecked };
		struct gmem *g = unit_create(u, 4 * MiB, SHARED_FLAGS);

		three_nodes(u);
		unit_reset(u);
		unit_answer(u, "get_mempolicy", 0, nth, 1, -EPERM);
		t_ok(gmem_populate(g, 0, 4 * MiB, &o, &u->err), u->err);
		assert_int_equal(unchecked, nth < 4 ? GMEM_ROOM_NODES : 0);
	}
	three_nodes(u);
	tell(NODES "/node0/meminfo", "Node 0 MemFree: 9 kB\n");
	assert_int_equal(enough(u, NULL), GMEM_ROOM_NODES);
}

static void a_policy_has_no_nodes_beyond_its_own(void **state)
{
	unsigned long mask[2] = { 3, 3 };
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, mask);
	struct unit *u = *state;

	p.max_node = 1;
	three_nodes(u);
	tell_node(0, 10 * MiB + LOW * PAGE);
	full(u, &p, "node 0 has", 10 * MiB);
	/* and none at all is any of them */
	p = unit_policy(GMEM_MPOL_LOCAL, mask);
	p.nodes = NULL;
	tell_node(1, 5 * MiB + LOW * PAGE);
	full(u, &p, "node 0 with 1 more has", 15 * MiB);
}

/* Static ones are those of the machine, and a preference is no limit. */
static void flags_of_a_policy_do_not_hide_its_mode(void **state)
{
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct unit *u = *state;

	three_nodes(u);
	tell_node(1, 10 * MiB + LOW * PAGE);
	p.flags = GMEM_MPOL_F_STATIC_NODES;
	full(u, &p, "node 1 has", 10 * MiB);
	p.mode = GMEM_MPOL_PREFERRED;
	p.flags = GMEM_MPOL_F_RELATIVE_NODES;
	assert_int_equal(enough(u, &p), 0);
}

static unsigned int policies_asked_for(struct unit *u, uint64_t flags)
{
	struct gmem *g = unit_create(u, 4 * MiB, flags);
	uint64_t unchecked = 99;

	t_ok(populate(u, g, NULL, &unchecked), u->err);
	assert_int_equal(unchecked, 0);
	return unit_count(u, "get_mempolicy", 0);
}

/* Those of the thread and of the cpuset always are. */
static void the_policy_of_a_file_is_asked_for_if_it_can_have_one(void **state)
{
	struct unit *u = *state;
	bool obeyed = gmem_vm_has(u->vm, GMEM_FEATURE_MEMPOLICY);

	three_nodes(u);
	assert_int_equal(policies_asked_for(u, SHARED_FLAGS), obeyed ? 3 : 2);
}

static void what_the_host_cannot_map_has_no_policy(void **state)
{
	struct unit *u = *state;

	three_nodes(u);
	assert_int_equal(policies_asked_for(u, GMEM_CREATE_UNBOUND), 2);
	assert_int_equal(unit_count(u, "mmap", 0), 0);
}

/* It has one when it is bound, and that will do. */
static void a_look_at_a_file_with_a_view_maps_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 4 * MiB, SHARED_FLAGS);
	uint64_t unchecked = 99;

	three_nodes(u);
	t_ok(populate(u, g, NULL, &unchecked), u->err);
	assert_int_equal(unchecked, 0);
	assert_int_equal(unit_nth(u, "mmap", 0, 0)->arg[1], PAGE);
	unit_bind(u, g, 0, 0);
	t_ok(populate(u, g, NULL, &unchecked), u->err);
	assert_int_equal(unchecked, 0);
	assert_int_equal(unit_count(u, "mmap", 0), 0);
}

/* No VM says whether this kernel keeps policies, so the file is asked. */
static void a_file_without_a_vm_can_have_a_policy(void **state)
{
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	struct unit *u = *state;
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), MiB, SHARED_FLAGS);
	unsigned long mask = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &mask);
	struct gmem *g = NULL;

	t_ok(gmem__adopt_on(&unit_sys, u, NULL, fd, &o, &g, &u->err), u->err);
	t_ok(gmem_set_mempolicy(g, 0, MiB, &p, 0, &u->err), u->err);
	three_nodes(u);
	tell_node(1, 10 * MiB + LOW * PAGE);
	t_refused(populate(u, g, NULL, NULL), -ENOMEM, GMEM_REASON_NO_ROOM,
		  u->err);
	assert_non_null(strstr(u->err.msg, "node 1 has"));
	t_ok(gmem_close(g, &u->err), u->err);
}

static unsigned int there; /* of two threads; orders nothing else */
static __thread bool binds, met;

/* One has made the view, the other has looked for it: neither leaves alone. */
static void meet(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)u;
	(void)arg;
	if (met)
		return;
	if (binds ? c->request != GMEM__KVM_SET_USER_MEMORY_REGION2
		  : strcmp(c->name, "mmap") && strcmp(c->name, "get_mempolicy"))
		return;
	met = true;
	(void)__atomic_add_fetch(&there, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&there, __ATOMIC_RELAXED) < 2)
		(void)sched_yield();
}

static void *bind_it(void *arg)
{
	struct unit *u = arg;
	struct gmem_error err = { .sz = sizeof(err) };

	binds = true;
	return t_bind(u->g, 0, 0, 0, gmem_size(u->g), NULL, &err) ? u : NULL;
}

static void a_view_may_be_made_while_a_file_is_looked_at(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 4 * MiB, SHARED_FLAGS);
	pthread_t thread;
	void *failed;

	three_nodes(u);
	unit_reset(u);
	there = 0;
	met = false;
	u->hook = meet;
	assert_int_equal(pthread_create(&thread, NULL, bind_it, u), 0);
	u->err.sz = sizeof(u->err);
	t_ok(gmem_populate(g, 0, 4 * MiB, NULL, &u->err), u->err);
	assert_int_equal(pthread_join(thread, &failed), 0);
	u->hook = NULL;
	assert_null(failed);
	assert_int_equal(there, 2);
}

int main(void)
{
	const struct CMUnitTest limits[] = {
		TEST(of_equal_limits_the_closest_is_named, unit_default),
		TEST(zones_that_break_off_are_no_limit, unit_default),
		TEST(huge_pages_need_no_room, unit_bare),
		TEST(a_cgroup_that_tells_a_part_is_no_limit, unit_default),
		TEST(a_file_is_read_no_further_than_needed, unit_default),
		TEST(a_limit_counts_to_the_byte, unit_default),
		TEST(statistics_are_read_where_it_is_short_without_them,
		     unit_default),
		TEST(no_more_than_a_cgroup_uses_can_be_reclaimed, unit_default),
		TEST(only_dots_of_a_parent_lead_out_of_a_namespace,
		     unit_default),
		TEST(what_is_there_further_on_is_no_room, unit_default),
		TEST(a_load_has_the_bytes_that_there_is_room_for, unit_default),
		TEST(a_load_within_a_page_counts_all_of_the_page, unit_default),
		TEST(a_load_maps_no_more_than_there_is_room_for, unit_default),
		TEST(a_load_says_what_it_could_not_check, unit_default),
		TEST(nodes_of_the_cpuset_are_added_up_and_named, unit_obeyed),
		TEST(a_node_without_memory_is_not_looked_at, unit_obeyed),
		TEST(a_node_has_what_is_above_its_watermark, unit_obeyed),
		TEST(a_single_node_is_known_without_policies, unit_obeyed),
		TEST(nodes_that_cannot_be_asked_for_are_no_limit, unit_obeyed),
		TEST(a_policy_has_no_nodes_beyond_its_own, unit_obeyed),
		TEST(flags_of_a_policy_do_not_hide_its_mode, unit_obeyed),
		TEST(the_policy_of_a_file_is_asked_for_if_it_can_have_one,
		     unit_obeyed),
		TEST(the_policy_of_a_file_is_asked_for_if_it_can_have_one,
		     unit_default),
		TEST(what_the_host_cannot_map_has_no_policy, unit_obeyed),
		TEST(a_look_at_a_file_with_a_view_maps_nothing, unit_obeyed),
		TEST(a_file_without_a_vm_can_have_a_policy, unit_obeyed),
		TEST(a_view_may_be_made_while_a_file_is_looked_at, unit_obeyed),
	};

	return t_main(limits);
}
