// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>

#include "cmd/work.h"
#include "report/error.h"
#include "report/json.h"
#include "report/output.h"
#include "report/words.h"

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

int work_end(struct ctl *ctl, const struct target_args *a,
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
	error_text(err, text, sizeof(text));
	message(ctl, "%s", text);
	if (part)
		tell_part(ctl, t, what, err);
	return part ? CTL_CHECK : exit_of(err);
}
