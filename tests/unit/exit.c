// SPDX-License-Identifier: MIT
/* gmem_exit_decode() and gmem_exit_answer(): made and recorded kvm_runs. */
#include <limits.h>
#include <stdbool.h>

#include "exit.h"
#include "t.h"
#include "uapi.h"

#define KiB (1ULL << 10)
#define RUN 160
#define HLT 5

struct made {
	unsigned char run[RUN];
	struct gmem_exit e;
	struct gmem_error err;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct made));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void put(struct made *m, size_t at, uint64_t value, size_t len)
{
	memcpy(m->run + at, &value, len);
}

/* As KVM writes them; what it does not write has any bytes. */
static void reason(struct made *m, uint32_t exit_reason)
{
	memset(m->run, 0xa5, sizeof(m->run));
	put(m, GMEM__RUN_EXIT_REASON, exit_reason, 4);
}

static void put_fault(struct made *m, uint64_t flags, uint64_t gpa,
		      uint64_t size)
{
	reason(m, GMEM__EXIT_MEMORY_FAULT);
	put(m, 32, flags, 8);
	put(m, 40, gpa, 8);
	put(m, 48, size, 8);
}

static void put_call(struct made *m, uint64_t nr, uint64_t gpa, uint64_t pages,
		     uint64_t bits)
{
	reason(m, GMEM__EXIT_HYPERCALL);
	put(m, 32, nr, 8);
	put(m, 40, gpa, 8);
	put(m, 48, pages, 8);
	put(m, 56, bits, 8);
}

/* On x86, whatever the tests run on. */
static const struct gmem_exit *decoded(struct made *m, uint64_t mask, int rc,
				       int err_no)
{
	m->e = (struct gmem_exit){
		.sz = sizeof(m->e),
		.gpa_mask = mask,
		.kind = 99,
		.value = 99,
		.gpa = 99,
	};
	m->err = (struct gmem_error){ .sz = sizeof(m->err) };
	t_code(gmem__exit_decode(&gmem__run_x86, rc, err_no, m->run, RUN, &m->e,
				 &m->err),
	       0);
	assert_int_equal(m->e.gpa_mask, mask);
	return &m->e;
}

static void is(const struct gmem_exit *e, uint32_t kind, uint64_t gpa,
	       uint64_t len, uint64_t attributes)
{
	assert_int_equal(e->kind, kind);
	assert_int_equal(e->gpa, gpa);
	assert_int_equal(e->len, len);
	assert_int_equal(e->attributes, attributes);
	assert_int_equal(e->reason, GMEM_REASON_NONE);
	assert_int_equal(e->value, 0);
}

static void breaks(const struct gmem_exit *e, uint32_t kind, uint32_t why,
		   uint64_t value)
{
	assert_int_equal(e->kind, kind);
	assert_int_equal(e->reason, why);
	assert_int_equal(e->value, value);
	assert_int_equal(e->gpa, 0);
	assert_int_equal(e->len, 0);
	assert_int_equal(e->attributes, 0);
}

