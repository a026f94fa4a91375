// SPDX-License-Identifier: MIT
/*
 * A region under a guest that runs: what the guest reads, and not the library,
 * says which memory it has, and no page is in memory twice.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmem_region.h>

#include "cgroup.h"
#include "guest.h"

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define PAGES 64
#define SIZE (w.pages * l->page)
#define GPA (16UL << 20)
#define HUGE (2UL << 20)
#define MFD_2MB (21U << 26) /* memfd_create(2): log2 of the size */
#define BEFORE HUGE	    /* in a file of the test's */
#define CONVERSIONS 300

struct world {
	struct guest guest;
	struct gmem_region *r;
	struct gmem_region_info info;
	unsigned int pages;
	bool private[2 * HUGE / 4096];
	uint32_t value[2 * HUGE / 4096];
	uint32_t seed;
};

static struct world w;

static uint32_t any(uint32_t below)
{
	w.seed = w.seed * 1103515245 + 12345;
	return (w.seed >> 8) % below;
}

/* In two slots, of which neither begins where the region does in memory. */
static void make(struct live *l, const struct gmem_region_opts *opts)
{
	const struct gmem_slot half = {
		.sz = sizeof(half),
		.gpa = GPA,
		.len = SIZE / 2,
	};
	struct gmem_slot s;

	live_ok(l, gmem_region_create(l->vm, SIZE, opts, &w.r, &l->err));
	live_ok(l, gmem_region_get(w.r, &w.info, &l->err));
	assert_int_equal(w.info.kind, live_has("in-place")
					      ? GMEM_REGION_KIND_INPLACE
					      : GMEM_REGION_KIND_DUAL);
	for (uint32_t i = 0; i < 2; i++) {
		s = half;
		s.slot = i;
		s.gpa += i * SIZE / 2;
		s.offset = i * SIZE / 2;
		live_ok(l, gmem_region_bind(w.r, &s, &l->err));
	}
	for (unsigned int i = 0; i < w.pages; i++)
		w.private[i] = true;
}

static void begin(struct live *l, unsigned int pages)
{
	w = (struct world){ .seed = 1,
			    .info.sz = sizeof(w.info),
			    .pages = pages };
	guest_start(&w.guest, l);
}

/* So that a test can begin again. */
static void ends(struct live *l)
{
	flat_close(&w.guest.vcpu);
	l->run = NULL;
	l->vcpu = -1;
	live_ok(l, gmem_vm_destroy(l->vm, &l->err));
	live_forget_vm(l, l->vm);
}

static void start(struct live *l)
{
	begin(l, PAGES);
	make(l, NULL);
}

static void convert(struct live *l, unsigned int page, unsigned int n,
		    bool private, uint64_t flags)
{
	struct gmem_region_range range = { page * l->page, n * l->page };
	struct gmem_convert_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem_converted out = { .sz = sizeof(out) };

	live_ok(l,
		gmem_region_convert(w.r, &range, 1, private ? PRIVATE : SHARED,
				    &o, &out, &l->err));
	assert_int_equal(out.done, n * l->page);
	for (unsigned int i = page; i < page + n; i++) {
		/* In place it is the same page; elsewhere another, new one. */
		if (w.private[i] != private && !live_has("in-place"))
			w.value[i] = 0;
		w.private[i] = private;
	}
}

static void guest_has(struct live *l, unsigned int page)
{
	uint32_t value = ~0U;

	t_code(guest_read(&w.guest, GPA + page * l->page, &value), 0);
	assert_int_equal(value, w.value[page]);
}

static void writes(struct live *l, unsigned int page, uint32_t value)
{
	t_code(guest_write(&w.guest, GPA + page * l->page, value), 0);
	w.value[page] = value;
}

