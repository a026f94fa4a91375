// SPDX-License-Identifier: MIT
/* One kernel with everything that a sequence has made there. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "side.h"

#include "seam.h"
#include "vm.h"

#define PICK(table, b) ((table)[(b) % ARRAY_SIZE(table)])

const uint32_t raw_slots[RAW_SLOTS] = { 0, 1, 2, 3, 32764, 1 << 16 };

unsigned int op_count(void)
{
	unsigned int n = 0;

	while (raw_ops[n].name)
		n++;
	for (unsigned int i = 0; lib_ops[i].name; i++)
		n++;
	for (unsigned int i = 0; huge_ops[i].name; i++)
		n++;
	return n;
}

const struct op_type *op_type(unsigned int kind)
{
	static const struct op_type *const tables[] = { raw_ops, lib_ops };

	kind %= op_count();
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (unsigned int i = 0; tables[t][i].name; i++)
			if (kind-- == 0)
				return &tables[t][i];
	return &huge_ops[kind];
}

unsigned int op_kind(uint64_t random)
{
	unsigned int total = 0, n = op_count(), i;

	for (i = 0; i < n; i++)
		total += op_type(i)->weight;
	random %= total;
	for (i = 0; random >= op_type(i)->weight; i++)
		random -= op_type(i)->weight;
	return i;
}

unsigned int op_find(const char *name)
{
	unsigned int i = 0;

	while (strcmp(op_type(i)->name, name) != 0)
		i++;
	return i;
}

uint64_t side_hash(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

uint64_t pick_len(const struct side *s, uint8_t b)
{
	const uint64_t p = s->page;
	const uint64_t good[] = {
		p,     2 * p, 4 * p, p,		2 * p, 3 * p,
		8 * p, 4 * p, p,     PAGES * p, 2 * p, 6 * p
	};
	const uint64_t odd[] = { 0, p / 2, 17 * p, p + 1, -p, 1 };

	return b < 224 ? PICK(good, b) : PICK(odd, b);
}

uint64_t pick_offset(const struct side *s, uint8_t b)
{
	const uint64_t p = s->page;
	const uint64_t odd[] = { PAGES * p,	   1,	       p / 2,
				 (1ULL << 63) - p, 1ULL << 63, -p,
				 (PAGES - 1) * p,  64 * p };

	return b < 232 ? b % PAGES / 4 * 4 * p : PICK(odd, b);
}

uint64_t pick_gpa(const struct side *s, uint8_t b)
{
	const uint64_t p = s->page;
	const uint64_t limit = 1ULL << s->limits.gpa_bits;
	const uint64_t odd[] = { p / 2, 1,	    limit - p,	limit,
				 -p,	1ULL << 63, 1ULL << 36, limit - 2 * p };

	return b < 240 ? b % 16 * 4 * p : PICK(odd, b);
}

uint64_t pick_flags(const struct side *s, uint8_t b)
{
	const uint64_t f = s->flags;
	const uint64_t flags[] = { f, f, f,	f,     f, f, f, f,
				   f, f, f & 1, f & 1, 0, 2, 4, 1ULL << 63 };

	return PICK(flags, b);
}

int pick_fd(const struct side *s, uint8_t b)
{
	int fds[FILES + LIB_FILES], n = 0;

	for (int i = 0; i < FILES; i++)
		if (s->files[i] >= 0)
			fds[n++] = s->files[i];
	for (int i = 0; i < LIB_FILES; i++)
		if (s->lib_files[i])
			fds[n++] = gmem_fd(s->lib_files[i]);
	if (n == 0 || b == 255)
		return -1;
	return b == 254 ? s->vm : fds[b % n];
}

struct side_map *pick_map(struct side *s, uint8_t b)
{
	for (int i = 0; i < MAPS; i++) {
		struct side_map *m = &s->maps[(b + i) % MAPS];

		if (m->addr)
			return m;
	}
	return NULL;
}

static sigjmp_buf back;
static volatile sig_atomic_t signal_code;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	signal_code = 256 * sig + info->si_code;
	siglongjmp(back, 1);
}

int side_touch(volatile unsigned char *at, int store)
{
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO };
	struct sigaction bus, segv;
	volatile int r = 0;

	(void)sigaction(SIGBUS, &sa, &bus);
	(void)sigaction(SIGSEGV, &sa, &segv);
	if (sigsetjmp(back, 1))
		r = signal_code;
	else if (store < 0)
		r = *at;
	else
		*at = (unsigned char)store;
	(void)sigaction(SIGBUS, &bus, NULL);
	(void)sigaction(SIGSEGV, &segv, NULL);
	return r;
}

/* Of the other type where there are two, of the usual one elsewhere. */
static int raw_vm(const struct side *s, uint32_t other_than)
{
	int types = s->sys->ioctl(s->priv, s->device, GMEM__KVM_CHECK_EXTENSION,
				  (void *)GMEM__CAP_VM_TYPES);
	uintptr_t type = types > 0 && types >> 1 & 1 &&
			 other_than != GMEM_VM_SW_PROTECTED;
	int fd;

	do {
		fd = s->sys->ioctl(s->priv, s->device, GMEM__KVM_CREATE_VM,
				   (void *)type);
	} while (fd == -EINTR);
	return fd;
}

