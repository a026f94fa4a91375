// SPDX-License-Identifier: MIT
/*
 * Private and shared: the record compared with what the kernel does.  On some
 * kernels that is the VM's, by guest address, and private once a slot is bound;
 * where they convert in place it is the file's, from its first moment on.
 */
#include <sys/mman.h>

#include "live.h"

#define GPA (64 * l->page)

static bool in_place(void)
{
	return live_has("in-place");
}

/*
 * A VM that converts, and a private file of @pages; in place it can be mapped,
 * which shows what the kernel has.
 */
static void start_private(struct live *l, uint64_t pages)
{
	live_need("private-memory");
	live_need("pre-fault");
	live_vm(l, GMEM_VM_SW_PROTECTED);
	live_file(l, pages, in_place() ? GMEM_CREATE_MMAP : 0);
}

static void bind(struct live *l, uint32_t slot, uint64_t flags)
{
	struct gmem_slot opts = { .sz = sizeof(opts), .flags = flags };

	t_code(t_bound(l->g, slot, GPA, 0, gmem_size(l->g), &opts, &l->err),
	       GMEM_SLOT_FD);
	l->n_calls = 0;
}

/* The library's record of the page at @offset. */
static uint64_t recorded(struct live *l, uint64_t offset)
{
	uint64_t attributes;

	live_ok(l, gmem_get_attributes(l->g, offset, l->page, &attributes, NULL,
				       &l->err));
	return attributes;
}

/* The host cannot touch what a file has as private. */
static bool file_private(struct live *l, uint64_t offset)
{
	void *page = mmap(NULL, l->page, PROT_READ, MAP_SHARED, gmem_fd(l->g),
			  (off_t)offset);
	bool private;

	assert_true(page != MAP_FAILED);
	private = live_touch(page);
	munmap(page, l->page);
	return private;
}

/* What the kernel has for the page at @offset of a file bound in slot 0. */
static bool kernel_private(struct live *l, uint64_t offset)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	int vm = gmem_vm_fd(l->vm);
	bool private;

	if (in_place())
		return file_private(l, offset);
	/* the probe needs the slot gone; attributes outlive it */
	live_ok(l, gmem_slot_get(l->vm, 0, 0, &s, &l->err));
	t_code(raw_delete(vm, 0), 0);
	private = guest_private(l, GPA + offset);
	t_code(raw_bind(vm, 0, s.gpa, s.len,
			(void *)(uintptr_t)s.userspace_addr, s.fd, s.offset),
	       0);
	return private;
}

static void shared_for_good_is_no_call(void **state)
{
	struct live *l = *state;
	uint64_t attributes, run;

	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, 4, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, 4 * l->page, NULL, &l->err));
	l->n_calls = 0;
	live_ok(l, t_share(l->g, 0, 4 * l->page, &l->err));
	live_ok(l, gmem_get_attributes(l->g, 0, 4 * l->page, &attributes, &run,
				       &l->err));
	assert_int_equal(attributes, GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(run, 4 * l->page);
	assert_int_equal(l->n_calls, 0);
}

/* PRIVATE is EINVAL on a VM without private memory, ENOTTY on a kernel. */
static void private_is_refused_on_a_default_vm(void **state)
{
	struct live *l = *state;

	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, 4, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, 4 * l->page, NULL, &l->err));
	l->n_calls = 0;
	live_refused(l, gmem_set_private(l->g, 0, l->page, &l->err),
		     -EOPNOTSUPP, GMEM_REASON_NO_PRIVATE_MEMORY);
#ifndef __aarch64__
	t_code(raw_attributes(gmem_vm_fd(l->vm), 0, l->page,
			      GMEM__ATTRIBUTE_PRIVATE),
	       live_has("private-memory") ? -EINVAL : -ENOTTY);
#endif
	t_code(raw_file_attributes(gmem_fd(l->g), 0, l->page,
				   GMEM__ATTRIBUTE_PRIVATE),
	       in_place() ? -EINVAL : -ENOTTY);
}

/* One of the two calls converts, and the other is refused. */
static void the_kernel_converts_by_guest_address_or_in_place(void **state)
{
	struct live *l = *state;
	int by_gpa, by_offset;

	start_private(l, 4);
	bind(l, 0, GMEM_SLOT_LEAVE_SHARED);
	by_gpa = raw_attributes(gmem_vm_fd(l->vm), GPA, l->page,
				GMEM__ATTRIBUTE_PRIVATE);
	t_code(by_gpa, in_place() ? -EINVAL : 0);
	assert_int_equal(kernel_private(l, 0), !in_place());
	by_offset = raw_file_attributes(gmem_fd(l->g), l->page, l->page,
					GMEM__ATTRIBUTE_PRIVATE);
	t_code(by_offset, in_place() ? 0 : -ENOTTY);
	assert_int_equal(kernel_private(l, l->page), in_place());
	if (!in_place())
		t_code(raw_attributes(gmem_vm_fd(l->vm), GPA, l->page, 0), 0);
}

