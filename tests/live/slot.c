// SPDX-License-Identifier: MIT
/* Binding: each check of the kernel, in its order, then what a slot does. */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "live.h"

#define FILE_PAGES 16

/* A file of FILE_PAGES; pages 4 to 7 are bound at guest page 16, slot 1. */
static void start(struct live *l)
{
	live_bindable(l, FILE_PAGES);
	live_ok(l, t_bind(l->g, 1, 16 * l->page, 4 * l->page, 4 * l->page, NULL,
			  &l->err));
	l->n_calls = 0;
}

/* The kernel refuses a bind with @raw, and the library refuses the same. */
static void refused(struct live *l, uint32_t slot, uint64_t gpa,
		    uint64_t offset, uint64_t len, int raw, int code,
		    uint32_t reason)
{
	t_code(raw_bind(gmem_vm_fd(l->vm), slot, gpa, len, NULL, gmem_fd(l->g),
			offset),
	       raw);
	live_refused(l, t_bind(l->g, slot, gpa, offset, len, NULL, &l->err),
		     code, reason);
}

static void bind_refuses_a_slot_id_beyond_the_limit(void **state)
{
	struct live *l = *state;
	int limit;

	start(l);
	limit = raw_cap(gmem_vm_fd(l->vm), GMEM__CAP_NR_MEMSLOTS);
	refused(l, limit, 0, 0, l->page, -EINVAL, -EINVAL,
		GMEM_REASON_SLOT_LIMIT);
	live_ok(l, t_bind(l->g, limit - 1, 0, 0, l->page, NULL, &l->err));
	live_ok(l, gmem_unbind(l->vm, limit - 1, 0, 0, &l->err));
}

static void bind_in_fd_mode_refuses_dirty_log_and_readonly(void **state)
{
	static const struct {
		uint64_t flag;
		uint32_t raw, reason;
	} rows[] = {
		{ GMEM_SLOT_DIRTY_LOG, GMEM__MEM_LOG_DIRTY_PAGES,
		  GMEM_REASON_DIRTY_LOG },
		{ GMEM_SLOT_READONLY, GMEM__MEM_READONLY,
		  GMEM_REASON_READONLY },
	};
	struct live *l = *state;

	start(l);
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_slot opts = {
			.sz = sizeof(opts),
			.flags = GMEM_SLOT_FD | rows[i].flag,
		};
		struct gmem__region2 r = {
			.region = {
				.flags = GMEM__MEM_GUEST_MEMFD | rows[i].raw,
				.memory_size = l->page,
			},
			.guest_memfd = gmem_fd(l->g),
		};

		t_code(raw_ioctl(gmem_vm_fd(l->vm),
				 GMEM__KVM_SET_USER_MEMORY_REGION2, &r),
		       -EINVAL);
		live_refused(l, t_bind(l->g, 0, 0, 0, l->page, &opts, &l->err),
			     -EOPNOTSUPP, rows[i].reason);
	}
}

static void bind_refuses_what_is_not_page_aligned(void **state)
{
	struct live *l = *state;

	start(l);
	refused(l, 0, 0, 0, l->page - 512, -EINVAL, -EINVAL,
		GMEM_REASON_UNALIGNED);
	refused(l, 0, 512, 0, l->page, -EINVAL, -EINVAL, GMEM_REASON_UNALIGNED);
	refused(l, 0, 0, 512, l->page, -EINVAL, -EINVAL, GMEM_REASON_UNALIGNED);
	refused(l, 0, 0, 0, 0, -EINVAL, -EINVAL, GMEM_REASON_ZERO_SIZE);
}

/* The kernel checks it although the guest's memory is the file. */
static void a_userspace_addr_that_is_none_is_refused(void **state)
{
	struct live *l = *state;
	uint64_t addrs[] = { l->page / 2, -16 * l->page };

	start(l);
	for (size_t i = 0; i < T_ARRAY_SIZE(addrs); i++) {
		struct gmem_slot note = {
			.sz = sizeof(note),
			.len = l->page,
			.userspace_addr = addrs[i],
			.gmem = l->g,
			.flags = GMEM_SLOT_FD,
		};

		t_code(raw_bind(gmem_vm_fd(l->vm), 0, 0, l->page,
				(void *)(uintptr_t)addrs[i], gmem_fd(l->g), 0),
		       -EINVAL);
		live_refused(l, gmem_slot_note(l->vm, &note, &l->err), -EINVAL,
			     GMEM_REASON_USERSPACE_ADDR);
	}
}