static void host_writes(struct live *l, unsigned int page, uint32_t value)
{
	uint64_t at = page * l->page;

	if (w.info.shared)
		memcpy((unsigned char *)w.info.shared + at, &value,
		       sizeof(value));
	else
		live_ok(l, gmem_write(w.info.gmem, at, &value, sizeof(value),
				      &l->err));
	w.value[page] = value;
}

static void host_has(struct live *l, unsigned int page)
{
	uint64_t at = page * l->page;
	uint32_t value = ~0U;

	if (w.info.shared)
		memcpy(&value, (unsigned char *)w.info.shared + at,
		       sizeof(value));
	else
		live_ok(l, gmem_read(w.info.gmem, at, &value, sizeof(value),
				     &l->err));
	assert_int_equal(value, w.value[page]);
}

/* All pages of both sides were touched; none has memory on the other. */
static void nothing_is_twice(struct live *l)
{
	struct gmem_region_residency there = { .sz = sizeof(there) };
	uint64_t private = 0;

	for (unsigned int i = 0; i < w.pages; i++)
	private += w.private[i] ? l->page : 0;
	live_ok(l, gmem_region_resident(w.r, 0, SIZE, &there, &l->err));
	assert_int_equal(there.unused_bytes, 0);
	assert_int_equal(there.private_bytes, private);
	assert_int_equal(there.shared_bytes, SIZE - private);
}

static void guest_and_host_see_what_a_page_is(void **state)
{
	struct live *l = *state;

	start(l);
	for (unsigned int i = 0; i < w.pages; i++)
		writes(l, i, 0x1000 + i);
	/* Over the border of the slots. */
	convert(l, w.pages / 2 - 2, 4, false, 0);
	for (unsigned int i = 0; i < w.pages; i++)
		guest_has(l, i);
	for (unsigned int i = w.pages / 2 - 2; i < w.pages / 2 + 2; i++) {
		host_writes(l, i, 0x2000 + i);
		guest_has(l, i);
		writes(l, i, 0x3000 + i);
		host_has(l, i);
	}
	/* Back: what the host wrote last is not what the guest has. */
	convert(l, w.pages / 2 - 1, 2, true, 0);
	for (unsigned int i = 0; i < w.pages; i++)
		guest_has(l, i);
	convert(l, 0, w.pages, false, 0);
	for (unsigned int i = 0; i < w.pages; i++) {
		guest_has(l, i);
		host_has(l, i);
	}
}

/* A slot that is made again shows the private memory that there was. */
static void a_slot_that_comes_back_has_its_memory(void **state)
{
	struct live *l = *state;
	struct gmem_slot s = {
		.sz = sizeof(s),
		.gpa = GPA,
		.len = SIZE / 2,
	};

	start(l);
	if (live_has("in-place"))
		t_not_applicable("two-backings", "in place nothing is freed");
	convert(l, 0, 8, false, GMEM_CONVERT_DEFER);
	writes(l, 0, 1);
	convert(l, 0, 8, true, GMEM_CONVERT_DEFER);
	writes(l, 0, 2);
	writes(l, 8, 3);
	live_ok(l, gmem_region_unbind(w.r, 0, 0, 0, &l->err));
	live_ok(l, gmem_region_reclaim(w.r, 0, SIZE, NULL, NULL, &l->err));
	live_ok(l, gmem_region_bind(w.r, &s, &l->err));
	guest_has(l, 0);
	guest_has(l, 8);
	live_ok(l, gmem_region_reclaim(w.r, 0, SIZE, NULL, NULL, &l->err));
	guest_has(l, 0);
}

static void a_balloon_and_a_reboot_give_zeros(void **state)
{
	struct live *l = *state;

	start(l);
	convert(l, 4, 8, false, 0);
	for (unsigned int i = 0; i < w.pages; i++)
		writes(l, i, 0x1000 + i);
	live_ok(l, gmem_region_discard(w.r, 2 * l->page, 4 * l->page, NULL,
				       &l->err));
	memset(&w.value[2], 0, 4 * sizeof(w.value[0]));
	for (unsigned int i = 0; i < w.pages; i++)
		guest_has(l, i);
	live_ok(l, gmem_region_reset(w.r, NULL, &l->err));
	memset(w.value, 0, sizeof(w.value));
	for (unsigned int i = 0; i < w.pages; i++) {
		w.private[i] = true;
		guest_has(l, i);
	}
}

