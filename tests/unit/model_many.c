// SPDX-License-Identifier: MIT
/*
 * As many slots, files and mappings as there may be, in the order of their
 * addresses and out of it.  No time is asserted: what looks at all of them for
 * each one takes minutes here, and the test runs into its limit.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "t.h"
#include "model.h"
#include "model_sys.h"

#include "seam.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define SLOTS 32000U
#define FILES 4000U
#define MAPS 16000U
#define STRIDE 7919U /* prime: i * STRIDE % n is each number once */
#define GPA (1ULL << 32)
#define SHARED (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

struct world {
	struct gmem_vm *vm;
	struct kernel *k;
	struct gmem *g;
	struct gmem_error err;
	uint64_t page;
	struct gmem *files[FILES];
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

	free(w);
	return r;
}

#define many_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void vm(struct world *w, const char *profile, uint32_t type)
{
	struct gmem_vm_opts v = { .sz = sizeof(v), .type = type };
	struct gmem_model_opts o = { .sz = sizeof(o), .vm = &v };

	t_ok(gmem_model_vm_open(profile, &o, &w->vm, &w->err), w->err);
	w->k = gmem__vm_priv(w->vm, &model__sys);
}

static void file(struct world *w, uint64_t pages, uint64_t flags)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = flags };

	t_ok(gmem_create(w->vm, pages * w->page, &o, &w->g, &w->err), w->err);
}

static int vm_ioctl(const struct world *w, unsigned long request, void *arg)
{
	return model__sys.ioctl(w->k, gmem_vm_fd(w->vm), request, arg);
}

/* Page @i of the file, with a hole behind each in the guest. */
static int bind_page(const struct world *w, unsigned int i)
{
	struct gmem__region2 r = {
		.region = { .slot = i,
			    .flags = GMEM__MEM_GUEST_MEMFD,
			    .guest_phys_addr = GPA + 2 * i * w->page,
			    .memory_size = w->page },
		.guest_memfd_offset = i * w->page,
		.guest_memfd = (uint32_t)gmem_fd(w->g),
	};

	return vm_ioctl(w, GMEM__KVM_SET_USER_MEMORY_REGION2, &r);
}

static int convert_page(const struct world *w, unsigned int i)
{
	struct gmem__attributes a = { .address = GPA + 2 * i * w->page,
				      .size = w->page,
				      .attributes = GMEM__ATTRIBUTE_PRIVATE };

	return vm_ioctl(w, GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a);
}

static int delete_slot(const struct world *w, unsigned int i)
{
	struct gmem__region r = { .slot = i };

	return vm_ioctl(w, GMEM__KVM_SET_USER_MEMORY_REGION, &r);
}

static void slots(struct world *w, unsigned int stride)
{
	unsigned char byte = 1;

	for (unsigned int i = 0; i < SLOTS; i++)
		t_code(bind_page(w, i * stride % SLOTS), 0);
	for (unsigned int i = 0; i < SLOTS; i++)
		t_code(convert_page(w, i * stride % SLOTS), 0);
	for (unsigned int i = 0; i < SLOTS; i += 100)
		t_code(gmem_model_access(w->vm, GPA + 2 * i * w->page, &byte, 1,
					 0, NULL, 0, &w->err),
		       0);
	/* what is taken is still seen to be */
	t_code(bind_page(w, SLOTS / 2), -EINVAL);
	for (unsigned int i = 0; i < SLOTS; i++)
		t_code(delete_slot(w, i * stride % SLOTS), 0);
	t_code(delete_slot(w, SLOTS / 2), -EINVAL);
}

static void slots_in_order_and_out_of_it(void **state)
{
	struct world *w = *state;

	vm(w, "7.3", GMEM_VM_SW_PROTECTED);
	file(w, SLOTS, 0);
	slots(w, 1);
	slots(w, STRIDE);
}

/* A file of the model takes two descriptors. */
static void need_fds(rlim_t n)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < n && limit.rlim_max >= n) {
		limit.rlim_cur = n;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	}
	if (limit.rlim_cur < n)
		t_skip("descriptors", "RLIMIT_NOFILE is below %ju",
		       (uintmax_t)n);
}

static void files_in_order_and_out_of_it(void **state)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = SHARED };
	struct world *w = *state;

	need_fds(2 * FILES + 100);
	vm(w, "7.3", GMEM_VM_DEFAULT);
	for (unsigned int stride = 1; stride <= STRIDE; stride += STRIDE - 1) {
		for (unsigned int i = 0; i < FILES; i++)
			t_ok(gmem_create(w->vm, w->page, &o, &w->files[i],
					 &w->err),
			     w->err);
		for (unsigned int i = 0; i < FILES; i++)
			t_ok(gmem_close(w->files[i * stride % FILES], &w->err),
			     w->err);
	}
	assert_int_equal(w->k->n_fds, 1);
}

/* Every other page of one file, each mapped by itself and converted. */
static void mappings_in_order_and_out_of_it(void **state)
{
	struct world *w = *state;
	void **at = calloc(MAPS, sizeof(*at));

	assert_non_null(at);
	vm(w, "inplace", GMEM_VM_SW_PROTECTED);
	file(w, 2 * MAPS, SHARED);
	for (unsigned int i = 0; i < MAPS; i++)
		t_code(model__sys.mmap(w->k, &at[i], w->page, PROT_READ,
				       MAP_SHARED, gmem_fd(w->g),
				       2 * i * w->page),
		       0);
	for (unsigned int i = 0; i < MAPS; i++) {
		struct gmem__attributes2 a = {
			.offset = 2 * (i * STRIDE % MAPS) * w->page,
			.size = w->page,
			.attributes = GMEM__ATTRIBUTE_PRIVATE,
		};

		t_code(model__sys.ioctl(w->k, gmem_fd(w->g),
					GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a),
		       0);
	}
	for (unsigned int i = 0; i < MAPS; i++)
		t_code(model__sys.munmap(w->k, at[i * STRIDE % MAPS], w->page),
		       0);
	assert_null(w->k->maps.root);
	free(at);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		many_test(slots_in_order_and_out_of_it),
		many_test(files_in_order_and_out_of_it),
		many_test(mappings_in_order_and_out_of_it),
	};

	return t_main(tests);
}
