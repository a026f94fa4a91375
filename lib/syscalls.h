/* SPDX-License-Identifier: MIT */
/* The one table of the system calls that the library makes. */
#ifndef GMEM_LIB_SYSCALLS_H
#define GMEM_LIB_SYSCALLS_H

#include <stdint.h>

/* "KVM_CREATE_VM" for its number; "ioctl" for one that is not in the table. */
const char *gmem__ioctl_name(unsigned long request);

/* Up to three numbers out of an ioctl's argument, for the trace. */
void gmem__ioctl_args(unsigned long request, const void *arg, uint64_t a[3]);

#endif
