// SPDX-License-Identifier: MIT
/*
 * The mistakes that VMMs make which convert by hand, each with a test that
 * fails if the library makes it with a region.
 */
#include "unit.h"

#include <inttypes.h>
#include <fcntl.h>
#include <gmem_region.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exit.h"

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define PAGES 64u
#define SIZE (PAGES * PAGE)
#define GPA (2 * GiB)
#define ATTRIBUTES GMEM__KVM_SET_MEMORY_ATTRIBUTES
#define RUN 20 /* words of a kvm_run, as far as it is read */

static struct gmem_slot slot(uint64_t offset, uint64_t len)
{
	return (struct gmem_slot){ .sz = sizeof(struct gmem_slot),
				   .slot = offset ? 1 : 0,
				   .gpa = GPA + offset,
				   .offset = offset,
				   .len = len };
}

static struct gmem_region *made(struct unit *u, uint64_t size)
{
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, size, NULL, &r, &u->err), u->err);
	return r;
}

/* In two slots, so that a run of both takes two ioctls by guest address. */
static struct gmem_region *bound(struct unit *u)
{
	struct gmem_slot s[] = { slot(0, SIZE / 2), slot(SIZE / 2, SIZE / 2) };
	struct gmem_region *r = made(u, SIZE);

	for (size_t i = 0; i < T_ARRAY_SIZE(s); i++)
		t_ok(gmem_region_bind(r, &s[i], &u->err), u->err);
	unit_reset(u);
	return r;
}

static struct gmem_region_info info(struct gmem_region *r)
{
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);

	assert_int_equal(gmem_region_get(r, &i, NULL), 0);
	return i;
}

static int convert(struct unit *u, struct gmem_region *r, uint64_t page,
		   uint64_t n, uint64_t to, struct gmem_converted *out)
{
	struct gmem_region_range range = { page * PAGE, n * PAGE };

	return gmem_region_convert(r, &range, 1, to, NULL, out, &u->err);
}

static void writes(struct unit *u, uint64_t page, uint64_t n, unsigned char b)
{
	for (uint64_t i = page; i < page + n; i++)
		unit_guest_write(u, GPA + i * PAGE, b);
}

static unsigned char reads(struct unit *u, uint64_t page)
{
	return unit_guest_read(u, GPA + page * PAGE);
}

static struct gmem_region_residency there(struct unit *u, struct gmem_region *r)
{
	struct gmem_region_residency o =
		GMEM_INIT(struct gmem_region_residency);

	t_ok(gmem_region_resident(r, 0, SIZE, &o, &u->err), u->err);
	return o;
}

static uint64_t queued(struct gmem_region *r)
{
	struct gmem_region_stats s = GMEM_INIT(struct gmem_region_stats);

	assert_int_equal(gmem_region_stat(r, &s, NULL), 0);
	return s.queued_bytes;
}

static void reclaim(struct unit *u, struct gmem_region *r)
{
	t_ok(gmem_region_reclaim(r, 0, SIZE, NULL, NULL, &u->err), u->err);
	assert_int_equal(queued(r), 0);
	assert_int_equal(there(u, r).unused_bytes, 0);
}

/* ------------------------------------------------------------------ M1 -- */

static void peer_M1_the_other_side_is_freed(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = bound(u);

	writes(u, 0, PAGES, 1);
	t_ok(convert(u, r, 8, 16, SHARED, NULL), u->err);
	assert_int_equal(there(u, r).private_bytes, SIZE - 16 * PAGE);
	writes(u, 8, 16, 2);
	assert_int_equal(there(u, r).shared_bytes, 16 * PAGE);
	assert_int_equal(there(u, r).unused_bytes, 0);
	t_ok(convert(u, r, 12, 8, PRIVATE, NULL), u->err);
	assert_int_equal(there(u, r).shared_bytes, 8 * PAGE);
	writes(u, 12, 8, 3);
	assert_int_equal(there(u, r).private_bytes, SIZE - 8 * PAGE);
	assert_int_equal(there(u, r).unused_bytes, 0);
}

/*
 * What a run converted before it failed the guest may have touched: that is
 * freed later.  So is what could not be set back.
 */
