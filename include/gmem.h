/* SPDX-License-Identifier: MIT */
/*
 * libgmem - guest memory files (guest_memfd) of Linux KVM
 *
 * The model, lifetime, threads, fork and signals are in gmem(7); every call
 * has a page of its own in section 3, every feature a line in
 * gmem_features(7).  What holds for all calls:
 *
 * Return: 0 on success, -errno on failure, what else there is to say in a
 *   structure; getters return a number.  errno itself is not part of the
 *   interface.  Objects come back through a pointer to a pointer, which is
 *   left untouched on failure.
 * Errors: the last parameter may be NULL.  Otherwise its .sz must be set; the
 *   call clears the other members first, .msg to "", and reports there which
 *   rule was broken and what to do.  A refusal changes nothing.
 * Structs: those of options, results and errors start with .sz.  Set it to
 *   sizeof(the struct), also of a result, and leave the rest zero: zero is the
 *   default.  NULL stands for all defaults where the struct is named opts.  A
 *   call uses the struct and its pointers until it returns; only .trace and
 *   .trace_arg are used as long as the VM exists.
 * Units: size, len, offset and gpa are bytes; offset is a position in the
 *   file, gpa a guest physical address.  A page is the host's page.
 * Ownership: the caller closes each handle that it got, once: a struct gmem_vm
 *   with gmem_vm_close(), a struct gmem with gmem_close(), or both with
 *   gmem_vm_destroy().  There are no reference counts.  Strings that the
 *   library returns are static: never free them.
 * Threads: every call is MT-Safe on one handle, from any thread, except the
 *   closing ones, which need the handle to themselves.  None but gmem_name()
 *   and gmem_name_at() is async-signal-safe.
 * Fork: handles belong to the process that made them.  In a forked child
 *   every call on one returns -EIO with GMEM_REASON_WRONG_PROCESS, gmem_fd()
 *   and gmem_vm_fd() -EIO, and the getters of a number 0; gmem_vm_destroy()
 *   alone works.
 */
#ifndef GMEM_H
#define GMEM_H

#include <stddef.h>
#include <stdint.h>

#include <gmem_error.h>
#include <gmem_version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_vm; /* a KVM virtual machine */
struct gmem;	/* one guest_memfd */

/* The version of the library in use, such as "0.1.0"; static. */
GMEM_API const char *gmem_version(void);

/* ------------------------------------------------------------- names -- */

/* Which numbers a name of gmem_name() is for. */
enum gmem_name_kind {
	GMEM_NAME_ERRNO = 0,		/* "ENOMEM" for ENOMEM */
	GMEM_NAME_VM_TYPE = 1,		/* enum gmem_vm_type */
	GMEM_NAME_HUGETLB_ENCODING = 2, /* enum gmem_hugetlb_encoding */
	GMEM_NAME_SUPPORT = 3,		/* enum gmem_support */
	GMEM_NAME_CREATE_FLAG = 4,	/* GMEM_CREATE_* */
	GMEM_NAME_ADOPT_FLAG = 5,	/* GMEM_ADOPT_* */
	GMEM_NAME_SLOT_FLAG = 6,	/* GMEM_SLOT_*; also a slot's mode */
	GMEM_NAME_UNBIND_FLAG = 7,	/* GMEM_UNBIND_* */
	GMEM_NAME_ATTRIBUTE = 8,	/* GMEM_ATTRIBUTE_* */
	GMEM_NAME_ATTRIBUTES_FLAG = 9,	/* GMEM_ATTRIBUTES_* */
	GMEM_NAME_IMPORT_FLAG = 10,	/* GMEM_IMPORT_* */
	GMEM_NAME_MMAP_FLAG = 11,	/* GMEM_MMAP_* */
	GMEM_NAME_MPOL = 12,		/* enum gmem_mempolicy_mode */
	GMEM_NAME_MPOL_FLAG = 13,	/* GMEM_MPOL_F_* */
	GMEM_NAME_MEMPOLICY_FLAG = 14,	/* GMEM_MEMPOLICY_* */
	GMEM_NAME_PLACED = 15,		/* enum gmem_placed */
	GMEM_NAME_RESIDENT_FLAG = 16,	/* GMEM_RESIDENT_* */
	GMEM_NAME_LOAD_FLAG = 17,	/* GMEM_LOAD_* */
	GMEM_NAME_ERROR_FLAG = 18,	/* GMEM_ERROR_* */
	GMEM_NAME_STORE_FLAG = 19,	/* GMEM_STORE_* */
	GMEM_NAME_POPULATE_FLAG = 20,	/* GMEM_POPULATE_* */
	GMEM_NAME_ROOM = 21,		/* GMEM_ROOM_* */
	GMEM_NAME_REGION_KIND = 22,	/* enum gmem_region_kind */
	GMEM_NAME_SHARED_SIDE = 23,	/* enum gmem_shared_side */
	GMEM_NAME_CONVERT_FLAG = 24,	/* GMEM_CONVERT_* */
	GMEM_NAME_SERVE_FLAG = 25,	/* GMEM_SERVE_* */
	GMEM_NAME_REGION_FLAG = 26,	/* GMEM_REGION_*, but the kinds */
};

