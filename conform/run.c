// SPDX-License-Identifier: MIT
/* All the cases, what each needs, and running one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "case.h"

#ifdef __aarch64__
#define NATIVE_ARM64 true
#else
#define NATIVE_ARM64 false
#endif

static const struct conform_case *const groups[] = {
	create_cases, fd_cases,	  map_cases,	policy_cases,	space_cases,
	slot_cases,   attr_cases, access_cases, unmerged_cases,
};

static const struct {
	unsigned int bit;
	const char *lack;
} needs[] = {
	{ NEED_GMEM, "no VM type that can bind a guest_memfd" },
	{ NEED_MMAP, "no GUEST_MEMFD_FLAG_MMAP" },
	{ NEED_PRIVATE, "no software-protected VM type" },
	{ NEED_X86, "not x86-64" },
	{ NEED_ARM64, "not arm64" },
	{ NEED_PAGING, "guests are emulated" },
	{ NEED_IN_PLACE, "no conversion in place" },
	{ NEED_BY_GPA, "attributes are not the VM's" },
	{ NEED_NUMA, "no memory policies" },
	{ NEED_OLD, "6.18 or later" },
	{ NEED_NODES, "one NUMA node" },
	{ NEED_HUGE, "no huge pages in guest_memfd" },
	{ NEED_MERGED, "flags that were never merged" },
	{ NEED_RESIDENCY, "no cachestat(2)" },
	{ NEED_ORDER, "no page_order in guest_memfd" },
	{ NEED_VCPU, "the model runs no instructions" },
};

const struct conform_case *conform_case_at(size_t index)
{
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (const struct conform_case *t = groups[g]; t->name; t++)
			if (index-- == 0)
				return t;
	return NULL;
}

static int probe_vm(struct conform *c, uint32_t type)
{
	return c_ioctl(c, c->device, UAPI_KVM_CREATE_VM,
		       (void *)(uintptr_t)type);
}

/* Whether that VM type is there and can bind a guest_memfd. */
static bool can_bind(struct conform *c, uint32_t type)
{
	int vm = probe_vm(c, type);
	bool yes = vm >= 0 && c_cap(c, vm, UAPI_CAP_GUEST_MEMFD) > 0;

	if (vm >= 0)
		(void)c_close_fd(c, vm);
	return yes;
}

static int nodes_allowed(struct conform *c)
{
	unsigned long mask[16] = { 0 };
	int n = 0;

	if (c_get_mempolicy(c, NULL, mask, 1024, NULL, 4) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(mask); i++)
		n += __builtin_popcountl(mask[i]);
	return n;
}

/* "kernel 6.18.44", "model 7.3,arm64": the profile has its version. */
static void learn_version(struct conform *c)
{
	struct gmem_model_profile p = { .sz = sizeof(p) };
	const char *name = strchr(c->where, ' ') + 1;
	size_t n = strcspn(name, ",");
	unsigned long major, minor = 0;
	char *end;

	major = strtoul(name, &end, 10);
	if (*end == '.')
		minor = strtoul(end + 1, NULL, 10);
	c->version = (unsigned int)(major * 100 + minor);
	c->have = NEED_MERGED;
	for (uint32_t i = 0;
	     c->model && gmem_model_profile_info(i, &p, NULL) == 0; i++) {
		if (strlen(p.name) != n || memcmp(p.name, name, n) != 0)
			continue;
		c->version = p.version;
		if (p.hugetlb_encoding == GMEM_HUGETLB_RFC1)
			c->have = NEED_HUGE;
	}
	if (c->version < 618)
		c->have |= NEED_OLD;
}

/*
 * Of what is not there: what neither another machine nor another configuration
 * of this kernel could bring.  A profile of the model has neither; only what it
 * takes from the host may be there on another one.
 */
static unsigned int never(const struct conform *c)
{
	unsigned int bits = NEED_X86 | NEED_ARM64 | NEED_OLD | NEED_HUGE |
			    NEED_MERGED | NEED_ORDER;

	if (c->model)
		return ~(unsigned int)(NEED_NUMA | NEED_RESIDENCY);
	if (c->version < 618)
		bits |= NEED_MMAP;
	if (c->version < 704)
		bits |= NEED_IN_PLACE;
	if (c->arm64)
		bits |= NEED_PRIVATE | NEED_BY_GPA;
	return bits;
}

int conform_open(const struct conform_kernel *kernel, struct conform **out)
{
	struct conform *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->model = kernel->model;
	(void)snprintf(c->where, sizeof(c->where), "%s %s",
		       c->model ? "model" : "kernel", kernel->release);
	c->arm64 =
		c->model ? kernel->machine == GMEM_MODEL_ARM64 : NATIVE_ARM64;
	c->page = (uint64_t)sysconf(_SC_PAGESIZE);
	c->device = c_open(c, kernel->device);
	if (c->device < 0) {
		int r = c->device;

		free(c);
		return r;
	}
	*out = c;
	return 0;
}

