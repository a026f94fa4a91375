// SPDX-License-Identifier: MIT
/* Private and shared: by guest address, by file offset, and the record. */
#include "unit.h"

#include "file.h"
#include "seam.h"

#define ATTRIBUTES 0x4020aed2
#define ATTRIBUTES2 0xc080aed2

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define SHARED GMEM_ATTRIBUTE_SHARED
#define UNSET GMEM_ATTRIBUTE_UNSET

static void run_is(struct gmem *g, uint64_t offset, uint64_t len,
		   uint64_t attributes, uint64_t want)
{
	struct gmem_error err;
	uint64_t a = 0, run = 0;

	t_ok(gmem_get_attributes(g, offset, len, &a, &run, &err), err);
	assert_int_equal(a, attributes);
	assert_int_equal(run, want);
}

static int set(struct gmem *g, uint64_t offset, uint64_t len, uint64_t a,
	       const int *cancel, struct gmem_error *err)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED,
					  .cancel = cancel };

	return gmem_set_attributes(g, offset, len, a, &o, err);
}

static int check(struct gmem *g, uint64_t offset, uint64_t len, uint64_t a,
		 struct gmem_error *err)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_CHECK_ONLY |
						   GMEM_ATTRIBUTES_UNBACKED };

	return gmem_set_attributes(g, offset, len, a, &o, err);
}

/* -------------------------------------------------- by guest address -- */

static void a_conversion_is_one_ioctl_through_the_slot(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	const struct unit_call *c = u->calls;
	struct gmem_error err;

	unit_bind(u, g, 0, 3 * GiB);
	t_ok(t_share(g, 64 * KiB, 2 * PAGE, &err), err);
	assert_int_equal(u->n_calls, 1);
	assert_int_equal(u->n_allocs, 0);
	assert_int_equal(c->request, ATTRIBUTES);
	assert_int_equal(c->fd, gmem_vm_fd(u->vm));
	assert_int_equal(c->in.attr.address, 3 * GiB + 64 * KiB);
	assert_int_equal(c->in.attr.size, 2 * PAGE);
	assert_int_equal(c->in.attr.attributes, 0);
	assert_int_equal(c->in.attr.flags, 0);
	assert_int_equal(err.done, 2 * PAGE);
	run_is(g, 0, 1 * MiB, PRIVATE, 64 * KiB);
	run_is(g, 64 * KiB, 960 * KiB, SHARED, 2 * PAGE);
	run_is(g, 64 * KiB + 2 * PAGE, 960 * KiB - 2 * PAGE, PRIVATE,
	       960 * KiB - 2 * PAGE);
	unit_same(u, g, 3 * GiB);
	t_ok(set(g, 0, 1 * MiB, PRIVATE, NULL, &err), err);
	run_is(g, 0, 1 * MiB, PRIVATE, 1 * MiB);
	unit_same(u, g, 3 * GiB);
}

static void a_range_over_two_slots_is_two_ioctls(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;

	t_ok(t_bind(g, 0, 8 * GiB, 0, 512 * KiB, NULL, &err), err);
	t_ok(t_bind(g, 1, GiB, 512 * KiB, 512 * KiB, NULL, &err), err);
	unit_reset(u);
	t_ok(t_share(g, 512 * KiB - PAGE, 2 * PAGE, &err), err);
	assert_int_equal(u->n_calls, 2);
	assert_int_equal(u->calls[0].in.attr.address,
			 8 * GiB + 512 * KiB - PAGE);
	assert_int_equal(u->calls[0].in.attr.size, PAGE);
	assert_int_equal(u->calls[1].in.attr.address, GiB);
	assert_int_equal(u->calls[1].in.attr.size, PAGE);
}

static void vm_ioctls_go_in_steps_of_a_gib(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 7 * GiB / 2, 0);
	struct gmem_error err;

	unit_bind(u, g, 0, 0);
	t_ok(t_share(g, GiB / 2, 3 * GiB, &err), err);
	assert_int_equal(u->n_calls, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(u->calls[i].in.attr.address,
				 GiB / 2 + i * GiB);
		assert_int_equal(u->calls[i].in.attr.size, GiB);
	}
	assert_int_equal(err.done, 3 * GiB);
}

