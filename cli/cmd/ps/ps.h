/* SPDX-License-Identifier: MIT */
/* What /proc shows of guest_memfds (scan.c), and its output (ps.c). */
#ifndef GMEMCTL_PS_H
#define GMEMCTL_PS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "cmd/ps/maps.h"
#include "report/words.h"
#include "target/target.h"

/* A command's 15 bytes, each of which may become \xNN. */
#define COMMAND_TEXT 64

/* Of a cgroup's path and a command line: what is longer is cut. */
#define CGROUP_TEXT 512
#define ARGS_TEXT 1024

/* Why a number is not there; .text "" if it is. */
struct unknown {
	char text[TARGET_WHY];
	bool partial; /* more rights or time would have told */
};

/* A memory cgroup, and on which nodes is what it pays for. */
struct payer {
	struct payer *next;
	char path[CGROUP_TEXT];
	uint64_t nodes[NODES]; /* bytes that can never be reclaimed */
	struct unknown no_nodes;
	bool read;
};

/* Which VM it is, as far as a process tells. */
struct about {
	bool no_uid; /* its status could not be read */
	uid_t uid;
	char cgroup[CGROUP_TEXT];  /* "": unknown */
	char args[ARGS_TEXT];	   /* "": none, or not asked */
	const struct payer *payer; /* NULL: not asked, or unknown */
};

/* More descriptors of one file are counted, not listed. */
#define HOLDER_FDS 64

/* One process that keeps a file alive. */
struct holder {
	struct holder *next;
	pid_t pid;
	char command[COMMAND_TEXT];
	int fd[HOLDER_FDS]; /* its descriptors, the first of them */
	size_t fds;	    /* all; 0: only a mapping */
	uint64_t mapped;    /* bytes of address space */
	bool unmapped;	    /* .mapped could not be read */
	bool vm;	    /* it has a KVM VM too */
	struct about about;
};

/* One guest_memfd. */
struct mem {
	struct mem *next;
	dev_t dev;
	ino_t ino;
	struct holder *holders, **end;
	uint64_t size, resident;
	bool lower_bound; /* .resident is at least that */
	bool only_mapped; /* no descriptor was seen */
	/* It is known by a mapping; that of .nodes is a lower bound. */
	bool size_by_mapping, resident_by_mapping, nodes_by_mapping;
	struct unknown no_size; /* why .size and .resident are not known */
	struct unknown no_resident;
	struct unknown no_nodes;
	uint64_t *nodes; /* NODES bytes counts; NULL = see .no_nodes */
};

/* Why it is not known what a process holds. */
enum hidden_why {
	HIDDEN_DENIED,
	HIDDEN_NAME_ONLY, /* it maps what only has the name of a guest_memfd */
	HIDDEN_STUCK,	  /* looking into it never ended */
	HIDDEN_WHYS,
};

struct hidden {
	struct hidden *next;
	pid_t pid;
	char command[COMMAND_TEXT];
	enum hidden_why why;
};

struct scan {
	struct timespec start;
	int64_t budget; /* milliseconds */
	bool nodes;	/* look for these too */
	bool payer;	/* and for those of the cgroups */
	bool args;	/* and these */
	pid_t pid;	/* only its files are listed; 0: all */
	bool pid_seen;
	struct watch *watch;
	dev_t dev[LINKS]; /* of all guest_memfds of this name; 0: unknown */
	size_t processes;
	bool proc_hides; /* processes are there that /proc does not list */
	struct mem *files;
	struct payer *payers;
	struct hidden *hidden, **hidden_end;
	char denied[128]; /* what HIDDEN_DENIED means */
	pid_t *late;	  /* processes not reached in time */
	size_t late_n;
};

/* list.c */
/* Each finds or adds; NULL or -ENOMEM: no memory. */
struct mem *find_file(struct scan *s, dev_t dev, ino_t ino);
struct holder *find_holder(struct mem *m, pid_t pid, const char *command);
int add_late(struct scan *s, pid_t pid);
int add_hidden(struct scan *s, pid_t pid, const char *command,
	       enum hidden_why why);
void scan_free(struct scan *s);
__attribute__((format(printf, 3, 4))) void
unknown(struct unknown *u, bool partial, const char *fmt, ...);
void out_of_time(struct unknown *u);
/* Whether it is to be reported: see .pid. */
bool file_listed(const struct scan *s, const struct mem *m);

/* Looks at every process.  Return: 0 or -errno. */
int scan_processes(struct scan *s);
/* Asks the kernel about every file that was found. */
void scan_files(struct scan *s);

/* ps.c */
const char *hidden_text(const struct scan *s, enum hidden_why why);
uint64_t more_fds(const struct holder *h);
/* about.c */
/* Of the process with the folder @dir in /proc, what @s asks for. */
void read_about(struct scan *s, int dir, struct about *out);

/* payer.c */
struct cgroup;
/* Of @c, which has a path; NULL: no memory. */
const struct payer *payer_of(struct scan *s, struct cgroup *c);

/* mapped.c */
/* Has a file's mappings say what is not known yet. */
void ask_mappings(const struct scan *s, struct mem *m);

/* scan.c */
/* Whether the time is over. */
bool scan_late(const struct scan *s);

/* total.c */
struct sum {
	uint64_t bytes;
	bool lower; /* it is at least that */
	bool upper; /* it is at most that; both: nobody knows */
};
/* ">=", "<=" or "", which stands before it; NULL: nobody knows. */
const char *sum_sign(const struct sum *s);
struct total {
	size_t files;
	struct sum size, resident, freed;
};
/*
 * What is freed when process @pid, or for 0 the only one that holds it, ends:
 * nothing, if another is seen that holds it too.
 */
struct sum freed_of(const struct scan *s, const struct mem *m, pid_t pid);
struct total total_of(const struct scan *s);
void total_print(const struct scan *s, bool bytes);
/* json.c */
void ps_json(struct ctl *ctl, const struct scan *s, uint32_t budget,
	     bool complete);

/* watch.c */
/*
 * Continues in a child, which is killed where it hangs, and restarted without
 * the process that it hung at.  Return: -1 in the child, else what it came to:
 * the exit status.
 */
int watch_fork(struct ctl *ctl, uint32_t budget, struct watch **out);
/* From here on @pid may keep us waiting; 0: nobody may. */
void watch_at(struct watch *w, pid_t pid);
/* Whether looking into @pid has hung. */
bool watch_stuck(const struct watch *w, pid_t pid);
/* Whether no more time is to be lost on @pid. */
bool watch_beyond(const struct watch *w, pid_t pid);

#endif
