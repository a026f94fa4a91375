/* SPDX-License-Identifier: MIT */
/* The checks of the doctor, and what they find. */
#ifndef GMEMCTL_DOCTOR_H
#define GMEMCTL_DOCTOR_H

#include <stdbool.h>

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
	const char *remedy;  /* for all but VERDICT_OK */
	char buf[PRIV_TEXT]; /* where .remedy was put together */
};

/* A VM of a type that is not the default. */
struct other {
	struct gmem_vm *vm; /* NULL: see .err, or it was not tried */
	struct gmem_error err;
	bool private; /* it has private memory */
};

/* More than the numbers of the VM types there are. */
#define TYPES 16

/* What the checks look at. */
struct patient {
	const struct ctl *ctl;
	struct gmem_vm *vm; /* NULL: see .err */
	struct gmem_error err;
	struct other others[TYPES]; /* by GMEM_VM_* */
};

struct check {
	const char *name;
	void (*run)(const struct patient *p, struct finding *f);
};

extern const struct check checks[]; /* .name NULL ends it */

/* checks.c: what all checks use */
extern const char no_vm[], device_first[], see_probe[];
__attribute__((format(printf, 4, 5))) void say(struct finding *f,
					       enum verdict v,
					       const char *remedy,
					       const char *fmt, ...);
/* The first line of a file; false if it cannot be read. */
bool read_line(const char *path, char *buf, int size);
/* The line of @path that starts with @key; what follows in @buf. */
bool read_key(const char *path, const char *key, char *buf, int size);
/* A GMEM_YES, GMEM_NO or GMEM_UNKNOWN of the default type. */
int support_of(const struct patient *p, uint32_t number,
	       struct gmem_feature_info *info);

/* rights.c */
bool has_proc(void);
void check_rights(const struct patient *p, struct finding *f);
void check_copies(const struct patient *p, struct finding *f);
void check_seccomp(const struct patient *p, struct finding *f);

/* types.c */
unsigned long version_of(const char *release); /* 6018 of "6.18.1" */
void check_confidential(const struct patient *p, struct finding *f);
void check_sw_protected(const struct patient *p, struct finding *f);
void check_sev(const struct patient *p, struct finding *f);
void check_sev_es(const struct patient *p, struct finding *f);
void check_snp(const struct patient *p, struct finding *f);
void check_tdx(const struct patient *p, struct finding *f);

#endif
