// SPDX-License-Identifier: MIT
/*
 * Which guest_memfds gmemctl ps finds in /proc, in a root folder of this test:
 * processes are folders, and a guest_memfd is one file at the root, to which
 * the links of descriptors lead as those of a kernel do.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "folders.h"
#include "hooked.h"
#include "ps_begin.h"
#include "t.h"

#define GMEM_MAGIC 0x474d454d
#define GMEM "/[kvm-gmem] (deleted)"

/* No process of this machine has such a number, except the first. */
enum {
	FIRST = 1,
	A = 5000001,
	B = 5000002
};

static const char *const folders[] = { "/proc", NULL };

struct world {
	struct scan scan;
	struct stat gmem;
	int root; /* that of the machine */
};

static unsigned long gmem_fs;
static struct stat proc_root;

/* In place of the C library's: as if /proc and the file were of the kernel. */
int fstatfs(int fd, struct statfs *out)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	*out = (struct statfs){
		.f_type = st.st_ino == proc_root.st_ino ? PROC_SUPER_MAGIC
							: (long)gmem_fs,
	};
	return 0;
}

/* openat2(2) of a file with this name fails; all other calls are made. */
static const char *fails;
static int fails_with;

static long answer(const struct hooked *call)
{
	if (call->number != SYS_openat2 || !fails ||
	    strcmp((const char *)call->a[1], fails) != 0)
		return hooked_pass(call);
	errno = fails_with;
	return -1;
}

/* So many milliseconds go by with each look at the clock. */
static int64_t tick, now;

int clock_gettime(clockid_t clock, struct timespec *out)
{
	(void)clock;
	now += tick;
	*out = (struct timespec){ .tv_sec = now / 1000,
				  .tv_nsec = now % 1000 * 1000000 };
	return 0;
}

/* A process that holds nothing yet. */
static void process(int pid, const char *command)
{
	char path[64], text[100];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	(void)snprintf(text, sizeof(text), "%s\n", command);
	write_file(path, text);
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	write_file(path, "");
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	write_file(path, "Name:\tx\nUid:\t7\t7\n");
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void holds(int pid, int fd, const char *link)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	assert_int_equal(symlink(link, path), 0);
}

/* Its mapping of file @ino, from @start on. */
static void maps(const struct world *w, int pid, unsigned int start,
		 uint64_t ino)
{
	char path[64], text[200];

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	(void)snprintf(text, sizeof(text),
		       "1000-9000 r-xp 0 00:00 5 /bin/vmm\n"
		       "%x-%x rw-s 0 %x:%x %" PRIu64 " " GMEM "\n",
		       start, start + 0x3000, major(w->gmem.st_dev),
		       minor(w->gmem.st_dev), ino);
	write_file(path, text);
}

static int setup(void **state)
{
	struct world *w = folders_world(folders, sizeof(*w));

	*state = NULL;
	if (!w)
		return 0;
	w->root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->root < 0 || chroot("/proc") < 0) {
		(void)close(w->root);
		folders_end(folders, w);
		return 0;
	}
	*state = w;
	assert_int_equal(chdir("/"), 0);
	process(FIRST, "init");
	assert_int_equal(stat("/proc", &proc_root), 0);
	write_file(GMEM, "16 bytes of size");
	assert_int_equal(stat(GMEM, &w->gmem), 0);
	gmem_fs = GMEM_MAGIC;
	fails = NULL;
	hooked_syscall = answer;
	tick = now = 0;
	ps_begin(&w->scan);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (!w)
		return 0;
	scan_free(&w->scan);
	assert_int_equal(fchdir(w->root), 0);
	assert_int_equal(chroot("."), 0);
	(void)close(w->root);
	folders_end(folders, w);
	return 0;
}

static struct world *needed(void **state)
{
	folders_needed(*state);
	return *state;
}

static void scan(struct world *w)
{
	assert_int_equal(scan_processes(&w->scan), 0);
	/* nobody is waited for any more: see watch.c */
	assert_int_equal(*(const pid_t *)(const void *)w->scan.watch, 0);
}

/* How many processes are seen, @n of this test among them. */
static void processes(const struct world *w, size_t n)
{
	/* in a PID namespace of its own this test may be the first */
	const bool first = getpid() == FIRST || getppid() == FIRST;

	assert_int_equal(w->scan.processes, n + !first);
}

/* ----------------------------------------------------------- descriptors -- */

