// SPDX-License-Identifier: MIT
/* What the real calls tell is what libc tells, in each member. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "sys.h"
#include "t.h"

#define SECOND 1000000000ULL

static uint64_t clock_ns(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static void a_file_is_told_whole(void **state)
{
	int fd = memfd_create("told", MFD_CLOEXEC);
	struct gmem__stat told = { 0 };
	uint64_t magic = 0;
	struct statfs fs;
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 12345), 0);
	assert_int_equal(fchmod(fd, 0640), 0);
	assert_int_equal(fchown(fd, geteuid() ? geteuid() : 12, (gid_t)-1), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fstatfs(fd, &fs), 0);
	assert_int_equal(gmem__sys_linux.fstat(NULL, fd, &told), 0);
	assert_int_equal(told.size, 12345);
	assert_int_equal(told.ino, st.st_ino);
	assert_int_equal(told.dev, st.st_dev);
	assert_int_equal(told.mode, st.st_mode);
	assert_int_equal(told.uid, st.st_uid);
	assert_int_equal(gmem__sys_linux.fstatfs(NULL, fd, &magic), 0);
	assert_int_equal(magic, (uint32_t)fs.f_type);
	assert_int_equal(close(fd), 0);
}

static void the_clock_is_the_monotonic_one(void **state)
{
	uint64_t before = clock_ns(), told = gmem__sys_linux.now(NULL);

	(void)state;
	assert_true(before <= told);
	assert_true(told <= clock_ns());
}

/* It returns when it is time, and not at once. */
static void a_sleep_ends_when_it_is_time(void **state)
{
	uint64_t until = clock_ns() + SECOND / 50;

	(void)state;
	gmem__sys_linux.sleep_until(NULL, until);
	assert_true(clock_ns() >= until);
	/* what is past is no reason to wait */
	gmem__sys_linux.sleep_until(NULL, 1);
}

static void an_end_of_file_is_no_failure(void **state)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	char byte = 0;

	(void)state;
	assert_true(fd >= 0);
	errno = EIO;
	assert_int_equal(gmem__sys_linux.read(NULL, fd, &byte, 1), 0);
	assert_int_equal(gmem__sys_linux.write(NULL, fd, &byte, 0), 0);
	assert_int_equal(gmem__sys_linux.vm_read(NULL, &byte, &byte, 0), 0);
	assert_int_equal(gmem__sys_linux.vm_write(NULL, &byte, &byte, 0), 0);
	assert_int_equal(close(fd), 0);
}

#ifdef __x86_64__
/* As the kernel tells in "address sizes : 46 bits physical, ...". */
static void the_width_of_addresses_is_the_processors(void **state)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	unsigned int bits = 0;
	char line[4096];

	(void)state;
	assert_non_null(f);
	while (!bits && fgets(line, sizeof(line), f))
		if (sscanf(line, "address sizes : %u bits physical", &bits) !=
		    1)
			bits = 0;
	assert_int_equal(fclose(f), 0);
	if (!bits)
		t_skip("address-sizes", "/proc/cpuinfo does not tell");
	/* encryption of memory takes some from what the kernel tells */
	assert_true(gmem__sys_linux.phys_bits(NULL) >= bits);
	assert_true(gmem__sys_linux.phys_bits(NULL) <= 52);
}
#endif

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_told_whole),
		cmocka_unit_test(the_clock_is_the_monotonic_one),
		cmocka_unit_test(a_sleep_ends_when_it_is_time),
		cmocka_unit_test(an_end_of_file_is_no_failure),
#ifdef __x86_64__
		cmocka_unit_test(the_width_of_addresses_is_the_processors),
#endif
	};

	return t_main(tests);
}
