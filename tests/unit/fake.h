/* SPDX-License-Identifier: MIT */
/*
 * A small, deterministic stand-in for the kernel behind struct gmem_sys: it
 * notes each call, fails the one it is told to, keeps slots and attributes,
 * and can tell whether anything was left behind.  Memory is real, so that the
 * library can read and write what it mapped; file descriptors are not.
 *
 * A profile sets what the host can do; a test then changes single fields
 * before it opens a VM.
 */
#ifndef GMEM_TESTS_FAKE_H
#define GMEM_TESTS_FAKE_H

#include <pthread.h>
#include <stdbool.h>

#include "macros.h"
#include "sys.h"
#include "uapi.h"
#include "uapi_proposed.h"

enum fake_kind {
	FAKE_ANY, /* in fake_fail() and fake_count() only */
	FAKE_OPEN,
	FAKE_CLOSE,
	FAKE_CLOEXEC,
	FAKE_IOCTL,
	FAKE_FSTAT,
	FAKE_FSTATFS,
	FAKE_MMAP,
	FAKE_MUNMAP,
	FAKE_MADVISE,
	FAKE_MBIND,
	FAKE_GET_MEMPOLICY,
	FAKE_SET_MEMPOLICY,
	FAKE_MOVE_PAGES,
	FAKE_MINCORE,
	FAKE_FALLOCATE,
	FAKE_CACHESTAT,
	FAKE_PIPE,
	FAKE_READ,
	FAKE_WRITE,
	FAKE_VM_READ,
	FAKE_VM_WRITE,
	FAKE_THREAD, /* starting one */
	FAKE_SLEEP,
	FAKE_KINDS,
};

/* One system call as the library made it. */
struct fake_call {
	enum fake_kind kind;
	int fd;
	unsigned long request; /* of an ioctl */
	uint64_t arg[4];       /* of the others: address, len, flags, offset */
	int64_t result;
	pthread_t thread; /* that made it */
	union {		  /* an ioctl's argument, before the call */
		uintptr_t value;
		struct gmem__region2 region;
		struct gmem__attributes attr;
		struct gmem__attributes2 attr2;
		struct gmem__create create;
	} in;
};

/* The calls numbered @nth, @nth + 1, ... of a kind, @times in all, fail. */
struct fake_fault {
	enum fake_kind kind;
	unsigned long request; /* 0 = any */
	int code;	       /* -errno */
	unsigned int nth, times, seen;
};

enum fake_fd_type {
	FAKE_FD_FREE,
	FAKE_FD_DEVICE,
	FAKE_FD_VM,
	FAKE_FD_GMEM,
	FAKE_FD_OTHER, /* something that is no guest_memfd */
	FAKE_FD_PIPE,
	FAKE_FD_VCPU, /* KVM_CHECK_EXTENSION would wait for the guest */
};

/* As mbind() and set_mempolicy() take it; the nodes are a mask. */
struct fake_policy {
	int mode;
	unsigned long nodes;
	uint64_t start, end;
};

/* Allocated pages of one node; unsorted, without overlap. */
struct fake_extent {
	uint64_t start, end;
	int node;
	bool touched; /* mincore() sees no others */
};

struct fake_fd {
	enum fake_fd_type type;
	bool cloexec;
	bool foreign; /* a guest_memfd of another VM */
	int vm_type;
	int real; /* the guest_memfd's pages, or a pipe */
	uint64_t size, flags, ino, huge;
	unsigned char *private; /* in-place: a byte a page */
	uint32_t uid;
	size_t piece;		   /* the most that a read() gives; 0 = all */
	struct fake_policy policy; /* where mbind() is obeyed */
	struct fake_extent *extents;
	size_t n_extents;
};

struct fake_map {
	char *addr;
	uint64_t len, offset;
	int fd; /* -1 = anonymous */
	struct fake_policy policy;
	uint64_t faulted, faulted_end; /* what was last populated of it */
	bool dontfork;
};

struct fake_slot {
	struct gmem__region2 r;
	bool used;
	uint64_t ino; /* of its guest_memfd */
};

#define FAKE_FD0 1000 /* fake descriptors start here */
#define FAKE_FDS 64
#define FAKE_MAPS 256
#define FAKE_SLOTS 32
#define FAKE_CALLS 1024
#define FAKE_FAULTS 4
#define FAKE_CAPS 256
#define FAKE_GPA_END (16ULL << 30) /* attributes are kept below this */
#define FAKE_NOWHERE UINT64_MAX

