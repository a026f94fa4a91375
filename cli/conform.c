// SPDX-License-Identifier: MIT
/* gmemctl conform: runs the cases of conform/ and tells of each. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd.h"
#include "conform/conform.h"

#include "seam.h"

struct args {
	bool list;
};

const struct opt conform_opts[] = {
	{ "list", NULL, OPT_BOOL, offsetof(struct args, list),
	  .help = "only list the cases" },
	{ .name = NULL },
};

enum result {
	RESULT_OK,
	RESULT_SKIPPED,
	RESULT_FAILED,
	RESULTS,
};

static const char *const result_names[] = {
	[RESULT_OK] = "ok",
	[RESULT_SKIPPED] = "skipped",
	[RESULT_FAILED] = "failed",
};

struct report {
	struct ctl *ctl;
	char **words; /* which cases */
	int n_words;  /* 0 = all */
	json_object *cases;
	unsigned int count[RESULTS];
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

static bool selected(const struct report *r, const struct conform_case *t)
{
	bool meant = r->n_words == 0;

	for (int i = 0; !meant && i < r->n_words; i++)
		meant = is_meant(t, r->words[i]);
	return meant;
}

/* The next selected case from *@index on, which goes behind it. */
static const struct conform_case *next(const struct report *r, size_t *index)
{
	const struct conform_case *t;

	do {
		t = conform_case_at((*index)++);
	} while (t && !selected(r, t));
	return t;
}

static size_t number_of(const struct report *r)
{
	size_t n = 0;

	for (size_t at = 0; next(r, &at);)
		n++;
	return n;
}

/* Each word means a case.  Return: 0, or the exit status. */
static int check_words(struct report *r)
{
	const struct report each = { .n_words = 1 };

	for (int i = 0; i < r->n_words; i++) {
		struct report one = each;

		one.words = &r->words[i];
		if (!number_of(&one))
			return usage_error(r->ctl,
					   "'%s' is the name of no case and "
					   "the beginning of no row",
					   r->words[i]);
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

static void tell_json(struct report *r, const struct conform_case *t,
		      enum result result, const char *difference,
		      const char *text)
{
	json_object *o = case_json(t);

	json_text(o, "result", result_names[result], "");
	json_text(o, "difference", difference, "none is known here");
	json_text(o, "message", text, "behaves as documented");
	json_object_array_add(r->cases, o);
}

static void tell_tap(const struct conform_case *t, enum result result,
		     unsigned int number, const char *difference,
		     const char *text)
{
	printf("%sok %u - %s [%s]", result == RESULT_FAILED ? "not " : "",
	       number, t->name, t->row);
	if (result == RESULT_SKIPPED)
		printf(" # SKIP %s", text);
	else if (difference)
		printf(" # differs: %s", difference);
	putchar('\n');
	if (result == RESULT_FAILED)
		printf("# %s\n", text);
	(void)fflush(stdout);
}

static void run_case(struct report *r, struct conform *c,
		     const struct conform_case *t, unsigned int number)
{
	const char *text = conform_lack(c, t), *difference = NULL;
	enum result result = RESULT_SKIPPED;

	if (!text) {
		difference = conform_difference(c, t->name);
		conform_run(c, t);
		result =
			!*c->failure == !difference ? RESULT_OK : RESULT_FAILED;
		text = *c->failure ? c->failure : NULL;
		if (result == RESULT_FAILED && !text)
			text = "behaves as documented after all";
	}
	r->count[result]++;
	if (r->cases)
		tell_json(r, t, result, difference, text);
	else
		tell_tap(t, result, number, difference, text);
}

static void end_json(const struct report *r, const struct conform *c)
{
	json_object *o = json_new(r->ctl);
	bool model = c->model;

	model_json(r->ctl, o);
	json_text(o, "kernel", model ? NULL : strchr(c->where, ' ') + 1,
		  MODEL_STANDS_IN);
	for (size_t i = 0; i < RESULTS; i++)
		json_u64(o, result_names[i], r->count[i]);
	json_object_object_add(o, "cases", r->cases);
	out_json(r->ctl, o);
}

static int run_all(struct report *r, struct conform *c)
{
	const struct conform_case *t;
	unsigned int number = 0;

	if (r->ctl->json) {
		r->cases = json_object_new_array();
	} else {
		puts("TAP version 13");
		if (c->model)
			model_note(r->ctl);
		else
			printf("# %s\n", c->where);
		printf("1..%zu\n", number_of(r));
	}
	for (size_t at = 0; (t = next(r, &at));)
		run_case(r, c, t, ++number);
	if (r->cases)
		end_json(r, c);
	else
		printf("# %u as documented, %u otherwise, %u skipped\n",
		       r->count[RESULT_OK], r->count[RESULT_FAILED],
		       r->count[RESULT_SKIPPED]);
	return r->count[RESULT_FAILED] ? CTL_CHECK : CTL_OK;
}

static int list(const struct report *r)
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

	if (!ctl->json)
		printf("TAP version 13\n%s %s\n",
		       absent ? "1..0 # SKIP" : "Bail out!", err->msg);
	return vm_failed(ctl, err);
}

static const char *name_kernel(const struct ctl *ctl, char *buf, size_t size)
{
	struct utsname u;

	(void)uname(&u);
	if (*ctl->model.name)
		(void)snprintf(buf, size, "model %s", ctl->model.name);
	else
		(void)snprintf(buf, size, "kernel %s", u.release);
	return buf;
}

/* A VM shows that KVM can be used, and leads to the model's kernel. */
static int run_on(struct report *r, struct gmem_vm *vm)
{
	const char *path = r->ctl->device ? r->ctl->device : "/dev/kvm";
	struct gmem_error err = { .sz = sizeof(err) };
	static struct conform c;
	char where[80];
	int status;

	c.where = name_kernel(r->ctl, where, sizeof(where));
	c.sys = gmem__vm_sys(vm, &c.priv);
	c.model = *r->ctl->model.name ? vm : NULL;
	c.device = c.sys->open(c.priv, path, O_RDWR | O_CLOEXEC);
	if (c.device < 0)
		return system_error(r->ctl, -c.device, "%s", path);
	status = priv_drop(r->ctl);
	if (!status)
		conform_learn(&c);
	if (!status && !(c.have & NEED_GMEM)) {
		(void)refuse(&err, -EOPNOTSUPP, GMEM_REASON_NO_GUEST_MEMFD,
			     "%s has no VM type that can bind a guest_memfd",
			     where);
		status = unusable(r->ctl, &err);
	} else if (!status) {
		status = run_all(r, &c);
	}
	(void)c.sys->close(c.priv, c.device);
	return status;
}

int cmd_conform(struct ctl *ctl, int argc, char **argv)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct report r = { .ctl = ctl, .words = argv };
	struct args a = { .list = false };
	struct gmem_vm *vm;
	int status;

	r.n_words = opts_parse(ctl, argc, argv, &a);
	if (r.n_words < 0)
		return ctl->status;
	status = check_words(&r);
	if (status)
		return status;
	if (a.list)
		return list(&r);
	if (vm_open(ctl, GMEM_VM_DEFAULT, &vm, &err) < 0)
		return unusable(ctl, &err);
	status = run_on(&r, vm);
	(void)gmem_vm_destroy(vm, NULL);
	return status;
}
