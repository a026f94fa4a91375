/* SPDX-License-Identifier: MIT */
/* The words for the numbers of gmem.h and for errno. */
#ifndef GMEM_LIB_NAME_H
#define GMEM_LIB_NAME_H

#include <stdint.h>

#include <gmem.h>

/* What the names of a kind are, "an errno"; NULL past the last kind. */
const char *gmem__name_kind(uint32_t kind);
/* "ENOMEM" for -ENOMEM, and words for a number without a name. */
const char *gmem__errno_name(int sys);
/* "mmap init-shared" for a kind whose values are bits; "none" without any. */
#define GMEM__FLAGS_TEXT 64
const char *gmem__flags_text(uint32_t kind, uint64_t flags,
			     char buf[GMEM__FLAGS_TEXT]);

#endif