static void bind_refuses_an_offset_that_wraps(void **state)
{
	struct live *l = *state;

	start(l);
	refused(l, 0, 0, -l->page, 2 * l->page, -EINVAL, -EINVAL,
		GMEM_REASON_OFFSET_OVERFLOW);
}

/* A kernel without the fix binds a range that no file can have. */
static void bind_refuses_an_offset_beyond_63_bits(void **state)
{
	struct live *l = *state;
	uint64_t offset = (1ULL << 63) - l->page;
	int r;

	start(l);
	r = raw_bind(gmem_vm_fd(l->vm), 0, 0, 16 * l->page, NULL, gmem_fd(l->g),
		     offset);
	if (!live_kernel(7, 2) && r == 0)
		t_code(raw_delete(gmem_vm_fd(l->vm), 0), 0);
	else
		t_code(r, -EINVAL);
	live_refused(l, t_bind(l->g, 0, 0, offset, 16 * l->page, NULL, &l->err),
		     -EINVAL, GMEM_REASON_OFFSET_OVERFLOW);
}

/* A range of a file is bound once, across address spaces too. */
static void bind_knows_the_address_spaces(void **state)
{
	struct live *l = *state;
	struct gmem_slot opts = { .sz = sizeof(opts), .address_space = 1 };
	int spaces;

	start(l);
	spaces = raw_cap(gmem_vm_fd(l->vm), GMEM__CAP_MULTI_ADDRESS_SPACE);
	if (spaces > 1) {
		live_ok(l, t_bind(l->g, 1, 16 * l->page, 0, l->page, &opts,
				  &l->err));
		live_refused(l,
			     t_bind(l->g, 2, 0, 4 * l->page, l->page, &opts,
				    &l->err),
			     -EEXIST, GMEM_REASON_RANGE_BOUND);
		live_ok(l, gmem_unbind(l->vm, 1, 1, 0, &l->err));
		opts.address_space = spaces;
	}
	t_code(raw_bind(gmem_vm_fd(l->vm), 2 | opts.address_space << 16, 0,
			l->page, NULL, gmem_fd(l->g), 0),
	       -EINVAL);
	live_refused(l, t_bind(l->g, 2, 0, 0, l->page, &opts, &l->err), -EINVAL,
		     GMEM_REASON_ADDRESS_SPACE);
}

static void bind_refuses_a_gpa_that_wraps(void **state)
{
	struct live *l = *state;

	start(l);
	refused(l, 0, -l->page, 0, 2 * l->page, -EINVAL, -EINVAL,
		GMEM_REASON_GPA_OVERFLOW);
}

/* A slot has at most 2^31 - 1 pages. */
static void bind_refuses_a_slot_that_is_too_large(void **state)
{
	struct live *l = *state;
	uint64_t pages = 1ULL << 31;

	start(l);
	live_file(l, pages, gmem_flags(l->g));
	l->n_calls = 0;
	refused(l, 0, 0, 0, pages * l->page, -EINVAL, -EINVAL,
		GMEM_REASON_SLOT_TOO_LARGE);
}

static void unbind_refuses_a_slot_that_is_not_there(void **state)
{
	struct live *l = *state;

	start(l);
	t_code(raw_delete(gmem_vm_fd(l->vm), 9), -EINVAL);
	live_refused(l, gmem_unbind(l->vm, 9, 0, 0, &l->err), -EINVAL,
		     GMEM_REASON_NOT_BOUND);
}

/* Slots with a guest_memfd never change. */
static void bind_refuses_a_slot_that_exists(void **state)
{
	struct live *l = *state;

	start(l);
	/* the same again, moved, and resized */
	refused(l, 1, 16 * l->page, 4 * l->page, 4 * l->page, -EINVAL, -EEXIST,
		GMEM_REASON_SLOT_IN_USE);
	refused(l, 1, 32 * l->page, 4 * l->page, 4 * l->page, -EINVAL, -EEXIST,
		GMEM_REASON_SLOT_IN_USE);
	refused(l, 1, 16 * l->page, 4 * l->page, 2 * l->page, -EINVAL, -EEXIST,
		GMEM_REASON_SLOT_IN_USE);
}