/*
 * The name of @value, such as "init-shared", for logs and options; static and
 * stable.  Async-signal-safe.
 * Return: NULL if @kind has no such value.
 */
GMEM_API const char *gmem_name(uint32_t kind, uint64_t value);

/*
 * The @index-th name of @kind and in *@value (may be NULL) what it stands for.
 * Async-signal-safe.
 * Return: NULL past the last one.
 */
GMEM_API const char *gmem_name_at(uint32_t kind, uint32_t index,
				  uint64_t *value);

/* What @name stands for; -EINVAL if @kind has no such name. */
GMEM_API GMEM_CHECK int gmem_value(uint32_t kind, const char *name,
				   uint64_t *value, struct gmem_error *err);

/* ------------------------------------------------------------- tracing -- */

/* One system call that the library made; valid during the callback. */
struct gmem_trace {
	size_t sz;
	const char *call; /* "KVM_CREATE_GUEST_MEMFD", "fallocate"; static */
	uint64_t arg[4];  /* as gmem_trace(3) lists them */
	int64_t result;	  /* >= 0, or -errno */
	uint64_t ns;	  /* how long it took */
};

/*
 * Called after each system call, in the thread that made it, with no lock
 * held.  It can read but not change anything: calls that bind, unbind, note,
 * forget, convert or close return -EDEADLK on the handles of every VM.  It
 * must not wait for a thread that may be inside libgmem.
 */
typedef void gmem_trace_fn(void *arg, const struct gmem_trace *event);

/* ------------------------------------------------------------------ VM -- */

enum gmem_vm_type {
	GMEM_VM_UNSET = 0, /* open: the default type; adopt: unknown */
	GMEM_VM_DEFAULT = 1,
	GMEM_VM_SW_PROTECTED = 2, /* x86-64, 6.8 */
	GMEM_VM_SEV = 3,	  /* x86-64, 6.10 */
	GMEM_VM_SEV_ES = 4,	  /* x86-64, 6.10 */
	GMEM_VM_SNP = 5,	  /* x86-64, 6.11 */
	GMEM_VM_TDX = 6,	  /* x86-64, 6.16 */
};

/* Unmerged huge-page encodings: used only when named, see gmem_create(3). */
enum gmem_hugetlb_encoding {
	GMEM_HUGETLB_MERGED = 0, /* what a released kernel has: none so far */
	GMEM_HUGETLB_RFC1 = 1,	 /* posted 2024-09-11 */
	GMEM_HUGETLB_PAGE_ORDER = 2, /* of a development tree of 2026 */
};

/* The device that a VM is made on where gmem_vm_opts names none. */
#define GMEM_DEVICE "/dev/kvm"

struct gmem_vm_opts {
	size_t sz;
	const char *device;   /* NULL = GMEM_DEVICE; open only */
	gmem_trace_fn *trace; /* NULL = none */
	void *trace_arg;
	uint32_t type;	   /* enum gmem_vm_type */
	uint32_t ipa_bits; /* arm64, open only; 0 = the kernel's default */
	uint32_t hugetlb_encoding; /* enum gmem_hugetlb_encoding */
	uint32_t flags;		   /* 0 */
};

/*
 * Makes a VM and finds out what it can do.  The caller closes *@out with
 * gmem_vm_close() or gmem_vm_destroy().  Kernel: any with KVM.
 */
GMEM_API GMEM_CHECK int gmem_vm_open(const struct gmem_vm_opts *opts,
				     struct gmem_vm **out,
				     struct gmem_error *err);

/*
 * Makes a handle for the VMM's own VM.  The caller closes *@out as after
 * gmem_vm_open().  @fd is borrowed: it stays the caller's and must stay open
 * until then.  Adopt a VM once, and in the process that made it: a second
 * handle is not noticed, and has a record of its own.
 */
GMEM_API GMEM_CHECK int gmem_vm_adopt(int fd, const struct gmem_vm_opts *opts,
				      struct gmem_vm **out,
				      struct gmem_error *err);

/* Closes a VM without files and regions; else -EBUSY.  NULL is a no-op. */
GMEM_API int gmem_vm_close(struct gmem_vm *vm, struct gmem_error *err);

/*
 * Destroys the VM with its slots, mappings, regions and files.  @vm and every
 * handle below it are invalid afterwards, also after a failure, of which the
 * first is returned; only in a callback, or if the .sz of @err is not set, it
 * is refused and frees nothing.  No vCPU may be in KVM_RUN.  The memory behind
 * a slot that could not be deleted stays mapped.  This is the only call that
 * works in a forked child, where it releases what the child inherited.  NULL
 * is a no-op.
 */
GMEM_API int gmem_vm_destroy(struct gmem_vm *vm, struct gmem_error *err);

/*
 * The VM's file descriptor.  It is borrowed: do not close it; it is valid until
 * the handle is closed.  -EINVAL: NULL, -EIO: forked child.
 */
GMEM_API int gmem_vm_fd(const struct gmem_vm *vm);

/* ------------------------------------------------------------ features -- */