static void touch(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)arg;
	if (c->request != ATTRIBUTES || c->in.attr.address == GPA)
		return;
	u->hook = NULL;
	writes(u, 0, 1, 4);
}

static void peer_M1_so_is_that_of_a_run_that_failed(void **state)
{
	struct unit *u = *state;
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	struct gmem_region *r = bound(u);

	writes(u, 0, PAGES, 1);
	for (unsigned int back = 0; back < 2; back++) {
		/* The second slot's part, then setting back the first's. */
		unit_reset(u);
		unit_answer(u, "ioctl", ATTRIBUTES, 2, 1 + back, -ENOMEM);
		u->hook = touch;
		t_refused(convert(u, r, 0, PAGES, SHARED, &out), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, u->err);
		unit_reset(u);
		assert_null(u->hook);
		assert_int_equal(out.changed, back ? SIZE / 2 : 0);
		assert_int_equal(out.queued, SIZE / 2);
		assert_int_equal(there(u, r).unused_bytes,
				 back ? SIZE / 2 : PAGE);
		assert_int_equal(queued(r), SIZE / 2);
		reclaim(u, r);
		assert_int_equal(reads(u, 0), back ? 4 : 1);
		assert_int_equal(reads(u, PAGES - 1), 1);
	}
}

/* A slot that goes makes its pages private again, and frees nothing. */
static void peer_M1_so_is_that_of_a_slot_that_goes(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = bound(u);
	struct gmem_slot s = slot(0, SIZE / 2);

	t_ok(convert(u, r, 2, 4, SHARED, NULL), u->err);
	writes(u, 0, PAGES, 1);
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	assert_int_equal(queued(r), 4 * PAGE);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	assert_int_equal(there(u, r).unused_bytes, 4 * PAGE);
	reclaim(u, r);
	/* The other way: the slot starts shared. */
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	s = slot(0, SIZE / 2);
	s.flags = GMEM_SLOT_LEAVE_SHARED;
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	assert_int_equal(queued(r), SIZE / 2);
	reclaim(u, r);
	assert_int_equal(reads(u, PAGES - 1), 1);
}

/* Nor is what a guest has lost while its slot is away. */
static void what_has_no_slot_is_not_reclaimed(void **state)
{
	struct unit *u = *state;
	struct gmem_convert_opts later = { .sz = sizeof(later),
					   .flags = GMEM_CONVERT_DEFER };
	struct gmem_region_range range = { 0, SIZE / 2 };
	struct gmem_region *r = bound(u);
	struct gmem_slot s = slot(0, SIZE / 2);
	uint64_t freed = 7;

	t_ok(convert(u, r, 0, PAGES / 2, SHARED, NULL), u->err);
	writes(u, 0, PAGES, 1);
	t_ok(gmem_region_convert(r, &range, 1, PRIVATE, &later, NULL, &u->err),
	     u->err);
	writes(u, 0, PAGES, 2);
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	unit_reset(u);
	t_ok(gmem_region_reclaim(r, 0, SIZE, NULL, &freed, &u->err), u->err);
	assert_int_equal(freed, 0);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(queued(r), SIZE / 2);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	assert_int_equal(reads(u, 0), 2);
	reclaim(u, r);
	assert_int_equal(reads(u, 0), 2);
}

/* A new layout of the slots neither loses nor leaves anything. */
static void a_new_layout_has_the_same_memory(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = bound(u);
	struct gmem_slot old = slot(0, SIZE / 2), to[2];

	t_ok(convert(u, r, 4, 4, SHARED, NULL), u->err);
	writes(u, 0, PAGES, 1);
	t_ok(gmem_slot_get(u->vm, 0, 0, &old, &u->err), u->err);
	for (uint32_t i = 0; i < 2; i++) {
		to[i] = slot(0, SIZE / 4);
		to[i].gmem = info(r).gmem;
		to[i].slot = 2 * i;
		to[i].offset = i * SIZE / 4;
		to[i].gpa = GPA + to[i].offset;
	}
	t_ok(gmem_slots_replace(u->vm, &old, 1, to, 2, 0, &u->err), u->err);
	reclaim(u, r);
	for (uint64_t i = 0; i < PAGES; i++)
		assert_int_equal(reads(u, i), 1);
	assert_int_equal(there(u, r).shared_bytes, 4 * PAGE);
}

