/* SPDX-License-Identifier: MIT */
/* What gmemctl says to people and programs, and how it ends. */
#ifndef GMEMCTL_REPORT_OUTPUT_H
#define GMEMCTL_REPORT_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct gmem_error;
struct json_object;
struct kvm;

/* Exit statuses; never 255, which xargs(1) and systemd treat specially. */
enum {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_UNSUPPORTED = 3, /* this kernel, host or VM type lacks it */
	CTL_CHECK = 4,	     /* a check failed, or only a part was done */
	CTL_ACCESS = 5,	     /* no permission */
	CTL_RUN = 125,	     /* gmemctl's own failures where .wraps */
	CTL_RUN_NOT_EXECUTABLE = 126,
	CTL_RUN_NOT_FOUND = 127,
	CTL_RUN_SIGNAL = 128, /* plus the signal's number */
};

/* One run of gmemctl. */
struct ctl {
	const char *command;   /* "why"; NULL before it is known */
	const char *call;      /* "create"; NULL if it has none */
	const struct kvm *kvm; /* what VMs are made on: target/vm.h */
	char **operands;
	int n_operands;
	bool wraps;   /* it stands in for a program that it runs */
	bool json;    /* --json */
	bool replied; /* the one JSON object is out */
};

/* The exit status for what the library reported. */
int exit_of(const struct gmem_error *err);

/* "why create" */
#define CMD_NAME_TEXT 40
const char *ctl_name(const struct ctl *ctl, char buf[CMD_NAME_TEXT]);

/* Whether colours may be used on standard output. */
bool out_colour(void);

/* Prints what may have names in it that others gave, as plain_text() does. */
void put_plain(FILE *to, const char *text);
/*
 * The same for words of a line that begins at @column: up to OUT_WIDTH, each
 * further line behind @margin.  Breaks at no blank inside brackets.
 */
#define OUT_WIDTH 79
void put_wrapped(const char *text, size_t column, const char *margin);
/* As fflush(3) and puts(3), and remember why standard output failed. */
void out_flush(void);
void out_line(const char *text);

/* The command's one JSON object, and printing it, which takes it. */
struct json_object *json_new(const struct ctl *ctl);
void out_json(struct ctl *ctl, struct json_object *result);

/* A line on standard error that ends nothing. */
__attribute__((format(printf, 2, 3))) void message(const struct ctl *ctl,
						   const char *fmt, ...);

/*
 * Ends a command that failed: the message on standard error, in JSON mode
 * also the error object.  Return: the exit status.
 */
__attribute__((format(printf, 2, 3))) int usage_error(struct ctl *ctl,
						      const char *fmt, ...);
__attribute__((format(printf, 3, 4))) int
system_error(struct ctl *ctl, int errnum, const char *fmt, ...);
/* The same where the command knows why, and what to do. */
__attribute__((format(printf, 4, 5))) int refused_by(struct ctl *ctl,
						     int errnum,
						     const char *remedy,
						     const char *fmt, ...);
/* @remedy replaces the library's where it is not NULL. */
int gmem_failed(struct ctl *ctl, const struct gmem_error *err,
		const char *remedy);

/* A reader that went away is from here on a write error like any other. */
void out_begin(void);
/* Restores what SIGPIPE did when gmemctl was started. */
void out_give_back(void);
/*
 * Return: @status, or CTL_FAILED where something that was printed could not be
 * written: whatever there was to say, it was not heard.
 */
int out_finish(struct ctl *ctl, int status);

#endif
