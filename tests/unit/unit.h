/* SPDX-License-Identifier: MIT */
/*
 * The fixture of the unit and fault tests: a VM on the model, and between the
 * two a recorder.  It notes each call that the library makes, counts calls,
 * allocations and threads, lets single calls fail or answers them itself, and
 * passes everything else on.  What the kernel does is the model's.
 */
#ifndef GMEM_TESTS_UNIT_H
#define GMEM_TESTS_UNIT_H

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "t.h"

#include "model.h"
#include "model_sys.h"
#include "seam.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define KiB (1ULL << 10)
#define MiB (1ULL << 20)
#define GiB (1ULL << 30)
#define TiB (1ULL << 40)
/* The page of this machine and so of the model: 4 KiB, or more on arm64. */
#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

#define SHARED_FLAGS (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

/* One call as the library made it; names are those of gmem_syscall_info(). */
struct unit_call {
	const char *name;
	int fd;
	unsigned long request; /* of an ioctl */
	uint64_t arg[4];       /* of the others: address, len, flags, offset */
	int64_t result;
	pthread_t thread; /* that made it */
	union {		  /* an ioctl's argument, before the call */
		uintptr_t value;
		struct gmem__region2 region;
		struct gmem__attributes attr;
		struct gmem__attributes2 attr2;
		struct gmem__create create;
	} in;
};

/* The calls @nth, @nth + 1, ... of a name, @times in all, get an answer. */
struct unit_answer {
	const char *name;      /* NULL = any */
	unsigned long request; /* 0 = any */
	unsigned int nth, times, seen;
	int code; /* -errno, or a result that no model gives */
};

struct unit_map {
	char *addr;
	uint64_t len;
	int fd; /* -1 = anonymous */
	bool dontfork;
};

/* A file of /proc or /sys; an array of them ends with .path NULL. */
struct unit_told {
	const char *path, *text;
};

#define UNIT_CALLS 65536
#define UNIT_MAPS 256
#define UNIT_ANSWERS 8
#define UNIT_CAPS 8

struct unit {
	struct gmem_vm *vm;
	struct kernel *k; /* the model's */
	uint64_t page;
	struct gmem *g; /* what unit_create() made last */
	struct gmem_error err;

	/* what is not as on the model; settable */
	const char *lacks; /* names of calls that are ENOSYS, or NULL */
	struct unit_cap {
		enum object_type of; /* the device, or each VM */
		int cap, value;
	} caps[UNIT_CAPS];
	unsigned int n_caps;
	uint32_t encoding; /* of huge pages; enum gmem_hugetlb_encoding */
	uint32_t euid;	   /* added to the model's: another user */
	const struct gmem__stat *stat; /* what fstat() tells, or NULL */
	uint64_t magic;		       /* what fstatfs() tells, or 0 */
	const struct unit_told *told;  /* files that open() finds, or NULL */
	size_t piece; /* the most that a read() gives or a pwrite() takes; 0 =
			 all */
	int vcpu;     /* this descriptor can be mapped; 0 = none */

	/* what happened */
	struct unit_call *calls;
	unsigned int n_calls;
	unsigned int n_allocs; /* made so far */
	unsigned int live_allocs;
	unsigned int live_threads;
	unsigned int fail_alloc; /* the n-th from now fails; 0 = none */
	uint64_t clock;		 /* ns; sleeping moves it */

	/* called before each call, without a lock; @arg is an ioctl's */
	void (*hook)(struct unit *u, const struct unit_call *c, void *arg);
	void *hook_arg;

	pthread_mutex_t lock;
	struct unit_answer answers[UNIT_ANSWERS];
	struct unit_map maps[UNIT_MAPS];
	unsigned int fds; /* of the process, before the VM */
};

/* The recorder as the library sees a system; its priv is a struct unit. */
extern const struct gmem_sys unit_sys;

/* ------------------------------------------------------------- recorder -- */

/* Forgets the calls and allocations counted so far, and the answers. */
void unit_reset(struct unit *u);
void unit_answer(struct unit *u, const char *name, unsigned long request,
		 unsigned int nth, unsigned int times, int code);
/* The answer to KVM_CHECK_EXTENSION on the device or on a VM. */
void unit_cap(struct unit *u, enum object_type of, int cap, int value);
/* Calls since unit_reset(); with NULL all, @request 0 = any. */
unsigned int unit_count(const struct unit *u, const char *name,
			unsigned long request);
/* The @nth (from 0) such call, or NULL. */
const struct unit_call *unit_nth(const struct unit *u, const char *name,
				 unsigned long request, unsigned int nth);
/* Of the lengths that these calls had: all together, and the longest. */
uint64_t unit_sum(const struct unit *u, const char *name);
uint64_t unit_longest(const struct unit *u, const char *name);
/* Mappings that the library has now. */
unsigned int unit_mappings(const struct unit *u);
/*
 * Fails the test if a call since unit_reset() is not in gmem_syscall_info()
 * as one that @caller makes.
 */
