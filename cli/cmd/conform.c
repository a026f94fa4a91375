// SPDX-License-Identifier: MIT
/* gmemctl conform: runs the cases of conform/ and says what each found. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <conform.h>

#include "report/error.h"
#include "report/json.h"
#include "report/output.h"
#include "report/words.h"
#include "table/array.h"
#include "table/command.h"
#include "target/priv.h"
#include "target/vm.h"

struct args {
	bool list;
};

static struct args args;

static const struct opt opts[] = {
	{ "list", NULL, OPT_BOOL, offsetof(struct args, list),
	  .help = "only list the cases" },
	{ .name = NULL },
};

/* As "result" of a case, and the key of their number. */
static const struct {
	const char *name, *key;
} results[] = {
	[CONFORM_OK] = { "ok", "ok" },
	[CONFORM_SKIPPED] = { "skipped", "skipped" },
	[CONFORM_FAILED] = { "failed", "failed" },
	[CONFORM_NOT_APPLICABLE] = { "not-applicable", "not_applicable" },
};

struct report {
	struct ctl *ctl;
	char **words; /* which cases */
	int n_words;  /* 0 = all */
	json_object *cases;
	unsigned int count[CONFORM_RESULTS];
	unsigned int number; /* of those that have ended */
};

/* ------------------------------------------------------------ selection -- */

/* The name of the case, or how one of the parts of its row begins. */
static bool is_meant(const struct conform_case *t, const char *word)
{
	const char *part = t->row;
	bool meant = !strcmp(t->name, word);

	while (!meant && part) {
		meant = *word && !strncmp(part, word, strlen(word));
		part = strstr(part, "; ");
		part += part ? strlen("; ") : 0;
	}
	return meant;
}

static bool selected(void *arg, const struct conform_case *t)
{
	const struct report *r = arg;
	bool meant = r->n_words == 0;

	for (int i = 0; !meant && i < r->n_words; i++)
		meant = is_meant(t, r->words[i]);
	return meant;
}

/* The next selected case from *@index on, which goes behind it. */
static const struct conform_case *next(struct report *r, size_t *index)
{
	const struct conform_case *t;

	do {
		t = conform_case_at((*index)++);
	} while (t && !selected(r, t));
	return t;
}

static size_t number_of(struct report *r)
{
	size_t n = 0;

	for (size_t at = 0; next(r, &at);)
		n++;
	return n;
}

static int no_case(struct report *r, const char *word)
{
	struct guess guess = { .word = word, .len = strlen(word) };
	const struct conform_case *t;
	char text[GUESS_TEXT];

	for (size_t i = 0; (t = conform_case_at(i)); i++)
		guess_try(&guess, t->name);
	return usage_error(r->ctl,
			   "'%s' is no case: gmemctl conform --list has their "
			   "names and rows%s",
			   word, guess_text(&guess, text));
}

/* Each word means a case.  Return: 0, or the exit status. */
static int check_words(struct report *r)
{
	const struct report each = { .n_words = 1 };

	for (int i = 0; i < r->n_words; i++) {
		struct report one = each;

		one.words = &r->words[i];
		if (!number_of(&one))
			return no_case(r, r->words[i]);
	}
	return 0;
}

/* --------------------------------------------------------------- output -- */

static json_object *case_json(const struct conform_case *t)
{
	json_object *o = json_object_new_object();

	json_text(o, "name", t->name, "");
	json_text(o, "shows", t->row, "");
	return o;
}

static void tell_json(struct report *r, const struct conform_report *of)
{
	json_object *o = case_json(of->of);

	json_text(o, "result", results[of->result].name, "");
	json_text(o, "difference", of->difference, "none is known here");
	json_text(o, "message", of->text, "behaves as documented");
	json_object_array_add(r->cases, o);
}

static void tell_tap(const struct report *r, const struct conform_report *of)
{
	bool failed = of->result == CONFORM_FAILED;

	printf("%sok %u - %s [%s]", failed ? "not " : "", r->number,
	       of->of->name, of->of->row);
	if (of->result == CONFORM_SKIPPED)
		printf(" # SKIP %s", of->text);
	else if (of->result == CONFORM_NOT_APPLICABLE)
		printf(" # n/a: %s", of->text);
	else if (of->difference)
		printf(" # differs: %s", of->difference);
	putchar('\n');
	if (failed)
		printf("# %s\n", of->text);
	out_flush();
}

static void tell(void *arg, const struct conform_report *of)
{
	struct report *r = arg;

	r->number++;
	r->count[of->result]++;
	if (r->cases)
		tell_json(r, of);
	else
		tell_tap(r, of);
}

