/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include "t.h"

static size_t skipped;

static bool forbidden(const char *capability)
{
	const char *list = getenv("GMEM_TEST_NOSKIP");
	size_t n = strlen(capability);

	while (list && *list) {
		size_t len = strcspn(list, ",");

		if ((len == 3 && !strncmp(list, "all", 3)) ||
		    (len == n && !strncmp(list, capability, n)))
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

void t_skip(const char *capability, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (forbidden(capability))
		fail_msg("may not skip (%s): %s", capability, why);
	print_message("[  REASON  ] %s: %s\n", capability, why);
	skipped++;
	skip();
	abort(); /* skip() does not return */
}

static const char *code_name(long long code)
{
	const char *name = code < 0 ? strerrorname_np((int)-code) : NULL;

	return name ? name : "no errno";
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