enum gmem_feature {
	GMEM_FEATURE_USER_MEMORY2 = 0,
	GMEM_FEATURE_GUEST_MEMFD = 1,
	GMEM_FEATURE_MMAP = 2,
	GMEM_FEATURE_INIT_SHARED = 3,
	GMEM_FEATURE_VM_ATTRIBUTES = 4,
	GMEM_FEATURE_FILE_ATTRIBUTES = 5,
	GMEM_FEATURE_MEMORY_FAULT_EXIT = 6,
	GMEM_FEATURE_MAP_GPA_RANGE_EXIT = 7,
	GMEM_FEATURE_PRE_FAULT = 8,
	GMEM_FEATURE_MEMPOLICY = 9,
	GMEM_FEATURE_RESIDENCY = 10,
	GMEM_FEATURE_HUGETLB = 11, /* sizes: gmem_vm_hugetlb_sizes() */
	GMEM_FEATURE_VM_DEFAULT = 12,
	GMEM_FEATURE_VM_SW_PROTECTED = 13,
	GMEM_FEATURE_VM_SEV = 14,
	GMEM_FEATURE_VM_SEV_ES = 15,
	GMEM_FEATURE_VM_SNP = 16,
	GMEM_FEATURE_VM_TDX = 17,
};

enum gmem_support {
	GMEM_UNKNOWN = 0, /* the probe failed; .answer says why */
	GMEM_NO = 1,
	GMEM_YES = 2,
};

struct gmem_feature_info {
	size_t sz;
	const char *name;     /* "init-shared"; static */
	const char *since;    /* "6.18"; NULL = in no released kernel */
	const char *known_by; /* how it was probed; static */
	uint32_t support;     /* enum gmem_support */
	int32_t answer;	      /* what the kernel said: a number or -errno */
};

/*
 * 1 if @feature works on this VM, as probed when @vm was made, else 0: no,
 * unknown, past the last feature, or @vm is NULL or another process's.  No
 * system call.
 */
GMEM_API int gmem_vm_has(const struct gmem_vm *vm, uint32_t feature);

/*
 * What was found out about @feature, and how; no system call.  -EINVAL past the
 * last feature.
 */
GMEM_API GMEM_CHECK int gmem_vm_feature(const struct gmem_vm *vm,
					uint32_t feature,
					struct gmem_feature_info *info,
					struct gmem_error *err);

/*
 * The sizes of huge pages that files of this VM can have: bit n of *@sizes
 * stands for 2^n bytes.  Those that could not be tried are missing.
 */
GMEM_API GMEM_CHECK int gmem_vm_hugetlb_sizes(const struct gmem_vm *vm,
					      uint64_t *sizes,
					      struct gmem_error *err);

/* A system call that the library may make: what a seccomp filter allows. */
struct gmem_syscall {
	size_t sz;
	const char *name;    /* "ioctl"; static */
	const char *request; /* "KVM_CREATE_GUEST_MEMFD", or NULL */
	uint64_t number;     /* of the ioctl request, else 0 */
	const char *callers; /* "gmem_create gmem_bind"; static */
};

/*
 * The @index-th entry of that table.
 * Return: 0, or -EINVAL past the last one.
 */
GMEM_API GMEM_CHECK int gmem_syscall_info(uint32_t index,
					  struct gmem_syscall *out,
					  struct gmem_error *err);

/* ---------------------------------------------------------------- file -- */

/* gmem_create_opts.flags and gmem_flags(). */
#define GMEM_CREATE_MMAP GMEM_BIT(0)	    /* the host can map it; 6.18 */
#define GMEM_CREATE_INIT_SHARED GMEM_BIT(1) /* starts shared; 6.18 */
/* These confirm a combination that is surprising: */
#define GMEM_CREATE_GUEST_ONLY GMEM_BIT(8) /* MMAP, but SIGBUS at touch */
#define GMEM_CREATE_UNBOUND GMEM_BIT(9)	   /* will not back a guest */
/* Makes all checks, but no file. */
#define GMEM_CREATE_CHECK_ONLY GMEM_BIT(16)

struct gmem_create_opts {
	size_t sz;
	uint64_t flags;	       /* GMEM_CREATE_* */
	uint64_t hugetlb_size; /* 0 = base pages; 64 KiB ... 16 GiB */
};

/*
 * Makes a guest_memfd of @size bytes; private base pages by default.  The
 * caller closes *@out with gmem_close() or gmem_vm_destroy().  The fd is
 * close-on-exec when the call returns.  With CHECK_ONLY *@out is untouched and
 * @out may be NULL.  Kernel: 6.8, mappable from 6.18.
 */
GMEM_API GMEM_CHECK int gmem_create(struct gmem_vm *vm, uint64_t size,
				    const struct gmem_create_opts *opts,
				    struct gmem **out, struct gmem_error *err);

/* gmem_adopt_opts.flags: what a file descriptor does not show. */
#define GMEM_ADOPT_INIT_SHARED GMEM_BIT(0) /* the sender says: INIT_SHARED */
#define GMEM_ADOPT_FOREIGN GMEM_BIT(1)	   /* the file is another VM's */

