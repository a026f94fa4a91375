// SPDX-License-Identifier: MIT
/*
 * The words for the numbers of gmem.h and for errno: the only list of them.
 * A word is its constant without the prefix, in small letters; errno keeps
 * its own.  Features and reasons have their names where their rows are.
 */
#include <errno.h>
#include <stdio.h>

#include <gmem_region.h>

#include "macros.h"
#include "name.h"

struct name {
	uint64_t value;
	const char *name;
};

#define E(constant)                 \
	{                           \
		constant, #constant \
	}

/* clang-format off */
/* All of Linux's; the aliases EWOULDBLOCK, EDEADLOCK and ENOTSUP are not. */
static const struct name errnos[] = {
	E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG),
	E(ENOEXEC), E(EBADF), E(ECHILD), E(EAGAIN), E(ENOMEM), E(EACCES),
	E(EFAULT), E(ENOTBLK), E(EBUSY), E(EEXIST), E(EXDEV), E(ENODEV),
	E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY),
	E(ETXTBSY), E(EFBIG), E(ENOSPC), E(ESPIPE), E(EROFS), E(EMLINK),
	E(EPIPE), E(EDOM), E(ERANGE), E(EDEADLK), E(ENAMETOOLONG), E(ENOLCK),
	E(ENOSYS), E(ENOTEMPTY), E(ELOOP), E(ENOMSG), E(EIDRM), E(ECHRNG),
	E(EL2NSYNC), E(EL3HLT), E(EL3RST), E(ELNRNG), E(EUNATCH), E(ENOCSI),
	E(EL2HLT), E(EBADE), E(EBADR), E(EXFULL), E(ENOANO), E(EBADRQC),
	E(EBADSLT), E(EBFONT), E(ENOSTR), E(ENODATA), E(ETIME), E(ENOSR),
	E(ENONET), E(ENOPKG), E(EREMOTE), E(ENOLINK), E(EADV), E(ESRMNT),
	E(ECOMM), E(EPROTO), E(EMULTIHOP), E(EDOTDOT), E(EBADMSG), E(EOVERFLOW),
	E(ENOTUNIQ), E(EBADFD), E(EREMCHG), E(ELIBACC), E(ELIBBAD), E(ELIBSCN),
	E(ELIBMAX), E(ELIBEXEC), E(EILSEQ), E(ERESTART), E(ESTRPIPE), E(EUSERS),
	E(ENOTSOCK), E(EDESTADDRREQ), E(EMSGSIZE), E(EPROTOTYPE),
	E(ENOPROTOOPT), E(EPROTONOSUPPORT), E(ESOCKTNOSUPPORT), E(EOPNOTSUPP),
	E(EPFNOSUPPORT), E(EAFNOSUPPORT), E(EADDRINUSE), E(EADDRNOTAVAIL),
	E(ENETDOWN), E(ENETUNREACH), E(ENETRESET), E(ECONNABORTED),
	E(ECONNRESET), E(ENOBUFS), E(EISCONN), E(ENOTCONN), E(ESHUTDOWN),
	E(ETOOMANYREFS), E(ETIMEDOUT), E(ECONNREFUSED), E(EHOSTDOWN),
	E(EHOSTUNREACH), E(EALREADY), E(EINPROGRESS), E(ESTALE), E(EUCLEAN),
	E(ENOTNAM), E(ENAVAIL), E(EISNAM), E(EREMOTEIO), E(EDQUOT),
	E(ENOMEDIUM), E(EMEDIUMTYPE), E(ECANCELED), E(ENOKEY), E(EKEYEXPIRED),
	E(EKEYREVOKED), E(EKEYREJECTED), E(EOWNERDEAD), E(ENOTRECOVERABLE),
	E(ERFKILL), E(EHWPOISON),
};
static const struct name vm_types[] = {
	{ GMEM_VM_DEFAULT, "default" },
	{ GMEM_VM_SW_PROTECTED, "sw-protected" },
	{ GMEM_VM_SEV, "sev" },
	{ GMEM_VM_SEV_ES, "sev-es" },
	{ GMEM_VM_SNP, "snp" },
	{ GMEM_VM_TDX, "tdx" },
};
static const struct name encodings[] = {
	{ GMEM_HUGETLB_MERGED, "merged" },
	{ GMEM_HUGETLB_RFC1, "rfc1" },
	{ GMEM_HUGETLB_PAGE_ORDER, "page-order" },
};
static const struct name supports[] = {
	{ GMEM_UNKNOWN, "unknown" },
	{ GMEM_NO, "no" },
	{ GMEM_YES, "yes" },
};
static const struct name create_flags[] = {
	{ GMEM_CREATE_MMAP, "mmap" },
	{ GMEM_CREATE_INIT_SHARED, "init-shared" },
	{ GMEM_CREATE_GUEST_ONLY, "guest-only" },
	{ GMEM_CREATE_UNBOUND, "unbound" },
	{ GMEM_CREATE_CHECK_ONLY, "check-only" },
};
static const struct name adopt_flags[] = {
	{ GMEM_ADOPT_INIT_SHARED, "init-shared" },
	{ GMEM_ADOPT_FOREIGN, "foreign" },
};
static const struct name slot_flags[] = {
	{ GMEM_SLOT_FD, "fd" },
	{ GMEM_SLOT_HVA, "hva" },
	{ GMEM_SLOT_DIRTY_LOG, "dirty-log" },
	{ GMEM_SLOT_READONLY, "readonly" },
	{ GMEM_SLOT_ALIAS, "alias" },
	{ GMEM_SLOT_LEAVE_SHARED, "leave-shared" },
	{ GMEM_SLOT_USERSPACE_ADDR, "userspace-addr" },
	{ GMEM_SLOT_OWN_ADDR, "own-addr" },
	{ GMEM_SLOT_NOTED, "noted" },
	{ GMEM_SLOT_STUCK, "stuck" },
	{ GMEM_SLOT_TAKE_KEPT, "take-kept" },
	{ GMEM_SLOT_LIVE, "live" },
	{ GMEM_SLOT_CHECK_ONLY, "check-only" },
	{ GMEM_SLOT_NO_HUGE, "no-huge" },
	{ GMEM_SLOT_SMALL_START, "small-start" },
	{ GMEM_SLOT_SMALL_END, "small-end" },
};
static const struct name unbind_flags[] = {
	{ GMEM_UNBIND_KEEP_ATTRIBUTES, "keep-attributes" },
};
static const struct name attributes[] = {
	{ GMEM_ATTRIBUTE_SHARED, "shared" },
	{ GMEM_ATTRIBUTE_PRIVATE, "private" },
	{ GMEM_ATTRIBUTE_UNSET, "unset" },
};
static const struct name attributes_flags[] = {
	{ GMEM_ATTRIBUTES_NOWAIT, "nowait" },
	{ GMEM_ATTRIBUTES_UNBACKED, "unbacked" },
	{ GMEM_ATTRIBUTES_CHECK_ONLY, "check-only" },
};
static const struct name import_flags[] = {
	{ GMEM_IMPORT_RECORD_ONLY, "record-only" },
	{ GMEM_IMPORT_UNBACKED, "unbacked" },
};
static const struct name mmap_flags[] = {
	{ GMEM_MMAP_READONLY, "readonly" },
	{ GMEM_MMAP_ALLOW_PRIVATE, "allow-private" },
	{ GMEM_MMAP_FORK, "fork" },
	{ GMEM_MMAP_DUMP, "dump" },
	{ GMEM_MMAP_FIXED, "fixed" },
};
static const struct name policies[] = {
	{ GMEM_MPOL_DEFAULT, "default" },
	{ GMEM_MPOL_PREFERRED, "preferred" },
	{ GMEM_MPOL_BIND, "bind" },
	{ GMEM_MPOL_INTERLEAVE, "interleave" },
	{ GMEM_MPOL_LOCAL, "local" },
	{ GMEM_MPOL_PREFERRED_MANY, "preferred-many" },
	{ GMEM_MPOL_WEIGHTED_INTERLEAVE, "weighted-interleave" },
};
static const struct name policy_flags[] = {
	{ GMEM_MPOL_F_STATIC_NODES, "static-nodes" },
	{ GMEM_MPOL_F_RELATIVE_NODES, "relative-nodes" },
	{ GMEM_MPOL_F_NUMA_BALANCING, "numa-balancing" },
};
static const struct name mempolicy_flags[] = {
	{ GMEM_MEMPOLICY_STRICT, "strict" },
};
static const struct name placed[] = {
	{ GMEM_PLACED_UNKNOWN, "unknown" },
	{ GMEM_PLACED_WELL, "well" },
	{ GMEM_PLACED_ELSEWHERE, "elsewhere" },
};
static const struct name resident_flags[] = {
	{ GMEM_RESIDENT_LOWER_BOUND, "lower-bound" },
};
static const struct name load_flags[] = {
	{ GMEM_LOAD_UNTIL_EOF, "until-eof" },
	{ GMEM_LOAD_INPUT_OFFSET, "input-offset" },
	{ GMEM_LOAD_UNCHECKED, "unchecked" },
};
static const struct name store_flags[] = {
	{ GMEM_STORE_OUTPUT_OFFSET, "output-offset" },
};
static const struct name populate_flags[] = {
	{ GMEM_POPULATE_UNCHECKED, "unchecked" },
};
static const struct name region_kinds[] = {
	{ GMEM_REGION_KIND_AUTO, "auto" },
	{ GMEM_REGION_KIND_INPLACE, "inplace" },
	{ GMEM_REGION_KIND_DUAL, "dual" },
	{ GMEM_REGION_KIND_SHARED, "shared" },
};
static const struct name region_flags[] = {
	{ GMEM_REGION_NO_HYPERCALL, "no-hypercall" },
	{ GMEM_REGION_HYPERCALL, "hypercall" },
	{ GMEM_REGION_SHARED_FD, "shared-fd" },
	{ GMEM_REGION_UNVERIFIED, "unverified" },
};
static const struct name shared_sides[] = {
	{ GMEM_SHARED_SIDE_NONE, "none" },
	{ GMEM_SHARED_SIDE_ANON, "anon" },
	{ GMEM_SHARED_SIDE_SHMEM, "shmem" },
	{ GMEM_SHARED_SIDE_HUGETLB, "hugetlb" },
};
static const struct name convert_flags[] = {
	{ GMEM_CONVERT_NOWAIT, "nowait" },
	{ GMEM_CONVERT_DEFER, "defer" },
	{ GMEM_CONVERT_CHECK_ONLY, "check-only" },
};
static const struct name serve_flags[] = {
	{ GMEM_SERVE_NOWAIT, "nowait" },
	{ GMEM_SERVE_DEFER, "defer" },
};
static const struct name rooms[] = {
	{ GMEM_ROOM_CGROUP, "cgroup" },
	{ GMEM_ROOM_NODES, "nodes" },
	{ GMEM_ROOM_MACHINE, "machine" },
};
static const struct name error_flags[] = {
	{ GMEM_ERROR_DIAGNOSED, "diagnosed" },
	{ GMEM_ERROR_STUCK, "stuck" },
};

