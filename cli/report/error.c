// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report/error.h"
#include "table/array.h"

/* What no command line and no batch can be the cause of. */
#define OURS "report this: gmemctl itself made the mistake"

/* clang-format off */
/*
 * What to do, in gmemctl's words.  The library's remedies are for programs in
 * C: they name its functions, constants and members.  NULL: that one does not.
 */
static const struct {
	const char *text;
} remedies[] = {
	[GMEM_REASON_NULL_ARGUMENT] = { OURS },
	[GMEM_REASON_OPTS_SIZE] = { OURS },
	[GMEM_REASON_OPTS_NEWER] = {
		"install a libgmem as new as this gmemctl",
	},
	[GMEM_REASON_FLAG_UNKNOWN] = { OURS },
	[GMEM_REASON_VALUE_UNKNOWN] = {
		"choose a value that the command's manual page lists",
	},
	[GMEM_REASON_UNALIGNED] = {
		"round it to a multiple of the file's page size",
	},
	[GMEM_REASON_BAD_FD] = {
		"give a descriptor that is open, and an input that can be read",
	},
	[GMEM_REASON_WRONG_PROCESS] = { OURS },
	[GMEM_REASON_VM_DEAD] = {
		"read in the kernel log why it stopped the VM, then start "
		"again",
	},
	[GMEM_REASON_NOT_A_VM] = { OURS },
	[GMEM_REASON_VM_TYPE_UNSUPPORTED] = {
		"use a type that gmemctl probe reports, or a kernel and CPU "
		"that have this one",
	},
	[GMEM_REASON_VM_TYPE_CONTRADICTED] = { OURS },
	[GMEM_REASON_IPA_BITS] = { OURS },
	[GMEM_REASON_HAS_FILES] = { OURS },
	[GMEM_REASON_ACCESS_DENIED] = {
		"allow it in the security module or the seccomp filter, see "
		"gmemctl probe --format seccomp; in a container cap_sys_nice "
		"allows what is NUMA",
	},
	[GMEM_REASON_LOCK_LIMIT] = { "raise RLIMIT_MEMLOCK (ulimit -l)" },
	[GMEM_REASON_INIT_SHARED_UNMAPPABLE] = { "add mmap" },
	[GMEM_REASON_GUEST_ONLY] = {
		"give mmap and init-shared for a VM without private memory, "
		"neither for one with it, or mmap and guest-only if the host "
		"needs no access",
	},
	[GMEM_REASON_NEVER_USED] = {
		"make the file shared, choose a --vm-type with private "
		"memory on x86-64, or add unbound for a file that backs no guest",
	},
	[GMEM_REASON_HUGETLB_UNSUPPORTED] = {
		"leave hugetlb out, or name the encoding of a kernel that was "
		"built with an unmerged series: --hugetlb-encoding",
	},
	[GMEM_REASON_ENCODING_CONTRADICTED] = {
		"leave hugetlb out, or name the --hugetlb-encoding of the "
		"series that this kernel was built with",
	},
	[GMEM_REASON_NOT_GUEST_MEMFD] = {
		"name a descriptor that gmemctl ps lists",
	},
	[GMEM_REASON_STILL_BOUND] = { "unbind or forget its slots first" },
	[GMEM_REASON_STILL_MAPPED] = { OURS },
	[GMEM_REASON_ALREADY_OWNED] = { OURS },
	[GMEM_REASON_HUGETLB_CONTRADICTED] = { OURS },
	[GMEM_REASON_DEAD_SLOT] = { "forget that slot first" },
	[GMEM_REASON_RANGE_BOUND] = { 
		"unbind that range first, or add alias without fd",
	},
	[GMEM_REASON_DIRTY_LOG] = {
		"leave fd out for a file that starts shared, which HVA mode "
		"takes, or the dirty log",
	},
	[GMEM_REASON_READONLY] = {
		"leave fd out for a file that starts shared, which HVA mode "
		"takes, or readonly",
	},
	[GMEM_REASON_HVA_PRIVATE] = {
		"bind in fd mode without a dirty log, read-only or an alias, "
		"or make the file with init-shared in a VM without private "
		"memory",
	},
	[GMEM_REASON_NEEDS_MMAP] = {
		"make the file with mmap: arm64 binds no other",
	},
	[GMEM_REASON_USERSPACE_ADDR] = {
		"give addr= a page-aligned address of 64 KiB or above",
	},
	[GMEM_REASON_UNKNOWN_SLOT] = {
		"note the slots that others made first",
	},
	[GMEM_REASON_NOTED_SLOT] = { "forget the slot instead" },
	[GMEM_REASON_TWO_BACKINGS] = { OURS },
	[GMEM_REASON_ATTRIBUTE_UNKNOWN] = { OURS },
	[GMEM_REASON_CANCELLED] = { "do it again for the rest of the range" },
	[GMEM_REASON_DEADLOCK] = { OURS },
	[GMEM_REASON_RECORD_FORMAT] = { OURS },
	[GMEM_REASON_RECORD_MISMATCH] = { OURS },
	[GMEM_REASON_BUFFER_SIZE] = { OURS },
	[GMEM_REASON_NO_SHARED_SIDE] = {
		"make the file with mmap where the VM converts in place; in a "
		"batch unbacked shares it nevertheless",
	},
	[GMEM_REASON_RANGE_BUSY] = { "try again" },
	[GMEM_REASON_NOT_MAPPABLE] = {
		"use a file that was made with mmap (Linux 6.18); a private "
		"file beside shared memory has no host view, and binds in fd "
		"mode only",
	},
	[GMEM_REASON_NOT_MAPPED] = { OURS },
	[GMEM_REASON_BAD_BUFFER] = { OURS },
	[GMEM_REASON_POLICY_IGNORED] = {
		"use Linux 6.19, or give the policy to populate, which places "
		"the pages it makes",
	},
	[GMEM_REASON_POLICY_UNMAPPABLE] = {
		"give the policy to populate, or make the file with mmap",
	},
	[GMEM_REASON_MISPLACED] = {
		"discard the pages and set the policy before they are "
		"allocated again",
	},
	[GMEM_REASON_PLACEMENT_UNKNOWN] = {
		"leave strict out: the host cannot find out where these pages "
		"are",
	},
	[GMEM_REASON_POLICY_BALANCING] = {
		"leave the flag numa-balancing out",
	},
	[GMEM_REASON_POLICY_OF_FILE] = {
		"populate without a policy, or set the file's own to the same",
	},
	[GMEM_REASON_INPUT_SHORT] = { "give the real length, or none" },
	[GMEM_REASON_NO_ROOM] = {
		"free memory there or raise the limit, then continue; or add "
		"unchecked, and the kernel may kill a process",
	},
	[GMEM_REASON_IN_REGION] = {
		"change the region instead, by its name, or close it first",
	},
	[GMEM_REASON_REGION_MEMORY] = {
		"use bind for this region: nobody else has its memory",
	},
	[GMEM_REASON_NO_REGION] = { OURS },
	[GMEM_REASON_REGION_KIND] = {
		"name no kind and no file, on a --vm-type that has private "
		"memory; elsewhere kind=shared works, which never converts",
	},
};
/* clang-format on */

