// SPDX-License-Identifier: MIT
/*
 * What the kernel silently accepts, or does not do although it reports success:
 * first without the library, then what the library does about it.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "live.h"

#define PAGES 8
#define ALLOCATE FALLOC_FL_KEEP_SIZE
#define PUNCH (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)

/* A VM, and a file of PAGES made without the library; its fd. */
static int start(struct live *l)
{
	int fd;

	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	fd = raw_create(gmem_vm_fd(l->vm), PAGES * l->page, LIVE_SHARED);
	assert_true(fd >= 0);
	return live_keep_fd(l, fd);
}

static int64_t resident(struct live *l, int fd)
{
	return raw_resident(fd, 0, PAGES * l->page);
}

static void garbage_in_reserved_fields_is_accepted(void **state)
{
	struct live *l = *state;
	struct gmem__create create = { .flags = LIVE_SHARED };
	struct gmem__region2 r = {
		.region = { .flags = GMEM__MEM_GUEST_MEMFD },
	};
	int fd, vm;

	start(l);
	vm = gmem_vm_fd(l->vm);
	create.size = l->page;
	memset(create.reserved, 0xa5, sizeof(create.reserved));
	fd = raw_ioctl(vm, GMEM__KVM_CREATE_GUEST_MEMFD, &create);
	assert_true(live_keep_fd(l, fd) >= 0);
	r.region.memory_size = l->page;
	r.guest_memfd = fd;
	r.pad1 = 0xa5a5a5a5;
	memset(r.pad2, 0xa5, sizeof(r.pad2));
	t_code(raw_ioctl(vm, GMEM__KVM_SET_USER_MEMORY_REGION2, &r), 0);
	t_code(raw_delete(vm, 0), 0);
}

/* The errno of an unknown ioctl depends on the architecture. */
static void unknown_ioctls_are_refused_as_documented(void **state)
{
	struct live *l = *state;
	int fd = start(l);

	t_code(raw_ioctl(fd, GMEM__IO(0xfe), NULL), -ENOTTY);
#ifndef __aarch64__
	/* not on arm64, where a protected-mode host logs a warning */
	t_code(raw_ioctl(gmem_vm_fd(l->vm), GMEM__IO(0xfe), NULL), -ENOTTY);
#endif
}

/* Without MMAP a default VM never uses the file. */
static void a_file_no_guest_uses_can_be_bound(void **state)
{
	struct live *l = *state;
	struct gmem_create_opts opts = { .sz = sizeof(opts) };
	uint64_t flags[] = { 0, GMEM__FLAG_INIT_SHARED };
	int vm;

	start(l);
	vm = gmem_vm_fd(l->vm);
	for (int i = 0; i < 2; i++) {
		int fd = live_keep_fd(l, raw_create(vm, l->page, flags[i]));
		int r = raw_bind(vm, 0, 0, l->page, NULL, fd, 0);

#ifdef __aarch64__
		t_code(r, -EINVAL);
#else
		t_code(r, 0);
		t_code(raw_delete(vm, 0), 0);
#endif
	}
	live_refused(l, gmem_create(l->vm, l->page, &opts, &l->g, &l->err),
		     -EINVAL, GMEM_REASON_NEVER_USED);
	opts.flags = GMEM_CREATE_UNBOUND;
	live_ok(l, gmem_create(l->vm, l->page, &opts, &l->g, &l->err));
	l->n_calls = 0;
#ifdef __aarch64__
	live_refused(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err),
		     -EOPNOTSUPP, GMEM_REASON_NEEDS_MMAP);
#else
	live_refused(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err), -EINVAL,
		     GMEM_REASON_NEVER_USED);
#endif
}

/* The file and userspace_addr need not have anything in common. */
static void userspace_addr_is_not_compared_with_the_file(void **state)
{
	struct live *l = *state;
	int fd = start(l), vm = gmem_vm_fd(l->vm);
	void *elsewhere = live_memory(l, PAGES * l->page, 0);

	t_code(raw_bind(vm, 0, 0, PAGES * l->page, elsewhere, fd, 0), 0);
	t_code(raw_delete(vm, 0), 0);
	t_code(raw_bind(vm, 0, 0, PAGES * l->page, NULL, fd, 0), 0);
	t_code(raw_delete(vm, 0), 0);
}

