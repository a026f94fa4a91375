// SPDX-License-Identifier: MIT
/*
 * No address is given up that a slot leads to, whoever made the slot and
 * whichever file the memory is of: KVM would reach what is mapped there next.
 */
#include <sys/mman.h>

#include "unit.h"

#include "adopt.h"

static bool mapped(const void *p, uint64_t len)
{
	unsigned char there[1024];

	assert_true(len / 4096 <= sizeof(there));
	return mincore((void *)(uintptr_t)p, len, there) == 0;
}

static void *map(struct unit *m, struct gmem *g, uint64_t len)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o),
				    .flags = GMEM_MMAP_ALLOW_PRIVATE };
	void *p = NULL;

	t_ok(gmem_mmap(g, 0, len, &o, &p, &m->err), m->err);
	return p;
}

/* Of a program that has an HVA slot on the mapping: it names no handle. */
static void note(struct unit *m, uint32_t slot, const void *addr, uint64_t len)
{
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = slot,
			       .gpa = (8 + slot) * GiB,
			       .len = len,
			       .userspace_addr = (uintptr_t)addr };

	t_ok(gmem_slot_note(m->vm, &s, &m->err), m->err);
}

#define STILL_BOUND(m, call, slot)                                          \
	do {                                                                \
		t_refused(call, -EBUSY, GMEM_REASON_STILL_BOUND, (m)->err); \
		assert_int_equal((m)->err.value, slot);                     \
	} while (0)

static void what_a_noted_slot_leads_to_is_not_unmapped(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 1 * MiB, SHARED_FLAGS);
	unsigned char *p = map(m, g, 1 * MiB);

	note(m, 3, p + 1 * MiB - m->page, m->page);
	STILL_BOUND(m, gmem_munmap(g, p, &m->err), 3);
	assert_true(mapped(p, 1 * MiB));
	t_ok(gmem_slot_forget(m->vm, 3, 0, &m->err), m->err);
	note(m, 3, p + 1 * MiB, m->page);
	t_ok(gmem_munmap(g, p, &m->err), m->err);
	t_ok(gmem_close(g, &m->err), m->err);
}

/* Private memory of one file, its shared side in the mapping of another. */
static struct gmem *two_files(struct unit *m, unsigned char **p)
{
	struct gmem_bind_opts o = { .sz = sizeof(o),
				    .flags = GMEM_BIND_USERSPACE_ADDR };
	struct gmem *g = unit_create(m, 1 * MiB,
				     GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);

	*p = map(m, g, 1 * MiB);
	o.userspace_addr = (uintptr_t)*p;
	unit_create(m, 1 * MiB, 0);
	t_ok(gmem_bind(m->g, 5, GiB, 0, 1 * MiB, &o, &m->err), m->err);
	return g;
}

static void nor_what_a_bound_one_leads_to(void **state)
{
	struct unit *m = *state;
	unsigned char *p;
	struct gmem *g = two_files(m, &p);

	STILL_BOUND(m, gmem_munmap(g, p, &m->err), 5);
	t_ok(gmem_unbind(m->g, 5, NULL, &m->err), m->err);
	t_ok(gmem_munmap(g, p, &m->err), m->err);
	assert_false(mapped(p, 1 * MiB));
}

static void nor_what_one_that_stays_leads_to(void **state)
{
	struct unit *m = *state;
	unsigned char *p;

	(void)two_files(m, &p);
	t_ok(gmem_model_fail(m->vm, "KVM_SET_USER_MEMORY_REGION", 1, EPERM,
			     &m->err),
	     m->err);
	t_refused(gmem_vm_destroy(m->vm, &m->err), -EBUSY,
		  GMEM_REASON_SLOT_STUCK, m->err);
	m->vm = NULL;
	assert_int_equal(m->err.value, 5);
	assert_true(mapped(p, 1 * MiB));
	assert_int_equal(unit_sys.munmap(m, p, 1 * MiB), 0);
}

/* The second half of a reservation is a slot of the program's own making. */
static unsigned char *in_reservation(struct unit *m)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	unsigned char *p;

	unit_create(m, 2 * MiB, 0);
	t_ok(gmem_bind(m->g, 0, GiB, 0, 1 * MiB, NULL, &m->err), m->err);
	t_ok(gmem_slot_get(m->vm, 0, 0, &s, &m->err), m->err);
	p = (unsigned char *)(uintptr_t)s.userspace_addr;
	note(m, 1, p + 1 * MiB, 1 * MiB);
	return p;
}

static void a_reservation_waits_for_a_noted_slot(void **state)
{
	struct unit *m = *state;
	unsigned char *p = in_reservation(m);

	t_ok(gmem_unbind(m->g, 0, NULL, &m->err), m->err);
	assert_true(mapped(p, 2 * MiB));
	STILL_BOUND(m, gmem_close(m->g, &m->err), 1);
	assert_true(mapped(p, 2 * MiB));
	/* the next slot takes the same one */
	unit_bind(m, m->g, 0, GiB);
	t_ok(gmem_unbind(m->g, 0, NULL, &m->err), m->err);
	t_ok(gmem_slot_forget(m->vm, 1, 0, &m->err), m->err);
	t_ok(gmem_close(m->g, &m->err), m->err);
	assert_false(mapped(p, 2 * MiB));
}

