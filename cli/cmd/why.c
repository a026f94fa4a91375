// SPDX-License-Identifier: MIT
/*
 * Which rule a call would break.  The library is asked, on a real VM, with
 * the CHECK_ONLY flag of the call; what the call builds on is really made.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gmem.h>

#include "report/error.h"
#include "report/json.h"
#include "report/output.h"
#include "report/words.h"
#include "table/array.h"
#include "table/command.h"
#include "target/priv.h"
#include "target/vm.h"

/* The options of all three calls. */
struct args {
	const char *vm_type;
	uint64_t create_flags;
	struct opt_size hugetlb;
	struct opt_size size;
	struct opt_list with;
	struct opt_size offset, len;
	struct opt_size gpa;
	struct opt_u32 slot, address_space;
	uint64_t bind_flags;
	const char *to;
};

static struct args args;

static const char *const states[] = { "private", "shared", NULL };

#define AT(member) offsetof(struct args, member)

#define SIZE_OPT "size", "SIZE", OPT_SIZE, AT(size), .help = "bytes of the file"

static const struct opt create_opts[] = {
	{ SIZE_OPT, .required = true },
	{ .name = NULL },
};

static const struct opt file_opts[] = {
	{ "hugetlb", "SIZE", OPT_SIZE, AT(hugetlb),
	  .help = "in huge pages of this size" },
	{ "shared", NULL, OPT_BITS, AT(create_flags), .bits = FILE_SHARED,
	  .help = "short for --mmap --init-shared" },
	{ "mmap", NULL, OPT_BITS, AT(create_flags), .bits = GMEM_CREATE_MMAP,
	  .help = "the host may map it" },
	{ "init-shared", NULL, OPT_BITS, AT(create_flags),
	  .bits = GMEM_CREATE_INIT_SHARED,
	  .help = "it starts shared with the host" },
	{ "guest-only", NULL, OPT_BITS, AT(create_flags),
	  .bits = GMEM_CREATE_GUEST_ONLY,
	  .help = "mappable, yet the host can touch none of it" },
	{ "unbound", NULL, OPT_BITS, AT(create_flags),
	  .bits = GMEM_CREATE_UNBOUND, .help = "it will not back a guest" },
	{ "vm-type", "TYPE", OPT_TEXT, AT(vm_type), .names = GMEM_NAME_VM_TYPE,
	  .help = "the type of the VM; arm64 has default alone" },
	{ .name = NULL },
};

#define WITH "SLOT:GPA:OFFSET:LEN"
#define WITH_HELP "bind this slot of the file first; may be repeated"

static const struct opt bind_opts[] = {
	{ "slot", "N", OPT_U32, AT(slot), .required = true,
	  .help = "the slot's number" },
	{ "gpa", "ADDRESS", OPT_SIZE, AT(gpa), .required = true,
	  .help = "the guest physical address" },
	{ "offset", "OFFSET", OPT_SIZE, AT(offset),
	  .help = "where in the file it begins (0)" },
	{ "len", "LEN", OPT_SIZE, AT(len), .help = "bytes of the slot" },
	{ "with", WITH, OPT_LIST, AT(with), .help = WITH_HELP },
	{ "fd", NULL, OPT_BITS, AT(bind_flags), .bits = GMEM_SLOT_FD,
	  .help = "only with the guest_memfd behind the slot" },
	{ "hva", NULL, OPT_BITS, AT(bind_flags), .bits = GMEM_SLOT_HVA,
	  .help = "only as an ordinary slot on a mapping of it" },
	{ "dirty-log", NULL, OPT_BITS, AT(bind_flags),
	  .bits = GMEM_SLOT_DIRTY_LOG, .help = "dirty page logging is needed" },
	{ "readonly", NULL, OPT_BITS, AT(bind_flags),
	  .bits = GMEM_SLOT_READONLY,
	  .help = "read-only for the guest is needed" },
	{ "alias", NULL, OPT_BITS, AT(bind_flags), .bits = GMEM_SLOT_ALIAS,
	  .help = "a range that is bound elsewhere too is needed" },
	{ "leave-shared", NULL, OPT_BITS, AT(bind_flags),
	  .bits = GMEM_SLOT_LEAVE_SHARED, .help = "do not start private" },
	{ "address-space", "N", OPT_U32, AT(address_space),
	  .help = "0; 1 is x86-64 SMM where there is one" },
	{ SIZE_OPT },
	{ .name = NULL },
};

static const struct opt attributes_opts[] = {
	{ "to", "STATE", OPT_TEXT, AT(to), .values = states, .required = true,
	  .help = "what the range is to become" },
	{ "offset", "OFFSET", OPT_SIZE, AT(offset),
	  .help = "where in the file it begins (0)" },
	{ "len", "LEN", OPT_SIZE, AT(len), .help = "bytes of the range" },
	{ "with", WITH, OPT_LIST, AT(with), .help = WITH_HELP },
	{ SIZE_OPT },
	{ .name = NULL },
};

