// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "op/op.h"
#include "report/error.h"
#include "report/json.h"
#include "report/residency.h"
#include "report/words.h"

/* A line of text begins. */
static void row(const struct work *w, const char *what)
{
	put_name(w);
	printf("%-10s ", what);
}

static void show_resident(const struct work *w, const struct residency *in)
{
	const struct target *t = &w->target;
	char text[SIZE_TEXT], known[RESIDENCY_TEXT];

	if (w->json) {
		residency_json(w->json, in);
		return;
	}
	row(w, "resident");
	fputs(residency_text(in, known), stdout);
	if (t->len != gmem_size(t->g)) {
		printf(" of %s", size_text(t->len, text));
		printf(" at 0x%" PRIx64, t->offset);
	}
	putchar('\n');
}

int op_resident(struct work *w)
{
	const struct target *t = &w->target;
	struct residency in;
	int r = residency(t->g, t->region, t->offset, t->len, &in, w->err);

	if (r < 0)
		return r;
	show_resident(w, &in);
	return 0;
}

static void stat_json(const struct work *w, const struct stat *st)
{
	uint64_t flags = gmem_flags(w->target.g);
	json_object *o = w->json;

	json_u64(o, "inode", st->st_ino);
	json_u64(o, "size", gmem_size(w->target.g));
	json_u64(o, "page_size", gmem_page_size(w->target.g));
	json_boolean(o, "mappable", flags & GMEM_CREATE_MMAP);
	if (w->own || !(flags & GMEM_CREATE_MMAP))
		json_boolean(o, "shared", flags & GMEM_CREATE_INIT_SHARED);
	else
		json_null(o, "shared", "a descriptor does not tell");
}

static void stat_text(const struct work *w, const struct stat *st)
{
	struct gmem *g = w->target.g;
	uint64_t flags = gmem_flags(g);
	char text[SIZE_TEXT];

	row(w, "inode");
	printf("%" PRIu64 "\n", (uint64_t)st->st_ino);
	row(w, "size");
	puts(size_text(gmem_size(g), text));
	row(w, "page size");
	puts(size_text(gmem_page_size(g), text));
	row(w, "mappable");
	puts(flags & GMEM_CREATE_MMAP ? "yes" : "no");
	if (w->own && !w->target.region) {
		row(w, "shared");
		puts(flags & GMEM_CREATE_INIT_SHARED ? "yes" : "no");
	}
}

int op_stat(struct work *w)
{
	const struct target *t = &w->target;
	struct residency in;
	struct stat st;
	int r = residency(t->g, t->region, t->offset, t->len, &in, w->err);

	if (r < 0)
		return r;
	if (fstat(gmem_fd(t->g), &st) < 0) {
		r = -errno;
		return refuse(w->err, r, GMEM_REASON_KERNEL, "fstat: %s",
			      strerror(-r));
	}
	if (w->json)
		stat_json(w, &st);
	else
		stat_text(w, &st);
	show_resident(w, &in);
	return 0;
}
