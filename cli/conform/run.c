// SPDX-License-Identifier: MIT
/* All the cases, what each needs, and running one. */
#include <stdlib.h>
#include <string.h>

#include "conform.h"

static const struct conform_case *const groups[] = {
	create_cases, fd_cases,	  map_cases,	policy_cases, space_cases,
	slot_cases,   attr_cases, access_cases, place_cases,
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
	{ NEED_PAGING, "guests are emulated, or no test guest here" },
	{ NEED_IN_PLACE, "no conversion in place" },
	{ NEED_BY_GPA, "attributes are not the VM's" },
	{ NEED_NUMA, "no memory policies" },
	{ NEED_OLD, "6.18 or later" },
	{ NEED_NODES, "one NUMA node" },
	{ NEED_HUGE, "no huge pages in guest_memfd" },
	{ NEED_MERGED, "flags that were never merged" },
	{ NEED_RESIDENCY, "no cachestat(2)" },
};

/* Profiles that are not named after a release: which one they start from. */
static const struct {
	const char *where;
	unsigned int version, have;
} unmerged[] = {
	{ "model inplace", 704, NEED_IN_PLACE | NEED_MERGED },
	{ "model hugetlb-rfc1", 612, NEED_HUGE },
	{ "model hugetlb-rfc2", 615, NEED_HUGE | NEED_IN_PLACE },
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
	return c_ioctl(c, c->device, GMEM__KVM_CREATE_VM,
		       (void *)(uintptr_t)type);
}

/* Whether that VM type is there and can bind a guest_memfd. */
static bool can_bind(struct conform *c, uint32_t type)
{
	int vm = probe_vm(c, type);
	bool yes = vm >= 0 && c_cap(c, vm, GMEM__CAP_GUEST_MEMFD) > 0;

	if (vm >= 0)
		(void)c->sys->close(c->priv, vm);
	return yes;
}

static int nodes_allowed(const struct conform *c)
{
	unsigned long mask[16] = { 0 };
	int n = 0;

	if (c->sys->get_mempolicy(c->priv, NULL, mask, 1024, NULL, 4) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(mask); i++)
		n += __builtin_popcountl(mask[i]);
	return n;
}

/* "kernel 6.18.44", "model 7.3,arm64" */
static void learn_version(struct conform *c)
{
	unsigned long major, minor = 0;
	char *end;

	major = strtoul(strchr(c->where, ' ') + 1, &end, 10);
	if (*end == '.')
		minor = strtoul(end + 1, NULL, 10);
	c->version = (unsigned int)(major * 100 + minor);
	c->have = c->version ? NEED_MERGED : 0;
	for (size_t i = 0; i < ARRAY_SIZE(unmerged); i++)
		if (!strncmp(c->where, unmerged[i].where,
			     strlen(unmerged[i].where))) {
			c->version = unmerged[i].version;
			c->have = unmerged[i].have;
		}
	if (c->version < 618)
		c->have |= NEED_OLD;
}

void conform_learn(struct conform *c)
{
	int vm, nodes = nodes_allowed(c);

	learn_version(c);
	c->page = c->sys->page_size(c->priv);
	c->arm64 = c->sys->is_arm64(c->priv);
	c->type = !c->arm64 && !can_bind(c, 0) && can_bind(c, 1);
	c->have |= c->arm64 ? NEED_ARM64 : NEED_X86;
	c->have |= nodes > 0 ? NEED_NUMA : 0;
	c->have |= nodes > 1 ? NEED_NODES : 0;
	c->have |= c_resident(c, -1, 0, 0) != -ENOSYS ? NEED_RESIDENCY : 0;
	if (!can_bind(c, c->type))
		return;
	c->have |= NEED_GMEM;
	if (!c->arm64 && can_bind(c, 1))
		c->have |= NEED_PRIVATE;
	vm = probe_vm(c, c->type);
	if (c_cap(c, vm, GMEM__CAP_GUEST_MEMFD_FLAGS) & 1) {
		c->have |= NEED_MMAP;
		c->flags = SHARED;
	}
	if (c_cap(c, c->device, GMEM__CAP_MEMORY_ATTRIBUTES) > 0)
		c->have |= NEED_BY_GPA;
	if (!c->arm64 && c_cap(c, vm, GMEM__CAP_PRE_FAULT_MEMORY) > 0)
		c->have |= NEED_PAGING;
	(void)c->sys->close(c->priv, vm);
}

const char *conform_lack(const struct conform *c, const struct conform_case *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (t->needs & needs[i].bit & ~c->have)
			return needs[i].lack;
	return NULL;
}

void conform_run(struct conform *c, const struct conform_case *t)
{
	c->failure[0] = '\0';
	c->n_fds = 0;
	c->n_maps = 0;
	memset(c->run, 0, sizeof(c->run));
	c->vm = c_vm(c, c->type);
	t->run(c);
	c_guest_end(c);
	while (c->n_maps) {
		c->n_maps--;
		(void)c->sys->munmap(c->priv, c->maps[c->n_maps].addr,
				     c->maps[c->n_maps].len);
	}
	while (c->n_fds)
		(void)c->sys->close(c->priv, c->fds[--c->n_fds]);
}
