// SPDX-License-Identifier: MIT
/* What a region refuses, and what others are refused while it has a file. */
#include <inttypes.h>
#include <sys/mman.h>

#include "unit.h"

#include <gmem_region.h>

static struct gmem *file(struct unit *u)
{
	struct gmem_create_opts o = {
		.sz = sizeof(o),
		.flags = unit_in_place(u) ? GMEM_CREATE_MMAP : 0,
	};
	struct gmem *g = NULL;

	t_ok(gmem_create(u->vm, MiB, &o, &g, &u->err), u->err);
	return g;
}

static struct gmem_region *region(struct unit *u, struct gmem *g)
{
	struct gmem_region_opts o = { .sz = sizeof(o), .gmem = g };
	struct gmem_region *r = NULL;

	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	return r;
}

static void a_file_that_a_region_has_is_nobody_elses(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);
	struct gmem_region *r = region(u, g);
	struct gmem_region_opts o = { .sz = sizeof(o), .gmem = g };
	struct gmem_region *other = NULL;

	t_refused(gmem_region_create(u->vm, MiB, &o, &other, &u->err), -EBUSY,
		  GMEM_REASON_IN_REGION, u->err);
	t_refused(gmem_set_shared(g, 0, MiB, &u->err), -EBUSY,
		  GMEM_REASON_IN_REGION, u->err);
	t_refused(gmem_close(g, &u->err), -EBUSY, GMEM_REASON_IN_REGION,
		  u->err);
	assert_null(other);
	t_ok(gmem_region_close(r, &u->err), u->err);
	t_ok(gmem_close(g, &u->err), u->err);
}

static void a_region_is_as_large_as_its_file(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = { .sz = sizeof(o), .gmem = file(u) };
	struct gmem_region *r = NULL;

	t_refused(gmem_region_create(u->vm, 2 * MiB, &o, &r, &u->err), -EINVAL,
		  GMEM_REASON_REGION_SIZE, u->err);
	assert_int_equal(u->err.value, 2 * MiB);
	assert_int_equal(u->err.limit, MiB);
	assert_null(r);
	t_ok(gmem_close(o.gmem, &u->err), u->err);
}

