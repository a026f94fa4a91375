// SPDX-License-Identifier: MIT
/*
 * Bytes as calls, on the model: the first byte is the profile.  The same calls
 * in a second kernel give the same results, a library call that is refused
 * changes nothing, and after any calls everything can be destroyed.
 */
#include <string.h>

#include "fuzz.h"
#include "side.h"

#define CALLS_MAX 64
#define RECORD_MAX 65536

/*
 * What a refused call must not have changed.  Populating fails where the kernel
 * does, after some pages were allocated.
 */
static uint64_t state(struct side *s, const char *call)
{
	static uint64_t record[RECORD_MAX / sizeof(uint64_t)];
	uint64_t h = strcmp(call, "gmem_populate") ? side_digest(s) : 0;

	for (int i = 0; i < LIB_FILES; i++) {
		size_t len = sizeof(record);

		if (!s->lib_files[i])
			continue;
		memset(record, 0, sizeof(record));
		HOLDS(gmem_attributes_export(s->lib_files[i], record, &len,
					     NULL) == 0);
		for (size_t n = 0; n * sizeof(*record) < len; n++)
			h = side_hash(h, record[n]);
	}
	return h;
}

static void run(struct side *s, const struct op *op, struct result *r)
{
	const char *call = op_type(op->kind)->name;
	bool library = !strncmp(call, "gmem_", 5);
	uint64_t before = library ? state(s, call) : 0;

	side_run(s, op, r);
	HOLDS(r->ret == SKIPPED || r->ret >= -4095);
	if (library && r->ret < 0 && r->ret != SKIPPED) {
		HOLDS(r->x[0] != GMEM_REASON_NONE);
		/* .x[2] is how far the call came. */
		HOLDS(r->x[2] || state(s, call) == before);
	}
}

/* By the first byte: the profile, the machine and the type of the VM. */
static void open_side(struct side *s, uint8_t which)
{
	struct gmem_model_profile p = { .sz = sizeof(p) };
	struct gmem_vm_opts vm = { .sz = sizeof(vm) };
	struct gmem_model_opts o = { .sz = sizeof(o), .vm = &vm };
	const char *why = "";
	uint32_t profiles = 0;

	if (which & 0x80)
		o.machine = GMEM_MODEL_X86_SOFTWARE;
	else if (which & 0x40)
		vm.type = GMEM_VM_SW_PROTECTED;
	while (gmem_model_profile_info(profiles, &p, NULL) == 0)
		profiles++;
	(void)gmem_model_profile_info(which % profiles, &p, NULL);
	if (side_open(s, p.name, &o, &why) < 0) {
		(void)fprintf(stderr, "%s\n", why);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct side side[2];
	struct result r[2];
	struct op op;
	size_t n = 0;

	if (size < 1)
		return 0;
	for (int i = 0; i < 2; i++)
		open_side(&side[i], data[0]);
	for (size_t at = 1; at + sizeof(op) <= size && n < CALLS_MAX;
	     at += sizeof(op), n++) {
		memcpy(&op, data + at, sizeof(op));
		for (int i = 0; i < 2; i++)
			run(&side[i], &op, &r[i]);
		HOLDS(!memcmp(&r[0], &r[1], sizeof(r[0])));
	}
	HOLDS(side_contents(&side[0]) == side_contents(&side[1]));
	for (int i = 0; i < 2; i++)
		side_close(&side[i]);
	return 0;
}
