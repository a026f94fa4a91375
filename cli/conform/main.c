// SPDX-License-Identifier: MIT
/*
 * conform                  the real /dev/kvm
 * conform PROFILE [MACHINE]  a profile of the model; MACHINE is software or
 *                            arm64
 *
 * Prints TAP; 77 if there is no usable /dev/kvm.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

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
};

/* Profiles that are not named after a release: which one they start from. */
static const struct {
	const char *profile;
	unsigned int version, have;
} unmerged[] = {
	{ "inplace", 704, NEED_IN_PLACE | NEED_MERGED },
	{ "hugetlb-rfc1", 612, NEED_HUGE },
	{ "hugetlb-rfc2", 615, NEED_HUGE | NEED_IN_PLACE },
};

static unsigned int parse_version(const char *release)
{
	unsigned int major = 0, minor = 0;

	(void)sscanf(release, "%u.%u", &major, &minor);
	return major * 100 + minor;
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

static void learn(struct conform *c)
{
	int vm, nodes = nodes_allowed(c);

	c->page = c->sys->page_size(c->priv);
	c->arm64 = c->sys->is_arm64(c->priv);
	c->device = c->sys->open(c->priv, "/dev/kvm", O_RDWR | O_CLOEXEC);
	c->type = !c->arm64 && !can_bind(c, 0) && can_bind(c, 1);
	c->have |= c->arm64 ? NEED_ARM64 : NEED_X86;
	c->have |= nodes > 0 ? NEED_NUMA : 0;
	c->have |= nodes > 1 ? NEED_NODES : 0;
	if (!can_bind(c, c->type)) {
		(void)c->sys->close(c->priv, c->device);
		return;
	}
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
	if (c->version < 618)
		c->have |= NEED_OLD;
	(void)c->sys->close(c->priv, vm);
	(void)c->sys->close(c->priv, c->device);
}

static const char *lacking(const struct conform *c, unsigned int need)
{
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (need & needs[i].bit & ~c->have)
			return needs[i].lack;
	return NULL;
}

static void run_case(struct conform *c, const struct conform_case *t)
{
	c->failure[0] = '\0';
	c->n_fds = 0;
	c->n_maps = 0;
	memset(c->run, 0, sizeof(c->run));
	c->device = c->sys->open(c->priv, "/dev/kvm", O_RDWR | O_CLOEXEC);
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
	(void)c->sys->close(c->priv, c->device);
}

/* Whether the case is as it should be there. */
static bool report(struct conform *c, const struct conform_case *t,
		   unsigned int number)
{
	const char *lack = lacking(c, t->needs);
	const char *why = conform_difference(c, t->name);
	bool good;

	if (lack) {
		printf("ok %u - %s [%s] # SKIP %s\n", number, t->name, t->row,
		       lack);
		return true;
	}
	run_case(c, t);
	good = !c->failure[0] == !why;
	printf("%sok %u - %s [%s]%s%s\n", good ? "" : "not ", number, t->name,
	       t->row, why ? " # differs: " : "", why ? why : "");
	if (!good)
		printf("# %s\n",
		       why ? "behaves as documented after all" : c->failure);
	return good;
}

static int run_all(struct conform *c)
{
	unsigned int n = 0, number = 0, bad = 0;

	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (const struct conform_case *t = groups[g]; t->name; t++)
			n++;
	printf("# %s\n1..%u\n", c->where, n);
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (const struct conform_case *t = groups[g]; t->name; t++)
			bad += !report(c, t, ++number);
	return bad != 0;
}

static int on_the_kernel(struct conform *c)
{
	static char where[80];
	struct utsname u;
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		printf("1..0 # SKIP /dev/kvm: %s\n", strerror(errno));
		return 77;
	}
	(void)close(fd);
	(void)uname(&u);
	(void)snprintf(where, sizeof(where), "kernel %.*s",
		       (int)strspn(u.release, ".0123456789"), u.release);
	c->where = where;
	c->sys = &gmem__sys_linux;
	c->version = parse_version(u.release);
	c->have = NEED_MERGED;
	learn(c);
	return run_all(c);
}

static int on_the_model(struct conform *c, const char *profile,
			const char *machine)
{
	struct gmem_model_opts o = { .sz = sizeof(o), .nodes = 2 };
	struct gmem_error err = { .sz = sizeof(err) };
	static char where[80];
	int r;

	if (machine)
		o.machine = !strcmp(machine, "arm64") ? GMEM_MODEL_ARM64
						      : GMEM_MODEL_X86_SOFTWARE;
	if (gmem_model_vm_open(profile, &o, &c->model, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	(void)snprintf(where, sizeof(where), "model %s%s%s", profile,
		       machine ? " " : "", machine ? machine : "");
	c->where = where;
	c->sys = c->model->ctx.sys;
	c->priv = c->model->ctx.priv;
	c->version = parse_version(profile);
	c->have = c->version ? NEED_MERGED : 0;
	for (size_t i = 0; i < ARRAY_SIZE(unmerged); i++)
		if (!strcmp(profile, unmerged[i].profile)) {
			c->version = unmerged[i].version;
			c->have = unmerged[i].have;
		}
	learn(c);
	r = run_all(c);
	return gmem_vm_close(c->model, NULL) < 0 ? 1 : r;
}

int main(int argc, char **argv)
{
	struct conform c = { 0 };

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2)
		return on_the_kernel(&c);
	return on_the_model(&c, argv[1], argc > 2 ? argv[2] : NULL);
}