int side_open(struct side *s, const char *profile,
	      const struct gmem_model_opts *o, const char **why)
{
	static struct gmem_error err;
	int r;

	err.sz = sizeof(err);
	memset(s, 0, sizeof(*s));
	memset(s->files, 0xff, sizeof(s->files));
	s->limits.gpa_bits = GPA_BITS;
	r = profile ? gmem_model_vm_open(profile, o, &s->lib_vm, &err)
		    : gmem_vm_open(o->vm, &s->lib_vm, &err);
	if (r < 0) {
		*why = err.msg;
		return r;
	}
	s->sys = s->lib_vm->ctx.sys;
	s->priv = s->lib_vm->ctx.priv;
	s->page = s->sys->page_size(s->priv);
	s->vm = gmem_vm_fd(s->lib_vm);
	s->device = s->sys->open(s->priv, "/dev/kvm", O_RDWR | O_CLOEXEC);
	r = s->sys->ioctl(s->priv, s->vm, GMEM__KVM_CHECK_EXTENSION,
			  (void *)GMEM__CAP_GUEST_MEMFD_FLAGS);
	s->flags = r > 0 ? (uint64_t)r : 0;
	s->encoding = o->vm ? o->vm->hugetlb_encoding : 0;
	if (s->encoding)
		side_pools(s, s->huge);
	s->other_vm = raw_vm(s, o->vm ? o->vm->type : GMEM_VM_DEFAULT);
	*why = "making the second VM";
	return s->other_vm < 0 ? s->other_vm : 0;
}

void side_run(struct side *s, const struct op *op, struct result *r)
{
	memset(r, 0, sizeof(*r));
	op_type(op->kind)->run(s, op->a, r);
}

void side_policy(struct side *s, int mode, unsigned long nodes)
{
	static const unsigned int spreading = 1U << 3 | 1U << 6;

	s->spread |= s->limits.spread && spreading >> (mode & 7) & 1 &&
		     (nodes & (nodes - 1));
}

static uint64_t digest_policy(struct side *s, uint64_t h,
			      const unsigned char *p, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += s->page) {
		unsigned long nodes[16] = { 0 };
		int mode = -1;
		int r = s->sys->get_mempolicy(s->priv, &mode, nodes, 1024,
					      (void *)(uintptr_t)(p + at), 2);

		h = side_hash(h, (uint64_t)r + 3 * (uint64_t)mode + nodes[0]);
	}
	return h;
}

uint64_t side_digest(struct side *s)
{
	uint64_t h = s->encoding ? side_digest_pools(s) : 0, n;

	for (int i = 0; i < FILES; i++) {
		n = 0;
		if (s->files[i] >= 0)
			(void)s->sys->cachestat(s->priv, s->files[i], 0, 0, &n);
		h = side_hash(h, n);
	}
	for (int i = 0; i < LIB_FILES; i++) {
		n = 0;
		if (s->lib_files[i])
			(void)s->sys->cachestat(
				s->priv, gmem_fd(s->lib_files[i]), 0, 0, &n);
		h = side_hash(h, n);
	}
	return h;
}

/* A file by a mapping of its own: policy, residency, contents. */
static uint64_t file_contents(struct side *s, int fd)
{
	uint64_t h = 0, n, len = PAGES * s->page;
	void *p;

	for (uint64_t at = 0; at < len; at += s->page) {
		n = 0;
		(void)s->sys->cachestat(s->priv, fd, at, s->page, &n);
		h = side_hash(h, n);
	}
	if (s->sys->mmap(s->priv, &p, len, PROT_READ, MAP_SHARED, fd, 0) < 0)
		return h;
	h = digest_policy(s, h, p, len);
	for (uint64_t at = 0; at < len; at += s->page / 4)
		h = side_hash(
			h, (uint64_t)side_touch((unsigned char *)p + at, -1));
	(void)s->sys->munmap(s->priv, p, len);
	return h;
}