static void a_memory_fault_says_what_is_wanted(void **state)
{
	struct made *m = *state;

	put_fault(m, 0, 0x5000, 4 * KiB);
	is(decoded(m, 0, -1, EFAULT), GMEM_EXIT_MEMORY_FAULT, 0x5000, 4 * KiB,
	   GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(m->e.sys_errno, EFAULT);
	assert_int_equal(m->e.exit_reason, GMEM__EXIT_MEMORY_FAULT);
	put_fault(m, GMEM__MEMORY_FAULT_PRIVATE, 0x8000, 16 * KiB);
	is(decoded(m, 0, -1, EFAULT), GMEM_EXIT_MEMORY_FAULT, 0x8000, 16 * KiB,
	   GMEM_ATTRIBUTE_PRIVATE);
	/* that of a realm does not fail */
	is(decoded(m, 0, 0, 0), GMEM_EXIT_MEMORY_FAULT, 0x8000, 16 * KiB,
	   GMEM_ATTRIBUTE_PRIVATE);
	assert_int_equal(m->e.sys_errno, 0);
	/* errno of a call that did not fail is of an earlier one */
	is(decoded(m, 0, 0, EINTR), GMEM_EXIT_MEMORY_FAULT, 0x8000, 16 * KiB,
	   GMEM_ATTRIBUTE_PRIVATE);
	assert_int_equal(m->e.sys_errno, 0);
}

/* A wrapper returns -errno, and errno may be of anything. */
static void what_a_wrapper_returns_is_its_errno(void **state)
{
	struct made *m = *state;

	for (int e = 1; e < 4096; e++) {
		put_fault(m, GMEM__MEMORY_FAULT_PRIVATE, 0x8000, 4 * KiB);
		decoded(m, 0, -e, 0);
		assert_int_equal(m->e.sys_errno, e);
		assert_int_equal(m->e.kind, e == EFAULT ? GMEM_EXIT_MEMORY_FAULT
					    : e == EHWPOISON ? GMEM_EXIT_POISON
							     : GMEM_EXIT_NONE);
	}
	is(decoded(m, 0, -EFAULT, EINTR), GMEM_EXIT_MEMORY_FAULT, 0x8000,
	   4 * KiB, GMEM_ATTRIBUTE_PRIVATE);
	is(decoded(m, 0, -EINTR, EFAULT), GMEM_EXIT_NONE, 0, 0, 0);
	assert_int_equal(m->e.sys_errno, EINTR);
}

static void every_other_errno_leaves_a_stale_exit(void **state)
{
	static const uint32_t left[] = { GMEM__EXIT_UNKNOWN,
					 GMEM__EXIT_HYPERCALL, HLT,
					 GMEM__EXIT_MEMORY_FAULT };
	struct made *m = *state;

	for (unsigned int i = 0; i < T_ARRAY_SIZE(left); i++)
		for (int e = -200; e < 4096; e++) {
			put_fault(m, 0, 0x5000, 4 * KiB);
			put(m, GMEM__RUN_EXIT_REASON, left[i], 4);
			if (e == EFAULT || e == EHWPOISON || e == 0)
				continue;
			is(decoded(m, 0, -1, e), GMEM_EXIT_NONE, 0, 0, 0);
			assert_int_equal(m->e.sys_errno, e);
			assert_int_equal(m->e.exit_reason, 0);
		}
	/* no ioctl(2) returns these */
	is(decoded(m, 0, INT_MIN, EFAULT), GMEM_EXIT_NONE, 0, 0, 0);
	is(decoded(m, 0, -4096, EFAULT), GMEM_EXIT_NONE, 0, 0, 0);
	assert_int_equal(m->e.sys_errno, EFAULT);
	is(decoded(m, 0, 1, EFAULT), GMEM_EXIT_NONE, 0, 0, 0);
	/* so that it is not read at all */
	t_code(gmem__exit_decode(&gmem__run_x86, -1, EINTR, m->run, 0, &m->e,
				 &m->err),
	       0);
	is(&m->e, GMEM_EXIT_NONE, 0, 0, 0);
}

static void efault_is_a_fault_unreachable_or_stale(void **state)
{
	struct made *m = *state;

	for (uint32_t i = 0; i < 256; i++) {
		if (i == GMEM__EXIT_MEMORY_FAULT)
			continue;
		put_call(m, GMEM__HC_MAP_GPA_RANGE, 0x1000, 1, 0);
		put(m, GMEM__RUN_EXIT_REASON, i, 4);
		is(decoded(m, 0, -1, EFAULT),
		   i ? GMEM_EXIT_NONE : GMEM_EXIT_UNREACHABLE, 0, 0, 0);
		assert_int_equal(m->e.sys_errno, EFAULT);
		assert_int_equal(m->e.exit_reason, 0);
	}
}

static void a_memory_error_is_poison_not_a_conversion(void **state)
{
	struct made *m = *state;

	put_fault(m, GMEM__MEMORY_FAULT_PRIVATE, 0x5000, 4 * KiB);
	is(decoded(m, 0, -1, EHWPOISON), GMEM_EXIT_POISON, 0x5000, 4 * KiB, 0);
	/* with nothing that says where, it is one too */
	put_fault(m, 1, 0x5000, 4 * KiB);
	is(decoded(m, 0, -1, EHWPOISON), GMEM_EXIT_POISON, 0x5000, 4 * KiB, 0);
	put_fault(m, 0, 0x5000, 0);
	is(decoded(m, 0, -1, EHWPOISON), GMEM_EXIT_POISON, 0, 0, 0);
	put_call(m, GMEM__HC_MAP_GPA_RANGE, 0x1000, 1, 1);
	is(decoded(m, 0, -1, EHWPOISON), GMEM_EXIT_POISON, 0, 0, 0);
	reason(m, GMEM__EXIT_UNKNOWN);
	is(decoded(m, 0, -1, EHWPOISON), GMEM_EXIT_POISON, 0, 0, 0);
}

static void every_other_exit_is_the_vmm_s(void **state)
{
	struct made *m = *state;

	for (uint32_t i = 0; i < 256; i++) {
		if (i == GMEM__EXIT_MEMORY_FAULT || i == GMEM__EXIT_HYPERCALL)
			continue;
		reason(m, i);
		is(decoded(m, 0, 0, EFAULT), GMEM_EXIT_OTHER, 0, 0, 0);
		assert_int_equal(m->e.exit_reason, i);
	}
	for (uint64_t nr = 0; nr < 64; nr++) {
		put_call(m, nr, 0x1000, 1, 0);
		if (nr != GMEM__HC_MAP_GPA_RANGE)
			is(decoded(m, 0, 0, 0), GMEM_EXIT_OTHER, 0, 0, 0);
	}
	put_call(m, GMEM__HC_MAP_GPA_RANGE | 1ULL << 32, 0x1000, 1, 0);
	is(decoded(m, 0, 0, 0), GMEM_EXIT_OTHER, 0, 0, 0);
}

/* It means something that this library does not know. */
static void a_fault_with_an_unknown_flag_is_the_vmm_s(void **state)
{
	struct made *m = *state;

	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t flag = 1ULL << bit;

		if (flag == GMEM__MEMORY_FAULT_PRIVATE)
			continue;
		put_fault(m, flag | GMEM__MEMORY_FAULT_PRIVATE, 0x5000, 4096);
		decoded(m, 0, -1, EFAULT);
		assert_int_equal(m->e.kind, GMEM_EXIT_OTHER);
		assert_int_equal(m->e.reason, GMEM_REASON_FLAG_UNKNOWN);
		assert_int_equal(m->e.value, flag);
		assert_int_equal(m->e.gpa, 0x5000);
		assert_int_equal(m->e.len, 4096);
		assert_int_equal(m->e.attributes, 0);
	}
	put_fault(m, 0, 0x5000, 0);
	breaks(decoded(m, 0, -1, EFAULT), GMEM_EXIT_OTHER,
	       GMEM_REASON_ZERO_SIZE, 0);
	put_fault(m, 0, -4096ULL, 4096);
	breaks(decoded(m, 0, -1, EFAULT), GMEM_EXIT_OTHER,
	       GMEM_REASON_GPA_OVERFLOW, -4096ULL);
}

