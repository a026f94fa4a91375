/* SPDX-License-Identifier: MIT */
/*
 * The handles and the functions that more than one file of lib/ uses, grouped
 * by the file that defines them.
 */
#ifndef GMEM_LIB_INTERNAL_H
#define GMEM_LIB_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include <gmem.h>

#include "record.h"
#include "sys.h"
#include "tree.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* In the map's node LIBGMEM_PRIVATE: for libgmem-model. */
#define GMEM__SEAM __attribute__((visibility("default")))

/* A struct with a larger .sz was never initialised: .sz holds garbage. */
#define GMEM__STRUCT_MAX 4096

/* VM ioctls and long walks go in steps of this many bytes. */
#define GMEM__STEP (1ULL << 30)

/*
 * How this process reaches the kernel: shared by a VM and its files, or a
 * file's own where there is no VM.
 */
struct gmem__ctx {
	const struct gmem_sys *sys;
	void *priv;
	gmem_trace_fn *trace;
	void *trace_arg;
	uint64_t page_size;
	const volatile uint64_t *cookie; /* wiped in a forked child */
	bool arm64;
};

/* Bytes of an object: of a file. */
struct gmem__range {
	const void *object;
	uint64_t start, end;
};

/* A change that runs or waits; on the stack of the call that makes it. */
struct gmem__ticket {
	struct gmem__ticket *next; /* came later */
	const struct gmem__range *r;
	unsigned int n;
};

enum gmem__slot_state {
	GMEM__SLOT_MAKING, /* being bound */
	GMEM__SLOT_LIVE,
	GMEM__SLOT_GOING, /* being deleted or forgotten */
	GMEM__SLOT_STUCK, /* live, since the kernel would not delete it */
	GMEM__SLOT_LEFT,  /* deleted; its guest addresses have attributes */
};

/* While in the table, and after that in the VM's .left by guest address. */
struct gmem__slot {
	struct gmem__node by_id;     /* in an address space */
	struct gmem__node by_gpa;    /* in an address space */
	struct gmem__node by_offset; /* of a file in a mode; with .s.gmem */
	struct gmem__node by_addr;   /* of this process, where KVM reaches */
	struct gmem__slot *next_stuck;
	struct gmem__slot *aside; /* while gmem__slot_replace() tries */
	uint64_t serial;	  /* no other slot of the VM ever has it */
	uint64_t pass;		  /* when it was last tried to be deleted */
	struct gmem_slot s;
	uint64_t ino, dev; /* of a noted slot's .fd, to see it die */
	enum gmem__slot_state state;
	bool reserved; /* .userspace_addr is in its file's reservation */
};

struct gmem__map {
	struct gmem__map *next;
	void *addr;
	uint64_t len;
};

struct gmem__feature {
	uint8_t support;
	int32_t answer;
};

#define GMEM__FEATURES 29

struct gmem_vm {
	struct gmem__ctx ctx;
	int fd;
	bool owns_fd;
	uint32_t encoding;   /* enum gmem_hugetlb_encoding */
	int flags_cap;	     /* KVM_CAP_GUEST_MEMFD_FLAGS: mask or -errno */
	uint32_t slot_limit; /* ids below this; 0 = unknown */
	uint32_t address_spaces;
	bool readonly_slots;
	struct gmem__feature features[GMEM__FEATURES];
	pthread_mutex_t lock; /* all below; never held across the kernel */
	pthread_cond_t turn;  /* a ticket was given back */
	struct gmem__ticket *first_ticket; /* in the order they came */
	struct gmem__tree by_id, by_gpa, by_offset, by_addr; /* the slots */
	struct gmem__tree left;	  /* slots that left attributes behind */
	struct gmem__slot *stuck; /* slots the kernel would not delete */
	uint64_t serial, pass;
	struct gmem *files;
};