static void destroy_tells_of_one_that_was_not_forgotten(void **state)
{
	struct unit *m = *state;
	unsigned char *p = in_reservation(m);

	t_refused(gmem_vm_destroy(m->vm, &m->err), -EBUSY,
		  GMEM_REASON_SLOT_STUCK, m->err);
	m->vm = NULL;
	assert_int_equal(m->err.value, 1);
	assert_int_equal(m->err.limit, (uintptr_t)p + 1 * MiB);
	assert_true(mapped(p, 2 * MiB));
	assert_int_equal(unit_sys.munmap(m, p, 2 * MiB), 0);
}

static void nor_on_a_mapping_without_the_handle(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 1 * MiB, SHARED_FLAGS);
	void *p = map(m, g, 1 * MiB);

	note(m, 1, p, 1 * MiB);
	t_refused(gmem_vm_destroy(m->vm, &m->err), -EBUSY,
		  GMEM_REASON_SLOT_STUCK, m->err);
	m->vm = NULL;
	assert_true(mapped(p, 1 * MiB));
	assert_int_equal(unit_sys.munmap(m, p, 1 * MiB), 0);
}

struct again {
	struct gmem *g;
	void *addr;
	int code;
};

static void unmap_again(void *arg, const struct gmem_trace *e)
{
	struct again *a = arg;

	if (!a->g || strcmp(e->call, "munmap") != 0 ||
	    e->arg[0] != (uintptr_t)a->addr)
		return;
	a->code = gmem_munmap(a->g, a->addr, NULL);
	a->g = NULL;
}

static void a_callback_unmaps_nothing(void **state)
{
	struct unit *m = *state;
	struct again a = { .code = 0 };

	m->vm = unit_vm(m, GMEM_VM_DEFAULT, unmap_again, &a);
	a.g = unit_create(m, 1 * MiB, SHARED_FLAGS);
	a.addr = map(m, a.g, 1 * MiB);
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	m->vm = NULL;
	assert_int_equal(a.code, -EDEADLK);
}

/* A window that could not be unmapped, and a slot on the same address. */
static void close_leaves_a_window_that_a_slot_leads_to(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 1 * MiB, SHARED_FLAGS);
	const struct unit_call *c;
	void *window;
	char b;

	unit_reset(m);
	unit_answer(m, "munmap", 0, 1, 1, -ENOMEM);
	t_ok(gmem_read(g, 0, &b, 1, &m->err), m->err);
	c = unit_nth(m, "mmap", 0, 0);
	assert_non_null(c);
	window = (void *)(uintptr_t)c->arg[0];
	note(m, 3, window, m->page);
	/* which hides no other failure: the view's, made by a bind */
	unit_reset(m);
	unit_answer(m, "munmap", 0, 1, 1, -ENOMEM);
	unit_bind(m, g, 0, GiB);
	t_ok(gmem_unbind(g, 0, NULL, &m->err), m->err);
	unit_answer(m, "munmap", 0, 1, 1, -EPERM);
	t_refused(gmem_close(g, &m->err), -EPERM, GMEM_REASON_ACCESS_DENIED,
		  m->err);
	t_ok(gmem_close(g, &m->err), m->err);
	assert_true(mapped(window, m->page));
	t_ok(gmem_slot_forget(m->vm, 3, 0, &m->err), m->err);
	assert_int_equal(unit_sys.munmap(m, window, m->page), 0);
}

/* A file that is not mapped is at no address, at 0 neither. */
static void a_slot_at_address_0_leads_to_no_file(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 1 * MiB, SHARED_FLAGS);

	note(m, 3, NULL, 1 * MiB);
	t_ok(gmem_close(g, &m->err), m->err);
}

static void a_file_without_a_vm_has_no_slots_to_ask(void **state)
{
	struct unit *m = *state;
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	int fd = unit_file_fd(m, gmem_vm_fd(m->vm), 1 * MiB, 3);
	struct gmem *g = NULL;
	void *p;

	t_ok(gmem__adopt_on(&unit_sys, m, NULL, fd, &o, &g, &m->err), m->err);
	p = map(m, g, 64 * KiB);
	t_refused(gmem_unbind(g, 0, NULL, &m->err), -EINVAL,
		  GMEM_REASON_NOT_A_VM, m->err);
	t_ok(gmem_munmap(g, p, &m->err), m->err);
	t_ok(gmem_close(g, &m->err), m->err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_a_noted_slot_leads_to_is_not_unmapped,
		     unit_default73),
		TEST(nor_what_a_bound_one_leads_to, unit_sw),
		TEST(nor_what_one_that_stays_leads_to, unit_sw),
		TEST(a_reservation_waits_for_a_noted_slot, unit_sw),
		TEST(destroy_tells_of_one_that_was_not_forgotten, unit_sw),
		TEST(nor_on_a_mapping_without_the_handle, unit_default73),
		TEST(a_callback_unmaps_nothing, unit_bare73),
		TEST(close_leaves_a_window_that_a_slot_leads_to,
		     unit_default73),
		TEST(a_slot_at_address_0_leads_to_no_file, unit_default73),
		TEST(a_file_without_a_vm_has_no_slots_to_ask, unit_default73),
	};

	return t_main(tests);
}
