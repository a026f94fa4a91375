// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <numa.h>

#include "report/json.h"
#include "report/output.h"
#include "table/array.h"
#include "target/model.h"
#include "target/vm.h"

#define LIST "help"
#define MODEL_NODES_MAX 32

static const struct {
	const char *word; /* behind the profile; "" = the usual one */
	const char *uname, *text;
	uint32_t machine;
} machines[] = {
	{ "", "x86_64", NULL, GMEM_MODEL_X86 },
	{ "software", "x86_64",
	  "x86-64 without two-dimensional paging and private memory",
	  GMEM_MODEL_X86_SOFTWARE },
	{ "arm64", "aarch64", "arm64", GMEM_MODEL_ARM64 },
};

static bool profile_at(uint32_t index, struct gmem_model_profile *p)
{
	*p = (struct gmem_model_profile){ .sz = sizeof(*p) };
	return gmem_model_profile_info(index, p, NULL) == 0;
}

static bool find_profile(const char *name, struct gmem_model_profile *p)
{
	for (uint32_t i = 0; profile_at(i, p); i++)
		if (!strcmp(p->name, name))
			return true;
	return false;
}

const char *model_word(uint32_t index)
{
	struct gmem_model_profile p;

	if (profile_at(index, &p))
		return p.name;
	return index == 0 || profile_at(index - 1, &p) ? LIST : NULL;
}

static int unknown(struct ctl *ctl, const char *value)
{
	char list[256];
	const char *word;
	size_t n = 0;

	for (uint32_t i = 0; (word = model_word(i)) && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
				      i ? ", " : "", word);
	return usage_error(ctl, "--model: '%.80s' is not one of %s", value,
			   list);
}

int model_parse(struct ctl *ctl, const char *value, struct model *out)
{
	size_t n = strcspn(value, ","), i = 0;
	const char *machine = value[n] ? value + n + 1 : "";
	struct gmem_model_profile p;
	struct model m = { .help = !strcmp(value, LIST) };

	if (m.help) {
		*out = m;
		return 0;
	}
	if (n >= sizeof(m.profile))
		return unknown(ctl, value);
	memcpy(m.profile, value, n);
	if (!find_profile(m.profile, &p))
		return unknown(ctl, m.profile);
	while (i < ARRAY_SIZE(machines) && strcmp(machines[i].word, machine))
		i++;
	if (i == ARRAY_SIZE(machines) || (value[n] && !*machine))
		return usage_error(ctl,
				   "--model: '%.80s': behind the profile is "
				   "no machine: ,software or ,arm64",
				   value);
	m.machine = machines[i].machine;
	(void)snprintf(m.name, sizeof(m.name), "%s", value);
	*out = m;
	return 0;
}

/* 618 of "6.18.44-generic", as the profiles have it. */
static uint32_t version_of(const char *release)
{
	char *end;
	unsigned long major = strtoul(release, &end, 10), minor = 0;

	if (*end == '.')
		minor = strtoul(end + 1, NULL, 10);
	return (uint32_t)(100 * major + (minor < 100 ? minor : 99));
}

void model_nearest(struct model *out)
{
	struct gmem_model_profile p, best = { .name = NULL };
	struct utsname host;
	uint32_t version;
	size_t m = 0;

	if (uname(&host) < 0)
		*host.release = *host.machine = '\0';
	version = version_of(host.release);
	for (uint32_t i = 0; profile_at(i, &p); i++)
		if (p.verified && !(p.flags & GMEM_MODEL_PROFILE_IN_PLACE) &&
		    (!best.name ||
		     (p.version <= version && p.version > best.version)))
			best = p;
	for (size_t i = ARRAY_SIZE(machines); i-- > 0;)
		if (!strcmp(machines[i].uname, host.machine))
			m = i;
	*out = (struct model){ .machine = machines[m].machine,
			       .stands_in = true };
	(void)snprintf(out->profile, sizeof(out->profile), "%s", best.name);
	(void)snprintf(out->name, sizeof(out->name), "%s%s%s", best.name,
		       *machines[m].word ? "," : "", machines[m].word);
}

