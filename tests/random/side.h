/* SPDX-License-Identifier: MIT */
/*
 * Sequences of calls, made from bytes, on one kernel: the model's or the
 * real one.  The same bytes make the same calls as long as both kernels
 * answer alike, which is what is being tested.
 */
#ifndef GMEM_TESTS_SIDE_H
#define GMEM_TESTS_SIDE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <gmem_model.h>

#include "macros.h"
#include "sys.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define OP_BYTES 10
#define FILES 6
#define MAPS 6
#define LIB_FILES 3
#define LIB_MAPS 4
#define PAGES 16    /* of the usual file */
#define LIB_SLOT 16 /* the library's begin here; raw_slots has others */

#define RAW_SLOTS 6
#define LOW_SLOTS 4    /* of them, those that every VM has */
#define AFTER_X86 4    /* the first that x86-64 has not and arm64 has */
#define SECOND_SPACE 5 /* in an address space that not all VMs have */
extern const uint32_t raw_slots[RAW_SLOTS];

/* No x86 machine has more, nor any VM without two-dimensional paging. */
#define GPA_BITS 52

#define MOVE_ALL 4U /* MPOL_MF_MOVE_ALL of mbind(2) */

#define SKIPPED INT64_MIN /* there was nothing to call it on */

struct op {
	uint8_t kind;
	uint8_t a[OP_BYTES];
};

struct result {
	int64_t ret;
	uint64_t x[4];
};

struct side_map {
	unsigned char *addr;
	uint64_t len;
	uint64_t number; /* no other one that begins there has it */
};

/*
 * Calls that are left out: the model cannot do them, or the machine would
 * hang.
 */
struct limits {
	uint64_t walk;	       /* attributes of more bytes at once; 0 = none */
	unsigned int gpa_bits; /* guest addresses are below 2^these */
	bool offset_overflow;  /* of bindings */
	bool slots;	       /* how many a VM has */
	bool spaces;	       /* how many address spaces */
	bool residency;	       /* without cachestat(2) */
	bool move_all;	       /* MOVE_ALL needs a right, not in the model */
	bool spread;	       /* the node of an interleaved page */
};

struct side {
	const struct gmem_sys *sys;
	void *priv;
	uint64_t page;
	struct gmem_vm *lib_vm;
	int device, vm, other_vm; /* .vm is the library's too */
	uint64_t flags;		  /* the create flags that .vm knows */
	uint32_t encoding;	  /* of huge pages; 0: no calls with them */
	uint64_t huge[2];	  /* free in the pools after side_open() */
	struct limits limits;
	bool spread;	  /* pages may lie anywhere from now on */
	int files[FILES]; /* -1: none */
	struct side_map maps[MAPS];
	uint64_t mapped;	       /* the last .number */
	uint64_t behind[2][RAW_SLOTS]; /* raw_slots' of .vm, .other_vm */
	struct gmem *lib_files[LIB_FILES];
	struct {
		struct gmem *g;
		unsigned char *addr;
		uint64_t len;
	} lib_maps[LIB_MAPS];
};

struct op_type {
	const char *name;
	unsigned int weight;
	void (*run)(struct side *s, const uint8_t *a, struct result *r);
};

extern const struct op_type raw_ops[], lib_ops[], huge_ops[];
unsigned int op_count(void);
const struct op_type *op_type(unsigned int kind);
unsigned int op_find(const char *name);
/* The kind that the random number stands for, by weight. */
unsigned int op_kind(uint64_t random);

/*
 * @profile NULL: the real kernel, of which @o->vm alone counts.  Pools are
 * looked at, and huge pages asked for, where @o->vm names an encoding, which
 * only a model may.  0 or -errno
 */
int side_open(struct side *s, const char *profile,
	      const struct gmem_model_opts *o, const char **why);
void side_run(struct side *s, const struct op *op, struct result *r);
/* A hash of all of the state that can be seen without changing it. */
uint64_t side_digest(struct side *s);
/* The same with contents, which allocates. */
uint64_t side_contents(struct side *s);
/* Resets it as after side_open(); false if it has to be opened again. */
bool side_reset(struct side *s);
/* Whether the pools of huge pages are as after side_open(). */
bool side_has_all_back(struct side *s);
void side_close(struct side *s);

/*
 * For the operations: values and handles by byte.  Lengths are small, or larger
 * than any slot, file or mapping.
 */
uint64_t pick_len(const struct side *s, uint8_t b);
uint64_t pick_offset(const struct side *s, uint8_t b);
uint64_t pick_gpa(const struct side *s, uint8_t b);
uint64_t pick_flags(const struct side *s, uint8_t b);
int pick_fd(const struct side *s, uint8_t b);
struct side_map *pick_map(struct side *s, uint8_t b);
/* What a touch of @at gives: a byte, or 256 + si_code. */
int side_touch(volatile unsigned char *at, int store);
uint64_t side_hash(uint64_t h, uint64_t v);
/* huge.c: how many pages are free in the pools; and all that they tell. */
void side_pools(struct side *s, uint64_t free[2]);
uint64_t side_digest_pools(struct side *s);
/* After a policy of @mode for @nodes was set. */
void side_policy(struct side *s, int mode, unsigned long nodes);

#endif