static void a_failure_says_how_far_it_came(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 3 * GiB, 0);
	struct gmem_error err;

	unit_bind(u, g, 0, 0);
	unit_answer(u, "ioctl", ATTRIBUTES, 3, 1, -ENOMEM);
	t_refused(t_share(g, PAGE, 3 * GiB - PAGE, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	assert_int_equal(err.sys_errno, ENOMEM);
	assert_int_equal(err.done, 2 * GiB);
	run_is(g, 0, 3 * GiB, PRIVATE, PAGE);
	run_is(g, PAGE, 3 * GiB - PAGE, SHARED, 2 * GiB);
	run_is(g, 2 * GiB + PAGE, GiB - PAGE, PRIVATE, GiB - PAGE);
}

static void an_interrupted_step_is_taken_again(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;

	unit_bind(u, g, 0, 0);
	unit_answer(u, "ioctl", ATTRIBUTES, 1, 2, -EINTR);
	t_ok(t_share(g, 0, 1 * MiB, &err), err);
	assert_int_equal(u->n_calls, 3);
	unit_same(u, g, 0);
}

static void what_has_no_slot_has_no_attributes(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;

	t_refused(gmem_set_private(g, 0, 1 * MiB, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
	run_is(g, 0, 1 * MiB, UNSET, 1 * MiB);
	t_ok(t_bind(g, 0, 0, 0, 512 * KiB, NULL, &err), err);
	unit_reset(u);
	t_refused(t_share(g, 0, 1 * MiB, &err), -EINVAL, GMEM_REASON_NOT_BOUND,
		  err);
	assert_int_equal(err.value, 512 * KiB);
	assert_int_equal(err.done, 0);
	assert_int_equal(u->n_calls, 0);
	run_is(g, 0, 1 * MiB, PRIVATE, 512 * KiB);
}

static void an_hva_slot_has_no_attributes(void **state)
{
	struct unit *u = *state;
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	struct gmem_slot hva = { .sz = sizeof(hva), .flags = GMEM_SLOT_HVA };
	struct gmem_error err;
	struct gmem *g = NULL;
	int vm = unit_vm_fd(u, 0); /* whose files are shared */
	int fd = unit_file_fd(u, vm, 1 * MiB, 3);

	assert_int_equal(unit_sys.close(u, vm), 0);
	t_ok(gmem_adopt(u->vm, fd, &o, &g, &err), err);
	t_code(t_bound(g, 0, 0, 0, 1 * MiB, &hva, NULL), GMEM_SLOT_HVA);
	t_refused(gmem_set_private(g, 0, 1 * MiB, &err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, err);
}

/* It has no pages of the guest's before the bind is through. */
static void ask(struct unit *u, const struct unit_call *c, void *arg)
{
	struct gmem_error err = { .sz = sizeof(err) };

	(void)arg;
	if (c->request != GMEM__KVM_SET_USER_MEMORY_REGION2)
		return;
	*(int *)u->hook_arg = check(u->g, 0, PAGE, SHARED, &err);
	t_reason(&err, GMEM_REASON_NOT_BOUND);
}

static void a_slot_that_is_being_made_has_no_attributes(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;
	int asked = 0;

	u->hook = ask;
	u->hook_arg = &asked;
	t_ok(t_bind(g, 0, 0, 0, 1 * MiB, NULL, &err), err);
	t_code(asked, -EINVAL);
	u->hook = NULL;
	t_ok(check(g, 0, PAGE, SHARED, &err), err);
}

/* --------------------------------------------------- by file offset -- */

static void in_place_needs_no_slot(void **state)
{
	static const uint64_t zero[11];
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, GMEM_CREATE_MMAP);
	const struct unit_call *c = u->calls;
	struct gmem_error err;

	run_is(g, 0, 1 * MiB, PRIVATE, 1 * MiB);
	t_ok(t_share(g, 64 * KiB, 2 * PAGE, &err), err);
	assert_int_equal(u->n_calls, 1);
	assert_int_equal(u->n_allocs, 0);
	assert_int_equal(c->request, ATTRIBUTES2);
	assert_int_equal(c->fd, gmem_fd(g));
	assert_int_equal(c->in.attr2.offset, 64 * KiB);
	assert_int_equal(c->in.attr2.size, 2 * PAGE);
	assert_int_equal(c->in.attr2.attributes, 0);
	assert_int_equal(c->in.attr2.flags, 0);
	assert_memory_equal(c->in.attr2.reserved, zero, sizeof(zero));
	unit_same(u, g, 0);
	t_ok(gmem_set_private(g, 0, 1 * MiB, &err), err);
	assert_int_equal(u->calls[1].in.attr2.attributes, 8);
	unit_same(u, g, 0);
}

static void in_place_a_shared_file_starts_shared(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);

	run_is(g, 0, 1 * MiB, SHARED, 1 * MiB);
	unit_same(u, g, 0);
}

/* A page that somebody else uses during so many tries. */
struct pinned {
	struct gmem *g;
	uint64_t offset;
	unsigned int tries;
};

static void let_go(struct unit *u, const struct unit_call *c, void *arg)
{
	struct pinned *p = u->hook_arg;

	(void)arg;
	if (c->request == ATTRIBUTES2 && p->tries-- == 0)
		(void)gmem_model_unpin(u->vm, gmem_fd(p->g), p->offset, u->page,
				       NULL);
}

static void pin(struct unit *u, struct pinned *p, struct gmem *g,
		uint64_t offset, unsigned int tries)
{
	struct gmem_error err;

	*p = (struct pinned){ g, offset, tries };
	t_ok(gmem_model_pin(u->vm, gmem_fd(g), offset, u->page, &err), err);
	u->hook = let_go;
	u->hook_arg = p;
}

static void a_passing_reference_is_waited_for(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;
	struct pinned p;
	uint64_t last = u->clock;

	pin(u, &p, g, 512 * KiB, 4);
	t_ok(gmem_set_private(g, 0, 1 * MiB, &err), err);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES2), 5);
	assert_int_equal(unit_count(u, "clock_nanosleep", 0), 4);
	for (unsigned int i = 0; i < 4; i++) {
		const struct unit_call *c =
			unit_nth(u, "clock_nanosleep", 0, i);

		/* The call gets a time, not a duration; the clock advances
		 * meanwhile. */
		assert_in_range(c->arg[0] - last, 1000U << i,
				(1000U << i) + 10);
		last = c->arg[0];
	}
	assert_int_equal(err.done, 1 * MiB);
	unit_same(u, g, 0);
}