static void random_conversions(struct live *l)
{
	for (unsigned int i = 0; i < CONVERSIONS; i++) {
		unsigned int at = any(w.pages), n = 1 + any(w.pages - at);

		convert(l, at, n, any(2), 0);
		at = any(w.pages);
		writes(l, at, 1 + i);
		at = any(w.pages);
		if (!w.private[at])
			host_writes(l, at, 0x10000 + i);
		for (unsigned int k = 0; k < 4; k++)
			guest_has(l, any(w.pages));
	}
	for (unsigned int i = 0; i < w.pages; i++)
		guest_has(l, i);
}

static void the_guest_has_what_was_converted(void **state)
{
	struct live *l = *state;

	start(l);
	random_conversions(l);
}

static void no_page_is_in_memory_twice(void **state)
{
	struct live *l = *state;

	live_need("residency");
	start(l);
	for (unsigned int i = 0; i < w.pages; i++)
		writes(l, i, i);
	nothing_is_twice(l);
	random_conversions(l);
	for (unsigned int i = 0; i < w.pages; i++)
		writes(l, i, i);
	nothing_is_twice(l);
	convert(l, 0, w.pages, false, GMEM_CONVERT_DEFER);
	convert(l, 0, w.pages / 2, true, GMEM_CONVERT_DEFER);
	for (unsigned int i = 0; i < w.pages; i++)
		writes(l, i, i);
	live_ok(l, gmem_region_reclaim(w.r, 0, SIZE, NULL, NULL, &l->err));
	nothing_is_twice(l);
}

/* --------------------------------------------------- the caller's memory -- */

/* The ways to pass it. */
enum way {
	BY_FD,
	BY_FD_AND_ADDRESS,
	BY_ADDRESS,
	ANONYMOUS,
	WAYS
};

static struct gmem_region_opts hand_in(struct live *l, enum way way, int fd)
{
	struct gmem_region_opts o = { .sz = sizeof(o) };

	if (way != BY_FD)
		o.shared = live_keep_map(
			l,
			mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			     way == ANONYMOUS ? MAP_PRIVATE | MAP_ANONYMOUS
					      : MAP_SHARED,
			     way == ANONYMOUS ? -1 : fd, BEFORE),
			SIZE);
	if (way == BY_FD || way == BY_FD_AND_ADDRESS) {
		o.flags = GMEM_REGION_SHARED_FD;
		o.shared_fd = fd;
		o.shared_offset = BEFORE;
	}
	return o;
}

/* By the kernel: the pages of the shared side that there are. */
static void shared_side_is(struct live *l, int fd)
{
	unsigned char there[PAGES];
	struct stat st;
	uint64_t bytes = 0;

	assert_int_equal(mincore(w.info.shared, SIZE, there), 0);
	for (unsigned int i = 0; i < w.pages; i++) {
		assert_int_equal(there[i] & 1, !w.private[i]);
		bytes += w.private[i] ? 0 : l->page;
	}
	if (fd < 0)
		return;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal((uint64_t)st.st_blocks * 512, bytes);
}

static void all_the_guest_has(struct live *l)
{
	for (unsigned int i = 0; i < w.pages; i++)
		guest_has(l, i);
}

