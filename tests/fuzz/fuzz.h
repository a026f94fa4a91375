/* SPDX-License-Identifier: MIT */
/* One input of a fuzz target: 0, as libFuzzer wants it. */
#ifndef GMEM_TESTS_FUZZ_H
#define GMEM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
