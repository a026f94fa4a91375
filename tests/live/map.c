// SPDX-License-Identifier: MIT
/* The host's view: mappings and copies. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live.h"

#define PAGES 8

static void start(struct live *l)
{
	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, PAGES, LIVE_SHARED);
}

/* A file that the host can map, although all of it is private. */
static void start_guest_only(struct live *l)
{
	live_need("mmap");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, PAGES, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
}

static unsigned char *map(struct live *l, uint64_t offset, uint64_t len,
			  uint64_t flags)
{
	struct gmem_mmap_opts opts = { .sz = sizeof(opts), .flags = flags };
	void *p = NULL;

	live_ok(l, gmem_mmap(l->g, offset, len, &opts, &p, &l->err));
	return p;
}

static void mappings_and_copies_show_the_same_memory(void **state)
{
	struct live *l = *state;
	unsigned char *all, *one, c;

	start(l);
	all = map(l, 0, PAGES * l->page, 0);
	one = map(l, 3 * l->page, l->page, 0);
	all[3 * l->page] = 0x11;
	assert_int_equal(one[0], 0x11);
	live_ok(l, gmem_read(l->g, 3 * l->page, &c, 1, &l->err));
	assert_int_equal(c, 0x11);
	c = 0x22;
	live_ok(l, gmem_write(l->g, 4 * l->page - 1, &c, 1, &l->err));
	assert_int_equal(one[l->page - 1], 0x22);
	assert_int_equal(all[4 * l->page - 1], 0x22);
	live_ok(l, gmem_munmap(l->g, one, &l->err));
	live_ok(l, gmem_munmap(l->g, all, &l->err));
}

static void memory_never_touched_reads_as_zeroes(void **state)
{
	struct live *l = *state;
	unsigned char got[100], zero[100] = { 0 };

	start(l);
	memset(got, 0xff, sizeof(got));
	live_ok(l,
		gmem_read(l->g, 2 * l->page - 50, got, sizeof(got), &l->err));
	assert_memory_equal(got, zero, sizeof(zero));
}

static void copies_take_any_bytes_up_to_the_last(void **state)
{
	struct live *l = *state;
	size_t size = PAGES * l->page;
	unsigned char *out = live_memory(l, size, 0);
	unsigned char *in = live_memory(l, size, 0);

	start(l);
	for (size_t i = 0; i < size; i++)
		out[i] = i % 251;
	live_ok(l, gmem_write(l->g, 1, out, size - 1, &l->err));
	assert_int_equal(l->err.done, size - 1);
	live_ok(l, gmem_read(l->g, 1, in, size - 1, &l->err));
	assert_int_equal(l->err.done, size - 1);
	assert_memory_equal(in, out, size - 1);
	live_refused(l, gmem_read(l->g, 2, in, size - 1, &l->err), -EINVAL,
		     GMEM_REASON_OUTSIDE_FILE);
	live_refused(l, gmem_write(l->g, UINT64_MAX, out, 2, &l->err), -EINVAL,
		     GMEM_REASON_OFFSET_OVERFLOW);
}

static void readonly_mapping_can_not_be_written(void **state)
{
	struct live *l = *state;
	unsigned char *p;
	int fd[2];

	start(l);
	p = map(l, 0, l->page, GMEM_MMAP_READONLY);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	live_keep_fd(l, fd[0]);
	live_keep_fd(l, fd[1]);
	assert_int_equal(write(fd[1], p, 1), 1);
	assert_int_equal(read(fd[0], p, 1), -1);
	assert_int_equal(errno, EFAULT);
}