struct gmem {
	struct gmem__ctx *ctx; /* the VM's, or own_ctx */
	struct gmem__ctx own_ctx;
	struct gmem_vm *vm; /* NULL: a file without a VM */
	struct gmem *next;  /* in vm->files */
	struct gmem **prev; /* what points to it there */
	bool linked;	    /* it is there; the owner's to ask */
	bool identified;    /* the two below are known */
	uint64_t ino, dev;
	int fd;
	uint64_t size;
	uint64_t page_size; /* the file's: the huge page or the host's */
	uint64_t flags;	    /* GMEM_CREATE_* that it was made with */
	bool adopted;	    /* not made here: may be another VM's */
	bool foreign;	    /* is another VM's: HVA mode only */
	struct gmem__record record; /* .blocks NULL: nothing converts */
	void *record_mem;
	size_t record_len;
	pthread_mutex_t lock; /* the record's writers and all below */
	unsigned char *view;  /* the whole file, made when first bound */
	struct gmem__map *reservation; /* PROT_NONE, as large as the file */
	unsigned int reserved;	       /* slots that lie in it, or will */
	struct gmem__map *maps;
	struct gmem__map *left; /* could not be unmapped yet */
	unsigned int slots;	/* in the table; under the VM's lock */
};

/* ctx.c */
int gmem__ctx_init(struct gmem__ctx *ctx, const struct gmem_sys *sys,
		   void *priv, const struct gmem_vm_opts *opts,
		   struct gmem_error *err);
/* 0, also when done already; or -errno and @ctx is as before. */
int gmem__ctx_fini(struct gmem__ctx *ctx);
/* 0, or -EIO with WRONG_PROCESS in a forked child. */
int gmem__ctx_check(const struct gmem__ctx *ctx, struct gmem_error *err);
static inline bool gmem__ctx_forked(const struct gmem__ctx *ctx)
{
	return *ctx->cookie == 0;
}

/* call.c: the system calls, traced.  Each returns >= 0 or -errno. */
int gmem__ioctl(const struct gmem__ctx *ctx, int fd, unsigned long request,
		void *arg);
int gmem__open(const struct gmem__ctx *ctx, const char *path, int flags);
int gmem__close(const struct gmem__ctx *ctx, int fd);
int gmem__set_cloexec(const struct gmem__ctx *ctx, int fd);
int gmem__fstat(const struct gmem__ctx *ctx, int fd, struct gmem__stat *out);
int gmem__fstatfs(const struct gmem__ctx *ctx, int fd, uint64_t *magic);
int gmem__mmap(const struct gmem__ctx *ctx, void **addr, uint64_t len, int prot,
	       int flags, int fd, uint64_t offset);
int gmem__munmap(const struct gmem__ctx *ctx, void *addr, uint64_t len);
int gmem__madvise(const struct gmem__ctx *ctx, void *addr, uint64_t len,
		  int advice);
int gmem__mbind(const struct gmem__ctx *ctx, void *addr, uint64_t len, int mode,
		const unsigned long *nodes, unsigned long maxnode,
		unsigned int flags);
int gmem__get_mempolicy(const struct gmem__ctx *ctx, int *mode,
			unsigned long *nodes, unsigned long maxnode, void *addr,
			unsigned long flags);
int gmem__set_mempolicy(const struct gmem__ctx *ctx, int mode,
			const unsigned long *nodes, unsigned long maxnode);
int gmem__move_pages(const struct gmem__ctx *ctx, size_t n, void **pages,
		     int *node);
int gmem__mincore(const struct gmem__ctx *ctx, void *addr, size_t len,
		  unsigned char *vec);
int gmem__fallocate(const struct gmem__ctx *ctx, int fd, int mode,
		    uint64_t offset, uint64_t len);
int gmem__pipe(const struct gmem__ctx *ctx, int fd[2]);
int64_t gmem__write(const struct gmem__ctx *ctx, int fd, const void *from,
		    size_t len);
int64_t gmem__read(const struct gmem__ctx *ctx, int fd, void *to, size_t len);
int gmem__cachestat(const struct gmem__ctx *ctx, int fd, uint64_t offset,
		    uint64_t len, uint64_t *resident);
int64_t gmem__vm_read(const struct gmem__ctx *ctx, void *to, const void *from,
		      size_t len);
int64_t gmem__vm_write(const struct gmem__ctx *ctx, void *to, const void *from,
		       size_t len);

static inline void *gmem__alloc(const struct gmem__ctx *ctx, size_t len)
{
	return ctx->sys->alloc(ctx->priv, len);
}

static inline void gmem__free(const struct gmem__ctx *ctx, void *p)
{
	ctx->sys->free(ctx->priv, p);
}

