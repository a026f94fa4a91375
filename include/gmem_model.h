/* SPDX-License-Identifier: MIT */
/*
 * libgmem-model - a guest_memfd kernel in user space
 *
 * A struct gmem_vm made here works with every call of gmem.h and needs
 * neither KVM nor rights.  It exists in one process and protects nothing: it
 * is for experiments, tests and teaching.  gmem_model(7) describes each profile
 * and the limits of the model.
 *
 * Return values, errors, options, units and ownership are as in gmem.h.
 */
#ifndef GMEM_MODEL_H
#define GMEM_MODEL_H

#include <gmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A kernel that the model can be. */
struct gmem_model_profile {
	size_t sz;
	const char *name;    /* "7.3"; static */
	const char *summary; /* static */
	/* the real kernels that it was verified against; static; or NULL */
	const char *verified;
	uint32_t version; /* 703; of one never released, what it builds on */
	uint32_t hugetlb_encoding; /* to name at open; see gmem_vm_opts */
	uint32_t flags;		   /* GMEM_MODEL_PROFILE_* */
	uint32_t reserved;	   /* 0 */
};

/* gmem_model_profile.flags: KVM_SET_MEMORY_ATTRIBUTES2 converts. */
#define GMEM_MODEL_PROFILE_IN_PLACE (1U << 0)

/* The profile of the newest released kernel. */
#define GMEM_MODEL_NEWEST "7.3"

/* The @index-th profile.  Return: 0, or -EINVAL past the last one. */
GMEM_API int gmem_model_profile_info(uint32_t index,
				     struct gmem_model_profile *out,
				     struct gmem_error *err);

enum gmem_model_machine {
	GMEM_MODEL_X86 = 0,	     /* x86-64, two-dimensional paging */
	GMEM_MODEL_X86_SOFTWARE = 1, /* without: default VMs only */
	GMEM_MODEL_ARM64 = 2,
};

struct gmem_model_opts {
	size_t sz;
	const struct gmem_vm_opts *vm; /* NULL = all defaults */
	struct gmem_vm *beside; /* in the same kernel as this VM; or NULL */
	uint32_t machine;	/* enum gmem_model_machine */
	uint32_t vm_types; /* bit n: it has KVM's type n; 0 = the usual ones */
	uint32_t nodes;	   /* NUMA nodes, 1 ... 32; 0 = 1 */
	uint32_t reserved; /* 0 */
};

/*
 * Makes a VM in a model kernel of @profile, such as "7.3": a new kernel, or
 * that of opts->beside, which must have the same profile.  The caller closes
 * *@out with gmem_vm_close() or gmem_vm_destroy().
 */
GMEM_API GMEM_CHECK int gmem_model_vm_open(const char *profile,
					   const struct gmem_model_opts *opts,
					   struct gmem_vm **out,
					   struct gmem_error *err);

/* gmem_model_access() */
#define GMEM_MODEL_WRITE (1U << 0)   /* the guest stores @buf */
#define GMEM_MODEL_PRIVATE (1U << 1) /* as private; not for sw-protected */
#define GMEM_MODEL_KVM (1U << 2)     /* KVM makes it for the guest */

/*
 * Makes a guest access as a vCPU does: @len bytes at @gpa from or to @buf.
 * With GMEM_MODEL_KVM, KVM makes the access for the guest, as for string I/O
 * or its clock: through the slot's userspace_addr, even to private memory.
 * @run, of @run_size bytes, is the vCPU's struct kvm_run and is filled as
 * KVM_RUN does; it may be NULL.
 * Return: 0 or -errno, as KVM_RUN; err->done bytes were accessed.
 */
GMEM_API int gmem_model_access(struct gmem_vm *vm, uint64_t gpa, void *buf,
			       size_t len, uint32_t flags, void *run,
			       size_t run_size, struct gmem_error *err);

/* Pins pages: converting them to private in place fails with EAGAIN. */
GMEM_API int gmem_model_pin(struct gmem_vm *vm, int fd, uint64_t offset,
			    uint64_t len, struct gmem_error *err);
GMEM_API int gmem_model_unpin(struct gmem_vm *vm, int fd, uint64_t offset,
			      uint64_t len, struct gmem_error *err);

/*
 * Gives pages a memory error: the library's system calls and guest accesses
 * there fail with EHWPOISON or EFAULT until the pages are discarded.
 */
GMEM_API int gmem_model_poison(struct gmem_vm *vm, int fd, uint64_t offset,
			       uint64_t len, struct gmem_error *err);

/*
 * The @nth call of @call from now fails with @error, once; or it and all after
 * it.  Each of these adds one more failure.  @call is a name as in struct
 * gmem_trace, or "KVM_RUN" or "alloc"; NULL = any.  @nth 0 cancels the
 * failures of @call, or all.
 */
GMEM_API int gmem_model_fail(struct gmem_vm *vm, const char *call, uint64_t nth,
			     int error, struct gmem_error *err);
GMEM_API int gmem_model_fail_from(struct gmem_vm *vm, const char *call,
				  uint64_t nth, int error,
				  struct gmem_error *err);

/*
 * A signal arrives once the next fallocate(2) has allocated @after bytes, or
 * at the next gmem_model_access().
 */
GMEM_API int gmem_model_interrupt(struct gmem_vm *vm, uint64_t after,
				  struct gmem_error *err);

/*
 * Makes a system call as a program without the library does, in the kernel of
 * @vm: @number is SYS_ioctl or another of gmem_model_syscall(3).  A forked
 * child can make it too: for the kernel it is another process.
 * Return: what the kernel returns: >= 0 or -errno.
 */
GMEM_API int64_t gmem_model_syscall(struct gmem_vm *vm, long number,
				    const uint64_t arg[6],
				    struct gmem_error *err);

/* Marks the VM dead, as the kernel does. */
GMEM_API int gmem_model_kill(struct gmem_vm *vm, struct gmem_error *err);

/* A slot as the kernel has it. */
struct gmem_model_slot {
	size_t sz;
	uint64_t gpa;
	uint64_t len;
	uint64_t userspace_addr;
	uint64_t offset; /* in the guest_memfd */
	uint64_t ino;	 /* st_ino of it; 0 = none, or closed under the slot */
	uint32_t flags;	 /* KVM_MEM_* */
	uint32_t reserved;
};

/* Slot @slot of @address_space; -EINVAL with NOT_BOUND if there is none. */
GMEM_API int gmem_model_get_slot(struct gmem_vm *vm, uint32_t slot,
				 uint32_t address_space,
				 struct gmem_model_slot *out,
				 struct gmem_error *err);

/*
 * Sets how many huge pages of @page_size bytes there are; the nodes share what
 * has no memory in a file evenly.
 */
GMEM_API int gmem_model_set_pool(struct gmem_vm *vm, uint64_t page_size,
				 uint64_t pages, struct gmem_error *err);
/* How many of them are neither in use nor reserved. */
GMEM_API int gmem_model_get_pool(struct gmem_vm *vm, uint64_t page_size,
				 uint64_t *pages, struct gmem_error *err);
/* The same of the pages on @node. */
GMEM_API int gmem_model_set_node_pool(struct gmem_vm *vm, uint64_t page_size,
				      uint32_t node, uint64_t pages,
				      struct gmem_error *err);
/* How many of them have no memory in a file: reserved ones are among them. */
GMEM_API int gmem_model_get_node_pool(struct gmem_vm *vm, uint64_t page_size,
				      uint32_t node, uint64_t *pages,
				      struct gmem_error *err);

#ifdef __cplusplus
}
#endif

#endif
