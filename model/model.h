/* SPDX-License-Identifier: MIT */
/*
 * A guest_memfd kernel in user space: its objects and the functions that more
 * than one file of model/ uses, grouped by the file that defines them.
 *
 * Pages lie in memfds, so that mappings and residency are real; rules and
 * state are the model's.  One mutex per kernel, taken in sys.c and api.c:
 * everything below expects it to be held.  Every function that returns int
 * and is not a predicate returns >= 0 or -errno.
 */
#ifndef GMEM_MODEL_MODEL_H
#define GMEM_MODEL_MODEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <gmem_model.h>

#include "sys.h"
#include "tree.h"

#define MODEL_NODES 32 /* a node mask has its place in a range's value */
#define MODEL_POOLS 12

/* ranges.c: a map from byte ranges to numbers; 0 is what is not in it. */
struct range {
	uint64_t start, end, value;
};

struct ranges {
	struct range *r; /* sorted, disjoint, neighbours differ */
	size_t n, room;
};

/* The range is not empty. */
int model__ranges_set(struct ranges *m, uint64_t start, uint64_t end,
		      uint64_t value);
/* Room for one more range: then the next model__ranges_set() cannot fail. */
int model__ranges_reserve(struct ranges *m);
/* The value at @at; *@end (may be NULL): where it ends, at most UINT64_MAX. */
uint64_t model__ranges_get(const struct ranges *m, uint64_t at, uint64_t *end);
int model__ranges_copy(struct ranges *to, const struct ranges *from);
void model__ranges_free(struct ranges *m);

/* Ranges by where they start, which may overlap, in one group of a tree. */
#define CONTAINER(node, type, member) \
	((type *)((char *)(node)-offsetof(type, member)))

static inline void model__tree_add(struct gmem__tree *t, struct gmem__node *n,
				   uint64_t start, uint64_t end)
{
	n->group = 0;
	n->start = start;
	n->end = end;
	gmem__tree_insert(t, n);
}

/*
 * The first that has a part of [@start, @end), in order of where they start;
 * behind @after, which is in the tree, if that is not NULL.
 */
static inline struct gmem__node *
model__tree_meet(const struct gmem__tree *t, const struct gmem__node *after,
		 uint64_t start, uint64_t end)
{
	return after ? gmem__tree_overlap_next(after, start, end)
		     : gmem__tree_overlap(t, 0, start, end);
}

/* profile.c */
enum {
	MODEL_MMAP = 1U << 0,	      /* 6.18: mmap, flags, every VM type */
	MODEL_OWN_INODE = 1U << 1,    /* 6.19: own magic, policies are kept */
	MODEL_RANGE_EEXIST = 1U << 2, /* 7.2: a range bound twice */
	MODEL_OFFSET_CHECK = 1U << 3, /* 7.2: offset + size as unsigned */
	MODEL_IN_PLACE = 1U << 4,     /* attributes are the file's */
	MODEL_RFC1 = 1U << 5,	      /* huge pages as posted in 2024 */
	MODEL_PAGE_ORDER = 1U << 6,   /* by page_order, of 2026 */
	MODEL_LIMIT_FIRST = 1U << 7,  /* 7.3: of the machine, then the range */
	MODEL_MASK_ONLINE = 1U << 8,  /* 7.0: a balanced policy's nodes too */
};

struct profile {
	const char *name;
	const char *verified; /* the kernels it was verified against, or NULL */
	const char *summary;
	uint32_t version; /* 703 for 7.3 */
	uint32_t rules;
	uint32_t types; /* VM types that kernel has, bit by number */
};

const struct profile *model__profile_find(const char *name);
const struct profile *model__profile_at(uint32_t index);

/* kernel.c */
enum object_type {
	OBJECT_DEVICE,
	OBJECT_VM,
	OBJECT_FILE,
};

