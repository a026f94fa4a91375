/* SPDX-License-Identifier: MIT */
/* Work that shows how far it is and can be interrupted. */
#ifndef GMEMCTL_REPORT_PROGRESS_H
#define GMEMCTL_REPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* A bar on standard error, if that is a terminal and it takes a second. */
struct progress {
	const char *what;
	struct timespec start, last;
	bool terminal;
	int width; /* of the bar that is shown; 0 = none */
};

void progress_start(struct progress *p, const char *what);
int progress_show(void *arg, uint64_t done, uint64_t total);
void progress_end(struct progress *p);

/* From here on SIGINT and SIGTERM make it non-zero instead of ending us. */
const int *cancel_on_signals(void);

/* Milliseconds since @from. */
int64_t ms_since(const struct timespec *from);

#endif
