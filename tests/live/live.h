/* SPDX-License-Identifier: MIT */
/*
 * What the tests on a real /dev/kvm share: a fixture that remembers what a
 * test made and checks at its end that the kernel has it back, the
 * capabilities that decide skips, and the kernel's calls without the library.
 */
#ifndef GMEM_TESTS_LIVE_H
#define GMEM_TESTS_LIVE_H

#include <stdbool.h>

#include "t.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define LIVE_SHARED (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)
#define LIVE_SLOTS 32 /* a test uses slot ids below this */
#define LIVE_CALLS 64

struct live_call {
	const char *name;
	uint64_t arg[4];
	int64_t result;
};

struct live {
	struct gmem_vm *vm; /* the VM made last */
	struct gmem *g;	    /* the file made last */
	struct gmem_error err;
	uint64_t page;
	struct gmem_vm *vms[8];
	unsigned int n_vms;
	int fds[16];
	unsigned int n_fds;
	struct {
		void *addr;
		size_t len;
	} maps[16];
	unsigned int n_maps;
	unsigned int fds_before;
	struct live_call calls[LIVE_CALLS]; /* the library's system calls */
	unsigned int n_calls;		    /* all of them, kept or not */
	/* after each of them; NULL = none */
	void (*on_call)(struct live *l, const struct gmem_trace *event);
	uint32_t slots; /* bits: what the library bound */
	int vcpu;	/* guest.c */
	unsigned char *run;
	size_t run_size;
};

int live_setup(void **state);
int live_teardown(void **state);
#define live_test(fn) \
	cmocka_unit_test_setup_teardown(fn, live_setup, live_teardown)

/* The words of the list in live.c; skips the test if this machine lacks it. */
bool live_has(const char *capability);
void live_need(const char *capability);
const char *live_capability(unsigned int index);
/* Whether the running kernel is at least this one. */
bool live_kernel(unsigned int major, unsigned int minor);

/* A VM of @type, traced into l->calls; gone at the end of the test. */
struct gmem_vm *live_vm(struct live *l, uint32_t type);
/* A file of @pages host pages on l->vm. */
struct gmem *live_file(struct live *l, uint64_t pages, uint64_t flags);
/* Both, of the kind that a guest uses on this kernel. */
struct gmem *live_bindable(struct live *l, uint64_t pages);
/* Does not destroy @vm at the end: the test has done so. */
void live_forget_vm(struct live *l, const struct gmem_vm *vm);
/* Closed, or unmapped, at the end of the test. */
int live_keep_fd(struct live *l, int fd);
void *live_keep_map(struct live *l, void *addr, size_t len);
/* Anonymous memory filled with @byte. */
unsigned char *live_memory(struct live *l, size_t len, int byte);
/* The same mapped over slot 0's userspace_addr, instead of the file. */
unsigned char *live_decoy(struct live *l, size_t len, int byte);

/* A call that is refused before the library asks the kernel anything. */
#define live_refused(l, call, code, why)                 \
	do {                                             \
		unsigned int before_ = (l)->n_calls;     \
		t_refused(call, code, why, (l)->err);    \
		assert_int_equal((l)->n_calls, before_); \
	} while (0)
#define live_ok(l, call) t_ok(call, (l)->err)

/* The kernel without the library: >= 0 or -errno. */
int raw_ioctl(int fd, unsigned long request, void *arg);
int raw_vm(unsigned long type);
int raw_cap(int fd, unsigned long cap);
/* Descriptors that are neither VM nor file, a virtual CPU of @vm first. */
#define RAW_ODD 7
void raw_odd_fds(struct live *l, int vm, int fds[RAW_ODD]);
int raw_create(int vm, uint64_t size, uint64_t flags);
int raw_bind(int vm, uint32_t slot, uint64_t gpa, uint64_t len,
	     const void *addr, int gmem, uint64_t offset);
int raw_plain(int vm, uint32_t slot, uint64_t gpa, uint64_t len,
	      const void *addr);
int raw_delete(int vm, uint32_t slot);
int raw_attributes(int vm, uint64_t gpa, uint64_t len, uint64_t attributes);
int raw_file_attributes(int gmem, uint64_t offset, uint64_t len,
			uint64_t attributes);
void *raw_map(struct live *l, int fd, uint64_t len, int prot);
/* Pages of @fd that have memory, by cachestat(2); needs "residency". */
int64_t raw_resident(int fd, uint64_t offset, uint64_t len);

/*
 * Unevictable bytes on @node, nearly all of which are guest memory; -ENOENT if
 * there is no such node.
 */
int64_t live_guest_memory(int node);

/* The numbers of open descriptors, and of lines of /proc/self/maps. */
unsigned int live_fds(void);
unsigned int live_map_lines(void);
/* Mappings of any guest_memfd. */
unsigned int live_guest_maps(void);
/* Mappings and descriptors of the file that @fd is. */
unsigned int live_maps_of(int fd);
unsigned int live_fds_of(int fd);

/* Reads a byte: 0, or the si_code of the SIGBUS that it raised. */
int live_touch(const volatile unsigned char *at);

/* Runs @fn in a forked child, which must return 0; CHILD() fails there. */
void live_child(struct live *l, int (*fn)(struct live *l));
#define CHILD(expr)                                                          \
	do {                                                                 \
		if (!(expr))                                                 \
			return live_child_failed(#expr, __FILE__, __LINE__); \
	} while (0)
int live_child_failed(const char *expr, const char *file, int line);

/* guest.c: one vCPU that runs the program of examples/minivm. */
#define LIVE_RAM (2UL << 20) /* at guest physical address 0 */

/* Puts the program and the @text that it prints at @offset of @g. */
void guest_load(struct live *l, struct gmem *g, uint64_t offset,
		const char *text);
/* The same into memory that the guest has as RAM. */
void guest_copy(unsigned char *ram, const char *text);
/*
 * Runs it on l->vm from its start.
 * Return: how many characters it printed, or -errno of KVM_RUN.
 */
int guest_run(struct live *l);
/* Where in RAM it reads the text and stores its length. */
uint64_t guest_result(void);
/* After -EFAULT: whether it is a memory-fault exit, with its numbers. */
bool guest_fault(const struct live *l, uint64_t *flags, uint64_t *gpa,
		 uint64_t *size);
/* KVM_PRE_FAULT_MEMORY of one page; needs "pre-fault". */
int guest_pre_fault(struct live *l, uint64_t gpa);
/*
 * Whether the kernel has the page at @gpa as private; no slot may be there.
 * Needs "pre-fault".
 */
bool guest_private(struct live *l, uint64_t gpa);

#endif