struct why {
	struct ctl *ctl;
	struct args *args;
	struct gmem_vm *vm;
	struct gmem *file;
	const char *step; /* what .err is about: "create", "with" ... */
	struct gmem_error err;
	const char *mode; /* of a bind that would be accepted ... */
	uint64_t lost;	  /* ... and where the guest gets no huge pages */
};

/* --------------------------------------------------------------- answer -- */

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

static void lost_text(const struct why *w)
{
	const struct args *a = w->args;
	char page[SIZE_TEXT];

	if (!w->lost)
		return;
	size_text(gmem_page_size(w->file), page);
	if (w->lost & GMEM_SLOT_NO_HUGE)
		printf("huge pages: none for the guest: gpa 0x%" PRIx64
		       " and offset 0x%" PRIx64 " lie differently in a page of "
		       "%s, or none fits into the slot\n",
		       a->gpa.value, a->offset.value, page);
	if (w->lost & GMEM_SLOT_SMALL_START)
		printf("huge pages: none where the slot begins: gpa 0x%" PRIx64
		       " is not a multiple of %s\n",
		       a->gpa.value, page);
	if (w->lost & GMEM_SLOT_SMALL_END)
		printf("huge pages: none where the slot ends: gpa + len "
		       "0x%" PRIx64 " is not a multiple of %s\n",
		       a->gpa.value + a->len.value, page);
}

static json_object *lost_json(const struct why *w)
{
	json_object *list = json_object_new_array();
	uint64_t flag;

	for (uint64_t rest = w->lost; rest; rest &= rest - 1) {
		flag = rest & -rest;
		json_object_array_add(
			list, json_object_new_string(
				      gmem_name(GMEM_NAME_SLOT_FLAG, flag)));
	}
	return list;
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
	json_object_object_add(o, "huge_pages_lost", lost_json(w));
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
		lost_text(w);
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

static int answer(const struct why *w)
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

/* ---------------------------------------------------------- preparation -- */

static int create(struct why *w, uint64_t flags, struct gmem **out)
{
	const struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = w->args->create_flags | flags,
		.hugetlb_size = w->args->hugetlb.value,
	};

	w->step = "create";
	return gmem_create(w->vm, w->args->size.value, &opts, out, &w->err);
}