static void bind_refuses_a_gpa_that_a_slot_has(void **state)
{
	struct live *l = *state;

	start(l);
	refused(l, 0, 19 * l->page, 8 * l->page, 4 * l->page, -EEXIST, -EEXIST,
		GMEM_REASON_GPA_OVERLAP);
	/* comes before the check of the file's range */
	refused(l, 0, 19 * l->page, 4 * l->page, 4 * l->page, -EEXIST, -EEXIST,
		GMEM_REASON_GPA_OVERLAP);
	live_ok(l, t_bind(l->g, 0, 20 * l->page, 8 * l->page, 4 * l->page, NULL,
			  &l->err));
}

static void bind_refuses_a_range_outside_the_file(void **state)
{
	struct live *l = *state;

	start(l);
	refused(l, 0, 0, FILE_PAGES * l->page, l->page, -EINVAL, -EINVAL,
		GMEM_REASON_OUTSIDE_FILE);
	refused(l, 0, 0, (FILE_PAGES - 1) * l->page, 2 * l->page, -EINVAL,
		-EINVAL, GMEM_REASON_OUTSIDE_FILE);
}

/* The kernel binds it, except on arm64. */
static void bind_refuses_a_file_that_no_guest_uses(void **state)
{
	struct live *l = *state;

	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, 1, GMEM_CREATE_UNBOUND);
	l->n_calls = 0;
#ifdef __aarch64__
	live_refused(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err),
		     -EOPNOTSUPP, GMEM_REASON_NEEDS_MMAP);
#else
	live_refused(l, t_bind(l->g, 0, 0, 0, l->page, NULL, &l->err), -EINVAL,
		     GMEM_REASON_NEVER_USED);
#endif
}

static struct gmem *adopt_in_another_vm(struct live *l, uint64_t flags)
{
	struct gmem_adopt_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_ADOPT_INIT_SHARED | flags,
	};
	int fd = fcntl(gmem_fd(l->g), F_DUPFD_CLOEXEC, 0);
	struct gmem *g;

	live_vm(l, GMEM_VM_DEFAULT);
	live_ok(l, gmem_adopt(l->vm, fd, &opts, &g, &l->err));
	l->n_calls = 0;
	return g;
}

static void bind_refuses_another_vms_file_in_fd_mode(void **state)
{
	struct live *l = *state;
	struct gmem_slot fd = { .sz = sizeof(fd), .flags = GMEM_SLOT_FD };
	struct gmem *g;

	live_need("init-shared");
	start(l);
	g = adopt_in_another_vm(l, GMEM_ADOPT_FOREIGN);
	live_refused(l, t_bind(g, 0, 0, 0, l->page, &fd, &l->err), -EOPNOTSUPP,
		     GMEM_REASON_FOREIGN_VM);
	t_code(t_bound(g, 0, 0, 0, l->page, NULL, &l->err), GMEM_SLOT_HVA);
}

static void bind_finds_out_that_a_file_is_another_vms(void **state)
{
	struct live *l = *state;
	struct gmem *g;

	live_need("init-shared");
	start(l);
	g = adopt_in_another_vm(l, 0);
	t_refused(t_bind(g, 0, 0, 0, l->page, NULL, &l->err), -EOPNOTSUPP,
		  GMEM_REASON_FOREIGN_VM, l->err);
	assert_true(l->err.flags & GMEM_ERROR_DIAGNOSED);
	assert_int_equal(l->err.sys_errno, EINVAL);
}

/* EINVAL up to 7.1, EEXIST from 7.2. */
static void bind_refuses_a_range_that_is_bound(void **state)
{
	struct live *l = *state;

	start(l);
	refused(l, 0, 0, 4 * l->page, l->page,
		live_kernel(7, 2) ? -EEXIST : -EINVAL, -EEXIST,
		GMEM_REASON_RANGE_BOUND);
	refused(l, 0, 0, 2 * l->page, 8 * l->page,
		live_kernel(7, 2) ? -EEXIST : -EINVAL, -EEXIST,
		GMEM_REASON_RANGE_BOUND);
	live_ok(l, t_bind(l->g, 0, 0, 0, 4 * l->page, NULL, &l->err));
}

/* What a check says without asking is what the kernel says when asked. */
static int check_gpa(struct live *l, uint64_t gpa)
{
	struct gmem_slot check = { .sz = sizeof(check),
				   .flags = GMEM_SLOT_CHECK_ONLY };

	return t_bind(l->g, 0, gpa, 0, l->page, &check, &l->err);
}

