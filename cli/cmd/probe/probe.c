// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <gmem.h>

#include "cmd/probe/probe.h"
#include "report/error.h"
#include "report/json.h"
#include "report/output.h"
#include "report/words.h"
#include "table/command.h"
#include "target/priv.h"
#include "target/vm.h"

struct args {
	const char *vm_type;
	const char *require;
	const char *format;
};

static const char *const types[] = { "all", NULL };
static const char *const formats[] = { "text", "json", "env", "seccomp", NULL };

static struct args args;

static const struct opt opts[] = {
	{ "vm-type", "TYPE", OPT_TEXT, offsetof(struct args, vm_type),
	  .names = GMEM_NAME_VM_TYPE, .values = types,
	  .help = "the type of the VM; arm64 has default alone; "
		  "all: each one that this host offers" },
	{ "require", "FEATURE,...", OPT_TEXT, offsetof(struct args, require),
	  .help = "exit 3 unless all of these are there" },
	{ "format", "FORMAT", OPT_TEXT, offsetof(struct args, format),
	  .values = formats,
	  .help = "env: GMEM_HAS_NAME=1, 0, or empty for unknown; seccomp: "
		  "the system calls that libgmem makes" },
	{ .name = NULL },
};

static const struct gmem_vm *first_vm(const struct host *h)
{
	uint32_t t = 0;

	while (!h->type[t].vm)
		t++;
	return h->type[t].vm;
}

/* -------------------------------------------------------------- formats -- */

static void print_feature(const struct gmem_feature_info *f)
{
	static const char *const colours[] = {
		[GMEM_UNKNOWN] = "\033[33m",
		[GMEM_NO] = "\033[31m",
		[GMEM_YES] = "\033[32m",
	};
	bool colour = out_colour();
	char answer[24];

	if (f->answer < 0)
		(void)snprintf(answer, sizeof(answer), "-%s",
			       errno_name(-f->answer));
	else
		(void)snprintf(answer, sizeof(answer), "%" PRId32, f->answer);
	printf("%-19s %s%-8s%s%-7s%-8s%s\n", f->name,
	       colour ? colours[f->support] : "", support_name(f),
	       colour ? "\033[0m" : "", f->since ? f->since : "-", answer,
	       f->known_by);
}

static uint64_t sizes_of(const struct gmem_vm *vm)
{
	uint64_t sizes = 0;

	(void)!gmem_vm_hugetlb_sizes(vm, &sizes, NULL);
	return sizes;
}

static void print_sizes(const struct gmem_vm *vm)
{
	uint64_t sizes = sizes_of(vm);
	char text[SIZE_TEXT];

	if (!sizes)
		return;
	printf("%-19s", "  sizes");
	for (; sizes; sizes &= sizes - 1)
		printf(" %s", size_text(sizes & -sizes, text));
	putchar('\n');
}

static void put_host(const struct ctl *ctl)
{
	struct utsname u;

	uname(&u);
	put_plain(stdout, vm_device(ctl));
	printf(" on Linux %s (%s)\n", u.release, u.machine);
}

/* @list NULL: all features. */
static void print_text(const struct host *h, const char *list)
{
	struct gmem_feature_info f;
	bool more = false;

	model_note(h->ctl);
	for (uint32_t t = 0; t < TYPES; t++) {
		const struct gmem_vm *vm = h->type[t].vm;

		if (!vm)
			continue;
		printf("%sVM type %s of ", more ? "\n" : "", vm_type_name(t));
		if (model_name(h->ctl))
			printf("model %s\n", model_name(h->ctl));
		else
			put_host(h->ctl);
		printf("%-19s %-8s%-7s%-8s%s\n", "FEATURE", "SUPPORT", "SINCE",
		       "ANSWER", "HOW KNOWN");
		for (uint32_t i = 0; feature(vm, i, &f); i++) {
			if (list && !listed(list, f.name))
				continue;
			print_feature(&f);
			if (i == GMEM_FEATURE_HUGETLB)
				print_sizes(vm);
		}
		more = true;
	}
}