uint64_t side_contents(struct side *s)
{
	uint64_t h = side_digest(s);

	for (int i = 0; i < MAPS; i++)
		if (s->maps[i].addr)
			h = digest_policy(s, h, s->maps[i].addr,
					  s->maps[i].len);
	for (int i = 0; i < FILES; i++)
		if (s->files[i] >= 0)
			h = side_hash(h, file_contents(s, s->files[i]));
	for (int i = 0; i < LIB_FILES; i++)
		if (s->lib_files[i])
			h = side_hash(
				h, file_contents(s, gmem_fd(s->lib_files[i])));
	return h;
}

static void drop_slots(struct side *s)
{
	struct gmem__region r = { 0 };

	for (size_t i = 0; i < RAW_SLOTS; i++) {
		r.slot = raw_slots[i];
		(void)s->sys->ioctl(s->priv, s->vm,
				    GMEM__KVM_SET_USER_MEMORY_REGION, &r);
		(void)s->sys->ioctl(s->priv, s->other_vm,
				    GMEM__KVM_SET_USER_MEMORY_REGION, &r);
	}
}

/* Most are not bound: gmem_close() notices what is left. */
static void unbind_all(struct gmem_vm *vm)
{
	static const uint32_t slots[] = { LIB_SLOT, LIB_SLOT + 1, LIB_SLOT + 2,
					  1 };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(slots); i++)
		if (gmem_unbind(vm, slots[i / 2], i % 2, 0, NULL) < 0)
			continue;
}

bool side_reset(struct side *s)
{
	bool clean = true;

	s->spread = false;
	(void)s->sys->set_mempolicy(s->priv, 0, NULL, 0);
	for (int i = 0; i < LIB_MAPS; i++)
		if (s->lib_maps[i].addr &&
		    gmem_munmap(s->lib_maps[i].g, s->lib_maps[i].addr, NULL) <
			    0)
			clean = false;
	memset(s->lib_maps, 0, sizeof(s->lib_maps));
	for (int i = 0; i < LIB_FILES; i++) {
		unbind_all(s->lib_vm);
		if (gmem_close(s->lib_files[i], NULL) < 0)
			clean = false;
		s->lib_files[i] = NULL;
	}
	for (int i = 0; i < MAPS; i++)
		if (s->maps[i].addr)
			(void)s->sys->munmap(s->priv, s->maps[i].addr,
					     s->maps[i].len);
	memset(s->maps, 0, sizeof(s->maps));
	memset(s->behind, 0, sizeof(s->behind));
	for (int i = 0; i < FILES; i++)
		if (s->files[i] >= 0)
			(void)s->sys->close(s->priv, s->files[i]);
	memset(s->files, 0xff, sizeof(s->files));
	drop_slots(s);
	return clean;
}

/*
 * A slot of the library that a raw call deleted cannot be deleted again, so the
 * memory behind it stays mapped: by design.
 */
void side_close(struct side *s)
{
	uint64_t base[(LIB_SLOT + 4)] = { 0 }, size[(LIB_SLOT + 4)];
	int r;

	(void)side_reset(s);
	for (uint32_t i = 0; i < (LIB_SLOT + 4); i++) {
		struct gmem_slot slot = { .sz = sizeof(slot) };

		if (gmem_slot_get(s->lib_vm, i, 0, &slot, NULL) < 0 ||
		    !slot.gmem || (slot.flags & GMEM_SLOT_NOTED))
			continue;
		base[i] = slot.userspace_addr - slot.offset;
		size[i] = gmem_size(slot.gmem);
	}
	(void)s->sys->close(s->priv, s->other_vm);
	r = gmem_vm_destroy(s->lib_vm, NULL);
	for (uint32_t i = 0; r < 0 && i < (LIB_SLOT + 4); i++)
		if (base[i])
			(void)s->sys->munmap(
				s->priv, (void *)(uintptr_t)base[i], size[i]);
	/* The model's kernel goes with the last descriptor and mapping. */
	(void)s->sys->close(s->priv, s->device);
}
