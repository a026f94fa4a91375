// SPDX-License-Identifier: MIT
/* Shared memory that the program hands in for a region: each kind of it. */
#include "side.h"

#include <fcntl.h>
#include <inttypes.h>
#include <gmem_region.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ticket.h"
#include "vm.h"

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define NOT_SHARED GMEM_REASON_SHARED_MEMORY
#define PAGES 64u
#define SIZE (PAGES * PAGE)
#define GPA (2 * GiB)

struct given {
	struct side s;
	struct gmem_region_info i;
	struct gmem_region *r;
};

static struct given given;

static struct given *hand_in(struct unit *u, enum side_way way)
{
	struct given *v = &given;

	*v = (struct given){ .i.sz = sizeof(v->i) };
	side_make(&v->s, way, SIZE);
	side_tell(u, &v->s);
	u->err.sz = sizeof(u->err);
	return v;
}

static void bind(struct unit *u, struct given *v)
{
	struct gmem_slot s = { .sz = sizeof(s), .gpa = GPA, .len = SIZE };

	t_ok(gmem_region_bind(v->r, &s, &u->err), u->err);
	assert_int_equal(s.userspace_addr, (uintptr_t)v->i.shared);
}

static void make(struct unit *u, struct given *v)
{
	t_ok(gmem_region_create(u->vm, SIZE, &v->s.o, &v->r, &u->err), u->err);
	t_ok(gmem_region_get(v->r, &v->i, &u->err), u->err);
	side_told(u);
	bind(u, v);
}

static struct given *made(struct unit *u, enum side_way way)
{
	struct given *v = hand_in(u, way);

	unit_reset(u);
	make(u, v);
	return v;
}

static void ends(struct unit *u, struct given *v)
{
	t_ok(gmem_region_unbind(v->r, 0, 0, 0, &u->err), u->err);
	t_ok(gmem_region_close(v->r, &u->err), u->err);
	side_end(&v->s);
}

static int convert(struct unit *u, struct given *v, uint64_t page, uint64_t n,
		   uint64_t to, uint64_t flags)
{
	struct gmem_convert_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem_region_range range = { page * PAGE, n * PAGE };

	return gmem_region_convert(v->r, &range, 1, to, &o, NULL, &u->err);
}

/* Pages of the shared side that have memory, by the kernel itself. */
static uint64_t there(const struct given *v)
{
	unsigned char vec[PAGES];
	uint64_t n = 0;

	assert_int_equal(mincore(v->i.shared, SIZE, vec), 0);
	for (unsigned int i = 0; i < PAGES; i++)
		n |= (uint64_t)(vec[i] & 1) << i;
	return n;
}

static void guest_writes(struct unit *u, uint64_t page, unsigned char b)
{
	unit_guest_write(u, GPA + page * PAGE, b);
}

static unsigned char guest_reads(struct unit *u, uint64_t page)
{
	return unit_guest_read(u, GPA + page * PAGE);
}

static struct gmem_region_residency counted(struct unit *u, struct given *v)
{
	struct gmem_region_residency c = { .sz = sizeof(c) };

	t_ok(gmem_region_resident(v->r, 0, SIZE, &c, &u->err), u->err);
	return c;
}

/* ---------------------------------------------------------------- kinds -- */

static void it_says_what_it_has(void **state)
{
	static const uint32_t sides[SIDE_WAYS] = {
		GMEM_SHARED_SIDE_ANON,	  GMEM_SHARED_SIDE_ANON,
		GMEM_SHARED_SIDE_SHMEM,	  GMEM_SHARED_SIDE_SHMEM,
		GMEM_SHARED_SIDE_SHMEM,	  GMEM_SHARED_SIDE_SHMEM,
		GMEM_SHARED_SIDE_HUGETLB,
	};
	struct unit *u = *state;

	for (enum side_way way = SIDE_OWN; way < SIDE_WAYS; way++) {
		struct given *v = made(u, way);
		bool fd = way >= SIDE_MEMFD && way != SIDE_MEMFD_NO_FD;

		assert_int_equal(v->i.shared_side, sides[way]);
		assert_int_equal(v->i.shared_fd, fd ? v->s.fd : -1);
		assert_int_equal(v->i.shared_offset, fd ? SIDE_BEFORE : 0);
		assert_int_equal(v->i.shared_page_size,
				 way == SIDE_HUGETLB ? SIDE_HUGE : PAGE);
		assert_false(v->i.flags & GMEM_REGION_UNVERIFIED);
		if (v->s.mem)
			assert_ptr_equal(v->i.shared, v->s.mem);
		ends(u, v);
	}
}