#define LIST(names) names, ARRAY_SIZE(names)

static const struct {
	const struct name *names;
	size_t n;
	const char *what;
} kinds[] = {
	[GMEM_NAME_ERRNO] = { LIST(errnos), "an errno" },
	[GMEM_NAME_VM_TYPE] = { LIST(vm_types), "a VM type" },
	[GMEM_NAME_HUGETLB_ENCODING] = { LIST(encodings), "a huge page encoding" },
	[GMEM_NAME_SUPPORT] = { LIST(supports), "a level of support" },
	[GMEM_NAME_CREATE_FLAG] = { LIST(create_flags), "a create flag" },
	[GMEM_NAME_ADOPT_FLAG] = { LIST(adopt_flags), "an adopt flag" },
	[GMEM_NAME_SLOT_FLAG] = { LIST(slot_flags), "a slot flag" },
	[GMEM_NAME_UNBIND_FLAG] = { LIST(unbind_flags), "an unbind flag" },
	[GMEM_NAME_ATTRIBUTE] = { LIST(attributes), "an attribute" },
	[GMEM_NAME_ATTRIBUTES_FLAG] = { LIST(attributes_flags), "an attributes flag" },
	[GMEM_NAME_IMPORT_FLAG] = { LIST(import_flags), "an import flag" },
	[GMEM_NAME_MMAP_FLAG] = { LIST(mmap_flags), "an mmap flag" },
	[GMEM_NAME_MPOL] = { LIST(policies), "a policy mode" },
	[GMEM_NAME_MPOL_FLAG] = { LIST(policy_flags), "a policy mode flag" },
	[GMEM_NAME_MEMPOLICY_FLAG] = { LIST(mempolicy_flags), "a mempolicy flag" },
	[GMEM_NAME_PLACED] = { LIST(placed), "a placement" },
	[GMEM_NAME_RESIDENT_FLAG] = { LIST(resident_flags), "a resident flag" },
	[GMEM_NAME_LOAD_FLAG] = { LIST(load_flags), "a load flag" },
	[GMEM_NAME_ERROR_FLAG] = { LIST(error_flags), "an error flag" },
	[GMEM_NAME_STORE_FLAG] = { LIST(store_flags), "a store flag" },
	[GMEM_NAME_POPULATE_FLAG] = { LIST(populate_flags), "a populate flag" },
	[GMEM_NAME_ROOM] = { LIST(rooms), "a limit of memory" },
	[GMEM_NAME_REGION_KIND] = { LIST(region_kinds), "a kind of region" },
	[GMEM_NAME_REGION_FLAG] = { LIST(region_flags), "a flag of a region" },
	[GMEM_NAME_SHARED_SIDE] = { LIST(shared_sides),
				    "a shared side of a region" },
	[GMEM_NAME_CONVERT_FLAG] = { LIST(convert_flags),
				     "a flag of gmem_region_convert()" },
	[GMEM_NAME_SERVE_FLAG] = { LIST(serve_flags),
				   "a flag of gmem_vm_serve()" },
};
/* clang-format on */

