/* SPDX-License-Identifier: MIT */
/* Between the two halves of the scripted kernel. */
#ifndef GMEM_TESTS_FAKE_KVM_H
#define GMEM_TESTS_FAKE_KVM_H

#include "fake.h"

/* Notes a call and says whether it is to fail; the lock is held. */
int fake_enter(struct fake *f, enum fake_kind kind, int fd,
	       unsigned long request, struct fake_call **out);
int fake_new_fd(struct fake *f, enum fake_fd_type type);
/* The ioctls; the lock is held. */
int fake_kvm(struct fake *f, int fd, unsigned long request, void *arg);

#endif