/* The slots of --with.  Return: 0, -errno in w->err, or the exit status. */
static int bind_others(struct why *w)
{
	struct slot_spec s = { .slot = 0 };
	struct gmem_slot slot;
	int r;

	for (size_t i = 0; i < w->args->with.n; i++) {
		w->step = "with";
		(void)parse_slot_spec(w->args->with.value[i], &s);
		slot = (struct gmem_slot){
			.sz = sizeof(slot),
			.slot = s.slot,
			.gpa = s.gpa,
			.len = s.len,
			.offset = s.offset,
			.gmem = w->file,
		};
		r = gmem_bind(&slot, &w->err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Where the file must end to hold this range as well; that may be nowhere. */
static void extend(uint64_t *end, uint64_t offset, uint64_t len)
{
	if (len <= INT64_MAX && offset <= INT64_MAX - len &&
	    offset + len > *end)
		*end = offset + len;
}

/* Fills in the defaults of --len and --size, which are each other's. */
static int complete_range(struct why *w)
{
	struct args *a = w->args;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), end = 1;
	struct slot_spec s = { .slot = 0 };
	const char *problem;

	if (!a->len.given && !a->size.given)
		return usage_error(w->ctl, "--len or --size is needed");
	for (size_t i = 0; i < a->with.n; i++) {
		problem = parse_slot_spec(a->with.value[i], &s);
		if (problem)
			return usage_error(w->ctl, "--with: '%s' %s",
					   a->with.value[i], problem);
		extend(&end, s.offset, s.len);
	}
	if (a->hugetlb.value)
		page = a->hugetlb.value;
	if (!a->len.given)
		a->len.value = page;
	if (!a->len.given && a->size.value > a->offset.value)
		a->len.value = a->size.value - a->offset.value;
	extend(&end, a->offset.value, a->len.value);
	if (!a->size.given)
		a->size.value = end + (page - end % page) % page;
	return 0;
}

/* ---------------------------------------------------------------- calls -- */

/* What the probes could not find out, the library leaves to the kernel. */
static void check_known(struct why *w)
{
	static const struct {
		uint64_t flags;
		uint32_t feature;
	} needs[] = {
		{ 0, GMEM_FEATURE_GUEST_MEMFD },
		{ GMEM_CREATE_MMAP, GMEM_FEATURE_MMAP },
		{ GMEM_CREATE_INIT_SHARED, GMEM_FEATURE_INIT_SHARED },
	};
	struct gmem_feature_info info = { .sz = sizeof(info) };

	for (size_t i = 0; i < ARRAY_SIZE(needs) && !w->err.code; i++) {
		if (needs[i].flags & ~w->args->create_flags ||
		    gmem_vm_feature(w->vm, needs[i].feature, &info, NULL) < 0 ||
		    info.support != GMEM_UNKNOWN)
			continue;
		(void)refuse(&w->err, info.answer, GMEM_REASON_KERNEL,
			     "whether this VM has %s is not known: %s "
			     "said %s",
			     info.name, info.known_by,
			     errno_name(-info.answer));
	}
}

static void check_create(struct why *w)
{
	if (create(w, GMEM_CREATE_CHECK_ONLY, NULL) == 0)
		check_known(w);
}

static void check_bind(struct why *w)
{
	const struct args *a = w->args;
	struct gmem_slot slot = {
		.sz = sizeof(slot),
		.slot = a->slot.value,
		.address_space = a->address_space.value,
		.gpa = a->gpa.value,
		.len = a->len.value,
		.offset = a->offset.value,
		.gmem = w->file,
		.flags = a->bind_flags | GMEM_SLOT_CHECK_ONLY,
	};

	w->step = "bind";
	if (gmem_bind(&slot, &w->err) == 0)
		w->mode = slot_mode(&slot);
	w->lost = slot.flags & (GMEM_SLOT_NO_HUGE | GMEM_SLOT_SMALL_START |
				GMEM_SLOT_SMALL_END);
}

static void check_attributes(struct why *w)
{
	const struct args *a = w->args;
	const struct gmem_attributes_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_ATTRIBUTES_CHECK_ONLY,
	};
	uint64_t to = GMEM_ATTRIBUTE_SHARED;

	(void)!gmem_value(GMEM_NAME_ATTRIBUTE, a->to, &to, NULL);
	w->step = "attributes";
	(void)!gmem_set_attributes(w->file, a->offset.value, a->len.value, to,
				   &opts, &w->err);
}

/* Makes what @check needs, asks it, and answers. */
static int ask(struct why *w, void (*check)(struct why *))
{
	int status = vm_start(w->ctl, w->args->vm_type, &w->vm);

	if (status)
		return status;
	status = priv_drop(w->ctl);
	if (status)
		goto out;
	if (check == check_create ||
	    (!create(w, 0, &w->file) && !bind_others(w)))
		check(w);
	status = answer(w);
out:
	(void)gmem_vm_destroy(w->vm, NULL);
	return status;
}

static int why_create(struct ctl *ctl)
{
	struct why w = { .ctl = ctl, .args = &args, .err.sz = sizeof(w.err) };

	return ask(&w, check_create);
}

static int why_bind(struct ctl *ctl)
{
	struct why w = { .ctl = ctl, .args = &args, .err.sz = sizeof(w.err) };
	int status = complete_range(&w);

	return status ? status : ask(&w, check_bind);
}

static int why_attributes(struct ctl *ctl)
{
	struct why w = { .ctl = ctl, .args = &args, .err.sz = sizeof(w.err) };
	int status = complete_range(&w);

	return status ? status : ask(&w, check_attributes);
}

static const struct cmd create_cmd = {
	.name = "create",
	.args = "--size SIZE [OPTIONS]",
	.summary = "would gmem_create(3) make this file",
	.opts = create_opts,
	.more_opts = file_opts,
	.values = &args,
	.run = why_create,
	.flags = CMD_ON_A_VM,
};

static const struct cmd bind_cmd = {
	.name = "bind",
	.args = "--slot N --gpa ADDRESS [--offset OFFSET] [--len LEN] "
		"[OPTIONS]",
	.summary = "would gmem_bind(3) make this memory slot",
	.text = "The file is made for the question, and so are the slots of "
		"--with, in their order.  --len is by default all behind "
		"--offset, and --size just enough for the slot; one of the "
		"two must be given.",
	.opts = bind_opts,
	.more_opts = file_opts,
	.values = &args,
	.run = why_bind,
	.flags = CMD_ON_A_VM,
};

static const struct cmd attributes_cmd = {
	.name = "attributes",
	.args = "--to private|shared [--offset OFFSET] [--len LEN] [OPTIONS]",
	.summary = "would gmem_set_attributes(3) convert this range",
	.text = "The file is made for the question, and so are the slots of "
		"--with, in their order: without one no guest has the "
		"memory.  --len is by default all behind --offset, and "
		"--size just enough for the range; one of the two must be "
		"given.",
	.opts = attributes_opts,
	.more_opts = file_opts,
	.values = &args,
	.run = why_attributes,
	.flags = CMD_ON_A_VM,
};

static const struct cmd *const calls[] = {
	&create_cmd,
	&bind_cmd,
	&attributes_cmd,
	NULL,
};

const struct cmd cmd_why = {
	.name = "why",
	.args = "CALL [OPTIONS]",
	.summary = "show which rule a call would break, before it is made",
	.text = "The answer comes from a VM of the type asked about.  Exit "
		"status: 0 the call would be accepted, 4 it breaks a rule, 3 "
		"this host does not support it.",
	.subs = calls,
	.flags = CMD_ON_A_VM,
};
