/* SPDX-License-Identifier: MIT */
/* What a part of gmemctl prints on standard output. */
#ifndef GMEM_TESTS_CLI_PRINTED_H
#define GMEM_TESTS_CLI_PRINTED_H

/* From here on it is kept; printed() gives it, and is the end. */
void printed_begin(void);
const char *printed(void);
/* The end without looking at it: for a test that fails in between. */
void printed_drop(void);

#endif
