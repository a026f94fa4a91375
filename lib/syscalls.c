// SPDX-License-Identifier: MIT
/*
 * The system calls that the library makes, for seccomp filters, the trace and
 * the manual.  The callers column is what each call may make after the VM is
 * open; probing happens in gmem_vm_open() and gmem_vm_adopt() alone.
 */
#include "error.h"
#include "macros.h"
#include "opts.h"
#include "syscalls.h"
#include "uapi.h"
#include "uapi_proposed.h"

#define OPEN "gmem_vm_open"
#define BOTH "gmem_vm_open gmem_vm_adopt"

static const struct {
	const char *name, *request;
	uint64_t number;
	const char *callers;
} table[] = {
	{ "openat", NULL, 0,
	  OPEN " gmem_populate gmem_load gmem_region_create" },
	{ "ioctl", "KVM_GET_API_VERSION", GMEM__KVM_GET_API_VERSION, OPEN },
	{ "ioctl", "KVM_CREATE_VM", GMEM__KVM_CREATE_VM, OPEN },
	{ "ioctl", "KVM_CHECK_EXTENSION", GMEM__KVM_CHECK_EXTENSION, BOTH },
	{ "ioctl", "KVM_ENABLE_CAP", GMEM__KVM_ENABLE_CAP,
	  "gmem_region_create" },
	{ "ioctl", "KVM_CREATE_GUEST_MEMFD", GMEM__KVM_CREATE_GUEST_MEMFD,
	  BOTH " gmem_create"
	       " gmem_region_create" },
	{ "ioctl", "KVM_SET_USER_MEMORY_REGION",
	  GMEM__KVM_SET_USER_MEMORY_REGION,
	  "gmem_vm_destroy gmem_close gmem_bind gmem_unbind "
	  "gmem_slot_note gmem_slot_dirty_log gmem_slots_replace"
	  " gmem_region_close gmem_region_bind gmem_region_note"
	  " gmem_region_unbind" },
	{ "ioctl", "KVM_SET_USER_MEMORY_REGION2",
	  GMEM__KVM_SET_USER_MEMORY_REGION2,
	  "gmem_bind gmem_slots_replace"
	  " gmem_region_bind" },
	{ "ioctl", "KVM_SET_MEMORY_ATTRIBUTES", GMEM__KVM_SET_MEMORY_ATTRIBUTES,
	  "gmem_vm_destroy gmem_close gmem_bind gmem_unbind "
	  "gmem_slot_note gmem_set_attributes gmem_set_private gmem_set_shared "
	  "gmem_attributes_import gmem_vm_set_attributes "
	  "gmem_slots_replace"
	  " gmem_region_close gmem_region_bind gmem_region_note"
	  " gmem_region_unbind gmem_region_convert"
	  " gmem_region_reset gmem_vm_serve" },
	{ "ioctl", "KVM_SET_MEMORY_ATTRIBUTES2",
	  GMEM__KVM_SET_MEMORY_ATTRIBUTES2,
	  BOTH " gmem_bind gmem_set_attributes gmem_set_private "
	       "gmem_set_shared gmem_attributes_import "
	       "gmem_vm_set_attributes"
	       " gmem_region_bind gmem_region_convert gmem_region_reset"
	       " gmem_vm_serve" },
	{ "fcntl", NULL, 0,
	  BOTH " gmem_create gmem_adopt gmem_store"
	       " gmem_region_create" },
	{ "fstat", NULL, 0,
	  "gmem_vm_adopt gmem_adopt gmem_bind gmem_slot_note "
	  "gmem_slots_replace gmem_resident gmem_load gmem_store"
	  " gmem_region_create gmem_region_bind gmem_region_note"
	  " gmem_region_resident" },
	{ "newfstatat", NULL, 0,
	  "gmem_vm_adopt gmem_adopt gmem_bind gmem_slot_note "
	  "gmem_slots_replace gmem_resident gmem_load gmem_store"
	  " gmem_region_create gmem_region_bind gmem_region_note"
	  " gmem_region_resident" },
	{ "fstatfs", NULL, 0,
	  "gmem_vm_adopt gmem_adopt gmem_slot_note "
	  "gmem_set_mempolicy gmem_populate gmem_load"
	  " gmem_region_create gmem_region_note" },
	{ "mmap", NULL, 0,
	  BOTH " gmem_vm_destroy gmem_create gmem_adopt gmem_close "
	       "gmem_bind gmem_slot_note gmem_slots_replace gmem_mmap "
	       "gmem_munmap gmem_read gmem_write "
	       "gmem_set_mempolicy gmem_get_mempolicy "
	       "gmem_verify_placement gmem_populate gmem_resident "
	       "gmem_load gmem_store"
	       " gmem_region_create gmem_region_close gmem_region_get"
	       " gmem_region_bind gmem_region_note gmem_region_convert"
	       " gmem_region_discard gmem_region_reclaim"
	       " gmem_region_reset gmem_region_resident gmem_vm_serve" },
	{ "munmap", NULL, 0,
	  BOTH " gmem_vm_close gmem_vm_destroy gmem_create gmem_adopt "
	       "gmem_close gmem_bind gmem_unbind gmem_slot_note "
	       "gmem_slots_replace gmem_mmap gmem_munmap gmem_read gmem_write "
	       "gmem_set_mempolicy gmem_get_mempolicy "
	       "gmem_verify_placement gmem_populate gmem_resident "
	       "gmem_load gmem_store"
	       " gmem_region_create gmem_region_close gmem_region_get"
	       " gmem_region_bind gmem_region_note gmem_region_unbind"
	       " gmem_region_convert gmem_region_discard"
	       " gmem_region_reclaim gmem_region_reset"
	       " gmem_region_resident gmem_vm_serve" },
	{ "madvise", NULL, 0,
	  BOTH " gmem_adopt gmem_bind gmem_slots_replace gmem_mmap gmem_read "
	       "gmem_write "
	       "gmem_set_mempolicy gmem_get_mempolicy "
	       "gmem_verify_placement gmem_populate gmem_resident "
	       "gmem_load gmem_store gmem_vm_discard"
	       " gmem_region_create gmem_region_get gmem_region_bind"
	       " gmem_region_convert gmem_region_discard"
	       " gmem_region_reclaim gmem_region_reset"
	       " gmem_region_resident gmem_vm_serve" },
	{ "mremap", NULL, 0, "gmem_region_create" },
	{ "mbind", NULL, 0, BOTH " gmem_set_mempolicy" },
	{ "get_mempolicy", NULL, 0,
	  BOTH " gmem_set_mempolicy gmem_get_mempolicy "
	       "gmem_verify_placement gmem_populate gmem_load" },
	{ "set_mempolicy", NULL, 0, "gmem_populate" },
	{ "sched_getaffinity", NULL, 0, "gmem_populate" },
	{ "sched_setaffinity", NULL, 0, "gmem_populate" },
	{ "move_pages", NULL, 0,
	  "gmem_set_mempolicy gmem_verify_placement gmem_populate" },
	{ "set_mempolicy_home_node", NULL, 0,
	  "gmem_set_mempolicy gmem_populate" },
	{ "mincore", NULL, 0,
	  "gmem_resident"
	  " gmem_region_resident" },
	{ "fallocate", NULL, 0,
	  "gmem_populate gmem_discard gmem_vm_discard gmem_load gmem_store"
	  " gmem_region_convert gmem_region_discard"
	  " gmem_region_reclaim gmem_region_reset gmem_vm_serve" },
	{ "cachestat", NULL, 0,
	  BOTH " gmem_set_mempolicy gmem_verify_placement gmem_discard "
	       "gmem_vm_discard gmem_resident gmem_walk_resident gmem_load "
	       "gmem_store gmem_populate"
	       " gmem_region_discard gmem_region_reset gmem_region_resident" },
	{ "getpid", NULL, 0, "gmem_read gmem_write" },
	{ "geteuid", NULL, 0,
	  "gmem_resident"
	  " gmem_region_resident" },
	{ "process_vm_readv", NULL, 0, "gmem_read" },
	{ "process_vm_writev", NULL, 0, "gmem_write" },
	/* instead of these two, where the kernel lacks or forbids them */
	{ "pipe2", NULL, 0, "gmem_read gmem_write" },
	{ "write", NULL, 0, "gmem_read gmem_write gmem_store" },
	{ "read", NULL, 0,
	  "gmem_read gmem_write gmem_load gmem_populate gmem_region_create" },
	{ "pread64", NULL, 0, "gmem_load" },
	{ "pwrite64", NULL, 0, "gmem_store" },
	{ "sendto", NULL, 0, "gmem_store" },
	{ "lseek", NULL, 0, "gmem_load gmem_store" },
	{ "close", NULL, 0,
	  BOTH " gmem_vm_close gmem_vm_destroy gmem_create gmem_close "
	       "gmem_read gmem_write gmem_populate gmem_load"
	       " gmem_region_create gmem_region_close" },
	/* what libc uses to wait for another thread or for the kernel */
	{ "futex", NULL, 0,
	  "gmem_vm_close gmem_vm_destroy gmem_create gmem_adopt gmem_close "
	  "gmem_bind gmem_unbind gmem_slot_note gmem_slot_forget "
	  "gmem_slot_dirty_log gmem_slots_replace "
	  "gmem_slot_get gmem_slot_at gmem_slot_next "
	  "gmem_set_attributes gmem_set_private "
	  "gmem_set_shared gmem_attributes_import gmem_mmap gmem_munmap "
	  "gmem_read gmem_write gmem_set_mempolicy gmem_get_mempolicy "
	  "gmem_verify_placement gmem_populate gmem_resident gmem_load "
	  "gmem_store gmem_vm_at gmem_vm_set_attributes gmem_vm_discard"
	  " gmem_region_create gmem_region_close gmem_region_get"
	  " gmem_region_bind gmem_region_note gmem_region_unbind"
	  " gmem_region_at"
	  " gmem_region_convert gmem_region_assume gmem_region_discard"
	  " gmem_region_reclaim gmem_region_reset"
	  " gmem_region_resident gmem_vm_serve" },
	/* a system call where libc cannot read the clock itself */
	{ "clock_gettime", NULL, 0,
	  "gmem_set_attributes gmem_set_private gmem_set_shared "
	  "gmem_attributes_import gmem_vm_set_attributes"
	  " gmem_region_convert gmem_region_reset gmem_vm_serve" },
	{ "clock_nanosleep", NULL, 0,
	  "gmem_bind gmem_set_attributes gmem_set_private gmem_set_shared "
	  "gmem_attributes_import gmem_vm_set_attributes"
	  " gmem_region_bind gmem_region_convert gmem_region_reset"
	  " gmem_vm_serve" },
	/* what libc uses to start and end a thread */
	{ "rt_sigprocmask", NULL, 0, "gmem_populate" },
	{ "clone3", NULL, 0, "gmem_populate" },
	{ "clone", NULL, 0, "gmem_populate" },
	{ "mprotect", NULL, 0, "gmem_populate" },
	{ "set_robust_list", NULL, 0, "gmem_populate" },
	{ "rseq", NULL, 0, "gmem_populate" },
	{ "exit", NULL, 0, "gmem_populate" },
};

