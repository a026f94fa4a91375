// SPDX-License-Identifier: MIT
/* Creating, adopting and closing a guest_memfd. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live.h"

static int create(struct live *l, uint64_t size, uint64_t flags)
{
	struct gmem_create_opts opts = { .sz = sizeof(opts), .flags = flags };

	return gmem_create(l->vm, size, &opts, &l->g, &l->err);
}

static void start(struct live *l)
{
	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
}

/* KVM makes it inheritable and has no flag to prevent that. */
static void create_makes_a_close_on_exec_fd(void **state)
{
	struct live *l = *state;
	int raw;

	start(l);
	raw = live_keep_fd(l,
			   raw_create(gmem_vm_fd(l->vm), l->page, LIVE_SHARED));
	assert_int_equal(fcntl(raw, F_GETFD), 0);
	live_file(l, 1, LIVE_SHARED);
	assert_int_equal(fcntl(gmem_fd(l->g), F_GETFD), FD_CLOEXEC);
}

static void exec_does_not_pass_the_fd_on(void **state)
{
	struct live *l = *state;
	char fd[16], vm[16];
	int status;
	pid_t pid;

	start(l);
	live_file(l, 1, LIVE_SHARED);
	(void)snprintf(fd, sizeof(fd), "%d", gmem_fd(l->g));
	(void)snprintf(vm, sizeof(vm), "%d", gmem_vm_fd(l->vm));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		execl("/proc/self/exe", "live_file", "closed", fd, vm, NULL);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Nothing is reserved; any size up to 2^63 is one page table entry away. */
static void create_takes_any_size_and_reserves_nothing(void **state)
{
	struct live *l = *state;
	uint64_t sizes[] = { l->page, 1ULL << 40,
			     INT64_MAX / l->page * l->page };

	start(l);
	for (size_t i = 0; i < T_ARRAY_SIZE(sizes); i++) {
		struct stat st;

		live_ok(l, create(l, sizes[i], LIVE_SHARED));
		assert_int_equal(gmem_size(l->g), sizes[i]);
		assert_int_equal(gmem_page_size(l->g), l->page);
		assert_int_equal(fstat(gmem_fd(l->g), &st), 0);
		assert_int_equal(st.st_size, sizes[i]);
		if (live_has("residency"))
			assert_int_equal(
				raw_resident(gmem_fd(l->g), 0, sizes[i]), 0);
	}
}

static void create_refuses_a_size_the_kernel_refuses(void **state)
{
	struct live *l = *state;
	const struct {
		uint64_t size;
		uint32_t reason;
	} rows[] = {
		{ 0, GMEM_REASON_ZERO_SIZE },
		{ l->page - 1, GMEM_REASON_UNALIGNED },
		{ l->page + 512, GMEM_REASON_UNALIGNED },
		{ 1ULL << 63, GMEM_REASON_SIZE_LIMIT },
		{ -l->page, GMEM_REASON_SIZE_LIMIT },
	};

	start(l);
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		t_code(raw_create(gmem_vm_fd(l->vm), rows[i].size, LIVE_SHARED),
		       -EINVAL);
		live_refused(l, create(l, rows[i].size, LIVE_SHARED), -EINVAL,
			     rows[i].reason);
		assert_null(l->g);
	}
}

static void create_refuses_flags_the_kernel_refuses(void **state)
{
	struct live *l = *state;
	int mask, vm;

	start(l);
	vm = gmem_vm_fd(l->vm);
	mask = raw_cap(vm, GMEM__CAP_GUEST_MEMFD_FLAGS);
	for (int bit = 0; bit < 64; bit++) {
		uint64_t flag = 1ULL << bit;

		if (bit < 31 && mask & (int)flag)
			continue;
		t_code(raw_create(vm, l->page, flag), -EINVAL);
	}
	live_refused(l, create(l, l->page, 1ULL << 2), -EINVAL,
		     GMEM_REASON_FLAG_UNKNOWN);
	live_refused(l, create(l, l->page, 1ULL << 63), -EINVAL,
		     GMEM_REASON_FLAG_UNKNOWN);
}

/* Up to 7.3 a VM with private memory accepts MMAP alone. */
static void create_refuses_init_shared_where_the_vm_lacks_it(void **state)
{
	struct live *l = *state;
	int fd;

	live_need("private-memory");
	live_vm(l, GMEM_VM_SW_PROTECTED);
	fd = raw_create(gmem_vm_fd(l->vm), l->page, LIVE_SHARED);
	if (fd >= 0) {
		close(fd);
		live_ok(l, create(l, l->page, LIVE_SHARED));
		return;
	}
	t_code(fd, -EINVAL);
	live_refused(l, create(l, l->page, LIVE_SHARED), -EOPNOTSUPP,
		     GMEM_REASON_FLAG_UNSUPPORTED);
}

