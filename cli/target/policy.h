/* SPDX-License-Identifier: MIT */
/* NUMA policies in words. */
#ifndef GMEMCTL_TARGET_POLICY_H
#define GMEMCTL_TARGET_POLICY_H

#include <stdint.h>

#include <gmem.h>

#include "report/words.h"

struct bitmask;
struct ctl;

/* A policy in words, and what it becomes. */
struct policy_args {
	const char *mode, *nodes; /* NULL = not given */
	uint64_t flags;		  /* GMEM_MPOL_F_* */
};

/*
 * *@mask holds the nodes until policy_free().  Fills @err on failure.
 * Return: 0 or -errno.
 */
int policy_make(const struct ctl *ctl, const struct policy_args *a,
		struct gmem_mempolicy *out, struct bitmask **mask,
		struct gmem_error *err);
void policy_free(struct bitmask *mask);
/* What is wrong with the words, for a usage error; NULL if nothing. */
const char *policy_problem(const struct policy_args *a);
/* "bind"; "unknown" for a mode that this version does not know. */
const char *policy_name(uint32_t mode);
/* The file's own policy; the nodes as in "0,2-3", "" for none. */
int policy_get(struct gmem *g, uint64_t offset, struct gmem_mempolicy *out,
	       char nodes[NODES_TEXT], struct gmem_error *err);

#endif
