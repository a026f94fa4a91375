/* SPDX-License-Identifier: MIT */
/*
 * The guest of hostile.c: short random programs.  The host makes them, and the
 * same seed gives the same programs.
 */
#ifndef GMEM_TESTS_VM_HOSTILE_GUEST_H
#define GMEM_TESTS_VM_HOSTILE_GUEST_H

#include "flat.h"

struct dice {
	uint64_t state;
};
uint64_t dice_roll(struct dice *d, uint64_t sides);
/* True with this probability. */
bool dice_percent(struct dice *d, unsigned int percent);

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

#define HOSTILE_PORT 0x77
/* EAX: a page's address, in the low bits whether private and how many */
#define HOSTILE_CONVERT_PORT 0x78
#define HOSTILE_PRIVATE 1
#define HOSTILE_PAGES(eax) ((((eax) >> 1) & 0x3f) + 1)

/* What the guest counts, each after it did it. */
enum deed {
	DEED_STORE,
	DEED_LOAD,
	DEED_EXECUTE,
	DEED_HYPERCALL,
	DEED_PORT,
	DEED_CLOCK,
	DEED_STEAL_TIME,
	DEED_STRING_IN,
	DEED_STRING_OUT,
	DEED_COPY,
	DEED_PAGING,
	DEEDS
};
const char *deed_name(enum deed deed);

/* A program of a few actions for vCPU @id, at @at, to be run there. */
void hostile_program(unsigned char *at, struct dice *d, unsigned int id);

#endif
