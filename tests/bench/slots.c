// SPDX-License-Identifier: MIT
/*
 * 32,000 slots of one page: binding and unbinding them compared with the raw
 * ioctls on a real KVM, turn by turn; then, on a kernel that accepts
 * everything, what the library itself costs, how many ioctls converting all of
 * them takes, and how long the longest lock is held.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#include "seam.h"
#include "uapi.h"
#include "uapi_proposed.h"
#include "vm.h"

#define SLOTS 32000U
#define TURN 500U /* of one side, before the other has its turn */

int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);

static double locked_at, longest;
static unsigned int ioctls;

/* The time of this thread alone, not of others that run on its CPU. */
static double cpu_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	int r = __real_pthread_mutex_lock(m);

	locked_at = cpu_now();
	return r;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	double held = cpu_now() - locked_at;

	if (held > longest)
		longest = held;
	return __real_pthread_mutex_unlock(m);
}

static void check(int r, const char *what, const struct gmem_error *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, err ? err->msg : "failed");
	exit(1);
}

/* The order of the slots: ascending, or shuffled. */
static void order(unsigned int *id, bool random)
{
	unsigned int seed = 1, j, t;

	for (unsigned int i = 0; i < SLOTS; i++)
		id[i] = i;
	for (unsigned int i = SLOTS; random && i-- > 1;) {
		seed = seed * 1103515245 + 12345;
		j = (seed >> 8) % (i + 1);
		t = id[i];
		id[i] = id[j];
		id[j] = t;
	}
}

/* ---------------------------------------------------------- a real KVM -- */

struct raw {
	int vm, fd;
	char *addr;
	uint64_t page;
};

static void raw_slot(const struct raw *r, unsigned int i, bool bind)
{
	struct gmem__region2 a = {
		.region = { .slot = i,
			    .flags = bind ? GMEM__MEM_GUEST_MEMFD : 0,
			    .guest_phys_addr = i * r->page,
			    .memory_size = bind ? r->page : 0,
			    .userspace_addr =
				    bind ? (uintptr_t)r->addr + i * r->page
					 : 0 },
		.guest_memfd = (uint32_t)r->fd,
		.guest_memfd_offset = i * r->page,
	};

	check(ioctl(r->vm, GMEM__KVM_SET_USER_MEMORY_REGION2, &a),
	      "KVM_SET_USER_MEMORY_REGION2", NULL);
}

static void typed_slot(struct gmem *g, unsigned int i, bool bind)
{
	uint64_t page = gmem_page_size(g);
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_slot s = {
		.sz = sizeof(s),
		.slot = i,
		.gpa = i * page,
		.len = page,
		.offset = i * page,
		.gmem = g,
	};

	check(bind ? gmem_bind(&s, &err) : gmem_unbind(vm, i, 0, 0, &err),
	      "slot", &err);
}

static void against_raw(struct gmem *g, const struct raw *r,
			const unsigned int *id, bool bind, const char *what)
{
	double typed = 0, raw = 0, t;

	for (unsigned int i = 0; i < SLOTS; i += TURN) {
		t = bench_now();
		for (unsigned int k = i; k < i + TURN; k++)
			typed_slot(g, id[k], bind);
		typed += bench_now() - t;
		t = bench_now();
		for (unsigned int k = i; k < i + TURN; k++)
			raw_slot(r, id[k], bind);
		raw += bench_now() - t;
	}
	printf("  %-22s %8.2f us each, raw %8.2f us, ratio %.2f", what,
	       typed / SLOTS / 1e3, raw / SLOTS / 1e3, typed / raw);
	printf(bind ? " (target 1.20: %s)\n" : "\n",
	       bind ? bench_at_most(typed / raw, 1.2) : "");
}

