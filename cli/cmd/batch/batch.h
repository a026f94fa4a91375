/* SPDX-License-Identifier: MIT */
/*
 * The batch: lines become fields (line.c), fields a struct op (verbs.c has the
 * commands, parse.c their words), which is then done (call.c, region.c,
 * replace.c, work.c), in a dry run on a model (dry.c); objects.c keeps the
 * names and slots.
 */
#ifndef GMEMCTL_BATCH_H
#define GMEMCTL_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gmem_region.h>

#include "cmd/batch/line.h"
#include "op/op.h"
#include "report/json.h"
#include "report/words.h"
#include "table/command.h"

/* What one read shows at most: a typo's limit. */
#define BATCH_READ (1ULL << 20)
/* What a line can ask of a slot. */
#define BATCH_SLOT_FLAGS                                      \
	(GMEM_SLOT_FD | GMEM_SLOT_HVA | GMEM_SLOT_DIRTY_LOG | \
	 GMEM_SLOT_READONLY | GMEM_SLOT_ALIAS | GMEM_SLOT_LEAVE_SHARED)
/* The word nodes behind map. */
#define BATCH_MAP_NODES 1

/* A named guest_memfd, or region. */
struct object {
	char name[NAME_MAX_LEN + 1];
	bool is_region;
	uint64_t size;
	struct gmem *g; /* the region's, too; NULL: missing, in a dry run */
	struct gmem_region *region; /* NULL: a file, or missing */
	struct bound *slots, **end; /* in the order in which they were made */
};

/* A slot that was bound or noted. */
struct bound {
	struct bound *next, **link; /* of its object */
	struct object *object;	    /* NULL: a note without a file */
	uint32_t slot;
	bool noted;
	uint64_t gpa, offset, len;
	const char *mode; /* its name; NULL: noted */
};

/* Slots by others. */
struct replacement {
	struct gmem_slot from[BATCH_FIELDS], to[BATCH_FIELDS];
	struct object *of[BATCH_FIELDS]; /* the file of each of .to */
	uint32_t n_from, n_to;
};

/* One line, understood. */
struct op {
	const struct verb *verb;
	char name[NAME_MAX_LEN + 1]; /* of the object, or "" */
	struct object *object;
	struct gmem *made;	    /* by create, or the file of ... */
	struct gmem_region *region; /* ... what region made */
	uint32_t kind;		    /* of it */
	struct gmem_region_range ranges[BATCH_FIELDS];
	uint32_t n_ranges;
	uint64_t attributes; /* which they get */
	uint32_t slot;
	uint64_t gpa, offset, len, size, hugetlb, addr;
	uint64_t flags;
	const char *mode; /* of a bind, its name */
	uint32_t threads;
	struct policy_args policy;
	struct replacement replace;
	const char *path;      /* of an input or output */
	const void *data;      /* .len bytes */
	const char *unchecked; /* in a dry run; NULL = nothing */
};

struct batch {
	struct ctl *ctl;
	const char *file;
	unsigned long line;
	bool dry;	       /* .vm is a model's, and nothing is shown */
	struct gmem_vm *vm;    /* on which lines are carried out */
	void *objects, *slots; /* struct object by name, struct bound by slot */
	json_object *result;   /* of this line; NULL: it is printed */
	struct gmem_error err; /* why a call failed */
};

/* An argument that has its place in the line. */
enum param {
	PARAM_END,
	PARAM_OPTIONAL, /* those behind may be left out, all of them */
	PARAM_NEW_NAME, /* of an object that is made */
	PARAM_OBJECT,	/* the name of one there is; the range is all of it */
	PARAM_REGION,	/* the same, of a region */
	PARAM_SLOT,
	PARAM_GPA,
	PARAM_SIZE, /* of the object */
	PARAM_OFFSET,
	PARAM_LEN,
	PARAM_READ_LEN, /* of what is shown */
	PARAM_DATA,	/* that is written */
	PARAM_INPUT,	/* the name of a file that is read */
	PARAM_OUTPUT,	/* or written */
	PARAMS
};

struct batch_word {
	const char *word; /* "shared", or "hugetlb=" with a value */
	uint64_t flags;
};

struct verb {
	struct cmd_word word;
	enum param takes[8]; /* PARAM_END ends it */
	uint32_t names; /* of flags that are words behind them: GMEM_NAME_* */
	uint64_t flags; /* which of those */
	const struct batch_word *words; /* more such words; NULL = none */
	/* In place of all these: @n words behind it; as batch_parse(). */
	int (*parse)(const struct batch *b, const struct field *f, int n,
		     struct op *op, char *problem);
	int (*call)(struct batch *b, struct op *op);
	const char *done; /* to memory, in the past: "loaded"; NULL = nothing */
	const char *unchecked; /* what a dry run leaves out; NULL = nothing */
	/* After it, keeps names and slots true; NULL = no change; -ENOMEM. */
	int (*commit)(struct batch *b, const struct op *op);
};

