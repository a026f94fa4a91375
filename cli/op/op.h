/* SPDX-License-Identifier: MIT */
/*
 * What a command does with its file and a line of a batch with one of its
 * files: the operation, its words and its JSON.
 */
#ifndef GMEMCTL_OP_OP_H
#define GMEMCTL_OP_OP_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

#include "target/policy.h"
#include "target/target.h"

struct ctl;
struct json_object;

/* An operation returns 0, unless it says more, or -errno with .err. */
struct work {
	const struct ctl *ctl;
	struct target target;
	const char *name;  /* begins each line of text; NULL: the only file */
	bool unchecked;	   /* past what limits memory, to allocate */
	bool own;	   /* gmemctl made the file: all of it is known */
	const char *done;  /* to memory: "populated"; NULL: it only shows */
	const int *cancel; /* NULL = it is not interrupted */
	struct json_object *json; /* what is shown; NULL: it is printed */
	struct gmem_error *err;
};

int op_stat(struct work *w);
/* How much is allocated, as stat shows it. */
int op_resident(struct work *w);
/* @policy without a mode: none. */
#define POPULATE_THREADS 256 /* the library takes no more */
int op_populate(struct work *w, uint32_t threads,
		const struct policy_args *policy);
int op_discard(struct work *w);
/*
 * Of @fd from *@from on, NULL: its position.  @all: to its end, which must fit.
 */
int op_load(struct work *w, int fd, const uint64_t *from, bool all);
/* Where memory is stored to; .path NULL: the standard output, .fd. */
struct output {
	const char *path;
	int fd;
	bool created, used; /* the file was; something was written to it */
};
/* Return: 0, or -errno; errno tells nothing else. */
int output_open(struct output *o, const char *path);
/* Removes a file that was made for nothing. */
int output_close(struct output *o);
/*
 * To *@at on, NULL: the beginning, and nothing behind it is left.  @o NULL: it
 * is only checked.
 */
int op_store(struct work *w, struct output *o, const uint64_t *at);
/* @state of all of it, NULL if not known; @nodes: also where it lies. */
int op_map(struct work *w, const char *state, bool nodes, uint32_t width);
int op_policy_get(struct work *w);
int op_policy_set(struct work *w, const struct policy_args *policy,
		  uint64_t flags);
/* Against the file's own if @policy has no mode.  Return: enum gmem_support. */
/* *@placed: enum gmem_placed. */
int op_policy_verify(struct work *w, const struct policy_args *policy,
		     uint32_t *placed);

/* work.c, for the operations and those who start them */
void put_name(const struct work *w);
/*
 * Ends an operation that changes memory, which returned @r: shows how far it
 * came, in JSON also where it failed.  Return: 0, or @r if that is -errno.
 */
int work_end(struct work *w, int r);
/* The members "done", "resident" and "lower_bound". */
void work_json(const struct work *w, struct json_object *to);
/* The member "limits_unchecked": the GMEM_ROOM_* of @limits. */
void limits_json(const struct work *w, uint64_t limits);
/* Whether what failed did a part before, and that part in words. */
bool work_part(const struct work *w);
#define WORK_TEXT 400
const char *work_text(const struct work *w, char buf[WORK_TEXT]);

#endif