/* error.c */
/* Clears all .sz bytes of @err; -EINVAL if its .sz was never set. */
GMEM__SEAM int gmem__begin(struct gmem_error *err);
/* Fills @err and returns -errno of @reason, so that callers return it. */
GMEM__SEAM __attribute__((format(printf, 5, 6))) int
gmem__fail(struct gmem_error *err, enum gmem_reason reason, uint64_t value,
	   uint64_t limit, const char *fmt, ...);
/* The same after a system call said @sys (-errno): returned unless @code. */
GMEM__SEAM __attribute__((format(printf, 7, 8))) int
gmem__fail_sys(struct gmem_error *err, enum gmem_reason reason, int code,
	       int sys, uint64_t value, uint64_t limit, const char *fmt, ...);
/* Marks what gmem__fail*() said as worked out after the fact. */
int gmem__diagnosed(struct gmem_error *err, int code);
void gmem__set_done(struct gmem_error *err, uint64_t done);
/* mmap(2) was refused: what mlockall(2) counts has a reason of its own. */
int gmem__fail_map(struct gmem_error *err, int sys, uint64_t len,
		   const char *what);
/* Adds that what failed could not take its slot back either. */
void gmem__stuck_too(struct gmem_error *err, uint32_t slot, int sys);
/* A failed system call that no rule explains: memory, fds, rights, dead VM. */
int gmem__fail_call(struct gmem_error *err, int sys, const char *what);

/* name.c */
/* "ENOMEM" for -ENOMEM, and words for a number without a name. */
const char *gmem__errno_name(int sys);

/* reason.c */
int gmem__reason_code(uint32_t reason);

/* opts.c */
/*
 * @opts of @sz bytes by its caller's word: 0, or -EINVAL when .sz is below
 * @min, -E2BIG when bytes beyond the @known are not zero.
 */
int gmem__opts_check(const void *opts, size_t min, size_t known,
		     const char *name, struct gmem_error *err);
int gmem__flags_check(uint64_t flags, uint64_t known, const char *name,
		      struct gmem_error *err);
int gmem__reserved(uint64_t value, const char *name, struct gmem_error *err);
/* Copies min(opts->sz, known) bytes over zeroes: the caller's wishes. */
void gmem__opts_copy(void *to, size_t known, const void *opts);
/* A struct that the library fills: min(.sz, known) bytes, the rest zero. */
int gmem__out_check(const void *out, size_t min, const char *name,
		    struct gmem_error *err);
void gmem__out_copy(void *out, const void *from, size_t known);

/* feature.c */
/* 0, or the -errno of a shortage that kept it from telling how one converts. */
int gmem__probe(struct gmem_vm *vm);
int gmem__cap(const struct gmem__ctx *ctx, int fd, unsigned long cap);
static inline bool gmem__has(const struct gmem_vm *vm, enum gmem_feature f)
{
	return vm->features[f].support == GMEM_YES;
}
/* Whether guest pages can be private: by either of the two interfaces. */
static inline bool gmem__converts(const struct gmem_vm *vm)
{
	return gmem__has(vm, GMEM_FEATURE_VM_ATTRIBUTES) ||
	       gmem__has(vm, GMEM_FEATURE_FILE_ATTRIBUTES);
}

/* The same, counting what could not be found out as possible. */
static inline bool gmem__may_convert(const struct gmem_vm *vm)
{
	return vm->features[GMEM_FEATURE_VM_ATTRIBUTES].support != GMEM_NO ||
	       vm->features[GMEM_FEATURE_FILE_ATTRIBUTES].support != GMEM_NO;
}

/* Whether there is a feature for huge pages of this size. */
bool gmem__hugetlb_known(uint64_t size);

/* hugetlb.c */
int gmem__hugetlb_flags(uint32_t encoding, uint64_t size, uint64_t flags,
			uint64_t *kernel_flags);
/* Whether this build has the unmerged encodings. */
#ifdef GMEM_WITHOUT_PROPOSED_UAPI
#define GMEM__HUGETLB_BUILT false
#else
#define GMEM__HUGETLB_BUILT true
#endif
/* Whether the kernel's own flag mask rules the encoding out. */
bool gmem__hugetlb_contradicted(uint32_t encoding, int flags_cap);

/* vm.c */
GMEM__SEAM int gmem__vm_open_on(const struct gmem_sys *sys, void *priv,
				const struct gmem_vm_opts *opts,
				struct gmem_vm **out, struct gmem_error *err);
/* What @vm was opened with if it runs on @sys, else NULL. */
GMEM__SEAM void *gmem__vm_priv(const struct gmem_vm *vm,
			       const struct gmem_sys *sys);
