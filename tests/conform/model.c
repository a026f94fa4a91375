// SPDX-License-Identifier: MIT
/* The calls of gmem_model.h, through the public headers alone. */
#include <pthread.h>
#include <unistd.h>

#include <gmem_model.h>

#include "t.h"

#define PAGES 64
#define GPA 0x100000ULL
#define EXIT_REASON 8
#define MEMORY_FAULT 39
#define HLT 5
#define MMIO 6
#define KVM_SNP (1U << 4)

struct world {
	struct gmem_vm *vm, *second;
	struct gmem *g;
	struct gmem_error err;
	uint64_t page;
	unsigned char run[256];
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->err.sz = sizeof(w->err);
	w->page = (uint64_t)sysconf(_SC_PAGESIZE);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	int r = gmem_vm_destroy(w->vm, NULL);

	r |= gmem_vm_destroy(w->second, NULL);
	free(w);
	return r;
}

#define model_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* A VM of @type, which the profile's kernel may not have as a rule. */
static void vm(struct world *w, const char *profile, uint32_t type)
{
	struct gmem_vm_opts v = { .sz = sizeof(v), .type = type };
	struct gmem_model_opts o = { .sz = sizeof(o), .vm = &v };

	if (type == GMEM_VM_SNP)
		o.vm_types = KVM_SNP | 3;
	t_ok(gmem_model_vm_open(profile, &o, &w->vm, &w->err), w->err);
}

static void file(struct world *w, uint64_t flags)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = flags };

	t_ok(gmem_create(w->vm, PAGES * w->page, &o, &w->g, &w->err), w->err);
}

#define SHARED (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

static uint32_t exit_reason(const struct world *w)
{
	uint32_t v;

	memcpy(&v, w->run + EXIT_REASON, sizeof(v));
	return v;
}

static uint64_t exit_word(const struct world *w, size_t at)
{
	uint64_t v;

	memcpy(&v, w->run + at, sizeof(v));
	return v;
}

static int guest(struct world *w, uint64_t gpa, void *buf, size_t len,
		 uint32_t flags)
{
	return gmem_model_access(w->vm, gpa, buf, len, flags, w->run,
				 sizeof(w->run), &w->err);
}

