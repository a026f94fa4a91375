/* SPDX-License-Identifier: MIT */
/* What a filter by the list of libgmem has to allow besides, and numbers. */
#ifndef CONFINE_NEEDS_H
#define CONFINE_NEEDS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <linux/kvm.h>

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

/* libc, in every program: to start, to print, to end. */
static const int program_needs[] = {
	SYS_execve,
	SYS_brk,
	SYS_set_tid_address,
	SYS_prlimit64,
	SYS_exit_group,
	SYS_getrandom,
	SYS_rt_sigaction,
	SYS_readlinkat,
	SYS_faccessat,
#ifdef __x86_64__
	SYS_arch_prctl,
	SYS_access,
	SYS_readlink,
	SYS_dup2,
#else
	SYS_dup3,
#endif
	/* what the examples themselves do with a second process, and libnuma */
	SYS_wait4,
	SYS_socketpair,
	SYS_sendmsg,
	SYS_recvmsg,
	SYS_getdents64,
};

/* What the examples do themselves with a VM and its vCPUs. */
static const uint32_t vcpu_needs[] = {
	TCGETS,		KVM_CREATE_VCPU,   KVM_GET_VCPU_MMAP_SIZE, KVM_RUN,
	KVM_GET_SREGS,	KVM_SET_SREGS,	   KVM_GET_REGS,	   KVM_SET_REGS,
	KVM_ENABLE_CAP, KVM_GET_DIRTY_LOG,
};

#define NUMBER(name)              \
	{                         \
#name, SYS_##name \
	}
static const struct {
	const char *name;
	int number;
} numbers[] = {
	NUMBER(openat),
	NUMBER(ioctl),
	NUMBER(fcntl),
	NUMBER(fstat),
	NUMBER(newfstatat),
	NUMBER(fstatfs),
	NUMBER(mmap),
	NUMBER(mremap),
	NUMBER(munmap),
	NUMBER(madvise),
	NUMBER(mbind),
	NUMBER(get_mempolicy),
	NUMBER(set_mempolicy),
	NUMBER(sched_getaffinity),
	NUMBER(sched_setaffinity),
	NUMBER(move_pages),
	NUMBER(set_mempolicy_home_node),
	NUMBER(mincore),
	NUMBER(fallocate),
	NUMBER(cachestat),
	NUMBER(getpid),
	NUMBER(geteuid),
	NUMBER(process_vm_readv),
	NUMBER(process_vm_writev),
	NUMBER(pipe2),
	NUMBER(write),
	NUMBER(read),
	NUMBER(pread64),
	NUMBER(pwrite64),
	NUMBER(sendto),
	NUMBER(lseek),
	NUMBER(close),
	NUMBER(futex),
	NUMBER(clock_gettime),
	NUMBER(clock_nanosleep),
	NUMBER(rt_sigprocmask),
	NUMBER(clone3),
	NUMBER(clone),
	NUMBER(mprotect),
	NUMBER(set_robust_list),
	NUMBER(rseq),
	NUMBER(exit),
};

static inline uint32_t number_of(const char *name)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (!strcmp(name, numbers[i].name))
			return (uint32_t)numbers[i].number;
	fprintf(stderr, "confine: which system call is %s?\n", name);
	exit(99);
}

#endif