/* A file made without MMAP gives ENODEV. */
static void mmap_refuses_a_file_without_mmap(void **state)
{
	struct live *l = *state;
	void *p = NULL;
	char c = 0;

	live_need("guest-memfd");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, PAGES, GMEM_CREATE_UNBOUND);
	assert_ptr_equal(
		mmap(NULL, l->page, PROT_READ, MAP_SHARED, gmem_fd(l->g), 0),
		MAP_FAILED);
	assert_int_equal(errno, ENODEV);
	l->n_calls = 0;
	live_refused(l, gmem_mmap(l->g, 0, l->page, NULL, &p, &l->err),
		     -EOPNOTSUPP, GMEM_REASON_NOT_MAPPABLE);
	live_refused(l, gmem_read(l->g, 0, &c, 1, &l->err), -EOPNOTSUPP,
		     GMEM_REASON_NOT_MAPPABLE);
	live_refused(l, gmem_write(l->g, 0, &c, 1, &l->err), -EOPNOTSUPP,
		     GMEM_REASON_NOT_MAPPABLE);
	assert_null(p);
}

/* The kernel maps beyond the end; touching that raises SIGBUS. */
static void mmap_refuses_a_range_outside_the_file(void **state)
{
	struct live *l = *state;
	unsigned char *raw;
	void *p = NULL;

	start(l);
	raw = raw_map(l, gmem_fd(l->g), (PAGES + 1) * l->page, PROT_READ);
	assert_int_equal(live_touch(raw), 0);
	assert_int_equal(live_touch(raw + PAGES * l->page), 2);
	l->n_calls = 0;
	live_refused(
		l, gmem_mmap(l->g, 0, (PAGES + 1) * l->page, NULL, &p, &l->err),
		-EINVAL, GMEM_REASON_OUTSIDE_FILE);
	live_refused(l, gmem_mmap(l->g, 0, 0, NULL, &p, &l->err), -EINVAL,
		     GMEM_REASON_ZERO_SIZE);
	live_refused(l, gmem_mmap(l->g, 512, l->page, NULL, &p, &l->err),
		     -EINVAL, GMEM_REASON_UNALIGNED);
	assert_null(p);
}

/* mmap() and MAP_POPULATE succeed, but every touch raises SIGBUS. */
static void mmap_refuses_private_memory_unless_asked(void **state)
{
	struct live *l = *state;
	unsigned char *p = NULL;

	start_guest_only(l);
	p = mmap(NULL, l->page, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_POPULATE, gmem_fd(l->g), 0);
	live_keep_map(l, p, l->page);
	if (live_has("residency"))
		assert_int_equal(raw_resident(gmem_fd(l->g), 0, l->page), 0);
	assert_int_equal(live_touch(p), 2);
	l->n_calls = 0;
	live_refused(l, gmem_mmap(l->g, 0, l->page, NULL, (void **)&p, &l->err),
		     -EACCES, GMEM_REASON_PRIVATE);
	p = map(l, 0, l->page, GMEM_MMAP_ALLOW_PRIVATE);
	assert_int_equal(live_touch(p), 2);
}

/* Through a system call the same fault is EFAULT. */
static void copies_of_private_memory_are_refused_without_a_signal(void **state)
{
	struct live *l = *state;
	char c = 0;

	start_guest_only(l);
	l->err = (struct gmem_error){ .sz = sizeof(l->err) };
	t_refused(gmem_read(l->g, 0, &c, 1, &l->err), -EACCES,
		  GMEM_REASON_PRIVATE, l->err);
	assert_int_equal(l->err.done, 0);
	t_refused(gmem_write(l->g, 0, &c, 1, &l->err), -EACCES,
		  GMEM_REASON_PRIVATE, l->err);
	assert_int_equal(l->err.done, 0);
	if (live_has("residency"))
		assert_int_equal(raw_resident(gmem_fd(l->g), 0, l->page), 0);
}

