// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host.h"

#include "feature.h"
#include "vm.h"

#define WALK_MAX (1ULL << 30) /* bytes; as much as the library asks for */

#define TYPE_PRIVATE 1 /* KVM_CREATE_VM: software-protected */

#define MODEL_BITS 48 /* x86-64 with two-dimensional paging */
#define ARM64_BITS 40 /* of the usual VM */

static int create_vm(int device, unsigned long type)
{
	int fd;

	do {
		fd = gmem__sys_linux.ioctl(NULL, device, GMEM__KVM_CREATE_VM,
					   (void *)type);
	} while (fd == -EINTR);
	return fd;
}

static int cap(int fd, unsigned long nr)
{
	return gmem__sys_linux.ioctl(NULL, fd, GMEM__KVM_CHECK_EXTENSION,
				     (void *)nr);
}

/* Whether a binding whose end overflows is accepted, as it was up to 7.1. */
static bool accepts_overflow(int vm)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct gmem__create create = { .size = page };
	struct gmem__region2 r = {
		.region = { .flags = GMEM__MEM_GUEST_MEMFD,
			    .memory_size = 2 * page },
		.guest_memfd_offset = (1ULL << 63) - page,
	};
	bool yes;
	int fd;

	if (cap(vm, GMEM__CAP_GUEST_MEMFD_FLAGS) > 0)
		create.flags = GMEM__FLAG_MMAP;
	fd = gmem__sys_linux.ioctl(NULL, vm, GMEM__KVM_CREATE_GUEST_MEMFD,
				   &create);
	if (fd < 0)
		return false;
	r.guest_memfd = (uint32_t)fd;
	yes = gmem__sys_linux.ioctl(NULL, vm, GMEM__KVM_SET_USER_MEMORY_REGION2,
				    &r) == 0;
	(void)close(fd);
	return yes;
}

/* One that makes files as merged, and converts as @in_place says. */
static bool suits(const struct gmem_model_profile *p, bool in_place)
{
	return p->hugetlb_encoding == GMEM_HUGETLB_MERGED &&
	       !(p->flags & GMEM_MODEL_PROFILE_IN_PLACE) == !in_place;
}

/*
 * The newest one that is not newer than the kernel; none for a kernel that is
 * newer than all of them, of which the model knows nothing.  What converts in
 * place is not in a release yet, so there its version does not count.
 */
static const char *find_profile(const char *release, bool in_place)
{
	struct gmem_model_profile p = { .sz = sizeof(p) };
	unsigned long version, best = 0, newest = 0;
	const char *name = NULL;
	char *dot;

	version = 100 * strtoul(release, &dot, 10);
	version += *dot == '.' ? strtoul(dot + 1, NULL, 10) : 0;
	for (uint32_t i = 0; gmem_model_profile_info(i, &p, NULL) == 0; i++) {
		if (!suits(&p, in_place))
			continue;
		if (p.version > newest)
			newest = p.version;
		if ((in_place || p.version <= version) && p.version > best) {
			best = p.version;
			name = p.name;
		}
	}
	return version > newest ? NULL : name;
}

/* As a call that changes nothing shows. */
static bool converts_in_place(int device)
{
	struct gmem__attributes2 a = { .size = 0 };
	struct gmem__create create = { .size = (uint64_t)sysconf(
					       _SC_PAGESIZE) };
	int vm = create_vm(device, TYPE_PRIVATE), fd, r;

	if (vm < 0)
		return false;
	fd = gmem__sys_linux.ioctl(NULL, vm, GMEM__KVM_CREATE_GUEST_MEMFD,
				   &create);
	r = gmem__sys_linux.ioctl(NULL, fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2,
				  &a);
	(void)close(fd);
	(void)close(vm);
	return r == -EINVAL;
}

/* What the kernel answers decides, with its release. */
static int choose_profile(struct host *h, int device, const char **why)
{
	struct utsname u;

	(void)uname(&u);
	h->profile = find_profile(u.release, converts_in_place(device));
	*why = "no profile for this kernel";
	return h->profile ? 0 : -1;
}

