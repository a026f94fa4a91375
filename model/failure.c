// SPDX-License-Identifier: MIT
/* Calls that a test has asked to fail. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "model.h"
#include "model_sys.h"

/*
 * All of them count the call.  Of those that are due, what it fails with is
 * the one that was asked for first: the last of the list.
 */
int model__due(struct kernel *k, const char *call)
{
	struct failure **p = &k->failures, *f;
	int code = 0;

	while ((f = *p) != NULL) {
		bool counts = !f->call[0] || !strcmp(f->call, call);

		if (counts && f->left)
			f->left--;
		if (counts && !f->left)
			code = f->code;
		if (f->left || f->for_ever) {
			p = &f->next;
		} else {
			*p = f->next;
			free(f);
		}
	}
	return -code;
}

/* Those of @call; "" = all of them. */
static void take_back(struct kernel *k, const char *call)
{
	struct failure **p = &k->failures, *f;

	while ((f = *p) != NULL) {
		if (*call && strcmp(f->call, call) != 0) {
			p = &f->next;
		} else {
			*p = f->next;
			free(f);
		}
	}
}

void model__failures_free(struct kernel *k)
{
	take_back(k, "");
}

static int add(struct kernel *k, const char *call, uint64_t nth, int error,
	       bool for_ever, struct gmem_error *err)
{
	struct failure *f = calloc(1, sizeof(*f));

	if (!f)
		return gmem__fail_sys(err, GMEM_REASON_NO_MEMORY, 0, -ENOMEM, 0,
				      0, "no memory for the failure");
	memcpy(f->call, call, strlen(call));
	f->left = nth;
	f->code = error;
	f->for_ever = for_ever;
	f->next = k->failures;
	k->failures = f;
	return 0;
}

static int fail(struct gmem_vm *vm, const char *call, uint64_t nth, int error,
		bool for_ever, struct gmem_error *err)
{
	struct kernel *k;
	struct vm *v;
	int r = model__enter(vm, &k, &v, err);

	if (r < 0)
		return r;
	if (!call)
		call = "";
	if (strlen(call) >= sizeof(k->failures->call))
		r = gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, strlen(call),
			       sizeof(k->failures->call),
			       "no call has so long a name");
	else if (nth && (error <= 0 || error > 4095))
		r = gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, (uint64_t)error,
			       4095, "%d is not an errno", error);
	else if (nth)
		r = add(k, call, nth, error, for_ever, err);
	else
		take_back(k, call);
	model__unlock(k);
	return r;
}

int gmem_model_fail(struct gmem_vm *vm, const char *call, uint64_t nth,
		    int error, struct gmem_error *err)
{
	return fail(vm, call, nth, error, false, err);
}

int gmem_model_fail_from(struct gmem_vm *vm, const char *call, uint64_t nth,
			 int error, struct gmem_error *err)
{
	return fail(vm, call, nth, error, true, err);
}