struct gmem_adopt_opts {
	size_t sz;
	uint64_t flags;	       /* GMEM_ADOPT_* */
	uint64_t hugetlb_size; /* the sender says; 0 = base pages */
};

/*
 * Takes over @fd after verifying that it is a guest_memfd.  On success the
 * handle owns @fd, which is close-on-exec, and the caller closes *@out as after
 * gmem_create(); without a VM only gmem_close() does.  On failure @fd stays the
 * caller's.  @vm may be NULL in a process that has no VM: then only the host
 * view, placement and space calls work.
 */
GMEM_API GMEM_CHECK int gmem_adopt(struct gmem_vm *vm, int fd,
				   const struct gmem_adopt_opts *opts,
				   struct gmem **out, struct gmem_error *err);

/*
 * Closes the file and its descriptor.  -EBUSY while it is bound or mapped, and
 * then nothing changes.  NULL is a no-op.
 */
GMEM_API int gmem_close(struct gmem *g, struct gmem_error *err);

/*
 * Getters: constant for the life of the handle; no system call.  The
 * descriptor is borrowed: do not close it; it is valid until gmem_close().  It
 * is -EINVAL for NULL and -EIO in a forked child; the numbers are 0 for both.
 */
GMEM_API int gmem_fd(const struct gmem *g);
GMEM_API uint64_t gmem_size(const struct gmem *g);
GMEM_API uint64_t gmem_page_size(const struct gmem *g);
GMEM_API uint64_t gmem_flags(const struct gmem *g);

/* ---------------------------------------------------------------- slot -- */

/*
 * gmem_slot.flags.  Without FD or HVA gmem_bind() chooses the mode that fits:
 * HVA for DIRTY_LOG, READONLY, ALIAS and files of another VM, otherwise FD.
 * For gmem_slot_note() the mode is HVA without FD.  A slot that a call returns
 * has one of the two.
 */
#define GMEM_SLOT_FD GMEM_BIT(0)	     /* a guest_memfd is behind it */
#define GMEM_SLOT_HVA GMEM_BIT(1)	     /* a slot on a mapping */
#define GMEM_SLOT_DIRTY_LOG GMEM_BIT(2)	     /* with dirty page logging */
#define GMEM_SLOT_READONLY GMEM_BIT(3)	     /* the guest cannot write */
#define GMEM_SLOT_ALIAS GMEM_BIT(4)	     /* in: bound elsewhere too */
#define GMEM_SLOT_LEAVE_SHARED GMEM_BIT(5)   /* in: do not start private */
#define GMEM_SLOT_USERSPACE_ADDR GMEM_BIT(6) /* .userspace_addr is yours */
#define GMEM_SLOT_OWN_ADDR GMEM_BIT(7)	     /* it is the library's */
#define GMEM_SLOT_NOTED GMEM_BIT(8)	     /* out: from gmem_slot_note() */
#define GMEM_SLOT_STUCK GMEM_BIT(9)	  /* out: kernel refused to delete it */
#define GMEM_SLOT_TAKE_KEPT GMEM_BIT(10)  /* in: attributes that were kept */
#define GMEM_SLOT_LIVE GMEM_BIT(11)	  /* out: see gmem_slots_replace() */
#define GMEM_SLOT_CHECK_ONLY GMEM_BIT(16) /* in: only check */
/*
 * Out: of a file of huge pages the guest gets smaller ones: everywhere, since
 * .gpa and .offset lie differently in a huge page; where it begins, or ends.
 */
#define GMEM_SLOT_NO_HUGE GMEM_BIT(17)
#define GMEM_SLOT_SMALL_START GMEM_BIT(18)
#define GMEM_SLOT_SMALL_END GMEM_BIT(19)

/*
 * A memory slot, the same for every call that takes or returns one: what a
 * call returns, each other call accepts.
 */
struct gmem_slot {
	size_t sz;
	uint32_t slot;
	uint32_t address_space; /* 0; 1 = x86-64 SMM where there is one */
	uint64_t gpa;
	uint64_t len;
	uint64_t offset;	 /* in .gmem, or in .fd */
	uint64_t userspace_addr; /* out, to note; to bind: USERSPACE_ADDR */
	struct gmem *gmem;	 /* its file; out: NULL if not known here */
	uint64_t flags;		 /* GMEM_SLOT_* */
	int32_t fd; /* out, and of gmem_slot_note(): its guest_memfd, or -1 */
	uint32_t reserved; /* 0 */
};

/*
 * Makes [.offset, .offset + .len) of .gmem guest memory at .gpa, as memory slot
 * .slot of its VM.  If neither the file nor the caller provides memory that can
 * be shared, the slot gets addresses that nobody can touch.  On success *@slot
 * says what was made, otherwise it is untouched.  .userspace_addr is borrowed:
 * keep it mapped until the slot is deleted.
 */
GMEM_API GMEM_CHECK int gmem_bind(struct gmem_slot *slot,
				  struct gmem_error *err);

/*
 * Keep the attributes for this range of the file at these guest addresses: they
 * can be converted, and a bind or note of the same with GMEM_SLOT_TAKE_KEPT
 * takes them over.  Any other slot of either ends them.
 */