/* The kernel makes them all, but nobody can use them. */
static void create_refuses_combinations_of_no_use(void **state)
{
	struct live *l = *state;
	static const struct {
		uint64_t flags;
		uint32_t reason;
	} rows[] = {
		{ 0, GMEM_REASON_NEVER_USED },
		{ GMEM_CREATE_MMAP, GMEM_REASON_GUEST_ONLY },
		{ GMEM_CREATE_INIT_SHARED, GMEM_REASON_INIT_SHARED_UNMAPPABLE },
	};

	start(l);
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		int fd = raw_create(gmem_vm_fd(l->vm), l->page, rows[i].flags);

		assert_true(live_keep_fd(l, fd) >= 0);
		live_refused(l, create(l, l->page, rows[i].flags), -EINVAL,
			     rows[i].reason);
		assert_null(l->g);
	}
}

static void create_makes_surprising_files_by_name(void **state)
{
	struct live *l = *state;

	start(l);
	live_ok(l, create(l, l->page, GMEM_CREATE_UNBOUND));
	live_ok(l,
		create(l, l->page, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY));
}

static void create_makes_private_files_where_a_guest_uses_them(void **state)
{
	struct live *l = *state;

	live_need("private-memory");
	live_vm(l, GMEM_VM_SW_PROTECTED);
	live_ok(l, gmem_create(l->vm, 4 * l->page, NULL, &l->g, &l->err));
	assert_int_equal(gmem_flags(l->g), 0);
}

/* No released kernel has huge pages. */
static void create_refuses_huge_pages_without_a_call(void **state)
{
	struct live *l = *state;
	struct gmem_create_opts opts = { .sz = sizeof(opts),
					 .flags = LIVE_SHARED };

	start(l);
	for (int shift = 16; shift <= 34; shift++) {
		bool known = shift == 16 || (shift >= 19 && shift <= 21) ||
			     (shift >= 23 && shift <= 25) ||
			     (shift >= 28 && shift <= 31) || shift == 34;

		opts.hugetlb_size = 1ULL << shift;
		live_refused(
			l,
			gmem_create(l->vm, 1ULL << 34, &opts, &l->g, &l->err),
			known ? -EOPNOTSUPP : -EINVAL,
			known ? GMEM_REASON_HUGETLB_UNSUPPORTED
			      : GMEM_REASON_HUGETLB_SIZE);
	}
}

/* Bit 1 of the 2024 series is today's INIT_SHARED. */
static void create_refuses_an_encoding_the_kernel_contradicts(void **state)
{
	struct live *l = *state;
	struct gmem_vm_opts vm_opts = { .sz = sizeof(vm_opts) };
	struct gmem_create_opts opts = { .sz = sizeof(opts),
					 .hugetlb_size = 2 << 20 };
	int mask;

	start(l);
	mask = raw_cap(gmem_vm_fd(l->vm), GMEM__CAP_GUEST_MEMFD_FLAGS);
	for (uint32_t e = GMEM_HUGETLB_RFC1; e <= GMEM_HUGETLB_PAGE_ORDER;
	     e++) {
		if (e == GMEM_HUGETLB_PAGE_ORDER && mask > 3)
			continue;
		vm_opts.hugetlb_encoding = e;
		live_ok(l, gmem_vm_open(&vm_opts, &l->vm, &l->err));
		l->vms[l->n_vms++] = l->vm;
		t_refused(gmem_create(l->vm, 2 << 20, &opts, &l->g, &l->err),
			  -EOPNOTSUPP, GMEM_REASON_ENCODING_CONTRADICTED,
			  l->err);
	}
}

static void create_check_only_makes_nothing(void **state)
{
	struct live *l = *state;

	start(l);
	live_ok(l, create(l, l->page, LIVE_SHARED | GMEM_CREATE_CHECK_ONLY));
	assert_null(l->g);
	assert_int_equal(l->n_calls, 0);
	assert_int_equal(live_fds(), l->fds_before + 1);
}

/* A full descriptor table is EMFILE. */
static void create_with_a_full_fd_table_says_so(void **state)
{
	struct live *l = *state;
	struct rlimit old, full;
	int r;

	start(l);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	full = old;
	full.rlim_cur = live_keep_fd(l, dup(0));
	close(l->fds[--l->n_fds]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &full), 0);
	l->err = (struct gmem_error){ .sz = sizeof(l->err) };
	r = create(l, l->page, LIVE_SHARED);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	t_code(r, -EMFILE);
	t_reason(&l->err, GMEM_REASON_FD_LIMIT);
	assert_int_equal(l->err.sys_errno, EMFILE);
	assert_null(l->g);
	live_ok(l, create(l, l->page, LIVE_SHARED));
}

