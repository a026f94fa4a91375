/* SPDX-License-Identifier: MIT */
/*
 * libgmem - errors, and what its headers share.  gmem.h includes it.
 */
#ifndef GMEM_ERROR_H
#define GMEM_ERROR_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __clang__
#include <gmem_u64.h> /* for bindgen */
#endif

#ifdef __cplusplus
template <class T> inline T gmem_init()
{
	T t = T();

	t.sz = sizeof(T);
	return t;
}

extern "C" {
#endif

#if defined(__GNUC__)
#define GMEM_API __attribute__((visibility("default")))
#define GMEM_CHECK __attribute__((warn_unused_result))
#else
#define GMEM_API
#define GMEM_CHECK
#endif

/*
 * A struct of options, results or errors with .sz set and the rest zero, as in
 * struct gmem_error err = GMEM_INIT(struct gmem_error);
 */
#ifdef __cplusplus
#define GMEM_INIT(type) gmem_init<type>()
#else
#define GMEM_INIT(type) ((type){ .sz = sizeof(type) })
#endif
/* A 64-bit flag. */
#define GMEM_BIT(n) (UINT64_C(1) << (n))

/*
 * Why a call failed.  The names (gmem_reason_str()) and numbers are stable;
 * gmem_reasons(7) gives cause and remedy of each.
 */
enum gmem_reason {
	GMEM_REASON_NONE = 0,

	/* what the caller passed */
	GMEM_REASON_NULL_ARGUMENT = 1,	  /* a pointer that is needed is NULL */
	GMEM_REASON_OPTS_SIZE = 2,	  /* .sz of a struct was never set */
	GMEM_REASON_OPTS_NEWER = 3,	  /* needs a newer library */
	GMEM_REASON_FLAG_UNKNOWN = 4,	  /* a flag libgmem does not define */
	GMEM_REASON_VALUE_UNKNOWN = 5,	  /* a number outside its enumeration */
	GMEM_REASON_ZERO_SIZE = 6,	  /* a length of 0 */
	GMEM_REASON_SIZE_LIMIT = 7,	  /* larger than the kernel can hold */
	GMEM_REASON_UNALIGNED = 8,	  /* not a multiple of .limit */
	GMEM_REASON_OUTSIDE_FILE = 9,	  /* offset + len is beyond the file */
	GMEM_REASON_OFFSET_OVERFLOW = 10, /* offset + len wraps */
	GMEM_REASON_BAD_FD = 11,	  /* no such open file descriptor */

	/* process, device, VM */
	GMEM_REASON_WRONG_PROCESS = 20,	       /* another process's handle */
	GMEM_REASON_VM_DEAD = 21,	       /* the kernel marked it dead */
	GMEM_REASON_NO_DEVICE = 22,	       /* no KVM device there */
	GMEM_REASON_DEVICE_ACCESS = 23,	       /* no permission to open it */
	GMEM_REASON_NOT_KVM = 24,	       /* not a KVM device */
	GMEM_REASON_NOT_A_VM = 25,	       /* the fd is not a KVM VM */
	GMEM_REASON_VM_TYPE_UNSUPPORTED = 26,  /* host lacks this VM type */
	GMEM_REASON_IPA_BITS = 27,	       /* refused, or not arm64 */
	GMEM_REASON_HAS_FILES = 28,	       /* the VM still has files */
	GMEM_REASON_FD_LIMIT = 29,	       /* too many descriptors */
	GMEM_REASON_NO_MEMORY = 30,	       /* memory or a limit on it */
	GMEM_REASON_ACCESS_DENIED = 31,	       /* security module, seccomp */
	GMEM_REASON_KVM_UNLOADING = 32,	       /* kvm module is unloading */
	GMEM_REASON_KERNEL = 33,	       /* any other kernel error */
	GMEM_REASON_ADDRESS_LIMIT = 34,	       /* too few addresses */
	GMEM_REASON_LOCK_LIMIT = 35,	       /* RLIMIT_MEMLOCK exceeded */
	GMEM_REASON_VM_TYPE_CONTRADICTED = 36, /* not the type of this VM */

	/* file */
	GMEM_REASON_NO_GUEST_MEMFD = 40,   /* kernel or VM lacks it */
	GMEM_REASON_FLAG_UNSUPPORTED = 41, /* this VM refuses the flag */
	GMEM_REASON_INIT_SHARED_UNMAPPABLE = 42,
	GMEM_REASON_GUEST_ONLY = 43,		/* the host could not use it */
	GMEM_REASON_NEVER_USED = 44,		/* the guest could not use it */
	GMEM_REASON_HUGETLB_SIZE = 45,		/* not a huge page size */
	GMEM_REASON_HUGETLB_UNSUPPORTED = 46,	/* this kernel has none */
	GMEM_REASON_ENCODING_CONTRADICTED = 47, /* bits used otherwise */
	GMEM_REASON_NOT_GUEST_MEMFD = 48,	/* the fd is something else */
	GMEM_REASON_STILL_BOUND = 49,		/* a slot uses the file */
	GMEM_REASON_STILL_MAPPED = 50,		/* gmem_munmap() it first */
	GMEM_REASON_ALREADY_OWNED = 51,		/* the file has a handle */
	GMEM_REASON_HUGETLB_CONTRADICTED = 52,	/* not its page size */

	/* slot */
	GMEM_REASON_SLOT_LIMIT = 60,	       /* slot id beyond the limit */
	GMEM_REASON_ADDRESS_SPACE = 61,	       /* no such address space */
	GMEM_REASON_SLOT_IN_USE = 62,	       /* the slot exists */
	GMEM_REASON_DEAD_SLOT = 63,	       /* its file was closed */
	GMEM_REASON_GPA_OVERFLOW = 64,	       /* gpa + len wraps */
	GMEM_REASON_GPA_OVERLAP = 65,	       /* another slot has that gpa */
	GMEM_REASON_GPA_LIMIT = 66,	       /* beyond the address width */
	GMEM_REASON_SLOT_TOO_LARGE = 67,       /* more than 2^31 - 1 pages */
	GMEM_REASON_RANGE_BOUND = 68,	       /* another slot has the range */
	GMEM_REASON_DIRTY_LOG = 69,	       /* no dirty log in fd mode */
	GMEM_REASON_READONLY = 70,	       /* not read-only in fd mode */
	GMEM_REASON_READONLY_UNSUPPORTED = 71, /* VM has no such slots */
	GMEM_REASON_FOREIGN_VM = 72,	       /* another VM's file */
	GMEM_REASON_HVA_PRIVATE = 73,	       /* HVA mode needs it shared */
	GMEM_REASON_NEEDS_MMAP = 74,	       /* arm64 binds only MMAP */
	GMEM_REASON_USERSPACE_ADDR = 75,       /* not a usable address */
	GMEM_REASON_UNKNOWN_SLOT = 76,	       /* a slot that was not noted */
	GMEM_REASON_NOT_BOUND = 77,	       /* no slot there */
	GMEM_REASON_NOTED_SLOT = 78,	       /* the program's own slot */
	GMEM_REASON_RESET_PENDING = 79,	       /* attributes were not reset */
	GMEM_REASON_TWO_BACKINGS = 80,	       /* the guest would use one */
	GMEM_REASON_HVA_BOUND = 81,	       /* an HVA slot needs it shared */
	GMEM_REASON_SLOT_STUCK = 82,	       /* kernel will not delete it */
	GMEM_REASON_SLOT_TWICE = 83,	       /* one call names it twice */

	/* attributes */
	GMEM_REASON_ATTRIBUTE_UNKNOWN = 90, /* attribute other than PRIVATE */
	GMEM_REASON_NO_PRIVATE_MEMORY = 91, /* the VM cannot convert */
	GMEM_REASON_PAGE_IN_USE = 92,	    /* a page is pinned or mapped */
	GMEM_REASON_CANCELLED = 93,	    /* *cancel became non-zero */
	GMEM_REASON_DEADLOCK = 94,	    /* made in a callback */
	GMEM_REASON_RECORD_FORMAT = 95,	    /* not an exported record */
	GMEM_REASON_RECORD_MISMATCH = 96,   /* another file's record */
	GMEM_REASON_BUFFER_SIZE = 97,	    /* the buffer is too small */
	GMEM_REASON_NO_SHARED_SIDE = 98,    /* no memory that can be shared */
	GMEM_REASON_RANGE_BUSY = 99,	    /* another change overlaps */

	/* host view */
	GMEM_REASON_NOT_MAPPABLE = 110, /* made without MMAP */
	GMEM_REASON_PRIVATE = 111,	/* the range is private */
	GMEM_REASON_NOT_MAPPED = 112,	/* not a mapping of gmem_mmap() */
	GMEM_REASON_POISONED = 113,	/* the page has a memory error */
	GMEM_REASON_BAD_BUFFER = 114,	/* not memory of this process */

	/* placement */
	GMEM_REASON_POLICY_IGNORED = 120,    /* this kernel ignores it */
	GMEM_REASON_POLICY_NODES = 121,	     /* nodes do not fit the mode */
	GMEM_REASON_POLICY_UNMAPPABLE = 122, /* the file has no mapping */
	GMEM_REASON_NUMA_UNSUPPORTED = 123,  /* kernel without NUMA */
	GMEM_REASON_MISPLACED = 124,	     /* pages lie on other nodes */
	GMEM_REASON_PLACEMENT_UNKNOWN = 125, /* nodes cannot be found out */
	GMEM_REASON_POLICY_BALANCING = 126,  /* guest memory never moves */
	GMEM_REASON_POLICY_OF_FILE = 127,    /* the file has another policy */
	GMEM_REASON_RELATIVE_NODES = 128,    /* of another process's cpuset */

	/* space */
	GMEM_REASON_RESIDENCY_UNKNOWN = 130, /* the kernel does not report it */
	GMEM_REASON_THREADS = 131,	     /* no thread could be started */
	GMEM_REASON_INPUT = 132,	     /* the input could not be read */
	GMEM_REASON_INPUT_SHORT = 133,	     /* it ended too early */
	GMEM_REASON_NO_POSITION = 134,	     /* the fd takes no offset */
	GMEM_REASON_BEYOND_INPUT = 135,	     /* it ends before the offset */
	GMEM_REASON_OUTPUT = 136,	     /* it could not be written */
	GMEM_REASON_NO_ROOM = 137,	     /* a limit of memory is near */

	/* regions: gmem_region.h */
	GMEM_REASON_IN_REGION = 140,	 /* only its region may do that */
	GMEM_REASON_REGION_KIND = 141,	 /* this VM or file has no such */
	GMEM_REASON_REGION_SIZE = 142,	 /* it is not that of the file */
	GMEM_REASON_REGION_MEMORY = 143, /* the slot has other memory */
	GMEM_REASON_NO_REGION = 144,	 /* its file is in none */
	GMEM_REASON_SHARED_MEMORY = 145, /* what is handed in is not that */

	/* exits of a vCPU: gmem_exit.h */
	GMEM_REASON_RUN_SIZE = 150,    /* kvm_run is cut off */
	GMEM_REASON_UNREACHABLE = 151, /* nothing is behind the slot */
	GMEM_REASON_NO_PROGRESS = 152, /* a fault that nothing ends */
};

/* gmem_error.flags. */
/* The reason was worked out after the kernel refused. */
#define GMEM_ERROR_DIAGNOSED (1U << 0)
/* And it was not undone: see GMEM_SLOT_STUCK, _LIVE and gmem_mmap(3). */
#define GMEM_ERROR_STUCK (1U << 1)

/*
 * What went wrong.  A caller sets .sz to sizeof(struct gmem_error); members
 * that the library does not know are zero afterwards.  It serves any
 * number of calls, but of one thread at a time.
 */
struct gmem_error {
	size_t sz;
	int32_t code;	    /* what the call returned: 0 or -errno */
	uint32_t reason;    /* enum gmem_reason */
	int32_t sys_errno;  /* errno of the system call, 0 = none failed */
	uint32_t flags;	    /* GMEM_ERROR_* */
	uint64_t value;	    /* the number that broke the rule */
	uint64_t limit;	    /* the number it was compared with */
	uint64_t done;	    /* bytes complete from the start; see each call */
	const char *remedy; /* what to do; static, never NULL */
	char msg[256];	    /* one sentence with the numbers in it */
};

/* Stable name such as "gpa-overlap", or "unknown"; static, never NULL. */
GMEM_API const char *gmem_reason_str(uint32_t reason);

/* What to do about @reason; static, never NULL. */
GMEM_API const char *gmem_reason_remedy(uint32_t reason);

/*
 * Writes "MESSAGE [REASON]; REMEDY" into @buf, cut to @len and terminated.
 * Return: the length it wanted, like snprintf(3).
 */
GMEM_API int gmem_strerror(const struct gmem_error *err, char *buf, size_t len);

/*
 * Writes "@what: MESSAGE [REASON]; REMEDY" and a new line to @stream.  Part of
 * the program: the library itself prints nothing.
 */
static inline void gmem_print_error(FILE *stream, const char *what,
				    const struct gmem_error *err)
{
	char text[512];

	(void)gmem_strerror(err, text, sizeof(text));
	(void)fprintf(stream, "%s: %s\n", what, text);
}

#ifdef __cplusplus
}
#endif

#endif /* GMEM_ERROR_H */