static void profiles_are_listed(void **state)
{
	struct world *w = *state;
	struct gmem_model_profile p = { .sz = sizeof(p) };
	struct gmem_vm *one;
	uint32_t n = 0;

	while (gmem_model_profile_info(n, &p, &w->err) == 0) {
		assert_non_null(p.name);
		assert_non_null(p.summary);
		t_ok(gmem_model_vm_open(p.name, NULL, &one, &w->err), w->err);
		t_ok(gmem_vm_close(one, &w->err), w->err);
		n++;
	}
	assert_int_equal(n, 8);
	t_reason(&w->err, GMEM_REASON_VALUE_UNKNOWN);
	t_refused(gmem_model_profile_info(0, NULL, &w->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, w->err);
	p.sz = 1;
	t_refused(gmem_model_profile_info(0, &p, &w->err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, w->err);
}

static void the_newest_release_has_a_name(void **state)
{
	struct gmem_model_profile p = { .sz = sizeof(p) };
	const char *newest = "";
	uint32_t version = 0;
	char name[16];

	(void)state;
	for (uint32_t i = 0; !gmem_model_profile_info(i, &p, NULL); i++) {
		(void)snprintf(name, sizeof(name), "%u.%u", p.version / 100,
			       p.version % 100);
		if (strcmp(p.name, name) != 0 || p.version < version)
			continue;
		version = p.version;
		newest = p.name;
	}
	assert_string_equal(newest, GMEM_MODEL_NEWEST);
}

static void the_facts_of_a_profile_are_its_kernels(void **state)
{
	struct world *w = *state;
	struct gmem_model_profile p = { .sz = sizeof(p) };
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED };
	struct gmem_model_opts o = { .sz = sizeof(o), .vm = &v };

	for (uint32_t i = 0; !gmem_model_profile_info(i, &p, &w->err); i++) {
#ifdef GMEM_WITHOUT_PROPOSED_UAPI
		if (p.hugetlb_encoding)
			continue;
#endif
		assert_in_range(p.version, 608, 9999);
		v.hugetlb_encoding = p.hugetlb_encoding;
		t_ok(gmem_model_vm_open(p.name, &o, &w->vm, &w->err), w->err);
		t_code(t_support(w->vm, GMEM_FEATURE_FILE_ATTRIBUTES),
		       p.flags == GMEM_MODEL_PROFILE_IN_PLACE ? GMEM_YES
							      : GMEM_NO);
		t_code(t_support(w->vm, GMEM_FEATURE_HUGETLB),
		       p.hugetlb_encoding ? GMEM_YES : GMEM_NO);
		t_ok(gmem_vm_close(w->vm, &w->err), w->err);
		w->vm = NULL;
	}
}

static void bad_options_are_refused(void **state)
{
	struct world *w = *state;
	struct gmem_model_opts o = { .sz = sizeof(o) };

	t_refused(gmem_model_vm_open(NULL, &o, &w->vm, &w->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, w->err);
	t_refused(gmem_model_vm_open("6.13", &o, &w->vm, &w->err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, w->err);
	o.machine = 3;
	t_refused(gmem_model_vm_open("7.3", &o, &w->vm, &w->err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, w->err);
	o = (struct gmem_model_opts){ .sz = sizeof(o), .nodes = 33 };
	t_refused(gmem_model_vm_open("7.3", &o, &w->vm, &w->err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, w->err);
	o = (struct gmem_model_opts){ .sz = sizeof(o), .vm_types = 1U << 5 };
	t_refused(gmem_model_vm_open("6.12", &o, &w->vm, &w->err), -EOPNOTSUPP,
		  GMEM_REASON_VM_TYPE_UNSUPPORTED, w->err);
	o = (struct gmem_model_opts){ .sz = sizeof(o), .reserved = 1 };
	t_refused(gmem_model_vm_open("7.3", &o, &w->vm, &w->err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, w->err);
	o = (struct gmem_model_opts){ .sz = 8 };
	t_refused(gmem_model_vm_open("7.3", &o, &w->vm, &w->err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, w->err);
	assert_null(w->vm);
}

static void two_vms_share_a_kernel(void **state)
{
	struct world *w = *state;
	struct gmem_model_opts o = { .sz = sizeof(o) };
	struct gmem_adopt_opts a = { .sz = sizeof(a),
				     .flags = GMEM_ADOPT_INIT_SHARED };
	struct gmem_slot b = { .sz = sizeof(b), .flags = GMEM_SLOT_FD };
	struct gmem *copy;
	int fd;

	vm(w, "7.3", GMEM_VM_DEFAULT);
	file(w, SHARED);
	o.beside = w->vm;
	t_refused(gmem_model_vm_open("7.2", &o, &w->second, &w->err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, w->err);
	o.nodes = 2;
	t_refused(gmem_model_vm_open("7.3", &o, &w->second, &w->err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, w->err);
	o.nodes = 0;
	t_ok(gmem_model_vm_open("7.3", &o, &w->second, &w->err), w->err);
	/* the first one's file is foreign to it, and dup(2) is the same file */
	fd = dup(gmem_fd(w->g));
	t_ok(gmem_adopt(w->second, fd, &a, &copy, &w->err), w->err);
	t_refused(t_bind(copy, 0, 0, 0, w->page, &b, &w->err), -EOPNOTSUPP,
		  GMEM_REASON_FOREIGN_VM, w->err);
	assert_int_equal(w->err.sys_errno, EINVAL);
}

static void accesses_go_where_the_slot_says(void **state)
{
	struct world *w = *state;
	char buf[8] = "guest";

	vm(w, "7.3", GMEM_VM_DEFAULT);
	file(w, SHARED);
	t_code(t_bound(w->g, 0, GPA, 0, PAGES * w->page, NULL, &w->err),
	       GMEM_SLOT_FD);
	/* over a page boundary */
	t_ok(guest(w, GPA + w->page - 2, buf, 6, GMEM_MODEL_WRITE), w->err);
	assert_int_equal(exit_reason(w), HLT);
	assert_int_equal(w->err.done, 6);
	memset(buf, 0, sizeof(buf));
	t_ok(gmem_read(w->g, w->page - 2, buf, 6, &w->err), w->err);
	assert_string_equal(buf, "guest");
	/* nothing is there */
	t_ok(guest(w, 0, buf, 4, 0), w->err);
	assert_int_equal(exit_reason(w), MMIO);
	assert_int_equal(exit_word(w, 32), 0);
	assert_int_equal(w->err.done, 0);
	t_refused(guest(w, GPA, NULL, 1, 0), -EINVAL, GMEM_REASON_NULL_ARGUMENT,
		  w->err);
	t_refused(guest(w, GPA, buf, 1, 8), -EINVAL, GMEM_REASON_FLAG_UNKNOWN,
		  w->err);
	t_refused(guest(w, GPA, buf, 1, GMEM_MODEL_KVM | GMEM_MODEL_PRIVATE),
		  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, w->err);
	t_refused(guest(w, UINT64_MAX, buf, 2, 0), -EINVAL,
		  GMEM_REASON_GPA_OVERFLOW, w->err);
}

/* A confidential guest says itself how it means an access. */
static void a_mismatch_is_a_memory_fault(void **state)
{
	struct world *w = *state;
	char byte = 1;

	vm(w, "7.3", GMEM_VM_SNP);
	file(w, 0);
	t_code(t_bound(w->g, 0, GPA, 0, PAGES * w->page, NULL, &w->err),
	       GMEM_SLOT_FD);
	t_ok(guest(w, GPA, &byte, 1, GMEM_MODEL_PRIVATE | GMEM_MODEL_WRITE),
	     w->err);
	t_code(guest(w, GPA + 5, &byte, 1, 0), -EFAULT);
	assert_int_equal(exit_reason(w), MEMORY_FAULT);
	assert_int_equal(exit_word(w, 32), 0);
	assert_int_equal(exit_word(w, 40), GPA);
	assert_int_equal(exit_word(w, 48), w->page);
	t_ok(t_share(w->g, 0, w->page, &w->err), w->err);
	t_code(guest(w, GPA, &byte, 1, GMEM_MODEL_PRIVATE), -EFAULT);
	assert_int_equal(exit_word(w, 32), 8);
}

static void an_interrupt_leaves_a_stale_exit_reason(void **state)
{
	struct world *w = *state;
	char byte;

	vm(w, "7.3", GMEM_VM_SNP);
	file(w, 0);
	t_code(t_bound(w->g, 0, GPA, 0, PAGES * w->page, NULL, &w->err),
	       GMEM_SLOT_FD);
	t_code(guest(w, GPA, &byte, 1, 0), -EFAULT);
	t_ok(gmem_model_interrupt(w->vm, 0, &w->err), w->err);
	t_code(guest(w, GPA, &byte, 1, GMEM_MODEL_PRIVATE), -EINTR);
	assert_int_equal(exit_reason(w), MEMORY_FAULT);
	t_ok(guest(w, GPA, &byte, 1, GMEM_MODEL_PRIVATE), w->err);
	t_ok(gmem_model_fail(w->vm, "KVM_RUN", 1, EHWPOISON, &w->err), w->err);
	t_code(guest(w, GPA, &byte, 1, GMEM_MODEL_PRIVATE), -EHWPOISON);
	assert_int_equal(exit_reason(w), MEMORY_FAULT);
}

static void a_pinned_page_stays_shared(void **state)
{
	struct world *w = *state;
	int fd;

	vm(w, "inplace", GMEM_VM_SW_PROTECTED);
	file(w, SHARED);
	fd = gmem_fd(w->g);
	t_ok(gmem_model_pin(w->vm, fd, 2 * w->page, w->page, &w->err), w->err);
	t_refused(gmem_set_private(w->g, 0, PAGES * w->page, &w->err), -EAGAIN,
		  GMEM_REASON_PAGE_IN_USE, w->err);
	assert_int_equal(w->err.value, 2 * w->page);
	t_ok(gmem_model_unpin(w->vm, fd, 2 * w->page, w->page, &w->err),
	     w->err);
	t_refused(gmem_model_unpin(w->vm, fd, 2 * w->page, w->page, &w->err),
		  -EINVAL, GMEM_REASON_NOT_MAPPED, w->err);
	t_ok(gmem_set_private(w->g, 0, PAGES * w->page, &w->err), w->err);
	t_refused(gmem_model_pin(w->vm, 0, 0, w->page, &w->err), -EINVAL,
		  GMEM_REASON_NOT_GUEST_MEMFD, w->err);
	t_refused(gmem_model_pin(w->vm, fd, 0, 0, &w->err), -EINVAL,
		  GMEM_REASON_ZERO_SIZE, w->err);
	t_refused(gmem_model_pin(w->vm, fd, 1, w->page, &w->err), -EINVAL,
		  GMEM_REASON_UNALIGNED, w->err);
	t_refused(gmem_model_pin(w->vm, fd, 0, (PAGES + 1) * w->page, &w->err),
		  -EINVAL, GMEM_REASON_OUTSIDE_FILE, w->err);
	t_refused(gmem_model_pin(w->vm, fd, -w->page, 2 * w->page, &w->err),
		  -EINVAL, GMEM_REASON_OFFSET_OVERFLOW, w->err);
}

static void the_nth_call_fails_once(void **state)
{
	struct world *w = *state;
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = SHARED };
	const char *create = "KVM_CREATE_GUEST_MEMFD";
	struct gmem *g = NULL;

	vm(w, "7.3", GMEM_VM_DEFAULT);
	t_ok(gmem_model_fail(w->vm, create, 2, ENFILE, &w->err), w->err);
	file(w, SHARED);
	t_refused(gmem_create(w->vm, w->page, &o, &g, &w->err), -ENFILE,
		  GMEM_REASON_FD_LIMIT, w->err);
	assert_null(g);
	t_ok(gmem_model_fail(w->vm, "alloc", 1, ENOMEM, &w->err), w->err);
	t_refused(gmem_create(w->vm, w->page, &o, &g, &w->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, w->err);
	assert_null(g);
	t_ok(gmem_model_fail(w->vm, NULL, 1, EIO, &w->err), w->err);
	t_ok(gmem_model_fail(w->vm, NULL, 0, 0, &w->err), w->err);
	t_ok(gmem_create(w->vm, w->page, &o, &g, &w->err), w->err);
	t_refused(gmem_model_fail(w->vm, create, 1, 0, &w->err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, w->err);
}

/* A failing create; what it made is closed again. */
static int create(struct world *w)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = SHARED };
	struct gmem *g;
	int r = gmem_create(w->vm, w->page, &o, &g, &w->err);

	return r < 0 ? r : gmem_close(g, &w->err);
}

#define CREATE "KVM_CREATE_GUEST_MEMFD"

static void several_failures_are_due(void **state)
{
	struct world *w = *state;

	vm(w, "7.3", GMEM_VM_DEFAULT);
	t_ok(gmem_model_fail(w->vm, CREATE, 3, EIO, &w->err), w->err);
	t_ok(gmem_model_fail(w->vm, CREATE, 1, ENFILE, &w->err), w->err);
	/* the first that was asked for is the one that happens */
	t_ok(gmem_model_fail(w->vm, CREATE, 3, EPERM, &w->err), w->err);
	t_code(create(w), -ENFILE);
	t_ok(create(w), w->err);
	t_code(create(w), -EIO);
	/* which had its turn with the other: none is left */
	for (int i = 0; i < 4; i++)
		t_ok(create(w), w->err);
}

static void a_call_and_all_after_it_fail(void **state)
{
	struct world *w = *state;

	vm(w, "7.3", GMEM_VM_DEFAULT);
	t_ok(gmem_model_fail_from(w->vm, CREATE, 2, EMFILE, &w->err), w->err);
	t_ok(gmem_model_fail(w->vm, CREATE, 3, EIO, &w->err), w->err);
	t_ok(create(w), w->err);
	for (int i = 0; i < 3; i++)
		t_code(create(w), -EMFILE);
	t_ok(gmem_model_fail(w->vm, CREATE, 0, 0, &w->err), w->err);
	t_ok(create(w), w->err);
	/* of any name: an allocation, which comes first, has no errno */
	t_ok(gmem_model_fail_from(w->vm, NULL, 1, EPERM, &w->err), w->err);
	t_code(create(w), -ENOMEM);
	t_ok(gmem_model_fail(w->vm, NULL, 0, 0, &w->err), w->err);
	t_ok(create(w), w->err);
}

static void failures_of_one_call_are_taken_back(void **state)
{
	struct world *w = *state;

	vm(w, "7.3", GMEM_VM_DEFAULT);
	t_ok(gmem_model_fail(w->vm, CREATE, 1, ENFILE, &w->err), w->err);
	t_ok(gmem_model_fail(w->vm, "close", 1, EIO, &w->err), w->err);
	t_ok(gmem_model_fail(w->vm, "close", 2, EIO, &w->err), w->err);
	t_ok(gmem_model_fail(w->vm, "close", 0, 0, &w->err), w->err);
	t_code(create(w), -ENFILE);
	t_ok(create(w), w->err);
	t_ok(create(w), w->err);
}

static void populating_survives_an_interrupt(void **state)
{
	struct world *w = *state;
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_UNBOUND };
	struct gmem_residency n = { .sz = sizeof(n) };

	vm(w, "7.3", GMEM_VM_DEFAULT);
	t_ok(gmem_create(w->vm, PAGES * w->page, &o, &w->g, &w->err), w->err);
	t_ok(gmem_model_interrupt(w->vm, 5 * w->page, &w->err), w->err);
	t_ok(gmem_populate(w->g, 0, PAGES * w->page, NULL, &w->err), w->err);
	t_ok(gmem_resident(w->g, 0, PAGES * w->page, &n, &w->err), w->err);
	assert_int_equal(n.bytes, PAGES * w->page);
}

static void an_interrupt_comes_when_so_much_is_allocated(void **state)
{
	struct world *w = *state;
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_UNBOUND };
	const uint64_t size = 32ULL << 20;
	struct gmem_residency n = { .sz = sizeof(n) };

	vm(w, "7.3", GMEM_VM_DEFAULT);
	t_ok(gmem_create(w->vm, size, &o, &w->g, &w->err), w->err);
	t_ok(gmem_model_interrupt(w->vm, size + w->page, &w->err), w->err);
	t_ok(gmem_populate(w->g, 0, size, NULL, &w->err), w->err);
	t_ok(gmem_resident(w->g, 0, size, &n, &w->err), w->err);
	assert_int_equal(n.bytes, size);
	/* it is still to come */
	t_code(gmem_model_access(w->vm, 0, &n, 1, 0, NULL, 0, &w->err), -EINTR);
}

static void a_dead_vm_answers_nothing(void **state)
{
	struct world *w = *state;

	vm(w, "7.3", GMEM_VM_DEFAULT);
	file(w, SHARED);
	t_ok(gmem_model_kill(w->vm, &w->err), w->err);
	t_refused(t_bind(w->g, 0, 0, 0, w->page, NULL, &w->err), -EIO,
		  GMEM_REASON_VM_DEAD, w->err);
	/* the file does not care */
	t_ok(gmem_populate(w->g, 0, w->page, NULL, &w->err), w->err);
}

static void huge_pages_come_from_a_pool(void **state)
{
	struct world *w = *state;
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED,
				  .hugetlb_encoding = GMEM_HUGETLB_PAGE_ORDER };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &v };
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP,
				      .hugetlb_size = 2ULL << 20 };
	uint64_t n;

#ifdef GMEM_WITHOUT_PROPOSED_UAPI
	t_not_applicable("hugetlb-encodings",
			 "built with GMEM_PROPOSED_UAPI=OFF");
#endif
	t_ok(gmem_model_vm_open("hugetlb-page-order", &m, &w->vm, &w->err),
	     w->err);
	t_ok(gmem_model_set_pool(w->vm, 2ULL << 20, 3, &w->err), w->err);
	t_refused(gmem_create(w->vm, 8ULL << 20, &o, &w->g, &w->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, w->err);
	assert_int_equal(w->err.value, 4);
	assert_int_equal(w->err.limit, 2ULL << 20);
	assert_non_null(strstr(w->err.msg, "4 huge pages of 0x200000 bytes"));
	t_ok(gmem_create(w->vm, 4ULL << 20, &o, &w->g, &w->err), w->err);
	t_ok(gmem_model_get_pool(w->vm, 2ULL << 20, &n, &w->err), w->err);
	assert_int_equal(n, 1);
	t_refused(gmem_model_set_pool(w->vm, 2ULL << 20, 1, &w->err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, w->err);
	t_ok(gmem_close(w->g, &w->err), w->err);
	t_ok(gmem_model_get_pool(w->vm, 2ULL << 20, &n, &w->err), w->err);
	assert_int_equal(n, 3);
	t_refused(gmem_model_get_pool(w->vm, 1ULL << 40, &n, &w->err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, w->err);
	t_refused(gmem_model_set_pool(w->vm, 12345, 1, &w->err), -EINVAL,
		  GMEM_REASON_HUGETLB_SIZE, w->err);
}

static void assert_mode(struct world *w, uint64_t offset, uint32_t mode)
{
	struct gmem_mempolicy p = { .sz = sizeof(p) };

	t_ok(t_get_mempolicy(w->g, offset, &p, &w->err), w->err);
	assert_int_equal(p.mode, mode);
}

/* Each call has a mapping of its own, and the caller's has none. */
static void a_policy_is_taken_back_from_the_file(void **state)
{
	struct world *w = *state;
	unsigned long node = 1;
	struct gmem_mempolicy bind = { .sz = sizeof(bind),
				       .mode = GMEM_MPOL_BIND,
				       .nodes = &node,
				       .max_node = 1 };
	struct gmem_mempolicy none = { .sz = sizeof(none) };
	void *p;

	vm(w, "6.19", GMEM_VM_DEFAULT);
	file(w, GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED);
	t_ok(gmem_mmap(w->g, 0, PAGES * w->page, NULL, &p, &w->err), w->err);
	t_code(gmem_set_mempolicy(w->g, 0, 3 * w->page, &bind, 0, &w->err), 0);
	none.flags = GMEM_MPOL_F_NUMA_BALANCING;
	t_refused(gmem_set_mempolicy(w->g, 0, w->page, &none, 0, &w->err),
		  -EINVAL, GMEM_REASON_POLICY_BALANCING, w->err);
	assert_mode(w, 0, GMEM_MPOL_BIND);
	none.flags = 0;
	t_code(gmem_set_mempolicy(w->g, w->page, w->page, &none, 0, &w->err),
	       0);
	assert_mode(w, 0, GMEM_MPOL_BIND);
	assert_mode(w, w->page, GMEM_MPOL_DEFAULT);
	assert_mode(w, 2 * w->page, GMEM_MPOL_BIND);
	t_ok(gmem_munmap(w->g, p, &w->err), w->err);
}

static void arm64_has_limits_of_its_own(void **state)
{
	struct world *w = *state;
	struct gmem_vm_opts v = { .sz = sizeof(v), .ipa_bits = 36 };
	struct gmem_model_opts m = { .sz = sizeof(m),
				     .vm = &v,
				     .machine = GMEM_MODEL_ARM64 };

	t_ok(gmem_model_vm_open("7.3", &m, &w->vm, &w->err), w->err);
	file(w, SHARED);
	t_code(t_bind(w->g, 0, 1ULL << 36, 0, w->page, NULL, &w->err), -EINVAL);
	t_reason(&w->err, GMEM_REASON_GPA_LIMIT);
	t_code(t_bound(w->g, 0, (1ULL << 36) - w->page, 0, w->page, NULL,
		       &w->err),
	       GMEM_SLOT_FD);
	v.ipa_bits = 20;
	t_refused(gmem_model_vm_open("7.3", &m, &w->second, &w->err), -EINVAL,
		  GMEM_REASON_IPA_BITS, w->err);
	v.ipa_bits = 0;
	v.type = GMEM_VM_SW_PROTECTED;
	t_refused(gmem_model_vm_open("7.3", &m, &w->second, &w->err),
		  -EOPNOTSUPP, GMEM_REASON_VM_TYPE_UNSUPPORTED, w->err);
}

/* A file of 16 pages, all there, the first @pages of them placed by @p. */
static void place_on_four_nodes(struct world *w, unsigned int pages,
				const struct gmem_mempolicy *p)
{
	struct gmem_model_opts m = { .sz = sizeof(m), .nodes = 4 };

	t_ok(gmem_model_vm_open("7.3", &m, &w->vm, &w->err), w->err);
	file(w, SHARED);
	t_code(gmem_set_mempolicy(w->g, 0, pages * w->page, p, 0, &w->err), 0);
	t_ok(gmem_populate(w->g, 0, 16 * w->page, NULL, &w->err), w->err);
}

static void policies_choose_the_node(void **state)
{
	struct world *w = *state;
	unsigned long nodes = 1UL << 2;
	struct gmem_mempolicy p = { .sz = sizeof(p),
				    .mode = GMEM_MPOL_BIND,
				    .nodes = &nodes,
				    .max_node = 8 };
	uint64_t bytes[4] = { 0 };
	struct gmem_placement out = { .sz = sizeof(out),
				      .node_bytes = bytes,
				      .node_count = 4 };

	place_on_four_nodes(w, 8, &p);
	t_code(t_placed(w->g, 0, 8 * w->page, NULL, &out, &w->err),
	       GMEM_PLACED_WELL);
	assert_int_equal(bytes[2], 8 * w->page);
	t_code(t_placed(w->g, 8 * w->page, 8 * w->page, NULL, &out, &w->err),
	       GMEM_PLACED_WELL);
	assert_int_equal(bytes[0], 8 * w->page);
	nodes = 1;
	t_code(t_placed(w->g, 0, 8 * w->page, &p, &out, &w->err),
	       GMEM_PLACED_ELSEWHERE);
	assert_int_equal(out.misplaced, 8 * w->page);
}

static void interleaving_goes_round_the_nodes(void **state)
{
	struct world *w = *state;
	unsigned long nodes = 1UL << 1 | 1UL << 3;
	struct gmem_mempolicy p = { .sz = sizeof(p),
				    .mode = GMEM_MPOL_INTERLEAVE,
				    .nodes = &nodes,
				    .max_node = 8 };
	uint64_t bytes[4] = { 0 };
	struct gmem_placement out = { .sz = sizeof(out),
				      .node_bytes = bytes,
				      .node_count = 4 };

	place_on_four_nodes(w, 16, &p);
	t_code(t_placed(w->g, 0, 16 * w->page, NULL, &out, &w->err),
	       GMEM_PLACED_WELL);
	assert_int_equal(bytes[1], 8 * w->page);
	assert_int_equal(bytes[3], 8 * w->page);
}

/* As they are allocated, whichever they are. */
static void interleaved_pages_take_turns(void **state)
{
	struct world *w = *state;
	struct gmem_model_opts m = { .sz = sizeof(m), .nodes = 2 };
	unsigned long nodes = 3;
	struct gmem_mempolicy p = { .sz = sizeof(p),
				    .mode = GMEM_MPOL_INTERLEAVE,
				    .nodes = &nodes,
				    .max_node = 8 };
	struct gmem_placement out = { .sz = sizeof(out), .node_count = 2 };
	uint64_t bytes[2][2] = { { 0 } };

	t_ok(gmem_model_vm_open("7.3", &m, &w->vm, &w->err), w->err);
	file(w, SHARED);
	t_code(gmem_set_mempolicy(w->g, 0, w->page, &p, 0, &w->err), 0);
	for (int i = 0; i < 2; i++) {
		t_ok(gmem_populate(w->g, 0, w->page, NULL, &w->err), w->err);
		out.node_bytes = bytes[i];
		t_code(t_placed(w->g, 0, w->page, NULL, &out, &w->err),
		       GMEM_PLACED_WELL);
		t_ok(gmem_discard(w->g, 0, w->page, NULL, &w->err), w->err);
	}
	assert_int_equal(bytes[0][0] + bytes[0][1], w->page);
	assert_int_equal(bytes[0][0], bytes[1][1]);
	assert_int_equal(bytes[0][1], bytes[1][0]);
}

struct worker {
	struct world *w;
	uint64_t offset;
	int failed;
};

#define ROUNDS 60

/* Converts, maps, populates, looks up, discards a part of its own. */
static void *work(void *arg)
{
	struct worker *k = arg;
	struct gmem *g = k->w->g;
	uint64_t len = 8 * k->w->page, attributes;
	unsigned char byte = 7;
	void *p;

	for (int i = 0; i < ROUNDS && !k->failed; i++) {
		k->failed |= t_share(g, k->offset, len, NULL) < 0;
		k->failed |= gmem_mmap(g, k->offset, len, NULL, &p, NULL) < 0;
		k->failed |= gmem_write(g, k->offset, &byte, 1, NULL) < 0;
		k->failed |= gmem_populate(g, k->offset, len, NULL, NULL) < 0;
		k->failed |= gmem_munmap(g, p, NULL) < 0;
		k->failed |= gmem_set_private(g, k->offset, len, NULL) < 0;
		k->failed |= gmem_get_attributes(g, k->offset, len, &attributes,
						 NULL, NULL) < 0 ||
			     attributes != GMEM_ATTRIBUTE_PRIVATE;
		k->failed |= gmem_read(g, k->offset, &byte, 1, NULL) != -EACCES;
		k->failed |= gmem_discard(g, k->offset, len, NULL, NULL) < 0;
	}
	return NULL;
}

static void threads_convert_side_by_side(void **state)
{
	struct world *w = *state;
	struct worker k[4];
	pthread_t t[4];

	vm(w, "inplace", GMEM_VM_SW_PROTECTED);
	file(w, SHARED);
	for (int i = 0; i < 4; i++) {
		k[i] = (struct worker){ w, (uint64_t)i * 16 * w->page, 0 };
		assert_int_equal(pthread_create(&t[i], NULL, work, &k[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		(void)pthread_join(t[i], NULL);
	for (int i = 0; i < 4; i++)
		assert_false(k[i].failed);
}

static const struct CMUnitTest model_tests[] = {
	model_test(profiles_are_listed),
	model_test(the_newest_release_has_a_name),
	model_test(the_facts_of_a_profile_are_its_kernels),
	model_test(bad_options_are_refused),
	model_test(two_vms_share_a_kernel),
	model_test(accesses_go_where_the_slot_says),
	model_test(a_mismatch_is_a_memory_fault),
	model_test(an_interrupt_leaves_a_stale_exit_reason),
	model_test(a_pinned_page_stays_shared),
	model_test(the_nth_call_fails_once),
	model_test(several_failures_are_due),
	model_test(a_call_and_all_after_it_fail),
	model_test(failures_of_one_call_are_taken_back),
	model_test(populating_survives_an_interrupt),
	model_test(an_interrupt_comes_when_so_much_is_allocated),
	model_test(a_dead_vm_answers_nothing),
	model_test(huge_pages_come_from_a_pool),
	model_test(a_policy_is_taken_back_from_the_file),
	model_test(arm64_has_limits_of_its_own),
	model_test(policies_choose_the_node),
	model_test(interleaved_pages_take_turns),
	model_test(interleaving_goes_round_the_nodes),
	model_test(threads_convert_side_by_side),
};

int main(void)
{
	return t_main(model_tests);
}
