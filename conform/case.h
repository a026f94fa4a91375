/* SPDX-License-Identifier: MIT */
/* What the cases are written with. */
#ifndef GMEM_CONFORM_CASE_H
#define GMEM_CONFORM_CASE_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "conform.h"
#include "uapi.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define SHARED (UAPI_FLAG_MMAP | UAPI_FLAG_INIT_SHARED)
#define PAGES 16UL

/* What a case needs of the kernel it runs on. */
enum {
	NEED_GMEM = 1U << 0,	/* a VM that can bind a guest_memfd */
	NEED_MMAP = 1U << 1,	/* 6.18 */
	NEED_PRIVATE = 1U << 2, /* VM type 1 */
	NEED_X86 = 1U << 3,
	NEED_ARM64 = 1U << 4,
	NEED_PAGING = 1U << 5, /* guests are not emulated */
	NEED_IN_PLACE = 1U << 6,
	NEED_BY_GPA = 1U << 7, /* KVM_SET_MEMORY_ATTRIBUTES converts */
	NEED_NUMA = 1U << 8,
	NEED_OLD = 1U << 9,    /* before 6.18 */
	NEED_NODES = 1U << 10, /* two of them */
	NEED_HUGE = 1U << 11,
	NEED_MERGED = 1U << 12, /* no unmerged flags */
	NEED_RESIDENCY = 1U << 13,
	NEED_ORDER = 1U << 14, /* huge pages by page_order */
	NEED_VCPU = 1U << 15,  /* that runs instructions: no model has one */
};

struct conform {
	int device;
	char where[80];	       /* "model 6.18", "kernel 6.18.44" */
	struct gmem_vm *model; /* NULL: the real kernel */
	unsigned int version;  /* 618 */
	unsigned int have;     /* NEED_* */
	unsigned int never;    /* what no configuration of it could have */
	bool arm64;
	uint64_t page;
	char failure[256]; /* "" = none so far */
	/* what the case made */
	int fds[48];
	unsigned int n_fds;
	struct {
		void *addr;
		uint64_t len;
	} maps[32];
	unsigned int n_maps;
	uint32_t type;	/* of a VM that can bind */
	uint64_t flags; /* of a file that it can use */
	/* made afresh for each case */
	int vm;
	struct guest *guest;
	unsigned char run[4096]; /* the model's struct kvm_run */
};

extern const struct conform_case create_cases[], fd_cases[], map_cases[],
	policy_cases[], space_cases[], slot_cases[], attr_cases[],
	access_cases[], unmerged_cases[];

/* differences.c: why the case must fail there, or NULL. */
const char *conform_difference(const struct conform *c, const char *name);

