/* SPDX-License-Identifier: MIT */
/* The fixture of unit tests on the model: a VM, and the calls it makes. */
#ifndef GMEM_TESTS_ON_MODEL_H
#define GMEM_TESTS_ON_MODEL_H

#include <stdbool.h>

#include "t.h"

#include "model.h"
#include "model_sys.h"

#define KiB (1ULL << 10)
#define MiB (1ULL << 20)
#define GiB (1ULL << 30)
#define TiB (1ULL << 40)

#define SHARED_FLAGS (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

struct on_model {
	struct gmem_vm *vm;
	struct kernel *k;
	uint64_t page;
	const char *call;      /* counted are those of this name */
	unsigned int calls;    /* how many */
	uint64_t sum, longest; /* of their .arg[2], a length */
	struct gmem *g;	       /* what on_model_file() made last */
	struct gmem_error err;
};

int on_model_setup(void **state);
int on_model_teardown(void **state);
/* With a VM: attributes by guest address, in place, or no private memory. */
int on_model_73(void **state);
int on_model_in_place(void **state);
int on_model_default(void **state);
#define model_test(fn) \
	cmocka_unit_test_setup_teardown(fn, on_model_setup, on_model_teardown)

/* Two NUMA nodes; a type that @profile may not have as a rule. */
void on_model_open(struct on_model *m, const char *profile, uint32_t type);
struct gmem *on_model_file(struct on_model *m, uint64_t size, uint64_t flags);
/* Binds all of .g at @gpa. */
void on_model_bind(struct on_model *m, uint32_t slot, uint64_t gpa);
/* Another VM, with a trace callback of the test's. */
struct gmem_vm *on_model_vm(const char *profile, uint32_t type,
			    gmem_trace_fn *trace, void *arg);
/* Counts @call from now on. */
void on_model_count(struct on_model *m, const char *call);
/* Mappings of guest_memfds that there are now. */
unsigned int on_model_mappings(const struct on_model *m);
uint64_t on_model_resident(struct gmem *g, uint64_t offset, uint64_t len);

#endif