/* ------------------------------------------------------------------ M2 -- */

/* MADV_DONTNEED frees it: it is private anonymous memory. */
static void peer_M2_freed_shared_memory_is_zero(void **state)
{
	struct unit *u = *state;
	const struct unit_call *c;
	struct gmem_region *r;

	unit_reset(u);
	r = made(u, SIZE);
	c = unit_nth(u, "mmap", 0, 0);
	assert_non_null(c);
	assert_int_equal(c->fd, -1);
	assert_int_equal(c->arg[2] & (MAP_TYPE | MAP_ANONYMOUS),
			 MAP_PRIVATE | MAP_ANONYMOUS);
	t_ok(gmem_region_close(r, &u->err), u->err);
	r = bound(u);
	t_ok(convert(u, r, 0, 4, SHARED, NULL), u->err);
	writes(u, 0, 4, 5);
	assert_int_equal(((unsigned char *)info(r).shared)[0], 5);
	t_ok(convert(u, r, 0, 4, PRIVATE, NULL), u->err);
	assert_int_equal(there(u, r).shared_bytes, 0);
	t_ok(convert(u, r, 0, 4, SHARED, NULL), u->err);
	assert_int_equal(reads(u, 0), 0);
}

/* ------------------------------------------------------------------ M3 -- */

static void peer_M3_no_slot_inherits_attributes(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = bound(u);

	t_ok(convert(u, r, 4, 4, SHARED, NULL), u->err);
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	for (uint64_t i = 0; i < PAGES; i++)
		assert_int_equal(unit_gpa_private(u, GPA + i * PAGE),
				 i >= PAGES / 2);
	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	u->vm = NULL;
}

/* ------------------------------------------------------------------ M4 -- */

static void peer_M4_a_part_that_failed_is_set_back_and_told(void **state)
{
	struct unit *u = *state;
	struct gmem_converted out = GMEM_INIT(struct gmem_converted);
	struct gmem_region_range a[] = {
		{ 40 * PAGE, PAGE },
		{ 0, PAGE },
		{ 30 * PAGE, 4 * PAGE },
	};
	struct gmem_region *r = bound(u);
	uint64_t is;

	writes(u, 0, PAGES, 1);
	unit_reset(u);
	unit_answer(u, "ioctl", ATTRIBUTES, 3, 1, -EPERM);
	t_refused(gmem_region_convert(r, a, 3, SHARED, NULL, &out, &u->err),
		  -EPERM, GMEM_REASON_ACCESS_DENIED, u->err);
	assert_int_equal(out.done, PAGE);
	assert_int_equal(out.runs, 1);
	assert_int_equal(out.changed, 0);
	unit_reset(u);
	for (uint64_t i = 0; i < PAGES; i++) {
		t_ok(gmem_region_attributes(r, i * PAGE, PAGE, &is, NULL,
					    &u->err),
		     u->err);
		assert_int_equal(is, i ? PRIVATE : SHARED);
		assert_int_equal(unit_gpa_private(u, GPA + i * PAGE), i != 0);
		assert_int_equal(reads(u, i), i != 0);
	}
	/* The same ranges again. */
	t_ok(gmem_region_convert(r, a, 3, SHARED, NULL, &out, &u->err), u->err);
	assert_int_equal(out.done, 6 * PAGE);
	assert_int_equal(out.runs, 2);
}

/* ------------------------------------------------------------- M5, M6 -- */

/* What KVM_RUN left; on x86, whatever the tests run on. */
static struct gmem_exit decoded(struct unit *u, const uint64_t *run, int rc,
				int err_no)
{
	struct gmem_exit e = GMEM_INIT(struct gmem_exit);

	t_code(gmem__exit_decode(&gmem__run_x86, rc, err_no, run,
				 RUN * sizeof(*run), &e, &u->err),
	       0);
	return e;
}

static uint32_t served(struct unit *u, const struct gmem_exit *e)
{
	struct gmem_guard guard = GMEM_INIT(struct gmem_guard);
	struct gmem_answer a = GMEM_INIT(struct gmem_answer);

	unit_reset(u);
	t_ok(gmem_vm_serve(u->vm, e, &guard, NULL, &a, &u->err), u->err);
	return a.kind;
}