static void a_lasting_one_is_reported_after_a_bounded_wait(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;
	struct pinned p;

	pin(u, &p, g, 512 * KiB, UINT32_MAX);
	t_refused(gmem_set_private(g, 0, 1 * MiB, &err), -EAGAIN,
		  GMEM_REASON_PAGE_IN_USE, err);
	assert_int_equal(err.sys_errno, EAGAIN);
	assert_int_equal(err.value, 512 * KiB); /* error_offset */
	assert_int_equal(err.done, 0);		/* base pages: all or nothing */
	assert_int_equal(err.limit, 16);
	assert_in_range(unit_count(u, "ioctl", ATTRIBUTES2), 2, 100);
	assert_in_range(u->clock, 16000000, 16001000);
	run_is(g, 0, 1 * MiB, SHARED, 1 * MiB);
	unit_same(u, g, 0);
	p.tries = 1;
	t_ok(gmem_set_private(g, 0, 1 * MiB, &err), err);
}

/* The second try fails in the very moment in which the time is over. */
static void let_time_pass(struct unit *u, const struct unit_call *c, void *arg)
{
	uint64_t *end = u->hook_arg;

	(void)arg;
	if (c->request != ATTRIBUTES2)
		return;
	if (*end)
		u->clock = *end - 1;
	else
		*end = u->clock + 1 + 16000000;
}

