// SPDX-License-Identifier: MIT
/*
 * features: what a VM of a given type can do here, and how that is known.
 *
 *	features [default|sw-protected|sev|sev-es|snp|tdx]
 */
#include <stdio.h>

#include <gmem.h>

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "default";
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_vm_opts opts = { .sz = sizeof(opts) };
	struct gmem_feature_info info = { .sz = sizeof(info) };
	struct gmem_vm *vm;
	uint64_t type = GMEM_VM_UNSET;
	int status = 0;

	if (argc > 2 || gmem_value(GMEM_NAME_VM_TYPE, name, &type, &err) < 0) {
		fprintf(stderr, "features: no VM type \"%s\"\n", name);
		return 2;
	}
	opts.type = (uint32_t)type;
	if (gmem_vm_open(&opts, &vm, &err) < 0) {
		gmem_print_error(stderr, "features: make a VM", &err);
		return 1;
	}
	printf("%-18s %-8s %-7s %s\n", "FEATURE", "HERE", "SINCE", "KNOWN BY");
	for (uint32_t i = 0; gmem_vm_feature(vm, i, &info, NULL) == 0; i++)
		printf("%-18s %-8s %-7s %s\n", info.name,
		       gmem_name(GMEM_NAME_SUPPORT, info.support),
		       info.since ? info.since : "-", info.known_by);
	gmem_vm_destroy(vm, NULL);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "features: the output could not be written\n");
		status = 1;
	}
	return status;
}
