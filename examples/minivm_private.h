/* SPDX-License-Identifier: MIT */
/* minivm --private: what its two files share. */
#ifndef MINIVM_PRIVATE_H
#define MINIVM_PRIVATE_H

#include <stdbool.h>

#include <gmem_region.h>

#include "minivm.h"

#define PAGE UINT64_C(4096) /* only x86-64 has such VMs */
#define OPENED 5	    /* the page of RAM that the guest shares late */
#define CLOSED 6	    /* the one that it makes private late */

/* A part of the guest's memory, and what was last asked for each page. */
struct part {
	const char *name;
	struct gmem_region *region;
	struct gmem *file;
	unsigned char *shared; /* its shared pages; NULL: in the file */
	uint64_t size;
	bool asked[RAM_SIZE / PAGE]; /* true: shared */
};

struct private_machine {
	struct machine m;
	const char *model; /* its profile; NULL: KVM */
	struct part ram, rom, plugged;
};

/* minivm_private.c: each returns 0, or -1 on failure. */
int private_make(struct private_machine *p, struct part *part, const char *name,
		 uint64_t size, uint32_t slot, uint64_t gpa);
int private_ask(struct part *part, uint64_t page, uint64_t n, bool shared);
int private_check(struct private_machine *p, const char *step);
/* Notes that the pages of a guest's line are shared, but for its result. */
void private_line_asked(struct part *part, uint64_t offset);
/* Runs the guest at @base; what it stores is then known to itself alone. */
int private_run_line(struct private_machine *p, struct part *part,
		     uint64_t offset, uint64_t base, const char *line);

/* minivm_private_migrate.c */
int private_migrate(struct private_machine *p);
int private_receive(struct private_machine *p);

#endif