const char *errno_name(int errnum)
{
	const char *name = gmem_name(GMEM_NAME_ERRNO, (uint64_t)errnum);

	return name ? name : "EOTHER";
}

void print_names(uint32_t kind, uint64_t flags)
{
	const char *name;
	uint64_t flag;

	for (uint32_t i = 0; (name = gmem_name_at(kind, i, &flag)); i++)
		if (flags & flag)
			printf(" %s", name);
}

const char *reason_remedy(uint32_t reason)
{
	if (reason < ARRAY_SIZE(remedies) && remedies[reason].text)
		return remedies[reason].text;
	return gmem_reason_remedy(reason);
}

const char *error_remedy(const struct gmem_error *err)
{
	if (strcmp(err->remedy, gmem_reason_remedy(err->reason)) != 0)
		return err->remedy;
	return reason_remedy(err->reason);
}

void error_text(const struct gmem_error *err, char *buf, size_t size)
{
	struct gmem_error e = *err;

	e.remedy = error_remedy(err);
	(void)gmem_strerror(&e, buf, size);
}

const char *errno_remedy(int errnum)
{
	switch (errnum) {
	case EBADF:
		return "name one that is open: gmemctl ps lists those of "
		       "guest_memfds";
	case ESRCH:
		return "name one that runs: gmemctl ps lists those with a "
		       "guest_memfd";
	case ENOENT:
		return "check the name";
	case EACCES:
		return "give this user permission to read it";
	case EMFILE:
	case ENFILE:
		return reason_remedy(GMEM_REASON_FD_LIMIT);
	case ENOMEM:
		return reason_remedy(GMEM_REASON_NO_MEMORY);
	case EAGAIN:
		return reason_remedy(GMEM_REASON_THREADS);
	default:
		return "";
	}
}

int refuse(struct gmem_error *err, int code, uint32_t reason, const char *fmt,
	   ...)
{
	va_list ap;

	*err = (struct gmem_error){ .sz = sizeof(*err), .code = code };
	err->reason = reason;
	err->remedy = reason_remedy(reason);
	va_start(ap, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return code;
}
