/* SPDX-License-Identifier: MIT */
/*
 * Whether a kernel behaves as documented: one list of cases, run by plain
 * system calls on the real kernel and on each profile of the model.
 *
 * A case is named after what it proves and has a row: the call or object that
 * it is about and the rule of the kernel, or several of these.  It states
 * the kernel's behaviour once; where one kernel is known to differ,
 * differences.c says so with its source, and the case must then fail there.
 */
#ifndef GMEM_CONFORM_H
#define GMEM_CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gmem_model.h>

struct conform;

struct conform_case {
	const char *row; /* "create: size; trap: size" */
	const char *name;
	unsigned int needs; /* of the kernel: NEED_* of case.h */
	void (*run)(struct conform *c);
};

/* The @index-th case; NULL past the last. */
const struct conform_case *conform_case_at(size_t index);

/* The kernel that the cases run on. */
struct conform_kernel {
	const char *release;   /* "6.18.44"; of the model "7.3,arm64" */
	const char *device;    /* of this machine's */
	struct gmem_vm *model; /* a VM on the model; NULL: this machine's */
	uint32_t machine;      /* of the model: enum gmem_model_machine */
};

/*
 * Opens the device, which alone needs rights.  *@out is the caller's until
 * conform_close(), and @kernel must last as long.
 * Return: 0 or -errno.
 */
int conform_open(const struct conform_kernel *kernel, struct conform **out);
/*
 * Finds out what there is to run the cases on, once, before conform_run().
 * Return: 0, or -EOPNOTSUPP: no VM there can bind a guest_memfd.
 */
int conform_learn(struct conform *c);
void conform_close(struct conform *c);

enum conform_result {
	CONFORM_OK,
	CONFORM_SKIPPED, /* another machine or configuration could run it */
	CONFORM_FAILED,
	CONFORM_NOT_APPLICABLE, /* this kernel could run it nowhere */
	CONFORM_RESULTS,
};

struct conform_report {
	const struct conform_case *of;
	enum conform_result result;
	const char *difference; /* why it has to behave otherwise, or NULL */
	const char *text;	/* what it did or lacks; NULL: as documented */
};

typedef bool conform_chosen_fn(void *arg, const struct conform_case *t);
typedef void conform_report_fn(void *arg, const struct conform_report *r);

/* Runs the cases that are @chosen and reports each when it has ended. */
void conform_run(struct conform *c, conform_chosen_fn *chosen,
		 conform_report_fn *report, void *arg);

#endif
