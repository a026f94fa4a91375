// SPDX-License-Identifier: MIT
/*
 * Bytes as calls, on the model: the first says which profile.  Whatever is
 * called, the world can be taken down again.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "side.h"

#define CALLS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const profiles[] = { "6.12", "6.18", "6.19",
						"7.2",	"7.3",	"inplace" };
	struct result r;
	struct side s;
	struct op op;
	const char *why;
	size_t n = 0;

	if (size < 1)
		return 0;
	if (side_open(&s, profiles[data[0] % ARRAY_SIZE(profiles)], &why) < 0)
		abort();
	for (size_t at = 1; at + sizeof(op) <= size && n < CALLS_MAX;
	     at += sizeof(op), n++) {
		memcpy(&op, data + at, sizeof(op));
		side_run(&s, &op, &r);
		if (r.ret != SKIPPED && r.ret < -4095)
			abort();
	}
	(void)side_contents(&s);
	side_close(&s);
	return 0;
}
