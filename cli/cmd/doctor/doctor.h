/* SPDX-License-Identifier: MIT */
/* The checks of the doctor, and what they find. */
#ifndef GMEMCTL_DOCTOR_H
#define GMEMCTL_DOCTOR_H

#include <gmem.h>

#include "target/priv.h"

enum verdict {
	VERDICT_OK,
	VERDICT_WARN,
	VERDICT_FAIL
};

struct finding {
	enum verdict verdict;
	char text[320];
	const char *remedy;	 /* for all but VERDICT_OK */
	char buf[2 * PRIV_TEXT]; /* where .remedy was put together */
};

/* What the checks look at. */
struct patient {
	const struct ctl *ctl;
	struct gmem_vm *vm; /* NULL: see .err */
	struct gmem_error err;
};

struct check {
	const char *name;
	void (*run)(const struct patient *p, struct finding *f);
};

extern const struct check checks[]; /* .name NULL ends it */

#endif
