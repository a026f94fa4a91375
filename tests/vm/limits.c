// SPDX-License-Identifier: MIT
/*
 * Populating up to the limits of memory: of a memory cgroup, a node and the
 * machine.  Whoever allocates is a forked child, since the kernel kills who
 * goes past them; needs a machine of its own, with two nodes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "live.h"

#define OUTER CGROUPS "/outer"
#define INNER OUTER "/inner"
#define MiB (1ULL << 20)
#define MARGIN (16 * MiB)
/* What a process has of its own, and does not use all of. */
#define OWN (12 * MiB)

/* What a child does, and what came of it. */
struct job {
	const char *cgroup;   /* to enter, or NULL */
	uint64_t len, flags;  /* of the file */
	uint64_t reclaimable; /* so much of that first */
	uint32_t threads;
	uint64_t populate_flags;
	int node;  /* -1: no policy */
	bool load; /* instead of populating */
	/* out */
	int r;
	uint64_t done, resident, unchecked, before;
	struct gmem_error err;
};

/* Files of VMs of either type do. */
static void need_files(void)
{
	if (!live_has("private-memory"))
		live_need("guest-memfd");
}

static uint64_t number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	if (fd >= 0)
		(void)close(fd);
	return strtoull(text, NULL, 0);
}

/* How often the kernel has killed for want of memory in @cgroup. */
static uint64_t kills(const char *cgroup)
{
	char path[128], text[512] = "", *at;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/memory.events", cgroup);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_int_equal(close(fd), 0);
	at = strstr(text, "oom_kill ");
	assert_non_null(at);
	return strtoull(at + 9, NULL, 10);
}

static void cgroups(void)
{
	cgroup_need();
	assert_true(!mkdir(OUTER, 0755) || errno == EEXIST);
	assert_int_equal(cgroup_put(OUTER "/cgroup.subtree_control", "+memory"),
			 0);
	assert_true(!mkdir(INNER, 0755) || errno == EEXIST);
	assert_int_equal(cgroup_put(OUTER "/memory.max", "max"), 0);
	assert_int_equal(cgroup_put(INNER "/memory.max", "max"), 0);
}

/*
 * Names that the kernel remembers not to exist: memory that it can reclaim, on
 * a machine without a disk.  They are charged to this process's cgroup.
 */
static void make_reclaimable(uint64_t bytes)
{
	static const char path[] = "/sys/kernel/%0200lu";
	uint64_t start = number(INNER "/memory.current");
	char name[256];

	for (unsigned long i = 0; i < 1000000; i++) {
		(void)snprintf(name, sizeof(name), path, i);
		(void)access(name, F_OK);
		if (i % 1024 == 0 &&
		    number(INNER "/memory.current") > start + bytes)
			return;
	}
}

/* With CONFIG_SLUB_TINY the kernel does not say what slabs can give back. */
static bool counts_reclaimable(void)
{
	static char text[8192];
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at;

	if (fd >= 0)
		(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "SReclaimable:");
	return at && strtoull(at + 13, NULL, 10) > 0;
}

static int load(struct gmem *g, struct job *j)
{
	const struct gmem_load_opts o = { .sz = sizeof(o),
					  .unchecked = &j->unchecked };
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	return gmem_load(g, 0, fd, gmem_size(g), &o, &j->err);
}

static int populate(struct gmem *g, struct job *j)
{
	unsigned long mask = 1UL << (j->node < 0 ? 0 : j->node);
	const struct gmem_mempolicy p = { .sz = sizeof(p),
					  .mode = GMEM_MPOL_BIND,
					  .nodes = &mask,
					  .max_node = 64 };
	const struct gmem_populate_opts o = { .sz = sizeof(o),
					      .flags = j->populate_flags,
					      .policy = j->node < 0 ? NULL : &p,
					      .threads = j->threads,
					      .unchecked = &j->unchecked };

	return gmem_populate(g, 0, gmem_size(g), &o, &j->err);
}

