/* SPDX-License-Identifier: MIT */
/* The fixture of the unit and fault tests: a scripted kernel and a VM on it. */
#ifndef GMEM_TESTS_UNIT_H
#define GMEM_TESTS_UNIT_H

#include "t.h"
#include "fake.h"

#define KiB (1ULL << 10)
#define MiB (1ULL << 20)
#define GiB (1ULL << 30)
#define TiB (1ULL << 40)

#define SHARED_FLAGS (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

struct unit {
	struct fake f;
	struct gmem_vm *vm;
};

/* Setups by profile; unit_bare() leaves the VM to the test. */
int unit_bare(void **state);
int unit_default(void **state);
int unit_612(void **state);
int unit_sw612(void **state);
int unit_sw(void **state);
int unit_inplace(void **state);
int unit_arm64(void **state);
/* A kernel that keeps policies, with nodes 0 and 1. */
int unit_obeyed(void **state);
/* Destroys the VM; the test fails if anything is left behind. */
int unit_end(void **state);

/* A file of @size with @flags; fails the test if it cannot be made. */
struct gmem *unit_create(struct unit *u, uint64_t size, uint64_t flags);
/* Binds a whole file at @gpa as @slot, and forgets the calls made. */
void unit_bind(struct unit *u, struct gmem *g, uint32_t slot, uint64_t gpa);

/* A policy for the nodes in @mask, of which there may be 64. */
struct gmem_mempolicy unit_policy(uint32_t mode, unsigned long *mask);

/*
 * A result or options as a caller of a later version has them: @sz bytes of
 * @from, which know no more, with @tail in the first byte that is new.
 */
union unit_newer {
	size_t sz;
	unsigned char b[256];
};
union unit_newer unit_newer(const void *from, size_t sz, unsigned char tail);

/* Skips where the library was built without the unmerged encodings. */
void unit_need_encodings(void);
/* Its VM, of unit_bare(): a kernel with private memory and that encoding. */
void unit_open_encoding(struct unit *u, uint32_t encoding);

/*
 * Fails the test if a call since fake_reset() is not in gmem_syscall_info()
 * as one that @caller makes.
 */
void unit_listed(const struct fake *f, const char *caller);

#endif