#define GMEM_UNBIND_KEEP_ATTRIBUTES GMEM_BIT(0)

/*
 * Deletes a slot of gmem_bind(), then resets its attributes, which outlive
 * slots.  A slot that the kernel refuses to delete becomes GMEM_SLOT_STUCK; the
 * next bind that it blocks, unbind of it or close of its file tries again.
 */
GMEM_API GMEM_CHECK int gmem_unbind(struct gmem_vm *vm, uint32_t slot,
				    uint32_t address_space, uint64_t flags,
				    struct gmem_error *err);

/*
 * Replaces the slots that .slot and .address_space of the entries of @from name
 * by those of @to: splits, merges, moves them, leaves a hole, changes their
 * mode.  A range of a file keeps its attributes at its new guest addresses.
 * All is checked before anything changes.  For a moment the guest has none of
 * these slots: no vCPU may be in KVM_RUN.  After a failure the old slots are
 * back; if that failed too, err->flags has GMEM_ERROR_STUCK, and
 * GMEM_SLOT_LIVE in the entries says which slots there are.  @from and @to may
 * be the same array, or overlap: an entry of both describes the new slot.
 */
GMEM_API GMEM_CHECK int
gmem_slots_replace(struct gmem_vm *vm, struct gmem_slot *from, uint32_t n_from,
		   struct gmem_slot *to, uint32_t n_to, uint64_t flags,
		   struct gmem_error *err);

/*
 * Notes a slot that the VMM made itself, which stays as it is in the kernel.
 * .userspace_addr and the mode are those that it was made with.  From then on
 * binds are checked against it, and attributes can be set through it if .gmem
 * is given.  .gmem cannot be closed until the slot is forgotten; .fd is
 * borrowed.
 */
GMEM_API GMEM_CHECK int gmem_slot_note(struct gmem_vm *vm,
				       const struct gmem_slot *slot,
				       struct gmem_error *err);

/*
 * Switches the dirty page log of a slot in HVA mode that gmem_bind() made,
 * while the guest runs.  A VMM that switches that of a noted slot notes the
 * slot again.
 */
GMEM_API GMEM_CHECK int gmem_slot_dirty_log(struct gmem_vm *vm, uint32_t slot,
					    uint32_t address_space, int on,
					    struct gmem_error *err);

/* Removes the note of a slot that the VMM has deleted. */
GMEM_API GMEM_CHECK int gmem_slot_forget(struct gmem_vm *vm, uint32_t slot,
					 uint32_t address_space,
					 struct gmem_error *err);

/*
 * What the library knows of a slot; -EINVAL with NOT_BOUND if nothing.
 * @out->gmem and @out->fd are borrowed: do not close them.
 */
GMEM_API GMEM_CHECK int gmem_slot_get(struct gmem_vm *vm, uint32_t slot,
				      uint32_t address_space,
				      struct gmem_slot *out,
				      struct gmem_error *err);

/* The slot that contains @gpa; -EINVAL with NOT_BOUND if none does. */
GMEM_API GMEM_CHECK int gmem_slot_at(struct gmem_vm *vm, uint32_t address_space,
				     uint64_t gpa, struct gmem_slot *out,
				     struct gmem_error *err);

/*
 * The first slot that ends beyond @gpa, so that a walk over all slots starts
 * at 0 and continues at @out->gpa + @out->len; -EINVAL with NOT_BOUND past the
 * last.
 */
GMEM_API GMEM_CHECK int gmem_slot_next(struct gmem_vm *vm,
				       uint32_t address_space, uint64_t gpa,
				       struct gmem_slot *out,
				       struct gmem_error *err);

/* ---------------------------------------------------------- attributes -- */

#define GMEM_ATTRIBUTE_SHARED UINT64_C(0)
#define GMEM_ATTRIBUTE_PRIVATE GMEM_BIT(3)
#define GMEM_ATTRIBUTE_UNSET GMEM_BIT(63) /* out: no slot there */

/* gmem_attributes_opts.flags. */
#define GMEM_ATTRIBUTES_NOWAIT GMEM_BIT(0)   /* -EAGAIN, do not wait */
#define GMEM_ATTRIBUTES_UNBACKED GMEM_BIT(1) /* share unbacked ranges */
#define GMEM_ATTRIBUTES_CHECK_ONLY GMEM_BIT(16)

struct gmem_attributes_opts {
	size_t sz;
	uint64_t flags;	   /* GMEM_ATTRIBUTES_* */
	const int *cancel; /* read atomically at each step and try; or NULL */
};

/*
 * Makes [@offset, @offset + @len) private or shared.  Changes that overlap are
 * made in the order in which they arrive, in steps of at most 1 GiB.  After a
 * failure err->done bytes have changed, and the record includes them.
 */
GMEM_API GMEM_CHECK int gmem_set_attributes(
	struct gmem *g, uint64_t offset, uint64_t len, uint64_t attributes,
	const struct gmem_attributes_opts *opts, struct gmem_error *err);