static void learn_type(struct host *h, int device, uint32_t type)
{
	int vm = create_vm(device, type);

	if (vm < 0)
		return;
	if (cap(vm, GMEM__CAP_GUEST_MEMFD) > 0) {
		h->types[h->n_types++] = type == TYPE_PRIVATE
						 ? GMEM_VM_SW_PROTECTED
						 : GMEM_VM_DEFAULT;
		h->limits.offset_overflow =
			accepts_overflow(vm) != (strcmp(h->profile, "7.2") < 0);
	}
	if (cap(vm, GMEM__CAP_PRE_FAULT_MEMORY) > 0)
		h->opts.machine = GMEM_MODEL_X86;
	(void)close(vm);
}

static bool caps_differ(int fd, struct gmem_vm *model, unsigned long nr)
{
	return cap(fd, nr) != gmem__cap(&model->ctx, gmem_vm_fd(model), nr);
}

/* How many slots and address spaces; the kernel may be built without SMM. */
static void learn_slots(struct host *h, int device)
{
	for (unsigned int i = 0; i < h->n_types; i++) {
		struct gmem_vm_opts vm = { .sz = sizeof(vm),
					   .type = h->types[i] };
		struct gmem_model_opts o = h->opts;
		struct gmem_vm *model;
		int fd = create_vm(device, vm.type == GMEM_VM_SW_PROTECTED
						   ? TYPE_PRIVATE
						   : 0);

		o.vm = &vm;
		if (fd < 0 ||
		    gmem_model_vm_open(h->profile, &o, &model, NULL) < 0) {
			(void)close(fd);
			continue;
		}
		h->limits.slots |=
			caps_differ(fd, model, GMEM__CAP_NR_MEMSLOTS);
		h->limits.spaces |=
			caps_differ(fd, model, GMEM__CAP_MULTI_ADDRESS_SPACE);
		(void)close(fd);
		(void)gmem_vm_destroy(model, NULL);
	}
}

static int learn_machine(struct host *h, const char **why)
{
	bool arm64 = gmem__sys_linux.is_arm64(NULL);
	int device = gmem__sys_linux.open(NULL, "/dev/kvm", O_RDWR | O_CLOEXEC);
	int types;

	*why = "no usable /dev/kvm";
	if (device < 0)
		return -1;
	if (choose_profile(h, device, why) < 0) {
		(void)close(device);
		return -1;
	}
	types = cap(device, GMEM__CAP_VM_TYPES);
	h->opts.vm_types = types > 0 ? (uint32_t)types : 1;
	h->opts.machine = GMEM_MODEL_X86_SOFTWARE;
	learn_type(h, device, 0);
	if (h->opts.vm_types >> TYPE_PRIVATE & 1)
		learn_type(h, device, TYPE_PRIVATE);
	if (arm64)
		h->opts.machine = GMEM_MODEL_ARM64;
	if (h->n_types)
		learn_slots(h, device);
	(void)close(device);
	*why = "no VM type here can bind a guest_memfd";
	return h->n_types ? 0 : -1;
}

/*
 * Without a policy a page lies on the node where its thread runs: in the model,
 * on the first node.
 */
static int stay_on_node_0(void)
{
	cpu_set_t allowed, one;
	unsigned int node;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) == 0 &&
		    getcpu(NULL, &node) == 0 && node == 0)
			return 0;
	}
	return -1;
}

static int learn_nodes(struct host *h, const char **why)
{
	unsigned long mask[16] = { 1 };

	/* ENOSYS: without NUMA, one */
	(void)gmem__sys_linux.get_mempolicy(NULL, NULL, mask, 1024, NULL, 4);
	h->opts.nodes = (uint32_t)__builtin_popcountl(mask[0]);
	h->limits.spread = h->opts.nodes > 1;
	*why = "the nodes are not 0, 1, 2 and so on";
	if ((mask[0] & (mask[0] + 1)) || h->opts.nodes > 32)
		return -1;
	*why = "no CPU of node 0";
	return h->opts.nodes > 1 ? stay_on_node_0() : 0;
}

