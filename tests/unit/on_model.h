/* SPDX-License-Identifier: MIT */
/* The fixture of unit tests on the model: a VM of a profile, and its file. */
#ifndef GMEM_TESTS_ON_MODEL_H
#define GMEM_TESTS_ON_MODEL_H

#include <stdbool.h>

#include <gmem_model.h>

#include "t.h"

#define KiB (1ULL << 10)
#define MiB (1ULL << 20)
#define GiB (1ULL << 30)

#define SHARED_FLAGS (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

struct on_model {
	struct gmem_vm *vm;
	struct gmem *g;
	uint64_t page;
	struct gmem_error err;
};

/* Attributes by guest address, and in place; both with private memory. */
int on_model_73(void **state);
int on_model_in_place(void **state);
/* No private memory: the guest has the file, shared. */
int on_model_default(void **state);
/* Destroys the VM if the test has not. */
int on_model_end(void **state);

/* A VM beside the fixture's; with a trace callback if @trace. */
struct gmem_vm *on_model_open(const char *profile, uint32_t type,
			      gmem_trace_fn *trace, void *arg);
/* .g: a file of @size with @flags. */
void on_model_file(struct on_model *m, uint64_t size, uint64_t flags);
/* Binds all of .g at @gpa. */
void on_model_bind(struct on_model *m, uint32_t slot, uint64_t gpa);

#endif