/* In place a file is what its flags say before anything is bound. */
static void a_file_is_private_from_its_bind_or_from_birth(void **state)
{
	struct live *l = *state;

	start_private(l, 4);
	if (!in_place()) {
		assert_int_equal(recorded(l, 0), GMEM_ATTRIBUTE_UNSET);
		assert_false(guest_private(l, GPA));
		bind(l, 0, 0);
		assert_true(kernel_private(l, 0));
		return;
	}
	assert_int_equal(recorded(l, 0), GMEM_ATTRIBUTE_PRIVATE);
	assert_true(kernel_private(l, 0));
	assert_true(kernel_private(l, 3 * l->page));
	live_file(l, 4, LIVE_SHARED);
	assert_int_equal(recorded(l, 0), GMEM_ATTRIBUTE_SHARED);
	assert_false(kernel_private(l, 0));
	assert_false(kernel_private(l, 3 * l->page));
}

static void set_refuses_a_bad_range(void **state)
{
	struct live *l = *state;
	const struct {
		uint64_t offset, len, attributes;
		uint32_t reason;
	} rows[] = {
		{ 0, 0, 0, GMEM_REASON_ZERO_SIZE },
		{ 512, l->page, 0, GMEM_REASON_UNALIGNED },
		{ 0, 512, 0, GMEM_REASON_UNALIGNED },
		{ -l->page, 2 * l->page, 0, GMEM_REASON_OFFSET_OVERFLOW },
		{ 3 * l->page, 2 * l->page, 0, GMEM_REASON_OUTSIDE_FILE },
		{ 0, l->page, 1 << 2, GMEM_REASON_ATTRIBUTE_UNKNOWN },
		{ 0, l->page, 3 << 3, GMEM_REASON_ATTRIBUTE_UNKNOWN },
	};

	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, 4, LIVE_SHARED);
	l->n_calls = 0;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++)
		live_refused(
			l,
			gmem_set_attributes(l->g, rows[i].offset, rows[i].len,
					    rows[i].attributes, NULL, &l->err),
			-EINVAL, rows[i].reason);
}

static void bind_sets_private(void **state)
{
	struct live *l = *state;

	start_private(l, 4);
	bind(l, 0, 0);
	for (uint64_t at = 0; at < 4 * l->page; at += l->page) {
		assert_int_equal(recorded(l, at), GMEM_ATTRIBUTE_PRIVATE);
		assert_true(kernel_private(l, at));
	}
}

static void bind_leaves_shared_what_is_asked_for(void **state)
{
	struct live *l = *state;

	start_private(l, 4);
	bind(l, 0, GMEM_SLOT_LEAVE_SHARED);
	assert_int_equal(recorded(l, 0), GMEM_ATTRIBUTE_SHARED);
	assert_false(kernel_private(l, 0));
	assert_false(kernel_private(l, 3 * l->page));
}

/* In place there is nothing to reset: attributes are the file's. */
static void unbind_deletes_the_slot_then_resets(void **state)
{
	struct live *l = *state;

	start_private(l, 4);
	bind(l, 0, 0);
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	for (uint64_t at = 0; at < 4 * l->page; at += l->page)
		assert_false(guest_private(l, GPA + at));
	if (in_place()) {
		assert_int_equal(l->n_calls, 1);
		assert_string_equal(l->calls[0].name,
				    "KVM_SET_USER_MEMORY_REGION");
		assert_int_equal(recorded(l, 0), GMEM_ATTRIBUTE_PRIVATE);
		assert_true(file_private(l, 0));
		return;
	}
	assert_int_equal(l->n_calls, 3);
	assert_string_equal(l->calls[0].name, "KVM_SET_USER_MEMORY_REGION");
	assert_string_equal(l->calls[1].name, "KVM_SET_MEMORY_ATTRIBUTES");
	assert_string_equal(l->calls[2].name, "munmap");
	assert_int_equal(recorded(l, 0), GMEM_ATTRIBUTE_UNSET);
}

