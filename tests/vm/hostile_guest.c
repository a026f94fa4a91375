// SPDX-License-Identifier: MIT
#include "hostile_guest.h"

#define DEEDS_MAX 8
#define HUGE_COUNT 20000 /* of a string instruction; KVM gives up before */

uint64_t dice_roll(struct dice *d, uint64_t sides)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % sides;
}

bool dice_percent(struct dice *d, unsigned int percent)
{
	return dice_roll(d, 100) < percent;
}

const char *deed_name(enum deed deed)
{
	static const char *const names[DEEDS] = {
		[DEED_STORE] = "stores",
		[DEED_LOAD] = "loads",
		[DEED_EXECUTE] = "calls",
		[DEED_HYPERCALL] = "hypercalls",
		[DEED_PORT] = "conversions by port",
		[DEED_CLOCK] = "clocks",
		[DEED_STEAL_TIME] = "steal times",
		[DEED_STRING_IN] = "string inputs",
		[DEED_STRING_OUT] = "string outputs",
		[DEED_COPY] = "string copies",
		[DEED_PAGING] = "own page tables",
	};

	return names[deed];
}

/* A page in or around possible slots, or anywhere except in the code. */
static uint32_t page(struct dice *d)
{
	uint64_t gpa;

	if (dice_percent(d, 10))
		return (uint32_t)(HOSTILE_BARE +
				  dice_roll(d, (HOSTILE_END - HOSTILE_BARE) >>
						       12) *
					  4096);
	if (dice_percent(d, 60))
		gpa = HOSTILE_BARE +
		      dice_roll(d, HOSTILE_BARE_SIZE >> 12) * 4096;
	else
		gpa = HOSTILE_BACKED +
		      dice_roll(d, HOSTILE_BACKED_SIZE >> 12) * 4096;
	if (dice_percent(d, 25))
		gpa += HOSTILE_ELSEWHERE;
	return (uint32_t)gpa;
}

/* A byte there, often one before or after an edge of it. */
static uint32_t address(struct dice *d)
{
	uint32_t at = page(d);

	switch (dice_roll(d, 4)) {
	case 0:
		return at;
	case 1:
		return at - 4 + (uint32_t)dice_roll(d, 8);
	case 2:
		return at + 4096 - (uint32_t)dice_roll(d, 72);
	default:
		return at + (uint32_t)dice_roll(d, 4096);
	}
}

static uint32_t count(struct dice *d)
{
	return (uint32_t)(dice_percent(d, 5) ? dice_roll(d, HUGE_COUNT)
					     : 1 + dice_roll(d, 64));
}

/* A word without any byte of a canary. */
static uint32_t value(struct dice *d)
{
	return (uint32_t)dice_roll(d, 1ULL << 32) & 0x3f3f3f3fU;
}

static void call(struct code *c, struct dice *d)
{
	uint32_t at = address(d);

	if (dice_percent(d, 80))
		code_store_byte(c, at, 0xc3); /* ret */
	code_call(c, at);
}

static void clock(struct code *c, struct dice *d)
{
	static const uint32_t msrs[] = { 0x4b564d00, 0x4b564d01, 0x11, 0x12 };
	uint32_t at = address(d) & ~3U;

	code_wrmsr(c, msrs[dice_roll(d, 4)], at | 1);
}

/* Makes the page tables of the processor and of KVM differ. */
static void paging(struct code *c, struct dice *d, unsigned int id)
{
	uint32_t own = HOSTILE_RAM + id * (uint32_t)HOSTILE_RAM_PART;
	uint32_t directory = page(d);

	for (uint32_t gpa = 0; gpa < HOSTILE_END; gpa += 4U << 20)
		code_store(c, directory + (gpa >> 22) * 4, FLAT_PDE(gpa));
	code_paging(c, directory);
	code_increment(c, own + HOSTILE_COUNTS + 4 * DEED_PAGING);
	code_store(c, address(d), value(d));
	code_load(c, HOSTILE_END - 4 * (1 + (uint32_t)dice_roll(d, 64)));
	code_no_paging(c);
}

static enum deed some_deed(struct dice *d)
{
	/* this many of a hundred */
	static const unsigned char often[DEEDS] = { 18, 14, 8, 10, 10, 8,
						    6,	8,  8, 6,  4 };
	unsigned int n = (unsigned int)dice_roll(d, 100);
	enum deed deed = DEED_STORE;

	while (n >= often[deed])
		n -= often[deed++];
	return deed;
}

static void do_deed(struct code *c, struct dice *d, enum deed deed,
		    unsigned int id)
{
	switch (deed) {
	case DEED_STORE:
		code_store(c, address(d), value(d));
		break;
	case DEED_LOAD:
		code_load(c, address(d));
		break;
	case DEED_EXECUTE:
		call(c, d);
		break;
	case DEED_HYPERCALL:
		code_map_gpa_range(c, page(d),
				   (uint32_t)dice_roll(d, dice_percent(d, 5)
								  ? 1U << 31
								  : 64),
				   dice_percent(d, 50));
		break;
	case DEED_PORT:
		code_out(c, HOSTILE_CONVERT_PORT,
			 page(d) | (uint32_t)dice_roll(d, 128));
		break;
	case DEED_CLOCK:
		clock(c, d);
		break;
	case DEED_STEAL_TIME:
		code_wrmsr(c, 0x4b564d03, (address(d) & ~63U) | 1);
		break;
	case DEED_STRING_IN:
		code_in_string(c, HOSTILE_PORT, address(d), count(d));
		break;
	case DEED_STRING_OUT:
		code_out_string(c, HOSTILE_PORT, address(d), count(d));
		break;
	case DEED_COPY:
		code_copy(c, address(d), address(d), count(d));
		break;
	default:
		paging(c, d, id);
	}
}

void hostile_program(unsigned char *at, struct dice *d, unsigned int id)
{
	uint32_t own = HOSTILE_RAM + id * (uint32_t)HOSTILE_RAM_PART;
	uint64_t deeds = 1 + dice_roll(d, DEEDS_MAX);
	struct code c = { .at = at };

	while (deeds--) {
		enum deed deed = some_deed(d);

		do_deed(&c, d, deed, id);
		if (deed != DEED_PAGING)
			code_increment(&c, own + HOSTILE_COUNTS + 4 * deed);
	}
	code_halt(&c);
}