static void a_descriptor(void **state)
{
	struct world *w = needed(state);
	const struct mem *m;

	process(A, "vm\tm");
	holds(A, 0, "/dev/null");
	holds(A, 3, GMEM);
	holds(A, 4, "anon_inode:kvm-vm");
	holds(A, 17, GMEM);
	process(B, "other");
	holds(B, 5, GMEM);
	scan(w);
	m = w->scan.files;
	assert_non_null(m);
	assert_null(m->next);
	assert_int_equal(m->dev, w->gmem.st_dev);
	assert_int_equal(m->ino, w->gmem.st_ino);
	assert_int_equal(m->size, 16);
	assert_string_equal(m->no_size.text, "");
	for (const struct holder *h = m->holders; h; h = h->next) {
		assert_int_equal(h->about.uid, 7);
		assert_int_equal(h->mapped, 0);
		assert_false(h->unmapped);
		if (h->pid == A) {
			assert_string_equal(h->command, "vm\\x09m");
			assert_int_equal(h->fds, 2);
			assert_int_equal(h->fd[0] + h->fd[1], 20);
			assert_true(h->vm);
		} else {
			assert_int_equal(h->pid, B);
			assert_int_equal(h->fds, 1);
			assert_int_equal(h->fd[0], 5);
			assert_false(h->vm);
		}
	}
	assert_non_null(m->holders->next);
	assert_null(m->holders->next->next);
	processes(w, 2);
	assert_null(w->scan.hidden);
	assert_false(w->scan.proc_hides);
	assert_false(w->scan.pid_seen);
	assert_int_equal(w->scan.late_n, 0);
}

static void more_descriptors_than_are_listed(void **state)
{
	struct world *w = needed(state);
	const struct holder *h;

	process(A, "vmm");
	for (int i = 0; i < HOLDER_FDS + 2; i++)
		holds(A, 10 + i, GMEM);
	w->scan.pid = A;
	scan(w);
	h = w->scan.files->holders;
	assert_int_equal(h->fds, HOLDER_FDS + 2);
	assert_int_equal(more_fds(h), 2);
	for (int i = 0; i < HOLDER_FDS; i++)
		assert_in_range(h->fd[i], 10, 10 + HOLDER_FDS + 1);
	assert_true(w->scan.pid_seen);
}

static void what_only_has_its_name(void **state)
{
	struct world *w = needed(state);

	gmem_fs = TMPFS_MAGIC;
	process(A, "vmm");
	holds(A, 3, GMEM);
	scan(w);
	assert_null(w->scan.files);
	assert_null(w->scan.hidden);
	/* nor is it one without a size, or a folder */
	gmem_fs = GMEM_MAGIC;
	write_file(GMEM, "");
	scan(w);
	assert_null(w->scan.files);
	assert_int_equal(unlink(GMEM), 0);
	assert_int_equal(mkdir(GMEM, 0755), 0);
	scan(w);
	assert_null(w->scan.files);
	/* or gone */
	assert_int_equal(rmdir(GMEM), 0);
	scan(w);
	assert_null(w->scan.files);
	assert_null(w->scan.hidden);
}

/* -------------------------------------------------------------- mappings -- */

static void a_mapping(void **state)
{
	struct world *w = needed(state);
	const struct mem *m;

	process(A, "vmm");
	holds(A, 3, GMEM);
	maps(w, A, 0x10000, w->gmem.st_ino);
	process(B, "other");
	maps(w, B, 0x20000, w->gmem.st_ino + 1000);
	scan(w);
	m = w->scan.files;
	assert_non_null(m);
	assert_int_equal(m->holders->mapped, 0x3000);
	assert_int_equal(m->holders->fds, 1);
	assert_null(m->holders->next);
	/* another file of that kind, of which there is no descriptor */
	m = m->next;
	assert_non_null(m);
	assert_int_equal(m->ino, w->gmem.st_ino + 1000);
	assert_int_equal(m->holders->pid, B);
	assert_int_equal(m->holders->fds, 0);
	assert_int_equal(m->holders->mapped, 0x3000);
	assert_string_equal(m->no_size.text,
			    "only a mapping is left, and it was not asked");
	assert_null(w->scan.hidden);
}

/* Nobody has a descriptor, so it is learnt from map_files what they are. */
static void a_mapping_that_is_verified(void **state)
{
	struct world *w = needed(state);
	char path[100];

	process(A, "vmm");
	maps(w, A, 0x10000, w->gmem.st_ino);
	(void)snprintf(path, sizeof(path), "/proc/%d/map_files", A);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/map_files/10000-13000", A);
	assert_int_equal(symlink(GMEM, path), 0);
	scan(w);
	assert_non_null(w->scan.files);
	assert_int_equal(w->scan.files->holders->mapped, 0x3000);
	assert_null(w->scan.hidden);
	/* what is of another file system is none, and that is known */
	scan_free(&w->scan);
	w->scan.dev[1] = 0;
	gmem_fs = TMPFS_MAGIC;
	scan(w);
	assert_null(w->scan.files);
	assert_null(w->scan.hidden);
}

