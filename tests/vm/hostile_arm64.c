// SPDX-License-Identifier: MIT
/*
 * A guest of arm64, where KVM has no private memory for a test: it stores,
 * loads and runs code in and around the slots with its MMU off, or on with
 * tables that lie there too.  What KVM rewrites in its memory needs no care for
 * caches: the processor is emulated.
 */
#include <errno.h>
#include <string.h>

#include "hostile.h"

/* No slot is there; the VMM reads each by its address. */
#define DEVICE (HOSTILE_END + (16UL << 20))
#define DEVICE_HALT DEVICE
#define DEVICE_EXCEPTION (DEVICE + 8)
#define DEVICE_LOOK (DEVICE + 16)

#define DEEDS_MAX 8
#define VECTORS 16
#define VECTOR_SIZE 0x80

/* What the guest counts, each after it did it, but calls before. */
enum deed {
	DEED_STORE,
	DEED_LOAD,
	DEED_EXECUTE,
	DEED_HYPERCALL,
	DEED_ATOMIC,
	DEED_ZERO,
	DEED_CACHE,
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
		[DEED_ATOMIC] = "atomic accesses",
		[DEED_ZERO] = "cache lines zeroed",
		[DEED_CACHE] = "cache lines cleaned",
		[DEED_PAGING] = "own page tables",
	};

	return deed < DEEDS ? names[deed] : NULL;
}

/* -------------------------------------------------------- instructions -- */

static void put(struct code *c, uint32_t instruction)
{
	code_bytes(c, (const char *)&instruction, sizeof(instruction));
}

static void mov(struct code *c, unsigned int reg, uint64_t value)
{
	put(c, 0xd2800000 | (uint32_t)(value & 0xffff) << 5 | reg); /* movz */
	for (unsigned int i = 1; i < 4; i++)
		if (value >> 16 * i & 0xffff)
			put(c, 0xf2800000 | i << 21 | /* movk */
				       (uint32_t)(value >> 16 * i & 0xffff)
					       << 5 |
				       reg);
}

#define STR_X0 0xf9000020 /* str x0, [x1] */
#define STR_W0 0xb9000020
#define B_SELF 0x14000000

static void stop(struct code *c, uint64_t device)
{
	mov(c, 1, device);
	put(c, STR_W0);
	put(c, B_SELF);
}

static void increment(struct code *c, uint64_t at)
{
	mov(c, 5, at);
	put(c, 0xb94000a3); /* ldr w3, [x5] */
	put(c, 0x11000463); /* add w3, w3, #1 */
	put(c, 0xb90000a3); /* str w3, [x5] */
}

/* ------------------------------------------------------------ programs -- */

static uint64_t page(struct dice *d)
{
	return hostile_page(d, 30);
}

/* A byte there, often at an edge, and now and then one that is not aligned. */
static uint64_t address(struct dice *d)
{
	uint64_t at = page(d), unit = dice_percent(d, 90) ? 16 : 1;

	switch (dice_roll(d, 3)) {
	case 0:
		return at;
	case 1:
		return at + 4096 - unit;
	default:
		return at + dice_roll(d, 4096 / unit) * unit;
	}
}

/* A word without any byte of a canary. */
static uint64_t value(struct dice *d)
{
	return dice_roll(d, UINT64_MAX) & 0x3f3f3f3f3f3f3f3f;
}

/* x1 is the address, x0 and x3 are data. */
static void access(struct code *c, struct dice *d, const uint32_t *how,
		   unsigned int n)
{
	mov(c, 0, value(d));
	mov(c, 3, value(d));
	mov(c, 1, address(d));
	put(c, how[dice_roll(d, n)]);
}

static void store(struct code *c, struct dice *d)
{
	static const uint32_t how[] = {
		STR_X0,	    STR_W0, 0x39000020, /* strb w0, [x1] */
		0xa9000c20,			/* stp x0, x3, [x1] */
		0xc89ffc20,			/* stlr x0, [x1] */
		0xd5033f9f,			/* dsb sy */
	};

	access(c, d, how, 5);
	put(c, how[5]);
}