/*
 * With two-dimensional paging the limit is the CPU's.  If the model's differs,
 * only addresses beyond both are out of range.
 */
static void learn_limit(struct host *h)
{
	unsigned int bits = gmem__sys_linux.phys_bits(NULL);

	h->limits.gpa_bits = GPA_BITS;
	if (h->opts.machine == GMEM_MODEL_ARM64)
		h->limits.gpa_bits = ARM64_BITS;
	else if (h->opts.machine == GMEM_MODEL_X86 && bits == MODEL_BITS)
		h->limits.gpa_bits = MODEL_BITS;
	else if (h->opts.machine == GMEM_MODEL_X86)
		h->cpu_bits = bits;
}

int host_learn(struct host *h, const char **why)
{
	uint64_t n;

	memset(h, 0, sizeof(*h));
	h->opts.sz = sizeof(h->opts);
	if (learn_machine(h, why) < 0 || learn_nodes(h, why) < 0)
		return -1;
	learn_limit(h);
	h->limits.walk = WALK_MAX;
	h->limits.move_all = gmem__sys_linux.mbind(NULL, NULL, 0, 0, NULL, 0,
						   MOVE_ALL) == -EPERM;
	h->limits.residency =
		gmem__sys_linux.cachestat(NULL, -1, 0, 0, &n) == -ENOSYS;
	return 0;
}

int host_named(struct host *h, const char *profile, const char **why)
{
	struct gmem_model_profile p = { .sz = sizeof(p) };

	memset(h, 0, sizeof(*h));
	for (uint32_t i = 0; gmem_model_profile_info(i, &p, NULL) == 0; i++) {
		if (strcmp(p.name, profile) != 0)
			continue;
		h->profile = p.name;
		h->encoding = p.hugetlb_encoding;
		h->named = true;
		h->opts.sz = sizeof(h->opts);
		h->opts.nodes = 2;
		h->types[0] = GMEM_VM_SW_PROTECTED;
		h->n_types = 1;
		h->limits.gpa_bits = MODEL_BITS;
		return 0;
	}
	*why = "the model has no such profile";
	return -1;
}

static void print_named(const struct host *h)
{
	printf("# two models %s: one for all sequences, a new one for each "
	       "sequence\n",
	       h->profile);
}

void host_print(const struct host *h)
{
	static const char *const machines[] = { "x86-64",
						"x86-64, software paging",
						"arm64" };
	struct utsname u;

	if (h->named) {
		print_named(h);
		return;
	}
	(void)uname(&u);
	printf("# Linux %s and model %s: %s, pages of %ld bytes, VM types "
	       "0x%x, %u nodes\n",
	       u.release, h->profile, machines[h->opts.machine],
	       sysconf(_SC_PAGESIZE), h->opts.vm_types, h->opts.nodes);
	printf("# left out: attributes of more than %llu bytes at once, which "
	       "the kernel stores page by page and no signal ends\n",
	       (unsigned long long)h->limits.walk);
	if (h->cpu_bits)
		printf("# not compared: guest addresses from 2^%u to 2^%u; the "
		       "limit is the CPU's\n",
		       h->cpu_bits < MODEL_BITS ? h->cpu_bits : MODEL_BITS,
		       h->cpu_bits < MODEL_BITS ? MODEL_BITS : h->cpu_bits);
	if (h->limits.slots)
		printf("# not compared: slots above the usual ones; the kernel "
		       "has another number of them\n");
	if (h->limits.spaces)
		printf("# not compared: the second address space; not as in "
		       "the model, the kernel has it or lacks it\n");
	if (h->limits.move_all)
		printf("# not compared: MPOL_MF_MOVE_ALL; there is no "
		       "cap_sys_nice here\n");
	if (h->limits.residency)
		printf("# not compared: residency; there is no cachestat(2)\n");
	if (h->limits.spread)
		printf("# not compared: the node of an interleaved page; it is "
		       "the turn of whatever is allocated next\n");
	if (h->limits.offset_overflow)
		printf("# not compared: bindings whose end overflows; this "
		       "release is not as %s was\n",
		       h->profile);
}
