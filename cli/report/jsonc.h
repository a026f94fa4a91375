/* SPDX-License-Identifier: MIT */
/*
 * json-c, of which the makers of values give NULL without memory, so that
 * fields would be missing or a check of its own abort.  Here the program ends
 * instead: no answer is better than a wrong one.
 */
#ifndef GMEMCTL_JSONC_H
#define GMEMCTL_JSONC_H

#include <json.h>

/* output.c: end the program with a message for NULL, or for what is not 0. */
void *json_made(const void *value);
void json_done(int failed);

#define json_object_new_object() json_made(json_object_new_object())
#define json_object_new_array() json_made(json_object_new_array())
#define json_object_new_boolean(v) json_made(json_object_new_boolean(v))
#define json_object_new_int(v) json_made(json_object_new_int(v))
#define json_object_new_uint64(v) json_made(json_object_new_uint64(v))
#define json_object_new_string(v) json_made(json_object_new_string(v))
#define json_object_new_string_len(v, len) \
	json_made(json_object_new_string_len(v, len))
#define json_object_object_add(to, key, v) \
	json_done(json_object_object_add(to, key, v))
#define json_object_array_add(to, v) json_done(json_object_array_add(to, v))

#endif
