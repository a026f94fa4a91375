/* SPDX-License-Identifier: MIT */
/* How feature.c finds out what a VM can do. */
#ifndef GMEM_LIB_PROBE_H
#define GMEM_LIB_PROBE_H

#include "feature.h"

#define GMEM__CAPS 16 /* no fewer than the table of features names */

struct gmem__scratch {
	struct gmem_vm *vm;
	int file;     /* private base pages; fd or -errno */
	int mappable; /* the same with MMAP */
	struct {
		unsigned long cap;
		int answer;
	} said[GMEM__CAPS]; /* so that each is asked once */
	unsigned int n_said;
};

/* Sets the flags of create that @vm knows, too. */
void gmem__scratch_open(struct gmem__scratch *s, struct gmem_vm *vm);
void gmem__scratch_close(struct gmem__scratch *s);

/* The meaning of the second argument is the probe's own; all take one. */
struct gmem__feature gmem__probe_cap(struct gmem__scratch *s, uint64_t cap);
struct gmem__feature gmem__probe_create_flag(struct gmem__scratch *s,
					     uint64_t flag);
struct gmem__feature gmem__probe_vm_attributes(struct gmem__scratch *s,
					       uint64_t arg);
struct gmem__feature gmem__probe_memory_fault(struct gmem__scratch *s,
					      uint64_t cap);
struct gmem__feature gmem__probe_map_gpa_range(struct gmem__scratch *s,
					       uint64_t cap);
struct gmem__feature gmem__probe_file_attributes(struct gmem__scratch *s,
						 uint64_t arg);
struct gmem__feature gmem__probe_mempolicy(struct gmem__scratch *s,
					   uint64_t arg);
struct gmem__feature gmem__probe_residency(struct gmem__scratch *s,
					   uint64_t arg);
struct gmem__feature gmem__probe_hugetlb(struct gmem__scratch *s, uint64_t arg);
struct gmem__feature gmem__probe_vm_type(struct gmem__scratch *s,
					 uint64_t type);

#endif