/* The slot holds no reference to its file. */
static void closing_a_file_under_a_slot_leaves_a_dead_slot(void **state)
{
	struct live *l = *state;
	int vm, fd;

	start(l);
	vm = gmem_vm_fd(l->vm);
	fd = raw_create(vm, l->page, LIVE_SHARED);
	t_code(raw_bind(vm, 0, 0, l->page, NULL, fd, 0), 0);
	close(fd);
	fd = live_keep_fd(l, raw_create(vm, l->page, LIVE_SHARED));
	t_code(raw_bind(vm, 0, 0, l->page, NULL, fd, 0), -EINVAL);
	t_code(raw_bind(vm, 1, 0, l->page, NULL, fd, 0), -EEXIST);
	t_code(raw_delete(vm, 0), 0);
	t_code(raw_bind(vm, 0, 0, l->page, NULL, fd, 0), 0);
	t_code(raw_delete(vm, 0), 0);
	/* gmem_close() does not do that */
	live_file(l, 1, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err));
	live_refused(l, gmem_close(l->g, &l->err), -EBUSY,
		     GMEM_REASON_STILL_BOUND);
}

/* What the kernel checks when a slot is deleted. */
static void a_delete_ignores_the_file_but_not_the_flags(void **state)
{
	struct live *l = *state;
	struct gmem__region2 r = {
		.region = {
			.flags = GMEM__MEM_GUEST_MEMFD |
				 GMEM__MEM_LOG_DIRTY_PAGES,
		},
		.guest_memfd = (uint32_t)-1,
	};
	int fd = start(l), vm = gmem_vm_fd(l->vm);

	t_code(raw_bind(vm, 0, 0, l->page, NULL, fd, 0), 0);
	t_code(raw_ioctl(vm, GMEM__KVM_SET_USER_MEMORY_REGION2, &r), -EINVAL);
	r.region.flags = GMEM__MEM_GUEST_MEMFD;
	t_code(raw_ioctl(vm, GMEM__KVM_SET_USER_MEMORY_REGION2, &r), 0);
}

/* Closing the VM's descriptor does not free the VM either. */
static void closing_the_vm_frees_nothing_while_a_file_lives(void **state)
{
	struct live *l = *state;
	unsigned char *p;
	int vm, fd;

	start(l);
	vm = raw_vm(0);
	fd = live_keep_fd(l, raw_create(vm, PAGES * l->page, LIVE_SHARED));
	p = raw_map(l, fd, PAGES * l->page, PROT_READ | PROT_WRITE);
	p[l->page] = 0x5a;
	close(vm);
	assert_int_equal(p[l->page], 0x5a);
	p[2 * l->page] = 1;
	if (live_has("residency"))
		assert_int_equal(resident(l, fd), 2);
}

static void the_size_never_changes(void **state)
{
	struct live *l = *state;
	int fd = start(l);
	struct stat st;

	assert_int_equal(ftruncate(fd, 2 * PAGES * l->page), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ftruncate(fd, PAGES * l->page), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fchmod(fd, 0644), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, PAGES * l->page);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_nlink, 1);
}

/* read(2) and write(2) fail; gmem_read(3) and gmem_write(3) use a mapping. */
static void the_fd_can_not_be_read_or_written(void **state)
{
	struct live *l = *state;
	int fd = start(l);
	char c = 0;

	assert_int_equal(read(fd, &c, 1), -1);
	assert_int_equal(write(fd, &c, 1), -1);
	assert_int_equal(pread(fd, &c, 1, 0), -1);
	assert_int_equal(pwrite(fd, &c, 1, 0), -1);
	live_file(l, 1, LIVE_SHARED);
	live_ok(l, gmem_write(l->g, 0, "w", 1, &l->err));
	live_ok(l, gmem_read(l->g, 0, &c, 1, &l->err));
	assert_int_equal(c, 'w');
}

static void the_fd_can_not_be_sealed_synced_or_opened_again(void **state)
{
	struct live *l = *state;
	int fd = start(l);
	char path[64];

	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), -1);
	assert_int_equal(fcntl(fd, F_GET_SEALS), -1);
	assert_int_equal(fsync(fd), -1);
	assert_int_equal(fdatasync(fd), -1);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(open(path, O_RDWR | O_CLOEXEC), -1);
	assert_int_equal(errno, ENXIO);
}