/* What a descriptor stands for: a memfd is its body, found by inode. */
struct object {
	struct gmem__node inode;
	uint64_t dev;
	int twin;	      /* of the model's own, to the same memfd */
	struct fd_entry *fds; /* its descriptors, as far as they were seen */
	unsigned int users;   /* mappings of a file, files of a VM */
	enum object_type type;
};

struct fd_entry {
	struct gmem__node number;
	struct fd_entry *next, **link;
	struct object *object;
};

struct failure {
	struct failure *next;
	char call[40]; /* "" = any */
	uint64_t left; /* so many calls, and the last of them fails */
	int code;
	bool for_ever; /* and all calls after it fail too */
};

struct pool {
	uint64_t page_size, used;     /* bytes; pages that files reserve */
	uint64_t pages[MODEL_NODES];  /* of each node */
	uint64_t placed[MODEL_NODES]; /* of these: have memory in a file */
};

struct kernel {
	pthread_mutex_t lock, child_lock;
	bool busy; /* a thread has the lock */
	pthread_key_t task_policy;
	const struct profile *profile;
	uint32_t machine; /* enum gmem_model_machine */
	uint32_t types;
	unsigned int nodes;
	uint32_t empty, outside; /* of these: without memory, no cpuset's */
	uint64_t page_size;
	unsigned int holds; /* descriptors, mappings, allocations, callers */
	int uffd;	    /* -1: nothing converts in place */
	struct gmem__tree objects; /* by inode */
	struct gmem__tree fds;	   /* by number */
	size_t n_fds;
	uint64_t reaped;	  /* inodes below this had their turn */
	struct gmem__tree maps;	  /* by address */
	struct ranges vma_policy; /* by address */
	unsigned int turn;	  /* the node of the interleaved page before */
	struct failure *failures; /* as they were asked for */
	bool interrupt;		  /* a signal comes ... */
	uint64_t interrupt_after; /* ... after so many bytes */
	struct pool pools[MODEL_POOLS];
	const volatile uint64_t *cookie; /* wiped in a forked child */
};

int model__kernel_new(const struct profile *profile,
		      const struct gmem_model_opts *opts, struct kernel **out);
void model__lock(struct kernel *k);
/* Also frees it when nothing holds it any more. */
void model__unlock(struct kernel *k);
/* In a forked child: what another thread was changing is half done. */
bool model__torn(const struct kernel *k);
static inline bool model__has(const struct kernel *k, uint32_t rule)
{
	return k->profile->rules & rule;
}
bool model__forked(const struct kernel *k);
/* Copies of at most a page: -EFAULT for a bad address, never a signal. */
int model__copy_in(void *to, const void *from, size_t len);
int model__copy_out(void *to, const void *from, size_t len);

/* failure.c */
/* -code of the failure that is due at this call of @call, else 0. */
int model__due(struct kernel *k, const char *call);
void model__failures_free(struct kernel *k);

/* object.c */
/* A memfd of @size that cannot be resized; lowest free descriptor. */
int model__memfd(uint64_t size, bool cloexec);
/* The same for an object: the descriptor for the caller, and its twin. */
int model__body(uint64_t size, bool cloexec, int *twin);
/* Enters @fd as a descriptor of @o, whose body it is, with .twin set. */
int model__object_add(struct kernel *k, struct object *o, enum object_type type,
		      int fd);
/* What @fd is, also when it was duplicated; NULL = not of the model. */
struct object *model__object(struct kernel *k, int fd);
/* The one after @after; NULL = the first. */
struct object *model__object_next(const struct kernel *k,
				  const struct object *after);
/* One user less. */
void model__object_put(struct kernel *k, struct object *o);
/* Frees @o if nothing holds it any more, seen or unseen. */
void model__reap(struct kernel *k, struct object *o);
void model__reap_all(struct kernel *k);
void model__objects_free(struct kernel *k);
int model__close(struct kernel *k, int fd);

