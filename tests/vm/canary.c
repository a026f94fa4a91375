// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "canary.h"

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))
#define PAGE_MIN 4096UL
#define PAGE_MAX 65536UL
#define LOW_MAX (64UL << 20)
#define OWN_PAGES 8

/*
 * As page table entries they are present, writable, large and not accessed:
 * a walk through them leaves a bit behind.
 */
#define FIXED_BITS 0x87U
#define FIXED_MASK 0x3fffffU

static unsigned char in_data[OWN_PAGES * PAGE_MAX]
	__attribute__((aligned(PAGE_MAX))) = { 1 };
static unsigned char in_bss[OWN_PAGES * PAGE_MAX]
	__attribute__((aligned(PAGE_MAX)));
static unsigned char mapped[LOW_MAX / PAGE_MIN];
static uint64_t low_end;

static uint32_t word_at(uint64_t at)
{
	return (((uint32_t)at * 2654435761U) & ~FIXED_MASK) | FIXED_BITS;
}

bool canary_is(uint32_t word)
{
	return (word & FIXED_MASK) == FIXED_BITS;
}

void canary_fill(void *at, size_t len)
{
	volatile uint32_t *w = at;

	for (size_t i = 0; i < len / sizeof(*w); i++)
		w[i] = word_at((uintptr_t)at + i * sizeof(*w));
}

uint64_t canary_changed(const void *at, size_t len)
{
	const volatile uint32_t *w = at;

	for (size_t i = 0; i < len / sizeof(*w); i++)
		if (w[i] != word_at((uintptr_t)at + i * sizeof(*w)))
			return (uintptr_t)at + i * sizeof(*w);
	return CANARY_WHOLE;
}

/* The page at low address @n * PAGE, where no C object is. */
static void *low_page(size_t n)
{
	uintptr_t at = n * PAGE;

	__asm__("" : "+r"(at));
	return (void *)at; /* NOLINT(performance-no-int-to-ptr) */
}

void canary_low(uint64_t end)
{
	if (low_end)
		return;
	low_end = end < LOW_MAX ? end : LOW_MAX;
	for (size_t n = 0; n < low_end / PAGE; n++) {
		void *p =
			mmap(low_page(n), PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			     -1, 0);

		mapped[n] = p != MAP_FAILED;
	}
	canary_low_mend();
}

unsigned int canary_low_pages(void)
{
	unsigned int pages = 0;

	for (size_t n = 0; n < low_end / PAGE; n++)
		pages += mapped[n];
	return pages;
}

bool canary_has_page_zero(void)
{
	return mapped[0];
}

uint64_t canary_low_changed(void)
{
	uint64_t changed = canary_changed(in_data, sizeof(in_data));

	if (changed == CANARY_WHOLE)
		changed = canary_changed(in_bss, sizeof(in_bss));
	for (size_t n = 0; changed == CANARY_WHOLE && n < low_end / PAGE; n++)
		if (mapped[n])
			changed = canary_changed(low_page(n), PAGE);
	return changed;
}

void canary_low_mend(void)
{
	canary_fill(in_data, sizeof(in_data));
	canary_fill(in_bss, sizeof(in_bss));
	for (size_t n = 0; n < low_end / PAGE; n++)
		if (mapped[n])
			canary_fill(low_page(n), PAGE);
}

uint64_t canary_in_data(void)
{
	return (uintptr_t)in_data + PAGE;
}

uint64_t canary_in_bss(void)
{
	return (uintptr_t)in_bss + PAGE;
}

static void *fresh(void *at, size_t len, int flags)
{
	void *p = mmap(at, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1,
		       0);

	return p == MAP_FAILED ? NULL : p;
}

void *canary_fresh(size_t len)
{
	return fresh(NULL, len, 0);
}

void *canary_fresh_at(void *at, size_t len)
{
	return fresh(at, len, MAP_FIXED_NOREPLACE);
}

bool canary_untouched(void *at, size_t len)
{
	unsigned char present[LOW_MAX / PAGE_MIN];

	if (len > LOW_MAX || mincore(at, len, present) < 0)
		return false;
	for (size_t i = 0; i < len / PAGE; i++)
		if (present[i] & 1)
			return false;
	return true;
}