/* Where the record is wrong, the kernel's EFAULT shows it. */
static void copies_notice_private_memory_that_was_claimed_shared(void **state)
{
	struct live *l = *state;
	struct gmem_adopt_opts opts = { .sz = sizeof(opts),
					.flags = GMEM_ADOPT_INIT_SHARED };
	struct gmem *g;
	char c = 0;
	int fd;

	start_guest_only(l);
	fd = fcntl(gmem_fd(l->g), F_DUPFD_CLOEXEC, 0);
	live_ok(l, gmem_adopt(NULL, fd, &opts, &g, &l->err));
	t_refused(gmem_read(g, 0, &c, 1, &l->err), -EACCES, GMEM_REASON_PRIVATE,
		  l->err);
	assert_int_equal(l->err.sys_errno, EFAULT);
	assert_int_equal(l->err.done, 0);
	t_refused(gmem_write(g, 0, &c, 1, &l->err), -EACCES,
		  GMEM_REASON_PRIVATE, l->err);
	live_ok(l, gmem_close(g, &l->err));
}

static void munmap_takes_only_what_gmem_mmap_gave(void **state)
{
	struct live *l = *state;
	struct gmem_slot s = { .sz = sizeof(s) };
	unsigned char *p;

	start(l);
	live_ok(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err));
	live_ok(l, gmem_slot_get(l->vm, 0, 0, &s, &l->err));
	l->n_calls = 0;
	/* a guest would lose its memory */
	live_refused(
		l,
		gmem_munmap(l->g, (void *)(uintptr_t)s.userspace_addr, &l->err),
		-EINVAL, GMEM_REASON_NOT_MAPPED);
	p = map(l, 0, 2 * l->page, 0);
	l->n_calls = 0;
	live_refused(l, gmem_munmap(l->g, p + l->page, &l->err), -EINVAL,
		     GMEM_REASON_NOT_MAPPED);
	live_ok(l, gmem_munmap(l->g, p, &l->err));
	live_refused(l, gmem_munmap(l->g, p, &l->err), -EINVAL,
		     GMEM_REASON_NOT_MAPPED);
}

/* How many mappings of the file @fd have @addr, and the offset there. */
static unsigned long mapped_at(int fd, uint64_t addr, uint64_t *offset)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long start, end, at, ino, found = 0;
	char line[512];
	struct stat st;

	assert_non_null(f);
	assert_int_equal(fstat(fd, &st), 0);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %*s %lx %*s %lu", &start, &end, &at,
			   &ino) == 4 &&
		    ino == st.st_ino && start <= addr && addr < end) {
			*offset = at + (addr - start);
			found++;
		}
	fclose(f);
	return found;
}

/* KVM's own accesses go there; nothing checks that it is the same memory. */
static void userspace_addr_shows_the_range_that_is_bound(void **state)
{
	struct live *l = *state;
	struct gmem_slot s = { .sz = sizeof(s) };
	uint64_t modes[] = { GMEM_SLOT_FD, GMEM_SLOT_HVA };

	start(l);
	for (uint32_t i = 0; i < 2; i++) {
		struct gmem_slot opts = { .sz = sizeof(opts),
					  .flags = modes[i] };
		uint64_t at = (2 + 3 * i) * l->page, offset = 0;

		live_ok(l,
			t_bind(l->g, i, at, at, 2 * l->page, &opts, &l->err));
		live_ok(l, gmem_slot_get(l->vm, i, 0, &s, &l->err));
		assert_int_equal(
			mapped_at(gmem_fd(l->g), s.userspace_addr, &offset), 1);
		assert_int_equal(offset, at);
	}
}

struct mapper {
	struct live *l;
	unsigned int index, failures;
};

static void *map_and_copy(void *arg)
{
	struct mapper *m = arg;
	uint64_t at = m->index * m->l->page;
	unsigned char c;
	void *p;

	for (int i = 0; i < 100; i++) {
		if (gmem_mmap(m->l->g, at, m->l->page, NULL, &p, NULL) < 0) {
			m->failures++;
			continue;
		}
		*(unsigned char *)p = i;
		m->failures += gmem_read(m->l->g, at, &c, 1, NULL) || c != i;
		m->failures += gmem_munmap(m->l->g, p, NULL) != 0;
	}
	return NULL;
}

