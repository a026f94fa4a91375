/* SPDX-License-Identifier: MIT */
/*
 * Memory of the VMM that no guest must reach.  Filled pages show writes; pages
 * that nothing has touched since they were mapped show reads as well.
 */
#ifndef GMEM_TESTS_VM_CANARY_H
#define GMEM_TESTS_VM_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Fills all free pages of the VMM's addresses below @end, and some of its
 * .data and .bss, which lie there too in a program that is not
 * position-independent: a guest would see them in a slot with userspace_addr
 * 0.  Call it once in a process; page 0 needs vm.mmap_min_addr = 0.
 */
void canary_low(uint64_t end);
/* How many pages below the end have a canary, and whether page 0 has. */
unsigned int canary_low_pages(void);
bool canary_has_page_zero(void);
#define CANARY_WHOLE UINT64_MAX
/* The address of the first of these words that has changed, or WHOLE. */
uint64_t canary_low_changed(void);
/* Fills again what was changed. */
void canary_low_mend(void);
/* Addresses in pages of .data and of .bss that are filled. */
uint64_t canary_in_data(void);
uint64_t canary_in_bss(void);

/* Fills @len bytes at @at, for canary_changed(). */
void canary_fill(void *at, size_t len);
uint64_t canary_changed(const void *at, size_t len);
/* Whether @word may come from filled memory; guests never store such words. */
bool canary_is(uint32_t word);

/* Maps new pages, at an address that the kernel chooses or exactly at @at. */
void *canary_fresh(size_t len);
void *canary_fresh_at(void *at, size_t len);
/* Whether all of them are still untouched. */
bool canary_untouched(void *at, size_t len);

#endif
