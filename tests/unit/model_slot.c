// SPDX-License-Identifier: MIT
/* Which slots the model's kernel has, whatever the library thinks. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "uapi.h"

#define SIZE (1 * MiB)
#define SLOTS 16 /* more than any test makes */
#define SMM 1	 /* the second address space */

static int set(struct unit *m, unsigned long request, void *r)
{
	return model__sys.ioctl(m->k, gmem_vm_fd(m->vm), request, r);
}

/* A slot of the file's, past the library. */
static int bind_raw(struct unit *m, uint32_t number, uint64_t gpa,
		    uint64_t offset)
{
	struct gmem__region2 r = {
		.region = { .slot = number,
			    .flags = GMEM__MEM_GUEST_MEMFD,
			    .guest_phys_addr = gpa,
			    .memory_size = m->page,
			    .userspace_addr = 5 * GiB },
		.guest_memfd_offset = offset,
		.guest_memfd = (uint32_t)gmem_fd(m->g),
	};

	return set(m, GMEM__KVM_SET_USER_MEMORY_REGION2, &r);
}

static struct gmem_model_slot get(struct unit *m, uint32_t id, uint32_t as)
{
	struct gmem_model_slot s = { .sz = sizeof(s) };

	t_ok(gmem_model_get_slot(m->vm, id, as, &s, &m->err), m->err);
	return s;
}

static void none(struct unit *m, uint32_t id, uint32_t as)
{
	struct gmem_model_slot s = { .sz = sizeof(s), .gpa = 4711 };

	t_refused(gmem_model_get_slot(m->vm, id, as, &s, &m->err), -EINVAL,
		  GMEM_REASON_NOT_BOUND, m->err);
	assert_int_equal(s.gpa, 4711);
}

static uint64_t ino_of(const struct gmem *g)
{
	struct stat st;

	assert_int_equal(fstat(gmem_fd(g), &st), 0);
	return st.st_ino;
}

/* The library's table and the kernel's say the same of each number. */
static void assert_same_slots(struct unit *m)
{
	struct gmem_slot ours = { .sz = sizeof(ours) };
	struct gmem_model_slot s = { .sz = sizeof(s) };

	for (uint32_t i = 0; i < SLOTS; i++) {
		int r = gmem_slot_get(m->vm, i, 0, &ours, &m->err);

		t_code(gmem_model_get_slot(m->vm, i, 0, &s, &m->err), r);
		if (r < 0)
			continue;
		assert_int_equal(s.gpa, ours.gpa);
		assert_int_equal(s.len, ours.len);
		assert_int_equal(s.userspace_addr, ours.userspace_addr);
		assert_int_equal(!!(s.flags & GMEM__MEM_GUEST_MEMFD),
				 !!(ours.flags & GMEM_SLOT_FD));
		if (ours.flags & GMEM_SLOT_FD) {
			assert_int_equal(s.offset, ours.offset);
			assert_int_equal(s.ino, ino_of(ours.gmem));
		}
	}
}

static void it_tells_all_of_a_slot(void **state)
{
	struct unit *m = *state;
	struct gmem_model_slot s;

	unit_create(m, SIZE, 0);
	t_code(bind_raw(m, 3, GiB, 2 * m->page), 0);
	s = get(m, 3, 0);
	assert_int_equal(s.gpa, GiB);
	assert_int_equal(s.len, m->page);
	assert_int_equal(s.userspace_addr, 5 * GiB);
	assert_int_equal(s.offset, 2 * m->page);
	assert_int_equal(s.ino, ino_of(m->g));
	assert_int_equal(s.flags, GMEM__MEM_GUEST_MEMFD);
	none(m, 2, 0);
	none(m, 4, 0);
	none(m, 3, SMM);
	none(m, UINT32_MAX, 0);
	none(m, 3, UINT32_MAX);
	none(m, 3 | 1U << 16, 0);
}

/* With a mappable one it has a mark of the model's own: not to be seen. */
static void its_flags_are_the_kernels(void **state)
{
	struct unit *m = *state;

	unit_create(m, SIZE, SHARED_FLAGS);
	t_code(bind_raw(m, 0, GiB, 0), 0);
	assert_int_equal(get(m, 0, 0).flags, GMEM__MEM_GUEST_MEMFD);
}