/* What came is shown to the VMM. */
static void load(struct code *c, struct dice *d)
{
	static const uint32_t how[] = {
		0xf9400020, /* ldr x0, [x1] */
		0xb9400020, /* ldr w0, [x1] */
		0x39400020, /* ldrb w0, [x1] */
		0xa9400c20, /* ldp x0, x3, [x1] */
		0xc8dffc20, /* ldar x0, [x1] */
	};

	access(c, d, how, 5);
	mov(c, 1, DEVICE_LOOK);
	put(c, STR_X0);
}

static void atomic(struct code *c, struct dice *d)
{
	static const uint32_t how[] = {
		0xf8200023, /* ldadd x0, x3, [x1] */
		0xf8208023, /* swp x0, x3, [x1] */
		0xc8a07c23, /* cas x0, x3, [x1] */
		0xc85f7c20, /* ldxr x0, [x1] */
	};

	access(c, d, how, 4);
	put(c, 0xc8047c23); /* stxr w4, x3, [x1] */
}

/* Up to 6.19 it does not come back from a page that was written before. */
static void call(struct code *c, struct dice *d, uint64_t own)
{
	increment(c, own + HOSTILE_COUNTS + 4 * DEED_EXECUTE);
	mov(c, 1, address(d) & ~3UL);
	if (dice_percent(d, 80)) {
		mov(c, 0, 0xd65f03c0); /* ret */
		put(c, STR_W0);
		put(c, 0xd50b7b21); /* dc cvau, x1 */
		put(c, 0xd5033f9f); /* dsb sy */
		put(c, 0xd50b7521); /* ic ivau, x1 */
		put(c, 0xd5033f9f); /* dsb sy */
		put(c, 0xd5033fdf); /* isb */
	}
	put(c, 0xd63f0020); /* blr x1 */
}

/* PSCI and others, some with an address to start at. */
static void hypercall(struct code *c, struct dice *d)
{
	static const uint32_t calls[] = {
		0x84000000, /* PSCI_VERSION */
		0x84000002, /* CPU_OFF */
		0xc4000003, /* CPU_ON */
		0xc4000004, /* AFFINITY_INFO */
		0x84000008, /* SYSTEM_OFF */
		0x84000009, /* SYSTEM_RESET */
		0x80000000, /* SMCCC_VERSION */
		0xc5000020, /* PV_TIME_FEATURES */
		0x86000000, /* KVM's own features */
	};
	static const unsigned char often[] = { 30, 4, 6, 15, 3, 3, 15, 12, 12 };

	mov(c, 0, calls[dice_one_of(d, often)]);
	mov(c, 1, dice_roll(d, 3));
	mov(c, 2, address(d) & ~3UL);
	mov(c, 3, value(d));
	put(c, 0xd4000002); /* hvc #0 */
}

#define TCR (25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23) /* 39 bits, 4 KiB */
#define BLOCK 0x701 /* 1 GiB at 0, accessed, shareable, of memory type 0 */

/* One table, with the first GiB at its place and normal memory. */
static void paging(struct code *c, struct dice *d, uint64_t own)
{
	mov(c, 1, page(d));
	mov(c, 0, BLOCK);
	put(c, STR_X0);
	put(c, 0xd5033f9f); /* dsb sy */
	put(c, 0xd5182001); /* msr ttbr0_el1, x1 */
	mov(c, 0, TCR);
	put(c, 0xd5182040); /* msr tcr_el1, x0 */
	mov(c, 0, 0xff);
	put(c, 0xd518a200); /* msr mair_el1, x0 */
	put(c, 0xd5033fdf); /* isb */
	put(c, 0xd508871f); /* tlbi vmalle1 */
	put(c, 0xd5033f9f); /* dsb sy */
	put(c, 0xd5381002); /* mrs x2, sctlr_el1 */
	put(c, 0xb2400042); /* orr x2, x2, #1 */
	put(c, 0xd5181002); /* msr sctlr_el1, x2 */
	put(c, 0xd5033fdf); /* isb */
	increment(c, own + HOSTILE_COUNTS + 4 * DEED_PAGING);
	store(c, d);
	load(c, d);
	put(c, 0xd5381002); /* mrs x2, sctlr_el1 */
	put(c, 0x927ff842); /* and x2, x2, #~1 */
	put(c, 0xd5181002); /* msr sctlr_el1, x2 */
	put(c, 0xd5033fdf); /* isb */
}

static void one_line(struct code *c, struct dice *d, uint32_t how)
{
	mov(c, 1, address(d));
	put(c, how);
}

