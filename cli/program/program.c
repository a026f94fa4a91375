// SPDX-License-Identifier: MIT
#include "program/program.h"

#define AT(member) offsetof(struct program, member)

const struct opt common_opts[] = {
	{ "help", NULL, OPT_HELP, 0, .letter = 'h',
	  .help = "print this and exit" },
	{ "version", NULL, OPT_VERSION, 0, .letter = 'V',
	  .help = "print the version and exit" },
	{ "json", NULL, OPT_BOOL, AT(ctl.json), .letter = 'j', .need = CMD_JSON,
	  .help = "print one JSON object" },
	{ "device", "PATH", OPT_TEXT, AT(kvm.device), .need = CMD_KVM,
	  .help = "the KVM device (" GMEM_DEVICE ")" },
	{ "model", "PROFILE", OPT_MODEL, AT(kvm.model),
	  .without = MODEL_DEFAULT, .need = CMD_MODEL,
	  .help = "a model of that kernel (" MODEL_DEFAULT ") instead of "
		  "this machine's; help: list them" },
	{ "hugetlb-encoding", "NAME", OPT_TEXT, AT(kvm.hugetlb_encoding),
	  .names = GMEM_NAME_HUGETLB_ENCODING, .need = CMD_HUGETLB,
	  .help = "how a kernel built with an unmerged series is asked for "
		  "huge pages" },
	{ "verbose", NULL, OPT_BOOL, AT(kvm.verbose), .letter = 'v',
	  .need = CMD_TRACE,
	  .help = "print each system call on standard error" },
	{ .name = NULL },
};

const struct cmd *program_cmd(const struct program *p)
{
	return p->sub ? p->sub : p->cmd;
}

size_t cmd_opts(const struct cmd *cmd, const struct opt *list[CMD_OPTS_MAX])
{
	unsigned int flags = cmd ? cmd->flags : ~0U;
	const struct opt *o;
	size_t n = 0;

	for (o = cmd ? cmd->opts : NULL; o && o->name; o++)
		list[n++] = o;
	for (o = cmd ? cmd->more_opts : NULL; o && o->name; o++)
		list[n++] = o;
	for (o = common_opts; o->name; o++)
		if ((o->need & flags) == o->need)
			list[n++] = o;
	return n;
}

const char *opt_value(const struct opt *o, uint32_t index)
{
	uint32_t n = 0;

	if (o->kind == OPT_MODEL)
		return model_word(index);
	while (o->names && gmem_name_at(o->names, n, NULL))
		n++;
	if (index < n)
		return gmem_name_at(o->names, index, NULL);
	return o->values ? o->values[index - n] : NULL;
}