static int adopt(struct live *l, int fd, uint64_t flags)
{
	struct gmem_adopt_opts opts = { .sz = sizeof(opts), .flags = flags };

	return gmem_adopt(l->vm, fd, &opts, &l->g, &l->err);
}

static void adopt_takes_a_raw_file_over(void **state)
{
	struct live *l = *state;
	char back[4];
	int fd;

	start(l);
	fd = raw_create(gmem_vm_fd(l->vm), 4 * l->page, LIVE_SHARED);
	live_ok(l, adopt(l, fd, GMEM_ADOPT_INIT_SHARED));
	assert_int_equal(gmem_fd(l->g), fd);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(gmem_size(l->g), 4 * l->page);
	assert_int_equal(gmem_flags(l->g), LIVE_SHARED);
	live_ok(l, gmem_write(l->g, l->page, "live", 4, &l->err));
	live_ok(l, gmem_read(l->g, l->page, back, 4, &l->err));
	assert_memory_equal(back, "live", 4);
	live_ok(l, t_bind(l->g, 0, 0, 0, 4 * l->page, NULL, &l->err));
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	live_ok(l, gmem_close(l->g, &l->err));
	assert_true(fcntl(fd, F_GETFD) < 0);
}

/* A descriptor does not show its flags; MMAP can be found out. */
static void adopt_finds_out_whether_it_maps(void **state)
{
	struct live *l = *state;
	int vm, fd;

	start(l);
	vm = gmem_vm_fd(l->vm);
	live_ok(l, adopt(l, raw_create(vm, l->page, GMEM__FLAG_MMAP), 0));
	assert_int_equal(gmem_flags(l->g), GMEM_CREATE_MMAP);
	live_ok(l, adopt(l, raw_create(vm, l->page, 0), 0));
	assert_int_equal(gmem_flags(l->g), 0);
	fd = live_keep_fd(l, raw_create(vm, l->page, 0));
	t_refused(adopt(l, fd, GMEM_ADOPT_INIT_SHARED), -EINVAL,
		  GMEM_REASON_INIT_SHARED_UNMAPPABLE, l->err);
}

static void adopt_refuses_what_is_not_a_guest_memfd(void **state)
{
	struct live *l = *state;
	int fds[4 + RAW_ODD], p[2];

	start(l);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	fds[0] = live_keep_fd(l, memfd_create("live", MFD_CLOEXEC));
	assert_int_equal(ftruncate(fds[0], l->page), 0);
	fds[1] = live_keep_fd(l, open("/dev/null", O_RDWR | O_CLOEXEC));
	fds[2] = live_keep_fd(l, p[0]);
	fds[3] = live_keep_fd(l, raw_vm(0));
	live_keep_fd(l, p[1]);
	raw_odd_fds(l, gmem_vm_fd(l->vm), &fds[4]);
	for (size_t i = 0; i < T_ARRAY_SIZE(fds); i++) {
		t_refused(adopt(l, fds[i], 0), -EINVAL,
			  GMEM_REASON_NOT_GUEST_MEMFD, l->err);
		assert_true(fcntl(fds[i], F_GETFD) >= 0);
		assert_null(l->g);
	}
	t_refused(adopt(l, 1000, 0), -EBADF, GMEM_REASON_BAD_FD, l->err);
}

/* No operation on the fd depends on the VM or its process. */
static int receive(struct live *l)
{
	struct gmem_adopt_opts opts = { .sz = sizeof(opts),
					.flags = GMEM_ADOPT_INIT_SHARED };
	struct gmem *g;
	char back[5] = "";
	void *map;

	CHILD(!gmem_adopt(NULL, l->fds[0], &opts, &g, NULL));
	CHILD(gmem_size(g) == 2 * l->page);
	CHILD(!gmem_read(g, 0, back, 4, NULL));
	CHILD(!strcmp(back, "live"));
	CHILD(!gmem_write(g, l->page, "back", 4, NULL));
	CHILD(!gmem_mmap(g, 0, l->page, NULL, &map, NULL));
	CHILD(gmem_close(g, NULL) == -EBUSY);
	CHILD(!gmem_munmap(g, map, NULL));
	CHILD(!gmem_close(g, NULL));
	return 0;
}