static void on_kvm(void)
{
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP |
					       GMEM_CREATE_INIT_SHARED };
	struct gmem__create c = { .flags = 3 };
	static unsigned int id[SLOTS];
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_vm *vm;
	struct raw r;
	struct gmem *g;
	int device = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	check(device, "/dev/kvm", NULL);
	check(gmem_vm_open(NULL, &vm, &err), "gmem_vm_open", &err);
	r.page = (uint64_t)sysconf(_SC_PAGESIZE);
	c.size = SLOTS * r.page;
	r.vm = ioctl(device, GMEM__KVM_CREATE_VM, 0);
	check(r.vm, "KVM_CREATE_VM", NULL);
	r.fd = ioctl(r.vm, GMEM__KVM_CREATE_GUEST_MEMFD, &c);
	check(r.fd, "KVM_CREATE_GUEST_MEMFD", NULL);
	r.addr =
		mmap(NULL, c.size, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0);
	check(r.addr == MAP_FAILED ? -1 : 0, "mmap", NULL);
	check(gmem_create(vm, c.size, &o, &g, &err), "gmem_create", &err);
	printf("%u slots of a page on /dev/kvm\n", SLOTS);
	for (int random = 0; random < 2; random++) {
		order(id, random);
		against_raw(g, &r, id, true,
			    random ? "bind, random" : "bind, ascending");
		against_raw(g, &r, id, false,
			    random ? "unbind, random" : "unbind, ascending");
	}
	check(gmem_vm_destroy(vm, &err), "gmem_vm_destroy", &err);
	(void)close(r.fd);
	(void)close(r.vm);
	(void)close(device);
}

/* ------------------------------------ a kernel that accepts everything -- */

static int yes_ioctl(void *priv, int fd, unsigned long request, void *arg)
{
	uintptr_t cap = (uintptr_t)arg;

	(void)priv;
	(void)fd;
	ioctls++;
	switch (request) {
	case GMEM__KVM_CHECK_EXTENSION:
		return cap == GMEM__CAP_NR_MEMSLOTS	    ? 32764
		       : cap == GMEM__CAP_MEMORY_ATTRIBUTES ? 8
		       : cap == GMEM__CAP_VM_TYPES	    ? 3
		       : cap == GMEM__CAP_GUEST_MEMFD ||
				       cap == GMEM__CAP_USER_MEMORY2
			       ? 1
			       : 0;
	case GMEM__KVM_GET_API_VERSION:
		return GMEM__KVM_API_VERSION;
	case GMEM__KVM_SET_MEMORY_ATTRIBUTES2:
		return -ENOTTY;
	default:
		return 0;
	}
}

static int yes_open(void *priv, const char *path, int flags)
{
	(void)priv;
	(void)path;
	(void)flags;
	return 0;
}

static int yes_fd(void *priv, int fd)
{
	(void)priv;
	(void)fd;
	return 0;
}

static void all(struct gmem *g, const unsigned int *id, bool bind,
		const char *what)
{
	double t = bench_now();

	longest = 0;
	for (unsigned int i = 0; i < SLOTS; i++)
		typed_slot(g, id[i], bind);
	printf("  %-22s %8.2f us each, longest lock %.0f us\n", what,
	       (bench_now() - t) / SLOTS / 1e3, longest / 1e3);
}

static void convert_all(struct gmem *g)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };
	struct gmem_error err = { .sz = sizeof(err) };
	double t = bench_now();

	longest = 0;
	ioctls = 0;
	check(gmem_set_attributes(g, 0, gmem_size(g), GMEM_ATTRIBUTE_SHARED, &o,
				  &err),
	      "convert", &err);
	printf("  convert all            %8.2f us a slot, %u ioctls, longest "
	       "lock %.0f us (target 1000: %s)\n",
	       (bench_now() - t) / SLOTS / 1e3, ioctls, longest / 1e3,
	       bench_at_most(longest / 1e3, 1000));
}

static void library_alone(void)
{
	struct gmem_sys sys = gmem__sys_linux;
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED };
	struct gmem_error err = { .sz = sizeof(err) };
	static unsigned int id[SLOTS];
	struct gmem_vm *vm;
	struct gmem *g;

	sys.ioctl = yes_ioctl;
	sys.open = yes_open;
	sys.close = sys.set_cloexec = yes_fd;
	check(gmem__vm_open_on(&sys, NULL, &v, &vm, &err), "open", &err);
	check(gmem_create(vm, SLOTS * vm->ctx.page_size, NULL, &g, &err),
	      "create", &err);
	printf("%u slots of a page, the library's share\n", SLOTS);
	for (int random = 0; random < 2; random++) {
		order(id, random);
		all(g, id, true, random ? "bind, random" : "bind, ascending");
		convert_all(g);
		all(g, id, false,
		    random ? "unbind, random" : "unbind, ascending");
	}
	(void)gmem_vm_destroy(vm, NULL);
}

int main(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--no-kvm") != 0)
		on_kvm();
	library_alone();
	bench_end();
	return 0;
}