/* The pages of [@page, @page + @n) are @to, for the kernel too. */
static void only(struct unit *u, struct gmem_region *r, uint64_t page,
		 uint64_t n, uint64_t to)
{
	uint64_t a;

	for (uint64_t i = 0; i < PAGES; i++) {
		bool private = (i >= page && i < page + n) == (to == PRIVATE);

		t_ok(gmem_region_attributes(r, i * PAGE, PAGE, &a, NULL,
					    &u->err),
		     u->err);
		assert_int_equal(a, private ? PRIVATE : SHARED);
		assert_int_equal(unit_private(u, info(r).gmem, GPA, i * PAGE),
				 private);
	}
}

/* Of the word one bit is the state: neither the size nor KVM's own bit is. */
static void peer_M5_one_bit_of_a_hypercall_is_the_state(void **state)
{
	struct unit *u = *state;
	uint64_t run[RUN] = { 0,   GMEM__EXIT_HYPERCALL, 0, 0, 12,
			      GPA, 8 * PAGE / 4096 };
	struct gmem_region *r = bound(u);
	struct gmem_exit e;

	for (uint64_t size = 0; size <= GMEM__MAP_GPA_PAGE_SIZE; size++) {
		run[7] = size;
		e = decoded(u, run, 0, 0);
		assert_int_equal(served(u, &e), GMEM_ANSWER_RESUME);
		only(u, r, 0, 8, SHARED);
		run[7] = size | GMEM__MAP_GPA_PRIVATE;
		e = decoded(u, run, 0, 0);
		assert_int_equal(served(u, &e), GMEM_ANSWER_RESUME);
		only(u, r, 0, 0, SHARED);
	}
	for (unsigned int bit = 5; bit < 64; bit++) {
		run[7] = 1ULL << bit;
		e = decoded(u, run, 0, 0);
		assert_int_equal(served(u, &e), GMEM_ANSWER_REFUSE);
		assert_int_equal(u->n_calls, 0);
	}
	only(u, r, 0, 0, SHARED);
}

/* A fault is one by its errno: else it is old, or a memory error. */
static void peer_M6_an_errno_says_whether_it_is_a_fault(void **state)
{
	struct unit *u = *state;
	uint64_t run[RUN] = { 0,   GMEM__EXIT_MEMORY_FAULT, 0, 0, 0, GPA + PAGE,
			      PAGE };
	struct gmem_region *r = bound(u);
	struct gmem_exit e;

	for (int code = 1; code < 256; code++) {
		if (code == EFAULT)
			continue;
		e = decoded(u, run, -1, code);
		assert_int_equal(served(u, &e), code == EHWPOISON
							? GMEM_ANSWER_FATAL
							: GMEM_ANSWER_RESUME);
		assert_int_equal(u->n_calls, 0);
	}
	only(u, r, 0, 0, SHARED);
	e = decoded(u, run, -1, EFAULT);
	assert_int_equal(served(u, &e), GMEM_ANSWER_RESUME);
	only(u, r, 1, 1, SHARED);
	/* A realm's fault ends KVM_RUN without an error. */
	run[4] = GMEM__MEMORY_FAULT_PRIVATE;
	e = decoded(u, run, 0, 0);
	assert_int_equal(served(u, &e), GMEM_ANSWER_RESUME);
	only(u, r, 0, 0, SHARED);
}

/* ------------------------------------------------------------------ M7 -- */

static void peer_M7_no_dirty_log_or_readonly_slot_of_a_region(void **state)
{
	static const uint64_t flags[] = {
		GMEM_SLOT_DIRTY_LOG,
		GMEM_SLOT_READONLY,
		GMEM_SLOT_FD | GMEM_SLOT_DIRTY_LOG,
		GMEM_SLOT_FD | GMEM_SLOT_READONLY,
	};
	struct unit *u = *state;
	struct gmem_region *r = made(u, SIZE);

	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		struct gmem_slot s = slot(0, SIZE);
		struct gmem_error err = { .sz = sizeof(err) };

		s.flags = flags[i];
		unit_reset(u);
		assert_true(gmem_region_bind(r, &s, &err) < 0);
		assert_int_not_equal(err.reason, GMEM_REASON_KERNEL);
		assert_true(err.remedy[0] != '\0');
		assert_int_equal(unit_count(u, "ioctl", 0), 0);
	}
}