GMEM_API GMEM_CHECK int gmem_set_private(struct gmem *g, uint64_t offset,
					 uint64_t len, struct gmem_error *err);
GMEM_API GMEM_CHECK int gmem_set_shared(struct gmem *g, uint64_t offset,
					uint64_t len, struct gmem_error *err);

/*
 * The attributes at @offset, and in *@run (may be NULL) how many of the @len
 * bytes from there on are the same.  Lock-free, no system call.
 */
GMEM_API GMEM_CHECK int gmem_get_attributes(const struct gmem *g,
					    uint64_t offset, uint64_t len,
					    uint64_t *attributes, uint64_t *run,
					    struct gmem_error *err);

/*
 * Writes the record of the whole file into @buf, which is the caller's.  *@len
 * is its size and becomes the bytes used; with @buf NULL, the bytes needed.
 */
GMEM_API GMEM_CHECK int gmem_attributes_export(const struct gmem *g, void *buf,
					       size_t *len,
					       struct gmem_error *err);

/* Set only the record: the kernel has these attributes already. */
#define GMEM_IMPORT_RECORD_ONLY GMEM_BIT(0)
#define GMEM_IMPORT_UNBACKED GMEM_BIT(1) /* as GMEM_ATTRIBUTES_UNBACKED */

/*
 * Sets the attributes of an exported record, in the kernel and in the record.
 * All of @buf is checked before anything changes.
 */
GMEM_API GMEM_CHECK int gmem_attributes_import(struct gmem *g, const void *buf,
					       size_t len, uint64_t flags,
					       struct gmem_error *err);

/* --------------------------------------------------- by guest address -- */

/* What is behind a guest address. */
struct gmem_location {
	size_t sz;
	struct gmem *gmem;   /* the file; NULL if it is not known here */
	uint64_t offset;     /* in the file */
	uint64_t attributes; /* GMEM_ATTRIBUTE_* */
	uint64_t run;	     /* bytes from there on, in this slot, with these */
	uint64_t userspace_addr; /* of the address, not of its slot */
	uint32_t slot;
	uint32_t reserved; /* 0 */
};

/*
 * What is behind @gpa; -EINVAL with NOT_BOUND if no slot that is known here.
 * @out->gmem is borrowed.  No system call.
 */
GMEM_API GMEM_CHECK int gmem_vm_at(struct gmem_vm *vm, uint32_t address_space,
				   uint64_t gpa, struct gmem_location *out,
				   struct gmem_error *err);

/*
 * gmem_set_attributes() of what is behind [@gpa, @gpa + @len), in any number of
 * slots and files: all of it is checked before anything changes.  err->done
 * counts from @gpa on.
 */
GMEM_API GMEM_CHECK int
gmem_vm_set_attributes(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		       uint64_t len, uint64_t attributes,
		       const struct gmem_attributes_opts *opts,
		       struct gmem_error *err);

/*
 * Frees what is behind [@gpa, @gpa + @len), in the same way, as gmem_discard()
 * or, of a region, gmem_region_discard().
 */
struct gmem_discard_opts;
GMEM_API GMEM_CHECK int gmem_vm_discard(struct gmem_vm *vm,
					uint32_t address_space, uint64_t gpa,
					uint64_t len,
					const struct gmem_discard_opts *opts,
					struct gmem_error *err);

/* ----------------------------------------------------------- host view -- */

#define GMEM_MMAP_READONLY GMEM_BIT(0)
#define GMEM_MMAP_ALLOW_PRIVATE GMEM_BIT(1) /* touching may raise SIGBUS */
#define GMEM_MMAP_FORK GMEM_BIT(2)	    /* forked children have it too */
#define GMEM_MMAP_DUMP GMEM_BIT(3)	    /* core dumps have it too */
#define GMEM_MMAP_FIXED GMEM_BIT(4)	    /* at .addr, which you reserved */

struct gmem_mmap_opts {
	size_t sz;
	uint64_t flags; /* GMEM_MMAP_* */
	void *addr;	/* with GMEM_MMAP_FIXED: PROT_NONE again afterwards */
};

/*
 * Maps [@offset, @offset + @len) if all of it is shared.  The mapping belongs
 * to the handle: remove it with gmem_munmap() before gmem_close(), never with
 * munmap(2); gmem_vm_destroy() removes it too.
 */
GMEM_API GMEM_CHECK int gmem_mmap(struct gmem *g, uint64_t offset, uint64_t len,
				  const struct gmem_mmap_opts *opts, void **out,
				  struct gmem_error *err);

/* Removes a whole mapping, at the address that gmem_mmap() returned. */
GMEM_API GMEM_CHECK int gmem_munmap(struct gmem *g, void *addr,
				    struct gmem_error *err);

/*
 * Copy between @buf and the file without a signal, whatever other threads
 * convert meanwhile: private memory is -EACCES, a page with a memory error
 * -EHWPOISON; err->done bytes were copied.  Reading a page that was never
 * written allocates it.
 */
GMEM_API GMEM_CHECK int gmem_read(struct gmem *g, uint64_t offset, void *buf,
				  size_t len, struct gmem_error *err);
