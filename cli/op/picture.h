/* SPDX-License-Identifier: MIT */
/* A range of a file as marks for people, or as runs for programs. */
#ifndef GMEMCTL_OP_PICTURE_H
#define GMEMCTL_OP_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

struct json_object;

struct picture {
	struct gmem *g;
	uint64_t offset, len;
	bool recorded;	   /* what is private and what shared is known ... */
	const char *state; /* ... or the same in all of it; NULL: not known */
	bool least;	   /* what seems a hole may be allocated */
	bool nodes;	   /* also show where it lies */
	uint32_t width;	   /* columns; 0: those of the terminal */
};

/* Both: 0, or -errno in @err. */
int picture_print(const struct picture *p, struct gmem_error *err);
/* Adds an object for each run to @list. */
int picture_runs(const struct picture *p, struct json_object *list,
		 struct gmem_error *err);

#endif
