// SPDX-License-Identifier: MIT
/* Is this host fit for guest memory: ok, warn or fail, each with a remedy. */
#include <stdio.h>
#include <string.h>

#include "cmd/doctor/doctor.h"
#include "report/json.h"
#include "report/output.h"
#include "table/command.h"
#include "target/vm.h"

#define CHECKS_MAX 32

struct args {
	const char *format;
};

static const char *const formats[] = { "text", "json", "tap", NULL };

static struct args args;

static const struct opt opts[] = {
	{ "format", "FORMAT", OPT_TEXT, offsetof(struct args, format),
	  .values = formats, .help = "format of the report" },
	{ .name = NULL },
};

static const char *const verdicts[] = {
	[VERDICT_OK] = "ok",
	[VERDICT_WARN] = "warn",
	[VERDICT_FAIL] = "fail",
};

/* Both may name the device. */
static void put_line(const char *before, const char *text)
{
	fputs(before, stdout);
	put_plain(stdout, text);
	putchar('\n');
}

static void print_text(const struct finding *f, size_t n)
{
	static const char *const colours[] = {
		[VERDICT_OK] = "\033[32m",
		[VERDICT_WARN] = "\033[33m",
		[VERDICT_FAIL] = "\033[31m",
	};
	bool colour = out_colour();

	for (size_t i = 0; i < n; i++) {
		printf("%s%-5s%s%-24s ", colour ? colours[f[i].verdict] : "",
		       verdicts[f[i].verdict], colour ? "\033[0m" : "",
		       checks[i].name);
		put_line("", f[i].text);
		if (f[i].verdict == VERDICT_OK)
			continue;
		printf("%5s%-24s ", "", "");
		put_line("remedy: ", f[i].remedy);
	}
}

static void print_tap(const struct finding *f, size_t n)
{
	printf("TAP version 13\n1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		printf("%sok %zu - %s\n",
		       f[i].verdict == VERDICT_FAIL ? "not " : "", i + 1,
		       checks[i].name);
		printf("# %s: ", verdicts[f[i].verdict]);
		put_line("", f[i].text);
		if (f[i].verdict != VERDICT_OK)
			put_line("# remedy: ", f[i].remedy);
	}
}

static void print_json(struct ctl *ctl, const struct finding *f, size_t n)
{
	json_object *o = json_new(ctl), *list = json_object_new_array(), *c;
	enum verdict worst = VERDICT_OK;

	for (size_t i = 0; i < n; i++) {
		if (f[i].verdict > worst)
			worst = f[i].verdict;
		c = json_object_new_object();
		json_text(c, "name", checks[i].name, "");
		json_text(c, "verdict", verdicts[f[i].verdict], "");
		json_text(c, "message", f[i].text, "");
		json_text(c, "remedy",
			  f[i].verdict == VERDICT_OK ? NULL : f[i].remedy,
			  "nothing is wrong");
		json_object_array_add(list, c);
	}
	json_text(o, "verdict", verdicts[worst], "");
	json_object_object_add(o, "checks", list);
	out_json(ctl, o);
}

static void open_other(const struct ctl *ctl, uint32_t type, struct other *o)
{
	if (!gmem_name(GMEM_NAME_VM_TYPE, type))
		return;
	o->err.sz = sizeof(o->err);
	if (vm_open(ctl, type, &o->vm, &o->err) < 0)
		return;
	o->private = gmem_vm_has(o->vm, GMEM_FEATURE_VM_ATTRIBUTES) ||
		     gmem_vm_has(o->vm, GMEM_FEATURE_FILE_ATTRIBUTES);
}

/* A VM of the default type, after whose making no rights are needed. */
static int examine(struct ctl *ctl, struct finding *f, size_t *n)
{
	struct patient p = { .ctl = ctl, .err = { .sz = sizeof(p.err) } };
	int status;

	(void)vm_open(ctl, GMEM_VM_DEFAULT, &p.vm, &p.err);
	for (uint32_t t = GMEM_VM_DEFAULT + 1; p.vm && t < TYPES; t++)
		open_other(ctl, t, &p.others[t]);
	for (*n = 0; checks[*n].name; (*n)++) {
		f[*n].verdict = VERDICT_OK;
		f[*n].remedy = "";
		checks[*n].run(&p, &f[*n]);
	}
	status = priv_drop(ctl);
	for (uint32_t t = 0; t < TYPES; t++)
		(void)gmem_vm_destroy(p.others[t].vm, NULL);
	(void)gmem_vm_destroy(p.vm, NULL);
	return status;
}

static int run(struct ctl *ctl)
{
	static struct finding findings[CHECKS_MAX];
	const char *format = args.format ? args.format : "";
	int status;
	size_t n;

	if (ctl->json && args.format && strcmp(format, "json"))
		return usage_error(ctl,
				   "--json and --format %s exclude each other",
				   format);
	ctl->json |= !strcmp(format, "json");
	status = examine(ctl, findings, &n);
	if (status)
		return status;
	if (ctl->json)
		print_json(ctl, findings, n);
	else if (!strcmp(format, "tap"))
		print_tap(findings, n);
	else
		print_text(findings, n);
	for (size_t i = 0; i < n; i++)
		if (findings[i].verdict == VERDICT_FAIL)
			status = CTL_CHECK;
	return status;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.args = "[OPTIONS]",
	.summary = "check whether this host is ready for guest memory",
	.text = "Exit status: 4 if a check failed; a warning is not a failure.",
	.opts = opts,
	.values = &args,
	.run = run,
	.flags = CMD_JSON | CMD_KVM | CMD_TRACE,
};
