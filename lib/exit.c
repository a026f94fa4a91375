// SPDX-License-Identifier: MIT
/*
 * The exits of a vCPU that are about guest memory, and their answers.  Pure
 * code: whatever the bytes of kvm_run are, nothing is read beyond them.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "error.h"
#include "exit.h"
#include "opts.h"
#include "uapi.h"

#define EXIT_V0 64
#define MAX_ERRNO 4095 /* of any system call */

_Static_assert(sizeof(struct gmem_exit) == EXIT_V0, "ABI");

const struct gmem__run_abi gmem__run_x86 = { GMEM__RUN_EXIT, true };
/* Its KVM_EXIT_HYPERCALL is a call of the SMCCC, whose numbers are others. */
const struct gmem__run_abi gmem__run_arm64 = { GMEM__RUN_EXIT, false };
const struct gmem__run_abi gmem__run_s390 = { GMEM__RUN_EXIT_S390, false };

#if defined(__x86_64__)
#define RUN_ABI gmem__run_x86
#elif defined(__s390x__)
#define RUN_ABI gmem__run_s390
#else
#define RUN_ABI gmem__run_arm64
#endif

int gmem__exit_take(const void *from, void *to, size_t known, const char *name,
		    struct gmem_error *err)
{
	int r = gmem__out_check(from, known, name, err);

	if (r == 0)
		r = gmem__opts_check(from, known, known, name, err);
	if (r == 0)
		gmem__opts_copy(to, known, from);
	return r;
}

int gmem__exit_kind_check(const struct gmem_exit *e, struct gmem_error *err)
{
	if (e->kind <= GMEM_EXIT_UNREACHABLE)
		return 0;
	return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, e->kind,
			  GMEM_EXIT_UNREACHABLE,
			  "%" PRIu32 " is no kind of exit", e->kind);
}

/* What kvm_run has at @at, or refuses what is cut off. */
static int get(const void *run, size_t size, size_t at, void *to, size_t len,
	       struct gmem_error *err)
{
	if (at + len > size)
		return gmem__fail(err, GMEM_REASON_RUN_SIZE, size, at + len,
				  "kvm_run has %zu bytes, and what describes "
				  "this exit ends at %zu",
				  size, at + len);
	memcpy(to, (const char *)run + at, len);
	/* What is checked is the copy: kvm_run may change at any time. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return 0;
}

/* Takes the range [@gpa, @gpa + @len), or says what is wrong with it. */
static uint32_t take_range(struct gmem_exit *e, uint64_t gpa, uint64_t len)
{
	gpa &= ~e->gpa_mask;
	e->value = gpa;
	if (len == 0) {
		e->value = 0;
		return GMEM_REASON_ZERO_SIZE;
	}
	if (gpa + len < gpa)
		return GMEM_REASON_GPA_OVERFLOW;
	/* The bits are part of no address: the range must not reach them. */
	if ((gpa + len - 1) & e->gpa_mask)
		return GMEM_REASON_GPA_LIMIT;
	e->gpa = gpa;
	e->len = len;
	e->value = 0;
	return GMEM_REASON_NONE;
}

/* A fault that this library cannot read is left to the VMM. */
static void memory_fault(struct gmem_exit *e,
			 const struct gmem__memory_fault *f)
{
	uint64_t unknown = f->flags & ~GMEM__MEMORY_FAULT_PRIVATE;
	uint64_t gpa = f->gpa;

	/* arm64 has it in units of 4 KiB, whatever the size of a page is. */
	if (f->size && !(f->size & (f->size - 1)))
		gpa -= gpa % f->size;
	e->reason = take_range(e, gpa, f->size);
	if (unknown) {
		e->reason = GMEM_REASON_FLAG_UNKNOWN;
		e->value = unknown;
	}
	if (e->reason)
		return;
	e->kind = GMEM_EXIT_MEMORY_FAULT;
	if (f->flags & GMEM__MEMORY_FAULT_PRIVATE)
		e->attributes = GMEM_ATTRIBUTE_PRIVATE;
}

/* What a guest asks for is input: the page size in it is only a hint. */
static void map_gpa_range(struct gmem_exit *e, const uint64_t args[6])
{
	uint64_t gpa = args[0], n = args[1];
	uint64_t unknown =
		args[2] & ~(GMEM__MAP_GPA_PAGE_SIZE | GMEM__MAP_GPA_PRIVATE);

	e->kind = GMEM_EXIT_MALFORMED;
	if (unknown) {
		e->reason = GMEM_REASON_FLAG_UNKNOWN;
		e->value = unknown;
	} else if (gpa % GMEM__MAP_GPA_UNIT) {
		e->reason = GMEM_REASON_UNALIGNED;
		e->value = gpa;
	} else if (n > UINT64_MAX / GMEM__MAP_GPA_UNIT) {
		e->reason = GMEM_REASON_GPA_OVERFLOW;
		e->value = gpa & ~e->gpa_mask;
	} else {
		e->reason = take_range(e, gpa, n * GMEM__MAP_GPA_UNIT);
	}
	if (e->reason)
		return;
	e->kind = GMEM_EXIT_MAP_GPA_RANGE;
	if (args[2] & GMEM__MAP_GPA_PRIVATE)
		e->attributes = GMEM_ATTRIBUTE_PRIVATE;
}

/* KVM_RUN did not fail, or in a way that leaves an exit. */
static int fresh(const struct gmem__run_abi *abi, const void *run, size_t size,
		 struct gmem_exit *e, struct gmem_error *err)
{
	struct gmem__memory_fault fault = { 0 };
	struct gmem__hypercall call = { 0 };
	int r;