static void its_own_memory_is_freed_as_the_guest_converts(void **state)
{
	struct live *l = *state;

	live_need("private-memory");
	if (live_has("in-place"))
		t_not_applicable("two-backings",
				 "in place it has no such side");
	for (enum way way = BY_FD; way < WAYS; way++) {
		int fd = live_keep_fd(l, memfd_create("ram", MFD_CLOEXEC));
		struct gmem_region_opts o;

		assert_true(fd >= 0);
		begin(l, PAGES);
		assert_int_equal(ftruncate(fd, (off_t)(BEFORE + SIZE)), 0);
		o = hand_in(l, way, fd);
		make(l, &o);
		if (way == ANONYMOUS)
			fd = -1;
		convert(l, 0, w.pages, false, 0);
		for (unsigned int i = 0; i < w.pages; i++)
			writes(l, i, 0x1000 + i);
		shared_side_is(l, fd);
		convert(l, w.pages / 2 - 2, 4, true, 0);
		convert(l, 8, 16, true, 0);
		shared_side_is(l, fd);
		all_the_guest_has(l);
		shared_side_is(l, fd);
		convert(l, 0, w.pages, true, GMEM_CONVERT_DEFER);
		live_ok(l,
			gmem_region_reclaim(w.r, 0, SIZE, NULL, NULL, &l->err));
		shared_side_is(l, fd);
		all_the_guest_has(l);
		ends(l);
	}
}

/* Asks for so many huge pages: how many there are. */
static unsigned long pool(unsigned long pages)
{
	static const char path[] =
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
	char text[32] = "";
	int fd;

	(void)cgroup_put(path, "%lu", pages);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	(void)!read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	return strtoul(text, NULL, 10);
}

static void huge_pages_are(int fd, unsigned int n)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal((uint64_t)st.st_blocks * 512, n * HUGE);
}

static void convert_huge_pages(struct live *l, int fd)
{
	unsigned int n = (unsigned int)(HUGE / l->page);

	convert(l, 0, 2 * n, false, 0);
	for (unsigned int i = 0; i < 4; i++)
		writes(l, i % 2 ? i / 2 * n + n - 1 : i / 2 * n, 0x1000 + i);
	huge_pages_are(fd, 2);
	/* All of the first but its first page, then that. */
	convert(l, 1, n - 1, true, 0);
	huge_pages_are(fd, 2);
	guest_has(l, 0);
	guest_has(l, n - 1);
	convert(l, 0, 1, true, 0);
	huge_pages_are(fd, 1);
	guest_has(l, 0);
	guest_has(l, n);
	guest_has(l, 2 * n - 1);
	/* A page of it comes back, of zeros, and goes. */
	convert(l, 3, 1, false, 0);
	guest_has(l, 3);
	writes(l, 3, 7);
	huge_pages_are(fd, 2);
	convert(l, 3, 1, true, GMEM_CONVERT_DEFER);
	huge_pages_are(fd, 2);
	/* What is queued of one page frees the whole of it. */
	convert(l, n, n / 2, true, GMEM_CONVERT_DEFER);
	live_ok(l, gmem_region_reclaim(w.r, 0, SIZE, NULL, NULL, &l->err));
	huge_pages_are(fd, 1);
	guest_has(l, n);
	guest_has(l, 2 * n - 1);
	convert(l, n + n / 2, n - n / 2, true, 0);
	huge_pages_are(fd, 0);
	guest_has(l, 2 * n - 1);
}

static void a_huge_page_goes_with_its_last_page(void **state)
{
	struct live *l = *state;

	live_need("private-memory");
	if (live_has("in-place"))
		t_not_applicable("two-backings",
				 "in place it has no such side");
	if (pool(2) < 2)
		t_not_applicable("huge-pages",
				 "this machine has no two free pages of 2 MiB");
	for (enum way way = BY_FD; way < BY_ADDRESS; way++) {
		int fd = live_keep_fd(
			l, memfd_create("ram",
					MFD_CLOEXEC | MFD_HUGETLB | MFD_2MB));
		struct gmem_region_opts o;

		assert_true(fd >= 0);
		begin(l, (unsigned int)(2 * HUGE / l->page));
		assert_int_equal(ftruncate(fd, (off_t)(BEFORE + SIZE)), 0);
		o = hand_in(l, way, fd);
		make(l, &o);
		assert_int_equal(w.info.shared_side, GMEM_SHARED_SIDE_HUGETLB);
		assert_int_equal(w.info.shared_page_size, HUGE);
		convert_huge_pages(l, fd);
		ends(l);
	}
	(void)pool(0);
}