static void when_the_time_is_over_nothing_is_waited_for(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;
	uint64_t end = 0;

	unit_answer(u, "ioctl", ATTRIBUTES2, 1, UINT32_MAX, -EAGAIN);
	u->hook = let_time_pass;
	u->hook_arg = &end;
	t_refused(gmem_set_private(g, 0, 1 * MiB, &err), -EAGAIN,
		  GMEM_REASON_PAGE_IN_USE, err);
	u->hook = NULL;
	assert_int_equal(u->clock, end);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES2), 2);
	assert_int_equal(unit_count(u, "clock_nanosleep", 0), 1);
}

/* All of it shared; such a file starts private. */
static struct gmem *huge_file(struct unit *u, uint64_t size)
{
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP,
				      .hugetlb_size = 2 * MiB };
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_need_encodings();
	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	t_ok(gmem_create(u->vm, size, &o, &g, &err), err);
	t_ok(gmem_set_shared(g, 0, size, &err), err);
	unit_reset(u);
	return g;
}

static void of_huge_pages_a_prefix_stays_converted(void **state)
{
	struct unit *u = *state;
	struct gmem *g = huge_file(u, 16 * MiB);
	struct gmem_error err;
	struct pinned p;

	pin(u, &p, g, 7 * MiB, UINT32_MAX);
	t_refused(gmem_set_private(g, 2 * MiB, 12 * MiB, &err), -EAGAIN,
		  GMEM_REASON_PAGE_IN_USE, err);
	assert_int_equal(err.done, 4 * MiB);
	run_is(g, 0, 16 * MiB, SHARED, 2 * MiB);
	run_is(g, 2 * MiB, 14 * MiB, PRIVATE, 4 * MiB);
	run_is(g, 6 * MiB, 10 * MiB, SHARED, 10 * MiB);
	unit_same(u, g, 0);
}

static void after_a_prefix_of_huge_pages_the_rest_follows(void **state)
{
	struct unit *u = *state;
	struct gmem *g = huge_file(u, 16 * MiB);
	struct gmem_error err;
	struct pinned p;

	pin(u, &p, g, 7 * MiB, 2);
	t_ok(gmem_set_private(g, 0, 16 * MiB, &err), err);
	assert_int_equal(err.done, 16 * MiB);
	for (unsigned int i = 1; i < 3; i++)
		assert_int_equal(
			unit_nth(u, "ioctl", ATTRIBUTES2, i)->in.attr2.offset,
			6 * MiB);
	run_is(g, 0, 16 * MiB, PRIVATE, 16 * MiB);
	unit_same(u, g, 0);
}

static void a_huge_page_is_converted_whole(void **state)
{
	struct unit *u = *state;
	struct gmem *g = huge_file(u, 4 * MiB);
	struct gmem_error err;

	t_refused(gmem_set_private(g, PAGE, 2 * MiB, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	assert_int_equal(err.limit, 2 * MiB);
	t_refused(gmem_set_private(g, 0, PAGE, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	assert_int_equal(u->n_calls, 0);
}

/* An error_offset that no kernel should give does not enter the record. */
static void lie(struct unit *u, const struct unit_call *c, void *arg)
{
	if (c->request == ATTRIBUTES2)
		((struct gmem__attributes2 *)arg)->error_offset =
			*(const uint64_t *)u->hook_arg;
}

static void error_offset_is_believed_only_inside_the_range(void **state)
{
	static const uint64_t lies[] = { 0, 2 * MiB, 14 * MiB, UINT64_MAX };
	struct unit *u = *state;
	struct gmem *g = huge_file(u, 16 * MiB);
	struct gmem_error err;

	u->hook = lie;
	for (size_t i = 0; i < T_ARRAY_SIZE(lies); i++) {
		uint64_t at = lies[i];

		u->hook_arg = &at;
		unit_reset(u);
		unit_answer(u, "ioctl", ATTRIBUTES2, 1, 1, -ENOMEM);
		t_refused(gmem_set_private(g, 2 * MiB, 12 * MiB, &err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, err);
		assert_int_equal(err.done, 0);
		unit_same(u, g, 0);
	}
	u->hook = NULL;
}

static void error_offset_of_a_success_means_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = huge_file(u, 16 * MiB);
	struct gmem_error err;
	uint64_t at = 6 * MiB;

	u->hook = lie;
	u->hook_arg = &at;
	t_ok(gmem_set_private(g, 2 * MiB, 12 * MiB, &err), err);
	u->hook = NULL;
	assert_int_equal(err.done, 12 * MiB);
	assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES2), 1);
}

/* A signal or a page in use is none, whatever else is. */
static void after_a_prefix_a_failure_ends_the_conversion(void **state)
{
	static const int codes[] = { -ENOMEM, -EIO, -EFAULT, -EINTR, -EAGAIN };
	struct unit *u = *state;
	struct gmem *g = huge_file(u, 16 * MiB);
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t at = 6 * MiB;

	u->hook = lie;
	u->hook_arg = &at;
	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		bool ends = codes[i] != -EINTR && codes[i] != -EAGAIN;

		unit_reset(u);
		unit_answer(u, "ioctl", ATTRIBUTES2, 1, 1, codes[i]);
		t_code(gmem_set_private(g, 2 * MiB, 12 * MiB, &err),
		       ends ? codes[i] : 0);
		assert_int_equal(err.done, ends ? 4 * MiB : 12 * MiB);
		assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES2),
				 ends ? 1 : 2);
	}
	u->hook = NULL;
}