/* KVM on arm64 reports 4 KiB units where pages are larger. */
static void a_fault_is_of_the_page_around_its_address(void **state)
{
	struct made *m = *state;

	put_fault(m, 0, 0x9000, 16 * KiB);
	is(decoded(m, 0, -1, EFAULT), GMEM_EXIT_MEMORY_FAULT, 0x8000, 16 * KiB,
	   0);
	put_fault(m, 0, 0x7fff, 4 * KiB);
	is(decoded(m, 0, -1, EFAULT), GMEM_EXIT_MEMORY_FAULT, 0x7000, 4 * KiB,
	   0);
	/* of what is no page there is none around it */
	put_fault(m, 0, 0xa000, 12 * KiB);
	is(decoded(m, 0, -1, EFAULT), GMEM_EXIT_MEMORY_FAULT, 0xa000, 12 * KiB,
	   0);
}

static void only_one_bit_of_a_hypercall_is_the_state(void **state)
{
	struct made *m = *state;

	/* all of what is defined, and one bit of what is reserved */
	for (uint64_t bits = 0; bits < 32; bits++) {
		put_call(m, GMEM__HC_MAP_GPA_RANGE, 0x5000, 3, bits);
		is(decoded(m, 0, 0, 0), GMEM_EXIT_MAP_GPA_RANGE, 0x5000,
		   12 * KiB,
		   bits & 16 ? GMEM_ATTRIBUTE_PRIVATE : GMEM_ATTRIBUTE_SHARED);
		for (unsigned int bit = 5; bit < 64; bit++) {
			put_call(m, GMEM__HC_MAP_GPA_RANGE, 0x5000, 3,
				 bits | 1ULL << bit);
			breaks(decoded(m, 0, 0, 0), GMEM_EXIT_MALFORMED,
			       GMEM_REASON_FLAG_UNKNOWN, 1ULL << bit);
		}
	}
}