static void print_env(const struct host *h)
{
	static const char *const values[] = {
		[GMEM_UNKNOWN] = "",
		[GMEM_NO] = "0",
		[GMEM_YES] = "1",
	};
	const struct gmem_vm *vm = first_vm(h);
	struct gmem_feature_info f;

	model_note(h->ctl);
	for (uint32_t i = 0; feature(vm, i, &f); i++) {
		printf("GMEM_HAS_");
		for (const char *c = f.name; *c; c++)
			putchar(*c == '-'		 ? '_'
				: *c >= 'a' && *c <= 'z' ? *c & ~0x20
							 : *c);
		printf("=%s\n", values[f.support]);
	}
}

static json_object *json_sizes(const struct gmem_vm *vm)
{
	json_object *list = json_object_new_array();

	for (uint64_t s = sizes_of(vm); s; s &= s - 1)
		json_object_array_add(list, json_object_new_uint64(s & -s));
	return list;
}

static json_object *json_feature(const struct gmem_feature_info *f)
{
	json_object *o = json_object_new_object();

	json_text(o, "support", support_name(f), "");
	json_text(o, "since", f->since, "in no released kernel");
	json_text(o, "known_by", f->known_by, "");
	json_object_object_add(o, "answer", json_object_new_int(f->answer));
	return o;
}

static json_object *json_vm(const struct gmem_vm *vm,
			    const struct gmem_error *err)
{
	json_object *o = json_object_new_object(), *list = NULL;
	struct gmem_feature_info f;

	if (vm)
		list = json_object_new_object();
	for (uint32_t i = 0; vm && feature(vm, i, &f); i++)
		json_object_object_add(list, f.name, json_feature(&f));
	json_object_object_add(o, "features", list);
	if (vm)
		json_object_object_add(o, "hugetlb_sizes", json_sizes(vm));
	if (!vm) {
		json_text(o, "features_reason",
			  "a VM of this type could not be made", "");
		json_object_object_add(o, "error", json_error(err));
	}
	return o;
}

static void print_json(const struct host *h, json_object *missing)
{
	json_object *o = json_new(h->ctl);
	json_object *list = json_object_new_object();
	bool model = model_name(h->ctl);
	struct utsname u;

	uname(&u);
	json_text(o, "version", gmem_version(), "");
	model_json(h->ctl, o);
	json_text(o, "kernel", model ? NULL : u.release, MODEL_STANDS_IN);
	json_text(o, "machine", model ? model_machine(h->ctl) : u.machine, "");
	json_text(o, "device", model ? NULL : vm_device(h->ctl),
		  MODEL_STANDS_IN);
	for (uint32_t t = 0; t < TYPES; t++)
		if (h->type[t].vm || h->type[t].err.code)
			json_object_object_add(
				list, vm_type_name(t),
				json_vm(h->type[t].vm, &h->type[t].err));
	json_object_object_add(o, "vm_types", list);
	json_object_object_add(o, "missing", json_object_get(missing));
	out_json(h->ctl, o);
}

static int print_seccomp(void)
{
	struct gmem_syscall s = { .sz = sizeof(s) };
	char number[24];

	printf("# %-16s %-28s %-11s %s\n", "SYSTEM CALL", "REQUEST", "NUMBER",
	       "CALLERS");
	for (uint32_t i = 0; !gmem_syscall_info(i, &s, NULL); i++) {
		(void)snprintf(number, sizeof(number), "0x%" PRIx64, s.number);
		printf("%-18s %-28s %-11s %s\n", s.name,
		       s.request ? s.request : "-", s.request ? number : "-",
		       s.callers);
	}
	return CTL_OK;
}

/* -------------------------------------------------------------- command -- */

/* Whether this host has VMs of @type, as a default VM knows; or may have. */
static bool offered(const struct gmem_vm *vm, uint32_t type)
{
	struct gmem_feature_info f;
	char name[40];
	int n;

	if (!vm_type_name(type))
		return false;
	n = snprintf(name, sizeof(name), "vm-%s", vm_type_name(type));
	return find_feature(vm, name, (size_t)n, &f) && f.support != GMEM_NO;
}

