/* SPDX-License-Identifier: MIT */
/* What the tests of the parts of gmemctl ps begin and end with. */
#ifndef GMEM_TESTS_CLI_PS_BEGIN_H
#define GMEM_TESTS_CLI_PS_BEGIN_H

#include "cmd/ps/ps.h"

/* A look around that has found nothing yet, and has all the time. */
void ps_begin(struct scan *s);

/* How many descriptors of this process are open. */
int open_fds(void);

#endif
