/* SPDX-License-Identifier: MIT */
/*
 * What hostile.c and its guest know of each other.  The guest's programs are
 * short and random; the host makes them, and the same seed gives the same ones.
 * hostile_x86.c and hostile_arm64.c make them for their processor, and read its
 * exits.
 */
#ifndef GMEM_TESTS_VM_HOSTILE_H
#define GMEM_TESTS_VM_HOSTILE_H

#include <pthread.h>

#include "flat.h"
#include "live.h"

struct dice {
	uint64_t state;
};

struct vcpu_thread {
	pthread_t thread;
	struct flat vcpu;
	struct dice dice;
	unsigned int id;
	unsigned int ticks, exits; /* of this program */
};

enum event {
	EXIT_HALT,
	EXIT_STRING_IN,
	EXIT_STRING_OUT,
	EXIT_PORT,
	EXIT_HYPERCALL,
	EXIT_MMIO,
	EXIT_NO_SYNDROME, /* an access of arm64 that no device can answer */
	EXIT_EXCEPTION,	  /* of arm64; on x86 it is a shutdown */
	EXIT_SHUTDOWN,
	EXIT_INTERNAL,
	EXIT_INTERRUPTED,
	EXIT_FAULT,	 /* memory-fault exits */
	EXIT_BARE_FAULT, /* EFAULT without an exit; not in place */
	VMM_BOUND,
	VMM_UNBOUND,
	VMM_TO_PRIVATE,
	VMM_TO_SHARED,
	VMM_DISCARDED,
	VMM_REFUSED,
	VMM_FRESH,
	CHECKED, /* pages whose record was compared with the kernel's state */
	EVENTS
};

/* ----------------------------------------------------------- hostile.c -- */

uint64_t dice_roll(struct dice *d, uint64_t sides);
/* True with this probability. */
bool dice_percent(struct dice *d, unsigned int percent);
/* An index: @often says how often of a hundred times each one comes. */
unsigned int dice_one_of(struct dice *d, const unsigned char *often);
/*
 * A page in or around possible slots, or anywhere except in the code; of those
 * in or around slots, @bare of a hundred of the file without a shared side.
 */
uint64_t hostile_page(struct dice *d, unsigned int bare);
void happened(enum event event);
/* cmocka's asserts work only in its own thread. */
__attribute__((format(printf, 1, 2))) void failed(const char *fmt, ...);
/* Return: whether the range has that state now. */
bool hostile_convert(struct dice *d, uint64_t gpa, uint64_t pages,
		     bool private);
/* Two words in a row that only the VMM has are no coincidence. */
void hostile_look(const unsigned char *data, size_t len);

/* Where things are in the guest. */
#define HOSTILE_RAM 0x100000UL /* ordinary memory; a part for each vCPU */
#define HOSTILE_RAM_PART 0x8000UL
#define HOSTILE_COUNTS 0x6000UL /* in a part: a word for each deed */
#define HOSTILE_STACK 0x8000UL
#define HOSTILE_BARE (16UL << 20) /* the file without a shared side */
#define HOSTILE_BARE_SIZE (8UL << 20)
#define HOSTILE_BACKED (48UL << 20) /* the file with one */
#define HOSTILE_BACKED_SIZE (4UL << 20)
#define HOSTILE_ELSEWHERE (12UL << 20) /* each may lie that much higher */
#define HOSTILE_END (128UL << 20)

/* ---------------------------------------------- of the processor's file -- */

/* A VM, of a kind that this processor's guests convert on, or of any. */
void hostile_vm(struct live *l);
/* Of which of its deeds a part counts how often it did them; NULL: no more. */
const char *hostile_deed(unsigned int deed);
/* Whether such an event happens on this processor. */
bool hostile_happens(enum event event);
/* A program of a few deeds for vCPU @id, at @at, to be run there. */
void hostile_program(unsigned char *at, struct dice *d, unsigned int id);
/* KVM_RUN returned 0: whether the program continues. */
bool hostile_exit(struct vcpu_thread *v);
/* One store by @f, whose code is at @ram; 0 if it came to its end, or -errno.
 */
int hostile_store(struct live *l, struct flat *f, unsigned char *ram,
		  uint64_t gpa, uint32_t value);

#endif
