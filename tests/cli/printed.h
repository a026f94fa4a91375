/* SPDX-License-Identifier: MIT */
/* What a part of gmemctl prints on standard output, or on standard error. */
#ifndef GMEM_TESTS_CLI_PRINTED_H
#define GMEM_TESTS_CLI_PRINTED_H

#include <stdio.h>

/* From here on @stream's is kept; printed() gives it, and is the end. */
void printed_begin(FILE *stream);
const char *printed(void);
/* The end without looking at it: for a test that fails in between. */
void printed_drop(void);

#endif
