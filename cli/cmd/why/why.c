// SPDX-License-Identifier: MIT
/* Which rule a call would break: the calls and their options. */
#include <inttypes.h>
#include <stddef.h>
#include <unistd.h>

#include "cmd/why/why.h"
#include "report/output.h"
#include "report/words.h"
#include "table/array.h"
#include "target/vm.h"

static struct why_args args;

static const char *const states[] = { "private", "shared", NULL };

#define AT(member) offsetof(struct why_args, member)

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
	  .help = "in fd mode: the guest_memfd is behind the slot" },
	{ "hva", NULL, OPT_BITS, AT(bind_flags), .bits = GMEM_SLOT_HVA,
	  .help = "in HVA mode: an ordinary slot on a mapping of it" },
	{ "dirty-log", NULL, OPT_BITS, AT(bind_flags),
	  .bits = GMEM_SLOT_DIRTY_LOG, .help = "it needs a dirty page log" },
	{ "readonly", NULL, OPT_BITS, AT(bind_flags),
	  .bits = GMEM_SLOT_READONLY, .help = "the guest can only read it" },
	{ "alias", NULL, OPT_BITS, AT(bind_flags), .bits = GMEM_SLOT_ALIAS,
	  .help = "its range of the file may be bound elsewhere too" },
	{ "leave-shared", NULL, OPT_BITS, AT(bind_flags),
	  .bits = GMEM_SLOT_LEAVE_SHARED,
	  .help = "its pages do not start private" },
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
	struct why_args *a = w->args;
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

static int why_create(struct ctl *ctl)
{
	struct why w = { .ctl = ctl, .args = &args, .err.sz = sizeof(w.err) };

	return why_ask(&w, why_check_create);
}

static int why_bind(struct ctl *ctl)
{
	struct why w = { .ctl = ctl, .args = &args, .err.sz = sizeof(w.err) };
	int status = complete_range(&w);

	return status ? status : why_ask(&w, why_check_bind);
}

static int why_attributes(struct ctl *ctl)
{
	struct why w = { .ctl = ctl, .args = &args, .err.sz = sizeof(w.err) };
	int status = complete_range(&w);

	return status ? status : why_ask(&w, why_check_attributes);
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
