/* SPDX-License-Identifier: MIT */
/*
 * Words to values.  Pure code: a string in, a value out, nothing printed.
 * Each parser takes the whole string or nothing and returns NULL, or what is
 * wrong with the string in words that fit behind it; *out is then untouched.
 */
#ifndef GMEMCTL_REPORT_WORDS_H
#define GMEMCTL_REPORT_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Bytes: decimal with K k M m .. E e, Ki.. or KiB.., or hexadecimal. */
const char *parse_size(const char *s, uint64_t *out);

/* A number without a unit, decimal or hexadecimal. */
const char *parse_u32(const char *s, uint32_t *out);

/* What the word "shared" stands for where a file is made. */
#define FILE_SHARED (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

/* "SLOT:GPA:OFFSET:LEN" */
struct slot_spec {
	uint32_t slot;
	uint64_t gpa;
	uint64_t offset;
	uint64_t len;
};
const char *parse_slot_spec(const char *s, struct slot_spec *out);

/* The name of an object: a letter, then letters, digits, '_' and '-'. */
#define NAME_MAX_LEN 32
const char *parse_name(const char *s);

/* "0a1bff", as many bytes as @out, which may be @s itself, then holds. */
const char *parse_hex(const char *s, unsigned char *out, size_t *len);

/* A set of NUMA nodes as in numa(3), "0,2-3", "all", "!0", "+0-1": its form. */
const char *parse_nodes(const char *s);
/* More nodes than a kernel has. */
#define NODES 1024
/* "0:2M 1:4K": the nodes that have any of @bytes. */
#define NODES_TEXT 512
const char *nodes_text(const uint64_t bytes[NODES], char buf[NODES_TEXT]);

/*
 * Which word was meant by @word, of @len characters, that is none: each of
 * them is tried, and the nearest stays, if it is near.
 */
struct guess {
	const char *word;
	size_t len;
	const char *best; /* NULL: none yet */
	size_t distance;
};
void guess_try(struct guess *g, const char *candidate);
#define GUESS_TEXT 64
/* "; did you mean probe?", or "" */
const char *guess_text(const struct guess *g, char buf[GUESS_TEXT]);

/*
 * What others named, in printable ASCII: the rest, and \, as \n, \xNN.
 * Cut where @buf ends.
 */
const char *safe_text(const char *s, char *buf, size_t size);

/*
 * The same for a sentence with such names in it, of which every string that
 * gmemctl prints is one: \ stays, so that what is safe does not change.
 */
#define PLAIN_SIZE(n) (4 * (n) + 1) /* of @buf for n bytes */
const char *plain_text(const char *s, char *buf, size_t size);

/*
 * The shortest form of @bytes that parse_size() reads back as @bytes: "2M",
 * "4097".
 */
#define SIZE_TEXT 24
const char *size_text(uint64_t bytes, char buf[SIZE_TEXT]);

#endif
