// SPDX-License-Identifier: MIT
/* The numbers for words: the way back from name.c. */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "name.h"

/* Says which names there are, unless they are too many for a message. */
static int unknown(uint32_t kind, const char *name, struct gmem_error *err)
{
	const char *one;
	char list[160] = "";
	size_t n = 0;

	for (uint32_t i = 0; kind != GMEM_NAME_ERRNO &&
			     (one = gmem_name_at(kind, i, NULL)) != NULL;
	     i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
				      i ? ", " : ": ", one);
	return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, kind, 0,
			  "\"%.32s\" is not the name of %s%s", name,
			  gmem__name_kind(kind), list);
}

static int no_kind(uint32_t kind, struct gmem_error *err)
{
	uint32_t kinds = 0;

	while (gmem__name_kind(kinds))
		kinds++;
	return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, kind, kinds,
			  "%u is no kind of name", kind);
}

int gmem_value(uint32_t kind, const char *name, uint64_t *value,
	       struct gmem_error *err)
{
	const char *one;
	uint64_t v;
	int r = gmem__begin(err);

	if (r < 0)
		return r;
	if (!name || !value)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "%s is NULL", name ? "value" : "name");
	if (!gmem__name_kind(kind))
		return no_kind(kind, err);
	for (uint32_t i = 0; (one = gmem_name_at(kind, i, &v)) != NULL; i++) {
		if (!strcmp(one, name)) {
			*value = v;
			return 0;
		}
	}
	return unknown(kind, name, err);
}
