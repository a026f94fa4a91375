// SPDX-License-Identifier: MIT
/*
 * Mappings in a reservation of the caller: at no time is there a hole in it.
 */
#include <sys/mman.h>

#include "unit.h"

#include "adopt.h"
#include "file.h"

#define PAGES 16

static int map_as(struct gmem *g, uint64_t offset, uint64_t len, uint64_t flags,
		  void *addr, void **out, struct gmem_error *err)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o),
				    .flags = flags | GMEM_MMAP_FIXED,
				    .addr = addr };

	return gmem_mmap(g, offset, len, &o, out, err);
}

static int map_at(struct gmem *g, uint64_t offset, uint64_t len, void *addr,
		  struct gmem_error *err)
{
	bool private = !(gmem_flags(g) & GMEM_CREATE_INIT_SHARED);
	void *p = NULL;
	int r = map_as(g, offset, len, private ? GMEM_MMAP_ALLOW_PRIVATE : 0,
		       addr, &p, err);

	assert_ptr_equal(p, r == 0 ? addr : NULL);
	return r;
}

/* Not by the recorder: it is the program's. */
static unsigned char *reserve(struct unit *u, unsigned int pages)
{
	void *p = mmap(NULL, pages * u->page, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void release(struct unit *u, unsigned char *p, unsigned int pages)
{
	assert_int_equal(munmap(p, pages * u->page), 0);
}

/* As /proc tells it: "---p", or "" for a hole. */
static const char *there(const void *addr)
{
	static char perms[8];
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long at = (uintptr_t)addr, start, end;
	char line[512];

	assert_non_null(maps);
	perms[0] = '\0';
	while (fgets(line, sizeof(line), maps)) {
		char *rest;

		start = strtoul(line, &rest, 16);
		end = strtoul(rest + 1, &rest, 16);
		if (start <= at && at < end)
			(void)snprintf(perms, sizeof(perms), "%.4s", rest + 1);
	}
	(void)fclose(maps);
	return perms;
}

/* Each of @pages is reserved, but those in @mapped are the file's. */
static void expect(struct unit *u, unsigned char *p, unsigned int pages,
		   uint64_t mapped)
{
	for (unsigned int i = 0; i < pages; i++)
		assert_string_equal(there(p + i * u->page),
				    mapped >> i & 1 ? "rw-s" : "---p");
}

static void one_pointer_has_the_ram_and_its_hole(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 8);
	struct gmem_error err;
	unsigned char b;

	t_ok(map_at(g, 0, 3 * u->page, p, &err), err);
	assert_int_equal(unit_count(u, "mmap", 0), 1);
	assert_int_equal(unit_nth(u, "mmap", 0, 0)->arg[2],
			 MAP_SHARED | MAP_FIXED);
	assert_int_equal(unit_nth(u, "madvise", 0, 0)->arg[2], MADV_DONTFORK);
	assert_int_equal(unit_nth(u, "madvise", 0, 1)->arg[2], MADV_DONTDUMP);
	t_ok(map_at(g, 3 * u->page, 2 * u->page, p + 5 * u->page, &err), err);
	expect(u, p, 8, 0x67);
	p[2 * u->page] = 1;
	p[6 * u->page] = 2;
	t_ok(gmem_read(g, 2 * u->page, &b, 1, &err), err);
	assert_int_equal(b, 1);
	t_ok(gmem_read(g, 4 * u->page, &b, 1, &err), err);
	assert_int_equal(b, 2);
	unit_reset(u);
	t_refused(gmem_munmap(g, p + u->page, &err), -EINVAL,
		  GMEM_REASON_NOT_MAPPED, err);
	t_ok(gmem_munmap(g, p, &err), err);
	expect(u, p, 8, 0x60);
	t_ok(map_at(g, 0, u->page, p + u->page, &err), err);
	t_ok(gmem_munmap(g, p + 5 * u->page, &err), err);
	t_ok(gmem_munmap(g, p + u->page, &err), err);
	expect(u, p, 8, 0);
	assert_int_equal(unit_count(u, "munmap", 0), 0);
	release(u, p, 8);
}

static void the_other_flags_hold_there_too(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 4);
	struct gmem_error err;
	void *q = NULL;

	t_ok(map_as(g, 0, u->page, GMEM_MMAP_READONLY, p, &q, &err), err);
	assert_string_equal(there(p), "r--s");
	t_ok(map_as(g, 0, u->page, GMEM_MMAP_FORK | GMEM_MMAP_DUMP, p + u->page,
		    &q, &err),
	     err);
	assert_ptr_equal(q, p + u->page);
	assert_int_equal(unit_nth(u, "madvise", 0, 4)->arg[2], MADV_DOFORK);
	assert_int_equal(unit_nth(u, "madvise", 0, 5)->arg[2], MADV_DODUMP);
	t_ok(gmem_munmap(g, p, &err), err);
	t_ok(gmem_munmap(g, p + u->page, &err), err);
	release(u, p, 4);
}

