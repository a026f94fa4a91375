/* SPDX-License-Identifier: MIT */
/* What an exit of a vCPU asks for, and the answer to it.  Pure code. */
#ifndef GMEM_LIB_EXIT_H
#define GMEM_LIB_EXIT_H

#include <stdbool.h>

#include <gmem_exit.h>

/* What differs between the architectures of the host. */
struct gmem__run_abi {
	size_t exit;	    /* where kvm_run describes the exit */
	bool map_gpa_range; /* or its hypercalls are others */
};

extern const struct gmem__run_abi gmem__run_x86, gmem__run_arm64,
	gmem__run_s390;

/* gmem_exit_decode() of a valid @out, all of which this library knows. */
int gmem__exit_decode(const struct gmem__run_abi *abi, int rc, int err_no,
		      const void *run, size_t size, struct gmem_exit *out,
		      struct gmem_error *err);
/* gmem_exit_answer() of a valid @answer. */
int gmem__exit_answer(const struct gmem__run_abi *abi, void *run, size_t size,
		      uint32_t kind, uint32_t answer, struct gmem_error *err);
/* gmem_guard_step() of valid structs, all of which this library knows. */
struct gmem_answer gmem__guard_step(struct gmem_guard *guard,
				    const struct gmem_exit *exit,
				    const struct gmem_seen *seen);

/* A struct that is read and written: it has a size that can be. */
int gmem__exit_take(const void *from, void *to, size_t known, const char *name,
		    struct gmem_error *err);
int gmem__exit_kind_check(const struct gmem_exit *e, struct gmem_error *err);

#endif
