// SPDX-License-Identifier: MIT
/* Opening and adopting a VM, its features, closing and destroying it. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "live.h"

/* enum gmem_vm_type follows the kernel's numbers, one higher. */
static const uint32_t types[] = {
	GMEM_VM_DEFAULT, GMEM_VM_SW_PROTECTED, GMEM_VM_SEV,
	GMEM_VM_SEV_ES,	 GMEM_VM_SNP,	       GMEM_VM_TDX,
};

/* Whether the kernel makes such a VM; on arm64 the number is no type. */
static bool host_has(uint32_t type)
{
	int vm;

#ifdef __aarch64__
	if (type != GMEM_VM_DEFAULT)
		return false;
#endif
	vm = raw_vm(type - GMEM_VM_DEFAULT);
	if (vm < 0)
		return false;
	close(vm);
	return true;
}

static int support(const struct live *l, uint32_t feature)
{
	return t_support(l->vm, feature);
}

static void open_makes_a_close_on_exec_fd(void **state)
{
	struct live *l = *state;

	live_vm(l, GMEM_VM_UNSET);
	assert_true(fcntl(gmem_vm_fd(l->vm), F_GETFD) & FD_CLOEXEC);
}

static void open_leaves_one_fd_and_no_file_behind(void **state)
{
	struct live *l = *state;

	live_vm(l, GMEM_VM_UNSET);
	assert_int_equal(live_fds(), l->fds_before + 1);
	assert_int_equal(live_guest_maps(), 0);
}

static void open_refuses_a_device_that_is_not_there(void **state)
{
	struct live *l = *state;
	struct gmem_vm_opts opts = { .sz = sizeof(opts),
				     .device = "/dev/no-such-kvm" };
	struct gmem_vm *vm = NULL;

	t_refused(gmem_vm_open(&opts, &vm, &l->err), -ENOENT,
		  GMEM_REASON_NO_DEVICE, l->err);
	assert_null(vm);
}

static void open_refuses_a_device_that_is_not_kvm(void **state)
{
	struct live *l = *state;
	struct gmem_vm_opts opts = { .sz = sizeof(opts),
				     .device = "/dev/null" };
	struct gmem_vm *vm = NULL;

	t_refused(gmem_vm_open(&opts, &vm, &l->err), -EINVAL,
		  GMEM_REASON_NOT_KVM, l->err);
	assert_null(vm);
	assert_int_equal(live_fds(), l->fds_before);
}

/* KVM_CREATE_VM gives EINVAL. */
static void open_refuses_a_vm_type_the_host_lacks(void **state)
{
	struct live *l = *state;

	live_need("kvm");
	for (size_t i = 0; i < T_ARRAY_SIZE(types); i++) {
		struct gmem_vm_opts opts = { .sz = sizeof(opts),
					     .type = types[i] };
		struct gmem_vm *vm = NULL;

		if (host_has(types[i])) {
			live_ok(l, gmem_vm_open(&opts, &vm, &l->err));
			live_ok(l, gmem_vm_close(vm, &l->err));
			continue;
		}
		t_refused(gmem_vm_open(&opts, &vm, &l->err), -EOPNOTSUPP,
			  GMEM_REASON_VM_TYPE_UNSUPPORTED, l->err);
		assert_null(vm);
	}
	assert_int_equal(live_fds(), l->fds_before);
}

static void open_takes_ipa_bits_on_arm64_only(void **state)
{
	struct live *l = *state;
	struct gmem_vm_opts opts = { .sz = sizeof(opts), .ipa_bits = 36 };
	struct gmem_vm *vm = NULL;

	live_need("kvm");
#ifdef __aarch64__
	live_ok(l, gmem_vm_open(&opts, &vm, &l->err));
	live_ok(l, gmem_vm_close(vm, &l->err));
	opts.ipa_bits = 255;
#endif
	t_refused(gmem_vm_open(&opts, &vm, &l->err), -EINVAL,
		  GMEM_REASON_IPA_BITS, l->err);
}