static void each_errno_of_a_conversion_has_its_reason(void **state)
{
	static const struct {
		int code, want;
		uint32_t why;
	} rows[] = {
		{ -ENOMEM, -ENOMEM, GMEM_REASON_NO_MEMORY },
		{ -EIO, -EIO, GMEM_REASON_VM_DEAD },
		{ -EPERM, -EPERM, GMEM_REASON_ACCESS_DENIED },
		{ -ENOTTY, -EOPNOTSUPP, GMEM_REASON_NO_PRIVATE_MEMORY },
		{ -EINVAL, -EOPNOTSUPP, GMEM_REASON_NO_PRIVATE_MEMORY },
		{ -EFAULT, -EFAULT, GMEM_REASON_KERNEL },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);

	unit_bind(u, g, 0, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_error err;

		unit_reset(u);
		unit_answer(u, "ioctl",
			    unit_in_place(u) ? ATTRIBUTES2 : ATTRIBUTES, 1, 1,
			    rows[i].code);
		t_refused(t_share(g, 0, 1 * MiB, &err), rows[i].want,
			  rows[i].why, err);
		assert_int_equal(err.sys_errno, -rows[i].code);
		assert_int_equal(err.done, 0);
		unit_same(u, g, 0);
	}
}

/* -------------------------------------------------------------- either -- */

static void an_unknown_attribute_is_refused(void **state)
{
	static const uint64_t bad[] = { 1, 4, 9, 16, 1ULL << 63, UINT64_MAX };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;

	unit_bind(u, g, 0, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		t_refused(set(g, 0, 1 * MiB, bad[i], NULL, &err), -EINVAL,
			  GMEM_REASON_ATTRIBUTE_UNKNOWN, err);
		assert_int_equal(err.value, bad[i]);
	}
	assert_int_equal(u->n_calls, 0);
}

static void a_vm_without_private_memory_cannot_convert(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	t_refused(gmem_set_private(g, 0, 1 * MiB, &err), -EOPNOTSUPP,
		  GMEM_REASON_NO_PRIVATE_MEMORY, err);
	t_refused(check(g, 0, 1 * MiB, PRIVATE, &err), -EOPNOTSUPP,
		  GMEM_REASON_NO_PRIVATE_MEMORY, err);
	/* shared is what it is, and stays */
	t_ok(t_share(g, 0, 1 * MiB, &err), err);
	assert_int_equal(err.done, 1 * MiB);
	run_is(g, 64 * KiB, 128 * KiB, SHARED, 128 * KiB);
	assert_int_equal(u->n_calls, 0);
}

