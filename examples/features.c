// SPDX-License-Identifier: MIT
/*
 * features: what a VM of a given type can do here, and how that is known.
 *
 *	features [default|sw-protected|sev|sev-es|snp|tdx]
 */
#include <stdio.h>
#include <string.h>

#include <gmem.h>

static const struct {
	const char *name;
	enum gmem_vm_type type;
} vm_types[] = {
	{ "default", GMEM_VM_DEFAULT },
	{ "sw-protected", GMEM_VM_SW_PROTECTED },
	{ "sev", GMEM_VM_SEV },
	{ "sev-es", GMEM_VM_SEV_ES },
	{ "snp", GMEM_VM_SNP },
	{ "tdx", GMEM_VM_TDX },
};

static const char *const support[] = {
	[GMEM_UNKNOWN] = "unknown",
	[GMEM_NO] = "no",
	[GMEM_YES] = "yes",
};

static enum gmem_vm_type find_type(const char *name)
{
	for (size_t i = 0; i < sizeof(vm_types) / sizeof(vm_types[0]); i++)
		if (!strcmp(vm_types[i].name, name))
			return vm_types[i].type;
	return GMEM_VM_UNSET;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "default";
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_vm_opts opts = { .sz = sizeof(opts) };
	struct gmem_feature_info info = { .sz = sizeof(info) };
	struct gmem_vm *vm;
	char text[512];

	opts.type = find_type(name);
	if (argc > 2 || opts.type == GMEM_VM_UNSET) {
		fprintf(stderr, "features: no VM type \"%s\"\n", name);
		return 2;
	}
	if (gmem_vm_open(&opts, &vm, &err) < 0) {
		gmem_strerror(&err, text, sizeof(text));
		fprintf(stderr, "features: make a VM: %s\n", text);
		return 1;
	}
	printf("%-18s %-8s %-7s %s\n", "FEATURE", "HERE", "SINCE", "KNOWN BY");
	for (uint32_t i = 0; gmem_vm_features(vm, i, &info, NULL) >= 0; i++)
		printf("%-18s %-8s %-7s %s\n", info.name, support[info.support],
		       info.since ? info.since : "-", info.known_by);
	gmem_vm_destroy(vm, NULL);
	return 0;
}