/* Which kernels it was verified against, if any. */
#define VERIFIED_TEXT 256
static const char *verified(const struct gmem_model_profile *p,
			    char buf[VERIFIED_TEXT])
{
	(void)snprintf(buf, VERIFIED_TEXT, "%s%s",
		       p->verified ? "verified against " : "specification only",
		       p->verified ? p->verified : "");
	return buf;
}

static void help_json(struct ctl *ctl)
{
	json_object *o = json_object_new_object(), *list, *words, *one;
	struct gmem_model_profile p;

	json_text(o, "schema", "gmemctl.model/1", "");
	json_text(o, "default", MODEL_DEFAULT, "");
	list = json_object_new_array();
	for (uint32_t i = 0; profile_at(i, &p); i++) {
		one = json_object_new_object();
		json_text(one, "name", p.name, "");
		json_text(one, "summary", p.summary, "");
		json_text(one, "verified", p.verified, "specification only");
		json_object_array_add(list, one);
	}
	json_object_object_add(o, "profiles", list);
	words = json_object_new_array();
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (*machines[i].word)
			json_object_array_add(words, json_object_new_string(
							     machines[i].word));
	json_object_object_add(o, "machines", words);
	out_json(ctl, o);
}

void model_help(struct ctl *ctl)
{
	struct gmem_model_profile p;
	char text[VERIFIED_TEXT];

	if (ctl->json) {
		help_json(ctl);
		return;
	}
	for (uint32_t i = 0; profile_at(i, &p); i++)
		printf("%-13s %s%s\n%-13s %s\n", p.name, p.summary,
		       strcmp(p.name, MODEL_DEFAULT) ? "" : " (the default)",
		       "", verified(&p, text));
	puts("\nThe machine is x86-64, or what is named behind the profile:");
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (machines[i].text)
			printf(",%-12s %s\n", machines[i].word,
			       machines[i].text);
}

/* As many as this host has and the model can have. */
static uint32_t host_nodes(void)
{
	int n = numa_available() < 0 ? 1 : numa_max_node() + 1;

	return n < MODEL_NODES_MAX ? (uint32_t)n : MODEL_NODES_MAX;
}

int model_vm_open(const struct ctl *ctl, const struct gmem_vm_opts *vm,
		  struct gmem_vm **out, struct gmem_error *err)
{
	struct gmem_model_opts opts = {
		.sz = sizeof(opts),
		.vm = vm,
		.machine = ctl->kvm->model.machine,
		.nodes = ctl->kvm->model.stands_in ? host_nodes() : MODEL_NODES,
	};
	const uint32_t usual =
		1U << (GMEM_VM_DEFAULT - 1) | 1U << (GMEM_VM_SW_PROTECTED - 1);

	/* Its CPU has what the VM asks for, as far as the kernel knows it. */
	if (opts.machine == GMEM_MODEL_X86)
		opts.vm_types = usual | 1U << (vm->type - GMEM_VM_DEFAULT);
	return gmem_model_vm_open(ctl->kvm->model.profile, &opts, out, err);
}

uint32_t model_encoding(const struct ctl *ctl)
{
	struct gmem_model_profile p;

	return model_name(ctl) && find_profile(ctl->kvm->model.profile, &p)
		       ? p.hugetlb_encoding
		       : (uint32_t)GMEM_HUGETLB_MERGED;
}

const char *model_name(const struct ctl *ctl)
{
	return *ctl->kvm->model.name ? ctl->kvm->model.name : NULL;
}

const char *model_machine(const struct ctl *ctl)
{
	size_t i = 0;

	while (machines[i].machine != ctl->kvm->model.machine)
		i++;
	return machines[i].uname;
}

void model_note(const struct ctl *ctl)
{
	struct gmem_model_profile p;
	char text[VERIFIED_TEXT];

	if (model_name(ctl) && find_profile(ctl->kvm->model.profile, &p))
		printf("# model %s: %s\n", model_name(ctl), verified(&p, text));
}

void model_json(const struct ctl *ctl, json_object *to)
{
	json_text(to, "model", model_name(ctl), "the kernel of this machine");
}