	r = get(run, size, GMEM__RUN_EXIT_REASON, &e->exit_reason,
		sizeof(e->exit_reason), err);
	if (r < 0)
		return r;
	e->kind = GMEM_EXIT_OTHER;
	if (e->exit_reason == GMEM__EXIT_MEMORY_FAULT) {
		r = get(run, size, abi->exit, &fault, sizeof(fault), err);
		if (r == 0)
			memory_fault(e, &fault);
	} else if (e->exit_reason == GMEM__EXIT_HYPERCALL &&
		   e->sys_errno == 0 && abi->map_gpa_range) {
		r = get(run, size, abi->exit, &call, sizeof(call), err);
		if (r == 0 && call.nr == GMEM__HC_MAP_GPA_RANGE)
			map_gpa_range(e, call.args);
	}
	return r;
}

/*
 * From a wrapper that returns -errno.  Its -1 is EPERM, but that of ioctl() any
 * errno, except 0.
 */
static void take_errno(int *rc, int *err_no)
{
	if (*rc < -MAX_ERRNO || *rc >= 0 || (*rc == -1 && *err_no != 0))
		return;
	*err_no = -*rc;
	*rc = -1;
}

int gmem__exit_decode(const struct gmem__run_abi *abi, int rc, int err_no,
		      const void *run, size_t size, struct gmem_exit *out,
		      struct gmem_error *err)
{
	struct gmem_exit e = { .sz = out->sz, .gpa_mask = out->gpa_mask };
	int r;

	take_errno(&rc, &err_no);
	e.sys_errno = rc == 0 ? 0 : err_no;
	if (rc != 0 && (rc != -1 || (err_no != EFAULT && err_no != EHWPOISON)))
		goto out; /* what kvm_run says is of an earlier exit */
	r = fresh(abi, run, size, &e, err);
	if (r < 0)
		return r;
	if (rc == 0)
		goto out;
	if (err_no == EHWPOISON) {
		/* any exit that it left says where, at most */
		e.kind = GMEM_EXIT_POISON;
		e.attributes = 0;
		e.reason = 0;
		e.value = 0;
	} else if (e.exit_reason == GMEM__EXIT_UNKNOWN) {
		e.kind = GMEM_EXIT_UNREACHABLE;
	} else if (e.exit_reason != GMEM__EXIT_MEMORY_FAULT) {
		e.kind = GMEM_EXIT_NONE;
		e.exit_reason = 0;
	}
out:
	*out = e;
	return 0;
}

int gmem_exit_decode(int rc, int err_no, const void *run, size_t size,
		     struct gmem_exit *out, struct gmem_error *err)
{
	struct gmem_exit e = { 0 };
	int r = gmem__begin(err);

	if (r == 0)
		r = gmem__exit_take(out, &e, sizeof(e), "gmem_exit", err);
	if (r < 0)
		return r;
	if (!run)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "kvm_run is NULL");
	if (e.gpa_mask % GMEM__MAP_GPA_UNIT)
		return gmem__fail(err, GMEM_REASON_UNALIGNED, e.gpa_mask,
				  GMEM__MAP_GPA_UNIT,
				  "gpa_mask 0x%" PRIx64 " has bits below those "
				  "of a page of %d bytes",
				  e.gpa_mask, GMEM__MAP_GPA_UNIT);
	r = gmem__exit_decode(&RUN_ABI, rc, err_no, run, size, &e, err);
	if (r == 0)
		gmem__out_copy(out, &e, sizeof(e));
	return r;
}

int gmem__exit_answer(const struct gmem__run_abi *abi, void *run, size_t size,
		      uint32_t kind, uint32_t answer, struct gmem_error *err)
{
	size_t at = abi->exit + offsetof(struct gmem__hypercall, ret);
	uint64_t ret = EINVAL;

	if (kind != GMEM_EXIT_MAP_GPA_RANGE && kind != GMEM_EXIT_MALFORMED)
		return 0;
	if (at + sizeof(ret) > size)
		return gmem__fail(err, GMEM_REASON_RUN_SIZE, size,
				  at + sizeof(ret),
				  "kvm_run has %zu bytes, and the answer to a "
				  "hypercall ends at %zu",
				  size, at + sizeof(ret));
	if (kind == GMEM_EXIT_MAP_GPA_RANGE && answer == GMEM_ANSWER_RESUME)
		ret = 0;
	else if (kind == GMEM_EXIT_MAP_GPA_RANGE && answer == GMEM_ANSWER_RETRY)
		ret = EAGAIN;
	memcpy((char *)run + at, &ret, sizeof(ret));
	return 0;
}

int gmem_exit_answer(void *run, size_t size, const struct gmem_exit *exit,
		     uint32_t answer, struct gmem_error *err)
{
	struct gmem_exit e = { 0 };
	int r = gmem__begin(err);

	if (r == 0)
		r = gmem__exit_take(exit, &e, sizeof(e), "gmem_exit", err);
	if (r < 0)
		return r;
	if (!run)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "kvm_run is NULL");
	r = gmem__exit_kind_check(&e, err);
	if (r < 0)
		return r;
	if (answer > GMEM_ANSWER_FATAL)
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, answer,
				  GMEM_ANSWER_FATAL,
				  "%" PRIu32 " is no answer to an exit",
				  answer);
	return gmem__exit_answer(&RUN_ABI, run, size, e.kind, answer, err);
}