/* verbs.c: the @index-th command of the language; NULL past the last. */
const struct cmd_word *batch_word(size_t index);
const struct verb *find_verb(const char *name);

/* parse.c: 0, or -1 with what is wrong in @problem */
#define BATCH_PROBLEM 256
#define BATCH_NO_REGION "'%s' is no region: make one with region"
int batch_parse(const struct batch *b, const struct field *fields, int n,
		struct op *op, char problem[BATCH_PROBLEM]);
/* Says what is wrong.  Return: -1. */
__attribute__((format(printf, 2, 3))) int batch_bad(char problem[BATCH_PROBLEM],
						    const char *fmt, ...);
int batch_too_few(const struct op *op, char problem[BATCH_PROBLEM]);

/* objects.c */
struct object *find_object(const struct batch *b, const char *name);
struct bound *find_slot(const struct batch *b, uint32_t slot);
int keep_object(struct batch *b, const struct op *op);
int drop_object(struct batch *b, const struct op *op);
int keep_slot(struct batch *b, const struct op *op);
int drop_slot(struct batch *b, const struct op *op);
void free_objects(struct batch *b);
json_object *slot_json(uint32_t slot, uint64_t gpa, uint64_t offset,
		       uint64_t len, const char *mode);

/* replace.c, as parse.c, call.c, dry.c and objects.c */
int parse_replace(const struct batch *b, const struct field *f, int n,
		  struct op *op, char problem[BATCH_PROBLEM]);
int call_replace(struct batch *b, struct op *op);
bool replace_without(const struct batch *b, const struct op *op);
int keep_replaced(struct batch *b, const struct op *op);

/* region.c, as parse.c and call.c */
int parse_convert(const struct batch *b, const struct field *f, int n,
		  struct op *op, char problem[BATCH_PROBLEM]);
int call_region(struct batch *b, struct op *op);
int call_convert(struct batch *b, struct op *op);
int call_reclaim(struct batch *b, struct op *op);
int call_reset(struct batch *b, struct op *op);
/*
 * Where the range of the region is, if that is memory beside its file, else
 * *@out is NULL.  All of it has to be shared.
 */
int region_memory(struct batch *b, const struct op *op, void **out);
/* What is more to say of a region than of its file, and of a range of it. */
int region_stat(struct batch *b, const struct op *op);
int region_resident(struct batch *b, const struct op *op);

/* dry.c: makes a model stand in for this machine's kernel. */
void dry_begin(struct ctl *ctl);
/*
 * Prints a line that would be carried out, with what was not
 * checked of it.
 */
void dry_tell(char *line, size_t len, const char *unchecked);
/*
 * After a call to make a file that failed: whether it was for lack of what only
 * the model takes.  The file is then missing, with .unchecked saying why.
 */
bool dry_short_of(const struct gmem_error *err, struct op *op);
/* Adds to the message of a refusal where the limit is the model's alone. */
void dry_explain(struct gmem_error *err);
/* Whether the line is about such a file, and cannot be checked either. */
bool dry_without(const struct batch *b, struct op *op);

/* call.c: 0, or -errno with b->err */
int call_create(struct batch *b, struct op *op);
int call_bind(struct batch *b, struct op *op);
int call_unbind(struct batch *b, struct op *op);
int call_note(struct batch *b, struct op *op);
int call_forget(struct batch *b, struct op *op);
int call_private(struct batch *b, struct op *op);
int call_shared(struct batch *b, struct op *op);
int call_attributes(struct batch *b, struct op *op);
int call_read(struct batch *b, struct op *op);
int call_write(struct batch *b, struct op *op);
int call_close(struct batch *b, struct op *op);

/* work.c: the same */
/* The work of a line on a range; what it shows in JSON has the range. */
struct work work_of(struct batch *b, const struct op *op);
int call_populate(struct batch *b, struct op *op);
int call_discard(struct batch *b, struct op *op);
int call_resident(struct batch *b, struct op *op);
int call_map(struct batch *b, struct op *op);
int call_load(struct batch *b, struct op *op);
int call_store(struct batch *b, struct op *op);
int call_policy(struct batch *b, struct op *op);
int call_placement(struct batch *b, struct op *op);
int call_stat(struct batch *b, struct op *op);

#endif
