/* SPDX-License-Identifier: MIT */
/* One question: the call with its arguments, and what the library said. */
#ifndef GMEM_CLI_CMD_WHY_WHY_H
#define GMEM_CLI_CMD_WHY_WHY_H

#include <stdint.h>

#include <gmem.h>

#include "table/command.h"
#include "table/option.h"

/* The options of all three calls. */
struct why_args {
	const char *vm_type;
	uint64_t create_flags;
	struct opt_size hugetlb;
	struct opt_size size;
	struct opt_list with;
	struct opt_size offset, len;
	struct opt_size gpa;
	struct opt_u32 slot, address_space;
	uint64_t bind_flags;
	const char *to;
};

struct why {
	struct ctl *ctl;
	struct why_args *args;
	struct gmem_vm *vm;
	struct gmem *file;
	const char *step; /* what .err is about: "create", "with" ... */
	struct gmem_error err;
	const char *mode;      /* of a bind that would be accepted ... */
	struct gmem_slot slot; /* ... and the slot as it would be */
};

/* ask.c: these make the call with its flag CHECK_ONLY. */
void why_check_create(struct why *w);
void why_check_bind(struct why *w);
void why_check_attributes(struct why *w);
/* Makes what @check needs, asks it, and answers; the exit status. */
int why_ask(struct why *w, void (*check)(struct why *));

/* answer.c: prints it; the exit status. */
int why_answer(const struct why *w);

#endif
