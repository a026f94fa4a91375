// SPDX-License-Identifier: MIT
#include <string.h>
#include <sys/ioctl.h>

#include "flat.h"

#define CR0_PE 1U
#define CR0_PG (1U << 31)
#define CR4_PSE (1U << 4)

/* ---------------------------------------------------------------- vCPU -- */

bool flat_init(struct flat *f, int vm)
{
	(void)f;
	(void)vm;
	return true;
}

void flat_reset(struct flat *f, uint32_t pc, uint32_t sp)
{
	struct kvm_regs regs = { .rip = pc, .rsp = sp, .rflags = 2 };
	struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = 8,
		.type = 11,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
	struct kvm_segment data = code;
	struct kvm_vcpu_events events;
	struct kvm_sregs sregs;

	flat_complete(f);
	data.selector = 16;
	data.type = 3;
	(void)ioctl(f->fd, KVM_GET_SREGS, &sregs);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.idt.limit = 0; /* so that each exception shuts it down */
	sregs.cr0 = (sregs.cr0 & ~(uint64_t)CR0_PG) | CR0_PE;
	sregs.cr3 = 0;
	sregs.cr4 = CR4_PSE;
	sregs.efer = 0;
	(void)ioctl(f->fd, KVM_SET_SREGS, &sregs);
	(void)ioctl(f->fd, KVM_SET_REGS, &regs);
	memset(&events, 0, sizeof(events));
	(void)ioctl(f->fd, KVM_SET_VCPU_EVENTS, &events);
}

void flat_paging(struct flat *f, uint32_t cr3)
{
	struct kvm_sregs sregs;

	(void)ioctl(f->fd, KVM_GET_SREGS, &sregs);
	sregs.cr3 = cr3;
	sregs.cr0 |= CR0_PG;
	(void)ioctl(f->fd, KVM_SET_SREGS, &sregs);
}

uint32_t flat_eax(const struct flat *f)
{
	struct kvm_regs regs = { 0 };

	(void)ioctl(f->fd, KVM_GET_REGS, &regs);
	return (uint32_t)regs.rax;
}

void *flat_io_data(const struct flat *f)
{
	return (unsigned char *)f->run + f->run->io.data_offset;
}

/* -------------------------------------------------------- instructions -- */

static void put32(struct code *c, uint32_t value)
{
	code_bytes(c, (const char *)&value, sizeof(value));
}

static void put8(struct code *c, unsigned int value)
{
	c->at[c->n++] = (unsigned char)value;
}

void code_mov(struct code *c, enum flat_register reg, uint32_t value)
{
	put8(c, 0xb8 + reg);
	put32(c, value);
}

void code_store(struct code *c, uint32_t at, uint32_t value)
{
	code_put(c, "\xc7\x05"); /* movl $value, at */
	put32(c, at);
	put32(c, value);
}

void code_store_byte(struct code *c, uint32_t at, unsigned char value)
{
	code_put(c, "\xc6\x05"); /* movb $value, at */
	put32(c, at);
	put8(c, value);
}

void code_load(struct code *c, uint32_t at)
{
	code_put(c, "\xa1"); /* mov at, %eax */
	put32(c, at);
}

void code_increment(struct code *c, uint32_t at)
{
	code_put(c, "\xff\x05"); /* incl at */
	put32(c, at);
}

void code_wrmsr(struct code *c, uint32_t msr, uint32_t value)
{
	code_mov(c, ECX, msr);
	code_mov(c, EAX, value);
	code_mov(c, EDX, 0);
	code_put(c, "\x0f\x30"); /* wrmsr */
}

void code_out(struct code *c, uint16_t port, uint32_t value)
{
	code_mov(c, EDX, port);
	code_mov(c, EAX, value);
	code_put(c, "\xef"); /* out %eax, (%dx) */
}

void code_in_string(struct code *c, uint16_t port, uint32_t to, uint32_t n)
{
	code_mov(c, EDX, port);
	code_mov(c, EDI, to);
	code_mov(c, ECX, n);
	code_put(c, "\xfc\xf3\x6d"); /* cld; rep insl */
}

void code_out_string(struct code *c, uint16_t port, uint32_t from, uint32_t n)
{
	code_mov(c, EDX, port);
	code_mov(c, ESI, from);
	code_mov(c, ECX, n);
	code_put(c, "\xfc\xf3\x6f"); /* cld; rep outsl */
}

void code_copy(struct code *c, uint32_t to, uint32_t from, uint32_t n)
{
	code_mov(c, EDI, to);
	code_mov(c, ESI, from);
	code_mov(c, ECX, n);
	code_put(c, "\xfc\xf3\xa5"); /* cld; rep movsl */
}

void code_call(struct code *c, uint32_t at)
{
	code_mov(c, EBX, at);
	code_put(c, "\xff\xd3"); /* call *%ebx */
}

void code_map_gpa_range(struct code *c, uint32_t gpa, uint32_t pages,
			bool private)
{
	code_mov(c, EAX, 12); /* KVM_HC_MAP_GPA_RANGE */
	code_mov(c, EBX, gpa);
	code_mov(c, ECX, pages);
	code_mov(c, EDX, private ? 1 << 4 : 0);
	code_mov(c, ESI, 0);
	code_put(c, "\x0f\x01\xd9"); /* vmmcall */
}

void code_paging(struct code *c, uint32_t cr3)
{
	code_mov(c, EAX, cr3);
	code_put(c, "\x0f\x22\xd8");	     /* mov %eax, %cr3 */
	code_put(c, "\x0f\x20\xc0");	     /* mov %cr0, %eax */
	code_put(c, "\x0d\x00\x00\x00\x80"); /* or $CR0_PG, %eax */
	code_put(c, "\x0f\x22\xc0");	     /* mov %eax, %cr0 */
}

void code_no_paging(struct code *c)
{
	code_put(c, "\x0f\x20\xc0");	     /* mov %cr0, %eax */
	code_put(c, "\x25\xff\xff\xff\x7f"); /* and $~CR0_PG, %eax */
	code_put(c, "\x0f\x22\xc0");	     /* mov %eax, %cr0 */
}

void code_halt(struct code *c)
{
	code_put(c, "\xf4");
}