static void a_mapping_that_cannot_be_verified(void **state)
{
	struct world *w = needed(state);

	process(A, "vmm");
	maps(w, A, 0x10000, w->gmem.st_ino);
	scan(w);
	assert_null(w->scan.files);
	assert_non_null(w->scan.hidden);
	assert_int_equal(w->scan.hidden->pid, A);
	assert_string_equal(w->scan.hidden->command, "vmm");
	assert_int_equal(w->scan.hidden->why, HIDDEN_NAME_ONLY);
	assert_null(w->scan.hidden->next);
	/* until another process has a descriptor of such a file */
	scan_free(&w->scan);
	process(B, "other");
	holds(B, 3, GMEM);
	scan(w);
	assert_null(w->scan.hidden);
	assert_non_null(w->scan.files);
	assert_non_null(w->scan.files->holders->next);
	processes(w, 2);
}

/* ------------------------------------------------------------- processes -- */

/* A process whose descriptors cannot be looked at, with this stat. */
static void denied(struct world *w, const char *stat, bool hidden)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", A);
	(void)unlink(path);
	if (stat)
		write_file(path, stat);
	scan_free(&w->scan);
	scan(w);
	if (!w->scan.hidden != !hidden)
		fail_msg("hidden: %d, with '%s'", !!w->scan.hidden,
			 stat ? stat : "(none)");
	if (!hidden)
		return;
	assert_int_equal(w->scan.hidden->pid, A);
	assert_int_equal(w->scan.hidden->why, HIDDEN_DENIED);
	assert_null(w->scan.hidden->next);
}

static void a_process_that_is_kept_from_us(void **state)
{
	struct world *w = needed(state);
	char path[64];

	process(A, "vmm");
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", A);
	assert_int_equal(rmdir(path), 0);
	write_file(path, "");
	denied(w, "5000001 (vmm) S 1 1 1 0 -1 4194560 0 0", true);
	denied(w, "5000001 (vmm", true);
	assert_string_not_equal(w->scan.denied, "");
	/* what has ended, or is a thread of the kernel, holds nothing */
	denied(w, "5000001 (vmm) Z 1 1 1 0 -1 4194560 0 0", false);
	denied(w, "5000001 (v) Z) S 1 1 1 0 -1 4194560 0 0", true);
	denied(w, "5000001 (kthreadd) S 0 0 0 0 -1 2129984 0 0", false);
	denied(w, "5000001 (x) S 2097152 1 1 0 2097152 0 2097152 0", true);
	denied(w, NULL, false);
}

