/* SPDX-License-Identifier: MIT */
/* A range of a file as marks for people, or as runs for programs. */
#ifndef GMEMCTL_OP_PICTURE_H
#define GMEMCTL_OP_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem_region.h>

/* Of a row. */
#define PICTURE_WIDTH_MIN 21
#define PICTURE_WIDTH_MAX 4096

struct json_object;
struct residency;

struct picture {
	struct gmem *g;
	struct gmem_region *dual; /* it has a shared side, too; NULL: none */
	uint64_t offset, len;
	bool recorded;	   /* what is private and what shared is known ... */
	const char *state; /* ... or the same in all of it; NULL: not known */
	bool nodes;	   /* also show where it lies */
	uint32_t width;	   /* columns; 0: those of the terminal */
};

/* All: 0, or -errno in @err. */
int picture_print(const struct picture *p, struct gmem_error *err);
/* Adds an object for each run to @list. */
int picture_runs(const struct picture *p, struct json_object *list,
		 struct gmem_error *err);
/* Of the range from its beginning on; *@run: up to where it goes. */
int picture_state(const struct picture *p, uint64_t offset, uint64_t len,
		  const char **state, uint64_t *run, struct gmem_error *err);
/* What the range has in the file, and on the other side of .dual. */
int picture_sides(const struct picture *p, uint64_t offset, uint64_t len,
		  struct residency *file, struct residency *other,
		  struct gmem_error *err);

#endif