void unit_listed(const struct unit *u, const char *caller);
/* In a forked child: what MADV_DONTFORK kept away is gone. */
void unit_forked(struct unit *u);

/* -------------------------------------------------------------- fixture -- */

/* Setups by kernel; the first two leave the VM to the test. */
int unit_bare(void **state); /* 6.18 */
int unit_bare73(void **state);
int unit_default(void **state); /* 6.18 */
int unit_612(void **state);
int unit_sw612(void **state);
int unit_sw(void **state); /* 7.3 */
int unit_default73(void **state);
int unit_inplace(void **state);
int unit_arm64(void **state);
/* 6.19, which keeps policies; all have the nodes 0 and 1. */
int unit_obeyed(void **state);
/* Destroys the VM; the test fails if anything is left behind. */
int unit_end(void **state);
#define TEST(name, how) cmocka_unit_test_setup_teardown(name, how, unit_end)

/* A recorder on @k alone, without a VM; and its end. */
void unit_attach(struct unit *u, struct kernel *k);
void unit_detach(struct unit *u);

/* Opens a VM on another kernel; a type that it may not have as a rule. */
void unit_open(struct unit *u, const char *profile, uint32_t type);
/* The same of a kernel with private memory and that encoding. */
void unit_open_encoding(struct unit *u, uint32_t encoding);
/* Another VM of the kernel, with a trace callback; forgets the calls. */
struct gmem_vm *unit_vm(struct unit *u, uint32_t type, gmem_trace_fn *trace,
			void *arg);
/* Nothing is left but what was there before the VM. */
bool unit_balanced(struct unit *u);

/* A file of @size with @flags; fails the test if it cannot be made. */
struct gmem *unit_create(struct unit *u, uint64_t size, uint64_t flags);
/* The same in any VM, of 1 MiB; forgets no calls. */
struct gmem *unit_file(struct gmem_vm *vm, uint64_t flags);
/* What the library's record has of the page there. */
uint64_t unit_state(struct unit *u, struct gmem *g, uint64_t offset);
/* Binds a whole file at @gpa as @slot, and forgets the calls made. */
void unit_bind(struct unit *u, struct gmem *g, uint32_t slot, uint64_t gpa);

/* Descriptors as if received; unit_sys.close() closes them. */
int unit_device_fd(struct unit *u);
int unit_vm_fd(struct unit *u, unsigned long type);
int unit_file_fd(struct unit *u, int vm, uint64_t size, uint64_t flags);
/* A pipe, of which a read() gives at most @piece bytes; 0 = all. */
int unit_input(struct unit *u, const void *data, size_t len, size_t piece);
/* The same as a file, whose position is 0; and so much a write() takes. */
int unit_memfd(struct unit *u, const void *data, size_t len, size_t piece);
bool unit_is_open(int fd);
/* How many descriptors are open, this one's own included. */
unsigned int unit_fds(void);
bool unit_is_cloexec(int fd);

/*
 * How many calls have a turn with the page at @offset of @g, or wait for one;
 * with NULL, with anything: see ticket.h.
 */
unsigned int unit_turns(struct gmem_vm *vm, const struct gmem *g,
			uint64_t offset);
/* Looks ten million times at most until there are @n: whether there are. */
bool unit_turns_are(struct gmem_vm *vm, unsigned int n, const struct gmem *g,
		    uint64_t offset);
/*
 * Tells another thread, and waits for that, by a store that orders nothing
 * else: the thread sanitizer sees whether the library's locks do.
 */
void unit_tell(int *flag, int value);
void unit_await(const int *flag, int value);

/* What the kernel has. */
unsigned int unit_file_mappings(const struct unit *u);
bool unit_in_place(const struct unit *u);
/* A byte as the guest sees it, who gets there. */
void unit_guest_write(struct unit *u, uint64_t gpa, unsigned char byte);
unsigned char unit_guest_read(struct unit *u, uint64_t gpa);
const struct slot *unit_slot(struct unit *u, uint32_t id);
bool unit_gpa_private(struct unit *u, uint64_t gpa);
/* Whether a page of @g, which is bound at @gpa, is private to the kernel. */
bool unit_private(struct unit *u, struct gmem *g, uint64_t gpa,
		  uint64_t offset);
/* Fails the test if the record of @g, bound at @gpa, says otherwise. */
void unit_same(struct unit *u, struct gmem *g, uint64_t gpa);
/* Allocates a range on @node, as if long ago. */
void unit_allocate(struct unit *u, int fd, uint64_t offset, uint64_t len,
		   int node);
/* Allocated bytes of a range on @node, -1 = any. */
uint64_t unit_allocated(struct unit *u, int fd, uint64_t offset, uint64_t len,
			int node);

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

#endif
