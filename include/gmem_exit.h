/* SPDX-License-Identifier: MIT */
/*
 * libgmem - the exits of a vCPU that are about guest memory
 *
 * Pure: no handle, no VM, no allocation, no system call, so that any VMM can
 * use it.  gmem.h has what holds for all calls.  A guard, an exit and a kvm_run
 * belong to one vCPU; for the rest these calls are MT-Safe.
 */
#ifndef GMEM_EXIT_H
#define GMEM_EXIT_H

#include <gmem.h>

#ifdef __cplusplus
extern "C" {
#endif

enum gmem_exit_kind {
	GMEM_EXIT_NONE = 0,	     /* kvm_run is stale: see .sys_errno */
	GMEM_EXIT_OTHER = 1,	     /* the VMM's own: see .exit_reason */
	GMEM_EXIT_MEMORY_FAULT = 2,  /* a page is to be converted */
	GMEM_EXIT_MAP_GPA_RANGE = 3, /* the same by hypercall: answer it */
	GMEM_EXIT_MALFORMED = 4,     /* a hypercall that breaks .reason */
	GMEM_EXIT_POISON = 5,	     /* a memory error of the host */
	GMEM_EXIT_UNREACHABLE = 6,   /* nothing is behind the slot; no gpa */
};

struct gmem_exit {
	size_t sz;
	uint64_t gpa_mask;    /* in: bits of a gpa that are no address */
	uint64_t gpa;	      /* without them */
	uint64_t len;	      /* bytes; 0 = no range is known */
	uint64_t attributes;  /* wanted: GMEM_ATTRIBUTE_PRIVATE or _SHARED */
	uint64_t value;	      /* the number that breaks .reason */
	uint32_t kind;	      /* enum gmem_exit_kind */
	uint32_t reason;      /* of MALFORMED and OTHER; enum gmem_reason */
	uint32_t exit_reason; /* KVM_EXIT_*; 0 with NONE */
	int32_t sys_errno;    /* of KVM_RUN, 0 = it did not fail */
};

/*
 * What an ioctl(KVM_RUN) that returned @rc with errno @err_no says in the @size
 * bytes of kvm_run at @run.  Of a wrapper that returns -errno, @err_no is 0.
 * @out->gpa_mask is kept.  In .sys_errno of NONE, EINTR and EAGAIN are no
 * failures.
 */
GMEM_API GMEM_CHECK int gmem_exit_decode(int rc, int err_no, const void *run,
					 size_t size, struct gmem_exit *out,
					 struct gmem_error *err);

enum gmem_answer_kind {
	GMEM_ANSWER_RESUME = 0, /* converted or not needed: run the vCPU */
	GMEM_ANSWER_RETRY = 1,	/* not now: run it, it asks again */
	GMEM_ANSWER_REFUSE = 2, /* run it; a hypercall has failed */
	GMEM_ANSWER_FATAL = 3,	/* stop it: .reason says why */
	GMEM_ANSWER_PROBE = 4,	/* of gmem_guard_step(): probe, step again */
};

struct gmem_answer {
	size_t sz;
	uint32_t kind;	 /* enum gmem_answer_kind */
	uint32_t reason; /* of REFUSE and FATAL; enum gmem_reason */
};

/*
 * Writes into kvm_run what the guest gets for the hypercall @exit: for RESUME
 * 0, for RETRY EAGAIN, else and for a MALFORMED one EINVAL.  For other exits it
 * writes nothing.
 */
GMEM_API GMEM_CHECK int gmem_exit_answer(void *run, size_t size,
					 const struct gmem_exit *exit,
					 uint32_t answer,
					 struct gmem_error *err);

/* What a vCPU faulted on last.  GMEM_INIT() makes it; the rest is private. */
struct gmem_guard {
	size_t sz;
	uint64_t gpa;
	uint64_t len;
	uint64_t attributes;
	uint64_t sequence;
	uint64_t repeats; /* out: how often it came again, for the log */
	uint32_t flags;
	uint32_t reserved;
};

/* gmem_seen.flags. */
#define GMEM_SEEN_WANTED (1U << 0) /* all of it has the wanted attributes */
#define GMEM_SEEN_BUSY (1U << 1)   /* a change that touches it is under way */

enum gmem_probe {
	GMEM_PROBE_NONE = 0,	/* not made */
	GMEM_PROBE_CHANGED = 1, /* something was wrong, and is not any more */
	GMEM_PROBE_NOTHING = 2, /* nothing was to be changed, or could be */
	GMEM_PROBE_UNSEEN = 3,	/* made; only the guest can tell */
};

/* What it knows of an exit's range; a change is a conversion, or of a slot. */
struct gmem_seen {
	size_t sz;
	uint64_t sequence; /* another after each change; read it first */
	uint32_t flags;	   /* GMEM_SEEN_* */
	uint32_t probe;	   /* enum gmem_probe */
};

/*
 * What to do about @exit: once for each, and once more after PROBE.  It never
 * finds a fault FATAL that something may have answered in the meantime.
 */
GMEM_API GMEM_CHECK int gmem_guard_step(struct gmem_guard *guard,
					const struct gmem_exit *exit,
					const struct gmem_seen *seen,
					struct gmem_answer *out,
					struct gmem_error *err);

#ifdef __cplusplus
}
#endif

#endif
