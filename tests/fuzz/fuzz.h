/* SPDX-License-Identifier: MIT */
/* Runs one input of a fuzz target.  Return: 0, as libFuzzer requires. */
#ifndef GMEM_TESTS_FUZZ_H
#define GMEM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be true whatever the input is. */
#define HOLDS(rule)                                                            \
	do {                                                                   \
		if (!(rule)) {                                                 \
			(void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
				      __LINE__, #rule);                        \
			abort();                                               \
		}                                                              \
	} while (0)

#endif