/* The VM fd's answer counts, and only a positive one is a yes. */
static void features_are_what_the_vm_fd_answers(void **state)
{
	static const struct {
		uint32_t feature;
		unsigned int cap;
		int mask;
	} rows[] = {
		{ GMEM_FEATURE_USER_MEMORY2, GMEM__CAP_USER_MEMORY2, ~0 },
		{ GMEM_FEATURE_GUEST_MEMFD, GMEM__CAP_GUEST_MEMFD, ~0 },
		{ GMEM_FEATURE_MMAP, GMEM__CAP_GUEST_MEMFD_FLAGS,
		  GMEM__FLAG_MMAP },
		{ GMEM_FEATURE_INIT_SHARED, GMEM__CAP_GUEST_MEMFD_FLAGS,
		  GMEM__FLAG_INIT_SHARED },
		{ GMEM_FEATURE_VM_ATTRIBUTES, GMEM__CAP_MEMORY_ATTRIBUTES,
		  GMEM__ATTRIBUTE_PRIVATE },
#ifdef __aarch64__
		/* the exits come, but are not advertised */
		{ GMEM_FEATURE_MEMORY_FAULT_EXIT, GMEM__CAP_GUEST_MEMFD, ~0 },
#else
		{ GMEM_FEATURE_MEMORY_FAULT_EXIT, GMEM__CAP_MEMORY_FAULT_INFO,
		  ~0 },
#endif
		{ GMEM_FEATURE_MAP_GPA_RANGE_EXIT, GMEM__CAP_EXIT_HYPERCALL,
		  GMEM__HC_MAP_GPA_RANGE_BIT },
		{ GMEM_FEATURE_PRE_FAULT, GMEM__CAP_PRE_FAULT_MEMORY, ~0 },
	};
	struct live *l = *state;

	live_need("kvm");
	for (size_t t = 0; t < T_ARRAY_SIZE(types); t++) {
		if (!host_has(types[t]))
			continue;
		live_vm(l, types[t]);
		for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
			int r = raw_cap(gmem_vm_fd(l->vm), rows[i].cap);
			bool yes = r > 0 && r & rows[i].mask;

			assert_int_equal(support(l, rows[i].feature),
					 yes ? GMEM_YES : GMEM_NO);
		}
	}
}

/* A flag's bit is set where create accepts the flag alone. */
static void flag_features_are_what_create_accepts(void **state)
{
	static const struct {
		uint32_t feature;
		uint64_t flag;
	} rows[] = {
		{ GMEM_FEATURE_MMAP, GMEM__FLAG_MMAP },
		{ GMEM_FEATURE_INIT_SHARED, GMEM__FLAG_INIT_SHARED },
	};
	struct live *l = *state;

	live_need("kvm");
	for (size_t t = 0; t < T_ARRAY_SIZE(types); t++) {
		if (!host_has(types[t]))
			continue;
		live_vm(l, types[t]);
		for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
			int fd = raw_create(gmem_vm_fd(l->vm), l->page,
					    rows[i].flag);

			if (fd >= 0)
				close(fd);
			assert_int_equal(support(l, rows[i].feature),
					 fd >= 0 ? GMEM_YES : GMEM_NO);
		}
	}
}

static void vm_type_features_are_what_the_kernel_makes(void **state)
{
	struct live *l = *state;

	live_vm(l, GMEM_VM_UNSET);
	for (size_t t = 0; t < T_ARRAY_SIZE(types); t++)
		assert_int_equal(support(l, GMEM_FEATURE_VM_DEFAULT + t),
				 host_has(types[t]) ? GMEM_YES : GMEM_NO);
}

/* A flag above INIT_SHARED can mean anything: unknown.  None means no. */
static void hugetlb_features_are_never_yes_unasked(void **state)
{
	struct live *l = *state;
	uint64_t sizes = 1;
	int mask;

	live_vm(l, GMEM_VM_UNSET);
	mask = raw_cap(gmem_vm_fd(l->vm), GMEM__CAP_GUEST_MEMFD_FLAGS);
	assert_int_equal(support(l, GMEM_FEATURE_HUGETLB),
			 mask <= 3 ? GMEM_NO : GMEM_UNKNOWN);
	live_ok(l, gmem_vm_hugetlb_sizes(l->vm, &sizes, &l->err));
	assert_int_equal(sizes, 0);
}