static void threads_map_and_copy(void **state)
{
	struct live *l = *state;
	struct mapper m[4];
	pthread_t t[4];

	start(l);
	for (int i = 0; i < 4; i++) {
		m[i] = (struct mapper){ .l = l, .index = i };
		assert_int_equal(
			pthread_create(&t[i], NULL, map_and_copy, &m[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 4; i++)
		assert_int_equal(m[i].failures, 0);
}

/* Without the flag the child would die of SIGSEGV. */
static void a_forked_child_has_a_mapping_on_request(void **state)
{
	struct live *l = *state;
	unsigned char *p;
	int status;
	pid_t pid;

	start(l);
	p = map(l, 0, l->page, GMEM_MMAP_FORK | GMEM_MMAP_DUMP);
	*p = 1;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		*p += 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(*p, 2);
	live_ok(l, gmem_munmap(l->g, p, &l->err));
}

/* Whether all is mapped there, and no process can touch it. */
static bool reserved(const unsigned char *p, uint64_t pages, uint64_t page)
{
	unsigned char there[PAGES];
	int fd[2];
	bool none;

	if (mincore((void *)(uintptr_t)p, pages * page, there) < 0 ||
	    pipe2(fd, O_CLOEXEC) < 0)
		return false;
	none = true;
	for (uint64_t i = 0; i < pages; i++)
		none &= write(fd[1], p + i * page, 1) < 0 && errno == EFAULT;
	(void)close(fd[0]);
	(void)close(fd[1]);
	return none;
}

/* As a PC has it: RAM, the PCI hole, RAM. */
static void one_pointer_has_memory_with_a_hole(void **state)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o), .flags = GMEM_MMAP_FIXED };
	struct live *l = *state;
	unsigned char *base, c = 0;
	void *p;

	start(l);
	base = live_keep_map(l,
			     mmap(NULL, PAGES * l->page, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0),
			     PAGES * l->page);
	o.addr = base;
	live_ok(l, gmem_mmap(l->g, 0, 2 * l->page, &o, &p, &l->err));
	o.addr = base + 5 * l->page;
	live_ok(l, gmem_mmap(l->g, 2 * l->page, 3 * l->page, &o, &p, &l->err));
	assert_ptr_equal(p, base + 5 * l->page);
	live_ok(l, t_bind(l->g, 0, 0, 0, 2 * l->page, NULL, &l->err));
	live_ok(l, t_bind(l->g, 1, 5 * l->page, 2 * l->page, 3 * l->page, NULL,
			  &l->err));
	base[l->page] = 1;
	base[7 * l->page] = 2;
	live_ok(l, gmem_read(l->g, l->page, &c, 1, &l->err));
	assert_int_equal(c, 1);
	live_ok(l, gmem_read(l->g, 4 * l->page, &c, 1, &l->err));
	assert_int_equal(c, 2);
	assert_true(reserved(base + 2 * l->page, 3, l->page));
	o.addr = base + 4 * l->page;
	live_refused(l, gmem_mmap(l->g, 0, 2 * l->page, &o, &p, &l->err),
		     -EBUSY, GMEM_REASON_STILL_MAPPED);
	live_ok(l, gmem_munmap(l->g, base, &l->err));
	live_ok(l, gmem_munmap(l->g, base + 5 * l->page, &l->err));
	assert_true(reserved(base, PAGES, l->page));
}

