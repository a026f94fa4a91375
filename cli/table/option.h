/* SPDX-License-Identifier: MIT */
/*
 * A row in a table of options, and the values that options set.  Parsing,
 * help, completion and `gmemctl commands` only read such tables.
 */
#ifndef GMEMCTL_TABLE_OPTION_H
#define GMEMCTL_TABLE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {
	OPT_BOOL,  /* bool: true when given */
	OPT_BITS,  /* uint64_t: .bits are added */
	OPT_SIZE,  /* struct opt_size */
	OPT_U32,   /* struct opt_u32 */
	OPT_TEXT,  /* const char *: of .names or .values if there are any */
	OPT_LIST,  /* struct opt_list: may be given many times */
	OPT_MODEL, /* struct model */
	OPT_HELP,
	OPT_VERSION,
};

struct opt_size {
	uint64_t value;
	bool given;
};

struct opt_u32 {
	uint32_t value;
	bool given;
};

#define OPT_LIST_MAX 64
struct opt_list {
	const char *value[OPT_LIST_MAX];
	size_t n;
};

struct opt {
	const char *name; /* without the dashes */
	const char *arg;  /* "SIZE"; NULL = takes none */
	enum opt_kind kind;
	size_t at; /* offset of the value in the command's struct */
	const char *help;
	uint64_t bits;		   /* OPT_BITS */
	const char *const *values; /* what OPT_TEXT may be; NULL ends it */
	const char *without;	   /* its value where none follows with '=' */
	uint32_t min, max;	   /* of OPT_U32; .max 0: none */
	unsigned int need;	   /* common option: CMD_* that must take it */
	char letter;		   /* short name, or '\0' */
	bool required;		   /* the command is refused without it */
	uint8_t names; /* what OPT_TEXT may be besides: a GMEM_NAME_* */
};

#endif
