// SPDX-License-Identifier: MIT
/* The commands on the memory of one file: stat, populate, discard, load. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target.h"

/* ----------------------------------------------------------------- stat -- */

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

int cmd_stat(struct ctl *ctl, int argc, char **argv)
{
	struct gmem_residency in = { .sz = sizeof(in) };
	struct gmem_error err = { .sz = sizeof(err) };
	struct target_args a = { .shared = false };
	struct target t;
	struct stat st;
	int status;

	if (opts_parse(ctl, argc, argv, &a) < 0)
		return ctl->status;
	status = target_open(ctl, &a, &t);
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
		stat_json(ctl, &a, &t, &st, &in);
	else
		stat_text(&t, &st, &in);
out:
	(void)gmem_close(t.g, NULL);
	return status;
}

/* ----------------------------------------------------------------- work -- */

/* What is there now, which may be a little more than what was done. */
static void add_resident(json_object *o, const struct target *t)
{
	struct gmem_residency in = { .sz = sizeof(in) };
	struct gmem_error err = { .sz = sizeof(err) };

	if (gmem_resident(t->g, t->offset, t->len, &in, &err) < 0)
		json_null(o, "resident", err.msg);
	else
		json_u64(o, "resident", in.bytes);
}

/* The same in words, after work that did not end. */
static void tell_part(struct ctl *ctl, const struct target *t, const char *what,
		      const struct gmem_error *err)
{
	struct gmem_residency in = { .sz = sizeof(in) };
	char done[SIZE_TEXT], len[SIZE_TEXT], now[SIZE_TEXT];
	bool known = !gmem_resident(t->g, t->offset, t->len, &in, NULL);

	message(ctl, "%s %s of %s%s%s", what, size_text(err->done, done),
		size_text(t->len, len), known ? "; resident: " : "",
		known ? size_text(in.bytes, now) : "");
}

/* Ends a command that changed memory: how far it came, however it ended. */
static int work_end(struct ctl *ctl, const struct target_args *a,
		    const struct target *t, const char *what, int r,
		    struct gmem_error *err)
{
	bool part =
		r < 0 && (err->reason == GMEM_REASON_CANCELLED || err->done);
	char text[1024], done[SIZE_TEXT];
	json_object *o;

	if (r < 0 && err->reason == GMEM_REASON_PRIVATE && !a->shared)
		err->remedy = "pass --shared if the file was made so";
	if (ctl->json) {
		o = target_json(ctl, a, t);
		json_u64(o, "done", err->done);
		add_resident(o, t);
		if (r < 0)
			json_object_object_add(o, "error", json_error(err));
		out_json(ctl, o);
	} else if (r >= 0) {
		printf("%s %s at 0x%" PRIx64 "\n", what,
		       size_text(err->done, done), t->offset);
	}
	if (r >= 0)
		return CTL_OK;
	(void)gmem_strerror(err, text, sizeof(text));
	message(ctl, "%s", text);
	if (part)
		tell_part(ctl, t, what, err);
	return part ? CTL_CHECK : exit_of(err);
}

struct populate_args {
	struct target_args target;
	struct policy_args policy;
	struct opt_u32 threads;
};

const struct opt populate_opts[] = {
	TARGET_SHARED,
	{ "threads", "N", OPT_U32, offsetof(struct populate_args, threads),
	  .help = "threads that do the work (1)" },
	{ "policy", "MODE", OPT_TEXT,
	  offsetof(struct populate_args, policy.mode), .values = policy_names,
	  .help = "for the pages that are made" },
	{ "nodes", "SET", OPT_TEXT,
	  offsetof(struct populate_args, policy.nodes),
	  .help = "the policy's NUMA nodes, such as 0-3 or all" },
	{ .name = NULL },
};

static int populate(struct ctl *ctl, const struct populate_args *a,
		    const struct target *t)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_populate_opts opts = {
		.sz = sizeof(opts),
		.progress = progress_show,
		.cancel = cancel_on_signals(),
		.threads = a->threads.value,
	};
	struct gmem_mempolicy policy;
	struct progress bar;
	struct bitmask *mask = NULL;
	int r = 0;

	if (a->policy.mode) {
		r = policy_make(ctl, &a->policy, &policy, &mask, &err);
		opts.policy = &policy;
	}
	progress_start(&bar, "populate");
	opts.progress_arg = &bar;
	if (!r)
		r = gmem_populate(t->g, t->offset, t->len, &opts, &err);
	progress_end(&bar);
	policy_free(mask);
	return work_end(ctl, &a->target, t, "populated", r, &err);
}