static void end_json(const struct report *r, const char *release)
{
	json_object *o = json_new(r->ctl);

	model_json(r->ctl, o);
	json_text(o, "kernel", model_name(r->ctl) ? NULL : release,
		  MODEL_STANDS_IN);
	for (size_t i = 0; i < CONFORM_RESULTS; i++)
		json_u64(o, results[i].key, r->count[i]);
	json_object_object_add(o, "cases", r->cases);
	out_json(r->ctl, o);
}

static int run_all(struct report *r, struct conform *c, const char *release)
{
	if (r->ctl->json) {
		r->cases = json_object_new_array();
	} else {
		puts("TAP version 13");
		if (model_name(r->ctl))
			model_note(r->ctl);
		else
			printf("# kernel %s\n", release);
		printf("1..%zu\n", number_of(r));
	}
	conform_run(c, selected, tell, r);
	if (r->cases)
		end_json(r, release);
	else
		printf("# %u as documented, %u otherwise, %u skipped, "
		       "%u not applicable\n",
		       r->count[CONFORM_OK], r->count[CONFORM_FAILED],
		       r->count[CONFORM_SKIPPED],
		       r->count[CONFORM_NOT_APPLICABLE]);
	return r->count[CONFORM_FAILED] ? CTL_CHECK : CTL_OK;
}

static int list(struct report *r)
{
	json_object *cases = json_object_new_array(), *o;
	const struct conform_case *t;

	for (size_t at = 0; (t = next(r, &at));)
		if (r->ctl->json)
			json_object_array_add(cases, case_json(t));
		else
			printf("%-30s [%s]\n", t->name, t->row);
	if (r->ctl->json) {
		o = json_new(r->ctl);
		json_object_object_add(o, "cases", json_object_get(cases));
		out_json(r->ctl, o);
	}
	json_object_put(cases);
	return CTL_OK;
}

/* ------------------------------------------------------------ the kernel -- */

static int unusable(struct ctl *ctl, const struct gmem_error *err)
{
	bool absent = exit_of(err) == CTL_UNSUPPORTED;

	if (!ctl->json) {
		printf("TAP version 13\n%s ",
		       absent ? "1..0 # SKIP" : "Bail out!");
		put_plain(stdout, err->msg);
		putchar('\n');
	}
	return vm_failed(ctl, err);
}

/* A VM shows that KVM can be used, and leads to the model's kernel. */
static int run_on(struct report *r, struct gmem_vm *vm)
{
	struct gmem_error err = { .sz = sizeof(err) };
	const char *model = model_name(r->ctl);
	struct conform_kernel kernel = {
		.device = vm_device(r->ctl),
		.model = model ? vm : NULL,
		.machine = r->ctl->kvm->model.machine,
	};
	struct conform *c;
	struct utsname u;
	int status;

	(void)uname(&u);
	kernel.release = model ? model : u.release;
	status = conform_open(&kernel, &c);
	if (status < 0)
		return system_error(r->ctl, -status, "%s", kernel.device);
	status = priv_drop(r->ctl);
	if (!status && conform_learn(c) < 0) {
		(void)refuse(&err, -EOPNOTSUPP, GMEM_REASON_NO_GUEST_MEMFD,
			     "%s %s has no VM type that can bind a guest_memfd",
			     model ? "model" : "kernel", kernel.release);
		status = unusable(r->ctl, &err);
	} else if (!status) {
		status = run_all(r, c, kernel.release);
	}
	conform_close(c);
	return status;
}

static int run(struct ctl *ctl)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct report r = { .ctl = ctl,
			    .words = ctl->operands,
			    .n_words = ctl->n_operands };
	struct gmem_vm *vm;
	int status = check_words(&r);

	if (status)
		return status;
	if (args.list)
		return list(&r);
	if (vm_open(ctl, GMEM_VM_DEFAULT, &vm, &err) < 0)
		return unusable(ctl, &err);
	status = run_on(&r, vm);
	(void)gmem_vm_destroy(vm, NULL);
	return status;
}

const struct cmd cmd_conform = {
	.name = "conform",
	.args = "[OPTIONS] [CASE...]",
	.summary =
		"check whether this kernel's guest_memfd behaves as documented",
	.text = "Prints a line of TAP for each case.  CASE is a name of "
		"--list, or how the words in brackets begin.  Exit status: 4 "
		"if the kernel behaves otherwise in one of them.",
	.opts = opts,
	.values = &args,
	.run = run,
	.operands = { 0, INT_MAX, NULL },
	.flags = CMD_JSON | CMD_KVM | CMD_MODEL,
};