static void check_only_converts_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;

	unit_bind(u, g, 0, 0);
	t_ok(check(g, 0, 1 * MiB, SHARED, &err), err);
	t_refused(check(g, 0, 2 * MiB, SHARED, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	assert_int_equal(u->n_calls, 0);
	run_is(g, 0, 1 * MiB, PRIVATE, 1 * MiB);
}

static void cancelled_before_the_first_step_changes_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;
	int cancel = 1;

	unit_bind(u, g, 0, 0);
	t_refused(set(g, 0, 1 * MiB, SHARED, &cancel, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(u->n_calls, 0);
	run_is(g, 0, 1 * MiB, PRIVATE, 1 * MiB);
}

/* Cancels while the second step runs: that one is still finished. */
static void cancel_it(struct unit *u, const struct unit_call *c, void *arg)
{
	(void)arg;
	if ((c->request == ATTRIBUTES || c->request == ATTRIBUTES2) &&
	    unit_count(u, "ioctl", c->request) == 1)
		__atomic_store_n((int *)u->hook_arg, 1, __ATOMIC_RELAXED);
}

static void cancelled_between_steps_the_progress_is_exact(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 4 * GiB, 0);
	struct gmem_error err;
	int cancel = 0;

	unit_bind(u, g, 0, 0);
	u->hook = cancel_it;
	u->hook_arg = &cancel;
	t_refused(set(g, 0, 4 * GiB, SHARED, &cancel, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	u->hook = NULL;
	assert_int_equal(u->n_calls, 2);
	assert_int_equal(err.done, 2 * GiB);
	run_is(g, 0, 4 * GiB, SHARED, 2 * GiB);
	run_is(g, 2 * GiB, 2 * GiB, PRIVATE, 2 * GiB);
	cancel = 0;
	t_ok(set(g, 2 * GiB, 2 * GiB, SHARED, &cancel, &err), err);
	run_is(g, 0, 4 * GiB, SHARED, 4 * GiB);
}

/* A page that is never let go, or a signal each time: the tries are steps. */
static void cancelled_between_tries_no_more_are_made(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	for (int signals = 0; signals < 2; signals++) {
		int cancel = 0;

		unit_reset(u);
		if (signals)
			unit_answer(u, "ioctl", ATTRIBUTES2, 1, UINT32_MAX,
				    -EINTR);
		else
			t_ok(gmem_model_pin(u->vm, gmem_fd(g), 512 * KiB,
					    u->page, &err),
			     err);
		u->hook = cancel_it;
		u->hook_arg = &cancel;
		t_refused(set(g, 0, 1 * MiB, PRIVATE, &cancel, &err),
			  -ECANCELED, GMEM_REASON_CANCELLED, err);
		u->hook = NULL;
		assert_int_equal(unit_count(u, "ioctl", ATTRIBUTES2), 2);
		assert_int_equal(err.done, 0);
		run_is(g, 0, 1 * MiB, SHARED, 1 * MiB);
	}
}

static void lookups_make_no_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, 0);
	struct gmem_error err;
	uint64_t a;

	unit_bind(u, g, 0, 0);
	t_ok(gmem_get_attributes(g, 0, 1 * MiB, &a, NULL, &err), err);
	run_is(g, 0, 1 * MiB, PRIVATE, 1 * MiB);
	t_refused(gmem_get_attributes(g, 0, 1 * MiB, NULL, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(u->n_allocs, 0);
}

/* What a callback of a conversion tries. */
struct reentry {
	struct gmem *g;
	int own, elsewhere, bind, unbind, read, tries;
	uint64_t a;
};

static void reenter(void *arg, const struct gmem_trace *ev)
{
	struct reentry *r = arg;
	struct gmem *g = r->g;

	if (!g || strncmp(ev->call, "KVM_SET_MEMORY_ATTRIBUTES", 25) != 0)
		return;
	r->g = NULL;
	r->tries++;
	r->own = gmem_set_private(g, 0, PAGE, NULL);
	r->elsewhere = t_share(g, 512 * KiB, PAGE, NULL);
	r->bind = t_bind(g, 1, GiB, 512 * KiB, PAGE, NULL, NULL);
	r->unbind = gmem_unbind(g->vm, 0, 0, 0, NULL);
	r->read = gmem_get_attributes(g, 0, PAGE, &r->a, NULL, NULL);
}

/* A refusal also where the ranges are apart: two could wait crosswise. */
static void a_callback_may_read_and_change_nothing(void **state)
{
	struct unit *u = *state;
	struct reentry r = { 0 };
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = GMEM_VM_SW_PROTECTED,
				  .trace = reenter,
				  .trace_arg = &r };
	struct gmem_error err;
	struct gmem *g;

	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	t_ok(gmem__vm_open_on(&unit_sys, u, &o, &u->vm, &err), err);
	g = unit_create(u, 1 * MiB, 0);
	t_ok(t_bind(g, 0, 0, 0, 512 * KiB, NULL, &err), err);
	r.g = g;
	t_ok(t_share(g, 0, 64 * KiB, &err), err);
	assert_int_equal(r.tries, 1);
	t_code(r.own, -EDEADLK);
	t_code(r.elsewhere, -EDEADLK);
	t_code(r.bind, -EDEADLK);
	t_code(r.unbind, -EDEADLK);
	t_code(r.read, 0);
	assert_non_null(unit_slot(u, 0));
	assert_null(unit_slot(u, 1));
	unit_same(u, g, 0);
	/* afterwards nothing is left busy */
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL; /* before @r goes */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_conversion_is_one_ioctl_through_the_slot, unit_sw),
		TEST(a_conversion_is_one_ioctl_through_the_slot, unit_sw612),
		TEST(a_range_over_two_slots_is_two_ioctls, unit_sw),
		TEST(vm_ioctls_go_in_steps_of_a_gib, unit_sw),
		TEST(a_failure_says_how_far_it_came, unit_sw),
		TEST(an_interrupted_step_is_taken_again, unit_sw),
		TEST(what_has_no_slot_has_no_attributes, unit_sw),
		TEST(an_hva_slot_has_no_attributes, unit_sw),
		TEST(a_slot_that_is_being_made_has_no_attributes, unit_sw),
		TEST(in_place_needs_no_slot, unit_inplace),
		TEST(in_place_a_shared_file_starts_shared, unit_inplace),
		TEST(a_passing_reference_is_waited_for, unit_inplace),
		TEST(a_lasting_one_is_reported_after_a_bounded_wait,
		     unit_inplace),
		TEST(when_the_time_is_over_nothing_is_waited_for, unit_inplace),
		TEST(of_huge_pages_a_prefix_stays_converted, unit_inplace),
		TEST(after_a_prefix_of_huge_pages_the_rest_follows,
		     unit_inplace),
		TEST(a_huge_page_is_converted_whole, unit_inplace),
		TEST(error_offset_is_believed_only_inside_the_range,
		     unit_inplace),
		TEST(error_offset_of_a_success_means_nothing, unit_inplace),
		TEST(after_a_prefix_a_failure_ends_the_conversion,
		     unit_inplace),
		TEST(each_errno_of_a_conversion_has_its_reason, unit_sw),
		TEST(each_errno_of_a_conversion_has_its_reason, unit_inplace),
		TEST(an_unknown_attribute_is_refused, unit_sw),
		TEST(an_unknown_attribute_is_refused, unit_inplace),
		TEST(a_vm_without_private_memory_cannot_convert, unit_default),
		TEST(a_vm_without_private_memory_cannot_convert, unit_arm64),
		TEST(check_only_converts_nothing, unit_sw),
		TEST(check_only_converts_nothing, unit_inplace),
		TEST(cancelled_before_the_first_step_changes_nothing, unit_sw),
		TEST(cancelled_between_tries_no_more_are_made, unit_inplace),
		TEST(cancelled_between_steps_the_progress_is_exact, unit_sw),
		TEST(cancelled_between_steps_the_progress_is_exact,
		     unit_inplace),
		TEST(lookups_make_no_call, unit_sw),
		TEST(a_callback_may_read_and_change_nothing, unit_sw),
		TEST(a_callback_may_read_and_change_nothing, unit_inplace),
	};

	return t_main(tests);
}