/* Both ways: what the guest has no more is freed, and nothing else. */
static void peer_M2_memory_of_each_kind_is_truly_freed(void **state)
{
	struct unit *u = *state;

	for (enum side_way way = SIDE_OWN; way < SIDE_HUGETLB; way++) {
		struct given *v = made(u, way);

		t_ok(convert(u, v, 0, PAGES, SHARED, 0), u->err);
		memset(v->i.shared, 1, SIZE);
		assert_int_equal(guest_reads(u, 5), 1);
		assert_int_equal(there(v), UINT64_MAX);
		t_ok(convert(u, v, 8, 16, PRIVATE, 0), u->err);
		assert_int_equal(~there(v), 0xffff00);
		assert_int_equal(guest_reads(u, 7), 1);
		assert_int_equal(guest_reads(u, 8), 0);
		assert_int_equal(counted(u, v).unused_bytes, 0);
		t_ok(convert(u, v, 8, 16, SHARED, 0), u->err);
		assert_int_equal(guest_reads(u, 8), 0);
		assert_int_equal(counted(u, v).private_bytes, 0);
		ends(u, v);
	}
}

static void what_is_deferred_is_reclaimed(void **state)
{
	struct unit *u = *state;
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);
	uint64_t freed;

	for (enum side_way way = SIDE_OWN; way < SIDE_WAYS; way++) {
		struct given *v = made(u, way);

		t_ok(convert(u, v, 0, PAGES, SHARED, 0), u->err);
		memset(v->i.shared, 1, SIZE);
		t_ok(convert(u, v, 16, 32, PRIVATE, GMEM_CONVERT_DEFER),
		     u->err);
		assert_int_equal(there(v), UINT64_MAX);
		t_ok(gmem_region_reclaim(v->r, 0, SIZE, NULL, &freed, &u->err),
		     u->err);
		assert_int_equal(freed, 32 * PAGE);
		assert_int_equal(~there(v), 0xffffffff0000);
		t_ok(gmem_region_discard(v->r, 0, 16 * PAGE, NULL, &u->err),
		     u->err);
		assert_int_equal(there(v), 0xffff000000000000);
		t_ok(gmem_region_reset(v->r, NULL, &u->err), u->err);
		assert_int_equal(there(v), 0);
		t_ok(gmem_region_stat(v->r, &s, &u->err), u->err);
		assert_int_equal(s.queued_bytes, 0);
		assert_int_equal(s.private_bytes, SIZE);
		ends(u, v);
	}
}

/* Memory that had something when it came is freed as any other. */
static void what_it_had_is_on_the_side_not_in_use(void **state)
{
	struct unit *u = *state;
	uint64_t freed;

	for (enum side_way way = SIDE_ANON; way < SIDE_WAYS; way++) {
		struct given *v = hand_in(u, way);

		if (way == SIDE_FD_ALONE)
			assert_int_equal(pwrite(v->s.fd, "x", 1, SIDE_BEFORE),
					 1);
		else
			v->s.mem[0] = 'x';
		make(u, v);
		assert_int_equal(*(unsigned char *)v->i.shared, 'x');
		assert_int_equal(counted(u, v).unused_bytes, PAGE);
		t_ok(gmem_region_reclaim(v->r, 0, SIZE, NULL, &freed, &u->err),
		     u->err);
		assert_int_equal(there(v), 0);
		ends(u, v);
	}
}

