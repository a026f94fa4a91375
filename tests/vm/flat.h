/* SPDX-License-Identifier: MIT */
/*
 * A vCPU without paging that runs instructions of a test: on x86-64 in flat
 * 32-bit protected mode, on arm64 at EL1 with its MMU off.
 */
#ifndef GMEM_TESTS_VM_FLAT_H
#define GMEM_TESTS_VM_FLAT_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLAT_EXIT_MEMORY_FAULT 39 /* installed headers may be older */

struct flat {
	int fd;
	struct kvm_run *run;
	size_t size;
};

/* vCPU @id of the VM @vm. */
bool flat_make(struct flat *f, int vm, unsigned int id);
/* What only this processor's need, for flat_make(). */
bool flat_init(struct flat *f, int vm);
void flat_close(struct flat *f);
/* Ends an instruction that an exit left half done. */
void flat_complete(struct flat *f);
/*
 * Completes it and resets what a guest may have changed: runs at @pc next, with
 * its stack below @sp.
 */
void flat_reset(struct flat *f, uint32_t pc, uint32_t sp);
/* KVM_RUN: 0, with the exit in f->run, or -errno. */
int flat_run(struct flat *f);
/* As in kvm_run of this exit. */
uint64_t flat_fault_flags(const struct flat *f);
uint64_t flat_fault_gpa(const struct flat *f);

/* Instructions, one after the other at @at. */
struct code {
	unsigned char *at;
	size_t n;
};
void code_bytes(struct code *c, const char *bytes, size_t n);

/* -------------------------------------------------------- arm64 alone -- */

/* Where the vectors of exceptions are, from the program on. */
#define FLAT_VECTORS 0x4000U

/* ------------------------------------------------------- x86-64 alone -- */

/* Continues with paging through the page directory at @cr3. */
void flat_paging(struct flat *f, uint32_t cr3);
uint32_t flat_eax(const struct flat *f);
/* As in kvm_run of this exit. */
void *flat_io_data(const struct flat *f);

enum flat_register {
	EAX,
	ECX,
	EDX,
	EBX,
	ESI = 6,
	EDI,
};

#define code_put(c, bytes) code_bytes((c), (bytes), sizeof(bytes) - 1)
void code_mov(struct code *c, enum flat_register reg, uint32_t value);
void code_store(struct code *c, uint32_t at, uint32_t value);
void code_store_byte(struct code *c, uint32_t at, unsigned char value);
void code_load(struct code *c, uint32_t at); /* into EAX */
void code_increment(struct code *c, uint32_t at);
void code_wrmsr(struct code *c, uint32_t msr, uint32_t value);
void code_out(struct code *c, uint16_t port, uint32_t value);
void code_in_string(struct code *c, uint16_t port, uint32_t to, uint32_t n);
void code_out_string(struct code *c, uint16_t port, uint32_t from, uint32_t n);
void code_copy(struct code *c, uint32_t to, uint32_t from, uint32_t n);
void code_call(struct code *c, uint32_t at);
void code_map_gpa_range(struct code *c, uint32_t gpa, uint32_t pages,
			bool private);
/* Uses the page directory at @cr3, which has to map what follows. */
void code_paging(struct code *c, uint32_t cr3);
void code_no_paging(struct code *c);
void code_halt(struct code *c);

/* A page directory entry for 4 MiB at the same address. */
#define FLAT_PDE(gpa) (((gpa)&0xffc00000U) | 0x83)

#endif