/* In the child: no assertions, whose way out is the parent's. */
static int child(struct job *j)
{
	const struct gmem_create_opts o = { .sz = sizeof(o),
					    .flags = j->flags };
	const struct gmem_vm_opts v = {
		.sz = sizeof(v),
		.type = live_has("guest-memfd") ? GMEM_VM_DEFAULT
						: GMEM_VM_SW_PROTECTED
	};
	struct gmem_residency in = { .sz = sizeof(in) };
	struct gmem_vm *vm = NULL;
	struct gmem *g = NULL;
	char path[128];

	(void)cgroup_put("/proc/self/oom_score_adj", "1000");
	if (j->cgroup) {
		(void)snprintf(path, sizeof(path), "%s/cgroup.procs",
			       j->cgroup);
		if (cgroup_put(path, "0") < 0)
			return 1;
	}
	if (gmem_vm_open(&v, &vm, &j->err) < 0 ||
	    gmem_create(vm, j->len, &o, &g, &j->err) < 0)
		return 2;
	if (j->reclaimable)
		make_reclaimable(j->reclaimable);
	if (j->cgroup) {
		(void)snprintf(path, sizeof(path), "%s/memory.current",
			       j->cgroup);
		j->before = number(path);
	}
	j->r = j->load ? load(g, j) : populate(g, j);
	j->done = j->err.done;
	if (gmem_resident(g, 0, j->len, &in, NULL) == 0)
		j->resident = in.bytes;
	gmem_vm_destroy(vm, NULL);
	return 0;
}

/* Return: the status of wait(2). */
static int run(struct live *l, struct job *j)
{
	struct job *shared = mmap(NULL, sizeof(*j), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t pid;

	assert_ptr_not_equal(shared, MAP_FAILED);
	*shared = *j;
	shared->err.sz = sizeof(shared->err);
	shared->unchecked = UINT64_MAX;
	(void)l;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child(shared));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*j = *shared;
	assert_int_equal(munmap(shared, sizeof(*j)), 0);
	if (WIFEXITED(status) && WEXITSTATUS(status))
		fail_msg("the child ended with %d: %s", WEXITSTATUS(status),
			 j->err.msg);
	return status;
}

/* It ended by itself with what there was room for, less the margin. */
static void stopped(struct live *l, struct job *j, uint64_t room,
		    const char *where)
{
	int status = run(l, j);

	if (!WIFEXITED(status))
		fail_msg("signal %d killed it", WTERMSIG(status));
	if (j->r != -ENOMEM || j->err.reason != GMEM_REASON_NO_ROOM ||
	    !strstr(j->err.msg, where))
		fail_msg("%d, %s", j->r, j->err.msg);
	print_message("# %s\n", j->err.msg);
	if (live_has("residency"))
		assert_int_equal(j->done, j->resident);
	assert_true(j->done <= room - MARGIN);
	assert_true(j->done >= room - MARGIN - OWN);
	assert_int_equal(j->unchecked, 0);
}

static void a_full_cgroup_is_an_error_and_no_death(void **state)
{
	static const uint32_t threads[] = { 0, 4 };
	struct live *l = *state;

	need_files();
	cgroups();
	for (unsigned int outer = 0; outer < 2; outer++)
		for (size_t i = 0; i < T_ARRAY_SIZE(threads); i++) {
			const char *cgroup = outer ? OUTER : INNER;
			uint64_t before = kills(OUTER);
			struct job j = { .cgroup = INNER,
					 .len = 256 * MiB,
					 .flags = live_has("init-shared")
							  ? LIVE_SHARED
							  : GMEM_CREATE_UNBOUND,
					 .threads = threads[i],
					 .node = -1 };

			cgroups();
			assert_int_equal(cgroup_put(outer ? OUTER "/memory.max"
							  : INNER "/memory.max",
						    "%d", 80 << 20),
					 0);
			stopped(l, &j, 80 * MiB, cgroup + sizeof(CGROUPS) - 1);
			assert_int_equal(kills(OUTER), before);
		}
}

static void a_load_ends_the_same_way(void **state)
{
	struct live *l = *state;
	struct job j = { .cgroup = INNER,
			 .len = 256 * MiB,
			 .flags = LIVE_SHARED,
			 .load = true,
			 .node = -1 };

	live_need("init-shared");
	cgroups();
	assert_int_equal(cgroup_put(INNER "/memory.max", "%d", 80 << 20), 0);
	stopped(l, &j, 80 * MiB, "/outer/inner");
}

