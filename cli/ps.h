/* SPDX-License-Identifier: MIT */
/* What /proc shows of guest_memfds (ps_scan.c), and how it is told (ps.c). */
#ifndef GMEMCTL_PS_H
#define GMEMCTL_PS_H

#include <sys/types.h>

#include "target.h"

/* A command's 15 bytes, each of which may become \xNN. */
#define COMMAND_TEXT 64

/* One process that keeps a file alive. */
struct holder {
	struct holder *next;
	pid_t pid;
	char command[COMMAND_TEXT];
	int *fd; /* its descriptors; none: only a mapping */
	size_t fds;
	uint64_t mapped; /* bytes of address space */
	bool unmapped;	 /* .mapped could not be read */
	bool vm;	 /* it has a KVM VM too */
};

/* Why a number is not there; .text "" if it is. */
struct unknown {
	char text[TARGET_WHY];
	bool partial; /* more rights or time would have told */
};

/* One guest_memfd. */
struct mem {
	struct mem *next;
	dev_t dev;
	ino_t ino;
	struct holder *holders, **end;
	uint64_t size, resident;
	bool lower_bound;	/* .resident is at least that */
	struct unknown no_size; /* why .size and .resident are not known */
	struct unknown no_resident;
	struct unknown no_nodes;
	uint64_t *nodes; /* NODES bytes counts; NULL = see .no_nodes */
};

/* A process that could not be looked into. */
struct hidden {
	struct hidden *next;
	pid_t pid;
	char command[COMMAND_TEXT];
	char why[128];
};

struct scan {
	struct timespec start;
	int64_t budget; /* milliseconds */
	bool nodes;	/* look for these too */
	size_t processes;
	bool proc_hides; /* processes are there that /proc does not list */
	struct mem *files;
	struct hidden *hidden, **hidden_end;
	pid_t *late; /* processes not reached in time */
	size_t late_n;
};

/* Looks at every process.  Return: 0 or -errno. */
int scan_processes(struct scan *s);
/* Asks the kernel about every file that was found. */
void scan_files(struct scan *s);
void scan_free(struct scan *s);

#endif
