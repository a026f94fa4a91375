/* SPDX-License-Identifier: MIT */
/* The kernel that runs here, as far as its model has to know it. */
#ifndef GMEM_TESTS_RANDOM_HOST_H
#define GMEM_TESTS_RANDOM_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "side.h"

struct host {
	const char *profile;
	struct gmem_model_opts opts;
	uint32_t types[2]; /* enum gmem_vm_type: what can bind a file */
	unsigned int n_types;
	struct limits limits;
	unsigned int cpu_bits; /* of guest addresses; 0 = as in the model */
	bool named;	       /* .profile is no kernel's that runs here */
	uint32_t encoding;     /* of huge pages, to name at open */
};

/* 0, or -1 with *@why. */
int host_learn(struct host *h, const char **why);
/* That profile in place of a kernel; 0, or -1 with *@why. */
int host_named(struct host *h, const char *profile, const char **why);
/* As comments: which model, and what is not compared. */
void host_print(const struct host *h);

#endif