/* As mlockall(2) locks it; shared memory alone the kernel does not free. */
static void what_is_locked_is_freed_too(void **state)
{
	struct unit *u = *state;

	for (enum side_way way = SIDE_OWN; way < SIDE_HUGETLB; way++) {
		struct given *v = made(u, way);
		bool alone = way == SIDE_SHARED_ANON || way == SIDE_MEMFD_NO_FD;
		uint64_t freed;

		/* sanitizers make nothing of mlock() */
		if (syscall(SYS_mlock, v->i.shared, SIZE) < 0)
			t_skip("mlock", "RLIMIT_MEMLOCK is too low");
		t_ok(convert(u, v, 0, PAGES, SHARED, 0), u->err);
		t_ok(convert(u, v, 8, 16, PRIVATE, 0), u->err);
		assert_int_equal(~there(v), alone ? 0 : 0xffff00);
		if (alone) {
			t_refused(gmem_region_reclaim(v->r, 0, SIZE, NULL,
						      &freed, &u->err),
				  -EINVAL, NOT_SHARED, u->err);
			assert_int_equal(u->err.value, (uintptr_t)v->i.shared);
			t_refused(gmem_region_discard(v->r, 0, SIZE, NULL,
						      &u->err),
				  -EINVAL, NOT_SHARED, u->err);
			assert_int_equal(
				syscall(SYS_munlock, v->i.shared, SIZE), 0);
		}
		t_ok(gmem_region_reset(v->r, NULL, &u->err), u->err);
		assert_int_equal(there(v), 0);
		ends(u, v);
	}
}

/* It is the caller's before and after. */
static void what_was_handed_in_stays(void **state)
{
	struct unit *u = *state;

	for (enum side_way way = SIDE_ANON; way < SIDE_WAYS; way++) {
		struct given *v = made(u, way);
		unsigned char b = 0;

		t_ok(convert(u, v, 0, PAGES, SHARED, 0), u->err);
		guest_writes(u, 3, 7);
		t_ok(gmem_region_unbind(v->r, 0, 0, 0, &u->err), u->err);
		t_ok(gmem_region_close(v->r, &u->err), u->err);
		if (v->s.mem)
			assert_int_equal(v->s.mem[3 * PAGE], 7);
		if (v->s.fd >= 0) {
			assert_int_equal(
				pread(v->s.fd, &b, 1, SIDE_BEFORE + 3 * PAGE),
				1);
			assert_int_equal(b, 7);
			assert_int_equal(close(v->s.fd), 0);
		}
		if (v->s.mem)
			assert_int_equal(munmap(v->s.mem, SIZE), 0);
	}
}

/* ----------------------------------------------------------- huge pages -- */

/* The last page of a huge page to become private frees all of it. */
static void a_huge_page_is_freed_by_its_last(void **state)
{
	struct unit *u = *state;
	struct given *v = made(u, SIDE_HUGETLB);
	const struct unit_call *c;
	unsigned int n = SIDE_HUGE / PAGE;

	t_ok(convert(u, v, 0, PAGES, SHARED, 0), u->err);
	unit_reset(u);
	/* Of the second one, all but its first page: that stays. */
	t_ok(convert(u, v, n + 1, n - 1, PRIVATE, 0), u->err);
	c = unit_nth(u, "fallocate", 0, 0);
	assert_int_equal(c->fd, v->s.fd);
	assert_int_equal(c->arg[3], SIDE_BEFORE + SIDE_HUGE + PAGE);
	assert_int_equal(c->arg[1], SIDE_HUGE - PAGE);
	/* The first: and with it the whole page, but not the one before. */
	t_ok(convert(u, v, n, 1, PRIVATE, 0), u->err);
	c = unit_nth(u, "fallocate", 0, 1);
	assert_int_equal(c->arg[3], SIDE_BEFORE + SIDE_HUGE);
	assert_int_equal(c->arg[1], SIDE_HUGE);
	/* From both ends of it. */
	t_ok(convert(u, v, 2 * n, 3, PRIVATE, 0), u->err);
	t_ok(convert(u, v, 2 * n + 6, n - 6, PRIVATE, 0), u->err);
	t_ok(convert(u, v, 2 * n + 3, 3, PRIVATE, 0), u->err);
	c = unit_nth(u, "fallocate", 0, 4);
	assert_int_equal(c->arg[3], SIDE_BEFORE + 2 * SIDE_HUGE);
	assert_int_equal(c->arg[1], SIDE_HUGE);
	assert_true(counted(u, v).flags & GMEM_RESIDENT_LOWER_BOUND);
	ends(u, v);
}

/* The @nth call that freed shared memory of @v, or NULL. */
static const struct unit_call *freed(struct unit *u, const struct given *v,
				     unsigned int nth)
{
	const struct unit_call *c;

	for (unsigned int i = 0; (c = unit_nth(u, "fallocate", 0, i)); i++)
		if (c->fd == v->s.fd && nth-- == 0)
			return c;
	return NULL;
}