/* ---------------------------------------------------------------- charge -- */

#define CGROUP CGROUPS "/region"

/* The sum of what memory.stat has of it; the kernel counts late. */
static uint64_t charged(bool anonymous)
{
	static char text[16384];
	uint64_t n, sum = 0;
	char name[64], *line, *rest = text;
	ssize_t got;
	int fd;

	(void)sleep(5); /* it adds up the CPUs' every 2 s */
	fd = open(CGROUP "/memory.stat", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	got = read(fd, text, sizeof(text) - 1);
	assert_true(got > 0);
	text[got] = '\0';
	assert_int_equal(close(fd), 0);
	while ((line = strsep(&rest, "\n")) != NULL)
		if (sscanf(line, "%63s %lu", name, &n) == 2 &&
		    (!strcmp(name, "file") ||
		     (anonymous && !strcmp(name, "anon"))))
			sum += n;
	return sum;
}

/*
 * A region that was converted at random is charged once, beside the record and
 * the queue, which are anonymous memory too: those of an empty region.
 */
static void charge(struct live *l, enum way way)
{
	int fd = live_keep_fd(l, memfd_create("ram", MFD_CLOEXEC));
	bool anonymous =
		way == ANONYMOUS || (way == WAYS && !live_has("in-place"));
	struct gmem_region_opts o = { .sz = sizeof(o) };
	uint64_t before, empty, after;

	assert_true(fd >= 0);
	begin(l, PAGES);
	assert_int_equal(ftruncate(fd, (off_t)(BEFORE + SIZE)), 0);
	before = charged(anonymous);
	if (way != WAYS)
		o = hand_in(l, way, fd);
	make(l, &o);
	convert(l, 0, w.pages, false, 0);
	live_ok(l, gmem_region_reset(w.r, NULL, &l->err));
	for (unsigned int i = 0; i < w.pages; i++)
		w.private[i] = true;
	memset(w.value, 0, sizeof(w.value));
	empty = charged(anonymous);
	random_conversions(l);
	for (unsigned int i = 0; i < w.pages; i++)
		writes(l, i, i);
	after = charged(anonymous);
	print_message("# %d: %lu bytes, then %lu of %lu\n", way, empty - before,
		      after - empty, SIZE);
	assert_true(empty >= before);
	assert_true(empty - before <= (anonymous ? 3 * l->page : 0));
	assert_int_equal(after - empty, SIZE);
	ends(l);
}

static void a_cgroup_is_charged_the_region_once(void **state)
{
	struct live *l = *state;
	bool in_place = live_has("in-place");

	live_need("private-memory");
	cgroup_need();
	assert_true(!mkdir(CGROUP, 0755) || errno == EEXIST);
	assert_int_equal(cgroup_put(CGROUP "/cgroup.procs", "0"), 0);
	for (enum way way = in_place ? WAYS : BY_FD; way <= WAYS; way++)
		charge(l, way);
	assert_int_equal(cgroup_put(CGROUPS "/cgroup.procs", "0"), 0);
}

int main(void)
{
	const struct CMUnitTest regions[] = {
		live_test(guest_and_host_see_what_a_page_is),
		live_test(a_slot_that_comes_back_has_its_memory),
		live_test(a_balloon_and_a_reboot_give_zeros),
		live_test(the_guest_has_what_was_converted),
		live_test(no_page_is_in_memory_twice),
		live_test(its_own_memory_is_freed_as_the_guest_converts),
		live_test(a_huge_page_goes_with_its_last_page),
		live_test(a_cgroup_is_charged_the_region_once),
	};

	return t_main(regions);
}
