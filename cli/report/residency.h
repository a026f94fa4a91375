/* SPDX-License-Identifier: MIT */
/* How much of a range is allocated, and how well that is known. */
#ifndef GMEMCTL_REPORT_RESIDENCY_H
#define GMEMCTL_REPORT_RESIDENCY_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem_region.h>

struct json_object;

struct residency {
	uint64_t bytes;
	bool least;    /* there may be more than .bytes */
	char why[256]; /* nothing tells, and .bytes is 0; "": it is known */
};

/*
 * Of @g, or of both sides of its @region, unless that is NULL.  That nothing
 * tells is an answer, too.  Return: 0, or -errno in @err, which may be NULL.
 */
int residency(struct gmem *g, struct gmem_region *region, uint64_t offset,
	      uint64_t len, struct residency *out, struct gmem_error *err);
/* The members "resident" and "lower_bound". */
void residency_json(struct json_object *to, const struct residency *r);
/* "64K", "64K or more" or "not known: WHY" */
#define RESIDENCY_TEXT 280
const char *residency_text(const struct residency *r, char buf[RESIDENCY_TEXT]);

#endif
