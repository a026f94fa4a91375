// SPDX-License-Identifier: MIT
/*
 * Any bytes as kvm_run: whatever they are, what is decoded can be served, and
 * the answer changes nothing but the guest's.  The first bytes choose the
 * result of KVM_RUN, the mask and the architecture.
 */
#include <errno.h>
#include <string.h>

#include "exit.h"
#include "fuzz.h"

#define HEADER 4

static const int codes[] = { EFAULT, EHWPOISON, EINTR, EAGAIN, ENOMEM, 0 };

static void range(const struct gmem_exit *e)
{
	HOLDS(!(e->gpa & e->gpa_mask));
	if (!e->len) {
		HOLDS(e->gpa == 0);
		return;
	}
	HOLDS(e->gpa + e->len > e->gpa);
	HOLDS(!((e->gpa + e->len - 1) & e->gpa_mask));
}

static void kind(const struct gmem_exit *e, int rc, int err_no)
{
	int fresh = rc == 0 ||
		    (rc == -1 && (err_no == EFAULT || err_no == EHWPOISON));

	HOLDS(e->kind <= GMEM_EXIT_UNREACHABLE);
	HOLDS(fresh || e->kind == GMEM_EXIT_NONE);
	HOLDS(e->kind != GMEM_EXIT_NONE || (e->len == 0 && !e->exit_reason));
	HOLDS(e->attributes == 0 || e->kind == GMEM_EXIT_MEMORY_FAULT ||
	      e->kind == GMEM_EXIT_MAP_GPA_RANGE);
	HOLDS(e->len || (e->kind != GMEM_EXIT_MEMORY_FAULT &&
			 e->kind != GMEM_EXIT_MAP_GPA_RANGE));
	HOLDS((e->kind == GMEM_EXIT_MALFORMED) <= (e->reason != 0));
	HOLDS(err_no != EHWPOISON || rc != -1 || e->kind == GMEM_EXIT_POISON);
	if (e->kind == GMEM_EXIT_MAP_GPA_RANGE)
		HOLDS(rc == 0 && e->gpa % 4096 == 0 && e->len % 4096 == 0);
}

static void answered(const struct gmem__run_abi *abi, const struct gmem_exit *e,
		     unsigned char *run, size_t size)
{
	static const uint64_t want[] = { 0, EAGAIN, EINVAL, EINVAL };
	unsigned char *before = malloc(size + 1);
	uint64_t ret;
	size_t at = abi->exit + 56;

	HOLDS(before);
	memcpy(before, run, size);
	for (uint32_t a = 0; a <= GMEM_ANSWER_FATAL; a++) {
		HOLDS(gmem__exit_answer(abi, run, size, e->kind, a, NULL) == 0);
		if (e->kind == GMEM_EXIT_MAP_GPA_RANGE ||
		    e->kind == GMEM_EXIT_MALFORMED) {
			memcpy(&ret, run + at, sizeof(ret));
			HOLDS(ret == (e->kind == GMEM_EXIT_MALFORMED
					      ? (uint64_t)EINVAL
					      : want[a]));
			memcpy(run + at, before + at, sizeof(ret));
		}
		HOLDS(!memcmp(run, before, size));
	}
	free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gmem__run_abi *const abis[] = { &gmem__run_x86,
							    &gmem__run_arm64,
							    &gmem__run_s390 };
	struct gmem_exit e = { .sz = sizeof(e) };
	struct gmem_error err = { .sz = sizeof(err) };
	const struct gmem__run_abi *abi;
	unsigned char *run;
	int rc, err_no;

	if (size < HEADER)
		return 0;
	rc = data[0] & 1 ? -1 : 0;
	err_no = codes[data[1] % (sizeof(codes) / sizeof(codes[0]))];
	/* Or of a wrapper. */
	if (data[0] & 2 && rc < 0) {
		rc = -err_no;
		err_no = 0;
	}
	abi = abis[data[2] % 3];
	if (data[3])
		e.gpa_mask = 1ULL << (12 + data[3] % 52);
	size -= HEADER;
	/* In memory of its own, so that a read beyond the end is noticed. */
	run = malloc(size + 1);
	HOLDS(run);
	memcpy(run, data + HEADER, size);
	if (gmem__exit_decode(abi, rc, err_no, run, size, &e, &err) == 0) {
		range(&e);
		kind(&e, rc < 0 ? -1 : rc, err_no ? err_no : -rc);
		answered(abi, &e, run, size);
	} else {
		HOLDS(err.reason == GMEM_REASON_RUN_SIZE && size < err.limit);
		HOLDS(e.kind == 0 && e.len == 0);
	}
	free(run);
	return 0;
}