static void a_file_that_was_closed_is_none(void **state)
{
	struct unit *m = *state;
	int fd;

	unit_create(m, SIZE, 0);
	t_code(bind_raw(m, 0, GiB, 0), 0);
	fd = dup(gmem_fd(m->g));
	t_ok(gmem_close(m->g, &m->err), m->err);
	assert_int_not_equal(get(m, 0, 0).ino, 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(get(m, 0, 0).ino, 0);
	assert_int_equal(get(m, 0, 0).gpa, GiB);
}

static void out_has_a_size(void **state)
{
	struct gmem_model_slot s = { .sz = 8 };
	struct unit *m = *state;

	t_refused(gmem_model_get_slot(m->vm, 0, 0, &s, &m->err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, m->err);
	t_refused(gmem_model_get_slot(m->vm, 0, 0, NULL, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
}

/* The memory at userspace_addr is still there, and the slot is reported. */
static void a_deletion_that_fails_leaves_the_slot(void **state)
{
	static const int codes[] = { ENOMEM, EPERM };
	struct unit *m = *state;

	unit_create(m, SIZE, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		struct gmem_model_slot before, after;

		unit_bind(m, m->g, 0, GiB);
		before = get(m, 0, 0);
		t_ok(gmem_model_fail(m->vm, "KVM_SET_USER_MEMORY_REGION", 1,
				     codes[i], &m->err),
		     m->err);
		t_code(gmem_unbind(m->vm, 0, 0, 0, &m->err), -codes[i]);
		after = get(m, 0, 0);
		assert_memory_equal(&before, &after, sizeof(after));
		assert_int_equal(msync((void *)(uintptr_t)after.userspace_addr,
				       SIZE, MS_ASYNC),
				 0);
		assert_same_slots(m);
		t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
		none(m, 0, 0);
	}
}

static void the_library_says_what_the_kernel_has(void **state)
{
	struct unit *m = *state;

	for (uint32_t i = 0; i < SLOTS; i++) {
		unit_create(m, SIZE, 0);
		unit_bind(m, m->g, i, (i + 1) * GiB);
	}
	assert_same_slots(m);
	for (uint32_t i = 0; i < SLOTS; i += 2) {
		struct gmem_slot s = { .sz = sizeof(s) };

		t_ok(gmem_slot_get(m->vm, i, 0, &s, &m->err), m->err);
		t_ok(gmem_unbind(m->vm, i, 0, 0, &m->err), m->err);
	}
	assert_same_slots(m);
}

/* The same guest address is free in the other one; the file's is not. */
static void address_spaces_have_guest_addresses_of_their_own(void **state)
{
	struct unit *m = *state;

	unit_create(m, SIZE, SHARED_FLAGS);
	t_code(bind_raw(m, 0, GiB, 0), 0);
	t_code(bind_raw(m, 1, GiB, m->page), -EEXIST);
	t_code(bind_raw(m, SMM << 16, GiB, 0), -EEXIST);
	none(m, 0, SMM);
	t_code(bind_raw(m, SMM << 16, GiB, m->page), 0);
	assert_int_equal(get(m, 0, SMM).offset, m->page);
	assert_int_equal(get(m, 0, 0).offset, 0);
}

static void an_ordinary_slot_moves(void **state)
{
	struct unit *m = *state;
	struct gmem__region2 r = {
		.region = { .guest_phys_addr = GiB,
			    .memory_size = m->page,
			    .userspace_addr = 5 * GiB },
	};

	t_code(set(m, GMEM__KVM_SET_USER_MEMORY_REGION, &r), 0);
	r.region.guest_phys_addr = 2 * GiB;
	r.region.flags = GMEM__MEM_LOG_DIRTY_PAGES;
	t_code(set(m, GMEM__KVM_SET_USER_MEMORY_REGION, &r), 0);
	assert_int_equal(get(m, 0, 0).gpa, 2 * GiB);
	assert_int_equal(get(m, 0, 0).flags, GMEM__MEM_LOG_DIRTY_PAGES);
	assert_int_equal(get(m, 0, 0).ino, 0);
	/* the place that it left is free, the new one is not */
	r.region.slot = 1;
	t_code(set(m, GMEM__KVM_SET_USER_MEMORY_REGION, &r), -EEXIST);
	r.region.guest_phys_addr = GiB;
	t_code(set(m, GMEM__KVM_SET_USER_MEMORY_REGION, &r), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(it_tells_all_of_a_slot, unit_sw),
		TEST(its_flags_are_the_kernels, unit_default73),
		TEST(a_file_that_was_closed_is_none, unit_sw),
		TEST(out_has_a_size, unit_sw),
		TEST(a_deletion_that_fails_leaves_the_slot, unit_sw),
		TEST(the_library_says_what_the_kernel_has, unit_sw),
		TEST(address_spaces_have_guest_addresses_of_their_own,
		     unit_default73),
		TEST(an_ordinary_slot_moves, unit_default73),
	};

	return t_main(tests);
}