/* Nothing shows flags, VM and bindings; the link text differs by kernel. */
static void proc_tells_neither_flags_nor_bindings(void **state)
{
	struct live *l = *state;
	int fd = start(l);
	bool own = live_kernel(6, 19);
	char path[64], text[512], *line;
	struct statfs fs;
	ssize_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, own ? "/[kvm-gmem] (deleted)"
				      : "anon_inode:[kvm-gmem]");
	assert_int_equal(fstatfs(fd, &fs), 0);
	assert_int_equal(fs.f_type, own ? GMEM__MAGIC_GUEST_MEMFD
					: GMEM__MAGIC_ANON_INODE);
	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	assert_non_null(f);
	while ((line = fgets(text, sizeof(text), f)))
		assert_true(!strncmp(line, "pos:", 4) ||
			    !strncmp(line, "flags:", 6) ||
			    !strncmp(line, "mnt_id:", 7) ||
			    !strncmp(line, "ino:", 4));
	fclose(f);
}

static void fallocate_knows_two_modes(void **state)
{
	struct live *l = *state;
	int fd = start(l);

	assert_int_equal(fallocate(fd, 0, 0, l->page), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, l->page), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, l->page), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(fallocate(fd, ALLOCATE, 512, l->page), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fallocate(fd, ALLOCATE, 0, 2 * PAGES * l->page), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fallocate(fd, ALLOCATE, 0, 2 * l->page), 0);
	assert_int_equal(fallocate(fd, PUNCH, 0, l->page), 0);
	if (live_has("residency"))
		assert_int_equal(resident(l, fd), 1);
}

static void punching_beyond_the_end_says_it_worked(void **state)
{
	struct live *l = *state;
	int fd = start(l);

	assert_int_equal(fallocate(fd, ALLOCATE, 0, PAGES * l->page), 0);
	assert_int_equal(fallocate(fd, PUNCH, PAGES * l->page, l->page), 0);
	if (live_has("residency"))
		assert_int_equal(resident(l, fd), PAGES);
	assert_int_equal(fallocate(fd, PUNCH, 0, INT64_MAX / l->page * l->page),
			 0);
	if (live_has("residency"))
		assert_int_equal(resident(l, fd), 0);
}

/* st_blocks is 0, and mincore(2) reports only touched pages. */
static void only_cachestat_counts_pages(void **state)
{
	struct live *l = *state;
	int fd = start(l);
	unsigned char in[PAGES];
	unsigned char *p;
	struct stat st;

	live_need("residency");
	assert_int_equal(resident(l, fd), 0);
	assert_int_equal(fallocate(fd, ALLOCATE, 0, 4 * l->page), 0);
	assert_int_equal(resident(l, fd), 4);
	assert_int_equal(raw_resident(fd, l->page, l->page), 1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	p = raw_map(l, fd, PAGES * l->page, PROT_READ | PROT_WRITE);
	assert_int_equal(mincore(p, PAGES * l->page, in), 0);
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(in[i] & 1, 0);
	/* a read allocates too: there is no shared zero page */
	assert_int_equal(p[5 * l->page], 0);
	assert_int_equal(resident(l, fd), 5);
}

/* Advice that is accepted and not followed. */
static void madvise_says_it_worked_and_frees_nothing(void **state)
{
	static const int advice[] = { MADV_DONTNEED, MADV_MERGEABLE, MADV_COLD,
				      MADV_PAGEOUT };
	struct live *l = *state;
	int fd = start(l);
	unsigned char *p =
		raw_map(l, fd, PAGES * l->page, PROT_READ | PROT_WRITE);

	memset(p, 0x5a, PAGES * l->page);
	for (size_t i = 0; i < T_ARRAY_SIZE(advice); i++) {
		/* MERGEABLE is EINVAL on a kernel without KSM */
		assert_true(!madvise(p, PAGES * l->page, advice[i]) ||
			    errno == EINVAL);
		assert_int_equal(p[l->page], 0x5a);
		if (live_has("residency"))
			assert_int_equal(resident(l, fd), PAGES);
	}
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	assert_int_equal(p[l->page], 0x5a);
	/* this one does free */
	assert_int_equal(madvise(p, l->page, MADV_REMOVE), 0);
	assert_int_equal(p[0], 0);
	assert_int_equal(p[l->page], 0x5a);
}

static void mmap_takes_only_plain_shared_mappings(void **state)
{
	struct live *l = *state;
	int fd = start(l);
	static const struct {
		int prot, flags, err;
	} rows[] = {
		{ PROT_READ, MAP_PRIVATE, EINVAL },
		{ PROT_READ | PROT_EXEC, MAP_SHARED, EPERM },
		{ PROT_READ, MAP_SHARED | MAP_HUGETLB, EINVAL },
		{ PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, EOPNOTSUPP },
	};
	void *p;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		assert_ptr_equal(
			mmap(NULL, l->page, rows[i].prot, rows[i].flags, fd, 0),
			MAP_FAILED);
		assert_int_equal(errno, rows[i].err);
	}
	p = raw_map(l, fd, l->page, PROT_READ);
	assert_int_equal(mprotect(p, l->page, PROT_READ | PROT_EXEC), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(msync(p, l->page, MS_SYNC), -1);
	assert_int_equal(errno, EINVAL);
}

/* A touch raises a signal; a system call that touches gives EFAULT. */
static void private_memory_is_efault_in_a_system_call(void **state)
{
	struct live *l = *state;
	unsigned char *p;
	int fd, out[2];

	start(l);
	fd = live_keep_fd(
		l, raw_create(gmem_vm_fd(l->vm), l->page, GMEM__FLAG_MMAP));
	p = raw_map(l, fd, l->page, PROT_READ | PROT_WRITE);
	assert_int_equal(live_touch(p), 2);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	live_keep_fd(l, out[0]);
	live_keep_fd(l, out[1]);
	assert_int_equal(write(out[1], p, 1), -1);
	assert_int_equal(errno, EFAULT);
	/* MADV_POPULATE_READ */
	assert_int_equal(madvise(p, l->page, 22), -1);
	assert_int_equal(errno, EFAULT);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* Interrupted even with SA_RESTART; what was allocated stays. */
static void a_signal_ends_fallocate_early(void **state)
{
	struct live *l = *state;
	struct sigaction act = { .sa_handler = on_alarm,
				 .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, 200 }, { 0, 200 } }, off = { 0 };
	struct sigaction old;
	uint64_t size = 128ULL << 20;
	int fd, tries = 0, early = 0;

	start(l);
	fd = live_keep_fd(l, raw_create(gmem_vm_fd(l->vm), size, LIVE_SHARED));
	sigaction(SIGALRM, &act, &old);
	assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
	while (tries++ < 10000 && fallocate(fd, ALLOCATE, 0, size) < 0) {
		if (errno != EINTR)
			break;
		early++;
		/* the last attempt is without signals */
		if (early == 3)
			setitimer(ITIMER_REAL, &off, NULL);
	}
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &old, NULL);
	assert_true(early > 0);
	assert_true(alarms >= early);
	if (live_has("residency"))
		assert_int_equal(raw_resident(fd, 0, size), size / l->page);
}

