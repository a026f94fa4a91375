/* SPDX-License-Identifier: MIT */
/*
 * libgmem - regions: guest memory that one call converts, whatever backs it
 *
 * A region is a guest_memfd with a state a page, private or shared, and where
 * the kernel does not convert in place, with memory for the shared pages beside
 * it.  gmem_region(7) explains it; gmem.h has what holds for all calls.
 */
#ifndef GMEM_REGION_H
#define GMEM_REGION_H

#include <gmem.h>
#include <gmem_exit.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_region;

/* -------------------------------------------------------------- making -- */

enum gmem_region_kind {
	GMEM_REGION_KIND_AUTO = 0, /* in: INPLACE or DUAL, as the VM converts */
	GMEM_REGION_KIND_INPLACE = 1, /* one file for both states */
	GMEM_REGION_KIND_DUAL = 2,    /* a private file, and shared memory */
	GMEM_REGION_KIND_SHARED = 3,  /* stays shared; never chosen by AUTO */
};

/* gmem_region_info.shared_side: what the shared pages of a DUAL region are. */
enum gmem_shared_side {
	GMEM_SHARED_SIDE_NONE = 0,    /* the file has both */
	GMEM_SHARED_SIDE_ANON = 1,    /* private anonymous memory */
	GMEM_SHARED_SIDE_SHMEM = 2,   /* a memfd, tmpfs, shared anonymous */
	GMEM_SHARED_SIDE_HUGETLB = 3, /* a memfd or hugetlbfs of huge pages */
};

/* gmem_region_opts.flags. */
#define GMEM_REGION_NO_HYPERCALL GMEM_BIT(0) /* do not enable its exits */
#define GMEM_REGION_SHARED_FD GMEM_BIT(2)    /* .shared_fd, .shared_offset */

struct gmem_region_opts {
	size_t sz;
	uint64_t flags;		/* GMEM_REGION_NO_HYPERCALL, _SHARED_FD */
	struct gmem *gmem;	/* yours, unbound; NULL: the region makes one */
	void *user;		/* yours: gmem_region_get() returns it */
	void *shared;		/* yours: the memory of shared pages; or NULL */
	uint64_t shared_offset; /* of that memory in .shared_fd */
	uint32_t kind;		/* enum gmem_region_kind */
	int32_t shared_fd;	/* its file; alone, the region maps it */
};

/*
 * Makes a region of @size bytes, all of it private; a SHARED one is shared.  A
 * file that is handed in has to have that size and no slots; of INPLACE it
 * keeps its state.  From then on only the region converts and closes it.
 * Shared memory for a DUAL region is verified to be that, and writable; it and
 * its file are borrowed until the region is closed.  Only the region frees
 * pages of it: from the start those that are private.  The caller closes *@out
 * with gmem_region_close() or gmem_vm_destroy().
 */
GMEM_API GMEM_CHECK int gmem_region_create(struct gmem_vm *vm, uint64_t size,
					   const struct gmem_region_opts *opts,
					   struct gmem_region **out,
					   struct gmem_error *err);

/*
 * Closes a region that is not bound, and its file unless that was handed in,
 * which is the caller's again, with its mappings.  -EBUSY while it is bound, or
 * a file that is closed is mapped, and then nothing changes.  NULL is a no-op.
 */
GMEM_API int gmem_region_close(struct gmem_region *r, struct gmem_error *err);

/* gmem_region_info.flags: the guest's KVM_HC_MAP_GPA_RANGE comes as an exit. */
#define GMEM_REGION_HYPERCALL GMEM_BIT(1)
/* That .shared is what was said: /proc/self/maps could not be read. */
#define GMEM_REGION_UNVERIFIED GMEM_BIT(3)

struct gmem_region_info {
	size_t sz;
	uint64_t size;		   /* bytes */
	uint64_t page_size;	   /* the unit of a conversion, in bytes */
	struct gmem *gmem;	   /* borrowed: the region's file */
	void *user;		   /* of gmem_region_opts */
	void *shared;		   /* borrowed: the shared memory, or NULL */
	uint64_t shared_offset;	   /* of .shared in .shared_fd */
	uint64_t shared_page_size; /* it is freed in these, in bytes; or 0 */
	uint32_t kind;		   /* enum gmem_region_kind: the one taken */
	uint32_t shared_side;	   /* enum gmem_shared_side */
	int32_t shared_fd;	   /* borrowed: for devices; -1 = none */
	uint32_t reserved;	   /* 0 */
	uint64_t flags;		   /* GMEM_REGION_HYPERCALL, _UNVERIFIED */
};

