/* SPDX-License-Identifier: MIT */
/* What the parts of answers.c share. */
#ifndef GMEM_TESTS_CONFORM_ANSWERS_H
#define GMEM_TESTS_CONFORM_ANSWERS_H

#include <stdint.h>
#include <sys/syscall.h>

#include <gmem_model.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* 6.5, the same number everywhere */
#endif

#define FILE_PAGES 8

extern struct gmem_vm *kernel; /* a VM in the model's kernel */
extern uint64_t page;

/* answers.c: a system call to the kernel, and what there is to be told. */
int64_t sys(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
	    uint64_t e, uint64_t f);
int64_t ioc(int fd, unsigned long request, const void *arg);
/* Pages of a range of the file. */
uint64_t resident(int fd, uint64_t offset, uint64_t len);
int64_t new_order(int vm, uint64_t size, uint64_t flags, unsigned int order);
int64_t new_file(int vm, uint64_t size, uint64_t flags);
/* Only a number. */
void tell(const char *what, uint64_t n);
void head(const char *what);
void answer(const char *what, const char *text);
void say(const char *what, int64_t r);
void say_n(const char *what, uint64_t n, int64_t r);

/* answers_file.c */
void conversions(int vm, int fd);
void mappings(int fd);

/* answers_huge.c */
void huge_pages(int vm);

/* answers_slot.c */
void slots(int vm);
void guests(int vm);

#endif
