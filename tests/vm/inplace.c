// SPDX-License-Identifier: MIT
/*
 * What binding and converting refuse because the memory would be missing or
 * differ: sharing a file without a shared side, a second backing that the guest
 * would never see, private pages under a slot in HVA mode.
 */
#include <sys/mman.h>

#include "guest.h"

#define FILE_SIZE (64 * l->page)
#define GPA (16UL << 20)

static void file(struct live *l, uint64_t flags)
{
	struct gmem_create_opts opts = { .sz = sizeof(opts), .flags = flags };

	live_ok(l, gmem_create(l->vm, FILE_SIZE, &opts, &l->g, &l->err));
}

/* Checks the reason, which is what callers use, not the errno. */
static void refused_at(struct live *l, int r, uint32_t reason, const char *file,
		       int line)
{
	if (r >= 0) {
		print_error("was not refused\n");
		_fail(file, line);
	}
	t_reason_at(&l->err, reason, file, line);
	assert_int_equal(l->err.code, r);
}
#define refused(l, call, reason) \
	refused_at((l), (call), (reason), __FILE__, __LINE__)

static uint64_t attributes(struct live *l, uint64_t offset)
{
	uint64_t a = 0;

	live_ok(l,
		gmem_get_attributes(l->g, offset, l->page, &a, NULL, &l->err));
	return a;
}

static void no_slot(struct live *l, uint32_t id)
{
	struct gmem_slot slot = { .sz = sizeof(slot) };

	refused(l, gmem_slot_get(l->vm, id, 0, &slot, &l->err),
		GMEM_REASON_NOT_BOUND);
}

static int set(struct live *l, uint64_t offset, uint64_t value, uint64_t flags)
{
	struct gmem_attributes_opts opts = { .sz = sizeof(opts),
					     .flags = flags };

	return gmem_set_attributes(l->g, offset, l->page, value, &opts,
				   &l->err);
}

/* ------------------------------------------------------- two backings -- */

static void in_place_a_second_backing_is_refused(void **state)
{
	static const uint64_t kinds[] = { 0, LIVE_SHARED };
	struct live *l = *state;
	struct gmem_slot opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_USERSPACE_ADDR,
	};
	struct guest s;

	guest_start(&s, l);
	live_need("in-place");
	opts.userspace_addr = (uintptr_t)live_memory(l, FILE_SIZE, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(kinds); i++) {
		file(l, kinds[i]);
		opts.flags = GMEM_SLOT_USERSPACE_ADDR;
		refused(l, t_bind(l->g, 0, GPA, 0, FILE_SIZE, &opts, &l->err),
			GMEM_REASON_TWO_BACKINGS);
		opts.flags |= GMEM_SLOT_CHECK_ONLY;
		refused(l, t_bind(l->g, 0, GPA, 0, FILE_SIZE, &opts, &l->err),
			GMEM_REASON_TWO_BACKINGS);
		no_slot(l, 0);
		live_ok(l, t_bind(l->g, 0, GPA, 0, FILE_SIZE, NULL, &l->err));
		live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	}
}

/* With two backings by design, the guest sees the caller's memory. */
static void elsewhere_a_second_backing_is_what_shared_pages_are(void **state)
{
	struct live *l = *state;
	struct gmem_slot opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_USERSPACE_ADDR,
	};
	unsigned char *memory;
	uint32_t value;
	struct guest s;

	guest_start(&s, l);
	live_need("two-backings");
	file(l, 0);
	memory = live_memory(l, FILE_SIZE, 0);
	opts.userspace_addr = (uintptr_t)memory;
	live_ok(l, t_bind(l->g, 0, GPA, 0, FILE_SIZE, &opts, &l->err));
	live_ok(l, gmem_set_shared(l->g, l->page, l->page, &l->err));
	t_code(guest_write(&s, GPA + l->page, 0x11), 0);
	memcpy(&value, memory + l->page, sizeof(value));
	assert_int_equal(value, 0x11);
}

/* ---------------------------------------------------- no shared side -- */

static void what_has_no_shared_side_is_not_made_shared(void **state)
{
	struct live *l = *state;
	struct guest s;
	uint32_t value;

	guest_start(&s, l);
	file(l, 0);
	live_ok(l, t_bind(l->g, 0, GPA, 0, FILE_SIZE, NULL, &l->err));
	t_code(guest_write(&s, GPA + l->page, 0x22), 0);
	refused(l, gmem_set_shared(l->g, l->page, l->page, &l->err),
		GMEM_REASON_NO_SHARED_SIDE);
	refused(l, gmem_set_shared(l->g, 0, FILE_SIZE, &l->err),
		GMEM_REASON_NO_SHARED_SIDE);
	refused(l, set(l, l->page, GMEM_ATTRIBUTE_SHARED, 0),
		GMEM_REASON_NO_SHARED_SIDE);
	refused(l,
		set(l, l->page, GMEM_ATTRIBUTE_SHARED,
		    GMEM_ATTRIBUTES_CHECK_ONLY),
		GMEM_REASON_NO_SHARED_SIDE);
	assert_int_equal(attributes(l, l->page), GMEM_ATTRIBUTE_PRIVATE);
	t_code(guest_read(&s, GPA + l->page, &value), 0);
	assert_int_equal(value, 0x22);
	live_ok(l, gmem_set_private(l->g, 0, FILE_SIZE, &l->err));
}

