// SPDX-License-Identifier: MIT
/*
 * Where a kernel is known not to do what the cases say.  A line here makes
 * the case's failure there the documented behaviour, and its success an
 * error: the line would be out of date.
 */
#include <string.h>

#include "case.h"

#define BODY                                                       \
	"the model's file is a memfd: system calls on it that do " \
	"not go through struct gmem_sys meet that (gmem_model(7))"

#define NO_CODE                                                             \
	"a guest hangs in KVM_RUN when it runs code on a page that it has " \
	"read or written before (seen in 6.18 and 6.19, not in 7.3)"

static const struct {
	const char *name, *where, *why;
} differences[] = {
	{ "no_write", "model", BODY },
	{ "no_copying", "model", BODY },
	{ "no_attributes", "model", BODY },
	{ "no_sync", "model", BODY },
	{ "no_block_count", "model", BODY },
	{ "link_text", "model", BODY },
	{ "no_second_open", "model", BODY },
	{ "no_seals", "model", BODY },
	{ "no_readahead", "model", BODY },
	{ "no_xattrs", "model", BODY },
	{ "no_exec_later", "model", BODY },
	{ "no_msync", "model", BODY },
	{ "file_size_limit_ignored", "model", BODY },
	{ "no_readahead", "kernel 6.12",
	  "accepted without effect on the anonymous inodes of then" },
	{ "code_from_the_file", "kernel 6.18", NO_CODE },
	{ "code_from_the_file", "kernel 6.19", NO_CODE },
	{ NULL, NULL, NULL },
};

const char *conform_difference(const struct conform *c, const char *name)
{
	if ((c->have & NEED_IN_PLACE) && !strcmp(name, "from_userspace_addr"))
		return "with conversion in place every slot of a guest_memfd "
		       "faults from the file";
	for (size_t i = 0; differences[i].name; i++)
		if (!strcmp(differences[i].name, name) &&
		    !strncmp(differences[i].where, c->where,
			     strlen(differences[i].where)))
			return differences[i].why;
	return NULL;
}