static void a_mapping_that_fails_leaves_the_reservation(void **state)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o), .flags = GMEM_MMAP_FIXED };
	struct live *l = *state;
	unsigned char *base;
	void *p = NULL;
	int fd, null;

	start(l);
	base = live_keep_map(l,
			     mmap(NULL, PAGES * l->page, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0),
			     PAGES * l->page);
	o.addr = base + l->page;
	/* the kernel maps no such file, and refuses only at the last moment */
	fd = fcntl(gmem_fd(l->g), F_DUPFD_CLOEXEC, 0);
	assert_true(fd >= 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(dup2(null, gmem_fd(l->g)), gmem_fd(l->g));
	(void)close(null);
	l->err = (struct gmem_error){ .sz = sizeof(l->err) };
	assert_true(gmem_mmap(l->g, 0, 2 * l->page, &o, &p, &l->err) < 0);
	assert_null(p);
	assert_true(reserved(base, PAGES, l->page));
	assert_int_equal(dup2(fd, gmem_fd(l->g)), gmem_fd(l->g));
	(void)close(fd);
	live_ok(l, gmem_mmap(l->g, 0, 2 * l->page, &o, &p, &l->err));
	live_ok(l, gmem_munmap(l->g, p, &l->err));
}

#define MANY 8192 /* pages: their page tables are 64 KiB at least */

static long page_tables(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = -1;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmPTE: %ld kB", &kib);
	(void)fclose(f);
	return kib;
}

/* Of what is populated, the caller's mapping needs no second page tables. */
static void slots_and_the_caller_have_one_mapping(void **state)
{
	struct gmem_mmap_opts own = { .sz = sizeof(own),
				      .flags = GMEM_MMAP_READONLY };
	struct live *l = *state;
	struct gmem_slot s = { .sz = sizeof(s) };
	volatile unsigned char *p;
	long before;
	void *q;

	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, MANY, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, MANY * l->page, NULL, &l->err));
	live_ok(l, gmem_slot_get(l->vm, 0, 0, &s, &l->err));
	live_ok(l, gmem_populate(l->g, 0, MANY * l->page, NULL, &l->err));
	before = page_tables();
	l->n_calls = 0;
	live_ok(l,
		gmem_mmap(l->g, 0, MANY * l->page, NULL, (void **)&p, &l->err));
	assert_int_equal(l->n_calls, 0);
	assert_int_equal((uintptr_t)p, s.userspace_addr);
	for (uint64_t i = 0; i < MANY; i++)
		(void)p[i * l->page];
	assert_true(page_tables() - before < 16);
	live_ok(l, gmem_mmap(l->g, 0, MANY * l->page, &own, &q, &l->err));
	for (uint64_t i = 0; i < MANY; i++)
		(void)((volatile unsigned char *)q)[i * l->page];
	assert_true(page_tables() - before >= 32);
	print_message("page tables of a second mapping of %llu MiB: %ld KiB\n",
		      (unsigned long long)(MANY * l->page >> 20),
		      page_tables() - before);
	live_ok(l, gmem_munmap(l->g, q, &l->err));
	live_ok(l, gmem_munmap(l->g, (void *)(uintptr_t)p, &l->err));
	assert_int_equal(live_maps_of(gmem_fd(l->g)), 1);
}

int main(void)
{
	const struct CMUnitTest map[] = {
		live_test(mappings_and_copies_show_the_same_memory),
		live_test(memory_never_touched_reads_as_zeroes),
		live_test(copies_take_any_bytes_up_to_the_last),
		live_test(readonly_mapping_can_not_be_written),
		live_test(mmap_refuses_a_file_without_mmap),
		live_test(mmap_refuses_a_range_outside_the_file),
		live_test(mmap_refuses_private_memory_unless_asked),
		live_test(
			copies_of_private_memory_are_refused_without_a_signal),
		live_test(copies_notice_private_memory_that_was_claimed_shared),
		live_test(a_forked_child_has_a_mapping_on_request),
		live_test(munmap_takes_only_what_gmem_mmap_gave),
		live_test(userspace_addr_shows_the_range_that_is_bound),
		live_test(threads_map_and_copy),
		live_test(one_pointer_has_memory_with_a_hole),
		live_test(a_mapping_that_fails_leaves_the_reservation),
		live_test(slots_and_the_caller_have_one_mapping),
	};

	return t_main(map);
}