static void an_address_that_cannot_be_is_refused(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 4);
	const uint64_t bad[] = {
		0,
		u->page,
		65536 - u->page,
		(uintptr_t)p + 1,
		(uintptr_t)p + u->page / 2,
		UINT64_MAX,
		UINT64_MAX - u->page + 1,
		UINT64_MAX - 2 * u->page + 1,
		1ULL << 63,
	};
	struct gmem_error err;
	void *q = NULL;

	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		t_refused(map_at(g, 0, 2 * u->page, (void *)(uintptr_t)bad[i],
				 &err),
			  -EINVAL, GMEM_REASON_USERSPACE_ADDR, err);
		assert_int_equal(err.value, bad[i]);
	}
	for (uint64_t flags = 0; flags < GMEM_MMAP_FIXED; flags++) {
		t_refused(gmem_mmap(g, 0, u->page,
				    &(struct gmem_mmap_opts){
					    .sz = sizeof(struct gmem_mmap_opts),
					    .flags = flags,
					    .addr = p },
				    &q, &err),
			  -EINVAL, GMEM_REASON_USERSPACE_ADDR, err);
		assert_null(q);
	}
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(u->n_allocs, 0);
	expect(u, p, 4, 0);
	release(u, p, 4);
}

#define TAKEN(u, g, addr, err)                                       \
	t_refused(map_at(g, 0, 2 * (u)->page, addr, &(err)), -EBUSY, \
		  GMEM_REASON_STILL_MAPPED, err)

static void what_the_library_has_there_is_not_replaced(void **state)
{
	struct unit *u = *state;
	struct gmem *other = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	struct gmem *bound = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	struct gmem_slot s = { .sz = sizeof(s) };
	unsigned char *p = reserve(u, 8), *view;
	struct gmem_error err;
	void *q = NULL;

	/* a mapping of another file, and both sides of it */
	t_ok(map_at(other, 0, 2 * u->page, p + 3 * u->page, &err), err);
	for (unsigned int i = 2; i <= 4; i++)
		TAKEN(u, g, p + i * u->page, err);
	t_ok(map_at(g, 0, 2 * u->page, p + u->page, &err), err);
	t_ok(map_at(g, 0, 2 * u->page, p + 5 * u->page, &err), err);
	TAKEN(u, g, p + u->page, err);
	/* one that the kernel placed, the view of a slot that is gone */
	t_ok(gmem_mmap(other, 0, 2 * u->page, NULL, &q, &err), err);
	TAKEN(u, g, q, err);
	t_ok(gmem_munmap(other, q, &err), err);
	unit_bind(u, bound, 3, 0);
	t_ok(gmem_slot_get(u->vm, 3, 0, &s, &err), err);
	view = (unsigned char *)(uintptr_t)s.userspace_addr;
	unit_reset(u);
	t_refused(map_at(g, 0, 2 * u->page, view + 14 * u->page, &err), -EBUSY,
		  GMEM_REASON_STILL_BOUND, err);
	assert_int_equal(err.value, 3);
	t_ok(gmem_unbind(u->vm, 3, 0, 0, &err), err);
	unit_reset(u);
	TAKEN(u, g, view + 14 * u->page, err);
	TAKEN(u, bound, view, err);
	assert_int_equal(u->n_calls, 0);
	expect(u, p, 8, 0x7e);
	t_ok(gmem_munmap(other, p + 3 * u->page, &err), err);
	t_ok(gmem_munmap(g, p + u->page, &err), err);
	t_ok(gmem_munmap(g, p + 5 * u->page, &err), err);
	expect(u, p, 8, 0);
	release(u, p, 8);
}