/* ------------------------------------------------------------------ M8 -- */

/* The device has private memory, by its word; this VM has none. */
static void peer_M8_the_vm_is_asked_what_it_can(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = NULL;

	assert_int_equal(gmem_vm_destroy(u->vm, NULL), 0);
	unit_cap(u, OBJECT_DEVICE, GMEM__CAP_MEMORY_ATTRIBUTES, 8);
	u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
	t_refused(gmem_region_create(u->vm, SIZE, NULL, &r, &u->err),
		  -EOPNOTSUPP, GMEM_REASON_REGION_KIND, u->err);
	assert_null(r);
	assert_int_equal(u->n_calls, 0);
}

/* ------------------------------------------------------------------ M9 -- */

static void peer_M9_no_descriptor_is_left_or_inherited(void **state)
{
	struct unit *u = *state;
	unsigned int fds = unit_fds(), maps = unit_mappings(u);
	struct gmem_region *r = bound(u);

	assert_true(unit_fds() > fds);
	assert_true(unit_is_cloexec(gmem_fd(info(r).gmem)));
	for (uint32_t i = 0; i < 2; i++)
		t_ok(gmem_region_unbind(r, i, 0, 0, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
	assert_int_equal(unit_fds(), fds);
	assert_int_equal(unit_mappings(u), maps);
}

/* A child gets no shared memory, and none of the calls. */
static int in_a_child(struct unit *u, struct gmem_region *r)
{
	struct gmem_region_range a = { 0, PAGE };
	struct gmem_error err = { .sz = sizeof(err) };

	unit_forked(u);
	unit_reset(u);
	if (gmem_region_convert(r, &a, 1, SHARED, NULL, NULL, &err) != -EIO ||
	    gmem_region_discard(r, 0, PAGE, NULL, &err) != -EIO ||
	    gmem_region_reclaim(r, 0, PAGE, NULL, NULL, &err) != -EIO ||
	    gmem_region_reset(r, NULL, &err) != -EIO ||
	    gmem_region_assume(r, &a, 1, SHARED, &err) != -EIO ||
	    gmem_region_unbind(r, 0, 0, 0, &err) != -EIO ||
	    gmem_region_close(r, &err) != -EIO)
		return 1;
	return u->n_calls ? 2 : 0;
}

static void peer_M9_a_child_has_no_part_in_it(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = bound(u);
	uintptr_t base = (uintptr_t)info(r).shared;
	bool found = !base;
	int status;
	pid_t pid;

	for (unsigned int i = 0; i < UNIT_MAPS; i++)
		if (base && (uintptr_t)u->maps[i].addr == base)
			found = u->maps[i].dontfork;
	assert_true(found);
	pid = fork();
	if (pid == 0)
		_exit(in_a_child(u, r));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	t_ok(convert(u, r, 0, 1, SHARED, NULL), u->err);
}

/* ----------------------------------------------------------------- M10 -- */

static void peer_M10_a_run_is_one_call_however_long(void **state)
{
	struct unit *u = *state;
	struct gmem_region_range all = { 0, GiB };
	struct gmem_region *r = made(u, GiB);
	struct gmem_slot s = slot(0, GiB);

	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	for (unsigned int i = 0; i < 2; i++) {
		unit_reset(u);
		t_ok(gmem_region_convert(r, &all, 1, i ? PRIVATE : SHARED, NULL,
					 NULL, &u->err),
		     u->err);
		assert_int_equal(unit_count(u, "ioctl", 0), 1);
		assert_int_equal(u->n_calls, unit_in_place(u) ? 1 : 2);
	}
}

/* ----------------------------------------------------------------- M11 -- */

static const char *hex(uint64_t value)
{
	static char text[32];

	(void)snprintf(text, sizeof(text), "%#" PRIx64, value);
	return text;
}

/* The library refuses it, with its cause, before the kernel is asked. */
#define caused(call, reason, value)                         \
	do {                                                \
		t_refused(call, -EINVAL, reason, u->err);   \
		assert_non_null(strstr(u->err.msg, value)); \
		assert_int_equal(u->n_calls, 0);            \
	} while (0)

static void peer_M11_each_einval_has_its_cause(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = bound(u), *none = NULL;
	struct gmem_slot s = slot(SIZE / 2, SIZE / 2);

	caused(gmem_region_create(u->vm, 0, NULL, &none, &u->err),
	       GMEM_REASON_ZERO_SIZE, "size");
	caused(gmem_region_create(u->vm, PAGE + 5, NULL, &none, &u->err),
	       GMEM_REASON_UNALIGNED, hex(PAGE + 5));
	assert_null(none);
	s.gpa++;
	caused(gmem_region_bind(r, &s, &u->err), GMEM_REASON_UNALIGNED,
	       hex(GPA + SIZE / 2 + 1));
	caused(convert(u, r, PAGES, 1, SHARED, NULL), GMEM_REASON_OUTSIDE_FILE,
	       hex(SIZE));
	caused(convert(u, r, 0, 1, 4, NULL), GMEM_REASON_ATTRIBUTE_UNKNOWN,
	       "0x4");
	caused(gmem_region_discard(r, 1, PAGE, NULL, &u->err),
	       GMEM_REASON_UNALIGNED, "0x1");
	caused(gmem_region_reclaim(r, 0, 5, NULL, NULL, &u->err),
	       GMEM_REASON_UNALIGNED, "0x5");
	/* The kernel's own: what it refused, where, and what that may be. */
	unit_answer(u, "ioctl",
		    unit_in_place(u) ? GMEM__KVM_SET_MEMORY_ATTRIBUTES2
				     : ATTRIBUTES,
		    1, 1, -EINVAL);
	t_refused(convert(u, r, 3, 1, SHARED, NULL), -EOPNOTSUPP,
		  GMEM_REASON_NO_PRIVATE_MEMORY, u->err);
	assert_int_equal(u->err.sys_errno, EINVAL);
	assert_non_null(strstr(u->err.msg, hex(3 * PAGE)));
	assert_true(u->err.flags & GMEM_ERROR_DIAGNOSED);
	unit_reset(u);
	only(u, r, 0, 0, SHARED);
}

/* ----------------------------------------------------------------- M12 -- */

/* A filter of these names lets each call through. */
static void peer_M12_its_system_calls_are_listed(void **state)
{
	struct unit *u = *state;
	struct gmem_convert_opts later = { .sz = sizeof(later),
					   .flags = GMEM_CONVERT_DEFER };
	struct gmem_region_range a = { 0, SIZE / 2 };
	struct gmem_slot s = slot(0, SIZE);
	struct gmem_region *r;

	unit_reset(u);
	r = made(u, SIZE);
	unit_listed(u, "gmem_region_create");
	unit_reset(u);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	unit_listed(u, "gmem_region_bind");
	unit_reset(u);
	t_ok(gmem_region_convert(r, &a, 1, SHARED, NULL, NULL, &u->err),
	     u->err);
	t_ok(gmem_region_convert(r, &a, 1, PRIVATE, &later, NULL, &u->err),
	     u->err);
	unit_listed(u, "gmem_region_convert");
	unit_reset(u);
	t_ok(gmem_region_reclaim(r, 0, SIZE, NULL, NULL, &u->err), u->err);
	unit_listed(u, "gmem_region_reclaim");
	unit_reset(u);
	t_ok(gmem_region_discard(r, 0, SIZE, NULL, &u->err), u->err);
	unit_listed(u, "gmem_region_discard");
	unit_reset(u);
	(void)there(u, r);
	unit_listed(u, "gmem_region_resident");
	unit_reset(u);
	t_ok(gmem_region_reset(r, NULL, &u->err), u->err);
	unit_listed(u, "gmem_region_reset");
	unit_reset(u);
	t_ok(gmem_region_unbind(r, 0, 0, 0, &u->err), u->err);
	unit_listed(u, "gmem_region_unbind");
	unit_reset(u);
	t_ok(gmem_region_close(r, &u->err), u->err);
	unit_listed(u, "gmem_region_close");
}

/* ----------------------------------------------------------------- M15 -- */

/* All of it, or nothing where a part has no slot. */
static void peer_M15_a_conversion_crosses_slots(void **state)
{
	struct unit *u = *state;
	struct gmem_region *r = bound(u);
	uint64_t is, run;

	t_ok(convert(u, r, PAGES / 2 - 1, 2, SHARED, NULL), u->err);
	t_ok(gmem_region_attributes(r, SIZE / 2 - PAGE, SIZE / 2, &is, &run,
				    &u->err),
	     u->err);
	assert_int_equal(is, SHARED);
	assert_int_equal(run, 2 * PAGE);
	only(u, r, PAGES / 2 - 1, 2, SHARED);
	if (unit_in_place(u))
		return;
	t_ok(gmem_region_unbind(r, 1, 0, 0, &u->err), u->err);
	unit_reset(u);
	t_refused(convert(u, r, 0, PAGES, PRIVATE, NULL), -EINVAL,
		  GMEM_REASON_NOT_BOUND, u->err);
	assert_int_equal(u->n_calls, 0);
}

/* And two regions, as of two nodes; none of it where it reaches no slot. */
static void peer_M15_a_request_crosses_regions(void **state)
{
	struct unit *u = *state;
	struct gmem_exit e = { .sz = sizeof(e),
			       .kind = GMEM_EXIT_MAP_GPA_RANGE,
			       .gpa = GPA + SIZE - 2 * PAGE,
			       .len = 4 * PAGE };
	struct gmem_region *r = bound(u), *next = made(u, SIZE);
	struct gmem_slot s = {
		.sz = sizeof(s), .slot = 2, .gpa = GPA + SIZE, .len = SIZE
	};
	uint64_t is, run;

	t_ok(gmem_region_bind(next, &s, &u->err), u->err);
	assert_int_equal(served(u, &e), GMEM_ANSWER_RESUME);
	only(u, r, PAGES - 2, 2, SHARED);
	t_ok(gmem_region_attributes(next, 0, SIZE, &is, &run, &u->err), u->err);
	assert_int_equal(is, SHARED);
	assert_int_equal(run, 2 * PAGE);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(
			unit_private(u, info(next).gmem, GPA + SIZE, i * PAGE),
			i >= 2);
	e.attributes = PRIVATE;
	e.len = SIZE + 3 * PAGE;
	assert_int_equal(served(u, &e), GMEM_ANSWER_REFUSE);
	assert_int_equal(u->n_calls, 0);
	only(u, r, PAGES - 2, 2, SHARED);
}

#define BOTH(name) TEST(name, unit_sw), TEST(name, unit_inplace)
#define DUAL(name) TEST(name, unit_sw), TEST(name, unit_sw612)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DUAL(peer_M1_the_other_side_is_freed),
		DUAL(peer_M1_so_is_that_of_a_run_that_failed),
		DUAL(peer_M1_so_is_that_of_a_slot_that_goes),
		DUAL(what_has_no_slot_is_not_reclaimed),
		DUAL(a_new_layout_has_the_same_memory),
		DUAL(peer_M2_freed_shared_memory_is_zero),
		DUAL(peer_M3_no_slot_inherits_attributes),
		DUAL(peer_M4_a_part_that_failed_is_set_back_and_told),
		BOTH(peer_M5_one_bit_of_a_hypercall_is_the_state),
		BOTH(peer_M6_an_errno_says_whether_it_is_a_fault),
		BOTH(peer_M7_no_dirty_log_or_readonly_slot_of_a_region),
		TEST(peer_M8_the_vm_is_asked_what_it_can, unit_default73),
		BOTH(peer_M9_no_descriptor_is_left_or_inherited),
		BOTH(peer_M9_a_child_has_no_part_in_it),
		BOTH(peer_M10_a_run_is_one_call_however_long),
		BOTH(peer_M11_each_einval_has_its_cause),
		BOTH(peer_M12_its_system_calls_are_listed),
		BOTH(peer_M15_a_conversion_crosses_slots),
		BOTH(peer_M15_a_request_crosses_regions),
	};

	return t_main(tests);
}
