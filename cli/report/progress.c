// SPDX-License-Identifier: MIT
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report/progress.h"
#include "report/words.h"

#define BAR 40
#define BAR_AFTER_MS 1000
#define BAR_EVERY_MS 100

int64_t ms_since(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)(now.tv_sec - from->tv_sec) * 1000 +
	       (now.tv_nsec - from->tv_nsec) / 1000000;
}

void progress_start(struct progress *p, const char *what)
{
	*p = (struct progress){
		.what = what,
		.terminal = isatty(STDERR_FILENO),
	};
	clock_gettime(CLOCK_MONOTONIC, &p->start);
	p->last = p->start;
}

int progress_show(void *arg, uint64_t done, uint64_t total)
{
	struct progress *p = arg;
	char bar[BAR + 1], now[SIZE_TEXT], all[SIZE_TEXT];
	const uint64_t unit = 1ULL << 20;
	unsigned int part;

	if (!p->terminal || ms_since(&p->start) < BAR_AFTER_MS ||
	    ms_since(&p->last) < BAR_EVERY_MS)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &p->last);
	part = (unsigned int)((double)done / (double)total * BAR);
	memset(bar, ' ', BAR);
	memset(bar, '#', part > BAR ? BAR : part);
	bar[BAR] = '\0';
	/* Whole megabytes, so that the text does not jump about. */
	p->width = fprintf(stderr, "\r%s [%s] %s of %s ", p->what, bar,
			   size_text(done / unit * unit, now),
			   size_text(total, all)) -
		   1;
	(void)fflush(stderr);
	return 0;
}

void progress_end(struct progress *p)
{
	if (p->width > 0)
		fprintf(stderr, "\r%*s\r", p->width + 8, "");
	p->width = 0;
}

static int cancelled;

static void on_signal(int sig)
{
	(void)sig;
	__atomic_store_n(&cancelled, 1, __ATOMIC_RELAXED);
}

const int *cancel_on_signals(void)
{
	const struct sigaction act = { .sa_handler = on_signal };

	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	return &cancelled;
}
