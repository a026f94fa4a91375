/* SPDX-License-Identifier: MIT */
/*
 * json-c, of which the makers of values give NULL without memory, so that
 * fields would be missing or a check of its own abort.  Here the program ends
 * instead: no answer is better than a wrong one.
 */
#ifndef GMEMCTL_REPORT_JSON_H
#define GMEMCTL_REPORT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <json.h>

struct gmem_error;

/* End the program with a message for NULL, or for what is not 0. */
void *json_made(void *value);
void json_done(int failed);

/* Of plain_text(): no byte of it can break JSON, UTF-8 or a terminal. */
json_object *json_string(const char *text);

#define json_object_new_object() json_made(json_object_new_object())
#define json_object_new_array() json_made(json_object_new_array())
#define json_object_new_boolean(v) json_made(json_object_new_boolean(v))
#define json_object_new_int(v) json_made(json_object_new_int(v))
#define json_object_new_uint64(v) json_made(json_object_new_uint64(v))
#define json_object_new_string(v) json_string(v)
#define json_object_object_add(to, key, v) \
	json_done(json_object_object_add(to, key, v))
#define json_object_array_add(to, v) json_done(json_object_array_add(to, v))

void json_u64(json_object *to, const char *key, uint64_t value);
void json_boolean(json_object *to, const char *key, bool value);
/* Adds text, or null and "KEY_reason" with @why. */
void json_text(json_object *to, const char *key, const char *text,
	       const char *why);
/* The names of those of @flags that have one: a GMEM_NAME_*. */
json_object *json_names(uint32_t kind, uint64_t flags);
/* Adds null and "KEY_reason". */
void json_null(json_object *to, const char *key, const char *why);

/* The "error" member: of gmemctl's own rules, or what the library said. */
json_object *json_problem(const char *code, const char *reason,
			  const char *text, const char *remedy);
json_object *json_error(const struct gmem_error *err);

/* The nodes that have any of @bytes, of which there are NODES. */
json_object *nodes_json(const uint64_t *bytes);

#endif