/* A file without a shared side, and the record of one that converts. */
static void nor_what_it_reserved(void **state)
{
	struct unit *u = *state;
	struct gmem *hidden = unit_create(u, PAGES * u->page, 0);
	struct gmem *g = unit_create(u, PAGES * u->page,
				     GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	struct gmem_slot s = { .sz = sizeof(s) };
	struct gmem_error err;
	unsigned char *at;

	t_ok(t_bind(hidden, 0, 0, 0, 4 * u->page, NULL, &err), err);
	t_ok(gmem_slot_get(u->vm, 0, 0, &s, &err), err);
	at = (unsigned char *)(uintptr_t)s.userspace_addr;
	t_refused(map_at(g, 0, u->page, at + 3 * u->page, &err), -EBUSY,
		  GMEM_REASON_STILL_BOUND, err);
	TAKEN(u, g, at + 4 * u->page, err);
	assert_string_equal(there(at + 4 * u->page), "---p");
}

/* Its record, and what it could not unmap yet. */
static void nor_what_it_uses_itself(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	struct gmem_error err;
	unsigned char b, *at;

	assert_non_null(g->record_mem);
	TAKEN(u, g, g->record_mem, err);
	unit_reset(u);
	unit_answer(u, "munmap", 0, 1, 1, -ENOMEM);
	t_ok(gmem_read(g, 0, &b, 1, &err), err);
	at = (unsigned char *)(uintptr_t)unit_nth(u, "mmap", 0, 0)->arg[0];
	assert_non_null(g->left);
	unit_reset(u);
	TAKEN(u, g, at, err);
	assert_int_equal(unit_count(u, "mmap", 0), 0);
	t_ok(gmem_close(g, &err), err);
}

/* The program's own memory, behind a slot: the refusal enters nothing. */
static void nor_what_only_a_slot_leads_to(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page,
				     GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	struct gmem *hidden = unit_create(u, PAGES * u->page, 0);
	unsigned char *p = reserve(u, 4);
	struct gmem_slot s = { .sz = sizeof(s),
			       .flags = GMEM_SLOT_USERSPACE_ADDR,
			       .userspace_addr = (uintptr_t)p };
	struct gmem_error err;

	t_ok(t_bind(hidden, 7, 0, 0, 2 * u->page, &s, &err), err);
	unit_reset(u);
	t_refused(map_at(g, 0, 2 * u->page, p + u->page, &err), -EBUSY,
		  GMEM_REASON_STILL_BOUND, err);
	assert_int_equal(u->n_calls, 0);
	t_refused(gmem_munmap(g, p + u->page, &err), -EINVAL,
		  GMEM_REASON_NOT_MAPPED, err);
	assert_null(g->maps);
	t_ok(gmem_unbind(u->vm, 7, 0, 0, &err), err);
	t_ok(map_at(g, 0, 2 * u->page, p + u->page, &err), err);
	t_ok(gmem_munmap(g, p + u->page, &err), err);
	release(u, p, 4);
}

/* The mapping works, and then all fails: PROT_NONE is still owed. */
static void owe(struct unit *u, struct gmem *g, unsigned char *p)
{
	struct gmem_error err;

	unit_reset(u);
	unit_answer(u, "madvise", 0, 1, 1, -EINVAL);
	unit_answer(u, "mmap", 0, 2, 2, -ENOMEM);
	t_refused(map_at(g, 0, 2 * u->page, p, &err), -EINVAL,
		  GMEM_REASON_KERNEL, err);
	assert_true(err.flags & GMEM_ERROR_STUCK);
	assert_non_null(strstr(err.msg, "could not be reserved again, ENOMEM"));
	expect(u, p, 4, 0x3);
	unit_reset(u);
}

/* Nor of a file that has no VM: its mappings, and what one of them is owed. */
static void nor_what_a_file_alone_has(void **state)
{
	struct unit *u = *state;
	struct gmem_adopt_opts o = { .sz = sizeof(o),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	unsigned char *p = reserve(u, 4);
	struct gmem *g = NULL;
	struct gmem_error err;
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), PAGES * u->page,
			      SHARED_FLAGS);

	t_ok(gmem__adopt_on(&unit_sys, u, NULL, fd, &o, &g, &err), err);
	t_ok(map_at(g, 0, 2 * u->page, p, &err), err);
	TAKEN(u, g, p + u->page, err);
	t_ok(gmem_munmap(g, p, &err), err);
	owe(u, g, p);
	t_ok(map_at(g, 0, 2 * u->page, p + u->page, &err), err);
	expect(u, p, 4, 0x6);
	t_ok(gmem_munmap(g, p + u->page, &err), err);
	t_ok(gmem_close(g, &err), err);
	release(u, p, 4);
}

