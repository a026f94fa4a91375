/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>

#include "t.h"

static size_t skipped;

/* Whether GMEM_TEST_NOSKIP has that word. */
static bool listed(const char *word)
{
	const char *list = getenv("GMEM_TEST_NOSKIP");
	size_t n = strlen(word);

	while (list && *list) {
		size_t len = strcspn(list, ",");

		if (len == n && !strncmp(list, word, n))
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

/* @mark: of the line that tests/summary.py looks for. */
__attribute__((noreturn, format(printf, 4, 0))) static void
leave(bool forbidden, const char *mark, const char *capability, const char *fmt,
      va_list ap)
{
	char why[256];

	(void)vsnprintf(why, sizeof(why), fmt, ap);
	if (forbidden)
		fail_msg("may not skip (%s): %s", capability, why);
	print_message("[  %s  ] %s: %s\n", mark, capability, why);
	skipped++;
	skip();
	abort(); /* skip() does not return */
}

void t_skip(const char *capability, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	leave(listed("all") || listed(capability), "REASON", capability, fmt,
	      ap);
}

void t_not_applicable(const char *capability, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	leave(listed(capability), "N/A   ", capability, fmt, ap);
}

static const char *code_name(long long code)
{
	const char *name = code < 0 ? strerrorname_np((int)-code) : NULL;

	return name ? name : "no errno";
}

/* What the process had before. */
static struct {
	bool on;
	struct itimerval timer;
	struct sigaction action;
} calm;

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
	(void)sig;
	signals++;
}

void t_storm(long usec)
{
	const struct itimerval none = { 0 };
	const struct itimerval each = { { 0, usec }, { 0, usec } };
	const struct sigaction act = { .sa_handler = count_signal };

	assert_int_equal(setitimer(ITIMER_REAL, &none, &calm.timer), 0);
	assert_int_equal(sigaction(SIGALRM, &act, &calm.action), 0);
	calm.on = true;
	signals = 0;
	assert_int_equal(setitimer(ITIMER_REAL, &each, NULL), 0);
}

unsigned int t_storm_signals(void)
{
	return (unsigned int)signals;
}

void t_storm_end(void)
{
	const struct itimerval none = { 0 };

	if (!calm.on)
		return;
	calm.on = false;
	assert_int_equal(setitimer(ITIMER_REAL, &none, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &calm.action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &calm.timer, NULL), 0);
}

uint64_t t_any(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (*seed >> 33) % below;
}

void t_code_at(long long got, long long want, const char *what,
	       const char *file, int line)
{
	if (got == want)
		return;
	print_error("%s\n  gave %lld (%s), expected %lld (%s)\n", what, got,
		    code_name(got), want, code_name(want));
	_fail(file, line);
}

void t_reason_at(const struct gmem_error *err, uint32_t reason,
		 const char *file, int line)
{
	if (err->reason == reason)
		return;
	print_error("reason is %s, expected %s: %s\n",
		    gmem_reason_str(err->reason), gmem_reason_str(reason),
		    err->msg);
	_fail(file, line);
}

void t_ok_at(long long got, const struct gmem_error *err, const char *what,
	     const char *file, int line)
{
	if (got < 0)
		print_error("%s\n  gave %lld (%s): [%s] %s\n", what, got,
			    code_name(got), gmem_reason_str(err->reason),
			    err->msg);
	else if (err->code || err->reason || err->sys_errno || err->flags ||
		 err->msg[0] || !err->remedy || err->remedy[0])
		print_error("%s\n  succeeded, and left %d [%s] %s\n", what,
			    err->code, gmem_reason_str(err->reason), err->msg);
	else
		return;
	_fail(file, line);
}

int t_get_mempolicy(struct gmem *g, uint64_t offset,
		    struct gmem_mempolicy *policy, struct gmem_error *err)
{
	return gmem_get_mempolicy(g, offset, policy,
				  (unsigned long *)policy->nodes,
				  policy->max_node, err);
}

int t_placed(struct gmem *g, uint64_t offset, uint64_t len,
	     const struct gmem_mempolicy *policy, struct gmem_placement *out,
	     struct gmem_error *err)
{
	int r = gmem_verify_placement(g, offset, len, policy, out, err);

	return r < 0 ? r : (int)out->verdict;
}

uint32_t t_support(const struct gmem_vm *vm, uint32_t feature)
{
	struct gmem_feature_info info = { .sz = sizeof(info) };
	int r = gmem_vm_feature(vm, feature, &info, NULL);

	return r < 0 ? UINT32_MAX : info.support;
}

static struct gmem_slot slot_of(struct gmem *g, uint32_t slot, uint64_t gpa,
				uint64_t offset, uint64_t len,
				const struct gmem_slot *more)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	if (more)
		s = *more;
	s.gmem = g;
	s.slot = slot;
	s.gpa = gpa;
	s.offset = offset;
	s.len = len;
	return s;
}

int t_bind(struct gmem *g, uint32_t slot, uint64_t gpa, uint64_t offset,
	   uint64_t len, const struct gmem_slot *more, struct gmem_error *err)
{
	struct gmem_slot s = slot_of(g, slot, gpa, offset, len, more);

	return gmem_bind(&s, err);
}

long long t_bound(struct gmem *g, uint32_t slot, uint64_t gpa, uint64_t offset,
		  uint64_t len, const struct gmem_slot *more,
		  struct gmem_error *err)
{
	struct gmem_slot s = slot_of(g, slot, gpa, offset, len, more);
	int r = gmem_bind(&s, err);

	return r < 0 ? r
		     : (long long)(s.flags & (GMEM_SLOT_FD | GMEM_SLOT_HVA));
}

int t_attributes(struct gmem *g, uint64_t offset, uint64_t len,
		 uint64_t attributes, struct gmem_error *err)
{
	struct gmem_attributes_opts o = { .sz = sizeof(o),
					  .flags = GMEM_ATTRIBUTES_UNBACKED };

	return gmem_set_attributes(g, offset, len, attributes, &o, err);
}

int t_share(struct gmem *g, uint64_t offset, uint64_t len,
	    struct gmem_error *err)
{
	return t_attributes(g, offset, len, GMEM_ATTRIBUTE_SHARED, err);
}

int t_run(const char *group, const struct CMUnitTest *tests, size_t n)
{
	int failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);

	if (failed)
		return 1;
	return skipped == n ? 77 : 0;
}