/*
 * What the region is, constant for its life.  @out->shared is the shared memory
 * of a DUAL region, from offset 0 on, to read and write at any time until the
 * region is closed; what is written there for a private page is lost.  For the
 * other kinds it is NULL: gmem_mmap() maps .gmem, what is not shared yet with
 * GMEM_MMAP_ALLOW_PRIVATE.
 */
GMEM_API GMEM_CHECK int gmem_region_get(const struct gmem_region *r,
					struct gmem_region_info *out,
					struct gmem_error *err);

/* -------------------------------------------------------------- slots -- */

/*
 * gmem_bind(), gmem_slot_note() and gmem_unbind() for a part of the region,
 * from @slot->offset on; .gmem of @slot is ignored.  The slots of a DUAL region
 * are in FD mode, and their userspace_addr is .shared of gmem_region_info plus
 * their offset: a bind takes it by itself, a noted slot has to have it.
 * gmem_region_unbind() forgets a slot that was noted.
 */
GMEM_API GMEM_CHECK int gmem_region_bind(struct gmem_region *r,
					 struct gmem_slot *slot,
					 struct gmem_error *err);
GMEM_API GMEM_CHECK int gmem_region_note(struct gmem_region *r,
					 const struct gmem_slot *slot,
					 struct gmem_error *err);
GMEM_API GMEM_CHECK int gmem_region_unbind(struct gmem_region *r, uint32_t slot,
					   uint32_t address_space,
					   uint64_t flags,
					   struct gmem_error *err);

/*
 * The region behind @gpa, borrowed, and in *@where (may be NULL) what
 * gmem_vm_at() says, whose .offset is that in the region.  -EINVAL with
 * NOT_BOUND where no slot is, with NO_REGION where its file is in none.
 */
GMEM_API GMEM_CHECK int gmem_region_at(struct gmem_vm *vm,
				       uint32_t address_space, uint64_t gpa,
				       struct gmem_region **out,
				       struct gmem_location *where,
				       struct gmem_error *err);

/* ---------------------------------------------------------- converting -- */

struct gmem_region_range {
	uint64_t offset; /* in the region */
	uint64_t len;	 /* 0: skipped */
};

/* gmem_convert_opts.flags. */
#define GMEM_CONVERT_NOWAIT GMEM_BIT(0) /* -EAGAIN, do not wait */
#define GMEM_CONVERT_DEFER GMEM_BIT(1)	/* gmem_region_reclaim() frees */
#define GMEM_CONVERT_CHECK_ONLY GMEM_BIT(16)

struct gmem_convert_opts {
	size_t sz;
	uint64_t flags;	   /* GMEM_CONVERT_* */
	const int *cancel; /* read atomically at each step and try; or NULL */
};

struct gmem_converted {
	size_t sz;
	uint64_t done;	  /* out: bytes as wanted, from the lowest on */
	uint64_t changed; /* out: bytes beyond, that were not set back */
	uint64_t runs;	  /* out: parts that were converted */
	uint64_t queued;  /* out: bytes for gmem_region_reclaim() to free */
};

/*
 * Makes the @n ranges private or shared.  They may have any order, and overlap:
 * the call sorts and joins them in @ranges, and sets what is left over to 0.
 * Pages that have the wanted state already cost nothing.  The others
 * are converted in runs, from the lowest on, each whole or not at all, and the
 * memory of a run on the side that the guest has no more is freed.  Runs before
 * one that fails stay converted.  @out may be NULL, and is filled in after such
 * a failure too.
 */
GMEM_API GMEM_CHECK int
gmem_region_convert(struct gmem_region *r, struct gmem_region_range *ranges,
		    size_t n, uint64_t attributes,
		    const struct gmem_convert_opts *opts,
		    struct gmem_converted *out, struct gmem_error *err);

/*
 * Records that the kernel has these attributes already, as after a measured
 * launch or on a new host; no system call.  It sorts and joins the ranges.
 */
GMEM_API GMEM_CHECK int gmem_region_assume(struct gmem_region *r,
					   struct gmem_region_range *ranges,
					   size_t n, uint64_t attributes,
					   struct gmem_error *err);

/*
 * The attributes at @offset, and in *@run (may be NULL) how many of the @len
 * bytes from there on are the same.  Lock-free, no system call.
 */
GMEM_API GMEM_CHECK int gmem_region_attributes(const struct gmem_region *r,
					       uint64_t offset, uint64_t len,
					       uint64_t *attributes,
					       uint64_t *run,
					       struct gmem_error *err);

/* ---------------------------------------------------------------- life -- */

