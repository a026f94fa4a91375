// SPDX-License-Identifier: MIT
/* What is said about a call: the rule that it breaks, or how it would go. */
#include <stdio.h>
#include <string.h>

#include "cmd/why/why.h"
#include "report/error.h"
#include "report/json.h"
#include "target/lost.h"
#include "report/output.h"
#include "report/words.h"
#include "target/vm.h"

/*
 * A rule says no, or this host cannot; all else is a failure to find out:
 * no memory, no file descriptors, a VM that died.
 */
static bool is_answer(const struct gmem_error *err)
{
	switch (err->reason) {
	case GMEM_REASON_WRONG_PROCESS:
	case GMEM_REASON_VM_DEAD:
	case GMEM_REASON_NO_DEVICE:
	case GMEM_REASON_DEVICE_ACCESS:
	case GMEM_REASON_NOT_KVM:
	case GMEM_REASON_NOT_A_VM:
	case GMEM_REASON_VM_TYPE_UNSUPPORTED:
	case GMEM_REASON_IPA_BITS:
	case GMEM_REASON_HAS_FILES:
	case GMEM_REASON_FD_LIMIT:
	case GMEM_REASON_NO_MEMORY:
	case GMEM_REASON_ACCESS_DENIED:
	case GMEM_REASON_KVM_UNLOADING:
	case GMEM_REASON_KERNEL:
		return false;
	default:
		return true;
	}
}

static void answer_json(const struct why *w, const char *verdict)
{
	json_object *o = json_new(w->ctl);
	bool ok = !w->err.code;

	model_json(w->ctl, o);
	json_text(o, "call", w->ctl->call, "");
	json_text(o, "vm_type",
		  gmem_name(GMEM_NAME_VM_TYPE, vm_type_of(w->args->vm_type)),
		  "");
	json_text(o, "verdict", verdict, "");
	json_text(o, "step", ok ? NULL : w->step, "no step was refused");
	json_text(o, "mode", ok ? w->mode : NULL,
		  ok ? "this call has no modes" : "the call was refused");
	json_object_object_add(o, "huge_pages_lost", lost_json(&w->slot));
	json_object_object_add(o, "rule", ok ? NULL : json_error(&w->err));
	if (ok)
		json_text(o, "rule_reason", "no rule is broken", "");
	out_json(w->ctl, o);
}

static void answer_text(const struct why *w, const char *verdict)
{
	const char *mode = w->mode;

	model_note(w->ctl);
	if (!w->err.code) {
		printf("ok: would be accepted%s%s%s\n", mode ? " in " : "",
		       mode ? mode : "", mode ? " mode" : "");
		lost_text(&w->slot);
		return;
	}
	printf("%s", verdict);
	if (strcmp(w->step, w->ctl->call))
		printf(" already at %s%s", strcmp(w->step, "with") ? "" : "--",
		       w->step);
	printf(": ");
	put_plain(stdout, w->err.msg);
	putchar('\n');
	printf("rule: %s\n", gmem_reason_str(w->err.reason));
	printf("remedy: %s\n", error_remedy(&w->err));
}

int why_answer(const struct why *w)
{
	const char *verdict = "ok";
	int status = CTL_OK;

	if (w->err.code) {
		status = exit_of(&w->err);
		if (!is_answer(&w->err))
			return gmem_failed(w->ctl, &w->err, NULL);
		if (status == CTL_FAILED)
			status = CTL_CHECK;
		verdict = status == CTL_UNSUPPORTED ? "unsupported" : "refused";
	}
	if (w->ctl->json)
		answer_json(w, verdict);
	else
		answer_text(w, verdict);
	return status;
}