static void a_kind_has_to_suit_the_vm(void **state)
{
	struct unit *u = *state;
	uint32_t wrong = unit_in_place(u) ? GMEM_REGION_KIND_DUAL
					  : GMEM_REGION_KIND_INPLACE;
	struct gmem_region_opts o = { .sz = sizeof(o), .kind = wrong };
	struct gmem_region *r = NULL;

	unit_reset(u);
	t_refused(gmem_region_create(u->vm, MiB, &o, &r, &u->err), -EOPNOTSUPP,
		  GMEM_REASON_REGION_KIND, u->err);
	assert_int_equal(u->err.value, wrong);
	assert_int_equal(u->n_calls, 0);
	o.kind = GMEM_REGION_KIND_SHARED + 1;
	t_refused(gmem_region_create(u->vm, MiB, &o, &r, &u->err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, u->err);
	assert_null(r);
}

static void what_is_behind_a_slot_is_the_regions(void **state)
{
	struct unit *u = *state;
	struct gmem_region_info info = { .sz = sizeof(info) };
	struct gmem_slot s = {
		.sz = sizeof(s),
		.len = 64 * KiB,
		.offset = 64 * KiB,
		.flags = GMEM_SLOT_USERSPACE_ADDR,
	};
	struct gmem_region *r = region(u, file(u));

	t_ok(gmem_region_get(r, &info, &u->err), u->err);
	assert_non_null(info.shared);
	s.userspace_addr = (uintptr_t)info.shared;
	t_refused(gmem_region_bind(r, &s, &u->err), -EINVAL,
		  GMEM_REASON_REGION_MEMORY, u->err);
	assert_int_equal(u->err.value, s.userspace_addr);
	assert_int_equal(u->err.limit, s.userspace_addr + s.offset);
	s.userspace_addr += s.offset;
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
}

/* No region, nowhere to put the answer: each call says so. */
static void nothing_is_taken_for_a_region(void **state)
{
	struct unit *u = *state;
	struct gmem_region_range range = { 0, 4096 };
	struct gmem_region_residency there =
		GMEM_INIT(struct gmem_region_residency);
	struct gmem_region_stats stats = GMEM_INIT(struct gmem_region_stats);
	struct gmem_region_info info = GMEM_INIT(struct gmem_region_info);
	struct gmem_slot s = { .sz = sizeof(s), .len = 4096 };
	struct gmem_discard_opts flags = { .sz = sizeof(flags), .flags = ~0U };
	struct gmem_converted out = { .sz = 1 };
	struct gmem_region *r = NULL;
	uint64_t a;

	u->err.sz = sizeof(u->err);
#define NONE(call) t_refused(call, -EINVAL, GMEM_REASON_NULL_ARGUMENT, u->err)
	NONE(gmem_region_get(NULL, &info, &u->err));
	NONE(gmem_region_stat(NULL, &stats, &u->err));
	NONE(gmem_region_bind(NULL, &s, &u->err));
	NONE(gmem_region_note(NULL, &s, &u->err));
	NONE(gmem_region_unbind(NULL, 0, 0, 0, &u->err));
	NONE(gmem_region_convert(NULL, &range, 1, 0, NULL, NULL, &u->err));
	NONE(gmem_region_assume(NULL, &range, 1, 0, &u->err));
	NONE(gmem_region_attributes(NULL, 0, 4096, &a, NULL, &u->err));
	NONE(gmem_region_reset(NULL, NULL, &u->err));
	NONE(gmem_region_discard(NULL, 0, 4096, NULL, &u->err));
	NONE(gmem_region_reclaim(NULL, 0, 4096, NULL, NULL, &u->err));
	NONE(gmem_region_resident(NULL, 0, 4096, &there, &u->err));
	NONE(gmem_region_create(NULL, MiB, NULL, &r, &u->err));
	NONE(gmem_region_create(u->vm, MiB, NULL, NULL, &u->err));
	t_ok(gmem_region_create(u->vm, MiB, NULL, &r, &u->err), u->err);
	NONE(gmem_region_get(r, NULL, &u->err));
	NONE(gmem_region_stat(r, NULL, &u->err));
	NONE(gmem_region_attributes(r, 0, 4096, NULL, NULL, &u->err));
	NONE(gmem_region_resident(r, 0, 4096, NULL, &u->err));
	t_refused(gmem_region_reset(r, &flags, &u->err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, u->err);
	t_refused(gmem_region_convert(r, &range, 1, 0, NULL, &out, &u->err),
		  -EINVAL, GMEM_REASON_OPTS_SIZE, u->err);
	assert_int_equal(out.sz, 1);
	t_refused(gmem_region_discard(r, 1, 4096, NULL, &u->err), -EINVAL,
		  GMEM_REASON_UNALIGNED, u->err);
	t_refused(gmem_region_reclaim(r, 0, 2 * MiB, NULL, NULL, &u->err),
		  -EINVAL, GMEM_REASON_OUTSIDE_FILE, u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
#undef NONE
}

static void a_file_of_another_vm_is_refused(void **state)
{
	struct unit *u = *state;
	struct gmem_vm *other = unit_vm(u, GMEM_VM_SW_PROTECTED, NULL, NULL);
	struct gmem_create_opts c = { .sz = sizeof(c) };
	struct gmem_region_opts o = { .sz = sizeof(o) };
	struct gmem_region *r = NULL;

	t_ok(gmem_create(other, MiB, &c, &o.gmem, &u->err), u->err);
	t_refused(gmem_region_create(u->vm, MiB, &o, &r, &u->err), -EOPNOTSUPP,
		  GMEM_REASON_FOREIGN_VM, u->err);
	assert_null(r);
	t_ok(gmem_close(o.gmem, &u->err), u->err);
	t_ok(gmem_vm_destroy(other, &u->err), u->err);
}

static void without_private_memory_no_kind_is_chosen(void **state)
{
	static const uint32_t kinds[] = { GMEM_REGION_KIND_AUTO,
					  GMEM_REGION_KIND_INPLACE,
					  GMEM_REGION_KIND_DUAL };
	struct unit *u = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(kinds); i++) {
		struct gmem_region_opts o = { .sz = sizeof(o),
					      .kind = kinds[i] };
		struct gmem_region *r = NULL;

		unit_reset(u);
		t_refused(gmem_region_create(u->vm, MiB, &o, &r, &u->err),
			  -EOPNOTSUPP, GMEM_REASON_REGION_KIND, u->err);
		assert_int_equal(u->err.value, kinds[i]);
		assert_null(r);
		assert_int_equal(u->n_calls, 0);
	}
}

/* What is shared for good has to be so from the start. */
static void a_file_that_starts_private_is_no_shared_one(void **state)
{
	struct unit *u = *state;
	struct gmem *g =
		unit_create(u, MiB, GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	struct gmem_region_opts o = { .sz = sizeof(o),
				      .gmem = g,
				      .kind = GMEM_REGION_KIND_SHARED };
	struct gmem_region *r = NULL;

	t_refused(gmem_region_create(u->vm, MiB, &o, &r, &u->err), -EOPNOTSUPP,
		  GMEM_REASON_REGION_KIND, u->err);
	assert_non_null(strstr(u->err.msg, "needs a file that starts shared"));
	assert_null(r);
	t_ok(gmem_close(g, &u->err), u->err);
	o.gmem = unit_create(u, MiB, SHARED_FLAGS);
	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
	t_ok(gmem_close(o.gmem, &u->err), u->err);
}

/* Where the shared memory cannot be mapped, each call that needs it says so. */
static void without_address_space_nothing_changes(void **state)
{
	struct unit *u = *state;
	struct gmem_region_info info = { .sz = sizeof(info) };
	struct gmem_region_range range = { 0, MiB };
	struct gmem_slot s = { .sz = sizeof(s), .len = MiB };
	struct gmem_region *r = region(u, NULL);

	/* It was unmapped when it was to be closed, and then the record not. */
	t_ok(gmem_region_get(r, &info, &u->err), u->err);
	unit_reset(u);
	unit_answer(u, "munmap", 0, 3, 1, -ENOMEM);
	t_refused(gmem_region_close(r, &u->err), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  u->err);
	unit_reset(u);
	unit_answer(u, "mmap", 0, 1, 7, -ENOMEM);
	t_refused(gmem_region_discard(r, 0, PAGE, NULL, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	t_refused(gmem_region_reclaim(r, 0, PAGE, NULL, NULL, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	t_refused(gmem_region_reset(r, NULL, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	t_refused(gmem_region_convert(r, &range, 1, 0, NULL, NULL, &u->err),
		  -ENOMEM, GMEM_REASON_NO_MEMORY, u->err);
	t_refused(gmem_region_get(r, &info, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	t_refused(gmem_region_bind(r, &s, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	t_refused(gmem_region_assume(r, &range, 1, 0, &u->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, u->err);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	t_ok(gmem_region_get(r, &info, &u->err), u->err);
	assert_non_null(info.shared);
}

static void a_region_that_cannot_be_unmapped_stays(void **state)
{
	struct unit *u = *state;
	struct gmem_region_info info = { .sz = sizeof(info) };
	struct gmem *g = file(u);
	struct gmem_region *r = region(u, g);

	t_ok(gmem_region_get(r, &info, &u->err), u->err);
	unit_reset(u);
	unit_answer(u, "munmap", 0, 1, 1, -ENOMEM);
	t_refused(gmem_region_close(r, &u->err), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  u->err);
	t_refused(gmem_close(g, &u->err), -EBUSY, GMEM_REASON_IN_REGION,
		  u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
	t_ok(gmem_close(g, &u->err), u->err);
}

/* An error structure of no known size ends each call before anything else. */
static void an_error_of_another_size_ends_each_call(void **state)
{
	struct unit *u = *state;
	struct gmem_region_range range = { 0, 4096 };
	struct gmem_region *r = region(u, NULL);
	struct gmem_error bad = { .sz = 1 };

	unit_reset(u);
	assert_int_equal(gmem_region_discard(r, 0, 4096, NULL, &bad), -EINVAL);
	assert_int_equal(gmem_region_assume(r, &range, 1, 0, &bad), -EINVAL);
	assert_int_equal(gmem_region_reset(r, NULL, &bad), -EINVAL);
	assert_int_equal(u->n_calls, 0);
}

/* Each argument that is wrong ends the call before the kernel is asked. */
static void what_a_call_is_given_is_checked_first(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts old = { .sz = 1 };
	struct gmem_convert_opts c = { .sz = 1 };
	struct gmem_discard_opts d = { .sz = 1 };
	struct gmem_region_range in = { 0, 4 * PAGE }, out = { 0, 2 * MiB };
	struct gmem_region *r = region(u, NULL), *other = NULL;
	const uint64_t to = GMEM_ATTRIBUTE_SHARED;

	unit_reset(u);
	t_refused(gmem_region_create(u->vm, MiB, &old, &other, &u->err),
		  -EINVAL, GMEM_REASON_OPTS_SIZE, u->err);
	t_refused(gmem_region_convert(r, &in, 1, to, &c, NULL, &u->err),
		  -EINVAL, GMEM_REASON_OPTS_SIZE, u->err);
	t_refused(gmem_region_discard(r, 0, PAGE, &d, &u->err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, u->err);
	t_refused(gmem_region_reclaim(r, 0, PAGE, &d, NULL, &u->err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, u->err);
	t_refused(gmem_region_reset(r, &d, &u->err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, u->err);
	t_refused(gmem_region_convert(r, &in, 1, 1, NULL, NULL, &u->err),
		  -EINVAL, GMEM_REASON_ATTRIBUTE_UNKNOWN, u->err);
	t_refused(gmem_region_assume(r, &in, 1, 1, &u->err), -EINVAL,
		  GMEM_REASON_ATTRIBUTE_UNKNOWN, u->err);
	t_refused(gmem_region_convert(r, &out, 1, to, NULL, NULL, &u->err),
		  -EINVAL, GMEM_REASON_OUTSIDE_FILE, u->err);
	t_refused(gmem_region_assume(r, &out, 1, to, &u->err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, u->err);
	t_refused(gmem_region_convert(r, NULL, 1, to, NULL, NULL, &u->err),
		  -EINVAL, GMEM_REASON_NULL_ARGUMENT, u->err);
	assert_null(other);
	assert_int_equal(u->n_calls, 0);
}

/* Nothing is assumed of what has no slot, and nobody waits for it after. */
static void what_has_no_slot_is_not_assumed(void **state)
{
	struct unit *u = *state;
	struct gmem_convert_opts o = { .sz = sizeof(o),
				       .flags = GMEM_CONVERT_NOWAIT };
	struct gmem_region_range range = { 0, 4 * PAGE };
	struct gmem_slot s = { .sz = sizeof(s), .len = MiB };
	struct gmem_region *r = region(u, NULL);

	t_refused(gmem_region_assume(r, &range, 1, GMEM_ATTRIBUTE_SHARED,
				     &u->err),
		  -EINVAL, GMEM_REASON_NOT_BOUND, u->err);
	t_ok(gmem_region_bind(r, &s, &u->err), u->err);
	t_ok(gmem_region_assume(r, &range, 1, GMEM_ATTRIBUTE_SHARED, &u->err),
	     u->err);
	assert_int_equal(u->err.done, 4 * PAGE);
	t_ok(gmem_region_convert(r, &range, 1, GMEM_ATTRIBUTE_PRIVATE, &o, NULL,
				 &u->err),
	     u->err);
}

static void the_slots_that_are_left_are_counted(void **state)
{
	struct unit *u = *state;
	struct gmem *g = file(u);
	struct gmem_region_opts o = { .sz = sizeof(o), .gmem = g };
	struct gmem_region *r = NULL;
	static const char *const said[2][2] = {
		{ "the file has 1 slot already",
		  "the file has 2 slots already" },
		{ "the region has 1 slot", "the region has 2 slots" },
	};

	for (unsigned int n = 1; n <= 2; n++) {
		t_ok(t_bind(g, n, n * MiB, (n - 1) * PAGE, PAGE, NULL, &u->err),
		     u->err);
		t_refused(gmem_region_create(u->vm, MiB, &o, &r, &u->err),
			  -EBUSY, GMEM_REASON_STILL_BOUND, u->err);
		assert_string_equal(u->err.msg, said[0][n - 1]);
	}
	for (uint32_t n = 1; n <= 2; n++)
		t_ok(gmem_unbind(u->vm, n, 0, 0, &u->err), u->err);
	r = region(u, g);
	for (unsigned int n = 1; n <= 2; n++) {
		struct gmem_slot s = { .sz = sizeof(s),
				       .slot = n,
				       .gpa = n * MiB,
				       .offset = (n - 1) * PAGE,
				       .len = PAGE };

		t_ok(gmem_region_bind(r, &s, &u->err), u->err);
		t_refused(gmem_region_close(r, &u->err), -EBUSY,
			  GMEM_REASON_STILL_BOUND, u->err);
		assert_string_equal(u->err.msg, said[1][n - 1]);
	}
}

/* Whichever allocation fails, of the file or of the region. */
static void without_memory_there_is_no_region(void **state)
{
	struct unit *u = *state;
	unsigned int before = u->live_allocs, n = 0;
	struct gmem_region *r = NULL;

	u->err.sz = sizeof(u->err);
	for (;;) {
		u->fail_alloc = ++n;
		if (gmem_region_create(u->vm, MiB, NULL, &r, &u->err) == 0)
			break;
		assert_int_equal(u->err.code, -ENOMEM);
		assert_int_equal(u->err.reason, GMEM_REASON_NO_MEMORY);
		assert_null(r);
		assert_int_equal(u->live_allocs, before);
	}
	u->fail_alloc = 0;
	assert_true(n > 2);
	t_ok(gmem_region_close(r, &u->err), u->err);
	assert_int_equal(u->live_allocs, before);
}

/* The capability that has the guest's requests exit is asked for once. */
static void a_signal_while_hypercalls_are_enabled_is_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem_region_opts o = { .sz = sizeof(o) };
	struct gmem_region *r = NULL;

	unit_answer(u, "ioctl", GMEM__KVM_ENABLE_CAP, 1, 2, -EINTR);
	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	assert_int_equal(unit_count(u, "ioctl", GMEM__KVM_ENABLE_CAP), 3);
	t_ok(gmem_region_close(r, &u->err), u->err);
	unit_reset(u);
	unit_answer(u, "ioctl", GMEM__KVM_ENABLE_CAP, 1, 1, -EINVAL);
	t_refused(gmem_region_create(u->vm, MiB, &o, &r, &u->err), -EINVAL,
		  GMEM_REASON_KERNEL, u->err);
	o.flags = GMEM_REGION_NO_HYPERCALL;
	unit_reset(u);
	r = NULL;
	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	assert_int_equal(unit_count(u, "ioctl", GMEM__KVM_ENABLE_CAP), 0);
}

/* Whether the memory counts as compared where /proc has that one line. */
static bool compared(struct unit *u, void *mem, const char *text)
{
	struct gmem_region_opts o = { .sz = sizeof(o), .shared = mem };
	const struct unit_told told[] = { { "/proc/self/maps", text },
					  { NULL, NULL } };
	struct gmem_region_info info = GMEM_INIT(struct gmem_region_info);
	struct gmem_region *r = NULL;

	u->told = told;
	t_ok(gmem_region_create(u->vm, MiB, &o, &r, &u->err), u->err);
	u->told = NULL;
	t_ok(gmem_region_get(r, &info, &u->err), u->err);
	t_ok(gmem_region_close(r, &u->err), u->err);
	return !(info.flags & GMEM_REGION_UNVERIFIED);
}

static void a_line_of_another_form_compares_nothing(void **state)
{
	static const struct {
		const char *before, *between, *after;
	} t[] = {
		{ "", "-", " rw-s 00000000 00:01 77   /x\n" }, /* as it is */
		{ "g", "-", " rw-s 00000000 00:01 77 /x\n" },
		{ "10000000000000000", "-", " rw-s 00000000 00:01 77 /x\n" },
		{ "", " ", " rw-s 00000000 00:01 77 /x\n" },
		{ "", "-", "\n" },
		{ "", "-", "-rw-s 00000000 00:01 77 /x\n" },
		{ "", "-", " rw-\n" },
		{ "", "-", " rw-s-00000000 00:01 77 /x\n" },
		{ "", "-", " rw-s  00:01 77 /x\n" },
		{ "", "-", " rw-s 00000000 00-01 77 /x\n" },
		{ "", "-", " rw-s 00000000 00:01-77 /x\n" },
		{ "", "-", " rw-s 00000000 00:01 7a /x\n" },
	};
	struct unit *u = *state;
	void *mem = mmap(NULL, MiB, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uintptr_t at = (uintptr_t)mem, end = at + MiB;
	char text[128];

	assert_ptr_not_equal(mem, MAP_FAILED);
	for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
		(void)snprintf(text, sizeof(text),
			       "%s%" PRIxPTR "%s%" PRIxPTR "%s", t[i].before,
			       at, t[i].between, end, t[i].after);
		assert_int_equal(compared(u, mem, text), i == 0);
	}
	assert_int_equal(munmap(mem, MiB), 0);
}

/* A region of a MiB of @mem or, without, of the file @fd, from @at on. */
static void part(struct unit *u, unsigned char *mem, int fd, uint64_t at,
		 bool refused, struct gmem_region **r)
{
	struct gmem_region_opts o = {
		.sz = sizeof(o),
		.flags = fd < 0 ? 0 : GMEM_REGION_SHARED_FD,
		.shared = mem ? mem + at : NULL,
		.shared_fd = fd < 0 ? 0 : fd,
		.shared_offset = fd < 0 ? 0 : at,
	};

	if (!refused) {
		t_ok(gmem_region_create(u->vm, MiB, &o, r, &u->err), u->err);
		return;
	}
	t_refused(gmem_region_create(u->vm, MiB, &o, r, &u->err), -EINVAL,
		  GMEM_REASON_SHARED_MEMORY, u->err);
	assert_null(*r);
}

static void regions_share_no_page_of_one_memory(void **state)
{
	enum {
		BY_ADDR,
		BY_FD,
		BY_BOTH,
		WAYS
	};
	static const struct {
		int64_t mib, pages;
		bool refused;
	} t[] = {
		{ 0, 0, false },  { 2, 0, false }, { 1, 0, true },
		{ 0, 1, true },	  { 2, -1, true }, { 1, -1, true },
		{ 0, -1, false }, { 2, 1, false },
	};
	struct unit *u = *state;
	int fd = memfd_create("parts", MFD_CLOEXEC);
	unsigned char *mem;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 5 * MiB), 0);
	mem = mmap(NULL, 5 * MiB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(mem, MAP_FAILED);
	for (int w = 0; w < WAYS; w++) {
		unsigned char *m = w == BY_FD ? NULL : mem;
		int f = w == BY_ADDR ? -1 : fd;
		struct gmem_region *first = NULL, *r = NULL;

		part(u, m, f, 2 * MiB, false, &first);
		for (size_t i = 0; i < T_ARRAY_SIZE(t); i++) {
			part(u, m, f,
			     (uint64_t)((t[i].mib + 1) * (int64_t)MiB +
					t[i].pages * (int64_t)PAGE),
			     t[i].refused, &r);
			if (r)
				t_ok(gmem_region_close(r, &u->err), u->err);
			r = NULL;
		}
		t_ok(gmem_region_close(first, &u->err), u->err);
	}
	assert_int_equal(munmap(mem, 5 * MiB), 0);
	assert_int_equal(close(fd), 0);
}

#define BOTH(name) TEST(name, unit_sw), TEST(name, unit_inplace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_file_that_a_region_has_is_nobody_elses),
		BOTH(a_region_is_as_large_as_its_file),
		BOTH(nothing_is_taken_for_a_region),
		BOTH(a_kind_has_to_suit_the_vm),
		TEST(what_is_behind_a_slot_is_the_regions, unit_sw),
		BOTH(a_file_of_another_vm_is_refused),
		TEST(without_private_memory_no_kind_is_chosen, unit_default),
		TEST(a_file_that_starts_private_is_no_shared_one, unit_default),
		TEST(without_address_space_nothing_changes, unit_sw),
		TEST(a_region_that_cannot_be_unmapped_stays, unit_sw),
		BOTH(an_error_of_another_size_ends_each_call),
		BOTH(what_a_call_is_given_is_checked_first),
		TEST(what_has_no_slot_is_not_assumed, unit_sw),
		BOTH(the_slots_that_are_left_are_counted),
		BOTH(without_memory_there_is_no_region),
		TEST(a_signal_while_hypercalls_are_enabled_is_nothing, unit_sw),
		TEST(a_line_of_another_form_compares_nothing, unit_sw),
		TEST(regions_share_no_page_of_one_memory, unit_sw),
	};

	return t_main(tests);
}