/* Whatever was there: the kernel has not touched it. */
static void a_refused_mapping_changes_nothing_there(void **state)
{
	static const int codes[] = { -ENOMEM, -EPERM, -EAGAIN, -EBADF };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 4);
	struct gmem_error err;

	assert_int_equal(mprotect(p, 4 * u->page, PROT_READ | PROT_WRITE), 0);
	memset(p, 0x5a, 4 * u->page);
	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		unit_reset(u);
		unit_answer(u, "mmap", 0, 1, 1, codes[i]);
		err = (struct gmem_error){ .sz = sizeof(err) };
		assert_true(map_at(g, 0, 2 * u->page, p + u->page, &err) < 0);
		assert_int_equal(err.sys_errno, -codes[i]);
		assert_false(err.flags & GMEM_ERROR_STUCK);
		for (size_t k = 0; k < 4 * u->page; k++)
			assert_int_equal(p[k], 0x5a);
	}
	t_ok(gmem_close(g, &err), err);
	release(u, p, 4);
}

/* As a kernel that has unmapped what was there when it fails. */
struct hole {
	unsigned char *at;
	bool fill; /* another thread's mapping falls into it */
	unsigned int nth;
};

static void make_hole(struct unit *u, const struct unit_call *c, void *arg)
{
	struct hole *h = u->hook_arg;

	(void)arg;
	if (strcmp(c->name, "mmap") != 0 || h->nth == 0 || --h->nth)
		return;
	assert_int_equal(munmap(h->at, 2 * u->page), 0);
	if (h->fill)
		assert_ptr_equal(
			mmap(h->at, 2 * u->page, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			h->at);
}

static void a_hole_that_a_failure_leaves_is_filled(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 4);
	struct hole h = { .at = p + u->page };
	struct gmem_error err;

	u->hook = make_hole;
	u->hook_arg = &h;
	for (unsigned int fill = 0; fill < 2; fill++) {
		h.nth = 1;
		h.fill = fill;
		unit_reset(u);
		unit_answer(u, "mmap", 0, 1, 1, -ENOMEM);
		t_refused(map_at(g, 0, 2 * u->page, h.at, &err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, err);
		assert_false(err.flags & GMEM_ERROR_STUCK);
		assert_string_equal(there(h.at), fill ? "rw-p" : "---p");
	}
	u->hook = NULL;
	t_ok(gmem_close(g, &err), err);
	release(u, p, 4);
}

static void what_fails_after_the_mapping_undoes_it(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 4);
	struct gmem_error err;
	void *q = NULL;

	for (unsigned int nth = 1; nth <= 4; nth++) {
		unit_reset(u);
		unit_answer(u, "madvise", 0, nth, 1, -EINVAL);
		t_refused(map_as(g, 0, 2 * u->page,
				 GMEM_MMAP_FORK | GMEM_MMAP_DUMP, p, &q, &err),
			  -EINVAL, GMEM_REASON_KERNEL, err);
		assert_null(q);
		assert_false(err.flags & GMEM_ERROR_STUCK);
		expect(u, p, 4, 0);
	}
	t_ok(gmem_close(g, &err), err);
	release(u, p, 4);
}