GMEM_API GMEM_CHECK int gmem_write(struct gmem *g, uint64_t offset,
				   const void *buf, size_t len,
				   struct gmem_error *err);

/* ----------------------------------------------------------- placement -- */

/* gmem_mempolicy.mode: the modes of mbind(2). */
enum gmem_mempolicy_mode {
	GMEM_MPOL_DEFAULT = 0,
	GMEM_MPOL_PREFERRED = 1,
	GMEM_MPOL_BIND = 2,
	GMEM_MPOL_INTERLEAVE = 3,
	GMEM_MPOL_LOCAL = 4,
	GMEM_MPOL_PREFERRED_MANY = 5,	   /* 5.15 */
	GMEM_MPOL_WEIGHTED_INTERLEAVE = 6, /* 6.9 */
};

/* gmem_mempolicy.flags: the mode flags of mbind(2). */
#define GMEM_MPOL_F_NUMA_BALANCING (1U << 13)
#define GMEM_MPOL_F_RELATIVE_NODES (1U << 14)
#define GMEM_MPOL_F_STATIC_NODES (1U << 15)

struct gmem_mempolicy {
	size_t sz;
	uint32_t mode;		    /* enum gmem_mempolicy_mode */
	uint32_t flags;		    /* GMEM_MPOL_F_* */
	const unsigned long *nodes; /* a bit a node; NULL: none */
	uint64_t max_node;	    /* bits in .nodes */
};

/* Refuse if an allocated page lies on another node. */
#define GMEM_MEMPOLICY_STRICT GMEM_BIT(0)

/*
 * Makes @policy the policy of [@offset, @offset + @len), which the file keeps
 * for all pages allocated from now on.  Kernel: 6.19; refused on one that would
 * ignore it, where gmem_populate() can place pages.
 */
GMEM_API GMEM_CHECK int gmem_set_mempolicy(struct gmem *g, uint64_t offset,
					   uint64_t len,
					   const struct gmem_mempolicy *policy,
					   uint64_t flags,
					   struct gmem_error *err);

/*
 * The file's policy at @offset.  Its nodes go into @nodes, an array of the
 * caller's with @max_node bits, to which @policy->nodes then points.
 */
GMEM_API GMEM_CHECK int gmem_get_mempolicy(struct gmem *g, uint64_t offset,
					   struct gmem_mempolicy *policy,
					   unsigned long *nodes,
					   uint64_t max_node,
					   struct gmem_error *err);

/*
 * Called in the thread that made the call: @done of @total bytes are done, in
 * any order.  Not 0 stops the call with -ECANCELED.
 */
typedef int gmem_progress_fn(void *arg, uint64_t done, uint64_t total);

/*
 * Called for a run of adjacent pages on one node.  Not 0 stops the call with
 * -ECANCELED.
 */
typedef int gmem_run_fn(void *arg, uint64_t offset, uint64_t len, int node);

/* Where the resident pages lie. */
enum gmem_placed {
	GMEM_PLACED_UNKNOWN = 0,   /* could not be found out */
	GMEM_PLACED_WELL = 1,	   /* where the policy allows */
	GMEM_PLACED_ELSEWHERE = 2, /* some do not */
};

struct gmem_placement {
	size_t sz;
	uint32_t verdict;     /* out: enum gmem_placed */
	uint32_t why;	      /* out: enum gmem_reason of the verdict */
	uint64_t resident;    /* out: bytes that are allocated */
	uint64_t misplaced;   /* out: of these, on a node not in the policy */
	uint64_t unknown;     /* out: of these, not known to be either */
	uint64_t *node_bytes; /* the caller's: bytes on each node; or NULL */
	uint64_t node_count;  /* entries in .node_bytes */
	gmem_run_fn *misplaced_run; /* each misplaced run, in order; or NULL */
	void *arg;		    /* of .misplaced_run */
	gmem_progress_fn *progress; /* or NULL */
	void *progress_arg;
	const int *cancel; /* read atomically at each step; or NULL */
};

/*
 * Verifies the nodes of the resident pages against @policy or, if that is
 * NULL, each page against the policy that the file has there.  It allocates
 * nothing.  The verdict is in *@out.
 */
GMEM_API GMEM_CHECK int
gmem_verify_placement(struct gmem *g, uint64_t offset, uint64_t len,
		      const struct gmem_mempolicy *policy,
		      struct gmem_placement *out, struct gmem_error *err);

/* --------------------------------------------------------------- space -- */

/* Limits of memory past which the kernel kills instead of saying ENOMEM. */
#define GMEM_ROOM_CGROUP GMEM_BIT(0)  /* memory.max of a memory cgroup */
#define GMEM_ROOM_NODES GMEM_BIT(1)   /* the nodes where pages may lie */
#define GMEM_ROOM_MACHINE GMEM_BIT(2) /* the machine */

/* gmem_populate_opts.flags: continue past these limits. */
#define GMEM_POPULATE_UNCHECKED GMEM_BIT(0)