/*
 * Frees the memory of the range on both sides.  Its pages keep their state,
 * and are zero the next time that the guest touches them.  As gmem_discard(),
 * one system call a side, or steps.
 */
GMEM_API GMEM_CHECK int
gmem_region_discard(struct gmem_region *r, uint64_t offset, uint64_t len,
		    const struct gmem_discard_opts *opts,
		    struct gmem_error *err);

/*
 * Frees what conversions left on the side that the guest has no more: with
 * GMEM_CONVERT_DEFER, or because freeing it failed.  *@freed (may be NULL) is
 * how many bytes, also after a failure; err->done bytes of the range are done.
 * Changes of the range wait for a step of it, of at most 1 GiB.
 */
GMEM_API GMEM_CHECK int
gmem_region_reclaim(struct gmem_region *r, uint64_t offset, uint64_t len,
		    const struct gmem_discard_opts *opts, uint64_t *freed,
		    struct gmem_error *err);

/*
 * Reboot: all of the region is private again and its memory freed, as if it had
 * just been made and bound; a SHARED one stays shared.  After a failure some
 * pages may be private and freed: it is safe to call again.  No vCPU may be in
 * KVM_RUN.
 */
GMEM_API GMEM_CHECK int gmem_region_reset(struct gmem_region *r,
					  const struct gmem_discard_opts *opts,
					  struct gmem_error *err);

struct gmem_region_stats {
	size_t sz;
	uint64_t private_bytes;	 /* in that state now */
	uint64_t shared_bytes;	 /* the rest has no slot and so no state */
	uint64_t queued_bytes;	 /* for gmem_region_reclaim() */
	uint64_t to_private;	 /* bytes converted so far */
	uint64_t to_shared;	 /* the same, the other way */
	uint64_t conversions;	 /* runs converted so far */
	uint64_t failed;	 /* calls to convert or reset that failed */
	uint64_t discard_failed; /* runs of which memory could not be freed */
};

/* Counters; lock-free, no system call. */
GMEM_API GMEM_CHECK int gmem_region_stat(const struct gmem_region *r,
					 struct gmem_region_stats *out,
					 struct gmem_error *err);

struct gmem_region_residency {
	size_t sz;
	uint64_t private_bytes; /* out: of private pages */
	uint64_t shared_bytes;	/* out: of shared pages */
	uint64_t unused_bytes;	/* out: more, on the side not in use */
	uint32_t flags;		/* out: GMEM_RESIDENT_* */
	uint32_t reserved;	/* out: 0 */
};

/* How much of the range is allocated, on both sides. */
GMEM_API GMEM_CHECK int gmem_region_resident(struct gmem_region *r,
					     uint64_t offset, uint64_t len,
					     struct gmem_region_residency *out,
					     struct gmem_error *err);

/* ------------------------------------------------------------- serving -- */

/* gmem_serve_opts.flags. */
#define GMEM_SERVE_NOWAIT GMEM_BIT(0) /* RETRY instead of waiting */
#define GMEM_SERVE_DEFER GMEM_BIT(1)  /* as GMEM_CONVERT_DEFER */

struct gmem_serve_opts {
	size_t sz;
	uint64_t flags;		/* GMEM_SERVE_* */
	uint32_t address_space; /* the vCPU's: 1 in x86-64 SMM, else 0 */
	uint32_t reserved;	/* 0 */
	const int *cancel;	/* read atomically at each try; or NULL */
};

/*
 * Does what @exit of gmem_exit_decode() asks for, in any number of regions and
 * slots: all of it is checked before the first part changes.  Where there is
 * no slot, or one in HVA mode, sharing succeeds and does nothing; making that
 * private is refused, and so is either for a file in no region.  An exit that
 * is the VMM's own is RESUME.  @guard is the vCPU's.
 * Return: 0 whatever the guest did; then *@answer says what to do with the
 *   vCPU: REFUSE for a hypercall that is refused, FATAL for such a fault, never
 *   PROBE.  -errno is the host's failure; @guard and @answer are untouched.
 *   After -ECANCELED serve the same exit again, or stop the vCPU.
 * The VMM writes what a hypercall returns by gmem_exit_answer(), with
 * @answer->kind, or GMEM_ANSWER_REFUSE after a failure.
 */
GMEM_API GMEM_CHECK int
gmem_vm_serve(struct gmem_vm *vm, const struct gmem_exit *exit,
	      struct gmem_guard *guard, const struct gmem_serve_opts *opts,
	      struct gmem_answer *answer, struct gmem_error *err);

#ifdef __cplusplus
}
#endif

#endif