struct fake {
	/* what the host is like; settable */
	uint64_t page_size;
	bool arm64;
	int cap_sys[FAKE_CAPS]; /* answers on /dev/kvm */
	int cap_vm[FAKE_CAPS];	/* answers on a VM fd; < 0 = -errno */
	int api_version;
	uint64_t create_flags; /* accepted; not always what cap 244 says */
	bool no_guest_memfd;   /* KVM_CREATE_GUEST_MEMFD does not exist */
	bool eexist;	       /* 7.2: a bound range gives EEXIST */
	bool offset_overflow;  /* up to 7.1: offset + len may wrap */
	bool own_inode;	       /* 6.19: its own file system magic */
	bool policy_obeyed;    /* 6.19: mbind() is kept by the file */
	bool no_numa;
	unsigned long nodes; /* a mask: those online */
	bool no_cachestat;
	uint32_t euid;
	uint64_t storm;	   /* more in one fallocate() is EINTR; 0 = no storm */
	bool no_vm_copy;   /* process_vm_readv() and _writev() ENOSYS */
	bool inplace;	   /* KVM_SET_MEMORY_ATTRIBUTES2 */
	uint32_t encoding; /* of huge pages; enum gmem_hugetlb_encoding */
	uint64_t gpa_end;  /* the guest's address width */
	unsigned int phys_bits;	 /* the CPU's; 0 = cannot be told */
	uint64_t pinned;	 /* offset of a page that EAGAINs, or NOWHERE */
	unsigned int pinned_for; /* so many times, then it is let go */
	bool dead;		 /* VM ioctls give EIO */

	/* what happened */
	struct fake_call calls[FAKE_CALLS];
	unsigned int n_calls;
	unsigned int n_allocs; /* made so far */
	unsigned int live_allocs;
	unsigned int live_threads;
	unsigned int fail_alloc; /* the n-th from now fails; 0 = none */
	struct fake_fault faults[FAKE_FAULTS];
	uint64_t clock; /* ns; sleeping moves it */

	/* called before each ioctl, without the lock */
	void (*hook)(struct fake *f, int fd, unsigned long request, void *arg);
	void *hook_arg;

	/* the kernel's memory */
	pthread_mutex_t lock;
	struct fake_fd fds[FAKE_FDS];
	struct fake_map maps[FAKE_MAPS];
	struct fake_slot slots[FAKE_SLOTS];
	unsigned char *gpa_private; /* a byte a page */
	uint64_t next_ino;
};

extern const struct gmem_sys fake_sys;

/* Profiles.  fake_init(): 6.18, default VM type. */
void fake_init(struct fake *f);
void fake_init_612(struct fake *f); /* default type: creates, cannot bind */
void fake_init_sw(struct fake *f, bool v73); /* sw-protected; 6.12 or 7.3 */
void fake_init_inplace(struct fake *f);	     /* sw-protected with in-place */
void fake_init_arm64(struct fake *f);	     /* 6.18, 16 KiB pages */

/* Descriptors, mappings and memory are as after fake_init(). */
bool fake_balanced(struct fake *f);
void fake_fini(struct fake *f);

/* In a forked child: what MADV_DONTFORK kept away is gone. */
void fake_forked(struct fake *f);

/* Forgets the calls and allocations counted so far, and the faults. */
void fake_reset(struct fake *f);
void fake_fail(struct fake *f, enum fake_kind kind, unsigned long request,
	       unsigned int nth, unsigned int times, int code);
/* Calls since fake_reset(); with FAKE_ANY all, @request 0 = any. */
unsigned int fake_count(const struct fake *f, enum fake_kind kind,
			unsigned long request);
/* The @nth (from 0) such call, or NULL. */
const struct fake_call *fake_nth(const struct fake *f, enum fake_kind kind,
				 unsigned long request, unsigned int nth);

/* A descriptor as if received: of @type, a guest_memfd with @flags. */
int fake_fd(struct fake *f, enum fake_fd_type type, uint64_t size,
	    uint64_t flags);
/* The fake's file behind a descriptor, or NULL. */
struct fake_fd *fake_file(struct fake *f, int fd);
/* A descriptor to read @len bytes at @data from, at most @piece at once. */
int fake_input(struct fake *f, const void *data, size_t len, size_t piece);
/* Allocates a range on @node, as if long ago; what is there stays. */
void fake_allocate(struct fake *f, int fd, uint64_t offset, uint64_t len,
		   int node);
/* Allocated bytes of a range on @node, -1 = any. */
uint64_t fake_allocated(struct fake *f, int fd, uint64_t offset, uint64_t len,
			int node);
/* Mappings that are there now. */
unsigned int fake_mappings(const struct fake *f);
/* Whether the guest has a slot, and the kernel's attribute of a page. */
const struct fake_slot *fake_slot(struct fake *f, uint32_t id);
bool fake_gpa_private(struct fake *f, uint64_t gpa);
bool fake_file_private(struct fake *f, int fd, uint64_t offset);

/* A VM of @type on the fake; fails the test if it cannot be opened. */
struct gmem_vm *fake_vm(struct fake *f, uint32_t type);

#endif