struct gmem_populate_opts {
	size_t sz;
	uint64_t flags;			     /* GMEM_POPULATE_* */
	const struct gmem_mempolicy *policy; /* for new pages; or NULL */
	gmem_progress_fn *progress;	     /* or NULL */
	void *progress_arg;
	const int *cancel;   /* read atomically at each step; or NULL */
	uint32_t threads;    /* 0 = 1; up to 256 */
	uint32_t reserved;   /* 0 */
	uint64_t *unchecked; /* out: GMEM_ROOM_* that are not known; or NULL */
};

/*
 * Allocates the missing pages of [@offset, @offset + @len).  Where the host may
 * touch them it also zeroes them, and maps them behind the file's slots.  A
 * policy holds for the pages allocated now; err->done bytes are populated.  It
 * stops with -ENOMEM before a limit of memory is reached.
 */
GMEM_API GMEM_CHECK int gmem_populate(struct gmem *g, uint64_t offset,
				      uint64_t len,
				      const struct gmem_populate_opts *opts,
				      struct gmem_error *err);

struct gmem_discard_opts {
	size_t sz;
	uint64_t flags;		    /* 0 */
	gmem_progress_fn *progress; /* or NULL */
	void *progress_arg;
	const int *cancel; /* read atomically at each step; or NULL */
};

/*
 * Frees the file's memory of the range, which reads as zero afterwards.  One
 * system call, or steps with .progress or .cancel; err->done bytes were freed.
 */
GMEM_API GMEM_CHECK int gmem_discard(struct gmem *g, uint64_t offset,
				     uint64_t len,
				     const struct gmem_discard_opts *opts,
				     struct gmem_error *err);

/* gmem_residency.flags: .bytes is a lower bound, see gmem_resident(3). */
#define GMEM_RESIDENT_LOWER_BOUND (1U << 0)

struct gmem_residency {
	size_t sz;
	uint64_t bytes;	   /* out */
	uint32_t flags;	   /* out: GMEM_RESIDENT_* */
	uint32_t reserved; /* out: 0 */
};

/* How much of the range is allocated. */
GMEM_API GMEM_CHECK int gmem_resident(struct gmem *g, uint64_t offset,
				      uint64_t len, struct gmem_residency *out,
				      struct gmem_error *err);

/* Called for a run of allocated bytes; anything but 0 stops the call. */
typedef int gmem_resident_fn(void *arg, uint64_t offset, uint64_t len);

/*
 * Calls @fn, with @arg, for each allocated run of the range, private or shared,
 * in order.  It allocates nothing.  If @fn stops it, the call returns
 * -ECANCELED; err->done bytes were walked, with the run that @fn had last.
 */
GMEM_API GMEM_CHECK int gmem_walk_resident(struct gmem *g, uint64_t offset,
					   uint64_t len, gmem_resident_fn *fn,
					   void *arg, struct gmem_error *err);

/* gmem_load_opts.flags. */
#define GMEM_LOAD_UNTIL_EOF GMEM_BIT(0)	   /* it may end before @len bytes */
#define GMEM_LOAD_INPUT_OFFSET GMEM_BIT(1) /* use .input_offset */
#define GMEM_LOAD_UNCHECKED GMEM_BIT(2)	   /* as GMEM_POPULATE_UNCHECKED */

struct gmem_load_opts {
	size_t sz;
	uint64_t flags;		    /* GMEM_LOAD_* */
	gmem_progress_fn *progress; /* or NULL */
	void *progress_arg;
	const int *cancel;     /* read atomically at each step; or NULL */
	uint64_t input_offset; /* in a file, with GMEM_LOAD_INPUT_OFFSET */
	uint64_t *unchecked; /* out: GMEM_ROOM_* that are not known; or NULL */
};

/*
 * Reads @len bytes of @fd, a file, pipe or socket, into the shared range at
 * @offset; err->done bytes have arrived.  An earlier end is a failure without
 * UNTIL_EOF.  A hole of a file becomes a hole: its pages are freed.  It stops
 * with -ENOMEM before a limit of memory is reached.  @fd stays the caller's.
 */
GMEM_API GMEM_CHECK int gmem_load(struct gmem *g, uint64_t offset, int fd,
				  uint64_t len,
				  const struct gmem_load_opts *opts,
				  struct gmem_error *err);

#define GMEM_STORE_OUTPUT_OFFSET GMEM_BIT(0) /* use .output_offset */

struct gmem_store_opts {
	size_t sz;
	uint64_t flags;		    /* GMEM_STORE_* */
	gmem_progress_fn *progress; /* or NULL */
	void *progress_arg;
	const int *cancel;	/* read atomically at each step; or NULL */
	uint64_t output_offset; /* in a file, with GMEM_STORE_OUTPUT_OFFSET */
};

/*
 * Writes the shared range at @offset to @fd, a file, pipe or socket; err->done
 * bytes are written.  What is not allocated is not read: it becomes a hole of a
 * file, or zeroes.  @fd stays the caller's.
 */
GMEM_API GMEM_CHECK int gmem_store(struct gmem *g, uint64_t offset, int fd,
				   uint64_t len,
				   const struct gmem_store_opts *opts,
				   struct gmem_error *err);

#ifdef __cplusplus
}
#endif

#endif