static void bind_refuses_a_gpa_the_guest_can_not_have(void **state)
{
	struct live *l = *state;

	start(l);
	for (int bit = 36; bit < 64; bit++) {
		int r = raw_bind(gmem_vm_fd(l->vm), 0, 1ULL << bit, l->page,
				 NULL, gmem_fd(l->g), 0);

#ifndef __aarch64__
		if (r < 0 && gmem_vm_has(l->vm, GMEM_FEATURE_PRE_FAULT))
#else
		if (r < 0)
#endif
			t_refused(check_gpa(l, 1ULL << bit), -EINVAL,
				  GMEM_REASON_GPA_LIMIT, l->err);
		if (r == 0) {
			live_ok(l, check_gpa(l, 1ULL << bit));
			t_code(raw_delete(gmem_vm_fd(l->vm), 0), 0);
			live_ok(l, t_bind(l->g, 0, 1ULL << bit, 0, l->page,
					  NULL, &l->err));
			live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
			continue;
		}
#ifdef __aarch64__
		t_code(r, -EFAULT);
#else
		t_code(r, -EINVAL);
#endif
		t_refused(
			t_bind(l->g, 0, 1ULL << bit, 0, l->page, NULL, &l->err),
			-EINVAL, GMEM_REASON_GPA_LIMIT, l->err);
	}
}

/* A slot of the VMM: the kernel refuses; once it is noted, the library does. */
static void bind_minds_slots_that_were_noted(void **state)
{
	struct live *l = *state;
	struct gmem_slot note = { .sz = sizeof(note), .slot = 2, .fd = -1 };
	void *memory;

	start(l);
	memory = live_memory(l, 2 * l->page, 0);
	note.gpa = 32 * l->page;
	note.len = 2 * l->page;
	note.userspace_addr = (uintptr_t)memory;
	t_code(raw_plain(gmem_vm_fd(l->vm), 2, note.gpa, note.len, memory), 0);
	t_refused(t_bind(l->g, 3, note.gpa, 0, l->page, NULL, &l->err), -EEXIST,
		  GMEM_REASON_UNKNOWN_SLOT, l->err);
	assert_true(l->err.flags & GMEM_ERROR_DIAGNOSED);
	live_ok(l, gmem_slot_note(l->vm, &note, &l->err));
	live_refused(l, t_bind(l->g, 3, note.gpa, 0, l->page, NULL, &l->err),
		     -EEXIST, GMEM_REASON_GPA_OVERLAP);
	t_code(raw_delete(gmem_vm_fd(l->vm), 2), 0);
	live_ok(l, gmem_slot_forget(l->vm, 2, 0, &l->err));
	live_ok(l, t_bind(l->g, 3, note.gpa, 0, l->page, NULL, &l->err));
}

/* Closing the last reference leaves a slot without memory. */
static void bind_tells_that_a_noted_slot_is_dead(void **state)
{
	struct live *l = *state;
	struct gmem_slot note = { .sz = sizeof(note),
				  .slot = 2,
				  .userspace_addr = 1 << 20,
				  .flags = GMEM_SLOT_FD };
	int vm;

	start(l);
	vm = gmem_vm_fd(l->vm);
	note.gpa = 32 * l->page;
	note.len = l->page;
	note.fd = raw_create(vm, l->page, gmem_flags(l->g));
	t_code(raw_bind(vm, 2, note.gpa, note.len, NULL, note.fd, 0), 0);
	live_ok(l, gmem_slot_note(l->vm, &note, &l->err));
	close(note.fd);
	t_refused(t_bind(l->g, 3, note.gpa, 0, l->page, NULL, &l->err), -EEXIST,
		  GMEM_REASON_DEAD_SLOT, l->err);
	t_code(raw_delete(vm, 2), 0);
	live_ok(l, gmem_slot_forget(l->vm, 2, 0, &l->err));
	live_ok(l, t_bind(l->g, 3, note.gpa, 0, l->page, NULL, &l->err));
}