static void unbind_keeps_attributes_when_asked_until_the_next_bind(void **state)
{
	struct live *l = *state;

	start_private(l, 4);
	bind(l, 0, 0);
	live_ok(l,
		gmem_unbind(l->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &l->err));
	assert_int_equal(l->n_calls, in_place() ? 1 : 2);
	assert_string_equal(l->calls[0].name, "KVM_SET_USER_MEMORY_REGION");
	if (!in_place())
		assert_string_equal(l->calls[1].name, "munmap");
	assert_true(in_place() ? file_private(l, 0) : guest_private(l, GPA));
	bind(l, 0, GMEM_SLOT_LEAVE_SHARED);
	assert_false(kernel_private(l, 0));
}

static void set_changes_record_and_kernel_alike(void **state)
{
	struct live *l = *state;
	uint64_t attributes, run;

	start_private(l, 8);
	bind(l, 0, 0);
	live_ok(l, t_share(l->g, 2 * l->page, 3 * l->page, &l->err));
	assert_int_equal(l->n_calls, 1);
	assert_string_equal(l->calls[0].name,
			    in_place() ? "KVM_SET_MEMORY_ATTRIBUTES2"
				       : "KVM_SET_MEMORY_ATTRIBUTES");
	assert_int_equal(l->calls[0].arg[1],
			 (in_place() ? 0 : GPA) + 2 * l->page);
	assert_int_equal(l->calls[0].arg[2], 3 * l->page);
	live_ok(l, gmem_set_private(l->g, 3 * l->page, l->page, &l->err));
	for (int i = 0; i < 8; i++) {
		bool private = i != 2 && i != 4;

		assert_int_equal(recorded(l, i * l->page),
				 private ? GMEM_ATTRIBUTE_PRIVATE
					 : GMEM_ATTRIBUTE_SHARED);
		assert_int_equal(kernel_private(l, i * l->page), private);
	}
	live_ok(l, gmem_get_attributes(l->g, 5 * l->page, 3 * l->page,
				       &attributes, &run, &l->err));
	assert_int_equal(attributes, GMEM_ATTRIBUTE_PRIVATE);
	assert_int_equal(run, 3 * l->page);
}

/* An attribute of the VM needs an address, one of a file does not. */
static void set_refuses_what_no_slot_has_unless_in_place(void **state)
{
	struct live *l = *state;

	start_private(l, 4);
	if (in_place()) {
		live_ok(l, t_share(l->g, 0, 2 * l->page, &l->err));
		assert_false(kernel_private(l, 0));
		assert_true(kernel_private(l, 2 * l->page));
		live_ok(l, gmem_set_private(l->g, 0, l->page, &l->err));
		assert_true(kernel_private(l, 0));
		assert_false(kernel_private(l, l->page));
		assert_int_equal(recorded(l, l->page), GMEM_ATTRIBUTE_SHARED);
		return;
	}
	live_refused(l, gmem_set_private(l->g, 0, l->page, &l->err), -EINVAL,
		     GMEM_REASON_NOT_BOUND);
	live_ok(l, t_bind(l->g, 0, GPA, 0, 2 * l->page, NULL, &l->err));
	live_refused(l, t_share(l->g, 0, 3 * l->page, &l->err), -EINVAL,
		     GMEM_REASON_NOT_BOUND);
	assert_true(kernel_private(l, 0));
}

static void set_crosses_slots(void **state)
{
	struct live *l = *state;

	start_private(l, 4);
	live_ok(l, t_bind(l->g, 0, GPA, 0, 2 * l->page, NULL, &l->err));
	live_ok(l, t_bind(l->g, 1, 2 * GPA, 2 * l->page, 2 * l->page, NULL,
			  &l->err));
	l->n_calls = 0;
	live_ok(l, t_share(l->g, l->page, 2 * l->page, &l->err));
	if (in_place()) {
		assert_int_equal(l->n_calls, 1);
		assert_int_equal(l->calls[0].arg[1], l->page);
		assert_int_equal(l->calls[0].arg[2], 2 * l->page);
		assert_false(kernel_private(l, 2 * l->page));
		assert_true(kernel_private(l, 3 * l->page));
	} else {
		assert_int_equal(l->n_calls, 2);
		assert_int_equal(l->calls[0].arg[1], GPA + l->page);
		assert_int_equal(l->calls[1].arg[1], 2 * GPA);
	}
	assert_true(kernel_private(l, 0));
	assert_false(kernel_private(l, l->page));
}