/* inode.c: the pages of a file */
struct inode {
	struct kernel *k;
	uint64_t size;
	uint64_t page_size; /* of the file: the huge page or the host's */
	bool mappable, converts;
	int shared, private;	  /* where pages are: memfds, or -1 */
	struct ranges attributes; /* 1 = private */
	struct ranges policy;	  /* 6.19 */
	struct ranges nodes;	  /* node + 1 of each page */
	struct ranges pins;	  /* how often */
	struct ranges poison;	  /* 1 = a memory error */
	struct gmem__tree maps;	  /* of it, by offset */
	struct pool *pool;
};

struct inode_how {
	uint64_t size, page_size;
	bool mappable, init_private, converts;
};

/* *@fd: the descriptor for the caller. */
int model__inode_new(struct kernel *k, const struct inode_how *how,
		     struct inode **out, int *fd);
void model__inode_free(struct inode *i);
bool model__inode_private(const struct inode *i, uint64_t at, uint64_t *end);
/* The memfd with the page at @at, and where that stops being the one. */
int model__inode_store(const struct inode *i, uint64_t at, uint64_t *end);
int model__inode_allocate(struct inode *i, uint64_t offset, uint64_t len);
int model__inode_punch(struct inode *i, uint64_t offset, uint64_t len);
/* As a guest reads and writes, in one page of the host's: allocates. */
int model__inode_copy(struct inode *i, uint64_t offset, void *buf, size_t len,
		      bool write);
/* Base pages of the host's that have memory. */
int model__inode_resident(struct inode *i, uint64_t offset, uint64_t len,
			  uint64_t *pages);
/* The same of one of its memfds. */
int model__store_resident(const struct inode *i, int fd, uint64_t offset,
			  uint64_t len, uint64_t *pages);
/* How many of @len bytes from @at on come before one that is poisoned. */
uint64_t model__inode_sound(const struct inode *i, uint64_t at, uint64_t len);
/* The first page from @at on that was touched; @i->size if none. */
uint64_t model__inode_data(const struct inode *i, uint64_t at);

struct mapping;

/* convert.c */
/* KVM_SET_MEMORY_ATTRIBUTES2; *@at: where it stopped. */
int model__inode_convert(struct inode *i, uint64_t offset, uint64_t len,
			 bool private, uint64_t *at);
/* SIGBUS at what is private, in a mapping just made. */
int model__map_guard(struct kernel *k, const struct mapping *m);

/* file.c: a guest_memfd as one VM sees it */
struct file {
	struct object o; /* first */
	struct inode *inode;
	struct vm *vm;
	struct gmem__tree slots; /* by offset */
	uint64_t flags;		 /* GMEM_CREATE_* */
};

int model__file_create(struct kernel *k, struct vm *vm, const void *arg);
void model__file_free(struct kernel *k, struct file *f);
int model__file_ioctl(struct kernel *k, struct file *f, unsigned long request,
		      void *arg);
int model__fallocate(struct kernel *k, int fd, int mode, uint64_t offset,
		     uint64_t len);
int model__cachestat(struct kernel *k, int fd, uint64_t offset, uint64_t len,
		     uint64_t *resident);
int model__fstat(struct kernel *k, int fd, struct gmem__stat *out);
int model__fstatfs(struct kernel *k, int fd, uint64_t *magic);

/* map.c */
struct mapping {
	struct gmem__node at; /* addresses */
	struct gmem__node in; /* the file, at these offsets */
	struct file *file;
};

/* The mapping at @addr, or NULL. */
struct mapping *model__map_at(const struct kernel *k, uint64_t addr);
/* The first behind @after, or NULL, with a part of [@start, @end). */
struct mapping *model__map_meet(const struct kernel *k,
				const struct mapping *after, uint64_t start,
				uint64_t end);
int model__mmap(struct kernel *k, void **addr, size_t len, int prot, int flags,
		int fd, uint64_t offset);
int model__munmap(struct kernel *k, void *addr, size_t len);
int model__madvise(struct kernel *k, void *addr, size_t len, int advice);
/*
 * How many of @len bytes at @addr the kernel can touch on behalf of a system
 * call: a memory error, unlike a page that is private, is the model's alone.
 */
