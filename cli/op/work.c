// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>

#include "op/op.h"
#include "report/json.h"
#include "report/residency.h"
#include "report/words.h"

void put_name(const struct work *w)
{
	if (w->name)
		printf("%s: ", w->name);
}

void work_json(const struct work *w, json_object *to)
{
	const struct target *t = &w->target;
	struct gmem_error err = { .sz = sizeof(err) };
	struct residency now;

	json_u64(to, "done", w->err->done);
	/* What is there now, which may be a little more. */
	if (residency(t->g, t->region, t->offset, t->len, &now, &err) < 0)
		(void)snprintf(now.why, sizeof(now.why), "%s", err.msg);
	residency_json(to, &now);
}

void limits_json(const struct work *w, uint64_t limits)
{
	if (w->json)
		json_object_object_add(w->json, "limits_unchecked",
				       json_names(GMEM_NAME_ROOM, limits));
}

bool work_part(const struct work *w)
{
	return w->done &&
	       (w->err->reason == GMEM_REASON_CANCELLED || w->err->done);
}

const char *work_text(const struct work *w, char buf[WORK_TEXT])
{
	const struct target *t = &w->target;
	char done[SIZE_TEXT], len[SIZE_TEXT], text[RESIDENCY_TEXT];
	struct residency now;
	bool asked = !residency(t->g, t->region, t->offset, t->len, &now, NULL);

	(void)snprintf(buf, WORK_TEXT, "%s %s of %s%s%s", w->done,
		       size_text(w->err->done, done), size_text(t->len, len),
		       asked ? "; resident: " : "",
		       asked ? residency_text(&now, text) : "");
	return buf;
}

int work_end(struct work *w, int r)
{
	char done[SIZE_TEXT];

	if (w->json) {
		work_json(w, w->json);
	} else if (r >= 0) {
		put_name(w);
		printf("%s %s at 0x%" PRIx64 "\n", w->done,
		       size_text(w->err->done, done), w->target.offset);
	}
	return r < 0 ? r : 0;
}