/* Slot 0 of a file of two pages, made without the library, then noted. */
static void start_noted(struct live *l)
{
	struct gmem_slot note = { .sz = sizeof(note), .flags = GMEM_SLOT_FD };
	void *side;

	start_private(l, 2);
	note.gpa = GPA;
	note.len = 2 * l->page;
	note.gmem = l->g;
	note.fd = gmem_fd(l->g);
	side = mmap(NULL, note.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	live_keep_map(l, side, note.len);
	note.userspace_addr = (uintptr_t)side;
	t_code(raw_bind(gmem_vm_fd(l->vm), 0, GPA, note.len, side, note.fd, 0),
	       0);
	live_ok(l, gmem_slot_note(l->vm, &note, &l->err));
}

static void drop_noted(struct live *l)
{
	t_code(raw_delete(gmem_vm_fd(l->vm), 0), 0);
	live_ok(l, gmem_slot_forget(l->vm, 0, 0, &l->err));
}

static void set_goes_through_a_noted_slot(void **state)
{
	struct live *l = *state;

	start_noted(l);
	/* in place it starts private */
	live_ok(l, t_share(l->g, 0, 2 * l->page, &l->err));
	live_ok(l, gmem_set_private(l->g, l->page, l->page, &l->err));
	assert_false(kernel_private(l, 0));
	assert_true(kernel_private(l, l->page));
	live_ok(l, t_share(l->g, l->page, l->page, &l->err));
	drop_noted(l);
}

/* A slot can be forgotten while its pages are private. */
static void bind_resets_what_a_forgotten_slot_left(void **state)
{
	struct live *l = *state;

	start_noted(l);
	live_ok(l, gmem_set_private(l->g, 0, 2 * l->page, &l->err));
	drop_noted(l);
	bind(l, 0, GMEM_SLOT_LEAVE_SHARED);
	assert_int_equal(recorded(l, 0), GMEM_ATTRIBUTE_SHARED);
	assert_false(kernel_private(l, 0));
	assert_false(kernel_private(l, l->page));
}

/* The kernel walks page by page, so long ranges go in steps. */
static void set_goes_in_steps_of_a_gibibyte(void **state)
{
	struct live *l = *state;
	uint64_t size = 5ULL << 29;

	start_private(l, size / l->page);
	live_ok(l, t_bind(l->g, 0, GPA, 0, size, NULL, &l->err));
	l->n_calls = 0;
	live_ok(l, t_share(l->g, 0, size, &l->err));
	assert_int_equal(l->n_calls, 3);
	assert_int_equal(l->err.done, size);
	for (int i = 0; i < 3; i++)
		assert_true(l->calls[i].arg[2] <= 1ULL << 30);
	assert_false(kernel_private(l, size - l->page));
}

static void set_stops_when_cancelled(void **state)
{
	struct live *l = *state;
	int cancel = 1;
	struct gmem_attributes_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_ATTRIBUTES_UNBACKED,
		.cancel = &cancel,
	};

	start_private(l, 2);
	bind(l, 0, 0);
	live_refused(l,
		     gmem_set_attributes(l->g, 0, 2 * l->page,
					 GMEM_ATTRIBUTE_SHARED, &opts, &l->err),
		     -ECANCELED, GMEM_REASON_CANCELLED);
	assert_int_equal(l->err.done, 0);
	assert_true(kernel_private(l, 0));
}

static void import_puts_an_exported_record_back(void **state)
{
	struct live *l = *state;
	unsigned char record[4096];
	size_t len = sizeof(record);

	start_private(l, 4);
	bind(l, 0, 0);
	live_ok(l, t_share(l->g, l->page, l->page, &l->err));
	live_ok(l, gmem_attributes_export(l->g, record, &len, &l->err));
	live_ok(l, t_share(l->g, 0, 4 * l->page, &l->err));
	live_ok(l, gmem_attributes_import(l->g, record, len,
					  GMEM_IMPORT_UNBACKED, &l->err));
	for (int i = 0; i < 4; i++) {
		assert_int_equal(kernel_private(l, i * l->page), i != 1);
		assert_int_equal(recorded(l, i * l->page),
				 i != 1 ? GMEM_ATTRIBUTE_PRIVATE
					: GMEM_ATTRIBUTE_SHARED);
	}
}