const char *gmem__ioctl_name(unsigned long request)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].request && table[i].number == request)
			return table[i].request;
	return "ioctl";
}

void gmem__ioctl_args(unsigned long request, const void *arg, uint64_t a[3])
{
	const struct gmem__attributes2 *t2 = arg;
	const struct gmem__attributes *t = arg;
	const struct gmem__create *c = arg;
	const struct gmem__region *r = arg;

	switch (request) {
	case GMEM__KVM_CREATE_GUEST_MEMFD:
		a[0] = c->size;
		a[1] = c->flags;
		break;
	case GMEM__KVM_SET_USER_MEMORY_REGION:
	case GMEM__KVM_SET_USER_MEMORY_REGION2:
		a[0] = r->slot;
		a[1] = r->guest_phys_addr;
		a[2] = r->memory_size;
		break;
	case GMEM__KVM_SET_MEMORY_ATTRIBUTES:
		a[0] = t->address;
		a[1] = t->size;
		a[2] = t->attributes;
		break;
	case GMEM__KVM_SET_MEMORY_ATTRIBUTES2:
		a[0] = t2->offset;
		a[1] = t2->size;
		a[2] = t2->attributes;
		break;
	default: /* the argument is a number */
		a[0] = (uintptr_t)arg;
		break;
	}
}

#define SYSCALL_V0 40

_Static_assert(sizeof(struct gmem_syscall) == SYSCALL_V0, "ABI");

int gmem_syscall_info(uint32_t index, struct gmem_syscall *out,
		      struct gmem_error *err)
{
	struct gmem_syscall s = { .sz = sizeof(s) };
	int r = gmem__begin(err);

	if (r < 0)
		return r;
	r = gmem__out_check(out, SYSCALL_V0, "gmem_syscall", err);
	if (r < 0)
		return r;
	if (index >= ARRAY_SIZE(table))
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, index,
				  ARRAY_SIZE(table),
				  "index %u is past the last of %zu entries",
				  index, ARRAY_SIZE(table));
	s.name = table[index].name;
	s.request = table[index].request;
	s.number = table[index].number;
	s.callers = table[index].callers;
	gmem__out_copy(out, &s, sizeof(s));
	return 0;
}