static void what_the_kernel_can_reclaim_is_room(void **state)
{
	struct live *l = *state;
	struct job j = { .cgroup = INNER,
			 .len = 60 * MiB,
			 .flags = GMEM_CREATE_UNBOUND,
			 .reclaimable = 60 * MiB,
			 .node = -1 };
	uint64_t before;

	need_files();
	if (!counts_reclaimable())
		t_not_applicable("reclaimable", "slabs are not counted so");
	cgroups();
	before = kills(OUTER);
	assert_int_equal(cgroup_put(INNER "/memory.max", "%d", 112 << 20), 0);
	assert_true(WIFEXITED(run(l, &j)));
	print_message("# %llu MiB were in use\n",
		      (unsigned long long)(j.before / MiB));
	/* without reclaim it does not fit */
	assert_true(j.before + j.len > 112 * MiB);
	if (j.r)
		fail_msg("%d, %s", j.r, j.err.msg);
	assert_int_equal(kills(OUTER), before);
}

/* This is what the others are spared. */
static void who_goes_past_a_limit_by_name_is_killed(void **state)
{
	struct live *l = *state;
	struct job j = { .cgroup = INNER,
			 .len = 256 * MiB,
			 .flags = GMEM_CREATE_UNBOUND,
			 .populate_flags = GMEM_POPULATE_UNCHECKED,
			 .node = -1 };
	int status;

	need_files();
	cgroups();
	assert_int_equal(cgroup_put(INNER "/memory.max", "%d", 80 << 20), 0);
	status = run(l, &j);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* Of a machine without cgroups too, as this one is before they are mounted. */
static void a_full_node_is_an_error_and_no_death(void **state)
{
	struct live *l = *state;
	struct job j = { .len = 4096 * MiB,
			 .flags = GMEM_CREATE_UNBOUND,
			 .threads = 2,
			 .node = 1 };
	int status;

	need_files();
	live_need("numa");
	status = run(l, &j);
	assert_true(WIFEXITED(status));
	print_message("# %s\n", j.err.msg);
	assert_int_equal(j.r, -ENOMEM);
	assert_int_equal(j.err.reason, GMEM_REASON_NO_ROOM);
	assert_non_null(strstr(j.err.msg, "node 1 "));
	assert_true(j.done > 64 * MiB);
}

static void a_full_machine_is_an_error_and_no_death(void **state)
{
	struct live *l = *state;
	struct job j = { .len = 16384 * MiB,
			 .flags = GMEM_CREATE_UNBOUND,
			 .node = -1 };
	int status;

	need_files();
	status = run(l, &j);
	assert_true(WIFEXITED(status));
	print_message("# %s\n", j.err.msg);
	assert_int_equal(j.r, -ENOMEM);
	assert_int_equal(j.err.reason, GMEM_REASON_NO_ROOM);
	assert_non_null(strstr(j.err.msg, "this machine "));
	assert_true(j.done > 64 * MiB);
}

/* Nobody can foresee that, so who of the two is killed is only told. */
static void beside_a_rival_it_is_told_what_came_of_it(void **state)
{
	struct live *l = *state;
	struct job j = { .cgroup = INNER,
			 .len = 256 * MiB,
			 .flags = GMEM_CREATE_UNBOUND,
			 .node = -1 };
	int status, rival_status;
	pid_t rival;

	need_files();
	cgroups();
	assert_int_equal(cgroup_put(INNER "/memory.max", "%d", 96 << 20), 0);
	rival = fork();
	assert_true(rival >= 0);
	if (rival == 0) {
		if (cgroup_put(INNER "/cgroup.procs", "0") == 0)
			for (int i = 0; i < 64; i++) {
				void *p =
					mmap(NULL, MiB, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS |
						     MAP_POPULATE,
					     -1, 0);

				if (p == MAP_FAILED)
					break;
				(void)sched_yield();
			}
		(void)pause();
		_exit(0);
	}
	status = run(l, &j);
	(void)kill(rival, SIGKILL);
	assert_int_equal(waitpid(rival, &rival_status, 0), rival);
	print_message("# status %#x, %d after %llu bytes; the rival's %#x\n",
		      (unsigned int)status, j.r, (unsigned long long)j.done,
		      (unsigned int)rival_status);
}

int main(void)
{
	const struct CMUnitTest limits[] = {
		live_test(a_full_node_is_an_error_and_no_death),
		live_test(a_full_machine_is_an_error_and_no_death),
		live_test(a_full_cgroup_is_an_error_and_no_death),
		live_test(a_load_ends_the_same_way),
		live_test(what_the_kernel_can_reclaim_is_room),
		live_test(who_goes_past_a_limit_by_name_is_killed),
		live_test(beside_a_rival_it_is_told_what_came_of_it),
	};

	return t_main(limits);
}