/* In place all pages are the file's, which alone shows shared ones. */
static void the_guest_gets_the_file_in_place(struct live *l)
{
	struct gmem_slot opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_LEAVE_SHARED,
	};
	uint64_t page = guest_result();
	unsigned char *decoy, *ram, none[4];
	uint32_t two = 2;

	start_private(l, LIVE_RAM / l->page);
	memset(none, 0xee, sizeof(none));
	live_ok(l, t_bind(l->g, 0, 0, 0, LIVE_RAM, &opts, &l->err));
	guest_load(l, l->g, 0, "ab");
	decoy = live_decoy(l, LIVE_RAM, 0xee);

	live_ok(l, gmem_set_private(l->g, page, l->page, &l->err));
	t_code(guest_run(l), 2);
	assert_true(file_private(l, page));

	/* this VM type keeps the contents */
	live_ok(l, t_share(l->g, page, l->page, &l->err));
	ram = raw_map(l, gmem_fd(l->g), LIVE_RAM, PROT_READ | PROT_WRITE);
	assert_memory_equal(ram + page, &two, sizeof(two));
	memset(ram + page, 0, sizeof(two));
	t_code(guest_run(l), 2);
	assert_memory_equal(ram + page, &two, sizeof(two));
	assert_memory_equal(decoy + page, none, sizeof(none));
}

/* Private pages are the file's, shared ones are userspace_addr's. */
static void the_guest_gets_the_memory_that_the_attribute_says(void **state)
{
	struct live *l = *state;
	struct gmem_slot opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_FD | GMEM_SLOT_USERSPACE_ADDR |
			 GMEM_SLOT_LEAVE_SHARED,
	};
	uint64_t page = guest_result();
	unsigned char *ram, none[4];
	uint32_t two = 2;

	if (in_place()) {
		the_guest_gets_the_file_in_place(l);
		return;
	}
	start_private(l, LIVE_RAM / l->page);
	ram = live_memory(l, LIVE_RAM, 0xee);
	memset(none, 0xee, sizeof(none));
	guest_copy(ram, "ab");
	opts.userspace_addr = (uintptr_t)ram;
	live_ok(l, t_bind(l->g, 0, 0, 0, LIVE_RAM, &opts, &l->err));

	live_ok(l, gmem_set_private(l->g, page, l->page, &l->err));
	t_code(guest_run(l), 2);
	assert_memory_equal(ram + page, none, sizeof(none));
	if (live_has("residency"))
		assert_int_equal(raw_resident(gmem_fd(l->g), 0, LIVE_RAM), 1);

	live_ok(l, t_share(l->g, page, l->page, &l->err));
	t_code(guest_run(l), 2);
	assert_memory_equal(ram + page, &two, sizeof(two));
}

/* 6.18: /dev/kvm answers for all types together. */
static void each_vm_answers_for_its_own_type(void **state)
{
	struct live *l = *state;
	struct gmem_vm *vms[2];

	live_need("private-memory");
	vms[0] = live_vm(l, GMEM_VM_DEFAULT);
	vms[1] = live_vm(l, GMEM_VM_SW_PROTECTED);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(t_support(vms[i], GMEM_FEATURE_VM_ATTRIBUTES),
				 i && !in_place() ? GMEM_YES : GMEM_NO);
		assert_int_equal(
			t_support(vms[i], GMEM_FEATURE_FILE_ATTRIBUTES),
			i && in_place() ? GMEM_YES : GMEM_NO);
	}
	assert_int_equal(t_support(vms[1], GMEM_FEATURE_GUEST_MEMFD), GMEM_YES);
}

int main(void)
{
	const struct CMUnitTest attr[] = {
		live_test(shared_for_good_is_no_call),
		live_test(private_is_refused_on_a_default_vm),
		live_test(set_refuses_a_bad_range),
		live_test(the_kernel_converts_by_guest_address_or_in_place),
		live_test(a_file_is_private_from_its_bind_or_from_birth),
		live_test(bind_sets_private),
		live_test(bind_leaves_shared_what_is_asked_for),
		live_test(unbind_deletes_the_slot_then_resets),
		live_test(
			unbind_keeps_attributes_when_asked_until_the_next_bind),
		live_test(set_changes_record_and_kernel_alike),
		live_test(set_refuses_what_no_slot_has_unless_in_place),
		live_test(set_crosses_slots),
		live_test(set_goes_through_a_noted_slot),
		live_test(bind_resets_what_a_forgotten_slot_left),
		live_test(set_goes_in_steps_of_a_gibibyte),
		live_test(set_stops_when_cancelled),
		live_test(import_puts_an_exported_record_back),
		live_test(the_guest_gets_the_memory_that_the_attribute_says),
		live_test(each_vm_answers_for_its_own_type),
	};

	return t_main(attr);
}