/* With pages that nobody asked to free, where these are private too. */
static void a_huge_page_is_discarded_unless_some_is_shared(void **state)
{
	struct unit *u = *state;
	struct given *v = made(u, SIDE_HUGETLB);
	const struct unit_call *c;

	unit_reset(u);
	t_ok(gmem_region_discard(v->r, PAGE, PAGE, NULL, &u->err), u->err);
	c = freed(u, v, 0);
	assert_int_equal(c->arg[3], SIDE_BEFORE);
	assert_int_equal(c->arg[1], SIDE_HUGE);
	t_ok(convert(u, v, 2, 1, SHARED, 0), u->err);
	unit_reset(u);
	t_ok(gmem_region_discard(v->r, PAGE, PAGE, NULL, &u->err), u->err);
	c = freed(u, v, 0);
	assert_int_equal(c->arg[3], SIDE_BEFORE);
	assert_int_equal(c->arg[1], 2 * PAGE);
	ends(u, v);
}

static int go_on(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)done;
	(void)total;
	return 0;
}

/* One that two steps have a part of would not be freed by either. */
static void no_step_of_a_discard_ends_in_a_huge_page(void **state)
{
	struct gmem_discard_opts o = { .sz = sizeof(o), .progress = go_on };
	struct gmem_slot s = { .sz = sizeof(s),
			       .gpa = 4 * GiB,
			       .len = 2 * GiB };
	struct gmem_region_range all = { 0, 2 * GiB };
	struct unit *u = *state;
	struct given *v = &given;
	const struct unit_call *c;

	*v = (struct given){ .r = NULL };
	side_make(&v->s, SIDE_HUGETLB, 2 * GiB);
	side_tell(u, &v->s);
	t_ok(gmem_region_create(u->vm, 2 * GiB, &v->s.o, &v->r, &u->err),
	     u->err);
	side_told(u);
	t_ok(gmem_region_bind(v->r, &s, &u->err), u->err);
	t_ok(gmem_region_convert(v->r, &all, 1, SHARED, NULL, NULL, &u->err),
	     u->err);
	u->lacks = "cachestat";
	unit_reset(u);
	t_ok(gmem_region_discard(v->r, PAGE, 2 * GiB - PAGE, &o, &u->err),
	     u->err);
	assert_non_null(freed(u, v, 1));
	for (unsigned int i = 0; (c = freed(u, v, i)); i++)
		assert_int_equal((c->arg[3] + c->arg[1]) % SIDE_HUGE, 0);
	ends(u, v);
}

static int held_fd;
static struct given *held;
static int tried;

/* While a page is freed, none of its huge page is converted. */
static void try_neighbour(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem_convert_opts o = { .sz = sizeof(o),
				       .flags = GMEM_CONVERT_NOWAIT };
	struct gmem_region_range range = { SIDE_HUGE - PAGE, PAGE };

	(void)arg;
	if (tried || strcmp(c->name, "fallocate") || c->fd != held_fd)
		return;
	u->hook = NULL;
	/* Slots that come and go do not ask for whole ones. */
	assert_int_equal(u->vm->first_ticket->r->start, 0);
	assert_int_equal(u->vm->first_ticket->r->end, SIDE_HUGE);
	tried = gmem_region_convert(held->r, &range, 1, SHARED, &o, NULL, NULL);
}

static void nobody_converts_the_rest_of_it_meanwhile(void **state)
{
	struct unit *u = *state;
	struct given *v = made(u, SIDE_HUGETLB);

	held = v;
	held_fd = v->s.fd;
	for (int i = 0; i < 4; i++) {
		t_ok(convert(u, v, 0, 1, SHARED, 0), u->err);
		tried = 0;
		u->hook = try_neighbour;
		t_ok(convert(u, v, 0, 1, PRIVATE, i ? GMEM_CONVERT_DEFER : 0),
		     u->err);
		if (i == 3)
			t_ok(gmem_vm_discard(u->vm, 0, GPA, PAGE, NULL,
					     &u->err),
			     u->err);
		else if (i == 2)
			t_ok(gmem_region_discard(v->r, 0, PAGE, NULL, &u->err),
			     u->err);
		else if (i)
			t_ok(gmem_region_reclaim(v->r, 0, PAGE, NULL, NULL,
						 &u->err),
			     u->err);
		assert_int_equal(tried, -EAGAIN);
		u->hook = NULL;
	}
	ends(u, v);
}

