/* SPDX-License-Identifier: MIT */
/* What libgmem-model needs to know of a VM's handle. */
#ifndef GMEM_LIB_SEAM_H
#define GMEM_LIB_SEAM_H

#include <gmem.h>

#include "macros.h"
#include "sys.h"

/* vm.c */
GMEM__SEAM int gmem__vm_open_on(const struct gmem_sys *sys, void *priv,
				const struct gmem_vm_opts *opts,
				struct gmem_vm **out, struct gmem_error *err);
/* seam.c */
/* What @vm was opened with if it runs on @sys, else NULL. */
GMEM__SEAM void *gmem__vm_priv(const struct gmem_vm *vm,
			       const struct gmem_sys *sys);

#endif