/* ENOTTY of KVM_SET_MEMORY_ATTRIBUTES2 means that the kernel lacks it. */
static void file_attributes_feature_is_tried_on_a_file(void **state)
{
	struct live *l = *state;
	struct gmem__attributes2 nothing = { .size = 0 };
	int fd, r;

	live_need("guest-memfd");
	live_vm(l, GMEM_VM_UNSET);
	fd = live_keep_fd(l, raw_create(gmem_vm_fd(l->vm), l->page, 0));
	assert_true(fd >= 0);
	r = raw_ioctl(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &nothing);
	if (r == -ENOTTY)
		assert_int_equal(support(l, GMEM_FEATURE_FILE_ATTRIBUTES),
				 GMEM_NO);
	else
		t_code(r, -EINVAL);
}

/* 6.18 echoes a policy on its own mapping and obeys it nowhere. */
static void mempolicy_feature_is_what_a_second_mapping_shows(void **state)
{
	struct live *l = *state;
	unsigned long nodes[16] = { 0 };
	struct statfs fs;
	int fd, mode = -1;
	void *a, *b;

	live_need("numa");
	live_need("mmap");
	live_vm(l, GMEM_VM_UNSET);
	fd = live_keep_fd(
		l, raw_create(gmem_vm_fd(l->vm), l->page, GMEM__FLAG_MMAP));
	a = raw_map(l, fd, l->page, PROT_READ);
	b = raw_map(l, fd, l->page, PROT_READ);
	/* MPOL_F_MEMS_ALLOWED; MPOL_BIND; MPOL_F_ADDR */
	assert_int_equal(syscall(SYS_get_mempolicy, NULL, nodes, 1024, NULL, 4),
			 0);
	assert_int_equal(syscall(SYS_mbind, a, l->page, 2, nodes, 1024, 0), 0);
	assert_int_equal(syscall(SYS_get_mempolicy, &mode, NULL, 0, a, 2), 0);
	assert_int_equal(mode, 2);
	assert_int_equal(syscall(SYS_get_mempolicy, &mode, NULL, 0, b, 2), 0);
	assert_int_equal(support(l, GMEM_FEATURE_MEMPOLICY),
			 mode == 2 ? GMEM_YES : GMEM_NO);
	/* the kernels that obey have files of their own */
	assert_int_equal(fstatfs(fd, &fs), 0);
	assert_int_equal(fs.f_type == GMEM__MAGIC_GUEST_MEMFD, mode == 2);
}

static void residency_feature_is_whether_cachestat_answers(void **state)
{
	struct live *l = *state;
	int fd;

	live_need("guest-memfd");
	live_vm(l, GMEM_VM_UNSET);
	fd = live_keep_fd(l, raw_create(gmem_vm_fd(l->vm), l->page, 0));
	assert_int_equal(support(l, GMEM_FEATURE_RESIDENCY),
			 raw_resident(fd, 0, l->page) == 0 ? GMEM_YES
							   : GMEM_NO);
}

static void adopt_borrows_the_fd(void **state)
{
	struct live *l = *state;
	struct gmem_vm_opts opts = { .sz = sizeof(opts),
				     .type = GMEM_VM_DEFAULT };
	struct gmem_vm *vm;
	int fd;

	live_need("kvm");
	fd = live_keep_fd(l, raw_vm(0));
	live_ok(l, gmem_vm_adopt(fd, &opts, &vm, &l->err));
	assert_int_equal(gmem_vm_fd(vm), fd);
	live_ok(l, gmem_vm_close(vm, &l->err));
	live_ok(l, gmem_vm_adopt(fd, &opts, &vm, &l->err));
	live_ok(l, gmem_vm_destroy(vm, &l->err));
	assert_true(raw_cap(fd, GMEM__CAP_USER_MEMORY) > 0);
}

static void adopted_vm_has_the_features_of_an_opened_one(void **state)
{
	struct live *l = *state;
	struct gmem_vm *vm;
	int fd;

	live_vm(l, GMEM_VM_DEFAULT);
	fd = live_keep_fd(l, raw_vm(0));
	live_ok(l, gmem_vm_adopt(fd, NULL, &vm, &l->err));
	l->vms[l->n_vms++] = vm;
	for (uint32_t f = 0; support(l, f) >= 0; f++)
		assert_int_equal(t_support(vm, f), support(l, f));
}