/* ------------------------------------------------------------- refusals -- */

static uint32_t refused(struct unit *u, struct given *v, uint64_t size)
{
	unsigned int maps = unit_mappings(u), fds = unit_fds();
	struct gmem_region *r = (void *)1;
	int ret = gmem_region_create(u->vm, size, &v->s.o, &r, &u->err);

	if (ret == 0) {
		t_ok(gmem_region_close(r, &u->err), u->err);
		return 0;
	}
	assert_int_equal(ret, -EINVAL);
	assert_ptr_equal(r, (void *)1);
	assert_int_equal(unit_mappings(u), maps);
	assert_int_equal(unit_fds(), fds);
	return u->err.reason;
}

static void a_file_has_to_suit(void **state)
{
	struct unit *u = *state;
	struct given *v = hand_in(u, SIDE_FD_ALONE);
	int other;

	assert_int_equal(refused(u, v, SIZE), 0);
	assert_int_equal(refused(u, v, SIZE + PAGE), NOT_SHARED);
	v->s.o.shared_offset = SIDE_BEFORE + PAGE;
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	v->s.o.shared_offset = UINT64_MAX - PAGE + 1;
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	v->s.o.shared_offset = SIDE_BEFORE + 1;
	assert_int_equal(refused(u, v, SIZE), GMEM_REASON_UNALIGNED);
	v->s.o.shared_offset = SIDE_BEFORE;
	/* Not to write, no shared memory, no file, no descriptor. */
	other = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	v->s.o.shared_fd = other;
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	assert_int_equal(close(other), 0);
	other = open("/dev/zero", O_RDWR | O_CLOEXEC);
	v->s.o.shared_fd = other;
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	assert_int_equal(close(other), 0);
	v->s.o.shared_fd = v->s.fd;
	v->s.o.flags = 0;
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	v->s.o.flags = GMEM_REGION_SHARED_FD;
	assert_int_equal(fcntl(v->s.fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	assert_int_equal(refused(u, v, SIZE), 0);
	assert_int_equal(fcntl(v->s.fd, F_ADD_SEALS, 0x10), 0);
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	assert_int_equal(close(v->s.fd), 0);
	v->s.fd = v->s.o.shared_fd = side_memfd(SIDE_BEFORE + SIZE);
	assert_int_equal(fcntl(v->s.fd, F_ADD_SEALS, 0x8), 0);
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	assert_int_equal(close(v->s.fd), 0);
}

static void memory_has_to_show_the_file(void **state)
{
	struct unit *u = *state;
	struct given *v = hand_in(u, SIDE_MEMFD);
	unsigned char *mem = v->s.mem, *other;
	int fd = side_memfd(SIDE_BEFORE + SIZE);

	assert_int_equal(refused(u, v, SIZE), 0);
	v->s.o.shared_offset = 0;
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	v->s.o.shared_offset = SIDE_BEFORE;
	v->s.o.shared_fd = fd;
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	v->s.o.shared_fd = v->s.fd;
	v->s.o.shared = mem + 1;
	assert_int_equal(refused(u, v, SIZE), GMEM_REASON_UNALIGNED);
	v->s.o.shared = mem;
	/* Its last page is of the other file. */
	other = mmap(mem + SIZE - PAGE, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_FIXED, fd, 0);
	assert_ptr_equal(other, mem + SIZE - PAGE);
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	assert_int_equal(munmap(other, PAGE), 0);
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	/* Private memory beside the file, and of the file. */
	other = side_map(SIZE, MAP_PRIVATE, -1, 0);
	v->s.o.shared = other;
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	assert_int_equal(munmap(other, SIZE), 0);
	other = side_map(SIZE, MAP_PRIVATE, v->s.fd, SIDE_BEFORE);
	v->s.o.shared = other;
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	v->s.o = (struct gmem_region_opts){ .sz = sizeof(v->s.o),
					    .shared = other };
	assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
	assert_int_equal(munmap(other, SIZE), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(close(v->s.fd), 0);
	assert_int_equal(munmap(mem, SIZE - PAGE), 0);
}

static void memory_has_to_be_writable_and_there(void **state)
{
	struct unit *u = *state;

	for (enum side_way way = SIDE_ANON; way < SIDE_WAYS; way++) {
		struct given *v = hand_in(u, way);

		if (v->s.mem) {
			assert_int_equal(
				mprotect(v->s.mem + SIZE / 2, PAGE, PROT_READ),
				0);
			assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
			assert_int_equal(mprotect(v->s.mem + SIZE / 2, PAGE,
						  PROT_READ | PROT_WRITE),
					 0);
			assert_int_equal(refused(u, v, SIZE), 0);
			assert_int_equal(munmap(v->s.mem + SIZE / 2, PAGE), 0);
			assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
			assert_int_equal(munmap(v->s.mem, SIZE), 0);
		}
		side_told(u);
		if (v->s.fd >= 0)
			assert_int_equal(close(v->s.fd), 0);
	}
}

/* Its pages would be freed, and so lost: the file is not for memory alone. */
static void a_file_on_a_device_is_no_shared_memory(void **state)
{
	struct unit *u = *state;
	struct given *v = hand_in(u, SIDE_SHARED_ANON);
	char line[128];
	const struct unit_told told[] = { { "/proc/self/maps", line },
					  { NULL, NULL } };

	for (int major = 0; major < 2; major++) {
		(void)snprintf(line, sizeof(line),
			       "%" PRIxPTR "-%" PRIxPTR
			       " rw-s 00000000 %02x:01 77    /disk/x\n",
			       (uintptr_t)v->s.mem, (uintptr_t)v->s.mem + SIZE,
			       major);
		u->told = told;
		assert_int_equal(refused(u, v, SIZE), major ? NOT_SHARED : 0);
		u->told = NULL;
	}
	side_told(u);
	assert_int_equal(munmap(v->s.mem, SIZE), 0);
}

/* What only /proc tells is not believed, but said not to be known. */
static void what_cannot_be_compared_is_unverified(void **state)
{
	struct unit *u = *state;

	for (enum side_way way = SIDE_ANON; way < SIDE_WAYS; way++) {
		struct given *v = hand_in(u, way);

		unit_reset(u);
		if (way == SIDE_HUGETLB) {
			unit_answer(u, "openat", 0, 1, 1, -EACCES);
			assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
			side_told(u);
			assert_int_equal(munmap(v->s.mem, SIZE), 0);
			assert_int_equal(close(v->s.fd), 0);
			continue;
		}
		unit_answer(u, "openat", 0, 1, 1, -EACCES);
		make(u, v);
		assert_int_equal(!!(v->i.flags & GMEM_REGION_UNVERIFIED),
				 way != SIDE_FD_ALONE);
		unit_reset(u);
		ends(u, v);
	}
}

static void two_regions_share_no_memory(void **state)
{
	struct unit *u = *state;

	for (enum side_way way = SIDE_ANON; way < SIDE_WAYS; way++) {
		struct given *v = hand_in(u, way);

		t_ok(gmem_region_create(u->vm, SIZE, &v->s.o, &v->r, &u->err),
		     u->err);
		assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
		side_told(u);
		t_ok(gmem_region_get(v->r, &v->i, &u->err), u->err);
		v->s.o = (struct gmem_region_opts){ .sz = sizeof(v->s.o),
						    .shared = v->i.shared };
		assert_int_equal(refused(u, v, SIZE), NOT_SHARED);
		bind(u, v);
		ends(u, v);
	}
}

/* As another thread would, when the first region maps what it needs. */
static void make_again(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_region *r = NULL;

	(void)arg;
	if (strcmp(c->name, "mmap") || c->arg[1] != PAGES / 8)
		return;
	u->hook = NULL;
	tried = gmem_region_create(u->vm, SIZE, &held->s.o, &r, &err);
	assert_int_equal(err.reason, NOT_SHARED);
}

static void two_that_are_made_at_once_share_none(void **state)
{
	struct unit *u = *state;

	for (enum side_way way = SIDE_ANON; way <= SIDE_MEMFD_NO_FD; way++) {
		held = hand_in(u, way);
		tried = 0;
		u->hook = make_again;
		make(u, held);
		assert_int_equal(tried, -EINVAL);
		ends(u, held);
	}
}

static void its_system_calls_are_listed(void **state)
{
	struct unit *u = *state;

	for (enum side_way way = SIDE_OWN; way < SIDE_WAYS; way++) {
		struct given *v = hand_in(u, way);

		unit_reset(u);
		t_ok(gmem_region_create(u->vm, SIZE, &v->s.o, &v->r, &u->err),
		     u->err);
		unit_listed(u, "gmem_region_create");
		t_ok(gmem_region_get(v->r, &v->i, &u->err), u->err);
		side_told(u);
		bind(u, v);
		unit_reset(u);
		t_ok(convert(u, v, 0, 4, SHARED, 0), u->err);
		t_ok(convert(u, v, 0, 4, PRIVATE, 0), u->err);
		unit_listed(u, "gmem_region_convert");
		unit_reset(u);
		t_ok(gmem_region_discard(v->r, 0, SIZE, NULL, &u->err), u->err);
		unit_listed(u, "gmem_region_discard");
		ends(u, v);
	}
}

static void no_other_kind_has_such_memory(void **state)
{
	struct unit *u = *state;
	struct given *v = hand_in(u, SIDE_MEMFD);
	struct gmem_region *r = NULL;

	t_refused(gmem_region_create(u->vm, SIZE, &v->s.o, &r, &u->err),
		  -EOPNOTSUPP, GMEM_REASON_REGION_KIND, u->err);
	v->s.o.shared = NULL;
	t_refused(gmem_region_create(u->vm, SIZE, &v->s.o, &r, &u->err),
		  -EOPNOTSUPP, GMEM_REASON_REGION_KIND, u->err);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(munmap(v->s.mem, SIZE), 0);
	assert_int_equal(close(v->s.fd), 0);
}

/* Each call of it fails in turn, and leaves nothing behind. */
static void a_create_that_fails_leaves_nothing(void **state)
{
	struct unit *u = *state;

	for (enum side_way way = SIDE_ANON; way < SIDE_WAYS; way++) {
		struct given *v = hand_in(u, way);
		unsigned int nth, failed = 0, maps = unit_mappings(u);
		unsigned int fds = unit_fds();

		for (nth = 1;; nth++) {
			int ret;

			assert_true(nth < 100);
			unit_reset(u);
			unit_answer(u, NULL, 0, nth, 1, -EPERM);
			ret = gmem_region_create(u->vm, SIZE, &v->s.o, &v->r,
						 &u->err);
			if (ret == 0 && !u->answers[0].times)
				break;
			if (ret == 0 && u->answers[0].seen < nth)
				break;
			if (ret == 0)
				t_ok(gmem_region_close(v->r, &u->err), u->err);
			failed += ret < 0;
			assert_int_equal(unit_mappings(u), maps);
			assert_int_equal(unit_fds(), fds);
		}
		assert_true(failed >= 3);
		unit_reset(u);
		side_told(u);
		t_ok(gmem_region_get(v->r, &v->i, &u->err), u->err);
		bind(u, v);
		ends(u, v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_says_what_it_has, unit_sw),
		TEST(peer_M2_memory_of_each_kind_is_truly_freed, unit_sw),
		TEST(what_is_deferred_is_reclaimed, unit_sw),
		TEST(what_it_had_is_on_the_side_not_in_use, unit_sw),
		TEST(what_is_locked_is_freed_too, unit_sw),
		TEST(what_was_handed_in_stays, unit_sw612),
		TEST(a_huge_page_is_freed_by_its_last, unit_sw),
		TEST(a_huge_page_is_discarded_unless_some_is_shared, unit_sw),
		TEST(no_step_of_a_discard_ends_in_a_huge_page, unit_sw),
		TEST(nobody_converts_the_rest_of_it_meanwhile, unit_sw),
		TEST(a_file_has_to_suit, unit_sw),
		TEST(memory_has_to_show_the_file, unit_sw),
		TEST(memory_has_to_be_writable_and_there, unit_sw),
		TEST(what_cannot_be_compared_is_unverified, unit_sw),
		TEST(a_file_on_a_device_is_no_shared_memory, unit_sw),
		TEST(two_regions_share_no_memory, unit_sw),
		TEST(two_that_are_made_at_once_share_none, unit_sw),
		TEST(its_system_calls_are_listed, unit_sw),
		TEST(no_other_kind_has_such_memory, unit_inplace),
		TEST(a_create_that_fails_leaves_nothing, unit_sw),
	};

	return t_main(tests);
}