static void a_hypercall_s_range_is_checked(void **state)
{
	static const struct {
		uint64_t gpa, pages, mask;
		uint32_t why;
		uint64_t value;
	} bad[] = {
		{ 0x5000, 0, 0, GMEM_REASON_ZERO_SIZE, 0 },
		{ 0x5001, 1, 0, GMEM_REASON_UNALIGNED, 0x5001 },
		{ 0x5800, 1, 0, GMEM_REASON_UNALIGNED, 0x5800 },
		{ 0x5000, 1ULL << 52, 0, GMEM_REASON_GPA_OVERFLOW, 0x5000 },
		{ 0, 1ULL << 52, 0, GMEM_REASON_GPA_OVERFLOW, 0 },
		{ 0x5000, UINT64_MAX, 0, GMEM_REASON_GPA_OVERFLOW, 0x5000 },
		{ 0x5000, (1ULL << 52) - 1, 0, GMEM_REASON_GPA_OVERFLOW,
		  0x5000 },
		{ -4096ULL, 1, 0, GMEM_REASON_GPA_OVERFLOW, -4096ULL },
		{ -8192ULL, 3, 0, GMEM_REASON_GPA_OVERFLOW, -8192ULL },
		{ 1ULL << 47 | 0x5000, 0, 1ULL << 47, GMEM_REASON_ZERO_SIZE,
		  0 },
		{ 1ULL << 47 | 0x5000, 1ULL << 52, 1ULL << 47,
		  GMEM_REASON_GPA_OVERFLOW, 0x5000 },
		/* up to the masked bit, and into it */
		{ (1ULL << 47) - 4096, 2, 1ULL << 47, GMEM_REASON_GPA_LIMIT,
		  (1ULL << 47) - 4096 },
		{ 0, (1ULL << 35) + 1, 1ULL << 47, GMEM_REASON_GPA_LIMIT, 0 },
	};
	struct made *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		put_call(m, GMEM__HC_MAP_GPA_RANGE, bad[i].gpa, bad[i].pages,
			 16);
		breaks(decoded(m, bad[i].mask, 0, 0), GMEM_EXIT_MALFORMED,
		       bad[i].why, bad[i].value);
	}
	put_call(m, GMEM__HC_MAP_GPA_RANGE, 0, (1ULL << 52) - 1, 0);
	is(decoded(m, 0, 0, 0), GMEM_EXIT_MAP_GPA_RANGE, 0, -4096ULL, 0);
	put_call(m, GMEM__HC_MAP_GPA_RANGE, -8192ULL, 1, 0);
	is(decoded(m, 0, 0, 0), GMEM_EXIT_MAP_GPA_RANGE, -8192ULL, 4096, 0);
}