static void a_munmap_that_fails_keeps_the_mapping(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 4);
	struct gmem_error err;

	t_ok(map_at(g, 0, 2 * u->page, p, &err), err);
	p[0] = 1;
	unit_reset(u);
	unit_answer(u, "mmap", 0, 1, 1, -ENOMEM);
	t_refused(gmem_munmap(g, p, &err), -ENOMEM, GMEM_REASON_NO_MEMORY, err);
	assert_int_equal(p[0], 1);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_MAPPED, err);
	TAKEN(u, g, p, err);
	t_ok(gmem_munmap(g, p, &err), err);
	expect(u, p, 4, 0);
	t_refused(gmem_munmap(g, p, &err), -EINVAL, GMEM_REASON_NOT_MAPPED,
		  err);
	t_ok(gmem_close(g, &err), err);
	release(u, p, 4);
}

static void what_is_owed_is_told_and_tried_again(void **state)
{
	struct unit *u = *state;
	struct gmem *other = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 4);
	struct gmem_error err;

	/* by the next mapping that it blocks, of the same file */
	owe(u, g, p);
	TAKEN(u, other, p + u->page, err);
	t_ok(map_at(g, 0, 2 * u->page, p + 2 * u->page, &err), err);
	expect(u, p, 4, 0xf);
	t_ok(gmem_munmap(g, p + 2 * u->page, &err), err);
	t_ok(map_at(g, 0, 2 * u->page, p + u->page, &err), err);
	expect(u, p, 4, 0x6);
	t_ok(gmem_munmap(g, p + u->page, &err), err);
	/* and while that cannot be either, it is in the way */
	owe(u, g, p);
	unit_answer(u, "mmap", 0, 1, 2, -ENOMEM);
	TAKEN(u, g, p, err);
	/* by the caller */
	t_ok(gmem_munmap(g, p, &err), err);
	expect(u, p, 4, 0);
	/* by the end of the file */
	owe(u, g, p);
	unit_answer(u, "mmap", 0, 1, 2, -ENOMEM);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_MAPPED, err);
	expect(u, p, 4, 0x3);
	t_ok(gmem_close(g, &err), err);
	expect(u, p, 4, 0);
	release(u, p, 4);
}

/* Nothing of the file's was there: a hole at most is filled later. */
static void what_never_was_mapped_is_owed_as_a_hole(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 4);
	struct hole h = { .at = p };
	struct gmem_error err;

	u->hook = make_hole;
	u->hook_arg = &h;
	for (unsigned int fill = 0; fill < 2; fill++) {
		h.nth = 1;
		h.fill = false;
		unit_reset(u);
		unit_answer(u, "mmap", 0, 1, 2, -ENOMEM);
		t_refused(map_at(g, 0, 2 * u->page, p, &err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, err);
		assert_true(err.flags & GMEM_ERROR_STUCK);
		assert_string_equal(there(p), "");
		if (fill) /* the caller reserved it again himself */
			assert_ptr_equal(
				mmap(p, 2 * u->page, PROT_READ,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				     -1, 0),
				p);
		t_ok(gmem_munmap(g, p, &err), err);
		assert_string_equal(there(p), fill ? "r--p" : "---p");
	}
	u->hook = NULL;
	t_ok(gmem_close(g, &err), err);
	release(u, p, 4);
}

static void what_a_slot_leads_to_stays(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page,
				     GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY);
	struct gmem *hidden = unit_create(u, PAGES * u->page, 0);
	unsigned char *p = reserve(u, 4);
	struct gmem_slot s = { .sz = sizeof(s),
			       .flags = GMEM_SLOT_USERSPACE_ADDR,
			       .userspace_addr = (uintptr_t)p + u->page };
	struct gmem_error err;

	t_ok(map_at(g, 0, 4 * u->page, p, &err), err);
	t_ok(t_bind(hidden, 7, 0, 0, 2 * u->page, &s, &err), err);
	t_refused(gmem_munmap(g, p, &err), -EBUSY, GMEM_REASON_STILL_BOUND,
		  err);
	assert_int_equal(err.value, 7);
	expect(u, p, 4, 0xf);
	t_ok(gmem_unbind(u->vm, 7, 0, 0, &err), err);
	t_ok(gmem_munmap(g, p, &err), err);
	/* and what is owed there */
	owe(u, g, p);
	s.userspace_addr = (uintptr_t)p;
	t_ok(t_bind(hidden, 7, 0, 0, u->page, &s, &err), err);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_MAPPED, err);
	TAKEN(u, g, p + u->page, err);
	expect(u, p, 4, 0x3);
	t_ok(gmem_unbind(u->vm, 7, 0, 0, &err), err);
	t_ok(gmem_close(g, &err), err);
	expect(u, p, 4, 0);
	release(u, p, 4);
}

