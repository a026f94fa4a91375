/* SPDX-License-Identifier: MIT */
/* A guest_memfd that something else made. */
#ifndef GMEM_LIB_ADOPT_H
#define GMEM_LIB_ADOPT_H

#include "ctx.h"

/* 0 and *@st, or why @fd is none. */
int gmem__is_guest_memfd(const struct gmem__ctx *ctx, int fd,
			 struct gmem__stat *st, struct gmem_error *err);
/* @sys and @priv count only without @vm. */
int gmem__adopt_on(const struct gmem_sys *sys, void *priv, struct gmem_vm *vm,
		   int fd, const struct gmem_adopt_opts *opts,
		   struct gmem **out, struct gmem_error *err);

#endif