static void adopt_refuses_what_is_not_a_vm(void **state)
{
	struct live *l = *state;
	struct gmem_vm *vm = NULL;
	int fds[3];

	live_need("guest-memfd");
	live_vm(l, GMEM_VM_UNSET);
	fds[0] = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	fds[1] = memfd_create("live", MFD_CLOEXEC);
	fds[2] = raw_create(gmem_vm_fd(l->vm), l->page, 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(fds); i++) {
		live_keep_fd(l, fds[i]);
		t_refused(gmem_vm_adopt(fds[i], NULL, &vm, &l->err), -EINVAL,
			  GMEM_REASON_NOT_A_VM, l->err);
		assert_true(fcntl(fds[i], F_GETFD) >= 0);
	}
	t_refused(gmem_vm_adopt(1000, NULL, &vm, &l->err), -EBADF,
		  GMEM_REASON_BAD_FD, l->err);
	assert_null(vm);
}

static void count_questions(void *arg, const struct gmem_trace *event)
{
	*(unsigned int *)arg += !strncmp(event->call, "KVM_", 4);
}

/* A vCPU that runs its guest answers only when it exits, perhaps never. */
static void adopt_refuses_odd_descriptors_and_asks_no_vcpu(void **state)
{
	struct live *l = *state;
	unsigned int questions = 0;
	struct gmem_vm_opts opts = { .sz = sizeof(opts),
				     .trace = count_questions,
				     .trace_arg = &questions };
	struct gmem_vm *vm = NULL;
	int fds[RAW_ODD];

	live_need("kvm");
	live_vm(l, GMEM_VM_UNSET);
	raw_odd_fds(l, gmem_vm_fd(l->vm), fds);
	for (size_t i = 0; i < RAW_ODD; i++) {
		t_refused(gmem_vm_adopt(fds[i], &opts, &vm, &l->err), -EINVAL,
			  GMEM_REASON_NOT_A_VM, l->err);
		assert_true(fcntl(fds[i], F_GETFD) >= 0);
		assert_true(i > 0 || questions == 0);
	}
	assert_null(vm);
}

static void adopt_refuses_a_type_that_the_vm_contradicts(void **state)
{
	struct live *l = *state;
	struct gmem_vm *vm = NULL;
	int fd;

	live_need("kvm");
	fd = live_keep_fd(l, raw_vm(0));
	for (uint32_t type = GMEM_VM_UNSET; type <= GMEM_VM_TDX; type++) {
		struct gmem_vm_opts opts = { .sz = sizeof(opts), .type = type };

		if (type == GMEM_VM_SEV && host_has(type))
			continue; /* answers as a default VM does */
		if (type > GMEM_VM_DEFAULT) {
			t_refused(gmem_vm_adopt(fd, &opts, &vm, &l->err),
				  -EINVAL, GMEM_REASON_VM_TYPE_CONTRADICTED,
				  l->err);
			assert_null(vm);
			continue;
		}
		live_ok(l, gmem_vm_adopt(fd, &opts, &vm, &l->err));
		live_ok(l, gmem_vm_close(vm, &l->err));
		vm = NULL;
	}
}

static void close_refuses_a_vm_that_has_files(void **state)
{
	struct live *l = *state;

	live_need("init-shared");
	live_vm(l, GMEM_VM_UNSET);
	live_file(l, 1, LIVE_SHARED);
	live_refused(l, gmem_vm_close(l->vm, &l->err), -EBUSY,
		     GMEM_REASON_HAS_FILES);
	live_ok(l, gmem_close(l->g, &l->err));
	live_ok(l, gmem_vm_close(l->vm, &l->err));
	live_forget_vm(l, l->vm);
	assert_int_equal(live_fds(), l->fds_before);
}