static void the_mask_is_taken_off(void **state)
{
	static const uint64_t masks[] = { 1ULL << 47, 1ULL << 51, 1ULL << 63,
					  3ULL << 50 };
	struct made *m = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(masks); i++) {
		put_call(m, GMEM__HC_MAP_GPA_RANGE, masks[i] | 0x5000, 2, 16);
		is(decoded(m, masks[i], 0, 0), GMEM_EXIT_MAP_GPA_RANGE, 0x5000,
		   8 * KiB, GMEM_ATTRIBUTE_PRIVATE);
		put_fault(m, 0, masks[i] | 0x5000, 4096);
		is(decoded(m, masks[i], -1, EFAULT), GMEM_EXIT_MEMORY_FAULT,
		   0x5000, 4096, 0);
		/* the last page below the bit */
		put_call(m, GMEM__HC_MAP_GPA_RANGE, (1ULL << 47) - 4096, 1, 0);
		is(decoded(m, masks[i], 0, 0), GMEM_EXIT_MAP_GPA_RANGE,
		   (1ULL << 47) - 4096, 4096, 0);
	}
	put_call(m, GMEM__HC_MAP_GPA_RANGE, 1ULL << 47 | 0x5000, 2, 16);
	is(decoded(m, 0, 0, 0), GMEM_EXIT_MAP_GPA_RANGE, 1ULL << 47 | 0x5000,
	   8 * KiB, GMEM_ATTRIBUTE_PRIVATE);
}

static void a_mask_below_a_page_is_refused(void **state)
{
	struct made *m = *state;
	struct gmem_exit e = { .sz = sizeof(e) }, before;

	put_fault(m, 0, 0x5000, 4096);
	for (unsigned int bit = 0; bit < 12; bit++) {
		e.gpa_mask = 1ULL << 47 | 1ULL << bit;
		before = e;
		t_refused(
			gmem_exit_decode(-1, EFAULT, m->run, RUN, &e, &m->err),
			-EINVAL, GMEM_REASON_UNALIGNED, m->err);
		assert_memory_equal(&e, &before, sizeof(e));
	}
}

/* Where the bytes end that each exit needs; nothing beyond them is read. */
static void a_kvm_run_that_is_cut_off_is_refused(void **state)
{
	static const struct {
		uint32_t reason;
		int rc, err_no;
		size_t need;
	} exits[] = {
		{ HLT, 0, 0, 12 },
		{ GMEM__EXIT_UNKNOWN, -1, EFAULT, 12 },
		{ GMEM__EXIT_UNKNOWN, -1, EHWPOISON, 12 },
		{ GMEM__EXIT_MEMORY_FAULT, 0, 0, 56 },
		{ GMEM__EXIT_MEMORY_FAULT, -1, EFAULT, 56 },
		{ GMEM__EXIT_MEMORY_FAULT, -1, EHWPOISON, 56 },
		{ GMEM__EXIT_HYPERCALL, 0, 0, 104 },
	};
	struct made *m = *state;
	struct gmem_exit e = { .sz = sizeof(e), .kind = 77 };
	unsigned char *run;

	for (size_t i = 0; i < T_ARRAY_SIZE(exits); i++)
		for (size_t n = 0; n <= RUN; n++) {
			put_fault(m, 0, 0x5000, 4096);
			put(m, GMEM__RUN_EXIT_REASON, exits[i].reason, 4);
			/* so that sanitizers see what is beyond it */
			run = malloc(n + 1);
			assert_non_null(run);
			memcpy(run, m->run, n);
			m->err = (struct gmem_error){ .sz = sizeof(m->err) };
			t_code(gmem__exit_decode(&gmem__run_x86, exits[i].rc,
						 exits[i].err_no, run, n, &e,
						 &m->err),
			       n < exits[i].need ? -EINVAL : 0);
			if (n < exits[i].need) {
				t_reason(&m->err, GMEM_REASON_RUN_SIZE);
				assert_int_equal(m->err.value, n);
				assert_int_equal(e.kind, 77);
			}
			e = (struct gmem_exit){ .sz = sizeof(e), .kind = 77 };
			free(run);
		}
}