static void another_process_adopts_without_a_vm(void **state)
{
	struct live *l = *state;
	char back[4];

	start(l);
	live_file(l, 2, LIVE_SHARED);
	live_ok(l, gmem_write(l->g, 0, "live", 4, &l->err));
	live_keep_fd(l, dup(gmem_fd(l->g)));
	live_child(l, receive);
	live_ok(l, gmem_read(l->g, l->page, back, 4, &l->err));
	assert_memory_equal(back, "back", 4);
}

static void close_refuses_a_bound_file(void **state)
{
	struct live *l = *state;

	start(l);
	live_file(l, 2, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 3, 0, 0, 2 * l->page, NULL, &l->err));
	live_refused(l, gmem_close(l->g, &l->err), -EBUSY,
		     GMEM_REASON_STILL_BOUND);
	live_ok(l, gmem_unbind(l->vm, 3, 0, 0, &l->err));
	live_ok(l, gmem_close(l->g, &l->err));
}

static void close_refuses_a_mapped_file(void **state)
{
	struct live *l = *state;
	unsigned char *map;

	start(l);
	live_file(l, 2, LIVE_SHARED);
	live_ok(l, gmem_mmap(l->g, 0, l->page, NULL, (void **)&map, &l->err));
	live_refused(l, gmem_close(l->g, &l->err), -EBUSY,
		     GMEM_REASON_STILL_MAPPED);
	assert_int_equal(live_touch(map), 0);
	live_ok(l, gmem_munmap(l->g, map, &l->err));
	live_ok(l, gmem_close(l->g, &l->err));
}

/* The kernel frees a file with its last descriptor and mapping. */
static void close_drops_every_reference(void **state)
{
	struct live *l = *state;
	int fd;
	char c;

	start(l);
	live_file(l, 4, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, 4 * l->page, NULL, &l->err));
	live_ok(l, gmem_write(l->g, 0, "x", 1, &l->err));
	live_ok(l, gmem_read(l->g, l->page, &c, 1, &l->err));
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	fd = live_keep_fd(l, fcntl(gmem_fd(l->g), F_DUPFD_CLOEXEC, 0));
	live_ok(l, gmem_close(l->g, &l->err));
	/* ours is the only one left, and it still has the pages */
	assert_int_equal(live_fds_of(fd), 1);
	assert_int_equal(live_maps_of(fd), 0);
	if (live_has("residency"))
		assert_int_equal(raw_resident(fd, 0, 4 * l->page), 2);
}

/* Closing the file of a slot leaves a dead slot. */
static void unbind_before_close_leaves_no_dead_slot(void **state)
{
	struct live *l = *state;
	int vm;

	start(l);
	vm = gmem_vm_fd(l->vm);
	live_file(l, 1, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 5, 0, 0, l->page, NULL, &l->err));
	live_ok(l, gmem_unbind(l->vm, 5, 0, 0, &l->err));
	live_ok(l, gmem_close(l->g, &l->err));
	t_code(raw_delete(vm, 5), -EINVAL);
	t_code(raw_plain(vm, 5, 0, l->page, NULL), 0);
	t_code(raw_delete(vm, 5), 0);
}

/* What exec_does_not_pass_the_fd_on() runs: are these descriptors closed? */
static int check_closed(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (fcntl(atoi(argv[i]), F_GETFD) >= 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest file[] = {
		live_test(create_makes_a_close_on_exec_fd),
		live_test(exec_does_not_pass_the_fd_on),
		live_test(create_takes_any_size_and_reserves_nothing),
		live_test(create_refuses_a_size_the_kernel_refuses),
		live_test(create_refuses_flags_the_kernel_refuses),
		live_test(create_refuses_init_shared_where_the_vm_lacks_it),
		live_test(create_refuses_combinations_of_no_use),
		live_test(create_makes_surprising_files_by_name),
		live_test(create_makes_private_files_where_a_guest_uses_them),
		live_test(create_refuses_huge_pages_without_a_call),
		live_test(create_refuses_an_encoding_the_kernel_contradicts),
		live_test(create_check_only_makes_nothing),
		live_test(create_with_a_full_fd_table_says_so),
		live_test(adopt_takes_a_raw_file_over),
		live_test(adopt_finds_out_whether_it_maps),
		live_test(adopt_refuses_what_is_not_a_guest_memfd),
		live_test(another_process_adopts_without_a_vm),
		live_test(close_refuses_a_bound_file),
		live_test(close_refuses_a_mapped_file),
		live_test(close_drops_every_reference),
		live_test(unbind_before_close_leaves_no_dead_slot),
	};

	if (argc > 2 && !strcmp(argv[1], "closed"))
		return check_closed(argc, argv);
	return t_main(file);
}