int gmem__vm_adopt_on(const struct gmem_sys *sys, void *priv, int fd,
		      const struct gmem_vm_opts *opts, struct gmem_vm **out,
		      struct gmem_error *err);
/* The opening of each call on a VM: clears @err, refuses NULL and children. */
int gmem__vm_enter(const struct gmem_vm *vm, struct gmem_error *err);

/* file.c */
int gmem__enter(const struct gmem *g, struct gmem_error *err);
/* [@offset, @offset + @len) is page aligned, not empty, inside the file. */
int gmem__range_check(const struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem_error *err);

/* The same in the file's own pages, which may be huge. */
int gmem__file_range_check(const struct gmem *g, uint64_t offset, uint64_t len,
			   struct gmem_error *err);

/* adopt.c */
/* 0 and *@st, or why @fd is none. */
int gmem__is_guest_memfd(const struct gmem__ctx *ctx, int fd,
			 struct gmem__stat *st, struct gmem_error *err);
/* @sys and @priv count only without @vm. */
int gmem__adopt_on(const struct gmem_sys *sys, void *priv, struct gmem_vm *vm,
		   int fd, const struct gmem_adopt_opts *opts,
		   struct gmem **out, struct gmem_error *err);

/* ticket.c: disjoint changes run in parallel, overlapping ones in turn */
/*
 * Waits until no earlier change overlaps one of the @n ranges, which stay the
 * caller's.  Return: 0, -EDEADLK in a callback, -ECANCELED, and with @nowait
 * -EAGAIN instead of waiting.
 */
int gmem__ticket_take(struct gmem_vm *vm, struct gmem__ticket *t,
		      const struct gmem__range *r, unsigned int n, bool nowait,
		      const int *cancel, struct gmem_error *err);
void gmem__ticket_return(struct gmem_vm *vm, const struct gmem__ticket *t);

/* callback.c: every call of a caller's function; NULL is none */
void gmem__call_trace(const struct gmem__ctx *ctx, const struct gmem_trace *ev);
void gmem__call_progress(gmem_progress_fn *fn, void *arg, uint64_t done,
			 uint64_t total);
void gmem__call_run(gmem_run_fn *fn, void *arg, uint64_t offset, uint64_t len,
		    int node);
/* -EDEADLK in this thread's callback: for calls that change something. */
int gmem__not_in_callback(struct gmem_error *err);

static inline bool gmem__cancelled(const int *cancel)
{
	return cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED);
}

/* map.c */
/*
 * What the host sees of the pages at @offset.  Only a kernel that converts in
 * place goes by a page's attributes; to all others the whole file is what it
 * was made as.
 */
enum gmem__state gmem__host_state(const struct gmem *g, uint64_t offset,
				  uint64_t len, uint64_t *run);
int gmem__need_mappable(const struct gmem *g, struct gmem_error *err);
int gmem__fail_private(uint64_t offset, struct gmem_error *err);
/* -EACCES if some of the range is private to the host. */
int gmem__need_shared(const struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem_error *err);
/* The whole-file mapping behind slots, made if there is none; 0 or -errno. */
int gmem__view(struct gmem *g, unsigned char **out, struct gmem_error *err);
/*
 * Removes all of the file's mappings that can be: 0, or the first -errno, and
 * what could not be removed is kept.
 */
int gmem__unmap_all(struct gmem *g);
/* -EBUSY if slots of the VMM's lead to a mapping of the file's. */
int gmem__maps_noted(const struct gmem *g, struct gmem_error *err);
/* -EBUSY if any slot leads to what closing the file would unmap. */
int gmem__maps_unused(const struct gmem *g, struct gmem_error *err);
/* Forgets the mappings that are left. */
void gmem__maps_free(struct gmem *g);

/* reservation.c: what is behind slots of a file that has no shared side */
/* One more slot in it; *@out: its first byte. */
int gmem__reservation_get(struct gmem *g, unsigned char **out,
			  struct gmem_error *err);
/* One slot less; with the last one that leads there it is unmapped. */
void gmem__reservation_put(struct gmem *g);

/* copy.c */
/* A byte range of a mappable file: no alignment, @len may be 0. */
int gmem__copy_check(const struct gmem *g, uint64_t offset, uint64_t len,
		     struct gmem_error *err);

#endif