static void hypercalls_of_arm64_are_others(void **state)
{
	struct made *m = *state;
	struct gmem_exit e = { .sz = sizeof(e) };

	put_call(m, GMEM__HC_MAP_GPA_RANGE, 0x5000, 1, 16);
	t_code(gmem__exit_decode(&gmem__run_arm64, 0, 0, m->run, RUN, &e, NULL),
	       0);
	is(&e, GMEM_EXIT_OTHER, 0, 0, 0);
	/* kvm_run of s390 says it further behind */
	memmove(m->run + 48, m->run + 32, 72);
	put(m, GMEM__RUN_EXIT_REASON, GMEM__EXIT_MEMORY_FAULT, 4);
	put(m, 48, 0, 8);
	put(m, 56, 0x7000, 8);
	put(m, 64, 4096, 8);
	t_code(gmem__exit_decode(&gmem__run_s390, -1, EFAULT, m->run, RUN, &e,
				 NULL),
	       0);
	is(&e, GMEM_EXIT_MEMORY_FAULT, 0x7000, 4096, 0);
}

static void a_hypercall_is_always_answered(void **state)
{
	static const uint64_t want[] = { 0, EAGAIN, EINVAL, EINVAL };
	struct made *m = *state;
	unsigned char before[RUN];
	uint64_t ret;

	for (uint32_t kind = 0; kind <= GMEM_EXIT_UNREACHABLE; kind++)
		for (uint32_t a = 0; a <= GMEM_ANSWER_FATAL; a++) {
			put_call(m, GMEM__HC_MAP_GPA_RANGE, 0x5000, 1, 16);
			memcpy(before, m->run, RUN);
			t_code(gmem__exit_answer(&gmem__run_x86, m->run, RUN,
						 kind, a, NULL),
			       0);
			memcpy(&ret, m->run + 88, 8);
			if (kind == GMEM_EXIT_MAP_GPA_RANGE)
				assert_int_equal(ret, want[a]);
			else if (kind == GMEM_EXIT_MALFORMED)
				assert_int_equal(ret, EINVAL);
			else
				assert_memory_equal(m->run, before, RUN);
			/* and nothing else is written */
			memcpy(before + 88, &ret, 8);
			assert_memory_equal(m->run, before, RUN);
		}
	t_refused(gmem__exit_answer(&gmem__run_x86, m->run, 95,
				    GMEM_EXIT_MAP_GPA_RANGE, GMEM_ANSWER_RESUME,
				    &m->err),
		  -EINVAL, GMEM_REASON_RUN_SIZE, m->err);
	t_code(gmem__exit_answer(&gmem__run_x86, m->run, 96,
				 GMEM_EXIT_MAP_GPA_RANGE, GMEM_ANSWER_RESUME,
				 NULL),
	       0);
}