/* From 6.19 on the file keeps a policy; before, nothing obeys it. */
static void a_policy_stays_with_the_file_or_is_ignored(void **state)
{
	struct live *l = *state;
	unsigned long nodes[16] = { 0 };
	int fd, mode = -1;
	void *p;

	live_need("numa");
	fd = start(l);
	assert_int_equal(syscall(SYS_get_mempolicy, NULL, nodes, 1024, NULL, 4),
			 0);
	p = mmap(NULL, l->page, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(syscall(SYS_mbind, p, l->page, 2, nodes, 1024, 0), 0);
	assert_int_equal(munmap(p, l->page), 0);
	p = raw_map(l, fd, l->page, PROT_READ);
	assert_int_equal(syscall(SYS_get_mempolicy, &mode, NULL, 0, p, 2), 0);
	assert_int_equal(mode, live_kernel(6, 19) ? 2 : 0);
}

int main(void)
{
	const struct CMUnitTest traps[] = {
		live_test(garbage_in_reserved_fields_is_accepted),
		live_test(unknown_ioctls_are_refused_as_documented),
		live_test(a_file_no_guest_uses_can_be_bound),
		live_test(userspace_addr_is_not_compared_with_the_file),
		live_test(closing_a_file_under_a_slot_leaves_a_dead_slot),
		live_test(a_delete_ignores_the_file_but_not_the_flags),
		live_test(closing_the_vm_frees_nothing_while_a_file_lives),
		live_test(the_size_never_changes),
		live_test(the_fd_can_not_be_read_or_written),
		live_test(the_fd_can_not_be_sealed_synced_or_opened_again),
		live_test(proc_tells_neither_flags_nor_bindings),
		live_test(fallocate_knows_two_modes),
		live_test(punching_beyond_the_end_says_it_worked),
		live_test(only_cachestat_counts_pages),
		live_test(madvise_says_it_worked_and_frees_nothing),
		live_test(mmap_takes_only_plain_shared_mappings),
		live_test(private_memory_is_efault_in_a_system_call),
		live_test(a_signal_ends_fallocate_early),
		live_test(a_policy_stays_with_the_file_or_is_ignored),
	};

	return t_main(traps);
}