static void bind_check_only_binds_nothing(void **state)
{
	struct live *l = *state;
	struct gmem_slot opts = { .sz = sizeof(opts),
				  .flags = GMEM_SLOT_CHECK_ONLY };

	start(l);
	t_code(t_bound(l->g, 0, 0, 0, l->page, &opts, &l->err), GMEM_SLOT_FD);
	assert_int_equal(l->n_calls, 0);
	t_code(raw_delete(gmem_vm_fd(l->vm), 0), -EINVAL);
	live_refused(l,
		     t_bind(l->g, 0, 16 * l->page, 0, l->page, &opts, &l->err),
		     -EEXIST, GMEM_REASON_GPA_OVERLAP);
}

static void unbind_frees_slot_gpa_and_range_and_keeps_the_contents(void **state)
{
	struct live *l = *state;
	char back[4];

	live_need("init-shared");
	start(l);
	live_ok(l, gmem_write(l->g, 5 * l->page, "live", 4, &l->err));
	live_ok(l, gmem_unbind(l->vm, 1, 0, 0, &l->err));
	live_ok(l, t_bind(l->g, 1, 16 * l->page, 4 * l->page, 4 * l->page, NULL,
			  &l->err));
	live_ok(l, gmem_read(l->g, 5 * l->page, back, 4, &l->err));
	assert_memory_equal(back, "live", 4);
}

static void bind_takes_many_slots_of_one_file(void **state)
{
	struct live *l = *state;

	start(l);
	live_file(l, 512, gmem_flags(l->g));
	/* every other page, backwards */
	for (uint32_t i = 0; i < 256; i++)
		live_ok(l, t_bind(l->g, 100 + i, (1000 + i) * l->page,
				  2 * (255 - i) * l->page, l->page, NULL,
				  &l->err));
	for (uint32_t i = 0; i < 256; i++)
		live_ok(l, gmem_unbind(l->vm, 100 + i, 0, 0, &l->err));
}

struct binder {
	struct live *l;
	uint32_t slot;
	unsigned int failures;
};

static void *bind_and_unbind(void *arg)
{
	struct binder *b = arg;
	uint64_t page = b->l->page;

	for (int i = 0; i < 50; i++) {
		b->failures += t_bind(b->l->g, b->slot, b->slot * page,
				      b->slot * page, page, NULL, NULL) != 0;
		b->failures += gmem_unbind(b->l->vm, b->slot, 0, 0, NULL) != 0;
	}
	return NULL;
}

static void threads_bind_disjoint_ranges(void **state)
{
	struct live *l = *state;
	struct binder b[4];
	pthread_t t[4];

	start(l);
	live_ok(l, gmem_unbind(l->vm, 1, 0, 0, &l->err));
	for (int i = 0; i < 4; i++) {
		b[i] = (struct binder){ .l = l, .slot = i };
		assert_int_equal(
			pthread_create(&t[i], NULL, bind_and_unbind, &b[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 4; i++)
		assert_int_equal(b[i].failures, 0);
}

int main(void)
{
	const struct CMUnitTest slot[] = {
		live_test(bind_refuses_a_slot_id_beyond_the_limit),
		live_test(bind_in_fd_mode_refuses_dirty_log_and_readonly),
		live_test(bind_refuses_what_is_not_page_aligned),
		live_test(a_userspace_addr_that_is_none_is_refused),
		live_test(bind_refuses_an_offset_that_wraps),
		live_test(bind_refuses_an_offset_beyond_63_bits),
		live_test(bind_knows_the_address_spaces),
		live_test(bind_refuses_a_gpa_that_wraps),
		live_test(bind_refuses_a_slot_that_is_too_large),
		live_test(unbind_refuses_a_slot_that_is_not_there),
		live_test(bind_refuses_a_slot_that_exists),
		live_test(bind_refuses_a_gpa_that_a_slot_has),
		live_test(bind_refuses_a_range_outside_the_file),
		live_test(bind_refuses_a_file_that_no_guest_uses),
		live_test(bind_refuses_another_vms_file_in_fd_mode),
		live_test(bind_finds_out_that_a_file_is_another_vms),
		live_test(bind_refuses_a_range_that_is_bound),
		live_test(bind_refuses_a_gpa_the_guest_can_not_have),
		live_test(bind_minds_slots_that_were_noted),
		live_test(bind_tells_that_a_noted_slot_is_dead),
		live_test(bind_check_only_binds_nothing),
		live_test(
			unbind_frees_slot_gpa_and_range_and_keeps_the_contents),
		live_test(bind_takes_many_slots_of_one_file),
		live_test(threads_bind_disjoint_ranges),
	};

	return t_main(slot);
}