static void a_process_that_has_ended(void **state)
{
	struct world *w = needed(state);
	char path[64];

	process(A, "vmm");
	holds(A, 3, GMEM);
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", A);
	assert_int_equal(unlink(path), 0);
	scan(w);
	assert_non_null(w->scan.files);
	assert_null(w->scan.hidden);
	assert_false(w->scan.files->holders->unmapped);
	/* its mappings may also be what cannot be read */
	scan_free(&w->scan);
	assert_int_equal(symlink("x", path), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", A);
	write_file(path, "5000001 (vmm) S 1 1 1 0 -1 0 0 0");
	scan(w);
	assert_true(w->scan.files->holders->unmapped);
	assert_int_equal(w->scan.hidden->why, HIDDEN_DENIED);
}

static void what_is_no_process_of_the_kernel(void **state)
{
	struct world *w = needed(state);

	/* a link is not followed */
	assert_int_equal(symlink("1", "/proc/5000001"), 0);
	write_file("/proc/version", "");
	write_file("/proc/0", "");
	write_file("/proc/:", "");
	scan(w);
	processes(w, 1);
	assert_non_null(w->scan.hidden);
	assert_int_equal(w->scan.hidden->pid, A);
	assert_string_equal(w->scan.hidden->command, "");
	assert_null(w->scan.hidden->next);
}

static void this_process_is_not_looked_at(void **state)
{
	struct world *w = needed(state);

	if (getpid() != FIRST)
		process(getpid(), "self");
	holds(getpid(), 3, GMEM);
	if (getppid() > FIRST)
		process(getppid(), "parent");
	if (getppid() > 0)
		holds(getppid(), 3, GMEM);
	scan(w);
	assert_null(w->scan.files);
	processes(w, 0);
}

static void processes_that_proc_hides(void **state)
{
	struct world *w = needed(state);

	assert_int_equal(rename("/proc/1", "/proc/5000003"), 0);
	scan(w);
	assert_true(w->scan.proc_hides);
	assert_int_equal(w->scan.processes, 1);
}

static void processes_for_which_no_time_is_left(void **state)
{
	struct world *w = needed(state);

	process(A, "vmm");
	holds(A, 3, GMEM);
	w->scan.budget = 0;
	scan(w);
	assert_null(w->scan.files);
	assert_int_equal(w->scan.processes, 0);
	for (size_t i = 0; i < w->scan.late_n; i++)
		if (w->scan.late[i] != FIRST)
			assert_int_equal(w->scan.late[i], A);
	w->scan.processes = w->scan.late_n;
	processes(w, 1);
	assert_true(scan_late(&w->scan));
	w->scan.budget = INT64_MAX / 4;
	assert_false(scan_late(&w->scan));
}

/* What each errno of a file of a process means. */
static void what_cannot_be_opened(void **state)
{
	static const char *const names[] = { "fd", "maps", "5000001" };
	static const int gone[] = { ENOENT, ESRCH };
	static const int short_of[] = { EMFILE, ENFILE };
	struct world *w = needed(state);

	process(A, "vmm");
	write_file("/proc/5000001/stat", "5000001 (vmm) S 1 1 1 0 -1 0 0 0");
	for (size_t i = 0; i < T_ARRAY_SIZE(names); i++) {
		fails = names[i];
		for (size_t k = 0; k < T_ARRAY_SIZE(gone); k++) {
			fails_with = gone[k];
			scan_free(&w->scan);
			scan(w);
			assert_null(w->scan.hidden);
		}
		fails_with = EACCES;
		scan_free(&w->scan);
		scan(w);
		assert_non_null(w->scan.hidden);
		assert_int_equal(w->scan.hidden->pid, A);
		fails_with = ENOMEM;
		assert_int_equal(scan_processes(&w->scan), -ENOMEM);
		for (size_t k = 0; k < T_ARRAY_SIZE(short_of); k++) {
			fails_with = short_of[k];
			assert_int_equal(scan_processes(&w->scan),
					 -short_of[k]);
		}
	}
}

/* No process gets more than half of the time that is left. */
static void a_process_that_takes_too_long(void **state)
{
	struct world *w = needed(state);
	const struct holder *h;

	process(A, "vmm");
	for (int i = 0; i < 40; i++)
		holds(A, 10 + i, GMEM);
	maps(w, A, 0x10000, w->gmem.st_ino);
	tick = 1;
	w->scan.budget = 50;
	scan(w);
	/* it counts as one that was not reached */
	assert_non_null(w->scan.files);
	h = w->scan.files->holders;
	assert_int_equal(h->pid, A);
	assert_in_range(h->fds, 15, 25);
	assert_true(h->unmapped);
	assert_int_equal(h->mapped, 0);
	assert_int_equal(w->scan.late_n, 1);
	assert_int_equal(w->scan.late[0], A);
	assert_null(w->scan.hidden);
}

static void no_descriptor_stays_open(void **state)
{
	struct world *w = needed(state);
	const int before = open_fds();

	process(A, "vmm");
	holds(A, 3, GMEM);
	maps(w, A, 0x10000, w->gmem.st_ino);
	process(B, "other");
	maps(w, B, 0x10000, w->gmem.st_ino);
	scan(w);
	assert_non_null(w->scan.files);
	assert_int_equal(open_fds(), before);
}

static void without_proc(void **state)
{
	struct world *w = needed(state);

	proc_root.st_ino = 0;
	assert_int_equal(scan_processes(&w->scan), -ENODEV);
	assert_int_equal(rename("/proc", "/elsewhere"), 0);
	assert_int_equal(scan_processes(&w->scan), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_descriptor),
		TEST(more_descriptors_than_are_listed),
		TEST(what_only_has_its_name),
		TEST(a_mapping),
		TEST(a_mapping_that_is_verified),
		TEST(a_mapping_that_cannot_be_verified),
		TEST(a_process_that_is_kept_from_us),
		TEST(a_process_that_has_ended),
		TEST(what_is_no_process_of_the_kernel),
		TEST(this_process_is_not_looked_at),
		TEST(processes_that_proc_hides),
		TEST(processes_for_which_no_time_is_left),
		TEST(what_cannot_be_opened),
		TEST(a_process_that_takes_too_long),
		TEST(no_descriptor_stays_open),
		TEST(without_proc),
	};

	return t_main(tests);
}