/* Ends the case unless @call gives @want. */
#define IS(call, want)                                       \
	do {                                                 \
		long long got_ = (call), want_ = (want);     \
		if (got_ != want_) {                         \
			conform_fail(c, #call, got_, want_); \
			return;                              \
		}                                            \
	} while (0)
void conform_fail(struct conform *c, const char *call, long long got,
		  long long want);

/* An argument that is a pointer to nothing. */
#define BAD_ADDRESS ((void *)(uintptr_t)8)

/* syscall.c: >= 0 or -errno, as this machine's kernel or the model gives it */
int c_open(struct conform *c, const char *path);
int c_close_fd(struct conform *c, int fd);
int c_ioctl(struct conform *c, int fd, unsigned long request, void *arg);
int c_fstat(struct conform *c, int fd, struct stat *out);
int c_fstatfs(struct conform *c, int fd, uint64_t *magic);
int c_map(struct conform *c, void **addr, uint64_t len, int prot, int flags,
	  int fd, uint64_t offset);
int c_munmap(struct conform *c, void *addr, uint64_t len);
int c_madvise(struct conform *c, void *addr, uint64_t len, int advice);
int c_mincore(struct conform *c, void *addr, uint64_t len, unsigned char *vec);
int c_mbind(struct conform *c, void *addr, uint64_t len, int mode,
	    const unsigned long *nodes, unsigned long bits, unsigned int flags);
int c_get_mempolicy(struct conform *c, int *mode, unsigned long *nodes,
		    unsigned long bits, void *addr, unsigned long flags);
int c_set_mempolicy(struct conform *c, int mode, const unsigned long *nodes,
		    unsigned long bits);
/* The node of the page at @addr; -ENOENT: there is none. */
int c_node(struct conform *c, void *addr);
int c_fallocate(struct conform *c, int fd, int mode, uint64_t offset,
		uint64_t len);
int c_read(struct conform *c, int fd, void *to, size_t len);
int c_pread(struct conform *c, int fd, void *to, size_t len, uint64_t offset);
int c_pwrite(struct conform *c, int fd, const void *from, size_t len,
	     uint64_t offset);
int64_t c_lseek(struct conform *c, int fd, uint64_t offset, int whence);
/* Pages that have memory; -ENOSYS without cachestat(2). */
int64_t c_resident(struct conform *c, int fd, uint64_t offset, uint64_t len);
/*
 * A copy by the kernel, which a fault makes -EFAULT: @len or -errno.  Within
 * a page, or a kernel without process_vm_readv(2) copies a part.
 */
int64_t c_copy_from(struct conform *c, void *to, const void *from, size_t len);
int64_t c_copy_to(struct conform *c, void *to, const void *from, size_t len);

/* calls.c */
int c_cap(struct conform *c, int fd, unsigned long cap);
/* Closed at the end of the case. */
int c_vm(struct conform *c, uint32_t type);
int c_create(struct conform *c, int vm, uint64_t size, uint64_t flags);
/* With the order of its pages, which most kernels ignore. */
int c_create_order(struct conform *c, int vm, uint64_t size, uint64_t flags,
		   unsigned int order);
/* A file of PAGES that c->vm can use. */
int c_file(struct conform *c);
int c_close(struct conform *c, int fd);
int c_bind(struct conform *c, int vm, uint32_t slot, uint64_t gpa, uint64_t len,
	   int fd, uint64_t offset);
int c_region2(struct conform *c, int vm, struct uapi_region2 *r);
int c_delete(struct conform *c, int vm, uint32_t slot);
int c_attributes(struct conform *c, int vm, uint64_t gpa, uint64_t len,
		 uint64_t attributes);
int c_attributes2(struct conform *c, int fd, uint64_t offset, uint64_t len,
		  uint64_t attributes, uint64_t *error_offset);
/* Unmapped at the end of the case. */
int c_mmap(struct conform *c, void **addr, uint64_t len, int prot, int flags,
	   int fd, uint64_t offset);
/* The whole of a file of PAGES. */
int c_view(struct conform *c, int fd, unsigned char **p);
/* Unmaps it before that. */
int c_unmap(struct conform *c, void *addr);
/* Ends the case unless the whole of @fd has @want of them, if that is known. */
#define PAGES_ARE(fd, want)                                \
	do {                                               \
		if (c->have & NEED_RESIDENCY)              \
			IS(c_resident(c, fd, 0, 0), want); \
	} while (0)
/* 0, or si_code of the SIGBUS; the fault must be at that very address. */
int c_touch(unsigned char *at, bool write);
/* What a process had of SIGALRM before c_alarm(). */
struct c_alarm {
	struct itimerval timer;
	struct sigaction action;
	sigset_t mask;
};
/* Signals that do nothing: the first, and more if @every_us. */
void c_alarm(struct c_alarm *was, uint32_t after_us, uint32_t every_us);
/* No more; the caller's own timer runs on. */
void c_alarm_end(const struct c_alarm *was);
/* A signal comes in the middle of allocating @len. */
int c_allocate_interrupted(struct conform *c, int fd, uint64_t len);
/* What @fn returns in a forked child. */
int c_child(struct conform *c, int (*fn)(struct conform *c, int fd), int fd);

/* guest.c: one byte, as a vCPU accesses it; 0 or -errno of KVM_RUN. */
int c_load(struct conform *c, int vm, uint64_t gpa, unsigned char *byte);
int c_store(struct conform *c, int vm, uint64_t gpa, unsigned char byte);
/*
 * Puts code at @code, which is @gpa to the guest, and runs it there: 0, or
 * -EPROTO when it does not come to its end.  arm64.
 */
int c_fetch(struct conform *c, int vm, uint64_t gpa, unsigned char *code);
/* A byte by KVM itself, for the guest: -EPROTO when it finds no memory. */
int c_kvm_load(struct conform *c, int vm, uint64_t gpa, unsigned char *byte);
int c_kvm_store(struct conform *c, int vm, uint64_t gpa, unsigned char byte);
/* The exit after that, by the layout of struct kvm_run. */
uint32_t c_exit_reason(const struct conform *c);
uint64_t c_exit_word(const struct conform *c, unsigned int at);
void c_guest_end(struct conform *c);

#endif
