// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "hostile.h"

#define HOSTILE_PORT 0x77
/* EAX: a page's address, in the low bits whether private and how many */
#define HOSTILE_CONVERT_PORT 0x78
#define HOSTILE_PRIVATE 1
#define HOSTILE_PAGES(eax) ((((eax) >> 1) & 0x3f) + 1)

#define DEEDS_MAX 8
#define HUGE_COUNT 20000 /* of a string instruction; KVM gives up before */

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

const char *hostile_deed(unsigned int deed)
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

	return deed < DEEDS ? names[deed] : NULL;
}

/* ------------------------------------------------------------ programs -- */

static uint32_t page(struct dice *d)
{
	return (uint32_t)hostile_page(d, 60);
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

static void clock_msr(struct code *c, struct dice *d)
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

	return (enum deed)dice_one_of(d, often);
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
		clock_msr(c, d);
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

/* --------------------------------------------------------------- exits -- */

static void on_io(struct vcpu_thread *v)
{
	struct kvm_run *run = v->vcpu.run;
	size_t len = (size_t)run->io.size * run->io.count;
	uint32_t eax;

	if (run->io.direction == KVM_EXIT_IO_IN) {
		happened(EXIT_STRING_IN);
		memset(flat_io_data(&v->vcpu), 0x5a, len);
		return;
	}
	if (run->io.port != HOSTILE_CONVERT_PORT) {
		happened(EXIT_STRING_OUT);
		hostile_look(flat_io_data(&v->vcpu), len);
		return;
	}
	memcpy(&eax, flat_io_data(&v->vcpu), sizeof(eax));
	happened(EXIT_PORT);
	(void)hostile_convert(&v->dice, eax & ~4095U, HOSTILE_PAGES(eax),
			      eax & HOSTILE_PRIVATE);
}

static void on_hypercall(struct vcpu_thread *v)
{
	struct kvm_run *run = v->vcpu.run;

	happened(EXIT_HYPERCALL);
	run->hypercall.ret = hostile_convert(&v->dice, run->hypercall.args[0],
					     run->hypercall.args[1],
					     run->hypercall.args[2] & 1 << 4)
				     ? 0
				     : EINVAL;
}

bool hostile_exit(struct vcpu_thread *v)
{
	struct kvm_run *run = v->vcpu.run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		on_io(v);
		return true;
	case KVM_EXIT_HYPERCALL:
		on_hypercall(v);
		return true;
	case KVM_EXIT_MMIO:
		happened(EXIT_MMIO);
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0x5a, sizeof(run->mmio.data));
		return true;
	case KVM_EXIT_HLT:
		happened(EXIT_HALT);
		return false;
	case KVM_EXIT_SHUTDOWN:
		happened(EXIT_SHUTDOWN);
		return false;
	case KVM_EXIT_INTERNAL_ERROR:
		happened(EXIT_INTERNAL);
		return false;
	default:
		failed("exit %u", run->exit_reason);
		return false;
	}
}

bool hostile_happens(enum event event)
{
	return event != EXIT_NO_SYNDROME && event != EXIT_EXCEPTION;
}

/* ------------------------------------------------------------------ VM -- */

void hostile_vm(struct live *l)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_EXIT_HYPERCALL,
		.args = { GMEM__HC_MAP_GPA_RANGE_BIT },
	};

	live_need("private-memory");
	live_vm(l, GMEM_VM_SW_PROTECTED);
	t_code(raw_ioctl(gmem_vm_fd(l->vm), KVM_ENABLE_CAP, &cap), 0);
}

/*
 * After the guest touched a hole, KVM remembers it and
 * treats each access as shared although the page is private now, until it has
 * to map the page.
 */
int hostile_store(struct live *l, struct flat *f, unsigned char *ram,
		  uint64_t gpa, uint32_t value)
{
	struct code c = { .at = ram };
	int r;

	code_store(&c, (uint32_t)gpa, value);
	code_halt(&c);
	flat_reset(f, HOSTILE_RAM, HOSTILE_RAM + HOSTILE_STACK);
	r = flat_run(f);
	if (r == -EFAULT && f->run->exit_reason == FLAT_EXIT_MEMORY_FAULT &&
	    !flat_fault_flags(f) && !guest_pre_fault(l, gpa & ~4095UL))
		r = flat_run(f);
	return r == 0 && f->run->exit_reason != KVM_EXIT_HLT ? -EPROTO : r;
}