/* Makes the VMs asked about.  Return: 0, or the exit status. */
static int open_vms(struct host *h, const char *name)
{
	bool all = name && !strcmp(name, "all");
	uint32_t type = vm_type_of(all ? NULL : name);
	struct gmem_vm *first;

	for (uint32_t t = 0; t < TYPES; t++)
		h->type[t].err.sz = sizeof(h->type[t].err);
	if (vm_open(h->ctl, type, &h->type[type].vm, &h->type[type].err) < 0)
		return vm_failed(h->ctl, &h->type[type].err);
	first = h->type[type].vm;
	for (uint32_t t = type + 1; all && t < TYPES; t++)
		if (offered(first, t))
			(void)vm_open(h->ctl, t, &h->type[t].vm,
				      &h->type[t].err);
	return priv_drop(h->ctl);
}

/* Types of --vm-type all that could not be made after all. */
static bool tell_failed(const struct host *h)
{
	bool any = false;
	char text[1024];

	for (uint32_t t = 0; t < TYPES; t++) {
		if (!h->type[t].err.code)
			continue;
		error_text(&h->type[t].err, text, sizeof(text));
		message(h->ctl, "VM type %s: %s", vm_type_name(t), text);
		any = true;
	}
	return any;
}

static int report(const struct host *h, const struct args *a)
{
	json_object *missing = json_object_new_array();
	int status = CTL_OK;

	for (uint32_t t = 0; t < TYPES && a->require; t++)
		if (h->type[t].vm)
			add_missing(h, t, a->require, missing);
	if (h->ctl->json)
		print_json(h, missing);
	else if (a->format && !strcmp(a->format, "env"))
		print_env(h);
	else
		print_text(h, a->require);
	if (tell_failed(h))
		status = CTL_CHECK;
	tell_missing(h, missing);
	if (json_object_array_length(missing))
		status = CTL_UNSUPPORTED;
	json_object_put(missing);
	return status;
}

/* Options that contradict one another.  Return: 0, or the exit status. */
static int check_args(struct ctl *ctl, const struct args *a)
{
	const char *format = a->format ? a->format : "";

	if (ctl->json && a->format && strcmp(format, "json"))
		return usage_error(ctl,
				   "--json and --format %s exclude each "
				   "other",
				   format);
	if (!strcmp(format, "seccomp") &&
	    (a->vm_type || a->require || model_name(ctl)))
		return usage_error(ctl, "--format seccomp looks at no VM: it "
					"goes with none of --vm-type, "
					"--require and --model");
	if (!strcmp(format, "env") && a->vm_type && !strcmp(a->vm_type, "all"))
		return usage_error(ctl, "--format env is for one VM type, not "
					"for all");
	ctl->json |= !strcmp(format, "json");
	return 0;
}

static int run(struct ctl *ctl)
{
	const struct args *a = &args;
	struct host h = { .ctl = ctl };
	int status = check_args(ctl, a);

	if (status)
		return status;
	if (a->format && !strcmp(a->format, "seccomp"))
		return print_seccomp();
	/* A mistake is one whatever this machine has. */
	if (a->require)
		status = check_names_early(ctl, a->require);
	if (!status)
		status = open_vms(&h, a->vm_type);
	if (!status && a->require)
		status = check_names(ctl, first_vm(&h), a->require);
	if (!status)
		status = report(&h, a);
	for (uint32_t t = 0; t < TYPES; t++)
		(void)gmem_vm_destroy(h.type[t].vm, NULL);
	return status;
}

const struct cmd cmd_probe = {
	.name = "probe",
	.args = "[OPTIONS]",
	.summary = "show what this host's KVM offers for guest memory",
	.text = "Each feature is tried or asked of a VM made for it: yes, no, "
		"or unknown.",
	.opts = opts,
	.values = &args,
	.run = run,
	.flags = CMD_ON_A_VM,
};