void conform_close(struct conform *c)
{
	(void)c_close_fd(c, c->device);
	free(c);
}

/*
 * Whether huge pages are asked for by the order of the page: such a kernel
 * refuses an order without the flag, all others ignore it.
 */
static bool reads_order(struct conform *c, int vm)
{
	struct uapi_create args = { .size = c->page };
	int fd;

	*(unsigned char *)args.reserved = 1;
	fd = c_ioctl(c, vm, UAPI_KVM_CREATE_GUEST_MEMFD, &args);
	if (fd >= 0)
		(void)c_close_fd(c, fd);
	return fd == -EINVAL;
}

/* Whether files take attributes themselves: ENOTTY says no. */
static bool converts_in_place(struct conform *c)
{
	struct uapi_create args = { .size = c->page };
	int vm = probe_vm(c, 1), fd = -1;
	bool yes;

	if (vm >= 0)
		fd = c_ioctl(c, vm, UAPI_KVM_CREATE_GUEST_MEMFD, &args);
	yes = fd >= 0 && c_attributes2(c, fd, 0, c->page,
				       UAPI_ATTRIBUTE_PRIVATE, NULL) != -ENOTTY;
	if (fd >= 0)
		(void)c_close_fd(c, fd);
	if (vm >= 0)
		(void)c_close_fd(c, vm);
	return yes;
}

int conform_learn(struct conform *c)
{
	int vm, nodes = nodes_allowed(c);

	learn_version(c);
	c->never = never(c);
	c->type = !c->arm64 && !can_bind(c, 0) && can_bind(c, 1);
	c->have |= c->arm64 ? NEED_ARM64 : NEED_X86;
	c->have |= nodes > 0 ? NEED_NUMA : 0;
	c->have |= nodes > 1 ? NEED_NODES : 0;
	c->have |= c_resident(c, -1, 0, 0) != -ENOSYS ? NEED_RESIDENCY : 0;
	if (!can_bind(c, c->type))
		return -EOPNOTSUPP;
	c->have |= NEED_GMEM;
	if (!c->arm64 && can_bind(c, 1))
		c->have |= NEED_PRIVATE;
	vm = probe_vm(c, c->type);
	if (c_cap(c, vm, UAPI_CAP_GUEST_MEMFD_FLAGS) & 1) {
		c->have |= NEED_MMAP;
		c->flags = SHARED;
	}
	if (reads_order(c, vm))
		c->have |= NEED_ORDER | NEED_HUGE;
	if (!c->arm64 && converts_in_place(c)) {
		c->have |= NEED_IN_PLACE;
		c->never |= NEED_BY_GPA;
	}
	if (c_cap(c, c->device, UAPI_CAP_MEMORY_ATTRIBUTES) > 0)
		c->have |= NEED_BY_GPA;
	c->have |= c->model ? 0 : NEED_VCPU;
	if (c->arm64 || c_cap(c, vm, UAPI_CAP_PRE_FAULT_MEMORY) > 0)
		c->have |= NEED_PAGING;
	(void)c_close_fd(c, vm);
	return 0;
}

/* The first of the @missing needs in words; NULL if there is none. */
static const char *lack(unsigned int missing)
{
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (missing & needs[i].bit)
			return needs[i].lack;
	return NULL;
}

/* Leaves what the kernel did otherwise in .failure. */
static void run_case(struct conform *c, const struct conform_case *t)
{
	c->failure[0] = '\0';
	c->n_fds = 0;
	c->n_maps = 0;
	memset(c->run, 0, sizeof(c->run));
	c->vm = c_vm(c, c->type);
	t->run(c);
	c_guest_end(c);
	while (c->n_maps)
		(void)c_unmap(c, c->maps[c->n_maps - 1].addr);
	while (c->n_fds)
		(void)c_close_fd(c, c->fds[--c->n_fds]);
}

/* Runs @t if there is what it needs. */
static struct conform_report report_of(struct conform *c,
				       const struct conform_case *t)
{
	struct conform_report r = { .of = t };
	unsigned int missing = t->needs & ~c->have;

	if (missing & c->never) {
		r.result = CONFORM_NOT_APPLICABLE;
		r.text = lack(missing & c->never);
		return r;
	}
	if (missing) {
		r.result = CONFORM_SKIPPED;
		r.text = lack(missing);
		return r;
	}
	r.difference = conform_difference(c, t->name);
	run_case(c, t);
	r.text = *c->failure ? c->failure : NULL;
	if (!r.text == !r.difference)
		r.result = CONFORM_OK;
	else
		r.result = CONFORM_FAILED;
	if (r.result == CONFORM_FAILED && !r.text)
		r.text = "behaves as documented after all";
	return r;
}

void conform_run(struct conform *c, conform_chosen_fn *chosen,
		 conform_report_fn *report, void *arg)
{
	const struct conform_case *t;
	struct conform_report r;

	for (size_t i = 0; (t = conform_case_at(i)); i++)
		if (chosen(arg, t)) {
			r = report_of(c, t);
			report(arg, &r);
		}
}
