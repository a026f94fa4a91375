// SPDX-License-Identifier: MIT
/* What gmemctl says to programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gmem.h>

#include "report/error.h"
#include "report/json.h"
#include "report/output.h"
#include "report/words.h"

void json_done(int failed)
{
	if (!failed)
		return;
	(void)fputs("gmemctl: out of memory\n", stderr);
	exit(CTL_FAILED);
}

void *json_made(void *value)
{
	json_done(!value);
	return value;
}

#undef json_object_new_string
json_object *json_string(const char *text)
{
	size_t size = PLAIN_SIZE(strlen(text));
	char *safe = json_made(malloc(size));
	json_object *o =
		json_made(json_object_new_string(plain_text(text, safe, size)));

	free(safe);
	return o;
}
#define json_object_new_string(v) json_string(v)

void json_u64(json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

void json_boolean(json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

void json_text(json_object *to, const char *key, const char *text,
	       const char *why)
{
	if (text)
		json_object_object_add(to, key, json_object_new_string(text));
	else
		json_null(to, key, why);
}

json_object *json_names(uint32_t kind, uint64_t flags)
{
	json_object *list = json_object_new_array();
	const char *name;
	uint64_t flag;

	for (uint32_t i = 0; (name = gmem_name_at(kind, i, &flag)); i++)
		if (flags & flag)
			json_object_array_add(list,
					      json_object_new_string(name));
	return list;
}

void json_null(json_object *to, const char *key, const char *why)
{
	char reason[40];

	json_object_object_add(to, key, NULL);
	(void)snprintf(reason, sizeof(reason), "%s_reason", key);
	json_object_object_add(to, reason, json_object_new_string(why));
}

json_object *json_problem(const char *code, const char *reason,
			  const char *text, const char *remedy)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "code", json_object_new_string(code));
	json_object_object_add(o, "reason", json_object_new_string(reason));
	json_object_object_add(o, "message", json_object_new_string(text));
	json_object_object_add(o, "remedy", json_object_new_string(remedy));
	return o;
}

json_object *json_error(const struct gmem_error *err)
{
	json_object *o = json_problem(errno_name(-err->code),
				      gmem_reason_str(err->reason), err->msg,
				      error_remedy(err));

	json_boolean(o, "diagnosed", err->flags & GMEM_ERROR_DIAGNOSED);
	return o;
}