static void do_deed(struct code *c, struct dice *d, enum deed deed,
		    uint64_t own)
{
	switch (deed) {
	case DEED_STORE:
		store(c, d);
		break;
	case DEED_LOAD:
		load(c, d);
		break;
	case DEED_EXECUTE:
		call(c, d, own);
		break;
	case DEED_HYPERCALL:
		hypercall(c, d);
		break;
	case DEED_ATOMIC:
		atomic(c, d);
		break;
	case DEED_ZERO:
		one_line(c, d, 0xd50b7421); /* dc zva, x1 */
		break;
	case DEED_CACHE:
		one_line(c, d, 0xd50b7e21); /* dc civac, x1 */
		break;
	default:
		paging(c, d, own);
	}
}

void hostile_program(unsigned char *at, struct dice *d, unsigned int id)
{
	static const unsigned char often[DEEDS] = { 30, 20, 8, 8, 14, 8, 4, 8 };
	uint64_t own = HOSTILE_RAM + id * HOSTILE_RAM_PART;
	uint64_t deeds = 1 + dice_roll(d, DEEDS_MAX);
	struct code c = { .at = at };

	while (deeds--) {
		enum deed deed = (enum deed)dice_one_of(d, often);

		do_deed(&c, d, deed, own);
		if (deed != DEED_PAGING && deed != DEED_EXECUTE)
			increment(&c, own + HOSTILE_COUNTS + 4 * deed);
	}
	stop(&c, DEVICE_HALT);
	for (unsigned int i = 0; i < VECTORS; i++) {
		c = (struct code){ .at = at + FLAT_VECTORS + i * VECTOR_SIZE };
		stop(&c, DEVICE_EXCEPTION);
	}
}

/* --------------------------------------------------------------- exits -- */

static bool on_mmio(struct kvm_run *run)
{
	uint64_t at = run->mmio.phys_addr;

	if (!run->mmio.is_write) {
		happened(EXIT_MMIO);
		memset(run->mmio.data, 0x5a, sizeof(run->mmio.data));
		return true;
	}
	if (at == DEVICE_HALT || at == DEVICE_EXCEPTION) {
		happened(at == DEVICE_HALT ? EXIT_HALT : EXIT_EXCEPTION);
		return false;
	}
	happened(EXIT_MMIO);
	if (at == DEVICE_LOOK && run->mmio.len <= sizeof(run->mmio.data))
		hostile_look(run->mmio.data, run->mmio.len);
	return true;
}

bool hostile_exit(struct vcpu_thread *v)
{
	struct kvm_run *run = v->vcpu.run;

	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		return on_mmio(run);
	case KVM_EXIT_ARM_NISV:
		happened(EXIT_NO_SYNDROME);
		return false;
	case KVM_EXIT_SYSTEM_EVENT:
		happened(EXIT_SHUTDOWN);
		return false;
	default:
		failed("exit %u", run->exit_reason);
		return false;
	}
}

bool hostile_happens(enum event event)
{
	switch (event) {
	case EXIT_STRING_IN:
	case EXIT_STRING_OUT:
	case EXIT_PORT:
	case EXIT_HYPERCALL:
	case EXIT_INTERNAL:
	case EXIT_FAULT:
	case EXIT_BARE_FAULT:
	case VMM_TO_PRIVATE:
	case VMM_TO_SHARED:
		return false;
	default:
		return true;
	}
}

/* ------------------------------------------------------------------ VM -- */

void hostile_vm(struct live *l)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_NISV_TO_USER };

	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	t_code(raw_ioctl(gmem_vm_fd(l->vm), KVM_ENABLE_CAP, &cap), 0);
}

int hostile_store(struct live *l, struct flat *f, unsigned char *ram,
		  uint64_t gpa, uint32_t value)
{
	struct code c = { .at = ram };
	int r;

	(void)l;
	mov(&c, 0, value);
	mov(&c, 1, gpa);
	put(&c, STR_W0);
	stop(&c, DEVICE_HALT);
	flat_reset(f, HOSTILE_RAM, HOSTILE_RAM + HOSTILE_STACK);
	r = flat_run(f);
	return r < 0 || (f->run->exit_reason == KVM_EXIT_MMIO &&
			 f->run->mmio.phys_addr == DEVICE_HALT)
		       ? r
		       : -EPROTO;
}
