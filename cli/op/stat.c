// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "op/op.h"
#include "report/error.h"
#include "report/json.h"
#include "report/words.h"

static void stat_json(json_object *o, const struct target *t,
		      const struct stat *st, const struct gmem_residency *in)
{
	bool mappable = gmem_flags(t->g) & GMEM_CREATE_MMAP;

	json_u64(o, "inode", st->st_ino);
	json_u64(o, "size", gmem_size(t->g));
	json_u64(o, "page_size", gmem_page_size(t->g));
	json_boolean(o, "mappable", mappable);
	if (mappable)
		json_null(o, "shared", "a descriptor does not tell");
	else
		json_boolean(o, "shared", false);
	json_u64(o, "resident", in->bytes);
	json_boolean(o, "lower_bound",
		     !!(in->flags & GMEM_RESIDENT_LOWER_BOUND));
}

static void stat_text(const struct target *t, const struct stat *st,
		      const struct gmem_residency *in)
{
	char text[SIZE_TEXT];

	printf("inode      %" PRIu64 "\n", (uint64_t)st->st_ino);
	printf("size       %s\n", size_text(gmem_size(t->g), text));
	printf("page size  %s\n", size_text(gmem_page_size(t->g), text));
	printf("mappable   %s\n",
	       gmem_flags(t->g) & GMEM_CREATE_MMAP ? "yes" : "no");
	printf("resident   %s%s", size_text(in->bytes, text),
	       in->flags & GMEM_RESIDENT_LOWER_BOUND ? " or more" : "");
	if (t->len != gmem_size(t->g)) {
		printf(" of %s", size_text(t->len, text));
		printf(" at 0x%" PRIx64, t->offset);
	}
	putchar('\n');
}

int op_stat(struct work *w)
{
	const struct target *t = &w->target;
	struct gmem_residency in = { .sz = sizeof(in) };
	struct stat st;
	int r = gmem_resident(t->g, t->offset, t->len, &in, w->err);

	if (r < 0)
		return r;
	if (fstat(gmem_fd(t->g), &st) < 0) {
		r = -errno;
		return refuse(w->err, r, GMEM_REASON_KERNEL, "fstat: %s",
			      strerror(-r));
	}
	if (w->json)
		stat_json(w->json, t, &st, &in);
	else
		stat_text(t, &st, &in);
	return 0;
}
