/* SPDX-License-Identifier: MIT */
/*
 * A sw-protected VM whose guest runs a test's instructions, while the VMM
 * watches for leaks.
 */
#ifndef GMEM_TESTS_VM_GUEST_H
#define GMEM_TESTS_VM_GUEST_H

#include "flat.h"
#include "live.h"

#define GUEST_RAM 0x100000UL /* ordinary memory, for code */
#define GUEST_RAM_SIZE 0x10000UL
#define GUEST_RAM_SLOT 30
#define GUEST_HOLE 0x10000000UL /* no slot is there */
#define GUEST_PORT 0x77

#define MSR_WALL_CLOCK_OLD 0x11
#define MSR_SYSTEM_TIME_OLD 0x12
#define MSR_WALL_CLOCK 0x4b564d00
#define MSR_SYSTEM_TIME 0x4b564d01
#define MSR_STEAL_TIME 0x4b564d03
#define MSR_ENABLE 1

struct guest {
	struct live *l;
	struct flat vcpu;
	unsigned char *ram;
	struct code code;
	/* seen since guest_code() */
	unsigned int mmio_in_slots; /* MMIO exits where memory should be */
	unsigned int mmio;	    /* others */
	unsigned int io;
	unsigned int leaks; /* words that came out and are canary_is() */
};

/* A VM with one vCPU and some ordinary memory. */
void guest_start(struct guest *s, struct live *l);
/* The same of another type. */
void guest_start_type(struct guest *s, struct live *l, uint32_t type);
/* Where to put the next instructions, which guest_go() runs. */
struct code *guest_code(struct guest *s);
/*
 * Runs until the guest stops, and answers its requests.  A limit ends a guest
 * that does not stop, and fails the test.
 * Return: 0 when it halted, else the exit's reason, or -errno.
 */
int guest_go(struct guest *s);
/* The same after it halted or faulted: continues where it is. */
int guest_on(struct guest *s);
/* One access at @gpa. */
int guest_write(struct guest *s, uint64_t gpa, uint32_t value);
int guest_read(struct guest *s, uint64_t gpa, uint32_t *value);
/* Binds without the library: the page at @offset of l->g, at @gpa. */
void guest_convert(struct guest *s, uint64_t offset, uint64_t gpa, uint64_t len,
		   bool private);

#endif
