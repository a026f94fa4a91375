// SPDX-License-Identifier: MIT
/* What KVM's own accesses reach in the model, and what the guest's do. */
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"
#include "model.h"
#include "model_sys.h"

#include "seam.h"
#include "uapi.h"

#define GPA (1ULL << 30)
#define SIZE (64ULL << 20)
#define LOW (32ULL << 20) /* an address of this process below SIZE */
#define UNKNOWN 0
#define MMIO 6
#define HLT 5
#define STORE (GMEM_MODEL_KVM | GMEM_MODEL_WRITE)

struct world {
	struct gmem_vm *vm;
	struct gmem *g;
	struct gmem_error err;
	uint64_t page;
	unsigned char *canary;
	unsigned char run[256];
};

static void *map(void *at, uint64_t len, int prot, int flags)
{
	void *p =
		mmap(at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/* A private file; the canary stands for what a VMM has at low addresses. */
static int setup(void **state)
{
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED };
	struct gmem_model_opts o = { .sz = sizeof(o), .vm = &v };
	struct world *w = calloc(1, sizeof(*w));

	w->err.sz = sizeof(w->err);
	w->page = (uint64_t)sysconf(_SC_PAGESIZE);
	*state = w;
	w->canary = map((void *)LOW, 2 * w->page, PROT_READ | PROT_WRITE,
			MAP_FIXED_NOREPLACE);
	memset(w->canary, 0x11, 2 * w->page);
	t_ok(gmem_model_vm_open("7.3", &o, &w->vm, &w->err), w->err);
	t_ok(gmem_create(w->vm, SIZE, NULL, &w->g, &w->err), w->err);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	int r = gmem_vm_destroy(w->vm, NULL);

	r |= munmap(w->canary, 2 * w->page);
	free(w);
	return r;
}

#define access_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* The whole file, with @addr behind it; private as the guest left it. */
static void bound(struct world *w, const void *addr, uint64_t attributes)
{
	struct kernel *k = gmem__vm_priv(w->vm, &model__sys);
	struct gmem__region2 r = {
		.region = { .flags = GMEM__MEM_GUEST_MEMFD,
			    .guest_phys_addr = GPA,
			    .memory_size = SIZE,
			    .userspace_addr = (uintptr_t)addr },
		.guest_memfd = (uint32_t)gmem_fd(w->g),
	};
	struct gmem__attributes a = { .address = GPA,
				      .size = SIZE,
				      .attributes = attributes };

	t_code(model__sys.ioctl(k, gmem_vm_fd(w->vm),
				GMEM__KVM_SET_USER_MEMORY_REGION2, &r),
	       0);
	t_code(model__sys.ioctl(k, gmem_vm_fd(w->vm),
				GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a),
	       0);
}

static int access_at(struct world *w, uint64_t gpa, void *buf, size_t len,
		     uint32_t flags)
{
	return gmem_model_access(w->vm, gpa, buf, len, flags, w->run,
				 sizeof(w->run), &w->err);
}

static void assert_exit(const struct world *w, uint32_t want)
{
	uint32_t v;

	memcpy(&v, w->run + 8, sizeof(v));
	assert_int_equal(v, want);
}

static void assert_mmio_at(const struct world *w, uint64_t gpa)
{
	uint64_t v;

	assert_exit(w, MMIO);
	memcpy(&v, w->run + 32, sizeof(v));
	assert_int_equal(v, gpa);
}

static void assert_nothing_allocated(struct world *w)
{
	struct gmem_residency n = { .sz = sizeof(n) };

	t_ok(gmem_resident(w->g, 0, SIZE, &n, &w->err), w->err);
	assert_int_equal(n.bytes, 0);
}

/* Over a page boundary, with private pages: no page was ever shared. */
static void address_zero_is_the_programs_own(void **state)
{
	struct world *w = *state;
	unsigned char bytes[4] = { 0 };
	uint64_t at = w->page - 2;

	bound(w, NULL, GMEM__ATTRIBUTE_PRIVATE);
	t_ok(access_at(w, GPA + LOW + at, bytes, sizeof(bytes), GMEM_MODEL_KVM),
	     w->err);
	assert_exit(w, HLT);
	assert_int_equal(w->err.done, sizeof(bytes));
	assert_int_equal(bytes[3], 0x11);
	memset(bytes, 0x22, sizeof(bytes));
	t_ok(access_at(w, GPA + LOW + at, bytes, sizeof(bytes), STORE), w->err);
	assert_int_equal(w->canary[at - 1], 0x11);
	assert_memory_equal(w->canary + at, bytes, sizeof(bytes));
	assert_int_equal(w->canary[at + 4], 0x11);
	assert_nothing_allocated(w);
}

/* And the guest's own access to what it has shared. */
static void the_guest_reaches_it_too(void **state)
{
	struct world *w = *state;
	unsigned char byte = 0x33;

	bound(w, NULL, 0);
	t_ok(access_at(w, GPA + LOW, &byte, 1, GMEM_MODEL_WRITE), w->err);
	assert_int_equal(w->canary[0], 0x33);
}

static void a_reservation_contains_both(void **state)
{
	struct world *w = *state;
	void *none = map(NULL, SIZE, PROT_NONE, MAP_NORESERVE);
	unsigned char byte = 0x44;

	bound(w, none, 0);
	t_ok(access_at(w, GPA + LOW + 5, &byte, 1, STORE), w->err);
	assert_mmio_at(w, GPA + LOW + 5);
	assert_int_equal(w->err.done, 0);
	t_ok(access_at(w, GPA + LOW + 6, &byte, 1, GMEM_MODEL_KVM), w->err);
	assert_mmio_at(w, GPA + LOW + 6);
	/* its own: nothing that a conversion could help */
	memset(w->run, 0xff, sizeof(w->run));
	t_code(access_at(w, GPA + LOW, &byte, 1, GMEM_MODEL_WRITE), -EFAULT);
	assert_exit(w, UNKNOWN);
	t_code(access_at(w, GPA + LOW, &byte, 1, 0), -EFAULT);
	assert_exit(w, UNKNOWN);
	assert_int_equal(w->canary[0], 0x11);
	assert_nothing_allocated(w);
	munmap(none, SIZE);
}

/* Half of an access may be done when the other half finds no memory. */
static void the_exit_is_where_memory_ends(void **state)
{
	struct world *w = *state;
	uint64_t end = LOW + 2 * w->page;
	unsigned char bytes[4] = { 0 };

	bound(w, NULL, 0);
	t_ok(access_at(w, GPA + end - 2, bytes, sizeof(bytes), GMEM_MODEL_KVM),
	     w->err);
	assert_mmio_at(w, GPA + end);
	assert_int_equal(w->err.done, 2);
}

static void no_slot_is_a_device(void **state)
{
	struct world *w = *state;
	unsigned char byte = 0;

	t_ok(access_at(w, GPA, &byte, 1, STORE), w->err);
	assert_mmio_at(w, GPA);
}

static void a_read_only_slot_is_a_device_to_stores(void **state)
{
	struct world *w = *state;
	struct gmem__region r = { .flags = GMEM__MEM_READONLY,
				  .guest_phys_addr = GPA,
				  .memory_size = w->page,
				  .userspace_addr = (uintptr_t)w->canary };
	struct kernel *k = gmem__vm_priv(w->vm, &model__sys);
	unsigned char byte = 0;

	t_code(model__sys.ioctl(k, gmem_vm_fd(w->vm),
				GMEM__KVM_SET_USER_MEMORY_REGION, &r),
	       0);
	t_ok(access_at(w, GPA, &byte, 1, GMEM_MODEL_KVM), w->err);
	assert_int_equal(byte, 0x11);
	t_ok(access_at(w, GPA + 1, &byte, 1, STORE), w->err);
	assert_mmio_at(w, GPA + 1);
}

/* It never looks at the file. */
static void a_closed_file_does_not_matter(void **state)
{
	struct world *w = *state;
	unsigned char byte = 0;

	bound(w, NULL, GMEM__ATTRIBUTE_PRIVATE);
	t_ok(gmem_close(w->g, &w->err), w->err);
	t_code(access_at(w, GPA + LOW, &byte, 1, GMEM_MODEL_PRIVATE), -EFAULT);
	t_ok(access_at(w, GPA + LOW, &byte, 1, GMEM_MODEL_KVM), w->err);
	assert_int_equal(byte, 0x11);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		access_test(address_zero_is_the_programs_own),
		access_test(the_guest_reaches_it_too),
		access_test(a_reservation_contains_both),
		access_test(the_exit_is_where_memory_ends),
		access_test(no_slot_is_a_device),
		access_test(a_read_only_slot_is_a_device_to_stores),
		access_test(a_closed_file_does_not_matter),
	};

	return t_main(tests);
}
