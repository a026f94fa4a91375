// SPDX-License-Identifier: MIT
/* Each reason's name, the code it is returned with, and what to do. */
#include <errno.h>

#include "error.h"
#include "macros.h"

/* clang-format off */
static const struct {
	const char *name;
	int code; /* 0: the kernel's errno is passed through */
	const char *remedy;
} reasons[] = {
	[GMEM_REASON_NONE] = { "none", 0, "" },
	[GMEM_REASON_NULL_ARGUMENT] = {
		"null-argument", -EINVAL, "pass a valid pointer" },
	[GMEM_REASON_OPTS_SIZE] = {
		"opts-size", -EINVAL, "set .sz to sizeof() of the struct" },
	[GMEM_REASON_OPTS_NEWER] = {
		"opts-newer", -E2BIG,
		"use a newer libgmem, or leave the new members zero" },
	[GMEM_REASON_FLAG_UNKNOWN] = {
		"flag-unknown", -EINVAL,
		"pass only the flags that gmem.h defines for this call" },
	[GMEM_REASON_VALUE_UNKNOWN] = {
		"value-unknown", -EINVAL,
		"pass one of the values that gmem.h lists" },
	[GMEM_REASON_ZERO_SIZE] = {
		"zero-size", -EINVAL, "pass at least one page" },
	[GMEM_REASON_SIZE_LIMIT] = {
		"size-limit", -EINVAL, "stay within the limit" },
	[GMEM_REASON_UNALIGNED] = {
		"unaligned", -EINVAL,
		"round to the page size of the file, see gmem_page_size(3)" },
	[GMEM_REASON_OUTSIDE_FILE] = {
		"outside-file", -EINVAL,
		"stay inside the file: its size is fixed when it is made" },
	[GMEM_REASON_OFFSET_OVERFLOW] = {
		"offset-overflow", -EINVAL, "pass an offset inside the file" },
	[GMEM_REASON_BAD_FD] = {
		"bad-fd", -EBADF, "pass an open file descriptor" },

	[GMEM_REASON_WRONG_PROCESS] = {
		"wrong-process", -EIO,
		"make the VM in the process that uses it; a forked child "
		"may only call gmem_vm_destroy(3)" },
	[GMEM_REASON_VM_DEAD] = {
		"vm-dead", -EIO,
		"the kernel stopped this VM: destroy it with "
		"gmem_vm_destroy(3) and read the kernel log" },
	[GMEM_REASON_NO_DEVICE] = {
		"no-device", 0,
		"load the kvm module, or pass " GMEM_DEVICE " into this "
		"container" },
	[GMEM_REASON_DEVICE_ACCESS] = {
		"device-access", 0, "join the device's group, usually kvm" },
	[GMEM_REASON_NOT_KVM] = {
		"not-kvm", -EINVAL, "name a KVM device, usually " GMEM_DEVICE,
	},
	[GMEM_REASON_NOT_A_VM] = {
		"not-a-vm", -EINVAL,
		"pass the file descriptor that KVM_CREATE_VM returned" },
	[GMEM_REASON_VM_TYPE_UNSUPPORTED] = {
		"vm-type-unsupported", -EOPNOTSUPP,
		"use a type that gmem_vm_feature(3) reports, or a kernel "
		"and CPU that have this one" },
	[GMEM_REASON_VM_TYPE_CONTRADICTED] = {
		"vm-type-contradicted", -EINVAL,
		"pass the type that the VM was made with, or none" },
	[GMEM_REASON_IPA_BITS] = {
		"ipa-bits", -EINVAL,
		"leave ipa_bits 0, or on arm64 pass a size the host has" },
	[GMEM_REASON_HAS_FILES] = {
		"has-files", -EBUSY,
		"close the files first, or use gmem_vm_destroy(3)" },
	[GMEM_REASON_FD_LIMIT] = {
		"fd-limit", 0,
		"raise RLIMIT_NOFILE or fs.file-max, or close descriptors" },
	[GMEM_REASON_NO_MEMORY] = {
		"no-memory", 0,
		"free memory or raise the limit: memory cgroup, "
		"vm.max_map_count, RLIMIT_AS, huge page pool" },
	[GMEM_REASON_ACCESS_DENIED] = {
		"access-denied", 0,
		"allow it in the security module or the seccomp filter, see "
		"gmem_syscall_info(3); in a container CAP_SYS_NICE allows what "
		"is NUMA" },
	[GMEM_REASON_KVM_UNLOADING] = {
		"kvm-unloading", -ENOENT,
		"wait until the kvm module is loaded again" },
	[GMEM_REASON_KERNEL] = {
		"kernel", 0,
		"see the errno in the message and the kernel log: libgmem "
		"found no mistake in the arguments" },
	[GMEM_REASON_ADDRESS_LIMIT] = {
		"address-limit", -ENOMEM,
		"raise RLIMIT_AS or vm.max_map_count, or make smaller files: "
		"a bound file takes as many addresses as it has bytes" },
	[GMEM_REASON_LOCK_LIMIT] = {
		"lock-limit", -ENOMEM,
		"raise RLIMIT_MEMLOCK, or call mlockall(2) without MCL_FUTURE",
	},

	[GMEM_REASON_NO_GUEST_MEMFD] = {
		"no-guest-memfd", -EOPNOTSUPP,
		"use Linux 6.18 or later, or from 6.8 on a VM type with "
		"private memory" },
	[GMEM_REASON_FLAG_UNSUPPORTED] = {
		"flag-unsupported", -EOPNOTSUPP,
		"leave the flag out, or use a kernel and VM type that "
		"gmem_features(7) lists for it" },
	[GMEM_REASON_INIT_SHARED_UNMAPPABLE] = {
		"init-shared-unmappable", -EINVAL,
		"add GMEM_CREATE_MMAP: without it nobody can reach the "
		"memory" },
	[GMEM_REASON_GUEST_ONLY] = {
		"guest-only", -EINVAL,
		"pass GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED for a VM "
		"without private memory, neither for one with it, or "
		"GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY if the host needs "
		"no access" },
	[GMEM_REASON_NEVER_USED] = {
		"never-used", -EINVAL,
		"pass GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED for a VM "
		"without private memory, or make a VM of a type that has "
		"it; GMEM_CREATE_UNBOUND makes a file that backs no guest" },
	[GMEM_REASON_HUGETLB_SIZE] = {
		"hugetlb-size", -EINVAL,
		"pass 0 or one of 64K 512K 1M 2M 8M 16M 32M 256M 512M 1G 2G "
		"16G" },
	[GMEM_REASON_HUGETLB_UNSUPPORTED] = {
		"hugetlb-unsupported", -EOPNOTSUPP,
		"leave hugetlb_size 0: no released kernel has huge pages in "
		"guest_memfd; for one built with an unmerged series, name its "
		"hugetlb_encoding when the VM is opened" },
	[GMEM_REASON_ENCODING_CONTRADICTED] = {
		"encoding-contradicted", -EOPNOTSUPP,
		"do not name this hugetlb_encoding: the kernel uses those bits "
		"for something else" },
	[GMEM_REASON_NOT_GUEST_MEMFD] = {
		"not-guest-memfd", -EINVAL,
		"pass the file descriptor of a guest_memfd" },
	[GMEM_REASON_STILL_BOUND] = {
		"still-bound", -EBUSY,
		"unbind or forget its slots first, or use gmem_vm_destroy(3)" },
	[GMEM_REASON_STILL_MAPPED] = {
		"still-mapped", -EBUSY,
		"unmap with gmem_munmap(3) first, or use gmem_vm_destroy(3)" },
	[GMEM_REASON_ALREADY_OWNED] = {
		"already-owned", -EEXIST, "use the handle that the file has" },
	[GMEM_REASON_HUGETLB_CONTRADICTED] = {
		"hugetlb-contradicted", -EINVAL,
		"pass hugetlb_size 0 for the page size that the file says it "
		"has, or the size in .limit" },

	[GMEM_REASON_SLOT_LIMIT] = {
		"slot-limit", -EINVAL, "use a smaller slot number" },
	[GMEM_REASON_ADDRESS_SPACE] = {
		"address-space", -EINVAL, "use address space 0" },
	[GMEM_REASON_SLOT_IN_USE] = {
		"slot-in-use", -EEXIST,
		"unbind the slot first: one with a guest_memfd cannot be "
		"changed, only deleted" },
	[GMEM_REASON_DEAD_SLOT] = {
		"dead-slot", -EEXIST,
		"delete that slot (memory_size 0) and call "
		"gmem_slot_forget(3)" },
	[GMEM_REASON_GPA_OVERFLOW] = {
		"gpa-overflow", -EINVAL,
		"choose a guest address whose range ends below 2^64" },
	[GMEM_REASON_GPA_OVERLAP] = {
		"gpa-overlap", -EEXIST,
		"choose guest addresses that no slot has" },
	[GMEM_REASON_GPA_LIMIT] = {
		"gpa-limit", -EINVAL,
		"stay inside the guest's physical address width" },
	[GMEM_REASON_SLOT_TOO_LARGE] = {
		"slot-too-large", -EINVAL, "split it over several slots" },
	[GMEM_REASON_RANGE_BOUND] = {
		"range-bound", -EEXIST,
		"unbind that range first, or ask for GMEM_SLOT_ALIAS without "
		"GMEM_SLOT_FD" },
	[GMEM_REASON_DIRTY_LOG] = {
		"dirty-log", -EOPNOTSUPP,
		"leave GMEM_SLOT_FD out for a file that starts shared, which "
		"HVA mode takes, or GMEM_SLOT_DIRTY_LOG" },
	[GMEM_REASON_READONLY] = {
		"readonly", -EOPNOTSUPP,
		"leave GMEM_SLOT_FD out for a file that starts shared, which "
		"HVA mode takes, or GMEM_SLOT_READONLY" },
	[GMEM_REASON_READONLY_UNSUPPORTED] = {
		"readonly-unsupported", -EOPNOTSUPP,
		"bind it writable: this VM type has no read-only slots" },
	[GMEM_REASON_FOREIGN_VM] = {
		"foreign-vm", -EOPNOTSUPP,
		"bind in the VM that made the file, or use HVA mode" },
	[GMEM_REASON_HVA_PRIVATE] = {
		"hva-private", -EOPNOTSUPP,
		"bind in fd mode without a dirty log, read-only or an alias, "
		"or make the file with GMEM_CREATE_INIT_SHARED in a VM "
		"without private memory" },
	[GMEM_REASON_NEEDS_MMAP] = {
		"needs-mmap", -EOPNOTSUPP,
		"make the file with GMEM_CREATE_MMAP: arm64 binds no other" },
	[GMEM_REASON_USERSPACE_ADDR] = {
		"userspace-addr", -EINVAL,
		"pass a page-aligned address of this process, 64 KiB or above",
	},
	[GMEM_REASON_UNKNOWN_SLOT] = {
		"unknown-slot", -EEXIST,
		"note the VMM's own slots with gmem_slot_note(3)" },
	[GMEM_REASON_NOT_BOUND] = {
		"not-bound", -EINVAL,
		"bind the range first, or name a slot that exists" },
	[GMEM_REASON_NOTED_SLOT] = {
		"noted-slot", -EINVAL,
		"delete it with the request that made it, then call "
		"gmem_slot_forget(3)" },
	[GMEM_REASON_RESET_PENDING] = {
		"reset-pending", -EIO,
		"bind there again, which retries, or destroy the VM" },
	[GMEM_REASON_TWO_BACKINGS] = {
		"two-backings", -EOPNOTSUPP,
		"leave GMEM_SLOT_USERSPACE_ADDR out, and make the file with "
		"GMEM_CREATE_MMAP if the host is to share its memory" },
	[GMEM_REASON_HVA_BOUND] = {
		"hva-bound", -EBUSY,
		"unbind the slot in HVA mode first, or bind it in fd mode" },
	[GMEM_REASON_SLOT_STUCK] = {
		"slot-stuck", -EBUSY,
		"try again: binding there, unbinding it and closing its file "
		"each try to delete it; memory or a memory cgroup may be full",
	},
	[GMEM_REASON_SLOT_TWICE] = { "slot-twice", -EINVAL, "name it once" },

	[GMEM_REASON_ATTRIBUTE_UNKNOWN] = {
		"attribute-unknown", -EINVAL,
		"pass GMEM_ATTRIBUTE_PRIVATE or GMEM_ATTRIBUTE_SHARED" },
	[GMEM_REASON_NO_PRIVATE_MEMORY] = {
		"no-private-memory", -EOPNOTSUPP,
		"use a VM type with private memory: sw-protected, snp, tdx" },
	[GMEM_REASON_PAGE_IN_USE] = {
		"page-in-use", -EAGAIN,
		"end DMA, O_DIRECT and other pins of the page, then try "
		"again" },
	[GMEM_REASON_CANCELLED] = {
		"cancelled", -ECANCELED, "continue after err->done bytes" },
	[GMEM_REASON_DEADLOCK] = {
		"deadlock", -EDEADLK,
		"make the call after the callback has returned" },
	[GMEM_REASON_RECORD_FORMAT] = {
		"record-format", -EINVAL,
		"pass all that gmem_attributes_export(3) wrote" },
	[GMEM_REASON_RECORD_MISMATCH] = {
		"record-mismatch", -EINVAL,
		"import into a file of the same size and page size" },
	[GMEM_REASON_BUFFER_SIZE] = {
		"buffer-size", -ENOSPC,
		"ask for the size with a NULL buffer first" },
	[GMEM_REASON_NO_SHARED_SIDE] = {
		"no-shared-side", -EOPNOTSUPP,
		"bind with GMEM_SLOT_USERSPACE_ADDR, or where the VM converts "
		"in place make the file with GMEM_CREATE_MMAP; "
		"GMEM_ATTRIBUTES_UNBACKED shares it nevertheless" },
	[GMEM_REASON_RANGE_BUSY] = {
		"range-busy", -EAGAIN,
		"try again, or leave GMEM_ATTRIBUTES_NOWAIT out to wait" },

	[GMEM_REASON_NOT_MAPPABLE] = {
		"not-mappable", -EOPNOTSUPP,
		"make the file with GMEM_CREATE_MMAP, and in a VM without "
		"private memory with GMEM_CREATE_INIT_SHARED (Linux 6.18); a "
		"private file beside shared memory has no host view, and "
		"binds in fd mode only" },
	[GMEM_REASON_PRIVATE] = {
		"private", -EACCES, "let the guest share the range first" },
	[GMEM_REASON_NOT_MAPPED] = {
		"not-mapped", -EINVAL,
		"pass the address that gmem_mmap(3) returned" },

	[GMEM_REASON_POISONED] = {
		"poisoned", -EHWPOISON,
		"discard the page, whose contents are lost, or skip it" },
	[GMEM_REASON_BAD_BUFFER] = {
		"bad-buffer", -EFAULT,
		"pass memory of this process that is mapped for this use" },
	[GMEM_REASON_POLICY_IGNORED] = {
		"policy-ignored", -EOPNOTSUPP,
		"use Linux 6.19, or give the policy to gmem_populate(3), "
		"which places the pages it makes" },
	[GMEM_REASON_POLICY_NODES] = {
		"policy-nodes", -EINVAL,
		"name nodes, as the mode needs them, that have memory and "
		"are in the cpuset of this process" },
	[GMEM_REASON_POLICY_UNMAPPABLE] = {
		"policy-unmappable", -EOPNOTSUPP,
		"give the policy to gmem_populate(3), or make the file with "
		"GMEM_CREATE_MMAP" },
	[GMEM_REASON_NUMA_UNSUPPORTED] = {
		"numa-unsupported", -EOPNOTSUPP,
		"use a kernel with CONFIG_NUMA, or no policy" },
	[GMEM_REASON_MISPLACED] = {
		"misplaced", -EIO,
		"discard the pages with gmem_discard(3) and set the policy "
		"before they are allocated again" },
	[GMEM_REASON_PLACEMENT_UNKNOWN] = {
		"placement-unknown", -EOPNOTSUPP,
		"leave GMEM_MEMPOLICY_STRICT out: the host cannot find out "
		"where these pages are" },
	[GMEM_REASON_POLICY_BALANCING] = {
		"policy-balancing", -EINVAL,
		"leave GMEM_MPOL_F_NUMA_BALANCING out" },
	[GMEM_REASON_POLICY_OF_FILE] = {
		"policy-of-file", -EINVAL,
		"populate without a policy, or change the file's with "
		"gmem_set_mempolicy(3)" },
	[GMEM_REASON_RELATIVE_NODES] = {
		"relative-nodes", -EOPNOTSUPP,
		"verify against a policy that names the nodes themselves" },

	[GMEM_REASON_RESIDENCY_UNKNOWN] = {
		"residency-unknown", -EOPNOTSUPP,
		"use a kernel with cachestat(2), 6.5 and later, and allow it "
		"in the seccomp filter" },
	[GMEM_REASON_THREADS] = {
		"threads", 0,
		"raise RLIMIT_NPROC or the pids limit of the cgroup" },
	[GMEM_REASON_INPUT] = {
		"input", 0, "pass a file, pipe or socket that can be read" },
	[GMEM_REASON_INPUT_SHORT] = {
		"input-short", -ENODATA,
		"pass the real length, or GMEM_LOAD_UNTIL_EOF" },
	[GMEM_REASON_NO_POSITION] = {
		"no-position", -ESPIPE, "pass a file, or leave its offset out",
	},
	[GMEM_REASON_BEYOND_INPUT] = {
		"beyond-input", -EINVAL, "pass an offset inside the input" },
	[GMEM_REASON_OUTPUT] = {
		"output", 0, "pass a file, pipe or socket that takes so much" },
	[GMEM_REASON_NO_ROOM] = {
		"no-room", -ENOMEM,
		"free memory there or raise the limit; with "
		"GMEM_POPULATE_UNCHECKED or GMEM_LOAD_UNCHECKED the kernel may "
		"kill a process" },

	[GMEM_REASON_IN_REGION] = {
		"in-region", -EBUSY,
		"use the calls of gmem_region.h for this file, or close its "
		"region first" },
	[GMEM_REASON_REGION_KIND] = {
		"region-kind", -EOPNOTSUPP,
		"ask for kind auto, and hand in no file; where nothing "
		"converts, only kind shared works" },
	[GMEM_REASON_REGION_SIZE] = {
		"region-size", -EINVAL, "make the region as large as the file",
	},
	[GMEM_REASON_REGION_MEMORY] = {
		"region-memory", -EINVAL,
		"bind without an address of your own, or note the slot with "
		"that of gmem_region_get()" },
	[GMEM_REASON_NO_REGION] = {
		"no-region", -EINVAL,
		"convert it with gmem_vm_set_attributes(), or make a region "
		"of its file" },
	[GMEM_REASON_SHARED_MEMORY] = {
		"shared-memory", -EINVAL,
		"hand in a memfd or a file of tmpfs or hugetlbfs, or memory "
		"that is mapped from it with MAP_SHARED, or none" },

	[GMEM_REASON_RUN_SIZE] = {
		"run-size", -EINVAL,
		"map as much of the vCPU as KVM_GET_VCPU_MMAP_SIZE says" },
	[GMEM_REASON_UNREACHABLE] = {
		"unreachable", -EFAULT,
		"keep accessible memory behind each slot, and convert before "
		"the guest touches what has none" },
	[GMEM_REASON_NO_PROGRESS] = {
		"no-progress", -EFAULT,
		"stop the vCPU, and compare what KVM has with the record: "
		"slot, file and attributes of the page" },
};
/* clang-format on */

const char *gmem_reason_str(uint32_t reason)
{
	if (reason >= ARRAY_SIZE(reasons) || !reasons[reason].name)
		return "unknown";
	return reasons[reason].name;
}

const char *gmem_reason_remedy(uint32_t reason)
{
	if (reason >= ARRAY_SIZE(reasons) || !reasons[reason].name)
		return "";
	return reasons[reason].remedy;
}

int gmem__reason_code(uint32_t reason)
{
	return reasons[reason].code;
}
