// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>

#include "cmd/on_file.h"
#include "report/error.h"
#include "report/json.h"
#include "report/output.h"
#include "target/charge/charge.h"
#include "target/priv.h"

/* After a failure: what changes memory also shows how far it came. */
static int end_failed(struct ctl *ctl, const struct target_args *a,
		      const struct work *w)
{
	char text[WORK_TEXT];
	int status;

	if (w->done && w->err->reason == GMEM_REASON_PRIVATE && !a->shared)
		w->err->remedy = "pass --shared if the file was made so";
	if (w->json && w->done) {
		json_object_object_add(w->json, "error", json_error(w->err));
		out_json(ctl, w->json);
	} else {
		json_object_put(w->json);
	}
	status = gmem_failed(ctl, w->err, NULL);
	if (!work_part(w))
		return status;
	message(ctl, "%s", work_text(w, text));
	return CTL_CHECK;
}

/* A range without --len ends with the file, so it must begin inside. */
static int check_begin(struct work *w, const struct target_args *a)
{
	const struct target *t = &w->target;

	if (a->len.given || t->offset < gmem_size(t->g))
		return 0;
	return refuse(w->err, -EINVAL, GMEM_REASON_OUTSIDE_FILE,
		      "offset 0x%" PRIx64 " is not inside the file, which has "
		      "0x%" PRIx64 " bytes",
		      t->offset, gmem_size(t->g));
}

int on_file(struct ctl *ctl, struct target_args *a, const char *done,
	    int (*op)(struct work *w))
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct work w = { .ctl = ctl, .err = &err };
	int status = target_open(ctl, a, &w.target);

	if (status)
		return status;
	status = priv_drop(ctl);
	if (status)
		goto out;
	if (ctl->json)
		w.json = target_json(ctl, a, &w.target);
	status = check_begin(&w, a);
	if (!status) {
		w.done = done;
		status = op(&w);
	}
	if (status < 0)
		status = end_failed(ctl, a, &w);
	else if (w.json)
		out_json(ctl, w.json);
out:
	(void)gmem_close(w.target.g, NULL);
	return status;
}

int on_file_charged(struct ctl *ctl, struct target_args *a, const char *done,
		    int (*op)(struct work *w))
{
	int status;

	if (a->charge_me && !a->pid.given)
		return usage_error(ctl, "--charge-me is for --pid: an "
					"inherited descriptor's memory is "
					"always charged so");
	if (a->pid.given && !a->charge_me && !charge_target(ctl, a, &status))
		return status;
	return on_file(ctl, a, done, op);
}