int cmd_populate(struct ctl *ctl, int argc, char **argv)
{
	struct populate_args a = { .policy = { .mode = NULL } };
	const char *problem;
	struct target t;
	int status;

	if (opts_parse(ctl, argc, argv, &a) < 0)
		return ctl->status;
	problem = policy_problem(&a.policy);
	if (problem)
		return usage_error(ctl, "--nodes: '%s' %s", a.policy.nodes,
				   problem);
	status = target_open(ctl, &a.target, &t);
	if (status)
		return status;
	status = priv_drop(ctl);
	if (!status)
		status = populate(ctl, &a, &t);
	(void)gmem_close(t.g, NULL);
	return status;
}

struct discard_args {
	struct target_args target;
	bool yes;
};

const struct opt discard_opts[] = {
	{ "yes-destroy", NULL, OPT_BOOL, offsetof(struct discard_args, yes),
	  .help = "with --pid: yes, destroy what is in its memory" },
	{ .name = NULL },
};

static int discard(struct ctl *ctl, const struct discard_args *a,
		   const struct target *t)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_discard_opts opts = {
		.sz = sizeof(opts),
		.progress = progress_show,
		.cancel = cancel_on_signals(),
	};
	struct progress bar;
	int r;

	progress_start(&bar, "discard");
	opts.progress_arg = &bar;
	r = gmem_discard(t->g, t->offset, t->len, &opts, &err);
	progress_end(&bar);
	return work_end(ctl, &a->target, t, "discarded", r, &err);
}

int cmd_discard(struct ctl *ctl, int argc, char **argv)
{
	struct discard_args a = { .yes = false };
	struct target t;
	int status;

	if (opts_parse(ctl, argc, argv, &a) < 0)
		return ctl->status;
	if (a.target.pid.given && !a.yes)
		return usage_error(ctl, "the memory of another process is "
					"destroyed only with --yes-destroy");
	status = target_open(ctl, &a.target, &t);
	if (status)
		return status;
	status = priv_drop(ctl);
	if (!status)
		status = discard(ctl, &a, &t);
	(void)gmem_close(t.g, NULL);
	return status;
}

/* ----------------------------------------------------------------- load -- */

const struct opt load_opts[] = {
	TARGET_SHARED,
	{ .name = NULL },
};

/* Input that is known to be too long before it is read. */
static int check_room(uint64_t len, int fd, struct gmem_error *err)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	char have[SIZE_TEXT], room[SIZE_TEXT];
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || at < 0 ||
	    st.st_size <= at || (uint64_t)(st.st_size - at) <= len)
		return 0;
	return refuse(err, -EINVAL, GMEM_REASON_OUTSIDE_FILE,
		      "the input has %s, and the range only %s",
		      size_text((uint64_t)(st.st_size - at), have),
		      size_text(len, room));
}

int load_all(struct gmem *g, uint64_t offset, uint64_t len, int fd,
	     const struct gmem_load_opts *opts, struct gmem_error *err)
{
	uint64_t size = gmem_size(g);
	/* A range that is wrong is for the library to refuse. */
	bool all = opts->flags & GMEM_LOAD_UNTIL_EOF && offset < size &&
		   len <= size - offset;
	char text[SIZE_TEXT], more;
	int r = all ? check_room(len, fd, err) : 0;

	if (!r)
		r = gmem_load(g, offset, fd, len, opts, err);
	if (r < 0 || !all || err->done < len || read(fd, &more, 1) <= 0)
		return r;
	r = refuse(err, -EINVAL, GMEM_REASON_OUTSIDE_FILE,
		   "the input goes on beyond the %s of the range",
		   size_text(len, text));
	err->done = len;
	return r;
}

static int load(struct ctl *ctl, const struct target_args *a,
		const struct target *t, int fd)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_load_opts opts = {
		.sz = sizeof(opts),
		.progress = progress_show,
		.cancel = cancel_on_signals(),
	};
	struct progress bar;
	int r;

	/* A range that was asked for is to be filled, the file need not be. */
	if (!a->len.given)
		opts.flags = GMEM_LOAD_UNTIL_EOF;
	progress_start(&bar, "load");
	opts.progress_arg = &bar;
	r = load_all(t->g, t->offset, t->len, fd, &opts, &err);
	progress_end(&bar);
	return work_end(ctl, a, t, "loaded", r, &err);
}

int cmd_load(struct ctl *ctl, int argc, char **argv)
{
	struct target_args a = { .shared = false };
	int n = opts_parse(ctl, argc, argv, &a);
	int status, fd = STDIN_FILENO;
	struct target t;

	if (n < 0)
		return ctl->status;
	if (n != 1)
		return usage_error(ctl, "one file is needed, or - for standard "
					"input");
	status = target_open(ctl, &a, &t);
	if (status)
		return status;
	if (strcmp(argv[0], "-"))
		fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		status = system_error(ctl, errno, "%s", argv[0]);
	if (!status)
		status = priv_drop(ctl);
	if (!status)
		status = load(ctl, &a, &t, fd);
	if (fd > STDERR_FILENO)
		(void)close(fd);
	(void)gmem_close(t.g, NULL);
	return status;
}
