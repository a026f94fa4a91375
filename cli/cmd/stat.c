// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "report/json.h"
#include "report/output.h"
#include "report/words.h"
#include "table/command.h"
#include "target/priv.h"
#include "target/target.h"

static void stat_json(struct ctl *ctl, const struct target_args *a,
		      const struct target *t, const struct stat *st,
		      const struct gmem_residency *in)
{
	json_object *o = target_json(ctl, a, t);
	bool mappable = gmem_flags(t->g) & GMEM_CREATE_MMAP;

	json_u64(o, "inode", st->st_ino);
	json_u64(o, "size", gmem_size(t->g));
	json_u64(o, "page_size", gmem_page_size(t->g));
	json_object_object_add(o, "mappable",
			       json_object_new_boolean(mappable));
	if (mappable)
		json_null(o, "shared", "a descriptor does not tell");
	else
		json_object_object_add(o, "shared",
				       json_object_new_boolean(false));
	json_u64(o, "resident", in->bytes);
	json_object_object_add(o, "lower_bound",
			       json_object_new_boolean(!!(
				       in->flags & GMEM_RESIDENT_LOWER_BOUND)));
	out_json(ctl, o);
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

static struct target_args args;

static int run(struct ctl *ctl)
{
	struct gmem_residency in = { .sz = sizeof(in) };
	struct gmem_error err = { .sz = sizeof(err) };
	struct target t;
	struct stat st;
	int status;

	status = target_open(ctl, &args, &t);
	if (status)
		return status;
	status = priv_drop(ctl);
	if (status)
		goto out;
	if (gmem_resident(t.g, t.offset, t.len, &in, &err) < 0)
		status = gmem_failed(ctl, &err, NULL);
	else if (fstat(gmem_fd(t.g), &st) < 0)
		status = system_error(ctl, errno, "fstat");
	else if (ctl->json)
		stat_json(ctl, &args, &t, &st, &in);
	else
		stat_text(&t, &st, &in);
out:
	(void)gmem_close(t.g, NULL);
	return status;
}

const struct cmd cmd_stat = {
	.name = "stat",
	.args = TARGET_USAGE "[OPTIONS]",
	.summary = "show size and residency of a guest_memfd",
	.more_opts = target_opts,
	.values = &args,
	.run = run,
	.flags = CMD_JSON,
};
