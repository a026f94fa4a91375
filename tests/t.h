/* SPDX-License-Identifier: MIT */
/*
 * The only header that includes cmocka.h: what the tests are written with.
 *
 * cmocka's asserts and skips longjmp out of the test, so whatever a test
 * must release belongs into its fixture.
 */
#ifndef GMEM_TESTS_T_H
#define GMEM_TESTS_T_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <gmem.h>

#define T_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Leaves the test as skipped and says why.  @capability is a short word such
 * as "private-memory"; when the environment variable GMEM_TEST_NOSKIP lists
 * it (comma separated, "all" for every one) the test fails instead.
 */
__attribute__((noreturn, format(printf, 2, 3))) void
t_skip(const char *capability, const char *fmt, ...);

/*
 * The same of a test that no machine and no configuration could run with this
 * kernel or this build: it is not counted as skipped, and "all" allows it.
 */
__attribute__((noreturn, format(printf, 2, 3))) void
t_not_applicable(const char *capability, const char *fmt, ...);

/*
 * A SIGALRM every @usec until t_storm_end(), without SA_RESTART; how many have
 * come.  The process has its own timer and handler back then, also in a
 * teardown after a test that has failed.
 */
void t_storm(long usec);
unsigned int t_storm_signals(void);
void t_storm_end(void);

/* The next number below @below of the sequence that @seed is in. */
uint64_t t_any(uint64_t *seed, uint64_t below);

/* @call returned @code; prints both errno names otherwise. */
#define t_code(call, code) t_code_at((call), (code), #call, __FILE__, __LINE__)
void t_code_at(long long got, long long want, const char *what,
	       const char *file, int line);

/* @err holds @reason; prints both names and the message otherwise. */
#define t_reason(err, reason) t_reason_at((err), (reason), __FILE__, __LINE__)
void t_reason_at(const struct gmem_error *err, uint32_t reason,
		 const char *file, int line);

/*
 * @call is refused with @want and @why: evaluates @call with a fresh
 * struct gmem_error named @err, which must be declared by the test.
 */
#define t_refused(call, want, why, err)                           \
	do {                                                      \
		(err) = (struct gmem_error){ .sz = sizeof(err) }; \
		t_code((call), (want));                           \
		t_reason(&(err), (why));                          \
		assert_int_equal((err).code, (want));             \
		assert_true((err).msg[0] != '\0');                \
		assert_true((err).remedy[0] != '\0');             \
	} while (0)

/* @call succeeds and clears @err; prints the whole error otherwise. */
#define t_ok(call, err)                                             \
	do {                                                        \
		(err) = (struct gmem_error){ .sz = sizeof(err),     \
					     .code = INT32_MIN,     \
					     .reason = UINT32_MAX,  \
					     .sys_errno = 4095,     \
					     .flags = UINT32_MAX,   \
					     .msg = "stale" };      \
		t_ok_at((call), &(err), #call, __FILE__, __LINE__); \
	} while (0)
void t_ok_at(long long got, const struct gmem_error *err, const char *what,
	     const char *file, int line);

/*
 * Binds in one line; @more (may be NULL) has what else the slot is, and stays
 * as it is.  t_bound() returns the mode instead of 0.
 */
int t_bind(struct gmem *g, uint32_t slot, uint64_t gpa, uint64_t offset,
	   uint64_t len, const struct gmem_slot *more, struct gmem_error *err);
long long t_bound(struct gmem *g, uint32_t slot, uint64_t gpa, uint64_t offset,
		  uint64_t len, const struct gmem_slot *more,
		  struct gmem_error *err);

/* Into @policy, whose .nodes is an array of .max_node bits, or NULL. */
int t_get_mempolicy(struct gmem *g, uint64_t offset,
		    struct gmem_mempolicy *policy, struct gmem_error *err);

/* The verdict of gmem_verify_placement(), or -errno. */
int t_placed(struct gmem *g, uint64_t offset, uint64_t len,
	     const struct gmem_mempolicy *policy, struct gmem_placement *out,
	     struct gmem_error *err);

/* What is known of a feature, enum gmem_support; UINT32_MAX: refused. */
uint32_t t_support(const struct gmem_vm *vm, uint32_t feature);

/* As GMEM_ATTRIBUTES_UNBACKED: nothing shared need be behind the memory. */
int t_attributes(struct gmem *g, uint64_t offset, uint64_t len,
		 uint64_t attributes, struct gmem_error *err);
int t_share(struct gmem *g, uint64_t offset, uint64_t len,
	    struct gmem_error *err);

/* Runs a group; the process exits 77 when every test of it was skipped. */
#define t_main(tests) t_run(#tests, (tests), T_ARRAY_SIZE(tests))
int t_run(const char *group, const struct CMUnitTest *tests, size_t n);

#endif