static void wrong_arguments_are_refused(void **state)
{
	struct made *m = *state;
	struct gmem_exit e = { .sz = sizeof(e), .kind = 77 };
	struct {
		struct gmem_exit e;
		uint64_t later;
	} newer = { .e = { .sz = sizeof(newer) } };

	put_fault(m, 0, 0x5000, 4096);
	t_refused(gmem_exit_decode(0, 0, NULL, RUN, &e, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	t_refused(gmem_exit_decode(0, 0, m->run, RUN, NULL, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	t_refused(gmem_exit_answer(NULL, RUN, &e, 0, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	t_refused(gmem_exit_answer(m->run, RUN, NULL, 0, &m->err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, m->err);
	e.kind = GMEM_EXIT_NONE;
	t_refused(gmem_exit_answer(m->run, RUN, &e, GMEM_ANSWER_PROBE, &m->err),
		  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, m->err);
	/* what needs no answer takes any */
	t_ok(gmem_exit_answer(m->run, RUN, &e, GMEM_ANSWER_RETRY, &m->err),
	     m->err);
	e.kind = 77;
	/* nor is it left without an answer where nobody knows the exit */
	t_refused(gmem_exit_answer(m->run, RUN, &e, 0, &m->err), -EINVAL,
		  GMEM_REASON_VALUE_UNKNOWN, m->err);
	assert_int_equal(m->err.value, 77);
	assert_int_equal(e.kind, 77);
	e.sz = 63;
	t_refused(gmem_exit_decode(0, 0, m->run, RUN, &e, &m->err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, m->err);
	t_refused(gmem_exit_answer(m->run, RUN, &e, 0, &m->err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, m->err);
	/* a newer caller's struct, then one that asks for something new */
	t_ok(gmem_exit_decode(0, 0, m->run, RUN, &newer.e, &m->err), m->err);
	is(&newer.e, GMEM_EXIT_MEMORY_FAULT, 0x5000, 4096, 0);
	newer.later = 1;
	t_refused(gmem_exit_decode(0, 0, m->run, RUN, &newer.e, &m->err),
		  -E2BIG, GMEM_REASON_OPTS_NEWER, m->err);
	t_refused(gmem_exit_answer(m->run, RUN, &newer.e, 0, &m->err), -E2BIG,
		  GMEM_REASON_OPTS_NEWER, m->err);
	m->err.sz = 1;
	t_code(gmem_exit_decode(0, 0, m->run, RUN, &e, &m->err), -EINVAL);
}

/* One line: KERNEL WHAT RC ERRNO KIND GPA LEN ATTRIBUTES BYTES. */
static void replay(struct made *m, const char *line)
{
	char kernel[32], what[32], bytes[2 * RUN + 1];
	unsigned int kind, byte;
	unsigned long long gpa, len, attributes;
	int rc, err_no;

	assert_int_equal(sscanf(line, "%31s %31s %d %d %u %llx %llx %llu %320s",
				kernel, what, &rc, &err_no, &kind, &gpa, &len,
				&attributes, bytes),
			 9);
	memset(m->run, 0, RUN);
	for (size_t i = 0; bytes[2 * i]; i++) {
		assert_int_equal(sscanf(bytes + 2 * i, "%2x", &byte), 1);
		m->run[i] = (unsigned char)byte;
	}
	print_message("%s, %s\n", kernel, what);
	decoded(m, 0, rc, err_no);
	assert_int_equal(m->e.kind, kind);
	assert_int_equal(m->e.gpa, gpa);
	assert_int_equal(m->e.len, len);
	assert_int_equal(m->e.attributes, attributes);
}

static void recorded_exits_are_read(void **state)
{
	FILE *f = fopen(GMEM_RECORDED, "r");
	char line[512];
	unsigned int n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		replay(*state, line);
		n++;
	}
	(void)fclose(f);
	assert_true(n > 20);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest exit_tests[] = {
		test(a_memory_fault_says_what_is_wanted),
		test(what_a_wrapper_returns_is_its_errno),
		test(every_other_errno_leaves_a_stale_exit),
		test(efault_is_a_fault_unreachable_or_stale),
		test(a_memory_error_is_poison_not_a_conversion),
		test(every_other_exit_is_the_vmm_s),
		test(a_fault_with_an_unknown_flag_is_the_vmm_s),
		test(a_fault_is_of_the_page_around_its_address),
		test(only_one_bit_of_a_hypercall_is_the_state),
		test(a_hypercall_s_range_is_checked),
		test(the_mask_is_taken_off),
		test(a_mask_below_a_page_is_refused),
		test(a_kvm_run_that_is_cut_off_is_refused),
		test(hypercalls_of_arm64_are_others),
		test(a_hypercall_is_always_answered),
		test(wrong_arguments_are_refused),
		test(recorded_exits_are_read),
	};

	return t_main(exit_tests);
}