/* Slots of both modes, mappings, two files. */
static void make_tree(struct live *l)
{
	struct gmem_slot hva = { .sz = sizeof(hva), .flags = GMEM_SLOT_HVA };
	struct gmem *a, *b;
	char c = 1;
	void *map;

	live_vm(l, GMEM_VM_UNSET);
	a = live_file(l, 8, LIVE_SHARED);
	b = live_file(l, 8, LIVE_SHARED);
	live_ok(l, t_bind(a, 0, 0, 0, 4 * l->page, NULL, &l->err));
	live_ok(l, t_bind(a, 1, 16 * l->page, 4 * l->page, 4 * l->page, NULL,
			  &l->err));
	live_ok(l, t_bind(b, 2, 32 * l->page, 0, 8 * l->page, &hva, &l->err));
	live_ok(l, gmem_mmap(a, 0, l->page, NULL, &map, &l->err));
	live_ok(l, gmem_mmap(b, l->page, l->page, NULL, &map, &l->err));
	live_ok(l, gmem_write(b, 0, &c, 1, &l->err));
}

static void destroy_leaves_no_fd_and_no_mapping(void **state)
{
	struct live *l = *state;
	unsigned int lines = 0;

	live_need("init-shared");
	for (int round = 0; round < 3; round++) {
		make_tree(l);
		live_ok(l, gmem_vm_destroy(l->vm, &l->err));
		live_forget_vm(l, l->vm);
		assert_int_equal(live_fds(), l->fds_before);
		/* the first round grows libc's heap */
		if (round)
			assert_int_equal(live_map_lines(), lines);
		lines = live_map_lines();
	}
}

static void close_in_order_leaves_no_fd_and_no_mapping(void **state)
{
	struct live *l = *state;
	void *map;

	live_need("init-shared");
	live_vm(l, GMEM_VM_UNSET);
	live_file(l, 4, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, 4 * l->page, NULL, &l->err));
	live_ok(l, gmem_mmap(l->g, 0, l->page, NULL, &map, &l->err));
	live_ok(l, gmem_munmap(l->g, map, &l->err));
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	live_ok(l, gmem_close(l->g, &l->err));
	live_ok(l, gmem_vm_close(l->vm, &l->err));
	live_forget_vm(l, l->vm);
	assert_int_equal(live_fds(), l->fds_before);
	assert_int_equal(live_guest_maps(), 0);
}

/* 6.8 to 6.17: a default VM creates files that it cannot bind. */
static void create_is_refused_where_the_vm_can_not_bind(void **state)
{
	struct live *l = *state;
	struct gmem_create_opts opts = { .sz = sizeof(opts),
					 .flags = GMEM_CREATE_UNBOUND };

	live_vm(l, GMEM_VM_DEFAULT);
	if (live_has("guest-memfd"))
		live_ok(l, gmem_create(l->vm, l->page, &opts, &l->g, &l->err));
	else
		live_refused(l,
			     gmem_create(l->vm, l->page, &opts, &l->g, &l->err),
			     -EOPNOTSUPP, GMEM_REASON_NO_GUEST_MEMFD);
}

int main(void)
{
	const struct CMUnitTest vm[] = {
		live_test(open_makes_a_close_on_exec_fd),
		live_test(open_leaves_one_fd_and_no_file_behind),
		live_test(open_refuses_a_device_that_is_not_there),
		live_test(open_refuses_a_device_that_is_not_kvm),
		live_test(open_refuses_a_vm_type_the_host_lacks),
		live_test(open_takes_ipa_bits_on_arm64_only),
		live_test(features_are_what_the_vm_fd_answers),
		live_test(flag_features_are_what_create_accepts),
		live_test(vm_type_features_are_what_the_kernel_makes),
		live_test(hugetlb_features_are_never_yes_unasked),
		live_test(file_attributes_feature_is_tried_on_a_file),
		live_test(mempolicy_feature_is_what_a_second_mapping_shows),
		live_test(residency_feature_is_whether_cachestat_answers),
		live_test(adopt_borrows_the_fd),
		live_test(adopted_vm_has_the_features_of_an_opened_one),
		live_test(adopt_refuses_what_is_not_a_vm),
		live_test(adopt_refuses_odd_descriptors_and_asks_no_vcpu),
		live_test(adopt_refuses_a_type_that_the_vm_contradicts),
		live_test(close_refuses_a_vm_that_has_files),
		live_test(destroy_leaves_no_fd_and_no_mapping),
		live_test(close_in_order_leaves_no_fd_and_no_mapping),
		live_test(create_is_refused_where_the_vm_can_not_bind),
	};

	return t_main(vm);
}