static void it_is_made_shared_if_that_is_asked_by_name(void **state)
{
	struct live *l = *state;
	struct guest s;
	int want;

	guest_start(&s, l);
	want = live_has("in-place") ? 0 : -EFAULT;
	file(l, 0);
	live_ok(l, t_bind(l->g, 0, GPA, 0, FILE_SIZE, NULL, &l->err));
	live_ok(l, set(l, l->page, GMEM_ATTRIBUTE_SHARED,
		       GMEM_ATTRIBUTES_UNBACKED));
	assert_int_equal(attributes(l, l->page), GMEM_ATTRIBUTE_SHARED);
	t_code(guest_write(&s, GPA + l->page, 0x33), want);
	if (want < 0)
		assert_int_equal(s.vcpu.run->exit_reason, KVM_EXIT_UNKNOWN);
	t_code(guest_write(&s, GPA, 0x33), 0);
	live_ok(l, gmem_set_private(l->g, l->page, l->page, &l->err));
	t_code(guest_write(&s, GPA + l->page, 0x33), 0);
}

/* ------------------------------------------------------- in place only -- */

static void what_a_mapping_slot_shows_is_not_made_private(void **state)
{
	struct gmem_slot opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_READONLY,
	};
	struct live *l = *state;
	uint32_t value = 0x44;
	struct guest s;

	guest_start(&s, l);
	live_need("in-place");
	file(l, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, GPA, 0, FILE_SIZE / 2, &opts, &l->err));
	live_ok(l, gmem_write(l->g, l->page, &value, sizeof(value), &l->err));
	refused(l, gmem_set_private(l->g, l->page, l->page, &l->err),
		GMEM_REASON_HVA_BOUND);
	refused(l, gmem_set_private(l->g, 0, FILE_SIZE, &l->err),
		GMEM_REASON_HVA_BOUND);
	assert_int_equal(attributes(l, l->page), GMEM_ATTRIBUTE_SHARED);
	t_code(guest_read(&s, GPA + l->page, &value), 0);
	assert_int_equal(value, 0x44);
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));

	/* with the slot gone it may be, and then the slot may not */
	live_ok(l, t_bind(l->g, 1, GPA, 0, FILE_SIZE, NULL, &l->err));
	live_ok(l, gmem_set_private(l->g, l->page, l->page, &l->err));
	refused(l, t_bind(l->g, 2, 2 * GPA, 0, FILE_SIZE / 2, &opts, &l->err),
		GMEM_REASON_PRIVATE);
}

/* A file that starts private, with and without LEAVE_SHARED. */
static void in_place_leave_shared_makes_the_range_shared(void **state)
{
	struct live *l = *state;
	struct gmem_slot opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_LEAVE_SHARED,
	};
	struct guest s;
	uint32_t value;

	guest_start(&s, l);
	live_need("in-place");
	file(l, GMEM_CREATE_MMAP);
	live_ok(l, t_bind(l->g, 0, GPA, 0, FILE_SIZE / 2, &opts, &l->err));
	live_ok(l, t_bind(l->g, 1, GPA + FILE_SIZE / 2, FILE_SIZE / 2,
			  FILE_SIZE / 2, NULL, &l->err));
	assert_int_equal(attributes(l, 0), GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(attributes(l, FILE_SIZE / 2 - l->page),
			 GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(attributes(l, FILE_SIZE / 2), GMEM_ATTRIBUTE_PRIVATE);

	/* guest and host see the same memory there, and only there */
	t_code(guest_write(&s, GPA + l->page, 0x55), 0);
	live_ok(l, gmem_read(l->g, l->page, &value, sizeof(value), &l->err));
	assert_int_equal(value, 0x55);
	value = 0x66;
	live_ok(l, gmem_write(l->g, l->page, &value, sizeof(value), &l->err));
	value = 0;
	t_code(guest_read(&s, GPA + l->page, &value), 0);
	assert_int_equal(value, 0x66);
	refused(l,
		gmem_read(l->g, FILE_SIZE / 2, &value, sizeof(value), &l->err),
		GMEM_REASON_PRIVATE);
}

int main(void)
{
	const struct CMUnitTest inplace[] = {
		live_test(in_place_a_second_backing_is_refused),
		live_test(elsewhere_a_second_backing_is_what_shared_pages_are),
		live_test(what_has_no_shared_side_is_not_made_shared),
		live_test(it_is_made_shared_if_that_is_asked_by_name),
		live_test(what_a_mapping_slot_shows_is_not_made_private),
		live_test(in_place_leave_shared_makes_the_range_shared),
	};

	return t_main(inplace);
}