size_t model__sound(struct kernel *k, const void *addr, size_t len);
int model__mincore(struct kernel *k, void *addr, size_t len,
		   unsigned char *vec);

/* policy.c */
int model__mbind(struct kernel *k, void *addr, size_t len, int mode,
		 const unsigned long *nodes, unsigned long maxnode,
		 unsigned int flags);
int model__get_mempolicy(struct kernel *k, int *mode, unsigned long *nodes,
			 unsigned long maxnode, void *addr,
			 unsigned long flags);
int model__set_mempolicy(struct kernel *k, int mode, const unsigned long *nodes,
			 unsigned long maxnode);

/* nodes.c */
int model__move_pages(struct kernel *k, size_t n, void **pages, const int *to,
		      int *node);
int model__set_home_node(const struct kernel *k, void *addr, size_t len,
			 unsigned long node);
/* Gives each page in the range that has memory and no node yet one. */
int model__assign_nodes(struct inode *i, uint64_t offset, uint64_t len);
/* 0, or -ENOMEM: the pool of @i has no page for @at that its policy allows. */
int model__node_room(struct inode *i, uint64_t at);

/* vm.c */
#define MODEL_ADDRESS_SPACES 2

struct slot {
	struct gmem__node
		number;	      /* its id, with the address space above 16 bits */
	struct gmem__node at; /* guest addresses */
	struct gmem__node in; /* its file, at these offsets */
	struct file *file;    /* NULL: none, or closed under the slot */
	uint64_t userspace_addr;
	uint32_t flags;
};

struct vm {
	struct object o; /* first */
	uint32_t type;	 /* the number of KVM_CREATE_VM; 0 on arm64 */
	unsigned int ipa_bits;
	bool dead;
	struct gmem__tree slots;			/* by number */
	struct gmem__tree spaces[MODEL_ADDRESS_SPACES]; /* by address */
	struct ranges attributes;			/* by guest address */
};

void model__vm_free(struct vm *vm);
int model__ioctl(struct kernel *k, int fd, unsigned long request, void *arg);

/* caps.c; @vm is NULL on the device. */
bool model__vm_private(const struct vm *vm); /* has private memory */
uint64_t model__vm_flags(const struct kernel *k, const struct vm *vm);
int model__cap(const struct kernel *k, const struct vm *vm, unsigned long cap);
uint32_t model__address_spaces(const struct kernel *k, const struct vm *vm);
bool model__readonly(const struct vm *vm);
/* Whether anything in that kernel's build has private memory. */
bool model__private_built(const struct kernel *k);

/* pool.c */
/* What the kernel starts with; @pages of each size, over the nodes. */
void model__pools_fill(struct kernel *k);
/* Reserves all pages of @i, which has the host's page size or a pool's. */
int model__pool_reserve(struct kernel *k, struct inode *i);
void model__pool_return(struct inode *i);
/* Those of @nodes with a page that has no memory in a file. */
uint64_t model__pool_free(const struct pool *p, uint64_t nodes);
/* The pages of @i in [@start, @end) lose their memory. */
void model__pool_unplace(struct inode *i, uint64_t start, uint64_t end);

/* control.c */
/* Clears @err; the VM's kernel, locked, and the VM in it. */
int model__enter(const struct gmem_vm *vm, struct kernel **k, struct vm **v,
		 struct gmem_error *err);

/* slot.c */
#define MODEL_SLOTS_X86 32764
#define MODEL_SLOTS_ARM64 32767
/* In slot.flags, above the kernel's: all accesses go to the file. */
#define MODEL_SLOT_FILE_ONLY (1U << 31)

int model__slot_set(struct kernel *k, struct vm *vm, const void *arg,
		    bool second);
/* The one at @gpa in the first address space, or NULL. */
struct slot *model__slot_at(const struct vm *vm, uint64_t gpa);
struct slot *model__slot_find(const struct vm *vm, uint32_t id,
			      uint32_t address_space);
void model__slots_lose_file(struct file *f);
void model__slots_free(struct vm *vm);

#endif
