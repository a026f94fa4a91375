/* SPDX-License-Identifier: MIT */
/*
 * Runs a scenario once to count its system calls and allocations, then again
 * for each of them with that one failing, and after each failure checks that
 *
 * - the error is the first one, with a reason, and *out is untouched;
 * - descriptors, mappings and memory are as before;
 * - the kernel's own state is as before, or has come as far as was said, and
 *   the record and the slot table say what the kernel has;
 * - the same thing works when tried again, and destroying the VM leaves
 *   nothing behind;
 * - each system call is listed for seccomp filters.
 *
 * All of that on each kernel of the model that the scenario lists.  The
 * model's own allocations fail too, and its whole state is compared.
 */
#ifndef GMEM_TESTS_FAULT_H
#define GMEM_TESTS_FAULT_H

#include "unit.h"

struct shot;

/* What a scenario works on. */
struct fault {
	const struct fault_kernel *k;
	struct unit u;		/* the recorder and the VM */
	struct gmem_vm *keeper; /* a VM by which the test reaches it */
	unsigned int heap, fds; /* allocations and fds before all that */
	unsigned int mappings;	/* that the keeper has */
	struct gmem *g;
	uint64_t page; /* of the file */
	uint64_t gpa;  /* where @g is bound, if it is */
	int fd;	       /* made by the test, borrowed or given away */
	void *mapped;  /* by gmem_mmap(), a page */
	bool touched;  /* run() saw its *out change on failure */
	size_t len;
	unsigned char buf[4096];
};

/* What may be there more or less after a call. */
struct count {
	unsigned int fds, maps, allocs;
};

#define STATE_LEN 16384

/* kernel.c: how a test sees and steers the model. */
void kernel_start(struct fault *t);
/* Frees it; whether nothing was left in it. */
bool kernel_stop(struct fault *t);
/* Makes the failures due; then whether all came, and none is due. */
void kernel_arm(struct fault *t, const struct shot *shot);
bool kernel_met(struct fault *t, const struct shot *shot);
/* The next KVM_SET_MEMORY_ATTRIBUTES fails. */
void kernel_fail_attributes(struct fault *t, int code);
struct count kernel_count(struct fault *t);
/* All that no call may change that fails, as text. */
void kernel_state(struct fault *t, char *buf, size_t len);
uint64_t kernel_policy_nodes(struct fault *t); /* at offset 0 */

struct fault_kernel {
	const char *profile;
	const char *lacks; /* as in struct unit */
	uint32_t nodes;
	uint32_t encoding;
	uint64_t huge; /* page size of files; 0 = the host's */
};

/* Kernels by what they have; NULL ends a list. */
extern const struct fault_kernel *const fault_by_gpa[]; /* sw-protected */
extern const struct fault_kernel *const fault_in_place[];
extern const struct fault_kernel *const fault_default[]; /* shared, default */
extern const struct fault_kernel *const fault_piped[];	 /* no vm_read() */
extern const struct fault_kernel *const fault_numa[];	 /* two nodes */
extern const struct fault_kernel *const fault_no_cachestat[];
extern const struct fault_kernel *const fault_model[]; /* the model alone */

/* One failing call or allocation; for the message of a failed check. */
struct shot {
	const struct scenario *s;
	const struct fault_kernel *k;
	unsigned int call, times, alloc;
	unsigned int second; /* a later call that fails too, or 0 */
	bool on;	     /* and all after that */
	int code;
};

/* What is not as before when run() failed. */
enum {
	FAULT_GONE = 1U << 0,	  /* what it worked on is gone, as documented */
	FAULT_PROGRESS = 1U << 1, /* as far as err->done says */
	FAULT_PARTLY = 1U << 2,	  /* run() checks what */
	FAULT_DEAD = 1U << 4,	  /* EIO is a VM that stays dead */
	FAULT_FREES = 1U << 3,	  /* what an earlier failure kept may go */
};

struct scenario {
	const struct fault_kernel *const *kernels;
	/* Makes what run() needs; never fails. */
	void (*prepare)(struct fault *t);
	/* The call under test. */
	int (*run)(struct fault *t, struct gmem_error *err);
	/* Back to what prepare() left, after run() worked; NULL = nothing. */
	void (*undo)(struct fault *t);
	/* What must work after run() failed; NULL = run() itself. */
	int (*again)(struct fault *t, struct gmem_error *err);
	/*
	 * After any failure, whatever follows it: whether the record and the
	 * result say what the kernel has; NULL = as slot 0 at .gpa has it.
	 */
	bool (*right)(struct fault *t);
	/* After several failures: whether all can still be ended by hand. */
	bool (*end)(struct fault *t);
	const char *caller; /* in gmem_syscall_info() */
	uint32_t type;	    /* of the VM; prepare() makes it if 0 */
	uint32_t flags;	    /* FAULT_* */
	unsigned int views; /* mappings that a file may keep for later */
	bool patient;	    /* retries without limit on EAGAIN */
	int instead;	    /* errno that it may report as well, or 0 */
};

/*
 * Every single failure, every two of them, and from the k-th call on all.
 */
void fault_run(const struct scenario *s);

/* The file of most scenarios: 16 pages, private; or shared; or no MMAP. */
#define FAULT_PAGES 16
uint64_t fault_size(const struct fault *t);
void fault_private(struct fault *t);
void fault_shared(struct fault *t);
void fault_unmappable(struct fault *t);
/* The private one bound as slot 0 at 1 GiB. */
void fault_bound(struct fault *t);
void fault_bind(struct fault *t, uint32_t slot, uint64_t gpa);

#endif