const char *gmem_name(uint32_t kind, uint64_t value)
{
	for (size_t i = 0; kind < ARRAY_SIZE(kinds) && i < kinds[kind].n; i++)
		if (kinds[kind].names[i].value == value)
			return kinds[kind].names[i].name;
	return NULL;
}

const char *gmem_name_at(uint32_t kind, uint32_t index, uint64_t *value)
{
	if (kind >= ARRAY_SIZE(kinds) || index >= kinds[kind].n)
		return NULL;
	if (value)
		*value = kinds[kind].names[index].value;
	return kinds[kind].names[index].name;
}

const char *gmem__name_kind(uint32_t kind)
{
	return kind < ARRAY_SIZE(kinds) ? kinds[kind].what : NULL;
}

const char *gmem__errno_name(int sys)
{
	const char *name = gmem_name(GMEM_NAME_ERRNO, -(uint64_t)sys);

	return name ? name : "no known name";
}

const char *gmem__flags_text(uint32_t kind, uint64_t flags,
			     char buf[GMEM__FLAGS_TEXT])
{
	const char *name;
	uint64_t flag;
	size_t n = 0;

	for (uint32_t i = 0; (name = gmem_name_at(kind, i, &flag)) != NULL &&
			     n < GMEM__FLAGS_TEXT;
	     i++)
		if (flags & flag)
			n += (size_t)snprintf(buf + n, GMEM__FLAGS_TEXT - n,
					      "%s%s", n ? " " : "", name);
	return n ? buf : "none";
}
