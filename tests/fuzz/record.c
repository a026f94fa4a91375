// SPDX-License-Identifier: MIT
/*
 * Any bytes as a record, or a valid record with any runs.  An accepted record
 * is exported again unchanged; a refused one changes nothing.  The first byte
 * chooses the form, and whether all of the file has a slot.
 */
#include <endian.h>
#include <string.h>
#include <unistd.h>

#include <gmem_model.h>

#include "fuzz.h"
#include "record.h"

#define RECORD_ONLY 1
#define WHOLE 2
#define FORMED 4

#define SIZE (4ULL << 20)

#define ROOM 65536
#define HEADER 40

/* The record of two bytes a run, which end where the file does. */
static size_t formed(const uint8_t *data, size_t size, unsigned char *to)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), left = SIZE / page;
	uint64_t head[5] = { 0, htole64(1), htole64(page), htole64(SIZE), 0 };
	uint64_t n = 0, run, state, word, last = 3;

	for (; left; left -= run, last = state, n++) {
		run = left;
		state = (last + 1) % 3;
		if (size >= 2) {
			run = 1 + data[0] * (uint64_t)(data[1] >> 2);
			state = data[1] % 3;
			data += 2;
			size -= 2;
		}
		if (run > left)
			run = left;
		if (state == last)
			state = (last + 1) % 3;
		word = htole64(run << 2 | state);
		memcpy(to + HEADER + 8 * n, &word, 8);
	}
	memcpy(head, "gmemattr", 8);
	head[4] = htole64(n);
	memcpy(to, head, HEADER);
	return HEADER + 8 * n;
}

static size_t export(const struct gmem *g, void *buf)
{
	size_t need = 0, len = ROOM;

	HOLDS(gmem_attributes_export(g, NULL, &need, NULL) == 0);
	HOLDS(gmem_attributes_export(g, buf, &len, NULL) == 0);
	HOLDS(len <= need && need <= ROOM);
	return len;
}

/* Runs follow one another up to the end, and neighbors differ. */
static void runs(const struct gmem *g)
{
	uint64_t attributes, last = ~0ULL, run;

	for (uint64_t at = 0; at < SIZE; at += run) {
		HOLDS(gmem_get_attributes(g, at, SIZE - at, &attributes, &run,
					  NULL) == 0);
		HOLDS(run && run <= SIZE - at && attributes != last);
		HOLDS(attributes == GMEM_ATTRIBUTE_SHARED ||
		      attributes == GMEM_ATTRIBUTE_PRIVATE ||
		      attributes == GMEM_ATTRIBUTE_UNSET);
		last = attributes;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gmem_vm_opts v = { .sz = sizeof(v),
				  .type = GMEM_VM_SW_PROTECTED };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &v };
	struct gmem_create_opts o = { .sz = sizeof(o) };
	struct gmem_attributes_opts unbacked = {
		.sz = sizeof(unbacked),
		.flags = GMEM_ATTRIBUTES_UNBACKED,
	};
	struct gmem_error err = { .sz = sizeof(err) };
	static unsigned char before[ROOM], after[ROOM], made[ROOM];
	struct gmem_vm *vm;
	struct gmem_slot slot = { .sz = sizeof(slot) };
	struct gmem *g;
	size_t n, k;
	unsigned char *input;
	size_t len;
	int r;

	if (size < 1)
		return 0;
	/* In memory of its own, so that a read beyond the end is noticed. */
	len = data[0] & FORMED ? formed(data + 1, size - 1, made) : size - 1;
	input = malloc(len + 1);
	HOLDS(input);
	memcpy(input, data[0] & FORMED ? made : data + 1, len);
	HOLDS(gmem_model_vm_open("7.3", &m, &vm, NULL) == 0);
	HOLDS(gmem_create(vm, SIZE, &o, &g, NULL) == 0);
	/* A range without a slot is neither private nor shared. */
	slot.len = data[0] & WHOLE ? SIZE : SIZE / 4 * 3;
	slot.gmem = g;
	HOLDS(gmem_bind(&slot, NULL) == 0);
	HOLDS(gmem_set_attributes(g, 0, SIZE / 4, GMEM_ATTRIBUTE_SHARED,
				  &unbacked, NULL) == 0);
	n = export(g, before);
	r = gmem_attributes_import(
		g, input, len, (data[0] & RECORD_ONLY) | GMEM_IMPORT_UNBACKED,
		&err);
	HOLDS((r < 0) == (err.reason != GMEM_REASON_NONE));
	if (r == 0) {
		n = export(g, before);
		HOLDS(gmem_attributes_import(g, before, n, GMEM_IMPORT_UNBACKED,
					     NULL) == 0);
	}
	k = export(g, after);
	HOLDS(k == n && !memcmp(before, after, n));
	runs(g);
	HOLDS(gmem_vm_destroy(vm, NULL) == 0);
	free(input);
	return 0;
}