static void the_end_of_the_vm_puts_it_back(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 4);
	struct gmem_error err;

	t_ok(map_at(g, 0, 2 * u->page, p + u->page, &err), err);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	expect(u, p, 4, 0);
	u->vm = unit_vm(u, GMEM_VM_DEFAULT, NULL, NULL);
	g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	t_ok(map_at(g, 0, 2 * u->page, p + u->page, &err), err);
	unit_answer(u, "mmap", 0, 1, 2, -EPERM);
	t_refused(gmem_vm_destroy(u->vm, &err), -EPERM,
		  GMEM_REASON_ACCESS_DENIED, err);
	u->vm = NULL;
	expect(u, p, 4, 0x6);
	assert_int_equal(unit_sys.munmap(u, p + u->page, 2 * u->page), 0);
	release(u, p, 4);
}

/* A program that was compiled before says nothing of an address. */
static void an_older_caller_maps_anywhere(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	struct gmem_mmap_opts o = { .sz = 16, .addr = (void *)u };
	struct gmem_error err;
	void *p = NULL;

	t_ok(gmem_mmap(g, 0, u->page, &o, &p, &err), err);
	t_ok(gmem_munmap(g, p, &err), err);
	o.flags = GMEM_MMAP_FIXED;
	t_refused(gmem_mmap(g, 0, u->page, &o, &p, &err), -EINVAL,
		  GMEM_REASON_USERSPACE_ADDR, err);
}

/* The SIGBUS of the exact page, as in any other mapping. */
static void a_page_that_turns_private_is_guarded(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGES * u->page, SHARED_FLAGS);
	unsigned char *p = reserve(u, 6), b;
	struct gmem_error err;

	t_ok(map_at(g, 2 * u->page, 4 * u->page, p + u->page, &err), err);
	memset(p + u->page, 3, 4 * u->page);
	t_ok(gmem_set_private(g, 3 * u->page, u->page, &err), err);
	for (unsigned int i = 1; i <= 4; i++)
		t_code(model__sys.vm_read(u->k, &b, p + i * u->page, 1),
		       i == 2 ? -EFAULT : 1);
	t_refused(map_at(g, 2 * u->page, 2 * u->page, p, &err), -EACCES,
		  GMEM_REASON_PRIVATE, err);
	t_ok(gmem_munmap(g, p + u->page, &err), err);
	t_ok(gmem_set_shared(g, 3 * u->page, u->page, &err), err);
	t_code(model__sys.vm_read(u->k, &b, p + 2 * u->page, 1), -EFAULT);
	expect(u, p, 6, 0);
	release(u, p, 6);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_pointer_has_the_ram_and_its_hole, unit_default),
		TEST(the_other_flags_hold_there_too, unit_default),
		TEST(an_address_that_cannot_be_is_refused, unit_default),
		TEST(what_the_library_has_there_is_not_replaced, unit_default),
		TEST(nor_what_it_uses_itself, unit_inplace),
		TEST(nor_what_only_a_slot_leads_to, unit_sw),
		TEST(nor_what_a_file_alone_has, unit_default),
		TEST(nor_what_it_reserved, unit_sw),
		TEST(a_refused_mapping_changes_nothing_there, unit_default),
		TEST(a_hole_that_a_failure_leaves_is_filled, unit_default),
		TEST(what_fails_after_the_mapping_undoes_it, unit_default),
		TEST(a_munmap_that_fails_keeps_the_mapping, unit_default),
		TEST(what_is_owed_is_told_and_tried_again, unit_default),
		TEST(what_never_was_mapped_is_owed_as_a_hole, unit_default),
		TEST(what_a_slot_leads_to_stays, unit_sw),
		TEST(the_end_of_the_vm_puts_it_back, unit_default),
		TEST(an_older_caller_maps_anywhere, unit_default),
		TEST(a_page_that_turns_private_is_guarded, unit_inplace),
	};

	return t_main(tests);
}
